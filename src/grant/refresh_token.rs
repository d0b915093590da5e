//! A refresh token that was obtained elsewhere. There is nothing to ask for: it is taken into the
//! session once, and redeemed there as any other
//! ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).

use super::{Asks, Entry, Grant, GrantRequest};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::secret_source::SecretSource;
use crate::token::TokenSet;

const NAME: &str = "refresh_token";

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "a refresh token that was obtained elsewhere is taken once (RFC 6749 §6)",
    keys: &[],
    secrets: &["refresh_token"],
    tokens: &[],
    needless: &[],
    parse: |mut given| match given.sources.remove("refresh_token") {
        Some(source) => Ok(Box::new(RefreshToken(source))),
        None => Err("`refresh_token` needs a `refresh_token`: where it comes from".to_owned()),
    },
};

#[derive(Debug)]
struct RefreshToken(SecretSource);

impl Grant for RefreshToken {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::Nobody
    }

    fn imports(&self) -> Option<&SecretSource> {
        Some(&self.0)
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        vec![(NAME, self.0.identity())]
    }

    fn chosen(&self, _client: &Client, _context: &Context<'_>) -> Result<&dyn Grant, Error> {
        Ok(self)
    }

    fn run(
        &self,
        _client: &Client,
        _request: &GrantRequest<'_>,
        _context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        Err(Error::new(
            ErrorKind::Internal,
            "BUG: a refresh token was redeemed before it was kept",
        ))
    }
}
