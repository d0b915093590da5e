//! Accounts of oidc-agent, as `oidc-gen -p ACCOUNT` prints them
//! (<https://github.com/indigo-dc/oidc-agent/blob/master/src/account/account.c>).

use serde_json::Value;

use super::file::{Found, Input, member};
use super::parameters::texts;
use crate::error::Error;

/// What stands behind an account that oidc-agent has encrypted.
const VERSION: &str = "Generated using version: ";

pub(super) fn is(input: &Input<'_>) -> bool {
    let Some(json) = &input.json else {
        return false;
    };
    let has_issuer = ["issuer_url", "issuer"]
        .iter()
        .any(|key| json[*key].is_string());
    has_issuer && json["client_id"].is_string()
}

/// Whether a file is an account that only oidc-agent can read.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(VERSION)) || text.starts_with("-----BEGIN PGP MESSAGE")
}

pub(super) fn read(input: &Input<'_>) -> Result<Vec<Found>, Error> {
    let none = Value::Null;
    let json = input.json.as_ref().unwrap_or(&none);
    let stem = input.stem();
    let mut found = Found::new(member(json, "name").unwrap_or(&stem));
    found.put("scopes", Vec::<String>::new());
    for (key, value) in json.as_object().into_iter().flatten() {
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
            if key == "redirect_uris" {
                read_redirects(&mut found, value);
            }
            continue;
        };
        match key.as_str() {
            "issuer_url" => found.put("authority", text),
            "issuer" if member(json, "issuer_url").is_none() => found.put("authority", text),
            "client_id" => found.put("client_id", text),
            "client_secret" => found.leave_secret(key, "client_secret", None),
            // Whatever the issuer has.
            "scope" if text == "max" => {
                found.leave(
                    key,
                    "`max` is not known here; name what the tools need in `scopes`",
                );
            }
            "scope" => found.put("scopes", texts(value)),
            "cert_path" => found.put_in("tls", "ca_file", input.beside(text)),
            "device_authorization_endpoint" => {
                found.put_in("endpoints", "device_authorization", text);
            }
            "username" => found.put("account", text),
            "refresh_token" | "password" => found.leave(
                key,
                "secrets are not copied; sign in once with `cred-helper login`",
            ),
            "name" | "issuer" => {}
            "client_name" => found.leave(key, "it is of no use here"),
            _ => found.leave(key, "a profile has nothing like it"),
        }
    }
    Ok(vec![found])
}

/// Takes the first redirect URI that leads to this machine.
fn read_redirects(found: &mut Found, value: &Value) {
    let all = texts(value);
    let own = all.iter().find(|uri| uri.starts_with("http://"));
    if let Some(own) = own {
        found.put_in("grant", "redirect_uri", own.as_str());
    }
    for other in all.iter().filter(|uri| Some(*uri) != own) {
        let key = format!("redirect_uris: {other}");
        found.leave(&key, "a profile has one redirect URI");
    }
}
