//! The person's browser: which program opens it, and whether there is one on this machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::clock::SystemClock;
use super::listener::Listener;
use super::platform;
use crate::context::{Browser, Clock, Environment, LoopbackHost, Visitors};

/// The browser that the environment and the operating system name.
pub struct SystemBrowser<'a> {
    environment: &'a dyn Environment,
}

impl<'a> SystemBrowser<'a> {
    /// The browser of whoever has this environment.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Self { environment }
    }

    /// The commands that may open a URL, best first, or why there is none.
    fn commands(&self) -> Result<Vec<Vec<String>>, String> {
        let variable = |name: &str| self.environment.variable(name);
        match variable("CRED_HELPER_BROWSER").as_deref() {
            Some("none") => return Err("CRED_HELPER_BROWSER is `none`".to_owned()),
            Some(command) => return Ok(vec![words(command)]),
            None => {}
        }
        if let Some(list) = variable("BROWSER") {
            return Ok(list.split(platform::LIST_SEPARATOR).map(words).collect());
        }
        for name in ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"] {
            if variable(name).is_some() {
                return Err(format!("{name} is set: the person is elsewhere"));
            }
        }
        let is_windows_below = variable("WSL_DISTRO_NAME").is_some();
        if is_windows_below {
            return Ok(vec![
                words("wslview"),
                words("rundll32.exe url.dll,FileProtocolHandler"),
            ]);
        }
        let commands = platform::browsers(self.environment)?;
        Ok(commands.iter().copied().map(words).collect())
    }

    fn is_there(&self, command: &[String]) -> bool {
        let Some(program) = command.first() else {
            return false;
        };
        if Path::new(program).components().count() > 1 {
            return Path::new(program).is_file();
        }
        let path = self.environment.variable("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| {
            let names = [program.clone(), format!("{program}.exe")];
            names.iter().any(|name| folder.join(name).is_file())
        })
    }
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(String::from).collect()
}

impl Browser for SystemBrowser<'_> {
    fn missing(&self) -> Option<String> {
        match self.commands() {
            Err(reason) => Some(reason),
            Ok(commands) if commands.iter().any(|command| self.is_there(command)) => None,
            Ok(commands) => {
                let names: Vec<&str> = commands
                    .iter()
                    .filter_map(|command| command.first().map(String::as_str))
                    .collect();
                Some(format!("there is no `{}`", names.join("` and no `")))
            }
        }
    }

    fn open(&self, url: &str) -> Result<(), String> {
        let mut problem = "there is no browser".to_owned();
        for command in self.commands()? {
            if !self.is_there(&command) {
                continue;
            }
            match start(&command, url) {
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
fn start(command: &[String], url: &str) -> Result<(), String> {
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
    let mut starter = Command::new(program);
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

    #[test]
    fn the_environment_says_whether_there_is_a_browser_and_which() {
        for (variables, expected) in [
            (
                &[("CRED_HELPER_BROWSER", "firefox -P work")][..],
                Ok("firefox -P work"),
            ),
            (
                &[("CRED_HELPER_BROWSER", "none"), ("BROWSER", "x")],
                Err("`none`"),
            ),
            (
                &[("BROWSER", "one:two %s"), ("SSH_TTY", "/dev/pts/1")],
                Ok("one|two %s"),
            ),
            (
                &[("SSH_CONNECTION", "a"), ("DISPLAY", ":0")],
                Err("SSH_CONNECTION"),
            ),
            (
                &[("WSL_DISTRO_NAME", "Debian")],
                Ok("wslview|rundll32.exe url.dll,FileProtocolHandler"),
            ),
        ] {
            let environment = Variables(variables.iter().copied().collect());
            let found = SystemBrowser::new(&environment).commands();
            let found = found.map(|commands| {
                let lines: Vec<String> = commands.iter().map(|words| words.join(" ")).collect();
                lines.join("|")
            });
            match expected {
                Ok(line) => assert_eq!(found.as_deref(), Ok(line)),
                Err(reason) => assert!(found.is_err_and(|error| error.contains(reason))),
            }
        }
    }

    #[test]
    fn a_browser_is_one_that_can_be_started() {
        let found = |browser| {
            let variables = [("BROWSER", browser), ("PATH", "/usr/bin:/bin")];
            let environment = Variables(variables.into_iter().collect());
            let browser = SystemBrowser::new(&environment);
            (browser.missing(), browser.open("https://id.example/"))
        };
        assert_eq!(found("true"), (None, Ok(())));
        assert_eq!(found("nowhere:true"), (None, Ok(())));
        assert_eq!(found("false:true"), (None, Ok(())));
        let (missing, opened) = found("false");
        assert_eq!(missing, None);
        assert!(opened.is_err_and(|reason| reason.contains("`false` failed")));
        let (missing, opened) = found("nowhere");
        assert!(missing.is_some_and(|reason| reason.contains("nowhere")));
        assert!(opened.is_err());
    }
}
