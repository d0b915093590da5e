//! What a silent answer costs, seen from the kernel: it reads each file once, writes its answer
//! once, and touches nothing else.

use std::fs;

use crate::core_dump::seal;
use crate::scene::{Scene, at_once, profile};

/// What the kernel was asked for by a `get` with these arguments, line by line.
fn trace(scene: &Scene, arguments: &[&str]) -> (String, Vec<String>) {
    let output = scene.file("trace");
    let output = output.display().to_string();
    let wrapper = ["strace", "-f", "-qq", "-s", "0", "-o", &output];
    let mut command = scene.wrapped(&wrapper, arguments);
    command.env_remove("CRED_HELPER_LOG");
    let answer = scene.run_command(command).ok();
    let text = fs::read_to_string(&output).expect("strace wrote its file");
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            // The process' number stands first.
            let call = line.split_once(' ').map_or(line, |(_, call)| call);
            call.trim_start().to_owned()
        })
        .collect();
    assert!(lines.len() > 10, "strace saw the program: {text}");
    (answer, lines)
}

/// The name of the call in a line.
fn call(line: &str) -> &str {
    line.split('(').next().unwrap_or_default()
}

/// Calls that a silent answer has no need for: locks, threads, processes, sockets, writes.
const NEEDLESS: &[&str] = &[
    "add_key",
    "chmod",
    "clone",
    "connect",
    "creat",
    "fallocate",
    "fchmod",
    "fdatasync",
    "flock",
    "fork",
    "fsync",
    "ftruncate",
    "link",
    "mkdir",
    "pwrite",
    "rename",
    "sendfile",
    "sendto",
    "socket",
    "symlink",
    "truncate",
    "unlink",
    "utimens",
    "vfork",
    "write",
];

/// Whether a line is of a call that changes something, or waits for somebody.
fn is_needless(line: &str) -> bool {
    let opens_to_write = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"];
    match call(line) {
        "fcntl" => line.contains("LK"),
        name if name.starts_with("open") => opens_to_write.iter().any(|flag| line.contains(flag)),
        name => NEEDLESS.iter().any(|needless| name.starts_with(needless)),
    }
}

#[test]
fn a_cached_token_is_answered_without_a_lock_a_thread_a_socket_or_a_write() {
    assert_silent(&Scene::signed_in(), 0);
}

#[test]
fn a_sealed_one_is_answered_so_too_with_the_kernels_keyring_alone() {
    let scene = Scene::signed_in();
    if seal(&scene).is_some() {
        // The user's keyring is found, the key in it, and what it holds.
        assert_silent(&scene, 3);
        scene.run(&["store", "lock"]).ok();
    }
}

/// Each file is read once, the kernel's keyring asked so often, and nothing else done.
fn assert_silent(scene: &Scene, keyring_calls: usize) {
    for arguments in [
        &["get"][..],
        &["get", "-p", "api", "-o", "json"],
        &["get", "--interactive", "always", "--min-valid", "5m"],
    ] {
        let (answer, lines) = trace(scene, arguments);
        assert!(!answer.is_empty());
        let asked = lines.iter().filter(|line| call(line) == "keyctl");
        assert_eq!(asked.count(), keyring_calls, "{arguments:?}: {lines:#?}");
        let config = format!("\"{}\"", scene.sandbox.config().display());
        let session = format!("\"{}\"", scene.sandbox.session().display());
        for path in [config, session] {
            let opened = lines
                .iter()
                .filter(|line| call(line).starts_with("open") && line.contains(&path))
                .count();
            assert_eq!(opened, 1, "{arguments:?}: {path} in {lines:#?}");
        }
        let (answers, rest): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| line.starts_with("write(1, "));
        assert_eq!(answers.len(), 1, "{arguments:?}: it is written at once");
        let needless: Vec<_> = rest.into_iter().filter(|line| is_needless(line)).collect();
        assert!(needless.is_empty(), "{arguments:?}: {needless:#?}");
    }
}

#[test]
fn the_audit_adds_one_append_to_a_cached_answer() {
    let scene = Scene::of(at_once(), |issuer| {
        format!("{}[audit]\nenabled = true\n", profile("api", issuer))
    });
    scene.run(&["login"]).ok();
    // The first one makes the file.
    scene.run(&["get"]).ok();
    let (_, lines) = trace(&scene, &["get"]);
    let answers = |line: &&String| line.starts_with("write(1, ");
    let added: Vec<_> = lines
        .iter()
        .filter(|line| is_needless(line) && !answers(line))
        .map(|line| call(line))
        .collect();
    assert_eq!(added, ["openat", "write"]);
}

#[test]
fn what_the_kernel_would_show_of_a_refresh_is_seen() {
    let scene = Scene::signed_in();
    let (_, lines) = trace(&scene, &["get", "--force-refresh"]);
    let needless: Vec<_> = lines.iter().filter(|line| is_needless(line)).collect();
    for call in [
        "flock(", "clone", "socket(", "openat(", "fsync(", "rename", "write(",
    ] {
        let is_seen = needless.iter().any(|line| line.starts_with(call));
        assert!(is_seen, "{call} is missing in {needless:#?}");
    }
}

#[test]
fn a_routed_answer_reads_each_of_the_users_files_once() {
    let scene = Scene::signed_in();
    let own = scene.file(".config/cred-helper");
    fs::create_dir_all(own.join("profiles.d")).expect("it is ours");
    let issuer = scene.authority.issuer();
    let urls = "urls = [\"https://api.example/\"]\n";
    let api = format!("{}{urls}", profile("api", &issuer));
    let mut files = vec![("profiles.toml".to_owned(), api)];
    for number in 0..5 {
        let name = format!("profiles.d/{number}.toml");
        files.push((
            name,
            profile(&format!("p{number}"), "https://login.example"),
        ));
    }
    for (name, text) in &files {
        fs::write(own.join(name), text).expect("it is ours");
    }
    fs::remove_file(scene.sandbox.config()).expect("it is ours");
    let output = scene.file("trace");
    let output = output.display().to_string();
    let wrapper = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=open,openat",
        "-o",
        &output,
    ];
    let mut command = scene.wrapped(&wrapper, &["get", "--url", "https://api.example/x"]);
    command
        .env_remove("CRED_HELPER_LOG")
        .env_remove("CRED_HELPER_CONFIG");
    scene.run_command(command).ok();
    let text = fs::read_to_string(&output).expect("strace wrote its file");
    for (name, _) in &files {
        let path = format!("\"{}\"", own.join(name).display());
        assert_eq!(text.matches(&path).count(), 1, "{path}: {text}");
    }
}
