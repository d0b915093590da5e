//! `doctor` where sessions are sealed with a key of the operating system's keyring: as it is, and in trouble.

use std::fs;

use crate::doctor_ground::{complaints, doctor};
use crate::secret_service::{Ground, lacks_tools};

/// What is wrong: status, id and message of each.
fn told(ground: &Ground) -> Vec<[String; 3]> {
    let command = doctor(&ground.scene, &[], &["--offline", "-o", "json"]);
    let found = complaints(&ground.run_command(command));
    let found = found.into_iter();
    found
        .map(|[status, id, message, _]| [status, id, message])
        .collect()
}

/// These ids with these statuses, and a part of the first one's message.
fn assert_told(ground: &Ground, trouble: &str, message: &str, said: &[[&str; 2]]) {
    let found = told(ground);
    let brief: Vec<[&str; 2]> = found
        .iter()
        .map(|[status, id, _]| [status.as_str(), id.as_str()])
        .collect();
    assert_eq!(brief, said, "{trouble}: {found:#?}");
    assert!(found[0][2].contains(message), "{trouble}: {found:#?}");
}

#[test]
fn a_keyring_in_trouble_is_named_and_nobody_is_asked_to_unlock_it() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::sealed();
    assert_eq!(told(&ground), Vec::<[String; 3]>::new());
    let session = ground.scene.session();
    let failed = [
        ["error", "seal.key"],
        ["error", "seal.file"],
        ["warning", "session.api"],
    ];
    let locked = [
        ["warning", "seal.key"],
        ["warning", "seal.file"],
        ["warning", "session.api"],
    ];

    ground.bus.open_locked_keyring();
    assert_told(&ground, "locked", "the keyring is locked", &locked);
    if let Some(called) = ground.bus.script("locked") {
        assert_told(&ground, "locked", "the keyring is locked", &locked);
        let called = fs::read_to_string(called).expect("it was asked");
        assert!(
            !called.contains("Unlock") && !called.contains("Prompt"),
            "{called}"
        );
        ground.bus.script("refusing").expect("it started before");
        assert_told(
            &ground,
            "refusing",
            "the keyring refuses: not [31mtoday",
            &failed,
        );
    }
    ground.bus.end_service();
    assert_told(&ground, "absent", "there is no keyring here", &failed);
    ground.bus.open_keyring();
    ground.bus.replace_keyring();
    assert_told(
        &ground,
        "replaced",
        "is not in the keyring any more",
        &failed,
    );
    ground.bus.restore_keyring();
    assert_eq!(told(&ground), Vec::<[String; 3]>::new());
    assert_eq!(ground.scene.session(), session, "no session was touched");
}

#[test]
fn a_session_that_lies_open_beside_a_keyring_is_told_and_no_key_is_left_behind() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::new("");
    assert_told(
        &ground,
        "none",
        "no Secret Service is on the session bus",
        &[["warning", "seal.choice"], ["warning", "session.api"]],
    );
    ground.run(&["login", "-p", "api"]).ok();
    assert_eq!(ground.seal(), "none");
    ground.bus.open_keyring();
    // One that was killed left its own.
    let attributes = ["application", "cred-helper", "key", "examination"];
    ground.secret_tool(&["store", "--label=cred-helper"], attributes, "x");
    assert_told(
        &ground,
        "plain",
        "1 session is not sealed",
        &[["warning", "seal.plain"]],
    );
    let found = ground.bus.found();
    assert!(
        !found.contains("cred-helper"),
        "the key is forgotten: {found}"
    );
    ground.run(&["store", "migrate", "--to", "keyring"]).ok();
    assert_eq!(told(&ground), Vec::<[String; 3]>::new());
}
