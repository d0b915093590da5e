//! What mutation testing leaves out, in `.cargo/mutants.toml`: each entry names a file and a function that
//! are there, and each test module that it runs is there. An entry of something that is gone hides nothing
//! but what comes later.

use std::fs;
use std::path::Path;

use toml::Table;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn texts(configuration: &Table, key: &str) -> Vec<String> {
    let list = configuration[key].as_array().expect("it is a list");
    let texts = list.iter().map(|text| text.as_str().expect("it is text"));
    texts.map(String::from).collect()
}

/// The text that a regular expression stands for, as far as these go.
fn plain(expression: &str) -> String {
    let text = expression.replace("[.]", ".").replace("[*]", "*");
    text.replace('\\', "").trim_end_matches('$').to_owned()
}

/// The last part of `Attempt<'a>::find`.
fn function(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn what_is_left_out_is_there() {
    let configuration: Table = read(".cargo/mutants.toml").parse().expect("it is TOML");
    for expression in texts(&configuration, "exclude_re") {
        let text = plain(&expression);
        let (place, change) = text
            .strip_prefix("^src/")
            .and_then(|text| text.split_once(".rs:"))
            .unwrap_or_else(|| panic!("`{expression}` names no file"));
        let places = place.trim_start_matches('(').trim_end_matches(')');
        for place in places.split('|') {
            let source = read(&format!("src/{place}.rs"));
            if let Some((_, guard)) = change.split_once("match guard ") {
                let (guard, _) = guard.rsplit_once(" with ").expect("it is replaced");
                let is_there = without_blanks(&source).contains(&without_blanks(guard));
                assert!(is_there, "`{expression}`: no such guard");
            }
            let name = match change.rsplit_once(" in ") {
                Some((_, name)) => Some(name),
                None => change
                    .split_once(" -> ")
                    .and_then(|(name, _)| name.split_once("replace "))
                    .map(|(_, name)| name),
            };
            let wanted = match (name, change.split_once(" for ")) {
                (Some(name), _) => ["(", "<"].map(|end| format!("fn {}{end}", function(name))),
                (None, Some((_, of))) => {
                    let (of, _) = of.split_once('>').expect("it is an implementation");
                    ["std::fmt::Debug", "fmt::Debug"].map(|what| format!("impl {what} for {of} "))
                }
                // It is in no function.
                (None, None) => ["pub const ", "\nconst "].map(str::to_owned),
            };
            let is_there = wanted.iter().any(|wanted| source.contains(wanted));
            assert!(is_there, "`{expression}`: none of {wanted:?}");
        }
    }
    let arguments = texts(&configuration, "additional_cargo_test_args");
    for module in arguments.iter().filter_map(|name| name.strip_suffix("::")) {
        let path = format!("{}/tests/it/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(module == "tests" || Path::new(&path).exists(), "{path}");
    }
}
