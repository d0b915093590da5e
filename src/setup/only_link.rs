//! The setup of a tool that has no configuration for helpers, and finds them by their names on PATH:
//! a link of ours is all that there is to make.

use std::fs;
use std::path::PathBuf;

use super::machine::Machine;
use super::{Choice, Entry, Link, Say, Setting, Wish, tell};
use crate::error::Error;

/// Whether a link is all that this tool needs.
pub(super) fn is_all_of(entry: &Entry, machine: &Machine<'_>) -> bool {
    machine.is_link(&(entry.file)(machine))
}

/// The link for a profile; for all, without one.
fn link(entry: &Entry, machine: &Machine<'_>, profile: &str) -> Option<Link> {
    let setting = Setting {
        profile: profile.to_owned(),
        url: String::new(),
        key: String::new(),
        value: String::new(),
        replaced: None,
    };
    (entry.link)(machine, &setting)
}

/// Makes the link.
pub(super) fn set_up(
    entry: &Entry,
    machine: &Machine<'_>,
    wish: &Wish,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<(), Error> {
    wish.require_urls()?;
    let named = wish.profiles.first().filter(|_| wish.is_named);
    let profile = named.map_or("", |profile| profile.name.as_str());
    let Some(link) = link(entry, machine, profile) else {
        return Ok(());
    };
    if !machine.lacks(&link) {
        say("nothing to change: the link is there\n")?;
    } else if is_dry {
        say(&format!("+ {}\n", machine.place(&link).display()))?;
    }
    if is_dry {
        return say("nothing was written\n");
    }
    tell(&machine.link(&link)?, say)
}

/// Removes what was made: the link of a profile, or all of them.
pub(super) fn undo(
    entry: &Entry,
    machine: &Machine<'_>,
    choice: &Choice,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<(), Error> {
    let mut made = made(entry, machine);
    if let Some(profile) = &choice.profile {
        let own = link(entry, machine, profile).map(|link| machine.place(&link));
        made.retain(|path| Some(path) == own.as_ref());
    }
    // A link is for whatever the profiles name, and for no one URL.
    made.retain(|_| choice.url.is_none());
    if made.is_empty() {
        return say(&format!(
            "nothing to undo: setup has made no such link for {}\n",
            entry.name
        ));
    }
    for path in made {
        let place = path.display().to_string();
        if is_dry {
            say(&format!("- {place}\n"))?;
        } else {
            machine.unlink(&Link::At(path));
            say(&format!("removed `{place}`\n"))?;
        }
    }
    if is_dry {
        return say("nothing was written\n");
    }
    Ok(())
}

/// The links of this tool that lie where ours do.
fn made(entry: &Entry, machine: &Machine<'_>) -> Vec<PathBuf> {
    let first = (entry.file)(machine);
    let stem = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        let suffix = std::env::consts::EXE_SUFFIX;
        Some(name.strip_suffix(suffix).unwrap_or(name).to_owned())
    };
    let (Some(own), Some(folder)) = (stem(&first), first.parent()) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut made: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    made.retain(|path| {
        let name = stem(path).unwrap_or_default();
        let rest = name.strip_prefix(&own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    made.sort();
    made
}
