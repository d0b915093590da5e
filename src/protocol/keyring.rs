//! The command line of Python's keyring (<https://pypi.org/project/keyring/>), as pip and uv call it.
//!
//! Both ask for the URL of an index, and after that for `HOST[:PORT]`; the older pip, and uv with a
//! user name, for a password alone. Exit code 1 with nothing on stdout says that there is none, and 2
//! that the line is wrong. pip never shows stderr, uv sometimes late: a person is asked at the
//! terminal. What is not for us is passed on to the keyring that lies behind us on the PATH: whoever
//! puts us before it loses none of its passwords.

use std::time::Duration;

use zeroize::Zeroizing;

use super::address::{ask, ask_for_token, username};
use super::argument::{self, Arguments, Flag, PROFILE};
use super::{Answer, Entry};
use crate::credential::{Action, Interactive, Request};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::system::stand_in::RealProgram;
use crate::text::{printable, printable_url};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "keyring",
    summary: "Answer pip and uv in place of Python's keyring",
    help: "Set it up: a link that comes first on the PATH,\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/keyring\nand\n  pip config set global.keyring-provider subprocess\nor in uv.toml\n  keyring-provider = \"subprocess\"\n\nThe line is keyring's:\n  cred-helper keyring get https://pypi.example.com/simple/ ada\n  cred-helper keyring --mode creds --output json get https://pypi.example.com/simple/",
    link_names: &["keyring"],
    time_limit: Duration::from_secs(60),
    flags: &[
        PROFILE,
        Flag::switch(ALONE, "Ask no other keyring on the PATH"),
    ],
    verbs: &[],
    operands: &[],
    is_raw: true,
    is_mute: false,
    serve,
};

/// Whether another keyring has nothing to say: it is the one that asks, by our backend for Python.
const ALONE: &str = "alone";

/// The flags of keyring's own line.
const FLAGS: &[Flag] = &[
    Flag::value("mode", "MODE", "").choices(&["password", "creds"]),
    Flag::value("output", "FORMAT", "").choices(&["plain", "json"]),
    Flag::value("keyring-path", "PATH", "").short('p'),
    Flag::value("keyring-backend", "BACKEND", "").short('b'),
    Flag::switch("list-backends", ""),
    Flag::switch("disable", ""),
    Flag::switch("help", "").short('h'),
];

const HELP: &str = "\
usage: keyring [--mode password|creds] [--output plain|json] get SERVICE [USERNAME]
       keyring set|del SERVICE USERNAME
       keyring diagnose
       keyring --list-backends
";

/// A line that asks something of us.
struct Call<'l> {
    operation: Operation,
    service: &'l str,
    username: Option<&'l str>,
}

enum Operation {
    /// Whether the user name goes with it, and whether as JSON.
    Get {
        with_username: bool,
        is_json: bool,
    },
    Set,
    Delete,
}

impl<'l> Call<'l> {
    /// Reads a line. `None` for one that asks nothing of us.
    fn of(line: &'l Arguments) -> Option<Self> {
        let other = [
            "keyring-path",
            "keyring-backend",
            "list-backends",
            "disable",
            "help",
        ];
        if other.iter().any(|flag| line.has(flag)) {
            return None;
        }
        let with_username = line.get("mode") == Some("creds");
        let username = line.operand(2);
        let operation = match line.operand(0)? {
            "get" if with_username || username.is_some() => Operation::Get {
                with_username,
                is_json: line.get("output") == Some("json"),
            },
            "set" if username.is_some() => Operation::Set,
            "del" if username.is_some() => Operation::Delete,
            _ => return None,
        };
        Some(Self {
            operation,
            service: line.operand(1)?,
            username,
        })
    }
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let words = arguments.operands().iter().cloned();
    let line = argument::parse(words, &[FLAGS], 3).unwrap_or_default();
    let Some(call) = Call::of(&line) else {
        return other(&line, arguments, io);
    };
    let service = without_user(call.service);
    let found = respond(&call, &service, arguments, answer);
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    let is_get = matches!(call.operation, Operation::Get { .. });
    let is_unknown = match &found {
        Ok(found) => found.is_none(),
        // A mistake in the profiles must not take other passwords from those who ask for them.
        Err(error) => is_get && error.kind() == ErrorKind::Config,
    };
    if is_unknown && let Some(other) = behind(arguments, io)? {
        if let Err(error) = found {
            let line = format!("cred-helper: {}\n", printable(&error.to_string()));
            // A closed stderr changes nothing.
            drop(io.stderr.write_all(line.as_bytes()));
        }
        return other.run(arguments.operands());
    }
    match found? {
        Some(text) => io.answer(&text).map(|()| 0),
        None if is_get => Ok(NOTHING),
        None => Err(Error::new(
            ErrorKind::NoProfile,
            format!(
                "cred-helper stores no passwords, and none of its profiles is for `{}`",
                printable_url(&service)
            ),
        )),
    }
}

/// The answer to a call. `None` if the service is nobody's.
fn respond(
    call: &Call<'_>,
    service: &str,
    arguments: &Arguments,
    answer: &Answer<'_>,
) -> Result<Option<Zeroizing<String>>, Error> {
    match call.operation {
        Operation::Get {
            with_username,
            is_json,
        } => {
            let request = Request::new(Action::Get);
            let found = ask_for_token(request, service, arguments, answer)?;
            Ok(found.map(|credential| {
                let names = [
                    call.username,
                    credential.username.as_deref(),
                    credential.account.as_deref(),
                ];
                let name = with_username.then(|| username(names));
                render(name, credential.access_token.expose(), is_json)
            }))
        }
        Operation::Set => store(service, arguments, answer),
        Operation::Delete => {
            // The next call brings something new. The sign-in is other tools' too, and stays.
            let request = Request::new(Action::Erase(None));
            let done = ask(request, service, arguments, answer)?;
            Ok(done.map(|_| Zeroizing::default()))
        }
    }
}

/// The exit code that says that there is nothing.
const NOTHING: u8 = 1;

/// The keyring whose place on the PATH we took: services that are not ours are asked of it.
fn behind(arguments: &Arguments, io: &Io<'_>) -> Result<Option<RealProgram>, Error> {
    match arguments.has(ALONE) {
        true => Ok(None),
        false => RealProgram::find(ENTRY.name, io.environment),
    }
}

/// What a line wants that is about keyring itself, or is wrong.
fn other(line: &Arguments, arguments: &Arguments, io: &mut Io<'_>) -> Result<u8, Error> {
    let text = match line.operand(0) {
        _ if line.has("list-backends") => Some("cred-helper\n"),
        Some("diagnose") => Some(concat!("cred-helper ", env!("CRED_HELPER_VERSION"), "\n")),
        _ => None,
    };
    text.map_or(Ok(()), |text| io.answer(text))?;
    if let Some(other) = behind(arguments, io)? {
        return other.run(arguments.operands());
    }
    if text.is_some() {
        return Ok(0);
    }
    if line.has("help") {
        return io.answer(HELP).map(|()| 0);
    }
    Err(match line.has("disable") || line.has("keyring-backend") {
        true => usage("cred-helper has no backends, and no other keyring is on PATH"),
        false => usage("this is no line of keyring's")
            .hint("it is `keyring get SERVICE USERNAME`, or `keyring --mode creds get SERVICE`"),
    })
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Keeps nothing: the password of a service that is ours is a token.
fn store(
    service: &str,
    arguments: &Arguments,
    answer: &Answer<'_>,
) -> Result<Option<Zeroizing<String>>, Error> {
    let request = Request {
        interactive: Some(Interactive::Never),
        // Any will do: it goes nowhere.
        min_valid: Some(Duration::ZERO),
        ..Request::new(Action::Get)
    };
    let keeps_nothing = || {
        let service = printable_url(service);
        usage(format!(
            "cred-helper stores no passwords; that of `{service}` comes from a sign-in"
        ))
    };
    match ask_for_token(request, service, arguments, answer) {
        Ok(None) => Ok(None),
        Ok(Some(credential)) => {
            Err(keeps_nothing().next(["cred-helper", "login", "-p", &credential.profile]))
        }
        Err(error) if error.kind() == ErrorKind::LoginRequired => {
            let command = error.next_command().iter();
            Err(keeps_nothing().next(command.map(String::as_str)))
        }
        Err(error) => Err(error),
    }
}

/// A service without the user information of a URL, which says nothing of where a token goes. What is
/// not plainly that stays, and matches nothing.
fn without_user(service: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte);
    let parts = || {
        let (scheme, rest) = service.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (user, host) = rest[..end].split_once('@')?;
        let is_user = user.bytes().all(is_plain);
        is_user.then(|| format!("{scheme}://{host}{}", &rest[end..]))
    };
    parts().unwrap_or_else(|| service.to_owned())
}

/// What keyring prints: its JSON has blanks behind commas and colons.
fn render(name: Option<&str>, password: &str, is_json: bool) -> Zeroizing<String> {
    let quoted = |text: &str| Zeroizing::new(serde_json::to_string(text).expect("text is JSON"));
    let text = match (name, is_json) {
        (None, false) => format!("{password}\n"),
        (Some(name), false) => format!("{name}\n{password}\n"),
        (None, true) => format!("{{\"password\": {}}}\n", quoted(password).as_str()),
        (Some(name), true) => format!(
            "{{\"username\": {}, \"password\": {}}}\n",
            quoted(name).as_str(),
            quoted(password).as_str()
        ),
    };
    Zeroizing::new(text)
}

#[cfg(test)]
mod tests {
    use super::without_user;

    #[test]
    fn a_user_in_a_url_is_left_out_and_is_never_taken_for_a_host() {
        for (service, expected) in [
            ("https://ada@h.example/simple/", "https://h.example/simple/"),
            ("https://ada:pw@h.example:8443", "https://h.example:8443"),
            ("https://@h.example/", "https://h.example/"),
            ("https://a%40b@h.example?q", "https://h.example?q"),
            ("https://h.example@evil.test/", "https://evil.test/"),
            // An `@` that is not in the authority is none of it.
            (
                "https://evil.test/@h.example/",
                "https://evil.test/@h.example/",
            ),
            (
                "https://evil.test?@h.example/",
                "https://evil.test?@h.example/",
            ),
            (
                "https://evil.test#@h.example/",
                "https://evil.test#@h.example/",
            ),
            // These are refused as they are.
            (
                "https://evil.test\\@h.example/",
                "https://evil.test\\@h.example/",
            ),
            (
                "https://a@evil.test@h.example/",
                "https://evil.test@h.example/",
            ),
            ("https://a b@h.example/", "https://a b@h.example/"),
            ("ada@h.example", "ada@h.example"),
        ] {
            assert_eq!(without_user(service), expected, "{service}");
        }
    }
}
