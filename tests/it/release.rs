//! What a release is made of: the package, its commit, and what the program says of how it was built.
//! `.ci/release` tries the files themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use cred_helper::grant::GRANTS;
use cred_helper::protocol::PROTOCOLS;
use cred_helper::store::seal::SEALS;

use crate::support::Sandbox;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a program prints, which ends well and warns of nothing.
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it can be started");
    let text = |bytes| String::from_utf8(bytes).expect("it is UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    stdout
}

fn cargo_package(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--locked", "--offline", "--allow-dirty"]);
    printed(cargo.args(arguments).current_dir(ROOT))
}

/// The Rust sources below a directory.
fn sources(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it can be read");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![fs::read_to_string(path).expect("it is text")],
        })
        .collect()
}

#[test]
fn the_package_has_what_its_sources_include_and_cargo_warns_of_nothing() {
    let target = tempfile::tempdir().expect("a directory can be made");
    let target = target.path().to_str().expect("it is text");
    cargo_package(&["--no-verify", "--quiet", "--target-dir", target]);
    let list = cargo_package(&["--list"]);
    let list: Vec<&str> = list.lines().collect();
    let mut included = 0;
    for source in sources(&Path::new(ROOT).join("src")) {
        for by in ["include_str!(\"", "include_bytes!(\""] {
            for rest in source.split(by).skip(1) {
                let (path, _) = rest.split_once('"').expect("it ends");
                let path = path.trim_start_matches("../");
                assert!(list.contains(&path), "{path} is missing");
                included += 1;
            }
        }
    }
    assert!(included > 20, "{included}");
    for path in ["Cargo.lock", "LICENSE-MIT", "LICENSE-APACHE", "build.rs"] {
        assert!(list.contains(&path), "{path} is missing");
    }
}

/// What the build script tells cargo, of sources in a directory where `.cargo_vcs_info.json` says `noted`.
fn told_by_build_script(noted: Option<&str>) -> String {
    let place = tempfile::tempdir().expect("a directory can be made");
    let script = place.path().join("script");
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition=2024", "-Awarnings", "build.rs", "-o"]);
    compiler.arg(&script).current_dir(ROOT);
    printed(compiler.env("CARGO_PKG_VERSION", "1.2.3"));
    if let Some(noted) = noted {
        let file = place.path().join(".cargo_vcs_info.json");
        fs::write(file, noted).expect("it can be written");
    }
    let mut script = Command::new(script);
    let cargos = [
        ("RUSTC", "rustc"),
        ("TARGET", "x86_64-unknown-linux-musl"),
        ("CARGO_CFG_TARGET_FEATURE", "fxsr,crt-static,sse2"),
        ("PROFILE", "release"),
    ];
    // A repository above the temporary directory is not ours.
    let script = script.current_dir(&place).envs(cargos);
    printed(script.env("GIT_CEILING_DIRECTORIES", place.path()))
}

#[test]
fn a_package_names_the_commit_that_it_was_made_of() {
    let noted = |dirty| {
        format!(
            "{{\n  \"git\": {{\n    \"sha1\": \"0123456789abcdef0123456789abcdef01234567\"{dirty}\n  }},\n  \
             \"path_in_vcs\": \"\"\n}}"
        )
    };
    let (clean, dirty) = (noted(""), noted(",\n    \"dirty\": true"));
    for (noted, version) in [
        (Some(clean.as_str()), "1.2.3 (0123456789ab)"),
        // What is built is not that commit.
        (Some(dirty.as_str()), "1.2.3"),
        (Some("{}"), "1.2.3"),
        (None, "1.2.3"),
    ] {
        let told = told_by_build_script(noted);
        let version = format!("cargo:rustc-env=CRED_HELPER_VERSION={version}\n");
        assert!(told.contains(&version), "{noted:?}: {told}");
        let build = "CRED_HELPER_BUILD=x86_64-unknown-linux-musl, static, release, rustc 1.";
        assert!(told.contains(build), "{told}");
    }
}

#[test]
fn the_version_names_the_build_and_what_is_in_it() {
    let sandbox = Sandbox::new("");
    let short = sandbox.run(&["-V"]).ok();
    let version = format!("cred-helper {}", env!("CARGO_PKG_VERSION"));
    assert!(short.starts_with(&version), "{short}");
    assert_eq!(short.lines().count(), 1, "{short}");
    let long = sandbox.run(&["--version"]).ok();
    assert!(long.starts_with(&short), "{long}");
    let line = |name: &str| {
        let start = format!("{name}: ");
        let found = long.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("{name}: {long}")).to_owned()
    };
    let build = line("Build");
    assert!(build.starts_with(std::env::consts::ARCH), "{build}");
    assert!(build.contains(", debug, rustc 1."), "{build}");
    let names = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let grants: Vec<_> = GRANTS.iter().map(|entry| entry.name).collect();
    assert_eq!(names(line("Grants")), grants);
    let protocols: Vec<_> = PROTOCOLS.iter().map(|entry| entry.name).collect();
    assert_eq!(names(line("Protocols")), protocols);
    let seals: Vec<_> = SEALS.iter().map(|seal| seal.name).collect();
    assert_eq!(names(line("Seals")), seals);
    if cfg!(target_os = "linux") {
        assert_eq!(line("Keyring"), "the Secret Service");
    }
}

#[test]
fn the_changelog_has_a_section_for_this_version_below_what_is_to_come() {
    let text = fs::read_to_string(Path::new(ROOT).join("CHANGELOG.md")).expect("it is there");
    let sections: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## ["))
        .collect();
    assert_eq!(sections[0], "Unreleased]");
    let version = format!("{}] - ", env!("CARGO_PKG_VERSION"));
    assert!(sections[1].starts_with(&version), "{sections:?}");
}
