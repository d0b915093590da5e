//! Where sessions lie: the directory, whether it can be written and locked, and what lies in it.

use std::time::Duration;

use super::{Case, Check, Finding};
use crate::store::examination::{Examination, Held};
use crate::store::maintenance::Maintenance;

/// The line in the table.
pub(super) const CHECK: Check = Check {
    name: "store",
    look,
};

fn look(case: &Case<'_>) -> Vec<Finding> {
    let examination = case.examination();
    let shown = examination.directory().display();
    let problems = examination.directory_problems();
    if !problems.is_empty() {
        // What is below cannot be trusted, or is not there.
        let problems = problems.iter();
        return problems
            .map(|error| Finding::error("directory", error))
            .collect();
    }
    let mut findings = Vec::new();
    findings.push(Finding::ok(
        "directory",
        &match examination.is_there() {
            true => format!("sessions lie in `{shown}`"),
            false => format!("there is no session yet; `{shown}` is made for the first one"),
        },
    ));
    findings.push(match examination.prove_writable() {
        Ok(()) => Finding::ok("write", "a session can be written"),
        Err(error) => Finding::error("write", &error),
    });
    if examination.is_there() {
        findings.extend(files(case, &examination));
        findings.extend(locks(&examination));
    }
    findings
}

fn locks(examination: &Examination<'_>) -> Vec<Finding> {
    /// How long does a refresh hold a lock, if all goes well?
    const PATIENCE: Duration = Duration::from_secs(2);
    if let Err(error) = examination.prove_lockable() {
        return vec![Finding::warning_of("lock", &error)];
    }
    match examination.held_locks(PATIENCE) {
        Ok(held) if held.is_empty() => vec![Finding::ok("lock", "every lock is free")],
        Ok(held) => held.iter().map(|held| is_held(held, PATIENCE)).collect(),
        Err(error) => vec![Finding::error("lock", &error)],
    }
}

fn is_held(held: &Held, patience: Duration) -> Finding {
    let holder = match &held.holder {
        Some((process, Some(program))) => format!("process {process} (`{}`)", program.display()),
        Some((process, None)) => format!("process {process}"),
        None => "another process".to_owned(),
    };
    let path = held.path.display();
    if held.is_sign_in {
        let message = format!("{holder} asks somebody to sign in, and holds `{path}` meanwhile");
        return Finding::warning("lock", &message).hint("finish that sign-in, or end the process");
    }
    let seconds = patience.as_secs();
    let message = format!("{holder} has held `{path}` for more than {seconds} s");
    Finding::warning("lock", &message).hint(
        "calls for that session wait for it, and give up in the end; if it stays so, end the process",
    )
}

fn files(case: &Case<'_>, examination: &Examination<'_>) -> Vec<Finding> {
    let configuration = case.configuration;
    let timeout = configuration.lock_timeout();
    let maintenance = Maintenance::new(case.state, configuration.sealing(), timeout, &case.context);
    let listed = match maintenance.list() {
        Ok(listed) => listed,
        Err(error) => return vec![Finding::error("file", &error)],
    };
    let mut findings = Vec::new();
    for listed in &listed {
        if let Err(error) = &listed.seal {
            findings.push(Finding::error("file", error));
        }
    }
    if examination.is_choice_damaged() {
        let message =
            "`store.json` is damaged: how new sessions are sealed is told by the others alone";
        findings.push(
            Finding::warning("file", message).hint(
                "say it anew with `cred-helper store migrate --to SEAL`, which sets it aside",
            ),
        );
    }
    for path in examination.set_aside() {
        let message = format!("`{}` was damaged, and set aside", path.display());
        findings.push(
            Finding::warning("file", &message)
                .hint("if its sign-in was made anew and all is well, remove it"),
        );
    }
    for path in examination.abandoned() {
        let message = format!("`{}` is of a call that was killed", path.display());
        findings.push(
            Finding::warning("file", &message).hint("the next refresh of its session removes it"),
        );
    }
    if findings.is_empty() {
        let message = match listed.len() {
            1 => "1 session file is whole".to_owned(),
            count => format!("{count} session files are whole"),
        };
        findings.push(Finding::ok("file", &message));
    }
    findings
}
