//! The default: the way to sign in that works on this machine.

use super::device_code::DeviceCode;
use super::{Entry, Grant, GrantRequest};
use crate::context::Context;
use crate::error::Error;
use crate::oauth::client::Client;
use crate::token::TokenSet;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "auto",
    summary: "the way to sign in that works here: the device code",
    keys: &[],
    parse: |_| Ok(Box::new(Auto)),
};

/// Chooses among the grants that ask a person.
#[derive(Debug)]
struct Auto;

impl Grant for Auto {
    fn name(&self) -> &'static str {
        // What was done is what an answer names as its source.
        DeviceCode.name()
    }

    fn asks_a_person(&self) -> bool {
        true
    }

    fn run(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        DeviceCode.run(client, request, context)
    }
}
