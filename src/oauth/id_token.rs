//! Who signed in, read from an ID token that came directly from the token endpoint.
//!
//! Such a token need not be verified by its signature
//! ([OpenID Connect Core §3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation));
//! audience and issuer are compared, times are not, since clocks are wrong more often than servers.

use serde::Deserialize;

use crate::encoding::{from_base64, from_object};
use crate::oauth::metadata::TENANT_TEMPLATE;
use crate::oauth::response::{text, whole_seconds};
use crate::text::printable;
use crate::token::{Account, Home, Timestamp};

/// The claims that say who it is and for whom.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    #[serde(deserialize_with = "text")]
    iss: Option<String>,
    aud: Audience,
    #[serde(deserialize_with = "text")]
    sub: Option<String>,
    #[serde(deserialize_with = "text")]
    oid: Option<String>,
    #[serde(deserialize_with = "text")]
    tid: Option<String>,
    #[serde(deserialize_with = "text")]
    preferred_username: Option<String>,
    #[serde(deserialize_with = "text")]
    upn: Option<String>,
    #[serde(deserialize_with = "text")]
    email: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
    #[default]
    None,
}

impl Audience {
    fn names(&self, client_id: &str) -> bool {
        match self {
            Self::One(audience) => audience == client_id,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == client_id),
            Self::None => false,
        }
    }
}

/// Reads who signed in, and checks that the token is for this client and of this issuer.
///
/// # Errors
/// What is wrong with the token, in words.
pub fn account(id_token: &str, client_id: &str, issuer: Option<&str>) -> Result<Account, String> {
    let claims: Claims = id_token
        .split('.')
        .nth(1)
        .and_then(decode)
        .ok_or("the ID token is not a JWT")?;
    if !claims.aud.names(client_id) {
        return Err("the ID token is not for this client".to_owned());
    }
    if let (Some(expected), Some(issuer)) = (issuer, &claims.iss)
        && !is_issuer(issuer, expected, claims.tid.as_deref())
    {
        return Err(format!(
            "the ID token is from the issuer `{}`",
            printable(issuer)
        ));
    }
    let name = claims.preferred_username.or(claims.upn).or(claims.email);
    let subject = match (&claims.oid, &claims.tid) {
        (Some(oid), Some(tid)) => Some(format!("{oid}.{tid}")),
        _ => claims.sub.clone(),
    };
    let home = claims.sub.map(|id| Home {
        local_id: claims.oid.unwrap_or_else(|| id.clone()),
        id,
        tenant: claims.tid,
    });
    Ok(Account {
        home,
        ..Account::told(name, subject)
    })
}

/// Whether `iss` of a token is the `issuer` of the metadata, which may leave the tenant open.
pub fn is_issuer(iss: &str, issuer: &str, tenant: Option<&str>) -> bool {
    let expected = match tenant {
        Some(tenant) => issuer.replace(TENANT_TEMPLATE, tenant),
        None => issuer.to_owned(),
    };
    let expected = expected.trim_end_matches('/');
    // Google leaves the scheme out at times.
    let is_google = expected == "https://accounts.google.com" && iss == "accounts.google.com";
    is_google || expected == iss.trim_end_matches('/')
}

/// When the token ends by this clock, if it was issued at `now`: the authority's clock may be
/// another.
pub fn expires_at(id_token: &str, now: Timestamp) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Times {
        exp: serde_json::Value,
        #[serde(default)]
        iat: serde_json::Value,
    }
    let times: Times = id_token.split('.').nth(1).and_then(decode)?;
    let end = whole_seconds(&times.exp)?;
    Some(match whole_seconds(&times.iat) {
        Some(start) => now.plus(end.saturating_sub(start)),
        None => Timestamp(end),
    })
}

/// The `nonce` in the token, by which it belongs to one authorization request (OpenID Connect Core
/// §3.1.3.7).
pub fn nonce(id_token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Nonce {
        nonce: String,
    }
    let claims: Nonce = id_token.split('.').nth(1).and_then(decode)?;
    Some(claims.nonce)
}

/// Who issued a JWT and for whom, as it says itself, to be shown.
pub fn issuer_and_audience(token: &str) -> Option<(String, String)> {
    let claims: Claims = token.split('.').nth(1).and_then(decode)?;
    let audience = match claims.aud {
        Audience::One(audience) => audience,
        Audience::Several(audiences) => audiences.join(", "),
        Audience::None => String::new(),
    };
    let issuer = claims.iss.unwrap_or_default();
    Some((printable(&issuer), printable(&audience)))
}

/// The tenant of Entra that the token is of.
pub fn tenant(id_token: &str) -> Option<String> {
    let claims: Claims = id_token.split('.').nth(1).and_then(decode)?;
    claims.tid
}

/// Reads who signed in from Entra's `client_info`, which comes where no ID token was asked for.
pub fn account_of_client_info(client_info: &str) -> Option<Account> {
    #[derive(Deserialize)]
    struct ClientInfo {
        uid: String,
        utid: String,
    }
    let info: ClientInfo = decode(client_info)?;
    let id = printable(&format!("{}.{}", info.uid, info.utid));
    Some(Account {
        name: None,
        subject: Some(id.clone()),
        home: Some(Home {
            id,
            local_id: info.uid,
            tenant: Some(info.utid),
        }),
    })
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    from_object(&from_base64(part)?).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{account, account_of_client_info, expires_at, tenant};
    use crate::token::{Home, Timestamp};

    fn token(claims: &str) -> String {
        format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_name_and_what_does_not_change_are_read_from_the_claims() {
        for (claims, name, subject) in [
            (
                r#"{"aud":"c","sub":"s","preferred_username":"ada@x"}"#,
                Some("ada@x"),
                Some("s"),
            ),
            (
                r#"{"aud":["x","c"],"sub":"s","upn":"u"}"#,
                Some("u"),
                Some("s"),
            ),
            (
                r#"{"aud":"c","sub":"s","oid":"o","tid":"t","email":"e"}"#,
                Some("e"),
                Some("o.t"),
            ),
            (r#"{"aud":"c","sub":"s\u001b[2J"}"#, None, Some("s[2J")),
            (r#"{"aud":"c"}"#, None, None),
            (
                r#"{"aud":"c","sub":"s","upn":["x"],"email":1}"#,
                None,
                Some("s"),
            ),
        ] {
            let read = account(&token(claims), "c", None).expect(claims);
            assert_eq!(read.name.as_deref(), name, "{claims}");
            assert_eq!(read.subject.as_deref(), subject, "{claims}");
        }
    }

    #[test]
    fn who_it_is_at_home_is_read_as_msal_does() {
        let home = |id: &str, local_id: &str, tenant: Option<&str>| Home {
            id: id.to_owned(),
            local_id: local_id.to_owned(),
            tenant: tenant.map(String::from),
        };
        let of_token = |claims: &str| account(&token(claims), "c", None).expect(claims);
        let info = URL_SAFE_NO_PAD.encode(r#"{"uid":"u","utid":"h"}"#);
        let info = || account_of_client_info(&info);
        for (account, expected) in [
            (
                of_token(r#"{"aud":"c","sub":"s"}"#),
                Some(home("s", "s", None)),
            ),
            (
                of_token(r#"{"aud":"c","sub":"s","oid":"o","tid":"t"}"#).at_home(info()),
                Some(home("u.h", "o", Some("t"))),
            ),
            (
                info().expect("it is one"),
                Some(home("u.h", "u", Some("h"))),
            ),
            (of_token(r#"{"aud":"c"}"#), None),
        ] {
            assert_eq!(account.home, expected);
        }
    }

    #[test]
    fn the_end_of_a_token_is_counted_from_when_it_was_issued() {
        let now = Timestamp(1000);
        for (claims, end) in [
            (r#"{"exp":5600,"iat":5000}"#, Some(1600)),
            (r#"{"exp":"5600","iat":5000.5}"#, Some(1600)),
            (r#"{"exp":5600}"#, Some(5600)),
            (r#"{"exp":10,"iat":20}"#, Some(990)),
            (r#"{"iat":5000}"#, None),
            (r#"{"exp":true}"#, None),
            ("[]", None),
        ] {
            let read = expires_at(&token(claims), now);
            assert_eq!(read, end.map(Timestamp), "{claims}");
        }
        assert_eq!(expires_at("opaque", now), None);
    }

    #[test]
    fn a_token_for_another_client_or_of_another_issuer_is_refused() {
        for claims in [
            r#"{"aud":"other","iss":"https://i"}"#,
            r#"{"aud":["other","another"],"iss":"https://i"}"#,
            r#"{"aud":[],"iss":"https://i"}"#,
            r#"{"iss":"https://i"}"#,
            r#"{"aud":"c","iss":"https://evil"}"#,
            "not json",
        ] {
            assert!(
                account(&token(claims), "c", Some("https://i")).is_err(),
                "{claims}"
            );
        }
        assert!(account("opaque", "c", None).is_err());
        let google = Some("https://accounts.google.com");
        for (issuer, good) in [("accounts.google.com", true), ("evil.google.com", false)] {
            let claims = format!(r#"{{"aud":"c","iss":"{issuer}"}}"#);
            let read = account(&token(&claims), "c", google);
            assert_eq!(read.is_ok(), good, "{issuer}");
        }
        let template = Some("https://i/{tenantid}/v2.0");
        for (claims, good) in [
            (r#"{"aud":"c","tid":"t","iss":"https://i/t/v2.0"}"#, true),
            (r#"{"aud":"c","tid":"t","iss":"https://i/u/v2.0"}"#, false),
            (r#"{"aud":"c","iss":"https://i/t/v2.0"}"#, false),
        ] {
            let read = account(&token(claims), "c", template);
            assert_eq!(read.is_ok(), good, "{claims}");
        }
        assert!(
            account(
                &token(r#"{"aud":"c","iss":"https://i/"}"#),
                "c",
                Some("https://i")
            )
            .is_ok()
        );
    }

    #[test]
    fn the_tenant_is_the_one_that_the_token_names() {
        assert_eq!(tenant(&token(r#"{"tid": "t"}"#)).as_deref(), Some("t"));
        assert_eq!(tenant(&token("{}")), None);
        assert_eq!(tenant("no token"), None);
    }
}
