//! git's credential helpers (gitcredentials(7), git-credential(1),
//! <https://git-scm.com/docs/git-credential>).
//!
//! git ignores the exit code. An empty answer means: ask somebody else. `quit=1` means: the host is
//! ours, and there is no token; git stops instead of asking for a password.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry};
use crate::context::Environment;
use crate::credential::{Action, Credential, Interactive, Request, Response};
use crate::encoding::from_base64;
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::secret::Secret;
use crate::system::process;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "git",
    summary: "Answer git as a credential helper",
    help: "Set it up:\n  git config --global credential.https://github.com.helper cred-helper\nwith a link git-credential-cred-helper on the PATH, or without one:\n  git config --global credential.helper '!cred-helper git'",
    link_names: &["git-credential-cred-helper"],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &["get", "store", "erase", "capability"],
    serve,
};

/// How much may git say? A line is 64 KiB at most.
const LONGEST_INPUT: u64 = 1024 * 1024;

/// The user name of those who want one and do not care which.
const USERNAME: &str = "oauth2";

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    match arguments.operand() {
        Some("get") => get(arguments, io, answer),
        Some("erase") => erase(arguments, io, answer),
        Some("capability") => io.answer("version 0\ncapability authtype\n").map(|()| 0),
        // What git would have us store is ours already, or none of our business. gitcredentials(7):
        // an operation that is unknown is ignored.
        Some(_) => Ok(0),
        None => Err(Error::new(ErrorKind::Usage, "git names no operation")
            .hint("git runs `cred-helper git get`, with `protocol=` and `host=` on stdin")),
    }
}

/// What git says about a credential.
#[derive(Default)]
struct Description {
    protocol: String,
    host: String,
    path: String,
    username: Option<String>,
    password: Option<Secret>,
    authtype: Option<String>,
    credential: Option<Secret>,
    challenges: Vec<String>,
    knows_authtype: bool,
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
        let text = std::str::from_utf8(&bytes).map_err(|_| usage("what git says is not UTF-8"))?;
        let mut description = Self::default();
        for line in text.split('\n').take_while(|line| !line.is_empty()) {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| usage("a line of git's has no `=`"))?;
            if value.contains(['\r', '\0']) {
                return Err(usage("a value of git's holds a control character"));
            }
            match key {
                "protocol" => value.clone_into(&mut description.protocol),
                "host" => value.clone_into(&mut description.host),
                "path" => value.clone_into(&mut description.path),
                "username" => description.username = Some(value.to_owned()),
                "password" => description.password = Some(Secret::new(value)),
                "authtype" => description.authtype = Some(value.to_owned()),
                "credential" => description.credential = Some(Secret::new(value)),
                "wwwauth[]" if value.is_empty() => description.challenges.clear(),
                "wwwauth[]" => description.challenges.push(value.to_owned()),
                "capability[]" => description.knows_authtype |= value == "authtype",
                _ => {}
            }
        }
        Ok(description)
    }

    /// The URL that the credential is for.
    fn url(&self) -> Result<String, Error> {
        if self.protocol.is_empty() || self.host.is_empty() {
            return Err(usage("git names no protocol or no host"));
        }
        if self.host.contains(['/', '?', '#', '@', '\\']) {
            return Err(usage("the host that git names is none"));
        }
        Ok(format!("{}://{}/{}", self.protocol, self.host, self.path))
    }

    /// Whether the host takes the token as the password of Basic credentials alone.
    fn wants_basic(&self, credential: &Credential) -> bool {
        let offers = |scheme: &str| {
            self.challenges.iter().any(|challenge| {
                let first = challenge.split([' ', ',']).next().unwrap_or_default();
                first.eq_ignore_ascii_case(scheme)
            })
        };
        credential.basic_only || (!self.challenges.is_empty() && !offers("Bearer"))
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

fn usage(message: &str) -> Error {
    Error::new(ErrorKind::Usage, message)
}

fn get(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let description = Description::read(&mut io.stdin)?;
    let mut request = Request {
        profile: arguments.get("profile").map(String::from),
        url: Some(description.url()?),
        interactive: Some(Interactive::Never),
        ..Request::new(Action::Get)
    };
    let mut answered = answer(&request, None);
    // Whether a person may be asked is known to git, and costs a process to find out.
    if answered.as_ref().is_err_and(needs_a_person) && may_ask(io.environment) {
        request.interactive = None;
        answered = answer(&request, None);
    }
    match answered {
        Ok(Response::Token(credential)) => {
            io.signals.check()?;
            io.answer(&render(&description, &credential)).map(|()| 0)
        }
        Ok(Response::Done { .. } | Response::Status(_)) => Err(Error::new(
            ErrorKind::Internal,
            "BUG: git was answered without a token",
        )),
        Err(error) => match error.kind() {
            ErrorKind::NoProfile => decline(&request, error, answer),
            // Nothing says that the host is ours.
            ErrorKind::Config | ErrorKind::Usage | ErrorKind::Internal | ErrorKind::Http => {
                Err(error)
            }
            ErrorKind::LoginRequired
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

fn needs_a_person(error: &Error) -> bool {
    error.kind() == ErrorKind::LoginRequired
}

/// Nothing is ours: no word, and somebody else is asked. A profile that was named and does not exist
/// is a mistake that somebody should hear of.
fn decline(request: &Request, error: Error, answer: &Answer<'_>) -> Result<u8, Error> {
    if request.profile.is_none() {
        return Ok(0);
    }
    let named = Request {
        profile: request.profile.clone(),
        ..Request::new(Action::Status)
    };
    match answer(&named, None) {
        Err(unknown) if unknown.kind() == error.kind() => Err(error),
        _ => Ok(0),
    }
}

/// Whether git leaves it to helpers to ask: `GIT_TERMINAL_PROMPT` and `credential.interactive`,
/// which its background maintenance sets.
fn may_ask(environment: &dyn Environment) -> bool {
    /// How long may git take to say what its configuration holds?
    const LIMIT: Duration = Duration::from_secs(5);
    let is_no = |value: &str| {
        let value = value.trim().to_ascii_lowercase();
        ["0", "false", "no", "off", "never"].contains(&value.as_str())
    };
    let variable = environment.variable("GIT_TERMINAL_PROMPT");
    if variable.is_some_and(|value| is_no(&value)) {
        return false;
    }
    let command = ["git", "config", "--get", "credential.interactive"].map(String::from);
    !process::output(&command, LIMIT).is_ok_and(|value| is_no(value.expose()))
}

fn erase(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let description = Description::read(&mut io.stdin)?;
    let Some(rejected) = description.token() else {
        return Ok(0);
    };
    let request = Request {
        profile: arguments.get("profile").map(String::from),
        url: Some(description.url()?),
        ..Request::new(Action::Erase(rejected))
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
    let named = credential.username.as_deref();
    let basic = description.wants_basic(credential);
    let mut lines = Zeroizing::new(String::with_capacity(token.len() * 2 + 256));
    let mut add = |key: &str, value: &str| {
        for part in [key, "=", value, "\n"] {
            lines.push_str(part);
        }
    };
    if description.knows_authtype {
        add("capability[]", "authtype");
        if basic {
            let username = named
                .or(description.username.as_deref())
                .unwrap_or(USERNAME);
            let pair = Zeroizing::new(format!("{username}:{token}"));
            let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            add("authtype", "Basic");
            add("credential", &encoded);
        } else {
            add("authtype", "Bearer");
            add("credential", token);
        }
        // Nobody stores what is ours, and has an end.
        add("ephemeral", "1");
    } else {
        if description.username.is_none() {
            add("username", named.unwrap_or(USERNAME));
        }
        add("password", token);
    }
    if let Some(end) = credential.expires_at {
        add("password_expiry_utc", &end.0.to_string());
    }
    lines
}
