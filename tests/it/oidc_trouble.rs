//! Trouble in the network and at the authority: it never costs a sign-in, and never asks a person.

use serde_json::{Value, json};

use crate::oidc_ground::{Ground, for_each};
use crate::scene::without_note;

const DEVICE_CODE: &str = "device_code";
const REFRESH: &str = "refresh_token";

/// A fault of a token request.
fn fault(grant: &str, name: &str, times: u32) -> Value {
    let mut fault = json!({ "on": "token", "grant": grant, "fault": name, "times": times });
    if let Ok(status) = name.parse::<u16>() {
        fault["fault"] = json!("status");
        fault["status"] = json!(status);
    }
    fault
}

#[test]
fn trouble_during_a_refresh_changes_nothing_and_asks_nobody() {
    let ground = Ground::signed_in(json!({}));
    ground.expire();
    let before = ground.session_bytes();
    for (name, requests) in [
        ("503", 1),
        ("429", 1),
        ("500", 1),
        ("408", 1),
        ("redirect", 1),
        // Nobody knows whether these had their effect: they are repeated once.
        ("reset", 2),
        ("garbage", 2),
        ("large", 2),
    ] {
        ground.authority.reset_requests();
        ground.authority.fault(fault(REFRESH, name, requests));
        let terminal = ground.sandbox.in_terminal("cred-helper get 2>errors");
        let (code, shown) = terminal.end();
        let errors = ground.read("errors");
        assert_eq!((code, shown.as_str()), (Some(6), ""), "{name}: {errors}");
        assert!(
            errors.contains("error: the token could not be refreshed"),
            "{name}: {errors}"
        );
        let counted = ground.authority.requests();
        assert_eq!(counted.token(REFRESH), u64::from(requests), "{name}");
        assert_eq!(counted.total, u64::from(requests), "{name}");
        assert_unchanged(&ground, name, &before);
        assert_eq!(files(&ground), 3, "{name}: the session and its two locks");
    }
    assert_eq!(ground.get_json(&[])["source"], "refresh", "it lives");
}

/// The session is as it was, but for what is noted where the authority asks for a pause. Its time passes.
fn assert_unchanged(ground: &Ground, name: &str, before: &[u8]) {
    let after = ground.session_bytes();
    if name == "429" {
        assert!(after != before, "{name}");
        assert_eq!(without_note(&after), without_note(before), "{name}");
        std::fs::write(ground.sandbox.session(), before).expect("it is ours");
    } else {
        assert_eq!(after, before, "{name}");
    }
}

/// How many files lie beside the session, itself among them.
fn files(ground: &Ground) -> usize {
    let folder = ground.sandbox.state().join("sessions");
    std::fs::read_dir(folder).expect("it can be listed").count()
}

#[test]
fn a_token_that_is_still_valid_is_handed_out_stale_in_trouble() {
    let ground = Ground::signed_in(json!({ "accessTokenTtl": 3600 }));
    ground.age(3400);
    let before = ground.session_bytes();
    for name in ["503", "429"] {
        ground.authority.fault(fault(REFRESH, name, 1));
        let ran = ground.run(&["get", "-o", "json"]);
        assert!(
            ran.stderr
                .contains("warning: the token of profile `api` could not be refreshed"),
            "{ran:?}"
        );
        let answer = ran.json();
        assert_eq!(answer["stale"], true, "{name}");
        assert_eq!(answer["source"], "cache", "{name}");
        assert_unchanged(&ground, name, &before);
    }
    ground.authority.fault(fault(REFRESH, "503", 1));
    ground.run(&["get", "--min-valid", "10m"]).failed(6);
    let answer = ground.get_json(&[]);
    assert_eq!(answer["stale"], false);
    assert_eq!(answer["source"], "refresh");
}

#[test]
fn a_refresh_whose_answer_was_lost_is_repeated_once_with_the_same_token() {
    for_each([false, true], |rotate| {
        let ground = Ground::new(json!({ "rotate": rotate }));
        for name in ["lost", "cut"] {
            ground.sign_in("ada");
            ground.expire();
            let sent = ground.refresh_token();
            ground.authority.reset_requests();
            ground.authority.fault(fault(REFRESH, name, 1));
            let ran = ground.run(&["get", "-o", "json"]);
            assert_eq!(ground.authority.requests().token(REFRESH), 2, "{name}");
            if !rotate {
                // The second attempt brings what the first one lost.
                assert_eq!(ran.json()["source"], "refresh", "{name}");
                assert_eq!(ground.refresh_token(), sent);
                continue;
            }
            // The new refresh token went with the answer, and that is said.
            let error = ran.failed(4);
            assert!(error.contains("invalid_grant"), "{name}: {error}");
            assert!(
                error.contains("answer to a first attempt was lost on its way"),
                "{name}: {error}"
            );
            assert_eq!(ground.authority.introspect(&sent)["active"], false);
            // It is known to be dead, and not sent a third time.
            ground.run(&["get"]).failed(4);
            assert_eq!(ground.authority.requests().token(REFRESH), 2, "{name}");
        }
    });
}

#[test]
fn a_sign_in_that_a_person_has_begun_survives_every_trouble_alone_and_in_pairs() {
    /// A request that is served as it should be; it ends what was trouble in a row.
    const GOOD: &str = "delay";
    const FAULTS: [&str; 6] = ["503", "reset", "garbage", "cut", "429", "lost"];
    for_each(0..FAULTS.len(), |index| {
        let (first, second) = (FAULTS[index], FAULTS[(index + 1) % FAULTS.len()]);
        let ground = Ground::new(json!({}));
        let queue = [first, GOOD, first, second].map(|name| {
            let mut fault = fault(DEVICE_CODE, name, 1);
            fault["milliseconds"] = json!(0);
            fault
        });
        let polls = queue.len();
        ground.authority.fault(json!(queue));
        let terminal = ground
            .sandbox
            .in_terminal("cred-helper get >answer 2>errors");
        ground
            .authority
            .wait_for(json!({ "token": { DEVICE_CODE: polls } }));
        assert_eq!(ground.authority.faults_left(), 0);
        ground.authority.approve(None, "ada");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        assert_eq!(ground.read("errors"), "", "{first}, {second}");
        assert_eq!(ground.read("answer"), ground.get(&[]));
        let requests = ground.authority.requests();
        assert_eq!(requests.device_authorization, 1);
    });
}

#[test]
fn trouble_before_a_code_is_shown_is_unavailable_and_remembers_no_refusal() {
    let ground = Ground::new(json!({}));
    for on in ["discovery", "device_authorization"] {
        ground
            .authority
            .fault(json!({ "on": on, "fault": "status", "status": 503 }));
        let terminal = ground.sandbox.in_terminal("cred-helper get 2>errors");
        let (code, shown) = terminal.end();
        let errors = ground.read("errors");
        assert_eq!((code, shown.as_str()), (Some(6), ""), "{on}: {errors}");
        assert_eq!(ground.authority.faults_left(), 0);
    }
    ground.sign_in("ada");
}
