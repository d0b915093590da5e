//! `completions`: a shell's completion script, generated from the same tables as the help.

use clap::{Arg, ArgMatches, Command};
use clap_complete::{Shell as CompletionShell, generate};

use super::{Entry, Shell};
use crate::error::{Error, ErrorKind};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "completions",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Print a completion script")
        .after_help("Example:\n  cred-helper completions bash > ~/.local/share/bash-completion/completions/cred-helper")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(clap::builder::EnumValueParser::<CompletionShell>::new())
                .help("The shell"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let target = matches
        .get_one::<CompletionShell>("shell")
        .copied()
        .ok_or_else(|| Error::new(ErrorKind::Usage, "no shell is named"))?;
    let mut script = Vec::new();
    generate(
        target,
        &mut for_people(&(shell.command_line)()),
        "cred-helper",
        &mut script,
    );
    let script = String::from_utf8_lossy(&script);
    if target == CompletionShell::Bash {
        // For a program with a hyphen, bash's script would spell one state in two ways, and
        // complete nothing after a command (clap-rs/clap#6421).
        return shell.print(&script.replace("cred__subcmd__helper", "cred__helper"));
    }
    shell.print(&script)
}

/// The command line without what nobody types.
fn for_people(whole: &Command) -> Command {
    let commands = whole.get_subcommands();
    let shown = commands.filter(|command| !command.is_hide_set());
    Command::new("cred-helper")
        .version(env!("CRED_HELPER_VERSION"))
        .args(whole.get_arguments())
        .subcommands(shown)
}
