//! What an authorization request says, and how it reaches the authority.

use std::fs;

use serde_json::{Value, json};
use url::Url;

use crate::authority::{Endpoint, Fault, Response, Settings};
use crate::browser_ground::{finish, install, open, parameter};
use crate::oidc_ground::{Ground, for_each};
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
        ("prompt = \"none\"\n", Some("none"), None),
    ] {
        let scene = scene(keys);
        let page = start(&scene);
        assert_eq!(parameter(&page, "prompt").as_deref(), prompt, "{keys}");
        let sent = parameter(&page, "domain_hint");
        assert_eq!(sent.as_deref(), domain_hint, "{keys}");
        scene.authority.script(Endpoint::Token, token());
        scene
            .run_command(finish(&scene.sandbox, "the-code-of-this-page"))
            .ok();
        scene.run(&["login", "--grant", "device_code"]).ok();
        let requests = scene.authority.requests();
        assert_eq!(scene.authority.count("/token", None), 2);
        assert_eq!(scene.authority.count("/device_authorization", None), 1);
        for request in requests {
            assert_eq!(request.parameter("domain_hint"), None, "{keys}");
            assert_eq!(request.parameter("prompt"), None, "{keys}");
        }
    }
}

#[test]
fn a_sign_in_stays_when_the_profile_says_something_else_of_the_page() {
    let scene = scene("prompt = \"login\"\n");
    scene.run(&["login", "--grant", "device_code"]).ok();
    let profiles = fs::read_to_string(scene.sandbox.config()).expect("it can be read");
    let other = "prompt = \"consent\"\ndomain_hint = \"organizations\"";
    scene
        .sandbox
        .write_profiles(&profiles.replace("prompt = \"login\"", other));
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "cache");
}

/// A ground whose authority wants its requests pushed, and which has a browser.
fn pushing(keys: &str) -> Ground {
    let ground = Ground::with_profile(
        json!({ "requirePushedRequests": true }),
        &format!("scopes = [\"api:read\"]\n{keys}"),
    );
    install(&ground.sandbox);
    ground
}

#[test]
fn a_request_is_pushed_where_the_authority_demands_it_and_the_page_has_a_reference_alone() {
    for_each(
        [
            ("client_id = \"cli\"\n", "none"),
            (
                "client_id = \"service\"\nclient_secret = { file = \"secret\" }\n",
                "client_secret_basic",
            ),
        ],
        |(keys, method)| {
            let ground = pushing(keys);
            let secret = ground.authority.service_secret();
            fs::write(ground.sandbox.path().join("secret"), secret).expect("it can be written");
            let (terminal, page) = open(&ground.sandbox, "cred-helper get -o json >answer");
            let names: Vec<_> = page.query_pairs().map(|(name, _)| name).collect();
            assert_eq!(names, ["client_id", "request_uri"]);
            ground.authority.approve(Some(page.as_str()), "ada");
            let shown = terminal.wait();
            assert!(shown.contains("has to be opened within 1 min"), "{shown}");
            assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
            ground.learn();
            let answer: Value = serde_json::from_str(&ground.read("answer")).expect("it is JSON");
            assert_eq!(answer["source"], "authorization_code");
            let requests = ground.authority.requests();
            assert_eq!(requests.pushed_authorization_request, 1, "{requests:?}");
            assert_eq!(requests.authentication, [(method.to_owned(), 1)].into());
            assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
        },
    );
}

#[test]
fn a_request_is_pushed_in_two_calls_and_where_the_profile_names_the_endpoint() {
    // Where pushing is offered, and no more, the request goes with the page.
    let ground = Ground::new(json!({}));
    let page = ground.run(&["login", "--start"]).ok();
    assert!(page.contains("code_challenge="), "{page}");
    let issuer = ground.authority.issuer().to_owned();
    for keys in [
        String::new(),
        format!("endpoints = {{ pushed_authorization_request = \"{issuer}/request\" }}\n"),
    ] {
        let ground = if keys.is_empty() {
            &pushing("client_id = \"cli\"\n")
        } else {
            ground.set_profile(&format!(
                "client_id = \"cli\"\nscopes = [\"api:read\"]\n{keys}"
            ));
            &ground
        };
        let page = ground.run(&["login", "--start"]).ok();
        assert!(page.contains("request_uri="), "{page}");
        assert!(!page.contains("code_challenge="), "{page}");
        let address = ground.authority.copy_address(page.trim_end(), "ada");
        ground.run_command(finish(&ground.sandbox, &address)).ok();
        assert_eq!(ground.status()["account"], "ada@example.test");
        let requests = ground.authority.requests();
        assert_eq!(requests.pushed_authorization_request, 1, "{requests:?}");
    }
}

#[test]
fn a_request_that_is_refused_when_it_is_pushed_opens_no_page() {
    let wrong = "client_id = \"cli\"\ngrant = { type = \"authorization_code\", \
                 redirect_uri = \"http://127.0.0.1/unknown\" }\n";
    for (keys, fault, code, expected) in [
        (wrong, None, 5, "redirect_uri did not match"),
        ("client_id = \"nobody\"\n", None, 5, "invalid_client"),
        (
            "client_id = \"cli\"\n",
            Some(json!({ "fault": "status", "status": 503 })),
            6,
            "nothing was lost",
        ),
        (
            "client_id = \"cli\"\n",
            Some(json!({ "fault": "reset" })),
            6,
            "nothing was lost",
        ),
        (
            "client_id = \"cli\"\n",
            Some(json!({ "fault": "edit", "members": { "request_uri": "" } })),
            6,
            "no OAuth error",
        ),
    ] {
        let ground = pushing(keys);
        if let Some(mut fault) = fault {
            fault["on"] = "pushed_authorization_request".into();
            ground.authority.fault(fault);
        }
        let terminal = ground
            .sandbox
            .in_terminal("BROWSER=browser cred-helper login 2>errors");
        let (ended, shown) = terminal.end();
        let errors = ground.read("errors");
        assert_eq!(ended, Some(code), "{keys}: {shown}{errors}");
        assert!(errors.contains(expected), "{keys}: {errors}");
        assert!(!ground.sandbox.path().join("page").exists(), "{keys}");
    }
}

#[test]
fn a_code_is_redeemed_once_whatever_comes_of_it() {
    for_each(["lost", "reset", "cut", "garbage"], |fault| {
        let ground = Ground::new(json!({}));
        let page = ground.run(&["login", "--start"]).ok();
        let address = ground.authority.copy_address(page.trim_end(), "ada");
        ground
            .authority
            .fault(json!({ "on": "token", "grant": "authorization_code", "fault": fault }));
        ground
            .run_command(finish(&ground.sandbox, &address))
            .failed(6);
        assert_eq!(ground.authority.faults_left(), 0, "{fault}");
        let requests = ground.authority.requests();
        assert_eq!(requests.token("authorization_code"), 1, "{fault}");
    });
}
