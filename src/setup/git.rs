//! git: for each URL an empty helper, which takes out those of all hosts, and then ours.
//!
//! git's file is git's to read and write: it works on a copy.

use std::path::PathBuf;

use super::machine::{Copy, FILE, Machine};
use super::{
    Answering, Document, Entry, InFront, Plan, Setting, Wired, Wiring, Wish, needs_no_link, ours,
    view,
};
use crate::error::Error;
use crate::profile::route::{Pattern, Target};
use crate::text::{printable_url, shell_word};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "git",
    protocol: "git",
    aliases: &[],
    version: &["--version"],
    file,
    add,
    remove,
    view: |text| view::hide_lines(text, is_shown),
    link: needs_no_link,
    look,
};

/// What git puts before a bare name.
const LINK: &str = "git-credential-";

/// The file that `git config --global` writes (git-config(1), "FILES").
fn file(machine: &Machine<'_>) -> PathBuf {
    if let Some(path) = machine.variable("GIT_CONFIG_GLOBAL") {
        return PathBuf::from(path);
    }
    let own = machine.home.join(".gitconfig");
    let folder = machine.variable("XDG_CONFIG_HOME");
    let folder = folder.map_or_else(|| machine.home.join(".config"), PathBuf::from);
    let other = folder.join("git").join("config");
    if !own.exists() && other.exists() {
        other
    } else {
        own
    }
}

fn add(
    machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    machine.require("git")?;
    wish.require_urls()?;
    let copy = machine.copy(document, false)?;
    for (target, profile) in wish.targets(plan) {
        let entries = entries(machine, &copy)?;
        let setting = |key: String, value: String| Setting {
            profile: profile.name.clone(),
            url: target.to_string(),
            key,
            value,
            replaced: None,
        };
        let key = helper_key(&target);
        let mut helper = format!("!{} git", shell_word(&machine.command));
        if wish.is_named {
            helper.push_str(&format!(" --profile {}", shell_word(&profile.name)));
        }
        if !is_asked(&values(&entries, &key), &helper) {
            // One of ours for another profile would be asked first.
            if let Some(earlier) = plan.settings.iter().find(|setting| setting.key == key) {
                take_out(machine, &copy, earlier)?;
            }
            set(machine, &copy, &["--add", &key, ""])?;
            set(machine, &copy, &["--add", &key, &helper])?;
            plan.note(setting(key, helper));
        }
        // Without it git tells no path, and a pattern with one meets nothing.
        let key = path_key(&target);
        let is_path = !target.path().is_empty() && target.scheme().starts_with("http");
        if is_path && values(&entries, &key).last() != Some(&"true") {
            set(machine, &copy, &["--add", &key, "true"])?;
            plan.note(setting(key, "true".to_owned()));
        }
    }
    copy.text()
}

fn remove(
    machine: &Machine<'_>,
    document: &Document<'_>,
    settings: &[Setting],
) -> Result<String, Error> {
    machine.require("git")?;
    let copy = machine.copy(document, false)?;
    for setting in settings {
        take_out(machine, &copy, setting)?;
    }
    copy.text()
}

fn helper_key(target: &Target) -> String {
    format!("credential.{target}.helper")
}

fn path_key(target: &Target) -> String {
    format!("credential.{target}.useHttpPath")
}

/// Whether a helper is asked, and only after all others were taken out.
fn is_asked(values: &[&str], helper: &str) -> bool {
    let reset = values.iter().rposition(|value| value.is_empty());
    reset.is_some_and(|reset| values[reset..].contains(&helper))
}

/// Takes a value out, and with a helper the empty one before it. Others of that key stay.
fn take_out(machine: &Machine<'_>, copy: &Copy, setting: &Setting) -> Result<(), Error> {
    let key = &setting.key;
    let entries = entries(machine, copy)?;
    let mut values = values(&entries, key);
    let Some(own) = values.iter().rposition(|value| *value == setting.value) else {
        return Ok(());
    };
    let is_reset = own > 0 && values[own - 1].is_empty();
    let ours: Vec<&str> = values.drain(own - usize::from(is_reset)..=own).collect();
    if values.iter().all(|value| !ours.contains(value)) {
        for value in ours {
            let pattern = format!("^{}$", escaped(value));
            set(machine, copy, &["--unset-all", key, &pattern])?;
        }
        return Ok(());
    }
    // git cannot name one of several alike.
    set(machine, copy, &["--unset-all", key])?;
    let add = |value: &&str| set(machine, copy, &["--add", key, value]);
    values.iter().try_for_each(add)
}

/// A text as a POSIX extended regular expression.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if r"\.[]*+?{}()|^$".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

fn set(machine: &Machine<'_>, copy: &Copy, arguments: &[&str]) -> Result<(), Error> {
    let line = [&["config", "--file", FILE], arguments].concat();
    machine.run("git", copy, &line).map(drop)
}

/// Keys and values of the copy, in order. git writes the name behind the last dot, and the section,
/// in lower case.
fn entries(machine: &Machine<'_>, copy: &Copy) -> Result<Vec<(String, String)>, Error> {
    let listed = machine.run("git", copy, &["config", "--file", FILE, "--null", "--list"])?;
    Ok(parse(listed.expose()))
}

fn parse(listed: &str) -> Vec<(String, String)> {
    let entries = listed.split('\0').filter(|entry| !entry.is_empty());
    // A key without a value is true.
    let pairs = entries.map(|entry| entry.split_once('\n').unwrap_or((entry, "true")));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn values<'e>(entries: &'e [(String, String)], key: &str) -> Vec<&'e str> {
    let is_named = |(own, _): &&(String, String)| own.eq_ignore_ascii_case(key);
    let found = entries.iter().filter(is_named);
    found.map(|(_, value)| value.as_str()).collect()
}

/// Whether a line of git's file holds nothing secret: sections, and the settings that we write.
fn is_shown(line: &str) -> bool {
    let is_section = line.starts_with('[') && line.ends_with(']') && !line.contains('@');
    let value = |key: &str| {
        let rest = line.strip_prefix(key)?.trim_start();
        Some(rest.strip_prefix('=')?.trim().trim_matches('"'))
    };
    is_section
        || value("useHttpPath").is_some()
        || value("helper").is_some_and(|helper| helper.is_empty() || our_profile(helper).is_some())
}

/// The profile that a helper's line names, if the line is ours.
fn our_profile(helper: &str) -> Option<Option<String>> {
    let words = ours::words(helper.trim_start_matches('!'));
    let mut words = words.iter().map(String::as_str);
    let program = words.next()?;
    // A bare name is a link's, without what all links begin with.
    let is_link = !helper.starts_with(['!', '/']) || ours::name(program).starts_with(LINK);
    if !is_link && words.next() != Some("git") {
        return None;
    }
    ours::profile(program, LINK, words)
}

/// The program that git starts for a helper's line.
fn program(helper: &str) -> Option<String> {
    let first = ours::words(helper.trim_start_matches('!'))
        .into_iter()
        .next()?;
    let is_link = !helper.starts_with(['!', '/']);
    Some(if is_link {
        format!("{LINK}{first}")
    } else {
        first
    })
}

fn look(
    machine: &Machine<'_>,
    _document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let mut wiring = Wiring::default();
    if machine.find("git").is_none() {
        return Ok(wiring);
    }
    // All that counts outside of a repository, in the order in which helpers are asked.
    let listed = machine.ask("git", &["config", "--null", "--list"]);
    let listed = listed.map_err(|reason| {
        let message = "git cannot read its configuration";
        Error::new(crate::error::ErrorKind::Config, message).because(reason)
    })?;
    let entries = parse(listed.expose());
    let helpers: Vec<(Option<&str>, &str)> = entries
        .iter()
        .filter_map(|(key, value)| {
            let key = key.strip_prefix("credential.")?;
            let url = key.strip_suffix("helper")?.strip_suffix('.');
            (url.is_some() || key == "helper").then_some((url, value.as_str()))
        })
        .collect();
    let mut targets: Vec<Target> = Vec::new();
    for (url, helper) in &helpers {
        let Some(profile) = our_profile(helper) else {
            continue;
        };
        let shown = url.map_or_else(|| "every URL".to_owned(), printable_url);
        if wiring.wired.iter().all(|wired| wired.target != shown) {
            targets.extend(url.and_then(Target::parse));
            wiring.wired.push(Wired {
                target: shown,
                profile,
                program: program(helper),
            });
        }
    }
    for profile in profiles {
        targets.extend(profile.urls.iter().filter_map(Pattern::target).cloned());
    }
    let mut seen: Vec<String> = Vec::new();
    for target in targets {
        let shown = target.to_string();
        if seen.contains(&shown) {
            continue;
        }
        let in_front = first_helper(&helpers, &target);
        if let Some(helper) = in_front.filter(|helper| our_profile(helper).is_none()) {
            // What is set for a command may be a secret.
            let word = helper.split_whitespace().next().unwrap_or(helper);
            let word = if word.contains('=') { "!…" } else { word };
            wiring.in_front.push(InFront {
                target: shown.clone(),
                helper: word.to_owned(),
            });
        }
        seen.push(shown);
    }
    Ok(wiring)
}

/// The helper that git asks first for a URL.
fn first_helper<'h>(helpers: &[(Option<&str>, &'h str)], target: &Target) -> Option<&'h str> {
    let counts = |url: &Option<&str>| {
        url.is_none_or(|url| {
            Pattern::parse(url).is_ok_and(|pattern| pattern.matches(target).is_some())
        })
    };
    let asked = helpers.iter().filter(|(url, _)| counts(url));
    let asked: Vec<&str> = asked.map(|(_, helper)| *helper).collect();
    let reset = asked.iter().rposition(|helper| helper.is_empty());
    let first = reset.map_or(0, |reset| reset + 1);
    asked.get(first).copied()
}

#[cfg(test)]
mod tests {
    use super::{escaped, is_asked, our_profile};

    #[test]
    fn a_helpers_line_is_known_as_ours_in_each_of_its_forms() {
        let named = |profile: &str| Some(Some(profile.to_owned()));
        for (helper, expected) in [
            ("!cred-helper git", Some(None)),
            ("!cred-helper git --profile work", named("work")),
            ("!cred-helper git -p work", named("work")),
            ("!cred-helper git --profile=work", named("work")),
            (
                "!'/opt/a b/cred-helper' git --profile 'work'",
                named("work"),
            ),
            ("/opt/cred-helper git", Some(None)),
            ("!/opt/cred-helper.exe git", Some(None)),
            (r"!'/opt/a '\''b'\''/cred-helper' git", Some(None)),
            ("cred-helper", Some(None)),
            ("cred-helper-work", named("work")),
            ("cred-helper -p work", named("work")),
            ("/opt/git-credential-cred-helper-work", named("work")),
            ("!cred-helper cargo", None),
            ("store", None),
            ("!cred-helpers git", None),
            ("", None),
        ] {
            assert_eq!(our_profile(helper), expected, "{helper}");
        }
    }

    #[test]
    fn ours_is_asked_where_it_stands_behind_the_last_empty_helper() {
        for (values, expected) in [
            (&["", "ours"][..], true),
            (&["store", "", "ours", "other"], true),
            (&["", "ours", "", "other"], false),
            (&["ours"], false),
            (&["", "other"], false),
            (&[], false),
        ] {
            assert_eq!(is_asked(values, "ours"), expected, "{values:?}");
        }
    }

    #[test]
    fn a_value_is_found_as_it_is() {
        assert_eq!(escaped("!'/a.b (c)/x' git"), r"!'/a\.b \(c\)/x' git");
    }
}
