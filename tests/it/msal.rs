//! The same requests as MSAL Python's, but for what `docs/msal.md` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cred_helper::encoding::from_base64;
use serde_json::{Map, Value, json};
use url::Url;

use crate::authority::{Endpoint, Fault, Recorded, Response};
use crate::browser_ground::finish;
use crate::client_key::keys;
use crate::microsoft::{TENANT, entra};
use crate::openssl::RSA;
use crate::scene::Scene;
use crate::tool::{MSAL, note_missing};

/// What the profile says, as the script of MSAL's does.
const KEYS: &str = "client_capabilities = [\"CP1\"]\naccount = \"ada@example.test\"\n\
                    domain_hint = \"contoso.example\"\nprompt = \"select_account\"\n";

/// The names of the requests, in the order in which both send them.
const REQUESTS: [&str; 5] = ["page", "code", "device code", "poll", "refresh"];

/// The same of machines: a certificate is sent along once, and once it is not.
const REQUESTS_OF_MACHINES: [&str; 4] = ["secret", "certificate", "certificate", "assertion"];

/// The same for what somebody has already.
const REQUESTS_OF_BORROWERS: [&str; 4] = ["realm", "password", "import", "on behalf of"];

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

/// A script of MSAL's, at the scene's authority.
fn script(scene: &Scene, msal: &Path, name: &str, more: &[&str]) -> Command {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/msal"));
    let mut command = Command::new("python3");
    scene.sandbox.prepare(&mut command);
    command
        .env("PYTHONPATH", msal)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(folder.join(name))
        .args([&scene.authority.url(""), TENANT])
        .args(more);
    command
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
        all.push(sent(request));
        paths.push(request.path.clone());
    }
    let below = |last: &str| format!("/{TENANT}/oauth2/v2.0/{last}");
    let expected = ["authorize", "token", "devicecode", "token", "token"].map(below);
    assert_eq!(paths, expected, "both ask the same endpoints");
    all.iter().map(|pairs| of_pairs(pairs)).collect()
}

fn of_pairs(pairs: &[(String, String)]) -> Said {
    let pairs = pairs.iter();
    said(pairs.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The form and the headers of a request.
fn sent(request: &Recorded) -> Vec<(String, String)> {
    let headers = request.headers.iter().filter_map(|(name, _)| {
        let is_told = !HTTP_HEADERS.contains(&name.as_str());
        is_told.then(|| (format!("{name}:"), "…".to_owned()))
    });
    request.form.iter().cloned().chain(headers).collect()
}

/// The document.
fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/msal.md");
    fs::read_to_string(path).expect("it can be read")
}

/// The rows of its tables for these requests: request, parameter, MSAL's value, ours.
fn documented(requests: &[&str]) -> BTreeSet<[String; 4]> {
    document()
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let ["", request, parameter, theirs, ours, why, ""] = cells[..] else {
                return None;
            };
            let is_row = requests.contains(&request);
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
        let command = script(&scene, &msal, "sign_in.py", &[]);
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
    compare(&REQUESTS, theirs, ours);
}

/// Compares what both said. All that is different has to stand in the document, and MSAL sends all the
/// headers that say who it is.
fn compare(requests: &[&str], theirs: Vec<Said>, ours: Vec<Said>) {
    assert_eq!((theirs.len(), ours.len()), (requests.len(), requests.len()));
    let mut found = BTreeSet::new();
    let mut told_in_a_sentence = BTreeSet::new();
    for ((request, theirs), ours) in requests.iter().zip(theirs).zip(ours) {
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
    assert_eq!(found, documented(requests), "the first is what was found");
    let headers: BTreeSet<String> = MSAL_HEADERS.map(String::from).into();
    assert_eq!(told_in_a_sentence, headers, "all of them are sent by MSAL");
    for header in headers {
        assert!(document().contains(&format!("`{header}`")), "{header}");
    }
}

#[test]
fn both_ask_entra_the_same_for_what_somebody_has_but_for_what_the_document_names() {
    const SECRETS: [(&str, &str); 4] = [
        ("PASSWORD", "the-password-of-ada"),
        ("GIVEN", "the-refresh-token-of-ada"),
        ("CALLER", "the-token-of-a-caller"),
        ("SECRET", "of-the-client"),
    ];
    const GRANTS: [&str; 3] = [
        "grant = { type = \"password\", allow_password = true, username = \"ada@example.test\", \
         password = { env = \"PASSWORD\" } }\n",
        "grant = { type = \"refresh_token\", refresh_token = { env = \"GIVEN\" } }\n",
        "grant = { type = \"on_behalf_of\", assertion = { env = \"CALLER\" } }\n\
         client_secret = { env = \"SECRET\" }\n",
    ];
    let Some(msal) = msal() else { return };
    let scene = |grant: &str, count: usize| {
        let scene = entra(&format!("client_capabilities = [\"CP1\"]\n{grant}"));
        let path = "/common/userrealm/ada@example.test".to_owned();
        let realm = (path, Endpoint::Userinfo);
        scene.authority.set(|settings| settings.paths = vec![realm]);
        let managed = Response::json(200, &json!({ "account_type": "Managed" }));
        let answer = Fault::Answer(managed);
        scene.authority.script(Endpoint::Userinfo, answer);
        give_tokens(&scene, count);
        for (_, secret) in SECRETS {
            scene.sandbox.secret(secret);
        }
        scene
    };
    let told = |scene: &Scene| -> Vec<Said> {
        let requests = scene.authority.requests();
        let tell = |request| of_pairs(&sent(request));
        requests.iter().map(tell).collect()
    };
    let theirs = {
        let scene = scene("", 3);
        let secrets: Vec<&str> = SECRETS[..3].iter().map(|(_, secret)| *secret).collect();
        let command = script(&scene, &msal, "borrowed.py", &secrets);
        scene.run_command(command).ok();
        told(&scene)
    };
    let ours = GRANTS.iter().flat_map(|grant| {
        let scene = scene(grant, 1);
        let mut command = scene.sandbox.command(&["get"]);
        command.envs(SECRETS);
        scene.run_command(command).ok();
        told(&scene)
    });
    compare(&REQUESTS_OF_BORROWERS, theirs, ours.collect());
}

/// Answers so many token requests.
fn give_tokens(scene: &Scene, count: usize) {
    for _ in 0..count {
        let tokens = json!({ "token_type": "Bearer", "access_token": "t", "expires_in": 3600 });
        let answer = Fault::Answer(Response::json(200, &tokens));
        scene.authority.script(Endpoint::Token, answer);
    }
}

#[test]
fn both_prove_to_entra_who_a_client_is_the_same_way_but_for_what_the_document_names() {
    const PASSPHRASE: &str = "of-the-file-alone";
    let Some(msal) = msal() else { return };
    let (directory, openssl) = keys(RSA);
    openssl.run(&format!(
        "pkcs12 -export -in one -passout pass:{PASSPHRASE} -out one.pfx"
    ));
    let pfx = directory.path().join("one.pfx").display().to_string();
    let proofs = [
        "client_secret = { env = \"SECRET\" }".to_owned(),
        format!("client_certificate = \"{pfx}\"\nclient_passphrase = {{ env = \"PASSPHRASE\" }}"),
        format!(
            "client_certificate = \"{pfx}\"\nclient_passphrase = {{ env = \"PASSPHRASE\" }}\n\
             client_send_x5c = true"
        ),
        "client_assertion = { env = \"ASSERTION\" }".to_owned(),
    ];
    let profile = |proof: &str| {
        let keys =
            format!("client_capabilities = [\"CP1\"]\ngrant = \"client_credentials\"\n{proof}\n");
        let scene = entra(&keys);
        for secret in [PASSPHRASE, "of-the-client", "of-somebody-else"] {
            scene.sandbox.secret(secret);
        }
        scene
    };
    let theirs = {
        let scene = profile("");
        give_tokens(&scene, REQUESTS_OF_MACHINES.len());
        let command = script(&scene, &msal, "client_credentials.py", &[&pfx, PASSPHRASE]);
        scene.run_command(command).ok();
        let requests = scene.authority.requests();
        requests.iter().map(of_machine).collect()
    };
    let ours = proofs
        .iter()
        .map(|proof| {
            let scene = profile(proof);
            give_tokens(&scene, 1);
            let mut command = scene.sandbox.command(&["get"]);
            command
                .env("SECRET", "of-the-client")
                .env("PASSPHRASE", PASSPHRASE)
                .env("ASSERTION", "of-somebody-else");
            scene.run_command(command).ok();
            of_machine(&scene.authority.requests()[0])
        })
        .collect();
    compare(&REQUESTS_OF_MACHINES, theirs, ours);
}

/// A machine's request, with what its assertion says in the place of that.
fn of_machine(request: &Recorded) -> Said {
    assert_eq!(request.path, format!("/{TENANT}/oauth2/v2.0/token"));
    let mut said = of_pairs(&sent(request));
    let assertion = said.get("client_assertion").cloned().unwrap_or_default();
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return said;
    };
    said.remove("client_assertion");
    assert_eq!(from_base64(signature).map(|bytes| bytes.len()), Some(256));
    let decode = |part: &str| -> Map<String, Value> {
        let bytes = from_base64(part).expect("it is base64");
        serde_json::from_slice(&bytes).expect("it is JSON")
    };
    let mut claims = decode(claims);
    let time =
        |claims: &Map<String, Value>, name: &str| claims[name].as_f64().expect("it is a number");
    let life = time(&claims, "exp") - time(&claims, "iat");
    claims.insert("exp".to_owned(), format!("iat + {life}").into());
    for (name, value) in decode(header).into_iter().chain(claims) {
        let value = match (name.as_str(), &value) {
            ("jti", _) => "…".to_owned(),
            // Both write where they were led.
            ("aud", Value::String(url)) => Url::parse(url).expect("it is a URL").path().to_owned(),
            ("iat" | "nbf", _) if value.is_i64() => "whole".to_owned(),
            ("iat" | "nbf", _) => "with a fraction".to_owned(),
            ("x5t#S256", Value::String(text)) if text.ends_with('=') => "padded".to_owned(),
            ("x5t#S256", _) => "not padded".to_owned(),
            ("x5c", Value::Array(chain))
                if chain.iter().any(|one| one.to_string().contains("\\n")) =>
            {
                "with line ends".to_owned()
            }
            ("x5c", _) => "without line ends".to_owned(),
            (_, Value::String(text)) => text.clone(),
            (_, value) => value.to_string(),
        };
        said.insert(format!("client_assertion.{name}"), value);
    }
    said
}
