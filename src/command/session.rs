//! `session`: sign-ins for other programs.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::{Entry, Shell, account_argument, profile_argument, text};
use crate::credential::{Action, Request, Response};
use crate::error::Error;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "session",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Hand sign-ins over to other programs")
        .after_help("Example:\n  cred-helper session export --msal ~/cache.json -p graph")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("export")
                .about("Put a profile's sign-in into a cache that programs with MSAL read")
                .after_help(
                    "The sign-in is copied: both have it from then on. To have one for both, write \
                     `session = { msal = \"FILE\" }` into the profile.\n\nExample:\n  cred-helper session \
                     export --msal ~/cache.json -p graph",
                )
                .arg(
                    Arg::new("msal")
                        .long("msal")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("The cache; it is made if it is not there"),
                )
                .arg(profile_argument())
                .arg(account_argument().help("This account alone")),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let Some((_, matches)) = matches.subcommand() else {
        return Ok(());
    };
    let file = matches
        .get_one::<PathBuf>("msal")
        .cloned()
        .unwrap_or_default();
    let file = std::path::absolute(&file).unwrap_or(file);
    let request = Request {
        profile: text(matches, "profile"),
        account: text(matches, "account"),
        ..Request::new(Action::HandOut(file.clone()))
    };
    let mut done = String::new();
    if let Response::Done { profile, accounts } = (shell.answer)(&request, None)? {
        for account in accounts {
            let who = account.map_or_else(String::new, |account| format!(" of {account}"));
            done.push_str(&format!(
                "the sign-in{who} for profile `{profile}` is in `{}` too\n",
                file.display()
            ));
        }
    }
    shell.print(&done)
}
