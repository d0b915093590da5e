//! What a token endpoint answers
//! ([RFC 6749 §5.1, §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)), in every dialect:
//! errors under any status, numbers as strings, scopes with commas.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::claims;
use crate::context::{HttpFailure, HttpResponse};
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind, OAuthError};
use crate::oauth::client::Client;
use crate::oauth::dpop;
use crate::oauth::entra;
use crate::oauth::id_token;
use crate::oauth::metadata::Server;
use crate::secret::Secret;
use crate::text::printable;
use crate::token::{NOT_APPLICABLE, Timestamp, TokenSet};

/// `token_type` of usual tokens (RFC 6750 §4).
pub const BEARER: &str = "Bearer";

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The authority answered with an error.
    Refused {
        /// What it said.
        said: Box<OAuthError>,
        /// The new `interval` in seconds, as GitHub sends it with `slow_down`.
        interval: Option<u64>,
        /// The claims that a sign-in has to satisfy, JSON, as Entra names them.
        claims: Option<String>,
    },
    /// The authority refused, and did not say why: a status of 400, 401 or 403 and an empty body,
    /// as some servers answer a dead refresh token or a wrong client secret.
    RefusedSilently {
        /// The status.
        status: u16,
    },
    /// The authority, or something on the way, is in trouble; nothing is decided.
    Trouble {
        /// What happened.
        reason: String,
        /// Whether the request can have had its effect although no answer was read.
        may_have_happened: bool,
        /// What `Retry-After` asked for, in seconds.
        retry_after: Option<u64>,
        /// Whether it is asked too often, or by too many: 429, and what Entra says of that.
        is_throttling: bool,
        /// The error in the answer, if there was one.
        said: Option<Box<OAuthError>>,
    },
    /// The answer was read, and is none that we can use.
    Unusable {
        /// Why.
        reason: String,
        /// The refresh token in it, which is good all the same: it may have replaced another.
        refresh_token: Option<Secret>,
    },
}

impl Failure {
    /// The error that a caller sees; `doing` says what failed: "the token could not be refreshed".
    pub fn into_error(self, doing: &str) -> Error {
        match self {
            Self::Refused { said, .. } => {
                let error = Error::new(refusal_kind(&said), doing);
                match hint(&said) {
                    Some(hint) => error.oauth(*said).hint(hint),
                    None => error.oauth(*said),
                }
            }
            Self::RefusedSilently { status } => Error::new(ErrorKind::Denied, doing)
                .because(format!(
                    "the authority answered with HTTP status {status} and did not say why"
                ))
                .hint(CHECK_CLIENT),
            Self::Trouble {
                reason,
                retry_after,
                is_throttling,
                said,
                may_have_happened: _,
            } => {
                /// In how many seconds is one who asks too often to ask again, if that is not said?
                const A_WHILE: u64 = 10;
                let hint = trouble_hint(&reason).unwrap_or("nothing was lost; try again later");
                let error = Error::new(ErrorKind::Unavailable, doing)
                    .because(reason)
                    .retry_after(retry_after.or(is_throttling.then_some(A_WHILE)));
                match said {
                    Some(said) => error.oauth(*said),
                    None => error,
                }
                .hint(hint)
            }
            Self::Unusable { reason, .. } => Error::new(ErrorKind::Denied, doing).because(reason),
        }
    }
}

impl From<HttpFailure> for Failure {
    fn from(failure: HttpFailure) -> Self {
        let may_have_happened = matches!(failure, HttpFailure::NotAnswered(_));
        Self::Trouble {
            reason: printable(failure.reason()),
            may_have_happened,
            retry_after: None,
            is_throttling: false,
            said: None,
        }
    }
}

/// What to do about trouble that waiting will not mend.
pub fn trouble_hint(reason: &str) -> Option<&'static str> {
    // The words of rustls, which checks certificates.
    if reason.contains("invalid peer certificate") {
        return Some(
            "nothing was lost; if your network inspects TLS, name the file of its certificate \
             authority: `tls = { ca_file = \"…\" }` in the profile",
        );
    }
    reason.contains("received fatal alert").then_some(
        "nothing was lost; the authority may want a certificate, or another one: check \
         `client_certificate` in `tls` of the profile, and whether it has expired",
    )
}

/// What to do where the client may be the matter.
pub const CHECK_CLIENT: &str = "check the profile's `client_id`, and how the client authenticates: \
                            `client_secret`, or the certificate, key or assertion in its place, \
                            `client_auth_method`, `client_basic_encoding`, `client_certificate` \
                            in `tls`";

/// What to do about a refusal, where it is something else than signing in.
fn hint(said: &OAuthError) -> Option<&'static str> {
    entra::hint(said).or(match said.error.as_str() {
        // GitHub says `incorrect_client_credentials`.
        "invalid_client" | "incorrect_client_credentials" => Some(CHECK_CLIENT),
        "unauthorized_client" => Some(
            "check the profile's `client_id`, how the client authenticates, and that it is \
             registered for its `grant`",
        ),
        "device_flow_disabled" => {
            Some("enable the device flow in the settings of the app, then sign in again")
        }
        "invalid_scope" => Some("check the profile's `scopes`"),
        "invalid_target" => Some("check the profile's `resource` and `audience`"),
        "invalid_dpop_proof" => Some(
            "check the clock of this machine, and whether the authority knows its own address as the \
             profile does",
        ),
        _ => None,
    })
}

/// Whether a refused refresh token is of no use any more, so that it can be forgotten. After
/// anything else a sign-in may make it good again, or it is good for other scopes.
pub fn ends_refresh_token(said: &OAuthError) -> bool {
    match said.error.as_str() {
        "invalid_grant" => entra::ends_refresh_token(said),
        // GitHub and Slack.
        "bad_refresh_token" | "invalid_refresh_token" => true,
        _ => false,
    }
}

/// Whether the authority refuses the way in which somebody signs in, and may take another: a client
/// that is not registered for it, or conditional access.
pub fn refuses_the_way(said: &OAuthError) -> bool {
    entra::is_policy(&said.error_codes)
        || said.error_codes.contains(&7_000_218)
        || matches!(
            said.error.as_str(),
            "unauthorized_client" | "unsupported_grant_type" | "device_flow_disabled"
        )
}

/// Whether a policy of the authority refuses, and neither the client nor what it asked for is wrong.
pub fn is_policy(said: &OAuthError) -> bool {
    entra::is_policy(&said.error_codes)
        || entra::is_beyond_a_sign_in(said)
        // Okta, where a policy of the application or of the authority says no.
        || said.error == "access_denied"
}

/// What a refusal means for a caller.
fn refusal_kind(said: &OAuthError) -> ErrorKind {
    if is_policy(said) {
        return ErrorKind::Denied;
    }
    match said.error.as_str() {
        "invalid_grant"
        | "bad_refresh_token"
        | "invalid_refresh_token"
        | "interaction_required"
        | "login_required"
        | "consent_required"
        | "expired_token" => ErrorKind::LoginRequired,
        _ => ErrorKind::Denied,
    }
}

/// The answer's members, those we know.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    #[serde(deserialize_with = "secret")]
    access_token: Option<Secret>,
    #[serde(deserialize_with = "text")]
    token_type: Option<String>,
    #[serde(deserialize_with = "seconds")]
    expires_in: Option<i64>,
    #[serde(deserialize_with = "seconds")]
    refresh_in: Option<i64>,
    #[serde(deserialize_with = "secret")]
    refresh_token: Option<Secret>,
    #[serde(deserialize_with = "seconds")]
    refresh_expires_in: Option<i64>,
    /// The same in GitHub's words.
    #[serde(deserialize_with = "seconds")]
    refresh_token_expires_in: Option<i64>,
    #[serde(deserialize_with = "secret")]
    id_token: Option<Secret>,
    #[serde(deserialize_with = "text")]
    scope: Option<String>,
    #[serde(deserialize_with = "text")]
    client_info: Option<String>,
    #[serde(deserialize_with = "text")]
    foci: Option<String>,
    #[serde(deserialize_with = "text")]
    issued_token_type: Option<String>,
}

/// The members of an error response.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(deserialize_with = "text")]
    error: Option<String>,
    #[serde(deserialize_with = "text")]
    error_description: Option<String>,
    #[serde(deserialize_with = "numbers")]
    error_codes: Vec<i64>,
    #[serde(deserialize_with = "text")]
    suberror: Option<String>,
    /// The same in Google's words.
    #[serde(deserialize_with = "text")]
    error_subtype: Option<String>,
    /// What Okta says instead of `error` where a request fails before OAuth begins.
    #[serde(deserialize_with = "text", rename = "errorCode")]
    error_code: Option<String>,
    #[serde(deserialize_with = "text", rename = "errorSummary")]
    error_summary: Option<String>,
    #[serde(deserialize_with = "text")]
    correlation_id: Option<String>,
    #[serde(deserialize_with = "text")]
    trace_id: Option<String>,
    #[serde(deserialize_with = "seconds")]
    interval: Option<i64>,
    #[serde(deserialize_with = "text")]
    claims: Option<String>,
}

impl Refusal {
    fn into_error(self) -> Option<OAuthError> {
        let shown = |text: Option<String>| text.map(|text| printable(&text));
        Some(OAuthError {
            error: shown(self.error.or(self.error_code)).filter(|error| !error.is_empty())?,
            error_description: shown(self.error_description.or(self.error_summary)),
            error_codes: self.error_codes,
            suberror: shown(self.suberror.or(self.error_subtype)),
            correlation_id: shown(self.correlation_id),
            trace_id: shown(self.trace_id),
        })
    }
}

/// A member that is no string, where one is expected, counts as absent.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(if let Value::String(text) = value {
        Some(text)
    } else {
        None
    })
}

/// The strings of an array; what is no array counts as absent.
pub(super) fn texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let text = |item: &Value| item.as_str().map(String::from);
    let items = value.as_array();
    Ok(items.map(|items| items.iter().filter_map(text).collect()))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(text(deserializer)?
        .filter(|text| !text.is_empty())
        .map(Secret::new))
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let items = value.as_array().into_iter().flatten();
    Ok(items.filter_map(Value::as_i64).collect())
}

/// Seconds as an integer, a fraction or a string.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(whole_seconds(&Value::deserialize(deserializer)?))
}

/// Seconds as servers write them; what is out of any sensible range is brought into it.
pub fn whole_seconds(value: &Value) -> Option<i64> {
    /// No token of anybody lives longer than a hundred years.
    const LONGEST: i64 = 100 * 366 * 24 * 3600;
    let number: f64 = match value.as_str() {
        Some(text) => text.trim().parse().ok()?,
        None => value.as_f64()?,
    };
    if !number.is_finite() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is bounded just before"
    )]
    Some(number.clamp(0.0, LONGEST as f64) as i64)
}

/// What somebody else says, without what it repeats of these secrets, or of a part of a JWT among them.
pub fn without(text: &str, secrets: &[Secret]) -> String {
    /// How short is a part that is no secret?
    const SHORT: usize = 6;
    let mut said = Zeroizing::new(text.to_owned());
    for secret in secrets {
        let whole = secret.expose();
        let parts = std::iter::once(whole).chain(whole.split('.'));
        for part in parts.filter(|part| part.len() >= SHORT) {
            if said.contains(part) {
                said = Zeroizing::new(said.replace(part, "…"));
            }
        }
    }
    std::mem::take(&mut *said)
}

/// An answer that is none of a token, without what it repeats of the secrets that were sent: its text
/// is shown, written down and remembered.
#[must_use]
pub fn without_secrets(mut response: HttpResponse, secrets: &[Secret]) -> HttpResponse {
    /// What tells an error from a token, whose text is copied nowhere.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Marks {
        error: Option<IgnoredAny>,
        #[serde(rename = "errorCode")]
        error_code: Option<IgnoredAny>,
    }
    fn strip(value: &mut Value, secrets: &[Secret]) {
        match value {
            Value::String(text) => {
                let stripped = without(text, secrets);
                drop(Secret::new(std::mem::replace(text, stripped)));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| strip(item, secrets)),
            Value::Object(members) => members.values_mut().for_each(|item| strip(item, secrets)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let marks: Marks = from_object(&response.body).unwrap_or_default();
    let is_error = marks.error.is_some() || marks.error_code.is_some();
    if (is_error || response.status >= 400)
        // Of what is no JSON nothing is shown.
        && let Ok(mut value) = serde_json::from_slice::<Value>(&response.body)
    {
        strip(&mut value, secrets);
        response.body = Zeroizing::new(value.to_string().into_bytes());
    }
    response
}

/// Reads the error of an answer that has no token in it, whatever its status.
pub fn failure(response: &HttpResponse) -> Failure {
    failure_of(response, refusal(response))
}

/// What the authority said, its new `interval`, and the claims that it wants.
type Said = (OAuthError, Option<u64>, Option<String>);

fn refusal(response: &HttpResponse) -> Option<Said> {
    let mut refusal: Refusal = from_object(&response.body).ok()?;
    let interval = refusal.interval.map(i64::unsigned_abs);
    let claims = refusal
        .claims
        .take()
        .and_then(|text| claims::read(&text).ok());
    Some((refusal.into_error()?, interval, claims))
}

fn failure_of(response: &HttpResponse, said: Option<Said>) -> Failure {
    let status = response.status;
    let trouble = |reason: String, said: Option<OAuthError>| Failure::Trouble {
        reason,
        // A gateway that got no answer does not know either.
        may_have_happened: matches!(status, 200 | 502 | 504),
        retry_after: response.retry_after(),
        is_throttling: status == 429
            || said
                .as_ref()
                .is_some_and(|said| entra::is_trouble(&said.error_codes)),
        said: said.map(Box::new),
    };
    let troubled_status = matches!(status, 408 | 429 | 500..=599);
    match said {
        Some((said, ..))
            if entra::is_trouble(&said.error_codes)
                || matches!(said.error.as_str(), "server_error" | "temporarily_unavailable")
                // A device code's `slow_down` may come with 429; the polling loop reads it.
                || (troubled_status && said.error != "slow_down"
                    && said.error != "authorization_pending") =>
        {
            trouble(format!("HTTP status {status}"), Some(said))
        }
        Some((said, interval, claims)) => Failure::Refused {
            said: Box::new(said),
            interval,
            claims,
        },
        // A body that is there and no OAuth error is a gateway's, or garbage.
        None if matches!(status, 400 | 401 | 403) && response.body.is_empty() => {
            Failure::RefusedSilently { status }
        }
        None if status == 200 => trouble("the answer is no token response".to_owned(), None),
        None => trouble(format!("HTTP status {status} and no OAuth error"), None),
    }
}

/// What came of a token request, if its answer was had at all; `now` is when it was received.
///
/// # Errors
/// As [`token_set`], and trouble of the network.
pub fn tokens(
    answer: Result<HttpResponse, HttpFailure>,
    client: &Client,
    server: &Server,
    now: Timestamp,
) -> Result<TokenSet, Failure> {
    token_set(&answer?, client, server, now)
}

/// Reads a token response; `now` is when it was received.
///
/// # Errors
/// A refusal, trouble, or an answer that cannot be used.
pub fn token_set(
    response: &HttpResponse,
    client: &Client,
    server: &Server,
    now: Timestamp,
) -> Result<TokenSet, Failure> {
    read(response, client, server, &Expected::AccessToken, now)
}

/// Reads the answer to a token exchange ([RFC 8693 §2.2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1));
/// `requested` is the type that was asked for, if one was.
///
/// # Errors
/// As [`token_set`], and for a token of another type.
pub fn exchanged_token_set(
    response: &HttpResponse,
    client: &Client,
    server: &Server,
    requested: Option<&str>,
    now: Timestamp,
) -> Result<TokenSet, Failure> {
    read(
        response,
        client,
        server,
        &Expected::Exchanged(requested),
        now,
    )
}

/// What an answer is to hold.
enum Expected<'a> {
    /// A bearer token.
    AccessToken,
    /// A token of the type that was asked for.
    Exchanged(Option<&'a str>),
}

impl Expected<'_> {
    /// What is wrong with a token of this `token_type` and `issued_token_type`, where access tokens are
    /// to be of the type `wanted`.
    fn problem(&self, wanted: &str, token_type: &str, issued: Option<&str>) -> Option<String> {
        /// Types of tokens that a bearer token can be of: they are told apart by nobody who is given one.
        const ACCESS_TOKENS: [&str; 2] = [
            "urn:ietf:params:oauth:token-type:access_token",
            "urn:ietf:params:oauth:token-type:jwt",
        ];
        let requested = match self {
            Self::AccessToken => None,
            Self::Exchanged(requested) => {
                let requested = requested.unwrap_or(ACCESS_TOKENS[0]);
                // The member is required, and some leave it out: then it is what was asked for.
                let issued = issued.unwrap_or(requested);
                let is_access_token = |kind| ACCESS_TOKENS.contains(&kind);
                if issued != requested && !(is_access_token(issued) && is_access_token(requested)) {
                    return Some(format!(
                        "it is a token of the type `{}`, and `{requested}` was asked for",
                        printable(issued)
                    ));
                }
                Some(requested).filter(|requested| *requested != ACCESS_TOKENS[0])
            }
        };
        // RFC 8693 §2.2.1: `N_A` is the type of what is no access token.
        let is_known = token_type.eq_ignore_ascii_case(wanted)
            || requested.is_some() && token_type.eq_ignore_ascii_case(NOT_APPLICABLE);
        // RFC 6749 §7.1: a token of a type that is not understood must not be used. RFC 9449 §5: a
        // client that wants its tokens bound does not take one that is not.
        let why = if wanted == dpop::TOKEN_TYPE {
            "the profile's `dpop` wants one that is bound to a key: the authority does not know DPoP, \
             or not for this client"
        } else if token_type.eq_ignore_ascii_case(dpop::TOKEN_TYPE) {
            "the profile does not say `dpop = true`"
        } else {
            "only bearer tokens are understood"
        };
        (!is_known).then(|| format!("its token type is `{}`, and {why}", printable(token_type)))
    }
}

fn read(
    response: &HttpResponse,
    client: &Client,
    server: &Server,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<TokenSet, Failure> {
    let Ok(members) = from_object::<Members>(&response.body) else {
        return Err(failure_of(response, None));
    };
    let access_token = match (refusal(response), members.access_token) {
        (None, Some(access_token)) if (200..300).contains(&response.status) => access_token,
        (said, _) => return Err(failure_of(response, said)),
    };
    let unusable = |reason: String| Failure::Unusable {
        reason,
        refresh_token: members.refresh_token.clone(),
    };
    let wanted = if client.dpop {
        dpop::TOKEN_TYPE
    } else {
        BEARER
    };
    let token_type = members.token_type.unwrap_or_else(|| BEARER.to_owned());
    let issued = members.issued_token_type.as_deref();
    if let Some(problem) = expected.problem(wanted, &token_type, issued) {
        return Err(unusable(problem));
    }
    let is_sendable = |token: &Secret| {
        token
            .expose()
            .bytes()
            .all(|byte| (0x21..0x7f).contains(&byte))
    };
    for (name, token) in [
        ("access token", Some(&access_token)),
        ("ID token", members.id_token.as_ref()),
    ] {
        if !token.is_none_or(is_sendable) {
            return Err(unusable(format!(
                "its {name} holds characters that no header can carry"
            )));
        }
    }
    let of_client_info = members.client_info.as_deref();
    let of_client_info = of_client_info.and_then(id_token::account_of_client_info);
    let account = match &members.id_token {
        Some(id_token) => id_token::account(
            id_token.expose(),
            &client.client_id,
            server.issuer.as_deref(),
        )
        .map_err(&unusable)?
        .at_home(of_client_info),
        None => of_client_info.unwrap_or_default(),
    };
    Ok(TokenSet {
        access_token,
        // As the RFCs write it, whatever the authority's case: it may be put into a header.
        token_type: if token_type.eq_ignore_ascii_case(wanted) {
            wanted
        } else {
            NOT_APPLICABLE
        }
        .to_owned(),
        issued_at: now,
        expires_at: members.expires_in.map(|seconds| now.plus(seconds)),
        refresh_at: members.refresh_in.map(|seconds| now.plus(seconds)),
        refresh_token: members.refresh_token,
        // Keycloak writes 0 for: never.
        refresh_expires_at: members
            .refresh_expires_in
            .or(members.refresh_token_expires_in)
            .filter(|seconds| *seconds > 0)
            .map(|seconds| now.plus(seconds)),
        id_token_expires_at: members
            .id_token
            .as_ref()
            .and_then(|id_token| id_token::expires_at(id_token.expose(), now)),
        id_token: members.id_token,
        scopes: members.scope.map(|scope| words(&scope)),
        account,
        family: members.foci.filter(|family| !family.is_empty()),
        proof_key: client.proof_key.as_ref().map(|key| key.kept().clone()),
    })
}

/// Scopes, separated by blanks, or by commas as GitHub writes them.
fn words(scope: &str) -> Vec<String> {
    scope
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(printable)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zeroize::Zeroizing;

    use super::{Failure, token_set, whole_seconds, without_secrets};
    use crate::context::{HttpFailure, HttpResponse};
    use crate::error::ErrorKind;
    use crate::oauth::client::{Authority, Client, Endpoints};
    use crate::oauth::client_authentication::ClientAuthentication;
    use crate::oauth::metadata::Server;
    use crate::secret::Secret;
    use crate::token::{Timestamp, TokenSet};

    fn read(status: u16, body: &str) -> Result<TokenSet, Failure> {
        let client = Client {
            client_id: "c".into(),
            authority: Authority::Explicit,
            endpoints: Endpoints::default(),
            authentication: ClientAuthentication::default(),
            tls: crate::context::Tls::default(),
            exact_scopes: false,
            resource: None,
            audience: None,
            prompt: None,
            domain_hint: None,
            extra: BTreeMap::new(),
            dpop: false,
            proof_key: None,
        };
        let response = HttpResponse {
            status,
            headers: Vec::new(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        };
        token_set(&response, &client, &Server::default(), Timestamp(1000))
    }

    #[test]
    fn the_family_of_a_client_is_the_one_that_is_named() {
        for (foci, expected) in [("1", Some("1")), ("", None)] {
            let body = format!(r#"{{"access_token":"a","token_type":"Bearer","foci":"{foci}"}}"#);
            let Ok(tokens) = read(200, &body) else {
                panic!("it is an answer");
            };
            assert_eq!(tokens.family.as_deref(), expected);
        }
    }

    #[test]
    fn an_error_repeats_no_secret_and_the_text_of_a_token_is_left_alone() {
        for (status, body, is_stripped) in [
            (200, r#"{"access_token":"of-a-person"}"#, false),
            (200, r#"{"error":"x","told":["of-a-person"]}"#, true),
            (200, r#"{"errorCode":"x","told":"of-a-person"}"#, true),
            (399, r#"{"told":"of-a-person"}"#, false),
            (400, r#"{"told":"no of-a-person is known"}"#, true),
            (500, r#"{"told":{"it":"of-a-person"}}"#, true),
        ] {
            let response = HttpResponse {
                status,
                headers: Vec::new(),
                body: Zeroizing::new(body.as_bytes().to_vec()),
            };
            let left = without_secrets(response, &[Secret::new("of-a-person")]);
            let left = String::from_utf8_lossy(&left.body).into_owned();
            assert_eq!(left == body, !is_stripped, "{status} {left}");
            assert_eq!(
                left.contains("of-a-person"),
                !is_stripped,
                "{status} {left}"
            );
        }
    }

    #[test]
    fn waiting_is_no_advice_where_a_certificate_is_not_trusted() {
        let trouble = |reason: &str| {
            let failure = Failure::from(HttpFailure::NotSent(reason.to_owned()));
            let error = failure.into_error("it failed");
            error.hint_text().unwrap_or_default().to_owned()
        };
        let hint = trouble("invalid peer certificate: UnknownIssuer");
        assert!(hint.contains("ca_file"), "{hint}");
        let hint = trouble("connection refused");
        assert!(hint.contains("try again later"), "{hint}");
    }

    #[test]
    fn times_are_made_absolute_when_the_answer_is_read() {
        for (expires_in, expires_at) in [
            ("3600", Some(4600)),
            ("\"3600\"", Some(4600)),
            ("3599.9", Some(4599)),
            ("0", Some(1000)),
            ("-5", Some(1000)),
            ("1e300", Some(1000 + 100 * 366 * 24 * 3600)),
            ("null", None),
            ("\"soon\"", None),
        ] {
            let body =
                format!(r#"{{"access_token":"t","unknown":[{{}}],"expires_in":{expires_in}}}"#);
            let set = read(200, &body).unwrap();
            assert_eq!(set.expires_at, expires_at.map(Timestamp), "{expires_in}");
        }
        assert_eq!(whole_seconds(&serde_json::json!("NaN")), None);
        for (members, end) in [
            (r#""refresh_expires_in":1800"#, Some(2800)),
            (r#""refresh_token_expires_in":1800"#, Some(2800)),
            (r#""refresh_expires_in":1"#, Some(1001)),
            // Keycloak's "never".
            (r#""refresh_expires_in":0"#, None),
        ] {
            let body = format!(r#"{{"access_token":"t","refresh_token":"r",{members}}}"#);
            let set = read(200, &body).unwrap();
            assert_eq!(set.refresh_expires_at, end.map(Timestamp), "{members}");
        }
    }

    #[test]
    fn a_refusal_that_signing_in_does_not_mend_says_what_to_look_at() {
        for (error, place) in [
            ("invalid_client", "`client_secret`"),
            ("incorrect_client_credentials", "`client_secret`"),
            ("unauthorized_client", "registered for its `grant`"),
            ("device_flow_disabled", "enable the device flow"),
            ("invalid_scope", "`scopes`"),
            ("invalid_target", "`resource` and `audience`"),
            ("invalid_dpop_proof", "the clock of this machine"),
        ] {
            let failure = read(400, &format!(r#"{{"error":"{error}"}}"#)).unwrap_err();
            let error = failure.into_error("failed");
            let hint = error.hint_text().unwrap_or_default();
            assert!(hint.contains(place), "{error}: {hint}");
        }
    }

    #[test]
    fn an_answer_that_says_nothing_is_told_by_its_status() {
        for (status, body, said) in [
            (200, "<html>", "the answer is no token response"),
            (201, "<html>", "HTTP status 201 and no OAuth error"),
            (404, "", "HTTP status 404 and no OAuth error"),
            (403, "", "HTTP status 403"),
        ] {
            let error = read(status, body).unwrap_err().into_error("failed");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn an_error_is_an_error_under_any_status_and_trouble_never_is_a_refusal() {
        for (status, body, kind) in [
            (
                400,
                r#"{"error":"invalid_grant"}"#,
                ErrorKind::LoginRequired,
            ),
            (
                200,
                r#"{"error":"invalid_grant"}"#,
                ErrorKind::LoginRequired,
            ),
            (
                200,
                r#"{"error":"bad_verification_code","access_token":"x"}"#,
                ErrorKind::Denied,
            ),
            (401, r#"{"error":"invalid_client"}"#, ErrorKind::Denied),
            (400, r#"{"error":"invalid_scope"}"#, ErrorKind::Denied),
            (
                401,
                r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#,
                ErrorKind::Denied,
            ),
            (
                429,
                r#"{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit"}"#,
                ErrorKind::Unavailable,
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_codes":[53003]}"#,
                ErrorKind::Denied,
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_codes":[50196]}"#,
                ErrorKind::Unavailable,
            ),
            // No sign-in mends it.
            (
                400,
                r#"{"error":"interaction_required","suberror":"protection_policy_required"}"#,
                ErrorKind::Denied,
            ),
            (
                400,
                r#"{"error":"temporarily_unavailable"}"#,
                ErrorKind::Unavailable,
            ),
            (503, r#"{"error":"invalid_grant"}"#, ErrorKind::Unavailable),
            (503, "", ErrorKind::Unavailable),
            // No success: what looks like a token is not believed.
            (500, r#"{"access_token":"t"}"#, ErrorKind::Unavailable),
            (302, r#"{"access_token":"t"}"#, ErrorKind::Unavailable),
            (400, "", ErrorKind::Denied),
            (400, "<html>", ErrorKind::Unavailable),
            (404, "", ErrorKind::Unavailable),
            (302, "", ErrorKind::Unavailable),
            (200, "<html>", ErrorKind::Unavailable),
            (200, "{}", ErrorKind::Unavailable),
            (
                200,
                r#"{"access_token":"t","token_type":"N_A"}"#,
                ErrorKind::Denied,
            ),
            (200, r#"{"access_token":"t\r\nx: y"}"#, ErrorKind::Denied),
            (
                200,
                // {"aud":"c"}
                r#"{"access_token":"t","id_token":"e30.eyJhdWQiOiJjIn0.s\r\nx: y"}"#,
                ErrorKind::Denied,
            ),
            (
                200,
                r#"{"access_token":"t","id_token":"x"}"#,
                ErrorKind::Denied,
            ),
        ] {
            let error = read(status, body).unwrap_err().into_error("failed");
            assert_eq!(error.kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn scopes_come_with_blanks_or_commas_or_not_at_all() {
        for (scope, words) in [
            (r#","scope":"a b""#, Some(vec!["a", "b"])),
            (r#","scope":"a,b""#, Some(vec!["a", "b"])),
            (r#","scope":"""#, Some(vec![])),
            ("", None),
        ] {
            let set = read(200, &format!(r#"{{"access_token":"t"{scope}}}"#)).unwrap();
            let words = words.map(|words| words.into_iter().map(String::from).collect());
            assert_eq!(set.scopes, words);
        }
    }
}
