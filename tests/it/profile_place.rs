//! Where profile files lie, and whose they have to be.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use serde_json::{Value, json};

use crate::profile_file::asked_for;
use crate::scene::{Scene, at_once, follow_hint, profile};
use crate::support::{Ran, Sandbox, set_mode};

const NOBODY: &str = "https://login.example";

/// A sandbox whose files are those of a user, by name below `~/.config/cred-helper`.
fn user_files(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new("");
    for (name, text) in files {
        let path = sandbox.path().join(".config/cred-helper").join(name);
        fs::create_dir_all(path.parent().expect("it lies in a directory")).expect("it is ours");
        fs::write(path, text).expect("it is ours");
    }
    sandbox
}

/// A call that reads the user's files.
fn as_user(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let mut command = sandbox.command(arguments);
    command.env_remove("CRED_HELPER_CONFIG");
    sandbox.run_command(command)
}

#[test]
fn a_literal_secret_works_only_in_a_file_that_nobody_else_can_read() {
    let scene = Scene::new();
    let canary = "canary-of-a-literal";
    scene.sandbox.secret(canary);
    scene.sandbox.write_profiles(&format!(
        "{}client_secret = \"{canary}\"\nclient_auth_method = \"client_secret_post\"\n",
        profile("api", &scene.authority.issuer())
    ));
    scene.authority.set(|settings| {
        settings.clients.push(crate::authority::ClientRow {
            id: "cli".to_owned(),
            secret: Some(canary.to_owned()),
            method: crate::authority::ClientAuthentication::ClientSecretPost,
        });
    });
    for mode in [0o644, 0o640, 0o604] {
        set_mode(&scene.sandbox.config(), mode);
        for arguments in [&["login"][..], &["get"], &["profile", "check"]] {
            let error = scene.run(arguments).failed(3);
            assert!(
                error.contains(":5:17: `profiles.api.client_secret`: a literal secret in a file"),
                "{error}"
            );
            assert!(error.contains("`chmod 600 "), "{error}");
        }
    }
    set_mode(&scene.sandbox.config(), 0o600);
    let ran = scene.run(&["profile", "check"]);
    assert!(ran.stderr.starts_with("warning: "), "{ran:?}");
    assert!(
        ran.stderr.contains("`profiles.api.client_secret`"),
        "{ran:?}"
    );
    assert!(ran.ok().contains("nothing to complain of"));
    for format in ["toml", "json"] {
        let shown = scene.run(&["profile", "show", "api", "-o", format]).ok();
        scene.sandbox.scan("profile show", &shown);
        assert!(shown.contains("literal, not shown"), "{shown}");
    }
    scene.run(&["login"]).ok();
}

#[test]
fn a_file_that_others_can_write_is_refused_until_the_hint_was_followed() {
    let sandbox = Sandbox::new(&profile("api", NOBODY));
    let directory = sandbox.path().join("shared, for all");
    fs::create_dir(&directory).expect("it is ours");
    let inside = directory.join("profiles.toml");
    fs::write(&inside, profile("api", NOBODY)).expect("it is ours");
    for (path, config, mode) in [
        (sandbox.config(), sandbox.config(), 0o666),
        (sandbox.config(), sandbox.config(), 0o620),
        (directory.clone(), inside.clone(), 0o777),
        (directory.clone(), inside, 0o730),
    ] {
        set_mode(&path, mode);
        let config = config.display().to_string();
        for arguments in [
            &["get", "--config", &config][..],
            &["profile", "list", "--config", &config],
            &["profile", "check", &config],
            &["status", "--config", &config],
        ] {
            let error = sandbox.run(arguments).failed(3);
            assert!(
                error.starts_with(&format!("error: others can write `{}`", path.display())),
                "{error}"
            );
        }
        let error = sandbox.run(&["get", "--config", &config]).failed(3);
        follow_hint(&error);
        sandbox.run(&["get", "--config", &config]).failed(4);
    }
    // Named without its directory, it lies in the current one.
    set_mode(&directory, 0o777);
    let mut command = sandbox.command(&["get", "--config", "profiles.toml"]);
    command.current_dir(&directory);
    let error = sandbox.run_command(command).failed(3);
    assert!(error.starts_with("error: others can write `.`"), "{error}");
    // Nobody can replace another's files in a directory like /tmp.
    set_mode(&directory, 0o1777);
    let mut command = sandbox.command(&["get", "--config", "profiles.toml"]);
    command.current_dir(&directory);
    sandbox.run_command(command).failed(4);
}

#[test]
fn a_users_directories_are_refused_too_if_others_can_write_them() {
    let text = profile("api", NOBODY);
    let sandbox = user_files(&[("profiles.toml", &text), ("profiles.d/more.toml", "")]);
    let own = sandbox.path().join(".config/cred-helper");
    for path in [
        own.clone(),
        own.join("profiles.d"),
        own.join("profiles.d/more.toml"),
    ] {
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        as_user(&sandbox, &["get"]).failed(4);
        set_mode(&path, mode);
        let error = as_user(&sandbox, &["get"]).failed(3);
        assert!(
            error.starts_with(&format!("error: others can write `{}`", path.display())),
            "{error}"
        );
        follow_hint(&error);
    }
    // A link into a place that others can write is no way around it.
    let shared = sandbox.path().join("shared");
    fs::create_dir(&shared).expect("it is ours");
    let elsewhere = shared.join("elsewhere.toml");
    fs::write(&elsewhere, "").expect("it is ours");
    set_mode(&elsewhere, 0o666);
    symlink(&elsewhere, own.join("profiles.d/link.toml")).expect("it is ours");
    let error = as_user(&sandbox, &["get"]).failed(3);
    assert!(error.contains("link.toml`"), "{error}");
    set_mode(&elsewhere, 0o644);
    as_user(&sandbox, &["get"]).failed(4);
    set_mode(&shared, 0o777);
    let error = as_user(&sandbox, &["get"]).failed(3);
    let shared = shared.display();
    assert!(
        error.starts_with(&format!("error: others can write `{shared}`")),
        "{error}"
    );
}

#[test]
fn a_file_of_another_user_is_refused() {
    let sandbox = Sandbox::new(&profile("api", NOBODY));
    chown(sandbox.config(), Some(65534), None).expect("the tests run as root");
    let error = sandbox.run(&["get"]).failed(3);
    let config = sandbox.config().display().to_string();
    assert!(
        error.starts_with(&format!("error: `{config}` belongs to another user")),
        "{error}"
    );
    assert!(
        error.ends_with(&format!("hint: run `sudo chown 0 {config}`\n")),
        "{error}"
    );
}

#[test]
fn a_later_file_replaces_a_profile_whole_and_other_tables_key_by_key() {
    let with_urls = |url: &str| format!("{}urls = [\"{url}\"]\n", profile("a", NOBODY));
    let first = format!(
        "default_profile = \"a\"\n[lock]\ntimeout = \"7s\"\n{}{}",
        with_urls("https://first.example/"),
        profile("b", NOBODY)
    );
    let second = profile("a", "https://second.example");
    let third = format!("default_profile = \"b\"\n[lock]\n{}", profile("c", NOBODY));
    let sandbox = user_files(&[
        ("profiles.toml", &first),
        ("profiles.d/10-second.toml", &second),
        ("profiles.d/9-third.toml", &third),
        (
            "profiles.d/00-lost.toml",
            &with_urls("https://lost.example/"),
        ),
        ("profiles.d/not-toml.txt", "[profiles.x"),
    ]);
    let own = sandbox.path().join(".config/cred-helper");
    let place = |name: &str| own.join(name).display().to_string();
    let second = place("profiles.d/10-second.toml");
    let third = place("profiles.d/9-third.toml");
    assert_eq!(
        as_user(&sandbox, &["profile", "list"]).ok(),
        format!(
            "a\t{second}\nb (default)\t{}\nc\t{third}\n",
            place("profiles.toml")
        )
    );
    let list = as_user(&sandbox, &["profile", "list", "-o", "json"]).json();
    assert_eq!(
        list,
        json!({ "profiles": [
            { "profile": "a", "file": second, "default": false },
            { "profile": "b", "file": place("profiles.toml"), "default": true },
            { "profile": "c", "file": third, "default": false },
        ]})
    );
    let shown = as_user(&sandbox, &["profile", "show", "a", "-o", "json"]).json();
    assert_eq!(shown["authority"], "https://second.example");
    assert_eq!(
        shown["urls"],
        Value::Null,
        "nothing of the earlier one is left"
    );
    assert_eq!(asked_for(as_user(&sandbox, &["get"])), "b");

    // --config and its variable replace them all; the flag wins over the variable.
    fs::write(sandbox.path().join("other.toml"), profile("other", NOBODY)).expect("it is ours");
    sandbox.write_profiles(&profile("only", NOBODY));
    assert_eq!(asked_for(sandbox.run(&["get"])), "only");
    assert_eq!(
        asked_for(sandbox.run(&["get", "--config", "other.toml"])),
        "other"
    );
}

#[test]
fn nothing_is_read_from_the_current_directory() {
    let sandbox = user_files(&[]);
    let here = sandbox.path().join("here");
    fs::create_dir_all(here.join("profiles.d")).expect("it is ours");
    for name in [
        "profiles.toml",
        "cred-helper.toml",
        ".cred-helper.toml",
        "profiles.d/x.toml",
    ] {
        fs::write(here.join(name), profile("here", NOBODY)).expect("it is ours");
    }
    let mut command = sandbox.command(&["get"]);
    command.env_remove("CRED_HELPER_CONFIG").current_dir(&here);
    sandbox.run_command(command).failed(8);
}

#[test]
fn no_program_is_taken_from_the_current_directory() {
    let scene = Scene::of(at_once(), |issuer| {
        let of_program =
            "grant = \"client_credentials\"\nclient_secret = { command = [\"here\"] }\n";
        format!(
            "{}{}{of_program}{}urls = [\"https://forge.example/\"]\n",
            profile("api", issuer),
            profile("machine", issuer),
            // Nobody has signed in for it.
            profile("forge", issuer).replace("\"cli\"", "\"other\"")
        )
    });
    scene.run(&["login", "-p", "api"]).ok();
    let started = scene.file("started");
    let script = format!("touch '{}'\n", started.display());
    // git itself is on PATH, too, behind it.
    for name in ["here", "git"] {
        scene.sandbox.script(name, &script);
    }
    let paths = std::env::var("PATH").expect("PATH is set");
    let prepared = |words: &[&str]| {
        let mut command = scene.sandbox.command(words);
        command
            .env("PATH", format!("bin::.:{paths}"))
            .current_dir(scene.sandbox.path());
        command
    };
    let refused = "`here` cannot be started";
    let reason = "it is in no absolute directory of PATH";
    for (words, code) in [
        (&["get", "-p", "machine"][..], 3),
        (&["exec", "-p", "api", "--", "here"], 2),
    ] {
        for directory in [scene.sandbox.path(), &scene.sandbox.bin()] {
            let mut command = prepared(words);
            command.current_dir(directory);
            let error = scene.run_command(command).failed(code);
            assert!(error.contains(refused) && error.contains(reason), "{error}");
        }
    }
    let asked = "protocol=https\nhost=forge.example\n\n";
    let ran = scene
        .sandbox
        .run_with_input(prepared(&["git", "get"]), asked);
    assert!(ran.stderr.contains("login -p forge"), "{ran:?}");
    assert!(!started.exists(), "it was started");
    // What is named by its path is meant.
    let path = scene.sandbox.bin().join("here").display().to_string();
    for program in ["bin/here", &path] {
        let command = prepared(&["exec", "-p", "api", "--", program]);
        scene.run_command(command).ok();
        fs::remove_file(&started).expect("it was started");
    }
}

#[test]
fn without_any_file_the_hint_names_the_file_to_write() {
    let sandbox = user_files(&[]);
    let file = sandbox.path().join(".config/cred-helper/profiles.toml");
    for arguments in [
        &["get"][..],
        &["login"],
        &["profile", "list"],
        &["profile", "check"],
        &["get", "--url", "https://api.example/"],
        &["setup", "git"],
    ] {
        let error = as_user(&sandbox, arguments).failed(8);
        assert!(
            error.contains("\nhint: run `cred-helper profile add NAME`"),
            "{error}"
        );
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains("`cred-helper profile presets`"), "{error}");
    }
    let ran = as_user(&sandbox, &["status"]);
    let warning = "warning: there is no profile; run `cred-helper profile add NAME`";
    assert!(ran.stderr.starts_with(warning), "{ran:?}");
    ran.ok();
    let ran = as_user(&sandbox, &["status", "-o", "json"]);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.json(), json!({ "profiles": [] }));
    let error = sandbox.run(&["get", "--config", "absent.toml"]).failed(8);
    assert!(
        error.starts_with("error: there is no profile file `absent.toml`\nhint: "),
        "{error}"
    );
}
