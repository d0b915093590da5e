//! A key of 256 bits, and the id that tells it from others without showing anything of it.

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::{Zeroize, Zeroizing};

use crate::context::Random;
use crate::encoding::{from_base64url, to_base64url};
use crate::error::Error;
use crate::secret::Secret;

/// What is derived for one purpose is of no use for another (RFC 5869).
const SALT: &[u8] = b"cred-helper store 1";

/// A key.
#[derive(Clone)]
pub(in crate::store) struct Key {
    id: String,
    bytes: Bytes,
}

/// They stay where they are until they are wiped: what is moved on the stack leaves a copy behind.
type Bytes = Box<Zeroizing<[u8; 32]>>;

impl Key {
    /// A key that nobody can guess.
    ///
    /// # Errors
    /// `internal`, if the operating system gives no chance.
    pub(super) fn random(random: &dyn Random) -> Result<Self, Error> {
        let mut drawn = random.bytes()?;
        let mut bytes = Bytes::default();
        bytes.copy_from_slice(&drawn);
        drawn.zeroize();
        Ok(Self::of_bytes(bytes))
    }

    /// The key that comes of a secret of any form.
    pub(in crate::store) fn of_material(material: &Secret) -> Self {
        let mut bytes = Bytes::default();
        derive(material.expose().as_bytes(), b"key", bytes.as_mut_slice());
        Self::of_bytes(bytes)
    }

    /// The key that was written as text; its id is not looked at.
    pub(super) fn of_text(text: &Secret) -> Option<Self> {
        let written = Zeroizing::new(from_base64url(text.expose())?);
        let mut bytes = Bytes::default();
        if written.len() != bytes.len() {
            return None;
        }
        bytes.copy_from_slice(&written);
        Some(Self {
            id: String::new(),
            bytes,
        })
    }

    fn of_bytes(bytes: Bytes) -> Self {
        let mut id = [0; 16];
        derive(bytes.as_slice(), b"id", &mut id);
        Self {
            id: to_base64url(&id),
            bytes,
        }
    }

    /// The same key under the id that it was found by.
    pub(in crate::store) fn known_as(self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self
        }
    }

    /// The same key under the id that is its own.
    pub(in crate::store) fn checked(self) -> Self {
        Self::of_bytes(self.bytes)
    }

    /// Whether the id that it was found by is its own.
    pub(super) fn is_own_id(&self) -> bool {
        self.clone().checked().id == self.id
    }

    /// What files name it by.
    pub(in crate::store) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// What is kept of it elsewhere.
    pub(super) fn to_text(&self) -> Secret {
        Secret::new(to_base64url(self.bytes.as_slice()))
    }
}

/// How much is wanted.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(material: &[u8], purpose: &[u8], derived: &mut [u8]) {
    let length = Length(derived.len());
    Salt::new(HKDF_SHA256, SALT)
        .extract(material)
        .expand(&[purpose], length)
        .and_then(|from| from.fill(derived))
        .expect("HKDF gives far more than that");
}

#[cfg(test)]
mod tests {
    use super::Key;
    use crate::secret::Secret;

    #[test]
    fn a_key_is_found_by_what_it_is() {
        let key = Key::of_material(&Secret::new("correct horse battery staple"));
        let other = Key::of_material(&Secret::new("correct horse battery stable"));
        assert_eq!(key.id().len(), 22);
        assert_ne!(key.id(), other.id());
        let again = Key::of_text(&key.to_text()).expect("it was written here");
        assert_eq!(again.bytes(), key.bytes());
        assert_eq!(again.checked().id(), key.id());
        // Who derives differently cannot open what was sealed before.
        assert_eq!(key.id(), "bkhxs5a-1CJ3bJ_seMxSEw");
        let padded = format!("{}=", key.to_text().expose());
        for text in [
            "",
            "a",
            "=",
            &"A".repeat(42),
            &"A".repeat(44),
            &"+".repeat(43),
            &padded,
        ] {
            assert!(Key::of_text(&Secret::new(text)).is_none(), "{text}");
        }
    }
}
