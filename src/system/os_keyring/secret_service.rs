//! The Secret Service of a Linux desktop (GNOME Keyring, KWallet, KeePassXC), over the session bus:
//! <https://specifications.freedesktop.org/secret-service/latest/>.
//!
//! The bus is a socket on this machine, which nobody else can read: secrets go over it as they are.

mod bus;

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use self::bus::{Body, Bus, Failure, Method};
use super::{Limits, SERVICE, secret};
use crate::context::{Environment, KeyringFailure};
use crate::secret::Secret;
use crate::system::clock::SystemClock;
use crate::system::platform;
use crate::text::printable;

/// What it is called.
pub(super) const NAME: &str = "the Secret Service";

const DESTINATION: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const ITEM: &str = "org.freedesktop.Secret.Item";
/// What stands for no object at all.
const NOTHING: &str = "/";
/// What our own items are called for people.
const LABEL: &str = "cred-helper: key of its sessions";

/// What an item is found by: names and values.
type Attributes<'a> = [(&'a str, &'a str)];

/// The bus, by its addresses.
#[derive(Clone)]
pub(super) struct Place(String);

/// The session bus on this machine. None is started.
///
/// # Errors
/// `Absent`, if there is none.
pub(super) fn find(environment: &dyn Environment) -> Result<Place, KeyringFailure> {
    let absent = |reason: &str| Err(KeyringFailure::Absent(reason.to_owned()));
    if let Some(addresses) = environment.variable("DBUS_SESSION_BUS_ADDRESS") {
        // Others reach over a network, or run a program.
        let mut each = addresses.split(';');
        return if each.all(|address| address.starts_with("unix:")) {
            Ok(Place(addresses))
        } else {
            absent("DBUS_SESSION_BUS_ADDRESS names no socket on this machine")
        };
    }
    let directory = environment.variable("XDG_RUNTIME_DIR");
    let path = directory.map(|directory| Path::new(&directory).join("bus"));
    match path.filter(|path| platform::is_own_socket(path)) {
        Some(path) => Ok(Place(bus::address_of(&path))),
        None => absent("there is no D-Bus session bus"),
    }
}

/// Whether there is a collection for new secrets. A locked one can be unlocked when it is needed.
pub(super) fn check(place: &Place, limits: Limits) -> Result<(), KeyringFailure> {
    Service::connect(place, limits)?.collection().map(drop)
}

/// Whether the collection for new secrets is locked.
pub(super) fn is_locked(place: &Place, limits: Limits) -> Result<bool, KeyringFailure> {
    let mut service = Service::connect(place, limits)?;
    let collection = service.collection()?;
    service.is_locked(&collection)
}

pub(super) fn read(
    place: &Place,
    name: &str,
    limits: Limits,
) -> Result<Option<Secret>, KeyringFailure> {
    as_text(Service::connect(place, limits)?.read(&attributes(name))?)
}

fn as_text(read: Option<Zeroizing<Vec<u8>>>) -> Result<Option<Secret>, KeyringFailure> {
    let text = read.map(|mut bytes| secret(std::mem::take(&mut *bytes)));
    text.transpose()
}

pub(super) fn write(
    place: &Place,
    name: &str,
    value: &Secret,
    limits: Limits,
) -> Result<(), KeyringFailure> {
    Service::connect(place, limits)?.write(LABEL, &attributes(name), value.expose().as_bytes())
}

pub(super) fn remove(place: &Place, name: &str, limits: Limits) -> Result<(), KeyringFailure> {
    let mut service = Service::connect(place, limits)?;
    match service.find(&attributes(name))? {
        Some(item) => service.delete(&item),
        None => Ok(()),
    }
}

/// Why a secret is neither read nor kept where this is all that the bus says: what a fuzzer calls.
pub fn decodes(said: &[u8]) -> Vec<KeyringFailure> {
    let fuzz = attributes("fuzz");
    let read = over(said, |mut service| as_text(service.read(&fuzz)?).map(drop));
    let written = over(said, |mut service| service.write(LABEL, &fuzz, b"fuzz"));
    let replaced = over(said, |mut service| service.set("/fuzz", b"fuzz"));
    [read, written, replaced]
        .into_iter()
        .filter_map(Result::err)
        .collect()
}

/// Does `work` with the service on a bus that says this, whatever it hears.
fn over(
    said: &[u8],
    work: impl FnOnce(Service) -> Result<(), KeyringFailure>,
) -> Result<(), KeyringFailure> {
    /// Nothing is waited for: what is not said is not there.
    const LIMIT: Duration = Duration::from_secs(10);
    let opened = || {
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        // What is too long to lie there at once is not said.
        let _length = theirs.write(said)?;
        theirs.shutdown(Shutdown::Write)?;
        Ok((ours, theirs))
    };
    let (ours, _theirs) = opened().map_err(|error: io::Error| failure(error.into()))?;
    let bus = Bus::over(ours, SystemClock::new(), LIMIT).map_err(failure)?;
    work(Service::over(bus, LIMIT)?)
}

/// A session with the service.
pub(super) struct Service {
    bus: Bus,
    session: String,
    /// Until when a person may be asked, since the bus was connected to: a window is gone before the
    /// call is. Zero where nobody may be.
    prompt: Duration,
}

impl Service {
    pub(super) fn connect(place: &Place, limits: Limits) -> Result<Self, KeyringFailure> {
        let bus = Bus::connect(&place.0, limits.whole).map_err(failure)?;
        Self::over(bus, limits.prompt)
    }

    fn over(mut bus: Bus, prompt: Duration) -> Result<Self, KeyringFailure> {
        let plain = Body::default().text("plain").any_text("");
        let opened = of_service(&mut bus, "OpenSession", plain)?;
        let mut values = opened.values("vo").map_err(failure)?;
        values.any("s").map_err(failure)?;
        values.text().map_err(failure)?;
        let session = values.path().map_err(failure)?;
        Ok(Self {
            bus,
            session,
            prompt,
        })
    }

    fn call(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        body: Body,
    ) -> Result<bus::Message, KeyringFailure> {
        let method = Method {
            destination: DESTINATION,
            path,
            interface,
            member,
        };
        self.bus.call(method, body).map_err(failure)
    }

    /// What the item with these attributes holds.
    pub(super) fn read(
        &mut self,
        attributes: &Attributes<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringFailure> {
        match self.read_once(attributes) {
            // Another process may have removed what was found.
            Err(KeyringFailure::Refused(_)) => self.read_once(attributes),
            result => result,
        }
    }

    fn read_once(
        &mut self,
        attributes: &Attributes<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringFailure> {
        match self.find(attributes)? {
            Some(item) => self.get(&item).map(Some),
            None => Ok(None),
        }
    }

    /// Makes an item where new ones are made, in place of one with these attributes.
    pub(super) fn write(
        &mut self,
        label: &str,
        attributes: &Attributes<'_>,
        value: &[u8],
    ) -> Result<(), KeyringFailure> {
        let collection = self.collection()?;
        self.unlock(&collection)?;
        self.create(&collection, label, attributes, value)
    }

    /// The collection for new secrets.
    fn collection(&mut self) -> Result<String, KeyringFailure> {
        let body = Body::default().text("default");
        let path = of_service(&mut self.bus, "ReadAlias", body)?;
        let path = path.values("o").and_then(|mut values| values.path());
        match path.map_err(failure)?.as_str() {
            NOTHING => Err(KeyringFailure::Absent(
                "the Secret Service has no default collection".to_owned(),
            )),
            path => Ok(path.to_owned()),
        }
    }

    fn is_locked(&mut self, collection: &str) -> Result<bool, KeyringFailure> {
        let body = Body::default()
            .text("org.freedesktop.Secret.Collection")
            .text("Locked");
        let interface = "org.freedesktop.DBus.Properties";
        let property = self.call(collection, interface, "Get", body)?;
        let mut values = property.values("v").map_err(failure)?;
        values.any("b").map_err(failure)?;
        values.boolean().map_err(failure)
    }

    /// Whoever has the service unlock something, and is not answered, finds it locked.
    fn unlock(&mut self, collection: &str) -> Result<(), KeyringFailure> {
        if !self.is_locked(collection)? {
            return Ok(());
        }
        self.unlock_object(collection)?;
        match self.is_locked(collection)? {
            false => Ok(()),
            true => Err(KeyringFailure::Locked),
        }
    }

    fn unlock_object(&mut self, path: &str) -> Result<(), KeyringFailure> {
        let body = Body::default().paths(&[path]);
        let answer = of_service(&mut self.bus, "Unlock", body)?;
        let mut values = answer.values("aoo").map_err(failure)?;
        values.paths().map_err(failure)?;
        let prompt = values.path().map_err(failure)?;
        self.complete(&prompt)
    }

    /// The first item with these attributes, unlocked.
    pub(super) fn find(
        &mut self,
        attributes: &Attributes<'_>,
    ) -> Result<Option<String>, KeyringFailure> {
        let (unlocked, locked) = self.search(attributes)?;
        if let Some(item) = unlocked.into_iter().next() {
            return Ok(Some(item));
        }
        if let Some(item) = locked.into_iter().next() {
            self.unlock_object(&item)?;
            return Ok(Some(item));
        }
        // Some do not tell what a locked collection holds.
        let collection = match self.collection() {
            Ok(collection) => collection,
            Err(KeyringFailure::Absent(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !self.is_locked(&collection)? {
            return Ok(None);
        }
        self.unlock(&collection)?;
        Ok(self.search(attributes)?.0.into_iter().next())
    }

    /// What is there with these attributes, unlocked and locked.
    fn search(
        &mut self,
        attributes: &Attributes<'_>,
    ) -> Result<(Vec<String>, Vec<String>), KeyringFailure> {
        let body = Body::default().texts(attributes);
        let answer = of_service(&mut self.bus, "SearchItems", body)?;
        let mut values = answer.values("aoao").map_err(failure)?;
        let unlocked = values.paths().map_err(failure)?;
        Ok((unlocked, values.paths().map_err(failure)?))
    }

    fn get(&mut self, item: &str) -> Result<Zeroizing<Vec<u8>>, KeyringFailure> {
        let body = Body::default().path(&self.session);
        let answer = self.call(item, ITEM, "GetSecret", body)?;
        let mut values = answer.values("(oayays)").map_err(failure)?;
        values.align(8).map_err(failure)?;
        values.path().map_err(failure)?;
        values.bytes().map_err(failure)?;
        values.bytes().map_err(failure)
    }

    /// Replaces what an item holds.
    pub(super) fn set(&mut self, item: &str, value: &[u8]) -> Result<(), KeyringFailure> {
        let body = Body::default().secret(&self.session, value);
        self.call(item, ITEM, "SetSecret", body).map(drop)
    }

    fn create(
        &mut self,
        collection: &str,
        label: &str,
        attributes: &Attributes<'_>,
        value: &[u8],
    ) -> Result<(), KeyringFailure> {
        let is_replaced = true;
        let body = Body::default()
            .properties(label, attributes)
            .secret(&self.session, value)
            .boolean(is_replaced);
        let interface = "org.freedesktop.Secret.Collection";
        let answer = self.call(collection, interface, "CreateItem", body)?;
        let mut values = answer.values("oo").map_err(failure)?;
        values.path().map_err(failure)?;
        let prompt = values.path().map_err(failure)?;
        self.complete(&prompt)
    }

    fn delete(&mut self, item: &str) -> Result<(), KeyringFailure> {
        let answer = self.call(item, ITEM, "Delete", Body::default())?;
        let prompt = answer.values("o").and_then(|mut values| values.path());
        self.complete(&prompt.map_err(failure)?)
    }

    /// Has a person asked, where the service wants that; for as long as they may be.
    fn complete(&mut self, prompt: &str) -> Result<(), KeyringFailure> {
        if prompt == NOTHING {
            return Ok(());
        }
        if self.prompt.is_zero() {
            return Err(KeyringFailure::Locked);
        }
        let interface = "org.freedesktop.Secret.Prompt";
        let rule = format!(
            "type='signal',sender='{DESTINATION}',interface='{interface}',member='Completed',\
             path='{prompt}'"
        );
        let add_match = Method {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "AddMatch",
        };
        let body = Body::default().text(&rule);
        self.bus.call(add_match, body).map_err(failure)?;
        self.call(prompt, interface, "Prompt", Body::default().text(""))?;
        let completed = match self.bus.signal(prompt, "Completed", self.prompt) {
            Ok(completed) => completed,
            Err(Failure::Silent) => {
                // Its window is gone before the call is.
                drop(self.call(prompt, interface, "Dismiss", Body::default()));
                return Err(KeyringFailure::Locked);
            }
            Err(other) => return Err(failure(other)),
        };
        match completed.first_boolean().map_err(failure)? {
            true => Err(KeyringFailure::Locked),
            false => Ok(()),
        }
    }
}

fn of_service(bus: &mut Bus, member: &str, body: Body) -> Result<bus::Message, KeyringFailure> {
    let method = Method {
        destination: DESTINATION,
        path: ROOT,
        interface: "org.freedesktop.Secret.Service",
        member,
    };
    bus.call(method, body).map_err(failure)
}

fn attributes(name: &str) -> [(&str, &str); 2] {
    [("application", SERVICE), ("key", name)]
}

fn failure(failure: Failure) -> KeyringFailure {
    let (name, reason) = match failure {
        Failure::Silent => return KeyringFailure::Silent,
        Failure::Absent(reason) => {
            return KeyringFailure::Absent(format!("the session bus is not there: {reason}"));
        }
        Failure::Broken(reason) => return KeyringFailure::Refused(reason),
        Failure::Garbled => {
            return KeyringFailure::Refused("its answer cannot be read".to_owned());
        }
        Failure::TooLong => {
            return KeyringFailure::Refused("more than 16 MiB are in one item".to_owned());
        }
        Failure::Said(name, reason) => (name, reason),
    };
    match name.as_str() {
        "org.freedesktop.Secret.Error.IsLocked" => KeyringFailure::Locked,
        "org.freedesktop.DBus.Error.NoReply"
        | "org.freedesktop.DBus.Error.Timeout"
        | "org.freedesktop.DBus.Error.TimedOut" => KeyringFailure::Silent,
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
            KeyringFailure::Absent("no Secret Service is on the session bus".to_owned())
        }
        _ if reason.is_empty() => KeyringFailure::Refused(printable(&name)),
        _ => KeyringFailure::Refused(reason),
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
