//! A program that is spoken with in lines: started, heard within limits, and ended with all that it
//! started.

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::Duration;

use zeroize::Zeroizing;

use super::clock::SystemClock;
use super::platform;
use crate::context::Clock;
use crate::line::{self, Line};
use crate::text::printable;

/// How much of what it says on stderr is heard, in lines? The rest is read, so that it need not wait
/// for room, and gone.
const MOST_NOISE: usize = 50;
/// How long may a line on stderr be?
const LONGEST_NOISE: usize = 500;
/// How often is it looked whether it is still there?
const PAUSE: Duration = Duration::from_millis(20);

/// A program that was started, with pipes to it. It ends when this is dropped, and so does its group.
pub struct Peer {
    child: Child,
    /// What is written to its stdin; nothing more when it is dropped.
    says: Option<mpsc::Sender<Zeroizing<Vec<u8>>>>,
    heard: mpsc::Receiver<Heard>,
    clock: SystemClock,
    /// When it was first seen to have ended.
    ended: Option<Duration>,
    /// How long it may take to end by itself.
    grace: Duration,
}

/// What a peer did.
pub enum Heard {
    /// It wrote a line on stdout, or closed it.
    Line(Line),
    /// It wrote a line on stderr, made harmless to show.
    Noise(String),
    /// It wrote more on stderr than is heard.
    Flood,
    /// It was stopped: in its own group it must not read from the terminal.
    Stopped,
}

impl Peer {
    /// Starts a program in a group of its own, without the variables of `hidden`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(
        program: &Path,
        arguments: &[String],
        hidden: &[String],
    ) -> Result<Self, std::io::Error> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in hidden {
            command.env_remove(name);
        }
        platform::leave_group(&mut command);
        let mut child = command.spawn()?;
        // Whoever writes without end waits until somebody hears it.
        let (sender, heard) = mpsc::sync_channel(16);
        let bug = "all three were piped above";
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take().expect(bug);
        let says = write_to(stdin.expect(bug));
        read_lines(stdout.expect(bug), sender.clone());
        read_noise(stderr, sender);
        Ok(Self {
            child,
            says: Some(says),
            heard,
            clock: SystemClock::new(),
            ended: None,
            grace: Duration::ZERO,
        })
    }

    /// Says something, without waiting until it is read.
    pub fn say(&self, line: Zeroizing<Vec<u8>>) {
        if let Some(says) = &self.says {
            // Whoever does not read it gives no answer, which is noticed.
            drop(says.send(line));
        }
    }

    /// What it did within `limit`; `None` for nothing.
    pub fn hear(&mut self, limit: Duration) -> Option<Heard> {
        /// How late may be heard what it wrote at last, where a child of its own holds its stdout?
        const LAST_WORDS: Duration = Duration::from_millis(500);
        let until = self.clock.monotonic() + limit;
        loop {
            let now = self.clock.monotonic();
            let left = until.saturating_sub(now);
            if self.ended.is_none() && platform::has_ended(&mut self.child) {
                self.ended = Some(now);
            }
            let ended = self.ended;
            let is_over = ended.is_some_and(|ended| now.saturating_sub(ended) >= LAST_WORDS);
            match self.heard.recv_timeout(left.min(PAUSE)) {
                Ok(heard) => return Some(heard),
                Err(RecvTimeoutError::Timeout) if is_over => return Some(Heard::Line(Line::End)),
                Err(RecvTimeoutError::Disconnected) => return Some(Heard::Line(Line::End)),
                Err(RecvTimeoutError::Timeout) if platform::is_stopped(&self.child) => {
                    return Some(Heard::Stopped);
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Lets it end by itself, when its stdin does, before it is ended.
    pub fn part(mut self) {
        /// How long may it take to tidy up?
        const GRACE: Duration = Duration::from_secs(1);
        self.grace = GRACE;
    }

    /// Whether it ended within `limit`. What it still says is dropped, so that it need not wait.
    fn ends_within(&mut self, limit: Duration) -> bool {
        let until = self.clock.monotonic() + limit;
        // A wait that Ctrl-C does not shorten: it is what Ctrl-C waits for.
        let (_held, never) = mpsc::channel::<()>();
        loop {
            if platform::has_ended(&mut self.child) {
                return true;
            }
            if self.clock.monotonic() >= until {
                return false;
            }
            while self.heard.try_recv().is_ok() {}
            never.recv_timeout(Duration::from_millis(2)).ok();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        /// How long may it take to end when it is asked to?
        const LAST_GRACE: Duration = Duration::from_millis(500);
        self.says = None;
        if !self.ends_within(self.grace) {
            platform::ask_group_to_end(&self.child);
            self.ends_within(LAST_GRACE);
        }
        // Its children, too, and before its id can be another's.
        platform::end_group(&mut self.child);
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Writes what comes, on a thread of its own: whoever does not read makes nobody wait.
fn write_to(mut stdin: ChildStdin) -> mpsc::Sender<Zeroizing<Vec<u8>>> {
    let (sender, lines) = mpsc::channel::<Zeroizing<Vec<u8>>>();
    let _thread = std::thread::spawn(move || {
        for line in lines {
            if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    });
    sender
}

/// Reads lines up to the end of stdout, or up to the first that is too long: it may have no end.
fn read_lines(stdout: impl Read + Send + 'static, heard: SyncSender<Heard>) {
    let _thread = std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let line = line::read_start(&mut stdout).unwrap_or(Line::End);
            let is_last = !matches!(line, Line::Whole(_));
            if heard.send(Heard::Line(line)).is_err() || is_last {
                return;
            }
        }
    });
}

/// Reads stderr to its end, and tells the first lines of it.
fn read_noise(mut stderr: impl Read + Send + 'static, heard: SyncSender<Heard>) {
    let _thread = std::thread::spawn(move || {
        let mut line = Vec::new();
        let mut told = 0;
        let mut tell = |line: &mut Vec<u8>| {
            let text = printable(&String::from_utf8_lossy(line));
            line.clear();
            if text.is_empty() || told > MOST_NOISE {
                return;
            }
            told += 1;
            let noise = if told > MOST_NOISE {
                Heard::Flood
            } else {
                Heard::Noise(text)
            };
            drop(heard.send(noise));
        };
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            for byte in &buffer[..count] {
                match *byte {
                    b'\n' => tell(&mut line),
                    byte if line.len() < LONGEST_NOISE => line.push(byte),
                    _ => {}
                }
            }
        }
        tell(&mut line);
    });
}
