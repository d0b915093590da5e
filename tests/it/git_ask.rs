//! Whether a person is asked, and what git does where there is nobody.

use serde_json::json;

use crate::git_ground::{BOTH, GitGround, gits};
use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::{eventually, for_each};

#[test]
fn where_nobody_can_be_asked_git_ends_with_the_command_that_signs_in_and_without_a_prompt() {
    for_each(gits(), |git| {
        let ground = GitGround::new(&git, json!({}), BOTH);
        let error = ground.run(&["clone", "-q", &ground.url("project"), "one"]);
        let error = error.failed(128);
        assert!(
            error.contains("hint: run `cred-helper login -p api`"),
            "{error}"
        );
        assert!(error.contains("told us to quit"), "{error}");
        assert!(!error.contains("Username"), "{error}");
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn whoever_tells_git_not_to_ask_is_not_asked_at_a_terminal_either() {
    let rows = gits().into_iter().flat_map(|git| {
        let lines = [
            "GIT_TERMINAL_PROMPT=0 git clone",
            "GIT_TERMINAL_PROMPT= git clone",
            "git -c credential.interactive=false clone",
            "git -c credential.interactive=never clone",
            "git -c credential.interactive= clone",
            "git -c credential.interactive=yes -c credential.interactive=no clone",
            "CRED_HELPER_INTERACTIVE=never git clone",
        ];
        lines.map(|line| (git.clone(), line))
    });
    for_each(rows, |(git, line)| {
        let ground = GitGround::new(&git, json!({}), BOTH);
        let line = format!("{line} {} one", ground.url("project"));
        let (code, shown) = ground.ground.sandbox.in_terminal(&line).end();
        assert_eq!(code, Some(128), "{line}: {shown}");
        assert!(shown.contains("run `cred-helper login -p api`"), "{shown}");
        assert!(!shown.contains("Username"), "{line}: {shown}");
        ground.ground.assert_requests(0, 0);
    });
}

#[test]
fn a_dead_sign_in_is_begun_anew_at_a_terminal_after_one_refresh() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let authority = &ground.ground.authority;
        authority.revoke(&ground.ground.refresh_token());
        ground.ground.expire();
        let clone = format!("git clone {} one", ground.url("project"));
        let terminal = ground.ground.sandbox.in_terminal(&clone);
        authority.approve(None, "ada");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        ground.ground.assert_requests(1, 1);
    });
}

#[test]
fn a_refusal_at_the_terminal_ends_git_and_the_next_run_does_not_ask_at_once() {
    for_each(gits(), |git| {
        let ground = GitGround::new(&git, json!({}), BOTH);
        let clone = format!("git clone {} one", ground.url("project"));
        let terminal = ground.ground.sandbox.in_terminal(&clone);
        ground.ground.authority.deny(None, "ada");
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(128), "{shown}");
        assert!(shown.contains("access_denied"), "{shown}");
        assert!(!shown.contains("Username"), "{shown}");

        let (code, shown) = ground.ground.sandbox.in_terminal(&clone).end();
        assert_eq!(code, Some(128), "{shown}");
        assert!(shown.contains("run `cred-helper login -p api`"), "{shown}");
        ground.ground.assert_requests(0, 1);
    });
}

#[test]
fn trouble_at_the_authority_ends_git_without_a_prompt_and_costs_no_sign_in() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        ground.ground.expire();
        ground.ground.authority.fault(json!({
            "on": "token", "fault": "status", "status": 503,
        }));
        let clone = ["clone", "-q", &ground.url("project"), "one"];
        let error = ground.run(&clone).failed(128);
        assert!(error.contains("told us to quit"), "{error}");
        assert!(!error.contains("Username"), "{error}");
        ground.run(&clone).ok();
        ground.ground.assert_requests(2, 0);
    });
}

#[test]
fn a_mistake_in_the_profile_of_a_host_ends_git_there_and_nowhere_else() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        ground.configure("[credential]\nhelper = cred-helper\n");
        ground.set_profile("clinet_secret = \"x\"\n");
        let error = ground.run(&["ls-remote", &ground.url("project")]);
        let error = error.failed(128);
        assert!(error.contains("clinet_secret"), "{error}");
        assert!(error.contains("told us to quit"), "{error}");
        let other = HttpServer::start(|_| Answer::challenge(BOTH.challenges));
        let error = ground.run(&["ls-remote", &other.url("/x.git")]).failed(128);
        assert!(error.contains("could not read Username"), "{error}");
        assert!(!error.contains("clinet_secret"), "{error}");
    });
}

#[test]
fn sixteen_clones_under_one_terminal_ask_once() {
    for_each(gits(), |git| {
        let ground = GitGround::new(&git, json!({}), BOTH);
        let line = format!(
            "for i in $(seq 16); do git clone -q {} clone-$i 2>errors-$i || echo failed $i & done; wait",
            ground.url("project")
        );
        let terminal = ground.ground.sandbox.in_terminal(&line);
        eventually("all others wait for the sign-in", || {
            let waits = "waiting for the sign-in that another process has begun";
            ground.ground.logged(waits) == 15
        });
        ground.ground.authority.approve(None, "ada");
        let shown = terminal.wait();
        assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
        assert!(!shown.contains("failed"), "{shown}");
        ground.ground.assert_requests(0, 1);
        for number in 1..=16 {
            let head = format!("clone-{number}/.git/HEAD");
            assert_eq!(ground.ground.read(&head), "ref: refs/heads/main");
        }
    });
}
