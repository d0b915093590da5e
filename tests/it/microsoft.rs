//! Entra and its kin: which requests an authority's shape means, what their answers ask for, and
//! claims challenges. No known host is asked: the shapes lie on loopback.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cred_helper::digest::sha256;
use serde_json::{Value, json};
use url::Url;

use crate::acquire::id_token;
use crate::authority::{Endpoint, Fault, Response, Settings};
use crate::browser_ground::{address_in, install, open, parameter, redirect, send};
use crate::oidc_ground::eventually;
use crate::scene::{DEVICE_CODE, Scene, access_tokens, at_once, sent, without_note};

pub(crate) const TENANT: &str = "2f4a9838-26b7-47ee-be60-ccc1fdec5953";

/// A scene whose profile `api` is of `preset = "entra"`, with further keys.
pub(crate) fn entra(keys: &str) -> Scene {
    entra_with(at_once(), keys)
}

/// The same with other settings.
pub(crate) fn entra_with(settings: Settings, keys: &str) -> Scene {
    Scene::of(settings, |issuer| {
        format!(
            "[profiles.api]\npreset = \"entra\"\nclient_id = \"cli\"\n\
             authority = \"{issuer}/{TENANT}\"\nscopes = [\"User.Read\"]\n{keys}"
        )
    })
}

/// The claims of the newest request, where it has some.
fn claims_sent(scene: &Scene) -> Option<Value> {
    let requests = scene.authority.requests();
    let newest = requests.last().expect("there was a request");
    let claims = newest.parameter("claims")?;
    Some(serde_json::from_str(claims).expect("claims are JSON"))
}

#[test]
fn the_endpoints_of_each_shape_are_known_and_nothing_is_discovered() {
    for (path, below) in [
        ("/adfs", "oauth2"),
        ("/c.onmicrosoft.com/B2C_1_signin", "oauth2/v2.0"),
        ("/tfp/c.onmicrosoft.com/b2c_1a_custom", "oauth2/v2.0"),
    ] {
        let endpoint = |last: &str| format!("{path}/{below}/{last}");
        let is_b2c = path != "/adfs";
        let scene = Scene::of(
            Settings {
                paths: vec![
                    (endpoint("devicecode"), Endpoint::DeviceAuthorization),
                    (endpoint("token"), Endpoint::Token),
                ],
                ..at_once()
            },
            |issuer| {
                format!(
                    "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{issuer}{path}\"\n\
                     scopes = [\"demo\"]\n"
                )
            },
        );
        if is_b2c {
            // It has no device code: a browser, here or elsewhere, is the way.
            let page = scene.run(&["login", "--start"]).ok();
            let expected = scene.authority.url(&endpoint("authorize"));
            assert!(
                page.starts_with(&format!("{expected}?client_id=cli&")),
                "{page}"
            );
            let said = scene.run(&["login", "--no-browser"]).failed(3);
            assert!(
                said.contains("names no device authorization endpoint"),
                "{said}"
            );
            assert_eq!(scene.authority.requests().len(), 0);
            continue;
        }
        scene.run(&["login"]).ok();
        let answer = scene.run(&["get", "--force-refresh", "-o", "json"]).json();
        assert_eq!(answer["account"], "ada@example.test", "{path}");
        let requests = scene.authority.requests();
        let paths: Vec<&str> = requests
            .iter()
            .map(|request| request.path.as_str())
            .collect();
        assert_eq!(
            paths,
            [endpoint("devicecode"), endpoint("token"), endpoint("token")]
        );
        assert_eq!(
            requests[0].parameter("scope"),
            Some("demo openid profile offline_access")
        );
    }
}

#[test]
fn an_issuer_with_a_template_is_that_of_every_tenant() {
    let sign_in = |tenant: &'static str, named: &'static str| {
        let scene = Scene::of(
            Settings {
                path: "/organizations/v2.0".to_owned(),
                ..at_once()
            },
            |issuer| crate::scene::profile("api", issuer),
        );
        let origin = scene.authority.url("");
        scene.authority.set(|settings| {
            let issuer = format!("{origin}/{{tenantid}}/v2.0");
            settings.metadata = vec![("issuer".to_owned(), issuer.into())];
        });
        let issuer = scene.authority.url(&format!("/{named}/v2.0"));
        scene.authority.script(
            Endpoint::Token,
            Fault::edit(move |answer| {
                let claims = json!({
                    "iss": issuer, "aud": "cli", "tid": tenant, "oid": "o", "upn": "ada@example.test"
                });
                let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
                answer.insert("id_token".to_owned(), format!("e30.{claims}.").into());
            }),
        );
        scene.run(&["login"])
    };
    let ran = sign_in(TENANT, TENANT);
    assert!(
        ran.stderr.contains("Signed in as ada@example.test"),
        "{ran:?}"
    );
    ran.ok();
    let said = sign_in(TENANT, "another").failed(5);
    assert!(said.contains("the ID token is from the issuer"), "{said}");
}

#[test]
fn a_client_that_can_answer_challenges_says_so_in_every_request() {
    let scene = entra("client_capabilities = [\"CP1\"]\n");
    let cp1 = json!({ "access_token": { "xms_cc": { "values": ["CP1"] } } });
    scene.run(&["login"]).ok();
    let requests = scene.authority.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    for request in requests {
        let claims = request.parameter("claims").expect("claims are sent");
        assert_eq!(serde_json::from_str::<Value>(claims).unwrap(), cp1);
    }
    assert_eq!(scene.run(&["get", "-o", "json"]).json()["source"], "cache");
    scene.run(&["get", "--force-refresh"]).ok();
    assert_eq!(claims_sent(&scene), Some(cp1));

    // The resource answers 401, with what the next token has to satisfy.
    let challenge = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;
    let merged = json!({ "access_token": {
        "nbf": { "essential": true, "value": "1604106651" },
        "xms_cc": { "values": ["CP1"] },
    } });
    let before = scene.run(&["get"]).stdout;
    let with = |claims: &str| scene.run(&["get", "-o", "json", "--claims", claims]).json();
    let answer = with(&STANDARD.encode(challenge));
    assert_eq!(answer["source"], "refresh");
    assert_eq!(claims_sent(&scene), Some(merged));
    assert_eq!(
        with(challenge)["source"],
        "cache",
        "the same claims, written plainly"
    );
    // The token that was challenged is not handed out again.
    let after = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(after["source"], "refresh");
    assert_ne!(after["access_token"], before.trim_end());
    let refused = scene.run(&["get", "--claims", "no claims"]).failed(2);
    assert!(
        refused.contains("the claims are no JSON object"),
        "{refused}"
    );
}

#[test]
fn profiles_with_and_without_capabilities_share_a_sign_in_and_no_token() {
    let scene = entra("");
    let second = format!(
        "[profiles.cae]\npreset = \"entra\"\nclient_id = \"cli\"\nauthority = \"{}/{TENANT}\"\n\
         scopes = [\"User.Read\"]\nclient_capabilities = [\"CP1\"]\n",
        scene.authority.issuer()
    );
    let profiles = std::fs::read_to_string(scene.sandbox.config()).expect("it can be read");
    scene.sandbox.write_profiles(&format!("{profiles}{second}"));
    scene.run(&["login", "-p", "api"]).ok();
    let cae = scene.run(&["get", "-p", "cae", "-o", "json"]).json();
    assert_eq!(cae["source"], "refresh", "nobody was asked again");
    let plain = scene.run(&["get", "-p", "api", "-o", "json"]).json();
    assert_eq!(plain["source"], "cache");
    assert_ne!(plain["access_token"], cae["access_token"]);
}

#[test]
fn a_browser_is_asked_as_entra_wants_it_and_brings_the_code_by_form() {
    let scene = entra("account = \"ada@example.test\"\nclaims = '{\"id_token\":{}}'\n");
    install(&scene.sandbox);
    let (terminal, page) = open(&scene.sandbox, "cred-helper get >answer");
    assert!(
        page.path()
            .ends_with(&format!("/{TENANT}/oauth2/v2.0/authorize"))
    );
    let sent_to_page = |name: &str| parameter(&page, name).unwrap_or_default();
    for (name, value) in [
        ("client_id", "cli"),
        ("response_type", "code"),
        ("response_mode", "form_post"),
        ("scope", "User.Read openid profile offline_access"),
        ("code_challenge_method", "S256"),
        ("client_info", "1"),
        ("login_hint", "ada@example.test"),
        ("claims", "{\"id_token\":{}}"),
        // The person need not consent anew each time.
        ("prompt", ""),
    ] {
        assert_eq!(sent_to_page(name), value, "{name}");
    }
    let (redirect, host) = redirect(&page);
    assert_eq!(redirect.host_str(), Some("localhost"));
    let nonce = sent_to_page("nonce");
    let id_token = id_token(&json!({
        "aud": "cli", "preferred_username": "ada@example.test", "oid": "o", "tid": "t",
        "nonce": nonce,
    }));
    let tokens = json!({
        "token_type": "Bearer", "access_token": "from-the-browser", "expires_in": 3600,
        "refresh_token": "refresh", "id_token": id_token,
    });
    let answer = Fault::Answer(Response::json(200, &tokens));
    scene.authority.script(Endpoint::Token, answer);
    let state = sent_to_page("state");
    let form = format!("code=the-code&state={state}&session_state=x&client_info=e30");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nOrigin: https://login.example\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(send(&redirect, request.as_bytes()).0, 200);
    terminal.wait();
    let answer = std::fs::read_to_string(scene.file("answer")).expect("it was written");
    assert_eq!(answer, "from-the-browser\n");
    let requests = scene.authority.requests();
    let [request] = &requests[..] else {
        panic!("one request is enough: {requests:?}")
    };
    let field = |name: &str| request.parameter(name).unwrap_or_default();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("client_info", "1"),
        ("code", "the-code"),
        ("redirect_uri", sent_to_page("redirect_uri").as_str()),
        ("scope", "User.Read openid profile offline_access"),
        ("claims", "{\"id_token\":{}}"),
    ] {
        assert_eq!(field(name), value, "{name}");
    }
    let challenge = URL_SAFE_NO_PAD.encode(sha256(field("code_verifier").as_bytes()));
    assert_eq!(challenge, sent_to_page("code_challenge"));
    assert_eq!(field("code_verifier").len(), 43);
}

#[test]
fn where_the_device_code_is_forbidden_the_way_that_may_work_is_named() {
    let refusal = |error: &str, code: i64| {
        let body = json!({
            "error": error, "error_description": format!("AADSTS{code}: no"),
            "error_codes": [code], "correlation_id": "c-1", "trace_id": "t-1",
        });
        Fault::Answer(Response::json(400, &body))
    };
    for (endpoint, fault, words) in [
        (
            Endpoint::DeviceAuthorization,
            refusal("unauthorized_client", 700_016),
            "check `client_id`",
        ),
        (
            Endpoint::DeviceAuthorization,
            refusal("invalid_client", 7_000_218),
            "Allow public client flows",
        ),
        (
            Endpoint::Token,
            refusal("access_denied", 53_003),
            "conditional access refuses this sign-in",
        ),
    ] {
        let scene = entra("");
        scene.authority.script(endpoint, fault);
        let error = scene.run(&["login", "--error-format", "json"]).failed(5);
        let error = error.lines().last().expect("the error is the last line");
        let error: Value = serde_json::from_str(error).expect("one line of JSON");
        let error = &error["error"];
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(hint.contains(words), "{hint}");
        assert!(
            hint.contains("`cred-helper login -p api --grant authorization_code`"),
            "{hint}"
        );
        assert_eq!(
            error["next"].as_array().and_then(|next| next.last()),
            Some(&json!("authorization_code"))
        );
        for id in ["correlation id c-1", "trace id t-1"] {
            let causes = error["caused_by"].as_array().expect("a list");
            assert!(causes.contains(&json!(id)), "{error}");
        }
    }
}

#[test]
fn where_the_browser_fails_the_code_comes_in_an_address_that_can_be_copied() {
    let scene = entra("");
    scene.sandbox.script("failing", "exit 1\n");
    let line = "BROWSER=failing cred-helper get";
    let (terminal, mut keyboard) = scene.sandbox.with_keyboard(line);
    let mut page = None;
    eventually("the page is shown", || {
        page = address_in(&keyboard.sees());
        page.is_some()
    });
    let page = Url::parse(&page.expect("it was shown")).expect("it is a URL");
    assert!(parameter(&page, "state").is_some(), "{page}");
    assert_eq!(parameter(&page, "response_mode"), None, "{page}");
    keyboard.type_in("\u{3}");
    terminal.end();
}

#[test]
fn an_id_token_of_another_sign_in_is_not_kept() {
    let scene = entra("");
    install(&scene.sandbox);
    for nonce in [json!("another"), Value::Null] {
        let (terminal, page) = open(&scene.sandbox, "cred-helper login 2>errors");
        let (redirect, host) = redirect(&page);
        let mut claims = json!({ "aud": "cli", "oid": "o", "tid": "t" });
        claims["nonce"] = nonce;
        let tokens = json!({
            "access_token": "stray", "refresh_token": "stray", "id_token": id_token(&claims),
        });
        let answer = Fault::Answer(Response::json(200, &tokens));
        scene.authority.script(Endpoint::Token, answer);
        let state = parameter(&page, "state").unwrap_or_default();
        let request = format!("GET /?code=c&state={state} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(send(&redirect, request.as_bytes()).0, 200);
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(5), "{shown}");
        let errors = std::fs::read_to_string(scene.file("errors")).expect("it was written");
        assert!(errors.contains("belongs to another sign-in"), "{errors}");
        assert!(!String::from_utf8_lossy(&scene.session()).contains("stray"));
    }
}

/// What Entra says where a second factor is missing: the claims that a sign-in has to satisfy.
fn wants_more() -> Fault {
    let refusal = json!({
        "error": "interaction_required", "suberror": "basic_action",
        "error_description": "AADSTS50079: a second factor is needed",
        "error_codes": [50079], "claims": WANTED,
    });
    Fault::Answer(Response::json(400, &refusal))
}

const WANTED: &str = r#"{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}"#;

/// The claims of the newest request for a device code.
fn claims_of_sign_in(scene: &Scene) -> Option<String> {
    let requests = scene.authority.requests();
    let asked = requests
        .iter()
        .rfind(|request| request.path.ends_with("/devicecode"));
    asked?.parameter("claims").map(String::from)
}

#[test]
fn a_sign_in_satisfies_the_claims_that_a_refused_refresh_names() {
    let scene = entra("");
    scene.run(&["login"]).ok();
    scene.authority.script(Endpoint::Token, wants_more());
    let asking = [
        "get",
        "--force-refresh",
        "--interactive",
        "always",
        "-o",
        "json",
    ];
    let answer = scene.run(&asking).json();
    assert_eq!(claims_of_sign_in(&scene).as_deref(), Some(WANTED));
    assert_eq!(
        answer["source"], "device_code",
        "its token is what was asked for"
    );
    assert_eq!(scene.run(&["get", "-o", "json"]).json()["source"], "cache");
    assert_eq!(scene.refreshes(), 1);
    assert_eq!(scene.authority.count("/token", Some(DEVICE_CODE)), 2);
}

#[test]
fn claims_that_were_named_when_nobody_could_be_asked_are_those_of_the_next_sign_in() {
    let challenge = r#"{"access_token":{"nbf":{"value":"1"}}}"#;
    for (arguments, fault, claims) in [
        (&["get", "--force-refresh"][..], wants_more(), WANTED),
        (
            &["get", "--claims", challenge],
            Fault::error(400, "interaction_required"),
            challenge,
        ),
    ] {
        let scene = entra("");
        scene.run(&["login"]).ok();
        scene.authority.script(Endpoint::Token, fault);
        let said = scene.run(arguments).failed(4);
        assert!(
            said.contains("hint: run `cred-helper login -p api`"),
            "{said}"
        );
        scene.run(&["login"]).ok();
        assert_eq!(claims_of_sign_in(&scene).as_deref(), Some(claims));
        scene.run(&["login"]).ok();
        assert_eq!(claims_of_sign_in(&scene), None, "they are satisfied");
    }
}

#[test]
fn a_call_asks_a_person_once_at_most() {
    let scene = Scene::new();
    scene.run(&["login"]).ok();
    // Narrower scopes than the profile's: what the sign-in brings is refreshed for them.
    scene.sandbox.write_profiles(&format!(
        "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{}\"\nscopes = [\"demo\", \"profile\"]\n",
        scene.authority.issuer()
    ));
    let faults: [(fn() -> Fault, i32); 3] = [
        (|| Fault::Answer(Response::new(400, "text/plain", "")), 5),
        (|| Fault::error(400, "invalid_grant"), 4),
        (|| Fault::error(400, "interaction_required"), 4),
    ];
    for (fault, code) in faults {
        scene.run(&["login"]).ok();
        let before = scene.authority.count("/device_authorization", None);
        // The refresh before the sign-in, its redeeming poll, and the refresh after it.
        scene.authority.script(Endpoint::Token, fault());
        scene
            .authority
            .script(Endpoint::Token, Fault::Delay(Duration::ZERO));
        scene.authority.script(Endpoint::Token, fault());
        scene
            .run(&["get", "--scope", "demo", "--interactive", "always"])
            .failed(code);
        scene.authority.wait_until(|state| state.faults_left() == 0);
        let asked = scene.authority.count("/device_authorization", None) - before;
        assert_eq!(asked, 1);
    }
}

#[test]
fn consent_that_is_missing_for_other_scopes_costs_no_sign_in() {
    let scene = entra("");
    scene.run(&["login"]).ok();
    let before = without_note(&scene.session());
    let refusal = json!({
        "error": "invalid_grant", "suberror": "consent_required",
        "error_description": "AADSTS65001: The user or administrator has not consented",
        "error_codes": [65001], "correlation_id": "c-1", "trace_id": "t-1",
    });
    scene.authority.script(
        Endpoint::Token,
        Fault::Answer(Response::json(400, &refusal)),
    );
    let error = scene
        .run(&["get", "--scope", "Mail.Read", "--error-format", "json"])
        .failed(4);
    let error: Value = serde_json::from_str(&error).expect("one line of JSON");
    let said = &error["error"]["oauth"];
    assert_eq!(said["suberror"], "consent_required", "{error}");
    assert_eq!(said["error_codes"], json!([65001]));
    assert_eq!(said["correlation_id"], "c-1");
    assert_eq!(without_note(&scene.session()), before);
    scene.run(&["get", "--force-refresh"]).ok();
}

#[test]
fn a_token_is_refreshed_when_the_authority_says_and_used_until_it_ends() {
    let scene = entra("");
    let refresh_in = |seconds: i64| {
        Fault::edit(move |answer| {
            answer.insert("refresh_in".to_owned(), seconds.to_string().into());
        })
    };
    scene.authority.script(Endpoint::Token, refresh_in(1800));
    scene.run(&["login"]).ok();
    let mut session: Value = serde_json::from_slice(&scene.session()).expect("it is JSON");
    let token = &access_tokens(&mut session)[0];
    let lives = |end: &str| token[end].as_i64().unwrap() - token["issued_at"].as_i64().unwrap();
    assert_eq!((lives("refresh_at"), lives("expires_at")), (1800, 3600));
    assert_eq!(scene.run(&["get", "-o", "json"]).json()["source"], "cache");

    // Half an hour goes by.
    scene.edit_session(|session| {
        for token in access_tokens(session) {
            for time in ["issued_at", "refresh_at", "expires_at"] {
                // An ID token has no `refresh_at`.
                token[time] = token[time].as_i64().map(|time| time - 1800).into();
            }
        }
    });
    scene.authority.script(
        Endpoint::Token,
        Fault::error(503, "temporarily_unavailable"),
    );
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(
        (&answer["stale"], &answer["source"]),
        (&json!(true), &json!("cache"))
    );
    assert_eq!(
        scene.run(&["get", "-o", "json"]).json()["source"],
        "refresh"
    );
    let requests: Vec<_> = scene.authority.requests().iter().map(sent).collect();
    assert_eq!(requests.len(), 4, "{requests:?}");
}
