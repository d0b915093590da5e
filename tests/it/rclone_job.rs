//! A day with rclone, at a WebDAV server that has each token judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tool::{RCLONE, needs};

/// What a folder with one file answers (RFC 4918 §9.1).
const LISTING: &str = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\">\
    <d:response><d:href>/</d:href><d:propstat><d:status>HTTP/1.1 200 OK</d:status><d:prop>\
    <d:resourcetype><d:collection/></d:resourcetype></d:prop></d:propstat></d:response>\
    <d:response><d:href>/file</d:href><d:propstat><d:status>HTTP/1.1 200 OK</d:status><d:prop>\
    <d:getcontentlength>1</d:getcontentlength><d:resourcetype/></d:prop></d:propstat></d:response>\
    </d:multistatus>";

/// A server, and a home with rclone's remote `work` for it.
struct RcloneGround {
    ground: Arc<Ground>,
    server: HttpServer,
    /// The next token that comes ends before it is used.
    ends_now: Arc<AtomicBool>,
}

const LIST: &str = "rclone lsf work: --retries 1";

impl RcloneGround {
    fn new(options: Value) -> Self {
        let ground = Arc::new(Ground::new(options));
        let judge = ground.authority.judge();
        let ends_now = Arc::new(AtomicBool::new(false));
        let server = HttpServer::start({
            let (ground, ends_now) = (Arc::clone(&ground), Arc::clone(&ends_now));
            move |request| {
                let (scheme, token) = request.authorization();
                if ends_now.swap(false, Ordering::SeqCst) {
                    ground.authority.revoke(token);
                    ground.expire();
                }
                let answer = if scheme == "Bearer" && judge(token) {
                    Answer::new(207, LISTING)
                } else {
                    Answer::new(401, "no")
                };
                answer.with("Content-Type", "application/xml")
            }
        });
        let ground = Self {
            ground,
            server,
            ends_now,
        };
        ground.configure("cred-helper get -p api");
        ground
    }

    /// Tells rclone which command brings its token, as a person would.
    fn configure(&self, command: &str) {
        let line = format!(
            "rclone config create work webdav url={} vendor=other bearer_token_command='{command}' \
             >/dev/null",
            self.server.url("/")
        );
        self.ground.shell(&line).ok();
    }

    fn run(&self) -> Ran {
        self.server.reset();
        let ran = self.ground.shell(LIST);
        self.ground.sandbox.scan("stdout", &ran.stdout);
        ran
    }

    /// No file is listed, and the server hears nothing; what was shown.
    fn fails(&self) -> String {
        let ran = self.run();
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(self.server.schemes().is_empty());
        ran.stderr
    }
}

#[test]
fn rclone_asks_for_a_token_at_its_start_and_again_when_the_server_takes_it_no_more() {
    needs!(RCLONE);
    let rclone = RcloneGround::new(json!({}));
    let ground = &rclone.ground;
    let shown = rclone.fails();
    assert!(shown.contains("cred-helper login -p api"), "{shown}");
    let shown = ground.shell_as_ada(LIST);
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert!(shown.ends_with("file\r\n"), "{shown}");
    ground.authority.reset_requests();
    assert_eq!(rclone.run().ok(), "file\n");
    ground.assert_requests(0, 0);
    ground.expire();
    for _ in 0..2 {
        assert_eq!(rclone.run().ok(), "file\n");
    }
    ground.assert_requests(1, 0);
    // In the middle of a run.
    rclone.ends_now.store(true, Ordering::SeqCst);
    assert_eq!(rclone.run().ok(), "file\n");
    ground.assert_requests(2, 0);
    // Before its time: rclone asks again, and does not tell that the token was rejected.
    ground.authority.revoke(&ground.get(&[]));
    assert_ne!(rclone.run().code, Some(0));
    rclone.configure("cred-helper get -p api --force-refresh");
    assert_eq!(rclone.run().ok(), "file\n");
    rclone.configure("cred-helper get -p apo");
    let shown = rclone.fails();
    assert!(shown.contains("did you mean `api`"), "{shown}");
}

#[test]
fn rclone_takes_a_token_of_16_kb() {
    needs!(RCLONE);
    let rclone = RcloneGround::new(large_tokens());
    let token = rclone.ground.sign_in("ada");
    assert!(token.len() > 16 * 1024, "{}", token.len());
    assert_eq!(rclone.run().ok(), "file\n");
}
