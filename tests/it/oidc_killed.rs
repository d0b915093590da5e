//! Processes that are killed while they hold a lock, and what the next one finds.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::oidc_ground::{Ground, eventually};
use crate::support::detached;

#[test]
fn whoever_comes_after_a_refresh_that_was_killed_goes_on_at_once() {
    let ground = Ground::signed_in(json!({}));
    ground.expire();
    let before = ground.session_bytes();
    ground.authority.hold();
    let mut killed = detached(ground.sandbox.command(&["get"]))
        .spawn()
        .expect("the binary starts");
    ground.authority.wait_for(json!({ "waiting": 1 }));
    killed.kill().expect("it runs");
    let status = killed.wait().expect("it can be waited for");
    assert_eq!(status.code(), None, "a signal ended it: {status:?}");
    // The authority has seen it go, and does nothing for it.
    ground
        .authority
        .wait_for(json!({ "token": { "refresh_token": 1 } }));
    ground.authority.release();
    assert_eq!(ground.session_bytes(), before, "nothing was torn");

    let ran = ground.run(&["get", "-o", "json"]);
    assert_eq!(ran.stderr, "", "nothing was waited for");
    assert_eq!(ran.json()["source"], "refresh");
    assert_eq!(ground.authority.requests().token("refresh_token"), 2);
    assert_eq!(leftovers(&ground), Vec::<String>::new());
}

#[test]
fn whoever_comes_after_a_sign_in_that_was_killed_asks_anew_at_once() {
    let ground = Ground::new(json!({}));
    let first = ground
        .sandbox
        .in_terminal("cred-helper get >first 2>errors & echo $! >pid.new; mv pid.new pid; wait $!");
    ground.authority.wait_for(json!({ "pending_codes": 1 }));
    eventually("the process' id is written", || {
        ground.sandbox.path().join("pid").exists()
    });
    assert!(ground.status()["waiting_since"].is_string());
    let pid = ground.read("pid").parse().ok().and_then(Pid::from_raw);
    kill_process(pid.expect("it is a process' id"), Signal::KILL).expect("it runs");
    let (code, shown) = first.end();
    assert_eq!(code, Some(128 + 9), "{shown}");
    assert_eq!(ground.read("first"), "");

    let status = ground.run(&["status", "-o", "json"]).json();
    assert_eq!(status["profiles"][0]["accounts"], json!([]), "{status}");
    let second = ground
        .sandbox
        .in_terminal("cred-helper get >second 2>errors");
    ground.authority.wait_for(json!({ "pending_codes": 2 }));
    ground.authority.approve(None, "ada");
    let shown = second.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert_eq!(ground.read("errors"), "", "nothing was waited for");
    assert_eq!(ground.read("second"), ground.get(&[]));
    assert_eq!(ground.authority.requests().device_authorization, 2);
}

#[test]
fn a_kill_at_any_moment_damages_nothing_and_costs_the_sign_in_only_where_the_token_was_spent() {
    /// How often?
    const KILLS: u32 = 20;
    let ground = Ground::signed_in(json!({}));
    // One of them may have been held up by something else.
    let times = [(); 3].map(|()| time_of_a_refresh(&ground));
    let whole = times.into_iter().fold(f64::INFINITY, f64::min);
    let mut moment = Moment(0x5eed);
    let mut killed = 0;
    for _ in 0..KILLS {
        let before = ground.refresh_token();
        let after = format!("{:.6}", whole * 1.3 * moment.next());
        let program = ground.sandbox.command(&[]).get_program().to_owned();
        let mut command = Command::new("timeout");
        ground.sandbox.prepare(&mut command);
        command
            .args(["--signal=KILL", &after])
            .arg(program)
            .args(["get", "--force-refresh"]);
        let ran = ground.run_command(command);
        killed += u32::from(ran.code != Some(0));
        let version = ground.session()["version"].clone();
        assert_eq!(version, json!(1), "the session is whole");

        ground.expire();
        let ran = ground.run(&["get"]);
        assert_eq!(leftovers(&ground), Vec::<String>::new());
        if ran.code == Some(0) {
            continue;
        }
        // Between the moment when the authority replaces a refresh token and the moment when the
        // new one is on the disk lies the answer's way here: no client can close that window.
        let error = ran.failed(4);
        assert!(error.contains("invalid_grant"), "{error}");
        assert_eq!(ground.authority.introspect(&before)["active"], false);
        ground.sign_in("ada");
    }
    assert!(killed > 0, "at least one came in time");
}

/// Files that should not be there: damaged sessions, temporary ones.
fn leftovers(ground: &Ground) -> Vec<String> {
    let entries = fs::read_dir(ground.sandbox.state().join("sessions"));
    let names = entries.expect("there are sessions").map(|entry| {
        let name = entry.expect("an entry can be read").file_name();
        name.to_string_lossy().into_owned()
    });
    names
        .filter(|name| name.contains("damaged") || name.starts_with(".tmp-"))
        .collect()
}

/// How long a refresh takes here and now, in seconds.
fn time_of_a_refresh(ground: &Ground) -> f64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the moments of the kills are spread over what a refresh really takes"
    )]
    let started = std::time::Instant::now();
    let answer: Value = ground.get_json(&["--force-refresh"]);
    assert_eq!(answer["source"], "refresh");
    started.elapsed().as_secs_f64()
}

/// Numbers between 0 and 1, the same in each run (xorshift).
struct Moment(u32);

impl Moment {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        f64::from(self.0) / f64::from(u32::MAX)
    }
}
