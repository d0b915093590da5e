//! How text looks on a terminal: its colours and its weight (ECMA-48 SGR), its width and its lines.
//!
//! Only what is ours is styled, or what was made harmless before: nothing foreign
//! begins or ends a style. A style tells nothing that the words do not tell too.

use unicode_width::UnicodeWidthStr;

/// Whether text is styled at all. The default leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether the sequences are written.
    pub is_colored: bool,
}

impl Style {
    /// What is to be seen first.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What is there for completeness.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What is as it should be.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What ends soon, or wants a look.
    pub fn doubtful(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What failed, or is gone.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// The label of an error.
    pub fn error_label(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// The label of a cause.
    pub fn cause_label(self, text: &str) -> String {
        self.with("1;33", text)
    }

    /// The label of a hint.
    pub fn hint_label(self, text: &str) -> String {
        self.with("1;36", text)
    }

    fn with(self, parameters: &str, text: &str) -> String {
        match self.is_colored {
            true => format!("\u{1b}[{parameters}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// How many columns of a terminal a text takes that was made harmless.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text in lines of so many columns at most, broken between words, and within those that are longer.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut last = 0;
    for word in text.split_whitespace() {
        let gap = usize::from(last > 0);
        if last > 0 && last + gap + width(word) > columns {
            lines.push(String::new());
            last = 0;
        } else if last > 0 {
            push(&mut lines, " ");
            last += 1;
        }
        for character in word.chars() {
            let mut bytes = [0; 4];
            let character = character.encode_utf8(&mut bytes);
            if last > 0 && last + width(character) > columns {
                lines.push(String::new());
                last = 0;
            }
            push(&mut lines, character);
            last += width(character);
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::{width, wrap};

    #[test]
    fn text_is_broken_between_words_and_by_the_columns_that_it_takes() {
        for (text, lines) in [
            ("", &[""][..]),
            ("one two three", &["one two", "three"]),
            ("overlong-word and", &["overlong", "-word", "and"]),
            ("世界世界世界", &["世界世界", "世界"]),
            ("a 世界世界 b", &["a", "世界世界", "b"]),
        ] {
            assert_eq!(wrap(text, 8), lines, "{text}");
            assert!(lines.iter().all(|line| width(line) <= 8), "{text}");
        }
    }
}
