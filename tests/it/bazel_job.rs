//! A day with Bazel, as far as it goes without one: its credential helper is started as it does, and
//! its answers are held against the published schema and against uv's, which has such a helper too.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::oidc_ground::Ground;
use crate::support::Ran;
use crate::tool::{UV, installed};

/// What the profile answers for.
const URLS: &str =
    "urls = [\"https://cache.example.test/team/\", \"https://*.farm.example.test\"]\n";

/// Something in the profile's `urls`.
const URI: &str = "https://cache.example.test/team/blob";

fn ground() -> Ground {
    let keys = format!("client_id = \"cli\"\nscopes = [\"api:read\"]\n{URLS}");
    let ground = Ground::with_profile(json!({}), &keys);
    for link in [
        "bazel-credential-cred-helper",
        "bazel-credential-cred-helper-api",
    ] {
        ground.sandbox.link(link);
    }
    ground
}

fn signed_in() -> Ground {
    let ground = ground();
    ground.sign_in("ada");
    ground.authority.reset_requests();
    ground
}

/// The helper's call for a URI, as Bazel makes it.
fn line(link: &str, uri: &str) -> String {
    let request = json!({ "uri": uri });
    format!("printf '%s' '{request}' | {link} get")
}

/// Starts the helper as Bazel does.
fn ask(ground: &Ground, link: &str, uri: &str) -> Ran {
    ground.shell(&line(link, uri))
}

fn ask_us(ground: &Ground, uri: &str) -> Ran {
    ask(ground, "bazel-credential-cred-helper", uri)
}

/// Holds an answer against the published schema
/// (<https://github.com/EngFlow/credential-helper-spec/tree/main/schemas>), and Bazel's own reading of
/// its time; the values of its only header.
fn check(answer: &Value) -> Option<&str> {
    let members = answer.as_object().expect("it is an object");
    let headers = members["headers"].as_object().expect("it is an object");
    if let Some(end) = members.get("expires") {
        let end = end.as_str().expect("it is text");
        // yyyy-MM-dd'T'HH:mm:ssXXX
        let shape: String = end
            .chars()
            .map(|one| if one.is_ascii_digit() { '0' } else { one })
            .collect();
        assert_eq!(shape, "0000-00-00T00:00:00Z");
    }
    assert!(
        members
            .keys()
            .all(|key| ["headers", "expires"].contains(&key.as_str()))
    );
    let values = headers
        .get("Authorization")?
        .as_array()
        .expect("it is a list");
    assert_eq!((headers.len(), values.len()), (1, 1));
    Some(values[0].as_str().expect("it is text"))
}

#[test]
fn the_helper_answers_silently_and_refreshes_once() {
    let ground = signed_in();
    let token = format!("Bearer {}", ground.get(&[]));
    for uri in [
        URI,
        "https://a.farm.example.test/x",
        "grpcs://a.farm.example.test/build.bazel.remote.execution.v2.Capabilities/GetCapabilities",
    ] {
        for link in [
            "bazel-credential-cred-helper",
            "bazel-credential-cred-helper-api",
        ] {
            let ran = ask(&ground, link, uri);
            assert_eq!(ran.stderr, "");
            assert_eq!(check(&ran.json()), Some(token.as_str()), "{link} {uri}");
        }
    }
    assert_eq!(ground.authority.requests().total, 0);
    ground.expire();
    let ran = ground.at_once(8, |_| ask_us(&ground, URI));
    let answers: Vec<Value> = ran.into_iter().map(Ran::json).collect();
    assert!(
        answers
            .iter()
            .all(|answer| check(answer) != Some(token.as_str()))
    );
    ground.assert_refreshed_once();
    // However long it is.
    let token = "t".repeat(16 * 1024);
    ground.set_token(&token);
    let answer = ask_us(&ground, URI).json();
    assert_eq!(check(&answer), Some(format!("Bearer {token}").as_str()));
}

#[test]
fn a_host_that_no_profile_names_gets_no_headers_and_no_request_is_made() {
    let ground = signed_in();
    for uri in [
        "https://other.example.test/",
        "https://cache.example.test/other",
        "https://farm.example.test/",
        "http://cache.example.test/team/blob",
        "grpc://cache.example.test/team/blob",
        "https://cache.example.test.evil.example/team/blob",
        "cache.example.test",
        "",
    ] {
        for link in [
            "bazel-credential-cred-helper",
            "bazel-credential-cred-helper-api",
        ] {
            let ran = ask(&ground, link, uri);
            assert_eq!(
                (ran.stdout.as_str(), ran.stderr.as_str()),
                ("{\"headers\":{}}\n", ""),
                "{uri}"
            );
        }
    }
    assert_eq!(ground.authority.requests().total, 0);
}

#[test]
fn nobody_is_asked_and_the_error_names_the_command_that_signs_in() {
    let ground = ground();
    let ran = ask_us(&ground, URI);
    assert_eq!(ran.stdout, "");
    let error = ran.failed(4);
    assert!(
        error.contains("hint: run `cred-helper login -p api`"),
        "{error}"
    );
    // At a terminal too: Bazel would not wait.
    let terminal = ground
        .sandbox
        .in_terminal(&line("bazel-credential-cred-helper", URI));
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(4), "{shown}");
    assert_eq!(ground.authority.requests().total, 0);

    ground.sandbox.link("bazel-credential-cred-helper-apo");
    let error = ask(&ground, "bazel-credential-cred-helper-apo", URI).failed(8);
    assert!(error.contains("hint: did you mean `api`?"), "{error}");
}

#[test]
fn a_revoked_token_is_replaced_by_a_forced_refresh() {
    let ground = signed_in();
    let token = ground.get(&[]);
    ground.authority.revoke(&token);
    // Bazel tells nobody.
    assert_eq!(
        check(&ask_us(&ground, URI).json()),
        Some(format!("Bearer {token}").as_str())
    );
    let new = ground.get(&["--force-refresh"]);
    assert_eq!(
        check(&ask_us(&ground, URI).json()),
        Some(format!("Bearer {new}").as_str())
    );
    assert_ne!(new, token);
}

#[test]
fn an_authority_that_hangs_is_given_up_before_bazel_gives_us_up() {
    let ground = signed_in();
    ground.expire();
    ground.authority.fault(json!({
        "on": "token", "grant": "refresh_token", "fault": "hang", "times": 10,
    }));
    let started = Instant::now();
    let error = ask_us(&ground, URI).failed(6);
    // Without a limit of its own, a request is given up after thirty seconds.
    assert!(started.elapsed() < Duration::from_secs(20), "{error}");
}

#[test]
fn the_answer_is_written_byte_for_byte_as_uv_writes_it() {
    let Some(uv) = installed(&UV, "uv/bin/uv") else {
        return;
    };
    let ground = signed_in();
    let sandbox = &ground.sandbox;
    let uv = |line: &str, arguments: &[&str]| {
        let mut command = Command::new("sh");
        sandbox.prepare(&mut command);
        let script = format!("{line} \"$@\"");
        command.args(["-c", &script, "sh"]).arg(&uv).args(arguments);
        sandbox.run_command(command).ok()
    };
    uv(
        "",
        &[
            "auth",
            "login",
            "--token",
            "a-token-of-uv",
            "https://cache.example.test",
        ],
    );
    for uri in [URI, "https://nobody.example.test/"] {
        let line = format!("printf '%s' '{}' |", json!({ "uri": uri }));
        let theirs = uv(&line, &["auth", "helper", "--protocol=bazel", "get"]);
        let ours = ask_us(&ground, uri).ok();
        let (their_answer, our_answer): (Value, Value) = (
            serde_json::from_str(&theirs).expect("it is JSON"),
            serde_json::from_str(&ours).expect("it is JSON"),
        );
        let values = (check(&their_answer), check(&our_answer));
        // uv knows no end of a token, and has another one.
        let mut expected = ours;
        if let (Some(their), Some(our)) = values {
            let end = our_answer["expires"]
                .as_str()
                .expect("the token has an end");
            expected = expected
                .replace(&format!(",\"expires\":\"{end}\""), "")
                .replace(our, their);
        } else {
            assert_eq!(values, (None, None), "{uri}");
        }
        assert_eq!(theirs, expected);
    }
}
