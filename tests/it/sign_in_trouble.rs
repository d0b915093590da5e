//! Every trouble while somebody signs in: what was begun lives through it, and what had not begun
//! is held against nobody.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use crate::authority::{Endpoint, Fault, Response, Settings};
use crate::oidc_ground::eventually;
use crate::refresh_trouble::{Certificates, FAST, Ground, Presented, SPOILED, Spoiled, is_slow};
use crate::scene::{Scene, profile};
use crate::store_ground::hold_lock;
use crate::support::{Ran, detached};

const ASKING: [&str; 5] = ["get", "--interactive", "always", "-o", "json"];

/// A world that is not so fast: its requests have some seconds to go well on a busy machine.
const LESS_FAST: [&str; 3] = ["faketime", "-f", "+0 x8"];

/// How many sign-ins wait at the same time?
const WORKERS: usize = 32;

/// A scene whose codes wait for a decision.
fn undecided() -> Scene {
    Scene::of(Settings::default(), |issuer| profile("api", issuer))
}

/// What a poll can be answered with that decides nothing.
fn poll_troubles() -> Vec<Spoiled> {
    let further: [Spoiled; 2] = [
        (
            "408",
            || Fault::Answer(Response::new(408, "text/html", "")),
            1,
        ),
        ("a lost answer", || Fault::Lost, 1),
    ];
    [&SPOILED[..], &further].concat()
}

#[test]
fn a_sign_in_that_was_begun_lives_through_every_two_troubles_in_a_row() {
    let troubles = poll_troubles();
    let pairs = troubles
        .iter()
        .flat_map(|first| troubles.iter().map(move |second| (first, second)));
    let pairs = Mutex::new(pairs);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = pairs.lock().expect("no worker panicked with it").next();
                    let Some((first, second)) = next else { return };
                    let scene = undecided();
                    for (_, fault, _) in [first, second] {
                        scene.authority.script(Endpoint::Token, fault());
                    }
                    let name = format!("{}, then {}", first.0, second.0);
                    sign_in(&name, &scene);
                }
            });
        }
    });
}

/// Signs in where the first two polls are troubled.
fn sign_in(name: &str, scene: &Scene) {
    let child = detached(scene.wrapped(&LESS_FAST, &ASKING))
        .spawn()
        .expect("setsid starts");
    scene
        .authority
        .wait_until(|state| state.count("/token", None) >= 3 && state.faults_left() == 0);
    scene.authority.approve_newest();
    let ran = end(scene, child);
    for word in ["error", "warning"] {
        assert!(!ran.stderr.contains(word), "{name}: {ran:?}");
    }
    assert_eq!(ran.json()["source"], "device_code", "{name}");
    let codes = scene.authority.count("/device_authorization", None);
    assert_eq!(codes, 1, "{name}: it is the sign-in that was begun");
}

fn end(scene: &Scene, child: Child) -> Ran {
    let output = child.wait_with_output().expect("it can be waited for");
    scene.sandbox.checked(output)
}

#[test]
fn a_sign_in_that_was_begun_lives_through_certificates_that_are_wrong_for_a_while() {
    let certificates = Certificates::new();
    let Ground { scene, front, .. } = Ground::new(&certificates);
    scene.run(&["logout"]).ok();
    scene
        .authority
        .set(|settings| settings.approve_at_once = false);
    let child = detached(scene.wrapped(&LESS_FAST, &ASKING))
        .spawn()
        .expect("setsid starts");
    scene
        .authority
        .wait_until(|state| state.newest_user_code().is_some());
    for wrong in [
        Presented::Expired,
        Presented::OfAnotherHost,
        Presented::OfNobodyKnown,
    ] {
        let before = front.broken_off();
        front.present(certificates.get(wrong));
        eventually("it is not liked", || front.broken_off() > before);
    }
    front.present(certificates.get(Presented::Good));
    scene.authority.approve_newest();
    let answer = end(&scene, child).json();
    assert_eq!(answer["source"], "device_code");
}

#[test]
fn what_somebody_signed_in_for_waits_for_the_session_longer_than_a_refresh_does() {
    let scene = Scene::of(Settings::default(), |issuer| {
        format!("[lock]\ntimeout = \"100ms\"\n{}", profile("api", issuer))
    });
    let mut child = detached(scene.wrapped(&LESS_FAST, &ASKING))
        .spawn()
        .expect("setsid starts");
    scene
        .authority
        .wait_until(|state| state.newest_user_code().is_some());
    let mut holds = hold_lock(&scene, "lock");
    scene.authority.approve_newest();
    let mut stderr = BufReader::new(child.stderr.take().expect("it was piped"));
    let mut said = String::new();
    let waits = format!(
        "waiting for another process that refreshes this session (process {})",
        holds.id()
    );
    while !said.contains(&waits) {
        let read = stderr.read_line(&mut said).expect("it is text");
        assert_ne!(read, 0, "it has ended: {said}");
    }
    holds.kill().expect("it is ours");
    holds.wait().expect("it is ours");
    stderr.read_to_string(&mut said).expect("it is text");
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(end(&scene, child).json()["source"], "device_code");
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "cache", "it is kept");
}

#[test]
fn a_sign_in_whose_tokens_were_lost_on_their_way_says_so_and_is_no_refusal() {
    let scene = Scene::new();
    scene.authority.script(Endpoint::Token, Fault::Lost);
    let error = scene.run(&ASKING).failed(4);
    assert!(
        error.contains("the authority's answer to the sign-in was lost on its way"),
        "{error}"
    );
    assert!(error.contains("caused by: invalid_grant"), "{error}");
    // Nobody refused, so the next call may ask.
    let answer = scene.run(&ASKING).json();
    assert_eq!(answer["source"], "device_code");
}

#[test]
fn trouble_before_a_code_is_shown_shows_nothing_and_remembers_nothing() {
    thread::scope(|scope| {
        for (name, fault, _) in SPOILED {
            for endpoint in [Endpoint::Discovery, Endpoint::DeviceAuthorization] {
                scope.spawn(move || begin(name, fault, endpoint));
            }
        }
    });
}

fn begin(trouble: &str, fault: fn() -> Fault, endpoint: Endpoint) {
    let scene = Scene::new();
    let name = format!("{trouble} of {endpoint:?}");
    let wrapper: &[&str] = if is_slow(trouble) { &FAST } else { &["env"] };
    // Metadata are looked for in two places.
    let script = || {
        for _ in 0..if endpoint == Endpoint::Discovery {
            2
        } else {
            1
        } {
            scene.authority.script(endpoint, fault());
        }
    };
    script();
    let ran = scene.run_command(scene.wrapped(wrapper, &ASKING));
    scene.authority.clear_script();
    let error = ran.failed(6);
    assert!(error.starts_with("error: "), "{name}: {error}");

    script();
    let wrapper: Vec<String> = wrapper.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("{} cred-helper login 2>errors", wrapper.join(" "));
    let (code, shown) = scene.sandbox.in_terminal(&line).end();
    assert_eq!((code, shown.as_str()), (Some(6), ""), "{name}");
    scene.authority.clear_script();

    let asked = scene.authority.count("/device_authorization", None);
    let expected = if endpoint == Endpoint::Discovery {
        0
    } else {
        2
    };
    assert_eq!(asked, expected, "{name}: once a call");
    let status = scene.run(&["status", "-o", "json"]).json();
    assert_eq!(status["profiles"][0]["accounts"], json!([]), "{name}");
    let answer = scene.run(&ASKING).json();
    assert_eq!(answer["source"], "device_code", "{name}: it is asked again");
}
