//! The operating system's keyring: the Secret Service of a Linux desktop, the Keychain of macOS, the
//! Credential Manager of Windows. One file each, and one for systems without. Items of other programs are
//! found in the Secret Service alone.
//!
//! Whatever it is, it is waited for in a thread of its own, and given up after a limit.
//!
//! To add one: a file with what `place.rs` has, and its line above `mod place`.

use std::cell::{OnceCell, RefCell};
use std::time::Duration;

use zeroize::Zeroizing;

use super::attempt::within;
use crate::context::{Clock, Environment, Keyring, KeyringFailure, KeyringItem};
use crate::secret::Secret;

#[cfg_attr(target_os = "linux", path = "secret_service.rs")]
#[cfg_attr(target_os = "macos", path = "keychain.rs")]
#[cfg_attr(windows, path = "credential_manager.rs")]
mod place;

#[cfg_attr(target_os = "linux", path = "secret_service_item.rs")]
mod item;

#[cfg(target_os = "linux")]
pub use self::place::decodes;

/// The keyring that this build knows.
pub const NAME: &str = place::NAME;

/// What stands before the names of our secrets, and beside them, for people who look into the keyring.
const SERVICE: &str = "cred-helper";

/// How long something may take, for keyrings that can be told.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All of it.
    pub whole: Duration,
    /// How much of it may be over when a person is still asked to unlock it: a window is gone before
    /// the call is. Zero where nobody may be.
    pub prompt: Duration,
}

/// The keyring of this user.
pub struct SystemKeyring<'a> {
    environment: &'a dyn Environment,
    clock: &'a dyn Clock,
    may_prompt: bool,
    /// Whether it was there once.
    checked: OnceCell<()>,
    /// The last failure, and when it was.
    failed: RefCell<Option<(Duration, KeyringFailure)>>,
}

impl<'a> SystemKeyring<'a> {
    /// The keyring, which may ask a person to unlock it; nothing is touched.
    pub fn new(environment: &'a dyn Environment, clock: &'a dyn Clock) -> Self {
        Self {
            environment,
            clock,
            may_prompt: true,
            checked: OnceCell::new(),
            failed: RefCell::default(),
        }
    }

    /// The same, which asks nobody: what is locked stays so.
    pub fn unattended(environment: &'a dyn Environment, clock: &'a dyn Clock) -> Self {
        Self {
            may_prompt: false,
            ..Self::new(environment, clock)
        }
    }

    /// Does `work`, which is told where, and for how long.
    fn in_time<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&place::Place, Limits) -> Result<T, KeyringFailure> + Send + 'static,
    ) -> Result<T, KeyringFailure> {
        /// For how long is it left alone after a failure? One command asks for many profiles, one after
        /// the other; whoever asks later may have done something about it.
        const REST: Duration = Duration::from_secs(5);
        let place = place::find(self.environment)?;
        if let Some((at, failure)) = &*self.failed.borrow()
            && self.clock.monotonic().saturating_sub(*at) < REST
        {
            return Err(failure.clone());
        }
        let limits = Limits {
            whole: limit,
            prompt: match self.may_prompt {
                true => limit.saturating_sub(Duration::from_secs(1)),
                false => Duration::ZERO,
            },
        };
        let result =
            within(limit, move || work(&place, limits)).unwrap_or(Err(KeyringFailure::Silent));
        // What is refused is one item's matter.
        let failure = result.as_ref().err().filter(|failure| {
            matches!(
                failure,
                KeyringFailure::Absent(_) | KeyringFailure::Locked | KeyringFailure::Silent
            )
        });
        let failure = failure.cloned();
        *self.failed.borrow_mut() = failure.map(|failure| (self.clock.monotonic(), failure));
        result
    }
}

impl Keyring for SystemKeyring<'_> {
    fn check(&self, limit: Duration) -> Result<(), KeyringFailure> {
        // One command asks for each of a thousand profiles. What fails may go well later.
        if self.checked.get().is_none() {
            self.in_time(limit, place::check)?;
        }
        self.checked.get_or_init(|| ());
        Ok(())
    }

    fn is_locked(&self, limit: Duration) -> Result<bool, KeyringFailure> {
        self.in_time(limit, place::is_locked)
    }

    fn read(&self, name: &str, limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        let name = name.to_owned();
        self.in_time(limit, move |place, limits| {
            place::read(place, &name, limits)
        })
    }

    fn write(&self, name: &str, secret: &Secret, limit: Duration) -> Result<(), KeyringFailure> {
        let (name, secret) = (name.to_owned(), secret.clone());
        self.in_time(limit, move |place, limits| {
            place::write(place, &name, &secret, limits)
        })
    }

    fn remove(&self, name: &str, limit: Duration) -> Result<(), KeyringFailure> {
        let name = name.to_owned();
        self.in_time(limit, move |place, limits| {
            place::remove(place, &name, limits)
        })
    }

    fn read_item(
        &self,
        item: &KeyringItem,
        limit: Duration,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringFailure> {
        let item = item.clone();
        self.in_time(limit, move |place, limits| item::read(place, &item, limits))
    }

    fn write_item(
        &self,
        item: &KeyringItem,
        content: &[u8],
        limit: Duration,
    ) -> Result<(), KeyringFailure> {
        // What would be lost may be the only copy of a sign-in.
        self.failed.take();
        let (item, content) = (item.clone(), Zeroizing::new(content.to_vec()));
        self.in_time(limit, move |place, limits| {
            item::write(place, &item, &content, limits)
        })
    }
}

/// A secret as the keyring gave it. Its own copy is wiped.
fn secret(bytes: Vec<u8>) -> Result<Secret, KeyringFailure> {
    let bytes = Zeroizing::new(bytes);
    // What people put into the Credential Manager is UTF-16. In UTF-8 no secret has a NUL, and in UTF-16
    // each that has an ASCII character does.
    let text = match bytes.contains(&0) {
        false => std::str::from_utf8(&bytes).map(Secret::new).ok(),
        true => from_utf16(&bytes),
    };
    text.ok_or_else(|| KeyringFailure::Refused("what it holds is no text".to_owned()))
}

fn from_utf16(bytes: &[u8]) -> Option<Secret> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    // It has its room at once: what is moved leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for character in char::decode_utf16(units) {
        text.push(character.ok().filter(|character| *character != '\0')?);
    }
    rest.is_empty().then(|| Secret::new(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::secret;

    #[test]
    fn a_secret_is_read_in_utf_8_and_as_windows_writes_it() {
        let utf16 = |text: &str| -> Vec<u8> {
            let units = text.encode_utf16();
            units.flat_map(u16::to_le_bytes).collect()
        };
        for text in ["s3cret", "ä secret with 密 in it", ""] {
            for bytes in [text.as_bytes().to_vec(), utf16(text)] {
                let read = secret(bytes).expect("it is text");
                assert_eq!(read.expose(), text);
            }
        }
        for bytes in [
            &b"\xff\xfe"[..],
            b"a\0b",
            b"a\0\0\0",
            b"\0a\0",
            b"a\0\x00\xd8",
        ] {
            assert!(secret(bytes.to_vec()).is_err(), "{bytes:?}");
        }
    }
}
