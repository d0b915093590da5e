//! What went wrong, in cred-helper's kinds (docs/errors.md).

use crate::text::{printable, shell_word};

/// What the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bug of ours.
    Internal,
    /// The request is wrong.
    Usage,
    /// The profile lacks something.
    Config,
    /// A person has to sign in, and may not be asked, or did not come.
    LoginRequired,
    /// The broker, the authority or the person said no.
    Denied,
    /// Trouble that may pass.
    Unavailable,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::LoginRequired => "login_required",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
        }
    }
}

/// An error as cred-helper is told it. The text is harmless to show.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) next: Vec<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            message: printable(message.as_ref()),
            hint: None,
            next: Vec::new(),
        }
    }

    pub(crate) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(printable(hint.as_ref()));
        self
    }

    /// Names the command that lets a person sign in to `profile`.
    pub(crate) fn sign_in(mut self, profile: Option<&str>) -> Self {
        if let Some(profile) = profile {
            self.next = ["cred-helper", "login", "-p", profile]
                .map(str::to_owned)
                .to_vec();
            let command = format!("cred-helper login -p {}", shell_word(profile));
            return self.hint(format!("run `{command}`; the broker then asks in a window"));
        }
        self
    }
}

/// Text of the broker on its way to a person: a word as long as a token is left out.
pub(crate) fn told(text: &str) -> String {
    /// Which word is no word any more? An identifier of Entra has 36 characters, a token hundreds.
    const LONGEST_WORD: usize = 120;
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| {
            if word.len() > LONGEST_WORD {
                "…"
            } else {
                word
            }
        })
        .collect();
    printable(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Failure, Kind, told};

    #[test]
    fn a_failure_holds_no_control_characters_and_names_the_command() {
        let failure = Failure::new(Kind::LoginRequired, "sign\u{1b}[2J in").sign_in(Some("it's"));
        assert_eq!(failure.message, "sign[2J in");
        assert_eq!(failure.next, ["cred-helper", "login", "-p", "it's"]);
        let hint = failure.hint.expect("a command");
        assert!(hint.contains(r"login -p 'it'\''s'`"), "{hint}");
        let nameless = Failure::new(Kind::LoginRequired, "sign in").sign_in(None);
        assert_eq!((nameless.next, nameless.hint), (vec![], None));
    }

    #[test]
    fn what_the_broker_says_is_shown_without_what_may_be_a_token() {
        let token = "x".repeat(200);
        assert_eq!(told(&format!("no\r\n{token} \u{9b}2Jyes")), "no … 2Jyes");
    }
}
