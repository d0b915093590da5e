//! The file that a user writes profiles into, written for them.

use std::path::{Path, PathBuf};

use super::Shell;
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::profile::file::Source;
use crate::setup::ConfigurationFile;
use crate::text::printable;

/// Adds a profile behind all that stands in the file, which is made if it is not there. What it says
/// already stays byte for byte. Returns where that is.
///
/// # Errors
/// `config`, for a name that is taken, a profile or a file that is none, or a file that cannot be
/// written.
pub(super) fn add(
    name: &str,
    keys: toml::Table,
    comment: &str,
    shell: &Shell<'_, '_>,
) -> Result<PathBuf, Error> {
    let path = path(shell)?;
    let file = ConfigurationFile::find("cred-helper", &path)?;
    let held = file.hold(&shell.context)?;
    let before = file.read()?.unwrap_or_default();
    held.replace(&checked(&before, name, keys, comment, &path, shell)?)?;
    Ok(path)
}

/// Finds what would be wrong if it were added, and changes nothing.
///
/// # Errors
/// As [`add`].
pub(super) fn prove(
    name: &str,
    keys: toml::Table,
    comment: &str,
    shell: &Shell<'_, '_>,
) -> Result<(), Error> {
    let path = path(shell)?;
    let file = ConfigurationFile::find("cred-helper", &path)?;
    let before = file.read()?.unwrap_or_default();
    checked(&before, name, keys, comment, &path, shell).map(drop)
}

fn path(shell: &Shell<'_, '_>) -> Result<PathBuf, Error> {
    shell.location.user_file().ok_or_else(|| {
        Error::new(ErrorKind::Config, "no directory for profiles is known")
            .hint("set HOME, or name a file with `--config`")
    })
}

/// The file's text with the profile, which is right where it stands. Somebody else may have written one
/// of that name a moment ago.
fn checked(
    before: &str,
    name: &str,
    keys: toml::Table,
    comment: &str,
    path: &Path,
    shell: &Shell<'_, '_>,
) -> Result<String, Error> {
    let sources = shell.sources_with(path, before)?;
    check_free(name, &Configuration::new(&sources)?)
        .map_err(|error| error.hint("it was written a moment ago: run this once more"))?;
    let text = with_profile(before, name, keys, comment);
    check(name, path, &shell.sources_with(path, &text)?)?;
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

/// A profile as it is written.
pub(super) fn text_of(name: &str, keys: toml::Table, comment: &str) -> String {
    let mut profiles = toml::Table::new();
    profiles.insert(name.to_owned(), keys.into());
    let mut document = toml::Table::new();
    document.insert("profiles".to_owned(), profiles.into());
    format!("# {}\n{document}", printable(comment))
}

fn with_profile(before: &str, name: &str, keys: toml::Table, comment: &str) -> String {
    let is_windows = before.contains("\r\n");
    let separator = match before {
        "" => "",
        _ if before.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let mut added = format!("{separator}{}", text_of(name, keys, comment));
    if is_windows {
        added = added.replace('\n', "\r\n");
    }
    format!("{before}{added}")
}

/// Refuses what would be wrong once it is written.
fn check(name: &str, path: &Path, sources: &[Source]) -> Result<(), Error> {
    let refused = || {
        Error::new(
            ErrorKind::Config,
            format!("profile `{name}` was not written"),
        )
    };
    let profile = Configuration::new(sources)
        .and_then(|configuration| configuration.profile(name))
        .map_err(|error| refused().because_of(&error))?;
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

#[cfg(test)]
mod tests {
    use super::with_profile;

    #[test]
    fn a_profile_comes_behind_what_stands_there_with_its_line_ends() {
        let keys = || {
            let mut keys = toml::Table::new();
            keys.insert("client_id".to_owned(), "c".into());
            keys
        };
        for (before, expected) in [
            ("", "# Why.\n[profiles.a]\nclient_id = \"c\"\n"),
            (
                "# Mine\n",
                "# Mine\n\n# Why.\n[profiles.a]\nclient_id = \"c\"\n",
            ),
            (
                "x = 1",
                "x = 1\n\n# Why.\n[profiles.a]\nclient_id = \"c\"\n",
            ),
            (
                "x = 1\r\n",
                "x = 1\r\n\r\n# Why.\r\n[profiles.a]\r\nclient_id = \"c\"\r\n",
            ),
        ] {
            let text = with_profile(before, "a", keys(), "Why.\n");
            assert_eq!(text, expected);
        }
    }
}
