//! Many processes at once, at a real provider where a second refresh kills the sign-in.

use serde_json::json;

use crate::oidc_ground::{Ground, eventually};

/// Logged by each process that waits for a person at another one.
const WAITS_FOR_A_SIGN_IN: &str = "waiting for the sign-in that another process has begun";

#[test]
fn a_hundred_processes_with_an_expired_token_make_one_refresh() {
    let ground = Ground::signed_in(json!({}));
    ground.expire();
    let answers = ground.run_at_once(100, &["get"]);
    let requests = ground.authority.requests();
    assert_eq!(requests.token, [("refresh_token".to_owned(), 1)].into());
    assert_eq!(requests.device_authorization, 0, "nobody was asked");
    let kept = ground.get(&[]);
    assert!(answers.iter().all(|answer| answer.trim_end() == kept));
    assert_eq!(answers.len(), 100);
    assert_eq!(ground.authority.introspect(&kept)["active"], true);
    // The family lives: nobody sent a refresh token twice.
    assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
}

#[test]
fn of_many_forced_refreshes_at_once_those_that_waited_share_one() {
    let ground = Ground::signed_in(json!({}));
    let old = ground.get(&[]);
    let answers = ground.run_at_once(20, &["get", "--force-refresh"]);
    assert_eq!(ground.authority.requests().token("refresh_token"), 1);
    let kept = ground.get(&[]);
    assert_ne!(kept, old);
    assert!(answers.iter().all(|answer| answer.trim_end() == kept));
    // Whoever comes later did not wait for that one.
    assert_ne!(ground.get(&["--force-refresh"]), kept);
    assert_eq!(ground.authority.requests().token("refresh_token"), 2);
}

#[test]
fn twenty_calls_under_one_terminal_ask_once() {
    let ground = Ground::new(json!({}));
    let terminal = ground
        .sandbox
        .in_terminal("for i in $(seq 20); do cred-helper get >answer-$i 2>errors-$i & done; wait");
    eventually("all others wait for the sign-in", || {
        ground.logged(WAITS_FOR_A_SIGN_IN) == 19
    });
    ground.authority.approve(None, "ada");
    let shown = terminal.wait();
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    let requests = ground.authority.requests();
    assert_eq!(requests.device_authorization, 1);
    assert_eq!(requests.token("refresh_token"), 0);
    let kept = ground.get(&[]);
    for i in 1..=20 {
        assert_eq!(ground.read(&format!("answer-{i}")), kept);
        ground
            .sandbox
            .scan("stderr", &ground.read(&format!("errors-{i}")));
    }
    ground.sandbox.scan("the terminal", &shown);
}
