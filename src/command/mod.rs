//! One file per command for people.
//!
//! To add one: a file with an [`Entry`], and a line in [`COMMANDS`].

mod add;
mod complete;
mod completions;
mod doctor;
mod import;
mod inspect;
mod log;
mod login;
mod logout;
mod man;
mod profile;
mod profile_file;
mod profile_text;
mod refresh;
mod remove;
pub mod request;
mod route;
mod session;
mod setup;
mod status;
mod store;
mod wizard;

use std::path::Path;

use clap::{ArgMatches, Command};

use crate::context::{Context, Keyring, Screen};
use crate::error::Error;
use crate::io::Io;
use crate::profile::file::{self, Location, Source};
use crate::protocol::Answer;
use crate::style::{Style, width};

/// What a command works with.
pub struct Shell<'a, 'io> {
    /// The streams.
    pub io: &'a mut Io<'io>,
    /// The effects, for what is said on stderr.
    pub context: Context<'a>,
    /// The keyring for what asks nobody.
    pub unattended_keyring: &'a dyn Keyring,
    /// Where the profile files lie.
    pub location: &'a Location,
    /// Answers requests, as it does for tools.
    pub answer: &'a Answer<'a>,
    /// The whole command line, for what is generated from it.
    pub command_line: fn() -> Command,
    /// The terminal that stdout is; `None` for a pipe, a file, and whatever else a program reads.
    pub screen: Option<Screen>,
    /// How what is printed is coloured.
    pub style: Style,
}

impl Shell<'_, '_> {
    /// Writes the answer to stdout.
    ///
    /// # Errors
    /// `store`, if it is wanted and cannot be written.
    pub fn print(&mut self, text: &str) -> Result<(), Error> {
        self.io.answer(text)
    }

    /// Reads the profile files.
    ///
    /// # Errors
    /// `config`.
    pub fn sources(&self) -> Result<Vec<Source>, Error> {
        file::read(self.location)
    }

    /// The same as if the file at `path` said `text`.
    ///
    /// # Errors
    /// `config`.
    fn sources_with(&self, path: &Path, text: &str) -> Result<Vec<Source>, Error> {
        file::read_with(self.location, path, text)
    }
}

/// A command in the table.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its arguments and its help, for clap.
    pub command: fn(Command) -> Command,
    /// Does it.
    pub run: fn(&ArgMatches, &mut Shell<'_, '_>) -> Result<(), Error>,
}

/// Every command.
pub const COMMANDS: &[Entry] = &[
    login::ENTRY,
    logout::ENTRY,
    status::ENTRY,
    inspect::ENTRY,
    request::ENTRY,
    log::ENTRY,
    profile::ENTRY,
    setup::ENTRY,
    store::ENTRY,
    session::ENTRY,
    doctor::ENTRY,
    completions::ENTRY,
    man::ENTRY,
    refresh::ENTRY,
    complete::ENTRY,
];

/// `-p`.
fn profile_argument() -> clap::Arg {
    clap::Arg::new("profile")
        .short('p')
        .long("profile")
        .value_name("NAME")
        .help("Profile to use")
}

/// `--account`.
fn account_argument() -> clap::Arg {
    clap::Arg::new("account")
        .long("account")
        .value_name("A")
        .help("Which account of several")
}

/// `-o`.
fn output_argument(formats: &'static [&'static str]) -> clap::Arg {
    clap::Arg::new("output")
        .short('o')
        .long("output")
        .value_name("FORMAT")
        .value_parser(clap::builder::PossibleValuesParser::new(formats))
        .help("What to print")
}

/// The command line without what nobody types.
fn for_people(whole: &Command) -> Command {
    let commands = whole.get_subcommands();
    let shown = commands.filter(|command| !command.is_hide_set());
    let mut line = Command::new("cred-helper")
        .version(env!("CRED_HELPER_VERSION"))
        .args(whole.get_arguments())
        .subcommands(shown);
    if let Some(about) = whole.get_about() {
        line = line.about(about.clone());
    }
    match whole.get_after_help() {
        Some(help) => line.after_help(help.clone()),
        None => line,
    }
}

/// The text of an argument.
fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

/// Pads all columns but the last.
fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let widest = |column: usize| {
        let widths = lines.iter().map(|line| width(&line[column]));
        widths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(widest).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, widest) in line.iter().zip(&widths) {
            row.push_str(cell);
            let padding = widest - width(cell) + 2;
            row.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
