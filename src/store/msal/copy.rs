//! Sign-ins that are copied from a cache of MSAL, or into one; from then on each goes its own way.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::document::Document;
use super::view::{self, section};
use super::{MsalCache, Sharing};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::store::session::{AccountRow, Session, is_reserved};
use crate::token::Timestamp;

/// A client whose people's sign-ins lie in a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client.
    pub client_id: String,
    /// The host of its authority, as the rows name it.
    pub host: String,
    /// What the authorities of its people begin their paths with: tenants, mostly. Each once.
    pub realms: Vec<String>,
    /// Whether the authority is AD FS.
    pub is_adfs: bool,
    /// Whether each of them has a home tenant, as at Entra.
    pub is_entra: bool,
    /// Who they are.
    pub people: Vec<Person>,
    /// What its newest access token is good for, else what a refresh token came with.
    pub scopes: Vec<String>,
}

/// Somebody in a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The sign-in name, where there is one.
    pub name: Option<String>,
    /// `home_account_id`.
    pub home: String,
}

impl Person {
    /// The sign-in name, else the id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.home)
    }

    /// Whether somebody means them: by name or id, without regard to case.
    pub fn is(&self, wanted: &str) -> bool {
        let names = self.name.iter().chain([&self.home]);
        names
            .map(|name| name.to_lowercase())
            .any(|name| name == wanted.to_lowercase())
    }
}

impl Client {
    /// Whether somebody of that name or id is there.
    pub fn knows(&self, account: &str) -> bool {
        self.people.iter().any(|person| person.is(account))
    }
}

/// The clients whose sign-ins lie in a cache, in the order of its rows.
///
/// # Errors
/// `store`, for a file that is no cache, or cannot be read.
pub fn clients(file: &Path, context: &Context<'_>) -> Result<Vec<Client>, Error> {
    let cache = existing(MsalCache::at(file))?;
    cache
        .clients(context)?
        .map_err(|reason| cache.unusable(&reason))
}

/// Who is signed in there for the profile that `sharing` is of: each with a refresh token, and without
/// access tokens. Whoever is meant where nobody is named comes last.
///
/// # Errors
/// `store`, for a file that is no cache, or cannot be read.
pub fn accounts(sharing: Sharing, context: &Context<'_>) -> Result<Vec<AccountRow>, Error> {
    let cache = existing(MsalCache::new(sharing))?;
    let made = cache.make_of(context, |document| {
        view::accounts_to_copy(document, &cache.sharing)
    })?;
    let mut accounts = made.map_err(|reason| cache.unusable(&reason))?;
    accounts.retain(|row| row.refresh_token.is_some());
    accounts.sort_by_key(|row| row.signed_in_at);
    for row in &mut accounts {
        row.access_tokens.clear();
    }
    Ok(accounts)
}

/// Writes sign-ins into a cache, which is made if it is not there. Each takes the place of the one that
/// the client has of the same account; all else stays.
///
/// # Errors
/// `store`, for a file that is no cache, or cannot be written; `busy`, where MSAL holds its lock for
/// longer than `limit`; `interrupted`.
pub fn add(
    accounts: Vec<AccountRow>,
    sharing: Sharing,
    limit: Duration,
    context: &Context<'_>,
) -> Result<(), Error> {
    let cache = MsalCache::new(sharing);
    let guard = cache.lock(limit, context)?;
    let mut session = cache.compose_locked(&Session::default(), context)?;
    for mut row in accounts {
        let Some(msal) = &mut row.msal else {
            continue;
        };
        // It replaces no token that was sent: the rows of others keep theirs.
        msal.lying = None;
        msal.others = Vec::new();
        let home = msal.home.id.clone();
        let is_same = |other: &AccountRow| {
            let other = other.msal.as_ref();
            other.is_some_and(|other| other.home.id.eq_ignore_ascii_case(&home))
        };
        if let Some(place) = session.accounts.iter().position(is_same) {
            let before = session.accounts.remove(place);
            let shared = before.access_tokens.into_iter();
            row.access_tokens
                .splice(..0, shared.filter(|row| row.is_shared));
        }
        session.accounts.push(row);
    }
    cache.write(&session, None, &guard, context)?;
    drop(guard);
    Ok(())
}

/// The cache, if there is one.
fn existing(cache: MsalCache) -> Result<MsalCache, Error> {
    let path = cache.path();
    if path.exists() {
        return Ok(cache);
    }
    let message = format!("there is no `{}`", path.display());
    Err(Error::new(ErrorKind::Store, message)
        .hint("name the file in which a program with MSAL keeps its sign-ins; `cred-helper doctor` knows where some have it"))
}

pub(super) fn of_document(document: &Document<'_>) -> Vec<Client> {
    let mut clients: Vec<Client> = Vec::new();
    // There may be thousands, and each is looked for.
    let mut accounts = HashMap::new();
    for row in view::rows(document, section::ACCOUNT) {
        if let (Some(home), Some(host)) = (row.text("home_account_id"), row.text("environment")) {
            accounts
                .entry((home.to_ascii_lowercase(), host.to_ascii_lowercase()))
                .or_insert(row);
        }
    }
    for token in view::rows(document, section::REFRESH_TOKEN) {
        if token.is_special() || token.secret().is_none() {
            continue;
        }
        let told = |name| token.text(name).filter(|text| !text.is_empty());
        let (Some(client_id), Some(host), Some(home)) = (
            told("client_id"),
            told("environment"),
            told("home_account_id"),
        ) else {
            continue;
        };
        // Without an account MSAL finds no token either.
        let whose = (home.to_ascii_lowercase(), host.to_ascii_lowercase());
        let Some(account) = accounts.get(&whose) else {
            continue;
        };
        let is_it = |client: &Client| {
            client.client_id.eq_ignore_ascii_case(&client_id)
                && client.host.eq_ignore_ascii_case(&host)
        };
        let place = clients.iter().position(is_it).unwrap_or_else(|| {
            clients.push(Client {
                is_entra: true,
                scopes: newest_scopes(document, &client_id, &host)
                    .unwrap_or_else(|| without_reserved(view::scopes(token))),
                client_id: client_id.clone(),
                host: host.clone(),
                ..Client::default()
            });
            clients.len() - 1
        });
        let client = &mut clients[place];
        client.is_entra &= home.contains('.');
        client.is_adfs |= account.is("authority_type", "ADFS");
        let of_account = |name| account.text(name).filter(|text| !text.is_empty());
        let realm = of_account("realm");
        let realms = &mut client.realms;
        realms.extend(realm.filter(|realm| !realms.contains(realm)));
        let person = Person {
            name: of_account("username"),
            home,
        };
        if !client.people.contains(&person) {
            client.people.push(person);
        }
    }
    clients
}

/// What the access token that ends last is good for.
fn newest_scopes(document: &Document<'_>, client_id: &str, host: &str) -> Option<Vec<String>> {
    let own = view::rows(document, section::ACCESS_TOKEN)
        .filter(|row| row.is("client_id", client_id) && row.is("environment", host))
        .filter(|row| !row.is_special());
    let newest = own.max_by_key(|row| row.time("expires_on").unwrap_or(Timestamp(0)))?;
    Some(without_reserved(view::scopes(newest))).filter(|scopes| !scopes.is_empty())
}

/// Without what asks for a sign-in; where everything of a resource was asked for, that alone.
fn without_reserved(mut scopes: Vec<String>) -> Vec<String> {
    scopes.retain(|scope| !is_reserved(scope));
    if scopes.iter().any(|scope| scope.ends_with("/.default")) {
        scopes.retain(|scope| scope.ends_with("/.default"));
    }
    scopes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::parse;
    use super::{Client, Person, of_document};

    fn clients(accounts: Value, refresh: Value, access: Value) -> Vec<Client> {
        let cache = json!({ "Account": accounts, "RefreshToken": refresh, "AccessToken": access });
        let text = cache.to_string();
        of_document(&parse(&text).expect("it is a cache"))
    }

    fn account(home: &str, realm: &str, kind: &str) -> Value {
        json!({
            "home_account_id": home, "environment": "h", "realm": realm, "authority_type": kind,
            "username": format!("ada@{home}")
        })
    }

    fn refresh(home: &str, client: &str) -> Value {
        json!({
            "secret": "r", "home_account_id": home, "environment": "h", "client_id": client,
            "target": "openid came"
        })
    }

    #[test]
    fn a_client_is_at_entra_where_all_its_people_have_a_home_and_at_ad_fs_where_one_is_of_it() {
        let accounts = json!({
            "a": account("u.t", "t", "MSSTS"),
            "b": account("v.t", "", "MSSTS"),
            "c": account("w", "adfs", "ADFS")
        });
        for (homes, realms, is_entra, is_adfs) in [
            (&["u.t", "v.t"][..], &["t"][..], true, false),
            (&["w"], &["adfs"], false, true),
            (&["w", "u.t"], &["adfs", "t"], false, true),
            (&["u.t", "w"], &["t", "adfs"], false, true),
        ] {
            let rows: Vec<Value> = homes.iter().map(|home| refresh(home, "c")).collect();
            let clients = clients(
                accounts.clone(),
                Value::from_iter(
                    rows.into_iter()
                        .enumerate()
                        .map(|(at, row)| (at.to_string(), row)),
                ),
                json!({}),
            );
            let person = |home: &&str| Person {
                name: Some(format!("ada@{home}")),
                home: (*home).to_owned(),
            };
            let expected = Client {
                client_id: "c".to_owned(),
                host: "h".to_owned(),
                realms: realms.iter().map(|realm| (*realm).to_owned()).collect(),
                is_adfs,
                is_entra,
                people: homes.iter().map(person).collect(),
                scopes: vec!["came".to_owned()],
            };
            assert_eq!(clients, [expected], "{homes:?}");
        }
    }

    #[test]
    fn who_has_no_token_of_their_own_is_not_there() {
        let accounts = json!({ "a": account("u.t", "t", "MSSTS") });
        for (name, value, is_there) in [
            ("secret", "r", true),
            ("secret", "", false),
            ("client_id", "", false),
            // Bound to a key.
            ("kid", "k", false),
            // Without an account.
            ("home_account_id", "v.t", false),
        ] {
            let mut row = refresh("u.t", "c");
            row[name] = value.into();
            let clients = clients(accounts.clone(), json!({ "r": row }), json!({}));
            assert_eq!(clients.len(), usize::from(is_there), "{name}: {value}");
        }
    }

    #[test]
    fn the_access_token_that_ends_last_tells_what_a_client_is_for() {
        let access = |client: &str, host: &str, ends: u32, target: &str| {
            json!({
                "secret": "t", "home_account_id": "u.t", "environment": host, "client_id": client,
                "realm": "t", "target": target, "expires_on": ends.to_string()
            })
        };
        let mut bound = access("c", "h", 40, "bound");
        bound["kid"] = "k".into();
        let told = [
            access("c", "h", 10, "old"),
            access("c", "h", 20, "x/read openid x/.default"),
            access("another", "h", 30, "of-another"),
            access("c", "elsewhere", 30, "elsewhere"),
            bound,
        ];
        for (count, scopes) in [(5, "x/.default"), (1, "old"), (0, "came")] {
            let rows = told[..count].iter().cloned().enumerate();
            let clients = clients(
                json!({ "a": account("u.t", "t", "MSSTS") }),
                json!({ "r": refresh("u.t", "c") }),
                Value::from_iter(rows.map(|(at, row)| (at.to_string(), row))),
            );
            assert_eq!(clients[0].scopes, [scopes]);
        }
        let only_reserved = clients(
            json!({ "a": account("u.t", "t", "MSSTS") }),
            json!({ "r": refresh("u.t", "c") }),
            json!({ "t": access("c", "h", 10, "openid profile") }),
        );
        assert_eq!(only_reserved[0].scopes, ["came"]);
    }
}
