//! The protocol of scripts: `cred-helper get` prints a token, and nothing else.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::argument::{Arguments, Flag, PROFILE};
use super::{Answer, Entry};
use super::{json, reader};
use crate::credential::{Action, Credential, Interactive, Request, Response, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::system::replacement::{self, unwritable};
use crate::text::printable;
use crate::token::NOT_APPLICABLE;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "get",
    summary: "Print an access token",
    help: "Examples:\n  cred-helper get -p graph\n\nA header for curl, on its stdin, since others can see its arguments:\n  cred-helper get -p graph -o header | curl --fail -H @- https://graph.microsoft.com/v1.0/me\n\nA variable of the shell, in two steps, since `eval` of a call that failed is no failure:\n  token=$(cred-helper get -p graph -o env) && eval \"$token\"",
    link_names: &[],
    time_limit: Duration::from_secs(60),
    flags: FLAGS,
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

/// The format that prints another token.
pub(super) const ID_TOKEN: &str = "id-token";
/// Where it is written instead of stdout.
const OUTPUT_FILE: &str = "output-file";
/// The format that has room for a proof.
const HEADERS: &str = "headers";

/// The formats that say what the token is.
const BEARER: [&str; 3] = ["bearer", "header", "headers"];

const FLAGS: &[Flag] = &[
    PROFILE,
    Flag::value(
        "url",
        "URL",
        "Choose the profile whose `urls` match; with -p it must match too",
    ),
    Flag::value(
        "method",
        "METHOD",
        "The method of the request to --url, for a proof of DPoP [default: GET]",
    ),
    Flag::value(
        "dpop-nonce",
        "NONCE",
        "The nonce that the server of --url wants in the proof",
    ),
    Flag::value("output", "FORMAT", "What to print [default: token]")
        .short('o')
        .choices(&[
            "token", ID_TOKEN, "bearer", "header", HEADERS, "json", "env", "netrc",
        ]),
    Flag::value(
        OUTPUT_FILE,
        "FILE",
        "Write it into this file, for its owner alone, and print nothing",
    ),
    Flag::value("scope", "S", "Ask for this scope instead of the profile's").many(),
    Flag::value("account", "A", "Which account of several"),
    Flag::value("min-valid", "D", "Valid for at least this long, as `5m`"),
    Flag::switch("force-refresh", "Never answer from the cache"),
    Flag::value(
        "claims",
        "JSON",
        "A claims request, or the challenge of a 401",
    ),
    Flag::value(
        "interactive",
        "WHEN",
        "Whether a person may be asked [default: auto]",
    )
    .choices(&Interactive::NAMES),
    Flag::value(
        "env-name",
        "NAME",
        "The variable of `-o env` [default: ACCESS_TOKEN]",
    ),
    Flag::value(
        "for",
        "PROGRAM",
        "Who reads it: a token that is too long for this program is an error",
    )
    .choices(&reader::NAMES),
];

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let format = arguments.get("output").unwrap_or("token");
    let variable = arguments.get("env-name").unwrap_or("ACCESS_TOKEN");
    check_variable("env-name", variable)?;
    let file = arguments.get(OUTPUT_FILE).map(Path::new);
    if let Some(file) = file {
        // Before anybody is asked for anything.
        replacement::check(file).map_err(|error| unwritable(file, &error))?;
    }
    let request = request(arguments)?;
    let Response::Token(credential) = answer(&request, None)? else {
        return Err(Error::new(
            ErrorKind::Internal,
            "BUG: `get` was answered without a token",
        ));
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    if let Some(name) = arguments.get("for") {
        reader::check(name, &credential)?;
    }
    let text = render(&credential, format, variable)?;
    if let Some(file) = file {
        let text = match format {
            // Those who read a token from a file take all of it for the token.
            "token" | ID_TOKEN => text.trim_end_matches('\n'),
            _ => text.as_str(),
        };
        return replacement::replace(file, text.as_bytes())
            .map_err(|error| unwritable(file, &error))
            .map(|()| 0);
    }
    // Built first and written once: several writes of a long answer would mix with those of
    // other processes.
    io.answer(&text).map(|()| 0)
}

/// What the flags ask for.
pub(super) fn request(arguments: &Arguments) -> Result<Request, Error> {
    let text = |name: &str| arguments.get(name).map(String::from);
    let min_valid = arguments
        .get("min-valid")
        .map(|given| {
            humantime::parse_duration(given).map_err(|error| {
                Error::new(
                    ErrorKind::Usage,
                    format!("--min-valid `{given}` is no time"),
                )
                .because(error)
                .hint("write it like `90s`, `5m` or `1h`")
            })
        })
        .transpose()?;
    let claims = arguments.get("claims").map(json::read_claims).transpose()?;
    Ok(Request {
        profile: text("profile"),
        url: text("url"),
        scopes: arguments.all("scope"),
        account: text("account"),
        min_valid,
        force_refresh: arguments.has("force-refresh"),
        claims,
        interactive: arguments.get("interactive").and_then(Interactive::parse),
        takes_dpop: matches!(arguments.get("output"), Some("json" | HEADERS)),
        method: text("method").map(json::read_method).transpose()?,
        dpop_nonce: text("dpop-nonce").filter(|nonce| !nonce.is_empty()),
        token: Some(match arguments.get("output") {
            Some(ID_TOKEN) => TokenKind::Id,
            _ => TokenKind::Access,
        }),
        hands_over_stdin: true,
        ..Request::new(Action::Get)
    })
}

/// Refuses what no shell takes for the name of a variable.
pub(super) fn check_variable(flag: &str, name: &str) -> Result<(), Error> {
    let mut characters = name.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if first && characters.all(|rest| rest.is_ascii_alphanumeric() || rest == '_') {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!("--{flag} `{}` is no name of a variable", printable(name)),
    ))
}

/// The token in a format, and an end of line.
pub(super) fn render(
    credential: &Credential,
    format: &str,
    variable: &str,
) -> Result<Zeroizing<String>, Error> {
    if credential.token_type == NOT_APPLICABLE && BEARER.contains(&format) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("the token is no bearer token, which `{format}` would make of it"),
        )
        .hint("it was exchanged for one of another type; take it as it is: `-o token`"));
    }
    let token = credential.access_token.expose();
    let mut text = Zeroizing::new(String::with_capacity(token.len() + 256));
    match format {
        "bearer" => write!(text, "Bearer {token}").expect("a String can be written to"),
        "header" => {
            write!(text, "Authorization: Bearer {token}").expect("a String can be written to");
        }
        HEADERS => text.push_str(&headers(credential)?),
        "json" => text.push_str(&json::credential_object(credential)?),
        "env" => {
            let quoted = Zeroizing::new(token.replace('\'', r"'\''"));
            write!(text, "export {variable}='{}'", quoted.as_str())
                .expect("a String can be written to");
        }
        "netrc" => {
            let host = credential.host.as_deref().ok_or_else(|| {
                Error::new(ErrorKind::Usage, "`netrc` needs a host, and none is known")
                    .hint("give --url, or the profile's `urls`")
            })?;
            let username = credential.username.as_deref().unwrap_or("oauth2");
            write!(text, "machine {host}\nlogin {username}\npassword {token}")
                .expect("a String can be written to");
        }
        _ => text.push_str(token),
    }
    text.push('\n');
    Ok(text)
}

/// A JSON object of headers: the token, and the proof where it is bound to a key.
fn headers(credential: &Credential) -> Result<Zeroizing<String>, Error> {
    let token = credential.access_token.expose();
    let is_bound = credential.proof_key.is_some();
    let scheme = if is_bound { "DPoP" } else { "Bearer" };
    let value = |text: &str| serde_json::Value::from(text).to_string();
    let authorization = Zeroizing::new(format!("{scheme} {token}"));
    let authorization = Zeroizing::new(value(&authorization));
    let proof = match &credential.dpop_proof {
        Some(proof) => format!(",\"DPoP\":{}", value(proof.expose())),
        None if is_bound => {
            return Err(Error::new(
                ErrorKind::Usage,
                "the token is bound to a key, and goes with a proof for one request (DPoP)",
            )
            .hint("name the request with --url and --method"));
        }
        None => String::new(),
    };
    Ok(Zeroizing::new(format!(
        "{{\"Authorization\":{}{proof}}}",
        authorization.as_str()
    )))
}

#[cfg(test)]
mod tests {
    use super::{check_variable, render};
    use crate::credential::Credential;
    use crate::secret::Secret;
    use crate::token::Timestamp;

    #[test]
    fn each_format_is_what_its_reader_expects() {
        let credential = Credential {
            profile: "graph".into(),
            account: Some("ada@example.test".into()),
            token_type: "bearer".into(),
            access_token: Secret::new("a'b"),
            id_token: Some(Secret::new("id")),
            expires_at: Some(Timestamp(1_893_456_000)),
            expires_in: Some(3599),
            scopes: vec!["User.Read".into()],
            tenant: None,
            source: "cache",
            stale: false,
            host: Some("api.example".into()),
            username: None,
            basic_only: false,
            proof_key: None,
            dpop_proof: None,
        };
        for (format, expected) in [
            ("token", "a'b\n"),
            ("id-token", "a'b\n"),
            ("bearer", "Bearer a'b\n"),
            ("header", "Authorization: Bearer a'b\n"),
            ("headers", "{\"Authorization\":\"Bearer a'b\"}\n"),
            ("env", "export TOKEN='a'\\''b'\n"),
            ("netrc", "machine api.example\nlogin oauth2\npassword a'b\n"),
            (
                "json",
                "{\"kind\":\"get\",\"profile\":\"graph\",\"account\":\"ada@example.test\",\
                 \"token_type\":\"bearer\",\"access_token\":\"a'b\",\"id_token\":\"id\",\
                 \"expires_at\":\"2030-01-01T00:00:00Z\",\"expires_in\":3599,\
                 \"scopes\":[\"User.Read\"],\"source\":\"cache\",\"stale\":false}\n",
            ),
        ] {
            assert_eq!(
                *render(&credential, format, "TOKEN").unwrap(),
                expected,
                "{format}"
            );
        }
    }

    #[test]
    fn a_variable_has_a_name_that_a_shell_takes() {
        for (name, good) in [
            ("TOKEN", true),
            ("_x1", true),
            ("1x", false),
            ("a;b", false),
            ("", false),
        ] {
            assert_eq!(check_variable("env-name", name).is_ok(), good, "{name}");
        }
    }
}
