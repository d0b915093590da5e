//! A day with images: push, look, pull, delete; a sign-in, silence, a refresh, a revocation.

use std::fs;

use serde_json::json;

use crate::docker_ground::{DockerGround, Guard, ISSUED_TO, PODMAN};
use crate::oidc_ground::{eventually, for_each};
use crate::tool::{self, DOCKER, DOCKER_REGISTRY, SKOPEO, needs};

/// Fails unless all that came to the gate since it was reset was what we hand out.
#[track_caller]
fn assert_credentials(ground: &DockerGround, guard: Guard) {
    let expected = (guard.username().to_owned(), ground.secret());
    let credentials = ground.credentials();
    assert!(!credentials.is_empty(), "{guard:?}: nothing came");
    for came in credentials {
        assert_eq!(came, expected, "{guard:?}");
    }
}

#[test]
fn skopeo_pushes_looks_copies_and_deletes_by_each_way_in_which_registries_take_a_token() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    for_each(Guard::ALL, |guard| {
        let ground = DockerGround::signed_in(guard, json!({}));
        let image = format!(
            "--tls-verify=false docker://{}/team/image:1",
            ground.address()
        );
        ground.run(&ground.push()).ok();
        let tags = ground.run(&ground.list_tags()).json();
        assert_eq!(tags["Tags"], json!(["1"]), "{guard:?}");
        ground
            .run(&format!("skopeo inspect --raw {image} >seen"))
            .ok();
        ground
            .run(&format!(
                "skopeo --insecure-policy copy -q --src-tls-verify=false docker://{}/team/image:1 dir:copy",
                ground.address()
            ))
            .ok();
        assert_eq!(
            ground.ground.read("copy/manifest.json"),
            ground.ground.read("seen")
        );
        ground.run(&format!("skopeo delete {image}")).ok();
        let error = ground.run(&format!("skopeo inspect {image}")).failed(1);
        assert!(error.contains("unknown"), "{guard:?}: {error}");

        assert_eq!(ground.ground.authority.requests().total, 0, "{guard:?}");
        assert_credentials(&ground, guard);
    });
}

#[test]
fn podman_logs_in_pulls_and_pushes_by_each_way_in_which_registries_take_a_token() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(tool::PODMAN);
    for_each(Guard::ALL, |guard| {
        let ground = DockerGround::published(guard, json!({}));
        // It refuses to log in with an identity token, and works with one.
        if guard != Guard::IdentityToken {
            let said = ground.run(&ground.podman_login()).ok();
            assert!(said.contains("Existing credentials are valid"), "{said}");
        }
        pull_and_push(&ground, guard, PODMAN);
    });
}

#[test]
fn buildah_pulls_and_pushes_by_each_way_in_which_registries_take_a_token() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(tool::BUILDAH);
    for_each(Guard::ALL, |guard| {
        let ground = DockerGround::published(guard, json!({}));
        let buildah =
            "buildah --root=$HOME/buildah/root --runroot=$HOME/buildah/run --storage-driver=vfs";
        pull_and_push(&ground, guard, buildah);
    });
}

fn pull_and_push(ground: &DockerGround, guard: Guard, tool: &str) {
    let image = format!("{}/team/image", ground.address());
    ground
        .run(&format!(
            "{tool} pull -q --tls-verify=false {image}:1 && \
             {tool} push -q --tls-verify=false {image}:1 docker://{image}:2"
        ))
        .ok();
    let tags = ground.run(&ground.list_tags()).json();
    let count = tags["Tags"].as_array().map(Vec::len);
    assert_eq!(count, Some(2), "{guard:?}: {tags}");
    assert_eq!(ground.ground.authority.requests().total, 0, "{guard:?}");
    assert_credentials(ground, guard);
}

#[test]
fn docker_looks_at_an_image_by_each_way_in_which_registries_take_a_token() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    for_each(Guard::ALL, |guard| {
        let ground = DockerGround::published(guard, json!({}));
        for helper in ["cred-helper", "cred-helper-api"] {
            for configuration in [ground.helpers(helper), json!({ "credsStore": helper })] {
                ground.configure(&configuration);
                let manifest = ground.run(&ground.manifest()).json();
                assert_eq!(manifest["schemaVersion"], 2, "{configuration}");
            }
        }
        assert_eq!(ground.ground.authority.requests().total, 0, "{guard:?}");
        assert_credentials(&ground, guard);
    });
}

#[test]
fn the_first_call_asks_at_the_terminal_and_the_second_is_silent() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    needs!(tool::PODMAN);
    let rows = [
        DockerGround::list_tags,
        DockerGround::manifest,
        DockerGround::podman_login,
    ];
    for_each(rows, |line| {
        let ground = DockerGround::published(Guard::Service, json!({}));
        ground.ground.run(&["logout"]).ok();
        ground.ground.authority.reset_requests();
        let line = line(&ground);
        let (code, shown) = ground.run_at_a_terminal(&line, 1);
        assert_eq!(code, Some(0), "{line}: {shown}");
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        ground.ground.assert_requests(0, 1);
        ground.ground.authority.reset_requests();
        let ran = ground.run(&line);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn ctrl_c_at_the_prompt_ends_it_for_all_starts_of_one_command() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    let ground = DockerGround::published(Guard::Service, json!({}));
    ground.ground.run(&["logout"]).ok();
    ground.ground.authority.reset_requests();
    // docker lives through the first two.
    let line = format!("trap : INT; {} 2>&1; echo ended", ground.manifest());
    let (terminal, mut keyboard) = ground.with_keyboard(&line);
    eventually("a code is shown", || {
        keyboard.sees().contains("enter the code")
    });
    keyboard.type_in("\u{3}");
    let shown = terminal.wait();
    assert!(shown.contains("nobody is asked again before"), "{shown}");
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    ground.ground.assert_requests(0, 1);
}

#[test]
fn where_nobody_can_be_asked_each_tool_shows_which_command_signs_in() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    needs!(tool::PODMAN);
    let ground = DockerGround::new(Guard::Service, json!({}));
    for (line, code) in [
        (ground.list_tags(), 1),
        (ground.manifest(), 1),
        (format!("docker login {}", ground.address()), 1),
        (ground.podman_login(), 125),
    ] {
        let error = ground.run(&line).failed(code);
        assert!(
            error.contains("profile `api` needs a sign-in, and nobody may be asked here; hint: run `cred-helper login -p api`"),
            "{line}: {error}"
        );
    }
    assert_eq!(ground.credentials(), []);
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn an_expired_token_costs_one_refresh() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    let ground = DockerGround::published(Guard::Service, json!({}));
    ground.ground.expire();
    ground.run(&ground.list_tags()).ok();
    ground.run(&ground.list_tags()).ok();
    ground.ground.assert_requests(1, 0);
}

#[test]
fn sixteen_calls_at_once_from_an_expired_session_make_one_token_request() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    for_each(Guard::ALL, |guard| {
        let ground = DockerGround::published(guard, json!({}));
        ground.ground.expire();
        let line = ground.list_tags();
        let ran = ground.ground.at_once(16, |_| ground.run(&line));
        ran.into_iter().for_each(|ran| drop(ran.ok()));
        let exchanges = usize::from(guard == Guard::Exchange);
        assert_eq!(ground.exchanges(), exchanges);
        ground.ground.assert_refreshed_once();
    });
}

#[test]
fn sixteen_calls_under_one_terminal_ask_once() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    let ground = DockerGround::published(Guard::Service, json!({}));
    ground.ground.run(&["logout"]).ok();
    ground.ground.authority.reset_requests();
    let line = format!(
        "for i in $(seq 16); do {} >tags-$i 2>errors-$i || echo failed $i & done; wait",
        ground.list_tags()
    );
    let terminal = ground.in_terminal(&line);
    eventually("all others wait for the sign-in", || {
        let waits = "waiting for the sign-in that another process has begun";
        ground.ground.logged(waits) == 15
    });
    ground.ground.authority.approve(None, "ada");
    let shown = terminal.wait();
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    assert!(!shown.contains("failed"), "{shown}");
    ground.ground.assert_requests(0, 1);
}

#[test]
fn a_token_that_the_registry_rejects_is_mended_by_a_logout_that_keeps_the_sign_in() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    needs!(tool::PODMAN);
    let rows = [
        (Guard::Service, "docker logout ADDRESS"),
        (Guard::IdentityToken, "docker logout ADDRESS"),
        (
            Guard::Basic,
            "printf ADDRESS | docker-credential-cred-helper erase",
        ),
        (
            Guard::Service,
            "echo 'credential-helpers = [\"cred-helper\"]' >registries.conf && \
             CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf PODMAN logout ADDRESS",
        ),
    ];
    for_each(rows, |(guard, logout)| {
        let ground = DockerGround::published(guard, json!({}));
        ground.ground.authority.revoke(&ground.ground.get(&[]));
        // Nobody tells a helper.
        for _ in 0..2 {
            ground.run(&ground.list_tags()).failed(1);
        }
        ground.ground.assert_requests(0, 0);
        let logout = logout.replace("ADDRESS", ground.address());
        ground.run(&logout.replace("PODMAN", PODMAN)).ok();
        ground.ground.assert_requests(0, 0);
        ground.run(&ground.list_tags()).ok();
        ground.run(&ground.list_tags()).ok();
        ground.ground.assert_requests(1, 0);
    });
}

#[test]
fn what_a_registry_exchanged_is_kept_and_a_logout_brings_another() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    let ground = DockerGround::published(Guard::Exchange, json!({}));
    let first = ground.secret();
    ground.run(&ground.list_tags()).ok();
    assert_eq!((ground.secret(), ground.exchanges()), (first.clone(), 0));
    // Where the access token was revoked, the registry refuses it, and takes a new one.
    ground.ground.authority.revoke(&ground.ground.get(&[]));
    ground.ground.age(60);
    ground
        .run(&format!("docker logout {}", ground.address()))
        .ok();
    ground.run(&ground.list_tags()).ok();
    let second = ground.secret();
    assert_ne!(first, second);
    assert_eq!(ground.exchanges(), 1);
    ground.ground.assert_requests(1, 0);
    assert_ne!(
        second,
        ground.ground.get(&[]),
        "others get the access token"
    );
}

#[test]
fn a_login_with_our_token_goes_well_and_nothing_is_kept_and_one_with_another_password_does_not() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    needs!(tool::PODMAN);
    let ground = DockerGround::published(Guard::Service, json!({}));
    let address = ground.address();
    // podman has another's helper store only what its own file names.
    let file = ground.helpers("cred-helper").to_string();
    fs::write(ground.ground.sandbox.path().join("auth.json"), file).expect("it can be written");
    let podman = format!("{PODMAN} login --tls-verify=false --authfile=auth.json");
    let ada = ground.ground.get(&[]);
    for login in ["docker login", &podman] {
        let line = format!("cred-helper get | {login} -u ada --password-stdin {address}");
        let said = ground.run(&line).ok();
        assert!(said.contains("Login Succeeded"), "{line}: {said}");
    }
    // Somebody else's is as good for the registry; we would give ours the next time.
    ground.ground.sign_in("bob");
    for login in ["docker login", &podman] {
        let account = "--account ada@example.test";
        let line = format!("cred-helper get {account} | {login} -u ada --password-stdin {address}");
        let ran = ground.run(&line);
        assert_ne!(ran.code, Some(0), "{line}");
        assert!(
            ran.stderr.contains("cred-helper stores no passwords; its token for this registry comes from a sign-in; hint: run `cred-helper login -p api`"),
            "{line}: {ran:?}"
        );
    }
    // With an identity token that the registry issued for it the next time is ours again.
    let line = format!(
        "cred-helper get --account ada@example.test | docker login -u {ISSUED_TO} --password-stdin {address}"
    );
    assert!(ground.run(&line).ok().contains("Login Succeeded"));
    let count = ground.ground.sandbox.assert_kept_nowhere(&[&ada]);
    assert!(count > 10, "only {count} files were looked at");
}
