//! `store list`, `migrate`, `rekey` and `lock`: what they do, and what they say of it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::oidc_ground::eventually;
use crate::scene::failing;
use crate::store_ground::Ground;
use crate::support::interrupt;

#[test]
fn sign_ins_are_migrated_both_ways_and_a_dry_run_tells_what_would_be_done() {
    let ground = Ground::new(3);
    ground.assert_all_lie("none");
    for (to, other) in [
        ("command", "none"),
        ("none", "command"),
        ("command", "none"),
    ] {
        let before = ground.files();
        let migrate = ["migrate", "--to", to];
        let told = ground.store(&[&migrate[..], &["--dry-run"]].concat());
        assert_eq!(ground.files(), before, "a look changes nothing");
        let as_told = json!({ "sealed": ground.paths(), "as_before": 0, "failed": [] });
        assert_eq!(told, as_told);
        ground.assert_all_lie(other);

        assert_eq!(ground.store(&migrate), as_told, "{to}");
        ground.assert_all_lie(to);
        ground.assert_served();
        if to == "command" {
            ground.assert_nothing_readable();
        }

        let before = ground.files();
        let as_before = json!({ "sealed": [], "as_before": ground.paths().len(), "failed": [] });
        assert_eq!(
            ground.store(&[&migrate[..], &["--dry-run"]].concat()),
            as_before
        );
        assert_eq!(ground.store(&migrate), as_before);
        assert_eq!(
            ground.files(),
            before,
            "what lies so already stays as it is"
        );

        // What is new lies so as well.
        ground.sign_in("new");
        ground.assert_all_lie(to);
        ground.run(&["logout", "-p", "new"]).ok();
    }
    let line = ["store", "migrate", "--to", "none"];
    let dry = ground.run(&[&line[..], &["--dry-run"]].concat()).ok();
    assert_eq!(dry, "3 would be sealed anew, 0 as before, 0 not possible\n");
    let said = ground.run(&line).ok();
    assert_eq!(said, "3 sealed anew, 0 as before, 0 not possible\n");
    assert_eq!(ground.scene.refreshes(), 0);
    let names = ground.scene.beside_session();
    assert!(
        !names.iter().any(|name| name.starts_with(".tmp-")),
        "{names:?}"
    );
}

#[test]
fn a_list_tells_seal_key_and_profiles_of_each_session() {
    let ground = Ground::new(2);
    ground.store(&["migrate", "--to", "command"]);
    let key = ground.assert_all_lie("command").expect("there is one");
    let list = ground.store(&["list"]);
    let rows = list["sessions"].as_array().expect("it is a list").clone();
    assert_eq!(rows.len(), 2);
    for (row, path) in rows.iter().zip(ground.paths()) {
        let of = &row["profiles"];
        assert!(of == &json!(["p0"]) || of == &json!(["p1"]), "{row}");
        let expected = json!({
            "file": path, "seal": "command", "key": key, "profiles": of, "error": null,
        });
        assert_eq!(row, &expected);
    }
    let table = ground.run(&["store", "list"]).ok();
    let head: Vec<&str> = table
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(head, ["SEAL", "KEY", "PROFILES", "FILE"]);
    assert_eq!(table.matches(&key).count(), 2, "{table}");

    // It needs no key, and says what is wrong with a file.
    fs::remove_file(ground.key_file(0)).expect("it is there");
    fs::write(&ground.paths()[0], "{").expect("it can be written");
    let ran = ground.run(&["store", "list"]);
    assert!(ran.stderr.contains("is damaged ("), "{ran:?}");
    let told = ran.stderr.matches(&ground.paths()[0]).count();
    assert_eq!(told, 1, "the file is named once: {ran:?}");
    assert!(ran.ok().contains("\n?"), "a seal that cannot be told");
    // A key's id has its length, also in what is named for one that is forgotten.
    let path = &ground.paths()[1];
    let session = fs::read(path).expect("it is there");
    let text = String::from_utf8_lossy(&session).into_owned();
    let first = text.lines().next().expect("it has a first line");
    let long = first.replace(&key, &key.repeat(3));
    let whole = [long.as_bytes(), &session[first.len()..]].concat();
    fs::write(path, whole).expect("it can be written");
    let ran = ground.run(&["store", "list"]);
    assert!(ran.stderr.contains("its key's id is none"), "{ran:?}");
    fs::write(path, session).expect("it can be written");
    // A directory that cannot be read is not an empty one.
    let wrapper = failing("getdents64:error=EIO");
    let mut unreadable = ground.scene.wrapped(&wrapper, &["store", "list"]);
    unreadable.env_remove("CRED_HELPER_LOG");
    let error = ground.scene.run_command(unreadable).failed(9);
    assert!(error.contains("sessions` cannot be read"), "{error}");
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let ground = Ground::new(1);
    let rows: [(&str, &[&str], i32, &str, &str); 9] = [
        (
            "",
            &["migrate", "--to", "keyring"],
            9,
            "there is no keyring here",
            "hint: ",
        ),
        (
            "",
            &["migrate", "--to", "keyring", "--dry-run"],
            9,
            "`keyring` cannot be used now",
            "hint: ",
        ),
        (
            "",
            &["rekey"],
            9,
            "new sign-ins are not sealed",
            "hint: run `cred-helper store migrate --to keyring`",
        ),
        (
            "seal = \"none\"",
            &["rekey"],
            9,
            "new sign-ins are not sealed",
            "hint: the configuration says `seal = \"none\"`: have it say another",
        ),
        (
            "seal = \"none\"",
            &["migrate", "--to", "command"],
            3,
            "the configuration says `seal = \"none\"`",
            "change `seal`",
        ),
        (
            "seal = \"command\"",
            &["migrate", "--to", "none", "--dry-run"],
            3,
            "the configuration says `seal = \"command\"`",
            "change `seal`",
        ),
        (
            "",
            &["migrate", "--to", "tpm"],
            2,
            "tpm",
            "`keyring`, `command`, `none`",
        ),
        ("", &["migrate"], 2, "--to", ""),
        ("", &[], 2, "", ""),
    ];
    for (store, arguments, code, message, hint) in rows {
        ground.configure(store);
        let before = ground.sessions();
        let error = ground.run(&[&["store"], arguments].concat()).failed(code);
        assert!(
            error.contains(message) && error.contains(hint),
            "{arguments:?}: {error}"
        );
        assert_eq!(ground.sessions(), before, "{arguments:?}");
        let choice = fs::read_to_string(ground.directory().join("store.json"));
        let choice = choice.unwrap_or_default();
        assert!(
            choice.is_empty() || choice.contains("\"seal\":null,"),
            "{choice}"
        );
        assert!(!choice.contains("\"retired\":[\""), "{choice}");
    }
    ground.configure("");
    ground.assert_served();
    // A key that cannot be had is found out before anything is chosen.
    fs::write(ground.key_file(0), "short\n").expect("it can be written");
    for dry in [&["--dry-run"][..], &[]] {
        let line = [&["store", "migrate", "--to", "command"], dry].concat();
        let error = ground.run(&line).failed(9);
        assert!(error.contains("which is no key"), "{error}");
    }
    ground.assert_all_lie("none");
    ground.sign_in("new");
    ground.assert_all_lie("none");
}

#[test]
fn a_session_that_cannot_be_sealed_is_told_of_and_the_others_are_sealed() {
    let ground = Ground::new(5);
    ground.configure("[lock]\ntimeout = \"300ms\"");
    let paths = ground.paths();
    let [damaged, newer, readable, busy, _] = &paths[..] else {
        panic!("there are five: {paths:?}");
    };
    let newer_text = "{\"version\":2,\"seal\":{\"name\":\"none\"},\"content\":{}}\n";
    fs::write(damaged, "{\"version\":1").expect("it can be written");
    fs::write(newer, newer_text).expect("it can be written");
    fs::set_permissions(readable, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let lock = File::options()
        .write(true)
        .open(busy.replace(".json", ".lock"))
        .expect("it was locked before");
    lock.lock().expect("it is free");

    let migrate = ["store", "migrate", "--to", "command", "-o", "json"];
    let dry = ground.run(&[&migrate[..], &["--dry-run"]].concat());
    let ran = ground.run(&migrate);
    for (ran, failures) in [(dry, 3), (ran, 4)] {
        assert_eq!(ran.code, Some(9), "{ran:?}");
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
        assert_eq!(told["sealed"].as_array().map(Vec::len), Some(5 - failures));
        let failed = told["failed"].as_array().expect("it is a list");
        let of = |path: &str| {
            let row = failed.iter().find(|row| row["file"] == path);
            row.map(|row| row["error"].to_string()).unwrap_or_default()
        };
        assert!(of(damaged).contains("is damaged"), "{failed:?}");
        assert!(of(newer).contains("is of version 2"), "{failed:?}");
        assert!(of(readable).contains("others can read"), "{failed:?}");
        if failures == 4 {
            assert!(of(busy).contains("took longer than 300ms"), "{failed:?}");
        }
        assert!(
            ran.stderr.contains("sessions could not be sealed anew"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
    }
    assert_eq!(fs::read_to_string(newer).expect("it is there"), newer_text);

    // What stood in the way is gone: the rest is done.
    drop(lock);
    fs::set_permissions(readable, fs::Permissions::from_mode(0o600)).expect("it is ours");
    for path in [damaged, newer] {
        fs::remove_file(path).expect("it is there");
    }
    let told = ground.store(&["migrate", "--to", "command"]);
    assert_eq!(told["sealed"], json!([readable, busy]));
    assert_eq!(told["as_before"], 1);
    ground.assert_all_lie("command");
    ground.assert_nothing_readable();
}

#[test]
fn a_key_that_a_command_prints_is_replaced_with_the_help_of_the_one_before() {
    let ground = Ground::new(3);
    ground.store(&["migrate", "--to", "command"]);
    let first = ground.assert_all_lie("command");
    let ran = ground.run(&["store", "rekey"]);
    assert!(
        ran.stderr.contains("prints the same key as before"),
        "{ran:?}"
    );
    assert_eq!(ran.ok(), "0 sealed anew, 3 as before, 0 not possible\n");

    let with_both = ground.turn_key();
    ground.configure("");
    // Without the key of before nothing opens, and a new sign-in is not sealed with one that nothing else
    // is sealed with.
    let before = ground.sessions();
    for arguments in [
        &["get", "-p", "p0"][..],
        &["login", "-p", "new"],
        &["store", "migrate", "--to", "none", "--dry-run"],
    ] {
        let ran = ground.run(arguments);
        assert_eq!(ran.code, Some(9), "{ran:?}");
        assert!(
            ran.stderr.contains("`command` prints another key"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("previous_command"), "{ran:?}");
    }
    assert_eq!(ground.sessions(), before);
    ground.configure(&with_both);
    ground.assert_served();
    // Until that is done, new ones are sealed as the others.
    ground.sign_in("new");
    assert_eq!(ground.assert_all_lie("command"), first);
    let told = ground.store(&["rekey"]);
    assert_eq!(
        told,
        json!({ "sealed": ground.paths(), "as_before": 0, "failed": [] })
    );
    let second = ground.assert_all_lie("command");
    assert_ne!(second, first);
    ground.configure("");
    ground.assert_served();

    // Whoever is configured otherwise says so of what they write alone.
    ground.configure("seal = \"none\"");
    ground.run(&["login", "-p", "new"]).ok();
    ground.configure("");
    ground.run(&["logout", "-p", "new"]).ok();
    ground.sign_in("new");
    assert_eq!(ground.assert_all_lie("command"), second);
}

#[test]
fn keys_in_memory_are_dropped_and_counted() {
    let ground = Ground::new(2);
    ground.configure("key_cache = \"60s\"");
    ground.store(&["migrate", "--to", "command"]);
    let lock = || ground.run(&["store", "lock"]);
    for told in ["one key was dropped\n", "no key was held\n"] {
        let ran = lock();
        assert_eq!(ran.stderr, told);
        assert_eq!(ran.ok(), "");
    }
    ground.assert_served();
    // The key is held again: the command is not asked for it.
    let key = fs::read(ground.key_file(0)).expect("it is there");
    fs::remove_file(ground.key_file(0)).expect("it is there");
    ground.assert_served();
    assert_eq!(lock().stderr, "one key was dropped\n");
    ground.run(&["get", "-p", "p0"]).failed(9);
    // Another key beside it: that of before, of a file that was set aside.
    fs::write(ground.key_file(0), key).expect("it can be written");
    let with_both = ground.turn_key();
    ground.configure(&format!("key_cache = \"60s\"\n{with_both}"));
    let session = &ground.paths()[0];
    fs::copy(session, format!("{session}.damaged-1")).expect("it can be copied");
    ground.store(&["rekey"]);
    assert_eq!(lock().stderr, "2 keys were dropped\n");
}

#[test]
fn ctrl_c_ends_it_between_two_files_and_the_next_run_does_the_rest() {
    for migrate in [true, false] {
        let ground = Ground::new(3);
        let arguments: &[&str] = match migrate {
            true => &["migrate", "--to", "command"],
            false => {
                ground.store(&["migrate", "--to", "command"]);
                let with_both = ground.turn_key();
                ground.configure(&with_both);
                &["rekey"]
            }
        };
        let before = ground.files();
        let paths = ground.paths();
        let lock = File::options()
            .write(true)
            .open(paths[1].replace(".json", ".lock"));
        let lock = lock.expect("it was locked before");
        lock.lock().expect("it is free");
        let mut command = ground.scene.sandbox.command(&["store"]);
        command.args(arguments);
        let child = command.spawn().expect("the binary starts");
        let is_sealed = |path: &String| {
            let name = path.rsplit('/').next().expect("it is a path");
            fs::read(path).expect("it is there") != before[name]
        };
        eventually("the first is sealed, and the second waited for", || {
            is_sealed(&paths[0])
        });
        interrupt(&child);
        let output = child.wait_with_output().expect("it ends");
        let ran = ground.scene.sandbox.checked(output);
        let error = ran.failed(130);
        assert!(error.contains("run it again for the rest"), "{error}");
        assert!(!is_sealed(&paths[1]) && !is_sealed(&paths[2]));
        drop(lock);
        ground.assert_served();
        let line = [&["store"], arguments, &["-o", "json"]].concat();
        let rest = ground.run(&line);
        assert_eq!(rest.stderr, "", "the key was another before all of it");
        let told = rest.json();
        assert_eq!(told["sealed"].as_array().map(Vec::len), Some(2), "{told}");
        ground.assert_all_lie("command");
        ground.assert_served();
    }
}
