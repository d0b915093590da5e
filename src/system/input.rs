//! What the caller hands over on stdin.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use super::attempt::within;
use crate::context::Input;
use crate::secret::Secret;

/// How much may be handed over?
const LONGEST: u64 = 64 * 1024;

/// The stdin of this process.
pub struct StandardInput;

impl Input for StandardInput {
    fn read(&self, limit: Duration) -> Result<Secret, String> {
        if io::stdin().is_terminal() {
            // Nobody types a token, and whoever waited for one would seem to hang.
            return Err("stdin is a terminal".to_owned());
        }
        let read = within(limit, || {
            let mut text = String::new();
            let read = io::stdin().take(LONGEST + 1).read_to_string(&mut text);
            let text = Secret::new(text);
            read.map(|_| text)
        });
        match read {
            None => Err("stdin did not end in time".to_owned()),
            Some(Err(error)) => Err(format!("stdin: {error}")),
            Some(Ok(text)) if text.expose().len() as u64 > LONGEST => {
                Err("stdin gave too much".to_owned())
            }
            Some(Ok(text)) => Ok(text),
        }
    }
}
