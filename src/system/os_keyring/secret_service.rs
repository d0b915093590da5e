//! The Secret Service of a Linux desktop (GNOME Keyring, KWallet, KeePassXC), over the session bus:
//! <https://specifications.freedesktop.org/secret-service/latest/>.
//!
//! The bus is a socket on this machine, which nobody else can read: secrets go over it as they are.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use dbus_secret_service::{Collection, EncryptionType, Error, Item, SecretService};

use super::{SERVICE, secret};
use crate::context::{Environment, KeyringFailure};
use crate::secret::Secret;
use crate::system::platform;
use crate::text::printable;

/// Whether there is a session bus on this machine. None is started.
///
/// # Errors
/// `Absent`, if not.
pub(super) fn find(environment: &dyn Environment) -> Result<(), KeyringFailure> {
    let absent = |reason: &str| Err(KeyringFailure::Absent(reason.to_owned()));
    if let Some(addresses) = environment.variable("DBUS_SESSION_BUS_ADDRESS") {
        // Others reach over a network, or run a program.
        let is_here = addresses
            .split(';')
            .all(|address| address.starts_with("unix:"));
        return if is_here {
            Ok(())
        } else {
            absent("DBUS_SESSION_BUS_ADDRESS names no socket on this machine")
        };
    }
    match environment.variable("XDG_RUNTIME_DIR") {
        // For whatever else lies there, libdbus would start a bus of its own.
        Some(directory) if platform::is_own_socket(&Path::new(&directory).join("bus")) => Ok(()),
        _ => absent("there is no D-Bus session bus"),
    }
}

/// Whether there is a collection for new secrets. A locked one can be unlocked when it is needed.
pub(super) fn check() -> Result<(), KeyringFailure> {
    let service = connect(Duration::ZERO)?;
    service
        .get_default_collection()
        .map(drop)
        .map_err(|error| failure(&error))
}

/// Whether the collection for new secrets is locked.
pub(super) fn is_locked() -> Result<bool, KeyringFailure> {
    let service = connect(Duration::ZERO)?;
    let collection = service.get_default_collection();
    collection
        .and_then(|collection| collection.is_locked())
        .map_err(|error| failure(&error))
}

pub(super) fn read(name: &str, prompt: Duration) -> Result<Option<Secret>, KeyringFailure> {
    let service = connect(prompt)?;
    let look = || {
        with_item(&service, name, |item| {
            item.get_secret()
                .map_err(|error| failure(&error))
                .and_then(secret)
        })
    };
    match look() {
        // Another process may have removed what was found; and two seconds can be short on a busy machine.
        Err(KeyringFailure::Refused(_) | KeyringFailure::Silent) => look(),
        result => result,
    }
}

pub(super) fn write(name: &str, value: &Secret, prompt: Duration) -> Result<(), KeyringFailure> {
    let service = connect(prompt)?;
    let collection = service
        .get_default_collection()
        .map_err(|error| failure(&error))?;
    unlock(&collection)?;
    let label = format!("{SERVICE}: key of its sessions");
    let is_replaced = true;
    // Where the service wants a prompt for that, and answers it with something else than an item, the
    // crate prints a line to stdout before it fails.
    collection
        .create_item(
            &label,
            attributes(name),
            value.expose().as_bytes(),
            is_replaced,
            "text/plain",
        )
        .map(drop)
        .map_err(|error| failure(&error))
}

pub(super) fn remove(name: &str, prompt: Duration) -> Result<(), KeyringFailure> {
    let service = connect(prompt)?;
    with_item(&service, name, |item| {
        item.delete().map_err(|error| failure(&error))
    })
    .map(drop)
}

/// Connects to the service, which may ask a person for so long.
fn connect(prompt: Duration) -> Result<SecretService, KeyringFailure> {
    /// How often is it asked? It waits two seconds for each answer, and a service that the bus has to
    /// start needs longer than that on a busy machine.
    const ATTEMPTS: u32 = 4;
    // Its window is gone before the call is.
    let seconds = prompt.as_secs().saturating_sub(1);
    let connect = || {
        SecretService::connect_with_max_prompt_timeout(EncryptionType::Plain, seconds)
            .map_err(|error| failure(&error))
    };
    let mut connected = connect();
    for _ in 1..ATTEMPTS {
        if !matches!(connected, Err(KeyringFailure::Silent)) {
            break;
        }
        connected = connect();
    }
    connected
}

fn attributes(name: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", SERVICE), ("key", name)])
}

/// Does something with the secret of that name, unlocked.
fn with_item<T>(
    service: &SecretService,
    name: &str,
    work: impl FnOnce(&Item<'_>) -> Result<T, KeyringFailure>,
) -> Result<Option<T>, KeyringFailure> {
    let found = service
        .search_items(attributes(name))
        .map_err(|error| failure(&error))?;
    if let Some(item) = found.unlocked.first() {
        return work(item).map(Some);
    }
    if let Some(item) = found.locked.first() {
        item.unlock().map_err(|error| failure(&error))?;
        return work(item).map(Some);
    }
    // Some do not tell what a locked collection holds.
    match service.get_default_collection() {
        Ok(collection) if collection.is_locked().unwrap_or_default() => {
            unlock(&collection)?;
            let found = collection
                .search_items(attributes(name))
                .map_err(|error| failure(&error))?;
            found.first().map(work).transpose()
        }
        Ok(_) | Err(Error::NoResult) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

/// Whoever has the service unlock something, and is not answered, finds it locked.
fn unlock(collection: &Collection<'_>) -> Result<(), KeyringFailure> {
    collection
        .ensure_unlocked()
        .map_err(|error| failure(&error))?;
    match collection.is_locked() {
        Ok(false) => Ok(()),
        Ok(true) => Err(KeyringFailure::Locked),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &Error) -> KeyringFailure {
    match error {
        Error::Locked | Error::Prompt => KeyringFailure::Locked,
        Error::NoResult => {
            KeyringFailure::Absent("the Secret Service has no default collection".to_owned())
        }
        Error::Unavailable => {
            KeyringFailure::Absent("no Secret Service is on the session bus".to_owned())
        }
        Error::Dbus(said) => {
            let reason = printable(said.message().unwrap_or("no reason is told"));
            match said.name().unwrap_or_default() {
                "org.freedesktop.Secret.Error.IsLocked" => KeyringFailure::Locked,
                "org.freedesktop.DBus.Error.NoReply" | "org.freedesktop.DBus.Error.Timeout" => {
                    KeyringFailure::Silent
                }
                "org.freedesktop.DBus.Error.ServiceUnknown"
                | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                    KeyringFailure::Absent("no Secret Service is on the session bus".to_owned())
                }
                "org.freedesktop.DBus.Error.FileNotFound"
                | "org.freedesktop.DBus.Error.NoServer" => {
                    KeyringFailure::Absent(format!("the session bus is not there: {reason}"))
                }
                _ => KeyringFailure::Refused(reason),
            }
        }
        Error::Crypto(_) | Error::Path(_) | Error::Parse | Error::UnsupportedSecretFormat | _ => {
            KeyringFailure::Refused(printable(&error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::find;
    use crate::context::{Environment, KeyringFailure};

    struct Variables(BTreeMap<&'static str, String>);

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }
    }

    #[test]
    fn only_a_bus_on_this_machine_is_asked() {
        let run = tempfile::tempdir().expect("a directory can be made");
        let run = run.path();
        let found = |variables: &[(&'static str, &str)]| {
            let owned = variables
                .iter()
                .map(|(name, value)| (*name, (*value).into()));
            find(&Variables(owned.collect())).is_ok()
        };
        let bus = "DBUS_SESSION_BUS_ADDRESS";
        assert!(found(&[(bus, "unix:path=/run/user/1/bus,guid=a")]));
        assert!(found(&[(bus, "unix:abstract=/a;unix:path=/b")]));
        for other in [
            "tcp:host=localhost,port=1",
            "unix:path=/b;tcp:host=other",
            "unixexec:path=/bin/sh",
            "autolaunch:",
            "disabled:",
        ] {
            assert!(!found(&[(bus, other)]), "{other}");
        }
        assert!(!found(&[]));
        let directory = run.display().to_string();
        assert!(!found(&[("XDG_RUNTIME_DIR", &directory)]));
        std::fs::write(run.join("bus"), "").expect("it can be written");
        assert!(!found(&[("XDG_RUNTIME_DIR", &directory)]));
        let nowhere = Variables(BTreeMap::new());
        assert!(matches!(find(&nowhere), Err(KeyringFailure::Absent(_))));
    }
}
