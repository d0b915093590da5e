//! Sign-ins that are copied from a cache of MSAL Python with its extensions, and into one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use cred_helper::acquire::{hand_out, login};
use cred_helper::credential::{Action, Request};
use cred_helper::error::ErrorKind;
use cred_helper::store::msal::lock::acquire as msal_lock;
use cred_helper::store::session::Session;
use serde_json::{Value, json};

use crate::acquire::{Desk, device, named, tokens};
use crate::fake::World;
use crate::microsoft::TENANT;
use crate::msal_cache::Shared;
use crate::oidc_ground::eventually;
use crate::scene::{DEVICE_CODE, Scene};
use crate::support::{mode, set_mode};

/// The cache's path, as it is written on a command line.
fn file(shared: &Shared) -> String {
    shared.file().display().to_string()
}

fn device_codes(scene: &Scene) -> usize {
    scene.authority.count("/token", Some(DEVICE_CODE))
}

#[test]
fn whoever_is_signed_in_with_msal_is_taken_in_and_asked_nothing() {
    let Some(shared) = Shared::beside("") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    shared.msal(&["sign-in"]);
    let cache = fs::read(shared.file()).expect("the cache is there");
    let import = ["profile", "import", "--msal", &file];
    let done = scene.run(&import).ok();
    assert_eq!(done, "signed in ada@example.test for profile `api`\n");
    let answer = shared.get(&[]);
    assert_eq!(answer["source"], "refresh");
    assert_eq!(answer["account"], "ada@example.test");
    assert_eq!(device_codes(scene), 1);
    // Each goes its own way: theirs is as it was, and ours is not replaced by it.
    assert_eq!(fs::read(shared.file()).expect("it is there"), cache);
    let again = scene.run(&import);
    assert!(
        again.stderr.contains(
            "ada@example.test is signed in for profile `api` already; that stays as it is"
        ),
        "{}",
        again.stderr
    );
    assert_eq!(again.ok(), "profile `api` has it all\n");
    assert_eq!(shared.get(&[])["access_token"], answer["access_token"]);
    // Whoever has signed out here can be taken in once more, with a token that was not sent yet.
    scene.run(&["logout", "--local"]).ok();
    let said = scene.run(&import).failed(4);
    assert!(said.contains("was taken in before"), "{said}");
    shared.msal(&["refresh"]);
    scene.run(&import).ok();
    shared.get(&[]);
    assert_eq!(device_codes(scene), 1);
}

#[test]
fn a_client_that_no_profile_is_for_gets_one() {
    let Some(shared) = Shared::beside("# The last line, and no end") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    let config = scene.sandbox.config();
    shared.msal(&["sign-in"]);
    let before = fs::read_to_string(&config).expect("there are profiles");
    let modes = mode(&config);
    let authority = scene.authority.url(&format!("/{TENANT}"));
    let import = [
        "profile",
        "import",
        "--msal",
        &file,
        "--name",
        "mine",
        "--authority",
        &authority,
    ];
    let dry = [&import[..], &["--preset", "entra", "--dry-run"]].concat();
    let shown = scene.run(&dry).ok();
    assert!(
        shown.ends_with(
            "# would be signed in for profile `mine`, unless they are: ada@example.test\n"
        ),
        "{shown}"
    );
    assert_eq!(fs::read_to_string(&config).expect("it is there"), before);
    // Who signs in at a host of Entra's by `client_info` is told by the rows; here nothing is.
    let import = [&import[..], &["--preset", "entra"]].concat();
    let done = scene.run(&import).ok();
    assert!(
        done.ends_with("signed in ada@example.test for profile `mine`\n"),
        "{done}"
    );
    let after = fs::read_to_string(&config).expect("it is there");
    let added = after
        .strip_prefix(&before)
        .expect("nothing else is changed");
    assert!(added.starts_with("\n\n# From `"), "{added}");
    assert_eq!(mode(&config), modes);
    scene.run(&["profile", "check"]).ok();
    let shown = scene.run(&["profile", "show", "mine", "-o", "json"]).json();
    assert_eq!(shown["client_id"], "cli");
    assert_eq!(shown["scopes"], json!(["User.Read"]));
    let answer = shared.get(&["-p", "mine"]);
    assert_eq!(answer["account"], "ada@example.test");
    assert_eq!(device_codes(scene), 1);
}

#[test]
fn what_cannot_be_taken_in_is_said_and_changes_nothing() {
    let Some(shared) = Shared::beside("") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    let config = fs::read(scene.sandbox.config()).expect("there are profiles");
    let row = |client: &str, host: &str| {
        json!({ "credential_type": "RefreshToken", "secret": "rt", "home_account_id": "u.t",
            "environment": host, "client_id": client })
    };
    let azure_cli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
    let account = json!({ "home_account_id": "u.t", "environment": "login.microsoftonline.com",
        "username": "eve@example.test", "authority_type": "MSSTS" });
    let host = "login.microsoftonline.com";
    let mut cache =
        json!({ "RefreshToken": { "b": row("other", host) }, "Account": { "b": account } });
    let alone = cache.to_string();
    cache["RefreshToken"]["a"] = row(azure_cli, host);
    let two = cache.to_string();
    for (cache, further, code, words) in [
        (None, &[][..], 9, "there is no `"),
        (
            Some("[".to_owned()),
            &[],
            9,
            "cannot be used: it is no JSON",
        ),
        (Some("{}".to_owned()), &[], 4, "no such sign-in lies in"),
        (Some(two.clone()), &["--client", "no"], 4, "no such sign-in"),
        (
            Some(two.clone()),
            &["--account", "nobody@example.test"],
            4,
            "no such sign-in",
        ),
        (
            Some(alone.clone()),
            &[
                "--scope",
                "s",
                "--authority",
                "http://example.com/t",
                "--dry-run",
            ],
            3,
            "profile `msal-other` was not written",
        ),
        (
            Some(two.clone()),
            &["--name", "x"],
            2,
            "`--name` is for one client",
        ),
        (
            Some(two.clone()),
            &["--client", "other"],
            2,
            "does not tell what its tokens are for",
        ),
        (
            Some(two.clone()),
            &["--client", "other", "--scope", "s", "--name", "api"],
            3,
            "there is a profile `api` in",
        ),
        (
            Some(two.clone()),
            &[
                "--client",
                "other",
                "--scope",
                "s",
                "--authority",
                "http://example.com/t",
            ],
            3,
            "profile `msal-other` was not written",
        ),
    ] {
        if let Some(cache) = &cache {
            shared.write(cache);
        }
        let import = [&["profile", "import", "--msal", &file], further].concat();
        let said = scene.run(&import).failed(code);
        assert!(said.contains(words), "{words}: {said}");
        let left = fs::read(scene.sandbox.config()).expect("there are profiles");
        assert_eq!(left, config, "{words}");
    }
    // Whoever has no account is nobody for MSAL either.
    let nobody = alone.replace("\"Account\"", "\"account\"");
    shared.write(&nobody);
    scene.run(&["profile", "import", "--msal", &file]).failed(4);
    // Of several clients each that can be is taken in.
    shared.write(&two);
    let done = scene.run(&["profile", "import", "--msal", &file]);
    assert!(done.stderr.contains("client other: "), "{}", done.stderr);
    assert!(done.ok().contains("for profile `azure-cli`"));
    let shown = scene
        .run(&["profile", "show", "azure-cli", "-o", "json"])
        .json();
    assert_eq!(
        shown["authority"],
        "https://login.microsoftonline.com/organizations"
    );
}

#[test]
fn whoever_signed_in_here_is_silent_with_msal() {
    let Some(shared) = Shared::beside("") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    let export = ["session", "export", "--msal", &file, "-p", "api"];
    scene.run(&export).failed(4);
    assert!(!shared.file().exists());
    scene.run(&["login"]).ok();
    let asked = scene.authority.requests().len();
    let done = scene.run(&export).ok();
    assert_eq!(
        done,
        format!("the sign-in of ada@example.test for profile `api` is in `{file}` too\n")
    );
    assert_eq!(mode(&shared.file()), Some(0o600));
    shared.assert_one_of_each();
    let theirs = shared.msal(&["accounts", "silent"]);
    assert_eq!(theirs[0], json!(["ada@example.test"]));
    assert_eq!(theirs[1]["token_source"], "cache");
    assert_eq!(theirs[1]["access_token"], shared.get(&[])["access_token"]);
    assert_eq!(scene.authority.requests().len(), asked);
    // Once more: one row of each, and what others have there stays.
    let mut cache = shared.cache();
    cache["RefreshToken"]["other"] = json!({ "credential_type": "RefreshToken", "secret": "theirs",
        "home_account_id": "x.y", "environment": "127.0.0.1", "client_id": "other" });
    shared.write(cache.to_string());
    shared.get(&["--force-refresh"]);
    scene.run(&export).ok();
    let after = shared.cache();
    assert_eq!(
        after["RefreshToken"]["other"],
        cache["RefreshToken"]["other"]
    );
    assert_eq!(
        after["RefreshToken"].as_object().map(|rows| rows.len()),
        Some(2)
    );
    assert_eq!(
        shared.msal(&["refresh"])[0]["token_source"],
        "identity_provider"
    );
    assert_eq!(device_codes(scene), 1);
}

#[test]
fn a_session_that_does_not_say_who_it_is_for_msal_asks_the_authority_once() {
    let Some(shared) = Shared::beside("") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    scene.run(&["login"]).ok();
    let mut was_kept = Value::Null;
    scene.edit_session(|session| {
        let account = session["content"]["accounts"][0].as_object_mut();
        was_kept = account
            .and_then(|row| row.remove("msal"))
            .unwrap_or_default();
    });
    assert!(was_kept["home"]["id"].is_string(), "{was_kept}");
    let export = ["session", "export", "--msal", &file, "-p", "api"];
    scene.run(&export).ok();
    assert_eq!(scene.refreshes(), 1);
    scene.run(&export).ok();
    assert_eq!(scene.refreshes(), 1);
    shared.assert_one_of_each();
    assert_eq!(shared.msal(&["silent"])[0]["token_source"], "cache");
    // A cache that others can read, and one that is none, are left as they are.
    set_mode(&shared.file(), 0o644);
    let said = scene.run(&export).failed(9);
    assert!(said.contains("chmod 600"), "{said}");
    shared.write("[");
    let said = scene.run(&export).failed(9);
    assert!(said.contains("cannot be used"), "{said}");
    assert_eq!(fs::read(shared.file()).expect("it is there"), b"[");
}

#[test]
fn what_lies_in_a_cache_already_is_not_copied() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let other = shared.file().with_file_name("other.json");
    let other = other.display().to_string();
    let export = ["session", "export", "--msal", &other, "-p", "api"];
    let said = shared.scene.run(&export).failed(3);
    assert!(said.contains("lies in a cache of MSAL already"), "{said}");
}

#[test]
fn of_a_client_whose_family_is_not_known_its_own_token_is_taken_in_first() {
    let Some(shared) = Shared::beside("") else {
        return;
    };
    let scene = &shared.scene;
    shared.msal(&["sign-in"]);
    // A token of another client's family, which this client may not have.
    let mut cache = shared.cache();
    let mut other = cache["RefreshToken"]
        .as_object()
        .and_then(|rows| rows.values().next().cloned())
        .expect("there is a refresh token");
    other["client_id"] = json!("another");
    other["family_id"] = json!("1");
    other["secret"] = json!("the-family-s");
    other["last_modification_time"] = json!("9999999999");
    cache["RefreshToken"]["other"] = other;
    cache["AppMetadata"] = json!({});
    shared.write(cache.to_string());
    let file = file(&shared);
    let import = ["profile", "import", "--msal", &file, "--client", "cli"];
    scene.run(&import).ok();
    assert_eq!(shared.get(&[])["source"], "refresh");
    assert_eq!(device_codes(scene), 1);
}

#[test]
fn what_is_for_a_new_profile_is_refused_where_there_is_one_and_another_account_is_not_meant() {
    let Some(shared) = Shared::beside("account = \"eve@example.test\"\n") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    shared.msal(&["sign-in"]);
    // The profile is of somebody else: a new one is wanted.
    let import = ["profile", "import", "--msal", &file];
    let shown = scene.run(&[&import[..], &["--dry-run"]].concat()).ok();
    assert!(shown.contains("[profiles.msal-cli]"), "{shown}");
    let config = scene.sandbox.config();
    let profiles = fs::read_to_string(&config).expect("there are profiles");
    scene
        .sandbox
        .write_profiles(&profiles.replace("eve@", "ada@"));
    let said = scene
        .run(&[&import[..], &["--scope", "s"]].concat())
        .failed(2);
    assert!(
        said.contains("profile `api` is for this client already, and `--scope` is for a new one"),
        "{said}"
    );
    scene.run(&import).ok();
}

#[test]
fn of_two_imports_at_once_the_second_says_what_to_do() {
    let Some(shared) = Shared::beside("") else {
        return;
    };
    let (scene, file) = (&shared.scene, file(&shared));
    shared.msal(&["sign-in"]);
    let authority = scene.authority.url(&format!("/{TENANT}"));
    let import = [
        "profile",
        "import",
        "--msal",
        &file,
        "--name",
        "mine",
        "--authority",
        &authority,
        "--preset",
        "entra",
    ];
    let config = scene.sandbox.config();
    let lock = format!("{}.lock", config.display());
    fs::write(&lock, "").expect("the lock can be made");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| scene.run(&import));
        let log = scene.sandbox.log();
        eventually("it waits for the file", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said.contains("waiting for another program")
        });
        let before = fs::read_to_string(&config).expect("there are profiles");
        let other = before.replace("profiles.api", "profiles.mine");
        fs::write(&config, format!("{before}\n{other}")).expect("it can be written");
        fs::remove_file(&lock).expect("the lock is there");
        let said = second.join().expect("it ends").failed(3);
        assert!(said.contains("written a moment ago"), "{said}");
    });
    // Once more, and it is the one that is there.
    let again = ["profile", "import", "--msal", &file, "--name", "mine"];
    assert!(scene.run(&again).ok().contains("for profile `mine`"));
}

/// Changes the session that lies there.
fn edit(desk: &Desk, world: &World, edit: impl FnOnce(&mut Session)) {
    let context = world.context();
    let guard = desk.store.lock(&context).expect("it is free");
    let loaded = desk.store.load_locked(&guard, &context);
    let mut session = loaded.expect("it can be read");
    edit(&mut session);
    let saved = desk.store.save(&mut session, None, &guard, &context);
    saved.expect("it can be written");
}

#[test]
fn whoever_is_meant_and_has_a_refresh_token_is_handed_out_by_what_is_known_of_them() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = directory.path().join("cache.json");
    let (world, desk) = (
        World::default(),
        Desk::with("authority = \"https://id.example\""),
    );
    let any = Request::new(Action::Get);
    for (name, refresh) in [
        ("ada", Some("ada-1")),
        ("bob", Some("bob-1")),
        ("eve", None),
    ] {
        let granted = named(&tokens(name, refresh), name);
        world.answer(200, device()).answer(200, granted);
        login(&desk.call(&world, &any)).expect("the sign-in goes well");
    }
    edit(&desk, &world, |session| {
        for row in &mut session.accounts {
            // Kept by a version that did not know what MSAL wants to know.
            row.msal = None;
            row.name.clone_from(&row.subject);
        }
        let bob = session.account_mut(Some("bob")).expect("he is there");
        bob.access_tokens.retain(|row| !row.key.is_id_token);
    });
    let hand_out = |account: Option<&str>| {
        let account = account.map(String::from);
        let request = Request {
            account,
            ..any.clone()
        };
        hand_out(&desk.call(&world, &request), &file)
    };
    let homes = || {
        let cache = fs::read(&file).expect("it is there");
        let cache: Value = serde_json::from_slice(&cache).expect("it is JSON");
        let rows = cache["Account"]
            .as_object()
            .expect("there are some")
            .values();
        let homes = rows.map(|row| row["home_account_id"].as_str().map(String::from));
        let mut homes: Vec<_> = homes.map(Option::unwrap_or_default).collect();
        homes.sort();
        homes
    };
    let some = |name: &str| Some(name.to_owned());
    world.answer(200, tokens("second", None));
    assert_eq!(hand_out(Some("ada")).expect("she is there"), [some("ada")]);
    assert_eq!(homes(), ["ada"]);
    world
        .answer(200, tokens("third", None))
        .answer(200, tokens("fourth", Some("bob-2")));
    let everybody = hand_out(None).expect("they are there");
    assert_eq!(everybody, [some("bob"), some("ada")]);
    assert_eq!(homes(), ["ada", "bob"]);
    let redeemed = || {
        let sent = world.sent.borrow();
        let tokens = sent
            .iter()
            .filter_map(|sent| sent.form.get("refresh_token").cloned());
        tokens.collect::<Vec<_>>()
    };
    assert_eq!(redeemed(), ["ada-1", "ada-1", "bob-1"]);

    // MSAL's lock is waited for as long as our own.
    world.answer(200, tokens("fifth", None));
    let held = msal_lock(&file, Duration::ZERO, &world.context()).expect("it is free");
    let error = hand_out(Some("ada")).expect_err("it is held");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().ends_with("took longer than 1m"), "{error}");
    drop(held);
    // Nobody is asked to sign in for that.
    world.answer(400, json!({ "error": "invalid_grant" }));
    let error = hand_out(Some("ada")).expect_err("her token was refused");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    world.assert_all_asked();
    // Somebody of whom nothing is known has no place there.
    edit(&desk, &world, |session| {
        let bob = session.account_mut(Some("bob")).expect("he is there");
        (bob.msal, bob.subject) = (None, None);
    });
    world.answer(200, tokens("sixth", None));
    let error = hand_out(Some("bob")).expect_err("he is a name alone");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn what_is_written_to_a_shared_cache_takes_the_room_that_was_proved() {
    let (world, desk) = (World::default(), Desk::shared());
    let granted = named(&tokens("first", Some("refresh")), "ada");
    world.answer(200, device()).answer(200, granted);
    login(&desk.call(&world, &Request::new(Action::Login))).expect("the sign-in goes well");
    let context = world.context();
    let guard = desk.store.lock(&context).expect("it is free");
    let loaded = desk.store.load_locked(&guard, &context);
    let mut session = loaded.expect("it can be read");
    let proof = desk.store.prove_writable(&guard, &context);
    let inode = |name: &str| {
        let metadata = fs::metadata(desk.directory.path().join(name));
        metadata.expect("it is there").ino()
    };
    let room = inode(".cache.json.cred-helper-room");
    assert!(session.forget_access_tokens(None));
    let proof = proof.expect("there is room");
    let saved = desk.store.save(&mut session, Some(proof), &guard, &context);
    saved.expect("it can be written");
    assert_eq!(inode("cache.json"), room);
}
