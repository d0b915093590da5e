//! Bazel: a helper for each host, in the user's own file of options.
//!
//! A helper takes no arguments: which profile is meant stands in its name. Bazel is told the place of
//! a link that has this name.

use std::path::PathBuf;

use super::machine::Machine;
use super::{
    Answering, Document, Entry, InFront, Link, Plan, Setting, Wired, Wiring, Wish, line,
    meets_nothing, ours, view,
};
use crate::error::Error;
use crate::profile::route::Target;
use crate::text::shell_word;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "bazel",
    protocol: "bazel",
    aliases: &[],
    // bazelisk, which is often called so, fetches a Bazel to ask it.
    version: &[],
    file: |machine| machine.home.join(".bazelrc"),
    add,
    remove: line::remove,
    view: |text| view::hide_lines(text, is_shown),
    link,
    look,
};

/// The option that names a helper, and what it was called first.
const OPTIONS: [&str; 2] = ["--credential_helper=", "--experimental_credential_helper="];

/// A helper, and the host or `*.DOMAIN` that it is asked for; empty for all.
struct Helper {
    scope: String,
    program: String,
}

/// The helpers that a line names (<https://bazel.build/run/bazelrc>).
fn helpers(line: &str) -> Vec<Helper> {
    if line.trim_start().starts_with('#') {
        return Vec::new();
    }
    let value = |word: &String| {
        let mut values = OPTIONS.iter().map(|option| word.strip_prefix(option));
        values.find_map(|value| value.map(str::to_owned))
    };
    let values: Vec<String> = ours::words(line).iter().filter_map(value).collect();
    let parts = values.iter().map(|value| match value.split_once('=') {
        Some((scope, program)) => (scope, program),
        None => ("", value.as_str()),
    });
    parts
        .map(|(scope, program)| Helper {
            scope: scope.to_owned(),
            program: program.to_owned(),
        })
        .collect()
}

/// The helper that Bazel asks for a host: the last of those that name it most exactly.
fn asked<'h>(helpers: &'h [Helper], host: &str) -> Option<&'h Helper> {
    let exactness = |helper: &Helper| match helper.scope.strip_prefix("*.") {
        _ if helper.scope == host => Some(usize::MAX),
        _ if helper.scope.is_empty() => Some(0),
        Some(domain) => {
            let rest = host.strip_suffix(domain)?;
            (rest.is_empty() || rest.ends_with('.')).then_some(domain.len())
        }
        None => None,
    };
    let named = helpers.iter().filter(|helper| exactness(helper).is_some());
    named.max_by_key(|helper| exactness(helper))
}

fn link(_machine: &Machine<'_>, setting: &Setting) -> Option<Link> {
    let helper = helpers(&setting.value).pop()?;
    Some(Link::At(PathBuf::from(helper.program)))
}

fn is_web(target: &Target) -> bool {
    target.scheme().starts_with("http")
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
        if !is_web(&target) {
            continue;
        }
        is_met = true;
        let host = target.host();
        let link = match wish.is_named {
            true => format!("{LINK}-{}", profile.name),
            false => LINK.to_owned(),
        };
        // Options are written with slashes on Windows too.
        let link = machine.link_of(&link).display().to_string();
        let link = link.replace(std::path::MAIN_SEPARATOR, "/");
        let option = format!("{}{host}={link}", OPTIONS[0]);
        let helpers: Vec<Helper> = text.lines().flat_map(helpers).collect();
        let value = format!("common {}", shell_word(&option));
        let setting = Setting {
            profile: profile.name.clone(),
            url: target.to_string(),
            key: host.to_owned(),
            value: value.clone(),
            replaced: None,
        };
        if asked(&helpers, host).is_some_and(|helper| helper.program == link) {
            plan.find(setting);
            continue;
        }
        let earlier = plan.settings.iter().find(|setting| setting.key == host);
        let without = earlier.and_then(|earlier| line::take_out(&text, &earlier.value));
        text = line::add(without.as_deref().unwrap_or(&text), &value);
        plan.note(setting);
    }
    if !is_met {
        return Err(
            meets_nothing(format!("{} name no host that Bazel asks", wish.in_words()))
                .hint("add the host's `https://HOST/` to the `urls` of its profile"),
        );
    }
    Ok(text)
}

/// What our link is called, but for the profile.
const LINK: &str = "bazel-credential-cred-helper";

/// Whether a line of the file holds nothing secret.
fn is_shown(line: &str) -> bool {
    if line.starts_with('#') {
        return !line.contains(['=', ':']);
    }
    let is_option = |word: &String| OPTIONS.iter().any(|option| word.starts_with(option));
    let words = ours::words(line);
    words.len() == 2 && words.last().is_some_and(is_option)
}

fn look(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let mut wiring = Wiring::default();
    let helpers: Vec<Helper> = document.text.lines().flat_map(helpers).collect();
    for helper in &helpers {
        if let Some(profile) = our_profile(helper) {
            let target = match helper.scope.as_str() {
                "" => "every host",
                scope => scope,
            };
            wiring.wired.push(Wired {
                target: target.to_owned(),
                profile,
                program: Some(helper.program.clone()),
            });
        }
    }
    let patterns = profiles.iter().flat_map(|profile| &profile.urls);
    for target in patterns.filter_map(|pattern| pattern.target()) {
        let host = target.host();
        let is_new = wiring.in_front.iter().all(|known| known.target != host);
        if let Some(helper) = asked(&helpers, host)
            && is_new
            && is_web(target)
            && our_profile(helper).is_none()
        {
            wiring.in_front.push(InFront {
                target: host.to_owned(),
                helper: helper.program.clone(),
            });
        }
    }
    Ok(wiring)
}

/// The profile that a helper's name holds, if the helper is ours.
fn our_profile(helper: &Helper) -> Option<Option<String>> {
    ours::profile(&helper.program, "bazel-credential-", [])
}

#[cfg(test)]
mod tests {
    use super::{Helper, asked, helpers, is_shown};

    #[test]
    fn the_last_of_the_helpers_that_name_a_host_most_exactly_is_asked() {
        let text = "build --credential_helper=all --jobs=4\n\
                    common \"--credential_helper=h.example=/a b/first\"\n\
                    # common --credential_helper=h.example=no\n\
                    common --credential_helper=*.example=wide\n\
                    common --experimental_credential_helper=h.example=last\n\
                    common --credential_helper=*.below.example=below\n";
        let helpers: Vec<Helper> = text.lines().flat_map(helpers).collect();
        assert_eq!(helpers[1].program, "/a b/first");
        for (host, expected) in [
            ("h.example", "last"),
            ("i.example", "wide"),
            ("example", "wide"),
            ("x.below.example", "below"),
            ("other.test", "all"),
            ("notexample", "all"),
        ] {
            let found = asked(&helpers, host).map(|helper| helper.program.as_str());
            assert_eq!(found, Some(expected), "{host}");
        }
    }

    #[test]
    fn a_line_is_shown_if_it_names_a_helper_and_nothing_else() {
        for (line, expected) in [
            ("# mine", true),
            ("# --remote_header=x=y", false),
            ("common --credential_helper=h=p", true),
            ("common --credential_helper=h=p --remote_header=x=y", false),
            ("build --remote_header=x=y", false),
        ] {
            assert_eq!(is_shown(line), expected, "{line}");
        }
    }
}
