//! The person's browser: which program opens it, and whether there is one on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::clock::SystemClock;
use super::listener::Listener;
use super::{container, platform, process};
use crate::context::{Browser, Clock, Environment, LoopbackHost, Visitors};

/// The browser that the environment and the operating system name.
pub struct SystemBrowser<'a> {
    environment: &'a dyn Environment,
    /// The file that tells that this is a container.
    container_mark: fn() -> Option<&'static str>,
}

/// What may open a URL.
struct Found {
    /// Its commands, best first.
    commands: Vec<Vec<String>>,
    /// What tells that there is something.
    told_by: String,
}

impl<'a> SystemBrowser<'a> {
    /// The browser of whoever has this environment.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Self {
            environment,
            container_mark: platform::container_mark,
        }
    }

    /// What may open a URL, or why there is nothing.
    fn look(&self) -> Result<Found, String> {
        let variable = |name: &str| self.environment.variable(name);
        let found = |commands: &[&str], told_by: String| Found {
            commands: commands.iter().map(|command| words(command)).collect(),
            told_by,
        };
        match variable("CRED_HELPER_BROWSER").as_deref() {
            Some("none") => return Err("CRED_HELPER_BROWSER is `none`".to_owned()),
            Some(command) => return Ok(found(&[command], "CRED_HELPER_BROWSER".to_owned())),
            None => {}
        }
        if let Some(list) = variable("BROWSER") {
            let commands: Vec<&str> = list.split(platform::LIST_SEPARATOR).collect();
            return Ok(found(&commands, "BROWSER".to_owned()));
        }
        for name in ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"] {
            if variable(name).is_some() {
                return Err(format!("this is SSH ({name} is set)"));
            }
        }
        if self.environment.is_ci() {
            return Err("this is CI (CI is set)".to_owned());
        }
        if let Some(distribution) = variable("WSL_DISTRO_NAME") {
            let commands = ["wslview", "rundll32.exe url.dll,FileProtocolHandler"];
            return Ok(found(&commands, format!("WSL, `{distribution}`")));
        }
        // A container can be part of a desktop: then there is a display.
        let mark = || container::mark(self.environment, (self.container_mark)());
        let (commands, told_by) =
            platform::browsers(self.environment).map_err(|reason| match mark() {
                Some(mark) => format!("this is a container ({mark}), and {reason}"),
                None => format!("there is no desktop: {reason}"),
            })?;
        Ok(found(commands, told_by))
    }

    /// The file that a command starts, if it is there. What is relative is not meant: who opens a browser
    /// may be anywhere.
    fn file(&self, command: &[String]) -> Option<PathBuf> {
        let path = process::file_of(command.first()?, self.environment).ok()?;
        (path.is_absolute() && path.is_file()).then_some(path)
    }
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(String::from).collect()
}

impl Browser for SystemBrowser<'_> {
    fn found(&self) -> Result<String, String> {
        let Found { commands, told_by } = self.look()?;
        let program = |command: &Vec<String>| command.first().cloned().unwrap_or_default();
        match commands.iter().find(|command| self.file(command).is_some()) {
            Some(command) => Ok(format!("`{}`, {told_by}", program(command))),
            None => {
                let names: Vec<String> = commands.iter().map(program).collect();
                let names = names.join("` and no `");
                Err(format!("there is no `{names}` ({told_by})"))
            }
        }
    }

    fn open(&self, url: &str) -> Result<(), String> {
        let mut problem = "there is no browser".to_owned();
        for command in self.look()?.commands {
            let Some(file) = self.file(&command) else {
                continue;
            };
            match start(&file, &command, url) {
                Ok(()) => return Ok(()),
                Err(reason) => problem = reason,
            }
        }
        Err(problem)
    }

    fn listen(
        &self,
        host: LoopbackHost,
        port: Option<u16>,
    ) -> Result<Box<dyn Visitors>, std::io::Error> {
        Ok(Box::new(Listener::open(host, port)?))
    }
}

/// Starts a browser with a URL, in place of `%s` or as the last argument, and leaves it alone.
fn start(file: &Path, command: &[String], url: &str) -> Result<(), String> {
    /// How soon does a program that opens nothing say so?
    const SOON: Duration = Duration::from_millis(1000);
    const PAUSE: Duration = Duration::from_millis(20);
    let (program, arguments) = command.split_first().ok_or("the command is empty")?;
    let has_place = arguments.iter().any(|argument| argument.contains("%s"));
    let mut arguments: Vec<String> = arguments
        .iter()
        .map(|argument| argument.replace("%s", url))
        .collect();
    if !has_place {
        arguments.push(url.to_owned());
    }
    let mut starter = Command::new(file);
    // Ctrl-C at this terminal is not for the browser, which may go on with all of its pages.
    platform::leave_group(&mut starter);
    let mut child = starter
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let clock = SystemClock::new();
    while clock.monotonic() < SOON {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{program}` failed ({status})")),
            Ok(None) => {}
            Err(_) => return Ok(()),
        }
        if clock.sleep(PAUSE).is_err() {
            break;
        }
    }
    // Where this process goes on, as `serve` does, the end of the browser is not left lying about.
    let _thread = std::thread::spawn(move || drop(child.wait()));
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::collections::BTreeMap;

    use super::SystemBrowser;
    use crate::context::{Browser, Environment};

    struct Variables(BTreeMap<&'static str, &'static str>);

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }
    }

    /// What there is in this environment, on a machine that is a container or not.
    fn look(
        variables: &[(&'static str, &'static str)],
        is_container: bool,
    ) -> Result<String, String> {
        let environment = Variables(variables.iter().copied().collect());
        let browser = SystemBrowser {
            environment: &environment,
            container_mark: if is_container {
                || Some("/.dockerenv")
            } else {
                || None
            },
        };
        let found = browser.look()?;
        let lines: Vec<String> = found.commands.iter().map(|words| words.join(" ")).collect();
        Ok(format!("{}; {}", lines.join("|"), found.told_by))
    }

    #[test]
    fn the_environment_says_whether_there_is_a_browser_and_which() {
        for (variables, expected) in [
            (
                &[("CRED_HELPER_BROWSER", "firefox -P work"), ("CI", "true")][..],
                Ok("firefox -P work; CRED_HELPER_BROWSER"),
            ),
            (
                &[("CRED_HELPER_BROWSER", "none"), ("BROWSER", "x")],
                Err("CRED_HELPER_BROWSER is `none`"),
            ),
            (
                &[("BROWSER", "one:two %s"), ("SSH_TTY", "/dev/pts/1")],
                Ok("one|two %s; BROWSER"),
            ),
            (
                &[("SSH_CONNECTION", "a"), ("DISPLAY", ":0")],
                Err("this is SSH (SSH_CONNECTION is set)"),
            ),
            (
                &[("SSH_TTY", "/dev/pts/1"), ("WSL_DISTRO_NAME", "Debian")],
                Err("this is SSH (SSH_TTY is set)"),
            ),
            (
                &[("CI", "1"), ("DISPLAY", ":0")],
                Err("this is CI (CI is set)"),
            ),
            (
                &[("CI", "false"), ("WSL_DISTRO_NAME", "Debian")],
                Ok("wslview|rundll32.exe url.dll,FileProtocolHandler; WSL, `Debian`"),
            ),
        ] {
            // Whoever says it does so in a container too.
            for is_container in [false, true] {
                let found = look(variables, is_container);
                let found = found.as_deref().map_err(String::as_str);
                assert_eq!(found, expected, "{variables:?}");
            }
        }
    }

    #[test]
    fn a_display_tells_of_a_desktop_and_without_one_a_container_is_named() {
        const UNSET: &str = "neither WAYLAND_DISPLAY nor DISPLAY is set";
        let desktop = |told_by| Ok(format!("xdg-open|sensible-browser; {told_by}"));
        let container = |mark| Err(format!("this is a container (`{mark}`), and {UNSET}"));
        for (variables, is_container, expected) in [
            (&[("DISPLAY", ":0")][..], false, desktop("display `:0`")),
            (
                &[("DISPLAY", ":0"), ("WAYLAND_DISPLAY", "wayland-1")],
                false,
                desktop("Wayland display `wayland-1`"),
            ),
            (&[("DISPLAY", ":0")], true, desktop("display `:0`")),
            (&[], false, Err(format!("there is no desktop: {UNSET}"))),
            (&[], true, container("/.dockerenv")),
            (&[("container", "podman")], false, container("podman")),
            (&[("container", "podman")], true, container("/.dockerenv")),
        ] {
            let is_mac = std::env::consts::OS == "macos";
            let of_mac = || Ok("/usr/bin/open; macOS".to_owned());
            let expected = if is_mac { of_mac() } else { expected };
            assert_eq!(look(variables, is_container), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_browser_is_one_that_can_be_started() {
        let found = |browser| {
            let variables = [("BROWSER", browser), ("PATH", "/usr/bin:/bin")];
            let environment = Variables(variables.into_iter().collect());
            let browser = SystemBrowser::new(&environment);
            (browser.found(), browser.open("https://id.example/"))
        };
        let named = |program| Ok(format!("`{program}`, BROWSER"));
        assert_eq!(found("true"), (named("true"), Ok(())));
        assert_eq!(found("nowhere:true"), (named("true"), Ok(())));
        assert_eq!(found("false:true"), (named("false"), Ok(())));
        let (there, opened) = found("false");
        assert_eq!(there, named("false"));
        assert!(opened.is_err_and(|reason| reason.contains("`false` failed")));
        // What stands in the working directory is not meant, whatever PATH says.
        let variables = [("BROWSER", "Cargo.toml:src/lib.rs"), ("PATH", ".:")];
        let environment = Variables(variables.into_iter().collect());
        let there = SystemBrowser::new(&environment).found();
        let none = "there is no `Cargo.toml` and no `src/lib.rs` (BROWSER)";
        assert_eq!(there, Err(none.to_owned()));
        let (there, opened) = found("nowhere:x");
        let none = "there is no `nowhere` and no `x` (BROWSER)";
        assert_eq!(there, Err(none.to_owned()));
        assert!(opened.is_err());
    }
}
