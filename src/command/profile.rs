//! `profile`: what the profile files say.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::{Entry, Shell, output_argument};
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::profile::file::{self, Location, refuse_complaints};
use crate::profile::preset::{ABOUT, PRESETS};
use crate::secret_source::SecretSource;
use crate::text::{printable, printable_url, shell_word};

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
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("list")
                .about("List the profiles, and the file of each")
                .arg(output_argument(&["text", "json"]).default_value("text")),
        )
        .subcommand(
            Command::new("show")
                .about("Show a profile; secrets are named by their source")
                .arg(name().help("The profile"))
                .arg(output_argument(&["toml", "json"]).default_value("toml")),
        )
        .subcommand(
            Command::new("check")
                .about("Read every profile, and complain of everything at once")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("This file instead of those that are used"),
                ),
        )
        .subcommand(
            Command::new("route")
                .about("Show which profile answers for a URL, and why")
                .arg(
                    Arg::new("url")
                        .value_name("URL")
                        .required(true)
                        .help("The URL"),
                )
                .arg(output_argument(&["text", "json"]).default_value("text")),
        )
        .subcommand(
            Command::new("presets")
                .about("Show what is known of providers, and where one registers a client")
                .arg(output_argument(&["text", "json"]).default_value("text")),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let text = match matches.subcommand() {
        Some(("list", matches)) => list(matches, shell)?,
        Some(("show", matches)) => show(matches, shell)?,
        Some(("check", matches)) => check(matches, shell)?,
        Some(("route", matches)) => route(matches, shell)?,
        Some(("presets", matches)) => presets(matches),
        _ => return Err(Error::new(ErrorKind::Usage, "no subcommand is named")),
    };
    shell.print(&text)
}

fn is_json(matches: &ArgMatches) -> bool {
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
                serde_json::json!({
                    "profile": name,
                    "file": path.display().to_string(),
                    "default": default == Some(name),
                })
            })
            .collect();
        return Ok(format!("{}\n", serde_json::json!({ "profiles": rows })));
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
fn no_file(location: &Location) -> Error {
    let error = Error::new(ErrorKind::NoProfile, "there is no profile");
    match location.user_file() {
        Some(path) => error.hint(format!(
            "write `[profiles.NAME]` with `client_id`, `authority` and `scopes` into `{}`",
            path.display()
        )),
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
    refuse_complaints(complaints).map_err(|error| match file {
        Some(file) => {
            let file = printable(&shell_word(&file.display().to_string()));
            error.hint(format!("`cred-helper profile check {file}` reads it again"))
        }
        None => error,
    })?;
    let mut count = 0;
    for (name, path) in configuration.profiles() {
        count += 1;
        let profile = configuration.profile(name)?;
        let secret = &profile.client.authentication.secret;
        if matches!(secret, Some(SecretSource::Literal(_))) {
            shell.context.warn(&format!(
                "{}: `profiles.{name}.client_secret` is written into the file; `{{ env = \"…\" }}`, \
                 `{{ file = \"…\" }}` or `{{ command = [\"…\"] }}` keeps it out",
                path.display()
            ));
        }
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
        return format!("{}\n", serde_json::json!({ "presets": rows }));
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

fn route(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let url = super::text(matches, "url").unwrap_or_default();
    // The answer, and the error where there is none or two are equally good.
    let chosen = configuration.resolve(None, Some(&url))?;
    let routes = configuration.route(&url, None)?;
    if is_json(matches) {
        let rows: Vec<_> = routes
            .iter()
            .map(|route| serde_json::json!({ "profile": route.profile, "pattern": route.pattern }))
            .collect();
        let answer = serde_json::json!({ "profile": chosen.name, "matches": rows });
        return Ok(format!("{answer}\n"));
    }
    let mut text = format!("{} answers for {}\n", chosen.name, printable_url(&url));
    for (index, route) in routes.iter().enumerate() {
        let why = if index == 0 {
            "matches best"
        } else {
            "matches less exactly"
        };
        text.push_str(&format!("  {}: `{}` {why}\n", route.profile, route.pattern));
    }
    Ok(text)
}
