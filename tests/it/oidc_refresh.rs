//! Refreshes at a real provider that rotates refresh tokens, and what `get` is asked for.

use serde_json::json;

use crate::oidc_ground::{Ground, for_each};

#[test]
fn each_refresh_replaces_the_refresh_token_where_the_authority_rotates_and_keeps_it_elsewhere() {
    for_each([true, false], |rotate| {
        let ground = Ground::signed_in(json!({ "rotate": rotate }));
        let mut access_tokens = vec![ground.get(&[])];
        let mut refresh_tokens = vec![ground.refresh_token()];
        for _ in 0..4 {
            ground.expire();
            access_tokens.push(ground.get(&[]));
            let refresh_token = ground.refresh_token();
            if refresh_tokens.last() != Some(&refresh_token) {
                refresh_tokens.push(refresh_token);
            }
        }
        assert_eq!(ground.authority.requests().token("refresh_token"), 4);
        assert_eq!(refresh_tokens.len(), if rotate { 5 } else { 1 });
        let (last, spent) = refresh_tokens.split_last().expect("there is one");
        for token in spent {
            assert_eq!(ground.authority.introspect(token)["active"], false);
        }
        assert_eq!(ground.authority.introspect(last)["active"], true);
        access_tokens.sort();
        access_tokens.dedup();
        assert_eq!(access_tokens.len(), 5, "each refresh gave another token");
    });
}

#[test]
fn min_valid_is_served_from_the_cache_as_long_as_the_token_lives_that_long() {
    let ground = Ground::signed_in(json!({ "accessTokenTtl": 3600 }));
    ground.age(1000);
    let first = ground.get_json(&["--min-valid", "40m"]);
    assert_eq!(first["source"], "cache");
    assert_eq!(ground.authority.requests().total, 0);

    let second = ground.get_json(&["--min-valid", "50m"]);
    assert_eq!(second["source"], "refresh");
    assert_ne!(second["access_token"], first["access_token"]);
    assert_eq!(ground.get_json(&["--min-valid", "50m"])["source"], "cache");

    // The authority's tokens do not live so long: as good as new is all that can be had.
    for _ in 0..2 {
        let ran = ground.run(&["get", "-o", "json", "--min-valid", "2h"]);
        assert!(
            ran.stderr.contains("tokens of this authority live 3600 s"),
            "{ran:?}"
        );
        assert_eq!(ran.json()["source"], "refresh");
    }
    assert_eq!(ground.authority.requests().token("refresh_token"), 3);
}

#[test]
fn force_refresh_never_hands_out_the_old_token() {
    let ground = Ground::signed_in(json!({}));
    let mut last = ground.get(&[]);
    for times in 1..=3 {
        let answer = ground.get_json(&["--force-refresh"]);
        assert_eq!(answer["source"], "refresh");
        assert_ne!(answer["access_token"], last.as_str());
        last = ground.get(&[]);
        assert_eq!(answer["access_token"], last.as_str());
        assert_eq!(ground.authority.requests().token("refresh_token"), times);
    }
    // Not even where there is nothing better to be had.
    ground.authority.fault(json!({
        "on": "token", "fault": "status", "status": 503,
    }));
    ground.run(&["get", "--force-refresh"]).failed(6);
    assert_eq!(ground.get(&[]), last);
}

#[test]
fn a_narrower_scope_is_a_token_of_its_own_beside_the_profiles() {
    let ground = Ground::with_profile(
        json!({}),
        "client_id = \"cli\"\nscopes = [\"api:read\", \"api:write\"]\n",
    );
    let both = ground.sign_in("ada");
    let narrow = ground.get_json(&["--scope", "api:read"]);
    assert_eq!(narrow["source"], "refresh");
    assert_eq!(narrow["scopes"], json!(["api:read"]));
    let narrow = narrow["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(ground.authority.introspect(&narrow)["scope"], "api:read");

    assert_eq!(ground.get(&[]), both, "the profile's own row is untouched");
    assert_eq!(ground.get(&["--scope", "api:read"]), narrow);
    assert_eq!(ground.authority.requests().token("refresh_token"), 1);

    // A refresh with less does not make the sign-in less.
    let again = ground.get(&["--force-refresh"]);
    let granted = ground.authority.introspect(&again)["scope"].to_string();
    assert!(
        granted.contains("api:read") && granted.contains("api:write"),
        "{granted}"
    );
    assert_eq!(ground.get(&["--scope", "api:read"]), narrow);
}

#[test]
fn a_scope_that_was_never_granted_is_denied_and_the_session_lives() {
    let ground = Ground::signed_in(json!({}));
    let before = ground.session_bytes();
    let error = ground.run(&["get", "--scope", "api:write"]).failed(5);
    assert!(error.contains("invalid_scope"), "{error}");
    assert!(
        error.contains("hint: the sign-in does not cover `api:write`"),
        "{error}"
    );
    assert_eq!(ground.session_bytes(), before);
    ground.expire();
    assert_eq!(ground.get_json(&[])["source"], "refresh");
}
