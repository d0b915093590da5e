//! The seal whose key a command prints.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use cred_helper::error::ErrorKind;
use cred_helper::store::SessionStore;
use cred_helper::store::seal::Sealing;
use cred_helper::store::session::Session;

use crate::fake::World;
use crate::scene::{Scene, at_once, profile};
use crate::support::{Sandbox, visit};
use crate::tool::{KEYCTL, PASS, SYSTEMD_CREDS, needs};

/// What the command prints where a test does not say otherwise.
const KEY: &str = "canary-of-a-key-in-some-manager";

/// A profile, and a seal whose key that command prints.
pub(crate) fn sealed_by(command: &str, more: &str) -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        format!(
            "{}[store]\nseal = \"command\"\ncommand = {command}\n{more}\n",
            profile("api", issuer)
        )
    });
    scene.sandbox.secret(KEY);
    scene
}

/// The same with a program of ours beside the profile file, which prints a file's text and counts its
/// runs.
pub(crate) fn kept(key: &str, key_cache: &str) -> Scene {
    let scene = sealed_by("[\"bin/keeper\"]", &format!("key_cache = \"{key_cache}\""));
    keeper(&scene, "cat \"${0%/*}/../key\"");
    fs::write(scene.file("key"), key).expect("it is ours");
    scene.sandbox.secret(key);
    scene
}

/// A key that no other test has: all of them share what the operating system's memory holds.
pub(crate) fn key_of_one_s_own() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("it is past 1970").as_nanos();
    format!("canary-of-{}-{now}", std::process::id())
}

pub(crate) fn keeper(scene: &Scene, lines: &str) {
    let text = format!("echo run >>\"$HOME/runs\"\n{lines}\n");
    scene.sandbox.script("keeper", &text);
}

/// How often the command has run since the last look.
pub(crate) fn runs(scene: &Scene) -> usize {
    let path = scene.file("runs");
    let text = fs::read_to_string(&path).unwrap_or_default();
    drop(fs::remove_file(path));
    text.lines().count()
}

/// Runs a tool in the sandbox, which must work; what it prints.
fn work(sandbox: &Sandbox, line: &str) -> String {
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    let output = command.args(["-ec", line]).output().expect("sh starts");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Every file below a folder that holds one of these texts.
pub(crate) fn holding(folder: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    visit(folder, &mut |path, bytes| {
        let text = String::from_utf8_lossy(bytes);
        if texts.iter().any(|secret| text.contains(secret.as_str())) {
            found.push(path.display().to_string());
        }
    });
    found
}

/// Somebody signs in, a second process answers, a third one refreshes: all of it sealed.
fn lives_sealed(scene: &Scene) {
    scene.run(&["login", "-v"]).ok();
    let first = scene.run(&["get", "-v"]).ok();
    let answer = scene.run(&["get", "--force-refresh", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
    let second = scene.run(&["get"]).ok();
    assert_ne!(first, second);
    assert_eq!(answer["access_token"], second.trim());
    let listed = scene.run(&["store", "list", "-o", "json"]).json();
    assert_eq!(listed["sessions"][0]["seal"], "command", "{listed}");
    let secrets = scene.authority.secrets();
    assert!(secrets.len() >= 5, "tokens of two rounds: {secrets:?}");
    let held = holding(&scene.sandbox.state(), &secrets);
    assert_eq!(held, [""; 0], "it lies sealed");
}

#[test]
fn pass_holds_the_key() {
    needs!(PASS);
    let scene = sealed_by(
        "[\"pass\", \"show\", \"cred-helper\"]",
        "key_cache = \"0s\"",
    );
    work(
        &scene.sandbox,
        "gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
         --quick-generate-key ada@example future-default default never 2>gpg.log\n\
         pass init ada@example\npass generate --no-symbols cred-helper 43",
    );
    let key = work(&scene.sandbox, "pass show cred-helper");
    scene.sandbox.secret(key.trim());
    lives_sealed(&scene);
    assert_eq!(
        holding(scene.sandbox.path(), &[key.trim().to_owned()]),
        [""; 0]
    );
    // Its agent is gone, and its key with it: nothing is lost when they come back.
    work(
        &scene.sandbox,
        "gpgconf --kill gpg-agent; mv .gnupg .elsewhere",
    );
    let before = scene.session();
    let error = scene.run(&["get"]).failed(9);
    assert!(error.contains("`pass` failed"), "{error}");
    assert_eq!(scene.session(), before);
    work(&scene.sandbox, "rm -r .gnupg; mv .elsewhere .gnupg");
    scene.run(&["get"]).ok();
    work(&scene.sandbox, "gpgconf --kill gpg-agent");
}

#[test]
fn systemd_creds_holds_the_key() {
    needs!(SYSTEMD_CREDS);
    // The secret of a machine lies in the sandbox, in place of `/var/lib/systemd`.
    let scene = sealed_by(
        "[\"sh\", \"-c\", \"SYSTEMD_CREDENTIAL_SECRET=$HOME/secret exec systemd-creds decrypt \
          --name=cred-helper $HOME/key.cred -\"]",
        "key_cache = \"0s\"",
    );
    work(
        &scene.sandbox,
        "export SYSTEMD_CREDENTIAL_SECRET=$HOME/secret\n\
         head -c 32 /dev/urandom | base64 | systemd-creds encrypt --with-key=host \
         --name=cred-helper - key.cred",
    );
    lives_sealed(&scene);
    // On another machine it is worth nothing.
    fs::rename(scene.file("secret"), scene.file("secret.away")).expect("it is ours");
    let error = scene.run(&["get"]).failed(9);
    assert!(error.contains("`sh` failed"), "{error}");
}

#[test]
fn a_command_that_gives_no_key_or_another_one_is_an_error_and_nothing_is_spent_or_written() {
    let scene = kept(KEY, "0s");
    scene.run(&["login"]).ok();
    let before = scene.session();
    let tokens = scene.authority.secrets();
    let none = "error: the key of the sessions cannot be had: ";
    let short = "printed less than 16 bytes";
    let other = "`command` prints another key than `";
    let binary = "printed something that is not UTF-8";
    for (lines, reason) in [
        ("exit 3", "failed (exit status: 3)"),
        (&format!("echo {KEY}; exit 1"), "failed (exit status: 1)"),
        ("true", short),
        ("echo", short),
        ("echo 123456789012345", short),
        ("printf 123456789012345", short),
        ("echo 1234567890123456", other),
        ("cat \"$HOME/key\"; echo; echo", other),
        ("printf '\\377canary-of-a-key-in-some-manager'", binary),
        ("yes canary-of-a-key-in-some-manager", "printed more than"),
        ("kill -9 $$", "failed (signal: 9"),
    ] {
        keeper(&scene, lines);
        // What needs the key at all is the same for each.
        let others: &[&[&str]] = match lines {
            "exit 3" => &[&["login"], &["logout"], &["status", "-p", "api"]],
            _ => &[],
        };
        let calls = [&["get", "-v"][..], &["get", "--force-refresh"]];
        for arguments in calls.iter().chain(others) {
            let error = scene.run(arguments).failed(9);
            assert!(error.contains(reason), "{lines} {arguments:?}: {error}");
            assert!(error.contains("\nhint: "), "{lines}: {error}");
            assert!(reason == other || error.contains(none), "{lines}: {error}");
        }
        assert_eq!(scene.session(), before, "{lines}");
    }
    // What it says itself is its own; we write it down nowhere.
    keeper(&scene, "echo what-it-says-itself >&2; exit 1");
    let error = scene.run(&["get", "-v"]).failed(9);
    assert!(error.contains("what-it-says-itself\n"), "{error}");
    assert_eq!(error.matches("what-it-says").count(), 1, "{error}");
    let log = fs::read_to_string(scene.sandbox.log()).expect("there is a log");
    assert!(!log.contains("what-it-says-itself"), "{log}");

    // One that needs what it is to open asks once, and not for ever.
    scene.sandbox.link("cred-helper");
    runs(&scene);
    keeper(&scene, "\"${0%/*}/cred-helper\" get");
    let error = scene.run(&["get"]).failed(9);
    let nested =
        "error: the `command` of `[store]` needs a sign-in that is sealed with its own key";
    assert!(error.contains(nested), "{error}");
    assert!(error.contains("keeper` failed (exit status: 3)"), "{error}");
    assert_eq!(runs(&scene), 1);

    fs::remove_file(scene.sandbox.bin().join("keeper")).expect("it is ours");
    let error = scene.run(&["get"]).failed(9);
    assert!(error.contains("keeper` cannot be started: "), "{error}");
    assert_eq!(scene.session(), before);
    assert_eq!(scene.refreshes(), 0, "no refresh token was sent");
    let issued = scene.authority.secrets();
    assert_eq!(issued, tokens, "nobody was asked to sign in");

    // The first sign-in of a machine is as strict: nothing lies open for want of a key.
    fs::remove_dir_all(scene.sandbox.state().join("sessions")).expect("it is ours");
    keeper(&scene, "exit 1");
    scene.run(&["login"]).failed(9);
    assert_eq!(
        holding(&scene.sandbox.state(), &scene.authority.secrets()),
        [""; 0]
    );
}

#[test]
fn a_command_that_hangs_is_given_up_with_its_call() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let sealing = Sealing {
        command: ["sleep", "1000"].map(String::from).to_vec(),
        key_cache: Some(Duration::ZERO),
        ..Sealing::named("command")
    };
    let store = SessionStore::own(directory.path(), Vec::new(), sealing, None);
    let world = World::default();
    let mut context = world.context();
    context.deadline = Some(Duration::from_millis(300));
    let guard = store.lock(&context).expect("nobody has it");
    let proved = store.prove_writable(&guard, &context).map(drop);
    let saved = store.save(&mut Session::default(), None, &guard, &context);
    for result in [proved, saved] {
        let error = result.expect_err("there is no key");
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(
            error.message().contains("`sleep` gave no answer within"),
            "{error}"
        );
        assert!(
            error
                .hint_text()
                .is_some_and(|hint| hint.contains("ask nobody"))
        );
    }
    assert!(!store.path().exists());
}

#[test]
fn the_command_is_not_run_while_the_kernel_holds_the_key() {
    let key = key_of_one_s_own();
    let scene = kept(&key, "1m");
    let ran = |arguments: &[&str], count: usize| {
        scene.run(arguments).ok();
        assert_eq!(runs(&scene), count, "{arguments:?}");
    };
    ran(&["login"], 1);
    ran(&["get"], 0);
    ran(&["get", "--force-refresh"], 0);
    ran(&["status"], 0);
    ran(&["store", "lock"], 0);
    ran(&["get"], 1);
    ran(&["get"], 0);
    // Whoever says that nothing is kept is not answered from what was.
    let config = fs::read_to_string(scene.sandbox.config()).expect("it is ours");
    scene
        .sandbox
        .write_profiles(&config.replace("\"1m\"", "\"0s\""));
    ran(&["get"], 1);
    ran(&["get", "--force-refresh"], 1);
    scene.sandbox.write_profiles(&config);
    // That has dropped it.
    ran(&["get"], 1);
    // The key that is held opens what it sealed, also where the command prints another one by now.
    fs::write(scene.file("key"), key_of_one_s_own()).expect("it is ours");
    ran(&["get"], 0);
    let dropped = scene.run(&["store", "lock"]);
    assert!(
        dropped.stderr.contains("one key was dropped"),
        "{dropped:?}"
    );
    let error = scene.run(&["get"]).failed(9);
    assert!(
        error.contains("`command` prints another key than `"),
        "{error}"
    );
    assert!(
        scene
            .run(&["store", "lock"])
            .stderr
            .contains("no key was held")
    );
}

#[test]
fn the_command_is_run_once_by_a_status_of_many_profiles_whatever_comes_of_it() {
    let scene = kept(KEY, "0s");
    let config = fs::read_to_string(scene.sandbox.config()).expect("it is ours");
    let others = ["second", "third"].map(|name| {
        let own = profile(name, &scene.authority.issuer());
        own.replace("\"cli\"", &format!("\"{name}\""))
    });
    scene
        .sandbox
        .write_profiles(&format!("{config}{}", others.concat()));
    for name in ["api", "second", "third"] {
        scene.run(&["login", "-p", name]).ok();
    }
    runs(&scene);
    let status = || scene.run(&["status", "-o", "json"]).json();
    let told = |status: &Value, key: &str| {
        let rows = status["profiles"].as_array().expect("it is a list");
        let told = rows.iter().filter(|row| row[key].is_string());
        told.count()
    };
    assert_eq!(told(&status(), "error"), 0);
    assert_eq!(runs(&scene), 1);
    keeper(&scene, "exit 1");
    assert_eq!(told(&status(), "error"), 3);
    assert_eq!(runs(&scene), 1, "a hanging one is not waited for thrice");
}

#[test]
fn a_sign_in_is_not_sealed_with_what_somebody_put_in_the_key_s_place_in_the_kernel() {
    needs!(KEYCTL);
    let scene = kept(&key_of_one_s_own(), "1m");
    let config = fs::read_to_string(scene.sandbox.config()).expect("it is ours");
    let other = profile("other", &scene.authority.issuer()).replace("\"cli\"", "\"other\"");
    scene.sandbox.write_profiles(&format!("{config}{other}"));
    scene.run(&["login", "-p", "api"]).ok();
    let listed = scene.run(&["store", "list", "-o", "json"]).json();
    let id = listed["sessions"][0]["key"].as_str().expect("it has a key");
    let strange = "A".repeat(43);
    work(
        &scene.sandbox,
        &format!("keyctl add user cred-helper:{id} {strange} @u"),
    );
    scene.run(&["login", "-p", "other"]).ok();
    scene.run(&["store", "lock"]).ok();
    for name in ["api", "other"] {
        let answer = scene.run(&["get", "-p", name, "-o", "json"]).json();
        assert_eq!(answer["source"], "cache", "{name}");
    }
    scene.run(&["store", "lock"]).ok();
}

#[test]
fn a_key_is_replaced_by_naming_the_command_before_and_one_that_is_lost_by_signing_in_again() {
    let scene = kept(KEY, "0s");
    scene.run(&["login"]).ok();
    let token = scene.run(&["get"]).ok();
    let key = || {
        let listed = scene.run(&["store", "list", "-o", "json"]).json();
        listed["sessions"][0]["key"]
            .as_str()
            .expect("it is sealed")
            .to_owned()
    };
    let first = key();
    let config = fs::read_to_string(scene.sandbox.config()).expect("it is ours");
    let with_previous = format!("{config}previous_command = [\"echo\", \"{KEY}\"]\n");
    fs::write(scene.file("key"), "canary-of-the-key-that-follows").expect("it is ours");
    let error = scene.run(&["get"]).failed(9);
    assert!(
        error.contains("name the command that does as `previous_command`"),
        "{error}"
    );
    scene.sandbox.write_profiles(&with_previous);
    assert_eq!(scene.run(&["get"]).ok(), token);
    assert_eq!(key(), first, "what is read stays as it lies");
    scene.run(&["get", "--force-refresh"]).ok();
    assert_eq!(key(), first, "one key for all, until all get another");
    let done = scene.run(&["store", "rekey", "-o", "json"]).json();
    assert_eq!(done["sealed"].as_array().map(Vec::len), Some(1), "{done}");
    assert_ne!(key(), first);
    scene.sandbox.write_profiles(&config);
    scene.run(&["get"]).ok();
    let again = scene.run(&["store", "rekey", "-o", "json"]).json();
    assert_eq!(again["as_before"], 1, "{again}");

    // The key is lost. What the hint says works.
    fs::write(scene.file("key"), "canary-of-the-key-that-is-there-now").expect("it is ours");
    let way = "forget what it sealed with `cred-helper logout --local -p NAME`, run `cred-helper store rekey`";
    assert!(scene.run(&["login"]).failed(9).contains(way));
    let before = scene.session();
    // What could be revoked there, or whose it is, nobody can tell.
    for words in [&["logout"][..], &["logout", "--local", "--account", "ada"]] {
        assert!(scene.run(words).failed(9).contains(way), "{words:?}");
    }
    // A command that fails now may print the key later.
    keeper(&scene, "exit 1");
    scene.run(&["logout", "--local"]).failed(9);
    assert_eq!(scene.session(), before);
    keeper(&scene, "cat \"${0%/*}/../key\"");
    let said = scene.run(&["logout", "--local"]);
    assert!(said.stderr.contains("signed out for profile `api`"));
    said.ok();
    assert_eq!(scene.sandbox.sessions().len(), 0);
    scene.run(&["login"]).failed(9);
    scene.run(&["store", "rekey"]).ok();
    scene.run(&["login"]).ok();
    scene.run(&["get"]).ok();
}

#[test]
fn a_mistake_in_store_is_told_with_its_place_whatever_is_asked() {
    let missing = "`store.seal`: `command` is missing below `[store]`";
    for (lines, expected) in [
        ("seal = \"command\"", &[("2:8", missing)][..]),
        (
            "seal = \"comand\"",
            &[(
                "2:8",
                "`store.seal`: there is no `comand`; did you mean `command`?",
            )],
        ),
        (
            "seal = true",
            &[("2:8", "`store.seal`: it is a boolean, not a string")],
        ),
        ("seal = \"\"", &[("2:8", "`store.seal`: it is empty")]),
        (
            "seal = \"command\"\ncommand = []",
            &[("3:11", "`store.command`: it is empty")],
        ),
        (
            "seal = \"command\"\ncommand = \"pass show x\"",
            &[(
                "3:11",
                "`store.command`: it is a string, not an array of strings; put it in brackets",
            )],
        ),
        (
            "command = [\"\", \"x\"]\nprevious_command = [7]",
            &[
                ("2:12", "`store.command`: an item is empty"),
                (
                    "3:21",
                    "`store.previous_command`: an item is an integer, not a string",
                ),
            ],
        ),
        (
            "key_cache = \"x\"",
            &[("2:13", "`store.key_cache`: it is no time like \"1h\"")],
        ),
        (
            "key_cache = 7",
            &[(
                "2:13",
                "`store.key_cache`: it is an integer, not a string like \"1h\"",
            )],
        ),
        (
            "key_cache = \"-1s\"",
            &[("2:13", "`store.key_cache`: it is no time like \"1h\"")],
        ),
        (
            "comand = [\"x\"]",
            &[("2:1", "unknown key `store.comand`; did you mean `command`?")],
        ),
        (
            "key-cache = \"1h\"",
            &[(
                "2:1",
                "unknown key `store.key-cache`; did you mean `key_cache`?",
            )],
        ),
    ] {
        let profile = profile("api", "https://login.example");
        let sandbox = Sandbox::new(&format!("[store]\n{lines}\n{profile}"));
        for arguments in [&["profile", "check"][..], &["get"], &["store", "list"]] {
            let error = sandbox.run(arguments).failed(3);
            let complaints = error.lines().filter(|line| !line.starts_with("hint: "));
            assert_eq!(complaints.count(), expected.len(), "{lines}: {error}");
            for (place, problem) in expected {
                let told = format!("{}:{place}: {problem}", sandbox.config().display());
                assert!(error.contains(&told), "{told}: {error}");
            }
        }
    }
}
