//! `doctor`: each fault that is planted is named, alone, with what to do; and nothing is said where all is
//! well.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::authority::{Endpoint, Fault};
use crate::doctor_ground::{OPEN, SEALED, Said, assert_says, complaints, doctor, signed_in, well};
use crate::scene::{Scene, access_tokens, at_once, now, profile};
use crate::seal_command::{kept, key_of_one_s_own};
use crate::store_ground::hold_lock;

/// A fault, how it is planted, and what is said of it.
type Planted = (&'static str, fn(&Scene), Vec<Said>);

/// Adds to the profile file.
fn add(scene: &Scene, text: &str) {
    let before = fs::read_to_string(scene.sandbox.config()).expect("it is there");
    scene.sandbox.write_profiles(&format!("{before}{text}"));
}

fn mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is the test's");
}

#[test]
fn where_all_is_well_nothing_is_complained_of() {
    for store in [OPEN, SEALED] {
        let scene = signed_in(store);
        assert_says(&scene, store, &[], &[], &[]);
        assert_says(&scene, store, &[], &["-p", "api"], &[]);
        let text = scene.run_command(doctor(&scene, &[], &[])).ok();
        for shown in [
            "ok       configuration.file: `",
            "ok       configuration.profiles: 1 can be used: api; `api` where none is named\n",
            "ok       store.write: ",
            "ok       store.file: 1 session file is whole\n",
            "ok       store.lock: every lock is free\n",
            "ok       session.api: ada@example.test is signed in, access until ",
            ", can be refreshed\n",
            " answers, and says what it should\n",
            "ok       sign_in.terminal: there is no terminal here",
            "ok       sign_in.browser: a sign-in shows a code, for any device: ",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
    }
}

#[test]
fn a_fault_in_the_configuration_is_named_with_its_place() {
    let rows: Vec<Planted> = vec![
        (
            "no TOML",
            |scene| add(scene, "\n[profiles.broken\n"),
            vec![(
                "error",
                "configuration.complaint",
                "profiles.toml:8:",
                "line",
            )],
        ),
        (
            "two mistakes",
            |scene| add(scene, "clientid = \"x\"\nurls = [\"ftp://a\"]\n"),
            vec![
                (
                    "error",
                    "configuration.complaint",
                    "unknown key `profiles.api.clientid`",
                    "line",
                ),
                (
                    "error",
                    "configuration.complaint",
                    "profiles.api.urls",
                    "line",
                ),
            ],
        ),
        (
            "no file",
            |scene| fs::remove_file(scene.sandbox.config()).expect("it is there"),
            vec![(
                "error",
                "configuration.file",
                "there is no profile file `",
                "CRED_HELPER_CONFIG",
            )],
        ),
        (
            "no profile",
            |scene| scene.sandbox.write_profiles(OPEN),
            vec![(
                "error",
                "configuration.profiles",
                "there is no profile",
                "write `[profiles.NAME]`",
            )],
        ),
        (
            "a file that others can write",
            |scene| mode(&scene.sandbox.config(), 0o666),
            vec![(
                "error",
                "configuration.file",
                "others can write `",
                "run `chmod go-w /",
            )],
        ),
        (
            "a directory that others can write",
            |scene| mode(scene.sandbox.path(), 0o777),
            vec![(
                "error",
                "configuration.file",
                "others can write `",
                "run `chmod go-w /",
            )],
        ),
    ];
    for (fault, plant, said) in rows {
        let scene = Scene::of(at_once(), |issuer| {
            format!("{OPEN}{}", profile("api", issuer))
        });
        plant(&scene);
        // Who is signed in is another matter.
        let ran = scene.run_command(doctor(&scene, &[], &["-o", "json"]));
        let mut found = complaints(&ran);
        found.retain(|found| found[1].starts_with("configuration."));
        assert_eq!(found.len(), said.len(), "{fault}: {found:#?}");
        for (found, (status, id, message, hint)) in found.iter().zip(said) {
            assert_eq!([&found[0], &found[1]], [status, id], "{fault}");
            assert!(
                found[2].contains(message) && found[3].contains(hint),
                "{fault}: {found:?}"
            );
        }
        let expected = if fault == "no profile" || fault == "no file" {
            8
        } else {
            3
        };
        assert_eq!(ran.code, Some(expected), "{fault}: {ran:?}");
    }
}

#[test]
fn one_profile_is_looked_at_alone() {
    let scene = well();
    add(&scene, "\n[profiles.other]\nclientid = \"x\"\n");
    assert_says(&scene, "another one is wrong", &[], &["-p", "api"], &[]);
    let ran = scene.run_command(doctor(&scene, &[], &["-p", "other", "-o", "json"]));
    let found = complaints(&ran);
    assert!(found.len() > 1, "{found:?}");
    assert!(
        found
            .iter()
            .all(|found| found[1] == "configuration.complaint"),
        "{found:?}"
    );
    assert!(!ran.stdout.contains("session.api"), "{ran:?}");
    let error = scene
        .run_command(doctor(&scene, &[], &["-p", "apu"]))
        .failed(8);
    assert!(error.contains("did you mean `api`?"), "{error}");
    let mut command = doctor(&scene, &[], &["-o", "json"]);
    command.env("CRED_HELPER_PROFILE", "apu");
    scene.sandbox.write_profiles(&format!(
        "{OPEN}{}",
        profile("api", &scene.authority.issuer())
    ));
    let found = complaints(&scene.run_command(command));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0][1], "configuration.profiles");
    assert!(
        found[0][2].contains("`CRED_HELPER_PROFILE` names it"),
        "{found:?}"
    );
}

/// The directory of sessions.
fn sessions(scene: &Scene) -> std::path::PathBuf {
    scene.sandbox.state().join("sessions")
}

/// The only session, as JSON of a newer program.
fn newer(scene: &Scene) {
    scene.edit_session(|session| session["version"] = 2.into());
}

#[test]
fn a_fault_in_the_store_is_named_with_what_mends_it() {
    const UNTOLD: Said = ("warning", "session.api", "nobody can tell: ", "");
    const BEFORE: Said = ("warning", "seal.choice", "cannot be told before", "");
    let rows: Vec<Planted> = vec![
        (
            "a directory that others can write",
            |scene| mode(&sessions(scene), 0o777),
            vec![
                (
                    "error",
                    "store.directory",
                    "others can write `",
                    "run `chmod go-w /",
                ),
                BEFORE,
                UNTOLD,
            ],
        ),
        (
            "a file in place of the directory",
            |scene| {
                fs::remove_dir_all(sessions(scene)).expect("it is there");
                fs::write(sessions(scene), "").expect("it can be written");
            },
            vec![
                (
                    "error",
                    "store.directory",
                    "is no directory",
                    "CRED_HELPER_STATE",
                ),
                BEFORE,
                UNTOLD,
            ],
        ),
        (
            "a link that leads nowhere",
            |scene| {
                fs::remove_dir_all(sessions(scene)).expect("it is there");
                symlink("nowhere", sessions(scene)).expect("it can be made");
            },
            vec![
                (
                    "error",
                    "store.directory",
                    "is a link that leads nowhere",
                    "CRED_HELPER_STATE",
                ),
                BEFORE,
                (
                    "warning",
                    "session.api",
                    "nobody is signed in",
                    "login -p api",
                ),
            ],
        ),
        (
            "a file that others can read",
            |scene| mode(&scene.sandbox.session(), 0o644),
            vec![
                (
                    "error",
                    "store.file",
                    "others can read `",
                    "run `chmod 600 /",
                ),
                UNTOLD,
            ],
        ),
        (
            "a damaged file",
            |scene| fs::write(scene.sandbox.session(), "{\"version\"").expect("it can be written"),
            vec![
                (
                    "error",
                    "store.file",
                    "is damaged",
                    "a new sign-in is needed",
                ),
                (
                    "warning",
                    "session.api",
                    "nobody is signed in",
                    "login -p api",
                ),
            ],
        ),
        (
            "a file of a newer version",
            newer,
            vec![
                (
                    "error",
                    "store.file",
                    "is of version 2",
                    "use the newer cred-helper",
                ),
                UNTOLD,
            ],
        ),
        (
            "a damaged choice",
            |scene| fs::write(sessions(scene).join("store.json"), "{").expect("it can be written"),
            vec![(
                "warning",
                "store.file",
                "`store.json` is damaged",
                "store migrate --to",
            )],
        ),
        (
            "a damaged file that was set aside",
            |scene| {
                let aside = scene
                    .sandbox
                    .session()
                    .with_extension("json.damaged-1800000000");
                fs::write(aside, "{").expect("it can be written");
            },
            vec![(
                "warning",
                "store.file",
                "was damaged, and set aside",
                "remove it",
            )],
        ),
        (
            "a temporary file of a call that was killed",
            |scene| {
                let session = scene.sandbox.session();
                let digest = session
                    .file_stem()
                    .expect("it has a name")
                    .to_string_lossy();
                let path = sessions(scene).join(format!(".tmp-{digest}-new"));
                fs::write(path, "{").expect("it can be written");
            },
            vec![(
                "warning",
                "store.file",
                "is of a call that was killed",
                "next refresh",
            )],
        ),
    ];
    for (fault, plant, said) in rows {
        let scene = well();
        plant(&scene);
        assert_says(&scene, fault, &[], &[], &said);
    }
}

#[test]
fn what_another_doctor_writes_is_left_alone_and_what_a_killed_one_left_is_removed() {
    let scene = well();
    let named = |end: &str| sessions(&scene).join(format!(".tmp-examination-{end}"));
    let [old, new] = [named("1-proof"), named("2-room")];
    for path in [&old, &new] {
        fs::write(path, "").expect("it can be written");
    }
    let before = SystemTime::now() - Duration::from_secs(3600);
    let file = fs::File::options().write(true).open(&old);
    let dated = file.expect("it is there").set_modified(before);
    dated.expect("it is the test's");
    let ran = scene.run_command(doctor(&scene, &[], &["-o", "json"]));
    assert_eq!(complaints(&ran), Vec::<[String; 4]>::new());
    assert!(!old.exists() && new.exists());
}

#[test]
fn what_the_kernel_holds_of_keys_is_as_it_was() {
    let scene = kept(&key_of_one_s_own(), "1m");
    scene.run(&["login"]).ok();
    for expected in ["one key was dropped", "no key was held"] {
        scene.run_command(doctor(&scene, &[], &[])).ok();
        let dropped = scene.run(&["store", "lock"]);
        assert!(dropped.stderr.contains(expected), "{dropped:?}");
    }
}

#[test]
fn a_store_that_cannot_be_written_or_locked_is_noticed() {
    let mounted = "mount -o bind,ro $CRED_HELPER_STATE $CRED_HELPER_STATE; exec \"$@\"";
    let full = "cp -a $CRED_HELPER_STATE copy; mount -t tmpfs -o size=32k,mode=700 none \
                $CRED_HELPER_STATE; cp -a copy/. $CRED_HELPER_STATE; exec \"$@\"";
    let failing = |injection| {
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e"];
        [&strace[..], &[injection]].concat()
    };
    const UNWRITTEN: Said = (
        "error",
        "store.write",
        "no session can be written in `",
        "mend the disk",
    );
    let scene = well();
    for (fault, wrapper, said) in [
        ("EIO at fsync", failing("inject=fsync:error=EIO"), UNWRITTEN),
        (
            "a full disk",
            vec!["unshare", "-m", "sh", "-c", full, "sh"],
            UNWRITTEN,
        ),
        (
            "no locks",
            failing("inject=flock:error=ENOLCK"),
            (
                "warning",
                "store.lock",
                "has no locks",
                "set CRED_HELPER_STATE to a local",
            ),
        ),
    ] {
        assert_says(&scene, fault, &wrapper, &[], &[said]);
    }
    let wrapper = ["unshare", "-m", "sh", "-c", mounted, "sh"];
    let ran = scene.run_command(doctor(&scene, &wrapper, &["-o", "json"]));
    let found = complaints(&ran);
    assert_eq!(found[0][1], "store.write", "{found:?}");
    assert!(found[0][2].contains("Read-only file system"), "{found:?}");
    fs::remove_dir_all(scene.sandbox.state()).expect("it is there");
    let ran = scene.run_command(doctor(&scene, &[], &["-o", "json"]));
    let found = complaints(&ran);
    assert_eq!(
        found.len(),
        1,
        "nothing is wrong with what is made yet: {found:?}"
    );
    assert_eq!(found[0][2], "nobody is signed in");
    assert!(!scene.sandbox.state().exists(), "nothing was made");
}

#[test]
fn a_secret_that_is_not_where_the_profile_says_is_told() {
    let scene = well();
    let before = fs::read_to_string(scene.sandbox.config()).expect("it is there");
    let far = profile("far", &scene.authority.issuer());
    for (source, told) in [
        (
            "{ env = \"ROBOT\" }",
            "`client_secret` cannot be had: the environment variable `ROBOT` is not set",
        ),
        (
            "{ file = \"/nowhere/robot\" }",
            "`client_secret` cannot be had: `/nowhere/robot`: No such file or directory",
        ),
        ("{ env = \"HOME\" }", ""),
    ] {
        let own = "grant = \"client_credentials\"\nclient_secret";
        scene
            .sandbox
            .write_profiles(&format!("{before}{far}{own} = {source}\n"));
        let said: Said = ("warning", "session.far", told, "correct the profile");
        let said = if told.is_empty() { vec![] } else { vec![said] };
        assert_says(&scene, source, &[], &["-p", "far"], &said);
    }
}

#[test]
fn whoever_holds_a_lock_is_named() {
    let scene = well();
    for (ending, message, hint) in [
        ("lock", "for more than 2 s", "end the process"),
        (
            "sign-in.lock",
            "asks somebody to sign in",
            "finish that sign-in",
        ),
    ] {
        let mut holds = hold_lock(&scene, ending);
        let ran = scene.run_command(doctor(&scene, &[], &["-o", "json"]));
        holds.kill().expect("it is ours");
        holds.wait().expect("it is ours");
        let found = complaints(&ran);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0][1], "store.lock");
        assert!(
            found[0][2].starts_with(&format!("process {} (`/", holds.id())),
            "{found:?}"
        );
        assert!(
            found[0][2].contains(message) && found[0][3].contains(hint),
            "{found:?}"
        );
    }
}

#[test]
fn a_fault_of_the_seal_is_named_with_the_way_out() {
    let other = SEALED.replace("a key of the test", "another key of it");
    let broken = SEALED.replace("\"echo\"", "\"false\"");
    let unsealed = ("warning", "session.api", "nobody can tell: ", "");
    let rows: [(&str, &str, &str, Vec<Said>); 4] = [
        (
            "a command that fails",
            SEALED,
            &broken,
            vec![
                (
                    "error",
                    "seal.key",
                    "the key of the sessions cannot be had: `false` failed",
                    "by hand",
                ),
                (
                    "error",
                    "seal.file",
                    "the key of the sessions cannot be had",
                    "by hand",
                ),
                unsealed,
            ],
        ),
        (
            "a command that prints another key",
            SEALED,
            &other,
            vec![
                (
                    "error",
                    "seal.key",
                    "`command` prints another key",
                    "previous_command",
                ),
                ("error", "seal.file", "cannot be opened", "previous_command"),
                unsealed,
            ],
        ),
        (
            "a plain session beside a seal",
            OPEN,
            SEALED,
            vec![(
                "warning",
                "seal.plain",
                "1 session is not sealed",
                "store migrate --to command",
            )],
        ),
        (
            "no keyring",
            "",
            "",
            vec![(
                "warning",
                "seal.choice",
                "there is no D-Bus session bus",
                "seal = \"none\"",
            )],
        ),
    ];
    for (fault, before, after, said) in rows {
        // Each has its own: what holds a key for a while must not hide that it is gone.
        let before = format!("{before}{}", uncached(before));
        let scene = signed_in(&before);
        let profiles = profile("api", &scene.authority.issuer());
        let after = format!("{after}{}", uncached(after));
        scene.sandbox.write_profiles(&format!("{after}{profiles}"));
        assert_says(&scene, fault, &[], &[], &said);
    }
    let scene = signed_in(SEALED);
    let session = scene.sandbox.session();
    let other = session.with_file_name(format!("{}.json", "a".repeat(64)));
    fs::copy(&session, &other).expect("it can be copied");
    let said = (
        "error",
        "seal.file",
        "it was changed, or is the file of another session",
        "put back",
    );
    assert_says(&scene, "a swapped file", &[], &[], &[said]);
}

fn uncached(store: &str) -> &'static str {
    match store {
        "" | OPEN => "",
        _ => "key_cache = \"0s\"\n",
    }
}

#[test]
fn what_stands_in_the_way_of_a_sign_in_is_told() {
    let nobody = Scene::of(at_once(), |issuer| {
        format!("{OPEN}{}", profile("api", issuer))
    });
    let said = (
        "warning",
        "session.api",
        "nobody is signed in",
        "run `cred-helper login -p api`",
    );
    assert_says(&nobody, "nobody", &[], &[], &[said]);

    let scene = well();
    scene.edit_session(|session| {
        session["content"]["sign_in"] = serde_json::json!({
            "refused_at": now() - 1, "asked_again_after": now() + 600, "refusals": 1
        });
    });
    let said = (
        "warning",
        "session.api",
        "calls ask again after",
        "login -p api",
    );
    assert_says(&scene, "refused", &[], &[], &[said]);

    let scene = well();
    scene.edit_session(|session| {
        session["content"]["accounts"][0]["refresh_token"] = Value::Null;
    });
    let said = (
        "warning",
        "session.api",
        "cannot be refreshed",
        "offline_access",
    );
    assert_says(&scene, "no refresh token", &[], &[], &[said]);
    scene.edit_session(|session| {
        for token in access_tokens(session) {
            token["expires_at"] = (now() - 1).into();
        }
    });
    let said = (
        "warning",
        "session.api",
        "nothing valid is left",
        "login -p api",
    );
    assert_says(&scene, "nothing left", &[], &[], &[said]);

    let scene = well();
    scene.age(-1);
    scene
        .authority
        .script(Endpoint::Token, Fault::error(400, "interaction_required"));
    scene.run(&["get", "--interactive", "never"]).failed(4);
    let said = (
        "error",
        "session.api",
        "the last refresh failed, tried again after",
        "login -p api",
    );
    assert_says(&scene, "a failed refresh", &[], &[], &[said]);
}
