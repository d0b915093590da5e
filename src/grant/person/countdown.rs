//! How long a sign-in is still waited for: one line of the terminal that changes, and is gone at the end.
//!
//! It is written where a changing line disturbs nobody: on a terminal that can go back in its line, is
//! this process' at the moment, and whose person did not ask for plain lines, as somebody does to whom the
//! screen is read aloud. Elsewhere there is none, and one wait is one wait.

use std::cell::Cell;
use std::time::Duration;

use crate::context::{Context, Level, Notice};
use crate::error::Error;

/// To the beginning of the line, and what is on it away (ECMA-48 EL).
const CLEAR: &str = "\r\u{1b}[K";

/// A line that counts down. While it is there, notices go through it, so that none is written behind it.
pub(in crate::grant) struct Countdown<'a> {
    context: Context<'a>,
    end: Duration,
    /// How many seconds it says are left, while it is there.
    shown: Cell<Option<u64>>,
}

impl<'a> Countdown<'a> {
    /// Nothing is drawn before the first wait; `end` is on the monotonic clock.
    pub(in crate::grant) fn new(end: Duration, context: &Context<'a>) -> Self {
        Self {
            context: *context,
            end,
            shown: Cell::new(None),
        }
    }

    /// Waits, and counts meanwhile.
    ///
    /// # Errors
    /// `interrupted`.
    pub(in crate::grant) fn sleep(&self, duration: Duration) -> Result<(), Error> {
        let clock = self.context.clock;
        if !self.is_wanted() {
            return clock.sleep(duration);
        }
        let until = clock.monotonic() + duration;
        loop {
            self.show();
            let now = clock.monotonic();
            // Until the number changes, however long the last wait really was.
            let part = self.end.saturating_sub(now).subsec_nanos();
            let next = match part {
                0 => Duration::from_secs(1),
                nanoseconds => Duration::from_nanos(nanoseconds.into()),
            };
            clock.sleep(next.min(until.saturating_sub(now)))?;
            if clock.monotonic() >= until {
                return Ok(());
            }
        }
    }

    /// Shows how long is left, if that is not what is there: also for whoever waits in another way than
    /// by [`Self::sleep`].
    pub(in crate::grant) fn show(&self) {
        let left = self.end.saturating_sub(self.context.clock.monotonic());
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        if self.shown.get() == Some(seconds) || !self.is_wanted() {
            return;
        }
        let text = format!(
            "{CLEAR}Waiting for the sign-in: {}:{:02} left",
            seconds / 60,
            seconds % 60
        );
        // Whoever cannot see it is waited for as well.
        let is_shown = self.context.terminal.show(&text).is_ok();
        self.shown.set(is_shown.then_some(seconds));
    }

    fn is_wanted(&self) -> bool {
        let terminal = self.context.terminal;
        terminal.display().is_some() && terminal.is_in_front()
    }

    fn clear(&self) {
        if self.shown.take().is_some() {
            drop(self.context.terminal.show(CLEAR));
        }
    }
}

impl Drop for Countdown<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Notice for Countdown<'_> {
    fn is_wanted(&self, level: Level) -> bool {
        self.context.notice.is_wanted(level)
    }

    fn write(&self, level: Level, line: &str) {
        if self.context.notice.is_wanted(level) {
            self.clear();
        }
        self.context.notice.write(level, line);
    }
}
