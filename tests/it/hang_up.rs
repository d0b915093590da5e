//! A terminal that is closed while something must not be torn.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::authority::Settings;
use crate::oidc_ground::{eventually, for_each};
use crate::scene::{Scene, profile};
use crate::support::detached;

/// A line of what the kernel tells of a process; none where it has ended.
fn told(process: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

/// Sends a signal, and returns once it was taken note of.
fn send(signal: &str, process: &str) {
    let status = Command::new("kill").args(["-s", signal, process]).status();
    assert!(status.expect("kill starts").success());
    taken(process);
}

/// Returns once no signal waits to be delivered.
fn taken(process: &str) {
    eventually("the signal is delivered", || {
        ["SigPnd", "ShdPnd"].iter().all(|name| {
            told(process, name).is_none_or(|mask| mask.bytes().all(|digit| digit == b'0'))
        })
    });
}

/// Returns once a process is gone, whether or not somebody has asked how it ended.
fn ended(process: &str) {
    eventually("the process ends", || {
        told(process, "State").is_none_or(|state| state.starts_with('Z'))
    });
}

/// What a shell wrote into a file, which is waited for.
fn read(scene: &Scene, name: &str) -> String {
    let text = || fs::read_to_string(scene.file(name)).unwrap_or_default();
    eventually("a file is written", || text().ends_with('\n'));
    text().trim_end().to_owned()
}

#[test]
fn a_refresh_is_finished_and_kept_when_the_terminal_is_closed() {
    let scene = Scene::signed_in();
    scene.authority.hold();
    let terminal = scene.sandbox.in_terminal(
        "echo $$ >shell; cred-helper get --force-refresh >answer 2>errors & echo $! >process; \
         wait; true",
    );
    scene.authority.wait_until(|state| state.held == 1);
    let (shell, process) = (read(&scene, "shell"), read(&scene, "process"));
    terminal.close();
    // It is told when the shell, which the terminal belonged to, is gone.
    ended(&shell);
    taken(&process);
    scene.authority.release();
    ended(&process);
    assert_eq!(read(&scene, "errors"), "error: interrupted");
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "cache", "the new tokens were kept");
    assert_eq!(scene.refreshes(), 1);
}

#[test]
fn a_refresh_that_hears_of_it_twice_is_finished_and_nohup_is_respected() {
    let rows = [
        (["env", "--default-signal=HUP"], Some(130)),
        (["env", "--ignore-signal=HUP"], Some(0)),
    ];
    for_each(rows, |(wrapper, code)| {
        let scene = Scene::signed_in();
        scene.authority.hold();
        let command = scene.wrapped(&wrapper, &["get", "--force-refresh"]);
        let child = detached(command).spawn().expect("setsid starts");
        scene.authority.wait_until(|state| state.held == 1);
        for _ in 0..2 {
            send("HUP", &child.id().to_string());
        }
        scene.authority.release();
        let output = child.wait_with_output().expect("it can be waited for");
        let ran = scene.sandbox.checked(output);
        assert_eq!(ran.code, code, "{wrapper:?}: {ran:?}");
        let answer = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(answer["source"], "cache", "{wrapper:?}: they were kept");
        assert_eq!(scene.refreshes(), 1);
    });
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_refresh() {
    let scene = Scene::signed_in();
    let before = scene.session();
    scene.authority.hold();
    let command = scene.wrapped(
        &["env", "--default-signal=INT"],
        &["get", "--force-refresh"],
    );
    let child = detached(command).spawn().expect("setsid starts");
    scene.authority.wait_until(|state| state.held == 1);
    let process = child.id().to_string();
    send("INT", &process);
    let state = told(&process, "State").unwrap_or_default();
    assert!(
        !state.starts_with(['Z', 'X']),
        "the first one waits: {state}"
    );
    send("INT", &process);
    let output = child.wait_with_output().expect("it can be waited for");
    scene.sandbox.checked(output).failed(130);
    assert_eq!(scene.session(), before, "nothing was torn");
    scene.authority.release();
}

#[test]
fn a_call_that_waits_for_somebody_ends_with_their_terminal_and_the_next_asks_anew() {
    let settings = Settings::default();
    let scene = Scene::of(settings, |issuer| profile("api", issuer));
    let terminal = scene
        .sandbox
        .in_terminal("echo $$ >process; exec cred-helper get 2>errors");
    scene
        .authority
        .wait_until(|state| state.newest_user_code().is_some());
    let process = read(&scene, "process");
    terminal.close();
    ended(&process);
    let status = scene.run(&["status", "-o", "json"]).json();
    let accounts = &status["profiles"][0]["accounts"];
    assert_eq!(*accounts, json!([]), "nothing is held against anybody");
    scene
        .authority
        .set(|settings| settings.approve_at_once = true);
    let ran = scene.run(&["get", "--interactive", "always", "-o", "json"]);
    assert_eq!(ran.json()["source"], "device_code");
}
