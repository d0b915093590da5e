//! The authorization code grant in the system browser
//! ([RFC 6749 §4.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1),
//! [RFC 8252](https://www.rfc-editor.org/rfc/rfc8252)), with PKCE
//! ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)).
//!
//! The browser brings the code back to a port of this machine, where anybody can come: only an
//! answer with the `state` of this sign-in counts, and nobody else ends it. Where the browser is
//! another machine's, the person copies the address that it ended on, here or in a later call.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::person::countdown::Countdown;
use super::person::invitation::link;
use super::{Asks, Begun, Entry, Grant, GrantRequest};
use crate::context::{Context, LoopbackHost, Typing, Visit, Visitors};
use crate::digest::sha256;
use crate::encoding::{from_object, to_base64url};
use crate::error::{Error, ErrorKind, OAuthError};
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::id_token;
use crate::oauth::metadata::{self, Server};
use crate::oauth::request::{self, Form};
use crate::oauth::response::{self, Failure};
use crate::secret::Secret;
use crate::text::{printable, shell_word};
use crate::token::TokenSet;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "the person signs in with a browser (RFC 6749 §4.1, PKCE)",
    keys: KEYS,
    secrets: &[],
    tokens: &[],
    needless: &[],
    parse: |given| Ok(Box::new(AuthorizationCode::parse(given.plain)?)),
};

const NAME: &str = "authorization_code";

/// Its own keys, and those of whoever chooses it.
pub(super) const KEYS: &[&str] = &["redirect_uri", "timeout"];

/// How long has a person for a sign-in, with a second factor and a password that is looked up?
const TIMEOUT: Duration = Duration::from_secs(600);

/// The authorization code grant.
#[derive(Debug)]
pub(super) struct AuthorizationCode {
    redirect: Option<Redirect>,
    timeout: Duration,
}

impl Default for AuthorizationCode {
    fn default() -> Self {
        Self {
            redirect: None,
            timeout: TIMEOUT,
        }
    }
}

/// Where the browser brings the code: a redirect URI, without its port if any will do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Redirect {
    host: LoopbackHost,
    port: Option<u16>,
    path: String,
}

impl AuthorizationCode {
    /// Reads [`KEYS`]; the error is what is wrong with them.
    pub(super) fn parse(mut table: toml::Table) -> Result<Self, String> {
        let mut grant = Self::default();
        if let Some(value) = table.remove("redirect_uri") {
            let text = value.as_str().ok_or("`redirect_uri` is no string")?;
            let redirect = Redirect::parse(text);
            grant.redirect = Some(redirect.map_err(|reason| format!("`redirect_uri`: {reason}"))?);
        }
        if let Some(value) = table.remove("timeout") {
            let text = value.as_str().unwrap_or_default();
            let timeout = humantime::parse_duration(text);
            grant.timeout = timeout.map_err(|_| "`timeout` is no time like \"10m\"")?;
        }
        Ok(grant)
    }
}

impl Redirect {
    /// Reads a redirect URI: `http`, this machine, perhaps a port, and a path.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("http://")
            .ok_or("it does not begin with `http://`")?;
        let (authority, path) = match rest.find('/') {
            Some(start) => rest.split_at(start),
            None => (rest, ""),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if !path.bytes().all(is_plain) {
            return Err("its path holds more than letters, digits and `/-._~`");
        }
        let hosts = [
            ("localhost", LoopbackHost::Localhost),
            ("127.0.0.1", LoopbackHost::V4),
            ("[::1]", LoopbackHost::V6),
        ];
        for (name, host) in hosts {
            let port = match authority.strip_prefix(name) {
                Some("") => None,
                Some(rest) => {
                    let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
                    Some(port.filter(|port| *port != 0).ok_or("its port is none")?)
                }
                None => continue,
            };
            return Ok(Self {
                host,
                port,
                path: path.to_owned(),
            });
        }
        Err("its host is not `localhost`, `127.0.0.1` or `[::1]`")
    }

    /// What is used where the profile names none. Entra takes any port of `http://localhost`, and of
    /// nothing else (<https://learn.microsoft.com/entra/identity-platform/reply-url>); others
    /// take any port of an address (RFC 8252 §7.3).
    fn default_for(client: &Client) -> Self {
        let (host, path) = if client.is_entra() {
            (LoopbackHost::Localhost, "")
        } else {
            (LoopbackHost::V4, "/")
        };
        Self {
            host,
            port: None,
            path: path.to_owned(),
        }
    }

    /// `HOST:PORT`, as the browser names it.
    fn authority(&self, port: Option<u16>) -> String {
        let host = match self.host {
            LoopbackHost::Localhost => "localhost",
            LoopbackHost::V4 => "127.0.0.1",
            LoopbackHost::V6 => "[::1]",
        };
        port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl Grant for AuthorizationCode {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::Person
    }

    fn chosen(&self, _client: &Client, _context: &Context<'_>) -> Result<&dyn Grant, Error> {
        Ok(self)
    }

    fn begin(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<Option<Begun>, Error> {
        let needed = [EndpointName::Authorization, EndpointName::Token];
        let server = metadata::find(client, &needed, context)?;
        let default = || Redirect::default_for(client);
        let redirect = self.redirect.clone().unwrap_or_else(default);
        // Nobody listens: the address is copied from a page that cannot be shown.
        let authority = redirect.authority(redirect.port);
        let awaited = Awaited::new(
            client, &server, request, &redirect, authority, false, context,
        )?;
        Ok(Some(Begun {
            url: awaited.url.clone(),
            kept: awaited.to_kept(),
        }))
    }

    fn finish(
        &self,
        client: &Client,
        kept: &Secret,
        answer: &Secret,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        let awaited: Awaited = serde_json::from_str(kept.expose()).map_err(|_| {
            Error::new(
                ErrorKind::LoginRequired,
                "the sign-in that was begun is of another version of this program",
            )
        })?;
        let needed = [EndpointName::Authorization, EndpointName::Token];
        let server = metadata::find(client, &needed, context)?;
        let client = &client.with_secret_at_hand(context)?;
        let outcome = awaited.judge_copied(answer.expose(), &server);
        let code = outcome.ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                "what was pasted is not the answer to the sign-in that was begun last",
            )
            .hint(
                "copy the whole address of the page that the browser ended on, which may show an \
                 error, and run the command again",
            )
        })??;
        redeem(client, &server, &awaited, code, context)
    }

    fn run(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        let needed = [EndpointName::Authorization, EndpointName::Token];
        let server = metadata::find(client, &needed, context)?;
        let client = &client.with_secret_at_hand(context)?;
        let default = || Redirect::default_for(client);
        let redirect = self.redirect.clone().unwrap_or_else(default);
        let visitors = listen(&redirect, request, context)?;
        let authority = redirect.authority(Some(visitors.port()));
        let awaited = |by_form| {
            let authority = authority.clone();
            Awaited::new(
                client, &server, request, &redirect, authority, by_form, context,
            )
        };
        let mut opened = context.browser.found().map(drop);
        let mut page = awaited(opened.is_ok())?;
        if opened.is_ok() {
            opened = context.browser.open(&page.url);
            if opened.is_err() {
                page = awaited(false)?;
            }
        }
        let awaited = page;
        // Where no browser comes, the address it ended on elsewhere can be typed.
        let typing = opened
            .as_ref()
            .err()
            .and_then(|_| context.terminal.typing());
        // Whoever reads it may press Ctrl-C at once.
        let _attention = context.signals.attend();
        show(
            &awaited,
            request,
            &opened,
            typing.is_some(),
            self.timeout,
            context,
        )?;
        let code = await_code(&awaited, &server, &*visitors, typing, self.timeout, context)?;
        drop(visitors);
        redeem(client, &server, &awaited, code, context)
    }
}

/// Waits for the browser where the redirect URI leads.
fn listen(
    redirect: &Redirect,
    request: &GrantRequest<'_>,
    context: &Context<'_>,
) -> Result<Box<dyn Visitors>, Error> {
    let listening = context.browser.listen(redirect.host, redirect.port);
    listening.map_err(|error| {
        let place = redirect.port.map_or_else(
            || "on this machine".to_owned(),
            |port| format!("at {}", redirect.authority(Some(port))),
        );
        Error::new(
            ErrorKind::Unavailable,
            format!("the browser's answer cannot be waited for {place}"),
        )
        .because(error)
        .hint(format!(
            "end the program that has the port, or sign in with `cred-helper login -p {} \
             --start`, which needs none",
            shell_word(request.profile)
        ))
    })
}

/// Waits until the browser brings the answer, or somebody types it.
fn await_code(
    awaited: &Awaited,
    server: &Server,
    visitors: &dyn Visitors,
    mut typing: Option<Box<dyn Typing>>,
    timeout: Duration,
    context: &Context<'_>,
) -> Result<Secret, Error> {
    let end = context.clock.monotonic() + timeout;
    let countdown = Countdown::new(end, context);
    loop {
        let mut outcome = None;
        let came = visitors.next(&mut |visit| {
            let (answer, found) = awaited.judge(visit, server);
            outcome = found;
            answer
        });
        if let Some(outcome) = outcome {
            return outcome;
        }
        let typed = typing.as_mut().map_or(Ok(None), |typing| typing.line())?;
        if let Some(line) = &typed {
            if let Some(outcome) = awaited.judge_copied(line.expose(), server) {
                return outcome;
            }
            if !line.expose().is_empty() {
                drop(context.terminal.show(NOT_THE_ANSWER));
            }
        }
        // However many come or type: the time runs out, and Ctrl-C is heard.
        if context.clock.monotonic() >= end {
            return Err(ran_out(timeout));
        }
        context.signals.check()?;
        // A line that changes would be in the way of whoever pastes.
        if typing.is_none() {
            countdown.show();
        }
        if !came && typed.is_none() {
            context.clock.sleep(Duration::from_millis(50))?;
        }
    }
}

/// What somebody is told who typed something else.
const NOT_THE_ANSWER: &str = "\nThat is not the answer to this sign-in. Copy the whole address of the \
                              page that the browser ended on, which may show an error, and paste \
                              it here:\n";

/// A span of time as the other ways to sign in write it.
fn in_words(span: Duration) -> String {
    match (span.as_secs() / 60, span.as_secs() % 60) {
        (minutes, 0) if minutes > 0 => format!("{minutes} min"),
        _ => format!("{} s", span.as_secs()),
    }
}

fn ran_out(timeout: Duration) -> Error {
    Error::new(
        ErrorKind::LoginRequired,
        format!(
            "nobody came back from the browser within {}",
            in_words(timeout)
        ),
    )
    .because(
        "if the page there says that the redirect URI is wrong, register it for the client, or \
         name the one that is registered: `grant = { type = \"auto\", redirect_uri = \"…\" }`",
    )
}

/// What this sign-in sent, and wants to see again.
#[derive(Deserialize)]
struct Awaited {
    /// `HOST:PORT` of the redirect URI.
    authority: String,
    path: String,
    redirect_uri: String,
    state: Secret,
    verifier: Secret,
    nonce: Option<String>,
    /// Where the person signs in.
    url: String,
    /// How long the page can be opened, where that has an end of its own.
    #[serde(skip)]
    opens_for: Option<Duration>,
    scopes: Vec<String>,
    /// What the token request repeats.
    #[serde(default)]
    claims: Option<String>,
}

/// What is answered to a visitor, and what the sign-in came to, if it ended.
type Judged = ((u16, &'static str), Option<Result<Secret, Error>>);

impl Awaited {
    fn new(
        client: &Client,
        server: &Server,
        request: &GrantRequest<'_>,
        redirect: &Redirect,
        authority: String,
        by_form: bool,
        context: &Context<'_>,
    ) -> Result<Self, Error> {
        let scopes = metadata::scopes_to_ask(client, server, request.scopes);
        let random = || context.random.bytes().map(|bytes| to_base64url(&bytes));
        let verifier = random()?;
        let state = random()?;
        // Only an ID token brings it back.
        let asks_for_identity = scopes.iter().any(|scope| scope == "openid");
        let nonce = asks_for_identity.then(random).transpose()?;
        let redirect_uri = format!("http://{authority}{}", redirect.path);
        let mut form = Form::new("client_id", &client.client_id);
        form.add("response_type", "code");
        form.add("redirect_uri", &redirect_uri);
        form.add("scope", &scopes.join(" "));
        form.add("state", &state);
        form.add(
            "code_challenge",
            &to_base64url(&sha256(verifier.as_bytes())),
        );
        form.add("code_challenge_method", "S256");
        form.add("nonce", nonce.as_deref().unwrap_or_default());
        if let Some(key) = &client.proof_key {
            // RFC 9449 §10: the code too is of use with this key alone.
            form.add("dpop_jkt", &key.thumbprint());
        }
        if client.is_entra() {
            form.add("client_info", "1");
            if by_form {
                // The code stays out of the browser's history, and so out of the address that a
                // person could copy. Others often do not know it.
                form.add("response_mode", "form_post");
            }
        }
        form.add("login_hint", request.account.unwrap_or_default());
        form.add(
            "domain_hint",
            client.domain_hint.as_deref().unwrap_or_default(),
        );
        let is_refresh_token_wanted = scopes.iter().any(|scope| scope == "offline_access");
        if let Some(prompt) = &client.prompt {
            form.add("prompt", prompt);
        } else if is_refresh_token_wanted && !client.is_entra() {
            // OpenID Connect Core §11: without it no refresh token comes.
            form.add("prompt", "consent");
        }
        form.add_parameters(client, request.claims);
        let (form, opens_for) = if is_pushed(client, server) {
            let (form, opens_for) = push(client, server, form, context)?;
            (form, Some(opens_for))
        } else {
            (form, None)
        };
        let bug =
            |error| Error::new(ErrorKind::Internal, "BUG: an endpoint is no URL").because(error);
        let endpoint = server.endpoint(EndpointName::Authorization)?;
        let mut url = Url::parse(endpoint.as_str()).map_err(bug)?;
        form.add_to_query(&mut url);
        Ok(Self {
            authority,
            path: redirect.path.clone(),
            redirect_uri,
            state: Secret::new(state),
            verifier: Secret::new(verifier),
            nonce,
            url: url.into(),
            opens_for,
            scopes,
            claims: request.claims_of_token_request(client).map(str::to_owned),
        })
    }

    /// The form in which it is kept between two calls.
    fn to_kept(&self) -> Secret {
        let Self {
            authority,
            path,
            redirect_uri,
            state,
            verifier,
            nonce,
            url,
            opens_for: _,
            scopes,
            claims,
        } = self;
        let kept = Zeroizing::new(
            serde_json::json!({
                "authority": authority,
                "path": path,
                "redirect_uri": redirect_uri,
                "state": state.expose(),
                "verifier": verifier.expose(),
                "nonce": nonce,
                "url": url,
                "scopes": scopes,
                "claims": claims,
            })
            .to_string(),
        );
        Secret::new(kept.as_str())
    }

    /// Judges what somebody copied: an address, its query, or the code alone, which PKCE binds to
    /// this sign-in.
    fn judge_copied(&self, text: &str, server: &Server) -> Option<Result<Secret, Error>> {
        let text = text.trim();
        /// How short may a code be? A word that somebody types is none.
        const SHORTEST_CODE: usize = 16;
        let is_code = |byte: u8| byte.is_ascii_graphic() && !b"?&\"'<>".contains(&byte);
        let parameters = match text.split_once('?') {
            Some((_, query)) => query.split('#').next().unwrap_or_default(),
            None if text.contains("code=") || text.contains("error=") => text,
            // An address without a query is no code.
            None if text.contains("://") || text.is_empty() => return None,
            None if text.len() < SHORTEST_CODE => return None,
            None => return text.bytes().all(is_code).then(|| Ok(Secret::new(text))),
        };
        let answer = Answer::read(parameters).filter(|answer| self.is_ours(answer))?;
        let outcome = answer.outcome(server)?;
        Some(outcome.map_err(|error| *error))
    }

    fn is_ours(&self, answer: &Answer<'_>) -> bool {
        let state = answer.state.as_ref();
        state.is_some_and(|state| is_same(state, self.state.expose()))
    }

    /// Judges what came. What is not the answer to this sign-in is refused, and ends nothing.
    fn judge(&self, visit: &Visit, server: &Server) -> Judged {
        let refuse = |status, page| ((status, page), None);
        // A name that was made to mean this machine brings another site's page here.
        let is_named = |own: &str| visit.host.eq_ignore_ascii_case(own);
        // A browser leaves out the port that every `http` has.
        let without_port = self.authority.strip_suffix(":80");
        if !is_named(&self.authority) && !without_port.is_some_and(is_named) {
            return refuse(421, "Nobody of this name is here.");
        }
        let target = visit.target.expose();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // Where a URL has no path, the request has this one.
        let own = if self.path.is_empty() {
            "/"
        } else {
            &self.path
        };
        if path != own {
            return refuse(404, "There is nothing here.");
        }
        let is_form = visit
            .content_type
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM));
        let parameters = match visit.method.as_str() {
            "GET" => query,
            "POST" if is_form => visit.body.expose(),
            _ => return refuse(405, "This is not how a sign-in ends."),
        };
        let Some(answer) = Answer::read(parameters) else {
            return refuse(400, "This is not how a sign-in ends.");
        };
        if !self.is_ours(&answer) {
            return refuse(
                400,
                "This is not the answer to the sign-in that is waited for.",
            );
        }
        match answer.outcome(server) {
            None => refuse(400, "This is not how a sign-in ends."),
            Some(Ok(code)) => (
                (200, "You have signed in, and can close this page."),
                Some(Ok(code)),
            ),
            Some(Err(error)) => (
                (
                    200,
                    "The sign-in has failed. The terminal says why; you can close this page.",
                ),
                Some(Err(*error)),
            ),
        }
    }
}

/// Whether the request is pushed: where the authority demands it (RFC 9126 §5), or the profile names
/// the endpoint.
fn is_pushed(client: &Client, server: &Server) -> bool {
    let name = EndpointName::PushedAuthorizationRequest;
    server.wants_pushed_requests || client.endpoints.get(name).is_some()
}

/// Pushes the authorization request (RFC 9126 §2); what the browser brings in its place (§4), and how
/// long that is good.
fn push(
    client: &Client,
    server: &Server,
    form: Form,
    context: &Context<'_>,
) -> Result<(Form, Duration), Error> {
    const DOING: &str = "the sign-in could not be started";
    #[derive(Deserialize)]
    struct Members {
        request_uri: String,
        #[serde(default)]
        expires_in: serde_json::Value,
    }
    let endpoint = server.endpoint(EndpointName::PushedAuthorizationRequest)?;
    let answer = request::post(client, server, endpoint, form, context)?;
    let response = answer.map_err(|failure| Failure::from(failure).into_error(DOING))?;
    let members = from_object::<Members>(&response.body).ok();
    let is_good = |members: &Members| {
        (200..300).contains(&response.status) && !members.request_uri.is_empty()
    };
    let Some(members) = members.filter(is_good) else {
        return Err(response::failure(&response).into_error(DOING));
    };
    let mut form = Form::new("client_id", &client.client_id);
    form.add("request_uri", &members.request_uri);
    let seconds = response::whole_seconds(&members.expires_in).unwrap_or_default();
    Ok((form, Duration::from_secs(seconds.unsigned_abs())))
}

/// What comes of a visitor, and of the same target where a person copied it, for a sign-in that waits for
/// the state `fuzz` at `127.0.0.1:1`: what a fuzzer calls.
pub fn decodes(visit: &Visit) -> [Option<Result<Secret, Error>>; 2] {
    let awaited = Awaited {
        authority: "127.0.0.1:1".to_owned(),
        path: "/".to_owned(),
        redirect_uri: "http://127.0.0.1:1/".to_owned(),
        state: Secret::new("fuzz"),
        verifier: Secret::new("verifier"),
        nonce: None,
        url: String::new(),
        opens_for: None,
        scopes: Vec::new(),
        claims: None,
    };
    let server = Server::default();
    let (_, judged) = awaited.judge(visit, &server);
    [judged, awaited.judge_copied(visit.target.expose(), &server)]
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Compares in a time that tells nothing of where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    let difference = pairs.fold(0, |difference, (one, other)| difference | (one ^ other));
    one.len() == other.len() && difference == 0
}

/// An authorization response (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Default)]
struct Answer<'a> {
    code: Option<Cow<'a, str>>,
    state: Option<Cow<'a, str>>,
    iss: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
    error_description: Option<Cow<'a, str>>,
}

impl<'a> Answer<'a> {
    /// `None` where a parameter comes twice (RFC 6749 §3.1).
    fn read(parameters: &'a str) -> Option<Self> {
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            let place = match name.as_ref() {
                "code" => &mut answer.code,
                "state" => &mut answer.state,
                "iss" => &mut answer.iss,
                "error" => &mut answer.error,
                "error_description" => &mut answer.error_description,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(answer)
    }

    /// The code, or why there is none; `None` where it is neither. The issuer is looked at first
    /// (RFC 9207 §2.4).
    fn outcome(self, server: &Server) -> Option<Result<Secret, Box<Error>>> {
        let foreign = |reason: String| {
            let error = Error::new(ErrorKind::Denied, "the browser brought a foreign answer");
            Some(Err(Box::new(error.because(reason))))
        };
        match (&self.iss, &server.issuer) {
            (Some(iss), Some(issuer)) if iss != issuer => {
                return foreign(format!("it is of the issuer `{}`", printable(iss)));
            }
            (None, _) if server.names_issuer_in_answers => {
                return foreign("it does not name the issuer, and the authority's do".to_owned());
            }
            _ => {}
        }
        if let Some(error) = self.error {
            let description = self.error_description.map(|text| printable(&text));
            let said = OAuthError {
                error: printable(&error),
                error_description: description,
                ..OAuthError::default()
            };
            let failure = Failure::Refused {
                said: Box::new(said),
                interval: None,
                claims: None,
            };
            return Some(Err(Box::new(failure.into_error("the sign-in was refused"))));
        }
        let code = self.code.filter(|code| !code.is_empty())?;
        Some(Ok(Secret::new(code.into_owned())))
    }
}

/// Shows where to sign in.
fn show(
    awaited: &Awaited,
    request: &GrantRequest<'_>,
    opened: &Result<(), String>,
    can_type: bool,
    timeout: Duration,
    context: &Context<'_>,
) -> Result<(), Error> {
    let begin = match (opened, can_type) {
        (Ok(()), _) => "sign in with the browser that opens now. If none does, open",
        (Err(_), true) => "open this in a browser",
        (Err(_), false) => "open this in a browser on this machine",
    };
    let then = if can_type {
        "\nIf that browser is another machine's, it ends on a page that it cannot show. Copy the \
         address of that page, and paste it here.\n"
    } else {
        ""
    };
    let opens_for = awaited.opens_for.map_or_else(String::new, |opens_for| {
        let opens_for = in_words(opens_for);
        format!("The page has to be opened within {opens_for}. ")
    });
    if let Err(reason) = opened {
        context.debug(|| format!("no browser opens: {}", printable(reason)));
    }
    let text = format!(
        "\nTo sign in for profile `{}`, {begin}\n\n    {}\n{then}\n{opens_for}This waits for {}. Go on only if \
         you asked for it yourself.\n",
        request.profile,
        link(&awaited.url, context.terminal.display()),
        in_words(timeout)
    );
    context.terminal.show(&text).map_err(|error| {
        Error::new(
            ErrorKind::LoginRequired,
            "the sign-in cannot be shown to anybody",
        )
        .because(error)
    })
}

/// Redeems the code (RFC 6749 §4.1.3), once: a code that is sent twice may cost the tokens.
fn redeem(
    client: &Client,
    server: &Server,
    awaited: &Awaited,
    code: Secret,
    context: &Context<'_>,
) -> Result<TokenSet, Error> {
    const DOING: &str = "the sign-in could not be completed";
    let mut form = Form::of_grant(NAME, client);
    form.add_secret("code", code);
    form.add("redirect_uri", &awaited.redirect_uri);
    form.add_secret("code_verifier", awaited.verifier.clone());
    if client.is_entra() {
        form.add("scope", &awaited.scopes.join(" "));
    }
    form.add_parameters(client, awaited.claims.as_deref());
    // The answer holds the tokens: Ctrl-C waits for it.
    let shield = context.signals.shield();
    let endpoint = server.endpoint(EndpointName::Token)?;
    let answer = request::post(client, server, endpoint, form, context)?;
    drop(shield);
    let token_set = response::tokens(answer, client, server, context.clock.now())
        .map_err(|failure| failure.into_error(DOING))?;
    let nonce = token_set
        .id_token
        .as_ref()
        .and_then(|id_token| id_token::nonce(id_token.expose()));
    if token_set.id_token.is_some() && nonce != awaited.nonce {
        return Err(Error::new(ErrorKind::Denied, DOING)
            .because("the ID token belongs to another sign-in: its nonce is not ours"));
    }
    Ok(token_set)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Awaited, Redirect, is_same};
    use crate::context::{LoopbackHost, Visit};
    use crate::error::ErrorKind;
    use crate::oauth::metadata::Server;
    use crate::secret::Secret;

    #[test]
    fn a_redirect_uri_is_one_of_this_machine() {
        for (text, expected) in [
            (
                "http://localhost",
                Some((LoopbackHost::Localhost, None, "")),
            ),
            (
                "http://localhost:8400/",
                Some((LoopbackHost::Localhost, Some(8400), "/")),
            ),
            (
                "http://127.0.0.1/a/b",
                Some((LoopbackHost::V4, None, "/a/b")),
            ),
            ("http://[::1]:1/", Some((LoopbackHost::V6, Some(1), "/"))),
            ("https://localhost/", None),
            ("http://localhost.evil.example/", None),
            ("http://127.0.0.1.evil.example/", None),
            ("http://127.0.0.2/", None),
            ("http://user@localhost/", None),
            ("http://localhost:0/", None),
            ("http://localhost:65536/", None),
            ("http://localhost:x/", None),
            ("http://localhost/?q", None),
            ("http://localhost/#f", None),
            ("app://callback", None),
            ("", None),
        ] {
            let read = Redirect::parse(text).ok();
            let read = read
                .as_ref()
                .map(|redirect| (redirect.host, redirect.port, redirect.path.as_str()));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn an_answer_is_a_code_or_an_error_of_the_issuer_that_was_asked() {
        let server = |announces| Server {
            issuer: Some("https://id.example".to_owned()),
            names_issuer_in_answers: announces,
            ..Server::default()
        };
        for (parameters, announces, expected) in [
            ("code=c", false, Some(Ok("c"))),
            ("code=c%2B1&other=x", false, Some(Ok("c+1"))),
            ("code=c&iss=https://id.example", true, Some(Ok("c"))),
            ("code=c", true, Some(Err("no issuer"))),
            (
                "code=c&iss=https://evil.example",
                false,
                Some(Err("foreign")),
            ),
            ("code=c&iss=https://id.example/", true, Some(Err("foreign"))),
            (
                "error=access_denied&iss=https://evil.example",
                true,
                Some(Err("foreign")),
            ),
            ("error=access_denied&code=c", false, Some(Err("refused"))),
            ("error=login_required", false, Some(Err("refused"))),
            ("code=", false, None),
            ("", false, None),
        ] {
            let answer = Answer::read(parameters).expect("nothing comes twice");
            let outcome = answer.outcome(&server(announces));
            let is_good = outcome.as_ref().map(Result::is_ok);
            assert_eq!(
                is_good,
                expected.map(|expected| expected.is_ok()),
                "{parameters}"
            );
            if let (Some(Ok(code)), Some(Ok(expected))) = (&outcome, expected) {
                assert_eq!(code.expose(), expected);
            }
        }
        assert!(Answer::read("state=a&state=b").is_none());
        let denied = Answer::read("error=access_denied&error_description=no%1B%5B2Jway").unwrap();
        let error = denied.outcome(&server(false)).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }

    #[test]
    fn an_answer_comes_to_the_path_and_the_host_of_the_redirect_uri() {
        for (uri, host, path, expected) in [
            ("http://localhost:8400", "localhost:8400", "/", 200),
            ("http://localhost:8400", "LOCALHOST:8400", "/", 200),
            ("http://localhost:8400", "localhost", "/", 421),
            ("http://localhost:8400", "127.0.0.1:8400", "/", 421),
            ("http://localhost:8400", "localhost:8400", "/a", 404),
            ("http://localhost:8400", "localhost:8400", "//", 404),
            ("http://localhost:8400/a", "localhost:8400", "/a", 200),
            ("http://localhost:8400/a", "localhost:8400", "//a", 404),
            ("http://localhost:8400/a", "localhost:8400", "/a/", 404),
            // A browser leaves out the port that `http` has anyway.
            ("http://localhost:80/a", "localhost", "/a", 200),
            ("http://localhost:80/a", "localhost:80", "/a", 200),
            ("http://[::1]:80/", "[::1]", "/", 200),
        ] {
            let redirect = Redirect::parse(uri).expect("it is one of this machine");
            let awaited = Awaited {
                authority: redirect.authority(redirect.port),
                path: redirect.path,
                redirect_uri: uri.to_owned(),
                state: Secret::new("state"),
                verifier: Secret::new("verifier"),
                nonce: None,
                url: String::new(),
                scopes: Vec::new(),
                opens_for: None,
                claims: None,
            };
            let visit = Visit {
                method: "GET".to_owned(),
                target: Secret::new(format!("{path}?code=c&state=state")),
                host: host.to_owned(),
                content_type: String::new(),
                body: Secret::new(""),
            };
            let ((status, _), _) = awaited.judge(&visit, &Server::default());
            assert_eq!(status, expected, "{uri} {host} {path}");
        }
    }

    #[test]
    fn texts_are_the_same_only_if_all_of_them_is() {
        for (one, other, same) in [
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("abc", "ab", false),
            ("", "", true),
        ] {
            assert_eq!(is_same(one, other), same);
        }
    }
}
