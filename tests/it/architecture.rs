//! The architecture in words is that of the code: `docs/architecture.md`, and the head of each folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The page.
fn page() -> String {
    read("docs/architecture.md")
}

/// The layers of the header, in their order.
pub(crate) fn layers_of_the_header() -> Vec<(String, Vec<String>)> {
    let layers = layers(&read("src/lib.rs"));
    assert_eq!(layers.len(), 8, "the layers of lib.rs: {layers:?}");
    layers
}

/// The folders in one, by name.
fn folders(path: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(at(path)).expect("the folder can be read");
    let entries = entries.map(|entry| entry.expect("its entries can be read"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders
        .map(|folder| folder.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The folders in the root that are the repository's: sources of crates and builds can lie beside them.
fn roots() -> BTreeSet<String> {
    let mut git = Command::new("git");
    let output = git.arg("ls-files").current_dir(at("")).output();
    let output = output.expect("git can be started");
    assert!(output.status.success(), "{output:?}");
    let paths = String::from_utf8_lossy(&output.stdout);
    let folders = paths.lines().filter_map(|path| path.split_once('/'));
    folders.map(|(folder, _)| folder.to_owned()).collect()
}

/// The cells of the rows of the table whose head begins with `first`.
fn rows<'t>(text: &'t str, first: &str) -> Vec<Vec<&'t str>> {
    let head = format!("| {first} |");
    let lines = text.lines().map(|line| line.trim_start_matches("//! "));
    let table = lines.skip_while(|line| !line.starts_with(&head));
    let table = table.take_while(|line| line.starts_with('|'));
    table
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The modules of a layer, in the words of the header.
fn modules(cell: &str) -> Vec<String> {
    let words = cell.split([',', ';']);
    let words = words.flat_map(|part| part.split(" beside them"));
    let words = words.map(|word| word.trim().trim_matches('`'));
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The layers as a text says them: the number, and the modules in their order.
fn layers(text: &str) -> Vec<(String, Vec<String>)> {
    let rows = rows(text, "layer");
    let layers = rows.iter();
    layers
        .map(|row| (row[0].to_owned(), modules(row[1])))
        .collect()
}

#[test]
fn the_page_has_the_layers_of_the_header_in_their_order() {
    assert_eq!(layers(&page()), layers_of_the_header());
}

#[test]
fn the_page_has_each_folder_once_and_those_of_the_source_in_the_order_of_the_layers() {
    let page = page();
    let named: Vec<&str> = rows(&page, "folder")
        .iter()
        .map(|row| row[0].trim_matches('`'))
        .collect();
    let layers = layers_of_the_header();
    let order: Vec<&String> = layers.iter().flat_map(|(_, modules)| modules).collect();
    let mut expected: Vec<String> = folders("src").into_iter().collect();
    expected.sort_by_key(|folder| order.iter().position(|module| *module == folder));
    let expected: Vec<String> = expected
        .iter()
        .map(|folder| format!("src/{folder}/"))
        .collect();
    assert_eq!(named, expected);
    let beside = page.split_once("Beside `src/`").expect("it has them").1;
    let beside: BTreeSet<String> = rows(beside, "folder")
        .iter()
        .map(|row| row[0].trim_matches(['`', '/']).to_owned())
        .collect();
    let is_beside = |name: &String| !name.starts_with('.') && name != "src";
    let mut expected: BTreeSet<String> = roots().into_iter().filter(is_beside).collect();
    expected.insert(".ci".to_owned());
    assert_eq!(beside, expected);
}

#[test]
fn each_path_on_the_page_is_there() {
    let page = page();
    let roots = roots();
    let is_path = |word: &&str| {
        let root = word.split('/').next().unwrap_or_default();
        word.contains('/') && !word.contains("::") && roots.iter().any(|own| own == root)
    };
    let blocks = page.split("```").skip(1).step_by(2);
    let in_blocks = blocks.flat_map(|block| block.split([' ', '\n', '(', ')', ',', ':']));
    let words: BTreeSet<&str> = quoted(&page).chain(in_blocks).filter(is_path).collect();
    assert!(words.len() > 40, "{words:?}");
    for word in words {
        let is_pattern = word.contains("TOOL") || word.contains("NAME");
        assert!(is_pattern || at(word).exists(), "there is no `{word}`");
    }
}

#[test]
fn each_type_on_the_page_is_in_its_file() {
    let page = page();
    let rows = rows(&page, "type");
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let path = row[1].trim_matches('`');
        let source = read(path);
        for name in quoted(row[0]) {
            let is_there = ["struct", "enum", "trait", "fn"].iter().any(|kind| {
                let declared = format!("pub {kind} {name}");
                let mut places = source.match_indices(&declared);
                places.any(|(start, _)| {
                    let next = source[start + declared.len()..].chars().next();
                    next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
                })
            });
            assert!(is_there, "`{name}` is not in {path}");
        }
    }
}

/// Where a folder's head lies: in it, or beside it under the same name.
fn head(folder: &str) -> String {
    let heads = [format!("{folder}/mod.rs"), format!("{folder}.rs")];
    let mut heads = heads.into_iter().filter(|head| at(head).exists());
    let head = heads.next();
    assert!(heads.next().is_none(), "`{folder}` has two heads");
    head.unwrap_or_else(|| panic!("`{folder}` has no head"))
}

#[test]
fn each_folder_of_the_source_begins_with_what_lives_there_and_how_to_add_one_more() {
    let mut open: Vec<String> = folders("src")
        .into_iter()
        .map(|folder| format!("src/{folder}"))
        .collect();
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        let below = folders(&folder).into_iter();
        open.extend(below.map(|below| format!("{folder}/{below}")));
        let head = head(&folder);
        let source = read(&head);
        let words = source.lines().take_while(|line| line.starts_with("//!"));
        let words: Vec<&str> = words
            .map(|line| line.trim_start_matches("//!").trim())
            .collect();
        let words = words.join(" ");
        assert!(words.contains('.'), "{head} does not say what lives there");
        assert!(words.contains("To add "), "{head} does not say how to add");
        seen += 1;
    }
    assert!(seen > 20, "{seen} folders alone");
}
