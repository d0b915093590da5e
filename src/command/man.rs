//! `man`: manual pages, generated from the same tables as the help.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Entry, Shell, for_people};
use crate::error::{Error, ErrorKind};
use crate::system::environment::VARIABLES;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "man",
    command,
    run,
};

/// The program, as its first page is called.
const PROGRAM: &str = "cred-helper";

/// The section of the manual for commands.
const SECTION: &str = "1";

fn command(command: Command) -> Command {
    command
        .about("Write manual pages")
        .after_help(
            "`cred-helper.1` is the first page, and each command has one of its own.\n\n\
             Example:\n  cred-helper man ~/.local/share/man/man1\n  man cred-helper-get",
        )
        .arg(
            Arg::new("directory")
                .value_name("DIR")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("The directory for the pages; it is made if it is not there"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let directory = matches
        .get_one::<PathBuf>("directory")
        .ok_or_else(|| Error::new(ErrorKind::Usage, "no directory is named"))?;
    let failed = |path: &Path, error: std::io::Error| {
        let message = format!("`{}` cannot be written", path.display());
        Error::new(ErrorKind::Store, message)
            .because(error)
            .hint("name a directory of your own")
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    let mut whole = for_people(&(shell.command_line)()).disable_help_subcommand(true);
    // Names of what stands below, and the options of every command, come with it.
    whole.build();
    let mut pages = Vec::new();
    add(&whole, &mut pages).map_err(|error| failed(directory, error))?;
    for (name, page) in &pages {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| failed(&path, error))?;
    }
    let count = pages.len();
    let told = format!("{count} pages are in {}", directory.display());
    shell.context.inform(&told);
    Ok(())
}

/// The pages of a command and of what stands below it, with the names of their files.
fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), std::io::Error> {
    let man = Man::new(command.clone()).section(SECTION);
    pages.push((man.get_filename(), page(&man, command)?));
    for below in shown(command) {
        add(below, pages)?;
    }
    Ok(())
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    let below = command.get_subcommands();
    below.filter(|below| !below.is_hide_set())
}

fn page(man: &Man, command: &Command) -> Result<Vec<u8>, std::io::Error> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let is_first = command.get_name() == PROGRAM;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if let Some(help) = command.get_after_help() {
        add_help(&help.to_string(), &mut rest);
    }
    match is_first {
        true => add_tables(&mut rest),
        false => {
            let first = format!("{PROGRAM}({SECTION})");
            rest.control("SH", ["SEE ALSO"]).text([roman(first)]);
        }
    }
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// What the help ends with, line for line: most of it is typed.
fn add_help(help: &str, page: &mut Roff) {
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

/// What holds for every command.
fn add_tables(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    add_row("0", "it is done", page);
    for kind in ErrorKind::ALL {
        let meaning = format!("{}: {}", kind.name(), kind.meaning());
        add_row(&kind.exit_code().to_string(), &meaning, page);
    }
    page.control("SH", ["ENVIRONMENT"]);
    for (names, meaning) in VARIABLES {
        add_row(names, meaning, page);
    }
}

fn add_row(name: &str, meaning: &str, page: &mut Roff) {
    page.control("TP", [])
        .text([bold(name)])
        .text([roman(meaning)]);
}
