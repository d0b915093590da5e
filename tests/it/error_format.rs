//! Errors as scripts and people see them: kinds, exit codes, both forms, and nothing that a
//! server sent unstripped.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::authority::{ClientAuthentication, ClientRow, Endpoint, Fault, Response, Settings};
use crate::scene::{Scene, at_once, profile, refresh_token, without_note};
use crate::support::{Ran, Sandbox};

/// A terminal's escape sequences, bells, direction marks: everything that must not get through.
const HOSTILE: &str =
    "\u{1b}]0;title\u{7}\u{1b}[2Jhi\u{9b}31m \u{202e}there\u{200b}\r\nerror: forged\u{0}\u{7f}";
/// What is left of it.
const HARMLESS: &str = "]0;title[2Jhi31m there error: forged";

/// Whether a text can do nothing but be read.
fn is_harmless(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\n')
            || !(character.is_control() || "\u{202e}\u{200b}".contains(character))
    })
}

/// A failure that a test can bring about.
struct Case {
    kind: &'static str,
    code: i32,
    arguments: &'static [&'static str],
    /// What has to be there first.
    prepare: fn(&Scene),
    /// Whether somebody has signed in.
    signed_in: bool,
}

fn nothing(_: &Scene) {}

fn expired(scene: &Scene) {
    scene.age(-1);
}

/// Every kind that the program can end with here; `interrupted` has a test of its own, and
/// `internal` and `http` have no way to be reached.
const CASES: &[Case] = &[
    Case {
        kind: "usage",
        code: 2,
        arguments: &["get", "--min-valid", "soon"],
        prepare: nothing,
        signed_in: false,
    },
    Case {
        kind: "config",
        code: 3,
        arguments: &["get"],
        prepare: |scene| {
            scene
                .sandbox
                .write_profiles("[profiles.api]\nclient_id = 1\n")
        },
        signed_in: false,
    },
    Case {
        kind: "login_required",
        code: 4,
        arguments: &["get"],
        prepare: nothing,
        signed_in: false,
    },
    Case {
        kind: "login_required",
        code: 4,
        arguments: &["get"],
        prepare: |scene| {
            expired(scene);
            scene.authority.forget_tokens();
        },
        signed_in: true,
    },
    Case {
        kind: "denied",
        code: 5,
        arguments: &["login"],
        prepare: |scene| {
            for _ in 0..3 {
                let fault = Fault::error(400, "unauthorized_client");
                scene.authority.script(Endpoint::DeviceAuthorization, fault);
            }
        },
        signed_in: false,
    },
    Case {
        kind: "unavailable",
        code: 6,
        arguments: &["get"],
        prepare: |scene| {
            expired(scene);
            for _ in 0..3 {
                let down = || Response::new(503, "text/html", "<h1>down</h1>");
                scene
                    .authority
                    .script(Endpoint::Token, Fault::Answer(down()));
            }
        },
        signed_in: true,
    },
    Case {
        kind: "busy",
        code: 7,
        arguments: &["get"],
        prepare: |scene| {
            expired(scene);
            let text = profile("api", &scene.authority.issuer());
            let text = format!("[lock]\ntimeout = \"100ms\"\n{text}");
            scene.sandbox.write_profiles(&text);
        },
        signed_in: true,
    },
    Case {
        kind: "no_profile",
        code: 8,
        arguments: &["get", "-p", "apy"],
        prepare: nothing,
        signed_in: false,
    },
    Case {
        kind: "store",
        code: 9,
        arguments: &["get"],
        prepare: |scene| scene.edit_session(|session| session["version"] = 2.into()),
        signed_in: true,
    },
];

impl Case {
    /// The binary in this case, which can be brought about again and again.
    fn run(&self, scene: &Scene, session: Option<&[u8]>, form: Form) -> Ran {
        if let Some(session) = session {
            fs::write(scene.sandbox.session(), session).expect("it is ours");
        }
        let mut arguments = self.arguments.to_vec();
        if form == Form::JsonByFlag {
            arguments.extend(["--error-format", "json"]);
        }
        let mut command = if self.kind == "busy" {
            let lock = scene.sandbox.session().with_extension("lock");
            scene.wrapped(&["flock", &lock.display().to_string()], &arguments)
        } else {
            scene.sandbox.command(&arguments)
        };
        if form == Form::JsonByVariable {
            command.env("CRED_HELPER_ERROR_FORMAT", "json");
        }
        scene.run_command(command)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    JsonByFlag,
    JsonByVariable,
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("it is an object");
    let mut keys: Vec<_> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// The one line of an error as JSON, its keys checked.
fn error_object(stderr: &str) -> Value {
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    assert!(stderr.ends_with('\n'), "{stderr}");
    let mut value: Value = serde_json::from_str(stderr).expect("it is JSON");
    assert_eq!(keys(&value), ["error"]);
    let error = value["error"].take();
    assert_eq!(
        keys(&error),
        ["caused_by", "hint", "kind", "message", "next", "oauth"]
    );
    assert!(error["message"].is_string(), "{error}");
    assert!(error["caused_by"].is_array(), "{error}");
    assert!(error["next"].is_array(), "{error}");
    if !error["oauth"].is_null() {
        assert_eq!(
            keys(&error["oauth"]),
            [
                "correlation_id",
                "error",
                "error_codes",
                "error_description",
                "suberror",
                "trace_id"
            ]
        );
    }
    error
}

/// The text form of the same error.
fn as_text(error: &Value) -> String {
    let text = |value: &Value| value.as_str().expect("it is a string").to_owned();
    let mut lines = vec![format!("error: {}", text(&error["message"]))];
    let causes = error["caused_by"].as_array().expect("it is a list");
    lines.extend(
        causes
            .iter()
            .map(|cause| format!("caused by: {}", text(cause))),
    );
    if let Some(hint) = error["hint"].as_str() {
        lines.push(format!("hint: {hint}"));
    }
    format!("{}\n", lines.join("\n"))
}

#[test]
fn every_kind_has_its_exit_code_and_the_same_content_in_both_forms() {
    thread::scope(|scope| {
        for case in CASES {
            scope.spawn(move || {
                let scene = if case.signed_in {
                    Scene::signed_in()
                } else {
                    Scene::new()
                };
                (case.prepare)(&scene);
                let session = case.signed_in.then(|| scene.session());
                let run = |form| case.run(&scene, session.as_deref(), form).failed(case.code);
                let error = error_object(&run(Form::JsonByFlag));
                assert_eq!(error["kind"], case.kind, "{error}");
                assert_eq!(error_object(&run(Form::JsonByVariable)), error);
                assert_eq!(run(Form::Text), as_text(&error));

                let message = error["message"].as_str().expect("it is a string");
                let first = message.chars().next().expect("it is not empty");
                assert!(
                    !first.is_uppercase() && !message.ends_with('.'),
                    "{message}"
                );
                assert!(error["hint"].is_string(), "what to do is said: {error}");
                if case.kind == "login_required" {
                    assert_eq!(error["next"], json!(["cred-helper", "login", "-p", "api"]));
                }
            });
        }
    });
}

#[test]
fn a_wrong_command_line_is_a_usage_error_in_both_forms() {
    let sandbox = Scene::new().sandbox;
    for (arguments, message) in [
        (&["got"][..], "unrecognized subcommand `got`"),
        (&["get", "--bogus"], "unexpected argument `--bogus` found"),
        (
            &["get", "-o", "xml"],
            "invalid value `xml` for `--output <FORMAT>`",
        ),
        (&["get", "operand"], "unexpected argument `operand` found"),
        (
            &["get", "-p"],
            "a value is required for `--profile <NAME>` but none was supplied",
        ),
        (&["get", "--claims", "["], "claims"),
        (
            &["get", "--env-name", "1", "-o", "env"],
            "--env-name `1` is no name of a variable",
        ),
        (
            &["login", "-p", "a", "-p", "b"],
            "the argument `--profile <NAME>` cannot be used multiple times",
        ),
        (&["profile"], "no command is named"),
        (&[], "no command is named"),
    ] {
        let text = sandbox.run(arguments).failed(2);
        assert!(!text.is_empty(), "{arguments:?}");
        let mut command = sandbox.command(arguments);
        command.env("CRED_HELPER_ERROR_FORMAT", "json");
        let by_variable = error_object(&sandbox.run_command(command).failed(2));
        assert_eq!(by_variable["kind"], "usage", "{arguments:?}");
        let said = by_variable["message"].as_str().expect("it is a string");
        assert!(said.contains(message), "{arguments:?}: {said}");
        if arguments.is_empty() || arguments.last() == Some(&"-p") {
            continue;
        }
        assert!(
            arguments == ["profile"] || text.contains(said),
            "{arguments:?}: {text}"
        );
        for flag in [&["--error-format", "json"][..], &["--error-format=json"]] {
            let line = [flag, arguments].concat();
            let by_flag = error_object(&sandbox.run(&line).failed(2));
            assert_eq!(by_flag, by_variable, "{line:?}");
        }
    }
}

#[test]
fn a_form_that_there_is_not_is_a_usage_error() {
    let scene = Scene::signed_in();
    for arguments in [&["get"][..], &["status"], &["git", "capability"]] {
        let mut command = scene.sandbox.command(arguments);
        command.env("CRED_HELPER_ERROR_FORMAT", "jsn");
        assert_eq!(
            scene.run_command(command).failed(2),
            "error: CRED_HELPER_ERROR_FORMAT `jsn` is unknown\nhint: use text or json\n"
        );
    }
    let mut command = scene.sandbox.command(&["get"]);
    command.env("CRED_HELPER_ERROR_FORMAT", "text");
    scene.run_command(command).ok();
}

#[test]
fn what_the_authority_said_is_shown_and_decides_the_kind() {
    let scene = Scene::signed_in();
    scene.age(-1);
    let session = scene.session();
    for (status, error, codes, code) in [
        (400, "invalid_grant", &[70008][..], 4),
        (400, "interaction_required", &[50076], 4),
        (400, "invalid_grant", &[53003], 5),
        (401, "invalid_client", &[7_000_215], 5),
        (400, "unauthorized_client", &[700_016], 5),
        (400, "invalid_scope", &[], 5),
        (400, "invalid_grant", &[50196], 6),
        (400, "invalid_request", &[90033], 6),
        (429, "invalid_grant", &[], 6),
        (503, "temporarily_unavailable", &[], 6),
        (400, "temporarily_unavailable", &[], 6),
        // GitHub.
        (200, "incorrect_client_credentials", &[], 5),
    ] {
        fs::write(scene.sandbox.session(), &session).expect("it is ours");
        let said = json!({
            "error": error,
            "error_description": "AADSTS0: what happened.",
            "error_codes": codes,
            "suberror": "token_expired",
            "correlation_id": "11111111-2222-3333-4444-555555555555",
            "trace_id": "66666666-7777-8888-9999-000000000000",
            "timestamp": "2030-01-01 00:00:00Z",
            "error_uri": "https://login.example/error",
        });
        let before = scene.authority.requests().len();
        for form in [&[][..], &["--error-format", "json"]] {
            let answer = Fault::Answer(Response::json(status, &said));
            scene.authority.script(Endpoint::Token, answer);
            fs::write(scene.sandbox.session(), &session).expect("it is ours");
            let stderr = scene.run(&[&["get"], form].concat()).failed(code);
            if form.is_empty() {
                for line in [
                    &format!("caused by: {error}: AADSTS0: what happened.\n")[..],
                    "caused by: correlation id 11111111-2222-3333-4444-555555555555\n",
                    "caused by: trace id 66666666-7777-8888-9999-000000000000\n",
                ] {
                    assert!(stderr.contains(line), "{error} {codes:?}: {stderr}");
                }
            } else {
                let mut expected = said.clone();
                let members = expected.as_object_mut().expect("it is an object");
                members.retain(|name, _| name != "timestamp" && name != "error_uri");
                assert_eq!(error_object(&stderr)["oauth"], expected);
            }
            if code != 4 {
                assert_eq!(
                    without_note(&scene.session()),
                    without_note(&session),
                    "{error} {codes:?}: nothing is forgotten"
                );
            }
        }
        let asked = scene.authority.requests().len() - before;
        assert_eq!(asked, 2, "{error} {codes:?}: each call asked once");
    }
}

#[test]
fn control_characters_of_an_authority_reach_neither_stderr_nor_a_terminal() {
    let hostile = || Some(Value::from(HOSTILE));
    let scene = Scene::of(
        Settings {
            approve_at_once: true,
            account: HOSTILE.to_owned(),
            ..Settings::default()
        },
        |issuer| profile("api", issuer),
    );
    let harmful_code = || {
        Fault::edit(move |members| {
            for name in [
                "user_code",
                "verification_uri",
                "verification_uri_complete",
                "message",
            ] {
                members.insert(name.to_owned(), format!("{name} {HOSTILE}").into());
            }
        })
    };
    let expect = |place: &str, text: &str| {
        assert!(is_harmless(text), "{place}: {text:?}");
        assert!(!text.contains("\nerror: forged"), "{place}: {text:?}");
        assert!(text.contains(HARMLESS), "{place}: {text:?}");
    };
    scene
        .authority
        .script(Endpoint::DeviceAuthorization, harmful_code());
    let shown = scene.sandbox.in_terminal("cred-helper login").wait();
    // The terminal itself ends its lines with CR LF.
    let shown = shown.replace("\r\n", "\n");
    expect("the terminal", &shown);
    for name in [
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "message",
    ] {
        assert!(
            shown.contains(&format!("{name} {HARMLESS}")),
            "{name}: {shown}"
        );
    }
    assert!(
        shown.contains(&format!("Signed in as {HARMLESS}")),
        "{shown}"
    );
    expect("status", &scene.run(&["status"]).ok());
    expect("get", &scene.run(&["get", "-o", "json"]).ok());

    scene
        .authority
        .script(Endpoint::DeviceAuthorization, harmful_code());
    let ran = scene.run(&["login"]);
    expect("stderr as terminal", &ran.stderr);
    ran.ok();

    let said = json!({
        "error": HOSTILE,
        "error_description": HOSTILE,
        "suberror": hostile(),
        "correlation_id": hostile(),
        "trace_id": hostile(),
    });
    let broken = json!({ "token_type": HOSTILE, "access_token": "x", "scope": HOSTILE });
    for (place, answer) in [
        ("an error", Response::json(400, &said)),
        ("an error under 200", Response::json(200, &said)),
        ("a token type", Response::json(200, &broken)),
    ] {
        for form in [&["-v"][..], &["--error-format", "json"]] {
            let fault = Fault::Answer(answer.clone());
            scene.authority.script(Endpoint::Token, fault);
            let arguments = [&["get", "--force-refresh"], form].concat();
            let error = scene.run(&arguments).failed(5);
            expect(place, &error);
        }
    }
    let log = fs::read_to_string(scene.sandbox.log()).expect("there is a log");
    assert!(is_harmless(&log), "{log:?}");
}

#[test]
fn what_an_authority_repeats_of_our_secrets_is_shown_to_nobody() {
    let settings = Settings {
        clients: vec![ClientRow {
            id: "cli".to_owned(),
            secret: Some("secret/of the client".to_owned()),
            method: ClientAuthentication::ClientSecretBasic,
        }],
        ..at_once()
    };
    let scene = Scene::of(settings, |issuer| {
        let secret = "client_secret = { env = \"CLIENT\" }\n";
        format!("{}{secret}", profile("api", issuer))
    });
    let run = |words: &[&str]| {
        let mut command = scene.sandbox.command(words);
        command.env("CLIENT", "secret/of the client");
        scene.run_command(command)
    };
    run(&["login"]).ok();
    scene.sandbox.secret("secret/of the client");
    let refresh_token = refresh_token(&scene.session());
    // As PHP writes a slash.
    let escaped = refresh_token.replace('/', "\\/");
    let body = format!(
        "{{\"error\": \"invalid_request\", \"error_description\": \"what is {escaped} of \
         secret\\/of the client?\", \"trace_id\": \"{escaped}\"}}"
    );
    for status in [200, 400, 503] {
        for form in [&["-v"][..], &["--error-format", "json"]] {
            let response = || Response::new(status, "application/json", body.as_str());
            for _ in 0..3 {
                scene
                    .authority
                    .script(Endpoint::Token, Fault::Answer(response()));
            }
            let ran = run(&[&["get", "--force-refresh"], form].concat());
            assert!(ran.stderr.contains("what is … of …?"), "{status}: {ran:?}");
            scene.authority.clear_script();
        }
    }
    // What was remembered of it is as bare.
    run(&["status"]).ok();
}

#[test]
fn control_characters_of_metadata_do_not_reach_stderr() {
    for (name, value) in [
        ("issuer", format!("https://{HOSTILE}.example")),
        ("token_endpoint", format!("http://{HOSTILE}.example")),
    ] {
        let scene = Scene::new();
        let member = (name.to_owned(), value.into());
        scene
            .authority
            .set(|settings| settings.metadata.push(member));
        let error = scene.run(&["login"]).failed(6);
        assert!(is_harmless(&error), "{error:?}");
        assert!(error.contains(HARMLESS), "{error:?}");
    }
}

#[test]
fn the_named_command_signs_in_for_the_same_profile_file_and_account() {
    let scene = Scene::new();
    let config = scene.file("other 'profiles'.toml");
    std::fs::copy(scene.sandbox.config(), &config).expect("the profiles can be copied");
    let config = config.display().to_string();
    let call = |words: &[&str]| {
        let mut command = scene.sandbox.command(words);
        command.env_remove("CRED_HELPER_CONFIG");
        scene.run_command(command)
    };
    let get = ["--config", &config, "get", "--account", "ada@example.test"];

    let error = call(&get).failed(4);
    let hint = format!(
        "hint: run `cred-helper --config '{}' login -p api --account ada@example.test`\n",
        config.replace('\'', r"'\''")
    );
    assert!(error.ends_with(&hint), "{error}");

    let mut as_json = get.to_vec();
    as_json.extend(["--error-format", "json"]);
    let error: serde_json::Value =
        serde_json::from_str(&call(&as_json).failed(4)).expect("the error is JSON");
    let next: Vec<&str> = error["error"]["next"]
        .as_array()
        .expect("it is an array")
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    assert_eq!(next[0], "cred-helper");
    call(&next[1..]).ok();
    call(&get).ok();

    // The same in an answer of the JSON protocol.
    let request = scene.file("request");
    std::fs::write(&request, r#"{"kind":"get","account":"bob"}"#).expect("it can be written");
    let mut command = scene.wrapped(
        &["sh", "-c", "exec \"$0\" \"$@\" <request"],
        &["--config", &config, "serve", "--once"],
    );
    command.env_remove("CRED_HELPER_CONFIG");
    let ran = scene.run_command(command);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).expect("the answer is JSON");
    assert_eq!(
        answer["Err"]["next"],
        serde_json::json!([
            "cred-helper",
            "--config",
            config,
            "login",
            "-p",
            "api",
            "--account",
            "bob"
        ])
    );
}

#[test]
fn metadata_that_cannot_be_had_may_be_a_mistyped_authority() {
    // A port that nobody listens on: it was ours a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
        .port();
    let sandbox = Sandbox::new(&profile("api", &format!("http://127.0.0.1:{port}")));
    let error = sandbox.run(&["login"]).failed(6);
    assert!(
        error.ends_with(
            "hint: check `authority` and the network; nothing was lost, try again later\n"
        ),
        "{error}"
    );
}
