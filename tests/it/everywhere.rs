//! The core as it has to work on every system, wine's Windows too: a sign-in, its refresh and its end,
//! many processes at once and one that dies, tools that are answered, and places with odd names.

use std::fs;
use std::process::Child;

use crate::scene::{Scene, at_once, profile};
use crate::support::{Ran, detached};

/// Starts a call without a terminal.
fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let command = scene.sandbox.command(arguments);
    detached(command).spawn().expect("the binary starts")
}

#[test]
fn somebody_signs_in_is_given_tokens_and_signs_out() {
    let scene = Scene::new();
    let error = scene.run(&["get"]).failed(4);
    assert!(
        error.contains("hint: run `cred-helper login -p api`"),
        "{error}"
    );
    let shown = scene.run(&["login"]).stderr;
    assert!(shown.contains(&scene.authority.url("/device")), "{shown}");

    let first = scene.run(&["get"]).ok();
    let second = scene.run(&["get", "--force-refresh", "-o", "json"]).json();
    assert_eq!(second["source"], "refresh");
    assert_ne!(second["access_token"], first.trim_end());
    let third = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(third["source"], "cache");
    assert_eq!(third["access_token"], second["access_token"]);
    let status = scene.run(&["status", "-o", "json"]).json();
    let account = &status["profiles"][0]["accounts"][0];
    assert_eq!(account["account"], "ada@example.test");
    assert_eq!(account["signed_in"], true);

    scene.run(&["logout"]).ok();
    scene.run(&["get"]).failed(4);
    assert_eq!(scene.sandbox.sessions().len(), 0);
}

#[test]
fn profiles_are_found_and_a_mistake_is_told_with_its_place() {
    let scene = Scene::of(at_once(), |issuer| {
        let urls = "urls = [\"https://api.example/\"]\n";
        format!(
            "{}{urls}{}",
            profile("api", issuer),
            profile("other", issuer)
        )
    });
    let config = scene.sandbox.config().display().to_string();
    let list = scene.run(&["profile", "list", "-o", "json"]).json();
    assert_eq!(list["profiles"][1]["profile"], "other");
    assert_eq!(list["profiles"][1]["file"], config);
    for (arguments, named) in [
        (&["get", "--url", "https://api.example/x"][..], "api"),
        (&["get", "-p", "other"], "other"),
        // In the current directory, which is the sandbox.
        (&["get", "--config", "profiles.toml", "-p", "api"], "api"),
    ] {
        let error = scene.run(arguments).failed(4);
        assert!(error.contains(&format!("`{named}`")), "{error}");
    }
    // As editors on Windows leave it: with a mark before the first character, and carriage returns.
    let text = fs::read_to_string(&config).expect("it is there");
    let text = text.replace('\n', "\r\n");
    scene.sandbox.write_profiles(&format!("\u{feff}{text}"));
    scene.run(&["profile", "check"]).ok();
    scene
        .sandbox
        .write_profiles(&format!("{text}scopes = 7\r\n"));
    let error = scene.run(&["profile", "check"]).failed(3);
    assert!(error.contains(&format!("{config}:10:")), "{error}");
}

#[test]
fn of_many_processes_that_find_a_token_ended_one_refreshes_it_for_all() {
    // What is sealed cannot be made older from outside.
    let scene = Scene::of(at_once(), |issuer| {
        format!("{}[store]\nseal = \"none\"\n", profile("api", issuer))
    });
    scene.run(&["login"]).ok();
    for round in 1..=2 {
        scene.age(-1);
        let calls: Vec<Child> = (0..16).map(|_| start(&scene, &["get"])).collect();
        let answers: Vec<String> = calls
            .into_iter()
            .map(|call| call.wait_with_output().expect("it can be waited for"))
            .map(|output| scene.sandbox.checked(output).ok())
            .collect();
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
        assert_eq!(scene.refreshes(), round);
    }
    let names = scene.beside_session();
    assert!(
        !names.iter().any(|name| name.starts_with(".tmp")),
        "{names:?}"
    );
}

#[test]
fn a_process_that_is_killed_while_it_refreshes_leaves_the_lock_and_the_sign_in() {
    let scene = Scene::signed_in();
    let issued = scene.authority.snapshot();
    scene.authority.hold();
    let mut killed = start(&scene, &["get", "--force-refresh"]);
    scene.authority.wait_until(|state| state.held == 1);
    killed.kill().expect("it is ours");
    killed.wait().expect("it can be waited for");
    scene.authority.release();
    scene.authority.settle();
    // The request that it had sent never came.
    scene.authority.restore(&issued);

    let answer = scene.run(&["get", "--force-refresh", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
}

#[test]
fn tools_are_answered_with_the_bytes_they_expect() {
    let scene = Scene::of(at_once(), |issuer| {
        let urls = "urls = [\"https://api.example/\"]\n";
        format!("{}{urls}", profile("api", issuer))
    });
    scene.run(&["login"]).ok();
    let token = scene.run(&["get"]).ok();
    let token = token.trim_end();
    let tool = |words: &[&str], input: &str| -> Ran {
        let command = scene.sandbox.command(words);
        scene.sandbox.run_with_input(command, input)
    };

    let asked = "capability[]=authtype\nprotocol=https\nhost=api.example\n\n";
    let answer = tool(&["git", "get"], asked).ok();
    assert!(
        answer.contains(&format!("credential={token}\n")),
        "{answer}"
    );
    assert!(!answer.contains('\r'), "{answer:?}");
    let stored = format!("{}{answer}\n", asked.trim_end_matches('\n'));
    assert_eq!(tool(&["git", "store"], &stored).ok(), "");

    let registry = r#"{"index-url":"sparse+https://api.example/"}"#;
    let asked =
        format!("{{\"v\":1,\"registry\":{registry},\"kind\":\"get\",\"operation\":\"read\"}}");
    for end in ["\n", "\r\n"] {
        let answer = tool(&["--cargo-plugin"], &format!("{asked}{end}")).ok();
        let lines: Vec<&str> = answer.lines().collect();
        assert_eq!(lines.len(), 2, "{answer}");
        assert!(lines[1].contains(&format!("\"token\":\"Bearer {token}\"")));
        assert!(!answer.contains('\r'), "{answer:?}");

        let asked = format!("{{\"kind\":\"get\",\"profile\":\"api\"}}{end}");
        let answer = tool(&["serve"], &asked).ok();
        assert!(answer.contains(&format!("\"{token}\"")), "{answer}");
    }
}

#[test]
fn names_that_are_not_plain_are_as_good_as_others() {
    let long = "directory/".repeat(40);
    for (profile_name, state) in [
        ("con", "two words"),
        ("nul", "Schlüssel der 鍵"),
        ("aux", long.as_str()),
    ] {
        let scene = Scene::of(at_once(), |issuer| profile(profile_name, issuer));
        let state = scene.sandbox.path().join(state);
        let run = |arguments: &[&str]| {
            let mut command = scene.sandbox.command(arguments);
            command.env("CRED_HELPER_STATE", &state);
            scene.run_command(command)
        };
        run(&["login"]).ok();
        run(&["get", "--force-refresh"]).ok();
        let answer = run(&["get", "-o", "json"]).json();
        assert_eq!(answer["profile"], profile_name);
        assert_eq!(answer["source"], "cache");
        run(&["logout"]).ok();
        run(&["get"]).failed(4);
    }
}

#[test]
fn what_is_read_while_it_is_replaced_is_whole() {
    let scene = Scene::signed_in();
    let mut refreshes = start(&scene, &["get", "--force-refresh"]);
    // Held open, as by a virus scanner or a backup.
    let open = fs::File::open(scene.sandbox.session()).expect("it is there");
    while refreshes.try_wait().expect("it can be asked").is_none() {
        // Sealed or not.
        assert_eq!(scene.header()["version"], 1);
    }
    drop(open);
    let output = refreshes.wait_with_output().expect("it can be waited for");
    scene.sandbox.checked(output).ok();
}
