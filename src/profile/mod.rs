//! Profiles: which client, authority, scopes and grant belong to a name or a URL.
//!
//! [`mod@file`] finds and reads the files, and [`narrow`](mod@narrow) keeps of large ones what a call
//! needs. [`Configuration`] is what they say, `key.rs` reads a profile's keys, [`route`] compares URLs,
//! and [`preset`] holds what is known of providers. Nothing here runs anything.
//!
//! To add a key: a line in [`PROFILE_KEYS`], where it is read in `key.rs`, and a row in
//! `docs/profile.md`. To add a provider: a file in `profiles`, and a line in [`preset::PRESETS`].

mod client_authentication;
mod configuration;
pub mod file;
mod key;
pub mod narrow;
pub mod outline;
pub mod preset;
pub mod resource;
pub mod route;
mod routing;
pub mod schema;
mod session;

use std::path::{Path, PathBuf};

pub use self::configuration::Configuration;
use self::key::quoted_list;
use self::route::Pattern;
pub use self::routing::{MOST_CAUSES, Other, Patterns, Route, RoutedProfile};
use crate::context::Tls;
use crate::credential::TokenKind;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::exchange::{self, Exchange};
use crate::grant::{Asks, Grant};
use crate::oauth::client::{Authority, Client, EndpointName};
use crate::oauth::entra;
use crate::store::SessionStore;
use crate::store::msal::Sharing;

/// The tables of a file beside `profiles`, with their keys: documentation and checks are made of them.
/// `policy` counts in the machine-wide file alone.
pub const FILE_KEYS: &[(&str, &[&str])] = &[
    (
        "store",
        &["seal", "command", "previous_command", "key_cache"],
    ),
    ("lock", &["timeout"]),
    ("refresh", &["background"]),
    ("audit", &["enabled"]),
    ("sign_in", &["clipboard"]),
    (POLICY, &["tools", "seal", "user_profiles"]),
];

/// What stands in a file beside [`FILE_KEYS`].
const BESIDE_TABLES: [&str; 2] = ["default_profile", "profiles"];

/// The table that counts in the machine-wide file alone.
const POLICY: &str = "policy";

/// The keys of a profile, with what they mean: documentation and checks are made of them.
pub const PROFILE_KEYS: &[(&str, &str)] = &[
    ("client_id", "the client's id at the authority"),
    (
        "authority",
        "an Entra authority, or an issuer with OIDC or RFC 8414 metadata",
    ),
    ("scopes", "what the tool needs"),
    (
        "exact_scopes",
        "true: ask for `scopes` alone, without openid, profile, offline_access",
    ),
    (
        "endpoints",
        "device_authorization, authorization, pushed_authorization_request, token, revocation, userinfo: over what is discovered",
    ),
    ("preset", "what is known of a provider, by name"),
    ("grant", "how to sign in: a name, or a table with `type`"),
    ("urls", "URL patterns that this profile answers for"),
    (
        "endpoint",
        "the URL that `request` calls when none is given",
    ),
    (
        "client_secret",
        "the client's secret, or where it comes from",
    ),
    (
        "client_certificate",
        "a certificate with its key: the path of a PEM or PFX file, or where the text comes from",
    ),
    (
        "client_send_x5c",
        "true: send the certificate along, for authorities that trust who issued it",
    ),
    (
        "client_private_key",
        "a key: the path of a PEM file, or where the text comes from",
    ),
    ("client_key_id", "what the authority calls that key (`kid`)"),
    (
        "client_passphrase",
        "what the key or the PFX file is encrypted with",
    ),
    (
        "client_assertion",
        "where an assertion comes from that somebody else has signed for the client",
    ),
    (
        "client_assertion_audience",
        "issuer or token_endpoint: for whom the client signs assertions",
    ),
    (
        "client_auth_method",
        "none, client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or \
         self_signed_tls_client_auth",
    ),
    ("client_basic_encoding", "form (RFC 6749) or raw"),
    ("account", "who signs in, and which account of several"),
    ("audience", "the `audience` parameter"),
    ("resource", "the `resource` parameter (RFC 8707)"),
    (
        "prompt",
        "the `prompt` parameter of a sign-in with a browser (OpenID Connect Core §3.1.2.1)",
    ),
    (
        "domain_hint",
        "the `domain_hint` parameter of a sign-in with a browser (Entra)",
    ),
    (
        "claims",
        "the `claims` parameter, JSON (OpenID Connect Core §5.5)",
    ),
    (
        "client_capabilities",
        "[\"CP1\"]: those who use the token can answer a claims challenge",
    ),
    ("extra", "a table of further request parameters"),
    (
        "token",
        "access or id: which token tools get; `get` and `serve` name it themselves",
    ),
    (
        "dpop",
        "true: tokens are bound to a key (RFC 9449); `get -o json` and `serve` give them with a proof",
    ),
    (
        "username",
        "the user name of Basic credentials, for tools that need one",
    ),
    (
        "tools",
        "the tools that may use this profile; any other is refused",
    ),
    (
        "aws",
        "role_arn, region, session_name, duration: the role whose credentials AWS gives for the token",
    ),
    (
        "session",
        "msal, secret_service: the cache of MSAL in which the sign-in lives, shared with the programs \
         that use it",
    ),
    (
        "tls",
        "ca_file: certificate authorities instead of the system's; client_certificate, client_key: \
         what the client presents",
    ),
];

/// What the page of a sign-in can be asked to do.
const PROMPTS: [&str; 5] = ["login", "select_account", "consent", "create", "none"];
const TLS_KEYS: [&str; 3] = ["ca_file", "client_certificate", "client_key"];

/// A validated profile.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub file: PathBuf,
    /// The client and its authority.
    pub client: Client,
    /// What the tool needs.
    pub scopes: Vec<String>,
    /// How to sign in.
    pub grant: Box<dyn Grant>,
    /// The grant's name in the table, as the profile says it.
    pub grant_name: &'static str,
    /// The same with its keys, secrets named by their source.
    pub grant_table: toml::Table,
    /// The keys of the grant whose secret is written into the file.
    pub grant_literals: Vec<String>,
    /// The preset, by name.
    pub preset: Option<String>,
    /// What it answers for.
    pub urls: Vec<Pattern>,
    /// What `request` calls when no URL is given.
    pub endpoint: Option<Endpoint>,
    /// Who signs in.
    pub account: Option<String>,
    /// A claims request, as JSON text.
    pub claims: Option<String>,
    /// What the client can do, as Entra's `CP1`: answer a claims challenge.
    pub client_capabilities: Vec<String>,
    /// Which token tools get that do not say it.
    pub token: TokenKind,
    /// The user name of Basic credentials.
    pub username: Option<String>,
    /// Whether the provider's git takes a token as the password of Basic credentials alone.
    pub basic_only: bool,
    /// Whether the provider ends an access token when it is refreshed.
    pub refresh_ends_tokens: bool,
    /// The tools that get something else for the token.
    pub exchanges: Vec<ToolExchange>,
    /// The tools that may use it.
    pub tools: Option<Vec<String>>,
    /// The cache of MSAL that the sign-in lives in.
    pub msal: Option<session::Cache>,
}

/// What a tool gets for a profile's token.
#[derive(Debug)]
pub struct ToolExchange {
    /// The tool.
    pub tool: String,
    /// The exchange.
    pub exchange: Box<dyn Exchange>,
    /// What the profile says of it; `None` where its preset does.
    pub table: Option<toml::Table>,
}

impl Profile {
    /// The authority in words: as the profile names it, else the token endpoint.
    pub fn authority(&self) -> &str {
        match &self.client.authority {
            Authority::Entra(authority)
            | Authority::Adfs(authority)
            | Authority::Issuer(authority) => authority.as_str(),
            Authority::Explicit => self
                .client
                .endpoints
                .token
                .as_ref()
                .map_or("", Endpoint::as_str),
        }
    }

    /// The exchange for what `tool` needs in place of a token.
    ///
    /// # Errors
    /// `config`, if a token itself is of no use to the tool, and the profile has no table for it.
    pub fn exchange_for(&self, tool: &str) -> Result<Option<&dyn Exchange>, Error> {
        let mut exchanges = self.exchanges.iter();
        if let Some(found) = exchanges.find(|own| own.tool == tool) {
            return Ok(Some(found.exchange.as_ref()));
        }
        let Some(entry) = exchange::needed_by(tool) else {
            return Ok(None);
        };
        let name = &self.name;
        Err(Error::new(
            ErrorKind::Config,
            format!("profile `{name}` does not say what `{tool}` gets for its token"),
        )
        .hint(format!(
            "add `[profiles.{name}.{tool}]` with {}",
            quoted_list(entry.required)
        )))
    }

    /// What decides where a sign-in's tokens may go: two profiles with the same share a session.
    pub fn identity(&self) -> Vec<(&'static str, String)> {
        let client = &self.client;
        let mut identity = Vec::new();
        match &client.authority {
            Authority::Entra(authority) => identity.push(("entra", entra::canonical(authority))),
            Authority::Adfs(authority) => identity.push(("adfs", entra::canonical(authority))),
            Authority::Issuer(issuer) => identity.push(("issuer", issuer.to_string())),
            Authority::Explicit => {}
        }
        identity.push(("client_id", client.client_id.clone()));
        if let Some(token) = &client.endpoints.token {
            identity.push(("token_endpoint", token.to_string()));
        }
        if !client.is_entra() {
            // The refresh token is bound to what was granted.
            let mut scopes = self.scopes.clone();
            scopes.sort();
            scopes.dedup();
            identity.extend(scopes.into_iter().map(|scope| ("scope", scope)));
            if client.exact_scopes {
                identity.push(("exact_scopes", "true".to_owned()));
            }
            for (name, value) in [
                ("resource", &client.resource),
                ("audience", &client.audience),
            ] {
                if let Some(value) = value {
                    identity.push((name, value.clone()));
                }
            }
            for (name, value) in &client.extra {
                identity.push(("extra", format!("{name}={value}")));
            }
        }
        if let Some(certificate) = &client.tls.client_certificate {
            // What is bound to a certificate is refused under another one, and would be forgotten.
            // It is its place that counts: a certificate is replaced before it expires.
            let file = certificate.file.display().to_string();
            identity.push(("client_certificate", file));
        }
        if client.dpop {
            identity.push(("dpop", "true".to_owned()));
        }
        if self.grant.asks() != Asks::Person {
            // What a machine has is not what a person signed in for.
            identity.push(("grant", self.grant_name.to_owned()));
        }
        identity.extend(self.grant.identity());
        if self.grant.knows_profile() {
            identity.push(("profile", self.name.clone()));
        }
        if let Some(cache) = &self.msal {
            identity.extend(cache.identity());
        }
        identity
    }

    /// Where the profile's session lives.
    pub fn store(&self, state: &Path, configuration: &Configuration<'_>) -> SessionStore {
        let sealing = configuration.sealing().clone();
        let own = SessionStore::own(
            state,
            self.identity(),
            sealing,
            configuration.lock_timeout(),
        );
        let sharing = self
            .msal
            .as_ref()
            .and_then(|cache| session::sharing(self, cache));
        match sharing {
            Some(sharing) => own.shared(sharing),
            None => own,
        }
    }

    /// What of a cache of MSAL is this profile's, to copy sign-ins from there, or to it.
    ///
    /// # Errors
    /// `config`, for a profile whose sign-in cannot lie there, or does so already.
    pub fn copying(&self, file: &Path) -> Result<Sharing, Error> {
        session::copying(self, file)
    }

    /// The profile as TOML, secrets named by their source.
    pub fn to_toml(&self) -> toml::Table {
        let Self {
            name: _,
            file: _,
            client,
            scopes,
            grant: _,
            grant_name,
            grant_table,
            grant_literals: _,
            preset,
            urls,
            endpoint,
            account,
            claims,
            client_capabilities,
            token,
            username,
            basic_only: _,
            refresh_ends_tokens: _,
            exchanges,
            tools,
            msal,
        } = self;
        let mut table = toml::Table::new();
        let mut put = |key: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                table.insert(key.to_owned(), value);
            }
        };
        let text = |value: &Option<String>| value.clone().map(toml::Value::from);
        put("preset", text(preset));
        let has_client_id = !client.client_id.is_empty();
        put(
            "client_id",
            has_client_id.then(|| client.client_id.clone().into()),
        );
        match &client.authority {
            Authority::Entra(authority)
            | Authority::Adfs(authority)
            | Authority::Issuer(authority) => {
                put("authority", Some(authority.to_string().into()));
            }
            Authority::Explicit => {}
        }
        put("scopes", Some(scopes.clone().into()));
        put("exact_scopes", client.exact_scopes.then(|| true.into()));
        put("endpoints", endpoints_to_toml(client));
        put("grant", Some(grant_to_toml(grant_name, grant_table)));
        let patterns: Vec<&str> = urls.iter().map(Pattern::as_str).collect();
        put("urls", (!urls.is_empty()).then(|| patterns.into()));
        put(
            "endpoint",
            endpoint.as_ref().map(|endpoint| endpoint.as_str().into()),
        );
        client_authentication::write(&client.authentication, &mut put);
        put("account", text(account));
        put("audience", text(&client.audience));
        put("resource", text(&client.resource));
        put("prompt", text(&client.prompt));
        put("domain_hint", text(&client.domain_hint));
        put("claims", text(claims));
        put(
            "client_capabilities",
            (!client_capabilities.is_empty()).then(|| client_capabilities.clone().into()),
        );
        let extra: toml::Table = client
            .extra
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        put("extra", (!extra.is_empty()).then(|| extra.into()));
        put("token", (*token == TokenKind::Id).then(|| "id".into()));
        put("dpop", client.dpop.then(|| true.into()));
        put("username", text(username));
        put("tools", tools.clone().map(toml::Value::from));
        for own in exchanges {
            put(&own.tool, own.table.clone().map(toml::Value::from));
        }
        put("tls", tls_to_toml(&client.tls));
        put("session", msal.as_ref().map(|cache| cache.to_toml().into()));
        table
    }
}

/// A table, where it says anything.
fn unless_empty(table: toml::Table) -> Option<toml::Value> {
    (!table.is_empty()).then(|| table.into())
}

fn endpoints_to_toml(client: &Client) -> Option<toml::Value> {
    let names = EndpointName::ALL.iter();
    let endpoints = names.filter_map(|name| {
        let endpoint = client.endpoints.get(*name)?;
        Some((name.key().to_owned(), endpoint.to_string().into()))
    });
    unless_empty(endpoints.collect())
}

/// The name alone, where there is nothing else to say.
fn grant_to_toml(name: &str, keys: &toml::Table) -> toml::Value {
    if keys.is_empty() {
        return name.into();
    }
    let mut grant = keys.clone();
    grant.insert("type".to_owned(), name.into());
    grant.into()
}

fn tls_to_toml(tls: &Tls) -> Option<toml::Value> {
    let Tls {
        ca_file,
        client_certificate,
        thumbprint: _,
        is_of_platform: _,
    } = tls;
    let certificate = client_certificate.as_ref();
    let paths = [
        ("ca_file", ca_file.as_ref()),
        ("client_certificate", certificate.map(|own| &own.file)),
        ("client_key", certificate.and_then(|own| own.key.as_ref())),
    ];
    let paths = paths
        .into_iter()
        .filter_map(|(key, path)| Some((key.to_owned(), path?.display().to_string().into())));
    unless_empty(paths.collect())
}
