//! A day with NuGet: a feed's tokens by its plugins' protocol, from a real authority.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::nuget_ground::{NuGet, password};
use crate::oidc_ground::{Ground, eventually};

/// The feed that the profile names.
const FEED: &str = "https://feed.example.test/v3/index.json";
/// One that none does.
const OTHER: &str = "https://feed.example.test.evil.example/v3/index.json";

fn ground(keys: &str) -> Ground {
    let keys = format!(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"https://feed.example.test/\"]\n{keys}"
    );
    Ground::with_profile(json!({}), &keys)
}

fn signed_in(keys: &str) -> Ground {
    let ground = ground(keys);
    ground.sign_in("ada");
    ground.authority.reset_requests();
    ground
}

#[test]
fn the_first_restore_asks_through_nuget_and_later_ones_are_silent() {
    let ground = ground("");
    let mut nuget = NuGet::start(&ground);
    assert_eq!(
        ground.authority.requests().total,
        0,
        "nothing was asked yet"
    );
    let id = nuget.send_for(FEED, false, true);
    let shown = nuget.sees("user_code=");
    assert!(nuget.shown.iter().all(|(level, _)| level == "Minimal"));
    // Whoever signs in takes their time.
    nuget.sees_progress(&id);
    nuget.sees_progress(&id);
    let mut words = shown.split_whitespace();
    let link = words.find(|word| word.contains("user_code="));
    // Another build beside this one waits for the same sign-in.
    let mut other = NuGet::start(&ground);
    let theirs = other.send_for(FEED, false, true);
    other.sees_progress(&theirs);
    ground.authority.approve(link, "ada");
    let answer = nuget.answer(&id);
    ground.learn();
    assert_eq!(answer["Username"], "oauth2");
    let token = password(&answer);
    assert!(ground.authority.judge()(&token));
    assert_eq!(password(&other.answer(&theirs)), token);
    assert!(other.shown.is_empty(), "{:?}", other.shown);
    assert_eq!(other.close(), Some(0));
    assert_eq!(nuget.close(), Some(0));
    ground.assert_requests(0, 1);

    ground.authority.reset_requests();
    let mut nuget = NuGet::start(&ground);
    assert_eq!(nuget.password(FEED, false), token);
    assert_eq!(nuget.password(FEED, false), token);
    assert_eq!(ground.authority.requests().total, 0);
    ground.expire();
    assert_ne!(nuget.password(FEED, false), token);
    ground.assert_requests(1, 0);
    assert!(nuget.shown.is_empty(), "{:?}", nuget.shown);
    assert_eq!(nuget.leave(), Some(0));
    ground.scan_log();
}

#[test]
fn a_token_that_the_feed_rejects_is_replaced_by_a_refresh() {
    let ground = signed_in("username = \"VssSessionToken\"\n");
    let mut nuget = NuGet::start(&ground);
    let first = nuget.password(FEED, false);
    ground.authority.revoke(&first);
    let answer = nuget.ask_for(FEED, true);
    assert_eq!(answer["Username"], "VssSessionToken");
    let second = password(&answer);
    assert_ne!(second, first);
    assert!(ground.authority.judge()(&second));
    ground.assert_requests(1, 0);
    // Another plugin was given the first, and finds the second: it was not that which was rejected.
    let mut other = NuGet::start(&ground);
    assert_eq!(other.password(FEED, false), second);
    ground.get(&["--force-refresh"]);
    let third = ground.get(&[]);
    assert_eq!(other.password(FEED, true), third);
    ground.assert_requests(2, 0);
    // One that was given nothing knows no more than that it was rejected.
    let mut new = NuGet::start(&ground);
    assert_ne!(new.password(FEED, true), third);
    ground.assert_requests(3, 0);
    for nuget in [nuget, other, new] {
        assert_eq!(nuget.leave(), Some(0));
    }
}

#[test]
fn a_feed_that_no_profile_names_is_left_to_other_plugins_and_costs_nothing() {
    let ground = signed_in("");
    let mut nuget = NuGet::start(&ground);
    for url in [OTHER, "http://feed.example.test/", "feed.example.test", ""] {
        let answer = nuget.ask_for(url, true);
        assert_eq!(answer["ResponseCode"], "Error", "{url}: {answer}");
        assert!(answer["Password"].is_null(), "{url}: {answer}");
    }
    for (payload, expected) in [
        (
            json!({ "PackageSourceRepository": FEED, "ServiceIndex": { "resources": [] } }),
            1,
        ),
        (
            json!({ "PackageSourceRepository": OTHER, "ServiceIndex": {} }),
            0,
        ),
        (
            json!({ "PackageSourceRepository": null, "ServiceIndex": null }),
            1,
        ),
        (json!({ "ServiceIndex": {} }), 0),
    ] {
        let answer = nuget.ask("GetOperationClaims", payload.clone());
        let claims = answer["Claims"].as_array().expect("there are claims");
        assert_eq!(claims.len(), expected, "{payload}: {answer}");
    }
    assert!(nuget.shown.is_empty(), "{:?}", nuget.shown);
    ground.set_profile("client_id = \"cli\"\nscopes = [\"api:read\"]\ntools = [\"git\"]\nurls = [\"https://feed.example.test/\"]\n");
    let answer = nuget.ask_for(FEED, false);
    assert_ne!(answer["ResponseCode"], "Success", "{answer}");
    assert_eq!(nuget.close(), Some(0));
    assert_eq!(ground.authority.requests().total, 0);
}

#[test]
fn where_nobody_may_be_asked_nuget_is_told_the_command_that_signs_in() {
    let ground = ground("");
    let mut nuget = NuGet::start(&ground);
    let answer = nuget.ask_for(FEED, false);
    assert_eq!(answer["ResponseCode"], "NotFound", "{answer}");
    let (level, text) = &nuget.shown[0];
    assert_eq!(level, "Warning");
    assert!(text.contains("cred-helper login -p api"), "{text}");
    assert_eq!(nuget.close(), Some(0));
    assert_eq!(ground.authority.requests().total, 0);

    // Trouble is no reason to ask, and the sign-in is still there afterwards.
    ground.sign_in("ada");
    ground.expire();
    ground
        .authority
        .fault(json!({ "on": "token", "fault": "status", "status": 503 }));
    let mut nuget = NuGet::start(&ground);
    let id = nuget.send_for(FEED, false, true);
    assert_eq!(nuget.answer(&id)["ResponseCode"], "NotFound");
    assert!(nuget.shown[0].1.contains("503"), "{:?}", nuget.shown);
    assert_eq!(nuget.leave(), Some(0));
}

#[test]
fn while_a_refresh_takes_its_time_all_requests_are_kept_alive_and_each_can_be_taken_back() {
    let ground = signed_in("");
    ground.expire();
    ground.authority.hold();
    let mut nuget = NuGet::start(&ground);
    let first = nuget.send_for(FEED, false, true);
    let second = nuget.send_for(FEED, false, true);
    let third = nuget.send_for(FEED, false, true);
    nuget.sees_progress(&first);
    nuget.sees_progress(&third);
    // One that waits, and one whose refresh has begun: what that brings is kept all the same.
    nuget.cancel(&second);
    nuget.cancel(&first);
    nuget.sees_progress(&third);
    eventually("the refresh has come", || ground.authority.waiting() == 1);
    ground.authority.release();
    assert!(nuget.answer(&first).is_null());
    assert!(nuget.answer(&second).is_null());
    let token = password(&nuget.answer(&third));
    assert_eq!(token, ground.get(&[]));
    ground.assert_requests(1, 0);
    // What is taken back too late is nothing any more.
    nuget.write(b"{\"RequestId\":\"x\",\"Type\":\"Cancel\",\"Method\":\"Log\"}\n");
    assert_eq!(nuget.password(FEED, false), token);
    assert_eq!(nuget.close(), Some(0));
}

#[test]
fn a_sign_in_ends_when_nuget_takes_the_request_back_closes_or_goes_away() {
    for way in ["cancel", "close", "leave"] {
        let ground = ground("");
        let mut nuget = NuGet::start(&ground);
        let id = nuget.send_for(FEED, false, true);
        nuget.sees("user_code=");
        match way {
            "cancel" => {
                nuget.cancel(&id);
                assert!(nuget.answer(&id).is_null());
                assert_eq!(nuget.close(), Some(0));
            }
            "close" => assert_eq!(nuget.close(), Some(0)),
            _ => assert_eq!(nuget.leave(), Some(0)),
        }
        // Nobody waits behind it, and whoever comes at once is not asked the same again.
        let mut nuget = NuGet::start(&ground);
        let id = nuget.send_for(FEED, false, true);
        assert_eq!(nuget.answer(&id)["ResponseCode"], "NotFound", "{way}");
        assert!(
            nuget.shown[0].1.contains("interrupted"),
            "{:?}",
            nuget.shown
        );
        assert_eq!(nuget.close(), Some(0));
        ground.assert_requests(0, 1);
    }
}

#[test]
fn the_plugin_ends_with_the_process_that_it_was_told_to_watch() {
    let ground = signed_in("");
    let mut nuget = NuGet::start(&ground);
    let mut watched = Command::new("sleep")
        .arg("600")
        .stdout(Stdio::null())
        .spawn()
        .expect("sleep (coreutils) starts");
    let id = watched.id();
    let answer = nuget.ask("MonitorNuGetProcessExit", json!({ "ProcessId": id }));
    assert_eq!(answer["ResponseCode"], "Success");
    let token = nuget.password(FEED, false);
    watched.kill().expect("it can be killed");
    watched.wait().expect("it can be waited for");
    // Its stdin is still open.
    assert_eq!(nuget.end_code(), Some(0));
    let mut nuget = NuGet::start(&ground);
    let answer = nuget.ask("MonitorNuGetProcessExit", json!({ "ProcessId": id }));
    assert_eq!(answer["ResponseCode"], "NotFound");
    assert_eq!(nuget.password(FEED, false), token);
    assert_eq!(nuget.close(), Some(0));
}

#[test]
fn what_makes_no_sense_is_a_fault_and_the_conversation_goes_on() {
    let ground = signed_in("");
    let mut session = ground.session();
    let row = &mut session["content"]["accounts"][0]["access_tokens"][0]["secret"];
    let token = "\"\\/".repeat(16 * 1024 / 3);
    *row = json!(token);
    ground.write_session(&session);
    let mut nuget = NuGet::start(&ground);
    let long = "a".repeat(1 << 20);
    let lines: [&[u8]; 12] = [
        b"{\"RequestId\":",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"\0",
        b"{\"RequestId\":\"\",\"Type\":\"Request\",\"Method\":\"Initialize\"}",
        b"{\"RequestId\":7,\"Type\":\"Request\",\"Method\":\"Initialize\"}",
        b"{\"RequestId\":\"a\",\"Type\":\"Wish\",\"Method\":\"Initialize\"}",
        b"{\"RequestId\":\"a\",\"Type\":\"Request\",\"Method\":\"a\\nb\"}",
        b"{\"RequestId\":\"a\",\"RequestId\":\"b\",\"Type\":\"Request\",\"Method\":\"Log\"}",
        b"{\"Type\":\"Request\",\"Method\":\"Close\"}",
        long.as_bytes(),
    ];
    for line in lines {
        nuget.write(&[line, b"\n"].concat());
        let count = nuget.faults.len();
        while nuget.faults.len() == count {
            nuget.hear();
        }
        assert_eq!(nuget.password(FEED, false), token);
    }
    // What an older .NET begins with, other ends of lines, and none.
    nuget.write(b"\xef\xbb\xbf\r\n\n  \n");
    for (method, payload) in [
        ("GetAuthenticationCredentials", json!({})),
        ("GetAuthenticationCredentials", json!({ "Uri": 7 })),
        (
            "GetAuthenticationCredentials",
            json!({ "Uri": FEED, "IsRetry": "no" }),
        ),
        ("GetAuthenticationCredentials", json!([FEED])),
        ("SetLogLevel", json!({ "LogLevel": "Loud" })),
        ("MonitorNuGetProcessExit", json!({ "ProcessId": -1 })),
        ("GetPackageHash", json!({})),
        ("BrewCoffee", json!(null)),
    ] {
        let answer = nuget.ask(method, payload.clone());
        let reason = answer["Message"].as_str().expect("it is a fault");
        assert!(!reason.contains('7'), "{method} {payload}: {reason}");
    }
    for line in [
        format!("\u{feff}{}\r\n", question("bom", FEED)),
        format!(
            "{}\n",
            question("long", &format!("{FEED}?{}", "a".repeat((1 << 20) - 400)))
        ),
    ] {
        assert!(line.len() <= 1 << 20);
        nuget.write(line.as_bytes());
    }
    for id in ["bom", "long"] {
        nuget.expects(id, "GetAuthenticationCredentials");
        assert_eq!(password(&nuget.answer(id)), token);
    }
    assert_eq!(
        nuget.ask("SetCredentials", json!({ "ProxyPassword": 7 }))["ResponseCode"],
        "Success"
    );
    assert!(nuget.shown.is_empty());
    assert_eq!(nuget.close(), Some(0));
}

/// A request for credentials.
fn question(id: &str, url: &str) -> serde_json::Value {
    json!({
        "RequestId": id, "Type": "Request", "Method": "GetAuthenticationCredentials",
        "Payload": { "Uri": url, "IsRetry": false, "IsNonInteractive": true },
    })
}

#[test]
fn who_speaks_another_version_or_shakes_no_hands_gets_no_token() {
    let ground = signed_in("");
    let versions = |newest: &str, oldest: &str| json!({ "ProtocolVersion": newest, "MinimumProtocolVersion": oldest });
    for payload in [
        versions("1.0.0", "1.0.0"),
        versions("3.0.0", "2.0.1"),
        versions("2.0.0", "3.0.0"),
        versions("2", "1"),
        json!({}),
    ] {
        let mut nuget = NuGet::silent(&ground);
        let answer = nuget.ask("Handshake", payload.clone());
        assert_eq!(answer, json!({ "ResponseCode": "Error" }), "{payload}");
        assert_eq!(nuget.end_code(), Some(3), "{payload}");
    }
    let mut nuget = NuGet::silent(&ground);
    let answer = nuget.ask_for(FEED, false);
    assert!(answer["Message"].is_string(), "{answer}");
    let answer = nuget.ask("Handshake", versions("3.0.0", "1.0.0"));
    assert_eq!(answer["ProtocolVersion"], "2.0.0");
    assert_eq!(nuget.close(), Some(0));
    for line in [
        "cred-helper nuget",
        "nuget-plugin-cred-helper",
        "cred-helper nuget -Uri x",
    ] {
        let error = ground.shell(line).failed(2);
        assert!(error.contains("NuGet starts this"), "{error}");
    }
}
