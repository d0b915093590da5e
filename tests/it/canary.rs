//! One long life of a profile, with every secret as a canary: none of them is sung where it does
//! not belong.
//!
//! `Sandbox` looks through stderr and the log after each run; what is looked for besides is named
//! here.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::authority::{ClientAuthentication, ClientRow, Endpoint, Fault, Response, Settings};
use crate::scene::{Scene, failing, profile};
use crate::support::Ran;

const CLIENT_SECRET: &str = "canary-of-the-client";

/// A confidential client whose secret a script prints; the script writes down how it was called.
fn scene() -> Scene {
    let scene = Scene::of(
        Settings {
            approve_at_once: true,
            clients: vec![ClientRow {
                id: "cli".to_owned(),
                secret: Some(CLIENT_SECRET.to_owned()),
                method: ClientAuthentication::ClientSecretBasic,
            }],
            ..Settings::default()
        },
        |issuer| {
            format!(
                "{}urls = [\"https://api.example/\"]\n\
                 client_secret = {{ command = [\"./keeper\", \"an argument\"] }}\n",
                profile("api", issuer)
            )
        },
    );
    let keeper = scene.file("keeper");
    let script = "#!/bin/sh\n{ echo \"called with: $*\"; env; cat /proc/$PPID/cmdline; echo; } \
                  >>\"$HOME/called\"\necho canary-of-the-client\n";
    fs::write(&keeper, script).expect("it is ours");
    fs::set_permissions(&keeper, fs::Permissions::from_mode(0o700)).expect("it is ours");
    scene.sandbox.secret(CLIENT_SECRET);
    scene
}

/// Runs at the most talkative level, and looks for everything that is known by then.
fn run(scene: &Scene, arguments: &[&str]) -> Ran {
    let arguments = [arguments, &["--verbose"]].concat();
    scene.run(&arguments)
}

/// Which of the authority's secrets a text holds.
fn sung(scene: &Scene, text: &str) -> Vec<String> {
    let secrets = scene.authority.secrets();
    secrets
        .into_iter()
        .filter(|secret| text.contains(secret.as_str()))
        .collect()
}

#[test]
fn secrets_leave_only_in_the_answers_that_are_asked_for() {
    let scene = scene();
    // A person signs in: the terminal shows no token and no device code.
    let call = scene.sandbox.in_terminal("cred-helper login -v");
    let shown = call.wait();
    assert_eq!(sung(&scene, &shown), [""; 0], "{shown}");
    assert!(shown.contains("debug: "), "it was talkative: {shown}");

    // Each answer holds the access token and, where it says so, the ID token; nothing else.
    let access_token = run(&scene, &["get"]).ok().trim().to_owned();
    for (format, count) in [
        ("token", 1),
        ("bearer", 1),
        ("header", 1),
        ("headers", 1),
        ("env", 1),
        ("netrc", 1),
        ("id-token", 1),
        ("json", 2),
    ] {
        let answer = run(&scene, &["get", "-o", format]).ok();
        let found = sung(&scene, &answer);
        assert_eq!(found.len(), count, "{format}: {answer}");
        assert_eq!(
            found.contains(&access_token),
            format != "id-token",
            "{format}"
        );
        assert!(!answer.contains(CLIENT_SECRET), "{format}");
    }
    let request = r#"{"kind":"get","profile":"api"}"#;
    fs::write(scene.file("request"), request).expect("it is ours");
    let wrapper = ["sh", "-c", "exec \"$0\" \"$@\" <request"];
    let command = scene.wrapped(&wrapper, &["serve", "--once", "-v"]);
    let answer = scene.run_command(command).ok();
    assert_eq!(sung(&scene, &answer).len(), 2, "{answer}");

    // What tells about a sign-in tells no secret.
    for arguments in [
        &["status"][..],
        &["status", "-o", "json"],
        &["profile", "show", "api"],
        &["profile", "show", "api", "-o", "json"],
        &["profile", "list"],
        &["profile", "check"],
    ] {
        let told = run(&scene, arguments).ok();
        assert_eq!(sung(&scene, &told), [""; 0], "{arguments:?}: {told}");
        assert!(!told.contains(CLIENT_SECRET), "{arguments:?}: {told}");
    }

    // Refreshes, and failures of every kind while secrets are at hand.
    let refreshed = run(&scene, &["get", "--force-refresh"]).ok();
    assert_eq!(sung(&scene, &refreshed), [refreshed.trim()]);
    let forced = ["get", "--force-refresh"];
    let echo = || {
        // A server that sends back all that it was sent.
        Fault::then(|request| {
            let header = request.header("authorization").unwrap_or_default();
            let text = format!("{header} {}", request.body);
            Response::new(400, "text/plain", text)
        })
    };
    let cut = || {
        Fault::Answer(Response::new(
            200,
            "application/json",
            "{\"access_token\":\"tok",
        ))
    };
    let refused = |status, error| vec![Fault::error(status, error)];
    let faults: [(Vec<Fault>, &[&str], i32); 11] = [
        (refused(400, "invalid_scope"), &forced, 5),
        (refused(400, "invalid_request"), &forced, 5),
        (refused(503, "down"), &forced, 6),
        (vec![Fault::Reset, Fault::Reset], &forced, 6),
        (vec![cut(), cut()], &forced, 6),
        (vec![echo()], &forced, 6),
        (refused(401, "invalid_client"), &["login"], 5),
        (refused(400, "expired_token"), &["login"], 4),
        (vec![], &["get", "-p", "apy"], 8),
        (
            vec![],
            &["get", "--url", "https://name:word@other.example/"],
            8,
        ),
        (vec![], &["get", "--bogus"], 2),
    ];
    for (index, (faults, arguments, code)) in faults.into_iter().enumerate() {
        for fault in faults {
            scene.authority.script(Endpoint::Token, fault);
        }
        let form = ["text", "json"][index % 2];
        run(&scene, &[arguments, &["--error-format", form]].concat()).failed(code);
    }

    // The store fails, at once and after the answer.
    for when in ["1+", "2+"] {
        let wrapper = failing(&format!("fsync:error=EIO:when={when}"));
        let arguments = ["get", "--force-refresh", "-v"];
        let ran = scene.run_command(scene.wrapped(&wrapper, &arguments));
        assert_eq!(ran.code, Some(if when == "1+" { 9 } else { 0 }), "{ran:?}");
    }
    // The one that was kept is spent by now: the authority ends the session.
    let error = run(&scene, &["get", "--force-refresh"]).failed(4);
    assert!(error.contains("invalid_grant"), "{error}");

    // A damaged session is told of without its content.
    run(&scene, &["login"]).ok();
    let whole = scene.session();
    fs::write(scene.sandbox.session(), &whole[..whole.len() - 20]).expect("it is ours");
    run(&scene, &["get"]).failed(4);
    run(&scene, &["login"]).ok();
    scene
        .authority
        .script(Endpoint::Revocation, Fault::error(503, "down"));
    run(&scene, &["logout"]).ok();
    assert_eq!(
        scene.sandbox.sessions(),
        [""; 0].map(std::path::PathBuf::from)
    );

    // The client's secret came over a pipe: nobody's arguments and no environment held it.
    let called = fs::read_to_string(scene.file("called")).expect("the script was called");
    assert!(called.contains("called with: an argument\n"), "{called}");
    assert!(
        called.contains("\0--force-refresh\0"),
        "our own arguments are seen: {called}"
    );
    assert!(!called.contains(CLIENT_SECRET), "{called}");
    assert_eq!(sung(&scene, &called), [""; 0]);

    // What else lies on the disk is public, but for what was set aside.
    for entry in fs::read_dir(scene.sandbox.state().join("documents")).expect("there is one") {
        let path = entry.expect("it can be read").path();
        let text = fs::read_to_string(&path).expect("it is text");
        assert_eq!(sung(&scene, &text), [""; 0], "{path:?}");
        assert!(!text.contains(CLIENT_SECRET), "{path:?}");
    }
    let log = fs::read_to_string(scene.sandbox.log()).expect("there is a log");
    assert!(
        log.contains("answered with HTTP status"),
        "it was talkative: {log}"
    );
    assert_eq!(sung(&scene, &log), [""; 0], "{log}");
    assert!(!log.contains(CLIENT_SECRET), "{log}");
    assert!(!log.contains("name:word"), "{log}");
}
