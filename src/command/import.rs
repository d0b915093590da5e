//! `profile import`: sign-ins of other programs, as profiles of ours; and their configurations, in
//! [`mod@file`].
//!
//! To add a program: a file that makes profiles of its configuration, and a line in `file::FORMATS`.

mod azureauth;
mod file;
mod git_helper;
mod kubeconfig;
mod oidc_agent;
mod parameters;

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::profile_file::Wanted;
use super::{Shell, profile_file, profile_text, text};
use crate::credential::{Action, Request, Response};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::grant::Asks;
use crate::oauth::entra;
use crate::profile::{Configuration, Profile};
use crate::store::msal::copy::{self, Client};
use crate::text::printable;

/// A client that many have: what its profile is called, and what its tokens are for.
type Known = (&'static str, &'static str, Option<&'static str>);

/// All of them.
const KNOWN: &[Known] = &[
    (
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "azure-cli",
        Some(RESOURCE_MANAGER),
    ),
    (
        "1950a258-227b-4e31-a9cf-717495945fc2",
        "azure-powershell",
        Some(RESOURCE_MANAGER),
    ),
    (
        "872cd9fa-d31f-45e0-9eab-6e460a02d1f1",
        "visual-studio",
        None,
    ),
    (
        "aebc6443-996d-45c2-90f0-388ff96faa56",
        "visual-studio-code",
        None,
    ),
];

const RESOURCE_MANAGER: &str = "https://management.core.windows.net//.default";

/// The subcommand.
pub(super) fn command() -> Command {
    let option =
        |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    let command = Command::new("import")
        .about("Write profiles for what other programs say, or take in their sign-ins")
        .after_help(
            "FILE is `parameters.json` of MSAL's samples, a kubeconfig with kubelogin, git's \
             configuration for git-credential-oauth or Git Credential Manager, azureauth's, or an account \
             of oidc-agent. No secret is copied; what could not be carried over is told.\n\nWith \
             `--msal` the sign-ins are copied: both programs have them from then on. To have one for \
             both, write `session = { msal = \"FILE\" }` into a profile.\n\nExamples:\n  cred-helper \
             profile import ~/.kube/config --dry-run\n  cred-helper profile import parameters.json --name \
             graph\n  cred-helper profile import --msal ~/.azure/msal_token_cache.json",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .required_unless_present("msal")
                .help("The configuration of another program"),
        )
        .arg(option("name", "NAME").help("What the profile is called"))
        .arg(
            option("entry", "NAME")
                .conflicts_with("msal")
                .help("This entry of the file alone: a user, a host, an alias"),
        )
        .arg(
            Arg::new("replace")
                .long("replace")
                .action(ArgAction::SetTrue)
                .conflicts_with("msal")
                .help("Take the place of profiles that have the same name"),
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Only show what would be written"),
        );
    with_cache(command)
}

/// What is for caches of MSAL alone.
fn with_cache(command: Command) -> Command {
    let option =
        |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    command
        .arg(
            option("msal", "FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .conflicts_with("file")
                .help("The cache of a program that uses MSAL"),
        )
        .arg(
            option("client", "ID")
                .requires("msal")
                .help("This client's sign-ins alone"),
        )
        .arg(
            option("account", "A")
                .requires("msal")
                .help("This account alone"),
        )
        .arg(
            option("scope", "SCOPE")
                .action(ArgAction::Append)
                .requires("msal")
                .help("What its tokens are for, where the cache does not tell"),
        )
        .arg(
            option("authority", "URL")
                .requires("msal")
                .help("Its authority, where the cache does not tell"),
        )
        .arg(
            option("preset", "P")
                .requires("msal")
                .help("What provider that is: see `profile presets`"),
        )
}

/// What becomes of one client.
enum Plan {
    /// Its sign-ins are for a profile that is there.
    Known(String),
    /// A profile is written for it.
    New(String, toml::Table),
}

/// Writes profiles for what a file says.
pub(super) fn import(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    match matches.contains_id("msal") {
        true => import_cache(matches, shell),
        false => file::import(matches, shell),
    }
}

/// Writes profiles for the clients of a cache, and takes in their sign-ins.
fn import_cache(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let file = matches
        .get_one::<PathBuf>("msal")
        .cloned()
        .unwrap_or_default();
    let file = std::path::absolute(&file).unwrap_or(file);
    let mut clients = copy::clients(&file, &shell.context)?;
    if let Some(wanted) = text(matches, "client") {
        clients.retain(|client| client.client_id.eq_ignore_ascii_case(&wanted));
    }
    if let Some(wanted) = text(matches, "account") {
        clients.retain(|client| client.knows(&wanted));
    }
    let shown = file.display();
    let is_one = clients.len() == 1;
    if clients.is_empty() {
        let message = format!("no such sign-in lies in `{shown}`");
        return Err(Error::new(ErrorKind::LoginRequired, message).hint(
            "sign in with the program that it belongs to; see what `--client` and `--account` name",
        ));
    }
    let mut of_one = ["name", "preset", "scope", "authority"].into_iter();
    if let Some(option) = of_one.find(|name| matches.contains_id(name))
        && !is_one
    {
        let message = format!("`--{option}` is for one client, and `{shown}` has several");
        let ids: Vec<String> = clients
            .iter()
            .map(|client| printable(&client.client_id))
            .collect();
        return Err(Error::new(ErrorKind::Usage, message)
            .hint(format!("choose with `--client`: {}", ids.join(", "))));
    }
    let mut done = String::new();
    for client in &clients {
        let imported = plan(client, &file, matches, shell)
            .and_then(|plan| carry_out(plan, client, &file, matches, shell));
        match imported {
            Ok(text) => done.push_str(&text),
            Err(error) if is_one => return Err(error),
            // The others need not wait for it.
            Err(error) => shell
                .context
                .warn(&format!("client {}: {error}", printable(&client.client_id))),
        }
    }
    if done.is_empty() {
        let message = format!("nothing of `{shown}` could be taken in");
        return Err(
            Error::new(ErrorKind::Config, message).hint("take one at a time, with `--client`")
        );
    }
    Ok(done)
}

fn plan(
    client: &Client,
    file: &Path,
    matches: &ArgMatches,
    shell: &Shell<'_, '_>,
) -> Result<Plan, Error> {
    let sources = profile_file::sources(shell)?;
    let configuration = Configuration::new(&sources)?;
    let name = text(matches, "name");
    let profiles = configuration.profiles();
    let mut same = profiles
        .filter(|(taken, _)| name.as_deref().is_none_or(|name| name == *taken))
        .filter_map(|(taken, _)| configuration.profile(taken).ok())
        .filter(|profile| is_of(profile, client));
    if let Some(profile) = same.next() {
        let mut of_new = ["preset", "scope", "authority"].into_iter();
        if let Some(option) = of_new.find(|name| matches.contains_id(name)) {
            let message = format!(
                "profile `{}` is for this client already, and `--{option}` is for a new one",
                profile.name
            );
            return Err(Error::new(ErrorKind::Usage, message)
                .hint("leave it out, or name a new profile with `--name`"));
        }
        return Ok(Plan::Known(profile.name));
    }
    let known = known(client);
    let name = name.unwrap_or_else(|| match known {
        Some((_, name, _)) => (*name).to_owned(),
        None => name_of(client),
    });
    profile_file::check_free(&name, &configuration)?;
    let mut keys = toml::Table::new();
    let authority = match text(matches, "authority") {
        Some(authority) => authority,
        None => authority_of(client),
    };
    let entra = || needs_preset(&authority, client).then(|| "entra".to_owned());
    if let Some(preset) = text(matches, "preset").or_else(entra) {
        keys.insert("preset".to_owned(), preset.into());
    }
    keys.insert("client_id".to_owned(), client.client_id.as_str().into());
    keys.insert("authority".to_owned(), authority.into());
    let mut scopes: Vec<String> = matches
        .get_many::<String>("scope")
        .map(|scopes| scopes.cloned().collect())
        .unwrap_or_default();
    if scopes.is_empty() {
        scopes.clone_from(&client.scopes);
    }
    if scopes.is_empty() {
        let usual = known.and_then(|(.., scope)| *scope);
        scopes.extend(usual.map(String::from));
    }
    if scopes.is_empty() {
        let message = format!("`{}` does not tell what its tokens are for", file.display());
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("say it with `--scope`, as in `--scope https://graph.microsoft.com/.default`"));
    }
    keys.insert("scopes".to_owned(), scopes.into());
    Ok(Plan::New(name, keys))
}

fn known(client: &Client) -> Option<&'static Known> {
    let mut known = KNOWN.iter();
    known.find(|(id, ..)| client.client_id.eq_ignore_ascii_case(id))
}

/// A client's name, if it has one, else its id.
pub(super) fn shown(client: &Client) -> String {
    known(client).map_or_else(
        || printable(&client.client_id),
        |(_, name, _)| (*name).to_owned(),
    )
}

/// Whether a profile is of this client at this authority, and keeps its sign-in itself.
pub(super) fn is_of(profile: &Profile, client: &Client) -> bool {
    let of_authority = profile.client.authority.endpoint().map(entra::hosts);
    let is_here = of_authority.is_some_and(|hosts| {
        hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(&client.host))
    });
    let is_own = profile
        .client
        .client_id
        .eq_ignore_ascii_case(&client.client_id);
    // One that is of somebody else is not for these.
    let is_own = is_own
        && profile
            .account
            .as_deref()
            .is_none_or(|own| client.knows(own));
    is_own && is_here && profile.msal.is_none() && profile.grant.asks() == Asks::Person
}

/// What nobody has named: the beginning of the client's id.
fn name_of(client: &Client) -> String {
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
    let id: String = client.client_id.chars().filter(is_plain).take(8).collect();
    format!("msal-{}", id.trim_matches('-').to_ascii_lowercase())
}

fn authority_of(client: &Client) -> String {
    /// The tenant of people who have an account of their own with Microsoft.
    const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let host = printable(&client.host);
    let realm = match client.realms.as_slice() {
        _ if client.is_adfs => "adfs",
        [] if client.is_entra => "organizations",
        [] => "",
        [realm] => realm,
        realms if realms.iter().any(|realm| realm == CONSUMERS) => "common",
        _ => "organizations",
    };
    format!("https://{host}/{realm}")
        .trim_end_matches('/')
        .to_owned()
}

/// Whether an authority has to be said to be one of Entra's.
fn needs_preset(authority: &str, client: &Client) -> bool {
    let recognized = Endpoint::parse(authority).map(|endpoint| entra::recognize(&endpoint, false));
    client.is_entra && !client.is_adfs && matches!(recognized, Ok(Ok(None)))
}

fn carry_out(
    plan: Plan,
    client: &Client,
    file: &Path,
    matches: &ArgMatches,
    shell: &Shell<'_, '_>,
) -> Result<String, Error> {
    let is_dry = matches.get_flag("dry-run");
    let comment = format!("From `{}`.", file.display());
    let (name, mut done) = match plan {
        Plan::Known(name) => (name, String::new()),
        Plan::New(name, keys) => {
            let wanted = Wanted {
                name: &name,
                keys: &keys,
                comment: &comment,
                replaces: false,
                if_taken: "it was written a moment ago: run this once more",
            };
            let text = if is_dry {
                profile_file::prove(&wanted, shell)?;
                profile_text::text_of(&name, &keys, &comment)
            } else {
                let path = profile_file::write(&wanted, shell)?.path;
                format!("wrote profile `{name}` into `{}`\n", path.display())
            };
            (name, text)
        }
    };
    if is_dry {
        let wanted = text(matches, "account");
        let people = client.people.iter();
        let people =
            people.filter(|person| wanted.as_deref().is_none_or(|wanted| person.is(wanted)));
        let people: Vec<String> = people.map(|person| printable(person.label())).collect();
        done.push_str(&format!(
            "# would be signed in for profile `{name}`, unless they are: {}\n",
            people.join(", ")
        ));
        return Ok(done);
    }
    let request = Request {
        profile: Some(name.clone()),
        account: text(matches, "account"),
        ..Request::new(Action::TakeIn(file.to_owned()))
    };
    if let Response::Done { accounts, .. } = (shell.answer)(&request, None)? {
        for account in accounts {
            let who = account.map_or_else(String::new, |account| format!(" {account}"));
            done.push_str(&format!("signed in{who} for profile `{name}`\n"));
        }
    }
    if done.is_empty() {
        done = format!("profile `{name}` has it all\n");
    }
    Ok(done)
}
