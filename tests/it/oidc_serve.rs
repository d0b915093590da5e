//! The JSON protocol at a real provider: one program, one session over stdin and stdout.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::oidc_ground::Ground;
use crate::support::detached;

/// A session of the JSON protocol.
pub(crate) struct Serve {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Serve {
    /// Starts `cred-helper serve` without a terminal, and reads its hello.
    pub(crate) fn start(ground: &Ground) -> Self {
        let mut command = detached(ground.sandbox.command(&["serve"]));
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut serve = Self {
            child,
            stdin,
            stdout,
        };
        assert_eq!(serve.line(), json!({ "v": [1] }));
        serve
    }

    /// Writes a line.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it was not ended yet");
        writeln!(stdin, "{line}").expect("it listens");
    }

    /// Reads a line.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it answers");
        assert!(line.ends_with('\n'), "the line is whole: {line:?}");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Writes a request and reads its answer.
    pub(crate) fn ask(&mut self, request: Value) -> Value {
        self.say(&request.to_string());
        self.line()
    }

    /// Ends its input; the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().expect("it ends").code()
    }
}

#[test]
fn a_session_goes_on_through_answers_and_errors_to_the_end_of_its_input() {
    let ground = Ground::signed_in(json!({}));
    let token = ground.get(&[]);
    let mut serve = Serve::start(&ground);
    let get = |id: u32| json!({ "v": 1, "kind": "get", "profile": "api", "id": id });

    let answer = serve.ask(get(1));
    assert_eq!(answer["id"], 1);
    assert_eq!(answer["Ok"]["kind"], "get");
    assert_eq!(answer["Ok"]["access_token"], token.as_str());
    assert_eq!(answer["Ok"]["source"], "cache");
    assert_eq!(answer["Ok"]["account"], "ada@example.test");

    let answer = serve.ask(json!({ "v": 1, "kind": "brew", "id": "two" }));
    assert_eq!(answer["id"], "two");
    assert_eq!(answer["Err"]["kind"], "usage");
    for line in ["{\"kind\":", "", "null", "[]"] {
        serve.say(line);
        assert_eq!(serve.line()["Err"]["kind"], "usage", "{line:?}");
    }
    let answer = serve.ask(json!({ "v": 1, "kind": "get", "profile": "nobody", "id": 3 }));
    assert_eq!(answer["Err"]["kind"], "no_profile");

    let answer = serve.ask(get(4));
    assert_eq!(answer["Ok"]["access_token"], token.as_str());
    assert_eq!(ground.authority.requests().total, 0);

    // A token that is not ours is erased without effect.
    let erase = |token: &str| json!({ "kind": "erase", "profile": "api", "access_token": token });
    let answer = serve.ask(erase("somebody-else-s-token"));
    assert_eq!(answer["Ok"]["kind"], "erase");
    assert_eq!(serve.ask(get(5))["Ok"]["source"], "cache");
    assert_eq!(serve.ask(erase(&token))["Ok"]["kind"], "erase");
    let answer = serve.ask(get(6));
    assert_eq!(answer["Ok"]["source"], "refresh");
    assert_ne!(answer["Ok"]["access_token"], token.as_str());

    let answer = serve.ask(json!({ "kind": "status", "id": 7 }));
    let account = &answer["Ok"]["profiles"][0]["accounts"][0];
    assert_eq!(account["account"], "ada@example.test");
    assert!(account["last_refreshed_at"].is_string(), "{answer}");

    let answer = serve.ask(json!({ "kind": "logout", "profile": "api", "id": 8 }));
    assert_eq!(answer["Ok"]["accounts"], json!(["ada@example.test"]));
    let answer = serve.ask(get(9));
    assert_eq!(answer["Err"]["kind"], "login_required");
    assert_eq!(
        answer["Err"]["next"],
        json!(["cred-helper", "login", "-p", "api"])
    );
    assert_eq!(serve.end(), Some(0));
    ground.scan_log();
}

#[test]
fn what_is_for_the_person_comes_as_message_lines_where_the_program_shows_them() {
    let ground = Ground::new(json!({}));
    let mut serve = Serve::start(&ground);
    // `always` for a token, and `login` in any case.
    for (id, request) in [
        (
            1,
            json!({ "kind": "get", "interactive": "always", "id": 1 }),
        ),
        (2, json!({ "kind": "login", "id": 2 })),
    ] {
        serve.say(&request.to_string());
        let message = serve.line();
        assert_eq!(message["id"], id);
        assert_eq!(message["kind"], "message");
        let text = message["message"].as_str().expect("it has a text");
        let complete = text
            .split_whitespace()
            .find(|word| word.contains("user_code="));
        let link = complete.expect("the message has the link that holds the code");
        ground.authority.approve(Some(link), "ada");
        let answer = loop {
            let line = serve.line();
            if line["kind"] != "message" {
                break line;
            }
            assert_eq!(line["id"], id);
        };
        assert_eq!(answer["id"], id);
        assert_eq!(answer["Ok"]["account"], "ada@example.test", "{answer}");
        // A sign-in is no token: `login` does not answer with one.
        assert_eq!(answer["Ok"]["access_token"].is_string(), id == 1);
    }
    let answer = serve.ask(json!({ "kind": "get", "interactive": "never", "id": 3 }));
    assert_eq!(answer["Ok"]["source"], "cache");
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn a_program_with_a_page_of_its_own_begins_a_sign_in_and_any_other_finishes_it() {
    let ground = Ground::new(json!({}));
    let mut first = Serve::start(&ground);
    let answer = first.ask(json!({
        "id": 1, "kind": "begin", "profile": "api", "account": "ada@example.test",
        "scopes": ["api:write"], "interactive": "never",
    }));
    assert_eq!(
        (&answer["id"], &answer["Ok"]["profile"]),
        (&json!(1), &json!("api"))
    );
    let page = answer["Ok"]["url"].as_str().expect("it is a URL");
    let address = ground.authority.copy_address(page, "ada");
    assert_eq!(first.end(), Some(0));

    let mut second = Serve::start(&ground);
    let wrong = second.ask(json!({ "kind": "finish", "address": "https://api.example/" }));
    assert_eq!(wrong["Err"]["kind"], "usage");
    second.say(&json!({ "id": 2, "kind": "finish", "address": address }).to_string());
    let message = second.line();
    assert_eq!(message["kind"], "message");
    let text = message["message"].as_str().expect("it has a text");
    assert!(text.contains("Signed in as ada@example.test"), "{message}");
    assert_eq!(
        second.line(),
        json!({ "id": 2, "Ok": {
            "kind": "finish", "profile": "api", "account": "ada@example.test",
        } })
    );
    // It is good for what was asked for when it was begun.
    let asked = json!({ "kind": "get", "scopes": ["api:write"], "interactive": "never" });
    let answer = second.ask(asked);
    assert_eq!(answer["Ok"]["source"], "refresh", "{answer}");
    assert_eq!(answer["Ok"]["scopes"], json!(["api:write"]), "{answer}");
    let again = second.ask(json!({ "kind": "finish", "address": address }));
    assert_eq!(again["Err"]["kind"], "login_required");
    assert_eq!(second.end(), Some(0));
    let requests = ground.authority.requests();
    assert_eq!(requests.token("authorization_code"), 1, "{requests:?}");
}

#[test]
fn once_is_one_request_one_answer_and_the_exit_code_of_its_kind() {
    let ground = Ground::signed_in(json!({}));
    let once = |request: &str| {
        let path = ground.sandbox.path().join("request");
        fs::write(&path, request).expect("it can be written");
        // A shell hands it over, as scripts do: the binary has no terminal either way.
        let output = detached(ground.sandbox.command(&["serve", "--once"]))
            .stdin(fs::File::open(path).expect("it can be read"))
            .output()
            .expect("the binary starts");
        let text = String::from_utf8(output.stdout).expect("it is UTF-8");
        assert_eq!(text.lines().count(), 1, "one line, no hello: {text}");
        let answer: Value = serde_json::from_str(&text).expect("it is JSON");
        (output.status.code(), answer)
    };
    let (code, answer) = once("{\"v\":1,\"kind\":\"get\",\"profile\":\"api\",\"id\":1}\n");
    assert_eq!((code, &answer["Ok"]["source"]), (Some(0), &json!("cache")));
    // A request may be written over several lines, and without an end of the last.
    let (code, answer) = once("{\n  \"kind\": \"status\"\n}");
    assert_eq!((code, &answer["Ok"]["kind"]), (Some(0), &json!("status")));
    for (request, expected, kind) in [
        (
            "{\"kind\":\"get\",\"account\":\"eve\"}",
            4,
            "login_required",
        ),
        ("{\"kind\":\"get\",\"scopes\":[\"api:write\"]}", 5, "denied"),
        ("{\"kind\":\"get\",\"profile\":\"other\"}", 8, "no_profile"),
        ("{\"v\":2,\"kind\":\"get\"}", 2, "usage"),
        ("no JSON", 2, "usage"),
        ("", 2, "usage"),
    ] {
        let (code, answer) = once(request);
        assert_eq!(code, Some(expected), "{request}: {answer}");
        assert_eq!(answer["Err"]["kind"], kind, "{request}");
    }
    ground.authority.fault(json!({
        "on": "token", "fault": "status", "status": 503,
    }));
    let (code, answer) = once("{\"kind\":\"get\",\"force_refresh\":true}");
    assert_eq!(code, Some(6), "{answer}");
}
