//! A key that lies in the operating system's keyring, and is made here.

use super::{Key, Keys, NotKept, Room, Seal};
use crate::context::KeyringFailure;
use crate::error::{Error, ErrorKind};

/// The line in the table.
pub(super) const SEAL: Seal = Seal {
    name: "keyring",
    keys: Some(&Keyring),
};

struct Keyring;

impl Keys for Keyring {
    fn draw(&self, room: &Room<'_>) -> Result<Key, Error> {
        Key::random(room.context.random)
    }

    fn keep(&self, key: &Key, room: &Room<'_>) -> Result<(), NotKept> {
        let keyring = room.context.keyring;
        let text = key.to_text();
        keyring
            .write(key.id(), &text, room.limit())
            .map_err(|failure| NotKept {
                may_be_there: failure == KeyringFailure::Silent,
                error: unmade(failure),
            })?;
        // What is sealed with a key that is not there is lost.
        let error = match keyring.read(key.id(), room.limit()) {
            Ok(Some(kept)) if kept == text => return Ok(()),
            Ok(_) => Error::new(
                ErrorKind::Store,
                "the keyring does not keep what it is given",
            )
            .hint("see what is wrong with it, or set `seal = \"none\"` below `[store]`"),
            Err(failure) => unmade(failure),
        };
        Err(NotKept {
            error,
            may_be_there: true,
        })
    }

    fn find(&self, id: &str, room: &Room<'_>) -> Result<Option<Key>, Error> {
        let kept = room
            .context
            .keyring
            .read(id, room.limit())
            .map_err(failed)?;
        let Some(text) = kept else {
            return Ok(None);
        };
        match Key::of_text(&text).map(Key::checked) {
            Some(key) if key.id() == id => Ok(Some(key)),
            _ => Err(Error::new(
                ErrorKind::Store,
                format!("the keyring holds something else in the place of the key `{id}`"),
            )
            .hint("bring the keyring's own entry back; the sign-ins are untouched")),
        }
    }

    fn forget(&self, id: &str, room: &Room<'_>) -> Result<(), Error> {
        room.context
            .keyring
            .remove(id, room.limit())
            .map_err(failed)
    }

    fn makes_keys(&self) -> bool {
        true
    }

    fn check(&self, room: &Room<'_>) -> Result<(), String> {
        room.context
            .keyring
            .check(room.limit())
            .map_err(|failure| failed(failure).to_string())
    }

    fn is_locked(&self, room: &Room<'_>) -> Result<bool, Error> {
        let keyring = room.context.keyring;
        keyring.is_locked(room.limit()).map_err(failed)
    }
}

/// Whether there is a keyring; the inner error tells why there is none.
///
/// # Errors
/// `store`, if there is one that cannot be used now: nothing becomes plain for that.
pub(super) fn presence(room: &Room<'_>) -> Result<Result<(), String>, Error> {
    match room.context.keyring.check(room.limit()) {
        Ok(()) => Ok(Ok(())),
        Err(KeyringFailure::Absent(reason)) => Ok(Err(reason)),
        Err(failure) => Err(unmade(failure)),
    }
}

/// Why a key cannot be had.
fn failed(failure: KeyringFailure) -> Error {
    failure.into_error("the sign-ins are untouched")
}

/// Why none can be made.
fn unmade(failure: KeyringFailure) -> Error {
    failure.into_error(
        "without it, `seal = \"none\"` below `[store]` in a profile file keeps sign-ins unencrypted",
    )
}
