//! What is left in the memory of a program that has answered and is about to end: a core dump of it,
//! as a crash or an administrator would take it, is searched for what nobody was given.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cred_helper::context::KeyCache as _;
use cred_helper::encoding::from_base64;
use cred_helper::secret::Secret;
use cred_helper::system::key_cache::SystemKeyCache;
use serde_json::{Value, json};

use crate::form::forms;
use crate::scene::{Scene, access_tokens};
use crate::tool::{GDB, KERNEL_KEYRING, needs, note_missing};

/// The memories of a process when it first makes each of these calls, one after the other.
fn memories(scene: &Scene, arguments: &[&str], calls: &[&str]) -> Vec<PathBuf> {
    let program = scene.sandbox.command(&[]);
    let mut lines = vec![
        format!("exec-file {}", program.get_program().display()),
        // Without a shell, and each time at other addresses, as it runs elsewhere.
        "set startup-with-shell off".to_owned(),
        "set disable-randomization off".to_owned(),
        format!("set args {}", arguments.join(" ")),
    ];
    let mut go = "run";
    let mut cores = Vec::new();
    for call in calls {
        let core = scene.file(&format!("core-at-{call}"));
        lines.extend([
            "delete".to_owned(),
            format!("catch syscall {call}"),
            go.to_owned(),
            format!("generate-core-file {}", core.display()),
        ]);
        cores.push(core);
        go = "continue";
    }
    lines.push("kill".to_owned());
    let script = scene.file("gdb-script");
    fs::write(&script, lines.join("\n")).expect("it is ours");
    let mut gdb = Command::new("gdb");
    scene.sandbox.prepare(&mut gdb);
    gdb.env_remove("CRED_HELPER_LOG")
        .args(["-nx", "-q", "-batch", "-iex", "set auto-solib-add off"])
        .args(["-iex", "set debuginfod enabled off", "-x"])
        .arg(&script);
    let ran = scene.sandbox.run_command(gdb);
    for core in &cores {
        assert!(core.exists(), "{}: {ran:?}", core.display());
    }
    cores
}

/// Counts texts in the memory that a process could write: what it read from files is known.
const SEARCH: &str = r"
import struct, sys
core = open(sys.argv[1], 'rb').read()
(table,) = struct.unpack_from('<Q', core, 32)
size, count = struct.unpack_from('<HH', core, 54)
memory = b''
for at in range(table, table + size * count, size):
    kind, flags, begin, _, _, length = struct.unpack_from('<IIQQQQ', core, at)
    if kind == 1 and flags & 2:
        memory += core[begin:begin + length]
for forms in sys.argv[2:]:
    print(sum(memory.count(bytes.fromhex(form)) for form in forms.split()))
";

/// How often some form of each of these is in a memory.
fn found(core: &Path, secrets: &[&[u8]]) -> Vec<usize> {
    let digits = |form: &Vec<u8>| -> String {
        let digits = form.iter().map(|byte| format!("{byte:02x}"));
        digits.chain([" ".to_owned()]).collect()
    };
    let mut python = Command::new("python3");
    python.args(["-c", SEARCH]).arg(core);
    for secret in secrets {
        python.arg(forms(secret).iter().map(digits).collect::<String>());
    }
    let output = python.output().expect("python3 starts");
    assert!(output.status.success(), "{output:?}");
    let counts = String::from_utf8(output.stdout).expect("they are numbers");
    let counts = counts.lines().map(|line| line.parse().expect("a number"));
    counts.collect()
}

/// Somebody has signed in, and these are the tokens.
fn scene(access_token: &str, refresh_token: &str) -> Scene {
    let scene = Scene::signed_in();
    scene.edit_session(|session| {
        access_tokens(session)[0]["secret"] = access_token.into();
        session["content"]["accounts"][0]["refresh_token"] = refresh_token.into();
    });
    scene
}

/// Seals the scene's session with a key that lies in the kernel's keyring alone; the key's text. `None`
/// where that is forbidden, which is noted.
pub(crate) fn seal(scene: &Scene) -> Option<Secret> {
    let profiles = fs::read_to_string(scene.sandbox.config()).expect("it is ours");
    let material = scene.sandbox.path().display();
    let sealing = |command: Value| {
        format!("{profiles}[store]\nseal = \"command\"\nkey_cache = \"10m\"\ncommand = {command}\n")
    };
    let echo = json!(["echo", format!("key of {material}")]);
    scene.sandbox.write_profiles(&sealing(echo));
    scene.run(&["store", "migrate", "--to", "command"]).ok();
    scene.sandbox.write_profiles(&sealing(json!(["false"])));
    let header = scene.header();
    let id = header["seal"]["parameters"]["key"].as_str();
    let key = SystemKeyCache.read(id.expect("it is sealed"));
    if key.is_none() {
        note_missing(&KERNEL_KEYRING);
    }
    key
}

/// What nobody was given is not in this memory of the scene, which is one of the program's.
fn assert_clean(memory: &Path, scene: &Scene, tokens: &[&str], keys: &[&[u8]]) {
    let home = scene.sandbox.path().as_os_str().as_encoded_bytes();
    // What is left of a token, after something else was written over the rest.
    let parts = tokens.iter().flat_map(|token| {
        let (begin, end) = token.as_bytes().split_at(token.len() / 2);
        [&begin[..40], &end[end.len() - 40..]]
    });
    let searched: Vec<&[u8]> = [home]
        .into_iter()
        .chain(parts)
        .chain(keys.iter().copied())
        .collect();
    let counts = found(memory, &searched);
    assert!(counts[0] > 0, "it is the program's memory: {counts:?}");
    assert!(counts[1..].iter().all(|count| *count == 0), "{counts:?}");
}

#[test]
fn after_a_cached_answer_memory_holds_neither_tokens_nor_the_key() {
    needs!(GDB);
    let access_token = "canary-of-the-access-token-".repeat(40);
    let usual = "canary-of-the-refresh-token-".repeat(30);
    // Its JSON has escapes, which are undone where it is read.
    let escaped = "canary-\"of\"-the-\\-refresh-token-".repeat(100);
    for refresh_token in [usual, escaped] {
        let scene = scene(&access_token, &refresh_token);
        let tokens = [access_token.as_str(), &refresh_token];
        let memory = || {
            let memories = memories(&scene, &["get"], &["write", "exit_group"]);
            let [answering, ending] = memories.try_into().expect("there are two");
            let given = found(&answering, &[access_token.as_bytes()]);
            assert!(given[0] > 0, "it is seen when it is written: {given:?}");
            ending
        };
        assert_clean(&memory(), &scene, &tokens, &[]);
        let Some(key) = seal(&scene) else { return };
        let bytes = from_base64(key.expose()).expect("it was encoded");
        let ending = memory();
        scene.run(&["store", "lock"]).ok();
        let keys = [key.expose().as_bytes(), &bytes, &bytes[..16], &bytes[16..]];
        assert_clean(&ending, &scene, &tokens, &keys);
    }
}
