//! Go: a command in `GOAUTH`, before those that stand there, in the file that `go env -w` writes.

use std::path::PathBuf;

use super::machine::Machine;
use super::{
    Answering, Document, Entry, Plan, Setting, Wired, Wiring, Wish, line, needs_no_link, ours, view,
};
use crate::error::{Error, ErrorKind};
use crate::text::shell_word;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "go",
    protocol: "go",
    aliases: &[],
    version: &["version"],
    file,
    add,
    remove: line::remove,
    view: |text| view::hide_lines(text, is_shown),
    link: needs_no_link,
    look,
};

/// What the line begins with, and the variable is called.
const LINE: &str = "GOAUTH=";
const VARIABLE: &str = "GOAUTH";

/// The file that Go itself names; without Go, where it would be on most systems.
fn file(machine: &Machine<'_>) -> PathBuf {
    let said = machine.ask("go", &["env", "GOENV"]).ok();
    let named = said.map(|said| PathBuf::from(said.expose().trim()));
    named
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| machine.configuration_home().join("go").join("env"))
}

/// The line that counts.
fn line_of(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.rfind(|line| line.starts_with(LINE))
}

/// The commands of a line.
fn commands(line: &str) -> Vec<&str> {
    let value = line.strip_prefix(LINE).unwrap_or_default();
    let commands = value.split(';').map(str::trim);
    commands.filter(|command| !command.is_empty()).collect()
}

fn add(
    machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    wish.require_urls()?;
    let there = line_of(document.text);
    let found = there.map_or_else(|| vec!["netrc"], commands);
    if found == ["off"] {
        return Err(Error::new(
            ErrorKind::Config,
            "Go is told `GOAUTH=off` by its configuration",
        )
        .hint("run `go env -u GOAUTH` first"));
    }
    let mut command = format!("{} go", shell_word(&machine.command));
    let mut profile = String::new();
    if let [only] = &wish.profiles[..]
        && wish.is_named
    {
        profile.clone_from(&only.name);
        command.push_str(&format!(" --profile {}", shell_word(&profile)));
    }
    if machine.variable(VARIABLE).is_some() {
        plan.notes.push(format!(
            "the variable {VARIABLE} is set, and wins over this file"
        ));
    }
    if found.first() == Some(&command.as_str()) {
        return Ok(document.text.to_owned());
    }
    let others = found.into_iter().filter(|one| our_profile(one).is_none());
    let all: Vec<&str> = std::iter::once(command.as_str()).chain(others).collect();
    let value = format!("{LINE}{}", all.join("; "));
    plan.note(Setting {
        profile,
        url: wish.own_url(),
        key: VARIABLE.to_owned(),
        value: value.clone(),
        replaced: there.map(str::to_owned),
    });
    let replaced = there.and_then(|there| line::replace(document.text, there, &value));
    Ok(replaced.unwrap_or_else(|| line::add(document.text, &value)))
}

/// Whether a line of the file holds nothing secret.
fn is_shown(line: &str) -> bool {
    line.starts_with(LINE) && !line.contains('@')
}

fn look(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    _profiles: &[Answering],
) -> Result<Wiring, Error> {
    let commands = line_of(document.text).map(commands).unwrap_or_default();
    let wired = commands
        .into_iter()
        .filter_map(|command| Some((command, our_profile(command)?)));
    Ok(Wiring {
        wired: wired
            .map(|(command, profile)| Wired {
                target: "every host".to_owned(),
                profile,
                program: ours::words(command).into_iter().next(),
            })
            .collect(),
        in_front: Vec::new(),
    })
}

/// The profile that a command names, if the command is ours.
fn our_profile(command: &str) -> Option<Option<String>> {
    let words = ours::words(command);
    let (program, arguments) = words.split_first()?;
    let (verb, arguments) = arguments.split_first()?;
    let arguments = arguments.iter().map(String::as_str);
    ours::profile(program, "", arguments).filter(|_| verb == ENTRY.name)
}

#[cfg(test)]
mod tests {
    use super::{commands, line_of, our_profile};

    #[test]
    fn the_last_line_counts_and_holds_commands() {
        let text = "GOAUTH=off\n#GOAUTH=x\nGOFLAGS=-x\n GOAUTH=cred-helper go -p work ; netrc;;\n";
        let commands = commands(line_of(text).expect("it is there"));
        assert_eq!(commands, ["cred-helper go -p work", "netrc"]);
        assert_eq!(our_profile(commands[0]), Some(Some("work".to_owned())));
        assert_eq!(our_profile("'/a b/cred-helper' go"), Some(None));
        assert_eq!(our_profile("git /x"), None);
        assert_eq!(our_profile("cred-helper"), None);
    }
}
