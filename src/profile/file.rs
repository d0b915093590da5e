//! Profile files: found, read, and taken apart with the place of everything in them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::context::Environment;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::system::{directories, platform};
use crate::text::{nearest, printable};
use crate::token::OtherToken;

/// How large may a profile file be? A thousand profiles are 230 KB.
const LONGEST_FILE: u64 = 16 * 1024 * 1024;

/// Where a secret can come from.
pub(super) const SECRET_WAYS: &[&str] = &["env", "file", "command", "keyring"];

/// Where a token can come from; the last one for grants alone that take it from their caller.
pub(super) const TOKEN_WAYS: [&str; 6] = ["env", "file", "command", "keyring", "profile", "stdin"];

/// Which files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `--config` or `CRED_HELPER_CONFIG`: instead of all others.
    pub only: Option<PathBuf>,
    /// The machine-wide file. Its `[policy]` holds whatever else is read.
    pub machine_wide: PathBuf,
    /// The user's directory, with `profiles.toml` and `profiles.d/`, unless `only` stands for it.
    pub user: Option<PathBuf>,
}

impl Location {
    /// Where the files lie for this user, unless `only` one is named.
    pub fn new(only: Option<PathBuf>, environment: &dyn Environment) -> Self {
        Self {
            machine_wide: directories::machine_wide_profiles(environment),
            user: match only {
                Some(_) => None,
                None => directories::configuration(),
            },
            only,
        }
    }

    /// The file that a user writes profiles into.
    pub fn user_file(&self) -> Option<PathBuf> {
        self.only
            .clone()
            .or_else(|| self.user.as_ref().map(|user| user.join("profiles.toml")))
    }

    /// What to do where there is no profile at all, if a user can write any.
    pub fn first_profile_hint(&self) -> Option<String> {
        let path = self.user_file()?;
        Some(format!(
            "run `cred-helper profile add NAME`, or write `[profiles.NAME]` with `client_id`, \
             `authority` and `scopes` into `{}`; `cred-helper profile presets` shows where one registers \
             a client",
            path.display()
        ))
    }
}

/// A file's text. It may hold a literal secret, so it is not `Debug`.
pub struct Source {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Whether it is the machine-wide file.
    pub machine_wide: bool,
    /// Whether its profiles count; of the machine-wide file only `[policy]` does beside `--config`.
    pub profiles_count: bool,
    /// Whether nobody else can read it.
    pub private: bool,
}

impl Source {
    /// A file's text that is compiled in.
    pub fn built_in(name: &str, text: &str) -> Self {
        Self {
            path: PathBuf::from(name),
            text: text.to_owned(),
            machine_wide: false,
            profiles_count: false,
            private: false,
        }
    }

    /// The place of a byte.
    fn place(&self, offset: usize) -> Place {
        Place::after(&self.path, self.text.get(..offset).unwrap_or(&self.text))
    }
}

/// A place in a file, shown as `FILE:LINE:COL`; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Place {
    /// The place of what comes after the text `before`.
    fn after(path: &Path, before: &str) -> Self {
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            path: path.to_owned(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column } = self;
        write!(formatter, "{}:{line}:{column}", path.display())
    }
}

/// Reads every file that counts, the machine-wide one first.
///
/// # Errors
/// `config` for a file that cannot be read, or that others can write.
pub fn read(location: &Location) -> Result<Vec<Source>, Error> {
    read_each(location).into_iter().collect()
}

/// The same as if the file at `path` said `text`, whether or not it is there.
///
/// # Errors
/// `config` for a file that cannot be read, or that others can write.
pub fn read_with(location: &Location, path: &Path, text: &str) -> Result<Vec<Source>, Error> {
    let mut sources = match read(location) {
        // The file that `--config` names is about to be made.
        Err(error) if error.kind() == ErrorKind::NoProfile => Vec::new(),
        sources => sources?,
    };
    let place = sources.iter().position(|source| source.path == path);
    let said = Source {
        path: path.to_owned(),
        text: text.to_owned(),
        machine_wide: false,
        profiles_count: true,
        private: place.is_none_or(|place| sources[place].private),
    };
    match place {
        Some(place) => sources[place] = said,
        // Behind the machine-wide one, and before the directory's.
        None => {
            let behind = sources.iter().filter(|source| source.machine_wide).count();
            sources.insert(behind, said);
        }
    }
    Ok(sources)
}

/// The same, where one that cannot be read does not hide the others.
pub fn read_each(location: &Location) -> Vec<Result<Source, Error>> {
    let mut sources = Vec::new();
    let mut add = |path: &Path, machine_wide: bool, profiles_count: bool, required: bool| {
        let source = |(text, private)| Source {
            path: path.to_owned(),
            text,
            machine_wide,
            profiles_count,
            private,
        };
        let read = read_trusted(path, required).transpose();
        sources.extend(read.map(|read| read.map(source)));
    };
    add(&location.machine_wide, true, location.only.is_none(), false);
    if let Some(only) = &location.only {
        add(only, false, true, true);
        return sources;
    }
    if let Some(user) = &location.user {
        add(&user.join("profiles.toml"), false, true, false);
        match directory_files(&user.join("profiles.d")) {
            Ok(paths) => paths.iter().for_each(|path| add(path, false, true, true)),
            Err(error) => sources.push(Err(error)),
        }
    }
    sources
}

/// `*.toml` of a directory in name order; nothing if there is no such directory.
fn directory_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(directory, &error)),
    };
    check_trusted(directory)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(directory, &error))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the profile file `{}` cannot be read", path.display()),
    )
    .because(error)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Error {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let place = Place::after(path, &String::from_utf8_lossy(good));
    Error::new(ErrorKind::Config, format!("{place}: this is not UTF-8"))
        .hint("save the file in UTF-8")
}

/// A configuration runs commands: who can write it can run commands as us.
fn check_trusted(path: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    refuse(platform::trusted_problem(path, &metadata))
}

/// The same of the directory that a file lies in.
fn check_directory(path: &Path) -> Result<(), Error> {
    match path.parent() {
        // A bare name lies in the current directory.
        Some(directory) if directory.as_os_str().is_empty() => check_trusted(Path::new(".")),
        Some(directory) => check_trusted(directory),
        None => Ok(()),
    }
}

/// Refuses a place where a file would be refused as soon as it is there. A directory that is not there yet is
/// made for nobody else.
///
/// # Errors
/// `config`, if others can write the directory.
pub fn check_place(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() && !directory.exists() => Ok(()),
        _ => check_directory(path),
    }
}

fn refuse(problem: Option<(String, String)>) -> Result<(), Error> {
    match problem {
        Some((problem, command)) => Err(Error::new(
            ErrorKind::Config,
            format!("{problem}, and a configuration runs commands"),
        )
        .hint(format!("run `{command}`"))),
        None => Ok(()),
    }
}

fn read_trusted(path: &Path, required: bool) -> Result<Option<(String, bool)>, Error> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
            return Ok(None);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(
                ErrorKind::NoProfile,
                format!("there is no profile file `{}`", path.display()),
            )
            .hint("check --config and CRED_HELPER_CONFIG"));
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    refuse(platform::trusted_problem(path, &metadata))?;
    check_directory(path)?;
    let is_link = || fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if metadata.is_file() && is_link() {
        // Who can replace what the link names can write the configuration as well.
        check_directory(&fs::canonicalize(path).map_err(|error| unreadable(path, &error))?)?;
    }
    let length = usize::try_from(metadata.len().min(LONGEST_FILE)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(length + 1);
    file.take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(unreadable(path, &std::io::Error::other("it is too large")));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    let private = platform::is_private(&metadata);
    Ok(Some((text, private)))
}

/// Something wrong in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    place: Place,
    problem: String,
    /// The file is no TOML; what else seems to be wrong in it may follow from that.
    is_of_syntax: bool,
}

impl Complaint {
    /// Something wrong at `place`.
    pub fn new(place: Place, problem: impl fmt::Display) -> Self {
        Self {
            place,
            problem: problem.to_string(),
            is_of_syntax: false,
        }
    }

    /// The same without its place, for what is not in a file yet.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.problem)
    }
}

/// All complaints as one error.
///
/// # Errors
/// `config`, if there is any complaint.
pub fn refuse_complaints(complaints: Vec<Complaint>) -> Result<(), Error> {
    let hint = "`cred-helper profile check` tells all that is wrong in every file";
    as_error(complaints).map_err(|error| error.hint(hint))
}

/// The same without a hint, for whoever asked for the complaints.
///
/// # Errors
/// `config`, if there is any complaint.
pub fn as_error(complaints: Vec<Complaint>) -> Result<(), Error> {
    let mut complaints = without_consequences(complaints).into_iter();
    let Some(first) = complaints.next() else {
        return Ok(());
    };
    let error = Error::new(ErrorKind::Config, first.to_string());
    Err(complaints.fold(error, |error, further| error.because(further)))
}

/// The complaints in the order of their places. Of a file that is no TOML, the first of each line
/// that is none: the parser stumbles over one mistake several times, and reads little of the rest.
pub fn without_consequences(mut complaints: Vec<Complaint>) -> Vec<Complaint> {
    complaints.sort_by(|one, other| one.place.cmp(&other.place));
    let of_syntax = complaints.iter().filter(|complaint| complaint.is_of_syntax);
    let broken: BTreeSet<PathBuf> = of_syntax
        .map(|complaint| complaint.place.path.clone())
        .collect();
    complaints
        .retain(|complaint| complaint.is_of_syntax || !broken.contains(&complaint.place.path));
    let line = |complaint: &Complaint| {
        let place = &complaint.place;
        complaint
            .is_of_syntax
            .then(|| (place.path.clone(), place.line))
    };
    complaints.dedup_by(|later, earlier| {
        let line_of_later = line(later);
        line_of_later.is_some() && line_of_later == line(earlier)
    });
    complaints
}

/// Parses a file's text; syntax errors become complaints that do not show the line, since it may
/// hold a secret.
pub fn parse<'a>(source: &'a Source, complaints: &mut Vec<Complaint>) -> Spanned<DeTable<'a>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let place = source.place(error.span().map_or(0, |span| span.start));
        complaints.push(Complaint {
            is_of_syntax: true,
            ..Complaint::new(place, printable(error.message()))
        });
    }
    table
}

/// A table with the file that it stands in.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    /// The file.
    pub source: &'a Source,
    /// The table.
    pub table: &'a DeTable<'a>,
}

/// A value with the file that it stands in.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// The file.
    pub source: &'a Source,
    /// The value.
    pub value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Found<'a> {
    /// Its place.
    pub fn place(&self) -> Place {
        self.source.place(self.value.span().start)
    }

    /// The items of an array, each with its own place.
    pub fn items(&self) -> impl Iterator<Item = Self> {
        let source = self.source;
        let array = self.value.get_ref().as_array();
        let items = array.into_iter().flat_map(|array| array.iter());
        items.map(move |value| Self { source, value })
    }
}

/// The keys of a table, each taken once; a preset's table lies under the profile's.
pub struct Keys<'a, 'c> {
    prefix: String,
    layers: Vec<Layer<'a>>,
    complaints: &'c mut Vec<Complaint>,
}

impl<'a, 'c> Keys<'a, 'c> {
    /// The keys of `layers`, the first of which wins. `prefix` is what complaints name before a
    /// key.
    pub fn new(prefix: &str, layers: Vec<Layer<'a>>, complaints: &'c mut Vec<Complaint>) -> Self {
        Self {
            prefix: prefix.to_owned(),
            layers,
            complaints,
        }
    }

    /// Complains of each key that is not `known`, and proposes the nearest.
    pub fn only<'k>(&mut self, known: impl IntoIterator<Item = &'k str> + Clone) {
        self.only_or(known, |_| None);
    }

    /// The same; `explain` knows where some of the others belong.
    pub fn only_or<'k>(
        &mut self,
        known: impl IntoIterator<Item = &'k str> + Clone,
        explain: impl Fn(&str) -> Option<&'static str>,
    ) {
        let known = known.into_iter().collect::<Vec<_>>();
        self.complain_unless(&known, |prefix, name| {
            let shown = format!("unknown key `{prefix}{}`", printable(name));
            match (explain(name), nearest(name, known.iter().copied())) {
                (Some(explanation), _) => format!("{shown}: {explanation}"),
                (None, Some(nearest)) => format!("{shown}; did you mean `{nearest}`?"),
                (None, None) => shown,
            }
        });
    }

    /// Those of `known` that an unknown key was probably meant to be.
    pub fn misspelt<'k>(&self, known: impl IntoIterator<Item = &'k str> + Clone) -> Vec<&'k str> {
        let is_known = |name: &&str| known.clone().into_iter().any(|known| known == *name);
        let names = self.names().into_iter().filter(|name| !is_known(name));
        names
            .filter_map(|name| nearest(name, known.clone()))
            .collect()
    }

    /// The same without showing the key: in `client_secret = {"…"}` it is the secret.
    fn only_unseen(&mut self, known: &[&str]) {
        self.complain_unless(known, |prefix, name| {
            let shown = format!("unknown key in `{}`", prefix.trim_end_matches('.'));
            match nearest(name, known.iter().copied()) {
                Some(nearest) => format!("{shown}; did you mean `{nearest}`?"),
                None => shown,
            }
        });
    }

    fn complain_unless(&mut self, known: &[&str], problem: impl Fn(&str, &str) -> String) {
        for layer in &self.layers {
            for (key, _) in layer.table {
                let name = key.get_ref().as_ref();
                if !known.contains(&name) {
                    let place = layer.source.place(key.span().start);
                    let problem = problem(&self.shown_prefix(), name);
                    self.complaints.push(Complaint::new(place, problem));
                }
            }
        }
    }

    /// The prefix as complaints show it: a quoted key can hold anything.
    fn shown_prefix(&self) -> String {
        printable(&self.prefix)
    }

    /// Drops what was complained of so far.
    pub fn forget_complaints(&mut self) {
        self.complaints.clear();
    }

    /// Leaves out the tables beneath in which `key` has another value than the one that counts: what
    /// they say belongs to that.
    pub fn leave_out_others(&mut self, key: &str) {
        let text = |layer: &Layer<'a>| {
            layer
                .table
                .get(key)
                .and_then(|value| value.get_ref().as_str())
        };
        let counting = self.layers.iter().find_map(text);
        self.layers
            .retain(|layer| text(layer).is_none_or(|text| Some(text) == counting));
    }

    /// The value of a key.
    pub fn find(&self, key: &str) -> Option<Found<'a>> {
        self.layers.iter().find_map(|layer| {
            let value = layer.table.get(key)?;
            Some(Found {
                source: layer.source,
                value,
            })
        })
    }

    /// Complains of the value of `key`.
    pub fn complain(&mut self, found: Found<'_>, key: &str, problem: impl fmt::Display) {
        let key = format!("{}{}", self.shown_prefix(), printable(key));
        let problem = format!("`{key}`: {problem}");
        self.complaints.push(Complaint::new(found.place(), problem));
    }

    /// Complains of something that is missing at `place`.
    pub fn complain_at(&mut self, place: &Place, problem: impl fmt::Display) {
        self.complaints.push(Complaint::new(place.clone(), problem));
    }

    /// The merged keys as a table of its own, for whoever reads it in its own way.
    pub fn to_table(&self) -> toml::Table {
        use serde::Deserialize;
        let mut merged = toml::Table::new();
        for layer in self.layers.iter().rev() {
            for (key, value) in layer.table {
                let deserializer = toml::de::ValueDeserializer::from(value.clone());
                if let Ok(value) = toml::Value::deserialize(deserializer) {
                    merged.insert(key.get_ref().to_string(), value);
                }
            }
        }
        merged
    }

    fn expect<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<(T, Found<'a>)> {
        let found = self.find(key)?;
        match read(found.value.get_ref()) {
            Some(value) => Some((value, found)),
            None => {
                let is = with_article(found.value.get_ref().type_str());
                self.complain(found, key, format!("it is {is}, not {expected}"));
                None
            }
        }
    }

    /// A string that is not empty.
    pub fn text(&mut self, key: &str) -> Option<(String, Found<'a>)> {
        self.text_like(key, "a string")
    }

    /// The same, with what it should be like for whoever wrote something else.
    pub fn text_like(&mut self, key: &str, like: &str) -> Option<(String, Found<'a>)> {
        let (text, found) = self.expect(key, like, |value| value.as_str().map(String::from))?;
        if text.is_empty() {
            self.complain(found, key, "it is empty");
            return None;
        }
        Some((text, found))
    }

    /// A boolean.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.expect(key, "true or false", DeValue::as_bool)
            .map(|(value, _)| value)
    }

    /// An array of strings that are not empty.
    pub fn texts(&mut self, key: &str) -> Option<(Vec<String>, Found<'a>)> {
        let found = self.find(key)?;
        let value = found.value.get_ref();
        if !value.is_array() {
            let (is, brackets) = (with_article(value.type_str()), value.is_str());
            let advice = if brackets { "; put it in brackets" } else { "" };
            self.complain(
                found,
                key,
                format!("it is {is}, not an array of strings{advice}"),
            );
            return None;
        }
        let mut texts = Vec::new();
        let mut is_good = true;
        for item in found.items() {
            match item.value.get_ref().as_str() {
                Some("") => self.complain(item, key, "an item is empty"),
                Some(text) => {
                    texts.push(text.to_owned());
                    continue;
                }
                None => {
                    let is = with_article(item.value.get_ref().type_str());
                    self.complain(item, key, format!("an item is {is}, not a string"));
                }
            }
            is_good = false;
        }
        is_good.then_some((texts, found))
    }

    /// A table, merged key by key with the layers beneath, for `read`.
    pub fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Keys<'a, '_>) -> T) -> Option<T> {
        let (_, _) = self.expect(key, "a table", DeValue::as_table)?;
        let layers = self
            .layers
            .iter()
            .filter_map(|layer| {
                Some(Layer {
                    source: layer.source,
                    table: layer.table.get(key)?.get_ref().as_table()?,
                })
            })
            .collect();
        let prefix = format!("{}{key}.", self.prefix);
        Some(read(&mut Keys::new(&prefix, layers, self.complaints)))
    }

    /// The names in this table, each once, with the place of the first.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for layer in &self.layers {
            for (key, _) in layer.table {
                let name = key.get_ref().as_ref();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// A path, relative to its file; `~` is the home.
    pub fn path(&mut self, key: &str) -> Option<PathBuf> {
        let (text, found) = self.text(key)?;
        Some(resolve_path(found.source, &text))
    }

    /// A program and its arguments. A program that is a path is relative to the file.
    pub fn command(&mut self, key: &str) -> Option<Vec<String>> {
        let (mut command, found) = self.texts(key)?;
        let Some(program) = command.first_mut() else {
            self.complain(found, key, "it is empty");
            return None;
        };
        if program.contains(std::path::is_separator) {
            let path = resolve_path(found.source, program);
            // What is no text any more is not found, and said so.
            *program = path.to_string_lossy().into_owned();
        }
        Some(command)
    }

    /// Where a secret comes from. A literal one is accepted in a file that nobody else can read.
    pub fn secret(&mut self, key: &str) -> Option<SecretSource> {
        self.source(key, SECRET_WAYS)
    }

    /// Whether the value of a key has the form of a secret's source.
    pub fn is_source(&self, key: &str) -> bool {
        let table = self
            .find(key)
            .and_then(|found| found.value.get_ref().as_table());
        table.is_some_and(|table| {
            let mut names = table.keys().map(|key| key.get_ref().as_ref());
            table.len() == 1 && names.all(|name| SECRET_WAYS.contains(&name))
        })
    }

    /// Where a token comes from: as a secret, or from another profile; with `or_stdin`, the caller
    /// may hand it over too.
    pub fn token_source(&mut self, key: &str, or_stdin: bool) -> Option<SecretSource> {
        self.source(
            key,
            if or_stdin {
                &TOKEN_WAYS
            } else {
                &TOKEN_WAYS[..5]
            },
        )
    }

    /// Where a secret comes from, in one of these ways. `None` also where it is one that the caller
    /// reads: that is not complained of.
    pub fn source(&mut self, key: &str, ways: &[&str]) -> Option<SecretSource> {
        let found = self.find(key)?;
        match found.value.get_ref() {
            DeValue::String(text) => {
                if !found.source.private {
                    let path = found.source.path.display();
                    self.complain(
                        found,
                        key,
                        format!(
                            "a literal secret in a file that others can read; use `{{ env = \
                             \"…\" }}`, `{{ file = \"…\" }}` or `{{ command = [\"…\"] }}`, or run \
                             `chmod 600 {path}`"
                        ),
                    );
                    return None;
                }
                Some(SecretSource::Literal(Secret::new(text.as_ref())))
            }
            DeValue::Table(_) => self.table(key, |keys| keys.secret_table(found, ways))?,
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                self.complain(found, key, "it is no string and no table");
                None
            }
        }
    }

    fn secret_table(&mut self, found: Found<'a>, ways: &[&str]) -> Option<SecretSource> {
        self.only_unseen(ways);
        // A layer beneath must not add a second way to the profile's own.
        self.layers.truncate(1);
        let given: Vec<&str> = ways
            .iter()
            .copied()
            .filter(|way| self.find(way).is_some())
            .collect();
        match given.as_slice() {
            ["env"] => self
                .text("env")
                .map(|(name, _)| SecretSource::Environment(name)),
            ["file"] => self.path("file").map(SecretSource::File),
            ["keyring"] => self
                .text("keyring")
                .map(|(name, _)| SecretSource::Keyring(name)),
            ["profile"] => self.text("profile").map(|(profile, _)| {
                SecretSource::Profile(OtherToken {
                    profile,
                    kind: None,
                })
            }),
            ["stdin"] => {
                let found = self.find("stdin")?;
                let is_so = self.boolean("stdin")?;
                if !is_so {
                    self.complain(found, "stdin", "`true` is all that it can be");
                }
                is_so.then_some(SecretSource::StandardInput)
            }
            ["command"] => self.command("command").map(SecretSource::Command),
            [_] => None,
            _ => {
                let (last, rest) = ways.split_last().expect("there are several ways");
                let problem = format!(
                    "`{}` needs exactly one of `{}` and `{last}`",
                    self.shown_prefix().trim_end_matches('.'),
                    rest.join("`, `"),
                );
                self.complain_at(&found.place(), problem);
                None
            }
        }
    }
}

/// The name of a type behind its article.
fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

fn resolve_path(source: &Source, text: &str) -> PathBuf {
    let home = |rest: &str| directories::home().map(|home| home.join(rest));
    if let Some(path) = text.strip_prefix("~/").and_then(home) {
        return path;
    }
    let path = source.path.parent().unwrap_or(Path::new("")).join(text);
    // Whose sign-in is whose depends on it, and not on how the profile file was named in a call.
    std::path::absolute(&path).unwrap_or(path)
}
