//! What the shells propose when somebody presses Tab: the scripts in `completions/` ask the program.

use std::process::Command;

use crate::support::Sandbox;
use crate::tool::{BASH, FISH, ZSH, needs};

/// The profiles that are proposed.
const PROFILES: &str = r#"
    [profiles.graph]
    client_id = "c"
    authority = "https://login.example/"
    scopes = []
    urls = ["https://graph.example/v1.0/", "https://*.graph.example/"]
    [profiles.grafana]
    client_id = "c"
    authority = "https://login.example/"
    scopes = []
    urls = ["https://grafana.example/"]
"#;

/// A line as far as the cursor, and all the words that can stand there, sorted.
const LINES: &[(&str, &str)] = &[
    ("cred-helper logi", "login"),
    ("cred-helper log", "log login logout"),
    ("cred-helper login --st", "--start"),
    (
        "cred-helper login --grant ",
        "authorization_code auto device_code",
    ),
    ("cred-helper -v setup g", "git go"),
    ("cred-helper profile ro", "route"),
    ("cred-helper profile route --to", "--tool"),
    ("cred-helper get -p gra", "grafana graph"),
    (
        "cred-helper -q get --scope x --profile gra",
        "grafana graph",
    ),
    ("cred-helper get -p x --output h", "header headers"),
    ("cred-helper profile show graf", "grafana"),
    ("cred-helper get -p nobody", ""),
    ("cred-helper ref", ""),
];

/// Of a URL, and of `--OPTION=`, shells see several words.
const DIVIDED: &[(&str, &str)] = &[
    (
        "cred-helper get --url https://gra",
        "https://grafana.example/ https://graph.example/v1.0/",
    ),
    (
        "cred-helper get --profile=gra",
        "--profile=grafana --profile=graph",
    ),
];

fn script(name: &str) -> String {
    format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a shell that finds the program, and gives the words that it printed, in order.
fn words(sandbox: &Sandbox, shell: &[&str]) -> Vec<String> {
    let mut command = Command::new(shell[0]);
    sandbox.prepare(&mut command);
    command
        .env("PATH", sandbox.path_with_links())
        .args(&shell[1..]);
    let output = command.output().expect("the shell starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut words: Vec<String> = printed.split_whitespace().map(String::from).collect();
    words.sort_unstable();
    words
}

#[test]
fn bash_completes_commands_options_and_names() {
    needs!(BASH);
    // As readline calls it, with its words divided at `:` and `=`.
    const COMPLETE: &str = r#"
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        _cred_helper cred-helper "" ""
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let sandbox = Sandbox::new(PROFILES);
    let script = script("cred-helper.bash");
    let divided = DIVIDED.iter().map(|(line, whole)| {
        // What readline has taken already is not repeated.
        let rest = whole.replace("https:", "").replace("--profile=", "");
        (*line, rest)
    });
    let lines = LINES
        .iter()
        .map(|(line, expected)| (*line, (*expected).to_owned()));
    for (line, expected) in lines.chain(divided) {
        let shell = ["bash", "--norc", "-c", COMPLETE, "bash", &script, line];
        assert_eq!(words(&sandbox, &shell).join(" "), expected, "{line}");
    }
}

#[test]
fn fish_completes_commands_options_and_names() {
    needs!(FISH);
    const COMPLETE: &str = "source $argv[1]; complete -C $argv[2] | string replace -r '\t.*' ''";
    let sandbox = Sandbox::new(PROFILES);
    let script = script("cred-helper.fish");
    for (line, expected) in LINES.iter().chain(DIVIDED) {
        let shell = ["fish", "--no-config", "-c", COMPLETE, &script, line];
        assert_eq!(words(&sandbox, &shell).join(" "), *expected, "{line}");
    }
}

#[test]
fn zsh_completes_commands_options_and_names() {
    needs!(ZSH);
    // As zle calls it; what it would list is printed instead.
    const COMPLETE: &str = r#"
        _describe() {
            local proposal
            for proposal in "${(@P)4}"; do
                # What stands before the first colon that is one.
                proposal=${proposal//\\:/$'\1'}
                print -r -- ${${proposal%%:*}//$'\1'/:}
            done
        }
        _files() {}
        compdef() {}
        source "$1"
        words=("${(@s: :)2}") CURRENT=$#words PREFIX=$words[-1]
        _cred-helper
    "#;
    let sandbox = Sandbox::new(PROFILES);
    let script = script("_cred-helper");
    for (line, expected) in LINES.iter().chain(DIVIDED) {
        let shell = ["zsh", "-f", "-c", COMPLETE, "zsh", &script, line];
        assert_eq!(words(&sandbox, &shell).join(" "), *expected, "{line}");
    }
}

#[test]
fn names_of_files_are_left_to_the_shell_and_mistakes_propose_nothing() {
    let sandbox = Sandbox::new(PROFILES);
    let complete = |words: &[&str]| {
        let line = [&["complete", "--next", "--"], words].concat();
        sandbox.run(&line).ok()
    };
    for words in [
        &["--config"][..],
        &["get", "--output-file"],
        &["man"],
        &["exec", "-p", "graph", "--"],
        &["exec", "-p", "graph", "--", "make"],
    ] {
        assert_eq!(complete(words), "\t\n", "{words:?}");
    }
    sandbox.write_profiles("profiles = 1\n");
    assert_eq!(complete(&["get", "-p"]), "");
    sandbox.write_profiles("[profiles.\"a\\u001b[31mb\"]\n");
    let shown = complete(&["get", "-p"]);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}
