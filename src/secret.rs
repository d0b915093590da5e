//! A string that must not be shown: tokens, client secrets, device codes.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::optimization_barrier;

/// Text that appears in no output unless somebody writes `expose()`.
///
/// It has no `Display` and no `Serialize`, its `Debug` is redacted, and its memory is wiped when
/// it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of `text`; the caller keeps no copy.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Shows the text. Each call is a place where a secret leaves its wrapping.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_bytes());
    }
}

/// Overwrites all that was ever in there: at once, where `zeroize` takes byte after byte.
pub fn wipe(bytes: &mut Vec<u8>) {
    // In parts: what is taken for long ones is slow to begin.
    for part in bytes.chunks_mut(1024) {
        part.fill(0);
    }
    bytes.resize(bytes.capacity(), 0);
    // What nobody reads any more would not be written.
    optimization_barrier(bytes.as_slice());
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_output_shows_nothing_of_the_text() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(…)");
    }
}
