//! What `--help` says.

use std::process::Command;

use crate::scene::{Scene, profile};
use crate::support::{Ran, Sandbox};
use crate::tool::{MAN, needs};

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

#[test]
fn what_was_probably_meant_is_proposed_in_a_line_that_can_be_pasted() {
    let sandbox = Sandbox::new("");
    for (words, error) in [
        (
            &["lgin"][..],
            "error: unrecognized subcommand `lgin`\n\
             hint: did you mean `login`? see `cred-helper --help`\n",
        ),
        (
            &["profile", "shwo", "x"],
            "error: unrecognized subcommand `shwo`\n\
             hint: did you mean `show`? see `cred-helper profile --help`\n",
        ),
        (
            &["gti", "get"],
            "error: unrecognized subcommand `gti`\n\
             hint: did you mean `git`? see `cred-helper --help`\n",
        ),
        (
            &["-q", "profile", "shwo", "list", "get"],
            "error: unrecognized subcommand `shwo`\n\
             hint: did you mean `show`? see `cred-helper profile --help`\n",
        ),
        (
            &["get", "--profil", "x"],
            "error: unexpected argument `--profil` found\n\
             hint: did you mean `--profile`? see `cred-helper get --help`\n",
        ),
        (
            &["status", "-o", "jsno"],
            "error: invalid value `jsno` for `--output <FORMAT>`\n\
             hint: did you mean `json`? it takes `table`, `json`; see `cred-helper status --help`\n",
        ),
        (
            &["profile", "route"],
            "error: the following required arguments were not provided: <URL>\n\
             hint: see `cred-helper profile route --help`\n",
        ),
        (
            &["-q"],
            "error: no command is named\nhint: see `cred-helper --help`\n",
        ),
        (
            &["\u{1b}[31mget"],
            "error: unrecognized subcommand `[31mget`\nhint: see `cred-helper --help`\n",
        ),
    ] {
        assert_eq!(sandbox.run(words).failed(2), error, "{words:?}");
    }
}

/// Every command that people type, with the words that lead to it.
pub(crate) fn commands() -> Vec<Vec<String>> {
    fn add(command: &clap::Command, above: &[String], found: &mut Vec<Vec<String>>) {
        for below in command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
        {
            let words = [above, &[below.get_name().to_owned()]].concat();
            found.push(words.clone());
            add(below, &words, found);
        }
    }
    let mut found = Vec::new();
    add(&cred_helper::cli::command_line(), &[], &mut found);
    found
}

#[test]
fn the_help_of_every_command_ends_with_an_example() {
    let whole = cred_helper::cli::command_line();
    for words in commands() {
        let mut command = &whole;
        for word in &words {
            command = command.find_subcommand(word).expect("it was found there");
        }
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let is_line = |line: &str| line.starts_with("  ") && !line.trim().is_empty();
        assert!(help.lines().any(is_line), "{words:?}: {help:?}");
    }
}

#[test]
fn each_command_has_a_manual_page_with_its_example_and_man_reads_it() {
    needs!(MAN);
    let sandbox = Sandbox::new("");
    let directory = sandbox.path().join("new/man1");
    let place = directory.display().to_string();
    sandbox.run(&["man", &place]).ok();
    let commands = commands();
    let written = std::fs::read_dir(&directory).expect("it was made").count();
    assert_eq!(written, commands.len() + 1);
    let read = |name: &str| {
        let mut command = Command::new("man");
        sandbox.prepare(&mut command);
        command.args(["--warnings", "-l"]).arg(directory.join(name));
        command.env("MANWIDTH", "200").env("LC_ALL", "C.UTF-8");
        let shown = sandbox.run_command(command);
        assert_eq!(shown.stderr, "", "{name}");
        shown.ok()
    };
    for words in &commands {
        assert!(
            directory
                .join(format!("cred-helper-{}.1", words.join("-")))
                .exists(),
            "{words:?}"
        );
    }
    let first = read("cred-helper.1");
    for expected in [
        "cred-helper-profile(1)",
        "login_required",
        "CRED_HELPER_CONFIG",
        "  130 ",
    ] {
        assert!(first.contains(expected), "{expected}: {first}");
    }
    let page = read("cred-helper-profile-route.1");
    for expected in [
        "cred-helper profile route [",
        "--config <FILE>",
        "EXAMPLES",
        "cred-helper(1)",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let taken = sandbox.path().join("file");
    std::fs::write(&taken, "mine").expect("it can be written");
    let error = sandbox
        .run(&["man", &taken.display().to_string()])
        .failed(9);
    assert!(error.contains("cannot be written"), "{error}");
}
