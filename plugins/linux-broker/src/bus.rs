//! The broker on the session bus.

use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;
use zbus::blocking::Connection;
use zeroize::Zeroizing;

use crate::broker::{self, Method};
use crate::failure::{Failure, Kind};

const NAME: &str = "com.microsoft.identity.broker1";
const PATH: &str = "/com/microsoft/identity/broker1";
const INTERFACE: &str = "com.microsoft.identity.Broker1";

/// Which version of the protocol do we speak? That of Microsoft's runtime.
const PROTOCOL_VERSION: &str = "0.0";

/// How large can an answer be that holds tokens?
const LARGEST: usize = 1 << 20;

/// How long may a broker that the bus has just started have its name and not its methods?
const START: Duration = Duration::from_secs(5);

/// How soon is such a broker asked again?
const PAUSE: Duration = Duration::from_millis(100);

/// The broker, and what its log calls our request.
pub(crate) struct Bus {
    connection: Connection,
    correlation: String,
    started: Instant,
}

impl Bus {
    pub(crate) fn connect() -> Result<Self, Failure> {
        let connection = Connection::session().map_err(|error| {
            Failure::new(
                Kind::Unavailable,
                format!("the session bus cannot be reached: {error}"),
            )
            .hint(
                "the identity broker is on the bus of a desktop session: is \
                 `DBUS_SESSION_BUS_ADDRESS` or `XDG_RUNTIME_DIR` set?",
            )
        })?;
        Ok(Self {
            connection,
            correlation: Uuid::new_v4().to_string(),
            started: now(),
        })
    }

    pub(crate) fn call(&self, method: Method, request: &str) -> Result<Zeroizing<String>, Failure> {
        let body = (PROTOCOL_VERSION, self.correlation.as_str(), request);
        loop {
            let called = self.connection.call_method(
                Some(NAME),
                PATH,
                Some(INTERFACE),
                method.name(),
                &body,
            );
            match called {
                Ok(reply) => return text(&reply),
                Err(error) if is_early(&error) && self.started.elapsed() < START => pause(),
                Err(error) => return Err(failure(method, &error)),
            }
        }
    }
}

/// The only member of the answer.
fn text(reply: &zbus::Message) -> Result<Zeroizing<String>, Failure> {
    let body = reply.body();
    let is_small = body.len() <= LARGEST;
    is_small
        .then(|| body.deserialize::<String>().ok())
        .flatten()
        .map(Zeroizing::new)
        .ok_or_else(broker::unreadable)
}

/// A broker that has its name before its object is there says that it knows no such thing.
fn is_early(error: &zbus::Error) -> bool {
    const NAMES: &[&str] = &[
        "org.freedesktop.DBus.Error.UnknownInterface",
        "org.freedesktop.DBus.Error.UnknownMethod",
        "org.freedesktop.DBus.Error.UnknownObject",
    ];
    matches!(error, zbus::Error::MethodError(name, ..) if NAMES.contains(&name.as_str()))
}

fn failure(method: Method, error: &zbus::Error) -> Failure {
    if let zbus::Error::MethodError(name, text, _) = error {
        return broker::raised(method, name.as_str(), text.as_deref().unwrap_or(""));
    }
    Failure::new(
        Kind::Unavailable,
        format!("the session bus failed at `{}`: {error}", method.name()),
    )
}

#[expect(clippy::disallowed_methods, reason = "a plugin is its own clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the caller ends us when it no longer waits"
)]
fn pause() {
    thread::sleep(PAUSE);
}
