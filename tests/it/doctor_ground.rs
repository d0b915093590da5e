//! What the tests of `doctor*.rs` share: an authority where somebody has signed in, and what `doctor` says
//! of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::scene::{Scene, at_once, profile};
use crate::support::{Ran, Sandbox};

/// What a line says: status, id, a part of the message, a part of the hint.
pub(crate) type Said = (&'static str, &'static str, &'static str, &'static str);

/// Whose sessions lie open because somebody wants them to.
pub(crate) const OPEN: &str = "[store]\nseal = \"none\"\n";

/// A command that prints the same key each time.
pub(crate) const SEALED: &str =
    "[store]\nseal = \"command\"\ncommand = [\"echo\", \"a key of the test\"]\n";

/// An authority, and somebody who has signed in.
pub(crate) fn signed_in(store: &str) -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        format!("{store}{}", profile("api", issuer))
    });
    scene.run(&["login", "-p", "api"]).ok();
    scene
}

pub(crate) fn well() -> Scene {
    signed_in(OPEN)
}

/// The programs that a test needs. All others are out of sight: what a machine has of tools is not the
/// test's matter, and each takes its time to tell its version.
pub(crate) const PROGRAMS: [&str; 13] = [
    "cat", "cp", "echo", "false", "faketime", "ip", "mount", "setsid", "sh", "sleep", "strace",
    "test", "unshare",
];

/// A PATH with [`PROGRAMS`] alone.
pub(crate) fn path(scene: &Scene) -> String {
    path_with(&scene.sandbox, &PROGRAMS)
}

/// A PATH of a sandbox with these programs alone, as far as they are here.
pub(crate) fn path_with(sandbox: &Sandbox, programs: &[&str]) -> String {
    let bin = sandbox.bin();
    let all = std::env::var_os("PATH").expect("PATH is set");
    for name in programs {
        let found = std::env::split_paths(&all).find(|folder| folder.join(name).is_file());
        let link = bin.join(name);
        if let Some(folder) = found.filter(|_| !link.exists()) {
            symlink(folder.join(name), link).expect("a link can be made");
        }
    }
    bin.display().to_string()
}

/// `doctor` with these arguments, by the words of a wrapper.
pub(crate) fn doctor(scene: &Scene, wrapper: &[&str], arguments: &[&str]) -> Command {
    let arguments = [&["doctor"], arguments].concat();
    let mut command = match wrapper {
        [] => scene.sandbox.command(&arguments),
        wrapper => scene.wrapped(wrapper, &arguments),
    };
    command.env("PATH", path(scene));
    command
}

/// What is promised.
const DOCUMENT: &str = include_str!("../../docs/doctor.md");

/// The lines that are not `ok`. Each id is one that is promised.
pub(crate) fn complaints(ran: &Ran) -> Vec<[String; 4]> {
    let report: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let checks = report["checks"].as_array().expect("there are checks");
    assert!(checks.len() > 1, "{report}");
    let is_ok = |check: &&Value| check["status"] == "ok";
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for check in checks.iter().filter(is_ok) {
        assert!(check["hint"].is_null(), "nothing is to be done: {check}");
    }
    for check in checks {
        let id = text(&check["id"]);
        let (group, part) = id.split_once('.').expect("it has two parts");
        let named = format!("`{group}.NAME`");
        let is_told = DOCUMENT.contains(&format!("`{id}`"));
        assert!(
            is_told || ["api", "far"].contains(&part) || group == "tool",
            "docs/doctor.md lacks `{id}`"
        );
        assert!(
            is_told || DOCUMENT.contains(&named),
            "docs/doctor.md lacks {named}"
        );
    }
    let has_error = checks.iter().any(|check| check["status"] == "error");
    assert_eq!(report["ok"], !has_error, "{report}");
    assert_eq!(ran.code == Some(0), !has_error, "{ran:?}");
    let bad = checks.iter().filter(|check| !is_ok(check));
    bad.map(|check| ["status", "id", "message", "hint"].map(|key| text(&check[key])))
        .collect()
}

/// The prepared command says this, and nothing else that is bad, in both of its forms; the store is as
/// it was.
pub(crate) fn assert_says(
    scene: &Scene,
    fault: &str,
    wrapper: &[&str],
    arguments: &[&str],
    said: &[Said],
) {
    let run =
        |more: &[&str]| scene.run_command(doctor(scene, wrapper, &[arguments, more].concat()));
    let before = kept(scene);
    let ran = run(&["-o", "json"]);
    let found = complaints(&ran);
    let matches = |found: &[String; 4], (status, id, message, hint): &Said| {
        found[0] == *status
            && found[1] == *id
            && found[2].contains(message)
            && found[3].contains(hint)
    };
    let is_it = found.len() == said.len()
        && found
            .iter()
            .zip(said)
            .all(|(found, said)| matches(found, said));
    assert!(is_it, "{fault}: {found:#?}");
    let text = run(&[]);
    assert_eq!(text.code, ran.code, "{fault}: {text:?}");
    for [status, id, message, hint] in &found {
        let line = format!("{status:<7}  {id}: {message}\n         {hint}\n");
        assert!(text.stdout.contains(line.trim_end()), "{fault}: {text:?}");
        assert!(!hint.is_empty(), "{fault}: {text:?}");
    }
    assert_eq!(kept(scene), before, "{fault}: nothing was changed");
}

/// The names and the bytes of all that lies in the store.
fn kept(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let directory = scene.sandbox.state().join("sessions");
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut kept: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("it can be read"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    kept.sort();
    kept
}
