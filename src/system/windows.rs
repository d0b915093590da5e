//! What differs on Windows: files inherit the access rights of the user's profile directory.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use terminal_size::{Height, Width, terminal_size_of};

use super::clock::SystemClock;
use super::process::{self, Life};
use super::terminal::Echo;
use crate::context::{Clock, Environment};

/// The signal of a terminal that is closed: there is none.
pub const HANG_UP: Option<i32> = None;

/// Whether whoever started the process had it ignore a signal: there is no such thing.
pub fn is_ignored(_signal: i32) -> bool {
    false
}

/// The keyboard of the console.
pub struct Keyboard {
    lines: mpsc::Receiver<Vec<u8>>,
    left: Vec<u8>,
}

impl Keyboard {
    /// `None`, if stdin is no console, or what is typed must not be seen: to hide it takes what is not
    /// safe code. The thread that reads is left behind: nothing ends it before
    /// the process ends.
    pub fn open(echo: Echo) -> Option<Self> {
        if echo == Echo::Hidden || !io::stdin().is_terminal() {
            return None;
        }
        let (sender, lines) = mpsc::channel();
        let _thread = std::thread::spawn(move || {
            let mut line = String::new();
            while matches!(io::stdin().read_line(&mut line), Ok(count) if count > 0) {
                if sender.send(std::mem::take(&mut line).into_bytes()).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            lines,
            left: Vec::new(),
        })
    }
}

impl Read for Keyboard {
    /// What was typed; nothing, if that was nothing.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() {
            self.left = self.lines.try_recv().unwrap_or_default();
        }
        let count = self.left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.left[..count]);
        self.left.drain(..count);
        Ok(count)
    }
}

/// What stands between the commands of `BROWSER`.
pub const LIST_SEPARATOR: char = ';';

/// The command that opens a URL, and what tells that there is one.
///
/// # Errors
/// None: there always is one.
pub fn browsers(
    _environment: &dyn Environment,
) -> Result<(&'static [&'static str], String), String> {
    let commands = &["rundll32.exe url.dll,FileProtocolHandler"];
    Ok((commands, "Windows".to_owned()))
}

/// The file that tells that this is a container: here there is none.
pub fn container_mark() -> Option<&'static str> {
    None
}

/// `CREATE_NO_WINDOW`: a console program that is started by one without a console shows none.
const NO_WINDOW: u32 = 0x0800_0000;

/// Has a program started in a group of its own, beyond the reach of this console and its Ctrl-C.
pub fn leave_group(command: &mut Command) {
    /// `CREATE_NEW_PROCESS_GROUP`.
    const NEW_GROUP: u32 = 0x200;
    command.creation_flags(NEW_GROUP | NO_WINDOW);
}

/// Refuses to start a program that is to go on when this one has ended: it would hold the pipe that the
/// caller reads our answer from, and the caller would wait for it.
///
/// # Errors
/// Always.
pub fn detach(_command: &mut Command) -> Result<(), String> {
    Err("on Windows the caller would wait for it".to_owned())
}

/// Whether this process ends with others, as in a container: Windows has other marks for that.
pub fn is_in_a_namespace_of_its_own() -> bool {
    false
}

/// The process that started this one: nobody tells it in a plain way.
pub fn parent() -> Option<u32> {
    None
}

/// The program of a process: the same.
pub fn program_of(_process: u32) -> Option<PathBuf> {
    None
}

/// Nothing: none is started.
pub fn leave_terminal() {}

/// What a program's file may have behind its name, as `PATHEXT` has it where nobody changed it.
pub const PROGRAM_SUFFIXES: &[&str] = &[".exe", ".bat", ".cmd"];

/// Whether a file can be started: by its name.
pub fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// Has a program run as if it were this process, and returns its exit code. One that is no byte, as of
/// a program that crashed, is 1.
///
/// # Errors
/// If it cannot be started.
pub fn run_in_our_place(command: &mut Command) -> io::Result<u8> {
    let code = command.spawn()?.wait()?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Whether nobody reads our stdout any more: that is noticed when something is written.
pub fn is_reader_gone() -> bool {
    false
}

/// Whether a child has ended.
pub fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

/// Whether there is a process of that id: not to be told without code that is not safe.
pub fn is_running(_id: u32) -> bool {
    true
}

/// What can be told of a process: the same.
pub fn life(_id: u32) -> Life {
    Life::Unknown
}

/// The name of the program that started this one: not to be told without code that is not safe.
pub fn parent_name() -> Option<String> {
    None
}

/// Whether a child was stopped: there is no such thing.
pub fn is_stopped(_child: &Child) -> bool {
    false
}

/// Asks a child to end: one without a window hears nothing.
pub fn ask_group_to_end(_child: &Child) {}

/// Ends a child and all that it started. What a child started that has ended itself is not known any
/// more.
pub fn end_group(child: &mut Child) {
    /// How long may that take?
    const LIMIT: Duration = Duration::from_secs(5);
    if has_ended(child) {
        return;
    }
    let mut command = Command::new("taskkill");
    command
        .args(["/T", "/F", "/PID", &child.id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .creation_flags(NO_WINDOW);
    // Without it the child alone is ended.
    if let Ok(mut command) = command.spawn() {
        process::end(&mut command, LIMIT, &SystemClock::new());
    }
}

/// Whether terminals here do what an escape sequence says: Windows Terminal does, and those that name
/// themselves as on Unix. A bare console would have to be told to, which takes what is not safe code.
pub fn does_sequences(environment: &dyn Environment) -> bool {
    let term = environment.variable("TERM");
    environment.variable("WT_SESSION").is_some() || term.is_some_and(|name| name != "dumb")
}

/// The console, where somebody sees it: a service and a program with windows can have one that
/// nobody does, and then neither stdin nor stderr is it.
///
/// stderr comes first where it is a terminal. It takes Unicode, and `CONOUT$` the console's code
/// page; and in a terminal of MSYS2 it is what is seen, and the console is not.
pub fn terminal() -> Option<Box<dyn Write>> {
    if io::stderr().is_terminal() {
        return Some(Box::new(io::stderr()));
    }
    if !io::stdin().is_terminal() {
        return None;
    }
    let console = OpenOptions::new().write(true).open("CONOUT$").ok()?;
    Some(Box::new(console))
}

/// The size of the console, where stderr is it.
pub fn terminal_size() -> Option<(Width, Height)> {
    terminal_size_of(io::stderr())
}

/// Whether the console is this process' at the moment: here no shell takes it back.
pub fn is_in_front() -> bool {
    true
}

/// Whether characters beyond ASCII are shown: stderr takes them, and `CONOUT$` the console's code page.
pub fn is_unicode(_environment: &dyn Environment) -> bool {
    io::stderr().is_terminal()
}

/// The process that holds a lock on a file: here nobody tells it.
pub fn lock_holder(_file: &File) -> Option<u32> {
    None
}

/// The operating system, as far as it tells.
pub fn system() -> String {
    format!("windows {}", std::env::consts::ARCH)
}

/// Where the file for everybody on this machine lies.
pub fn machine_wide_directory(environment: &dyn Environment) -> PathBuf {
    directory_of("ProgramData", r"C:\ProgramData", environment).join("cred-helper")
}

/// The program of Azure Arc's agent, and the directory of its keys.
pub fn arc_agent(environment: &dyn Environment) -> (PathBuf, PathBuf) {
    const NAME: &str = "AzureConnectedMachineAgent";
    let programs = directory_of("ProgramFiles", r"C:\Program Files", environment);
    let data = directory_of("ProgramData", r"C:\ProgramData", environment);
    (
        programs.join(NAME).join("himds.exe"),
        data.join(NAME).join("Tokens"),
    )
}

/// The directory that a variable names, else where it usually is.
fn directory_of(variable: &str, usual: &str, environment: &dyn Environment) -> PathBuf {
    PathBuf::from(
        environment
            .variable(variable)
            .unwrap_or_else(|| usual.to_owned()),
    )
}

/// Options that create files which only their owner can read: the directory's rights decide.
pub fn private_file() -> OpenOptions {
    OpenOptions::new()
}

/// Options that open a file which nobody else has open, and which nobody else can open until it is
/// closed; it can be removed.
pub fn lockable_file() -> OpenOptions {
    /// `GENERIC_READ`, `GENERIC_WRITE`, and `DELETE`, for a file that is to go when it is closed.
    const ACCESS: u32 = 0x8000_0000 | 0x4000_0000 | 0x0001_0000;
    /// `FILE_SHARE_DELETE`.
    const SHARED: u32 = 4;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.access_mode(ACCESS).share_mode(SHARED);
    options
}

/// The same for a file that is made for the time it is open: it goes with the process as well.
pub fn passing_file() -> OpenOptions {
    /// `FILE_FLAG_DELETE_ON_CLOSE`.
    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    let mut options = lockable_file();
    options.create_new(true).custom_flags(DELETE_ON_CLOSE);
    options
}

/// What may pass when others close a file: `ERROR_ACCESS_DENIED`, which may be for good too, and
/// `ERROR_SHARING_VIOLATION`.
const PASSING: [i32; 2] = [5, 32];

/// Whether a file could not be opened since another process has it open.
pub fn is_in_use(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| PASSING.contains(&code))
}

/// Whether a path still names an open file: files have no numbers that could be compared.
pub fn is_named(path: &Path, _file: &File) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// The number of the user who owns a file: users have none.
pub fn owner(_metadata: &Metadata) -> Option<u32> {
    None
}

/// Creates a directory and those above it.
///
/// # Errors
/// If it cannot be created.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Whether nobody else can read a file: access rights are inherited, nothing is checked.
pub fn is_private(_metadata: &Metadata) -> bool {
    true
}

/// What is wrong with a file of secrets: access rights are inherited, nothing is checked.
pub fn private_file_problem(_path: &Path, _metadata: &Metadata) -> Option<(String, String)> {
    None
}

/// What is wrong with a trusted file: access rights are inherited, nothing is checked.
pub fn trusted_problem(_path: &Path, _metadata: &Metadata) -> Option<(String, String)> {
    None
}

/// How a person puts a directory on PATH.
pub fn path_advice(_directory: &Path, _home: &Path) -> String {
    "Add it to `Path`, below \"Edit environment variables for your account\"".to_owned()
}

/// Makes a program known under another name: a hard link, or a copy where that is not possible.
/// Symbolic links are for administrators.
///
/// # Errors
/// If neither can be made.
pub fn link_program(program: &Path, link: &Path) -> io::Result<()> {
    std::fs::hard_link(program, link).or_else(|_| std::fs::copy(program, link).map(drop))
}

/// Whether two paths lead to one program: nothing but their bytes tells that of a hard link or a copy, nor
/// that one was made of a program that was replaced since.
pub fn is_same_program(one: &Path, other: &Path) -> bool {
    let length = |path: &Path| std::fs::metadata(path).map(|found| found.len()).ok();
    let bytes = |path: &Path| std::fs::read(path).ok();
    length(one).is_some_and(|own| length(other) == Some(own))
        && bytes(one).is_some_and(|own| bytes(other) == Some(own))
}

/// Does `work`, and again for a moment while it is refused because somebody has the file open: a
/// virus scanner, or on file systems without POSIX renames (FAT, network drives) any reader of a
/// file that is to be replaced.
///
/// # Errors
/// Those of `work`.
pub fn patiently<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    /// How often is it done again?
    const ATTEMPTS: u32 = 40;
    /// How long is waited before the next attempt? Together some half a second.
    const LONGEST_PAUSE: Duration = Duration::from_millis(16);
    let clock = SystemClock::new();
    let mut pause = Duration::from_millis(1);
    for _ in 0..ATTEMPTS {
        match work() {
            Err(error) if is_in_use(&error) => {}
            result => return result,
        }
        // Ctrl-C only shortens the pauses.
        drop(clock.sleep(pause));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    work()
}

/// Whether a file system that answers so to a lock has none.
pub fn tells_of_no_locks(error: &io::Error) -> bool {
    /// `ERROR_INVALID_FUNCTION`, `ERROR_NOT_SUPPORTED`, `ERROR_CALL_NOT_IMPLEMENTED`.
    const UNKNOWN: [i32; 3] = [1, 50, 120];
    error
        .raw_os_error()
        .is_some_and(|code| UNKNOWN.contains(&code))
}

/// Whether that may be over in a moment: no such answer is known.
pub fn tells_of_no_room(_error: &io::Error) -> bool {
    false
}

/// Nothing to do: NTFS journals names.
///
/// # Errors
/// None.
pub fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;

    use super::{is_same_program, link_program, patiently};

    #[test]
    fn a_file_that_somebody_has_for_a_moment_is_replaced_when_they_let_go_of_it() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let [old, new] = ["old", "new"].map(|name| directory.path().join(name));
        for path in [&old, &new] {
            fs::write(path, path.as_os_str().as_encoded_bytes()).expect("it can be written");
        }
        // As a virus scanner: nobody else may read, write or remove it.
        let mut alone = OpenOptions::new();
        let alone = alone.read(true).share_mode(0);
        let mut scanner = Some(alone.open(&old).expect("it is there"));
        let mut attempts = 0;
        patiently(|| {
            attempts += 1;
            if attempts == 3 {
                scanner = None;
            }
            fs::rename(&new, &old)
        })
        .expect("it is free in the end");
        assert_eq!(attempts, 3);
        assert_eq!(
            fs::read(&old).expect("it is there"),
            new.as_os_str().as_encoded_bytes()
        );
    }

    #[test]
    fn a_link_and_a_copy_are_the_same_program_until_it_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let [program, link, copy] =
            ["program", "link", "copy"].map(|name| directory.path().join(name));
        fs::write(&program, "one").expect("it can be written");
        link_program(&program, &link).expect("it can be linked");
        fs::copy(&program, &copy).expect("it can be copied");
        assert!(
            [&program, &link, &copy]
                .iter()
                .all(|path| is_same_program(path, &program))
        );
        // As an installer does it.
        fs::remove_file(&program).expect("it is ours");
        assert!(!is_same_program(&link, &program));
        fs::write(&program, "two").expect("it can be written");
        assert!(
            [&link, &copy]
                .iter()
                .all(|path| !is_same_program(path, &program))
        );
    }

    #[test]
    fn what_fails_for_good_is_not_done_again() {
        let mut attempts = 0;
        let error = patiently(|| {
            attempts += 1;
            fs::read("there is no such file")
        });
        assert_eq!(
            error.map_err(|error| error.kind()),
            Err(io::ErrorKind::NotFound)
        );
        assert_eq!(attempts, 1);
    }
}
