//! `login`: asks a person, whatever is kept.

use std::io::Read;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use zeroize::Zeroizing;

use super::{Entry, Shell, profile_argument, text};
use crate::credential::{Action, Interactive, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::system::terminal;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "login",
    command,
    run,
};

const DEVICE_CODE: &str = "device_code";

/// The grants that ask a person, and need no keys.
const WAYS: [&str; 3] = ["auto", AUTHORIZATION_CODE, DEVICE_CODE];

/// The one that has two steps.
const AUTHORIZATION_CODE: &str = "authorization_code";

fn command(command: Command) -> Command {
    command
        .about("Sign in, whatever is kept")
        .after_help("Example:\n  cred-helper login -p graph --account ada@contoso.com")
        .arg(profile_argument())
        .arg(
            Arg::new("account")
                .long("account")
                .value_name("HINT")
                .help("Who signs in; anybody else is refused"),
        )
        .arg(
            Arg::new("grant")
                .long("grant")
                .value_name("GRANT")
                .value_parser(clap::builder::PossibleValuesParser::new(WAYS))
                .help("How to sign in this time, whatever the profile says"),
        )
        .arg(
            Arg::new("no-browser")
                .long("no-browser")
                .action(ArgAction::SetTrue)
                .conflicts_with("grant")
                .help("The same as --grant device_code"),
        )
        .arg(
            Arg::new("start")
                .long("start")
                .action(ArgAction::SetTrue)
                .conflicts_with("finish")
                .help("Print the address where to sign in, for --finish; nobody is asked"),
        )
        .arg(
            Arg::new("finish")
                .long("finish")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["grant", "no-browser"])
                .help("Read the address that the browser ended on from stdin, and sign in"),
        )
        .arg(
            Arg::new("interactive")
                .long("interactive")
                .value_name("WHEN")
                .value_parser(clap::builder::PossibleValuesParser::new(Interactive::NAMES))
                .help("Whether a person may be asked; `always` also where `CI` is set"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let asked = if matches.get_flag("no-browser") {
        Some(DEVICE_CODE.to_owned())
    } else {
        text(matches, "grant")
    };
    let (action, asked) = match (matches.get_flag("start"), matches.get_flag("finish")) {
        (true, _) => (Action::Begin, asked),
        (_, true) => {
            let answer = read_answer(shell)?;
            (Action::Finish(answer), Some(AUTHORIZATION_CODE.to_owned()))
        }
        (false, false) => (Action::Login, asked),
    };
    let request = Request {
        grant: asked.and_then(|asked| WAYS.into_iter().find(|way| *way == asked)),
        profile: text(matches, "profile"),
        account: text(matches, "account"),
        interactive: text(matches, "interactive").and_then(|when| Interactive::parse(&when)),
        ..Request::new(action)
    };
    match (shell.answer)(&request, None)? {
        Response::Begun { profile: _, url } => shell.print(&format!("{url}\n")),
        Response::Token(_) | Response::Done { .. } | Response::Status(_) => Ok(()),
    }
}

/// Reads what the browser ended on: a line that somebody types, else all of stdin.
fn read_answer(shell: &mut Shell<'_, '_>) -> Result<Secret, Error> {
    /// How long may it be?
    const LONGEST: u64 = 64 * 1024;
    let context = shell.context;
    let typing = terminal::is_standard_input().then(|| context.terminal.typing());
    if let Some(mut typing) = typing.flatten() {
        drop(context.terminal.show(
            "Copy the whole address of the page that the browser ended on, which may show an error, \
             and paste it here:\n",
        ));
        loop {
            match typing.line()? {
                Some(line) if !line.expose().is_empty() => return Ok(line),
                Some(_) => {}
                None => context.clock.sleep(Duration::from_millis(50))?,
            }
        }
    }
    let mut text = Zeroizing::new(String::new());
    let read = (&mut shell.io.stdin)
        .take(LONGEST)
        .read_to_string(&mut text);
    read.map_err(|error| Error::new(ErrorKind::Usage, "stdin cannot be read").because(error))?;
    if text.trim().is_empty() {
        return Err(
            Error::new(ErrorKind::Usage, "stdin holds no address of a page")
                .hint("copy the address that the browser ended on, and give it to stdin"),
        );
    }
    Ok(Secret::new(text.trim()))
}
