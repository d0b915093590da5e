//! `parameters.json` of MSAL's samples
//! (<https://github.com/AzureAD/microsoft-authentication-library-for-python/tree/dev/sample>).

use serde_json::Value;

use super::file::{Found, Input, member};
use crate::error::Error;

pub(super) fn is(input: &Input<'_>) -> bool {
    let Some(json) = &input.json else {
        return false;
    };
    json["client_id"].is_string() && (json["authority"].is_string() || !json["scope"].is_null())
}

pub(super) fn read(input: &Input<'_>) -> Result<Vec<Found>, Error> {
    let mut found = Found::new(&input.stem());
    let members = input.json.as_ref().and_then(Value::as_object);
    for (key, value) in members.into_iter().flatten() {
        let text = value.as_str();
        match (key.as_str(), text) {
            (_, Some("")) => {}
            ("authority" | "oidc_authority", Some(text)) => found.put("authority", text),
            ("client_id", Some(text)) => found.put("client_id", text),
            ("scope" | "scopes", _) => found.put("scopes", texts(value)),
            ("endpoint", Some(text)) => found.put("endpoint", text),
            ("secret" | "client_secret" | "client_credential", _) => {
                found.leave_secret(key, "client_secret", None);
                found.put("grant", "client_credentials");
            }
            ("private_key_file", Some(text)) => {
                found.put("client_certificate", input.beside(text));
                found.put("grant", "client_credentials");
                found.leave(
                    key,
                    "`client_certificate` names this file; the certificate has to stand in it beside its key",
                );
            }
            ("thumbprint", _) => found.leave(key, "it follows from the certificate"),
            ("username", Some(text)) => found.put("account", text),
            ("password", _) => found.leave(
                key,
                "secrets are not copied; the profile signs in with a browser or a device code. Where \
                 a password has to do, see docs/machine.md",
            ),
            _ => found.leave(key, "a profile has nothing like it"),
        }
    }
    let is_whole = |key| member(input.json.as_ref().unwrap_or(&Value::Null), key).is_some();
    if !is_whole("authority") && !is_whole("oidc_authority") {
        // What MSAL takes where none is said.
        found.put("authority", "https://login.microsoftonline.com/common");
    }
    Ok(vec![found])
}

/// A list of texts, or one text with blanks.
pub(super) fn texts(value: &Value) -> Vec<String> {
    if let Some(values) = value.as_array() {
        let texts = values.iter().filter_map(Value::as_str);
        return texts.map(String::from).collect();
    }
    let text = value.as_str().unwrap_or_default();
    text.split_whitespace().map(String::from).collect()
}
