//! Proofs that a request comes from whoever has the key
//! ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).

use serde_json::json;
use url::Url;

use crate::context::{Context, HttpResponse};
use crate::digest::sha256;
use crate::encoding::to_base64url;
use crate::error::{Error, ErrorKind};
use crate::proof_key::ProofKey;
use crate::secret::Secret;

/// `token_type` of tokens that are bound to a key (§5).
pub const TOKEN_TYPE: &str = "DPoP";

/// A request that a proof is for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its method, as it is sent.
    pub method: &'a str,
    /// Its URL.
    pub url: &'a str,
    /// The access token that it carries, but for requests of a token.
    pub access_token: Option<&'a Secret>,
}

/// A proof for one request (§4.2). The nonce is the one that is given, else the last that this server
/// gave this process (§8).
///
/// # Errors
/// `usage` for a URL that is none of HTTP, and `internal`.
pub fn proof(
    key: &ProofKey,
    target: Target<'_>,
    nonce: Option<&str>,
    context: &Context<'_>,
) -> Result<Secret, Error> {
    let mut url = read(target.url)?;
    let last = context.nonces.last(&url.origin().ascii_serialization());
    url.set_query(None);
    url.set_fragment(None);
    let header = format!(
        r#"{{"typ":"dpop+jwt","alg":"{}","jwk":{}}}"#,
        ProofKey::ALGORITHM,
        key.jwk()
    );
    let mut claims = json!({
        "jti": to_base64url(&context.random.bytes()?),
        "htm": target.method,
        "htu": url.as_str(),
        "iat": context.clock.now().0,
    });
    if let Some(token) = target.access_token {
        claims["ath"] = to_base64url(&sha256(token.expose().as_bytes())).into();
    }
    if let Some(nonce) = nonce.or(last.as_deref()) {
        claims["nonce"] = nonce.into();
    }
    let message = format!(
        "{}.{}",
        to_base64url(header.as_bytes()),
        to_base64url(claims.to_string().as_bytes())
    );
    let signature = to_base64url(&key.sign(message.as_bytes())?);
    Ok(Secret::new(format!("{message}.{signature}")))
}

fn read(url: &str) -> Result<Url, Error> {
    let read = Url::parse(url).ok();
    read.filter(|url| ["https", "http"].contains(&url.scheme()))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                "a proof of DPoP is for a request to an `https` URL",
            )
        })
}

/// Remembers the nonce of an answer (§8.2).
pub fn remember(url: &str, response: &HttpResponse, context: &Context<'_>) {
    if let (Some(nonce), Ok(url)) = (response.header("dpop-nonce"), read(url)) {
        let origin = url.origin().ascii_serialization();
        context.nonces.remember(origin, nonce.to_owned());
    }
}

/// Whether a server wants the same request once more, with the nonce that it gives: as §8 has it for
/// an authority, or as §9 for a resource.
pub fn wants_nonce(response: &HttpResponse) -> bool {
    const ERROR: &str = "use_dpop_nonce";
    let says = |name: &str| {
        let value = response.header(name);
        value.is_some_and(|value| value.contains(ERROR))
    };
    let is_said = || {
        let body = serde_json::from_slice::<serde_json::Value>(&response.body);
        body.is_ok_and(|body| body["error"] == ERROR)
    };
    matches!(response.status, 400 | 401)
        && response.header("dpop-nonce").is_some()
        && (says("www-authenticate") || is_said())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{HttpResponse, Secret, wants_nonce};

    #[test]
    fn a_request_is_repeated_only_where_a_nonce_is_wanted_and_given() {
        const SAID: &str = r#"{"error":"use_dpop_nonce"}"#;
        const CHALLENGE: &str = r#"DPoP error="use_dpop_nonce", algs="ES256""#;
        for (status, nonce, challenge, body, expected) in [
            (400, "n", "", SAID, true),
            (401, "n", CHALLENGE, "", true),
            (400, "", "", SAID, false),
            (200, "n", "", SAID, false),
            (500, "n", CHALLENGE, SAID, false),
            (400, "n", "", r#"{"error":"invalid_dpop_proof"}"#, false),
            (400, "n", "", "use_dpop_nonce", false),
        ] {
            let headers = [("dpop-nonce", nonce), ("www-authenticate", challenge)];
            let headers = headers.iter().filter(|(_, value)| !value.is_empty());
            let response = HttpResponse {
                status,
                headers: headers
                    .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
                    .collect(),
                body: Zeroizing::new(body.as_bytes().to_vec()),
            };
            assert_eq!(wants_nonce(&response), expected, "{status} {body}");
        }
    }
}
