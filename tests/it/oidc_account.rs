//! Several accounts of one profile: which one is meant, and what `status` tells of each.

use serde_json::{Value, json};

use crate::oidc_ground::Ground;

const KEYS: &str = "client_id = \"cli\"\nscopes = [\"api:read\"]\n";

/// The accounts of which `status` says this.
fn those(ground: &Ground, says: impl Fn(&Value) -> bool) -> Vec<String> {
    let rows = ground.statuses();
    let rows = rows.iter().filter(|row| says(row));
    rows.map(|row| {
        let name = row["account"].as_str().expect("it has a name");
        name.strip_suffix("@example.test")
            .unwrap_or(name)
            .to_owned()
    })
    .collect()
}

fn used(ground: &Ground) -> Vec<String> {
    those(ground, |row| row["used"] == true)
}

fn waiting(ground: &Ground) -> Vec<String> {
    those(ground, |row| row["waiting_since"].is_string())
}

fn refused(ground: &Ground) -> Vec<String> {
    those(ground, |row| row["asked_again_after"].is_string())
}

/// What a call without an account, and one for somebody, is answered with.
fn got(ground: &Ground, arguments: &[&str]) -> Value {
    ground.get_json(arguments)["account"].clone()
}

#[test]
fn whoever_signed_in_last_is_used_unless_the_call_or_the_profile_names_another() {
    let ground = Ground::new(json!({}));
    let bobs = ground.sign_in("bob");
    let adas = ground.sign_in("ada");
    assert_eq!(used(&ground), ["ada"]);
    assert_eq!(ground.get(&[]), adas);
    let table = ground.run(&["status"]).ok();
    let row = |name: &str| {
        let row = table.lines().find(|line| line.contains(name));
        row.expect("there is one").to_owned()
    };
    let note = "used, unless --account names another";
    assert!(row("ada@example.test").contains(note), "{table}");
    assert!(!row("bob@example.test").contains(note), "{table}");
    assert_eq!(ground.get(&["--account", "BOB@example.test"]), bobs);
    assert_eq!(got(&ground, &["--account", "bob"]), "bob@example.test");

    ground.set_profile(&format!("{KEYS}account = \"BOB@Example.Test\"\n"));
    assert_eq!(used(&ground), ["bob"]);
    assert_eq!(ground.get(&[]), bobs);
    assert_eq!(ground.get(&["--account", "ada@example.test"]), adas);
    ground.set_profile(&format!("{KEYS}account = \"eve@example.test\"\n"));
    assert_eq!(used(&ground), Vec::<String>::new());
    ground.fail(4, &["get"]);

    // A refresh of one takes nothing from the other, nor makes it the one that is used.
    ground.set_profile(KEYS);
    ground.expire();
    assert_eq!(got(&ground, &["--account", "bob"]), "bob@example.test");
    assert_eq!(used(&ground), ["ada"]);
    assert_eq!(got(&ground, &[]), "ada@example.test");
    // An explicit sign-in does.
    let terminal = ground
        .sandbox
        .in_terminal("cred-helper login --account bob@example.test");
    ground.authority.approve(None, "bob");
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as bob@example.test"), "{shown}");
    assert_eq!(used(&ground), ["bob"]);
    assert_eq!(ground.accounts().len(), 2);
    ground
        .run(&["logout", "--account", "BOB@EXAMPLE.TEST"])
        .ok();
    assert_eq!(used(&ground), ["ada"]);
    assert_eq!(got(&ground, &[]), "ada@example.test");
    let table = ground.run(&["status"]).ok();
    assert!(!table.contains(note), "there is no other: {table}");
}

#[test]
fn only_whoever_was_asked_for_is_said_to_wait_or_to_have_refused() {
    let ground = Ground::new(json!({}));
    ground.sign_in("ada");
    for (asked, signed_in) in [("bob", false), ("ada", true), ("bob", true)] {
        let line = format!("login --account {asked}@example.test");
        let terminal = ground.in_terminal(&line);
        ground.authority.wait_for(json!({ "pending_codes": 1 }));
        assert_eq!(waiting(&ground), [asked]);
        ground.authority.deny(None, asked);
        ground.end_failed(terminal, 5);
        assert_eq!(waiting(&ground), Vec::<String>::new());
        assert_eq!(refused(&ground), [asked]);
        let is_there = |row: &Value| row["signed_in"] == true;
        assert_eq!(
            those(&ground, is_there).contains(&asked.to_owned()),
            signed_in
        );
        // The other account is as it was.
        assert_eq!(got(&ground, &["--account", "ada"]), "ada@example.test");
        if !signed_in {
            ground.sign_in("bob");
        }
        assert_eq!(ground.accounts().len(), 2);
    }
    // Where anybody would do, it is the account that is used.
    let terminal = ground.in_terminal("login");
    ground.authority.deny(None, "eve");
    ground.end_failed(terminal, 5);
    assert_eq!(used(&ground), ["bob"]);
    assert_eq!(refused(&ground), ["bob"]);

    // What somebody has refused ends with their sign-in, and with nobody else's.
    let terminal = ground.in_terminal("login --account ada@example.test");
    ground.authority.deny(None, "ada");
    ground.end_failed(terminal, 5);
    ground
        .run(&["logout", "--account", "bob@example.test"])
        .ok();
    assert_eq!(refused(&ground), ["ada"]);
    ground.sign_in("bob");
    let terminal = ground.in_terminal("login --account ada@example.test");
    ground.authority.deny(None, "ada");
    ground.end_failed(terminal, 5);
    ground
        .run(&["logout", "--account", "ada@example.test"])
        .ok();
    assert_eq!(refused(&ground), Vec::<String>::new());
    assert_eq!(used(&ground), ["bob"]);
}

#[test]
fn a_refresh_that_failed_is_told_as_long_as_it_is_remembered() {
    let ground = Ground::signed_in(json!({}));
    ground.expire();
    ground.authority.fault(json!({
        "on": "token", "grant": "refresh_token", "fault": "status", "status": 400,
        "body": "{\"error\":\"interaction_required\"}",
        "headers": { "content-type": "application/json" },
    }));
    let none = |row: &Value| {
        let told = [
            "refresh_failed_at",
            "refreshed_again_after",
            "refresh_error",
        ];
        told.iter().all(|key| row[key].is_null())
    };
    assert!(none(&ground.status()));
    ground.fail(4, &["get"]);
    let row = ground.status();
    assert!(row["refresh_failed_at"].is_string(), "{row}");
    let until = row["refreshed_again_after"].as_str().expect("it is told");
    let error = row["refresh_error"].as_str().expect("it is told");
    assert!(error.contains("interaction_required"), "{row}");
    assert_eq!(row["refreshable"], true, "{row}");
    let table = ground.run(&["status"]).ok();
    assert!(
        table.contains(&format!("tried again after {until}")),
        "{table}"
    );
    assert!(table.contains("interaction_required"), "{table}");
    assert_eq!(ground.authority.requests().token("refresh_token"), 1);

    ground.get(&["--force-refresh"]);
    assert!(none(&ground.status()));
}
