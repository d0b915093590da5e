//! The effects of the outer world, as traits: everything below the top reaches time, environment,
//! network, disk cache and terminal through here and nowhere else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::token::{OtherToken, Timestamp};

/// Time, and waiting.
pub trait Clock {
    /// The wall clock. It can jump.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point; it never jumps, and may stand still while the machine sleeps.
    fn monotonic(&self) -> Duration;
    /// Waits.
    ///
    /// # Errors
    /// `interrupted` if the process was told to end meanwhile.
    fn sleep(&self, duration: Duration) -> Result<(), Error>;
}

/// Environment variables.
pub trait Environment {
    /// The variable's value; `None` if it is not set, empty, or not Unicode.
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether the variable is set, and empty: to git that is another thing than not to be set.
    fn is_set_to_nothing(&self, _name: &str) -> bool {
        false
    }

    /// A time as a clock on the wall shows it here, as `2030-01-01 01:00:00`; where no zone is known, in
    /// UTC.
    fn wall_clock(&self, time: Timestamp) -> String {
        time.rfc3339().replace('T', " ").replace('Z', "")
    }

    /// Whether this is continuous integration, where there is no person.
    fn is_ci(&self) -> bool {
        let variable = self.variable("CI");
        variable.is_some_and(|value| value != "false" && value != "0")
    }
}

/// An HTTP request. Its headers and body may hold secrets, so it is not `Debug`.
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Absolute; `https`, or `http` on loopback. To a platform's own service, see [`Tls`].
    pub url: String,
    /// Name and value.
    pub headers: Vec<(&'static str, Secret)>,
    /// What is sent.
    pub body: Option<Secret>,
}

/// An HTTP response, read whole. Its body may hold tokens, so it is not `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Name in lower case, and value.
    pub headers: Vec<(String, Secret)>,
    /// The body, of limited size. It may hold tokens: wiped when it is dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl HttpResponse {
    /// The first header of that name, which is written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(own, _)| own == name)?;
        Some(value.expose())
    }

    /// `Retry-After` in seconds (RFC 9110 §10.2.3). A date counts from the server's own `Date`: its clock may
    /// differ from ours.
    pub fn retry_after(&self) -> Option<u64> {
        let text = self.header("retry-after")?.trim();
        text.parse().ok().or_else(|| {
            let until = Timestamp::parse_http(text)?;
            let sent = Timestamp::parse_http(self.header("date")?)?;
            Some(u64::try_from(until.since(sent)).unwrap_or_default())
        })
    }
}

/// A request whose body and whose answer may be large, to whatever a person calls. Its headers may hold
/// secrets, so it is not `Debug`.
pub struct StreamedRequest {
    /// Any method of HTTP.
    pub method: String,
    /// Absolute; `https`, or `http` on loopback.
    pub url: String,
    /// Name and value; a name may come more than once.
    pub headers: Vec<(String, Secret)>,
    /// What is sent.
    pub body: Option<Upload>,
}

/// A body that is read while it is sent.
pub struct Upload {
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
    /// How many these are.
    pub length: u64,
}

/// An answer that is read while it comes.
pub struct StreamedResponse {
    /// Status and headers, with an empty body.
    pub head: HttpResponse,
    /// The body, of any length.
    pub body: Box<dyn Read>,
}

/// How connections are secured, where not as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities instead of the system's: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// What this side presents to servers that ask for it.
    pub client_certificate: Option<ClientCertificate>,
    /// The only certificate that counts, by its SHA-1, whoever issued it and whatever it says.
    pub thumbprint: Option<[u8; 20]>,
    /// Whether the peer is what the platform that this machine is part of answers with: it is reached
    /// without a proxy, quickly or not at all, and also by `http` where its address
    /// [`is_beside_this_machine`](crate::endpoint::is_beside_this_machine).
    pub is_of_platform: bool,
}

/// A certificate and its key, in PEM files. They are read when a connection is made, and may be
/// replaced at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, first of its chain; perhaps the key too.
    pub file: PathBuf,
    /// The key, where it is in a file of its own.
    pub key: Option<PathBuf>,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// The request never left: it cannot have had an effect.
    NotSent(String),
    /// The request may have had its effect, but the answer was not read.
    NotAnswered(String),
    /// The request never left, since a file of [`Tls`] cannot be used: nothing that waiting mends.
    Misconfigured(Box<Error>),
}

impl HttpFailure {
    /// What happened, in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::NotSent(reason) | Self::NotAnswered(reason) => reason,
            Self::Misconfigured(error) => error.message(),
        }
    }

    /// The network's failure.
    ///
    /// # Errors
    /// `config`, if it is not the network's.
    pub fn of_network(self) -> Result<Self, Error> {
        match self {
            Self::Misconfigured(error) => Err(*error),
            Self::NotSent(_) | Self::NotAnswered(_) => Ok(self),
        }
    }
}

/// The network.
pub trait Http {
    /// Sends `request` and reads the whole answer within `limit`. Redirects are not followed.
    ///
    /// # Errors
    /// A failure that tells whether the request can have had its effect.
    fn send(
        &self,
        request: &HttpRequest,
        tls: &Tls,
        limit: Duration,
    ) -> Result<HttpResponse, HttpFailure>;

    /// Sends `request`, and reads the head of the answer within `limit`; what is sent beside it has time by
    /// its length. The body may take as long as it comes. Redirects are not followed.
    ///
    /// # Errors
    /// A failure that tells whether the request can have had its effect.
    fn stream(
        &self,
        _request: StreamedRequest,
        _tls: &Tls,
        _limit: Duration,
    ) -> Result<StreamedResponse, HttpFailure> {
        let reason = "this network knows small requests alone";
        Err(HttpFailure::NotSent(reason.to_owned()))
    }
}

/// Chance.
pub trait Random {
    /// Bytes that nobody can guess.
    ///
    /// # Errors
    /// `internal`, if the operating system has none.
    fn bytes(&self) -> Result<[u8; 32], Error>;
}

/// How a redirect URI names this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopbackHost {
    /// `localhost`: either address.
    Localhost,
    /// `127.0.0.1`.
    V4,
    /// `[::1]`.
    V6,
}

/// A request that came to this machine. It may hold an authorization code.
#[derive(Debug)]
pub struct Visit {
    /// `GET`.
    pub method: String,
    /// The path and the query.
    pub target: Secret,
    /// The `Host` header; empty if there is none.
    pub host: String,
    /// The `Content-Type` header; empty if there is none.
    pub content_type: String,
    /// What was sent.
    pub body: Secret,
}

/// Those who come to this machine while it listens.
pub trait Visitors {
    /// The port they come to.
    fn port(&self) -> u16;
    /// If somebody has come, has them judged, and answers them with the status and the text that the
    /// judge gives. Whether somebody had come; nobody is waited for.
    fn next(&self, judge: &mut dyn FnMut(&Visit) -> (u16, &'static str)) -> bool;
}

/// The person's browser on this machine.
pub trait Browser {
    /// What there is, and what tells it.
    ///
    /// # Errors
    /// Why there is none.
    fn found(&self) -> Result<String, String>;
    /// Opens a URL.
    ///
    /// # Errors
    /// Why it could not be opened.
    fn open(&self, url: &str) -> Result<(), String>;
    /// Listens for what it brings back.
    ///
    /// # Errors
    /// If that port cannot be listened to.
    fn listen(
        &self,
        host: LoopbackHost,
        port: Option<u16>,
    ) -> Result<Box<dyn Visitors>, std::io::Error>;
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Its width, in columns.
    pub columns: usize,
    /// Its height.
    pub lines: usize,
    /// Whether it does what an escape sequence says, as to move the cursor, instead of showing it.
    pub does_sequences: bool,
}

/// A terminal that may be shown more than plain lines: colours, links, a picture, a line that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Display {
    /// What it can show.
    pub screen: Screen,
    /// Whether it draws characters beyond ASCII.
    pub is_unicode: bool,
}

/// Where a person reads, and whether there is one.
pub trait Terminal {
    /// Whether something shown would be seen.
    fn is_available(&self) -> bool;
    /// How more than plain lines is shown; `None` where that cannot be, or the person does not want it.
    fn display(&self) -> Option<Display> {
        None
    }
    /// Whether a line that changes disturbs no other program there.
    fn is_in_front(&self) -> bool {
        false
    }
    /// Shows text to the person.
    ///
    /// # Errors
    /// If there is nobody to show it to.
    fn show(&self, text: &str) -> std::io::Result<()>;
    /// What they type from now on; `None` where they cannot.
    fn typing(&self) -> Option<Box<dyn Typing>> {
        None
    }
    /// The same, and nobody sees it; a line is as it was typed. `None` also where it would be seen.
    fn hidden_typing(&self) -> Option<Box<dyn Typing>> {
        None
    }
}

/// What a person types. While it lives, Ctrl-C waits for [`Typing::line`], so that the terminal is
/// left as it was.
pub trait Typing {
    /// The next line, if it is whole; nobody is waited for.
    ///
    /// # Errors
    /// `interrupted`, if the process was told to end.
    fn line(&mut self) -> Result<Option<Secret>, Error>;
}

/// What the caller hands over on stdin, where no protocol is spoken there.
pub trait Input {
    /// All of it, once it has ended.
    ///
    /// # Errors
    /// Why nothing can be had: it does not end within `limit`, or is somebody who types.
    fn read(&self, limit: Duration) -> Result<Secret, String>;
}

/// How much a [`Notice`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A call failed.
    Error,
    /// Something a person should act on; shown unless `--quiet`.
    Warning,
    /// What is waited for; shown unless `--quiet`.
    Information,
    /// Why a decision was taken; shown with `--verbose`.
    Debug,
    /// Each request and file.
    Trace,
}

/// Where warnings, waiting and the log go: stderr and the log file, never stdout.
pub trait Notice {
    /// Whether anybody reads this level, so that nothing is built in vain.
    fn is_wanted(&self, level: Level) -> bool;
    /// Writes one line. It must hold no secret.
    fn write(&self, level: Level, line: &str);
}

/// A cache on disk for documents that are public (authorities' metadata).
pub trait Documents {
    /// The document and when it was stored.
    fn load(&self, key: &str) -> Option<(Timestamp, Vec<u8>)>;
    /// Stores the document; a failure is no error, only a later request.
    fn save(&self, key: &str, now: Timestamp, document: &[u8]);
}

/// The nonces that servers gave this process for proofs (RFC 9449 §8): the newest of each.
#[derive(Debug, Default)]
pub struct Nonces(RefCell<BTreeMap<String, String>>);

impl Nonces {
    /// The last one of an origin.
    pub fn last(&self, origin: &str) -> Option<String> {
        self.0.borrow().get(origin).cloned()
    }

    /// Takes in one.
    pub fn remember(&self, origin: String, nonce: String) {
        self.0.borrow_mut().insert(origin, nonce);
    }
}

/// Other profiles.
pub trait Tokens {
    /// The token of another profile. Asked for once a call, before any lock is taken: that profile has
    /// locks of its own.
    ///
    /// # Errors
    /// Those of a call for that profile, and `config` where profiles need each other in a circle.
    fn token_of(&self, wanted: &OtherToken) -> Result<Secret, Error>;

    /// The environment variables that other profiles than the call's take a secret from.
    ///
    /// # Errors
    /// `config`, if the files of the profiles cannot be read any more.
    fn secret_variables(&self) -> Result<Vec<String>, Error>;
}

/// A process of this program that goes on when the call has been answered.
pub trait Background {
    /// Starts it with these arguments, out of the terminal's reach, with nobody to talk to. It holds
    /// `lock`, which is locked, for as long as it lives.
    ///
    /// # Errors
    /// Why it was not started.
    fn start(&self, arguments: &[String], lock: File) -> Result<(), String>;
    /// Why one that is started here may not live to its end.
    ///
    /// # Errors
    /// The reason, in words.
    fn lives_on(&self) -> Result<(), String>;
}

/// Why the operating system's keyring does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringFailure {
    /// There is none, for the reason in words.
    Absent(String),
    /// It is locked, and nobody has unlocked it.
    Locked,
    /// It did not answer in time.
    Silent,
    /// It refused, for the reason in words.
    Refused(String),
    /// Items of other programs are not found in the one of this operating system.
    Foreign,
}

impl KeyringFailure {
    /// The error for whoever needs it, and what to do; `end` is what else there is to say of that.
    #[must_use]
    pub fn into_error(self, end: &str) -> Error {
        let kind = match self == Self::Foreign {
            true => ErrorKind::Config,
            false => ErrorKind::Store,
        };
        let (message, reason, way) = match self {
            Self::Absent(reason) => (
                "there is no keyring here",
                Some(reason),
                "log in where there is one, or start it",
            ),
            Self::Locked => (
                "the keyring is locked",
                None,
                "unlock it, as by logging in at the desktop, and try again",
            ),
            Self::Silent => (
                "the keyring does not answer",
                None,
                "see whether it waits for somebody, or start it anew",
            ),
            Self::Refused(reason) => (
                "the keyring refuses",
                Some(reason),
                "see what is wrong with it",
            ),
            Self::Foreign => (
                "there is no Secret Service on this operating system",
                None,
                "share a cache that is a plain file here, or none",
            ),
        };
        let error = Error::new(kind, message).hint(format!("{way}; {end}"));
        match reason {
            Some(reason) => error.because(reason),
            None => error,
        }
    }
}

/// A secret that programs share in the Secret Service
/// (<https://specifications.freedesktop.org/secret-service/latest/>), and what it is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyringItem {
    /// The name of its schema.
    pub schema: String,
    /// Its attributes, but for the schema.
    pub attributes: BTreeMap<String, String>,
    /// What it is called for people, if it is made here.
    pub label: String,
}

/// The operating system's keyring, which holds secrets of ours by name. It may ask a person to unlock
/// it, in a window of its own.
pub trait Keyring {
    /// Whether it could hold a secret now.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, limit: Duration) -> Result<(), KeyringFailure>;
    /// Whether a person would be asked to unlock it now. Nobody is.
    ///
    /// # Errors
    /// Why that cannot be told.
    fn is_locked(&self, limit: Duration) -> Result<bool, KeyringFailure>;
    /// The secret of that name; `None` if it has none.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, name: &str, limit: Duration) -> Result<Option<Secret>, KeyringFailure>;
    /// Keeps a secret under that name, in place of another.
    ///
    /// # Errors
    /// Why it is not kept.
    fn write(&self, name: &str, secret: &Secret, limit: Duration) -> Result<(), KeyringFailure>;
    /// Forgets the secret of that name.
    ///
    /// # Errors
    /// Why it may still be there.
    fn remove(&self, name: &str, limit: Duration) -> Result<(), KeyringFailure>;
    /// What an item of other programs holds; `None` if there is none.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read_item(
        &self,
        _item: &KeyringItem,
        _limit: Duration,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringFailure> {
        Err(KeyringFailure::Foreign)
    }
    /// Replaces what an item of other programs holds, or makes the item. Failures of before are not
    /// taken for an answer.
    ///
    /// # Errors
    /// Why it may hold what it held before.
    fn write_item(
        &self,
        _item: &KeyringItem,
        _content: &[u8],
        _limit: Duration,
    ) -> Result<(), KeyringFailure> {
        Err(KeyringFailure::Foreign)
    }
}

/// A place of the operating system that holds a secret for a while, and answers at once: where there is
/// none, nothing is kept.
pub trait KeyCache {
    /// Whether this operating system has one that this program knows.
    fn is_known(&self) -> bool;
    /// The secret of that name.
    fn read(&self, name: &str) -> Option<Secret>;
    /// Keeps a secret for a while.
    fn keep(&self, name: &str, secret: &Secret, lifetime: Duration);
    /// Forgets a secret. Whether there was one.
    fn forget(&self, name: &str) -> bool;
}

/// Signals of the operating system.
pub trait Signals {
    /// From here to the end of the guard Ctrl-C is remembered instead of ending the process.
    fn shield(&self) -> Box<dyn Shield + '_>;
    /// From here to the end of the guard Ctrl-C ends what is waited for, and the process goes on to
    /// note it, wherever between two waits it comes.
    fn attend(&self) -> Box<dyn Shield + '_>;
    /// From here to the end of the guard, it is also told to end by whoever reads its stdout, and
    /// goes away.
    fn heed_reader(&self) -> Box<dyn Shield + '_>;
    /// From here to the end of the guard, it is also told to end by whoever sets `told`: another
    /// thread, which hears that nobody wants the answer any more.
    fn heed(&self, told: Arc<AtomicBool>) -> Box<dyn Shield + '_>;
    /// Whether the process was told to end while something was shielded.
    ///
    /// # Errors
    /// `interrupted`, if it was.
    fn check(&self) -> Result<(), Error>;
}

/// While it lives, the process finishes what it began.
pub trait Shield {}

/// The effects, and the limits of this call.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Environment variables.
    pub environment: &'a dyn Environment,
    /// The network.
    pub http: &'a dyn Http,
    /// The person.
    pub terminal: &'a dyn Terminal,
    /// Their browser.
    pub browser: &'a dyn Browser,
    /// Chance.
    pub random: &'a dyn Random,
    /// stderr and the log.
    pub notice: &'a dyn Notice,
    /// Public documents on disk.
    pub documents: &'a dyn Documents,
    /// Nonces of servers.
    pub nonces: &'a Nonces,
    /// Other profiles.
    pub tokens: &'a dyn Tokens,
    /// The caller's stdin. It is read only for a profile that says so, and once.
    pub input: &'a dyn Input,
    /// Ctrl-C.
    pub signals: &'a dyn Signals,
    /// Processes that go on.
    pub background: &'a dyn Background,
    /// The operating system's keyring.
    pub keyring: &'a dyn Keyring,
    /// What holds a key for a while.
    pub key_cache: &'a dyn KeyCache,
    /// When the call has to be answered, on the monotonic clock; `None` while a person signs in.
    pub deadline: Option<Duration>,
}

impl Context<'_> {
    /// How long may one network request take?
    pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);

    /// The same without an end: a person is signing in.
    #[must_use]
    pub fn without_deadline(self) -> Self {
        Self {
            deadline: None,
            ..self
        }
    }

    /// The same with time for one more request, however long a person took.
    #[must_use]
    pub fn with_time_for_a_request(self) -> Self {
        let needed = self.clock.monotonic() + Self::REQUEST_LIMIT;
        Self {
            deadline: self.deadline.map(|deadline| deadline.max(needed)),
            ..self
        }
    }

    /// What is left of the call; `None` if it has no end.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_sub(self.clock.monotonic()))
    }

    /// How long the next request may take.
    ///
    /// # Errors
    /// `unavailable` if no time is left.
    pub fn request_limit(&self) -> Result<Duration, Error> {
        let limit = self
            .time_left()
            .map_or(Self::REQUEST_LIMIT, |left| left.min(Self::REQUEST_LIMIT));
        if limit.is_zero() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the time for this call ran out before the authority could be asked",
            ));
        }
        Ok(limit)
    }

    /// Warns: a person should act on it.
    pub fn warn(&self, line: &str) {
        self.notice.write(Level::Warning, line);
    }

    /// Says what is waited for.
    pub fn inform(&self, line: &str) {
        self.notice.write(Level::Information, line);
    }

    /// Says why, to those who asked; `line` is built only for them.
    pub fn debug(&self, line: impl FnOnce() -> String) {
        if self.notice.is_wanted(Level::Debug) {
            self.notice.write(Level::Debug, &line());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_in_seconds_or_by_its_own_clock_when_to_come_again() {
        const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (retry_after, date, expected) in [
            ("7", "", Some(7)),
            (" 7 ", DATE, Some(7)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", DATE, Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", DATE, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", "", None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", "yesterday", None),
            ("soon", DATE, None),
            ("-1", DATE, None),
            ("", DATE, None),
        ] {
            let response = HttpResponse {
                status: 429,
                headers: [("retry-after", retry_after), ("date", date)]
                    .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                    .to_vec(),
                body: Zeroizing::default(),
            };
            assert_eq!(response.retry_after(), expected, "{retry_after}; {date}");
        }
    }
}
