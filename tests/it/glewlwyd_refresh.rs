//! Refreshes where two real servers differ: scopes and resources that were never granted.

use serde_json::{Value, json};

use crate::glewlwyd_job::refresh_without_us;
use crate::oidc_ground::Ground;
use crate::tool::{GLEWLWYD, glewlwyd, needs};

#[test]
fn where_a_scope_that_was_never_granted_is_ignored_the_answer_says_what_the_token_is_good_for() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    let own = ground.get(&[]);
    let answer = ground.get_json(&["--scope", "api:write"]);
    assert_eq!(answer["source"], "refresh");
    let scopes = answer["scopes"].as_array().expect("they are told");
    assert!(scopes.contains(&json!("api:read")), "{answer}");
    assert!(!scopes.contains(&json!("api:write")), "{answer}");
    assert_eq!(ground.get(&[]), own, "the profile's own row is untouched");
    // Nothing better is to be had: it is not asked for again and again.
    assert_eq!(
        ground.get_json(&["--scope", "api:write"])["source"],
        "cache"
    );
    assert_eq!(ground.authority.requests().token("refresh_token"), 1);
    ground.expire();
    assert_eq!(ground.get_json(&[])["source"], "refresh");
}

#[test]
fn a_refresh_token_is_never_spent_on_another_resource() {
    const KEYS: &str = "client_id = \"cli\"\nscopes = [\"api:read\"]\n";
    const WRONG: &str = "https://wrong.example.test/";
    let wrong = format!("{KEYS}resource = \"{WRONG}\"\n");
    let ground = Ground::signed_in(json!({}));
    ground.expire();
    let before = ground.session_bytes();
    ground.set_profile(&wrong);
    let error = ground.fail(4, &["get"]);
    assert_eq!(error["kind"], "login_required");
    assert_eq!(ground.authority.requests().total, 0);
    ground.set_profile(KEYS);
    assert_eq!(ground.session_bytes(), before);
    assert_eq!(ground.get_json(&[])["source"], "refresh");

    // What it would have cost.
    let spent = ground.refresh_token();
    let answer = refresh_without_us(&ground, &spent, &format!("&resource={WRONG}"));
    assert_eq!(answer.json()["error"], "invalid_target");
    assert_eq!(
        ground.authority.introspect(&spent)["active"],
        Value::Bool(false)
    );

    // Nor is a person asked for it.
    let ground = Ground::with_profile(json!({}), &wrong);
    let terminal = ground.in_terminal("get");
    let (shown, error) = ground.end_failed(terminal, 5);
    assert_eq!(shown, "");
    assert_eq!(error["oauth"]["error"], "invalid_target");
}
