//! Puts the commit into `--version`, where there is one to name.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let commit = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let version = env!("CARGO_PKG_VERSION");
    let named = match commit {
        Some(commit) => format!("{version} ({})", commit.trim()),
        None => version.to_owned(),
    };
    println!("cargo:rustc-env=CRED_HELPER_VERSION={named}");
}
