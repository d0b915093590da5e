//! From a profile to a token: the cached one, else a refresh, else the grant.
//!
//! [`decision`] decides, purely. This module does what was decided: it reads without a lock; under
//! the session's lock it reads again, decides again, redeems and saves. A person is asked under the
//! sign-in lock alone, so that somebody at a prompt does not hold up refreshes, and a token is
//! exchanged under a lock for that, so that a service that is silent does not either.
//!
//! To add something that can be asked of a sign-in: an [`Action`](crate::credential::Action), a file
//! here that does it, and its arm in `answer.rs`. To add something that a decision depends on: a field
//! of [`decision::Wanted`], and a row in the table beside [`next`].

mod background;
mod copy;
pub mod decision;
mod exchange;
mod forget;
mod import;
mod refresh;
mod sign_in;
mod status;
mod steps;

pub use self::copy::{hand_out, take_in};
pub use self::forget::{erase, logout};
pub use self::status::{AccountStatus, StatusRow, status};
pub use self::steps::{begin, finish};

use self::decision::{Force, Reason, Step, Wanted, fallback, next, remembered};
use self::refresh::Refreshed;
use crate::claims;
use crate::context::{Context, Shield, Tls};
use crate::credential::{Credential, Interactive, Request, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::exchange::Exchange;
use crate::grant::{Asks, Grant};
use crate::oauth::dpop;
use crate::oauth::response::CHECK_CLIENT;
use crate::profile::Profile;
use crate::profile::route::Target;
use crate::proof_key::ProofKey;
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::store::session::{AccessTokenRow, AccountRow, Failed, RowKey, Session};
use crate::store::{Loaded, SessionGuard, SessionStore};
use crate::system::certificate::thumbprint;
use crate::text::printable;
use crate::token::{OtherToken, Timestamp};

/// A profile, where its session lives, and what is asked of it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Its session.
    pub store: &'a SessionStore,
    /// How to sign in.
    pub grant: &'a dyn Grant,
    /// What the tool wants.
    pub request: &'a Request,
    /// The token of whoever is acted for, where the grant does that. The store is theirs alone.
    pub assertion: Option<&'a Secret>,
    /// Whether a person may be asked, as the tool and the environment say.
    pub interactive: Interactive,
    /// Whether tokens are refreshed in the background, as the configuration says; `None` where it
    /// does not.
    pub background: Option<bool>,
    /// Whether a code that is shown to a person is put on the clipboard too.
    pub clipboard: bool,
    /// The effects.
    pub context: Context<'a>,
}

impl<'a> Call<'a> {
    /// The same within other limits.
    fn within(&self, context: Context<'a>) -> Self {
        Self { context, ..*self }
    }

    fn account(&self) -> Option<&'a str> {
        let asked = self.request.account.as_deref();
        asked.or(self.profile.account.as_deref())
    }

    /// Where the session lies in a cache of MSAL, Ctrl-C waits until it is written: others would wait for
    /// a lock that nobody has any more.
    fn attention(&self) -> Option<Box<dyn Shield + 'a>> {
        let signals = self.context.signals;
        let cache = self.store.shared_cache();
        cache.map(|_| signals.attend())
    }

    /// The command for a person who is to sign in for this call.
    fn sign_in_command(&self) -> Vec<&'a str> {
        let mut words = vec!["cred-helper", "login", "-p", &self.profile.name];
        if let Some(account) = &self.request.account {
            words.extend(["--account", account]);
        }
        words
    }

    fn scopes(&self) -> &'a [String] {
        if self.request.scopes.is_empty() {
            &self.profile.scopes
        } else {
            &self.request.scopes
        }
    }

    /// What a person is asked to grant: what the tool wants, and what the profile does, so that
    /// the refresh token is good for both. Entra's is good for anything, and it takes scopes of
    /// one resource at a time.
    fn scopes_of_sign_in(&self) -> Vec<String> {
        let mut scopes = self.scopes().to_vec();
        if !self.profile.client.is_entra() && self.grant.asks() == Asks::Person {
            let further = self.profile.scopes.iter();
            let missing: Vec<_> = further
                .filter(|scope| !scopes.contains(scope))
                .cloned()
                .collect();
            scopes.extend(missing);
        }
        scopes
    }

    fn claims(&self) -> Option<String> {
        match &self.request.claims {
            Some(asked) => {
                claims::with_capabilities(Some(asked), &self.profile.client_capabilities)
            }
            None => claims_of(self.profile),
        }
    }

    /// What the authority is asked with.
    fn asked_key(&self) -> RowKey {
        self.key_with(self.claims())
    }

    /// The same with other claims.
    fn key_with(&self, claims: Option<String>) -> RowKey {
        row_key(
            self.profile,
            self.grant,
            self.scopes(),
            claims,
            &self.context,
        )
    }

    /// What is to be handed out: what was asked for, or the ID token that came with it.
    fn key(&self) -> RowKey {
        match self.request.token.unwrap_or(self.profile.token) {
            TokenKind::Access => self.asked_key(),
            TokenKind::Id => RowKey::id_token(),
        }
    }

    /// The answer where a row under [`Self::key`] should be, and is not: an authority need not send
    /// an ID token.
    fn missing(&self, key: &RowKey) -> Error {
        if !key.is_id_token {
            return Error::new(ErrorKind::Internal, "BUG: a token was not kept");
        }
        Error::new(
            ErrorKind::Denied,
            format!(
                "the authority gave no ID token for profile `{}`",
                self.profile.name
            ),
        )
        .hint("add `openid` to its `scopes`, then sign in again")
    }

    fn min_valid(&self) -> Option<i64> {
        let asked = self.request.min_valid?;
        Some(i64::try_from(asked.as_secs()).unwrap_or(i64::MAX))
    }

    fn wanted<'w>(&'w self, key: &'w RowKey, asked: &'w RowKey, may_ask: bool) -> Wanted<'w> {
        Wanted {
            account: self.account(),
            key,
            asked,
            min_valid: self.min_valid(),
            force: match (self.request.force_refresh, self.request.was_rejected) {
                (true, _) => Force::All,
                (false, true) => Force::Older,
                (false, false) => Force::No,
            },
            refused: None,
            asks: self.grant.asks(),
            needs_a_person: false,
            may_ask,
            in_background: false,
        }
    }

    /// Whether a person may be asked now, and would see it.
    fn may_ask(&self) -> bool {
        let context = &self.context;
        match self.interactive {
            Interactive::Never => false,
            Interactive::Auto => !context.environment.is_ci() && context.terminal.is_available(),
            Interactive::Always => context.terminal.is_available(),
        }
    }

    /// The host of the request, else of the profile's first pattern that names one.
    fn host(&self) -> Option<String> {
        let asked = self.request.url.as_deref().and_then(Target::parse);
        match asked {
            Some(target) => Some(target.host().to_owned()),
            None => self
                .profile
                .urls
                .iter()
                .find_map(|pattern| pattern.host().map(String::from)),
        }
    }

    fn credential(
        &self,
        account: &AccountRow,
        token: &AccessTokenRow,
        source: &'static str,
        stale: bool,
    ) -> Credential {
        let now = self.context.clock.now();
        Credential {
            profile: self.profile.name.clone(),
            account: account.label().map(String::from),
            token_type: token.token_type.clone(),
            access_token: token.secret.clone(),
            id_token: account.id_token().map(|row| row.secret.clone()),
            expires_at: token.expires_at,
            expires_in: token.expires_at.map(|end| end.since(now).max(0)),
            scopes: token.scopes.clone(),
            tenant: None,
            source,
            stale,
            host: self.host(),
            username: self.profile.username.clone(),
            basic_only: self.profile.basic_only,
            proof_key: account
                .proof_key
                .clone()
                .filter(|_| token.token_type == dpop::TOKEN_TYPE),
            dpop_proof: None,
        }
    }
}

/// The claims that every token of `profile` is asked with.
fn claims_of(profile: &Profile) -> Option<String> {
    claims::with_capabilities(profile.claims.as_deref(), &profile.client_capabilities)
}

/// What an access token of `profile` is asked with.
fn row_key(
    profile: &Profile,
    grant: &dyn Grant,
    scopes: &[String],
    claims: Option<String>,
    context: &Context<'_>,
) -> RowKey {
    let client = &profile.client;
    RowKey {
        resource: client.resource.clone(),
        audience: client.audience.clone(),
        claims,
        extra: client.extra.clone(),
        binding: binding(&client.tls),
        platform: grant.platform(context),
        ..RowKey::default()
    }
    .with_scopes(scopes)
}

/// The certificate that a token may be bound to: once it is replaced, what was given for the one
/// before is of no use. One that cannot be read has a name of its own, so that nothing is handed out
/// for it, and whoever asks the authority next says what is wrong with it.
fn binding(tls: &Tls) -> Option<String> {
    let certificate = tls.client_certificate.as_ref()?;
    Some(thumbprint(&certificate.file).unwrap_or_default())
}

/// What the source of a cached answer is called.
const CACHE: &str = "cache";

/// Answers with a token, and trades it where an exchange is wanted.
///
/// # Errors
/// Any kind; see [`ErrorKind`].
pub fn acquire(call: &Call<'_>, exchange: Option<&dyn Exchange>) -> Result<Credential, Error> {
    match exchange {
        None => token(call).and_then(|credential| prove(call, credential)),
        Some(exchange) => exchange::exchanged(call, exchange),
    }
    .map_err(|error| with_place_of_client(call, error))
}

/// Signs in whatever is kept, and whatever was refused before.
///
/// # Errors
/// Any kind; `login_required` where nobody may be asked.
pub fn login(call: &Call<'_>) -> Result<Credential, Error> {
    sign_in::login(call).map_err(|error| with_place_of_client(call, error))
}

/// A client that proves who it is with the token of another profile, and is refused, is mended there.
fn with_place_of_client(call: &Call<'_>, error: Error) -> Error {
    let other = call.profile.client.authentication.others().next();
    match other {
        Some(OtherToken { profile, .. }) if error.hint_text() == Some(CHECK_CLIENT) => error
            .hint(format!(
                "the token of profile `{0}`, which the client proves with who it is, may be of no use \
                 any more, or not be what the authority expects: try again after `cred-helper login \
                 -p {0}`, and check `client_assertion`",
                printable(profile)
            ))
            .next(["cred-helper", "login", "-p", profile]),
        _ => error,
    }
}

/// Adds the proof for the request that the token is to go with, where that is known and the token is
/// bound to a key (RFC 9449 §7).
fn prove(call: &Call<'_>, credential: Credential) -> Result<Credential, Error> {
    let (Some(kept), Some(url)) = (&credential.proof_key, &call.request.url) else {
        return Ok(credential);
    };
    let target = dpop::Target {
        method: call.request.method.as_deref().unwrap_or("GET"),
        url,
        access_token: Some(&credential.access_token),
    };
    let key = ProofKey::read(kept)?;
    let nonce = call.request.dpop_nonce.as_deref();
    let proof = dpop::proof(&key, target, nonce, &call.context)?;
    Ok(Credential {
        dpop_proof: Some(proof),
        ..credential
    })
}

/// The token itself.
fn token(call: &Call<'_>) -> Result<Credential, Error> {
    let (key, asked) = (call.key(), call.asked_key());
    let now = call.context.clock.now();
    let loaded = call.store.load(&call.context)?;
    let empty = Session::default();
    let (session, damaged) = match &loaded {
        Loaded::Session(session, _) => (session.as_ref(), false),
        Loaded::Absent => (&empty, false),
        // Only under the lock can a second look tell damage from a write that is under way.
        Loaded::Damaged(_) => (&empty, true),
    };
    // Nobody is asked before this look, so that a silent answer never opens the terminal.
    let mut wanted = call.wanted(&key, &asked, false);
    wanted.in_background = background::is_allowed(call);
    match next(session, &wanted, now) {
        Step::Use {
            account,
            token,
            stale,
        } => {
            if let Some(failed) = remembered(session, &wanted, now).filter(|_| stale) {
                warn_of_stale(call, &remember(failed));
            }
            return Ok(call.credential(account, token, CACHE, stale));
        }
        Step::UseAndRefresh { account, token } if background::refresh(call, account, token) => {
            return Ok(call.credential(account, token, CACHE, false));
        }
        Step::UseAndRefresh { .. }
        | Step::Refresh { .. }
        | Step::Silent
        | Step::Grant
        | Step::LoginRequired(_)
        | Step::Remember(_) => {}
    }
    wanted.in_background = false;
    if wanted.force == Force::All {
        let seen = session
            .account(wanted.account)
            .and_then(|account| account.access_token(&key));
        wanted.force = Force::Except(seen.map(|row| row.secret.clone()));
    }
    wanted.may_ask = call.may_ask();
    let result = if damaged {
        prepare(call).and_then(|call| under_lock(&call, &wanted, HasAsked::No))
    } else {
        match next(session, &wanted, now) {
            Step::LoginRequired(reason) => {
                if call.interactive != Interactive::Never && call.store.is_signing_in() {
                    // Somebody is signing in for this session right now; that serves us as well.
                    sign_in::wait_for_another(call, &wanted)
                } else {
                    Err(login_required(call, &reason, session, &wanted))
                }
            }
            Step::Remember(failed) => Err(remember(failed)),
            Step::Grant => prepare(call).and_then(|call| sign_in::sign_in(&call, &wanted)),
            Step::Use { .. } | Step::UseAndRefresh { .. } | Step::Refresh { .. } | Step::Silent => {
                prepare(call).and_then(|call| under_lock(&call, &wanted, HasAsked::No))
            }
        }
    };
    let error = match result {
        Err(error) if error.kind() != ErrorKind::Interrupted => error,
        result => return result,
    };
    instead(call, &wanted, session, error)
}

/// What is answered where a token cannot be had, for this reason: the one that is kept, while it is good.
fn instead(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    seen: &Session,
    error: Error,
) -> Result<Credential, Error> {
    let for_good = error.kind() == ErrorKind::LoginRequired;
    let kept = kept_now(call, seen, &|session| {
        // The attempt may have taken longer than what was kept had left.
        let (account, token) = fallback(session, wanted, for_good, call.context.clock.now())?;
        Some(call.credential(account, token, CACHE, true))
    });
    match kept {
        Some(credential) => {
            warn_of_stale(call, &error);
            Ok(credential)
        }
        None => Err(error),
    }
}

/// What `find` finds in the session as it lies there now: somebody may have signed out since it was
/// `seen`. Where it cannot be read, what was seen counts.
fn kept_now<T>(call: &Call<'_>, seen: &Session, find: &dyn Fn(&Session) -> Option<T>) -> Option<T> {
    match call.store.load(&call.context) {
        Ok(Loaded::Session(session, _)) => find(&session),
        Ok(Loaded::Absent) => None,
        Ok(Loaded::Damaged(_)) | Err(_) => find(seen),
    }
}

/// The token of whoever is acted for, if `grant` does that: the caller's own, else that of its source.
/// It is needed before anything is looked up, since what is kept belongs to it.
///
/// # Errors
/// `usage` where there is none, or the profile acts for nobody; and those of its source.
pub fn assertion(
    profile: &Profile,
    grant: &dyn Grant,
    request: &Request,
    context: &Context<'_>,
) -> Result<Option<Secret>, Error> {
    const KEY: &str = "assertion";
    let usage = |message: &str| {
        let name = &profile.name;
        Error::new(ErrorKind::Usage, format!("profile `{name}` {message}"))
    };
    let own = request.assertion.as_ref();
    let Some(source) = grant.assertion() else {
        return match own {
            // The caller believes that it gets a token of somebody in particular.
            Some(_) => Err(
                usage("acts on behalf of nobody, and was given an `assertion`")
                    .hint("its `grant` has to be `on_behalf_of`"),
            ),
            None => Ok(None),
        };
    };
    let is_from_stdin = *source == SecretSource::StandardInput;
    if let Some(own) = own {
        return Ok(Some(own.clone()));
    }
    if is_from_stdin && !request.hands_over_stdin {
        return Err(
            usage("acts on behalf of a caller, and was given no `assertion`").hint(
                "`cred-helper get` takes it from stdin; in the JSON protocol it is `assertion`",
            ),
        );
    }
    match source.resolve(KEY, context) {
        Ok(assertion) => Ok(Some(assertion)),
        Err(error) if is_from_stdin => Err(usage(
            "acts on behalf of a caller, and was given no `assertion`",
        )
        .because_of(&error)
        .hint("write it to stdin: a token that was issued for this client")),
        Err(error) => Err(error),
    }
}

/// Has the tokens of other profiles at hand that this one needs, before any lock is taken. Where a
/// person signed in for one of them, the call goes on all the same.
fn prepare<'a>(call: &Call<'a>) -> Result<Call<'a>, Error> {
    prepare_client(call)?;
    for other in call.grant.others() {
        // It may be needless: whoever needs it is told why there is none.
        drop(call.context.tokens.token_of(other));
    }
    let is_over = call.context.time_left().is_some_and(|left| left.is_zero());
    Ok(match is_over {
        true => call.within(call.context.with_time_for_a_request()),
        false => *call,
    })
}

/// The same for those that every request to the authority needs.
fn prepare_client(call: &Call<'_>) -> Result<(), Error> {
    for other in call.profile.client.authentication.others() {
        call.context.tokens.token_of(other)?;
    }
    Ok(())
}

/// A token is handed out that should have been refreshed.
fn warn_of_stale(call: &Call<'_>, error: &Error) {
    call.context.warn(&format!(
        "the token of profile `{}` could not be refreshed and is still valid: {error}",
        call.profile.name
    ));
}

/// Whether a person has signed in during this call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HasAsked {
    Yes,
    No,
}

/// Decides again under the session's lock, and does it. A call asks a person once at most.
fn under_lock(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    has_asked: HasAsked,
) -> Result<Credential, Error> {
    let context = &call.context;
    let attention = call.attention();
    let guard = match lock(call, wanted)? {
        Locked::Session(guard) => guard,
        Locked::Brought(credential) => return Ok(*credential),
    };
    let mut session = call.store.load_locked(&guard, context)?;
    let mut wanted = wanted.clone();
    let mut refused: Option<Error> = None;
    let mut request = call.request.clone();
    loop {
        let step = next(&session, &wanted, context.clock.now());
        context.debug(|| format!("profile `{}`: {}", call.profile.name, describe(&step)));
        match step {
            Step::Use {
                account,
                token,
                stale,
            } => {
                if let Some(refused) = refused.as_ref().filter(|_| stale) {
                    warn_of_stale(call, refused);
                }
                return Ok(call.credential(account, token, CACHE, stale));
            }
            Step::UseAndRefresh { account, token } => {
                return Ok(call.credential(account, token, CACHE, false));
            }
            Step::Refresh { refresh_token, .. } => {
                let sent = refresh_token.clone();
                match refresh::refresh(call, &wanted, &mut session, &guard)? {
                    Refreshed::Done(credential) => return Ok(*credential),
                    Refreshed::Refused { error, .. } if has_asked == HasAsked::Yes => {
                        return Err(error.next(call.sign_in_command()));
                    }
                    Refreshed::Refused { error, claims } => {
                        wanted.refused = Some(sent);
                        refused = Some(error);
                        request.claims = claims.or(request.claims);
                    }
                }
            }
            Step::Silent => match sign_in::run_silently(call, &mut session, &guard) {
                Err(error)
                    if error.kind() == ErrorKind::LoginRequired
                        && wanted.asks == Asks::PersonIfNeeded =>
                {
                    wanted.needs_a_person = true;
                    refused = Some(error);
                }
                result => {
                    return result.map_err(|error| match &refused {
                        Some(refused) => error.because_of(refused),
                        None => error,
                    });
                }
            },
            Step::Grant => {
                // Whoever is at a prompt must not hold up refreshes.
                drop((guard, attention));
                let call = &Call {
                    request: &request,
                    ..*call
                };
                return sign_in::sign_in(call, &wanted);
            }
            Step::LoginRequired(reason) => {
                if refused.is_some() && request.claims.is_some() {
                    note_claims(call, &mut session, request.claims, &guard);
                }
                let error = login_required(call, &reason, &session, &wanted);
                return Err(match refused {
                    Some(refused) => error.because_of(&refused),
                    None => error,
                });
            }
            Step::Remember(failed) => return Err(remember(failed)),
        }
    }
}

/// How a wait for the session's lock ended.
enum Locked {
    /// It is held.
    Session(SessionGuard),
    /// Another process has kept what is wanted.
    Brought(Box<Credential>),
}

/// Waits for the session's lock. Of many that wait for one refresh, each takes what it brought as soon as
/// it is there.
fn lock(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Locked, Error> {
    let mut brought = None;
    let guard = call.store.lock_unless(&call.context, &mut |session| {
        if let Step::Use {
            account,
            token,
            stale: false,
        } = next(session, wanted, call.context.clock.now())
        {
            brought = Some(call.credential(account, token, CACHE, false));
        }
        brought.is_some()
    })?;
    let brought = brought.map(|credential| Locked::Brought(Box::new(credential)));
    guard.map(Locked::Session).or(brought).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "BUG: a lock was needless without an answer",
        )
    })
}

/// Keeps the claims that the next sign-in has to satisfy.
fn note_claims(
    call: &Call<'_>,
    session: &mut Session,
    claims: Option<String>,
    guard: &SessionGuard,
) {
    if session.sign_in.claims == claims {
        return;
    }
    session.sign_in.claims = claims;
    if let Err(error) = call.store.save(session, None, guard, &call.context) {
        let context = &call.context;
        context.debug(|| format!("the claims could not be noted: {error}"));
    }
}

/// A step in words that hold no secret.
fn describe(step: &Step<'_>) -> &'static str {
    match step {
        Step::Use { .. } => "another process has a token",
        Step::UseAndRefresh { .. } => "the token is good enough",
        Step::Refresh { .. } => "the token is refreshed",
        Step::Silent => "the grant is asked",
        Step::Grant => "a sign-in is needed",
        Step::LoginRequired(_) => "a sign-in is needed, and nobody is asked",
        Step::Remember(_) => "a refresh failed a moment ago",
    }
}

/// What was answered when a refresh failed, and until when that counts.
fn remember(failed: &Failed) -> Error {
    failed.error.clone().because(format!(
        "that was at {}; the authority is asked again from {} on, or at once with `--force-refresh`",
        failed.at.rfc3339(),
        failed.until.rfc3339()
    ))
}

/// The error for a person who has to sign in elsewhere.
fn login_required(
    call: &Call<'_>,
    reason: &Reason,
    session: &Session,
    wanted: &Wanted<'_>,
) -> Error {
    let name = &call.profile.name;
    let who = call.account().map_or_else(String::new, |account| {
        format!(" as `{}`", printable(account))
    });
    let error = match reason {
        Reason::NobodyToAsk => Error::new(
            ErrorKind::LoginRequired,
            format!("profile `{name}` needs a sign-in{who}, and nobody may be asked here"),
        ),
        Reason::Refused { at, until, what } => {
            let time =
                |time: &Option<Timestamp>| time.map_or_else(|| "?".to_owned(), Timestamp::rfc3339);
            let error = Error::new(
                ErrorKind::LoginRequired,
                format!(
                    "profile `{name}` needs a sign-in{who}; the last one failed at {}, and nobody \
                     is asked again before {}",
                    time(at),
                    time(until)
                ),
            );
            match what {
                Some(what) => error.because(what),
                None => error,
            }
        }
    };
    let error = match remembered(session, wanted, call.context.clock.now()) {
        Some(failed) => error.because_of(&remember(failed)),
        None => error,
    };
    error.next(call.sign_in_command())
}
