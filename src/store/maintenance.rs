//! What is done to all sessions at once: listed, sealed in another way, sealed with another key.
//!
//! One file after the other, each under its own lock and replaced as in a refresh: whatever dies,
//! whenever, each file is whole, and its key is where it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::choice::{self, Choice};
use super::file::{SealWith, SessionFile};
use super::lock::{self, Patience};
use super::seal::{self, Key, KeysAtHand, Room, SEALS, Seal, Sealing};
use super::{patiently, sessions};
use crate::context::Context;
use crate::error::{Error, ErrorKind};

/// All sessions of a user.
pub struct Maintenance<'a> {
    directory: PathBuf,
    sealing: &'a Sealing,
    context: &'a Context<'a>,
    at_hand: KeysAtHand,
    lock_timeout: Duration,
}

/// How a session lies, as far as that is told without its key.
#[derive(Debug)]
pub struct Listed {
    /// Its file.
    pub path: PathBuf,
    /// Its seal, and its key's id; what is wrong with it.
    pub seal: Result<(&'static Seal, Option<String>), Error>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Files that were sealed, or would be.
    pub sealed: Vec<PathBuf>,
    /// How many lay as they should already.
    pub as_before: usize,
    /// Files that could not be sealed, and why. They lie as before.
    pub failed: Vec<(PathBuf, Error)>,
}

/// Which sessions are sealed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// Those that have the same seal already.
    OfItsKind,
}

impl<'a> Maintenance<'a> {
    /// The sessions in the state directory. Nothing is touched.
    pub fn new(
        state: &Path,
        sealing: &'a Sealing,
        lock_timeout: Option<Duration>,
        context: &'a Context<'a>,
    ) -> Self {
        /// How long is one session's lock waited for?
        const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
        Self {
            directory: sessions(state),
            sealing,
            context,
            at_hand: KeysAtHand::default(),
            lock_timeout: lock_timeout.unwrap_or(LOCK_TIMEOUT),
        }
    }

    fn room(&self) -> Room<'_> {
        Room {
            at_hand: &self.at_hand,
            sealing: self.sealing,
            context: self.context,
            directory: &self.directory,
        }
    }

    fn file(&self, digest: String) -> SessionFile {
        SessionFile::new(self.directory.clone(), digest)
    }

    /// How each session lies.
    pub fn list(&self) -> Vec<Listed> {
        let files = digests(&self.directory, ".json").into_iter();
        files
            .filter_map(|digest| {
                let file = self.file(digest);
                let seal = match file.lying() {
                    Ok(Some(lying)) => Ok((lying.seal, lying.key)),
                    Ok(None) => match file.path().exists() {
                        true => Err(Error::new(ErrorKind::Store, "it is damaged")),
                        false => return None,
                    },
                    Err(error) => Err(error),
                };
                let path = file.path();
                Some(Listed { path, seal })
            })
            .collect()
    }

    /// Seals every session in another way, and has new ones sealed so where nothing is configured.
    ///
    /// # Errors
    /// `config`, if something else is configured; `store`, if there is no key; `busy`.
    pub fn migrate(&self, to: &'static Seal, is_dry: bool) -> Result<Done, Error> {
        if let Some(configured) = self.sealing.configured()
            && configured != to
        {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the configuration says `seal = \"{}\"`, and every session would soon lie so again",
                    configured.name
                ),
            )
            .hint("change `seal` below `[store]` first, or leave it out"));
        }
        let room = self.room();
        if is_dry {
            to.check(&room).map_err(|reason| {
                Error::new(ErrorKind::Store, format!("`{}` cannot be used", to.name))
                    .because(reason)
            })?;
            return self.seal_all(to, Which::All, true);
        }
        let _guard = self.lock()?;
        choice::change(room.directory, self.context, |before| {
            let choice = match before {
                Some(choice) if choice.seal == to.name => choice,
                other => choice::choose(to, other, &room)?.0,
            };
            let choice = Choice {
                is_migrated: true,
                ..choice
            };
            Ok((choice, ()))
        })?;
        self.seal_as_chosen(to, Which::All)
    }

    /// Seals every session that is sealed with a key with a new one, and forgets the old one.
    ///
    /// # Errors
    /// `store`, if there is no new key, or nothing is sealed; `busy`.
    pub fn rekey(&self) -> Result<Done, Error> {
        let room = self.room();
        let _guard = self.lock()?;
        let chosen = choice::read(room.directory)?.and_then(|choice| seal::find(&choice.seal));
        let seal = self.sealing.configured().or(chosen);
        let seal = seal.or_else(|| sealed(room.directory));
        let Some(seal) = seal.filter(|seal| seal.has_keys()) else {
            return Err(Error::new(
                ErrorKind::Store,
                "the sessions are not sealed, so there is no key to replace",
            )
            .next(["cred-helper", "store", "migrate", "--to", SEALS[0].name]));
        };
        choice::change(room.directory, self.context, |before| {
            choice::choose(seal, before, &room)
        })?;
        self.seal_as_chosen(seal, Which::OfItsKind)
    }

    /// Drops what the operating system's memory holds of keys, so that the next call asks the keyring or
    /// the command. How many there were.
    ///
    /// # Errors
    /// `store`.
    pub fn lock_keys(&self) -> Result<usize, Error> {
        let mut ids: BTreeSet<String> = self.named();
        if let Some(choice) = choice::read(&self.directory)? {
            ids.extend(choice.key);
            ids.extend(choice.retired);
        }
        let forgotten = ids.iter().filter(|id| self.context.key_cache.forget(id));
        Ok(forgotten.count())
    }

    /// Seals as it was chosen, then forgets the keys that nothing is sealed with any more.
    fn seal_as_chosen(&self, seal: &'static Seal, which: Which) -> Result<Done, Error> {
        let done = self.seal_all(seal, which, false)?;
        // Whoever holds a lock still may be about to use one of them.
        if done.failed.is_empty() {
            self.forget_keys()?;
        }
        Ok(done)
    }

    fn seal_all(&self, seal: &'static Seal, which: Which, is_dry: bool) -> Result<Done, Error> {
        let room = self.room();
        let chosen = choice::read(room.directory)?;
        let chosen = chosen.filter(|choice| choice.seal == seal.name);
        let id = chosen.and_then(|choice| choice.key);
        // Whoever chose before that holds their session's lock still, and its file was there before: it
        // is among these.
        let mut names = digests(&self.directory, ".json");
        names.extend(digests(&self.directory, ".lock"));
        let mut done = Done::default();
        for name in names {
            let file = self.file(name);
            let path = file.path();
            match self.seal_one(&file, (seal, id.as_deref()), which, is_dry) {
                Ok(Some(true)) => done.sealed.push(path),
                Ok(Some(false)) => done.as_before += 1,
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => done.failed.push((path, error)),
            }
        }
        Ok(done)
    }

    /// Whether it was sealed; `None` where there is no session.
    fn seal_one(
        &self,
        file: &SessionFile,
        (seal, id): (&'static Seal, Option<&str>),
        which: Which,
        is_dry: bool,
    ) -> Result<Option<bool>, Error> {
        let room = &self.room();
        let patience = Patience {
            limit: self.lock_timeout,
            waiting_for: "another process that refreshes a session",
            hint: "run the command again: what was sealed already stays so",
        };
        let _guard = if is_dry {
            None
        } else {
            lock::acquire(&file.lock_path(), &patience, self.context, &mut || false)?
        };
        let Some(lying) = file.lying()? else {
            // A damaged one is somebody's, and told of.
            return patiently(file, room, &mut |find| {
                let with = SealWith { seal, key: None };
                file.reseal(&with, self.context.random, find)
            })
            .map(|_| None);
        };
        let is_of_kind = lying.seal == seal;
        if is_of_kind && lying.key.as_deref() == id || !is_of_kind && which == Which::OfItsKind {
            return Ok(Some(false));
        }
        if is_dry {
            return Ok(Some(true));
        }
        // Ctrl-C ends it between two files.
        self.context.signals.check()?;
        let with = || -> Result<SealWith, Error> {
            let key: Option<Key> = match id {
                Some(id) => Some(seal.find(id, room)?.ok_or_else(|| seal::gone(seal, id))?),
                None => None,
            };
            Ok(SealWith { seal, key })
        };
        let with = with()?;
        patiently(file, room, &mut |find| {
            file.reseal(&with, self.context.random, find)
        })
        .map(Some)
    }

    /// Forgets the keys that no file is sealed with any more.
    fn forget_keys(&self) -> Result<(), Error> {
        let room = self.room();
        choice::change(&self.directory, self.context, |choice| {
            let mut choice: Choice = choice.unwrap_or_default();
            let named = self.named();
            let mut kept = Vec::new();
            for id in std::mem::take(&mut choice.retired) {
                if named.contains(&id) {
                    kept.push(id);
                } else if let Err(error) = seal::forget(&id, &room) {
                    self.context.warn(&format!(
                        "the key `{id}`, which nothing is sealed with any more, is still there: {error}"
                    ));
                    kept.push(id);
                }
            }
            choice.retired = kept;
            Ok((choice, ()))
        })
    }

    /// The ids of all keys that a file is sealed with, also one that was set aside.
    fn named(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let texts = entries.filter_map(|entry| fs::read(entry.path()).ok());
        texts
            .filter_map(|bytes| super::file::key_of(&bytes))
            .collect()
    }

    /// One maintenance at a time.
    fn lock(&self) -> Result<lock::Guard, Error> {
        super::file::create_directory(&self.directory)?;
        let patience = Patience {
            limit: self.lock_timeout,
            waiting_for: "another `cred-helper store`",
            hint: "let it end, then run this again",
        };
        let path = self.directory.join("maintenance.lock");
        let guard = lock::acquire(&path, &patience, self.context, &mut || false)?;
        Ok(guard.expect("nothing settles it but the lock"))
    }
}

/// What some session is sealed with; `None` where each lies open.
pub(super) fn sealed(directory: &Path) -> Option<&'static Seal> {
    let files = digests(directory, ".json").into_iter();
    let mut lying = files.filter_map(|digest| {
        let file = SessionFile::new(directory.to_owned(), digest);
        file.lying().ok().flatten()
    });
    let lying = lying.find(|lying| lying.seal.has_keys());
    lying.map(|lying| lying.seal)
}

/// The names of sessions that have a file of that ending.
pub(super) fn digests(directory: &Path, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let digest = name.strip_suffix(ending)?;
            let is_digest =
                digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_digest.then(|| digest.to_owned())
        })
        .collect()
}
