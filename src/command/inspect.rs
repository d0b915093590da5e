//! `inspect`: what a token says of itself.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::{Entry, Shell, account_argument, columns, output_argument, profile_argument, text};
use crate::credential::{Action, Request, Response, TokenKind};
use crate::encoding::{from_base64, harmless_json};
use crate::error::{Error, ErrorKind};
use crate::oauth::verification::{self, Verdict};
use crate::profile::Configuration;
use crate::text::printable;
use crate::token::Timestamp;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "inspect",
    command,
    run,
};

/// What claims mean (RFC 7519 §4.1, RFC 9068, OpenID Connect Core §2, Entra's own), in the order in which
/// they are shown; whatever else there is comes after.
const MEANINGS: &[(&str, &str)] = &[
    ("iss", "who issued it"),
    ("aud", "whom it is for"),
    ("azp", "the client it was issued to"),
    ("appid", "the client it was issued to"),
    ("client_id", "the client it was issued to"),
    ("sub", "who it is about, for the issuer"),
    ("oid", "who it is about, in the whole tenant"),
    ("tid", "the tenant"),
    ("preferred_username", "the sign-in name"),
    ("upn", "the sign-in name"),
    ("unique_name", "the sign-in name"),
    ("email", "the address of mail"),
    ("name", "a name to show"),
    ("scp", "what the client may do for that person"),
    ("scope", "what its bearer may do"),
    ("roles", "what the person, or the client itself, may do"),
    ("wids", "roles in the tenant"),
    ("groups", "groups"),
    ("act", "who acts for them"),
    ("cnf", "the key that it is bound to"),
    ("acr", "how strong the sign-in was"),
    ("amr", "how they signed in"),
    ("auth_time", "when they signed in"),
    ("iat", "when it was issued"),
    ("nbf", "from when on it counts"),
    ("exp", "when it ends"),
    ("xms_cc", "what the client can answer, as CP1: a challenge"),
    ("idtyp", "whether it is about a person or a client"),
    ("nonce", "the sign-in that it belongs to"),
    ("jti", "its id"),
    ("uti", "its id"),
    ("ver", "the version of its form"),
];

/// The claims that are times.
const TIMES: [&str; 4] = ["auth_time", "iat", "nbf", "exp"];

fn command(command: Command) -> Command {
    command
        .about("Show what a token says of itself")
        .after_help(
            "Its signature is checked with --verify alone: without, what it says is worth no more than \
             where it came from. The token itself is not shown.\n\nExamples:\n  cred-helper inspect -p \
             graph\n  cred-helper inspect -p graph --id-token --verify -o json",
        )
        .arg(profile_argument())
        .arg(account_argument())
        .arg(
            Arg::new("id-token")
                .long("id-token")
                .action(ArgAction::SetTrue)
                .help("The ID token instead of the access token"),
        )
        .arg(
            Arg::new("verify")
                .long("verify")
                .action(ArgAction::SetTrue)
                .help("Check the signature with the authority's keys: exit code 5 if it is not theirs"),
        )
        .arg(output_argument(&["table", "json"]).default_value("table"))
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let request = Request {
        profile: text(matches, "profile"),
        account: text(matches, "account"),
        token: Some(match matches.get_flag("id-token") {
            true => TokenKind::Id,
            false => TokenKind::Access,
        }),
        // It goes nowhere.
        takes_dpop: true,
        ..Request::new(Action::Get)
    };
    let Response::Token(credential) = (shell.answer)(&request, None)? else {
        let bug = "BUG: `inspect` was answered without a token";
        return Err(Error::new(ErrorKind::Internal, bug));
    };
    let token = credential.access_token.expose();
    let read = read(token);
    let verified = match (matches.get_flag("verify"), &read) {
        (true, Some((_, claims))) => Some(verify(token, claims, &credential.profile, shell)),
        (true, None) => Some(Ok(Err("it is opaque, and has no signature".to_owned()))),
        (false, _) => None,
    };
    let is_json = text(matches, "output").as_deref() == Some("json");
    let printed = match (&read, is_json) {
        (Some((header, claims)), true) => {
            let is_verified = matches!(verified, Some(Ok(Ok(_))));
            let mut told = json!({ "header": header, "claims": claims, "verified": is_verified });
            if let Some(verified) = &verified {
                told["reason"] = reason(verified).into();
            }
            format!("{}\n", harmless_json(&told))
        }
        (None, true) => format!("{}\n", json!({ "opaque": true })),
        (Some((header, claims)), false) => {
            let word = match &verified {
                Some(Ok(Ok(by))) => format!("the token's signature is verified: {by}"),
                Some(_) => "the token's signature is not verified".to_owned(),
                None => "the token's signature is not checked: this is what it says of itself"
                    .to_owned(),
            };
            shell.context.inform(&word);
            table(header, claims, shell.context.clock.now())
        }
        (None, false) => {
            "The token is opaque: it says nothing that a client could read.\n".to_owned()
        }
    };
    shell.print(&printed)?;
    match verified {
        Some(Err(error)) => Err(error),
        Some(Ok(Err(reason))) => {
            let name = &credential.profile;
            let message = format!("the token of profile `{name}` is not verified: {reason}");
            Err(Error::new(ErrorKind::Denied, message).hint(
                "believe nothing of what it says; the service that it is for decides by itself",
            ))
        }
        Some(Ok(Ok(_))) | None => Ok(()),
    }
}

/// Whether the authority of the profile has issued the token.
fn verify(
    token: &str,
    claims: &Map<String, Value>,
    profile: &str,
    shell: &Shell<'_, '_>,
) -> Result<Verdict, Error> {
    let sources = shell.sources()?;
    let profile = Configuration::new(&sources)?.profile(profile)?;
    verification::verify(token, claims, &profile.client, &shell.context)
}

/// By what it is verified, or why it is not.
fn reason(verified: &Result<Verdict, Error>) -> String {
    match verified {
        Ok(Ok(reason) | Err(reason)) => reason.clone(),
        Err(error) => error.to_string(),
    }
}

/// The header and the claims of a JWT (RFC 7519); `None` for what is none, or is encrypted.
fn read(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let mut parts = token.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let decode = |part: &str| serde_json::from_slice(&from_base64(part)?).ok();
    Some((decode(header)?, decode(claims)?))
}

fn table(header: &Map<String, Value>, claims: &Map<String, Value>, now: Timestamp) -> String {
    let mut lines = vec![["CLAIM", "VALUE", "MEANING"].map(String::from)];
    for (name, meaning) in MEANINGS {
        if let Some(value) = claims.get(*name) {
            lines.push([
                (*name).to_owned(),
                shown(name, value, now),
                (*meaning).to_owned(),
            ]);
        }
    }
    let is_known = |name: &str| MEANINGS.iter().any(|(known, _)| *known == name);
    for (name, value) in claims.iter().filter(|(name, _)| !is_known(name)) {
        lines.push([printable(name), shown(name, value, now), String::new()]);
    }
    for (name, value) in header {
        lines.push([
            printable(name),
            shown(name, value, now),
            "in the header".to_owned(),
        ]);
    }
    columns(&lines)
}

/// A claim's value as a person reads it.
fn shown(name: &str, value: &Value, now: Timestamp) -> String {
    let time = value.as_f64().filter(|_| TIMES.contains(&name));
    if let Some(seconds) = time {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is beyond any time is brought to the last one"
        )]
        let time = Timestamp(0).plus(seconds as i64);
        return format!("{} ({})", time.rfc3339(), distance(time.since(now)));
    }
    match value {
        Value::String(text) => printable(text),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| shown("", value, now)).collect();
            values.join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            printable(&value.to_string())
        }
    }
}

/// How far a time is from now, in its two largest units.
fn distance(seconds: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let left = seconds.unsigned_abs();
    let first = UNITS
        .iter()
        .position(|(unit, _)| left >= *unit)
        .unwrap_or(3);
    let (unit, name) = UNITS[first];
    let mut text = format!("{} {name}", left / unit);
    if let Some((next, next_name)) = UNITS.get(first + 1)
        && left % unit / next > 0
    {
        text.push_str(&format!(" {} {next_name}", left % unit / next));
    }
    match seconds {
        0.. => format!("in {text}"),
        _ => format!("{text} ago"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{distance, read, table};
    use crate::token::Timestamp;

    #[test]
    fn a_distance_is_told_in_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "in 0 s"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (-61, "1 min 1 s ago"),
            (3600, "in 1 h"),
            (86_399, "in 23 h 59 min"),
            (-90_000, "1 d 1 h ago"),
            (86_460, "in 1 d"),
        ] {
            assert_eq!(distance(seconds), expected);
        }
    }

    #[test]
    fn what_is_known_comes_first_and_nothing_moves_the_cursor() {
        let claims = json!({
            "a\u{1b}[2J": "x\u{1b}[2J", "exp": 160, "aud": ["one", "two"], "nested": { "k": 1.5 },
            "iat": "tomorrow"
        });
        let header = json!({ "alg": "RS256" });
        let objects = [&header, &claims].map(|value| value.as_object().expect("it is one"));
        let text = table(objects[0], objects[1], Timestamp(100));
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(str::trim)
                    .filter(|cell| !cell.is_empty())
                    .collect()
            })
            .collect();
        assert_eq!(
            lines,
            [
                &["CLAIM", "VALUE", "MEANING"][..],
                &["aud", "one two", "whom it is for"],
                &["iat", "tomorrow", "when it was issued"],
                &["exp", "1970-01-01T00:02:40Z (in 1 min)", "when it ends"],
                &["a[2J", "x[2J"],
                &["nested", "{\"k\":1.5}"],
                &["alg", "RS256", "in the header"],
            ]
        );
    }

    #[test]
    fn what_is_no_jwt_or_is_encrypted_is_opaque() {
        for (token, is_read) in [
            ("e30.e30.", true),
            ("e30.e30.c2ln", true),
            ("e30.e30", false),
            ("e30.e30.x.y.z", false),
            ("W10.e30.x", false),
            ("opaque", false),
            ("", false),
        ] {
            assert_eq!(read(token).is_some(), is_read, "{token}");
        }
    }
}
