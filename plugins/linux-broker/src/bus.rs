//! The broker on the session bus.

use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;
use zbus::blocking::Connection;
use zeroize::Zeroizing;

use crate::broker::{self, Method};
use crate::failure::{Failure, Kind, told};

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
                member(method),
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

/// What D-Bus calls the method.
fn member(method: Method) -> &'static str {
    match method {
        Method::GetAccounts => "getAccounts",
        Method::AcquireTokenSilently => "acquireTokenSilently",
        Method::AcquireTokenInteractively => "acquireTokenInteractively",
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
        return raised(method, name.as_str(), text.as_deref().unwrap_or(""));
    }
    Failure::new(
        Kind::Unavailable,
        format!("the session bus failed at `{}`: {error}", member(method)),
    )
}

/// Which errors of the bus say that nobody is there?
const NOBODY: &[&str] = &["ServiceUnknown", "NameHasNoOwner"];

/// An error of the bus, or one that the broker raised there, by its D-Bus name.
fn raised(method: Method, name: &str, text: &str) -> Failure {
    let text = told(text);
    let short = name.strip_prefix("org.freedesktop.DBus.Error.");
    let method = member(method);
    match short.unwrap_or("") {
        // `Spawn.…`: the bus tried to start it.
        short if short.starts_with("Spawn.") || NOBODY.contains(&short) => Failure::new(
            Kind::Unavailable,
            format!("no identity broker answers on the session bus: {text}"),
        )
        .hint(
            "install microsoft-identity-broker or Himmelblau and sign in to it, or let the \
             profile have another `grant`",
        ),
        "NoReply" | "Timeout" | "TimedOut" | "Disconnected" | "IOError" => Failure::new(
            Kind::Unavailable,
            format!("the identity broker ended in the middle of `{method}`: {text}"),
        ),
        "UnknownMethod" | "UnknownInterface" | "UnknownObject" => Failure::new(
            Kind::Unavailable,
            format!("the identity broker knows no `{method}`: {text}"),
        ),
        "AccessDenied" | "AuthFailed" => Failure::new(
            Kind::Denied,
            format!("the session bus does not let us ask for `{method}`: {text}"),
        ),
        _ => Failure::new(
            himmelblau(&text),
            format!("the identity broker failed at `{method}`: {text}"),
        ),
    }
}

/// The kind of an error of Himmelblau, which has one name for all of them.
fn himmelblau(text: &str) -> Kind {
    const ROWS: &[(&str, Kind)] = &[
        ("Interactive authentication failed", Kind::Denied),
        ("Failed to authenticate user", Kind::LoginRequired),
        ("Unable to find account", Kind::LoginRequired),
        ("Missing account", Kind::LoginRequired),
        ("Invalid request for user", Kind::Denied),
    ];
    ROWS.iter()
        .find(|(start, _)| text.starts_with(start))
        .map_or(Kind::Unavailable, |(_, kind)| *kind)
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

#[cfg(test)]
mod tests {
    use super::raised;
    use crate::broker::Method;
    use crate::failure::Kind;

    #[test]
    fn an_error_on_the_bus_has_the_kind_of_its_name() {
        for (name, text, kind, has_hint) in [
            ("ServiceUnknown", "", Kind::Unavailable, true),
            ("NameHasNoOwner", "", Kind::Unavailable, true),
            ("Spawn.ChildExited", "", Kind::Unavailable, true),
            ("NoReply", "", Kind::Unavailable, false),
            ("UnknownMethod", "", Kind::Unavailable, false),
            ("AccessDenied", "", Kind::Denied, false),
            ("Failed", "broker socket connect", Kind::Unavailable, false),
            (
                "Failed",
                "Failed to authenticate user",
                Kind::LoginRequired,
                false,
            ),
            (
                "Failed",
                "Unable to find account",
                Kind::LoginRequired,
                false,
            ),
            (
                "Failed",
                "Missing account username in request",
                Kind::LoginRequired,
                false,
            ),
            ("Failed", "Invalid request for user!", Kind::Denied, false),
            (
                "Failed",
                "Interactive authentication failed: PAM",
                Kind::Denied,
                false,
            ),
        ] {
            let name = format!("org.freedesktop.DBus.Error.{name}");
            let failure = raised(Method::GetAccounts, &name, text);
            assert_eq!(failure.kind, kind, "{name} {text}");
            assert_eq!(failure.hint.is_some(), has_hint, "{name} {text}");
            assert!(failure.message.ends_with(text), "{}", failure.message);
        }
        let failure = raised(Method::GetAccounts, "org.example.Odd", "\u{9b}2Jodd");
        assert_eq!(failure.kind, Kind::Unavailable);
        assert!(failure.message.ends_with("2Jodd"), "{}", failure.message);
    }
}
