//! A program of somebody else that gives the tokens: a plugin. `docs/protocol.md` is what it is
//! written by.
//!
//! Whatever it does, a call ends within its limit, with a clear error, and nothing that was kept is
//! lost. It is sent what the profile says and no other profile's secret; whatever of its words a
//! person is shown holds no control characters and none of the secrets that it was given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{ANY_KEY, Asks, Entry, Given, Grant, GrantRequest};
use crate::context::{Clock, Context, Level};
use crate::credential::Interactive;
use crate::error::{Error, ErrorKind, OAuthError};
use crate::line::Line;
use crate::oauth::client::Client;
use crate::oauth::id_token;
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::system::clock::SystemClock;
use crate::system::peer::{Heard, Peer};
use crate::system::process;
use crate::text::printable;
use crate::token::{Account, Timestamp, TokenSet};

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
/// When is a person told who is waited for?
const LONG: Duration = Duration::from_secs(10);
/// How many messages for a person may come before an answer?
const MOST_MESSAGES: usize = 64;
/// How many lines may a message have?
const MOST_LINES: usize = 40;

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
        let mut identity = match &self.program {
            Program::Named(name) => vec![("plugin", name.clone())],
            Program::Command(program, arguments) => {
                vec![("plugin_command", json!([program, arguments]).to_string())]
            }
        };
        let keys = self
            .keys
            .iter()
            .map(|(key, value)| (key, value.to_string()));
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|(key, source)| (key, source.to_toml().to_string()));
        let all = keys.chain(secrets);
        identity.extend(all.map(|(key, value)| ("plugin_key", format!("{key}={value}"))));
        identity
    }

    fn knows_profile(&self) -> bool {
        true
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
        let hidden = context.tokens.secret_variables()?;
        let line = self.acquire(request, &secrets);
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
        let conversation = Conversation {
            label,
            peer,
            limit,
            is_asking,
            withheld: &withheld,
            context,
            clock: SystemClock::new(),
            is_announced: false,
            messages: 0,
            last_noise: None,
        };
        conversation.hold(line)
    }
}

impl Plugin {
    /// The one request: what the profile says, and what is wanted.
    fn acquire(
        &self,
        request: &GrantRequest<'_>,
        secrets: &BTreeMap<&str, Secret>,
    ) -> Zeroizing<Vec<u8>> {
        let mut grant = Map::new();
        grant.insert("type".to_owned(), NAME.into());
        if let Program::Named(name) = &self.program {
            grant.insert("name".to_owned(), name.as_str().into());
        }
        grant.extend(
            self.keys
                .iter()
                .map(|(key, value)| (key.clone(), to_json(value))),
        );
        grant.extend(
            secrets
                .iter()
                .map(|(key, secret)| ((*key).to_owned(), secret.expose().into())),
        );
        let mut profile = Map::new();
        profile.insert("name".to_owned(), request.profile.into());
        for (key, value) in &request.profile_keys {
            if is_for_plugin(key) {
                profile.insert(key.clone(), to_json(value));
            }
        }
        profile.insert("grant".to_owned(), grant.into());
        // It is an object: whoever asks for claims has checked that.
        let claims = request
            .claims
            .map(|claims| serde_json::from_str::<Value>(claims).ok());
        let mut message = json!({
            "v": 1,
            "kind": "acquire",
            "profile": profile,
            "scopes": request.scopes,
            "account": request.account,
            "refresh_token": request.refresh_token.map(Secret::expose),
            "min_valid": request.min_valid,
            "force_refresh": request.force_refresh,
            "claims": claims.flatten(),
            "interactive": match request.interactive {
                Interactive::Never => "never",
                // It has no terminal of its own, and what it says is shown.
                Interactive::Auto | Interactive::Always => "always",
            },
        });
        let mut line = Zeroizing::new(message.to_string().into_bytes());
        line.push(b'\n');
        wipe(&mut message);
        line
    }
}

/// Whether a key of the profile is handed on: how the client proves who it is, is not.
fn is_for_plugin(key: &str) -> bool {
    match key {
        "client_id" | "client_capabilities" => true,
        "grant" | "tls" => false,
        _ => !key.starts_with("client_"),
    }
}

fn to_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            let members = table
                .iter()
                .map(|(key, value)| (key.clone(), to_json(value)));
            Value::Object(members.collect())
        }
    }
}

/// Leaves no text of a message in memory.
fn wipe(value: &mut Value) {
    use zeroize::Zeroize;
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a plugin writes: its hello, a message, or an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    v: Value,
    kind: Option<String>,
    message: Option<String>,
    #[serde(rename = "Ok")]
    ok: Option<Tokens>,
    #[serde(rename = "Err")]
    err: Option<Refusal>,
}

/// The tokens of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    access_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<i64>,
    expires_at: Option<String>,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    account: Option<String>,
    scopes: Option<Vec<String>>,
}

/// An error as an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    kind: Option<String>,
    message: Option<String>,
    caused_by: Option<Vec<String>>,
    hint: Option<String>,
    oauth: Option<OAuthError>,
}

/// What came of a plugin's answer: tokens, or why there are none.
type Answer = Result<TokenSet, Error>;

/// A plugin that runs, and what is asked of it.
struct Conversation<'c, 'w> {
    label: String,
    peer: Peer,
    limit: Duration,
    is_asking: bool,
    /// What it was given, and must not show.
    withheld: &'c [Secret],
    context: &'c Context<'w>,
    clock: SystemClock,
    is_announced: bool,
    messages: usize,
    last_noise: Option<String>,
}

impl Conversation<'_, '_> {
    fn hold(mut self, request: Zeroizing<Vec<u8>>) -> Answer {
        let hello = self.next("its hello")?;
        let versions = hello.v.as_array().map(Vec::as_slice).unwrap_or_default();
        if versions.is_empty() {
            return Err(self
                .failed("it said no hello: the versions of the protocol that it speaks")
                .hint(SEE_SPECIFICATION));
        }
        if !versions.iter().any(|version| version.as_u64() == Some(1)) {
            let versions: Vec<_> = versions.iter().take(10).map(Value::to_string).collect();
            let versions = self.shown(&versions.join(", "));
            return Err(self
                .failed(&format!(
                    "it speaks version {versions} of the protocol, and not 1"
                ))
                .with_kind(ErrorKind::Config)
                .hint("update the plugin, or cred-helper"));
        }
        self.trace("→", &request);
        self.peer.say(request);
        loop {
            let said = self.next("an answer")?;
            if let Some(refusal) = said.err {
                let error = self.refused(refusal);
                self.peer.part();
                return Err(error);
            }
            if let Some(tokens) = said.ok {
                let tokens = self.read(tokens)?;
                self.peer.part();
                return Ok(tokens);
            }
            match (said.kind.as_deref(), said.message) {
                (Some("message"), Some(message)) => self.pass_on(&message)?,
                _ => {
                    return Err(self
                        .failed("it wrote a line that is neither a message nor an answer")
                        .hint(SEE_SPECIFICATION));
                }
            }
        }
    }

    /// The next line, once it is there.
    fn next(&mut self, awaited: &str) -> Result<Said, Error> {
        /// How soon does a person see that Ctrl-C was heard?
        const SLICE: Duration = Duration::from_millis(50);
        loop {
            self.context.signals.check()?;
            let now = self.clock.monotonic();
            if now >= LONG && !self.is_announced {
                self.is_announced = true;
                self.context
                    .inform(&format!("waiting for the plugin `{}`…", self.label));
            }
            if now >= self.limit {
                let seconds = self.limit.as_secs_f64();
                return Err(self
                    .failed(&format!("it gave {awaited} not within {seconds:.0} s"))
                    .hint(if self.is_asking {
                        "nothing was lost; a longer time is `timeout` in the `grant` table"
                    } else {
                        "nothing was lost; try again later"
                    }));
            }
            let slice = self.limit.saturating_sub(now).min(SLICE);
            match self.peer.hear(slice) {
                None => {}
                Some(Heard::Line(Line::Whole(line))) => return self.decode(&line),
                Some(Heard::Line(Line::TooLong)) => {
                    return Err(self.failed("it wrote a line of more than 1 MiB"));
                }
                Some(Heard::Line(Line::End)) => return Err(self.ended(awaited)),
                Some(Heard::Noise(noise)) => self.heed(&noise),
                Some(Heard::Flood) => self.context.inform(&format!(
                    "plugin `{}`: … (more on stderr is left out)",
                    self.label
                )),
                Some(Heard::Stopped) => {
                    return Err(self
                        .failed("it wanted the terminal, which is not its own, and was stopped")
                        .with_kind(ErrorKind::Config)
                        .hint(
                            "have it ask nobody by itself; `ssh` is told so by `-o BatchMode=yes`",
                        ));
                }
            }
        }
    }

    /// It ended, or closed stdout. What it said on stderr tells why.
    fn ended(&mut self, awaited: &str) -> Error {
        /// How long may its last words be on their way?
        const LAST_WORDS: Duration = Duration::from_millis(200);
        let end = self.clock.monotonic() + LAST_WORDS;
        loop {
            let left = end.saturating_sub(self.clock.monotonic());
            match self.peer.hear(left) {
                Some(Heard::Noise(noise)) => self.heed(&noise),
                Some(Heard::Flood | Heard::Line(Line::Whole(_))) if !left.is_zero() => {}
                _ => break,
            }
        }
        let error = self.failed(&format!("it ended without {awaited}"));
        match &self.last_noise {
            Some(noise) => error.because(format!("it said: {noise}")),
            None => error,
        }
    }

    /// Passes on what it says on stderr.
    fn heed(&mut self, noise: &str) {
        let noise = self.shown(noise);
        self.context
            .inform(&format!("plugin `{}`: {noise}", self.label));
        self.last_noise = Some(noise);
    }

    /// Shows a message to the person, if one is asked.
    fn pass_on(&mut self, message: &str) -> Result<(), Error> {
        self.messages += 1;
        if self.messages > MOST_MESSAGES {
            return Err(self.failed(&format!("it wrote more than {MOST_MESSAGES} messages")));
        }
        let lines: Vec<String> = message
            .lines()
            .take(MOST_LINES)
            .map(|line| self.shown(line))
            .collect();
        let text = lines.join("\n");
        if !self.is_asking {
            self.context
                .debug(|| format!("plugin `{}` has a message for nobody", self.label));
            return Ok(());
        }
        // Somebody reads what is to be done: no more words of ours.
        self.is_announced = true;
        self.context
            .terminal
            .show(&format!("\n{}\n", text.trim()))
            .map_err(|error| {
                Error::new(
                    ErrorKind::LoginRequired,
                    format!(
                        "what the plugin `{}` asks cannot be shown to anybody",
                        self.label
                    ),
                )
                .because(error)
            })
    }

    fn decode(&self, line: &[u8]) -> Result<Said, Error> {
        self.trace("←", line);
        // The error's own text may show a part of the line.
        serde_json::from_slice(line).map_err(|error| {
            let place = format!(
                "it wrote a line that is not understood (column {})",
                error.column()
            );
            self.failed(&place).hint(SEE_SPECIFICATION)
        })
    }

    /// The tokens of an answer, with their end made absolute.
    fn read(&self, tokens: Tokens) -> Answer {
        let now = self.context.clock.now();
        read(tokens, now).map_err(|problem| self.failed(&problem).hint(SEE_SPECIFICATION))
    }

    /// Its error, as one of ours.
    fn refused(&self, refusal: Refusal) -> Error {
        let Refusal {
            kind,
            message,
            caused_by,
            hint,
            oauth,
        } = refusal;
        let kind = kind_of(kind.as_deref());
        let mut error = Error::new(kind, self.no_token());
        let causes = message.into_iter().chain(caused_by.into_iter().flatten());
        for cause in causes.take(MOST_LINES) {
            error = error.because(self.shown(&cause));
        }
        if let Some(said) = oauth {
            error = error.oauth(self.shown_oauth(said));
        }
        match hint {
            // What a person can do about it, we know better: its command is another machine's.
            Some(hint) if kind != ErrorKind::LoginRequired => error.hint(self.shown(&hint)),
            _ => error,
        }
    }

    fn shown_oauth(&self, said: OAuthError) -> OAuthError {
        let shown = |text: Option<String>| text.map(|text| self.shown(&text));
        OAuthError {
            error: self.shown(&said.error),
            error_description: shown(said.error_description),
            error_codes: said.error_codes,
            suberror: shown(said.suberror),
            correlation_id: shown(said.correlation_id),
            trace_id: shown(said.trace_id),
        }
    }

    fn no_token(&self) -> String {
        format!("the plugin `{}` gave no token", self.label)
    }

    /// It did not do what the protocol asks of it. That may pass.
    fn failed(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Unavailable, self.no_token()).because(problem)
    }

    fn shown(&self, text: &str) -> String {
        without(&printable(&without(text, self.withheld)), self.withheld)
    }

    /// Shows a line of either side to those who asked, without what is secret in it.
    fn trace(&self, direction: &str, line: &[u8]) {
        let notice = self.context.notice;
        if !notice.is_wanted(Level::Trace) {
            return;
        }
        let shown = match serde_json::from_slice::<Value>(line) {
            Ok(mut value) => {
                let shown = redacted("", &value).to_string();
                wipe(&mut value);
                self.shown(&shown)
            }
            Err(_) => format!("{} bytes that are no JSON", line.len()),
        };
        notice.write(
            Level::Trace,
            &format!("plugin `{}` {direction} {shown}", self.label),
        );
    }
}

const SEE_SPECIFICATION: &str = "this is a mistake in the plugin; docs/protocol.md says what it is to write, and \
                                 CRED_HELPER_LOG=trace shows what it wrote";

/// A text with each secret in it replaced.
fn without(text: &str, withheld: &[Secret]) -> String {
    /// Of what length would a secret be found by chance?
    const SHORTEST: usize = 4;
    let mut text = text.to_owned();
    for secret in withheld {
        for secret in [secret.expose(), &printable(secret.expose())] {
            if secret.len() >= SHORTEST {
                text = text.replace(secret, "…");
            }
        }
    }
    text
}

/// A message with its keys, and with the values that are known to be harmless.
fn redacted(key: &str, value: &Value) -> Value {
    const HARMLESS: [&str; 6] = [
        "kind",
        "interactive",
        "scopes",
        "expires_at",
        "type",
        "error",
    ];
    match value {
        Value::String(_) if !HARMLESS.contains(&key) => "…".into(),
        Value::Array(items) => items.iter().map(|item| redacted(key, item)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, value)| (key.clone(), redacted(key, value)));
            Value::Object(members.collect())
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What a plugin's kind of error means here. Its configuration, its store and its bugs are not ours.
fn kind_of(kind: Option<&str>) -> ErrorKind {
    let known = ErrorKind::ALL
        .into_iter()
        .find(|known| Some(known.name()) == kind);
    match known {
        Some(kind @ (ErrorKind::LoginRequired | ErrorKind::Unavailable)) => kind,
        Some(ErrorKind::Config | ErrorKind::NoProfile | ErrorKind::Usage) => ErrorKind::Config,
        Some(
            ErrorKind::Internal
            | ErrorKind::Busy
            | ErrorKind::Store
            | ErrorKind::Http
            | ErrorKind::Interrupted,
        ) => ErrorKind::Unavailable,
        Some(ErrorKind::Denied) | None => ErrorKind::Denied,
    }
}

/// Reads the tokens of an answer; the error is what is wrong with them.
fn read(tokens: Tokens, now: Timestamp) -> Result<TokenSet, String> {
    let Tokens {
        access_token,
        token_type,
        expires_in,
        expires_at,
        refresh_token,
        id_token,
        account,
        scopes,
    } = tokens;
    let access_token = access_token.ok_or("its answer has no `access_token`")?;
    let is_token = |token: &Secret| {
        let bytes = token.expose().as_bytes();
        !bytes.is_empty() && bytes.iter().all(|byte| (0x21..0x7f).contains(byte))
    };
    if !is_token(&access_token) {
        return Err("its `access_token` is not of printable ASCII without blanks".to_owned());
    }
    // Seconds are counted by one clock alone.
    let expires_at = match (expires_in, expires_at) {
        (Some(seconds), _) => Some(now.plus(seconds)),
        (None, Some(time)) => {
            let time = humantime::parse_rfc3339(&time);
            let time = time.map_err(|_| "its `expires_at` is no time of RFC 3339 in `Z`")?;
            Some(time.into())
        }
        (None, None) => None,
    };
    if expires_at.is_some_and(|end| end <= now) {
        return Err("its token is over already".to_owned());
    }
    let id_token = id_token.filter(is_token);
    let id_token_expires_at = id_token
        .as_ref()
        .and_then(|token| id_token::expires_at(token.expose(), now));
    let token_type = token_type
        .map(|name| printable(&name))
        .filter(|name| !name.is_empty());
    Ok(TokenSet {
        access_token,
        token_type: token_type.unwrap_or_else(|| "Bearer".to_owned()),
        issued_at: now,
        expires_at,
        refresh_at: None,
        refresh_token: refresh_token.filter(|token| !token.expose().is_empty()),
        refresh_expires_at: None,
        id_token,
        id_token_expires_at,
        scopes: scopes.map(|scopes| scopes.iter().map(|scope| printable(scope)).collect()),
        account: Account::told(account, None),
    })
}
