//! Where nothing is kept.

use std::time::Duration;

use crate::secret::Secret;

/// Whether there is one.
pub(super) const IS_KNOWN: bool = false;

pub(super) fn read(_name: &str) -> Option<Secret> {
    None
}

pub(super) fn keep(_name: &str, _secret: &Secret, _lifetime: Duration) {}

pub(super) fn forget(_name: &str) -> bool {
    false
}
