//! The main job with no account anywhere: `cargo run --example demo [-- --yes]`.
//!
//! A loopback authority on a free port, a profile for it, a sign-in with a device code (on a page
//! to approve it on, or approved at once with `--yes`), and from then on silence: a cached token,
//! a refresh. Everything of ours goes through the same `run` as the binary.

mod authority;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;

use cred_helper::context::Environment;
use cred_helper::io::Io;
use cred_helper::run;
use cred_helper::system::environment::ProcessEnvironment;
use cred_helper::system::signal::ProcessSignals;

/// The process' environment, but for what would lead the demo to real sessions or profiles.
struct DemoEnvironment<'a> {
    state: &'a Path,
}

impl Environment for DemoEnvironment<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "CRED_HELPER_STATE" => Some(self.state.display().to_string()),
            "CRED_HELPER_CONFIG" | "CRED_HELPER_PROFILE" | "CRED_HELPER_INTERACTIVE" | "CI" => None,
            _ => ProcessEnvironment.variable(name),
        }
    }

    fn is_set_to_nothing(&self, name: &str) -> bool {
        ProcessEnvironment.is_set_to_nothing(name)
    }
}

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the demo failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> io::Result<()> {
    let approve_at_once = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--yes") => true,
        Some(_) => return Err(io::Error::other("usage: demo [--yes]")),
    };
    let directory = tempfile::tempdir()?;
    let authority = authority::Authority::start(authority::Settings {
        approve_at_once,
        ..authority::Settings::default()
    })?;
    let config = directory.path().join("profiles.toml");
    let profile = format!(
        "[profiles.demo]\nclient_id = \"demo-client\"\nauthority = \"{}\"\nscopes = [\"demo\"]\n",
        authority.issuer()
    );
    std::fs::write(&config, &profile)?;
    let state = directory.path().join("state");
    let call = |line: &str| call(&config, &state, line);

    say(&format!(
        "An authority runs at {} with this profile:\n\n{profile}",
        authority.issuer()
    ));
    say("$ cred-helper login -p demo");
    call("login -p demo")?;

    say("\n$ cred-helper get -p demo        # silent: from the cache");
    let token = call("get -p demo")?;
    say(&token);

    say("The authority's resource takes it:");
    say(&ask(&authority.url("/resource"), token.trim())?);

    say("\n$ cred-helper get -p demo --force-refresh -o json        # silent: a refresh");
    say(&call("get -p demo --force-refresh -o json")?);

    say("$ cred-helper status");
    say(&call("status")?);
    say("$ cred-helper logout -p demo");
    call("logout -p demo")?;
    Ok(())
}

/// One call of the binary's `run`; its stdout.
fn call(config: &Path, state: &Path, line: &str) -> io::Result<String> {
    let mut arguments: Vec<OsString> = vec!["cred-helper".into()];
    arguments.extend(line.split(' ').map(OsString::from));
    arguments.extend(["--config".into(), config.into()]);
    let mut stdout = Vec::new();
    let code = run(
        arguments,
        Io {
            stdin: Box::new(io::empty()),
            stdout: &mut stdout,
            stderr: &mut io::stderr(),
            environment: &DemoEnvironment { state },
            signals: &ProcessSignals,
        },
    );
    if code != ExitCode::SUCCESS {
        return Err(io::Error::other(format!("`cred-helper {line}` failed")));
    }
    String::from_utf8(stdout).map_err(io::Error::other)
}

/// `GET url` with the token.
fn ask(url: &str, token: &str) -> io::Result<String> {
    let rest = url.trim_start_matches("http://");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Ok(body.to_owned())
}

fn say(text: &str) {
    // A closed stdout is no reason to fail.
    drop(writeln!(io::stdout(), "{text}"));
}
