//! git's credential helpers (gitcredentials(7), git-credential(1),
//! <https://git-scm.com/docs/git-credential>).
//!
//! git ignores the exit code. An empty answer means: ask somebody else. `quit=1` means: the host is
//! ours, and there is no token; git stops instead of asking for a password.

use std::io::{self, Read};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, git_prompt, is_of_its_profile, names_nobody, username};
use crate::credential::{Action, Credential, Request, Response};
use crate::encoding::from_base64;
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::secret::Secret;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "git",
    summary: "Answer git as a credential helper",
    help: "Set it up for a host, before all other helpers:\n  git config --global --replace-all credential.https://github.com.helper ''\n  git config --global --add credential.https://github.com.helper '!cred-helper git'",
    link_names: &["git-credential-cred-helper"],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &["get", "store", "erase", "capability"],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

/// How much may git say? A line is 64 KiB at most.
const LONGEST_INPUT: u64 = 1024 * 1024;

/// What we are told in `state[]` when git asks again, as the first form of the credential was
/// refused.
const ASKED_BEFORE: &str = "cred-helper:asked-before";

/// The same, where the host had not said yet what it takes.
const NOTHING_KNOWN: &str = "cred-helper:nothing-known";

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    match arguments.operand(0) {
        Some("get") => get(arguments, io, answer),
        Some("erase") => erase(arguments, io, answer),
        Some("capability") => io
            .answer("version 0\ncapability authtype\ncapability state\n")
            .map(|()| 0),
        // What git would have us store is ours already, or none of our business. gitcredentials(7):
        // an operation that is unknown is ignored. Not everybody who plays git's part can stand a
        // pipe that is closed before it was written to.
        Some(_) => {
            drop(io::copy(
                &mut (&mut io.stdin).take(LONGEST_INPUT),
                &mut io::sink(),
            ));
            Ok(0)
        }
        None => Err(Error::new(ErrorKind::Usage, "git names no operation")
            .hint("git runs `cred-helper git get`, with `protocol=` and `host=` on stdin")),
    }
}

/// What git says about a credential.
#[derive(Default)]
struct Description {
    protocol: String,
    host: String,
    /// As it stands in a URL: git takes the escapes out.
    path: String,
    username: Option<String>,
    password: Option<Secret>,
    authtype: Option<String>,
    credential: Option<Secret>,
    challenges: Vec<String>,
    knows_authtype: bool,
    knows_state: bool,
    was_asked_before: bool,
    was_nothing_known: bool,
}

impl Description {
    /// Reads `key=value` lines up to an empty one. Only LF ends a line: a CR that counted as one
    /// would let a URL write lines of its own (CVE-2024-52006).
    fn read(stdin: &mut dyn Read) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdin.take(LONGEST_INPUT + 1).read_to_end(&mut bytes);
        read.map_err(|error| usage("what git says cannot be read").because(error))?;
        if bytes.len() as u64 > LONGEST_INPUT {
            return Err(usage("what git says is too long"));
        }
        let mut description = Self::default();
        let lines = bytes.split(|byte| *byte == b'\n');
        for line in lines.take_while(|line| !line.is_empty()) {
            let end = line.iter().position(|byte| *byte == b'=');
            let end = end.ok_or_else(|| usage("a line of git's has no `=`"))?;
            let (key, value) = (&line[..end], &line[end + 1..]);
            if value.contains(&b'\r') || value.contains(&0) {
                return Err(usage("a value of git's holds a control character"));
            }
            // Whatever is not UTF-8 is not ours, and matches nothing of ours.
            let text = String::from_utf8_lossy(value);
            match key {
                b"protocol" => description.protocol = text.into_owned(),
                b"host" => description.host = text.into_owned(),
                b"path" => description.path = escaped(value),
                b"username" => description.username = Some(text.into_owned()),
                b"password" => description.password = Some(Secret::new(text.into_owned())),
                b"authtype" => description.authtype = Some(text.into_owned()),
                b"credential" => description.credential = Some(Secret::new(text.into_owned())),
                b"wwwauth[]" if value.is_empty() => description.challenges.clear(),
                b"wwwauth[]" => description.challenges.push(text.into_owned()),
                b"capability[]" => {
                    description.knows_authtype |= value == b"authtype";
                    description.knows_state |= value == b"state";
                }
                b"state[]" => {
                    description.was_asked_before |= text == ASKED_BEFORE;
                    description.was_nothing_known |= text == NOTHING_KNOWN;
                }
                _ => {}
            }
        }
        Ok(description)
    }

    /// The URL that the credential is for.
    fn url(&self) -> Result<String, Error> {
        // The password of a certificate has a path alone; no profile names such a URL.
        if self.protocol.is_empty() || (self.host.is_empty() && self.path.is_empty()) {
            return Err(usage("git names no protocol or no host"));
        }
        // It must not bring a host of its own.
        if self.protocol.contains(['/', ':']) {
            return Err(usage("the protocol that git names is none"));
        }
        if self.host.contains(['/', '?', '#', '@', '\\']) {
            return Err(usage("the host that git names is none"));
        }
        Ok(format!("{}://{}/{}", self.protocol, self.host, self.path))
    }

    /// How the token goes best.
    ///
    /// `git send-email` and `git imap-send` know user names and passwords alone, whatever git says
    /// it is capable of. So does the small request with which git 2.46 and later begin a large one,
    /// such as a push of more than `http.postBuffer`: it goes without `credential`. Where git comes
    /// back for that, it gets a password; by then no helper stores what comes.
    fn form(&self, credential: &Credential) -> Form {
        if !self.is_web() || !self.knows_authtype {
            return Form::Password;
        }
        let offers = |scheme| self.challenges.iter().any(|header| offers(header, scheme));
        let takes_basic = credential.basic_only || offers("Basic");
        if self.was_asked_before && takes_basic {
            return Form::Password;
        }
        let is_nothing_known = self.challenges.is_empty() && !credential.basic_only;
        let takes_bearer = !credential.basic_only && offers("Bearer");
        // Each state is told once, so that git does not come back for ever.
        let next = if self.was_asked_before || !self.knows_state {
            None
        } else if is_nothing_known {
            (!self.was_nothing_known).then_some(NOTHING_KNOWN)
        } else {
            takes_basic.then_some(ASKED_BEFORE)
        };
        Form::Credential {
            is_bearer: takes_bearer || is_nothing_known,
            next,
        }
    }

    fn is_web(&self) -> bool {
        ["https", "http"].contains(&self.protocol.to_ascii_lowercase().as_str())
    }

    /// Says how git is made to tell the path: a profile answers for paths of this host alone, and git
    /// would ask for a password without a word of why.
    fn hint_at_path(&self, io: &mut Io<'_>) {
        let origin = printable(&format!("{}://{}", self.protocol, self.host));
        let line = format!(
            "hint: cred-helper answers for paths of {origin} alone, and git tells none; run `git \
             config --global credential.{origin}.useHttpPath true`\n"
        );
        if self.path.is_empty() {
            drop(io.stderr.write_all(line.as_bytes()));
        }
    }

    /// The user name for the credential. That of the profile or its preset wins over the one in
    /// the URL: a host may know that one alone.
    fn username<'c>(&'c self, credential: &'c Credential) -> &'c str {
        // A mail server wants to know whose mail it is.
        let account = credential.account.as_deref().filter(|_| !self.is_web());
        let named = credential.username.as_deref();
        username(named.or(self.username.as_deref()).or(account))
    }

    /// The token in what git was given, if it is of a form that we give.
    fn token(&self) -> Option<Secret> {
        let Some(credential) = &self.credential else {
            return self.password.clone();
        };
        let scheme = self.authtype.as_deref().unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Some(credential.clone());
        }
        let pair = Zeroizing::new(from_base64(credential.expose())?);
        let pair = std::str::from_utf8(&pair).ok()?;
        Some(Secret::new(pair.split_once(':')?.1))
    }
}

/// The forms of a credential.
enum Form {
    /// User name and password.
    Password,
    /// `authtype` and `credential`, from git 2.46 on.
    Credential {
        /// Bearer, or Basic.
        is_bearer: bool,
        /// The state in which git may come back for another form, if there is one.
        next: Option<&'static str>,
    },
}

fn usage(message: &str) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// A path with escapes for everything that a URL's path does not hold as it is.
fn escaped(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Whether a `WWW-Authenticate` header, which may hold several challenges, has one of this scheme
/// ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)).
fn offers(header: &str, scheme: &str) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_separator = |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' => return !is_quoted,
            _ => {}
        }
        false
    };
    // Between commas stands a parameter, `name="value"`, or a scheme, perhaps with its first.
    let mut parts = header.split(is_separator);
    parts.any(|part| {
        let first = part.split_ascii_whitespace().next().unwrap_or_default();
        first.eq_ignore_ascii_case(scheme)
    })
}

fn get(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let description = Description::read(&mut io.stdin)?;
    let request = Request {
        profile: arguments.get("profile").map(String::from),
        url: Some(description.url()?),
        ..Request::new(Action::Get)
    };
    let answered = git_prompt::ask_for_token(&request, io.environment, answer);
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    match answered.and_then(|response| io.signals.check().map(|()| response)) {
        Ok(Response::Token(credential)) => {
            io.answer(&render(&description, &credential)).map(|()| 0)
        }
        Ok(Response::Done { .. } | Response::Begun { .. } | Response::Status(_)) => Err(
            Error::new(ErrorKind::Internal, "BUG: git was answered without a token"),
        ),
        Err(error) => match error.kind() {
            // Nothing is ours: no word, and somebody else is asked.
            ErrorKind::NoProfile if !names_nobody(&request, answer) => {
                if error.wants_a_path() {
                    description.hint_at_path(io);
                }
                Ok(0)
            }
            ErrorKind::Config if !is_of_its_profile(&request, answer) => Err(error),
            // Nothing says that the host is ours.
            ErrorKind::NoProfile | ErrorKind::Usage | ErrorKind::Internal | ErrorKind::Http => {
                Err(error)
            }
            ErrorKind::Config
            | ErrorKind::LoginRequired
            | ErrorKind::Denied
            | ErrorKind::Unavailable
            | ErrorKind::Busy
            | ErrorKind::Store
            | ErrorKind::Interrupted => {
                io.answer("quit=1\n")?;
                Err(error)
            }
        },
    }
}

fn erase(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let description = Description::read(&mut io.stdin)?;
    let Some(rejected) = description.token() else {
        return Ok(0);
    };
    let request = Request {
        profile: arguments.get("profile").map(String::from),
        url: Some(description.url()?),
        ..Request::new(Action::Erase(Some(rejected)))
    };
    match answer(&request, None) {
        Err(error) if error.kind() != ErrorKind::NoProfile => Err(error),
        _ => Ok(0),
    }
}

/// The answer: one form alone. With both, git takes `credential` and hands user name and password
/// to every helper that stores; a refresh token would go to all of them too.
fn render(description: &Description, credential: &Credential) -> Zeroizing<String> {
    let token = credential.access_token.expose();
    let username = description.username(credential);
    let mut lines = Zeroizing::new(String::with_capacity(token.len() * 2 + 256));
    let mut add = |key: &str, value: &str| {
        for part in [key, "=", value, "\n"] {
            lines.push_str(part);
        }
    };
    match description.form(credential) {
        Form::Password => {
            add("username", username);
            add("password", token);
        }
        Form::Credential { is_bearer, next } => {
            add("capability[]", "authtype");
            if is_bearer {
                add("authtype", "Bearer");
                add("credential", token);
            } else {
                let pair = Zeroizing::new(format!("{username}:{token}"));
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                add("authtype", "Basic");
                add("credential", &encoded);
            }
            // Nobody stores what is ours, and has an end.
            add("ephemeral", "1");
            if let Some(state) = next {
                add("capability[]", "state");
                add("state[]", state);
                add("continue", "1");
            }
        }
    }
    if let Some(end) = credential.expires_at {
        add("password_expiry_utc", &end.0.to_string());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{escaped, offers};

    #[test]
    fn a_scheme_is_found_among_the_challenges_of_a_header_and_not_in_their_values() {
        for (header, expected) in [
            ("Bearer", true),
            ("bearer realm=\"r\"", true),
            ("Basic realm=\"r\", Bearer", true),
            ("Basic realm=\"r\",Bearer error=\"invalid_token\"", true),
            ("Negotiate YII=, Bearer realm=\"r\"", true),
            ("Basic realm=\"a, Bearer b\"", false),
            ("Basic realm=\"a\\\", Bearer b\"", false),
            ("Basic Bearer", false),
            ("Bearers", false),
            ("Basic bearer=1", false),
            ("Basic x=1, bearer=1", false),
            ("", false),
            (",,", false),
        ] {
            assert_eq!(offers(header, "Bearer"), expected, "{header}");
        }
    }

    #[test]
    fn a_path_is_what_stands_in_the_url() {
        for (path, expected) in [
            ("org/_git/repo.git".as_bytes(), "org/_git/repo.git"),
            (b"My Project/caf\xc3\xa9", "My%20Project/caf%C3%A9"),
            (b"100%/\xff", "100%25/%FF"),
            (b"a?b#c\\d", "a%3Fb%23c%5Cd"),
            (b"a/../b", "a/../b"),
        ] {
            assert_eq!(escaped(path), expected);
        }
    }
}
