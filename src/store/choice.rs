//! What new files are sealed with, as far as it was decided here: `store.json` beside
//! the sessions. The configuration says
//! it too, and comes first.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::{Lying, create_directory, refuse};
use super::lock::{self, Patience};
use super::seal::{self, Key, Room, Seal, gone};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::system::{platform, replacement};

/// The version of the file that is written, and the newest that is read.
const VERSION: u32 = 1;

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Choice {
    pub(super) version: u32,
    /// The seal of new files: of the last migration, or the first that was found.
    pub(super) seal: String,
    /// Whether it is that of a migration: then all files are to lie so.
    #[serde(default)]
    pub(super) is_migrated: bool,
    /// The id of the key that they are sealed with.
    pub(super) key: Option<String>,
    /// Keys of the keyring that some files may still be sealed with.
    #[serde(default)]
    pub(super) retired: Vec<String>,
}

impl Choice {
    /// The choice of that seal and key, and what becomes of the key before.
    fn follow(self, seal: &Seal, key: Option<&Key>) -> Self {
        let key = key.map(|key| key.id().to_owned());
        let mut retired = self.retired;
        if seal::find(&self.seal).is_some_and(Seal::makes_keys) {
            retired.extend(self.key);
        }
        retired.retain(|id| Some(id) != key.as_ref());
        Self {
            version: VERSION,
            seal: seal.name.to_owned(),
            is_migrated: self.is_migrated && self.seal == seal.name,
            key,
            retired,
        }
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("store.json")
}

/// What was decided; `None` where nothing was, or where it cannot be read any more: it names no secret
/// that would be lost with it.
///
/// # Errors
/// `store`, if it cannot be read now, or is of a newer version.
pub(super) fn read(directory: &Path) -> Result<Option<Choice>, Error> {
    let path = path(directory);
    let bytes = match platform::patiently(|| std::fs::read(&path)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("cannot be read", &path, error)),
    };
    let metadata =
        std::fs::metadata(&path).map_err(|error| failed("cannot be read", &path, error))?;
    // Whoever writes it decides whether sign-ins lie open.
    refuse(platform::trusted_problem(&path, &metadata))?;
    let choice: Option<Choice> = serde_json::from_slice(&bytes).ok();
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
        other => Ok(other),
    }
}

/// Changes what was decided, one process at a time. No session's lock is waited for meanwhile.
///
/// # Errors
/// Those of `edit`, `store` and `busy`.
pub(super) fn change<T>(
    directory: &Path,
    context: &Context<'_>,
    edit: impl FnOnce(Option<Choice>) -> Result<(Choice, T), Error>,
) -> Result<T, Error> {
    let path = path(directory);
    let written = |error| failed("cannot be written", &path, error);
    create_directory(directory)?;
    let patience = Patience {
        limit: context
            .time_left()
            .unwrap_or(std::time::Duration::from_secs(60)),
        waiting_for: "another process that chooses a key",
        hint: "nothing was lost; try again",
    };
    let guard = lock::acquire(
        &directory.join("store.lock"),
        &patience,
        context,
        &mut || false,
    )?;
    let before = read(directory)?;
    if before.is_none() && path.exists() {
        let aside = path.with_extension(format!("json.damaged-{}", context.clock.now().0));
        platform::patiently(|| std::fs::rename(&path, &aside)).map_err(written)?;
        context.warn(&format!(
            "`{}` is damaged and was set aside as `{}`; files name their own keys, and are read as \
             before",
            path.display(),
            aside.display()
        ));
    }
    let (choice, result) = edit(before.clone())?;
    if before.as_ref() != Some(&choice) {
        let text = serde_json::to_string(&choice).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "BUG: a choice cannot be written as JSON",
            )
            .because(error)
        })?;
        replacement::replace(&path, format!("{text}\n").as_bytes()).map_err(written)?;
        platform::sync_directory(directory).map_err(written)?;
    }
    drop(guard);
    Ok(result)
}

/// The key for a file of that seal: the one that was chosen for new ones, else that of the file
/// `before`, else one that is chosen now.
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
    let before = before.filter(|before| before.seal == seal);
    let of_before = || before.and_then(|before| before.key.clone());
    if let Some(id) = of(seal, choice).or_else(of_before) {
        return match seal.find(&id, room)? {
            Some(key) => Ok(Some(key)),
            None => Err(gone(seal, &id)),
        };
    }
    change(room.directory, room.context, |choice| {
        if let Some(id) = of(seal, choice.as_ref()) {
            // Another process was quicker.
            let key = seal.find(&id, room)?.ok_or_else(|| gone(seal, &id))?;
            return Ok((choice.unwrap_or_default(), Some(key)));
        }
        choose(seal, choice, room)
    })
}

/// Makes a key for new files, and chooses it.
///
/// # Errors
/// `store` or `config`.
pub(super) fn choose(
    seal: &'static Seal,
    before: Option<Choice>,
    room: &Room<'_>,
) -> Result<(Choice, Option<Key>), Error> {
    let key = seal.make(room)?;
    let choice = before.unwrap_or_default().follow(seal, key.as_ref());
    Ok((choice, key))
}

fn of(seal: &Seal, choice: Option<&Choice>) -> Option<String> {
    let choice = choice.filter(|choice| choice.seal == seal.name)?;
    choice.key.clone()
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("`{}` {what}", path.display()))
        .because(error)
        .hint("make it and its directory your own")
}
