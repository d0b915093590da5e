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
    let (mut sources, mut unread) = (Vec::new(), Vec::new());
    for read in file::read_each(shell.location) {
        match read {
            Ok(source) => sources.push(source),
            Err(error) => unread.push(error),
        }
    }
    let name = text(matches, "profile");
    let (configuration, complaints) = Configuration::check_only(&sources, name.as_deref());
    let complaints = file::without_consequences(complaints);
    let profiles = profiles(&configuration, name.as_deref(), unread.is_empty())?;
    let form = Form::of(matches)?;
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
    let (rows, errors) = look(&case, &form, shell)?;
    let is_ok = errors.is_empty();
    let bundle = || bundle::text(&case, is_ok, &rows, shell.screen, &names.borrow());
    match &form {
        Form::Bundle => {
            let bundle = bundle();
            shell.print(&bundle)?;
        }
        Form::Lines(file) | Form::Json(file) => {
            if let Some(file) = file {
                write(file, &bundle(), &context)?;
            }
            if matches!(form, Form::Json(_)) {
                let report = json!({ "ok": is_ok, "checks": rows });
                shell.print(&format!("{report}\n"))?;
            }
        }
    }
    let Some(kind) = errors.first() else {
        return Ok(());
    };
    let message = format!("{} of {} checks found an error", errors.len(), rows.len());
    Err(Error::new(*kind, message).hint("each says what to do"))
}

/// The profiles that can be used, or the one that was named.
fn profiles(
    configuration: &Configuration<'_>,
    name: Option<&str>,
    is_all_read: bool,
) -> Result<Vec<Profile>, Error> {
    let Some(name) = name else {
        let names = configuration.profiles();
        return Ok(names
            .filter_map(|(name, _)| configuration.profile(name).ok())
            .collect());
    };
    match configuration.profile(name) {
        // The complaints say what is wrong with it; that it is not there is a mistake of the call.
        Err(error) if error.kind() == ErrorKind::NoProfile && is_all_read => Err(error),
        profile => Ok(profile.into_iter().collect()),
    }
}

/// What is printed, and the file that a bundle is written into besides.
enum Form {
    /// A line for each finding, at once.
    Lines(Option<PathBuf>),
    Json(Option<PathBuf>),
    /// The bundle alone.
    Bundle,
}

impl Form {
    fn of(matches: &ArgMatches) -> Result<Self, Error> {
        let file = matches.get_one::<PathBuf>("bundle").cloned();
        if file.as_ref().is_some_and(|file| file.as_os_str() == "-") {
            return Ok(Self::Bundle);
        }
        if let Some(file) = &file {
            // Before all is looked at.
            replacement::check(file).map_err(|error| unwritable(file, error))?;
        }
        Ok(match is_json(matches) {
            true => Self::Json(file),
            false => Self::Lines(file),
        })
    }
}

/// Runs every check: what each found as JSON, and the kinds of the errors.
fn look(
    case: &Case<'_>,
    form: &Form,
    shell: &mut Shell<'_, '_>,
) -> Result<(Vec<Value>, Vec<ErrorKind>), Error> {
    let context = case.context;
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for check in CHECKS {
        let case = Case {
            context: Context {
                deadline: Some(context.clock.monotonic() + LIMIT),
                keyring: shell.unattended_keyring,
                key_cache: &AsItIs(context.key_cache),
                ..context
            },
            ..*case
        };
        for finding in (check.look)(&case) {
            let id = format!("{}.{}", check.name, finding.part);
            if matches!(form, Form::Lines(_)) {
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
    Ok((rows, errors))
}

fn write(file: &Path, bundle: &str, context: &Context<'_>) -> Result<(), Error> {
    replacement::replace(file, bundle.as_bytes()).map_err(|error| unwritable(file, error))?;
    let file = file.display();
    context.inform(&format!(
        "`{file}` is written, without secrets; it names hosts, tenants and clients: read it before you \
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
