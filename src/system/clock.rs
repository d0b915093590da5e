//! The machine's clocks, and waiting that Ctrl-C ends.

use std::time::{Duration, Instant, SystemTime};

use super::signal;
use crate::context::Clock;
use crate::error::Error;
use crate::token::Timestamp;

/// The machine's clocks.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where waiting happens")]
    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        /// How soon does a person see that Ctrl-C was heard?
        const SLICE: Duration = Duration::from_millis(50);
        let _shield = signal::Shielded::new();
        let end = self.monotonic() + duration;
        loop {
            signal::check()?;
            let left = end.saturating_sub(self.monotonic());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
        }
    }
}
