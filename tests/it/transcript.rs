//! Transcripts: bytes in, a canned answer, bytes out.
//!
//! A case is a directory `protocol/TOOL/CASE` with `arguments` (one line, may be absent; words with blanks
//! stand in double quotes), `environment`, `stdin`,
//! `answers` (a line a request: `token`, `tenant`, `basic`, `identity`, `odd`, `long`, `endless`, `short`, `last`, `done`,
//! `exchanged`, `status`, `rows`, `hosts`, or `error KIND`), `stdout`, `stderr` (absent: nothing) and `exit` (absent: 0).
//! Each request that reached the answer is held against a line of `requests`.
//! `BLESS=1 cargo test transcript` writes what comes out; look at it before you keep it.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cred_helper::context::{Environment, Terminal};
use cred_helper::credential::{Action, Credential, Request, Response};
use cred_helper::error::{Error, ErrorKind, OAuthError};
use cred_helper::io::Io;
use cred_helper::protocol::{PROTOCOLS, argument};
use cred_helper::secret::Secret;
use cred_helper::token::Timestamp;
use serde_json::json;

use crate::fake::World;

/// The lines `NAME=VALUE` of a case's `environment`.
struct Variables(String);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(own, _)| *own == name)?;
        Some(found.1.to_owned()).filter(|value| !value.is_empty())
    }

    fn is_set_to_nothing(&self, name: &str) -> bool {
        let line = format!("{name}=");
        self.0.lines().any(|own| own == line)
    }
}

fn token() -> Response {
    Response::Token(Box::new(Credential {
        profile: "graph".into(),
        account: Some("ada@example.test".into()),
        token_type: "Bearer".into(),
        access_token: Secret::new("access-token"),
        id_token: None,
        expires_at: Some(Timestamp(1_893_456_000)),
        expires_in: Some(3599),
        scopes: vec!["User.Read".into()],
        tenant: None,
        source: "cache",
        stale: false,
        host: Some("graph.example".into()),
        username: None,
        basic_only: false,
        proof_key: None,
        dpop_proof: None,
    }))
}

/// A token of Entra.
fn of_a_tenant() -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.tenant = Some("2f4a9838-26b7-47ee-be60-ccc1fdec5953".into());
    Response::Token(credential)
}

/// A token for a host that takes it as a password alone.
fn basic() -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.username = Some("x-token-auth".into());
    credential.basic_only = true;
    Response::Token(credential)
}

/// A token that is to be traded by the one who gets it.
fn identity() -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.username = Some("<token>".into());
    Response::Token(credential)
}

/// What a token was exchanged for, which is none.
fn exchanged() -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.token_type = "N_A".into();
    credential.access_token = Secret::new("{\"Version\":1}");
    Response::Token(credential)
}

/// A token that is bound to a key, with a proof or without.
fn bound(proof: Option<&str>) -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.token_type = "DPoP".into();
    credential.proof_key = Some(Secret::new("canary-of-a-key"));
    credential.dpop_proof = proof.map(Secret::new);
    Response::Token(credential)
}

/// What is kept of profiles of all kinds.
fn rows() -> serde_json::Value {
    let row = |tools: &[&str], urls: &[&str], username: Option<&str>, signed_in: &[bool]| {
        let accounts = signed_in
            .iter()
            .map(|signed_in| json!({ "account": "ada@example.test", "signed_in": signed_in }));
        let accounts: Vec<_> = accounts.collect();
        json!({ "tools": tools, "urls": urls, "username": username, "accounts": accounts })
    };
    let mut for_all = row(&[], &["https://for-all.example/"], None, &[true]);
    for_all["tools"] = serde_json::Value::Null;
    let docker = &["git", "docker"];
    json!([
        row(docker, &["https://registry.example/"], None, &[true]),
        row(
            docker,
            &["https://*.below.example/", "smtp://mail.example"],
            None,
            &[true]
        ),
        row(
            docker,
            &["http://127.0.0.1:5000/"],
            Some("oauth2accesstoken"),
            &[false, true]
        ),
        row(
            docker,
            &["https://index.docker.io/v1/"],
            Some("<token>"),
            &[true]
        ),
        row(docker, &["https://nobody.example/"], None, &[false]),
        row(docker, &["https://never.example/"], None, &[]),
        row(
            docker,
            &["https://registry.example/"],
            Some("second"),
            &[true]
        ),
        row(&["git"], &["https://git.example/"], None, &[true]),
        for_all,
    ])
}

/// Profiles of hosts that Go may ask, and of some that it may not.
fn hosts() -> serde_json::Value {
    json!([
        { "profile": "graph", "tools": null, "urls": [
            "https://go.example/", "https://go.example/team/", "https://*.below.example/a",
            "http://127.0.0.1:5000/", "smtp://mail.example",
        ] },
        { "profile": "other", "tools": ["go"], "urls": ["https://other.example:8443"] },
        { "profile": "git", "tools": ["git"], "urls": ["https://git.example"] },
        { "profile": "bare", "tools": null, "urls": [] },
    ])
}

/// A token with everything in it that a header can carry.
fn odd() -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.access_token = Secret::new(r#"access"token\n"#);
    Response::Token(credential)
}

/// A token of one byte more than neomutt takes with OAUTHBEARER.
fn long() -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.access_token = Secret::new("t".repeat(511));
    Response::Token(credential)
}

/// A token whose end nobody tells, or is so many seconds away.
fn lasting(seconds: Option<i64>) -> Response {
    let Response::Token(mut credential) = token() else {
        unreachable!("it is a token")
    };
    credential.expires_in = seconds;
    if seconds.is_none() {
        credential.expires_at = None;
    }
    Response::Token(credential)
}

fn canned(line: &str) -> Result<Response, Error> {
    match line.split_once(' ') {
        None if line == "token" => Ok(token()),
        None if line == "tenant" => Ok(of_a_tenant()),
        None if line == "basic" => Ok(basic()),
        None if line == "identity" => Ok(identity()),
        None if line == "odd" => Ok(odd()),
        None if line == "exchanged" => Ok(exchanged()),
        None if line == "long" => Ok(long()),
        None if line == "bound" => Ok(bound(None)),
        None if line == "proved" => Ok(bound(Some("the.proof.itself"))),
        None if line == "endless" => Ok(lasting(None)),
        None if line == "short" => Ok(lasting(Some(100))),
        None if line == "last" => Ok(lasting(Some(3))),
        None if line == "done" => Ok(Response::Done {
            profile: "graph".into(),
            accounts: vec![Some("ada@example.test".into())],
        }),
        None if line == "begun" => Ok(Response::Begun {
            profile: "graph".into(),
            url: "https://id.example/authorize?state=s".into(),
        }),
        None if line == "status" => Ok(Response::Status(json!({ "profiles": [] }))),
        None if line == "hosts" => Ok(Response::Status(json!({ "profiles": hosts() }))),
        None if line == "rows" => Ok(Response::Status(json!({ "profiles": rows() }))),
        Some(("error", kind)) => {
            let kind = ErrorKind::ALL
                .into_iter()
                .find(|known| known.name() == kind);
            let error = Error::new(kind.expect("the kind exists"), "it failed")
                .because("a cause")
                .oauth(OAuthError {
                    error: "invalid_grant".into(),
                    error_description: Some("it is dead".into()),
                    error_codes: vec![700_082],
                    correlation_id: Some("c-1".into()),
                    ..OAuthError::default()
                })
                .next(["cred-helper", "login", "-p", "graph"]);
            Err(error)
        }
        _ => panic!("there is no canned answer `{line}`"),
    }
}

/// What a protocol understood, in a form that can be read and compared.
fn describe(request: &Request) -> String {
    let Request {
        action,
        profile,
        url,
        scopes,
        directory,
        account,
        min_valid,
        force_refresh,
        was_rejected,
        refreshes_first,
        claims,
        interactive,
        grant,
        token,
        assertion,
        hands_over_stdin,
        takes_dpop: _,
        method,
        dpop_nonce,
    } = request;
    let action = match action {
        Action::Erase(Some(rejected)) => format!("Erase({})", rejected.expose()),
        Action::Erase(None) => "Erase".to_owned(),
        Action::Finish(address) => format!("Finish({})", address.expose()),
        Action::Get
        | Action::Login
        | Action::Logout { .. }
        | Action::Begin
        | Action::TakeIn(_)
        | Action::HandOut(_)
        | Action::Status => format!("{action:?}"),
    };
    let has_two_steps = action.starts_with("Begin") || action.starts_with("Finish");
    let only = has_two_steps.then_some("authorization_code");
    assert_eq!(*grant, only, "only a person chooses it");
    assert!(
        !refreshes_first,
        "that is for the process in the background"
    );
    // Whoever speaks a protocol on stdin hands nothing over there.
    assert!(!hands_over_stdin || matches!(action.as_str(), "Get"));
    let rejected = if *was_rejected { " was_rejected" } else { "" };
    let token = token.map_or_else(String::new, |token| format!(" token={token:?}"));
    let assertion = assertion.as_ref().map_or_else(String::new, |assertion| {
        format!(" assertion={}", assertion.expose())
    });
    let directory = directory
        .as_ref()
        .map_or_else(String::new, |directory| format!(" {directory:?}"));
    let of_a_proof = match (method, dpop_nonce) {
        (None, None) => String::new(),
        (method, nonce) => format!(" method={method:?} dpop_nonce={nonce:?}"),
    };
    format!(
        "{action} profile={profile:?} url={url:?} scopes={scopes:?} account={account:?} \
         min_valid={min_valid:?} force_refresh={force_refresh} claims={claims:?} \
         interactive={interactive:?}{rejected}{directory}{token}{assertion}{of_a_proof}\n"
    )
}

/// The words of a line; what stands between double quotes is one word.
fn words(line: &str) -> Vec<String> {
    let parts = line.trim_end_matches('\n').split('"').enumerate();
    let words = parts.map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(String::from).collect(),
        _ => vec![part.to_owned()],
    });
    words.flat_map(|words: Vec<String>| words).collect()
}

/// Replays a case: the files that come out.
fn replay(tool: &str, case: &Path) -> [(&'static str, String); 4] {
    let entry = PROTOCOLS.iter().find(|entry| entry.name == tool);
    let entry = entry.unwrap_or_else(|| panic!("there is no protocol `{tool}`"));
    let text = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    let line = text("arguments");
    let words = words(&line).into_iter().map(OsString::from);
    let arguments = if entry.is_raw {
        argument::parse_beginning(words, &[entry.flags])
    } else {
        argument::parse(words, &[entry.flags], entry.most_operands())
    };
    let arguments = arguments.expect("the arguments are good");
    let answers = RefCell::new(
        text("answers")
            .lines()
            .map(String::from)
            .collect::<Vec<_>>(),
    );
    answers.borrow_mut().reverse();
    let requests = RefCell::new(String::new());
    let answer = |request: &Request, terminal: Option<&dyn Terminal>| {
        requests.borrow_mut().push_str(&describe(request));
        let knows_dpop = ["get", "serve"].contains(&tool);
        assert!(
            knows_dpop || !request.takes_dpop,
            "{tool} sends a token alone"
        );
        if let Some(terminal) = terminal {
            terminal
                .show("\nOpen https://id.example and enter ABCD\n")
                .expect("it is shown");
        }
        let line = answers.borrow_mut().pop();
        canned(&line.expect("there is an answer for each request"))
    };
    let stdin = fs::File::open(case.join("stdin"))
        .map(std::io::BufReader::new)
        .expect("the case has stdin");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let result = (entry.serve)(
        &arguments,
        &mut Io {
            stdin: Box::new(stdin),
            stdout: &mut stdout,
            stderr: &mut stderr,
            environment: &Variables(text("environment")),
            signals: &World::default(),
        },
        &answer,
    );
    assert_eq!(
        answers.borrow().len(),
        0,
        "{}: answers are left over",
        case.display()
    );
    let exit = match result {
        Ok(code) => format!("{code}\n"),
        Err(error) => format!("{} {}\n", error.kind().exit_code(), error.message()),
    };
    let text = |bytes| String::from_utf8(bytes).expect("it is UTF-8");
    [
        ("stdout", text(stdout)),
        ("stderr", text(stderr)),
        ("requests", requests.into_inner()),
        ("exit", exit),
    ]
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).expect("the transcripts are there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.sort();
    paths
}

/// What is answered otherwise on Windows, where it is not told whether there is a process.
const OF_PROCESSES: &str = "nuget/a_whole_conversation";

#[test]
fn every_transcript_is_replayed_to_the_byte() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/protocol");
    let mut count = 0;
    for tool in directories(&root) {
        let name = tool
            .file_name()
            .and_then(|name| name.to_str())
            .expect("it has a name");
        for case in directories(&tool) {
            if cfg!(windows) && case.ends_with(OF_PROCESSES) {
                continue;
            }
            for (file, came) in replay(name, &case) {
                let path = case.join(file);
                let is_there = file != "stderr" || path.exists() || !came.is_empty();
                if is_there && std::env::var_os("BLESS").is_some() {
                    fs::write(&path, &came).expect("the transcript can be written");
                }
                let expected = fs::read_to_string(&path).unwrap_or_default();
                assert_eq!(came, expected, "{}", path.display());
            }
            count += 1;
        }
    }
    assert!(count >= 12, "only {count} transcripts were found");
}

#[test]
fn every_tool_has_a_transcript_of_every_kind_of_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/protocol");
    for entry in PROTOCOLS {
        let cases = directories(&root.join(entry.name));
        let answers: String = cases
            .iter()
            .map(|case| fs::read_to_string(case.join("answers")).unwrap_or_default())
            .collect();
        for kind in ErrorKind::ALL {
            let line = format!("error {}", kind.name());
            let is_there = answers.lines().any(|own| own == line);
            assert!(is_there, "{}: `{line}`", entry.name);
        }
    }
}

/// Has a tool served from these bytes, each request answered with a token; what it wrote.
fn serve(tool: &str, verb: Option<&str>, stdin: &[u8]) -> (Result<u8, Error>, String) {
    serve_in(String::new(), tool, verb, stdin)
}

/// The same in an environment of these lines.
fn serve_in(
    environment: String,
    tool: &str,
    verb: Option<&str>,
    stdin: &[u8],
) -> (Result<u8, Error>, String) {
    let entry = PROTOCOLS.iter().find(|entry| entry.name == tool);
    let mut arguments = argument::Arguments::default();
    if let Some(verb) = verb {
        arguments.add_operand(verb.to_owned());
    }
    let mut stdout = Vec::new();
    let result = (entry.expect("it is there").serve)(
        &arguments,
        &mut Io {
            stdin: Box::new(std::io::Cursor::new(stdin.to_vec())),
            stdout: &mut stdout,
            stderr: &mut std::io::sink(),
            environment: &Variables(environment),
            signals: &World::default(),
        },
        &|_: &Request, _: Option<&dyn Terminal>| Ok(token()),
    );
    let stdout = String::from_utf8(stdout).expect("stdout is UTF-8");
    (result, stdout)
}

/// A line of JSON that is so long, and further members.
fn line_of(length: usize, members: &str) -> Vec<u8> {
    let mut line = format!("{{{members},\"x\":\"").into_bytes();
    line.resize(length - 2, b'a');
    line.extend(b"\"}");
    assert_eq!(line.len(), length);
    line.push(b'\n');
    line
}

#[test]
fn a_line_of_more_than_a_mebibyte_is_a_usage_answer_and_the_session_goes_on() {
    let cargo = "\"v\":1,\"registry\":{\"index-url\":\"sparse+https://x\"},\"kind\":\"get\"";
    for (tool, members) in [("serve", "\"kind\":\"get\""), ("cargo", cargo)] {
        for length in [1 << 20, (1 << 20) + 1, 3 << 20] {
            let mut stdin = line_of(length, members);
            stdin.extend(line_of(300, &format!("\"id\":2,{members}")));
            let (result, stdout) = serve(tool, None, &stdin);
            assert_eq!(result, Ok(0));
            let lines: Vec<&str> = stdout.lines().collect();
            assert_eq!(lines.len(), 3, "{tool} {length}: {stdout}");
            let fits = length <= 1 << 20;
            let first = lines[1];
            assert_eq!(
                first.starts_with("{\"Ok\""),
                fits,
                "{tool} {length}: {first}"
            );
            assert!(lines[2].contains("\"Ok\":{"), "{tool} {length}: {stdout}");
        }
    }
}

#[test]
fn more_than_a_mebibyte_of_git_is_refused_and_what_it_would_have_stored_is_read_away() {
    for (length, fits) in [(1 << 20, true), ((1 << 20) + 1, false), (3 << 20, false)] {
        let mut stdin = b"protocol=https\nhost=git.example\nlater=".to_vec();
        stdin.resize(length - 1, b'a');
        stdin.push(b'\n');
        let (result, stdout) = serve("git", Some("get"), &stdin);
        assert_eq!(result.is_ok(), fits, "{length}: {result:?}");
        assert_eq!(stdout.contains("password="), fits, "{length}: {stdout}");
        assert_eq!(serve("git", Some("store"), &stdin), (Ok(0), String::new()));
    }
}

#[test]
fn more_than_a_mebibyte_of_docker_is_refused_in_a_line() {
    let offered = "\"ServerURL\":\"a\",\"Username\":\"b\",\"Secret\":\"access-token\"";
    for (length, fits) in [(1 << 20, true), ((1 << 20) + 1, false), (3 << 20, false)] {
        let address = vec![b'a'; length];
        for (verb, stdin) in [
            ("get", address.clone()),
            ("erase", address),
            ("store", line_of(length - 1, offered)),
        ] {
            let (result, stdout) = serve("docker", Some(verb), &stdin);
            assert_eq!(result, Ok(u8::from(!fits)), "{verb} {length}");
            if !fits {
                assert_eq!(
                    stdout, "what stands on stdin is longer than 1 MiB\n",
                    "{verb}"
                );
            }
        }
    }
}

#[test]
fn a_mebibyte_in_the_variable_of_kubectl_is_read_and_none_of_it_comes_back() {
    let long = "a".repeat(1 << 20);
    for (member, is_good) in [
        (format!("\"later\":\"{long}\""), true),
        (
            format!("\"spec\":{{\"cluster\":{{\"server\":\"{long}\"}}}}"),
            true,
        ),
        (format!("\"apiVersion\":\"{long}\""), false),
        (format!("\"kind\":\"{long}\""), false),
        (format!("\"spec\":\"{long}\""), false),
        (long.clone(), false),
    ] {
        let line = format!("KUBERNETES_EXEC_INFO={{{member}}}\nCRED_HELPER_PROFILE=aks");
        let (result, stdout) = serve_in(line, "kubectl", None, &[]);
        let told = result.map_err(|error| error.message().to_owned());
        assert_eq!(told.is_ok(), is_good, "{}", &member[..20]);
        assert!(
            told.err().is_none_or(|error| error.len() < 3000),
            "{}",
            &member[..20]
        );
        assert!(stdout.len() < 300);
    }
}
