//! Azure Container Registry: an Entra access token for a refresh token of the registry, which
//! docker's family sends as a password or as an identity token
//! (<https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>).

use serde::Deserialize;
use url::Url;

use super::{Entry, Exchange, Failure as Untraded};
use crate::context::{Context, HttpRequest, HttpResponse, Tls};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::oauth::id_token;
use crate::oauth::request::Form;
use crate::oauth::response::{Failure, without_secrets};
use crate::secret::Secret;
use crate::text::printable;
use crate::token::TokenSet;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    keys: &[],
    required: &[],
    parse: |_| Ok(Box::new(Acr)),
};

const NAME: &str = "acr";

/// A preset has it, and nothing about it is to be said.
#[derive(Debug)]
struct Acr;

/// What the registry answers. Its refresh token is what a client of the registry is given.
#[derive(Deserialize)]
struct Answer {
    refresh_token: String,
}

/// What it answers where it refuses
/// (<https://distribution.github.io/distribution/spec/api/#errors>).
#[derive(Deserialize)]
struct Refusal {
    errors: Vec<RefusalReason>,
}

#[derive(Deserialize)]
struct RefusalReason {
    code: String,
    #[serde(default)]
    message: String,
}

impl Exchange for Acr {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run(
        &self,
        client: &Client,
        credential: &Credential,
        url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Untraded> {
        let (endpoint, service) = endpoint_of(url)?;
        let mut form = Form::new("grant_type", "access_token");
        form.add("service", &service);
        form.add_secret("access_token", credential.access_token.clone());
        let request = HttpRequest {
            method: "POST",
            url: endpoint.as_str().to_owned(),
            headers: vec![
                ("accept", Secret::new("application/json")),
                (
                    "content-type",
                    Secret::new("application/x-www-form-urlencoded"),
                ),
            ],
            body: Some(form.encode()),
        };
        let doing = format!("the registry `{service}` did not exchange the token");
        let limit = context.request_limit()?;
        // The certificate is for the authority, and the registry is another server.
        let tls = Tls {
            client_certificate: None,
            ..client.tls.clone()
        };
        let response = context
            .http
            .send(&request, &tls, limit)
            .map_err(|failure| match failure.of_network() {
                Ok(failure) => Failure::from(failure).into_error(&doing),
                Err(error) => error,
            })?;
        context.debug(|| {
            let status = response.status;
            format!("{endpoint} answered with HTTP status {status}")
        });
        let token = std::slice::from_ref(&credential.access_token);
        read(&without_secrets(response, token), &doing, context)
    }
}

/// Where the token goes: the registry itself, which the profile names, and no realm that it sends
/// us to.
fn endpoint_of(url: Option<&str>) -> Result<(Endpoint, String), Error> {
    let no_registry = || {
        Error::new(
            ErrorKind::Usage,
            "a token is exchanged by a registry, and none is named",
        )
    };
    let registry = url
        .and_then(|url| Url::parse(url).ok())
        .ok_or_else(no_registry)?;
    let host = registry.host_str().ok_or_else(no_registry)?;
    let service = match registry.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let endpoint = format!("{}://{service}/oauth2/exchange", registry.scheme());
    let endpoint = Endpoint::parse(&endpoint).map_err(|reason| no_registry().because(reason))?;
    Ok((endpoint, service))
}

fn read(response: &HttpResponse, doing: &str, context: &Context<'_>) -> Result<TokenSet, Untraded> {
    let status = response.status;
    let unusable = |reason: &str| {
        Error::new(ErrorKind::Unavailable, doing)
            .because(reason)
            .hint("nothing was lost; try again later")
    };
    match status {
        200 => {}
        408 | 429 | 500..=599 => return Err(unusable(&format!("HTTP status {status}")).into()),
        _ => return Err(Untraded::Token(refused(response, doing))),
    }
    let Ok(Answer { refresh_token }) = serde_json::from_slice(&response.body) else {
        return Err(unusable("its answer holds no refresh token").into());
    };
    let is_sendable = |token: &str| token.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if refresh_token.is_empty() || !is_sendable(&refresh_token) {
        return Err(unusable("its refresh token cannot be sent").into());
    }
    let now = context.clock.now();
    Ok(TokenSet {
        expires_at: id_token::expires_at(&refresh_token, now),
        ..TokenSet::of_access_token(Secret::new(refresh_token), "Bearer", now)
    })
}

fn refused(response: &HttpResponse, doing: &str) -> Error {
    let error =
        Error::new(ErrorKind::Denied, doing).because(format!("HTTP status {}", response.status));
    let error = match serde_json::from_slice::<Refusal>(&response.body) {
        Ok(refusal) => refusal.errors.iter().fold(error, |error, reason| {
            error.because(printable(&format!("{}: {}", reason.code, reason.message)))
        }),
        Err(_) => error,
    };
    if response.status == 404 {
        return error.hint("the preset `acr` is for an Azure Container Registry alone");
    }
    error.hint("the account needs a role at the registry, such as AcrPull or AcrPush")
}

#[cfg(test)]
mod tests {
    use super::endpoint_of;

    #[test]
    fn a_token_is_traded_by_the_registry_alone() {
        for (url, expected) in [
            (
                "https://r.azurecr.io",
                Some(("https://r.azurecr.io/oauth2/exchange", "r.azurecr.io")),
            ),
            (
                "https://r.azurecr.io/team/app?x",
                Some(("https://r.azurecr.io/oauth2/exchange", "r.azurecr.io")),
            ),
            (
                "http://127.0.0.1:5000/",
                Some(("http://127.0.0.1:5000/oauth2/exchange", "127.0.0.1:5000")),
            ),
            ("http://r.azurecr.io/", None),
            ("r.azurecr.io", None),
        ] {
            let found = endpoint_of(Some(url)).ok();
            let found = found
                .as_ref()
                .map(|(endpoint, service)| (endpoint.as_str(), service.as_str()));
            assert_eq!(found, expected, "{url}");
        }
        assert!(endpoint_of(None).is_err());
    }
}
