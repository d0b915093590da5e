//! A session bus of a test's own, with the real Secret Service of GNOME on it, or one that follows a
//! script; and a sandbox whose program asks it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::authority::Settings;
use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once, profile};
use crate::support::Ran;
use crate::tool::{DBUS, GNOME_KEYRING, KEYCTL, SECRET_TOOL, TWINE, installed, is_missing};

/// No service of the machine is started by this bus, whatever is installed.
const CONFIGURATION: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:path=ADDRESS</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

/// Whether a tool is missing that these tests want.
pub(crate) fn lacks_tools() -> bool {
    [DBUS, GNOME_KEYRING, SECRET_TOOL, KEYCTL]
        .iter()
        .any(is_missing)
}

/// A bus that nobody else is on, and the keyring on it.
pub(crate) struct Bus {
    directory: TempDir,
    daemon: Option<Child>,
    service: Option<Child>,
}

impl Bus {
    /// A bus without a keyring.
    pub(crate) fn new() -> Self {
        let mut bus = Self {
            directory: tempfile::tempdir().expect("a directory"),
            daemon: None,
            service: None,
        };
        let run = bus.runtime_directory();
        fs::create_dir(&run).expect("a directory can be made");
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).expect("it is ours");
        bus.start();
        bus
    }

    fn socket(&self) -> PathBuf {
        self.runtime_directory().join("bus")
    }

    /// Where the socket lies that programs look for where no address is set.
    pub(crate) fn runtime_directory(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    fn start(&mut self) {
        let file = self.directory.path().join("bus.conf");
        let place = self.socket().display().to_string();
        fs::write(&file, CONFIGURATION.replace("ADDRESS", &place)).expect("it can be written");
        let mut daemon = self.command("dbus-daemon");
        daemon
            .arg(format!("--config-file={}", file.display()))
            .args(["--nofork", "--nopidfile"])
            // It complains where it may not have as many files open as it likes.
            .stderr(Stdio::null());
        self.daemon = Some(daemon.spawn().expect("dbus-daemon starts"));
        eventually("the bus is there", || self.socket().exists());
    }

    /// Any command, as one of this bus' session.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("XDG_RUNTIME_DIR", self.runtime_directory())
            .env("DBUS_SESSION_BUS_ADDRESS", self.address())
            .stdin(Stdio::null());
        command
    }

    /// What a call of `dbus-send` prints; none if it is answered by an error.
    fn send(&self, words: &[&str]) -> Option<String> {
        let mut command = self.command("dbus-send");
        command.args(["--print-reply=literal"]).args(words);
        let output = command.output().expect("dbus-send starts");
        let text = String::from_utf8(output.stdout).expect("it is UTF-8");
        output.status.success().then(|| text.trim().to_owned())
    }

    fn owner(&self) -> Option<String> {
        self.send(&[
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.GetNameOwner",
            "string:org.freedesktop.secrets",
        ])
    }

    fn await_service(&self) {
        eventually("the Secret Service is there", || self.owner().is_some());
    }

    /// GNOME's keyring, unlocked as by logging in. What it held before is there again.
    pub(crate) fn open_keyring(&mut self) {
        self.keyring(&["--unlock"]);
        eventually("there is a default collection", || {
            let words = ["--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"];
            let method = "org.freedesktop.Secret.Service.ReadAlias";
            let alias = self.send(&[&words[..], &[method, "string:default"]].concat());
            alias.is_some_and(|path| path != "/")
        });
    }

    /// The same, locked: nobody has logged in.
    pub(crate) fn open_locked_keyring(&mut self) {
        self.keyring(&["--start"]);
    }

    fn keyring(&mut self, words: &[&str]) {
        self.end_service();
        let password = self.directory.path().join("password");
        fs::write(&password, "of the keyring").expect("it can be written");
        let mut daemon = self.command("gnome-keyring-daemon");
        daemon
            .args(words)
            .args(["--foreground", "--components=secrets"])
            .stdin(fs::File::open(password).expect("it was written"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.service = Some(daemon.spawn().expect("gnome-keyring-daemon starts"));
        self.await_service();
    }

    /// A Secret Service that follows a script, and where it writes which methods were called.
    pub(crate) fn script(&mut self, mode: &str) -> Option<PathBuf> {
        self.end_service();
        let jeepney = installed(&TWINE, "twine/jeepney")?;
        let log = self.directory.path().join("called");
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/secret_service/service.py"
        );
        let mut python = self.command("python3");
        python
            .env("PYTHONPATH", jeepney.parent().expect("it lies somewhere"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args([script, &self.address()])
            .arg(&log)
            .arg(mode);
        self.service = Some(python.spawn().expect("python3 starts"));
        self.await_service();
        Some(log)
    }

    /// The keyring is gone.
    pub(crate) fn end_service(&mut self) {
        end(&mut self.service);
        eventually("nobody is the Secret Service", || self.owner().is_none());
    }

    /// What the keyring holds is gone as well, and another is in its place.
    pub(crate) fn replace_keyring(&mut self) {
        self.end_service();
        let own = self.directory.path().join(".local/share/keyrings");
        fs::rename(own, self.directory.path().join("keyrings")).expect("the keyring has files");
        self.open_keyring();
    }

    /// The keyring of before is there again.
    pub(crate) fn restore_keyring(&mut self) {
        let before = self.directory.path().join("keyrings");
        if before.exists() {
            self.end_service();
            let own = self.directory.path().join(".local/share/keyrings");
            fs::remove_dir_all(&own).expect("the keyring has files");
            fs::rename(before, own).expect("they can be moved");
        }
        self.open_keyring();
    }

    /// Stops the keyring as Ctrl-Z does, or has it go on.
    pub(crate) fn signal(&self, signal: &str) {
        let service = self.service.as_ref().expect("there is a keyring");
        let process = service.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.expect("kill starts").success());
    }

    /// The bus is gone; with `is_deaf`, something is in its place that never says a word.
    pub(crate) fn end(&mut self, is_deaf: bool) -> Option<UnixListener> {
        end(&mut self.service);
        end(&mut self.daemon);
        drop(fs::remove_file(self.socket()));
        is_deaf.then(|| UnixListener::bind(self.socket()).expect("a socket can be made"))
    }

    /// The bus is there again.
    pub(crate) fn restart(&mut self) {
        drop(fs::remove_file(self.socket()));
        self.start();
    }

    /// What `secret-tool` finds of the program's.
    pub(crate) fn found(&self) -> String {
        self.search(&["application", "cred-helper"])
    }

    /// What it finds with these attributes.
    pub(crate) fn search(&self, attributes: &[&str]) -> String {
        let words = [&["search", "--all", "--unlock"], attributes].concat();
        let output = self.run_secret_tool(&words, "");
        // It tells attributes on stderr.
        [output.stdout, output.stderr]
            .map(|text| String::from_utf8(text).expect("it is UTF-8"))
            .concat()
    }

    /// What `secret-tool` prints, with that typed in.
    pub(crate) fn secret_tool(&self, words: &[&str], typed: &str) -> String {
        let output = self.run_secret_tool(words, typed);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it is UTF-8")
    }

    fn run_secret_tool(&self, words: &[&str], typed: &str) -> Output {
        let file = self.directory.path().join("typed");
        fs::write(&file, typed).expect("it can be written");
        let mut command = self.command("secret-tool");
        command
            .args(words)
            .stdin(fs::File::open(file).expect("it was written"));
        command.output().expect("secret-tool starts")
    }
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        // It may have ended by itself.
        drop(child.kill());
        child.wait().expect("it is ours");
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        end(&mut self.service);
        end(&mut self.daemon);
    }
}

/// A scene whose program is on a bus of its own.
pub(crate) struct Ground {
    pub(crate) scene: Scene,
    pub(crate) bus: Bus,
}

impl Ground {
    /// Nobody is signed in, and there is no keyring; `[store]` has these keys.
    pub(crate) fn new(store: &str) -> Self {
        Self::of(at_once(), store)
    }

    pub(crate) fn of(settings: Settings, store: &str) -> Self {
        let scene = Scene::of(settings, |issuer| profiles(issuer, store));
        let bus = Bus::new();
        Self { scene, bus }
    }

    /// The same with a keyring that is open.
    pub(crate) fn with_keyring(store: &str) -> Self {
        let mut ground = Self::new(store);
        ground.bus.open_keyring();
        ground
    }

    /// Somebody has signed in, and it is sealed; the keyring is asked in each call.
    pub(crate) fn sealed() -> Self {
        let ground = Self::with_keyring("key_cache = \"0s\"");
        ground.run(&["login", "-p", "api"]).ok();
        ground
    }

    /// Other keys of `[store]`.
    pub(crate) fn configure(&self, store: &str) {
        let profiles = profiles(&self.scene.authority.issuer(), store);
        self.scene.sandbox.write_profiles(&profiles);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_command(self.scene.sandbox.command(arguments))
    }

    /// Runs a prepared command on the bus.
    pub(crate) fn run_command(&self, mut command: Command) -> Ran {
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
        self.scene.run_command(command)
    }

    /// What `secret-tool` prints, with that typed in.
    pub(crate) fn secret_tool(&self, words: &[&str], attributes: [&str; 4], typed: &str) -> String {
        self.bus.secret_tool(&[words, &attributes].concat(), typed)
    }

    /// Fails if a token can be read in a file of the state directory; how many files there are.
    pub(crate) fn assert_nothing_readable(&self) -> usize {
        let secrets = self.scene.authority.secrets();
        assert!(secrets.len() > 1, "tokens were issued");
        let files = files_below(&self.scene.sandbox.state());
        for path in &files {
            let bytes = fs::read(path).expect("it can be read");
            let text = String::from_utf8_lossy(&bytes);
            for secret in &secrets {
                assert!(!text.contains(secret), "{} is readable", path.display());
            }
        }
        files.len()
    }

    /// How the only session lies.
    pub(crate) fn seal(&self) -> String {
        let header = self.scene.header();
        let name = header["seal"]["name"].as_str();
        name.expect("it names its seal").to_owned()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The kernel's keyring is that of everybody on this machine.
        drop(self.scene.sandbox.command(&["store", "lock"]).output());
    }
}

fn profiles(issuer: &str, store: &str) -> String {
    format!("[store]\n{store}\n{}", profile("api", issuer))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("its entries can be read").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
