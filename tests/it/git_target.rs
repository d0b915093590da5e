//! Where a token goes, and above all where it does not.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::git_ground::{BOTH, GitGround, gits};
use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::for_each;

/// A stranger who asks for credentials as the forge does.
fn stranger() -> HttpServer {
    HttpServer::start(|_| Answer::challenge(BOTH.challenges))
}

/// Asks us for every host, as somebody does who did not follow the advice.
const FOR_ALL: &str = "[credential]\nhelper = cred-helper\n";

#[test]
fn a_host_that_no_profile_names_is_left_to_git_without_a_word() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let other = stranger();
        let fetch = ["ls-remote", &other.url("/team/project.git")];
        ground.configure("");
        let without = ground.run(&fetch);
        ground.configure(FOR_ALL);
        let with = ground.run(&fetch);
        assert!(with.stderr.contains("could not read Username"), "{with:?}");
        assert_eq!(
            (with.code, with.stdout, with.stderr),
            (without.code, without.stdout, without.stderr)
        );
        // Another helper behind us is asked as if we were not there, and what was wrong with
        // what it gave is none of our business.
        let url = other.url("").replace("http://", "http://eve:hunter-2@");
        let path = ground.ground.sandbox.path().join(".git-credentials");
        fs::write(&path, format!("{url}\n")).expect("it can be written");
        ground.configure(&format!("{FOR_ALL}helper = store\n"));
        let error = ground.run(&fetch).failed(128);
        assert!(error.contains("Authentication failed"), "{error}");
        assert!(!error.contains("cred-helper"), "{error}");
        assert_eq!(other.schemes()["Basic"], 1);
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn a_token_goes_to_no_other_host_port_or_scheme() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        ground.configure(FOR_ALL);
        let token = ground.ground.get(&[]);
        let other = stranger();
        let own = ground.forge.address().to_owned();
        let port = own.split(':').nth(1).expect("it has a port").to_owned();
        let theirs = other.address().to_owned();
        for url in [
            format!("http://{theirs}/team/project.git"),
            format!("http://{theirs}/{own}/team/project.git"),
            format!("http://{theirs}/http://{own}/team/project.git"),
            format!("http://{own}@{theirs}/team/project.git"),
            format!("http://127.0.0.1%3a{port}%2f@{theirs}/team/project.git"),
            // The forge itself, but under another name.
            format!("http://localhost:{port}/team/project.git"),
        ] {
            ground
                .ground
                .run_command(ground.command(&["ls-remote", &url]))
                .failed(128);
        }
        assert!(other.requests().len() >= 5, "it was asked");
        for request in other.requests().iter().chain(&ground.forge.requests()) {
            // git sends what stands in the URL itself.
            let (scheme, credentials) = request.authorization();
            let pair = STANDARD.decode(credentials).unwrap_or_default();
            assert_ne!(scheme, "Bearer", "{request:?}");
            let pair = String::from_utf8(pair).expect("it is what stands in the URL");
            assert!(!pair.contains(&token), "{request:?}");
        }
        ground.forge.reset();
        // The same address, but https in the profile.
        let keys =
            format!("client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"https://{own}/\"]\n");
        ground.ground.set_profile(&keys);
        ground
            .run(&["ls-remote", &ground.url("project")])
            .failed(128);
        assert_eq!(ground.forge.schemes().len(), 0);
        // And it would have gone to the right one.
        ground.set_profile("");
        ground.run(&["ls-remote", &ground.url("project")]).ok();
        assert_eq!(ground.forge.schemes().len(), 1);
    });
}

#[test]
fn a_token_follows_neither_a_redirect_nor_a_submodule_to_a_stranger() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let other = stranger();
        let elsewhere = other.url("/team/project.git");
        // A host of ours that sends whoever brings a token somewhere else.
        let sends_away = HttpServer::start({
            let elsewhere = elsewhere.clone();
            move |request| match request.authorization().0 {
                "" => Answer::challenge(BOTH.challenges),
                _ => {
                    let target = format!("{elsewhere}/info/refs?{}", request.query);
                    Answer::new(302, "").with("Location", &target)
                }
            }
        });
        let keys = format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\", \"{}\"]\n",
            ground.forge.url("/"),
            sends_away.url("/")
        );
        ground.ground.set_profile(&keys);
        ground.configure(FOR_ALL);
        ground
            .run(&["ls-remote", &sends_away.url("/team/project.git")])
            .failed(128);
        assert!(!sends_away.schemes().is_empty(), "it got its token");
        assert!(!other.requests().is_empty(), "git followed");
        assert!(other.schemes().is_empty(), "{:?}", other.requests());

        // A repository of ours with a part at a stranger's.
        other.reset();
        let path = ground
            .ground
            .sandbox
            .path()
            .join("seed-project/.gitmodules");
        let modules = format!("[submodule \"part\"]\npath = part\nurl = {elsewhere}\n");
        fs::write(path, modules).expect("it can be written");
        let run = |arguments: &[&str]| ground.run(arguments).ok();
        let head = run(&["-C", "seed-project", "rev-parse", "HEAD"]);
        let entry = format!("160000,{},part", head.trim_end());
        run(&["-C", "seed-project", "add", ".gitmodules"]);
        run(&[
            "-C",
            "seed-project",
            "update-index",
            "--add",
            "--cacheinfo",
            &entry,
        ]);
        run(&["-C", "seed-project", "commit", "-q", "-m", "a part"]);
        run(&[
            "-C",
            "seed-project",
            "push",
            "-q",
            &ground.url("project"),
            "main",
        ]);
        let clone = [
            "clone",
            "-q",
            "--recurse-submodules",
            &ground.url("project"),
            "one",
        ];
        assert_ne!(ground.run(&clone).code, Some(0));
        assert!(ground.ground.sandbox.path().join("one/.git").exists());
        assert!(!other.requests().is_empty(), "git asked for the part");
        assert!(other.schemes().is_empty(), "{:?}", other.requests());
    });
}
