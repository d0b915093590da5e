//! Sign-ins that are copied between our store and a cache of MSAL.

use std::path::Path;

use super::{Call, acquire};
use crate::credential::{Action, Interactive, Request};
use crate::error::{Error, ErrorKind};
use crate::oauth::id_token;
use crate::store::msal::copy;
use crate::store::session::{AccountRow, TakenIn};
use crate::token::Home;

/// Takes in who is signed in in a cache of MSAL: the account that is named, else all. Somebody who is
/// signed in here already keeps that sign-in. Returns who was taken in.
///
/// # Errors
/// `config`, for a profile whose sign-in cannot come from there; `store`, `busy` or `interrupted`;
/// `login_required`, where nobody is signed in there.
pub fn take_in(call: &Call<'_>, file: &Path) -> Result<Vec<Option<String>>, Error> {
    let (context, name) = (&call.context, &call.profile.name);
    let found = copy::accounts(call.profile.copying(file)?, context)?;
    let wanted = call.account();
    let meant: Vec<AccountRow> = found
        .into_iter()
        .filter(|row| wanted.is_none_or(|wanted| row.is_named(wanted)))
        .collect();
    if meant.is_empty() {
        let message = format!(
            "nobody is signed in in `{}` for profile `{name}`",
            file.display()
        );
        let error = Error::new(ErrorKind::LoginRequired, message);
        return Err(error.next(call.sign_in_command()));
    }
    let guard = call.store.lock(context)?;
    let mut session = call.store.load_locked(&guard, context)?;
    let (mut taken, mut spent) = (Vec::new(), Vec::new());
    for row in meant {
        let label = row.label().map(String::from);
        let who = label
            .as_deref()
            .unwrap_or("somebody whom MSAL does not name");
        match session.take_in(call.grant.name(), row, context.clock.now()) {
            TakenIn::Done => taken.push(label),
            TakenIn::IsHere => context.inform(&format!(
                "{who} is signed in for profile `{name}` already; that stays as it is"
            )),
            TakenIn::Spent => spent.push(who.to_owned()),
        }
    }
    if !taken.is_empty() {
        call.store.save(&mut session, None, &guard, context)?;
    }
    if spent.is_empty() {
        return Ok(taken);
    }
    let message = format!(
        "the refresh token of {} in `{}` was taken in before, and is not sent a second time",
        spent.join(", "),
        file.display()
    );
    let error = Error::new(ErrorKind::LoginRequired, message)
        .hint("have its program refresh it, or sign in there once more, or here")
        .next(call.sign_in_command());
    if taken.is_empty() {
        return Err(error);
    }
    context.warn(&error.to_string());
    Ok(taken)
}

/// Puts who is signed in here into a cache of MSAL: the account that is named, else all. Returns who it
/// was.
///
/// # Errors
/// `config`, for a profile whose sign-in cannot lie there; `store`, `busy` or `interrupted`;
/// `login_required`, where nobody is signed in; and those of a refresh, where one has to tell who somebody
/// is in MSAL's words.
pub fn hand_out(call: &Call<'_>, file: &Path) -> Result<Vec<Option<String>>, Error> {
    let (context, name) = (&call.context, &call.profile.name);
    let sharing = call.profile.copying(file)?;
    let wanted = call.account();
    let is_meant = |row: &AccountRow| {
        row.refresh_token.is_some() && wanted.is_none_or(|wanted| row.is_named(wanted))
    };
    // Others would wait for a lock that nobody has any more.
    let _attention = context.signals.attend();
    let known = {
        let guard = call.store.lock(context)?;
        call.store.load_locked(&guard, context)?
    };
    // Those who signed in before this was kept: the authority says it with each refresh.
    let unknown = known
        .accounts
        .iter()
        .filter(|row| is_meant(row) && row.msal.is_none());
    for label in unknown.filter_map(AccountRow::label) {
        let request = Request {
            account: Some(label.to_owned()),
            force_refresh: true,
            ..Request::new(Action::Get)
        };
        let refresh = Call {
            request: &request,
            interactive: Interactive::Never,
            ..*call
        };
        acquire(&refresh, None)?;
    }
    let guard = call.store.lock(context)?;
    let session = call.store.load_locked(&guard, context)?;
    let mut accounts: Vec<AccountRow> = session.accounts.into_iter().filter(is_meant).collect();
    if accounts.is_empty() {
        let message = format!("nobody is signed in for profile `{name}`");
        let error = Error::new(ErrorKind::LoginRequired, message);
        return Err(error.next(call.sign_in_command()));
    }
    for row in &mut accounts {
        if row.msal.is_none() {
            let home = home_of(call, row).ok_or_else(|| nameless(name))?;
            row.msal.get_or_insert_default().home = home;
        }
    }
    // Whoever is meant here comes first there.
    accounts.sort_by_key(|row| std::cmp::Reverse(row.signed_in_at));
    let labels = accounts.iter().map(|row| row.label().map(String::from));
    let labels: Vec<_> = labels.collect();
    copy::add(accounts, sharing, call.store.lock_timeout(), context)?;
    drop(guard);
    Ok(labels)
}

/// Who somebody is by their last ID token, else by what does not change of them.
fn home_of(call: &Call<'_>, row: &AccountRow) -> Option<Home> {
    let id_token = row.id_token().map(|token| token.secret.expose());
    let told = id_token.and_then(|token| {
        let client_id = &call.profile.client.client_id;
        id_token::account(token, client_id, None).ok()?.home
    });
    told.or_else(|| {
        let id = row.subject.clone()?;
        Some(Home {
            local_id: id.clone(),
            id,
            tenant: None,
        })
    })
}

fn nameless(profile: &str) -> Error {
    let message = format!(
        "the authority does not say who is signed in for profile `{profile}`, and MSAL has no place for \
         somebody like that"
    );
    Error::new(ErrorKind::Config, message).hint("add `openid` to `scopes`, and sign in once more")
}
