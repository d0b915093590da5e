//! What `--help` says.

use std::process::Command;

use crate::scene::{Scene, profile};
use crate::support::{Ran, Sandbox};

fn help(of: &[&str]) -> String {
    let arguments = [of, &["--help"]].concat();
    Sandbox::new("").run(&arguments).ok()
}

#[test]
fn options_of_every_command_stand_apart_from_a_command_s_own() {
    let own: [(&[&str], &str); 4] = [
        (&["get"], "--min-valid"),
        (&["git"], "--profile"),
        (&["status"], "--output"),
        (&["profile", "route"], "--tool"),
    ];
    for (command, option) in own {
        let text = help(command);
        let parts = text.split_once("\nOptions of every command:\n");
        let (first, second) = parts.unwrap_or_else(|| panic!("{text}"));
        assert!(first.contains(option), "{text}");
        assert!(!second.contains(option), "{text}");
        for global in [
            "--config",
            "--error-format",
            "--quiet",
            "--verbose",
            "--color",
        ] {
            assert!(!first.contains(global), "{text}");
            assert!(second.contains(global), "{text}");
        }
    }
}

/// Runs the lines of `get --help` that begin with `token=`, for the profile `graph`.
fn variable(sandbox: &Sandbox) -> Command {
    let text = help(&["get"]);
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("token="));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command
        .env("PATH", sandbox.path_with_links())
        .args(["-c", &format!("{line} && test -n \"$ACCESS_TOKEN\"")]);
    command
}

#[test]
fn the_variable_of_the_help_is_set_or_the_line_fails() {
    let scene = Scene::signed_in();
    let profiles = profile("graph", &scene.authority.issuer());
    scene.sandbox.write_profiles(&profiles);
    let ran: Ran = scene.run_command(variable(&scene.sandbox));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    scene.sandbox.write_profiles("");
    scene.run_command(variable(&scene.sandbox)).failed(8);
}
