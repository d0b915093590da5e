//! The person at the controlling terminal. Nothing else in this program talks to a person.
//!
//! What is shown goes to the terminal itself: tools hide or parse stderr, and stdout is theirs.

use std::cell::{OnceCell, RefCell};
use std::io::{self, IsTerminal, Write};

use super::platform;
use crate::context::Terminal;

/// Whether stderr is a terminal, and so may be coloured.
pub fn is_standard_error() -> bool {
    io::stderr().is_terminal()
}

/// The controlling terminal, opened when it is first needed.
#[derive(Default)]
pub struct ControllingTerminal {
    terminal: OnceCell<Option<RefCell<Box<dyn Write>>>>,
}

impl ControllingTerminal {
    fn terminal(&self) -> Option<&RefCell<Box<dyn Write>>> {
        let open = || platform::terminal().map(RefCell::new);
        self.terminal.get_or_init(open).as_ref()
    }
}

impl Terminal for ControllingTerminal {
    fn is_available(&self) -> bool {
        self.terminal().is_some()
    }

    fn show(&self, text: &str) -> io::Result<()> {
        let terminal = self
            .terminal()
            .ok_or_else(|| io::Error::other("there is no terminal"))?;
        terminal.borrow_mut().write_all(text.as_bytes())
    }
}

/// The terminal where there is one, else stderr: for a person who said that they are there.
#[derive(Default)]
pub struct TerminalOrStandardError(ControllingTerminal);

impl Terminal for TerminalOrStandardError {
    fn is_available(&self) -> bool {
        true
    }

    fn show(&self, text: &str) -> io::Result<()> {
        if self.0.is_available() {
            return self.0.show(text);
        }
        io::stderr().lock().write_all(text.as_bytes())
    }
}
