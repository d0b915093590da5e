//! Sign-ins with Chromium: the authority's real pages, and the real way back to the loopback port.

use std::fs;

use serde_json::{Value, json};

use crate::oidc_ground::{Ground, eventually};
use crate::support::Sandbox;
use crate::tool::{CHROMIUM, needs};

/// Gives the sandbox a person at Chromium, who writes down what was seen. In a session of its own it
/// does not end with the terminal.
fn install(sandbox: &Sandbox, decision: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
    let line = format!("exec setsid node '{folder}/chromium.mjs' \"$1\" {decision}\n");
    sandbox.script("browser", &line);
}

/// What the person saw last.
fn seen(sandbox: &Sandbox) -> Value {
    let path = sandbox.path().join("seen");
    eventually("the browser ends", || path.exists());
    let seen = fs::read_to_string(&path).expect("it was written whole");
    serde_json::from_str(&seen).expect("it is JSON")
}

#[test]
fn chromium_signs_in_on_each_loopback_address_and_by_form() {
    needs!(CHROMIUM);
    let grant = |redirect: &str| {
        format!(
            "grant = {{ type = \"authorization_code\", redirect_uri = \"{redirect}\", timeout = \"1m\" }}\n"
        )
    };
    let by_form = "extra = { response_mode = \"form_post\" }\n";
    for (keys, begin, end, parameters) in [
        (
            "grant = { type = \"authorization_code\", timeout = \"1m\" }\n".to_owned(),
            "http://127.0.0.1:",
            "/",
            &["code", "state", "iss"][..],
        ),
        (
            grant("http://[::1]/callback"),
            "http://[::1]:",
            "/callback",
            &["code", "state", "iss"],
        ),
        (
            grant("http://localhost"),
            "http://localhost:",
            "/",
            &["code", "state", "iss"],
        ),
        (
            format!("{}{by_form}", grant("http://localhost")),
            "http://localhost:",
            "/",
            &[],
        ),
    ] {
        let keys = format!("client_id = \"cli\"\nscopes = [\"api:read\"]\n{keys}");
        let ground = Ground::with_profile(json!({}), &keys);
        install(&ground.sandbox, "");
        let terminal = ground
            .sandbox
            .in_terminal("BROWSER=browser cred-helper get >answer");
        let seen = seen(&ground.sandbox);
        assert_eq!(seen["pages"][0], "Sign-in", "{seen}");
        assert_eq!(seen["pages"][1], "Authorize", "{seen}");
        let text = "You have signed in, and can close this page.";
        assert_eq!(seen["shows"], text, "{seen}");
        let address = seen["address"].as_str().expect("it is an address");
        assert!(
            address.starts_with(begin) && address.ends_with(end),
            "{address}"
        );
        assert_eq!(seen["parameters"], json!(parameters), "{seen}");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        let token = ground.read("answer");
        assert_eq!(ground.authority.introspect(&token)["active"], true);
        assert_eq!(ground.get(&[]), token);
    }
}

#[test]
fn chromium_shows_that_a_sign_in_failed_and_the_terminal_says_why() {
    needs!(CHROMIUM);
    let ground = Ground::new(json!({}));
    install(&ground.sandbox, "deny");
    let terminal = ground
        .sandbox
        .in_terminal("BROWSER=browser cred-helper get 2>errors");
    let seen = seen(&ground.sandbox);
    let text = "The sign-in has failed. The terminal says why; you can close this page.";
    assert_eq!(seen["shows"], text, "{seen}");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("access_denied"), "{errors}");
}
