//! `logout`: revokes a sign-in where the authority can, and forgets it here in any case.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Entry, Shell, account_argument, profile_argument, store, text};
use crate::context::Context;
use crate::credential::{Action, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::store::maintenance::Maintenance;
use crate::system::directories;
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
        .after_help(
            "With `--all`, what is kept of no profile goes too: of one that was changed, renamed or \
             removed, or of another configuration. How that is revoked is not known any more.\n\n\
             Examples:\n  cred-helper logout -p graph\n  cred-helper logout --all --local",
        )
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
                .help("Every sign-in that you have on this machine, whatever its profile"),
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
    log_out_of_all(&request, matches.get_flag("local"), shell)
}

/// Ends what is kept of no profile, which nobody has to be asked for, then what is kept of each.
fn log_out_of_all(request: &Request, local: bool, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    // One that fails keeps none of the others.
    let mut failed = match end_others(&configuration, local, shell) {
        Ok(errors) => errors,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => vec![error],
    };
    for (name, _) in configuration.profiles() {
        let request = Request {
            profile: Some(name.to_owned()),
            ..request.clone()
        };
        failed.extend(log_out(&request, shell).err());
    }
    let Some(last) = failed.pop() else {
        return Ok(());
    };
    for error in failed {
        shell.context.warn(&error.to_string());
    }
    Err(last)
}

/// Ends what is of no profile. What could not be ended.
fn end_others(
    configuration: &Configuration<'_>,
    local: bool,
    shell: &Shell<'_, '_>,
) -> Result<Vec<Error>, Error> {
    let state = directories::state(shell.context.environment)?;
    let files = store::files(configuration, &state);
    let has_mistake = files.len() < configuration.profiles().count();
    let files: BTreeSet<PathBuf> = files.into_iter().map(|(_, path)| path).collect();
    // Nobody is asked to unlock a keyring for what goes.
    let context = Context {
        keyring: shell.unattended_keyring,
        ..shell.context
    };
    let (sealing, lock_timeout) = (configuration.sealing(), configuration.lock_timeout());
    let maintenance = Maintenance::new(&state, sealing, lock_timeout, &context);
    if has_mistake && !local {
        let mut listed = maintenance.list()?.into_iter();
        if listed.any(|listed| !files.contains(&listed.path)) {
            let told = "sign-ins of no profile stay: they cannot be told from that of a profile that \
                        has a mistake; mend it and run this again, or use `--local`";
            context.warn(told);
        }
        return Ok(Vec::new());
    }
    let ended = maintenance.end_others(&files)?;
    let (removed, unrevoked) = match ended.count {
        0 => return Ok(ended.failed),
        1 => (
            "1 sign-in of no profile was removed".to_owned(),
            "it could not be revoked",
        ),
        count => (
            format!("{count} sign-ins of no profile were removed"),
            "they could not be revoked",
        ),
    };
    match local {
        true => context.inform(&removed),
        false => context.warn(&format!("{removed}; {unrevoked}")),
    }
    Ok(ended.failed)
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
