//! A sign-in that is shared with programs that use MSAL: its tokens lie in their cache, under their
//! lock, in their rows
//! (<https://github.com/AzureAD/microsoft-authentication-extensions-for-python>).
//!
//! Beside the cache a session of our own holds what MSAL has no room for: when a person was asked
//! last, what failed a moment ago, and tokens that other clients must not be given.
//!
//! `document` changes their JSON and leaves every byte that is not ours, `shape` knows the keys of each
//! MSAL's rows, `view` makes our session of their rows and back. To add a field: both ways in `view`. To
//! add another MSAL's habits: a `Shape`. Tests have MSAL itself read what was written.

pub mod copy;
mod document;
mod examination;
mod item;
pub mod lock;
mod shape;
mod view;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use zeroize::Zeroizing;

use self::document::Document;
pub use self::item::Item;
use super::file::refuse;
use super::replacement::{Replaceable, Reservation};
use super::session::Session;
use super::{SecretBytes, Stamp};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::system::platform;
use crate::token::Timestamp;

/// What is said to have signed in somebody whose tokens lie in a cache of MSAL.
const GRANT: &str = "msal";

/// Which rows of which cache are shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// The cache, or the file that tells of its changes.
    pub file: PathBuf,
    /// Where it lies, if not in the file.
    pub item: Option<Item>,
    /// The client.
    pub client_id: String,
    /// The host of the authority, and every other name that it has.
    pub hosts: Vec<String>,
    /// The tenant that the authority names, or what stands in place of one.
    pub realm: String,
    /// Whether that is none, so that people get tokens of the tenant where they are at home.
    pub is_for_any_tenant: bool,
    /// `MSSTS`, or `ADFS`.
    pub authority_type: &'static str,
    /// The claims that every token of the profile is asked with.
    pub claims: Option<String>,
    /// Whether the cache's access tokens are of use to callers of the profile.
    pub reads: bool,
    /// Whether the profile's access tokens are of use to all who read the cache.
    pub writes: bool,
}

/// A cache of MSAL, and what of it is shared.
#[derive(Debug)]
pub struct MsalCache {
    sharing: Sharing,
    /// The session as it was composed last under the lock.
    before: Mutex<Session>,
}

/// The cache was proved to be writable; where it is a file, with room for the next.
pub struct Proof(Option<Reservation>);

/// The lock of MSAL's extensions is held.
#[derive(Debug)]
pub struct Guard {
    held: Mutex<lock::MsalGuard>,
    /// How long it may be waited for.
    limit: Duration,
}

impl Guard {
    fn is_intact(&self) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.is_intact()
    }
}

/// How a cache was found.
enum Found {
    Nothing,
    /// It is made, or about to be written.
    Empty,
    /// It was written while it was read.
    Changing,
    Text(Zeroizing<String>),
    /// Why it is none that can be read.
    Unreadable(String),
}

impl Found {
    /// What `take` makes of it.
    fn taken_by<T>(self, take: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
        match self {
            Self::Nothing | Self::Empty => take("{}"),
            Self::Text(text) => take(&text),
            Self::Changing => Err("it is written again and again".to_owned()),
            Self::Unreadable(reason) => Err(reason),
        }
    }
}

impl MsalCache {
    pub(super) fn new(sharing: Sharing) -> Self {
        Self {
            sharing,
            before: Mutex::default(),
        }
    }

    /// The cache's path.
    pub fn path(&self) -> &Path {
        &self.sharing.file
    }

    /// The item of the keyring that it lies in, if that is not the file.
    pub fn item(&self) -> Option<&Item> {
        self.sharing.item.as_ref()
    }

    /// The file that is replaced: a link to it stays one.
    fn target(&self) -> PathBuf {
        fs::canonicalize(&self.sharing.file).unwrap_or_else(|_| self.sharing.file.clone())
    }

    fn replaceable(&self) -> Replaceable {
        let path = self.target();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.cred-helper"));
        Replaceable::new(path, temporary)
    }

    /// Takes the lock that excludes MSAL's extensions: beside the path that was named, as theirs, also if
    /// that is a link. Our own lock is held already, so that of all our processes one waits for it.
    pub(super) fn lock(&self, limit: Duration, context: &Context<'_>) -> Result<Guard, Error> {
        let held = lock::acquire(&self.sharing.file, limit, context)?;
        self.replaceable().remove_temporaries();
        Ok(Guard {
            held: Mutex::new(held),
            limit,
        })
    }

    /// Takes the lock again, where somebody has removed it since: a person, or a program that took it
    /// for its own. Whoever has it now is at work with the cache. Whether it had to be.
    fn renew(&self, guard: &Guard, context: &Context<'_>) -> Result<bool, Error> {
        let mut held = guard.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = !held.is_intact();
        if is_lost {
            *held = lock::acquire(&self.sharing.file, guard.limit, context)?;
        }
        Ok(is_lost)
    }

    /// Removes the lock, if a process of ours was killed with it.
    pub(super) fn mend_lock(&self, context: &Context<'_>) {
        lock::mend(&self.sharing.file, context);
    }

    /// The session as it lies there now, or why it is none.
    pub(super) fn compose(
        &self,
        beside: &Session,
        context: &Context<'_>,
    ) -> Result<Result<Session, String>, Error> {
        self.make_of(context, |document| {
            view::compose(document, &self.sharing, beside)
        })
    }

    /// What `make` makes of the cache, or why it is none.
    fn make_of<T>(
        &self,
        context: &Context<'_>,
        make: impl Fn(&Document<'_>) -> T,
    ) -> Result<Result<T, String>, Error> {
        self.read(context, |text| Ok(make(&parse(text)?)))
    }

    /// The same under the lock.
    pub(super) fn compose_locked(
        &self,
        beside: &Session,
        context: &Context<'_>,
    ) -> Result<Session, Error> {
        let session = self
            .compose(beside, context)?
            .map_err(|reason| self.unusable(&reason))?;
        self.remember(&session);
        Ok(session)
    }

    fn remember(&self, session: &Session) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.clone_from(session);
    }

    /// What it is, in words.
    pub fn shown(&self) -> String {
        match &self.sharing.item {
            None => format!("`{}`", self.sharing.file.display()),
            Some(item) => format!("the item `{}` of the keyring", item.keyring.schema),
        }
    }

    /// The error for a cache that is none of JSON.
    pub fn unusable(&self, reason: &str) -> Error {
        let message = format!("{} cannot be used: {reason}", self.shown());
        Error::new(ErrorKind::Store, message).hint(
            "it is untouched; see whether the program that it belongs to can read it, or name \
             another one",
        )
    }

    /// Reads the cache, and has `take` take it apart. MSAL's extensions empty a cache before they write
    /// it: what is none, or is empty, is looked at again until nobody has touched it for a while.
    fn read<T>(
        &self,
        context: &Context<'_>,
        mut take: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<Result<T, String>, Error> {
        /// How long does it take to write a cache?
        const PAUSES: [Duration; 3] = [
            Duration::from_millis(20),
            Duration::from_millis(60),
            Duration::from_millis(120),
        ];
        /// For how long can one be written again and again?
        const LONGEST: Duration = Duration::from_secs(5);
        if let Some(item) = &self.sharing.item {
            // It is written at once.
            return Ok(text_of(&item.read(context)?).taken_by(take));
        }
        let began = context.clock.monotonic();
        let mut pauses = PAUSES.iter();
        let mut seen = None;
        loop {
            let (found, stamp) = self.look()?;
            let is_certain = matches!(found, Found::Nothing | Found::Text(_));
            let taken = found.taken_by(&mut take);
            let is_sure = is_certain && taken.is_ok();
            let pause = pauses.next();
            let is_settled = pause.is_none() && seen == Some(stamp);
            let waited = context.clock.monotonic().saturating_sub(began);
            if is_sure || is_settled || waited > LONGEST {
                return Ok(taken);
            }
            seen = Some(stamp);
            context.clock.sleep(*pause.unwrap_or(&PAUSES[0]))?;
        }
    }

    /// What lies there, and what is different when that has changed.
    fn look(&self) -> Result<(Found, Option<Stamp>), Error> {
        /// How large may a cache be? The largest that were reported have ten megabytes.
        const LONGEST: u64 = 64 * 1024 * 1024;
        let path = &self.sharing.file;
        let unreadable = |error: &io::Error| {
            let message = format!("the cache of MSAL cannot be read: `{}`", path.display());
            Error::new(ErrorKind::Store, message)
                .because(error)
                .hint("see that it is there to read for you; it is untouched")
        };
        let file = match platform::patiently(|| File::open(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Found::Nothing, None));
            }
            Err(error) => return Err(unreadable(&error)),
        };
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        let stamp = Stamp::of(&metadata);
        if metadata.is_dir() {
            return Ok((Found::Unreadable("it is a directory".to_owned()), stamp));
        }
        refuse(platform::private_file_problem(path, &metadata))?;
        let bytes = SecretBytes::read(&file, metadata.len(), LONGEST)
            .map_err(|error| unreadable(&error))?;
        let after = file.metadata().map_err(|error| unreadable(&error))?;
        let after = Stamp::of(&after);
        let found = if after != stamp {
            // The beginning may be of another one than the end.
            Found::Changing
        } else if bytes.0.len() as u64 > LONGEST {
            Found::Unreadable("it is larger than 64 MiB".to_owned())
        } else {
            text_of(&bytes.0)
        };
        Ok((found, after))
    }

    /// Proves that the cache can be written, before a refresh token is spent.
    pub(super) fn prove_writable(&self, context: &Context<'_>) -> Result<Proof, Error> {
        let proved = match &self.sharing.item {
            None => self.replaceable().prove_writable().map(Some),
            Some(item) => {
                item.prove_writable(context)?;
                self.tell_of_change(context).map(|()| None)
            }
        };
        proved.map(Proof).map_err(|error| {
            self.unwritable(&error)
                .hint("mend the disk or its permissions; the sign-in was not touched")
        })
    }

    /// MSAL's extensions read a cache again when it is newer than what they have read. Whoever has read
    /// the one before between our write and our rename takes theirs for newer, and would write it back:
    /// the time is later than the call, which is made after the rename. A time that is later still is kept,
    /// since somebody may have read the cache just before it.
    fn tell_of_change(&self, context: &Context<'_>) -> io::Result<()> {
        /// How many seconds may a program take that has read what was there, before it looks at the clock? The
        /// first is the one that the clock's whole seconds leave out.
        const LATER: i64 = 2;
        let seconds = context.clock.now().0.saturating_add(LATER);
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let mut options = platform::private_file();
        options.write(true).create(true).truncate(false);
        let file = options.open(self.target())?;
        let there = file.metadata()?.modified()?;
        file.set_modified(there.max(time))
    }

    fn unwritable(&self, error: &io::Error) -> Error {
        let path = self.sharing.file.display();
        let message = format!("the cache of MSAL cannot be written: `{path}`");
        Error::new(ErrorKind::Store, message).because(error)
    }

    /// The error where somebody else may have the cache.
    fn unguarded(&self) -> Error {
        let path = self.sharing.file.display();
        Error::new(
            ErrorKind::Busy,
            format!("the lock of MSAL's cache `{path}` was removed while it was held"),
        )
        .hint("try again; see which program removes it")
    }

    /// The error if what somebody else has written meanwhile would be lost.
    fn check(&self, guard: &Guard) -> Result<(), Error> {
        match guard.is_intact() {
            true => Ok(()),
            false => Err(self.unguarded()),
        }
    }

    fn replace(&self, text: &str, proof: Option<Proof>, guard: &Guard) -> Result<(), Error> {
        let reservation = proof.and_then(|Proof(reservation)| reservation);
        let replaceable = self.replaceable();
        let prepared = replaceable
            .prepare(text.as_bytes(), reservation)
            .map_err(|error| self.unwritable(&error))?;
        self.check(guard)?;
        replaceable
            .commit(prepared)
            .map_err(|error| self.unwritable(&error))
    }

    /// The same in the keyring. Whoever is killed in it has told of it before: others would write back what
    /// they have read until then.
    fn replace_in(
        &self,
        item: &Item,
        text: &str,
        guard: &Guard,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        drop(self.tell_of_change(context));
        self.check(guard)?;
        item.write(text, context)
    }

    /// Writes what the session has that the cache has not, and returns what is to be kept beside it.
    pub(super) fn write(
        &self,
        session: &Session,
        proof: Option<Proof>,
        guard: &Guard,
        context: &Context<'_>,
    ) -> Result<Session, Error> {
        // The room may be another's by now, if the lock was.
        let is_renewed = self.renew(guard, context)?;
        let proof = proof.filter(|_| !is_renewed);
        let now = context.clock.now();
        let written = self.read(context, |text| {
            let mut document = parse(text)?;
            let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            view::apply(&mut document, &self.sharing, &before, session, now);
            let written = document.to_text();
            Ok((*written != *text).then_some(written))
        })?;
        if let Some(written) = written.map_err(|reason| self.unusable(&reason))? {
            // MSAL for Python and for Go read no file that begins with a mark.
            let written = written.trim_start_matches('\u{feff}');
            match &self.sharing.item {
                None => self.replace(written, proof, guard)?,
                Some(item) => self.replace_in(item, written, guard, context)?,
            }
            // Where that cannot be told, they have read it a moment ago at worst.
            drop(self.tell_of_change(context));
        }
        // If what follows is tried again, this is not done twice.
        self.remember(session);
        Ok(view::beside(session, &self.sharing))
    }
}

/// The cache's text, or what it is instead.
fn text_of(bytes: &[u8]) -> Found {
    /// What DPAPI begins its blobs with: a version, and its own GUID.
    const DPAPI: [u8; 8] = [1, 0, 0, 0, 0xd0, 0x8c, 0x9d, 0xdf];
    let reason = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is written in UTF-16",
        _ if bytes.starts_with(&DPAPI) => {
            "it is encrypted by Windows (DPAPI), which is not undone here"
        }
        _ if bytes.starts_with(b"eyJ") => {
            "it is encrypted (JWE), as azidentity for Go does with a key that it keeps in the \
             kernel's keyring, which is not undone here"
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => return Found::Empty,
            Ok(text) => return Found::Text(Zeroizing::new(text.to_owned())),
            Err(_) => "it is no text in UTF-8",
        },
    };
    Found::Unreadable(reason.to_owned())
}

/// Takes a cache apart.
fn parse(text: &str) -> Result<Document<'_>, String> {
    let document = Document::parse(text)?;
    let mut names = view::section::ALL.iter();
    match names.find(|name| !document.has_room(name)) {
        Some(name) => Err(format!("its `{name}` is no object")),
        None => Ok(document),
    }
}

/// A cache as it lies there; as it is written where nothing has changed; and where all have signed out:
/// what a fuzzer calls.
///
/// # Errors
/// Why it cannot be used.
pub fn decodes(bytes: &[u8]) -> Result<[Zeroizing<String>; 3], String> {
    let sharing = Sharing {
        client_id: "c".to_owned(),
        hosts: vec!["login.microsoftonline.com".to_owned()],
        realm: "organizations".to_owned(),
        is_for_any_tenant: true,
        reads: true,
        ..Sharing::default()
    };
    let (bytes, _) = item::decode(Zeroizing::new(bytes.to_vec()));
    let text = match text_of(&bytes) {
        Found::Text(text) => text,
        Found::Nothing | Found::Empty | Found::Changing => Zeroizing::new("{}".to_owned()),
        Found::Unreadable(reason) => return Err(reason),
    };
    let mut document = parse(&text)?;
    let session = view::compose(&document, &sharing, &Session::default());
    let mut write = |after: &Session| {
        view::apply(&mut document, &sharing, &session, after, Timestamp(1000));
        document.to_text()
    };
    let (unchanged, without) = (write(&session), write(&Session::default()));
    Ok([text, unchanged, without])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::decodes;

    #[test]
    fn what_is_no_cache_of_rows_is_told_apart() {
        for (bytes, reason) in [
            (&b"\xff\xfe{\0}\0"[..], "UTF-16"),
            (b"\xfe\xff\0{\0}", "UTF-16"),
            (b"\x01\0\0\0\xd0\x8c\x9d\xdf\x01", "DPAPI"),
            (b"\x01\0\0\0\xd0\x8c\x9d", "no text in UTF-8"),
            (b"eyJhbGciOiJkaXIifQ..a.b.c", "JWE"),
            (b"eye", "no JSON"),
            (b"[]", "no JSON object"),
            (b"{\"Account\":[]}", "its `Account` is no object"),
        ] {
            let told = decodes(bytes).expect_err("it is none");
            assert!(told.contains(reason), "{told}");
        }
        for nothing in ["", " \r\n", "{}"] {
            let texts = decodes(nothing.as_bytes()).expect("it is an empty one");
            assert!(texts.iter().all(|text| text.as_str() == "{}"), "{texts:?}");
        }
    }

    #[test]
    fn whoever_is_of_use_to_the_client_is_signed_out_and_nobody_else() {
        let row = |home: &str, environment: &str, client: &str, realm: &str| {
            json!({
                "secret": "t", "home_account_id": home, "environment": environment,
                "client_id": client, "realm": realm, "target": "read", "expires_on": "9999"
            })
        };
        let host = "login.microsoftonline.com";
        for (home, environment, client, realm, is_ours) in [
            ("u.t", host, "c", "t", true),
            ("u.t", host, "c", "organizations", true),
            ("u.t", host, "c", "another", false),
            ("u.t", host, "d", "t", false),
            ("u.t", "login.example", "c", "t", false),
        ] {
            let row = row(home, environment, client, realm);
            let cache = json!({ "Account": { "a": row }, "AccessToken": { "t": row } });
            let [text, unchanged, without] =
                decodes(cache.to_string().as_bytes()).expect("it is a cache");
            assert_eq!(text, unchanged);
            let left: Value = serde_json::from_str(&without).expect("it is JSON");
            let expected = match is_ours {
                true => json!({ "Account": {}, "AccessToken": {} }),
                false => cache,
            };
            assert_eq!(left, expected, "{home} {environment} {client} {realm}");
        }
    }

    #[test]
    fn whoever_signs_out_stays_in_other_clouds_and_others_stay_here() {
        let host = "login.microsoftonline.com";
        let row = |home: &str, environment: &str, client: &str| {
            json!({
                "secret": "t", "home_account_id": home, "environment": environment,
                "client_id": client, "realm": "t", "target": "read", "expires_on": "9999"
            })
        };
        let own = row("u.t", host, "c");
        let elsewhere = row("u.t", "login.example", "c");
        let another = row("v.t", host, "d");
        let cache = json!({
            "Account": { "own": own, "elsewhere": elsewhere, "another": another },
            "AccessToken": { "own": own, "elsewhere": elsewhere, "another": another }
        });
        let [_, _, without] = decodes(cache.to_string().as_bytes()).expect("it is a cache");
        let left: Value = serde_json::from_str(&without).expect("it is JSON");
        let rest = json!({ "elsewhere": elsewhere, "another": another });
        assert_eq!(left, json!({ "Account": rest, "AccessToken": rest }));
    }
}
