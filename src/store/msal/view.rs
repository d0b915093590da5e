//! What of a cache is of use to one client, as a session; and a session's changes as rows.
//!
//! Rows are found by their fields, as all of MSAL does. What is not changed stays as it is.

use std::collections::{HashMap, HashSet};

use super::document::{Document, Object};
use super::shape::Shape;
use super::{GRANT, Sharing};
use crate::digest::digest;
use crate::secret::Secret;
use crate::store::json_string;
use crate::store::session::{
    AccessTokenRow, AccountRow, MsalAccount, RowKey, Session, is_reserved,
};
use crate::token::{Account, Home, Timestamp};

/// The sections of a cache.
pub(super) mod section {
    pub(in crate::store::msal) const ACCESS_TOKEN: &str = "AccessToken";
    pub(in crate::store::msal) const REFRESH_TOKEN: &str = "RefreshToken";
    pub(in crate::store::msal) const ID_TOKEN: &str = "IdToken";
    pub(in crate::store::msal) const ACCOUNT: &str = "Account";
    pub(in crate::store::msal) const APP_METADATA: &str = "AppMetadata";

    /// All that is read or written.
    pub(in crate::store::msal) const ALL: [&str; 5] =
        [ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN, ACCOUNT, APP_METADATA];
}

/// A row, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Row<'d, 't> {
    key: &'d str,
    fields: &'d Object<'t>,
}

impl Row<'_, '_> {
    /// A field as text: a string, or a number.
    pub(super) fn text(self, name: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(self.fields.raw(name)?).ok()?;
        match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => value.is_number().then(|| value.to_string()),
        }
    }

    pub(super) fn secret(self) -> Option<Secret> {
        let secret = json_string::unescaped(self.fields.raw("secret")?)?;
        Some(secret).filter(|secret| !secret.expose().is_empty())
    }

    pub(super) fn time(self, name: &str) -> Option<Timestamp> {
        let seconds: f64 = self.text(name)?.trim().parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is beyond any time is brought to the last one"
        )]
        Some(Timestamp(0).plus(seconds as i64))
    }

    pub(super) fn is(self, name: &str, value: &str) -> bool {
        self.text(name)
            .is_some_and(|text| text.eq_ignore_ascii_case(value))
    }

    fn has(self, name: &str) -> bool {
        let raw = self.fields.raw(name).unwrap_or("null");
        raw != "null" && raw != "\"\""
    }

    /// Whether the token is for something else than a bearer of it alone: bound to a key, to further
    /// parameters, or to a token of somebody else's.
    pub(super) fn is_special(self) -> bool {
        const MARKS: [&str; 6] = [
            "key_id",
            "keyid",
            "kid",
            "ext_cache_key",
            "ext",
            "user_assertion_hash",
        ];
        let is_bearer = match self.text("token_type") {
            None => true,
            Some(kind) => kind.is_empty() || kind.eq_ignore_ascii_case("Bearer"),
        };
        let is_plain = match self.text("credential_type") {
            None => true,
            Some(kind) => ["AccessToken", "RefreshToken"].contains(&kind.as_str()),
        };
        !is_bearer || !is_plain || MARKS.iter().any(|mark| self.has(mark))
    }
}

pub(super) fn rows<'d, 't>(
    document: &'d Document<'t>,
    section: &str,
) -> impl Iterator<Item = Row<'d, 't>> + use<'d, 't> {
    let section = document.root.object(section);
    let objects = section.into_iter().flat_map(Object::objects);
    objects.map(|(key, fields)| Row { key, fields })
}

impl Sharing {
    /// Whether a row is of this cloud.
    fn is_here(&self, row: Row<'_, '_>) -> bool {
        self.hosts.iter().any(|host| row.is("environment", host))
    }

    /// Whether a row is of this cloud and that person.
    fn is_of(&self, row: Row<'_, '_>, home: &str) -> bool {
        self.is_here(row) && row.is("home_account_id", home)
    }

    fn is_own(&self, row: Row<'_, '_>) -> bool {
        row.is("client_id", &self.client_id)
    }

    /// Whether a token is of the tenant that this authority gives tokens of: where it names none, of
    /// the one where somebody is at home.
    fn fits_tenant(&self, row: Row<'_, '_>, home: &str) -> bool {
        let at_home = home.rsplit_once('.').map(|(_, tenant)| tenant);
        row.is("realm", &self.realm)
            || self.is_for_any_tenant && at_home.is_some_and(|tenant| row.is("realm", tenant))
    }

    /// What every token of the cache was asked with, beside its scopes.
    fn key(&self, scopes: &[String]) -> RowKey {
        RowKey {
            claims: self.claims.clone(),
            ..RowKey::default()
        }
        .with_scopes(scopes)
    }

    /// Whether a token may lie in the cache: nothing told the authority what a row has no room for.
    fn is_plain(&self, row: &AccessTokenRow) -> bool {
        let is_plain = row.key == self.key(&row.key.scopes);
        let can_be_kept = self.writes && row.expires_at.is_some();
        can_be_kept && is_plain && row.token_type.eq_ignore_ascii_case("Bearer")
    }
}

/// The rows of a section that are of this cloud, by whose they are.
struct ByHome<'d, 't>(HashMap<String, Vec<Row<'d, 't>>>);

impl<'d, 't> ByHome<'d, 't> {
    fn new(document: &'d Document<'t>, section: &str, sharing: &Sharing) -> Self {
        let mut homes: HashMap<String, Vec<Row<'d, 't>>> = HashMap::new();
        for row in rows(document, section).filter(|row| sharing.is_here(*row)) {
            if let Some(home) = row.text("home_account_id") {
                homes
                    .entry(home.to_ascii_lowercase())
                    .or_default()
                    .push(row);
            }
        }
        Self(homes)
    }

    fn of(&self, home: &str) -> impl Iterator<Item = Row<'d, 't>> {
        let rows = self.0.get(&home.to_ascii_lowercase());
        rows.into_iter().flatten().copied()
    }
}

/// What of a cache is of use to somebody. It has the tokens of thousands, each of which is looked at
/// once.
struct Tokens<'d, 't> {
    sharing: &'d Sharing,
    family: Option<String>,
    refresh_tokens: ByHome<'d, 't>,
    access_tokens: ByHome<'d, 't>,
    id_tokens: ByHome<'d, 't>,
}

impl<'d, 't> Tokens<'d, 't> {
    fn new(document: &'d Document<'t>, sharing: &'d Sharing) -> Self {
        let of = |section| ByHome::new(document, section, sharing);
        Self {
            sharing,
            family: family(document, sharing),
            refresh_tokens: of(section::REFRESH_TOKEN),
            access_tokens: of(section::ACCESS_TOKEN),
            id_tokens: of(section::ID_TOKEN),
        }
    }
}

/// The family that the client belongs to: `None` where that is not known yet, and an empty name where
/// it belongs to none.
fn family(document: &Document<'_>, sharing: &Sharing) -> Option<String> {
    let mut rows = rows(document, section::APP_METADATA);
    let own = rows.find(|row| sharing.is_here(*row) && sharing.is_own(*row))?;
    Some(own.text("family_id").unwrap_or_default())
}

/// The refresh tokens that may be redeemed for somebody, in the order of MSAL: those of the family, if
/// the client belongs to it or may, else the client's own; the latest first.
fn refresh_tokens(tokens: &Tokens<'_, '_>, home: &str) -> Vec<Secret> {
    /// The only family that there is.
    const ONLY: &str = "1";
    let sharing = tokens.sharing;
    let family = tokens.family.as_deref().unwrap_or(ONLY);
    let of_somebody = tokens.refresh_tokens.of(home);
    let mut all: Vec<Row<'_, '_>> = of_somebody.filter(|row| !row.is_special()).collect();
    all.sort_by_key(|row| std::cmp::Reverse(row.time("last_modification_time")));
    let of_family = all
        .iter()
        .filter(|row| !family.is_empty() && row.is("family_id", family));
    let own = all.iter().filter(|row| sharing.is_own(**row));
    let mut secrets: Vec<Secret> = Vec::new();
    for secret in of_family.chain(own).filter_map(|row| row.secret()) {
        if !secrets.contains(&secret) {
            secrets.push(secret);
        }
    }
    secrets
}

/// Who is signed in, each with the refresh token that is to be copied.
pub(super) fn accounts_to_copy(document: &Document<'_>, sharing: &Sharing) -> Vec<AccountRow> {
    let mut accounts = compose(document, sharing, &Session::default()).accounts;
    let tokens = Tokens::new(document, sharing);
    for row in &mut accounts {
        let home = row.msal.as_ref().map(|msal| msal.home.id.as_str());
        row.refresh_token = home.and_then(|home| token_to_copy(&tokens, home));
    }
    accounts
}

/// MSAL's first, but of a client whose family is not known its own, since whoever copies has one attempt.
fn token_to_copy(tokens: &Tokens<'_, '_>, home: &str) -> Option<Secret> {
    let sharing = tokens.sharing;
    let mut own: Vec<Row<'_, '_>> = tokens
        .refresh_tokens
        .of(home)
        .filter(|row| tokens.family.is_none() && sharing.is_own(*row) && !row.is_special())
        .collect();
    own.sort_by_key(|row| std::cmp::Reverse(row.time("last_modification_time")));
    let mut own = own.into_iter().filter_map(Row::secret);
    own.next()
        .or_else(|| refresh_tokens(tokens, home).into_iter().next())
}

/// The session of this client: who is in the cache, and what we keep beside it.
pub(super) fn compose(document: &Document<'_>, sharing: &Sharing, beside: &Session) -> Session {
    let mut session = Session {
        // Whoever was never in the cache is kept beside it whole.
        accounts: Vec::new(),
        ..beside.clone()
    };
    let whole = beside.accounts.iter().filter(|row| row.grant != GRANT);
    session.accounts.extend(whole.cloned());
    let tokens = Tokens::new(document, sharing);
    let mut homes: HashSet<String> = HashSet::new();
    for account in rows(document, section::ACCOUNT).filter(|row| sharing.is_here(*row)) {
        let Some(home) = account.text("home_account_id") else {
            continue;
        };
        // Of several the first is meant, as with most programs, until somebody signs in here.
        let rank = -1 - i64::try_from(homes.len()).unwrap_or(i64::MAX);
        if !homes.insert(home.to_ascii_lowercase()) {
            continue;
        }
        let row = account_row(&tokens, beside, account, home, rank);
        // Others of this cloud are of no use to this client.
        if row.refresh_token.is_some() || !row.access_tokens.is_empty() {
            session.accounts.push(row);
        }
    }
    session
}

fn account_row(
    tokens: &Tokens<'_, '_>,
    beside: &Session,
    account: Row<'_, '_>,
    home: String,
    rank: i64,
) -> AccountRow {
    let known = beside.accounts.iter().find(|row| {
        let subject = row.subject.as_deref();
        row.grant == GRANT && subject.is_some_and(|subject| subject.eq_ignore_ascii_case(&home))
    });
    let mut refresh_tokens = refresh_tokens(tokens, &home);
    refresh_tokens.retain(|token| !beside.imported.contains(&digest(token.expose().as_bytes())));
    let mut refresh_tokens = refresh_tokens.into_iter();
    let refresh_token = refresh_tokens.next();
    let sent = refresh_token
        .as_ref()
        .map(|token| digest(token.expose().as_bytes()));
    let told = Account::told(account.text("username"), Some(home.clone()));
    AccountRow {
        name: told.name,
        subject: told.subject,
        assertion: None,
        grant: GRANT.to_owned(),
        scopes: Vec::new(),
        signed_in_at: known.map_or(Timestamp(rank), |known| known.signed_in_at),
        refresh_expires_at: None,
        proof_key: None,
        last_refreshed_at: known.and_then(|known| known.last_refreshed_at),
        access_tokens: access_tokens(tokens, &home, known),
        // A refresh token that came since may be better.
        failed_refresh: known
            .and_then(|known| known.failed_refresh.clone())
            .filter(|failed| failed.refresh_token == sent),
        msal: Some(Box::new(MsalAccount {
            home: Home {
                id: home,
                local_id: account.text("local_account_id").unwrap_or_default(),
                tenant: account.text("realm"),
            },
            family: tokens.family.clone().filter(|family| !family.is_empty()),
            lying: refresh_token.clone(),
            others: refresh_tokens.collect(),
        })),
        refresh_token,
    }
}

fn access_tokens(
    tokens: &Tokens<'_, '_>,
    home: &str,
    known: Option<&AccountRow>,
) -> Vec<AccessTokenRow> {
    let sharing = tokens.sharing;
    let mut own: Vec<AccessTokenRow> = Vec::new();
    if sharing.reads {
        let of_somebody = tokens.access_tokens.of(home);
        let of_client = of_somebody.filter(|row| own_access_token(sharing, *row, home));
        own.extend(of_client.filter_map(|row| access_token(sharing, row)));
    }
    let beside = known.map_or(&[][..], |known| &known.access_tokens);
    own.extend(beside.iter().filter(|row| !row.key.is_id_token).cloned());
    let id_token = tokens
        .id_tokens
        .of(home)
        .find(|row| own_id_token(sharing, *row, home))
        .and_then(Row::secret);
    own.extend(id_token.map(|secret| {
        // When it ends is kept beside, if it came through us.
        let known = beside.iter().find(|row| row.secret == secret);
        known.cloned().unwrap_or_else(|| AccessTokenRow {
            key: RowKey::id_token(),
            secret,
            token_type: "Bearer".to_owned(),
            issued_at: Timestamp(0),
            // When it ends, the row does not say.
            expires_at: Some(Timestamp(0)),
            refresh_at: None,
            scopes: Vec::new(),
            is_shared: true,
        })
    }));
    own
}

fn own_access_token(sharing: &Sharing, row: Row<'_, '_>, home: &str) -> bool {
    sharing.is_of(row, home)
        && sharing.is_own(row)
        && sharing.fits_tenant(row, home)
        && !row.is_special()
}

fn own_id_token(sharing: &Sharing, row: Row<'_, '_>, home: &str) -> bool {
    sharing.is_of(row, home) && sharing.is_own(row) && sharing.fits_tenant(row, home)
}

fn access_token(sharing: &Sharing, row: Row<'_, '_>) -> Option<AccessTokenRow> {
    /// How long has a token lived that does not say when it was made?
    const USUAL: i64 = 3600;
    let secret = row.secret()?;
    let is_sendable = secret
        .expose()
        .bytes()
        .all(|byte| (0x21..0x7f).contains(&byte));
    let expires_at = row.time("expires_on").filter(|_| is_sendable)?;
    let scopes = scopes(row);
    let asked: Vec<String> = scopes
        .iter()
        .filter(|scope| !is_reserved(scope))
        .cloned()
        .collect();
    Some(AccessTokenRow {
        key: sharing.key(&asked),
        secret,
        token_type: "Bearer".to_owned(),
        issued_at: row
            .time("cached_at")
            .unwrap_or_else(|| expires_at.plus(-USUAL)),
        expires_at: Some(expires_at),
        refresh_at: row.time("refresh_on"),
        scopes,
        is_shared: true,
    })
}

pub(super) fn scopes(row: Row<'_, '_>) -> Vec<String> {
    let target = row.text("target").unwrap_or_default();
    target.split_whitespace().map(String::from).collect()
}

/// What is kept beside the cache: what has no room in it.
pub(super) fn beside(session: &Session, sharing: &Sharing) -> Session {
    /// How many refused refresh tokens can lie in a cache still?
    const MOST_REFUSED: usize = 100;
    let mut beside = session.clone();
    for row in &mut beside.accounts {
        let Some(msal) = row.msal.take() else {
            continue;
        };
        // What was refused is not sent again; its row is not ours to remove.
        if let Some(lying) = msal.lying.filter(|_| row.refresh_token.is_none()) {
            let digest = digest(lying.expose().as_bytes());
            if !beside.imported.contains(&digest) {
                beside.imported.push(digest);
            }
        }
        row.grant = GRANT.to_owned();
        row.subject = Some(msal.home.id);
        row.name = None;
        row.scopes = Vec::new();
        row.refresh_token = None;
        row.refresh_expires_at = None;
        row.access_tokens
            .retain(|row| !row.is_shared && !sharing.is_plain(row));
    }
    let excess = beside.imported.len().saturating_sub(MOST_REFUSED);
    beside.imported.drain(..excess);
    // Whoever came first in the cache is not told from others by it.
    beside.accounts.retain(|row| {
        let has_something = row.failed_refresh.is_some() || !row.access_tokens.is_empty();
        row.grant != GRANT || has_something || row.signed_in_at >= Timestamp(0)
    });
    beside
}

/// Writes what `session` has and `before` had not into the rows of the document, which was composed into
/// `before` when the lock was taken. What somebody without the lock has written since is not touched.
pub(super) fn apply(
    document: &mut Document<'_>,
    sharing: &Sharing,
    before: &Session,
    session: &Session,
    now: Timestamp,
) {
    let shape = Shape::of(document, sharing);
    let (known_homes, homes) = (by_home(before), by_home(session));
    for row in &session.accounts {
        let Some(msal) = &row.msal else { continue };
        let known = known_homes.get(&msal.home.id.to_ascii_lowercase()).copied();
        // Most of thousands are as they were.
        if known != Some(row) {
            write_account(document, sharing, shape, (row, msal), known, now);
        }
    }
    // What was replaced is not there any more.
    let mut gone = HashSet::new();
    for (home, row) in known_homes {
        match homes.get(&home) {
            None => {
                gone.insert(home);
            }
            Some(after) => remove_tokens(document, sharing, row, after, now),
        }
    }
    remove_accounts(document, sharing, &gone);
}

/// The accounts that are in a cache, by who they are there.
fn by_home(session: &Session) -> HashMap<String, &AccountRow> {
    let rows = session.accounts.iter().rev();
    let homes = rows.filter_map(|row| {
        let msal = row.msal.as_ref()?;
        Some((msal.home.id.to_ascii_lowercase(), row))
    });
    homes.collect()
}

/// The keys of the rows for which `is_it` holds.
fn keys(
    document: &Document<'_>,
    section: &str,
    is_it: impl Fn(Row<'_, '_>) -> bool,
) -> Vec<String> {
    let found = rows(document, section).filter(|row| is_it(*row));
    found.map(|row| row.key.to_owned()).collect()
}

fn remove_rows(document: &mut Document<'_>, section: &str, is_it: impl Fn(Row<'_, '_>) -> bool) {
    let gone = keys(document, section, is_it);
    document.root.remove(section, &gone.into_iter().collect());
}

/// Removes what MSAL removes when somebody signs out, but for an account that other clients have tokens
/// of. There may be thousands: the rows are gone through once for all of them.
fn remove_accounts(document: &mut Document<'_>, sharing: &Sharing, homes: &HashSet<String>) {
    if homes.is_empty() {
        return;
    }
    let home_of = |row: Row<'_, '_>| Some(row.text("home_account_id")?.to_ascii_lowercase());
    let is_of = |row: Row<'_, '_>| {
        sharing.is_here(row) && home_of(row).is_some_and(|home| homes.contains(&home))
    };
    let family = family(document, sharing).filter(|family| !family.is_empty());
    let is_own = |row: Row<'_, '_>| sharing.is_own(row) && is_of(row);
    remove_rows(document, section::ACCESS_TOKEN, is_own);
    remove_rows(document, section::ID_TOKEN, is_own);
    remove_rows(document, section::REFRESH_TOKEN, |row| {
        let is_of_family = family
            .as_deref()
            .is_some_and(|family| row.is("family_id", family));
        is_own(row) || is_of_family && is_of(row)
    });
    let left = rows(document, section::REFRESH_TOKEN).filter(|row| sharing.is_here(*row));
    let left: HashSet<String> = left.filter_map(home_of).collect();
    remove_rows(document, section::ACCOUNT, |row| {
        is_of(row) && home_of(row).is_none_or(|home| !left.contains(&home))
    });
}

/// Removes tokens that were forgotten. Those that ended by themselves are left to whoever wrote them.
fn remove_tokens(
    document: &mut Document<'_>,
    sharing: &Sharing,
    before: &AccountRow,
    after: &AccountRow,
    now: Timestamp,
) {
    let kept = &after.access_tokens;
    for gone in before.access_tokens.iter().filter(|row| {
        let is_over = row.expires_at.is_some_and(|end| end <= now);
        row.is_shared
            && !row.key.is_id_token
            && !is_over
            && !kept.iter().any(|kept| kept.secret == row.secret)
    }) {
        remove_rows(document, section::ACCESS_TOKEN, |row| {
            sharing.is_here(row) && row.secret().as_ref() == Some(&gone.secret)
        });
    }
}

fn write_account(
    document: &mut Document<'_>,
    sharing: &Sharing,
    shape: Shape,
    (row, msal): (&AccountRow, &MsalAccount),
    known: Option<&AccountRow>,
    now: Timestamp,
) {
    let home = msal.home.id.as_str();
    let is_of = |row: Row<'_, '_>| sharing.is_of(row, home);
    let host = rows(document, section::ACCOUNT)
        .find(|row| is_of(*row))
        .and_then(|row| row.text("environment"));
    let host = host.unwrap_or_else(|| shape.host(sharing));
    let realm = shape.realm(sharing, &msal.home);
    let place = Place {
        home,
        host: &host,
        client_id: &sharing.client_id,
        realm: &realm,
    };
    // The refresh token first: it is what must not be lost.
    let lying = known.and_then(|known| known.refresh_token.as_ref());
    let mut has_received = false;
    if let Some(token) = &row.refresh_token
        && Some(token) != lying
    {
        has_received = true;
        write_refresh_token(document, sharing, shape, &place, (row, msal), token, now);
    }
    for token in &row.access_tokens {
        let is_known = token.is_shared
            || known.is_some_and(|known| {
                let mut tokens = known.access_tokens.iter();
                tokens.any(|known| known.secret == token.secret)
            });
        if is_known {
            continue;
        }
        has_received |= !token.key.is_id_token && token.key.exchange.is_none();
        if token.key.is_id_token {
            write_id_token(document, sharing, shape, &place, token);
        } else if sharing.is_plain(token) {
            write_access_token(document, sharing, shape, &place, token);
        }
    }
    write_person(document, sharing, shape, &place, (row, msal));
    if has_received {
        rename(document, sharing, home, row.name.as_deref());
        write_family(document, sharing, shape, &place, msal.family.as_deref());
    }
}

fn write_id_token(
    document: &mut Document<'_>,
    sharing: &Sharing,
    shape: Shape,
    place: &Place<'_>,
    token: &AccessTokenRow,
) {
    let fields = [
        ("credential_type", Some("IdToken")),
        ("secret", Some(token.secret.expose())),
        ("home_account_id", Some(place.home)),
        ("environment", Some(place.host)),
        ("realm", Some(place.realm)),
        ("client_id", Some(place.client_id)),
    ];
    put(
        document,
        section::ID_TOKEN,
        &shape.id_token(place),
        |row| own_id_token(sharing, row, place.home),
        &fields,
    );
}

/// Who it is, unless somebody has written that down already.
fn write_person(
    document: &mut Document<'_>,
    sharing: &Sharing,
    shape: Shape,
    place: &Place<'_>,
    (row, msal): (&AccountRow, &MsalAccount),
) {
    let is_of = |row: Row<'_, '_>| sharing.is_of(row, place.home);
    if !keys(document, section::ACCOUNT, is_of).is_empty() {
        return;
    }
    let fields = [
        ("home_account_id", Some(place.home)),
        ("environment", Some(place.host)),
        ("realm", Some(place.realm)),
        ("local_account_id", Some(&msal.home.local_id)),
        ("username", Some(row.name.as_deref().unwrap_or_default())),
        ("authority_type", Some(sharing.authority_type)),
    ];
    put(
        document,
        section::ACCOUNT,
        &shape.account(place),
        |_| false,
        &fields,
    );
}

/// Whoever was renamed is found by the new name.
fn rename(document: &mut Document<'_>, sharing: &Sharing, home: &str, name: Option<&str>) {
    let is_of = |row: Row<'_, '_>| sharing.is_of(row, home);
    let keys = keys(document, section::ACCOUNT, is_of);
    let (Some(name), Some(key)) = (name, keys.first()) else {
        return;
    };
    let written = rows(document, section::ACCOUNT)
        .find(|row| row.key == key)
        .and_then(|row| row.text("username"));
    if written.as_deref() != Some(name) {
        document.set_field(section::ACCOUNT, key, "username", name);
    }
}

/// Whether the client is of a family, each answer says.
fn write_family(
    document: &mut Document<'_>,
    sharing: &Sharing,
    shape: Shape,
    place: &Place<'_>,
    told: Option<&str>,
) {
    if family(document, sharing).as_deref() == Some(told.unwrap_or_default()) {
        return;
    }
    let fields = [
        ("client_id", Some(place.client_id)),
        ("environment", Some(place.host)),
        ("family_id", told),
    ];
    put(
        document,
        section::APP_METADATA,
        &shape.app_metadata(place),
        |row| sharing.is_here(row) && sharing.is_own(row),
        &fields,
    );
}

/// Whose a row is.
pub(super) struct Place<'a> {
    pub(super) home: &'a str,
    pub(super) host: &'a str,
    pub(super) client_id: &'a str,
    pub(super) realm: &'a str,
}

/// A refresh token takes the place of the one that was sent, in every row that has it, whoever's it is.
/// One of a new sign-in takes the place of the client's own.
fn write_refresh_token(
    document: &mut Document<'_>,
    sharing: &Sharing,
    shape: Shape,
    place: &Place<'_>,
    (row, msal): (&AccountRow, &MsalAccount),
    token: &Secret,
    now: Timestamp,
) {
    let time = now.0.to_string();
    let spent = match &msal.lying {
        None => Vec::new(),
        Some(lying) => keys(document, section::REFRESH_TOKEN, |row| {
            row.secret().as_ref() == Some(lying)
        }),
    };
    for key in &spent {
        for (name, value) in [
            ("secret", token.expose()),
            ("last_modification_time", time.as_str()),
        ] {
            document.set_field(section::REFRESH_TOKEN, key, name, value);
        }
    }
    if !spent.is_empty() {
        return;
    }
    let granted = row
        .access_tokens
        .iter()
        .rev()
        .find(|row| !row.key.is_id_token);
    let target = target_of(granted.map_or(&[][..], |row| &row.scopes));
    let fields = [
        ("credential_type", Some("RefreshToken")),
        ("secret", Some(token.expose())),
        ("home_account_id", Some(place.home)),
        ("environment", Some(place.host)),
        ("client_id", Some(place.client_id)),
        ("target", shape.has_target().then_some(target.as_str())),
        ("last_modification_time", Some(&time)),
        ("family_id", msal.family.as_deref()),
    ];
    let key = shape.refresh_token(place, msal.family.as_deref(), &target);
    put(
        document,
        section::REFRESH_TOKEN,
        &key,
        |row| sharing.is_of(row, place.home) && sharing.is_own(row) && !row.is_special(),
        &fields,
    );
}

/// The scopes as a row has them: sorted, each once.
fn target_of(scopes: &[String]) -> String {
    RowKey::default().with_scopes(scopes).scopes.join(" ")
}

fn write_access_token(
    document: &mut Document<'_>,
    sharing: &Sharing,
    shape: Shape,
    place: &Place<'_>,
    token: &AccessTokenRow,
) {
    // As requested, where the authority does not say (RFC 6749 §5.1).
    let target = target_of(&token.scopes);
    let seconds = |time: Option<Timestamp>| time.map(|time| time.0.to_string());
    let cached = token.issued_at.0.to_string();
    let end = seconds(token.expires_at);
    let refresh = seconds(token.refresh_at);
    let fields = [
        ("credential_type", Some("AccessToken")),
        ("secret", Some(token.secret.expose())),
        ("home_account_id", Some(place.home)),
        ("environment", Some(place.host)),
        ("client_id", Some(place.client_id)),
        ("target", Some(&target)),
        ("realm", Some(place.realm)),
        ("token_type", Some("Bearer")),
        ("cached_at", Some(&cached)),
        ("expires_on", end.as_deref()),
        ("extended_expires_on", end.as_deref()),
        ("refresh_on", refresh.as_deref()),
    ];
    put(
        document,
        section::ACCESS_TOKEN,
        &shape.access_token(place, &target),
        |row| own_access_token(sharing, row, place.home) && target_of(&scopes(row)) == target,
        &fields,
    );
}

/// What a row is found by: it stays as it is.
const IDENTITY: [&str; 7] = [
    "credential_type",
    "home_account_id",
    "environment",
    "client_id",
    "realm",
    "target",
    "local_account_id",
];

/// Sets the fields of the rows that are the same under whatever key, else of one with this key.
fn put(
    document: &mut Document<'_>,
    section: &str,
    key: &str,
    is_same: impl Fn(Row<'_, '_>) -> bool,
    fields: &[(&str, Option<&str>)],
) {
    let same = keys(document, section, is_same);
    if same.is_empty() {
        // A row that is none of these may have that key: readers go by the fields.
        let mut key = key.to_owned();
        while !keys(document, section, |row| row.key == key).is_empty() {
            key.push('-');
        }
        document.add_row(section, &key, Object::of_texts(fields));
    }
    for key in same {
        // Whose a row is, its key says too.
        for (name, value) in fields.iter().filter(|(name, _)| !IDENTITY.contains(name)) {
            match value {
                Some(value) => document.set_field(section, &key, name, value),
                None => document.remove_field(section, &key, name),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{apply, beside, compose};
    use crate::digest::digest;
    use crate::error::{Error, ErrorKind};
    use crate::secret::Secret;
    use crate::store::msal::Sharing;
    use crate::store::msal::document::Document;
    use crate::store::session::{AccessTokenRow, AccountRow, Failed, RowKey, Session};
    use crate::token::{Account, Home, Timestamp, TokenSet};

    const NOW: Timestamp = Timestamp(1_795_217_600);

    fn sharing() -> Sharing {
        Sharing {
            client_id: "Own".to_owned(),
            hosts: vec!["host.example".to_owned(), "alias.example".to_owned()],
            realm: "organizations".to_owned(),
            is_for_any_tenant: true,
            authority_type: "MSSTS",
            reads: true,
            writes: true,
            ..Sharing::default()
        }
    }

    fn refresh_token(client: &str, secret: &str, time: u32, family: Option<&str>) -> Value {
        let mut row = json!({
            "secret": secret, "home_account_id": "U.T", "environment": "alias.example",
            "client_id": client, "last_modification_time": time.to_string(), "unknown": [1.50]
        });
        if let Some(family) = family {
            row["family_id"] = family.into();
        }
        row
    }

    fn access_token(secret: &str, target: &str) -> Value {
        json!({
            "secret": secret, "home_account_id": "u.t", "environment": "HOST.example",
            "client_id": "own", "realm": "t", "target": target, "expires_on": NOW.0 + 3000
        })
    }

    /// A cache with these rows, and one account.
    fn cache(refresh_tokens: Value, access_tokens: Value, metadata: Value) -> Value {
        json!({
            "RefreshToken": refresh_tokens, "AccessToken": access_tokens, "AppMetadata": metadata,
            "Account": { "a": {
                "home_account_id": "u.t", "environment": "host.example", "username": "ada",
                "realm": "t", "local_account_id": "u"
            } }
        })
    }

    fn composed(cache: &Value, sharing: &Sharing) -> Session {
        let text = cache.to_string();
        let document = Document::parse(&text).expect("it is a cache");
        compose(&document, sharing, &Session::default())
    }

    /// The cache after the first account of `session` has received what `brought` says.
    fn written(cache: &Value, session: &Session, before: &Session) -> Value {
        let text = cache.to_string();
        let mut document = Document::parse(&text).expect("it is a cache");
        apply(&mut document, &sharing(), before, session, NOW);
        serde_json::from_str(&document.to_text()).expect("it is JSON")
    }

    fn brought(access: &str, refresh: Option<&str>, family: Option<&str>) -> TokenSet {
        TokenSet {
            expires_at: Some(NOW.plus(3600)),
            refresh_token: refresh.map(Secret::new),
            scopes: Some(vec!["read".to_owned(), "openid".to_owned()]),
            account: Account {
                home: Some(Home {
                    id: "u.t".to_owned(),
                    local_id: "u".to_owned(),
                    tenant: Some("t".to_owned()),
                }),
                ..Account::told(Some("ada".to_owned()), Some("u.t".to_owned()))
            },
            family: family.map(String::from),
            ..TokenSet::of_access_token(Secret::new(access), "Bearer", NOW)
        }
    }

    fn key(scopes: &[&str]) -> RowKey {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        RowKey::default().with_scopes(&scopes)
    }

    #[test]
    fn refresh_tokens_are_tried_in_the_order_of_msal() {
        let rows = json!({
            "1": refresh_token("own", "own-old", 1, None),
            "2": refresh_token("OWN", "own-new", 9, None),
            "3": refresh_token("other", "family-old", 2, Some("1")),
            "4": refresh_token("other", "family-new", 8, Some("1")),
            "5": refresh_token("other", "another's", 99, None),
            "6": { "secret": "of nobody", "client_id": "own", "environment": "host.example" },
            "7": { "secret": "elsewhere", "client_id": "own", "home_account_id": "u.t", "environment": "x" }
        });
        let metadata = |family: Value| json!({ "m": { "client_id": "own", "environment": "host.example", "family_id": family } });
        let both = ["family-new", "family-old", "own-new", "own-old"];
        for (metadata, expected) in [
            (json!({}), &both[..]),
            (metadata("1".into()), &both),
            (metadata("".into()), &both[2..]),
            (metadata(Value::Null), &both[2..]),
            (metadata("2".into()), &both[2..]),
        ] {
            let cache = cache(rows.clone(), json!({}), metadata);
            let session = composed(&cache, &sharing());
            let row = session.account(Some("ADA")).expect("she is there");
            let msal = row.msal.as_ref().expect("she is in the cache");
            let tokens = row.refresh_token.iter().chain(&msal.others);
            let tokens: Vec<_> = tokens.map(Secret::expose).collect();
            assert_eq!(tokens, expected, "{cache}");
        }
    }

    #[test]
    fn an_access_token_serves_whoever_asks_for_no_more_than_was_granted() {
        let with = |name: &str, value: &str| {
            let mut row = access_token("special", "read");
            row[name] = value.into();
            row
        };
        let rows = json!({
            "1": access_token("wide", "read write openid profile"),
            "2": with("realm", "another"),
            "3": with("token_type", "pop"),
            "4": with("key_id", "k"),
            "5": with("user_assertion_hash", "h"),
            "6": with("ext_cache_key", "e"),
            "7": with("client_id", "other"),
            "8": with("expires_on", "never"),
            "9": with("secret", ""),
            "10": "no row", "11": 1
        });
        let cache = cache(json!({}), rows, json!({}));
        let session = composed(&cache, &sharing());
        let row = session.account(None).expect("she is there");
        assert_eq!(row.access_tokens.len(), 1);
        for (asked, is_served) in [
            (key(&["read"]), true),
            (key(&["write", "read"]), true),
            (key(&["read", "openid", "offline_access"]), true),
            (key(&["Read"]), false),
            (key(&["admin"]), false),
            (RowKey::id_token(), false),
            (
                RowKey {
                    claims: Some("{}".to_owned()),
                    ..key(&["read"])
                },
                false,
            ),
        ] {
            let token = row.access_token(&asked).map(|row| row.secret.expose());
            assert_eq!(token, is_served.then_some("wide"), "{asked:?}");
        }
        let blind = Sharing {
            reads: false,
            ..sharing()
        };
        assert!(composed(&cache, &blind).accounts.is_empty());
    }

    #[test]
    fn what_a_refresh_brings_takes_the_place_of_what_was_sent_and_nothing_else_is_touched() {
        let rows = json!({
            "own": refresh_token("own", "spent", 5, None),
            "twin": refresh_token("another", "spent", 4, None),
            "other": refresh_token("other", "theirs", 9, None)
        });
        let cache = cache(
            rows,
            json!({ "x": access_token("old", "read openid") }),
            json!({}),
        );
        let before = composed(&cache, &sharing());
        let mut session = before.clone();
        let row = session.account_mut(None).expect("she is there");
        row.receive(
            key(&["read"]),
            &brought("new", Some("next"), Some("1")),
            NOW,
        );
        let after = written(&cache, &session, &before);
        let mut expected = cache.clone();
        for name in ["own", "twin"] {
            expected["RefreshToken"][name]["secret"] = "next".into();
            expected["RefreshToken"][name]["last_modification_time"] = NOW.0.to_string().into();
        }
        let access = &after["AccessToken"]["x"];
        assert_eq!(access["secret"], "new");
        assert_eq!(access["realm"], "t", "its key says so too");
        assert_eq!(access["expires_on"], (NOW.0 + 3600).to_string());
        assert_eq!(after["RefreshToken"], expected["RefreshToken"]);
        assert_eq!(after["Account"], expected["Account"]);
        let metadata = after["AppMetadata"].as_object().expect("it is there");
        assert_eq!(metadata["appmetadata-host.example-own"]["family_id"], "1");
        // What lies in the cache is kept there alone.
        let kept = beside(&session, &sharing());
        let kept = serde_json::to_string(&kept).expect("it is JSON");
        assert!(!kept.contains("next") && !kept.contains("new"), "{kept}");
    }

    #[test]
    fn what_was_refused_is_not_sent_again_and_lies_where_it_was() {
        let rows = json!({
            "1": refresh_token("own", "dead", 9, None),
            "2": refresh_token("own", "alive", 1, None)
        });
        let cache = cache(rows, json!({}), json!({}));
        let before = composed(&cache, &sharing());
        let mut session = before.clone();
        session
            .account_mut(None)
            .expect("she is there")
            .refresh_token = None;
        assert_eq!(written(&cache, &session, &before), cache);
        let kept = beside(&session, &sharing());
        let text = cache.to_string();
        let document = Document::parse(&text).expect("it is a cache");
        let again = compose(&document, &sharing(), &kept);
        let row = again.account(None).expect("she is there");
        assert_eq!(row.refresh_token, Some(Secret::new("alive")));
    }

    #[test]
    fn whoever_is_signed_out_is_gone_but_for_what_other_clients_have() {
        let own = || refresh_token("own", "own", 1, None);
        let family = || refresh_token("other", "family", 1, Some("1"));
        let other = || refresh_token("other", "other", 1, None);
        let metadata =
            json!({ "m": { "client_id": "own", "environment": "host.example", "family_id": "1" } });
        for (rows, left, has_account) in [
            (json!({ "1": own() }), json!({}), false),
            (json!({ "1": own(), "2": family() }), json!({}), false),
            (
                json!({ "1": own(), "2": other() }),
                json!({ "2": other() }),
                true,
            ),
        ] {
            let access = json!({ "x": access_token("t", "read") });
            let cache = cache(rows, access, metadata.clone());
            let before = composed(&cache, &sharing());
            let after = written(&cache, &Session::default(), &before);
            assert_eq!(after["RefreshToken"], left);
            assert_eq!(after["AccessToken"], json!({}));
            assert_eq!(
                after["Account"].as_object().map(|rows| rows.len()),
                Some(usize::from(has_account))
            );
            // Somebody who was not there when the lock was taken is not signed out.
            assert_eq!(
                written(&cache, &Session::default(), &Session::default()),
                cache
            );
        }
    }

    #[test]
    fn rows_for_dotnet_name_the_public_cloud_as_it_does() {
        let sharing = |file: &str, other: &str| Sharing {
            file: file.into(),
            hosts: vec!["first.example".to_owned(), other.to_owned()],
            ..sharing()
        };
        let row =
            json!({ "secret": "r", "home_account_id": "u.t", "environment": "first.example" });
        let known = json!({ "Account": { "a": row } });
        for (sharing, cache, expected) in [
            (
                sharing("msal.cache", "login.windows.net"),
                json!({}),
                "login.windows.net",
            ),
            (
                sharing("msal.cache", "login.windows.net"),
                known,
                "first.example",
            ),
            (
                sharing("msal.cache", "other.example"),
                json!({}),
                "first.example",
            ),
            (
                sharing("cache.json", "login.windows.net"),
                json!({}),
                "first.example",
            ),
        ] {
            let text = cache.to_string();
            let mut document = Document::parse(&text).expect("it is a cache");
            let mut session = Session::default();
            let tokens = brought("a", Some("next"), None);
            session.sign_in("device_code", key(&["read"]), &tokens, NOW);
            apply(&mut document, &sharing, &Session::default(), &session, NOW);
            let after: Value = serde_json::from_str(&document.to_text()).expect("it is JSON");
            for section in ["RefreshToken", "AccessToken", "Account", "AppMetadata"] {
                let rows = after[section].as_object().expect("it has rows");
                assert_eq!(rows.len(), 1, "{after}");
                for row in rows.values() {
                    assert_eq!(row["environment"], expected, "{section}");
                }
            }
        }
    }

    #[test]
    fn rows_are_added_under_the_keys_of_whoever_the_cache_belongs_to() {
        let python = json!({ "target": "x", "secret": "r", "home_account_id": "b.t", "environment": "host.example", "client_id": "own" });
        let other = json!({ "secret": "r", "home_account_id": "b.t", "environment": "host.example", "client_id": "own" });
        for (key_before, row, expected) in [
            (
                "b.t-host.example-refreshtoken-own--x",
                &python,
                [
                    "u.t-host.example-refreshtoken-own--openid read",
                    "u.t-host.example-accesstoken-own-organizations-openid read",
                    "u.t-host.example-organizations",
                    "appmetadata-host.example-Own",
                    "u.t-host.example-idtoken-own-organizations-",
                ],
            ),
            (
                "b.t-host.example-refreshtoken-own--",
                &other,
                [
                    "u.t-host.example-refreshtoken-own--",
                    "u.t-host.example-accesstoken-own-t-openid read",
                    "u.t-host.example-t",
                    "appmetadata-host.example-own",
                    "u.t-host.example-idtoken-own-t-",
                ],
            ),
            (
                "b.t-host.example-refreshtoken-own",
                &other,
                [
                    "u.t-host.example-refreshtoken-own",
                    "u.t-host.example-accesstoken-own-t-openid read",
                    "u.t-host.example-t",
                    "appmetadata-host.example-own",
                    "u.t-host.example-idtoken-own-t",
                ],
            ),
        ] {
            let cache = json!({ "RefreshToken": { key_before: row } });
            let mut session = Session::default();
            let tokens = TokenSet {
                id_token: Some(Secret::new("id")),
                ..brought("a", Some("next"), None)
            };
            session.sign_in("device_code", key(&["read"]), &tokens, NOW);
            let after = written(&cache, &session, &Session::default());
            let sections = [
                "RefreshToken",
                "AccessToken",
                "Account",
                "AppMetadata",
                "IdToken",
            ];
            for (section, expected) in sections.iter().zip(expected) {
                assert!(
                    after[section].get(expected).is_some(),
                    "{expected}: {after}"
                );
            }
            let target = after["RefreshToken"][expected[0]].get("target");
            assert_eq!(target.is_some(), row == &python, "{after}");
        }
    }

    /// The same as the cache says it, with what is kept beside it.
    fn composed_with(cache: &Value, sharing: &Sharing, kept: &Session) -> Session {
        let text = cache.to_string();
        let document = Document::parse(&text).expect("it is a cache");
        compose(&document, sharing, kept)
    }

    /// A cache where somebody has a refresh token of this client.
    fn of_ada(access_tokens: Value) -> Value {
        let rows = json!({ "1": refresh_token("own", "own", 1, None) });
        cache(rows, access_tokens, json!({}))
    }

    #[test]
    fn a_token_is_known_as_its_row_tells_it() {
        let mut told = access_token("told", "read openid");
        told["token_type"] = "Bearer".into();
        told["credential_type"] = "AccessToken".into();
        told["cached_at"] = (NOW.0 - 5).to_string().into();
        told["refresh_on"] = (NOW.0 + 9).into();
        let mut blank = access_token("blank", "read");
        blank["token_type"] = "".into();
        // For whom it is, an object says: for nobody that we know of.
        let mut bound = access_token("bound", "read");
        bound["ext"] = json!({ "cnf": {} });
        let rows = json!({ "1": access_token("bare", "read"), "2": told, "3": blank, "4": bound });
        let cache = cache(json!({}), rows, json!({}));
        for claims in [None, Some("{}".to_owned())] {
            let sharing = Sharing {
                claims: claims.clone(),
                ..sharing()
            };
            let session = composed(&cache, &sharing);
            let row = session.account(None).expect("she is there");
            let since = |time: Timestamp| time.since(NOW);
            let tokens = row.access_tokens.iter();
            let known: Vec<_> = tokens
                .map(|row| {
                    (
                        row.secret.expose(),
                        since(row.issued_at),
                        row.refresh_at.map(since),
                    )
                })
                .collect();
            let expected = [
                ("bare", -600, None),
                ("told", -5, Some(9)),
                ("blank", -600, None),
            ];
            assert_eq!(known, expected);
            let asked = RowKey {
                claims,
                ..key(&["read"])
            };
            assert!(row.access_tokens.iter().all(|row| row.key == asked));
        }
    }

    #[test]
    fn the_first_in_a_cache_is_meant_until_somebody_signs_in_here() {
        let mut cache = of_ada(json!({}));
        let mut bobs = refresh_token("own", "bobs", 2, None);
        let mut bob = cache["Account"]["a"].clone();
        for row in [&mut bobs, &mut bob] {
            row["home_account_id"] = "b.t".into();
        }
        cache["RefreshToken"]["2"] = bobs;
        cache["Account"]["b"] = bob;
        let meant = |session: &Session| {
            let row = session.account(None).expect("somebody is there");
            row.subject.clone().expect("it is told")
        };
        let mut session = composed(&cache, &sharing());
        assert_eq!(
            (meant(&session).as_str(), session.accounts.len()),
            ("u.t", 2)
        );
        assert_eq!(beside(&session, &sharing()), Session::default());
        let mut tokens = brought("new", Some("next"), None);
        tokens.account.subject = Some("b.t".to_owned());
        tokens.account.home.as_mut().expect("it is told").id = "b.t".to_owned();
        session.sign_in("device_code", key(&["read"]), &tokens, NOW);
        let mut kept = beside(&session, &sharing());
        assert_eq!(kept.accounts.len(), 1);
        // Who has the same name, and is not in the cache, is somebody else.
        let mut plugins = kept.accounts[0].clone();
        plugins.grant = "plugin".to_owned();
        plugins.subject = Some("u.t".to_owned());
        plugins.signed_in_at = NOW.plus(-5);
        kept.accounts.push(plugins);
        let again = composed_with(&cache, &sharing(), &kept);
        assert_eq!((meant(&again).as_str(), again.accounts.len()), ("b.t", 3));
        assert!(again.accounts.iter().any(|row| row.grant == "plugin"));
        let ada = again
            .accounts
            .iter()
            .find(|row| row.name.as_deref() == Some("ada"));
        assert_eq!(ada.map(|row| row.signed_in_at), Some(Timestamp(-1)));
    }

    #[test]
    fn of_somebody_in_a_cache_only_what_it_has_no_room_for_is_kept_beside_it() {
        let cache = of_ada(json!({}));
        let failed = |sent: &str| Failed {
            key: key(&["read"]),
            at: NOW,
            until: NOW.plus(10),
            error: Error::new(ErrorKind::Unavailable, "no answer"),
            refresh_token: Some(digest(sent.as_bytes())),
        };
        type Change<'a> = &'a dyn Fn(&mut AccountRow);
        let rows: [(&str, Change<'_>, bool); 5] = [
            ("nothing", &|_| {}, false),
            (
                "a failure",
                &|row| row.failed_refresh = Some(failed("own")),
                true,
            ),
            ("a sign-in", &|row| row.signed_in_at = Timestamp(0), true),
            (
                "a bound token",
                &|row| {
                    row.receive(key(&["read"]), &brought("bound", None, None), NOW);
                    row.access_tokens[0].token_type = "DPoP".to_owned();
                },
                true,
            ),
            (
                "of another grant",
                &|row| (row.grant, row.msal) = ("plugin".to_owned(), None),
                true,
            ),
        ];
        for (what, edit, is_kept) in rows {
            let mut session = composed(&cache, &sharing());
            edit(session.account_mut(None).expect("she is there"));
            let kept = beside(&session, &sharing());
            assert_eq!(kept.accounts.len(), usize::from(is_kept), "{what}");
        }
        // A refresh is remembered as long as its token lies there.
        for (sent, is_remembered) in [("own", true), ("before", false)] {
            let mut session = composed(&cache, &sharing());
            let row = session.account_mut(None).expect("she is there");
            row.failed_refresh = Some(failed(sent));
            let again = composed_with(&cache, &sharing(), &beside(&session, &sharing()));
            let row = again.account(None).expect("she is there");
            assert_eq!(row.failed_refresh.is_some(), is_remembered, "{sent}");
        }
        // What a token was traded for says nothing of the client's family.
        let before = composed(&cache, &sharing());
        let mut session = before.clone();
        let row = session.account_mut(None).expect("she is there");
        let traded = RowKey {
            exchange: Some("aws".to_owned()),
            ..key(&["read"])
        };
        let tokens = TokenSet {
            account: Account::default(),
            ..brought("traded", None, None)
        };
        row.receive(traded, &tokens, NOW);
        assert_eq!(written(&cache, &session, &before), cache);
        // What was refused is noted once.
        let mut session = composed(&cache, &sharing());
        for _ in 0..2 {
            let row = session.account_mut(None).expect("she is there");
            row.refresh_token = None;
            session.imported = beside(&session, &sharing()).imported;
            assert_eq!(session.imported.len(), 1);
        }
    }

    #[test]
    fn a_token_lies_in_the_cache_or_beside_it() {
        type Change<'a> = &'a dyn Fn(&mut Sharing, &mut AccessTokenRow);
        let rows: [(&str, Change<'_>, bool); 5] = [
            ("plain", &|_, _| {}, true),
            ("no end", &|_, row| row.expires_at = None, false),
            ("bound", &|_, row| row.token_type = "DPoP".to_owned(), false),
            (
                "for claims",
                &|_, row| row.key.claims = Some("{}".to_owned()),
                false,
            ),
            ("for us alone", &|sharing, _| sharing.writes = false, false),
        ];
        for (what, edit, is_written) in rows {
            let cache = of_ada(json!({ "x": access_token("other", "write") }));
            let before = composed(&cache, &sharing());
            let mut session = before.clone();
            let row = session.account_mut(None).expect("she is there");
            row.receive(key(&["read"]), &brought("new", None, None), NOW);
            let mut sharing = sharing();
            let token = row.access_tokens.iter_mut().find(|row| !row.is_shared);
            edit(&mut sharing, token.expect("it came"));
            let text = cache.to_string();
            let mut document = Document::parse(&text).expect("it is a cache");
            apply(&mut document, &sharing, &before, &session, NOW);
            assert_eq!(document.to_text().contains("\"new\""), is_written, "{what}");
            assert!(document.to_text().contains("\"other\""), "{what}");
            let kept = serde_json::to_string(&beside(&session, &sharing)).expect("it is JSON");
            assert_eq!(kept.contains("\"new\""), !is_written, "{what}");
        }
    }

    #[test]
    fn the_id_token_is_the_client_s_own_and_its_end_is_kept_beside_the_cache() {
        let row = |secret: &str, client: &str, realm: &str| {
            json!({
                "secret": secret, "home_account_id": "u.t", "environment": "host.example",
                "client_id": client, "realm": realm
            })
        };
        let mut cache = of_ada(json!({}));
        cache["IdToken"] =
            json!({ "1": row("theirs", "other", "t"), "2": row("elsewhere", "own", "x") });
        let session = composed(&cache, &sharing());
        assert_eq!(session.account(None).and_then(|row| row.id_token()), None);
        cache["IdToken"]["3"] = row("old", "own", "t");
        let before = composed(&cache, &sharing());
        let mut session = before.clone();
        let ada = session.account_mut(None).expect("she is there");
        assert_eq!(ada.id_token().map(|row| row.secret.expose()), Some("old"));
        let tokens = TokenSet {
            id_token: Some(Secret::new("new")),
            id_token_expires_at: Some(NOW.plus(100)),
            ..brought("access", None, None)
        };
        ada.receive(key(&["read"]), &tokens, NOW);
        let after = written(&cache, &session, &before);
        cache["IdToken"]["3"]["secret"] = "new".into();
        assert_eq!(after["IdToken"], cache["IdToken"]);
        let kept = beside(&session, &sharing());
        let again = composed_with(&after, &sharing(), &kept);
        let ada = again.account(None).expect("she is there");
        let id_tokens = ada.access_tokens.iter().filter(|row| row.key.is_id_token);
        let ends: Vec<_> = id_tokens
            .map(|row| (row.secret.expose(), row.expires_at))
            .collect();
        assert_eq!(ends, [("new", Some(NOW.plus(100)))]);
    }

    #[test]
    fn a_token_that_is_forgotten_is_removed_and_what_has_ended_is_left_to_whoever_wrote_it() {
        let mut over = access_token("over", "read");
        over["expires_on"] = (NOW.0 - 5).into();
        let rows = json!({
            "1": access_token("rejected", "read"), "2": access_token("good", "write"), "3": over
        });
        let cache = of_ada(rows);
        let before = composed(&cache, &sharing());
        for (rejected, left) in [(Some("rejected"), &["2", "3"][..]), (None, &["3"])] {
            let mut session = before.clone();
            assert!(session.forget_access_tokens(rejected.map(Secret::new).as_ref()));
            let after = written(&cache, &session, &before);
            let rows = after["AccessToken"].as_object().expect("it is there");
            assert_eq!(rows.keys().collect::<Vec<_>>(), left);
            assert_eq!(after["RefreshToken"], cache["RefreshToken"]);
        }
    }

    #[test]
    fn what_other_clients_have_stays_when_somebody_is_renamed_or_joins_a_family() {
        let mut special = refresh_token("own", "special", 1, None);
        special["key_id"] = "k".into();
        let metadata = json!({
            "m": { "client_id": "other", "environment": "host.example", "family_id": "2" }
        });
        let tokens = json!({ "x": access_token("other", "write") });
        let mut cache = cache(json!({ "1": special }), tokens, metadata);
        cache["Account"]["b"] = json!({
            "home_account_id": "b.t", "environment": "host.example", "username": "lovelace"
        });
        let before = composed(&cache, &sharing());
        let ada = before.account(None).expect("she is there");
        let msal = ada.msal.as_ref().expect("she is in the cache");
        assert_eq!(msal.family, None, "it is the other's");
        // A note of ours changes nothing.
        let mut kept = beside(&before, &sharing());
        let mut bound = ada.clone();
        bound.receive(key(&["read"]), &brought("bound", None, None), NOW);
        bound.access_tokens.retain(|row| !row.is_shared);
        bound.access_tokens[0].token_type = "DPoP".to_owned();
        bound.msal = None;
        kept.accounts.push(bound);
        let before = composed_with(&cache, &sharing(), &kept);
        let mut session = before.clone();
        let ada = session.account_mut(None).expect("she is there");
        (ada.name, ada.last_refreshed_at) = (Some("lovelace".to_owned()), Some(NOW));
        assert_eq!(written(&cache, &session, &before), cache);
        // An answer without a refresh token does.
        let ada = session.account_mut(None).expect("she is there");
        let mut tokens = brought("new", None, Some("1"));
        tokens.account.name = Some("lovelace".to_owned());
        ada.receive(key(&["read"]), &tokens, NOW);
        let after = written(&cache, &session, &before);
        assert_eq!(after["Account"]["a"]["username"], "lovelace");
        assert_eq!(after["Account"]["b"], cache["Account"]["b"]);
        assert_eq!(after["AppMetadata"]["m"], cache["AppMetadata"]["m"]);
        assert_eq!(
            after["AppMetadata"].as_object().map(|rows| rows.len()),
            Some(2)
        );
        assert_eq!(after["AccessToken"]["x"], cache["AccessToken"]["x"]);
        let again = composed(&after, &sharing());
        let family = |row: &AccountRow| row.msal.as_ref().and_then(|msal| msal.family.clone());
        assert_eq!(again.account(None).and_then(family).as_deref(), Some("1"));
        let mut left = again.clone();
        let row = left.account_mut(None).expect("she is there");
        row.receive(key(&["read"]), &brought("newer", None, None), NOW);
        let left = composed(&written(&after, &left, &again), &sharing());
        assert_eq!(left.account(None).and_then(family), None);
        // A sign-in has a row of its own beside one that is bound to a key.
        let ada = session.account_mut(None).expect("she is there");
        ada.receive(key(&["read"]), &brought("new", Some("next"), None), NOW);
        let after = written(&cache, &session, &before);
        assert_eq!(after["RefreshToken"]["1"], cache["RefreshToken"]["1"]);
        assert_eq!(
            after["RefreshToken"].as_object().map(|rows| rows.len()),
            Some(2)
        );
    }
}
