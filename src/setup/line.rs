//! Whole lines of a text, written and taken out; every other byte stays.

use super::{Document, Machine, Setting};
use crate::error::Error;

/// The text with one more line. A text whose last line has no end stays so.
pub(super) fn add(text: &str, line: &str) -> String {
    let end = end(text);
    if text.is_empty() || text.ends_with('\n') {
        format!("{text}{line}{end}")
    } else {
        format!("{text}{end}{line}")
    }
}

/// What ends a line of the text.
fn end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The text with another line in the place of the last that is this one, whatever blanks stand
/// around it. `None` if there is no such line.
pub(super) fn replace(text: &str, line: &str, other: &str) -> Option<String> {
    let (before, found, after) = find(text, line)?;
    Some(format!("{before}{}{after}", found.replacen(line, other, 1)))
}

/// The text without the last line that is this one.
pub(super) fn take_out(text: &str, line: &str) -> Option<String> {
    let (before, found, after) = find(text, line)?;
    if found.ends_with('\n') {
        return Some(format!("{before}{after}"));
    }
    // The end of the line before it came with it.
    let before = before.strip_suffix('\n').unwrap_or(before);
    Some(before.strip_suffix('\r').unwrap_or(before).to_owned())
}

/// What stands before a line, it with its end, and what follows.
fn find<'t>(text: &'t str, line: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let mut start = text.len();
    for found in text.split_inclusive('\n').rev() {
        let after = start;
        start -= found.len();
        if found.trim() == line {
            return Some((&text[..start], found, &text[after..]));
        }
    }
    None
}

/// The text without these settings, each of which is a line, and with the lines that they replaced.
pub(super) fn remove(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    settings: &[Setting],
) -> Result<String, Error> {
    let mut text = document.text.to_owned();
    for setting in settings {
        let without = match &setting.replaced {
            Some(replaced) => replace(&text, &setting.value, replaced),
            None => take_out(&text, &setting.value),
        };
        text = without.unwrap_or(text);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{add, replace, take_out};

    #[test]
    fn a_line_is_added_with_the_ends_of_its_neighbours_and_taken_out_without_a_trace() {
        for (text, with) in [
            ("", "x\n"),
            ("a\n", "a\nx\n"),
            ("a", "a\nx"),
            ("a\r\nb\r\n", "a\r\nb\r\nx\r\n"),
            ("a\r\nb", "a\r\nb\r\nx"),
        ] {
            assert_eq!(add(text, "x"), with);
            assert_eq!(take_out(with, "x").as_deref(), Some(text));
        }
        assert_eq!(
            take_out("a\n x\t\nb\nx y\n", "x").as_deref(),
            Some("a\nb\nx y\n")
        );
        assert_eq!(take_out("x y\n", "x"), None);
    }

    #[test]
    fn a_line_is_replaced_in_its_place() {
        for (text, with) in [
            ("a\n  x\r\nb", Some("a\n  y\r\nb")),
            ("x\nx", Some("x\ny")),
            ("xx\n", None),
        ] {
            assert_eq!(replace(text, "x", "y").as_deref(), with);
        }
    }
}
