//! The keys of an authority, and whether one of them has signed a token
//! ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 7518 §3](https://www.rfc-editor.org/rfc/rfc7518#section-3),
//! [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037)).

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

use crate::encoding::{from_base64, from_object};
use crate::oauth::response::text;
use crate::text::printable;

/// How a signature is verified, and the members of a key that does it.
enum Algorithm {
    Rsa(&'static RsaParameters),
    /// And the curve.
    Curve(&'static dyn VerificationAlgorithm, &'static str),
}

impl Algorithm {
    /// The one of that name. Neither `none` nor what is made with a shared secret proves who issued a token
    /// ([RFC 8725 §3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Self::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Self::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            "PS256" => Self::Rsa(&RSA_PSS_2048_8192_SHA256),
            "PS384" => Self::Rsa(&RSA_PSS_2048_8192_SHA384),
            "PS512" => Self::Rsa(&RSA_PSS_2048_8192_SHA512),
            "ES256" => Self::Curve(&ECDSA_P256_SHA256_FIXED, "P-256"),
            "ES384" => Self::Curve(&ECDSA_P384_SHA384_FIXED, "P-384"),
            "EdDSA" | "Ed25519" => Self::Curve(&ED25519, "Ed25519"),
            _ => return None,
        })
    }
}

/// A key as it is written. A member that is of another kind than it should be counts as missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Key {
    #[serde(deserialize_with = "text")]
    kty: Option<String>,
    #[serde(deserialize_with = "text")]
    kid: Option<String>,
    #[serde(deserialize_with = "text")]
    alg: Option<String>,
    #[serde(rename = "use", deserialize_with = "text")]
    usage: Option<String>,
    #[serde(deserialize_with = "text")]
    crv: Option<String>,
    #[serde(deserialize_with = "text")]
    n: Option<String>,
    #[serde(deserialize_with = "text")]
    e: Option<String>,
    #[serde(deserialize_with = "text")]
    x: Option<String>,
    #[serde(deserialize_with = "text")]
    y: Option<String>,
    /// Whose tokens it signs, where an authority that is many says so, as Entra.
    #[serde(deserialize_with = "text")]
    issuer: Option<String>,
}

/// Which key has signed a token.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// What the token's header calls it.
    pub kid: Option<String>,
    /// The issuer that it signs for, where the key says so.
    pub issuer: Option<String>,
}

/// The keys of an authority.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

/// What a token's header says of its signature (RFC 7515 §4.1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    #[serde(deserialize_with = "text")]
    alg: Option<String>,
    #[serde(deserialize_with = "text")]
    kid: Option<String>,
    /// What Microsoft puts there for its own services.
    #[serde(deserialize_with = "text")]
    nonce: Option<String>,
    /// Members that have to be understood.
    crit: Option<serde_json::Value>,
}

impl Keys {
    /// Reads a set of keys (RFC 7517 §5). A key that is none is passed over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(document: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let document: Document =
            from_object(document).map_err(|error| format!("it is no set of keys: {error}"))?;
        let keys = document.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.collect()))
    }

    /// Which of them has signed this JWT.
    ///
    /// # Errors
    /// Why that is not so, or cannot be told.
    pub fn verify(&self, token: &str) -> Result<Signer, String> {
        let (message, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
        let header = message.split('.').next().and_then(from_base64);
        let header: Option<Header> = header.and_then(|header| from_object(&header).ok());
        let header = header.ok_or("its header is none of a JWT")?;
        let signature = from_base64(signature).ok_or("its signature is no base64")?;
        if header.crit.is_some() {
            return Err(
                "its header wants more to be understood than is known here (`crit`)".into(),
            );
        }
        let name = header.alg.unwrap_or_default();
        let algorithm = Algorithm::named(&name).ok_or_else(|| {
            format!(
                "it is signed with `{}`, which proves nothing here",
                printable(&name)
            )
        })?;
        let kid = header.kid.as_deref();
        let named: Vec<&Key> = self
            .0
            .iter()
            .filter(|key| kid.is_none() || key.kid.as_deref() == kid)
            .collect();
        let fitting: Vec<&Key> = named
            .iter()
            .copied()
            .filter(|key| key.is_for(&name, &algorithm))
            .collect();
        if fitting.is_empty() {
            let of = kid.map_or_else(String::new, |kid| format!(" `{}`", printable(kid)));
            return Err(format!("the authority has no key{of} for `{name}`"));
        }
        let mut fitting = fitting.into_iter();
        if let Some(key) =
            fitting.find(|key| key.has_signed(&algorithm, message.as_bytes(), &signature))
        {
            return Ok(Signer {
                kid: header.kid,
                issuer: key.issuer.clone(),
            });
        }
        Err(match header.nonce {
            Some(_) => {
                "its header holds a `nonce`: tokens of Microsoft's own services, such as Microsoft \
                        Graph, can be verified by these services alone"
                    .to_owned()
            }
            None => "the signature is not that of the authority's key".to_owned(),
        })
    }
}

impl Key {
    fn is_for(&self, name: &str, algorithm: &Algorithm) -> bool {
        let is = |member: &Option<String>, value: &str| member.as_deref() == Some(value);
        let is_or_missing =
            |member: &Option<String>, value: &str| member.as_deref().is_none_or(|own| own == value);
        let is_kind = match algorithm {
            Algorithm::Rsa(_) => is(&self.kty, "RSA"),
            Algorithm::Curve(_, "Ed25519") => is(&self.kty, "OKP") && is(&self.crv, "Ed25519"),
            Algorithm::Curve(_, curve) => is(&self.kty, "EC") && is(&self.crv, curve),
        };
        is_kind && is_or_missing(&self.alg, name) && is_or_missing(&self.usage, "sig")
    }

    fn has_signed(&self, algorithm: &Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let number = |member: &Option<String>| member.as_deref().and_then(from_base64);
        match algorithm {
            Algorithm::Rsa(parameters) => {
                let (Some(n), Some(e)) = (number(&self.n), number(&self.e)) else {
                    return false;
                };
                // A number has no zeros in front, but some write one (RFC 7518 §6.3.1.1).
                let n = n.strip_prefix(&[0]).unwrap_or(&n);
                let key = RsaPublicKeyComponents { n, e: &e[..] };
                key.verify(parameters, message, signature).is_ok()
            }
            Algorithm::Curve(algorithm, curve) => {
                let Some(mut point) = number(&self.x) else {
                    return false;
                };
                if *curve != "Ed25519" {
                    // SEC 1 §2.3.3: 4, and both numbers.
                    point.insert(0, 4);
                    point.extend(number(&self.y).unwrap_or_default());
                }
                UnparsedPublicKey::new(*algorithm, point)
                    .verify(message, signature)
                    .is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    };
    use serde_json::{Value, json};

    use super::{Keys, Signer};
    use crate::encoding::to_base64url;
    use crate::proof_key::ProofKey;

    fn message(header: &Value) -> String {
        format!(
            "{}.{}",
            to_base64url(header.to_string().as_bytes()),
            to_base64url(b"{}")
        )
    }

    fn keys(keys: &[&Value]) -> Keys {
        Keys::read(json!({ "keys": keys }).to_string().as_bytes()).expect("it is a set")
    }

    #[test]
    fn a_signature_is_good_by_the_key_that_made_it_alone() {
        let pair = ProofKey::generate().expect("a key is made");
        let mut key: Value = serde_json::from_str(&pair.jwk()).expect("it is JSON");
        key["kid"] = "a".into();
        let signed = |header: &Value| {
            let message = message(header);
            let signature = pair.sign(message.as_bytes()).expect("it signs");
            format!("{message}.{}", to_base64url(&signature))
        };
        let token = signed(&json!({ "alg": "ES256", "kid": "a" }));
        let mut other: Value =
            serde_json::from_str(&ProofKey::generate().expect("made").jwk()).expect("JSON");
        assert_eq!(
            keys(&[&other, &key]).verify(&token),
            Ok(Signer {
                kid: Some("a".to_owned()),
                issuer: None
            })
        );
        let without = signed(&json!({ "alg": "ES256" }));
        assert_eq!(
            keys(&[&other, &key]).verify(&without),
            Ok(Signer::default()),
            "each is tried"
        );
        other["kid"] = "a".into();
        let mut for_encryption = key.clone();
        for_encryption["use"] = "enc".into();
        let mut of_another_way = key.clone();
        of_another_way["alg"] = "ES384".into();
        let on_another_curve = json!({ "kty": "OKP", "crv": "P-256", "kid": "a", "x": "AA" });
        let none = message(&json!({ "alg": "none" }));
        let changed = token.replacen(".e30.", ".e31.", 1);
        for (set, token, told) in [
            (&[&key][..], changed, "is not that of"),
            (&[&other], token.clone(), "is not that of"),
            (&[], token.clone(), "no key `a`"),
            (&[&for_encryption, &of_another_way], token, "no key `a`"),
            (
                &[&on_another_curve],
                signed(&json!({ "alg": "EdDSA", "kid": "a" })),
                "no key `a`",
            ),
            (
                &[&on_another_curve],
                signed(&json!({ "alg": "ES256", "kid": "a" })),
                "no key `a`",
            ),
            (
                &[&key],
                signed(&json!({ "alg": "EdDSA", "kid": "a" })),
                "no key `a`",
            ),
            (
                &[&key],
                signed(&json!({ "alg": "ES256", "kid": "b" })),
                "no key `b`",
            ),
            (&[&key], format!("{none}."), "`none`, which proves nothing"),
            (
                &[&key],
                signed(&json!({ "alg": "HS256", "kid": "a" })),
                "`HS256`, which",
            ),
            (
                &[&key],
                signed(&json!({ "alg": "RS256", "kid": "a" })),
                "for `RS256`",
            ),
            (
                &[&key],
                signed(&json!({ "alg": "ES256", "crit": ["b64"] })),
                "(`crit`)",
            ),
            (
                &[&key],
                signed(&json!({ "alg": "ES256", "kid": "a", "nonce": "n" })) + "x",
                "no base64",
            ),
            (
                &[&other],
                signed(&json!({ "alg": "ES256", "kid": "a", "nonce": "n" })),
                "Microsoft",
            ),
            (&[&key], "a.b".to_owned(), "header"),
            (&[&key], "opaque".to_owned(), "no JWT"),
        ] {
            let error = keys(set).verify(&token).expect_err(told);
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn every_curve_is_known_by_its_name() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("made");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("read");
        let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
        let key =
            json!({ "kty": "EC", "crv": "P-384", "x": to_base64url(x), "y": to_base64url(y) });
        let text = message(&json!({ "alg": "ES384" }));
        let signature = pair.sign(&random, text.as_bytes()).expect("it signs");
        let token = format!("{text}.{}", to_base64url(signature.as_ref()));
        assert_eq!(keys(&[&key]).verify(&token), Ok(Signer::default()));

        let made = Ed25519KeyPair::generate_pkcs8(&random).expect("made");
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("read");
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": to_base64url(pair.public_key().as_ref()) });
        let text = message(&json!({ "alg": "EdDSA" }));
        let signature = pair.sign(text.as_bytes());
        let token = format!("{text}.{}", to_base64url(signature.as_ref()));
        assert_eq!(keys(&[&key]).verify(&token), Ok(Signer::default()));
    }
}
