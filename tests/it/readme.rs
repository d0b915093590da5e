//! The documents keep their word: examples run, links lead somewhere, tables are whole.
//!
//! A fenced block's info string says what happens to it here: `sh` and `python` are run, in the
//! order of their file and in one sandbox, and must end well; `toml` must pass `profile check`;
//! anything else is only read.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cred_helper::error::ErrorKind;
use cred_helper::grant::GRANTS;
use cred_helper::oauth::client::EndpointName;
use cred_helper::oauth::client_authentication::Method;
use cred_helper::profile::PROFILE_KEYS;
use cred_helper::profile::preset::PRESETS;
use cred_helper::protocol::PROTOCOLS;
use cred_helper::system::environment::VARIABLES;

use crate::authority::{Authority, Settings};
use crate::support::Sandbox;

/// What the examples say, and what a test's authority wants instead. `ORIGIN` is the authority's
/// `http://127.0.0.1:PORT`.
const SUBSTITUTIONS: &[(&str, &str)] = &[
    // An Entra authority on another host is known by its preset.
    (
        "authority = \"https://login.microsoftonline.com",
        "preset = \"entra\"\nauthority = \"ORIGIN",
    ),
    ("https://login.example.com", "ORIGIN"),
    ("https://graph.microsoft.com/v1.0/me", "ORIGIN/resource"),
    ("https://graph.microsoft.com/", "ORIGIN/"),
];

/// A fenced block.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// `FILE:LINE`.
    pub(crate) place: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files `*.md` of a directory, relative to the root.
pub(crate) fn documents_of(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).expect("the directory can be read");
    let mut paths: Vec<String> = entries
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let relative = path.strip_prefix(root()).expect("it lies below the root");
            relative.display().to_string().replace('\\', "/")
        })
        .collect();
    paths.sort();
    paths
}

/// The documents whose examples are promises.
pub(crate) fn promises() -> Vec<String> {
    let mut paths = vec!["README.md".to_owned()];
    paths.extend(documents_of("docs"));
    assert!(paths.len() > 5, "the documents were not found: {paths:?}");
    paths
}

pub(crate) fn blocks(path: &str) -> Vec<Block> {
    let text = read(path);
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    language: language.trim().to_owned(),
                    text: String::new(),
                    place: format!("{path}:{}", index + 1),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{path} ends inside a block");
    blocks
}

fn substituted(text: &str, origin: &str) -> String {
    let replace = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    let text = SUBSTITUTIONS.iter().fold(text.to_owned(), replace);
    text.replace("ORIGIN", origin)
}

/// A shell or an interpreter in the sandbox, which finds `cred-helper` on its PATH.
fn interpreter(sandbox: &Sandbox, language: &str, script: &str) -> Command {
    let (program, arguments): (_, &[&str]) = match language {
        "python" => ("python3", &["-c"]),
        _ => ("sh", &["-euc"]),
    };
    let mut command = Command::new(program);
    sandbox.prepare(&mut command);
    command
        .env("PATH", sandbox.path_with_links())
        .args(arguments)
        .arg(script);
    command
}

#[test]
fn every_example_runs() {
    let mut profiles = String::new();
    for block in blocks("README.md") {
        if block.language == "toml" {
            profiles.push_str(&block.text);
        }
    }
    let mut count = 0;
    for path in promises() {
        let runnable: Vec<Block> = blocks(&path)
            .into_iter()
            .filter(|block| matches!(block.language.as_str(), "sh" | "python"))
            .collect();
        if runnable.is_empty() {
            continue;
        }
        let authority = Authority::start(Settings {
            approve_at_once: true,
            ..Settings::default()
        })
        .expect("it starts");
        let origin = authority.url("");
        let sandbox = Sandbox::new(&substituted(&profiles, &origin));
        if path != "README.md" {
            // Whoever reads on has signed in by the README.
            sandbox.run(&["login", "-p", "graph"]).ok();
        }
        for block in runnable {
            let script = substituted(&block.text, &origin);
            let ran = sandbox.run_command(interpreter(&sandbox, &block.language, &script));
            assert_eq!(ran.code, Some(0), "{}\n{script}\n{ran:?}", block.place);
            for secret in authority.secrets() {
                sandbox.secret(&secret);
            }
            sandbox.scan(&format!("stderr of {}", block.place), &ran.stderr);
            count += 1;
        }
    }
    assert!(count > 10, "only {count} examples were found");
}

#[test]
fn every_profile_in_a_document_passes_the_check() {
    for path in promises() {
        for block in blocks(&path) {
            if block.language == "toml" {
                let sandbox = Sandbox::new(&block.text);
                let ran = sandbox.run(&["profile", "check"]);
                assert_eq!(ran.code, Some(0), "{}: {ran:?}", block.place);
            }
        }
    }
}

#[test]
fn a_blocks_info_string_is_one_that_contributing_explains() {
    for path in promises() {
        for block in blocks(&path) {
            let known = ["sh", "python", "toml", "json", "text"];
            assert!(
                known.contains(&block.language.as_str()),
                "{}: `{}` is none of {known:?}",
                block.place,
                block.language
            );
        }
    }
}

#[test]
fn the_readme_begins_with_the_demo_and_then_the_tests() {
    let text = read("README.md");
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("cargo "))
        .collect();
    assert_eq!(
        commands[..2],
        ["cargo run --example demo", "cargo test --all-targets"]
    );
}

/// `cargo test --all-targets` builds the example as a test, not as a program, so cargo is asked.
#[test]
fn the_demo_approves_by_itself_and_shows_a_token_and_a_refresh() {
    let own = std::env::current_exe().expect("a test knows its own path");
    let profile = own.ancestors().nth(2).expect("target/PROFILE/deps/it");
    let target = profile.parent().expect("target/PROFILE");
    let sandbox = Sandbox::new("");
    let mut command = Command::new(env!("CARGO"));
    command
        .args([
            "run",
            "--quiet",
            "--offline",
            "--locked",
            "--example",
            "demo",
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(root())
        // A profile or a session of the caller's must not matter.
        .env("CRED_HELPER_CONFIG", sandbox.config())
        .env("CRED_HELPER_STATE", sandbox.state())
        .env("CRED_HELPER_PROFILE", "none");
    if profile.ends_with("release") {
        command.arg("--release");
    }
    command.args(["--", "--yes"]);
    let output = command.output().expect("cargo starts");
    let shown = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}{said}");
    let after = |command: &str| {
        let (_, rest) = shown
            .split_once(command)
            .unwrap_or_else(|| panic!("`{command}` is not shown: {shown}"));
        rest.lines().nth(1).expect("an answer follows").to_owned()
    };
    let token = after("$ cred-helper get -p demo ");
    assert!(token.len() > 20 && !token.contains(' '), "{shown}");
    assert_eq!(
        after("resource takes it:"),
        r#"{"hello":"ada@example.test"}"#
    );
    let refreshed: serde_json::Value =
        serde_json::from_str(&after("--force-refresh")).expect("an answer in JSON follows");
    assert_eq!(refreshed["source"], "refresh");
    assert_ne!(refreshed["access_token"], token.as_str());
    assert!(sandbox.sessions().is_empty(), "it has a state of its own");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut dead = String::new();
    let mut count = 0;
    for directory in ["", "docs", "plugins/linux-broker"] {
        for path in documents_of(directory) {
            let text = read(&path);
            for (start, _) in text.match_indices("](") {
                let rest = &text[start + 2..];
                let link = &rest[..rest.find(')').unwrap_or(0)];
                if link.contains("://") || link.is_empty() {
                    continue;
                }
                count += 1;
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = if file.is_empty() {
                    PathBuf::from(&path)
                } else {
                    Path::new(&path).parent().expect("it is a file").join(file)
                };
                let full = root().join(&target);
                let is_there = full.exists()
                    && (anchor.is_empty() || anchors(&full).iter().any(|known| known == anchor));
                if !is_there {
                    writeln!(dead, "{path}: {link}").expect("a String can be written to");
                }
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{dead}");
    assert!(count > 10, "only {count} links were found");
}

/// The headings of a document as forges name them.
fn anchors(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a document can be read");
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
            heading.chars().filter(kept).collect::<String>()
        })
        .map(|heading| heading.replace(' ', "-"))
        .collect()
}

/// Fails for each name that no row of a table in the document begins with.
fn assert_rows<'n>(path: &str, names: impl IntoIterator<Item = &'n str>) {
    let text = read(path);
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .collect();
    for name in names {
        let cell = format!("`{name}`");
        assert!(
            rows.iter()
                .any(|row| row.split(" | ").take(2).any(|start| start.contains(&cell))),
            "{path} has no row of `{name}`"
        );
    }
}

#[test]
fn every_key_variable_kind_and_format_has_a_row_in_its_document() {
    assert_rows("docs/profile.md", PROFILE_KEYS.iter().map(|(key, _)| *key));
    assert_rows("docs/profile.md", GRANTS.iter().map(|entry| entry.name));
    assert_rows("docs/profile.md", PRESETS.iter().map(|preset| preset.name));
    assert_rows(
        "docs/profile.md",
        EndpointName::ALL.into_iter().map(EndpointName::key),
    );
    assert_rows("docs/profile.md", Method::ALL.into_iter().map(Method::name));
    assert_rows(
        "docs/environment.md",
        VARIABLES.iter().flat_map(|(names, _)| names.split(", ")),
    );
    assert_rows("docs/errors.md", ErrorKind::ALL.map(ErrorKind::name));
    let profile = read("docs/profile.md");
    let tools = profile.lines().find(|line| line.starts_with("| `tools` |"));
    for entry in PROTOCOLS {
        let name = format!("`{}`", entry.name);
        assert!(
            tools.is_some_and(|row| row.contains(&name)),
            "{tools:?} lacks {name}"
        );
    }
    let get = PROTOCOLS.iter().find(|entry| entry.name == "get");
    let output = get
        .and_then(|get| get.flags.iter().find(|flag| flag.long == "output"))
        .expect("`get` has formats");
    assert_rows("docs/commands.md", output.choices.iter().copied());
}

#[test]
fn exit_codes_are_those_of_the_document() {
    let text = read("docs/errors.md");
    for kind in ErrorKind::ALL {
        let row = format!("| {} | `{}` |", kind.exit_code(), kind.name());
        assert!(text.contains(&row), "docs/errors.md lacks `{row}`");
    }
}
