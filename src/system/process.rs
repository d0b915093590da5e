//! Other programs: a command whose output is a secret.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::attempt::within;
use super::clock::SystemClock;
use crate::context::Clock;
use crate::secret::Secret;

/// How much may a secret's command print?
const LONGEST: u64 = 64 * 1024;

/// Runs a command and returns what it printed. Its stdin is empty; its stderr is ours.
///
/// # Errors
/// Why there is no output, in words that hold none of it.
pub fn output(command: &[String], limit: Duration) -> Result<Secret, String> {
    let (program, arguments) = command.split_first().ok_or("the command is empty")?;
    // A child lives in the machine's time, whatever clock decides about tokens.
    let clock = SystemClock::new();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let pipe = child.stdout.take().expect("stdout was piped above");
    // A command that hangs, or leaves a child that does, is given up.
    let read = within(limit, move || {
        let mut text = String::new();
        let read = pipe.take(LONGEST + 1).read_to_string(&mut text);
        let text = Secret::new(text);
        read.map(|_| text)
    });
    let text = match read {
        Some(Ok(text)) if text.expose().len() as u64 <= LONGEST => Ok(text),
        Some(Ok(_)) => Err(format!("`{program}` printed more than {LONGEST} bytes")),
        Some(Err(_)) => Err(format!("`{program}` printed something that is not UTF-8")),
        None => Err(no_answer(program, limit)),
    };
    let left = limit.saturating_sub(clock.monotonic());
    // Whoever said too much, or nothing in time, is not waited for.
    let left = if text.is_err() { Duration::ZERO } else { left };
    match end(&mut child, left, &clock) {
        Some(status) if text.is_ok() && !status.success() => {
            Err(format!("`{program}` failed ({status})"))
        }
        None if text.is_ok() => Err(no_answer(program, limit)),
        _ => text,
    }
}

fn no_answer(program: &str, limit: Duration) -> String {
    format!("`{program}` gave no answer within {} s", limit.as_secs())
}

/// Waits for the end of a command; one that does not come is brought about.
fn end(child: &mut Child, limit: Duration, clock: &SystemClock) -> Option<ExitStatus> {
    /// How late may its end be noticed?
    const PAUSE: Duration = Duration::from_millis(5);
    let deadline = clock.monotonic() + limit;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if clock.monotonic() >= deadline || clock.sleep(PAUSE).is_err() {
            // It may have ended meanwhile; then there is nothing to kill.
            drop(child.kill());
            drop(child.wait());
            return None;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::output;

    #[test]
    fn a_command_that_fails_hangs_or_says_too_much_is_an_error_that_shows_nothing_of_it() {
        for (script, limit, expected) in [
            ("echo canary", 5000, Ok("canary\n")),
            ("echo canary; exit 3", 5000, Err("failed (exit status: 3)")),
            (
                "echo canary; sleep 60",
                300,
                Err("gave no answer within 0 s"),
            ),
            (
                "echo canary; exec >&-; sleep 60",
                300,
                Err("gave no answer within 0 s"),
            ),
            (
                "sleep 60 & echo canary",
                300,
                Err("gave no answer within 0 s"),
            ),
            ("yes canary", 5000, Err("printed more than 65536 bytes")),
            (
                "printf '\\377canary'",
                5000,
                Err("printed something that is not UTF-8"),
            ),
        ] {
            let command = ["sh", "-c", script].map(String::from);
            let came = output(&command, Duration::from_millis(limit));
            match (&came, expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text.expose(), expected),
                (Err(error), Err(expected)) => {
                    assert!(
                        error.contains(expected) && !error.contains("canary"),
                        "{script}: {error}"
                    );
                }
                _ => panic!("{script}: {came:?}"),
            }
        }
    }
}
