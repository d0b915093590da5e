//! The operating system's keyring: the Secret Service of a Linux desktop, the Keychain of macOS, the
//! Credential Manager of Windows. One file each, and one for systems without.
//!
//! Whatever it is, it is waited for in a thread of its own, and given up after a limit.

use std::cell::OnceCell;
use std::time::Duration;

use super::attempt::within;
use crate::context::{Environment, Keyring, KeyringFailure};
use crate::secret::Secret;

#[cfg_attr(target_os = "linux", path = "secret_service.rs")]
#[cfg_attr(target_os = "macos", path = "keychain.rs")]
#[cfg_attr(windows, path = "credential_manager.rs")]
mod place;

/// What stands before the names of our secrets, and beside them, for people who look into the keyring.
const SERVICE: &str = "cred-helper";

/// The keyring of this user.
pub struct SystemKeyring<'a> {
    environment: &'a dyn Environment,
    checked: OnceCell<Result<(), KeyringFailure>>,
}

impl<'a> SystemKeyring<'a> {
    /// The keyring; nothing is touched.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Self {
            environment,
            checked: OnceCell::new(),
        }
    }

    fn in_time<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(Duration) -> Result<T, KeyringFailure> + Send + 'static,
    ) -> Result<T, KeyringFailure> {
        place::find(self.environment)?;
        within(limit, move || work(limit)).unwrap_or(Err(KeyringFailure::Silent))
    }
}

impl Keyring for SystemKeyring<'_> {
    fn check(&self, limit: Duration) -> Result<(), KeyringFailure> {
        // One command asks for each of a thousand profiles.
        self.checked
            .get_or_init(|| self.in_time(limit, |_| place::check()))
            .clone()
    }

    fn read(&self, name: &str, limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        let name = name.to_owned();
        self.in_time(limit, move |limit| place::read(&name, limit))
    }

    fn write(&self, name: &str, secret: &Secret, limit: Duration) -> Result<(), KeyringFailure> {
        let (name, secret) = (name.to_owned(), secret.clone());
        self.in_time(limit, move |limit| place::write(&name, &secret, limit))
    }

    fn remove(&self, name: &str, limit: Duration) -> Result<(), KeyringFailure> {
        let name = name.to_owned();
        self.in_time(limit, move |limit| place::remove(&name, limit))
    }
}

/// A secret as the keyring gave it. Its own copy is wiped.
fn secret(bytes: Vec<u8>) -> Result<Secret, KeyringFailure> {
    String::from_utf8(bytes).map(Secret::new).map_err(|error| {
        drop(zeroize::Zeroizing::new(error.into_bytes()));
        KeyringFailure::Refused("what it holds is no text".to_owned())
    })
}
