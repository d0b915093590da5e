//! What the plugin asks the broker, and makes of its answers.

use std::os::unix::net::UnixListener;

use serde_json::json;
use zbus::blocking::MessageIterator;

use crate::broker::{ACCOUNTS, INTERACTIVELY, SILENTLY, account, in_an_hour, refusal, token, with};
use crate::call::{ask, ask_with, converse, impatient, request};
use crate::scene::{NAME, PATH, Scene, Script, Step};

#[test]
fn a_token_comes_without_a_word_and_the_brokers_own_refresh_token_stays_there() {
    let Some(scene) = Scene::new() else { return };
    let script = with(&["ada@contoso.com"]).answer(SILENTLY, &token("canary", "ada@contoso.com"));
    let _broker = scene.broker(&script);
    let claims = json!({"claims": {"access_token": {"a": null}}, "interactive": "always"});
    let said = ask(&scene, &request(claims));
    assert_eq!(said.messages, [""; 0]);
    assert_eq!(said.answer["id"], 7);
    let mut ok = said.ok().clone();
    let expires_in = ok["expires_in"].take().as_u64().expect("seconds");
    assert!((3500..=3600).contains(&expires_in), "{expires_in}");
    assert_eq!(
        ok,
        json!({
            "kind": "acquire", "access_token": "canary", "id_token": "aGVhZA.Ym9keQ.c2lnbg",
            "account": "ada@contoso.com", "scopes": ["User.Read", "profile"], "expires_in": null,
        })
    );
    let calls = script.calls();
    assert_eq!(script.methods(), [ACCOUNTS, SILENTLY]);
    let client_id = "00001111-aaaa-2222-bbbb-3333cccc4444";
    let redirect_uri = "https://login.microsoftonline.com/common/oauth2/nativeclient";
    assert_eq!(
        calls[0].request,
        json!({"clientId": client_id, "redirectUri": redirect_uri})
    );
    assert_eq!(
        calls[1].request,
        json!({"authParameters": {
            "account": account("ada@contoso.com"), "username": "ada@contoso.com",
            "additionalQueryParametersForAuthorization": {},
            "authority": "https://login.microsoftonline.com/organizations",
            "authorizationType": 1, "clientId": client_id, "redirectUri": redirect_uri,
            "decodedClaims": r#"{"access_token":{"a":null}}"#,
            "requestedScopes": ["User.Read"], "uxContextHandle": -1,
        }})
    );
    for called in &calls {
        assert_eq!(called.version, "0.0");
        assert_eq!(called.correlation.len(), 36);
        assert_eq!(called.correlation, calls[0].correlation);
    }
}

#[test]
fn of_several_accounts_the_one_asked_for_is_used_and_none_is_guessed() {
    let two = ["ada@contoso.com", "bob@contoso.com"];
    // Accounts, the one asked for, and the one used or the error's words.
    for (names, asked, expected) in [
        (&two[..], Some("BOB@contoso.com"), Ok("bob@contoso.com")),
        (
            &two,
            None,
            Err("several accounts: `ada@contoso.com`, `bob@contoso.com`"),
        ),
        (
            &two,
            Some("eve@contoso.com"),
            Err("does not know `eve@contoso.com`, but `ada@contoso.com`, `bob@contoso.com`"),
        ),
        (
            &[],
            Some("eve@contoso.com"),
            Err("no account, and so not `eve@contoso.com`"),
        ),
        (&[], None, Err("the identity broker has no account")),
        (&["a\u{1b}[2J\u{202e}da"], Some("x"), Err("but `a[2Jda`")),
    ] {
        let Some(scene) = Scene::new() else { return };
        let script = with(names).answer(SILENTLY, &token("canary", "bob@contoso.com"));
        let _broker = scene.broker(&script);
        let said = ask(
            &scene,
            &request(json!({"account": asked, "interactive": "never"})),
        );
        match expected {
            Ok(name) => {
                assert_eq!(said.ok()["account"], name);
                let request = &script.calls()[1].request["authParameters"];
                assert_eq!(request["account"], account(name));
            }
            Err(words) => {
                let (kind, message) = said.error();
                // A sign-in would not help among several.
                let is_choice = words.starts_with("several");
                let expected = if is_choice {
                    "denied"
                } else {
                    "login_required"
                };
                assert_eq!(kind, expected, "{message}");
                assert!(message.ends_with(words), "{message}");
                assert_ne!(said.hint(), "");
                assert_eq!(script.methods(), [ACCOUNTS]);
            }
        }
    }
}

#[test]
fn a_person_is_asked_only_where_the_request_allows_it_and_somebody_would_see() {
    let expired = "AADSTS50078: multi-factor authentication has expired";
    let ada = "ada@contoso.com";
    for (interactive, variable, refuses, is_asked) in [
        ("never", Some("DISPLAY"), true, false),
        ("auto", None, true, false),
        ("auto", Some("DISPLAY"), true, true),
        ("auto", Some("WAYLAND_DISPLAY"), true, true),
        ("always", None, true, true),
        ("always", None, false, false),
    ] {
        let Some(scene) = Scene::new() else { return };
        let silent = if refuses {
            refusal(2, expired)
        } else {
            refusal(3, "offline")
        };
        let script = with(&[ada])
            .answer(SILENTLY, &silent)
            .answer(INTERACTIVELY, &token("canary", ada));
        let _broker = scene.broker(&script);
        let mut variables = vec![("DBUS_SESSION_BUS_ADDRESS", scene.address.as_str())];
        variables.extend(variable.map(|name| (name, ":7")));
        let said = ask_with(&variables, &request(json!({ "interactive": interactive })));
        if is_asked {
            assert_eq!(
                said.messages,
                ["The identity broker asks ada@contoso.com to sign in, in a window."]
            );
            assert_eq!(said.ok()["access_token"], "canary");
            let request = &script.calls()[2].request["authParameters"];
            assert_eq!(request["authorizationType"], 6);
            assert_eq!(request["account"], account(ada));
        } else {
            assert_eq!(said.messages, [""; 0]);
            assert_eq!(script.methods(), [ACCOUNTS, SILENTLY]);
            let (kind, message) = said.error();
            if refuses {
                assert_eq!(kind, "login_required");
                assert!(message.ends_with(expired), "{message}");
                assert!(said.hint().contains("`cred-helper login -p graph`"));
                let next = ["cred-helper", "login", "-p", "graph"];
                assert_eq!(said.answer["Err"]["next"], json!(next));
            } else {
                assert_eq!(kind, "unavailable", "{message}");
            }
        }
    }
}

#[test]
fn an_account_that_the_broker_does_not_know_can_sign_in_there() {
    for asked in [None, Some("eve@contoso.com")] {
        let Some(scene) = Scene::new() else { return };
        let script = with(&[]).answer(INTERACTIVELY, &token("canary", "eve@contoso.com"));
        let _broker = scene.broker(&script);
        let changes = json!({"account": asked, "interactive": "always"});
        let said = ask(&scene, &request(changes));
        assert_eq!(said.ok()["account"], "eve@contoso.com");
        assert_eq!(said.messages.len(), 1);
        let request = &script.calls()[1].request["authParameters"];
        assert_eq!(request.get("account"), None);
        assert_eq!(request["username"], json!(asked));
    }
}

#[test]
fn a_token_of_somebody_else_is_refused() {
    let Some(scene) = Scene::new() else { return };
    let script = with(&["ada@contoso.com"])
        .answer(SILENTLY, &refusal(16, ""))
        .answer(INTERACTIVELY, &token("canary", "bob@contoso.com"));
    let _broker = scene.broker(&script);
    let said = ask(&scene, &request(json!({"interactive": "always"})));
    let (kind, message) = said.error();
    assert_eq!(kind, "denied");
    assert!(
        message.contains("`bob@contoso.com` instead of `ada@contoso.com`"),
        "{message}"
    );
}

#[test]
fn a_forced_refresh_names_the_token_that_is_to_be_replaced() {
    let ada = "ada@contoso.com";
    for (second, expected) in [("canary-2", Ok("canary-2")), ("canary-1", Err("once more"))] {
        let Some(scene) = Scene::new() else { return };
        let script = with(&[ada])
            .answer(SILENTLY, &token("canary-1", ada))
            .answer(SILENTLY, &token(second, ada));
        let _broker = scene.broker(&script);
        let said = ask(&scene, &request(json!({"force_refresh": true})));
        let calls = script.calls();
        let renewed = |call: usize| &calls[call].request["authParameters"]["accessTokenToRenew"];
        assert_eq!((renewed(1), renewed(2)), (&json!(null), &json!("canary-1")));
        match expected {
            Ok(token) => assert_eq!(said.ok()["access_token"], token),
            Err(words) => {
                let (kind, message) = said.error();
                assert_eq!(kind, "unavailable");
                assert!(message.contains(words), "{message}");
            }
        }
    }
}

#[test]
fn a_token_that_ends_too_soon_is_replaced_if_the_broker_can() {
    let ada = "ada@contoso.com";
    let longer = || token("canary-2", ada);
    for (min_valid, second, expected) in [
        (json!(1800), longer(), "canary-1"),
        (json!(7200), longer(), "canary-2"),
        (json!(7200), refusal(3, "offline"), "canary-1"),
        (json!(null), longer(), "canary-1"),
    ] {
        let Some(scene) = Scene::new() else { return };
        let script = with(&[ada])
            .answer(SILENTLY, &token("canary-1", ada))
            .answer(SILENTLY, &second);
        let _broker = scene.broker(&script);
        let said = ask(&scene, &request(json!({ "min_valid": min_valid })));
        assert_eq!(said.ok()["access_token"], expected, "{min_valid}");
        let is_replaced = min_valid == 7200;
        assert_eq!(script.methods().len(), if is_replaced { 3 } else { 2 });
    }
}

#[test]
fn what_the_broker_refuses_or_fails_at_is_told_by_kind() {
    let ada = &["ada@contoso.com"][..];
    let silently = |step: Step| with(ada).on(SILENTLY, step);
    let large = with(ada).answer(SILENTLY, &token(&"canary".repeat(1 << 18), ada[0]));
    for (script, kind, words) in [
        (
            with(ada).answer(SILENTLY, &refusal(7, "\u{1b}]0;title\u{7}no")),
            "denied",
            "the person said no (status 7, tag 593819521): ]0;titleno",
        ),
        (
            silently(Step::Fail("Failed to authenticate user")),
            "login_required",
            "Failed to authenticate user",
        ),
        (
            silently(Step::Fail("broker socket connect: \u{9b}2Jrefused")),
            "unavailable",
            "failed at `acquireTokenSilently`: broker socket connect: 2Jrefused",
        ),
        (
            silently(Step::Answer(String::new())),
            "login_required",
            "does not say why",
        ),
        (
            silently(Step::Answer(
                r#"{"brokerTokenResponse":{"accessToken":{"canary":1}}}"#.to_owned(),
            )),
            "unavailable",
            "cannot be read",
        ),
        (large, "unavailable", "cannot be read"),
        (
            with(ada).answer(
                SILENTLY,
                &refusal(0, &format!("eyJ{}", "canary".repeat(99))),
            ),
            "unavailable",
            "tag 593819521): …",
        ),
        (
            Script::default().answer(ACCOUNTS, &refusal(5, "")["brokerTokenResponse"]),
            "unavailable",
            "the server is not available (status 5, tag 593819521)",
        ),
        (
            Script::default().on(ACCOUNTS, Step::Fail("Unable to find account")),
            "login_required",
            "Unable to find account",
        ),
    ] {
        let Some(scene) = Scene::new() else { return };
        let _broker = scene.broker(&script);
        let said = ask(&scene, &request(json!({})));
        let (told, message) = said.error();
        assert_eq!(told, kind, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn himmelblaus_end_is_asked_of_the_token() {
    let Some(scene) = Scene::new() else { return };
    // {"exp":4102444800}, which is the year 2100.
    let opaque = "canary.eyJleHAiOjQxMDI0NDQ4MDB9.c2lnbg";
    let mut answer = token(opaque, "ada@contoso.com");
    answer["brokerTokenResponse"]["expiresOn"] = json!(in_an_hour() - 3_600_000 + 3600);
    let script = with(&["ada@contoso.com"]).answer(SILENTLY, &answer);
    let _broker = scene.broker(&script);
    let said = ask(&scene, &request(json!({})));
    assert!(said.ok()["expires_in"].as_u64() > Some(1_000_000_000));
}

#[test]
fn without_a_broker_or_a_bus_the_hint_says_what_is_missing() {
    let Some(scene) = Scene::new() else { return };
    let said = ask(&scene, &request(json!({"interactive": "always"})));
    let (kind, message) = said.error();
    assert_eq!(kind, "unavailable");
    assert!(
        message.starts_with("no identity broker answers on the session bus"),
        "{message}"
    );
    assert!(said.hint().contains("Himmelblau"), "{}", said.hint());

    let nowhere = scene.directory().join("nowhere");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let path = format!("unix:path={nowhere}");
    for (name, value) in [
        ("XDG_RUNTIME_DIR", nowhere),
        ("DBUS_SESSION_BUS_ADDRESS", &path),
        ("DBUS_SESSION_BUS_ADDRESS", "\u{1b}[31mgarbage"),
    ] {
        let said = ask_with(&[(name, value)], &request(json!({})));
        let (kind, message) = said.error();
        assert_eq!(kind, "unavailable", "{message}");
        assert!(
            message.starts_with("the session bus cannot be reached"),
            "{message}"
        );
        assert!(
            said.hint().contains("DBUS_SESSION_BUS_ADDRESS"),
            "{}",
            said.hint()
        );
    }
}

#[test]
fn a_broker_or_a_bus_that_hangs_is_given_up_and_the_next_request_is_answered() {
    let Some(scene) = Scene::new() else { return };
    let script = with(&["ada@contoso.com"])
        .on(SILENTLY, Step::Hang)
        .answer(SILENTLY, &token("canary", "ada@contoso.com"));
    let _broker = scene.broker(&script);
    let lines = format!("{}\n{}\n", impatient(json!({})), request(json!({"id": 8})));
    let variables = [("DBUS_SESSION_BUS_ADDRESS", scene.address.as_str())];
    let said = converse(&variables, lines.as_bytes());
    let (kind, message) = said[0].error();
    assert_eq!(kind, "unavailable");
    assert!(message.ends_with("did not answer within 1 s"), "{message}");
    assert_eq!(said[1].answer["id"], 8);
    assert_eq!(said[1].ok()["access_token"], "canary");

    let socket = scene.directory().join("silent");
    let _silent = UnixListener::bind(&socket).expect("a socket");
    let address = format!("unix:path={}", socket.display());
    let said = ask_with(
        &[("DBUS_SESSION_BUS_ADDRESS", &address)],
        &impatient(json!({})),
    );
    assert_eq!(said.error().0, "unavailable");
}

#[test]
fn a_broker_that_has_its_name_before_its_methods_is_waited_for() {
    let Some(scene) = Scene::new() else { return };
    let script = with(&["ada@contoso.com"]).answer(SILENTLY, &token("canary", "ada@contoso.com"));
    let early = scene
        .builder()
        .name(NAME)
        .and_then(zbus::blocking::connection::Builder::build)
        .expect("a name");
    let mut calls = MessageIterator::from(&early);
    let server = early.object_server();
    let said = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&scene, &request(json!({}))));
        let is_call = |message: &zbus::Message| {
            let header = message.header();
            header.member().is_some_and(|member| member == ACCOUNTS)
        };
        calls
            .find(|message| message.as_ref().is_ok_and(is_call))
            .expect("it was asked")
            .expect("a call");
        server.at(PATH, script.clone()).expect("methods");
        asked.join().expect("an answer")
    });
    assert_eq!(said.ok()["access_token"], "canary");
}

#[test]
fn lines_that_are_no_requests_are_answered_and_the_session_goes_on() {
    let Some(scene) = Scene::new() else { return };
    let script = with(&["ada@contoso.com"]).answer(SILENTLY, &token("canary", "ada@contoso.com"));
    let _broker = scene.broker(&script);
    let variables = [("DBUS_SESSION_BUS_ADDRESS", scene.address.as_str())];
    let long = "x".repeat(3 << 20);
    let lines = format!(
        "nonsense\n\n{long}\n{{\"id\":[1],\"kind\":\"get\"}}\n{}",
        request(json!({}))
    );
    let said = converse(&variables, lines.as_bytes());
    let (last, wrong) = said.split_last().expect("answers");
    assert_eq!(wrong.len(), 4);
    for said in wrong {
        assert_eq!(said.error().0, "usage");
    }
    assert_eq!(wrong[2].error().1, "a request is 1 MiB long at most");
    assert_eq!(wrong[3].answer["id"], json!([1]));
    // The last line has no line feed.
    assert_eq!(last.ok()["access_token"], "canary");
}
