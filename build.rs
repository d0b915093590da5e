//! Puts the commit into `--version`, where there is one to name, and gcc's unwinder into releases.

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
    if !is_release_for_here() {
        return;
    }
    if let Some(directory) = unwinder() {
        println!("cargo:rustc-link-search=native={directory}");
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    if reads_packed_relocations() {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The commit that is built. Sources unpacked inside another repository have none.
fn commit() -> Option<String> {
    let below = git(&["rev-parse", "--show-prefix"])?;
    below
        .is_empty()
        .then(|| git(&["rev-parse", "--short=12", "HEAD"]))?
}

/// Whether this is a release for glibc on this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "this is how cargo talks to a build script"
)]
fn is_release_for_here() -> bool {
    let is = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
    let is_native = std::env::var("TARGET") == std::env::var("HOST");
    let is_gnu = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    is_native && is_gnu && is("PROFILE", "release")
}

/// Whether the loader here knows `DT_RELR`: glibc does from 2.36 on, and an older one refuses the binary.
/// It relocates 6,000 places before anything of ours runs: packed, their list is 140 KB shorter.
fn reads_packed_relocations() -> bool {
    let version = output("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_default();
    let number = version.strip_prefix("glibc 2.");
    number.is_some_and(|number| number.parse().is_ok_and(|number: u32| number >= 36))
}

/// Where gcc has `libgcc_eh.a`. To load `libgcc_s.so.1` instead, which is the default, takes a
/// tenth of a silent call's time.
fn unwinder() -> Option<String> {
    // A library that gcc does not have comes back as the bare name.
    let library = output("cc", &["-print-file-name=libgcc_eh.a"])?;
    let directory = Path::new(&library).parent()?;
    directory
        .is_absolute()
        .then(|| directory.display().to_string())
}

fn git(arguments: &[&str]) -> Option<String> {
    output("git", arguments)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
