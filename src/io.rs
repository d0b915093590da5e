//! Whoever started us: their streams, environment and signals.

use std::io::{self, BufRead, Write};

use crate::context::{Environment, Signals};
use crate::error::{Error, ErrorKind};

/// What a call reads and writes, the environment it was started in, and who can end it.
pub struct Io<'a> {
    /// What the tool sends.
    pub stdin: Box<dyn BufRead + Send>,
    /// The answer, and nothing else.
    pub stdout: &'a mut (dyn Write + Send),
    /// Errors of commands.
    pub stderr: &'a mut dyn Write,
    /// Environment variables.
    pub environment: &'a dyn Environment,
    /// Whether it wants an end.
    pub signals: &'a dyn Signals,
}

impl Io<'_> {
    /// Writes an answer to stdout, at once and whole.
    ///
    /// # Errors
    /// As [`delivered`].
    pub fn answer(&mut self, text: &str) -> Result<(), Error> {
        let written = self
            .stdout
            .write_all(text.as_bytes())
            .and_then(|()| self.stdout.flush());
        delivered(written)
    }
}

/// Whoever closed stdout does not want the answer. Everything else that keeps it from getting
/// there, such as a full disk, must not look like a success.
///
/// # Errors
/// `store`, if an answer that is wanted could not be written.
pub fn delivered(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(
            ErrorKind::Store,
            "the answer cannot be written to stdout",
        )
        .because(error)
        .hint("mend what stdout is written to, and call again: the sign-in is still there")),
        _ => Ok(()),
    }
}
