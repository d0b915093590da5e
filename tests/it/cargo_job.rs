//! A day with cargo: publish, fetch, yank; a sign-in, silence, a refresh, a revocation.

use serde_json::json;

use crate::cargo_ground::{CargoGround, FETCH, PUBLISH};
use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::for_each;

/// A signed-in ground with the published package `part`, and `whole`, which needs it.
fn published() -> CargoGround {
    let ground = CargoGround::signed_in(json!({}));
    ground.publish();
    ground
}

#[test]
fn publish_fetch_and_yank_work_with_each_way_to_name_the_provider() {
    let alias = "credential-provider = \"work\"\n[credential-alias]\nwork = [\"PROGRAM\", \"-p\", \"api\"]\n";
    let from_stdout = "credential-provider = [\"cargo:token-from-stdout\", \"cred-helper\", \"get\", \"-p\", \"api\", \"-o\", \"bearer\"]\n";
    let rows = [
        "credential-provider = [\"cargo-credential-cred-helper\"]\n",
        "credential-provider = \"cargo-credential-cred-helper-api\"\n",
        "credential-provider = [\"cred-helper\", \"--profile\", \"api\"]\n",
        "credential-provider = \"cred-helper -p api\"\n",
        alias,
        from_stdout,
        "[registry]\nglobal-credential-providers = [\"cargo:token\", \"cred-helper\"]\n",
    ];
    for_each(rows, |keys| {
        let ground = CargoGround::signed_in(json!({}));
        let program = ground.ground.sandbox.link("cred-helper");
        ground.configure(&keys.replace("PROGRAM", &program.display().to_string()));
        ground.publish();
        ground.run(FETCH).ok();
        ground
            .run("cargo yank -q --registry my --version 0.1.0 part")
            .ok();
        let error = ground.run(FETCH).failed(101);
        assert!(error.contains("0.1.0 is yanked"), "{error}");
        let undo = "cargo yank -q --undo --registry my --version 0.1.0 part";
        ground.run(undo).ok();
        ground.run(FETCH).ok();

        let schemes = ground.registry.schemes();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["Bearer"], "{keys}");
        assert_eq!(ground.ground.authority.requests().total, 0, "{keys}");
    });
}

#[test]
fn the_first_fetch_asks_at_the_terminal_and_the_second_is_silent() {
    let ground = CargoGround::new(json!({}));
    ground.add_package("part", "");
    let (code, shown) = ground.run_at_a_terminal(PUBLISH, 1);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    ground.ground.assert_requests(0, 1);
    ground.ground.authority.reset_requests();
    let ran = ground.run("cargo yank -q --registry my --version 0.1.0 part");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn where_nobody_can_be_asked_cargo_says_which_command_signs_in() {
    let ground = CargoGround::new(json!({}));
    let error = ground.run("cargo yank --registry my --version 0.1.0 part");
    let error = error.failed(101);
    assert!(
        error.contains("hint: run `cred-helper login -p api`"),
        "{error}"
    );
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn an_expired_token_costs_one_refresh() {
    let ground = published();
    ground.ground.expire();
    ground.run(FETCH).ok();
    ground.run(FETCH).ok();
    ground.ground.assert_requests(1, 0);
}

#[test]
fn sixteen_fetches_at_once_from_an_expired_session_make_one_token_request() {
    let ground = published();
    ground.ground.expire();
    let ran = ground.ground.at_once(16, |number| {
        // cargo itself lets one process at a time into its home.
        ground.run(&format!(
            "mkdir home-{number} && cp cargo/config.toml home-{number} && cp -r whole at-{number} && \
             cd at-{number} && CARGO_HOME=../home-{number} cargo fetch -q"
        ))
    });
    ran.into_iter().for_each(|ran| drop(ran.ok()));
    ground.ground.assert_refreshed_once();
}

#[test]
fn a_token_that_the_registry_rejects_is_mended_by_cargo_login() {
    let ground = published();
    ground.ground.authority.revoke(&ground.ground.get(&[]));
    // cargo tells nobody.
    for _ in 0..2 {
        let error = ground.run(FETCH).failed(101);
        assert!(error.contains("token rejected"), "{error}");
    }
    ground.ground.assert_requests(0, 0);
    ground.run("cargo login -q --registry my").ok();
    ground.run(FETCH).ok();
    ground.ground.assert_requests(1, 0);
}

#[test]
fn cargo_login_asks_once_and_cargo_logout_ends_the_sign_in() {
    let ground = CargoGround::new(json!({ "deviceCodeTtl": 30 }));
    let (code, shown) = ground.run_at_a_terminal("cargo login --registry my", 1);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    let token = ground.ground.get(&[]);
    assert_eq!(ground.ground.authority.introspect(&token)["active"], true);

    ground.run("cargo logout -q --registry my").ok();
    assert_eq!(ground.ground.authority.introspect(&token)["active"], false);
    ground.ground.run(&["get"]).failed(4);

    // Without anybody to ask, `cargo login` fails and says what to do.
    let error = ground.run("cargo login --registry my").failed(101);
    assert!(error.contains("cred-helper login -p api"), "{error}");
}

#[test]
fn a_registry_that_no_profile_names_gets_nothing_and_the_next_provider_is_asked() {
    let ground = published();
    let stranger = HttpServer::start(|_| Answer::challenge(&["Cargo"]));
    let registry = |provider: &str| {
        format!(
            "credential-provider = \"cred-helper\"\n\
             [registries.other]\nindex = \"sparse+{}\"\n{provider}",
            stranger.url("/index/")
        )
    };
    let yank = "cargo yank --registry other --version 0.1.0 part";
    for provider in ["cred-helper", "cred-helper -p api"] {
        ground.configure(&registry(&format!(
            "credential-provider = \"{provider}\"\n"
        )));
        let error = ground.run(yank).failed(101);
        assert!(
            error.contains("no credential providers could handle the request"),
            "{error}"
        );
        assert!(!error.contains("hint"), "{error}");
    }
    let next = "[registry]\nglobal-credential-providers = [\"cargo:token\", \"cred-helper\"]\n";
    ground.configure(&registry(next));
    let token = "CARGO_REGISTRIES_OTHER_TOKEN='Basic somebody-else'";
    ground.run(&format!("{token} {yank}")).failed(101);
    let schemes = stranger.schemes();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["Basic"], "{schemes:?}");

    // A profile that is not there is a mistake that somebody should hear of.
    ground.configure("credential-provider = \"cred-helper -p apo\"\n");
    let error = ground.run(FETCH).failed(101);
    assert!(error.contains("there is no profile `apo`"), "{error}");
    assert_eq!(ground.ground.authority.requests().total, 0);
}
