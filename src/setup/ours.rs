//! Whether a helper that a tool's configuration names is ours, and for which profile.

/// The profile of a helper that is ours: the one in a link's name, else the one in its arguments.
/// `prefix` is what a link's name begins with. `None` for a helper of somebody else.
pub(super) fn profile<'w>(
    program: &str,
    prefix: &str,
    arguments: impl IntoIterator<Item = &'w str>,
) -> Option<Option<String>> {
    let name = name(program);
    let rest = name.strip_prefix(prefix).unwrap_or(name);
    let rest = rest.strip_prefix("cred-helper")?;
    match rest.strip_prefix('-') {
        Some(profile) => Some(Some(profile.to_owned())),
        None => rest.is_empty().then(|| argument(arguments)),
    }
}

/// A program's name without its folder.
pub(super) fn name(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// The profile in a helper's arguments.
fn argument<'w>(arguments: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let mut arguments = arguments.into_iter();
    while let Some(word) = arguments.next() {
        match word.strip_prefix("--profile=") {
            Some(profile) => return Some(profile.to_owned()),
            None if ["-p", "--profile"].contains(&word) => {
                return arguments.next().map(str::to_owned);
            }
            None => {}
        }
    }
    None
}

/// The words of a POSIX shell's line, as far as nothing is substituted in them.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut is_open, mut quote) = (false, None);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let literal = match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                None
            }
            (Some(open), _) if open == character => {
                quote = None;
                None
            }
            (None | Some('"'), '\\') => characters.next(),
            (None, ' ' | '\t') => {
                is_open = false;
                continue;
            }
            _ => Some(character),
        };
        if !is_open {
            words.push(String::new());
            is_open = true;
        }
        if let Some(word) = words.last_mut() {
            word.extend(literal);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_line_is_read_as_a_shell_reads_it() {
        for (line, expected) in [
            ("a  b\tc ", &["a", "b", "c"][..]),
            (r"'a b'\''c' d", &["a b'c", "d"]),
            (r#""a \"b" c\ d '' e"#, &["a \"b", "c d", "", "e"]),
            ("'open", &["open"]),
            ("", &[]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
        for text in ["a b", "it's", "", "a\\b"] {
            assert_eq!(words(&crate::text::shell_word(text)), [text]);
        }
    }
}
