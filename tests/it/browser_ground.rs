//! A browser that only writes down what it is to open, and those who come to the loopback port: what
//! the tests of sign-ins with a browser share.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use url::Url;

use crate::oidc_ground::eventually;
use crate::support::{InTerminal, Sandbox};

/// Gives the sandbox a program that writes down what it is to open.
pub(crate) fn install(sandbox: &Sandbox) {
    sandbox.script(
        "browser",
        "printf '%s' \"$1\" > page.part && mv page.part page\n",
    );
}

/// Runs a line at a terminal on a machine with that browser; the page that it opened.
pub(crate) fn open<'s>(sandbox: &'s Sandbox, line: &str) -> (InTerminal<'s>, Url) {
    let page = sandbox.path().join("page");
    drop(fs::remove_file(&page));
    let terminal = sandbox.in_terminal(&format!("BROWSER=browser {line}"));
    eventually("the browser opens", || page.exists());
    let url = fs::read_to_string(&page).expect("it was written whole");
    (terminal, Url::parse(&url).expect("it is a URL"))
}

/// The second of two calls, which is given what somebody copied.
pub(crate) fn finish(sandbox: &Sandbox, answer: &str) -> Command {
    fs::write(sandbox.path().join("pasted"), answer).expect("it can be written");
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    command
        .env("PATH", sandbox.path_with_links())
        .args(["-c", "cred-helper login --finish <pasted"]);
    command
}

/// A parameter of a URL, which it has once at most.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut found = url.query_pairs().filter(|(own, _)| own == name);
    let value = found.next().map(|(_, value)| value.into_owned());
    assert_eq!(found.next(), None, "{name} comes twice");
    value
}

/// The redirect URI that a page was opened with, and the `Host` header of whoever comes there.
pub(crate) fn redirect(page: &Url) -> (Url, String) {
    let redirect = parameter(page, "redirect_uri").expect("it is there");
    let redirect = Url::parse(&redirect).expect("it is a URL");
    let (host, port) = (redirect.host_str(), redirect.port());
    let host = format!(
        "{}:{}",
        host.expect("it has one"),
        port.expect("it has one")
    );
    (redirect, host)
}

/// A port that is free, and that no program is given that asks for any.
pub(crate) fn free_port() -> u16 {
    /// Where no system begins to give ports away.
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run side by side begin elsewhere.
    let own = u16::try_from(process::id() % u32::from(COUNT)).expect("it is less");
    let mut ports = (0..COUNT).map(|_| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        FIRST + own.wrapping_add(next) % COUNT
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("a port is free")
}

/// Sends bytes to the port of a redirect URI; the status of the answer, and all of it.
pub(crate) fn send(redirect: &Url, request: &[u8]) -> (u16, String) {
    let port = redirect.port().expect("it has one");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("it can be set");
    // Whoever is refused may have the connection closed before all is sent.
    stream.write_all(request).ok();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or_default(), answer)
}

/// The address that a text names, on a line of its own.
pub(crate) fn address_in(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    let found = lines.find(|line| line.starts_with("http") && line.contains("client_id="));
    found.map(String::from)
}
