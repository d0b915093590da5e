//! The names and the URL patterns in profile files, for whoever completes a line at every key.
//!
//! Large files are read line by line, as [`super::narrow`] does: a proposal that is missing, or one too
//! many, is none that anybody acts on.

use super::file::Source;
use super::narrow::{self, header, opens};
use super::{Configuration, file};
use crate::error::Error;

/// What can be proposed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The profiles' names.
    pub names: Vec<String>,
    /// The URLs that they answer for, without those that stand for many hosts.
    pub urls: Vec<String>,
}

/// What the profile files at `location` name.
///
/// # Errors
/// `config`, if a file cannot be read.
pub fn read(location: &file::Location) -> Result<Outline, Error> {
    let sources = file::read(location)?;
    Ok(of(&sources))
}

fn of(sources: &[Source]) -> Outline {
    let counting: Vec<&Source> = sources.iter().filter(|one| one.profiles_count).collect();
    let mut outline = match narrow::is_large(sources) {
        true => counting.iter().fold(Outline::default(), |mut found, one| {
            scan(&one.text, &mut found);
            found
        }),
        false => parse(sources),
    };
    for list in [&mut outline.names, &mut outline.urls] {
        list.sort_unstable();
        list.dedup();
    }
    outline.urls.retain(|url| !url.contains('*'));
    outline
}

fn parse(sources: &[Source]) -> Outline {
    let (configuration, _) = Configuration::read(sources);
    let mut outline = Outline::default();
    for (name, _) in configuration.profiles() {
        outline.names.push(name.to_owned());
        let patterns = configuration.urls_of(name);
        outline
            .urls
            .extend(patterns.iter().map(|pattern| pattern.as_str().to_owned()));
    }
    outline
}

/// Finds names in headers, and what is quoted from a line that begins with `urls` to the end of the list.
fn scan(text: &str, outline: &mut Outline) {
    let mut is_in_urls = false;
    for line in text.lines() {
        if opens(line) {
            is_in_urls = false;
            outline.names.extend(header(line).map(String::from));
            continue;
        }
        let key = line.trim_start().strip_prefix("urls");
        is_in_urls |= key.is_some_and(|rest| rest.trim_start().starts_with('='));
        if is_in_urls {
            let quoted = line.split(['"', '\'']).skip(1).step_by(2);
            outline.urls.extend(quoted.map(String::from));
            is_in_urls = !line.trim_end().ends_with(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::of;
    use crate::profile::file::Source;

    fn sources(padding: usize) -> [Source; 1] {
        let text = "[profiles.b]\nclient_id = \"urls\"\nurls = [\"https://b.example/\", \
                    'https://*.b.example/']\n[profiles.a]\nurls = [\n  \"https://a.example/x\",\n]\n\
                    scopes = [\"no\"]\n[profiles.a.aws]\nregion = \"eu\"\n[store]\nseal = \"none\"\n";
        let padding = "# nothing but its length\n".repeat(padding);
        [Source {
            path: PathBuf::from("profiles.toml"),
            text: format!("{text}{padding}"),
            machine_wide: false,
            profiles_count: true,
            private: true,
        }]
    }

    #[test]
    fn small_and_large_files_are_told_alike() {
        for padding in [0, 1000] {
            let outline = of(&sources(padding));
            assert_eq!(outline.names, ["a", "b"], "{padding}");
            assert_eq!(
                outline.urls,
                ["https://a.example/x", "https://b.example/"],
                "{padding}"
            );
        }
    }

    #[test]
    fn what_is_no_profile_file_proposes_nothing() {
        let [mut source] = sources(0);
        source.text = "[profiles.a\n\u{0}".to_owned();
        assert!(of(&[source]).names.is_empty());
    }
}
