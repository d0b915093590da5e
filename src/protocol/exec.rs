//! A program that takes its token from an environment variable: it is started with one, and no other
//! process has it.

use std::ffi::OsString;
use std::time::Duration;

use zeroize::Zeroizing;

use super::argument::{Arguments, Flag, PROFILE};
use super::get::{self, ID_TOKEN};
use super::{Answer, Entry};
use crate::credential::{Request, Response, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::system::process;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "exec",
    summary: "Start a program with a token in its environment",
    help: "Examples:\n  cred-helper exec -p graph -- ./report.sh\n  cred-helper exec -p forge --env GITEA_TOKEN -- tea issues\n  cred-helper exec -p api --env AUTHORIZATION=bearer -- ./client\n\nFORMAT is `token`, `id-token` or `bearer` (`Bearer TOKEN`). The token is as old as the program: one that runs for long asks `cred-helper get` itself.",
    link_names: &[],
    time_limit: Duration::from_secs(60),
    flags: FLAGS,
    verbs: &[],
    operands: &[],
    is_raw: true,
    is_mute: false,
    serve,
};

const FLAGS: &[Flag] = &[
    PROFILE,
    Flag::value(
        "env",
        "VAR[=FORMAT]",
        "The variable, and what it holds [default: ACCESS_TOKEN=token]",
    )
    .many(),
    Flag::value(
        "url",
        "URL",
        "Choose the profile whose `urls` match; with -p it must match too",
    ),
    Flag::value("scope", "S", "Ask for this scope instead of the profile's").many(),
    Flag::value("account", "A", "Which account of several"),
    Flag::value("min-valid", "D", "Valid for at least this long, as `5m`"),
];

/// A variable, and what it is to hold.
struct Variable {
    name: String,
    format: String,
}

impl Variable {
    fn read(given: &str) -> Result<Self, Error> {
        /// What can it hold?
        const FORMATS: [&str; 3] = ["token", ID_TOKEN, "bearer"];
        let (name, format) = given.split_once('=').unwrap_or((given, "token"));
        get::check_variable("env", name)?;
        if !FORMATS.contains(&format) {
            let message = format!("--env: `{}` is no format", printable(format));
            return Err(Error::new(ErrorKind::Usage, message)
                .hint(format!("it is one of {}", FORMATS.join(", "))));
        }
        Ok(Self {
            name: name.to_owned(),
            format: format.to_owned(),
        })
    }
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let (program, words) = line(arguments)?;
    let mut given = arguments.all("env");
    if given.is_empty() {
        given.push("ACCESS_TOKEN".to_owned());
    }
    let variables = given.iter().map(|given| Variable::read(given));
    let variables: Vec<Variable> = variables.collect::<Result<_, _>>()?;
    let mut given_to_it = Vec::new();
    for kind in [TokenKind::Access, TokenKind::Id] {
        let of_kind =
            |variable: &&Variable| (variable.format == ID_TOKEN) == (kind == TokenKind::Id);
        let mut wanted = variables.iter().filter(of_kind).peekable();
        if wanted.peek().is_none() {
            continue;
        }
        let request = Request {
            token: Some(kind),
            // The program's own.
            hands_over_stdin: false,
            ..get::request(arguments)?
        };
        let Response::Token(credential) = answer(&request, None)? else {
            let bug = "BUG: `exec` was answered without a token";
            return Err(Error::new(ErrorKind::Internal, bug));
        };
        for variable in wanted {
            let text = get::render(&credential, &variable.format, &variable.name)?;
            let text = Zeroizing::new(text.trim_end_matches('\n').to_owned());
            given_to_it.push((variable.name.clone(), text));
        }
    }
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    process::run_in_our_place(program, words, &given_to_it, io.environment)
}

/// The program, and what it is given.
fn line(arguments: &Arguments) -> Result<(&OsString, &[OsString]), Error> {
    let usage = |message: String| {
        Error::new(ErrorKind::Usage, message)
            .hint("write it as `cred-helper exec -p NAME -- PROGRAM WORD…`")
    };
    let Some((program, words)) = arguments.operands().split_first() else {
        return Err(usage("no program is named".to_owned()));
    };
    let shown = printable(&program.to_string_lossy());
    if shown.starts_with('-') {
        return Err(usage(format!(
            "`{shown}` is no option of `exec`, and no program"
        )));
    }
    Ok((program, words))
}
