//! base64, as others write it.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// With and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encodes for URLs, without padding (RFC 4648 §5).
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64 of either alphabet (RFC 4648 §4, §5), with and without padding.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    LENIENT
        .decode(text.replace('+', "-").replace('/', "_"))
        .ok()
}
