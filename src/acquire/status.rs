//! What is kept of a profile, without touching anything.

use serde::Serialize;

use super::{claims_of, row_key};
use crate::error::Error;
use crate::profile::Profile;
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
    /// How its session lies, or would.
    pub seal: String,
    /// What it answers for.
    pub urls: Vec<String>,
    /// The user name that goes with its tokens.
    pub username: Option<String>,
    /// The tools that may use it; null for all.
    pub tools: Option<Vec<String>>,
    /// Who is signed in.
    pub accounts: Vec<AccountStatus>,
}

/// An account's part of a row. Times are RFC 3339.
#[derive(Debug, Serialize)]
pub struct AccountStatus {
    /// The sign-in name, else the subject; null also where nobody is signed in yet, and only
    /// `waiting_since` or `asked_again_after` are to be told.
    pub account: Option<String>,
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
    /// Since when another process asks for a sign-in.
    pub waiting_since: Option<String>,
    /// Until when nobody is asked, after a refusal.
    pub asked_again_after: Option<String>,
}

/// Reads what is kept of a profile.
///
/// # Errors
/// `store`.
pub fn status(profile: &Profile, store: &SessionStore, now: Timestamp) -> Result<StatusRow, Error> {
    let mut row = StatusRow {
        profile: profile.name.clone(),
        file: profile.file.display().to_string(),
        authority: profile.authority().to_owned(),
        client_id: profile.client.client_id.clone(),
        grant: profile.grant_name.to_owned(),
        seal: store.new_seal().to_owned(),
        urls: profile
            .urls
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
        username: profile.username.clone(),
        tools: profile.tools.clone(),
        accounts: Vec::new(),
    };
    let Loaded::Session(session, seal) = store.load()? else {
        return Ok(row);
    };
    row.seal = seal.to_owned();
    let text = |time: Option<Timestamp>| time.map(Timestamp::rfc3339);
    let waiting_since = session
        .sign_in
        .waiting_since
        .filter(|_| store.is_signing_in());
    let refused = session.sign_in.is_refused(now);
    let asked_again_after = session.sign_in.asked_again_after.filter(|_| refused);
    let key = row_key(profile, &profile.scopes, claims_of(profile));
    for account in &session.accounts {
        let access_token = account.access_token(&key);
        let is_alive = |end: Option<Timestamp>| end.is_none_or(|end| end > now);
        row.accounts.push(AccountStatus {
            account: account.label().map(String::from),
            access_expires_at: text(access_token.and_then(|token| token.expires_at)),
            refresh_expires_at: text(account.refresh_expires_at),
            signed_in: account.refresh_token.is_some()
                || access_token.is_some_and(|token| is_alive(token.expires_at)),
            refreshable: account.refresh_token.is_some(),
            last_refreshed_at: text(account.last_refreshed_at),
            waiting_since: text(waiting_since),
            asked_again_after: text(asked_again_after),
        });
    }
    if session.accounts.is_empty() && (waiting_since.is_some() || asked_again_after.is_some()) {
        row.accounts.push(AccountStatus {
            account: None,
            access_expires_at: None,
            refresh_expires_at: None,
            signed_in: false,
            refreshable: false,
            last_refreshed_at: None,
            waiting_since: text(waiting_since),
            asked_again_after: text(asked_again_after),
        });
    }
    Ok(row)
}
