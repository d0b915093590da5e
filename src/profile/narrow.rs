//! What a call for one profile needs of large profile files.
//!
//! To parse a thousand profiles costs ten times what the rest of the call does. So the tables of
//! other profiles are left out first, line by line. This is exact wherever no string spans lines:
//! `[profiles.NAME` at the beginning of a line is a header then, since `profiles` is no value. What
//! is left out ends with the next line that begins with `[`: the next header, or in rare cases a
//! line within an array, whose end is then a mistake in what is left. Where what is left is wrong
//! or lacks the profile, the caller parses everything: places in it are not those of the file, so
//! nothing must be told of it.

use toml::de::DeTable;

use super::file::Source;

/// How much text is parsed whole?
const WHOLE: usize = 16 * 1024;

/// The files without the tables of profiles that the call does not need: it needs the profile
/// `name`, else the default one. `None` if everything has to be parsed.
pub fn narrow(sources: &[Source], name: Option<&str>) -> Option<Vec<Source>> {
    if !is_large(sources) || sources.iter().any(|source| may_span_lines(&source.text)) {
        return None;
    }
    let default = sources
        .iter()
        .rev()
        .filter(|source| source.profiles_count)
        .find_map(|source| default_profile(&source.text));
    // The default one must exist also where another is named.
    let wanted: Vec<&str> = name.into_iter().chain(default.as_deref()).collect();
    if wanted.is_empty() {
        return None;
    }
    let narrowed = sources.iter().map(|source| Source {
        path: source.path.clone(),
        text: without_others(&source.text, &wanted),
        machine_wide: source.machine_wide,
        profiles_count: source.profiles_count,
        private: source.private,
    });
    Some(narrowed.collect())
}

/// Whether the files are too large to be parsed for one call.
pub(super) fn is_large(sources: &[Source]) -> bool {
    sources
        .iter()
        .map(|source| source.text.len())
        .sum::<usize>()
        > WHOLE
}

/// Whether a string in the text may span lines: whether a quote stands there three times in a row.
fn may_span_lines(text: &str) -> bool {
    // Without an early end, which would keep the loop from being vectorized: a tenth of the time.
    let is_tripled = |quote: u8| {
        let threes = text.as_bytes().windows(3);
        threes.fold(false, |found, three| {
            found | ((three[0] == quote) & (three[1] == quote) & (three[2] == quote))
        })
    };
    is_tripled(b'"') || is_tripled(b'\'')
}

/// The `default_profile` before a text's first table.
fn default_profile(text: &str) -> Option<String> {
    let head = text.split_inclusive('\n').take_while(|line| !opens(line));
    let end = head.map(str::len).sum();
    let (table, _) = DeTable::parse_recoverable(&text[..end]);
    let name = table.get_ref().get("default_profile")?;
    name.get_ref().as_str().map(String::from)
}

fn without_others(text: &str, wanted: &[&str]) -> String {
    let mut left = String::new();
    let mut is_needed = true;
    for line in text.split_inclusive('\n') {
        if opens(line) {
            is_needed = header(line).is_none_or(|profile| wanted.contains(&profile));
        }
        if is_needed {
            left.push_str(line);
        }
    }
    left
}

/// Whether a line begins with `[`, as every header does.
pub(super) fn opens(line: &str) -> bool {
    line.trim_start_matches([' ', '\t']).starts_with('[')
}

/// NAME, if a line is `[profiles.NAME]`, `[profiles.NAME.TABLE]` or an array of such, in the
/// plainest form.
pub(super) fn header(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches([' ', '\t']).strip_prefix('[')?;
    let rest = rest.strip_prefix('[').unwrap_or(rest);
    let rest = rest.strip_prefix("profiles.")?;
    let is_bare = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let end = rest.find(|character| !is_bare(character))?;
    let (name, rest) = rest.split_at(end);
    (!name.is_empty() && rest.starts_with([']', '.'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::narrow;
    use crate::error::Error;
    use crate::profile::file::Source;
    use crate::profile::{Configuration, Profile};

    /// The file, beside one that makes both large.
    fn large(text: &str) -> [Source; 2] {
        let padding = "# nothing but its length\n".repeat(1000);
        [("profiles.toml", text), ("padding.toml", &padding)].map(|(path, text)| Source {
            path: PathBuf::from(path),
            text: text.to_owned(),
            machine_wide: false,
            profiles_count: true,
            private: true,
        })
    }

    fn resolve(sources: &[Source], name: Option<&str>) -> Result<String, Error> {
        let profile: Profile = Configuration::new(sources)?.resolve(name, None)?;
        Ok(format!("{} {}", profile.name, profile.to_toml()))
    }

    /// A text in which `<NAME>` stands for the keys of a profile.
    fn filled(text: &str) -> String {
        let keys = |name: &str| {
            format!("client_id = \"{name}\"\nauthority = \"https://{name}.example\"\nscopes = []\n")
        };
        ["a", "b", "c"].iter().fold(text.to_owned(), |text, name| {
            text.replace(&format!("<{name}>"), &keys(name))
        })
    }

    #[test]
    fn a_profile_is_the_same_whether_or_not_others_are_parsed() {
        const PARTS: &[&str] = &[
            "[profiles.a]\n<a>[profiles.b]\n<b>[profiles.c]\n<c>",
            "\u{feff}[profiles.a]\n<a>\t[profiles.b] # it\n<b>",
            "[profiles.b.extra]\nx = \"y\"\n[profiles.a]\n<a>[profiles.b]\n<b>",
            "[profiles.b]\n<b>[profiles.a]\n<a>[profiles.b.extra]\nx = \"y\"\n",
            "[profiles.a]\n<a>[profiles]\n[profiles.b]\n<b>",
            "[profiles.a.extra]\nx = \"[profiles.b]\"\n[profiles.a]\n<a>[profiles.b]\n<b>",
            "[profiles.a]\n<a># [profiles.c]\n[profiles.\"b\"]\n<b>",
            "[profiles.a]\n<a>[ profiles . b ]\n<b>",
            "[profiles.a]\n<a>['profiles'.\"\\u0062\"]\n<b>",
            "[profiles.\"a\"]\n<a>[profiles.b]\n<b>[profiles.'c']\n<c>",
            "profiles.b.client_id = \"b\"\nprofiles.b.authority = \"https://b.example\"\n\
             profiles.b.scopes = []\n[profiles.a]\n<a>",
            "[profiles]\na.scopes = []\nb.client_id = \"b\"\nb.scopes = []\nb.authority = \
             \"https://b.example\"\n[profiles.c]\n<c>",
            "[profiles]\na = { scopes = [] }\nb = { client_id = \"b\", scopes = [], authority = \
             \"https://b.example\" }\n[profiles.c]\n<c>",
            "default_profile = \"a\"\n[profiles.a]\n<a>[profiles.b]\n<b>",
            "[profiles.a]\n<a>[profiles.b]\n<b>urls = [\n\"https://[::1]/\",\n]\n[profiles.c]\n<c>",
            "[profiles.a]\r\nscopes = []\r\n[profiles.b]\n<b>",
            "[profiles.a]\n<a>[profiles.b]\n<b>[profiles.c]\nscopes = []",
            "[lock]\ntimeout = \"5s\"\n[profiles.a]\n<a>[store]\nseal = \"none\"\n[profiles.b]\n<b>",
        ];
        // What could be a header or a part of something else: everything is parsed.
        const WHOLE: &[&str] = &[
            "[profiles.a]\nnested = [\n  [\"x\"],\n]\n[profiles.b]\n<b>",
            "[profiles.a]\nnested = [\n  [\"x\"]\n]\n[profiles.b]\n<b>",
            "[profiles.a]\nx = \"\"\"\n[profiles.b]\n\"\"\"\n[profiles.b]\n<b>",
            "[profiles.a]\nx = \'\'\'\n[profiles.b]\n\'\'\'\n[profiles.b]\n<b>",
        ];
        for (text, is_narrowed) in PARTS
            .iter()
            .map(|text| (text, true))
            .chain(WHOLE.iter().map(|text| (text, false)))
        {
            let sources = large(&filled(text));
            let whole = resolve(&sources, Some("b")).expect(text);
            let narrowed = narrow(&sources, Some("b"));
            let narrowed = narrowed.and_then(|narrowed| resolve(&narrowed, Some("b")).ok());
            assert_eq!(narrowed.is_some(), is_narrowed, "{text}");
            assert_eq!(narrowed.unwrap_or(whole.clone()), whole, "{text}");
        }
    }

    #[test]
    fn the_tables_of_other_profiles_are_left_out_and_nothing_else_is() {
        let text = "default_profile = \"c\"\n[profiles.a]\nscopes = [\n\n  [profiles.b]\nx = 1\n\
                    [profiles.c]\n<c>[[profiles.a.x]]\ny = 1\n[policy]\n";
        let narrowed = narrow(&large(&filled(text)), Some("b")).expect("they are large");
        let left = "default_profile = \"c\"\n  [profiles.b]\nx = 1\n[profiles.c]\n<c>[policy]\n";
        assert_eq!(narrowed[0].text, filled(left));
    }

    #[test]
    fn without_a_name_it_is_the_default_profile_that_is_needed() {
        let text = filled("default_profile = \"b\"\n[profiles.a]\n<a>[profiles.b]\n<b>");
        let sources = large(&text);
        let narrowed = narrow(&sources, None).expect("they are large");
        assert!(!narrowed[0].text.contains("profiles.a"));
        assert_eq!(
            resolve(&narrowed, None).expect("it is there"),
            resolve(&sources, None).expect("it is there")
        );
        let nobody = large(&text.replace("default_profile", "# "));
        assert!(narrow(&nobody, None).is_none());
        assert!(narrow(&sources[..1], Some("b")).is_none(), "it is small");
    }
}
