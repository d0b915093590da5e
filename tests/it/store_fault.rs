//! A store that fails: nothing is spent that could not be kept, and nothing is lost that was.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once, failing, follow_hint, profile};
use crate::store_ground::hold_lock;
use crate::support::detached;

/// Every way of replacing a file.
const RENAME: &str = "rename,renameat,renameat2";

/// A mount namespace of its own, prepared by `script`; `$STATE` is the state directory.
fn mounted(script: &str) -> Vec<String> {
    let script = format!("STATE=$CRED_HELPER_STATE; set -e; {script}");
    ["unshare", "-m", "sh", "-c", &script, "sh"]
        .map(String::from)
        .to_vec()
}

/// The ways in which a store cannot be written, each a program that runs ours.
fn faults() -> Vec<(&'static str, Vec<String>)> {
    let full = "cp -a $STATE $STATE.copy; mount -t tmpfs -o size=64k,mode=700 none $STATE; \
                cp -a $STATE.copy/. $STATE; set +e; \"$@\"; code=$?; \
                cp -a $STATE/sessions $STATE.after; exit $code";
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    vec![
        ("EIO at fsync", failing("fsync:error=EIO")),
        (
            "EACCES at rename",
            failing(&format!("{RENAME}:error=EACCES")),
        ),
        (
            "a read-only directory",
            mounted("mount -o bind,ro $STATE $STATE; exec \"$@\""),
        ),
        ("a full disk", mounted(full)),
        (
            "a limit of the size of files",
            ["sh", "-c", limited, "sh"].map(String::from).to_vec(),
        ),
    ]
}

#[test]
fn a_store_that_cannot_be_written_is_noticed_before_the_refresh_token_is_spent() {
    let scene = Scene::signed_in();
    scene.age(-1);
    let before = scene.session();
    for (fault, wrapper) in faults() {
        let ran = scene.run_command(scene.wrapped(&wrapper, &["get"]));
        let error = ran.failed(9);
        assert!(error.starts_with("error: the "), "{fault}: {error}");
        assert!(error.contains("\nhint: "), "{fault}: {error}");
        assert_eq!(scene.refreshes(), 0, "{fault}");
        assert_eq!(scene.session(), before, "{fault}");
        let names = scene.beside_session();
        assert!(
            !names.iter().any(|name| name.starts_with(".tmp-")),
            "{fault}: {names:?}"
        );
    }
    // What a full disk held was looked at in its own namespace.
    let session = scene.sandbox.session();
    let name = session.file_name().expect("a session has a name");
    let after = scene.file("state.after").join(name);
    assert_eq!(fs::read(after).expect("it was copied"), before);

    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh", "the refresh token is good");
}

#[test]
fn where_the_store_cannot_be_written_an_aging_token_is_handed_out_while_it_is_valid() {
    let scene = Scene::signed_in();
    let token = scene.run(&["get"]).ok();
    scene.age(200);
    let before = scene.session();
    for (fault, wrapper) in faults() {
        let ran = scene.run_command(scene.wrapped(&wrapper, &["get", "-o", "json"]));
        assert!(
            ran.stderr
                .starts_with("warning: the token of profile `api`"),
            "{fault}: {ran:?}"
        );
        let answer = ran.json();
        assert_eq!(answer["access_token"], token.trim(), "{fault}");
        assert_eq!(answer["stale"], true, "{fault}");
        assert_eq!(scene.refreshes(), 0, "{fault}");
        assert_eq!(scene.session(), before, "{fault}");
    }
    for strict in ["--force-refresh", "--min-valid=5m"] {
        let wrapper = failing("fsync:error=EIO");
        let ran = scene.run_command(scene.wrapped(&wrapper, &["get", strict]));
        ran.failed(9);
        assert_eq!(scene.refreshes(), 0, "{strict}");
    }
}

#[test]
fn a_token_that_cannot_be_kept_is_handed_out_with_a_loud_warning() {
    // The first of each proves that the store can be written.
    thread::scope(|scope| {
        for injection in ["fsync:error=EIO:when=2+", "rename:error=EACCES:when=2+"] {
            scope.spawn(move || {
                let scene = Scene::signed_in();
                scene.age(-1);
                let before = scene.session();
                let wrapper = failing(&injection.replace("rename", RENAME));
                let ran = scene.run_command(scene.wrapped(&wrapper, &["get", "-o", "json"]));
                assert!(
                    ran.stderr.starts_with(
                        "warning: the new tokens of profile `api` could not be kept: "
                    ),
                    "{injection}: {ran:?}"
                );
                assert!(ran.stderr.contains("`cred-helper login -p api`"), "{ran:?}");
                let answer = ran.json();
                assert_eq!(answer["source"], "refresh", "{injection}");
                assert_eq!(scene.refreshes(), 1, "{injection}");
                assert_eq!(scene.session(), before, "{injection}");
                let names = scene.beside_session();
                assert!(
                    !names.iter().any(|name| name.starts_with(".tmp-")),
                    "{injection}: {names:?}"
                );
            });
        }
    });
}

#[test]
fn a_save_that_fails_once_is_done_again() {
    // Of the file, of its name, of the directory.
    thread::scope(|scope| {
        for injection in [
            "fsync:error=EIO:when=2",
            "rename:error=EACCES:when=2",
            "fsync:error=EIO:when=3",
        ] {
            scope.spawn(move || {
                let scene = Scene::signed_in();
                scene.age(-1);
                let wrapper = failing(&injection.replace("rename", RENAME));
                let ran = scene.run_command(scene.wrapped(&wrapper, &["get"]));
                assert_eq!(ran.stderr, "", "{injection}");
                let token = ran.ok();
                assert_eq!(scene.run(&["get"]).ok(), token, "{injection}: it was kept");
                let refreshed = scene.run(&["get", "--force-refresh"]).ok();
                assert_ne!(refreshed, token, "{injection}: the refresh token was kept");
            });
        }
    });
}

#[test]
fn a_sign_in_that_could_not_be_kept_is_not_asked_for() {
    let scene = Scene::new();
    let wrapper = failing("fsync:error=EIO");
    let ran = scene.run_command(scene.wrapped(&wrapper, &["login"]));
    let error = ran.failed(9);
    assert!(
        error.starts_with("error: the session cannot be written"),
        "{error}"
    );
    assert_eq!(scene.authority.requests().len(), 0, "nothing was asked");
}

#[test]
fn a_sign_in_that_cannot_be_kept_after_all_still_answers_the_call() {
    let scene = Scene::new();
    // The first two keep that somebody is asked: the file, and its name.
    let wrapper = failing("fsync:error=EIO:when=3+");
    let arguments = ["get", "--interactive", "always", "-o", "json"];
    let ran = scene.run_command(scene.wrapped(&wrapper, &arguments));
    assert!(
        ran.stderr
            .contains("warning: the sign-in could not be kept: "),
        "{ran:?}"
    );
    assert_eq!(ran.json()["source"], "device_code");
    scene.run(&["get"]).failed(4);

    let ran = scene.run_command(scene.wrapped(&wrapper, &["login"]));
    let error = ran.failed(9);
    assert!(
        error.contains("error: the session cannot be written"),
        "{error}"
    );
}

#[test]
fn what_others_could_read_or_replace_is_refused_until_the_hint_was_followed() {
    let scene = Scene::signed_in();
    let token = scene.run(&["get"]).ok();
    let directory = scene.sandbox.state().join("sessions");
    for (path, mode, problem) in [
        (scene.sandbox.session(), 0o644, "others can read"),
        (scene.sandbox.session(), 0o640, "others can read"),
        (directory.clone(), 0o777, "others can write"),
        (directory, 0o720, "others can write"),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let error = scene.run(&["get"]).failed(9);
        assert!(error.starts_with(&format!("error: {problem} `")), "{error}");
        assert_eq!(scene.run(&["get", "--force-refresh"]).failed(9), error);
        follow_hint(&error);
        assert_eq!(scene.run(&["get"]).ok(), token);
    }
    assert_eq!(scene.refreshes(), 0);
}

#[test]
fn a_session_of_a_newer_version_is_an_error_and_stays_as_it_is() {
    let scene = Scene::signed_in();
    scene.edit_session(|session| {
        session["version"] = 2.into();
        session["new"] = "form".into();
    });
    let before = scene.session();
    let asked = scene.authority.requests().len();
    for arguments in [
        &["get"][..],
        &["get", "--force-refresh"],
        &["get", "--interactive", "always"],
        &["login"],
        &["logout"],
        &["logout", "--local"],
        &["status", "-p", "api"],
    ] {
        let error = scene.run(arguments).failed(9);
        assert!(
            error.contains("is of version 2, and this program knows 1"),
            "{arguments:?}: {error}"
        );
        assert!(error.contains("\nhint: use the newer"), "{error}");
        assert_eq!(scene.session(), before, "{arguments:?}");
    }
    assert_eq!(scene.authority.requests().len(), asked, "nothing was asked");
}

#[test]
fn what_cannot_be_read_is_not_taken_for_what_is_not_there() {
    let scene = Scene::signed_in();
    let asked = scene.authority.requests().len();
    let session = scene.sandbox.session();
    let choice = session.with_file_name("store.json");
    for (path, call) in [(session, "get"), (choice, "login")] {
        let aside = path.with_extension("aside");
        // What was chosen may not be there, and may not have to.
        let is_there = fs::rename(&path, &aside).is_ok();
        symlink(&path, &path).expect("a link can be made");
        let error = scene.run(&[call]).failed(9);
        assert!(error.contains("cannot be read"), "{error}");
        assert!(path.is_symlink(), "it is untouched");
        fs::remove_file(&path).expect("it is ours");
        if is_there {
            fs::rename(&aside, &path).expect("it is ours");
        }
    }
    assert_eq!(scene.authority.requests().len(), asked, "nothing was asked");
    scene.run(&["get"]).ok();
}

#[test]
fn where_it_cannot_be_told_any_more_how_sign_ins_are_sealed_none_lies_open() {
    let scene = Scene::of(at_once(), |issuer| profile("api", issuer));
    let directory = scene.sandbox.state().join("sessions");
    fs::create_dir(&directory).expect("it can be made");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("it is ours");
    for damaged in ["", "{", "{\"version\":1,\"seal\":\"tpm\"}"] {
        fs::write(directory.join("store.json"), damaged).expect("it can be written");
        let error = scene.run(&["login"]).failed(9);
        let problem = "is damaged, and with it how new sign-ins are sealed";
        assert!(error.contains(problem), "{damaged}: {error}");
        assert!(scene.sandbox.sessions().is_empty(), "{damaged}");
    }
    assert_eq!(scene.authority.requests().len(), 0, "nothing was asked");
    let ran = scene.run(&["store", "migrate", "--to", "none"]);
    assert!(ran.stderr.contains("was set aside as"), "{ran:?}");
    ran.ok();
    scene.run(&["login"]).ok();
}

#[test]
fn a_damaged_session_is_set_aside_and_the_call_goes_on() {
    let scene = Scene::signed_in();
    let whole = scene.session();
    for (damage, bytes) in [
        ("cut", &whole[..whole.len() / 2]),
        ("garbage", &b"\0\xff not a session"[..]),
        ("empty", b""),
    ] {
        let path = scene.sandbox.session();
        fs::write(&path, bytes).expect("it is ours");
        let error = scene.run(&["get"]).failed(4);
        assert!(error.starts_with("warning: `"), "{damage}: {error}");
        assert!(error.contains("` is damaged ("), "{damage}: {error}");
        assert!(
            error.contains("error: profile `api` needs a sign-in"),
            "{damage}: {error}"
        );
        let aside = scene
            .beside_session()
            .into_iter()
            .find(|name| name.contains(".json.damaged-"))
            .unwrap_or_else(|| panic!("{damage}: nothing was set aside"));
        assert!(error.contains(&aside), "{damage}: {error}");
        let aside = path.with_file_name(aside);
        assert_eq!(
            fs::read(&aside).expect("it was set aside"),
            bytes,
            "{damage}"
        );
        assert!(!path.exists(), "{damage}");
        fs::remove_file(aside).expect("it is ours");
        fs::write(&path, &whole).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    fs::write(scene.sandbox.session(), "[").expect("it is ours");
    let answer = scene.run(&["get", "--interactive", "always", "-o", "json"]);
    assert_eq!(answer.json()["source"], "device_code");
}

#[test]
fn what_a_dead_process_left_is_removed_by_the_next_that_holds_the_lock() {
    let scene = Scene::signed_in();
    scene.age(-1);
    let wrapper = failing(&format!("{RENAME}:signal=SIGKILL:when=1"));
    scene.run_command(scene.wrapped(&wrapper, &["get"]));
    let left = |scene: &Scene| {
        let names = scene.beside_session().into_iter();
        names.filter(|name| name.starts_with(".tmp-")).count()
    };
    assert_eq!(left(&scene), 1, "it was killed at its first rename");
    assert_eq!(scene.refreshes(), 0);
    scene.run(&["status"]).ok();
    assert_eq!(left(&scene), 1, "without the lock nothing is removed");
    assert_eq!(
        scene.run(&["get", "-o", "json"]).json()["source"],
        "refresh"
    );
    assert_eq!(left(&scene), 0);
}

#[test]
fn ctrl_c_during_a_refresh_ends_serve_after_the_answer() {
    let scene = Scene::signed_in();
    // At the second one, the new tokens are on their way to the disk.
    let told = failing("fsync:signal=SIGINT:when=2");
    let request = r#"{"kind":"get","force_refresh":true}"#;
    let script = format!("printf '%s\\n%s\\n' '{request}' '{request}' | \"$@\"");
    let mut wrapper = vec!["sh", "-c", &script, "sh"];
    wrapper.extend(told.iter().map(String::as_str));
    let mut command = scene.wrapped(&wrapper, &["serve"]);
    let output = command.output().expect("sh starts");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let answers = String::from_utf8(output.stdout).expect("it is UTF-8");
    let answers: Vec<&str> = answers.lines().skip(1).collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].starts_with(r#"{"Ok":"#), "{answers:?}");
    assert_eq!(scene.refreshes(), 1);
    assert_eq!(scene.run(&["get", "-o", "json"]).json()["source"], "cache");
}

#[test]
fn whoever_waits_for_a_refresh_takes_what_it_brought_without_the_lock() {
    let scene = Scene::signed_in();
    let fresh = scene.session();
    let token = scene.run(&["get"]).ok();
    scene.age(-1);
    let lock = scene.sandbox.session().with_extension("lock");
    // Holds the lock until our program ends.
    let command = scene.wrapped(&["flock", &lock.display().to_string()], &["get"]);
    let child = detached(command).spawn().expect("setsid starts");
    eventually("it waits", || {
        let log = fs::read_to_string(scene.sandbox.log()).unwrap_or_default();
        log.contains("waiting for another process that refreshes this session")
    });
    let brought = scene.file("brought");
    fs::write(&brought, fresh).expect("it is ours");
    crate::support::private(&brought);
    fs::rename(&brought, scene.sandbox.session()).expect("it is ours");
    let output = child.wait_with_output().expect("it ends");
    let ran = scene.sandbox.checked(output);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), token.as_str()),
        "{ran:?}"
    );
    assert_eq!(scene.refreshes(), 0);
}

#[test]
fn whoever_was_signed_out_while_a_call_waited_is_given_nothing_that_was_kept() {
    let scene = Scene::signed_in();
    scene.age(200);
    let mut holds = hold_lock(&scene, "lock");
    let command = scene.sandbox.command(&["get"]);
    let child = detached(command).spawn().expect("setsid starts");
    eventually("it waits", || {
        let log = fs::read_to_string(scene.sandbox.log()).unwrap_or_default();
        log.contains("waiting for another process that refreshes this session")
    });
    // `logout` had the lock, and then the call.
    fs::remove_file(scene.sandbox.session()).expect("it is ours");
    holds.kill().expect("it is ours");
    holds.wait().expect("it is ours");
    let output = child.wait_with_output().expect("it ends");
    scene.sandbox.checked(output).failed(4);
}

#[test]
fn where_there_are_no_locks_a_refresh_goes_on_with_a_warning() {
    let scene = Scene::signed_in();
    for (injection, is_warned) in [
        ("flock:error=EOPNOTSUPP", true),
        ("flock:error=ENOSYS", true),
        // As NFS without its lock daemon.
        ("flock:error=ENOLCK", true),
        // As a system that is short of memory for a moment, or of time.
        ("flock:error=ENOLCK:when=1..3", false),
        ("flock:error=EINTR:when=1..3", false),
    ] {
        scene.age(-1);
        let wrapper = failing(injection);
        let ran = scene.run_command(scene.wrapped(&wrapper, &["get", "-o", "json"]));
        for told in ["cannot be locked", "could lose the sign-in"] {
            assert_eq!(ran.stderr.contains(told), is_warned, "{injection}: {ran:?}");
        }
        assert_eq!(ran.json()["source"], "refresh", "{injection}");
        assert_eq!(scene.run(&["get", "-o", "json"]).json()["source"], "cache");
    }
}

#[test]
fn a_lock_that_fails_where_there_are_locks_is_an_error_and_nothing_is_spent() {
    let scene = Scene::signed_in();
    scene.age(-1);
    let session = scene.session();
    for injection in ["flock:error=EIO", "flock:error=EBADF"] {
        let wrapper = failing(injection);
        let ran = scene.run_command(scene.wrapped(&wrapper, &["get"]));
        let error = ran.failed(9);
        assert!(error.contains("cannot be locked"), "{error}");
        assert!(error.contains("\nhint: "), "{error}");
    }
    assert_eq!(scene.refreshes(), 0);
    assert_eq!(scene.session(), session);
    scene.run(&["get"]).ok();
}

#[test]
fn what_is_kept_is_its_owner_s_alone_whatever_the_umask_lets_others_do() {
    let scene = Scene::new();
    // What is made for a test is made beforehand.
    fs::remove_dir_all(scene.sandbox.state()).expect("it is ours");
    let wrapper = ["sh", "-c", "umask 000; exec \"$0\" \"$@\""];
    scene.run_command(scene.wrapped(&wrapper, &["login"])).ok();
    let mode = |path: &std::path::Path| {
        let metadata = fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    let directory = scene.sandbox.session();
    let directory = directory.parent().expect("it lies in a directory");
    assert_eq!(mode(directory), 0o700);
    let names = scene.beside_session();
    assert!(names.len() > 1, "a session and a lock: {names:?}");
    for name in names {
        assert_eq!(mode(&directory.join(&name)), 0o600, "{name}");
    }
}
