//! `status`: a picture for people, as wide as the terminal, which goes on as long as it is watched.

use std::fs;

use serde_json::Value;

use crate::doctor_ground::OPEN;
use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once, profile};

/// A scene with an audit, in which `api` has answered `get`, and nobody is signed in for `other`.
fn scene() -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        let other = profile("other", issuer).replace("\"cli\"", "\"second\"");
        let api = profile("api", issuer);
        format!("{OPEN}[audit]\nenabled = true\n{api}{other}tools = [\"git\"]\n")
    });
    scene.run(&["login", "-p", "api"]).ok();
    scene.run(&["get", "-p", "api"]).ok();
    scene
}

/// What `status` shows on a terminal that is so wide.
fn shown(scene: &Scene, columns: usize, environment: &str) -> String {
    let line = format!("stty cols {columns} rows 24; {environment} cred-helper status");
    let shown = scene.sandbox.in_terminal(&line).wait();
    shown.replace("\r\n", "\n")
}

#[test]
fn a_status_fits_its_terminal_and_is_exact_where_there_is_none() {
    let scene = scene();
    let wide = shown(&scene, 200, "TERM=xterm");
    let plain = shown(&scene, 200, "TERM=xterm NO_COLOR=1");
    let header = "PROFILE  ACCOUNT           ACCESS UNTIL  REFRESHABLE  SEAL  LAST USED";
    let first = plain.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(header) && first.ends_with("  TOOLS"),
        "{plain}"
    );
    assert!(plain.contains("s ago by get  any\n"), "{plain}");
    assert!(plain.contains("not signed in"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert!(wide.contains("\u{1b}[31mnot signed in\u{1b}[0m"), "{wide}");
    let narrow = shown(&scene, 40, "NO_COLOR=1");
    assert!(
        narrow.starts_with("api\n  account       ada@example.test\n"),
        "{narrow}"
    );
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 40),
        "{narrow}"
    );
    let usual = shown(&scene, 80, "NO_COLOR=1");
    assert!(usual.starts_with("PROFILE  ACCOUNT"), "{usual}");
    assert!(
        usual.lines().all(|line| line.chars().count() <= 80),
        "{usual}"
    );

    let told = scene.run(&["status", "-o", "json"]).json();
    let account = &told["profiles"][0]["accounts"][0];
    assert_eq!(account["last_used_by"], "get", "{told}");
    assert_eq!(told["profiles"][0]["needs_person"], true, "{told}");
    let table = scene.run(&["status"]).ok();
    for key in ["access_expires_at", "last_used_at"] {
        let time = account[key].as_str().expect("it is told");
        assert!(table.contains(time), "{key}: {table}");
    }
    // What setup has written is told, without asking the tool.
    let gitconfig = scene.file(".gitconfig");
    let text = fs::read_to_string(scene.sandbox.config()).expect("it is there");
    let text = format!("{text}urls = [\"https://code.example.test/\"]\n");
    scene.sandbox.write_profiles(&text);
    scene.run(&["setup", "git"]).ok();
    assert!(gitconfig.exists());
    let told: Value = scene.run(&["status", "-p", "other", "-o", "json"]).json();
    let set_up = &told["profiles"][0]["set_up"];
    assert_eq!(*set_up, serde_json::json!(["git"]), "{told}");
    // Nothing but the table, the audit's absence too, is in the way of whoever has none.
    scene
        .sandbox
        .write_profiles(&profile("api", &scene.authority.issuer()));
    let table = scene.run(&["status"]).ok();
    assert!(table.contains("LAST REFRESHED"), "{table}");
}

#[test]
fn a_watched_status_is_drawn_over_itself_until_ctrl_c() {
    let scene = Scene::new();
    let line = "stty cols 80 rows 24; TERM=xterm cred-helper status --watch --color never";
    let (terminal, mut keyboard) = scene.sandbox.with_keyboard(line);
    eventually("it is shown", || keyboard.sees().contains("not signed in"));
    let requests = scene.authority.requests().len();
    assert_eq!(requests, 0, "nothing was asked");
    scene.run(&["login", "-p", "api"]).ok();
    let erased = "\u{1b}[2F\u{1b}[J";
    eventually("the change is seen", || {
        let seen = keyboard.sees();
        let picture = seen.split(erased).nth(1).unwrap_or_default();
        picture.contains("ada@example.test")
    });
    keyboard.type_in("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    // The cursor was moved, and nothing else was set.
    let left = shown.replace("\u{1b}[2F", "").replace("\u{1b}[J", "");
    assert!(!left.contains('\u{1b}'), "{left:?}");
}

#[test]
fn a_watched_status_that_a_program_reads_ends_when_that_has_enough() {
    let scene = Scene::signed_in();
    let mut command = std::process::Command::new("sh");
    scene.sandbox.prepare(&mut command);
    command
        .env("PATH", scene.sandbox.path_with_links())
        .args(["-c", "cred-helper status --watch -o json | head -n 1"]);
    let ran = scene.run_command(command);
    assert_eq!(ran.stderr, "", "{ran:?}");
    let told = ran.json();
    assert_eq!(told["profiles"][0]["accounts"][0]["refreshable"], true);
}
