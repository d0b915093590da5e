//! Everything that the files say: the tables beside `profiles`, and which profile a call means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{self, Complaint, Keys, Layer, Place, Source, refuse_complaints};
use super::key::{one_of, read_endpoint, read_profile, read_tools, read_urls};
use super::preset::{PRESETS, Rules};
use super::route::{Pattern, Target};
use super::routing::{Patterns, Route, RoutedProfile};
use super::{BESIDE_TABLES, FILE_KEYS, POLICY, PROFILE_KEYS, Profile};
use crate::error::{Error, ErrorKind};
use crate::store::seal::{SEALS, Sealing};
use crate::text::{nearest, printable};

/// What the machine-wide file alone can say, and nobody can override.
#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    /// The only tools that may be served.
    tools: Option<Vec<String>>,
    /// Whether profiles of users count.
    user_profiles: Option<bool>,
    /// The only seal for new sessions, and where that is said.
    seal: Option<(String, Place)>,
}

/// Everything that the files say.
pub struct Configuration<'s> {
    documents: Vec<(&'s Source, Spanned<DeTable<'s>>)>,
    /// Name, and the last document that has it.
    profiles: BTreeMap<String, usize>,
    default_profile: Option<String>,
    policy: Policy,
    sealing: Sealing,
    overruled_seal: Option<Place>,
    lock_timeout: Option<Duration>,
    background: Option<bool>,
    clipboard: bool,
    audit: bool,
}

impl<'s> Configuration<'s> {
    /// Takes the files apart. Profiles are validated when they are used, so that a mistake in one
    /// does not stop the tools of another.
    ///
    /// # Errors
    /// `config`, with all complaints of everything but the profiles' own keys.
    pub fn new(sources: &'s [Source]) -> Result<Self, Error> {
        let (configuration, complaints) = Self::read(sources);
        refuse_complaints(complaints)?;
        Ok(configuration)
    }

    /// Takes the files apart, and validates every profile in them.
    pub fn check(sources: &'s [Source]) -> (Self, Vec<Complaint>) {
        Self::check_only(sources, None)
    }

    /// The same, of one profile alone if one is named.
    pub fn check_only(sources: &'s [Source], only: Option<&str>) -> (Self, Vec<Complaint>) {
        let (configuration, mut complaints) = Self::read(sources);
        let names = configuration.profiles.keys();
        for name in names.filter(|name| only.is_none_or(|only| only == *name)) {
            if let Err(found) = configuration.validate(name) {
                complaints.extend(found);
            }
        }
        (configuration, complaints)
    }

    pub(super) fn read(sources: &'s [Source]) -> (Self, Vec<Complaint>) {
        let mut complaints = Vec::new();
        let documents: Vec<_> = sources
            .iter()
            .map(|source| (source, file::parse(source, &mut complaints)))
            .collect();
        let mut profiles = BTreeMap::new();
        let mut policy = Policy::default();
        for (index, document) in documents.iter().enumerate() {
            let read = read_file(layer(document), &mut complaints);
            policy = read.policy.unwrap_or(policy);
            profiles.extend(read.profiles.into_iter().map(|name| (name, index)));
        }
        // The last file wins, key by key.
        let (counted, others): (Vec<_>, Vec<_>) = documents
            .iter()
            .rev()
            .partition(|(source, _)| source.profiles_count);
        let layers: Vec<Layer<'_>> = counted.into_iter().map(layer).collect();
        let mut of_store = layers.clone();
        if policy.seal.is_some() {
            // What a policy needs is there, whatever file is named instead of all others.
            let unread = others.into_iter().filter(|(source, _)| source.machine_wide);
            of_store.extend(unread.map(layer));
        }
        let mut keys = Keys::new("", of_store, &mut complaints);
        let store = keys.table("store", read_store).unwrap_or_default();
        let mut keys = Keys::new("", layers, &mut complaints);
        let lock_timeout = keys.table("lock", |keys| {
            keys.only(keys_of("lock"));
            read_duration(keys, "timeout", "60s")
        });
        let mut switch = |table: &str, name| {
            let read = keys.table(table, |keys| {
                keys.only(keys_of(table));
                keys.boolean(name)
            });
            read.flatten()
        };
        let background = switch("refresh", "background");
        let clipboard = switch("sign_in", "clipboard");
        let audit = switch("audit", "enabled");
        let default_profile = read_default_profile(&mut keys, &profiles);
        check_command(&mut keys, &policy, &store);
        let overruled_seal = store.overruled_by(&policy).cloned();
        let configuration = Self {
            profiles,
            default_profile,
            sealing: store.sealing_under(&policy),
            overruled_seal,
            policy,
            lock_timeout: lock_timeout.flatten(),
            background,
            clipboard: clipboard.unwrap_or(false),
            audit: audit.unwrap_or(false),
            documents,
        };
        (configuration, complaints)
    }

    /// Names and files of all profiles, in name order.
    pub fn profiles(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.profiles
            .iter()
            .map(|(name, index)| (name.as_str(), self.documents[*index].0.path.as_path()))
    }

    /// The profile that is used where none is named: `default_profile`, else the only one.
    pub fn default_profile(&self) -> Option<&str> {
        self.default_profile.as_deref().or_else(|| {
            let mut names = self.profiles.keys();
            names
                .next()
                .filter(|_| names.next().is_none())
                .map(String::as_str)
        })
    }

    /// How long a lock is waited for.
    pub fn lock_timeout(&self) -> Option<Duration> {
        self.lock_timeout
    }

    /// Whether tokens are refreshed in the background: `[refresh]`.
    pub fn background(&self) -> Option<bool> {
        self.background
    }

    /// Whether the code of a sign-in is put on the clipboard: `[sign_in]`.
    pub fn clipboard(&self) -> bool {
        self.clipboard
    }

    /// Whether it is written down who is given a token: `[audit]`.
    pub fn audit(&self) -> bool {
        self.audit
    }

    /// How sessions are sealed: `[policy]`, else `[store]`.
    pub fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// Where `[store]` says another seal than the policy, which counts.
    pub fn overruled_seal(&self) -> Option<&Place> {
        self.overruled_seal.as_ref()
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// `no_profile`, or `config` with all complaints of this profile.
    pub fn profile(&self, name: &str) -> Result<Profile, Error> {
        if !self.profiles.contains_key(name) {
            return Err(self.unknown(name));
        }
        match self.validate(name) {
            Ok(profile) => Ok(profile),
            Err(complaints) => {
                refuse_complaints(complaints)?;
                Err(Error::new(
                    ErrorKind::Internal,
                    "BUG: a profile failed without complaint",
                ))
            }
        }
    }

    /// The environment variables that other profiles than `name` take a secret from.
    pub fn secret_variables(sources: &[Source], name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for source in sources {
            // What is wrong with them is for others to say.
            let document = file::parse(source, &mut Vec::new());
            let profiles = document.get_ref().get("profiles");
            let profiles = profiles.and_then(|profiles| profiles.get_ref().as_table());
            for (other, keys) in profiles.into_iter().flatten() {
                if other.get_ref() != name {
                    collect_variables(keys.get_ref(), &mut found);
                }
            }
        }
        found
    }

    /// The error for a name that no profile has.
    pub fn unknown(&self, name: &str) -> Error {
        let error = Error::new(
            ErrorKind::NoProfile,
            format!("there is no profile `{}`", printable(name)),
        );
        match nearest(name, self.profiles.keys().map(String::as_str)) {
            Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
            None => error.hint(self.names_hint("there are")),
        }
    }

    /// The names there are after `lead`, or how to get a first one.
    fn names_hint(&self, lead: &str) -> String {
        let names: Vec<_> = self.profiles.keys().map(String::as_str).collect();
        if names.is_empty() {
            "write a profile first: `cred-helper profile add NAME`".to_owned()
        } else {
            format!("{lead}: {}", names.join(", "))
        }
    }

    /// The profile for a call: by name, else by URL, else the default one. With a URL, the
    /// profile's patterns must match it in any case.
    ///
    /// # Errors
    /// `no_profile`, or `config`.
    pub fn resolve(&self, name: Option<&str>, url: Option<&str>) -> Result<Profile, Error> {
        self.resolve_by(Patterns::Urls, name, url)
    }

    /// The same by these patterns.
    ///
    /// # Errors
    /// `no_profile`, or `config`.
    pub fn resolve_by(
        &self,
        patterns: Patterns,
        name: Option<&str>,
        url: Option<&str>,
    ) -> Result<Profile, Error> {
        match (name, url) {
            (Some(name), None) => self.profile(name),
            (None, None) => {
                let name = self.default_profile().ok_or_else(|| {
                    let error = if self.profiles.is_empty() {
                        "there is no profile"
                    } else {
                        "no profile is named, and there is no `default_profile`"
                    };
                    Error::new(ErrorKind::NoProfile, error)
                        .hint(self.names_hint("name one with -p"))
                })?;
                self.profile(name)
            }
            (name, Some(url)) => {
                let route = self.route(patterns, url, name)?;
                self.profile(&route.best(name, url)?.profile)
            }
        }
    }

    /// What the patterns of every profile have to do with `url`; only of the one named, if one is.
    ///
    /// # Errors
    /// `config` for patterns that cannot be read, `no_profile` for a name that is unknown.
    pub fn route(&self, counted: Patterns, url: &str, name: Option<&str>) -> Result<Route, Error> {
        if let Some(name) = name
            && !self.profiles.contains_key(name)
        {
            return Err(self.unknown(name));
        }
        let target = Target::read(url);
        let mut complaints = Vec::new();
        let mut route = Route {
            answers: Vec::new(),
            others: Vec::new(),
            target: target.clone(),
        };
        for candidate in self.profiles.keys() {
            if name.is_some_and(|name| name != candidate) {
                continue;
            }
            let mut mistakes = Vec::new();
            let Some(patterns) = self.with_keys(candidate, &mut mistakes, |keys, _| {
                // Those in its other keys are not of this URL.
                keys.forget_complaints();
                let mut patterns = read_urls(keys);
                if counted == Patterns::UrlsAndEndpoint {
                    patterns.extend(read_endpoint(keys).map(|(_, pattern)| pattern));
                }
                patterns
            }) else {
                continue;
            };
            complaints.extend(mistakes);
            let best = patterns
                .iter()
                .filter_map(|pattern| Some((pattern.matches(target.as_ref().ok()?)?, pattern)))
                .max_by_key(|(exactness, _)| *exactness);
            if let Some((exactness, pattern)) = best {
                route.answers.push(RoutedProfile {
                    profile: candidate.clone(),
                    pattern: pattern.clone(),
                    exactness,
                });
            } else {
                let with_name = |pattern| (candidate.clone(), pattern);
                route.others.extend(patterns.into_iter().map(with_name));
            }
        }
        refuse_complaints(complaints)?;
        route
            .answers
            .sort_by_key(|answer| std::cmp::Reverse(answer.exactness));
        Ok(route)
    }

    /// The patterns of a profile that can be read.
    pub(super) fn urls_of(&self, name: &str) -> Vec<Pattern> {
        let patterns = self.with_keys(name, &mut Vec::new(), |keys, _| read_urls(keys));
        patterns.unwrap_or_default()
    }

    /// Whether `tool` may be served by `profile`.
    ///
    /// # Errors
    /// `no_profile`, if not.
    pub fn allow(&self, tool: &str, profile: &Profile) -> Result<(), Error> {
        let allows = |tools: &Option<Vec<String>>| {
            tools
                .as_ref()
                .is_none_or(|tools| tools.iter().any(|allowed| allowed == tool))
        };
        let shown = |tools: &Option<Vec<String>>| {
            let tools = tools.as_deref().unwrap_or_default();
            if tools.is_empty() {
                "none".to_owned()
            } else {
                tools.join(", ")
            }
        };
        if !allows(&self.policy.tools) {
            return Err(Error::new(
                ErrorKind::NoProfile,
                format!("this machine's policy does not allow `{tool}`"),
            )
            .hint(format!(
                "it allows {}; `tools` of `[policy]` in the machine-wide file",
                shown(&self.policy.tools)
            )));
        }
        if !allows(&profile.tools) {
            return Err(Error::new(
                ErrorKind::NoProfile,
                format!("the profile `{}` may not be used by `{tool}`", profile.name),
            )
            .hint(format!("its `tools` allow {}", shown(&profile.tools))));
        }
        Ok(())
    }

    /// Calls `read` with the keys of a profile over those of its preset.
    pub(super) fn with_keys<T>(
        &self,
        name: &str,
        complaints: &mut Vec<Complaint>,
        read: impl FnOnce(&mut Keys<'_, '_>, Option<&Rules<'_>>) -> T,
    ) -> Option<T> {
        let (source, document) = &self.documents[*self.profiles.get(name)?];
        let prefix = format!("profiles.{name}.");
        let value = document
            .get_ref()
            .get("profiles")?
            .get_ref()
            .as_table()?
            .get(name)?;
        let Some(table) = value.get_ref().as_table() else {
            let found = file::Found { source, value };
            let problem = format!("`profiles.{}`: it is no table", printable(name));
            complaints.push(Complaint::new(found.place(), problem));
            return None;
        };
        let own = Layer { source, table };
        let preset = {
            let mut keys = Keys::new(&prefix, vec![own], complaints);
            keys.only(PROFILE_KEYS.iter().map(|(key, _)| *key));
            keys.text("preset").and_then(|(preset, found)| {
                let known = PRESETS.iter().find(|known| known.name == preset);
                if known.is_none() {
                    let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
                    keys.complain(found, "preset", one_of(&preset, &names));
                }
                known
            })
        };
        let Some(preset) = preset else {
            let mut keys = Keys::new(&prefix, vec![own], complaints);
            return Some(read(&mut keys, None));
        };
        let beneath = preset.source();
        let file = file::parse(&beneath, complaints);
        let rules = Rules::new(preset, &beneath, file.get_ref());
        let mut layers = vec![own];
        layers.extend(rules.profile.map(|table| Layer {
            source: &beneath,
            table,
        }));
        let mut keys = Keys::new(&prefix, layers, complaints);
        Some(read(&mut keys, Some(&rules)))
    }

    fn validate(&self, name: &str) -> Result<Profile, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let index = self.profiles.get(name).copied().unwrap_or_default();
        let (source, document) = &self.documents[index];
        let place = file::Found {
            source,
            value: document
                .get_ref()
                .get("profiles")
                .and_then(|profiles| profiles.get_ref().as_table()?.get(name))
                .expect("the index names profiles that are there"),
        }
        .place();
        if self.policy.user_profiles == Some(false) && !source.machine_wide {
            let problem = format!(
                "`profiles.{}`: this machine's policy allows no profiles of users",
                printable(name)
            );
            complaints.push(Complaint::new(place.clone(), problem));
        }
        let profile = self.with_keys(name, &mut complaints, |keys, preset| {
            read_profile(keys, preset, name, &source.path, &place)
        });
        match profile.flatten() {
            Some(profile) if complaints.is_empty() => Ok(profile),
            _ => Err(complaints),
        }
    }
}

/// The `env` of every `{ env = "…" }` in a value.
fn collect_variables(value: &DeValue<'_>, found: &mut BTreeSet<String>) {
    let items: Vec<&DeValue<'_>> = if let Some(table) = value.as_table() {
        let variable = table.get("env").and_then(|value| value.get_ref().as_str());
        found.extend(variable.map(String::from));
        table.values().map(Spanned::get_ref).collect()
    } else {
        let items = value.as_array().into_iter().flat_map(|items| items.iter());
        items.map(Spanned::get_ref).collect()
    };
    for item in items {
        collect_variables(item, found);
    }
}

/// Names appear in commands, links and messages.
fn check_name(name: &str, keys: &mut Keys<'_, '_>) {
    let good = !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    if !good && let Some(found) = keys.find(name) {
        keys.complain(
            found,
            &printable(name),
            "a profile's name is made of the letters a to z, digits, `-`, `_` and `.`, and begins \
             with neither `-` nor `.`",
        );
    }
}

/// The keys of one of [`FILE_KEYS`].
fn keys_of(table: &str) -> impl Iterator<Item = &'static str> + Clone {
    let entry = FILE_KEYS.iter().find(|(name, _)| *name == table);
    entry.into_iter().flat_map(|(_, keys)| keys.iter().copied())
}

fn read_policy(keys: &mut Keys<'_, '_>) -> Policy {
    keys.only(keys_of(POLICY));
    Policy {
        tools: read_tools(keys),
        user_profiles: keys.boolean("user_profiles"),
        seal: read_seal(keys),
    }
}

fn layer<'a>((source, table): &'a (&'a Source, Spanned<DeTable<'a>>)) -> Layer<'a> {
    Layer {
        source,
        table: table.get_ref(),
    }
}

/// What one file says of itself: the tables that it may have, and the profiles in it.
struct FileRead {
    /// Where the file may have one.
    policy: Option<Policy>,
    /// The names of its profiles, where these count.
    profiles: Vec<String>,
}

fn read_file(layer: Layer<'_>, complaints: &mut Vec<Complaint>) -> FileRead {
    let source = layer.source;
    let mut keys = Keys::new("", vec![layer], complaints);
    let tables = FILE_KEYS.iter().map(|(table, _)| *table);
    let tables = tables.filter(|table| *table != POLICY || source.machine_wide);
    let known: Vec<&str> = BESIDE_TABLES.into_iter().chain(tables).collect();
    let policy = source
        .machine_wide
        .then(|| keys.table(POLICY, read_policy).unwrap_or_default());
    keys.only_or(known, |name| {
        let is_of_a_profile = PROFILE_KEYS.iter().any(|(key, _)| *key == name);
        match name {
            POLICY => Some("it counts in the machine-wide file alone"),
            _ if is_of_a_profile => Some("it belongs below `[profiles.NAME]`"),
            _ => None,
        }
    });
    let mut profiles = None;
    if source.profiles_count {
        profiles = keys.table("profiles", |keys| {
            let names = keys.names();
            for name in &names {
                check_name(name, keys);
            }
            names.into_iter().map(str::to_owned).collect()
        });
    }
    FileRead {
        policy,
        profiles: profiles.unwrap_or_default(),
    }
}

/// A name that no profile has is a mistake.
fn read_default_profile(
    keys: &mut Keys<'_, '_>,
    profiles: &BTreeMap<String, usize>,
) -> Option<String> {
    let (name, found) = keys.text("default_profile")?;
    if !profiles.contains_key(&name) {
        let names: Vec<&str> = profiles.keys().map(String::as_str).collect();
        let problem = match nearest(&name, names) {
            // A name in the file may be anything; it is complained of beside this.
            Some(nearest) => format!(
                "there is no profile `{}`; did you mean `{}`?",
                printable(&name),
                printable(nearest)
            ),
            None => format!("there is no profile `{}`", printable(&name)),
        };
        keys.complain(found, "default_profile", problem);
    }
    Some(name)
}

/// What `[store]` says.
#[derive(Default)]
struct Store {
    /// All but the seal.
    sealing: Sealing,
    /// The seal, and where it is said.
    seal: Option<(String, Place)>,
    /// Whether there is a `command` at all.
    has_command: bool,
}

impl Store {
    /// How sessions are sealed. What the machine's owner says comes first.
    fn sealing_under(self, policy: &Policy) -> Sealing {
        let seal = policy.seal.clone().or(self.seal);
        Sealing {
            seal: seal.map(|(seal, _)| seal).filter(|seal| seal != "auto"),
            ..self.sealing
        }
    }

    /// Where it says another seal than the policy.
    fn overruled_by(&self, policy: &Policy) -> Option<&Place> {
        let (of_policy, _) = policy.seal.as_ref()?;
        let (own, place) = self.seal.as_ref()?;
        (of_policy != own).then_some(place)
    }
}

fn read_store(keys: &mut Keys<'_, '_>) -> Store {
    keys.only(keys_of("store"));
    let sealing = Sealing {
        seal: None,
        command: keys.command("command").unwrap_or_default(),
        previous_command: keys.command("previous_command").unwrap_or_default(),
        key_cache: read_duration(keys, "key_cache", "1h"),
    };
    Store {
        sealing,
        seal: read_seal(keys),
        has_command: keys.find("command").is_some(),
    }
}

/// The seal that asks a command needs one, whoever chose it.
fn check_command(keys: &mut Keys<'_, '_>, policy: &Policy, store: &Store) {
    let of_policy = policy.seal.as_ref().map(|seal| ("policy", seal));
    let of_store = store.seal.as_ref().map(|seal| ("store", seal));
    if let Some((table, (seal, place))) = of_policy.or(of_store)
        && seal == "command"
        && !store.has_command
    {
        let problem = format!(
            "`{table}.seal`: `command` is missing below `[store]`: the command that prints the \
             key, as `command = [\"pass\", \"show\", \"cred-helper\"]`"
        );
        keys.complain_at(place, problem);
    }
}

/// A time as text; `example` is one.
fn read_duration(keys: &mut Keys<'_, '_>, name: &'static str, example: &str) -> Option<Duration> {
    let (text, found) = keys.text_like(name, &format!("a string like \"{example}\""))?;
    let duration = humantime::parse_duration(&text).ok();
    if duration.is_none() {
        keys.complain(found, name, format!("it is no time like \"{example}\""));
    }
    duration
}

/// One that we do not have must not become another: a policy's least of all.
fn read_seal(keys: &mut Keys<'_, '_>) -> Option<(String, Place)> {
    let (seal, found) = keys.text("seal")?;
    let names = SEALS.iter().map(|seal| seal.name);
    let known: Vec<&str> = std::iter::once("auto").chain(names).collect();
    if !known.contains(&seal.as_str()) {
        keys.complain(found, "seal", one_of(&seal, &known));
    }
    Some((seal, found.place()))
}
