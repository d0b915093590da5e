//! What is kept of a profile, without touching anything.

use serde::Serialize;

use super::{claims_of, row_key};
use crate::context::Context;
use crate::error::Error;
use crate::grant::Asks;
use crate::profile::Profile;
use crate::store::audit::Record;
use crate::store::session::{AccountRow, Failed};
use crate::store::{Loaded, SessionStore};
use crate::token::Timestamp;

/// A profile's row in `status`; its JSON form is public.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// The profile's name.
    pub profile: String,
    /// The file that it stands in.
    pub file: String,
    /// Its authority.
    pub authority: String,
    /// Its client.
    pub client_id: String,
    /// Its grant.
    pub grant: String,
    /// Whether only a person can sign in anew.
    pub needs_person: bool,
    /// How its session lies, or would; null where that cannot be told.
    pub seal: Option<String>,
    /// Why it is not sealed, where that is for want of a keyring.
    pub unsealed_because: Option<String>,
    /// The cache of MSAL that its sign-in lives in; null for our own store.
    pub msal: Option<String>,
    /// What it answers for.
    pub urls: Vec<String>,
    /// The user name that goes with its tokens.
    pub username: Option<String>,
    /// The tools that may use it; null for all.
    pub tools: Option<Vec<String>>,
    /// Who is signed in.
    pub accounts: Vec<AccountStatus>,
    /// Why that cannot be told now.
    pub error: Option<String>,
}

/// An account's part of a row. Times are RFC 3339.
#[derive(Debug, Default, Serialize)]
pub struct AccountStatus {
    /// The sign-in name, else the subject. Where a sign-in is under way or was refused, and whoever was
    /// asked for is not signed in, that name, or null if anybody would have done.
    pub account: Option<String>,
    /// Whether a call that names no account uses it.
    pub used: bool,
    /// When the profile's access token ends.
    pub access_expires_at: Option<String>,
    /// When the refresh token ends, where the authority said so.
    pub refresh_expires_at: Option<String>,
    /// Whether there is a token, or can be one without a sign-in.
    pub signed_in: bool,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// When it was last refreshed.
    pub last_refreshed_at: Option<String>,
    /// When a tool was last given its token, as the audit has it.
    pub last_used_at: Option<String>,
    /// Which tool that was.
    pub last_used_by: Option<String>,
    /// The last refresh, while it is remembered that it failed.
    #[serde(flatten)]
    pub failed: FailedStatus,
    /// Since when another process asks for its sign-in.
    pub waiting_since: Option<String>,
    /// Until when nobody is asked, after its sign-in was refused.
    pub asked_again_after: Option<String>,
}

/// A refresh, or a machine's sign-in, that failed a moment ago.
#[derive(Debug, Default, Serialize)]
pub struct FailedStatus {
    /// When.
    pub refresh_failed_at: Option<String>,
    /// From when on it is tried again.
    pub refreshed_again_after: Option<String>,
    /// Why, in words.
    pub refresh_error: Option<String>,
    /// The same, with its kind and what to do.
    #[serde(skip)]
    pub error: Option<Error>,
}

impl StatusRow {
    /// Takes from the audit when each account was last used.
    pub fn note_uses(&mut self, records: &[Record]) {
        let own = records.iter().filter(|used| used.profile == self.profile);
        // The last one counts.
        for record in own {
            let mut accounts = self.accounts.iter_mut();
            let account = accounts.find(|account| account.account == record.account);
            if let Some(account) = account {
                account.last_used_at = Some(record.time.clone());
                account.last_used_by = Some(record.tool.clone());
            }
        }
    }
}

/// What is kept of a profile, and where it cannot be read, why.
pub fn status(
    profile: &Profile,
    store: &SessionStore,
    context: &Context<'_>,
) -> (StatusRow, Result<(), Error>) {
    let mut row = StatusRow {
        profile: profile.name.clone(),
        file: profile.file.display().to_string(),
        authority: profile.authority().to_owned(),
        client_id: profile.client.client_id.clone(),
        grant: profile.grant_name.to_owned(),
        needs_person: profile.grant.asks() == Asks::Person,
        seal: None,
        unsealed_because: None,
        msal: store
            .shared_cache()
            .map(|cache| cache.path().display().to_string()),
        urls: profile
            .urls
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
        username: profile.username.clone(),
        tools: profile.tools.clone(),
        accounts: Vec::new(),
        error: None,
    };
    let read = read(&mut row, profile, store, context);
    row.error = read.as_ref().err().map(Error::to_string);
    (row, read)
}

/// Reads what is kept of a profile into its row.
fn read(
    row: &mut StatusRow,
    profile: &Profile,
    store: &SessionStore,
    context: &Context<'_>,
) -> Result<(), Error> {
    let now = context.clock.now();
    let (seal, reason) = store.seal(context)?;
    row.seal = Some(seal.name.to_owned());
    row.unsealed_because = reason;
    let session = match store.load(context)? {
        Loaded::Session(session, _) => session,
        Loaded::Absent => return Ok(()),
        Loaded::Damaged(reason) => return store.refuse_damaged(&reason),
    };
    let text = |time: Option<Timestamp>| time.map(Timestamp::rfc3339);
    let sign_in = &session.sign_in;
    let waiting_since = sign_in.waiting_since.filter(|_| store.is_signing_in());
    let asked_again_after = sign_in
        .asked_again_after
        .filter(|_| sign_in.is_refused(now));
    let (grant, claims) = (profile.grant.as_ref(), claims_of(profile));
    let key = row_key(profile, grant, &profile.scopes, claims, context);
    let used = session.account(profile.account.as_deref());
    let asked_for = session.account(sign_in.asked_for.as_deref());
    let is = |account: &AccountRow, other: Option<&AccountRow>| {
        other.is_some_and(|other| std::ptr::eq(account, other))
    };
    let remembered = |failed: Option<&Failed>| {
        let failed = failed.filter(|failed| failed.is_remembered(now));
        FailedStatus {
            refresh_failed_at: text(failed.map(|failed| failed.at)),
            refreshed_again_after: text(failed.map(|failed| failed.until)),
            refresh_error: failed.map(|failed| failed.error.to_string()),
            error: failed.map(|failed| failed.error.clone()),
        }
    };
    let failed_grant = session.failed_grant.as_ref();
    for account in &session.accounts {
        let access_token = account.access_token(&key);
        let is_alive = |end: Option<Timestamp>| end.is_none_or(|end| end > now);
        let is_asked_for = is(account, asked_for);
        row.accounts.push(AccountStatus {
            account: account.label().map(String::from),
            used: is(account, used),
            access_expires_at: text(access_token.and_then(|token| token.expires_at)),
            refresh_expires_at: text(account.refresh_expires_at),
            signed_in: account.refresh_token.is_some()
                || access_token.is_some_and(|token| is_alive(token.expires_at)),
            refreshable: account.refresh_token.is_some(),
            last_refreshed_at: text(account.last_refreshed_at),
            last_used_at: None,
            last_used_by: None,
            failed: remembered(account.failed_refresh.as_ref().or(failed_grant)),
            waiting_since: text(waiting_since.filter(|_| is_asked_for)),
            asked_again_after: text(asked_again_after.filter(|_| is_asked_for)),
        });
    }
    // Whoever is asked for is not signed in; nor is a machine that could not sign in.
    let is_asked = waiting_since.is_some() || asked_again_after.is_some();
    let has_failed = failed_grant.is_some_and(|failed| failed.is_remembered(now));
    if asked_for.is_none() && is_asked || session.accounts.is_empty() && has_failed {
        row.accounts.push(AccountStatus {
            account: sign_in.asked_for.clone(),
            failed: remembered(failed_grant),
            waiting_since: text(waiting_since),
            asked_again_after: text(asked_again_after),
            ..AccountStatus::default()
        });
    }
    Ok(())
}
