//! The configuration of tools, written so that they ask us.
//!
//! One file per tool: it knows where the tool keeps its configuration and what stands in it, and
//! makes one text of another. Reading, locking, backing up, writing and the record of what was
//! written are here and in `file.rs` and `record.rs`, the same for all.
//!
//! To add one: a file with an [`Entry`], and a line in [`SETUPS`].

mod aws;
mod bazel;
mod cargo;
mod credentials_helper;
mod docker;
mod file;
mod git;
mod go;
mod index;
mod json;
mod kubectl;
mod line;
mod machine;
mod nuget;
mod only_link;
mod ours;
mod pip;
mod pnpm;
mod record;
mod stand_in;
mod terraform;
mod tofu;
mod uv;
mod view;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::file::ConfigurationFile;
pub use self::machine::Machine;
use self::record::Record;
pub use self::stand_in::{list_stand_in, set_up_stand_in, stand_ins, undo_stand_in};
use crate::error::{Error, ErrorKind};
use crate::profile::route::{Pattern, Target};

/// A tool in the table.
pub struct Entry {
    /// Its name, also that of its program.
    pub name: &'static str,
    /// The protocol by which it asks, as a profile's `tools` names it: mostly its own.
    pub protocol: &'static str,
    /// Other programs that have the same configuration, under whose names it is known too.
    pub aliases: &'static [&'static str],
    /// The arguments that make it print its version, without asking the network; none, if it
    /// may fetch itself first.
    pub version: &'static [&'static str],
    /// Where its configuration lies, whether there is one or not; the place of a link of ours, if that
    /// is all that the tool needs.
    pub file: fn(&Machine<'_>) -> PathBuf,
    /// Makes the text that has the tool ask us. What is written is noted in the plan, over what
    /// was written before; a text that says it already comes back as it is.
    pub add: fn(&Machine<'_>, &Document<'_>, &Wish, &mut Plan) -> Result<String, Error>,
    /// Makes the text without these settings, and with what they replaced. What is not ours any
    /// more stays.
    pub remove: fn(&Machine<'_>, &Document<'_>, &[Setting]) -> Result<String, Error>,
    /// The text without whatever may be secret, line by line.
    pub view: fn(&str) -> String,
    /// Under which name, and where, the tool looks for our program because of a setting.
    pub link: fn(&Machine<'_>, &Setting) -> Option<Link>,
    /// What the text says of us, for those who answer.
    pub look: fn(&Machine<'_>, &Document<'_>, &[Answering]) -> Result<Wiring, Error>,
}

impl Entry {
    /// Whether somebody means it who says `name`.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Its program on PATH.
    fn program(&self, machine: &Machine<'_>) -> Option<PathBuf> {
        let mut names = std::iter::once(self.name).chain(self.aliases.iter().copied());
        names.find_map(|name| machine.find(name))
    }
}

/// Every tool whose configuration we write.
pub const SETUPS: &[Entry] = &[
    git::ENTRY,
    cargo::ENTRY,
    kubectl::ENTRY,
    docker::ENTRY,
    bazel::ENTRY,
    terraform::ENTRY,
    tofu::ENTRY,
    go::ENTRY,
    pnpm::ENTRY,
    nuget::ENTRY,
    aws::ENTRY,
    pip::ENTRY,
    uv::ENTRY,
];

/// A tool's configuration as it is. It may hold secrets, so it is not `Debug`.
pub struct Document<'a> {
    /// Where it lies, behind all links.
    pub path: &'a Path,
    /// What it says; nothing if there is no file.
    pub text: &'a str,
}

/// A profile, and what it answers for.
pub struct Answering {
    /// Its name.
    pub name: String,
    /// Its `urls`.
    pub urls: Vec<Pattern>,
}

impl Answering {
    /// Whether it answers for a URL.
    pub fn answers(&self, target: &Target) -> bool {
        self.urls
            .iter()
            .any(|pattern| pattern.matches(target).is_some())
    }
}

/// For what a tool is to ask us.
pub struct Wish {
    /// For this alone.
    pub url: Option<Target>,
    /// The profiles that are meant.
    pub profiles: Vec<Answering>,
    /// Whether the profile is to stand in the tool's configuration.
    pub is_named: bool,
}

impl Wish {
    /// Refuses to go on where nothing can be meant.
    fn require_urls(&self) -> Result<(), Error> {
        match &self.profiles[..] {
            [only] if self.url.is_none() && only.urls.is_empty() => Err(meets_nothing(format!(
                "the profile `{}` has no `urls`",
                only.name
            ))
            .hint("add `urls = [\"https://HOST/\"]` to it")),
            _ => Ok(()),
        }
    }

    /// The URLs that are meant, and the profile that answers for each. Patterns with `*.` name no
    /// one host, and are noted.
    fn targets(&self, plan: &mut Plan) -> Vec<(Target, &Answering)> {
        let mut targets: Vec<(Target, &Answering)> = Vec::new();
        for profile in &self.profiles {
            if let Some(url) = &self.url {
                targets.push((url.clone(), profile));
                continue;
            }
            for pattern in &profile.urls {
                match pattern.target() {
                    Some(target) if targets.iter().all(|(known, _)| known != target) => {
                        targets.push((target.clone(), profile));
                    }
                    Some(_) => {}
                    None => plan.notes.push(format!(
                        "left out: `{}` names many hosts; name one of them with --url",
                        pattern.as_str()
                    )),
                }
            }
        }
        targets
    }

    /// The profile that is meant for a URL which stands in a tool's configuration.
    fn profile_for(&self, target: &Target) -> Option<&Answering> {
        match &self.url {
            Some(url) if url.to_string() == target.to_string() => self.profiles.first(),
            Some(_) => None,
            None => {
                let exactness = |profile: &&Answering| {
                    let patterns = profile.urls.iter();
                    patterns.filter_map(|pattern| pattern.matches(target)).max()
                };
                let answering = self.profiles.iter().filter(|one| one.answers(target));
                answering.max_by_key(exactness)
            }
        }
    }

    /// The URL of a setting that is for all that is meant: empty where none was named.
    fn own_url(&self) -> String {
        let url = self.url.as_ref();
        url.map(ToString::to_string).unwrap_or_default()
    }

    /// What is meant, in words.
    fn in_words(&self) -> String {
        match (&self.url, &self.profiles[..]) {
            (Some(url), _) => format!("`{url}`"),
            (None, [only]) => format!("the `urls` of profile `{}`", only.name),
            (None, _) => "the `urls` of any profile".to_owned(),
        }
    }
}

/// Where a tool looks for our program under another name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// On PATH, under this name.
    Named(String),
    /// In this place.
    At(PathBuf),
}

impl Link {
    /// Whether a tool whose configuration names this program finds it by the link.
    fn is_found_as(&self, program: &str) -> bool {
        match self {
            Self::Named(name) => name == program,
            Self::At(place) => place == Path::new(program),
        }
    }
}

/// Something that we wrote into a tool's configuration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The profile that it was written for.
    pub profile: String,
    /// The URL that it was written for; empty if there is none.
    pub url: String,
    /// Its place, as the tool's own file says it.
    pub key: String,
    /// What was written.
    pub value: String,
    /// What stood there before, in the form of the file.
    pub replaced: Option<String>,
}

/// What is to be written.
pub struct Plan {
    /// Everything of ours that the text holds then.
    pub settings: Vec<Setting>,
    /// What says so already, whoever wrote it: its links are made, and undoing leaves it.
    in_place: Vec<Setting>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// One where nothing has to change over what was written before.
    pub fn over(settings: Vec<Setting>) -> Self {
        Self {
            settings,
            in_place: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Notes a setting in the place of an earlier one of its key. What that one replaced is what
    /// undoing brings back.
    fn note(&mut self, mut setting: Setting) {
        if let Some(earlier) = self.settings.iter().position(|one| one.key == setting.key) {
            setting.replaced = self.settings.remove(earlier).replaced;
        }
        self.settings.push(setting);
    }

    /// Notes a setting that the text holds already.
    fn find(&mut self, setting: Setting) {
        self.in_place.push(setting);
    }
}

/// What a tool's configuration says of us.
#[derive(Default)]
pub struct Wiring {
    /// What it asks us for.
    pub wired: Vec<Wired>,
    /// Who is asked instead of us, or before.
    pub in_front: Vec<InFront>,
}

/// Something that a tool asks us for.
pub struct Wired {
    /// A URL, a host, or a name of the tool's own.
    pub target: String,
    /// The profile, if the tool's configuration names one.
    pub profile: Option<String>,
    /// The program that it starts for that, if its configuration names one, and not a part of a name.
    pub program: Option<String>,
}

/// Another helper, where a profile of ours would answer.
pub struct InFront {
    /// What it is asked for.
    pub target: String,
    /// What the tool calls it: its first word.
    pub helper: String,
}

/// Which settings are to be undone.
pub struct Choice {
    /// Those of this profile.
    pub profile: Option<String>,
    /// Those for this URL.
    pub url: Option<Target>,
}

impl Choice {
    fn takes(&self, setting: &Setting) -> bool {
        let is_of = |profile: &String| *profile == setting.profile;
        let is_for = |url: &Target| url.to_string() == setting.url;
        self.profile.as_ref().is_none_or(is_of) && self.url.as_ref().is_none_or(is_for)
    }
}

/// How a change is made known, before it is made and after.
pub type Say<'a> = dyn FnMut(&str) -> Result<(), Error> + 'a;

/// Has a tool ask us, and tells what is done; with `is_dry`, what would be.
///
/// # Errors
/// `config` for a configuration that cannot be read, understood or written, `no_profile` if the
/// wish meets nothing in it, `busy` if somebody else is writing it, `store` for our own files.
pub fn set_up(
    entry: &Entry,
    machine: &Machine<'_>,
    wish: &Wish,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<(), Error> {
    if only_link::is_all_of(entry, machine) {
        return only_link::set_up(entry, machine, wish, is_dry, say);
    }
    let file = ConfigurationFile::find(entry.name, &(entry.file)(machine))?;
    let shield = machine.context.signals.shield();
    let held = if is_dry {
        file.check_writable()?;
        None
    } else {
        Some(file.hold(&machine.context)?)
    };
    let mut record = Record::load(machine, entry.name, file.path())?;
    let before = file.read()?;
    let document = Document {
        path: file.path(),
        text: before.as_deref().unwrap_or_default(),
    };
    let mut plan = Plan::over(record.settings.clone());
    let after = (entry.add)(machine, &document, wish, &mut plan)?;
    if after == document.text {
        say(&format!(
            "nothing to change in `{}`\n",
            file.path().display()
        ))?;
    } else {
        say(&view::difference(
            entry.view,
            file.path(),
            before.as_deref(),
            Some(&after),
        ))?;
        if let Some(held) = &held {
            let earlier = record.settings.clone();
            let backup = record::back_up(machine, entry.name, before.as_deref())?;
            record.note(plan.settings.clone(), &before, &after, backup.clone());
            record.save(machine)?;
            held.replace(&after)?;
            say(&written("wrote", file.path(), backup.as_deref()))?;
            unlink(entry, machine, &earlier)?;
        }
    }
    if is_dry {
        plan.notes.push("nothing was written".to_owned());
    } else {
        let settings = plan.settings.iter().chain(&plan.in_place);
        link(entry, machine, settings, &mut plan.notes)?;
    }
    drop(held);
    drop(shield);
    tell(&plan.notes, say)?;
    machine.context.signals.check()
}

/// Takes what we wrote out of a tool's configuration, and tells what is done; with `is_dry`, what
/// would be.
///
/// # Errors
/// As [`set_up`].
pub fn undo(
    entry: &Entry,
    machine: &Machine<'_>,
    choice: &Choice,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<(), Error> {
    if only_link::is_all_of(entry, machine) {
        return only_link::undo(entry, machine, choice, is_dry, say);
    }
    let mut is_written = false;
    for record in Record::all(machine, entry.name)? {
        is_written |= undo_file(entry, machine, &record.file, choice, is_dry, say)?;
    }
    if !is_written {
        let is_all = choice.profile.is_none() && choice.url.is_none();
        let of_that = if is_all { "" } else { " of that" };
        say(&format!(
            "nothing to undo: setup has written nothing{of_that} for {}\n",
            entry.name
        ))?;
    }
    if is_dry && is_written {
        say("nothing was written\n")?;
    }
    machine.context.signals.check()
}

/// Whether anything of ours was chosen in this file.
fn undo_file(
    entry: &Entry,
    machine: &Machine<'_>,
    path: &Path,
    choice: &Choice,
    is_dry: bool,
    say: &mut Say<'_>,
) -> Result<bool, Error> {
    let file = ConfigurationFile::find(entry.name, path)?;
    let _shield = machine.context.signals.shield();
    let held = if is_dry || !file.is_there() {
        None
    } else {
        Some(file.hold(&machine.context)?)
    };
    let mut record = Record::load(machine, entry.name, file.path())?;
    let (gone, kept): (Vec<_>, Vec<_>) = record
        .settings
        .iter()
        .cloned()
        .partition(|setting| choice.takes(setting));
    if gone.is_empty() {
        return Ok(false);
    }
    let before = file.read()?;
    let after = match &before {
        None => None,
        Some(text) => match record.original(text).filter(|_| kept.is_empty()) {
            Some(original) => original,
            None => {
                let document = Document {
                    path: file.path(),
                    text,
                };
                Some((entry.remove)(machine, &document, &gone)?)
            }
        },
    };
    if after == before {
        say(&format!(
            "what setup wrote into `{}` is not there any more\n",
            file.path().display()
        ))?;
    } else {
        say(&view::difference(
            entry.view,
            file.path(),
            before.as_deref(),
            after.as_deref(),
        ))?;
    }
    if is_dry {
        return Ok(true);
    }
    if let Some(held) = &held
        && after != before
    {
        let backup = record::back_up(machine, entry.name, before.as_deref())?;
        let done = match &after {
            Some(text) => held.replace(text).map(|()| "wrote")?,
            None => held.remove().map(|()| "removed")?,
        };
        say(&written(done, file.path(), backup.as_deref()))?;
    }
    let text = after.unwrap_or_default();
    record.note(kept, &before, &text, None);
    record.save(machine)?;
    unlink(entry, machine, &gone)?;
    drop(held);
    Ok(true)
}

fn written(done: &str, path: &Path, backup: Option<&Path>) -> String {
    let mut text = format!("{done} `{}`\n", path.display());
    if let Some(backup) = backup {
        text.push_str(&format!("what it was is kept in `{}`\n", backup.display()));
    }
    text
}

fn tell(notes: &[String], say: &mut Say<'_>) -> Result<(), Error> {
    let mut notes = notes.iter().map(|note| view::harmless(note));
    notes.try_for_each(|note| say(&format!("{note}\n")))
}

/// Makes our program known under the names that the tool looks for.
fn link<'s>(
    entry: &Entry,
    machine: &Machine<'_>,
    settings: impl IntoIterator<Item = &'s Setting>,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    for link in links(entry, machine, settings) {
        for note in machine.link(&link)? {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    Ok(())
}

/// Removes those of our links that nothing needs any more which was recorded, or stands in the
/// configuration of any tool.
fn unlink(entry: &Entry, machine: &Machine<'_>, gone: &[Setting]) -> Result<(), Error> {
    let gone = links(entry, machine, gone);
    if gone.is_empty() {
        return Ok(());
    }
    let mut needed = BTreeSet::new();
    let mut named = Vec::new();
    for entry in SETUPS {
        let records = Record::all(machine, entry.name)?;
        let kept = records.iter().flat_map(|record| &record.settings);
        needed.extend(links(entry, machine, kept));
        // What cannot be read names nobody.
        let wired = look(entry, machine, &[]).map_or_else(|_| Vec::new(), |wiring| wiring.wired);
        named.extend(wired.into_iter().filter_map(|wired| wired.program));
    }
    let is_named = |link: &Link| named.iter().any(|program| link.is_found_as(program));
    for link in gone.difference(&needed).filter(|link| !is_named(link)) {
        machine.unlink(link);
    }
    Ok(())
}

/// The links that settings need.
fn links<'s>(
    entry: &Entry,
    machine: &Machine<'_>,
    settings: impl IntoIterator<Item = &'s Setting>,
) -> BTreeSet<Link> {
    let settings = settings.into_iter();
    settings
        .filter_map(|setting| (entry.link)(machine, setting))
        .collect()
}

/// A tool as `--list` shows it.
pub struct Listed {
    /// Its name.
    pub tool: &'static str,
    /// Its program; `None` if there is none on PATH.
    pub program: Option<PathBuf>,
    /// Its version, if it tells.
    pub version: Option<String>,
    /// Its configuration.
    pub file: PathBuf,
    /// What that says of us, or why it cannot be told.
    pub wiring: Result<Wiring, Error>,
}

/// What is there of a tool, and what it asks us for.
pub fn list(entry: &Entry, machine: &Machine<'_>, profiles: &[Answering]) -> Listed {
    let program = entry.program(machine);
    Listed {
        tool: entry.name,
        version: program
            .as_deref()
            .and_then(|program| machine.version(program, entry.version)),
        program,
        wiring: look(entry, machine, profiles),
        file: (entry.file)(machine),
    }
}

/// What a tool's configuration says of us.
fn look(entry: &Entry, machine: &Machine<'_>, profiles: &[Answering]) -> Result<Wiring, Error> {
    let file = ConfigurationFile::find(entry.name, &(entry.file)(machine))?;
    let is_link = only_link::is_all_of(entry, machine);
    let text = if is_link { None } else { file.read()? };
    let text = text.unwrap_or_default();
    let document = Document {
        path: file.path(),
        text: &text,
    };
    (entry.look)(machine, &document, profiles)
}

/// The tools that setup has written a profile into, or for, as its records tell: no tool is asked, and
/// what others write into their configurations is not seen.
///
/// # Errors
/// `store`, if what setup has written cannot be told.
pub fn recorded(machine: &Machine<'_>) -> Result<Vec<(&'static str, String)>, Error> {
    let mut recorded = Vec::new();
    for entry in SETUPS {
        for record in Record::all(machine, entry.name)? {
            let profiles = record.settings.into_iter();
            recorded.extend(profiles.map(|setting| (entry.name, setting.profile)));
        }
    }
    Ok(recorded)
}

/// Why a tool does not find our program, though setup has written its configuration; and what to do.
///
/// # Errors
/// `store`, if what setup has written cannot be told.
pub fn link_problems(entry: &Entry, machine: &Machine<'_>) -> Result<Vec<(String, String)>, Error> {
    let records = Record::all(machine, entry.name)?;
    let settings = records.iter().flat_map(|record| &record.settings);
    let links = links(entry, machine, settings);
    let problems = links.iter();
    Ok(problems
        .filter_map(|link| machine.link_problem(link, entry.name))
        .collect())
}

/// The first program that a tool's configuration names for us, and that is not there.
pub fn missing<'w>(machine: &Machine<'_>, wiring: &'w Wiring) -> Option<&'w str> {
    let programs = wiring
        .wired
        .iter()
        .filter_map(|wired| wired.program.as_deref());
    let mut programs = programs.filter(|program| machine.lacks_program(program));
    programs.next()
}

/// The error where nothing in a tool's configuration is what is wished for.
fn meets_nothing(message: String) -> Error {
    Error::new(ErrorKind::NoProfile, message)
}

/// No link is needed: the tool takes a command.
fn needs_no_link(_machine: &Machine<'_>, _setting: &Setting) -> Option<Link> {
    None
}
