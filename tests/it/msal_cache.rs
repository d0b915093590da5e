//! One sign-in in a cache of MSAL, which MSAL Python with its extensions and the program share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::microsoft::{TENANT, entra};
use crate::msal::msal;
use crate::scene::Scene;
use crate::support::private;
use crate::tool::{MSAL_EXTENSIONS, note_missing};

/// A cache beside a scene whose profile shares it.
pub(crate) struct Shared {
    pub(crate) scene: Scene,
    path: String,
}

impl Shared {
    /// With further keys; `None` where a tool is missing.
    pub(crate) fn new(keys: &str) -> Option<Self> {
        let extensions = Path::new(env!("CARGO_TARGET_TMPDIR")).join("msal-extensions");
        let msal = msal()?;
        if !extensions.join("msal_extensions").is_dir() {
            note_missing(&MSAL_EXTENSIONS);
            return None;
        }
        let scene = entra(&format!("session = {{ msal = \"cache.json\" }}\n{keys}"));
        let path = [msal, extensions].map(|path| path.display().to_string());
        Some(Self {
            scene,
            path: path.join(":"),
        })
    }

    pub(crate) fn file(&self) -> PathBuf {
        let config = self.scene.sandbox.config();
        config.with_file_name("cache.json")
    }

    /// MSAL Python, about to do these steps.
    pub(crate) fn python(&self, steps: &[&str]) -> Command {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/msal"));
        let mut command = Command::new("python3");
        self.scene.sandbox.prepare(&mut command);
        command
            .env("PYTHONPATH", &self.path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(folder.join("shared_cache.py"))
            .args([&self.scene.authority.url(""), TENANT, "cli"])
            .arg(self.file())
            .args(steps);
        command
    }

    /// What each step of MSAL's gave.
    pub(crate) fn msal(&self, steps: &[&str]) -> Vec<Value> {
        let output = self.python(steps).output().expect("python3 starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let lines = String::from_utf8(output.stdout).expect("it prints text");
        let lines = lines.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect()
    }

    /// The cache.
    pub(crate) fn cache(&self) -> Value {
        let text = fs::read(self.file()).expect("the cache is there");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    /// How many rows each section has.
    fn counts(&self) -> Vec<(String, usize)> {
        let cache = self.cache();
        let sections = cache.as_object().expect("a cache is an object").iter();
        let mut counts: Vec<_> = sections
            .map(|(name, rows)| (name.clone(), rows.as_object().map_or(0, |rows| rows.len())))
            .collect();
        counts.sort();
        counts
    }

    fn assert_one_of_each(&self) {
        let names = [
            "AccessToken",
            "Account",
            "AppMetadata",
            "IdToken",
            "RefreshToken",
        ];
        assert_eq!(self.counts(), names.map(|name| (name.to_owned(), 1)));
    }

    fn get(&self, arguments: &[&str]) -> Value {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        self.scene.run(&arguments).json()
    }

    fn write(&self, cache: &str) {
        fs::write(self.file(), cache).expect("the cache can be written");
        private(&self.file());
    }
}

#[test]
fn msal_signs_in_and_the_program_is_silent_and_the_other_way_round() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    let signed_in = shared.msal(&["sign-in"]);
    let asked = shared.scene.authority.requests().len();
    let ours = shared.get(&[]);
    assert_eq!(ours["access_token"], signed_in[0]["access_token"]);
    assert_eq!(ours["source"], "cache");
    assert_eq!(ours["account"], "ada@example.test");
    assert_eq!(shared.scene.authority.requests().len(), asked);
    // What one of them refreshes is the other's too, and the refresh token is replaced each time.
    let ours = shared.get(&["--force-refresh"]);
    let theirs = shared.msal(&["silent", "refresh"]);
    assert_eq!(theirs[0]["access_token"], ours["access_token"]);
    assert_ne!(theirs[1]["access_token"], ours["access_token"]);
    assert_eq!(theirs[1]["token_source"], "identity_provider");
    assert_eq!(shared.get(&[])["access_token"], theirs[1]["access_token"]);
    shared.assert_one_of_each();
    // Whoever signs out does so for both.
    shared.scene.run(&["logout"]).ok();
    assert_eq!(shared.msal(&["accounts"]), [json!([])]);
}

#[test]
fn the_program_signs_in_and_msal_is_silent() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    shared.assert_one_of_each();
    let asked = shared.scene.authority.requests().len();
    let theirs = shared.msal(&["accounts", "silent"]);
    assert_eq!(theirs[0], json!(["ada@example.test"]));
    assert_eq!(theirs[1]["token_source"], "cache");
    assert_eq!(shared.get(&[])["access_token"], theirs[1]["access_token"]);
    assert_eq!(shared.scene.authority.requests().len(), asked);
    shared.msal(&["refresh"]);
    shared.assert_one_of_each();
    assert_eq!(shared.msal(&["sign-out", "accounts"])[1], json!([]));
    let said = shared.scene.run(&["get", "--interactive", "never"]);
    said.failed(4);
}

#[test]
fn what_is_no_cache_is_left_as_it_is_with_a_word() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    for (content, word) in [
        (
            "{\"RefreshToken\": {\"a\": {\"secret\"",
            "no JSON at line 1",
        ),
        ("[]", "no JSON object"),
        ("eyJhbGciOiJkaXIifQ..x.y.z", "encrypted (JWE)"),
    ] {
        shared.write(content);
        let said = shared
            .scene
            .run(&["get", "--interactive", "never"])
            .failed(9);
        assert!(
            said.contains(word) && said.contains("cannot be shared"),
            "{said}"
        );
        let status = shared.scene.run(&["status", "-o", "json"]).json();
        let error = status["profiles"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains(word), "{status}");
        assert_eq!(
            fs::read_to_string(shared.file()).expect("it is there"),
            content
        );
    }
    // A cache that is made is empty at first.
    shared.write("");
    shared.scene.run(&["login"]).ok();
    shared.assert_one_of_each();
}
