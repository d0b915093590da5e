//! Profiles: which client, authority, scopes and grant belong to a name or a URL.
//!
//! [`mod@file`] finds and reads the files, [`narrow`](mod@narrow) keeps of large ones what a call
//! needs, this module validates them, [`route`] compares URLs, and [`preset`] holds what is known
//! of providers. Nothing here runs anything.

mod client_authentication;
pub mod file;
pub mod narrow;
pub mod outline;
pub mod preset;
pub mod resource;
pub mod route;
pub mod schema;
mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::file::{Complaint, Keys, Layer, Place, Source, refuse_complaints};
use self::preset::{AUTHORITY, PRESETS, Rules};
use self::route::{Exactness, Mismatch, Nearness, Pattern, Target};
use crate::claims;
use crate::context::{ClientCertificate, Tls};
use crate::credential::TokenKind;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::exchange::{self, EXCHANGES, Exchange};
use crate::grant::{ANY_KEY, Asks, GRANTS, Given, Grant};
use crate::oauth::client::{Authority, Client, EndpointName, Endpoints};
use crate::oauth::entra;
use crate::protocol;
use crate::secret_source::SecretSource;
use crate::store::SessionStore;
use crate::store::msal::Sharing;
use crate::store::seal::{SEALS, Sealing};
use crate::text::{nearest, printable, printable_url};

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
        let endpoints: toml::Table = EndpointName::ALL
            .iter()
            .filter_map(|name| {
                let endpoint = client.endpoints.get(*name)?;
                Some((name.key().to_owned(), endpoint.to_string().into()))
            })
            .collect();
        put(
            "endpoints",
            (!endpoints.is_empty()).then(|| endpoints.into()),
        );
        let mut grant = grant_table.clone();
        grant.insert("type".to_owned(), (*grant_name).into());
        let has_keys = grant.len() > 1;
        let bare = (*grant_name).into();
        put("grant", Some(if has_keys { grant.into() } else { bare }));
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
        let Tls {
            ca_file,
            client_certificate,
            thumbprint: _,
            is_of_platform: _,
        } = &client.tls;
        let certificate = client_certificate.as_ref();
        let tls: toml::Table = [
            ("ca_file", ca_file.as_ref()),
            ("client_certificate", certificate.map(|own| &own.file)),
            ("client_key", certificate.and_then(|own| own.key.as_ref())),
        ]
        .into_iter()
        .filter_map(|(key, path)| Some((key.to_owned(), path?.display().to_string().into())))
        .collect();
        put("tls", (!tls.is_empty()).then(|| tls.into()));
        put("session", msal.as_ref().map(|cache| cache.to_toml().into()));
        table
    }
}

/// What the machine-wide file alone can say, and nobody can override.
#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    /// The only tools that may be served.
    tools: Option<Vec<String>>,
    /// Whether profiles of users count.
    user_profiles: Option<bool>,
    /// The only seal for new sessions, and where that is said.
    seal: Option<(String, Place)>,
}

/// Everything that the files say.
pub struct Configuration<'s> {
    documents: Vec<(&'s Source, Spanned<DeTable<'s>>)>,
    /// Name, and the last document that has it.
    profiles: BTreeMap<String, usize>,
    default_profile: Option<String>,
    policy: Policy,
    sealing: Sealing,
    overruled_seal: Option<Place>,
    lock_timeout: Option<Duration>,
    background: Option<bool>,
    clipboard: bool,
    audit: bool,
}

impl<'s> Configuration<'s> {
    /// Takes the files apart. Profiles are validated when they are used, so that a mistake in one
    /// does not stop the tools of another.
    ///
    /// # Errors
    /// `config`, with all complaints of everything but the profiles' own keys.
    pub fn new(sources: &'s [Source]) -> Result<Self, Error> {
        let (configuration, complaints) = Self::read(sources);
        refuse_complaints(complaints)?;
        Ok(configuration)
    }

    /// Takes the files apart, and validates every profile in them.
    pub fn check(sources: &'s [Source]) -> (Self, Vec<Complaint>) {
        Self::check_only(sources, None)
    }

    /// The same, of one profile alone if one is named.
    pub fn check_only(sources: &'s [Source], only: Option<&str>) -> (Self, Vec<Complaint>) {
        let (configuration, mut complaints) = Self::read(sources);
        let names = configuration.profiles.keys();
        for name in names.filter(|name| only.is_none_or(|only| only == *name)) {
            if let Err(found) = configuration.validate(name) {
                complaints.extend(found);
            }
        }
        (configuration, complaints)
    }

    fn read(sources: &'s [Source]) -> (Self, Vec<Complaint>) {
        let mut complaints = Vec::new();
        let documents: Vec<_> = sources
            .iter()
            .map(|source| (source, file::parse(source, &mut complaints)))
            .collect();
        let mut profiles = BTreeMap::new();
        let mut policy = Policy::default();
        // The last file wins, key by key.
        let layers: Vec<Layer<'_>> = documents
            .iter()
            .rev()
            .filter(|(source, _)| source.profiles_count)
            .map(|(source, table)| Layer {
                source,
                table: table.get_ref(),
            })
            .collect();
        for (index, (source, table)) in documents.iter().enumerate() {
            let layer = Layer {
                source,
                table: table.get_ref(),
            };
            let mut keys = Keys::new("", vec![layer], &mut complaints);
            let tables = FILE_KEYS.iter().map(|(table, _)| *table);
            let tables = tables.filter(|table| *table != POLICY || source.machine_wide);
            let known: Vec<&str> = BESIDE_TABLES.into_iter().chain(tables).collect();
            if source.machine_wide {
                policy = keys.table(POLICY, read_policy).unwrap_or_default();
            }
            keys.only_or(known, |name| {
                let is_of_a_profile = PROFILE_KEYS.iter().any(|(key, _)| *key == name);
                match name {
                    POLICY => Some("it counts in the machine-wide file alone"),
                    _ if is_of_a_profile => Some("it belongs below `[profiles.NAME]`"),
                    _ => None,
                }
            });
            if source.profiles_count {
                let names = keys.table("profiles", |keys| {
                    let names = keys.names();
                    for name in &names {
                        check_name(name, keys);
                    }
                    names
                });
                for name in names.unwrap_or_default() {
                    profiles.insert(name.to_owned(), index);
                }
            }
        }
        let mut of_store = layers.clone();
        if policy.seal.is_some() {
            // What a policy needs is there, whatever file is named instead of all others.
            let unread = documents
                .iter()
                .filter(|(source, _)| source.machine_wide && !source.profiles_count);
            of_store.extend(unread.map(|(source, table)| Layer {
                source,
                table: table.get_ref(),
            }));
        }
        let (sealing, own_seal, has_command) = Keys::new("", of_store, &mut complaints)
            .table("store", read_sealing)
            .unwrap_or_default();
        let mut keys = Keys::new("", layers, &mut complaints);
        let lock_timeout = keys.table("lock", |keys| {
            keys.only(keys_of("lock"));
            read_duration(keys, "timeout", "60s")
        });
        let background = keys.table("refresh", |keys| {
            keys.only(keys_of("refresh"));
            keys.boolean("background")
        });
        let clipboard = keys.table("sign_in", |keys| {
            keys.only(keys_of("sign_in"));
            keys.boolean("clipboard")
        });
        let audit = keys.table("audit", |keys| {
            keys.only(keys_of("audit"));
            keys.boolean("enabled")
        });
        let default_profile = keys.text("default_profile").map(|(name, found)| {
            if !profiles.contains_key(&name) {
                let names: Vec<&str> = profiles.keys().map(String::as_str).collect();
                let problem = match nearest(&name, names) {
                    // A name in the file may be anything; it is complained of beside this.
                    Some(nearest) => format!(
                        "there is no profile `{}`; did you mean `{}`?",
                        printable(&name),
                        printable(nearest)
                    ),
                    None => format!("there is no profile `{}`", printable(&name)),
                };
                keys.complain(found, "default_profile", problem);
            }
            name
        });
        // What the machine's owner says comes first.
        let of_policy = policy.seal.as_ref().map(|seal| ("policy", seal));
        let of_store = own_seal.as_ref().map(|seal| ("store", seal));
        let seal = of_policy.or(of_store);
        if let Some((table, (seal, place))) = seal
            && seal == "command"
            && !has_command
        {
            let problem = format!(
                "`{table}.seal`: `command` is missing below `[store]`: the command that prints the \
                 key, as `command = [\"pass\", \"show\", \"cred-helper\"]`"
            );
            keys.complain_at(place, problem);
        }
        let sealing = Sealing {
            seal: seal
                .map(|(_, (seal, _))| seal.clone())
                .filter(|seal| seal != "auto"),
            ..sealing
        };
        let overruled_seal = policy
            .seal
            .as_ref()
            .zip(own_seal)
            .and_then(|((policy, _), (own, place))| (*policy != own).then_some(place));
        let configuration = Self {
            profiles,
            default_profile,
            policy,
            sealing,
            overruled_seal,
            lock_timeout: lock_timeout.flatten(),
            background: background.flatten(),
            clipboard: clipboard.flatten().unwrap_or(false),
            audit: audit.flatten().unwrap_or(false),
            documents,
        };
        (configuration, complaints)
    }

    /// Names and files of all profiles, in name order.
    pub fn profiles(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.profiles
            .iter()
            .map(|(name, index)| (name.as_str(), self.documents[*index].0.path.as_path()))
    }

    /// The profile that is used where none is named: `default_profile`, else the only one.
    pub fn default_profile(&self) -> Option<&str> {
        self.default_profile.as_deref().or_else(|| {
            let mut names = self.profiles.keys();
            names
                .next()
                .filter(|_| names.next().is_none())
                .map(String::as_str)
        })
    }

    /// How long a lock is waited for.
    pub fn lock_timeout(&self) -> Option<Duration> {
        self.lock_timeout
    }

    /// Whether tokens are refreshed in the background: `[refresh]`.
    pub fn background(&self) -> Option<bool> {
        self.background
    }

    /// Whether the code of a sign-in is put on the clipboard: `[sign_in]`.
    pub fn clipboard(&self) -> bool {
        self.clipboard
    }

    /// Whether it is written down who is given a token: `[audit]`.
    pub fn audit(&self) -> bool {
        self.audit
    }

    /// How sessions are sealed: `[policy]`, else `[store]`.
    pub fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// Where `[store]` says another seal than the policy, which counts.
    pub fn overruled_seal(&self) -> Option<&Place> {
        self.overruled_seal.as_ref()
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// `no_profile`, or `config` with all complaints of this profile.
    pub fn profile(&self, name: &str) -> Result<Profile, Error> {
        if !self.profiles.contains_key(name) {
            return Err(self.unknown(name));
        }
        match self.validate(name) {
            Ok(profile) => Ok(profile),
            Err(complaints) => {
                refuse_complaints(complaints)?;
                Err(Error::new(
                    ErrorKind::Internal,
                    "BUG: a profile failed without complaint",
                ))
            }
        }
    }

    /// The environment variables that other profiles than `name` take a secret from.
    pub fn secret_variables(sources: &[Source], name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for source in sources {
            // What is wrong with them is for others to say.
            let document = file::parse(source, &mut Vec::new());
            let profiles = document.get_ref().get("profiles");
            let profiles = profiles.and_then(|profiles| profiles.get_ref().as_table());
            for (other, keys) in profiles.into_iter().flatten() {
                if other.get_ref() != name {
                    collect_variables(keys.get_ref(), &mut found);
                }
            }
        }
        found
    }

    /// The error for a name that no profile has.
    pub fn unknown(&self, name: &str) -> Error {
        let error = Error::new(
            ErrorKind::NoProfile,
            format!("there is no profile `{}`", printable(name)),
        );
        match nearest(name, self.profiles.keys().map(String::as_str)) {
            Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
            None => error.hint(self.names_hint("there are")),
        }
    }

    /// The names there are after `lead`, or how to get a first one.
    fn names_hint(&self, lead: &str) -> String {
        let names: Vec<_> = self.profiles.keys().map(String::as_str).collect();
        if names.is_empty() {
            "write a profile first: `cred-helper profile add NAME`".to_owned()
        } else {
            format!("{lead}: {}", names.join(", "))
        }
    }

    /// The profile for a call: by name, else by URL, else the default one. With a URL, the
    /// profile's patterns must match it in any case.
    ///
    /// # Errors
    /// `no_profile`, or `config`.
    pub fn resolve(&self, name: Option<&str>, url: Option<&str>) -> Result<Profile, Error> {
        self.resolve_by(Patterns::Urls, name, url)
    }

    /// The same by these patterns.
    ///
    /// # Errors
    /// `no_profile`, or `config`.
    pub fn resolve_by(
        &self,
        patterns: Patterns,
        name: Option<&str>,
        url: Option<&str>,
    ) -> Result<Profile, Error> {
        match (name, url) {
            (Some(name), None) => self.profile(name),
            (None, None) => {
                let name = self.default_profile().ok_or_else(|| {
                    let error = if self.profiles.is_empty() {
                        "there is no profile"
                    } else {
                        "no profile is named, and there is no `default_profile`"
                    };
                    Error::new(ErrorKind::NoProfile, error)
                        .hint(self.names_hint("name one with -p"))
                })?;
                self.profile(name)
            }
            (name, Some(url)) => {
                let route = self.route(patterns, url, name)?;
                self.profile(&route.best(name, url)?.profile)
            }
        }
    }

    /// What the patterns of every profile have to do with `url`; only of the one named, if one is.
    ///
    /// # Errors
    /// `config` for patterns that cannot be read, `no_profile` for a name that is unknown.
    pub fn route(&self, counted: Patterns, url: &str, name: Option<&str>) -> Result<Route, Error> {
        if let Some(name) = name
            && !self.profiles.contains_key(name)
        {
            return Err(self.unknown(name));
        }
        let target = Target::read(url);
        let mut complaints = Vec::new();
        let mut route = Route {
            answers: Vec::new(),
            others: Vec::new(),
            target: target.clone(),
        };
        for candidate in self.profiles.keys() {
            if name.is_some_and(|name| name != candidate) {
                continue;
            }
            let mut mistakes = Vec::new();
            let Some(patterns) = self.with_keys(candidate, &mut mistakes, |keys, _| {
                // Those in its other keys are not of this URL.
                keys.forget_complaints();
                let mut patterns = read_urls(keys);
                if counted == Patterns::UrlsAndEndpoint {
                    patterns.extend(read_endpoint(keys).map(|(_, pattern)| pattern));
                }
                patterns
            }) else {
                continue;
            };
            complaints.extend(mistakes);
            let best = patterns
                .iter()
                .filter_map(|pattern| Some((pattern.matches(target.as_ref().ok()?)?, pattern)))
                .max_by_key(|(exactness, _)| *exactness);
            if let Some((exactness, pattern)) = best {
                route.answers.push(RoutedProfile {
                    profile: candidate.clone(),
                    pattern: pattern.clone(),
                    exactness,
                });
            } else {
                let with_name = |pattern| (candidate.clone(), pattern);
                route.others.extend(patterns.into_iter().map(with_name));
            }
        }
        refuse_complaints(complaints)?;
        route
            .answers
            .sort_by_key(|answer| std::cmp::Reverse(answer.exactness));
        Ok(route)
    }

    /// The patterns of a profile that can be read.
    fn urls_of(&self, name: &str) -> Vec<Pattern> {
        let patterns = self.with_keys(name, &mut Vec::new(), |keys, _| read_urls(keys));
        patterns.unwrap_or_default()
    }

    /// Whether `tool` may be served by `profile`.
    ///
    /// # Errors
    /// `no_profile`, if not.
    pub fn allow(&self, tool: &str, profile: &Profile) -> Result<(), Error> {
        let allows = |tools: &Option<Vec<String>>| {
            tools
                .as_ref()
                .is_none_or(|tools| tools.iter().any(|allowed| allowed == tool))
        };
        let shown = |tools: &Option<Vec<String>>| {
            let tools = tools.as_deref().unwrap_or_default();
            if tools.is_empty() {
                "none".to_owned()
            } else {
                tools.join(", ")
            }
        };
        if !allows(&self.policy.tools) {
            return Err(Error::new(
                ErrorKind::NoProfile,
                format!("this machine's policy does not allow `{tool}`"),
            )
            .hint(format!(
                "it allows {}; `tools` of `[policy]` in the machine-wide file",
                shown(&self.policy.tools)
            )));
        }
        if !allows(&profile.tools) {
            return Err(Error::new(
                ErrorKind::NoProfile,
                format!("the profile `{}` may not be used by `{tool}`", profile.name),
            )
            .hint(format!("its `tools` allow {}", shown(&profile.tools))));
        }
        Ok(())
    }

    /// Calls `read` with the keys of a profile over those of its preset.
    fn with_keys<T>(
        &self,
        name: &str,
        complaints: &mut Vec<Complaint>,
        read: impl FnOnce(&mut Keys<'_, '_>, Option<&Rules<'_>>) -> T,
    ) -> Option<T> {
        let (source, document) = &self.documents[*self.profiles.get(name)?];
        let prefix = format!("profiles.{name}.");
        let value = document
            .get_ref()
            .get("profiles")?
            .get_ref()
            .as_table()?
            .get(name)?;
        let Some(table) = value.get_ref().as_table() else {
            let found = file::Found { source, value };
            let problem = format!("`profiles.{}`: it is no table", printable(name));
            complaints.push(Complaint::new(found.place(), problem));
            return None;
        };
        let own = Layer { source, table };
        let preset = {
            let mut keys = Keys::new(&prefix, vec![own], complaints);
            keys.only(PROFILE_KEYS.iter().map(|(key, _)| *key));
            keys.text("preset").and_then(|(preset, found)| {
                let known = PRESETS.iter().find(|known| known.name == preset);
                if known.is_none() {
                    let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
                    keys.complain(found, "preset", one_of(&preset, &names));
                }
                known
            })
        };
        let Some(preset) = preset else {
            let mut keys = Keys::new(&prefix, vec![own], complaints);
            return Some(read(&mut keys, None));
        };
        let beneath = preset.source();
        let file = file::parse(&beneath, complaints);
        let rules = Rules::new(preset, &beneath, file.get_ref());
        let mut layers = vec![own];
        layers.extend(rules.profile.map(|table| Layer {
            source: &beneath,
            table,
        }));
        let mut keys = Keys::new(&prefix, layers, complaints);
        Some(read(&mut keys, Some(&rules)))
    }

    fn validate(&self, name: &str) -> Result<Profile, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let index = self.profiles.get(name).copied().unwrap_or_default();
        let (source, document) = &self.documents[index];
        let place = file::Found {
            source,
            value: document
                .get_ref()
                .get("profiles")
                .and_then(|profiles| profiles.get_ref().as_table()?.get(name))
                .expect("the index names profiles that are there"),
        }
        .place();
        if self.policy.user_profiles == Some(false) && !source.machine_wide {
            let problem = format!(
                "`profiles.{}`: this machine's policy allows no profiles of users",
                printable(name)
            );
            complaints.push(Complaint::new(place.clone(), problem));
        }
        let profile = self.with_keys(name, &mut complaints, |keys, preset| {
            read_profile(keys, preset, name, &source.path, &place)
        });
        match profile.flatten() {
            Some(profile) if complaints.is_empty() => Ok(profile),
            _ => Err(complaints),
        }
    }
}

/// The `env` of every `{ env = "…" }` in a value.
fn collect_variables(value: &DeValue<'_>, found: &mut BTreeSet<String>) {
    let items: Vec<&DeValue<'_>> = if let Some(table) = value.as_table() {
        let variable = table.get("env").and_then(|value| value.get_ref().as_str());
        found.extend(variable.map(String::from));
        table.values().map(Spanned::get_ref).collect()
    } else {
        let items = value.as_array().into_iter().flat_map(|items| items.iter());
        items.map(Spanned::get_ref).collect()
    };
    for item in items {
        collect_variables(item, found);
    }
}

/// Which patterns of a profile count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patterns {
    /// Its `urls`.
    Urls,
    /// Its `endpoint` as one more of them: for `request`.
    UrlsAndEndpoint,
}

impl Patterns {
    /// Those that count for a tool.
    pub fn of(tool: Option<&str>) -> Self {
        match tool {
            Some("request") => Self::UrlsAndEndpoint,
            Some(_) | None => Self::Urls,
        }
    }
}

/// What the profiles' patterns have to do with a URL.
#[derive(Debug)]
pub struct Route {
    /// The profiles that answer for it, best first.
    pub answers: Vec<RoutedProfile>,
    /// The patterns of those that do not.
    others: Vec<(String, Pattern)>,
    /// The URL, or why no token goes there.
    target: Result<Target, &'static str>,
}

/// A profile that answers for a URL, and how well.
#[derive(Debug, PartialEq, Eq)]
pub struct RoutedProfile {
    /// The profile's name.
    pub profile: String,
    /// The pattern that matched.
    pub pattern: Pattern,
    /// How well.
    exactness: Exactness,
}

/// A pattern that does not match, of a profile that does not answer.
#[derive(Debug)]
pub struct Other<'r> {
    /// The profile's name.
    pub profile: &'r str,
    /// The pattern.
    pub pattern: &'r Pattern,
    /// Why not.
    pub mismatch: Mismatch,
}

impl Route {
    /// The one profile that answers. `name` and `url` are what was asked.
    ///
    /// # Errors
    /// `no_profile` if none does, `config` if two do so equally well.
    pub fn best(&self, name: Option<&str>, url: &str) -> Result<&RoutedProfile, Error> {
        let best = self.answers.first();
        let best = best.ok_or_else(|| self.no_answer(name, url))?;
        let ties: Vec<_> = self
            .answers
            .iter()
            .filter(|answer| answer.exactness == best.exactness)
            .collect();
        if let [first, second, ..] = ties.as_slice() {
            let error = Error::new(
                ErrorKind::Config,
                format!(
                    "the profiles `{}` and `{}` both answer for `{}` equally well",
                    first.profile,
                    second.profile,
                    printable_url(url)
                ),
            );
            let because = |error: Error, answer: &&RoutedProfile| {
                let pattern = answer.pattern.as_str();
                error.because(format!("`{}` by `{pattern}`", answer.profile))
            };
            return Err(ties
                .iter()
                .fold(error, because)
                .hint("make one of their `urls` longer, or name a profile with -p"));
        }
        Ok(best)
    }

    /// The patterns that do not match, nearest first.
    pub fn others(&self) -> Vec<Other<'_>> {
        let Ok(target) = &self.target else {
            return Vec::new();
        };
        let others = self.others.iter();
        let mut others: Vec<_> = others
            .map(|(profile, pattern)| Other {
                profile,
                pattern,
                mismatch: pattern.mismatch(target),
            })
            .collect();
        others.sort_by_key(|other| other.mismatch.nearness);
        others
    }

    /// The nearest of [`Self::others`]: of the same host, else of one above or below, else of one
    /// that is spelt alike.
    pub fn nearest(&self) -> Vec<Other<'_>> {
        let mut others = self.others();
        let nearest = others.first().map(|other| other.mismatch.nearness);
        others.retain(|other| {
            let nearness = other.mismatch.nearness;
            Some(nearness) == nearest && nearness != Nearness::None
        });
        others
    }

    fn no_answer(&self, name: Option<&str>, url: &str) -> Error {
        let shown = printable_url(url);
        let message = match name {
            Some(name) => format!("the profile `{name}` does not answer for `{shown}`"),
            None => format!("no profile answers for `{shown}`"),
        };
        let error = Error::new(ErrorKind::NoProfile, message);
        let target = match &self.target {
            Ok(target) => target,
            Err(reason) => {
                return error
                    .because(format!("no token goes to such a URL: {reason}"))
                    .hint("write it as `https://HOST[:PORT][/PATH]`");
            }
        };
        let nearest = self.nearest();
        let mut error = nearest
            .iter()
            .take(MOST_CAUSES)
            .fold(error, |error, other| error.because(other));
        if nearest.iter().any(|other| other.mismatch.lacks_path) {
            error = error.for_want_of_a_path();
        }
        let of = match name {
            Some(name) => format!("`profiles.{name}`"),
            None => "the profile that should".to_owned(),
        };
        // Whoever names paths of a host does not want to be told to name all of it.
        let is_by_path = nearest
            .first()
            .is_some_and(|other| other.mismatch.nearness == Nearness::Host);
        let pattern = target.proposal(is_by_path);
        error.hint(format!("add `{pattern}` to `urls` of {of}"))
    }
}

impl fmt::Display for Other<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, reason) = (self.pattern.as_str(), &self.mismatch.reason);
        write!(formatter, "`{pattern}` of `{}` {reason}", self.profile)
    }
}

/// How many patterns that do not match does an error name?
pub const MOST_CAUSES: usize = 5;

fn one_of(given: &str, known: &[&str]) -> String {
    match nearest(given, known.iter().copied()) {
        Some(nearest) => format!(
            "there is no `{}`; did you mean `{nearest}`?",
            printable(given)
        ),
        None => format!(
            "there is no `{}`; use one of {}",
            printable(given),
            known.join(", ")
        ),
    }
}

/// Names appear in commands, links and messages.
fn check_name(name: &str, keys: &mut Keys<'_, '_>) {
    let good = !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    if !good && let Some(found) = keys.find(name) {
        keys.complain(
            found,
            &printable(name),
            "a profile's name is made of the letters a to z, digits, `-`, `_` and `.`, and begins \
             with neither `-` nor `.`",
        );
    }
}

/// The keys of one of [`FILE_KEYS`].
fn keys_of(table: &str) -> impl Iterator<Item = &'static str> + Clone {
    let entry = FILE_KEYS.iter().find(|(name, _)| *name == table);
    entry.into_iter().flat_map(|(_, keys)| keys.iter().copied())
}

fn read_policy(keys: &mut Keys<'_, '_>) -> Policy {
    keys.only(keys_of(POLICY));
    Policy {
        tools: read_tools(keys),
        user_profiles: keys.boolean("user_profiles"),
        seal: read_seal(keys),
    }
}

/// A name that no tool has is a mistake: the tool that was meant would be refused without a word.
fn read_tools(keys: &mut Keys<'_, '_>) -> Option<Vec<String>> {
    let (tools, found) = keys.texts("tools")?;
    let known: Vec<&str> = protocol::tools().collect();
    for (tool, found) in tools.iter().zip(found.items()) {
        if !known.contains(&tool.as_str()) {
            keys.complain(found, "tools", one_of(tool, &known));
        }
    }
    Some(tools)
}

/// What `[store]` says of seals; beside it its `seal`, with its place, and whether there is a `command`
/// at all.
fn read_sealing(keys: &mut Keys<'_, '_>) -> (Sealing, Option<(String, Place)>, bool) {
    keys.only(keys_of("store"));
    let sealing = Sealing {
        seal: None,
        command: keys.command("command").unwrap_or_default(),
        previous_command: keys.command("previous_command").unwrap_or_default(),
        key_cache: read_duration(keys, "key_cache", "1h"),
    };
    (sealing, read_seal(keys), keys.find("command").is_some())
}

/// A time as text; `example` is one.
fn read_duration(keys: &mut Keys<'_, '_>, name: &'static str, example: &str) -> Option<Duration> {
    let (text, found) = keys.text_like(name, &format!("a string like \"{example}\""))?;
    let duration = humantime::parse_duration(&text).ok();
    if duration.is_none() {
        keys.complain(found, name, format!("it is no time like \"{example}\""));
    }
    duration
}

/// One that we do not have must not become another: a policy's least of all.
fn read_seal(keys: &mut Keys<'_, '_>) -> Option<(String, Place)> {
    let (seal, found) = keys.text("seal")?;
    let names = SEALS.iter().map(|seal| seal.name);
    let known: Vec<&str> = std::iter::once("auto").chain(names).collect();
    if !known.contains(&seal.as_str()) {
        keys.complain(found, "seal", one_of(&seal, &known));
    }
    Some((seal, found.place()))
}

fn read_urls(keys: &mut Keys<'_, '_>) -> Vec<Pattern> {
    let Some((written, found)) = keys.texts("urls") else {
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for (url, found) in written.iter().zip(found.items()) {
        match Pattern::parse(url) {
            Ok(pattern) => patterns.push(pattern),
            Err(problem) => {
                keys.complain(
                    found,
                    "urls",
                    format!("`{}`: {problem}", printable_url(url)),
                );
            }
        }
    }
    patterns
}

/// What `request` calls, and the pattern that it is for it: its path and what is below, whatever the query.
fn read_endpoint(keys: &mut Keys<'_, '_>) -> Option<(Endpoint, Pattern)> {
    let (written, found) = keys.text("endpoint")?;
    let end = written.find('?').unwrap_or(written.len());
    // Read by the same rules as what it is compared with.
    let pattern = match written.contains("://*.") {
        true => Err("it names one host: `*` is for `urls`"),
        false => Pattern::parse(&written[..end]),
    };
    let read = Endpoint::parse(&written).and_then(|endpoint| Ok((endpoint, pattern?)));
    match read {
        Ok(read) => Some(read),
        Err(problem) => {
            let problem = format!("`{}`: {problem}", printable_url(&written));
            keys.complain(found, "endpoint", problem);
            None
        }
    }
}

fn read_profile(
    keys: &mut Keys<'_, '_>,
    preset: Option<&Rules<'_>>,
    name: &str,
    path: &Path,
    place: &Place,
) -> Option<Profile> {
    let client_id = keys.text("client_id").map(|(client_id, _)| client_id);
    let scopes = keys.texts("scopes");
    let authority = read_authority(keys, preset);
    let endpoints = read_endpoints(keys, preset);
    let grant = read_grant(keys);
    if let Some((scopes, found)) = &scopes {
        let bad = |(scope, _): &(&String, file::Found<'_>)| {
            !scope
                .bytes()
                .all(|byte| (0x21..0x7f).contains(&byte) && byte != b'"' && byte != b'\\')
        };
        if let Some((scope, found)) = scopes.iter().zip(found.items()).find(bad) {
            // RFC 6749 §3.3: printable ASCII without blank, quote and backslash.
            let problem = format!("`{}` is no scope; write each as a string", printable(scope));
            keys.complain(found, "scopes", problem);
        }
    }
    let misplaced = grant
        .as_ref()
        .map_or(&[][..], |grant| grant.grant.misplaced());
    for (key, advice) in misplaced {
        if let Some(found) = keys.find(key)
            && !is_preset_own(found, preset)
        {
            keys.complain(found, key, *advice);
        }
    }
    let asks = grant.as_ref().map(|grant| grant.grant.asks());
    // Those of a machine, or of a sign-in in one way or the other.
    let has = |name| endpoints.get(name).is_some();
    let has_endpoints = has(EndpointName::Token)
        && (asks == Some(Asks::Nobody)
            || has(EndpointName::DeviceAuthorization)
            || has(EndpointName::Authorization));
    // A preset that was complained of already may be meant to give these.
    let may_be_preset = preset.is_none() && keys.find("preset").is_some();
    let lacks = |key| !may_be_preset && keys.find(key).is_none();
    let mut missing: Vec<&str> = [
        ("client_id", keys.find("client_id").is_none()),
        ("authority", lacks("authority") && !has_endpoints),
        ("scopes", lacks("scopes")),
        (
            "client_secret",
            keys.find("client_auth_method")
                .is_some_and(|found| is_preset_own(found, preset))
                && !client_authentication::has_proof(keys),
        ),
    ]
    .into_iter()
    .filter_map(|(key, missing)| missing.then_some(key))
    .filter(|key| !needless(keys).contains(key))
    .collect();
    if !missing.is_empty() {
        // Each was complained of already.
        let misspelt = keys.misspelt(PROFILE_KEYS.iter().map(|(key, _)| *key));
        missing.retain(|key| !misspelt.contains(key));
    }
    let extra = keys.table("extra", read_extra).unwrap_or_default();
    let claims = keys.text("claims").and_then(|(claims, found)| {
        let read = claims::read(&claims);
        if read.is_err() {
            keys.complain(
                found,
                "claims",
                "it is no JSON object, and no base64 of one",
            );
        }
        read.ok()
    });
    let client_capabilities = keys.texts("client_capabilities");
    let tls = keys.table("tls", read_tls).unwrap_or_default();
    let authentication = client_authentication::read(keys, preset, authority.as_ref(), &tls);
    let exact_scopes = keys.boolean("exact_scopes").unwrap_or(false);
    let dpop = keys.boolean("dpop").unwrap_or(false);
    let msal = session::read(keys, asks, authority.as_ref());
    let urls = read_urls(keys);
    let endpoint = read_endpoint(keys);
    let account = keys.text("account").map(|(account, _)| account);
    let audience = keys.text("audience").map(|(audience, _)| audience);
    let resource = keys.text("resource").map(|(resource, _)| resource);
    let prompt = read_prompt(keys);
    let domain_hint = keys.text("domain_hint").map(|(hint, _)| hint);
    let tools = read_tools(keys);
    let token = keys.text("token").and_then(|(token, found)| {
        let kind = TokenKind::parse(&token);
        if kind.is_none() {
            keys.complain(found, "token", one_of(&token, &TokenKind::NAMES));
        }
        kind
    });
    let exchanges = read_exchanges(keys, preset);
    let username = keys.text("username").and_then(|(username, found)| {
        // RFC 7617 §2: a colon ends the user name.
        let good = !username.contains(':') && !username.contains(char::is_control);
        if !good {
            keys.complain(found, "username", "it holds a colon or a control character");
        }
        good.then_some(username)
    });
    if !missing.is_empty() {
        keys.complain_at(
            place,
            format!(
                "`profiles.{}` lacks {}{}",
                printable(name),
                quoted_list(&missing),
                preset
                    .and_then(|preset| preset.authority)
                    .filter(|_| missing.contains(&"authority"))
                    .map_or_else(String::new, |form| format!("; its `authority` is {form}"))
            ),
        );
        return None;
    }
    Some(Profile {
        name: name.to_owned(),
        file: path.to_owned(),
        client: Client {
            client_id: client_id.unwrap_or_default(),
            authority: authority?,
            endpoints,
            authentication,
            tls,
            exact_scopes,
            resource,
            audience,
            prompt,
            domain_hint,
            extra,
            dpop,
            proof_key: None,
        },
        scopes: scopes.map(|(scopes, _)| scopes).unwrap_or_default(),
        grant_name: grant.as_ref()?.name,
        grant_table: grant.as_ref()?.shown.clone(),
        grant_literals: grant.as_ref()?.literals.clone(),
        grant: grant?.grant,
        preset: preset.map(|preset| preset.name.to_owned()),
        urls,
        endpoint: endpoint.map(|(endpoint, _)| endpoint),
        account,
        claims,
        client_capabilities: client_capabilities
            .map(|(capabilities, _)| capabilities)
            .unwrap_or_default(),
        token: token.unwrap_or_default(),
        username,
        basic_only: preset.is_some_and(|preset| preset.basic_only),
        refresh_ends_tokens: preset.is_some_and(|preset| preset.refresh_ends_tokens),
        exchanges,
        tools,
        msal,
    })
}

fn quoted_list(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}

/// Whether a value is the preset's, and not the profile's own.
fn is_preset_own(found: file::Found<'_>, preset: Option<&Rules<'_>>) -> bool {
    preset.is_some_and(|preset| std::ptr::eq(found.source, preset.source))
}

fn read_authority(keys: &mut Keys<'_, '_>, preset: Option<&Rules<'_>>) -> Option<Authority> {
    if keys.find("authority").is_none() {
        return Some(Authority::Explicit);
    }
    let (written, found) = keys.text("authority")?;
    let authority = match Endpoint::parse(&written) {
        Ok(authority) => authority,
        Err(problem) => {
            keys.complain(
                found,
                "authority",
                format!("`{}`: {problem}", printable_url(&written)),
            );
            return None;
        }
    };
    if authority.as_str().contains('?') {
        // RFC 8414 §2: an issuer has no query.
        keys.complain(found, "authority", "it has a query");
        return None;
    }
    let declared = preset.is_some_and(|preset| preset.is_entra);
    match entra::recognize(&authority, declared) {
        Ok(Some(authority)) => Some(authority),
        Ok(None) => Some(Authority::Issuer(authority)),
        Err(problem) => {
            keys.complain(found, "authority", problem);
            None
        }
    }
}

/// The endpoints; those of a preset follow from the profile's authority. A preset's endpoint on a
/// fixed host belongs to its own authority alone: a token for another must not go there.
fn read_endpoints(keys: &mut Keys<'_, '_>, preset: Option<&Rules<'_>>) -> Endpoints {
    let authority = keys.find("authority");
    let base = authority.and_then(|found| found.value.get_ref().as_str());
    let base = base.unwrap_or_default().trim_end_matches('/');
    let own_authority = preset.and_then(|preset| {
        let authority = preset.profile?.get("authority")?;
        authority.get_ref().as_str()
    });
    let is_default_authority = authority.is_some_and(|found| is_preset_own(found, preset));
    let is_own_authority = own_authority.is_some_and(|own| own.trim_end_matches('/') == base);
    let read = |keys: &mut Keys<'_, '_>| {
        keys.only(EndpointName::ALL.map(EndpointName::key));
        let token = keys.find(EndpointName::Token.key());
        let has_own_token = token.is_some_and(|found| !is_preset_own(found, preset));
        let mut endpoints = Endpoints::default();
        for name in EndpointName::ALL {
            let Some((mut written, found)) = keys.text(name.key()) else {
                continue;
            };
            if is_preset_own(found, preset) {
                if has_own_token && is_default_authority {
                    // Tokens of the profile's own server would go to the preset's.
                    continue;
                }
                match written.strip_prefix(AUTHORITY) {
                    Some(path) => written = format!("{base}{path}"),
                    None if is_own_authority && !has_own_token => {}
                    None => continue,
                }
            }
            match Endpoint::parse(&written) {
                Ok(endpoint) => endpoints.set(name, endpoint),
                // The authority was complained of already.
                Err(_) if is_preset_own(found, preset) => {}
                Err(problem) => {
                    keys.complain(
                        found,
                        name.key(),
                        format!("`{}`: {problem}", printable_url(&written)),
                    );
                }
            }
        }
        endpoints
    };
    keys.table("endpoints", read).unwrap_or_default()
}

/// What the authority is to ask the person for: words of OpenID Connect Core §3.1.2.1, and `create` of
/// Initiating User Registration 1.0.
fn read_prompt(keys: &mut Keys<'_, '_>) -> Option<String> {
    let (prompt, found) = keys.text("prompt")?;
    let words: Vec<&str> = prompt.split(' ').collect();
    if let Some(unknown) = words.iter().find(|word| !PROMPTS.contains(word)) {
        keys.complain(found, "prompt", one_of(unknown, &PROMPTS));
    } else if words.len() > 1 && words.contains(&"none") {
        keys.complain(found, "prompt", "`none` stands alone");
    }
    Some(prompt)
}

fn read_extra(keys: &mut Keys<'_, '_>) -> BTreeMap<String, String> {
    /// What the grants and the client's authentication send themselves.
    const OWN: [&str; 24] = [
        "actor_token",
        "actor_token_type",
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "device_code",
        "dpop_jkt",
        "grant_type",
        "password",
        "redirect_uri",
        "refresh_token",
        "request_uri",
        "requested_token_type",
        "requested_token_use",
        "response_type",
        "scope",
        "state",
        "subject_token",
        "subject_token_type",
        "username",
    ];
    /// What goes with the page of a sign-in alone, and has a key that says so.
    const OF_THE_PAGE: [&str; 2] = ["prompt", "domain_hint"];
    let mut extra = BTreeMap::new();
    for name in keys.names() {
        if OWN.contains(&name)
            && let Some(found) = keys.find(name)
        {
            keys.complain(found, name, "it is a parameter of the grant's own");
        } else if OF_THE_PAGE.contains(&name)
            && let Some(found) = keys.find(name)
        {
            let problem = format!("it goes with no token request; say it with the key `{name}`");
            keys.complain(found, name, problem);
        } else if let Some((value, _)) = keys.text(name) {
            extra.insert(name.to_owned(), value);
        }
    }
    extra
}

fn read_tls(keys: &mut Keys<'_, '_>) -> Tls {
    keys.only(TLS_KEYS);
    let ca_file = keys.path("ca_file");
    let file = keys.path("client_certificate");
    let key = keys.path("client_key");
    if file.is_none()
        && let Some(found) = keys.find("client_key")
    {
        keys.complain(found, "client_key", "it needs a `client_certificate`");
    }
    Tls {
        ca_file,
        client_certificate: file.map(|file| ClientCertificate { file, key }),
        ..Tls::default()
    }
}

/// What tools get for a token: as the preset says, and as the profile's own tables do.
fn read_exchanges(keys: &mut Keys<'_, '_>, preset: Option<&Rules<'_>>) -> Vec<ToolExchange> {
    let mut exchanges = preset.map(Rules::exchanges).unwrap_or_default();
    for entry in EXCHANGES.iter().filter(|entry| !entry.keys.is_empty()) {
        let Some(found) = keys.find(entry.name) else {
            continue;
        };
        let read = |keys: &mut Keys<'_, '_>| read_exchange(keys, entry, found);
        exchanges.extend(keys.table(entry.name, read).flatten());
    }
    exchanges
}

fn read_exchange(
    keys: &mut Keys<'_, '_>,
    entry: &exchange::Entry,
    table: file::Found<'_>,
) -> Option<ToolExchange> {
    keys.only(entry.keys.iter().copied());
    let given: exchange::Given = entry
        .keys
        .iter()
        .filter_map(|key| Some((*key, keys.text(key)?.0)))
        .collect();
    let misspelt = keys.misspelt(entry.keys.iter().copied());
    for key in entry.required {
        if keys.find(key).is_none() && !misspelt.contains(key) {
            keys.complain(table, key, "it is missing");
        }
    }
    if entry.required.iter().any(|key| !given.contains_key(key)) {
        return None;
    }
    match (entry.parse)(&given) {
        Ok(exchange) => Some(ToolExchange {
            tool: entry.name.to_owned(),
            exchange,
            table: Some(keys.to_table()),
        }),
        Err(problems) => {
            for (key, problem) in problems {
                keys.complain(keys.find(key).unwrap_or(table), key, problem);
            }
            None
        }
    }
}

/// A profile's grant.
struct Chosen {
    grant: Box<dyn Grant>,
    /// Its name as the profile says it.
    name: &'static str,
    /// Its keys, secrets named by their source.
    shown: toml::Table,
    /// Its keys whose secret is written into the file.
    literals: Vec<String>,
}

/// The keys that a profile with this grant can do without, also where something else is wrong with
/// the grant.
fn needless(keys: &Keys<'_, '_>) -> &'static [&'static str] {
    let grant = keys.find("grant").map(|found| found.value.get_ref());
    let name = grant.and_then(|grant| match grant.as_table() {
        Some(table) => table.get("type")?.get_ref().as_str(),
        None => grant.as_str(),
    });
    let mut grants = GRANTS.iter();
    let entry = grants.find(|entry| Some(entry.name) == name);
    entry.map_or(&[], |entry| entry.needless)
}

fn read_grant(keys: &mut Keys<'_, '_>) -> Option<Chosen> {
    let found = keys.find("grant");
    let value = found.map(|found| (found, found.value.get_ref()));
    let (name, given) = match value {
        None => (GRANTS[0].name.to_owned(), Given::default()),
        Some((_, DeValue::String(name))) => (name.to_string(), Given::default()),
        Some((found, DeValue::Table(_))) => {
            keys.table("grant", |keys| read_grant_table(keys, found))??
        }
        Some((
            found,
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_),
        )) => {
            keys.complain(found, "grant", "it is no name and no table");
            return None;
        }
    };
    let mut complain = |problem: String| {
        if let Some(found) = found {
            keys.complain(found, "grant", problem);
        }
    };
    let Some(entry) = GRANTS.iter().find(|entry| entry.name == name) else {
        let names: Vec<_> = GRANTS.iter().map(|entry| entry.name).collect();
        complain(one_of(&name, &names));
        return None;
    };
    let mut shown = given.plain.clone();
    let sources = given.sources.iter();
    shown.extend(sources.map(|(key, source)| (key.clone(), source.to_toml())));
    let sources = given.sources.iter();
    let literals = sources.filter(|(_, source)| matches!(source, SecretSource::Literal(_)));
    let literals = literals.map(|(key, _)| format!("grant.{key}")).collect();
    match (entry.parse)(given) {
        Ok(grant) => Some(Chosen {
            grant,
            name: entry.name,
            shown,
            literals,
        }),
        Err(problem) => {
            complain(problem);
            None
        }
    }
}

/// The name of a grant, and what its table says.
fn read_grant_table(keys: &mut Keys<'_, '_>, found: file::Found<'_>) -> Option<(String, Given)> {
    keys.leave_out_others("type");
    let name = keys.text("type").map(|(name, _)| name);
    if keys.find("type").is_none() {
        keys.complain(found, "type", "a `grant` table needs its `type`");
    }
    let name = name?;
    let mut given = Given::default();
    let Some(entry) = GRANTS.iter().find(|entry| entry.name == name) else {
        // It is complained of by whoever looks for it.
        return Some((name, given));
    };
    let all = [entry.keys, entry.secrets, entry.tokens];
    let mut others = Vec::new();
    if entry.keys.contains(&ANY_KEY) {
        others = keys.names();
        others.retain(|key| *key != "type" && !entry.keys.contains(key) && keys.is_source(key));
    } else {
        keys.only(all.into_iter().flatten().copied().chain(["type"]));
    }
    given.plain = keys.to_table();
    given.plain.remove("type");
    let secrets = entry.secrets.iter().chain(&others);
    let secrets = secrets.map(|key| (*key, false));
    let tokens = entry.tokens.iter().map(|key| (*key, true));
    for (key, is_token) in secrets.chain(tokens) {
        given.plain.remove(key);
        let source = if is_token {
            keys.token_source(key, entry.keys.contains(&key))
        } else {
            keys.secret(key)
        };
        match source {
            Some(source) => drop(given.sources.insert(key.to_owned(), source)),
            None if keys.find(key).is_none() => {}
            // It was complained of, and must not be missed besides.
            None => return None,
        }
    }
    Some((name, given))
}
