//! A form sent to an authority's endpoint, with the client's authentication.

use std::rc::Rc;
use std::time::Duration;

use url::form_urlencoded::Serializer;

use crate::context::{Context, HttpFailure, HttpRequest, HttpResponse};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::oauth::client_authentication::authenticate;
use crate::oauth::dpop;
use crate::oauth::metadata::Server;
use crate::oauth::response;
use crate::proof_key::ProofKey;
use crate::secret::Secret;
use crate::text::printable;

/// The parameters of a request, in order. An empty value is left out (RFC 6749 §3.2).
#[derive(Clone, Default)]
pub struct Form {
    fields: Vec<(String, Secret)>,
    /// What is sent, in it or beside it, and must not be shown where the answer repeats it.
    secrets: Vec<Secret>,
}

impl Form {
    /// A form with one field.
    pub fn new(name: &str, value: &str) -> Self {
        let mut form = Self::default();
        form.add(name, value);
        form
    }

    /// A token request of that grant. Entra is asked for `client_info`, which names the account
    /// also where there is no ID token.
    pub fn of_grant(grant_type: &str, client: &Client) -> Self {
        let mut form = Self::new("grant_type", grant_type);
        if client.is_entra() {
            form.add("client_info", "1");
        }
        form
    }

    /// Adds a field.
    pub fn add(&mut self, name: &str, value: &str) {
        self.push(name, Secret::new(value));
    }

    /// Adds a field whose value is secret.
    pub fn add_secret(&mut self, name: &str, value: Secret) {
        self.keep_from_sight(value.clone());
        self.push(name, value);
    }

    /// Names a secret that is sent beside the form.
    pub fn keep_from_sight(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// One that is there stays: a parameter comes once (RFC 6749 §3.1, §3.2).
    fn push(&mut self, name: &str, value: Secret) {
        let is_there = self.fields.iter().any(|(there, _)| there == name);
        if !is_there && !value.expose().is_empty() {
            self.fields.push((name.to_owned(), value));
        }
    }

    /// Adds what the client sends with each authorization and token request: `resource`,
    /// `audience`, and further ones, none of which replaces a field that is there.
    pub fn add_parameters(&mut self, client: &Client, claims: Option<&str>) {
        let own = [
            ("resource", &client.resource),
            ("audience", &client.audience),
        ];
        for (name, value) in own {
            if let Some(value) = value {
                self.add(name, value);
            }
        }
        if let Some(claims) = claims {
            self.add("claims", claims);
        }
        for (name, value) in &client.extra {
            self.add(name, value);
        }
    }

    /// Adds the fields to the query of a URL, which keeps its own (RFC 6749 §3.1).
    pub fn add_to_query(&self, url: &mut url::Url) {
        let mut query = url.query_pairs_mut();
        for (name, value) in &self.fields {
            query.append_pair(name, value.expose());
        }
    }

    /// The form as the body of a request.
    pub fn encode(&self) -> Secret {
        let mut serializer = Serializer::new(String::new());
        for (name, value) in &self.fields {
            serializer.append_pair(name, value.expose());
        }
        Secret::new(serializer.finish())
    }
}

/// Posts `form` to `endpoint`. The outer error is ours; the inner one is the network's. A request of a
/// token carries a proof, if the client has a key, and is repeated once if the authority wants a nonce
/// in it (RFC 9449 §5, §8).
///
/// # Errors
/// `config` if the client cannot authenticate, or its certificate cannot be used; `unavailable` if no
/// time is left.
pub fn post(
    client: &Client,
    server: &Server,
    endpoint: &Endpoint,
    form: Form,
    context: &Context<'_>,
) -> Result<Result<HttpResponse, HttpFailure>, Error> {
    post_in_time(client, server, endpoint, form, Duration::ZERO, context)
}

/// The same for a request whose answer must not be lost: it is sent only where at least that much
/// time is left for it, once all is there that goes with it.
///
/// # Errors
/// As those of [`post`].
pub fn post_in_time(
    client: &Client,
    server: &Server,
    endpoint: &Endpoint,
    form: Form,
    least: Duration,
    context: &Context<'_>,
) -> Result<Result<HttpResponse, HttpFailure>, Error> {
    let is_of_a_token = server.endpoints.token.as_ref() == Some(endpoint);
    let Some(key) = client.proof_key.as_ref().filter(|_| is_of_a_token) else {
        return send(client, server, endpoint, form, least, None, context);
    };
    // What proves who the client is may be of use once.
    let client = &client.with_secret_at_hand(context)?;
    let first = send(
        client,
        server,
        endpoint,
        form.clone(),
        least,
        Some(key),
        context,
    )?;
    if !first.as_ref().is_ok_and(dpop::wants_nonce) {
        return Ok(first);
    }
    context.debug(|| format!("{endpoint} wants a nonce in the proof; once more"));
    send(client, server, endpoint, form, least, Some(key), context)
}

fn send(
    client: &Client,
    server: &Server,
    endpoint: &Endpoint,
    mut form: Form,
    least: Duration,
    key: Option<&Rc<ProofKey>>,
    context: &Context<'_>,
) -> Result<Result<HttpResponse, HttpFailure>, Error> {
    let mut headers = vec![
        ("accept", Secret::new("application/json")),
        (
            "content-type",
            Secret::new("application/x-www-form-urlencoded"),
        ),
    ];
    if let Some(authorization) = authenticate(client, server, &mut form, context)? {
        headers.push(("authorization", authorization));
    }
    if let Some(key) = key {
        let target = dpop::Target {
            method: "POST",
            url: endpoint.as_str(),
            access_token: None,
        };
        headers.push(("dpop", dpop::proof(key, target, None, context)?));
    }
    let request = HttpRequest {
        method: "POST",
        url: endpoint.as_str().to_owned(),
        headers,
        body: Some(form.encode()),
    };
    let limit = context.request_limit()?;
    if limit < least {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "too little of the time for this call is left for the request",
        )
        .hint("nothing was lost; try again"));
    }
    let answer = context.http.send(&request, &client.tls, limit);
    context.debug(|| match &answer {
        Ok(response) => format!("{endpoint} answered with HTTP status {}", response.status),
        Err(failure) => format!("{endpoint}: {}", printable(failure.reason())),
    });
    match answer {
        Ok(response) => {
            dpop::remember(endpoint.as_str(), &response, context);
            Ok(Ok(response::without_secrets(response, &form.secrets)))
        }
        Err(failure) => failure.of_network().map(Err),
    }
}
