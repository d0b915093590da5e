//! The assertions that clients send: what they say to whom, and where those of others come from.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cred_helper::digest::sha256;
use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Recorded, Response, Settings};
use crate::client_key::keys;
use crate::http_server::{Answer, HttpServer};
use crate::microsoft::{TENANT, entra};
use crate::oidc_provider::verify;
use crate::openssl::{P256, RSA};
use crate::scene::{Scene, at_once};
use crate::support::Sandbox;

const MACHINE: &str = "grant = \"client_credentials\"\n";

/// Has the scene's authority give so many tokens to whoever asks.
fn give_tokens(scene: &Scene, count: usize) {
    for number in 0..count {
        let token = json!({
            "token_type": "Bearer", "access_token": format!("token-{number}"), "expires_in": 3600,
        });
        let answer = Fault::Answer(Response::json(200, &token));
        scene.authority.script(Endpoint::Token, answer);
    }
}

/// The assertion of the newest request, which is beside nothing else that proves anything.
fn asserted(scene: &Scene) -> (Recorded, String) {
    let requests = scene.authority.requests();
    let newest = requests.last().expect("there was a request").clone();
    assert_eq!(newest.parameter("client_id"), Some("cli"));
    assert_eq!(
        newest.parameter("client_assertion_type"),
        Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    );
    assert_eq!(newest.parameter("client_secret"), None);
    assert_eq!(newest.header("authorization"), None);
    let assertion = newest.parameter("client_assertion").unwrap_or_default();
    (newest.clone(), assertion.to_owned())
}

fn names(object: &Value) -> Vec<&str> {
    let members = object.as_object().expect("it is an object");
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn entra_knows_a_certificate_by_its_sha_256_and_ad_fs_by_its_sha_1() {
    let (directory, openssl) = keys(RSA);
    openssl.make("issuer", P256);
    openssl.join("chain", &["issuer.pem", "one.key", "one.pem"]);
    let der = openssl.der("one");
    openssl.run("dgst -sha1 -binary -out sha1 one.der");
    let base64url = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (sha1, sha256) = (base64url(&openssl.read("sha1")), base64url(&sha256(&der)));
    let chain = json!([
        STANDARD.encode(&der),
        STANDARD.encode(openssl.der("issuer"))
    ]);
    let keys = format!(
        "{MACHINE}client_certificate = \"{}\"\n",
        directory.path().join("chain").display()
    );
    let with_chain = format!("{keys}client_send_x5c = true\n");
    let ad_fs = |keys: &str| {
        let paths = vec![("/adfs/oauth2/token".to_owned(), Endpoint::Token)];
        Scene::of(Settings { paths, ..at_once() }, |issuer| {
            format!(
                "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{issuer}/adfs\"\n\
                 scopes = [\"User.Read\"]\n{keys}"
            )
        })
    };
    for (scene, algorithm, header) in [
        (entra(&keys), "PS256", json!({ "x5t#S256": sha256 })),
        (
            entra(&with_chain),
            "PS256",
            json!({ "x5t#S256": sha256, "x5c": chain }),
        ),
        (ad_fs(&keys), "RS256", json!({ "x5t": sha1 })),
        (
            ad_fs(&with_chain),
            "RS256",
            json!({ "x5t": sha1, "x5c": chain }),
        ),
    ] {
        give_tokens(&scene, 2);
        let mut ids = Vec::new();
        for _ in 0..2 {
            scene.run(&["get", "--force-refresh"]).ok();
            let (request, assertion) = asserted(&scene);
            let form: Vec<&str> = request.form.iter().map(|(name, _)| name.as_str()).collect();
            assert!(
                form.len() == 5 + usize::from(algorithm == "PS256"),
                "{form:?}"
            );
            assert_eq!(request.parameter("scope"), Some("User.Read"));
            let endpoint = scene.authority.url(&request.path);
            let certificate = openssl.file("one.pem");
            let verified = verify(&assertion, &certificate, algorithm, &endpoint, "cli");
            let mut expected = json!({ "alg": algorithm, "typ": "JWT" });
            let members = header.as_object().expect("it is an object").clone();
            expected.as_object_mut().expect("it is one").extend(members);
            assert_eq!(verified["header"], expected);
            let claims = &verified["payload"];
            assert_eq!(
                names(claims),
                ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"]
            );
            let time = |name: &str| claims[name].as_i64().expect("it is a whole number");
            assert_eq!((time("exp") - time("iat"), time("nbf")), (300, time("iat")));
            let id = claims["jti"].as_str().expect("it is text").to_owned();
            assert_eq!(id.len(), 43, "256 bits");
            ids.push(id);
            assert!(!assertion.contains('='), "{assertion}");
        }
        assert_ne!(ids[0], ids[1], "each request has its own");
    }
}

#[test]
fn an_assertion_is_for_the_issuer_and_for_the_token_endpoint_where_that_alone_is_known() {
    let (directory, openssl) = keys(P256);
    let key = directory.path().join("one.key").display().to_string();
    let common = format!(
        "client_id = \"cli\"\nscopes = [\"demo\"]\n{MACHINE}client_private_key = \"{key}\"\n\
         client_key_id = \"k-1\"\n"
    );
    let token_endpoint = "client_assertion_audience = \"token_endpoint\"\n";
    for (lines, audience) in [
        ("authority = \"ISSUER\"\n", "ISSUER"),
        ("authority = \"ISSUER/\"\n", "ISSUER"),
        (
            &format!("authority = \"ISSUER\"\n{token_endpoint}"),
            "ISSUER/token",
        ),
        (
            "authority = \"ISSUER\"\nendpoints = { token = \"ISSUER/token\" }\n",
            "ISSUER",
        ),
        ("endpoints = { token = \"ISSUER/token\" }\n", "ISSUER/token"),
        (
            "preset = \"okta\"\nauthority = \"ISSUER\"\n",
            "ISSUER/token",
        ),
    ] {
        let scene = Scene::of(at_once(), |issuer| {
            format!(
                "[profiles.api]\n{common}{}",
                lines.replace("ISSUER", issuer)
            )
        });
        give_tokens(&scene, 1);
        scene.run(&["get"]).ok();
        let (_, assertion) = asserted(&scene);
        let audience = audience.replace("ISSUER", &scene.authority.issuer());
        let verified = verify(
            &assertion,
            &openssl.file("one.pem"),
            "ES256",
            &audience,
            "cli",
        );
        assert_eq!(
            verified["payload"]["aud"], audience,
            "it is one, and no list: {lines}"
        );
        assert_eq!(
            verified["header"],
            json!({ "alg": "ES256", "typ": "JWT", "kid": "k-1" })
        );
    }
    let endpoint = "https://login.example/token";
    let sandbox = Sandbox::new(&format!(
        "[profiles.api]\n{common}endpoints = {{ token = \"{endpoint}\" }}\n\
         client_assertion_audience = \"issuer\"\n"
    ));
    let said = sandbox.run(&["get"]).failed(3);
    assert!(said.contains("its name is not known"), "{said}");
    let scene = entra(&format!("{MACHINE}client_private_key = \"{key}\"\n"));
    let said = scene.run(&["get"]).failed(3);
    assert!(
        said.contains("signs by ES256, and the authority takes PS256"),
        "{said}"
    );
    assert_eq!(scene.authority.requests().len(), 0);
}

/// An assertion that is longer than most headers may be.
fn long(start: &str) -> String {
    format!("{start}.{}", "x".repeat(20_000))
}

#[test]
fn an_assertion_of_somebody_else_is_sent_as_it_is_and_read_anew_for_each_request() {
    for source in [
        "{ file = \"assertion\" }",
        "{ command = [\"cat\", \"assertion\"] }",
        "{ env = \"ASSERTION\" }",
    ] {
        let scene = entra(&format!("{MACHINE}client_assertion = {source}\n"));
        give_tokens(&scene, 2);
        for start in ["the-first-one", "the-second-one"] {
            let text = long(start);
            scene.sandbox.secret(start);
            fs::write(scene.file("assertion"), format!("{text}\n")).expect("it can be written");
            let mut command = scene.sandbox.command(&["get", "--force-refresh"]);
            command.env("ASSERTION", &text);
            scene.run_command(command).ok();
            let (request, assertion) = asserted(&scene);
            assert_eq!(assertion, text, "{source}");
            assert_eq!(request.form.len(), 6, "{source}");
        }
        let cached = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(cached["source"], "cache", "no source is asked: {source}");
    }
}

#[test]
fn a_source_that_gives_no_secret_is_an_error_that_names_it_and_shows_nothing() {
    const CANARY: &str = "canary-of-a-source";
    for (key, source, words) in [
        (
            "client_secret",
            "{ command = [\"false\"] }",
            "`false` failed",
        ),
        (
            "client_secret",
            "{ command = [\"no-such-program\"] }",
            "`no-such-program` cannot be started",
        ),
        (
            "client_secret",
            "{ command = [\"true\"] }",
            "its source gave nothing",
        ),
        (
            "client_secret",
            "{ file = \"lines\" }",
            "more than one line",
        ),
        (
            "client_secret",
            "{ command = [\"cat\", \"bytes\"] }",
            "not UTF-8",
        ),
        ("client_secret", "{ file = \"bytes\" }", "not UTF-8"),
        (
            "client_secret",
            "{ env = \"NOT_SET_ANYWHERE\" }",
            "`NOT_SET_ANYWHERE` is not set",
        ),
        (
            "client_assertion",
            "{ file = \"lines\" }",
            "more than one line",
        ),
        ("client_assertion", "{ file = \"nowhere\" }", "nowhere"),
        (
            "client_assertion",
            "{ command = [\"true\"] }",
            "its source gave nothing",
        ),
    ] {
        let scene = entra(&format!("{MACHINE}{key} = {source}\n"));
        scene.sandbox.secret(CANARY);
        let lines = format!("{CANARY}-one\n{CANARY}-two\n");
        fs::write(scene.file("lines"), lines).expect("it can be written");
        let bytes = [CANARY.as_bytes(), &[0xff]].concat();
        fs::write(scene.file("bytes"), bytes).expect("it can be written");
        let said = scene.run(&["-v", "get"]).failed(3);
        assert!(said.contains(words), "{source}: {said}");
        assert!(said.contains(&format!("`{key}`")), "{source}: {said}");
        assert_eq!(scene.authority.requests().len(), 0, "{source}");
    }
}

/// A platform that gives its jobs tokens, and the variables of a job.
struct Platform {
    server: HttpServer,
    keys: &'static str,
    variables: [(&'static str, String); 2],
    /// What a job lacks without them.
    advice: &'static str,
}

const JOB_TOKEN: &str = "the-token-of-the-job";

fn platforms(answer: fn(&str) -> Answer) -> [Platform; 2] {
    let server = |member: &'static str| HttpServer::start(move |_| answer(member));
    let (github, azure) = (server("value"), server("oidcToken"));
    [
        Platform {
            keys: "client_assertion = { github_actions = {} }\n",
            variables: [
                ("ACTIONS_ID_TOKEN_REQUEST_URL", github.url("/token?job=1")),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_TOKEN.to_owned()),
            ],
            server: github,
            advice: "`permissions: id-token: write`",
        },
        Platform {
            keys: "client_assertion = { azure_pipelines = { service_connection_id = \"s-1\" } }\n",
            variables: [
                ("SYSTEM_OIDCREQUESTURI", azure.url("/token")),
                ("SYSTEM_ACCESSTOKEN", JOB_TOKEN.to_owned()),
            ],
            server: azure,
            advice: "`env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`",
        },
    ]
}

fn give_assertion(member: &str) -> Answer {
    Answer::new(
        200,
        json!({ member: long("assertion-of-the-job") }).to_string(),
    )
}

/// A scene of that platform's job, and what it says to `get` with other variables.
fn job(platform: &Platform) -> Scene {
    let scene = entra(&format!("{MACHINE}{}", platform.keys));
    scene.sandbox.secret(JOB_TOKEN);
    scene.sandbox.secret("assertion-of-the-job");
    scene
}

fn get(scene: &Scene, variables: &[(&str, String)]) -> crate::support::Ran {
    let mut command = scene.sandbox.command(&["-v", "get", "--force-refresh"]);
    command.envs(variables.iter().cloned());
    scene.run_command(command)
}

#[test]
fn a_job_has_a_new_token_of_its_platform_for_each_request() {
    for platform in platforms(give_assertion) {
        let scene = job(&platform);
        give_tokens(&scene, 2);
        for _ in 0..2 {
            get(&scene, &platform.variables).ok();
            let (_, assertion) = asserted(&scene);
            assert_eq!(assertion, long("assertion-of-the-job"));
        }
        let requests = platform.server.requests();
        let [first, second] = &requests[..] else {
            panic!("each request has its own: {requests:?}");
        };
        assert_eq!(first.query, second.query);
        let is_github = platform.keys.contains("github");
        let (method, query, scheme) = if is_github {
            (
                "GET",
                "job=1&audience=api%3A%2F%2FAzureADTokenExchange",
                "bearer",
            )
        } else {
            ("POST", "api-version=7.1&serviceConnectionId=s-1", "Bearer")
        };
        assert_eq!(
            (first.method.as_str(), first.path.as_str()),
            (method, "/token")
        );
        assert_eq!(first.query, query);
        assert_eq!(first.authorization(), (scheme, JOB_TOKEN));
        assert!(first.header("accept").starts_with("application/json"));
        if !is_github {
            assert_eq!(first.header("content-type"), "application/json");
            assert_eq!(first.header("x-tfs-fedauthredirect"), "Suppress");
            assert_eq!(first.header("content-length"), "0");
        }
    }
}

#[test]
fn a_job_that_gets_no_token_is_told_what_it_lacks() {
    for platform in platforms(give_assertion) {
        let scene = job(&platform);
        let [url, token] = &platform.variables;
        let elsewhere = (url.0, "http://login.example/token".to_owned());
        for (variables, words) in [
            (vec![token.clone()], format!("`{}` is not set", url.0)),
            (vec![url.clone()], format!("`{}` is not set", token.0)),
            (
                vec![elsewhere, token.clone()],
                "allowed on loopback only".to_owned(),
            ),
        ] {
            let said = get(&scene, &variables).failed(3);
            assert!(said.contains(&words), "{said}");
            let is_missing = words.ends_with("is not set");
            assert_eq!(said.contains(platform.advice), is_missing, "{said}");
        }
        assert_eq!(platform.server.requests().len(), 0);
    }
    type Refuses = fn(&str) -> Answer;
    let refuses: [(Refuses, i32, &str); 5] = [
        (|_| Answer::new(401, "no"), 5, "HTTP status 401"),
        (
            |_| Answer::new(302, "").with("Location", "/sign-in"),
            5,
            "HTTP status 302",
        ),
        (|_| Answer::new(503, ""), 6, "HTTP status 503"),
        (|_| Answer::new(429, ""), 6, "HTTP status 429"),
        (
            |_| Answer::new(200, "<html>assertion-of-the-job"),
            6,
            "the answer holds no token",
        ),
    ];
    for (answer, code, words) in refuses {
        for platform in platforms(answer) {
            let scene = job(&platform);
            let said = get(&scene, &platform.variables).failed(code);
            assert!(said.contains(words), "{said}");
            assert_eq!(said.contains(platform.advice), code == 5, "{said}");
            assert_eq!(scene.authority.requests().len(), 0);
        }
    }
}

/// Two profiles, of which `robot` proves itself with the token of the other.
fn robot_and_source(source: &str) -> Scene {
    let scene = entra(source);
    let robot = format!(
        "[profiles.robot]\npreset = \"entra\"\nclient_id = \"cli\"\n\
         authority = \"{}/{TENANT}\"\nscopes = [\"other/.default\"]\n{MACHINE}\
         client_assertion = {{ profile = \"api\" }}\n",
        scene.authority.issuer()
    );
    let profiles = fs::read_to_string(scene.sandbox.config()).expect("it can be read");
    scene.sandbox.write_profiles(&format!("{profiles}{robot}"));
    scene
}

#[test]
fn the_token_of_another_profile_is_an_assertion_and_whoever_lacks_it_is_told_to_sign_in_there() {
    let scene = robot_and_source("");
    let said = scene.run(&["get", "-p", "robot"]).failed(4);
    assert!(said.contains("`cred-helper login -p api`"), "{said}");
    assert!(said.contains("profile `robot` needs its token"), "{said}");
    scene.run(&["login", "-p", "api"]).ok();
    let token = scene.run(&["get", "-p", "api"]).ok();
    give_tokens(&scene, 1);
    scene.run(&["get", "-p", "robot"]).ok();
    let (_, assertion) = asserted(&scene);
    assert_eq!(assertion, token.trim_end());
    // It is refused: whose it is may mend that.
    for arguments in [&["get", "--force-refresh"][..], &["login"]] {
        scene
            .authority
            .script(Endpoint::Token, Fault::error(401, "invalid_client"));
        let said = scene.run(&[arguments, &["-p", "robot"]].concat()).failed(5);
        assert!(said.contains("`cred-helper login -p api`"), "{said}");
    }

    let scene = robot_and_source(&format!(
        "{MACHINE}client_assertion = {{ profile = \"robot\" }}\n"
    ));
    let said = scene.run(&["get", "-p", "robot"]).failed(3);
    assert!(said.contains("`robot` needs `api` needs `robot`"), "{said}");
    assert_eq!(scene.authority.requests().len(), 0);
}

#[test]
fn each_contradiction_between_the_keys_of_a_client_is_told_at_its_place() {
    let common = "client_id = \"x\"\nscopes = []\nauthority = \"https://login.example\"\n";
    for (lines, complaint) in [
        (
            "client_secret = { env = \"X\" }\nclient_certificate = \"x.pem\"",
            "6:22: `profiles.api.client_certificate`: there is `client_secret` too, and a client proves who it is in one way",
        ),
        (
            "client_private_key = \"x\"\nclient_assertion = { file = \"x\" }",
            "6:20: `profiles.api.client_assertion`: there is `client_private_key` too",
        ),
        (
            "client_passphrase = { env = \"X\" }",
            "5:21: `profiles.api.client_passphrase`: it needs a `client_certificate` or a `client_private_key`",
        ),
        (
            "client_key_id = \"1\"",
            "5:17: `profiles.api.client_key_id`: it needs a `client_private_key`",
        ),
        (
            "client_certificate = \"x\"\nclient_key_id = \"1\"",
            "6:17: `profiles.api.client_key_id`: it needs a `client_private_key`",
        ),
        (
            "client_private_key = \"x\"\nclient_send_x5c = true",
            "6:19: `profiles.api.client_send_x5c`: it needs a `client_certificate`",
        ),
        (
            "client_secret = { env = \"X\" }\nclient_assertion_audience = \"issuer\"",
            "6:29: `profiles.api.client_assertion_audience`: it needs",
        ),
        (
            "client_private_key = \"x\"\nclient_assertion_audience = \"isuer\"",
            "did you mean `issuer`?",
        ),
        (
            "client_private_key = \"x\"\nclient_basic_encoding = \"raw\"",
            "6:25: `profiles.api.client_basic_encoding`: it needs a `client_secret`",
        ),
        (
            "client_secret = { env = \"X\" }\nclient_auth_method = \"private_key_jwt\"",
            "6:22: `profiles.api.client_auth_method`: it needs a `client_certificate` or a `client_private_key` or a `client_assertion`",
        ),
        (
            "client_certificate = \"x\"\nclient_auth_method = \"client_secret_post\"",
            "6:22: `profiles.api.client_auth_method`: it needs a `client_secret`",
        ),
        (
            "client_secret = { env = \"X\" }\nclient_auth_method = \"tls_client_auth\"\ntls = { client_certificate = \"x\" }",
            "6:22: `profiles.api.client_auth_method`: there is `client_secret` too",
        ),
        (
            "client_assertion = \"eyJ\"",
            "5:20: `profiles.api.client_assertion`: an assertion ends within minutes",
        ),
        ("client_assertion = { fil = \"x\" }", "did you mean `file`?"),
        (
            "client_assertion = { file = \"x\", github_actions = {} }",
            "needs exactly one of `env`, `file`, `command`, `keyring`, `profile`, `github_actions` and `azure_pipelines`",
        ),
        (
            "client_assertion = { github_actions = {} }",
            "`github_actions` needs the `audience`",
        ),
        (
            "client_assertion = { github_actions = { audiense = \"x\" } }",
            "did you mean `audience`?",
        ),
        (
            "client_assertion = { github_actions = true }",
            "5:39: `profiles.api.client_assertion.github_actions`: it is a boolean, not a table",
        ),
        (
            "client_assertion = { azure_pipelines = {} }",
            "needs a `service_connection_id`",
        ),
        (
            "client_certificate = 7",
            "5:22: `profiles.api.client_certificate`: it is no string and no table",
        ),
        (
            "client_certificate = { profile = \"x\" }",
            "needs exactly one of `env`, `file`, `command` and `keyring`",
        ),
    ] {
        let sandbox = Sandbox::new(&format!("[profiles.api]\n{common}{lines}\n"));
        let said = sandbox.run(&["profile", "check"]).failed(3);
        assert!(said.contains(complaint), "{lines}: {said}");
        let is_one = said.lines().count() == 1 || said.contains("unknown key");
        assert!(is_one, "one mistake is one complaint: {said}");
    }
    let sandbox = Sandbox::new(&format!(
        "[profiles.a]\n{common}client_certificate = \"x.pfx\"\nclient_send_x5c = true\n\
         client_passphrase = {{ command = [\"pass\", \"canary-argument\"] }}\n\
         [profiles.b]\n{common}client_assertion = {{ github_actions = {{ audience = \"a\" }} }}\n\
         [profiles.c]\n{common}client_private_key = {{ env = \"KEY\" }}\nclient_key_id = \"k\"\n\
         client_assertion_audience = \"token_endpoint\"\nclient_auth_method = \"private_key_jwt\"\n"
    ));
    sandbox.secret("canary-argument");
    let path = sandbox.path().join("x.pfx").display().to_string();
    for (profile, expected) in [
        (
            "a",
            json!({ "client_certificate": { "file": path }, "client_send_x5c": true,
            "client_passphrase": { "command": ["pass", "…"] } }),
        ),
        (
            "b",
            json!({ "client_assertion": { "github_actions": { "audience": "a" } } }),
        ),
        (
            "c",
            json!({ "client_private_key": { "env": "KEY" }, "client_key_id": "k",
            "client_assertion_audience": "token_endpoint", "client_auth_method": "private_key_jwt" }),
        ),
    ] {
        let shown = sandbox
            .run(&["profile", "show", profile, "-o", "json"])
            .json();
        for (key, value) in expected.as_object().expect("it is an object") {
            assert_eq!(&shown[key], value, "{profile}");
        }
    }
}
