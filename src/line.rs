//! Lines of limited length, for the protocols whose messages are lines.

use std::io::{self, BufRead, Read};

use zeroize::Zeroizing;

/// How long may a line be?
pub const LONGEST_LINE: u64 = 1024 * 1024;

/// A line. It may hold an access token.
pub enum Line {
    /// With its end, unless it was the last.
    Whole(Zeroizing<Vec<u8>>),
    /// More than [`LONGEST_LINE`] bytes.
    TooLong,
    /// There is none any more.
    End,
}

/// Reads the next line; only LF ends one. Of one that is too long, the rest is read too, and gone.
///
/// # Errors
/// If it cannot be read.
pub fn read(input: &mut dyn BufRead) -> io::Result<Line> {
    let line = read_start(input)?;
    if matches!(line, Line::TooLong) {
        skip_line(input)?;
    }
    Ok(line)
}

/// The same, but of one that is too long the rest is still to be read: it may have no end.
///
/// # Errors
/// If it cannot be read.
pub fn read_start(input: &mut dyn BufRead) -> io::Result<Line> {
    let mut bytes = Zeroizing::new(Vec::new());
    (&mut *input)
        .take(LONGEST_LINE + 1)
        .read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(Line::End);
    }
    if bytes.last() != Some(&b'\n') && bytes.len() as u64 > LONGEST_LINE {
        return Ok(Line::TooLong);
    }
    Ok(Line::Whole(bytes))
}

/// Reads to the end of the line without keeping it.
fn skip_line(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        input.consume(length);
        if end.is_some() {
            return Ok(());
        }
    }
}
