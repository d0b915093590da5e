//! What the setups of pip and uv share: both ask the program `keyring` on PATH for the passwords of
//! package indexes, if a line of their configuration says so.

use std::ops::Range;

use super::machine::Machine;
use super::{
    Answering, Document, InFront, Link, Plan, Setting, Wired, Wiring, Wish, line, meets_nothing,
};
use crate::error::Error;

/// The program, and the protocol by which it answers.
pub(super) const KEYRING: &str = "keyring";

/// The key, and what it must say.
const KEY: &str = "keyring-provider";
const PROVIDER: &str = "subprocess";

/// How a tool writes it.
pub(super) struct Form {
    /// The section that the line stands in; none for the file's beginning.
    pub(super) section: Option<&'static str>,
    /// The line.
    pub(super) line: &'static str,
    /// What a person should know besides.
    pub(super) note: &'static str,
}

impl Form {
    /// Where the line that counts stands, without the blanks around it, and what it says.
    fn find<'t>(&self, text: &'t str) -> Option<(Range<usize>, &'t str)> {
        let (mut start, mut section, mut found) =
            (text.len() - without_mark(text).len(), None, None);
        for whole in without_mark(text).split_inclusive('\n') {
            let line = whole.trim();
            if let Some(name) = header(line) {
                section = Some(name);
            } else if section == self.section
                && let Some((key, value)) = line.split_once(['=', ':'])
                && key.trim().replace('_', "-").to_ascii_lowercase() == KEY
            {
                let begin = start + whole.len() - whole.trim_start().len();
                // In TOML a comment may follow.
                let said = match self.section {
                    Some(_) => value,
                    None => value.split('#').next().unwrap_or_default(),
                };
                let value = said.trim().trim_matches(['"', '\'']);
                found = Some((begin..begin + line.len(), value));
            }
            start += whole.len();
        }
        found
    }

    /// The text with the line in its section.
    fn insert(&self, text: &str) -> String {
        let Some(section) = self.section else {
            // What is not in a table stands before all tables.
            let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            let mark = &text[..text.len() - without_mark(text).len()];
            let text = without_mark(text);
            return format!("{mark}{}{end}{text}", self.line);
        };
        // At the section's end: what is indented more than the line before goes on with it.
        let (mut start, mut is_own, mut end) = (0, false, None);
        for whole in text.split_inclusive('\n') {
            start += whole.len();
            let line = whole.trim();
            is_own = header(line).map_or(is_own, |name| name == section);
            if is_own && !line.is_empty() {
                end = Some(start);
            }
        }
        match end {
            Some(end) => format!("{}{}", line::add(&text[..end], self.line), &text[end..]),
            None => line::add(&line::add(text, &format!("[{section}]")), self.line),
        }
    }
}

/// The name of the section that begins with a line. What follows the last bracket is left out, as Python's
/// configparser does; in TOML only a comment can.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.rsplit_once(']')?;
    Some(name)
}

/// The text behind the byte order mark that some editors begin a file with.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Whether a line of the file holds nothing secret.
pub(super) fn is_shown(line: &str) -> bool {
    let key = line.split_once('=').map(|(key, _)| key.trim());
    line == "[global]" || key == Some(KEY)
}

/// The program must be found before any other of its name.
pub(super) fn link(_machine: &Machine<'_>, _setting: &Setting) -> Option<Link> {
    Some(Link::Named(KEYRING.to_owned()))
}

/// Has the tool ask.
pub(super) fn add(
    form: &Form,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    wish.require_urls()?;
    let targets = wish.targets(plan);
    if !targets
        .iter()
        .any(|(target, _)| target.scheme().starts_with("http"))
    {
        return Err(
            meets_nothing(format!("{} name no package index", wish.in_words()))
                .hint("add the index's `https://HOST/` to the `urls` of its profile"),
        );
    }
    if wish.is_named {
        plan.notes.push(
            "no profile can be named here: the URL of an index decides which one answers"
                .to_owned(),
        );
    }
    plan.notes.push(form.note.to_owned());
    let mut setting = Setting {
        profile: match &wish.profiles[..] {
            [only] if wish.is_named => only.name.clone(),
            _ => String::new(),
        },
        url: wish
            .url
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        key: KEY.to_owned(),
        value: form.line.to_owned(),
        replaced: None,
    };
    let there = form.find(document.text);
    if there.as_ref().is_some_and(|(_, value)| *value == PROVIDER) {
        plan.find(setting);
        return Ok(document.text.to_owned());
    }
    let replaced = there.map(|(place, _)| {
        let (before, after) = (&document.text[..place.start], &document.text[place.end..]);
        (
            document.text[place.clone()].to_owned(),
            format!("{before}{}{after}", form.line),
        )
    });
    let (there, replaced) = replaced.unzip();
    setting.replaced = there;
    plan.note(setting);
    Ok(replaced.unwrap_or_else(|| form.insert(document.text)))
}

/// Whether the tool asks, and asks us.
pub(super) fn look(
    form: &Form,
    machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Wiring {
    const EVERY_INDEX: &str = "every index";
    let mut wiring = Wiring::default();
    let says = form.find(document.text);
    if says.is_none_or(|(_, value)| value != PROVIDER) {
        return wiring;
    }
    if machine.answers_as(KEYRING) {
        wiring.wired.push(Wired {
            target: EVERY_INDEX.to_owned(),
            profile: None,
            program: Some(KEYRING.to_owned()),
        });
    }
    if let Some(other) = machine.in_front_of(KEYRING)
        && profiles.iter().any(|profile| !profile.urls.is_empty())
    {
        wiring.in_front.push(InFront {
            target: EVERY_INDEX.to_owned(),
            helper: other.display().to_string(),
        });
    }
    wiring
}

#[cfg(test)]
mod tests {
    use super::{Form, is_shown};

    const OF_PIP: Form = Form {
        section: Some("global"),
        line: "keyring-provider = subprocess",
        note: "",
    };
    const OF_UV: Form = Form {
        section: None,
        line: "keyring-provider = \"subprocess\"",
        note: "",
    };

    #[test]
    fn the_line_of_its_own_section_counts() {
        for (form, text, expected) in [
            (
                OF_PIP,
                "[global]\nkeyring_provider=import\n",
                Some("import"),
            ),
            (
                OF_PIP,
                "[global] ; mine\n Keyring-Provider : x\n",
                Some("x"),
            ),
            (OF_PIP, "[ global ]\nkeyring-provider = x\n", None),
            (OF_PIP, "[install]\nkeyring-provider = import\n", None),
            (OF_PIP, "keyring-provider = import\n[global]\n", None),
            (OF_PIP, "[global]\n# keyring-provider = import\n", None),
            (OF_UV, "keyring-provider = 'disabled'\n", Some("disabled")),
            (OF_UV, "\u{feff}keyring-provider = \"a\" # b\n", Some("a")),
            (OF_UV, "[pip]\nkeyring-provider = \"disabled\"\n", None),
            (
                OF_UV,
                "[pip] # old\nkeyring-provider = \"disabled\"\n",
                None,
            ),
        ] {
            let found = form.find(text).map(|(_, value)| value);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_line_is_written_into_its_section() {
        for (form, text, expected) in [
            (OF_PIP, "", "[global]\nkeyring-provider = subprocess\n"),
            (
                OF_PIP,
                "[global]\n  a = b\n    c\n\n[install]\nx=y",
                "[global]\n  a = b\n    c\nkeyring-provider = subprocess\n\n[install]\nx=y",
            ),
            (
                OF_PIP,
                "[install]\nx=y\r\n[global]\r\na=b",
                "[install]\nx=y\r\n[global]\r\na=b\r\nkeyring-provider = subprocess",
            ),
            (
                OF_PIP,
                "[install]\nx=y",
                "[install]\nx=y\n[global]\nkeyring-provider = subprocess",
            ),
            (
                OF_PIP,
                "[global]  ; mine\na = b\n",
                "[global]  ; mine\na = b\nkeyring-provider = subprocess\n",
            ),
            (
                OF_UV,
                "\u{feff}[pip]\n",
                "\u{feff}keyring-provider = \"subprocess\"\n[pip]\n",
            ),
            (
                OF_UV,
                "# mine\n[pip]\n",
                "keyring-provider = \"subprocess\"\n# mine\n[pip]\n",
            ),
        ] {
            let written = form.insert(text);
            assert_eq!(written, expected, "{text}");
            assert_eq!(
                form.find(&written).map(|(_, value)| value),
                Some("subprocess")
            );
        }
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for (line, expected) in [
            ("[global]", true),
            ("[secret]", false),
            ("keyring-provider = subprocess", true),
            ("index-url = https://a:secret@h", false),
            ("# index-url = https://a:secret@h", false),
        ] {
            assert_eq!(is_shown(line), expected, "{line}");
        }
    }
}
