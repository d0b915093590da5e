//! One sign-in in a cache of MSAL that lies in the Secret Service, which MSAL Python with its extensions
//! and the program share.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cred_helper::error::ErrorKind;
use cred_helper::store::SessionStore;
use cred_helper::store::msal::{Item, Sharing};
use cred_helper::store::seal::Sealing;
use serde_json::{Value, json};

use crate::doctor_ground::doctor;
use crate::fake::World;
use crate::msal_cache::{Shared, gave};
use crate::scene::at_once;
use crate::secret_service::{Bus, lacks_tools};
use crate::support::Ran;
use crate::tool::{PYGOBJECT, note_missing};

/// The distribution's own Python has what reaches the Secret Service.
const PYTHON: &str = "/usr/bin/python3";
const SCHEMA: &str = "Microsoft Azure CLI";
/// What the item is found by.
const FOUND_BY: [&str; 4] = ["type", "Token cache", "xdg:schema", SCHEMA];

/// A cache in a keyring of the test's own.
struct Ring {
    shared: Shared,
    bus: Bus,
}

impl Ring {
    /// With further keys of the table; `None` where a tool is missing.
    fn new(keys: &str) -> Option<Self> {
        if lacks_tools() || lacks_pygobject() {
            return None;
        }
        let session = format!(
            "session = {{ msal = \"cache.json\", secret_service = {{ schema = \"{SCHEMA}\", \
             attributes = {{ type = \"Token cache\" }}{keys} }} }}"
        );
        let shared = Shared::of(at_once(), &session)?;
        let sandbox = &shared.scene.sandbox;
        let profiles = fs::read_to_string(sandbox.config()).expect("it can be read");
        sandbox.write_profiles(&format!("[store]\nseal = \"none\"\n{profiles}"));
        let mut bus = Bus::new();
        bus.open_keyring();
        Some(Self { shared, bus })
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_command(self.shared.scene.sandbox.command(arguments))
    }

    fn run_command(&self, mut command: Command) -> Ran {
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
        self.shared.scene.run_command(command)
    }

    fn get(&self, arguments: &[&str]) -> Value {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        self.run(&arguments).json()
    }

    fn msal(&self, steps: &[&str]) -> Vec<Value> {
        gave(self.python(steps))
    }

    fn python(&self, steps: &[&str]) -> Command {
        let mut python = self.shared.by(PYTHON, steps);
        python
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
            .env("SCHEMA", SCHEMA);
        python
    }

    /// What the item holds.
    fn held(&self) -> String {
        self.bus
            .secret_tool(&[&["lookup"], &FOUND_BY[..]].concat(), "")
    }

    /// Puts something into it, as another program does.
    fn hold(&self, content: &str) {
        let words = [&["store", "--label=theirs"], &FOUND_BY[..]].concat();
        self.bus.secret_tool(&words, content);
    }

    /// How many items there are, and what is told of them.
    fn items(&self) -> (usize, String) {
        let found = self.bus.search(&FOUND_BY);
        (found.matches("label = ").count(), found)
    }

    /// The file that tells of changes.
    fn signal(&self) -> PathBuf {
        self.shared.file()
    }

    fn refreshes(&self) -> usize {
        self.shared.scene.refreshes()
    }
}

fn lacks_pygobject() -> bool {
    let mut python = Command::new(PYTHON);
    python.args([
        "-c",
        "import gi; gi.require_version('Secret', '1'); from gi.repository import Secret",
    ]);
    let is_there = python.output().is_ok_and(|output| output.status.success());
    if !is_there {
        note_missing(&PYGOBJECT);
    }
    !is_there
}

/// What `doctor` says of the cache.
fn examined(ring: &Ring, status: &str, message: &str) {
    let arguments = ["--offline", "-o", "json", "-p", "api"];
    let ran = ring.run_command(doctor(&ring.shared.scene, &[], &arguments));
    let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let checks = report["checks"].as_array().expect("there are checks");
    let mut checks = checks.iter().filter(|check| check["id"] == "msal.shared");
    let check = checks.next().expect("it is looked at");
    assert_eq!(check["status"], status, "{check}");
    let told = check["message"].as_str().unwrap_or_default();
    assert!(told.contains(message), "{check}");
}

/// The same cache, whose access tokens are over.
fn expired(cache: &str) -> String {
    let mut cache: Value = serde_json::from_str(cache).expect("it is JSON");
    let rows = cache["AccessToken"].as_object_mut();
    for row in rows.expect("it has rows").values_mut() {
        row["expires_on"] = "1".into();
    }
    cache.to_string()
}

#[test]
fn whoever_signs_in_first_has_signed_in_for_both() {
    let Some(mut ring) = Ring::new("") else {
        return;
    };
    let shown = ring.run(&["profile", "show", "api"]).ok();
    assert!(shown.contains(&format!("schema = \"{SCHEMA}\"")), "{shown}");
    assert!(shown.contains("type = \"Token cache\""), "{shown}");
    // There is no item yet.
    let said = ring.run(&["get", "--interactive", "never"]);
    said.failed(4);
    let signed_in = ring.msal(&["sign-in"]);
    let asked = ring.shared.scene.authority.requests().len();
    let ours = ring.get(&[]);
    assert_eq!(ours["access_token"], signed_in[0]["access_token"]);
    assert_eq!(ours["source"], "cache");
    assert_eq!(ring.shared.scene.authority.requests().len(), asked);
    let started = SystemTime::now();
    let ours = ring.get(&["--force-refresh"]);
    // Whoever has read the cache until now reads it again.
    let told = fs::metadata(ring.signal()).and_then(|metadata| metadata.modified());
    assert!(told.expect("it has a time") >= started);
    // It is on the disk: the keyring is killed, and comes back.
    ring.bus.open_keyring();
    let theirs = ring.msal(&["silent", "refresh"]);
    assert_eq!(theirs[0]["access_token"], ours["access_token"]);
    assert_eq!(theirs[1]["token_source"], "identity_provider");
    assert_eq!(ring.get(&[])["access_token"], theirs[1]["access_token"]);
    let (count, found) = ring.items();
    assert_eq!(count, 1, "{found}");
    // Whoever signs out does so for both, and may sign in again.
    ring.run(&["logout"]).ok();
    assert_eq!(ring.msal(&["accounts"]), [json!([])]);
    ring.run(&["login"]).ok();
    let theirs = ring.msal(&["silent"]);
    assert_eq!(ring.get(&[])["access_token"], theirs[0]["access_token"]);
    assert_eq!(fs::read(ring.signal()).expect("it is there"), b"");
}

#[test]
fn the_program_signs_in_where_there_is_no_item_in_the_encoding_that_is_wanted() {
    for (keys, is_base64, label) in [
        ("", false, "MSALCache"),
        (", base64 = true, label = \"Ours\"", true, "Ours"),
    ] {
        let Some(ring) = Ring::new(keys) else {
            return;
        };
        ring.run(&["login"]).ok();
        let (count, found) = ring.items();
        assert!(count == 1 && found.contains(&format!("label = {label}")));
        let held = ring.held();
        assert_eq!(STANDARD.decode(&held).is_ok(), is_base64);
        match is_base64 {
            true => assert_eq!(ring.get(&[])["source"], "cache"),
            false => assert_eq!(ring.msal(&["silent"])[0]["token_source"], "cache"),
        }
    }
}

#[test]
fn an_item_of_dotnet_keeps_its_encoding_and_its_label_and_several_of_ours_refresh_it_once() {
    let Some(ring) = Ring::new("") else {
        return;
    };
    ring.run(&["login"]).ok();
    let cache = expired(&ring.held());
    ring.bus
        .secret_tool(&[&["clear"], &FOUND_BY[..]].concat(), "");
    ring.hold(&STANDARD.encode(cache));
    let asked = ring.refreshes();
    let tokens: Vec<Value> = std::thread::scope(|scope| {
        let each = [(); 4].map(|()| scope.spawn(|| ring.get(&[])["access_token"].clone()));
        let each = each.into_iter();
        each.map(|one| one.join().expect("it is answered"))
            .collect()
    });
    assert_eq!(ring.refreshes(), asked + 1);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let (count, found) = ring.items();
    assert!(count == 1 && found.contains("label = theirs"), "{found}");
    let held = STANDARD.decode(ring.held()).expect("it is base64");
    let held = String::from_utf8(held).expect("it is UTF-8");
    assert!(held.contains(tokens[0].as_str().expect("it is text")));
}

#[test]
fn several_processes_of_both_refresh_an_item_and_no_row_is_lost_or_doubled() {
    let Some(ring) = Ring::new("") else {
        return;
    };
    ring.msal(&["sign-in"]);
    std::thread::scope(|scope| {
        // Of two that begin at once, one would take the keyring for out of order: each tries it with the
        // same item.
        scope.spawn(|| {
            let output = ring.python(&["3"]).output().expect("python3 starts");
            let said = String::from_utf8_lossy(&output.stderr);
            // It gives up a lock after five seconds.
            let gave_up = said.contains("LockError") || said.contains("AlreadyLocked");
            assert!(output.status.success() || gave_up, "{said}");
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    ring.get(&["--force-refresh"]);
                }
            });
        }
    });
    let held: Value = serde_json::from_str(&ring.held()).expect("it is JSON");
    for (section, rows) in held.as_object().expect("it has sections") {
        let count = rows.as_object().map(|rows| rows.len());
        assert_eq!(count, Some(1), "{section}");
    }
    let ours = ring.get(&["--force-refresh"]);
    let theirs = ring.msal(&["silent", "refresh"]);
    assert_eq!(theirs[0]["access_token"], ours["access_token"]);
    assert_eq!(theirs[1]["token_source"], "identity_provider");
    assert_eq!(ring.items().0, 1);
}

#[test]
fn what_cannot_be_opened_or_written_is_left_as_it_is_before_a_token_is_spent() {
    let Some(mut ring) = Ring::new("") else {
        return;
    };
    ring.run(&["login"]).ok();
    let cache = ring.held();
    let asked = ring.refreshes();
    let refused = |ring: &Ring, word: &str| {
        let arguments = ["get", "--force-refresh", "--interactive", "never"];
        let said = ring.run(&arguments).failed(9);
        assert!(said.contains(word), "{said}");
        assert_eq!(ring.refreshes(), asked, "{word}");
    };
    for (content, word) in [
        (&cache[..cache.len() / 2], "no JSON at line"),
        ("[]", "no JSON object"),
        ("eyJhbGciOiJkaXIifQ..x.y.z", "encrypted (JWE)"),
    ] {
        ring.hold(content);
        refused(
            &ring,
            "the item `Microsoft Azure CLI` of the keyring cannot be used",
        );
        refused(&ring, word);
        assert_eq!(ring.held(), content);
    }
    ring.hold(&cache);
    examined(
        &ring,
        "ok",
        "the item `Microsoft Azure CLI` of the keyring, shared by profile `api`, can be read",
    );
    ring.bus.open_locked_keyring();
    refused(&ring, "the keyring is locked");
    examined(
        &ring,
        "warning",
        "nobody can tell before the keyring is unlocked",
    );
    ring.bus.end_service();
    refused(&ring, "there is no keyring here");
    examined(&ring, "error", "there is no keyring here");
    // One that cannot be written any more.
    let file = ring.shared.scene.file("held");
    fs::write(&file, &cache).expect("it can be written");
    let file = file.display().to_string();
    let Some(called) = ring.bus.script(&file) else {
        return;
    };
    refused(&ring, "the cache of MSAL in the keyring cannot be written");
    let called = fs::read_to_string(called).expect("it is a log");
    assert!(called.contains("SetSecret"), "{called}");
    assert_eq!(ring.get(&[])["source"], "cache");
}

#[test]
fn killed_at_any_word_of_a_change_the_cache_is_whole_and_told_of() {
    let Some(ring) = Ring::new("") else {
        return;
    };
    ring.run(&["login"]).ok();
    let signal = ring.signal().display().to_string();
    for nth in 1.. {
        let before = ring.held();
        let started = SystemTime::now();
        let inject = format!("inject=utimensat:signal=SIGKILL:when={nth}");
        let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
        let command = ring
            .shared
            .scene
            .wrapped(&words, &["get", "--force-refresh"]);
        let ran = ring.run_command(command);
        let after = ring.held();
        let told = fs::metadata(&signal).and_then(|metadata| metadata.modified());
        // What was changed was told of before.
        assert!(before == after || told.expect("it has a time") >= started);
        serde_json::from_str::<Value>(&after).expect("it is whole");
        if ran.code == Some(0) {
            assert!(
                nth > 3,
                "before a token is spent, before it is kept, and after"
            );
            break;
        }
        // The lock that it left is taken over.
        ring.run(&["get", "--force-refresh"]).ok();
    }
    assert_eq!(ring.msal(&["silent"])[0]["token_source"], "cache");
}

#[test]
fn where_there_is_no_secret_service_a_cache_in_it_is_a_mistake_of_the_profile() {
    let world = World::default();
    let folder = tempfile::tempdir().expect("a directory");
    let sharing = Sharing {
        file: folder.path().join("cache.json"),
        item: Some(Item::default()),
        ..Sharing::default()
    };
    let sealing = Sealing::default();
    let store = SessionStore::own(folder.path(), Vec::new(), sealing, None).shared(sharing);
    let error = store.load(&world.context()).expect_err("it is not read");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("no Secret Service"), "{error}");
}
