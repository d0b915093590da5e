//! Puts the commit into `--version`, where there is one to name.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A worktree's `HEAD` lies elsewhere than its `.git`, and its log changes with each commit here
    // and in no other worktree. A file that is not there would make every build a new one.
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path])
            && Path::new(&path).exists()
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let named = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo:rustc-env=CRED_HELPER_VERSION={named}");
}

/// The commit that is built. Sources unpacked inside another repository have none.
fn commit() -> Option<String> {
    let below = git(&["rev-parse", "--show-prefix"])?;
    below
        .is_empty()
        .then(|| git(&["rev-parse", "--short=12", "HEAD"]))?
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
