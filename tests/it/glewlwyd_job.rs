//! The main job at a second server: glewlwyd, which is another program in another language, with
//! answers of its own.

use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::oidc_ground::{Ground, for_each};
use crate::oidc_provider::http::{self, Response};
use crate::tool::{GLEWLWYD, glewlwyd, needs, servers};

#[test]
fn a_sign_in_at_glewlwyd_serves_scripts_through_refreshes_until_logout() {
    needs!(GLEWLWYD);
    let ground = Ground::new(glewlwyd(json!({})));
    let terminal = ground.sandbox.in_terminal("cred-helper login >answer");
    ground.authority.approve(None, "ada");
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert_eq!(ground.read("answer"), "");
    let refresh_token = ground.refresh_token();

    let first = ground.get_json(&[]);
    assert_eq!(first["source"], "cache");
    assert_eq!(first["account"], "ada@example.test");
    let token = first["access_token"].as_str().expect("there is a token");
    let known = ground.authority.introspect(token);
    assert_eq!(known["active"], true);
    assert_eq!(known["username"], "ada");
    assert_eq!(ground.authority.requests().token("refresh_token"), 0);

    ground.expire();
    let second = ground.get_json(&[]);
    assert_eq!(second["source"], "refresh");
    assert_eq!(second["account"], "ada@example.test");
    assert_ne!(second["access_token"], first["access_token"]);
    assert_ne!(ground.refresh_token(), refresh_token, "it was replaced");
    assert_eq!(ground.get_json(&[])["source"], "cache");
    let requests = ground.authority.requests();
    assert_eq!(requests.token("refresh_token"), 1);
    assert_eq!(requests.device_authorization, 1);

    ground.run(&["logout"]).ok();
    assert_eq!(ground.sandbox.sessions().len(), 0);
    ground.run(&["get"]).failed(4);
}

#[test]
fn metadata_that_leave_out_what_the_server_does_take_nothing_away() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    let url = format!(
        "{}/.well-known/openid-configuration",
        ground.authority.issuer()
    );
    let metadata = http::request("GET", &url, &[], "").expect("it answers");
    let metadata = metadata.json();
    let listed = |name: &str, value: &str| {
        let values = metadata[name].as_array().expect("they are listed");
        values.contains(&json!(value))
    };
    // That it says so is why this server is asked.
    assert!(!listed("grant_types_supported", "refresh_token"));
    assert!(!listed("token_endpoint_auth_methods_supported", "none"));
    ground.expire();
    assert_eq!(ground.get_json(&[])["source"], "refresh");
    assert_eq!(
        ground.authority.requests().authentication,
        [("none".to_owned(), 1)].into()
    );
}

#[test]
fn a_token_of_type_bearer_whose_audience_is_its_scopes_is_handed_out_as_any_other() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    let answer = ground.get_json(&[]);
    let token = answer["access_token"].as_str().expect("there is a token");
    let payload = token.split('.').nth(1).expect("it is a JWT");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("it is base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("it is JSON");
    assert_eq!(claims["aud"], claims["scope"]);
    assert_eq!(claims["client_id"], "cli");
    let token_type = answer["token_type"].as_str().expect("it has a type");
    assert!(token_type.eq_ignore_ascii_case("bearer"), "{answer}");
    assert_eq!(
        ground.get(&["-o", "header"]),
        format!("Authorization: Bearer {token}")
    );
}

#[test]
fn of_processes_with_an_expired_token_one_refreshes_and_the_sign_in_lives() {
    for_each(servers(&json!({})), |options| {
        let ground = Ground::signed_in(options);
        for processes in [2, 8] {
            ground.expire();
            ground.authority.reset_requests();
            let answers = ground.run_at_once(processes, &["get"]);
            let requests = ground.authority.requests();
            assert_eq!(requests.token("refresh_token"), 1);
            assert_eq!(requests.device_authorization, 0, "nobody was asked");
            let kept = ground.get(&[]);
            assert!(answers.iter().all(|answer| answer.trim_end() == kept));
            assert_eq!(answers.len(), processes);
        }
        assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
    });
}

/// Redeems a refresh token of the client `cli`, as a program without a lock would.
pub(crate) fn refresh_without_us(ground: &Ground, token: &str, more: &str) -> Response {
    let url = format!("{}/token", ground.authority.issuer());
    let form = format!("grant_type=refresh_token&client_id=cli&refresh_token={token}{more}");
    http::post_form(&url, &form).expect("it answers")
}

/// Why this program exists: what the test above would be without a lock.
#[test]
fn eight_refreshes_of_one_token_without_us_end_the_sign_in() {
    for_each(servers(&json!({})), |options| {
        let ground = Ground::signed_in(options);
        let token = ground.refresh_token();
        let answers: Vec<_> = thread::scope(|scope| {
            let requests: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| refresh_without_us(&ground, &token, "")))
                .collect();
            requests
                .into_iter()
                .map(|request| request.join().expect("it was sent"))
                .collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 7));
        let new = won[0].json()["refresh_token"].clone();
        let new = new.as_str().expect("there is a new one").to_owned();
        assert_eq!(ground.authority.introspect(&new)["active"], false);
    });
}
