//! Tokens that are bound to a key (RFC 9449), at a provider that checks each proof.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use url::Url;

use crate::browser_ground::{finish, parameter};
use crate::oidc_ground::{Ground, for_each};
use crate::oidc_provider::http;
use crate::oidc_serve::Serve;
use crate::plugin_ground::{CORP, Plugins, answer};

const PUBLIC: &str = "client_id = \"cli\"\nscopes = [\"api:read\"]\ndpop = true\n";

/// A provider, and a profile whose tokens are bound to a key. It answers for the provider itself,
/// whose userinfo endpoint wants a proof.
fn ground(options: Value, keys: &str) -> Ground {
    let ground = Ground::with_profile(options, "client_id = \"cli\"\nscopes = []\n");
    set_profile(&ground, keys);
    ground
}

fn set_profile(ground: &Ground, keys: &str) {
    let issuer = ground.authority.issuer();
    ground.set_profile(&format!(
        "{keys}urls = [\"{issuer}\", \"https://api.example.test\"]\n"
    ));
}

fn sign_in(ground: &Ground, login: &str) {
    let terminal = ground.sandbox.in_terminal("cred-helper login >/dev/null");
    ground.authority.approve(None, login);
    let shown = terminal.wait();
    let signed_in = format!("Signed in as {login}@example.test");
    assert!(shown.contains(&signed_in), "{shown}");
    ground.learn();
    ground.sandbox.scan("the terminal", &shown);
}

/// What is in a proof, as somebody else reads it who has verified it.
fn read_proof(proof: &str) -> Value {
    let mut node = Command::new("node")
        .arg("verify-proof.mjs")
        .current_dir(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/authority/oidc-provider"
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let sent = json!({ "proof": proof }).to_string();
    let mut stdin = node.stdin.take().expect("it is piped");
    stdin.write_all(sent.as_bytes()).expect("it reads");
    drop(stdin);
    let output = node.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the proof is none: {proof}");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// Asks the userinfo endpoint with these headers; the status, and the nonce that is given.
fn userinfo(ground: &Ground, method: &str, headers: &Value) -> (u16, Option<String>) {
    let url = format!("{}/me", ground.authority.issuer());
    let headers: Vec<(&str, &str)> = headers
        .as_object()
        .expect("they are an object")
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
        .collect();
    let answer = http::request(method, &url, &headers, "").expect("it answers");
    (answer.status, answer.headers.get("dpop-nonce").cloned())
}

fn text<'v>(answer: &'v Value, name: &str) -> &'v str {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// How often a token request was answered so.
fn answered(ground: &Ground, answer: &str) -> u64 {
    ground.authority.requests().answer(answer)
}

#[test]
fn a_sign_in_is_bound_to_one_key_from_the_first_token_to_the_last() {
    for_each([false, true], |nonce| {
        let ground = ground(json!({ "dpopNonce": nonce }), PUBLIC);
        sign_in(&ground, "ada");
        // The server gave a nonce with the first refusal, and it was good for all that followed.
        assert_eq!(
            answered(&ground, "token 400 use_dpop_nonce"),
            u64::from(nonce)
        );
        let first = ground.get_json(&[]);
        assert_eq!(first["token_type"], "DPoP");
        assert_eq!(first["source"], "cache");
        assert_eq!(first["account"], "ada@example.test");
        let key = ground.authority.introspect(text(&first, "access_token"))["jkt"].clone();
        assert!(key.is_string(), "{key}");
        assert_eq!(
            ground.authority.introspect(&ground.refresh_token())["jkt"],
            key
        );
        ground.expire();
        let second = ground.get_json(&[]);
        assert_eq!(second["source"], "refresh");
        assert_ne!(second["access_token"], first["access_token"]);
        assert_eq!(
            ground.authority.introspect(text(&second, "access_token"))["jkt"],
            key
        );
        assert_eq!(
            answered(&ground, "token 400 use_dpop_nonce"),
            if nonce { 2 } else { 0 },
            "once for each process"
        );
        // One process remembers it.
        let mut serve = Serve::start(&ground);
        for id in 1..=3 {
            let request =
                json!({ "kind": "get", "profile": "api", "force_refresh": true, "id": id });
            let answer = serve.ask(request);
            assert_eq!(answer["Ok"]["source"], "refresh", "{answer}");
        }
        assert_eq!(serve.end(), Some(0));
        ground.learn();
        assert_eq!(
            answered(&ground, "token 400 use_dpop_nonce"),
            if nonce { 3 } else { 0 }
        );
        let ran = ground.run(&["logout"]);
        assert!(!ran.stderr.contains("warning"), "{ran:?}");
    });
}

#[test]
fn a_proof_is_for_one_request_with_one_token() {
    let ground = ground(json!({ "dpopNonce": true }), PUBLIC);
    sign_in(&ground, "ada");
    let url = "https://api.example.test/orders?id=7&x=%20";
    let ask = |arguments: &[&str]| {
        let answer = ground.get_json(&[&["--url", url], arguments].concat());
        let proof = read_proof(text(&answer, "dpop_proof"));
        (answer, proof)
    };
    let (answer, first) = ask(&[]);
    assert_eq!(first["header"]["alg"], "ES256");
    assert_eq!(
        first["header"]["jwk"]["d"],
        Value::Null,
        "the public half alone"
    );
    let known = ground.authority.introspect(text(&answer, "access_token"));
    assert_eq!(known["jkt"], first["thumbprint"]);
    let claims = &first["claims"];
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["htu"], "https://api.example.test/orders");
    assert_eq!(claims["nonce"], Value::Null);
    let hash = Command::new("sh")
        .args([
            "-c",
            "printf %s \"$1\" | openssl dgst -sha256 -binary | openssl base64 -A | tr +/ -_ | tr -d =",
            "sh",
            text(&answer, "access_token"),
        ])
        .output()
        .expect("sh starts");
    assert_eq!(
        claims["ath"],
        String::from_utf8_lossy(&hash.stdout).as_ref()
    );
    let (_, second) = ask(&["--method", "PATCH", "--dpop-nonce", "n0nce"]);
    assert_eq!(second["claims"]["htm"], "PATCH");
    assert_eq!(second["claims"]["nonce"], "n0nce");
    assert_ne!(second["claims"]["jti"], claims["jti"]);
    assert_eq!(second["thumbprint"], first["thumbprint"]);

    // The userinfo endpoint is a resource that checks all of it.
    let me = format!("{}/me", ground.authority.issuer());
    let headers = |arguments: &[&str]| {
        let line = [&["get", "-o", "headers", "--url", &me], arguments].concat();
        ground.run(&line).json()
    };
    let (status, nonce) = userinfo(&ground, "GET", &headers(&[]));
    assert_eq!(status, 401, "it wants a nonce");
    let nonce = nonce.expect("and gives one");
    let good = headers(&["--dpop-nonce", &nonce]);
    assert_eq!(userinfo(&ground, "GET", &good).0, 200);
    assert_eq!(
        userinfo(&ground, "GET", &good).0,
        401,
        "a proof is good once"
    );
    let for_post = headers(&["--dpop-nonce", &nonce, "--method", "POST"]);
    assert_ne!(userinfo(&ground, "GET", &for_post).0, 200);
    let elsewhere = ground.get_json(&["--url", url, "--dpop-nonce", &nonce]);
    let authorization = format!("DPoP {}", text(&elsewhere, "access_token"));
    for (authorization, proof) in [
        (authorization.clone(), text(&elsewhere, "dpop_proof")),
        (authorization.replace("DPoP", "Bearer"), ""),
    ] {
        let headers = json!({ "Authorization": authorization, "DPoP": proof });
        assert_ne!(userinfo(&ground, "GET", &headers).0, 200);
    }
    // Without a request to prove there is the token alone, and headers have no use.
    assert_eq!(ground.get_json(&[])["dpop_proof"], Value::Null);
    let error = ground.fail(2, &["get", "-o", "headers"]);
    assert!(text(&error, "hint").contains("--url"), "{error}");
}

#[test]
fn the_code_of_a_browser_is_bound_to_the_key_too() {
    for_each([false, true], |pushed| {
        let ground = ground(json!({ "requirePushedRequests": pushed }), PUBLIC);
        let page = ground
            .run(&["login", "--grant", "authorization_code", "--start"])
            .ok();
        let page = page.trim_end();
        ground.sandbox.secret(text(
            &ground.session()["content"]["sign_in"]["begun"],
            "proof_key",
        ));
        let promised = parameter(&Url::parse(page).expect("it is a URL"), "dpop_jkt");
        assert_eq!(promised.is_none(), pushed);
        let address = ground.authority.copy_address(page, "ada");
        ground.run_command(finish(&ground.sandbox, &address)).ok();
        let answer = ground.get_json(&[]);
        assert_eq!(answer["source"], "cache");
        let known = ground.authority.introspect(text(&answer, "access_token"));
        if let Some(promised) = promised {
            assert_eq!(known["jkt"], promised);
        }
        assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
    });
}

#[test]
fn a_machines_tokens_are_bound_to_one_key() {
    let ground = ground(json!({ "dpopNonce": true }), PUBLIC);
    let secret = ground.sandbox.path().join("secret");
    fs::write(&secret, ground.authority.service_secret()).expect("it can be written");
    set_profile(
        &ground,
        "client_id = \"service\"\nscopes = [\"api:read\"]\ndpop = true\n\
         client_secret = { file = \"secret\" }\ngrant = \"client_credentials\"\n\
         resource = \"https://api.example.test/\"\n",
    );
    let key = |arguments: &[&str], source: &str| {
        let answer = ground.get_json(arguments);
        assert_eq!(answer["source"], source);
        ground.authority.introspect(text(&answer, "access_token"))["jkt"].clone()
    };
    let first = key(&[], "client_credentials");
    assert!(first.is_string());
    assert_eq!(key(&["--scope", "api:write"], "client_credentials"), first);
    assert_eq!(key(&[], "cache"), first);
    ground.expire();
    assert_eq!(key(&[], "client_credentials"), first);
}

#[test]
fn a_refresh_token_is_of_no_use_with_another_key_or_without_one() {
    let ground = ground(json!({}), PUBLIC);
    sign_in(&ground, "ada");
    sign_in(&ground, "bob");
    let good = ground.session();
    let mut session = good.clone();
    let accounts = session["content"]["accounts"]
        .as_array_mut()
        .expect("a list");
    let (ada, bob) = accounts.split_at_mut(1);
    assert_ne!(
        ada[0]["proof_key"], bob[0]["proof_key"],
        "a sign-in has its own"
    );
    std::mem::swap(&mut ada[0]["proof_key"], &mut bob[0]["proof_key"]);
    ground.write_session(&session);
    ground.expire();
    let error = ground.fail(4, &["get", "-o", "json"]);
    assert!(error.to_string().contains("invalid_grant"), "{error}");
    // What is no key is an error, and no sign-in is lost by it.
    let mut damaged = good.clone();
    damaged["content"]["accounts"][1]["proof_key"] = json!("not-a-key-of-any-kind");
    ground.write_session(&damaged);
    ground.expire();
    let before = ground.session_bytes();
    ground.fail(9, &["get", "-o", "json"]);
    assert_eq!(ground.session_bytes(), before);
}

#[test]
fn a_wrong_clock_is_no_matter_where_the_authority_gives_a_nonce() {
    for_each(["-1h", "+1h"], |clock| {
        let ground = ground(json!({}), PUBLIC);
        sign_in(&ground, "ada");
        let get = ground
            .sandbox
            .command(&["get", "-o", "json", "--force-refresh"]);
        let mut command = Command::new("faketime");
        ground.sandbox.prepare(&mut command);
        command
            .args(["-f", clock])
            .arg(get.get_program())
            .args(get.get_args());
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        assert_eq!(ground.run_command(command).json()["source"], "refresh");
        assert_eq!(answered(&ground, "token 400 use_dpop_nonce"), 1);
    });
}

#[test]
fn a_profile_with_bound_tokens_and_one_without_share_no_sign_in() {
    let ground = ground(json!({}), PUBLIC);
    sign_in(&ground, "ada");
    set_profile(&ground, &PUBLIC.replace("dpop = true\n", ""));
    ground.run(&["get"]).failed(4);
    set_profile(&ground, PUBLIC);
    assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
}

#[test]
fn twenty_at_once_make_one_refresh_and_each_has_a_proof_of_its_own() {
    let ground = ground(json!({}), PUBLIC);
    sign_in(&ground, "ada");
    ground.expire();
    ground.authority.reset_requests();
    let me = format!("{}/me", ground.authority.issuer());
    let answers = ground.run_at_once(20, &["get", "-o", "headers", "--url", &me]);
    let requests = ground.authority.requests();
    assert_eq!(requests.token, [("refresh_token".to_owned(), 1)].into());
    let read = |answer: &String| serde_json::from_str::<Value>(answer).expect("it is JSON");
    let answers: Vec<Value> = answers.iter().map(read).collect();
    let all = |name: &str| {
        answers
            .iter()
            .map(|answer| text(answer, name))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(all("Authorization").len(), 1);
    assert_eq!(all("DPoP").len(), 20);
    for answer in &answers {
        assert_eq!(userinfo(&ground, "GET", answer).0, 200);
    }
}

#[test]
fn a_tool_that_knows_bearer_tokens_alone_is_refused_with_a_way_out() {
    let ground = ground(json!({}), PUBLIC);
    sign_in(&ground, "ada");
    ground.expire();
    ground.authority.reset_requests();
    let cluster = "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
                   \"spec\":{\"interactive\":false}}";
    let registry = "{\"v\":1,\"kind\":\"get\",\"operation\":\"read\",\"registry\":{\"index-url\":\
                    \"sparse+https://api.example.test/\",\"headers\":[]}}\n";
    let git = "protocol=https\nhost=api.example.test\n\n";
    let rows = [
        (&["get"][..], ""),
        (&["get", "-o", "token"], ""),
        (&["get", "-o", "bearer"], ""),
        (&["get", "-o", "header"], ""),
        (&["get", "-o", "env"], ""),
        (&["get", "-o", "netrc"], ""),
        (&["git", "get"], git),
        (&["cargo", "--cargo-plugin"], registry),
        (&["docker", "get"], "api.example.test"),
        (&["kubectl", "--profile", "api"], ""),
        (
            &["bazel", "get"],
            "{\"uri\":\"https://api.example.test/x\"}",
        ),
        (&["google", "-p", "api"], ""),
    ];
    for (arguments, stdin) in rows {
        let input = ground.sandbox.path().join("input");
        fs::write(&input, stdin).expect("it can be written");
        let line = format!("cred-helper {} <input", arguments.join(" "));
        let mut command = Command::new("sh");
        ground.sandbox.prepare(&mut command);
        command
            .env("PATH", ground.sandbox.path_with_links())
            .env("KUBERNETES_EXEC_INFO", cluster)
            .env(
                "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
                "https://api.example.test/",
            )
            .env(
                "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
                "urn:ietf:params:oauth:token-type:jwt",
            )
            .args(["-c", &line]);
        let ran = ground.run_command(command);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("`api` are bound to a key"), "{line}: {ran:?}");
        assert!(said.contains("-o json"), "{line}: {ran:?}");
        // Some have ways of their own to be told of an error.
        let ways = ["\"Err\"", "quit=1", "\"success\":false"];
        let is_told = ran.code != Some(0) || ways.iter().any(|way| said.contains(way));
        assert!(is_told, "{line}: {ran:?}");
    }
    assert_eq!(ground.authority.requests().total, 0, "nothing was spent");
    // An ID token is bound to nothing.
    let id_token = ground.get(&["-o", "id-token", "--force-refresh"]);
    assert_eq!(id_token.split('.').count(), 3);
}

#[test]
fn a_grant_that_asks_no_token_endpoint_is_told_to_bind_nothing() {
    let tokens = json!({ "access_token": "a-bearer-token", "expires_in": 3600 });
    let profiles = format!("[profiles.corp]\ndpop = true\n{CORP}");
    let plugins = Plugins::with_profiles(&profiles, &answer(&tokens));
    plugins.sandbox.secret("a-bearer-token");
    let error = plugins.run(&["get", "-o", "json"]).failed(3);
    assert!(error.contains("`plugin` gives none"), "{error}");
    assert!(error.contains("hint: leave out `dpop`"), "{error}");
}

#[test]
fn an_authority_that_does_not_bind_tokens_is_told_of() {
    let ground = ground(json!({}), PUBLIC);
    ground.authority.fault(json!({
        "on": "discovery", "fault": "edit",
        "members": { "dpop_signing_alg_values_supported": ["RS256", "EdDSA"] },
    }));
    let terminal = ground.in_terminal("login");
    let (_, error) = ground.end_failed(terminal, 3);
    assert!(
        text(&error, "message").contains("ES256, only by RS256, EdDSA"),
        "{error}"
    );
    fs::remove_dir_all(ground.sandbox.state().join("documents")).expect("they are ours");
    sign_in(&ground, "ada");
    let before = ground.refresh_token();
    ground.authority.fault(json!({
        "on": "token", "fault": "edit", "members": { "token_type": "Bearer" },
    }));
    let error = ground.fail(5, &["get", "-o", "json", "--force-refresh"]);
    assert!(
        error
            .to_string()
            .contains("wants one that is bound to a key"),
        "{error}"
    );
    // The refresh token that came with it replaced the one before.
    assert_ne!(ground.refresh_token(), before);
    assert_eq!(ground.get_json(&["--force-refresh"])["token_type"], "DPoP");
    // The other way round.
    set_profile(&ground, &PUBLIC.replace("dpop = true\n", ""));
    ground.authority.fault(json!({
        "on": "token", "grant": "device_code", "fault": "edit", "times": 50,
        "members": { "token_type": "DPoP" },
    }));
    let terminal = ground.in_terminal("login");
    ground.authority.approve(None, "ada");
    let (_, error) = ground.end_failed(terminal, 5);
    assert!(
        error.to_string().contains("does not say `dpop = true`"),
        "{error}"
    );
}

#[test]
fn request_sends_the_token_with_a_proof_and_answers_the_servers_nonce() {
    let ground = ground(json!({ "dpopNonce": true }), PUBLIC);
    set_profile(
        &ground,
        "client_id = \"cli\"\nscopes = [\"openid\"]\ndpop = true\n",
    );
    sign_in(&ground, "ada");
    let url = format!("{}/me?x=1", ground.authority.issuer());
    ground.authority.reset_requests();
    for method in ["GET", "POST"] {
        let told = ground.run(&["request", &url, "-X", method]).json();
        assert_eq!(told["sub"], "ada", "{told}");
    }
    // One without a nonce, one with it; each process learns it anew.
    assert_eq!(ground.authority.requests().other["/me"], 4);
}
