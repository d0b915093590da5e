//! How much of a large body has come or gone, for a person who waits: one line on a terminal that
//! stderr is, which goes away at the end.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::clock::SystemClock;
use super::{platform, terminal};
use crate::context::{Clock, Environment};

/// What is too short to be waited for?
const SHORT: u64 = 1024 * 1024;
/// How often is the line written anew?
const BETWEEN: Duration = Duration::from_millis(200);

/// What has come, of what.
pub struct Progress {
    clock: SystemClock,
    is_shown: bool,
    total: Option<u64>,
    count: u64,
    written: Option<(Duration, usize)>,
}

impl Progress {
    /// Of so many bytes, where that is known. Nothing is shown unless it `is_wanted`, and stderr is a
    /// terminal that does what it is told.
    pub fn new(is_wanted: bool, total: Option<u64>, environment: &dyn Environment) -> Self {
        Self {
            clock: SystemClock::new(),
            is_shown: is_wanted
                && terminal::is_standard_error()
                && platform::does_sequences(environment),
            total,
            count: 0,
            written: None,
        }
    }

    /// So many more bytes.
    pub fn add(&mut self, bytes: usize) {
        self.count += bytes as u64;
        if !self.is_shown || self.total.unwrap_or(self.count) < SHORT {
            return;
        }
        let now = self.clock.monotonic();
        let last = self.written;
        if last.is_some_and(|(then, _)| now - then < BETWEEN) {
            return;
        }
        let line = line(self.count, self.total);
        let width = last.map_or(0, |(_, width)| width);
        // A closed stderr is no reason to fail a call.
        drop(
            io::stderr()
                .lock()
                .write_all(format!("\r{line:width$}").as_bytes()),
        );
        self.written = Some((now, line.len()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((_, width)) = self.written {
            drop(
                io::stderr()
                    .lock()
                    .write_all(format!("\r{:width$}\r", "").as_bytes()),
            );
        }
    }
}

fn line(count: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!(
            "{} of {} ({} %)",
            size(count),
            size(total),
            count.saturating_mul(100) / total.max(1)
        ),
        None => size(count),
    }
}

fn size(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / SHORT;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// A reader whose progress is shown.
pub struct Counted<R> {
    /// What is read.
    pub reader: R,
    /// How far that is.
    pub progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.progress.add(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_tells_how_much_there_is_and_of_how_much() {
        const MIB: u64 = 1024 * 1024;
        for (count, total, expected) in [
            (MIB, None, "1.0 MiB"),
            (MIB * 5 / 2, Some(10 * MIB), "2.5 MiB of 10.0 MiB (25 %)"),
            (3 * MIB, Some(3 * MIB), "3.0 MiB of 3.0 MiB (100 %)"),
            // Whatever a server says.
            (0, Some(u64::MAX), "0.0 MiB of 1759218604441.5 MiB (0 %)"),
        ] {
            assert_eq!(line(count, total), expected);
        }
    }
}
