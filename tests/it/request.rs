//! `request`, at a server that has each token judged by the authority that gave it.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::Ground;
use crate::scene::{Scene, profile};
use crate::support::{Ran, Sandbox};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A server that answers whoever comes with a good token, one that nobody may come to, and a home whose
/// profile is for the first.
struct RequestGround {
    ground: Ground,
    server: HttpServer,
    elsewhere: HttpServer,
}

impl RequestGround {
    fn new(
        options: Value,
        answer: impl Fn(&Request, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let ground = Ground::new(options);
        let judge = ground.authority.judge();
        let elsewhere = HttpServer::start(|_| Answer::new(200, "mine"));
        let address = elsewhere.address().to_owned();
        let server = HttpServer::start(move |request| match request.authorization() {
            ("Bearer", token) if judge(token) => answer(request, &address),
            _ => Answer::challenge(&[
                "Bearer error=\"invalid_token\", error_description=\"it is none\"",
            ]),
        });
        let this = Self {
            ground,
            server,
            elsewhere,
        };
        this.set_profile(&format!("urls = [\"{}\"]\n", this.server.url("/")));
        this
    }

    fn set_profile(&self, keys: &str) {
        let profile = format!("client_id = \"cli\"\nscopes = [\"api:read\"]\n{keys}");
        self.ground.set_profile(&profile);
    }

    /// `request` with further words, for a path of the server.
    fn run(&self, path: &str, words: &[&str]) -> Ran {
        let url = self.server.url(path);
        self.ground
            .run(&[&["request", url.as_str()], words].concat())
    }
}

/// Answers with the method, some headers, and the body that came.
fn echo(request: &Request, _: &str) -> Answer {
    let told = json!({
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "type": request.header("content-type"),
        "x-a": request.header("x-a"),
        "length": request.body.len(),
        "body": String::from_utf8_lossy(&request.body[..request.body.len().min(100)]),
    });
    Answer::new(200, told.to_string()).with(JSON.0, JSON.1)
}

#[test]
fn the_whole_job_of_a_sample_is_one_command() {
    let me = "{\"displayName\":\"Ada\",\"id\":1.0,\"about\":\"\u{1b}[2J\"}";
    let ground = RequestGround::new(json!({ "jwt": true }), move |request, _| {
        match request.path.as_str() {
            "/v1.0/me" => {
                Answer::new(200, me).with(JSON.0, "application/json; odata.metadata=minimal")
            }
            _ => echo(request, ""),
        }
    });
    ground.set_profile(&format!(
        "endpoint = \"{}\"\n",
        ground.server.url("/v1.0/me")
    ));
    // Signs in, calls, and shows: JSON indented, in its own order, and nothing that clears the screen.
    let shown = ground.ground.shell_as_ada("NO_COLOR=1 cred-helper request");
    let expected = "{\r\n  \"displayName\": \"Ada\",\r\n  \"id\": 1.0,\r\n  \"about\": \"\\u001b[2J\"\r\n}\r\n";
    assert!(shown.ends_with(expected), "{shown}");
    // In a pipe it is byte for byte what came.
    assert_eq!(ground.ground.run(&["request"]).ok(), me);
    // A path is one of the same host, and the endpoint names itself and what is below.
    let run = |words: &[&str]| ground.ground.run(&[&["request"], words].concat());
    assert_eq!(run(&["/v1.0/me/messages?$top=1"]).json()["query"], "$top=1");
    ground.server.reset();
    for other in ["/v1.0/users", "/v1.0/mess", "/v1.0/me/../users", "/"] {
        let error = run(&[other]).failed(8);
        assert!(
            error.contains("`profiles.api`") || error.contains("no token goes"),
            "{error}"
        );
    }
    assert!(ground.server.requests().is_empty(), "nothing was sent");
    // It is `request`'s alone.
    let url = ground.server.url("/v1.0/me");
    ground.ground.run(&["get", "--url", &url]).failed(8);
    run(&[&url]).ok();
}

#[test]
fn a_token_goes_only_where_the_profile_names() {
    let ground = RequestGround::new(json!({}), |request, elsewhere| {
        let other = format!("http://{elsewhere}/next?page=2");
        match request.path.as_str() {
            "/moved" => Answer::new(307, "gone").with("Location", &other),
            "/near" => Answer::new(302, "").with("Location", "/here"),
            "/odata" => Answer::new(
                200,
                json!({ "value": [1], "@odata.nextLink": other }).to_string(),
            ),
            "/link" => Answer::new(200, "[1]").with("Link", &format!("<{other}>; rel=\"next\"")),
            "/api/up" => Answer::new(200, "[1]").with("Link", "</other>; rel=\"next\""),
            _ => echo(request, ""),
        }
    });
    ground.ground.sign_in("ada");
    let elsewhere = ground.elsewhere.url("/");
    let error = ground
        .ground
        .run(&["request", "-p", "api", &elsewhere])
        .failed(8);
    let hint = format!("hint: add `{elsewhere}` to `urls` of `profiles.api`");
    assert!(error.contains(&hint), "{error}");
    // What it leads to is said, and not followed, with the token or without.
    let ran = ground.run("/moved", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(10), "gone"));
    let told = format!("leads to `{}next`", elsewhere);
    assert!(
        ran.stderr.contains(&told) && !ran.stderr.contains("page=2"),
        "{}",
        ran.stderr
    );
    ground.run("/near", &[]).failed(10);
    for path in ["/odata", "/link"] {
        let ran = ground.run(path, &["--paginate"]);
        assert_eq!(ran.code, Some(8), "{ran:?}");
        assert!(ran.stderr.contains("at another host"), "{}", ran.stderr);
    }
    // A URL that the profile names twice is one reason.
    let named = ground.server.url("/");
    for keys in [
        format!("endpoint = \"{named}\"\nurls = [\"{named}\"]\n"),
        format!("urls = [\"{named}\", \"{named}\"]\n"),
    ] {
        ground.set_profile(&keys);
        let line = ["request", "-p", "api", &elsewhere];
        let error = ground.ground.run(&line).failed(8);
        assert_eq!(error.matches("caused by: ").count(), 1, "{error}");
    }
    // The same host is not enough.
    ground.set_profile(&format!("urls = [\"{}\"]\n", ground.server.url("/api")));
    let ran = ground.run("/api/up", &["--paginate"]);
    assert_eq!(ran.code, Some(8), "{ran:?}");
    assert!(ground.elsewhere.requests().is_empty());
    let paths: Vec<String> = ground
        .server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/moved", "/near", "/odata", "/link", "/api/up"]);
    // The profile may also leave it to others.
    ground.set_profile(&format!(
        "urls = [\"{}\"]\ntools = [\"get\"]\n",
        ground.server.url("/")
    ));
    let error = ground.run("/", &[]).failed(8);
    assert!(error.contains("may not be used by `request`"), "{error}");
    assert_eq!(ground.server.requests().len(), 5);
}

#[test]
fn method_headers_and_body_are_sent_as_they_were_given() {
    let ground = RequestGround::new(json!({}), echo);
    ground.ground.sign_in("ada");
    let file = |name: &str| ground.ground.sandbox.path().join(name);
    fs::write(file("text"), "a: b\n").expect("it can be written");
    let large = "x".repeat(17 * 1024 * 1024);
    fs::write(file("large"), &large).expect("it can be written");
    for (words, expected) in [
        (&[][..], ["GET", "", "", "0", ""]),
        (
            &["-d", "{\"a\":1}"],
            ["POST", "application/json", "", "7", "{\"a\":1}"],
        ),
        (
            &[
                "-X",
                "PATCH",
                "-d",
                "[]",
                "-H",
                "Content-Type: a/b",
                "-H",
                "X-A: y",
            ],
            ["PATCH", "a/b", "y", "2", "[]"],
        ),
        (&["-X", "DELETE"], ["DELETE", "", "", "0", ""]),
        (&["-d", "@text"], ["POST", "", "", "5", "a: b\n"]),
        (
            &["-X", "PUT", "-d", "@large"],
            ["PUT", "", "", "17825792", &large[..100]],
        ),
    ] {
        let told = ground.run("/echo?q=%20", words).json();
        let text = |name: &str| {
            told[name]
                .as_str()
                .map_or_else(|| told[name].to_string(), String::from)
        };
        let came = ["method", "type", "x-a", "length", "body"].map(text);
        assert_eq!(came, expected, "{words:?}");
        assert_eq!(told["query"], "q=%20");
    }
    let url = ground.server.url("/");
    let command = ground
        .ground
        .sandbox
        .command(&["request", &url, "-d", "@-"]);
    let ran = ground.ground.sandbox.run_with_input(command, "null");
    assert_eq!(ran.json()["type"], "application/json");
    let included = ground.run("/", &["-i"]).ok();
    assert!(
        included.starts_with("HTTP/1.1 200\r\ncontent-type: application/json\r\n"),
        "{included}"
    );
    ground.server.reset();
    for (words, told) in [
        (
            &["-H", "Authorization: Bearer mine"][..],
            "the profile's token goes there",
        ),
        (&["-H", "X: a\nY: b"], "line end"),
        (&["-X", "GE T"], "no method"),
        (&["-d", "@nowhere"], "`nowhere` cannot be read"),
        (
            &["--paginate", "-d", "x"],
            "`--paginate` goes with GET alone",
        ),
        (&["--output-file", "no/where"], "cannot be written"),
    ] {
        let ran = ground.run("/", words);
        let code = if told.contains("written") { 9 } else { 2 };
        let error = ran.failed(code);
        assert!(error.contains(told) && !error.contains("mine"), "{error}");
    }
    let error = ground.ground.run(&["request", "127.0.0.1/x"]).failed(2);
    assert!(error.contains("write `https://HOST/PATH`"), "{error}");
    let error = ground.ground.run(&["request"]).failed(2);
    assert!(error.contains("has no `endpoint`"), "{error}");
    assert!(ground.server.requests().is_empty());
}

#[test]
fn the_exit_code_is_that_of_the_status_and_the_answer_is_printed_all_the_same() {
    let tries = AtomicUsize::new(0);
    let ground = RequestGround::new(json!({}), move |request, _| {
        let is_first = tries.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let status = request.path.trim_start_matches('/').parse().unwrap_or(200);
        let answer = Answer::new(
            status,
            r#"{"error":{"code":"No","message":"because\u001b[2J"}}"#,
        );
        match status {
            403 => answer.with(
                "WWW-Authenticate",
                "Bearer error=\"insufficient_scope\", scope=\"api:write\"",
            ),
            429 if is_first => answer.with("Retry-After", "0"),
            429 => echo(request, ""),
            503 => answer.with("Retry-After", "61"),
            _ => answer,
        }
    });
    ground.ground.sign_in("ada");
    for (status, code, hint) in [
        ("403", 5, "hint: it wants the scope `api:write`"),
        ("404", 10, "No: because"),
        ("409", 10, "No: because"),
        ("408", 6, "No: because"),
        ("500", 6, "No: because"),
        ("503", 6, "hint: try again in 61 s"),
    ] {
        let ran = ground.run(&format!("/{status}"), &[]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stdout.starts_with(r#"{"error""#), "{ran:?}");
        let told = format!(
            "error: `GET {}`: HTTP status {status}",
            ground.server.url(&format!("/{status}"))
        );
        assert!(
            ran.stderr.starts_with(&told) && ran.stderr.contains(hint),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
    }
    // Asked again where that does no harm, and said so.
    ground.server.reset();
    let ran = ground.run("/429", &["-X", "PUT"]);
    assert!(ran.stderr.contains("asked again in 0 s"), "{}", ran.stderr);
    assert_eq!(ran.json()["method"], "PUT");
    assert_eq!(ground.server.requests().len(), 2);
    let ran = ground.run("/429", &["-X", "POST"]);
    assert_eq!(
        (ran.code, ground.server.requests().len()),
        (Some(6), 3),
        "{ran:?}"
    );
    // Whatever file was named holds what it held.
    let file = ground.ground.sandbox.path().join("kept");
    fs::write(&file, "before").expect("it can be written");
    let name = file.display().to_string();
    assert_eq!(ground.run("/404", &["--output-file", &name]).code, Some(10));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "before");
    ground.run("/200", &["--output-file", &name]).ok();
    assert!(
        fs::read_to_string(&file)
            .expect("it is there")
            .contains("because")
    );
}

#[test]
fn a_token_that_is_rejected_is_refreshed_once() {
    let ground = RequestGround::new(json!({}), echo);
    let token = ground.ground.sign_in("ada");
    ground.ground.authority.reset_requests();
    // One that has just been made would be rejected again.
    ground.ground.age(120);
    ground.ground.authority.revoke(&token);
    assert_eq!(ground.run("/", &["-d", "a"]).json()["body"], "a");
    ground.ground.assert_requests(1, 0);
    let schemes = ground.server.schemes();
    assert_eq!(schemes["Bearer"], 2, "{schemes:?}");
    // A server that takes none is not asked for ever.
    let token = ground.ground.get(&[]);
    ground.ground.authority.revoke(&token);
    ground.server.reset();
    let ran = ground.run("/", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), "no"), "{ran:?}");
    assert!(
        ran.stderr.contains("caused by: it is none\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("hint: run `cred-helper inspect -p api`"),
        "{}",
        ran.stderr
    );
    assert_eq!(ground.server.requests().len(), 1);
}

#[test]
fn a_claims_challenge_is_answered_once() {
    // {"access_token":{"nbf":{"essential":true,"value":"1"}}}
    const CHALLENGE: &str = "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ==\"";
    let (count, later) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = HttpServer::start(move |request| match request.path.as_str() {
        "/once" if count.fetch_add(1, Ordering::SeqCst) > 0 => {
            Answer::new(200, request.body.clone())
        }
        "/later" => match later.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::challenge(&[CHALLENGE]),
            1 => Answer::new(429, "").with("Retry-After", "0"),
            _ => Answer::new(200, "late"),
        },
        _ => Answer::challenge(&["Basic realm=\"x\"", CHALLENGE]),
    });
    let scene = Scene::signed_in();
    let keys = profile("api", &scene.authority.issuer());
    let keys = format!("{keys}urls = [\"{}\"]\n", server.url("/"));
    scene.sandbox.write_profiles(&keys);
    let url = server.url("/once");
    assert_eq!(scene.run(&["request", &url, "-d", "order"]).ok(), "order");
    let requests = scene.authority.requests();
    let refresh = requests.last().expect("the authority was asked");
    let claims = refresh.form.iter().find(|(name, _)| *name == "claims");
    let (_, claims) = claims.expect("the claims were handed on");
    assert_eq!(
        claims,
        r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#
    );
    let tokens = || -> Vec<String> {
        let requests = server.requests();
        let tokens = requests
            .iter()
            .map(|request| request.header("authorization"));
        tokens.map(str::to_owned).collect()
    };
    let first = tokens();
    assert_eq!(first.len(), 2);
    assert_ne!(first[0], first[1]);
    // Once a call.
    let ran = scene.run(&["request", &server.url("/always")]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(server.requests().len(), 4);
    // What was wanted of the token is so when it is sent again.
    assert_eq!(scene.run(&["request", &server.url("/later")]).ok(), "late");
    let later = tokens().split_off(4);
    assert_eq!(later.len(), 3);
    assert_ne!(later[0], later[1]);
    assert_eq!(later[1], later[2]);
}

#[test]
fn pages_become_one_document() {
    let ground = RequestGround::new(json!({}), |request, _| {
        let page: u32 = request
            .query
            .trim_start_matches("page=")
            .parse()
            .unwrap_or(1);
        let next = format!("{}?page={}", request.path, page + 1);
        let link = |answer: Answer| match page {
            3 => answer,
            _ => answer.with(
                "Link",
                &format!("<{next}>; rel=\"next\", <?page=3>; rel=\"last\""),
            ),
        };
        match request.path.as_str() {
            "/github" => link(Answer::new(200, format!("[{{\"n\": {page}.0}}]"))),
            "/graph" if page < 3 => {
                let next = format!("http://{}{next}", request.header("host"));
                let page =
                    json!({ "@odata.context": "c", "@odata.nextLink": next, "value": [page] });
                Answer::new(200, page.to_string())
            }
            "/graph" => Answer::new(200, json!({ "value": [page] }).to_string()),
            "/circle" => Answer::new(200, "[0]").with("Link", "</circle>; rel=next"),
            "/breaks" if page == 2 => Answer::new(500, "{\"message\":\"tired\"}"),
            "/breaks" => link(Answer::new(200, "[1]")),
            _ => Answer::new(200, "<html>"),
        }
    });
    ground.ground.sign_in("ada");
    assert_eq!(
        ground.run("/github", &["--paginate"]).ok(),
        "[{\"n\": 1.0},{\"n\": 2.0},{\"n\": 3.0}]\n"
    );
    assert_eq!(ground.run("/github", &[]).ok(), "[{\"n\": 1.0}]");
    let all = ground.run("/graph", &["--paginate"]).ok();
    assert_eq!(all, "{\"@odata.context\":\"c\",\"value\":[1,2,3]}\n");
    for (path, told) in [
        ("/circle", "in a circle"),
        ("/html", "it is no JSON"),
        ("/breaks", "caused by: tired"),
    ] {
        let ran = ground.run(path, &["--paginate"]);
        assert_eq!(ran.code, Some(6), "{ran:?}");
        assert!(ran.stderr.contains(told), "{ran:?}");
    }
}

#[test]
fn what_is_no_text_is_not_shown_and_how_much_has_come_is() {
    let large = vec![b'x'; 3 * 1024 * 1024];
    let ground = RequestGround::new(json!({}), move |request, _| match request.path.as_str() {
        "/picture" => Answer::new(200, *b"\x89PNG\r\n\x1a\n\0").with("Content-Type", "image/png"),
        "/large" => Answer::new(200, large.clone()),
        "/hostile" => Answer::new(404, "safe\u{1b}]0;evil\u{7}\r\u{1b}[2K\u{202e}txt"),
        _ => echo(request, ""),
    });
    ground.ground.sign_in("ada");
    let url = |path: &str| ground.server.url(path);
    let show = |line: String| ground.ground.sandbox.in_terminal(&line).end();
    let (code, shown) = show(format!("cred-helper request {}", url("/picture")));
    assert_eq!(code, Some(2), "{shown}");
    assert!(
        shown.contains("no text (image/png)") && shown.contains("--output-file FILE"),
        "{shown}"
    );
    assert!(!shown.contains("PNG"), "{shown}");
    let (code, shown) = show(format!(
        "cred-helper --color never request {}",
        url("/hostile")
    ));
    assert_eq!(code, Some(10), "{shown}");
    let expected = "safe\\u{1b}]0;evil\\u{7}\\u{d}\\u{1b}[2K\\u{202e}txt\r\nerror: ";
    assert!(shown.starts_with(expected), "{shown}");
    // In colours, which are ours; in none on a terminal without.
    let echo = url("/echo");
    let (_, shown) = show(format!("TERM=xterm cred-helper request {echo}"));
    assert!(
        shown.contains("\u{1b}[1m\"method\"\u{1b}[0m: \"GET\""),
        "{shown}"
    );
    let (_, shown) = show(format!("NO_COLOR=1 cred-helper request {echo}"));
    assert!(shown.contains("  \"method\": \"GET\""), "{shown}");
    // The line goes away at the end.
    let large = url("/large");
    let (code, shown) = show(format!("TERM=xterm cred-helper request {large} >large"));
    assert_eq!(code, Some(0));
    assert!(
        shown.starts_with('\r') && shown.contains(" of 3.0 MiB ("),
        "{shown:?}"
    );
    assert!(shown.ends_with(" \r"), "{shown:?}");
    let written = fs::metadata(ground.ground.sandbox.path().join("large")).expect("it is there");
    assert_eq!(written.len(), 3 * 1024 * 1024);
    for quiet in ["TERM=dumb cred-helper", "TERM=xterm cred-helper --quiet"] {
        let (_, shown) = show(format!("{quiet} request {large} --output-file other"));
        assert_eq!(shown, "", "{quiet}");
    }
    // Whoever has read enough may go.
    let ran = ground
        .ground
        .shell(&format!("cred-helper request {large} | head -c 3"));
    assert_eq!((ran.stderr.as_str(), ran.stdout.as_str()), ("", "xxx"));
}

#[test]
fn an_endpoint_is_the_url_of_one_host() {
    let check = |endpoint: &str| {
        let keys = profile("api", "https://login.example");
        let sandbox = Sandbox::new(&format!("{keys}endpoint = \"{endpoint}\"\n"));
        let ran = sandbox.run(&["profile", "check"]);
        (
            ran.code,
            ran.stderr + &sandbox.run(&["profile", "show", "api"]).stdout,
        )
    };
    let good = "https://api.example/v1.0/me?$select=id";
    let (code, shown) = check(good);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(&format!("endpoint = \"{good}\"")), "{shown}");
    for (bad, told) in [
        ("https://*.example/", "it names one host"),
        ("http://api.example/", "on loopback only"),
        ("https://ada:word@api.example/", "a user name"),
        ("https://api.example./", "ends with a dot"),
        ("https://api.example/#a", "fragment"),
        ("/v1.0/me", "does not begin with `https://`"),
        ("smtp://api.example/", "only `https`"),
    ] {
        let (code, shown) = check(bad);
        assert_eq!(code, Some(3), "{bad}: {shown}");
        let place = "`profiles.api.endpoint`: ";
        assert!(
            shown.contains(place) && shown.contains(told) && !shown.contains("word@"),
            "{shown}"
        );
    }
}
