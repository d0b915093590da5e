//! A plugin that runs: heard, passed on, and given up where it must be.

use std::time::Duration;

use zeroize::Zeroizing;

use super::wire::{Said, Speaker, Word};
use crate::context::{Clock, Context, Level};
use crate::error::{Error, ErrorKind};
use crate::line::Line;
use crate::system::clock::SystemClock;
use crate::system::peer::{Heard, Peer};
use crate::token::TokenSet;

/// When is a person told who is waited for?
const LONG: Duration = Duration::from_secs(10);
/// How many messages for a person may come before an answer?
const MOST_MESSAGES: usize = 64;

/// A plugin that runs, and what is asked of it.
pub(super) struct Conversation<'c, 'w> {
    speaker: Speaker,
    peer: Peer,
    limit: Duration,
    is_asking: bool,
    context: &'c Context<'w>,
    /// A program lives in the machine's time, whatever clock decides about tokens.
    clock: SystemClock,
    is_announced: bool,
    messages: usize,
    last_noise: Option<String>,
}

impl<'c, 'w> Conversation<'c, 'w> {
    /// With a plugin that was started just now, and has so long for its answer; `is_asking` is
    /// whether a person may be asked.
    pub(super) fn new(
        speaker: Speaker,
        peer: Peer,
        limit: Duration,
        is_asking: bool,
        context: &'c Context<'w>,
    ) -> Self {
        Self {
            speaker,
            peer,
            limit,
            is_asking,
            context,
            clock: SystemClock::new(),
            is_announced: false,
            messages: 0,
            last_noise: None,
        }
    }

    /// From its hello to its answer.
    pub(super) fn hold(mut self, request: Zeroizing<Vec<u8>>) -> Result<TokenSet, Error> {
        let hello = self.next("its hello")?;
        self.speaker.greet(&hello)?;
        self.trace("→", &request);
        self.peer.say(request);
        loop {
            let said = self.next("an answer")?;
            match self.speaker.understand(said, self.context.clock.now())? {
                Word::Message(message) => self.pass_on(&message)?,
                Word::Answer(answer) => {
                    self.peer.part();
                    return answer.map(|tokens| *tokens);
                }
            }
        }
    }

    /// The next line, once it is there.
    fn next(&mut self, awaited: &str) -> Result<Said, Error> {
        /// How soon does a person see that Ctrl-C was heard?
        const SLICE: Duration = Duration::from_millis(50);
        loop {
            self.context.signals.check()?;
            let now = self.clock.monotonic();
            if now >= LONG && !self.is_announced {
                self.is_announced = true;
                let label = &self.speaker.label;
                self.context
                    .inform(&format!("waiting for the plugin `{label}`…"));
            }
            if now >= self.limit {
                return Err(self.late(awaited));
            }
            let slice = self.limit.saturating_sub(now).min(SLICE);
            match self.peer.hear(slice) {
                None => {}
                Some(Heard::Line(Line::Whole(line))) => {
                    self.trace("←", &line);
                    return self.speaker.decode(&line);
                }
                Some(Heard::Line(Line::TooLong)) => {
                    return Err(self.speaker.failed("it wrote a line of more than 1 MiB"));
                }
                Some(Heard::Line(Line::End)) => return Err(self.ended(awaited)),
                Some(Heard::Noise(noise)) => self.heed(&noise),
                Some(Heard::Flood) => self.tell("… (more on stderr is left out)"),
                Some(Heard::Stopped) => {
                    return Err(self
                        .speaker
                        .failed("it wanted the terminal, which is not its own, and was stopped")
                        .with_kind(ErrorKind::Config)
                        .hint(
                            "have it ask nobody by itself; `ssh` is told so by `-o BatchMode=yes`",
                        ));
                }
            }
        }
    }

    fn late(&self, awaited: &str) -> Error {
        let seconds = self.limit.as_secs_f64();
        let problem = format!("it gave {awaited} not within {seconds:.0} s");
        self.speaker.failed(&problem).hint(if self.is_asking {
            "nothing was lost; a longer time is `timeout` in the `grant` table"
        } else {
            "nothing was lost; try again later"
        })
    }

    /// It ended, or closed stdout. What it said on stderr tells why.
    fn ended(&mut self, awaited: &str) -> Error {
        /// How long may its last words be on their way?
        const LAST_WORDS: Duration = Duration::from_millis(200);
        let end = self.clock.monotonic() + LAST_WORDS;
        loop {
            let left = end.saturating_sub(self.clock.monotonic());
            match self.peer.hear(left) {
                Some(Heard::Noise(noise)) => self.heed(&noise),
                Some(Heard::Flood) if !left.is_zero() => {}
                _ => break,
            }
        }
        let error = self.speaker.failed(&format!("it ended without {awaited}"));
        match &self.last_noise {
            Some(noise) => error.because(format!("it said: {noise}")),
            None => error,
        }
    }

    /// Passes on what it says on stderr.
    fn heed(&mut self, noise: &str) {
        let noise = self.speaker.shown(noise);
        self.tell(&noise);
        self.last_noise = Some(noise);
    }

    fn tell(&self, words: &str) {
        let label = &self.speaker.label;
        self.context.inform(&format!("plugin `{label}`: {words}"));
    }

    /// Shows a message to the person, if one is asked.
    fn pass_on(&mut self, message: &str) -> Result<(), Error> {
        let label = &self.speaker.label;
        self.messages += 1;
        if self.messages > MOST_MESSAGES {
            let problem = format!("it wrote more than {MOST_MESSAGES} messages");
            return Err(self.speaker.failed(&problem));
        }
        if !self.is_asking {
            self.context
                .debug(|| format!("plugin `{label}` has a message for nobody"));
            return Ok(());
        }
        // Somebody reads what is to be done: no more words of ours.
        self.is_announced = true;
        let shown = self.context.terminal.show(&format!("\n{message}\n"));
        shown.map_err(|error| {
            Error::new(
                ErrorKind::LoginRequired,
                format!("what the plugin `{label}` asks cannot be shown to anybody"),
            )
            .because(error)
        })
    }

    /// Shows a line of either side to those who asked.
    fn trace(&self, direction: &str, line: &[u8]) {
        let notice = self.context.notice;
        if notice.is_wanted(Level::Trace) {
            let (label, shown) = (&self.speaker.label, self.speaker.redacted(line));
            let shown = format!("plugin `{label}` {direction} {shown}");
            notice.write(Level::Trace, &shown);
        }
    }
}
