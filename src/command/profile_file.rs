//! The file that a user writes profiles into, written for them.

use std::path::{Path, PathBuf};

use super::profile_text::{with_profile, without_profile};
use super::{Shell, profile_text};
use crate::error::{Error, ErrorKind};
use crate::profile::file::{Source, check_place};
use crate::profile::{Configuration, Profile};
use crate::setup::ConfigurationFile;
use crate::text::printable;

/// A profile that is to be written.
pub(super) struct Wanted<'w> {
    /// Its name.
    pub(super) name: &'w str,
    /// What it says.
    pub(super) keys: &'w toml::Table,
    /// What stands above it, if it is new.
    pub(super) comment: &'w str,
    /// Whether it may take the place of another one.
    pub(super) replaces: bool,
    /// What to do where the name is taken.
    pub(super) if_taken: &'w str,
}

/// What was done to the file.
pub(super) struct Done {
    /// The file.
    pub(super) path: PathBuf,
    before: Option<String>,
    after: String,
}

/// Writes a profile: behind all that stands in the file, which is made if it is not there, or in the
/// place of the one of its name. What the file says of anything else stays byte for byte.
///
/// # Errors
/// `config`, for a name that is taken, a profile or a file that is none, or a file that cannot be
/// written.
pub(super) fn write(wanted: &Wanted<'_>, shell: &Shell<'_, '_>) -> Result<Done, Error> {
    let (path, file) = place(shell)?;
    let held = file.hold(&shell.context)?;
    let before = file.read()?;
    let after = checked(before.as_deref().unwrap_or_default(), wanted, &path, shell)?;
    held.replace(&after)?;
    Ok(Done {
        path,
        before,
        after,
    })
}

/// Makes the file what it was. Where somebody else has written it since, the profile alone is what it was;
/// one that is theirs by now stays.
///
/// # Errors
/// `config`, for a file that cannot be written.
pub(super) fn take_back(done: &Done, name: &str, shell: &Shell<'_, '_>) -> Result<(), Error> {
    let file = ConfigurationFile::find("cred-helper", &done.path)?;
    let held = file.hold(&shell.context)?;
    let now = file.read()?.unwrap_or_default();
    if now != done.after {
        let of = |text: &str| {
            text.parse::<toml::Table>()
                .ok()?
                .get("profiles")?
                .get(name)
                .cloned()
        };
        if of(&now) != of(&done.after) {
            return Ok(());
        }
        if let Some(toml::Value::Table(keys)) = done.before.as_deref().and_then(of) {
            let restored = with_profile(&now, name, &keys, "");
            return held.replace(&restored.map_err(|reason| damaged(&done.path, &reason))?);
        }
        let without = without_profile(&now, name).map_err(|reason| damaged(&done.path, &reason))?;
        return without.map_or(Ok(()), |text| held.replace(&text));
    }
    match &done.before {
        Some(before) => held.replace(before),
        None => held.remove(),
    }
}

/// Takes a profile out of the file, with all that it says. Returns where that was.
///
/// # Errors
/// `no_profile`, if there is no such profile; `config`, for one that another file has, or that is the
/// default, and for a file that cannot be written.
pub(super) fn remove(name: &str, shell: &Shell<'_, '_>) -> Result<PathBuf, Error> {
    let path = path(shell)?;
    let file = ConfigurationFile::find("cred-helper", &path)?;
    let held = file.hold(&shell.context)?;
    let before = file.read()?.unwrap_or_default();
    let sources = shell.sources_with(&path, &before)?;
    let configuration = Configuration::new(&sources)?;
    let own = configuration.profiles().find(|(own, _)| *own == name);
    let (_, place) = own.ok_or_else(|| configuration.unknown(name))?;
    let shown = printable(name);
    let without = without_profile(&before, name).map_err(|reason| damaged(&path, &reason))?;
    let Some(text) = without else {
        let of = place.display();
        let message = format!("profile `{shown}` is not in `{}`", path.display());
        return Err(Error::new(ErrorKind::Config, message)
            .because(format!("it is in `{of}`"))
            .hint(format!("take it out of `{of}`, which is not written here")));
    };
    let left = shell.sources_with(&path, &text)?;
    Configuration::new(&left).map_err(|error| {
        let message = format!("profile `{shown}` was not removed");
        Error::new(ErrorKind::Config, message)
            .because_of(&error)
            .hint("name another one as `default_profile`, or none, and run this once more")
    })?;
    held.replace(&text)?;
    if place != path {
        shell.context.warn(&format!(
            "there is another profile `{shown}`, in `{}`, which counts",
            place.display()
        ));
    }
    Ok(path)
}

/// The profile as it would be if it were written; nothing is.
///
/// # Errors
/// As [`write`].
pub(super) fn prove(wanted: &Wanted<'_>, shell: &Shell<'_, '_>) -> Result<Profile, Error> {
    let (path, file) = place(shell)?;
    let before = file.read()?.unwrap_or_default();
    let text = checked(&before, wanted, &path, shell)?;
    let sources = shell.sources_with(&path, &text)?;
    Configuration::new(&sources)?.profile(wanted.name)
}

/// The profile that these keys are by themselves; no file is looked at.
///
/// # Errors
/// All that is wrong with them.
pub(super) fn draft(
    name: &str,
    keys: &toml::Table,
    shell: &Shell<'_, '_>,
) -> Result<Profile, Vec<String>> {
    let source = Source {
        text: profile_text::text_of(name, keys, ""),
        // Paths are relative to it.
        path: path(shell).unwrap_or_default(),
        machine_wide: false,
        profiles_count: true,
        private: true,
    };
    let sources = [source];
    let (configuration, complaints) = Configuration::check(&sources);
    let problems: Vec<String> = complaints
        .iter()
        .map(|complaint| complaint.problem().to_owned())
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let profile = configuration.profile(name);
    profile.map_err(|error| vec![error.to_string()])
}

/// Refuses keys that are no profile, whatever file they would be in.
///
/// # Errors
/// `config`, with all that is wrong with them.
pub(super) fn check_keys(
    name: &str,
    keys: &toml::Table,
    shell: &Shell<'_, '_>,
) -> Result<Profile, Error> {
    draft(name, keys, shell).map_err(|problems| {
        let message = format!("profile `{}` was not written", printable(name));
        let error = Error::new(ErrorKind::Config, message);
        let error = problems
            .iter()
            .fold(error, |error, problem| error.because(problem));
        error.hint("docs/profile.md tells of every key; `cred-helper profile presets` of providers")
    })
}

/// The file.
///
/// # Errors
/// `config`, where there is no place for one.
pub(super) fn path(shell: &Shell<'_, '_>) -> Result<PathBuf, Error> {
    shell.location.user_file().ok_or_else(|| {
        Error::new(ErrorKind::Config, "no directory for profiles is known")
            .hint("set HOME, or name a file with `--config`")
    })
}

/// The file, and what lies behind its links.
///
/// # Errors
/// `config`, where there is no place for one, or where others could write it: no command would read it.
pub(super) fn place(shell: &Shell<'_, '_>) -> Result<(PathBuf, ConfigurationFile), Error> {
    let path = path(shell)?;
    let file = ConfigurationFile::find("cred-helper", &path)?;
    for path in [path.as_path(), file.path()] {
        check_place(path)?;
    }
    Ok((path, file))
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`{}` cannot be changed", path.display()),
    )
    .because(reason)
    .hint("`cred-helper profile check` tells what is wrong in it")
}

/// The file's text with the profile, which is right where it stands. Somebody else may have written one
/// of that name a moment ago.
fn checked(
    before: &str,
    wanted: &Wanted<'_>,
    path: &Path,
    shell: &Shell<'_, '_>,
) -> Result<String, Error> {
    let sources = shell.sources_with(path, before)?;
    let configuration = Configuration::new(&sources)?;
    if !wanted.replaces {
        let free = check_free(wanted.name, &configuration);
        free.map_err(|error| error.hint(wanted.if_taken))?;
    }
    let text = with_profile(before, wanted.name, wanted.keys, wanted.comment)
        .map_err(|reason| damaged(path, &reason))?;
    check(wanted.name, path, &shell.sources_with(path, &text)?)?;
    Ok(text)
}

/// What is written so far: nothing, where the file that `--config` names is about to be made.
///
/// # Errors
/// `config`.
pub(super) fn sources(shell: &Shell<'_, '_>) -> Result<Vec<Source>, Error> {
    match shell.sources() {
        Err(error) if error.kind() == ErrorKind::NoProfile => Ok(Vec::new()),
        sources => sources,
    }
}

/// Refuses what would be wrong once it is written.
fn check(name: &str, path: &Path, sources: &[Source]) -> Result<(), Error> {
    let refused = || {
        Error::new(
            ErrorKind::Config,
            format!("profile `{}` was not written", printable(name)),
        )
    };
    let profile = Configuration::new(sources)
        .and_then(|configuration| configuration.profile(name))
        .map_err(|error| {
            let refused = refused().because_of(&error);
            // What is wrong is not in a file.
            refused.hint("nothing was written; the causes name what to say otherwise")
        })?;
    if profile.file == *path {
        return Ok(());
    }
    Err(refused().because(format!(
        "the one of `{}` would count in its place",
        profile.file.display()
    )))
}

/// Refuses a name that a profile has already.
///
/// # Errors
/// `config`.
pub(super) fn check_free(name: &str, configuration: &Configuration<'_>) -> Result<(), Error> {
    let taken = configuration.profiles().find(|(taken, _)| *taken == name);
    match taken {
        None => Ok(()),
        Some((_, path)) => Err(Error::new(
            ErrorKind::Config,
            format!(
                "there is a profile `{}` in `{}`",
                printable(name),
                path.display()
            ),
        )
        .hint("name another one with `--name`")),
    }
}
