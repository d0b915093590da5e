//! One sign-in in a cache of MSAL, which MSAL Python with its extensions and the program share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Response, Settings};
use crate::microsoft::{TENANT, entra_with};
use crate::msal::msal;
use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once};
use crate::support::{Sandbox, private};
use crate::tool::{MSAL_EXTENSIONS, note_missing};

/// A cache beside a scene whose profile shares it.
pub(crate) struct Shared {
    pub(crate) scene: Scene,
    path: String,
}

impl Shared {
    /// With further keys; `None` where a tool is missing.
    pub(crate) fn new(keys: &str) -> Option<Self> {
        Self::with(at_once(), keys)
    }

    /// The same at an authority with other settings.
    pub(crate) fn with(settings: Settings, keys: &str) -> Option<Self> {
        Self::of(
            settings,
            &format!("session = {{ msal = \"cache.json\" }}\n{keys}"),
        )
    }

    /// The same for a profile that has a sign-in of its own.
    pub(crate) fn beside(keys: &str) -> Option<Self> {
        Self::of(at_once(), keys)
    }

    /// The same with these keys alone.
    pub(crate) fn of(settings: Settings, keys: &str) -> Option<Self> {
        let extensions = Path::new(env!("CARGO_TARGET_TMPDIR")).join("msal-extensions");
        let msal = msal()?;
        if !extensions.join("msal_extensions").is_dir() {
            note_missing(&MSAL_EXTENSIONS);
            return None;
        }
        let scene = entra_with(settings, keys);
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

    /// Where the lock of the cache lies.
    pub(crate) fn lock(&self) -> PathBuf {
        self.file().with_file_name("cache.json.lockfile")
    }

    /// MSAL Python, about to do these steps.
    pub(crate) fn python(&self, steps: &[&str]) -> Command {
        self.by("python3", steps)
    }

    /// The same in this Python.
    pub(crate) fn by(&self, python: &str, steps: &[&str]) -> Command {
        let mut command = self.script(python, "shared_cache.py");
        command.arg(self.file()).args(steps);
        command
    }

    /// MSAL Python, about to load the caches that it is told.
    pub(crate) fn loader(&self) -> Command {
        self.script("python3", "load.py")
    }

    fn script(&self, python: &str, name: &str) -> Command {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/msal"));
        let mut command = Command::new(python);
        self.scene.sandbox.prepare(&mut command);
        command
            .env("PYTHONPATH", &self.path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(folder.join(name))
            .args([&self.scene.authority.url(""), TENANT, "cli"]);
        command
    }

    /// What each step of MSAL's gave.
    pub(crate) fn msal(&self, steps: &[&str]) -> Vec<Value> {
        gave(self.python(steps))
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

    pub(crate) fn assert_one_of_each(&self) {
        let names = [
            "AccessToken",
            "Account",
            "AppMetadata",
            "IdToken",
            "RefreshToken",
        ];
        assert_eq!(self.counts(), names.map(|name| (name.to_owned(), 1)));
    }

    pub(crate) fn get(&self, arguments: &[&str]) -> Value {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        self.scene.run(&arguments).json()
    }

    pub(crate) fn write(&self, cache: impl AsRef<[u8]>) {
        fs::write(self.file(), cache).expect("the cache can be written");
        private(&self.file());
    }
}

/// What each step of a Python gave.
pub(crate) fn gave(mut python: Command) -> Vec<Value> {
    let output = python.output().expect("python3 starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).expect("it prints text");
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
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
    let started = SystemTime::now();
    let ours = shared.get(&["--force-refresh"]);
    // Whoever has read the cache until now reads it again.
    let written = fs::metadata(shared.file()).and_then(|metadata| metadata.modified());
    assert!(written.expect("it has a time") >= started);
    let theirs = shared.msal(&["silent", "refresh"]);
    assert_eq!(theirs[0]["access_token"], ours["access_token"]);
    assert_ne!(theirs[1]["access_token"], ours["access_token"]);
    assert_eq!(theirs[1]["token_source"], "identity_provider");
    assert_eq!(shared.get(&[])["access_token"], theirs[1]["access_token"]);
    shared.assert_one_of_each();
    let status = shared.scene.run(&["status"]).ok();
    let row = status.lines().last().unwrap_or_default();
    assert!(row.contains("  msal  "), "{status}");
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
    let utf_16 = |order: fn(u16) -> [u8; 2]| "\u{feff}{}".encode_utf16().flat_map(order).collect();
    let rows: [(Vec<u8>, &str); 9] = [
        (
            b"{\"RefreshToken\": {\"a\": {\"secret\"".to_vec(),
            "no JSON at line 1",
        ),
        (b"[]".to_vec(), "no JSON object"),
        (
            b"{\"RefreshToken\": []}".to_vec(),
            "its `RefreshToken` is no object",
        ),
        (
            b"{\"Account\": \"\"}".to_vec(),
            "its `Account` is no object",
        ),
        (b"eyJhbGciOiJkaXIifQ..x.y.z".to_vec(), "encrypted (JWE)"),
        (
            b"\x01\0\0\0\xd0\x8c\x9d\xdf\x01".to_vec(),
            "encrypted by Windows (DPAPI)",
        ),
        (utf_16(u16::to_le_bytes), "written in UTF-16"),
        (utf_16(u16::to_be_bytes), "written in UTF-16"),
        (b"{\"x\": \"\xe4\"}".to_vec(), "no text in UTF-8"),
    ];
    for (content, word) in &rows {
        shared.write(content);
        let said = shared
            .scene
            .run(&["get", "--interactive", "never"])
            .failed(9);
        assert!(
            said.contains(word) && said.contains("cannot be used"),
            "{said}"
        );
        let status = shared.scene.run(&["status", "-o", "json"]).json();
        let error = status["profiles"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains(word), "{status}");
        let left = fs::read(shared.file()).expect("it is there");
        assert_eq!(left, *content, "{word}");
    }
    // A cache that is made is empty at first.
    shared.write("");
    shared.scene.run(&["login"]).ok();
    shared.assert_one_of_each();
}

#[test]
fn a_refresh_holds_the_lock_of_msal_until_its_token_is_kept() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let lock = shared.lock();
    assert!(!lock.exists());
    let kept = shared.cache();
    shared
        .scene
        .authority
        .script(Endpoint::Token, Fault::Delay(Duration::from_secs(1)));
    std::thread::scope(|scope| {
        let asked = shared.scene.refreshes();
        let refresh = scope.spawn(|| shared.get(&["--force-refresh"]));
        eventually("the authority is asked", || {
            shared.scene.refreshes() > asked
        });
        let holder = fs::read_to_string(&lock).expect("the lock is held");
        assert!(holder.ends_with(" cred-helper"), "{holder}");
        assert_eq!(shared.cache(), kept);
        refresh.join().expect("it is refreshed");
    });
    assert!(!lock.exists());
    assert_ne!(shared.cache(), kept);
}

/// strace, which does that at calls for the cache and what lies beside it. What is looked for on the way to a
/// lock is no change.
fn at_calls(shared: &Shared, trace: &Path, inject: &str) -> Vec<String> {
    let path = shared.file().with_file_name("").display().to_string();
    let names = [
        "cache.json",
        ".cache.json.cred-helper-room",
        ".cache.json.cred-helper-proof",
        "cache.json.lockfile",
    ];
    let trace = trace.display().to_string();
    let words = ["strace", "-f", "-qq", "-s", "0", "-o", &trace, "-e", inject];
    let paths = names.map(|name| ["--trace-path".to_owned(), format!("{path}{name}")]);
    let words = words.into_iter().map(str::to_owned);
    words.chain(paths.into_iter().flatten()).collect()
}

#[test]
fn ctrl_c_at_any_call_leaves_no_lock_that_others_would_wait_for() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let trace = shared.scene.file("trace");
    let mut interrupted = 0;
    for call in ["openat", "write", "fsync"] {
        for nth in 1.. {
            let inject = format!("inject={call}:signal=SIGINT:when={nth}");
            let words = at_calls(&shared, &trace, &inject);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let command = shared.scene.wrapped(&words, &["get", "--force-refresh"]);
            let ran = shared.scene.run_command(command);
            assert!(!shared.lock().exists(), "{call} {nth}: {ran:?}");
            let traced = fs::read_to_string(&trace).expect("strace writes it");
            if !traced.contains("SIGINT") {
                ran.ok();
                break;
            }
            // Before there is a lock, it is the signal that ends it.
            assert!(
                matches!(ran.code, None | Some(130)),
                "{call} {nth}: {ran:?}"
            );
            interrupted += 1;
        }
    }
    assert!(interrupted >= 6, "{interrupted} times");
    shared.assert_one_of_each();
}

#[test]
fn killed_at_any_call_that_changes_something_the_cache_is_whole_for_msal() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let whole = fs::read(shared.file()).expect("the cache is there");
    let mut kills = 0;
    for call in ["openat", "write", "fsync", "rename", "unlink"] {
        for nth in 1.. {
            fs::write(shared.file(), &whole).expect("the cache can be written");
            let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
            let words = at_calls(&shared, Path::new("/dev/null"), &inject);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let command = shared.scene.wrapped(&words, &["get", "--force-refresh"]);
            let ran = shared.scene.run_command(command);
            let left = fs::read(shared.file()).expect("the cache is there");
            serde_json::from_slice::<Value>(&left).expect("it is whole");
            if ran.code == Some(0) {
                break;
            }
            kills += 1;
            // The lock that it left is taken over, and what it left beside the cache is removed.
            let next = shared.scene.run(&["get", "--force-refresh"]);
            next.ok();
        }
    }
    assert!(kills >= 8, "{kills} kills");
    shared.assert_one_of_each();
    assert_eq!(
        shared.msal(&["refresh"])[0]["token_source"],
        "identity_provider"
    );
    let folder = fs::read_dir(shared.file().with_file_name("")).expect("it can be read");
    let left: Vec<_> = folder
        .map(|entry| entry.expect("it can be read").file_name())
        .filter(|name| name.to_string_lossy().contains("cache.json"))
        .collect();
    assert_eq!(left, ["cache.json"]);
}

#[test]
fn rows_of_others_stay_byte_for_byte_in_a_large_cache() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.msal(&["sign-in"]);
    let text = fs::read_to_string(shared.file()).expect("the cache is there");
    // Ten megabytes of rows that nobody here knows, and numbers that no parser keeps as they are.
    let foreign: Vec<String> = (0..10_000)
        .map(|index| {
            let filler = "x".repeat(1000);
            format!(
                "\"row-{index}\" : {{\"secret\":\"{filler}\", \"n\" :1.500e0,  \"u\": \"\\u00E4\"}}"
            )
        })
        .collect();
    let foreign = format!("\"Unknown\": {{{}}}", foreign.join(",\n"));
    let large = text.replacen('{', &format!("{{ {foreign},"), 1);
    shared.write(&large);
    shared.get(&["--force-refresh"]);
    let after = fs::read_to_string(shared.file()).expect("the cache is there");
    assert_ne!(after, large);
    assert!(after.contains(&foreign));
    assert_eq!(
        shared.msal(&["refresh"])[0]["token_source"],
        "identity_provider"
    );
}

#[test]
fn rows_of_unknown_types_stay_as_they_are() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.msal(&["sign-in"]);
    let text = fs::read_to_string(shared.file()).expect("the cache is there");
    let foreign = r#""a": null, "b" :[1], "c": "\ud83d", "\uDE00": {"credential_type": "Another", "secret": {"x" : 1e2}}, "d": {"secret": 5, "home_account_id": []},"#;
    let mut with_foreign = text.clone();
    for section in [
        "AccessToken",
        "Account",
        "RefreshToken",
        "IdToken",
        "AppMetadata",
    ] {
        let name = format!("\"{section}\": {{");
        with_foreign = with_foreign.replacen(&name, &format!("{name}{foreign}"), 1);
    }
    let with_foreign = with_foreign.replacen('{', "{ \"Another\": [ ], \"\\ud800\": {},", 1);
    assert_eq!(with_foreign.matches(foreign).count(), 5);
    shared.write(&with_foreign);
    let before = shared.get(&[]);
    assert_eq!(before["source"], "cache");
    shared.get(&["--force-refresh"]);
    let after = fs::read_to_string(shared.file()).expect("the cache is there");
    assert_eq!(after.matches(foreign).count(), 5);
    assert!(after.starts_with("{ \"Another\": [ ], \"\\ud800\": {},"));
    // Nothing was added but what took the place of something.
    let rest = |text: &str| text.replace(foreign, "").lines().count();
    assert_eq!(rest(&after), rest(&with_foreign));
}

#[test]
fn a_cache_with_a_byte_order_mark_is_read_and_its_mark_goes_with_the_next_write() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    let signed_in = shared.msal(&["sign-in"]);
    let text = fs::read_to_string(shared.file()).expect("the cache is there");
    shared.write(format!("\u{feff}{text}"));
    assert_eq!(
        shared.get(&[])["access_token"],
        signed_in[0]["access_token"]
    );
    let output = shared.python(&["accounts"]).output();
    let output = output.expect("python3 starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("JSONDecodeError"), "{said}");
    let ours = shared.get(&["--force-refresh"]);
    let theirs = shared.msal(&["silent"]);
    assert_eq!(theirs[0]["access_token"], ours["access_token"]);
    shared.assert_one_of_each();
}

#[test]
fn a_session_that_cannot_be_shared_is_a_mistake_with_its_place() {
    let sandbox = Sandbox::new("");
    let profile = "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"demo\"]\n";
    let authority = "authority = \"https://issuer.example\"\n";
    let session = "session = { msal = \"cache.json\" }\n";
    let item = "session = { msal = \"c\", secret_service = { schema = \"s\",";
    for (keys, line, problem) in [
        (
            format!("{authority}session = {{}}\n"),
            5,
            "it names no cache",
        ),
        (
            format!("{authority}session = \"cache.json\"\n"),
            5,
            "not a table",
        ),
        (
            format!("{authority}session = {{ msal = \"c\", file = \"c\" }}\n"),
            5,
            "`profiles.api.session.file`",
        ),
        (
            format!(
                "{authority}session = {{ msal = \"c\", secret_service = {{ label = \"a\" }} }}\n"
            ),
            5,
            "`profiles.api.session.secret_service`: it names no `schema`",
        ),
        (
            format!("{authority}{item} label = \"a\\u0007\" }} }}\n"),
            5,
            "`profiles.api.session.secret_service.label`: it holds a control character",
        ),
        (
            format!("{authority}{item} key = \"a\" }} }}\n"),
            5,
            "unknown key `profiles.api.session.secret_service.key`",
        ),
        (
            format!("{authority}{item} attributes = {{ a = 1 }} }} }}\n"),
            5,
            "`profiles.api.session.secret_service.attributes.a`: it is an integer",
        ),
        (
            format!("{authority}{item} attributes = {{ \"xdg:schema\" = \"b\" }} }} }}\n"),
            5,
            "it is what `schema` says",
        ),
        (
            format!("{authority}{item} attributes = {{ \"a\\n\" = \"b\" }} }} }}\n"),
            5,
            "its name holds a control character",
        ),
        (
            format!("{authority}{session}grant = \"client_credentials\"\n"),
            5,
            "a machine has no sign-in to share",
        ),
        (
            format!("{authority}{session}dpop = true\n"),
            5,
            "no room for keys",
        ),
        (
            format!(
                "{session}endpoints = {{ token = \"https://i.example/t\", \
                 device_authorization = \"https://i.example/d\" }}\n"
            ),
            4,
            "it needs an `authority`",
        ),
    ] {
        sandbox.write_profiles(&format!("{profile}{keys}"));
        let said = sandbox.run(&["profile", "check"]).failed(3);
        assert!(said.contains(problem), "{said}");
        assert!(said.contains(&format!(":{line}:")), "{said}");
    }
}

#[test]
fn where_the_family_s_refresh_token_is_refused_the_client_s_own_is_sent() {
    for (error, suberror) in [
        ("invalid_grant", Some("client_mismatch")),
        ("interaction_required", None),
    ] {
        let Some(shared) = Shared::new("") else {
            return;
        };
        shared.msal(&["sign-in"]);
        let mut cache = shared.cache();
        let rows = cache["RefreshToken"].as_object_mut().expect("it has rows");
        let mut row = rows.values().next().expect("it has one").clone();
        row["client_id"] = "another".into();
        row["family_id"] = "1".into();
        row["secret"] = "the-family-s-own".into();
        row["last_modification_time"] = "9999999999".into();
        rows.insert("the family".to_owned(), row.clone());
        cache["AppMetadata"] = json!({});
        shared.write(cache.to_string());
        let mut answer = json!({ "error": error, "error_description": "as scripted" });
        if let Some(suberror) = suberror {
            answer["suberror"] = suberror.into();
        }
        let refusal = Fault::Answer(Response::json(400, &answer));
        shared.scene.authority.script(Endpoint::Token, refusal);
        let before = shared.scene.refreshes();
        assert_eq!(shared.get(&["--force-refresh"])["source"], "refresh");
        assert_eq!(shared.scene.refreshes(), before + 2, "{error}");
        // By now it is known that the client is of no family.
        assert_eq!(shared.get(&["--force-refresh"])["source"], "refresh");
        assert_eq!(shared.scene.refreshes(), before + 3, "{error}");
        assert_eq!(shared.cache()["RefreshToken"]["the family"], row);
    }
}
