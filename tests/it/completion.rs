//! The completion scripts in `completions/` are those that the program would print.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Sandbox;
use crate::tool::{BASH, needs};

/// The shells, and the name under which each looks for its script.
const SCRIPTS: &[(&str, &str)] = &[
    ("bash", "cred-helper.bash"),
    ("zsh", "_cred-helper"),
    ("fish", "cred-helper.fish"),
    ("powershell", "_cred-helper.ps1"),
];

#[test]
fn the_committed_completions_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let sandbox = Sandbox::new("");
    let mut stale = Vec::new();
    for (shell, name) in SCRIPTS {
        let printed = sandbox.run(&["completions", shell]).ok();
        let committed = fs::read_to_string(directory.join(name)).unwrap_or_default();
        if committed.replace("\r\n", "\n") != printed {
            stale.push(format!(
                "cargo run -- completions {shell} > completions/{name}"
            ));
        }
    }
    assert!(
        stale.is_empty(),
        "completions are stale; run\n{}",
        stale.join("\n")
    );
}

#[test]
fn bash_completes_commands_and_what_follows_them() {
    needs!(BASH);
    const COMPLETE: &str = r#"
        source completions/cred-helper.bash
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _cred__helper "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        echo "${COMPREPLY[@]}"
    "#;
    let rows = [
        ("cred-helper log", "login logout log"),
        ("cred-helper login --st", "--start"),
        (
            "cred-helper login --grant ",
            "auto authorization_code device_code",
        ),
        ("cred-helper -v setup g", "git go"),
        ("cred-helper profile ro", "route"),
        ("cred-helper profile route --to", "--tool"),
    ];
    for (line, completed) in rows {
        let output = Command::new("bash")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["--norc", "-c", COMPLETE, "bash"])
            .args(line.split(' '))
            .output()
            .expect("bash starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed.trim_end(), completed, "{line}");
    }
}
