//! Exchanges: a token of a profile for another credential, which a tool needs instead.
//!
//! A profile or its preset says which tool gets one; what it gives is cached like any access token.
//! To add one: a file with a type that implements [`Exchange`], and a line in [`EXCHANGES`].

mod acr;
mod aws;
mod xml;

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::context::Context;
use crate::credential::{Credential, TokenKind};
use crate::error::Error;
use crate::oauth::client::Client;
use crate::token::TokenSet;

/// Why nothing was traded.
pub enum Failure {
    /// The token is of no use: another one may be.
    Token(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Token(error) | Failure::Other(error) => error,
        }
    }
}

/// A configured way to trade a token.
pub trait Exchange: Debug {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Which token it trades; `None` is the one that the profile's tools get.
    fn trades(&self) -> Option<TokenKind> {
        Some(TokenKind::Access)
    }

    /// What decides what it gives, beside the URL: what was traded under another identity is never
    /// handed out.
    fn identity(&self, context: &Context<'_>) -> Vec<(&'static str, String)> {
        let _ = context;
        Vec::new()
    }

    /// How many seconds what it gives must be valid when it is handed out; `None` is as with any
    /// token.
    fn min_valid(&self) -> Option<i64> {
        None
    }

    /// Trades `credential`, a token of `client`, for what `url` wants.
    ///
    /// # Errors
    /// As a grant's.
    fn run(
        &self,
        client: &Client,
        credential: &Credential,
        url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Failure>;
}

/// The table of an exchange in a profile: each key with its text.
pub type Given = BTreeMap<&'static str, String>;

/// What is wrong with a table: keys, each with a reason.
pub type Problems = Vec<(&'static str, String)>;

/// An exchange in the table.
pub struct Entry {
    /// Its name. A preset says it; and the tool of this name gets it, where a profile has a table of
    /// this name.
    pub name: &'static str,
    /// The keys of that table. Without any there is no such table.
    pub keys: &'static [&'static str],
    /// Those of them that must be there.
    pub required: &'static [&'static str],
    /// Reads the table.
    pub parse: fn(&Given) -> Result<Box<dyn Exchange>, Problems>,
}

/// Every exchange, by name.
pub const EXCHANGES: &[Entry] = &[acr::ENTRY, aws::ENTRY];

/// The exchange that `tool` cannot do without: what it gets is never a token.
pub fn needed_by(tool: &str) -> Option<&'static Entry> {
    EXCHANGES
        .iter()
        .find(|entry| entry.name == tool && !entry.keys.is_empty())
}
