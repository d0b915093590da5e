//! Forgetting: a rejected access token, or a whole sign-in.

use std::time::Duration;

use super::{Call, prepare_client};
use crate::context::Context;
use crate::error::Error;
use crate::oauth::client::EndpointName;
use crate::oauth::metadata::{self, Server};
use crate::oauth::request::{self, Form};
use crate::oauth::response;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::store::session::{AccountRow, Session, SignIn};
use crate::store::{Loaded, SessionGuard};
use crate::token::TokenSet;

/// Forgets an access token that a tool saw rejected, or all of them; the refresh token stays, and
/// the next `get` refreshes. Whether there was one.
///
/// # Errors
/// `store`, `busy` or `interrupted`.
pub fn erase(call: &Call<'_>, rejected: Option<&Secret>) -> Result<bool, Error> {
    // Most of what tools erase was never ours; that costs no lock.
    let Loaded::Session(mut session, _) = call.store.load(&call.context)? else {
        return Ok(false);
    };
    if !session.forget_access_tokens(rejected) {
        return Ok(false);
    }
    let _attention = call.attention();
    let guard = call.store.lock(&call.context)?;
    let mut session = call.store.load_locked(&guard, &call.context)?;
    let found = session.forget_access_tokens(rejected);
    if found {
        call.store.save(&mut session, None, &guard, &call.context)?;
    }
    Ok(found)
}

/// Ends a sign-in: of the account that is named, else of all. Forgotten here in any case; then revoked
/// at the authority where it can be, unless `local`. Returns who it was.
///
/// # Errors
/// `store`, `busy` or `interrupted`.
pub fn logout(call: &Call<'_>, local: bool) -> Result<Vec<Option<String>>, Error> {
    let context = &call.context;
    match call.store.load(context) {
        Ok(Loaded::Absent) if !call.store.is_damaged(context)? => return Ok(Vec::new()),
        Ok(_) => {}
        // Whose it is, and what could be revoked, nobody can tell.
        Err(error) if local && call.request.account.is_none() => {
            return forget_lost(call, error);
        }
        Err(error) => return Err(error),
    }
    if !local {
        // Without it there is no revocation, which is warned of.
        drop(prepare_client(call));
    }
    let attention = call.attention();
    let guard = call.store.lock(context)?;
    // Trouble with that keeps nobody signed in.
    let damaged = forget_damaged(call, local, &guard);
    let was_damaged = damaged.as_ref().is_ok_and(|was_damaged| *was_damaged);
    let mut session = call.store.load_locked(&guard, context)?;
    let wanted = call.account();
    let (leaving, staying): (Vec<AccountRow>, Vec<AccountRow>) = session
        .accounts
        .into_iter()
        .partition(|row| wanted.is_none_or(|wanted| row.is_named(wanted)));
    let meant = session.sign_in.asked_for.as_deref();
    if meant.is_some_and(|meant| leaving.iter().any(|row| row.is_named(meant))) {
        // Whoever is gone has refused nothing.
        session.sign_in = SignIn {
            waiting_since: session.sign_in.waiting_since,
            begun: session.sign_in.begun,
            ..SignIn::default()
        };
    }
    let is_nobody_left = was_damaged && leaving.is_empty() && staying.is_empty();
    // What was imported once must not be sent again, and its source may have it still.
    let forgotten = if staying.is_empty() && session.imported.is_empty() {
        call.store.remove(&guard, context)
    } else {
        session = Session {
            accounts: staying,
            ..session
        };
        call.store.save(&mut session, None, &guard, &call.context)
    };
    drop((guard, attention));
    // Only now: whatever ends the call while the authority is silent, who asked to be forgotten is; and
    // nobody waits for the lock, which programs of MSAL's do for a few seconds alone.
    if !local {
        revoke(call.profile, &leaving, context);
    }
    // What could not be forgotten is worth nothing any more.
    forgotten.and(damaged)?;
    if is_nobody_left {
        return Ok(vec![None]);
    }
    Ok(leaving
        .iter()
        .map(|row| row.label().map(String::from))
        .collect())
}

/// Forgets what is damaged of the session, which may hold a refresh token still, whoever's it is. Whether
/// there was some.
fn forget_damaged(call: &Call<'_>, local: bool, guard: &SessionGuard) -> Result<bool, Error> {
    let was_damaged = call.store.remove_damaged(guard, &call.context)?;
    if was_damaged {
        let name = &call.profile.name;
        let told = format!("a damaged sign-in for profile `{name}` was removed");
        match local {
            true => call.context.inform(&told),
            false => call
                .context
                .warn(&format!("{told}; it could not be revoked")),
        }
    }
    Ok(was_damaged)
}

/// Forgets what nobody can open any more. A keyring that is locked, silent or elsewhere may yet bring
/// its key, and with it what was imported once: there `unopened` is the answer.
fn forget_lost(call: &Call<'_>, unopened: Error) -> Result<Vec<Option<String>>, Error> {
    let context = &call.context;
    let _attention = call.attention();
    let guard = call.store.lock(context)?;
    match call.store.is_lost(&guard, context) {
        Ok(true) => {
            call.store.remove(&guard, context)?;
            forget_damaged(call, true, &guard)?;
            Ok(vec![None])
        }
        Ok(false) | Err(_) => Err(unopened),
    }
}

/// Revokes refresh tokens first, then access tokens
/// ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)), and warns of what lives on.
fn revoke(profile: &Profile, accounts: &[AccountRow], context: &Context<'_>) {
    let now = context.clock.now();
    let tokens: Vec<(&Secret, &str)> = accounts
        .iter()
        .flat_map(|account| {
            let refresh = account
                .refresh_token
                .iter()
                .map(|token| (token, "refresh_token"));
            let access = account
                .access_tokens
                .iter()
                // An ID token cannot be revoked, and what was exchanged is not the authority's.
                .filter(|row| !row.key.is_id_token && row.key.exchange.is_none())
                .filter(|row| row.expires_at.is_none_or(|end| end > now))
                .map(|row| (&row.secret, "access_token"));
            refresh.chain(access)
        })
        .collect();
    if tokens.is_empty() {
        return;
    }
    let Err(lives_on) = revoke_all(profile, &tokens, context) else {
        return;
    };
    let until = accounts
        .iter()
        .flat_map(|account| &account.access_tokens)
        .filter(|row| !row.key.is_id_token)
        .filter_map(|row| row.expires_at)
        .max();
    let until = until.map_or_else(String::new, |end| {
        format!("; access tokens end at {} at the latest", end.rfc3339())
    });
    context.warn(&format!(
        "the authority did not revoke everything, so it lives on there: {lives_on}{until}"
    ));
}

/// Revokes what a sign-in brought that is not kept: as far as the authority does so soon, and
/// without a word, since the sign-in has an error of its own.
pub(super) fn discard(call: &Call<'_>, token_set: &TokenSet) {
    const LIMIT: Duration = Duration::from_secs(5);
    let context = &Context {
        deadline: Some(call.context.clock.monotonic() + LIMIT),
        ..call.context
    };
    let refresh = token_set.refresh_token.iter();
    let mut tokens: Vec<_> = refresh.map(|token| (token, "refresh_token")).collect();
    tokens.push((&token_set.access_token, "access_token"));
    if let Err(lives_on) = revoke_all(call.profile, &tokens, context) {
        context.debug(|| format!("not revoked: {lives_on}"));
    }
}

/// The error says what lives on, and why.
fn revoke_all(
    profile: &Profile,
    tokens: &[(&Secret, &str)],
    context: &Context<'_>,
) -> Result<(), String> {
    if !profile.grant.is_of_authority() {
        return Err(format!("tokens of `{}` just end", profile.grant_name));
    }
    let revoke = || {
        let server = metadata::find(&profile.client, &[EndpointName::Revocation], context)?;
        let mut kinds = Vec::new();
        for (token, kind) in tokens {
            if let Err(reason) = revoke_one(profile, &server, token, kind, context)? {
                kinds.push(format!("{} ({reason})", kind.replace('_', " ")));
            }
        }
        Ok::<_, Error>(kinds)
    };
    match revoke() {
        Ok(kinds) if kinds.is_empty() => Ok(()),
        Ok(kinds) => Err(kinds.join(", ")),
        Err(error) => Err(error.to_string()),
    }
}

/// The inner error says why this token lives on.
fn revoke_one(
    profile: &Profile,
    server: &Server,
    token: &Secret,
    kind: &str,
    context: &Context<'_>,
) -> Result<Result<(), String>, Error> {
    let endpoint = server.endpoint(EndpointName::Revocation)?;
    let mut form = Form::default();
    form.add_secret("token", token.clone());
    form.add("token_type_hint", kind);
    Ok(
        match request::post(&profile.client, server, endpoint, form, context)? {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => {
                let error = response::failure(&answer).into_error("refused");
                let reason = error.causes().first().cloned();
                Err(reason.unwrap_or_else(|| format!("HTTP status {}", answer.status)))
            }
            Err(failure) => Err(failure.reason().to_owned()),
        },
    )
}
