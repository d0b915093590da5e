//! Caches of MSAL: those that profiles share, and those of other programs, whose sign-ins could be used.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Case, Check, Finding};
use crate::command::import;
use crate::context::Environment;
use crate::profile::Profile;
use crate::store::msal::copy::Client;
use crate::store::msal::lock::Lying;
use crate::store::msal::{Item, MsalCache};
use crate::store::{Loaded, SessionStore};
use crate::system::directories;
use crate::text::shell_word;

/// The line in the table.
pub(super) const CHECK: Check = Check { name: "msal", look };

fn look(case: &Case<'_>) -> Vec<Finding> {
    let shared = shared(case);
    let mut findings: Vec<Finding> = shared
        .iter()
        .flat_map(|shared| of_shared(case, shared))
        .collect();
    if case.is_for_one {
        return findings;
    }
    for (program, file) in found(case.context.environment) {
        let is_same = |shared: &Shared<'_>| is_same(&shared.file, &file);
        if !shared.iter().any(is_same) {
            findings.push(of_other(case, program, &file));
        }
    }
    findings
}

/// A cache, and who shares it.
struct Shared<'a> {
    file: PathBuf,
    item: Option<Item>,
    store: SessionStore,
    profiles: Vec<&'a str>,
}

/// The caches that profiles name, each once.
fn shared<'a>(case: &Case<'a>) -> Vec<Shared<'a>> {
    let mut all: Vec<Shared<'a>> = Vec::new();
    for profile in case.profiles {
        let store = profile.store(case.state, case.configuration);
        let Some(cache) = store.shared_cache() else {
            continue;
        };
        let (file, item) = (cache.path().to_owned(), cache.item().cloned());
        let is_it = |shared: &&mut Shared<'_>| shared.file == file && shared.item == item;
        match all.iter_mut().find(is_it) {
            Some(shared) => shared.profiles.push(&profile.name),
            None => all.push(Shared {
                file,
                item,
                store,
                profiles: vec![&profile.name],
            }),
        }
    }
    all
}

fn of_shared(case: &Case<'_>, shared: &Shared<'_>) -> Vec<Finding> {
    let Some(cache) = shared.store.shared_cache() else {
        return Vec::new();
    };
    if cache.is_locked_up(&case.context) {
        let message = "nobody can tell before the keyring is unlocked";
        let hint = "unlock it, as by logging in at the desktop";
        return vec![Finding::warning("shared", message).hint(hint)];
    }
    let usable = cache
        .clients(&case.context)
        .and_then(|clients| clients.map_err(|reason| cache.unusable(&reason)))
        .and_then(|clients| cache.prove_replaceable().map(|()| clients));
    let by = named("profile", &shared.profiles);
    let file = shared.file.display();
    let mut findings = vec![match usable {
        Err(error) => Finding::error("shared", &error),
        Ok(clients) => {
            let is_there = !clients.is_empty() || shared.file.exists();
            let told = match is_there {
                true => "can be read",
                false => "is made by the first sign-in",
            };
            let message = format!("{}, shared by {by}, {told}", cache.shown());
            Finding::ok("shared", &message)
        }
    }];
    findings.extend(match cache.lock_that_lies_there(&case.context) {
        Ok(None) => None,
        Ok(Some(Lying::Held(reason))) => {
            let message = format!("somebody is at work with `{file}`: its lock is {reason}");
            Some(Finding::ok("lock", &message))
        }
        Ok(Some(Lying::LeftBehind(lock, holder))) => Some(left_behind(&lock, &holder)),
        Err(error) => Some(Finding::error("lock", &error)),
    });
    findings
}

fn left_behind(lock: &Path, holder: &str) -> Finding {
    let message = format!(
        "`{}` was left behind by {holder}; programs with MSAL may wait until it is gone",
        lock.display()
    );
    let word = shell_word(&lock.display().to_string());
    let hint = format!("run `rm {word}`, or have cred-helper refresh, which takes it over");
    Finding::warning("lock", &message).hint(&hint)
}

/// Programs that keep a cache, as they are called here.
const AZURE_CLI: &str = "the Azure CLI";
const AZURE_IDENTITY: &str = "azure-identity";
const AZUREAUTH: &str = "azureauth";
const AZD: &str = "the Azure Developer CLI";
const GCM: &str = "Git Credential Manager";
const MICROSOFT: &str = "Visual Studio, Azure PowerShell and others of Microsoft";

/// A program, and what the names of its caches begin and end with.
type Named = (&'static str, &'static str, &'static str);

/// The caches in `.IdentityService`. What else lies there is of other libraries.
const IDENTITY_SERVICE: &[Named] = &[
    (AZURE_IDENTITY, "", ".cae"),
    (AZURE_IDENTITY, "", ".nocae"),
    (AZUREAUTH, "msal_", ".cache"),
    (MICROSOFT, "msal", ".cache"),
];

/// The directories where programs are known to keep caches, and which of their files are such.
fn places(environment: &dyn Environment) -> [(Option<PathBuf>, &'static [Named]); 7] {
    let home = directories::home();
    let at_home = |folder: &str| home.as_ref().map(|home| home.join(folder));
    let told = |name: &str| environment.variable(name).map(PathBuf::from);
    let below = |folder: Option<PathBuf>, name: &str| folder.map(|folder| folder.join(name));
    [
        (
            told("AZURE_CONFIG_DIR").or_else(|| at_home(".azure")),
            &[
                (AZURE_CLI, "msal_token_cache", ".json"),
                (AZURE_CLI, "msal_token_cache", ".bin"),
                // Beside the keyring.
                (AZURE_CLI, "msal_token_cache", ".sig"),
            ],
        ),
        (at_home(".IdentityService"), IDENTITY_SERVICE),
        // Of Windows.
        (
            below(told("LOCALAPPDATA"), ".IdentityService"),
            IDENTITY_SERVICE,
        ),
        // Of .NET on all others.
        (at_home(".local/.IdentityService"), IDENTITY_SERVICE),
        (at_home(".gcm/msal"), &[(GCM, "app", ".cache")]),
        (
            at_home(".azureauth"),
            &[(AZUREAUTH, "msal_", "_cache.json")],
        ),
        (
            below(
                told("AZD_CONFIG_DIR").or_else(|| at_home(".azd")),
                "auth/msal",
            ),
            &[(AZD, "cache", ".json"), (AZD, "cache", ".bin")],
        ),
    ]
}

/// The caches that are there, and whose they are.
fn found(environment: &dyn Environment) -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for (folder, names) in places(environment) {
        let entries = folder.and_then(|folder| fs::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let is_it = |(_, begin, end): &&Named| name.starts_with(begin) && name.ends_with(end);
            if let Some((program, ..)) = names.iter().find(is_it)
                && path.is_file()
            {
                found.push((*program, path));
            }
        }
    }
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found
}

/// Another program's cache: what is in it, and what can be done with it.
fn of_other(case: &Case<'_>, program: &str, file: &Path) -> Finding {
    let shown = format!("`{}` of {program}", file.display());
    if fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0) {
        let message =
            format!("{shown} is empty: nobody is signed in, or the sign-ins are in the keyring");
        return Finding::ok("cache", &message);
    }
    let clients = match MsalCache::at(file).clients(&case.context) {
        Ok(Ok(clients)) => clients,
        Ok(Err(reason)) => {
            let instead = match program {
                AZURE_CLI => {
                    "`az config set core.encrypt_token_cache=false` and a new `az login` leave it open"
                }
                _ => "`cred-helper login` signs in beside it",
            };
            let message = format!("{shown} cannot be opened: {reason}; {instead}");
            return Finding::ok("cache", &message);
        }
        Err(error) => return Finding::warning_of("cache", &error),
    };
    if clients.is_empty() {
        return Finding::ok("cache", &format!("{shown}: nobody is signed in"));
    }
    let people: Vec<String> = clients.iter().map(people).collect();
    let people = people.join(", ");
    let offer = offer(case, &clients, file);
    Finding::ok("cache", &format!("{shown} has sign-ins: {people}; {offer}"))
}

fn people(client: &Client) -> String {
    let name = import::shown(client);
    match client.people.len() {
        1 => format!("1 person of client `{name}`"),
        count => format!("{count} people of client `{name}`"),
    }
}

/// What can be done with these sign-ins, or which profiles have some of each client already.
fn offer(case: &Case<'_>, clients: &[Client], file: &Path) -> String {
    let has_signed_in = |profile: &Profile| {
        let store = profile.store(case.state, case.configuration);
        match store.load(&case.context) {
            Ok(Loaded::Session(session, _)) => {
                let mut accounts = session.accounts.iter();
                accounts.any(|account| account.refresh_token.is_some())
            }
            Ok(Loaded::Absent | Loaded::Damaged(_)) | Err(_) => false,
        }
    };
    let taker = |client: &Client| {
        let mut profiles = case.profiles.iter();
        let taker = profiles.find(|own| import::is_of(own, client) && has_signed_in(own));
        taker.map(|profile| profile.name.as_str())
    };
    if let Some(takers) = clients.iter().map(taker).collect::<Option<Vec<&str>>>() {
        return format!("signed in here, too: {}", named("profile", &takers));
    }
    let file = file.display().to_string();
    let word = shell_word(&file);
    let value = toml::Value::from(file);
    format!(
        "`cred-helper profile import --msal {word}` copies them, `session = {{ msal = {value} }}` in a \
         profile shares them"
    )
}

/// Whether two paths are of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// Names behind what they are of.
fn named(kind: &str, names: &[&str]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{kind}{plural} {}", names.join(", "))
}
