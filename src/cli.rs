//! Which entry was called, by name or by link, and how its error is shown.
//!
//! What tools and scripts call is found in the protocol table and parsed without clap; clap is
//! built for what people type, from the same tables, and for everything that is wrong.
//!
//! To add an option that every call takes: a line in [`GLOBAL`], and a field of [`Globals`].

mod usage;
mod version;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::command::{self, COMMANDS};
use crate::context::Level;
use crate::error::{Error, ErrorKind};
use crate::protocol::argument::{self, Arguments, Flag};
use crate::protocol::{self, PROTOCOLS};
use crate::style::Style;

/// The flags that every call takes.
pub const GLOBAL: &[Flag] = &[
    Flag::value("config", "FILE", "This profile file instead of all others"),
    Flag::value(
        "error-format",
        "FORMAT",
        "How errors are written on stderr [default: text]",
    )
    .choices(&["text", "json"]),
    Flag::switch("quiet", "No warnings, and no word of what is waited for").short('q'),
    Flag::switch("verbose", "Say why, on stderr").short('v'),
    Flag::value(
        "color",
        "WHEN",
        "Colours; auto: on a terminal, without NO_COLOR [default: auto]",
    )
    .choices(&["auto", "always", "never"]),
];

/// What every call can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--error-format json`.
    pub json_errors: bool,
    /// What is shown on stderr.
    pub shown: Option<Level>,
    /// `--color`.
    pub color: Color,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Where it is read on a terminal, and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Also elsewhere.
    Always,
    /// Never.
    Never,
}

/// How errors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// Lines for a person.
    Text {
        /// How their labels are written.
        style: Style,
    },
    /// One line for a program.
    Json,
}

impl Globals {
    fn of(arguments: &Arguments) -> Self {
        Self {
            config: arguments.get("config").map(PathBuf::from),
            json_errors: arguments.get("error-format") == Some("json"),
            shown: match (arguments.has("quiet"), arguments.has("verbose")) {
                (true, _) => Some(Level::Error),
                (false, true) => Some(Level::Debug),
                (false, false) => None,
            },
            color: match arguments.get("color") {
                Some("always") => Color::Always,
                Some("never") => Color::Never,
                _ => Color::Auto,
            },
        }
    }
}

/// What was called.
pub enum Called {
    /// A protocol, with its arguments.
    Protocol(&'static protocol::Entry, Arguments, Globals),
    /// A command, with clap's matches.
    Command(&'static command::Entry, Box<ArgMatches>, Globals),
    /// Help or a version: clap's text. stderr gets it where nobody asked for it.
    Clap(clap::Error, Globals),
    /// What is no call.
    Mistake(Error, Globals),
}

/// Finds out what was called.
pub fn parse(arguments: Vec<OsString>) -> Called {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_default();
    let mut rest: Vec<OsString> = arguments.collect();
    // A link has no version of its own.
    let asks_for_version = rest == ["--version"];
    if let Some((entry, profile)) = by_link(&program, PROTOCOLS)
        && (entry.is_raw || !asks_for_version)
    {
        let mut line = vec![OsString::from(entry.name)];
        line.extend(profile.map(|profile| OsString::from(format!("--profile={profile}"))));
        // The tool's line, from its first word on.
        line.extend(entry.is_raw.then(|| OsString::from("--")));
        line.extend(rest);
        return parse_line(line);
    }
    if rest.first().is_some_and(|first| first == "--cargo-plugin") {
        // A provider that is a bare path is started with nothing else.
        rest.insert(0, OsString::from("cargo"));
    }
    parse_line(rest)
}

fn parse_line(line: Vec<OsString>) -> Called {
    let quick = quickly(&line).or_else(|| quickly(&flags_behind(&line)?));
    if let Some((entry, arguments)) = quick {
        let globals = Globals::of(&arguments);
        return Called::Protocol(entry, arguments, globals);
    }
    let full = std::iter::once(OsString::from("cred-helper")).chain(line.iter().cloned());
    let matches = match command_line().try_get_matches_from(full) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() && !is_help(&error) => {
            let words: Vec<&str> = line.iter().filter_map(|word| word.to_str()).collect();
            let error = usage::error(&error, &command_line(), &words);
            return Called::Mistake(error, globals_of_mistake(&line));
        }
        Err(error) => return Called::Clap(error, globals_of_mistake(&line)),
    };
    let globals = Globals::of(&taken(GLOBAL, &matches));
    match matches.subcommand() {
        Some((name, matches)) => {
            if let Some(entry) = PROTOCOLS.iter().find(|entry| entry.name == name) {
                let mut arguments = taken(entry.flags, matches);
                for operand in operands_of(entry) {
                    let given = matches.get_raw(operand.get_id().as_str());
                    let given = given.into_iter().flatten();
                    given.for_each(|given| arguments.add_operand(given));
                }
                return Called::Protocol(entry, arguments, globals);
            }
            let entry = COMMANDS.iter().find(|entry| entry.name == name);
            let entry = entry.expect("clap knows the names of the tables alone");
            Called::Command(entry, Box::new(matches.clone()), globals)
        }
        None => {
            let error = Error::new(ErrorKind::Usage, "no command is named");
            Called::Mistake(error.hint("see `cred-helper --help`"), globals)
        }
    }
}

/// Whether there is no command, and so help instead of a word of what is wrong.
fn is_help(error: &clap::Error) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// The protocol that a link's name stands for, and the profile in it.
fn by_link<'t>(
    program: &OsString,
    table: &'t [protocol::Entry],
) -> Option<(&'t protocol::Entry, Option<String>)> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(".exe").unwrap_or(name);
    table.iter().find_map(|entry| {
        entry.link_names.iter().find_map(|link| {
            let rest = name.strip_prefix(link)?;
            match rest.strip_prefix('-') {
                Some(profile) if !profile.is_empty() => Some((entry, Some(profile.to_owned()))),
                _ => rest.is_empty().then_some((entry, None)),
            }
        })
    })
}

/// Parses a protocol's call without clap. `None` leaves it to clap.
fn quickly(line: &[OsString]) -> Option<(&'static protocol::Entry, Arguments)> {
    // The name is the first word; flags before it are rare enough for clap.
    let (name, rest) = line.split_first()?;
    let entry = PROTOCOLS.iter().find(|entry| name == entry.name)?;
    if entry.is_raw {
        // Help is ours here; under a link's name it is the tool's.
        let is_help = rest
            .first()
            .is_some_and(|first| first == "--help" || first == "-h");
        if is_help {
            return None;
        }
        let arguments = argument::parse_beginning(rest.iter().cloned(), &[entry.flags, GLOBAL])?;
        return Some((entry, arguments));
    }
    let tables = [entry.flags, GLOBAL];
    let arguments = argument::parse(rest.iter().cloned(), &tables, entry.most_operands())?;
    Some((entry, arguments))
}

/// The same line with the flags of every call behind the name of a protocol whose line is the tool's
/// own: clap must not read that. `None` for every other.
fn flags_behind(line: &[OsString]) -> Option<Vec<OsString>> {
    let read = argument::parse_beginning(line.iter().cloned(), &[GLOBAL])?;
    let name = read.operands().first()?;
    PROTOCOLS
        .iter()
        .find(|entry| entry.is_raw && name == entry.name)?;
    let (flags, own) = line.split_at(line.len() - read.operands().len());
    let (name, rest) = own.split_first()?;
    let words = std::iter::once(name).chain(flags).chain(rest);
    Some(words.cloned().collect())
}

/// Takes the values of a table's flags out of clap's matches.
fn taken(flags: &'static [Flag], matches: &ArgMatches) -> Arguments {
    let mut arguments = Arguments::default();
    for flag in flags {
        if flag.value.is_none() {
            if matches.get_flag(flag.long) {
                arguments.add(flag.long, String::new());
            }
            continue;
        }
        for value in matches.get_many::<String>(flag.long).into_iter().flatten() {
            arguments.add(flag.long, value.clone());
        }
    }
    arguments
}

/// `--error-format json` counts also where the rest of the line is wrong.
fn globals_of_mistake(line: &[OsString]) -> Globals {
    let words: Vec<&str> = line.iter().filter_map(|word| word.to_str()).collect();
    let is_json = words.contains(&"--error-format=json")
        || words
            .windows(2)
            .any(|pair| pair == ["--error-format", "json"]);
    Globals {
        json_errors: is_json,
        ..Globals::default()
    }
}

/// The whole command line, for clap, help and completions.
pub fn command_line() -> Command {
    let mut line = Command::new("cred-helper")
        .version(env!("CRED_HELPER_VERSION"))
        .long_version(version::long())
        .about("One sign-in for every developer tool, through each tool's own protocol")
        .after_help("A token for a script:\n  cred-helper get -p graph")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(GLOBAL.iter().map(global_argument_of));
    for entry in PROTOCOLS {
        line = line.subcommand(
            Command::new(entry.name)
                .about(entry.summary)
                .after_help(entry.help)
                .args(entry.flags.iter().map(argument_of))
                .args(operands_of(entry)),
        );
    }
    for entry in COMMANDS {
        line = line.subcommand((entry.command)(Command::new(entry.name)));
    }
    line
}

/// The operands of a protocol. Their ids are in capitals, and no flag's.
fn operands_of(entry: &'static protocol::Entry) -> impl Iterator<Item = Arg> {
    let operand = |name: &'static str, help: String| {
        let operand = Arg::new(name).value_name(name).help(help);
        match entry.is_raw {
            true => operand.value_parser(value_parser!(OsString)),
            false => operand,
        }
    };
    let verb = (!entry.verbs.is_empty()).then(|| {
        let verbs = entry.verbs.join(", ");
        operand("VERB", format!("What the tool wants: {verbs}"))
    });
    let further = entry.operands.iter();
    let further = further.map(move |name| operand(name, "What the tool wants it for".to_owned()));
    // A tool's own line is taken word by word, flags too.
    let line = entry.is_raw.then(|| {
        operand("WORD", "The tool's own line".to_owned())
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
    });
    verb.into_iter().chain(further).chain(line)
}

/// In the help of a command its own options stand apart from these.
fn global_argument_of(flag: &'static Flag) -> Arg {
    argument_of(flag)
        .global(true)
        .help_heading("Options of every command")
}

fn argument_of(flag: &'static Flag) -> Arg {
    let mut argument = Arg::new(flag.long).long(flag.long).help(flag.help);
    if let Some(short) = flag.short {
        argument = argument.short(short);
    }
    argument = match flag.value {
        None => return argument.action(ArgAction::SetTrue),
        Some(value) => argument.value_name(value),
    };
    if !flag.choices.is_empty() {
        argument = argument.value_parser(PossibleValuesParser::new(flag.choices));
    }
    argument.action(if flag.many {
        ArgAction::Append
    } else {
        ArgAction::Set
    })
}

/// An error as stderr gets it.
pub fn render(error: &Error, format: ErrorFormat) -> String {
    let style = match format {
        ErrorFormat::Json => {
            return format!("{}\n", serde_json::json!({ "error": error.to_json() }));
        }
        ErrorFormat::Text { style } => style,
    };
    let mut text = format!("{} {}\n", style.error_label("error:"), error.message());
    for cause in error.causes() {
        text.push_str(&format!("{} {cause}\n", style.cause_label("caused by:")));
    }
    if let Some(hint) = error.hint_text() {
        text.push_str(&format!("{} {hint}\n", style.hint_label("hint:")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::{
        Called, ErrorFormat, by_link, command_line, parse, parse_line, quickly, render, taken,
    };
    use crate::error::{Error, ErrorKind};
    use crate::protocol::{Entry, PROTOCOLS};
    use crate::style::Style;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }

    #[test]
    fn colours_are_on_labels_alone() {
        let error = Error::new(ErrorKind::Usage, "it failed")
            .because("b")
            .hint("c");
        let render = |is_colored| {
            let style = Style { is_colored };
            render(&error, ErrorFormat::Text { style })
        };
        assert_eq!(render(false), "error: it failed\ncaused by: b\nhint: c\n");
        assert_eq!(
            render(true),
            "\u{1b}[1;31merror:\u{1b}[0m it failed\n\u{1b}[1;33mcaused by:\u{1b}[0m b\n\
             \u{1b}[1;36mhint:\u{1b}[0m c\n"
        );
    }

    #[test]
    fn both_parsers_read_the_same_line_alike() {
        for line in [
            "get",
            "get -p graph",
            "get --profile=graph -o json --scope a --scope b --min-valid 5m",
            "get --url https://x --force-refresh --interactive never --account ada",
            "get --claims {} --env-name X -o env",
            "get -o id-token -v",
            "serve",
            "serve --once -q --error-format json",
        ] {
            let (entry, quick) = quickly(&words(line)).expect(line);
            let full = words(&format!("cred-helper {line}"));
            let matches = command_line().try_get_matches_from(full).expect(line);
            let (name, matches) = matches.subcommand().expect(line);
            assert_eq!(entry.name, name);
            for flag in entry.flags {
                let clap = taken(std::slice::from_ref(flag), matches);
                assert_eq!(
                    quick.all(flag.long),
                    clap.all(flag.long),
                    "{line}: {}",
                    flag.long
                );
            }
        }
    }

    #[test]
    fn flags_of_every_call_may_stand_before_the_command() {
        let Called::Protocol(entry, arguments, globals) =
            parse_line(words("--config x.toml -q get -p graph"))
        else {
            panic!("it is a protocol's call");
        };
        assert_eq!(
            (entry.name, arguments.get("profile")),
            ("get", Some("graph"))
        );
        assert_eq!(globals.config.as_deref(), Some("x.toml".as_ref()));
        // A line of a tool's own is read by nobody else.
        let Called::Protocol(entry, arguments, globals) =
            parse_line(words("--config x.toml -q az -p graph vm --config y -q"))
        else {
            panic!("it is a protocol's call");
        };
        assert_eq!(
            (entry.name, arguments.get("profile")),
            ("az", Some("graph"))
        );
        assert_eq!(arguments.operands(), ["vm", "--config", "y", "-q"]);
        assert_eq!(globals.config.as_deref(), Some("x.toml".as_ref()));
    }

    #[test]
    fn a_line_of_a_tools_own_is_read_alike_wherever_our_flags_stand() {
        for (line, profile, words) in [
            ("-q keyring get a b", None, "get a b"),
            ("-q keyring --mode creds get a", None, "--mode creds get a"),
            ("-q keyring -p x get -p y", Some("x"), "get -p y"),
            ("keyring -q -p x get -p y", Some("x"), "get -p y"),
            ("-q keyring -- --help", None, "--help"),
            ("-q keyring", None, ""),
        ] {
            let Called::Protocol(entry, arguments, globals) = parse_line(self::words(line)) else {
                panic!("{line}: it is a protocol's call");
            };
            assert_eq!((entry.name, arguments.get("profile")), ("keyring", profile));
            assert_eq!(arguments.operands().join(" ".as_ref()), words, "{line}");
            assert_eq!(globals.shown, Some(crate::context::Level::Error), "{line}");
        }
    }

    #[test]
    fn cargo_starts_a_link_and_the_program_itself_with_the_same_argument() {
        for (program, profile) in [
            ("cred-helper", None),
            ("cargo-credential-cred-helper", None),
            ("cargo-credential-cred-helper-work", Some("work")),
        ] {
            let Called::Protocol(entry, arguments, _) =
                parse(words(&format!("{program} --cargo-plugin")))
            else {
                panic!("{program}: it is a protocol's call");
            };
            assert_eq!((entry.name, arguments.get("profile")), ("cargo", profile));
        }
    }

    #[test]
    fn a_link_says_which_version_it_is() {
        for program in [
            "docker-credential-cred-helper",
            "git-credential-cred-helper-work",
        ] {
            let Called::Clap(shown, _) = parse(words(&format!("{program} --version"))) else {
                panic!("{program}: it is for clap");
            };
            let shown = shown.to_string();
            assert!(shown.starts_with("cred-helper "), "{shown}");
        }
    }

    #[test]
    fn a_link_is_a_protocol_and_may_name_a_profile() {
        let table = [Entry {
            link_names: &["git-credential-cred-helper"],
            name: "git",
            summary: "",
            help: "",
            time_limit: Duration::ZERO,
            flags: &[],
            verbs: &[],
            operands: &[],
            is_raw: false,
            is_mute: false,
            serve: PROTOCOLS[0].serve,
        }];
        for (program, expected) in [
            ("git-credential-cred-helper", Some(None)),
            ("/usr/bin/git-credential-cred-helper", Some(None)),
            ("git-credential-cred-helper.exe", Some(None)),
            ("git-credential-cred-helper-work", Some(Some("work"))),
            ("git-credential-cred-helperwork", None),
            ("git-credential-cred-helper-", None),
            ("cred-helper", None),
        ] {
            let found = by_link(&program.into(), &table).map(|(_, profile)| profile);
            assert_eq!(
                found,
                expected.map(|profile: Option<&str>| profile.map(String::from))
            );
        }
    }
}
