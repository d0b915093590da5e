//! A service acts on behalf of whoever called it: the token that they came with is traded for one of
//! another service ([RFC 7523 §2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1), as
//! [Entra](https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow) wants it).

use super::{Asks, Entry, Grant, GrantRequest, check_client};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::metadata;
use crate::oauth::request::{self, Form};
use crate::oauth::response::{self, Failure};
use crate::secret_source::SecretSource;
use crate::text::printable;
use crate::token::TokenSet;

const NAME: &str = "on_behalf_of";

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "a service acts on behalf of whoever called it (RFC 7523, Entra)",
    keys: &["assertion"],
    secrets: &[],
    tokens: &["assertion"],
    needless: &[],
    parse: |mut given| match given.sources.remove("assertion") {
        Some(source) => Ok(Box::new(OnBehalfOf(source))),
        None => Err(
            "`on_behalf_of` needs an `assertion`: where the caller's token comes from, as \
             `{ stdin = true }`"
                .to_owned(),
        ),
    },
};

/// `grant_type` of the token request, RFC 7523 §2.1.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

#[derive(Debug)]
struct OnBehalfOf(SecretSource);

impl Grant for OnBehalfOf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::Nobody
    }

    fn assertion(&self) -> Option<&SecretSource> {
        Some(&self.0)
    }

    fn chosen(&self, _client: &Client, _context: &Context<'_>) -> Result<&dyn Grant, Error> {
        Ok(self)
    }

    fn run(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        check_client(client, request.profile, NAME)?;
        let assertion = request
            .assertion
            .ok_or_else(|| Error::new(ErrorKind::Internal, "BUG: nobody to act on behalf of"))?;
        let server = metadata::find(client, &[EndpointName::Token], context)?;
        let endpoint = server.endpoint(EndpointName::Token)?;
        let mut form = Form::of_grant(GRANT_TYPE, client);
        form.add("requested_token_use", "on_behalf_of");
        form.add_secret("assertion", assertion.clone());
        let scopes = metadata::scopes_to_ask(client, &server, request.scopes);
        form.add("scope", &scopes.join(" "));
        form.add_parameters(client, request.claims);
        let answer = request::post(client, &server, endpoint, form, context)?;
        let answer = response::tokens(answer, client, &server, context.clock.now());
        let token_set = answer.map_err(refused)?;
        // Whoever is acted for comes with a token each time. Without one nobody acts for them.
        Ok(token_set.without_refresh_token())
    }
}

/// Where the caller has to sign in, they have to be told for what; a token that is of no use is no
/// matter of a sign-in here.
fn refused(failure: Failure) -> Error {
    let claims = match &failure {
        Failure::Refused { claims, .. } => claims.clone(),
        Failure::RefusedSilently { .. } | Failure::Trouble { .. } | Failure::Unusable { .. } => {
            None
        }
    };
    let error = failure.into_error("nobody can be acted for");
    let said = error.oauth_error();
    let is_of_caller = said.is_some_and(|said| said.suberror.is_some())
        || said.is_some_and(|said| said.error != "invalid_grant");
    if error.kind() != ErrorKind::LoginRequired {
        return error;
    }
    let error = match claims {
        Some(claims) => error.because(format!(
            "the caller's sign-in has to satisfy the claims `{}`",
            printable(&claims)
        )),
        None => error,
    };
    if is_of_caller {
        error.hint(
            "whoever is acted for has to sign in to the service that calls, and then call again",
        )
    } else {
        error.with_kind(ErrorKind::Denied).hint(
            "the `assertion` may have run out, or be meant for another service: it has to be a \
             token that was issued for this client",
        )
    }
}
