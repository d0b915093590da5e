//! `logout`: revokes a sign-in where the authority can, and forgets it here in any case.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Entry, Shell, account_argument, profile_argument, text};
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
            account_argument()
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
        let ended = log_out(&request, shell)?;
        for other in ended.iter().flat_map(|name| sharing(name, shell)) {
            let told = format!("profile `{other}` had the same sign-in");
            shell.context.inform(&told);
        }
        return Ok(());
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

/// The profile whose sign-in has ended, if there was one.
fn log_out(request: &Request, shell: &mut Shell<'_, '_>) -> Result<Option<String>, Error> {
    let Response::Done { profile, accounts } = (shell.answer)(request, None)? else {
        return Ok(None);
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
    let is_ended = !accounts.is_empty();
    for account in accounts {
        let who = account.map_or_else(String::new, |account| format!(" {account}"));
        shell
            .context
            .inform(&format!("signed out{who} for profile `{profile}`"));
    }
    Ok(is_ended.then_some(profile))
}

/// The other profiles with the sign-in of this one, which their names do not tell. What is wrong
/// with a file is for other calls to say: the sign-in has ended.
fn sharing(name: &str, shell: &Shell<'_, '_>) -> Vec<String> {
    let sources = shell.sources().unwrap_or_default();
    let Ok(configuration) = Configuration::new(&sources) else {
        return Vec::new();
    };
    let Ok(profile) = configuration.profile(name) else {
        return Vec::new();
    };
    let others = configuration.profiles().filter(|(other, _)| *other != name);
    let others = others.filter_map(|(other, _)| configuration.profile(other).ok());
    let same = others.filter(|other| other.identity() == profile.identity());
    same.map(|other| other.name).collect()
}
