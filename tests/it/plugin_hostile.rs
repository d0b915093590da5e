//! Plugins that do not do what the protocol says: a clear error within the limit, nothing that is kept
//! is touched, and nothing secret is shown.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::oidc_ground::eventually;
use crate::plugin_ground::{CORP, LISTEN, Plugins, answer, is_alive, say};

const HELLO: &str = "echo '{\"v\":[1]}'\n";
const REFRESH_TOKEN: &str = "refresh-token-of-ada";
const PIN: &str = "pin-of-the-card";

/// What is good, but for the refresh token that it brings.
fn good() -> String {
    answer(
        &json!({ "access_token": "good-token", "expires_in": 3600, "refresh_token": REFRESH_TOKEN }),
    )
}

/// Somebody is signed in; the plugin does otherwise from now on.
fn signed_in(grant: &str, plugin: &str) -> Plugins {
    let profile = format!("{CORP}pin = {{ file = \"pin\" }}\n{grant}");
    let plugins = Plugins::with_profiles(&profile, &good());
    fs::write(plugins.sandbox.path().join("pin"), PIN).expect("it can be written");
    plugins.run(&["get"]).ok();
    for secret in [REFRESH_TOKEN, PIN, "leaked-token"] {
        plugins.sandbox.secret(secret);
    }
    plugins.install_whole(plugin);
    plugins
}

/// Runs a plugin that gives no token; what was said.
fn fails(grant: &str, plugin: &str, code: i32) -> String {
    let plugins = signed_in(grant, plugin);
    let session = fs::read(plugins.sandbox.session()).expect("it can be read");
    let started = Instant::now();
    let stderr = plugins.run(&["get", "--force-refresh"]).failed(code);
    assert!(started.elapsed() < Duration::from_secs(40), "{plugin}");
    let after = fs::read(plugins.sandbox.session()).expect("it can be read");
    assert!(session == after, "the session is untouched: {plugin}");
    // What is still valid is handed out meanwhile.
    assert_eq!(plugins.run(&["get"]).ok(), "good-token\n");
    let harmful = |character: char| character.is_control() && character != '\n';
    assert!(!stderr.contains(harmful), "{stderr:?}");
    stderr
}

/// What a plugin is called here, what it does, the exit code, and what is said.
type Row<'r> = (&'r str, String, i32, &'r str);

/// Each plugin in a sandbox of its own; further keys of `grant` may be given.
fn check(grant: &str, rows: &[Row<'_>]) {
    /// How many at once? Some of them are busy.
    const ABREAST: usize = 5;
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..ABREAST {
            scope.spawn(|| {
                while let Some((name, plugin, code, expected)) =
                    rows.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    let stderr = fails(grant, plugin, *code);
                    assert!(stderr.contains(expected), "{name}: {stderr}");
                    assert!(
                        stderr.contains("the plugin `corp` gave no token"),
                        "{name}: {stderr}"
                    );
                    assert!(
                        stderr.lines().count() < 70 && stderr.len() < 40_000,
                        "{name}"
                    );
                }
            });
        }
    });
}

#[test]
fn one_that_gives_no_answer_is_given_up_after_its_time() {
    let rows: Vec<Row<'_>> = vec![
        (
            "no hello",
            "cat >/dev/null".into(),
            6,
            "it gave its hello not within 3 s",
        ),
        (
            "an answer for a hello",
            format!("read -r request\n{}", good()),
            6,
            "it gave its hello not within 3 s",
        ),
        (
            "a flood on stderr",
            format!("{HELLO}yes leaked >&2"),
            6,
            "(more on stderr is left out)",
        ),
        (
            "an endless line on stderr",
            format!("{HELLO}tr '\\0' x </dev/zero >&2"),
            6,
            "it gave an answer not within 3 s",
        ),
        (
            "no answer",
            format!("{LISTEN}exec sleep 1000"),
            6,
            "it gave an answer not within 3 s",
        ),
        (
            "no answer, and deaf",
            format!("{HELLO}trap '' TERM\nwhile :; do sleep 1; done"),
            6,
            "it gave an answer not within 3 s",
        ),
    ];
    check("timeout = \"3s\"\n", &rows);
}

#[test]
fn whatever_it_answers_is_a_clear_error_at_once() {
    let token = |edit: &str| format!("{LISTEN}printf '%s\\n' '{{\"Ok\":{{{edit}}}}}'\n");
    let err = |kind: &str| {
        format!(
            "{LISTEN}{}",
            say(&json!({ "Err": { "kind": kind, "message": "its own words" } }))
        )
    };
    let rows: Vec<Row<'_>> = vec![
        (
            "an answer without a question",
            good(),
            6,
            "it said no hello",
        ),
        ("an end", "exit 0".into(), 6, "it ended without its hello"),
        (
            "a reason",
            "echo 'no card in the reader' >&2; exit 3".into(),
            6,
            "it said: no card in the reader",
        ),
        (
            "an empty hello",
            "echo '{\"v\":[]}'".into(),
            6,
            "it said no hello",
        ),
        (
            "no JSON",
            "echo hello there".into(),
            6,
            "it wrote a line that is not understood (column 1)",
        ),
        (
            "not UTF-8",
            "printf '{\"v\":[1],\"kind\":\"\\377\"}\\n'".into(),
            6,
            "a line that is not understood",
        ),
        (
            "another version",
            "echo '{\"v\":[2,\"\\u001b[31m\"]}'".into(),
            3,
            "it speaks version 2, \"\\u001b[31m\" of the protocol, and not 1",
        ),
        (
            "endless lines",
            "yes leaked-token".into(),
            6,
            "a line that is not understood",
        ),
        (
            "an endless line",
            "tr '\\0' x </dev/zero".into(),
            6,
            "it wrote a line of more than 1 MiB",
        ),
        (
            "2 MiB",
            format!("{HELLO}head -c 2097152 /dev/zero | tr '\\0' '['"),
            6,
            "it wrote a line of more than 1 MiB",
        ),
        (
            "a mebibyte of brackets",
            format!("{HELLO}head -c 1000000 /dev/zero | tr '\\0' '['; echo"),
            6,
            "a line that is not understood",
        ),
        (
            "endless messages",
            format!("{HELLO}yes '{{\"kind\":\"message\",\"message\":\"once more\"}}'"),
            6,
            "it wrote more than 64 messages",
        ),
        (
            "an end in mid answer",
            format!("{LISTEN}printf '{{\"Ok\":{{\"access_token\":\"leaked-token'"),
            6,
            "a line that is not understood",
        ),
        (
            "stdout closed",
            format!("{LISTEN}exec >&-\nexec sleep 1000"),
            6,
            "it ended without an answer",
        ),
        (
            "a child that holds stdout",
            format!("{LISTEN}sleep 1000 &\nexit 0"),
            6,
            "it ended without an answer",
        ),
        (
            "something else",
            format!("{LISTEN}{}", say(&json!({ "kind": "greeting" }))),
            6,
            "neither a message nor an answer",
        ),
        ("no token", token(""), 6, "its answer has no `access_token`"),
        (
            "a blank token",
            token("\"access_token\":\"leaked-token x\""),
            6,
            "not of printable ASCII",
        ),
        (
            "a token of lines",
            token("\"access_token\":\"leaked-token\\nx\""),
            6,
            "not of printable ASCII",
        ),
        (
            "a token over",
            token("\"access_token\":\"leaked-token\",\"expires_in\":0"),
            6,
            "its token is over already",
        ),
        (
            "a token long over",
            token("\"access_token\":\"leaked-token\",\"expires_at\":\"2001-01-01T00:00:00Z\""),
            6,
            "its token is over already",
        ),
        (
            "no time",
            token("\"access_token\":\"leaked-token\",\"expires_at\":\"soon\""),
            6,
            "its `expires_at` is no time",
        ),
        (
            "a number for a token",
            token("\"access_token\":7"),
            6,
            "a line that is not understood",
        ),
        ("login_required", err("login_required"), 4, "its own words"),
        ("unavailable", err("unavailable"), 6, "its own words"),
        ("busy", err("busy"), 6, "its own words"),
        ("no_profile", err("no_profile"), 3, "its own words"),
        ("denied", err("denied"), 5, "its own words"),
        ("a kind that is not known", err("tired"), 5, "its own words"),
        (
            "secrets in its error",
            format!(
                "{LISTEN}echo \"{PIN}\" >&2\n{}",
                say(&json!({ "Err": {
                    "kind": "denied", "message": format!("\u{1b}[2J{PIN} and {REFRESH_TOKEN}"),
                    "caused_by": [format!("{}\u{200b}{}", &PIN[..5], &PIN[5..])],
                    "hint": format!("use {PIN}"),
                    "oauth": { "error": "access_denied", "error_description": PIN },
                } }))
            ),
            5,
            "[2J… and …",
        ),
    ];
    check("", &rows);
}

#[test]
fn a_flood_on_stderr_and_much_after_the_answer_keep_no_answer_from_being_read() {
    let flood = format!(
        "{LISTEN}head -c 3000000 /dev/zero | tr '\\0' '\\n' >&2\nyes x | head -c 300000 >&2\n"
    );
    let plugins = signed_in("", &format!("{flood}{}head -c 3000000 /dev/zero\n", good()));
    let ran = plugins.run(&["get", "--force-refresh"]);
    assert_eq!(ran.stderr.lines().count(), 51, "{}", ran.stderr);
    assert_eq!(ran.ok(), "good-token\n");
}

#[test]
fn what_it_started_ends_with_it() {
    let child = "sleep 1000 >/dev/null 2>&1 & echo $! >\"$HOME/child\"\n";
    for (grant, plugin, code) in [
        ("", format!("{LISTEN}{child}{}", good()), 0),
        ("", format!("{LISTEN}{child}exit 1"), 6),
        ("timeout = \"3s\"\n", format!("{LISTEN}{child}wait"), 6),
    ] {
        let plugins = signed_in(grant, &plugin);
        let ran = plugins.run(&["get", "--force-refresh"]);
        assert_eq!(ran.code, Some(code), "{plugin}: {ran:?}");
        let process = plugins.read("child");
        assert!(!process.is_empty());
        eventually("its child ends", || !is_alive(&process));
    }
}

#[test]
fn a_plugin_that_reads_from_the_terminal_is_stopped_and_told_so() {
    let plugin = format!("{LISTEN}read -r answer </dev/tty\n{}", good());
    let plugins = signed_in("", &plugin);
    let line = "cred-helper get --force-refresh >answer 2>errors";
    let (code, shown) = plugins.sandbox.in_terminal(line).end();
    assert_eq!(code, Some(3), "{shown}");
    let errors = plugins.read("errors");
    assert!(
        errors.contains("it wanted the terminal, which is not its own"),
        "{errors}"
    );
    assert!(errors.contains("BatchMode=yes"), "{errors}");
}

#[test]
fn who_is_waited_for_is_said_after_ten_seconds() {
    let stderr = fails("timeout = \"11s\"\n", &format!("{HELLO}exec sleep 1000"), 6);
    assert!(
        stderr.starts_with("waiting for the plugin `corp`…\n"),
        "{stderr}"
    );
}

#[test]
fn a_plugin_that_cannot_be_started_is_an_error_of_the_configuration() {
    let grant = |keys: &str| format!("[profiles.corp]\ngrant = {{ type = \"plugin\", {keys} }}\n");
    let plugins = Plugins::new("");
    plugins.sandbox.script("not-executable", "");
    let file = plugins.sandbox.bin().join("not-executable");
    fs::write(&file, "").expect("it can be written");
    let path = file.display().to_string();
    let in_here = plugins.sandbox.path().join("bin");
    for (keys, expected) in [
        (
            "name = \"absent\"",
            "no directory of PATH has a program `cred-helper-provider-absent`",
        ),
        (
            "command = [\"cred-helper-absent\"]",
            "no directory of PATH has a program `cred-helper-absent`",
        ),
        (
            "command = [\"/nowhere/plugin\"]",
            "`/nowhere/plugin` is no file",
        ),
        (
            &format!("command = [\"{path}\"]"),
            "the plugin `not-executable` cannot be started",
        ),
        ("name = \"../corp\"", "`../corp` is not"),
        ("name = \"a/b\"", "`a/b` is not"),
        ("name = \"\"", "`name` is made of"),
        ("name = 7", "`name` is no string"),
        (
            "command = [\"bin/plugin\"]",
            "`bin/plugin` is neither a name nor a path from the root",
        ),
        ("command = [\"./plugin\"]", "`./plugin` is neither"),
        ("command = []", "`command` names no program"),
        ("command = \"plugin\"", "`command` is no array of strings"),
        (
            "name = \"corp\", command = [\"x\"]",
            "exactly one of `name` and `command`",
        ),
        ("realm = \"x\"", "exactly one of `name` and `command`"),
        (
            "name = \"corp\", timeout = \"soon\"",
            "`timeout` is no time",
        ),
        ("name = \"corp\", timeout = \"0s\"", "`timeout` is no time"),
        (
            "name = \"corp\", pin = { env = \"ABSENT\" }",
            "the environment variable `ABSENT` is not set",
        ),
    ] {
        plugins.sandbox.write_profiles(&grant(keys));
        let stderr = plugins.run(&["get"]).failed(3);
        assert!(stderr.contains(expected), "{keys}: {stderr}");
    }
    // Nothing is started from wherever somebody happens to be.
    plugins.sandbox.write_profiles(&grant("name = \"corp\""));
    let mut command = plugins.command(&["get"]);
    let paths = std::env::var("PATH").expect("PATH is set");
    command
        .env("PATH", format!("bin::.:{paths}"))
        .current_dir(in_here);
    let stderr = plugins.sandbox.run_command(command).failed(3);
    assert!(stderr.contains("there is no plugin `corp`"), "{stderr}");
}
