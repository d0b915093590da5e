//! `status`: who is signed in, until when, and how it lies.

use clap::{ArgMatches, Command};
use serde_json::Value;

use super::profile::no_file;
use super::{Entry, Shell, columns, output_argument, profile_argument, text};
use crate::credential::{Action, Request, Response};
use crate::error::Error;
use crate::profile::Configuration;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "status",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Show who is signed in, and until when")
        .after_help("Example:\n  cred-helper status -o json")
        .arg(profile_argument())
        .arg(output_argument(&["table", "json"]).default_value("table"))
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let request = Request {
        profile: text(matches, "profile"),
        ..Request::new(Action::Status)
    };
    let Response::Status(status) = (shell.answer)(&request, None)? else {
        return Ok(());
    };
    let printed = if text(matches, "output").as_deref() == Some("json") {
        format!("{status}\n")
    } else {
        let sources = shell.sources()?;
        if Configuration::new(&sources)?.profiles().next().is_none() {
            let error = no_file(shell.location);
            let hint = error.hint_text().unwrap_or_default();
            shell.context.warn(&format!("{error}; {hint}"));
        }
        let profiles = status["profiles"].as_array().into_iter().flatten();
        let mut reasons = profiles.filter_map(|profile| profile["unsealed_because"].as_str());
        if let Some(reason) = reasons.next() {
            let told = format!("sign-ins are kept unencrypted, since {reason}");
            shell.context.inform(&told);
        }
        table(&status)
    };
    shell.print(&printed)
}

/// The rows of a status as text in columns.
fn table(status: &Value) -> String {
    let mut lines = vec![
        [
            "PROFILE",
            "ACCOUNT",
            "ACCESS UNTIL",
            "REFRESHABLE",
            "SEAL",
            "NOTE",
        ]
        .map(String::from),
    ];
    let empty = Vec::new();
    for profile in status["profiles"].as_array().unwrap_or(&empty) {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        // What lies in a cache of MSAL is as safe as that is.
        let seal = match profile["msal"].is_null() {
            true => text(&profile["seal"]),
            false => "msal".to_owned(),
        };
        let accounts = profile["accounts"].as_array().unwrap_or(&empty);
        if accounts.is_empty() {
            let blank = || "-".to_owned();
            lines.push([
                text(&profile["profile"]),
                blank(),
                blank(),
                blank(),
                seal.clone(),
                profile["error"]
                    .as_str()
                    .unwrap_or("not signed in")
                    .to_owned(),
            ]);
        }
        for account in accounts {
            let said = |key: &str| account[key].as_str();
            let sign_in = match (said("waiting_since"), said("asked_again_after")) {
                (Some(since), _) => Some(format!("sign-in waits since {since}")),
                (_, Some(until)) => Some(format!("refused, asked again after {until}")),
                _ => None,
            };
            let is_used = accounts.len() > 1 && account["used"] == true;
            let used = is_used.then(|| "used, unless --account names another".to_owned());
            let refresh = said("refreshed_again_after").map(|until| {
                let error = said("refresh_error").unwrap_or_default();
                format!("refresh failed, tried again after {until}: {error}")
            });
            let notes: Vec<String> = [used, sign_in, refresh].into_iter().flatten().collect();
            let refreshable = if account["refreshable"] == true {
                "yes"
            } else {
                "no"
            };
            lines.push([
                text(&profile["profile"]),
                text(&account["account"]),
                text(&account["access_expires_at"]),
                refreshable.to_owned(),
                seal.clone(),
                notes.join("; "),
            ]);
        }
    }
    columns(&lines)
}
