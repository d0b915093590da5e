//! A session's file: read without a lock, replaced whole and durably under it.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::replacement::{Replaceable, Reservation};
use super::seal::{self, Key, Seal, Sealed};
use super::session::Session;
use crate::context::Random;
use crate::error::{Error, ErrorKind};
use crate::secret::wipe;
use crate::system::platform;
use crate::text::printable;
use crate::token::Timestamp;

/// The version of the file format that is written, and the newest that is read.
const VERSION: u32 = 1;
/// How large may a session be? One has a few kilobytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The longest first line of a sealed file: how long may what is not sealed be? It has 150 characters.
const LONGEST_HEADER: usize = 4096;

/// The outer form of a file: what every version and every seal has in common. What is sealed lies
/// behind it and a line feed, as it is, until the end of the file.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    version: u32,
    #[serde(borrow)]
    seal: Header<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    content: Option<&'a RawValue>,
}

/// Which seal, and what it needs to open.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    parameters: Option<Sealed<'a>>,
}

/// What stands behind a damaged file's name, before the time when it was set aside.
pub(super) const SET_ASIDE: &str = ".json.damaged-";

/// How long may a key's id be? It has 22 characters.
const LONGEST_ID: usize = 64;

/// What finds the key of an id: `None` where it is not any more.
pub(super) type FindKey<'a> = dyn FnMut(&'static Seal, &str) -> Result<Option<Key>, Error> + 'a;

/// What the next content is sealed with.
pub(super) struct SealWith {
    pub(super) seal: &'static Seal,
    /// None where nothing is sealed.
    pub(super) key: Option<Key>,
}

/// What can be told of a file without its key.
#[derive(Clone, Debug)]
pub(super) struct Lying {
    pub(super) seal: &'static Seal,
    /// The key's id.
    pub(super) key: Option<String>,
}

/// A file's content, as it lies there.
enum Held<'a> {
    Bare(&'a str),
    /// What opens it, and where it begins.
    Sealed(Sealed<'a>, usize),
}

/// A file's bytes, which are wiped when they are dropped.
#[derive(Default)]
pub(super) struct SecretBytes(pub(super) Vec<u8>);

impl SecretBytes {
    /// Reads a file of this length, and one byte more than `longest` at most. What is read does not move:
    /// nothing of it is left behind.
    pub(super) fn read(file: &File, length: u64, longest: u64) -> io::Result<Self> {
        let mut bytes = Self::default();
        let length = usize::try_from(length.min(longest)).unwrap_or_default();
        bytes.0.reserve_exact(length + 1);
        file.take(longest + 1).read_to_end(&mut bytes.0)?;
        Ok(bytes)
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// What lies in a session's place.
#[derive(Debug)]
pub enum Loaded {
    /// Nothing.
    Absent,
    /// A session, and its seal.
    Session(Box<Session>, &'static Seal),
    /// Something that is no session; why.
    Damaged(String),
}

/// A session's file and its temporary neighbours.
#[derive(Debug)]
pub(super) struct SessionFile {
    directory: PathBuf,
    digest: String,
}

impl SessionFile {
    pub(super) fn new(directory: PathBuf, digest: String) -> Self {
        Self { directory, digest }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.digest))
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.directory.join(format!("{}.lock", self.digest))
    }

    pub(super) fn sign_in_lock_path(&self) -> PathBuf {
        self.directory.join(format!("{}.sign-in.lock", self.digest))
    }

    pub(super) fn refresh_lock_path(&self) -> PathBuf {
        self.directory.join(format!("{}.refresh.lock", self.digest))
    }

    pub(super) fn exchange_lock_path(&self) -> PathBuf {
        self.directory
            .join(format!("{}.exchange.lock", self.digest))
    }

    fn replaceable(&self) -> Replaceable {
        let temporary = format!(".tmp-{}", self.digest);
        Replaceable::new(self.path(), self.directory.join(temporary))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory, private.
    pub(super) fn create_directory(&self) -> Result<(), Error> {
        create_directory(&self.directory)
    }

    pub(super) fn load(&self, find: &mut FindKey<'_>) -> Result<Loaded, Error> {
        let Some(mut bytes) = self.read()? else {
            return Ok(Loaded::Absent);
        };
        decode(&mut bytes.0, &self.path(), find)
    }

    /// What can be told of the file without its key; `None` where there is no file of ours.
    pub(super) fn lying(&self) -> Result<Option<Lying>, Error> {
        Ok(self.found()?.and_then(Result::ok))
    }

    /// The same, or how the file is damaged.
    pub(super) fn found(&self) -> Result<Option<Result<Lying, String>>, Error> {
        let Some(bytes) = self.read()? else {
            return Ok(None);
        };
        let lying = take_apart(&bytes.0, &self.path())?.map(|(seal, held)| Lying {
            seal,
            key: match held {
                Held::Bare(_) => None,
                Held::Sealed(parameters, _) => Some(parameters.key.into_owned()),
            },
        });
        Ok(Some(lying))
    }

    /// The file's bytes; `None` where there is none.
    fn read(&self) -> Result<Option<SecretBytes>, Error> {
        let path = self.path();
        let unreadable = |error: &io::Error| {
            failed("the session cannot be read", &path, error).hint(
                "see that it is there to read for you, or name another place with \
                 `CRED_HELPER_STATE`; it is untouched",
            )
        };
        let file = if_there(platform::patiently(|| File::open(&path)));
        let Some(file) = file.map_err(|error| unreadable(&error))? else {
            return Ok(None);
        };
        check_directory(&self.directory)?;
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        refuse(platform::private_file_problem(&path, &metadata))?;
        let bytes = SecretBytes::read(&file, metadata.len(), LONGEST);
        bytes.map(Some).map_err(|error| unreadable(&error))
    }

    /// Proves that the next content can be written.
    pub(super) fn prove_writable(&self) -> Result<Reservation, Error> {
        self.replaceable().prove_writable().map_err(|error| {
            failed("the session cannot be written", &self.path(), &error)
                .hint("mend the disk or its permissions; the sign-in was not touched")
        })
    }

    /// Replaces the session's content, durably. The guard that the caller holds is the proof that
    /// nobody else does.
    pub(super) fn save(
        &self,
        content: &str,
        with: &SealWith,
        random: &dyn Random,
        reservation: Option<Reservation>,
    ) -> Result<(), Error> {
        let bytes = encode(content, with, &self.digest, random)?;
        self.replaceable()
            .replace(&bytes, reservation)
            .map_err(|error| failed("the session cannot be written", &self.path(), &error))
    }

    /// Seals the session's content anew, whatever is in it. Whether there was one.
    pub(super) fn reseal(
        &self,
        with: &SealWith,
        random: &dyn Random,
        find: &mut FindKey<'_>,
    ) -> Result<bool, Error> {
        let Some(mut bytes) = self.read()? else {
            return Ok(false);
        };
        let resealed = open(&mut bytes.0, &self.path(), find, |_, content| {
            let text = std::str::from_utf8(content);
            let text = text.map_err(|_| self.damaged("its content is no text"))?;
            if let Err(error) = serde_json::from_str::<Session>(text) {
                return Err(self.damaged(&position(&error)));
            }
            self.remove_temporaries();
            self.save(text, with, random, None)
        })?;
        resealed
            .map_err(|reason| self.damaged(&reason))?
            .map(|()| true)
    }

    /// Whether nobody can open it any more: its key is not where keys are, or does not open it. One that
    /// is not sealed, or damaged, is not lost in this way.
    ///
    /// # Errors
    /// `store` or `config`, where that cannot be told now.
    pub(super) fn is_lost(&self, find: &mut FindKey<'_>) -> Result<bool, Error> {
        let Some(mut bytes) = self.read()? else {
            return Ok(false);
        };
        let path = self.path();
        let Ok((seal, Held::Sealed(parameters, begin))) = take_apart(&bytes.0, &path)? else {
            return Ok(false);
        };
        let parameters = parameters.into_owned();
        let Some(key) = find(seal, &parameters.key)? else {
            return Ok(true);
        };
        let bound = bound(seal, &self.digest);
        Ok(seal::open(&key, &bound, &parameters, &mut bytes.0[begin..]).is_none())
    }

    /// The error for a damaged file that is told of, and left to the next call for its profile.
    pub(super) fn damaged(&self, reason: &str) -> Error {
        let message = format!("`{}` is damaged ({reason})", self.path().display());
        Error::new(ErrorKind::Store, message)
            .hint("the next call for its profile sets it aside, and a new sign-in is needed")
    }

    /// Sets a damaged file aside under a name that tells when, and returns that name.
    pub(super) fn set_aside(&self, now: Timestamp) -> Result<PathBuf, Error> {
        let path = self.path();
        let name = format!("{}{SET_ASIDE}{}", self.digest, now.0);
        let aside = self.directory.join(name);
        platform::patiently(|| fs::rename(&path, &aside))
            .map_err(|error| failed("the damaged session cannot be set aside", &path, &error))?;
        Ok(aside)
    }

    /// What was set aside of the session.
    pub(super) fn set_aside_before(&self) -> Result<Vec<PathBuf>, Error> {
        let start = format!("{}{SET_ASIDE}", self.digest);
        let paths = entries(&self.directory)?.into_iter().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.starts_with(&start).then(|| entry.path())
        });
        Ok(paths.collect())
    }

    /// Removes the session; the lock stays, since others may hold or await it.
    pub(super) fn remove(&self) -> Result<(), Error> {
        self.remove_file(&self.path())
    }

    /// Removes a file of the session, durably.
    pub(super) fn remove_file(&self, path: &Path) -> Result<(), Error> {
        match platform::patiently(|| fs::remove_file(path)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("the session cannot be removed", path, &error)),
        }
        platform::sync_directory(&self.directory)
            .map_err(|error| failed("the session cannot be removed", path, &error))
    }

    /// Removes what somebody left who died.
    pub(super) fn remove_temporaries(&self) {
        self.replaceable().remove_temporaries();
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("{what}: `{}`", path.display())).because(error)
}

/// Makes a directory for sessions, private.
pub(super) fn create_directory(directory: &Path) -> Result<(), Error> {
    platform::create_private_directory(directory).map_err(|error| {
        failed(
            "the directory of sessions cannot be made",
            directory,
            &error,
        )
        .hint("make the one above it your own, or name another place with `CRED_HELPER_STATE`")
    })?;
    check_directory(directory)
}

fn check_directory(directory: &Path) -> Result<(), Error> {
    let what = "the directory of sessions cannot be read";
    let metadata =
        if_there(fs::metadata(directory)).map_err(|error| failed(what, directory, &error))?;
    refuse(metadata.and_then(|metadata| platform::trusted_problem(directory, &metadata)))
}

/// What lies in the directory of sessions. One that cannot be read is not taken for an empty one.
pub(super) fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    let found = if_there(fs::read_dir(directory));
    let entries = found.and_then(|found| found.into_iter().flatten().collect());
    entries.map_err(|error| unreadable(directory, &error))
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("`{}` cannot be read", path.display()),
    )
    .because(error)
    .hint("make it and its directory your own")
}

/// What was looked for; `None` where it is not there. What cannot be looked at may be there.
pub(super) fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn refuse(problem: Option<(String, String)>) -> Result<(), Error> {
    match problem {
        Some((problem, command)) => {
            Err(Error::new(ErrorKind::Store, problem).hint(format!("run `{command}`")))
        }
        None => Ok(()),
    }
}

fn bug(error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        "BUG: a session cannot be written as JSON",
    )
    .because(error)
}

/// A session's content as text.
pub(super) fn content(session: &Session) -> Result<Zeroizing<String>, Error> {
    serde_json::to_string(session)
        .map(Zeroizing::new)
        .map_err(bug)
}

/// What a sealed content is bound to: the format, and whose file it is.
fn bound(seal: &Seal, digest: &str) -> String {
    format!("{VERSION} {} {digest}", seal.name)
}

pub(super) fn encode(
    content: &str,
    with: &SealWith,
    digest: &str,
    random: &dyn Random,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (parameters, sealed) = match &with.key {
        Some(key) => {
            let (parameters, sealed) = seal::seal(key, &bound(with.seal, digest), content, random)?;
            (Some(parameters), Some(sealed))
        }
        // What is to be sealed never lies open.
        None if with.seal.has_keys() => {
            let message = "BUG: a session is to be sealed without a key";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        None => (None, None),
    };
    let bare = match &sealed {
        Some(_) => None,
        None => Some(serde_json::from_str(content).map_err(bug)?),
    };
    let envelope = Envelope {
        version: VERSION,
        seal: Header {
            name: Cow::Borrowed(with.seal.name),
            parameters,
        },
        content: bare,
    };
    let mut bytes = Zeroizing::new(serde_json::to_vec(&envelope).map_err(bug)?);
    bytes.push(b'\n');
    bytes.extend(sealed.unwrap_or_default());
    if bytes.len() as u64 > LONGEST {
        // It would be taken for damaged.
        let message = format!(
            "a session of {} bytes is too large to be kept: {LONGEST} is the most",
            bytes.len()
        );
        let error = Error::new(ErrorKind::Store, message);
        return Err(
            error.hint("log out accounts that are not used: `cred-helper logout --account A`")
        );
    }
    Ok(bytes)
}

/// The id of the key that a file is sealed with, whatever its name is.
pub(super) fn key_of(bytes: &[u8]) -> Option<String> {
    let (envelope, _) = first::<Envelope<'_>>(bytes).ok()?;
    let parameters = envelope.seal.parameters?;
    Some(parameters.key.into_owned()).filter(|id| id.len() <= LONGEST_ID)
}

/// The JSON that a file begins with, and where it ends.
fn first<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> serde_json::Result<(T, usize)> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
    match values.next() {
        Some(value) => Ok((value?, values.byte_offset())),
        // The error for nothing.
        None => serde_json::from_slice(bytes).map(|value| (value, bytes.len())),
    }
}

/// Takes a file's bytes apart as far as that needs no key. The inner error says how it is damaged;
/// the outer one that it is of a newer version, which leaves it untouched.
fn take_apart<'b>(
    bytes: &'b [u8],
    path: &Path,
) -> Result<Result<(&'static Seal, Held<'b>), String>, Error> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    if bytes.len() as u64 > LONGEST {
        return Ok(Err("it is too large".to_owned()));
    }
    let newer = |message: String| {
        Error::new(ErrorKind::Store, message).hint("use the newer cred-helper that wrote it")
    };
    let (envelope, end) = match first::<Envelope<'_>>(bytes) {
        Ok(found) if found.0.version == VERSION => found,
        other => {
            // The form of a newer version is not ours to judge.
            if let Ok((Version { version }, _)) = first(bytes)
                && version > VERSION
            {
                return Err(newer(format!(
                    "`{}` is of version {version}, and this program knows {VERSION}",
                    path.display()
                )));
            }
            let reason = other.err().map_or_else(
                || "its version is unknown".to_owned(),
                |error| printable(&error.to_string()),
            );
            return Ok(Err(reason));
        }
    };
    let Some(seal) = seal::find(&envelope.seal.name) else {
        return Err(newer(format!(
            "`{}` is sealed by `{}`, which this program does not know",
            path.display(),
            printable(&envelope.seal.name)
        )));
    };
    let behind = &bytes[end..];
    let held = match (envelope.content, envelope.seal.parameters) {
        (Some(content), _) if !seal.has_keys() => {
            if !behind.iter().all(u8::is_ascii_whitespace) {
                return Ok(Err("something lies behind its content".to_owned()));
            }
            Held::Bare(content.get())
        }
        (None, Some(parameters)) if seal.has_keys() => {
            if end > LONGEST_HEADER || behind.first() != Some(&b'\n') {
                return Ok(Err("its first line is none".to_owned()));
            }
            if parameters.key.len() > LONGEST_ID {
                return Ok(Err("its key's id is none".to_owned()));
            }
            if behind.len() - 1 != parameters.length {
                return Ok(Err("its content is not whole".to_owned()));
            }
            Held::Sealed(parameters, end + 1)
        }
        _ if seal.has_keys() => return Ok(Err("its seal is incomplete".to_owned())),
        _ => return Ok(Err("its content is missing".to_owned())),
    };
    Ok(Ok((seal, held)))
}

/// Opens a file's content, in the place where it lies, and has it read. The inner error says how it is
/// damaged; the outer one why it cannot be opened, which leaves it untouched.
fn open<T>(
    bytes: &mut [u8],
    path: &Path,
    find: &mut FindKey<'_>,
    read: impl FnOnce(&'static Seal, &[u8]) -> T,
) -> Result<Result<T, String>, Error> {
    let (seal, parameters, begin) = match take_apart(bytes, path)? {
        Ok((seal, Held::Bare(text))) => return Ok(Ok(read(seal, text.as_bytes()))),
        Ok((seal, Held::Sealed(parameters, begin))) => (seal, parameters.into_owned(), begin),
        Err(reason) => return Ok(Err(reason)),
    };
    let unopened = || {
        let message = format!("`{}` cannot be opened", path.display());
        Error::new(ErrorKind::Store, message)
    };
    let Some(key) = find(seal, &parameters.key)? else {
        let gone = seal::gone(seal, &parameters.key);
        let hint = gone.hint_text().unwrap_or_default().to_owned();
        return Err(unopened().because_of(&gone).hint(hint));
    };
    let digest = path.file_stem().unwrap_or_default().to_string_lossy();
    let bound = bound(seal, &digest);
    if let Some(content) = seal::open(&key, &bound, &parameters, &mut bytes[begin..]) {
        return Ok(Ok(read(seal, content)));
    }
    // What holds keys for a while is believed until then: to look costs more than to open.
    Err(if key.checked().id() == parameters.key {
        unopened()
            .because("it was changed, or is the file of another session")
            .hint(
                "put back the file that was written; if there is none, forget this one with \
                 `cred-helper logout --local -p NAME`, and sign in again",
            )
    } else {
        unopened()
            .because("the operating system's memory holds something else in the place of its key")
            .hint("run `cred-helper store lock`, which drops it, and try again")
    })
}

/// Whether a content is the same when it was sealed and opened again.
pub(super) fn survives(
    content: &str,
    with: &SealWith,
    digest: &str,
    random: &dyn Random,
) -> Result<bool, Error> {
    let mut bytes = encode(content, with, digest, random)?;
    let mut find = |_: &'static Seal, _: &str| Ok(with.key.clone());
    let loaded = decode(&mut bytes, Path::new(digest), &mut find)?;
    Ok(matches!(loaded, Loaded::Session(session, _)
        if self::content(&session)?.as_str() == content))
}

/// Reads a file's bytes: a session, a damaged one, or the error that it is of a newer version or
/// cannot be opened, which leaves it untouched. What is sealed is opened in the place where it lies.
pub(super) fn decode(
    bytes: &mut [u8],
    path: &Path,
    find: &mut FindKey<'_>,
) -> Result<Loaded, Error> {
    let loaded = open(
        bytes,
        path,
        find,
        |seal, content| match serde_json::from_slice(content) {
            Ok(session) => Loaded::Session(Box::new(session), seal),
            Err(error) => Loaded::Damaged(position(&error)),
        },
    )?;
    Ok(loaded.unwrap_or_else(Loaded::Damaged))
}

/// Where a content is wrong. What is wrong may be a secret, so it is not shown.
fn position(error: &serde_json::Error) -> String {
    format!("its content is wrong at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Barrier;

    use super::{
        Key, LONGEST, Loaded, Seal, SealWith, SecretBytes, Session, SessionFile, content, decode,
        encode, if_there, survives,
    };
    use crate::context::Random;
    use crate::encoding::to_base64url;
    use crate::error::{Error, ErrorKind};
    use crate::secret::Secret;
    use crate::store::seal;
    use crate::system::random::SystemRandomness;

    #[test]
    fn only_what_is_not_there_counts_as_nothing() {
        use std::io::ErrorKind::{InvalidInput, NotFound, PermissionDenied};
        assert_eq!(if_there(Ok(1)).ok(), Some(Some(1)));
        assert_eq!(if_there::<u8>(Err(NotFound.into())).ok(), Some(None));
        for kind in [PermissionDenied, InvalidInput] {
            let kept = if_there::<u8>(Err(kind.into())).map_err(|error| error.kind());
            assert_eq!(kept, Err(kind));
        }
    }

    fn bare() -> SealWith {
        SealWith {
            seal: seal::find("none").expect("it is in the table"),
            key: None,
        }
    }

    fn sealed(key: &Key) -> SealWith {
        SealWith {
            seal: seal::find("keyring").expect("it is in the table"),
            key: Some(key.clone()),
        }
    }

    fn key(material: &str) -> Key {
        Key::of_material(&Secret::new(material))
    }

    /// Finds that key alone.
    fn only(key: &Key) -> impl FnMut(&'static Seal, &str) -> Result<Option<Key>, Error> {
        move |_, id| Ok((id == key.id()).then(|| key.clone()))
    }

    fn nothing(_: &'static Seal, _: &str) -> Result<Option<Key>, Error> {
        Ok(None)
    }

    #[test]
    fn whoever_reads_while_the_session_is_replaced_finds_a_whole_one() {
        const ROUNDS: u32 = 100;
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = SessionFile::new(directory.path().join("sessions"), "name".to_owned());
        let key = key("of all of them");
        let save = |round: u32| {
            let reservation = round.is_multiple_of(2).then(|| file.prove_writable());
            let with = if round.is_multiple_of(3) {
                bare()
            } else {
                sealed(&key)
            };
            let content = content(&Session::default())?;
            file.save(&content, &with, &SystemRandomness, reservation.transpose()?)
        };
        file.create_directory().unwrap();
        save(1).unwrap();
        let together = Barrier::new(2);
        let (loaded, saved) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let load = |_| {
                    together.wait();
                    file.load(&mut only(&key))
                };
                (0..ROUNDS).map(load).collect::<Vec<_>>()
            });
            let saved = (0..ROUNDS).map(|round| {
                together.wait();
                save(round)
            });
            let saved: Vec<_> = saved.collect();
            (reader.join().expect("loading panics at nothing"), saved)
        });
        for result in loaded {
            assert!(matches!(result, Ok(Loaded::Session(..))), "{result:?}");
        }
        for result in saved {
            result.unwrap();
        }
    }

    #[test]
    fn what_would_be_too_large_to_be_read_is_not_written() {
        let key = key("of it");
        for with in [bare(), sealed(&key)] {
            let encoded = |length: usize| {
                let content = format!("\"{}\"", "x".repeat(length));
                let encoded = encode(&content, &with, "x", &SystemRandomness);
                encoded.map(|bytes| bytes.len())
            };
            let longest = usize::try_from(LONGEST).expect("it is small");
            let nearly = longest - 4096;
            let most = nearly + longest - encoded(nearly).expect("it is small enough");
            assert_eq!(encoded(most).ok(), Some(longest));
            let error = encoded(most + 1).expect_err("it is too large");
            assert_eq!(error.kind(), ErrorKind::Store);
        }
    }

    #[test]
    fn what_is_read_has_its_room_from_the_beginning_and_none_to_spare() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("file");
        for (length, longest, expected) in [(0, 10, 0), (7, 10, 7), (100, 10, 11)] {
            std::fs::write(&path, "x".repeat(length)).expect("it can be written");
            let file = std::fs::File::open(&path).expect("it is there");
            let bytes = SecretBytes::read(&file, length as u64, longest).expect("it can be read");
            assert_eq!(bytes.0.len(), expected);
            let room = length.min(10) + 1;
            assert_eq!(bytes.0.capacity(), room, "it would have moved");
        }
    }

    #[test]
    fn a_file_is_a_session_or_damaged_or_not_ours_to_touch() {
        let empty = content(&Session::default()).unwrap();
        let mut written = encode(&empty, &bare(), "x", &SystemRandomness).unwrap();
        assert!(matches!(
            decode(&mut written, Path::new("x"), &mut nothing),
            Ok(Loaded::Session(session, seal)) if *session == Session::default() && !seal.has_keys()
        ));
        let written = str::from_utf8(&written).expect("nothing is sealed");
        let header = r#"{"version":1,"seal":{"name":"keyring","parameters":{"key":"k","nonce":"n","length":6}}}"#;
        let padded = format!("{}{header}\nsealed", " ".repeat(4096));
        let of_key =
            |length: usize| header.replace("\"k\"", &format!("\"{}\"", "k".repeat(length)));
        for damaged in [
            &format!("{}\nsealed", of_key(65)),
            "",
            "{",
            "null",
            "[]",
            &written[..written.len() / 2],
            r#"{"version":0,"seal":{"name":"none"},"content":{}}"#,
            r#"{"version":1,"seal":{"name":"none"},"content":[1]}"#,
            r#"{"version":1,"seal":{"name":"none"}}"#,
            &format!("{written}sealed"),
            "{\"version\":1,\"seal\":{\"name\":\"none\"}}\nsealed",
            "{\"version\":1,\"seal\":{\"name\":\"keyring\"}}\nsealed",
            &format!("{}\nsealed", header.replace("keyring", "none")),
            r#"{"version":1,"seal":{"name":"keyring"},"content":{}}"#,
            r#"{"version":1,"seal":{"name":"keyring"},"content":"c2VhbGVk"}"#,
            header,
            &format!("{header}sealed"),
            &format!("{header}\r\nsealed"),
            &format!("{header}\nseal"),
            &format!("{header}\nsealed\n"),
            &format!("{}\nsealed", header.replace(",\"length\":6", "")),
            &format!("{}\nsealed", header.replace(",\"nonce\":\"n\"", "")),
            &format!("{},\"content\":{{}}}}\nsealed", &header[..header.len() - 1]),
            &padded,
            "\0\0\0\0",
        ] {
            let mut bytes = damaged.as_bytes().to_vec();
            let loaded = decode(&mut bytes, Path::new("x"), &mut nothing);
            assert!(matches!(loaded, Ok(Loaded::Damaged(_))), "{damaged}");
        }
        for (damaged, reason) in [
            (
                r#"{"version":1,"seal":{"name":"none"}}"#,
                "its content is missing",
            ),
            (
                r#"{"version":1,"seal":{"name":"keyring"}}"#,
                "its seal is incomplete",
            ),
            (
                r#"{"version":1,"seal":{"name":"none"},"content":["canary"]}"#,
                "its content is wrong at column 9",
            ),
        ] {
            let mut bytes = damaged.as_bytes().to_vec();
            match decode(&mut bytes, Path::new("x"), &mut nothing) {
                Ok(Loaded::Damaged(said)) => assert_eq!(said, reason, "{damaged}"),
                other => panic!("{other:?}"),
            }
        }
        for foreign in [
            r#"{"version":2,"anything":"else"}"#,
            r#"{"version":2,"seal":{"name":"none"},"content":{}}"#,
            "{\"version\":2,\"seal\":{\"name\":\"keyring\"}}\nsealed",
            r#"{"version":1,"seal":{"name":"tpm"},"content":"c2VhbGVk"}"#,
            "{\"version\":1,\"seal\":{\"name\":\"tpm\"}}\nsealed",
            &format!("{header}\nsealed"),
            &format!("{}\nsealed", of_key(64)),
            &padded[header.len()..],
        ] {
            let mut bytes = foreign.as_bytes().to_vec();
            let error = decode(&mut bytes, Path::new("x"), &mut nothing).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Store, "{foreign}");
        }
    }

    #[test]
    fn a_session_is_read_up_to_the_largest_size_and_not_in_part() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = SessionFile::new(directory.path().join("sessions"), "name".to_owned());
        file.create_directory().unwrap();
        let empty = content(&Session::default()).unwrap();
        file.save(&empty, &bare(), &SystemRandomness, None).unwrap();
        let written = std::fs::read(file.path()).expect("it was written");
        for (excess, is_read) in [(0, true), (1, false), (1000, false)] {
            let length = usize::try_from(LONGEST).expect("it is small") + excess;
            let mut padded = written.clone();
            padded.resize(length, b' ');
            std::fs::write(file.path(), padded).expect("it can be written");
            let loaded = file.load(&mut nothing).unwrap();
            assert_eq!(matches!(loaded, Loaded::Session(..)), is_read, "{excess}");
        }
    }

    #[test]
    fn room_is_made_for_a_session_and_for_what_an_answer_adds_to_it() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = SessionFile::new(directory.path().join("sessions"), "name".to_owned());
        file.create_directory().unwrap();
        let lengths = |text: &str| {
            let room = file.prove_writable().unwrap();
            let length = std::fs::metadata(file.replaceable().temporary("room"))
                .unwrap()
                .len();
            file.save(text, &bare(), &SystemRandomness, Some(room))
                .unwrap();
            (length, std::fs::metadata(file.path()).unwrap().len())
        };
        let mut session = Session::default();
        let (first, small) = lengths(&content(&session).unwrap());
        session.imported.push("x".repeat(10_000));
        let (second, large) = lengths(&content(&session).unwrap());
        let (third, _) = lengths("{}");
        assert!(first >= 48 * 1024, "three large tokens: {first}");
        assert_eq!((second - first, third - first), (small, large));
    }

    #[test]
    fn what_is_to_be_sealed_is_not_written_without_a_key() {
        let keyless = SealWith {
            key: None,
            ..sealed(&key("of no use"))
        };
        let error = encode("{}", &keyless, "x", &SystemRandomness).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_session_that_is_not_there_is_removed_and_one_that_stays_is_told_of() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = SessionFile::new(directory.path().join("sessions"), "name".to_owned());
        file.create_directory().unwrap();
        file.remove().expect("it is not there");
        std::fs::create_dir(file.path()).expect("a directory can be made");
        let error = file.remove().expect_err("a directory is no session");
        assert_eq!(error.kind(), ErrorKind::Store);
    }

    #[test]
    fn a_content_that_is_not_the_same_when_it_is_read_again_does_not_survive() {
        let key = key("of a migration");
        let text = content(&Session::default()).unwrap();
        for with in [bare(), sealed(&key)] {
            let same = |text| survives(text, &with, "x", &SystemRandomness).unwrap();
            assert!(same(text.as_str()));
            assert!(!same("{\"unknown\":1}"));
            assert!(!same("[]"));
        }
    }

    #[test]
    fn a_sealed_file_opens_with_its_key_under_its_name_and_unchanged_alone() {
        struct Same;
        impl Random for Same {
            fn bytes(&self) -> Result<[u8; 32], Error> {
                Ok([7; 32])
            }
        }
        let key = key("the key of these files");
        let mut session = Session::default();
        session.identity.push(("client_id".into(), "canary".into()));
        let text = content(&session).unwrap();
        let written = encode(&text, &sealed(&key), "one", &Same).unwrap();
        // Files that were sealed are opened by later versions. libsodium opens this one.
        let expected = concat!(
            r#"{"version":1,"seal":{"name":"keyring","parameters":{"key":"PFPkxFIWEHzFudPodlk9FQ","#,
            r#""nonce":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH","length":184}}}"#,
            "\n"
        );
        let (header, sealed_content) = written.split_at(expected.len());
        assert_eq!(str::from_utf8(header), Ok(expected));
        assert_eq!(
            to_base64url(sealed_content),
            concat!(
                "VkO1hiJtkg_Gl7QWLCL_6JOb1G6CP-tOysoK9Jb4TQi1_ryM_E9XIxN01Jxqs-KsFhRjWwHWIZu4cw3Jod",
                "FItfy9VWh1GQuXcjwYbIu_2G6ocxoIdyxp8r1o_znF1ga4wRE7Ngf6NCfV8uQAOOlvAABzKxSJ3lvRv1cx",
                "Afyz1ff4o-LsSQQLF2D376CRu_nhgFeMZz0R2Du5B693JlJ8y2dHqMkcSSCJ2LiyhKa_feYD55t9sajMFQ"
            )
        );
        let opened = |bytes: &[u8], name: &str, key: &Key| {
            decode(&mut bytes.to_vec(), Path::new(name), &mut only(key))
        };
        for name in ["one.json", "/elsewhere/one.json"] {
            assert!(matches!(
                opened(&written, name, &key),
                Ok(Loaded::Session(found, seal)) if *found == session && seal.has_keys()
            ));
        }
        let other = super::tests::key("another key of such files");
        let mut mistaken = |_: &'static Seal, _: &str| Ok(Some(other.clone()));
        let mut lying = written.to_vec();
        let error = decode(&mut lying, Path::new("one.json"), &mut mistaken).unwrap_err();
        let hint = error.hint_text().unwrap_or_default();
        assert!(hint.contains("cred-helper store lock"), "{error:?}");
        assert_eq!(lying, *written, "what is not ours is not deciphered");
        let anew = encode(&text, &sealed(&key), "one", &SystemRandomness).unwrap();
        assert_ne!(anew, written, "a nonce is drawn for each");
        let replaced = |from: &str, to: &str| {
            let header = str::from_utf8(header).unwrap();
            assert!(header.contains(from), "{header}");
            [header.replace(from, to).as_bytes(), sealed_content].concat()
        };
        let flipped = |index: usize| {
            let mut bytes = written.to_vec();
            bytes[index] ^= 1;
            bytes
        };
        let as_other = replaced(key.id(), other.id());
        for (bytes, name, key) in [
            (written.to_vec(), "two.json", &key),
            (written.to_vec(), "one.json", &other),
            (as_other, "one.json", &other),
            (replaced("nonce\":\"B", "nonce\":\"A"), "one.json", &key),
            (flipped(header.len()), "one.json", &key),
            (flipped(written.len() - 1), "one.json", &key),
            (replaced("keyring", "command"), "one.json", &key),
        ] {
            let error = opened(&bytes, name, key).unwrap_err();
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(error.kind(), ErrorKind::Store, "{text}");
            assert!(error.hint_text().is_some(), "{text}");
        }
        // What was cut off is damaged, wherever.
        for end in 0..written.len() {
            let loaded = opened(&written[..end], "one.json", &key);
            assert!(
                matches!(loaded, Ok(Loaded::Damaged(_))),
                "{end}: {loaded:?}"
            );
        }
    }
}
