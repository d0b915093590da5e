//! Where there is no keyring that this program knows.

use super::Limits;
use crate::context::{Environment, KeyringFailure};
use crate::secret::Secret;

/// There is none to name.
pub(super) const NAME: &str = "none";

/// The only one.
#[derive(Clone)]
pub(super) struct Place;

/// Where it would be.
///
/// # Errors
/// `Absent`, always.
pub(super) fn find(_environment: &dyn Environment) -> Result<Place, KeyringFailure> {
    absent()
}

fn absent<T>() -> Result<T, KeyringFailure> {
    let reason = "this operating system has none that this program knows";
    Err(KeyringFailure::Absent(reason.to_owned()))
}

pub(super) fn check(_place: &Place, _limits: Limits) -> Result<(), KeyringFailure> {
    absent()
}

pub(super) fn is_locked(_place: &Place, _limits: Limits) -> Result<bool, KeyringFailure> {
    absent()
}

pub(super) fn read(
    _place: &Place,
    _name: &str,
    _limits: Limits,
) -> Result<Option<Secret>, KeyringFailure> {
    absent()
}

pub(super) fn write(
    _place: &Place,
    _: &str,
    _: &Secret,
    _limits: Limits,
) -> Result<(), KeyringFailure> {
    absent()
}

pub(super) fn remove(_place: &Place, _name: &str, _limits: Limits) -> Result<(), KeyringFailure> {
    absent()
}
