//! A refresh by another process, while a token that lives a while is handed out.

use super::Call;
use crate::credential::TokenKind;

/// Whether a refresh of this call's token can be left to another process.
pub(super) fn is_allowed(call: &Call<'_>) -> bool {
    // What it acts with was handed to this process alone.
    call.background != Some(false) && !call.request.refreshes_first && call.assertion.is_none()
}

/// Has the token refreshed by another process, unless one does so already. Whether there is one.
pub(super) fn refresh(call: &Call<'_>) -> bool {
    let context = &call.context;
    let start = || {
        if call.background.is_none() {
            context.background.lives_on()?;
        }
        match call.store.lock_for_background() {
            Some(lock) => context.background.start(&arguments(call), lock),
            None => Ok(()),
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
