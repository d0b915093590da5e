//! The end of a sign-in, here and at the authority.

use std::fs;

use serde_json::json;

use crate::oidc_ground::{Ground, for_each};

#[test]
fn logout_revokes_at_the_authority_and_forgets_here() {
    let ground = Ground::signed_in(json!({}));
    let access_token = ground.get(&[]);
    let refresh_token = ground.refresh_token();
    let ran = ground.run(&["logout"]);
    assert!(
        ran.stderr.contains("signed out ada@example.test"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
    assert_eq!(ran.ok(), "");
    for token in [&access_token, &refresh_token] {
        assert_eq!(ground.authority.introspect(token)["active"], false);
    }
    assert!(ground.authority.requests().revocation > 0);
    assert_eq!(ground.sandbox.sessions().len(), 0);
    ground.run(&["get"]).failed(4);
    // There is nothing more to be ended, and that is no failure.
    let again = ground.run(&["logout"]);
    assert!(again.stderr.contains("nobody was signed in"), "{again:?}");
    again.ok();
}

#[test]
fn logout_warns_where_the_authority_revokes_nothing_and_forgets_all_the_same() {
    // Without the endpoint, and with one that is in trouble.
    for_each([false, true], |revocation| {
        let ground = Ground::signed_in(json!({ "revocation": revocation }));
        let tokens = [ground.get(&[]), ground.refresh_token()];
        ground.authority.fault(json!({
            "on": "revocation", "fault": "status", "status": 503, "times": 2,
        }));
        let ran = ground.run(&["logout"]);
        assert!(ran.stderr.contains("warning: "), "{ran:?}");
        assert!(ran.stderr.contains("lives on there"), "{ran:?}");
        assert_eq!(ran.ok(), "");
        for token in &tokens {
            assert_eq!(ground.authority.introspect(token)["active"], true);
        }
        assert_eq!(ground.sandbox.sessions().len(), 0);
        ground.run(&["get"]).failed(4);
    });
}

#[test]
fn a_local_logout_tells_the_authority_nothing() {
    let ground = Ground::signed_in(json!({}));
    let tokens = [ground.get(&[]), ground.refresh_token()];
    ground.run(&["logout", "--local"]).ok();
    assert_eq!(ground.authority.requests().total, 0);
    for token in &tokens {
        assert_eq!(ground.authority.introspect(token)["active"], true);
    }
    assert_eq!(ground.sandbox.sessions().len(), 0);
    ground.run(&["get"]).failed(4);
}

#[test]
fn logout_names_the_profiles_with_the_same_sign_in() {
    let ground = Ground::signed_in(json!({}));
    let path = ground.sandbox.config();
    let profiles = fs::read_to_string(path).expect("it can be read");
    let keys = profiles
        .split_once("[profiles.api]")
        .expect("it is there")
        .1;
    ground.sandbox.write_profiles(&format!(
        "{profiles}\n[profiles.twin]{keys}\n[profiles.other]{keys}\naudience = \"x\"\n"
    ));
    let ran = ground.run(&["logout", "-p", "twin"]);
    assert_eq!(
        ran.stderr,
        "signed out ada@example.test for profile `twin`\n\
         profile `api` had the same sign-in\n"
    );
    let again = ground.run(&["logout", "-p", "api"]);
    assert!(!again.stderr.contains("the same sign-in"), "{again:?}");
}

#[test]
fn logout_of_one_account_leaves_the_other_signed_in() {
    let ground = Ground::new(json!({}));
    let bobs = ground.sign_in("bob");
    let adas = ground.sign_in("ada");
    let nobodys = ground.run(&["logout", "--account", "eve@example.test"]);
    assert!(
        nobodys
            .stderr
            .starts_with("`eve@example.test` was not signed in for profile"),
        "{nobodys:?}"
    );
    ground
        .run(&["logout", "--account", "ada@example.test"])
        .ok();
    assert_eq!(ground.authority.introspect(&adas)["active"], false);
    assert_eq!(ground.authority.introspect(&bobs)["active"], true);
    assert_eq!(ground.get(&[]), bobs, "now bob is who is meant");
    let answer = ground.get_json(&["--force-refresh"]);
    assert_eq!(answer["account"], "bob@example.test");
}
