//! Sign-ins for several profiles, files whose content is a key, and held locks: what the tests of `store`
//! share.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once, profile};
use crate::support::Ran;

/// One session a profile.
pub(crate) struct Ground {
    pub(crate) scene: Scene,
    names: Vec<String>,
    /// Which key `command` prints.
    key: AtomicUsize,
    /// The access token of each profile.
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Ground {
    /// Somebody is signed in for so many profiles, and nothing is sealed.
    pub(crate) fn new(profiles: usize) -> Self {
        let mut ground = Self {
            scene: Scene::of(at_once(), |_| String::new()),
            names: (0..profiles).map(|number| format!("p{number}")).collect(),
            key: AtomicUsize::new(0),
            tokens: BTreeMap::new(),
        };
        ground.write_key(0);
        ground.configure("");
        for name in ground.names.clone() {
            let token = ground.sign_in(&name);
            ground.tokens.insert(name, token);
        }
        ground
    }

    /// Signs somebody in; the access token.
    pub(crate) fn sign_in(&self, name: &str) -> String {
        self.scene.run(&["login", "-p", name]).ok();
        let token = self.scene.run(&["get", "-p", name]).ok();
        token.trim_end().to_owned()
    }

    /// The names of all profiles, and of one that nobody is signed in for.
    fn profiles(&self) -> String {
        let issuer = self.scene.authority.issuer();
        let names = self.names.iter().map(String::as_str).chain(["new"]);
        names
            .map(|name| profile(name, &issuer).replace("\"cli\"", &format!("\"{name}\"")))
            .collect()
    }

    /// Has `command` print the key, and `[store]` say this besides. No key stays in memory unless it
    /// says so.
    pub(crate) fn configure(&self, store: &str) {
        let cache = if store.contains("key_cache") {
            ""
        } else {
            "key_cache = \"0s\"\n"
        };
        let command = self.cat(self.key.load(Ordering::Relaxed));
        let profiles = self.profiles();
        let text = format!("[store]\ncommand = {command}\n{cache}{store}\n{profiles}");
        // Others may read it at any time.
        let new = self.scene.file("profiles.new");
        fs::write(&new, text).expect("it can be written");
        fs::rename(new, self.scene.sandbox.config()).expect("it can be replaced");
    }

    /// Makes another key, which nobody else has, and which `command` prints from the next configuration
    /// on; what `[store]` says besides where the one before is to be known.
    pub(crate) fn turn_key(&self) -> String {
        let before = self.key.fetch_add(1, Ordering::Relaxed);
        self.write_key(before + 1);
        format!("previous_command = {}", self.cat(before))
    }

    /// The file that holds a key.
    pub(crate) fn key_file(&self, number: usize) -> PathBuf {
        self.scene.file(&format!("key-{number}"))
    }

    fn write_key(&self, number: usize) {
        let key = format!("{number} of {}\n", self.scene.sandbox.path().display());
        fs::write(self.key_file(number), key).expect("it can be written");
    }

    /// A command that prints a key, as TOML.
    pub(crate) fn cat(&self, number: usize) -> String {
        format!("[\"cat\", \"{}\"]", self.key_file(number).display())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.scene.run(arguments)
    }

    /// What `store` does, with `-o json`, which must go well.
    pub(crate) fn store(&self, arguments: &[&str]) -> Value {
        let line = [&["store"], arguments, &["-o", "json"]].concat();
        self.run(&line).json()
    }

    /// How each session lies: its seal, and the key's id, in the order of the files.
    pub(crate) fn listed(&self) -> Vec<(String, Option<String>)> {
        let list = self.store(&["list"]);
        let rows = list["sessions"].as_array().expect("it is a list");
        rows.iter()
            .map(|row| {
                let seal = row["seal"].as_str().expect("it has a seal");
                (seal.to_owned(), row["key"].as_str().map(str::to_owned))
            })
            .collect()
    }

    /// All sessions lie so, under one key where they are sealed; its id.
    #[track_caller]
    pub(crate) fn assert_all_lie(&self, seal: &str) -> Option<String> {
        let listed = self.listed();
        let (_, key) = listed.first().expect("there are sessions").clone();
        assert_eq!(key.is_some(), seal != "none", "{listed:?}");
        assert_eq!(listed, vec![(seal.to_owned(), key.clone()); listed.len()]);
        key
    }

    /// Each profile has its token still, and nothing is said.
    #[track_caller]
    pub(crate) fn assert_served(&self) {
        for (name, token) in &self.tokens {
            let ran = self.run(&["get", "-p", name]);
            assert_eq!(ran.stderr, "", "{name}");
            assert_eq!(ran.ok().trim_end(), token, "{name}");
        }
    }

    /// What lies in the directory of sessions.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.scene.beside_session().into_iter();
        names
            .map(|name| {
                let bytes = fs::read(self.directory().join(&name));
                (name, bytes.expect("it can be read"))
            })
            .collect()
    }

    /// The sessions' bytes alone.
    pub(crate) fn sessions(&self) -> Vec<Vec<u8>> {
        let paths = self.paths().into_iter();
        paths
            .map(|path| fs::read(path).expect("it can be read"))
            .collect()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.scene.sandbox.state().join("sessions")
    }

    /// The paths of all sessions, as they are told.
    pub(crate) fn paths(&self) -> Vec<String> {
        let paths = self.scene.sandbox.sessions().into_iter();
        let paths = paths.filter(|path| !path.ends_with("store.json"));
        paths.map(|path| path.display().to_string()).collect()
    }

    /// Fails if a token lies open in the directory of sessions.
    #[track_caller]
    pub(crate) fn assert_nothing_readable(&self) {
        let secrets = self.scene.authority.secrets();
        assert!(!secrets.is_empty(), "there are tokens");
        for (name, bytes) in self.files() {
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !secrets.iter().any(|secret| text.contains(secret)),
                "{name}"
            );
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The kernel's keyring is that of everybody on this machine.
        drop(self.scene.sandbox.command(&["store", "lock"]).output());
    }
}

/// A process that holds a lock of the only session.
pub(crate) fn hold_lock(scene: &Scene, ending: &str) -> Child {
    let lock = scene.sandbox.session().with_extension(ending);
    let holds = Command::new("flock")
        .arg("--no-fork")
        .arg(&lock)
        .args(["sleep", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let holds = holds.expect("flock (util-linux) starts");
    eventually("the lock is held", || {
        let mut try_it = Command::new("flock");
        try_it.arg("--nonblock").arg(&lock).arg("true");
        !try_it.status().expect("flock starts").success()
    });
    holds
}
