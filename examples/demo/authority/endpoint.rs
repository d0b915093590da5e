//! What each endpoint answers, and what has been issued so far.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::wire::{Recorded, Response, base64url, decode_base64, decode_form_value, random};
use super::{ClientAuthentication, ClientRow, Discovery, Settings, epoch_seconds, page};

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const OIDC_DOCUMENT: &str = "/.well-known/openid-configuration";
const RFC_8414_DOCUMENT: &str = "/.well-known/oauth-authorization-server";

/// The tenant of the ID token when the path names none by its GUID.
const TENANT: &str = "11111111-1111-1111-1111-111111111111";

/// The scope of a request that names none.
const DEFAULT_SCOPE: &str = "demo";

/// How long is the interval when the answer does not say (RFC 8628 §3.2)?
const DEFAULT_INTERVAL: u64 = 5;

/// How much longer does `slow_down` make it (RFC 8628 §3.5)?
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// What a fault can be scripted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Every path with `/.well-known/` in it, whether there is a document or not.
    Discovery,
    DeviceAuthorization,
    Token,
    Revocation,
    Resource,
    /// Who signed in (OIDC Core §5.3).
    Userinfo,
    /// Where a person approves.
    Page,
}

/// An endpoint, and the tenant if its path has the shape of Entra's.
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    tenant: Option<String>,
}

impl Route {
    pub(super) fn of(settings: &Settings, path: &str) -> Option<Self> {
        if let Some((_, endpoint)) = settings.paths.iter().find(|(own, _)| own == path) {
            return Some(Self {
                endpoint: *endpoint,
                tenant: None,
            });
        }
        let generic = path.strip_prefix(settings.path.as_str());
        let endpoint = match (generic, path) {
            (_, "/resource") => Endpoint::Resource,
            (_, "/device") => Endpoint::Page,
            (_, path) if path.contains("/.well-known/") => Endpoint::Discovery,
            (Some("/device_authorization"), _) => Endpoint::DeviceAuthorization,
            (Some("/token"), _) => Endpoint::Token,
            (Some("/revoke"), _) if settings.revocation => Endpoint::Revocation,
            (Some("/userinfo"), _) => Endpoint::Userinfo,
            _ => {
                let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
                let endpoint = match rest {
                    "oauth2/v2.0/devicecode" => Endpoint::DeviceAuthorization,
                    "oauth2/v2.0/token" => Endpoint::Token,
                    _ => return None,
                };
                let tenant = Some(tenant.to_owned());
                return Some(Self { endpoint, tenant });
            }
        };
        Some(Self {
            endpoint,
            tenant: None,
        })
    }

    fn is_entra(&self) -> bool {
        self.tenant.is_some()
    }
}

/// Everything issued.
#[derive(Clone, Default)]
pub(super) struct Issued {
    /// What could be stolen, in order of issue.
    pub(super) secrets: Vec<String>,
    device_codes: Vec<DeviceCode>,
    sessions: Vec<Session>,
    access_tokens: HashMap<String, AccessToken>,
    refresh_tokens: HashMap<String, RefreshToken>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Pending,
    Approved,
    Denied,
}

#[derive(Clone)]
struct DeviceCode {
    secret: String,
    user_code: String,
    client_id: String,
    scope: String,
    expires_at: Instant,
    interval: Duration,
    polled_at: Option<Instant>,
    decision: Decision,
}

impl DeviceCode {
    fn is_undecided(&self) -> bool {
        self.decision == Decision::Pending && Instant::now() < self.expires_at
    }
}

/// One approval and all the tokens that come of it.
#[derive(Clone)]
struct Session {
    client_id: String,
    account: String,
    scope: String,
    ended: bool,
}

#[derive(Clone)]
struct AccessToken {
    session: usize,
    /// Seconds since 1970.
    expires_at: i64,
}

#[derive(Clone)]
struct RefreshToken {
    session: usize,
    replaced: bool,
}

impl Issued {
    pub(super) fn newest_user_code(&self) -> Option<&str> {
        let newest = self
            .device_codes
            .iter()
            .rev()
            .find(|code| code.is_undecided());
        newest.map(|code| code.user_code.as_str())
    }

    /// False if no such code waits for a decision.
    pub(super) fn decide(&mut self, user_code: &str, decision: Decision) -> bool {
        let code = self.undecided(user_code);
        code.map(|code| code.decision = decision).is_some()
    }

    pub(super) fn expire_device_codes(&mut self) {
        let now = Instant::now();
        self.device_codes
            .iter_mut()
            .for_each(|code| code.expires_at = now);
    }

    pub(super) fn expire_access_tokens(&mut self) {
        self.access_tokens
            .values_mut()
            .for_each(|token| token.expires_at = 0);
    }

    pub(super) fn forget_tokens(&mut self) {
        self.access_tokens.clear();
        self.refresh_tokens.clear();
    }

    pub(super) fn is_redeemable(&self, refresh_token: &str) -> bool {
        let token = self.refresh_tokens.get(refresh_token);
        token.is_some_and(|token| !token.replaced && !self.sessions[token.session].ended)
    }

    /// Finds a code as a person types it: in any case, with any punctuation
    /// (RFC 8628 §6.1).
    fn undecided(&mut self, typed: &str) -> Option<&mut DeviceCode> {
        let letters = |code: &str| -> String {
            let letters = code.chars().filter(char::is_ascii_alphabetic);
            letters.map(|letter| letter.to_ascii_uppercase()).collect()
        };
        let wanted = letters(typed);
        let mut codes = self.device_codes.iter_mut();
        codes.find(|code| code.is_undecided() && letters(&code.user_code) == wanted)
    }

    fn secret(&mut self) -> String {
        let secret = base64url(&random::<24>());
        self.secrets.push(secret.clone());
        secret
    }

    /// The session of an access token that counts.
    fn live_session(&self, access_token: &str) -> Option<&Session> {
        let token = self.access_tokens.get(access_token)?;
        let session = &self.sessions[token.session];
        (!session.ended && epoch_seconds() < token.expires_at).then_some(session)
    }
}

/// Does what the request asks for.
pub(super) fn answer(
    settings: &Settings,
    issued: &mut Issued,
    origin: &str,
    route: Option<&Route>,
    request: &Recorded,
) -> Response {
    let Some(route) = route else {
        return not_found();
    };
    let work = match (route.endpoint, request.method.as_str()) {
        (Endpoint::Discovery, "GET") => return metadata(settings, origin, &request.path),
        (Endpoint::Resource, "GET") => {
            return with_token(issued, request, |account| json!({ "hello": account }));
        }
        (Endpoint::Userinfo, "GET") => {
            let claims = |account: &str| json!({ "sub": base64url(account.as_bytes()), "preferred_username": account });
            return with_token(issued, request, claims);
        }
        (Endpoint::Page, "GET") => return ask(settings, issued, request),
        (Endpoint::Page, "POST") => return decide(issued, request),
        (Endpoint::DeviceAuthorization, "POST") => Form::authorize_device,
        (Endpoint::Token, "POST") => Form::token,
        (Endpoint::Revocation, "POST") => Form::revoke,
        _ => return Response::new(405, "text/plain", "method not allowed\n"),
    };
    Form::check(settings, issued, origin, route, request)
        .and_then(|mut form| work(&mut form))
        .unwrap_or_else(|error| error)
}

fn not_found() -> Response {
    Response::new(404, "text/plain", "not found\n")
}

/// RFC 8414 §2 and OIDC Discovery §3.
fn metadata(settings: &Settings, origin: &str, path: &str) -> Response {
    let issuer_path = &settings.path;
    let oidc = matches!(settings.discovery, Discovery::Oidc | Discovery::Both)
        && path == format!("{issuer_path}{OIDC_DOCUMENT}");
    let rfc_8414 = matches!(settings.discovery, Discovery::Rfc8414 | Discovery::Both)
        && path == format!("{RFC_8414_DOCUMENT}{issuer_path}");
    if !oidc && !rfc_8414 {
        return not_found();
    }
    let issuer = format!("{origin}{issuer_path}");
    let mut document = json!({
        "issuer": issuer,
        "device_authorization_endpoint": format!("{issuer}/device_authorization"),
        "token_endpoint": format!("{issuer}/token"),
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "grant_types_supported": [DEVICE_CODE_GRANT, "refresh_token"],
        "response_types_supported": [],
        "scopes_supported": settings.scopes,
    });
    if settings.revocation {
        document["revocation_endpoint"] = format!("{issuer}/revoke").into();
    }
    for (name, value) in &settings.metadata {
        document[name.as_str()] = value.clone();
    }
    if let Some(members) = document.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    Response::json(200, &document)
}

/// A resource server in one function (RFC 6750): `answer` to the owner of the token.
fn with_token(issued: &Issued, request: &Recorded, answer: impl FnOnce(&str) -> Value) -> Response {
    let token = request
        .header("authorization")
        .and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    let Some((_, token)) = token else {
        return Response::new(401, "text/plain", "sign in\n").with("WWW-Authenticate", "Bearer");
    };
    match issued.live_session(token) {
        Some(session) => Response::json(200, &answer(&session.account)),
        None => Response::error(
            401,
            "invalid_token",
            "the access token expired or was revoked",
        )
        .with("WWW-Authenticate", "Bearer error=\"invalid_token\""),
    }
}

fn ask(settings: &Settings, issued: &mut Issued, request: &Recorded) -> Response {
    let Some(typed) = request.query_parameter("user_code") else {
        return page::ask_code("", None);
    };
    match issued.undecided(typed) {
        None => page::ask_code(
            typed,
            Some("No sign-in waits for this code. Check it for typing errors."),
        ),
        Some(code) => page::ask_decision(&page::Question {
            user_code: &code.user_code,
            client_id: &code.client_id,
            scope: &code.scope,
            account: &settings.account,
        }),
    }
}

fn decide(issued: &mut Issued, request: &Recorded) -> Response {
    let typed = request.parameter("user_code").unwrap_or_default();
    let decision = match request.parameter("decision") {
        Some("approve") => Decision::Approved,
        Some("deny") => Decision::Denied,
        _ => return page::ask_code(typed, Some("Press Approve or Deny.")),
    };
    if issued.decide(typed, decision) {
        page::tell_decision(decision == Decision::Approved)
    } else {
        page::ask_code(
            typed,
            Some("This sign-in has expired or is already decided."),
        )
    }
}

/// A well-formed request of an authenticated client.
struct Form<'server> {
    settings: &'server Settings,
    issued: &'server mut Issued,
    origin: &'server str,
    route: &'server Route,
    request: &'server Recorded,
    client_id: String,
}

/// An answer; the error is one as well.
type Answer = Result<Response, Response>;

fn refuse<T>(error: &str, description: &str) -> Result<T, Response> {
    Err(Response::error(400, error, description))
}

impl<'server> Form<'server> {
    fn check(
        settings: &'server Settings,
        issued: &'server mut Issued,
        origin: &'server str,
        route: &'server Route,
        request: &'server Recorded,
    ) -> Result<Self, Response> {
        if request.form.is_empty() {
            return refuse("invalid_request", "the body is no form");
        }
        let mut names: Vec<_> = request.form.iter().map(|(name, _)| name).collect();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse("invalid_request", "a parameter is included more than once");
        }
        let client_id = authenticate(settings, request)?;
        Ok(Self {
            settings,
            issued,
            origin,
            route,
            request,
            client_id,
        })
    }

    fn required(&self, name: &str) -> Result<&'server str, Response> {
        let value = self
            .request
            .parameter(name)
            .filter(|value| !value.is_empty());
        value.map_or_else(
            || refuse("invalid_request", &format!("`{name}` is missing")),
            Ok,
        )
    }

    /// RFC 8628 §3.1 and §3.2.
    fn authorize_device(&mut self) -> Answer {
        let scope = self.request.parameter("scope").unwrap_or(DEFAULT_SCOPE);
        let known = |scope| self.settings.scopes.iter().any(|known| known == scope);
        if !self.route.is_entra() && !scope.split(' ').all(known) {
            return refuse("invalid_scope", "a scope is not in `scopes_supported`");
        }
        let letter = |byte: u8| char::from(b"BCDFGHJKLMNPQRSTVWXZ"[usize::from(byte % 20)]);
        let mut user_code: String = random::<8>().map(letter).iter().collect();
        user_code.insert(4, '-');
        let verification_uri = format!("{}/device", self.origin);
        let lifetime = self.settings.device_code_lifetime;
        let interval = self.settings.interval;
        let device_code = self.issued.secret();
        let mut answer = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": verification_uri,
            "expires_in": lifetime,
        });
        if let Some(interval) = interval {
            answer["interval"] = interval.into();
        }
        if self.route.is_entra() {
            answer["message"] = format!(
                "To sign in, use a web browser to open the page {verification_uri} \
                 and enter the code {user_code} to authenticate."
            )
            .into();
        } else {
            let complete = format!("{verification_uri}?user_code={user_code}");
            answer["verification_uri_complete"] = complete.into();
        }
        self.issued.device_codes.push(DeviceCode {
            secret: device_code,
            user_code,
            client_id: self.client_id.clone(),
            scope: scope.to_owned(),
            expires_at: Instant::now() + Duration::from_secs(lifetime),
            interval: Duration::from_secs(interval.unwrap_or(DEFAULT_INTERVAL)),
            polled_at: None,
            decision: Decision::Pending,
        });
        Ok(Response::json(200, &answer))
    }

    fn token(&mut self) -> Answer {
        match self.required("grant_type")? {
            DEVICE_CODE_GRANT => self.redeem_device_code(),
            // MSAL Go and .NET send the name of the draft.
            "device_code" if self.route.is_entra() => self.redeem_device_code(),
            "refresh_token" => self.refresh(),
            _ => refuse(
                "unsupported_grant_type",
                "only device_code and refresh_token are",
            ),
        }
    }

    /// RFC 8628 §3.4 and §3.5.
    fn redeem_device_code(&mut self) -> Answer {
        let given = self.required("device_code")?;
        let mut codes = self.issued.device_codes.iter_mut();
        let Some((position, code)) = (0..)
            .zip(&mut codes)
            .find(|(_, code)| code.secret == given && code.client_id == self.client_id)
        else {
            let error = if self.route.is_entra() {
                "bad_verification_code"
            } else {
                "invalid_grant"
            };
            return refuse(error, "the device code is unknown or was used");
        };
        let now = Instant::now();
        let polled_at = code.polled_at.replace(now);
        let too_fast = polled_at.is_some_and(|before| now.duration_since(before) < code.interval);
        match code.decision {
            _ if now >= code.expires_at => {
                return refuse("expired_token", "the device code expired");
            }
            Decision::Denied if self.route.is_entra() => {
                return refuse("authorization_declined", "the sign-in was denied");
            }
            Decision::Denied => return refuse("access_denied", "the sign-in was denied"),
            Decision::Pending if self.settings.approve_at_once => {}
            Decision::Pending if too_fast => {
                code.interval += SLOW_DOWN;
                return refuse("slow_down", "poll less often");
            }
            Decision::Pending => {
                return refuse("authorization_pending", "nobody has decided yet");
            }
            Decision::Approved => {}
        }
        let code = self.issued.device_codes.remove(position);
        self.issued.sessions.push(Session {
            client_id: code.client_id,
            account: self.settings.account.clone(),
            scope: code.scope.clone(),
            ended: false,
        });
        let session = self.issued.sessions.len() - 1;
        let offline = |scope: &str| scope.split(' ').any(|scope| scope == "offline_access");
        let optional = self.route.is_entra() || offline(&self.settings.scopes.join(" "));
        let with_refresh_token = !optional || offline(&code.scope);
        Ok(self.issue(session, &code.scope, with_refresh_token))
    }

    /// RFC 6749 §6; rotation as in RFC 9700 §4.14.2.
    fn refresh(&mut self) -> Answer {
        let given = self.required("refresh_token")?;
        let Issued {
            refresh_tokens,
            sessions,
            ..
        } = &mut *self.issued;
        let token = refresh_tokens.get_mut(given);
        let token = token.filter(|token| sessions[token.session].client_id == self.client_id);
        let Some(token) = token else {
            return refuse("invalid_grant", "the refresh token is unknown");
        };
        let session = &mut sessions[token.session];
        if token.replaced && (!self.route.is_entra() || self.settings.forgives_nothing) {
            session.ended = true;
            return refuse(
                "invalid_grant",
                "the refresh token was used before; the session ends",
            );
        }
        if session.ended {
            return refuse("invalid_grant", "the session has ended");
        }
        let scope = self
            .request
            .parameter("scope")
            .unwrap_or(&session.scope)
            .to_owned();
        let granted = |scope| session.scope.split(' ').any(|granted| granted == scope);
        if !self.route.is_entra() && !scope.split(' ').all(granted) {
            return refuse("invalid_scope", "a scope was not granted");
        }
        token.replaced = self.settings.rotate;
        let session = token.session;
        Ok(self.issue(session, &scope, self.settings.rotate))
    }

    /// RFC 6749 §5.1.
    fn issue(&mut self, session: usize, scope: &str, with_refresh_token: bool) -> Response {
        let now = epoch_seconds();
        let lifetime = self.settings.access_token_lifetime;
        let account = self.issued.sessions[session].account.clone();
        let access_token = self.issued.secret();
        let mut answer = json!({
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_in": lifetime,
            "scope": scope,
        });
        let row = AccessToken {
            session,
            expires_at: now.saturating_add(lifetime),
        };
        self.issued.access_tokens.insert(access_token, row);
        if with_refresh_token {
            let refresh_token = self.issued.secret();
            answer["refresh_token"] = refresh_token.as_str().into();
            let row = RefreshToken {
                session,
                replaced: false,
            };
            self.issued.refresh_tokens.insert(refresh_token, row);
        }
        let tenant = self.route.tenant.as_deref();
        let tenant = tenant.map(|tenant| if is_guid(tenant) { tenant } else { TENANT });
        if let Some(tenant) = tenant {
            answer["ext_expires_in"] = lifetime.into();
            let client_info = json!({ "uid": guid_of(&account), "utid": tenant });
            answer["client_info"] = base64url(client_info.to_string().as_bytes()).into();
        }
        if self.settings.id_token && scope.split(' ').any(|scope| scope == "openid") {
            let id_token = self.id_token(&account, tenant, now);
            self.issued.secrets.push(id_token.clone());
            answer["id_token"] = id_token.into();
        }
        Response::json(200, &answer)
    }

    /// An unsigned ID token (OIDC Core §2).
    fn id_token(&self, account: &str, tenant: Option<&str>, now: i64) -> String {
        let user = account.split('@').next().unwrap_or_default();
        let (first, rest) = user.split_at_checked(1).unwrap_or_default();
        let mut claims = json!({
            "iss": format!("{}{}", self.origin, self.settings.path),
            "sub": base64url(account.as_bytes()),
            "aud": self.client_id,
            "iat": now,
            "exp": now + 3600,
        });
        if self.settings.name_in_id_token {
            claims["preferred_username"] = account.into();
            claims["name"] = format!("{}{rest}", first.to_uppercase()).into();
        }
        if let Some(tenant) = tenant {
            claims["iss"] = format!("{}/{tenant}/v2.0", self.origin).into();
            claims["tid"] = tenant.into();
            claims["oid"] = guid_of(account).into();
        }
        let header = base64url(br#"{"alg":"none","typ":"JWT"}"#);
        format!("{header}.{}.", base64url(claims.to_string().as_bytes()))
    }

    /// RFC 7009 §2.1: an unknown token is revoked already.
    fn revoke(&mut self) -> Answer {
        let given = self.required("token")?;
        let Issued {
            access_tokens,
            refresh_tokens,
            sessions,
            ..
        } = &mut *self.issued;
        let of_refresh_token = refresh_tokens.get(given).map(|token| token.session);
        let of_access_token = access_tokens.get(given).map(|token| token.session);
        if let Some(session) = of_refresh_token.or(of_access_token) {
            let session = &mut sessions[session];
            if session.client_id != self.client_id {
                return refuse("unauthorized_client", "the token is another client's");
            }
            session.ended |= of_refresh_token.is_some();
            access_tokens.remove(given);
        }
        Ok(Response::json(200, &Value::Object(Map::new())))
    }
}

/// RFC 6749 §2.3.1: who the client is, if it proved it in the way registered.
fn authenticate(settings: &Settings, request: &Recorded) -> Result<String, Response> {
    let invalid = |description: &str| {
        Response::error(401, "invalid_client", description).with("WWW-Authenticate", "Basic")
    };
    let in_form = request.parameter("client_id");
    let secret_in_form = request.parameter("client_secret");
    let (id, secret, method) = match (request.header("authorization"), in_form) {
        (Some(_), _) if secret_in_form.is_some() => {
            return refuse("invalid_request", "more than one client authentication");
        }
        (Some(header), in_form) => {
            let (id, secret) = basic(header).ok_or_else(|| invalid("not HTTP Basic"))?;
            if in_form.is_some_and(|other| other != id) {
                return refuse("invalid_request", "two different client ids");
            }
            (id, Some(secret), ClientAuthentication::ClientSecretBasic)
        }
        (None, None) => return Err(invalid("`client_id` is missing")),
        (None, Some(id)) => {
            let secret = secret_in_form.map(str::to_owned);
            let method = match secret {
                Some(_) => ClientAuthentication::ClientSecretPost,
                None => ClientAuthentication::None,
            };
            (id.to_owned(), secret, method)
        }
    };
    let any = ClientRow {
        id: id.clone(),
        secret: None,
        method: ClientAuthentication::None,
    };
    let row = match &settings.clients[..] {
        [] => Some(&any),
        rows => rows.iter().find(|row| row.id == id),
    };
    let row = row.ok_or_else(|| invalid("the client is unknown"))?;
    if row.method != method {
        return Err(invalid(&format!(
            "the client is registered for {:?}",
            row.method
        )));
    }
    if row.secret != secret {
        return Err(invalid("the client secret is wrong"));
    }
    Ok(id)
}

/// The id and the secret, each form-encoded before they were joined.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let credentials = String::from_utf8(decode_base64(credentials)?).ok()?;
    let (id, secret) = credentials.split_once(':')?;
    Some((decode_form_value(id), decode_form_value(secret)))
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A GUID that is always the same for the same account.
fn guid_of(account: &str) -> String {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    let digits = format!("{:016x}", hasher.finish());
    let (first, rest) = digits.split_at(8);
    let (second, third) = rest.split_at(4);
    format!("{first}-{second}-{third}-8888-888888888888")
}
