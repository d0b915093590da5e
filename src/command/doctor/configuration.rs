//! The profile files: which are read, what is wrong in them, and which profiles can be used.

use super::{Case, Check, Finding, Status};
use crate::command::profile::no_file;
use crate::error::ErrorKind;
use crate::text::printable;

/// The line in the table.
pub(super) const CHECK: Check = Check {
    name: "configuration",
    look,
};

fn look(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = case
        .unread
        .iter()
        .map(|error| Finding::error("file", error))
        .collect();
    for source in case.sources {
        let of = match (source.machine_wide, source.profiles_count) {
            (true, true) => "is read, for everybody on this machine",
            (true, false) => "is read for its `[policy]` alone, since another file is named",
            (false, _) => "is read",
        };
        let message = format!("`{}` {of}", source.path.display());
        findings.push(Finding::ok("file", &message));
    }
    let complaint = |complaint: &_| {
        let status = Status::Error(ErrorKind::Config);
        Finding::new("complaint", status, &format!("{complaint}"))
            .hint("correct the file at this line and column")
    };
    findings.extend(case.complaints.iter().map(complaint));
    findings.extend(profiles(case));
    findings
}

/// Whether there is a profile at all, and which one is meant where none is named.
fn profiles(case: &Case<'_>) -> Option<Finding> {
    let all = case.configuration.profiles().count();
    let has_failed = !case.unread.is_empty() || !case.complaints.is_empty();
    if all == 0 && has_failed {
        return None;
    }
    if all == 0 {
        return Some(Finding::error("profiles", &no_file(case.location)));
    }
    let variable = case.context.environment.variable("CRED_HELPER_PROFILE");
    if let Some(name) = variable
        && let Err(error) = case.configuration.profile(&name)
        && error.kind() == ErrorKind::NoProfile
    {
        let error = error.because("`CRED_HELPER_PROFILE` names it");
        return Some(Finding::error("profiles", &error));
    }
    if case.profiles.is_empty() {
        // The complaints have told why.
        return None;
    }
    let usable = case.profiles.len();
    let names: Vec<&str> = case
        .profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .collect();
    let default = case.configuration.default_profile();
    let default = default.map_or_else(String::new, |name| {
        format!("; `{}` where none is named", printable(name))
    });
    let message = format!("{usable} can be used: {}{default}", names.join(", "));
    Some(Finding::ok("profiles", &message))
}
