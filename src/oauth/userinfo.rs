//! Who signed in, asked of the userinfo endpoint where no ID token names them
//! ([OpenID Connect Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
//!
//! A name is a convenience: whatever goes wrong here, the sign-in is good.

use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::context::{Context, HttpRequest};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::dpop;
use crate::oauth::metadata;
use crate::oauth::response::text;
use crate::proof_key::ProofKey;
use crate::secret::Secret;
use crate::text::printable;
use crate::token::{Account, TokenSet};

/// How long may a sign-in that is done wait for a name?
const LIMIT: Duration = Duration::from_secs(5);

/// The claims that name somebody; `login` and `id` are GitHub's, `nickname` GitLab's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    #[serde(deserialize_with = "text")]
    sub: Option<String>,
    #[serde(deserialize_with = "text")]
    preferred_username: Option<String>,
    #[serde(deserialize_with = "text")]
    upn: Option<String>,
    #[serde(deserialize_with = "text")]
    login: Option<String>,
    #[serde(deserialize_with = "text")]
    email: Option<String>,
    #[serde(deserialize_with = "text")]
    nickname: Option<String>,
    id: serde_json::Value,
}

/// Asks who `token_set` is of; `None` if the authority does not say. It is asked with a token that
/// was granted `openid` or, without regard to that, where the profile or its preset names the
/// endpoint. `asked` are the scopes that were asked for, without those that are always added.
pub fn account(
    client: &Client,
    token_set: &TokenSet,
    asked: &[String],
    context: &Context<'_>,
) -> Option<Account> {
    let end = context.clock.monotonic() + LIMIT;
    let context = &Context {
        deadline: Some(context.deadline.map_or(end, |deadline| deadline.min(end))),
        ..*context
    };
    // The sign-in has just used the same document: as a rule nothing is asked for anew.
    let server = metadata::find(client, &[EndpointName::Token], context).ok()?;
    let endpoint = server.endpoints.get(EndpointName::Userinfo)?;
    let asked = metadata::scopes_to_ask(client, &server, asked);
    // RFC 6749 §5.1: a scope that the answer leaves out is the one that was asked for.
    let granted = token_set.scopes.as_ref().unwrap_or(&asked);
    let is_named = client.endpoints.get(EndpointName::Userinfo).is_some();
    if !is_named && !granted.iter().any(|scope| scope == "openid") {
        return None;
    }
    let ask = || {
        let ours = |error: Error| error.to_string();
        let headers = headers(endpoint, token_set, context).map_err(ours)?;
        let request = HttpRequest {
            method: METHOD,
            url: endpoint.as_str().to_owned(),
            headers,
            body: None,
        };
        let limit = context.request_limit().map_err(ours)?;
        let answer = context.http.send(&request, &client.tls, limit);
        let response = answer.map_err(|failure| failure.reason().to_owned())?;
        dpop::remember(endpoint.as_str(), &response, context);
        Ok::<_, String>(response)
    };
    let answer = match ask() {
        Ok(response) if dpop::wants_nonce(&response) => ask(),
        answer => answer,
    };
    let found = answer.and_then(|response| match response.status {
        200 => read(&response.body, &token_set.account),
        status => Err(format!("HTTP status {status}")),
    });
    if let Err(problem) = &found {
        context.debug(|| format!("{endpoint} names nobody: {}", printable(problem)));
    }
    found.ok()
}

const METHOD: &str = "GET";

/// The headers that carry the token, and the proof that goes with it where it is bound to a key.
fn headers(
    endpoint: &Endpoint,
    token_set: &TokenSet,
    context: &Context<'_>,
) -> Result<Vec<(&'static str, Secret)>, Error> {
    let (scheme, token) = (&token_set.token_type, &token_set.access_token);
    let authorization = Zeroizing::new(format!("{scheme} {}", token.expose()));
    let mut headers = vec![
        ("accept", Secret::new("application/json")),
        ("authorization", Secret::new(authorization.as_str())),
    ];
    if let Some(kept) = &token_set.proof_key {
        let target = dpop::Target {
            method: METHOD,
            url: endpoint.as_str(),
            access_token: Some(token),
        };
        let key = ProofKey::read(kept)?;
        headers.push(("dpop", dpop::proof(&key, target, None, context)?));
    }
    Ok(headers)
}

/// Reads who it is; `known` is what the ID token says.
fn read(body: &[u8], known: &Account) -> Result<Account, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let claims: Claims =
        serde_json::from_value(object.into()).map_err(|error| error.to_string())?;
    let id = claims.id.as_u64().map(|id| id.to_string());
    let subject = claims.sub.or(id);
    // OpenID Connect Core §5.3.2: claims of another subject must not be used.
    if known.subject.is_some() && known.subject != subject {
        return Err("it speaks of another subject than the ID token".to_owned());
    }
    let name = claims
        .preferred_username
        .or(claims.upn)
        // Whoever shows an e-mail address, or hides it, is not somebody else.
        .or(claims.login)
        .or(claims.email)
        .or(claims.nickname);
    Ok(Account::told(name, subject))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::token::Account;

    #[test]
    fn a_name_is_read_in_every_dialect_and_never_of_somebody_else() {
        let subject = |subject: &str| Account {
            name: None,
            subject: Some(subject.to_owned()),
            home: None,
        };
        for (body, known, expected) in [
            (
                r#"{"sub":"s","preferred_username":"ada@x","email":"e"}"#,
                subject("s"),
                Some((Some("ada@x"), Some("s"))),
            ),
            (
                r#"{"login":"ada\u001b[2J","id":42,"email":"ada@x","upn":["x"]}"#,
                Account::default(),
                Some((Some("ada[2J"), Some("42"))),
            ),
            (
                r#"{"sub":"s","nickname":"ada"}"#,
                Account::default(),
                Some((Some("ada"), Some("s"))),
            ),
            (
                r#"{"id":"x","email":"e"}"#,
                Account::default(),
                Some((Some("e"), None)),
            ),
            (r#"{"sub":"s"}"#, subject("s"), Some((None, Some("s")))),
            (r#"{"sub":"eve","email":"e"}"#, subject("s"), None),
            (r#"{"email":"e"}"#, subject("s"), None),
            ("[]", Account::default(), None),
        ] {
            let found = read(body.as_bytes(), &known).ok();
            let expected = expected.map(|(name, subject)| Account {
                name: name.map(String::from),
                subject: subject.map(String::from),
                home: None,
            });
            assert_eq!(found, expected, "{body}");
        }
    }
}
