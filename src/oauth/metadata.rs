//! The endpoints of an authority: explicit ones, Entra's, or those of its metadata
//! ([OpenID Connect Discovery §4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig),
//! [RFC 8414 §3](https://www.rfc-editor.org/rfc/rfc8414#section-3)).

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::context::{Context, HttpRequest};
use crate::encoding::from_object;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Authority, Client, EndpointName, Endpoints};
use crate::oauth::entra;
use crate::oauth::response::{text, texts, trouble_hint};
use crate::proof_key::ProofKey;
use crate::secret::Secret;
use crate::text::printable;

/// How long is a stored document as good as a new one?
const FRESH_SECONDS: i64 = 24 * 3600;

/// What is known of an authority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The issuer, where it is known; ID tokens must name it.
    pub issuer: Option<String>,
    /// Its endpoints.
    pub endpoints: Endpoints,
    /// `jwks_uri`: where its keys lie, where that is named.
    pub keys: Option<Endpoint>,
    /// `scopes_supported`, where listed.
    pub scopes_supported: Vec<String>,
    /// `token_endpoint_auth_methods_supported`, where listed.
    pub token_endpoint_auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`, where listed.
    pub token_endpoint_auth_signing_algs: Option<Vec<String>>,
    /// `authorization_response_iss_parameter_supported` (RFC 9207 §3).
    pub names_issuer_in_answers: bool,
    /// `require_pushed_authorization_requests` (RFC 9126 §5).
    pub wants_pushed_requests: bool,
    /// `dpop_signing_alg_values_supported` (RFC 9449 §5.1), where listed.
    pub dpop_algorithms: Option<Vec<String>>,
}

impl Server {
    /// The endpoint of that name.
    ///
    /// # Errors
    /// `config` if the authority has none.
    pub fn endpoint(&self, name: EndpointName) -> Result<&Endpoint, Error> {
        self.endpoints.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!(
                    "the authority names no {} endpoint",
                    name.key().replace('_', " ")
                ),
            )
            .hint(format!(
                "set `endpoints = {{ {} = \"https://…\" }}` in the profile",
                name.key()
            ))
        })
    }
}

/// The wire form of both kinds of metadata; what we do not know is ignored (RFC 8414 §3.2). A member
/// that is of another kind than it should be, such as null, counts as missing: it is no reason to
/// refuse the rest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(deserialize_with = "text")]
    issuer: Option<String>,
    #[serde(deserialize_with = "text")]
    authorization_endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    pushed_authorization_request_endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    token_endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    device_authorization_endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    revocation_endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    userinfo_endpoint: Option<String>,
    #[serde(deserialize_with = "text")]
    jwks_uri: Option<String>,
    #[serde(deserialize_with = "text")]
    access_token_issuer: Option<String>,
    #[serde(deserialize_with = "texts")]
    scopes_supported: Option<Vec<String>>,
    #[serde(deserialize_with = "texts")]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(deserialize_with = "texts")]
    token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    // `true`, or nothing.
    authorization_response_iss_parameter_supported: serde_json::Value,
    require_pushed_authorization_requests: serde_json::Value,
    mtls_endpoint_aliases: serde_json::Value,
    #[serde(deserialize_with = "texts")]
    dpop_signing_alg_values_supported: Option<Vec<String>>,
}

/// How a client connects, which decides where it finds an endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    /// As everybody.
    Tls,
    /// It presents a certificate, and uses `mtls_endpoint_aliases` (RFC 8705 §5).
    MutualTls,
}

impl Connections {
    fn of(client: &Client) -> Self {
        match client.tls.client_certificate {
            Some(_) => Self::MutualTls,
            None => Self::Tls,
        }
    }
}

/// Finds the endpoints of `client`'s authority; nothing is asked if all of `needed` are known.
///
/// # Errors
/// `unavailable` for trouble, `config` for an authority that has no metadata, or lacks an endpoint
/// that is `needed`.
pub fn find(
    client: &Client,
    needed: &[EndpointName],
    context: &Context<'_>,
) -> Result<Server, Error> {
    let of_microsoft = |endpoints: Endpoints| Server {
        endpoints,
        scopes_supported: RESERVED_SCOPES.map(String::from).to_vec(),
        token_endpoint_auth_methods: Some(vec!["client_secret_post".to_owned()]),
        ..Server::default()
    };
    let mut server = match &client.authority {
        Authority::Entra(authority) => of_microsoft(entra::endpoints(authority)),
        Authority::Adfs(authority) => of_microsoft(entra::adfs_endpoints(authority)),
        Authority::Issuer(issuer)
            if needed
                .iter()
                .any(|name| client.endpoints.get(*name).is_none()) =>
        {
            discover(issuer, client, needed, context)?
        }
        Authority::Issuer(_) | Authority::Explicit => Server::default(),
    };
    for name in EndpointName::ALL {
        if let Some(endpoint) = client.endpoints.get(name) {
            server.endpoints.set(name, endpoint.clone());
        }
    }
    for name in needed {
        server.endpoint(*name)?;
    }
    if client.dpop {
        check_algorithm(&server)?;
    }
    Ok(server)
}

/// Whether the authority takes the proofs that we sign, if it says what it takes.
fn check_algorithm(server: &Server) -> Result<(), Error> {
    let Some(algorithms) = &server.dpop_algorithms else {
        return Ok(());
    };
    if algorithms.iter().any(|name| name == ProofKey::ALGORITHM) {
        return Ok(());
    }
    let message = format!(
        "the authority takes no proofs of DPoP by {}, only by {}",
        ProofKey::ALGORITHM,
        printable(&algorithms.join(", "))
    );
    Err(Error::new(ErrorKind::Config, message).hint("leave out `dpop` in the profile"))
}

/// The scopes that ask for an account's name and for a refresh token.
pub const RESERVED_SCOPES: [&str; 3] = ["openid", "profile", "offline_access"];

/// The scopes to ask `server` for: `wanted`, and those of [`RESERVED_SCOPES`] that it lists.
pub fn scopes_to_ask(client: &Client, server: &Server, wanted: &[String]) -> Vec<String> {
    let mut scopes = wanted.to_vec();
    if !client.exact_scopes {
        for reserved in RESERVED_SCOPES {
            if server
                .scopes_supported
                .iter()
                .any(|scope| scope == reserved)
                && !scopes.iter().any(|scope| scope == reserved)
            {
                scopes.push(reserved.to_owned());
            }
        }
    }
    scopes
}

fn discover(
    issuer: &Endpoint,
    client: &Client,
    needed: &[EndpointName],
    context: &Context<'_>,
) -> Result<Server, Error> {
    let now = context.clock.now();
    let by = Connections::of(client);
    // What one certificate authority vouched for counts under that one alone.
    let key = match &client.tls.ca_file {
        Some(ca_file) => format!("{issuer} {}", ca_file.display()),
        None => issuer.to_string(),
    };
    let stored = context
        .documents
        .load(&key)
        .and_then(|(stored, document)| Some((stored, parse(&document, issuer, by).ok()?)));
    // What is missing may have been added: whoever sees to that does not wait for a day.
    let is_whole = |server: &Server| {
        let named = |name: &EndpointName| {
            client.endpoints.get(*name).is_some() || server.endpoints.get(*name).is_some()
        };
        needed.iter().all(named)
    };
    if let Some((time, server)) = &stored
        && (0..FRESH_SECONDS).contains(&now.since(*time))
        && is_whole(server)
    {
        return Ok(server.clone());
    }
    match fetch(issuer, client, context) {
        Ok((document, server)) => {
            context.documents.save(&key, now, &document);
            Ok(server)
        }
        Err(error) => match stored {
            // Endpoints hardly ever move: an old document beats none.
            Some((_, server)) => {
                context.debug(|| format!("metadata of {issuer} are old: {error}"));
                Ok(server)
            }
            None => Err(error),
        },
    }
}

fn fetch(
    issuer: &Endpoint,
    client: &Client,
    context: &Context<'_>,
) -> Result<(Vec<u8>, Server), Error> {
    let unavailable = |url: &str, reason: &str| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the metadata of `{issuer}` cannot be read"),
        )
        .because(format!("{url}: {reason}"))
        .hint(
            trouble_hint(reason)
                .unwrap_or("check `authority` and the network; nothing was lost, try again later"),
        )
    };
    let mut answers = Vec::new();
    let mut unusable = None;
    for url in candidates(issuer) {
        let request = HttpRequest {
            method: "GET",
            url: url.clone(),
            headers: vec![("accept", Secret::new("application/json"))],
            body: None,
        };
        let limit = context.request_limit()?;
        let response = context
            .http
            .send(&request, &client.tls, limit)
            .map_err(|failure| match failure.of_network() {
                Ok(failure) => unavailable(&url, failure.reason()),
                Err(error) => error,
            })?;
        match response.status {
            200 => match parse(&response.body, issuer, Connections::of(client)) {
                Ok(server) => return Ok((response.body.to_vec(), server)),
                // Some servers answer any path with a page; the next place may be the right one.
                Err(reason) => unusable = unusable.or_else(|| Some(unavailable(&url, &reason))),
            },
            408 | 429 | 300..=399 | 500..=599 => {
                return Err(unavailable(
                    &url,
                    &format!("HTTP status {}", response.status),
                ));
            }
            status => answers.push(format!("{url}: HTTP status {status}")),
        }
    }
    if let Some(error) = unusable {
        return Err(error);
    }
    let mut error = Error::new(
        ErrorKind::Config,
        format!("`{issuer}` has no metadata of OpenID Connect Discovery or RFC 8414"),
    )
    .hint("check `authority`, or name its `endpoints` in the profile");
    for answer in answers {
        error = error.because(answer);
    }
    Err(error)
}

/// Where the metadata may lie: OpenID Connect's suffix, RFC 8414's insertion, and both mixed.
fn candidates(issuer: &Endpoint) -> Vec<String> {
    let issuer = issuer.as_str().trim_end_matches('/');
    let mut urls = vec![format!("{issuer}/.well-known/openid-configuration")];
    if let Ok(url) = url::Url::parse(issuer) {
        let path = url.path().trim_end_matches('/');
        let origin = url.origin().ascii_serialization();
        for name in ["oauth-authorization-server", "openid-configuration"] {
            let url = format!("{origin}/.well-known/{name}{path}");
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    urls
}

/// Where an authority answers whoever asks, without a token: with its metadata, or, where the profile
/// names its endpoints, with anything at all. None where no authority is named.
pub fn addresses(client: &Client) -> Vec<String> {
    let below = |authority: &Endpoint, path: &str| {
        let authority = authority.as_str().trim_end_matches('/');
        vec![format!(
            "{authority}{path}/.well-known/openid-configuration"
        )]
    };
    match &client.authority {
        Authority::Entra(authority) => below(authority, "/v2.0"),
        Authority::Adfs(authority) => below(authority, ""),
        Authority::Issuer(issuer) => candidates(issuer),
        Authority::Explicit => {
            let url = client.endpoints.get(EndpointName::Token);
            let url = url.and_then(|endpoint| url::Url::parse(endpoint.as_str()).ok());
            url.map(|url| format!("{}/", url.origin().ascii_serialization()))
                .into_iter()
                .collect()
        }
    }
}

/// What is wrong with what one of [`addresses`] gave.
///
/// # Errors
/// The reason, in words.
pub fn check(document: &[u8], client: &Client) -> Result<(), String> {
    match &client.authority {
        Authority::Issuer(issuer) => parse(document, issuer, Connections::of(client)).map(drop),
        // Whatever its tenant is called, its issuer has the tenant's number.
        Authority::Entra(_) | Authority::Adfs(_) => {
            let document: Document =
                from_object(document).map_err(|error| format!("it is no metadata: {error}"))?;
            let token = document.token_endpoint.map(drop);
            token.ok_or_else(|| "it is no metadata: it names no token endpoint".to_owned())
        }
        Authority::Explicit => Ok(()),
    }
}

/// What Entra writes into the issuer of `common` and `organizations` instead of a tenant
/// (<https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>).
pub const TENANT_TEMPLATE: &str = "{tenantid}";

/// Whether `written`, of a document, is the issuer that was asked for: the exact string, but for one
/// trailing slash, or with [`TENANT_TEMPLATE`] in place of one segment of the path.
fn is_issuer(written: &str, asked: &str) -> bool {
    let without_slash = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
    let (written, asked) = (without_slash(written), without_slash(asked));
    let Some((before, after)) = written.split_once(TENANT_TEMPLATE) else {
        return written == asked;
    };
    let is_in_path = before.ends_with('/') && before.matches('/').count() >= 3;
    let tenant = asked
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    is_in_path && tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
}

/// Reads a document and checks that it is of this issuer (RFC 8414 §3.3).
fn parse(document: &[u8], issuer: &Endpoint, by: Connections) -> Result<Server, String> {
    let document: Document =
        from_object(document).map_err(|error| format!("it is no metadata: {error}"))?;
    let named = document
        .issuer
        .ok_or("it is no metadata: it names no issuer")?;
    if !is_issuer(&named, issuer.as_str()) {
        return Err(format!(
            "it is of the issuer `{}`, not of `{issuer}`",
            printable(&named)
        ));
    }
    let mut endpoints = Endpoints::default();
    for (name, written) in [
        (
            EndpointName::Authorization,
            &document.authorization_endpoint,
        ),
        (
            EndpointName::PushedAuthorizationRequest,
            &document.pushed_authorization_request_endpoint,
        ),
        (EndpointName::Token, &document.token_endpoint),
        (
            EndpointName::DeviceAuthorization,
            &document.device_authorization_endpoint,
        ),
        (EndpointName::Revocation, &document.revocation_endpoint),
        (EndpointName::Userinfo, &document.userinfo_endpoint),
    ] {
        // The page is opened by a browser, which has no such certificate.
        let is_ours = by == Connections::MutualTls && name != EndpointName::Authorization;
        let alias = document
            .mtls_endpoint_aliases
            .get(format!("{}_endpoint", name.key()))
            .and_then(serde_json::Value::as_str)
            .filter(|_| is_ours);
        if let Some(written) = alias.or(written.as_deref()) {
            let refused = |problem: &str| {
                let name = name.key();
                format!("its {name} endpoint `{}`: {problem}", printable(written))
            };
            let endpoint = match Endpoint::parse(written) {
                Ok(endpoint) => endpoint,
                // It is for a convenience: whatever it says, the authority can be used.
                Err(_) if name == EndpointName::Userinfo => continue,
                Err(problem) => return Err(refused(problem)),
            };
            // Whoever listens there is a program of this machine, and no part of the authority.
            if endpoint.is_on_loopback() && !issuer.is_on_loopback() {
                return Err(refused("it is on this machine, and the issuer is not"));
            }
            endpoints.set(name, endpoint);
        }
    }
    Ok(Server {
        issuer: Some(named),
        endpoints,
        // Whatever it says, tokens are had without them.
        keys: keys_of(document.jwks_uri, issuer),
        scopes_supported: document.scopes_supported.unwrap_or_default(),
        token_endpoint_auth_methods: document.token_endpoint_auth_methods_supported,
        token_endpoint_auth_signing_algs: document.token_endpoint_auth_signing_alg_values_supported,
        names_issuer_in_answers: document.authorization_response_iss_parameter_supported == true,
        wants_pushed_requests: document.require_pushed_authorization_requests == true,
        dpop_algorithms: document.dpop_signing_alg_values_supported,
    })
}

/// Where the keys of `issuer` lie, if that is a place that can be asked.
fn keys_of(written: Option<String>, issuer: &Endpoint) -> Option<Endpoint> {
    let keys = Endpoint::parse(&written?).ok()?;
    let is_stranger = keys.is_on_loopback() && !issuer.is_on_loopback();
    (!is_stranger).then_some(keys)
}

/// Asks anew for the issuers that tokens of `client`'s authority name, and for where its keys lie. Those of
/// Microsoft's first version name another issuer; AD FS has one of its own for access tokens
/// (<https://learn.microsoft.com/openspecs/windows_protocols/ms-oidce/586de7dd-3385-47c7-93a2-935d9e90441c>).
///
/// # Errors
/// `unavailable` for trouble, `config` for an authority that names neither.
pub fn signer(
    client: &Client,
    is_first_version: bool,
    context: &Context<'_>,
) -> Result<(Vec<String>, Endpoint), Error> {
    let nowhere = |reason: &str| {
        Error::new(ErrorKind::Config, "the authority does not name its keys").because(reason)
    };
    let (issuers, keys) = match &client.authority {
        Authority::Issuer(issuer) => {
            let (_, server) = fetch(issuer, client, context)?;
            ([server.issuer, None], server.keys)
        }
        Authority::Entra(authority) | Authority::Adfs(authority) => {
            let mut url = addresses(client).into_iter().next().unwrap_or_default();
            if is_first_version {
                url = url.replacen("/v2.0/.well-known/", "/.well-known/", 1);
            }
            let document: Document = from_object(&get(&url, client, context)?)
                .map_err(|error| nowhere(&format!("{url}: it is no metadata: {error}")))?;
            let issuers = [document.issuer, document.access_token_issuer];
            (issuers, keys_of(document.jwks_uri, authority))
        }
        Authority::Explicit => return Err(nowhere("the profile names no `authority`")),
    };
    let keys = keys.ok_or_else(|| nowhere("there is no `jwks_uri` in its metadata"))?;
    let issuers: Vec<String> = issuers.into_iter().flatten().collect();
    match issuers.is_empty() {
        true => Err(nowhere("there is no `issuer` in its metadata")),
        false => Ok((issuers, keys)),
    }
}

/// A public document of the authority.
///
/// # Errors
/// `unavailable`.
pub fn get(url: &str, client: &Client, context: &Context<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let unavailable =
        |reason: &str| {
            Error::new(ErrorKind::Unavailable, "the authority's keys cannot be had")
                .because(format!("{url}: {reason}"))
                .hint(trouble_hint(reason).unwrap_or(
                    "check `authority` and the network; nothing was lost, try again later",
                ))
        };
    let request = HttpRequest {
        method: "GET",
        url: url.to_owned(),
        headers: vec![("accept", Secret::new("application/json"))],
        body: None,
    };
    let limit = context.request_limit()?;
    let sent = context.http.send(&request, &client.tls, limit);
    let response = sent.map_err(|failure| match failure.of_network() {
        Ok(failure) => unavailable(failure.reason()),
        Err(error) => error,
    })?;
    match response.status {
        200 => Ok(response.body),
        status => Err(unavailable(&format!("HTTP status {status}"))),
    }
}

/// Whether bytes are metadata of an issuer, or what is wrong with them: what a fuzzer calls.
///
/// # Errors
/// What a person would be told.
pub fn decodes(document: &[u8], issuer: &Endpoint) -> Result<Server, String> {
    parse(document, issuer, Connections::Tls)?;
    parse(document, issuer, Connections::MutualTls)
}

#[cfg(test)]
mod tests {
    use super::{Connections, candidates};
    use crate::endpoint::Endpoint;
    use crate::oauth::client::EndpointName;
    use crate::oauth::metadata::Server;

    fn parse(document: &[u8], issuer: &Endpoint) -> Result<Server, String> {
        super::parse(document, issuer, Connections::Tls)
    }

    fn issuer(text: &str) -> Endpoint {
        Endpoint::parse(text).unwrap()
    }

    #[test]
    fn metadata_are_looked_for_where_both_specifications_put_them() {
        assert_eq!(
            candidates(&issuer("https://id.example/realms/x/")),
            [
                "https://id.example/realms/x/.well-known/openid-configuration",
                "https://id.example/.well-known/oauth-authorization-server/realms/x",
                "https://id.example/.well-known/openid-configuration/realms/x",
            ]
        );
        assert_eq!(
            candidates(&issuer("https://id.example")),
            [
                "https://id.example/.well-known/openid-configuration",
                "https://id.example/.well-known/oauth-authorization-server",
            ]
        );
    }

    #[test]
    fn what_an_authority_says_of_answers_and_requests_is_true_or_nothing() {
        let asked = issuer("https://id.example/a");
        for (written, expected) in [
            ("true", true),
            ("false", false),
            ("null", false),
            ("\"true\"", false),
            ("[]", false),
        ] {
            let document = format!(
                r#"{{"issuer":"https://id.example/a",
                    "authorization_response_iss_parameter_supported":{written},
                    "require_pushed_authorization_requests":{written}}}"#
            );
            let server = parse(document.as_bytes(), &asked).expect(written);
            assert_eq!(server.names_issuer_in_answers, expected, "{written}");
            assert_eq!(server.wants_pushed_requests, expected, "{written}");
        }
    }

    #[test]
    fn a_member_that_is_none_of_its_kind_is_missing() {
        let asked = issuer("https://id.example");
        for odd in ["null", "{}", "7", "[null,7]"] {
            let document = format!(
                r#"{{"issuer":"https://id.example","token_endpoint":"https://id.example/t",
                    "scopes_supported":{odd},"token_endpoint_auth_methods_supported":{odd},
                    "authorization_endpoint":{odd},"pushed_authorization_request_endpoint":{odd},
                    "device_authorization_endpoint":{odd},"revocation_endpoint":{odd},
                    "userinfo_endpoint":{odd}}}"#
            );
            let server = parse(document.as_bytes(), &asked).expect(odd);
            assert!(server.endpoints.token.is_some(), "{odd}");
            assert!(server.scopes_supported.is_empty(), "{odd}");
            let methods = server.token_endpoint_auth_methods.unwrap_or_default();
            assert_eq!(methods, Vec::<String>::new(), "{odd}");
            assert!(server.endpoints.device_authorization.is_none(), "{odd}");
        }
        let document = br#"{"issuer":"https://id.example","scopes_supported":["openid",null]}"#;
        let server = parse(document, &asked).expect("it is of this issuer");
        assert_eq!(server.scopes_supported, ["openid"]);
        for odd in ["null", "7", "[]"] {
            let document = format!(r#"{{"issuer":{odd}}}"#);
            let error = parse(document.as_bytes(), &asked).expect_err(odd);
            assert!(error.contains("names no issuer"), "{error}");
        }
    }

    #[test]
    fn a_client_with_a_certificate_uses_the_aliases_and_others_do_not_look_at_them() {
        let asked = issuer("https://id.example");
        let document = |aliases: &str| {
            format!(
                r#"{{"issuer":"https://id.example","authorization_endpoint":"https://id.example/a",
                    "token_endpoint":"https://id.example/t",
                    "revocation_endpoint":"https://id.example/r",
                    "mtls_endpoint_aliases":{aliases}}}"#
            )
        };
        let names = [
            EndpointName::Authorization,
            EndpointName::Token,
            EndpointName::Revocation,
            EndpointName::Userinfo,
        ];
        let found = |aliases: &str, by: Connections| {
            let server = super::parse(document(aliases).as_bytes(), &asked, by)?;
            let url = |name| server.endpoints.get(name).map(ToString::to_string);
            Ok::<_, String>(names.map(|name| url(name).unwrap_or_default()))
        };
        let usual = [
            "https://id.example/a",
            "https://id.example/t",
            "https://id.example/r",
            "",
        ]
        .map(str::to_owned);
        let aliases = r#"{"authorization_endpoint":"https://m.example/a",
            "token_endpoint":"https://m.example/t","userinfo_endpoint":"https://m.example/u",
            "introspection_endpoint":"https://m.example/i"}"#;
        assert_eq!(found(aliases, Connections::Tls), Ok(usual.clone()));
        let theirs = [
            "https://id.example/a",
            "https://m.example/t",
            "https://id.example/r",
            "https://m.example/u",
        ];
        let theirs = theirs.map(str::to_owned);
        assert_eq!(found(aliases, Connections::MutualTls), Ok(theirs));
        for odd in ["null", "[]", "\"x\"", r#"{"token_endpoint":7}"#] {
            assert_eq!(
                found(odd, Connections::MutualTls),
                Ok(usual.clone()),
                "{odd}"
            );
        }
        for bad in ["http://m.example/t", "https://127.0.0.1/t", "m.example"] {
            let aliases = format!(r#"{{"token_endpoint":"{bad}"}}"#);
            assert_eq!(
                found(&aliases, Connections::Tls),
                Ok(usual.clone()),
                "{bad}"
            );
            let refused = found(&aliases, Connections::MutualTls);
            assert!(refused.is_err_and(|reason| reason.contains(bad)), "{bad}");
        }
    }

    #[test]
    fn the_issuer_must_be_the_one_that_was_asked() {
        let asked = issuer("https://id.example/a");
        for (written, good) in [
            ("https://id.example/a", true),
            ("https://id.example/a/", true),
            ("https://id.example/a//", false),
            ("https://id.example/A", false),
            ("https://id.example/b", false),
            ("https://evil.example/a", false),
            ("https://id.example/{tenantid}", true),
            ("https://id.example/{tenantid}/v2.0", false),
            ("https://{tenantid}/a", false),
            ("https://id.example{tenantid}", false),
        ] {
            let document = format!(r#"{{"issuer":"{written}"}}"#);
            assert_eq!(
                parse(document.as_bytes(), &asked).is_ok(),
                good,
                "{written}"
            );
        }
        let written = r#"{"issuer":"https://id.example/{tenantid}/v2.0"}"#;
        for (asked, good) in [
            ("https://id.example/organizations/v2.0", true),
            ("https://id.example/a/b/v2.0", false),
            ("https://id.example//v2.0", false),
            ("https://evil.example/organizations/v2.0", false),
        ] {
            let parsed = parse(written.as_bytes(), &issuer(asked));
            assert_eq!(parsed.is_ok(), good, "{asked}");
        }
    }

    #[test]
    fn an_endpoint_on_the_way_to_which_others_could_read_is_refused() {
        for (host, endpoint, good) in [
            ("https://id.example", "https://tokens.example/t", true),
            ("https://id.example", "http://id.example/t", false),
            ("https://id.example", "http://127.0.0.1:8080/t", false),
            ("https://id.example", "https://localhost/t", false),
            ("http://127.0.0.1:1", "http://localhost:8080/t", true),
        ] {
            let document = format!(r#"{{"issuer":"{host}","token_endpoint":"{endpoint}"}}"#);
            let parsed = parse(document.as_bytes(), &issuer(host));
            assert_eq!(parsed.is_ok(), good, "{host} {endpoint}");
            // Only a convenience is lost with this one.
            let document = document.replace("token_endpoint", "userinfo_endpoint");
            let parsed = parse(document.as_bytes(), &issuer(host));
            let is_elsewhere = endpoint.contains("127.0.0.1") || endpoint.contains("localhost");
            assert_eq!(parsed.is_ok(), good || !is_elsewhere, "{host} {endpoint}");
        }
    }

    #[test]
    fn proofs_are_sent_where_the_authority_takes_ours_or_does_not_say() {
        for (algorithms, is_fine) in [
            (None, true),
            (Some(&["RS256", "ES256"][..]), true),
            (Some(&["RS256"]), false),
            (Some(&[]), false),
        ] {
            let server = Server {
                dpop_algorithms: algorithms
                    .map(|names| names.iter().map(ToString::to_string).collect()),
                ..Server::default()
            };
            let checked = super::check_algorithm(&server);
            assert_eq!(checked.is_ok(), is_fine, "{algorithms:?}");
        }
    }

    #[test]
    fn what_a_fuzzer_calls_reads_metadata_of_the_issuer_alone() {
        let document = |issuer: &str| {
            format!("{{\"issuer\": \"{issuer}\", \"token_endpoint\": \"https://h.example/t\"}}")
        };
        let own = issuer("https://h.example");
        let server = super::decodes(document("https://h.example").as_bytes(), &own).unwrap();
        let token = server.endpoints.get(EndpointName::Token);
        assert_eq!(token, Some(&issuer("https://h.example/t")));
        assert!(super::decodes(document("https://other.example").as_bytes(), &own).is_err());
    }
}
