//! The default: the way to sign in that works on this machine.

use super::authorization_code::{self, AuthorizationCode};
use super::device_code::DeviceCode;
use super::{Asks, Begun, Entry, Grant, GrantRequest};
use crate::context::Context;
use crate::error::Error;
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::metadata;
use crate::text::printable;
use crate::token::TokenSet;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "auto",
    summary: "the browser where there is one, else the device code, else a page on another machine",
    keys: authorization_code::KEYS,
    secrets: &[],
    tokens: &[],
    needless: &[],
    parse: |given| {
        let browser = AuthorizationCode::parse(given.plain)?;
        Ok(Box::new(Auto {
            browser,
            device: DeviceCode::SHOWN,
            opened_device: DeviceCode::OPENED,
        }))
    },
};

/// Chooses among the grants that ask a person.
#[derive(Debug)]
struct Auto {
    browser: AuthorizationCode,
    device: DeviceCode,
    opened_device: DeviceCode,
}

impl Grant for Auto {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn asks(&self) -> Asks {
        Asks::Person
    }

    fn chosen(&self, client: &Client, context: &Context<'_>) -> Result<&dyn Grant, Error> {
        let server = metadata::find(client, &[EndpointName::Token], context)?;
        let has = |name| server.endpoints.get(name).is_some();
        let found = has(EndpointName::Authorization).then(|| context.browser.found());
        let (chosen, reason): (&dyn Grant, _) = match found {
            None => {
                let reason = "the authority has no authorization endpoint";
                (&self.opened_device, reason.to_owned())
            }
            Some(Ok(found)) => (&self.browser, format!("there is a browser: {found}")),
            Some(Err(reason)) if has(EndpointName::DeviceAuthorization) => {
                (&self.device, format!("no browser: {reason}"))
            }
            Some(Err(reason)) => {
                let reason = format!("no browser: {reason}; and the authority has no device code");
                (&self.browser, reason)
            }
        };
        context.debug(|| {
            let reason = printable(&reason);
            format!("the sign-in is by `{}`: {reason}", chosen.name())
        });
        Ok(chosen)
    }

    fn begin(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<Option<Begun>, Error> {
        self.browser.begin(client, request, context)
    }

    fn run(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        self.chosen(client, context)?.run(client, request, context)
    }
}
