//! The main job, end to end: a sign-in once, and silence from then on.

use serde_json::json;

use crate::authority::{Authority, Settings};
use crate::oidc_provider::OidcProvider;
use crate::support::Sandbox;

#[test]
fn a_person_signs_in_once_and_every_script_gets_a_token_silently() {
    let authority = OidcProvider::start(json!({}));
    let sandbox = Sandbox::new(&format!(
        "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{}\"\nscopes = [\"api:read\"]\n",
        authority.issuer()
    ));
    let script = sandbox.in_terminal("cred-helper get >answer 2>errors");
    authority.approve(None, "ada");
    let shown = script.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    let token = std::fs::read_to_string(sandbox.path().join("answer")).expect("it was answered");
    sandbox.secret(token.trim());
    assert_eq!(authority.introspect(token.trim())["active"], true);

    assert_eq!(sandbox.run(&["get"]).ok(), token);
    let answer = sandbox
        .run(&["get", "-o", "json", "--force-refresh"])
        .json();
    assert_eq!(answer["source"], "refresh");
    assert_eq!(answer["account"], "ada@example.test");
    assert_eq!(authority.requests().token("refresh_token"), 1);
}

#[test]
fn without_a_terminal_and_without_a_session_it_is_exit_4_at_once() {
    let authority = Authority::start(Settings::default()).expect("it starts");
    let sandbox = Sandbox::new(&format!(
        "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{}\"\nscopes = [\"demo\"]\n",
        authority.issuer()
    ));
    let error = sandbox.run(&["get"]).failed(4);
    assert!(
        error.contains("hint: run `cred-helper login -p api`"),
        "{error}"
    );
    assert_eq!(authority.requests().len(), 0, "nothing was asked");
}
