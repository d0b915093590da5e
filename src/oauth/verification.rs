//! Whether the authority of a profile has issued a token, told by its own keys.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::oauth::id_token::is_issuer;
use crate::oauth::json_web_key::Keys;
use crate::oauth::metadata;
use crate::text::printable;

/// What is proved of a token: by which key, of which issuer. Or why nothing is.
pub type Verdict = Result<String, String>;

/// Fetches the keys of `client`'s authority, and looks whether one of them has signed `token`, a JWT with
/// these claims, and whether the token names that authority. Times are not looked at: a token that is over
/// was issued all the same.
///
/// # Errors
/// `unavailable`, or `config`, if there are no keys to be had.
pub fn verify(
    token: &str,
    claims: &Map<String, Value>,
    client: &Client,
    context: &Context<'_>,
) -> Result<Verdict, Error> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_first_version = text("ver") == Some("1.0");
    let (issuers, place) = metadata::signer(client, is_first_version, context)?;
    let document = metadata::get(place.as_str(), client, context)?;
    let keys = Keys::read(&document).map_err(|reason| {
        Error::new(
            ErrorKind::Unavailable,
            "the authority's keys cannot be read",
        )
        .because(format!("{place}: {reason}"))
    })?;
    let verdict = judge(&keys, token, claims, &issuers);
    Ok(verdict.map(|by| format!("{by}, from {place}")))
}

fn judge(keys: &Keys, token: &str, claims: &Map<String, Value>, issuers: &[String]) -> Verdict {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let signer = keys.verify(token)?;
    let own = text("iss").ok_or("it names no issuer")?;
    if !issuers
        .iter()
        .any(|issuer| is_issuer(own, issuer, text("tid")))
    {
        let (own, issuer) = (printable(own), printable(&issuers.join("`, `")));
        return Err(format!(
            "it is from the issuer `{own}`, and the authority is `{issuer}`"
        ));
    }
    if let Some(of_key) = &signer.issuer
        && !is_key_of(of_key, own, text("tid"))
    {
        let (own, of_key) = (printable(own), printable(of_key));
        return Err(format!(
            "it is from the issuer `{own}`, and its key is one of `{of_key}`"
        ));
    }
    let by = signer.kid.map_or_else(
        || "a key".to_owned(),
        |kid| format!("the key `{}`", printable(&kid)),
    );
    Ok(format!("by {by} of `{}`", printable(own)))
}

/// Whether a key of the issuer `of_key` signs for the issuer `own`. Entra's tenants share their keys; those
/// of a single one, such as that of personal accounts, sign for this one alone, and name it in the form of
/// one version.
fn is_key_of(of_key: &str, own: &str, tenant: Option<&str>) -> bool {
    let is_of_tenant = |tenant: &str| of_key.split('/').any(|part| part == tenant);
    of_key.contains("{tenantid}")
        || is_issuer(own, of_key, tenant)
        || tenant
            .is_some_and(|tenant| is_of_tenant(tenant) && own.split('/').any(|part| part == tenant))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_key_of, judge};
    use crate::encoding::to_base64url;
    use crate::oauth::json_web_key::Keys;
    use crate::proof_key::ProofKey;

    #[test]
    fn a_key_of_one_tenant_signs_for_that_one_alone() {
        const ALL: &str = "https://i/{tenantid}/v2.0";
        for (of_key, own, tenant, expected) in [
            (ALL, "https://i/t/v2.0", Some("t"), true),
            (ALL, "https://sts/t/", Some("t"), true),
            ("https://i/t/v2.0", "https://i/t/v2.0", Some("t"), true),
            ("https://i/t/v2.0", "https://sts/t/", Some("t"), true),
            ("https://i/msa/v2.0", "https://i/t/v2.0", Some("t"), false),
            ("https://i/msa/v2.0", "https://i/t/v2.0", Some("msa"), false),
            ("https://i/msa/v2.0", "https://i/t/v2.0", None, false),
        ] {
            let is = is_key_of(of_key, own, tenant);
            assert_eq!(is, expected, "{of_key} {own} {tenant:?}");
        }
    }

    #[test]
    fn what_an_authority_has_signed_for_another_is_none_of_its_own() {
        let pair = ProofKey::generate().expect("a key is made");
        let keys = |of_key: &str| {
            let issuer = format!(r#"{{"issuer":"{of_key}","#);
            let key = match of_key {
                "" => pair.jwk(),
                _ => pair.jwk().replacen('{', &issuer, 1),
            };
            let set = format!(r#"{{"keys":[{key}]}}"#);
            Keys::read(set.as_bytes()).expect("it is a set")
        };
        for (of_key, claims, issuer, expected) in [
            (
                "",
                json!({ "iss": "https://i" }),
                "https://i/",
                Ok("by a key of `https://i`"),
            ),
            (
                "",
                json!({ "iss": "https://i/t/v2.0", "tid": "t" }),
                "https://i/{tenantid}/v2.0",
                Ok("by a key of `https://i/t/v2.0`"),
            ),
            (
                "",
                json!({ "iss": "https://i/u/v2.0", "tid": "t" }),
                "https://i/{tenantid}/v2.0",
                Err("from the issuer `https://i/u/v2.0`"),
            ),
            (
                "",
                json!({ "iss": "https://evil" }),
                "https://i",
                Err("from the issuer `https://evil`"),
            ),
            ("", json!({}), "https://i", Err("it names no issuer")),
            (
                "https://i",
                json!({ "iss": "https://i" }),
                "https://i",
                Ok("by a key of `https://i`"),
            ),
            (
                "https://i/msa",
                json!({ "iss": "https://i" }),
                "https://i",
                Err("its key is one of `https://i/msa`"),
            ),
        ] {
            let part = |value: &serde_json::Value| to_base64url(value.to_string().as_bytes());
            let message = format!("{}.{}", part(&json!({ "alg": "ES256" })), part(&claims));
            let signature = pair.sign(message.as_bytes()).expect("it signs");
            let token = format!("{message}.{}", to_base64url(&signature));
            let verdict = judge(
                &keys(of_key),
                &token,
                claims.as_object().expect("it is one"),
                &["https://other".to_owned(), issuer.to_owned()],
            );
            match expected {
                Ok(by) => assert_eq!(verdict.as_deref(), Ok(by)),
                Err(told) => assert!(
                    verdict.is_err_and(|reason| reason.contains(told)),
                    "{claims}"
                ),
            }
        }
    }
}
