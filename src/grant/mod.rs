//! One file per grant: how a token set is first obtained.
//!
//! A grant builds requests and reads responses, and touches the world through
//! [`Context`] alone: it knows no store, no profile and no stdout. To add one: a file with a type
//! that implements [`Grant`], and a line in [`GRANTS`].

pub mod authorization_code;
pub mod auto;
mod client_credentials;
pub mod device_code;
mod managed_identity;
mod on_behalf_of;
mod password;
mod person;
pub mod plugin;
mod refresh_token;
mod token_exchange;

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::context::Context;
use crate::credential::Interactive;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::token::{OtherToken, TokenSet};

/// What is asked of a grant.
#[derive(Clone, Debug)]
pub struct GrantRequest<'a> {
    /// The profile's name, for the person.
    pub profile: &'a str,
    /// Scopes that the tool needs.
    pub scopes: &'a [String],
    /// Who should sign in.
    pub account: Option<&'a str>,
    /// The profile's keys, secrets named by their source, for a grant that hands them on.
    pub profile_keys: toml::Table,
    /// A claims request, as JSON text.
    pub claims: Option<&'a str>,
    /// How many seconds the token should be valid at least.
    pub min_valid: Option<i64>,
    /// Whether a person may be asked, for a grant that asks one by itself.
    pub interactive: Interactive,
    /// Whether a code that is shown is put on the clipboard too.
    pub clipboard: bool,
    /// Whether what is cached elsewhere must not be the answer.
    pub force_refresh: bool,
    /// The token that a resource refused, asking for `claims`.
    pub challenged: Option<&'a Secret>,
    /// The refresh token that this grant gave before, if it redeems its own.
    pub refresh_token: Option<&'a Secret>,
    /// The token that it trades, if it acts on behalf of somebody.
    pub assertion: Option<&'a Secret>,
}

impl GrantRequest<'_> {
    /// The claims that the token request of a sign-in repeats. Entra looks for them there too, as in
    /// each request; elsewhere they belong to the authorization request (OpenID Connect Core §5.5).
    fn claims_of_token_request(&self, client: &Client) -> Option<&str> {
        self.claims.filter(|_| client.is_entra())
    }
}

/// Whom a grant asks, which decides where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A person: it runs under the sign-in lock, and only where one may be asked.
    Person,
    /// Nobody: a machine signs in, under the session's lock.
    Nobody,
    /// A person only where it must. It is run under the session's lock first, with
    /// [`Interactive::Never`] and the refresh token that it gave before: nobody else redeems that
    /// one. If it answers `login_required`, it is run once more as one that asks a person.
    PersonIfNeeded,
}

/// A configured grant.
pub trait Grant: Debug {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Whom it asks.
    fn asks(&self) -> Asks;

    /// The tokens of other profiles that it needs.
    fn others(&self) -> Vec<&OtherToken> {
        Vec::new()
    }

    /// Where the refresh token comes from, for a grant that is nothing else: it is taken into the
    /// session once, and redeemed there. Such a grant is never run.
    fn imports(&self) -> Option<&SecretSource> {
        None
    }

    /// Where the token of whoever called the caller comes from, if this grant acts on behalf of them.
    /// What it gives belongs to that token alone.
    fn assertion(&self) -> Option<&SecretSource> {
        None
    }

    /// Whether what it sends is a secret of a person, whose account is locked where a wrong one comes too
    /// often: after a refusal it is left in peace for a while, as a person would be.
    fn is_persons(&self) -> bool {
        false
    }

    /// What of its keys decides where a token may go: part of the session's identity.
    fn identity(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whom the platform that this machine is part of takes a call for, where that decides whose token
    /// it gets: processes of one user may run there as several. It names no secret.
    fn platform(&self, context: &Context<'_>) -> Option<String> {
        let _ = context;
        None
    }

    /// Whether what it gives may depend on the profile's name, so that no two profiles share it.
    fn knows_profile(&self) -> bool {
        false
    }

    /// Whether the profile's authority has issued its tokens. If not, it must not see them.
    fn is_of_authority(&self) -> bool {
        true
    }

    /// Keys of the profile itself that somebody could take for its own, and what to write instead.
    fn misplaced(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The grant that is run: this one, unless it chooses among others. What was done is what an
    /// answer names as its source.
    ///
    /// # Errors
    /// As those of [`Grant::run`].
    fn chosen(&self, client: &Client, context: &Context<'_>) -> Result<&dyn Grant, Error>;

    /// Begins a sign-in that another call finishes. `None`, if this grant has no two steps.
    ///
    /// # Errors
    /// `unavailable` or `config`.
    fn begin(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<Option<Begun>, Error> {
        let _ = (client, request, context);
        Ok(None)
    }

    /// Finishes it: `kept` is what was kept, and `answer` what a person copied.
    ///
    /// # Errors
    /// As those of [`Grant::run`], and `usage` if `answer` is none to what was begun.
    fn finish(
        &self,
        client: &Client,
        kept: &Secret,
        answer: &Secret,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        let _ = (client, kept, answer, context);
        Err(Error::new(
            ErrorKind::Internal,
            "BUG: a sign-in in two steps by a grant that has none",
        ))
    }

    /// Obtains a token set.
    ///
    /// # Errors
    /// `denied`, `login_required` (the code ran out), `unavailable` or `config`.
    fn run(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error>;
}

/// A sign-in that was begun.
pub struct Begun {
    /// Where a person signs in.
    pub url: String,
    /// What finishes it. It holds a secret.
    pub kept: Secret,
}

/// A `grant` table as a profile has it.
#[derive(Debug, Default)]
pub struct Given {
    /// The keys that are what they say.
    pub plain: toml::Table,
    /// The keys that name where a secret or a token comes from.
    pub sources: BTreeMap<String, SecretSource>,
}

/// A grant in the table.
pub struct Entry {
    /// What a profile's `grant` says.
    pub name: &'static str,
    /// One line for the documentation.
    pub summary: &'static str,
    /// Its own keys in the `grant` table. After [`ANY_KEY`] every other key is one, too; a table of
    /// the form `{ env | file | command }` is the source of a secret then.
    pub keys: &'static [&'static str],
    /// Those of them that name where a secret comes from.
    pub secrets: &'static [&'static str],
    /// Those that name where a token comes from, which may be another profile; and the caller's
    /// stdin, if `keys` have it as well.
    pub tokens: &'static [&'static str],
    /// Keys that a profile with this grant can do without.
    pub needless: &'static [&'static str],
    /// Reads its keys; the error is what is wrong with them.
    pub parse: fn(Given) -> Result<Box<dyn Grant>, String>,
}

/// Whether the client can prove who it is, which it has to where it asks in its own name.
fn check_client(client: &Client, profile: &str, grant: &str) -> Result<(), Error> {
    if !client.authentication.is_public() {
        return Ok(());
    }
    let message = format!("profile `{profile}`: `{grant}` needs a client that proves who it is");
    Err(Error::new(ErrorKind::Config, message).hint(
        "add `client_secret`, or a certificate and `client_auth_method`: see docs/profile.md",
    ))
}

/// Stands for any other key among [`Entry::keys`].
pub const ANY_KEY: &str = "*";

/// Every grant, by name.
pub const GRANTS: &[Entry] = &[
    auto::ENTRY,
    authorization_code::ENTRY,
    device_code::ENTRY,
    client_credentials::ENTRY,
    managed_identity::ENTRY,
    token_exchange::ENTRY,
    plugin::ENTRY,
    refresh_token::ENTRY,
    on_behalf_of::ENTRY,
    password::ENTRY,
];
