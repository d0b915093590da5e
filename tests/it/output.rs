//! Where an answer goes: a stdout that nobody reads any more, and one that cannot be written.

use crate::scene::Scene;
use crate::support::Ran;

/// Runs the binary with a shell's redirections.
fn redirected(scene: &Scene, redirections: &str, arguments: &[&str]) -> Ran {
    let line = format!("exec \"$0\" \"$@\" {redirections}");
    scene.run_command(scene.wrapped(&["sh", "-c", &line], arguments))
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let scene = Scene::signed_in();
    std::fs::write(scene.file("request"), "{\"kind\":\"status\"}\n").expect("it can be written");
    for (arguments, redirections) in [
        (&["get", "-p", "api"][..], ">/dev/full"),
        (&["get", "-p", "api", "-o", "json"], ">/dev/full"),
        (&["-q", "status"], ">/dev/full"),
        (&["profile", "list"], ">/dev/full"),
        (&["completions", "bash"], ">/dev/full"),
        (&["--help"], ">/dev/full"),
        (&["serve"], "<request >/dev/full"),
        (&["serve", "--once"], "<request >/dev/full"),
    ] {
        let error = redirected(&scene, redirections, arguments).failed(9);
        assert!(
            error.starts_with("error: the answer cannot be written to stdout\ncaused by: No space"),
            "{arguments:?}: {error}"
        );
    }
    // Nothing was lost.
    scene
        .run(&["get", "-p", "api", "--interactive", "never"])
        .ok();
}

#[test]
fn whoever_closed_stdout_does_not_want_the_answer() {
    let scene = Scene::signed_in();
    for arguments in [
        &["get", "-p", "api"][..],
        &["completions", "bash"],
        &["serve"],
    ] {
        // The pipe's reader has gone before the answer comes.
        let pipe = "</dev/null | :; exit ${PIPESTATUS:-0}";
        let line = format!("{{ sleep 0.2; \"$0\" \"$@\"; }} {pipe}");
        let command = scene.wrapped(&["bash", "-c", &line], arguments);
        let ran = scene.run_command(command);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_log_that_cannot_be_written_is_said_once_and_stops_nothing() {
    let scene = Scene::signed_in();
    let call = |arguments: &[&str]| {
        let mut command = scene.sandbox.command(arguments);
        command.env("CRED_HELPER_LOG", "trace,/absent/log");
        scene.run_command(command)
    };
    let ran = call(&["get", "--force-refresh"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let expected = "warning: the log `/absent/log` of CRED_HELPER_LOG cannot be written: ";
    assert!(ran.stderr.starts_with(expected), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    let quiet = call(&["get", "--force-refresh", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn verbose_says_where_the_token_came_from() {
    let scene = Scene::signed_in();
    for (arguments, source) in [
        (&["get", "-v"][..], "cache"),
        (&["get", "-v", "--force-refresh"], "refresh"),
        (&["get", "-v", "--scope", "demo"], "cache"),
    ] {
        let ran = scene.run(arguments);
        let line = format!("profile `api`: the token comes from `{source}`, valid until 2");
        assert!(ran.stderr.contains(&line), "{ran:?}");
        ran.ok();
    }
    assert_eq!(scene.run(&["get"]).stderr, "");
}
