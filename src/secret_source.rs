//! Where a secret of the configuration comes from. It is read when it is needed, and never kept.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::context::{Context, KeyringFailure};
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::system::attempt::within;
use crate::system::process;
use crate::token::OtherToken;

/// How long may a secret's source take?
const LIMIT: Duration = Duration::from_secs(30);
/// How long may a keyring take? A person may have to unlock it.
const KEYRING_LIMIT: Duration = Duration::from_secs(10);
/// How large may a secret's file be?
const LONGEST_FILE: u64 = 64 * 1024;

/// A place that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Written into the profile file itself.
    Literal(Secret),
    /// An environment variable.
    Environment(String),
    /// A file.
    File(PathBuf),
    /// What a command prints.
    Command(Vec<String>),
    /// What the operating system's keyring holds under a name.
    Keyring(String),
    /// The token of another profile.
    Profile(OtherToken),
    /// What the caller hands over on stdin.
    StandardInput,
    /// One that was asked already, and what it gave.
    AtHand(Box<Self>, Secret),
}

impl SecretSource {
    /// The token of another profile that it is.
    pub fn other(&self) -> Option<&OtherToken> {
        match self {
            Self::Profile(other) => Some(other),
            Self::Literal(_)
            | Self::Environment(_)
            | Self::File(_)
            | Self::Command(_)
            | Self::Keyring(_)
            | Self::StandardInput
            | Self::AtHand(..) => None,
        }
    }

    /// What tells this source from others, without what it gives: part of a session's identity.
    pub fn identity(&self) -> String {
        match self {
            Self::Literal(secret) => format!("literal {}", digest(secret.expose().as_bytes())),
            Self::Environment(name) => format!("env {name}"),
            Self::File(path) => format!("file {}", path.display()),
            // Arguments can hold secrets, though they should not.
            Self::Command(command) => {
                format!("command {}", digest(command.join("\0").as_bytes()))
            }
            Self::Keyring(name) => format!("keyring {name}"),
            // Of which kind it is, whoever asks for one says by itself.
            Self::Profile(other) => format!("profile {}", other.profile),
            Self::StandardInput => "stdin".to_owned(),
            Self::AtHand(source, _) => source.identity(),
        }
    }

    /// Why there is no secret, where that can be seen without reading one, and without running anything.
    pub fn absence(&self, context: &Context<'_>) -> Option<String> {
        match self {
            Self::Environment(name) => {
                let is_set = context.environment.variable(name).is_some();
                (!is_set).then(|| not_set(name))
            }
            Self::File(path) => {
                let error = std::fs::metadata(path).err()?;
                Some(format!("`{}`: {error}", path.display()))
            }
            Self::AtHand(source, _) => source.absence(context),
            Self::Literal(_)
            | Self::Command(_)
            | Self::Keyring(_)
            | Self::Profile(_)
            | Self::StandardInput => None,
        }
    }

    /// Reads the secret: its text less one trailing line end. `key` is the key that names it.
    ///
    /// # Errors
    /// `config`, naming the key and the source, never what it gave; `store` where that is a keyring that
    /// does not give it now.
    pub fn resolve(&self, key: &str, context: &Context<'_>) -> Result<Secret, Error> {
        if let Self::Literal(secret) | Self::AtHand(_, secret) = self {
            return Ok(secret.clone());
        }
        let bytes = self.resolve_bytes(key, context)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| failed(key, "its source gave something that is not UTF-8"))?;
        let bare = text
            .strip_suffix("\r\n")
            .or_else(|| text.strip_suffix('\n'))
            .unwrap_or(text);
        if bare.is_empty() {
            return Err(failed(key, "its source gave nothing"));
        }
        if bare.contains(['\n', '\r', '\0']) {
            return Err(failed(key, "its source gave more than one line"));
        }
        Ok(Secret::new(bare))
    }

    /// The same with the secret at hand, for several requests: its source is asked once.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn at_hand(&self, key: &str, context: &Context<'_>) -> Result<Self, Error> {
        let secret = self.resolve(key, context)?;
        Ok(Self::AtHand(Box::new(self.clone()), secret))
    }

    /// Reads the secret as it is, with as many lines as it has.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_bytes(
        &self,
        key: &str,
        context: &Context<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let failed = |reason: String| failed(key, &reason);
        let limit = context.time_left().map_or(LIMIT, |left| left.min(LIMIT));
        let text = match self {
            Self::Literal(secret) | Self::AtHand(_, secret) => secret.clone(),
            Self::Environment(name) => {
                let value = context.environment.variable(name);
                let value = value.ok_or_else(|| failed(not_set(name)))?;
                Secret::new(value)
            }
            Self::File(path) => {
                let shown = path.display();
                let own = path.clone();
                // It may be a pipe that nobody writes to.
                return within(limit, move || read(&own))
                    .ok_or_else(|| failed(format!("`{shown}` gave nothing in time")))?
                    .map_err(|error| failed(format!("`{shown}`: {error}")));
            }
            Self::Command(command) => {
                process::output(command, limit, context.environment).map_err(failed)?
            }
            Self::Keyring(name) => context
                .keyring
                .read(&kept_as(name), limit.min(KEYRING_LIMIT))
                .map_err(|failure| unread(key, failure))?
                .ok_or_else(|| failed(format!("the keyring holds no `{}`", kept_as(name))))?,
            // Its error says more than that the secret cannot be had.
            Self::Profile(other) => context.tokens.token_of(other)?,
            Self::StandardInput => context.input.read(limit).map_err(failed)?,
        };
        Ok(Zeroizing::new(text.expose().as_bytes().to_vec()))
    }

    /// The source in words; of a command its name alone, since arguments can hold secrets.
    pub fn place(&self) -> String {
        match self {
            Self::Literal(_) => "written into the profile".to_owned(),
            Self::Environment(name) => format!("from the variable `{name}`"),
            Self::File(path) => format!("from the file `{}`", path.display()),
            Self::Command(command) => {
                let program = command.first().map_or("", String::as_str);
                format!("from the command `{program}`")
            }
            Self::Keyring(name) => format!("from `{}` in the keyring", kept_as(name)),
            Self::Profile(other) => format!("from the profile `{}`", other.profile),
            Self::StandardInput => "from stdin".to_owned(),
            Self::AtHand(source, _) => source.place(),
        }
    }

    /// The source as a profile file names it; a literal secret and a command's arguments are not
    /// shown.
    pub fn to_toml(&self) -> toml::Value {
        let (way, value) = match self {
            Self::Literal(_) => return "(literal, not shown)".into(),
            Self::Environment(name) => ("env", name.clone().into()),
            Self::File(path) => ("file", path.display().to_string().into()),
            Self::Keyring(name) => ("keyring", name.clone().into()),
            Self::Profile(other) => ("profile", other.profile.clone().into()),
            Self::StandardInput => ("stdin", true.into()),
            Self::AtHand(source, _) => return source.to_toml(),
            // Arguments can hold secrets, though they should not.
            Self::Command(command) => {
                let program = command.iter().take(1).cloned();
                let arguments = command.iter().skip(1).map(|_| "…".to_owned());
                (
                    "command",
                    program.chain(arguments).collect::<Vec<_>>().into(),
                )
            }
        };
        toml::Table::from_iter([(way.to_owned(), value)]).into()
    }
}

/// The name that the keyring has it under. It is no name of a key that sign-ins are sealed with.
fn kept_as(name: &str) -> String {
    format!("secret/{name}")
}

fn not_set(name: &str) -> String {
    format!("the environment variable `{name}` is not set")
}

fn failed(key: &str, reason: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the secret `{key}` cannot be had: {reason}"),
    )
}

/// The keyring does not give it now: nothing is wrong with the profile.
fn unread(key: &str, failure: KeyringFailure) -> Error {
    let error = failure.into_error("the profile's secret is in it");
    let hint = error.hint_text().unwrap_or_default();
    let told = failed(key, error.message()).with_kind(error.kind());
    let told = error.causes().iter().fold(told, Error::because);
    told.hint(hint)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?
        .take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other("it is too large"));
    }
    Ok(bytes)
}
