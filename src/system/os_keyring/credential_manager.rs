//! The Credential Manager of Windows: a generic credential each, which stays on this machine.

use std::collections::HashMap;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use windows_native_keyring_store::Store;

use super::{Limits, SERVICE, secret};
use crate::context::{Environment, KeyringFailure};
use crate::secret::Secret;
use crate::text::printable;

/// What it is called.
pub(super) const NAME: &str = "the Credential Manager";

/// The only one.
#[derive(Clone)]
pub(super) struct Place;

/// It is always there.
pub(super) fn find(_environment: &dyn Environment) -> Result<Place, KeyringFailure> {
    Ok(Place)
}

pub(super) fn check(_place: &Place, _limits: Limits) -> Result<(), KeyringFailure> {
    // Asking for what is not there tells whether it answers.
    match entry("check")?.get_secret() {
        Ok(_) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(failure(&error)),
    }
}

/// It is unlocked as long as its user is logged in.
pub(super) fn is_locked(_place: &Place, _limits: Limits) -> Result<bool, KeyringFailure> {
    Ok(false)
}

pub(super) fn read(
    _place: &Place,
    name: &str,
    _limits: Limits,
) -> Result<Option<Secret>, KeyringFailure> {
    match entry(name)?.get_secret() {
        Ok(bytes) => secret(bytes).map(Some),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

pub(super) fn write(
    _place: &Place,
    name: &str,
    value: &Secret,
    _limits: Limits,
) -> Result<(), KeyringFailure> {
    entry(name)?
        .set_secret(value.expose().as_bytes())
        .map_err(|error| failure(&error))
}

pub(super) fn remove(_place: &Place, name: &str, _limits: Limits) -> Result<(), KeyringFailure> {
    match entry(name)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(failure(&error)),
    }
}

fn entry(name: &str) -> Result<Entry, KeyringFailure> {
    // A key that wanders to other machines would be of no use there.
    let local = HashMap::from([("persistence", "Local")]);
    Store::new()
        .and_then(|store| store.build(SERVICE, name, Some(&local)))
        .map_err(|error| failure(&error))
}

fn failure(error: &Error) -> KeyringFailure {
    let reason = printable(&error.to_string());
    match error {
        // There is none for a user who is logged in over the network alone.
        Error::NoStorageAccess(_) => KeyringFailure::Absent(reason),
        _ => KeyringFailure::Refused(reason),
    }
}
