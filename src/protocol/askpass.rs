//! A program that git asks instead of the person (gitcredentials(7): `GIT_ASKPASS`, `core.askPass`,
//! `SSH_ASKPASS`): for a user name first, for the password then, in English whatever the language.
//!
//! The question is a text, and others than git may have written it: ssh hands on what a server wants
//! to have asked. So a question is git's to the letter, or it is declined; what makes its URL
//! ambiguous in any git is no URL of git's; and ssh is given nothing.

use std::time::Duration;

use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, git_prompt, names_nobody, username};
use crate::credential::{Action, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::system::process;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "askpass",
    summary: "Answer git's own question for a user name or a password",
    help: "Where git's helpers cannot be set up:\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/cred-helper-askpass\n  export GIT_ASKPASS=cred-helper-askpass",
    link_names: &["cred-helper-askpass"],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &[],
    operands: &["PROMPT"],
    is_raw: true,
    is_mute: false,
    serve,
};

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let [prompt] = arguments.operands() else {
        return Err(
            Error::new(ErrorKind::Usage, "one question is wanted, as one argument").hint(
                "git asks it: set GIT_ASKPASS to a link `cred-helper-askpass`, and see docs/askpass.md",
            ),
        );
    };
    let question = prompt.to_str().and_then(Question::read);
    let prompt = &prompt.to_string_lossy();
    let Some(question) = question else {
        return decline(io, prompt, "it is none of git's for a web address");
    };
    if io.environment.variable("SSH_ASKPASS").is_some() && process::is_child_of("ssh") {
        return decline(io, prompt, "ssh asks it, which may have it from a server");
    }
    let request = Request {
        profile: arguments.get(PROFILE.long).map(String::from),
        url: Some(question.url),
        ..Request::new(Action::Get)
    };
    let answered = git_prompt::ask_for_token(&request, io.environment, answer);
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    match answered.and_then(|response| io.signals.check().map(|()| response)) {
        Ok(Response::Token(credential)) => {
            let text = match question.wanted {
                Wanted::Username => username(credential.username.as_deref()),
                Wanted::Password => credential.access_token.expose(),
            };
            io.answer(&Zeroizing::new(format!("{text}\n"))).map(|()| 0)
        }
        Ok(Response::Done { .. } | Response::Begun { .. } | Response::Status(_)) => Err(
            Error::new(ErrorKind::Internal, "BUG: git was answered without a token"),
        ),
        Err(error) if error.kind() == ErrorKind::NoProfile && !names_nobody(&request, answer) => {
            decline(io, prompt, "no profile names that address")
        }
        Err(error) => Err(error),
    }
}

/// Leaves a question to the person. git asks at the terminal then.
fn decline(io: &mut Io<'_>, prompt: &str, reason: &str) -> Result<u8, Error> {
    let prompt = printable(prompt.trim());
    let line = format!("cred-helper has no answer to `{prompt}`: {reason}\n");
    // A closed stderr changes nothing about the exit code.
    drop(io.stderr.write_all(line.as_bytes()));
    Ok(1)
}

/// What git asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Username,
    Password,
}

/// A question of git's.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    wanted: Wanted,
    /// Without the user name.
    url: String,
}

impl Question {
    /// Reads a question; `None`, if it is not exactly git's.
    ///
    /// git writes `https://[USER@]HOST[/PATH]`. Newer ones escape whatever separates these parts where
    /// it stands within one; older ones do not, so that a user name `good.example/` before an evil host
    /// would look like a path of a good one. What is not escaped is not taken.
    fn read(prompt: &str) -> Option<Self> {
        let (wanted, rest) = [
            ("Username for '", Wanted::Username),
            ("Password for '", Wanted::Password),
        ]
        .into_iter()
        .find_map(|(start, wanted)| Some((wanted, prompt.strip_prefix(start)?)))?;
        let shown = rest.strip_suffix("': ")?;
        let (scheme, rest) = shown.split_once("://")?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let (user, host) = match authority.split_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let is_good = ["https", "http"].contains(&scheme)
            && !host.is_empty()
            && host.bytes().all(is_of_host)
            && user.is_none_or(|user| !user.is_empty() && is_escaped(user, b""))
            && path.is_none_or(|path| !path.is_empty() && is_escaped(path, b"/"))
            // Who is asked for has not said it yet.
            && (user.is_none() || wanted == Wanted::Password);
        let path = path.map_or_else(String::new, |path| format!("/{path}"));
        is_good.then(|| Self {
            wanted,
            url: format!("{scheme}://{host}{path}"),
        })
    }
}

/// Whether a byte can be of a host or its port; of an address, too.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)
}

/// Whether all that is not plain is escaped, but for some.
fn is_escaped(text: &str, but: &[u8]) -> bool {
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = match behind {
            [one, other, behind @ ..]
                if *first == b'%' && one.is_ascii_hexdigit() && other.is_ascii_hexdigit() =>
            {
                behind
            }
            _ if first.is_ascii_alphanumeric()
                || b"-._~".contains(first)
                || but.contains(first) =>
            {
                behind
            }
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Question, Wanted};

    #[test]
    fn only_gits_own_questions_for_an_unmistakable_address_are_read() {
        for (prompt, wanted) in [
            ("Username for 'https://git.example': ", Wanted::Username),
            ("Password for 'https://git.example': ", Wanted::Password),
            (
                "Password for 'https://oauth2@git.example': ",
                Wanted::Password,
            ),
        ] {
            let url = "https://git.example".to_owned();
            assert_eq!(Question::read(prompt), Some(Question { wanted, url }));
        }
        for (prompt, expected) in [
            ("'https://git.example'", Some("https://git.example")),
            ("'http://127.0.0.1:80'", Some("http://127.0.0.1:80")),
            ("'https://[::1]:8443/a/b'", Some("https://[::1]:8443/a/b")),
            (
                "'https://ada%40x%2Fy@h.example/My%20Project%40x'",
                Some("https://h.example/My%20Project%40x"),
            ),
            // An older git, and a URL of somebody who wants the token of h.example.
            ("'https://h.example/@evil.example'", None),
            ("'https://h.example/x@evil.example'", None),
            ("'https://h.example?@evil.example'", None),
            ("'https://h.example#@evil.example'", None),
            ("'https://h.example\\@evil.example'", None),
            ("'https://h.example:443@evil.example'", None),
            ("'https://h.example%@evil.example'", None),
            ("'https://a@h.example@evil.example'", None),
            ("'https://evil.example@h.example/@'", None),
            ("'https://h.example%2F.evil.example'", None),
            ("'https://h.example': 'https://evil.example'", None),
            ("'https://h.example\n'", None),
            ("'https://h.example '", None),
            ("'https://h\u{e9}.example'", None),
            ("'https://@h.example'", None),
            ("'https://h.example/'", None),
            ("'https://h.example/a?b'", None),
            ("'https:///path'", None),
            ("'https://'", None),
            ("'HTTPS://h.example'", None),
            ("'ssh://h.example'", None),
            ("'imaps://ada@h.example'", None),
            ("'h.example'", None),
            ("\"https://h.example\"", None),
            ("https://h.example", None),
            ("''", None),
        ] {
            let prompt = format!("Password for {prompt}: ");
            let read = Question::read(&prompt).map(|question| question.url);
            assert_eq!(read.as_deref(), expected, "{prompt}");
        }
        for prompt in [
            "",
            "Password: ",
            "Username: ",
            "Username for 'https://ada@h.example': ",
            "Password for 'https://h.example':",
            "Password for 'https://h.example': \n",
            " Password for 'https://h.example': ",
            "(ada@evil.example) Password for 'https://h.example': ",
            "Passwort f\u{fc}r 'https://h.example': ",
            "Username for \"https://h.example\"",
            "ada@h.example's password: ",
            "Enter passphrase for key '/home/ada/.ssh/id_ed25519': ",
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        ] {
            assert_eq!(Question::read(prompt), None, "{prompt}");
        }
    }
}
