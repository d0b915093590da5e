//! What is shown of a configuration: the difference, and in it nothing that may be secret.

use std::path::Path;

use similar::TextDiff;

use crate::text::is_unsafe;

/// What stands for what is not shown.
const HIDDEN: &str = "…";

/// The difference of two texts, line by line, of which `view` hides what may be secret. `None` is
/// no file.
pub(super) fn difference(
    view: fn(&str) -> String,
    path: &Path,
    before: Option<&str>,
    after: Option<&str>,
) -> String {
    let name = path.display().to_string();
    let name = |text: Option<&str>| match text {
        Some(_) => name.clone(),
        None => "/dev/null".to_owned(),
    };
    let names = (name(before), name(after));
    let [before, after] = [before, after].map(|text| harmless(&view(text.unwrap_or_default())));
    if before == after {
        // In one line with values that are hidden, or in the ends of lines.
        return format!(
            "--- {}\n+++ {}\n(a line that is not shown)\n",
            names.0, names.1
        );
    }
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .header(&names.0, &names.1)
        .to_string()
}

/// The text without what moves the cursor or hides text.
fn harmless(text: &str) -> String {
    let keep = |character: &char| matches!(character, '\n' | '\t') || !is_unsafe(*character);
    text.chars().filter(keep).collect()
}

/// Hides the values of lines that are not known to be harmless.
pub(super) fn hide_lines(text: &str, is_shown: impl Fn(&str) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let plain = line.trim();
        if plain.is_empty() || is_shown(plain) {
            shown.push_str(line);
            continue;
        }
        let indentation = &line[..line.len() - line.trim_start().len()];
        shown.push_str(indentation);
        if let Some(key) = key(plain) {
            shown.push_str(key);
        }
        shown.push_str(HIDDEN);
        if line.ends_with('\n') {
            shown.push('\n');
        }
    }
    shown
}

/// What a line begins with, if that is plainly a key and no value: `key: ` or `key = `.
fn key(line: &str) -> Option<&str> {
    let ends = [": ", " = "].map(|end| line.find(end).map(|start| start + end.len()));
    let end = ends.into_iter().flatten().min()?;
    let word = line[..end]
        .trim_start_matches("- ")
        .trim_end_matches([' ', ':', '=']);
    let is_plain = word
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "-_.\"".contains(character));
    (is_plain && word.len() <= 40).then_some(&line[..end])
}

/// Hides the texts of JSON that are values, but for those that `is_shown` names: the key of the
/// outermost object they stand under.
pub(super) fn hide_json(text: &str, is_shown: impl Fn(&str) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut depth, mut member) = (0_usize, String::new());
    let mut rest = text;
    while let Some(start) = rest.find(['"', '{', '}', '[', ']']) {
        shown.push_str(&rest[..start]);
        let found = &rest[start..];
        if !found.starts_with('"') {
            depth = match found.as_bytes()[0] {
                b'{' | b'[' => depth + 1,
                _ => depth.saturating_sub(1),
            };
            shown.push_str(&found[..1]);
            rest = &found[1..];
            continue;
        }
        let end = end_of_string(found);
        let (string, behind) = found.split_at(end);
        let is_key = behind.trim_start().starts_with(':');
        if is_key && depth == 1 {
            string.trim_matches('"').clone_into(&mut member);
        }
        if is_key || is_shown(&member) {
            shown.push_str(string);
        } else {
            shown.push_str(&format!("\"{HIDDEN}\""));
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// Where the string ends that the text begins with.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{hide_json, hide_lines};

    #[test]
    fn lines_show_their_keys_and_only_harmless_values() {
        let text = "users:\n- name: a\n  user:\n    token: abc\n    args:\n    - --key=abc\n\
                    abc==\nabc: d: e\nx = y\n\tx = y";
        let is_shown = |line: &str| line.contains("name") || line.ends_with(':');
        assert_eq!(
            hide_lines(text, is_shown),
            "users:\n- name: a\n  user:\n    token: …\n    args:\n    …\n…\nabc: …\nx = …\n\tx = …"
        );
    }

    #[test]
    fn json_shows_its_keys_and_only_harmless_values() {
        for (text, shown) in [
            (
                r#"{"auths":{"h":{"auth":"a\"bc"}},"credHelpers":{"h":"x"}}"#,
                r#"{"auths":{"h":{"auth":"…"}},"credHelpers":{"h":"x"}}"#,
            ),
            (
                r#"{"a": ["b", {"credHelpers": "c"}], "credHelpers": {"h": ["x"]}, "d": "e"}"#,
                r#"{"a": ["…", {"credHelpers": "…"}], "credHelpers": {"h": ["x"]}, "d": "…"}"#,
            ),
            (r#"{"a": "b"#, r#"{"a": "…""#),
        ] {
            assert_eq!(hide_json(text, |member| member == "credHelpers"), shown);
        }
    }
}
