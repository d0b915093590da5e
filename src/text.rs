//! Text on its way to a person: made harmless, and compared with what they may have meant.

/// Makes text from a server, a tool or a file harmless to show: control characters and those that
/// reorder or hide text are dropped, white space becomes a space, and the length is bounded.
pub fn printable(text: &str) -> String {
    /// How much of one foreign text is worth showing?
    const LONGEST: usize = 2000;
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for character in text.trim().chars().take(LONGEST) {
        if character.is_whitespace() {
            if !shown.ends_with(' ') {
                shown.push(' ');
            }
        } else if !is_unsafe(character) {
            shown.push(character);
        }
    }
    shown
}

/// Makes a URL harmless to show: as [`printable`], and without user name and password.
pub fn printable_url(url: &str) -> String {
    let url = printable(url);
    let Some((scheme, rest)) = url.split_once("://") else {
        return url;
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(end) => format!("{scheme}://…{}", &rest[end..]),
        None => url,
    }
}

/// Whether a character can move the cursor, colour the screen, or reorder or hide what is near it.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A text as one word of a POSIX shell's line.
pub fn shell_word(text: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "/._-+@%,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The candidate that `word` was probably meant to be, if one is near enough to propose.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).max(1);
    candidates
        .into_iter()
        // Most are told apart by their length.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The edit distance without regard to case, where two letters in the wrong order are one mistake
/// (Damerau and Levenshtein's optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (left, right) = (letters(left), letters(right));
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.iter().enumerate() {
        let mut row = vec![line + 1];
        for (column, to) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(from != to);
            let mut least = replaced.min(last[column + 1] + 1).min(row[column] + 1);
            let is_swap = line > 0
                && column > 0
                && (*from, left[line - 1]) == (right[column - 1], *to)
                && from != to;
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            row.push(least);
        }
        before = last;
        last = row;
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{nearest, printable, printable_url};

    #[test]
    fn what_a_person_sees_holds_nothing_that_moves_the_cursor_or_hides_text() {
        for (given, shown) in [
            ("plain text", "plain text"),
            ("two\r\nlines\tand tabs", "two lines and tabs"),
            ("\u{1b}[2Jcleared\u{7}", "[2Jcleared"),
            ("\u{9b}31mred", "31mred"),
            ("left\u{202e}thgir", "leftthgir"),
            ("soft\u{ad}\u{200b}hidden", "softhidden"),
            ("  Grüße, 世界 ", "Grüße, 世界"),
        ] {
            assert_eq!(printable(given), shown);
        }
        assert_eq!(printable(&"x".repeat(1 << 20)).len(), 2000);
    }

    #[test]
    fn a_url_is_shown_without_user_name_and_password() {
        for (given, shown) in [
            ("https://host/path@x?a@b", "https://host/path@x?a@b"),
            ("https://name:word@host/path", "https://…@host/path"),
            ("https://token@host", "https://…@host"),
            ("https://a@b@host?q", "https://…@host?q"),
            ("https://name:\u{1b}word@host", "https://…@host"),
            ("name@host", "name@host"),
        ] {
            assert_eq!(printable_url(given), shown);
        }
    }

    #[test]
    fn a_near_word_is_proposed_and_a_far_one_is_not() {
        let keys = ["client_id", "authority", "scopes"];
        assert_eq!(nearest("clientid", keys), Some("client_id"));
        assert_eq!(nearest("scope", keys), Some("scopes"));
        assert_eq!(nearest("Authorty", keys), Some("authority"));
        assert_eq!(nearest("tenant", keys), None);
        assert_eq!(nearest("gti", ["get", "git"]), Some("git"));
        assert_eq!(nearest("kubctel", ["kubectl"]), Some("kubectl"));
        assert_eq!(nearest("tgi", ["git"]), None);
    }
}
