//! A sandbox whose profile `corp` has a plugin, which writes down what it is asked: what the tests of
//! plugins share.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Ran, Sandbox};

/// The profile; further keys of its `grant` may follow.
pub(crate) const CORP: &str = "[profiles.corp.grant]\ntype = \"plugin\"\nname = \"corp\"\n";

/// What a plugin does that says hello, and writes its request down.
pub(crate) const LISTEN: &str =
    "echo '{\"v\":[1]}'\nread -r request\nprintf '%s\\n' \"$request\" >>\"$HOME/requests\"\n";

/// A sandbox, and plugins in it.
pub(crate) struct Plugins {
    pub(crate) sandbox: Sandbox,
}

impl Plugins {
    /// The profile `corp`, whose plugin listens, and goes on with these lines of shell.
    pub(crate) fn new(lines: &str) -> Self {
        Self::with_profiles(CORP, lines)
    }

    /// The same with other profiles.
    pub(crate) fn with_profiles(profiles: &str, lines: &str) -> Self {
        let plugins = Self {
            sandbox: Sandbox::new(profiles),
        };
        plugins.install(lines);
        plugins
    }

    /// Has the plugin listen, and go on with these lines.
    pub(crate) fn install(&self, lines: &str) {
        self.install_whole(&format!("{LISTEN}{lines}"));
    }

    /// Has the plugin do this and nothing else.
    pub(crate) fn install_whole(&self, lines: &str) {
        self.sandbox.script("cred-helper-provider-corp", lines);
    }

    /// The binary, which finds the plugins.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command.env("PATH", self.sandbox.path_with_links());
        command
    }

    /// Runs it without a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run_command(self.command(arguments))
    }

    /// A file of the sandbox; nothing, if there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.sandbox.path().join(name)).unwrap_or_default()
    }

    /// What the plugin was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let text = self.read("requests");
        let lines = text.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .expect("each is a line of JSON")
    }

    /// What the log holds of one kind.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.read("log").matches(text).count()
    }
}

/// A line of shell that answers with these tokens.
pub(crate) fn answer(tokens: &Value) -> String {
    say(&serde_json::json!({ "Ok": tokens }))
}

/// A line of shell that says something.
pub(crate) fn say(message: &Value) -> String {
    format!("printf '%s\\n' '{message}'\n")
}

/// Whether a process is there, and has not ended.
pub(crate) fn is_alive(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.trim()));
    let status = status.unwrap_or_default();
    let mut lines = status.lines();
    let state = lines.find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim().starts_with('Z'))
}
