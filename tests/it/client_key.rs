//! Clients that sign assertions, at a real server that verifies them with a library of its own.

use std::fs;

use serde_json::json;

use crate::oidc_ground::{Ground, for_each};
use crate::openssl::{OpenSsl, P256, P384, RSA};

/// A directory with a key `one.key` of that kind, its certificate, and both in `one`.
pub(crate) fn keys(kind: &str) -> (tempfile::TempDir, OpenSsl) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let openssl = OpenSsl::new(directory.path());
    openssl.make("one", kind);
    openssl.join("one", &["one.key", "one.pem"]);
    (directory, openssl)
}

/// The profile of the client `service-key`, with further keys.
fn profile(more: &str) -> String {
    format!("client_id = \"service-key\"\nscopes = [\"api:read\"]\n{more}")
}

const MACHINE: &str = "grant = \"client_credentials\"\n";

#[test]
fn a_client_signs_as_the_authority_lists_it_and_every_token_but_the_first_comes_from_the_cache() {
    let rows = [
        (
            RSA,
            "client_private_key = \"KEYS/one.key\"",
            json!(null),
            "RS256",
        ),
        (
            RSA,
            "client_private_key = \"KEYS/one.key\"\nclient_key_id = \"k-1\"",
            json!(["PS256"]),
            "PS256",
        ),
        (
            RSA,
            "client_private_key = \"KEYS/locked.key\"\nclient_passphrase = { file = \"KEYS/passphrase\" }",
            json!(null),
            "RS256",
        ),
        (
            P256,
            "client_private_key = { command = [\"cat\", \"KEYS/one.key\"] }",
            json!(null),
            "ES256",
        ),
        (
            P384,
            "client_private_key = { file = \"KEYS/one.key\" }\nclient_auth_method = \"private_key_jwt\"",
            json!(null),
            "ES384",
        ),
        (
            RSA,
            "client_certificate = \"KEYS/one\"",
            json!(null),
            "PS256",
        ),
        (
            RSA,
            "client_certificate = \"KEYS/one.pfx\"\nclient_passphrase = { file = \"KEYS/passphrase\" }",
            json!(["RS256"]),
            "RS256",
        ),
        (
            P256,
            "client_certificate = \"KEYS/one\"\nclient_assertion_audience = \"token_endpoint\"",
            json!(null),
            "ES256",
        ),
    ];
    for_each(rows, |(kind, lines, listed, algorithm)| {
        let (directory, openssl) = keys(kind);
        fs::write(openssl.file("passphrase"), "of-the-key-alone\n").expect("it can be written");
        openssl.run("pkcs8 -topk8 -in one.key -passout file:passphrase -out locked.key");
        openssl.run("pkcs12 -export -in one -passout file:passphrase -out one.pfx");
        // The server takes no other algorithm with this key.
        let key =
            json!({ "pem": openssl.text("one.pem"), "kid": "k-1", "alg": algorithm, "use": "sig" });
        let mut options = json!({ "clientKeys": [key] });
        if !listed.is_null() {
            options["clientSigningAlgorithms"] = listed;
        }
        let lines = lines.replace("KEYS", &directory.path().display().to_string());
        let ground = Ground::with_profile(options, &profile(&format!("{MACHINE}{lines}\n")));
        ground.sandbox.secret("of-the-key-alone");
        let pem = openssl.text("one.key");
        for line in pem.lines().filter(|line| line.len() == 64) {
            ground.sandbox.secret(line);
        }
        let first = ground.get_json(&[]);
        assert_eq!(first["source"], "client_credentials", "{lines}");
        let token = first["access_token"].as_str().expect("there is a token");
        let known = ground.authority.introspect(token);
        assert_eq!(
            (&known["client_id"], &known["active"]),
            (&json!("service-key"), &json!(true))
        );
        assert_eq!(ground.get_json(&[])["source"], "cache");
        ground.expire();
        assert_eq!(ground.get_json(&[])["source"], "client_credentials");
        let requests = ground.authority.requests();
        let expected = [("private_key_jwt".to_owned(), 2)].into();
        assert_eq!(
            requests.authentication, expected,
            "each assertion counted once: {requests:?}"
        );
        assert_eq!(requests.answer("token 200"), 2);
    });
}

#[test]
fn a_person_signs_in_by_a_client_with_a_key_as_by_any_other() {
    let (directory, openssl) = keys(P256);
    let key = json!({ "pem": openssl.text("one.pem") });
    openssl.run("pkcs8 -topk8 -in one.key -passout pass:of-the-key-alone -out locked.key");
    fs::write(directory.path().join("passphrase"), "of-the-key-alone").expect("it is ours");
    // Each command is asked once a call, though each poll has an assertion of its own.
    let asks = |key: &str, name: &str| {
        let file = directory.path().join(name).display().to_string();
        format!("{key} = {{ command = [\"sh\", \"-c\", \"echo x >>asked; cat {file}\"] }}\n")
    };
    let script = [
        asks("client_private_key", "locked.key"),
        asks("client_passphrase", "passphrase"),
    ]
    .concat();
    let ground = Ground::with_profile(json!({ "clientKeys": [key] }), &profile(&script));
    ground.sign_in("ada");
    let asked = || ground.read("asked").lines().count();
    assert_eq!(asked(), 2, "a cached token needs no key");
    ground.expire();
    assert_eq!(ground.get_json(&[])["source"], "refresh");
    assert_eq!(asked(), 4);
    let refresh_token = ground.refresh_token();
    ground.run(&["logout"]).ok();
    assert_eq!(ground.authority.introspect(&refresh_token)["active"], false);
    let methods: Vec<String> = ground
        .authority
        .requests()
        .authentication
        .into_keys()
        .collect();
    assert_eq!(methods, ["private_key_jwt"]);
}

#[test]
fn a_key_that_the_authority_does_not_know_is_denied_and_the_mended_one_works_at_once() {
    let (directory, openssl) = keys(RSA);
    openssl.make("old", RSA);
    let key = json!({ "pem": openssl.text("one.pem") });
    let path = directory.path().join("old.key");
    let line = format!("client_private_key = \"{}\"\n", path.display());
    let ground = Ground::with_profile(
        json!({ "clientKeys": [key] }),
        &profile(&format!("{MACHINE}{line}")),
    );
    let error = ground.fail(5, &["get"]);
    assert_eq!(error["kind"], "denied");
    assert_eq!(error["oauth"]["error"], "invalid_client");
    fs::copy(openssl.file("one.key"), &path).expect("it can be copied");
    assert_eq!(ground.get_json(&[])["source"], "client_credentials");
}

#[test]
fn a_key_that_cannot_be_used_is_an_error_that_names_it_and_asks_nobody() {
    let (directory, openssl) = keys(RSA);
    openssl.make("curve", P256);
    openssl.make_long_ago("ended", RSA);
    openssl.join("ended", &["ended.key", "ended.pem"]);
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("it can be written");
    };
    write("passphrase", "of-the-key-alone");
    write("wrong", "of-another-key");
    openssl.run("pkcs8 -topk8 -in one.key -passout file:passphrase -out locked.key");
    let ground = Ground::with_profile(
        json!({ "clientSigningAlgorithms": ["RS256"] }),
        &profile(""),
    );
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (nowhere, locked, only, ended, curve) = (
        at("nowhere"),
        at("locked.key"),
        at("one.key"),
        at("ended"),
        at("curve.key"),
    );
    for (lines, words, hint) in [
        (
            format!("client_private_key = \"{nowhere}\""),
            vec![nowhere.as_str(), "`client_private_key`"],
            "",
        ),
        (
            format!("client_private_key = \"{locked}\""),
            vec![&locked, "no `client_passphrase`"],
            "`client_passphrase`",
        ),
        (
            format!(
                "client_private_key = \"{locked}\"\nclient_passphrase = {{ file = \"{}\" }}",
                at("wrong")
            ),
            vec![&locked, "cannot be decrypted"],
            "passphrase",
        ),
        (
            format!("client_certificate = \"{only}\""),
            vec![&only, "no certificate"],
            "same file",
        ),
        (
            format!("client_certificate = \"{ended}\""),
            vec![&ended, "the certificate ended at"],
            "clock",
        ),
        (
            format!("client_private_key = \"{curve}\""),
            vec![&curve, "signs by ES256, and the authority takes RS256"],
            "",
        ),
        (
            "client_private_key = { env = \"KEY_OF_NOBODY\" }".to_owned(),
            vec!["`KEY_OF_NOBODY` is not set"],
            "",
        ),
        (
            "client_certificate = { command = [\"echo\", \"no key at all\"] }".to_owned(),
            vec!["from the command `echo`", "neither PEM nor PFX"],
            "BEGIN",
        ),
    ] {
        ground.set_profile(&profile(&format!("{MACHINE}{lines}\n")));
        let error = ground.fail(3, &["get"]);
        assert_eq!(error["kind"], "config", "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{lines}: {message}");
        }
        let advice = error["hint"].as_str().unwrap_or_default();
        assert!(advice.contains(hint), "{lines}: {advice}");
    }
    let requests = ground.authority.requests();
    assert_eq!(requests.token, [].into(), "{requests:?}");
    assert!(ground.sandbox.sessions().is_empty());
}

#[test]
fn a_person_who_signs_in_is_told_where_the_key_that_cannot_be_used_comes_from() {
    let (directory, openssl) = keys(RSA);
    let at = |name: &str| directory.path().join(name).display().to_string();
    for (name, text) in [("passphrase", "of-the-key-alone"), ("wrong", "of-another")] {
        fs::write(at(name), text).expect("it can be written");
    }
    openssl.run("pkcs8 -topk8 -in one.key -passout file:passphrase -out locked.key");
    let ground = Ground::with_profile(
        json!({}),
        &profile(&format!(
            "client_private_key = {{ command = [\"cat\", \"{}\"] }}\n\
             client_passphrase = {{ file = \"{}\" }}\n",
            at("locked.key"),
            at("wrong")
        )),
    );
    let terminal = ground.in_terminal("login");
    let (_, error) = ground.end_failed(terminal, 3);
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("`client_private_key`, from the command `cat`"),
        "{error}"
    );
    assert!(message.contains("cannot be decrypted"), "{error}");
}
