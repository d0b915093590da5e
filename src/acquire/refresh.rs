//! A refresh, under the session's lock: prove that the answer can be kept, redeem, keep, answer.
//!
//! [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6): a new refresh token replaces
//! the old one at once; where none comes, the old one is kept; the scope is never widened.

use std::time::Duration;

use super::decision::Wanted;
use super::{Call, claims_of};
use crate::context::Context;
use crate::credential::Credential;
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::EndpointName;
use crate::oauth::entra;
use crate::oauth::metadata::{self, Server};
use crate::oauth::request::{self, Form};
use crate::oauth::response::{self, Failure};
use crate::secret::Secret;
use crate::store::session::{AccessTokenRow, AccountRow, Failed, RowKey, Session};
use crate::store::{Proof, SessionGuard};
use crate::text::printable;
use crate::token::TokenSet;

/// What came of a refresh.
pub(super) enum Refreshed {
    /// A token.
    Done(Box<Credential>),
    /// The refresh token was refused.
    Refused {
        /// If a sign-in is needed now, this is why.
        error: Error,
        /// The claims that the authority wants a sign-in to satisfy.
        claims: Option<String>,
    },
}

/// The source of a refreshed answer.
const REFRESH: &str = "refresh";
const DOING: &str = "the token could not be refreshed";

/// Redeems the refresh token of the wanted account. Where that fails so that the next call would fail
/// as well, it is remembered for a while: some tools start us several times for one command.
pub(super) fn refresh(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    session: &mut Session,
    guard: &SessionGuard,
) -> Result<Refreshed, Error> {
    let began = call.context.clock.monotonic();
    let account = session.account(wanted.account);
    let sent = account.and_then(|account| account.refresh_token.clone());
    let result = attempt(call, wanted, session, guard);
    if let Some((error, seconds)) = lesson(&result, has_taken_long(&call.context, began)) {
        note(call, session, guard, |session| {
            let account = session.account_mut(wanted.account);
            // Its token may be gone meanwhile.
            if let Some(row) = account.filter(|row| row.refresh_token == sent) {
                row.failed_refresh =
                    Some(failed(call, wanted.asked, sent.as_ref(), error, seconds));
            }
        });
    }
    result
}

/// How late may it be noticed that trouble is over?
pub(super) const TROUBLE: i64 = 10;

/// Whether what began then was waited for so long that trouble with it is worth remembering.
pub(super) fn has_taken_long(context: &Context<'_>, began: Duration) -> bool {
    /// How long is that?
    const LONG: Duration = Duration::from_secs(5);
    context.clock.monotonic().saturating_sub(began) > LONG
}

/// What is kept of a request that failed.
pub(super) fn failed(
    call: &Call<'_>,
    asked: &RowKey,
    sent: Option<&Secret>,
    error: Error,
    seconds: i64,
) -> Failed {
    let at = call.context.clock.now();
    Failed {
        key: asked.clone(),
        at,
        until: at.plus(seconds),
        error,
        refresh_token: sent.map(|sent| digest(sent.expose().as_bytes())),
    }
}

/// What the next calls are told instead of trying again, and for how many seconds.
fn lesson(result: &Result<Refreshed, Error>, has_taken_long: bool) -> Option<(Error, i64)> {
    /// How long does one command of a tool start us again and again?
    const REFUSAL: i64 = 60;
    match result {
        Ok(Refreshed::Done(_)) => None,
        Ok(Refreshed::Refused { error, .. }) => {
            let error = error.clone().with_kind(ErrorKind::LoginRequired);
            Some((error, REFUSAL))
        }
        Err(error) if error.oauth_error().is_some_and(response::is_policy) => {
            Some((error.clone(), REFUSAL))
        }
        Err(error) => Some((error.clone(), pause(error, has_taken_long)?)),
    }
}

/// For how many seconds trouble is remembered, if it is: where the authority asked to be left alone, and
/// where it was waited for long.
fn pause(error: &Error, has_taken_long: bool) -> Option<i64> {
    /// For how long is an authority left alone at most?
    const LONGEST: u64 = 60;
    if error.kind() != ErrorKind::Unavailable {
        return None;
    }
    let asked = error.seconds_to_retry();
    let asked = asked.map(|seconds| seconds.min(LONGEST).cast_signed());
    let pause = asked.max(has_taken_long.then_some(TROUBLE));
    pause.filter(|seconds| *seconds > 0)
}

/// Notes in the session that something failed.
pub(super) fn note(
    call: &Call<'_>,
    session: &mut Session,
    guard: &SessionGuard,
    edit: impl FnOnce(&mut Session),
) {
    let noted = call
        .store
        .load_locked(guard, &call.context)
        .and_then(|read| {
            *session = read;
            edit(session);
            call.store.save(session, None, guard, &call.context)
        });
    if let Err(error) = noted {
        let context = &call.context;
        context.debug(|| format!("a failure could not be noted: {error}"));
    }
}

fn bug() -> Error {
    Error::new(
        ErrorKind::Internal,
        "BUG: a refresh without a refresh token",
    )
}

fn attempt(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    session: &mut Session,
    guard: &SessionGuard,
) -> Result<Refreshed, Error> {
    let context = &call.context;
    let account = session.account(wanted.account).ok_or_else(bug)?;
    let refresh_token = account.refresh_token.clone().ok_or_else(bug)?;
    let server = metadata::find(&call.profile.client, &[EndpointName::Token], context)?;
    let mut proof = Some(call.store.prove_writable(guard, &call.context)?);
    // From here to the save Ctrl-C waits: a torn refresh would cost the sign-in.
    context.signals.check()?;
    let _shield = context.signals.shield();
    let redeemed = redeem(call, &server, account, wanted.asked, &refresh_token)?;
    match redeemed.and_then(|token_set| of_the_same(call, account, token_set)) {
        Ok(token_set) => {
            let credential = keep(call, wanted, session, &token_set, proof, guard)?;
            Ok(Refreshed::Done(Box::new(credential)))
        }
        Err((failure, lost)) => {
            let is_shared = account.msal.is_some();
            if let Failure::Unusable {
                refresh_token: Some(new),
                ..
            } = &failure
            {
                // The old one is spent: sent again it could end the sign-in for good.
                let account = session.account_mut(wanted.account).ok_or_else(bug)?;
                account.refresh_token = Some(new.clone());
                account.refresh_expires_at = None;
                save(call, session, proof.take(), guard);
            }
            let verdict = judge(call, failure, lost, is_shared);
            let account = session.account_mut(wanted.account);
            if verdict.may_try_another && account.is_some_and(AccountRow::try_another) {
                let error = verdict.error;
                context.debug(|| format!("another refresh token is tried: {error}"));
                // The next one is proved anew, in the same place.
                drop(proof.take());
                return attempt(call, wanted, session, guard);
            }
            if !verdict.is_refused {
                return Err(verdict.error);
            }
            let Verdict { error, claims, .. } = verdict;
            forget_refused(call, wanted, session, &refresh_token, &error, guard)?;
            Ok(Refreshed::Refused { error, claims })
        }
    }
}

/// Keeps what a refresh brought; the answer of it.
fn keep(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    session: &mut Session,
    token_set: &TokenSet,
    proof: Option<Proof>,
    guard: &SessionGuard,
) -> Result<Credential, Error> {
    let now = call.context.clock.now();
    let account = session.account_mut(wanted.account).ok_or_else(bug)?;
    // Whose it is was only said, by the profile or by whoever asked.
    let is_believed = account.subject.is_none();
    account.receive(wanted.asked.clone(), token_set, now);
    account.last_refreshed_at = Some(now);
    forget_challenged(call, account);
    let credential = account
        .access_token(wanted.key)
        // OpenID Connect Core §12.2: a refresh may bring no ID token.
        .filter(|_| token_set.id_token.is_some() || !wanted.key.is_id_token)
        .map(|token| call.credential(account, token, REFRESH, false))
        .ok_or_else(|| call.missing(wanted.key));
    let stranger = if is_believed {
        stranger(call, account)
    } else {
        None
    };
    if is_believed {
        session.merge_accounts();
    }
    // Somebody else's refresh token is kept under their name: it may be the only one there is.
    save(call, session, proof, guard);
    if let Some(error) = stranger {
        return Err(error);
    }
    let credential = credential?;
    warn_of_less(call, wanted.key, &credential);
    Ok(credential)
}

/// What a refresh that failed means.
struct Verdict {
    error: Error,
    /// Whether a sign-in helps.
    is_refused: bool,
    /// Whether another refresh token of the same person may do better.
    may_try_another: bool,
    /// The claims that the authority wants a sign-in to satisfy.
    claims: Option<String>,
}

/// Judges a failure. `lost` is whether an answer was lost before it, and `is_shared` whether the refresh
/// token is one of a cache of MSAL.
fn judge(call: &Call<'_>, failure: Failure, lost: bool, is_shared: bool) -> Verdict {
    // A refusal without a reason: the refresh token may be dead, and may be not. It is kept,
    // and a sign-in helps in both cases.
    let is_unexplained = matches!(failure, Failure::RefusedSilently { status: 400 });
    let (was_refused, claims) = match &failure {
        Failure::Refused { claims, .. } => (true, claims.clone()),
        Failure::RefusedSilently { .. } | Failure::Trouble { .. } | Failure::Unusable { .. } => {
            (false, None)
        }
    };
    let may_have_happened = matches!(
        failure,
        Failure::Trouble {
            may_have_happened: true,
            ..
        }
    );
    let mut error = with_scope_hint(call, failure.into_error(DOING));
    let is_of_others = is_shared && error.oauth_error().is_some_and(entra::is_of_another_family);
    if is_of_others {
        // It is good for others; here there is none.
        error = error.with_kind(ErrorKind::LoginRequired);
    }
    let is_refused = error.kind() == ErrorKind::LoginRequired || is_unexplained;
    let may_try_another = was_refused && !is_of_others && !is_dead(&error);
    if is_refused && lost {
        error = error.because(
            "the authority's answer to a first attempt was lost on its way, and with it the refresh \
             token that replaced this one",
        );
    } else if !is_refused && (lost || may_have_happened) && error.kind() == ErrorKind::Unavailable {
        error = error.hint(
            "try again soon: an answer was lost, and the authority may have replaced the refresh token",
        );
    }
    Verdict {
        error,
        is_refused,
        may_try_another,
        claims,
    }
}

/// The person granted other scopes than the tool wants now.
fn with_scope_hint(call: &Call<'_>, error: Error) -> Error {
    let is_scope = error
        .oauth_error()
        .is_some_and(|said| said.error == "invalid_scope");
    if !is_scope || call.request.scopes.is_empty() {
        return error;
    }
    error.hint(format!(
        "the sign-in does not cover `{0}`: add it to the `scopes` of `profiles.{1}`, then run \
         `cred-helper login -p {1}`",
        printable(&call.request.scopes.join(" ")),
        call.profile.name
    ))
}

/// OpenID Connect Core §12.2: whoever is named must be whoever signed in. Entra names guests
/// differently from tenant to tenant.
fn of_the_same(
    call: &Call<'_>,
    account: &AccountRow,
    token_set: TokenSet,
) -> Result<TokenSet, (Failure, bool)> {
    let subjects = account
        .subject
        .as_ref()
        .zip(token_set.account.subject.as_ref());
    if call.profile.client.is_entra() || subjects.is_none_or(|(old, new)| old == new) {
        return Ok(token_set);
    }
    let failure = Failure::Unusable {
        reason: "its ID token is of somebody else than signed in".to_owned(),
        refresh_token: token_set.refresh_token,
    };
    Err((failure, false))
}

/// The error where an account turns out to be another than the one that is asked for.
fn stranger(call: &Call<'_>, account: &AccountRow) -> Option<Error> {
    let wanted = call.account()?;
    let label = account.label()?;
    if account.is_named(wanted) {
        return None;
    }
    let wanted = printable(wanted);
    let message = format!("the refresh token is of `{label}`, and `{wanted}` was asked for");
    Some(Error::new(ErrorKind::Denied, message).hint(format!(
        "change `account`, or sign in as `{wanted}`; a refresh token from elsewhere has to be of them"
    )))
}

/// Asks for new tokens. An answer that was never read is asked for once more with the same token;
/// the flag tells whether that happened before the failure. The outer error is ours.
fn redeem(
    call: &Call<'_>,
    server: &Server,
    account: &AccountRow,
    key: &RowKey,
    refresh_token: &Secret,
) -> Result<Result<TokenSet, (Failure, bool)>, Error> {
    /// How much time must be left for an answer? One that is not read may take the sign-in with it.
    const LEAST: Duration = Duration::from_secs(3);
    let client = &call
        .profile
        .client
        .with_proof_key(account.proof_key.as_ref())?;
    let context = &call.context;
    let endpoint = server.endpoint(EndpointName::Token)?;
    let attempt = || -> Result<Result<TokenSet, Failure>, Error> {
        let mut form = Form::of_grant("refresh_token", client);
        form.add_secret("refresh_token", refresh_token.clone());
        form.add("scope", &scope(call, account, key, server));
        form.add_parameters(client, key.claims.as_deref());
        let answer = request::post_in_time(client, server, endpoint, form, LEAST, context)?;
        Ok(response::tokens(
            answer,
            client,
            server,
            context.clock.now(),
        ))
    };
    let first = attempt()?;
    if let Err(Failure::Trouble {
        may_have_happened: true,
        reason,
        ..
    }) = &first
    {
        context.debug(|| format!("the answer to a refresh was lost ({reason}); once more"));
        return Ok(match attempt() {
            Ok(second) => second.map_err(|failure| (failure, true)),
            // Too little time is left for a second attempt.
            Err(_) => first.map_err(|failure| (failure, false)),
        });
    }
    Ok(first.map_err(|failure| (failure, false)))
}

/// The scope to name. Entra wants to know the resource; elsewhere an absent scope means what was
/// granted, and only other scopes than those of the sign-in are named.
fn scope(call: &Call<'_>, account: &AccountRow, key: &RowKey, server: &Server) -> String {
    let client = &call.profile.client;
    if client.is_entra() {
        return metadata::scopes_to_ask(client, server, &key.scopes).join(" ");
    }
    if key.scopes == account.scopes {
        return String::new();
    }
    key.scopes.join(" ")
}

/// Keeps the session. If that fails, it is tried again; the answer leaves in any case, with a loud
/// warning, since the token in it is good.
pub(super) fn save(
    call: &Call<'_>,
    session: &mut Session,
    proof: Option<Proof>,
    guard: &SessionGuard,
) {
    let kept = call
        .store
        .save_or_retry(session, proof, guard, &call.context);
    if let Err(error) = kept {
        call.context.warn(&format!(
            "the new tokens of profile `{0}` could not be kept: {error}; this answer is good, but \
             the next call may need a new sign-in: mend the disk, then run `cred-helper login -p {0}`",
            call.profile.name
        ));
    }
}

fn is_dead(error: &Error) -> bool {
    let said = error.oauth_error();
    said.is_some_and(response::ends_refresh_token)
}

/// The authority refused the refresh token. Only this one is forgotten: another process without a
/// lock of its own may have kept a newer one meanwhile.
fn forget_refused(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    session: &mut Session,
    refused: &Secret,
    error: &Error,
    guard: &SessionGuard,
) -> Result<(), Error> {
    *session = call.store.load_locked(guard, &call.context)?;
    let Some(account) = session.account_mut(wanted.account) else {
        return Ok(());
    };
    let is_of_others = error.oauth_error().is_some_and(entra::is_of_another_family);
    let is_gone = is_dead(error) || account.msal.is_some() && is_of_others;
    if !is_gone || account.refresh_token.as_ref() != Some(refused) {
        return Ok(());
    }
    account.refresh_token = None;
    if let Err(error) = call.store.save(session, None, guard, &call.context) {
        call.context.warn(&format!(
            "a dead refresh token could not be forgotten: {error}"
        ));
    }
    Ok(())
}

/// The token of `account` that the resource refused, where the call brings claims of it: the one
/// without these claims.
pub(super) fn challenged<'a>(
    call: &Call<'_>,
    account: &'a AccountRow,
) -> Option<&'a AccessTokenRow> {
    call.request.claims.as_ref()?;
    let key = call.key_with(claims_of(call.profile));
    account
        .access_token(&key)
        .filter(|_| key != call.asked_key())
}

/// Once there is a token for the claims of a call, the one that was challenged is not used again.
pub(super) fn forget_challenged(call: &Call<'_>, account: &mut AccountRow) {
    if let Some(key) = challenged(call, account).map(|row| row.key.clone()) {
        account.access_tokens.retain(|row| row.key != key);
    }
}

/// Says where a new token is less than what was asked for.
pub(super) fn warn_of_less(call: &Call<'_>, key: &RowKey, credential: &Credential) {
    warn_if_short(call, credential);
    warn_if_narrow(call, key, credential);
}

/// RFC 6749 §3.3: the authority may grant less than was asked for, and says so. Whether the tool can
/// do with it, nobody here knows: some authorities name scopes in other words.
fn warn_if_narrow(call: &Call<'_>, key: &RowKey, credential: &Credential) {
    let missing: Vec<&str> = key
        .scopes
        .iter()
        .filter(|scope| !credential.scopes.contains(scope))
        .map(String::as_str)
        .collect();
    if !call.request.scopes.is_empty() && !call.profile.client.is_entra() && !missing.is_empty() {
        call.context.warn(&format!(
            "the authority did not grant `{}`",
            printable(&missing.join(" "))
        ));
    }
}

/// `--min-valid` was met as well as the authority lets it.
fn warn_if_short(call: &Call<'_>, credential: &Credential) {
    if let (Some(min_valid), Some(expires_in)) = (call.min_valid(), credential.expires_in)
        && expires_in < min_valid
    {
        call.context.warn(&format!(
            "tokens of this authority live {expires_in} s, less than the {min_valid} s asked for"
        ));
    }
}
