//! How a session's content lies in its file: sealed with a key, or not. One file per place that a key
//! can come from.
//!
//! Each session file names its seal, and its key, and is read whatever the configuration says. To add
//! a way: a file with a [`Seal`], and a line in [`SEALS`].

mod cipher;
mod command;
mod key;
mod none;
mod os_keyring;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) use self::cipher::{Sealed, open, seal};
pub(super) use self::key::Key;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::text::printable;

/// A way to seal.
pub struct Seal {
    /// Its name, in files and in the configuration.
    pub name: &'static str,
    /// Where its keys come from; `None` for no seal at all.
    keys: Option<&'static dyn Keys>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

impl PartialEq for Seal {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Where keys come from.
trait Keys: Sync {
    /// A key for new files: one that was never used, and is kept nowhere yet, where it is made here.
    ///
    /// # Errors
    /// `store` or `config`.
    fn draw(&self, room: &Room<'_>) -> Result<Key, Error>;

    /// Keeps a key that was made here where [`Self::find`] finds it.
    ///
    /// # Errors
    /// If that fails.
    fn keep(&self, key: &Key, room: &Room<'_>) -> Result<(), NotKept>;

    /// The key of that id; `None` where it is not any more.
    ///
    /// # Errors
    /// `store` or `config`, if that cannot be told now.
    fn find(&self, id: &str, room: &Room<'_>) -> Result<Option<Key>, Error>;

    /// Forgets the key of that id, which no file is sealed with any more.
    ///
    /// # Errors
    /// `store`.
    fn forget(&self, id: &str, room: &Room<'_>) -> Result<(), Error>;

    /// Whether keys are made here, and so have to be forgotten here.
    fn makes_keys(&self) -> bool;

    /// Whether a key that is made here could be kept now.
    ///
    /// # Errors
    /// Why not, in words.
    fn check(&self, room: &Room<'_>) -> Result<(), String> {
        let _ = room;
        Ok(())
    }

    /// Whether a person would be asked to unlock the place of the keys now. Nobody is.
    ///
    /// # Errors
    /// `store`, if that cannot be told.
    fn is_locked(&self, room: &Room<'_>) -> Result<bool, Error> {
        let _ = room;
        Ok(false)
    }
}

/// Why a key is not kept.
pub(super) struct NotKept {
    pub(super) error: Error,
    /// Whether it may lie there all the same.
    pub(super) may_be_there: bool,
}

/// Every seal, the best one first.
pub const SEALS: &[Seal] = &[os_keyring::SEAL, command::SEAL, none::SEAL];

/// What the configuration says about seals: `[store]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealing {
    /// The seal of whatever is written; `None` for `auto`.
    pub seal: Option<String>,
    /// The command that prints the key.
    pub command: Vec<String>,
    /// The command that prints the key which files are still sealed with.
    pub previous_command: Vec<String>,
    /// How long a key may stay in the operating system's memory.
    pub key_cache: Option<Duration>,
}

impl Sealing {
    /// The seal of that name.
    pub fn named(name: &str) -> Self {
        Self {
            seal: (name != "auto").then(|| name.to_owned()),
            ..Self::default()
        }
    }

    /// What is configured, where it is not `auto`.
    pub fn configured(&self) -> Option<&'static Seal> {
        self.seal.as_deref().and_then(find)
    }
}

/// The keys that this process has at hand: a keyring is asked once, and what was there when a refresh
/// began is there when it ends.
#[derive(Default)]
pub struct KeysAtHand(Mutex<AtHand>);

#[derive(Default)]
struct AtHand {
    keys: Vec<Key>,
    /// Commands that gave none, and why: a hanging one is waited for once.
    failed: Vec<(Vec<String>, Error)>,
}

impl KeysAtHand {
    fn inner(&self) -> MutexGuard<'_, AtHand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Option<Key> {
        let inner = self.inner();
        inner.keys.iter().find(|key| key.id() == id).cloned()
    }

    fn add(&self, key: &Key) {
        let keys = &mut self.inner().keys;
        keys.retain(|other| other.id() != key.id());
        keys.push(key.clone());
    }

    /// Why that command gave no key before.
    fn failure(&self, command: &[String]) -> Option<Error> {
        let inner = self.inner();
        let mut failed = inner.failed.iter();
        let found = failed.find(|(other, _)| other == command);
        found.map(|(_, error)| error.clone())
    }

    fn add_failure(&self, command: &[String], error: &Error) {
        let failed = &mut self.inner().failed;
        failed.push((command.to_owned(), error.clone()));
    }
}

/// What a seal works with.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Keys that were found already.
    pub at_hand: &'a KeysAtHand,
    /// What the configuration says.
    pub sealing: &'a Sealing,
    /// The effects.
    pub context: &'a Context<'a>,
    /// The directory of sessions.
    pub directory: &'a Path,
}

impl Room<'_> {
    /// How long a key is waited for.
    fn limit(&self) -> Duration {
        /// How long may a keyring take? A person may have to unlock it.
        const LIMIT: Duration = Duration::from_secs(10);
        self.context
            .time_left()
            .map_or(LIMIT, |left| left.min(LIMIT))
    }

    /// How long a key stays in the operating system's memory.
    fn key_cache(&self) -> Duration {
        const LIFETIME: Duration = Duration::from_secs(3600);
        self.sealing.key_cache.unwrap_or(LIFETIME)
    }
}

/// The seal of what is not sealed.
pub(super) fn plain() -> &'static Seal {
    &none::SEAL
}

impl Seal {
    /// Whether files are sealed with a key.
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether its keys are made here, rather than by somebody else.
    pub(super) fn makes_keys(&self) -> bool {
        self.keys.is_some_and(Keys::makes_keys)
    }

    /// A key for new files, to be kept before it is used; `None` for no seal.
    pub(super) fn draw(&self, room: &Room<'_>) -> Result<Option<Key>, Error> {
        self.keys.map(|keys| keys.draw(room)).transpose()
    }

    /// Keeps a key that was drawn.
    pub(super) fn keep(&self, key: &Key, room: &Room<'_>) -> Result<(), NotKept> {
        if let Some(keys) = self.keys {
            keys.keep(key, room)?;
            remember(key, room);
        }
        Ok(())
    }

    /// The key of that id: from the operating system's memory, else from where it comes from. `None`
    /// where it is not any more.
    pub(super) fn find(&self, id: &str, room: &Room<'_>) -> Result<Option<Key>, Error> {
        if self.keys.is_none() {
            return Ok(None);
        }
        if let Some(key) = room.at_hand.find(id) {
            return Ok(Some(key));
        }
        if !room.key_cache().is_zero()
            && let Some(text) = room.context.key_cache.read(id)
            && let Some(key) = Key::of_text(&text)
        {
            let key = key.known_as(id);
            room.at_hand.add(&key);
            return Ok(Some(key));
        }
        self.find_anew(id, room)
    }

    /// The same for what is written: what is sealed with another key than its file says is lost, and
    /// whoever runs as this user can change what the memory holds.
    pub(super) fn find_to_seal(&self, id: &str, room: &Room<'_>) -> Result<Option<Key>, Error> {
        match self.find(id, room)? {
            Some(key) if !key.is_own_id() => self.find_anew(id, room),
            found => Ok(found),
        }
    }

    /// The same from where it comes from, whatever the memory holds.
    pub(super) fn find_anew(&self, id: &str, room: &Room<'_>) -> Result<Option<Key>, Error> {
        let Some(keys) = self.keys else {
            return Ok(None);
        };
        let key = keys.find(id, room)?;
        if let Some(key) = &key {
            remember(key, room);
        }
        Ok(key)
    }

    /// Whether a key that is made here could be kept now.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self, room: &Room<'_>) -> Result<(), String> {
        self.keys.map_or(Ok(()), |keys| keys.check(room))
    }

    /// Whether a person would be asked to unlock the place of its keys now. Nobody is.
    ///
    /// # Errors
    /// `store`, if that cannot be told.
    pub(super) fn is_locked(&self, room: &Room<'_>) -> Result<bool, Error> {
        self.keys.map_or(Ok(false), |keys| keys.is_locked(room))
    }
}

fn remember(key: &Key, room: &Room<'_>) {
    room.at_hand.add(key);
    let (cache, lifetime) = (room.context.key_cache, room.key_cache());
    if lifetime.is_zero() {
        // What was kept before that was said.
        cache.forget(key.id());
    } else {
        cache.keep(key.id(), &key.to_text(), lifetime);
    }
}

/// Forgets the key of that id, which was made here.
pub(super) fn forget(id: &str, room: &Room<'_>) -> Result<(), Error> {
    let mut keys = SEALS.iter().filter_map(|seal| seal.keys);
    let forgotten = keys.try_for_each(|keys| match keys.makes_keys() {
        true => keys.forget(id, room),
        false => Ok(()),
    });
    // The last, so that nobody puts there again what they find meanwhile.
    room.context.key_cache.forget(id);
    forgotten
}

/// The seal of that name.
pub fn find(name: &str) -> Option<&'static Seal> {
    SEALS.iter().find(|seal| seal.name == name)
}

/// What `auto` takes for new files, and where that is no seal, why.
///
/// # Errors
/// `store`, if there is a keyring, and it cannot be told whether it would do.
pub(super) fn best(room: &Room<'_>) -> Result<(&'static Seal, Option<String>), Error> {
    match os_keyring::presence(room)? {
        Ok(()) => Ok((&os_keyring::SEAL, None)),
        Err(reason) => Ok((&none::SEAL, Some(reason))),
    }
}

/// The error for a key that is not where it was.
pub(super) fn gone(seal: &Seal, id: &str) -> Error {
    let (message, hint) = match seal.name {
        "command" => (
            format!("`command` prints another key than `{}`", printable(id)),
            "have it print the key of before; or name the command that does as `previous_command`, \
             and run `cred-helper store rekey`. If that key is lost, forget what it sealed with \
             `cred-helper logout --local -p NAME`, run `cred-helper store rekey`, and sign in again",
        ),
        _ => (
            format!("the key `{}` is not in the keyring any more", printable(id)),
            "bring the keyring back; if it is gone for good, forget what it sealed with \
             `cred-helper logout --local -p NAME`, and sign in again",
        ),
    };
    Error::new(ErrorKind::Store, message).hint(hint)
}
