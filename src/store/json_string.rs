//! A string in JSON, read without a copy that stays in memory: serde_json undoes escapes in a buffer
//! that is given back as it is.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Reads a string.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    of_raw(<&RawValue>::deserialize(deserializer)?)
}

/// Reads a string or `null`.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    match raw.get() {
        "null" => Ok(None),
        _ => of_raw(raw).map(Some),
    }
}

fn of_raw<E: serde::de::Error>(raw: &RawValue) -> Result<Secret, E> {
    // What it is instead may be secret.
    unescaped(raw.get()).ok_or_else(|| E::custom("a string is expected"))
}

/// A string's text; `None` for what is no string, or no text. Half of a surrogate pair is none
/// (RFC 8259 §7), and what is beyond U+FFFF is never written as a pair here.
pub(super) fn unescaped(json: &str) -> Option<Secret> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    // Undone, an escape is shorter: this never grows.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let kind = escape.chars().next()?;
        rest = &escape[kind.len_utf8()..];
        text.push(match kind {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (code, after) = rest.split_at_checked(4)?;
                rest = after;
                char::from_u32(u32::from_str_radix(code, 16).ok()?)?
            }
            // What stands for itself: RFC 8259 §7 has `"`, `\` and `/`.
            other => other,
        });
    }
    text.push_str(rest);
    Some(Secret::new(std::mem::take(&mut *text)))
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn a_string_is_read_as_json_has_it() {
        for text in [
            "",
            "eyJhbGciOiJub25lIn0.e30.",
            "\"quoted\" and \\",
            "\\u0041",
            "\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}",
            "ä€\u{ffff}😀",
        ] {
            let json = serde_json::to_string(text).unwrap();
            let read = unescaped(&json).expect(&json);
            assert_eq!(read.expose(), text, "{json}");
        }
        let read = |json: &str| unescaped(json).map(|text| text.expose().to_owned());
        assert_eq!(read(r#""\/\u00E4\u20ac""#).as_deref(), Some("/ä€"));
        for wrong in ["null", "1", "[]", "{}", r#""\ud83d\ude00""#, r#""\ud83d""#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
