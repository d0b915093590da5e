//! What a sealed sign-in leaves on the disk: whatever happens to it, no file tells anything of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::authority::{ClientAuthentication, ClientRow, Endpoint, Fault, Settings};
use crate::form::count;
use crate::scene::{Scene, profile};
use crate::support::{Ran, visit};

/// Texts that lie in no file but those of the test, and who has them.
const SECRETS: [&str; 2] = ["canary-of-the-client", "canary-of-the-key-of-all-files"];
const ACCOUNT: &str = "canary.ada@example.test";

/// A confidential client whose sign-ins are sealed, and whose answers are recorded. Commands print both
/// secrets; what searches does not look there.
fn scene() -> Scene {
    let settings = Settings {
        approve_at_once: true,
        account: ACCOUNT.to_owned(),
        clients: vec![ClientRow {
            id: "cli".to_owned(),
            secret: Some(SECRETS[0].to_owned()),
            method: ClientAuthentication::ClientSecretBasic,
        }],
        ..Settings::default()
    };
    let scene = Scene::of(settings, |issuer| {
        format!(
            "{}client_secret = {{ command = [\"bin/client\"] }}\n[audit]\nenabled = true\n\
             [store]\nseal = \"command\"\ncommand = [\"bin/key\"]\nkey_cache = \"0s\"\n",
            profile("api", issuer)
        )
    });
    for (name, secret) in ["client", "key"].into_iter().zip(SECRETS) {
        scene.sandbox.script(name, &format!("echo {secret}\n"));
        scene.sandbox.secret(secret);
    }
    for directory in directories(&scene) {
        fs::create_dir_all(directory).expect("it is ours");
    }
    scene
}

/// Wherever something could be left.
fn directories(scene: &Scene) -> [PathBuf; 3] {
    ["state", "runtime", "temporary"].map(|name| scene.file(name))
}

fn run_command(scene: &Scene, mut command: Command) -> Ran {
    command
        .env("TMPDIR", scene.file("temporary"))
        .env("XDG_RUNTIME_DIR", scene.file("runtime"));
    scene.run_command(command)
}

fn run(scene: &Scene, arguments: &[&str]) -> Ran {
    run_command(scene, scene.sandbox.command(arguments))
}

/// The names of the files that tell something: of these secrets, and of everything that the authority
/// has ever issued.
fn telling(scene: &Scene) -> Vec<String> {
    let issued = scene.authority.secrets();
    assert!(issued.len() > 2, "there was a sign-in");
    let mut names = Vec::new();
    for directory in directories(scene) {
        visit(&directory, &mut |path, bytes| {
            let name = path
                .strip_prefix(scene.sandbox.path())
                .expect("it lies there");
            let is_record = name.ends_with("audit.jsonl");
            // Who was given a token is what a record is for.
            let account = (!is_record).then_some(ACCOUNT);
            let texts = SECRETS.into_iter().chain(account);
            let mut texts = texts.chain(issued.iter().map(String::as_str));
            if texts.any(|text| count(bytes, text.as_bytes()) > 0) {
                names.push(name.display().to_string());
            }
        });
    }
    names
}

/// Nothing is told after `what`.
fn assert_sealed(scene: &Scene, what: &str) {
    assert_eq!(telling(scene), [""; 0], "after {what}");
}

fn strace(scene: &Scene, options: &str) -> Ran {
    let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", options];
    let command = scene.wrapped(&wrapper, &["get", "--force-refresh"]);
    run_command(scene, command)
}

#[test]
fn a_sealed_sign_in_is_told_by_no_file_whatever_happens_to_it() {
    let scene = scene();
    run(&scene, &["login"]).ok();
    assert_sealed(&scene, "a sign-in");
    run(&scene, &["get", "-o", "json"]).ok();
    let token = run(&scene, &["get", "--force-refresh"]).ok();
    assert_sealed(&scene, "a refresh");

    let erase = format!(
        "{{\"kind\":\"erase\",\"profile\":\"api\",\"access_token\":{:?}}}",
        token.trim()
    );
    fs::write(scene.file("request"), erase).expect("it is ours");
    let wrapper = ["sh", "-c", "exec \"$0\" \"$@\" <request"];
    run_command(&scene, scene.wrapped(&wrapper, &["serve", "--once"])).ok();
    assert_sealed(&scene, "an erased token");
    run(&scene, &["get"]).ok();

    for (arguments, status, error, code) in [
        (&["get", "--force-refresh"][..], 400, "invalid_scope", 5),
        (&["get", "--force-refresh"], 503, "down", 6),
        (&["login"], 400, "access_denied", 5),
    ] {
        scene
            .authority
            .script(Endpoint::Token, Fault::error(status, error));
        run(&scene, arguments).failed(code);
        assert_sealed(&scene, error);
    }
    // The disk fails after the answer, and when the room is proved.
    for (when, code) in [("3+", 0), ("1+", 9)] {
        let ran = strace(&scene, &format!("inject=fsync:error=EIO:when={when}"));
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert_sealed(&scene, "a disk that fails");
    }

    // Killed while files are made, filled and renamed.
    let mut is_temporary_left = false;
    for call in [
        "fsync:when=1",
        "fsync:when=2",
        "rename:when=2",
        "fsync:when=3",
    ] {
        run(&scene, &["login"]).ok();
        let ran = strace(&scene, &format!("inject={call}:signal=SIGKILL"));
        assert_eq!(ran.code, None, "{call}: {ran:?}");
        let names = scene.beside_session();
        is_temporary_left |= names.iter().any(|name| name.starts_with(".tmp-"));
        assert_sealed(&scene, call);
    }
    assert!(is_temporary_left, "a kill leaves what it interrupts");

    let sealed = scene.session();
    fs::write(scene.sandbox.session(), &sealed[..sealed.len() / 2]).expect("it is ours");
    run(&scene, &["login"]).ok();
    let names = scene.beside_session();
    assert!(
        names.iter().any(|name| name.contains("damaged")),
        "{names:?}"
    );
    assert_sealed(&scene, "damage");

    // What lies open is found by the same search, and not any more when it is sealed again.
    let profiles = fs::read_to_string(scene.sandbox.config()).expect("it is ours");
    let profiles = profiles.replace("seal = \"command\"\n", "");
    scene.sandbox.write_profiles(&profiles);
    run(&scene, &["store", "migrate", "--to", "none"]).ok();
    let session = scene.sandbox.session();
    let session = session
        .strip_prefix(scene.sandbox.path())
        .expect("it lies there");
    assert_eq!(telling(&scene), [session.display().to_string()]);
    run(&scene, &["store", "migrate", "--to", "command"]).ok();
    assert_sealed(&scene, "a migration");
    let records = fs::read(scene.sandbox.state().join("audit.jsonl"));
    let records = records.expect("answers were recorded");
    assert!(count(&records, ACCOUNT.as_bytes()) > 0, "{records:?}");
}
