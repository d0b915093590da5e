//! Where a profile's sign-in lives, if not in our own store: `session = { msal = "FILE" }`, and where the
//! cache is not that file, `secret_service = { … }` beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Profile;
use super::file::Keys;
use crate::claims;
use crate::context::KeyringItem;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::grant::Asks;
use crate::oauth::client::Authority;
use crate::oauth::entra;
use crate::store::msal::{Item, Sharing};

/// The keys of `session`.
pub(super) const SESSION_KEYS: [&str; 2] = ["msal", "secret_service"];
/// The keys of `session.secret_service`.
pub(super) const ITEM_KEYS: [&str; 4] = ["schema", "attributes", "label", "base64"];

/// What a client says it can do that can answer a claims challenge (Entra).
const CP1: &str = "CP1";

/// A cache of MSAL that a profile names.
#[derive(Debug)]
pub struct Cache {
    /// The cache, or the file that tells of its changes.
    pub file: PathBuf,
    /// Where it lies, if not in the file.
    pub item: Option<Item>,
}

impl Cache {
    /// What tells it from others.
    pub(super) fn identity(&self) -> Vec<(&'static str, String)> {
        let mut identity = vec![("msal", self.file.display().to_string())];
        if let Some(Item { keyring, .. }) = &self.item {
            identity.push(("secret_service", keyring.schema.clone()));
            let attributes = keyring.attributes.iter();
            let attributes = attributes.map(|(name, value)| format!("{name}={value}"));
            identity.extend(attributes.map(|attribute| ("secret_service", attribute)));
        }
        identity
    }

    /// The table that says so.
    pub(super) fn to_toml(&self) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("msal".to_owned(), self.file.display().to_string().into());
        if let Some(Item { keyring, is_base64 }) = &self.item {
            let attributes = keyring.attributes.iter();
            let attributes: toml::Table = attributes
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect();
            let item: toml::Table = [
                ("schema", keyring.schema.clone().into()),
                ("attributes", attributes.into()),
                ("label", keyring.label.clone().into()),
                ("base64", (*is_base64).into()),
            ]
            .map(|(key, value): (&str, toml::Value)| (key.to_owned(), value))
            .into_iter()
            .collect();
            table.insert("secret_service".to_owned(), item.into());
        }
        table
    }
}

/// Reads the table: MSAL's cache.
pub(super) fn read(
    keys: &mut Keys<'_, '_>,
    asks: Option<Asks>,
    authority: Option<&Authority>,
) -> Option<Cache> {
    let found = keys.find("session")?;
    let dpop = keys.boolean("dpop") == Some(true);
    if let Some(problem) = problem(asks, authority, dpop) {
        keys.complain(found, "session", problem);
    }
    let (file, item) = keys.table("session", |keys| {
        keys.only(SESSION_KEYS);
        (keys.path("msal"), read_item(keys))
    })?;
    if file.is_none() {
        keys.complain(
            found,
            "session",
            "it names no cache: write `session = { msal = \"FILE\" }`",
        );
    }
    Some(Cache { file: file?, item })
}

/// Reads what an item of the Secret Service is found by.
fn read_item(keys: &mut Keys<'_, '_>) -> Option<Item> {
    /// What the libraries of MSAL call their own.
    const LABEL: &str = "MSALCache";
    let found = keys.find("secret_service")?;
    let (item, has_schema) = keys.table("secret_service", |keys| {
        keys.only(ITEM_KEYS);
        let attributes = keys.table("attributes", read_attributes);
        let item = Item {
            keyring: KeyringItem {
                schema: text(keys, "schema").unwrap_or_default(),
                attributes: attributes.unwrap_or_default(),
                label: text(keys, "label").unwrap_or_else(|| LABEL.to_owned()),
            },
            is_base64: keys.boolean("base64").unwrap_or(false),
        };
        (item, keys.find("schema").is_some())
    })?;
    if !has_schema {
        let problem = "it names no `schema`, which an item is found by";
        keys.complain(found, "secret_service", problem);
    }
    Some(item)
}

fn read_attributes(keys: &mut Keys<'_, '_>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for name in keys.names() {
        if let Some(value) = text(keys, name) {
            attributes.insert(name.to_owned(), value);
        }
        let problem = match name {
            "xdg:schema" => "it is what `schema` says",
            _ if name.contains(char::is_control) => "its name holds a control character",
            _ => continue,
        };
        if let Some(found) = keys.find(name) {
            keys.complain(found, name, problem);
        }
    }
    attributes
}

/// A text as the bus of a desktop takes it.
fn text(keys: &mut Keys<'_, '_>, key: &str) -> Option<String> {
    let (text, found) = keys.text(key)?;
    if text.contains(char::is_control) {
        keys.complain(found, key, "it holds a control character");
        return None;
    }
    Some(text)
}

/// What keeps a profile's sign-in from lying in a cache of MSAL.
fn problem(asks: Option<Asks>, authority: Option<&Authority>, dpop: bool) -> Option<&'static str> {
    match (asks, authority) {
        (Some(Asks::Nobody | Asks::PersonIfNeeded), _) => {
            Some("it is for the `grant` of a person: a machine has no sign-in to share")
        }
        (_, Some(Authority::Explicit)) => {
            Some("it needs an `authority`: MSAL tells accounts apart by its host")
        }
        (_, Some(authority @ Authority::Entra(_))) if !is_told_apart(authority) => Some(
            "MSAL's rows name a tenant by its id: write that in `authority`, or `/organizations` or \
             `/common`; policies of B2C are not told apart",
        ),
        (_, Some(Authority::Issuer(issuer))) if depth(issuer) > 1 => Some(
            "MSAL tells issuers apart by the first part of their path alone, and this one has more",
        ),
        _ if dpop => Some("a cache of MSAL has no room for keys that tokens are bound to (`dpop`)"),
        _ => None,
    }
}

/// Whether an authority of Entra names a tenant as rows do.
fn is_told_apart(authority: &Authority) -> bool {
    let is_id = |tenant: &str| {
        let parts: Vec<usize> = tenant.split('-').map(str::len).collect();
        let is_hexadecimal = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
        parts == [8, 4, 4, 4, 12] && tenant.bytes().all(is_hexadecimal)
    };
    let tenant = entra::tenant(authority);
    tenant.is_some_and(|tenant| entra::is_any_tenant(&tenant) || is_id(&tenant))
}

/// How many parts the path has.
fn depth(issuer: &Endpoint) -> usize {
    let (_, rest) = issuer.as_str().split_once("://").unwrap_or_default();
    let parts = rest.split('/').skip(1);
    parts.filter(|part| !part.is_empty()).count()
}

/// Whether the tokens of a cache were asked for with `CP1`, where its name tells.
fn has_cp1(file: &Path) -> Option<bool> {
    let name = file.file_name()?.to_str()?;
    let of_azure_cli = [
        "msal_token_cache.json",
        "msal_token_cache.bin",
        "msal_token_cache.sig",
    ];
    if of_azure_cli.contains(&name) || name.ends_with(".cae") {
        Some(true)
    } else if name.ends_with(".nocae") {
        Some(false)
    } else {
        None
    }
}

/// What of a cache a profile shares.
pub(super) fn sharing(profile: &Profile, cache: &Cache) -> Option<Sharing> {
    let item = cache.item.clone();
    Some(Sharing {
        item,
        ..sharing_of(profile, &cache.file)?
    })
}

/// The same of `file`.
fn sharing_of(profile: &Profile, file: &Path) -> Option<Sharing> {
    let (authority, authority_type) = match &profile.client.authority {
        Authority::Entra(authority) | Authority::Issuer(authority) => (authority, "MSSTS"),
        Authority::Adfs(authority) => (authority, "ADFS"),
        Authority::Explicit => return None,
    };
    // A caller that cannot answer a challenge must not be given a token that may be challenged; and
    // nobody else must be given one through the cache.
    let own = profile.client_capabilities.iter().any(|own| own == CP1);
    let of_file = has_cp1(file);
    let is_plain = profile.claims.is_none();
    Some(Sharing {
        file: file.to_owned(),
        item: None,
        client_id: profile.client.client_id.clone(),
        hosts: entra::hosts(authority),
        realm: realm(authority),
        is_for_any_tenant: entra::is_for_any_tenant(&profile.client.authority),
        authority_type,
        claims: claims::with_capabilities(profile.claims.as_deref(), &profile.client_capabilities),
        reads: is_plain && (own || of_file != Some(true)),
        writes: is_plain && of_file.is_none_or(|of_file| of_file == own),
    })
}

/// The same for a file that people's sign-ins are copied from, or to.
///
/// # Errors
/// `config`, for a profile whose sign-in cannot lie there.
pub(super) fn copying(profile: &Profile, file: &Path) -> Result<Sharing, Error> {
    let client = &profile.client;
    let name = &profile.name;
    let refused = |problem: &str| {
        let message = format!("the sign-in of profile `{name}` cannot lie in a cache of MSAL");
        Error::new(ErrorKind::Config, message).because(problem)
    };
    if let Some(own) = &profile.msal {
        let message = format!("the sign-in of profile `{name}` lies in a cache of MSAL already");
        return Err(Error::new(ErrorKind::Config, message).because(format!(
            "`session` of the profile names `{}`",
            own.file.display()
        )));
    }
    let problem = problem(
        Some(profile.grant.asks()),
        Some(&client.authority),
        client.dpop,
    );
    match (problem, sharing_of(profile, file)) {
        (None, Some(sharing)) => Ok(sharing),
        (Some(problem), _) => Err(refused(problem)),
        (None, None) => Err(refused("it has no `authority`")),
    }
}

/// The first segment of the path, as MSAL has it.
fn realm(authority: &Endpoint) -> String {
    let (_, rest) = authority.as_str().split_once("://").unwrap_or_default();
    let mut segments = rest.split('/').skip(1);
    segments.next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{has_cp1, realm};
    use crate::endpoint::Endpoint;

    #[test]
    fn the_tenant_is_what_the_path_begins_with() {
        for (url, expected) in [
            (
                "https://login.microsoftonline.com/organizations",
                "organizations",
            ),
            ("https://adfs.example/adfs", "adfs"),
            ("https://name.b2clogin.com/tenant/b2c_1_policy", "tenant"),
            ("https://issuer.example", ""),
            ("https://issuer.example:8443/", ""),
        ] {
            let url = Endpoint::parse(url).expect(url);
            assert_eq!(realm(&url), expected);
        }
    }

    #[test]
    fn some_caches_tell_by_their_name_whether_tokens_can_be_challenged() {
        for (path, expected) in [
            ("/home/ada/.azure/msal_token_cache.json", Some(true)),
            ("/home/ada/.azure/msal_token_cache.sig", Some(true)),
            ("/home/ada/.IdentityService/msal.cache.cae", Some(true)),
            ("/home/ada/.IdentityService/msal.cache.nocae", Some(false)),
            ("/home/ada/.IdentityService/msal.cache", None),
            ("/", None),
        ] {
            assert_eq!(has_cp1(Path::new(path)), expected, "{path}");
        }
    }
}
