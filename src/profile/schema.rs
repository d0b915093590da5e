//! A JSON Schema of the profile file, for editors: made of the tables that the parser reads by, so that
//! neither knows a key that the other does not.
//!
//! It is of draft 7, which the editors of TOML read. What it lets pass may still be wrong:
//! `profile check` has the last word.

use serde_json::{Map, Value, json};

use super::client_authentication::ASSERTION_WAYS;
use super::file::{SECRET_WAYS, TOKEN_WAYS};
use super::preset::PRESETS;
use super::session::{ITEM_KEYS, SESSION_KEYS};
use super::{BESIDE_TABLES, FILE_KEYS, POLICY, PROFILE_KEYS, TLS_KEYS};
use crate::credential::TokenKind;
use crate::exchange::EXCHANGES;
use crate::grant::{ANY_KEY, Entry, GRANTS};
use crate::oauth::assertion::Audience;
use crate::oauth::client::EndpointName;
use crate::oauth::client_authentication::Method;
use crate::protocol;
use crate::store::seal::SEALS;

/// The schema.
pub fn schema() -> Value {
    let tables = FILE_KEYS.iter().map(|(table, _)| *table);
    let mut keys = object(BESIDE_TABLES.into_iter().chain(tables), file_key);
    keys["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    keys["title"] = "The profile file of cred-helper".into();
    keys
}

/// A table of these keys alone.
fn object<'k>(keys: impl IntoIterator<Item = &'k str>, of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys
        .into_iter()
        .map(|key| (key.to_owned(), of(key)))
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn described(mut schema: Value, text: &str) -> Value {
    schema["description"] = text.into();
    schema
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn any_of(names: impl IntoIterator<Item = &'static str>) -> Value {
    json!({ "enum": names.into_iter().collect::<Vec<_>>() })
}

/// A table of texts.
fn texts_by_name() -> Value {
    json!({ "type": "object", "additionalProperties": text() })
}

fn tools() -> Value {
    json!({ "type": "array", "items": any_of(protocol::tools()) })
}

fn seals() -> Value {
    let names = SEALS.iter().map(|seal| seal.name);
    any_of(std::iter::once("auto").chain(names))
}

fn file_key(key: &str) -> Value {
    match key {
        "default_profile" => described(
            text(),
            "the profile of calls that name neither a profile nor a URL",
        ),
        "profiles" => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$" },
            "additionalProperties": profile(),
        }),
        table => {
            let known = FILE_KEYS.iter().find(|(name, _)| *name == table);
            let keys = known.into_iter().flat_map(|(_, keys)| keys.iter().copied());
            let schema = object(keys, |key| table_key(table, key));
            match table {
                POLICY => described(schema, "what counts in the machine-wide file alone"),
                _ => schema,
            }
        }
    }
}

/// A key of a table that is for all profiles.
fn table_key(table: &str, key: &str) -> Value {
    match (table, key) {
        (_, "seal") => seals(),
        (_, "tools") => tools(),
        (_, "command" | "previous_command") => texts(),
        (_, "key_cache" | "timeout") => text(),
        (_, "background" | "enabled" | "clipboard" | "user_profiles") => boolean(),
        _ => unreachable!("BUG: `{table}.{key}` has no schema"),
    }
}

/// The table of one profile.
fn profile() -> Value {
    let description = |key: &str| {
        let mut known = PROFILE_KEYS.iter();
        known
            .find(|(known, _)| *known == key)
            .map_or("", |(_, text)| text)
    };
    let keys = PROFILE_KEYS.iter().map(|(key, _)| *key);
    object(keys, |key| described(profile_key(key), description(key)))
}

/// The value of a key; most are texts.
fn profile_key(key: &str) -> Value {
    match key {
        "scopes" | "urls" | "client_capabilities" => texts(),
        "tools" => tools(),
        "exact_scopes" | "client_send_x5c" | "dpop" => boolean(),
        "preset" => any_of(PRESETS.iter().map(|preset| preset.name)),
        "endpoints" => object(EndpointName::ALL.map(EndpointName::key), |_| text()),
        "grant" => grant(),
        "client_secret" | "client_certificate" | "client_private_key" | "client_passphrase" => {
            source(SECRET_WAYS, true)
        }
        "client_assertion" => source(&ASSERTION_WAYS, false),
        "client_assertion_audience" => any_of(Audience::NAMES),
        "client_auth_method" => any_of(Method::ALL.map(Method::name)),
        "client_basic_encoding" => any_of(["form", "raw"]),
        "token" => any_of(TokenKind::NAMES),
        "extra" => texts_by_name(),
        "session" => object(SESSION_KEYS, |key| match key {
            "msal" => text(),
            _ => object(ITEM_KEYS, |key| match key {
                "attributes" => texts_by_name(),
                "base64" => boolean(),
                _ => text(),
            }),
        }),
        "tls" => object(TLS_KEYS, |_| text()),
        key => match EXCHANGES.iter().find(|entry| entry.name == key) {
            Some(entry) => {
                let mut table = object(entry.keys.iter().copied(), |_| text());
                table["required"] = json!(entry.required);
                table
            }
            None => text(),
        },
    }
}

/// Where a secret comes from: one of these ways, or, where it may be, a text.
fn source(ways: &[&str], or_text: bool) -> Value {
    let mut table = object(ways.iter().copied(), |way| match way {
        "command" => texts(),
        "stdin" => json!({ "const": true }),
        "github_actions" | "azure_pipelines" => texts_by_name(),
        _ => text(),
    });
    table["minProperties"] = 1.into();
    table["maxProperties"] = 1.into();
    match or_text {
        true => json!({ "anyOf": [table, text()] }),
        false => table,
    }
}

/// How to sign in: a name, or a table with that grant's own keys.
fn grant() -> Value {
    let names = any_of(GRANTS.iter().map(|entry| entry.name));
    let tables = GRANTS.iter().map(grant_table);
    json!({ "anyOf": std::iter::once(names).chain(tables).collect::<Vec<_>>() })
}

fn grant_table(entry: &Entry) -> Value {
    let all = [entry.keys, entry.secrets, entry.tokens];
    let keys = all.into_iter().flatten().copied();
    let keys = keys.filter(|key| *key != ANY_KEY).chain(["type"]);
    let mut table = object(keys, |key| match key {
        "type" => json!({ "const": entry.name }),
        key if entry.secrets.contains(&key) => source(SECRET_WAYS, true),
        key if entry.tokens.contains(&key) => source(&TOKEN_WAYS, true),
        "allow_password" => boolean(),
        "command" => texts(),
        _ => text(),
    });
    if entry.keys.contains(&ANY_KEY) {
        table["additionalProperties"] = true.into();
    }
    // A preset may say the type.
    described(table, entry.summary)
}

#[cfg(test)]
mod tests {
    use super::{PROFILE_KEYS, schema};
    use crate::grant::GRANTS;

    #[test]
    fn every_key_is_in_it_with_what_it_means() {
        let schema = schema();
        let profile = &schema["properties"]["profiles"]["additionalProperties"];
        for (key, text) in PROFILE_KEYS {
            assert_eq!(profile["properties"][key]["description"], *text);
        }
        let grants = profile["properties"]["grant"]["anyOf"].as_array();
        let grants = grants.expect("there are several");
        assert_eq!(grants.len(), 1 + GRANTS.len());
        for (entry, table) in GRANTS.iter().zip(&grants[1..]) {
            assert_eq!(table["properties"]["type"]["const"], entry.name);
        }
    }
}
