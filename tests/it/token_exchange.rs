//! Tokens that are traded for others (RFC 8693): at a real server, and what others answer.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Response};
use crate::machine_ground::{expire, session_of, sign_in};
use crate::oidc_provider::OidcProvider;
use crate::scene::{Scene, at_once, profile};
use crate::support::Sandbox;

const NAME: &str = "token_exchange";

/// How the end of its `grant_type` is written.
const SENT: &str = "token-exchange";

/// A person's profile, and one that trades with these keys.
fn profiles(authority: &OidcProvider, keys: &str) -> String {
    let issuer = authority.issuer();
    format!(
        "[profiles.person]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\nscopes = [\"api:read\"]\n\
         grant = \"device_code\"\n[profiles.robot]\nauthority = \"{issuer}\"\n\
         client_secret = {{ file = \"secret\" }}\nclient_id = \"service\"\n{keys}"
    )
}

fn ground(keys: &str) -> (OidcProvider, Sandbox) {
    let authority = OidcProvider::start(json!({}));
    let sandbox = Sandbox::new(&profiles(&authority, keys));
    let secret = authority.service_secret();
    fs::write(sandbox.path().join("secret"), secret).expect("it can be written");
    sandbox.secret(secret);
    (authority, sandbox)
}

#[test]
fn the_token_of_another_profile_is_traded_once_and_what_came_with_it_is_used() {
    let (authority, sandbox) = ground(
        "scopes = [\"api:write\", \"openid\", \"profile\", \"offline_access\"]\n\
         grant = { type = \"token_exchange\", subject_token = { profile = \"person\" } }\n",
    );
    // Nobody has signed in for the other one yet, and this is what is to be done.
    let error = sandbox.run(&["get", "-p", "robot"]).failed(4);
    assert!(error.contains("`cred-helper login -p person`"), "{error}");
    assert!(error.contains("profile `robot` needs its token"), "{error}");
    assert_eq!(authority.requests().token, [].into());

    sign_in(&authority, &sandbox, "person");
    let persons = sandbox.run(&["get", "-p", "person"]).ok();
    sandbox.secret(persons.trim_end());
    authority.reset_requests();
    let get = || sandbox.run(&["get", "-p", "robot", "-o", "json"]).json();
    let answers: Vec<Value> = thread::scope(|scope| {
        let calls: Vec<_> = (0..10).map(|_| scope.spawn(get)).collect();
        let join = |call: thread::ScopedJoinHandle<'_, Value>| call.join().expect("it answers");
        calls.into_iter().map(join).collect()
    });
    let token = answers[0]["access_token"].clone();
    assert!(answers.iter().all(|answer| answer["access_token"] == token));
    assert_eq!(authority.requests().token, [(SENT.to_owned(), 1)].into());
    let known = authority.introspect(token.as_str().expect("it is text"));
    assert_eq!(
        (&known["sub"], &known["client_id"]),
        (&json!("ada"), &json!("service"))
    );
    assert_eq!(answers[0]["account"], "ada@example.test");

    // The refresh token that came with it is good for the next one.
    expire(&sandbox, NAME);
    assert_eq!(get()["source"], "refresh");
    let session = session_of(&sandbox, NAME);
    let refresh_token = session["content"]["accounts"][0]["refresh_token"].as_str();
    let refresh_token = refresh_token.expect("it is kept").to_owned();
    sandbox.secret(&refresh_token);
    authority.revoke(&refresh_token);
    expire(&sandbox, NAME);
    assert_eq!(get()["source"], NAME, "a dead one costs nobody anything");
    let requests = authority.requests();
    assert_eq!(
        (requests.token(SENT), requests.token("refresh_token")),
        (2, 2)
    );
    sandbox.run(&["logout", "-p", "robot"]).ok();
    assert_eq!(
        sandbox.run(&["get", "-p", "person"]).ok(),
        persons,
        "it is the other's"
    );
}

#[test]
fn a_token_that_is_refused_is_named_by_its_source_and_is_never_shown() {
    let (authority, sandbox) = ground(
        "scopes = [\"api:write\"]\ngrant = { type = \"token_exchange\", subject_token = { file = \
         \"subject\" }, subject_token_type = \"access_token\", actor_token = { command = [\"cat\", \
         \"subject\"] }, actor_token_type = \"access_token\" }\n",
    );
    let subject = sandbox.path().join("subject");
    let put = |text: &str| fs::write(&subject, text).expect("it can be written");
    let get = || sandbox.run(&["-v", "get", "-p", "robot"]);
    let stale = "a-token-that-has-run-out";
    sandbox.secret(stale);
    put(stale);
    let error = get().failed(5);
    assert!(
        error.contains("the `subject_token` is of no use"),
        "{error}"
    );
    assert!(
        error.contains("hint: the `subject_token` may have run out"),
        "{error}"
    );
    for (text, words) in [
        ("", "its source gave nothing"),
        ("a\nb", "its source gave more than one line"),
    ] {
        put(text);
        let error = get().failed(3);
        assert!(
            error.contains("the secret `subject_token` cannot be had"),
            "{error}"
        );
        assert!(error.contains(words), "{error}");
    }
    sign_in(&authority, &sandbox, "person");
    let persons = sandbox.run(&["get", "-p", "person"]).ok();
    sandbox.secret(persons.trim_end());
    put(&persons);
    authority.fault(json!({ "on": "token", "fault": "status", "status": 503 }));
    get().failed(6);
    let token = get().ok();
    sandbox.secret(token.trim_end());
    assert_eq!(authority.introspect(token.trim_end())["sub"], "ada");
    // No refresh token came, and none is needed.
    put(stale);
    assert_eq!(get().ok(), token);
    expire(&sandbox, NAME);
    get().failed(5);
    // Whoever else trades has nothing of it.
    sandbox.write_profiles(&profiles(
        &authority,
        "scopes = [\"api:write\"]\ngrant = { type = \"token_exchange\", subject_token = { file = \
         \"another\" } }\n",
    ));
    get().failed(3);
}

/// A scene whose only profile trades the token `the-subject`.
fn scene(keys: &str, grant: &str) -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        format!(
            "{}{keys}grant = {{ type = \"token_exchange\", subject_token = {{ file = \"subject\" }}{grant} }}\n",
            profile("api", issuer)
        )
    });
    fs::write(scene.file("subject"), "the-subject\n").expect("it can be written");
    scene.sandbox.secret("the-subject");
    scene
}

fn answer(scene: &Scene, members: &Value) {
    let mut answer = json!({ "access_token": "the-traded-token", "token_type": "Bearer" });
    let members = members.as_object().expect("they are an object");
    answer
        .as_object_mut()
        .expect("it is one")
        .extend(members.clone());
    scene
        .authority
        .script(Endpoint::Token, Fault::Answer(Response::json(200, &answer)));
}

#[test]
fn what_is_asked_for_is_what_the_profile_says_and_nothing_else() {
    const TYPE: &str = "urn:ietf:params:oauth:token-type:";
    let scene = scene(
        "audience = \"https://api.example/\"\nresource = \"urn:r\"\nextra = { options = \"{}\" }\n",
        ", subject_token_type = \"id_token\", actor_token = { file = \"actor\" }, \
         requested_token_type = \"access_token\"",
    );
    fs::write(scene.file("actor"), "the-actor\n").expect("it can be written");
    scene.sandbox.secret("the-actor");
    answer(
        &scene,
        &json!({ "issued_token_type": format!("{TYPE}access_token"), "expires_in": "60" }),
    );
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], NAME);
    assert!(answer["expires_in"].as_i64().is_some_and(|left| left <= 60));
    let requests = scene.authority.requests();
    let request = requests.last().expect("there was one");
    let mut form = request.form.clone();
    form.sort();
    let expected = [
        ("actor_token", "the-actor"),
        ("actor_token_type", &format!("{TYPE}jwt")),
        ("audience", "https://api.example/"),
        ("client_id", "cli"),
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("options", "{}"),
        ("requested_token_type", &format!("{TYPE}access_token")),
        ("resource", "urn:r"),
        ("scope", "demo"),
        ("subject_token", "the-subject"),
        ("subject_token_type", &format!("{TYPE}id_token")),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(form, expected);
}

#[test]
fn a_token_of_another_type_than_was_asked_for_is_not_handed_out() {
    const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    let requested = |kind: &str| format!(", requested_token_type = \"{kind}\"");
    for (grant, members, problem) in [
        (String::new(), json!({}), None),
        (
            String::new(),
            json!({ "issued_token_type": JWT, "token_type": "bearer" }),
            None,
        ),
        (
            String::new(),
            json!({ "issued_token_type": ID_TOKEN }),
            Some("it is a token of the type `urn:ietf:params:oauth:token-type:id_token`"),
        ),
        (
            String::new(),
            json!({ "token_type": "N_A" }),
            Some("only bearer tokens are understood"),
        ),
        (
            requested("id_token"),
            json!({ "issued_token_type": ID_TOKEN, "token_type": "n_a" }),
            None,
        ),
        (
            requested("id_token"),
            json!({ "issued_token_type": JWT }),
            Some("and `urn:ietf:params:oauth:token-type:id_token` was asked for"),
        ),
        (
            requested("urn:x:y"),
            json!({ "issued_token_type": "urn:x:y", "token_type": "DPoP" }),
            Some("its token type is `DPoP`"),
        ),
        (
            String::new(),
            json!({ "access_token": "two words" }),
            Some("characters that no header can carry"),
        ),
    ] {
        let scene = scene("", &grant);
        answer(&scene, &members);
        let ran = scene.run(&["get"]);
        match problem {
            Some(problem) => {
                let error = ran.failed(5);
                assert!(error.contains(problem), "{members}: {error}");
            }
            None => assert_eq!(ran.ok(), "the-traded-token\n", "{members}"),
        }
    }
}

#[test]
fn what_is_no_bearer_token_is_called_none() {
    let scene = scene("", ", requested_token_type = \"id_token\"");
    let kind = "urn:ietf:params:oauth:token-type:id_token";
    answer(
        &scene,
        &json!({ "issued_token_type": kind, "token_type": "N_A" }),
    );
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["token_type"], "N_A");
    assert_eq!(answer["expires_at"], json!(null));
    assert_eq!(scene.run(&["get"]).ok(), "the-traded-token\n");
    for format in ["bearer", "header", "headers"] {
        let error = scene.run(&["get", "-o", format]).failed(2);
        assert!(error.contains("the token is no bearer token"), "{error}");
    }
    assert_eq!(
        scene.authority.requests().len(),
        2,
        "metadata, and one token"
    );
    // Nobody says how long it lives: after a while it is asked for anew.
    scene.edit_session(|session| {
        let token = &mut crate::scene::access_tokens(session)[0];
        token["issued_at"] = (crate::scene::now() - 601).into();
    });
    scene
        .authority
        .script(Endpoint::Token, Fault::error(400, "invalid_target"));
    scene.run(&["get", "--min-valid", "1s"]).failed(5);
    assert_eq!(scene.authority.requests().len(), 3);
}

#[test]
fn what_would_be_refreshed_into_a_token_of_another_type_is_traded_anew() {
    for (kind, expected) in [
        ("access_token", "refresh"),
        ("id_token", NAME),
        ("jwt", NAME),
    ] {
        let scene = scene("", &format!(", requested_token_type = \"{kind}\""));
        let issued = format!("urn:ietf:params:oauth:token-type:{kind}");
        let members = json!({
            "issued_token_type": issued, "expires_in": 3600, "refresh_token": "the-refresh-token",
        });
        scene.sandbox.secret("the-refresh-token");
        answer(&scene, &members);
        scene.run(&["get"]).ok();
        scene.age(-1);
        answer(&scene, &members);
        let second = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(second["source"], expected, "{kind}");
    }
}

/// A scene whose profile `api` trades the token of `person`, who has signed in.
fn of_a_person(grant: &str) -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        format!(
            "{}{}grant = {{ type = \"token_exchange\", subject_token = {{ profile = \"person\" }}{grant} }}\n",
            profile("person", issuer).replace("\"demo\"", "\"demo\", \"openid\""),
            profile("api", issuer)
        )
    });
    scene.run(&["login", "-p", "person"]).ok();
    scene
}

#[test]
fn whoever_s_token_is_refused_is_told_of_a_command_that_shows_none() {
    let scene = of_a_person("");
    scene
        .authority
        .script(Endpoint::Token, Fault::error(400, "invalid_request"));
    let ran = scene.run(&["--error-format", "json", "get", "-p", "api"]);
    let said = ran.failed(5);
    let error: Value = serde_json::from_str(said.trim_end()).expect("it is JSON");
    let next = json!(["cred-helper", "login", "-p", "person"]);
    assert_eq!(error["error"]["next"], next);
    let hint = error["error"]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("`cred-helper login -p person`"), "{hint}");
}

#[test]
fn what_is_traded_of_another_profile_is_of_the_type_that_is_named() {
    for (grant, token, is_id_token) in [
        ("", "", false),
        (", subject_token_type = \"id_token\"", "", true),
        (
            ", subject_token_type = \"access_token\"",
            "token = \"id\"\n",
            false,
        ),
        ("", "token = \"id\"\n", false),
        (", subject_token_type = \"jwt\"", "token = \"id\"\n", true),
        (", subject_token_type = \"jwt\"", "", false),
    ] {
        let scene = of_a_person(grant);
        let persons = scene.run(&["get", "-p", "person", "-o", "json"]).json();
        let profiles = fs::read_to_string(scene.sandbox.config()).expect("it can be read");
        let api = "[profiles.api]";
        let profiles = profiles.replace(api, &format!("{token}{api}"));
        scene.sandbox.write_profiles(&profiles);
        answer(&scene, &json!({}));
        scene.run(&["get", "-p", "api"]).ok();
        let requests = scene.authority.requests();
        let request = requests.last().expect("there was one");
        let kind = if is_id_token {
            "id_token"
        } else {
            "access_token"
        };
        let sent = request.parameter("subject_token").map(Value::from);
        assert_eq!(sent.as_ref(), Some(&persons[kind]), "{grant} {token}");
    }
    let scene = of_a_person(", subject_token_type = \"id_token\"");
    scene.authority.set(|settings| settings.id_token = false);
    scene.run(&["logout", "-p", "person"]).ok();
    scene.run(&["login", "-p", "person"]).ok();
    let error = scene.run(&["get", "-p", "api"]).failed(5);
    let words = "the authority gave no ID token for profile `person`";
    assert!(error.contains(words), "{error}");
}

#[test]
fn services_that_know_no_clients_are_sent_none() {
    let scene = Scene::of(at_once(), |issuer| {
        format!(
            "[profiles.api]\nscopes = []\nendpoints = {{ token = \"{issuer}/token\" }}\n\
             audience = \"//iam.example/pool\"\n[profiles.api.grant]\ntype = \"token_exchange\"\n\
             subject_token = {{ env = \"SUBJECT\" }}\n"
        )
    });
    answer(&scene, &json!({ "expires_in": 3600 }));
    let mut command = scene.sandbox.command(&["get"]);
    command.env("SUBJECT", "the-subject");
    assert_eq!(scene.run_command(command).ok(), "the-traded-token\n");
    let requests = scene.authority.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].parameter("client_id"), None);
    assert_eq!(requests[0].header("authorization"), None);
    let shown = scene.run(&["profile", "show", "api"]).ok();
    assert!(!shown.contains("client_id"), "{shown}");
    assert!(shown.contains("env = \"SUBJECT\""), "{shown}");
}

#[test]
fn profiles_that_trade_each_other_s_tokens_are_told_so() {
    let scene = Scene::of(at_once(), |issuer| {
        let trading = |name: &str, with: &str| {
            format!(
                "{}grant = {{ type = \"token_exchange\", subject_token = {{ profile = \"{with}\" }} }}\n",
                profile(name, issuer)
            )
        };
        trading("a", "b") + &trading("b", "c") + &trading("c", "b") + &trading("d", "nobody")
    });
    let error = scene.run(&["get", "-p", "a"]).failed(3);
    let circle = "in a circle: `a` needs `b` needs `c` needs `b`";
    assert!(error.contains(circle), "{error}");
    let error = scene.run(&["get", "-p", "d"]).failed(3);
    assert!(error.contains("there is no profile `nobody`"), "{error}");
    assert_eq!(scene.authority.requests().len(), 0);
}

#[test]
fn each_mistake_in_the_table_is_told_with_its_place() {
    let grants = [
        (
            "{ type = \"token_exchange\" }",
            "9",
            "needs a `subject_token`",
        ),
        (
            "{ type = \"token_exchange\", subject_token = { vault = \"x\" } }",
            "54",
            "unknown key in",
        ),
        (
            "{ type = \"token_exchange\", subject_token = { env = \"X\", profile = \"a\" } }",
            "52",
            "needs exactly one of `env`, `file`, `command`, `keyring` and `profile`",
        ),
        (
            "{ type = \"token_exchange\", subject = { env = \"X\" } }",
            "36",
            "unknown key",
        ),
        (
            "{ type = \"token_exchange\", subject_token = { env = \"X\" }, subject_token_type = \"jtw\" }",
            "9",
            "there is no `jtw`; did you mean `jwt`?",
        ),
        (
            "{ type = \"token_exchange\", subject_token = { env = \"X\" }, requested_token_type = \"refresh_token\" }",
            "9",
            "a refresh token is nothing to hand out",
        ),
    ];
    for (grant, column, words) in grants {
        let sandbox = Sandbox::new(&format!(
            "[profiles.api]\nauthority = \"https://id.example\"\nscopes = []\ngrant = {grant}\n"
        ));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        let place = format!("profiles.toml:4:{column}:");
        let is_it = |line: &str| line.contains(&place) && line.contains(words);
        assert!(error.lines().any(is_it), "{grant}: {error}");
        assert!(!error.contains("client_id"), "it is needless: {error}");
    }
}
