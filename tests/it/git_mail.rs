//! `git imap-send` for real, at a server that has the password judged as a token.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::git_ground::{BOTH, GitGround, gits};
use crate::oidc_ground::for_each;

/// Serves one connection as far as `git imap-send` needs it (RFC 3501); the message that was left.
fn serve(stream: TcpStream, judge: &impl Fn(&str) -> bool) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut kept = None;
    let mut is_signed_in = false;
    let say = |stream: &mut TcpStream, line: String| {
        stream.write_all(format!("{line}\r\n").as_bytes()).ok();
    };
    say(reader.get_mut(), "* OK hello".into());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [tag, command, arguments @ ..] = &words[..] else {
            return kept;
        };
        let answer = match (*command, arguments) {
            ("CAPABILITY", _) => {
                say(reader.get_mut(), "* CAPABILITY IMAP4rev1".into());
                "OK"
            }
            ("LOGIN", [name, token]) => {
                let token = token.trim_matches('"');
                is_signed_in = name.trim_matches('"') == "ada@example.test" && judge(token);
                if is_signed_in { "OK" } else { "NO" }
            }
            ("APPEND", [.., length]) if is_signed_in => {
                let digits = length.trim_matches(|digit: char| !digit.is_ascii_digit());
                say(reader.get_mut(), "+ go on".into());
                let mut message = vec![0; digits.parse::<usize>().ok()? + 2];
                reader.read_exact(&mut message).ok()?;
                kept = String::from_utf8(message).ok();
                "OK"
            }
            ("LOGOUT", _) => "OK",
            _ => "NO",
        };
        say(reader.get_mut(), format!("{tag} {answer}"));
        if *command == "LOGOUT" {
            return kept;
        }
    }
}

#[test]
fn git_imap_send_leaves_a_message_with_the_account_and_its_token() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        // git tells its helpers no port.
        let keys = "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"imap://127.0.0.1\"]\n";
        ground.ground.set_profile(keys);
        ground.configure(&format!(
            "[credential]\nhelper = cred-helper\n\
             [imap]\nhost = imap://127.0.0.1\nport = {port}\nfolder = Drafts\nsslverify = false\n"
        ));
        let message = "From ada Mon Sep 17 00:00:00 2001\nFrom: ada@example.test\n\
                       Date: Mon, 17 Sep 2001 00:00:00 +0000\nSubject: a patch\n\nIts text.\n";
        let path = ground.ground.sandbox.path().join("mail");
        fs::write(path, message).expect("it can be written");
        let judge = ground.ground.authority.judge();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody comes");
            serve(stream, &judge)
        });
        ground.shell("git imap-send -q < mail").ok();
        let left = server.join().expect("nothing panicked there");
        let left = left.expect("a message was left");
        assert!(left.contains("Its text."), "{left}");
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}
