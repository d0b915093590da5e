//! `setup`: has a tool ask us, by its own configuration.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::profile::no_file;
use super::{Entry, Shell, columns, output_argument, profile_argument, text};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::exchange;
use crate::profile::route::Target;
use crate::profile::{Configuration, Profile};
use crate::setup::{self, Answering, Choice, Listed, Machine, SETUPS, Wish, stand_ins};
use crate::text::{printable, printable_url};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "setup",
    command,
    run,
};

fn command(command: Command) -> Command {
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    command
        .about("Have a tool ask cred-helper, by the tool's own configuration")
        .arg_required_else_help(true)
        .after_help(
            "Examples:\n  cred-helper setup git --dry-run\n  cred-helper setup docker -p azure\n  \
             cred-helper setup cargo --undo\n  cred-helper setup --list",
        )
        .arg(
            Arg::new("tool")
                .value_name("TOOL")
                .value_parser(tools())
                .required_unless_present("list")
                .help("The tool"),
        )
        .arg(profile_argument().help("For this profile, which is named in the configuration"))
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .help("For this URL instead of the profile's `urls`"),
        )
        .arg(switch("dry-run").help("Show what would be written, and write nothing"))
        .arg(switch("undo").help("Take out what setup wrote, and nothing else"))
        .arg(
            switch("list")
                .conflicts_with_all(["tool", "profile", "url", "dry-run", "undo"])
                .help("Show which tools are here, and which of them ask cred-helper"),
        )
        .arg(
            output_argument(&["text", "json"])
                .requires("list")
                .conflicts_with("tool")
                .help("How to print the list"),
        )
}

/// The names that a tool is known by; those in the help are one for each.
fn tools() -> PossibleValuesParser {
    let own = SETUPS.iter();
    let own = own.map(|entry| PossibleValue::new(entry.name).aliases(entry.aliases));
    PossibleValuesParser::new(own.chain(stand_ins().map(PossibleValue::new)))
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let machine = Machine::new(shell.context)?;
    if matches.get_flag("list") {
        return list(matches, shell, &machine);
    }
    let name = text(matches, "tool").unwrap_or_default();
    if let Some(tool) = stand_ins().find(|tool| *tool == name) {
        return stand_in(tool, matches, shell, &machine);
    }
    let entry = SETUPS.iter().find(|entry| entry.is_named(&name));
    let entry = entry.ok_or_else(|| Error::new(ErrorKind::Usage, "no tool is named"))?;
    let is_dry = matches.get_flag("dry-run");
    let profile = text(matches, "profile");
    let url = text(matches, "url").map(|url| target(&url)).transpose()?;
    if matches.get_flag("undo") {
        let choice = Choice { profile, url };
        let mut say = |text: &str| shell.io.answer(text);
        return setup::undo(entry, &machine, &choice, is_dry, &mut say);
    }
    let wish = wish(entry.protocol, profile.as_deref(), url, shell)?;
    if let Some(only) = &shell.location.only
        && shell
            .context
            .environment
            .variable("CRED_HELPER_CONFIG")
            .is_none()
    {
        let only = std::path::absolute(only).unwrap_or_else(|_| only.clone());
        shell.context.warn(&format!(
            "{} will not know of `--config`: set CRED_HELPER_CONFIG to `{}` for it",
            entry.name,
            only.display()
        ));
    }
    let mut say = |text: &str| shell.io.answer(text);
    setup::set_up(entry, &machine, &wish, is_dry, &mut say)
}

/// Has a tool's own name lead to us. Neither profile nor URL can stand in it.
fn stand_in(
    tool: &str,
    matches: &ArgMatches,
    shell: &mut Shell<'_, '_>,
    machine: &Machine<'_>,
) -> Result<(), Error> {
    if text(matches, "profile").is_some() || text(matches, "url").is_some() {
        let message =
            format!("`{tool}` is no more than a link, which names neither profile nor URL");
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("set CRED_HELPER_PROFILE for those programs that one profile is to answer"));
    }
    let is_dry = matches.get_flag("dry-run");
    let mut say = |text: &str| shell.io.answer(text);
    if matches.get_flag("undo") {
        setup::undo_stand_in(tool, machine, is_dry, &mut say)
    } else {
        setup::set_up_stand_in(tool, machine, is_dry, &mut say)
    }
}

fn target(url: &str) -> Result<Target, Error> {
    Target::parse(url.strip_prefix("sparse+").unwrap_or(url)).ok_or_else(|| {
        let url = printable_url(url);
        Error::new(
            ErrorKind::Usage,
            format!("`{url}` is no URL that a token may go to"),
        )
        .hint("a URL is `https://host[:port]/path`, or `http` on loopback")
    })
}

/// For which profiles and URLs the tool is to ask us.
fn wish(
    tool: &str,
    profile: Option<&str>,
    url: Option<Target>,
    shell: &Shell<'_, '_>,
) -> Result<Wish, Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    // What is asked for in place of a token is chosen by the profile's name.
    let is_by_name = exchange::needed_by(tool).is_some();
    let profiles = match (profile, &url) {
        (None, None) => {
            let profiles = profiles(&configuration, &shell.context);
            let mut profiles = answering(&configuration, tool, &profiles);
            profiles.retain(|profile| is_by_name || !profile.urls.is_empty());
            if configuration.profiles().next().is_none() {
                return Err(no_file(shell.location));
            }
            if profiles.is_empty() && is_by_name {
                return Err(Error::new(
                    ErrorKind::NoProfile,
                    format!("no profile says what {tool} gets for its token"),
                )
                .hint(format!("add `[profiles.NAME.{tool}]` to one")));
            }
            if profiles.is_empty() {
                return Err(Error::new(
                    ErrorKind::NoProfile,
                    format!("no profile has `urls` for which {tool} could ask"),
                )
                .hint("add `urls = [\"https://HOST/\"]` to one"));
            }
            profiles
        }
        (name, url) => {
            let url = url.as_ref().map(ToString::to_string);
            let profile = configuration.resolve(name, url.as_deref())?;
            configuration.allow(tool, &profile)?;
            profile.exchange_for(tool)?;
            answering(&configuration, tool, &[profile])
        }
    };
    Ok(Wish {
        url,
        profiles,
        is_named: profile.is_some(),
    })
}

/// Every profile. A mistake in one is told, and does not stop the others.
fn profiles(configuration: &Configuration<'_>, context: &Context<'_>) -> Vec<Profile> {
    let mut profiles = Vec::new();
    for (name, _) in configuration.profiles() {
        match configuration.profile(name) {
            Ok(profile) => profiles.push(profile),
            Err(error) => context.warn(&format!("left out profile `{name}`: {error}")),
        }
    }
    profiles
}

/// What those of the profiles answer for that a tool may use.
pub(super) fn answering(
    configuration: &Configuration<'_>,
    tool: &str,
    profiles: &[Profile],
) -> Vec<Answering> {
    let usable = |profile: &&Profile| {
        configuration.allow(tool, profile).is_ok() && profile.exchange_for(tool).is_ok()
    };
    let usable = profiles.iter().filter(usable);
    usable
        .map(|profile| Answering {
            name: profile.name.clone(),
            urls: profile.urls.clone(),
        })
        .collect()
}

fn list(
    matches: &ArgMatches,
    shell: &mut Shell<'_, '_>,
    machine: &Machine<'_>,
) -> Result<(), Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let profiles = profiles(&configuration, &shell.context);
    let look = |entry: &setup::Entry| {
        let profiles = answering(&configuration, entry.protocol, &profiles);
        setup::list(entry, machine, &profiles)
    };
    let stand_ins = stand_ins().map(|tool| setup::list_stand_in(tool, machine));
    let listed: Vec<Listed> = SETUPS.iter().map(look).chain(stand_ins).collect();
    let printed = if text(matches, "output").as_deref() == Some("json") {
        let rows: Vec<_> = listed.iter().map(row).collect();
        format!("{}\n", json!({ "tools": rows }))
    } else {
        table(&listed)
    };
    shell.print(&printed)
}

fn row(listed: &Listed) -> serde_json::Value {
    let wiring = listed.wiring.as_ref().ok();
    let wired: Vec<_> = wiring
        .iter()
        .flat_map(|wiring| &wiring.wired)
        .map(|wired| json!({ "for": wired.target, "profile": wired.profile }))
        .collect();
    let in_front: Vec<_> = wiring
        .iter()
        .flat_map(|wiring| &wiring.in_front)
        .map(|other| json!({ "for": other.target, "helper": other.helper }))
        .collect();
    json!({
        "tool": listed.tool,
        "installed": listed.program.is_some(),
        "program": listed.program.as_ref().map(|path| path.display().to_string()),
        "version": listed.version,
        "file": listed.file.display().to_string(),
        "wired": wired,
        "in_front": in_front,
        "error": listed.wiring.as_ref().err().map(Error::to_json),
    })
}

fn table(listed: &[Listed]) -> String {
    let mut lines = vec![["TOOL", "VERSION", "ASKS US FOR", "PROFILE", "NOTE"].map(String::from)];
    for one in listed {
        let version = match (&one.program, &one.version) {
            (None, _) => "not here",
            (Some(_), Some(version)) => version,
            (Some(_), None) => "unknown",
        };
        let mut rows: Vec<[String; 3]> = Vec::new();
        match &one.wiring {
            Err(error) => rows.push(["-".into(), "-".into(), error.to_string()]),
            Ok(wiring) => {
                for wired in &wiring.wired {
                    let profile = wired.profile.as_deref().unwrap_or("by the call");
                    rows.push([wired.target.clone(), profile.to_owned(), String::new()]);
                }
                for other in &wiring.in_front {
                    let note = format!("{} asks `{}`", other.target, other.helper);
                    rows.push(["-".into(), "-".into(), note]);
                }
            }
        }
        if rows.is_empty() {
            rows.push(["-".into(), "-".into(), String::new()]);
        }
        for (index, row) in rows.into_iter().enumerate() {
            // Names in a tool's configuration are anybody's.
            let [target, profile, note] = row.map(|cell| printable(&cell));
            let (tool, version) = match index {
                0 => (shown_name(one), version),
                _ => (String::new(), ""),
            };
            lines.push([tool, version.to_owned(), target, profile, note]);
        }
    }
    columns(&lines)
}

/// The tool's name, and that of its program where that is here under another one.
fn shown_name(listed: &Listed) -> String {
    let program = listed.program.as_deref();
    let program = program.and_then(|program| program.file_stem()?.to_str());
    match program.filter(|program| *program != listed.tool) {
        Some(program) => format!("{} ({})", listed.tool, printable(program)),
        None => listed.tool.to_owned(),
    }
}
