//! Sealed sign-ins in odd surroundings: other users, no home, no `/proc`, what a sandbox forbids.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scene::{Scene, failing, follow_hint};
use crate::seal_command::{holding, keeper, kept, key_of_one_s_own, runs};
use crate::support::Ran;

/// Users that nobody is.
const ADA: u32 = 64_001;
const BOB: u32 = 64_002;

/// A scene whose files others can reach, with a copy of our program.
fn reachable(key: &str, key_cache: &str) -> Scene {
    let scene = kept(key, key_cache);
    let own = scene.sandbox.command(&[]);
    fs::copy(own.get_program(), scene.file("program")).expect("it can be copied");
    set_mode(scene.sandbox.path(), 0o755);
    scene
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A home of that user.
fn home(scene: &Scene, user: u32) -> PathBuf {
    let home = scene.file(&format!("home-{user}"));
    fs::create_dir_all(&home).expect("it can be made");
    chown(&home, Some(user), Some(user)).expect("the tests are run as root");
    home
}

/// A call by that user, with a home and no variable of ours but for the profile file.
fn by(scene: &Scene, user: u32, wrapper: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    scene.sandbox.prepare(&mut command);
    let home = home(scene, user);
    command
        .env("HOME", &home)
        .env_remove("CRED_HELPER_STATE")
        .env(
            "CRED_HELPER_LOG",
            format!("trace,{}", home.join("log").display()),
        )
        .current_dir(&home)
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .arg("--clear-groups")
        .args(wrapper)
        .arg(scene.file("program"))
        .args(arguments);
    command
}

/// Every file and directory below a directory that is open to others, or not that user's.
fn open_to_others(directory: &Path, user: u32) -> Vec<String> {
    let mut found = Vec::new();
    let metadata = fs::symlink_metadata(directory).expect("it is there");
    if metadata.mode() & 0o077 != 0 || metadata.uid() != user {
        found.push(directory.display().to_string());
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            found.extend(open_to_others(&path, user));
        }
    }
    found
}

/// What was signed in for is there, sealed, and nobody else's.
fn lies_well(scene: &Scene, state: &Path, user: u32) {
    let nothing = [""; 0];
    assert!(state.join("sessions/store.json").exists(), "{state:?}");
    assert_eq!(open_to_others(state, user), nothing);
    assert_eq!(holding(state, &scene.authority.secrets()), nothing);
}

const DATA: &str = ".local/share/cred-helper";

#[test]
fn two_users_of_one_machine_have_sign_ins_and_keys_of_their_own() {
    let scene = reachable(&key_of_one_s_own(), "1m");
    // Both read the same key, so that only the kernel tells them apart.
    set_mode(&scene.file("key"), 0o644);
    keeper(
        &scene,
        "cat \"${0%/*}/../key\"; echo run >>\"$HOME/../runs-$(id -u)\"",
    );
    let count = |user: u32| {
        let text = fs::read_to_string(scene.file(&format!("runs-{user}"))).unwrap_or_default();
        text.lines().count()
    };
    for user in [ADA, BOB] {
        let runs = scene.file(&format!("runs-{user}"));
        fs::write(&runs, "").expect("it is ours");
        chown(&runs, Some(user), None).expect("the tests are run as root");
    }
    let call = |user, wrapper: &[&str], arguments: &[&str]| -> Ran {
        scene.run_command(by(&scene, user, wrapper, arguments))
    };
    // Whatever the umask is.
    let bare = ["sh", "-c", "umask 0; exec \"$@\"", "sh"];
    call(ADA, &bare, &["login"]).ok();
    let token = call(ADA, &bare, &["get"]).ok();
    assert_eq!(
        count(ADA),
        1,
        "the kernel holds the key of a user who is not root"
    );
    call(BOB, &[], &["login"]).ok();
    assert_eq!(count(BOB), 1, "and gives it to nobody else");
    assert_ne!(call(BOB, &[], &["get"]).ok(), token);
    assert_eq!(count(BOB), 1);
    let states = [ADA, BOB].map(|user| home(&scene, user).join(DATA));
    lies_well(&scene, &states[0], ADA);
    lies_well(&scene, &states[1], BOB);

    // One has no use of the other's files.
    let asked = scene.authority.requests().len();
    for arguments in [&["get"][..], &["login"], &["store", "list"]] {
        let mut command = by(&scene, BOB, &[], arguments);
        command.env("CRED_HELPER_STATE", &states[0]);
        let ran = scene.run_command(command);
        assert!(!ran.stdout.contains(token.trim()), "{ran:?}");
        if arguments != ["store", "list"] {
            let error = ran.failed(9);
            assert!(error.contains("\nhint: "), "{arguments:?}: {error}");
        }
    }
    assert_eq!(scene.authority.requests().len(), asked);
    // What one drops, the other keeps.
    let dropped = call(BOB, &[], &["store", "lock"]);
    assert!(
        dropped.stderr.contains("one key was dropped"),
        "{dropped:?}"
    );
    call(ADA, &[], &["get"]).ok();
    assert_eq!(count(ADA), 1);
    call(ADA, &[], &["store", "lock"]).ok();
}

#[test]
fn without_a_home_that_can_be_written_the_way_out_is_a_directory_of_one_s_own() {
    let scene = reachable("canary-of-a-key-without-home", "0s");
    set_mode(&scene.file("key"), 0o644);
    keeper(&scene, "cat \"${0%/*}/../key\"");
    let home = home(&scene, ADA);
    let read_only = "mount -o bind,ro $HOME $HOME; \
                     exec setpriv --reuid=64001 --regid=64001 --clear-groups \"$@\"";
    let state = scene.file("state-of-ada");
    fs::create_dir(&state).expect("it is ours");
    set_mode(&state, 0o700);
    chown(&state, Some(ADA), Some(ADA)).expect("the tests are run as root");
    let (somewhere, nowhere) = (home.display().to_string(), "/nonexistent".to_owned());
    for (place, home, wrapper) in [
        ("no HOME", None, &[][..]),
        ("a HOME that is not there", Some(&nowhere), &[]),
        (
            "a HOME on a file system that is read-only",
            Some(&somewhere),
            &["unshare", "-m", "sh", "-c", read_only, "sh"],
        ),
    ] {
        let call = |with_state: bool, arguments: &[&str]| {
            let mut command = match wrapper {
                [] => by(&scene, ADA, &[], arguments),
                _ => {
                    let (program, words) = wrapper.split_first().expect("it has words");
                    let mut command = Command::new(program);
                    scene.sandbox.prepare(&mut command);
                    command
                        .env_remove("CRED_HELPER_STATE")
                        .args(words)
                        .arg(scene.file("program"))
                        .args(arguments);
                    command
                }
            };
            command.env_remove("CRED_HELPER_LOG").current_dir("/");
            match home {
                Some(home) => command.env("HOME", home),
                None => command.env_remove("HOME"),
            };
            if with_state {
                command.env("CRED_HELPER_STATE", &state);
            }
            scene.run_command(command)
        };
        let asked = scene.authority.requests().len();
        let error = call(false, &["login"]).failed(9);
        assert!(error.contains("CRED_HELPER_STATE"), "{place}: {error}");
        assert!(error.contains("\nhint: "), "{place}: {error}");
        assert_eq!(scene.authority.requests().len(), asked, "{place}");
        call(true, &["login"]).ok();
        call(true, &["get"]).ok();
        lies_well(&scene, &state, ADA);
        call(true, &["logout", "--local"]).ok();
    }
}

#[test]
fn a_link_where_the_store_should_be_leads_to_a_directory_of_one_s_own_alone() {
    let scene = kept("canary-of-a-key-behind-a-link", "0s");
    let elsewhere = scene.file("elsewhere");
    fs::create_dir(&elsewhere).expect("it is ours");
    set_mode(&elsewhere, 0o700);
    let sessions = scene.sandbox.state().join("sessions");
    symlink(&elsewhere, &sessions).expect("it is ours");
    scene.run(&["login"]).ok();
    let token = scene.run(&["get"]).ok();
    assert!(elsewhere.join("store.json").exists());
    assert!(sessions.is_symlink(), "it stays");
    scene.run(&["get", "--force-refresh"]).ok();
    drop(token);

    chown(&elsewhere, Some(BOB), None).expect("the tests are run as root");
    let asked = scene.authority.requests().len();
    for arguments in [&["get"][..], &["login"], &["get", "--force-refresh"]] {
        let error = scene.run(arguments).failed(9);
        assert!(error.contains("belongs to another user"), "{error}");
        assert!(error.contains("hint: run `sudo chown "), "{error}");
    }
    assert_eq!(scene.authority.requests().len(), asked);
    set_mode(&elsewhere, 0o777);
    chown(&elsewhere, Some(0), None).expect("the tests are run as root");
    let error = scene.run(&["get"]).failed(9);
    follow_hint(&error);
    scene.run(&["get"]).ok();

    // A link that leads nowhere.
    fs::remove_file(&sessions).expect("it is ours");
    symlink(scene.file("nothing"), &sessions).expect("it is ours");
    let asked = scene.authority.requests().len();
    let error = scene.run(&["login"]).failed(9);
    assert!(error.contains("\nhint: "), "{error}");
    assert_eq!(scene.authority.requests().len(), asked);
}

#[test]
fn without_proc_or_where_a_sandbox_forbids_the_kernel_s_keyring_all_works_and_nothing_is_kept() {
    let scene = kept(&key_of_one_s_own(), "1m");
    let forbid = |error: &str| failing(&format!("keyctl,add_key,request_key:error={error}"));
    let without_proc = "mount -t tmpfs none /proc; exec \"$@\"";
    let without_proc = ["unshare", "-m", "sh", "-c", without_proc, "sh"].map(String::from);
    for (place, wrapper, is_kept) in [
        ("no /proc", without_proc.to_vec(), true),
        ("seccomp of containers", forbid("EPERM"), false),
        ("a kernel without it", forbid("ENOSYS"), false),
    ] {
        let ran = |arguments: &[&str], count: usize| {
            let text = scene.run_command(scene.wrapped(&wrapper, arguments)).ok();
            assert_eq!(runs(&scene), count, "{place} {arguments:?}");
            text
        };
        let each = usize::from(!is_kept);
        ran(&["login"], 1);
        let token = ran(&["get"], each);
        assert_ne!(ran(&["get", "--force-refresh"], each), token);
        ran(&["store", "lock"], 0);
        let held = holding(&scene.sandbox.state(), &scene.authority.secrets());
        assert_eq!(held, [""; 0], "{place}");
        ran(&["logout", "--local"], 1);
        scene.run(&["store", "lock"]).ok();
    }
}
