//! `doctor --bundle`: a file for a bug report, in which nobody's secret and nobody's name is.

use std::fs;

use serde_json::Value;

use crate::doctor_ground::{OPEN, path};
use crate::scene::{Scene, at_once, profile};
use crate::support::mode;

/// What stands where a secret may stand.
const CANARY: &str = "canary-of-a-secret";

/// Where each is planted.
fn scene() -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        let api = profile("api", issuer);
        let robot = profile("robot", issuer).replace("\"cli\"", "\"robot\"");
        let plugin = "[profiles.corp]\nscopes = []\naccount = \"Grace Hopper\"\n";
        format!(
            "{OPEN}{api}extra = {{ hint = \"{CANARY}\" }}\n\
             claims = '{{\"userinfo\":{{\"x\":{{\"value\":\"{CANARY}\"}}}}}}'\n\
             {robot}client_secret = \"{CANARY}\"\ngrant = \"client_credentials\"\n\
             [profiles.second]\npreset = \"entra\"\nclient_id = \"c\"\nscopes = [\"s\"]\n\
             authority = \"{issuer}/second\"\n\
             client_secret = {{ command = [\"/bin/keeper\", \"--password={CANARY}\"] }}\n\
             grant = \"client_credentials\"\n\
             [profiles.person]\nclient_id = \"c\"\nauthority = \"{issuer}\"\nscopes = []\n\
             username = \"lovelace-git\"\ngrant = {{ type = \"password\", allow_password = true, username = \
             \"lovelace\", password = {{ env = \"X\" }} }}\nurls = [\"https://code.example.test/\"]\n\
             {plugin}grant = {{ type = \"plugin\", command = [\"/bin/corp\", \"{CANARY}\"], key = \
             \"{CANARY}\", table = {{ key = \"{CANARY}\" }} }}\n"
        )
    });
    crate::support::set_mode(&scene.sandbox.config(), 0o600);
    let git = format!(
        "[credential]\n\thelper = \"!TOKEN={CANARY} /opt/helper\"\n\
         [credential \"https://ada:{CANARY}@code.example.test\"]\n\thelper = store\n"
    );
    fs::write(scene.file(".gitconfig"), git).expect("it can be written");
    scene.run(&["login", "-p", "api"]).ok();
    scene
}

#[test]
fn a_bundle_holds_what_a_bug_report_needs_and_neither_secrets_nor_names() {
    let scene = scene();
    let bundle = |target: &str, proxy: &str| {
        let mut command = scene.sandbox.command(&["doctor", "--bundle", target]);
        command
            .env("PATH", path(&scene))
            .env("HTTPS_PROXY", proxy)
            .env("IDENTITY_HEADER", CANARY)
            .env(
                "IDENTITY_ENDPOINT",
                format!("http://127.0.0.1:1/?code={CANARY}"),
            )
            .env("SYSTEM_ACCESSTOKEN", CANARY)
            .env("KUBERNETES_EXEC_INFO", CANARY);
        scene.run_command(command)
    };
    let file = scene.file("report.json");
    fs::write(&file, "of before, for everybody").expect("it can be written");
    let ran = bundle(
        "report.json",
        &format!("http://ada:{CANARY}@proxy.example:3128"),
    );
    assert!(ran.stderr.contains("`report.json` is written"), "{ran:?}");
    assert!(ran.stdout.contains("ok       store.write: "), "{ran:?}");
    assert!(!ran.stdout.contains(CANARY), "{ran:?}");
    assert_eq!(mode(&file), Some(0o600));
    let written = fs::read_to_string(&file).expect("it was written");
    // A proxy is written without a scheme, too.
    let printed = bundle("-", &format!("ada:{CANARY}@proxy.example:3128"));
    for text in [&written, &printed.stdout] {
        let mut hidden = vec![
            CANARY.to_owned(),
            "ada@example.test".to_owned(),
            "Grace Hopper".to_owned(),
            "lovelace".to_owned(),
            scene.sandbox.path().display().to_string(),
        ];
        hidden.extend(scene.authority.secrets());
        for secret in hidden {
            assert!(!text.contains(&secret), "{secret}: {text}");
        }
        let told: Value = serde_json::from_str(text).expect("it is JSON");
        let checks = told["checks"].as_array().expect("there are checks");
        assert!(checks.len() > 10, "{told:#}");
        let session = checks.iter().find(|check| check["id"] == "session.api");
        let message = session.expect("it was looked at")["message"].as_str();
        assert!(
            message
                .expect("it is text")
                .starts_with("account-1 is signed in")
        );
        let profiles = told["profiles"].as_array().expect("there are profiles");
        let named = |name: &str| {
            let found = profiles.iter().find(|profile| profile["profile"] == name);
            found.unwrap_or_else(|| panic!("{name}: {told:#}"))
        };
        assert_eq!(named("api")["client_id"], "cli");
        assert_eq!(named("api")["extra"]["hint"], "…");
        assert_eq!(named("corp")["grant"]["table"]["key"], "…");
        assert_eq!(named("corp")["account"], "account-2");
        let environment = &told["environment"];
        assert_eq!(environment["HTTPS_PROXY"], "http://…@proxy.example:3128");
        assert_eq!(environment["IDENTITY_HEADER"], "…");
        assert_eq!(environment["IDENTITY_ENDPOINT"], "http://127.0.0.1:1/");
        assert_eq!(environment["CRED_HELPER_CONFIG"], "~/profiles.toml");
        let version = told["cred-helper"].as_str().expect("it is told");
        assert!(version.starts_with(env!("CARGO_PKG_VERSION")), "{version}");
        let build = told["build"].as_str().expect("it is told");
        assert!(build.contains(", debug, rustc 1."), "{build}");
        assert!(
            told["system"]
                .as_str()
                .is_some_and(|system| system.starts_with("linux "))
        );
    }
    let error = bundle("nowhere/report.json", "http://proxy.example:3128").failed(9);
    assert!(
        error.contains("`nowhere/report.json` cannot be written"),
        "{error}"
    );
}
