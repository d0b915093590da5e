//! azureauth's aliases
//! (<https://github.com/AzureAD/microsoft-authentication-cli/blob/main/docs/usage.md>).

use toml::Value;

use super::file::{Found, Input};
use crate::error::Error;

pub(super) fn is(input: &Input<'_>) -> bool {
    let toml = input.toml.as_ref();
    toml.is_some_and(|table| table.get("alias").is_some_and(Value::is_table))
}

pub(super) fn read(input: &Input<'_>) -> Result<Vec<Found>, Error> {
    let aliases = input
        .toml
        .as_ref()
        .and_then(|table| table.get("alias")?.as_table());
    let aliases = aliases.into_iter().flatten();
    Ok(aliases
        .filter_map(|(name, alias)| Some(read_alias(name, alias.as_table()?)))
        .collect())
}

fn read_alias(name: &str, alias: &toml::Table) -> Found {
    let mut found = Found::new(name);
    for (key, value) in alias {
        match (key.as_str(), value) {
            ("client", Value::String(client)) => found.put("client_id", client.as_str()),
            ("tenant", Value::String(tenant)) => {
                let authority = format!("https://login.microsoftonline.com/{tenant}");
                found.put("authority", authority);
            }
            ("domain", Value::String(domain)) => found.put("domain_hint", domain.as_str()),
            ("scopes", Value::Array(scopes)) => found.put("scopes", scopes.clone()),
            // Scopes come before it.
            ("resource", Value::String(resource)) => {
                if !alias.contains_key("scopes") {
                    found.put("scopes", vec![format!("{resource}/.default")]);
                }
            }
            _ => found.leave(key, "a profile has nothing like it"),
        }
    }
    found
}
