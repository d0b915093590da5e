//! Colours and weight of text on a terminal (ECMA-48 SGR).
//!
//! Only what is ours is styled, or what was made harmless before: nothing foreign
//! begins or ends a style. A style tells nothing that the words do not tell too.

/// Whether text is styled at all. The default leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether the sequences are written.
    pub is_colored: bool,
}

impl Style {
    /// What is to be seen first.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What is there for completeness.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What is as it should be.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What ends soon, or wants a look.
    pub fn doubtful(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What failed, or is gone.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// The label of an error.
    pub fn error_label(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// The label of a cause.
    pub fn cause_label(self, text: &str) -> String {
        self.with("1;33", text)
    }

    /// The label of a hint.
    pub fn hint_label(self, text: &str) -> String {
        self.with("1;36", text)
    }

    fn with(self, parameters: &str, text: &str) -> String {
        match self.is_colored {
            true => format!("\u{1b}[{parameters}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}
