//! `doctor` and the caches of MSAL: those of other programs, each of which is planted where it is known to
//! lie, and those that profiles share.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::doctor_ground::{OPEN, complaints, doctor};
use crate::scene::{Scene, at_once};
use crate::support::{private, set_mode};

const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const POWERSHELL: &str = "1950a258-227b-4e31-a9cf-717495945fc2";
const HOST: &str = "login.microsoftonline.com";

/// A profile of the Azure CLI's client, with this line. Nothing is sent to its authority.
fn profile(line: &str) -> String {
    format!(
        "{OPEN}[profiles.api]\nclient_id = \"{AZURE_CLI}\"\nauthority = \"https://{HOST}/organizations\"\n\
         scopes = [\"https://graph.microsoft.com/.default\"]\n{line}\n"
    )
}

fn scene(line: &str) -> Scene {
    Scene::of(at_once(), |_| profile(line))
}

/// A cache where each client has sign-ins of so many people.
fn cache(clients: &[(&str, usize)]) -> String {
    let mut cache = json!({ "RefreshToken": {}, "Account": {} });
    for (client, count) in clients {
        for person in 0..*count {
            let (key, home) = (format!("{client}-{person}"), format!("u{person}.t"));
            cache["RefreshToken"][&key] = json!({ "credential_type": "RefreshToken",
                "secret": "a-secret-of-theirs", "home_account_id": home, "environment": HOST,
                "client_id": client });
            cache["Account"][&key] = json!({ "home_account_id": home, "environment": HOST,
                "username": format!("p{person}@example.test"), "authority_type": "MSSTS" });
        }
    }
    cache.to_string()
}

/// What DPAPI makes of a cache.
const DPAPI: &[u8] = &[1, 0, 0, 0, 0xd0, 0x8c, 0x9d, 0xdf, 1];

/// Writes a file for its owner alone, below directories that are made.
fn plant(path: &Path, content: impl AsRef<[u8]>) {
    let folder = path.parent().expect("it lies somewhere");
    fs::create_dir_all(folder).expect("directories can be made");
    fs::write(path, content).expect("a file can be written");
    set_mode(path, 0o600);
}

/// The Azure CLI's cache, with sign-ins of its client.
fn azure_cli(scene: &Scene) -> PathBuf {
    let file = scene.sandbox.path().join(".azure/msal_token_cache.json");
    plant(&file, cache(&[(AZURE_CLI, 1)]));
    file
}

/// What is said of caches: status, id, message and hint.
type Row = [String; 4];

fn said(scene: &Scene, arguments: &[&str], variables: &[(&str, &Path)]) -> Vec<Row> {
    let arguments = [&["--offline", "-o", "json"], arguments].concat();
    let mut command = doctor(scene, &[], &arguments);
    command.envs(variables.iter().copied());
    scene.sandbox.secret("a-secret-of-theirs");
    let ran = scene.run_command(command);
    complaints(&ran);
    let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let checks = report["checks"].as_array().expect("there are checks");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows: Vec<Row> = checks
        .iter()
        .map(|check| ["status", "id", "message", "hint"].map(|key| text(&check[key])))
        .collect();
    rows.retain(|row| row[1].starts_with("msal."));
    let is_named = |row: &Row| row[2].contains("example.test");
    assert!(!rows.iter().any(is_named), "nobody is named: {rows:#?}");
    rows
}

/// These rows begin with these texts, but for the message, which has one in it.
fn assert_rows(fault: &str, found: &[Row], expected: &[[&str; 4]]) {
    assert_eq!(found.len(), expected.len(), "{fault}: {found:#?}");
    for (found, [status, id, message, hint]) in found.iter().zip(expected) {
        let is_it = found[..2] == [*status, *id]
            && found[2].contains(message)
            && found[3].starts_with(hint)
            && found[3].is_empty() == hint.is_empty();
        assert!(is_it, "{fault}: {found:?}");
    }
}

/// Where caches lie, in the order of paths; what is in them, and what is said of them.
const PLACES: &[(&str, &[u8], &str)] = &[
    (
        ".IdentityService/my.nocae",
        b"eyJh.e30",
        "azure-identity cannot be opened: it is encrypted (JWE)",
    ),
    (
        ".azd/auth/msal/cache7.json",
        b"{}",
        "the Azure Developer CLI: nobody is signed in",
    ),
    (
        ".azure/msal_token_cache.bin",
        DPAPI,
        "the Azure CLI cannot be opened: it is encrypted by Windows (DPAPI)",
    ),
    (
        ".azure/msal_token_cache.sig",
        b"",
        "the Azure CLI is empty: nobody is signed in, or the sign-ins are in the keyring",
    ),
    (
        ".azureauth/msal_t_cache.json",
        b"[",
        "azureauth cannot be opened: it is no JSON",
    ),
    (
        ".gcm/msal/app.cache",
        b"{}",
        "Git Credential Manager: nobody is signed in",
    ),
    (
        ".local/.IdentityService/msal.cache",
        b"",
        "others of Microsoft is empty: nobody is signed in, or the sign-ins are in the keyring",
    ),
    (
        ".local/.IdentityService/msal_t.cache",
        DPAPI,
        "azureauth cannot be opened",
    ),
];

#[test]
fn what_other_programs_keep_is_found_and_is_no_fault() {
    let scene = scene("");
    let home = scene.sandbox.path();
    for (path, ..) in PLACES {
        // Nobody's sign-ins are in these.
        plant(&home.join(format!("{path}.lockfile")), "");
        plant(&home.join(path).with_file_name("other.txt"), "");
    }
    assert_rows("no cache", &said(&scene, &[], &[]), &[]);
    let mut expected = Vec::new();
    for (path, content, told) in PLACES {
        plant(&home.join(path), content);
        expected.push((
            format!("`{}` of ", home.join(path).display()),
            ["ok", "msal.cache", *told, ""],
        ));
    }
    let found = said(&scene, &[], &[]);
    let rows: Vec<_> = expected.iter().map(|(_, row)| *row).collect();
    assert_rows("each place", &found, &rows);
    for (row, (named, _)) in found.iter().zip(&expected) {
        assert!(row[2].starts_with(named), "{named}: {row:?}");
    }
    assert_rows("one profile", &said(&scene, &["-p", "api"], &[]), &[]);
}

#[test]
fn variables_of_other_programs_lead_to_their_caches() {
    let scene = scene("");
    let folder = scene.sandbox.path().join("elsewhere");
    let cli = folder.join("msal_token_cache.json");
    plant(&folder.join(".IdentityService/msal.cache"), DPAPI);
    plant(&folder.join("auth/msal/cache.bin"), DPAPI);
    plant(&cli, cache(&[(AZURE_CLI, 1), (POWERSHELL, 2)]));
    let names = ["AZURE_CONFIG_DIR", "AZD_CONFIG_DIR", "LOCALAPPDATA"];
    let variables = names.map(|name| (name, folder.as_path()));
    let offered = format!(
        "of the Azure CLI has sign-ins: 1 person of client `azure-cli`, 2 people of client \
         `azure-powershell`; `cred-helper profile import --msal {0}` copies them, `session = {{ msal = \
         \"{0}\" }}` in a profile shares them",
        cli.display()
    );
    let mut expected = [
        [
            "ok",
            "msal.cache",
            "of Visual Studio, Azure PowerShell and others",
            "",
        ],
        ["ok", "msal.cache", "of the Azure Developer CLI cannot", ""],
        ["ok", "msal.cache", &offered, ""],
    ];
    assert_rows("elsewhere", &said(&scene, &[], &variables), &expected);
    set_mode(&cli, 0o644);
    expected[2] = [
        "warning",
        "msal.cache",
        "others can read `",
        "run `chmod 600 ",
    ];
    assert_rows("others", &said(&scene, &[], &variables), &expected);
}

#[test]
fn what_a_profile_has_or_shares_is_not_offered() {
    let scene = scene("");
    let file = azure_cli(&scene);
    let offered = ["ok", "msal.cache", "; `cred-helper profile import ", ""];
    assert_rows("nobody", &said(&scene, &[], &[]), &[offered]);
    let import = ["profile", "import", "--msal", &file.display().to_string()];
    scene.run(&import).ok();
    let had = [
        "ok",
        "msal.cache",
        "; signed in here, too: profile `api`",
        "",
    ];
    assert_rows("imported", &said(&scene, &[], &[]), &[had]);
    let line = "session = { msal = \"~/.azure/msal_token_cache.json\" }";
    scene.sandbox.write_profiles(&profile(line));
    let shared = ["ok", "msal.shared", "shared by profile `api`, can be", ""];
    assert_rows("shared", &said(&scene, &[], &[]), &[shared]);
    // Beside an item of the keyring, such a file is no cache, and only tells of changes.
    let found_by = "secret_service = { schema = \"s\", attributes = { type = \"t\" } }";
    let of_keyring = profile(&line.replace(" }", &format!(", {found_by} }}")));
    let of_keyring = of_keyring
        .replace(OPEN, "")
        .replace("profiles.api", "profiles.far");
    let both = format!("{}{of_keyring}", profile(line));
    scene.sandbox.write_profiles(&both);
    let item = ["error", "msal.shared", "there is no keyring here", "log in"];
    assert_rows("an item", &said(&scene, &[], &[]), &[shared, item]);
}

/// The line of a cache where all is well.
const WELL: [&str; 4] = [
    "ok",
    "msal.shared",
    "shared by profile `api`, can be read",
    "",
];

#[test]
fn a_fault_of_a_shared_cache_is_named_with_what_mends_it() {
    let scene = scene("session = { msal = \"below/cache.json\" }");
    let folder = scene.sandbox.path().join("below");
    let file = folder.join("cache.json");
    let check = |fault: &str, status: &str, message: &str, hint: &str| {
        let expected = [status, "msal.shared", message, hint];
        assert_rows(fault, &said(&scene, &["-p", "api"], &[]), &[expected]);
    };
    check(
        "nowhere",
        "error",
        "cannot be written: `",
        "see that its directory is there",
    );
    fs::create_dir(&folder).expect("it can be made");
    private(&folder);
    check("no cache", "ok", "is made by the first sign-in", "");
    plant(&file, "[");
    check(
        "no JSON",
        "error",
        "cannot be used: it is no JSON",
        "it is untouched",
    );
    set_mode(&file, 0o640);
    check("others", "error", "others can read `", "run `chmod 600 ");
    plant(&file, "{}");
    check("well", WELL[0], WELL[2], WELL[3]);
    let names = fs::read_dir(&folder).expect("it is there").count();
    assert_eq!(names, 1, "nothing is left there but the cache");
    fs::remove_file(&file).expect("it is there");
    symlink(&file, &file).expect("a link can be made");
    check(
        "a loop",
        "error",
        "the cache of MSAL cannot be read",
        "see that it is there",
    );
}

#[test]
fn a_lock_that_was_left_behind_is_told_and_one_that_is_held_is_no_fault() {
    let scene = scene("session = { msal = \"~/.azure/msal_token_cache.json\" }");
    let lock = azure_cli(&scene).with_extension("json.lockfile");
    let check = |fault: &str, expected: &[[&str; 4]]| {
        assert_rows(fault, &said(&scene, &[], &[]), expected);
    };
    let mut gone = Command::new("true").spawn().expect("it starts");
    gone.wait().expect("it ends");
    plant(&lock, format!("{} /usr/bin/az", gone.id()));
    let opened = File::options().write(true).open(&lock);
    let opened = opened.expect("it is there");
    let before = SystemTime::now() - Duration::from_secs(60);
    opened.set_modified(before).expect("it is the test's");
    opened.lock().expect("it can be locked");
    check(
        "held",
        &[WELL, ["ok", "msal.lock", "its lock is held by ", ""]],
    );
    opened.unlock().expect("it was locked");
    let told = "cache.json.lockfile` was left behind by process ";
    let left = ["warning", "msal.lock", told, "run `rm /"];
    check("left behind", &[WELL, left]);
    assert!(lock.exists(), "nothing is changed");
    // What a killed call of ours leaves, any next one removes.
    plant(&lock, format!("{} cred-helper", gone.id()));
    check("our own", &[WELL]);
    fs::create_dir(&lock).expect("the file is gone");
    check(
        "no file",
        &[WELL, ["error", "msal.lock", "is no file", "remove `"]],
    );
}
