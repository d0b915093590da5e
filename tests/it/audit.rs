//! `[audit]`: who was given which token, and `cred-helper log`, which shows it.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::process::Stdio;

use cred_helper::digest::digest;
use serde_json::{Value, json};

use crate::scene::{Scene, at_once, profile};
use crate::support::mode;

/// Somebody has signed in for `api`, and it is written down who is given its tokens.
fn audited() -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        let urls = "urls = [\"https://api.example/\"]\n";
        format!("{}{urls}[audit]\nenabled = true\n", profile("api", issuer))
    });
    scene.run(&["login"]).ok();
    scene
}

/// The records, as `log` gives them.
fn records(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let line = [&["log", "-o", "json"], arguments].concat();
    let shown = scene.run(&line).ok();
    let records = shown.lines().map(serde_json::from_str);
    records
        .map(|record| record.expect("a line is JSON"))
        .collect()
}

#[test]
fn each_answer_is_a_record_that_tells_all_but_the_token() {
    let scene = audited();
    assert_eq!(
        records(&scene, &[]),
        [] as [Value; 0],
        "a sign-in hands out nothing"
    );
    let first = scene.run(&["get"]).ok();
    let second = scene.run(&["get", "--force-refresh"]).ok();
    let url = "https://api.example/package";
    scene.run(&["pnpm", "--url", url]).ok();
    scene.run(&["get", "-p", "nobody"]).failed(8);

    let records_of_all = records(&scene, &[]);
    let expected = [
        ("get", Value::Null, "cache", &first),
        ("get", Value::Null, "refresh", &second),
        ("pnpm", "https://api.example".into(), "cache", &second),
    ];
    assert_eq!(records_of_all.len(), expected.len(), "{records_of_all:?}");
    for (record, (tool, target, source, token)) in records_of_all.iter().zip(expected) {
        assert_eq!(record["tool"], tool);
        assert_eq!(record["profile"], "api");
        assert_eq!(record["account"], "ada@example.test");
        assert_eq!(record["target"], target);
        assert_eq!(record["source"], source);
        assert_eq!(record["fingerprint"], digest(token.trim().as_bytes())[..16]);
        // As far as the system tells.
        let parent = cfg!(unix).then(std::process::id);
        assert_eq!(record["parent"], json!(parent));
        let own = std::env::current_exe().expect("a test knows its own path");
        let own = cfg!(target_os = "linux").then(|| own.display().to_string());
        assert_eq!(record["parent_program"], json!(own));
        for time in ["time", "expires_at"] {
            assert!(
                record[time]
                    .as_str()
                    .is_some_and(|time| time.ends_with('Z'))
            );
        }
    }
    let path = scene.sandbox.state().join("audit.jsonl");
    let text = fs::read_to_string(&path).expect("it is there");
    scene.sandbox.scan("the audit", &text);
    assert!(mode(&path).is_none_or(|mode| mode == 0o600));

    let shown = scene.run(&["log"]).ok();
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert!(shown.starts_with("TIME "), "{shown}");
    assert_eq!(records(&scene, &["-p", "api", "--since", "1h"]).len(), 3);
    assert_eq!(records(&scene, &["-p", "other"]).len(), 0);
    let old = text.replace("\"time\":\"2", "\"time\":\"1");
    fs::write(&path, format!("{old}{text}torn")).expect("it can be written");
    let ran = scene.run(&["log", "--since", "1h", "-o", "json"]);
    assert!(
        ran.stderr.contains("1 lines of the audit cannot be read"),
        "{ran:?}"
    );
    assert_eq!(ran.ok().lines().count(), 3);
    scene.run(&["log", "--since", "soon"]).failed(2);
}

#[test]
fn many_at_once_leave_a_whole_line_each() {
    let scene = audited();
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let mut command = scene.sandbox.command(&["get"]);
            let command = command.stdout(Stdio::null());
            command.spawn().expect("it starts")
        })
        .collect();
    for mut call in calls {
        assert!(call.wait().expect("it ends").success());
    }
    assert_eq!(records(&scene, &[]).len(), 32);
}

#[cfg(unix)]
#[test]
fn an_answer_that_cannot_be_written_down_is_given_with_a_warning() {
    let scene = audited();
    let path = scene.sandbox.state().join("audit.jsonl");
    symlink(&path, &path).expect("a link can be made");
    let ran = scene.run(&["get"]);
    assert!(
        ran.stderr
            .starts_with("warning: this answer is missing in the audit: "),
        "{ran:?}"
    );
    ran.ok();
    let error = scene.run(&["log"]).failed(9);
    assert!(error.contains("audit.jsonl` cannot be read"), "{error}");
}

#[test]
fn where_nothing_is_written_down_log_says_how_to_begin() {
    let scene = Scene::signed_in();
    scene.run(&["get"]).ok();
    assert!(!scene.sandbox.state().join("audit.jsonl").exists());
    let ran = scene.run(&["log"]);
    assert!(ran.stderr.contains("`[audit]`"), "{ran:?}");
    assert_eq!(ran.ok().lines().count(), 1);
}
