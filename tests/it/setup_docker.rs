//! A docker that `setup` wrote the configuration of, at a registry that has each token judged.

use std::fs;
use std::process::Command;

use cred_helper::digest::digest;
use serde_json::json;

use crate::git_ground::{BASIC, is_taken};
use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::Ground;
use crate::setup_ground::Home;
use crate::support::Ran;
use crate::tool::{DOCKER, needs};

/// What docker calls a manifest.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry with one image, `a/b`, for those who bring a token as a password.
fn registry(judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> HttpServer {
    let config = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}"#;
    let digest = format!("sha256:{}", digest(config.as_bytes()));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(),
            "digest": digest,
        },
        "layers": [],
    });
    HttpServer::start(move |request: &Request| {
        if !is_taken(request, &BASIC, &judge) {
            return Answer::challenge(BASIC.challenges);
        }
        match request.path.strip_prefix("/v2/") {
            Some("") => Answer::new(200, "{}"),
            Some("a/b/manifests/latest") => {
                Answer::new(200, manifest.to_string()).with("Content-Type", MANIFEST)
            }
            Some(path) if path == format!("a/b/blobs/{digest}") => Answer::new(200, config),
            _ => Answer::new(404, "{}"),
        }
    })
}

fn run(ground: &Ground, line: &str) -> Ran {
    let sandbox = &ground.sandbox;
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command
        .env("PATH", sandbox.path_with_links())
        .args(["-c", line]);
    ground.run_command(command)
}

#[test]
fn docker_asks_us_and_after_undo_as_before() {
    needs!(DOCKER);
    for words in ["docker", "docker -p api"] {
        let ground = Ground::signed_in(json!({}));
        let registry = registry(ground.authority.judge());
        let urls = format!("urls = [\"{}\"]\n", registry.url("/"));
        ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\n{urls}"
        ));
        let address = registry.address();
        let pull = |path: &str| {
            let line = format!(
                "PATH={path}:$PATH docker manifest inspect --insecure {address}/a/b:latest"
            );
            run(&ground, &line)
        };
        assert_ne!(pull("").code, Some(0), "nobody is asked");

        let said = run(&ground, &format!("cred-helper setup {words}")).ok();
        let (_, advice) = said.split_once("is not on PATH").expect("it is said");
        let (_, path) = advice.split_once("export PATH=\"").expect("it is said how");
        let (path, _) = path.split_once(":$PATH\"").expect("it is said how");
        assert_eq!(path, "$HOME/state/bin");
        let inspected = pull(path).ok();
        assert!(inspected.contains(MANIFEST), "{inspected}");
        // Whoever has it on PATH is told nothing of it.
        let again = run(
            &ground,
            &format!("PATH={path}:$PATH; cred-helper setup {words}"),
        )
        .ok();
        assert!(!again.contains("PATH"), "{again}");

        run(&ground, "cred-helper setup docker --undo").ok();
        assert_ne!(pull(path).code, Some(0), "nobody is asked");
        let links = fs::read_dir(ground.sandbox.state().join("bin")).expect("it is there");
        assert_eq!(links.count(), 0, "the links are gone");
    }
}

#[test]
fn another_helper_of_a_registry_is_shown_and_comes_back() {
    let home = Home::new();
    let other = "{\"credHelpers\": {\"work.example.test\": \"other\", \"x\": \"y\"}}";
    home.write(".docker/config.json", other);
    let said = home.setup("docker -p work").ok();
    assert!(said.contains("\"work.example.test\": \"other\""), "{said}");
    assert_eq!(
        home.read(".docker/config.json"),
        "{\"credHelpers\": {\"work.example.test\": \"cred-helper-work\", \"x\": \"y\", \
         \"k8s.example.test:6443\": \"cred-helper-work\"}}"
    );
    // By URL instead of by name; what comes back is the first.
    home.setup("docker").ok();
    let link = |name: &str| home.0.state().join("bin").join(name).exists();
    assert!(link("docker-credential-cred-helper"));
    assert!(
        !link("docker-credential-cred-helper-work"),
        "nothing needs it"
    );
    let text = home.read(".docker/config.json").replace("\"x\"", "\"z\"");
    home.write(".docker/config.json", &text);
    home.setup("docker --undo").ok();
    assert_eq!(
        home.read(".docker/config.json"),
        other.replace("\"x\"", "\"z\"")
    );
}

#[test]
fn registries_are_named_as_docker_names_them() {
    let home = Home::new();
    let profile = "client_id = \"c\"\nauthority = \"https://login.example.test\"\nscopes = \
                   [\"s\"]\n";
    let urls = "urls = [\"https://INDEX.docker.io/v1/\", \"https://r.example.test:443\", \
                \"http://127.0.0.1:5000/\", \"https://r.example.test/team\", \"smtp://m.test\", \
                \"https://*.r.example.test\"]\n";
    home.0
        .write_profiles(&format!("[profiles.a]\n{profile}{urls}"));
    let mut command = home.command("docker");
    command.env("DOCKER_CONFIG", home.0.path().join("elsewhere"));
    let said = home.check(command).ok();
    let helpers: serde_json::Value =
        serde_json::from_str(&home.read("elsewhere/config.json")).expect("it is JSON");
    assert_eq!(
        helpers,
        json!({"credHelpers": {
            "https://index.docker.io/v1/": "cred-helper",
            "r.example.test": "cred-helper",
            "127.0.0.1:5000": "cred-helper",
        }})
    );
    assert!(
        said.contains("`https://r.example.test/team` has a path"),
        "{said}"
    );
    assert!(
        said.contains("`https://*.r.example.test` names many hosts"),
        "{said}"
    );
    // Where nothing is left, that is an error.
    home.0.write_profiles(&format!(
        "[profiles.a]\n{profile}urls = [\"https://h.test/team\"]\n"
    ));
    let error = home.setup("docker").failed(8);
    assert!(
        error.contains("`https://h.test/team` has a path"),
        "{error}"
    );
}
