//! The one error that leaves the library: what failed, its kind, and what to do next.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{printable, shell_word};

/// What a caller can do about an error. The set is closed and public: names and exit codes are
/// what scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Our bug.
    Internal,
    /// The command line, or a malformed request of a tool.
    Usage,
    /// The profile file.
    Config,
    /// A person has to sign in and may not be asked here.
    LoginRequired,
    /// The authority or the person said no; the same call will fail again.
    Denied,
    /// Network or server trouble; no token is touched and the call may be retried.
    Unavailable,
    /// The lock was held for longer than the limit.
    Busy,
    /// Nothing answers for this name or URL.
    NoProfile,
    /// The token store cannot be read or written, or the answer cannot be written.
    Store,
    /// `request` only: another HTTP status of 400 or more.
    Http,
    /// A person pressed Ctrl-C, or the process was told to end.
    Interrupted,
}

impl ErrorKind {
    /// Every kind, in the order of the exit codes.
    pub const ALL: [Self; 11] = [
        Self::Internal,
        Self::Usage,
        Self::Config,
        Self::LoginRequired,
        Self::Denied,
        Self::Unavailable,
        Self::Busy,
        Self::NoProfile,
        Self::Store,
        Self::Http,
        Self::Interrupted,
    ];

    /// The name in JSON answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::LoginRequired => "login_required",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::NoProfile => "no_profile",
            Self::Store => "store",
            Self::Http => "http",
            Self::Interrupted => "interrupted",
        }
    }

    /// What it tells a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Internal => "a bug of cred-helper",
            Self::Usage => "the command line is wrong, or a request of a tool",
            Self::Config => "a profile is wrong, or a tool's own configuration",
            Self::LoginRequired => "a person has to sign in, and may not be asked here",
            Self::Denied => "the authority or the person said no; the same call fails again",
            Self::Unavailable => "trouble of the network or of the server; try again later",
            Self::Busy => "another process held a lock for longer than the limit",
            Self::NoProfile => "no profile answers for this name, URL or tool",
            Self::Store => "what is kept, or stdout, cannot be read or written",
            Self::Http => "`request`: another HTTP status of 400 or more",
            Self::Interrupted => "Ctrl-C",
        }
    }

    /// The exit code of a command that ends with this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::LoginRequired => 4,
            Self::Denied => 5,
            Self::Unavailable => 6,
            Self::Busy => 7,
            Self::NoProfile => 8,
            Self::Store => 9,
            Self::Http => 10,
            Self::Interrupted => 130,
        }
    }
}

/// What an authority said in an error response
/// ([RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2) and Entra's additions).
/// All text in it is safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OAuthError {
    /// `error`, the code.
    pub error: String,
    /// `error_description`, for people.
    pub error_description: Option<String>,
    /// `error_codes`: the numbers behind `AADSTS`.
    pub error_codes: Vec<i64>,
    /// `suberror`: Entra's classification.
    pub suberror: Option<String>,
    /// `correlation_id`: what the authority's support asks for.
    pub correlation_id: Option<String>,
    /// `trace_id`: the same, for one request.
    pub trace_id: Option<String>,
}

/// What failed, why, and what a person can do. It holds no secret, and can be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Inner {
    kind: ErrorKind,
    message: String,
    #[serde(default)]
    caused_by: Vec<String>,
    hint: Option<String>,
    #[serde(default)]
    next: Vec<String>,
    oauth: Option<OAuthError>,
    #[serde(skip)]
    wants_a_path: bool,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Error {
    /// An error of `kind`. `message` says what failed and with which value: lower case, no full
    /// stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            caused_by: Vec::new(),
            hint: None,
            next: Vec::new(),
            oauth: None,
            wants_a_path: false,
            retry_after: None,
        }))
    }

    /// The same of another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds what lies behind it; the first added is the nearest.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.caused_by.push(printable(&cause.to_string()));
        self
    }

    /// Adds another error as what lies behind it, with its own causes and what the authority said.
    #[must_use]
    pub fn because_of(mut self, cause: &Self) -> Self {
        self = self.because(cause.message());
        self.0.caused_by.extend_from_slice(cause.causes());
        self.0.oauth.clone_from(&cause.0.oauth);
        self
    }

    /// Says in words what to do; replaces an earlier hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Names the command to run next, and makes it the hint where there is none.
    #[must_use]
    pub fn next<'w>(mut self, command: impl IntoIterator<Item = &'w str>) -> Self {
        self.0.next = command.into_iter().map(String::from).collect();
        if self.0.hint.is_none() {
            let words: Vec<_> = self.0.next.iter().map(|word| shell_word(word)).collect();
            self.0.hint = Some(format!("run `{}`", printable(&words.join(" "))));
        }
        self
    }

    /// Adds the `--config` of this call to the commands that the error names: without it they
    /// would look for the profile elsewhere.
    #[must_use]
    pub fn with_config(mut self, config: &str) -> Self {
        const OURS: &str = "cred-helper";
        if self.0.next.first().is_some_and(|program| program == OURS) {
            let words = ["--config", config].map(String::from);
            self.0.next.splice(1..1, words);
        }
        if let Some(hint) = &mut self.0.hint {
            let config = printable(&shell_word(config));
            *hint = hint.replace(&format!("`{OURS} "), &format!("`{OURS} --config {config} "));
        }
        self
    }

    /// Attaches what the authority said.
    #[must_use]
    pub fn oauth(mut self, said: OAuthError) -> Self {
        let mut line = said.error.clone();
        if let Some(description) = &said.error_description {
            line = format!("{line}: {description}");
        }
        self.0.caused_by.push(line);
        for (name, id) in [
            ("correlation id", &said.correlation_id),
            ("trace id", &said.trace_id),
        ] {
            if let Some(id) = id {
                self.0.caused_by.push(format!("{name} {id}"));
            }
        }
        self.0.oauth = Some(said);
        self
    }

    /// Says that there would be an answer if a path had been told: not every tool tells one.
    #[must_use]
    pub fn for_want_of_a_path(mut self) -> Self {
        self.0.wants_a_path = true;
        self
    }

    /// Whether there would be an answer if a path had been told.
    pub fn wants_a_path(&self) -> bool {
        self.0.wants_a_path
    }

    /// Says in how many seconds whoever was asked wants to be asked again, if that was said.
    #[must_use]
    pub fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.0.retry_after = seconds;
        self
    }

    /// In how many seconds whoever was asked wants to be asked again, if that was said. It is not kept
    /// with the error.
    pub fn seconds_to_retry(&self) -> Option<u64> {
        self.0.retry_after
    }

    /// The kind, from which the exit code follows.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What lies behind it, nearest first.
    pub fn causes(&self) -> &[String] {
        &self.0.caused_by
    }

    /// What to do, in words.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The command to run next, as arguments; empty if there is none.
    pub fn next_command(&self) -> &[String] {
        &self.0.next
    }

    /// The error as JSON: the form of `--error-format json` and of the JSON protocol's `Err`.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::{Map, Value, json};
        let mut object = Map::new();
        object.insert("kind".into(), self.kind().name().into());
        object.insert("message".into(), self.message().into());
        object.insert("caused_by".into(), self.causes().into());
        object.insert("hint".into(), self.hint_text().into());
        object.insert("next".into(), self.next_command().into());
        let oauth = self.oauth_error().map_or(Value::Null, |said| {
            json!({
                "error": said.error,
                "error_description": said.error_description,
                "error_codes": said.error_codes,
                "suberror": said.suberror,
                "correlation_id": said.correlation_id,
                "trace_id": said.trace_id,
            })
        });
        object.insert("oauth".into(), oauth);
        Value::Object(object)
    }

    /// What the authority said, if it did.
    pub fn oauth_error(&self) -> Option<&OAuthError> {
        self.0.oauth.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        for cause in &self.0.caused_by {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn names_and_exit_codes_are_a_public_interface() {
        let table: Vec<_> = ErrorKind::ALL
            .iter()
            .map(|kind| (kind.name(), kind.exit_code()))
            .collect();
        assert_eq!(
            table,
            [
                ("internal", 1),
                ("usage", 2),
                ("config", 3),
                ("login_required", 4),
                ("denied", 5),
                ("unavailable", 6),
                ("busy", 7),
                ("no_profile", 8),
                ("store", 9),
                ("http", 10),
                ("interrupted", 130),
            ]
        );
    }
}
