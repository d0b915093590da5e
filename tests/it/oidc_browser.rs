//! Sign-ins with a browser: the real authority's pages, and those who come to the loopback port
//! uninvited.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use crate::browser_ground::{
    address_in, finish, free_port, install, open, parameter, redirect, send,
};
use crate::oidc_ground::{Ground, eventually, for_each};

/// A ground with a browser.
fn ground(options: Value, keys: &str) -> Ground {
    let keys = format!("client_id = \"cli\"\nscopes = [\"api:read\"]\n{keys}");
    let ground = Ground::with_profile(options, &keys);
    install(&ground.sandbox);
    ground
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
            let (terminal, page) = open(&ground.sandbox, "cred-helper get -o json >answer");
            let (redirect, _) = redirect(&page);
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
    let (terminal, page) = open(&ground.sandbox, "cred-helper get 2>errors");
    ground.authority.deny(Some(page.as_str()), "ada");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("access_denied"), "{errors}");
    assert!(
        errors.contains("run `cred-helper login -p api`"),
        "{errors}"
    );
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
        "DISPLAY=:0 CI=true cred-helper login --interactive always",
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

#[test]
fn who_asks_is_told_what_was_found_of_a_browser_and_so_why_a_way_was_taken() {
    let browser = "`authorization_code`: there is a browser: ";
    let none = "`device_code`: no browser: ";
    for_each(
        [
            ("BROWSER=browser", browser, "`browser`, BROWSER"),
            ("DISPLAY=:7", browser, "`xdg-open`, display `:7`"),
            ("SSH_TTY=x DISPLAY=:7", none, "this is SSH (SSH_TTY is set)"),
            ("container=podman", none, "this is a container ("),
            (
                "CRED_HELPER_BROWSER=none",
                none,
                "CRED_HELPER_BROWSER is `none`",
            ),
        ],
        |(variables, way, found)| {
            let ground = ground(json!({}), "");
            ground.sandbox.script("xdg-open", "exec browser \"$1\"\n");
            let line = format!("{variables} cred-helper login -v 2>errors");
            let terminal = ground.sandbox.in_terminal(&line);
            let page = (way == browser).then(|| {
                let path = ground.sandbox.path().join("page");
                eventually("the browser opens", || path.exists());
                ground.read("page")
            });
            ground.authority.approve(page.as_deref(), "ada");
            terminal.wait();
            let errors = ground.read("errors");
            let expected = format!("debug: the sign-in is by {way}{found}");
            assert!(errors.contains(&expected), "{errors}");
        },
    );
}

#[test]
fn uninvited_visitors_are_sent_away_and_end_no_sign_in() {
    let ground = ground(json!({}), "");
    let (terminal, page) = open(&ground.sandbox, "cred-helper get >answer");
    let (redirect, host) = redirect(&page);
    let state = parameter(&page, "state").expect("it is there");
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
fn whoever_crowds_the_port_is_sent_away_in_time() {
    let ground = ground(json!({}), "");
    let (terminal, page) = open(&ground.sandbox, "cred-helper get >answer");
    let (redirect, host) = redirect(&page);
    let come = |_| TcpStream::connect(&host).expect("somebody listens");
    // They say nothing.
    let mut crowd: Vec<TcpStream> = (0..40).map(come).collect();
    let get = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let (status, answer) = send(&redirect, get.as_bytes());
    assert_eq!(status, 0, "there is no room for one more: {answer}");
    // Room is made without any of them leaving.
    let patience = Some(Duration::from_secs(30));
    crowd[0].set_read_timeout(patience).expect("it can be set");
    let end = crowd[0].read_to_end(&mut Vec::new());
    assert!(end.is_ok(), "it is let go: {end:?}");
    eventually("there is room", || send(&redirect, get.as_bytes()).0 == 400);
    ground.authority.approve(Some(page.as_str()), "ada");
    terminal.wait();
}

#[test]
fn localhost_is_listened_to_at_both_addresses_or_not_at_all() {
    let ours = ground(json!({}), "");
    let theirs = TcpListener::bind("[::1]:0").expect("there is IPv6");
    let port = theirs.local_addr().expect("it has one").port();
    let uri = format!("http://localhost:{port}");
    ours.set_profile(&format!(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\n\
         grant = {{ type = \"authorization_code\", redirect_uri = \"{uri}\", \
         timeout = \"1s\" }}\n"
    ));
    let line = "BROWSER=browser cred-helper get 2>errors";
    let (code, shown) = ours.sandbox.in_terminal(line).end();
    assert_eq!(code, Some(6), "{shown}");
    let errors = ours.read("errors");
    assert!(errors.contains(&format!("at localhost:{port}")), "{errors}");
    assert!(!ours.sandbox.path().join("page").exists());
}

#[test]
fn an_answer_of_another_issuer_ends_the_sign_in_and_nothing_is_redeemed() {
    let ground = ground(json!({}), "");
    for (iss, expected) in [
        ("&iss=https%3A%2F%2Fevil.example", "https://evil.example"),
        ("", "does not name the issuer"),
    ] {
        let (terminal, page) = open(&ground.sandbox, "cred-helper login 2>errors");
        let (redirect, host) = redirect(&page);
        let state = parameter(&page, "state").expect("it is there");
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
    let (terminal, _) = open(&ground.sandbox, "cred-helper get 2>errors");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(4), "{shown}");
    let errors = ground.read("errors");
    assert!(errors.contains("nobody came back"), "{errors}");
    assert!(errors.contains("cred-helper login -p api"), "{errors}");
}

#[test]
fn a_sign_in_runs_out_however_many_visitors_come() {
    let keys = "grant = { type = \"authorization_code\", timeout = \"1s\" }\n";
    let ground = ground(json!({}), keys);
    let (terminal, page) = open(&ground.sandbox, "cred-helper get 2>errors");
    let (_, host) = redirect(&page);
    // They ask, are answered, and do not go away: whether somebody listened to the last of them.
    let come = || {
        let mut staying: VecDeque<TcpStream> = VecDeque::new();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            let Ok(mut visitor) = TcpStream::connect(&host) else {
                return false;
            };
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            visitor.write_all(request.as_bytes()).ok();
            visitor.read_to_end(&mut Vec::new()).ok();
            staying.push_back(visitor);
            if staying.len() > 8 {
                staying.pop_front();
            }
        }
        true
    };
    let is_left = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..4).map(|_| scope.spawn(come)).collect();
        let ended = visitors.into_iter().map(|one| one.join());
        ended.fold(false, |any, one| any | one.expect("it ends"))
    });
    assert!(!is_left, "the sign-in goes on");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(4), "{shown}");
}

#[test]
fn ctrl_c_ends_a_sign_in_with_a_browser() {
    let ground = ground(json!({}), "");
    let (terminal, _) = open(
        &ground.sandbox,
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
fn a_program_shows_each_sign_in_and_the_port_is_free_again_for_the_next() {
    let uri = format!("http://127.0.0.1:{}/", free_port());
    let ground = ground(
        json!({}),
        &format!("grant = {{ type = \"authorization_code\", redirect_uri = \"{uri}\" }}\n"),
    );
    let path = |name: &str| ground.sandbox.path().join(name);
    let requests = "{\"id\":1,\"kind\":\"login\"}\n{\"id\":2,\"kind\":\"login\"}\n";
    fs::write(path("requests"), requests).expect("it can be written");
    let (terminal, first) = open(&ground.sandbox, "cred-helper serve <requests >answers");
    fs::remove_file(path("page")).expect("it is there");
    ground.authority.approve(Some(first.as_str()), "ada");
    eventually("the browser opens again", || path("page").exists());
    let second = ground.read("page");
    ground.authority.approve(Some(&second), "ada");
    let shown = terminal.wait();
    assert_eq!(shown, "", "the program shows what is to be shown");
    let answers = ground.read("answers");
    let mut answers = answers.lines().skip(1);
    for (id, page) in [(1, first.as_str()), (2, second.as_str())] {
        for said in [page, "Signed in as ada@example.test", "\"Ok\""] {
            let line = answers.next().expect("there is one more");
            assert!(line.contains(&format!("\"id\":{id}")), "{line}");
            assert!(line.contains(said), "{said}: {line}");
        }
    }
    assert_eq!(answers.next(), None);
}

#[test]
fn ten_at_once_open_one_page() {
    let ground = ground(json!({}), "");
    let line = "for i in 1 2 3 4 5 6 7 8 9 10; do cred-helper get >answer$i & done; wait";
    let (terminal, page) = open(
        &ground.sandbox,
        &format!("BROWSER=browser; export BROWSER; {line}"),
    );
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

#[test]
fn where_the_browser_is_another_machine_s_its_last_address_is_pasted() {
    let ground = ground(json!({}), "grant = \"authorization_code\"\n");
    let (terminal, mut keyboard) = ground
        .sandbox
        .with_keyboard("SSH_TTY=/dev/pts/0 cred-helper get >answer; stty -a >mode");
    let mut page = None;
    eventually("the page is shown", || {
        page = address_in(&keyboard.sees());
        page.is_some()
    });
    let address = ground
        .authority
        .copy_address(&page.expect("it was shown"), "ada");
    let number = |text: &str| text.matches("That is not the answer").count();
    for (wrong, count) in [
        ("what now?\n", 1),
        ("http://127.0.0.1/\n", 2),
        (&format!("{}x\n", address.replace("state=", "state=x")), 3),
    ] {
        keyboard.type_in(wrong);
        eventually("it is refused", || number(&keyboard.sees()) == count);
    }
    // Longer than a terminal keeps by itself.
    let long = format!("{address}&session_state={}\n", "a".repeat(6000));
    keyboard.type_in(&long);
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    let shown = keyboard.sees();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert_eq!(ground.read("answer").trim_end(), ground.get(&[]));
    let mode = ground.read("mode");
    assert!(
        mode.contains(" icanon"),
        "the terminal is as before: {mode}"
    );
}

#[test]
fn whatever_it_is_at_ctrl_c_leaves_the_terminal_as_it_was() {
    let ground = ground(json!({}), "grant = \"authorization_code\"\n");
    let (terminal, mut keyboard) = ground.sandbox.with_keyboard(
        "trap : INT; SSH_TTY=/dev/pts/0 cred-helper get 2>errors; echo code $?; stty -a >mode",
    );
    let mut page = None;
    eventually("the page is shown", || {
        page = address_in(&keyboard.sees());
        page.is_some()
    });
    let page = Url::parse(&page.expect("it was shown")).expect("it is a URL");
    let (_, host) = redirect(&page);
    // Who does not go away is something to be at.
    let mut visitors: Vec<TcpStream> = Vec::new();
    for _ in 0..8 {
        let mut visitor = TcpStream::connect(&host).expect("somebody listens");
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        visitor.write_all(request.as_bytes()).expect("it is read");
        visitors.push(visitor);
    }
    for visitor in &mut visitors[..2] {
        let mut answer = [0; 12];
        visitor.read_exact(&mut answer).expect("it is answered");
        assert_eq!(&answer, b"HTTP/1.1 400");
    }
    keyboard.type_in("\u{3}");
    let (_, shown) = terminal.end();
    assert!(keyboard.sees().contains("code 130"), "{shown}");
    let mode = ground.read("mode");
    assert!(mode.contains(" icanon"), "{mode}");
    let errors = ground.read("errors");
    assert!(errors.contains("interrupted"), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_is_not_for_the_browser_that_was_started() {
    let ground = ground(json!({}), "");
    let lines = "cut -d ' ' -f 1,5 /proc/$$/stat >group\nprintf '%s' \"$1\" >page.part\n\
                 mv page.part page\n";
    ground.sandbox.script("browser", lines);
    let (terminal, page) = open(&ground.sandbox, "cred-helper get >answer");
    // A process, and the group that it is in.
    let group = ground.read("group");
    let (process, group) = group.trim_end().split_once(' ').expect("two numbers");
    assert_eq!(process, group, "it has a group of its own");
    ground.authority.approve(Some(page.as_str()), "ada");
    terminal.wait();
}

#[test]
fn a_sign_in_that_was_stopped_and_goes_on_still_hears_the_browser() {
    let ground = ground(json!({}), "grant = \"authorization_code\"\n");
    let (terminal, mut keyboard) = ground.sandbox.with_keyboard(
        "set -m; SSH_TTY=/dev/pts/0 cred-helper get >answer; \
         stty sane; touch stopped; fg; stty -a >mode",
    );
    let mut page = None;
    eventually("the page is shown", || {
        page = address_in(&keyboard.sees());
        page.is_some()
    });
    let page = page.expect("it was shown");
    keyboard.type_in("\u{1a}");
    let stopped = ground.sandbox.path().join("stopped");
    eventually("the shell goes on", || stopped.exists());
    ground.authority.approve(Some(page.as_str()), "ada");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(ground.read("answer").trim_end(), ground.get(&[]));
    let mode = ground.read("mode");
    assert!(mode.contains(" icanon"), "{mode}");
}

#[test]
fn a_sign_in_in_two_calls_wants_the_answer_to_the_first() {
    let ground = ground(json!({}), "");
    let start = || {
        let page = ground.run(&["login", "--start"]).ok();
        page.trim_end().to_owned()
    };
    let finish = |answer: &str| ground.run_command(finish(&ground.sandbox, answer));
    let none = finish("http://127.0.0.1/?code=x&state=y").failed(4);
    assert!(none.contains("cred-helper login -p api --start"), "{none}");

    let earlier = ground.authority.copy_address(&start(), "ada");
    let page = start();
    let redirect = parameter(&Url::parse(&page).expect("it is a URL"), "redirect_uri");
    assert_eq!(redirect.as_deref(), Some("http://127.0.0.1/"));
    let kept = &ground.session()["content"]["sign_in"]["begun"]["kept"];
    let kept: Value = serde_json::from_str(kept.as_str().expect("it is there")).expect("JSON");
    let verifier = kept["verifier"].as_str().expect("it is there").to_owned();
    let address = ground.authority.copy_address(&page, "ada");
    for wrong in [
        "",
        "what now?",
        "yes",
        &earlier,
        &address.replace("code=", "x="),
    ] {
        finish(wrong).failed(2);
    }
    let said = finish(&address);
    assert!(
        said.stderr.contains("Signed in as ada@example.test"),
        "{said:?}"
    );
    said.ok();
    let row = ground.get_json(&[]);
    assert_eq!(
        (&row["source"], &row["account"]),
        (&json!("cache"), &json!("ada@example.test"))
    );
    // Whoever reads the log can neither finish it nor have it finished.
    let log = fs::read_to_string(ground.sandbox.log()).expect("there is a log");
    assert!(log.contains("/token"), "{log}");
    let url = Url::parse(&address).expect("it is a URL");
    let brought = ["code", "state"].map(|name| parameter(&url, name).expect("it is there"));
    for secret in brought.iter().chain([&verifier]) {
        assert!(!log.contains(secret), "{log}");
    }
    // What was begun is over.
    finish(&address).failed(4);
    assert_eq!(ground.get_json(&[])["source"], "cache", "nothing was lost");

    // What the authority refused is over too: no other answer makes it good.
    let page = start();
    finish(&"no-code-of-this-authority".repeat(2)).failed(4);
    let late = ground.authority.copy_address(&page, "ada");
    let none = finish(&late).failed(4);
    assert!(none.contains("no sign-in was begun"), "{none}");
    let denied = format!("{}&error=access_denied", late.replace("code=", "x="));
    start();
    finish(&denied).failed(2);
    let page = Url::parse(&start()).expect("it is a URL");
    let state = parameter(&page, "state").expect("it is there");
    let iss = ground.authority.issuer();
    let denied = format!("http://127.0.0.1/?error=access_denied&state={state}&iss={iss}");
    finish(&denied).failed(5);
    finish(&denied).failed(4);

    // Trouble decides nothing.
    let address = ground.authority.copy_address(&start(), "ada");
    ground
        .authority
        .fault(json!({ "on": "token", "fault": "status" }));
    finish(&address).failed(6);
    finish(&address).ok();

    // The code alone does, and no refusal to it counts for another.
    let address = ground.authority.copy_address(&start(), "ada");
    let code = parameter(&Url::parse(&address).expect("it is a URL"), "code");
    finish(&code.expect("it is there")).ok();

    // Nobody keeps a page open for more than an hour.
    let address = ground.authority.copy_address(&start(), "ada");
    let mut session = ground.session();
    let at = &mut session["content"]["sign_in"]["begun"]["at"];
    *at = json!(at.as_i64().expect("it is a time") - 3600);
    ground.write_session(&session);
    let late = finish(&address).failed(4);
    assert!(late.contains("too long ago"), "{late}");
}

#[test]
fn a_grant_without_two_steps_is_a_mistake_of_whoever_chose_it() {
    for (keys, arguments, code) in [
        ("", &["--grant", "device_code"][..], 2),
        ("grant = \"device_code\"\n", &[], 3),
    ] {
        let ground = ground(json!({}), keys);
        let line = [&["login", "--start"], arguments].concat();
        let said = ground.run(&line).failed(code);
        assert!(said.contains("which has no two steps"), "{said}");
        assert!(said.contains("add `--grant authorization_code`"), "{said}");
    }
}

#[test]
fn a_person_elsewhere_who_refuses_or_is_another_changes_nothing() {
    let ground = ground(json!({}), "");
    ground.sign_in("ada");
    let before = ground.session()["content"]["accounts"].clone();
    let page = ground
        .run(&["login", "--start", "--account", "bob@example.test"])
        .ok();
    let address = ground.authority.copy_address(page.trim_end(), "eve");
    fs::write(ground.sandbox.path().join("pasted"), address).expect("it can be written");
    let terminal = ground
        .sandbox
        .in_terminal("cred-helper login --finish <pasted 2>errors");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    let errors = ground.read("errors");
    assert!(
        errors.contains("the sign-in was as `eve@example.test`"),
        "{errors}"
    );
    assert_eq!(ground.session()["content"]["accounts"], before);
}
