//! `completions`: a shell's completion script. It asks [`super::complete`] each time.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use super::{Entry, Shell, text};
use crate::error::{Error, ErrorKind};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "completions",
    command,
    run,
};

/// The shells, and the script of each.
const SCRIPTS: &[(&str, &str)] = &[
    ("bash", include_str!("../../completions/cred-helper.bash")),
    ("fish", include_str!("../../completions/cred-helper.fish")),
    (
        "powershell",
        include_str!("../../completions/_cred-helper.ps1"),
    ),
    ("zsh", include_str!("../../completions/_cred-helper")),
];

fn command(command: Command) -> Command {
    command
        .about("Print a completion script")
        .after_help(
            "The script proposes commands, options, and names of profiles, presets and tools.\n\n\
             Examples:\n  \
             cred-helper completions bash > ~/.local/share/bash-completion/completions/cred-helper\n  \
             cred-helper completions zsh > \"${fpath[1]}/_cred-helper\"\n  \
             cred-helper completions fish > ~/.config/fish/completions/cred-helper.fish\n  \
             cred-helper completions powershell >> $PROFILE",
        )
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(PossibleValuesParser::new(SCRIPTS.iter().map(|(name, _)| *name)))
                .help("The shell"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let wanted = text(matches, "shell");
    let mut scripts = SCRIPTS.iter();
    let (_, script) = scripts
        .find(|(name, _)| Some(*name) == wanted.as_deref())
        .ok_or_else(|| Error::new(ErrorKind::Usage, "no shell is named"))?;
    shell.print(script)
}
