//! Which registry gets a token, and above all which does not.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::docker_ground::{DockerGround, Guard};
use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::for_each;
use crate::support::Sandbox;
use crate::tool::{DOCKER, DOCKER_REGISTRY, SKOPEO, needs};

#[test]
fn a_registry_that_no_profile_names_is_read_without_credentials() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    let ground = DockerGround::published(Guard::Service, json!({}));
    let public = |line: String| line.replace("/team/", "/public/");
    ground.run(&public(ground.push())).ok();
    ground.gate.reset();
    ground.ground.set_profile(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"https://registry.example.test/\"]\n",
    );
    for configuration in [
        ground.helpers("cred-helper"),
        ground.helpers("cred-helper-api"),
        json!({ "credsStore": "cred-helper" }),
    ] {
        ground.configure(&configuration);
        for line in [ground.list_tags(), ground.manifest()] {
            let ran = ground.run(&public(line));
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        }
        let error = ground.run(&ground.list_tags()).failed(1);
        assert!(!error.contains("cred-helper"), "{error}");
    }
    assert!(ground.gate.requests().len() > 4, "somebody was asked");
    assert_eq!(ground.credentials(), []);
    assert_eq!(ground.ground.authority.requests().total, 0);

    // A profile that is not there is a mistake that somebody should hear of.
    ground
        .ground
        .sandbox
        .link("docker-credential-cred-helper-apo");
    ground.configure(&ground.helpers("cred-helper-apo"));
    let error = ground.run(&public(ground.list_tags())).failed(1);
    assert!(error.contains("there is no profile `apo`"), "{error}");
}

#[test]
fn a_token_goes_to_no_other_host_or_port() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    let ground = DockerGround::published(Guard::Basic, json!({}));
    let stranger = HttpServer::start(|_| Answer::challenge(&["Basic realm=\"registry\""]));
    let token = ground.ground.get(&[]);
    let own = ground.address().to_owned();
    let (_, port) = own.split_once(':').expect("it has a port");
    // The registry itself, but under another name; and a stranger.
    let addresses = [format!("localhost:{port}"), stranger.address().to_owned()];
    let helpers: serde_json::Map<String, Value> = addresses
        .iter()
        .map(|address| (address.clone(), "cred-helper".into()))
        .collect();
    for configuration in [
        json!({ "credHelpers": helpers }),
        json!({ "credsStore": "cred-helper" }),
    ] {
        ground.configure(&configuration);
        for address in &addresses {
            for line in [ground.list_tags(), ground.manifest()] {
                ground.run(&line.replace(&own, address)).failed(1);
            }
        }
    }
    for request in stranger.requests().iter().chain(&ground.gate.requests()) {
        let (_, pair) = request.authorization();
        let pair = STANDARD.decode(pair).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&pair).contains(&token),
            "{request:?}"
        );
    }
    assert!(stranger.requests().len() > 4, "it was asked");
    assert!(ground.gate.requests().len() > 4, "it was asked");
    // And it would have gone to the right one.
    ground.configure(&ground.helpers("cred-helper"));
    ground.run(&ground.list_tags()).ok();
    assert_eq!(ground.credentials().last().expect("it came").1, token);
}

#[test]
fn what_is_no_plain_address_is_nobodys() {
    needs!(DOCKER_REGISTRY);
    let ground = DockerGround::signed_in(Guard::Service, json!({}));
    let own = ground.address();
    let (host, port) = own.split_once(':').expect("it has a port");
    let rows = [
        format!("{own}\\rx.example"),
        format!("{own}\\nx.example"),
        format!("x.example\\n{own}"),
        format!("ada@{own}"),
        format!("ada:secret@{own}"),
        format!("http://ada@{own}"),
        format!("{host}.:{port}"),
        format!("{host}:0{port}0"),
        format!("{own}/../x"),
        format!("{own}/%%2e%%2e/x"),
        format!("{own}\\\\@x.example"),
        format!("127.1:{port}"),
        format!("0x7f000001:{port}"),
        format!("x.example/{own}"),
        format!("x.example/http://{own}"),
        format!("ftp://{own}"),
        "http://".to_owned(),
        "\\0".to_owned(),
        format!("{own}\\0"),
        format!("{own}\\377"),
    ];
    for_each(rows, |address| {
        for (verb, code, stdout) in [
            ("get", 1, "credentials not found in native keychain\n"),
            ("erase", 0, ""),
        ] {
            let line = format!("printf '{address}' | docker-credential-cred-helper {verb}");
            let ran = ground.run(&line);
            assert_eq!(
                (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
                (Some(code), stdout, ""),
                "{line}"
            );
        }
    });
    // It would have come for the right one, however it is written.
    for address in [
        own.to_owned(),
        format!(" http://{own}/v2/\\r\\n"),
        format!("HTTP://{own}"),
    ] {
        let line = format!("printf '{address}' | docker-credential-cred-helper get >answer");
        ground.run(&line).ok();
        let answer: Value = serde_json::from_str(&ground.ground.read("answer")).expect("JSON");
        assert_eq!(answer["Secret"], ground.ground.get(&[]), "{line}");
    }
}

#[test]
fn registries_are_listed_that_somebody_is_signed_in_for_and_that_docker_is_named_for() {
    needs!(DOCKER_REGISTRY);
    let ground = DockerGround::new(Guard::Service, json!({}));
    let list = || ground.run("docker-credential-cred-helper list").json();
    let tools = "tools = [\"docker\", \"get\"]\n";
    ground.set_profile(tools);
    assert_eq!(list(), json!({}));
    ground.ground.sign_in("ada");
    ground.ground.authority.reset_requests();
    assert_eq!(list(), json!({ ground.address(): "ada@example.test" }));
    ground.set_profile(&format!("{tools}username = \"AWS\"\n"));
    assert_eq!(list(), json!({ ground.address(): "AWS" }));
    ground.ground.expire();
    assert_eq!(list(), json!({ ground.address(): "AWS" }));
    ground.set_profile("");
    assert_eq!(list(), json!({}), "what it is for is not said");
    ground.set_profile("tools = [\"get\"]\n");
    assert_eq!(list(), json!({}));
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn docker_alone_asks_its_store_for_every_registry() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    needs!(DOCKER);
    let ground = DockerGround::published(Guard::Service, json!({}));
    ground.configure(&json!({ "credsStore": "cred-helper" }));
    ground.run(&ground.manifest()).ok();
    // skopeo, podman and buildah know `credHelpers` alone.
    ground.gate.reset();
    ground.run(&ground.list_tags()).failed(1);
    assert_eq!(ground.credentials(), []);
}

#[test]
fn a_helper_says_its_version() {
    let sandbox = Sandbox::new("");
    let program = sandbox.link("docker-credential-cred-helper");
    for word in ["version", "--version"] {
        let mut command = Command::new(&program);
        sandbox.prepare(&mut command);
        command.arg(word);
        let said = sandbox.run_command(command).ok();
        assert!(said.starts_with("cred-helper 0."), "{said}");
    }
}
