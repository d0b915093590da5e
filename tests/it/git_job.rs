//! A day with git: clone, fetch, push, submodules; a sign-in, silence, a refresh, a revocation.

use serde_json::json;

use crate::git_ground::{
    BASIC, BEARER, BOTH, Git, GitGround, Rules, gits, new_git, noise, old_git,
};
use crate::oidc_ground::for_each;

#[test]
fn clone_fetch_push_and_submodules_work_with_tokens_that_the_authority_knows() {
    let rows = [(new_git(), BOTH, "Bearer"), (new_git(), BASIC, "Basic")]
        .into_iter()
        .chain([(old_git(), BOTH, "Basic"), (old_git(), BASIC, "Basic")]);
    let rows = rows.filter_map(|(git, rules, scheme)| Some((git?, rules, scheme)));
    for_each(rows, |(git, rules, scheme): (Git, Rules, &str)| {
        let ground = GitGround::signed_in(&git, json!({}), rules);
        ground.add_repository("part");
        let run = |arguments: &[&str]| ground.run(arguments).ok();
        run(&["clone", "-q", &ground.url("project"), "one"]);
        run(&["clone", "-q", &ground.url("project"), "two"]);

        // More than a mebibyte: the pack goes in chunks, behind a small request that tries whether
        // the server lets it in.
        let path = ground.ground.sandbox.path().join("one/noise");
        std::fs::write(path, noise()).expect("it can be written");
        run(&["-C", "one", "add", "noise"]);
        run(&[
            "-C",
            "one",
            "submodule",
            "--quiet",
            "add",
            &ground.url("part"),
        ]);
        run(&["-C", "one", "commit", "-q", "-m", "noise and a part"]);
        run(&["-C", "one", "push", "-q", "origin", "main"]);

        run(&["-C", "two", "fetch", "-q"]);
        let pushed = run(&["-C", "one", "rev-parse", "main"]);
        assert_eq!(run(&["-C", "two", "rev-parse", "origin/main"]), pushed);
        run(&["-C", "two", "pull", "-q", "--recurse-submodules"]);
        let whole = ["clone", "-q", "--recurse-submodules"];
        run(&[&whole[..], &[&ground.url("project"), "three"]].concat());
        let part = run(&["-C", "three/part", "log", "--format=%s"]);
        assert_eq!(part, "part\n");

        // Only the large push may go another way.
        let mut schemes = ground.forge.schemes();
        assert!(schemes.remove(scheme) > Some(10), "{git:?} {schemes:?}");
        assert!(schemes.values().sum::<usize>() <= 2, "{git:?} {schemes:?}");
        assert_eq!(ground.ground.authority.requests().total, 0, "all is silent");
        ground.assert_kept_nowhere(&ground.ground.get(&[]));
    });
}

#[test]
fn the_first_clone_asks_at_the_terminal_and_the_second_is_silent() {
    for_each(gits(), |git| {
        let ground = GitGround::new(&git, json!({}), BOTH);
        let clone = format!("git clone {} one", ground.url("project"));
        let terminal = ground.ground.sandbox.in_terminal(&clone);
        ground.ground.authority.approve(None, "ada");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        assert!(!shown.contains("Username"), "{shown}");
        ground.ground.learn();
        ground.ground.sandbox.scan("the terminal", &shown);
        ground.ground.assert_requests(0, 1);

        ground.ground.authority.reset_requests();
        let ran = ground.run(&["-C", "one", "fetch"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn an_expired_token_costs_one_refresh() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        ground.ground.expire();
        for name in ["one", "two"] {
            ground
                .run(&["clone", "-q", &ground.url("project"), name])
                .ok();
        }
        ground.ground.assert_requests(1, 0);
    });
}

#[test]
fn a_revoked_token_costs_one_failed_run_and_one_refresh_and_no_sign_in() {
    let rows = gits().into_iter().flat_map(|git| {
        let rules = [BOTH, BASIC, BEARER].map(|rules| (git.clone(), rules));
        let is_possible = |(git, rules): &(Git, Rules)| {
            git.knows_authtype() || rules.challenges != BEARER.challenges
        };
        rules.into_iter().filter(is_possible)
    });
    let rows = rows.flat_map(|(git, rules)| {
        let proactive = [&[][..], &["-c", "http.proactiveAuth=auto"]];
        proactive.map(|options| (git.clone(), rules, options))
    });
    for_each(rows, |(git, rules, options): (Git, Rules, &[&str])| {
        let ground = GitGround::signed_in(&git, json!({}), rules);
        let url = ground.url("project");
        let fetch = [options, &["ls-remote", "-q", &url]].concat();
        let token = ground.ground.get(&[]);
        ground.run(&fetch).ok();
        ground.ground.authority.revoke(&token);

        let error = ground.run(&fetch).failed(128);
        assert!(error.contains("Authentication failed"), "{error}");
        assert!(!error.contains("cred-helper"), "{error}");
        ground.ground.assert_requests(0, 0);

        ground.run(&fetch).ok();
        ground.run(&fetch).ok();
        ground.ground.assert_requests(1, 0);
        assert_ne!(ground.ground.get(&[]), token);
    });
}

#[test]
fn sixteen_clones_at_once_from_an_expired_session_make_one_token_request() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({ "rotate": true }), BOTH);
        ground.ground.expire();
        let ran = ground.ground.at_once(16, |number| {
            let name = format!("clone-{number}");
            ground.run(&["clone", "-q", &ground.url("project"), &name])
        });
        for ran in ran {
            let waited = "waiting for another process that refreshes this session";
            let mut said = ran.stderr.lines();
            assert!(said.all(|line| line.starts_with(waited)), "{ran:?}");
            ran.ok();
        }
        ground.ground.assert_refreshed_once();
    });
}

#[test]
fn a_host_that_takes_bearer_alone_needs_a_buffer_as_large_as_the_push() {
    let Some(git) = new_git() else { return };
    let ground = GitGround::signed_in(&git, json!({}), BEARER);
    let path = ground.ground.sandbox.path().join("one/noise");
    let run = |arguments: &[&str]| ground.run(arguments).ok();
    run(&["clone", "-q", &ground.url("project"), "one"]);
    run(&["-C", "one", "commit", "-q", "--allow-empty", "-m", "small"]);
    run(&["-C", "one", "push", "-q"]);
    std::fs::write(path, noise()).expect("it can be written");
    run(&["-C", "one", "add", "noise"]);
    run(&["-C", "one", "commit", "-q", "-m", "large"]);
    run(&["-C", "one", "-c", "http.postBuffer=524288000", "push", "-q"]);
    assert_eq!(
        ground.forge.schemes().keys().collect::<Vec<_>>(),
        ["Bearer"]
    );
    assert_eq!(ground.ground.authority.requests().total, 0);
}
