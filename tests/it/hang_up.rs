//! A terminal that is closed while something must not be torn.

use std::fs;
use std::process::Command;

use crate::oidc_ground::{eventually, for_each};
use crate::scene::Scene;
use crate::support::detached;

/// A line of what the kernel tells of a process; none where it has ended.
fn told(process: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

/// Sends a hang-up, and returns once it was taken note of.
fn hang_up(process: &str) {
    let status = Command::new("kill").args(["-HUP", process]).status();
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

#[test]
fn a_refresh_is_finished_and_kept_when_the_terminal_is_closed() {
    let scene = Scene::signed_in();
    scene.authority.hold();
    let terminal = scene.sandbox.in_terminal(
        "echo $$ >shell; cred-helper get --force-refresh >answer 2>errors & echo $! >process; \
         wait; true",
    );
    scene.authority.wait_until(|state| state.held == 1);
    let read = |name| {
        let text = || fs::read_to_string(scene.file(name)).unwrap_or_default();
        eventually("a file is written", || text().ends_with('\n'));
        text().trim_end().to_owned()
    };
    let (shell, process) = (read("shell"), read("process"));
    terminal.close();
    // It is told when the shell, which the terminal belonged to, is gone.
    eventually("the shell ends", || {
        told(&shell, "State").is_none_or(|state| state.starts_with('Z'))
    });
    taken(&process);
    scene.authority.release();
    eventually("the call ends", || {
        told(&process, "State").is_none_or(|state| state.starts_with('Z'))
    });
    assert_eq!(read("errors"), "error: interrupted");
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
            hang_up(&child.id().to_string());
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
