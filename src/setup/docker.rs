//! docker, and those that read its file: a helper for each registry, in `credHelpers`.
//!
//! A helper takes no arguments: which profile is meant stands in its name, and our program is
//! known under it by a link.

use std::path::PathBuf;

use super::json::{self, Layout, Member, find, members};
use super::machine::Machine;
use super::{
    Answering, Document, Entry, InFront, Link, Plan, Setting, Wired, Wiring, Wish, file,
    meets_nothing, ours, view,
};
use crate::error::Error;
use crate::profile::route::Target;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "docker",
    protocol: "docker",
    aliases: &[],
    version: &["--version"],
    file,
    add,
    remove,
    view: |text| view::hide_json(text, |member| [HELPERS, "credsStore"].contains(&member)),
    link: |_, setting| Some(Link::Named(format!("docker-credential-{}", setting.value))),
    look,
};

/// The member that names a helper for each registry.
const HELPERS: &str = "credHelpers";
/// Our helper's name behind `docker-credential-`.
const OURS: &str = "cred-helper";

fn file(machine: &Machine<'_>) -> PathBuf {
    let folder = machine.variable("DOCKER_CONFIG");
    let folder = folder.map_or_else(|| machine.home.join(".docker"), PathBuf::from);
    folder.join("config.json")
}

/// How docker names a registry. It tells a helper the host alone, so that none answers for a path.
fn key(target: &Target) -> Option<String> {
    match target.authority().as_str() {
        // Docker Hub, under the name of its first protocol.
        "index.docker.io" => Some("https://index.docker.io/v1/".to_owned()),
        registry => target.path().is_empty().then(|| registry.to_owned()),
    }
}

/// The file taken apart.
struct Parts<'t> {
    text: &'t str,
    outer: Vec<Member>,
    /// Where `credHelpers` stands, and what is in it.
    helpers: Option<(std::ops::Range<usize>, Vec<Member>)>,
}

impl<'t> Parts<'t> {
    fn of(document: &Document<'_>, text: &'t str) -> Result<Self, Error> {
        let damaged = |error: serde_json::Error, start: usize| {
            let place = start + offset(&text[start..], &error);
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let before = text.get(..place).unwrap_or(text);
            file::damaged("docker", document.path, before, reason)
        };
        let outer = members(text, 0..text.len()).map_err(|error| damaged(error, 0))?;
        let helpers = match find(&outer, HELPERS) {
            Some(member) if &text[member.value.clone()] != "null" => {
                let place = member.value.clone();
                let inner = members(text, place.clone());
                let inner = inner.map_err(|error| damaged(error, place.start))?;
                Some((place, inner))
            }
            _ => None,
        };
        Ok(Self {
            text,
            outer,
            helpers,
        })
    }

    /// The helper of a registry, as the file writes it.
    fn helper(&self, key: &str) -> Option<&'t str> {
        let (_, inner) = self.helpers.as_ref()?;
        find(inner, key).map(|member| &self.text[member.value.clone()])
    }

    /// The same file with a helper for a registry, as JSON.
    fn with(&self, key: &str, value: &str) -> String {
        let Some((place, inner)) = &self.helpers else {
            if let Some(null) = find(&self.outer, HELPERS) {
                let key = serde_json::Value::from(key);
                let object = format!("{{{key}: {value}}}");
                return json::replace(self.text, null.value.clone(), &object);
            }
            let object = |layout: &Layout<'_>| layout.object(key, value);
            let whole = self.whole();
            return json::insert(self.text, whole, &self.outer, HELPERS, object, 1);
        };
        match find(inner, key) {
            Some(member) => json::replace(self.text, member.value.clone(), value),
            None => {
                let value = |_: &Layout<'_>| value.to_owned();
                json::insert(self.text, place.clone(), inner, key, value, 2)
            }
        }
    }

    /// The same file without a helper for a registry.
    fn without(&self, key: &str) -> Option<String> {
        let (place, inner) = self.helpers.as_ref()?;
        if let [only] = &inner[..]
            && only.key == key
        {
            return json::remove(self.text, self.whole(), &self.outer, HELPERS);
        }
        json::remove(self.text, place.clone(), inner, key)
    }

    /// Where the outermost object stands.
    fn whole(&self) -> std::ops::Range<usize> {
        let start = self.text.len() - self.text.trim_start().len();
        start..self.text.trim_end().len()
    }
}

/// Where in the text serde_json found a mistake; its columns count bytes.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let line = error.line().saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut offset = (before + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn add(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    wish.require_urls()?;
    let is_blank = document.text.trim().is_empty();
    let mut text = if is_blank {
        "{}\n".to_owned()
    } else {
        document.text.to_owned()
    };
    // A file that is damaged is told, whatever is wished.
    Parts::of(document, &text)?;
    let mut is_met = false;
    for (target, profile) in wish.targets(plan) {
        if !target.scheme().starts_with("http") {
            continue;
        }
        let Some(key) = key(&target) else {
            plan.notes.push(format!(
                "left out: docker tells a helper the host alone, and `{target}` has a path"
            ));
            continue;
        };
        is_met = true;
        let value = match wish.is_named {
            true => format!("{OURS}-{}", profile.name),
            false => OURS.to_owned(),
        };
        let written = serde_json::Value::from(value.as_str()).to_string();
        let parts = Parts::of(document, &text)?;
        let replaced = parts.helper(&key);
        let setting = Setting {
            profile: profile.name.clone(),
            url: target.to_string(),
            replaced: replaced.map(str::to_owned),
            key: key.clone(),
            value,
        };
        if replaced == Some(written.as_str()) {
            plan.find(setting);
            continue;
        }
        plan.note(setting);
        text = parts.with(&key, &written);
    }
    if !is_met {
        let error = meets_nothing(format!("{} name no registry", wish.in_words()));
        return Err(plan
            .notes
            .iter()
            .fold(error, Error::because)
            .hint("add the registry's `https://HOST/` to the `urls` of its profile"));
    }
    Ok(if is_blank && text == "{}\n" {
        document.text.to_owned()
    } else {
        text
    })
}

fn remove(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    settings: &[Setting],
) -> Result<String, Error> {
    let mut text = document.text.to_owned();
    for setting in settings {
        let parts = Parts::of(document, &text)?;
        let written = serde_json::Value::from(setting.value.as_str()).to_string();
        if parts.helper(&setting.key) != Some(written.as_str()) {
            continue;
        }
        let without = match &setting.replaced {
            Some(replaced) => Some(parts.with(&setting.key, replaced)),
            None => parts.without(&setting.key),
        };
        text = without.unwrap_or(text);
    }
    Ok(text)
}

fn look(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let mut wiring = Wiring::default();
    if document.text.trim().is_empty() {
        return Ok(wiring);
    }
    let parts = Parts::of(document, document.text)?;
    let word = |raw: &str| serde_json::from_str::<String>(raw).unwrap_or_default();
    let (_, inner) = parts
        .helpers
        .as_ref()
        .map_or((0..0, &[][..]), |(place, inner)| {
            (place.clone(), &inner[..])
        });
    for member in inner {
        let helper = word(&document.text[member.value.clone()]);
        if let Some(profile) = our_profile(&helper) {
            wiring.wired.push(Wired {
                target: member.key.clone(),
                profile,
                program: Some(format!("docker-credential-{helper}")),
            });
        }
    }
    let store = find(&parts.outer, "credsStore");
    let store = store.map(|member| word(&document.text[member.value.clone()]));
    for pattern in profiles.iter().flat_map(|profile| &profile.urls) {
        let Some(target) = pattern
            .target()
            .filter(|target| target.scheme().starts_with("http"))
        else {
            continue;
        };
        let Some(key) = key(target) else {
            continue;
        };
        let own = parts.helper(&key).map(word);
        let helper = own.or_else(|| store.clone()).unwrap_or_default();
        let is_new = wiring.in_front.iter().all(|known| known.target != key);
        if is_new && !helper.is_empty() && our_profile(&helper).is_none() {
            wiring.in_front.push(InFront {
                target: key,
                helper,
            });
        }
    }
    Ok(wiring)
}

/// The profile that a helper's name holds, if the helper is ours.
fn our_profile(helper: &str) -> Option<Option<String>> {
    ours::profile(helper, "", [])
}
