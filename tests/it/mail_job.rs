//! A day with programs for mail, at servers that have each token judged.

use std::fs;

use serde_json::json;

use crate::mail_server::{MailServer, Seen};
use crate::oidc_ground::{Ground, for_each};
use crate::support::{Ran, private};
use crate::tls::CertificateAuthority;
use crate::tool::{MBSYNC, MSMTP, MUTT, NEOMUTT, Tool, is_missing, note_missing};

/// A program, told to use a mechanism.
#[derive(Clone, Copy)]
struct Program {
    tool: &'static Tool,
    mechanism: &'static str,
    limit: Option<Limit>,
    /// Its configuration, and the file for that.
    file: &'static str,
    configuration: &'static str,
    line: &'static str,
}

/// How long a token may be.
#[derive(Clone, Copy)]
struct Limit {
    /// What is said after `--for`.
    name: &'static str,
    /// What `get` says that it takes, whoever the user is.
    said: usize,
    /// What it takes from this user.
    longest: usize,
}

const MSMTPRC: &str = "account default\nhost 127.0.0.1\nport PORT\ntls off\nfrom ada@example.test\n\
                       user ada@example.test\nauth MECHANISM\npasswordeval \"COMMAND\"\n";
const SEND_BY_MSMTP: &str = "msmtp grace@example.test < mail";

const MUTTRC: &str = "set from = ada@example.test\nset smtp_url = smtp://ada@example.test@127.0.0.1:PORT\n\
                      set smtp_authenticators = MECHANISM\nset smtp_oauth_refresh_command = \"COMMAND\"\n\
                      set ssl_starttls = no\nset ssl_force_tls = no\nset copy = no\n";
const SEND_BY_MUTT: &str = "mutt -F muttrc -n -s hello grace@example.test < mail";
const SEND_BY_NEOMUTT: &str = "neomutt -F muttrc -n -s hello grace@example.test < mail";

const MBSYNCRC: &str = "IMAPAccount work\nHost 127.0.0.1\nPort PORT\nUser ada@example.test\n\
                        PassCmd \"COMMAND\"\nAuthMechs MECHANISM\nSSLType None\n\n\
                        IMAPStore far\nAccount work\n\nMaildirStore near\nPath ~/mails/\nInbox ~/inbox\n\n\
                        Channel work\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSync Pull\nSyncState *\n";

const PROGRAMS: [Program; 7] = [
    Program {
        tool: &MSMTP,
        mechanism: "xoauth2",
        limit: Some(Limit {
            name: "msmtp",
            said: 3048,
            longest: 3033,
        }),
        file: ".msmtprc",
        configuration: MSMTPRC,
        line: SEND_BY_MSMTP,
    },
    Program {
        tool: &MSMTP,
        mechanism: "oauthbearer",
        limit: Some(Limit {
            name: "msmtp",
            said: 3048,
            longest: 2995,
        }),
        file: ".msmtprc",
        configuration: MSMTPRC,
        line: SEND_BY_MSMTP,
    },
    Program {
        tool: &MUTT,
        mechanism: "xoauth2",
        limit: None,
        file: "muttrc",
        configuration: MUTTRC,
        line: SEND_BY_MUTT,
    },
    Program {
        tool: &MUTT,
        mechanism: "oauthbearer",
        limit: None,
        file: "muttrc",
        configuration: MUTTRC,
        line: SEND_BY_MUTT,
    },
    Program {
        tool: &NEOMUTT,
        mechanism: "xoauth2",
        limit: Some(Limit {
            name: "neomutt",
            said: 4094,
            longest: 4094,
        }),
        file: "muttrc",
        configuration: MUTTRC,
        line: SEND_BY_NEOMUTT,
    },
    Program {
        tool: &NEOMUTT,
        mechanism: "oauthbearer",
        limit: Some(Limit {
            name: "neomutt-oauthbearer",
            said: 510,
            longest: 510,
        }),
        file: "muttrc",
        configuration: MUTTRC,
        line: SEND_BY_NEOMUTT,
    },
    Program {
        tool: &MBSYNC,
        mechanism: "XOAUTH2",
        limit: Some(Limit {
            name: "mbsync",
            said: 8191,
            longest: 8191,
        }),
        file: ".mbsyncrc",
        configuration: MBSYNCRC,
        line: "rm -rf inbox mails && mkdir mails && mbsync work && cat inbox/new/* >got",
    },
];

impl Program {
    /// Its server.
    fn server(&self, judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> MailServer {
        if self.file == ".mbsyncrc" {
            MailServer::imap(judge)
        } else {
            MailServer::smtp(judge)
        }
    }
}

/// A program's home, and its server.
struct MailGround {
    program: Program,
    ground: Ground,
    server: MailServer,
}

impl MailGround {
    fn new(program: Program) -> Self {
        let ground = Ground::new(json!({}));
        let judge = ground.authority.judge();
        let server = program.server(move |token| judge(token) || is_whole(token));
        let path = ground.sandbox.path().join("mail");
        fs::write(path, "Subject: hello\n\nIts text.\n").expect("it can be written");
        let ground = Self {
            program,
            ground,
            server,
        };
        ground.configure(&ground.command());
        ground
    }

    /// The command of the documents.
    fn command(&self) -> String {
        let name = self.program.limit.map(|limit| limit.name);
        let name = name.map_or_else(String::new, |name| format!(" --for {name}"));
        format!("cred-helper get -p api{name}")
    }

    /// Tells the program which command brings its token.
    fn configure(&self, command: &str) {
        let text = self
            .program
            .configuration
            .replace("PORT", self.server.port())
            .replace("MECHANISM", self.program.mechanism)
            .replace("COMMAND", command);
        let path = self.ground.sandbox.path().join(self.program.file);
        fs::write(&path, text).expect("it can be written");
        private(&path);
    }

    /// Sends or fetches a message; what the server saw of it.
    fn run(&self) -> (Ran, Seen) {
        self.server.take();
        let ran = self.ground.shell(self.program.line);
        self.ground.sandbox.scan("stdout", &ran.stdout);
        (ran, self.server.take())
    }

    /// The message arrives.
    #[track_caller]
    fn works(&self) {
        let (ran, seen) = self.run();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        self.assert_done(&seen);
    }

    #[track_caller]
    fn assert_done(&self, seen: &Seen) {
        assert_eq!(seen.accepted, [self.program.mechanism.to_ascii_uppercase()]);
        assert_eq!(seen.refused, 0);
        let text = if self.program.file == ".mbsyncrc" {
            self.ground.read("got")
        } else {
            seen.messages.concat()
        };
        assert!(text.contains("Its text."), "{text}");
    }

    /// No message arrives; what is shown.
    #[track_caller]
    fn fails(&self) -> (String, Seen) {
        let (ran, seen) = self.run();
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert_eq!(seen.accepted, [""; 0]);
        assert_eq!(seen.messages, [""; 0]);
        (format!("{}{}", ran.stdout, ran.stderr), seen)
    }
}

/// A token of this length, which servers take without asking, if nothing of it is missing.
fn token_of(length: usize) -> String {
    format!("whole-{:->length$}", "end", length = length - 6)
}

fn is_whole(token: &str) -> bool {
    token.starts_with("whole-") && token.ends_with("-end")
}

/// The programs that are here.
fn programs() -> impl Iterator<Item = Program> {
    let is_here = |program: &Program| {
        !is_missing(program.tool) && (program.file != ".mbsyncrc" || has_mechanism())
    };
    PROGRAMS.into_iter().filter(is_here)
}

/// Whether Cyrus SASL knows XOAUTH2, by a plugin of its own.
fn has_mechanism() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let has_plugin = folders
        .map(|folder| folder.path().join("sasl2/libkdexoauth2.so"))
        .any(|path| path.exists());
    if !has_plugin {
        note_missing(&MBSYNC);
    }
    has_plugin
}

#[test]
fn mail_is_sent_and_fetched_silently_after_one_sign_in_and_where_there_is_no_token_it_says_why() {
    for_each(programs(), |program| {
        let mail = MailGround::new(program);
        let ground = &mail.ground;
        // Nobody has signed in, and nobody can be asked.
        let (shown, seen) = mail.fails();
        assert!(shown.contains("cred-helper login -p api"), "{shown}");
        assert_eq!(seen.refused, 0, "the server hears nothing");
        // At a terminal.
        let shown = ground.shell_as_ada(program.line);
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        mail.assert_done(&mail.server.take());
        ground.authority.reset_requests();
        mail.works();
        ground.assert_requests(0, 0);
        ground.expire();
        mail.works();
        mail.works();
        ground.assert_requests(1, 0);
        // None of them tells anybody of a token that was rejected.
        ground.authority.revoke(&ground.get(&[]));
        let (_, seen) = mail.fails();
        assert!(seen.refused > 0);
        ground.get(&["--force-refresh"]);
        mail.works();
        // However long it is, as far as the program allows it.
        let longest = program.limit.map_or(16 * 1024, |limit| limit.longest);
        ground.set_token(&token_of(longest));
        mail.works();
        if let Some(Limit { name, said, .. }) = program.limit {
            ground.set_token(&token_of(said + 1));
            let (shown, seen) = mail.fails();
            let expected = format!("has {} bytes, and {name} takes {said} at most", said + 1);
            assert!(shown.contains(&expected), "{shown}");
            assert_eq!(seen.refused, 0, "the server hears nothing");
            mail.configure("cred-helper get -p api");
            ground.set_token(&token_of(longest + 1));
            mail.fails();
        }
        mail.configure("cred-helper get -p apo");
        let (shown, seen) = mail.fails();
        assert!(shown.contains("did you mean `api`"), "{shown}");
        assert_eq!(seen.refused, 0, "the server hears nothing");
    });
}

#[test]
fn in_full_screen_mutt_and_neomutt_fetch_by_imap_and_ask_nobody() {
    const MUTTRC: &str = "set folder = imaps://127.0.0.1:PORT/\nset spoolfile = +INBOX\n\
                          set imap_user = ada@example.test\nset imap_authenticators = xoauth2\n\
                          set imap_oauth_refresh_command = \"cred-helper get -p api --interactive never\"\n\
                          set certificate_file = ~/mail-ca.pem\nset quit = yes\n";
    let tools = [&MUTT, &NEOMUTT].into_iter();
    let tools = tools.filter(|tool| !is_missing(tool));
    for_each(tools, |tool| {
        let ground = Ground::new(json!({}));
        // They send no token without TLS.
        let certificates = CertificateAuthority::new(ground.sandbox.path(), "mail-ca");
        let certificate = certificates.issue("mail", "IP:127.0.0.1", "+0");
        let server = MailServer::imaps(ground.authority.judge(), certificate);
        let path = ground.sandbox.path().join("muttrc");
        fs::write(path, MUTTRC.replace("PORT", server.port())).expect("it can be written");
        let name = tool.command();
        let line = format!("TERM=xterm {name} -F muttrc -n -e 'push <quit>'");
        let (_, shown) = ground.sandbox.in_terminal(&line).end();
        assert!(!shown.contains("enter the code"), "{shown}");
        let seen = server.take();
        assert_eq!((seen.accepted.len(), seen.refused), (0, 0), "{shown}");
        ground.sign_in("ada");
        let (_, shown) = ground.sandbox.in_terminal(&line).end();
        assert_eq!(server.take().accepted, ["XOAUTH2"], "{shown}");
        assert!(shown.contains("Fetching message headers"), "{shown}");
    });
}
