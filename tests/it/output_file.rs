//! An answer in a file: whole or not at all, and for its owner alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::scene::Scene;

/// What lies in the sandbox beside its own files.
fn names(scene: &Scene) -> Vec<String> {
    let entries = fs::read_dir(scene.file("place")).expect("the directory is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().expect("it is UTF-8"))
        .collect();
    names.sort();
    names
}

fn scene() -> Scene {
    let scene = Scene::signed_in();
    fs::create_dir(scene.file("place")).expect("a directory can be made");
    scene
}

#[test]
fn an_answer_goes_into_a_file_for_its_owner_and_a_token_stands_there_alone() {
    let scene = scene();
    let token = scene.run(&["get"]).ok();
    for (format, is_bare) in [
        ("token", true),
        ("bearer", false),
        ("header", false),
        ("headers", false),
        ("json", false),
        ("env", false),
    ] {
        let printed = scene.run(&["get", "-o", format]).ok();
        let name = format!("place/{format}");
        // A file that others could read is theirs no longer.
        fs::write(scene.file(&name), "old").expect("it can be written");
        let arguments = ["get", "-o", format, "--output-file", &name];
        let ran = scene.run(&arguments);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
        assert_eq!(ran.code, Some(0));
        let written = fs::read_to_string(scene.file(&name)).expect("it was written");
        let mode = fs::metadata(scene.file(&name))
            .expect("it is there")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let counted = |text: &str| text.replace(|one: char| one.is_ascii_digit(), "0");
        let expected = if is_bare {
            printed.trim_end()
        } else {
            &printed
        };
        assert_eq!(counted(&written), counted(expected), "{format}");
    }
    assert_eq!(
        fs::read_to_string(scene.file("place/token")).expect("it is there"),
        token.trim_end()
    );
    assert_eq!(names(&scene).len(), 6, "nothing is left beside them");
}

#[test]
fn where_no_file_can_be_written_nobody_is_asked_and_nothing_is_touched() {
    let scene = Scene::new();
    let place = scene.file("place");
    fs::create_dir_all(place.join("directory")).expect("a directory can be made");
    fs::write(place.join("file"), "theirs").expect("it can be written");
    symlink("file", place.join("link")).expect("a link can be made");
    symlink("nothing", place.join("dangling")).expect("a link can be made");
    let before = names(&scene);
    for (name, reason) in [
        ("place/directory", "it is a directory"),
        ("place/link", "it is a link"),
        ("place/dangling", "it is a link"),
        ("/dev/null", "it is no file"),
        ("/dev/stdout", "it is a link"),
        ("place/nowhere/token", "No such file or directory"),
        ("place/file/token", "Not a directory"),
    ] {
        let error = scene.run(&["get", "--output-file", name]).failed(9);
        assert!(error.contains(reason), "{name}: {error}");
    }
    // Where it is noticed while it is written only, the error is the same.
    scene.run(&["login"]).ok();
    let error = scene
        .run(&["get", "--output-file", "/proc/token"])
        .failed(9);
    assert!(
        error.starts_with("error: `/proc/token` cannot be written\ncaused by: "),
        "{error}"
    );
    assert_eq!(names(&scene), before);
    let there = fs::read_to_string(place.join("file"));
    assert_eq!(there.expect("it is there"), "theirs");
}

#[test]
fn a_file_is_the_old_one_or_the_new_one_whenever_its_writer_is_killed_or_fails() {
    let scene = scene();
    let token = scene.run(&["get"]).ok();
    let path = scene.file("place/token");
    // Before each call that has a part in it; the last one is behind the change.
    for (call, fault, is_new) in [
        ("fsync", "signal=KILL", false),
        ("fsync", "error=EIO", false),
        ("rename", "signal=KILL", false),
        ("rename", "error=EACCES", false),
        ("exit_group", "signal=KILL", true),
    ] {
        fs::write(&path, "old").expect("it can be written");
        let inject = format!("inject={call}:{fault}");
        let wrapper = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", &inject];
        let ran =
            scene.run_command(scene.wrapped(&wrapper, &["get", "--output-file", "place/token"]));
        assert_ne!(ran.code, Some(0), "{call}: {ran:?}");
        let there = fs::read_to_string(&path).expect("it is there");
        assert_eq!(
            there,
            if is_new { token.trim_end() } else { "old" },
            "{call} {fault}"
        );
        if fault.starts_with("error") {
            assert!(
                ran.stderr.contains("`place/token` cannot be written"),
                "{ran:?}"
            );
        }
        let left = names(&scene).into_iter().filter(|name| name != "token");
        for name in left {
            assert!(fault.starts_with("signal"), "{name} is left behind");
            let mode = fs::metadata(scene.file("place").join(&name))
                .expect("it is there")
                .permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
            fs::remove_file(scene.file("place").join(name)).expect("it is ours");
        }
    }
}
