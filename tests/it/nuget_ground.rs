//! NuGet's part of its plugins' protocol, played by the book: ids, order and times are checked, and
//! whatever a real NuGet would end the plugin for fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::oidc_ground::Ground;
use crate::support::detached;

/// How long does NuGet wait for an answer, and for a sign of life?
const LIMIT: Duration = Duration::from_secs(30);

/// The form in which messages come.
const MEMBERS: [&str; 3] = ["RequestId", "Type", "Method"];

/// A NuGet and its plugin.
pub(crate) struct NuGet {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    count: u32,
    /// Our requests that have no answer yet: id and method.
    open: BTreeMap<String, String>,
    /// Those among them that are not wanted any more.
    cancelled: BTreeSet<String>,
    /// Answers that nobody has looked at yet.
    answers: BTreeMap<String, Value>,
    /// The ids of the plugin's requests.
    asked: BTreeSet<String>,
    is_log_open: bool,
    /// What the plugin has had shown: level and text.
    pub(crate) shown: Vec<(String, String)>,
    /// How often it told that it works, for each request.
    pub(crate) progress: BTreeMap<String, usize>,
    /// What it called a fault, without the id of a request of ours.
    pub(crate) faults: Vec<String>,
}

impl NuGet {
    /// Starts a plugin, without a terminal, and says nothing yet.
    pub(crate) fn silent(ground: &Ground) -> Self {
        let link = ground.sandbox.link("nuget-plugin-cred-helper");
        let mut command = std::process::Command::new(link);
        ground.sandbox.prepare(&mut command);
        command.arg("-Plugin");
        let mut child = detached(command)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n') {
                if sender.send(line.expect("it can be read")).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
            count: 0,
            open: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            answers: BTreeMap::new(),
            asked: BTreeSet::new(),
            is_log_open: false,
            shown: Vec::new(),
            progress: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Starts a plugin, and goes as far as NuGet does before it asks for credentials.
    pub(crate) fn start(ground: &Ground) -> Self {
        let mut nuget = Self::silent(ground);
        let versions = json!({ "ProtocolVersion": "2.0.0", "MinimumProtocolVersion": "1.0.0" });
        let id = nuget.send("Handshake", versions);
        let success = json!({ "ResponseCode": "Success", "ProtocolVersion": "2.0.0" });
        assert_eq!(nuget.answer(&id), success);
        while !nuget.asked.contains(OWN_HANDSHAKE) {
            nuget.hear();
        }
        let process = std::process::id();
        for (method, payload) in [
            ("MonitorNuGetProcessExit", json!({ "ProcessId": process })),
            (
                "Initialize",
                json!({
                    "ClientVersion": "6.13.0", "Culture": "en-US", "RequestTimeout": "00:00:05",
                }),
            ),
        ] {
            let answer = nuget.ask(method, payload);
            assert_eq!(answer, json!({ "ResponseCode": "Success" }), "{method}");
        }
        let claims = nuget.ask("GetOperationClaims", json!({}));
        assert_eq!(claims, json!({ "Claims": ["Authentication"] }));
        nuget.is_log_open = true;
        let answer = nuget.ask("SetLogLevel", json!({ "LogLevel": "Minimal" }));
        assert_eq!(answer, json!({ "ResponseCode": "Success" }));
        nuget
    }

    /// Writes bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("it was not ended yet");
        stdin.write_all(bytes).expect("it listens");
    }

    /// Asks something; the id.
    pub(crate) fn send(&mut self, method: &str, payload: Value) -> String {
        self.count += 1;
        let id = format!("{:08x}-28c9-4a19-957d-78db5b68f3f2", self.count);
        let line = json!({
            "RequestId": id, "Type": "Request", "Method": method, "Payload": payload,
        });
        self.open.insert(id.clone(), method.to_owned());
        self.write(format!("{line}\n").as_bytes());
        id
    }

    /// A request was written by hand, and is to be answered.
    pub(crate) fn expects(&mut self, id: &str, method: &str) {
        if !self.answers.contains_key(id) {
            self.open.insert(id.to_owned(), method.to_owned());
        }
    }

    /// Takes a request back.
    pub(crate) fn cancel(&mut self, id: &str) {
        let method = &self.open[id];
        let line = json!({ "RequestId": id, "Type": "Cancel", "Method": method });
        self.cancelled.insert(id.to_owned());
        self.write(format!("{line}\n").as_bytes());
    }

    /// Asks something, and waits for the answer.
    pub(crate) fn ask(&mut self, method: &str, payload: Value) -> Value {
        let id = self.send(method, payload);
        self.answer(&id)
    }

    /// Waits for an answer; null is none, to a request that was taken back.
    pub(crate) fn answer(&mut self, id: &str) -> Value {
        /// How much may be said before? A sign of life comes each second.
        const MOST: usize = 200;
        for _ in 0..MOST {
            if let Some(answer) = self.answers.remove(id) {
                return answer;
            }
            self.hear();
        }
        panic!("no answer: {:?} {:?}", self.open, self.shown);
    }

    /// Asks for credentials for a URL.
    pub(crate) fn send_for(&mut self, url: &str, is_retry: bool, is_asked: bool) -> String {
        let payload = json!({
            "Uri": url, "IsRetry": is_retry, "IsNonInteractive": !is_asked, "CanShowDialog": false,
        });
        self.send("GetAuthenticationCredentials", payload)
    }

    /// Asks for credentials where nobody may be asked, and waits for the answer.
    pub(crate) fn ask_for(&mut self, url: &str, is_retry: bool) -> Value {
        let id = self.send_for(url, is_retry, false);
        self.answer(&id)
    }

    /// The password that is given for a URL where nobody may be asked.
    pub(crate) fn password(&mut self, url: &str, is_retry: bool) -> String {
        password(&self.ask_for(url, is_retry))
    }

    /// Waits until something is shown that holds this text; all of it.
    pub(crate) fn sees(&mut self, text: &str) -> String {
        loop {
            let mut shown = self.shown.iter();
            if let Some((_, shown)) = shown.find(|(_, shown)| shown.contains(text)) {
                return shown.clone();
            }
            self.hear();
        }
    }

    /// Waits until the plugin has told once more that it works for a request.
    pub(crate) fn sees_progress(&mut self, id: &str) {
        let before = self.progress.get(id).copied();
        while self.progress.get(id).copied() == before {
            self.hear();
        }
    }

    /// Takes in a message, by the rules.
    pub(crate) fn hear(&mut self) {
        let line = self.lines.recv_timeout(LIMIT);
        let line = line.unwrap_or_else(|_| panic!("no word for {LIMIT:?}: {:?}", self.open));
        let line = String::from_utf8(line).expect("it is UTF-8");
        assert!(line.starts_with('{') && !line.ends_with('\r'), "{line:?}");
        let message: Value = serde_json::from_str(&line).expect("it is JSON");
        let mut place = 0;
        for member in MEMBERS {
            let found = line.find(&format!("\"{member}\":")).expect("it is there");
            assert!(found >= place, "{line}");
            place = found;
        }
        let text = |member: &str| message[member].as_str().expect("it is text").to_owned();
        let [id, kind, method] = MEMBERS.map(text);
        let payload = message["Payload"].clone();
        match kind.as_str() {
            "Request" => self.take_request(id, &method, &payload),
            "Response" => {
                assert_eq!(self.open.remove(&id).as_ref(), Some(&method), "{line}");
                assert!(payload.is_object(), "{line}");
                self.answers.insert(id, payload);
            }
            "Progress" => {
                // One for a request that is answered ends the plugin.
                assert_eq!(self.open.get(&id), Some(&method), "{line}");
                assert!(payload.is_object(), "{line}");
                *self.progress.entry(id).or_default() += 1;
            }
            "Cancel" => {
                assert_eq!(self.open.remove(&id).as_ref(), Some(&method), "{line}");
                assert!(self.cancelled.contains(&id), "{line}");
                self.answers.insert(id, Value::Null);
            }
            "Fault" => {
                let reason = payload["Message"].as_str().expect("it says why").to_owned();
                match self.open.remove(&id) {
                    Some(open) => {
                        assert_eq!(open, method, "{line}");
                        self.answers.insert(id, payload);
                    }
                    None => {
                        assert_eq!(method, "None", "{line}");
                        self.faults.push(reason);
                    }
                }
            }
            _ => panic!("{line}"),
        }
    }

    fn take_request(&mut self, id: String, method: &str, payload: &Value) {
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id} is no GUID");
        assert!(!self.open.contains_key(&id), "{id} is ours");
        assert!(self.asked.insert(id.clone()), "{id} came twice");
        let answer = match method {
            "Handshake" => {
                let version = json!({
                    "ProtocolVersion": "2.0.0", "MinimumProtocolVersion": "2.0.0",
                });
                assert_eq!(*payload, version);
                self.asked.insert(OWN_HANDSHAKE.to_owned());
                json!({ "ResponseCode": "Success", "ProtocolVersion": "2.0.0" })
            }
            "Log" => {
                assert!(self.is_log_open, "nothing may be shown yet: {payload}");
                let text = |member: &str| payload[member].as_str().expect("it is text").to_owned();
                self.shown.push((text("LogLevel"), text("Message")));
                json!({ "ResponseCode": "Success" })
            }
            _ => panic!("a plugin does not ask for {method}"),
        };
        let line = json!({
            "RequestId": id, "Type": "Response", "Method": method, "Payload": answer,
        });
        let stdin = self.stdin.as_mut().expect("it was not ended yet");
        // A plugin that has ended meanwhile is noticed elsewhere.
        writeln!(stdin, "{line}").ok();
    }

    /// Says that it is over, and keeps stdin open; the exit code.
    pub(crate) fn close(mut self) -> Option<i32> {
        let stdin = self.stdin.as_mut().expect("it was not ended yet");
        writeln!(
            stdin,
            "{{\"RequestId\":\"c\",\"Type\":\"Request\",\"Method\":\"Close\"}}"
        )
        .expect("it listens");
        self.end_code()
    }

    /// Goes away; the exit code.
    pub(crate) fn leave(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.end_code()
    }

    /// Waits for the plugin's end; the exit code.
    pub(crate) fn end_code(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

/// Stands among the plugin's requests for its handshake.
const OWN_HANDSHAKE: &str = "handshake";

/// The password of an answer that has one.
pub(crate) fn password(answer: &Value) -> String {
    assert_eq!(answer["ResponseCode"], "Success", "{answer}");
    assert_eq!(answer["AuthenticationTypes"], json!(["Basic"]), "{answer}");
    let password = answer["Password"].as_str();
    password.expect("there is a password").to_owned()
}
