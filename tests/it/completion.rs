//! The completion scripts in `completions/` are those that the program would print.

use std::fs;
use std::path::Path;

use crate::support::Sandbox;

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
