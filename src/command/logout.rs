//! `logout`: revokes a sign-in where the authority can, and forgets it here in any case.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Entry, Shell, profile_argument, text};
use crate::credential::{Action, Request, Response};
use crate::error::Error;
use crate::profile::Configuration;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "logout",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Forget a sign-in, and revoke it where the authority can")
        .after_help("Examples:\n  cred-helper logout -p graph\n  cred-helper logout --all --local")
        .arg(profile_argument().conflicts_with("all"))
        .arg(
            Arg::new("account")
                .long("account")
                .value_name("A")
                .conflicts_with("all")
                .help("This account alone"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("Every profile"),
        )
        .arg(
            Arg::new("local")
                .long("local")
                .action(ArgAction::SetTrue)
                .help("Revoke nothing at the authority"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let request = Request {
        profile: text(matches, "profile"),
        account: text(matches, "account"),
        ..Request::new(Action::Logout {
            local: matches.get_flag("local"),
        })
    };
    if !matches.get_flag("all") {
        return log_out(&request, shell);
    }
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let names: Vec<_> = configuration
        .profiles()
        .map(|(name, _)| name.to_owned())
        .collect();
    // One that fails keeps none of the others.
    let mut failed = None;
    for name in names {
        let request = Request {
            profile: Some(name),
            ..request.clone()
        };
        if let Err(error) = log_out(&request, shell)
            && let Some(earlier) = failed.replace(error)
        {
            shell.context.warn(&earlier.to_string());
        }
    }
    failed.map_or(Ok(()), Err)
}

fn log_out(request: &Request, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let Response::Done { profile, accounts } = (shell.answer)(request, None)? else {
        return Ok(());
    };
    if accounts.is_empty() {
        let who = request.account.as_deref().map_or_else(
            || "nobody was".to_owned(),
            |account| format!("`{}` was not", printable(account)),
        );
        shell
            .context
            .inform(&format!("{who} signed in for profile `{profile}`"));
    }
    for account in accounts {
        let who = account.map_or_else(String::new, |account| format!(" {account}"));
        shell
            .context
            .inform(&format!("signed out{who} for profile `{profile}`"));
    }
    Ok(())
}
