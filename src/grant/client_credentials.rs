//! [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4): the client signs in as itself.

use super::{Asks, Entry, Grant, GrantRequest, check_client};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::request::{self, Form};
use crate::oauth::{entra, metadata, response};
use crate::token::TokenSet;

const NAME: &str = "client_credentials";

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "the client signs in as itself: jobs and services",
    keys: &[],
    secrets: &[],
    tokens: &[],
    needless: &[],
    parse: |_| Ok(Box::new(ClientCredentials)),
};

#[derive(Debug)]
struct ClientCredentials;

impl Grant for ClientCredentials {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::Nobody
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
        if entra::is_for_any_tenant(&client.authority) {
            let name = request.profile;
            let message = format!("profile `{name}`: a client signs in as itself in one tenant");
            return Err(Error::new(ErrorKind::Config, message)
                .hint("name the tenant in `authority`, by its id or its domain"));
        }
        let server = metadata::find(client, &[EndpointName::Token], context)?;
        let endpoint = server.endpoint(EndpointName::Token)?;
        let mut form = Form::of_grant(NAME, client);
        // §4.4.2: what is asked for is the client's own; `openid` and the like are a person's.
        form.add("scope", &request.scopes.join(" "));
        form.add_parameters(client, request.claims);
        let answer = request::post(client, &server, endpoint, form, context)?;
        let answer = response::tokens(answer, client, &server, context.clock.now());
        let token_set =
            answer.map_err(|failure| failure.into_error("the client could not sign in"))?;
        // §4.4.3: none is needed, and one would be redeemed in place of the client's credentials.
        Ok(token_set.without_refresh_token())
    }
}
