//! What is done to all sessions at once: listed, sealed in another way, sealed with another key, ended.
//!
//! One file after the other, each under its own lock and replaced as in a refresh: whatever dies,
//! whenever, each file is whole, and its key is where it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::choice::{self, Change, Choice};
use super::file::{self, Loaded, SET_ASIDE, SealWith, SessionFile, entries, if_there, unreadable};
use super::lock::{self, Patience};
use super::seal::{Key, KeysAtHand, Room, SEALS, Seal, Sealing};
use super::session::Session;
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

/// What was ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// How many sign-ins.
    pub count: usize,
    /// Why others lie as before; each names its file.
    pub failed: Vec<Error>,
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
    ///
    /// # Errors
    /// `store`, if the directory of sessions cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let listed = digests(&self.directory, ".json")?.into_iter();
        let listed = listed.filter_map(|digest| {
            let file = self.file(digest);
            let seal = match file.found() {
                Ok(Some(Ok(lying))) => Ok((lying.seal, lying.key)),
                Ok(Some(Err(reason))) => Err(file.damaged(&reason)),
                // It was removed meanwhile.
                Ok(None) => return None,
                Err(error) => Err(error),
            };
            let path = file.path();
            Some(Listed { path, seal })
        });
        Ok(listed.collect())
    }

    /// Seals every session in another way, and has new ones sealed so where nothing is configured.
    ///
    /// # Errors
    /// `config`, if something else is configured; `store`, if there is no key; `busy`; `interrupted`.
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
            .hint(
                "change `seal` below `[store]`, or `[policy]` of the machine-wide file, first; or \
                 leave it out",
            ));
        }
        let room = self.room();
        let look = |id: Option<&str>| {
            let mut looked = self.seal_all(Which::All, &|file| self.look_at(file, (to, id)))?;
            if !to.has_keys() && !looked.failed.is_empty() {
                // Where a sealed one cannot be opened, those that are refreshed later do not lie open
                // for that.
                looked.sealed.clear();
            }
            Ok(looked)
        };
        if is_dry {
            let id = self.key_of_migration(to)?;
            return look(id.as_deref());
        }
        let guard = self.lock()?;
        if !to.has_keys() {
            let looked = look(None)?;
            if !looked.failed.is_empty() {
                return Ok(looked);
            }
        }
        self.seal_anew(&guard, to, Which::All, |change| {
            let key = choice::kept_or_chosen(to, change, &room)?;
            change.choice.migrate(to);
            Ok(key)
        })
    }

    /// The id of the key that a migration would take, or of one like that which it would make; `None`
    /// for no seal.
    fn key_of_migration(&self, to: &'static Seal) -> Result<Option<String>, Error> {
        let room = self.room();
        to.check(&room).map_err(|reason| {
            let message = format!("`{}` cannot be used now", to.name);
            Error::new(ErrorKind::Store, message)
                .because(reason)
                .hint("see that there is a keyring, and it is unlocked; nothing was changed")
        })?;
        let choice = choice::read(&self.directory)?;
        let chosen = choice.as_ref().and_then(|choice| choice.key(to));
        let key = match choice::kept(to, chosen, &room)? {
            None => to.draw(&room)?,
            kept => kept,
        };
        Ok(key.map(|key| key.id().to_owned()))
    }

    /// Seals every session that is sealed as new ones are with a new key, and forgets the old one.
    ///
    /// # Errors
    /// `store`, if there is no new key, or nothing is sealed; `busy`; `interrupted`.
    pub fn rekey(&self) -> Result<Done, Error> {
        let guard = self.lock()?;
        let choice = choice::read(&self.directory)?;
        let seal = match self.sealing.configured() {
            Some(configured) => Some(configured),
            None => choice.as_ref().and_then(Choice::seal),
        };
        let seal = match seal {
            None => sealed(&self.directory)?,
            some => some,
        };
        let Some(seal) = seal.filter(|seal| seal.has_keys()) else {
            let message = "new sign-ins are not sealed, so there is no key to replace";
            let error = Error::new(ErrorKind::Store, message);
            return Err(match self.sealing.configured() {
                Some(configured) => error.hint(format!(
                    "the configuration says `seal = \"{}\"`: have it say another, or nothing, and \
                     run `cred-helper store migrate --to {}`",
                    configured.name, SEALS[0].name
                )),
                None => error.next(["cred-helper", "store", "migrate", "--to", SEALS[0].name]),
            });
        };
        let room = self.room();
        let mut is_same = false;
        let done = self.seal_anew(&guard, seal, Which::OfItsKind, |change| {
            let before = change.choice.key(seal).map(str::to_owned);
            let key = choice::choose(seal, change, &room)?;
            is_same = before.as_deref() == key.as_ref().map(Key::id);
            Ok(key)
        })?;
        // Where one that was interrupted is ended, it was another before that.
        if is_same && done.sealed.is_empty() && done.failed.is_empty() {
            let told = "`command` prints the same key as before: that one is replaced by having it \
                        print another";
            self.context.inform(told);
        }
        Ok(done)
    }

    /// Drops what the operating system's memory holds of keys, so that the next call asks the keyring or
    /// the command. How many there were.
    ///
    /// # Errors
    /// `store`.
    pub fn lock_keys(&self) -> Result<usize, Error> {
        let (mut ids, unread) = self.named_as_far_as_read()?;
        let choice = choice::read(&self.directory);
        if let Ok(Some(choice)) = &choice {
            ids.extend(choice.ids().cloned());
        }
        // What can be dropped is, whatever else is wrong.
        let forgotten = ids.iter().filter(|id| self.context.key_cache.forget(id));
        let count = forgotten.count();
        choice?;
        unread.map_or(Ok(count), Err)
    }

    /// Ends every session but those whose files are of a profile: whose the others are is in no
    /// configuration, and with it how they are revoked.
    ///
    /// # Errors
    /// `store`, if the directory of sessions cannot be read; `interrupted`.
    pub fn end_others(&self, of_profiles: &BTreeSet<PathBuf>) -> Result<Ended, Error> {
        let mut names = digests(&self.directory, ".json")?;
        let set_aside = entries(&self.directory)?.into_iter().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (digest, _) = name.split_once(SET_ASIDE)?;
            is_digest(digest).then(|| digest.to_owned())
        });
        names.extend(set_aside);
        let mut ended = Ended::default();
        for name in names {
            let file = self.file(name);
            if of_profiles.contains(&file.path()) {
                continue;
            }
            match self.end(&file) {
                Ok(was_signed_in) => ended.count += usize::from(was_signed_in),
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => ended.failed.push(error),
            }
        }
        Ok(ended)
    }

    /// Ends a session. Whether somebody was signed in, or may have been.
    fn end(&self, file: &SessionFile) -> Result<bool, Error> {
        let path = file.path();
        let patience = Patience {
            limit: self.lock_timeout,
            waiting_for: &format!("another process that uses `{}`", path.display()),
            hint: "run the command again",
        };
        let _guard = lock::acquire(&file.lock_path(), &patience, self.context, &mut || false)?;
        file.remove_temporaries();
        // What is a newer version's, or others can read, is told of, and lies as before.
        let is_there = file.found()?.is_some();
        let set_aside = file.set_aside_before()?;
        for path in &set_aside {
            file.remove_file(path)?;
        }
        let was_set_aside = !set_aside.is_empty();
        if !is_there {
            return Ok(was_set_aside);
        }
        let mut key = None;
        let loaded = patiently(file, &self.room(), &mut |find| {
            file.load(&mut |seal, id| find(seal, id).inspect(|found| key.clone_from(found)))
        });
        let (session, seal) = match loaded {
            Ok(Loaded::Session(session, seal)) => (session, seal),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Ok(_) | Err(_) => {
                file.remove()?;
                return Ok(true);
            }
        };
        let was_signed_in = !session.accounts.is_empty();
        if session.imported.is_empty() {
            file.remove()?;
        } else if was_signed_in {
            // What was imported once must not be sent again, and its source may have it still.
            let rest = Session {
                identity: session.identity,
                imported: session.imported,
                ..Session::default()
            };
            let with = SealWith { seal, key };
            file.save(&file::content(&rest)?, &with, self.context.random, None)?;
        }
        Ok(was_signed_in || was_set_aside)
    }

    /// Has the key chosen, seals with it, then forgets the keys that nothing is sealed with any more.
    fn seal_anew(
        &self,
        _guard: &lock::Guard,
        seal: &'static Seal,
        which: Which,
        choose: impl FnOnce(&mut Change<'_>) -> Result<Option<Key>, Error>,
    ) -> Result<Done, Error> {
        let (key, retired) = choice::change(&self.directory, self.context, |change| {
            let key = choose(change)?;
            Ok((key, change.choice.retired().clone()))
        })?;
        let with = SealWith { seal, key };
        let done = self.seal_all(which, &|file| self.seal_one(file, &with, which))?;
        // Whoever holds a lock still may be about to use one of them.
        if done.failed.is_empty() {
            self.forget(&retired)?;
        }
        Ok(done)
    }

    /// Does one thing to every session. It gives whether that one was, or would be, sealed; `None` where
    /// there is no session.
    fn seal_all(
        &self,
        which: Which,
        one: &dyn Fn(&SessionFile) -> Result<Option<bool>, Error>,
    ) -> Result<Done, Error> {
        // Whoever chose before that holds their session's lock still, and its file was there before: it
        // is among these.
        let mut names = digests(&self.directory, ".json")?;
        names.extend(digests(&self.directory, ".lock")?);
        let mut done = Done::default();
        // Also between two files Ctrl-C ends it with a word.
        let _shield = self.context.signals.shield();
        for name in names {
            let file = self.file(name);
            let path = file.path();
            match self.context.signals.check().and_then(|()| one(&file)) {
                Ok(Some(true)) => done.sealed.push(path),
                Ok(Some(false)) => done.as_before += 1,
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    return Err(error.hint(match which {
                        Which::All => "what was sealed anew is whole; run it again for the rest",
                        Which::OfItsKind => {
                            "each sign-in is whole, under the old key or the new one; run it again \
                             for the rest"
                        }
                    }));
                }
                Err(error) => done.failed.push((path, error)),
            }
        }
        Ok(done)
    }

    /// Whether a migration would seal it.
    fn look_at(
        &self,
        file: &SessionFile,
        (seal, id): (&'static Seal, Option<&str>),
    ) -> Result<Option<bool>, Error> {
        match file.lying()? {
            Some(lying) if lying.seal == seal && lying.key.as_deref() == id => {
                return Ok(Some(false));
            }
            Some(_) | None => {}
        }
        match patiently(file, &self.room(), &mut |find| file.load(find))? {
            Loaded::Session(..) => Ok(Some(true)),
            Loaded::Absent => Ok(None),
            Loaded::Damaged(reason) => Err(file.damaged(&reason)),
        }
    }

    /// Seals it, if it lies otherwise.
    fn seal_one(
        &self,
        file: &SessionFile,
        with: &SealWith,
        which: Which,
    ) -> Result<Option<bool>, Error> {
        let patience = Patience {
            limit: self.lock_timeout,
            waiting_for: "another process that refreshes a session",
            hint: "run the command again: what was sealed already stays so",
        };
        let _guard = lock::acquire(&file.lock_path(), &patience, self.context, &mut || false)?;
        file.remove_temporaries();
        let lying = match file.found()? {
            Some(Ok(lying)) => lying,
            // It is somebody's, and told of.
            Some(Err(reason)) => return Err(file.damaged(&reason)),
            None => return Ok(None),
        };
        let is_of_kind = lying.seal == with.seal;
        let id = with.key.as_ref().map(Key::id);
        if is_of_kind && lying.key.as_deref() == id || !is_of_kind && which == Which::OfItsKind {
            return Ok(Some(false));
        }
        // Ctrl-C ends it between two files.
        let _shield = self.context.signals.shield();
        patiently(file, &self.room(), &mut |find| {
            file.reseal(with, self.context.random, find)
        })
        .map(Some)
    }

    /// Forgets those of the retired keys that no file is sealed with any more. What cannot be forgotten is
    /// the next one's.
    fn forget(&self, retired: &BTreeSet<String>) -> Result<(), Error> {
        let left = match self.named() {
            Ok(named) => {
                let unnamed = retired.difference(&named).cloned().collect();
                choice::forget(&unnamed, &self.room())?
            }
            Err(error) => retired
                .iter()
                .map(|id| (id.clone(), error.clone()))
                .collect(),
        };
        for (id, error) in left {
            self.context
                .warn(&format!("the key `{id}` is still there: {error}"));
        }
        Ok(())
    }

    /// The ids of all keys that a file is sealed with, also one that was set aside.
    fn named(&self) -> Result<BTreeSet<String>, Error> {
        let (named, unread) = self.named_as_far_as_read()?;
        unread.map_or(Ok(named), Err)
    }

    /// The same of those that can be read, and the error of one that cannot.
    fn named_as_far_as_read(&self) -> Result<(BTreeSet<String>, Option<Error>), Error> {
        let mut named = BTreeSet::new();
        let mut unread = None;
        for entry in entries(&self.directory)? {
            let path = entry.path();
            // What cannot be read may name any.
            let bytes = match fs::metadata(&path) {
                Ok(metadata) if !metadata.is_file() => continue,
                Ok(_) => fs::read(&path),
                Err(error) => Err(error),
            };
            match if_there(bytes) {
                Ok(bytes) => named.extend(bytes.and_then(|bytes| file::key_of(&bytes))),
                Err(error) => unread = Some(unreadable(&path, &error)),
            }
        }
        Ok((named, unread))
    }

    /// One maintenance at a time.
    fn lock(&self) -> Result<lock::Guard, Error> {
        file::create_directory(&self.directory)?;
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
///
/// # Errors
/// `store`, if the directory cannot be read.
pub(super) fn sealed(directory: &Path) -> Result<Option<&'static Seal>, Error> {
    let files = digests(directory, ".json")?.into_iter();
    let mut lying = files.filter_map(|digest| {
        let file = SessionFile::new(directory.to_owned(), digest);
        file.lying().ok().flatten()
    });
    let lying = lying.find(|lying| lying.seal.has_keys());
    Ok(lying.map(|lying| lying.seal))
}

/// The names of sessions that have a file of that ending.
///
/// # Errors
/// `store`, if the directory cannot be read.
pub(super) fn digests(directory: &Path, ending: &str) -> Result<BTreeSet<String>, Error> {
    let names = entries(directory)?.into_iter().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let digest = name.strip_suffix(ending)?;
        is_digest(digest).then(|| digest.to_owned())
    });
    Ok(names.collect())
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
