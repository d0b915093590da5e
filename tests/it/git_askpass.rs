//! git without a helper, which asks a program instead of the person.

use std::fs;

use serde_json::json;

use crate::git_ground::{BASIC, Git, GitGround, gits};
use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::for_each;
use crate::support::Ran;
use crate::tool::{SSH, needs};

/// How git is told: variables before it, and options.
const WAYS: [(&str, &str); 3] = [
    ("GIT_ASKPASS=cred-helper-askpass", ""),
    ("", "-c core.askPass=cred-helper-askpass"),
    ("SSH_ASKPASS=cred-helper-askpass", ""),
];

fn ground(git: &Git) -> GitGround {
    let ground = GitGround::new(git, json!({}), BASIC);
    ground.configure("");
    ground.ground.sandbox.link("cred-helper-askpass");
    ground.ground.sandbox.link("cred-helper-askpass-api");
    ground
}

fn signed_in(git: &Git) -> GitGround {
    let ground = ground(git);
    ground.ground.sign_in("ada");
    ground.ground.authority.reset_requests();
    ground
}

/// Looks at the project, as the first way says.
fn look(ground: &GitGround) -> Ran {
    let url = ground.url("project");
    ground.shell(&format!(
        "GIT_ASKPASS=cred-helper-askpass git ls-remote -q {url}"
    ))
}

#[test]
fn each_way_to_tell_git_clones_silently_and_the_first_time_asks_to_sign_in() {
    let rows = gits()
        .into_iter()
        .flat_map(|git| WAYS.map(|way| (git.clone(), way)));
    for_each(rows, |(git, (variables, options)): (Git, _)| {
        let ground = ground(&git);
        let url = ground.url("project");
        let line = |name: &str| format!("{variables} git {options} clone -q {url} {name}");
        let shown = ground.ground.shell_as_ada(&line("one"));
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        assert!(!shown.contains("Username for"), "{shown}");
        ground.ground.authority.reset_requests();
        let ran = ground.shell(&format!("GIT_TERMINAL_PROMPT=0 {}", line("two")));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert_eq!(ground.ground.authority.requests().total, 0);
        let schemes = ground.forge.schemes();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["Basic"]);
        ground.assert_kept_nowhere(&ground.ground.get(&[]));
    });
}

#[test]
fn an_expired_token_is_refreshed_and_of_a_revoked_one_nobody_hears() {
    for_each(gits(), |git| {
        let ground = signed_in(&git);
        ground.ground.expire();
        look(&ground).ok();
        look(&ground).ok();
        ground.ground.assert_requests(1, 0);
        ground.ground.authority.revoke(&ground.ground.get(&[]));
        let error = look(&ground).failed(128);
        assert!(error.contains("Authentication failed"), "{error}");
        ground.ground.get(&["--force-refresh"]);
        look(&ground).ok();
        ground.ground.assert_requests(2, 0);
    });
}

#[test]
fn where_nobody_may_be_asked_the_command_that_signs_in_is_told() {
    for_each(gits(), |git| {
        let ground = ground(&git);
        let url = ground.url("project");
        let line =
            format!("GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=cred-helper-askpass git ls-remote {url}");
        let (code, shown) = ground.ground.sandbox.in_terminal(&line).end();
        assert_eq!(code, Some(128), "{shown}");
        assert!(shown.contains("cred-helper login -p api"), "{shown}");
        assert_eq!(ground.ground.authority.requests().total, 0);
        assert!(ground.forge.schemes().is_empty());
    });
}

#[test]
fn a_host_that_no_profile_names_gets_nothing_whatever_its_address_looks_like() {
    for_each(gits(), |git| {
        let ground = signed_in(&git);
        let evil = HttpServer::start(|_| Answer::challenge(BASIC.challenges));
        let (good, bad) = (ground.forge.address(), evil.address());
        for url in [
            format!("http://{bad}/x"),
            format!("http://{good}@{bad}/x"),
            format!("http://{}@{bad}/x", good.replace(':', "%3a")),
            format!("http://{}%2f@{bad}/x", good.replace(':', "%3a")),
            format!("http://{}%3f@{bad}/x", good.replace(':', "%3a")),
            format!("http://{}%27%3a%20@{bad}/x", good.replace(':', "%3a")),
            format!("http://{bad}/@{good}/x"),
            format!("http://{bad}/x%27%3a%20http%3a%2f%2f{good}"),
        ] {
            for options in [
                "",
                "-c credential.sanitizePrompt=false -c credential.useHttpPath=true",
            ] {
                let line = format!(
                    "GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=cred-helper-askpass git {options} ls-remote '{url}'"
                );
                let error = ground.shell(&line).failed(128);
                let is_told =
                    error.contains("has no answer to") || url.contains(&format!("{good}@"));
                assert!(is_told, "{line}: {error}");
            }
        }
        // Of what stands in a URL git itself sends the password: the port of the good one.
        let token = ground.ground.get(&[]);
        for request in evil.requests() {
            assert!(!format!("{request:?}").contains(&token), "{request:?}");
            let (_, credentials) = request.authorization();
            assert!(credentials.len() < 100, "{request:?}");
        }
        assert_eq!(ground.ground.authority.requests().total, 0);
        look(&ground).ok();
    });
}

#[test]
fn ssh_gets_no_token_whatever_its_server_has_it_ask() {
    let Some(git) = gits().into_iter().next() else {
        return;
    };
    let ground = signed_in(&git);
    let sandbox = &ground.ground.sandbox;
    let question = format!("Password for 'http://{}': ", ground.forge.address());
    let script = format!("\"$SSH_ASKPASS\" \"{question}\"\ncode=$?\nexit $code\n");
    sandbox.script("ssh", &script);
    sandbox.script("other", &script);
    let ask = |program: &str, askpass: &str| {
        ground
            .ground
            .shell(&format!("SSH_ASKPASS={askpass} {program}"))
    };
    let error = ask("ssh", "cred-helper-askpass").failed(1);
    assert!(error.contains("ssh asks it"), "{error}");
    let token = ground.ground.get(&[]);
    assert_eq!(ask("other", "cred-helper-askpass").ok().trim_end(), token);
    assert_eq!(
        ask("other", "cred-helper-askpass-api").ok().trim_end(),
        token
    );
    sandbox.link("cred-helper-askpass-nobody");
    ask("other", "cred-helper-askpass-nobody").failed(8);

    // A word of ours in a question is no word to us.
    for line in [
        "cred-helper-askpass --help",
        "cred-helper-askpass --version",
        "cred-helper-askpass -- x",
        "cred-helper askpass 'Are you sure (yes/no)? '",
    ] {
        let ran = ground.ground.shell(line);
        assert!([Some(1), Some(2)].contains(&ran.code), "{line}: {ran:?}");
        assert_eq!(ran.stdout, "", "{line}");
    }
    // A token of any size.
    let mut session = ground.ground.session();
    let row = &mut session["content"]["accounts"][0]["access_tokens"][0]["secret"];
    let large = "a".repeat(16 * 1024);
    *row = json!(large);
    ground.ground.write_session(&session);
    assert_eq!(ask("other", "cred-helper-askpass").ok().trim_end(), large);
    fs::remove_file(sandbox.bin().join("ssh")).expect("it is there");
}

#[test]
fn the_passphrase_of_a_key_is_not_ours_to_know() {
    needs!(SSH);
    let Some(git) = gits().into_iter().next() else {
        return;
    };
    let ground = signed_in(&git);
    let ran = ground.ground.shell(
        "ssh-keygen -q -t ed25519 -N canary-passphrase -f key && \
         SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=cred-helper-askpass ssh-keygen -y -f key",
    );
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("has no answer to `Enter passphrase"),
        "{ran:?}"
    );
    assert_eq!(ran.stdout, "");
}
