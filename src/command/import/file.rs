//! `profile import FILE`: profiles of what another program's configuration says.
//!
//! No secret is copied: a profile names where it is to come from, and a person puts it there.
//!
//! To add a format: a file with a [`Format`], and a line in [`FORMATS`].

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::super::profile_file::{self, Wanted};
use super::super::{Shell, profile_text, text};
use super::{azureauth, git_helper, kubeconfig, oidc_agent, parameters};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::profile::PROFILE_KEYS;
use crate::secret::Secret;
use crate::system::{directories, process};
use crate::text::printable;

/// How large may a configuration be?
const LONGEST: u64 = 1024 * 1024;

/// Files of one program.
pub(super) struct Format {
    /// What they are called for people.
    name: &'static str,
    /// Whether a file is one.
    is: fn(&Input<'_>) -> bool,
    /// What it says.
    read: fn(&Input<'_>) -> Result<Vec<Found>, Error>,
}

/// All of them. The first that knows a file reads it.
const FORMATS: &[Format] = &[
    Format {
        name: "an account of oidc-agent (`oidc-gen -p ACCOUNT`)",
        is: oidc_agent::is,
        read: oidc_agent::read,
    },
    Format {
        name: "`parameters.json` of MSAL's samples",
        is: parameters::is,
        read: parameters::read,
    },
    Format {
        name: "a kubeconfig with kubelogin",
        is: kubeconfig::is,
        read: kubeconfig::read,
    },
    Format {
        name: "git's configuration for git-credential-oauth or Git Credential Manager",
        is: git_helper::is,
        read: git_helper::read,
    },
    Format {
        name: "the configuration of azureauth",
        is: azureauth::is,
        read: azureauth::read,
    },
];

/// A file, and what it is read with. It may hold secrets.
pub(super) struct Input<'a> {
    /// Where it lies.
    pub(super) path: &'a Path,
    /// What it says.
    pub(super) text: &'a str,
    /// The same, if it is JSON.
    pub(super) json: Option<Json>,
    /// The same, if it is TOML.
    pub(super) toml: Option<toml::Table>,
    /// The effects.
    context: Context<'a>,
}

impl Input<'_> {
    /// Has the program that a file belongs to read it.
    ///
    /// # Errors
    /// `config`, if the program is not there, or does not understand it.
    pub(super) fn ask(&self, tool: &str, arguments: &[&str]) -> Result<Secret, Error> {
        /// How long may a program read a file?
        const LIMIT: Duration = Duration::from_secs(20);
        let failed = |reason: String| {
            let message = format!("{tool} cannot read `{}`", self.path.display());
            Error::new(ErrorKind::Config, message).because(reason)
        };
        let program = process::find(tool, self.context.environment).ok_or_else(|| {
            failed(format!("`{tool}` is not on PATH"))
                .hint(format!("install {tool}: its files are its own to read"))
        })?;
        let home = directories::home().unwrap_or_default();
        process::ask(&program, arguments, &home, LIMIT)
            .map_err(|reason| failed(reason).hint("mend what the cause names"))
    }

    /// A path that the file names, for a profile that lies elsewhere.
    pub(super) fn beside(&self, path: &str) -> String {
        if path.starts_with("~/") {
            return path.to_owned();
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path).display().to_string()
    }

    /// The name of the file, without its ending.
    pub(super) fn stem(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }
}

/// A profile as a file tells of it.
pub(super) struct Found {
    /// What it is called there.
    pub(super) name: String,
    /// What the profile says.
    pub(super) keys: toml::Table,
    /// What it does not say: a key of the file, and why or what to do.
    pub(super) notes: Vec<(String, String)>,
}

impl Found {
    /// One that says nothing yet.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: profile_name(name),
            keys: toml::Table::new(),
            notes: Vec::new(),
        }
    }

    /// Carries something over.
    pub(super) fn put(&mut self, key: &str, value: impl Into<toml::Value>) {
        self.keys.insert(key.to_owned(), value.into());
    }

    /// Carries something over into a table.
    pub(super) fn put_in(&mut self, table: &str, key: &str, value: impl Into<toml::Value>) {
        let entry = self.keys.entry(table);
        let below = entry.or_insert_with(|| toml::Table::new().into());
        if let Some(below) = below.as_table_mut() {
            below.insert(key.to_owned(), value.into());
        }
    }

    /// Says how to sign in, beside what is said of that already.
    pub(super) fn put_grant(&mut self, grant: &str) {
        self.put_in("grant", "type", grant);
    }

    /// Says that a key was not carried over.
    pub(super) fn leave(&mut self, key: &str, reason: impl Into<String>) {
        self.notes.push((key.to_owned(), reason.into()));
    }

    /// Has the profile name a variable for a secret that `key` holds.
    pub(super) fn leave_secret(&mut self, key: &str, own: &str, variable: Option<&str>) {
        let variable = variable.map_or_else(|| self.variable(own), String::from);
        let source = toml::Table::from_iter([("env".to_owned(), variable.as_str().into())]);
        self.put(own, source);
        self.leave(
            key,
            format!(
                "secrets are not copied; the profile takes it from the variable `{variable}`: set it, \
                 or write `{own} = {{ file = \"…\" }}`, `{{ keyring = \"…\" }}` or `{{ command = […] }}`"
            ),
        );
    }

    /// A variable that is named after the profile.
    fn variable(&self, own: &str) -> String {
        let name = format!("{}_{own}", self.name);
        let letter = |one: char| match one.is_ascii_alphanumeric() {
            true => one.to_ascii_uppercase(),
            false => '_',
        };
        let name: String = name.chars().map(letter).collect();
        match name.starts_with(|first: char| first.is_ascii_digit()) {
            true => format!("_{name}"),
            false => name,
        }
    }

    /// The grant's table in its short form, where its name is all there is to say.
    fn finished(mut self) -> Self {
        let grant = self.keys.get_mut("grant");
        if let Some(toml::Value::Table(grant)) = grant {
            grant.entry("type").or_insert_with(|| "auto".into());
            let name = grant.get("type").filter(|_| grant.len() == 1).cloned();
            if let Some(name) = name {
                self.put("grant", name);
            }
        }
        // A key that no profile has is no reason to refuse the rest.
        let is_known = |key: &&String| PROFILE_KEYS.iter().any(|(known, _)| known == key);
        let unknown: Vec<String> = self
            .keys
            .keys()
            .filter(|key| !is_known(key))
            .cloned()
            .collect();
        for key in unknown {
            self.keys.remove(&key);
            self.leave(&key, "a profile has nothing like it");
        }
        self
    }
}

/// A name as a profile may have it.
fn profile_name(name: &str) -> String {
    let letter = |one: char| match one.is_ascii_alphanumeric() || "-_.".contains(one) {
        true => one,
        false => '-',
    };
    let name: String = name.chars().map(letter).collect();
    let name = name.trim_start_matches(['-', '.']).trim_end_matches('-');
    match name {
        "" => "imported".to_owned(),
        name => name.to_owned(),
    }
}

/// Writes profiles for what a file says.
pub(super) fn import(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let file = matches.get_one::<PathBuf>("file").cloned();
    let file = file.unwrap_or_default();
    let path = std::path::absolute(&file).unwrap_or(file);
    let text_of_file = read_file(&path)?;
    let input = Input {
        path: &path,
        text: text_of_file.trim_start_matches('\u{feff}'),
        json: serde_json::from_str(&text_of_file).ok(),
        toml: text_of_file.parse().ok(),
        context: shell.context,
    };
    let Some(format) = FORMATS.iter().find(|format| (format.is)(&input)) else {
        return Err(unknown(&input));
    };
    let mut found = (format.read)(&input)?;
    name_apart(&mut found);
    if let Some(entry) = text(matches, "entry") {
        let names: Vec<String> = found.iter().map(|found| found.name.clone()).collect();
        found.retain(|found| found.name == entry || found.name == profile_name(&entry));
        if found.is_empty() {
            let message = format!("`{}` has no `{}`", path.display(), printable(&entry));
            return Err(
                Error::new(ErrorKind::Usage, message).hint(format!("it has: {}", names.join(", ")))
            );
        }
    }
    if found.is_empty() {
        let message = format!("`{}` names no client", path.display());
        return Err(Error::new(ErrorKind::Config, message)
            .because(format!("it looks like {}", format.name))
            .hint("check that it is the right file"));
    }
    if let Some(name) = text(matches, "name") {
        let [only] = &mut found[..] else {
            let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
            let message = format!("`--name` is for one, and `{}` has several", path.display());
            return Err(Error::new(ErrorKind::Usage, message)
                .hint(format!("choose with `--entry`: {}", names.join(", "))));
        };
        only.name = name;
    }
    write_all(found, &path, matches, shell)
}

/// Of several with one name, as two parts of one host, the second is `NAME-2`, and so on.
fn name_apart(found: &mut [Found]) {
    let mut taken = BTreeSet::new();
    for found in found {
        let name = found.name.clone();
        let mut number = 1;
        while !taken.insert(found.name.clone()) {
            number += 1;
            found.name = format!("{name}-{number}");
        }
    }
}

/// Writes each; one that is refused does not hold up the others.
fn write_all(
    found: Vec<Found>,
    path: &Path,
    matches: &ArgMatches,
    shell: &Shell<'_, '_>,
) -> Result<String, Error> {
    let is_one = found.len() == 1;
    let mut done = String::new();
    for found in found {
        let found = found.finished();
        match write(&found, path, matches, shell) {
            Ok(text) => {
                if !done.is_empty() && matches.get_flag("dry-run") {
                    done.push('\n');
                }
                done.push_str(&text);
            }
            Err(error) if is_one => return Err(error),
            Err(error) => {
                let causes = error.causes().join("; ");
                let hint = error.hint_text().unwrap_or_default();
                let more: Vec<&str> = [causes.as_str(), hint]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .collect();
                let told = format!("{}: {}", error.message(), more.join("; "));
                shell.context.warn(&told);
            }
        }
    }
    if done.is_empty() {
        let message = format!("nothing of `{}` could be taken in", path.display());
        return Err(
            Error::new(ErrorKind::Config, message).hint("take one at a time, with `--entry`")
        );
    }
    Ok(done)
}

fn write(
    found: &Found,
    path: &Path,
    matches: &ArgMatches,
    shell: &Shell<'_, '_>,
) -> Result<String, Error> {
    let Found { name, keys, notes } = found;
    let comment = format!("From `{}`.", path.display());
    let wanted = Wanted {
        name,
        keys,
        comment: &comment,
        replaces: matches.get_flag("replace"),
        if_taken: "name another one with `--name`, or say `--replace`",
    };
    profile_file::check_keys(name, keys, shell)?;
    let text = if matches.get_flag("dry-run") {
        profile_file::prove(&wanted, shell)?;
        profile_text::text_of(name, keys, &comment)
    } else {
        let written = profile_file::write(&wanted, shell)?.path;
        format!("wrote profile `{name}` into `{}`\n", written.display())
    };
    for (key, reason) in notes {
        shell.context.warn(&format!(
            "profile `{name}`: `{}` was not carried over: {reason}",
            printable(key)
        ));
    }
    Ok(text)
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            ErrorKind::Config,
            format!("`{}` cannot be read", path.display()),
        )
        .because(error)
        .hint("check the file's name")
    };
    let is_file = fs::metadata(path).map_err(failed)?.is_file();
    if !is_file {
        // A pipe would be waited for.
        return Err(failed(std::io::Error::other("it is no file")));
    }
    let file = fs::File::open(path).map_err(failed)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > LONGEST {
        return Err(failed(std::io::Error::other("it is too large")));
    }
    Ok(text)
}

/// The error for a file that is none of them, or that is another way's.
fn unknown(input: &Input<'_>) -> Error {
    let path = input.path.display();
    let error = Error::new(
        ErrorKind::Config,
        format!("`{path}` is nothing that can be imported"),
    );
    let has = |key: &str| input.json.as_ref().is_some_and(|json| !json[key].is_null());
    if has("RefreshToken") || has("AccessToken") {
        return Error::new(ErrorKind::Config, format!("`{path}` is a cache of MSAL"))
            .hint(format!("run `cred-helper profile import --msal {path}`"));
    }
    if oidc_agent::is_encrypted(input.text) {
        return Error::new(
            ErrorKind::Config,
            format!("`{path}` is an encrypted account of oidc-agent"),
        )
        .hint("print it with `oidc-gen -p ACCOUNT > FILE`, import that file, and delete it");
    }
    if input
        .toml
        .as_ref()
        .is_some_and(|table| table.contains_key("profiles"))
    {
        return error
            .because("it is a profile file")
            .hint("put it into `profiles.d` beside `profiles.toml`, or name it with `--config`");
    }
    let known: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    error.hint(format!("what is known: {}", known.join("; ")))
}

/// The text of a member that is not empty.
pub(super) fn member<'j>(json: &'j Json, key: &str) -> Option<&'j str> {
    json[key].as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Found, name_apart, profile_name};

    #[test]
    fn of_several_with_one_name_each_gets_its_own() {
        let mut found = ["a", "b", "a", "a", "a-2"].map(Found::new);
        name_apart(&mut found);
        let names = found.map(|found| found.name);
        assert_eq!(names, ["a", "b", "a-2", "a-3", "a-2-2"]);
    }

    #[test]
    fn a_name_of_anything_becomes_one_of_a_profile() {
        for (given, expected) in [
            ("oidc", "oidc"),
            ("clusterUser_group_name", "clusterUser_group_name"),
            ("https://gitlab.example.com", "https---gitlab.example.com"),
            ("arn:aws:eks/\u{1b}[31m", "arn-aws-eks---31m"),
            ("-.x-", "x"),
            ("ü", "imported"),
            ("", "imported"),
        ] {
            assert_eq!(profile_name(given), expected, "{given}");
        }
    }

    #[test]
    fn a_variable_for_a_secret_is_named_after_the_profile() {
        for (name, expected) in [("a-b.c", "A_B_C_CLIENT_SECRET"), ("1", "_1_CLIENT_SECRET")] {
            let mut found = Found::new(name);
            found.leave_secret("secret", "client_secret", None);
            assert_eq!(found.keys["client_secret"]["env"].as_str(), Some(expected));
            assert!(found.notes[0].1.contains(expected));
        }
    }
}
