//! A sandbox and the scripted authority of its profile `api`, where somebody can sign in at once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::authority::{Authority, Recorded, Settings};
use crate::support::{Ran, Sandbox};

/// `grant_type` of RFC 8628 §3.4.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An authority, and a sandbox whose profile `api` names it.
pub(crate) struct Scene {
    pub(crate) authority: Authority,
    pub(crate) sandbox: Sandbox,
}

impl Scene {
    /// An authority whose first poll approves, and nobody signed in.
    pub(crate) fn new() -> Self {
        Self::of(at_once(), |issuer| profile("api", issuer))
    }

    /// The same with other settings and profiles.
    pub(crate) fn of(settings: Settings, profiles: impl FnOnce(&str) -> String) -> Self {
        let authority = Authority::start(settings).expect("the authority starts");
        let sandbox = Sandbox::new(&profiles(&authority.issuer()));
        Self { authority, sandbox }
    }

    /// Somebody has signed in for `api`.
    pub(crate) fn signed_in() -> Self {
        let scene = Self::new();
        scene.run(&["login", "-p", "api"]).ok();
        scene
    }

    /// Runs the binary, and looks for all that the authority has issued meanwhile.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_command(self.sandbox.command(arguments))
    }

    /// The same with a prepared command.
    pub(crate) fn run_command(&self, command: Command) -> Ran {
        let ran = self.sandbox.run_command(command);
        for secret in self.authority.secrets() {
            self.sandbox.secret(&secret);
        }
        self.sandbox.scan("stderr", &ran.stderr);
        let log = fs::read_to_string(self.sandbox.log()).unwrap_or_default();
        self.sandbox.scan("the log", &log);
        ran
    }

    /// The binary with `arguments`, run by the words of `wrapper`.
    pub(crate) fn wrapped(&self, wrapper: &[impl AsRef<str>], arguments: &[&str]) -> Command {
        let own = self.sandbox.command(arguments);
        let mut words = wrapper.iter().map(AsRef::as_ref);
        let mut command = Command::new(words.next().expect("a wrapper is a program"));
        self.sandbox.prepare(&mut command);
        command
            .args(words)
            .arg(own.get_program())
            .args(own.get_args());
        command
    }

    /// How many refresh tokens were sent.
    pub(crate) fn refreshes(&self) -> usize {
        self.authority.count("/token", Some("refresh_token"))
    }

    /// The bytes of the only session.
    pub(crate) fn session(&self) -> Vec<u8> {
        fs::read(self.sandbox.session()).expect("the session can be read")
    }

    /// What of the only session lies open if it is sealed: its first line.
    pub(crate) fn header(&self) -> Value {
        let session = self.session();
        let line = session.split(|byte| *byte == b'\n').next();
        serde_json::from_slice(line.unwrap_or_default()).expect("it is JSON")
    }

    /// Changes the only session, in place.
    pub(crate) fn edit_session(&self, edit: impl FnOnce(&mut Value)) {
        let mut session = serde_json::from_slice(&self.session()).expect("the session is JSON");
        edit(&mut session);
        fs::write(self.sandbox.session(), format!("{session}\n"))
            .expect("the session can be written");
    }

    /// Makes the kept access tokens an hour old, with `seconds` of their life left.
    pub(crate) fn age(&self, seconds: i64) {
        let now = now();
        self.edit_session(|session| {
            for token in access_tokens(session) {
                token["expires_at"] = (now + seconds).into();
                token["issued_at"] = (now - 3600).into();
            }
        });
    }

    /// What lies beside the session.
    pub(crate) fn beside_session(&self) -> Vec<String> {
        let directory = self.sandbox.state().join("sessions");
        let entries = fs::read_dir(directory).expect("the directory of sessions can be read");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry can be read").file_name())
            .map(|name| name.into_string().expect("a name is UTF-8"))
            .collect();
        names.sort();
        names
    }

    /// A file of the sandbox.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }
}

/// `strace`, which makes system calls fail in the program that it runs, or has a signal come before
/// them: `fsync,rename:error=EIO:when=2+`.
pub(crate) fn failing(injection: &str) -> Vec<String> {
    let calls = injection.split(':').next().expect("a call is named");
    let (trace, inject) = (format!("trace={calls}"), format!("inject={injection}"));
    let words = ["strace", "-f", "-qq", "-o", "/dev/null"];
    let words = [&words[..], &["-e", &trace, "-e", &inject]].concat();
    words.into_iter().map(String::from).collect()
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("it is past 1970").as_secs().cast_signed()
}

/// The access tokens of a session's first account.
pub(crate) fn access_tokens(session: &mut Value) -> &mut Vec<Value> {
    session["content"]["accounts"][0]["access_tokens"]
        .as_array_mut()
        .expect("an account has access tokens")
}

/// The refresh token of a session, which must be whole.
pub(crate) fn refresh_token(session: &[u8]) -> String {
    let session: Value = serde_json::from_slice(session).expect("the session is whole");
    let token = session["content"]["accounts"][0]["refresh_token"].as_str();
    token.expect("it has a refresh token").to_owned()
}

/// A session but for what it notes of a refresh that failed.
pub(crate) fn without_note(session: &[u8]) -> Value {
    let mut session: Value = serde_json::from_slice(session).expect("the session is whole");
    let accounts = session["content"]["accounts"].as_array_mut();
    for account in accounts.expect("it has accounts") {
        let members = account.as_object_mut().expect("an account is an object");
        members.remove("failed_refresh");
    }
    session
}

/// A profile of a public client with the scope `demo`.
pub(crate) fn profile(name: &str, issuer: &str) -> String {
    format!(
        "[profiles.{name}]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\nscopes = [\"demo\"]\n"
    )
}

/// Runs the command that an error's hint names, as a person would.
pub(crate) fn follow_hint(stderr: &str) {
    let hint = stderr
        .lines()
        .find_map(|line| line.strip_prefix("hint: run `")?.strip_suffix('`'));
    let hint = hint.unwrap_or_else(|| panic!("no hint names a command: {stderr}"));
    let status = Command::new("sh").args(["-c", hint]).status();
    assert!(status.expect("sh starts").success(), "{hint}");
}

/// Settings under which the first poll that works approves.
pub(crate) fn at_once() -> Settings {
    Settings {
        approve_at_once: true,
        ..Settings::default()
    }
}

/// Path and fields of a request in order, without the values that are different each time.
pub(crate) fn sent(request: &Recorded) -> Vec<String> {
    let mut fields: Vec<String> = request
        .form
        .iter()
        .map(|(name, value)| match name.as_str() {
            "device_code" | "refresh_token" | "token" => name.clone(),
            _ => format!("{name}={value}"),
        })
        .collect();
    fields.sort();
    fields.insert(0, format!("{} {}", request.method, request.path));
    fields
}

/// How many metadata documents were asked for.
pub(crate) fn discoveries(authority: &Authority) -> usize {
    let requests = authority.requests();
    let documents = requests
        .iter()
        .filter(|request| request.path.contains("/.well-known/"));
    documents.count()
}
