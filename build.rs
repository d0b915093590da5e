//! Puts the commit, where there is one to name, and how it was built into `--version`, and gcc's unwinder
//! into releases.

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
    // A package has no tests but those beside the code.
    println!("cargo:rustc-check-cfg=cfg(packaged)");
    if Path::new(PACKAGED).exists() {
        println!("cargo:rustc-cfg=packaged");
    }
    let version = env!("CARGO_PKG_VERSION");
    let named = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo:rustc-env=CRED_HELPER_VERSION={named}");
    println!("cargo:rustc-env=CRED_HELPER_BUILD={}", build());
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

/// What `cargo package` puts beside the sources, and names the commit in.
const PACKAGED: &str = ".cargo_vcs_info.json";

/// How many digits of a commit are named.
const COMMIT_DIGITS: usize = 12;

/// The commit that is built: the one that `cargo package` has noted, or that of this repository. Sources
/// that are unpacked inside another repository have none.
fn commit() -> Option<String> {
    let commit = packaged_commit().or_else(|| {
        let below = git(&["rev-parse", "--show-prefix"])?;
        below.is_empty().then(|| git(&["rev-parse", "HEAD"]))?
    })?;
    commit.get(..COMMIT_DIGITS).map(str::to_owned)
}

/// What the package names, unless it has what that commit has not.
fn packaged_commit() -> Option<String> {
    let noted = std::fs::read_to_string(PACKAGED).ok()?;
    if noted.contains("\"dirty\": true") {
        return None;
    }
    let (_, commit) = noted.split_once("\"sha1\": \"")?;
    let is_commit = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    commit
        .split('"')
        .next()
        .filter(is_commit)
        .map(str::to_owned)
}

/// For which system, whether it needs nothing of it, for whom, and by which compiler.
fn build() -> String {
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    let is_static = features.split(',').any(|feature| feature == "crt-static");
    let compiler = output(&variable("RUSTC"), &["--version"]).unwrap_or_default();
    // The compiler's own commit follows.
    let compiler: Vec<&str> = compiler.split(' ').take(2).collect();
    let mut told = vec![variable("TARGET")];
    told.extend(is_static.then(|| "static".to_owned()));
    told.extend([variable("PROFILE"), compiler.join(" ")]);
    told.join(", ")
}

/// Whether this is a release for glibc on this machine.
fn is_release_for_here() -> bool {
    let is = |name: &str, value: &str| variable(name) == value;
    let is_gnu = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    is("HOST", &variable("TARGET")) && is_gnu && is("PROFILE", "release")
}

/// What cargo tells a build script; empty if it does not.
#[expect(
    clippy::disallowed_methods,
    reason = "this is how cargo talks to a build script"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
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
