//! A refresh token that was obtained elsewhere: kept first, and then redeemed as any other, so that a
//! process that is killed loses no more than in any refresh.

use super::decision::{Wanted, remembered};
use super::refresh::{self, Refreshed};
use super::{Call, remember};
use crate::credential::{Action, Credential};
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::secret_source::SecretSource;
use crate::store::SessionGuard;
use crate::store::session::Session;
use crate::text::printable;

/// The name of the secret.
const KEY: &str = "refresh_token";

/// Takes the refresh token of `source` into the session, and redeems it. One that was taken before is
/// not sent again: where refresh tokens are replaced at each use, that would end the sign-in.
pub(super) fn import(
    call: &Call<'_>,
    source: &SecretSource,
    session: &mut Session,
    guard: &SessionGuard,
) -> Result<Credential, Error> {
    let (key, asked) = (call.key(), call.asked_key());
    let wanted = call.wanted(&key, &asked, false);
    let imported = match source.resolve(KEY, &call.context) {
        // Whoever removed it may have done well: it was taken.
        Err(error) if !session.imported.is_empty() => {
            return Err(needs_another(call, source, session, &wanted).because_of(&error));
        }
        imported => imported?,
    };
    let digest = digest(imported.expose().as_bytes());
    if !session.imported.contains(&digest) {
        let now = call.context.clock.now();
        let name = call.account().map(printable);
        session.import(call.grant.name(), name, imported, digest, now);
        // Kept before it is sent: from here on it is the session's.
        call.store.save(session, None, guard, &call.context)?;
    } else if call.request.action != Action::Login || !is_refreshable(call, session) {
        return Err(needs_another(call, source, session, &wanted));
    }
    match refresh::refresh(call, &wanted, session, guard)? {
        Refreshed::Done(credential) => Ok(Credential {
            source: call.grant.name(),
            ..*credential
        }),
        Refreshed::Refused { error, .. } => {
            if session.forget_empty_accounts()
                && let Err(error) = call.store.save(session, None, guard, &call.context)
            {
                let context = &call.context;
                context.debug(|| format!("a dead account could not be forgotten: {error}"));
            }
            Err(needs_another(call, source, session, &wanted).because_of(&error))
        }
    }
}

fn is_refreshable(call: &Call<'_>, session: &Session) -> bool {
    let account = session.account(call.account());
    account.is_some_and(|account| account.refresh_token.is_some())
}

/// The error for whoever has to see to a new refresh token.
fn needs_another(
    call: &Call<'_>,
    source: &SecretSource,
    session: &Session,
    wanted: &Wanted<'_>,
) -> Error {
    let error = Error::new(
        ErrorKind::LoginRequired,
        format!(
            "profile `{}` needs a new refresh token: the one that it was given is taken already, \
             and no other is kept",
            call.profile.name
        ),
    )
    .hint(format!(
        "put a new one where the profile says that it is: `{KEY} = {}`",
        printable(&source.to_toml().to_string())
    ));
    match remembered(session, wanted, call.context.clock.now()) {
        Some(failed) => error.because_of(&remember(failed)),
        None => error,
    }
}
