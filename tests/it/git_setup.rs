//! The ways to set git up, beside other helpers, and for hosts with wishes of their own.

use std::fs;

use serde_json::json;

use crate::git_ground::{BASIC, BOTH, GitGround, Rules, gits, new_git, noise, old_git};
use crate::http_server::Request;
use crate::oidc_ground::for_each;

#[test]
fn each_way_to_name_the_helper_works() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let program = ground.ground.sandbox.bin().join("cred-helper");
        let program = program.display();
        let fetch = ["ls-remote", &ground.url("project")];
        for helper in [
            "cred-helper".to_owned(),
            "cred-helper-api".to_owned(),
            "cred-helper --profile api".to_owned(),
            "\"!cred-helper git\"".to_owned(),
            format!("\"{program} git -p 'api'\""),
        ] {
            ground.forge.reset();
            ground.configure(&ground.helper(&helper));
            ground.run(&fetch).ok();
            assert_eq!(ground.forge.schemes().len(), 1, "{helper}");
        }
        // A profile that is not there is a mistake that somebody should hear of.
        ground.configure(&ground.helper("cred-helper -p apo"));
        let error = ground.run(&fetch).failed(128);
        assert!(
            error.contains("error: there is no profile `apo`"),
            "{error}"
        );
    });
}

#[test]
fn helpers_that_store_keep_nothing_of_ours() {
    let beside = "[credential]\nhelper = store\nhelper = cache\nhelper = cred-helper\n";
    let rows = [
        // From 2.46 on git tells them not to, also where a large push goes with a password.
        new_git().map(|git| (git, beside.to_owned())),
        new_git().map(|git| (git, format!("{beside}helper = store\n"))),
        // Older ones tell nobody: there the recommended configuration leaves them out.
        old_git().map(|git| (git, format!("{beside}RECOMMENDED"))),
    ];
    for_each(rows.into_iter().flatten(), |(git, configuration)| {
        for rules in [BOTH, BASIC] {
            let ground = GitGround::signed_in(&git, json!({}), rules);
            let recommended = ground.helper("cred-helper");
            ground.configure(&configuration.replace("RECOMMENDED", &recommended));
            let run = |arguments: &[&str]| ground.run(arguments).ok();
            run(&["clone", "-q", &ground.url("project"), "one"]);
            let path = ground.ground.sandbox.path().join("one/large");
            fs::write(path, noise()).expect("it can be written");
            run(&["-C", "one", "add", "large"]);
            run(&["-C", "one", "commit", "-q", "-m", "large"]);
            run(&["-C", "one", "push", "-q"]);
            let is_large = |request: &Request| request.body.len() > 1 << 20;
            assert!(ground.forge.requests().iter().any(is_large));
            ground.assert_kept_nowhere(&ground.ground.get(&[]));
            let home = ground.ground.sandbox.path();
            assert!(!home.join(".git-credentials").exists());
            // The cache keeps in memory.
            let asked = format!("protocol=http\nhost={}\n\n", ground.forge.address());
            fs::write(home.join("asked"), asked).expect("it can be written");
            let cached = ground.shell("git credential-cache get < asked");
            assert_eq!(cached.ok(), "");
            ground.shell("git credential-cache exit").ok();
        }
    });
}

#[test]
fn a_host_that_takes_one_user_name_gets_it_whatever_the_url_says() {
    let rules = Rules {
        username: Some("x-token-auth"),
        ..BASIC
    };
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), rules);
        ground.set_profile("username = \"x-token-auth\"\n");
        for user in ["", "ada@", "a%3Ab@"] {
            let url = ground.url("project").replace("://", &format!("://{user}"));
            ground.run(&["ls-remote", &url]).ok();
        }
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn credentials_before_they_are_asked_for_suit_each_host() {
    let Some(git) = new_git() else { return };
    for_each([BOTH, BASIC], |rules| {
        let ground = GitGround::signed_in(&git, json!({}), rules);
        ground.configure("[credential]\nhelper = store\nhelper = cred-helper\n");
        let proactive = ["-c", "http.proactiveAuth=auto", "ls-remote"];
        for _ in 0..2 {
            ground
                .run(&[&proactive[..], &[&ground.url("project")]].concat())
                .ok();
        }
        ground.assert_kept_nowhere(&ground.ground.get(&[]));
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn a_mail_server_that_a_profile_names_gets_the_account_and_the_token() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let token = ground.ground.get(&[]);
        let keys = "client_id = \"cli\"\nscopes = [\"api:read\"]\n\
                    urls = [\"smtp://smtp.example.test:587\", \"imaps://imap.example.test\"]\n";
        ground.ground.set_profile(keys);
        ground.configure("[credential]\nhelper = cred-helper\n");
        for (asked, is_ours) in [
            ("protocol=smtp\nhost=smtp.example.test:587\n", true),
            ("protocol=imaps\nhost=imap.example.test\n", true),
            ("protocol=smtp\nhost=smtp.example.test\n", false),
            ("protocol=imap\nhost=imap.example.test\n", false),
            ("protocol=https\nhost=imap.example.test:993\n", false),
        ] {
            fs::write(
                ground.ground.sandbox.path().join("asked"),
                format!("capability[]=authtype\ncapability[]=state\n{asked}\n"),
            )
            .expect("it can be written");
            let ran = ground
                .ground
                .run_command(ground.shell_command("git credential fill < asked"));
            if !is_ours {
                let error = ran.failed(128);
                assert!(error.contains("could not read Username"), "{error}");
                continue;
            }
            let answer = ran.ok();
            let lines: Vec<&str> = answer.lines().collect();
            assert!(lines.contains(&"username=ada@example.test"), "{lines:?}");
            assert!(lines.contains(&format!("password={token}").as_str()));
            assert!(!answer.contains("credential="), "{lines:?}");
        }
    });
}

#[test]
fn where_a_path_alone_is_wanting_the_hint_names_the_command_that_mends_it() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let team = ground.forge.url("/team");
        ground.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{team}\"]\n"
        ));
        let fetch = ["ls-remote", &ground.url("project")];
        let error = ground.run(&fetch).failed(128);
        let hint = error.lines().find(|line| line.starts_with("hint: "));
        let command = hint.and_then(|line| line.split('`').nth(1));
        let command = command.unwrap_or_else(|| panic!("{error}"));
        // git's own prompt follows: it was declined, not stopped.
        assert!(error.contains("could not read Username"), "{error}");
        ground.shell(command).ok();
        ground.run(&fetch).ok();
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}
