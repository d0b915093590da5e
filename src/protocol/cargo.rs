//! cargo's credential providers
//! (<https://doc.rust-lang.org/cargo/reference/credential-provider-protocol.html>).
//!
//! A line each way: our hello, a request, an answer. Errors are answers too; a process that ends with
//! another code than 0 is an error to cargo even after a good answer.

use std::ffi::OsString;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::argument::{self, Arguments, Flag, PROFILE};
use super::{Answer, Entry, names_nobody};
use crate::credential::{Action, Interactive, Request, Response};
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind};
use crate::io::{Io, delivered};
use crate::line::{self, Line};
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "cargo",
    summary: "Answer cargo as a credential provider",
    help: "Set it up in ~/.cargo/config.toml:\n  [registries.NAME]\n  index = \"sparse+https://…/index/\"\n  credential-provider = [\"cred-helper\"]",
    link_names: &["cargo-credential-cred-helper"],
    time_limit: Duration::from_secs(60),
    flags: FLAGS,
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

const FLAGS: &[Flag] = &[PROFILE, Flag::switch("cargo-plugin", "As cargo starts it")];

/// The versions that are spoken.
const HELLO: &str = "{\"v\":[1]}\n";

/// What cargo asks; what we do not know is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Message {
    v: u64,
    registry: Registry,
    kind: String,
    token: Option<String>,
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    index_url: String,
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    // cargo waits for it before it says anything.
    io.answer(HELLO)?;
    loop {
        let text = match line::read(&mut *io.stdin) {
            Ok(Line::End) | Err(_) => return Ok(0),
            Ok(Line::TooLong) => other(&usage("a line of cargo's is longer than 1 MiB")),
            Ok(Line::Whole(bytes)) => respond(&bytes, arguments, answer),
        };
        let text = Zeroizing::new(format!("{}\n", text.as_str()));
        // Whoever closed stdout wants no more answers.
        let written = io
            .stdout
            .write_all(text.as_bytes())
            .and_then(|()| io.stdout.flush());
        if written.is_err() {
            return delivered(written).map(|()| 0);
        }
        if let Err(told) = io.signals.check() {
            return Ok(told.kind().exit_code());
        }
    }
}

fn usage(message: &str) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Answers one line with one.
fn respond(line: &[u8], arguments: &Arguments, answer: &Answer<'_>) -> Zeroizing<String> {
    let Ok(message) = from_object::<Message>(line) else {
        return other(&usage("cargo's request cannot be read"));
    };
    if message.v != 1 {
        return other(&usage("cargo speaks another version than 1"));
    }
    let action = match message.kind.as_str() {
        "get" => Action::Get,
        "login" if message.token.is_some() => {
            return other(
                &usage("this registry's tokens come from cred-helper")
                    .hint("run `cargo login` without a token"),
            );
        }
        "login" => Action::Login,
        "logout" => Action::Logout { local: false },
        _ => return failure("operation-not-supported"),
    };
    // What stands behind the provider's name in cargo's configuration comes in here, not in argv.
    let words = message.args.iter().map(OsString::from);
    let Some(further) = argument::parse(words, &[FLAGS], 0) else {
        return other(
            &usage("an argument of the credential provider is unknown")
                .hint("in cargo's configuration, `--profile NAME` may stand behind its name"),
        );
    };
    let profile = further.get("profile").or(arguments.get("profile"));
    let request = Request {
        profile: profile.map(String::from),
        url: Some(url(&message.registry.index_url).to_owned()),
        ..Request::new(action)
    };
    let answered = if request.action == Action::Login {
        login(&request, answer)
    } else {
        answer(&request, None)
    };
    match answered {
        Ok(response) => success(&message.kind, &response),
        Err(error) if error.kind() == ErrorKind::NoProfile && !names_nobody(&request, answer) => {
            failure("url-not-supported")
        }
        Err(error) => other(&error),
    }
}

/// A person is asked only if a refresh does not do. Before `cargo login` lets us sign in, cargo
/// wants a token to read the index with, and whoever just signed in for that is not asked again.
fn login(request: &Request, answer: &Answer<'_>) -> Result<Response, Error> {
    let refresh = Request {
        action: Action::Get,
        force_refresh: true,
        interactive: Some(Interactive::Never),
        ..request.clone()
    };
    match answer(&refresh, None) {
        Err(error) if error.kind() == ErrorKind::LoginRequired => answer(request, None),
        answered => answered,
    }
}

/// The URL of an index, without the word for its kind.
fn url(index: &str) -> &str {
    index
        .strip_prefix("sparse+")
        .or_else(|| index.strip_prefix("registry+"))
        .unwrap_or(index)
}

fn success(kind: &str, response: &Response) -> Zeroizing<String> {
    let Response::Token(credential) = response else {
        return Zeroizing::new(json!({ "Ok": { "kind": kind } }).to_string());
    };
    if kind != "get" {
        return Zeroizing::new(json!({ "Ok": { "kind": kind } }).to_string());
    }
    let end = credential.expires_at.map(|end| end.0);
    // The token is the whole value of the header. A text can always be written as JSON.
    let token = Zeroizing::new(format!("Bearer {}", credential.access_token.expose()));
    let token = Zeroizing::new(serde_json::to_string(token.as_str()).expect("text is JSON"));
    let cache = match end {
        Some(end) => format!("\"cache\":\"expires\",\"expiration\":{end}"),
        None => "\"cache\":\"session\"".to_owned(),
    };
    Zeroizing::new(format!(
        "{{\"Ok\":{{\"kind\":\"get\",\"token\":{},{cache},\"operation_independent\":true}}}}",
        token.as_str()
    ))
}

fn failure(kind: &str) -> Zeroizing<String> {
    Zeroizing::new(json!({ "Err": { "kind": kind } }).to_string())
}

/// An error that ends cargo's command, shown as a chain of causes.
fn other(error: &Error) -> Zeroizing<String> {
    let mut causes: Vec<Value> = error.causes().iter().map(|cause| line_of(cause)).collect();
    if let Some(hint) = error.hint_text() {
        causes.push(line_of(&format!("hint: {hint}")));
    }
    let message = line_of(error.message());
    let body = json!({ "Err": { "kind": "other", "message": message, "caused-by": causes } });
    Zeroizing::new(body.to_string())
}

fn line_of(text: &str) -> Value {
    printable(text).into()
}
