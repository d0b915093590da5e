//! Presets of providers that take a sign-in with a browser: what the browser is asked, what is sent
//! for the code that it brings, and the provider's own answers, spoken by a loopback authority.

use serde_json::{Value, json};
use url::Url;

use crate::authority::{Endpoint, Recorded, Settings};
use crate::browser_ground::{install, open, parameter, redirect, send};
use crate::preset::answer;
use crate::scene::{Scene, discoveries};

/// A sign-in that a browser has completed.
struct SignIn {
    /// The page that it was sent to.
    page: Url,
    /// Where it brought the code.
    redirect: Url,
    /// The request that redeemed the code.
    sent: Recorded,
}

impl SignIn {
    /// Signs in for the scene's profile; the token endpoint answers `tokens`.
    fn of(scene: &Scene, tokens: &Value) -> Self {
        install(&scene.sandbox);
        scene.authority.script(Endpoint::Token, answer(200, tokens));
        let (terminal, page) = open(&scene.sandbox, "cred-helper login");
        let (redirect, host) = redirect(&page);
        let state = parameter(&page, "state").expect("it has a state");
        let path = redirect.path();
        let request =
            format!("GET {path}?code=the-code&state={state} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(send(&redirect, request.as_bytes()).0, 200);
        terminal.wait();
        let mut requests = scene.authority.requests();
        let redeems = |request: &Recorded| request.parameter("code") == Some("the-code");
        requests.retain(redeems);
        let [sent] = requests.try_into().expect("a code is redeemed once");
        let method = parameter(&page, "code_challenge_method");
        assert_eq!(method.as_deref(), Some("S256"));
        assert!(sent.parameter("code_verifier").is_some(), "{sent:?}");
        Self {
            page,
            redirect,
            sent,
        }
    }

    /// A parameter that the browser took along, or none.
    fn asked(&self, name: &str) -> String {
        parameter(&self.page, name).unwrap_or_default()
    }

    /// The redirect URI, with `PORT` for its port.
    fn redirect_uri(&self) -> String {
        let port = self.redirect.port().expect("it has one").to_string();
        let asked = self.asked("redirect_uri");
        assert_eq!(self.sent.parameter("redirect_uri"), Some(asked.as_str()));
        asked.replace(&port, "PORT")
    }
}

/// What a token endpoint answers as a rule.
fn tokens(name: &str) -> Value {
    json!({
        "access_token": format!("{name}-access-canary"), "token_type": "bearer",
        "expires_in": 3600, "refresh_token": format!("{name}-refresh-canary"),
    })
}

/// Endpoints of the authority at a provider's own paths.
fn at<const N: usize>(paths: [(&str, Endpoint); N]) -> Settings {
    Settings {
        paths: paths.map(|(path, of)| (path.to_owned(), of)).to_vec(),
        ..Settings::default()
    }
}

#[test]
fn gitea_is_understood_with_the_client_that_it_has_from_the_start() {
    let settings = at([
        ("/login/oauth/access_token", Endpoint::Token),
        ("/login/oauth/userinfo", Endpoint::Userinfo),
    ]);
    let scene = Scene::of(settings, |issuer| {
        format!("[profiles.api]\npreset = \"gitea\"\nauthority = \"{issuer}/\"\n")
    });
    let user = json!({ "sub": "7", "name": "Ada", "preferred_username": "ada", "email": "a@x" });
    scene
        .authority
        .script(Endpoint::Userinfo, answer(200, &user));
    let sign_in = SignIn::of(&scene, &tokens("gitea"));
    assert_eq!(sign_in.page.path(), "/login/oauth/authorize");
    assert_eq!(sign_in.redirect_uri(), "http://127.0.0.1:PORT/");
    let client = "a4792ccc-144e-407e-86c9-5e7d8d9c3269";
    assert_eq!(sign_in.asked("client_id"), client);
    assert_eq!(sign_in.sent.parameter("client_id"), Some(client));
    assert_eq!(sign_in.sent.parameter("client_secret"), None);
    assert_eq!(sign_in.asked("scope"), "");
    assert_eq!(sign_in.asked("prompt"), "");
    let got = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(got["source"], "cache");
    assert_eq!(got["account"], "ada");
    assert_eq!(discoveries(&scene.authority), 0);
    // A server may hand out a new refresh token each time.
    for name in ["second", "third"] {
        scene
            .authority
            .script(Endpoint::Token, answer(200, &tokens(name)));
        scene.run(&["get", "--force-refresh"]).ok();
    }
    let requests = scene.authority.requests();
    let used: Vec<_> = requests
        .iter()
        .filter_map(|request| request.parameter("refresh_token"))
        .collect();
    assert_eq!(used, ["gitea-refresh-canary", "second-refresh-canary"]);
}
