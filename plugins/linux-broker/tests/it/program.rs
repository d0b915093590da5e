//! The plugin behind cred-helper.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::broker::{ACCOUNTS, INTERACTIVELY, SILENTLY, refusal, token, with};
use crate::call::CANARY;
use crate::scene::{Scene, Script, Step, lacks};

const PLUGIN: &str = env!("CARGO_BIN_EXE_cred-helper-provider-linux-broker");

const PROFILES: &str = r#"
[profiles.graph]
client_id = "00001111-aaaa-2222-bbbb-3333cccc4444"
authority = "https://login.microsoftonline.com/organizations"
scopes = ["User.Read"]
grant = { type = "plugin", name = "linux-broker", broker_timeout = 50 }
"#;

/// cred-helper with a home of its own, on the bus of a scene.
struct Program<'a> {
    scene: &'a Scene,
    binary: PathBuf,
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl<'a> Program<'a> {
    /// None, with a word of it, where the binary does not lie beside the plugin.
    fn new(scene: &'a Scene) -> Option<Self> {
        let binary = Path::new(PLUGIN).with_file_name("cred-helper");
        if !binary.is_file() {
            lacks("cred-helper beside the plugin; cargo build --bin cred-helper");
            return None;
        }
        let profiles = scene.directory().join("profiles.toml");
        fs::write(&profiles, PROFILES).expect("it can be written");
        let is_private = Permissions::from_mode(0o600);
        fs::set_permissions(&profiles, is_private).expect("it is ours");
        Some(Self { scene, binary })
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let directory = self.scene.directory();
        let output = Command::new(&self.binary)
            .args(arguments)
            .env_clear()
            .env("HOME", directory)
            .env("PATH", Path::new(PLUGIN).parent().expect("a directory"))
            .env("CRED_HELPER_CONFIG", directory.join("profiles.toml"))
            .env("CRED_HELPER_STATE", self.state())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.scene.address)
            .stdin(Stdio::null())
            .output()
            .expect("cred-helper starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let ran = Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!ran.stderr.contains(CANARY), "{}", ran.stderr);
        ran
    }

    fn state(&self) -> PathBuf {
        self.scene.directory().join("state")
    }

    /// All that is kept.
    fn kept(&self) -> String {
        let sessions = fs::read_dir(self.state().join("sessions")).expect("sessions");
        sessions
            .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("text"))
            .collect()
    }
}

#[test]
fn a_token_of_the_broker_is_cached_and_its_refresh_token_is_never_here() {
    let Some(scene) = Scene::new() else { return };
    let Some(program) = Program::new(&scene) else {
        return;
    };
    let script = with(&["ada@contoso.com"]).answer(SILENTLY, &token("canary", "ada@contoso.com"));
    let _broker = scene.broker(&script);
    for _ in 0..2 {
        let ran = program.run(&["get", "-p", "graph"]);
        assert_eq!(
            (ran.code, &*ran.stdout),
            (Some(0), "canary\n"),
            "{}",
            ran.stderr
        );
        assert_eq!(script.methods(), [ACCOUNTS, SILENTLY]);
    }
    let kept = program.kept();
    assert!(kept.contains("ada@contoso.com"), "{kept}");
    assert!(!kept.contains("canary-refresh"), "{kept}");
}

#[test]
fn a_forced_refresh_asks_the_broker_for_another_token() {
    let Some(scene) = Scene::new() else { return };
    let Some(program) = Program::new(&scene) else {
        return;
    };
    let script = with(&["ada@contoso.com"])
        .answer(SILENTLY, &token("canary-1", "ada@contoso.com"))
        .answer(SILENTLY, &token("canary-1", "ada@contoso.com"))
        .answer(SILENTLY, &token("canary-2", "ada@contoso.com"));
    let _broker = scene.broker(&script);
    for (arguments, expected) in [
        (&["get", "-p", "graph"][..], "canary-1\n"),
        (&["get", "-p", "graph", "--force-refresh"], "canary-2\n"),
        (&["get", "-p", "graph"], "canary-2\n"),
    ] {
        let ran = program.run(arguments);
        assert_eq!(ran.stdout, expected, "{}", ran.stderr);
    }
    assert_eq!(script.methods().len(), 5);
}

#[test]
fn an_error_of_the_broker_is_told_with_its_exit_code() {
    let ada = "ada@contoso.com";
    let get: &[&str] = &["get", "-p", "graph"];
    let refused = || with(&[ada]).answer(SILENTLY, &refusal(2, "AADSTS50078: expired"));
    for (script, arguments, code, words) in [
        (Some(refused()), get, 4, "AADSTS50078: expired"),
        (Some(refused()), get, 4, "cred-helper login -p graph"),
        (
            Some(with(&[ada, "bob@contoso.com"])),
            get,
            5,
            "several accounts: `ada@contoso.com`, `bob@contoso.com`",
        ),
        (
            Some(with(&[ada]).answer(SILENTLY, &refusal(9, "AADSTS50011"))),
            get,
            5,
            "AADSTS50011",
        ),
        (
            Some(Script::default().on(ACCOUNTS, Step::Fail("broker socket connect"))),
            get,
            6,
            "broker socket connect",
        ),
        (
            None,
            get,
            6,
            "no identity broker answers on the session bus",
        ),
        (
            None,
            get,
            6,
            "hint: install microsoft-identity-broker or Himmelblau",
        ),
    ] {
        let Some(scene) = Scene::new() else { return };
        let Some(program) = Program::new(&scene) else {
            return;
        };
        let _broker = script.map(|script| scene.broker(&script));
        let ran = program.run(arguments);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_sign_in_is_announced_and_happens_in_the_brokers_window() {
    let Some(scene) = Scene::new() else { return };
    let Some(program) = Program::new(&scene) else {
        return;
    };
    let bob = "bob@contoso.com";
    let script = with(&["ada@contoso.com", bob])
        .answer(SILENTLY, &refusal(2, "AADSTS50078: expired"))
        .answer(INTERACTIVELY, &token("canary", bob));
    let _broker = scene.broker(&script);
    let login = [
        "login",
        "-p",
        "graph",
        "--account",
        "Bob@Contoso.com",
        "--interactive",
        "always",
    ];
    let ran = program.run(&login);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let announced = "The identity broker asks bob@contoso.com to sign in, in a window.";
    assert!(ran.stderr.contains(announced), "{}", ran.stderr);
    let calls = script.calls().len();
    let ran = program.run(&["get", "-p", "graph"]);
    assert_eq!(ran.stdout, "canary\n", "{}", ran.stderr);
    assert_eq!(script.calls().len(), calls);
}
