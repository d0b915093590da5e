//! `doctor`: what is wrong, and what to do about it.
//!
//! One file per group of checks. To add one: a file with a [`Check`], and a line in [`CHECKS`]. A check
//! changes nothing that matters, asks no person, and sends no token.

mod authority;
mod configuration;
mod msal;
mod seal;
mod session;
mod sign_in;
mod store;
mod tool;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::profile::is_json;
use super::{Entry, Shell, output_argument, profile_argument, text};
use crate::context::{Context, KeyCache};
use crate::error::{Error, ErrorKind};
use crate::profile::file::{self, Complaint, Location, Source};
use crate::profile::{Configuration, Profile};
use crate::store::examination::{AsItIs, Examination};
use crate::system::directories;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "doctor",
    command,
    run,
};

/// How long may one check take?
const LIMIT: Duration = Duration::from_secs(20);

/// A group of checks.
struct Check {
    /// What the ids of its findings begin with.
    name: &'static str,
    /// Looks, and tells what it found.
    look: fn(&Case<'_>) -> Vec<Finding>,
}

/// Every check, in the order in which one needs the other.
const CHECKS: &[Check] = &[
    configuration::CHECK,
    store::CHECK,
    seal::CHECK,
    session::CHECK,
    msal::CHECK,
    authority::CHECK,
    tool::CHECK,
    sign_in::CHECK,
];

/// What the checks look at.
struct Case<'a> {
    /// The effects; the deadline is that of the check.
    context: Context<'a>,
    location: &'a Location,
    /// The files that were read.
    sources: &'a [Source],
    /// Why others were not.
    unread: &'a [Error],
    configuration: &'a Configuration<'a>,
    complaints: &'a [Complaint],
    /// The profiles that can be used, or the one that was named.
    profiles: &'a [Profile],
    /// Whether one was named.
    is_for_one: bool,
    state: &'a Path,
    /// What holds keys for a while; that of the context takes none.
    key_cache: &'a dyn KeyCache,
    /// Whether the network is left alone.
    is_offline: bool,
}

impl Case<'_> {
    /// The sessions of this user.
    fn examination(&self) -> Examination<'_> {
        Examination::new(self.state, self.configuration.sealing(), &self.context)
    }
}

/// How much something matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// Calls fail, or soon will; of this kind.
    Error(ErrorKind),
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error(_) => "error",
        }
    }
}

/// What a check found.
struct Finding {
    /// What was looked at, behind the name of its check.
    part: String,
    status: Status,
    message: String,
    /// What to do.
    hint: Option<String>,
}

impl Finding {
    fn new(part: &str, status: Status, message: &str) -> Self {
        Self {
            part: part.to_owned(),
            status,
            // Names and reasons are anybody's.
            message: printable(message),
            hint: None,
        }
    }

    fn ok(part: &str, message: &str) -> Self {
        Self::new(part, Status::Ok, message)
    }

    fn warning(part: &str, message: &str) -> Self {
        Self::new(part, Status::Warning, message)
    }

    /// An error as calls would tell it.
    fn error(part: &str, error: &Error) -> Self {
        Self::of(part, Status::Error(error.kind()), error)
    }

    /// The same, where calls go on all the same.
    fn warning_of(part: &str, error: &Error) -> Self {
        Self::of(part, Status::Warning, error)
    }

    fn of(part: &str, status: Status, error: &Error) -> Self {
        let finding = Self::new(part, status, &error.to_string());
        match error.hint_text() {
            Some(hint) => finding.hint(hint),
            None => finding,
        }
    }

    fn hint(self, hint: &str) -> Self {
        Self {
            hint: Some(printable(hint)),
            ..self
        }
    }
}

fn command(command: Command) -> Command {
    command
        .about("Tell what is wrong, and what to do about it")
        .after_help(
            "Nothing is changed, nobody is asked, and no token is sent. It fails where a check finds an \
             error.\n\nExamples:\n  cred-helper doctor\n  cred-helper doctor -p graph -o json",
        )
        .arg(profile_argument().help("Look at this profile alone"))
        .arg(
            Arg::new("offline")
                .long("offline")
                .action(ArgAction::SetTrue)
                .help("Leave out what needs the network"),
        )
        .arg(output_argument(&["text", "json"]).default_value("text"))
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let context = shell.context;
    let state: PathBuf = directories::state(context.environment)?;
    let mut sources = Vec::new();
    let mut unread = Vec::new();
    for read in file::read_each(shell.location) {
        match read {
            Ok(source) => sources.push(source),
            Err(error) => unread.push(error),
        }
    }
    let name = text(matches, "profile");
    let (configuration, complaints) = Configuration::check_only(&sources, name.as_deref());
    let complaints = file::without_consequences(complaints);
    let profiles: Vec<Profile> = match &name {
        // The complaints say what is wrong with it; that it is not there is a mistake of the call.
        Some(name) => match configuration.profile(name) {
            Err(error) if error.kind() == ErrorKind::NoProfile && unread.is_empty() => {
                return Err(error);
            }
            profile => profile.into_iter().collect(),
        },
        None => configuration
            .profiles()
            .filter_map(|(name, _)| configuration.profile(name).ok())
            .collect(),
    };
    let is_text = !is_json(matches);
    let mut rows = Vec::new();
    let mut errors = Vec::new();
    for check in CHECKS {
        let case = Case {
            context: Context {
                deadline: Some(context.clock.monotonic() + LIMIT),
                keyring: shell.unattended_keyring,
                key_cache: &AsItIs(context.key_cache),
                ..context
            },
            location: shell.location,
            sources: &sources,
            unread: &unread,
            configuration: &configuration,
            complaints: &complaints,
            profiles: &profiles,
            is_for_one: name.is_some(),
            state: &state,
            key_cache: context.key_cache,
            is_offline: matches.get_flag("offline"),
        };
        for finding in (check.look)(&case) {
            let id = format!("{}.{}", check.name, finding.part);
            if is_text {
                // At once: the next check may take its time.
                shell.print(&line(&id, &finding))?;
            }
            if let Status::Error(kind) = finding.status {
                errors.push(kind);
            }
            rows.push(row(&id, &finding));
        }
        context.signals.check()?;
    }
    if !is_text {
        let report = json!({ "ok": errors.is_empty(), "checks": rows });
        shell.print(&format!("{report}\n"))?;
    }
    match errors.first() {
        None => Ok(()),
        Some(kind) => {
            let message = format!("{} of {} checks found an error", errors.len(), rows.len());
            Err(Error::new(*kind, message).hint("each says what to do"))
        }
    }
}

/// A finding as JSON; its form is public.
fn row(id: &str, finding: &Finding) -> Value {
    json!({
        "id": id,
        "status": finding.status.name(),
        "message": finding.message,
        "hint": finding.hint,
    })
}

fn line(id: &str, finding: &Finding) -> String {
    let mut line = format!("{:<7}  {id}: {}\n", finding.status.name(), finding.message);
    if let Some(hint) = &finding.hint {
        line.push_str(&format!("{:9}{hint}\n", ""));
    }
    line
}
