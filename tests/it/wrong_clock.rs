//! The machine's clock, set wrong between calls and set right again; and how long a token is served
//! from the cache. `faketime` tells the program the time; the authority has its own.

use std::process::Command;

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Settings};
use crate::oidc_ground::for_each;
use crate::scene::{Scene, access_tokens, now, profile, refresh_token};

const HOUR: i64 = 3600;

/// The answer of a `get` that is told this time, which must go well.
fn at(scene: &Scene, time: i64, arguments: &[&str]) -> Value {
    let command = told(scene, time, &[&["get", "-o", "json"], arguments].concat());
    scene.run_command(command).json()
}

/// The binary, whose clock begins at this time.
fn told(scene: &Scene, time: i64, arguments: &[&str]) -> Command {
    let time = format!("@{time}");
    let mut command = scene.wrapped(&["faketime", "-f", &time], arguments);
    command.env("FAKETIME_FMT", "%s");
    // The span of a call is measured by a clock that nobody sets.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

/// When the only token was received, and when it ends.
fn times(scene: &Scene) -> (i64, i64) {
    let mut session = serde_json::from_slice(&scene.session()).expect("the session is JSON");
    let mut tokens = access_tokens(&mut session).clone();
    tokens.retain(|token| token["key"]["is_id_token"] != true);
    assert_eq!(tokens.len(), 1);
    let time = |name: &str| tokens[0][name].as_i64().expect("a time is a number");
    (time("issued_at"), time("expires_at"))
}

#[test]
fn a_clock_that_jumps_makes_no_token_valid_for_ever_and_loses_no_sign_in() {
    for_each([-2 * HOUR, 2 * HOUR], |jump| {
        let scene = Scene::signed_in();
        let (right, _) = times(&scene);
        let wrong = right + jump;

        // What is kept looks as if it came from the future, or had run out long ago.
        let first = at(&scene, wrong, &[]);
        assert_eq!(first["source"], "refresh", "{jump}");
        let (issued_at, expires_at) = times(&scene);
        assert!((wrong..wrong + 60).contains(&issued_at), "{jump}");
        assert_eq!(
            expires_at,
            issued_at + HOUR,
            "{jump}: no longer than it lives"
        );
        // While the clock stays wrong it is as good as any other: for its hour.
        let again = at(&scene, wrong + 50 * 60, &[]);
        assert_eq!(again["source"], "cache", "{jump}");
        assert_eq!(again["access_token"], first["access_token"]);
        assert_eq!(scene.refreshes(), 1, "{jump}");
        let over = at(&scene, wrong + HOUR, &[]);
        assert_eq!(over["source"], "refresh", "{jump}");

        // The clock is right again.
        let right_again = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(right_again["source"], "refresh", "{jump}");
        assert_eq!(scene.run(&["get", "-o", "json"]).json()["source"], "cache");
        assert_eq!(scene.refreshes(), 3, "{jump}");
        let kept = refresh_token(&scene.session());
        assert!(scene.authority.is_redeemable(&kept), "{jump}");
    });
}

#[test]
fn in_trouble_a_token_of_a_wrong_clock_is_handed_out_as_stale_or_not_at_all() {
    let trouble = |scene: &Scene| {
        let fault = Fault::error(503, "temporarily_unavailable");
        scene.authority.script(Endpoint::Token, fault);
    };
    // The clock was two hours ahead when it was received: nobody knows whether it is valid.
    let scene = Scene::signed_in();
    let (right, _) = times(&scene);
    let ahead = at(&scene, right + 2 * HOUR, &[]);
    trouble(&scene);
    let doubtful = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(doubtful["access_token"], ahead["access_token"]);
    assert_eq!(doubtful["stale"], true);
    // It was two hours behind: the token is over by now.
    let behind = at(&scene, right - 2 * HOUR, &[]);
    assert_ne!(behind["access_token"], ahead["access_token"]);
    trouble(&scene);
    scene.run(&["get"]).failed(6);
    assert_eq!(
        scene.run(&["get", "-o", "json"]).json()["source"],
        "refresh"
    );
}

#[test]
fn a_sign_in_under_a_wrong_clock_is_kept_when_the_clock_is_right() {
    for_each([-2 * HOUR, 2 * HOUR], |jump| {
        let scene = Scene::new();
        let right = now();
        let command = told(&scene, right + jump, &["login"]);
        scene.run_command(command).ok();
        let answer = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(answer["source"], "refresh", "{jump}");
        let answer = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(answer["source"], "cache", "{jump}");
    });
}

#[test]
fn a_token_is_served_from_the_cache_without_a_request_until_its_time_to_be_refreshed() {
    let plain: fn() -> Fault = || Fault::edit(|_| {});
    let early: fn() -> Fault =
        || Fault::edit(|members| drop(members.insert("refresh_in".into(), json!(600))));
    // How many seconds it lives, its answer, and the second from which on it is refreshed.
    let rows = [
        (300, plain, 150),
        (HOUR, plain, 55 * 60),
        (HOUR, early, 600),
    ];
    for_each(rows, |(lifetime, fault, refreshed_from)| {
        let scene = Scene::of(
            Settings {
                approve_at_once: true,
                access_token_lifetime: lifetime,
                ..Settings::default()
            },
            |issuer| profile("api", issuer),
        );
        scene.authority.script(Endpoint::Token, fault());
        scene.run(&["login"]).ok();
        let (issued_at, expires_at) = times(&scene);
        assert_eq!(expires_at - issued_at, lifetime);
        let requests = scene.authority.requests().len();
        for after in [0, refreshed_from / 2, refreshed_from - 30] {
            let answer = at(&scene, issued_at + after, &[]);
            assert_eq!(answer["source"], "cache", "{lifetime}: {after}");
            assert_eq!(answer["stale"], false);
        }
        assert_eq!(scene.authority.requests().len(), requests, "{lifetime}");
        let answer = at(&scene, issued_at + refreshed_from + 2, &[]);
        assert_eq!(answer["source"], "refresh", "{lifetime}");
        assert_eq!(scene.refreshes(), 1);
        let next = at(&scene, issued_at + refreshed_from + 30, &[]);
        assert_eq!(next["source"], "cache", "{lifetime}");
        assert_eq!(scene.refreshes(), 1);
    });
}

#[test]
fn a_refresh_token_that_seems_to_be_over_because_a_clock_was_behind_is_used() {
    let scene = Scene::new();
    let half_an_hour = Fault::edit(|members| {
        members.insert("refresh_expires_in".into(), json!(1800));
    });
    scene.authority.script(Endpoint::Token, half_an_hour);
    let command = told(&scene, now() - 2 * HOUR, &["login"]);
    scene.run_command(command).ok();
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
}

#[test]
fn a_dead_sign_in_is_not_hidden_by_a_token_that_a_wrong_clock_made_long_lived() {
    let scene = Scene::new();
    let command = told(&scene, now() + 24 * HOUR, &["login"]);
    scene.run_command(command).ok();
    scene.authority.forget_tokens();
    for _ in 0..2 {
        scene.run(&["get"]).failed(4);
    }
    assert_eq!(scene.refreshes(), 1);
}
