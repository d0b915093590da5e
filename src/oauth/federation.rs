//! Assertions that somebody else signed for the client
//! ([RFC 7521 §4.2](https://www.rfc-editor.org/rfc/rfc7521#section-4.2)), as authorities take them that
//! trust the platform a job runs on. They live for minutes: each token request has its own.

use serde::Deserialize;

use crate::context::{Context, HttpRequest, Tls};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::system::environment;
use crate::text::printable;

/// The key of a profile that names where an assertion comes from.
pub const KEY: &str = "client_assertion";

/// The audience that Entra expects in the public cloud.
pub const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";

/// Where an assertion comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssertionSource {
    /// A file that the platform keeps new, a variable, a command, another profile.
    Source(SecretSource),
    /// The job's own token of GitHub Actions.
    GithubActions {
        /// For whom it is.
        audience: String,
    },
    /// The job's own token of Azure Pipelines.
    AzurePipelines {
        /// The service connection that the authority trusts.
        service_connection_id: String,
    },
}

impl AssertionSource {
    /// A new assertion.
    ///
    /// # Errors
    /// `config` where something is missing, `denied` or `unavailable` as the platform says, or as a
    /// call for the profile that it comes from.
    pub fn resolve(&self, context: &Context<'_>) -> Result<Secret, Error> {
        match self {
            Self::Source(source) => source.resolve(KEY, context),
            Self::GithubActions { audience } => from_github_actions(audience, context),
            Self::AzurePipelines {
                service_connection_id,
            } => from_azure_pipelines(service_connection_id, context),
        }
    }

    /// The source as a profile file names it.
    pub fn to_toml(&self) -> toml::Value {
        let table = |key: &str, value: toml::Value| {
            toml::Value::from(toml::Table::from_iter([(key.to_owned(), value)]))
        };
        match self {
            Self::Source(source) => source.to_toml(),
            Self::GithubActions { audience } => {
                table("github_actions", table("audience", audience.clone().into()))
            }
            Self::AzurePipelines {
                service_connection_id,
            } => {
                let id = service_connection_id.clone().into();
                table("azure_pipelines", table("service_connection_id", id))
            }
        }
    }
}

/// A platform that signs tokens for its jobs.
struct Platform {
    name: &'static str,
    /// What its job lacks where the variables are missing, and what mends that.
    hint: &'static str,
}

const GITHUB_ACTIONS: Platform = Platform {
    name: "GitHub Actions",
    hint: "the job needs `permissions: id-token: write` in its workflow",
};

const AZURE_PIPELINES: Platform = Platform {
    name: "Azure Pipelines",
    hint: "the step needs `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)` in its pipeline",
};

/// <https://docs.github.com/en/actions/reference/security/oidc>
fn from_github_actions(audience: &str, context: &Context<'_>) -> Result<Secret, Error> {
    #[derive(Deserialize)]
    struct Answer {
        value: Secret,
    }
    let platform = &GITHUB_ACTIONS;
    let url = platform.url(
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        &[("audience", audience)],
        context,
    )?;
    let token = platform.variable(environment::ACTIONS_ID_TOKEN_REQUEST_TOKEN, context)?;
    let request = HttpRequest {
        method: "GET",
        url,
        headers: vec![
            ("accept", Secret::new("application/json; api-version=2.0")),
            ("authorization", Secret::new(format!("bearer {token}"))),
        ],
        body: None,
    };
    let answer: Answer = platform.ask(&request, context)?;
    Ok(answer.value)
}

/// <https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create>
fn from_azure_pipelines(
    service_connection_id: &str,
    context: &Context<'_>,
) -> Result<Secret, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        oidc_token: Secret,
    }
    let platform = &AZURE_PIPELINES;
    let query = [
        ("api-version", "7.1"),
        ("serviceConnectionId", service_connection_id),
    ];
    let url = platform.url("SYSTEM_OIDCREQUESTURI", &query, context)?;
    let token = platform.variable(environment::SYSTEM_ACCESSTOKEN, context)?;
    let request = HttpRequest {
        method: "POST",
        url,
        headers: vec![
            ("accept", Secret::new("application/json")),
            ("authorization", Secret::new(format!("Bearer {token}"))),
            ("content-type", Secret::new("application/json")),
            // Otherwise a token that is refused is answered with a page to sign in at.
            ("x-tfs-fedauthredirect", Secret::new("Suppress")),
        ],
        body: Some(Secret::new("")),
    };
    let answer: Answer = platform.ask(&request, context)?;
    Ok(answer.oidc_token)
}

impl Platform {
    fn failed(&self, kind: ErrorKind, reason: &str) -> Error {
        let name = self.name;
        Error::new(kind, format!("`{KEY}` cannot be had from {name}: {reason}"))
    }

    fn variable(&self, name: &str, context: &Context<'_>) -> Result<String, Error> {
        context.environment.variable(name).ok_or_else(|| {
            let reason = format!("the environment variable `{name}` is not set");
            self.failed(ErrorKind::Config, &reason).hint(self.hint)
        })
    }

    /// The URL in a variable, with further parameters.
    fn url(
        &self,
        name: &str,
        query: &[(&str, &str)],
        context: &Context<'_>,
    ) -> Result<String, Error> {
        let text = self.variable(name, context)?;
        let refused = |problem: &str| {
            self.failed(
                ErrorKind::Config,
                &format!("the URL in `{name}`: {problem}"),
            )
        };
        let endpoint = Endpoint::parse(&text).map_err(&refused)?;
        let mut url = url::Url::parse(endpoint.as_str()).map_err(|_| refused("it is none"))?;
        url.query_pairs_mut().extend_pairs(query);
        Ok(url.into())
    }

    fn ask<A: for<'a> Deserialize<'a>>(
        &self,
        request: &HttpRequest,
        context: &Context<'_>,
    ) -> Result<A, Error> {
        let limit = context.request_limit()?;
        let unavailable = |reason: &str| {
            self.failed(ErrorKind::Unavailable, reason)
                .hint("nothing was lost; try again later")
        };
        let answer = context.http.send(request, &Tls::default(), limit);
        let answer = answer.map_err(|failure| unavailable(&printable(failure.reason())))?;
        let status = answer.status;
        match status {
            200..=299 => serde_json::from_slice(&answer.body)
                .map_err(|_| unavailable("the answer holds no token")),
            // Also a redirect: to a page where a person would sign in.
            300..=499 if !matches!(status, 408 | 429) => {
                let reason = format!("HTTP status {status}");
                Err(self.failed(ErrorKind::Denied, &reason).hint(self.hint))
            }
            _ => Err(unavailable(&format!("HTTP status {status}"))),
        }
    }
}
