//! A refresh by another process, while a token that lives a while is handed out.

use super::Call;
use crate::credential::TokenKind;
use crate::grant::Asks;
use crate::store::session::{AccessTokenRow, AccountRow};

/// Whether a refresh of this call's token can be left to another process.
pub(super) fn is_allowed(call: &Call<'_>) -> bool {
    // What it acts with was handed to this process alone.
    call.background != Some(false) && !call.request.refreshes_first && call.assertion.is_none()
}

/// Has `token` refreshed by another process, unless one does so already. Whether there is one.
pub(super) fn refresh(call: &Call<'_>, account: &AccountRow, token: &AccessTokenRow) -> bool {
    let context = &call.context;
    let start = || {
        check(call, account, token)?;
        match call.store.lock_for_background() {
            Ok(Some(lock)) => context.background.start(&arguments(call), lock),
            Ok(None) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    };
    let started = start();
    context.debug(|| {
        let what = match &started {
            Ok(()) => "is refreshed in the background".to_owned(),
            Err(reason) => format!("is not refreshed in the background: {reason}"),
        };
        format!("the token of profile `{}` {what}", call.profile.name)
    });
    started.is_ok()
}

/// Whether the token can be handed out and refreshed meanwhile: some authorities end it with that, while
/// whoever got it has yet to use it.
///
/// # Errors
/// Why not.
fn check(call: &Call<'_>, account: &AccountRow, token: &AccessTokenRow) -> Result<(), String> {
    if call.profile.refresh_ends_tokens {
        return Err("a refresh ends the tokens before it at once".to_owned());
    }
    if call.background == Some(true) {
        return Ok(());
    }
    let now = call.context.clock.now();
    let is_asked_for = token.refresh_at.is_some_and(|time| time <= now);
    // Where no refresh token is spent, nothing is ended.
    let is_granted_anew = call.grant.asks() == Asks::Nobody && account.refresh_token.is_none();
    if !is_asked_for && !is_granted_anew && !call.profile.client.is_entra() {
        let problem = "whether a refresh ends the tokens before it is not known of this authority";
        return Err(problem.to_owned());
    }
    call.context.background.lives_on()
}

/// The command that refreshes what this call wants.
fn arguments(call: &Call<'_>) -> Vec<String> {
    let request = call.request;
    let flag = |name: &str, value: &str| format!("--{name}={value}");
    let mut arguments = vec![
        "refresh".to_owned(),
        flag("profile", &call.profile.name),
        flag(
            "token",
            match request.token.unwrap_or(call.profile.token) {
                TokenKind::Access => "access",
                TokenKind::Id => "id",
            },
        ),
    ];
    arguments.extend(request.scopes.iter().map(|scope| flag("scope", scope)));
    let account = request.account.iter();
    arguments.extend(account.map(|account| flag("account", account)));
    let claims = request.claims.iter();
    arguments.extend(claims.map(|claims| flag("claims", claims)));
    arguments
}
