//! A place of one's own for each test: home, profiles, sessions, and the binary run in it.
//!
//! Every run is scanned: no known secret may appear on stderr, on a terminal or in a log, and on
//! stdout only where the test says that an answer is expected.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::Mutex;

use assert_cmd::cargo::CommandCargoExt;
use tempfile::TempDir;

/// A home directory with profiles and sessions.
pub(crate) struct Sandbox {
    directory: TempDir,
    secrets: Mutex<Vec<String>>,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// A sandbox whose profile file says `profiles`.
    pub(crate) fn new(profiles: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let sandbox = Self {
            directory,
            secrets: Mutex::new(Vec::new()),
        };
        fs::create_dir_all(sandbox.state()).expect("the state directory can be made");
        private(&sandbox.state());
        sandbox.write_profiles(profiles);
        sandbox
    }

    /// Replaces the profile file.
    pub(crate) fn write_profiles(&self, profiles: &str) {
        fs::write(self.config(), profiles).expect("the profile file can be written");
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("profiles.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The log that every run writes at the most talkative level.
    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    /// Session files, without locks and what else lies beside them.
    pub(crate) fn sessions(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.state().join("sessions")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("a session's entry can be read").path())
            .filter(|path| {
                let is_json = path.extension().is_some_and(|end| end == "json");
                is_json && !path.ends_with("store.json")
            })
            .collect();
        paths.sort();
        paths
    }

    /// The only session's file.
    pub(crate) fn session(&self) -> PathBuf {
        let sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "there is one session: {sessions:?}");
        sessions[0].clone()
    }

    /// Declares a text that must never be shown but in an answer.
    pub(crate) fn secret(&self, text: &str) {
        assert!(
            text.len() >= 8,
            "a short secret would be found by chance: {text}"
        );
        self.secrets
            .lock()
            .expect("no test panicked with it")
            .push(text.to_owned());
    }

    /// The binary with `arguments`, in this sandbox and without a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("cred-helper").expect("the binary is built");
        self.prepare(&mut command);
        command.args(arguments);
        command
    }

    /// Gives any command this sandbox's environment, and nothing else.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("CRED_HELPER_CONFIG", self.config())
            .env("CRED_HELPER_STATE", self.state())
            .env("CRED_HELPER_LOG", format!("trace,{}", self.log().display()))
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        system::prepare(command);
    }

    /// Runs the binary without a controlling terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_command(self.command(arguments))
    }

    /// Runs a prepared command in a session of its own, which has no controlling terminal.
    pub(crate) fn run_command(&self, command: Command) -> Ran {
        let output = detached(command)
            .output()
            .expect("setsid and the binary start");
        self.checked(output)
    }

    /// The same with this text on stdin.
    pub(crate) fn run_with_input(&self, command: Command, input: &str) -> Ran {
        let path = self.path().join("stdin");
        fs::write(&path, input).expect("it can be written");
        let file = fs::File::open(path).expect("it is there");
        let output = detached(command).stdin(file).output();
        self.checked(output.expect("setsid and the binary start"))
    }

    /// What gives a shell command a terminal.
    fn terminal_for(&self) -> Command {
        // Whoever runs the tests may have its end ignored, as `nohup` does.
        let words: &[&str] = match cfg!(target_os = "linux") {
            true => &["env", "--default-signal=HUP", "script"],
            false => &["script"],
        };
        let mut script = Command::new(words[0]);
        script.args(&words[1..]);
        self.prepare(&mut script);
        script
            .env("PATH", self.path_with_links())
            .env("SHELL", "/bin/sh");
        script
    }

    /// Starts a shell command under a controlling terminal. `cred-helper` is the binary; what the
    /// command does not redirect is shown on the terminal.
    pub(crate) fn in_terminal(&self, command: &str) -> InTerminal<'_> {
        let mut script = self.terminal_for();
        script.args(["-qfec", command, "/dev/null"]);
        InTerminal {
            sandbox: self,
            child: script.spawn().expect("script (util-linux) starts"),
        }
    }

    /// The same with somebody who types, and sees meanwhile what is shown.
    pub(crate) fn with_keyboard(&self, command: &str) -> (InTerminal<'_>, Keyboard) {
        let screen = self.path().join("screen");
        drop(fs::remove_file(&screen));
        let mut script = self.terminal_for();
        script
            .stdin(Stdio::piped())
            .args(["-qfec", command])
            .arg(&screen);
        let mut child = script.spawn().expect("script (util-linux) starts");
        let keys = child.stdin.take().expect("it was piped above");
        let sandbox = self;
        (InTerminal { sandbox, child }, Keyboard { keys, screen })
    }

    /// A link to the binary, in a directory that comes first on [`Self::path_with_links`].
    pub(crate) fn link(&self, name: &str) -> PathBuf {
        let binary = Command::cargo_bin("cred-helper").expect("the binary is built");
        let link = self.bin().join(name);
        if !link.exists()
            && let Err(error) = system::link(binary.get_program().as_ref(), &link)
        {
            // Another thread of the test has made it meanwhile.
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        }
        link
    }

    /// Where links and other programs of this sandbox lie.
    pub(crate) fn bin(&self) -> PathBuf {
        let bin = self.path().join("bin");
        fs::create_dir_all(&bin).expect("a directory can be made");
        bin
    }

    /// A program of the sandbox, beside the links: a shell script of these lines; its path.
    pub(crate) fn script(&self, name: &str, lines: &str) -> PathBuf {
        let path = self.bin().join(name);
        let text = self.path().join("script");
        fs::write(&text, format!("#!/bin/sh\n{lines}")).expect("it can be written");
        // A program that this process had open for writing cannot be started while a child of another
        // thread, forked meanwhile, has it open too.
        let mut install = Command::new("install");
        install.args(["-m", "755"]).args([&text, &path]);
        let status = install.status().expect("install (coreutils) starts");
        assert!(status.success(), "{} cannot be installed", path.display());
        path
    }

    /// A PATH on which `cred-helper` and the other links come first.
    pub(crate) fn path_with_links(&self) -> OsString {
        self.link("cred-helper");
        let paths = std::env::var_os("PATH").expect("PATH is set");
        let paths = std::iter::once(self.bin()).chain(std::env::split_paths(&paths));
        std::env::join_paths(paths).expect("they can be joined")
    }

    /// Checks that the log and stderr of a run hold no secret.
    pub(crate) fn checked(&self, output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("all output is UTF-8");
        let ran = Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        self.scan("stderr", &ran.stderr);
        if ran.code != Some(0) {
            self.scan("the stdout of a failed run", &ran.stdout);
        }
        self.scan(
            "the log",
            &fs::read_to_string(self.log()).unwrap_or_default(),
        );
        ran
    }

    /// Fails if a file of the sandbox, but for the state, holds one of these; how many files there
    /// are.
    pub(crate) fn assert_kept_nowhere(&self, secrets: &[&str]) -> usize {
        let mut count = 0;
        visit(self.path(), &mut |path, bytes| {
            count += 1;
            if path.starts_with(self.state()) {
                return;
            }
            let text = String::from_utf8_lossy(bytes);
            for secret in secrets {
                assert!(!text.contains(secret), "{} holds a token", path.display());
            }
        });
        count
    }

    /// Fails if `text` holds a secret.
    pub(crate) fn scan(&self, place: &str, text: &str) {
        for secret in self
            .secrets
            .lock()
            .expect("no test panicked with it")
            .iter()
        {
            assert!(
                !text.contains(secret.as_str()),
                "{place} holds a secret: {text}"
            );
        }
    }
}

/// Looks at every file below a folder.
pub(crate) fn visit(folder: &Path, look: &mut dyn FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let entry = entry.expect("its entries can be read");
        let path = entry.path();
        let kind = entry.file_type().expect("it is something");
        if kind.is_dir() {
            visit(&path, look);
        } else if kind.is_file() {
            look(&path, &fs::read(&path).unwrap_or_default());
        }
    }
}

/// Somebody before a terminal.
pub(crate) struct Keyboard {
    keys: ChildStdin,
    screen: PathBuf,
}

impl Keyboard {
    /// Types text.
    pub(crate) fn type_in(&mut self, text: &str) {
        let typed = self.keys.write_all(text.as_bytes());
        typed.expect("the terminal takes it");
    }

    /// What the terminal has shown so far.
    pub(crate) fn sees(&self) -> String {
        fs::read_to_string(&self.screen).unwrap_or_default()
    }
}

/// A shell command under a terminal.
pub(crate) struct InTerminal<'s> {
    sandbox: &'s Sandbox,
    child: Child,
}

impl InTerminal<'_> {
    /// Closes the terminal, as somebody who closes its window does.
    pub(crate) fn close(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// Waits for its end, which must be a good one; what the terminal showed.
    pub(crate) fn wait(self) -> String {
        let (code, shown) = self.end();
        assert_eq!(code, Some(0), "{shown}");
        shown
    }

    /// Waits for its end; the exit code, and what the terminal showed.
    pub(crate) fn end(self) -> (Option<i32>, String) {
        let output = self
            .child
            .wait_with_output()
            .expect("script can be waited for");
        let shown = String::from_utf8(output.stdout).expect("the terminal shows UTF-8");
        self.sandbox.scan("the terminal", &shown);
        (output.status.code(), shown)
    }
}

/// The same command without a controlling terminal: in a session of its own, where there are any.
pub(crate) fn detached(command: Command) -> Command {
    let mut detached = system::without_terminal(command);
    detached
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    detached
}

/// Sends what Ctrl-C sends.
pub(crate) fn interrupt(child: &Child) {
    let process = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &process]).status();
    assert!(status.expect("kill starts").success());
}

/// Makes a directory its owner's alone.
pub(crate) fn private(path: &Path) {
    set_mode(path, 0o700);
}

/// Gives a file or directory this mode, where files have one.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    system::set_mode(path, mode);
}

/// The mode of a file or directory, where files have one.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    system::mode(path)
}

impl Ran {
    /// The run went well; its stdout.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The run failed with this exit code and printed nothing; its stderr.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "a failed run prints no answer");
        self.stderr
    }

    /// The run went well; its stdout as JSON.
    pub(crate) fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// What differs between systems.
#[cfg(unix)]
mod system {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;
    use std::process::Command;

    pub(super) fn prepare(_command: &mut Command) {}

    /// A session has no controlling terminal before somebody opens one.
    pub(super) fn without_terminal(command: Command) -> Command {
        let mut detached = Command::new("setsid");
        detached
            .arg("--wait")
            .arg(command.get_program())
            .args(command.get_args());
        detached.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                detached.env(name, value);
            }
        }
        if let Some(directory) = command.get_current_dir() {
            detached.current_dir(directory);
        }
        detached
    }

    pub(super) fn link(program: &Path, link: &Path) -> io::Result<()> {
        symlink(program, link)
    }

    pub(super) fn mode(path: &Path) -> Option<u32> {
        let metadata = fs::symlink_metadata(path).expect("it is there");
        Some(metadata.permissions().mode() & 0o7777)
    }

    pub(super) fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }
}

/// The same.
#[cfg(windows)]
mod system {
    use std::fs;
    use std::io;
    use std::os::windows::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;

    /// Without the first no socket is opened; and there always is a browser here.
    pub(super) fn prepare(command: &mut Command) {
        let root = std::env::var_os("SYSTEMROOT").expect("Windows sets it");
        command
            .env("SYSTEMROOT", root)
            .env("CRED_HELPER_BROWSER", "none");
    }

    pub(super) fn without_terminal(mut command: Command) -> Command {
        /// `DETACHED_PROCESS`: it has no console.
        const DETACHED: u32 = 8;
        command.creation_flags(DETACHED);
        command
    }

    pub(super) fn link(program: &Path, link: &Path) -> io::Result<()> {
        fs::copy(program, link.with_extension("exe")).map(drop)
    }

    pub(super) fn mode(_path: &Path) -> Option<u32> {
        None
    }

    pub(super) fn set_mode(_path: &Path, _mode: u32) {}
}
