//! What a token says of itself, as it is shown.

use crate::scene::Scene;

#[test]
fn a_token_is_taken_apart_and_not_shown() {
    let scene = Scene::signed_in();
    let id_token = scene.run(&["get", "-o", "id-token"]).ok();
    let asked = scene.authority.requests().len();
    let ran = scene.run(&["inspect", "-p", "api", "--id-token"]);
    assert!(
        ran.stderr.contains("signature is not checked"),
        "{}",
        ran.stderr
    );
    let shown = ran.ok();
    for (claim, meaning) in [("aud", "whom it is for"), ("exp", "when it ends")] {
        let mut lines = shown.lines();
        let is_it = |line: &&str| line.starts_with(&format!("{claim} ")) && line.ends_with(meaning);
        assert!(lines.any(|line| is_it(&line)), "{shown}");
    }
    assert!(!shown.contains(id_token.trim()), "{shown}");
    let told = scene.run(&["inspect", "--id-token", "-o", "json"]).json();
    assert_eq!(told["claims"]["aud"], "cli");
    assert_eq!(told["verified"], false);
    assert!(told["header"]["alg"].is_string(), "{told}");
    // The access token of this authority is opaque.
    let told = scene.run(&["inspect", "-o", "json"]).ok();
    assert_eq!(told, "{\"opaque\":true}\n");
    let told = scene.run(&["inspect"]).ok();
    assert!(told.starts_with("The token is opaque"), "{told}");
    assert_eq!(scene.authority.requests().len(), asked);
    scene.run(&["logout"]).ok();
    scene.run(&["inspect"]).failed(4);
}
