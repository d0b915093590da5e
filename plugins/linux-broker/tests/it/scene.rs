//! A private bus, and a broker on it that follows a script.

use std::collections::HashMap;
use std::fs;
use std::future;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use zbus::blocking::{Connection, connection::Builder};
use zbus::{fdo, interface};

pub(crate) const NAME: &str = "com.microsoft.identity.broker1";
pub(crate) const PATH: &str = "/com/microsoft/identity/broker1";

/// No service of the machine is started by this bus, whatever is installed.
const CONFIGURATION: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:dir=DIRECTORY</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

/// What the broker does when a method is called.
#[derive(Clone)]
pub(crate) enum Step {
    Answer(String),
    Fail(&'static str),
    Hang,
}

/// A call that the broker got.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) method: &'static str,
    pub(crate) version: String,
    pub(crate) correlation: String,
    pub(crate) request: Value,
}

/// The broker's steps by method, the last of which is repeated, and what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Script {
    steps: Arc<Mutex<HashMap<&'static str, Vec<Step>>>>,
    calls: Arc<Mutex<Vec<Called>>>,
}

impl Script {
    pub(crate) fn on(self, method: &'static str, step: Step) -> Self {
        let mut steps = self.steps.lock().expect("no test panicked with it");
        steps.entry(method).or_default().push(step);
        drop(steps);
        self
    }

    pub(crate) fn answer(self, method: &'static str, answer: &Value) -> Self {
        self.on(method, Step::Answer(answer.to_string()))
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.calls.lock().expect("no test panicked with it").clone()
    }

    pub(crate) fn methods(&self) -> Vec<&'static str> {
        self.calls().iter().map(|called| called.method).collect()
    }

    async fn follow(
        &self,
        method: &'static str,
        version: String,
        correlation: String,
        request: String,
    ) -> fdo::Result<String> {
        let called = Called {
            method,
            version,
            correlation,
            request: serde_json::from_str(&request).expect("the request is JSON"),
        };
        self.calls
            .lock()
            .expect("no test panicked with it")
            .push(called);
        let step = {
            let mut steps = self.steps.lock().expect("no test panicked with it");
            let steps = steps.entry(method).or_default();
            let first = steps.first().cloned();
            if steps.len() > 1 {
                steps.remove(0);
            }
            // A panic here would end the bus's thread, and nobody would hear of it.
            first.unwrap_or(Step::Fail("the script does not have this call"))
        };
        match step {
            Step::Answer(answer) => Ok(answer),
            Step::Fail(text) => Err(fdo::Error::Failed(text.to_owned())),
            Step::Hang => future::pending().await,
        }
    }
}

#[interface(name = "com.microsoft.identity.Broker1")]
impl Script {
    #[zbus(name = "getAccounts")]
    async fn get_accounts(&self, version: String, id: String, json: String) -> fdo::Result<String> {
        self.follow("getAccounts", version, id, json).await
    }

    #[zbus(name = "acquireTokenSilently")]
    async fn silently(&self, version: String, id: String, json: String) -> fdo::Result<String> {
        self.follow("acquireTokenSilently", version, id, json).await
    }

    #[zbus(name = "acquireTokenInteractively")]
    async fn interactively(
        &self,
        version: String,
        id: String,
        json: String,
    ) -> fdo::Result<String> {
        self.follow("acquireTokenInteractively", version, id, json)
            .await
    }
}

/// A bus that nobody else is on.
pub(crate) struct Scene {
    daemon: Child,
    pub(crate) address: String,
    directory: TempDir,
}

impl Scene {
    /// None, with a word of it, where there is no `dbus-daemon`; with `REQUIRE_TOOLS`, a failure.
    pub(crate) fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("bus.conf");
        let place = directory.path().to_str().expect("UTF-8");
        fs::write(&file, CONFIGURATION.replace("DIRECTORY", place)).expect("it can be written");
        let started = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", file.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It complains where it may not have as many files open as it likes.
            .stderr(Stdio::null())
            .spawn();
        let mut daemon = match started {
            Ok(daemon) => daemon,
            Err(error) => {
                let lacking = format!(
                    "dbus-daemon: {error}; apt-get install --no-install-recommends dbus-daemon"
                );
                lacks(&lacking);
                return None;
            }
        };
        let output = daemon.stdout.take().expect("it is piped");
        let mut address = String::new();
        BufReader::new(output)
            .read_line(&mut address)
            .expect("the bus tells its address");
        Some(Self {
            daemon,
            address: address.trim().to_owned(),
            directory,
        })
    }

    /// Puts a broker on the bus. It is there until the connection is dropped.
    pub(crate) fn broker(&self, script: &Script) -> Connection {
        self.builder()
            .serve_at(PATH, script.clone())
            .and_then(|builder| builder.name(NAME))
            .and_then(Builder::build)
            .expect("a broker")
    }

    pub(crate) fn builder(&self) -> Builder<'_> {
        Builder::address(self.address.as_str()).expect("an address")
    }

    /// A place for files that goes with the bus.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.daemon.kill().expect("the bus was running");
        self.daemon.wait().expect("it is ours");
    }
}

/// Ends a test that lacks something without a verdict; with `REQUIRE_TOOLS`, as a failure.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads its own environment, and says what it does not prove"
)]
pub(crate) fn lacks(what: &str) {
    assert!(std::env::var_os("REQUIRE_TOOLS").is_none(), "{what}");
    eprintln!("no verdict: {what}");
}
