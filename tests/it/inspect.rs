//! What a token says of itself, as it is shown.

use std::process::{Command, Stdio};

use cred_helper::encoding::to_base64url;
use cred_helper::oauth::json_web_key::Keys;
use cred_helper::text::is_unsafe;
use serde_json::{Value, json};

use crate::oidc_ground::Ground;
use crate::scene::{Scene, access_tokens};

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

#[test]
fn no_claim_moves_the_cursor_or_hides_text_and_as_json_none_is_lost() {
    let scene = Scene::signed_in();
    let claims = json!({
        "name\u{202e}": "\u{9b}2Jada\u{200b}", "nested": ["\u{7f}", { "\u{e0041}": "Grüße \\u202e \"" }]
    });
    let part = |value: &Value| to_base64url(value.to_string().as_bytes());
    let header = json!({ "alg": "none", "kid": "\u{2066}k" });
    let token = format!("{}.{}.", part(&header), part(&claims));
    scene.edit_session(|session| {
        for row in access_tokens(session) {
            row["secret"] = token.as_str().into();
        }
    });
    for output in ["table", "json"] {
        let shown = scene.run(&["inspect", "-o", output]).ok();
        let found = shown
            .trim_end()
            .chars()
            .find(|character| is_unsafe(*character) && *character != '\n');
        assert_eq!(found, None, "{shown:?}");
        assert!(shown.contains("ada") && shown.contains("Grüße"), "{shown}");
    }
    let ran = scene.run(&["inspect", "-o", "json"]);
    assert!(ran.stdout.contains("\\u009b2Jada\\u200b"), "{ran:?}");
    let told = ran.json();
    assert_eq!(
        (&told["header"], &told["claims"]),
        (&header, &claims),
        "{told}"
    );
}

#[test]
fn a_token_is_verified_by_the_keys_of_its_authority_and_by_no_others() {
    let ground = Ground::new(json!({ "jwt": true }));
    let token = ground.sign_in("ada");
    let told = ground.run(&["inspect", "--verify", "-o", "json"]).json();
    assert_eq!(told["verified"], true, "{told}");
    let issuer = ground.authority.issuer();
    let by = told["reason"].as_str().expect("it says by what");
    assert!(
        by.ends_with(&format!("of `{issuer}`, from {issuer}/jwks")),
        "{by}"
    );
    let ran = ground.run(&["inspect", "--verify", "--id-token"]);
    assert!(
        ran.stderr.contains("signature is verified: by the key `"),
        "{}",
        ran.stderr
    );
    assert!(ran.ok().contains("ada"));
    // One letter of what it says; a token of another authority, with a name of its own for its key.
    let stranger = Ground::new(json!({ "jwt": true }));
    let (head, rest) = token.split_once('.').expect("it is a JWT");
    let (_, signature) = rest.split_once('.').expect("it is a JWT");
    let claims = to_base64url(
        json!({ "iss": issuer, "sub": "eve" })
            .to_string()
            .as_bytes(),
    );
    for (token, told) in [
        (
            format!("{head}.{claims}.{signature}"),
            "is not that of the authority's key",
        ),
        (stranger.sign_in("eve"), "the authority has no key"),
        (
            format!("{}.{claims}.", to_base64url(b"{\"alg\":\"none\"}")),
            "`none`, which proves nothing",
        ),
    ] {
        ground.set_token(&token);
        let ran = ground.run(&["inspect", "--verify", "-o", "json"]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        let shown: Value = serde_json::from_str(&ran.stdout).expect("what it says is told");
        assert_eq!(shown["verified"], false);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(
            shown["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains(told)),
            "{shown}"
        );
    }
    ground.set_token(&token);
    ground
        .authority
        .fault(json!({ "on": "discovery", "fault": "status", "status": 503 }));
    let ran = ground.run(&["inspect", "--verify"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(
        ran.stdout.starts_with("CLAIM"),
        "what it says is told all the same: {ran:?}"
    );
}

/// A library of node makes a key for each way of signing, and a token with each.
#[test]
fn a_signature_of_every_kind_is_verified() {
    let made = Command::new("node")
        .arg("sign.mjs")
        .current_dir(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/authority/oidc-provider"
        ))
        .stderr(Stdio::inherit())
        .output()
        .expect("node starts");
    let made: Value = serde_json::from_slice(&made.stdout).expect("node prints JSON");
    let keys = Keys::read(made["set"].to_string().as_bytes()).expect("it is a set");
    let tokens = made["tokens"].as_object().expect("they are an object");
    assert_eq!(tokens.len(), 9, "{tokens:?}");
    for (name, token) in tokens {
        let token = token.as_str().expect("it is a text");
        assert_eq!(
            keys.verify(token).map(|signer| signer.kid),
            Ok(Some(name.clone()))
        );
        let changed = token.replacen('.', ".e", 1);
        assert!(keys.verify(&changed).is_err(), "{name}");
    }
}
