//! Other programs: where they lie, and a command whose output is a secret.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::attempt::within;
use super::clock::SystemClock;
use super::platform;
use crate::context::{Clock, Environment};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::text::printable;

/// How much may a secret's command print?
const LONGEST: u64 = 64 * 1024;
/// How much may a tool print that is asked about itself?
const LONGEST_OF_A_TOOL: u64 = 16 * 1024 * 1024;

/// The program of that name on PATH. A file that cannot be started is it only where there is no other:
/// then the error tells why it cannot.
pub fn find(name: impl AsRef<OsStr>, environment: &dyn Environment) -> Option<PathBuf> {
    let name = name.as_ref();
    let mut file = name.to_owned();
    file.push(std::env::consts::EXE_SUFFIX);
    let first = |file: &OsStr, is_it: fn(&Path) -> bool| {
        let mut files = folders(environment).map(|folder| folder.join(file));
        files.find(|path| is_it(path))
    };
    first(&file, platform::is_program).or_else(|| first(name, Path::is_file))
}

/// The file that a command starts: what it names by a path, or what [`find`] finds. The operating system
/// itself looks into PATH's relative directories, too, and so wherever somebody happens to be.
pub(super) fn file_of(
    program: impl AsRef<OsStr>,
    environment: &dyn Environment,
) -> Result<PathBuf, &'static str> {
    let path = Path::new(&program);
    if path.is_absolute() || path.components().count() > 1 {
        return Ok(path.to_owned());
    }
    find(path, environment).ok_or("it is in no absolute directory of PATH")
}

/// The directories of PATH. Nothing is taken from wherever somebody happens to be.
pub fn folders(environment: &dyn Environment) -> impl Iterator<Item = PathBuf> {
    let paths = environment.variable("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    folders.into_iter().filter(|folder| folder.is_absolute())
}

/// Whether there is a process of that id; where that cannot be told, there is.
pub fn is_running(id: u32) -> bool {
    platform::is_running(id)
}

/// What can be told of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// There is none of that id.
    Gone,
    /// There is one.
    Here {
        /// How long ago it was started.
        age: Option<Duration>,
        /// The number of the user as whom it makes files.
        user: Option<u32>,
    },
    /// Nothing.
    Unknown,
}

/// What can be told of a process, by the ids that are seen from here: a container has its own.
pub fn life(id: u32) -> Life {
    platform::life(id)
}

/// The process that started this one, and its program, where that can be told.
pub fn parent() -> Option<(u32, Option<String>)> {
    let id = platform::parent()?;
    let program = platform::program_of(id);
    let program = program.map(|path| printable(&path.display().to_string()));
    Some((id, program))
}

/// Whether a program of that name has started this one, as far as that can be told.
pub fn is_child_of(name: &str) -> bool {
    platform::parent_name().is_some_and(|parent| parent == name)
}

/// Has a program run in our place, with our streams and our environment, and these variables; returns
/// its exit code. On Unix it is this process from then on, and nothing returns.
///
/// # Errors
/// `usage`, if it cannot be started.
pub fn run_in_our_place(
    program: &OsStr,
    words: &[OsString],
    variables: &[(String, Zeroizing<String>)],
    environment: &dyn Environment,
) -> Result<u8, Error> {
    let failed = |reason: &dyn Display| {
        let shown = printable(&program.to_string_lossy());
        Error::new(ErrorKind::Usage, format!("`{shown}` cannot be started"))
            .because(reason)
            .hint("check its name, and that it may be executed")
    };
    let file = file_of(program, environment).map_err(|reason| failed(&reason))?;
    let mut command = Command::new(file);
    command.args(words);
    command.envs(variables.iter().map(|(name, value)| (name, value.as_str())));
    platform::run_in_our_place(&mut command).map_err(|error| failed(&error))
}

/// This program's own file.
pub fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Runs a command and returns what it printed. Its stdin is empty; its stderr is ours.
///
/// # Errors
/// Why there is no output, in words that hold none of it.
pub fn output(
    command: &[String],
    limit: Duration,
    environment: &dyn Environment,
) -> Result<Secret, String> {
    output_with(command, &[], limit, environment)
}

/// The same with further environment variables.
///
/// # Errors
/// As [`output`].
pub fn output_with(
    command: &[String],
    variables: &[(&str, &str)],
    limit: Duration,
    environment: &dyn Environment,
) -> Result<Secret, String> {
    let (program, arguments) = command.split_first().ok_or("the command is empty")?;
    let file = file_of(program, environment)
        .map_err(|reason| format!("`{program}` cannot be started: {reason}"))?;
    let mut command = Command::new(file);
    command.args(arguments).envs(variables.iter().copied());
    run(&mut command, program, LONGEST, limit)
}

/// Asks a tool, in that directory, and returns what it printed. Its stdin is empty. What it says on
/// stderr is left out, unless it fails: then its first line is the reason.
///
/// # Errors
/// Why there is no output.
pub fn ask<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    directory: &Path,
    limit: Duration,
) -> Result<Secret, String> {
    let name = program.file_stem().unwrap_or(program.as_os_str());
    // A home may not be there; nothing of a tool's lies at the root.
    let directory = match directory.is_dir() {
        true => directory,
        false => Path::new(std::path::MAIN_SEPARATOR_STR),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .stderr(Stdio::piped());
    run(
        &mut command,
        &name.to_string_lossy(),
        LONGEST_OF_A_TOOL,
        limit,
    )
}

fn run(
    command: &mut Command,
    program: &str,
    longest: u64,
    limit: Duration,
) -> Result<Secret, String> {
    // A child lives in the machine's time, whatever clock decides about tokens.
    let clock = SystemClock::new();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let said = child.stderr.take().map(first_line);
    let pipe = child.stdout.take().expect("stdout was piped above");
    // A command that hangs, or leaves a child that does, is given up.
    let read = within(limit, move || {
        let mut text = String::new();
        let read = pipe.take(longest + 1).read_to_string(&mut text);
        let text = Secret::new(text);
        read.map(|_| text)
    });
    let text = match read {
        Some(Ok(text)) if text.expose().len() as u64 <= longest => Ok(text),
        Some(Ok(_)) => Err(format!("`{program}` printed more than {longest} bytes")),
        Some(Err(_)) => Err(format!("`{program}` printed something that is not UTF-8")),
        None => Err(no_answer(program, limit)),
    };
    let left = limit.saturating_sub(clock.monotonic());
    // Whoever said too much, or nothing in time, is not waited for.
    let left = if text.is_err() { Duration::ZERO } else { left };
    match end(&mut child, left, &clock) {
        Some(status) if text.is_ok() && !status.success() => {
            let reason = said.and_then(|said| said.recv_timeout(limit).ok());
            Err(match reason.filter(|reason| !reason.is_empty()) {
                Some(reason) => format!("`{program}` failed: {reason}"),
                None => format!("`{program}` failed ({status})"),
            })
        }
        None if text.is_ok() => Err(no_answer(program, limit)),
        _ => text,
    }
}

/// Reads a pipe to its end, so that nobody waits for room in it; the first line that says anything.
fn first_line(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let _thread = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut pipe = pipe.take(LONGEST_OF_A_TOOL);
        // What was read before a failure is what there is to say.
        drop(pipe.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().map(printable);
        drop(sender.send(lines.find(|line| !line.is_empty()).unwrap_or_default()));
    });
    receiver
}

fn no_answer(program: &str, limit: Duration) -> String {
    format!("`{program}` gave no answer within {} s", limit.as_secs())
}

/// Waits for the end of a command; one that does not come is brought about.
pub(super) fn end(child: &mut Child, limit: Duration, clock: &SystemClock) -> Option<ExitStatus> {
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
    use crate::context::Environment;

    struct SystemFolders;

    impl Environment for SystemFolders {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "PATH").then(|| "/usr/bin:/bin".to_owned())
        }
    }

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
            let came = output(&command, Duration::from_millis(limit), &SystemFolders);
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
