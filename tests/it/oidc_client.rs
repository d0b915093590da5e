//! Confidential clients, and issuers and tokens of other kinds.

use std::fs;

use serde_json::json;

use crate::oidc_ground::{Ground, for_each};

const SCOPES: &str = "scopes = [\"api:read\"]\n";

#[test]
fn a_confidential_client_proves_itself_in_the_way_the_profile_says() {
    let rows = [
        ("service", "", "client_secret_basic"),
        (
            "service-post",
            "client_auth_method = \"client_secret_post\"\n",
            "client_secret_post",
        ),
    ];
    for_each(rows, |(client_id, keys, method)| {
        let ground = Ground::new(json!({}));
        let secret = ground.sandbox.path().join("secret");
        // One line end at the end is the editor's, not the secret's.
        fs::write(&secret, format!("{}\n", ground.authority.service_secret()))
            .expect("it can be written");
        let set = |source: &str| {
            ground.set_profile(&format!(
                "client_id = \"{client_id}\"\n{SCOPES}{keys}client_secret = {source}\n"
            ));
        };
        let file = "{ file = \"secret\" }";
        set(file);
        ground.sign_in("ada");
        let command = format!("{{ command = [\"cat\", \"{}\"] }}", secret.display());
        for source in [file, "{ env = \"SERVICE_SECRET\" }", &command] {
            set(source);
            let mut command = ground.sandbox.command(&["get", "--force-refresh"]);
            command.env("SERVICE_SECRET", ground.authority.service_secret());
            let token = ground.run_command(command).ok();
            let known = ground.authority.introspect(token.trim_end());
            assert_eq!(known["active"], true, "{source}");
            assert_eq!(known["client_id"], client_id, "{source}");
        }
        let requests = ground.authority.requests();
        assert_eq!(requests.token("refresh_token"), 3);
        let polls = requests.token("device_code");
        assert_eq!(
            requests.authentication,
            [(method.to_owned(), 3 + polls)].into(),
            "every token request, and no other way"
        );
    });
}

#[test]
fn a_wrong_client_secret_is_denied_and_costs_no_sign_in() {
    const WRONG: &str = "not-the-secret-of-this-client";
    let ground = Ground::new(json!({}));
    let secret = ground.sandbox.path().join("secret");
    let write = |text: &str| fs::write(&secret, text).expect("it can be written");
    let keys =
        format!("client_id = \"service\"\n{SCOPES}client_secret = {{ file = \"secret\" }}\n");
    ground.set_profile(&keys);
    write(ground.authority.service_secret());
    ground.sign_in("ada");
    ground.expire();
    let before = ground.session_bytes();
    ground.sandbox.secret(WRONG);
    write(WRONG);
    let error = ground.run(&["-v", "get"]).failed(5);
    assert!(error.contains("invalid_client"), "{error}");
    assert_eq!(ground.session_bytes(), before);
    let (code, shown) = ground.sandbox.in_terminal("cred-helper login").end();
    assert_eq!(code, Some(5), "{shown}");
    assert!(shown.contains("invalid_client"), "{shown}");
    // It was no person who refused: whoever mends the secret is not kept waiting.
    assert_eq!(ground.status()["asked_again_after"], json!(null));
    write("");
    let error = ground.run(&["get"]).failed(3);
    assert!(error.contains("`client_secret`"), "{error}");
    write(ground.authority.service_secret());
    assert_eq!(ground.get_json(&[])["source"], "refresh");
}

#[test]
fn an_issuer_with_a_path_is_found_and_gives_jwts_for_its_resource() {
    const RESOURCE: &str = "https://api.example.test/";
    let rows = [
        (json!({ "jwt": true, "path": "/realms/x" }), String::new()),
        // The resource has to be named again with each refresh here.
        (
            json!({
                "jwt": true, "path": "/realms/x/", "defaultResource": null,
                "useGrantedResource": false,
            }),
            format!("resource = \"{RESOURCE}\"\n"),
        ),
    ];
    for_each(rows, |(options, keys)| {
        let ground = Ground::with_profile(options, &format!("client_id = \"cli\"\n{SCOPES}{keys}"));
        assert!(ground.authority.issuer().ends_with("/realms/x"));
        let first = ground.sign_in("ada");
        ground.expire();
        let second = ground.get_json(&[]);
        assert_eq!(second["source"], "refresh");
        assert_eq!(second["account"], "ada@example.test");
        let second = second["access_token"].as_str().expect("a token").to_owned();
        assert_ne!(first, second);
        for token in [&first, &second] {
            let known = ground.authority.introspect(token);
            assert_eq!(known["kind"], "jwt", "{keys}");
            assert_eq!(known["aud"], RESOURCE, "{keys}");
            assert_eq!(known["sub"], "ada", "{keys}");
        }
        assert_eq!(ground.authority.requests().discovery, 1, "it is kept");
    });
}
