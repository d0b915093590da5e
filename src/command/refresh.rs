//! `refresh`: what a call leaves to another process, so that nobody waits for it. Not for people: it
//! says nothing, and what goes wrong is noted in the session, and in the log.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Entry, Shell, profile_argument, text};
use crate::credential::{Action, Interactive, Request, TokenKind};
use crate::error::Error;
use crate::system::platform;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "refresh",
    command,
    run,
};

fn command(command: Command) -> Command {
    let value = |name: &'static str| Arg::new(name).long(name).value_name("VALUE");
    command
        .about("Refresh a token that should be; calls leave that to a process of its own")
        .hide(true)
        .arg(profile_argument().required(true))
        .arg(value("token").value_parser(PossibleValuesParser::new(TokenKind::NAMES)))
        .arg(value("scope").action(ArgAction::Append))
        .arg(value("account"))
        .arg(value("claims"))
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    platform::leave_terminal();
    let scopes = matches.get_many::<String>("scope");
    let request = Request {
        profile: text(matches, "profile"),
        scopes: scopes.into_iter().flatten().cloned().collect(),
        account: text(matches, "account"),
        claims: text(matches, "claims"),
        token: text(matches, "token").and_then(|kind| TokenKind::parse(&kind)),
        interactive: Some(Interactive::Never),
        takes_dpop: true,
        refreshes_first: true,
        ..Request::new(Action::Get)
    };
    (shell.answer)(&request, None).map(drop)
}
