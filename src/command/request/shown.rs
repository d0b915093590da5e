//! What a server answered, as a terminal may show it: JSON indented, and nothing that moves the
//! cursor, colours the screen, or reorders or hides text.

use crate::encoding::push_harmless_json;
use crate::style::Style;
use crate::text::is_unsafe;

/// Bytes on their way to a terminal, in whatever parts they come.
pub(super) struct Shown {
    form: Form,
    /// The beginning of a character whose end has not come yet.
    rest: Vec<u8>,
    ends_with_line: bool,
}

enum Form {
    Text,
    Json(Box<Json>),
}

impl Shown {
    /// For what begins with `first`; `None` if that is no text.
    pub(super) fn new(content_type: &str, first: &[u8], style: Style) -> Option<Self> {
        if is_binary(first) {
            return None;
        }
        let begins = first.trim_ascii_start().first();
        let form = match begins {
            Some(b'{' | b'[') if is_json(content_type) => Form::Json(Box::new(Json::new(style))),
            _ => Form::Text,
        };
        Some(Self {
            form,
            rest: Vec::new(),
            ends_with_line: true,
        })
    }

    /// What is to be shown for these bytes.
    pub(super) fn part(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let whole = whole_characters(&self.rest);
        let text = String::from_utf8_lossy(&self.rest[..whole]).into_owned();
        self.rest.drain(..whole);
        self.text(&text)
    }

    /// What is to be shown at the end.
    pub(super) fn end(&mut self) -> String {
        let rest = std::mem::take(&mut self.rest);
        let mut shown = self.text(&String::from_utf8_lossy(&rest));
        if let Form::Json(json) = &mut self.form {
            shown.push_str(&json.end());
            self.ends_with_line &= shown.is_empty() || shown.ends_with('\n');
        }
        if !self.ends_with_line {
            shown.push('\n');
        }
        shown
    }

    fn text(&mut self, text: &str) -> String {
        let shown = match &mut self.form {
            Form::Text => harmless(text),
            Form::Json(json) => json.part(text),
        };
        if let Some(last) = shown.chars().next_back() {
            self.ends_with_line = last == '\n';
        }
        shown
    }
}

/// Whether a `Content-Type` is one of JSON (RFC 8259 §11, RFC 6839 §3.1).
pub(super) fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// Whether what begins so is no text in UTF-8.
fn is_binary(first: &[u8]) -> bool {
    first.contains(&0) || std::str::from_utf8(first).is_err_and(|error| error.error_len().is_some())
}

/// How many bytes end with the end of a character, or are none of one.
fn whole_characters(bytes: &[u8]) -> usize {
    // The longest has four.
    (bytes.len().saturating_sub(3)..bytes.len())
        .find(|start| {
            std::str::from_utf8(&bytes[*start..])
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(bytes.len())
}

/// Text whose unsafe characters are written as what they are, but for line ends and tabs.
pub(super) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => shown.push(character),
            // A line's end elsewhere.
            '\r' if matches!(characters.peek(), Some('\n') | None) => {}
            character if is_unsafe(character) => shown.extend(character.escape_unicode()),
            character => shown.push(character),
        }
    }
    shown
}

/// How many brackets are counted?
const MOST_OPEN: usize = 10_000;

/// JSON, indented as it comes: nothing is sorted, and no number is rounded.
struct Json {
    style: Style,
    /// The brackets that are open.
    open: Vec<char>,
    is_in_string: bool,
    is_escaped: bool,
    /// Whether the next string is the name of a member.
    is_name: bool,
    /// A name that has not ended yet.
    name: Option<String>,
    /// Whether a bracket was opened and nothing stands in it yet.
    is_empty: bool,
}

impl Json {
    fn new(style: Style) -> Self {
        Self {
            style,
            open: Vec::new(),
            is_in_string: false,
            is_escaped: false,
            is_name: false,
            name: None,
            is_empty: false,
        }
    }

    fn part(&mut self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len() * 2);
        for character in text.chars() {
            if self.is_in_string {
                self.within_string(character, &mut shown);
            } else {
                self.between(character, &mut shown);
            }
        }
        shown
    }

    fn end(&mut self) -> String {
        self.name.take().unwrap_or_default()
    }

    fn within_string(&mut self, character: char, shown: &mut String) {
        /// How long a name is worth being coloured?
        const LONGEST_NAME: usize = 1024;
        let place = self.name.as_mut().unwrap_or(shown);
        push_harmless_json(place, character);
        let ends = character == '"' && !self.is_escaped;
        self.is_escaped = character == '\\' && !self.is_escaped;
        self.is_in_string = !ends;
        if let Some(name) = self.name.take_if(|name| ends || name.len() > LONGEST_NAME) {
            match ends {
                true => shown.push_str(&self.style.bold(&name)),
                false => shown.push_str(&name),
            }
        }
    }

    fn between(&mut self, character: char, shown: &mut String) {
        if character.is_whitespace() {
            return;
        }
        if self.is_empty && !matches!(character, '}' | ']') {
            self.line(shown);
        }
        let was_empty = std::mem::take(&mut self.is_empty);
        match character {
            '{' | '[' => {
                // How deep a hostile server goes must not decide what is held.
                if self.open.len() < MOST_OPEN {
                    self.open.push(character);
                }
                self.is_empty = true;
                self.is_name = character == '{';
                shown.push(character);
            }
            '}' | ']' => {
                self.open.pop();
                self.is_name = false;
                if !was_empty {
                    self.line(shown);
                }
                shown.push(character);
                if self.open.is_empty() {
                    shown.push('\n');
                }
            }
            ',' => {
                shown.push(',');
                self.is_name = self.open.last() == Some(&'{');
                self.line(shown);
            }
            ':' => {
                self.is_name = false;
                shown.push_str(": ");
            }
            '"' => {
                self.is_in_string = true;
                if self.is_name {
                    self.name = Some("\"".to_owned());
                } else {
                    shown.push('"');
                }
            }
            character => shown.push_str(&harmless(&character.to_string())),
        }
    }

    fn line(&self, shown: &mut String) {
        /// How deep is worth being seen? What a hostile server nests would fill the screen with blanks.
        const DEEPEST: usize = 64;
        shown.push('\n');
        shown.extend(std::iter::repeat_n("  ", self.open.len().min(DEEPEST)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, is_json};
    use crate::style::Style;

    fn shown(content_type: &str, parts: &[&[u8]], style: Style) -> String {
        let mut shown = Shown::new(content_type, parts[0], style).expect("it is text");
        let mut text: String = parts.iter().map(|part| shown.part(part)).collect();
        text.push_str(&shown.end());
        text
    }

    #[test]
    fn json_is_indented_in_its_own_order_and_with_its_own_numbers() {
        let json = r#"{"b": 1.50, "a":[ ],"c":{"d":[1,{"e":{}}], "f,:\"{":"x\\"}, "n":12345678901234567890}"#;
        let expected = "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": {\n    \"d\": [\n      1,\n      {\n        \"e\": {}\n      }\n    ],\n    \"f,:\\\"{\": \"x\\\\\"\n  },\n  \"n\": 12345678901234567890\n}\n";
        let plain = Style::default();
        assert_eq!(
            shown("application/json", &[json.as_bytes()], plain),
            expected
        );
        // In whatever parts it comes.
        let bytes: Vec<&[u8]> = json.as_bytes().chunks(1).collect();
        assert_eq!(
            shown("application/odata+json; x=y", &bytes, plain),
            expected
        );
        let colored = Style { is_colored: true };
        assert_eq!(
            shown("application/json", &[br#"[{"a":"b"}]"#], colored),
            "[\n  {\n    \u{1b}[1m\"a\"\u{1b}[0m: \"b\"\n  }\n]\n"
        );
    }

    #[test]
    fn nothing_that_a_server_says_moves_the_cursor_or_hides_text() {
        let plain = Style::default();
        for (content_type, given, expected) in [
            ("text/plain", "a\u{1b}[2Jb\r\nc\td", "a\\u{1b}[2Jb\nc\td\n"),
            ("text/plain", "safe\rEVIL", "safe\\u{d}EVIL\n"),
            ("text/plain", "a\u{202e}b\u{9b}c", "a\\u{202e}b\\u{9b}c\n"),
            (
                "application/json",
                "[\"a\u{1b}]0;x\u{7}\"]",
                "[\n  \"a\\u001b]0;x\\u0007\"\n]\n",
            ),
            (
                "application/json",
                "{\"\u{202e}k\u{e0041}\":1}",
                "{\n  \"\\u202ek\\udb40\\udc41\": 1\n}\n",
            ),
            (
                "application/json",
                "[1]\u{1b}[31m",
                "[\n  1\n]\n\\u{1b}[\n  31m\n",
            ),
            ("application/json", "no json\u{7}", "no json\\u{7}\n"),
            ("application/json", "{\"unfinished", "{\n  \"unfinished\n"),
            ("application/json", "{}", "{}\n"),
            ("text/plain", "", ""),
            ("text/plain", "ends\n", "ends\n"),
        ] {
            let text = shown(content_type, &[given.as_bytes()], plain);
            assert_eq!(text, expected, "{given:?}");
        }
    }

    #[test]
    fn a_character_that_comes_in_two_parts_is_one_and_what_is_none_is_replaced() {
        let plain = Style::default();
        let euro = "€".as_bytes();
        assert_eq!(
            shown("text/plain", &[b"a", &euro[..2], &euro[2..]], plain),
            "a€\n"
        );
        assert_eq!(
            shown("text/plain", &[b"a", &[0xff, b'b']], plain),
            "a\u{fffd}b\n"
        );
        assert_eq!(
            shown("text/plain", &[b"a", &euro[..1]], plain),
            "a\u{fffd}\n"
        );
        for binary in [&b"\x89PNG\r\n\x1a\n\0"[..], b"a\0b", b"\xff\xfe"] {
            assert!(Shown::new("text/plain", binary, plain).is_none());
        }
        assert!(Shown::new("text/plain", &euro[..2], plain).is_some());
    }

    #[test]
    fn json_is_known_by_its_type() {
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/html", false),
            ("application/json5", false),
            ("", false),
        ] {
            assert_eq!(is_json(content_type), expected, "{content_type}");
        }
    }
}
