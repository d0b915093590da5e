//! base64 and JSON, as others write them.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::Error;
use zeroize::Zeroizing;

use crate::text::is_unsafe;

/// With and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encodes as RFC 4648 §4 has it, with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Encodes for URLs, without padding (RFC 4648 §5).
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes what [`to_base64url`] encodes, and nothing else.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes base64 of either alphabet (RFC 4648 §4, §5), with and without padding.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    // It may hold a secret.
    let mut alike = Zeroizing::new(text.as_bytes().to_vec());
    for byte in alike.iter_mut() {
        *byte = match *byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
    }
    LENIENT.decode(&*alike).ok()
}

/// Reads an object of JSON. For serde a list, too, is something with members, by their order.
///
/// # Errors
/// Those of JSON, which may show a part of the bytes.
pub fn from_object<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> serde_json::Result<T> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(serde_json::Error::custom("it is a list, and no object"));
    }
    serde_json::from_slice(bytes)
}

/// JSON on one line that is harmless to show: what [`is_unsafe`] names is escaped in it, and nothing lost.
pub fn harmless_json(value: &serde_json::Value) -> String {
    let json = value.to_string();
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        push_harmless_json(&mut shown, character);
    }
    shown
}

/// Adds a character that stands in a string of JSON, escaped where it is unsafe (RFC 8259 §7).
pub fn push_harmless_json(shown: &mut String, character: char) {
    if !is_unsafe(character) {
        shown.push(character);
        return;
    }
    for unit in character.encode_utf16(&mut [0; 2]) {
        shown.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{from_base64url, from_object, to_base64url};

    #[test]
    fn what_was_encoded_is_decoded_and_nothing_else() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        for length in 0..bytes.len() {
            for bytes in [&bytes[..length], &bytes[bytes.len() - length..]] {
                let text = to_base64url(bytes);
                assert_eq!(from_base64url(&text).as_deref(), Some(bytes), "{text}");
                // Wherever a character is none.
                for at in [0, 3, 7, 8, text.len().saturating_sub(1)] {
                    for wrong in ["+", "/", "=", "\n", "\u{7f}"] {
                        let mut text = text.clone();
                        if at < text.len() {
                            text.replace_range(at..=at, wrong);
                            assert_eq!(from_base64url(&text), None, "{text}");
                        }
                    }
                }
            }
        }
        // A rest that no byte has, and bits that no byte has.
        for wrong in [
            "A",
            "AAAAA",
            "AAAAAAAAA",
            "AB",
            "AAB",
            "AAAAAAAAAB",
            "AAAA=",
            "ä",
        ] {
            assert_eq!(from_base64url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_is_no_object_whatever_it_holds() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Wanted {
            uri: String,
        }
        let wanted = |text: &str| from_object::<Wanted>(text.as_bytes());
        let uri = "u".to_owned();
        assert_eq!(wanted(" {\"uri\":\"u\"}\n").ok(), Some(Wanted { uri }));
        for no_object in ["[\"u\"]", "\t\r\n [\"u\"]", "\"u\"", "{}", "[", ""] {
            assert!(wanted(no_object).is_err(), "{no_object}");
        }
        let read = from_object::<BTreeMap<&str, u8>>(b"{\"a\":1}");
        assert_eq!(read.ok(), Some(BTreeMap::from([("a", 1)])));
    }
}
