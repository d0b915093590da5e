//! Sign-ins that are sealed with a key of the operating system's keyring: the Secret Service of GNOME
//! and the kernel's keyring, as they are, and in trouble.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::authority::{ClientAuthentication, ClientRow, Settings};
use crate::oidc_ground::eventually;
use crate::scene::{at_once, follow_hint, profile};
use crate::secret_service::{Bus, Ground, lacks_tools};

/// Whether a `get` with these arguments connects to the session bus.
fn asks_keyring(ground: &Ground, arguments: &[&str]) -> bool {
    let trace = ground.scene.file("connections");
    let output = trace.display().to_string();
    let wrapper = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", &output];
    let arguments = [&["get"], arguments].concat();
    ground
        .run_command(ground.scene.wrapped(&wrapper, &arguments))
        .ok();
    let text = fs::read_to_string(trace).expect("strace wrote its file");
    let socket = ground.bus.address().replace("unix:path=", "");
    text.contains(&socket)
}

/// The keys that sessions name, in the order of the files.
fn keys(ground: &Ground) -> Vec<String> {
    let list = ground.run(&["store", "list", "-o", "json"]).json();
    let sessions = list["sessions"].as_array().expect("it is a list");
    let key = |row: &Value| row["key"].as_str().map(str::to_owned);
    sessions.iter().filter_map(key).collect()
}

#[test]
fn a_first_sign_in_is_sealed_by_the_keyring_which_later_calls_need_not_ask() {
    if lacks_tools() {
        return;
    }
    let ground = Ground::with_keyring("");
    let said = ground.run(&["login"]);
    assert!(!said.stderr.contains("unencrypted"), "{said:?}");
    said.ok();
    assert_eq!(ground.seal(), "keyring");
    let token = ground.run(&["get"]).ok();
    assert!(ground.assert_nothing_readable() >= 3);

    let status = ground.run(&["status", "-o", "json"]).json();
    assert_eq!(status["profiles"][0]["seal"], "keyring");
    assert_eq!(status["profiles"][0]["unsealed_because"], Value::Null);
    assert!(ground.run(&["status"]).ok().contains("keyring"));
    let keys_of_files = keys(&ground);
    let [key] = &keys_of_files[..] else {
        panic!("there is one session: {keys_of_files:?}");
    };
    let listed = ground.run(&["store", "list"]).ok();
    let row = listed.lines().nth(1).expect("there is a session");
    assert!(
        row.starts_with(&format!("keyring  {key}  api ")),
        "{listed}"
    );

    assert!(!asks_keyring(&ground, &[]), "the kernel holds the key");
    assert!(!asks_keyring(&ground, &["--force-refresh"]));
    ground.run(&["store", "lock"]).ok();
    assert!(asks_keyring(&ground, &[]));
    assert!(!asks_keyring(&ground, &[]), "it holds it again");
    ground.run(&["store", "lock"]).ok();
    let mut by_directory = ground.scene.sandbox.command(&["get"]);
    by_directory.env("XDG_RUNTIME_DIR", ground.bus.runtime_directory());
    ground.scene.run_command(by_directory).ok();
    assert_ne!(ground.run(&["get"]).ok(), token);

    ground.run(&["store", "lock"]).ok();
    ground.configure("key_cache = \"1s\"");
    assert!(asks_keyring(&ground, &[]));
    eventually("the kernel's key is over", || {
        let described = format!("cred-helper:{key}");
        let mut search = ground.bus.command("keyctl");
        let output = search.args(["search", "@u", "user", &described]).output();
        !output.expect("keyctl starts").status.success()
    });
    assert!(asks_keyring(&ground, &[]));
    ground.configure("key_cache = \"0s\"");
    assert!(asks_keyring(&ground, &[]));

    // What a person finds who looks into the keyring.
    let found = ground.bus.found();
    for line in [
        "label = cred-helper: key of its sessions",
        "attribute.application = cred-helper",
        &format!("attribute.key = {key}"),
    ] {
        assert_eq!(found.matches(line).count(), 1, "{found}");
    }
    ground.run(&["store", "rekey"]).ok();
    let found = ground.bus.found();
    assert_eq!(found.matches("label = ").count(), 1, "{found}");
    assert!(!found.contains(key), "{found}");
    assert_eq!(ground.run(&["get", "-o", "json"]).json()["source"], "cache");
}

#[test]
fn a_keyring_that_goes_while_tokens_are_on_their_way_has_none_of_them_lost() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::with_keyring("key_cache = \"0s\"");
    for arguments in [&["login"][..], &["get", "--force-refresh"]] {
        ground.scene.authority.hold();
        let (scene, bus) = (&ground.scene, &mut ground.bus);
        let mut command = scene.sandbox.command(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus.address());
        let ran = thread::scope(|scope| {
            let running = scope.spawn(|| scene.run_command(command));
            scene.authority.wait_until(|state| state.held == 1);
            bus.end_service();
            scene.authority.release();
            running.join().expect("it ends")
        });
        assert!(!ran.stderr.contains("warning: "), "{ran:?}");
        ran.ok();
        ground.assert_nothing_readable();
        ground.run(&["get"]).failed(9);
        ground.bus.open_keyring();
        let answer = ground.run(&["get", "-o", "json"]).json();
        assert_eq!(answer["source"], "cache", "{arguments:?}");
    }
    assert_eq!(ground.scene.refreshes(), 1);
}

#[test]
fn where_the_keyring_is_gone_for_good_what_the_error_says_makes_a_new_key() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::sealed();
    ground.bus.replace_keyring();
    let way = "forget what it sealed with `cred-helper logout --local -p NAME`, and sign in again";
    for words in [&["get"][..], &["logout"]] {
        assert!(ground.run(words).failed(9).contains(way), "{words:?}");
    }
    ground.run(&["logout", "--local", "-p", "api"]).ok();
    assert_eq!(ground.scene.sandbox.sessions().len(), 0);
    let said = ground.run(&["login"]);
    assert!(said.stderr.contains("another is made"), "{said:?}");
    said.ok();
    assert_eq!(ground.run(&["get", "-o", "json"]).json()["source"], "cache");
    let found = ground.bus.found();
    assert_eq!(found.matches("label = ").count(), 1, "{found}");
}

/// What begins a trouble.
type Begin = fn(&mut Bus);

#[test]
fn a_keyring_in_trouble_is_told_of_and_costs_no_sign_in() {
    if lacks_tools() {
        return;
    }
    let troubles: [(&str, Begin); 6] = [
        ("the keyring is locked", Bus::open_locked_keyring),
        ("there is no keyring here", Bus::end_service),
        ("there is no keyring here", |bus| drop(bus.end(false))),
        ("is not in the keyring any more", Bus::replace_keyring),
        ("the keyring does not answer", |bus| bus.signal("-STOP")),
        ("the keyring refuses", |bus| drop(bus.script("refusing"))),
    ];
    thread::scope(|scope| {
        for (message, begin) in troubles {
            scope.spawn(move || {
                let mut ground = Ground::sealed();
                let (session, names) = (ground.scene.session(), ground.scene.beside_session());
                begin(&mut ground.bus);
                for arguments in [&["get", "--force-refresh"][..], &["get"]] {
                    let started = Instant::now();
                    let error = ground.run(arguments).failed(9);
                    assert!(error.starts_with("error: "), "{error}");
                    assert!(error.contains(message), "{message}: {error}");
                    assert!(error.contains("\nhint: "), "{error}");
                    assert!(!error.contains('\x1b'), "{error}");
                    let took = started.elapsed();
                    assert!(took < Duration::from_secs(20), "{message}: {took:?}");
                }
                // What may come back is not forgotten; a key that is not in an open keyring is gone.
                let last = match message {
                    "is not in the keyring any more" => &["status", "-p", "api"][..],
                    _ => &["logout", "--local"],
                };
                let error = ground.run(last).failed(9);
                assert!(error.contains(message), "{message}: {error}");
                assert_eq!(ground.scene.refreshes(), 0, "{message}");
                assert_eq!(ground.scene.session(), session, "{message}");
                assert_eq!(ground.scene.beside_session(), names, "{message}");
                ground.assert_nothing_readable();

                drop(ground.bus.end(false));
                ground.bus.restart();
                ground.bus.restore_keyring();
                let answer = ground.run(&["get", "-o", "json"]).json();
                assert_eq!(answer["source"], "cache", "{message}");
                let answer = ground.run(&["get", "--force-refresh", "-o", "json"]).json();
                assert_eq!(answer["source"], "refresh", "{message}");
                assert_eq!(
                    ground.scene.authority.count("/device_authorization", None),
                    1
                );
            });
        }
    });
}

#[test]
fn a_bus_that_never_says_a_word_is_given_up() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::sealed();
    let session = ground.scene.session();
    let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
    let issuer = ground.scene.authority.issuer();
    let others = ["b", "c"].map(|name| profile(name, &issuer));
    ground
        .scene
        .sandbox
        .write_profiles(&format!("{profiles}{}", others.concat()));
    let deaf = ground.bus.end(true);
    let started = Instant::now();
    let status = ground.run(&["status"]);
    let told = status.stdout.matches("the keyring does not answer").count();
    assert_eq!(told, 3, "{status:?}");
    status.ok();
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "it is waited for once: {took:?}"
    );
    assert_eq!(ground.scene.session(), session);
    drop(deaf);
}

#[test]
fn no_refresh_token_is_sent_when_the_key_is_not_to_be_had_that_its_successor_would_be_sealed_with()
{
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::with_keyring("seal = \"none\"");
    ground.run(&["login"]).ok();
    let sealed = "seal = \"keyring\"\nkey_cache = \"0s\"";
    ground.configure(sealed);
    ground.scene.age(-1);
    let session = ground.scene.session();
    let troubles: [Begin; 2] = [Bus::end_service, Bus::open_locked_keyring];
    for begin in troubles {
        begin(&mut ground.bus);
        let error = ground.run(&["get"]).failed(9);
        assert!(error.contains("\nhint: "), "{error}");
        assert_eq!(ground.scene.refreshes(), 0);
        assert_eq!(ground.scene.session(), session);
    }
    // What is valid needs no key.
    ground.scene.age(3000);
    assert_eq!(ground.run(&["get", "-o", "json"]).json()["source"], "cache");
    ground.scene.age(-1);
    ground.bus.open_keyring();
    let answer = ground.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
    assert_eq!(ground.seal(), "keyring");
    ground.assert_nothing_readable();
}

#[test]
fn where_there_is_no_keyring_each_sign_in_says_once_that_it_lies_unencrypted_and_why() {
    if lacks_tools() {
        return;
    }
    for (is_gone, reason) in [
        (false, "no Secret Service is on the session bus"),
        (true, "the session bus is not there"),
    ] {
        let mut ground = Ground::new("");
        if is_gone {
            ground.bus.end(false);
        }
        let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
        let other =
            profile("other", &ground.scene.authority.issuer()).replace("\"cli\"", "\"other\"");
        ground
            .scene
            .sandbox
            .write_profiles(&format!("{profiles}{other}"));
        let said = ground.run(&["login", "-p", "api"]);
        let told =
            format!("It is kept unencrypted, in a file that only you can read, since {reason}");
        assert!(said.stderr.contains(&told), "{said:?}");
        said.ok();
        for (name, is_told) in [("api", false), ("other", true)] {
            let said = ground.run(&["login", "-p", name]);
            assert_eq!(said.stderr.contains(&told), is_told, "{said:?}");
            said.ok();
        }
        let status = ground.run(&["status", "-o", "json"]).json();
        let told = ground.run(&["status"]).stderr;
        let line = format!("sign-ins are kept unencrypted, since {reason}");
        assert_eq!(told.matches(&line).count(), 1, "{told}");
        for profile in status["profiles"].as_array().expect("it is a list") {
            assert_eq!(profile["seal"], "none");
            let because = profile["unsealed_because"].as_str().expect("it is told");
            assert!(because.starts_with(reason), "{because}");
        }
    }
}

#[test]
fn nobody_is_asked_for_a_sign_in_that_the_keyring_could_not_seal() {
    if lacks_tools() {
        return;
    }
    for (store, begin, message) in [
        (
            "seal = \"keyring\"",
            (|_| ()) as Begin,
            "there is no keyring here",
        ),
        (
            "seal = \"keyring\"",
            Bus::open_locked_keyring,
            "the keyring is locked",
        ),
        (
            "",
            |bus| drop(bus.script("refusing")),
            "the keyring refuses",
        ),
    ] {
        let mut ground = Ground::new(store);
        if message == "the keyring is locked" {
            // Without a collection there would be none for new secrets.
            ground.bus.open_keyring();
        }
        begin(&mut ground.bus);
        for arguments in [&["login"][..], &["get", "--interactive", "always"]] {
            let error = ground.run(arguments).failed(9);
            assert!(error.contains(message), "{error}");
            assert!(
                error.contains("seal = \"none\""),
                "the way out is told: {error}"
            );
        }
        assert_eq!(
            ground.scene.authority.count("/device_authorization", None),
            0
        );
        assert_eq!(ground.scene.sandbox.sessions().len(), 0);
    }
}

#[test]
fn many_first_sign_ins_at_once_make_one_key() {
    if lacks_tools() {
        return;
    }
    let ground = Ground::with_keyring("");
    let issuer = ground.scene.authority.issuer();
    let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let profiles: Vec<String> = names
        .iter()
        .map(|name| profile(name, &issuer).replace("\"cli\"", &format!("\"{name}\"")))
        .collect();
    ground.scene.sandbox.write_profiles(&profiles.concat());
    let get = |name| ground.run(&["get", "--interactive", "always", "-p", name]);
    let answers: Vec<(&String, String)> = thread::scope(|scope| {
        let both = names.iter().chain(&names);
        let running: Vec<_> = both
            .map(|name| (name, scope.spawn(move || get(name).ok())))
            .collect();
        running
            .into_iter()
            .map(|(name, process)| (name, process.join().expect("it was answered")))
            .collect()
    });
    assert_eq!(
        ground.scene.authority.count("/device_authorization", None),
        8
    );
    for (name, answer) in &answers {
        assert_eq!(ground.run(&["get", "-p", name]).ok(), *answer);
    }
    let keys = keys(&ground);
    assert_eq!(keys.len(), 8);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let found = ground.bus.found();
    assert_eq!(found.matches("label = ").count(), 1, "{found}");
    ground.assert_nothing_readable();
}

#[test]
fn what_was_changed_by_others_is_never_opened_nor_overwritten() {
    if lacks_tools() {
        return;
    }
    let ground = Ground::sealed();
    let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
    let other = profile("other", &ground.scene.authority.issuer()).replace("\"cli\"", "\"other\"");
    let own = ground.scene.sandbox.session();
    let session = ground.scene.session();
    let refused = |what: &str| {
        let lying = fs::read(&own).expect("it is there");
        let error = ground.run(&["get", "-p", "api"]).failed(9);
        assert!(error.contains(what), "{error}");
        assert!(error.contains("\nhint: "), "{error}");
        assert_eq!(fs::read(&own).expect("it is there"), lying);
        fs::write(&own, &session).expect("it can be written");
    };

    ground
        .scene
        .sandbox
        .write_profiles(&format!("{profiles}{other}"));
    ground.run(&["login", "-p", "other"]).ok();
    let both = ground.scene.sandbox.sessions();
    let others = both
        .iter()
        .find(|path| **path != own)
        .expect("there are two");
    fs::copy(others, &own).expect("it can be copied");
    refused("it was changed, or is the file of another session");
    let nonce = b"\"nonce\":\"";
    let mut places = session.windows(nonce.len());
    let nonce = places
        .position(|place| place == nonce)
        .expect("it is there")
        + nonce.len();
    for place in [nonce, session.len() - 1] {
        let mut bytes = session.clone();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        fs::write(&own, bytes).expect("it can be written");
        refused("it was changed, or is the file of another session");
    }
    // It opens for nobody: whoever does not want it any more can say so.
    fs::copy(others, &own).expect("it can be copied");
    ground.run(&["logout", "-p", "api"]).failed(9);
    ground.run(&["logout", "--local", "-p", "api"]).ok();
    assert!(!own.exists());
    // A copy is as private.
    fs::copy(others, &own).expect("it can be copied");
    fs::write(&own, &session).expect("it can be written");
    // The seal is bound to the content, too.
    let other = String::from_utf8_lossy(&session);
    fs::write(&own, other.replace("\"keyring\"", "\"tpm\"")).expect("it can be written");
    refused("is sealed by `tpm`, which this program does not know");

    // Another key under the right name.
    let keys = keys(&ground);
    let attributes = ["application", "cred-helper", "key", &keys[0]];
    let key = ground.secret_tool(&["lookup"], attributes, "");
    ground.secret_tool(&["clear"], attributes, "");
    for wrong in ["no key at all", &"A".repeat(43)] {
        ground.secret_tool(&["store", "--label=x"], attributes, wrong);
        refused("the keyring holds something else in the place of the key");
    }
    ground.secret_tool(&["store", "--label=x"], attributes, &key);
    assert_eq!(
        ground.run(&["get", "-p", "api", "-o", "json"]).json()["source"],
        "cache"
    );

    // Half of a file can be of a write that failed: it is kept, and out of the way.
    fs::write(&own, &session[..session.len() / 2]).expect("it can be written");
    let ran = ground.run(&["get", "-p", "api"]);
    assert!(ran.stderr.contains("is damaged"), "{ran:?}");
    assert!(ran.stderr.contains("was set aside as"), "{ran:?}");
    ran.failed(4);
    let names = ground.scene.beside_session();
    let aside = names.iter().find(|name| name.contains(".json.damaged-"));
    let aside = own.with_file_name(aside.expect("it was set aside"));
    assert_eq!(
        fs::read(aside).expect("it is there"),
        &session[..session.len() / 2]
    );
}

#[test]
fn a_choice_that_is_damaged_or_that_others_could_have_made_has_no_sign_in_lie_open() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::sealed();
    let choice = ground.scene.sandbox.state().join("sessions/store.json");
    let written = fs::read_to_string(&choice).expect("it is there");
    let is_chosen = |text: &str| fs::write(&choice, text).expect("it can be written");

    is_chosen(&written.replace("\"version\":1", "\"version\":2"));
    let error = ground.run(&["get", "--force-refresh"]).failed(9);
    assert!(error.contains("store.json` is of version 2"), "{error}");
    is_chosen(&written);
    fs::set_permissions(&choice, fs::Permissions::from_mode(0o666)).expect("it is ours");
    let error = ground.run(&["get", "--force-refresh"]).failed(9);
    assert_eq!(ground.scene.refreshes(), 0);
    follow_hint(&error);
    ground.run(&["get", "--force-refresh"]).ok();

    for damaged in [
        "",
        "{",
        "\0",
        "{\"version\":1,\"seal\":\"tpm\",\"key\":null}",
    ] {
        is_chosen(damaged);
        ground.run(&["get", "--force-refresh"]).ok();
        assert_eq!(ground.seal(), "keyring");
    }
    is_chosen("{");
    let before = keys(&ground);
    ground.run(&["store", "rekey"]).ok();
    assert_ne!(keys(&ground), before);
    let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
    let issuer = ground.scene.authority.issuer();
    let other = profile("other", &issuer).replace("\"cli\"", "\"other\"");
    ground
        .scene
        .sandbox
        .write_profiles(&format!("{profiles}{other}"));
    ground.bus.end_service();
    for damaged in ["{", &written] {
        is_chosen(damaged);
        let error = ground.run(&["login", "-p", "other"]).failed(9);
        assert!(error.contains("there is no keyring here"), "{error}");
        assert_eq!(ground.scene.sandbox.sessions().len(), 1);
    }
}

#[test]
fn nobody_is_prompted_where_nobody_may_be_asked() {
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::sealed();
    let Some(log) = ground.bus.script("locked") else {
        return;
    };
    let prompts = || {
        let called = fs::read_to_string(&log).unwrap_or_default();
        called.lines().filter(|line| *line == "Prompt").count()
    };
    let error = ground.run(&["get", "--interactive", "never"]).failed(9);
    assert!(error.contains("the keyring is locked"), "{error}");
    let mut of_ci = ground.scene.sandbox.command(&["get"]);
    of_ci.env("CI", "true");
    ground.run_command(of_ci).failed(9);
    assert_eq!(prompts(), 0);
    let started = Instant::now();
    ground.run(&["get"]).failed(9);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(prompts(), 1);
}

#[test]
fn whoever_calls_while_the_key_is_replaced_or_the_keyring_restarted_loses_nothing() {
    /// How many call at once?
    const CALLERS: usize = 8;
    if lacks_tools() {
        return;
    }
    let mut ground = Ground::sealed();
    let token = ground.run(&["get"]).ok();
    let (scene, bus) = (&ground.scene, &mut ground.bus);
    let address = bus.address();
    let during = |work: &mut dyn FnMut()| {
        let is_over = AtomicBool::new(false);
        let call = || {
            let mut codes = Vec::new();
            while codes.is_empty() || !is_over.load(Ordering::Relaxed) {
                let mut command = scene.sandbox.command(&["get"]);
                command.env("DBUS_SESSION_BUS_ADDRESS", &address);
                let ran = scene.sandbox.run_command(command);
                codes.push(ran.code);
                match ran.code {
                    Some(0) => assert_eq!(ran.stdout, token),
                    _ => assert!(ran.failed(9).contains("\nhint: ")),
                }
            }
            codes
        };
        thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
            work();
            is_over.store(true, Ordering::Relaxed);
            let callers = callers.into_iter();
            let codes = callers.flat_map(|caller| caller.join().expect("each was answered"));
            codes.collect::<Vec<_>>()
        })
    };
    let codes = during(&mut || {
        for _ in 0..5 {
            let mut rekey = scene.sandbox.command(&["store", "rekey"]);
            rekey.env("DBUS_SESSION_BUS_ADDRESS", &address);
            scene.run_command(rekey).ok();
        }
    });
    assert!(codes.iter().all(|code| *code == Some(0)), "{codes:?}");
    assert_eq!(bus.found().matches("label = ").count(), 1);
    let session = scene.session();
    let codes = during(&mut || bus.open_keyring());
    assert!(codes.contains(&Some(9)), "nobody called meanwhile");
    assert_eq!(ground.scene.session(), session);
    assert_eq!(ground.run(&["get"]).ok(), token);
}

#[test]
fn a_profile_takes_its_secret_out_of_the_keyring() {
    if lacks_tools() {
        return;
    }
    let settings = Settings {
        clients: vec![ClientRow {
            id: "cli".to_owned(),
            secret: Some("of-the-client".to_owned()),
            method: ClientAuthentication::ClientSecretBasic,
        }],
        ..at_once()
    };
    let mut ground = Ground::of(settings, "key_cache = \"0s\"");
    ground.bus.open_keyring();
    ground.scene.sandbox.secret("of-the-client");
    let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
    let secret = "client_secret = { keyring = \"cli\" }\n";
    ground
        .scene
        .sandbox
        .write_profiles(&format!("{profiles}{secret}"));
    let error = ground.run(&["login"]).failed(3);
    assert!(
        error.contains("the keyring holds no `secret/cli`"),
        "{error}"
    );
    let attributes = ["application", "cred-helper", "key", "secret/cli"];
    ground.secret_tool(&["store", "--label=cli"], attributes, "of-the-client");
    ground.run(&["login"]).ok();
    assert_eq!(ground.seal(), "keyring");
    ground.run(&["get", "--force-refresh"]).ok();
    assert_eq!(ground.scene.refreshes(), 1);
    // The profile is right, and the keyring is not: that is told as of a key.
    ground.configure("seal = \"none\"");
    let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
    ground
        .scene
        .sandbox
        .write_profiles(&format!("{profiles}{secret}"));
    ground.run(&["store", "migrate", "--to", "none"]).ok();
    ground.bus.open_locked_keyring();
    let mut unattended = ground.scene.sandbox.command(&["get", "--force-refresh"]);
    unattended.env("CI", "true");
    let error = ground.run_command(unattended).failed(9);
    let told = "error: the secret `client_secret` cannot be had: the keyring is locked\n\
                hint: unlock it, as by logging in at the desktop, and try again; ";
    assert!(error.starts_with(told), "{error}");
    assert_eq!(ground.scene.refreshes(), 1);
}
