//! How clients prove themselves where two real servers differ.

use std::fs;

use serde_json::{Value, json};

use crate::oidc_ground::{Ground, for_each};
use crate::tool::{GLEWLWYD, glewlwyd, needs, servers};

/// The keys of a confidential client's profile; its secret is in the file `secret`.
pub(crate) fn service(more: &str) -> String {
    format!(
        "client_id = \"service\"\nscopes = [\"api:read\"]\n\
         client_secret = {{ file = \"secret\" }}\n{more}"
    )
}

/// Glewlwyd takes the secret from Basic as it is, against RFC 6749 §2.3.1.
pub(crate) const RAW: &str = "client_basic_encoding = \"raw\"\n";

/// Writes the file `secret`.
pub(crate) fn write_secret(ground: &Ground, text: &str) {
    ground.sandbox.secret(text);
    fs::write(ground.sandbox.path().join("secret"), text).expect("it can be written");
}

#[test]
fn a_secret_with_special_characters_is_understood_as_the_profile_says() {
    needs!(GLEWLWYD);
    let rows = [
        (RAW, "client_secret_basic"),
        (
            "client_auth_method = \"client_secret_post\"\n",
            "client_secret_post",
        ),
    ];
    for_each(rows, |(keys, method)| {
        let ground = Ground::with_profile(glewlwyd(json!({})), &service(keys));
        write_secret(&ground, ground.authority.service_secret());
        ground.sign_in("ada");
        ground.expire();
        let answer = ground.get_json(&[]);
        assert_eq!(answer["source"], "refresh", "{method}");
        let token = answer["access_token"].as_str().expect("there is a token");
        assert_eq!(ground.authority.introspect(token)["client_id"], "service");
        let requests = ground.authority.requests();
        assert_eq!(
            requests.authentication.keys().collect::<Vec<_>>(),
            [method],
            "{requests:?}"
        );
    });
}

#[test]
fn a_client_that_is_not_recognized_is_denied_before_anybody_is_asked() {
    const WRONG: &str = "not-the-secret-of-this-client";
    let nobody = "client_id = \"nobody\"\nscopes = [\"api:read\"]\n".to_owned();
    let oidc_provider = [
        (
            nobody.clone(),
            None,
            "device_authorization 401 invalid_client",
        ),
        (
            service(RAW),
            None,
            "device_authorization 400 invalid_request",
        ),
    ];
    let glewlwyd = [
        (nobody, None),
        (service(""), None),
        (service(RAW), Some(WRONG)),
    ]
    .map(|(keys, secret)| (keys, secret, "device_authorization 403 unauthorized_client"));
    let mut rows = Vec::new();
    for (options, cases) in servers(&json!({}))
        .into_iter()
        .zip([oidc_provider.to_vec(), glewlwyd.to_vec()])
    {
        rows.extend(cases.into_iter().map(|case| (options.clone(), case)));
    }
    for_each(rows, |(options, (keys, secret, answer))| {
        let ground = Ground::with_profile(options, &keys);
        write_secret(&ground, secret.unwrap_or(ground.authority.service_secret()));
        for call in ["login", "get"] {
            let terminal = ground.in_terminal(call);
            let (shown, error) = ground.end_failed(terminal, 5);
            assert_eq!(shown, "", "{answer}");
            assert_eq!(error["kind"], "denied", "{answer}");
            let said = error["oauth"]["error"].as_str().expect("it is named");
            assert!(answer.ends_with(said), "{answer}: {error}");
            assert_eq!(ground.accounts(), Vec::<Value>::new());
        }
        // No person has refused: the second call asked the server again.
        let requests = ground.authority.requests();
        assert_eq!(requests.answer(answer), 2, "{requests:?}");
        assert_eq!(requests.token, [].into());
    });
}
