//! Who signed in, where no ID token names them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::authority::{ClientAuthentication, ClientRow, Endpoint, Fault, Response, Settings};
use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once, profile};
use crate::support::{Ran, detached, interrupt};

/// An authority whose ID tokens tell a subject, and whose metadata name a userinfo endpoint.
fn scene(keys: &str) -> Scene {
    let scene = Scene::of(
        Settings {
            name_in_id_token: false,
            ..at_once()
        },
        |issuer| format!("{}{keys}", profile("api", issuer)),
    );
    let userinfo = scene.authority.url("/userinfo");
    scene.authority.set(|settings| {
        settings.metadata = vec![("userinfo_endpoint".to_owned(), userinfo.into())];
    });
    scene
}

fn account(scene: &Scene) -> Value {
    scene.run(&["get", "-o", "json"]).json()["account"].clone()
}

#[test]
fn the_userinfo_endpoint_is_asked_once_at_the_sign_in() {
    let scene = scene("account = \"ADA@example.test\"\n");
    let ran = scene.run(&["login"]);
    assert!(
        ran.stderr.contains("Signed in as ada@example.test"),
        "{ran:?}"
    );
    ran.ok();
    scene.run(&["get", "--force-refresh"]).ok();
    assert_eq!(account(&scene), "ada@example.test");
    assert_eq!(scene.authority.count("/userinfo", None), 1);
    // Somebody else is found out as well, and not kept.
    scene
        .authority
        .set(|settings| settings.account = "eve@example.test".to_owned());
    let said = scene.run(&["login"]).failed(5);
    assert!(
        said.contains("the sign-in was as `eve@example.test`"),
        "{said}"
    );
}

#[test]
fn trouble_at_the_userinfo_endpoint_costs_no_sign_in() {
    let answers: [fn() -> Fault; 4] = [
        || Fault::error(503, "server_error"),
        || Fault::Reset,
        || Fault::Answer(Response::new(200, "text/html", "<html>")),
        // Somebody else's claims (OpenID Connect Core §5.3.2).
        || {
            Fault::Answer(Response::json(
                200,
                &json!({ "sub": "x", "email": "eve@example.test" }),
            ))
        },
    ];
    for answer in answers {
        let scene = scene("");
        scene.authority.script(Endpoint::Userinfo, answer());
        scene.run(&["login"]).ok();
        scene.authority.wait_until(|state| state.faults_left() == 0);
        // The subject, as the ID token tells it.
        assert_eq!(account(&scene), "YWRhQGV4YW1wbGUudGVzdA");
    }
}

#[test]
fn somebody_whom_the_authority_does_not_name_is_believed_with_a_warning() {
    for id_token in [true, false] {
        let scene = scene("account = \"ada@example.test\"\n");
        scene.authority.set(|settings| settings.id_token = id_token);
        scene
            .authority
            .script(Endpoint::Userinfo, Fault::error(503, "server_error"));
        let ran = scene.run(&["login"]);
        let warning = "warning: the authority does not tell who signed in; taken for \
                       `ada@example.test`";
        assert!(ran.stderr.contains(warning), "{ran:?}");
        ran.ok();
        assert_eq!(account(&scene), "ada@example.test");
        // The next sign-in finds out, and is of the same account.
        scene.run(&["login"]).ok();
        let status = scene.run(&["status", "-o", "json"]).json();
        let rows = status["profiles"][0]["accounts"].as_array().unwrap().len();
        assert_eq!(rows, 1, "{status}");
    }
}

#[test]
fn a_sign_in_is_kept_before_anybody_is_asked_whose_it_is() {
    let scene = scene("");
    scene.authority.script(Endpoint::Userinfo, Fault::Hang);
    let command = scene.sandbox.command(&["login"]);
    let mut child = detached(command).spawn().expect("setsid starts");
    scene
        .authority
        .wait_until(|state| state.count("/userinfo", None) == 1);
    child.kill().expect("it runs");
    child.wait().expect("it can be waited for");
    assert_eq!(account(&scene), "YWRhQGV4YW1wbGUudGVzdA");
}

#[test]
fn an_authority_whose_userinfo_endpoint_is_none_can_be_used() {
    let scene = scene("");
    for written in ["", "/userinfo", "http://internal.example/userinfo"] {
        scene.authority.set(|settings| {
            settings.metadata = vec![("userinfo_endpoint".to_owned(), written.into())];
        });
        scene.run(&["login"]).ok();
    }
    assert_eq!(scene.authority.count("/userinfo", None), 0);
}

#[test]
fn a_server_that_leaves_the_scope_out_of_its_answer_is_asked_too() {
    let scene = scene("");
    let without_scope = Fault::edit(|answer| drop(answer.remove("scope")));
    scene.authority.script(Endpoint::Token, without_scope);
    scene.run(&["login"]).ok();
    assert_eq!(account(&scene), "ada@example.test");
}

#[test]
fn a_token_without_openid_is_not_shown_to_the_userinfo_endpoint() {
    let scene = scene("exact_scopes = true\n");
    scene.run(&["login"]).ok();
    assert_eq!(account(&scene), Value::Null);
    assert_eq!(scene.authority.count("/userinfo", None), 0);
}

#[test]
fn a_sign_in_as_somebody_else_takes_nothing_from_the_one_there_is() {
    let scene = scene("");
    scene.run(&["login"]).ok();
    let token = scene.run(&["get"]).ok();
    let other = ["login", "--account", "eve@example.test"];
    let said = scene.run(&other).failed(5);
    assert!(
        said.contains("the sign-in was as `ada@example.test`"),
        "{said}"
    );
    assert_eq!(scene.run(&["get"]).ok(), token);
    scene.run(&["get", "--force-refresh"]).ok();
    // Some authorities would have revoked that one too.
    assert_eq!(scene.authority.count("/revoke", None), 0);
}

#[test]
fn a_sign_in_as_somebody_else_is_revoked_and_not_asked_for_again_by_each_of_many() {
    let scene = scene("account = \"eve@example.test\"\n");
    let get = || scene.run(&["get", "--interactive", "always"]);
    let ran: Vec<Ran> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(get)).collect();
        let ended = calls.into_iter().map(|call| call.join());
        ended.map(|ran| ran.expect("it did not panic")).collect()
    });
    let mut codes: Vec<_> = ran.iter().map(|ran| ran.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [Some(4), Some(4), Some(4), Some(5)], "{ran:?}");
    let said = get().failed(4);
    assert!(said.contains("nobody is asked again before"), "{said}");
    assert!(
        said.contains("caused by: the sign-in was as `ada@example.test`"),
        "{said}"
    );
    let codes = || scene.authority.count("/device_authorization", None);
    assert_eq!(codes(), 1, "one person was asked once");
    let kinds: Vec<_> = scene.authority.requests();
    let kinds: Vec<_> = kinds
        .iter()
        .filter(|request| request.path.ends_with("/revoke"))
        .map(|request| request.parameter("token_type_hint"))
        .collect();
    assert_eq!(kinds, [Some("refresh_token"), Some("access_token")]);
    // Whoever asks for it is asked at once; a revocation that fails is no word more.
    scene
        .authority
        .script(Endpoint::Revocation, Fault::error(500, "server_error"));
    let said = scene.run(&["login"]).failed(5);
    assert!(!said.contains("revoke"), "{said}");
    assert_eq!(codes(), 2);
    scene
        .authority
        .set(|settings| settings.account = "eve@example.test".to_owned());
    scene.run(&["login"]).ok();
    assert_eq!(account(&scene), "eve@example.test");
}

#[test]
fn an_account_keeps_its_name_where_the_authority_does_not_tell_it_again() {
    let scene = scene("");
    scene.run(&["login"]).ok();
    scene
        .authority
        .script(Endpoint::Userinfo, Fault::error(500, "server_error"));
    scene.run(&["login"]).ok();
    assert_eq!(account(&scene), "ada@example.test");
}

#[test]
fn a_secret_that_does_not_come_holds_up_neither_a_refused_sign_in_nor_ctrl_c() {
    for is_interrupted in [false, true] {
        let clients = vec![ClientRow {
            id: "cli".to_owned(),
            secret: Some("canary-secret".to_owned()),
            method: ClientAuthentication::ClientSecretBasic,
        }];
        let settings = Settings {
            clients,
            ..at_once()
        };
        let scene = Scene::of(settings, |issuer| {
            format!(
                "{}account = \"eve@example.test\"\nclient_secret = {{ command = [\"bin/secret\"] }}\n",
                profile("api", issuer)
            )
        });
        scene.sandbox.secret("canary-secret");
        // It comes for the sign-in, and no second time.
        let lines = "if [ -e asked ]; then echo >again; exec sleep 60 2>/dev/null; fi\n\
                     echo >asked; echo canary-secret\n";
        scene.sandbox.script("secret", lines);
        let command = scene.sandbox.command(&["login"]);
        let begun = Instant::now();
        let child = detached(command).spawn().expect("setsid starts");
        eventually("the secret is asked for again", || {
            scene.file("again").exists()
        });
        if is_interrupted {
            interrupt(&child);
        }
        let output = child.wait_with_output().expect("it can be waited for");
        let ran = scene.sandbox.checked(output);
        let took = begun.elapsed();
        let code = if is_interrupted { 130 } else { 5 };
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(took < Duration::from_secs(25), "{took:?}");
        // What came of it was noted before.
        let said = scene.run(&["get", "--interactive", "always"]).failed(4);
        assert!(
            said.contains("the sign-in was as `ada@example.test`"),
            "{said}"
        );
        assert_eq!(scene.authority.count("/revoke", None), 0);
    }
}
