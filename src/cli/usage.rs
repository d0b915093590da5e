//! A mistake in a command line, as clap found it, in the form of every other error.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};

use crate::error::{Error, ErrorKind};
use crate::text::{nearest, printable};

/// What is wrong with the line, and what was probably meant.
pub(super) fn error(found: &clap::Error, whole: &Command, words: &[&str]) -> Error {
    // What follows a word that is no command is of none.
    let unknown = strings(found, ContextKind::InvalidSubcommand);
    let end = words
        .iter()
        .position(|word| unknown.iter().any(|unknown| unknown == word));
    let words = &words[..end.unwrap_or(words.len())];
    let help = format!("see `{} --help`", command(whole, words).join(" "));
    if found.kind() == ClapKind::MissingSubcommand {
        return Error::new(ErrorKind::Usage, "no command is named").hint(help);
    }
    let further = [values(found), Some(help)];
    let further: Vec<String> = further.into_iter().flatten().collect();
    let hint = [proposal(found, whole, words), Some(further.join("; "))];
    let hint: Vec<String> = hint.into_iter().flatten().collect();
    let text = found.render().to_string();
    Error::new(ErrorKind::Usage, message(&text)).hint(hint.join(" "))
}

/// The first paragraph, without the values, which the hint names.
fn message(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim);
    let lines = lines.take_while(|line| !line.is_empty());
    let lines: Vec<&str> = lines
        .filter(|line| !line.starts_with("[possible values: "))
        .collect();
    // Literals are quoted as in every other error.
    printable(&lines.join(" ")).replace('\'', "`")
}

fn proposal(found: &clap::Error, whole: &Command, words: &[&str]) -> Option<String> {
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(|kind| strings(found, kind).into_iter().next());
    let near = |wrong: ContextKind, names: Vec<&str>| {
        let wrong = strings(found, wrong);
        nearest(wrong.first()?, names).map(String::from)
    };
    let meant = if found.kind() == ClapKind::InvalidSubcommand {
        let names = walk(whole, words).0.get_subcommands();
        let shown = names.filter(|below| !below.is_hide_set());
        let names = shown.map(Command::get_name).collect();
        near(ContextKind::InvalidSubcommand, names)?
    } else if let Some(suggested) = suggested {
        suggested
    } else {
        let values = strings(found, ContextKind::ValidValue);
        let values = values.iter().map(String::as_str).collect();
        near(ContextKind::InvalidValue, values)?
    };
    Some(format!("did you mean `{}`?", printable(&meant)))
}

/// The only values that can stand there.
fn values(found: &clap::Error) -> Option<String> {
    let values = strings(found, ContextKind::ValidValue);
    let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    (!quoted.is_empty()).then(|| format!("it takes {}", quoted.join(", ")))
}

fn strings(found: &clap::Error, kind: ContextKind) -> Vec<String> {
    match found.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// The command that a line names, with its name in full.
fn command(whole: &Command, words: &[&str]) -> Vec<String> {
    let (_, names) = walk(whole, words);
    std::iter::once("cred-helper")
        .chain(names)
        .map(String::from)
        .collect()
}

/// The last command among the words, and the names that lead to it.
fn walk<'a>(whole: &'a Command, words: &[&str]) -> (&'a Command, Vec<&'a str>) {
    let mut found = (whole, Vec::new());
    for word in words {
        if let Some(below) = found.0.find_subcommand(word) {
            found.0 = below;
            found.1.push(below.get_name());
        }
    }
    found
}
