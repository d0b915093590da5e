//! The device code and the refresh on the wire: what is shown, what is sent and to whom, and what
//! a sign-in that somebody has begun lives through.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::authority::{
    Authority, ClientAuthentication, ClientRow, Discovery, Endpoint, Fault, Response, Settings,
};
use crate::scene::{DEVICE_CODE, Scene, at_once, discoveries, profile, sent};
use crate::support::{Ran, detached};
#[cfg(unix)]
use crate::support::{interrupt, set_mode};

const TENANT: &str = "2f4a9838-26b7-47ee-be60-ccc1fdec5953";

/// A scene whose codes wait for a decision.
fn undecided() -> Scene {
    Scene::of(Settings::default(), |issuer| profile("api", issuer))
}

/// Starts a call without a terminal; its process is the binary itself.
fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let command = scene.sandbox.command(arguments);
    detached(command).spawn().expect("setsid starts")
}

fn end(scene: &Scene, child: Child) -> Ran {
    let output = child.wait_with_output().expect("it can be waited for");
    scene.sandbox.checked(output)
}

#[cfg(unix)]
#[test]
fn the_person_is_shown_all_that_the_authority_says_and_scripts_nothing() {
    let scene = undecided();
    let edit = Fault::edit(|members| {
        members.insert("message".into(), "Bring the blue token.".into());
    });
    scene.authority.script(Endpoint::DeviceAuthorization, edit);
    let call = scene
        .sandbox
        .in_terminal("cred-helper get >answer 2>errors");
    let user_code = scene.authority.approve_newest();
    let shown = call.wait();
    let uri = scene.authority.url("/device");
    for part in [
        "profile `api`",
        "Bring the blue token.",
        "Go on only if you asked for it yourself.",
        &format!("    {uri}\r\n"),
        &format!("    {user_code}\r\n"),
        &format!("    {uri}?user_code={user_code}\r\n"),
        "Signed in as ada@example.test",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for secret in scene.authority.secrets() {
        assert!(!shown.contains(&secret), "{shown}");
    }
    let read = |name| fs::read_to_string(scene.file(name)).expect("the shell made it");
    assert_eq!(read("errors"), "");
    assert_eq!(read("answer"), scene.run(&["get"]).ok());
}

#[cfg_attr(
    windows,
    ignore = "there it is not noticed before something is written"
)]
#[test]
fn a_program_that_shows_the_code_and_goes_away_ends_the_sign_in() {
    let scene = undecided();
    let mut command = detached(scene.sandbox.command(&["serve"]));
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("setsid starts");
    let mut stdin = child.stdin.take().expect("it was piped above");
    let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
    stdin
        .write_all(b"{\"kind\":\"login\",\"profile\":\"api\"}\n")
        .expect("it listens");
    let (mut hello, mut message) = (String::new(), String::new());
    stdout.read_line(&mut hello).expect("it says hello");
    stdout.read_line(&mut message).expect("it shows the code");
    assert!(message.contains("on any device"), "{message}");
    drop(stdout);
    // It would have asked for a quarter of an hour, and its stdin is open.
    let ended = child.wait().expect("it can be waited for");
    assert_eq!(ended.code(), Some(0));
    drop(stdin);
    let status = scene.run(&["status", "-o", "json"]).json();
    let account = &status["profiles"][0]["accounts"][0];
    assert!(account["waiting_since"].is_null(), "{status}");
    assert!(account["asked_again_after"].is_null(), "{status}");
}

#[test]
fn a_sign_in_that_was_begun_lives_through_trouble() {
    let answer = |status, body: &str| Fault::Answer(Response::new(status, "text/html", body));
    let rows: Vec<(&str, Fault)> = vec![
        ("a reset connection", Fault::Reset),
        ("a lost answer", Fault::Lost),
        ("a cut answer", Fault::Cut),
        ("garbage", answer(200, "<html>captive portal</html>")),
        ("nothing", answer(200, "")),
        ("an array", answer(200, "[]")),
        ("a redirect", answer(302, "")),
        ("500", answer(500, "oops")),
        ("503", Fault::error(503, "temporarily_unavailable")),
        ("408", answer(408, "")),
        ("a named trouble", Fault::error(400, "server_error")),
        (
            "429",
            Fault::Answer(Response::error(429, "rate_limited", "slowly").with("Retry-After", "1")),
        ),
        ("428", Fault::error(428, "authorization_pending")),
        ("200", Fault::error(200, "authorization_pending")),
    ];
    thread::scope(|scope| {
        for (trouble, fault) in rows {
            scope.spawn(move || {
                let scene = undecided();
                scene.authority.script(Endpoint::Token, fault);
                let child = start(&scene, &["get", "--interactive", "always", "-o", "json"]);
                // The next poll waits at the gate until it is decided.
                scene.authority.wait_until(|state| {
                    state.count("/token", None) == 1 && state.faults_left() == 0
                });
                scene.authority.hold();
                scene.authority.wait_until(|state| state.held == 1);
                scene.authority.approve_newest();
                scene.authority.release();
                let ran = end(&scene, child);
                assert_eq!(ran.json()["source"], "device_code", "{trouble}");
                let polls = scene.authority.count("/token", Some(DEVICE_CODE));
                assert!(polls >= 2, "{trouble}: {polls}");
            });
        }
    });
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what is measured is the time of two processes"
)]
fn the_authority_decides_how_fast_it_is_asked() {
    let slowly = |header: &str| Response::error(429, "busy", "").with("Retry-After", header);
    let rows = [
        ("interval", 3, None, 3),
        ("slow_down", 1, Some(Fault::error(400, "slow_down")), 6),
        ("429 slow_down", 1, Some(Fault::error(429, "slow_down")), 6),
        ("Retry-After", 1, Some(Fault::Answer(slowly("4"))), 4),
        ("back-off", 1, Some(Fault::Reset), 2),
    ];
    thread::scope(|scope| {
        for (rule, interval, fault, seconds) in rows {
            scope.spawn(move || {
                let scene = Scene::of(
                    Settings {
                        interval: Some(interval),
                        ..at_once()
                    },
                    |issuer| profile("api", issuer),
                );
                let before = usize::from(fault.is_some());
                if let Some(fault) = fault {
                    scene.authority.script(Endpoint::Token, fault);
                }
                let child = start(&scene, &["login"]);
                scene.authority.wait_until(|state| {
                    state.count("/device_authorization", None) == 1
                        && state.count("/token", None) == before
                        && state.faults_left() == 0
                });
                let begun = Instant::now();
                scene
                    .authority
                    .wait_until(|state| state.count("/token", None) > before);
                let waited = begun.elapsed();
                end(&scene, child).ok();
                // The request was seen before its answer, from which the pause is counted.
                assert!(
                    waited + Duration::from_millis(100) >= Duration::from_secs(seconds),
                    "{rule}: {waited:?}"
                );
            });
        }
    });
}

#[test]
fn any_other_error_ends_the_sign_in() {
    let rows = [
        ("access_denied", 5, "the sign-in was refused", true),
        ("authorization_declined", 5, "the sign-in was refused", true),
        ("expired_token", 4, "the code ran out", true),
        ("token_expired", 4, "the code ran out", true),
        ("invalid_grant", 4, "the code ran out", true),
        ("invalid_client", 5, "the sign-in failed", false),
        ("bad_verification_code", 5, "the sign-in failed", false),
        ("something_new", 5, "the sign-in failed", false),
    ];
    thread::scope(|scope| {
        for (error, code, message, remembered) in rows {
            scope.spawn(move || {
                let scene = Scene::new();
                for _ in 0..2 {
                    scene
                        .authority
                        .script(Endpoint::Token, Fault::error(400, error));
                }
                let asking = &["get", "--interactive", "always"];
                let said = scene.run(asking).failed(code);
                assert!(
                    said.contains(&format!("error: {message}")),
                    "{error}: {said}"
                );
                assert!(
                    said.contains(&format!("caused by: {error}: as scripted")),
                    "{said}"
                );
                let again = scene.run(asking);
                if remembered {
                    let said = again.failed(4);
                    assert!(
                        said.contains("nobody is asked again before"),
                        "{error}: {said}"
                    );
                    let status = scene.run(&["status", "-o", "json"]).json();
                    let row = &status["profiles"][0]["accounts"][0];
                    assert!(row["asked_again_after"].is_string(), "{error}: {status}");
                    scene.run(&["login"]).failed(code);
                } else {
                    again.failed(code);
                }
                let polls = scene.authority.count("/token", Some(DEVICE_CODE));
                assert_eq!(
                    polls, 2,
                    "{error}: each sign-in ended with its first answer"
                );
                // Whoever says `login` is always asked, and then all is forgotten.
                scene.run(&["login"]).ok();
                scene.run(&["get"]).ok();
            });
        }
    });
}

#[cfg(unix)]
#[test]
fn ctrl_c_while_the_person_is_waited_for_ends_the_call_and_a_moment_later_the_next_can_ask() {
    let scene = undecided();
    let moment_passes = || {
        scene.edit_session(|session| {
            let sign_in = &mut session["content"]["sign_in"];
            let at = sign_in["refused_at"].as_i64().expect("it is noted");
            let until = sign_in["asked_again_after"].as_i64();
            assert_eq!(until, Some(at + 5));
            sign_in["asked_again_after"] = at.into();
        });
    };
    // Between two polls: told by the kernel at the third slice of the wait.
    let injection = "inject=clock_nanosleep:signal=SIGINT:when=3";
    let trace = "trace=clock_nanosleep";
    let wrapper = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        trace,
        "-e",
        injection,
    ];
    let asking = ["get", "--interactive", "always"];
    let ran = scene.run_command(scene.wrapped(&wrapper, &asking));
    let error = ran.failed(130);
    assert!(error.ends_with("error: interrupted\n"), "{error}");
    let polls = scene.authority.count("/token", None);
    assert_eq!(polls, 0, "it did not wait for the next poll");
    moment_passes();

    // During a poll.
    scene.authority.hold();
    let child = start(&scene, &asking);
    scene.authority.wait_until(|state| state.held == 1);
    interrupt(&child);
    end(&scene, child).failed(130);
    scene.authority.release();
    moment_passes();

    let status = scene.run(&["status", "-o", "json"]).json();
    assert_eq!(
        status["profiles"][0]["accounts"],
        json!([]),
        "nothing is held against anybody"
    );
    scene
        .authority
        .set(|settings| settings.approve_at_once = true);
    scene.run(&asking).ok();
}

#[cfg(unix)]
#[test]
fn a_tool_that_lives_through_ctrl_c_and_starts_us_again_shows_no_other_code() {
    let scene = undecided();
    // The tool, which Ctrl-C reaches as well, makes nothing of it.
    let line = "trap : INT; cred-helper get 2>first; code=$?; cred-helper get 2>second; \
                echo codes $code $?";
    let (terminal, mut keyboard) = scene.sandbox.with_keyboard(line);
    crate::oidc_ground::eventually("a code is shown", || {
        keyboard.sees().contains("enter the code")
    });
    keyboard.type_in("\u{3}");
    let shown = terminal.wait();
    assert!(shown.contains("codes 130 4"), "{shown}");
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    assert_eq!(scene.authority.count("/device_authorization", None), 1);
    let error = fs::read_to_string(scene.file("second")).expect("the shell made it");
    for part in [
        "nobody is asked again before",
        "caused by: interrupted",
        "hint: run `cred-helper login -p api`",
    ] {
        assert!(error.contains(part), "{error}");
    }

    // Whoever says `login` is asked at once.
    scene
        .authority
        .set(|settings| settings.approve_at_once = true);
    scene.run(&["login"]).ok();
    scene.run(&["get"]).ok();
}

#[cfg(unix)]
#[test]
fn a_refresh_is_finished_and_kept_before_ctrl_c_counts() {
    let scene = Scene::signed_in();
    scene.authority.hold();
    let child = start(&scene, &["get", "--force-refresh"]);
    scene.authority.wait_until(|state| state.held == 1);
    interrupt(&child);
    scene.authority.release();
    let told = end(&scene, child).failed(130);
    assert!(told.contains("error: interrupted"), "{told}");
    scene.run(&["get"]).ok();
    assert_eq!(
        scene.authority.count("/token", Some("refresh_token")),
        1,
        "the new token was kept, and the next call has it from the cache"
    );
    scene.run(&["get", "--force-refresh"]).ok();
}

#[cfg(unix)]
#[test]
fn a_poll_that_brings_the_tokens_is_finished_and_kept_before_ctrl_c_counts() {
    let scene = Scene::new();
    scene.authority.hold();
    let child = start(&scene, &["login"]);
    scene.authority.wait_until(|state| state.held == 1);
    interrupt(&child);
    scene.authority.release();
    end(&scene, child);
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "cache", "the sign-in is there");
    assert_eq!(scene.authority.count("/device_authorization", None), 1);
}

#[test]
fn requests_hold_what_the_protocol_wants_and_nothing_else() {
    let scene = Scene::of(
        Settings {
            scopes: ["openid", "offline_access", "demo", "more"]
                .map(str::to_owned)
                .to_vec(),
            ..at_once()
        },
        |issuer| {
            format!(
                "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\n\
                 scopes = [\"more\", \"demo\"]\naccount = \"ada@example.test\"\n\
                 audience = \"aud\"\nresource = \"urn:r\"\nextra = {{ x = \"y z\" }}\n"
            )
        },
    );
    scene.run(&["login"]).ok();
    scene.run(&["get", "--force-refresh"]).ok();
    scene.run(&["get", "--scope", "demo"]).ok();
    scene.run(&["get", "--claims", "{\"a\":1}"]).ok();
    scene.run(&["logout"]).ok();
    let requests = scene.authority.requests();
    let (documents, forms): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.method == "GET");
    assert_eq!(documents.len(), 1);
    let always = ["audience=aud", "client_id=cli", "resource=urn:r", "x=y z"];
    let grant = format!("grant_type={DEVICE_CODE}");
    let expect = |path: &str, own: &[&str], common: &[&str]| {
        let mut fields = [own, common].concat();
        fields.sort_unstable();
        fields.insert(0, path);
        fields.into_iter().map(String::from).collect::<Vec<_>>()
    };
    let refresh = ["grant_type=refresh_token", "refresh_token"];
    assert_eq!(
        forms.iter().map(|form| sent(form)).collect::<Vec<_>>(),
        [
            expect(
                "POST /device_authorization",
                &[
                    "scope=more demo openid offline_access",
                    "login_hint=ada@example.test"
                ],
                &always
            ),
            expect("POST /token", &[&grant, "device_code"], &always),
            expect("POST /token", &refresh, &always),
            expect(
                "POST /token",
                &[&refresh[..], &["scope=demo"]].concat(),
                &always
            ),
            expect(
                "POST /token",
                &[&refresh[..], &["claims={\"a\":1}"]].concat(),
                &always
            ),
            expect(
                "POST /revoke",
                &["token", "token_type_hint=refresh_token"],
                &["client_id=cli"]
            ),
        ]
        .into_iter()
        .chain((0..2).map(|_| {
            expect(
                "POST /revoke",
                &["token", "token_type_hint=access_token"],
                &["client_id=cli"],
            )
        }))
        .collect::<Vec<_>>()
    );
    for request in &requests {
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("cookie"), None);
        assert!(request.query.is_empty(), "{request:?}");
        let agent = request.header("user-agent").unwrap_or_default();
        assert!(agent.starts_with("cred-helper/"), "{agent}");
    }
}

#[test]
fn a_confidential_client_proves_itself_in_the_way_that_is_asked_of_it() {
    let secret = "p+w/ %&=:ö-canary";
    thread::scope(|scope| {
        for (method, registered, listed) in [
            ("", ClientAuthentication::ClientSecretBasic, Value::Null),
            (
                "",
                ClientAuthentication::ClientSecretPost,
                json!(["client_secret_post"]),
            ),
            (
                "client_auth_method = \"client_secret_post\"\n",
                ClientAuthentication::ClientSecretPost,
                Value::Null,
            ),
        ] {
            scope.spawn(move || {
                let scene = Scene::of(
                    Settings {
                        clients: vec![ClientRow {
                            id: "cli".to_owned(),
                            secret: Some(secret.to_owned()),
                            method: registered,
                        }],
                        metadata: vec![(
                            "token_endpoint_auth_methods_supported".to_owned(),
                            listed,
                        )],
                        ..at_once()
                    },
                    |issuer| {
                        format!(
                            "{}client_secret = {{ env = \"PASSWORD\" }}\n{method}",
                            profile("api", issuer)
                        )
                    },
                );
                scene.sandbox.secret(secret);
                for arguments in [&["login"][..], &["get", "--force-refresh"], &["logout"]] {
                    let mut command = scene.sandbox.command(arguments);
                    command.env("PASSWORD", secret);
                    scene.run_command(command).ok();
                }
                assert_eq!(scene.authority.count("/revoke", None), 2, "{registered:?}");
                for request in scene.authority.requests() {
                    let in_form = request.parameter("client_secret").is_some();
                    let in_header = request.header("authorization").is_some();
                    let is_form = request.method == "POST";
                    let is_basic = registered == ClientAuthentication::ClientSecretBasic;
                    assert_eq!(in_header, is_form && is_basic, "{request:?}");
                    assert_eq!(in_form, is_form && !is_basic, "{request:?}");
                }
                let error = scene.run(&["login"]).failed(3);
                assert!(
                    error.contains("`PASSWORD` is not set"),
                    "without its source nothing is sent: {error}"
                );
            });
        }
    });
}

#[test]
fn profiles_of_one_entra_client_share_one_sign_in() {
    let scene = Scene::of(at_once(), |issuer| {
        let one = |name: &str, scope: &str| {
            format!(
                "[profiles.{name}]\npreset = \"entra\"\nclient_id = \"cli\"\n\
                 authority = \"{issuer}/{TENANT}\"\nscopes = [\"{scope}\"]\n"
            )
        };
        format!(
            "{}{}",
            one("graph", "User.Read"),
            one("vault", "https://vault.example/.default")
        )
    });
    scene.run(&["login", "-p", "graph"]).ok();
    let vault = scene.run(&["get", "-p", "vault", "-o", "json"]).json();
    assert_eq!(vault["source"], "refresh", "nobody was asked again");
    assert_eq!(vault["account"], "ada@example.test");
    let graph = scene.run(&["get", "-p", "graph", "-o", "json"]).json();
    assert_eq!(graph["source"], "cache");
    assert_ne!(graph["access_token"], vault["access_token"]);
    let again = scene.run(&["get", "-p", "vault", "-o", "json"]).json();
    assert_eq!(again["source"], "cache");
    assert_eq!(scene.sandbox.sessions().len(), 1);

    let requests: Vec<_> = scene.authority.requests().iter().map(sent).collect();
    let path = format!("/{TENANT}/oauth2/v2.0");
    assert_eq!(
        requests,
        [
            vec![
                format!("POST {path}/devicecode"),
                "client_id=cli".into(),
                "scope=User.Read openid profile offline_access".into(),
            ],
            vec![
                format!("POST {path}/token"),
                "client_id=cli".into(),
                "client_info=1".into(),
                "device_code".into(),
                format!("grant_type={DEVICE_CODE}"),
            ],
            vec![
                format!("POST {path}/token"),
                "client_id=cli".into(),
                "client_info=1".into(),
                "grant_type=refresh_token".into(),
                "refresh_token".into(),
                "scope=https://vault.example/.default openid profile offline_access".into(),
            ],
        ],
        "nothing is discovered"
    );
}

#[test]
fn a_redirect_is_never_followed() {
    let elsewhere = Authority::start(at_once()).expect("it starts");
    let elsewhere = &elsewhere;
    thread::scope(|scope| {
        for status in [301, 302, 303, 307, 308] {
            scope.spawn(move || {
                let scene = Scene::new();
                let redirect = |path: &str| {
                    let response = Response::new(status, "text/plain", "");
                    Fault::Answer(response.with("Location", &elsewhere.url(path)))
                };
                scene.authority.script(
                    Endpoint::Discovery,
                    redirect("/.well-known/openid-configuration"),
                );
                scene.run(&["login"]).failed(6);
                scene.authority.script(
                    Endpoint::DeviceAuthorization,
                    redirect("/device_authorization"),
                );
                scene.run(&["login"]).failed(6);
                scene.run(&["login"]).ok();
                let before = scene.session();
                scene.authority.script(Endpoint::Token, redirect("/token"));
                scene.run(&["get", "--force-refresh"]).failed(6);
                assert_eq!(scene.session(), before);
                scene
                    .authority
                    .script(Endpoint::Revocation, redirect("/revoke"));
                let ran = scene.run(&["logout"]);
                assert!(ran.stderr.contains("did not revoke everything"), "{ran:?}");
                ran.ok();
            });
        }
    });
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn metadata_that_cannot_be_trusted_are_refused_before_anything_is_sent() {
    let member = |name: &str, value: Value| {
        let member = (name.to_owned(), value);
        Settings {
            metadata: vec![member],
            ..at_once()
        }
    };
    let of = |discovery| Settings {
        discovery,
        ..at_once()
    };
    let http = "http://login.example/x";
    for (mistake, settings, code) in [
        (
            "another issuer",
            member("issuer", "https://login.example".into()),
            6,
        ),
        ("no issuer", member("issuer", Value::Null), 6),
        (
            "an issuer with more path",
            member("issuer", "http://127.0.0.1/more".into()),
            6,
        ),
        ("http for tokens", member("token_endpoint", http.into()), 6),
        (
            "http for codes",
            member("device_authorization_endpoint", http.into()),
            6,
        ),
        (
            "http for revocation",
            member("revocation_endpoint", http.into()),
            6,
        ),
        (
            "http for pages",
            member("authorization_endpoint", http.into()),
            6,
        ),
        (
            "http for requests",
            member("pushed_authorization_request_endpoint", http.into()),
            6,
        ),
        (
            "a file for tokens",
            member("token_endpoint", "file:///x".into()),
            6,
        ),
        ("no URL", member("token_endpoint", "https://".into()), 6),
        (
            "no endpoint for codes",
            member("device_authorization_endpoint", Value::Null),
            3,
        ),
        (
            "no endpoint for tokens",
            member("token_endpoint", Value::Null),
            3,
        ),
        ("no document", of(Discovery::None), 3),
    ] {
        let scene = Scene::of(settings, |issuer| profile("api", issuer));
        let error = scene.run(&["login"]).failed(code);
        assert!(error.starts_with("error: "), "{mistake}: {error}");
        let requests = scene.authority.requests();
        let posts = requests.iter().filter(|request| request.method == "POST");
        assert_eq!(posts.count(), 0, "{mistake}");
    }
}

#[test]
fn metadata_are_found_where_either_specification_puts_them() {
    thread::scope(|scope| {
        for discovery in [Discovery::Oidc, Discovery::Rfc8414] {
            for path in ["", "/realms/x"] {
                scope.spawn(move || {
                    let settings = Settings {
                        discovery,
                        path: path.to_owned(),
                        ..at_once()
                    };
                    let scene = Scene::of(settings, |issuer| profile("api", issuer));
                    scene.run(&["login"]).ok();
                    scene.run(&["get", "--force-refresh"]).ok();
                });
            }
        }
    });
}

#[test]
fn where_the_profile_names_the_endpoints_nothing_is_discovered() {
    for authority in [true, false] {
        let scene = Scene::of(at_once(), |issuer| {
            let line = format!("authority = \"{issuer}\"\n");
            format!(
                "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"demo\", \"offline_access\"]\n{}\
                 endpoints = {{ device_authorization = \"{issuer}/device_authorization\", \
                 token = \"{issuer}/token\" }}\n",
                if authority { &line } else { "" }
            )
        });
        scene.run(&["login"]).ok();
        scene.run(&["get", "--force-refresh"]).ok();
        assert_eq!(discoveries(&scene.authority), 0);
        assert_eq!(scene.refreshes(), 1);
    }
}

#[test]
fn metadata_are_asked_for_once_a_day_and_stand_in_when_there_is_trouble() {
    let scene = Scene::of(at_once(), |issuer| {
        let other = profile("other", issuer).replace("\"cli\"", "\"other-cli\"");
        format!("{}{other}", profile("api", issuer))
    });
    scene.run(&["login", "-p", "api"]).ok();
    scene.run(&["login", "-p", "other"]).ok();
    scene.run(&["get", "-p", "api", "--force-refresh"]).ok();
    assert_eq!(discoveries(&scene.authority), 1);

    let documents = scene.sandbox.state().join("documents");
    let mut entries = fs::read_dir(documents).expect("there is one");
    let entry = entries.next().expect("there is a document");
    let path = entry.expect("it can be read").path();
    let kept = fs::read_to_string(&path).expect("it can be read");
    let (_, document) = kept.split_once('\n').expect("the time is its first line");
    let old = format!("1000000000\n{document}");
    fs::write(&path, &old).expect("it is ours");
    for trouble in [500, 404] {
        for _ in 0..3 {
            let fault = Fault::Answer(Response::new(trouble, "text/plain", ""));
            scene.authority.script(Endpoint::Discovery, fault);
        }
        scene.run(&["get", "-p", "api", "--force-refresh"]).ok();
        assert_eq!(fs::read_to_string(&path).expect("it is there"), old);
    }
}

#[cfg(unix)]
#[test]
fn stored_metadata_that_others_could_have_written_are_asked_for_again() {
    let scene = Scene::signed_in();
    let directory = scene.sandbox.state().join("documents");
    let mut entries = fs::read_dir(&directory).expect("there is one");
    let entry = entries.next().expect("there is a document");
    let path = entry.expect("it can be read").path();
    for (path, mode) in [(path, 0o666), (directory, 0o777)] {
        let before = discoveries(&scene.authority);
        scene.run(&["get", "--force-refresh"]).ok();
        assert_eq!(discoveries(&scene.authority), before);
        set_mode(&path, mode);
        scene.run(&["get", "--force-refresh"]).ok();
        assert_eq!(discoveries(&scene.authority), before + 1, "{path:?}");
    }
}

#[test]
fn an_authority_without_tls_on_loopback_needs_no_certificates() {
    let scene = Scene::new();
    let mut command = scene.sandbox.command(&["login"]);
    command
        .env("SSL_CERT_FILE", scene.file("none.pem"))
        .env("SSL_CERT_DIR", scene.file("none"));
    scene.run_command(command).ok();
}
