//! pnpm: a `tokenHelper` for each registry, in the user's own `.npmrc`.
//!
//! A helper is told nothing, and by older pnpms given no arguments: which profile is meant stands in
//! its name. pnpm is told the place of a link that has this name.

use std::path::PathBuf;

use super::machine::Machine;
use super::{
    Answering, Document, Entry, InFront, Link, Plan, Setting, Wired, Wiring, Wish, line,
    meets_nothing, ours, view,
};
use crate::error::{Error, ErrorKind};
use crate::profile::route::Target;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "pnpm",
    protocol: "pnpm",
    aliases: &[],
    // In a project it may be another version, which is fetched first.
    version: &[],
    file,
    add,
    remove: line::remove,
    view: |text| view::hide_lines(text, is_shown),
    link: |_, setting| {
        let (_, program) = setting.value.split_once('=')?;
        Some(Link::At(PathBuf::from(program)))
    },
    look,
};

/// What follows a registry in a key.
const HELPER: &str = ":tokenHelper";

fn file(machine: &Machine<'_>) -> PathBuf {
    let named = ["npm_config_userconfig", "NPM_CONFIG_USERCONFIG"];
    let named = named.iter().find_map(|name| machine.variable(name));
    named.map_or_else(|| machine.home.join(".npmrc"), PathBuf::from)
}

/// How a registry's key is written: without the scheme, and with a slash at its end.
fn key(target: &Target) -> Option<String> {
    let is_web = target.scheme().starts_with("http");
    is_web.then(|| format!("//{}{}/{HELPER}", target.authority(), target.path()))
}

/// Lines that name a helper: the line, its key, and the helper. The last of a key counts.
fn helpers(text: &str) -> impl DoubleEndedIterator<Item = (&str, &str, &str)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let key = key.trim();
        key.ends_with(HELPER)
            .then_some((line.trim(), key, value.trim()))
    })
}

fn add(
    machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    wish.require_urls()?;
    let mut text = document.text.to_owned();
    let mut is_met = false;
    for (target, profile) in wish.targets(plan) {
        let Some(key) = key(&target) else {
            continue;
        };
        is_met = true;
        let link = machine.link_of(&format!("pnpm-token-cred-helper-{}", profile.name));
        let link = link.display().to_string();
        if link.contains([' ', '$', '%', '`', '\'', '"']) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("pnpm takes no blanks, quotes, `$`, `%` and backticks, as in `{link}`"),
            )
            .hint("set CRED_HELPER_STATE to another directory, or link cred-helper by hand"));
        }
        let value = format!("{key}={link}");
        let there = helpers(&text).rfind(|(_, own, _)| *own == key);
        let is_there = there.is_some_and(|(_, _, helper)| helper == link);
        let there = there.map(|(line, _, _)| line.to_owned());
        let setting = Setting {
            profile: profile.name.clone(),
            url: target.to_string(),
            key,
            value,
            replaced: there,
        };
        if is_there {
            plan.find(setting);
            continue;
        }
        let replaced = setting.replaced.as_deref();
        let replaced = replaced.and_then(|there| line::replace(&text, there, &setting.value));
        text = replaced.unwrap_or_else(|| line::add(&text, &setting.value));
        plan.note(setting);
    }
    if !is_met {
        return Err(
            meets_nothing(format!("{} name no registry", wish.in_words()))
                .hint("add the registry's `https://HOST/` to the `urls` of its profile"),
        );
    }
    Ok(text)
}

/// Whether a line of the file holds nothing secret.
fn is_shown(line: &str) -> bool {
    match line.split_once('=') {
        Some((key, _)) => key.trim().ends_with(HELPER),
        None => line.starts_with(['#', ';']) && !line.contains(':'),
    }
}

fn look(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let mut wiring = Wiring::default();
    for (_, key, helper) in helpers(document.text) {
        if let Some(profile) = our_profile(helper) {
            wiring.wired.push(Wired {
                target: key.trim_end_matches(HELPER).to_owned(),
                profile,
                program: helper.split_whitespace().next().map(str::to_owned),
            });
        }
    }
    let patterns = profiles.iter().flat_map(|profile| &profile.urls);
    for key in patterns.filter_map(|pattern| key(pattern.target()?)) {
        let target = key.trim_end_matches(HELPER);
        let is_new = wiring.in_front.iter().all(|known| known.target != target);
        let asked = helpers(document.text).rfind(|(_, own, _)| *own == key);
        if let Some((_, _, helper)) = asked
            && is_new
            && our_profile(helper).is_none()
        {
            let word = helper.split_whitespace().next().unwrap_or(helper);
            wiring.in_front.push(InFront {
                target: target.to_owned(),
                helper: word.to_owned(),
            });
        }
    }
    Ok(wiring)
}

/// The profile that a helper names, if the helper is ours.
fn our_profile(helper: &str) -> Option<Option<String>> {
    let mut words = helper.split_whitespace();
    let program = words.next()?;
    ours::profile(program, "pnpm-token-", words)
}
