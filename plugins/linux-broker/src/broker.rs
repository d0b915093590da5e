//! What the broker is asked, and what it answers: JSON in a string of D-Bus. Where each member is
//! known from stands in the README.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::failure::{Failure, Kind, told};
use crate::secret::Secret;

/// A method of the interface that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    GetAccounts,
    AcquireTokenSilently,
    AcquireTokenInteractively,
}

impl Method {
    /// `AuthorizationType` of Microsoft's runtime.
    fn authorization_type(self) -> u8 {
        match self {
            Self::GetAccounts => 0,
            Self::AcquireTokenSilently => 1,
            Self::AcquireTokenInteractively => 6,
        }
    }
}

/// The application for which a token is asked.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) authority: String,
    pub(crate) redirect_uri: String,
}

/// A token that is wanted.
pub(crate) struct Wish<'a> {
    pub(crate) client: &'a Client,
    pub(crate) scopes: &'a [String],
    pub(crate) claims: Option<&'a str>,
    pub(crate) account: Option<&'a Account>,
    /// Who is to sign in, if the broker does not know them.
    pub(crate) login_hint: Option<&'a str>,
    /// The token instead of which a new one is wanted.
    pub(crate) renew: Option<&'a Secret>,
}

/// A token that the broker gave.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) access_token: Secret,
    pub(crate) id_token: Option<Secret>,
    /// Seconds.
    pub(crate) expires_in: Option<u64>,
    pub(crate) scopes: Vec<String>,
    /// The sign-in name, if the broker told it.
    pub(crate) username: Option<String>,
}

pub(crate) fn accounts_request(client: &Client) -> Zeroizing<String> {
    let request = json!({"clientId": client.id, "redirectUri": client.redirect_uri});
    Zeroizing::new(request.to_string())
}

pub(crate) fn token_request(method: Method, wish: &Wish<'_>) -> Zeroizing<String> {
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
    if let Some(account) = wish.account {
        set("account", account.told.clone());
    }
    if let Some(name) = wish.account.map(|one| &*one.username).or(wish.login_hint) {
        set("username", name.into());
    }
    if let Some(claims) = wish.claims {
        set("decodedClaims", claims.into());
    }
    if let Some(token) = wish.renew {
        set("accessTokenToRenew", token.expose().into());
    }
    set("additionalQueryParametersForAuthorization", json!({}));
    set("authority", wish.client.authority.as_str().into());
    set("authorizationType", method.authorization_type().into());
    set("clientId", wish.client.id.as_str().into());
    set("redirectUri", wish.client.redirect_uri.as_str().into());
    set("requestedScopes", wish.scopes.into());
    // There is no window of ours in front of which the broker's could stay.
    set("uxContextHandle", (-1).into());
    Zeroizing::new(json!({ "authParameters": parameters }).to_string())
}

#[derive(Deserialize)]
struct AccountsAnswer {
    #[serde(default)]
    accounts: Option<Vec<Value>>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(rename = "brokerTokenResponse")]
    response: Option<TokenResponse>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenResponse {
    access_token: Option<Secret>,
    access_token_type: Option<TokenType>,
    account: Option<Value>,
    /// Milliseconds since 1970.
    #[serde(default, deserialize_with = "whole")]
    expires_on: Option<i64>,
    granted_scopes: Option<Scopes>,
    id_token: Option<Secret>,
    error: Option<Refusal>,
}

/// `AuthScheme` of Microsoft's runtime; earlier versions of Himmelblau write the name.
#[derive(Deserialize)]
#[serde(untagged)]
enum TokenType {
    Number(i64),
    Name(String),
}

impl TokenType {
    fn is_bearer(&self) -> bool {
        match self {
            Self::Number(number) => *number == 0,
            Self::Name(name) => name.eq_ignore_ascii_case("bearer"),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    Line(String),
    List(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    Text(String),
    Full {
        context: Option<String>,
        status: Option<i64>,
        tag: Option<i64>,
    },
}

/// A number that is written with a fraction, or is none, says nothing.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64())
}

/// Reads the answer to `getAccounts`.
pub(crate) fn accounts(answer: &str) -> Result<Vec<Account>, Failure> {
    if is_silence(answer) {
        return Ok(Vec::new());
    }
    let answer: AccountsAnswer = read(answer)?;
    match answer.error {
        Some(refusal) => Err(refused(&refusal)),
        None => Ok(answer
            .accounts
            .unwrap_or_default()
            .into_iter()
            .filter_map(Account::parse)
            .collect()),
    }
}

/// Reads the answer to a request for a token. `now` is in milliseconds since 1970.
pub(crate) fn token(answer: &str, now: i64) -> Result<Token, Failure> {
    if is_silence(answer) {
        return Err(Failure::new(
            Kind::LoginRequired,
            "the identity broker has no token and does not say why; \
             with Himmelblau, the sign-in has ended, or its journal tells more",
        ));
    }
    let answer: TokenAnswer = read(answer)?;
    if let Some(refusal) = answer.error {
        return Err(refused(&refusal));
    }
    let response = answer.response.ok_or_else(unreadable)?;
    if let Some(refusal) = response.error {
        return Err(refused(&refusal));
    }
    let access_token = response
        .access_token
        .filter(|token| !token.expose().is_empty())
        .ok_or_else(unreadable)?;
    if !access_token.expose().bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unreadable());
    }
    if response
        .access_token_type
        .is_some_and(|kind| !kind.is_bearer())
    {
        return Err(Failure::new(
            Kind::Denied,
            "the identity broker gave a token that is bound to a key of its own; \
             tools take bearer tokens alone",
        ));
    }
    Ok(Token {
        expires_in: expires_in(response.expires_on, access_token.expose(), now),
        access_token,
        id_token: response.id_token.filter(|token| is_jwt(token.expose())),
        scopes: match response.granted_scopes {
            Some(Scopes::Line(line)) => line.split_whitespace().map(str::to_owned).collect(),
            Some(Scopes::List(list)) => list,
            None => Vec::new(),
        },
        username: response
            .account
            .and_then(Account::parse)
            .map(|account| account.username),
    })
}

/// Himmelblau's way to say no: its daemon hangs up, and its part on the session bus passes on the
/// nothing that it read.
fn is_silence(answer: &str) -> bool {
    answer.trim().is_empty()
}

/// Reads JSON. What is wrong with it is not told: serde would quote it, and there may be a token.
fn read<'de, T: Deserialize<'de>>(answer: &'de str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|_| unreadable())
}

pub(crate) fn unreadable() -> Failure {
    Failure::new(
        Kind::Unavailable,
        "the answer of the identity broker cannot be read",
    )
}

/// The seconds for which the token is valid, if anybody says so.
///
/// Himmelblau adds the seconds of a token's life to the milliseconds of now. What is nearly over is
/// therefore asked of the token itself, if it is a JWT, as Entra's are.
fn expires_in(expires_on: Option<i64>, token: &str, now: i64) -> Option<u64> {
    /// Between which ends does a token end whose end is told in milliseconds? In seconds.
    const CREDIBLE: std::ops::Range<i64> = 60..365 * 24 * 60 * 60;
    let left = |end: i64| {
        let left = end.checked_sub(now)? / 1000;
        CREDIBLE.contains(&left).then_some(left)
    };
    let own = || Some((end_of_jwt(token)?.checked_sub(now / 1000)?).max(0));
    expires_on.and_then(left).or_else(own)?.try_into().ok()
}

/// `exp` of a JWT (RFC 7519 §4.1.4), unverified.
fn end_of_jwt(token: &str) -> Option<i64> {
    let payload = is_jwt(token).then(|| token.split('.').nth(1))??;
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    Some(serde_json::from_slice::<Claims>(&claims).ok()?.exp)
}

/// Earlier versions of Himmelblau send their own form of the claims in its place.
fn is_jwt(token: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    token.split('.').count() == 3 && token.split('.').all(is_part)
}

fn refused(refusal: &Refusal) -> Failure {
    let (context, status, tag) = match refusal {
        Refusal::Text(text) => (text.as_str(), None, None),
        Refusal::Full {
            context,
            status,
            tag,
        } => (context.as_deref().unwrap_or(""), *status, *tag),
    };
    let (kind, meaning) = status.map_or((Kind::Unavailable, "it failed"), meaning);
    let mut message = format!("the identity broker gave no token: {meaning}");
    let numbers: Vec<String> = [("status", status), ("tag", tag)]
        .into_iter()
        .filter_map(|(name, number)| Some(format!("{name} {}", number?)))
        .collect();
    if !numbers.is_empty() {
        message = format!("{message} ({})", numbers.join(", "));
    }
    let context = told(context);
    if !context.is_empty() {
        message = format!("{message}: {context}");
    }
    Failure::new(kind, message)
}

/// `MSALRUNTIME_RESPONSE_STATUS` of Microsoft's runtime, whose numbers the broker uses.
fn meaning(status: i64) -> (Kind, &'static str) {
    match status {
        2 => (Kind::LoginRequired, "somebody has to sign in"),
        3 => (Kind::Unavailable, "there is no network"),
        4 => (Kind::Unavailable, "the network is not available"),
        5 => (Kind::Unavailable, "the server is not available"),
        6 => (Kind::Denied, "it does not take such a request"),
        7 => (Kind::Denied, "the person said no"),
        8 => (Kind::Denied, "it was cancelled"),
        9 => (Kind::Denied, "the application is not set up for it"),
        11 => (Kind::Denied, "it does not trust the authority"),
        12 | 18 => (Kind::Denied, "somebody else signed in"),
        13 => (Kind::LoginRequired, "the account cannot be used as it is"),
        14 => (Kind::Denied, "the account's data has to be removed"),
        16 => (Kind::LoginRequired, "it does not know the account"),
        17 => (Kind::Unavailable, "trouble that passes"),
        20 => (Kind::Denied, "this device is not registered"),
        _ => (Kind::Unavailable, "it failed"),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::{Client, Method, Wish, accounts, accounts_request, token, token_request};
    use crate::account::Account;
    use crate::failure::Kind;
    use crate::secret::Secret;

    /// Milliseconds since 1970.
    const NOW: i64 = 1_800_000_000_000;

    fn jwt(claims: &Value) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part("{}"), part(&claims.to_string()), part("s"))
    }

    fn answer(changes: Value) -> String {
        let mut response = json!({
            "accessToken": "canary", "accessTokenType": 0, "expiresOn": NOW + 3_600_000,
            "account": {"username": "ada@contoso.com"}, "grantedScopes": "a b",
        });
        for (name, value) in changes.as_object().expect("an object") {
            response[name] = value.clone();
        }
        json!({ "brokerTokenResponse": response }).to_string()
    }

    #[test]
    fn the_requests_are_those_of_microsofts_libraries() {
        let client = Client {
            id: "1".to_owned(),
            authority: "https://login.example/t".to_owned(),
            redirect_uri: "https://back.example/".to_owned(),
        };
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(
            parse(&accounts_request(&client)),
            json!({"clientId": "1", "redirectUri": "https://back.example/"})
        );
        let told = json!({"username": "Ada@contoso.com", "realm": "t", "unheardOf": [1]});
        let account = Account::parse(told.clone()).expect("it has a name");
        let scopes = ["a/.default".to_owned()];
        let renew = Secret::new("old");
        let wish = Wish {
            client: &client,
            scopes: &scopes,
            claims: Some("{}"),
            account: Some(&account),
            login_hint: Some("ada@contoso.com"),
            renew: Some(&renew),
        };
        let mut expected = json!({
            "account": told, "username": "Ada@contoso.com", "decodedClaims": "{}",
            "accessTokenToRenew": "old", "additionalQueryParametersForAuthorization": {},
            "authority": "https://login.example/t", "authorizationType": 1, "clientId": "1",
            "redirectUri": "https://back.example/", "requestedScopes": ["a/.default"],
            "uxContextHandle": -1,
        });
        assert_eq!(
            parse(&token_request(Method::AcquireTokenSilently, &wish)),
            json!({ "authParameters": expected })
        );
        let wish = Wish {
            claims: None,
            account: None,
            renew: None,
            ..wish
        };
        let members = expected.as_object_mut().expect("an object");
        members.retain(|name, _| {
            !["account", "decodedClaims", "accessTokenToRenew"].contains(&name.as_str())
        });
        members.insert("username".to_owned(), json!("ada@contoso.com"));
        members.insert("authorizationType".to_owned(), json!(6));
        assert_eq!(
            parse(&token_request(Method::AcquireTokenInteractively, &wish)),
            json!({ "authParameters": expected })
        );
    }

    #[test]
    fn a_token_ends_when_the_broker_or_else_the_token_says() {
        let own = jwt(&json!({"exp": NOW / 1000 + 1800}));
        let over = jwt(&json!({"exp": NOW / 1000 - 9}));
        let endless = jwt(&json!({"exp": "never"}));
        for (expires_on, access_token, expected) in [
            (json!(NOW + 3_600_000), "opaque", Some(3600)),
            (json!(NOW + 3_600_000), &own, Some(3600)),
            // Himmelblau: milliseconds plus seconds.
            (json!(NOW + 3600), &own, Some(1800)),
            (json!(NOW + 3600), "opaque", None),
            (json!(NOW + 3600), &over, Some(0)),
            (json!(NOW / 1000 + 3600), "opaque", None),
            (json!(0), &own, Some(1800)),
            (json!(-1), &endless, None),
            (json!(i64::MAX), "opaque", None),
            (json!(i64::MIN), "opaque", None),
            (json!(1e300), &own, Some(1800)),
            (json!("soon"), &own, Some(1800)),
            (json!(null), "a.b.c", None),
        ] {
            let changes = json!({"expiresOn": expires_on, "accessToken": access_token});
            let token = token(&answer(changes), NOW).expect("a token");
            assert_eq!(token.expires_in, expected, "{expires_on}");
        }
    }

    #[test]
    fn a_token_is_read_as_both_brokers_write_it() {
        let id = jwt(&json!({}));
        for (changes, is_jwt, scopes) in [
            (json!({"idToken": id}), true, &["a", "b"][..]),
            (json!({"accessTokenType": "Bearer"}), false, &["a", "b"]),
            (
                json!({"grantedScopes": ["c"], "idToken": "eyJ9"}),
                false,
                &["c"],
            ),
            (json!({"grantedScopes": null, "idToken": null}), false, &[]),
            (json!({"error": null, "unheardOf": {}}), false, &["a", "b"]),
        ] {
            let token = token(&answer(changes.clone()), NOW).expect("a token");
            assert_eq!(token.access_token.expose(), "canary");
            assert_eq!(token.id_token.is_some(), is_jwt, "{changes}");
            assert_eq!(token.scopes, scopes);
            assert_eq!(token.username.as_deref(), Some("ada@contoso.com"));
        }
    }

    #[test]
    fn an_answer_without_a_usable_token_is_an_error_that_does_not_show_it() {
        let deep = format!("{}canary", "[".repeat(100_000));
        for (text, kind) in [
            ("canary", Kind::Unavailable),
            ("", Kind::LoginRequired),
            ("{}", Kind::Unavailable),
            ("[]", Kind::Unavailable),
            (&deep, Kind::Unavailable),
            (r#"{"brokerTokenResponse":"canary"}"#, Kind::Unavailable),
            (r#"{"error":"something"}"#, Kind::Unavailable),
            (&answer(json!({"accessToken": ""})), Kind::Unavailable),
            (&answer(json!({"accessToken": null})), Kind::Unavailable),
            (
                &answer(json!({"accessToken": ["canary"]})),
                Kind::Unavailable,
            ),
            (
                &answer(json!({"accessToken": "canary\n2"})),
                Kind::Unavailable,
            ),
            (
                &answer(json!({"accessToken": "canary\u{e9}"})),
                Kind::Unavailable,
            ),
            (&answer(json!({"accessTokenType": 1})), Kind::Denied),
            (&answer(json!({"accessTokenType": "pop"})), Kind::Denied),
            (&answer(json!({"error": {"status": 7}})), Kind::Denied),
        ] {
            let failure = token(text, NOW).expect_err("no token");
            assert_eq!(failure.kind, kind, "{}", failure.message);
            assert!(!failure.message.contains("canary"), "{}", failure.message);
        }
    }

    #[test]
    fn a_refusal_has_the_kind_of_its_status_and_the_brokers_words() {
        let refusal = |status: Value| {
            let error =
                json!({"context": "AADSTS50078: \u{1b}[31mexpired", "tag": 5, "status": status});
            json!({"brokerTokenResponse": {"accessTokenType": 0, "expiresOn": 0, "error": error}})
        };
        for (status, kind) in [
            (json!(0), Kind::Unavailable),
            (json!(2), Kind::LoginRequired),
            (json!(3), Kind::Unavailable),
            (json!(4), Kind::Unavailable),
            (json!(5), Kind::Unavailable),
            (json!(6), Kind::Denied),
            (json!(7), Kind::Denied),
            (json!(8), Kind::Denied),
            (json!(9), Kind::Denied),
            (json!(11), Kind::Denied),
            (json!(12), Kind::Denied),
            (json!(13), Kind::LoginRequired),
            (json!(14), Kind::Denied),
            (json!(16), Kind::LoginRequired),
            (json!(17), Kind::Unavailable),
            (json!(18), Kind::Denied),
            (json!(20), Kind::Denied),
            (json!(21), Kind::Unavailable),
            (json!(-1), Kind::Unavailable),
            (json!(null), Kind::Unavailable),
        ] {
            let failure = token(&refusal(status.clone()).to_string(), NOW).expect_err("no token");
            assert_eq!(failure.kind, kind, "{status}");
            let words = "tag 5): AADSTS50078: [31mexpired";
            assert!(failure.message.ends_with(words), "{}", failure.message);
        }
        let failure = accounts(r#"{"error":{"status":5}}"#).expect_err("no accounts");
        assert_eq!(failure.kind, Kind::Unavailable);
    }

    #[test]
    fn accounts_are_those_that_have_a_name() {
        for (text, names) in [
            ("", &[][..]),
            ("{}", &[]),
            (r#"{"accounts":null}"#, &[]),
            (
                r#"{"accounts":[{"username":"a"},{},1,{"username":"b"}]}"#,
                &["a", "b"],
            ),
        ] {
            let accounts = accounts(text).expect("they can be read");
            let found: Vec<&str> = accounts.iter().map(|one| &*one.username).collect();
            assert_eq!(found, names, "{text}");
        }
        for text in ["{", "[]", r#"{"accounts":1}"#] {
            assert!(accounts(text).is_err(), "{text}");
        }
    }
}
