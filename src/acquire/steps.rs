//! A sign-in in two calls, for those who have no terminal to ask at: the first tells where to sign
//! in, the second is given what the browser ended on.

use super::sign_in::{change, conclude, read};
use super::{Call, prepare};
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::grant::GrantRequest;
use crate::secret::Secret;
use crate::store::session::BegunSignIn;

/// How long is a sign-in kept that was begun, in seconds? No authority keeps its page longer.
const LIFE: i64 = 3600;

/// Begins a sign-in; where a person signs in. What was begun before cannot be finished any more.
///
/// # Errors
/// `config` if the profile's grant has no two steps, and as [`super::acquire`].
pub fn begin(call: &Call<'_>) -> Result<String, Error> {
    let call = &prepare(call)?;
    let context = &call.context;
    let claims = call.claims().or(read(call)?.sign_in.claims);
    // The authority may be asked, which must not hold up refreshes.
    let client = call.profile.client.with_proof_key(None)?;
    let begun = call.grant.begin(
        &client,
        &GrantRequest {
            profile: &call.profile.name,
            scopes: &call.scopes_of_sign_in(),
            account: call.account(),
            profile_keys: call.profile.to_toml(),
            claims: claims.as_deref(),
            min_valid: call.min_valid(),
            interactive: call.interactive,
            clipboard: false,
            force_refresh: true,
            challenged: None,
            refresh_token: None,
            assertion: None,
        },
        context,
    )?;
    let begun = begun.ok_or_else(|| {
        // Said by the command line, or by the profile.
        let kind = match call.request.grant {
            Some(_) => ErrorKind::Usage,
            None => ErrorKind::Config,
        };
        Error::new(
            kind,
            format!(
                "profile `{}` signs in by `{}`, which has no two steps",
                call.profile.name,
                call.grant.name()
            ),
        )
        .hint("add `--grant authorization_code`")
    })?;
    change(call, |session| {
        session.sign_in.begun = Some(BegunSignIn {
            at: context.clock.now(),
            account: call.account().map(String::from),
            scopes: call.request.scopes.clone(),
            claims: call.request.claims.clone(),
            kept: begun.kept,
            proof_key: client.proof_key.map(|key| key.kept().clone()),
        });
    })?;
    Ok(begun.url)
}

/// Finishes the sign-in that was begun last.
///
/// # Errors
/// `login_required` if none was, `usage` if the answer is none to it, and as [`super::login`].
pub fn finish(call: &Call<'_>, answer: &Secret) -> Result<Credential, Error> {
    let call = &prepare(call)?;
    let context = &call.context;
    let _guard = call.store.lock_sign_in(&call.profile.name, context)?;
    // Another sign-in may have been waited for. What comes of this one has to be kept, too.
    let call = &call.within(context.without_deadline());
    let context = &call.context;
    let begun = read(call)?.sign_in.begun;
    let now = context.clock.now();
    let begun = begun.filter(|begun| (0..LIFE).contains(&now.since(begun.at)));
    let begin_anew = ["cred-helper", "login", "-p", &call.profile.name, "--start"];
    let begun = begun.ok_or_else(|| {
        let message = format!(
            "no sign-in was begun for profile `{}`, or it was too long ago",
            call.profile.name
        );
        Error::new(ErrorKind::LoginRequired, message).next(begin_anew)
    })?;
    let mut request = call.request.clone();
    request.account = request.account.or_else(|| begun.account.clone());
    // What comes is good for what was asked for.
    request.scopes.clone_from(&begun.scopes);
    request.claims.clone_from(&begun.claims);
    let call = &Call {
        request: &request,
        ..*call
    };
    let client = &call
        .profile
        .client
        .with_proof_key(begun.proof_key.as_ref())?;
    let granted = call.grant.finish(client, &begun.kept, answer, context);
    let name = call.grant.name();
    let (credential, kept) =
        conclude(call, &call.asked_key(), name, granted).inspect_err(|error| {
            // It is decided: no further answer makes it good. Trouble decides nothing, nor does
            // something else that was pasted.
            if matches!(error.kind(), ErrorKind::Denied | ErrorKind::LoginRequired) {
                forget(call, &begun);
            }
        })?;
    kept.map(|()| credential)
}

/// Forgets what was begun, unless something else has been begun since.
fn forget(call: &Call<'_>, begun: &BegunSignIn) {
    let noted = change(call, |session| {
        if session.sign_in.begun.as_ref() == Some(begun) {
            session.sign_in.begun = None;
        }
    });
    if let Err(error) = noted {
        call.context
            .debug(|| format!("what was begun could not be forgotten: {error}"));
    }
}
