//! What the README says of other programs is what `docs/comparison.md` measured, with the versions that
//! `.ci/compare` installs.

use std::collections::BTreeMap;

use crate::readme::read;

/// The columns of the README's table, and which of the page's each is.
const COLUMNS: &[(&str, &str)] = &[
    ("a silent answer", "against ours"),
    (
        "goes on in the background, MB",
        "goes on in the background, MB",
    ),
    ("token on the disk", "token on the disk"),
    (
        "16 calls at once, when the token has ended and refresh tokens are replaced",
        "16 calls at once, token ended, authority replaces refresh tokens",
    ),
    (
        "two minutes left, and the authority answers 503",
        "two minutes left, token endpoint answers 503",
    ),
    (
        "network gone, then back",
        "token ended, network gone; then back",
    ),
    (
        "after a restart",
        "all its processes ended, after a refresh",
    ),
];

/// The cells of all tables whose first column is `program`, by the program and the heading.
fn cells(text: &str) -> BTreeMap<(&str, &str), &str> {
    let mut cells = BTreeMap::new();
    let mut headings = Vec::new();
    for line in text.lines() {
        let Some(row) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"))
        else {
            if !line.starts_with("|--") {
                headings.clear();
            }
            continue;
        };
        let row: Vec<&str> = row.split(" | ").collect();
        if row[0] == "program" {
            headings = row;
        } else if !headings.is_empty() {
            assert_eq!(row.len(), headings.len(), "{line}");
            let pairs = headings[1..].iter().zip(&row[1..]);
            cells.extend(pairs.map(|(heading, cell)| ((row[0], *heading), *cell)));
        }
    }
    cells
}

#[test]
fn the_readme_says_of_each_program_what_was_measured() {
    let (readme, page) = (read("README.md"), read("docs/comparison.md"));
    let (told, measured) = (cells(&readme), cells(&page));
    assert!(told.len() > 4 * COLUMNS.len(), "{told:?}");
    for ((program, heading), cell) in told {
        let column = COLUMNS.iter().find(|(ours, _)| *ours == heading);
        let (_, column) = column.unwrap_or_else(|| panic!("`{heading}` is no column of the page"));
        // A dash is what was not tried.
        let expected = measured.get(&(program, *column)).unwrap_or(&"–");
        assert_eq!(cell, *expected, "{program}: {heading}");
    }
}

#[test]
fn the_versions_that_were_compared_are_those_that_are_installed() {
    let (script, page) = (read(".ci/compare"), read("docs/comparison.md"));
    let installed = |package: &str| {
        let start = format!("\"{package}=");
        let (_, rest) = script
            .split_once(&start)
            .unwrap_or_else(|| panic!("{package} is not pinned"));
        let version = rest.trim_start_matches('=').split(['"', '-']).next();
        version.expect("it has a version").to_owned()
    };
    for (package, name) in [
        ("azure-cli", "az"),
        ("gh", "gh"),
        ("git-credential-oauth", "git-credential-oauth"),
        ("msal", "MSAL Python"),
        ("oidc-agent-cli", "oidc-agent"),
    ] {
        let version = installed(package);
        assert!(
            page.contains(&format!("{name} {version}")),
            "{name} {version}"
        );
    }
}
