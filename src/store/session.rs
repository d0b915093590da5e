//! What is kept of a session: accounts, each with its refresh token and its access tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::json_string;
use crate::digest::digest;
use crate::error::Error;
use crate::secret::Secret;
use crate::token::{Account, Home, Timestamp, TokenSet};

/// A session's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// What its name is the digest of, for people who look into the file.
    pub identity: Vec<(String, String)>,
    /// Who is signed in.
    pub accounts: Vec<AccountRow>,
    /// What happened when a person was asked.
    pub sign_in: SignIn,
    /// The last time that a machine could not sign in, if the next one would soon fail as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_grant: Option<Failed>,
    /// Digests of the refresh tokens that were taken from elsewhere, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<String>,
}

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// The sign-in name, where the authority told it.
    pub name: Option<String>,
    /// What does not change when somebody is renamed.
    pub subject: Option<String>,
    /// The token of whoever is acted for, as SHA-256 in base64url: what is here belongs to it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<String>,
    /// The grant that signed in.
    pub grant: String,
    /// What it asked for, but for what asks for a name and a refresh token: the refresh token is
    /// good for these.
    pub scopes: Vec<String>,
    /// When that was.
    pub signed_in_at: Timestamp,
    /// The refresh token; `None` where the authority gave none, or refused the last one.
    #[serde(
        default,
        serialize_with = "expose_optional",
        deserialize_with = "json_string::optional"
    )]
    pub refresh_token: Option<Secret>,
    /// When the refresh token ends, where the authority said so.
    pub refresh_expires_at: Option<Timestamp>,
    /// The key that all tokens of the row are bound to, for tokens that are (RFC 9449).
    #[serde(
        default,
        serialize_with = "expose_optional",
        deserialize_with = "json_string::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub proof_key: Option<Secret>,
    /// When it was last used with success.
    pub last_refreshed_at: Option<Timestamp>,
    /// Its access tokens, and the last ID token under [`RowKey::id_token`].
    pub access_tokens: Vec<AccessTokenRow>,
    /// The last refresh, if it failed so that the next one would soon fail as well, and left the
    /// refresh token as good as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_refresh: Option<Failed>,
    /// Who it is in MSAL's words, and what a cache of MSAL has of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msal: Option<Box<MsalAccount>>,
}

/// Somebody in MSAL's words, and in a cache of MSAL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MsalAccount {
    /// Who it is.
    pub home: Home,
    /// The family of clients that their newest refresh token is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The refresh token that lies in the cache: what replaces it takes its place.
    #[serde(skip)]
    pub lying: Option<Secret>,
    /// What may be tried where that is refused: a client may have left its family.
    #[serde(skip)]
    pub others: Vec<Secret>,
}

/// What became of a sign-in that was made elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// It is here, too.
    Done,
    /// The same account is signed in here.
    IsHere,
    /// Its refresh token was taken in before.
    Spent,
}

/// A request that failed, and is not tried again for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What was asked for.
    pub key: RowKey,
    /// When.
    pub at: Timestamp,
    /// From when on the authority is asked again.
    pub until: Timestamp,
    /// What was answered.
    pub error: Error,
    /// The digest of the refresh token that was sent, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// An access token, under what it was asked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenRow {
    /// What it was asked with.
    pub key: RowKey,
    /// The token.
    #[serde(serialize_with = "expose", deserialize_with = "json_string::secret")]
    pub secret: Secret,
    /// `Bearer`.
    pub token_type: String,
    /// When it was received.
    pub issued_at: Timestamp,
    /// When it ends; `None` where the authority does not say.
    pub expires_at: Option<Timestamp>,
    /// From when on the authority wants it refreshed.
    pub refresh_at: Option<Timestamp>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// Whether it lies in a cache of MSAL, which tells what was granted, and not what was asked for.
    #[serde(skip)]
    pub is_shared: bool,
}

/// What an access token was asked with. Two requests that differ in any of it never share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowKey {
    /// Sorted, each once.
    pub scopes: Vec<String>,
    /// `resource` (RFC 8707).
    pub resource: Option<String>,
    /// `audience`.
    pub audience: Option<String>,
    /// `claims`, with the capabilities of the client.
    pub claims: Option<String>,
    /// Further parameters.
    pub extra: BTreeMap<String, String>,
    /// The certificate it is bound to, if it is bound: `x5t#S256` (RFC 8705 §3.1).
    pub binding: Option<String>,
    /// Whom the platform that this machine is part of took the call for, if that decides.
    pub platform: Option<String>,
    /// The exchange that made it, and what it is for.
    pub exchange: Option<String>,
    /// It is the ID token, which is one for all that is asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_id_token: bool,
}

impl RowKey {
    /// The key of the ID token.
    pub fn id_token() -> Self {
        Self {
            is_id_token: true,
            ..Self::default()
        }
    }

    /// Sets the scopes, sorted and each once.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &[String]) -> Self {
        self.scopes = scopes.to_vec();
        self.scopes.sort();
        self.scopes.dedup();
        self
    }
}

/// What happened when a person was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignIn {
    /// Since when somebody is asked; it counts only while the sign-in lock is held.
    pub waiting_since: Option<Timestamp>,
    /// Who was asked for last; `None` where anybody would have done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_for: Option<String>,
    /// When the last one was refused, or ran out.
    pub refused_at: Option<Timestamp>,
    /// What happened then, in words.
    pub reason: Option<String>,
    /// How often in a row.
    pub refusals: u32,
    /// From when on a person is asked again.
    pub asked_again_after: Option<Timestamp>,
    /// A sign-in that another call is to finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<BegunSignIn>,
    /// The claims that the next sign-in has to satisfy: the authority, or whoever uses the tokens,
    /// named them when nobody could be asked.
    pub claims: Option<String>,
}

/// A sign-in that was begun in one call, to be finished in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunSignIn {
    /// When.
    pub at: Timestamp,
    /// Who was asked for.
    pub account: Option<String>,
    /// The scopes that were asked for in place of the profile's.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The claims that were asked for in place of the profile's.
    #[serde(default)]
    pub claims: Option<String>,
    /// What the grant wants to see again.
    #[serde(serialize_with = "expose", deserialize_with = "json_string::secret")]
    pub kept: Secret,
    /// The key that its tokens will be bound to (RFC 9449 §10).
    #[serde(
        default,
        serialize_with = "expose_optional",
        deserialize_with = "json_string::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub proof_key: Option<Secret>,
}

impl SignIn {
    /// Remembers that a person refused or did not come: they are left in peace for a minute,
    /// and twice as long each further time, up to an hour.
    pub fn refuse(&mut self, now: Timestamp, reason: &str) {
        self.waiting_since = None;
        self.refused_at = Some(now);
        self.reason = Some(reason.to_owned());
        let minutes = 1_i64 << self.refusals.min(6);
        self.asked_again_after = Some(now.plus(60 * minutes.min(60)));
        self.refusals = self.refusals.saturating_add(1);
    }

    /// Remembers for a moment that a person pressed Ctrl-C: some tools live on, and start us again at
    /// once. It is no refusal, and makes no later one longer.
    pub fn interrupt(&mut self, now: Timestamp) {
        /// How soon does a tool start us again?
        const MOMENT: i64 = 5;
        self.waiting_since = None;
        if !self.is_refused(now) {
            self.refused_at = Some(now);
            self.reason = Some("interrupted".to_owned());
            self.asked_again_after = Some(now.plus(MOMENT));
        }
    }

    /// Whether a person is to be left in peace now. A clock that was set back does not make it
    /// longer than it was meant.
    pub fn is_refused(&self, now: Timestamp) -> bool {
        let (Some(refused_at), Some(until)) = (self.refused_at, self.asked_again_after) else {
            return false;
        };
        refused_at <= now && now < until
    }
}

impl Failed {
    /// Whether it is remembered still. A clock that was set back does not make it longer than it was
    /// meant.
    pub fn is_remembered(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.until
    }
}

impl AccessTokenRow {
    /// Whether all that `key` asks for was granted. What goes beside the scopes has to be the same.
    fn covers(&self, key: &RowKey) -> bool {
        let with_own_scopes = RowKey {
            scopes: self.key.scopes.clone(),
            ..key.clone()
        };
        let is_granted = |scope: &String| self.scopes.contains(scope) || is_reserved(scope);
        let asks_for_something = key.scopes.iter().any(|scope| !is_reserved(scope));
        asks_for_something && self.key == with_own_scopes && key.scopes.iter().all(is_granted)
    }
}

/// Whether a scope asks for a sign-in, and not for what a token is good for.
pub(super) fn is_reserved(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "offline_access" | "email")
}

impl AccountRow {
    /// The sign-in name, else the subject.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.subject.as_deref())
    }

    /// Whether somebody means this account: by name or subject, without regard to case.
    pub fn is_named(&self, wanted: &str) -> bool {
        [&self.name, &self.subject]
            .into_iter()
            .flatten()
            .any(|own| own.to_lowercase() == wanted.to_lowercase())
    }

    /// Has the next refresh redeem another refresh token that a cache of MSAL has for the same person;
    /// whether there is one.
    pub fn try_another(&mut self) -> bool {
        let Some(msal) = &mut self.msal else {
            return false;
        };
        if msal.others.is_empty() {
            return false;
        }
        msal.lying = Some(msal.others.remove(0));
        self.refresh_token.clone_from(&msal.lying);
        true
    }

    /// Who it is.
    fn account(&self) -> Account {
        Account {
            name: self.name.clone(),
            subject: self.subject.clone(),
            home: self.msal.as_ref().map(|msal| msal.home.clone()),
        }
    }

    /// Whether the row is of that account: by subject, or by name where one of them has none.
    fn is_of(&self, account: &Account) -> bool {
        if let (Some(msal), Some(home)) = (&self.msal, &account.home) {
            return msal.home.id.eq_ignore_ascii_case(&home.id);
        }
        match (&account.subject, &self.subject) {
            (Some(new), Some(old)) => new == old,
            (None, None) => self.name == account.name,
            _ => self.name.is_some() && self.name == account.name,
        }
    }

    /// Whether nothing in it is of use any more, where there is no refresh token to mend that.
    fn is_over(&self, now: Timestamp) -> bool {
        /// How long is a token kept whose life nobody tells?
        const LONGEST: i64 = 3600;
        let ends = |row: &AccessTokenRow| match row.expires_at {
            Some(end) => end,
            None => row.issued_at.plus(LONGEST),
        };
        self.refresh_token.is_none() && self.access_tokens.iter().all(|row| ends(row) <= now)
    }

    fn has(&self, access_token: &Secret) -> bool {
        let mut tokens = self.access_tokens.iter();
        tokens.any(|row| row.secret == *access_token)
    }

    /// The access token that was asked with `key`, else one that is as good.
    pub fn access_token(&self, key: &RowKey) -> Option<&AccessTokenRow> {
        let mut rows = self.access_tokens.iter();
        rows.find(|row| row.key == *key).or_else(|| {
            let rows = self.access_tokens.iter();
            let good = rows.filter(|row| row.is_shared && row.covers(key));
            good.max_by_key(|row| row.expires_at)
        })
    }

    /// The last ID token. It may be over: it tells who signed in all the same.
    pub fn id_token(&self) -> Option<&AccessTokenRow> {
        self.access_tokens.iter().find(|row| row.key.is_id_token)
    }

    fn named(name: Option<String>, grant: &str, signed_in_at: Timestamp) -> Self {
        Self {
            name,
            subject: None,
            assertion: None,
            grant: grant.to_owned(),
            scopes: Vec::new(),
            signed_in_at,
            refresh_token: None,
            refresh_expires_at: None,
            proof_key: None,
            last_refreshed_at: None,
            access_tokens: Vec::new(),
            failed_refresh: None,
            msal: None,
        }
    }

    /// Takes in what a refresh or a sign-in brought: the access token in place of the one under
    /// `key`; the refresh token and the ID token only where there are new ones (RFC 6749 §6).
    pub fn receive(&mut self, key: RowKey, token_set: &TokenSet, now: Timestamp) {
        self.failed_refresh = None;
        if token_set.proof_key.is_some() && token_set.proof_key != self.proof_key {
            let before = std::mem::replace(&mut self.proof_key, token_set.proof_key.clone());
            if before.is_some() {
                // What is bound to another key is of no use with this one.
                self.refresh_token = None;
                self.access_tokens.retain(|row| row.key.is_id_token);
            }
        }
        if let Some(refresh_token) = &token_set.refresh_token {
            self.refresh_token = Some(refresh_token.clone());
            self.refresh_expires_at = token_set.refresh_expires_at;
        }
        if token_set.account.name.is_some() {
            self.name.clone_from(&token_set.account.name);
        }
        if self.subject.is_none() {
            self.subject.clone_from(&token_set.account.subject);
        }
        if let Some(home) = &token_set.account.home {
            let msal = self.msal.get_or_insert_default();
            // Whoever lies in a cache stays who they are there, whatever one answer leaves out.
            if msal.home.id.is_empty() {
                msal.home.clone_from(home);
            }
            msal.family.clone_from(&token_set.family);
        }
        let is_over = |row: &AccessTokenRow| row.expires_at.is_some_and(|end| end <= now);
        let has_new_id_token = token_set.id_token.is_some();
        self.access_tokens.retain(|row| {
            if row.key.is_id_token {
                !has_new_id_token
            } else {
                row.key != key && !is_over(row)
            }
        });
        let scopes = token_set.scopes.clone();
        self.access_tokens.push(AccessTokenRow {
            scopes: scopes.unwrap_or_else(|| key.scopes.clone()),
            key,
            secret: token_set.access_token.clone(),
            token_type: token_set.token_type.clone(),
            issued_at: token_set.issued_at,
            expires_at: token_set.expires_at,
            refresh_at: token_set.refresh_at,
            is_shared: false,
        });
        if let Some(id_token) = &token_set.id_token {
            self.access_tokens.push(AccessTokenRow {
                key: RowKey::id_token(),
                secret: id_token.clone(),
                // It is bound to no key.
                token_type: "Bearer".to_owned(),
                issued_at: token_set.issued_at,
                expires_at: token_set.id_token_expires_at,
                refresh_at: None,
                scopes: Vec::new(),
                is_shared: false,
            });
        }
    }
}

impl Session {
    /// The account that is meant: of those that are named so, or of all, the one who signed in
    /// last. An account that was made anew at the authority has the name of the dead one.
    pub fn account(&self, wanted: Option<&str>) -> Option<&AccountRow> {
        let accounts = self.accounts.iter();
        let meant = accounts.filter(|row| wanted.is_none_or(|wanted| row.is_named(wanted)));
        meant.max_by_key(|row| row.signed_in_at)
    }

    /// The same, to be changed.
    pub fn account_mut(&mut self, wanted: Option<&str>) -> Option<&mut AccountRow> {
        let accounts = self.accounts.iter_mut();
        let meant = accounts.filter(|row| wanted.is_none_or(|wanted| row.is_named(wanted)));
        meant.max_by_key(|row| row.signed_in_at)
    }

    /// The row of this access token, whatever it was asked with.
    pub fn access_token(&self, secret: &Secret) -> Option<&AccessTokenRow> {
        let mut rows = self.accounts.iter().flat_map(|row| &row.access_tokens);
        rows.find(|row| row.secret == *secret)
    }

    /// Leaves the accounts that belong to this assertion.
    pub fn retain_of(&mut self, assertion: &str) {
        self.accounts
            .retain(|row| row.assertion.as_deref() == Some(assertion));
    }

    /// Has all accounts belong to this assertion, beside those of `before` that belong to others and
    /// are not over.
    pub fn beside(&mut self, assertion: &str, before: Self, now: Timestamp) {
        for row in &mut self.accounts {
            row.assertion = Some(assertion.to_owned());
        }
        let others = before.accounts.into_iter();
        let is_others = |row: &AccountRow| row.assertion.as_deref() != Some(assertion);
        self.accounts
            .extend(others.filter(|row| is_others(row) && !row.is_over(now)));
    }

    /// Names the account that has this access token, in place of the same account's earlier row.
    pub fn identify(&mut self, access_token: &Secret, account: &Account) {
        let Some(index) = self.accounts.iter().position(|row| row.has(access_token)) else {
            return;
        };
        let mut named = self.accounts.remove(index);
        named.name.clone_from(&account.name);
        named.subject.clone_from(&account.subject);
        self.accounts.retain(|row| !row.is_of(account));
        self.accounts.push(named);
    }

    /// Takes in a sign-in: in place of the same account's earlier one, else beside the others.
    /// Somebody whom the authority did not name replaces whoever it did not name before.
    pub fn sign_in(
        &mut self,
        grant: &str,
        key: RowKey,
        token_set: &TokenSet,
        now: Timestamp,
    ) -> &mut AccountRow {
        self.sign_in = SignIn::default();
        let latest = self.accounts.iter().map(|row| row.signed_in_at).max();
        // Somebody whom the authority names by the subject alone this time is not renamed.
        let before = self
            .accounts
            .iter()
            .find(|row| row.is_of(&token_set.account));
        let name = token_set.account.name.clone();
        let name = name.or_else(|| before?.name.clone());
        // What lies in a cache of MSAL is others' too.
        let shared = before.map_or(&[][..], |before| &before.access_tokens);
        let shared = shared.iter().filter(|row| row.is_shared);
        let shared: Vec<AccessTokenRow> = shared.cloned().collect();
        self.accounts.retain(|row| !row.is_of(&token_set.account));
        // Whoever signs in last is the one who is meant, also within one second and after the clock was
        // set back.
        let signed_in_at = latest.map_or(now, |latest| now.max(latest.plus(1)));
        let mut row = AccountRow {
            scopes: key.scopes.clone(),
            access_tokens: shared,
            ..AccountRow::named(name, grant, signed_in_at)
        };
        row.receive(key, token_set, now);
        self.accounts.push(row);
        self.accounts
            .last_mut()
            .expect("a row was pushed just before")
    }

    /// Takes in what a grant brought that asked nobody: into the row of the account, beside its tokens
    /// for other scopes, else into one of its own; it is the one who is meant from now on. One whom the
    /// authority does not name has one row. `keeps` is whether the earlier refresh token stays where no
    /// new one came.
    pub fn receive(
        &mut self,
        grant: &str,
        key: RowKey,
        token_set: &TokenSet,
        keeps: bool,
        now: Timestamp,
    ) -> &mut AccountRow {
        let latest = self.accounts.iter().map(|row| row.signed_in_at).max();
        // `is_of` has one row for whoever is not named, too.
        let place = self
            .accounts
            .iter()
            .position(|row| row.is_of(&token_set.account));
        let Some(place) = place else {
            return self.sign_in(grant, key, token_set, now);
        };
        let row = &mut self.accounts[place];
        if !keeps {
            row.refresh_token = None;
            row.refresh_expires_at = None;
        }
        if latest > Some(row.signed_in_at) {
            row.signed_in_at = latest.map_or(now, |latest| latest.plus(1));
        }
        row.receive(key, token_set, now);
        row
    }

    /// Takes in a refresh token that was obtained elsewhere, and remembers its digest. Whose it is, is
    /// known once it was redeemed: until then it is that of somebody new, and of `name` if told so.
    pub fn import(
        &mut self,
        grant: &str,
        name: Option<String>,
        refresh_token: Secret,
        digest: String,
        now: Timestamp,
    ) {
        self.remember_imported(digest);
        let latest = self.accounts.iter().map(|row| row.signed_in_at).max();
        let signed_in_at = latest.map_or(now, |latest| now.max(latest.plus(1)));
        self.accounts.push(AccountRow {
            // Nobody says what it is good for, so what is wanted is named.
            refresh_token: Some(refresh_token),
            ..AccountRow::named(name, grant, signed_in_at)
        });
    }

    fn remember_imported(&mut self, digest: String) {
        /// How many of them can somebody have at hand still?
        const MOST: usize = 100;
        let excess = (self.imported.len() + 1).saturating_sub(MOST);
        self.imported.drain(..excess);
        self.imported.push(digest);
    }

    /// Takes in a sign-in that was made elsewhere, unless the same account is signed in here, or its
    /// refresh token was taken in before: it may have been replaced since. Whoever is taken in last is
    /// meant from now on.
    pub fn take_in(&mut self, grant: &str, row: AccountRow, now: Timestamp) -> TakenIn {
        let account = row.account();
        let before = self.accounts.iter().find(|before| before.is_of(&account));
        if before.is_some_and(|before| before.refresh_token.is_some()) {
            return TakenIn::IsHere;
        }
        let token = row.refresh_token.as_ref();
        let digest = token.map(|token| digest(token.expose().as_bytes()));
        if let Some(digest) = digest {
            if self.imported.contains(&digest) {
                return TakenIn::Spent;
            }
            self.remember_imported(digest);
        }
        self.accounts.retain(|before| !before.is_of(&account));
        self.sign_in = SignIn::default();
        let latest = self.accounts.iter().map(|row| row.signed_in_at).max();
        self.accounts.push(AccountRow {
            grant: grant.to_owned(),
            signed_in_at: latest.map_or(now, |latest| now.max(latest.plus(1))),
            last_refreshed_at: None,
            failed_refresh: None,
            ..row
        });
        TakenIn::Done
    }

    /// Takes in a refresh token of somebody who was not asked for, and forgets the one that it came for:
    /// a token that was replaced is never sent again. Whoever is meant by those who name nobody is so
    /// still.
    pub fn keep_strangers(&mut self, grant: &str, replaced: &Secret, token_set: &TokenSet) {
        let earliest = self.accounts.iter().map(|row| row.signed_in_at).min();
        for row in &mut self.accounts {
            if row.refresh_token.as_ref() == Some(replaced) {
                row.refresh_token = None;
                row.refresh_expires_at = None;
            }
        }
        let account = &token_set.account;
        let known = self.accounts.iter().position(|row| row.is_of(account));
        let place = known.unwrap_or_else(|| {
            let signed_in_at = earliest.map_or(Timestamp(0), |earliest| earliest.plus(-1));
            self.accounts.push(AccountRow {
                subject: account.subject.clone(),
                ..AccountRow::named(account.name.clone(), grant, signed_in_at)
            });
            self.accounts.len() - 1
        });
        let row = &mut self.accounts[place];
        row.refresh_token.clone_from(&token_set.refresh_token);
        row.refresh_expires_at = token_set.refresh_expires_at;
    }

    /// Leaves of each account the row that came last; whether there were others.
    pub fn merge_accounts(&mut self) {
        self.accounts
            .sort_by_key(|row| std::cmp::Reverse(row.signed_in_at));
        let mut known: Vec<Account> = Vec::new();
        self.accounts.retain(|row| {
            let is_known = known.iter().any(|account| row.is_of(account));
            known.push(row.account());
            !is_known
        });
    }

    /// Forgets accounts that have no token left; whether there were some.
    pub fn forget_empty_accounts(&mut self) -> bool {
        let count = self.accounts.len();
        self.accounts
            .retain(|row| row.refresh_token.is_some() || !row.access_tokens.is_empty());
        self.accounts.len() < count
    }

    /// Forgets an access token by its value, or all of them; whether there was one.
    pub fn forget_access_tokens(&mut self, rejected: Option<&Secret>) -> bool {
        let mut found = false;
        for account in &mut self.accounts {
            account.access_tokens.retain(|row| {
                let is_it = rejected.is_none_or(|rejected| row.secret == *rejected);
                found |= is_it;
                !is_it
            });
        }
        found
    }
}

fn expose<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn expose_optional<S: Serializer>(
    secret: &Option<Secret>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountRow, Failed, RowKey, Session, SignIn, TakenIn};
    use crate::error::{Error, ErrorKind, OAuthError};
    use crate::secret::Secret;
    use crate::token::{Account, Timestamp, TokenSet};

    fn token_set(access: &str, refresh: Option<&str>, subject: Option<&str>) -> TokenSet {
        TokenSet {
            expires_at: Some(Timestamp(200)),
            refresh_token: refresh.map(Secret::new),
            account: Account {
                name: subject.map(|subject| format!("{subject}@example.test")),
                subject: subject.map(String::from),
                home: None,
            },
            ..TokenSet::of_access_token(Secret::new(access), "Bearer", Timestamp(100))
        }
    }

    fn key(scope: &str) -> RowKey {
        RowKey::default().with_scopes(&[scope.to_owned()])
    }

    #[test]
    fn the_old_refresh_token_is_kept_when_no_new_one_comes() {
        let mut session = Session::default();
        let row = session.sign_in(
            "g",
            key("a"),
            &token_set("1", Some("r1"), None),
            Timestamp(100),
        );
        row.receive(key("a"), &token_set("2", None, None), Timestamp(150));
        assert_eq!(row.refresh_token, Some(Secret::new("r1")));
        row.receive(key("a"), &token_set("3", Some("r2"), None), Timestamp(150));
        assert_eq!(row.refresh_token, Some(Secret::new("r2")));
        assert_eq!(row.access_tokens.len(), 1);
    }

    #[test]
    fn what_is_bound_to_another_key_goes_when_a_new_key_comes() {
        let bound_to = |proof_key: &str, token_set: TokenSet| TokenSet {
            proof_key: Some(Secret::new(proof_key)),
            ..token_set
        };
        let mut session = Session::default();
        let first = bound_to("k1", token_set("1", Some("r1"), None));
        let row = session.sign_in("g", key("a"), &first, Timestamp(100));
        let second = bound_to("k1", token_set("2", None, None));
        row.receive(key("b"), &second, Timestamp(150));
        assert!(row.access_token(&key("a")).is_some());
        assert_eq!(row.refresh_token, Some(Secret::new("r1")));
        let third = bound_to("k2", token_set("3", None, None));
        row.receive(key("c"), &third, Timestamp(150));
        assert_eq!(row.proof_key, Some(Secret::new("k2")));
        assert_eq!(row.access_tokens.len(), 1);
        assert_eq!(row.refresh_token, None);
        // What was exchanged is bound to none.
        row.receive(key("d"), &token_set("4", None, None), Timestamp(150));
        assert_eq!(row.proof_key, Some(Secret::new("k2")));
        assert!(row.access_token(&key("c")).is_some());
    }

    #[test]
    fn tokens_asked_with_different_keys_lie_side_by_side_and_dead_ones_go() {
        let mut session = Session::default();
        let row = session.sign_in("g", key("a"), &token_set("1", None, None), Timestamp(100));
        row.receive(key("b"), &token_set("2", None, None), Timestamp(150));
        assert_eq!(
            row.access_token(&key("a")).unwrap().secret,
            Secret::new("1")
        );
        assert_eq!(
            row.access_token(&key("b")).unwrap().secret,
            Secret::new("2")
        );
        row.receive(key("c"), &token_set("3", None, None), Timestamp(200));
        assert_eq!(row.access_token(&key("a")), None);
    }

    #[test]
    fn somebody_who_signs_in_again_has_one_row_and_others_keep_theirs() {
        let mut session = Session::default();
        for (token, subject) in [("1", "ada"), ("2", "bob"), ("3", "ada")] {
            session.sign_in(
                "g",
                key("a"),
                &token_set(token, None, Some(subject)),
                Timestamp(100),
            );
        }
        assert_eq!(session.accounts.len(), 2);
        assert_eq!(
            session.account(None).unwrap().subject.as_deref(),
            Some("ada")
        );
        let bob = session.account(Some("BOB@example.test")).unwrap();
        assert_eq!(bob.subject.as_deref(), Some("bob"));
        assert_eq!(session.account(Some("eve")), None);
        assert!(session.forget_access_tokens(Some(&Secret::new("2"))));
        assert!(!session.forget_access_tokens(Some(&Secret::new("2"))));
        assert!(session.forget_access_tokens(None));
        assert!(!session.forget_access_tokens(None));
        assert_eq!(session.accounts.len(), 2);
    }

    #[test]
    fn two_subjects_of_one_name_are_two_accounts_and_one_subject_of_two_names_is_one() {
        let mut session = Session::default();
        for (name, subject, rows) in [
            ("ada", Some("1"), 1),
            ("ada", Some("2"), 2),
            ("eve", Some("2"), 2),
            ("ada", None, 2),
            ("bob", None, 3),
        ] {
            let mut came = token_set("t", None, subject);
            came.account.name = Some(name.into());
            session.sign_in("g", key("a"), &came, Timestamp(100));
            assert_eq!(session.accounts.len(), rows, "{name} {subject:?}");
        }
    }

    #[test]
    fn a_new_sign_in_has_its_own_scopes_and_leaves_what_others_have_too() {
        let mut session = Session::default();
        let row = session.sign_in(
            "g",
            key("a"),
            &token_set("1", None, Some("ada")),
            Timestamp(100),
        );
        row.receive(key("b"), &token_set("2", None, Some("ada")), Timestamp(100));
        row.access_tokens[1].is_shared = true;
        let came = token_set("3", None, Some("ada"));
        let row = session.sign_in("g", key("c"), &came, Timestamp(100));
        assert_eq!(row.scopes, ["c"]);
        let tokens: Vec<_> = row.access_tokens.iter().map(|row| &row.secret).collect();
        assert_eq!(tokens, [&Secret::new("2"), &Secret::new("3")]);
    }

    #[test]
    fn whoever_is_taken_in_is_meant_and_has_nothing_of_how_it_went_elsewhere() {
        let mut session = Session::default();
        session.sign_in(
            "g",
            key("a"),
            &token_set("1", None, Some("ada")),
            Timestamp(200),
        );
        let failed = Failed {
            key: key("a"),
            at: Timestamp(100),
            until: Timestamp(160),
            error: Error::new(ErrorKind::Denied, "no"),
            refresh_token: None,
        };
        let row = |refresh: &str| AccountRow {
            refresh_token: Some(Secret::new(refresh)),
            last_refreshed_at: Some(Timestamp(50)),
            failed_refresh: Some(failed.clone()),
            ..AccountRow::named(Some("eve".into()), "there", Timestamp(50))
        };
        let expected = AccountRow {
            refresh_token: Some(Secret::new("r")),
            ..AccountRow::named(Some("eve".into()), "g", Timestamp(201))
        };
        assert_eq!(
            session.take_in("g", row("r"), Timestamp(100)),
            TakenIn::Done
        );
        assert_eq!(session.account(None), Some(&expected));
        assert_eq!(
            session.take_in("g", row("new"), Timestamp(100)),
            TakenIn::IsHere
        );
        session.accounts.pop();
        assert_eq!(
            session.take_in("g", row("r"), Timestamp(100)),
            TakenIn::Spent
        );
    }

    #[test]
    fn a_stranger_whose_token_came_is_known_by_subject_and_is_not_meant() {
        let mut session = Session::default();
        let ada = token_set("1", Some("r1"), Some("ada"));
        session.sign_in("g", key("a"), &ada, Timestamp(100));
        let mut eve = token_set("2", Some("r2"), Some("eve"));
        eve.account.name = None;
        session.keep_strangers("g", &Secret::new("r1"), &eve);
        eve.refresh_token = Some(Secret::new("r3"));
        session.keep_strangers("g", &Secret::new("r2"), &eve);
        let rows = session.accounts.iter();
        let rows: Vec<_> = rows
            .map(|row| (row.subject.as_deref(), row.refresh_token.clone()))
            .collect();
        assert_eq!(
            rows,
            [(Some("ada"), None), (Some("eve"), Some(Secret::new("r3")))]
        );
        let meant = session.account(None).expect("somebody is meant");
        assert_eq!(meant.subject.as_deref(), Some("ada"));
    }

    #[test]
    fn whoever_a_token_turns_out_to_be_of_has_one_row_and_others_keep_theirs() {
        let mut session = Session::default();
        for (token, subject) in [("1", Some("ada")), ("2", Some("bob")), ("3", None)] {
            let token_set = token_set(token, None, subject);
            session.sign_in("g", key("a"), &token_set, Timestamp(100));
        }
        let tokens_of = |session: &Session, name: &str| {
            let account = session.account(Some(name)).expect("there is a row");
            let secrets = account.access_tokens.iter().map(|row| row.secret.clone());
            secrets.collect::<Vec<_>>()
        };
        let ada = token_set("", None, Some("ada")).account;
        session.identify(&Secret::new("4"), &ada);
        assert_eq!(session.accounts.len(), 3, "nobody has that token");
        session.identify(&Secret::new("3"), &ada);
        assert_eq!(session.accounts.len(), 2);
        assert_eq!(tokens_of(&session, "ada@example.test"), [Secret::new("3")]);
        assert_eq!(tokens_of(&session, "bob@example.test"), [Secret::new("2")]);
    }

    #[test]
    fn what_comes_without_a_person_is_of_whoever_is_meant_from_now_on() {
        let mut session = Session::default();
        for subject in ["ada", "bob"] {
            let token_set = token_set(subject, None, Some(subject));
            session.sign_in("g", key("a"), &token_set, Timestamp(100));
        }
        for (subject, signed_in_at) in [("bob", 101), ("ada", 102), ("ada", 102), ("bob", 103)] {
            let token_set = token_set("new", None, Some(subject));
            session.receive("g", key("b"), &token_set, true, Timestamp(150));
            let meant = session.account(None).expect("somebody is meant");
            assert_eq!(meant.subject.as_deref(), Some(subject));
            assert_eq!(meant.signed_in_at, Timestamp(signed_in_at), "{subject}");
        }
    }

    #[test]
    fn an_account_is_forgotten_with_its_last_token() {
        let mut session = Session::default();
        for (token, refresh, subject) in [("1", Some("r"), "ada"), ("2", None, "bob")] {
            let token_set = token_set(token, refresh, Some(subject));
            session.sign_in("g", key("a"), &token_set, Timestamp(100));
        }
        assert!(!session.forget_empty_accounts(), "each has a token");
        session.forget_access_tokens(None);
        assert!(session.forget_empty_accounts(), "that of bob");
        assert!(!session.forget_empty_accounts());
        assert_eq!(session.accounts.len(), 1);
    }

    #[test]
    fn a_refusal_is_remembered_for_a_minute_doubling_to_an_hour() {
        let mut sign_in = SignIn::default();
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            sign_in.refuse(Timestamp(1000), "no");
            assert_eq!(
                sign_in.asked_again_after,
                Some(Timestamp(1000 + 60 * minutes))
            );
        }
        assert!(sign_in.is_refused(Timestamp(1000)));
        assert!(!sign_in.is_refused(Timestamp(1000 + 3600)));
        assert!(
            !sign_in.is_refused(Timestamp(999)),
            "the clock was set back"
        );
    }

    #[test]
    fn ctrl_c_is_remembered_for_a_moment_and_neither_makes_a_refusal_longer_nor_shorter() {
        let mut sign_in = SignIn::default();
        for _ in 0..2 {
            sign_in.interrupt(Timestamp(1000));
            assert!(sign_in.is_refused(Timestamp(1004)));
            assert!(!sign_in.is_refused(Timestamp(1005)));
        }
        sign_in.refuse(Timestamp(2000), "no");
        assert_eq!(sign_in.asked_again_after, Some(Timestamp(2060)));
        sign_in.interrupt(Timestamp(2010));
        assert_eq!(sign_in.asked_again_after, Some(Timestamp(2060)));
        assert_eq!(sign_in.reason.as_deref(), Some("no"));
    }

    #[test]
    fn whoever_a_machine_s_grant_named_last_is_meant_and_nobody_has_what_is_another_s() {
        let key = RowKey::default;
        let receive = |session: &mut Session, name: Option<&str>, token: &str, keeps| {
            let account = Account::told(name.map(String::from), None);
            let refresh = (token == "first").then_some("refresh");
            let token_set = TokenSet {
                account,
                ..token_set(token, refresh, None)
            };
            let row = session.receive("plugin", key(), &token_set, keeps, Timestamp(1000));
            (row.label().map(String::from), row.refresh_token.is_some())
        };
        let meant = |session: &Session, wanted: Option<&str>| {
            let token = session
                .account(wanted)
                .and_then(|row| row.access_token(&key()));
            token.map(|token| token.secret.expose().to_owned())
        };
        for keeps in [true, false] {
            let mut session = Session::default();
            let ada = || Some("ada".to_owned());
            assert_eq!(
                receive(&mut session, Some("ada"), "first", keeps),
                (ada(), true)
            );
            receive(&mut session, Some("eve"), "second", keeps);
            assert_eq!(meant(&session, None).as_deref(), Some("second"));
            let again = receive(&mut session, Some("ada"), "third", keeps);
            assert_eq!(again, (ada(), keeps), "an earlier refresh token");
            assert_eq!(meant(&session, None).as_deref(), Some("third"));
            receive(&mut session, None, "nobody's", keeps);
            assert_eq!(meant(&session, None).as_deref(), Some("nobody's"));
            assert_eq!(meant(&session, Some("ada")).as_deref(), Some("third"));
            receive(&mut session, None, "nobody's again", keeps);
            assert_eq!(session.accounts.len(), 3);
        }
    }

    #[test]
    fn a_session_is_read_as_it_was_written() {
        let mut session = Session::default();
        session.sign_in(
            "g",
            key("a"),
            &token_set("1", Some("r"), Some("ada")),
            Timestamp(100),
        );
        let read = |session: &Session| {
            let text = serde_json::to_string(session).unwrap();
            serde_json::from_str::<Session>(&text).unwrap()
        };
        assert_eq!(read(&session), session);
        session.accounts[0].failed_refresh = Some(Failed {
            key: key("a"),
            at: Timestamp(100),
            until: Timestamp(160),
            error: Error::new(ErrorKind::Denied, "no")
                .hint("ask")
                .oauth(OAuthError {
                    error: "access_denied".into(),
                    correlation_id: Some("4711".into()),
                    ..OAuthError::default()
                }),
            refresh_token: None,
        });
        assert_eq!(read(&session), session);
        // A token that came since says that it would go well.
        let came = token_set("2", None, Some("ada"));
        session.accounts[0].receive(key("a"), &came, Timestamp(120));
        assert_eq!(session.accounts[0].failed_refresh, None);
    }

    #[test]
    fn what_was_imported_is_the_newest_account_and_one_account_in_the_end() {
        let mut session = Session::default();
        session.sign_in(
            "g",
            key("a"),
            &token_set("1", None, Some("ada")),
            Timestamp(100),
        );
        session.sign_in(
            "g",
            key("a"),
            &token_set("2", None, Some("eve")),
            Timestamp(100),
        );
        for number in 0..150 {
            let token = Secret::new("imported");
            session.import("g", None, token, number.to_string(), Timestamp(100));
        }
        assert_eq!(session.imported.len(), 100, "they are not kept for ever");
        assert_eq!(session.imported.last(), Some(&"149".to_owned()));
        let row = session.account_mut(None).expect("there is one");
        assert_eq!(row.refresh_token, Some(Secret::new("imported")));
        // Whose it is, is told when it is redeemed.
        row.receive(key("a"), &token_set("3", None, Some("ada")), Timestamp(100));
        session.merge_accounts();
        let labels: Vec<_> = session.accounts.iter().map(|row| row.label()).collect();
        assert_eq!(
            labels,
            [Some("ada@example.test"), None, Some("eve@example.test")]
        );
        assert!(session.accounts[0].refresh_token.is_some());
        session.merge_accounts();
        assert_eq!(session.accounts.len(), 3);
        session.accounts[1].refresh_token = None;
        assert!(session.forget_empty_accounts());
        assert_eq!(session.accounts.len(), 2);
    }

    #[test]
    fn what_belongs_to_one_assertion_lies_beside_that_of_others_until_it_is_over() {
        let of = |assertion: &str, before: Session, now: i64| {
            let mut session = Session::default();
            let tokens = token_set(assertion, None, None);
            session.sign_in("g", key("a"), &tokens, Timestamp(100));
            session.beside(assertion, before, Timestamp(now));
            session
        };
        let first = of("one", Session::default(), 100);
        let both = of("two", first.clone(), 199);
        let mut ones = both.clone();
        ones.retain_of("one");
        assert_eq!(ones, first, "nothing of it has changed");
        let again = of("one", both.clone(), 199);
        assert_eq!(again.accounts.len(), 2, "its own is replaced");
        let late = of("three", both, 200);
        let of_whom: Vec<_> = late
            .accounts
            .iter()
            .map(|row| row.assertion.as_deref())
            .collect();
        assert_eq!(
            of_whom,
            [Some("three")],
            "the tokens of the others end at 200"
        );
    }
}
