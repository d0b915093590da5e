//! AWS: a `credential_process` for each profile with a role, in the section of the same name.
//!
//! The file is read as botocore's parser does: what is indented deeper than the first option of a
//! section belongs to the line above it. So a line is added at the end of a section, where none can
//! follow it.

use std::ops::Range;
use std::path::PathBuf;

use super::file::ConfigurationFile;
use super::machine::Machine;
use super::{
    Answering, Document, Entry, InFront, Plan, Setting, Wired, Wiring, Wish, needs_no_link, ours,
    view,
};
use crate::error::Error;
use crate::text::shell_word;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    protocol: NAME,
    aliases: &[],
    // It is Python, and takes seconds to say so on a busy machine.
    version: &[],
    file,
    add,
    remove,
    view: |text| view::hide_lines(text, is_shown),
    link: needs_no_link,
    look,
};

const NAME: &str = "aws";

/// The key that names a helper.
const PROCESS: &str = "credential_process";

/// Keys by which a profile has other credentials, which AWS' libraries take first.
const FIRST: [&str; 6] = [
    "aws_access_key_id",
    "role_arn",
    "web_identity_token_file",
    "sso_session",
    "sso_account_id",
    "login_session",
];

fn file(machine: &Machine<'_>) -> PathBuf {
    let named = machine.variable("AWS_CONFIG_FILE");
    named.map_or_else(|| machine.home.join(".aws").join("config"), PathBuf::from)
}

/// What the file of static keys says; nothing if it cannot be read.
fn credentials(machine: &Machine<'_>) -> String {
    let named = machine.variable("AWS_SHARED_CREDENTIALS_FILE");
    let path = named.map_or_else(
        || machine.home.join(".aws").join("credentials"),
        PathBuf::from,
    );
    let read = ConfigurationFile::find(NAME, &path).and_then(|file| file.read());
    read.ok().flatten().unwrap_or_default()
}

/// An option of a section.
struct Setup<'t> {
    key: String,
    value: &'t str,
    /// The whole line, with its end.
    line: Range<usize>,
}

/// A section of the file.
struct Section<'t> {
    /// The words between the brackets.
    words: Vec<String>,
    /// Where its header begins.
    start: usize,
    /// Where its last option ends, or its header, if there is none.
    end: usize,
    options: Vec<Setup<'t>>,
}

impl<'t> Section<'t> {
    fn find(&self, key: &str) -> Option<&Setup<'t>> {
        // The last one counts.
        self.options.iter().rfind(|option| option.key == key)
    }

    /// Whether it is that of a profile, in the file of configuration or in that of static keys.
    fn is_of(&self, profile: &str, is_of_keys: bool) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["profile", name] => !is_of_keys && *name == profile,
            [name] => (is_of_keys || *name == "default") && *name == profile,
            _ => false,
        }
    }

    /// The profile, in the file of configuration.
    fn profile(&self) -> Option<&str> {
        let name = self.words.last()?;
        self.is_of(name, false).then_some(name.as_str())
    }
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let (mut start, mut indentation) = (0, None);
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        let own = line.len() - line.trim_start().len();
        let is_continued = indentation.is_some_and(|first| own > first);
        if let (false, Some(name)) = (is_continued, plain.strip_prefix('[')) {
            let name = name.split(']').next().unwrap_or(name);
            sections.push(Section {
                words: ours::words(name),
                start: range.start,
                end: range.end,
                options: Vec::new(),
            });
            indentation = None;
            continue;
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        section.end = range.end;
        if is_continued {
            continue;
        }
        indentation = Some(own);
        if let Some((key, value)) = plain.split_once(['=', ':']) {
            section.options.push(Setup {
                key: key.trim().to_lowercase(),
                value: value.trim(),
                line: range,
            });
        }
    }
    sections
}

fn section<'t>(text: &'t str, profile: &str) -> Option<Section<'t>> {
    let mut sections = sections(text).into_iter();
    sections.find(|section| section.is_of(profile, false))
}

/// The header of a profile's section.
fn header(profile: &str) -> String {
    match profile {
        "default" => "[default]".to_owned(),
        _ => format!("[profile {profile}]"),
    }
}

/// A program as a word of the command, which no shell reads.
fn word(program: &str) -> String {
    // On Windows a backslash is no sign, and quotes are of one kind.
    if std::env::consts::EXE_SUFFIX.is_empty() {
        shell_word(program)
    } else if program.contains(' ') {
        format!("\"{program}\"")
    } else {
        program.to_owned()
    }
}

fn add(
    machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    let mut text = document.text.to_owned();
    let keys = credentials(machine);
    let regions = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let has_region = regions.iter().any(|name| machine.variable(name).is_some());
    for profile in &wish.profiles {
        let name = &profile.name;
        let own = section(&text, name);
        if !has_region && own.is_none_or(|section| section.find("region").is_none()) {
            plan.notes.push(format!(
                "the profile {name} has no `region` to work in: run `aws configure set region REGION \
                 --profile {name}`"
            ));
        }
        for other in first(document.text, &keys, name) {
            plan.notes.push(format!(
                "the profile {name} has a `{other}`, which AWS' tools use instead: take it out"
            ));
        }
        let command = format!("{} {NAME} -p {name}", word(&machine.command));
        let line = format!("{PROCESS} = {command}");
        let (changed, replaced, is_new) = match section(&text, name) {
            Some(section) => match section.find(PROCESS) {
                Some(there) if there.value == command => continue,
                Some(there) => {
                    let own = text[there.line.clone()].trim();
                    let changed = text[there.line.clone()].replacen(own, &line, 1);
                    (
                        format!(
                            "{}{changed}{}",
                            &text[..there.line.start],
                            &text[there.line.end..]
                        ),
                        Some(own.to_owned()),
                        false,
                    )
                }
                None => (insert(&text, section.end, &line), None, false),
            },
            None => (append(&text, &header(name), &line), None, true),
        };
        let earlier = plan.settings.iter().find(|setting| setting.key == *name);
        let is_new = is_new || earlier.is_some_and(|earlier| earlier.value.starts_with('['));
        plan.note(Setting {
            profile: name.clone(),
            url: wish
                .url
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            key: name.clone(),
            // A section of ours goes with its line.
            value: if is_new {
                format!("{}\n{line}", header(name))
            } else {
                line
            },
            replaced,
        });
        text = changed;
    }
    if machine.variable("AWS_ACCESS_KEY_ID").is_some() {
        plan.notes.push(
            "the variable AWS_ACCESS_KEY_ID is set, and wins unless --profile is given".to_owned(),
        );
    }
    Ok(text)
}

/// What ends a line of the text.
fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The text with a line more. A text whose last line has no end stays so.
fn insert(text: &str, at: usize, line: &str) -> String {
    let (before, after) = text.split_at(at);
    let end = line_end(text);
    if before.ends_with('\n') {
        format!("{before}{line}{end}{after}")
    } else {
        format!("{before}{end}{line}{after}")
    }
}

/// The text with a section more, behind an empty line.
fn append(text: &str, header: &str, line: &str) -> String {
    let end = line_end(text);
    if text.is_empty() {
        format!("{header}{end}{line}{end}")
    } else if text.ends_with('\n') {
        format!("{text}{end}{header}{end}{line}{end}")
    } else {
        format!("{text}{end}{end}{header}{end}{line}")
    }
}

/// The text without this part of it, which is lines: the end of the line before comes with the last.
fn without(text: &str, part: Range<usize>) -> String {
    let (before, after) = (&text[..part.start], &text[part.end..]);
    if text[part].ends_with('\n') {
        return format!("{before}{after}");
    }
    format!("{}{after}", less_end(before))
}

/// A text without the end of its last line.
fn less_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn remove(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    settings: &[Setting],
) -> Result<String, Error> {
    let mut text = document.text.to_owned();
    for setting in settings {
        let (is_new, line) = match setting.value.split_once('\n') {
            Some((_, line)) => (true, line),
            None => (false, setting.value.as_str()),
        };
        let Some(section) = section(&text, &setting.key) else {
            continue;
        };
        let is_ours = |option: &&Setup<'_>| text[option.line.clone()].trim() == line;
        let Some(own) = section.find(PROCESS).filter(is_ours) else {
            continue;
        };
        text = match &setting.replaced {
            Some(replaced) => {
                let restored = text[own.line.clone()].replacen(line, replaced, 1);
                format!(
                    "{}{restored}{}",
                    &text[..own.line.start],
                    &text[own.line.end..]
                )
            }
            None if is_new && section.options.len() == 1 => {
                // The empty line before it came with it.
                let before = less_end(&text[..section.start]);
                let start = if before.ends_with('\n') {
                    before.len()
                } else {
                    section.start
                };
                without(&text, start..section.end)
            }
            None => without(&text, own.line.clone()),
        };
    }
    Ok(text)
}

/// The keys by which a profile has other credentials, which come first.
fn first(text: &str, keys: &str, profile: &str) -> Vec<&'static str> {
    let of_both = [(text, false), (keys, true)];
    let found: Vec<Section<'_>> = of_both
        .into_iter()
        .flat_map(|(text, is_of_keys)| {
            let sections = sections(text).into_iter();
            sections.filter(move |section| section.is_of(profile, is_of_keys))
        })
        .collect();
    let is_there = |key: &&str| found.iter().any(|section| section.find(key).is_some());
    FIRST.into_iter().filter(is_there).collect()
}

/// Whether a line of the file holds nothing secret.
fn is_shown(line: &str) -> bool {
    if line.starts_with('[') {
        return true;
    }
    let Some((key, value)) = line.split_once('=') else {
        return line.starts_with(['#', ';']) && !line.contains(':');
    };
    match key.trim() {
        "region" | "output" => true,
        PROCESS => our_profile(value.trim()).is_some(),
        _ => false,
    }
}

fn look(
    machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let mut wiring = Wiring::default();
    let keys = credentials(machine);
    for section in sections(document.text) {
        let Some((name, process)) = section.profile().zip(section.find(PROCESS)) else {
            continue;
        };
        let target = format!("profile {name}");
        let in_front = match our_profile(process.value) {
            Some(profile) => {
                wiring.wired.push(Wired {
                    target: target.clone(),
                    profile,
                    program: ours::words(process.value).into_iter().next(),
                });
                first(document.text, &keys, name).first().copied()
            }
            None => {
                let is_ours = profiles.iter().any(|profile| profile.name == name);
                process.value.split_whitespace().next().filter(|_| is_ours)
            }
        };
        if let Some(helper) = in_front {
            wiring.in_front.push(InFront {
                target,
                helper: helper.to_owned(),
            });
        }
    }
    Ok(wiring)
}

/// The profile that a command names, if the command is ours.
fn our_profile(command: &str) -> Option<Option<String>> {
    let words = ours::words(command);
    let (program, arguments) = words.split_first()?;
    let (verb, arguments) = arguments.split_first()?;
    let arguments = arguments.iter().map(String::as_str);
    ours::profile(program, "", arguments).filter(|_| verb == NAME)
}

#[cfg(test)]
mod tests {
    use super::{PROCESS, append, first, header, insert, section, sections, word};

    #[test]
    fn sections_are_read_as_botocore_reads_them() {
        let text = "x = outside\n[default] # it\n  region = a\n  s3 =\n    credential_process = no\n\
                    ; [profile no]\n[profile \"two words\"]\n[profile work]\nCredential_Process: a=b\n\
                    credential_process=c d\n [profile no]\n\n[sso-session work]\n[work]\n";
        let found: Vec<(Option<String>, usize, Option<String>)> = sections(text)
            .iter()
            .map(|section| {
                let process = section.find(PROCESS);
                (
                    section.profile().map(String::from),
                    section.options.len(),
                    process.map(|process| process.value.to_owned()),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (Some("default".to_owned()), 2, None),
                (Some("two words".to_owned()), 0, None),
                (Some("work".to_owned()), 2, Some("c d".to_owned())),
                (None, 0, None),
                (None, 0, None),
            ]
        );
        assert_eq!(header("default"), "[default]");
    }

    #[test]
    fn a_line_is_added_where_nothing_that_follows_belongs_to_it() {
        let line = "p = x";
        for (text, with) in [
            (
                "[profile a]\n  b = c\n\n# d\n[e]\n",
                "[profile a]\n  b = c\np = x\n\n# d\n[e]\n",
            ),
            ("[profile a]", "[profile a]\np = x"),
            (
                "[profile a]\r\nb=\r\n  c\r\n",
                "[profile a]\r\nb=\r\n  c\r\np = x\r\n",
            ),
        ] {
            let section = section(text, "a").expect("it is there");
            assert_eq!(insert(text, section.end, line), with);
        }
        for (text, with) in [
            ("", "[a]\np = x\n"),
            ("b\n", "b\n\n[a]\np = x\n"),
            ("b", "b\n\n[a]\np = x"),
        ] {
            assert_eq!(append(text, "[a]", line), with);
        }
    }

    #[test]
    fn what_comes_before_a_process_is_found_in_both_files() {
        let text = "[profile work]\nrole_arn = x\n[profile other]\nsso_session = y\n";
        let keys = "[work]\naws_access_key_id = z\n[profile other]\naws_access_key_id = z\n";
        assert_eq!(first(text, keys, "work"), ["aws_access_key_id", "role_arn"]);
        assert_eq!(first(text, keys, "other"), ["sso_session"]);
        assert!(first(text, keys, "default").is_empty());
    }

    #[test]
    fn a_program_with_a_blank_is_one_word() {
        assert_eq!(word("cred-helper"), "cred-helper");
        let quoted = word("/a b/cred-helper");
        assert!(["'/a b/cred-helper'", "\"/a b/cred-helper\""].contains(&quoted.as_str()));
    }
}
