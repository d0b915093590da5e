//! Refresh tokens that were obtained elsewhere.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Response};
use crate::machine_ground::{expire, session_of, sign_in};
use crate::oidc_provider::OidcProvider;
use crate::scene::{Scene, failing, profile, refresh_token};
use crate::support::Sandbox;

const NAME: &str = "refresh_token";

/// A server with somebody's refresh token, and a sandbox whose profile takes it from the file `given`.
struct Ground {
    authority: OidcProvider,
    sandbox: Sandbox,
}

impl Ground {
    fn new(options: Value, keys: &str) -> Self {
        let authority = OidcProvider::start(options);
        let issuer = authority.issuer();
        let sandbox = Sandbox::new(&format!(
            "[profiles.elsewhere]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\n\
             scopes = [\"api:read\", \"api:write\"]\ngrant = \"device_code\"\n\
             [profiles.robot]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\n\
             scopes = [\"api:read\", \"openid\", \"profile\"]\n{keys}\
             grant = {{ type = \"refresh_token\", refresh_token = {{ file = \"given\" }} }}\n"
        ));
        Self { authority, sandbox }
    }

    /// Puts a new refresh token of ada's into the file; nobody else has it any more.
    fn give(&self) -> String {
        sign_in(&self.authority, &self.sandbox, "elsewhere");
        let mut sessions = self.sandbox.sessions().into_iter();
        let other = sessions.find(|path| {
            let text = fs::read_to_string(path).expect("it can be read");
            text.contains("\"device_code\"")
        });
        let other = other.expect("there is one");
        let token = refresh_token(&fs::read(&other).expect("it can be read"));
        fs::remove_file(other).expect("it is ours");
        self.sandbox.secret(&token);
        self.put(&token);
        self.authority.reset_requests();
        token
    }

    fn put(&self, text: &str) {
        fs::write(self.sandbox.path().join("given"), text).expect("it is ours");
    }

    fn get(&self) -> Value {
        self.sandbox
            .run(&["get", "-p", "robot", "-o", "json"])
            .json()
    }

    fn kept(&self) -> Option<String> {
        let session = session_of(&self.sandbox, NAME);
        let accounts = session["content"]["accounts"].as_array();
        let newest = accounts.expect("there are some").first()?;
        newest["refresh_token"].as_str().map(String::from)
    }

    /// How many refresh tokens were sent.
    fn sent(&self) -> u64 {
        self.authority.requests().token(NAME)
    }
}

#[test]
fn what_was_imported_is_the_profile_s_however_the_place_of_its_file_is_spelled() {
    let ground = Ground::new(json!({}), "");
    ground.give();
    ground.get();
    let run = |arguments: &[&str]| {
        let mut command = ground.sandbox.command(arguments);
        command.current_dir(ground.sandbox.path());
        ground.sandbox.run_command(command)
    };
    for spelled in ["profiles.toml", "./profiles.toml"] {
        let answer = run(&["get", "-p", "robot", "-o", "json", "--config", spelled]).json();
        assert_eq!(answer["source"], "cache", "{spelled}");
    }
    let ran = run(&["logout", "--all", "--config", "profiles.toml"]);
    assert!(!ran.stderr.contains("of no profile"), "{ran:?}");
    ran.ok();
}

#[test]
fn one_that_was_taken_is_not_taken_again_after_a_sign_out_of_all_in_another_configuration() {
    let ground = Ground::new(json!({ "rotate": false }), "");
    let given = ground.give();
    ground.get();
    let log_out = || {
        let line = ["logout", "--all", "--config", "other.toml"];
        let ran = ground.sandbox.run(&line);
        let told = ran.stderr.clone();
        ran.ok();
        told
    };
    fs::write(ground.sandbox.path().join("other.toml"), "").expect("it can be written");
    let told = "warning: 1 sign-in of no profile was removed; it could not be revoked\n";
    assert_eq!(log_out(), told);
    let kept = fs::read_to_string(ground.sandbox.session()).expect("it can be read");
    assert!(!kept.contains(&given), "{kept}");
    ground.sandbox.run(&["get", "-p", "robot"]).failed(4);
    assert_eq!(ground.sent(), 1);
    // Of nobody who is signed in nothing is told.
    assert_eq!(log_out(), "");
}

#[test]
fn one_is_taken_once_and_lives_on_here_whether_or_not_it_is_replaced() {
    for rotate in [true, false] {
        let ground = Ground::new(json!({ "rotate": rotate }), "");
        let given = ground.give();
        let calls: Vec<Value> = thread::scope(|scope| {
            let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| ground.get())).collect();
            let join = |call: thread::ScopedJoinHandle<'_, Value>| call.join().expect("answered");
            calls.into_iter().map(join).collect()
        });
        let token = calls[0]["access_token"].as_str().expect("there is one");
        assert!(calls.iter().all(|call| call["access_token"] == token));
        let of_grant = calls.iter().filter(|call| call["source"] == NAME);
        assert_eq!(of_grant.count(), 1, "{calls:?}");
        assert_eq!(calls[0]["account"], "ada@example.test");
        let known = ground.authority.introspect(token);
        assert_eq!(
            known["scope"], "api:read openid profile",
            "no more than is wanted"
        );
        assert_eq!(ground.sent(), 1);
        assert_eq!(ground.kept().as_deref() == Some(&given), !rotate);

        expire(&ground.sandbox, NAME);
        assert_eq!(ground.get()["source"], "refresh");
        // Whoever signs in for it again, with nothing new to take, refreshes.
        ground.sandbox.run(&["login", "-p", "robot"]).ok();
        assert_eq!(ground.sent(), 3);
        assert_eq!(ground.get()["source"], "cache");

        // Its end, and a new one.
        ground.authority.revoke(&ground.kept().expect("it is kept"));
        expire(&ground.sandbox, NAME);
        for requests in [4, 4] {
            let error = ground.sandbox.run(&["get", "-p", "robot"]).failed(4);
            assert!(error.contains("needs a new refresh token"), "{error}");
            assert!(error.contains("{ file = \""), "{error}");
            assert_eq!(ground.sent(), requests, "it is not sent again");
        }
        fs::remove_file(ground.sandbox.path().join("given")).expect("it is ours");
        let error = ground.sandbox.run(&["get", "-p", "robot"]).failed(4);
        assert!(
            error.contains("caused by: the secret `refresh_token` cannot be had"),
            "{error}"
        );
        ground.give();
        assert_eq!(ground.get()["source"], NAME);
        let session = session_of(&ground.sandbox, NAME);
        let accounts = session["content"]["accounts"]
            .as_array()
            .expect("they are there");
        assert_eq!(accounts.len(), 1, "ada is one account: {session}");

        // It is signed out, and what was taken stays taken.
        ground.sandbox.run(&["logout", "-p", "robot"]).ok();
        ground.authority.reset_requests();
        ground.sandbox.run(&["get", "-p", "robot"]).failed(4);
        assert_eq!(ground.sent(), 0);
        let kept = session_of(&ground.sandbox, NAME)["content"].clone();
        assert_eq!(kept["accounts"], json!([]));
        let status = ground
            .sandbox
            .run(&["status", "-p", "robot", "-o", "json"])
            .json();
        assert_eq!(status["profiles"][0]["accounts"], json!([]));
    }
}

#[test]
fn one_that_is_refused_is_sent_once_and_trouble_costs_nothing() {
    let ground = Ground::new(json!({}), "");
    let get = || ground.sandbox.run(&["-v", "get", "-p", "robot"]);
    let error = get().failed(3);
    assert!(
        error.contains("the secret `refresh_token` cannot be had"),
        "{error}"
    );
    ground.sandbox.secret("no-token-of-anybody");
    ground.put("no-token-of-anybody\n");
    for _ in 0..2 {
        let error = get().failed(4);
        assert!(error.contains("needs a new refresh token"), "{error}");
        assert_eq!(ground.sent(), 1);
    }
    assert_eq!(
        session_of(&ground.sandbox, NAME)["content"]["accounts"],
        json!([])
    );
    let given = ground.give();
    let trouble = json!({ "on": "token", "fault": "status", "status": 503 });
    ground.authority.fault(trouble);
    get().failed(6);
    assert_eq!(
        ground.kept().as_deref(),
        Some(given.as_str()),
        "it is the session's by now"
    );
    ground.put("");
    let token = get().ok();
    ground.sandbox.secret(token.trim_end());
    assert_eq!(ground.sent(), 2);
}

#[test]
fn a_refresh_token_of_somebody_else_is_not_taken_for_the_account_s() {
    let ground = Ground::new(json!({}), "account = \"eve@example.test\"\n");
    ground.give();
    let error = ground.sandbox.run(&["get", "-p", "robot"]).failed(5);
    let words = "is of `ada@example.test`, and `eve@example.test` was asked for";
    assert!(error.contains(words), "{error}");
    ground.sandbox.run(&["get", "-p", "robot"]).failed(4);
    assert_eq!(ground.sent(), 1);
    // It was none too many.
    let arguments = [
        "get",
        "-p",
        "robot",
        "-o",
        "json",
        "--account",
        "ada@example.test",
    ];
    assert_eq!(ground.sandbox.run(&arguments).json()["source"], "cache");
}

/// A scene whose profile imports a refresh token that is good for one use.
fn scene() -> Scene {
    let scene = Scene::signed_in();
    let token = refresh_token(&scene.session());
    fs::remove_file(scene.sandbox.session()).expect("it is ours");
    fs::write(scene.file("given"), format!("{token}\n")).expect("it is ours");
    scene.sandbox.secret(&token);
    scene.sandbox.write_profiles(&format!(
        "{}grant = {{ type = \"refresh_token\", refresh_token = {{ file = \"given\" }} }}\n",
        profile("api", &scene.authority.issuer())
    ));
    scene
}

#[test]
fn where_the_store_fails_nothing_is_sent_and_what_was_replaced_is_kept_by_force() {
    // The import is kept, and room for what comes is made, before anything is sent.
    for (when, code, sent) in [("1+", 9, 0), ("3+", 9, 0), ("5+", 0, 1)] {
        let scene = scene();
        let wrapper = failing(&format!("fsync:error=EIO:when={when}"));
        let ran = scene.run_command(scene.wrapped(&wrapper, &["get"]));
        assert_eq!(
            (ran.code, scene.refreshes()),
            (Some(code), sent),
            "{when}: {ran:?}"
        );
        if code == 9 {
            scene.run(&["get"]).ok();
            assert_eq!(scene.refreshes(), 1);
        } else {
            assert!(ran.stderr.contains("could not be kept"), "{ran:?}");
        }
    }
}

/// Wherever it is killed, the next call has a token; unless the authority had replaced the one that was
/// given, and the new one was not written yet, as in any refresh.
#[test]
fn a_kill_loses_no_more_than_that_of_any_refresh() {
    let mut lost = 0;
    let mut killed = 0;
    for call in ["flock", "fsync", "rename", "sendto", "recvfrom"] {
        for nth in 1.. {
            let scene = scene();
            let wrapper = failing(&format!("{call}:signal=SIGKILL:when={nth}"));
            let ran = scene.sandbox.run_command(scene.wrapped(&wrapper, &["get"]));
            if ran.code == Some(0) {
                break;
            }
            assert_eq!(ran.code, None, "{call} {nth}: {ran:?}");
            killed += 1;
            scene.authority.settle();
            let is_spent = scene.refreshes() == 1;
            let next = scene.run(&["get"]);
            if next.code == Some(0) {
                continue;
            }
            assert!(is_spent, "{call} {nth}: {next:?}");
            let error = next.failed(4);
            assert!(error.contains("invalid_grant"), "{call} {nth}: {error}");
            lost += 1;
        }
    }
    assert!(killed >= 8, "only {killed} points were found");
    assert!(lost * 2 < killed, "{lost} of {killed}");
}

#[test]
fn what_is_wanted_is_named_and_entra_is_asked_as_ever() {
    let scene = scene();
    scene.run(&["get"]).ok();
    let requests = scene.authority.requests();
    let request = requests.last().expect("there was one");
    assert_eq!(request.parameter("scope"), Some("demo"));

    let scene = crate::microsoft::entra(
        "grant = { type = \"refresh_token\", refresh_token = { env = \"GIVEN\" } }\n",
    );
    let tokens = json!({
        "token_type": "Bearer", "access_token": "the-access-token", "expires_in": 3600,
        "refresh_token": "the-new-one", "scope": "User.Read",
    });
    let answer = Fault::Answer(Response::json(200, &tokens));
    scene.authority.script(Endpoint::Token, answer);
    let mut command = scene.sandbox.command(&["get"]);
    command.env("GIVEN", "the-given-one");
    assert_eq!(scene.run_command(command).ok(), "the-access-token\n");
    let requests = scene.authority.requests();
    let mut form = requests[0].form.clone();
    form.sort();
    let expected = [
        ("client_id", "cli"),
        ("client_info", "1"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "the-given-one"),
        ("scope", "User.Read openid profile offline_access"),
    ];
    assert_eq!(
        form,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_table_without_a_source_is_complained_of() {
    for (grant, words) in [
        (
            "\"refresh_token\"",
            "`refresh_token` needs a `refresh_token`",
        ),
        (
            "{ type = \"refresh_token\", refresh_token = { profile = \"b\" } }",
            "needs exactly one of `env`, `file`, `command` and `keyring`",
        ),
    ] {
        let sandbox = Sandbox::new(&format!(
            "[profiles.a]\nclient_id = \"c\"\nauthority = \"https://id.example\"\nscopes = []\ngrant = {grant}\n"
        ));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        assert!(
            error.contains("profiles.toml:5:") && error.contains(words),
            "{error}"
        );
    }
}
