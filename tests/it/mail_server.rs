//! A mail server on loopback, SMTP (RFC 5321) or IMAP (RFC 3501), which has the token in XOAUTH2 and
//! OAUTHBEARER (RFC 7628) judged, and writes down what came.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::loopback::Port;

/// Who may sign in.
pub(crate) const USER: &str = "ada@example.test";

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By which mechanism somebody signed in, each time.
    pub(crate) accepted: Vec<String>,
    /// How often somebody was refused.
    pub(crate) refused: usize,
    /// Messages that were left here.
    pub(crate) messages: Vec<String>,
}

/// A running server; dropping it ends it.
pub(crate) struct MailServer {
    port: Port,
    seen: Arc<Mutex<Seen>>,
}

impl MailServer {
    /// A server that takes messages.
    pub(crate) fn smtp(judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::start(judge, None, |session| {
            session.say("220 hello");
            while smtp(session).is_some() {}
        })
    }

    /// A server with one message in its INBOX.
    pub(crate) fn imap(judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::start(judge, None, hold_imap)
    }

    /// The same with TLS from the beginning.
    pub(crate) fn imaps(
        judge: impl Fn(&str) -> bool + Send + Sync + 'static,
        certificate: Arc<ServerConfig>,
    ) -> Self {
        Self::start(judge, Some(certificate), hold_imap)
    }

    fn start(
        judge: impl Fn(&str) -> bool + Send + Sync + 'static,
        certificate: Option<Arc<ServerConfig>>,
        serve: impl Fn(&mut Session<'_>) + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = Arc::clone(&seen);
        let port = Port::start(move |stream| {
            let own = stream.local_addr().expect("it is connected").port();
            let stream: Box<dyn Stream> = match &certificate {
                None => Box::new(stream),
                Some(certificate) => {
                    let connection = ServerConnection::new(Arc::clone(certificate));
                    let connection = connection.expect("its configuration is whole");
                    Box::new(StreamOwned::new(connection, stream))
                }
            };
            serve(&mut Session {
                reader: BufReader::new(stream),
                port: own,
                judge: &judge,
                seen: &kept,
                is_signed_in: false,
            });
        });
        Self { port, seen }
    }

    /// Its port.
    pub(crate) fn port(&self) -> &str {
        let (_, port) = self.port.address().split_once(':').expect("it has a port");
        port
    }

    /// What has come so far, which is forgotten.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *lock(&self.seen))
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a connection goes through, with TLS or without.
trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A connection.
struct Session<'a> {
    reader: BufReader<Box<dyn Stream>>,
    port: u16,
    judge: &'a (dyn Fn(&str) -> bool + Sync),
    seen: &'a Mutex<Seen>,
    is_signed_in: bool,
}

impl Session<'_> {
    /// What goes wrong with it, is the peer's doing: it went away.
    fn say(&mut self, line: &str) {
        let stream = self.reader.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).ok();
        stream.flush().ok();
    }

    /// The next line without its end; none where there is no further one.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        Some(line.strip_suffix("\r\n")?.to_owned())
    }

    /// Whether the words after `AUTH` or `AUTHENTICATE` let somebody in.
    fn sign_in(&mut self, words: &[&str], go_on: &str) -> Option<bool> {
        let (mechanism, response) = match words {
            [mechanism, response] => (*mechanism, (*response).to_owned()),
            [mechanism] => {
                self.say(go_on);
                (*mechanism, self.hear()?)
            }
            _ => return Some(false),
        };
        let response = STANDARD.decode(response).unwrap_or_default();
        let response = String::from_utf8(response).unwrap_or_default();
        let token = match mechanism {
            "XOAUTH2" => between(&response, &format!("user={USER}\u{1}auth=Bearer ")),
            "OAUTHBEARER" => between(
                &response,
                &format!(
                    "n,a={USER},\u{1}host=127.0.0.1\u{1}port={}\u{1}auth=Bearer ",
                    self.port
                ),
            ),
            _ => None,
        };
        Some(self.judge(mechanism, token))
    }

    /// Lets somebody in whose token is good.
    fn judge(&mut self, mechanism: &str, token: Option<&str>) -> bool {
        self.is_signed_in = token.is_some_and(self.judge);
        let mut seen = lock(self.seen);
        if self.is_signed_in {
            seen.accepted.push(mechanism.to_owned());
        } else {
            seen.refused += 1;
        }
        self.is_signed_in
    }

    fn keep(&self, message: String) {
        lock(self.seen).messages.push(message);
    }
}

/// The token in a response that begins so.
fn between<'r>(response: &'r str, start: &str) -> Option<&'r str> {
    let token = response.strip_prefix(start)?.strip_suffix("\u{1}\u{1}")?;
    (!token.contains('\u{1}')).then_some(token)
}

/// Answers one command; none at the end of the connection.
fn smtp(session: &mut Session<'_>) -> Option<()> {
    let line = session.hear()?;
    let words: Vec<&str> = line.split(' ').collect();
    let answer = match words[0].to_ascii_uppercase().as_str() {
        "EHLO" => {
            session.say("250-hello");
            "250 AUTH XOAUTH2 OAUTHBEARER"
        }
        "AUTH" => match session.sign_in(&words[1..], "334 ")? {
            true => "235 welcome",
            false => "535 no",
        },
        "QUIT" => {
            session.say("221 bye");
            return None;
        }
        _ if !session.is_signed_in => "530 who are you",
        "DATA" => {
            session.say("354 go on");
            let mut message = String::new();
            loop {
                let line = session.hear()?;
                if line == "." {
                    break;
                }
                message.push_str(&line);
                message.push('\n');
            }
            session.keep(message);
            "250 kept"
        }
        _ => "250 well",
    };
    session.say(answer);
    Some(())
}

fn hold_imap(session: &mut Session<'_>) {
    session.say(&format!("* OK [CAPABILITY {CAPABILITIES}] hello"));
    while imap(session).is_some() {}
}

const CAPABILITIES: &str = "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER";

/// The message in INBOX.
const MESSAGE: &str = "From: grace@example.test\r\nSubject: hello\r\n\r\nIts text.\r\n";

fn imap_answer(is_good: bool) -> &'static str {
    if is_good { "OK done" } else { "NO who are you" }
}

/// The same of IMAP, as far as our programs use it.
fn imap(session: &mut Session<'_>) -> Option<()> {
    let line = session.hear()?;
    let words: Vec<&str> = line.split(' ').collect();
    let [tag, command, arguments @ ..] = &words[..] else {
        return None;
    };
    let mut answer = imap_answer(true);
    match (command.to_ascii_uppercase().as_str(), arguments) {
        ("CAPABILITY", _) => session.say(&format!("* CAPABILITY {CAPABILITIES}")),
        ("AUTHENTICATE", words) => {
            answer = imap_answer(session.sign_in(words, "+ ")?);
        }
        ("LOGIN", [name, token]) => {
            let is_user = name.trim_matches('"') == USER;
            let token = is_user.then(|| token.trim_matches('"'));
            answer = imap_answer(session.judge("LOGIN", token));
        }
        ("LOGOUT", _) => session.say("* BYE"),
        _ if !session.is_signed_in => answer = imap_answer(false),
        ("LIST", _) => session.say("* LIST () \"/\" \"INBOX\""),
        ("SELECT" | "EXAMINE", _) => {
            session.say("* 1 EXISTS");
            session.say("* FLAGS (\\Seen)");
            session.say("* OK [UIDVALIDITY 1] x");
            session.say("* OK [UIDNEXT 2] x");
        }
        ("UID", ["FETCH", _, what @ ..]) if what.concat().contains("BODY") => {
            let head = format!("* 1 FETCH (UID 1 BODY[] {{{}}}", MESSAGE.len());
            session.say(&format!("{head}\r\n{MESSAGE})"));
        }
        ("UID", ["FETCH", ..]) => session.say("* 1 FETCH (UID 1 FLAGS ())"),
        ("APPEND", [.., length]) => {
            let digits = length.trim_matches(|digit: char| !digit.is_ascii_digit());
            session.say("+ go on");
            let mut message = vec![0; digits.parse().ok()?];
            session.reader.read_exact(&mut message).ok()?;
            session.hear()?;
            session.keep(String::from_utf8(message).ok()?);
        }
        _ => {}
    }
    session.say(&format!("{tag} {answer}"));
    (!command.eq_ignore_ascii_case("LOGOUT")).then_some(())
}
