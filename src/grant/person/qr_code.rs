//! A QR code (ISO/IEC 18004) as lines of a terminal.

use qrcodegen::{QrCode, QrCodeEcc};

/// Black on white, whatever the terminal's own colours are: these two of the 256 no theme changes.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const END: &str = "\u{1b}[0m";

/// A picture that is drawn with half blocks: each character holds two modules, one above the other.
pub(super) struct Picture {
    code: QrCode,
}

impl Picture {
    /// The picture of a text; `None` where it is too long for one.
    pub(super) fn new(text: &str) -> Option<Self> {
        // The lowest correction makes it smallest. A screen has no scratches.
        let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
        Some(Self { code })
    }

    /// How many columns it takes with a margin of so many modules.
    pub(super) fn columns(&self, margin: u8) -> usize {
        let modules = self.code.size() + 2 * i32::from(margin);
        usize::try_from(modules).expect("a QR code has 177 modules at most")
    }

    /// Its lines.
    pub(super) fn lines(&self, margin: u8) -> Vec<String> {
        let margin = i32::from(margin);
        let modules = -margin..self.code.size() + margin;
        let draw = |y: i32| {
            let character = |x| {
                let is_dark = |y| self.code.get_module(x, y);
                match (is_dark(y), is_dark(y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                }
            };
            let line: String = modules.clone().map(character).collect();
            format!("{BLACK_ON_WHITE}{line}{END}")
        };
        modules.clone().step_by(2).map(draw).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{BLACK_ON_WHITE, END, Picture};

    #[test]
    fn it_is_drawn_two_modules_a_character_with_a_light_margin() {
        let picture = Picture::new("https://id.example/device").expect("it is short");
        for margin in [2, 4] {
            let lines = picture.lines(margin);
            let columns = picture.columns(margin);
            assert_eq!(columns, 25 + 2 * usize::from(margin), "version 2");
            assert_eq!(lines.len(), columns.div_ceil(2));
            for line in &lines {
                let line = line.strip_prefix(BLACK_ON_WHITE).expect("it begins so");
                let line = line.strip_suffix(END).expect("it ends so");
                assert_eq!(line.chars().count(), columns);
                assert!(line.chars().all(|character| " ▀▄█".contains(character)));
                let light = " ".repeat(margin.into());
                assert!(line.starts_with(&light) && line.ends_with(&light), "{line}");
            }
        }
        assert!(Picture::new(&"x".repeat(3000)).is_none());
    }
}
