//! Tools that we stand in for under their own names: there is no configuration to write, but a link that
//! has to come before the real program on PATH.

use std::fs;
use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::{InFront, Link, Listed, SETUPS, Say, Wired, Wiring, tell};
use crate::error::Error;
use crate::protocol::PROTOCOLS;
use crate::system::stand_in::RealProgram;

/// The names of these tools.
pub fn stand_ins() -> impl Iterator<Item = &'static str> {
    let all = PROTOCOLS.iter();
    let own = all.filter(|entry| entry.link_names.contains(&entry.name));
    let names = own.map(|entry| entry.name);
    names.filter(|name| SETUPS.iter().all(|entry| entry.name != *name))
}

/// What is there of a tool.
struct Found {
    /// Where our link lies, or would.
    link: PathBuf,
    is_linked: bool,
    /// The real program.
    real: Option<PathBuf>,
    /// Whether we are the first of that name on PATH.
    is_first: bool,
}

impl Found {
    fn of(tool: &str, machine: &Machine<'_>) -> Result<Self, Error> {
        let link = machine.link_of(tool);
        let real = RealProgram::find(tool, machine.context.environment)?;
        let real = real.map(|real| real.path().to_owned());
        let first = machine.find(tool);
        let is_first = match (&first, &real) {
            (Some(first), Some(real)) => machine.comes_before(first, real),
            (Some(_), None) => true,
            (None, _) => false,
        };
        Ok(Self {
            is_linked: fs::symlink_metadata(&link).is_ok(),
            link,
            real,
            is_first,
        })
    }
}

/// Makes the link, and tells what is done; with `is_dry`, what would be.
///
/// # Errors
/// `store`, if the link cannot be made.
pub fn set_up_stand_in(
    tool: &str,
    machine: &Machine<'_>,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<(), Error> {
    let found = Found::of(tool, machine)?;
    let shown = found.link.display();
    if found.is_first {
        return say(&format!(
            "nothing to change: `{tool}` on PATH is cred-helper\n"
        ));
    }
    let mut notes = Vec::new();
    if is_dry && !found.is_linked {
        notes.push(format!("+ {shown}"));
    } else if !is_dry {
        notes.extend(machine.link(&Link::At(found.link.clone()))?);
    }
    let folder = found.link.parent().unwrap_or(Path::new(""));
    if let Some(real) = &found.real
        && !machine.comes_before(&found.link, real)
    {
        notes.push(format!(
            "`{}` comes before `{shown}` on PATH, so that it is asked, and cred-helper is not. {}",
            real.display(),
            machine.path_advice(folder)
        ));
    } else if !machine.is_on_path(folder) {
        notes.push(format!(
            "`{}` is not on PATH, so that no tool finds our links. {}",
            folder.display(),
            machine.path_advice(folder)
        ));
    }
    if is_dry {
        notes.push("nothing was written".to_owned());
    }
    tell(&notes, say)?;
    machine.context.signals.check()
}

/// Removes the link, and tells so; with `is_dry`, what would be done.
///
/// # Errors
/// `store`, if nothing can be told.
pub fn undo_stand_in(
    tool: &str,
    machine: &Machine<'_>,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<(), Error> {
    let link = machine.link_of(tool);
    let shown = link.display();
    let said = if fs::symlink_metadata(&link).is_err() {
        format!("nothing to undo: setup has made no link for {tool}\n")
    } else if is_dry {
        format!("- {shown}\nnothing was written\n")
    } else {
        machine.unlink(&Link::At(link.clone()));
        format!("removed `{shown}`\n")
    };
    say(&said)?;
    machine.context.signals.check()
}

/// What is there of a tool, and whether it asks us.
pub fn list_stand_in(tool: &'static str, machine: &Machine<'_>) -> Listed {
    let found = Found::of(tool, machine);
    let wiring = found.as_ref().map(|found| {
        let mut wiring = Wiring::default();
        if found.is_first {
            wiring.wired.push(Wired {
                target: "every call".to_owned(),
                profile: None,
                program: None,
            });
        } else if let (true, Some(real)) = (found.is_linked, &found.real) {
            wiring.in_front.push(InFront {
                target: "every call".to_owned(),
                helper: real.display().to_string(),
            });
        }
        wiring
    });
    Listed {
        tool,
        program: found.as_ref().ok().and_then(|found| found.real.clone()),
        // It takes its time to tell.
        version: None,
        file: machine.link_of(tool),
        wiring: wiring.map_err(Clone::clone),
    }
}
