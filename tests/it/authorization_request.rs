//! What an authorization request says, and how it reaches the authority.

use serde_json::json;
use url::Url;

use crate::authority::{Endpoint, Fault, Response, Settings};
use crate::browser_ground::{finish, parameter};
use crate::scene::{Scene, at_once, profile};

/// A scene whose authority has an authorization endpoint, and whose profile has further keys.
fn scene(keys: &str) -> Scene {
    Scene::of(
        Settings {
            metadata: vec![(
                "authorization_endpoint".to_owned(),
                "http://127.0.0.1:1/authorize".into(),
            )],
            ..at_once()
        },
        |issuer| format!("{}{keys}", profile("api", issuer)),
    )
}

/// Begins a sign-in; the page that a person is to open.
fn start(scene: &Scene) -> Url {
    let page = scene.run(&["login", "--start"]).ok();
    Url::parse(page.trim_end()).expect("it is a URL")
}

/// An answer with an access token.
fn token() -> Fault {
    let tokens =
        json!({ "token_type": "Bearer", "access_token": "from-the-browser", "expires_in": 3600 });
    Fault::Answer(Response::json(200, &tokens))
}

#[test]
fn prompt_and_domain_hint_are_of_the_authorization_request_alone() {
    for (keys, prompt, domain_hint) in [
        // OpenID Connect Core §11: without consent there is no refresh token.
        ("", Some("consent"), None),
        (
            "prompt = \"select_account\"\ndomain_hint = \"contoso.example\"\n",
            Some("select_account"),
            Some("contoso.example"),
        ),
        ("extra = { prompt = \"login\" }\n", Some("login"), None),
        (
            "prompt = \"none\"\nextra = { prompt = \"login\" }\n",
            Some("none"),
            None,
        ),
    ] {
        let scene = scene(keys);
        let page = start(&scene);
        assert_eq!(parameter(&page, "prompt").as_deref(), prompt, "{keys}");
        let sent = parameter(&page, "domain_hint");
        assert_eq!(sent.as_deref(), domain_hint, "{keys}");
        scene.authority.script(Endpoint::Token, token());
        scene.run_command(finish(&scene.sandbox, "the-code")).ok();
        scene.run(&["login", "--grant", "device_code"]).ok();
        let requests = scene.authority.requests();
        assert_eq!(scene.authority.count("/token", None), 2);
        assert_eq!(scene.authority.count("/device_authorization", None), 1);
        for request in requests {
            assert_eq!(request.parameter("domain_hint"), None, "{keys}");
            if !keys.contains("extra") {
                assert_eq!(request.parameter("prompt"), None, "{keys}");
            }
        }
    }
}

#[test]
fn a_sign_in_stays_when_the_profile_says_something_else_of_the_page() {
    let scene = scene("prompt = \"login\"\n");
    scene.run(&["login", "--grant", "device_code"]).ok();
    let profiles = std::fs::read_to_string(scene.sandbox.config()).expect("it can be read");
    let other = "prompt = \"consent\"\ndomain_hint = \"organizations\"";
    scene
        .sandbox
        .write_profiles(&profiles.replace("prompt = \"login\"", other));
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "cache");
}
