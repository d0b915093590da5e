//! What is shown of a configuration: the difference, and in it nothing that may be secret.

use std::path::Path;

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
    let hunks = hunks(&edits(&before, &after));
    format!("--- {}\n+++ {}\n{hunks}", names.0, names.1)
}

/// A line of both texts (` `), of the first alone (`-`) or of the second alone (`+`).
type Edit<'t> = (char, &'t str);

/// How one text becomes the other, by their longest common subsequence of lines.
fn edits<'t>(before: &'t str, after: &'t str) -> Vec<Edit<'t>> {
    /// How large may the table be? What differs by more is shown as replaced.
    const LARGEST: usize = 4_000_000;
    let lines = |text: &'t str| text.split_inclusive('\n').collect::<Vec<&str>>();
    let (before, after) = (lines(before), lines(after));
    let same = |(one, other): &(&&str, &&str)| one == other;
    let start = before.iter().zip(&after).take_while(same).count();
    let (old, new) = (&before[start..], &after[start..]);
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(same)
        .count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let mut edits: Vec<Edit<'t>> = before[..start].iter().map(|line| (' ', *line)).collect();
    // How many lines are common from here to the ends.
    let width = new.len() + 1;
    let size = (old.len() + 1).saturating_mul(width);
    let mut common = vec![0_usize; if size > LARGEST { 0 } else { size }];
    if !common.is_empty() {
        for (one, line) in old.iter().enumerate().rev() {
            for (other, another) in new.iter().enumerate().rev() {
                common[one * width + other] = if line == another {
                    common[(one + 1) * width + other + 1] + 1
                } else {
                    let (skip_old, skip_new) = ((one + 1) * width + other, one * width + other + 1);
                    common[skip_old].max(common[skip_new])
                };
            }
        }
    }
    let (mut one, mut other) = (0, 0);
    while one < old.len() || other < new.len() {
        let at = |one: usize, other: usize| common.get(one * width + other).copied();
        let both = old.get(one).zip(new.get(other));
        if !common.is_empty() && both.is_some_and(|(line, another)| line == another) {
            edits.push((' ', old[one]));
            (one, other) = (one + 1, other + 1);
        } else if other == new.len()
            || (one < old.len() && at(one + 1, other) >= at(one, other + 1))
        {
            edits.push(('-', old[one]));
            one += 1;
        } else {
            edits.push(('+', new[other]));
            other += 1;
        }
    }
    edits.extend(before[before.len() - end..].iter().map(|line| (' ', *line)));
    edits
}

/// The edits in the unified format
/// (<https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html>).
fn hunks(edits: &[Edit<'_>]) -> String {
    /// How many lines that stay are shown around those that do not?
    const CONTEXT: usize = 3;
    let changed: Vec<usize> = (0..edits.len())
        .filter(|index| edits[*index].0 != ' ')
        .collect();
    let mut text = String::new();
    for group in changed.chunk_by(|one, next| next - one <= 2 * CONTEXT + 1) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let start = first.saturating_sub(CONTEXT);
        let end = (last + CONTEXT + 1).min(edits.len());
        let range = |sign: char| {
            let count = |edits: &[Edit<'_>]| {
                let counts = |(own, _): &&Edit<'_>| *own == ' ' || *own == sign;
                edits.iter().filter(counts).count()
            };
            let (before, length) = (count(&edits[..start]), count(&edits[start..end]));
            match length {
                0 => format!("{sign}{before},0"),
                1 => format!("{sign}{}", before + 1),
                _ => format!("{sign}{},{length}", before + 1),
            }
        };
        text.push_str(&format!("@@ {} {} @@\n", range('-'), range('+')));
        for (sign, line) in &edits[start..end] {
            text.push(*sign);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// The text without what moves the cursor or hides text.
pub(super) fn harmless(text: &str) -> String {
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
pub(super) fn end_of_string(text: &str) -> usize {
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
    use super::{edits, hide_json, hide_lines, hunks};

    #[test]
    fn a_difference_is_unified_as_diff_writes_it() {
        let ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
        for (before, after, expected) in [
            ("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"),
            ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
            (
                "a\nb\nc\n",
                "a\nx\nc\n",
                "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n",
            ),
            (
                "a",
                "a\nb",
                "@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n",
            ),
            (
                ten,
                "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n",
                "@@ -8,3 +8,4 @@\n 8\n 9\n 10\n+11\n",
            ),
            (
                ten,
                "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -7,4 +8,3 @@\n 7\n 8\n 9\n-10\n",
            ),
        ] {
            assert_eq!(hunks(&edits(before, after)), expected);
        }
    }

    #[test]
    fn both_texts_are_in_the_edits_also_where_they_are_large() {
        let line = |number: usize| format!("{}\n", number * 7919 % 13);
        let text = |range: std::ops::Range<usize>| range.map(line).collect::<String>();
        for (before, after) in [
            (text(0..40), text(5..50)),
            (text(0..0), text(0..9)),
            (text(3..4000), text(0..3900)),
        ] {
            let edits = edits(&before, &after);
            let side = |left_out: char| -> String {
                let kept = edits.iter().filter(|(sign, _)| *sign != left_out);
                kept.map(|(_, line)| *line).collect()
            };
            assert_eq!((side('+'), side('-')), (before, after));
        }
    }

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
