//! What new files are sealed with, as far as it was decided here: `store.json` beside the sessions. The
//! configuration says it too, and comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::file::{Lying, create_directory, if_there, refuse};
use super::lock::{self, Patience};
use super::seal::{self, Key, NotKept, Room, Seal, gone};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::system::{platform, replacement};
use crate::text::printable;

/// The version of the file that is written, and the newest that is read.
const VERSION: u32 = 1;

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Choice {
    version: u32,
    /// The seal of new files where none is configured: of the last migration, or the first that a key
    /// was chosen for.
    #[serde(default)]
    seal: Option<String>,
    /// Whether it is that of a migration: then all files are to lie so.
    #[serde(default)]
    pub(super) is_migrated: bool,
    /// The id of the key that new files are sealed with, for each seal that has one.
    #[serde(default)]
    keys: BTreeMap<String, String>,
    /// Keys that were made here, and that files may still be sealed with, or none yet.
    #[serde(default)]
    retired: BTreeSet<String>,
    /// What was decided cannot be read any more.
    #[serde(skip)]
    is_damaged: bool,
}

impl Choice {
    fn nothing() -> Self {
        Self {
            version: VERSION,
            seal: None,
            is_migrated: false,
            keys: BTreeMap::new(),
            retired: BTreeSet::new(),
            is_damaged: false,
        }
    }

    /// The seal of new files where none is configured.
    pub(super) fn seal(&self) -> Option<&'static Seal> {
        self.seal.as_deref().and_then(seal::find)
    }

    /// The id of that seal's key.
    pub(super) fn key(&self, seal: &Seal) -> Option<&str> {
        self.keys.get(seal.name).map(String::as_str)
    }

    /// The ids of keys that files may still be sealed with, or none yet.
    pub(super) fn retired(&self) -> &BTreeSet<String> {
        &self.retired
    }

    /// The ids of all keys.
    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.keys.values().chain(&self.retired)
    }

    /// Where it was decided before that new files are sealed, and not any more how, none lies open.
    ///
    /// # Errors
    /// `store`, if it cannot be read any more.
    pub(super) fn check(&self, directory: &Path) -> Result<(), Error> {
        if !self.is_damaged {
            return Ok(());
        }
        let message = format!(
            "`{}` is damaged, and with it how new sign-ins are sealed",
            path(directory).display()
        );
        Err(Error::new(ErrorKind::Store, message)
            .hint("say it anew with `cred-helper store migrate --to SEAL`"))
    }

    /// Seals new files with that key. The one before is retired.
    fn take(&mut self, seal: &Seal, key: &Key) {
        let before = self.keys.insert(seal.name.to_owned(), key.id().to_owned());
        self.retire(before, seal);
        self.retired.remove(key.id());
        self.seal.get_or_insert_with(|| seal.name.to_owned());
    }

    /// Has all files lie so. The keys of other seals are retired.
    pub(super) fn migrate(&mut self, to: &Seal) {
        for (name, id) in std::mem::take(&mut self.keys) {
            if name == to.name {
                self.keys.insert(name, id);
            } else if let Some(seal) = seal::find(&name) {
                self.retire(Some(id), seal);
            }
        }
        self.seal = Some(to.name.to_owned());
        self.is_migrated = true;
    }

    /// Whoever made a key elsewhere keeps it.
    fn retire(&mut self, id: Option<String>, seal: &Seal) {
        self.retired.extend(id.filter(|_| seal.makes_keys()));
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("store.json")
}

/// What was decided; `None` where nothing was.
///
/// # Errors
/// `store`, if it cannot be read now, or is of a newer version.
pub(super) fn read(directory: &Path) -> Result<Option<Choice>, Error> {
    let path = path(directory);
    let bytes = if_there(platform::patiently(|| std::fs::read(&path)));
    let Some(bytes) = bytes.map_err(|error| failed("cannot be read", &path, error))? else {
        return Ok(None);
    };
    let metadata =
        std::fs::metadata(&path).map_err(|error| failed("cannot be read", &path, error))?;
    // Whoever writes it decides whether sign-ins lie open.
    refuse(platform::trusted_problem(&path, &metadata))?;
    decode(&bytes, &path).map(Some)
}

/// Reads the file's bytes; what cannot be read is damaged.
///
/// # Errors
/// `store`, if it is of a newer version.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Choice, Error> {
    let choice: Option<Choice> = serde_json::from_slice(bytes).ok();
    let is_known = |name: &String| seal::find(name).is_some();
    match choice {
        Some(choice) if choice.version > VERSION => Err(Error::new(
            ErrorKind::Store,
            format!(
                "`{}` is of version {}, and this program knows {VERSION}",
                path.display(),
                choice.version
            ),
        )
        .hint("use the newer cred-helper that wrote it")),
        Some(choice) if choice.seal.as_ref().is_none_or(is_known) => Ok(choice),
        _ => Ok(Choice {
            is_damaged: true,
            ..Choice::nothing()
        }),
    }
}

/// What was decided, while nobody else changes it.
pub(super) struct Change<'a> {
    directory: &'a Path,
    /// What the file says.
    written: Option<Choice>,
    pub(super) choice: Choice,
}

impl Change<'_> {
    /// Writes it, durably.
    fn write(&mut self) -> Result<(), Error> {
        if self.written.as_ref() == Some(&self.choice) {
            return Ok(());
        }
        let path = path(self.directory);
        let text = serde_json::to_string(&self.choice).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "BUG: a choice cannot be written as JSON",
            )
            .because(error)
        })?;
        // Whoever holds the lock owns this name: what lies there is of somebody who died.
        let temporary = self.directory.join(".tmp-store");
        replacement::replace_through(&temporary, &path, format!("{text}\n").as_bytes())
            .and_then(|()| platform::sync_directory(self.directory))
            .map_err(|error| failed("cannot be written", &path, error))?;
        self.written = Some(self.choice.clone());
        Ok(())
    }
}

/// Whether there is something in its place that cannot be read any more.
pub(super) fn is_damaged(directory: &Path) -> bool {
    matches!(read(directory), Ok(Some(choice)) if choice.is_damaged)
}

/// Changes what was decided, one process at a time. No session's lock is waited for meanwhile.
///
/// # Errors
/// Those of `edit`, `store` and `busy`.
pub(super) fn change<T>(
    directory: &Path,
    context: &Context<'_>,
    edit: impl FnOnce(&mut Change<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    /// How long may a key need to be made? A keyring is waited for twice.
    const LIMIT: Duration = Duration::from_secs(60);
    create_directory(directory)?;
    let patience = Patience {
        limit: context.time_left().unwrap_or(LIMIT),
        waiting_for: "another process that chooses a key",
        hint: "nothing was lost; try again",
    };
    let path_of_lock = directory.join("store.lock");
    let guard = lock::acquire(&path_of_lock, &patience, context, &mut || false)?;
    let mut written = read(directory)?;
    if written.as_ref().is_some_and(|choice| choice.is_damaged) {
        set_aside(directory, context)?;
        written = None;
    }
    let mut change = Change {
        directory,
        choice: written.clone().unwrap_or_else(Choice::nothing),
        written,
    };
    let result = edit(&mut change)?;
    change.write()?;
    drop(guard);
    Ok(result)
}

fn set_aside(directory: &Path, context: &Context<'_>) -> Result<(), Error> {
    let path = path(directory);
    let aside = path.with_extension(format!("json.damaged-{}", context.clock.now().0));
    platform::patiently(|| std::fs::rename(&path, &aside))
        .map_err(|error| failed("cannot be set aside", &path, error))?;
    context.warn(&format!(
        "`{}` is damaged and was set aside as `{}`; files name their own keys, and are read as before",
        path.display(),
        aside.display()
    ));
    Ok(())
}

/// The key for a file of that seal: the one that was chosen for new ones, else that of the file
/// `before`, else one that is chosen now. A key that the file has while its lock is held is forgotten by
/// nobody.
///
/// # Errors
/// `store`, `config` or `busy`.
pub(super) fn key(
    seal: &'static Seal,
    choice: Option<&Choice>,
    before: Option<&Lying>,
    room: &Room<'_>,
) -> Result<Option<Key>, Error> {
    if !seal.has_keys() {
        return Ok(None);
    }
    let chosen = choice.and_then(|choice| choice.key(seal));
    let before = before.filter(|before| before.seal == seal);
    let before = before.and_then(|before| before.key.as_deref());
    for id in [chosen, before].into_iter().flatten() {
        if let Some(key) = seal.find_to_seal(id, room)? {
            return Ok(Some(key));
        }
    }
    if let Some(id) = chosen.or(before) {
        if !seal.makes_keys() {
            return Err(gone(seal, id));
        }
        room.context.warn(&format!(
            "the key `{}` is not in the keyring any more; another is made for new sign-ins",
            printable(id)
        ));
    }
    change(room.directory, room.context, |change| {
        if let Some(id) = change.choice.key(seal).filter(|id| Some(*id) != chosen)
            && let Some(key) = seal.find_to_seal(id, room)?
        {
            // Another process was quicker.
            return Ok(Some(key));
        }
        choose(seal, change, room)
    })
}

/// The key that was chosen for new files, where it is still where it comes from; else one that is chosen
/// now.
///
/// # Errors
/// `store` or `config`.
pub(super) fn kept_or_chosen(
    seal: &'static Seal,
    change: &mut Change<'_>,
    room: &Room<'_>,
) -> Result<Option<Key>, Error> {
    match kept(seal, change.choice.key(seal), room)? {
        None => choose(seal, change, room),
        kept => Ok(kept),
    }
}

/// The key that was chosen, where it is still where it comes from; `None` where another may be chosen.
///
/// # Errors
/// `store` or `config`.
pub(super) fn kept(
    seal: &'static Seal,
    chosen: Option<&str>,
    room: &Room<'_>,
) -> Result<Option<Key>, Error> {
    let Some(id) = chosen else {
        return Ok(None);
    };
    match seal.find_anew(id, room)? {
        None if !seal.makes_keys() => Err(gone(seal, id)),
        found => Ok(found),
    }
}

/// Makes a key for new files, and chooses it.
///
/// # Errors
/// `store` or `config`.
pub(super) fn choose(
    seal: &'static Seal,
    change: &mut Change<'_>,
    room: &Room<'_>,
) -> Result<Option<Key>, Error> {
    let Some(key) = seal.draw(room)? else {
        return Ok(None);
    };
    if seal.makes_keys() {
        // Who dies before the end leaves no key that nobody knows of.
        change.choice.retired.insert(key.id().to_owned());
        change.write()?;
    }
    if let Err(NotKept {
        error,
        may_be_there,
    }) = seal.keep(&key, room)
    {
        if !may_be_there {
            change.choice.retired.remove(key.id());
            change.write()?;
        }
        return Err(error);
    }
    change.choice.take(seal, &key);
    Ok(Some(key))
}

/// Forgets those of the retired keys. Why some are still there.
///
/// # Errors
/// `store` or `busy`.
pub(super) fn forget(
    ids: &BTreeSet<String>,
    room: &Room<'_>,
) -> Result<Vec<(String, Error)>, Error> {
    change(room.directory, room.context, |change| {
        let retired = &mut change.choice.retired;
        let mut left = Vec::new();
        for id in ids {
            // What was chosen again meanwhile is needed.
            if retired.contains(id) {
                match seal::forget(id, room) {
                    Ok(()) => drop(retired.remove(id)),
                    Err(error) => left.push((id.clone(), error)),
                }
            }
        }
        Ok(left)
    })
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("`{}` {what}", path.display()))
        .because(error)
        .hint("make it and its directory your own")
}
