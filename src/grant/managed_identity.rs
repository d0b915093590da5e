//! [Managed identities](https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/):
//! Azure knows what runs on it, and gives it tokens without any secret of ours.
//!
//! [`host`] is the table of the services that answer, one for each kind of place in Azure; [`answer`]
//! reads what they say. To add one: a line in the table, and its words in the test of that.

mod answer;
mod host;

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use self::host::{Found, Host};
use super::{Asks, Entry, Given, Grant, GrantRequest};
use crate::claims;
use crate::context::{Context, HttpFailure, HttpRequest, HttpResponse, Tls};
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::secret::Secret;
use crate::system::arc;
use crate::text::printable;
use crate::token::TokenSet;

const NAME: &str = "managed_identity";

/// How often is a request sent that the service cannot answer now?
const MOST_TRIES: u32 = 5;
/// How long after the first try comes the second? Each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(800);
/// How long is waited for a service that is being updated (410), before it is asked again? It says that
/// it is back within 70 seconds.
const WAIT_FOR_UPDATE: Duration = Duration::from_secs(10);
/// How often is that waited?
const MOST_WAITS_FOR_UPDATE: u32 = 7;

/// How long is waited at most, if the service says when it is to be asked again?
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "what runs on Azure signs in as itself, without a secret",
    keys: &["client_id", "resource_id", "object_id"],
    secrets: &[],
    tokens: &[],
    needless: &["client_id", "authority"],
    parse,
};

/// How an identity is named that was assigned by a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdKind {
    Client,
    Resource,
    Object,
}

impl IdKind {
    const ALL: [Self; 3] = [Self::Client, Self::Resource, Self::Object];

    /// The key of the `grant` table.
    const fn key(self) -> &'static str {
        match self {
            Self::Client => "client_id",
            Self::Resource => "resource_id",
            Self::Object => "object_id",
        }
    }
}

#[derive(Debug)]
struct ManagedIdentity {
    /// The identity; that of the machine itself, if there is none.
    id: Option<(IdKind, String)>,
}

fn parse(given: Given) -> Result<Box<dyn Grant>, String> {
    let mut ids = Vec::new();
    for kind in IdKind::ALL {
        let Some(value) = given.plain.get(kind.key()) else {
            continue;
        };
        match value.as_str() {
            Some(id) if !id.is_empty() && !id.contains(char::is_whitespace) => {
                ids.push((kind, id.to_owned()));
            }
            _ => return Err(format!("`{}` is no id", kind.key())),
        }
    }
    if ids.len() > 1 {
        return Err("an identity has one of `client_id`, `resource_id` and `object_id`".to_owned());
    }
    Ok(Box::new(ManagedIdentity { id: ids.pop() }))
}

impl Grant for ManagedIdentity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::Nobody
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let named = |(kind, id): &(IdKind, String)| match kind {
            IdKind::Client => ("identity_client_id", id.clone()),
            IdKind::Resource => ("identity_resource_id", id.clone()),
            IdKind::Object => ("identity_object_id", id.clone()),
        };
        self.id.iter().map(named).collect()
    }

    fn platform(&self, context: &Context<'_>) -> Option<String> {
        // Where the variables are wrong, nothing is handed out, and whoever asks says what is wrong.
        let found = host::find(context.environment).ok();
        Some(found.map_or_else(String::new, |found| found.identity()))
    }

    fn is_of_authority(&self) -> bool {
        false
    }

    fn misplaced(&self) -> &'static [(&'static str, &'static str)] {
        &[(
            "client_id",
            "a managed identity is named in the `grant` table: \
             `grant = { type = \"managed_identity\", client_id = \"…\" }`",
        )]
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
        let attempt = Attempt {
            profile: request.profile,
            id: self.id.as_ref(),
            ca_file: client.tls.ca_file.as_ref(),
            found: host::find(context.environment).map_err(|problem| failed(request, &problem))?,
            context,
        };
        let Found { host, because, .. } = &attempt.found;
        context.debug(|| format!("managed identity of {}: {because}", host.name));
        let sent = attempt.request(resource(request)?, request)?;
        let mut response = attempt.send(&sent)?;
        if host.wants_key_of_agent {
            response = attempt.send(&attempt.with_key(sent, &response)?)?;
        }
        answer::read(&response, &attempt, client)
    }
}

fn failed(request: &GrantRequest<'_>, problem: &str) -> Error {
    let name = request.profile;
    Error::new(ErrorKind::Config, format!("profile `{name}`: {problem}"))
}

/// The resource that the scopes name.
fn resource<'r>(request: &GrantRequest<'r>) -> Result<&'r str, Error> {
    let mut resources = request.scopes.iter().map(|scope| {
        let scope = scope.as_str();
        scope.strip_suffix("/.default").unwrap_or(scope)
    });
    let first = resources.next().filter(|resource| !resource.is_empty());
    match first {
        Some(first) if resources.all(|other| other == first) => Ok(first),
        _ => Err(failed(
            request,
            "a managed identity gets a token for one resource at a time",
        )
        .hint("name one in `scopes`: `scopes = [\"https://management.azure.com/.default\"]`")),
    }
}

/// One call for a token, at the service that was found.
struct Attempt<'a> {
    profile: &'a str,
    id: Option<&'a (IdKind, String)>,
    /// Certificate authorities for a service that has https.
    ca_file: Option<&'a PathBuf>,
    found: Found,
    context: &'a Context<'a>,
}

impl Attempt<'_> {
    fn host(&self) -> &'static Host {
        self.found.host
    }

    fn error(&self, kind: ErrorKind, problem: &str) -> Error {
        let (profile, host) = (self.profile, self.host().name);
        Error::new(
            kind,
            format!("profile `{profile}`: the managed identity of {host} {problem}"),
        )
    }

    fn request(&self, resource: &str, asked: &GrantRequest<'_>) -> Result<HttpRequest, Error> {
        let host = self.host();
        let mut parameters = vec![("resource", resource)];
        if let Some(version) = host.api_version {
            parameters.insert(0, ("api-version", version));
        }
        if let Some((kind, id)) = self.id {
            let parameter = host.parameter(*kind).ok_or_else(|| {
                let key = kind.key();
                let error = self.error(
                    ErrorKind::Config,
                    &format!("cannot be chosen by `{key}` (`{id}`)"),
                );
                error.hint(host.advice_on_ids())
            })?;
            parameters.push((parameter, id));
        }
        let capabilities = asked.claims.map(claims::capabilities).unwrap_or_default();
        let capabilities = capabilities.join(",");
        let challenged = asked
            .challenged
            .map(|token| digest(token.expose().as_bytes()));
        if host.takes_challenges {
            let challenged = challenged.as_deref().unwrap_or_default();
            let further = [
                ("token_sha256_to_refresh", challenged),
                ("xms_cc", &capabilities),
            ];
            parameters.extend(further.into_iter().filter(|(_, value)| !value.is_empty()));
        }
        let mut headers = Vec::new();
        if host.wants_metadata_header {
            headers.push(("metadata", Secret::new("true")));
        }
        if let Some((header, secret)) = &self.found.secret {
            headers.push((*header, secret.clone()));
        }
        let mut url = Url::parse(self.found.endpoint.as_str())
            .map_err(|error| Error::new(ErrorKind::Internal, format!("BUG: {error}")))?;
        let body = if host.is_posted {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            let body = form.extend_pairs(parameters).finish();
            let kind = Secret::new("application/x-www-form-urlencoded");
            headers.push(("content-type", kind));
            Some(Secret::new(body))
        } else {
            url.query_pairs_mut().extend_pairs(parameters);
            None
        };
        Ok(HttpRequest {
            method: if body.is_some() { "POST" } else { "GET" },
            url: url.into(),
            headers,
            body,
        })
    }

    /// Sends a request until it is answered for good, or there is no time left.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
        let tls = Tls {
            ca_file: self.ca_file.cloned(),
            thumbprint: self.found.thumbprint,
            is_of_platform: true,
            ..Tls::default()
        };
        let context = self.context;
        let (mut tries, mut updates) = (0, 0);
        loop {
            let answer = context.http.send(request, &tls, context.request_limit()?);
            let endpoint = &self.found.endpoint;
            context.debug(|| match &answer {
                Ok(response) => format!("{endpoint} answered with HTTP status {}", response.status),
                Err(failure) => format!("{endpoint}: {}", printable(failure.reason())),
            });
            let wait = match &answer {
                Ok(response) if response.status == 410 && self.host().comes_and_goes => {
                    updates += 1;
                    if updates == 1 {
                        context.inform(
                            "waiting for the service of managed identities, which is being updated",
                        );
                    }
                    (updates <= MOST_WAITS_FOR_UPDATE).then_some(WAIT_FOR_UPDATE)
                }
                Ok(response) if self.host().is_trouble(response.status) => {
                    tries += 1;
                    let asked = response.retry_after().map(Duration::from_secs);
                    next_wait(tries).map(|wait| wait.max(asked.unwrap_or_default()))
                }
                Err(HttpFailure::NotAnswered(_)) => {
                    tries += 1;
                    next_wait(tries)
                }
                Ok(_) | Err(HttpFailure::NotSent(_) | HttpFailure::Misconfigured(_)) => None,
            };
            match wait {
                Some(wait)
                    if wait <= LONGEST_WAIT
                        && context.time_left().is_none_or(|left| left > wait) =>
                {
                    context.clock.sleep(wait)?;
                }
                _ => return answer.map_err(|failure| self.unreachable(&failure)),
            }
        }
    }

    fn unreachable(&self, failure: &HttpFailure) -> Error {
        let Found {
            endpoint, because, ..
        } = &self.found;
        let reason = format!("{endpoint}: {}", printable(failure.reason()));
        if self.found.is_known {
            self.error(ErrorKind::Unavailable, "cannot be asked")
                .because(because)
                .because(reason)
                .hint("nothing was lost; try again later")
        } else {
            let name = self.profile;
            let message = format!("profile `{name}`: no managed identity was found here");
            Error::new(ErrorKind::Unavailable, message)
                .because(because)
                .because(reason)
                .hint(
                    "this profile is for machines in Azure, and those that Azure Arc connects; \
                     elsewhere use another `grant`",
                )
        }
    }

    /// The request once more, with the key that the agent names: who can read that file may have the
    /// machine's tokens.
    fn with_key(
        &self,
        mut request: HttpRequest,
        response: &HttpResponse,
    ) -> Result<HttpRequest, Error> {
        if response.status != 401 {
            return Err(answer::error(response, self));
        }
        let challenge = response.header("www-authenticate").unwrap_or_default();
        let named = realm(challenge).ok_or_else(|| {
            self.error(ErrorKind::Unavailable, "does not say where its key is")
                .because(format!("`WWW-Authenticate: {challenge}`"))
        })?;
        let key = arc::key(named, self.context.environment).map_err(|reason| {
            self.error(ErrorKind::Denied, "cannot be shown its key")
                .because(reason)
                .hint("be a member of the group `himds`, or an administrator")
        })?;
        let proof = Secret::new(format!("Basic {}", key.expose()));
        request.headers.push(("authorization", proof));
        Ok(request)
    }
}

/// How long until the next try, after so many of them; `None` after the last.
fn next_wait(tries: u32) -> Option<Duration> {
    (tries < MOST_TRIES).then(|| FIRST_WAIT * 2_u32.pow(tries - 1))
}

/// The realm of a `Basic` challenge, quoted or not.
fn realm(challenge: &str) -> Option<&str> {
    let (scheme, rest) = challenge.trim().split_once(' ')?;
    let (name, realm) = rest.trim().split_once('=')?;
    let realm = realm.trim().trim_matches('"');
    let is_basic = scheme.eq_ignore_ascii_case("basic") && name.eq_ignore_ascii_case("realm");
    (is_basic && !realm.is_empty()).then_some(realm)
}
