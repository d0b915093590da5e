//! The end of a sign-in at a server that revokes for confidential clients only.

use serde_json::json;

use crate::glewlwyd_client::{RAW, service, write_secret};
use crate::oidc_ground::Ground;
use crate::tool::{GLEWLWYD, glewlwyd, needs};

#[test]
fn a_public_client_is_forgotten_here_and_told_that_its_tokens_live_on_there() {
    needs!(GLEWLWYD);
    let ground = Ground::signed_in(glewlwyd(json!({})));
    let tokens = [ground.get(&[]), ground.refresh_token()];
    let ran = ground.run(&["logout"]);
    assert!(ran.stderr.contains("warning: "), "{ran:?}");
    assert!(ran.stderr.contains("lives on there"), "{ran:?}");
    assert!(ran.stderr.contains("401"), "{ran:?}");
    assert!(
        ran.stderr.contains("signed out ada@example.test"),
        "{ran:?}"
    );
    assert_eq!(ran.ok(), "");
    let requests = ground.authority.requests();
    assert_eq!(requests.answers, [("revocation 401".to_owned(), 2)].into());
    for token in &tokens {
        assert_eq!(ground.authority.introspect(token)["active"], true);
    }
    assert_eq!(ground.sandbox.sessions().len(), 0);
    ground.run(&["get"]).failed(4);
}

#[test]
fn a_confidential_client_revokes_its_tokens() {
    needs!(GLEWLWYD);
    let ground = Ground::with_profile(glewlwyd(json!({})), &service(RAW));
    write_secret(&ground, ground.authority.service_secret());
    let access_token = ground.sign_in("ada");
    let tokens = [access_token, ground.refresh_token()];
    ground.authority.reset_requests();
    let ran = ground.run(&["logout"]);
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
    assert_eq!(ran.ok(), "");
    let requests = ground.authority.requests();
    assert_eq!(requests.answers, [("revocation 200".to_owned(), 2)].into());
    for token in &tokens {
        assert_eq!(ground.authority.introspect(token)["active"], false);
    }
    assert_eq!(ground.sandbox.sessions().len(), 0);
}
