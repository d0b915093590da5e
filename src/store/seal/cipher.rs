//! The seal itself: XChaCha20-Poly1305 with a nonce that is drawn for each file
//! (draft-irtf-cfrg-xchacha). What is sealed is bound to the file's name and format, so that a file
//! in another's place does not open.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Key;
use crate::context::Random;
use crate::encoding::{from_base64url, to_base64url};
use crate::error::Error;
use crate::secret::SecretBytes;

/// How long is a nonce?
const NONCE: usize = 24;
/// How long is what proves that nothing was changed?
const TAG: usize = 16;

/// What lies in a file, beside the seal's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Sealed<'a> {
    /// The key's id.
    #[serde(borrow)]
    pub(in crate::store) key: std::borrow::Cow<'a, str>,
    /// The nonce in base64url.
    #[serde(borrow)]
    pub(in crate::store) nonce: std::borrow::Cow<'a, str>,
}

/// Seals `content` for the place `bound`: its parameters, and the sealed content in base64url.
///
/// # Errors
/// `internal`, if the operating system gives no chance.
pub(in crate::store) fn seal<'k>(
    key: &'k Key,
    bound: &str,
    content: &str,
    random: &dyn Random,
) -> Result<(Sealed<'k>, String), Error> {
    let drawn = random.bytes()?;
    let nonce: [u8; NONCE] = std::array::from_fn(|index| drawn[index]);
    let mut bytes = Zeroizing::new(Vec::with_capacity(content.len() + TAG));
    bytes.extend_from_slice(content.as_bytes());
    XChaCha20Poly1305::new(key.bytes().into())
        .encrypt_in_place(
            &XNonce::from(nonce),
            &associated(bound, key.id()),
            &mut *bytes,
        )
        .expect("a session is shorter than 256 GB");
    let parameters = Sealed {
        key: key.id().into(),
        nonce: to_base64url(&nonce).into(),
    };
    Ok((parameters, to_base64url(&bytes)))
}

/// Opens what was sealed for the place `bound`; `None` if it was not, or not with this key.
pub(in crate::store) fn open(
    key: &Key,
    bound: &str,
    parameters: &Sealed<'_>,
    text: &str,
) -> Option<SecretBytes> {
    let nonce: [u8; NONCE] = from_base64url(&parameters.nonce)?.try_into().ok()?;
    let mut bytes = SecretBytes(from_base64url(text)?);
    XChaCha20Poly1305::new(key.bytes().into())
        .decrypt_in_place(
            &XNonce::from(nonce),
            &associated(bound, &parameters.key),
            &mut bytes.0,
        )
        .ok()?;
    Some(bytes)
}

/// What is bound to the content without being in it.
fn associated(bound: &str, key: &str) -> Vec<u8> {
    [
        b"cred-helper session\0",
        bound.as_bytes(),
        b"\0",
        key.as_bytes(),
    ]
    .concat()
}
