//! What the program is made of: `docs/dependencies.md` and `deny.toml` against `Cargo.toml`,
//! `Cargo.lock`, and what the crates themselves say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use toml::Table;

/// How many crates may there be, for all systems together?
const MOST: usize = 220;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table(path: &str) -> Table {
    read(path).parse().expect("it is TOML")
}

/// The direct dependencies, with or without those of the tests.
fn direct(manifest: &Table, with_tests: bool) -> BTreeSet<String> {
    let own = manifest.get("target").and_then(toml::Value::as_table);
    let of_systems = own
        .into_iter()
        .flatten()
        .filter_map(|(_, own)| own.as_table());
    let mut names = BTreeSet::new();
    for of_one in of_systems.chain([manifest]) {
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let own = of_one.get(kind).and_then(toml::Value::as_table);
            let is_wanted = with_tests || kind != "dev-dependencies";
            names.extend(
                own.filter(|_| is_wanted)
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone()),
            );
        }
    }
    names
}

/// A crate of `Cargo.lock`.
struct Locked {
    name: String,
    source: Option<String>,
    /// As `NAME`, or `NAME VERSION` where there are several.
    needs: Vec<String>,
}

/// All of `Cargo.lock`, by `NAME` and by `NAME VERSION`.
fn locked() -> BTreeMap<String, Locked> {
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().expect("it lists packages");
    let mut all = BTreeMap::new();
    for package in packages {
        let text = |key: &str| {
            package
                .get(key)
                .and_then(|value| value.as_str().map(String::from))
        };
        let needs = package.get("dependencies").and_then(toml::Value::as_array);
        let needs = needs.into_iter().flatten();
        let needs: Vec<String> = needs
            .filter_map(|need| need.as_str().map(String::from))
            .collect();
        let name = text("name").expect("a package has a name");
        let version = text("version").expect("a package has a version");
        for known_as in [name.clone(), format!("{name} {version}")] {
            let (name, source, needs) = (name.clone(), text("source"), needs.clone());
            all.insert(
                known_as,
                Locked {
                    name,
                    source,
                    needs,
                },
            );
        }
    }
    all
}

/// The crates that become part of the program on some system, as `NAME` or `NAME VERSION`.
fn shipped(locked: &BTreeMap<String, Locked>) -> BTreeSet<String> {
    let direct = direct(&table("Cargo.toml"), false);
    let own = locked["cred-helper"].needs.iter();
    let mut left: Vec<&String> = own
        .filter(|need| direct.contains(&locked[*need].name))
        .collect();
    let mut shipped = BTreeSet::new();
    while let Some(name) = left.pop() {
        if shipped.insert(name.clone()) {
            left.extend(&locked[name].needs);
        }
    }
    shipped
}

#[test]
fn each_direct_dependency_has_its_sentence_and_none_is_left_over() {
    let text = read("docs/dependencies.md");
    let mut rows = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{line}");
        assert!(cells[1..5].iter().all(|cell| !cell.is_empty()), "{line}");
        assert!(
            rows.insert(cells[1].trim_matches('`').to_owned()),
            "twice: {line}"
        );
    }
    assert_eq!(rows, direct(&table("Cargo.toml"), true));
}

#[test]
fn no_more_crates_than_the_limit_are_shipped() {
    let shipped = shipped(&locked());
    let (count, text) = (shipped.len(), read("docs/dependencies.md"));
    assert!(shipped.contains("reqwest") && !shipped.contains("proptest"));
    assert!(count > 100 && count <= MOST, "{count} crates are shipped");
    assert!(
        text.contains(&format!("are no more than {MOST}.")),
        "the document says another limit"
    );
}

#[test]
fn all_crates_come_from_crates_io_under_licences_that_are_listed() {
    let rules = table("deny.toml");
    let list = |table: &str, key: &str| rules[table][key].as_array().expect("a list").clone();
    let sources = list("sources", "allow-registry");
    let locked = locked();
    for (name, one) in locked.iter().filter(|(_, one)| one.name != "cred-helper") {
        let source = one
            .source
            .as_deref()
            .and_then(|source| source.strip_prefix("registry+"));
        let is_listed = sources.iter().any(|listed| listed.as_str() == source);
        assert!(source.is_some() && is_listed, "{name} is of {source:?}");
    }

    // What is not built here is not here: the crates of other systems are looked at there.
    let built = built();
    assert!(built.len() > 100, "only {} are built", built.len());
    let banned = list("bans", "deny");
    let is_banned = |name: &str| {
        banned
            .iter()
            .any(|rule| rule["crate"].as_str() == Some(name))
    };
    let allowed = list("licenses", "allow");
    let allowed: Vec<&str> = allowed.iter().filter_map(toml::Value::as_str).collect();
    for (name, licence) in &built {
        assert!(!is_banned(name), "{name} is built");
        assert!(is_allowed(licence, &allowed), "{name} is under `{licence}`");
    }
}

/// The crates that become part of the program on this system, each with its licence. The lock file
/// and `cargo metadata` also name what no feature that is used brings in.
fn built() -> BTreeSet<(String, String)> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--locked", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}|{l}"])
        .output()
        .expect("cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let crates = text.lines().filter_map(|line| {
        let (package, licence) = line.trim_end_matches(" (*)").rsplit_once('|')?;
        let name = package.split(' ').next()?;
        Some((name.to_owned(), licence.to_owned()))
    });
    crates.collect()
}

/// Whether an SPDX expression (or one of cargo's older form) leaves a choice that is allowed.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.trim();
    // The operator that binds least, outside of brackets.
    for (operator, is_choice) in [(" OR ", true), ("/", true), (" AND ", false)] {
        let places = expression.match_indices(operator);
        let is_outside = |place: &usize| {
            let before = &expression[..*place];
            before.matches('(').count() == before.matches(')').count()
        };
        if let Some(place) = places.map(|(place, _)| place).find(is_outside) {
            let left = is_allowed(&expression[..place], allowed);
            let right = is_allowed(&expression[place + operator.len()..], allowed);
            return if is_choice {
                left || right
            } else {
                left && right
            };
        }
    }
    let inner = expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    match inner {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(&expression),
    }
}

#[test]
fn a_licence_is_allowed_if_a_choice_is_left() {
    let allowed = ["MIT", "ISC"];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("ISC AND MIT", true),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", false),
        ("ISC OR GPL-3.0 AND GPL-2.0", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}
