//! `status`: who is signed in, until when, and how it lies.
//!
//! What is told is decided in `acquire/status.rs`; here it is drawn, once (`view`) or again and again
//! (`watch`). To add something to tell: a field there, and where it stands in `view`.

mod time;
mod view;
mod watch;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use self::time::Times;
use self::view::View;
use super::profile::{is_json, no_file};
use super::{Entry, Shell, output_argument, profile_argument, text};
use crate::credential::{Action, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::setup::{self, Machine};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "status",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Show who is signed in, and until when")
        .after_help(
            "Nothing is asked of anybody, and nothing is changed.\n\nExamples:\n  cred-helper status\n  \
             cred-helper status --watch\n  cred-helper status -p graph -o json",
        )
        .arg(profile_argument().help("Show this profile alone"))
        .arg(output_argument(&["table", "json"]).default_value("table"))
        .arg(
            Arg::new("watch")
                .long("watch")
                .action(ArgAction::SetTrue)
                .help("Go on showing it whenever it changes, until Ctrl-C"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    if matches.get_flag("watch") {
        return watch::watch(matches, shell);
    }
    let status = ask(matches, shell)?;
    let printed = if is_json(matches) {
        format!("{}\n", status.told)
    } else {
        remark(&status, shell);
        let columns = shell.screen.map(|screen| screen.columns);
        view(&status, shell, columns, columns.is_some())
    };
    shell.print(&printed)
}

/// What is known now.
struct Status {
    /// As JSON.
    told: Value,
    /// Whether there is any profile.
    has_profiles: bool,
    /// Whether it is written down who uses a token.
    has_audit: bool,
}

fn ask(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<Status, Error> {
    let request = Request {
        profile: text(matches, "profile"),
        ..Request::new(Action::Status)
    };
    let Response::Status(mut told) = (shell.answer)(&request, None)? else {
        return Err(Error::new(
            ErrorKind::Internal,
            "BUG: a status is answered with something else",
        ));
    };
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    // Without them the rest is told all the same.
    let machine = Machine::new(shell.context);
    let recorded = machine.and_then(|machine| setup::recorded(&machine));
    let recorded = recorded.unwrap_or_default();
    let profiles = told["profiles"].as_array_mut();
    for profile in profiles.into_iter().flatten() {
        let name = profile["profile"].as_str().unwrap_or_default();
        let of_it = recorded.iter().filter(|(_, profile)| profile == name);
        let mut tools: Vec<&str> = of_it.map(|(tool, _)| *tool).collect();
        tools.dedup();
        profile["set_up"] = tools.into();
    }
    Ok(Status {
        told,
        has_profiles: configuration.profiles().next().is_some(),
        has_audit: configuration.audit(),
    })
}

/// What there is to say beside the table.
fn remark(status: &Status, shell: &Shell<'_, '_>) {
    if !status.has_profiles {
        let error = no_file(shell.location);
        let hint = error.hint_text().unwrap_or_default();
        shell.context.warn(&format!("{error}; {hint}"));
    }
    let profiles = status.told["profiles"].as_array().into_iter().flatten();
    let mut reasons = profiles.filter_map(|profile| profile["unsealed_because"].as_str());
    if let Some(reason) = reasons.next() {
        let told = format!("sign-ins are kept unencrypted, since {reason}");
        shell.context.inform(&told);
    }
}

fn view(status: &Status, shell: &Shell<'_, '_>, columns: Option<usize>, in_words: bool) -> String {
    let times = Times {
        environment: shell.context.environment,
        now: shell.context.clock.now(),
        in_words,
    };
    let view = View {
        times,
        columns,
        style: shell.style,
        has_audit: status.has_audit,
    };
    view.text(&status.told)
}
