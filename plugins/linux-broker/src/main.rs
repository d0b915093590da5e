//! Tokens from the identity broker of a Linux desktop: a plugin of cred-helper.
//!
//! `main` reads requests (`request`) and writes answers (`answer`), and keeps the time limit.
//! `acquire` decides what the broker is asked; `broker` knows its JSON, `account` which account is
//! meant, `bus` its D-Bus.

mod account;
mod acquire;
mod answer;
mod broker;
#[cfg(target_os = "linux")]
mod bus;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod bus;
mod failure;
mod request;
#[expect(
    unreachable_pub,
    reason = "it is cred-helper's own, whose library shows it"
)]
#[path = "../../../src/secret.rs"]
mod secret;
#[cfg_attr(not(test), expect(dead_code, reason = "cred-helper uses more of it"))]
#[expect(
    unreachable_pub,
    reason = "it is cred-helper's own, whose library shows it"
)]
#[path = "../../../src/text.rs"]
mod text;

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use acquire::{Acquire, Broker};
use broker::{Method, Token};
use bus::Bus;
use failure::{Failure, Kind};

/// How long can a line be that is a request?
const LONGEST_LINE: u64 = 1 << 20;

/// How long may a person sit before the broker's window? Who starts us waits less: this ends what was
/// left behind.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// What the thread reports that talks to the broker.
enum Event {
    /// From here on a person is waited for.
    Asking(String),
    Done(Result<Token, Failure>),
}

fn main() {
    // Who closes the pipe no longer wants an answer.
    drop(serve(&mut io::stdin().lock(), &mut io::stdout().lock()));
}

fn serve(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    write(output, answer::HELLO)?;
    while let Some(line) = read_line(input)? {
        let (id, request) = match line {
            Ok(line) => request::parse(&line, has_desktop()),
            Err(failure) => (None, Err(failure)),
        };
        let verdict = match request {
            Ok(request) => {
                let limit = Duration::from_secs(request.broker_timeout);
                acquire(request.acquire, limit, |message| {
                    write(output, &answer::message(id.as_ref(), &message))
                })?
            }
            Err(failure) => Err(failure),
        };
        write(output, &answer::encode(id.as_ref(), &verdict))?;
    }
    Ok(())
}

fn write(output: &mut impl Write, line: &str) -> io::Result<()> {
    output.write_all(line.as_bytes())?;
    output.flush()
}

/// The next line, if there is one; a line that is too long is read to its end, and an error.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Result<Zeroizing<Vec<u8>>, Failure>>> {
    let mut line = Zeroizing::new(Vec::new());
    input.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let is_whole = line.ends_with(b"\n") || input.fill_buf()?.is_empty();
    if is_whole {
        return Ok(Some(Ok(line)));
    }
    input.skip_until(b'\n')?;
    let failure = Failure::new(Kind::Usage, "a request is 1 MiB long at most");
    Ok(Some(Err(failure)))
}

/// Asks the broker in a thread of its own, which is left behind when the limit passes: no call on
/// the bus, and no connection to it, can be given up in another way.
fn acquire(
    acquire: Acquire,
    limit: Duration,
    mut show: impl FnMut(String) -> io::Result<()>,
) -> io::Result<Result<Token, Failure>> {
    let (sender, events) = mpsc::channel();
    thread::spawn(move || {
        let verdict = Bus::connect().and_then(|bus| {
            let events = sender.clone();
            acquire.run(&mut Session { bus, events })
        });
        // Nobody listens after the limit.
        drop(sender.send(Event::Done(verdict)));
    });
    let mut late = Failure::new(
        Kind::Unavailable,
        format!(
            "the identity broker did not answer within {} s",
            limit.as_secs()
        ),
    );
    let mut limit = limit;
    loop {
        match events.recv_timeout(limit) {
            Ok(Event::Done(verdict)) => return Ok(verdict),
            Ok(Event::Asking(message)) => {
                show(message)?;
                limit = PATIENCE;
                late = Failure::new(
                    Kind::LoginRequired,
                    format!("nobody signed in within {} s", limit.as_secs()),
                );
            }
            Err(RecvTimeoutError::Timeout) => return Ok(Err(late)),
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Err(Failure::new(
                    Kind::Internal,
                    "BUG: the plugin broke off",
                )));
            }
        }
    }
}

/// The broker as one request has it.
struct Session {
    bus: Bus,
    events: Sender<Event>,
}

impl Broker for Session {
    fn call(&mut self, method: Method, request: &str) -> Result<Zeroizing<String>, Failure> {
        self.bus.call(method, request)
    }

    #[expect(clippy::disallowed_methods, reason = "a plugin is its own clock")]
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis().try_into().unwrap_or(i64::MAX))
    }

    fn ask(&mut self, message: String) -> Result<(), Failure> {
        // Nobody listens after the limit.
        self.events
            .send(Event::Asking(message))
            .map_err(|_| Failure::new(Kind::Unavailable, "the request was given up"))
    }
}

/// Whether this process belongs to a desktop, where the broker's window would be seen.
#[expect(
    clippy::disallowed_methods,
    reason = "a plugin reads its own environment"
)]
fn has_desktop() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
