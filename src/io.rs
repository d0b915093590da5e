//! The streams of whoever started us.

use std::io::{BufRead, Write};

use crate::context::Environment;

/// What a call reads and writes, and the environment it was started in.
pub struct Io<'a> {
    /// What the tool sends.
    pub stdin: &'a mut dyn BufRead,
    /// The answer, and nothing else.
    pub stdout: &'a mut dyn Write,
    /// Errors of commands.
    pub stderr: &'a mut dyn Write,
    /// Environment variables.
    pub environment: &'a dyn Environment,
}
