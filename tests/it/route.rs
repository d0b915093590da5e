//! Which profile answers a tool, and who hears of it where a mistake keeps it from that.

use std::fs;
use std::process::Command;

use crate::scene::profile;
use crate::support::{Ran, Sandbox};

const NOBODY: &str = "https://login.example";

/// A tool's call: the line of a shell, what comes in on stdin, and `CRED_HELPER_PROFILE`.
fn tool(sandbox: &Sandbox, line: &str, stdin: &str, profile: Option<&str>) -> Ran {
    fs::write(sandbox.path().join("stdin"), stdin).expect("it can be written");
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command
        .env("PATH", sandbox.path_with_links())
        .args(["-c", &format!("exec cred-helper {line} < stdin")]);
    if let Some(name) = profile {
        command.env("CRED_HELPER_PROFILE", name);
    }
    sandbox.run_command(command)
}

const OF_GIT: &str = "protocol=https\nhost=api.example\n\n";
const OF_CARGO: &str = "{\"v\":1,\"registry\":{\"index-url\":\"sparse+https://api.example/\"},\"kind\":\"get\",\"operation\":\"read\"}\n";

#[test]
fn a_profile_that_the_variable_names_and_that_is_not_there_is_told_to_somebody() {
    let api = profile("api", NOBODY);
    let sandbox = Sandbox::new(&format!("{api}urls = [\"https://other.example/\"]\n"));
    let git = |name| tool(&sandbox, "git get", OF_GIT, Some(name));
    let ran = git("apo");
    assert_eq!(ran.stdout, "", "git asks somebody else");
    let error = ran.failed(8);
    assert_eq!(
        error,
        "error: there is no profile `apo`\nhint: did you mean `api`?\n"
    );
    // One that is there and does not answer for the host is none of git's business.
    let ran = git("api");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");

    let cargo = |name| tool(&sandbox, "--cargo-plugin", OF_CARGO, Some(name)).stdout;
    assert!(cargo("apo").contains("there is no profile `apo`"));
    assert!(cargo("api").contains("\"url-not-supported\""));
    // An argument of the helper wins over it.
    let ran = tool(&sandbox, "git -p api get", OF_GIT, Some("apo"));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_tool_hears_of_a_name_in_tools_that_no_tool_has() {
    let sandbox = Sandbox::new(&format!(
        "{}urls = [\"https://api.example/\"]\ntools = [\"gti\"]\n",
        profile("api", NOBODY)
    ));
    let ran = tool(&sandbox, "git get", OF_GIT, None);
    assert_eq!(ran.stdout, "quit=1\n", "the host is ours");
    assert!(
        ran.stderr
            .contains("there is no `gti`; did you mean `git`?")
    );
    let ran = tool(&sandbox, "cargo", OF_CARGO, None);
    assert!(ran.stdout.contains("did you mean `git`?"), "{ran:?}");
}
