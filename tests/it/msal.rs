//! The same requests as MSAL Python's, but for what `docs/msal.md` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use url::Url;

use crate::authority::{Endpoint, Fault, Recorded, Response};
use crate::browser_ground::finish;
use crate::microsoft::{TENANT, entra};
use crate::scene::Scene;
use crate::tool::{MSAL, note_missing};

/// What the profile says, as the script of MSAL's does.
const KEYS: &str = "client_capabilities = [\"CP1\"]\naccount = \"ada@example.test\"\n\
                    domain_hint = \"contoso.example\"\nprompt = \"select_account\"\n";

/// The names of the requests, in the order in which both send them.
const REQUESTS: [&str; 5] = ["page", "code", "device code", "poll", "refresh"];

/// Headers that are not compared: those of HTTP itself, which belong to whoever sends the requests.
const HTTP_HEADERS: [&str; 7] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
];

/// Those that say who MSAL is; the document names them in a sentence.
const MSAL_HEADERS: [&str; 7] = [
    "client-request-id",
    "x-client-current-telemetry",
    "x-client-last-telemetry",
    "x-client-os",
    "x-client-sku",
    "x-client-ver",
    "x-ms-lib-capability",
];

/// Where MSAL was installed, by the same Python.
pub(crate) fn msal() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("msal");
    if folder.join("msal").is_dir() {
        return Some(folder);
    }
    note_missing(&MSAL);
    None
}

/// A scene whose authority redeems one code.
fn scene() -> Scene {
    let scene = entra(KEYS);
    let tokens = json!({
        "token_type": "Bearer", "access_token": "from-the-browser", "expires_in": 3600,
        "scope": "User.Read",
    });
    let answer = Fault::Answer(Response::json(200, &tokens));
    scene.authority.script(Endpoint::Token, answer);
    scene
}

/// What a request says, by name; what is different each time is left out.
type Said = BTreeMap<String, String>;

fn said<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Said {
    let mut said = Said::new();
    for (name, value) in pairs {
        let value = match name {
            "state" | "nonce" | "code_challenge" | "code_verifier" | "device_code"
            | "refresh_token" => "…".to_owned(),
            "scope" => {
                let scopes: BTreeSet<&str> = value.split(' ').collect();
                scopes.into_iter().collect::<Vec<_>>().join(" ")
            }
            "claims" => {
                let claims: Value = serde_json::from_str(value).expect("claims are JSON");
                claims.to_string()
            }
            _ => value.to_owned(),
        };
        let earlier = said.insert(name.to_owned(), value);
        assert_eq!(earlier, None, "{name} comes twice");
    }
    said
}

/// All five requests: the page's, and those that the authority has written down.
fn requests(page: &str, recorded: &[Recorded]) -> Vec<Said> {
    let page = Url::parse(page.trim_end()).expect("it is a URL");
    let query: Vec<(String, String)> = page.query_pairs().into_owned().collect();
    let pairs = |(name, value): &'_ (String, String)| (name.clone(), value.clone());
    let mut all = vec![query.iter().map(pairs).collect::<Vec<_>>()];
    let mut paths = vec![page.path().to_owned()];
    for request in recorded {
        let headers = request.headers.iter().map(pairs).filter_map(|(name, _)| {
            let is_told = !HTTP_HEADERS.contains(&name.as_str());
            is_told.then(|| (format!("{name}:"), "…".to_owned()))
        });
        all.push(request.form.iter().map(pairs).chain(headers).collect());
        paths.push(request.path.clone());
    }
    let below = |last: &str| format!("/{TENANT}/oauth2/v2.0/{last}");
    let expected = ["authorize", "token", "devicecode", "token", "token"].map(below);
    assert_eq!(paths, expected, "both ask the same endpoints");
    all.iter()
        .map(|pairs| {
            said(
                pairs
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            )
        })
        .collect()
}

/// The document.
fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/msal.md");
    fs::read_to_string(path).expect("it can be read")
}

/// The rows of its table: request, parameter, MSAL's value, ours.
fn documented() -> BTreeSet<[String; 4]> {
    document()
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let ["", request, parameter, theirs, ours, why, ""] = cells[..] else {
                return None;
            };
            let is_row = REQUESTS.contains(&request);
            assert!(!is_row || !why.is_empty(), "{line} says why");
            is_row.then(|| [request, parameter, theirs, ours].map(|cell| cell.replace('`', "")))
        })
        .collect()
}

#[test]
fn both_ask_entra_the_same_but_for_what_the_document_names() {
    let Some(msal) = msal() else { return };
    let theirs = {
        let scene = scene();
        let mut command = Command::new("python3");
        scene.sandbox.prepare(&mut command);
        command
            .env("PYTHONPATH", msal)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/msal/sign_in.py"
            ))
            .args([&scene.authority.url(""), TENANT]);
        let page = scene.run_command(command).ok();
        requests(&page, &scene.authority.requests())
    };
    let ours = {
        let scene = scene();
        let page = scene.run(&["login", "--start"]).ok();
        scene
            .run_command(finish(&scene.sandbox, "the-code-of-this-page"))
            .ok();
        scene.run(&["login", "--grant", "device_code"]).ok();
        scene.run(&["get", "--force-refresh"]).ok();
        requests(&page, &scene.authority.requests())
    };
    let mut found = BTreeSet::new();
    let mut told_in_a_sentence = BTreeSet::new();
    for ((request, theirs), ours) in REQUESTS.iter().zip(theirs).zip(ours) {
        let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for name in names {
            let (theirs, ours) = (theirs.get(name), ours.get(name));
            let (theirs, ours) = match (theirs, ours) {
                _ if theirs == ours => continue,
                (Some(theirs), Some(ours)) => (theirs.as_str(), ours.as_str()),
                (theirs, ours) => {
                    let is_sent = |said: Option<_>| if said.is_some() { "sent" } else { "–" };
                    (is_sent(theirs), is_sent(ours))
                }
            };
            let header = name.strip_suffix(':').unwrap_or_default();
            if MSAL_HEADERS.contains(&header) && (theirs, ours) == ("sent", "–") {
                told_in_a_sentence.insert(header.to_owned());
                continue;
            }
            found.insert([*request, name, theirs, ours].map(String::from));
        }
    }
    assert_eq!(found, documented(), "the first is what was found");
    let headers: BTreeSet<String> = MSAL_HEADERS.map(String::from).into();
    assert_eq!(told_in_a_sentence, headers, "all of them are sent by MSAL");
    for header in headers {
        assert!(document().contains(&format!("`{header}`")), "{header}");
    }
}
