//! Where there is no keyring that this program knows.

use std::time::Duration;

use crate::context::{Environment, KeyringFailure};
use crate::secret::Secret;

/// Where it would be.
///
/// # Errors
/// `Absent`, always.
pub(super) fn find(_environment: &dyn Environment) -> Result<(), KeyringFailure> {
    absent()
}

fn absent<T>() -> Result<T, KeyringFailure> {
    let reason = "this operating system has none that this program knows";
    Err(KeyringFailure::Absent(reason.to_owned()))
}

pub(super) fn check() -> Result<(), KeyringFailure> {
    absent()
}

pub(super) fn is_locked() -> Result<bool, KeyringFailure> {
    absent()
}

pub(super) fn read(_name: &str, _prompt: Duration) -> Result<Option<Secret>, KeyringFailure> {
    absent()
}

pub(super) fn write(_: &str, _: &Secret, _prompt: Duration) -> Result<(), KeyringFailure> {
    absent()
}

pub(super) fn remove(_name: &str, _prompt: Duration) -> Result<(), KeyringFailure> {
    absent()
}
