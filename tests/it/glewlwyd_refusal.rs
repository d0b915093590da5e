//! Refusals without a word: a status, and an empty body.

use serde_json::json;

use crate::glewlwyd_client::{RAW, service, write_secret};
use crate::oidc_ground::Ground;
use crate::tool::{GLEWLWYD, glewlwyd, needs};

#[test]
fn a_refresh_token_that_is_refused_without_a_word_is_kept_and_a_sign_in_is_required() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    ground.expire();
    let before = ground.refresh_token();
    ground.authority.revoke(&before);

    let error = ground.fail(4, &["get"]);
    assert_eq!(error["kind"], "login_required", "{error}");
    assert_eq!(error["next"], json!(["cred-helper", "login", "-p", "api"]));
    assert_eq!(ground.refresh_token(), before);
    let refused = [("token 400".to_owned(), 1)].into();
    assert_eq!(ground.authority.requests().answers, refused);

    // Somebody who can be asked is, and the token is not sent a second time in one call.
    ground.authority.reset_requests();
    ground.get_as_ada();
    assert_eq!(ground.authority.requests().token("refresh_token"), 1);
    ground.expire();
    assert_eq!(ground.get_json(&[])["source"], "refresh");
}

#[test]
fn a_refresh_whose_answer_was_lost_is_repeated_once_and_then_refused_without_a_word() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    ground.expire();
    let before = ground.refresh_token();
    ground
        .authority
        .fault(json!({ "on": "token", "fault": "lost" }));
    let error = ground.fail(4, &["get"]);
    assert_eq!(error["kind"], "login_required", "{error}");
    assert!(
        error["caused_by"]
            .to_string()
            .contains("answer to a first attempt was lost on its way"),
        "{error}"
    );
    let requests = ground.authority.requests();
    assert_eq!(requests.token("refresh_token"), 2);
    assert_eq!(
        (requests.answer("token 200"), requests.answer("token 400")),
        (1, 1)
    );
    assert_eq!(ground.refresh_token(), before);
}

#[test]
fn a_401_or_403_without_a_word_is_denied_and_changes_nothing() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    ground.expire();
    let before = ground.session_bytes();
    for status in [401, 403] {
        ground.authority.reset_requests();
        ground.authority.fault(json!({
            "on": "token", "fault": "status", "status": status, "times": 2,
        }));
        let error = ground.fail(5, &["get"]);
        assert_eq!(error["kind"], "denied", "{status}: {error}");
        let terminal = ground.in_terminal("get");
        let (shown, error) = ground.end_failed(terminal, 5);
        assert_eq!(shown, "", "{status}: nobody is asked");
        assert_eq!(error["kind"], "denied", "{status}: {error}");
        assert_eq!(ground.authority.requests().total, 2, "{status}");
        assert_eq!(ground.session_bytes(), before, "{status}");
    }
    assert_eq!(ground.get_json(&[])["source"], "refresh", "it lives");
}

#[test]
fn a_wrong_secret_at_a_refresh_that_is_refused_without_a_word_loses_nothing_here() {
    needs!(GLEWLWYD);
    let ground = Ground::with_profile(glewlwyd(json!({})), &service(RAW));
    write_secret(&ground, ground.authority.service_secret());
    ground.sign_in("ada");
    ground.expire();
    let before = ground.refresh_token();
    ground.authority.reset_requests();
    write_secret(&ground, "not-the-secret-of-this-client");
    let error = ground.fail(4, &["get"]);
    assert_eq!(error["kind"], "login_required");
    let requests = ground.authority.requests();
    assert_eq!(requests.answers, [("token 400".to_owned(), 1)].into());
    assert_eq!(ground.refresh_token(), before);
}
