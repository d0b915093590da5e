//! What cred-helper and a plugin write to each other, as pure functions.
//!
//! Whatever of a plugin's words a person is shown holds no control characters, and none of the
//! secrets that the plugin was given.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::super::GrantRequest;
use crate::credential::Interactive;
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind, OAuthError};
use crate::oauth::id_token;
use crate::secret::Secret;
use crate::text::printable;
use crate::token::{Account, NOT_APPLICABLE, Timestamp, TokenSet};

/// How many lines of a message, and how many causes of an error, are shown?
const MOST_LINES: usize = 40;

const SEE_SPECIFICATION: &str = "this is a mistake in the plugin; docs/protocol.md says what it is to write, and \
     CRED_HELPER_LOG=trace shows what it wrote";

/// The one request, as a line: what the profile says, and what is wanted. `grant` is what the plugin
/// is handed of the `grant` table, but for the `secrets`.
pub(super) fn acquire(
    request: &GrantRequest<'_>,
    grant: &toml::Table,
    secrets: &BTreeMap<&str, Secret>,
) -> Zeroizing<Vec<u8>> {
    let mut profile = Map::new();
    profile.insert("name".to_owned(), request.profile.into());
    for (key, value) in &request.profile_keys {
        if is_for_plugin(key) {
            profile.insert(key.clone(), to_json(value));
        }
    }
    let plain = grant.iter();
    let mut grant: Map<String, Value> = plain
        .map(|(key, value)| (key.clone(), to_json(value)))
        .collect();
    for (key, secret) in secrets {
        grant.insert((*key).to_owned(), secret.expose().into());
    }
    profile.insert("grant".to_owned(), grant.into());
    // It is an object: whoever asks for claims has checked that.
    let claims = request
        .claims
        .and_then(|claims| serde_json::from_str::<Value>(claims).ok());
    let mut message = json!({
        "v": 1,
        "kind": "acquire",
        "profile": profile,
        "scopes": request.scopes,
        "account": request.account,
        "refresh_token": request.refresh_token.map(Secret::expose),
        "min_valid": request.min_valid,
        "force_refresh": request.force_refresh,
        "claims": claims,
        "interactive": match request.interactive {
            Interactive::Never => "never",
            // It has no terminal of its own, and what it says is shown.
            Interactive::Auto | Interactive::Always => "always",
        },
    });
    let line = format!("{message}\n");
    wipe(&mut message);
    Zeroizing::new(line.into_bytes())
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
            let members = table.iter();
            let members = members.map(|(key, value)| (key.clone(), to_json(value)));
            Value::Object(members.collect())
        }
    }
}

/// Leaves no text of a message in memory.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A line of a plugin: its hello, a message, or an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
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

/// What a line after the hello is.
pub(super) enum Word {
    /// Something for a person.
    Message(String),
    /// The answer.
    Answer(Result<Box<TokenSet>, Error>),
}

/// A plugin, as a person is told of it.
pub(super) struct Speaker {
    /// What it is called.
    pub(super) label: String,
    /// What it was given, and must not show.
    pub(super) withheld: Vec<Secret>,
}

impl Speaker {
    /// Reads a line.
    pub(super) fn decode(&self, line: &[u8]) -> Result<Said, Error> {
        // The error's own text may show a part of the line.
        from_object(line).map_err(|error| {
            let column = error.column();
            self.mistaken(&format!(
                "it wrote a line that is not understood (column {column})"
            ))
        })
    }

    /// Checks that a plugin has said hello, and speaks our version.
    pub(super) fn greet(&self, hello: &Said) -> Result<(), Error> {
        let versions = hello.v.as_array().map(Vec::as_slice).unwrap_or_default();
        if versions.is_empty() {
            return Err(
                self.mistaken("it said no hello: the versions of the protocol that it speaks")
            );
        }
        if versions.iter().any(|version| version.as_u64() == Some(1)) {
            return Ok(());
        }
        let versions: Vec<_> = versions.iter().take(10).map(Value::to_string).collect();
        let versions = self.shown(&versions.join(", "));
        Err(self
            .failed(&format!(
                "it speaks version {versions} of the protocol, and not 1"
            ))
            .with_kind(ErrorKind::Config)
            .hint("update the plugin, or cred-helper"))
    }

    /// What a line after the hello is; the error is that it is nothing of that.
    pub(super) fn understand(&self, said: Said, now: Timestamp) -> Result<Word, Error> {
        let Said {
            v: _,
            kind,
            message,
            ok,
            err,
        } = said;
        match (err, ok, message) {
            (Some(refusal), _, _) => Ok(Word::Answer(Err(self.refused(refusal)))),
            (None, Some(tokens), _) => {
                let tokens = read(tokens, now).map_err(|problem| self.mistaken(&problem))?;
                Ok(Word::Answer(Ok(Box::new(tokens))))
            }
            (None, None, Some(message)) if kind.as_deref() == Some("message") => {
                let lines = message.lines().take(MOST_LINES);
                let lines: Vec<String> = lines.map(|line| self.shown_line(line)).collect();
                Ok(Word::Message(lines.join("\n").trim().to_owned()))
            }
            (None, None, _) => {
                Err(self.mistaken("it wrote a line that is neither a message nor an answer"))
            }
        }
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
            let shown = |text: Option<String>| text.map(|text| self.shown(&text));
            error = error.oauth(OAuthError {
                error: self.shown(&said.error),
                error_description: shown(said.error_description),
                error_codes: said.error_codes,
                suberror: shown(said.suberror),
                correlation_id: shown(said.correlation_id),
                trace_id: shown(said.trace_id),
            });
        }
        match hint {
            // Where to sign in, we know better: its command is another machine's.
            Some(hint) if kind != ErrorKind::LoginRequired => error.hint(self.shown(&hint)),
            _ => error,
        }
    }

    fn no_token(&self) -> String {
        format!("the plugin `{}` gave no token", self.label)
    }

    /// It did not do what the protocol asks of it. That may pass.
    pub(super) fn failed(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Unavailable, self.no_token()).because(problem)
    }

    /// The same, where that is how it was written.
    fn mistaken(&self, problem: &str) -> Error {
        self.failed(problem).hint(SEE_SPECIFICATION)
    }

    /// What it said, made safe to show.
    pub(super) fn shown(&self, text: &str) -> String {
        // Looked for before and after: what is long is cut, and what divides a secret is dropped.
        let text = without(text, &self.withheld);
        without(&printable(&text), &self.withheld)
    }

    /// A line of a message, made safe to show, as far in as it stood.
    fn shown_line(&self, line: &str) -> String {
        /// How far in may a line begin?
        const FARTHEST: usize = 16;
        let indentation = line.len() - line.trim_start_matches(' ').len();
        format!(
            "{}{}",
            " ".repeat(indentation.min(FARTHEST)),
            self.shown(line)
        )
    }

    /// A line of either side without what is secret in it.
    pub(super) fn redacted(&self, line: &[u8]) -> String {
        let Ok(mut value) = serde_json::from_slice::<Value>(line) else {
            return format!("{} bytes that are no JSON", line.len());
        };
        let shown = self.shown(&redacted("", &value).to_string());
        wipe(&mut value);
        shown
    }
}

/// A text with each secret in it replaced.
fn without(text: &str, withheld: &[Secret]) -> String {
    /// Of what length would a secret be found by chance?
    const SHORTEST: usize = 4;
    let mut text = text.to_owned();
    for secret in withheld {
        let shown = Zeroizing::new(printable(secret.expose()));
        for secret in [secret.expose(), &shown] {
            if secret.len() >= SHORTEST {
                text = text.replace(secret, "…");
            }
        }
    }
    text
}

/// A message with its keys, and with the values that are known to be harmless.
fn redacted(key: &str, value: &Value) -> Value {
    const HARMLESS: [&str; 5] = ["kind", "interactive", "scopes", "expires_at", "type"];
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

const BEARER: &str = "Bearer";

/// A `token_type` as it may be put into a header. RFC 6749 §7.1: a token of a type that is not
/// understood must not be used.
fn understood(given: &str) -> Option<&'static str> {
    let is_it = |known: &&str| given.eq_ignore_ascii_case(known);
    [BEARER, NOT_APPLICABLE].into_iter().find(is_it)
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
    let expires_at = match (expires_in, expires_at) {
        // The plugin's clock may be another machine's.
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
    let token_type = match token_type.as_deref() {
        None | Some("") => BEARER,
        Some(given) => understood(given).ok_or_else(|| {
            let given = printable(given);
            format!("its token type is `{given}`, and only bearer tokens are understood")
        })?,
    };
    Ok(TokenSet {
        expires_at,
        refresh_token: refresh_token.filter(|token| !token.expose().is_empty()),
        id_token,
        id_token_expires_at,
        scopes: scopes.map(|scopes| scopes.iter().map(|scope| printable(scope)).collect()),
        account: Account::told(account, None),
        ..TokenSet::of_access_token(access_token, token_type, now)
    })
}

/// What a person would be shown of a plugin's line, and the tokens in it: what a fuzzer calls.
///
/// # Errors
/// What is wrong with it.
pub fn decodes(line: &[u8]) -> Result<(Vec<String>, Option<TokenSet>), Error> {
    let speaker = Speaker {
        label: "fuzz".to_owned(),
        withheld: vec![Secret::new("canary")],
    };
    let mut shown = vec![speaker.redacted(line)];
    let said = speaker.decode(line)?;
    shown.extend(speaker.greet(&said).err().map(|error| error.to_string()));
    match speaker.understand(said, Timestamp(1000))? {
        Word::Message(message) => shown.push(message),
        Word::Answer(Ok(tokens)) => return Ok((shown, Some(*tokens))),
        Word::Answer(Err(error)) => return Err(error),
    }
    Ok((shown, None))
}

#[cfg(test)]
mod tests {
    use super::{Speaker, Word};
    use crate::error::{Error, ErrorKind};
    use crate::secret::Secret;
    use crate::token::Timestamp;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn hear(line: &str) -> Result<Word, Error> {
        let speaker = Speaker {
            label: "corp".to_owned(),
            withheld: vec![Secret::new("canary  of ada"), Secret::new("12")],
        };
        speaker.understand(speaker.decode(line.as_bytes())?, NOW)
    }

    #[test]
    fn a_token_ends_when_its_seconds_are_over_whatever_another_clock_says() {
        for (members, end) in [
            ("", None),
            (r#","expires_in":60"#, Some(1_000_060)),
            (
                r#","expires_in":60,"expires_at":"2001-01-01T00:00:00Z""#,
                Some(1_000_060),
            ),
            (r#","expires_at":"1970-01-12T13:46:41Z""#, Some(1_000_001)),
            (r#","expires_in":null,"expires_at":null"#, None),
        ] {
            let line = format!(r#"{{"Ok":{{"access_token":"t"{members}}}}}"#);
            let Ok(Word::Answer(Ok(tokens))) = hear(&line) else {
                panic!("{line}")
            };
            assert_eq!(tokens.expires_at, end.map(Timestamp), "{line}");
            assert_eq!(tokens.token_type, "Bearer");
        }
    }

    #[test]
    fn a_token_of_a_type_that_is_not_understood_is_not_used() {
        for (given, expected) in [
            ("null", Some("Bearer")),
            ("\"\"", Some("Bearer")),
            ("\"bearer\"", Some("Bearer")),
            ("\"n_a\"", Some("N_A")),
            ("\"pop\"", None),
            ("\"DPoP\"", None),
        ] {
            let line = format!(r#"{{"Ok":{{"access_token":"t","token_type":{given}}}}}"#);
            let token_type = match hear(&line) {
                Ok(Word::Answer(Ok(tokens))) => Some(tokens.token_type),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("only bearer tokens"), "{error}");
                    None
                }
                Ok(Word::Answer(Err(_)) | Word::Message(_)) => panic!("{line}"),
            };
            assert_eq!(token_type.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn what_it_was_given_is_never_shown() {
        for words in [
            "canary  of ada",
            "canary of ada",
            "can\\u200bary  of ada",
            "\\u001bcanary \\t of ada",
        ] {
            let line = format!(r#"{{"kind":"message","message":"12 is {words}!\n{words}"}}"#);
            let Ok(Word::Message(shown)) = hear(&line.replace('\n', "\\n")) else {
                panic!("{line}")
            };
            assert_eq!(shown, "12 is …!\n…", "{line}");
        }
    }

    #[test]
    fn an_error_of_a_plugin_is_one_of_ours() {
        for (kind, expected) in [
            ("\"login_required\"", ErrorKind::LoginRequired),
            ("\"interrupted\"", ErrorKind::Unavailable),
            ("\"internal\"", ErrorKind::Unavailable),
            ("\"usage\"", ErrorKind::Config),
            ("\"no_profile\"", ErrorKind::Config),
            ("\"denied\"", ErrorKind::Denied),
            ("\"\"", ErrorKind::Denied),
            ("null", ErrorKind::Denied),
        ] {
            let line = format!(r#"{{"Err":{{"kind":{kind},"hint":"do it"}},"Ok":null}}"#);
            let Ok(Word::Answer(Err(error))) = hear(&line) else {
                panic!("{line}")
            };
            assert_eq!(error.kind(), expected, "{line}");
            let is_ours = expected == ErrorKind::LoginRequired;
            assert_eq!(error.hint_text().is_none(), is_ours, "{line}");
        }
    }
}
