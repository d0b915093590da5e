//! `complete`: what the shells' completion scripts ask for each time somebody presses Tab. Not for
//! people.
//!
//! A line of the answer is a word that can stand there, a tab, and what it is. Where the name of a file
//! belongs, there is one line, which begins with the tab: the shell knows those itself.

use std::ffi::OsStr;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Entry, Shell};
use crate::error::Error;
use crate::profile::outline::{self, Outline};
use crate::profile::preset::{ABOUT, PRESETS};
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "complete",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Propose words for a command line; the completion scripts ask")
        .hide(true)
        .arg(
            Arg::new("next")
                .long("next")
                .action(ArgAction::SetTrue)
                .help("A further word is to come; else it is the last one"),
        )
        .arg(
            Arg::new("words")
                .value_name("WORD")
                .value_parser(value_parser!(std::ffi::OsString))
                .num_args(0..)
                .last(true)
                .help("The line behind the program's name, as far as the cursor"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let words = matches.get_raw("words").into_iter().flatten();
    let mut words: Vec<String> = words
        .map(OsStr::to_string_lossy)
        .map(String::from)
        .collect();
    if matches.get_flag("next") {
        words.push(String::new());
    }
    let current = words.pop().unwrap_or_default();
    let line = (shell.command_line)();
    let text = match place(&line, &words, &current) {
        Place::File => "\t\n".to_owned(),
        Place::Words(wanted) => {
            // Whatever is wrong with the files is told by the call itself.
            let outline = || outline::read(shell.location).unwrap_or_default();
            let found = proposals(&wanted, &outline);
            let fitting = found.iter().filter(|(word, _)| word.starts_with(&current));
            fitting
                .map(|(word, about)| format!("{}\t{}\n", printable(word), printable(about)))
                .collect()
        }
    };
    shell.print(&text)
}

/// What belongs where the cursor stands.
enum Place<'a> {
    /// The name of a file.
    File,
    /// One of these.
    Words(Vec<Wanted<'a>>),
}

/// A kind of words.
enum Wanted<'a> {
    /// Commands below this one.
    Commands(&'a Command),
    /// Options of this command that may be given here.
    Options(Vec<&'a Arg>),
    /// Values of this option or operand, behind what stands there already.
    Values(&'a Arg, String),
}

/// Walks along the words to the command, and sees what is missing.
fn place<'a>(whole: &'a Command, words: &[String], current: &str) -> Place<'a> {
    let mut command = whole;
    let mut options: Vec<&Arg> = whole.get_arguments().collect();
    let mut operands = 0;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            // A program with arguments of its own.
            return Place::File;
        }
        if let Some(option) = option(&options, word) {
            let takes_next = takes_value(option) && !word.starts_with("--") | !word.contains('=');
            let is_joined = !word.starts_with("--") && word.len() > 2;
            if takes_next && !is_joined && words.next().is_none() {
                return values(option, String::new());
            }
        } else if let Some(below) = below(command, word) {
            command = below;
            operands = 0;
            options.retain(|option| option.is_global_set());
            options.extend(command.get_arguments());
        } else if !word.starts_with('-') {
            operands += 1;
        }
    }
    if let Some((name, _)) = current.split_once('=')
        && let Some(option) = option(&options, name).filter(|_| name.starts_with("--"))
    {
        return values(option, format!("{name}="));
    }
    if current.starts_with('-') {
        options.retain(|option| !option.is_positional() && !option.is_hide_set());
        return Place::Words(vec![Wanted::Options(options)]);
    }
    let mut wanted = vec![Wanted::Commands(command)];
    if let Some(operand) = operand(command, operands) {
        match values(operand, String::new()) {
            Place::File => return Place::File,
            Place::Words(values) => wanted.extend(values),
        }
    }
    Place::Words(wanted)
}

/// The option that a word is, or begins with.
fn option<'a>(options: &[&'a Arg], word: &str) -> Option<&'a Arg> {
    let mut options = options.iter().copied();
    if let Some(long) = word.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        return options.find(|option| option.get_long() == Some(name));
    }
    let short = word.strip_prefix('-')?.chars().next()?;
    options.find(|option| option.get_short() == Some(short))
}

fn takes_value(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
}

fn below<'a>(command: &'a Command, word: &str) -> Option<&'a Command> {
    let mut commands = command.get_subcommands();
    commands.find(|below| below.get_name() == word)
}

/// The operand with that number; the last one may stand for all that follow.
fn operand(command: &Command, number: usize) -> Option<&Arg> {
    let mut operands = command.get_positionals();
    operands.nth(number)
}

fn values(argument: &Arg, before: String) -> Place<'_> {
    let name = argument.get_value_names().and_then(|names| names.first());
    let is_file = name.is_some_and(|name| ["FILE", "DIR", "CMD"].contains(&name.as_str()));
    if is_file && before.is_empty() {
        return Place::File;
    }
    Place::Words(vec![Wanted::Values(argument, before)])
}

/// Every word of these kinds, and what it is.
fn proposals(wanted: &[Wanted<'_>], outline: &dyn Fn() -> Outline) -> Vec<(String, String)> {
    let about = |text: Option<&clap::builder::StyledStr>| {
        text.map(|text| text.to_string()).unwrap_or_default()
    };
    let mut found = Vec::new();
    for wanted in wanted {
        match wanted {
            Wanted::Commands(command) => {
                let shown = command
                    .get_subcommands()
                    .filter(|below| !below.is_hide_set());
                found.extend(
                    shown.map(|below| (below.get_name().to_owned(), about(below.get_about()))),
                );
            }
            Wanted::Options(options) => found.extend(options.iter().filter_map(|option| {
                let long = option.get_long()?;
                Some((format!("--{long}"), about(option.get_help())))
            })),
            Wanted::Values(argument, before) => {
                let values = words_of(argument, outline).into_iter();
                found.extend(values.map(|(word, about)| (format!("{before}{word}"), about)));
            }
        }
    }
    found
}

/// What can be the value of an argument: what it says itself, else what it is called tells.
fn words_of(argument: &Arg, outline: &dyn Fn() -> Outline) -> Vec<(String, String)> {
    let bare = |words: Vec<String>| {
        words
            .into_iter()
            .map(|word| (word, String::new()))
            .collect()
    };
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        let names = possible.iter().map(|value| value.get_name().to_owned());
        return bare(names.collect());
    }
    match argument.get_id().as_str() {
        "profile" | "name" => bare(outline().names),
        "url" => bare(outline().urls),
        "preset" => PRESETS
            .iter()
            .map(|preset| {
                let about = preset.about(ABOUT[0]).unwrap_or_default();
                (preset.name.to_owned(), about.to_owned())
            })
            .collect(),
        _ => Vec::new(),
    }
}
