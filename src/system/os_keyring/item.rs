//! Where no items of other programs are found.

use zeroize::Zeroizing;

use super::{Limits, place};
use crate::context::{KeyringFailure, KeyringItem};

pub(super) fn read(
    _place: &place::Place,
    _item: &KeyringItem,
    _limits: Limits,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringFailure> {
    Err(KeyringFailure::Foreign)
}

pub(super) fn write(
    _place: &place::Place,
    _item: &KeyringItem,
    _content: &[u8],
    _limits: Limits,
) -> Result<(), KeyringFailure> {
    Err(KeyringFailure::Foreign)
}
