//! What the README says of other programs is what `docs/comparison.md` measured, with the versions that
//! `.ci/compare` installs.

use std::collections::BTreeMap;

use crate::readme::read;

/// The rows of all tables whose first column is `program`: by its name, the other cells.
fn rows(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut is_of_programs = false;
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match cells.first() {
            Some(first) if line.starts_with("| ") => {
                if *first == "program" {
                    is_of_programs = true;
                } else if is_of_programs {
                    rows.entry(first).or_default().extend(&cells[1..]);
                }
            }
            _ => is_of_programs &= line.starts_with("|--"),
        }
    }
    rows
}

#[test]
fn the_readme_says_of_each_program_what_was_measured() {
    let (readme, page) = (read("README.md"), read("docs/comparison.md"));
    let (told, measured) = (rows(&readme), rows(&page));
    assert!(told.len() > 4, "{told:?}");
    for (program, cells) in told {
        let known = measured
            .get(program)
            .unwrap_or_else(|| panic!("docs/comparison.md knows no {program}"));
        // A dash is what was not tried.
        for cell in cells.into_iter().filter(|cell| *cell != "–") {
            assert!(
                known.contains(&cell),
                "{program}: `{cell}` is none of {known:?}"
            );
        }
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
