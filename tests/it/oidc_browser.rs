//! Sign-ins with a browser: the real authority's pages, and those who come to the loopback port
//! uninvited.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::oidc_ground::{Ground, eventually, for_each};
use crate::support::InTerminal;

/// A program that writes down what it is to open.
const BROWSER: &str = "printf '%s' \"$1\" > page.part && mv page.part page\n";

/// A ground with a browser.
fn ground(options: Value, keys: &str) -> Ground {
    let keys = format!("client_id = \"cli\"\nscopes = [\"api:read\"]\n{keys}");
    let ground = Ground::with_profile(options, &keys);
    ground.sandbox.script("browser", BROWSER);
    ground
}

/// Runs a line at a terminal on a machine with a browser; the page that it opened.
fn open<'g>(ground: &'g Ground, line: &str) -> (InTerminal<'g>, Url) {
    let page = ground.sandbox.path().join("page");
    drop(fs::remove_file(&page));
    let terminal = ground
        .sandbox
        .in_terminal(&format!("BROWSER=browser {line}"));
    eventually("the browser opens", || page.exists());
    let url = fs::read_to_string(&page).expect("it was written whole");
    (terminal, Url::parse(&url).expect("it is a URL"))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut found = url.query_pairs().filter(|(own, _)| own == name);
    let value = found.next().map(|(_, value)| value.into_owned());
    assert_eq!(found.next(), None, "{name} comes twice");
    value
}

#[test]
fn a_browser_signs_in_on_each_loopback_address_and_then_all_is_silent() {
    for_each(
        [
            ("", "127.0.0.1", "/"),
            (
                "grant = { type = \"authorization_code\", redirect_uri = \"http://localhost\" }\n",
                "localhost",
                "/",
            ),
            (
                "grant = { type = \"authorization_code\", redirect_uri = \"http://[::1]/callback\" }\n",
                "[::1]",
                "/callback",
            ),
        ],
        |(keys, host, path)| {
            let ground = ground(json!({}), keys);
            let (terminal, page) = open(&ground, "cred-helper get -o json >answer");
            let redirect = parameter(&page, "redirect_uri").expect("it is there");
            let redirect = Url::parse(&redirect).expect("it is a URL");
            assert_eq!((redirect.host_str(), redirect.path()), (Some(host), path));
            assert_eq!(parameter(&page, "response_type").as_deref(), Some("code"));
            let method = parameter(&page, "code_challenge_method");
            assert_eq!(method.as_deref(), Some("S256"));
            for (name, length) in [("state", 43), ("nonce", 43), ("code_challenge", 43)] {
                let value = parameter(&page, name).unwrap_or_default();
                assert_eq!(value.len(), length, "{name}: {value}");
            }
            ground.authority.approve(Some(page.as_str()), "ada");
            let shown = terminal.wait();
            assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
            ground.learn();
            let answer: Value = serde_json::from_str(&ground.read("answer")).expect("it is JSON");
            assert_eq!(answer["source"], "authorization_code");
            assert_eq!(answer["account"], "ada@example.test");
            ground.sandbox.scan("the terminal", &shown);
            let requests = ground.authority.requests();
            assert_eq!(requests.token("authorization_code"), 1, "{requests:?}");
            assert_eq!(requests.device_authorization, 0, "{requests:?}");
            assert_eq!(ground.get_json(&[])["source"], "cache");
            ground.expire();
            assert_eq!(ground.get_json(&[])["source"], "refresh");
        },
    );
}

#[test]
fn whoever_says_no_in_the_browser_is_denied() {
    let ground = ground(json!({}), "");
    let (terminal, page) = open(&ground, "cred-helper get 2>errors");
    ground.authority.deny(Some(page.as_str()), "ada");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("access_denied"), "{errors}");
    assert!(ground.status()["asked_again_after"].is_string());
}

#[test]
fn without_a_browser_or_where_it_is_asked_for_a_code_is_shown() {
    for line in [
        "CRED_HELPER_BROWSER=none cred-helper login",
        "BROWSER=browser SSH_TTY= cred-helper login --no-browser",
        "BROWSER=browser cred-helper login --grant device_code",
        "DISPLAY=:0 SSH_CONNECTION='a b' cred-helper login",
        "BROWSER=nowhere cred-helper login",
        "cred-helper login",
    ] {
        let ground = ground(json!({}), "");
        let terminal = ground.sandbox.in_terminal(line);
        ground.authority.approve(None, "ada");
        let shown = terminal.wait();
        assert!(shown.contains("enter the code"), "{line}: {shown}");
        assert!(!ground.sandbox.path().join("page").exists(), "{line}");
    }
}

/// Sends bytes to the port of a redirect URI; the status of the answer, and all of it.
fn send(redirect: &Url, request: &[u8]) -> (u16, String) {
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

#[test]
fn uninvited_visitors_are_sent_away_and_end_no_sign_in() {
    let ground = ground(json!({}), "");
    let (terminal, page) = open(&ground, "cred-helper get >answer");
    let redirect = parameter(&page, "redirect_uri").expect("it is there");
    let redirect = Url::parse(&redirect).expect("it is a URL");
    let state = parameter(&page, "state").expect("it is there");
    let host = format!("127.0.0.1:{}", redirect.port().expect("it has one"));
    let iss = ground.authority.issuer();
    // Those who are slow hold up nobody.
    let mut slow: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(&host).expect("somebody listens"))
        .collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HT").expect("it is read");
    }
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let long = "a".repeat(100_000);
    let form = "Content-Type: application/x-www-form-urlencoded";
    for (request, expected) in [
        (get("/"), 400),
        (get("/favicon.ico"), 404),
        (get("/?code=evil"), 400),
        (get("/?code=evil&state=evil"), 400),
        (get(&format!("/?code=evil&state={}", &state[1..])), 400),
        (get(&format!("/?code=a&code=b&state={state}")), 400),
        (get(&format!("/?state={state}&iss={iss}")), 400),
        (get(&format!("/?code=&state={state}&iss={iss}")), 400),
        (get(&format!("/other?code=evil&state={state}")), 404),
        (get(&format!("/?{long}")), 431),
        (
            format!("GET /?code=evil&state={state} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            421,
        ),
        (
            format!("GET /?code=evil&state={state} HTTP/1.1\r\n\r\n"),
            421,
        ),
        (
            format!(
                "GET /?code=evil&state={state} HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n"
            ),
            400,
        ),
        (
            format!("PUT /?code=evil&state={state} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            405,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: {host}\r\n{form}\r\nContent-Length: 1000000000\r\n\r\ncode"
            ),
            413,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: {host}\r\n{form}\r\nContent-Length: 20\r\n\r\ncode=evil&state=evil"
            ),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: {host}\r\n{form}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            411,
        ),
        (
            format!(
                "POST /?code=evil&state={state} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
            ),
            405,
        ),
        ("\u{16}\u{3}\u{1} TLS\r\n\r\n".to_owned(), 400),
    ] {
        let (status, answer) = send(&redirect, request.as_bytes());
        let begin: String = request.chars().take(80).collect();
        assert_eq!(status, expected, "{begin}: {answer}");
        assert!(!answer.contains("evil"), "{answer}");
        assert!(answer.contains("default-src 'none'"), "{answer}");
    }
    ground.authority.approve(Some(page.as_str()), "ada");
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert_eq!(ground.read("answer").trim_end(), ground.get(&[]));
    assert!(
        TcpStream::connect(&host).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn an_answer_of_another_issuer_ends_the_sign_in_and_nothing_is_redeemed() {
    let ground = ground(json!({}), "");
    for (iss, expected) in [
        ("&iss=https%3A%2F%2Fevil.example", "https://evil.example"),
        ("", "does not name the issuer"),
    ] {
        let (terminal, page) = open(&ground, "cred-helper login 2>errors");
        let redirect = parameter(&page, "redirect_uri").expect("it is there");
        let redirect = Url::parse(&redirect).expect("it is a URL");
        let state = parameter(&page, "state").expect("it is there");
        let host = format!("127.0.0.1:{}", redirect.port().expect("it has one"));
        let request =
            format!("GET /?code=evil&state={state}{iss} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(send(&redirect, request.as_bytes()).0, 200);
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(5), "{shown}");
        let errors = ground.read("errors");
        assert!(errors.contains(expected), "{errors}");
        let requests = ground.authority.requests();
        assert_eq!(requests.token("authorization_code"), 0, "{requests:?}");
    }
}

#[test]
fn nobody_who_comes_back_in_time_means_that_a_login_is_required() {
    let keys = "grant = { type = \"authorization_code\", timeout = \"1s\" }\n";
    let ground = ground(json!({}), keys);
    let (terminal, _) = open(&ground, "cred-helper get 2>errors");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(4), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("nobody came back"), "{errors}");
    assert!(errors.contains("cred-helper login -p api"), "{errors}");
}

#[test]
fn ctrl_c_ends_a_sign_in_with_a_browser() {
    let ground = ground(json!({}), "");
    let (terminal, _) = open(
        &ground,
        "timeout -s INT 1 cred-helper get 2>errors; echo code $?",
    );
    let shown = terminal.wait();
    assert!(
        shown.contains("code 124") || shown.contains("code 130"),
        "{shown}"
    );
    let errors = ground.read("errors");
    assert!(errors.contains("interrupted"), "{errors}");
}

#[test]
fn ten_at_once_open_one_page() {
    let ground = ground(json!({}), "");
    let line = "for i in 1 2 3 4 5 6 7 8 9 10; do cred-helper get >answer$i & done; wait";
    let (terminal, page) = open(&ground, &format!("BROWSER=browser; export BROWSER; {line}"));
    ground.authority.approve(Some(page.as_str()), "ada");
    let shown = terminal.wait();
    ground.learn();
    assert_eq!(shown.matches("Signed in as").count(), 1, "{shown}");
    let token = ground.get(&[]);
    for number in 1..=10 {
        assert_eq!(ground.read(&format!("answer{number}")).trim_end(), token);
    }
    let requests = ground.authority.requests();
    assert_eq!(requests.token("authorization_code"), 1, "{requests:?}");
}
