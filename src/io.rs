//! Whoever started us: their streams, environment and signals.

use std::io::{BufRead, Write};

use crate::context::{Environment, Signals};

/// What a call reads and writes, the environment it was started in, and who can end it.
pub struct Io<'a> {
    /// What the tool sends.
    pub stdin: &'a mut dyn BufRead,
    /// The answer, and nothing else.
    pub stdout: &'a mut dyn Write,
    /// Errors of commands.
    pub stderr: &'a mut dyn Write,
    /// Environment variables.
    pub environment: &'a dyn Environment,
    /// Whether it wants an end.
    pub signals: &'a dyn Signals,
}
