//! The Keychain of macOS: a generic password each, in the user's default keychain.

use security_framework::base::Error;
use security_framework::os::macos::keychain::{KeychainUserInteractionLock, SecKeychain};
use security_framework::passwords::{
    delete_generic_password, get_generic_password, set_generic_password,
};

use super::{Limits, SERVICE, secret};
use crate::context::{Environment, KeyringFailure};
use crate::secret::Secret;
use crate::text::printable;

/// What it is called.
pub(super) const NAME: &str = "the Keychain";

/// `errSecItemNotFound`.
const NOT_FOUND: i32 = -25300;
/// `errSecInteractionNotAllowed`: it is locked, and nobody can be asked.
const NOT_ALLOWED: i32 = -25308;
/// `errSecAuthFailed`: whoever was asked did not unlock it.
const NOT_UNLOCKED: i32 = -25293;
/// `errSecUserCanceled`.
const CANCELED: i32 = -128;
/// `errSecNoDefaultKeychain`.
const NO_KEYCHAIN: i32 = -25307;

/// The only one.
#[derive(Clone)]
pub(super) struct Place;

/// It is always there.
pub(super) fn find(_environment: &dyn Environment) -> Result<Place, KeyringFailure> {
    Ok(Place)
}

pub(super) fn check(_place: &Place, limits: Limits) -> Result<(), KeyringFailure> {
    let _silence = silence(limits)?;
    // Asking for what is not there tells whether it answers.
    get(" ").map(drop)
}

/// It is unlocked as long as its user is logged in.
pub(super) fn is_locked(_place: &Place, _limits: Limits) -> Result<bool, KeyringFailure> {
    Ok(false)
}

pub(super) fn read(
    _place: &Place,
    name: &str,
    limits: Limits,
) -> Result<Option<Secret>, KeyringFailure> {
    let _silence = silence(limits)?;
    get(name)?.map(secret).transpose()
}

pub(super) fn write(
    _place: &Place,
    name: &str,
    value: &Secret,
    limits: Limits,
) -> Result<(), KeyringFailure> {
    let _silence = silence(limits)?;
    set_generic_password(SERVICE, name, value.expose().as_bytes()).map_err(|error| failure(&error))
}

pub(super) fn remove(_place: &Place, name: &str, limits: Limits) -> Result<(), KeyringFailure> {
    let _silence = silence(limits)?;
    match delete_generic_password(SERVICE, name) {
        Err(error) if error.code() != NOT_FOUND => Err(failure(&error)),
        _ => Ok(()),
    }
}

/// What keeps macOS from asking a person for the keychain's password while it lives, where nobody may
/// be asked: what is locked is an error then.
fn silence(limits: Limits) -> Result<Option<KeychainUserInteractionLock>, KeyringFailure> {
    let silence = limits
        .prompt
        .is_zero()
        .then(SecKeychain::disable_user_interaction);
    silence.transpose().map_err(|error| failure(&error))
}

fn get(name: &str) -> Result<Option<Vec<u8>>, KeyringFailure> {
    match get_generic_password(SERVICE, name) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.code() == NOT_FOUND => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &Error) -> KeyringFailure {
    match error.code() {
        NOT_ALLOWED | NOT_UNLOCKED | CANCELED => KeyringFailure::Locked,
        NO_KEYCHAIN => KeyringFailure::Absent("there is no default keychain".to_owned()),
        _ => KeyringFailure::Refused(printable(&error.to_string())),
    }
}
