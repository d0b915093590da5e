//! Names of people in text, told apart and not told: `account-1` is the same one everywhere in a bundle.

use std::path::PathBuf;

use serde_json::Value;

/// Replaces names.
pub(super) struct Scrubber {
    /// Those that were seen, in lower case.
    names: Vec<String>,
    home: Option<String>,
}

impl Scrubber {
    /// One that knows nobody, and whose home it is, whose path says a name.
    pub(super) fn new(home: Option<PathBuf>) -> Self {
        let home = home.map(|home| home.display().to_string());
        Self {
            names: Vec::new(),
            home: home.filter(|home| home.len() > 1),
        }
    }

    /// Takes in a name; its stand-in.
    pub(super) fn name(&mut self, name: &str) -> String {
        let name = name.to_lowercase();
        let known = self.names.iter().position(|known| *known == name);
        let number = known.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        format!("account-{}", number + 1)
    }

    /// Replaces the names in every text of a value.
    pub(super) fn scrub(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => members.values_mut().for_each(|value| self.scrub(value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::String(text) => *text = self.scrubbed(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn scrubbed(&mut self, text: &str) -> String {
        let text = match &self.home {
            Some(home) => replace(text, home, "~"),
            None => text.to_owned(),
        };
        let text = self.without_addresses(&text);
        let mut names: Vec<(usize, &String)> = self.names.iter().enumerate().collect();
        // Of two, one may begin as the other does.
        names.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
        let replaced = |text: String, (number, name): (usize, &String)| {
            replace(&text, name, &format!("account-{}", number + 1))
        };
        names.into_iter().fold(text, replaced)
    }

    /// The text without whatever looks like `somebody@somewhere`: a server's error may name anybody.
    fn without_addresses(&mut self, text: &str) -> String {
        let is_part = |one: char| one.is_alphanumeric() || "._%+-".contains(one);
        let mut shown = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('@') {
            let start = before.rfind(|one| !is_part(one));
            let start = start.map_or(0, |at| {
                at + before[at..].chars().next().map_or(1, char::len_utf8)
            });
            let end = after.find(|one| !is_part(one)).unwrap_or(after.len());
            // The end of a sentence is none of an address.
            let end = after[..end].trim_end_matches(['.', '-']).len();
            if start == before.len() || end == 0 {
                shown.push_str(before);
                shown.push('@');
                rest = after;
                continue;
            }
            shown.push_str(&before[..start]);
            let stand_in = self.name(&format!("{}@{}", &before[start..], &after[..end]));
            shown.push_str(&stand_in);
            rest = &after[end..];
        }
        shown + rest
    }
}

/// Replaces a word, or several, without regard to case, where it is no part of another one.
fn replace(text: &str, word: &str, by: &str) -> String {
    let is_same = |one: char, other: char| one.to_lowercase().eq(other.to_lowercase());
    let matched = |rest: &str| {
        let mut characters = rest.chars();
        let mut length = 0;
        for expected in word.chars() {
            let found = characters
                .next()
                .filter(|found| is_same(*found, expected))?;
            length += found.len_utf8();
        }
        let is_whole = !characters.next().is_some_and(char::is_alphanumeric);
        is_whole.then_some(length).filter(|length| *length > 0)
    };
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_begin = !shown.ends_with(char::is_alphanumeric);
        match matched(rest).filter(|_| is_begin) {
            Some(length) => {
                shown.push_str(by);
                rest = &rest[length..];
            }
            None => {
                shown.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Scrubber;

    #[test]
    fn nobody_is_named_and_each_is_told_from_the_others() {
        let mut scrubber = Scrubber::new(Some("/home/ada".into()));
        scrubber.name("Ada Lovelace");
        scrubber.name("7");
        let mut value = json!({
            "first": "Ada Lovelace is signed in, ada lovelace, not Ada Lovelaces",
            "second": ["`/home/ada/.config` of 7, not 17 or 7th", "/home/adalbert"],
            "third": "AADSTS1: Grace@Example.com, grace@example.com. (bob@x.test)",
            "urls": "http://…@proxy:3128, https://me:word@host/x, a @ b, @x",
            "number": 7,
        });
        scrubber.scrub(&mut value);
        assert_eq!(
            value,
            json!({
                "first": "account-1 is signed in, account-1, not Ada Lovelaces",
                "second": ["`~/.config` of account-2, not 17 or 7th", "/home/adalbert"],
                "third": "AADSTS1: account-3, account-3. (account-4)",
                "urls": "http://…@proxy:3128, https://me:account-5/x, a @ b, @x",
                "number": 7,
            })
        );
    }
}
