//! `profile`: what the profile files say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::{Entry, Shell, import, output_argument, profile_argument, route};
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::profile::file::{self, Location};
use crate::profile::preset::{ABOUT, PRESETS};
use crate::protocol::tools;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "profile",
    command,
    run,
};

fn command(command: Command) -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true);
    command
        .about("Show and check profiles")
        .after_help("Example:\n  cred-helper profile list")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("list")
                .about("List the profiles, and the file of each")
                .after_help("Example:\n  cred-helper profile list -o json")
                .arg(output_argument(&["text", "json"]).default_value("text")),
        )
        .subcommand(
            Command::new("show")
                .about("Show a profile; secrets are named by their source")
                .after_help("Example:\n  cred-helper profile show graph")
                .arg(name().help("The profile"))
                .arg(output_argument(&["toml", "json"]).default_value("toml")),
        )
        .subcommand(
            Command::new("check")
                .about("Read every profile, and complain of everything at once")
                .after_help("Example:\n  cred-helper profile check ./profiles.toml")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("This file instead of those that are used"),
                ),
        )
        .subcommand(import::command())
        .subcommand(
            Command::new("route")
                .about("Show which profile answers for a URL, and why")
                .after_help("Example:\n  cred-helper profile route https://github.com/team/project")
                .arg(
                    Arg::new("url")
                        .value_name("URL")
                        .required(true)
                        .help("The URL, or what a tool sends: `sparse+https://…`, `HOST:PORT`"),
                )
                .arg(profile_argument().help("As if a tool's helper were given this -p"))
                .arg(
                    Arg::new("tool")
                        .long("tool")
                        .value_name("TOOL")
                        .value_parser(PossibleValuesParser::new(tools()))
                        .help("Say too whether this tool may use the profile"),
                )
                .arg(output_argument(&["text", "json"]).default_value("text")),
        )
        .subcommand(
            Command::new("presets")
                .about("Show what is known of providers, and where one registers a client")
                .after_help("Example:\n  cred-helper profile presets -o json")
                .arg(output_argument(&["text", "json"]).default_value("text")),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let text = match matches.subcommand() {
        Some(("list", matches)) => list(matches, shell)?,
        Some(("show", matches)) => show(matches, shell)?,
        Some(("check", matches)) => check(matches, shell)?,
        Some(("import", matches)) => import::import(matches, shell)?,
        Some(("route", matches)) => route::route(matches, shell)?,
        Some(("presets", matches)) => presets(matches),
        _ => return Err(Error::new(ErrorKind::Usage, "no subcommand is named")),
    };
    shell.print(&text)
}

pub(super) fn is_json(matches: &ArgMatches) -> bool {
    super::text(matches, "output").as_deref() == Some("json")
}

fn list(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let default = configuration.default_profile();
    if is_json(matches) {
        let rows: Vec<_> = configuration
            .profiles()
            .map(|(name, path)| {
                json!({
                    "profile": name,
                    "file": path.display().to_string(),
                    "default": default == Some(name),
                })
            })
            .collect();
        return Ok(format!("{}\n", json!({ "profiles": rows })));
    }
    let mut text = String::new();
    for (name, path) in configuration.profiles() {
        let mark = if default == Some(name) {
            " (default)"
        } else {
            ""
        };
        text.push_str(&format!("{name}{mark}\t{}\n", path.display()));
    }
    if text.is_empty() {
        return Err(no_file(shell.location));
    }
    Ok(text)
}

/// The error where there is no profile at all.
pub(super) fn no_file(location: &Location) -> Error {
    let error = Error::new(ErrorKind::NoProfile, "there is no profile");
    match location.first_profile_hint() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn show(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let name = super::text(matches, "name").unwrap_or_default();
    let profile = configuration.profile(&name)?;
    let table = profile.to_toml();
    if is_json(matches) {
        let value = serde_json::to_value(&table).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "BUG: a profile cannot be written as JSON",
            )
            .because(error)
        })?;
        return Ok(format!("{value}\n"));
    }
    let mut profiles = toml::Table::new();
    profiles.insert(name, table.into());
    let mut document = toml::Table::new();
    document.insert("profiles".to_owned(), profiles.into());
    Ok(format!("# {}\n{document}", profile.file.display()))
}

fn check(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let file = matches.get_one::<PathBuf>("file");
    let location = match file {
        Some(file) => Location {
            only: Some(file.clone()),
            ..shell.location.clone()
        },
        None => shell.location.clone(),
    };
    let sources = file::read(&location).map_err(|error| match file {
        // No option and no variable is to blame.
        Some(_) if error.kind() == ErrorKind::NoProfile => error.hint("check the file's name"),
        _ => error,
    })?;
    let (configuration, complaints) = Configuration::check(&sources);
    file::as_error(complaints)?;
    let mut count = 0;
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for (name, path) in configuration.profiles() {
        count += 1;
        let profile = configuration.profile(name)?;
        for pattern in &profile.urls {
            let first = *named.entry(pattern.canonical()).or_insert(name);
            if first != name {
                shell.context.warn(&format!(
                    "{}: `{}` of `profiles.{name}` is one of `profiles.{first}` too; a call for it \
                     has to name one of them, as with -p",
                    path.display(),
                    pattern.as_str()
                ));
            }
        }
        if profile.tools.as_ref().is_some_and(Vec::is_empty) {
            shell.context.warn(&format!(
                "{}: `profiles.{name}.tools` is empty: no tool may use the profile; without the key, \
                 all may",
                path.display()
            ));
        }
        let of_client = profile.client.authentication.literals();
        let of_grant = profile.grant_literals.iter().map(String::as_str);
        for key in of_client.into_iter().chain(of_grant) {
            shell.context.warn(&format!(
                "{}: `profiles.{name}.{key}` is written into the file; `{{ env = \"…\" }}`, \
                 `{{ file = \"…\" }}` or `{{ command = [\"…\"] }}` keeps it out",
                path.display()
            ));
        }
    }
    if let Some(place) = configuration.overruled_seal() {
        shell.context.warn(&format!(
            "{place}: `store.seal`: this machine's policy says another one, which counts"
        ));
    }
    if count == 0 {
        return Err(no_file(&location));
    }
    let profiles = if count == 1 { "profile" } else { "profiles" };
    Ok(format!("{count} {profiles}, nothing to complain of\n"))
}

fn presets(matches: &ArgMatches) -> String {
    if is_json(matches) {
        let rows: Vec<_> = PRESETS
            .iter()
            .map(|preset| {
                let mut row = serde_json::Map::new();
                row.insert("preset".to_owned(), preset.name.into());
                for key in ABOUT {
                    row.insert((*key).to_owned(), preset.about(key).into());
                }
                row
            })
            .collect();
        return format!("{}\n", json!({ "presets": rows }));
    }
    let mut text = String::new();
    for preset in PRESETS {
        text.push_str(&format!("{}\n", preset.name));
        for key in ABOUT {
            let about = preset.about(key).unwrap_or_default();
            text.push_str(&format!("  {key:<10}  {about}\n"));
        }
    }
    text
}
