//! The person at the controlling terminal. Nothing else in this program talks to a person.
//!
//! What is shown goes to the terminal itself: tools hide or parse stderr, and stdout is theirs.

use std::cell::{OnceCell, RefCell};
use std::io::{self, IsTerminal, Read, Write};

use terminal_size::{Height, Width};
use zeroize::Zeroizing;

use super::signal::Shielded;
use super::{platform, signal};
use crate::context::{Display, Environment, Screen, Terminal, Typing};
use crate::error::Error;
use crate::secret::Secret;

/// Whether what is typed is seen on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It is.
    Shown,
    /// It is not.
    Hidden,
}

/// Whether stderr is a terminal, and so may be coloured.
pub fn is_standard_error() -> bool {
    io::stderr().is_terminal()
}

/// Whether stdout is a terminal, and so may be coloured.
pub fn is_standard_output() -> bool {
    io::stdout().is_terminal()
}

/// The terminal that stdout is.
pub fn standard_output(environment: &dyn Environment) -> Option<Screen> {
    let output = io::stdout();
    let size = terminal_size::terminal_size_of(&output);
    output.is_terminal().then(|| screen(size, environment))
}

/// A terminal of that size; where nobody tells it, of the usual one.
fn screen(size: Option<(Width, Height)>, environment: &dyn Environment) -> Screen {
    let (Width(columns), Height(lines)) = size
        .filter(|(Width(columns), _)| *columns > 0)
        .unwrap_or((Width(80), Height(24)));
    Screen {
        columns: columns.into(),
        lines: lines.into(),
        does_sequences: platform::does_sequences(environment),
    }
}

/// Whether stdin is a terminal, where somebody types.
pub fn is_standard_input() -> bool {
    io::stdin().is_terminal()
}

/// The next line that somebody types on stdin, which the terminal lets them mend; `None` once they have
/// ended it.
///
/// # Errors
/// If stdin cannot be read.
pub fn typed_line() -> io::Result<Option<String>> {
    let mut line = String::new();
    let count = io::stdin().read_line(&mut line)?;
    Ok((count > 0).then(|| line.trim().to_owned()))
}

/// The controlling terminal, opened when it is first needed.
pub struct ControllingTerminal<'a> {
    environment: &'a dyn Environment,
    /// Whether more than plain lines is wanted, where that was said.
    is_colored: Option<bool>,
    terminal: OnceCell<Option<RefCell<Box<dyn Write>>>>,
}

impl<'a> ControllingTerminal<'a> {
    /// The one of this process. Where `is_colored` says nothing, `NO_COLOR` does.
    pub fn new(environment: &'a dyn Environment, is_colored: Option<bool>) -> Self {
        Self {
            environment,
            is_colored,
            terminal: OnceCell::new(),
        }
    }

    fn terminal(&self) -> Option<&RefCell<Box<dyn Write>>> {
        let open = || platform::terminal().map(RefCell::new);
        self.terminal.get_or_init(open).as_ref()
    }
}

impl Terminal for ControllingTerminal<'_> {
    fn is_available(&self) -> bool {
        self.terminal().is_some()
    }

    fn display(&self) -> Option<Display> {
        /// How wide is a terminal at least that more than plain lines is made for?
        const NARROWEST: usize = 40;
        self.terminal()?;
        let is_wanted = || self.environment.variable("NO_COLOR").is_none();
        if !self.is_colored.unwrap_or_else(is_wanted) {
            return None;
        }
        let screen = screen(platform::terminal_size(), self.environment);
        let is_good = screen.does_sequences && screen.columns >= NARROWEST;
        is_good.then(|| Display {
            screen,
            is_unicode: platform::is_unicode(self.environment),
        })
    }

    fn is_in_front(&self) -> bool {
        platform::is_in_front()
    }

    fn typing(&self) -> Option<Box<dyn Typing>> {
        typed(Echo::Shown)
    }

    fn hidden_typing(&self) -> Option<Box<dyn Typing>> {
        typed(Echo::Hidden)
    }

    fn show(&self, text: &str) -> io::Result<()> {
        let terminal = self
            .terminal()
            .ok_or_else(|| io::Error::other("there is no terminal"))?;
        terminal.borrow_mut().write_all(text.as_bytes())
    }
}

fn typed(echo: Echo) -> Option<Box<dyn Typing>> {
    let shield = Shielded::new();
    let keyboard = platform::Keyboard::open(echo)?;
    Some(Box::new(Typed {
        keyboard,
        echo,
        bytes: Zeroizing::default(),
        _shield: shield,
    }))
}

/// What was typed since the last line.
struct Typed {
    keyboard: platform::Keyboard,
    echo: Echo,
    bytes: Zeroizing<Vec<u8>>,
    /// Dropped last: the keyboard leaves the terminal as it was.
    _shield: Shielded,
}

impl Typing for Typed {
    fn line(&mut self) -> Result<Option<Secret>, Error> {
        /// How long may a line be? Whatever is longer was not meant for us.
        const LONGEST: usize = 64 * 1024;
        const BACKSPACE: [u8; 2] = [0x08, 0x7f];
        const KILL: u8 = 0x15;
        signal::check()?;
        let mut buffer = Zeroizing::new([0; 1024]);
        loop {
            let count = self.keyboard.read(&mut buffer[..]).unwrap_or_default();
            if count == 0 {
                return Ok(None);
            }
            for byte in &buffer[..count] {
                match *byte {
                    b'\n' | b'\r' => {
                        let line = std::mem::take(&mut *self.bytes);
                        let line = Zeroizing::new(line);
                        let text = String::from_utf8_lossy(&line);
                        // A password may begin or end with a blank.
                        return Ok(Some(Secret::new(match self.echo {
                            Echo::Shown => text.trim(),
                            Echo::Hidden => &text,
                        })));
                    }
                    byte if BACKSPACE.contains(&byte) => {
                        // What a character goes on with in UTF-8 goes with it.
                        while self.bytes.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
                    }
                    KILL => self.bytes.clear(),
                    byte if self.bytes.len() < LONGEST => self.bytes.push(byte),
                    _ => {}
                }
            }
        }
    }
}

/// The terminal where there is one, else stderr: for a person who said that they are there.
pub struct TerminalOrStandardError<'a>(pub ControllingTerminal<'a>);

impl Terminal for TerminalOrStandardError<'_> {
    fn is_available(&self) -> bool {
        true
    }

    fn display(&self) -> Option<Display> {
        self.0.display()
    }

    fn is_in_front(&self) -> bool {
        self.0.is_in_front()
    }

    fn typing(&self) -> Option<Box<dyn Typing>> {
        self.0.typing()
    }

    fn hidden_typing(&self) -> Option<Box<dyn Typing>> {
        self.0.hidden_typing()
    }

    fn show(&self, text: &str) -> io::Result<()> {
        if self.0.is_available() {
            return self.0.show(text);
        }
        io::stderr().lock().write_all(text.as_bytes())
    }
}
