//! What a person reads who is to sign in with a code, and a link on a terminal: text and nothing else.
//!
//! What came from the authority was made harmless before ([`crate::text::printable`]), and a link goes
//! where its text says: nothing is hidden behind another text, and what is no plain URL is no link.

use std::time::Duration;

use crate::context::Display;
use crate::encoding::to_base64;
use crate::endpoint::Endpoint;
use crate::style::{Style, width, wrap};

use super::qr_code::Picture;

/// What an authority gave for a person, and what this program says of it.
pub(in crate::grant) struct Invitation<'a> {
    /// The profile's name.
    pub(in crate::grant) profile: &'a str,
    /// Where the code is entered.
    pub(in crate::grant) address: &'a str,
    /// The link that holds the code, where it is another one.
    pub(in crate::grant) complete: Option<&'a str>,
    /// The code.
    pub(in crate::grant) code: &'a str,
    /// What the authority says to the person.
    pub(in crate::grant) message: Option<&'a str>,
    /// How long the code is good.
    pub(in crate::grant) life: Duration,
    /// Whether a browser of this machine is about to open the link.
    pub(in crate::grant) opens: bool,
}

/// Whether a URL may be opened by a click, a camera or this program: all of it is seen, and it leads to
/// `https` or to this machine.
pub(in crate::grant) fn is_link(url: &str) -> bool {
    let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
    let is_seen = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    is_seen(place) && is_seen(fragment) && Endpoint::parse(place).is_ok()
}

/// A URL as a terminal shows it, where it shows more than plain lines: a hyperlink (OSC 8,
/// <https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>) whose text is its target.
pub(in crate::grant) fn link(url: &str, display: Option<Display>) -> String {
    match display {
        Some(_) if is_link(url) => format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}]8;;\u{1b}\\"),
        Some(_) | None => url.to_owned(),
    }
}

/// What has a terminal put a code on the clipboard (OSC 52 of xterm). A code is letters, digits and
/// hyphens; nothing is copied that a shell would do something with.
pub(in crate::grant) fn to_clipboard(code: &str) -> String {
    /// How long is a code at most that a person could type?
    const LONGEST: usize = 64;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if code.len() > LONGEST || !code.bytes().all(is_plain) {
        return String::new();
    }
    format!("\u{1b}]52;c;{}\u{1b}\\", to_base64(code.as_bytes()))
}

/// A line, and how wide it is without its sequences.
struct Line {
    text: String,
    width: usize,
}

impl Line {
    fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        let width = width(&text);
        Self { text, width }
    }
}

/// How the lines stand: apart where there is room, close together where a picture needs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spacing {
    Wide,
    Close,
}

impl Invitation<'_> {
    /// What is shown. RFC 8628 §3.3.1: the code also where a complete link exists; §5.4: that nobody
    /// else should have asked for it.
    pub(in crate::grant) fn text(&self, display: Option<Display>) -> String {
        match display {
            Some(display) => self.rich(display),
            None => joined(self.lines(Spacing::Wide, None), Vec::new(), self.end(None)),
        }
    }

    fn rich(&self, display: Display) -> String {
        /// How wide is the margin of a QR code? The standard's where there is room; cameras do with less.
        const MARGINS: [(Spacing, u8); 3] =
            [(Spacing::Wide, 4), (Spacing::Wide, 2), (Spacing::Close, 2)];
        let screen = display.screen;
        let target = self.complete.unwrap_or(self.address);
        let is_drawn = display.is_unicode && is_link(target);
        let picture = is_drawn.then(|| Picture::new(target)).flatten();
        for (spacing, margin) in MARGINS {
            let Some(picture) = &picture else { break };
            let mut lines = self.lines(spacing, Some(display));
            if spacing == Spacing::Wide {
                lines.push(Line::plain(""));
                lines.push(Line::plain("or point a phone's camera at this:"));
                lines.push(Line::plain(""));
            }
            let end = match spacing {
                Spacing::Wide => self.end(Some(display)),
                Spacing::Close => vec![Line::plain(ONLY_IF)],
            };
            let drawn = picture.lines(margin);
            let height = |line: &Line| line.width.div_ceil(screen.columns).max(1);
            let text = lines.iter().chain(&end).map(height).sum::<usize>();
            // Below it is the line that counts down.
            let fits = text + drawn.len() < screen.lines;
            if fits && picture.columns(margin) <= screen.columns {
                return joined(lines, drawn, end);
            }
        }
        let lines = self.lines(Spacing::Wide, Some(display));
        joined(lines, Vec::new(), self.end(Some(display)))
    }

    /// The address, the code, and the link that holds both.
    fn lines(&self, spacing: Spacing, display: Option<Display>) -> Vec<Line> {
        let style = Style {
            is_colored: display.is_some(),
        };
        let mut lines = Vec::new();
        let gap = |lines: &mut Vec<Line>| {
            if spacing == Spacing::Wide {
                lines.push(Line::plain(""));
            }
        };
        let linked = |url: &str| Line {
            text: format!("    {}", link(url, display)),
            width: 4 + width(url),
        };
        // Close together there is one link: the one that the picture shows.
        let (first, second) = match spacing {
            Spacing::Wide => (self.address, self.complete),
            Spacing::Close => (self.complete.unwrap_or(self.address), None),
        };
        let browser = if self.opens {
            "use the browser that opens now, or "
        } else {
            ""
        };
        gap(&mut lines);
        let begin = format!("To sign in for profile `{}`, {browser}open", self.profile);
        lines.extend(paragraph(&begin, display));
        gap(&mut lines);
        lines.push(linked(first));
        gap(&mut lines);
        lines.push(Line::plain("on any device and enter the code"));
        lines.push(Line::plain(""));
        lines.push(Line {
            text: format!("    {}", style.bold(self.code)),
            width: 4 + width(self.code),
        });
        if let Some(second) = second {
            lines.push(Line::plain(""));
            lines.push(Line::plain("or open the link that holds it:"));
            lines.push(Line::plain(""));
            lines.push(linked(second));
        }
        // What only repeats the two is left out where there is no room.
        let repeats = |message: &str| message.contains(self.address) && message.contains(self.code);
        if let Some(message) = self.message
            && (spacing == Spacing::Wide || !repeats(message))
        {
            gap(&mut lines);
            let message = format!("The authority says: {message}");
            lines.extend(paragraph(&message, display));
        }
        lines
    }

    /// How long it is good, and for whom.
    fn end(&self, display: Option<Display>) -> Vec<Line> {
        let minutes = self.life.as_secs().div_ceil(60);
        let text = format!("The code is good for {minutes} min. {ONLY_IF}");
        let mut lines = vec![Line::plain("")];
        lines.extend(paragraph(&text, display));
        lines
    }
}

/// RFC 8628 §5.4.
const ONLY_IF: &str = "Go on only if you asked for it yourself.";

/// Text in as many lines as a display needs; one where its width is not known.
fn paragraph(text: &str, display: Option<Display>) -> Vec<Line> {
    let columns = display.map_or(usize::MAX, |display| display.screen.columns);
    wrap(text, columns).into_iter().map(Line::plain).collect()
}

fn joined(begin: Vec<Line>, picture: Vec<String>, end: Vec<Line>) -> String {
    let text = |lines: Vec<Line>| lines.into_iter().map(|line| line.text);
    let lines = text(begin).chain(picture).chain(text(end));
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Invitation, is_link, link, to_clipboard};
    use crate::context::{Display, Screen};

    const ADDRESS: &str = "https://login.example.com/device";
    const COMPLETE: &str = "https://login.example.com/device?user_code=WDJB-MJHT";

    fn display(columns: usize, lines: usize) -> Option<Display> {
        Some(Display {
            screen: Screen {
                columns,
                lines,
                does_sequences: true,
            },
            is_unicode: true,
        })
    }

    fn invitation() -> Invitation<'static> {
        Invitation {
            profile: "api",
            address: ADDRESS,
            complete: Some(COMPLETE),
            code: "WDJB-MJHT",
            message: None,
            life: Duration::from_secs(900),
            opens: false,
        }
    }

    /// What is seen of it: without hyperlinks and colours.
    fn seen(text: &str) -> String {
        let mut seen = String::new();
        let mut rest = text;
        while let Some((before, sequence)) = rest.split_once('\u{1b}') {
            seen.push_str(before);
            let end = match sequence.as_bytes() {
                [b'[', ..] => sequence.find('m').map(|end| end + 1),
                [b']', ..] => sequence.find("\u{1b}\\").map(|end| end + 2),
                _ => None,
            };
            rest = &sequence[end.expect("no other sequences are written")..];
        }
        seen + rest
    }

    #[test]
    fn plain_lines_hold_no_sequence_and_all_that_is_needed() {
        let text = invitation().text(None);
        assert_eq!(
            text,
            "\nTo sign in for profile `api`, open\n\n    https://login.example.com/device\n\n\
             on any device and enter the code\n\n    WDJB-MJHT\n\n\
             or open the link that holds it:\n\n    \
             https://login.example.com/device?user_code=WDJB-MJHT\n\n\
             The code is good for 15 min. Go on only if you asked for it yourself.\n"
        );
    }

    #[test]
    fn on_a_terminal_all_fits_and_the_code_stands_alone_whatever_its_size() {
        // Columns, lines, and whether a QR code fits.
        for (columns, lines, is_drawn) in [
            (40, 24, false),
            (40, 26, true),
            (40, 60, true),
            (80, 10, false),
            (80, 23, false),
            (80, 24, true),
            (80, 60, true),
            (200, 24, true),
            (200, 60, true),
        ] {
            let place = format!("{columns} × {lines}");
            let text = invitation().text(display(columns, lines));
            let seen = seen(&text);
            assert_eq!(text.contains('▀'), is_drawn, "{place}: {seen}");
            assert!(seen.lines().any(|line| line == "    WDJB-MJHT"), "{place}");
            assert!(text.contains("\u{1b}[1mWDJB-MJHT\u{1b}[0m"), "{place}");
            let words: Vec<&str> = seen.split_whitespace().collect();
            assert!(words.contains(&COMPLETE), "{place}: {seen}");
            let words = words.join(" ");
            for part in [
                "profile `api`",
                "enter the code",
                "Go on only if you asked for it yourself.",
            ] {
                assert!(words.contains(part), "{place}: {seen}");
            }
            let mut height = 0;
            for line in seen.lines() {
                let width = line.chars().count();
                height += width.div_ceil(columns).max(1);
                assert!(
                    width <= columns || line.contains("https://"),
                    "{place}: {line}"
                );
            }
            assert!(height < lines || !is_drawn, "{place}: {height}");
        }
    }

    #[test]
    fn no_picture_is_drawn_where_it_would_not_be_one() {
        let without = |invitation: Invitation<'_>, display: Option<Display>| {
            let text = invitation.text(display);
            assert!(!text.contains('▀'), "{text}");
        };
        let ascii = display(80, 60).map(|display| Display {
            is_unicode: false,
            ..display
        });
        without(invitation(), ascii);
        let complete = format!("{COMPLETE}&x={}", "x".repeat(900));
        for complete in [&complete, "http://login.example.com/device", "Look there"] {
            let complete = Some(complete);
            let long = Invitation {
                complete,
                ..invitation()
            };
            without(long, display(80, 60));
        }
    }

    #[test]
    fn what_the_authority_says_is_shown_unless_it_only_repeats_and_room_is_short() {
        let repeats = format!("To sign in, open {ADDRESS} and enter WDJB-MJHT.");
        for (message, lines, is_shown) in [
            ("Bring the blue token.", 24, true),
            ("Bring the blue token.", 60, true),
            (&repeats, 24, false),
            (&repeats, 60, true),
        ] {
            let message = Some(message);
            let text = Invitation {
                message,
                ..invitation()
            }
            .text(display(80, lines));
            assert_eq!(text.contains("The authority says"), is_shown, "{text}");
        }
    }

    #[test]
    fn a_link_goes_where_its_text_says_and_only_to_https_or_this_machine() {
        for (url, is_good) in [
            (COMPLETE, true),
            ("http://127.0.0.1:8080/device", true),
            ("http://localhost/device", true),
            ("https://id.example/#/device?code=A", true),
            ("http://id.example/device", false),
            ("javascript:alert(1)", false),
            ("file:///etc/passwd", false),
            ("https://login.example.com@evil.example/", false),
            ("https://xn--e1a.example/é", false),
            ("https://id.example/\u{1b}\\x", false),
            ("https://id.example/#\u{7}", false),
            ("https://id.example/a b", false),
            ("", false),
        ] {
            assert_eq!(is_link(url), is_good, "{url}");
            let expected = match is_good {
                true => format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}]8;;\u{1b}\\"),
                false => url.to_owned(),
            };
            assert_eq!(link(url, display(80, 24)), expected);
            assert_eq!(link(url, None), url);
        }
    }

    #[test]
    fn nothing_but_a_code_is_put_on_the_clipboard() {
        assert_eq!(
            to_clipboard("WDJB-MJHT"),
            "\u{1b}]52;c;V0RKQi1NSkhU\u{1b}\\"
        );
        let long = "A".repeat(65);
        for other in ["rm -rf ~", "A;B", "A\nB", "É", long.as_str()] {
            assert_eq!(to_clipboard(other), "", "{other}");
        }
    }
}
