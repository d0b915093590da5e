//! A cache in the Secret Service, as MSAL's extensions keep it there: an item that is found by its
//! attributes, beside a file that tells of its changes.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::context::{Context, KeyringFailure, KeyringItem};
use crate::encoding::{from_base64, to_base64};
use crate::error::Error;
use crate::secret::Secret;

/// How long is the keyring waited for? A person may have to unlock it.
const LIMIT: Duration = Duration::from_secs(10);

fn limit(context: &Context<'_>) -> Duration {
    context.time_left().map_or(LIMIT, |left| left.min(LIMIT))
}

/// An item that holds a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// What it is found by.
    pub keyring: KeyringItem,
    /// Whether a new one has its text in base64, as that of .NET and of Go has.
    pub is_base64: bool,
}

impl Item {
    /// The text that is there now; none of it if there is no item.
    pub(super) fn read(&self, context: &Context<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(decode(self.held(context)?).0)
    }

    fn held(&self, context: &Context<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let held = context.keyring.read_item(&self.keyring, limit(context));
        let held = held.map_err(|failure| failed("read", failure))?;
        Ok(held.unwrap_or_default())
    }

    /// Whether the keyring stays locked when the item is to be read.
    pub(super) fn is_locked(&self, context: &Context<'_>) -> bool {
        let read = context.keyring.read_item(&self.keyring, limit(context));
        matches!(read, Err(KeyringFailure::Locked))
    }

    /// Proves that the keyring takes something in its place: what is there.
    pub(super) fn prove_writable(&self, context: &Context<'_>) -> Result<(), Error> {
        let held = self.held(context)?;
        match held.is_empty() {
            true => self.write("{}", context),
            false => self.keep(&held, context),
        }
    }

    /// Replaces the text, encoded as the one before.
    pub(super) fn write(&self, text: &str, context: &Context<'_>) -> Result<(), Error> {
        let held = self.held(context)?;
        let is_base64 = match held.is_empty() {
            true => self.is_base64,
            false => decode(held).1,
        };
        match is_base64 {
            true => self.keep(
                Secret::new(to_base64(text.as_bytes())).expose().as_bytes(),
                context,
            ),
            false => self.keep(text.as_bytes(), context),
        }
    }

    /// However late it is: it may be the only copy of a sign-in.
    fn keep(&self, content: &[u8], context: &Context<'_>) -> Result<(), Error> {
        let kept = context.keyring.write_item(&self.keyring, content, LIMIT);
        kept.map_err(|failure| failed("written", failure))
    }
}

/// The text of a cache as an item holds it, and whether it was in base64. JSON never is: it begins with a
/// character that base64 does not have.
pub(super) fn decode(held: Zeroizing<Vec<u8>>) -> (Zeroizing<Vec<u8>>, bool) {
    let text = std::str::from_utf8(&held).unwrap_or_default().trim();
    match from_base64(text).map(Zeroizing::new) {
        Some(decoded) if !text.is_empty() => (decoded, true),
        _ => (held, false),
    }
}

fn failed(what: &str, failure: KeyringFailure) -> Error {
    let error = failure.into_error("the cache in it is as it was");
    let hint = error.hint_text().unwrap_or_default();
    let message = format!("the cache of MSAL in the keyring cannot be {what}");
    Error::new(error.kind(), message)
        .because_of(&error)
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::decode;

    #[test]
    fn a_cache_is_read_in_the_encoding_of_each_library() {
        let json = "{\"AccessToken\":{}}";
        for (held, text, is_base64) in [
            (json, json, false),
            ("eyJBY2Nlc3NUb2tlbiI6e319", json, true),
            ("eyJBY2Nlc3NUb2tlbiI6e319\n", json, true),
            ("e30=", "{}", true),
            ("[]", "[]", false),
            ("", "", false),
            // As azidentity for Go encrypts a file.
            (
                "eyJhbGciOiJkaXIifQ..x.y.z",
                "eyJhbGciOiJkaXIifQ..x.y.z",
                false,
            ),
        ] {
            let (decoded, was_base64) = decode(Zeroizing::new(held.as_bytes().to_vec()));
            assert_eq!(*decoded, text.as_bytes(), "{held}");
            assert_eq!(was_base64, is_base64, "{held}");
        }
    }
}
