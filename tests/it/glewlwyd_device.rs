//! The device flow where two real servers differ: how often they are asked, and what they say of a
//! code that is spent, unknown or too old.

use serde_json::{Value, json};

use crate::oidc_ground::{Ground, for_each};
use crate::tool::{GLEWLWYD, glewlwyd, needs, servers};

const DEVICE_CODE: &str = "device_code";

/// The second of the day at which an address with this in it first answered, as the log has it.
fn answered_at(ground: &Ground, path: &str) -> i64 {
    let log = std::fs::read_to_string(ground.sandbox.log()).expect("there is a log");
    let line = log
        .lines()
        .find(|line| line.contains(path) && line.contains(" answered with "))
        .expect("it answered");
    let time = line.get(11..19).expect("the line begins with its time");
    let parts = time
        .split(':')
        .map(|part| part.parse::<i64>().expect("it is a number"));
    parts.fold(0, |sum, part| sum * 60 + part)
}

#[test]
fn the_first_poll_comes_after_the_interval_or_five_seconds_where_none_is_told() {
    let mut rows = vec![(json!({ "interval": null }), 5)];
    rows.extend(
        servers(&json!({ "interval": 7 }))
            .into_iter()
            .map(|options| (options, 7)),
    );
    for_each(rows, |(options, seconds)| {
        let ground = Ground::new(options);
        let terminal = ground.sandbox.in_terminal("cred-helper login");
        ground.authority.approve(None, "ada");
        terminal.wait();
        let requests = ground.authority.requests();
        assert_eq!(requests.token(DEVICE_CODE), 1, "{requests:?}");
        let waited = answered_at(&ground, "/token") - answered_at(&ground, "/device");
        assert!(
            waited.rem_euclid(24 * 3600) >= seconds,
            "{waited} s of {seconds}"
        );
    });
}

#[test]
fn a_client_that_is_told_to_slow_down_does_and_is_signed_in() {
    needs!(GLEWLWYD);
    let ground = Ground::new(glewlwyd(json!({ "interval": 3 })));
    ground.authority.fault(json!({
        "on": "device_authorization", "fault": "edit", "members": { "interval": 1 },
    }));
    let terminal = ground.sandbox.in_terminal("cred-helper login");
    ground
        .authority
        .wait_for(json!({ "token": { DEVICE_CODE: 2 } }));
    assert_eq!(ground.authority.requests().answer("token 400 slow_down"), 1);
    ground.authority.approve(None, "ada");
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    let requests = ground.authority.requests();
    assert_eq!(requests.token(DEVICE_CODE), 3, "{requests:?}");
    assert_eq!(requests.answer("token 200"), 1);
}

/// What a server says of a code that it does not take, and what our program makes of it.
struct Row {
    options: Value,
    answer: &'static str,
    code: i32,
    kind: &'static str,
    message: &'static str,
}

/// The sign-in has failed, and everything else is as it was.
fn check(ground: &Ground, error: &Value, row: &Row) {
    assert_eq!(error["kind"], row.kind, "{error}");
    let message = error["message"].as_str().expect("there is a message");
    assert!(message.contains(row.message), "{error}");
    let requests = ground.authority.requests();
    assert_eq!(requests.answer(row.answer), 1, "{requests:?}");
    assert_eq!(requests.device_authorization, 1, "nobody was asked again");
    assert_eq!(ground.accounts(), Vec::<Value>::new());
    // A person may try again at once: `login` is always asked.
    ground.sign_in("ada");
}

/// What each server that is there says of a spent and of an unknown code. To one it is a dead
/// grant; what the other says cannot be told from a person's refusal.
fn rows(message_of_a_dead_grant: &'static str) -> Vec<Row> {
    let servers = servers(&json!({})).into_iter();
    servers
        .map(|options| {
            if options["server"] == "glewlwyd" {
                Row {
                    options,
                    answer: "token 400 access_denied",
                    code: 5,
                    kind: "denied",
                    message: "the sign-in was refused",
                }
            } else {
                Row {
                    options,
                    answer: "token 400 invalid_grant",
                    code: 4,
                    kind: "login_required",
                    message: message_of_a_dead_grant,
                }
            }
        })
        .collect()
}

#[test]
fn a_poll_whose_answer_with_the_tokens_was_lost_is_repeated_and_the_sign_in_is_over() {
    for_each(rows("answer to the sign-in was lost on its way"), |row| {
        let ground = Ground::new(row.options.clone());
        ground.authority.hold();
        let terminal = ground.in_terminal("login");
        ground.authority.wait_for(json!({ "waiting": 1 }));
        ground.authority.approve(None, "ada");
        ground
            .authority
            .fault(json!({ "on": "token", "fault": "lost" }));
        ground.authority.release();
        let (_, error) = ground.end_failed(terminal, row.code);
        let requests = ground.authority.requests();
        assert_eq!(requests.answer("token 200"), 1, "{requests:?}");
        assert_eq!(requests.token(DEVICE_CODE), 2, "{requests:?}");
        check(&ground, &error, &row);
    });
}

#[test]
fn a_code_that_the_server_does_not_know_ends_the_sign_in_at_once() {
    for_each(rows("the code ran out"), |row| {
        let ground = Ground::new(row.options.clone());
        ground.authority.fault(json!({
            "on": "device_authorization", "fault": "edit", "members": { "device_code": "unknown" },
        }));
        let terminal = ground.in_terminal("login");
        let (_, error) = ground.end_failed(terminal, row.code);
        assert_eq!(ground.authority.requests().token(DEVICE_CODE), 1);
        // In vain: nobody waits for it any more.
        ground.authority.approve(None, "ada");
        check(&ground, &error, &row);
    });
}
