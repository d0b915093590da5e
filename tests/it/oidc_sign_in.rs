//! People who refuse, who do not come, who are somebody else, and sign-ins that died at the
//! authority.

use serde_json::{Value, json};

use crate::oidc_ground::{Ground, eventually, for_each};
use crate::tool::servers;

#[test]
fn a_refusal_is_denied_and_nobody_is_asked_again_until_a_login() {
    let ground = Ground::new(json!({}));
    let terminal = ground.sandbox.in_terminal("cred-helper get 2>errors");
    ground.authority.deny(None, "ada");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("access_denied"), "{errors}");

    ground.authority.reset_requests();
    let (code, shown) = ground.sandbox.in_terminal("cred-helper get 2>errors").end();
    assert_eq!((code, shown.as_str()), (Some(4), ""));
    let sign_in = ground.session()["content"]["sign_in"].clone();
    let until = ground.status()["asked_again_after"].clone();
    let until = until.as_str().expect("it is told until when");
    let errors = ground.read("errors");
    assert!(errors.contains("the last one failed at 20"), "{errors}");
    assert!(errors.contains(until), "{errors}");
    assert!(errors.contains("cred-helper login -p api"), "{errors}");
    let time = |name: &str| sign_in[name].as_i64().expect("it is a time");
    assert_eq!(time("asked_again_after") - time("refused_at"), 60);
    assert_eq!(ground.authority.requests().total, 0, "nobody was asked");

    // A second refusal, of an explicit login, doubles it.
    let terminal = ground.sandbox.in_terminal("cred-helper login 2>errors");
    ground.authority.deny(None, "ada");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    let sign_in = ground.session()["content"]["sign_in"].clone();
    let time = |name: &str| sign_in[name].as_i64().expect("it is a time");
    assert_eq!(time("asked_again_after") - time("refused_at"), 120);

    ground.sign_in("ada");
    assert_eq!(ground.status()["asked_again_after"], Value::Null);
    let sign_in = ground.session()["content"]["sign_in"].clone();
    assert_eq!(sign_in["refusals"], 0, "a success resets it");
}

#[test]
fn a_code_that_runs_out_means_that_a_login_is_required() {
    for_each(servers(&json!({ "deviceCodeTtl": 2 })), |options| {
        let ground = Ground::new(options);
        let (terminal, mut keyboard) = ground.sandbox.with_keyboard("cred-helper get 2>errors");
        eventually("it asks", || keyboard.sees().contains("A new one? [y/N]"));
        keyboard.type_in("n\n");
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(4), "{shown}");
        let errors = ground.read("errors");
        assert!(errors.contains("the code ran out"), "{errors}");
        assert!(errors.contains("cred-helper login -p api"), "{errors}");
        assert!(ground.status()["asked_again_after"].is_string());
        assert_eq!(ground.authority.requests().device_authorization, 1);
    });
}

#[test]
fn a_refresh_token_that_was_revoked_is_forgotten_and_only_that_one() {
    let ground = Ground::new(json!({}));
    ground.sign_in("bob");
    let bobs = ground.refresh_token();
    ground.sign_in("ada");
    let refresh_token = |name: &str| {
        let accounts = ground.accounts();
        let account = accounts.iter().find(|account| account["name"] == name);
        account.expect("the account is kept")["refresh_token"].clone()
    };
    let adas = refresh_token("ada@example.test");
    ground
        .authority
        .revoke(adas.as_str().expect("there is one"));
    ground.expire();
    ground.authority.reset_requests();

    let ran = ground.run(&["get", "--error-format", "json"]);
    let error: Value = serde_json::from_str(&ran.failed(4)).expect("the error is JSON");
    let error = &error["error"];
    assert_eq!(error["kind"], "login_required");
    assert_eq!(error["oauth"]["error"], "invalid_grant");
    assert!(error["oauth"]["error_description"].is_string(), "{error}");
    assert_eq!(error["next"], json!(["cred-helper", "login", "-p", "api"]));
    assert_eq!(refresh_token("ada@example.test"), Value::Null);
    assert_eq!(refresh_token("bob@example.test"), bobs.as_str());

    // What is known to be dead is not sent again.
    let error = ground.run(&["get"]).failed(4);
    assert!(
        error.contains("hint: run `cred-helper login -p api`"),
        "{error}"
    );
    assert_eq!(ground.authority.requests().token("refresh_token"), 1);
    let answer = ground.get_json(&["--account", "bob@example.test"]);
    assert_eq!(answer["source"], "refresh");
    assert_eq!(answer["account"], "bob@example.test");
}

#[test]
fn a_dead_refresh_token_begins_a_new_sign_in_at_a_terminal() {
    let ground = Ground::signed_in(json!({}));
    ground.authority.revoke(&ground.refresh_token());
    ground.expire();
    ground.get_as_ada();
    let requests = ground.authority.requests();
    assert_eq!(requests.token("refresh_token"), 1);
    assert_eq!(requests.device_authorization, 1);
}

#[test]
fn a_refusal_to_refresh_that_a_sign_in_mends_asks_for_one_and_keeps_the_refresh_token() {
    let ground = Ground::signed_in(json!({}));
    ground.expire();
    let refresh_token = ground.refresh_token();
    ground.authority.fault(json!({
        "on": "token", "grant": "refresh_token", "fault": "status", "status": 400, "times": 100,
        "body": "{\"error\":\"interaction_required\"}",
        "headers": { "content-type": "application/json" },
    }));
    let error = ground.run(&["get"]).failed(4);
    assert!(error.contains("interaction_required"), "{error}");
    assert_eq!(ground.refresh_token(), refresh_token);

    ground.get_as_ada();
    assert_eq!(ground.authority.requests().token("refresh_token"), 2);
}

#[test]
fn the_account_is_named_by_the_id_token() {
    let ground = Ground::signed_in(json!({}));
    assert_eq!(ground.get_json(&[])["account"], "ada@example.test");
    assert_eq!(ground.status()["account"], "ada@example.test");
    assert_eq!(ground.status()["refreshable"], true);
    let table = ground.run(&["status"]).ok();
    assert!(table.contains("ada@example.test"), "{table}");
    let error = ground
        .run(&["get", "--account", "eve@example.test"])
        .failed(4);
    assert!(error.contains("eve@example.test"), "{error}");
    assert_eq!(ground.authority.requests().total, 0);
}

#[test]
fn a_sign_in_as_somebody_else_is_denied_and_not_kept() {
    let ground = Ground::signed_in(json!({}));
    let before = ground.accounts();
    let terminal = ground
        .sandbox
        .in_terminal("cred-helper login --account bob@example.test 2>errors");
    ground.authority.approve(None, "eve");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    assert!(!shown.contains("Signed in"), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("`eve@example.test`"), "{errors}");
    assert!(errors.contains("`bob@example.test`"), "{errors}");
    assert_eq!(ground.accounts(), before);
    // It counts as a refusal, and takes nothing from whoever is signed in.
    let told = |row: &Value| (row["account"].clone(), row["asked_again_after"].is_string());
    assert_eq!(
        ground.statuses().iter().map(told).collect::<Vec<_>>(),
        [
            (json!("ada@example.test"), false),
            (json!("bob@example.test"), true)
        ]
    );
    assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
    // Without regard to case, and by the subject.
    for hint in ["BOB@example.test", "bob"] {
        let login = format!("cred-helper login --account {hint}");
        let terminal = ground.sandbox.in_terminal(&login);
        ground.authority.approve(None, "bob");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as bob@example.test"), "{shown}");
    }
    assert_eq!(ground.accounts().len(), 2);
}

#[test]
fn a_call_without_a_terminal_waits_for_the_sign_in_of_another_process() {
    let ground = Ground::new(json!({}));
    let terminal = ground
        .sandbox
        .in_terminal("echo $$ >process; exec cred-helper get >answer 2>errors");
    ground.authority.wait_for(json!({ "pending_codes": 1 }));
    let answer = std::thread::scope(|scope| {
        let silent = scope.spawn(|| ground.sandbox.run(&["get"]));
        let waits = "waiting for the sign-in that another process has begun";
        eventually("it waits for the sign-in", || ground.logged(waits) == 1);
        if cfg!(target_os = "linux") {
            let process = ground.read("process");
            let line = format!("{waits} for profile `api` (process {process})");
            assert_eq!(ground.logged(&line), 1);
        }
        // Whoever may ask nobody at all does not wait either.
        let never = ground.sandbox.run(&["get", "--interactive", "never"]);
        never.failed(4);
        ground.authority.approve(None, "ada");
        silent.join().expect("it was answered").ok()
    });
    terminal.wait();
    assert_eq!(answer.trim_end(), ground.read("answer"));
    assert_eq!(ground.authority.requests().device_authorization, 1);
}
