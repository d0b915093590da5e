//! What a tool gets in place of a token: cached as one, and made under a lock of its own.

use super::decision::{self, Freshness};
use super::{CACHE, Call, erase, kept_now, refresh, sign_in, token, warn_of_stale};
use crate::credential::{Credential, Request};
use crate::error::{Error, ErrorKind};
use crate::exchange::{Exchange, Failure as Untraded};
use crate::profile::route::Target;
use crate::store::Loaded;
use crate::store::session::{RowKey, Session};
use crate::token::{Account, TokenSet};

/// Trades a token, unless what was traded before is still good. It is kept under the same account.
pub(super) fn exchanged(call: &Call<'_>, exchange: &dyn Exchange) -> Result<Credential, Error> {
    /// For how many seconds has something been traded just now, however soon it ends?
    const JUST: i64 = 60;
    let target = call.request.url.as_deref().and_then(Target::parse);
    let origin = target.map_or_else(String::new, |target| target.origin());
    let mut made = format!("{} {origin}", exchange.name());
    for (name, value) in exchange.identity(&call.context) {
        made.push_str(&format!(" {name}={value}"));
    }
    let key = RowKey {
        exchange: Some(made),
        ..call.asked_key()
    };
    let min_valid = call.min_valid().or_else(|| exchange.min_valid());
    // What was traded before, and how good it still is.
    let cached = |session: &Session| {
        let account = session.account(call.account())?;
        let token = account.access_token(&key)?;
        // What lives no longer than it must would be traded anew by each of many at once.
        let life = token.expires_at.map(|end| end.since(token.issued_at));
        let most = life.map_or(i64::MAX, |life| life - JUST);
        let min_valid = min_valid.map(|min_valid| min_valid.min(most));
        let freshness = decision::freshness(token, min_valid, true, call.context.clock.now());
        let is_stale = freshness != Freshness::Fresh;
        Some((freshness, call.credential(account, token, CACHE, is_stale)))
    };
    let kept = match call.store.load(&call.context)? {
        Loaded::Session(session, _) if !call.request.force_refresh => Some(session),
        Loaded::Session(..) | Loaded::Absent | Loaded::Damaged(_) => None,
    };
    if let Some((Freshness::Fresh, credential)) = kept.as_deref().and_then(cached) {
        return Ok(credential);
    }
    // As with any token: what is valid stands in for what cannot be had now.
    trade(call, exchange, &key, &cached).or_else(|error| {
        let is_mild = matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::LoginRequired | ErrorKind::Busy
        );
        // The attempt may have taken longer than what was kept had left.
        let kept = kept.as_deref();
        match kept.and_then(|seen| kept_now(call, seen, &cached)) {
            Some((Freshness::Fresh | Freshness::Aging, credential))
                if is_mild && call.request.min_valid.is_none() =>
            {
                warn_of_stale(call, &error);
                Ok(credential)
            }
            _ => Err(error),
        }
    })
}

/// Trades a token under the lock for exchanges, unless another process has done so meanwhile. Whoever
/// trades it may be silent for long: the session's lock is taken only to save, and a person is asked
/// under neither.
fn trade(
    call: &Call<'_>,
    exchange: &dyn Exchange,
    key: &RowKey,
    cached: &dyn Fn(&Session) -> Option<(Freshness, Credential)>,
) -> Result<Credential, Error> {
    let (client, url) = (&call.profile.client, call.request.url.as_deref());
    let request = Request {
        token: Some(exchange.trades().unwrap_or(call.profile.token)),
        // That is said of what it is traded for.
        min_valid: None,
        ..call.request.clone()
    };
    let asking = Call {
        request: &request,
        ..*call
    };
    let brought = |session: &Session| match cached(session) {
        Some((Freshness::Fresh, credential)) if !request.force_refresh => Some(credential),
        Some(_) | None => None,
    };
    let mut credential = token(&asking)?;
    let context = &call.context.with_time_for_a_request();
    let asking = asking.within(*context);
    let mut may_replace = credential.source == CACHE;
    // The lock is held until what it was traded for is kept.
    let (traded, _guard) = loop {
        let mut settled = None;
        let guard = call.store.lock_exchange_unless(context, &mut |session| {
            settled = brought(session);
            settled.is_some()
        })?;
        let session = sign_in::read(call)?;
        if let Some(credential) = settled.or_else(|| brought(&session)) {
            return Ok(credential);
        }
        match exchange.run(client, &credential, url, context) {
            Ok(traded) => break (traded, guard),
            Err(Untraded::Token(error)) if may_replace => {
                // One that another process has replaced meanwhile has no row.
                let row = session.access_token(&credential.access_token);
                if row.is_some_and(|row| decision::is_just_made(row, context.clock.now())) {
                    return Err(error);
                }
            }
            Err(failure) => return Err(failure.into()),
        }
        // The token may have been revoked: a new one is traded once more.
        drop(guard);
        may_replace = false;
        erase(&asking, Some(&credential.access_token))?;
        credential = token(&asking)?;
    };
    // Its own refresh token would replace the session's.
    let traded = TokenSet {
        id_token: None,
        account: Account::default(),
        ..traded.without_refresh_token()
    };
    // A refresh that is under way must not cost what was traded.
    let context = &context.with_time_for_a_request();
    let _attention = call.attention();
    let guard = call.store.lock(context)?;
    let mut session = call.store.load_locked(&guard, context)?;
    // Whoever signed in meanwhile is somebody else.
    let whose = call.account().or(credential.account.as_deref());
    let account = session.account_mut(whose).ok_or_else(|| {
        Error::new(
            ErrorKind::LoginRequired,
            "the session ended while its token was exchanged",
        )
        .next(call.sign_in_command())
    })?;
    account.receive(key.clone(), &traded, context.clock.now());
    let answer = account
        .access_token(key)
        .map(|token| call.credential(account, token, exchange.name(), false));
    refresh::save(&asking, &mut session, None, &guard);
    answer.ok_or_else(|| Error::new(ErrorKind::Internal, "BUG: an exchanged token was not kept"))
}
