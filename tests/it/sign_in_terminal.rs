//! A sign-in with a code on a real pseudo-terminal: what is seen there in the end, whatever its size, and
//! that nothing is written to it but what is meant to be.

use std::fs;
use std::process::Command;
use std::thread;

use cred_helper::encoding::from_base64;

use crate::authority::{Endpoint, Fault, Settings};
use crate::oidc_ground::eventually;
use crate::scene::{Scene, at_once, profile};

/// What a line is begun with that takes a terminal of this size for a good one.
fn good(columns: usize, lines: usize) -> String {
    format!("stty cols {columns} rows {lines}; export TERM=xterm-256color LC_ALL=C.UTF-8")
}

/// A scene where the first poll approves, with this behind its profile.
fn scene(more: &str) -> Scene {
    Scene::of(at_once(), |issuer| profile("api", issuer) + more)
}

/// What is seen of a line's terminal of that size in the end.
fn seen(scene: &Scene, columns: usize, lines: usize, command: &str) -> Seen {
    let line = format!("{}; {command}", good(columns, lines));
    Seen::of(&scene.sandbox.in_terminal(&line).wait(), columns)
}

/// The code that is shown.
fn code(text: &str) -> String {
    let (_, after) = text.split_once("enter the code").expect("it is shown");
    let code = after.split_whitespace().next();
    code.expect("it is there").to_owned()
}

/// A character, and whether it is black on white.
type Cell = (char, bool);

/// A terminal that knows the sequences that a sign-in may write, and no other.
#[derive(Debug, Default)]
struct Seen {
    lines: Vec<Vec<Cell>>,
    /// What is clicked on, and where that leads.
    links: Vec<(String, String)>,
    clipboard: Vec<String>,
}

impl Seen {
    fn of(shown: &str, columns: usize) -> Self {
        let mut seen = Self {
            lines: vec![Vec::new()],
            ..Self::default()
        };
        let (mut column, mut is_picture) = (0, false);
        let mut rest = shown;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            match character {
                '\r' => column = 0,
                '\n' => seen.lines.push(Vec::new()),
                '\u{1b}' => {
                    let (sequence, after) = sequence(rest);
                    rest = after;
                    match sequence {
                        "[K" => {
                            let line = seen.lines.last_mut().expect("there is one");
                            line.truncate(column);
                        }
                        // The code, and the labels of an error.
                        "[1m" | "[1;31m" | "[1;33m" | "[1;36m" => {}
                        "[0m" => is_picture = false,
                        "[38;5;16;48;5;231m" => is_picture = true,
                        "]8;;" => {}
                        other => seen.command(other, rest),
                    }
                }
                character => {
                    assert!(!character.is_control(), "{character:?}: {shown:?}");
                    if column == columns {
                        seen.lines.push(Vec::new());
                        column = 0;
                    }
                    let line = seen.lines.last_mut().expect("there is one");
                    line.resize(line.len().max(column + 1), (' ', false));
                    line[column] = (character, is_picture);
                    column += 1;
                }
            }
        }
        seen
    }

    fn command(&mut self, sequence: &str, rest: &str) {
        if let Some(code) = sequence.strip_prefix("]52;c;") {
            let code = from_base64(code).expect("the clipboard is given base64");
            let code = String::from_utf8(code).expect("a code is text");
            self.clipboard.push(code);
        } else if let Some(target) = sequence.strip_prefix("]8;;") {
            let (text, _) = rest.split_once('\u{1b}').expect("a link ends");
            self.links.push((text.to_owned(), target.to_owned()));
        } else {
            panic!("{sequence:?} has no place in a sign-in");
        }
    }

    fn text(&self) -> String {
        let text = |line: &Vec<Cell>| {
            let text: String = line.iter().map(|(character, _)| character).collect();
            text.trim_end().to_owned()
        };
        self.lines.iter().map(text).collect::<Vec<_>>().join("\n")
    }

    /// The height and the text of the QR code, as a camera reads it.
    fn picture(&self, scene: &Scene) -> Option<(usize, String)> {
        let is_picture = |line: &&Vec<Cell>| line.iter().any(|(_, is_picture)| *is_picture);
        let lines: Vec<&Vec<Cell>> = self.lines.iter().filter(is_picture).collect();
        let first = lines.first()?;
        let (width, height) = (first.len(), lines.len() * 2);
        let mut bitmap = Vec::new();
        for line in &lines {
            assert_eq!(line.len(), width, "it is a rectangle");
            assert!(line.iter().all(|(_, is_picture)| *is_picture));
            let row = |dark: [char; 2]| {
                let dots = line.iter().flat_map(|(dot, _)| {
                    let dot = if dark.contains(dot) { "1 " } else { "0 " };
                    [dot; 4]
                });
                dots.collect::<String>() + "\n"
            };
            bitmap.extend([row(['▀', '█']), row(['▄', '█'])]);
        }
        let rows: String = bitmap.iter().flat_map(|row| [row.as_str(); 4]).collect();
        let file = scene.file("picture.pbm");
        let bitmap = format!("P1\n{} {}\n{rows}", width * 4, height * 4);
        fs::write(&file, bitmap).expect("it can be written");
        let output = Command::new("zbarimg")
            .args(["-q", "--raw", "-Sdisable", "-Sqrcode.enable"])
            .arg(file)
            .output()
            .expect("zbarimg (zbar-tools) starts");
        let text = String::from_utf8(output.stdout).expect("the link is text");
        Some((lines.len(), text.trim_end().to_owned()))
    }
}

/// What follows an escape character: up to the `m` or `K` of a control sequence, or in a command of the
/// operating system; and what is after it.
fn sequence(rest: &str) -> (&str, &str) {
    if rest.starts_with(']') {
        return rest.split_once("\u{1b}\\").expect("a command ends");
    }
    let is_end = |character: char| character.is_ascii_alphabetic();
    rest.split_at(rest.find(is_end).expect("a sequence ends") + 1)
}

#[test]
fn a_camera_reads_the_link_from_a_terminal_of_any_size_and_all_of_it_is_seen_at_once() {
    // The last one is too small for a picture.
    let sizes = [(40, 60), (80, 24), (200, 50), (80, 20)];
    thread::scope(|threads| {
        for (columns, lines) in sizes {
            threads.spawn(move || {
                let scene = scene("");
                let seen = seen(&scene, columns, lines, "cred-helper get >answer");
                let text = seen.text();
                let address = scene.authority.url("/device");
                let code = code(&text);
                let complete = format!("{address}?user_code={code}");
                let has = |line: &str| text.lines().any(|own| own == line);
                assert!(has(&format!("    {code}")), "{text}");
                assert!(text.contains("Signed in as ada@example.test for"), "{text}");
                assert!(text.contains("; the token is good until 20"), "{text}");
                assert!(!text.contains("left"), "the countdown is gone: {text}");
                for (text, target) in &seen.links {
                    assert_eq!(text, target);
                }
                let mut targets = seen.links.iter().map(|(_, target)| target);
                assert!(
                    targets.any(|target| *target == complete),
                    "{:?}",
                    seen.links
                );
                assert!(seen.clipboard.is_empty(), "{:?}", seen.clipboard);
                let picture = seen.picture(&scene);
                if lines == 20 {
                    assert_eq!(picture, None, "{text}");
                } else {
                    let (_, read) = picture.unwrap_or_else(|| panic!("none: {text}"));
                    assert_eq!(read, complete, "{columns} × {lines}");
                    let end = text.find("\n\nSigned in").expect("it is said");
                    let height = text[..end].lines().count();
                    assert!(height < lines, "{height}: {text}");
                }
            });
        }
    });
}

#[test]
fn plain_lines_are_shown_where_more_would_be_in_the_way() {
    let ways = [
        ("stty cols 80; export TERM=dumb", ""),
        ("stty cols 39 rows 60; export TERM=xterm LC_ALL=C.UTF-8", ""),
        ("export TERM=xterm LC_ALL=C.UTF-8 NO_COLOR=1", ""),
        ("export TERM=xterm LC_ALL=C.UTF-8", "--color never"),
        ("unset TERM", "--color always"),
    ];
    thread::scope(|threads| {
        for (environment, option) in ways {
            threads.spawn(move || {
                let scene = scene("[sign_in]\nclipboard = true\n");
                let line = format!("{environment}; cred-helper login {option} <&- >&-");
                let shown = scene.sandbox.in_terminal(&line).wait();
                let code = code(&shown);
                let address = scene.authority.url("/device");
                let expected = format!(
                    "\r\nTo sign in for profile `api`, open\r\n\r\n    {address}\r\n\r\n\
                     on any device and enter the code\r\n\r\n    {code}\r\n\r\n\
                     or open the link that holds it:\r\n\r\n    {address}?user_code={code}\r\n\r\n\
                     The code is good for 15 min. Go on only if you asked for it yourself.\r\n\r\n\
                     Signed in as ada@example.test for profile `api`; "
                );
                assert!(shown.starts_with(&expected), "{line}: {shown:?}");
                assert!(!shown.contains('\u{1b}'), "{line}: {shown:?}");
            });
        }
    });
}

#[test]
fn the_clipboard_is_given_the_code_and_nothing_else_where_somebody_wants_that() {
    let scene = scene("[sign_in]\nclipboard = true\n");
    let seen = seen(&scene, 80, 24, "cred-helper login");
    assert_eq!(seen.clipboard, [code(&seen.text())]);
}

#[test]
fn an_authority_moves_no_cursor_hides_nothing_and_links_nowhere_else() {
    let scene = scene("[sign_in]\nclipboard = true\n");
    let hostile = |members: &mut serde_json::Map<String, serde_json::Value>| {
        for (name, text) in [
            ("user_code", "AB\u{1b}[2J;\u{7}rm -rf ~\u{9b}31m\u{202e}"),
            (
                "verification_uri",
                "https://id.example\u{1b}]8;;https://evil.example\u{1b}\\/x",
            ),
            ("verification_uri_complete", "javascript:alert(1)"),
            ("message", "Go\r\u{1b}[1A on\u{1b}]52;c;cm0=\u{7}\u{200b}!"),
        ] {
            members.insert(name.to_owned(), text.into());
        }
    };
    let edit = Fault::edit(hostile);
    scene.authority.script(Endpoint::DeviceAuthorization, edit);
    // Each sequence that is not our own ends the test.
    let seen = seen(&scene, 80, 60, "cred-helper login");
    let text = seen.text();
    assert!(text.contains("\n    AB[2J;rm -rf ~31m\n"), "{text}");
    assert!(
        text.contains("The authority says: Go [1A on]52;c;cm0=!"),
        "{text}"
    );
    assert_eq!(seen.links, [], "neither is a plain URL: {text}");
    assert_eq!(seen.picture(&scene), None, "{text}");
    assert!(seen.clipboard.is_empty(), "{:?}", seen.clipboard);
}

#[test]
fn seconds_are_counted_in_one_line_that_is_gone_when_anything_else_is_said() {
    let scene = Scene::of(Settings::default(), |issuer| profile("api", issuer));
    let line = format!("{}; cred-helper login --verbose", good(80, 24));
    let (terminal, keyboard) = scene.sandbox.with_keyboard(&line);
    for left in ["15:00", "14:59"] {
        let line = format!("Waiting for the sign-in: {left} left");
        eventually("it counts", || keyboard.sees().contains(&line));
    }
    scene.authority.approve_newest();
    let seen = Seen::of(&terminal.wait(), 80);
    let text = seen.text();
    assert!(!text.contains("left"), "{text}");
    let (_, after) = text
        .split_once("asked for it yourself.\n")
        .expect("it is said");
    let is_debug = |line: &&str| line.starts_with("debug: ");
    assert!(after.lines().any(|line| is_debug(&line)), "{after}");
    assert!(
        after.contains("\n\nSigned in as ada@example.test"),
        "{after}"
    );
}

#[test]
fn ctrl_c_leaves_a_clean_line() {
    let scene = Scene::of(Settings::default(), |issuer| profile("api", issuer));
    let line = format!("{}; cred-helper login; echo code $?", good(80, 24));
    let (terminal, mut keyboard) = scene.sandbox.with_keyboard(&line);
    eventually("it counts", || keyboard.sees().contains(" left"));
    keyboard.type_in("\u{3}");
    let (_, shown) = terminal.end();
    let text = Seen::of(&shown, 80).text();
    assert!(!text.contains("left") && !text.contains("^C"), "{text}");
    assert!(text.contains("yourself.\n\nerror: interrupted"), "{text}");
}

#[test]
fn who_runs_behind_a_shell_counts_nothing_into_its_line() {
    let scene = Scene::of(Settings::default(), |issuer| profile("api", issuer));
    // With job control it is in a group of its own, and the terminal is the shell's.
    let command = format!("{}; set -m; cred-helper login & wait", good(80, 24));
    let terminal = scene.sandbox.in_terminal(&command);
    scene
        .authority
        .wait_until(|state| state.count("/token", None) > 0);
    scene.authority.approve_newest();
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as"), "{shown}");
    assert!(!shown.contains("left"), "{shown}");
}

#[test]
fn who_types_is_asked_once_whether_a_new_code_is_wanted_after_one_ran_out() {
    // What is typed, whether somebody signs in then, how many codes there were, and the exit code.
    let ways = [
        ("y\n", true, 2, 0),
        ("y\n", false, 2, 4),
        ("\n", true, 1, 4),
    ];
    thread::scope(|threads| {
        for (answer, comes, count, code) in ways {
            threads.spawn(move || {
                let settings = Settings {
                    device_code_lifetime: 1,
                    ..Settings::default()
                };
                let scene = Scene::of(settings, |issuer| profile("api", issuer));
                let line = format!("{}; cred-helper login", good(80, 24));
                let (terminal, mut keyboard) = scene.sandbox.with_keyboard(&line);
                eventually("it asks", || keyboard.sees().contains("A new one? [y/N]"));
                scene.authority.set(|settings| {
                    settings.approve_at_once = comes;
                    settings.device_code_lifetime = if comes { 900 } else { 1 };
                });
                keyboard.type_in(answer);
                let (ended, shown) = terminal.end();
                assert_eq!(ended, Some(code), "{shown}");
                let asked = scene.authority.count("/device_authorization", None);
                assert_eq!(asked, count, "{shown}");
                let shown = Seen::of(&shown, 80).text();
                assert_eq!(shown.matches("A new one?").count(), 1, "{shown}");
                let hint = shown.contains("hint: run `cred-helper login -p api`");
                assert_eq!(hint, code == 4, "{shown}");
            });
        }
    });
}

#[test]
fn the_browser_is_opened_for_auto_alone_where_the_authority_has_but_the_code() {
    thread::scope(|threads| {
        for (option, is_opened) in [("", true), ("--no-browser", false)] {
            threads.spawn(move || {
                let settings = Settings {
                    metadata: vec![("authorization_endpoint".to_owned(), serde_json::Value::Null)],
                    ..at_once()
                };
                let scene = Scene::of(settings, |issuer| profile("api", issuer));
                crate::browser_ground::install(&scene.sandbox);
                let line = format!(
                    "{}; BROWSER=browser cred-helper login {option}",
                    good(80, 24)
                );
                let shown = scene.sandbox.in_terminal(&line).wait();
                let code = code(&Seen::of(&shown, 80).text());
                assert!(
                    shown.contains(&format!("    \u{1b}[1m{code}\u{1b}[0m")),
                    "{shown}"
                );
                assert_eq!(
                    shown.contains("the browser that opens now"),
                    is_opened,
                    "{shown}"
                );
                let page = scene.file("page");
                if is_opened {
                    eventually("the browser opens", || page.exists());
                    let url = fs::read_to_string(page).expect("it was written whole");
                    let complete = scene.authority.url(&format!("/device?user_code={code}"));
                    assert_eq!(url, complete);
                } else {
                    assert!(!page.exists(), "{shown}");
                }
            });
        }
    });
}

#[test]
fn the_address_of_a_sign_in_with_a_browser_can_be_clicked_on_and_its_seconds_are_counted() {
    let page = "https://id.example/authorize";
    let settings = Settings {
        metadata: vec![("authorization_endpoint".to_owned(), page.into())],
        ..at_once()
    };
    let scene = Scene::of(settings, |issuer| profile("api", issuer));
    crate::browser_ground::install(&scene.sandbox);
    let line = format!("{}; BROWSER=browser cred-helper login", good(40, 24));
    let (terminal, mut keyboard) = scene.sandbox.with_keyboard(&line);
    let counts = "Waiting for the sign-in: 9:59 left";
    eventually("it counts", || keyboard.sees().contains(counts));
    keyboard.type_in("\u{3}");
    let (_, shown) = terminal.end();
    let seen = Seen::of(&shown, 40);
    let opened = fs::read_to_string(scene.file("page")).expect("the browser opened it");
    assert!(opened.starts_with(page), "{opened}");
    assert_eq!(seen.links, [(opened.clone(), opened)]);
    let text = seen.text();
    assert!(!text.contains("left") && !text.contains("^C"), "{text}");
}

#[test]
fn nobody_who_reads_the_answer_is_no_reason_to_panic() {
    let scene = scene("");
    let line = format!(
        "{}; cred-helper get 2>errors | true; echo over",
        good(80, 24)
    );
    let shown = scene.sandbox.in_terminal(&line).wait();
    assert!(shown.contains("over"), "{shown}");
    let errors = fs::read_to_string(scene.file("errors")).expect("the shell made it");
    assert!(!errors.contains("panicked"), "{errors}");
}
