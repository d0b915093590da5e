//! The keys of a profile that say how its client proves who it is.

use super::file::{Found, Keys};
use super::key::{is_preset_own, one_of};
use super::preset::Rules;
use crate::context::Tls;
use crate::oauth::assertion::{Audience, ClientKey, KnownBy};
use crate::oauth::client::Authority;
use crate::oauth::client_authentication::{BasicEncoding, ClientAuthentication, Method, Proof};
use crate::oauth::federation::{self, AssertionSource, ENTRA_AUDIENCE};
use crate::secret_source::SecretSource;

/// What a client can prove with who it is: one of these.
const PROOFS: [&str; 4] = ["client_secret", CERTIFICATE, PRIVATE_KEY, federation::KEY];

const CERTIFICATE: &str = "client_certificate";
const PRIVATE_KEY: &str = "client_private_key";

/// Keys that say more of one of [`PROOFS`], and which ones that may be.
const BESIDE: [(&str, &[&str]); 5] = [
    ("client_passphrase", &[CERTIFICATE, PRIVATE_KEY]),
    ("client_send_x5c", &[CERTIFICATE]),
    ("client_key_id", &[PRIVATE_KEY]),
    ("client_assertion_audience", &[CERTIFICATE, PRIVATE_KEY]),
    ("client_basic_encoding", &["client_secret"]),
];

const GITHUB_ACTIONS: &str = "github_actions";
const AZURE_PIPELINES: &str = "azure_pipelines";

/// Where an assertion can come from.
pub(super) const ASSERTION_WAYS: [&str; 7] = [
    "env",
    "file",
    "command",
    "keyring",
    "profile",
    GITHUB_ACTIONS,
    AZURE_PIPELINES,
];

/// Whether one of [`PROOFS`] is there.
pub(super) fn has_proof(keys: &Keys<'_, '_>) -> bool {
    PROOFS.iter().any(|key| keys.find(key).is_some())
}

/// Reads the keys; each contradiction between them is complained of.
pub(super) fn read(
    keys: &mut Keys<'_, '_>,
    preset: Option<&Rules<'_>>,
    authority: Option<&Authority>,
    tls: &Tls,
) -> ClientAuthentication {
    let given: Vec<&str> = PROOFS
        .into_iter()
        .filter(|key| keys.find(key).is_some())
        .collect();
    if let [first, further @ ..] = given.as_slice() {
        for key in further {
            complain(keys, key, preset, &is_there_too(first));
        }
    }
    for (key, of) in BESIDE {
        // Most profiles have none: nothing is written for them in vain.
        let is_there = keys.find(key).is_some();
        // Basic credentials of whoever has no secret are nothing to speak of.
        let is_needless = key == "client_basic_encoding" && given.is_empty();
        if is_there && !is_needless && !given.iter().any(|given| of.contains(given)) {
            complain(keys, key, preset, &needs(of));
        }
    }
    let passphrase = keys.secret("client_passphrase");
    let is_sent = keys.boolean("client_send_x5c").unwrap_or(false);
    let key_id = keys.text("client_key_id").map(|(key_id, _)| key_id);
    let audience = read_name(
        keys,
        "client_assertion_audience",
        &Audience::NAMES,
        Audience::parse,
    );
    let source = |keys: &mut Keys<'_, '_>| match given.first().copied() {
        Some("client_secret") => keys.secret("client_secret").map(Proof::Secret),
        Some(federation::KEY) => read_assertion(keys, authority).map(Proof::Assertion),
        Some(key) => {
            let known_by = if key == CERTIFICATE {
                KnownBy::Certificate { is_sent }
            } else {
                KnownBy::KeyId(key_id)
            };
            Some(Proof::Key(ClientKey {
                source: read_key(keys, key)?,
                passphrase,
                known_by,
                audience: audience.unwrap_or_default(),
            }))
        }
        None => None,
    };
    let proof = source(keys);
    ClientAuthentication {
        method: read_method(keys, preset, &given, tls),
        basic_encoding: read_name(
            keys,
            "client_basic_encoding",
            &["form", "raw"],
            |name| match name {
                "form" => Some(BasicEncoding::Form),
                "raw" => Some(BasicEncoding::Raw),
                _ => None,
            },
        )
        .unwrap_or_default(),
        proof,
        open_device_authorization: preset.is_some_and(|preset| preset.open_device_authorization),
    }
}

/// A name of few.
fn read_name<T>(
    keys: &mut Keys<'_, '_>,
    key: &str,
    names: &[&str],
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let (name, found) = keys.text(key)?;
    let parsed = parse(&name);
    if parsed.is_none() {
        keys.complain(found, key, one_of(&name, names));
    }
    parsed
}

/// Complains of a key, unless it is a preset's: then the profile says otherwise.
fn complain(keys: &mut Keys<'_, '_>, key: &str, preset: Option<&Rules<'_>>, problem: &str) {
    let own = |found: &Found<'_>| !is_preset_own(*found, preset);
    if let Some(found) = keys.find(key).filter(own) {
        keys.complain(found, key, problem);
    }
}

fn needs(of: &[&str]) -> String {
    let names: Vec<_> = of.iter().map(|key| format!("a `{key}`")).collect();
    format!("it needs {}", names.join(" or "))
}

fn read_method(
    keys: &mut Keys<'_, '_>,
    preset: Option<&Rules<'_>>,
    given: &[&str],
    tls: &Tls,
) -> Option<Method> {
    const KEY: &str = "client_auth_method";
    let method = read_name(keys, KEY, &Method::ALL.map(Method::name), |name| {
        Method::ALL.into_iter().find(|method| method.name() == name)
    })?;
    let of: &[&str] = match method {
        Method::None => return Some(method),
        Method::ClientSecretBasic | Method::ClientSecretPost => &["client_secret"],
        Method::PrivateKeyJwt => &[CERTIFICATE, PRIVATE_KEY, federation::KEY],
        Method::TlsClientAuth | Method::SelfSignedTlsClientAuth => {
            if tls.client_certificate.is_none() {
                let needed = "it needs `tls = { client_certificate = \"…\" }`";
                complain(keys, KEY, preset, needed);
            } else if let Some(first) = given.first() {
                complain(keys, KEY, preset, &is_there_too(first));
            }
            return Some(method);
        }
    };
    if given.iter().any(|given| of.contains(given)) {
        return Some(method);
    }
    complain(keys, KEY, preset, &needs(of));
    None
}

fn is_there_too(key: &str) -> String {
    format!("there is `{key}` too, and a client proves who it is in one way")
}

/// A key's file by its path, or where its text comes from.
fn read_key(keys: &mut Keys<'_, '_>, key: &str) -> Option<SecretSource> {
    let found = keys.find(key)?;
    if found.value.get_ref().as_str().is_some() {
        return keys.path(key).map(SecretSource::File);
    }
    keys.secret(key)
}

fn read_assertion(
    keys: &mut Keys<'_, '_>,
    authority: Option<&Authority>,
) -> Option<AssertionSource> {
    let key = federation::KEY;
    let found = keys.find(key)?;
    if found.value.get_ref().as_str().is_some() {
        keys.complain(
            found,
            key,
            "an assertion ends within minutes; say where it comes from, as in `{ file = \"…\" }`",
        );
        return None;
    }
    if let Some(source) = keys.source(key, &ASSERTION_WAYS) {
        return Some(AssertionSource::Source(source));
    }
    let table = found.value.get_ref().as_table()?;
    if table.len() != 1 {
        // That was complained of.
        return None;
    }
    let of_table = |keys: &mut Keys<'_, '_>| {
        if keys.find(GITHUB_ACTIONS).is_some() {
            return keys.table(GITHUB_ACTIONS, |keys| {
                read_github_actions(keys, found, authority)
            })?;
        }
        keys.table(AZURE_PIPELINES, |keys| {
            keys.only(["service_connection_id"]);
            let id = keys.text("service_connection_id").map(|(id, _)| id);
            if keys.find("service_connection_id").is_none() {
                keys.complain_at(
                    &found.place(),
                    "`azure_pipelines` needs a `service_connection_id`",
                );
            }
            Some(AssertionSource::AzurePipelines {
                service_connection_id: id?,
            })
        })?
    };
    keys.table(key, of_table)?
}

fn read_github_actions(
    keys: &mut Keys<'_, '_>,
    found: Found<'_>,
    authority: Option<&Authority>,
) -> Option<AssertionSource> {
    keys.only(["audience"]);
    let audience = match (keys.find("audience"), authority) {
        (Some(_), _) => keys.text("audience").map(|(audience, _)| audience)?,
        (None, Some(Authority::Entra(_))) => ENTRA_AUDIENCE.to_owned(),
        (None, _) => {
            let problem = "`github_actions` needs the `audience` that the authority expects";
            keys.complain_at(&found.place(), problem);
            return None;
        }
    };
    Some(AssertionSource::GithubActions { audience })
}

/// The keys as the profile says them, secrets named by their source.
pub(super) fn write(
    authentication: &ClientAuthentication,
    put: &mut impl FnMut(&str, Option<toml::Value>),
) {
    let ClientAuthentication {
        proof,
        method,
        basic_encoding,
        open_device_authorization: _,
    } = authentication;
    match proof {
        None => {}
        Some(Proof::Secret(source)) => put("client_secret", Some(source.to_toml())),
        Some(Proof::Assertion(source)) => put(federation::KEY, Some(source.to_toml())),
        Some(Proof::Key(key)) => {
            let ClientKey {
                source,
                passphrase,
                known_by,
                audience,
            } = key;
            put(key.key(), Some(source.to_toml()));
            put(
                "client_passphrase",
                passphrase.as_ref().map(SecretSource::to_toml),
            );
            match known_by {
                KnownBy::Certificate { is_sent } => {
                    put("client_send_x5c", is_sent.then(|| true.into()));
                }
                KnownBy::KeyId(key_id) => {
                    put("client_key_id", key_id.clone().map(Into::into));
                }
            }
            put("client_assertion_audience", audience.name().map(Into::into));
        }
    }
    put(
        "client_auth_method",
        method.map(|method| method.name().into()),
    );
    let is_raw = *basic_encoding == BasicEncoding::Raw;
    put("client_basic_encoding", is_raw.then(|| "raw".into()));
}
