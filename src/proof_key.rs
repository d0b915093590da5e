//! The key that tokens are bound to where a profile wants DPoP
//! ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)): P-256, for ES256.
//!
//! It is made here, kept beside the tokens that are bound to it, and never shown: what leaves is its
//! public half, and what it signs. (The key that a client has from elsewhere, to prove who it is, is a
//! `signing_key`: it is read from files of many forms, and may be RSA.)

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::encoding::{from_base64, to_base64url};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::signing_key::{self, Algorithm, SigningKey};

/// How it signs.
const SIGNS: Algorithm = Algorithm::Es256;

/// A private key, which is not `Clone`: a copy is read from what is kept.
pub struct ProofKey {
    key: SigningKey,
    kept: Secret,
}

impl ProofKey {
    /// `alg` of what it signs (RFC 7518 §3.4).
    pub const ALGORITHM: &str = SIGNS.name();

    /// Makes one.
    ///
    /// # Errors
    /// `internal`, if the operating system has no chance.
    pub fn generate() -> Result<Self, Error> {
        let failed = |_| Error::new(ErrorKind::Internal, "the system gave no new key");
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).map_err(failed)?;
        Self::read(&Secret::new(to_base64url(pkcs8.as_ref())))
    }

    /// Reads one that was kept: PKCS#8 in base64url.
    ///
    /// # Errors
    /// `store`, if it is none.
    pub fn read(kept: &Secret) -> Result<Self, Error> {
        let pkcs8 = Zeroizing::new(from_base64(kept.expose()).unwrap_or_default());
        let unreadable = || Error::new(ErrorKind::Store, "the key of the session cannot be read");
        let key = signing_key::from_pkcs8(&pkcs8)
            .map_err(|problem| unreadable().because(problem.reason))?;
        if !key.algorithms().contains(&SIGNS) {
            return Err(unreadable());
        }
        Ok(Self {
            key,
            kept: kept.clone(),
        })
    }

    /// What is kept of it.
    pub fn kept(&self) -> &Secret {
        &self.kept
    }

    /// The public half as a JWK, its members in the order of RFC 7638 §3.3 and without blanks.
    pub fn jwk(&self) -> String {
        // SEC 1 §2.3.3: 4, and two numbers of 32 bytes.
        let point = self.key.public_key();
        let (x, y) = point[1..].split_at(32);
        format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            to_base64url(x),
            to_base64url(y)
        )
    }

    /// The name of the key: its JWK's SHA-256 thumbprint
    /// ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)).
    pub fn thumbprint(&self) -> String {
        to_base64url(&sha256(self.jwk().as_bytes()))
    }

    /// Signs, in the form of JWS (RFC 7518 §3.4).
    ///
    /// # Errors
    /// `internal`, if the operating system has no chance.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::new(ErrorKind::Internal, "the key of the session did not sign");
        self.key.sign(SIGNS, message).map_err(failed)
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProofKey({})", self.thumbprint())
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::ProofKey;
    use crate::encoding::from_base64;
    use crate::error::ErrorKind;
    use crate::secret::Secret;

    #[test]
    fn what_is_read_is_the_key_that_was_kept_and_its_public_half_verifies() {
        let made = ProofKey::generate().unwrap();
        let read = ProofKey::read(made.kept()).unwrap();
        assert_eq!(read.thumbprint(), made.thumbprint());
        assert_ne!(
            ProofKey::generate().unwrap().thumbprint(),
            made.thumbprint()
        );
        let jwk: serde_json::Value = serde_json::from_str(&made.jwk()).unwrap();
        let number = |name: &str| from_base64(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], number("x"), number("y")].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signature = read.sign(b"message").unwrap();
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"massage", &signature).is_err());
        let members: Vec<&String> = jwk.as_object().unwrap().keys().collect();
        assert_eq!(members, ["crv", "kty", "x", "y"], "nothing private");
        let shown = format!("{made:?}");
        assert!(!shown.contains(made.kept().expose()), "{shown}");
    }

    #[test]
    fn what_is_no_key_is_an_error_of_the_store() {
        for kept in ["", "AAAA", "!"] {
            let error = ProofKey::read(&Secret::new(kept)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Store, "{kept}");
        }
    }
}
