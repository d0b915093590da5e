//! A program of somebody else that gives the tokens: a plugin. `docs/protocol.md` is what it is
//! written by.
//!
//! Whatever it does, a call ends within its limit, with a clear error, and nothing that was kept is
//! lost. It is sent what the profile says and no other profile's secret; whatever of its words a
//! person is shown holds no control characters and none of the secrets that it was given.
//!
//! To add a word to the protocol: what it means in `wire`, when it may come in `conversation`, and both
//! in `docs/plugin.md`. A version is never changed but by what an older side does not miss.

mod conversation;
pub mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use self::conversation::Conversation;
use self::wire::Speaker;
use super::{ANY_KEY, Asks, Entry, Given, Grant, GrantRequest};
use crate::context::Context;
use crate::credential::Interactive;
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::system::peer::Peer;
use crate::system::{environment, process};
use crate::text::printable;
use crate::token::TokenSet;

const NAME: &str = "plugin";

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "a program of your own gives the tokens",
    keys: &["name", "command", "timeout", ANY_KEY],
    secrets: &[],
    tokens: &[],
    needless: &["client_id", "authority", "scopes"],
    parse,
};

/// What a plugin's program is called, before its name.
const PREFIX: &str = "cred-helper-provider-";

/// How long may a plugin take that asks nobody, where the call has no limit of its own?
const SILENT: Duration = Duration::from_secs(60);
/// How long has a person for what a plugin asks of them? A device code lives a quarter of an hour.
const ASKING: Duration = Duration::from_secs(900);

/// A plugin, as a profile names it.
#[derive(Debug)]
struct Plugin {
    program: Program,
    timeout: Option<Duration>,
    /// What it is handed.
    keys: toml::Table,
    /// The same, from where it is secret.
    secrets: BTreeMap<String, SecretSource>,
}

/// What is started.
#[derive(Debug, PartialEq, Eq)]
enum Program {
    /// `cred-helper-provider-NAME` on PATH.
    Named(String),
    /// A program and its arguments.
    Command(String, Vec<String>),
}

fn parse(given: Given) -> Result<Box<dyn Grant>, String> {
    let mut keys = given.plain;
    let program = match (keys.remove("name"), keys.remove("command")) {
        (Some(name), None) => Program::named(&name)?,
        (None, Some(command)) => Program::command(command)?,
        _ => return Err("a plugin needs exactly one of `name` and `command`".to_owned()),
    };
    let timeout = keys.remove("timeout").map(|value| {
        let time = humantime::parse_duration(value.as_str().unwrap_or_default()).ok();
        time.filter(|time| !time.is_zero())
            .ok_or("`timeout` is no time like \"60s\"")
    });
    Ok(Box::new(Plugin {
        program,
        timeout: timeout.transpose()?,
        keys,
        secrets: given.sources,
    }))
}

impl Program {
    fn named(name: &toml::Value) -> Result<Self, String> {
        let name = name.as_str().ok_or("`name` is no string")?;
        let is_plain =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(format!(
                "`name` is made of the letters a to z, digits, `-`, `_` and `.`, and `{}` is not",
                printable(name)
            ));
        }
        Ok(Self::Named(name.to_owned()))
    }

    fn command(command: toml::Value) -> Result<Self, String> {
        let words: Vec<String> = command
            .try_into()
            .map_err(|_| "`command` is no array of strings")?;
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or("`command` names no program")?;
        let path = Path::new(&program);
        if path.components().count() > 1 && !path.is_absolute() {
            return Err(format!(
                "`command`: `{}` is neither a name nor a path from the root",
                printable(&program)
            ));
        }
        Ok(Self::Command(program, words.collect()))
    }

    /// How a person knows it.
    fn label(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::Command(program, _) => {
                let stem = Path::new(program).file_stem();
                printable(
                    &stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
                )
            }
        }
    }

    /// The file that is started, and its arguments.
    fn find(&self, context: &Context<'_>) -> Result<(PathBuf, &[String]), Error> {
        let (file, arguments): (_, &[String]) = match self {
            Self::Named(name) => (format!("{PREFIX}{name}"), &[]),
            Self::Command(program, arguments) => (program.clone(), arguments),
        };
        let path = Path::new(&file);
        let found = if path.is_absolute() {
            path.is_file().then(|| path.to_owned())
        } else {
            process::find(&file, context.environment)
        };
        let found = found.ok_or_else(|| {
            let file = printable(&file);
            let error = Error::new(
                ErrorKind::Config,
                format!("there is no plugin `{}`", self.label()),
            );
            if path.is_absolute() {
                error.because(format!("`{file}` is no file"))
            } else {
                error
                    .because(format!("no directory of PATH has a program `{file}`"))
                    .hint(format!(
                        "install `{file}`, or name the plugin by `command` and its whole path"
                    ))
            }
        })?;
        Ok((found, arguments))
    }
}

impl Grant for Plugin {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::PersonIfNeeded
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let (key, program, arguments) = match &self.program {
            Program::Named(name) => ("plugin", name, None),
            Program::Command(program, arguments) => ("plugin_command", program, Some(arguments)),
        };
        let secrets = self.secrets.iter();
        let secrets: toml::Table = secrets
            .map(|(key, source)| (key.clone(), source.identity().into()))
            .collect();
        // Whoever looks into the session's file need not see what may be secret.
        let all = json!([arguments, self.keys.to_string(), secrets.to_string()]);
        let all = digest(all.to_string().as_bytes());
        vec![(key, program.clone()), ("plugin_keys", all)]
    }

    fn knows_profile(&self) -> bool {
        true
    }

    fn is_of_authority(&self) -> bool {
        false
    }

    fn chosen(&self, _client: &Client, _context: &Context<'_>) -> Result<&dyn Grant, Error> {
        Ok(self)
    }

    fn run(
        &self,
        _client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        let (program, arguments) = self.program.find(context)?;
        let mut secrets = BTreeMap::new();
        for (key, source) in &self.secrets {
            secrets.insert(key.as_str(), source.resolve(key, context)?);
        }
        let mut hidden = context.tokens.secret_variables()?;
        // With these anybody asks the platform for a token, whatever the profiles name.
        hidden.extend(environment::SECRETS_OF_PLATFORMS.map(String::from));
        let line = wire::acquire(request, &self.handed(), &secrets);
        let is_asking = request.interactive != Interactive::Never;
        let limit = match (self.timeout, context.time_left()) {
            (Some(timeout), Some(left)) => timeout.min(left),
            (Some(timeout), None) => timeout,
            (None, Some(left)) => left,
            (None, None) if is_asking => ASKING,
            (None, None) => SILENT,
        };
        // Ctrl-C ends it, too: it is beyond the terminal's reach.
        let _shield = context.signals.shield();
        let label = self.program.label();
        let peer = Peer::start(&program, arguments, &hidden).map_err(|error| {
            let program = printable(&program.display().to_string());
            Error::new(
                ErrorKind::Config,
                format!("the plugin `{label}` cannot be started"),
            )
            .because(format!("`{program}`: {error}"))
        })?;
        let mut withheld: Vec<Secret> = secrets.into_values().collect();
        withheld.extend(request.refresh_token.cloned());
        let speaker = Speaker { label, withheld };
        let conversation = Conversation::new(speaker, peer, limit, is_asking, context);
        conversation.hold(line)
    }
}

impl Plugin {
    /// What it is handed of the `grant` table, but for the secrets.
    fn handed(&self) -> toml::Table {
        let mut handed = self.keys.clone();
        handed.insert("type".to_owned(), NAME.into());
        if let Program::Named(name) = &self.program {
            handed.insert("name".to_owned(), name.as_str().into());
        }
        handed
    }
}
