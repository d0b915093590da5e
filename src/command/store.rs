//! `store`: how sign-ins lie on this machine, and how to change that.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::{Entry, Shell, columns, output_argument, text};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::store::maintenance::{Done, Listed, Maintenance};
use crate::store::seal::{self, SEALS, Sealing};
use crate::system::directories;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "store",
    command,
    run,
};

fn command(command: Command) -> Command {
    let output = || output_argument(&["table", "json"]).default_value("table");
    command
        .about("See and change how sign-ins lie on this machine")
        .after_help("Example:\n  cred-helper store list")
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about("Show each session's file, its seal and its key's id")
                .after_help("Example:\n  cred-helper store list -o json")
                .arg(output()),
        )
        .subcommand(
            Command::new("migrate")
                .about("Seal every sign-in in another way")
                .after_help(
                    "One file is sealed after the other; what is interrupted is done by the next \
                     run.\n\nExample:\n  cred-helper store migrate --to keyring --dry-run",
                )
                .arg(
                    Arg::new("to")
                        .long("to")
                        .value_name("SEAL")
                        .required(true)
                        .value_parser(clap::builder::PossibleValuesParser::new(
                            SEALS.iter().map(|seal| seal.name),
                        ))
                        .help("How they are to lie"),
                )
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Only show what would be done"),
                )
                .arg(output()),
        )
        .subcommand(
            Command::new("rekey")
                .about("Replace the key that sign-ins are sealed with, and forget the old one")
                .after_help(
                    "It is done for all that are sealed as new ones are; `migrate` has the others lie \
                     so, too. With `seal = \"command\"` the new key is what `command` prints, and the old one \
                     what `previous_command` does.\n\nExample:\n  cred-helper store rekey",
                )
                .arg(output()),
        )
        .subcommand(
            Command::new("lock")
                .about("Drop the keys that the operating system's memory holds")
                .after_help(
                    "The next call asks the keyring, or the command, again.\n\nExample:\n  \
                     cred-helper store lock",
                ),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let environment = shell.context.environment;
    let state = directories::state(environment)?;
    if matches.subcommand_name() == Some("lock") {
        // A mistake in a profile file is no reason to leave a key where it is.
        return lock(&state, shell);
    }
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let is_never = environment.variable("CRED_HELPER_INTERACTIVE").as_deref() == Some("never");
    let context = match is_never || environment.is_ci() {
        true => Context {
            keyring: shell.unattended_keyring,
            ..shell.context
        },
        false => shell.context,
    };
    let (sealing, lock_timeout) = (configuration.sealing(), configuration.lock_timeout());
    let maintenance = Maintenance::new(&state, sealing, lock_timeout, &context);
    match matches.subcommand() {
        Some(("migrate", matches)) => {
            let to = text(matches, "to").unwrap_or_default();
            let to = seal::find(&to).expect("clap knows the seals");
            let is_dry = matches.get_flag("dry-run");
            let done = maintenance.migrate(to, is_dry)?;
            report(&done, is_dry, matches, shell)
        }
        Some(("rekey", matches)) => {
            let done = maintenance.rekey()?;
            report(&done, false, matches, shell)
        }
        Some((_, matches)) => {
            let listed = maintenance.list()?;
            let profiles = files(&configuration, &state);
            let rows = listed.iter().map(|listed| row(listed, &profiles)).collect();
            print_rows(rows, matches, shell)
        }
        None => Ok(()),
    }
}

/// The session file of each profile that can be understood.
pub(super) fn files(configuration: &Configuration<'_>, state: &Path) -> Vec<(String, PathBuf)> {
    let names = configuration.profiles().map(|(name, _)| name);
    let files = names.filter_map(|name| {
        let profile = configuration.profile(name).ok()?;
        let store = profile.store(state, configuration);
        Some((name.to_owned(), store.path()))
    });
    files.collect()
}

/// Drops the keys that are held for a while.
fn lock(state: &Path, shell: &Shell<'_, '_>) -> Result<(), Error> {
    let sealing = Sealing::default();
    let count = Maintenance::new(state, &sealing, None, &shell.context).lock_keys()?;
    shell.context.inform(&match count {
        0 => "no key was held".to_owned(),
        1 => "one key was dropped".to_owned(),
        count => format!("{count} keys were dropped"),
    });
    Ok(())
}

/// A session as JSON; its form is public.
fn row(listed: &Listed, profiles: &[(String, PathBuf)]) -> Value {
    let of = profiles.iter().filter(|(_, path)| *path == listed.path);
    let of: Vec<&str> = of.map(|(name, _)| name.as_str()).collect();
    let (seal, key, error) = match &listed.seal {
        Ok((seal, key)) => (Some(seal.name), key.as_deref(), None),
        Err(error) => (None, None, Some(error.to_string())),
    };
    json!({
        "file": listed.path.display().to_string(),
        "seal": seal,
        "key": key,
        "profiles": of,
        "error": error,
    })
}

fn print_rows(
    rows: Vec<Value>,
    matches: &ArgMatches,
    shell: &mut Shell<'_, '_>,
) -> Result<(), Error> {
    if is_json(matches) {
        return shell.print(&format!("{}\n", json!({ "sessions": rows })));
    }
    let mut lines = vec![["SEAL", "KEY", "PROFILES", "FILE"].map(String::from)];
    for row in &rows {
        let names = row["profiles"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let names = match names.is_empty() {
            true => "-".to_owned(),
            false => names.join(","),
        };
        let shown = |key: &str| printable(row[key].as_str().unwrap_or("-"));
        let seal = row["error"]
            .as_str()
            .map_or_else(|| shown("seal"), |_| "?".to_owned());
        lines.push([seal, shown("key"), names, shown("file")]);
    }
    for row in &rows {
        if let Some(error) = row["error"].as_str() {
            // It names the file.
            shell.context.warn(error);
        }
    }
    shell.print(&columns(&lines))
}

fn is_json(matches: &ArgMatches) -> bool {
    text(matches, "output").as_deref() == Some("json")
}

/// Says what was done. What was not, is an error.
fn report(
    done: &Done,
    is_dry: bool,
    matches: &ArgMatches,
    shell: &mut Shell<'_, '_>,
) -> Result<(), Error> {
    if is_json(matches) {
        let sealed: Vec<String> = done
            .sealed
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let failed: Vec<Value> = done
            .failed
            .iter()
            .map(|(path, error)| {
                json!({ "file": path.display().to_string(), "error": error.to_string() })
            })
            .collect();
        let said = json!({ "sealed": sealed, "as_before": done.as_before, "failed": failed });
        shell.print(&format!("{said}\n"))?;
    } else {
        let verb = if is_dry {
            "would be sealed anew"
        } else {
            "sealed anew"
        };
        shell.print(&format!(
            "{} {verb}, {} as before, {} not possible\n",
            done.sealed.len(),
            done.as_before,
            done.failed.len()
        ))?;
    }
    let Some((path, first)) = done.failed.first() else {
        return Ok(());
    };
    for (path, error) in &done.failed {
        let path = format!("`{}`", path.display());
        let told = error.to_string();
        shell.context.warn(&match told.contains(&path) {
            true => format!("{told}; it lies as before"),
            false => format!("{path} lies as before: {told}"),
        });
    }
    let message = format!(
        "{} of {} sessions could not be sealed anew",
        done.failed.len(),
        done.failed.len() + done.sealed.len() + done.as_before
    );
    let error =
        Error::new(ErrorKind::Store, message).because(format!("`{}`: {first}", path.display()));
    Err(match first.hint_text() {
        Some(hint) => error.hint(hint),
        None => error.hint("mend what is said above, and run it again"),
    })
}
