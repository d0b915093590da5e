//! Whether all is well with the sessions of a user. What is wrong is told, and nothing is changed:
//! what is written for that is removed, and no session is touched.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::choice;
use super::file::{self, Lying, SealWith, SessionFile};
use super::lock::{self, Found};
use super::maintenance::digests;
use super::seal::{self, Key, KeysAtHand, NotKept, Room, Seal, Sealing};
use super::session::Session;
use super::{Loaded, next_seal, patiently, sessions};
use crate::context::{Context, KeyCache};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::system::platform;
use crate::token::Timestamp;

/// What holds keys for a while, read and left as it is.
pub struct AsItIs<'a>(pub &'a dyn KeyCache);

impl KeyCache for AsItIs<'_> {
    fn is_known(&self) -> bool {
        self.0.is_known()
    }

    fn read(&self, name: &str) -> Option<Secret> {
        self.0.read(name)
    }

    fn keep(&self, _name: &str, _secret: &Secret, _lifetime: Duration) {}

    fn forget(&self, _name: &str) -> bool {
        false
    }
}

/// What is written only to see whether it can be has this in its name.
const EXAMINATION: &str = "examination";

/// All sessions of a user, as they are.
pub struct Examination<'a> {
    state: PathBuf,
    directory: PathBuf,
    sealing: &'a Sealing,
    context: &'a Context<'a>,
    at_hand: KeysAtHand,
    /// Whether the place of a seal's keys is locked: it is asked once.
    locked: OnceCell<Result<bool, Error>>,
}

/// A lock that somebody holds.
#[derive(Debug)]
pub struct Held {
    /// Its file.
    pub path: PathBuf,
    /// The process and its program, where the system tells them.
    pub holder: Option<(u32, Option<PathBuf>)>,
    /// Whether a person is asked to sign in meanwhile, which takes as long as it takes.
    pub is_sign_in: bool,
}

/// How the session files open.
#[derive(Debug, Default)]
pub struct Opened {
    /// How many did.
    pub count: usize,
    /// How many would have somebody asked to unlock the keyring.
    pub locked: usize,
    /// Those that did not.
    pub failed: Vec<Error>,
}

impl<'a> Examination<'a> {
    /// The sessions in the state directory. Nothing is touched.
    pub fn new(state: &Path, sealing: &'a Sealing, context: &'a Context<'a>) -> Self {
        Self {
            state: state.to_owned(),
            directory: sessions(state),
            sealing,
            context,
            at_hand: KeysAtHand::default(),
            locked: OnceCell::new(),
        }
    }

    /// Where the sessions lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn room(&self) -> Room<'_> {
        Room {
            at_hand: &self.at_hand,
            sealing: self.sealing,
            context: self.context,
            directory: &self.directory,
        }
    }

    fn file(&self, digest: &str) -> SessionFile {
        SessionFile::new(self.directory.clone(), digest.to_owned())
    }

    /// A name for what is written only to see whether it can be.
    fn probe(&self) -> String {
        format!("{EXAMINATION}-{}", std::process::id())
    }

    /// Removes what those before wrote to see whether it can be, and were killed meanwhile.
    fn remove_probes(&self, directory: &Path, prefix: &str) {
        /// For how long may one be at it?
        const LONGEST: Duration = Duration::from_secs(60);
        let is_old = |path: &PathBuf| {
            let written = fs::metadata(path).and_then(|metadata| metadata.modified());
            let written = written.ok().map(Timestamp::from);
            let longest = i64::try_from(LONGEST.as_secs()).unwrap_or(i64::MAX);
            written.is_some_and(|at| self.context.clock.now().since(at) > longest)
        };
        for path in named(directory, |name| name.starts_with(prefix)) {
            if is_old(&path) {
                // What cannot be removed is in nobody's way.
                drop(fs::remove_file(path));
            }
        }
    }

    /// Whether there is a directory of sessions already.
    pub fn is_there(&self) -> bool {
        self.directory.is_dir()
    }

    /// What is wrong with the directories: who owns them, who else can write them.
    pub fn directory_problems(&self) -> Vec<Error> {
        let mut problems = Vec::new();
        for path in [&self.state, &self.directory] {
            let wrong = |what: &str| {
                let message = format!("`{}` {what}", path.display());
                Error::new(ErrorKind::Store, message)
                    .hint("move it away, or set CRED_HELPER_STATE to a directory of your own")
            };
            match fs::metadata(path) {
                Ok(metadata) if !metadata.is_dir() => problems.push(wrong("is no directory")),
                Ok(metadata) => {
                    let refused = file::refuse(platform::trusted_problem(path, &metadata));
                    problems.extend(refused.err());
                }
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    problems.push(wrong("cannot be read").because(error));
                }
                Err(_) if fs::symlink_metadata(path).is_ok() => {
                    problems.push(wrong("is a link that leads nowhere"));
                }
                Err(_) => {}
            }
            if !problems.is_empty() {
                break;
            }
        }
        problems
    }

    /// Writes as much as a session needs, durably, and removes it again; where there is no directory of
    /// sessions yet, whether one could be made.
    ///
    /// # Errors
    /// `store`.
    pub fn prove_writable(&self) -> Result<(), Error> {
        if self.is_there() {
            self.remove_probes(&self.directory, &format!(".tmp-{EXAMINATION}"));
            let proved = self.file(&self.probe()).prove_writable();
            return proved.map(drop).map_err(|error| {
                let directory = self.directory.display();
                let message = format!("no session can be written in `{directory}`");
                let found = Error::new(ErrorKind::Store, message);
                let found = error.causes().iter().fold(found, Error::because);
                found.hint(error.hint_text().unwrap_or_default())
            });
        }
        let mut above = self.directory.ancestors();
        let Some(nearest) = above.find(|path| path.exists()) else {
            return Ok(());
        };
        self.remove_probes(nearest, &format!(".tmp-cred-helper-{EXAMINATION}"));
        let path = nearest.join(format!(".tmp-cred-helper-{}", self.probe()));
        let mut options = platform::private_file();
        let made = options.write(true).create_new(true).open(&path);
        // It is not there where it could not be made.
        drop(fs::remove_file(&path));
        made.map(drop).map_err(|error| {
            let message = format!(
                "`{}` cannot be made in `{}`",
                self.directory.display(),
                nearest.display()
            );
            Error::new(ErrorKind::Store, message)
                .because(error)
                .hint("make that writable, or set CRED_HELPER_STATE to a directory that is")
        })
    }

    /// Whether the file system has locks.
    ///
    /// # Errors
    /// `store`, if not.
    pub fn prove_lockable(&self) -> Result<(), Error> {
        let path = self.directory.join(format!(".tmp-{}.lock", self.probe()));
        let found = lock::look(&path);
        drop(fs::remove_file(&path));
        match found? {
            Found::Free | Found::Held(_) => Ok(()),
            Found::Impossible(reason) => {
                let message = format!(
                    "the file system of `{}` has no locks: two calls at once could lose a sign-in",
                    self.directory.display()
                );
                Err(Error::new(ErrorKind::Store, message)
                    .because(reason)
                    .hint("set CRED_HELPER_STATE to a local directory"))
            }
        }
    }

    /// The locks that stay held for as long as `patience`.
    ///
    /// # Errors
    /// `interrupted`, or `store` for a lock that cannot be looked at.
    pub fn held_locks(&self, patience: Duration) -> Result<Vec<Held>, Error> {
        const PAUSE: Duration = Duration::from_millis(50);
        let until = self.context.clock.monotonic() + patience;
        let mut held = Vec::new();
        for path in self.named(|name| name.ends_with(".lock")) {
            let is_sign_in = path.to_string_lossy().ends_with(".sign-in.lock");
            while let Found::Held(process) = lock::look(&path)? {
                if is_sign_in || self.context.clock.monotonic() >= until {
                    let holder = process.map(|process| (process, platform::program_of(process)));
                    held.push(Held {
                        path,
                        holder,
                        is_sign_in,
                    });
                    break;
                }
                self.context.clock.sleep(PAUSE)?;
            }
        }
        Ok(held)
    }

    /// The files in the directory whose name is such a one.
    fn named(&self, is_it: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        named(&self.directory, is_it)
    }

    /// Temporary files of those who died: nobody holds the lock that they were written under.
    pub fn abandoned(&self) -> Vec<PathBuf> {
        let mut found = self.named(|name| {
            let temporary = name.strip_prefix(".tmp-");
            // Those of an examination that is under way are its own.
            temporary.is_some_and(|name| !name.starts_with(EXAMINATION))
        });
        found.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let digest = name.trim_start_matches(".tmp-").split('-').next();
            let lock = self.file(digest.unwrap_or_default()).lock_path();
            !lock.exists() || matches!(lock::look(&lock), Ok(Found::Free))
        });
        found
    }

    /// Damaged files that were set aside.
    pub fn set_aside(&self) -> Vec<PathBuf> {
        self.named(|name| name.contains(file::SET_ASIDE))
    }

    /// What new sessions are sealed with, and where that is nothing for want of a keyring, why.
    ///
    /// # Errors
    /// `store`.
    pub fn seal(&self) -> Result<(&'static Seal, Option<String>), Error> {
        let choice = choice::read(&self.directory)?;
        let (seal, reason) = next_seal(choice.as_ref(), None, &self.room())?;
        // It may have been chosen when there was no keyring, and there is none still.
        match self.best_seal() {
            Some((best, why)) if !seal.has_keys() && !best.has_keys() => Ok((seal, reason.or(why))),
            _ => Ok((seal, reason)),
        }
    }

    /// The seal that `auto` would take, if it were to choose now, and where that is none, why; `None` where
    /// something else was said.
    pub fn best_seal(&self) -> Option<(&'static Seal, Option<String>)> {
        let choice = choice::read(&self.directory).ok()?;
        let is_said = choice.is_some_and(|choice| choice.is_migrated);
        if is_said || self.sealing.configured().is_some() {
            return None;
        }
        seal::best(&self.room()).ok()
    }

    /// Whether what was decided about new sessions cannot be read any more.
    pub fn is_choice_damaged(&self) -> bool {
        choice::is_damaged(&self.directory)
    }

    /// Whether a person would be asked to unlock the keyring, if the key of that seal were needed.
    ///
    /// # Errors
    /// `store`, if that cannot be told.
    pub fn is_locked(&self, seal: &Seal) -> Result<bool, Error> {
        if !seal.has_keys() {
            return Ok(false);
        }
        let asked = || seal.is_locked(&self.room());
        self.locked.get_or_init(asked).clone()
    }

    /// Makes a key to be tried, and keeps it under a name of which there is one: where this process is
    /// killed, the next one takes it away.
    fn keep_probe(&self, seal: &Seal, room: &Room<'_>) -> Result<Option<Key>, NotKept> {
        let drawn = seal.draw(room).map_err(|error| NotKept {
            error,
            may_be_there: false,
        })?;
        let key = drawn.map(|key| match seal.makes_keys() {
            true => key.known_as(EXAMINATION),
            false => key,
        });
        key.iter().try_for_each(|key| seal.keep(key, room))?;
        Ok(key)
    }

    /// Seals a session with a token of 64 KB and opens it again, in memory, with the key of new sessions;
    /// where there is none yet, with one that is made and forgotten. The keyring or the command is asked,
    /// not what holds its key for a while.
    ///
    /// # Errors
    /// `store` or `config`.
    pub fn round_trip(&self, seal: &'static Seal) -> Result<(), Error> {
        /// How long is the longest token that is to be kept?
        const LARGE: usize = 64 * 1024;
        let room = self.room();
        let choice = choice::read(&self.directory)?;
        let id = choice.as_ref().and_then(|choice| choice.key(seal));
        // Ctrl-C waits until the key is gone again.
        let _shield = self.context.signals.shield();
        let key = match id {
            Some(id) => {
                let found = seal.find_anew(id, &room)?;
                Some(found.ok_or_else(|| seal::gone(seal, id))?)
            }
            None => {
                let kept = self.keep_probe(seal, &room);
                // Another one may have taken its own away meanwhile.
                kept.or_else(|_| self.keep_probe(seal, &room))
                    .map_err(|not_kept| not_kept.error)?
            }
        };
        let is_made = id.is_none();
        let mut session = Session::default();
        session.imported.push("x".repeat(LARGE));
        let with = SealWith { seal, key };
        let content = file::content(&session)?;
        let is_same = file::survives(&content, &with, &self.probe(), self.context.random);
        if let Some(key) = with.key.filter(|_| is_made && seal.makes_keys()) {
            seal::forget(key.id(), &room)?;
        }
        match is_same? {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Internal,
                "BUG: what was sealed is not what was opened",
            )),
        }
    }

    /// How this session lies, and whether that opens without anybody being asked to unlock a keyring.
    ///
    /// # Errors
    /// `store`.
    pub fn opens_unasked(&self, path: &Path) -> Result<bool, Error> {
        let digest = path.file_stem().unwrap_or_default().to_string_lossy();
        match self.file(&digest).lying()? {
            Some(lying) => self.is_at_hand(&lying),
            None => Ok(true),
        }
    }

    fn is_at_hand(&self, lying: &Lying) -> Result<bool, Error> {
        let is_cached = |id: &String| self.context.key_cache.read(id).is_some();
        let is_cached = self.sealing.key_cache != Some(Duration::ZERO)
            && lying.key.as_ref().is_some_and(is_cached);
        Ok(is_cached || !self.is_locked(lying.seal)?)
    }

    /// Opens every sealed session, and forgets what is in it.
    pub fn open_all(&self) -> Opened {
        let mut opened = Opened::default();
        let room = self.room();
        for digest in digests(&self.directory, ".json").unwrap_or_default() {
            let file = self.file(&digest);
            // What is told without a key is told elsewhere.
            let Ok(Some(lying)) = file.lying() else {
                continue;
            };
            if !lying.seal.has_keys() {
                continue;
            }
            let loaded = match self.is_at_hand(&lying) {
                Ok(true) => patiently(&file, &room, &mut |find| file.load(find)),
                Ok(false) => {
                    opened.locked += 1;
                    continue;
                }
                Err(error) => Err(error),
            };
            match loaded {
                Ok(Loaded::Session(..) | Loaded::Absent) => opened.count += 1,
                Ok(Loaded::Damaged(reason)) => {
                    opened.failed.push(file.damaged(&reason));
                }
                Err(error) => opened.failed.push(error),
            }
        }
        opened
    }

    /// Whether the operating system's memory holds keys for a while; `None` where that is not wanted, or
    /// not known on this system.
    pub fn is_key_cache_usable(&self, cache: &dyn KeyCache) -> Option<bool> {
        if !cache.is_known() || self.sealing.key_cache == Some(Duration::ZERO) {
            return None;
        }
        let (name, secret) = (self.probe(), Secret::new("examination"));
        cache.keep(&name, &secret, Duration::from_secs(5));
        let is_kept = cache.read(&name) == Some(secret);
        cache.forget(&name);
        Some(is_kept)
    }
}

/// The files in a directory whose name is such a one.
fn named(directory: &Path, is_it: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&is_it))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}
