//! The documents are a book that cannot go stale: `docs/SUMMARY.md` has each page once, each command and
//! each of its options is described and has a page, whatever the documents have somebody type is a line
//! that the program takes, and tables of reference name what there is and nothing else.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use cred_helper::cli::{self, Called};
use cred_helper::error::ErrorKind;
use cred_helper::exchange::EXCHANGES;
use cred_helper::grant::{ANY_KEY, GRANTS};
use cred_helper::oauth::client::EndpointName;
use cred_helper::oauth::client_authentication::Method;
use cred_helper::profile::preset::PRESETS;
use cred_helper::profile::{FILE_KEYS, PROFILE_KEYS};
use cred_helper::system::environment::VARIABLES;

use serde_json::Value;

use crate::help::commands;
use crate::readme::{blocks, documents_of, promises, read};
use crate::support::Sandbox;

/// What stands in the documents for one of several words, and one of these.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("COMMAND", "get"),
    ("SEAL", "none"),
    ("SHELL", "bash"),
    ("TOOL", "git"),
];

#[test]
fn the_summary_has_each_page_of_the_book_once() {
    let mut listed = Vec::new();
    for line in read("docs/SUMMARY.md").lines() {
        // What mdBook reads: a title, parts, and chapters, those in a list perhaps below others.
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let chapter = line.trim_start().trim_start_matches("- ");
        let page = chapter
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]("))
            .and_then(|(_, rest)| rest.strip_suffix(".md)"));
        let page = page.unwrap_or_else(|| panic!("no chapter: {line}"));
        listed.push(format!("docs/{page}.md"));
    }
    listed.sort();
    let mut pages = documents_of("docs");
    pages.retain(|page| page != "docs/SUMMARY.md");
    assert_eq!(listed, pages);
    let book: toml::Table = read("book.toml").parse().expect("it is TOML");
    assert_eq!(book["book"]["src"].as_str(), Some("docs"));
}

#[test]
fn a_page_begins_with_its_title_and_has_no_other() {
    for page in documents_of("docs") {
        let text = read(&page);
        assert!(text.starts_with("# "), "{page} begins with no title");
        let mut is_of_a_block = false;
        let titles = text.lines().filter(|line| {
            is_of_a_block ^= line.trim_start().starts_with("```");
            !is_of_a_block && line.starts_with("# ")
        });
        // The summary's parts are titles, too.
        assert!(
            page.ends_with("/SUMMARY.md") || titles.count() == 1,
            "{page}"
        );
    }
}

/// What is typed after `cred-helper`, wherever in a text it stands as a shell's command does.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for (start, name) in text.match_indices("cred-helper ") {
        let line = text[..start].rsplit('\n').next().unwrap_or_default();
        let quote = ['"', '\'']
            .into_iter()
            .find(|quote| line.matches(*quote).count() % 2 == 1);
        let before = line.chars().next_back();
        // A command of a shell, the value of a tool's key, or what stands behind a prompt.
        let is_command = match before {
            Some(' ') => line.trim_end().ends_with(BEFORE_A_COMMAND) || line.trim().is_empty(),
            Some(before) => "(\"'`/!".contains(before),
            None => true,
        };
        if is_command {
            calls.push(words(&text[start + name.len()..], quote));
        }
    }
    // Behind the name of a link stand the flags of the tool that is meant; and what is said of
    // cred-helper is no call.
    calls.retain(|call| {
        let first = call.first().map_or("-p", String::as_str);
        let is_word =
            first.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-');
        is_word && first != "-p" && !SAID_OF_US.contains(&first)
    });
    calls
}

/// What ends before a command begins, perhaps after blanks.
const BEFORE_A_COMMAND: [char; 9] = ['|', '&', ';', '=', ':', '$', '-', '{', '('];

/// How errors begin that tools show.
const SAID_OF_US: &[&str] = &["stores"];

/// The words of a command, as a shell reads them; `quote` may stand around all of it.
fn words(text: &str, quote: Option<char>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_word = false;
    let mut within: Option<char> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, within) {
            ('\\', _) if letters.peek() == Some(&'\n') => {
                letters.next();
            }
            // A quote within what JSON quotes.
            ('\\', None | Some('\\')) if letters.peek() == Some(&'"') => {
                letters.next();
                within = within.xor(Some('\\'));
                is_word = true;
            }
            _ if within == Some(letter) => within = None,
            (_, Some(_)) => word.push(letter),
            _ if Some(letter) == quote => break,
            // A pipe in a table is written so.
            ('|' | '<' | '>' | ')' | ';' | '&' | '`' | '\n' | '\\', None) => break,
            ('#', None) if !is_word => break,
            ('"' | '\'', None) => {
                within = Some(letter);
                is_word = true;
            }
            (' ', None) => {
                words.extend(is_word.then(|| std::mem::take(&mut word)));
                is_word = false;
            }
            // What can be left out is told so.
            ('[' | ']', None) => {}
            (_, None) => {
                word.push(letter);
                is_word = true;
            }
        }
    }
    // The number of a stream, which is redirected.
    let is_stream = word == "2" && text.contains("2>");
    words.extend((is_word && !is_stream).then_some(word));
    words
}

/// What is wrong with a call; `is_mention` is whether what it needs may be left out.
fn mistake(call: &[String], is_mention: bool) -> Option<String> {
    let meant = call.iter().map(|word| {
        let known = PLACEHOLDERS.iter().find(|(name, _)| name == word);
        OsString::from(known.map_or(word.as_str(), |(_, example)| *example))
    });
    let line = std::iter::once(OsString::from("cred-helper")).chain(meant);
    match cli::parse(line.collect()) {
        Called::Mistake(error, _) => {
            let message = error.message().to_owned();
            (!is_mention || !message.contains("were not provided")).then_some(message)
        }
        Called::Protocol(..) | Called::Command(..) | Called::Clap(..) => None,
    }
}

/// What stands below the options of each command's help.
fn helps() -> Vec<(String, String)> {
    fn collect(command: &clap::Command, found: &mut Vec<(String, String)>) {
        let help = command.get_after_help().map(ToString::to_string);
        found.extend(help.map(|help| (command.get_name().to_owned(), help)));
        command
            .get_subcommands()
            .for_each(|below| collect(below, found));
    }
    let mut found = Vec::new();
    collect(&cli::command_line(), &mut found);
    found
}

#[test]
fn whatever_the_documents_and_the_help_have_somebody_type_is_a_line_that_the_program_takes() {
    let mut wrong = String::new();
    let mut count = 0;
    let mut check = |place: &str, text: &str, is_mention: bool| {
        for call in calls(text) {
            count += 1;
            if let Some(mistake) = mistake(&call, is_mention) {
                writeln!(wrong, "{place}: cred-helper {}: {mistake}", call.join(" "))
                    .expect("a String can be written to");
            }
        }
    };
    for (command, help) in helps() {
        check(&format!("the help of {command}"), &help, false);
    }
    let others = [
        "CONTRIBUTING.md",
        "SECURITY.md",
        "python/README.md",
        "plugins/linux-broker/README.md",
    ];
    for path in promises().into_iter().chain(others.map(str::to_owned)) {
        for block in blocks(&path) {
            check(&block.place, &block.text, false);
        }
        let text = read(&path);
        for (index, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                continue;
            }
            // Between backticks is every second piece.
            for span in line.split('`').skip(1).step_by(2) {
                check(&format!("{path}:{}", index + 1), span, true);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(count > 200, "only {count} calls were found");
}

#[test]
fn calls_are_found_as_a_shell_reads_them() {
    for (text, expected) in [
        (
            "cred-helper get -p x -o header | curl",
            vec!["get -p x -o header"],
        ),
        ("t=$(cred-helper get -p x 2>/dev/null)", vec!["get -p x"]),
        ("cred-helper get \\\n    -p x   # why", vec!["get -p x"]),
        ("helper = '!cred-helper git -p x'", vec!["git -p x"]),
        ("passwordeval \"cred-helper get -p x\"", vec!["get -p x"]),
        (
            "cred-helper get -p a && cred-helper status",
            vec!["get -p a", "status"],
        ),
        ("\"cred-helper -p NAME\"", vec![]),
        ("docker-credential-cred-helper get", vec![]),
        ("ada asks cred-helper for a token", vec![]),
        (
            "{\"c\":\"cred-helper get --url \\\"$X\\\" -o json\"}",
            vec!["get --url $X -o json"],
        ),
        (
            "echo \"run: cred-helper login -p x\" >&2",
            vec!["login -p x"],
        ),
    ] {
        let found: Vec<String> = calls(text).iter().map(|call| call.join(" ")).collect();
        assert_eq!(found, expected, "{text}");
    }
    let call = |line: &str| words(line, None);
    assert!(mistake(&call("profile rout URL"), true).is_some());
    assert!(mistake(&call("get --scopes x"), true).is_some());
    assert!(mistake(&call("profile show"), false).is_some());
    assert_eq!(mistake(&call("profile show"), true), None);
    assert_eq!(mistake(&call("profile show NAME"), false), None);
}

/// The cells of the rows of the first table below a heading.
fn rows<'t>(text: &'t str, heading: &str) -> Vec<Vec<&'t str>> {
    let heading = format!("{heading}\n");
    let first = text.strip_prefix(&heading);
    let other = || {
        text.split_once(&format!("\n{heading}"))
            .map(|(_, below)| below)
    };
    let below = first.or_else(other);
    let below = below.unwrap_or_else(|| panic!("there is no `{heading}`"));
    let table = below.lines().skip_while(|line| !line.starts_with("| "));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Fails unless the cells of a table's column name all of `names`, and nothing else.
fn assert_column<'n>(
    (path, heading, column): (&str, &str, usize),
    names: impl IntoIterator<Item = &'n str>,
) {
    let text = read(path);
    let rows = rows(&text, heading);
    let found: BTreeSet<&str> = rows.iter().flat_map(|row| named(row[column])).collect();
    let expected: BTreeSet<&str> = names.into_iter().collect();
    assert_eq!(found, expected, "{path}, {heading}");
    for row in &rows {
        let meaning = row.get(column + 1).copied().unwrap_or_default();
        assert!(!meaning.is_empty(), "{path}: {row:?}");
    }
}

#[test]
fn tables_of_reference_name_what_there_is_and_nothing_else() {
    let profile = "docs/profile.md";
    let keys = PROFILE_KEYS.iter().map(|(key, _)| *key);
    assert_column((profile, "## Keys of a profile", 0), keys);
    let endpoints = EndpointName::ALL.into_iter().map(EndpointName::key);
    assert_column((profile, "### Endpoints", 0), endpoints);
    let grants = GRANTS.iter().map(|entry| entry.name);
    assert_column((profile, "### Grants", 0), grants);
    let presets = PRESETS.iter().map(|preset| preset.name);
    assert_column((profile, "### Presets", 0), presets);
    let methods = Method::ALL.into_iter().map(Method::name);
    assert_column((profile, "### Client authentication", 0), methods);
    let own: Vec<String> = FILE_KEYS
        .iter()
        .filter(|(table, _)| *table != "policy")
        .flat_map(|(table, keys)| keys.iter().map(move |key| format!("{table}.{key}")))
        .collect();
    let own = own.iter().map(String::as_str).chain(["default_profile"]);
    assert_column((profile, "## Other keys", 0), own);
    let variables = VARIABLES.iter().flat_map(|(names, _)| names.split(", "));
    let environment = ("docs/environment.md", "# Environment variables", 0);
    assert_column(environment, variables);
    let kinds = ErrorKind::ALL.map(ErrorKind::name);
    assert_column(
        ("docs/errors.md", "## Kinds", 1),
        kinds.into_iter().chain(["interrupted"]),
    );
}

#[test]
fn the_keys_of_each_grant_exchange_and_policy_are_told() {
    let text = read("docs/profile.md");
    let has = |row: &[&str], key: &str| row.iter().any(|cell| cell.contains(&format!("`{key}`")));
    for (row, entry) in rows(&text, "### Grants").iter().flat_map(|row| {
        let entry = GRANTS
            .iter()
            .find(|entry| named(row[0]).next() == Some(entry.name));
        entry.map(|entry| (row, entry))
    }) {
        for key in entry.keys.iter().filter(|key| **key != ANY_KEY) {
            assert!(has(row, key), "the row of `{}` lacks `{key}`", entry.name);
        }
    }
    let of_a_profile = rows(&text, "## Keys of a profile");
    for entry in EXCHANGES {
        for key in entry.keys {
            let is_told = of_a_profile
                .iter()
                .any(|row| row[0].contains(entry.name) && has(row, key));
            assert!(is_told, "the row of `{}` lacks `{key}`", entry.name);
        }
    }
    let policy = FILE_KEYS.iter().find(|(table, _)| *table == "policy");
    for key in policy.expect("there are keys of `[policy]`").1 {
        assert!(text.contains(&format!("\n| `{key}` |")), "`policy.{key}`");
    }
}

#[test]
fn every_command_has_a_row_with_its_page_and_every_row_is_a_command() {
    let commands: BTreeSet<String> = commands().iter().map(|words| words.join(" ")).collect();
    let text = read("docs/commands.md");
    let mut found = BTreeSet::new();
    for heading in ["## For people", "## For tools and scripts"] {
        for row in rows(&text, heading) {
            let name = named(row[0]).next().expect("a row begins with a command");
            let page = row.last().expect("a row has cells");
            assert!(page.contains("]("), "`{name}` has no page");
            assert!(found.insert(name.to_owned()), "`{name}` has two rows");
        }
    }
    assert_eq!(found, commands);
}

/// The value of a flag that a command has, in clap's words.
fn formats(command: &clap::Command) -> Option<Vec<String>> {
    let output = command
        .get_arguments()
        .find(|argument| argument.get_id() == "output")?;
    let values = output.get_possible_values();
    Some(
        values
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect(),
    )
}

#[test]
fn every_format_is_told_and_json_has_the_members_that_are_told() {
    let text = read("docs/commands.md");
    let whole = cli::command_line();
    let of_get = formats(whole.find_subcommand("get").expect("there is `get`"));
    let of_get = of_get.expect("`get` has formats");
    let of_get = of_get.iter().map(String::as_str);
    assert_column(("docs/commands.md", "## Formats of `get`", 0), of_get);

    let with_json = commands().into_iter().filter(|words| {
        let mut command = &whole;
        for word in words {
            command = command.find_subcommand(word).expect("it was found there");
        }
        words != &["get"]
            && formats(command).is_some_and(|all| all.iter().any(|name| name == "json"))
    });
    let with_json: Vec<String> = with_json.map(|words| words.join(" ")).collect();
    let with_json = with_json.iter().map(String::as_str);
    assert_column(
        ("docs/commands.md", "## Answers for programs", 0),
        with_json,
    );

    let sandbox = Sandbox::new(PROFILE);
    for row in rows(&text, "## Answers for programs") {
        let command = named(row[0]).next().expect("a row begins with a command");
        let Some((_, line)) = EXAMPLES.iter().find(|(name, _)| *name == command) else {
            continue;
        };
        let printed = sandbox.run(&line.split(' ').collect::<Vec<_>>()).stdout;
        let answer: Value = serde_json::from_str(&printed).expect("it is JSON");
        assert_members(row[1], &answer, command);
    }
}

/// A profile that nobody has signed in for.
const PROFILE: &str = "[profiles.x]\nclient_id = \"c\"\nauthority = \"https://login.example.com\"\n\
    scopes = [\"s\"]\nurls = [\"https://x.example\"]\n";

/// Those that need neither a sign-in nor a network, as calls.
const EXAMPLES: &[(&str, &str)] = &[
    ("status", "status -o json"),
    ("profile list", "profile list -o json"),
    ("profile route", "profile route https://x.example/y -o json"),
    ("profile presets", "profile presets -o json"),
    ("setup", "setup --list -o json"),
    ("store list", "store list -o json"),
    ("store migrate", "store migrate --to none --dry-run -o json"),
    ("doctor", "doctor --offline -o json"),
];

/// Fails unless `told` names all members of an object, and of those in its arrays if it tells these.
fn assert_members(told: &str, answer: &Value, command: &str) {
    let names: BTreeSet<&str> = named(told).filter(|name| !name.starts_with('-')).collect();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for (name, member) in answer.as_object().into_iter().flatten() {
        found.insert(name);
        let row = member.as_array().and_then(|rows| rows.first()?.as_object());
        if told.contains("objects with") || told.contains("the last two") {
            found.extend(row.into_iter().flatten().map(|(name, _)| name.as_str()));
        }
    }
    let is_empty = command == "store list";
    assert!(
        is_empty && found.is_subset(&names) || found == names,
        "{command}: {found:?}"
    );
}

#[test]
fn every_preset_has_a_profile_in_a_page_of_an_authority_or_a_tool() {
    let pages: String = documents_of("docs").iter().map(|page| read(page)).collect();
    for preset in PRESETS {
        // One without a client or endpoints of its own is asked for by its authority alone.
        let names = [
            format!("preset = \"{}\"", preset.name),
            format!("| `{}` | a private or test host", preset.name),
            format!("There is a preset `{}`", preset.name),
        ];
        assert!(
            names.iter().any(|name| pages.contains(name)),
            "{}",
            preset.name
        );
    }
}

#[test]
fn what_can_be_added_is_told_as_the_architecture_tells_it() {
    let architecture = read("src/lib.rs").replace("//! ", "").replace("//!", "");
    let told = read("docs/extending.md");
    let own = rows(&architecture, "# How one adds …");
    assert!(own.len() > 5, "{own:?}");
    assert_eq!(rows(&told, "# How to add something"), own);
}

#[test]
fn every_option_and_operand_of_every_command_is_described() {
    fn check(command: &clap::Command, above: &str) {
        let name = format!("{above} {}", command.get_name());
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{name}: {}",
                argument.get_id()
            );
        }
        let below = command.get_subcommands();
        below
            .filter(|below| !below.is_hide_set())
            .for_each(|below| check(below, &name));
    }
    check(&cli::command_line(), "");
}

/// What decides where directories lie and what a terminal can do is for everybody, and told in prose.
const OF_THE_SYSTEM: &[&str] = &[
    "APPDATA",
    "ProgramData",
    "PATH",
    "TERM",
    "WT_SESSION",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// What is looked for in a table of somebody else's variables.
const OF_OTHERS: &[(&str, &str)] = &[
    ("src/setup/aws.rs", "AWS_ACCESS_KEY_ID"),
    ("src/protocol/google.rs", "AUDIENCE"),
    ("src/protocol/google.rs", "TOKEN_TYPE"),
    ("src/protocol/google.rs", "OUTPUT_FILE"),
];

#[test]
fn a_variable_that_the_program_reads_is_in_the_table_of_variables() {
    let known: BTreeSet<&str> = VARIABLES
        .iter()
        .flat_map(|(names, _)| names.split(", "))
        .collect();
    let mut count = 0;
    for path in sources(Path::new("src")) {
        let text = read(&path);
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        for call in ["variable(\"", "is_set_to_nothing(\""] {
            for piece in code.split(call).skip(1) {
                let name = piece.split('"').next().unwrap_or_default();
                let is_excused =
                    OF_THE_SYSTEM.contains(&name) || OF_OTHERS.contains(&(path.as_str(), name));
                // What is named like none is a word of ours.
                let is_name = name.contains(|letter: char| letter.is_ascii_uppercase());
                assert!(
                    !is_name || is_excused || known.contains(name),
                    "{path}: {name}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} were found");
}

/// The sources below a directory, relative to the root.
fn sources(directory: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(directory)).expect("the directory can be read") {
        let path = entry.expect("its entries can be read").path();
        let own = path.strip_prefix(root).expect("it lies below the root");
        if path.is_dir() {
            found.extend(sources(own));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(own.display().to_string());
        }
    }
    found
}
