//! `doctor`: what is wrong, and what to do about it.
//!
//! One file per group of checks. To add one: a file with a [`Check`], and a line in [`CHECKS`]. A check
//! changes nothing that matters, asks no person, and sends no token.

mod authority;
mod bundle;
mod configuration;
mod msal;
mod scrub;
mod seal;
mod session;
mod sign_in;
mod store;
mod tool;

use std::cell::RefCell;
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
use crate::style::Style;
use crate::system::{directories, replacement};
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
#[derive(Clone, Copy)]
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
    /// The people whom findings name.
    names: &'a RefCell<Vec<String>>,
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
             error.\n\nExamples:\n  cred-helper doctor\n  cred-helper doctor -p graph -o json\n  \
             cred-helper doctor --bundle report.json",
        )
        .arg(profile_argument().help("Look at this profile alone"))
        .arg(
            Arg::new("offline")
                .long("offline")
                .action(ArgAction::SetTrue)
                .help("Leave out what needs the network"),
        )
        .arg(
            Arg::new("bundle")
                .long("bundle")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Write what a bug report needs into a file, without secrets; `-` is stdout"),
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
    let target = matches.get_one::<PathBuf>("bundle");
    let is_bundle_alone = target.is_some_and(|target| target.as_os_str() == "-");
    if let Some(target) = target.filter(|_| !is_bundle_alone) {
        // Before all is looked at.
        replacement::check(target).map_err(|error| unwritable(target, error))?;
    }
    let is_text = !is_json(matches) && !is_bundle_alone;
    let names = RefCell::default();
    let case = Case {
        context,
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
        names: &names,
    };
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
            ..case
        };
        for finding in (check.look)(&case) {
            let id = format!("{}.{}", check.name, finding.part);
            if is_text {
                // At once: the next check may take its time.
                shell.print(&line(&id, &finding, shell.style))?;
            }
            if let Status::Error(kind) = finding.status {
                errors.push(kind);
            }
            rows.push(row(&id, &finding));
        }
        context.signals.check()?;
    }
    if let Some(target) = target {
        let bundle = bundle::text(
            &case,
            errors.is_empty(),
            &rows,
            shell.screen,
            &names.borrow(),
        );
        deliver(target, is_bundle_alone, &bundle, shell)?;
    }
    if !is_text && !is_bundle_alone {
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

fn deliver(
    target: &Path,
    is_alone: bool,
    bundle: &str,
    shell: &mut Shell<'_, '_>,
) -> Result<(), Error> {
    if is_alone {
        return shell.print(bundle);
    }
    replacement::replace(target, bundle.as_bytes()).map_err(|error| unwritable(target, error))?;
    let target = target.display();
    shell.context.inform(&format!(
        "`{target}` is written, without secrets; it names hosts, tenants and clients: read it before you \
         send it"
    ));
    Ok(())
}

fn unwritable(target: &Path, error: std::io::Error) -> Error {
    let target = target.display();
    Error::new(ErrorKind::Store, format!("`{target}` cannot be written"))
        .because(error)
        .hint("name a new file in a directory of yours")
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

fn line(id: &str, finding: &Finding, style: Style) -> String {
    let status = format!("{:<7}", finding.status.name());
    let status = match finding.status {
        Status::Ok => style.good(&status),
        Status::Warning => style.doubtful(&status),
        Status::Error(_) => style.bad(&status),
    };
    let mut line = format!("{status}  {id}: {}\n", finding.message);
    if let Some(hint) = &finding.hint {
        line.push_str(&format!("{:9}{hint}\n", ""));
    }
    line
}
