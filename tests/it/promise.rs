//! What the documents promise is shown by tests: each promise names some, and each that is named is
//! there and is run.
//!
//! `FILE::NAME` is a test of `tests/it`, `src/FILE::NAME` one beside the code, `chaos/main::NAME` one of
//! `tests/chaos`. A table whose last column
//! is `shown by` is one of promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The documents, and how many promises each has at least.
const DOCUMENTS: &[(&str, usize)] = &[
    ("README.md", 10),
    ("docs/standards.md", 40),
    ("docs/reliability.md", 35),
    ("docs/threat-model.md", 55),
    ("docs/msal.md", 10),
    ("docs/architecture.md", 9),
];

/// Rows that may give a reason in place of a test: what a standard asks may have no bearing here.
const WITH_REASONS: &str = "docs/standards.md";

/// The file of another binary of tests.
const CHAOS: &str = "chaos/main";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file of a test, as a document names it.
fn path(file: &str) -> String {
    if file == CHAOS {
        return format!("tests/{file}.rs");
    }
    if !file.starts_with("src/") {
        return format!("tests/it/{file}.rs");
    }
    let module = format!("{file}/mod.rs");
    let is_module = Path::new(env!("CARGO_MANIFEST_DIR")).join(&module).exists();
    if is_module {
        module
    } else {
        format!("{file}.rs")
    }
}

/// The tests of a file that are run.
fn tests(source: &str) -> BTreeSet<&str> {
    let mut lines = source.lines().map(str::trim);
    let mut tests = BTreeSet::new();
    while lines.any(|line| line == "#[test]") {
        let mut is_run = true;
        for line in lines.by_ref() {
            is_run &= !line.starts_with("#[ignore");
            if let Some(rest) = line.strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap_or_default();
                tests.extend(is_run.then_some(name));
                break;
            }
        }
    }
    tests
}

/// The tests that a text names: between backticks, which is every second piece.
fn named(text: &str) -> Vec<(&str, &str)> {
    let pieces = text.split('`').skip(1).step_by(2);
    let names = pieces.filter_map(|piece| piece.split_once("::"));
    names.filter(|(_, name)| *name != "NAME").collect()
}

/// The rows of all tables of promises, as what is promised and what shows it.
fn promises(text: &str) -> Vec<(&str, &str)> {
    let mut rows = Vec::new();
    let mut is_of_promises = false;
    for line in text.lines() {
        let Some(cells) = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix('|'))
        else {
            is_of_promises &= line.starts_with("|--");
            continue;
        };
        let (promise, shown) = cells.rsplit_once('|').unwrap_or((cells, ""));
        if shown.trim() == "shown by" {
            is_of_promises = true;
        } else if is_of_promises {
            rows.push((promise.trim(), shown.trim()));
        }
    }
    rows
}

#[test]
fn each_promise_names_tests_and_each_that_is_named_is_run() {
    let binary = read("tests/it/main.rs");
    let mut sources = BTreeMap::new();
    let mut wrong = Vec::new();
    for (document, least) in DOCUMENTS {
        let text = read(document);
        for (file, name) in named(&text) {
            let path = path(file);
            let source = sources.entry(path.clone()).or_insert_with(|| read(&path));
            let is_built = file.starts_with("src/")
                || file == CHAOS
                || binary.contains(&format!("mod {file};\n"));
            if !is_built || !tests(source).contains(name) {
                wrong.push(format!("{document}: there is no test `{file}::{name}`"));
            }
        }
        let promises = promises(&text);
        assert!(
            promises.len() >= *least,
            "{document} has {} promises alone",
            promises.len()
        );
        for (promise, shown) in promises {
            let is_shown = !named(shown).is_empty();
            if promise.is_empty() || !is_shown && (*document != WITH_REASONS || shown.is_empty()) {
                wrong.push(format!("{document}: nothing shows `{promise}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_test_that_is_missing_ignored_or_not_named_is_noticed() {
    let source = "#[test]\n#[ignore = \"slow\"]\nfn one() {\n}\n    #[test]\n    #[cfg(unix)]\n    fn two() {\n\
                  fn three() {";
    assert_eq!(tests(source), BTreeSet::from(["two"]));
    let text = "| a | b |\n|---|---|\n| `x::y` | `z` |\n\n| promise | shown by |\n|---|---|\n\
                | first | `file::name`, `src/a/b::c` |\n| second |  |\n\nnone | of | them |\n";
    let rows = promises(text);
    assert_eq!(
        rows,
        [("first", "`file::name`, `src/a/b::c`"), ("second", "")]
    );
    assert_eq!(named(rows[0].1), [("file", "name"), ("src/a/b", "c")]);
    assert_eq!(named(rows[1].1), []);
}
