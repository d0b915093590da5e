//! Clients that sign in as themselves, at two real servers.

use std::fs;

use serde_json::json;

use crate::glewlwyd_client::{RAW, service, write_secret};
use crate::machine_ground::{expire, sessions_of};
use crate::oidc_ground::{Ground, for_each};
use crate::tool::{GLEWLWYD, glewlwyd, needs};

const NAME: &str = "client_credentials";
const MACHINE: &str = "grant = \"client_credentials\"\n";

/// A ground whose profile is a machine's, with its secret.
fn ground(options: serde_json::Value, keys: &str) -> Ground {
    let ground = Ground::with_profile(options, &service(&format!("{MACHINE}{keys}")));
    write_secret(&ground, ground.authority.service_secret());
    ground
}

#[test]
fn a_token_is_asked_for_when_there_is_none_or_it_has_ended_and_nobody_signs_in() {
    let post = "client_auth_method = \"client_secret_post\"\n";
    let mut rows = vec![
        (json!({}), "", "client_secret_basic"),
        (json!({}), post, "client_secret_post"),
    ];
    if !crate::tool::is_missing(&GLEWLWYD) {
        rows.push((glewlwyd(json!({})), RAW, "client_secret_basic"));
        rows.push((glewlwyd(json!({})), post, "client_secret_post"));
    }
    for_each(rows, |(options, keys, method)| {
        let ground = ground(options, keys);
        let first = ground.get_json(&[]);
        assert_eq!(first["source"], NAME, "{keys}");
        assert_eq!(first["scopes"], json!(["api:read"]));
        let token = first["access_token"].as_str().expect("there is a token");
        let known = ground.authority.introspect(token);
        assert_eq!(known["active"], true, "{keys}");
        let second = ground.get_json(&[]);
        assert_eq!(
            (&second["source"], &second["access_token"]),
            (&json!("cache"), &json!(token))
        );
        ground.expire();
        let third = ground.get_json(&[]);
        assert_eq!(third["source"], NAME);
        assert_ne!(third["access_token"], token);
        // Other scopes are another token, of the same session.
        let wider = ground.get_json(&["--scope", "api:write"]);
        assert_eq!(wider["scopes"], json!(["api:write"]));
        assert_eq!(ground.get_json(&[])["access_token"], third["access_token"]);
        let requests = ground.authority.requests();
        assert_eq!(requests.token, [(NAME.to_owned(), 3)].into(), "{keys}");
        assert_eq!(requests.authentication, [(method.to_owned(), 3)].into());
        assert_eq!(requests.device_authorization, 0);
        ground.run(&["logout"]).ok();
        assert_eq!(ground.sandbox.sessions().len(), 0);
    });
}

#[test]
fn glewlwyd_knows_a_secret_that_is_encoded_as_the_standard_wants_it_for_none() {
    needs!(GLEWLWYD);
    let ground = ground(glewlwyd(json!({})), "");
    let error = ground.fail(5, &["get"]);
    assert_eq!(error["kind"], "denied", "{error}");
    ground.set_profile(&service(&format!("{MACHINE}{RAW}")));
    assert_eq!(ground.get_json(&[])["source"], NAME);
}

#[test]
fn two_hundred_jobs_at_once_with_an_expired_token_make_one_request() {
    let ground = ground(json!({}), "");
    ground.get(&[]);
    ground.expire();
    ground.authority.reset_requests();
    let answers = ground.run_at_once(200, &["get"]);
    let requests = ground.authority.requests();
    assert_eq!(requests.token, [(NAME.to_owned(), 1)].into());
    let kept = ground.get(&[]);
    assert_eq!(answers.len(), 200);
    assert!(answers.iter().all(|answer| answer.trim_end() == kept));
    assert_eq!(ground.authority.introspect(&kept)["active"], true);
}

#[test]
fn a_wrong_secret_is_denied_and_trouble_costs_no_token_that_is_still_good() {
    let ground = ground(json!({}), "");
    let kept = ground.get(&[]);
    write_secret(&ground, "not-the-secret-of-this-client");
    assert_eq!(ground.get(&[]), kept, "the cached one needs no secret");
    let before = ground.session_bytes();
    let error = ground.fail(5, &["get", "--force-refresh"]);
    assert_eq!(error["oauth"]["error"], "invalid_client");
    assert_eq!(ground.session_bytes(), before);
    let write = |text: &str| {
        fs::write(ground.sandbox.path().join("secret"), text).expect("it can be written");
    };
    write("");
    let error = ground.fail(3, &["get", "--force-refresh"]);
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains("`client_secret`"), "{message}");
    write(ground.authority.service_secret());

    // Ten minutes before its end it is renewed, and not at any price.
    ground.age(3400);
    ground
        .authority
        .fault(json!({ "on": "token", "fault": "status", "status": 503 }));
    let answer = ground.get_json(&[]);
    assert_eq!(
        (&answer["access_token"], &answer["stale"]),
        (&json!(kept), &json!(true))
    );
    ground.expire();
    ground.authority.fault(json!([
        { "on": "token", "fault": "reset" },
        { "on": "token", "fault": "status", "status": 503 },
        { "on": "token", "fault": "garbage" },
    ]));
    let mut kinds = Vec::new();
    while ground.authority.faults_left() > 0 {
        kinds.push(ground.fail(6, &["get", "--force-refresh"])["kind"].clone());
    }
    assert!(
        !kinds.is_empty() && kinds.iter().all(|kind| kind == "unavailable"),
        "{kinds:?}"
    );
    let answer = ground.get_json(&["--force-refresh"]);
    assert_eq!(answer["source"], NAME);
}

#[test]
fn what_a_machine_has_is_never_a_persons_of_the_same_client() {
    let ground = ground(json!({}), "");
    let issuer = ground.authority.issuer().to_owned();
    let machine = service(MACHINE);
    let person = service("grant = \"device_code\"\n");
    ground.sandbox.write_profiles(&format!(
        "[profiles.api]\nauthority = \"{issuer}\"\n{person}\
         [profiles.robot]\nauthority = \"{issuer}\"\n{machine}"
    ));
    let robot = || {
        ground
            .sandbox
            .run(&["get", "-p", "robot"])
            .ok()
            .trim_end()
            .to_owned()
    };
    let of_robot = robot();
    // Nobody has signed in: a machine's token is none for a person.
    let error = ground.sandbox.run(&["get", "-p", "api"]).failed(4);
    assert!(error.contains("`cred-helper login -p api`"), "{error}");
    let terminal = ground
        .sandbox
        .in_terminal("cred-helper login -p api >/dev/null");
    ground.authority.approve(None, "ada");
    terminal.wait();
    let of_person = ground
        .sandbox
        .run(&["get", "-p", "api"])
        .ok()
        .trim_end()
        .to_owned();
    assert_eq!(robot(), of_robot);
    assert_eq!(ground.authority.introspect(&of_person)["sub"], "ada");
    assert_ne!(ground.authority.introspect(&of_robot)["sub"], "ada");
    assert_eq!(ground.sandbox.sessions().len(), 2);
    assert_eq!(sessions_of(&ground.sandbox, NAME).len(), 1);

    // The person's refresh token is not what renews the machine's.
    expire(&ground.sandbox, NAME);
    ground.authority.reset_requests();
    assert_ne!(robot(), of_robot);
    assert_eq!(
        ground.authority.requests().token,
        [(NAME.to_owned(), 1)].into()
    );
    ground.sandbox.run(&["logout", "-p", "api"]).ok();
    assert_eq!(sessions_of(&ground.sandbox, NAME).len(), 1);
    ground.sandbox.run(&["get", "-p", "api"]).failed(4);
}
