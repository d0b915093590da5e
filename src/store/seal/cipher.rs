//! The seal itself: XChaCha20-Poly1305 with a nonce that is drawn for each file
//! (draft-irtf-cfrg-xchacha). What is sealed is bound to the file's name and format, so that a file
//! in another's place does not open.

use std::borrow::Cow;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};

use super::Key;
use crate::context::Random;
use crate::encoding::{from_base64url, to_base64url};
use crate::error::Error;

/// How long is a nonce?
const NONCE: usize = 24;
/// How long is what proves that nothing was changed?
const TAG: usize = 16;

/// What lies in a file, beside the seal's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Sealed<'a> {
    /// The key's id.
    #[serde(borrow)]
    pub(in crate::store) key: Cow<'a, str>,
    /// The nonce in base64url.
    #[serde(borrow)]
    pub(in crate::store) nonce: Cow<'a, str>,
    /// How many bytes the sealed content has: what was cut off is told from what was changed.
    pub(in crate::store) length: usize,
}

impl Sealed<'_> {
    /// The same, for whoever changes the buffer that it was read from.
    pub(in crate::store) fn into_owned(self) -> Sealed<'static> {
        Sealed {
            key: self.key.into_owned().into(),
            nonce: self.nonce.into_owned().into(),
            length: self.length,
        }
    }
}

/// Seals `content` for the place `bound`: its parameters, and the sealed content.
///
/// # Errors
/// `internal`, if the operating system gives no chance.
pub(in crate::store) fn seal<'k>(
    key: &'k Key,
    bound: &str,
    content: &str,
    random: &dyn Random,
) -> Result<(Sealed<'k>, Vec<u8>), Error> {
    let drawn = random.bytes()?;
    let nonce: [u8; NONCE] = std::array::from_fn(|index| drawn[index]);
    let mut bytes = Vec::with_capacity(content.len() + TAG);
    bytes.extend_from_slice(content.as_bytes());
    XChaCha20Poly1305::new(key.bytes().into())
        .encrypt_in_place(
            &XNonce::from(nonce),
            &associated(bound, key.id()),
            &mut bytes,
        )
        .expect("a session is shorter than 256 GB");
    let parameters = Sealed {
        key: key.id().into(),
        nonce: to_base64url(&nonce).into(),
        length: bytes.len(),
    };
    Ok((parameters, bytes))
}

/// Opens in its place what was sealed for the place `bound`; `None` if it was not, or not with this
/// key, and it is left as it was.
pub(in crate::store) fn open<'b>(
    key: &Key,
    bound: &str,
    parameters: &Sealed<'_>,
    bytes: &'b mut [u8],
) -> Option<&'b [u8]> {
    let nonce: [u8; NONCE] = from_base64url(&parameters.nonce)?.try_into().ok()?;
    let (content, tag) = bytes.split_last_chunk_mut::<TAG>()?;
    XChaCha20Poly1305::new(key.bytes().into())
        .decrypt_inout_detached(
            &XNonce::from(nonce),
            &associated(bound, &parameters.key),
            (&mut *content).into(),
            &Tag::from(*tag),
        )
        .ok()?;
    Some(content)
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
