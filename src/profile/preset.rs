//! Provider presets: the files of `profiles/`, compiled in.
//!
//! A file says what the provider is, where one registers a client, what of it was verified and what
//! is from documentation; and in `[profile]` the keys that lie under those of a profile that names
//! the preset. To add one: a file, and a line in [`PRESETS`].

use toml::de::{DeTable, DeValue};

use super::ToolExchange;
use super::file::{self, Source};
use crate::exchange::{EXCHANGES, Given};

/// A preset's name and its text.
pub struct Preset {
    /// What a profile's `preset` says.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// Every preset, by name.
pub const PRESETS: &[Preset] = &[
    preset("acr", include_str!("../../profiles/acr.toml")),
    preset("aks", include_str!("../../profiles/aks.toml")),
    preset("auth0", include_str!("../../profiles/auth0.toml")),
    preset("authentik", include_str!("../../profiles/authentik.toml")),
    preset(
        "azure-devops",
        include_str!("../../profiles/azure-devops.toml"),
    ),
    preset(
        "azure-resource-manager",
        include_str!("../../profiles/azure-resource-manager.toml"),
    ),
    preset("bitbucket", include_str!("../../profiles/bitbucket.toml")),
    preset("cognito", include_str!("../../profiles/cognito.toml")),
    preset("dex", include_str!("../../profiles/dex.toml")),
    preset("entra", include_str!("../../profiles/entra.toml")),
    preset("gitea", include_str!("../../profiles/gitea.toml")),
    preset("github", include_str!("../../profiles/github.toml")),
    preset("gitlab", include_str!("../../profiles/gitlab.toml")),
    preset("google", include_str!("../../profiles/google.toml")),
    preset(
        "hugging-face",
        include_str!("../../profiles/hugging-face.toml"),
    ),
    preset("keycloak", include_str!("../../profiles/keycloak.toml")),
    preset(
        "microsoft-graph",
        include_str!("../../profiles/microsoft-graph.toml"),
    ),
    preset("okta", include_str!("../../profiles/okta.toml")),
    preset("outlook", include_str!("../../profiles/outlook.toml")),
    preset("pingone", include_str!("../../profiles/pingone.toml")),
    preset("zitadel", include_str!("../../profiles/zitadel.toml")),
];

const fn preset(name: &'static str, text: &'static str) -> Preset {
    Preset { name, text }
}

/// What a file says for people, by key: `profile presets` shows it.
pub const ABOUT: &[&str] = &["summary", "authority", "register", "verified", "documented"];

/// In an endpoint of a preset: the profile's authority, without a slash at its end.
pub const AUTHORITY: &str = "{authority}";

impl Preset {
    /// The file, to be parsed.
    pub(super) fn source(&self) -> Source {
        Source::built_in(&format!("preset {}", self.name), self.text)
    }

    /// The text of a key of [`ABOUT`].
    pub fn about(&self, key: &str) -> Option<String> {
        let source = self.source();
        let table = file::parse(&source, &mut Vec::new());
        text(table.get_ref(), key).map(String::from)
    }
}

/// A preset's file, taken apart.
pub(super) struct Rules<'a> {
    /// Its name.
    pub(super) name: &'static str,
    /// The file, which its values are found in.
    pub(super) source: &'a Source,
    /// `[profile]`.
    pub(super) profile: Option<&'a DeTable<'a>>,
    /// `authority`: how one is written.
    pub(super) authority: Option<&'a str>,
    /// `kind = "entra"`: the authority is Microsoft's on whatever host.
    pub(super) is_entra: bool,
    /// `git_scheme = "Basic"`: git's host takes a token as a password alone.
    pub(super) basic_only: bool,
    /// `refresh_ends_tokens = true`: the provider ends an access token when it is refreshed.
    pub(super) refresh_ends_tokens: bool,
    /// `[exchange]`: tools that get something else for the token.
    exchange: Option<&'a DeTable<'a>>,
    /// `device_authorization_auth_method = "none"`: the client does not prove itself there.
    pub(super) open_device_authorization: bool,
}

impl<'a> Rules<'a> {
    /// Reads the file that [`file::parse`] took apart.
    pub(super) fn new(preset: &Preset, source: &'a Source, table: &'a DeTable<'a>) -> Self {
        Self {
            name: preset.name,
            source,
            profile: table
                .get("profile")
                .and_then(|value| value.get_ref().as_table()),
            authority: text(table, "authority"),
            is_entra: text(table, "kind") == Some("entra"),
            basic_only: text(table, "git_scheme") == Some("Basic"),
            refresh_ends_tokens: table.get("refresh_ends_tokens").is_some(),
            exchange: table
                .get("exchange")
                .and_then(|value| value.get_ref().as_table()),
            open_device_authorization: text(table, "device_authorization_auth_method")
                == Some("none"),
        }
    }

    /// The tools that get something else for the token, each with the exchange.
    pub(super) fn exchanges(&self) -> Vec<ToolExchange> {
        let rows = self.exchange.into_iter().flatten();
        rows.filter_map(|(tool, exchange)| {
            let name = exchange.get_ref().as_str()?;
            let entry = EXCHANGES.iter().find(|entry| entry.name == name)?;
            Some(ToolExchange {
                tool: tool.get_ref().to_string(),
                exchange: (entry.parse)(&Given::new()).ok()?,
                table: None,
            })
        })
        .collect()
    }
}

fn text<'t>(table: &'t DeTable<'_>, key: &str) -> Option<&'t str> {
    table
        .get(key)
        .map(|value| value.get_ref())
        .and_then(DeValue::as_str)
}

#[cfg(test)]
mod tests {
    use super::{ABOUT, PRESETS, Rules, file};
    use crate::profile::PROFILE_KEYS;

    #[test]
    fn every_preset_says_what_it_is_and_holds_nothing_unknown() {
        for preset in PRESETS {
            let source = preset.source();
            let mut complaints = Vec::new();
            let table = file::parse(&source, &mut complaints);
            assert_eq!(complaints, [], "{}", preset.name);
            for (key, value) in table.get_ref() {
                let key = key.get_ref().as_ref();
                let known = match key {
                    "kind" => value.get_ref().as_str() == Some("entra"),
                    "device_authorization_auth_method" => value.get_ref().as_str() == Some("none"),
                    "refresh_ends_tokens" => value.get_ref().as_bool() == Some(true),
                    "git_scheme" => value.get_ref().as_str() == Some("Basic"),
                    "profile" | "exchange" => true,
                    _ => ABOUT.contains(&key),
                };
                assert!(known, "{}: `{key}`", preset.name);
            }
            for key in ABOUT {
                let text = preset.about(key).unwrap_or_default();
                assert!(!text.is_empty(), "{} lacks `{key}`", preset.name);
            }
            let register = preset.about("register").expect("it was there just now");
            assert!(register.contains("https://"), "{register}");
            let rules = Rules::new(preset, &source, table.get_ref());
            let named = rules.exchange.map_or(0, |exchange| exchange.len());
            assert_eq!(rules.exchanges().len(), named, "{}", preset.name);
            for (key, _) in rules.profile.into_iter().flatten() {
                let key = key.get_ref().as_ref();
                assert!(
                    PROFILE_KEYS.iter().any(|(known, _)| *known == key),
                    "{}: `{key}` is no key of a profile",
                    preset.name
                );
            }
        }
    }
}
