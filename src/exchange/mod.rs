//! Exchanges: a token of a profile for another credential, which a tool needs instead.
//!
//! A profile or its preset says which tool gets one; what it gives is cached like any access token.
//! To add one: a file with a type that implements [`Exchange`], and a line in [`EXCHANGES`].

mod acr;

use crate::context::Context;
use crate::credential::Credential;
use crate::error::Error;
use crate::oauth::client::Client;
use crate::token::TokenSet;

/// A way to trade a token.
pub trait Exchange: Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Trades `credential`, a token of `client`, for what `url` wants. Where that refuses the token,
    /// the error is `denied`.
    ///
    /// # Errors
    /// As a grant's.
    fn run(
        &self,
        client: &Client,
        credential: &Credential,
        url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error>;
}

/// Every exchange, by name.
pub const EXCHANGES: &[&dyn Exchange] = &[&acr::Acr];

/// The exchange of that name.
pub fn find(name: &str) -> Option<&'static dyn Exchange> {
    EXCHANGES
        .iter()
        .find(|exchange| exchange.name() == name)
        .copied()
}
