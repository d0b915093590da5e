//! A real OAuth authorization server on loopback, one for each test: `oidc-provider`, all of them
//! in one process of node, or glewlwyd behind that process.
//!
//! What it can be asked to do (options, faults, holding requests, playing the person) is told in
//! `oidc-provider/server.mjs`, `traffic.mjs` and `control.mjs` beside this file.

#[path = "http.rs"]
pub(crate) mod http;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/authority/oidc-provider");

/// The same for the person who reads that it is missing.
const INSTALL: &str = "npm ci --prefix tests/authority/oidc-provider";

/// How long may node take to start on a machine that runs every test at once? Alone it takes 0.5 s.
const START: Duration = Duration::from_secs(60);

/// A running authorization server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    issuer: String,
    control: String,
    service_secret: String,
}

/// The requests that reached the server since the last reset, those that a fault answered too.
///
/// The person's page views and the calls of this harness are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Token requests by grant: `device_code`, `refresh_token`, `client_credentials`, …
    pub(crate) token: BTreeMap<String, u64>,
    /// Token requests by client authentication: `none`, `client_secret_basic`, …
    ///
    /// The server takes Basic and post from either client; only this tells which one came.
    pub(crate) authentication: BTreeMap<String, u64>,
    /// Device authorization requests.
    pub(crate) device_authorization: u64,
    /// Requests for any well-known document.
    pub(crate) discovery: u64,
    /// Revocation requests.
    pub(crate) revocation: u64,
    /// Authorization requests that were pushed.
    pub(crate) pushed_authorization_request: u64,
    /// All else by path, such as `/jwks`, or `/elsewhere` when a redirect was followed.
    pub(crate) other: BTreeMap<String, u64>,
    /// Every request.
    pub(crate) total: u64,
    /// What the server itself answered: `token 400 invalid_grant`, or `token 400` where it named
    /// no error. What a fault answered in its place is not among them, what a fault lost is.
    pub(crate) answers: BTreeMap<String, u64>,
}

impl Counts {
    /// How often the server itself gave this answer.
    pub(crate) fn answer(&self, answer: &str) -> u64 {
        self.answers.get(answer).copied().unwrap_or_default()
    }

    /// How many token requests there were with this grant, such as `refresh_token`.
    pub(crate) fn token(&self, grant: &str) -> u64 {
        self.token.get(grant).copied().unwrap_or_default()
    }
}

impl OidcProvider {
    /// Starts a server; the options are those of `DEFAULTS` in `server.mjs`, `json!({})` takes all of them.
    ///
    /// Panics where node is missing or the packages cannot be installed: without a server the
    /// tests prove nothing.
    pub(crate) fn start(options: Value) -> Self {
        install_packages();
        let ready = Node::ask(&options);
        let member = |name: &str| {
            let value = ready[name].as_str();
            value.expect("the ready line has it").to_owned()
        };
        Self {
            issuer: member("issuer"),
            control: member("control"),
            service_secret: member("serviceSecret"),
        }
    }

    /// The issuer URL, without a slash at its end.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The secret of the clients `service` and `service-post`; it has `+ / : % & =` in it.
    pub(crate) fn service_secret(&self) -> &str {
        &self.service_secret
    }

    /// What has reached the server since the last reset.
    pub(crate) fn requests(&self) -> Counts {
        let counts = self.control("GET", "requests", None);
        let number = |name: &str| counts[name].as_u64().expect("the count is a number");
        let by_name = |name: &str| {
            let members = counts[name].as_object().expect("the counts are an object");
            members
                .iter()
                .map(|(name, count)| (name.clone(), count.as_u64().unwrap_or_default()))
                .collect()
        };
        Counts {
            token: by_name("token"),
            authentication: by_name("authentication"),
            device_authorization: number("device_authorization"),
            discovery: number("discovery"),
            revocation: number("revocation"),
            pushed_authorization_request: number("pushed_authorization_request"),
            other: by_name("other"),
            total: number("total"),
            answers: by_name("answers"),
        }
    }

    /// Begins counting anew.
    pub(crate) fn reset_requests(&self) {
        self.control("POST", "requests/reset", None);
    }

    /// Plays a person who signs in as `login` and agrees.
    ///
    /// Without a user code it is the newest one, and is waited for. A URL in its place is
    /// `verification_uri_complete`, or an authorization URL, whose redirect is then followed.
    pub(crate) fn approve(&self, user_code: Option<&str>, login: &str) {
        self.person(user_code, login, "approve");
    }

    /// Plays a person who presses Cancel on the sign-in page; else as `approve`.
    pub(crate) fn deny(&self, user_code: Option<&str>, login: &str) {
        self.person(user_code, login, "deny");
    }

    /// Queues one fault, or an array of them: `{"on": "token", "grant": "refresh_token", "fault": "lost"}`.
    pub(crate) fn fault(&self, faults: Value) {
        let faults = if faults.is_array() {
            faults
        } else {
            json!([faults])
        };
        self.control("POST", "faults", Some(faults));
    }

    /// The faults that no request has used yet.
    pub(crate) fn faults_left(&self) -> usize {
        let faults = self.control("GET", "faults", None);
        faults.as_array().expect("the faults are an array").len()
    }

    /// Has token requests wait until `release`, before any fault and before the provider is asked.
    ///
    /// One whose client goes away meanwhile is dropped without effect.
    pub(crate) fn hold(&self) {
        self.control("POST", "hold", None);
    }

    /// Lets the held requests go, in the order in which they came.
    pub(crate) fn release(&self) {
        self.control("POST", "release", None);
    }

    /// How many token requests are held at this moment.
    pub(crate) fn waiting(&self) -> u64 {
        let waiting = self.control("GET", "waiting", None);
        waiting.as_u64().expect("the number held is a number")
    }

    /// Returns once at least that much is so, and panics after 20 s.
    ///
    /// `token` (a number, or an object by grant), `device_authorization`, `discovery`,
    /// `revocation`, `total`: requests done with, by an answer or without one, since the last
    /// reset. `waiting`: token requests held now. `pending_codes`: user codes that no person has
    /// decided on.
    pub(crate) fn wait_for(&self, wanted: Value) {
        self.control("POST", "wait", Some(wanted));
    }

    /// What the server itself knows of a token; at least `active`.
    pub(crate) fn introspect(&self, token: &str) -> Value {
        self.control("POST", "introspect", Some(json!({ "token": token })))
    }

    /// Whether a token is good, to be asked by another server of the test.
    pub(crate) fn judge(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let url = format!("{}/introspect", self.control);
        move |token| {
            let answer = http::post_json(&url, &json!({ "token": token }));
            answer.is_ok_and(|answer| answer.json()["active"] == true)
        }
    }

    /// Takes a token back at the server: an opaque access token alone, a refresh token with its whole sign-in.
    pub(crate) fn revoke(&self, token: &str) {
        self.control("POST", "revoke", Some(json!({ "token": token })));
    }

    /// Plays a person who signs in at an authorization URL with another machine's browser; the address
    /// that it ends on.
    pub(crate) fn copy_address(&self, authorization_url: &str, login: &str) -> String {
        let body =
            json!({ "authorization_url": authorization_url, "login": login, "copies": true });
        let answer = self.control("POST", "person", Some(body));
        let address = answer["status"].as_str();
        address.expect("it is an address").to_owned()
    }

    fn person(&self, user_code: Option<&str>, login: &str, decision: &str) {
        let mut body = json!({ "login": login, "decision": decision });
        if let Some(code) = user_code {
            let name = if !code.starts_with("http://") {
                "user_code"
            } else if code.contains("user_code=") {
                "verification_uri_complete"
            } else {
                "authorization_url"
            };
            body[name] = code.into();
        }
        self.control("POST", "person", Some(body));
    }

    #[track_caller]
    fn control(&self, method: &str, name: &str, body: Option<Value>) -> Value {
        let url = format!("{}/{name}", self.control);
        let answer = match body {
            Some(body) => http::post_json(&url, &body),
            None => http::request(method, &url, &[], ""),
        };
        let answer = answer.unwrap_or_else(|error| panic!("control `{name}`: {error}"));
        assert_eq!(answer.status, 200, "control `{name}`: {}", answer.body);
        answer.json()
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        // It ends without an answer; where node is gone, there is nothing to end.
        let _ended = http::request("POST", &format!("{}/close", self.control), &[], "");
    }
}

/// Has a library of node verify a JWT: its header and its payload.
///
/// # Panics
/// If it is not signed by that key in that way, or is for another audience or of another issuer.
pub(crate) fn verify(
    jwt: &str,
    pem: &Path,
    algorithm: &str,
    audience: &str,
    issuer: &str,
) -> Value {
    install_packages();
    let mut node = Command::new("node")
        .arg("verify.mjs")
        .arg(pem)
        .args([algorithm, audience, issuer])
        .current_dir(FOLDER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = node.stdin.take().expect("stdin is piped");
    stdin.write_all(jwt.as_bytes()).expect("node reads it");
    drop(stdin);
    let output = node.wait_with_output().expect("node ends");
    assert!(output.status.success(), "the JWT is not good: {jwt}");
    serde_json::from_slice(&output.stdout).expect("node prints JSON")
}

/// The process of all servers. It ends with this one, whose end closes its stdin.
struct Node {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Node {
    /// Has it start a server; what it says when that is ready.
    fn ask(options: &Value) -> Value {
        static NODE: Mutex<Option<Node>> = Mutex::new(None);
        // A test that panicked here left nothing half done: the process answers line by line.
        let mut node = NODE.lock().unwrap_or_else(PoisonError::into_inner);
        let Node {
            child,
            stdin,
            lines,
        } = node.get_or_insert_with(Self::start);
        let written = writeln!(stdin, "{options}");
        let line = lines.recv_timeout(START).unwrap_or_default();
        match serde_json::from_str::<Value>(&line) {
            Ok(ready) if ready["error"].is_null() => ready,
            Ok(ready) => panic!("the test authority does not take its options: {ready}"),
            Err(_) => {
                let _ended = child.kill();
                let status = child.wait();
                *node = None;
                panic!(
                    "the test authority is not ready ({written:?}, {status:?}, said {line:?}, its \
                     stderr is above); if its packages are damaged: {INSTALL}"
                )
            }
        }
    }

    fn start() -> Self {
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`node` (20 or newer) is on the PATH: the test authority runs on it");
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        // A thread, as a pipe has no time limit; it ends with node.
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(Ok(line)) = lines.next() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
        }
    }
}

/// Installs the server's packages where that has not been done, once for all test processes.
#[expect(
    clippy::disallowed_methods,
    reason = "test processes wait for each other here, no session is locked"
)]
fn install_packages() {
    let folder = Path::new(FOLDER);
    // npm writes this file last: half an installation does not have it.
    let installed = folder.join("node_modules/.package-lock.json");
    if installed.exists() {
        return;
    }
    let path = folder.join(".install.lock");
    let lock = File::create(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; by hand: {INSTALL}", path.display()));
    lock.lock().expect("a file of our own can be locked");
    if installed.exists() {
        return;
    }
    let output = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("npm does not start: {error}; by hand: {INSTALL}"));
    assert!(
        output.status.success() && fs::exists(&installed).unwrap_or(false),
        "the packages of the test authority are missing and could not be installed; by hand: {INSTALL}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
