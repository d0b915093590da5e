//! `git imap-send` for real, at a server that has the password judged as a token.

use std::fs;

use serde_json::json;

use crate::git_ground::{BOTH, GitGround, gits};
use crate::mail_server::MailServer;
use crate::oidc_ground::for_each;

#[test]
fn git_imap_send_leaves_a_message_with_the_account_and_its_token() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let server = MailServer::imap(ground.ground.authority.judge());
        // git tells its helpers no port.
        let keys = "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"imap://127.0.0.1\"]\n";
        ground.ground.set_profile(keys);
        ground.configure(&format!(
            "[credential]\nhelper = cred-helper\n\
             [imap]\nhost = imap://127.0.0.1\nport = {}\nfolder = Drafts\nsslverify = false\n",
            server.port()
        ));
        let message = "From ada Mon Sep 17 00:00:00 2001\nFrom: ada@example.test\n\
                       Date: Mon, 17 Sep 2001 00:00:00 +0000\nSubject: a patch\n\nIts text.\n";
        let path = ground.ground.sandbox.path().join("mail");
        fs::write(path, message).expect("it can be written");
        ground.shell("git imap-send -q < mail").ok();
        let seen = server.take();
        assert_eq!(seen.accepted, ["LOGIN"]);
        assert!(seen.messages.concat().contains("Its text."), "{seen:?}");
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}
