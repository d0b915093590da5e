//! A program that is started with a token in its environment.

use std::fs;

use crate::scene::{Scene, profile};
use crate::support::Sandbox;

#[test]
fn the_token_is_in_the_environment_of_the_program_and_nowhere_else() {
    let scene = Scene::signed_in();
    let token = scene.run(&["get"]).ok();
    let token = token.trim_end();
    // Word by word, with its own exit code; what begins with a hyphen is the program's.
    let script = "printf '%s|%s|%s' \"$ACCESS_TOKEN\" \"$1\" \"$2\"";
    let ran = scene.run(&["exec", "sh", "-c", script, "sh", "-p", "two words"]);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.ok(), format!("{token}|-p|two words"));
    scene.run(&["exec", "--", "sh", "-c", "exit 7"]).failed(7);
    let shown = "printf '%s|%s|%s' \"$A\" \"$B\" \"$ACCESS_TOKEN\"";
    let line = [
        "exec",
        "-p",
        "api",
        "--env",
        "A",
        "--env=B=bearer",
        "--",
        "sh",
        "-c",
        shown,
    ];
    assert_eq!(scene.run(&line).ok(), format!("{token}|Bearer {token}|"));
    // No argument holds it, and whoever reads stdin is the program.
    let line = [
        "exec",
        "--",
        "sh",
        "-c",
        "tr '\\0' ' ' </proc/$$/cmdline; cat",
    ];
    let ran = scene
        .sandbox
        .run_with_input(scene.sandbox.command(&line), "what is typed");
    let said = ran.ok();
    assert!(
        said.ends_with("what is typed") && !said.contains(token),
        "{said}"
    );
}

#[test]
fn without_a_token_nothing_is_started() {
    let scene = Scene::signed_in();
    scene.run(&["logout"]).ok();
    let file = scene.sandbox.path().join("started");
    let place = file.display().to_string();
    let said = scene.run(&["exec", "--", "touch", &place]).failed(4);
    assert!(said.contains("cred-helper login"), "{said}");
    assert!(!file.exists());
}

#[test]
fn whatever_is_wrong_with_the_line_is_said_and_nobody_is_asked() {
    let scene = Scene::signed_in();
    let asked = scene.authority.requests().len();
    for (line, words) in [
        (&["exec"][..], "no program is named"),
        (&["exec", "-p", "api", "--"], "no program is named"),
        (
            &["exec", "--nope", "true"],
            "`--nope` is no option of `exec`",
        ),
        (
            &["exec", "--env", "1", "true"],
            "--env `1` is no name of a variable",
        ),
        (&["exec", "--env", "A=x", "true"], "--env: `x` is no format"),
        (
            &["exec", "--", "no-such-program"],
            "`no-such-program` cannot be started",
        ),
        (
            &["exec", "--min-valid", "x", "true"],
            "--min-valid `x` is no time",
        ),
    ] {
        let said = scene.run(line).failed(2);
        assert!(said.contains(words), "{line:?}: {said}");
    }
    assert_eq!(scene.authority.requests().len(), asked);
    let help = scene.run(&["exec", "--help"]).ok();
    assert!(help.contains("--env <VAR[=FORMAT]>"), "{help}");
}

#[test]
fn a_profile_says_whether_its_token_may_be_handed_to_a_program_so() {
    let profiles = format!(
        "{}tools = [\"git\"]\n[profiles.other]\nclient_id = \"c\"\nauthority = \
         \"https://example.test\"\nscopes = [\"s\"]\ntools = [\"exec\"]\n",
        profile("api", "https://example.test")
    );
    let sandbox = Sandbox::new(&profiles);
    sandbox.run(&["profile", "check"]).ok();
    let said = sandbox.run(&["exec", "-p", "api", "true"]).failed(8);
    assert!(said.contains("`exec`"), "{said}");
    sandbox.run(&["exec", "-p", "other", "true"]).failed(4);
}

#[test]
fn who_was_given_a_token_so_is_written_down() {
    let scene = Scene::signed_in();
    let config = scene.sandbox.config();
    let profiles = fs::read_to_string(&config).expect("there are profiles");
    scene
        .sandbox
        .write_profiles(&format!("[audit]\nenabled = true\n{profiles}"));
    scene.run(&["exec", "true"]).ok();
    let log = scene.run(&["log", "-o", "json"]).ok();
    assert!(log.contains("\"tool\":\"exec\""), "{log}");
}
