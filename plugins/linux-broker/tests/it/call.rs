//! Calls of the plugin, as cred-helper makes them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::scene::Scene;

/// What every token of the tests holds.
pub(crate) const CANARY: &str = "canary";

/// What the plugin said to one request.
pub(crate) struct Said {
    pub(crate) messages: Vec<String>,
    pub(crate) answer: Value,
}

impl Said {
    pub(crate) fn ok(&self) -> &Value {
        let ok = &self.answer["Ok"];
        assert_eq!(ok["kind"], "acquire", "{}", self.answer);
        ok
    }

    /// The error's kind and message.
    pub(crate) fn error(&self) -> (&str, &str) {
        let error = &self.answer["Err"];
        let text = |name: &str| {
            error[name]
                .as_str()
                .unwrap_or_else(|| panic!("{}", self.answer))
        };
        (text("kind"), text("message"))
    }

    pub(crate) fn hint(&self) -> &str {
        self.answer["Err"]["hint"].as_str().unwrap_or("")
    }
}

/// A request for the profile `graph`, with `changes`.
pub(crate) fn request(changes: Value) -> Value {
    let mut request = json!({
        "v": 1, "kind": "acquire", "id": 7,
        "profile": {
            "name": "graph", "client_id": "00001111-aaaa-2222-bbbb-3333cccc4444",
            "authority": "https://login.microsoftonline.com/organizations",
            "scopes": ["User.Read"],
            "grant": {"type": "plugin", "name": "linux-broker", "broker_timeout": 60},
        },
        "scopes": ["User.Read", "openid", "profile", "offline_access"],
        "account": null, "refresh_token": null, "min_valid": null, "force_refresh": false, "claims": null,
        "interactive": "never",
    });
    for (name, value) in changes.as_object().expect("an object") {
        request[name] = value.clone();
    }
    request
}

/// As [`request`], with the given time limit of the broker.
pub(crate) fn impatient(changes: Value) -> Value {
    let mut request = request(changes);
    request["profile"]["grant"]["broker_timeout"] = json!(1);
    request
}

/// Asks on the bus of `scene`.
pub(crate) fn ask(scene: &Scene, request: &Value) -> Said {
    let address = scene.address.as_str();
    ask_with(&[("DBUS_SESSION_BUS_ADDRESS", address)], request)
}

/// Asks with an environment of nothing but `variables`.
pub(crate) fn ask_with(variables: &[(&str, &str)], request: &Value) -> Said {
    let mut said = converse(variables, format!("{request}\n").as_bytes());
    assert_eq!(said.len(), 1, "one answer to one request");
    said.remove(0)
}

/// Writes `input`, closes the pipe and reads all answers.
pub(crate) fn converse(variables: &[(&str, &str)], input: &[u8]) -> Vec<Said> {
    let mut plugin = Command::new(env!("CARGO_BIN_EXE_cred-helper-provider-linux-broker"))
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the plugin starts");
    let mut pipe = plugin.stdin.take().expect("it is piped");
    pipe.write_all(input).expect("the plugin reads");
    drop(pipe);
    let output = plugin.wait_with_output().expect("the plugin ends");
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let output = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.ends_with('\n'));
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some(r#"{"v":[1]}"#));
    let mut said = Vec::new();
    let mut messages = Vec::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).expect("JSON");
        if line["kind"] == "message" {
            let message = line["message"].as_str().expect("text").to_owned();
            assert_harmless(&message);
            messages.push(message);
            continue;
        }
        if let Value::Object(error) = &line["Err"] {
            let shown = Value::Object(error.clone()).to_string();
            assert!(!shown.contains(CANARY), "{shown}");
            for text in [&error["message"], &error["hint"]] {
                assert_harmless(text.as_str().unwrap_or(""));
            }
        }
        said.push(Said {
            messages: std::mem::take(&mut messages),
            answer: line,
        });
    }
    assert!(messages.is_empty(), "an answer comes last");
    said
}

fn assert_harmless(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
}
