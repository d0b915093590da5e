//! A service that acts on behalf of whoever called it: at a scripted Entra, which answers with a token
//! of the one whose assertion came.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Recorded, Response};
use crate::machine_ground::{expire, session_of};
use crate::microsoft::entra;
use crate::scene::{Scene, profile};
use crate::support::{Ran, Sandbox};

const NAME: &str = "on_behalf_of";
const SECRET: &str = "client_secret = { file = \"secret\" }\n";

/// A confidential client at Entra that acts on behalf of whom this source of its `assertion` names.
fn scene(source: &str) -> Scene {
    let scene = entra(&format!(
        "{SECRET}grant = {{ type = \"on_behalf_of\", assertion = {source} }}\n"
    ));
    fs::write(scene.file("secret"), "secret-of-the-service\n").expect("it can be written");
    scene.sandbox.secret("secret-of-the-service");
    scene
}

/// The token that the one with this assertion gets.
fn token_of(assertion: &str) -> String {
    let backwards: String = assertion.chars().rev().collect();
    format!("token-for-{backwards}")
}

/// Answers so many requests, each with a token of whose assertion came.
fn answer(scene: &Scene, times: usize, members: &Value) {
    for _ in 0..times {
        let members = members.clone();
        let answer = Fault::then(move |request: &Recorded| {
            let assertion = request.parameter("assertion").unwrap_or_default();
            let mut answer = json!({
                "token_type": "Bearer", "access_token": token_of(assertion), "expires_in": 3600,
                "refresh_token": "nobody-is-to-have-it",
            });
            let own = answer.as_object_mut().expect("it is an object");
            own.extend(members.as_object().expect("they are an object").clone());
            Response::json(200, &answer)
        });
        scene.authority.script(Endpoint::Token, answer);
    }
}

/// Runs a call with this on its stdin.
fn with_stdin(scene: &Scene, text: &str, arguments: &[&str]) -> Ran {
    // Each call has a file of its own: they run at once.
    let input = tempfile::NamedTempFile::new_in(scene.sandbox.path()).expect("it can be made");
    fs::write(input.path(), text).expect("it can be written");
    let script = format!("exec \"$0\" \"$@\" <'{}'", input.path().display());
    let command = scene.wrapped(&["sh", "-c", &script], arguments);
    scene.run_command(command)
}

fn get(scene: &Scene, assertion: &str) -> Ran {
    with_stdin(scene, assertion, &["get"])
}

#[test]
fn twenty_callers_with_two_tokens_cost_two_requests_and_nobody_gets_the_other_s() {
    let scene = scene("{ stdin = true }");
    answer(&scene, 2, &json!({}));
    let callers = ["assertion-of-ada", "assertion-of-eve"];
    let answers: Vec<(&str, String)> = thread::scope(|scope| {
        let scene = &scene;
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let caller = callers[number % 2];
                let call = move || (caller, get(scene, caller).ok());
                scope.spawn(call)
            })
            .collect();
        let join = |call: thread::ScopedJoinHandle<'_, _>| call.join().expect("it was answered");
        calls.into_iter().map(join).collect()
    });
    for (caller, answer) in answers {
        assert_eq!(answer.trim_end(), token_of(caller));
    }
    assert_eq!(scene.authority.requests().len(), 2);
    scene.authority.wait_until(|state| state.faults_left() == 0);
    let kept = session_of(&scene.sandbox, NAME);
    let accounts = kept["content"]["accounts"]
        .as_array()
        .expect("they are there");
    assert_eq!(accounts.len(), 2);
    let text = kept.to_string();
    for absent in [
        "assertion-of-ada",
        "assertion-of-eve",
        "nobody-is-to-have-it",
    ] {
        assert!(!text.contains(absent), "{absent} is kept: {text}");
    }

    // What is over is forgotten with the next one that comes.
    expire(&scene.sandbox, NAME);
    answer(&scene, 1, &json!({}));
    assert_eq!(
        get(&scene, "assertion-of-zoe").ok().trim_end(),
        token_of("assertion-of-zoe")
    );
    let kept = session_of(&scene.sandbox, NAME);
    let accounts = kept["content"]["accounts"]
        .as_array()
        .expect("they are there");
    assert_eq!(accounts.len(), 1, "{kept}");

    // A rejected one is forgotten by its value, and a sign-out takes all.
    let request =
        json!({ "kind": "erase", "profile": "api", "access_token": token_of("assertion-of-zoe") });
    with_stdin(&scene, &request.to_string(), &["serve", "--once"]).ok();
    answer(&scene, 1, &json!({}));
    get(&scene, "assertion-of-zoe").ok();
    assert_eq!(scene.authority.requests().len(), 4);
    scene.run(&["logout"]).ok();
    assert_eq!(scene.sandbox.sessions().len(), 0);
}

#[test]
fn an_id_token_and_a_name_are_those_of_the_one_who_is_acted_for() {
    let scene = scene("{ stdin = true }");
    let named = |name: &str| {
        let claims = json!({ "aud": "cli", "oid": name, "tid": "t", "preferred_username": name });
        json!({ "id_token": crate::acquire::id_token(&claims) })
    };
    let mut answers = BTreeMap::new();
    // Eve's answer has none: she must not be given Ada's.
    for (caller, members) in [
        ("ada-1", named("ada")),
        ("eve-1", json!({})),
        ("ada-2", named("ada")),
    ] {
        answer(&scene, 1, &members);
        let answer = with_stdin(&scene, caller, &["get", "-o", "json"]).json();
        assert_eq!(answer["source"], NAME);
        answers.insert(caller, answer);
    }
    assert_eq!(answers["ada-1"]["account"], "ada");
    assert_eq!(answers["eve-1"]["account"], json!(null));
    assert_eq!(answers["eve-1"]["id_token"], json!(null));
    for (caller, first) in answers {
        let again = with_stdin(&scene, caller, &["get", "-o", "json"]).json();
        assert_eq!(again["source"], "cache", "{caller}");
        for member in ["access_token", "account", "id_token"] {
            assert_eq!(again[member], first[member], "{caller}");
        }
    }
    let error = with_stdin(
        &scene,
        "eve-1",
        &["get", "-o", "id-token", "--account", "ada"],
    );
    assert_eq!(error.code, Some(5), "{error:?}");
    assert_eq!(scene.authority.requests().len(), 4);
}

#[test]
fn entra_is_asked_as_it_wants_to_be_whatever_the_source() {
    for source in [
        "{ file = \"caller\" }",
        "{ env = \"CALLER\" }",
        "{ command = [\"cat\", \"caller\"] }",
    ] {
        let scene = scene(source);
        fs::write(scene.file("caller"), "token-of-the-caller\n").expect("it can be written");
        scene.sandbox.secret("token-of-the-caller");
        answer(&scene, 1, &json!({ "access_token": "the-answer" }));
        let mut command = scene
            .sandbox
            .command(&["-v", "get", "--claims", "{\"a\":{}}"]);
        command.env("CALLER", "token-of-the-caller");
        assert_eq!(scene.run_command(command).ok(), "the-answer\n", "{source}");
        let requests = scene.authority.requests();
        let mut form = requests[0].form.clone();
        form.sort();
        let expected = [
            ("assertion", "token-of-the-caller"),
            ("claims", "{\"a\":{}}"),
            ("client_id", "cli"),
            ("client_info", "1"),
            ("client_secret", "secret-of-the-service"),
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("requested_token_use", "on_behalf_of"),
            ("scope", "User.Read openid profile offline_access"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form, expected);
    }
}

#[test]
fn a_request_of_the_json_protocol_brings_its_own() {
    // Its own counts, whatever the profile names.
    for source in ["{ stdin = true }", "{ env = \"NOT_SET\" }"] {
        let scene = scene(source);
        answer(&scene, 1, &json!({}));
        let get = |assertion: Value| {
            let request = json!({ "kind": "get", "profile": "api", "assertion": assertion });
            with_stdin(&scene, &request.to_string(), &["serve", "--once"])
        };
        let answer = get(json!("of-a-caller")).json();
        assert_eq!(answer["Ok"]["access_token"], token_of("of-a-caller"));
        let ran = get(json!("of-a-caller"));
        assert_eq!(ran.json()["Ok"]["source"], "cache");
        for assertion in [json!(null), json!("")] {
            let ran = get(assertion);
            let from_stdin = source.contains("stdin");
            assert_eq!(ran.code, Some(if from_stdin { 2 } else { 3 }), "{ran:?}");
            let words = if from_stdin {
                "was given no `assertion`"
            } else {
                "`NOT_SET` is not set"
            };
            assert!(ran.stdout.contains(words), "{ran:?}");
        }
        assert_eq!(get(json!(7)).code, Some(2));
    }
}

#[test]
fn without_a_token_of_the_caller_nothing_is_asked() {
    let scene = scene("{ stdin = true }");
    for (text, words) in [
        ("", "its source gave nothing"),
        ("two\nlines", "more than one line"),
        (&"x".repeat(70_000), "stdin gave too much"),
    ] {
        let error = with_stdin(&scene, text, &["get"]).failed(2);
        assert!(error.contains("was given no `assertion`"), "{error}");
        assert!(error.contains(words), "{error}");
    }
    // Nobody types a token.
    let shown = scene.sandbox.in_terminal("cred-helper get").end();
    assert_eq!(shown.0, Some(2), "{shown:?}");
    assert!(shown.1.contains("stdin is a terminal"), "{shown:?}");
    // A tool's protocol is on stdin, and is no token.
    for arguments in [&["git", "get"][..], &["login"], &["docker", "get"]] {
        let profiles = fs::read_to_string(scene.sandbox.config()).expect("it can be read");
        let urls = "urls = [\"https://api.example/\"]\n";
        if !profiles.contains(urls) {
            scene
                .sandbox
                .write_profiles(&profiles.replace("grant =", &format!("{urls}grant =")));
        }
        let mut command = scene.wrapped(
            &[
                "sh",
                "-c",
                "printf 'protocol=https\\nhost=api.example\\n\\n' | \"$0\" \"$@\"",
            ],
            &[arguments, &["-p", "api"]].concat(),
        );
        command.stdin(Stdio::null());
        let ran = scene.run_command(command);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains("no `assertion`") || ran.code != Some(0),
            "{arguments:?}: {ran:?}"
        );
    }
    assert_eq!(scene.authority.requests().len(), 0);

    // Whoever believes to act for somebody is told where nobody is acted for.
    let scene = Scene::signed_in();
    let request = json!({ "kind": "get", "profile": "api", "assertion": "of-a-caller" });
    let ran = with_stdin(&scene, &request.to_string(), &["serve", "--once"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stdout.contains("acts on behalf of nobody"), "{ran:?}");
}

#[test]
fn a_get_of_any_other_profile_leaves_stdin_alone() {
    let scene = Scene::signed_in();
    let mut command = Command::new("sh");
    scene.sandbox.prepare(&mut command);
    command.env("PATH", scene.sandbox.path_with_links()).args([
        "-c",
        "printf 'what is left\\n' | { cred-helper get >/dev/null; cat; }",
    ]);
    assert_eq!(scene.run_command(command).ok(), "what is left\n");
}

#[test]
fn who_has_to_sign_in_is_told_and_a_token_of_no_use_is_told_apart() {
    let scene = scene("{ stdin = true }");
    let refuse = |members: Value| {
        scene.authority.script(
            Endpoint::Token,
            Fault::Answer(Response::json(400, &members)),
        );
    };
    let wanted = "{\"access_token\":{\"polids\":{\"essential\":true}}}";
    refuse(json!({
        "error": "interaction_required", "suberror": "basic_action", "error_codes": [50076],
        "error_description": "AADSTS50076: a second factor is needed", "claims": wanted,
    }));
    let error = get(&scene, "of-a-caller").failed(4);
    assert!(
        error.contains(&format!("has to satisfy the claims `{wanted}`")),
        "{error}"
    );
    assert!(
        error.contains("has to sign in to the service that calls"),
        "{error}"
    );
    refuse(json!({
        "error": "invalid_grant", "error_codes": [500_133],
        "error_description": "AADSTS500133: the assertion is not within its time",
    }));
    let error = get(&scene, "of-a-caller").failed(5);
    assert!(
        error.contains("the `assertion` may have run out"),
        "{error}"
    );
    scene.authority.script(
        Endpoint::Token,
        Fault::error(503, "temporarily_unavailable"),
    );
    get(&scene, "of-a-caller").failed(6);
    // One token that is refused is nothing to the others, nor is its own trouble to it.
    answer(&scene, 2, &json!({}));
    get(&scene, "of-another").ok();
    get(&scene, "of-a-caller").ok();
}

#[test]
fn a_service_that_cannot_prove_who_it_is_asks_nothing() {
    let scene = entra("grant = { type = \"on_behalf_of\", assertion = { stdin = true } }\n");
    let error = get(&scene, "of-a-caller").failed(3);
    assert!(
        error.contains("`on_behalf_of` needs a client that proves who it is"),
        "{error}"
    );
    assert_eq!(scene.authority.requests().len(), 0);
}

#[test]
fn the_token_of_another_profile_is_acted_with() {
    let scene = Scene::new();
    let issuer = scene.authority.issuer();
    let secret =
        "client_secret = { env = \"SERVICE\" }\nclient_auth_method = \"client_secret_post\"\n";
    let service = "grant = { type = \"on_behalf_of\", assertion = { profile = \"person\" } }\n";
    scene.sandbox.write_profiles(&format!(
        "{}{}{secret}{service}",
        profile("person", &issuer),
        profile("api", &issuer)
    ));
    let run = || {
        let mut command = scene.sandbox.command(&["get", "-p", "api"]);
        command.env("SERVICE", "secret-of-the-service");
        scene.run_command(command)
    };
    let error = run().failed(4);
    let told = error.matches("profile `api` needs its token");
    assert_eq!(told.count(), 1, "{error}");
    assert!(error.contains("`cred-helper login -p person`"), "{error}");
    scene.run(&["login", "-p", "person"]).ok();
    let person = scene.run(&["get", "-p", "person"]).ok();
    answer(
        &scene,
        1,
        &json!({ "access_token": "acted-for-the-person" }),
    );
    assert_eq!(run().ok(), "acted-for-the-person\n");
    let requests = scene.authority.requests();
    let request = requests.last().expect("there was one");
    assert_eq!(request.parameter("assertion"), Some(person.trim_end()));
    assert_eq!(run().ok(), "acted-for-the-person\n");
}

#[test]
fn each_mistake_in_the_table_is_told_with_its_place() {
    for (grant, place, words) in [
        ("\"on_behalf_of\"", "5:9", "needs an `assertion`"),
        (
            "{ type = \"on_behalf_of\", assertion = { stdin = false } }",
            "5:56",
            "`true` is all that it can be",
        ),
        (
            "{ type = \"on_behalf_of\", assertion = { stdin = true, env = \"X\" } }",
            "5:46",
            "needs exactly one of `env`, `file`, `command`, `keyring`, `profile` and `stdin`",
        ),
        (
            "{ type = \"on_behalf_of\", assertion = { stdin = \"yes\" } }",
            "5:56",
            "it is a string, not true or false",
        ),
    ] {
        let sandbox = Sandbox::new(&format!(
            "[profiles.a]\nclient_id = \"c\"\nauthority = \"https://id.example\"\nscopes = []\ngrant = {grant}\n"
        ));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        let is_it =
            |line: &str| line.contains(&format!("profiles.toml:{place}:")) && line.contains(words);
        assert!(error.lines().any(is_it), "{grant}: {error}");
    }
    let source = "grant = { type = \"token_exchange\", subject_token = { stdin = true } }\n";
    let sandbox = Sandbox::new(&format!("{}{source}", profile("a", "https://id.example")));
    let error = sandbox.run(&["profile", "check"]).failed(3);
    assert!(
        error.contains("exactly one of `env`, `file`, `command`, `keyring` and `profile`"),
        "{error}"
    );
}
