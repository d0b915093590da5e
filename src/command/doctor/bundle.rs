//! `--bundle`: what a bug report needs, in one text, without secrets and without names of people.
//!
//! What is shown of a variable or a profile is shown because it is known to hold no secret; of what is not
//! known, only that it is set.

use serde_json::{Map, Value, json};

use super::Case;
use super::scrub::Scrubber;
use crate::context::Screen;
use crate::profile::Profile;
use crate::system::environment::VARIABLES;
use crate::system::{directories, platform};
use crate::text::{printable, printable_url};

/// Variables beside those that are ours: of other programs, and of platforms.
const FOREIGN: [&str; 13] = [
    "ALL_PROXY",
    "HOME",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IMDS_ENDPOINT",
    "LANG",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "PATH",
    "TERM",
    "TMUX",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// Variables whose value holds no secret.
const SHOWN: [&str; 35] = [
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_CORE_OUTPUT",
    "BROWSER",
    "CARGO_HOME",
    "CI",
    "CRED_HELPER_BROWSER",
    "CRED_HELPER_CONFIG",
    "CRED_HELPER_ERROR_FORMAT",
    "CRED_HELPER_INTERACTIVE",
    "CRED_HELPER_LOG",
    "CRED_HELPER_PROFILE",
    "CRED_HELPER_STATE",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "DOCKER_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "GIT_TERMINAL_PROMPT",
    "HOME",
    "KUBECONFIG",
    "LANG",
    "NO_COLOR",
    "NO_PROXY",
    "PATH",
    "SSH_ASKPASS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TZ",
    "WAYLAND_DISPLAY",
    "WSL_DISTRO_NAME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

/// Variables that are URLs, which may hold a password.
const URLS: [&str; 6] = [
    "ALL_PROXY",
    "AWS_ENDPOINT_URL_STS",
    "HTTPS_PROXY",
    "IDENTITY_ENDPOINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
];

/// What stands for a value that may be secret.
const HIDDEN: &str = "…";

/// User names that go with the tokens of everybody.
const EVERYBODYS: [&str; 7] = [
    "hf_user",
    "oauth2",
    "oauth2accesstoken",
    "x-access-token",
    "x-token-auth",
    "<token>",
    "00000000-0000-0000-0000-000000000000",
];

/// The people whom a profile names.
fn people_of(profile: &Profile) -> Vec<String> {
    let keys = profile.to_toml();
    let of_grant = keys.get("grant").and_then(|grant| grant.get("username"));
    let of_grant = of_grant.and_then(toml::Value::as_str);
    let own = profile.username.as_deref();
    let own = own.filter(|name| !EVERYBODYS.contains(name));
    let people = [profile.account.as_deref(), of_grant, own];
    people.into_iter().flatten().map(String::from).collect()
}

/// The text of a bundle.
pub(super) fn text(
    case: &Case<'_>,
    is_ok: bool,
    checks: &[Value],
    screen: Option<Screen>,
    names: &[String],
) -> String {
    let environment = case.context.environment;
    let mut scrubber = Scrubber::new(directories::home());
    let configured: Vec<String> = case.profiles.iter().flat_map(people_of).collect();
    for name in names.iter().chain(&configured) {
        scrubber.name(name);
    }
    let files: Vec<_> = case
        .sources
        .iter()
        .map(|source| source.path.display().to_string())
        .collect();
    let sealing = case.configuration.sealing().configured();
    let mut bundle = json!({
        "cred-helper": env!("CRED_HELPER_VERSION"),
        "build": env!("CRED_HELPER_BUILD"),
        "system": platform::system(),
        "container": platform::container_mark().map(str::to_owned).or_else(|| environment.variable("container")),
        "terminal": screen.map(|screen| json!({
            "columns": screen.columns,
            "lines": screen.lines,
            "does_sequences": screen.does_sequences,
        })),
        "time": case.context.clock.now().rfc3339(),
        "ok": is_ok,
        "checks": checks,
        "files": files,
        "default_profile": case.configuration.default_profile(),
        "seal": sealing.map(|seal| seal.name),
        "audit": case.configuration.audit(),
        "profiles": case.profiles.iter().map(profile).collect::<Vec<_>>(),
        "environment": variables(case),
    });
    scrubber.scrub(&mut bundle);
    format!("{bundle:#}\n")
}

/// A profile as `profile show` has it, less what may be anything.
fn profile(profile: &Profile) -> Value {
    let table = serde_json::to_value(profile.to_toml());
    let Ok(Value::Object(mut table)) = table else {
        return Value::Null;
    };
    for key in ["claims", "extra"] {
        if let Some(value) = table.get_mut(key) {
            hide(value);
        }
    }
    // A plugin has keys of its own.
    let is_plugin = profile.grant_name == "plugin";
    if let Some(Value::Object(grant)) = table.get_mut("grant").filter(|_| is_plugin) {
        let own = ["type", "name", "command", "timeout"];
        let foreign = grant
            .iter_mut()
            .filter(|(key, _)| !own.contains(&key.as_str()));
        foreign.for_each(|(_, value)| hide(value));
    }
    let mut table = Value::Object(table);
    redact(&mut table);
    let mut shown = Map::new();
    shown.insert("profile".to_owned(), profile.name.clone().into());
    shown.insert("file".to_owned(), profile.file.display().to_string().into());
    if let Value::Object(table) = table {
        shown.extend(table);
    }
    Value::Object(shown)
}

/// Leaves the names of what a value holds, and nothing else.
fn hide(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(hide);
    } else {
        *value = HIDDEN.into();
    }
}

/// Takes the arguments from commands, and from URLs what may be secret in them.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if let Some(arguments) = value.as_array_mut().filter(|_| key == "command")
                    && arguments.len() > 1
                {
                    arguments.truncate(1);
                    arguments.push(HIDDEN.into());
                }
                redact(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) if text.contains("://") => *text = url(text),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A URL without user, password, query and fragment.
fn url(url: &str) -> String {
    let whole = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    let end = whole.find(['?', '#']).unwrap_or(whole.len());
    printable_url(&whole[..end])
}

/// The variables that are set, of those that matter.
fn variables(case: &Case<'_>) -> Value {
    let own = VARIABLES.iter().flat_map(|(names, _)| names.split(", "));
    let mut names: Vec<&str> = own.chain(FOREIGN).collect();
    names.sort_unstable();
    names.dedup();
    let mut shown = Map::new();
    for name in names {
        // A proxy is named in small letters too.
        for name in [name.to_owned(), name.to_lowercase()] {
            if let Some(value) = case.context.environment.variable(&name) {
                let told = told(&name.to_uppercase(), &value);
                shown.insert(name, told.into());
            }
        }
    }
    Value::Object(shown)
}

/// What is told of a variable's value.
fn told(name: &str, value: &str) -> String {
    if URLS.contains(&name) {
        return url(value);
    }
    match SHOWN.contains(&name) {
        true => printable(value),
        false => HIDDEN.to_owned(),
    }
}
