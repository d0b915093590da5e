//! A sign-in: one at a time for a session on this machine, remembered if it fails.

use super::decision::{Force, Step, Wanted, next};
use super::{Call, login_required, refresh, row_key, under_lock};
use crate::credential::{Credential, Interactive};
use crate::error::{Error, ErrorKind};
use crate::grant::GrantRequest;
use crate::oauth::userinfo;
use crate::store::session::Session;
use crate::store::{Loaded, SessionGuard, SignInGuard};
use crate::text::printable;
use crate::token::{Timestamp, TokenSet};

/// Asks a person, unless another process has done so meanwhile.
pub(super) fn sign_in(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Credential, Error> {
    // While a person signs in, here or in another process, the call waits as long as it takes.
    let call = &Call {
        context: call.context.without_deadline(),
        ..*call
    };
    let guard = call.store.lock_sign_in(&call.context)?;
    let session = read(call)?;
    match next(&session, wanted, call.context.clock.now()) {
        Step::Grant => {}
        Step::LoginRequired(reason) => return Err(login_required(call, &reason)),
        Step::Use { .. } | Step::UseAndRefresh { .. } | Step::Refresh { .. } => {
            drop(guard);
            return under_lock(call, wanted);
        }
    }
    let (credential, kept) = ask(call, &guard)?;
    let asked = row_key(call.profile, &call.scopes_of_sign_in(), call.claims());
    if kept.is_ok() && asked != *wanted.key {
        // The person granted what the profile needs too; the tool gets what it asked for, where
        // there is a refresh token to get it with.
        let session = read(call)?;
        let account = session.account(call.account());
        if account.is_some_and(|account| account.refresh_token.is_some()) {
            drop(guard);
            return under_lock(call, wanted);
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
    drop(call.store.lock_sign_in(&call.context)?);
    let session = read(call)?;
    match next(&session, wanted, call.context.clock.now()) {
        Step::LoginRequired(reason) => Err(login_required(call, &reason)),
        Step::Use { .. } | Step::UseAndRefresh { .. } | Step::Refresh { .. } | Step::Grant => {
            under_lock(call, wanted)
        }
    }
}

/// Signs in whatever is kept, and whatever was refused before.
///
/// # Errors
/// Any kind; `login_required` where nobody may be asked.
pub fn login(call: &Call<'_>) -> Result<Credential, Error> {
    let call = &Call {
        context: call.context.without_deadline(),
        ..*call
    };
    if !call.profile.grant.asks_a_person() {
        let guard = call.store.lock(&call.context)?;
        let mut session = call.store.load_locked(&guard, &call.context)?;
        return run_machine_grant(call, &mut session, &guard);
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
    let guard = call.store.lock_sign_in(&call.context)?;
    let session = read(call)?;
    if last_sign_in(&session) > before {
        // Somebody signed in while this call waited for the same thing.
        let key = call.key();
        let wanted = Wanted {
            force: Force::No,
            ..call.wanted(&key, false)
        };
        if let Step::Use { account, token, .. } = next(&session, &wanted, call.context.clock.now())
        {
            return Ok(call.credential(account, token, super::CACHE, false));
        }
    }
    let (credential, kept) = ask(call, &guard)?;
    kept.map(|()| credential)
}

fn last_sign_in(session: &Session) -> Option<Timestamp> {
    session.accounts.iter().map(|row| row.signed_in_at).max()
}

/// Reads without a lock; damage counts as nothing, and is set aside when something is written.
fn read(call: &Call<'_>) -> Result<Session, Error> {
    Ok(match call.store.load()? {
        Loaded::Session(session, _) => session,
        Loaded::Absent | Loaded::Damaged(_) => Session::default(),
    })
}

/// Changes the session under its lock.
fn change(call: &Call<'_>, edit: impl FnOnce(&mut Session)) -> Result<(), Error> {
    let guard = call.store.lock(&call.context)?;
    let mut session = call.store.load_locked(&guard, &call.context)?;
    edit(&mut session);
    call.store.save(&mut session, None, &guard)
}

/// Runs a person's grant under the sign-in lock, and keeps what it brings. The inner result tells
/// whether that could be kept.
fn ask(call: &Call<'_>, _guard: &SignInGuard) -> Result<(Credential, Result<(), Error>), Error> {
    let context = &call.context;
    // Written first: nobody is asked for a sign-in that could not be kept.
    let started = context.clock.now();
    change(call, |session| {
        session.sign_in.waiting_since = Some(started)
    })?;
    let granted = run(call);
    // The code is spent: Ctrl-C waits until what it brought is kept.
    let _shield = granted.is_ok().then(|| context.signals.shield());
    match granted.and_then(|token_set| of_account(call, token_set)) {
        Ok(token_set) => keep(call, &token_set),
        Err(error) => {
            if error.kind() == ErrorKind::Interrupted {
                // The terminal's line holds `^C`.
                drop(context.terminal.show("\n"));
            }
            let now = context.clock.now();
            let refused = is_refusal(&error);
            let noted = change(call, |session| {
                session.sign_in.waiting_since = None;
                if refused {
                    session.sign_in.refuse(now, error.message());
                }
            });
            if let Err(noted) = noted {
                context.debug(|| format!("the failed sign-in could not be noted: {noted}"));
            }
            Err(if error.kind() == ErrorKind::LoginRequired {
                error.next(call.sign_in_command())
            } else {
                error
            })
        }
    }
}

/// Whether a person refused or did not come, rather than something being wrong or in trouble.
fn is_refusal(error: &Error) -> bool {
    let said = error.oauth_error().map(|said| said.error.as_str());
    error.kind() == ErrorKind::LoginRequired
        || matches!(said, Some("access_denied" | "authorization_declined"))
}

fn run(call: &Call<'_>) -> Result<TokenSet, Error> {
    call.profile.grant.run(
        &call.profile.client,
        &GrantRequest {
            profile: &call.profile.name,
            scopes: &call.scopes_of_sign_in(),
            account: call.account(),
            claims: call.claims().as_deref(),
        },
        &call.context,
    )
}

/// Finds out who signed in, and checks that it is who was asked for.
fn of_account(call: &Call<'_>, mut token_set: TokenSet) -> Result<TokenSet, Error> {
    let (client, asked) = (&call.profile.client, call.scopes_of_sign_in());
    token_set.account = userinfo::account(client, &token_set, &asked, &call.context);
    check_account(call, &token_set)?;
    if token_set.account.label().is_none() {
        // The authority does not say who it was, and the person is believed: the next call for
        // this account has to find them.
        token_set.account.name = call.account().map(printable);
    }
    Ok(token_set)
}

/// A sign-in as somebody else than asked for is refused.
fn check_account(call: &Call<'_>, token_set: &TokenSet) -> Result<(), Error> {
    let (Some(wanted), Some(label)) = (call.account(), token_set.account.label()) else {
        return Ok(());
    };
    let account = &token_set.account;
    let is_it = [&account.name, &account.subject]
        .into_iter()
        .flatten()
        .any(|own| own.to_lowercase() == wanted.to_lowercase());
    if is_it {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Denied,
        format!(
            "the sign-in was as `{label}`, and `{}` was asked for; it was not kept",
            printable(wanted)
        ),
    )
    .hint("sign in again as the right account, or change `account`"))
}

fn keep(call: &Call<'_>, token_set: &TokenSet) -> Result<(Credential, Result<(), Error>), Error> {
    let context = &call.context;
    let now = context.clock.now();
    let name = call.profile.grant.name();
    let asked = row_key(call.profile, &call.scopes_of_sign_in(), call.claims());
    // Without a refresh token there is no narrower token to be had.
    let key = match token_set.refresh_token {
        Some(_) => asked,
        None => call.key(),
    };
    let mut session = Session::default();
    let kept = (|| {
        let guard = call.store.lock(context)?;
        session = call.store.load_locked(&guard, context)?;
        session.sign_in(name, key.clone(), token_set, now);
        call.store
            .save_or_retry(&mut session, None, &guard, context)
    })();
    if kept.is_err() {
        session = Session::default();
        session.sign_in(name, key.clone(), token_set, now);
    }
    let who = token_set
        .account
        .label()
        .map_or_else(String::new, |label| format!(" as {label}"));
    // The sign-in is done, whether or not somebody is left to read it.
    drop(context.terminal.show(&format!(
        "\nSigned in{who} for profile `{}`.\n",
        call.profile.name
    )));
    let answer = session.account(None).and_then(|account| {
        Some(call.credential(account, account.access_token(&key)?, name, false))
    });
    let bug = || Error::new(ErrorKind::Internal, "BUG: a sign-in was not kept");
    Ok((answer.ok_or_else(bug)?, kept))
}

/// Runs a machine's grant under the session's lock.
pub(super) fn run_machine_grant(
    call: &Call<'_>,
    session: &mut Session,
    guard: &SessionGuard,
) -> Result<Credential, Error> {
    let now = call.context.clock.now();
    let key = call.key();
    let name = call.profile.grant.name();
    let token_set = of_account(call, run(call)?)?;
    // A machine has one account, with a token for each set of scopes.
    if let Some(account) = session.account_mut(call.account()) {
        account.receive(key.clone(), &token_set, now);
    } else {
        session.sign_in(name, key.clone(), &token_set, now);
    }
    let account = session.account(call.account());
    let answer = account.and_then(|account| {
        let token = account.access_token(&key)?;
        Some(call.credential(account, token, name, false))
    });
    refresh::save(call, session, None, guard);
    answer.ok_or_else(|| Error::new(ErrorKind::Internal, "BUG: a token was not kept"))
}
