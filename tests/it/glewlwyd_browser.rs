//! Sign-ins with a browser where a client's redirect URI is registered with its port: all that
//! glewlwyd takes, and oidc-provider beside it.

use serde_json::{Value, json};
use url::Url;

use crate::browser_ground::{finish, free_port, install, open, parameter};
use crate::oidc_ground::{Ground, for_each};
use crate::oidc_provider::http;
use crate::tool::servers;

const AUTHORIZATION_CODE: &str = "authorization_code";

/// A ground for each real server that is there, at which one redirect URI is registered, and that.
/// The profile has the keys, and the grant of that type.
fn grounds(keys: &str, grant: &str) -> Vec<(Ground, String)> {
    let uri = || format!("http://127.0.0.1:{}/callback", free_port());
    servers(&json!({}))
        .into_iter()
        .map(|mut options| {
            let uri = uri();
            options["redirectUris"] = json!([uri]);
            let grant = format!("{{ type = \"{grant}\", redirect_uri = \"{uri}\" }}");
            let keys =
                format!("client_id = \"cli\"\nscopes = [\"api:read\"]\n{keys}grant = {grant}\n");
            let ground = Ground::with_profile(options, &keys);
            install(&ground.sandbox);
            (ground, uri)
        })
        .collect()
}

#[test]
fn a_browser_that_comes_back_to_the_registered_port_signs_in_and_then_all_is_silent() {
    for_each(grounds("", AUTHORIZATION_CODE), |(ground, uri)| {
        let (terminal, page) = open(&ground.sandbox, "cred-helper get -o json >answer");
        assert_eq!(parameter(&page, "redirect_uri"), Some(uri));
        ground.authority.approve(Some(page.as_str()), "ada");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        ground.learn();
        let answer: Value = serde_json::from_str(&ground.read("answer")).expect("it is JSON");
        assert_eq!(answer["source"], "authorization_code");
        assert_eq!(answer["account"], "ada@example.test");
        let token = answer["access_token"].as_str().expect("there is a token");
        assert_eq!(ground.authority.introspect(token)["active"], true);

        let second = ground.get_json(&[]);
        assert_eq!(second["source"], "cache");
        assert_eq!(second["access_token"], answer["access_token"]);
        ground.expire();
        let third = ground.get_json(&[]);
        assert_eq!(third["source"], "refresh");
        assert_ne!(third["access_token"], answer["access_token"]);
        let requests = ground.authority.requests();
        assert_eq!(requests.token("authorization_code"), 1, "{requests:?}");
        assert_eq!(requests.token("refresh_token"), 1, "{requests:?}");
        assert_eq!(requests.device_authorization, 0, "{requests:?}");
    });
}

#[test]
fn an_authority_that_says_no_in_the_browser_is_believed_and_nothing_is_redeemed() {
    for_each(
        grounds("prompt = \"none\"\n", AUTHORIZATION_CODE),
        |(ground, _)| {
            let (terminal, page) = open(
                &ground.sandbox,
                "cred-helper get --error-format json 2>errors",
            );
            ground.authority.approve(Some(page.as_str()), "ada");
            let (_, error) = ground.end_failed(terminal, 4);
            assert_eq!(error["kind"], "login_required", "{error}");
            let said = error["oauth"]["error"].as_str().unwrap_or_default();
            assert!(
                ["login_required", "interaction_required"].contains(&said),
                "{error}"
            );
            assert_eq!(error["next"], json!(["cred-helper", "login", "-p", "api"]));
            let requests = ground.authority.requests();
            assert!(requests.token.is_empty(), "{requests:?}");
            assert_eq!(ground.accounts(), Vec::<Value>::new());
        },
    );
}

#[test]
fn trouble_while_a_code_is_redeemed_keeps_nothing_and_holds_nothing_against_anybody() {
    for_each(grounds("", AUTHORIZATION_CODE), |(ground, _)| {
        for name in [
            "status", "reset", "garbage", "lost", "cut", "large", "redirect",
        ] {
            ground.authority.reset_requests();
            ground
                .authority
                .fault(json!({ "on": "token", "fault": name }));
            let (terminal, page) = open(
                &ground.sandbox,
                "cred-helper get --error-format json 2>errors",
            );
            ground.authority.approve(Some(page.as_str()), "ada");
            let (shown, error) = ground.end_failed(terminal, 6);
            assert_eq!(error["kind"], "unavailable", "{name}: {error}");
            assert!(!shown.contains("Signed in"), "{name}: {shown}");
            // A code that is sent twice may cost what it has brought.
            assert_eq!(
                ground.authority.requests().token("authorization_code"),
                1,
                "{name}"
            );
            assert_eq!(ground.accounts(), Vec::<Value>::new(), "{name}");
        }
        // The next call asks at once.
        let (terminal, page) = open(&ground.sandbox, "cred-helper get >answer");
        ground.authority.approve(Some(page.as_str()), "ada");
        terminal.wait();
        ground.learn();
        assert_eq!(ground.read("answer"), ground.get(&[]));
    });
}

#[test]
fn a_redirect_uri_that_is_not_registered_ends_on_the_authority_s_page_and_the_error_says_so() {
    for (ground, uri) in grounds("", AUTHORIZATION_CODE) {
        let other = uri.replace("/callback", "/elsewhere");
        ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\n\
             grant = {{ type = \"authorization_code\", redirect_uri = \"{other}\", timeout = \"1s\" }}\n"
        ));
        let (terminal, page) = open(&ground.sandbox, "cred-helper get 2>errors");
        let answer = http::request("GET", page.as_str(), &[], "").expect("it answers");
        assert!([400, 403].contains(&answer.status), "{}", answer.status);
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(4), "{shown}");
        let errors = ground.read("errors");
        assert!(errors.contains("register it for the client"), "{errors}");
    }
}

#[test]
fn a_sign_in_in_two_calls_needs_no_port_and_a_code_counts_once() {
    for_each(grounds("", AUTHORIZATION_CODE), |(ground, _)| {
        let page = ground.run(&["login", "--start"]).ok();
        let address = ground.authority.copy_address(page.trim_end(), "ada");
        let said = ground.run_command(finish(&ground.sandbox, &address));
        assert!(
            said.stderr.contains("Signed in as ada@example.test"),
            "{said:?}"
        );
        said.ok();
        let session = ground.session_bytes();
        ground
            .run_command(finish(&ground.sandbox, &address))
            .failed(4);
        assert_eq!(ground.session_bytes(), session);
        assert_eq!(ground.get_json(&[])["source"], "cache");
    });
}

#[test]
fn auto_takes_the_registered_port_where_it_chooses_the_browser_and_grants_by_name_keep_it() {
    for_each(grounds("", "auto"), |(ground, uri)| {
        for line in [
            "cred-helper get >answer",
            "cred-helper login",
            "cred-helper login --grant authorization_code",
        ] {
            ground.authority.reset_requests();
            let (terminal, page) = open(&ground.sandbox, line);
            assert_eq!(
                parameter(&page, "redirect_uri").as_ref(),
                Some(&uri),
                "{line}"
            );
            ground.authority.approve(Some(page.as_str()), "ada");
            terminal.wait();
            ground.learn();
            let requests = ground.authority.requests();
            assert_eq!(
                requests.token(AUTHORIZATION_CODE),
                1,
                "{line}: {requests:?}"
            );
        }
        // Without a browser the same profile shows a code.
        ground.authority.reset_requests();
        ground.sign_in("ada");
        let requests = ground.authority.requests();
        assert_eq!(requests.device_authorization, 1, "{requests:?}");
        // And a page elsewhere comes back to the same address.
        let page = ground.run(&["login", "--start"]).ok();
        let page = Url::parse(page.trim_end()).expect("it is a URL");
        assert_eq!(parameter(&page, "redirect_uri"), Some(uri));
    });
}

#[test]
fn who_asks_for_auto_by_name_keeps_the_profile_s_redirect_uri() {
    for_each(grounds("", AUTHORIZATION_CODE), |(ground, uri)| {
        let (terminal, page) = open(&ground.sandbox, "cred-helper login --grant auto");
        assert_eq!(parameter(&page, "redirect_uri"), Some(uri));
        ground.authority.approve(Some(page.as_str()), "ada");
        terminal.wait();
    });
}
