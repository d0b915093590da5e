//! Exchanges: a token of a profile for another credential, which a tool needs instead.
//!
//! A protocol asks for one by its name; what it gives is cached like any access token. To add
//! one: a file with a type that implements [`Exchange`], and a line in [`EXCHANGES`].

use crate::context::Context;
use crate::credential::Credential;
use crate::error::Error;
use crate::token::TokenSet;

/// A way to trade a token.
pub trait Exchange: Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Trades `credential` for what `url` wants.
    ///
    /// # Errors
    /// As a grant's.
    fn run(
        &self,
        credential: &Credential,
        url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error>;
}

/// Every exchange, by name.
pub const EXCHANGES: &[&dyn Exchange] = &[];

/// The exchange of that name.
pub fn find(name: &str) -> Option<&'static dyn Exchange> {
    EXCHANGES
        .iter()
        .find(|exchange| exchange.name() == name)
        .copied()
}
