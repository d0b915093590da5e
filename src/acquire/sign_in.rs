//! A sign-in: one at a time for a session on this machine, remembered if it fails.

use super::decision::{Force, Reason, Step, Wanted, next};
use super::{
    Call, HasAsked, forget, import, login_required, prepare, refresh, remember, under_lock,
};
use crate::credential::{Action, Credential, Interactive};
use crate::error::{Error, ErrorKind};
use crate::grant::{Asks, Grant, GrantRequest};
use crate::oauth::userinfo;
use crate::store::session::{AccountRow, RowKey, Session, SignIn};
use crate::store::{Loaded, Proof, SessionGuard, SignInGuard};
use crate::text::printable;
use crate::token::{Account, Timestamp, TokenSet};

/// Asks a person, unless another process has done so meanwhile.
pub(super) fn sign_in(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Credential, Error> {
    // While a person signs in, here or in another process, the call waits as long as it takes.
    let call = &call.within(call.context.without_deadline());
    let guard = call.store.lock_sign_in(&call.profile.name, &call.context)?;
    let session = read(call)?;
    match next(&session, wanted, call.context.clock.now()) {
        Step::Grant => {}
        Step::LoginRequired(reason) => {
            return Err(login_required(call, &reason, &session, wanted));
        }
        Step::Remember(failed) => return Err(remember(failed)),
        Step::Use { .. } | Step::UseAndRefresh { .. } | Step::Refresh { .. } | Step::Silent => {
            drop(guard);
            return under_lock(call, wanted, HasAsked::No);
        }
    }
    let (credential, kept) = ask(call, wanted.asked, &guard)?;
    if kept.is_ok() && asked_scopes(call) != wanted.asked.scopes {
        // The person granted what the profile needs too; the tool gets what it asked for, where
        // there is a refresh token to get it with.
        let session = read(call)?;
        let account = session.account(call.account());
        if account.is_some_and(|account| account.refresh_token.is_some()) {
            drop(guard);
            return under_lock(call, wanted, HasAsked::Yes);
        }
    }
    if let Err(error) = kept {
        call.context.warn(&format!(
            "the sign-in could not be kept: {error}; this answer is good, and the next call asks \
             again"
        ));
    }
    Ok(credential)
}

/// Waits for the sign-in of another process, and uses what it brought.
pub(super) fn wait_for_another(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Credential, Error> {
    drop(call.store.lock_sign_in(&call.profile.name, &call.context)?);
    let session = read(call)?;
    match next(&session, wanted, call.context.clock.now()) {
        Step::LoginRequired(reason) => Err(login_required(call, &reason, &session, wanted)),
        Step::Remember(failed) => Err(remember(failed)),
        Step::Use { .. }
        | Step::UseAndRefresh { .. }
        | Step::Refresh { .. }
        | Step::Silent
        | Step::Grant => under_lock(&prepare(call)?, wanted, HasAsked::No),
    }
}

/// Signs in whatever is kept, and whatever was refused before.
///
/// # Errors
/// Any kind; `login_required` where nobody may be asked.
pub(super) fn login(call: &Call<'_>) -> Result<Credential, Error> {
    let call = &call.within(call.context.without_deadline());
    prepare(call)?;
    if call.grant.asks() == Asks::Nobody {
        let guard = call.store.lock(&call.context)?;
        let mut session = call.store.load_locked(&guard, &call.context)?;
        return run_silently(call, &mut session, &guard);
    }
    if !call.may_ask() {
        let error = Error::new(
            ErrorKind::LoginRequired,
            format!(
                "nobody may be asked to sign in for profile `{}`",
                call.profile.name
            ),
        );
        return Err(match call.interactive {
            Interactive::Never => error.hint(
                "`never` was asked for: by --interactive, by the request, or by \
                 CRED_HELPER_INTERACTIVE",
            ),
            Interactive::Auto | Interactive::Always => {
                error.hint("`CI` is set; a person who is there says --interactive always")
            }
        });
    }
    let before = last_sign_in(&read(call)?);
    let guard = call.store.lock_sign_in(&call.profile.name, &call.context)?;
    let session = read(call)?;
    if last_sign_in(&session) > before {
        // Somebody signed in while this call waited for the same thing.
        let (key, asked) = (call.key(), call.asked_key());
        let mut wanted = call.wanted(&key, &asked, false);
        wanted.force = Force::No;
        if let Step::Use { account, token, .. } = next(&session, &wanted, call.context.clock.now())
        {
            return Ok(call.credential(account, token, super::CACHE, false));
        }
    }
    let (credential, kept) = ask(call, &call.asked_key(), &guard)?;
    kept.map(|()| credential)
}

fn last_sign_in(session: &Session) -> Option<Timestamp> {
    session.accounts.iter().map(|row| row.signed_in_at).max()
}

/// Reads without a lock; damage counts as nothing, and is set aside when something is written.
pub(super) fn read(call: &Call<'_>) -> Result<Session, Error> {
    Ok(match call.store.load(&call.context)? {
        Loaded::Session(session, _) => *session,
        Loaded::Absent | Loaded::Damaged(_) => Session::default(),
    })
}

/// Changes the session under its lock.
pub(super) fn change(call: &Call<'_>, edit: impl FnOnce(&mut Session)) -> Result<(), Error> {
    let _attention = call.attention();
    let guard = call.store.lock(&call.context)?;
    let mut session = call.store.load_locked(&guard, &call.context)?;
    edit(&mut session);
    call.store.save(&mut session, None, &guard, &call.context)
}

/// Runs a person's grant under the sign-in lock, and keeps what it brings for `key`. The inner result
/// tells whether that could be kept.
fn ask(
    call: &Call<'_>,
    key: &RowKey,
    _guard: &SignInGuard,
) -> Result<(Credential, Result<(), Error>), Error> {
    let context = &call.context;
    // Written first: nobody is asked for a sign-in that could not be kept.
    let started = context.clock.now();
    let mut request = call.request.clone();
    change(call, |session| {
        session.sign_in.waiting_since = Some(started);
        session.sign_in.asked_for = call.account().map(printable);
        if request.claims.is_none() {
            request.claims.clone_from(&session.sign_in.claims);
        }
    })?;
    let call = &Call {
        request: &request,
        ..*call
    };
    // Which way is taken is known before, and told after.
    let chosen = call.grant.chosen(&call.profile.client, context);
    let name = chosen
        .as_ref()
        .map_or(call.grant.name(), |grant| grant.name());
    let session = read(call)?;
    let granted = chosen.and_then(|grant| run(call, grant, call.interactive, &session));
    conclude(call, key, name, granted)
}

/// Keeps what a sign-in brought for `key`, or notes that it failed.
pub(super) fn conclude(
    call: &Call<'_>,
    key: &RowKey,
    name: &'static str,
    granted: Result<TokenSet, Error>,
) -> Result<(Credential, Result<(), Error>), Error> {
    let context = &call.context;
    // The code is spent: Ctrl-C waits until what it brought is kept.
    let shield = granted.is_ok().then(|| context.signals.shield());
    let checked = granted.map(|token_set| {
        // A sign-in as somebody else must not replace anything.
        let account = match call.account() {
            Some(wanted) => account_of(call, &token_set, wanted),
            None => Ok(token_set.account.clone()),
        };
        (token_set, account)
    });
    let (error, stranger) = match checked {
        Ok((token_set, Ok(account))) => {
            let token_set = TokenSet {
                account,
                ..token_set
            };
            return keep(call, key, name, &token_set);
        }
        Ok((token_set, Err(stranger))) => (stranger.error, Some((token_set, stranger.is_kept))),
        Err(error) => (error, None),
    };
    // The terminal's line holds `^C`. One that was closed holds nothing, and nobody against whom
    // anything could be held.
    let is_interrupted =
        error.kind() == ErrorKind::Interrupted && context.terminal.show("\n").is_ok();
    let now = context.clock.now();
    // The person had a choice, and would have the same one in each further call.
    let refused = is_refusal(&error) || stranger.is_some();
    let noted = change(call, |session| {
        session.sign_in.waiting_since = None;
        session.sign_in.asked_for = call.account().map(printable);
        if refused {
            session.sign_in.refuse(now, error.message());
        } else if is_interrupted {
            session.sign_in.interrupt(now);
        }
    });
    if let Err(noted) = noted {
        context.debug(|| format!("the failed sign-in could not be noted: {noted}"));
    }
    // From here on nothing would be torn.
    drop(shield);
    if let Some((token_set, false)) = &stranger
        && context.signals.check().is_ok()
    {
        forget::discard(call, token_set);
    }
    // A person who said no may have meant something else.
    let may_go_on = is_refusal(&error) && error.next_command().is_empty();
    Err(if error.kind() == ErrorKind::LoginRequired || may_go_on {
        error.next(call.sign_in_command())
    } else {
        error
    })
}

/// Whether a person refused or did not come, rather than something being wrong or in trouble.
fn is_refusal(error: &Error) -> bool {
    let said = error.oauth_error().map(|said| said.error.as_str());
    // `invalid_grant`: the tokens were lost on their way, after the person had done it all.
    error.kind() == ErrorKind::LoginRequired && said != Some("invalid_grant")
        || matches!(said, Some("access_denied" | "authorization_declined"))
}

fn run(
    call: &Call<'_>,
    grant: &dyn Grant,
    interactive: Interactive,
    session: &Session,
) -> Result<TokenSet, Error> {
    // It is redeemed under the session's lock alone, where nobody is asked.
    let account = session
        .account(call.account())
        .filter(|_| interactive == Interactive::Never);
    // What is given for several scopes is bound to one key, and kept together; a person's sign-in has
    // a key of its own.
    let kept = account.and_then(|account| account.proof_key.as_ref());
    let client = call.profile.client.with_proof_key(kept)?;
    let token_set = grant.run(
        &client,
        &GrantRequest {
            profile: &call.profile.name,
            scopes: &call.scopes_of_sign_in(),
            account: call.account(),
            profile_keys: call.profile.to_toml(),
            claims: call.claims().as_deref(),
            min_valid: call.min_valid(),
            interactive,
            clipboard: call.clipboard,
            force_refresh: call.request.force_refresh
                || call.request.was_rejected
                || call.request.action == Action::Login,
            challenged: account
                .and_then(|account| refresh::challenged(call, account))
                .map(|row| &row.secret),
            refresh_token: account.and_then(|account| account.refresh_token.as_ref()),
            assertion: call.assertion,
        },
        &call.context,
    )?;
    if client.dpop && token_set.proof_key.is_none() {
        // Not every grant asks a token endpoint.
        let message = format!(
            "profile `{}` wants tokens that are bound to a key, and `{}` gives none",
            call.profile.name,
            grant.name()
        );
        return Err(Error::new(ErrorKind::Config, message).hint("leave out `dpop`"));
    }
    Ok(token_set)
}

/// Somebody who signed in, and was not asked for.
struct Stranger {
    error: Error,
    /// Whether there is a sign-in of theirs already: some authorities revoke all that one person has
    /// from one client.
    is_kept: bool,
}

/// Who signed in, where `wanted` was asked for.
fn account_of(call: &Call<'_>, token_set: &TokenSet, wanted: &str) -> Result<Account, Stranger> {
    let mut account = told(call, token_set);
    if let Err(error) = check_account(&account, wanted) {
        let is_kept = is_kept(call, &account);
        return Err(Stranger { error, is_kept });
    }
    if !is_account(&account, wanted) {
        // The person is believed: the next call for this account has to find them.
        account.name = Some(printable(wanted));
        call.context.warn(&format!(
            "the authority does not tell who signed in; taken for `{}`",
            printable(wanted)
        ));
    }
    Ok(account)
}

/// The account as the tokens tell it, else as the userinfo endpoint does.
fn told(call: &Call<'_>, token_set: &TokenSet) -> Account {
    let known = || token_set.account.clone();
    if token_set.account.name.is_some() || !call.grant.is_of_authority() {
        return known();
    }
    let (client, asked) = (&call.profile.client, call.scopes_of_sign_in());
    userinfo::account(client, token_set, &asked, &call.context).unwrap_or_else(known)
}

/// A sign-in as somebody else than asked for is refused; where the authority tells no name, nothing
/// is known.
fn check_account(account: &Account, wanted: &str) -> Result<(), Error> {
    let Some(name) = &account.name else {
        return Ok(());
    };
    if is_account(account, wanted) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Denied,
        format!(
            "the sign-in was as `{name}`, and `{}` was asked for; it was not kept",
            printable(wanted)
        ),
    )
    .hint("sign in again as the right account, or change `account`"))
}

/// Whether there is a sign-in of this person already.
fn is_kept(call: &Call<'_>, account: &Account) -> bool {
    let is_in = |session: &Session| {
        let mut names = [&account.name, &account.subject].into_iter().flatten();
        names.any(|name| session.accounts.iter().any(|row| row.is_named(name)))
    };
    // What cannot be read may hold one.
    read(call).map_or(true, |session| is_in(&session))
}

fn is_account(account: &Account, wanted: &str) -> bool {
    [&account.name, &account.subject]
        .into_iter()
        .flatten()
        .any(|own| own.to_lowercase() == wanted.to_lowercase())
}

/// The scopes that a person is asked to grant, as a [`RowKey`] has them.
fn asked_scopes(call: &Call<'_>) -> Vec<String> {
    let key = RowKey::default().with_scopes(&call.scopes_of_sign_in());
    key.scopes
}

/// Keeps a sign-in, for `key` where the token is good for that; then finds out whose it is.
fn keep(
    call: &Call<'_>,
    key: &RowKey,
    name: &'static str,
    token_set: &TokenSet,
) -> Result<(Credential, Result<(), Error>), Error> {
    let context = &call.context;
    let now = context.clock.now();
    // Without a refresh token there is no narrower token to be had. Claims that the sign-in had to
    // satisfy beyond those of the tool make its token no other.
    let scopes = match token_set.refresh_token {
        Some(_) => asked_scopes(call),
        None => key.scopes.clone(),
    };
    let key = RowKey {
        scopes,
        ..key.clone()
    };
    let mut session = Session::default();
    let kept = (|| {
        let guard = call.store.lock_to_keep(context)?;
        session = call.store.load_locked(&guard, context)?;
        session.sign_in(name, key.clone(), token_set, now);
        call.store
            .save_or_retry(&mut session, None, &guard, context)
    })();
    if kept.is_err() {
        session = Session::default();
        session.sign_in(name, key.clone(), token_set, now);
    }
    // Whoever was asked for is known already.
    if call.account().is_none() {
        identify(call, token_set, &mut session);
    }
    let account = session.account(None);
    let label = account.and_then(AccountRow::label);
    let who = label.map_or_else(String::new, |label| format!(" as {label}"));
    let unsealed = call.store.unsealed();
    let unsealed = unsealed.map_or_else(String::new, |reason| {
        format!(
            "It is kept unencrypted, in a file that only you can read, since {reason}; see \
             `cred-helper store migrate --help`.\n"
        )
    });
    let end = until(call, account, token_set);
    // The sign-in is done, whether or not somebody is left to read it.
    drop(context.terminal.show(&format!(
        "\nSigned in{who} for profile `{}`{end}.\n{unsealed}",
        call.profile.name
    )));
    let wanted = call.key();
    let wanted = if wanted.is_id_token { wanted } else { key };
    let answer = account.and_then(|account| {
        let token = account.access_token(&wanted)?;
        Some(call.credential(account, token, name, false))
    });
    Ok((answer.ok_or_else(|| call.missing(&wanted))?, kept))
}

/// Until when nobody has to sign in again, as far as the authority says it, on the clock on the wall.
fn until(call: &Call<'_>, account: Option<&AccountRow>, token_set: &TokenSet) -> String {
    let at = |time| call.context.environment.wall_clock(time);
    let of_refresh = account.and_then(|account| account.refresh_expires_at);
    match (&token_set.refresh_token, of_refresh, token_set.expires_at) {
        (Some(_), Some(end), _) => format!(" until {}", at(end)),
        (Some(_), None, Some(end)) => {
            format!("; the token is good until {}, and is renewed then", at(end))
        }
        // It is run again then, and asks a person only if it must.
        (None, _, Some(end)) if call.grant.asks() != Asks::Person => {
            format!("; the token is good until {}", at(end))
        }
        (None, _, Some(end)) => format!(" until {}; the authority gave no refresh token", at(end)),
        (_, None, None) | (None, Some(_), None) => String::new(),
    }
}

/// Finds out who signed in, where the tokens do not tell it. They are kept already: whatever
/// happens meanwhile, the sign-in is not lost. `session` is what is kept, and is amended alike.
fn identify(call: &Call<'_>, token_set: &TokenSet, session: &mut Session) {
    let account = told(call, token_set);
    let secret = &token_set.access_token;
    if account != token_set.account {
        session.identify(secret, &account);
        if let Err(error) = change(call, |session| session.identify(secret, &account)) {
            call.context
                .debug(|| format!("the account's name could not be kept: {error}"));
        }
    }
}

/// Keeps the refresh token of somebody who was not asked for, where one was sent: it may be the only one
/// there is. The error that says so.
fn keep_strangers(
    call: &Call<'_>,
    session: &mut Session,
    token_set: &TokenSet,
    proof: Option<Proof>,
    guard: &SessionGuard,
) -> Option<Error> {
    let sent = session.account(call.account())?.refresh_token.clone()?;
    token_set.refresh_token.as_ref()?;
    let name = token_set.account.name.as_deref()?;
    session.keep_strangers(call.grant.name(), &sent, token_set);
    refresh::save(call, session, proof, guard);
    let wanted = call.account().map(printable)?;
    let message = format!(
        "the answer to the refresh token of `{wanted}` was as `{name}`, and no token is handed out; the \
         refresh token in it is kept as theirs"
    );
    let error = Error::new(ErrorKind::Denied, message);
    Some(error.hint("sign in again as the right account, or change `account`"))
}

/// Runs a grant under the session's lock, which asks nobody.
pub(super) fn run_silently(
    call: &Call<'_>,
    session: &mut Session,
    guard: &SessionGuard,
) -> Result<Credential, Error> {
    if let Some(source) = call.grant.imports() {
        return import::import(call, source, session, guard);
    }
    let now = call.context.clock.now();
    let (asked, wanted) = (call.asked_key(), call.key());
    let name = call.grant.name();
    let is_login = call.request.action == Action::Login;
    if call.grant.is_persons() && !is_login && session.sign_in.is_refused(now) {
        let reason = Reason::refused(&session.sign_in);
        let wanted = call.wanted(&wanted, &asked, false);
        return Err(login_required(call, &reason, session, &wanted));
    }
    let began = call.context.clock.monotonic();
    // The grant may redeem the refresh token that it gave before: as with a refresh, there must be
    // room for what it brings, and Ctrl-C waits for it.
    let account = session.account(call.account());
    let redeems = account.is_some_and(|account| account.refresh_token.is_some());
    let mut proof = None;
    let mut shield = None;
    if redeems {
        proof = Some(call.store.prove_writable(guard, &call.context)?);
        call.context.signals.check()?;
        shield = Some(call.context.signals.shield());
    }
    let granted = run(call, call.grant, Interactive::Never, session);
    if let Err(error) = &granted
        && call.grant.asks() == Asks::Nobody
        && error.kind() == ErrorKind::Unavailable
        && refresh::has_taken_long(&call.context, began)
    {
        // Jobs that were started together would wait for it one after the other.
        refresh::note(call, session, guard, |session| {
            let failed = refresh::failed(call, &asked, None, error.clone(), refresh::TROUBLE);
            session.failed_grant = Some(failed);
        });
    }
    if let Err(error) = &granted
        && call.grant.is_persons()
        && error.kind() == ErrorKind::Denied
    {
        refresh::note(call, session, guard, |session| {
            session.sign_in.refuse(now, error.message());
        });
    }
    let mut token_set = granted?;
    let _shield = shield.unwrap_or_else(|| call.context.signals.shield());
    if let Some(wanted) = call.account() {
        if let Err(error) = check_account(&token_set.account, wanted) {
            return Err(keep_strangers(call, session, &token_set, proof, guard).unwrap_or(error));
        }
        if !is_account(&token_set.account, wanted) {
            // The next call for this account has to find it.
            token_set.account.name = Some(printable(wanted));
        }
    }
    session.failed_grant = None;
    if call.grant.is_persons() {
        session.sign_in = SignIn::default();
    }
    // A machine that signs in anew has what it was given now; a plugin that gives no new refresh token
    // has the one before still.
    let keeps = call.grant.asks() == Asks::PersonIfNeeded;
    let account = session.receive(name, asked.clone(), &token_set, keeps, now);
    refresh::forget_challenged(call, account);
    // Whoever was given a token last is the one who is meant.
    let answer = session
        .account(None)
        // An earlier ID token is no answer to who asks for a new one.
        .filter(|_| token_set.id_token.is_some() || !wanted.is_id_token)
        .and_then(|account| {
            let token = account.access_token(&wanted)?;
            Some(call.credential(account, token, name, false))
        });
    refresh::save(call, session, proof, guard);
    let credential = answer.ok_or_else(|| call.missing(&wanted))?;
    refresh::warn_of_less(call, &wanted, &credential);
    Ok(credential)
}
