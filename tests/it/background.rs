//! A token inside its refresh window is handed out at once, and one process of its own refreshes it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::acquire::{Desk, tokens};
use crate::authority::{Endpoint, Fault, Settings};
use crate::fake::World;
use crate::oidc_ground::eventually;
use crate::scene::{Scene, access_tokens, at_once, profile, refresh_token, without_note};
use cred_helper::acquire::acquire;
use cred_helper::credential::{Action, Request, TokenKind};

/// Somebody has signed in, where the file says this of `[refresh]`.
fn signed_in(refresh: &str) -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        format!("{}[refresh]\n{refresh}", profile("api", issuer))
    });
    scene.run(&["login"]).ok();
    scene
}

/// What a call answers, and where it has that from.
fn answer(scene: &Scene) -> (String, String) {
    let answer = scene.run(&["get", "-o", "json"]).json();
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    (text("access_token"), text("source"))
}

/// How many processes have begun to refresh, as the log tells.
fn started(scene: &Scene) -> usize {
    let log = fs::read_to_string(scene.sandbox.log()).unwrap_or_default();
    log.matches("profile `api`: the token is refreshed").count()
}

#[test]
fn of_many_that_meet_an_aging_token_all_go_on_with_it_and_one_process_refreshes_it() {
    let scene = signed_in("background = true\n");
    let (old, _) = answer(&scene);
    scene.age(200);
    scene.authority.hold();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let mut command = scene.sandbox.command(&["get"]);
            let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("it starts")
        })
        .collect();
    for call in calls {
        // The authority has answered nobody yet.
        let ran = scene
            .sandbox
            .checked(call.wait_with_output().expect("it ends"));
        assert_eq!(ran.stderr, "");
        assert_eq!(ran.ok().trim(), old);
    }
    scene.authority.wait_until(|state| state.held == 1);
    assert_eq!(answer(&scene), (old.clone(), "cache".to_owned()));
    scene.authority.release();
    eventually("another process refreshes the token", || {
        answer(&scene) != (old.clone(), "cache".to_owned())
    });
    assert_eq!(answer(&scene).1, "cache");
    assert_eq!((scene.refreshes(), started(&scene)), (1, 1));
    let beside = scene.beside_session();
    assert!(
        !beside.iter().any(|name| name.starts_with(".tmp-")),
        "{beside:?}"
    );
}

#[test]
fn it_outlives_the_terminal_and_the_group_of_whoever_asked() {
    let scene = signed_in("background = true\n");
    let (old, _) = answer(&scene);
    scene.age(200);
    scene.authority.hold();
    let line = "cred-helper get >answer; until [ -e asked ]; do :; done; kill -INT 0";
    let terminal = scene.sandbox.in_terminal(line);
    scene.authority.wait_until(|state| state.held == 1);
    fs::write(scene.file("asked"), "").expect("it can be written");
    terminal.end();
    let answered = fs::read_to_string(scene.file("answer")).expect("the shell made it");
    assert_eq!(answered.trim(), old);
    scene.authority.release();
    eventually("the token is refreshed", || answer(&scene).0 != old);
    assert_eq!(scene.refreshes(), 1);
}

#[test]
fn it_is_this_program_also_where_its_file_has_the_name_of_a_helper() {
    let scene = Scene::of(at_once(), |issuer| {
        let profile = profile("api", issuer);
        format!("{profile}urls = [\"https://api.example\"]\n[refresh]\nbackground = true\n")
    });
    scene.run(&["login"]).ok();
    let (old, _) = answer(&scene);
    scene.age(200);
    let own = scene.sandbox.link("cred-helper");
    // No link: as on systems where a program is told the name that it was started by.
    let copy = scene.file("terraform-credentials-cred-helper");
    let copied = Command::new("cp").arg(own).arg(&copy).status();
    assert!(copied.expect("cp (coreutils) starts").success());
    let mut command = Command::new(copy);
    scene.sandbox.prepare(&mut command);
    command.args(["get", "api.example"]);
    let answered = scene.run_command(command).ok();
    assert!(answered.contains(&old), "{answered}");
    eventually("the token is refreshed", || scene.refreshes() == 1);
}

#[test]
fn trouble_in_the_background_costs_nothing_and_the_next_call_has_it_tried_again() {
    let scene = signed_in("background = true\n");
    let (old, _) = answer(&scene);
    scene.age(200);
    let before = without_note(&scene.session());
    let kept = refresh_token(&scene.session());
    let fault = Fault::error(503, "temporarily_unavailable");
    scene.authority.script(Endpoint::Token, fault);
    assert_eq!(scene.run(&["get"]).ok().trim(), old);
    eventually("it was tried", || scene.authority.faults_left() == 0);
    assert_eq!(without_note(&scene.session()), before);
    assert!(scene.authority.is_redeemable(&kept));
    eventually("it is tried again", || answer(&scene).0 != old);
    assert_eq!(scene.refreshes(), 2);
}

#[test]
fn a_refusal_in_the_background_asks_nobody_while_the_token_is_valid() {
    let scene = signed_in("background = true\n");
    let (old, _) = answer(&scene);
    scene.age(200);
    let fault = Fault::error(400, "invalid_grant");
    scene.authority.script(Endpoint::Token, fault);
    let mut told = None;
    eventually("the refusal is told", || {
        let ran = scene.run(&["get", "-o", "json"]);
        let answer = ran.json();
        assert_eq!(answer["access_token"], old.as_str());
        told = (answer["stale"] == true).then_some(());
        told.is_some()
    });
    assert_eq!(scene.refreshes(), 1, "it is not sent again");
    assert_eq!(scene.authority.count("/device_authorization", None), 1);
}

/// A namespace of processes, which ends with its first one.
const NAMESPACE: [&str; 4] = ["unshare", "--pid", "--fork", "--mount-proc"];

#[test]
fn it_is_refreshed_first_where_the_token_may_be_ended_or_little_of_it_is_left() {
    let unknown = "is not known of this authority";
    for (refresh, keys, left, reason) in [
        ("background = false\n", "", 200, ""),
        ("background = true\n", "", 20, ""),
        ("", "", 200, unknown),
        // They end the token that was handed out, whatever the file says.
        (
            "background = true\n",
            "preset = \"gitlab\"\n",
            200,
            "ends the tokens before it",
        ),
    ] {
        let of_gitlab = [
            ("/oauth/authorize_device", Endpoint::DeviceAuthorization),
            ("/oauth/token", Endpoint::Token),
        ];
        let settings = Settings {
            paths: of_gitlab.map(|(path, of)| (path.to_owned(), of)).to_vec(),
            scopes: vec!["demo".to_owned()],
            ..at_once()
        };
        let settings = if keys.is_empty() { at_once() } else { settings };
        let scene = Scene::of(settings, |issuer| {
            format!("{}{keys}[refresh]\n{refresh}", profile("api", issuer))
        });
        scene.run(&["login"]).ok();
        scene.age(left);
        assert_eq!(answer(&scene).1, "refresh", "{refresh} {keys} {left}");
        let log = fs::read_to_string(scene.sandbox.log()).expect("there is a log");
        assert_eq!(
            log.contains("is not refreshed in the background"),
            !reason.is_empty()
        );
        assert!(log.contains(reason), "{log}");
    }
}

#[test]
fn it_is_refreshed_first_where_nothing_outlives_the_call() {
    for (variable, wrapper, reason) in [
        (
            Some(("CI", "true")),
            &["env"][..],
            "in continuous integration",
        ),
        (Some(("container", "podman")), &["env"], "in a container (`"),
        (None, &NAMESPACE, "in a container nothing"),
    ] {
        let scene = signed_in("");
        scene.age(200);
        // The authority asked for it, and so keeps what was handed out.
        scene.edit_session(|session| {
            for token in access_tokens(session) {
                token["refresh_at"] = token["issued_at"].clone();
            }
        });
        let mut command = scene.wrapped(wrapper, &["get", "-o", "json"]);
        command.envs(variable);
        let answer = scene.run_command(command).json();
        assert_eq!(answer["source"], "refresh", "{reason}");
        let log = fs::read_to_string(scene.sandbox.log()).expect("there is a log");
        assert!(log.contains(reason), "{log}");
    }
}

#[test]
fn of_an_authority_that_is_not_known_only_what_spends_no_refresh_token_is_left_to_another_process()
{
    let client = "grant = \"client_credentials\"\nclient_secret = { env = \"GIVEN\" }\n";
    let import = "grant = { type = \"refresh_token\", refresh_token = { env = \"GIVEN\" } }\n";
    for (keys, refresh_token, is_left) in [(client, None, true), (import, Some("next"), false)] {
        let mut world = World::without_terminal();
        world.variables.insert("GIVEN", "canary".to_owned());
        let desk = Desk::with(keys);
        let request = Request::new(Action::Get);
        let get = || {
            let mut call = desk.call(&world, &request);
            call.background = None;
            acquire(&call, None).expect("there is a token").source
        };
        world.answer(200, tokens("first", refresh_token));
        get();
        world.pass(3400);
        if !is_left {
            world.answer(200, tokens("second", None));
        }
        assert_eq!(get() == "cache", is_left, "{keys}");
        assert_eq!(world.started.borrow().len(), usize::from(is_left), "{keys}");
        world.assert_all_asked();
    }
}

#[test]
fn the_other_process_refreshes_what_this_one_was_asked_for() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    world.pass(3400);
    let asked = Request {
        claims: Some(r#"{"access_token":{}}"#.to_owned()),
        ..Request::new(Action::Get)
    };
    for (request, expected) in [
        (
            Request::new(Action::Get),
            Some(&["refresh", "--profile=api", "--token=access"][..]),
        ),
        (
            Request {
                token: Some(TokenKind::Access),
                scopes: vec!["read".to_owned()],
                ..Request::new(Action::Get)
            },
            Some(&["refresh", "--profile=api", "--token=access", "--scope=read"]),
        ),
        // The process itself.
        (
            Request {
                refreshes_first: true,
                ..Request::new(Action::Get)
            },
            None,
        ),
        (
            Request {
                min_valid: Some(Duration::from_secs(300)),
                ..Request::new(Action::Get)
            },
            None,
        ),
        // Nothing is kept for these.
        (asked, None),
    ] {
        world.started.borrow_mut().clear();
        if expected.is_none() {
            world.answer(503, "");
        }
        let mut call = desk.call(&world, &request);
        call.background = Some(true);
        let answer = acquire(&call, None);
        let started = world.started.borrow();
        match expected {
            Some(expected) => {
                assert_eq!(*started, [expected]);
                let answer = answer.expect("the token is handed out");
                assert_eq!((answer.source, answer.stale), ("cache", false));
            }
            None => assert_eq!(started.len(), 0, "{request:?}"),
        }
    }
}
