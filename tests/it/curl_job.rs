//! A day with curl, at a server that has each token judged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tls::{CertificateAuthority, Front};

/// As docs/curl.md has them. `CURL` is curl, with what it takes to reach the server.
const HEADER: &str =
    "header=$(cred-helper get -p api -o header) && printf '%s\\n' \"$header\" | CURL -H @-";
const PIPE: &str = "cred-helper get -p api -o header | CURL -H @-";
const BY_URL: &str =
    "header=$(cred-helper get --url URL -o header) && printf '%s\\n' \"$header\" | CURL -H @-";
const CONFIG: &str =
    "token=$(cred-helper get -p api) && printf 'oauth2-bearer = \"%s\"\\n' \"$token\" | CURL -K -";
const NETRC: &str = "umask 077 && cred-helper get -p api --url URL -o netrc --for curl-netrc >netrc && \
                     CURL --netrc-file netrc";

/// A server, with TLS and without, and a home whose profile is for both.
struct CurlGround {
    ground: Ground,
    server: HttpServer,
    front: Front,
}

impl CurlGround {
    fn new(options: serde_json::Value) -> Self {
        let ground = Ground::new(options);
        let judge = ground.authority.judge();
        let server = HttpServer::start(move |request| {
            let is_good = match request.authorization() {
                ("Bearer", token) => judge(token),
                // As some servers take it from clients that know no other scheme.
                ("Basic", pair) => {
                    let pair = STANDARD.decode(pair).unwrap_or_default();
                    let pair = String::from_utf8_lossy(&pair).into_owned();
                    pair.split_once(':').is_some_and(|(_, token)| judge(token))
                }
                _ => false,
            };
            let answer = if is_good {
                Answer::new(200, "welcome\n")
            } else {
                Answer::challenge(&["Bearer"])
            };
            answer.with("Connection", "close")
        });
        let certificates = CertificateAuthority::new(ground.sandbox.path(), "server-ca");
        let certificate = certificates.issue("server", "IP:127.0.0.1", "+0");
        let front = Front::start(certificate, server.address().parse().expect("an address"));
        let urls = json!([server.url("/"), front.origin()]);
        ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = {urls}\n"
        ));
        Self {
            ground,
            server,
            front,
        }
    }

    fn plain(line: &str, url: &str) -> String {
        let curl = format!("curl -sS --fail --cacert server-ca.pem {url}");
        line.replace("CURL", &curl).replace("URL", url)
    }

    fn run(&self, line: &str) -> Ran {
        self.server.reset();
        let ran = self
            .ground
            .shell(&Self::plain(line, &self.server.url("/me")));
        self.ground.sandbox.scan("stdout", &ran.stdout);
        ran
    }

    /// No line of the documents gets anything; what was shown.
    fn fails(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_ne!(ran.code, Some(0), "{line}");
        assert!(self.server.schemes().is_empty(), "{line}");
        ran.stderr
    }
}

#[test]
fn curl_reads_the_token_from_its_stdin_or_a_file_and_where_there_is_none_the_line_says_why() {
    let curl = CurlGround::new(json!({}));
    let ground = &curl.ground;
    for line in [HEADER, BY_URL, CONFIG, NETRC] {
        let shown = curl.fails(line);
        assert!(shown.contains("cred-helper login -p api"), "{shown}");
        assert!(curl.server.requests().is_empty(), "{line}");
    }
    // In a pipe curl goes on without.
    let shown = curl.fails(PIPE);
    assert!(shown.contains("cred-helper login -p api"), "{shown}");
    assert_eq!(curl.server.requests().len(), 1);
    let shown = ground.shell_as_ada(&CurlGround::plain(PIPE, &curl.server.url("/me")));
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert!(shown.ends_with("welcome\r\n"), "{shown}");
    ground.authority.reset_requests();
    for line in [HEADER, PIPE, BY_URL, CONFIG, NETRC] {
        assert_eq!(curl.run(line).ok(), "welcome\n", "{line}");
        let line = CurlGround::plain(line, &format!("{}/me", curl.front.origin()));
        assert_eq!(ground.shell(&line).ok(), "welcome\n", "{line}");
    }
    ground.assert_requests(0, 0);
    ground.expire();
    for _ in 0..2 {
        assert_eq!(curl.run(HEADER).ok(), "welcome\n");
    }
    ground.assert_requests(1, 0);
    // curl tells nobody of a token that was rejected.
    ground.authority.revoke(&ground.get(&[]));
    assert_ne!(curl.run(HEADER).code, Some(0));
    ground.get(&["--force-refresh"]);
    assert_eq!(curl.run(HEADER).ok(), "welcome\n");
    let shown = curl.fails(&HEADER.replace("-p api", "-p apo"));
    assert!(shown.contains("did you mean `api`"), "{shown}");
    let foreign = BY_URL.replace("URL -o", "https://other.example.test/ -o");
    let shown = curl.fails(&foreign);
    assert!(shown.contains("no profile answers"), "{shown}");
}

#[test]
fn curl_takes_a_token_of_16_kb_but_for_one_in_a_netrc_file_which_is_said() {
    let curl = CurlGround::new(large_tokens());
    let token = curl.ground.sign_in("ada");
    assert!(token.len() > 16 * 1024, "{}", token.len());
    for line in [HEADER, CONFIG] {
        assert_eq!(curl.run(line).ok(), "welcome\n", "{line}");
    }
    let shown = curl.fails(NETRC);
    assert!(
        shown.contains("and curl-netrc takes 4085 at most"),
        "{shown}"
    );
    // Without `--for`, curl would send an empty password.
    for (length, expected) in [(4085, 4085), (4086, 0)] {
        curl.ground.set_token(&"t".repeat(length));
        let ran = curl.run(&NETRC.replace("--for curl-netrc", ""));
        assert_ne!(ran.code, Some(0), "that token is nobody's");
        let requests = curl.server.requests();
        let (_, pair) = requests[0].authorization();
        let pair = STANDARD.decode(pair).expect("it is base64");
        assert_eq!(pair.len(), "oauth2:".len() + expected);
    }
}
