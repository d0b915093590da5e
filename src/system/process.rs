//! Other programs: a command whose output is a secret.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::secret::Secret;

/// How much may a secret's command print?
const LONGEST: u64 = 64 * 1024;

/// Runs a command and returns what it printed. Its stdin is empty; its stderr is ours.
///
/// # Errors
/// Why there is no output, in words that hold none of it.
pub fn output(command: &[String], limit: Duration) -> Result<Secret, String> {
    let (program, arguments) = command.split_first().ok_or("the command is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let pipe = child.stdout.take().expect("stdout was piped above");
    let (sender, receiver) = mpsc::channel();
    // A thread reads, so that a command that hangs, or leaves a child that does, is given up.
    let _reader = std::thread::spawn(move || {
        let mut text = String::new();
        let read = pipe.take(LONGEST + 1).read_to_string(&mut text);
        drop(sender.send(read.map(|_| Secret::new(text))));
    });
    let read = receiver.recv_timeout(limit);
    if read.is_err() {
        // It may have ended meanwhile; then there is nothing to kill.
        drop(child.kill());
        drop(child.wait());
        return Err(format!(
            "`{program}` gave no answer within {} s",
            limit.as_secs()
        ));
    }
    let status = child
        .wait()
        .map_err(|error| format!("`{program}` cannot be waited for: {error}"))?;
    if !status.success() {
        return Err(format!("`{program}` failed ({status})"));
    }
    match read {
        Ok(Ok(text)) if text.expose().len() as u64 <= LONGEST => Ok(text),
        Ok(Ok(_)) => Err(format!("`{program}` printed more than {LONGEST} bytes")),
        _ => Err(format!("`{program}` printed something that is not UTF-8")),
    }
}
