//! A sandbox beside a real provider: what the tests of `oidc_*.rs` share.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::oidc_provider::OidcProvider;
use crate::support::{InTerminal, Ran, Sandbox};

/// Logged by each process that waits for the refresh of another one.
const WAITS_FOR_A_REFRESH: &str = "waiting for another process that refreshes this session";

/// A provider, and a home whose only profile, `api`, is of it.
pub(crate) struct Ground {
    pub(crate) authority: OidcProvider,
    pub(crate) sandbox: Sandbox,
}

impl Ground {
    /// A provider with these options; the profile is a public client's, for the scope `api:read`.
    pub(crate) fn new(options: Value) -> Self {
        Self::with_profile(options, "client_id = \"cli\"\nscopes = [\"api:read\"]\n")
    }

    /// The same with other keys in the profile; `authority` is added.
    pub(crate) fn with_profile(options: Value, keys: &str) -> Self {
        let authority = OidcProvider::start(options);
        let sandbox = Sandbox::new(&profiles(&authority, keys));
        sandbox.secret(authority.service_secret());
        Self { authority, sandbox }
    }

    /// Gives the profile other keys.
    pub(crate) fn set_profile(&self, keys: &str) {
        self.sandbox
            .write_profiles(&profiles(&self.authority, keys));
    }

    /// A sandbox in which somebody is signed in; counting begins anew.
    pub(crate) fn signed_in(options: Value) -> Self {
        let ground = Self::new(options);
        ground.sign_in("ada");
        ground.authority.reset_requests();
        ground
    }

    /// Signs somebody in at a terminal; the access token.
    pub(crate) fn sign_in(&self, login: &str) -> String {
        let terminal = self.sandbox.in_terminal("cred-helper login >/dev/null");
        self.authority.approve(None, login);
        let shown = terminal.wait();
        assert!(
            shown.contains(&format!("Signed in as {login}@example.test")),
            "{shown}"
        );
        self.learn();
        self.sandbox.scan("the terminal", &shown);
        let account = format!("{login}@example.test");
        self.get(&["--account", &account])
    }

    /// Runs the binary without a terminal. What it brought is secret from then on, also in what
    /// this run has shown.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.check(self.sandbox.run(arguments))
    }

    /// The same for a command that was prepared.
    pub(crate) fn run_command(&self, command: Command) -> Ran {
        self.check(self.sandbox.run_command(command))
    }

    fn check(&self, ran: Ran) -> Ran {
        self.learn();
        self.sandbox.scan("stderr", &ran.stderr);
        self.scan_log();
        ran
    }

    /// Runs a line of a shell, for which `cred-helper` and the other links come first on PATH, without
    /// a terminal.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("sh");
        self.sandbox.prepare(&mut command);
        let path = self.sandbox.path_with_links();
        command.env("PATH", path).args(["-c", line]);
        self.run_command(command)
    }

    /// The same at a terminal, where ada signs in; what was shown.
    pub(crate) fn shell_as_ada(&self, line: &str) -> String {
        let terminal = self.sandbox.in_terminal(line);
        self.authority.approve(None, "ada");
        let shown = terminal.wait();
        self.learn();
        self.sandbox.scan("the terminal", &shown);
        shown
    }

    /// `get` at a terminal where a sign-in is needed: ada is asked, and gets her token.
    pub(crate) fn get_as_ada(&self) {
        let terminal = self.sandbox.in_terminal("cred-helper get >answer 2>errors");
        self.authority.approve(None, "ada");
        let shown = terminal.wait();
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        assert_eq!(self.read("answer"), self.get(&[]));
    }

    /// The counts that matter to whoever sits before the screen: refreshes and sign-ins.
    #[track_caller]
    pub(crate) fn assert_requests(&self, refreshes: u64, sign_ins: u64) {
        let requests = self.authority.requests();
        let came = (
            requests.token("refresh_token"),
            requests.device_authorization,
        );
        assert_eq!(came, (refreshes, sign_ins), "{requests:?}");
    }

    /// Of all who came since counting began, one refreshed, nobody was asked, and nobody sent a
    /// refresh token twice: the family lives.
    #[track_caller]
    pub(crate) fn assert_refreshed_once(&self) {
        let requests = self.authority.requests();
        assert_eq!(requests.token, [("refresh_token".to_owned(), 1)].into());
        assert_eq!(requests.device_authorization, 0, "nobody was asked");
        let answer = self.get_json(&["--force-refresh"]);
        assert_eq!(answer["source"], "refresh", "the family lives");
    }

    /// `get` without a terminal, which must go well; the token.
    pub(crate) fn get(&self, arguments: &[&str]) -> String {
        let mut line = vec!["get"];
        line.extend(arguments);
        self.run(&line).ok().trim_end().to_owned()
    }

    /// `get -o json` without a terminal, which must go well; the answer.
    pub(crate) fn get_json(&self, arguments: &[&str]) -> Value {
        let mut line = vec!["get", "-o", "json"];
        line.extend(arguments);
        self.run(&line).json()
    }

    /// Runs a command without a terminal, which must fail with this exit code; the error.
    pub(crate) fn fail(&self, code: i32, arguments: &[&str]) -> Value {
        let mut line = arguments.to_vec();
        line.extend(["--error-format", "json"]);
        error(&self.run(&line).failed(code))
    }

    /// Starts a command at a terminal, for `end_failed`.
    pub(crate) fn in_terminal(&self, arguments: &str) -> InTerminal<'_> {
        let line = format!("cred-helper {arguments} --error-format json 2>errors");
        self.sandbox.in_terminal(&line)
    }

    /// Waits for the end of such a command, which must be this exit code; what the terminal
    /// showed, and the error.
    pub(crate) fn end_failed(&self, terminal: InTerminal<'_>, code: i32) -> (String, Value) {
        let (ended, shown) = terminal.end();
        let errors = self.read("errors");
        assert_eq!(ended, Some(code), "{shown}{errors}");
        (shown, error(&errors))
    }

    /// Runs a command that refreshes in so many processes at once, without a terminal. The answers.
    pub(crate) fn run_at_once(&self, processes: usize, arguments: &[&str]) -> Vec<String> {
        self.at_once(processes, |_| self.sandbox.run(arguments).ok())
    }

    /// Has so many processes that refresh run at once. The one refresh that reaches the authority
    /// is held there until all others wait for it. What each brought, in order.
    pub(crate) fn at_once<T: Send>(
        &self,
        processes: usize,
        run: impl Fn(usize) -> T + Sync,
    ) -> Vec<T> {
        let run = &run;
        let waited = self.logged(WAITS_FOR_A_REFRESH);
        self.authority.hold();
        thread::scope(|scope| {
            let running: Vec<_> = (0..processes)
                .map(|number| scope.spawn(move || run(number)))
                .collect();
            eventually("all others wait for the refresh", || {
                self.logged(WAITS_FOR_A_REFRESH) - waited == processes - 1
            });
            assert_eq!(self.authority.waiting(), 1);
            self.authority.release();
            running
                .into_iter()
                .map(|process| process.join().expect("the process was answered"))
                .collect()
        })
    }

    /// Declares every token in the session as a secret.
    pub(crate) fn learn(&self) {
        if self.sandbox.sessions().is_empty() {
            return;
        }
        for account in self.accounts() {
            let access_tokens = account["access_tokens"].as_array().into_iter().flatten();
            let secrets = access_tokens
                .map(|row| &row["secret"])
                .chain(["refresh_token", "id_token", "proof_key"].map(|name| &account[name]));
            for secret in secrets.filter_map(Value::as_str) {
                self.sandbox.secret(secret);
            }
        }
    }

    /// Fails if the log holds a secret.
    pub(crate) fn scan_log(&self) {
        let log = fs::read_to_string(self.sandbox.log()).unwrap_or_default();
        self.sandbox.scan("the log", &log);
    }

    /// The session file's bytes.
    pub(crate) fn session_bytes(&self) -> Vec<u8> {
        fs::read(self.sandbox.session()).expect("the session can be read")
    }

    /// What the session file holds.
    pub(crate) fn session(&self) -> Value {
        serde_json::from_slice(&self.session_bytes()).expect("the session is JSON")
    }

    /// The accounts of the session.
    pub(crate) fn accounts(&self) -> Vec<Value> {
        let session = self.session();
        let accounts = session["content"]["accounts"].as_array();
        accounts.expect("the session has accounts").clone()
    }

    /// The only account's refresh token.
    pub(crate) fn refresh_token(&self) -> String {
        let accounts = self.accounts();
        assert_eq!(accounts.len(), 1, "one account is signed in");
        let token = accounts[0]["refresh_token"].as_str();
        token.expect("there is a refresh token").to_owned()
    }

    /// Makes every access token that is kept `seconds` older than it is.
    pub(crate) fn age(&self, seconds: i64) {
        self.edit_tokens(|row| {
            for time in ["issued_at", "expires_at"] {
                let then = row[time].as_i64().expect("the time is a number");
                row[time] = json!(then - seconds);
            }
        });
    }

    /// Puts this one in the place of every access token that is kept.
    pub(crate) fn set_token(&self, token: &str) {
        self.edit_tokens(|row| row["secret"] = json!(token));
        self.learn();
    }

    fn edit_tokens(&self, edit: impl Fn(&mut Value)) {
        let mut session = self.session();
        let accounts = session["content"]["accounts"].as_array_mut();
        for account in accounts.expect("the session has accounts") {
            let rows = account["access_tokens"].as_array_mut();
            rows.expect("the account has access tokens")
                .iter_mut()
                .for_each(&edit);
        }
        self.write_session(&session);
    }

    /// Replaces what the session file holds, in place: it keeps its permissions.
    pub(crate) fn write_session(&self, session: &Value) {
        fs::write(self.sandbox.session(), session.to_string()).expect("it can be written");
    }

    /// Makes every access token that is kept expired.
    pub(crate) fn expire(&self) {
        self.age(24 * 3600);
    }

    /// A file of the sandbox as text, without the line's end.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.sandbox.path().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        text.trim_end().to_owned()
    }

    /// How often a line of the log holds this text.
    pub(crate) fn logged(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.sandbox.log()).unwrap_or_default();
        log.matches(text).count()
    }

    /// The rows of the accounts in `status`.
    pub(crate) fn statuses(&self) -> Vec<Value> {
        let status = self.run(&["status", "-o", "json"]).json();
        let accounts = status["profiles"][0]["accounts"].as_array();
        accounts.expect("the profile has accounts").clone()
    }

    /// The only account's row.
    pub(crate) fn status(&self) -> Value {
        let [status] = self.statuses().try_into().expect("there is one");
        status
    }
}

/// Options of a provider whose access tokens and ID tokens have more than 16 KB.
pub(crate) fn large_tokens() -> Value {
    json!({ "jwt": true, "claimBytes": 12 * 1024 })
}

/// The error in the last line of what was said with `--error-format json`.
fn error(stderr: &str) -> Value {
    let line = stderr.lines().last().unwrap_or_default();
    let said: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {stderr}"));
    said["error"].clone()
}

fn profiles(authority: &OidcProvider, keys: &str) -> String {
    let issuer = authority.issuer();
    format!("[store]\nseal = \"none\"\n\n[profiles.api]\nauthority = \"{issuer}\"\n{keys}")
}

/// Runs a test for each row at the same time: with a provider for each, most of it is waiting.
pub(crate) fn for_each<T: Send>(rows: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for row in rows {
            scope.spawn(|| test(row));
        }
    });
}

/// Returns once the condition holds; for conditions that no event tells.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    /// How long may something take that should happen at once on a busy machine?
    const LOOKS: u32 = 4000;
    for _ in 0..LOOKS {
        if condition() {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "between two looks at a condition the processors are left to others"
        )]
        thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain: {what}");
}
