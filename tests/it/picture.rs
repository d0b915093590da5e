//! The pictures in the documents are of this program: `.ci/pictures` makes each, and what is read on
//! them is what the binary shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::http_server::{Answer, HttpServer};
use crate::readme::{promises, read};
use crate::scene::{Scene, at_once, profile};

/// The most that a picture may have, in bytes.
const LIMIT: u64 = 40_000;

/// The profiles of `.ci/pictures`, by the authority and the API of a test.
fn profiles(issuer: &str, api: &str) -> String {
    let of_work = format!("urls = [\"https://git.example.com/\", \"{api}\"]\n");
    let further = [
        ("work", of_work.as_str()),
        ("cluster", "tools = [\"kubectl\"]\n"),
        ("mail", "tools = [\"get\"]\n"),
    ];
    // Each has a client of its own, and so a sign-in.
    let of_client = |(name, more): (&str, &str)| {
        profile(name, issuer).replace("\"cli\"", &format!("\"{name}\"")) + more
    };
    further.map(of_client).concat()
}

/// What the documents show, by the document: text in place of a picture, and its file.
fn shown() -> Vec<(String, String, PathBuf)> {
    let mut shown = Vec::new();
    for document in promises() {
        let text = read(&document);
        for (start, _) in text.match_indices("![") {
            let (alternative, rest) = text[start + 2..].split_once("](").expect("it is an image");
            let (file, _) = rest.split_once(')').expect("its address ends");
            let folder = Path::new(&document).parent().expect("it is a file");
            shown.push((document.clone(), alternative.to_owned(), folder.join(file)));
        }
    }
    shown
}

/// The lines of a picture, with as many blanks before each as it shows.
fn lines(name: &str) -> Vec<String> {
    let picture = read(&format!("docs/pictures/{name}.svg"));
    let texts = picture.lines().filter(|line| line.starts_with("<text"));
    let line = |text: &str| {
        let mut line = String::new();
        for piece in text.split("<tspan ").skip(1) {
            let (attributes, rest) = piece.split_once('>').expect("it has a start");
            let (words, _) = rest.split_once("</tspan>").expect("it has an end");
            let start = attributes.split('"').nth(1).map(str::parse::<f64>);
            let start = start.expect("x comes first").expect("it is a number");
            // Columns are 8.43 wide, behind a margin of 16.
            while 16.0 + 8.43 * (line.chars().count() as f64) < start - 1.0 {
                line.push(' ');
            }
            line += &words
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
        }
        line
    };
    texts.map(line).collect()
}

/// A text without sequences for the terminal.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (index, piece) in text.split('\u{1b}').enumerate() {
        // A control sequence ends with a letter; a command of the operating system with `ESC \`.
        let is_end = |letter: char| letter.is_ascii_alphabetic();
        plain += match piece.chars().next() {
            Some('[') if index > 0 => piece.split_once(is_end).map_or("", |(_, after)| after),
            Some(']') if index > 0 => "",
            Some('\\') if index > 0 => &piece[1..],
            _ => piece,
        };
    }
    plain.replace("\r\n", "\n")
}

/// The words of a text but for those of one run alone: addresses, names, codes, times, and the seal.
fn words(text: &str) -> String {
    let plain = plain(text);
    let is_of_a_run = |word: &&str| {
        let is_code = word.contains('-') && word.chars().all(|letter| !letter.is_lowercase());
        word.contains("://")
            || word.contains('@')
            || word.contains(|letter: char| letter.is_ascii_digit())
            || is_code && word.len() > 1
            || ["keyring", "none"].contains(word)
    };
    let words = plain.split_whitespace().filter(|word| !is_of_a_run(word));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_picture_is_made_by_the_script_small_told_in_words_and_shown() {
    let script = read(".ci/pictures");
    let mut found = BTreeSet::new();
    for (document, alternative, file) in shown() {
        let place = format!("{document}: {}", file.display());
        assert!(alternative.len() > 20, "{place}: {alternative:?}");
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        let size = fs::metadata(&full).map(|data| data.len());
        assert!(size.is_ok_and(|size| size < LIMIT), "{place}");
        let name = file.file_stem().and_then(|name| name.to_str());
        let name = name.expect("its name is text").to_owned();
        assert!(script.contains(&format!("keep(\"{name}\"")), "{place}");
        found.insert(name);
    }
    let made: BTreeSet<String> = script
        .split("keep(\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(found, made, "each is shown somewhere");
}

#[test]
fn what_is_read_on_a_picture_is_what_the_program_shows() {
    let request = lines("request");
    let shown = request[1..].join("\n");
    // A server has the same to say, on one line.
    let answer: serde_json::Value = serde_json::from_str(&shown).expect("it shows JSON");
    let api = HttpServer::start(move |request| match request.authorization() {
        ("Bearer", _) => {
            Answer::new(200, answer.to_string()).with("Content-Type", "application/json")
        }
        _ => Answer::challenge(&["Bearer"]),
    });
    let scene = Scene::of(at_once(), |issuer| profiles(issuer, &api.url("/")));
    let terminal =
        "stty cols 80 rows 40; export TERM=xterm-256color LC_ALL=C.UTF-8; unset NO_COLOR";
    let before_status = "cred-helper login -p cluster; cred-helper setup git; ";
    for (name, before) in [("sign-in", ""), ("status", before_status)] {
        let picture = lines(name);
        let command = picture[0]
            .strip_prefix("$ ")
            .expect("it begins with a prompt");
        let seen = scene
            .sandbox
            .in_terminal(&format!("{terminal}; {before}{command}"));
        let seen = words(&seen.wait());
        // How long a token is still good decides how that is told: each cell is looked for alone.
        let cells = picture[1..].iter().flat_map(|line| line.split("  "));
        let read: Vec<String> = cells.map(words).collect();
        assert!(
            read.iter().filter(|cell| !cell.is_empty()).count() > 2,
            "{read:?}"
        );
        for cell in read {
            assert!(seen.contains(&cell), "{name}: {cell:?} is not in {seen:?}");
        }
    }
    let command = request[0].strip_prefix("$ ").expect("a prompt");
    assert!(command.contains("https://api.example.com/"), "{command}");
    let command = command.replace("https://api.example.com/", &api.url("/"));
    let seen = scene.sandbox.in_terminal(&format!("{terminal}; {command}"));
    assert_eq!(plain(&seen.wait()).trim_end(), shown);
}
