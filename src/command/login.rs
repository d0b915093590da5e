//! `login`: asks a person, whatever is kept.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Entry, Shell, profile_argument, text};
use crate::credential::{Action, Interactive, Request};
use crate::error::Error;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "login",
    command,
    run,
};

const DEVICE_CODE: &str = "device_code";

/// The grants that ask a person, and need no keys.
const WAYS: [&str; 3] = ["auto", "authorization_code", DEVICE_CODE];

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
    let request = Request {
        grant: asked.and_then(|asked| WAYS.into_iter().find(|way| *way == asked)),
        profile: text(matches, "profile"),
        account: text(matches, "account"),
        interactive: text(matches, "interactive").and_then(|when| Interactive::parse(&when)),
        ..Request::new(Action::Login)
    };
    (shell.answer)(&request, None).map(drop)
}
