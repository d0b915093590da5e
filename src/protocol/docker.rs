//! docker's credential helpers (<https://github.com/docker/docker-credential-helpers>), which
//! podman, skopeo, buildah and others start too.
//!
//! The argument is one word; stdin holds an address, or JSON. Errors are answers: a line on stdout
//! and exit code 1. After exactly `NOT_FOUND` the tool goes on without credentials; any other
//! line ends its command, or should. Some tools read stderr as a part of the answer, so nothing
//! goes there but trouble.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::address::{ask, ask_for_token, username};
use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, read_stdin};
use crate::credential::{Action, Interactive, Request, Response};
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::secret::Secret;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "docker",
    summary: "Answer docker, podman, skopeo and buildah as a credential helper",
    help: "Set it up for a registry: a link on the PATH,\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/docker-credential-cred-helper\nand in ~/.docker/config.json\n  { \"credHelpers\": { \"registry.example.com\": \"cred-helper\" } }",
    link_names: &[LINK],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &["get", "store", "erase", "list", "version"],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

const LINK: &str = "docker-credential-cred-helper";

/// What all clients compare an answer with.
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_ADDRESS: &str = "no credentials server URL";
const NO_USERNAME: &str = "no credentials username";

/// The user name that says that the secret is an identity token, which the client trades at the
/// registry's token service for what the registry takes.
const IDENTITY_TOKEN: &str = "<token>";

/// How docker names its own registry; all others are `HOST[:PORT]`.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let result = match arguments.operand(0) {
        Some("get") => get(arguments, io, answer).inspect_err(|error| tell(error, io)),
        Some("store") => store(arguments, io, answer),
        Some("erase") => erase(arguments, io, answer),
        Some("list") => list(arguments, answer),
        Some("version") => Ok(Zeroizing::new(format!(
            "cred-helper {}\n",
            env!("CRED_HELPER_VERSION")
        ))),
        Some(verb) => Err(usage(format!("{LINK}: unknown action: {verb}"))),
        None => Err(usage(format!("Usage: {LINK} <{}>", ENTRY.verbs.join("|")))),
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    match result.and_then(|text| io.signals.check().map(|()| text)) {
        Ok(text) => io.answer(&text).map(|()| 0),
        Err(error) => io.answer(&line_of(&error)).map(|()| 1),
    }
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Tells a person why there is no token. docker's own command line drops what an error says on
/// stdout and goes on without credentials; but it hands its stderr to its helpers.
fn tell(error: &Error, io: &mut Io<'_>) {
    // What is compared stays alone, and whoever pressed Ctrl-C knows.
    let is_compared = [NOT_FOUND, NO_ADDRESS].contains(&error.message());
    if !is_compared && error.kind() != ErrorKind::Interrupted {
        let line = format!("cred-helper: {}", line_of(error));
        // A closed stderr changes nothing.
        drop(io.stderr.write_all(line.as_bytes()));
    }
}

/// An error as one line.
fn line_of(error: &Error) -> String {
    let hint = error.hint_text();
    let hint = hint.map_or_else(String::new, |hint| format!("; hint: {hint}"));
    format!("{}\n", printable(&format!("{error}{hint}")))
}

/// Reads the address of a registry.
fn read_address(io: &mut Io<'_>) -> Result<String, Error> {
    let bytes = read_stdin(io)?;
    // Whatever is not UTF-8 is not ours, and matches nothing of ours.
    address(&String::from_utf8_lossy(&bytes))
}

fn address(text: &str) -> Result<String, Error> {
    let address = text.trim();
    if address.is_empty() {
        return Err(usage(NO_ADDRESS));
    }
    Ok(address.to_owned())
}

fn get(
    arguments: &Arguments,
    io: &mut Io<'_>,
    answer: &Answer<'_>,
) -> Result<Zeroizing<String>, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found<'a> {
        #[serde(rename = "ServerURL")]
        server_url: &'a str,
        username: &'a str,
        secret: &'a str,
    }
    let address = read_address(io)?;
    let request = Request::new(Action::Get);
    let credential = ask_for_token(request, &address, arguments, answer)?
        .ok_or_else(|| Error::new(ErrorKind::NoProfile, NOT_FOUND))?;
    let found = Found {
        server_url: &address,
        // That of the profile or its preset, else whose it is.
        username: username([
            credential.username.as_deref(),
            credential.account.as_deref(),
        ]),
        secret: credential.access_token.expose(),
    };
    let text = Zeroizing::new(serde_json::to_string(&found).expect("texts are JSON"));
    Ok(Zeroizing::new(format!("{}\n", text.as_str())))
}

/// Keeps nothing. `docker login` and `podman login` first ask us for what they log in with, and
/// then have it stored: what came from us goes well, and anything else does not.
fn store(
    arguments: &Arguments,
    io: &mut Io<'_>,
    answer: &Answer<'_>,
) -> Result<Zeroizing<String>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Offered {
        #[serde(rename = "ServerURL", default)]
        server_url: String,
        #[serde(default)]
        username: String,
        secret: Secret,
    }
    const KEEPS_NOTHING: &str =
        "cred-helper stores no passwords; its token for this registry comes from a sign-in";
    let bytes = read_stdin(io)?;
    let offered: Offered =
        from_object(&bytes).map_err(|_| usage("the credentials on stdin cannot be read"))?;
    let address = address(&offered.server_url)?;
    if offered.username.is_empty() {
        return Err(usage(NO_USERNAME));
    }
    let request = Request {
        interactive: Some(Interactive::Never),
        // What was handed out a moment ago is what is compared, also if it ends soon.
        min_valid: Some(Duration::ZERO),
        ..Request::new(Action::Get)
    };
    match ask_for_token(request, &address, arguments, answer) {
        Ok(None) => Err(usage(
            "cred-helper stores no credentials, and none of its profiles is for this registry",
        )
        .hint("name another helper for it in `credHelpers`")),
        // An identity token that the registry issued for ours is no better than ours.
        Ok(Some(credential))
            if offered.secret == credential.access_token || offered.username == IDENTITY_TOKEN =>
        {
            Ok(Zeroizing::default())
        }
        Ok(Some(credential)) => {
            Err(usage(KEEPS_NOTHING).next(["cred-helper", "login", "-p", &credential.profile]))
        }
        Err(error) if error.kind() == ErrorKind::LoginRequired => {
            let command = error.next_command().iter();
            Err(usage(KEEPS_NOTHING).next(command.map(String::as_str)))
        }
        Err(error) => Err(error),
    }
}

/// Forgets what is cached, so that the next `get` brings something new. The sign-in is other tools'
/// too, and stays.
fn erase(
    arguments: &Arguments,
    io: &mut Io<'_>,
    answer: &Answer<'_>,
) -> Result<Zeroizing<String>, Error> {
    let address = read_address(io)?;
    let request = Request::new(Action::Erase(None));
    ask(request, &address, arguments, answer).map(|_| Zeroizing::default())
}

/// Names the registries of profiles that name docker among their `tools`, and that somebody is
/// signed in for. docker asks for each at once, and a build sends all that it gets to the daemon:
/// tokens for anything else than registries do not belong there.
fn list(arguments: &Arguments, answer: &Answer<'_>) -> Result<Zeroizing<String>, Error> {
    let request = Request {
        profile: arguments.get("profile").map(String::from),
        ..Request::new(Action::Status)
    };
    let Response::Status(status) = answer(&request, None)? else {
        let bug = "BUG: docker was not answered with a status";
        return Err(Error::new(ErrorKind::Internal, bug));
    };
    let mut listed = Map::new();
    for row in members(&status, "profiles") {
        let mut tools = members(row, "tools");
        let mut accounts = members(row, "accounts").filter(|account| account["signed_in"] == true);
        if let Some(account) = accounts.next_back()
            && tools.any(|tool| tool == ENTRY.name)
        {
            let name = username([row["username"].as_str(), account["account"].as_str()]);
            let patterns = members(row, "urls").filter_map(Value::as_str);
            for address in patterns.filter_map(listed_address) {
                listed.entry(address).or_insert_with(|| name.into());
            }
        }
    }
    Ok(Zeroizing::new(format!("{}\n", Value::Object(listed))))
}

fn members<'v>(value: &'v Value, name: &str) -> impl DoubleEndedIterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// A URL pattern as the address of a registry, if it names one host.
fn listed_address(pattern: &str) -> Option<String> {
    let (scheme, rest) = pattern.split_once("://")?;
    let is_web = ["https", "http"].contains(&scheme.to_ascii_lowercase().as_str());
    let address = rest.trim_end_matches('/');
    (is_web && !address.starts_with("*.")).then(|| match address {
        "index.docker.io" | "index.docker.io/v1" => DOCKER_HUB.to_owned(),
        _ => address.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::listed_address;

    #[test]
    fn a_pattern_is_listed_as_docker_names_the_registry() {
        for (pattern, expected) in [
            ("https://registry.example/", Some("registry.example")),
            (
                "https://registry.example:5000/a/",
                Some("registry.example:5000/a"),
            ),
            ("http://127.0.0.1:5000", Some("127.0.0.1:5000")),
            (
                "https://index.docker.io/",
                Some("https://index.docker.io/v1/"),
            ),
            (
                "https://index.docker.io/v1/",
                Some("https://index.docker.io/v1/"),
            ),
            ("https://*.registry.example/", None),
            ("smtp://mail.example/", None),
        ] {
            assert_eq!(listed_address(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
