//! A session's file: read without a lock, replaced whole and durably under it.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::seal::{self, Seal};
use super::session::Session;
use crate::error::{Error, ErrorKind};
use crate::system::platform;
use crate::text::printable;
use crate::token::Timestamp;

/// The version of the file format that is written, and the newest that is read.
const VERSION: u32 = 1;
/// How large may a session be? One has a few kilobytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The outer form of a file: what every version and every seal has in common.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    version: u32,
    #[serde(borrow)]
    seal: Header<'a>,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// Which seal, and what it needs to open.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

/// What lies in a session's place.
#[derive(Debug)]
pub enum Loaded {
    /// Nothing.
    Absent,
    /// A session, and the name of its seal.
    Session(Box<Session>, &'static str),
    /// Something that is no session; why.
    Damaged(String),
}

/// Room for the next content, proved to be writable.
pub(super) struct Reservation {
    temporary: Temporary,
    file: File,
}

/// A temporary file's name. What does not become the session is removed.
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn rename(mut self, path: &Path) -> io::Result<()> {
        if let Some(own) = &self.0 {
            platform::patiently(|| fs::rename(own, path))?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Where this fails, the next holder of the lock does it.
            drop(fs::remove_file(path));
        }
    }
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

    fn temporary(&self, purpose: &str) -> PathBuf {
        self.directory
            .join(format!(".tmp-{}-{purpose}", self.digest))
    }

    /// Makes the directory, private.
    pub(super) fn create_directory(&self) -> Result<(), Error> {
        platform::create_private_directory(&self.directory).map_err(|error| {
            failed(
                "the directory of sessions cannot be made",
                &self.directory,
                &error,
            )
        })?;
        self.check_directory()
    }

    fn check_directory(&self) -> Result<(), Error> {
        match fs::metadata(&self.directory) {
            Ok(metadata) => refuse(platform::trusted_problem(&self.directory, &metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(
                "the directory of sessions cannot be read",
                &self.directory,
                &error,
            )),
        }
    }

    /// What is different after each save, as far as a file system tells; `None` if there is no file.
    pub(super) fn stamp(&self) -> Option<(SystemTime, u64)> {
        let metadata = fs::metadata(self.path()).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    pub(super) fn load(&self) -> Result<Loaded, Error> {
        let path = self.path();
        let unreadable = |error: &io::Error| failed("the session cannot be read", &path, error);
        let file = match platform::patiently(|| File::open(&path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
            Err(error) => return Err(unreadable(&error)),
        };
        self.check_directory()?;
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        refuse(platform::private_file_problem(&path, &metadata))?;
        let mut bytes = Zeroizing::new(Vec::new());
        let length = usize::try_from(metadata.len().min(LONGEST)).unwrap_or_default();
        bytes.reserve_exact(length + 1);
        file.take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > LONGEST {
            return Ok(Loaded::Damaged("it is too large".to_owned()));
        }
        decode(&bytes, &path)
    }

    /// Writes room for the next content to the disk and renames it once, so that a full disk, a
    /// read-only directory or a failing one is noticed while there is nothing to lose.
    pub(super) fn prove_writable(&self) -> Result<Reservation, Error> {
        /// How much can an answer add to a session? Tokens of 16 KB are the largest seen.
        const ROOM: u64 = 64 * 1024;
        let length = fs::metadata(self.path()).map_or(0, |metadata| metadata.len()) + ROOM;
        let prove = || -> io::Result<Reservation> {
            let (temporary, mut file) = self.create_temporary("proof")?;
            let blank = vec![b' '; usize::try_from(length).map_err(io::Error::other)?];
            file.write_all(&blank)?;
            file.sync_all()?;
            let path = self.temporary("room");
            platform::patiently(|| fs::rename(&temporary, &path))?;
            Ok(Reservation {
                temporary: Temporary(Some(path)),
                file,
            })
        };
        prove().map_err(|error| {
            self.remove_temporaries();
            failed("the session cannot be written", &self.path(), &error)
                .hint("mend the disk or its permissions; the sign-in was not touched")
        })
    }

    /// Replaces the session, durably. The guard that the caller holds is the proof that nobody
    /// else does.
    pub(super) fn save(
        &self,
        session: &Session,
        seal: &dyn Seal,
        reservation: Option<Reservation>,
    ) -> Result<(), Error> {
        let text = encode(session, seal)?;
        let write = || -> io::Result<()> {
            let (temporary, mut file) = match reservation {
                Some(Reservation {
                    temporary,
                    mut file,
                }) => {
                    file.rewind()?;
                    (temporary, file)
                }
                None => {
                    let (path, file) = self.create_temporary("new")?;
                    (Temporary(Some(path)), file)
                }
            };
            file.write_all(text.as_bytes())?;
            file.set_len(text.len() as u64)?;
            file.sync_all()?;
            drop(file);
            temporary.rename(&self.path())?;
            platform::sync_directory(&self.directory)
        };
        write().map_err(|error| {
            self.remove_temporaries();
            failed("the session cannot be written", &self.path(), &error)
        })
    }

    /// Sets a damaged file aside under a name that tells when, and returns that name.
    pub(super) fn set_aside(&self, now: Timestamp) -> Result<PathBuf, Error> {
        let path = self.path();
        let aside = path.with_extension(format!("json.damaged-{}", now.0));
        platform::patiently(|| fs::rename(&path, &aside))
            .map_err(|error| failed("the damaged session cannot be set aside", &path, &error))?;
        Ok(aside)
    }

    /// Removes the session; the lock stays, since others may hold or await it.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let path = self.path();
        match platform::patiently(|| fs::remove_file(&path)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("the session cannot be removed", &path, &error)),
        }
        platform::sync_directory(&self.directory)
            .map_err(|error| failed("the session cannot be removed", &path, &error))
    }

    /// Whoever holds the lock owns these names: what lies there is of somebody who died.
    pub(super) fn remove_temporaries(&self) {
        for purpose in ["proof", "room", "new"] {
            // What is not there need not be removed; what cannot be is replaced later.
            drop(fs::remove_file(self.temporary(purpose)));
        }
    }

    fn create_temporary(&self, purpose: &str) -> io::Result<(PathBuf, File)> {
        let path = self.temporary(purpose);
        match platform::patiently(|| fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = platform::private_file();
        options.write(true).create_new(true);
        // A file that somebody still has open keeps its name for a moment after its removal.
        let file = platform::patiently(|| options.open(&path))?;
        Ok((path, file))
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("{what}: `{}`", path.display())).because(error)
}

fn refuse(problem: Option<(String, String)>) -> Result<(), Error> {
    match problem {
        Some((problem, command)) => {
            Err(Error::new(ErrorKind::Store, problem).hint(format!("run `{command}`")))
        }
        None => Ok(()),
    }
}

fn encode(session: &Session, seal: &dyn Seal) -> Result<Zeroizing<String>, Error> {
    let bug = |error: serde_json::Error| {
        Error::new(
            ErrorKind::Internal,
            "BUG: a session cannot be written as JSON",
        )
        .because(error)
    };
    let content = Zeroizing::new(serde_json::to_string(session).map_err(bug)?);
    let held = Zeroizing::new(seal.seal(&content)?.into_owned());
    let envelope = Envelope {
        version: VERSION,
        seal: Header {
            name: Cow::Borrowed(seal.name()),
            parameters: None,
        },
        content: serde_json::from_str(&held).map_err(bug)?,
    };
    let mut text = Zeroizing::new(serde_json::to_string(&envelope).map_err(bug)?);
    text.push('\n');
    Ok(text)
}

/// Reads a file's bytes: a session, a damaged one, or the error that it is of a newer version or
/// cannot be opened, which leaves it untouched.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Loaded, Error> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let envelope = match serde_json::from_slice::<Envelope<'_>>(bytes) {
        Ok(envelope) if envelope.version == VERSION => envelope,
        other => {
            // The form of a newer version is not ours to judge.
            if let Ok(Version { version }) = serde_json::from_slice(bytes)
                && version > VERSION
            {
                return Err(Error::new(
                    ErrorKind::Store,
                    format!(
                        "`{}` is of version {version}, and this program knows {VERSION}",
                        path.display()
                    ),
                )
                .hint("use the newer cred-helper that wrote it"));
            }
            let reason = other.err().map_or_else(
                || "its version is unknown".to_owned(),
                |error| printable(&error.to_string()),
            );
            return Ok(Loaded::Damaged(reason));
        }
    };
    let Some(seal) = seal::find(&envelope.seal.name) else {
        return Err(Error::new(
            ErrorKind::Store,
            format!(
                "`{}` is sealed by `{}`, which this program does not know",
                path.display(),
                printable(&envelope.seal.name)
            ),
        )
        .hint("use the newer cred-helper that wrote it"));
    };
    let content = seal.open(envelope.seal.parameters, envelope.content.get())?;
    match serde_json::from_str(&content) {
        Ok(session) => Ok(Loaded::Session(Box::new(session), seal.name())),
        Err(error) => Ok(Loaded::Damaged(position(&error))),
    }
}

/// Where a content is wrong. What is wrong may be a secret, so it is not shown.
fn position(error: &serde_json::Error) -> String {
    format!("its content is wrong at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Barrier;

    use super::{Loaded, Session, SessionFile, decode, encode};
    use crate::error::ErrorKind;
    use crate::store::seal;

    #[test]
    fn whoever_reads_while_the_session_is_replaced_finds_a_whole_one() {
        const ROUNDS: u32 = 100;
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = SessionFile::new(directory.path().join("sessions"), "name".to_owned());
        let save = |proved: bool| {
            let reservation = proved.then(|| file.prove_writable()).transpose()?;
            let seal = seal::for_new_files("none");
            file.save(&Session::default(), seal, reservation)
        };
        file.create_directory().unwrap();
        save(false).unwrap();
        let together = Barrier::new(2);
        let (loaded, saved) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let load = |_| {
                    together.wait();
                    file.load()
                };
                (0..ROUNDS).map(load).collect::<Vec<_>>()
            });
            let saved = (0..ROUNDS).map(|round| {
                together.wait();
                save(round % 2 == 0)
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
    fn a_file_is_a_session_or_damaged_or_not_ours_to_touch() {
        let written = encode(&Session::default(), seal::for_new_files("none")).unwrap();
        assert!(matches!(
            decode(written.as_bytes(), Path::new("x")),
            Ok(Loaded::Session(session, "none")) if *session == Session::default()
        ));
        for damaged in [
            "",
            "{",
            "null",
            "[]",
            &written[..written.len() / 2],
            r#"{"version":0,"seal":{"name":"none"},"content":{}}"#,
            r#"{"version":1,"seal":{"name":"none"},"content":[1]}"#,
            r#"{"version":1,"seal":{"name":"none"}}"#,
            "\0\0\0\0",
        ] {
            let loaded = decode(damaged.as_bytes(), Path::new("x"));
            assert!(matches!(loaded, Ok(Loaded::Damaged(_))), "{damaged}");
        }
        for foreign in [
            r#"{"version":2,"anything":"else"}"#,
            r#"{"version":2,"seal":{"name":"none"},"content":{}}"#,
            r#"{"version":1,"seal":{"name":"tpm"},"content":"c2VhbGVk"}"#,
        ] {
            let error = decode(foreign.as_bytes(), Path::new("x")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Store, "{foreign}");
        }
    }
}
