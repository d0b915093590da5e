//! Command-line arguments of tools: a table of flags, and a parser that costs nothing.
//!
//! What people type is parsed by clap, from the same tables; what tools call must not pay for it.

use std::ffi::OsString;

/// A flag in a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// `--NAME`.
    pub long: &'static str,
    /// `-N`.
    pub short: Option<char>,
    /// What its value is called; `None` if it takes none.
    pub value: Option<&'static str>,
    /// The only values it takes; empty for any.
    pub choices: &'static [&'static str],
    /// Whether it may be given several times.
    pub many: bool,
    /// One line of help.
    pub help: &'static str,
}

impl Flag {
    /// A flag with a value.
    pub const fn value(long: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            long,
            short: None,
            value: Some(value),
            choices: &[],
            many: false,
            help,
        }
    }

    /// A flag without a value.
    pub const fn switch(long: &'static str, help: &'static str) -> Self {
        Self {
            value: None,
            ..Self::value(long, "", help)
        }
    }

    /// With a short form.
    #[must_use]
    pub const fn short(self, short: char) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    /// With a set of values.
    #[must_use]
    pub const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    /// To be given several times.
    #[must_use]
    pub const fn many(self) -> Self {
        Self { many: true, ..self }
    }
}

/// `-p`, as every command has it.
pub const PROFILE: Flag = Flag::value("profile", "NAME", "Profile to use").short('p');

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    values: Vec<(&'static str, String)>,
    operands: Vec<OsString>,
}

impl Arguments {
    /// Adds a flag; its value is empty if it takes none.
    pub fn add(&mut self, long: &'static str, value: String) {
        self.values.push((long, value));
    }

    /// Adds an operand: what the tool wants done, or for what.
    pub fn add_operand(&mut self, operand: impl Into<OsString>) {
        self.operands.push(operand.into());
    }

    /// An operand; the first is 0.
    pub fn operand(&self, index: usize) -> Option<&str> {
        self.operands.get(index)?.to_str()
    }

    /// The operands, in their order. In a line of a tool's own they are whatever was given, and may not be
    /// Unicode.
    pub fn operands(&self) -> &[OsString] {
        &self.operands
    }

    /// Whether the flag was given.
    pub fn has(&self, long: &str) -> bool {
        self.values.iter().any(|(name, _)| *name == long)
    }

    /// The flag's value, the last one if there are several.
    pub fn get(&self, long: &str) -> Option<&str> {
        let given = self.values.iter().rev().find(|(name, _)| *name == long);
        given.map(|(_, value)| value.as_str())
    }

    /// The flag's values.
    pub fn all(&self, long: &str) -> Vec<String> {
        let given = self.values.iter().filter(|(name, _)| *name == long);
        given.map(|(_, value)| value.clone()).collect()
    }
}

/// Reads `arguments` by the tables, with so many operands at most. `None` for anything unusual
/// (help, a mistake, one operand more, bytes that are not Unicode): clap reads it again, and says
/// what is wrong.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    tables: &[&'static [Flag]],
    most_operands: usize,
) -> Option<Arguments> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut parsed = Arguments::default();
    loop {
        let matches = |flag: &&'static Flag, argument: &lexopt::Arg<'_>| match argument {
            lexopt::Arg::Long(long) => flag.long == *long,
            lexopt::Arg::Short(short) => flag.short == Some(*short),
            lexopt::Arg::Value(_) => false,
        };
        let Some(argument) = parser.next().ok()? else {
            return Some(parsed);
        };
        if let lexopt::Arg::Value(value) = argument {
            if parsed.operands.len() == most_operands {
                return None;
            }
            parsed.add_operand(value.into_string().ok()?);
            continue;
        }
        let mut flags = tables.iter().copied().flatten();
        let flag = flags.find(|flag| matches(flag, &argument))?;
        if parsed.has(flag.long) && !flag.many {
            return None;
        }
        let value = match flag.value {
            Some(_) => parser.value().ok()?.into_string().ok()?,
            None => String::new(),
        };
        if !flag.choices.is_empty() && !flag.choices.contains(&value.as_str()) {
            return None;
        }
        parsed.add(flag.long, value);
    }
}

/// Reads the flags of `tables` at the beginning of `arguments`, to the first other word or to `--`, and
/// takes all that follows as operands: it is a line of a tool's own. `None` for a flag without its value, and
/// for one whose value is not Unicode.
pub fn parse_beginning(
    arguments: impl IntoIterator<Item = OsString>,
    tables: &[&'static [Flag]],
) -> Option<Arguments> {
    let mut own = Vec::new();
    let mut rest = arguments.into_iter().peekable();
    while let Some(flag) = rest.peek().and_then(|word| flag_of(word.to_str()?, tables)) {
        let takes_next = flag.0.value.is_some() && !flag.1;
        own.extend(rest.next());
        if takes_next {
            own.push(rest.next()?);
        }
    }
    rest.next_if(|word| word == "--");
    let mut parsed = parse(own, tables, 0)?;
    for word in rest {
        parsed.add_operand(word);
    }
    Some(parsed)
}

/// The flag that a word is, and whether its value is in it.
fn flag_of(word: &str, tables: &[&'static [Flag]]) -> Option<(&'static Flag, bool)> {
    let mut flags = tables.iter().copied().flatten();
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, _)) => (name, true),
            None => (long, false),
        };
        return flags
            .find(|flag| flag.long == name)
            .map(|flag| (flag, value));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let short = letters.next()?;
    let is_only = letters.next().is_none();
    // `-Plugin` is a word of a tool's, and no `-P lugin`.
    flags
        .find(|flag| is_only && flag.short == Some(short))
        .map(|flag| (flag, false))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{Flag, PROFILE, parse, parse_beginning};

    const TABLE: &[Flag] = &[
        PROFILE,
        Flag::value("scope", "S", "").many(),
        Flag::value("output", "F", "")
            .short('o')
            .choices(&["a", "b"]),
        Flag::switch("quiet", "").short('q'),
    ];

    fn read(line: &str) -> Option<super::Arguments> {
        let words = line.split_whitespace().map(OsString::from);
        parse(words, &[TABLE], 0)
    }

    #[test]
    fn a_tool_says_in_operands_what_it_wants_and_for_what() {
        let read = |line: &str| {
            let words = line.split_whitespace().map(OsString::from);
            parse(words, &[TABLE], 2)
        };
        for (line, second) in [
            ("get -p x", None),
            ("-p x get", None),
            ("-p x -- get", None),
            ("-p x get host", Some("host")),
            ("get -p x host", Some("host")),
        ] {
            let arguments = read(line).expect(line);
            assert_eq!(arguments.operand(0), Some("get"), "{line}");
            assert_eq!(arguments.operand(1), second, "{line}");
            assert_eq!(arguments.get("profile"), Some("x"), "{line}");
        }
        assert_eq!(read("-p x").expect("none is none").operand(0), None);
        assert_eq!(read("get get get"), None);
    }

    #[test]
    fn a_line_of_a_tools_own_begins_where_our_flags_end() {
        for (line, profile, operands) in [
            ("account show", None, "account show"),
            ("-p x account -p y --help", Some("x"), "account -p y --help"),
            ("--profile x -o json", Some("x"), "-o json"),
            ("--profile=x --unknown", Some("x"), "--unknown"),
            ("-Plugin", None, "-Plugin"),
            ("--help", None, "--help"),
            ("-p y -- -p x", Some("y"), "-p x"),
            ("-- -- x", None, "-- x"),
            ("", None, ""),
        ] {
            let words = line.split_whitespace().map(OsString::from);
            let arguments = parse_beginning(words, &[&[PROFILE]]).expect(line);
            assert_eq!(arguments.get("profile"), profile, "{line}");
            assert_eq!(
                arguments.operands(),
                operands.split_whitespace().collect::<Vec<_>>()
            );
        }
        assert_eq!(parse_beginning([OsString::from("-p")], &[&[PROFILE]]), None);
    }

    #[test]
    fn flags_are_read_in_every_usual_form() {
        for line in [
            "-p x",
            "-px",
            "-p=x",
            "--profile x",
            "--profile=x",
            "-qpx",
            "-q -p x",
        ] {
            assert_eq!(read(line).expect(line).get("profile"), Some("x"), "{line}");
        }
        assert_eq!(
            read("--scope a --scope b").unwrap().all("scope"),
            ["a", "b"]
        );
        assert!(read("-q").unwrap().has("quiet"));
    }

    #[test]
    fn everything_unusual_is_left_to_clap() {
        for line in [
            "--help",
            "-h",
            "operand",
            "--unknown",
            "-p",
            "-p x -p y",
            "-o c",
            "--quiet=x",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
