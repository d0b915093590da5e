//! What differs on Unix: permissions, places, the terminal.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use terminal_size::{Height, Width, terminal_size_of};

use super::process::Life;
use super::terminal::Echo;
use crate::context::Environment;
use crate::text::shell_word;

/// The signal of a terminal that is closed.
pub const HANG_UP: Option<i32> = Some(Signal::HUP.as_raw());

/// Whether whoever started the process had it ignore a signal, as `nohup` does. Only Linux tells;
/// elsewhere it is taken for one that is not ignored.
pub fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The keyboard of the controlling terminal, while a line is read that may be longer than a terminal
/// keeps by itself (4096 bytes).
pub struct Keyboard {
    terminal: File,
    before: Termios,
    echo: Echo,
}

impl Keyboard {
    /// `None`, if there is no terminal, or another program has it: whoever reads in the background
    /// is stopped.
    pub fn open(echo: Echo) -> Option<Self> {
        let mut options = OpenOptions::new();
        let terminal = options.read(true).write(true).open("/dev/tty").ok()?;
        let before = termios::tcgetattr(&terminal).ok()?;
        let keyboard = Self {
            terminal,
            before,
            echo,
        };
        keyboard.hold().then_some(keyboard)
    }

    /// Has the terminal hand out what is typed at once, unless another program has it. A shell that
    /// stops this one and has it go on gives the terminal its own mode.
    fn hold(&self) -> bool {
        if !self.is_in_front() {
            return false;
        }
        let Ok(mut mode) = termios::tcgetattr(&self.terminal) else {
            return false;
        };
        let codes = [SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME];
        let waits = codes.iter().any(|code| mode.special_codes[*code] != 0);
        let unwanted = match self.echo {
            Echo::Shown => LocalModes::ICANON,
            Echo::Hidden => LocalModes::ICANON | LocalModes::ECHO,
        };
        if !waits && !mode.local_modes.intersects(unwanted) {
            return true;
        }
        mode.local_modes.remove(unwanted);
        for code in codes {
            mode.special_codes[code] = 0;
        }
        termios::tcsetattr(&self.terminal, OptionalActions::Now, &mode).is_ok()
    }

    fn is_in_front(&self) -> bool {
        has_in_front(&self.terminal)
    }
}

impl Read for Keyboard {
    /// What was typed; nothing, if that was nothing.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.hold() {
            return Ok(0);
        }
        self.terminal.read(buffer)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if !self.is_in_front() {
            // It is another program's by now.
            return;
        }
        // Nothing else could be done about a terminal that is gone.
        termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.before).ok();
    }
}

/// What stands between the commands of `BROWSER`.
pub const LIST_SEPARATOR: char = ':';

/// The commands that open a URL on this desktop, and what tells that there is one.
///
/// # Errors
/// Why there is no desktop.
pub fn browsers(
    environment: &dyn Environment,
) -> Result<(&'static [&'static str], String), String> {
    if std::env::consts::OS == "macos" {
        return Ok((&["/usr/bin/open"], "macOS".to_owned()));
    }
    for (name, kind) in [
        ("WAYLAND_DISPLAY", "Wayland display"),
        ("DISPLAY", "display"),
    ] {
        if let Some(display) = environment.variable(name) {
            let commands = &["xdg-open", "sensible-browser"];
            return Ok((commands, format!("{kind} `{display}`")));
        }
    }
    Err("neither WAYLAND_DISPLAY nor DISPLAY is set".to_owned())
}

/// The file that tells that this is a container, of podman or of docker, which say it so.
pub fn container_mark() -> Option<&'static str> {
    let marks = ["/run/.containerenv", "/.dockerenv"];
    marks.into_iter().find(|mark| Path::new(mark).exists())
}

/// Prepares the start of this program anew, which is to go on when this process has ended: it leaves the
/// terminal by itself, with [`leave_terminal`].
///
/// # Errors
/// If nothing can be started so.
pub fn detach(command: &mut Command) -> Result<(), String> {
    // Its file may have the name of a tool's helper, and would be that.
    command.arg0("cred-helper");
    Ok(())
}

/// Whether this process is in a PID namespace that ends with some process, as in every container, also
/// those that leave no mark.
pub fn is_in_a_namespace_of_its_own() -> bool {
    /// The number of the first namespace, which is the machine's (`PROC_PID_INIT_INO`).
    const FIRST: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|own| own != Path::new(FIRST))
}

/// The process that started this one.
pub fn parent() -> Option<u32> {
    rustix::process::getppid()?.as_raw_pid().try_into().ok()
}

/// The program of a process, where the system tells it in a file.
pub fn program_of(process: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/exe")).ok()
}

/// Leaves the terminal for good: neither its end nor its Ctrl-C reaches this process, and no program
/// that this one starts can ask anything there.
pub fn leave_terminal() {
    // It fails for whoever leads a group, and then is beyond the terminal's reach as well.
    rustix::process::setsid().ok();
}

/// Has a program started in a group of its own, beyond the reach of this terminal's Ctrl-C.
pub fn leave_group(command: &mut Command) {
    command.process_group(0);
}

/// What a program's file may have behind its name.
pub const PROGRAM_SUFFIXES: &[&str] = &[""];

/// Whether a file can be started.
pub fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

/// Has a program take the place of this process: nothing is left of us to return.
///
/// # Errors
/// If it cannot be started.
pub fn run_in_our_place(command: &mut Command) -> io::Result<u8> {
    Err(command.exec())
}

/// Whether nobody reads our stdout any more: a pipe, a connection or a terminal that was closed.
pub fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    // An end is told without being asked for. So is, on macOS, that a device cannot be watched, which
    // `/dev/null` is.
    let mut wanted = [PollFd::new(&stdout, PollFlags::empty())];
    let told = rustix::event::poll(&mut wanted, Some(&Timespec::default()));
    let end = PollFlags::HUP | PollFlags::ERR;
    told.is_ok() && wanted[0].revents().intersects(end)
}

/// Whether a child has ended. It is not waited for: until then no other process can have its id, nor
/// its group's.
pub fn has_ended(child: &mut Child) -> bool {
    state(child, WaitIdOptions::EXITED).is_none_or(|state| state.is_some())
}

/// Whether a child was stopped, as one in the background is that reads from the terminal.
pub fn is_stopped(child: &Child) -> bool {
    matches!(state(child, WaitIdOptions::STOPPED), Some(Some(state)) if state.stopped())
}

/// `None`, if it cannot be had.
fn state(child: &Child, of: WaitIdOptions) -> Option<Option<WaitIdStatus>> {
    let options = of | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), options).ok()
}

/// Whether there is a process of that id.
pub fn is_running(id: u32) -> bool {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    // Another user's is there, too.
    id.is_some_and(|id| rustix::process::test_kill_process(id) != Err(rustix::io::Errno::SRCH))
}

/// What can be told of a process. Linux has it in files, others have a program that tells it.
pub fn life(id: u32) -> Life {
    if !is_running(id) {
        return Life::Gone;
    }
    life_of_files(id)
        .or_else(|| life_of_program(id))
        .unwrap_or(Life::Here {
            age: None,
            user: None,
        })
}

/// As proc(5) has it.
fn life_of_files(id: u32) -> Option<Life> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The program's name may hold anything, and is in parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // A process that has ended and was not waited for yet still has its id.
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return Some(Life::Gone);
    }
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    // The real, the effective, the saved one, and that of files.
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let user = users.split_whitespace().nth(3)?.parse().ok();
    let started: u64 = fields.get(19)?.parse().ok()?;
    let started = Duration::from_secs(started / rustix::param::clock_ticks_per_second());
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: u64 = uptime.split('.').next()?.parse().ok()?;
    // In a container that is told a time of its own, they may not fit together.
    let age = Duration::from_secs(uptime).checked_sub(started);
    Some(Life::Here { age, user })
}

/// As ps(1) has it.
fn life_of_program(id: u32) -> Option<Life> {
    /// How long may it take to say three words?
    const LIMIT: Duration = Duration::from_secs(5);
    let id = id.to_string();
    let columns = ["-o", "stat=", "-o", "uid=", "-o", "etime=", "-p", &id];
    let said = super::process::ask(Path::new("/bin/ps"), &columns, Path::new("/"), LIMIT).ok()?;
    let words: Vec<&str> = said.expose().split_whitespace().collect();
    let [state, user, elapsed] = words[..] else {
        return None;
    };
    if state.starts_with('Z') {
        return Some(Life::Gone);
    }
    Some(Life::Here {
        age: read_elapsed(elapsed),
        user: user.parse().ok(),
    })
}

/// Reads `[[days-]hours:]minutes:seconds`.
fn read_elapsed(text: &str) -> Option<Duration> {
    let (days, time) = text.split_once('-').unwrap_or(("0", text));
    let mut seconds = 0;
    for part in time.split(':') {
        seconds = seconds * 60 + part.parse::<u64>().ok()?;
    }
    Some(Duration::from_secs(
        days.parse::<u64>().ok()? * 86_400 + seconds,
    ))
}

/// The name of the program that started this one.
pub fn parent_name() -> Option<String> {
    /// How long may it take to say one name?
    const LIMIT: Duration = Duration::from_secs(5);
    let id = rustix::process::getppid()?.as_raw_pid();
    // Linux tells it, others have a program that does.
    let told = fs::read_to_string(format!("/proc/{id}/comm")).or_else(|_| {
        let arguments = ["-o", "comm=", "-p", &id.to_string()];
        let said = super::process::ask(Path::new("/bin/ps"), &arguments, Path::new("/"), LIMIT);
        said.map(|said| said.expose().to_owned())
    });
    let told = told.ok()?;
    let name = Path::new(told.trim()).file_name()?;
    Some(name.to_string_lossy().into_owned())
}

/// Asks all of a group to end, which the child leads.
pub fn ask_group_to_end(child: &Child) {
    signal_group(child, Signal::TERM);
    // Whoever is stopped hears nothing else.
    signal_group(child, Signal::CONT);
}

/// Ends all of a group, which the child leads and which must not be waited for yet.
pub fn end_group(child: &mut Child) {
    signal_group(child, Signal::KILL);
}

fn signal_group(child: &Child, signal: Signal) {
    // There may be nobody left in it.
    rustix::process::kill_process_group(Pid::from_child(child), signal).ok();
}

/// Whether terminals here do what an escape sequence says.
pub fn does_sequences(environment: &dyn Environment) -> bool {
    environment
        .variable("TERM")
        .is_some_and(|name| name != "dumb")
}

/// The controlling terminal, where there is one.
pub fn terminal() -> Option<Box<dyn Write>> {
    let file = OpenOptions::new().write(true).open("/dev/tty").ok()?;
    Some(Box::new(file))
}

/// The size of the controlling terminal, where there is one that tells it.
pub fn terminal_size() -> Option<(Width, Height)> {
    let file = OpenOptions::new().read(true).open("/dev/tty").ok()?;
    terminal_size_of(file)
}

/// Whether the controlling terminal is this process' at the moment, and not that of a shell behind which
/// it runs.
pub fn is_in_front() -> bool {
    let file = OpenOptions::new().read(true).open("/dev/tty");
    file.is_ok_and(|file| has_in_front(&file))
}

fn has_in_front(terminal: &File) -> bool {
    termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Whether characters beyond ASCII are written to the terminal as UTF-8: what the locale says, in the
/// order of POSIX.
pub fn is_unicode(environment: &dyn Environment) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names
        .into_iter()
        .find_map(|name| environment.variable(name));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    ["utf-8", "utf8"].iter().any(|name| locale.contains(name))
}

/// The process that holds a lock on a file, where the kernel tells it: Linux does, of processes that
/// this one can see.
pub fn lock_holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    // As makedev(3) takes it apart.
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & !0xff;
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 8773 fe:00:10313925 0 EOF`; before one that waits is `->`.
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.get(1..6)? {
            ["FLOCK", _, _, process, at] if *at == place => process.parse().ok(),
            _ => None,
        }
    })
}

/// The operating system and its version, as far as it tells.
pub fn system() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let release = read("/etc/os-release");
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or_default().trim_matches('"');
    let words = [
        std::env::consts::OS,
        std::env::consts::ARCH,
        kernel.trim(),
        name,
    ];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Where the file for everybody on this machine lies.
pub fn machine_wide_directory(_environment: &dyn Environment) -> PathBuf {
    PathBuf::from("/etc/cred-helper")
}

/// The program of Azure Arc's agent, and the directory of its keys.
pub fn arc_agent(_environment: &dyn Environment) -> (PathBuf, PathBuf) {
    (
        PathBuf::from("/opt/azcmagent/bin/himds"),
        PathBuf::from("/var/opt/azcmagent/tokens"),
    )
}

/// Options that create files which only their owner can read.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Options that open a file to lock it, which whoever has it open can read and write all the same.
pub fn lockable_file() -> OpenOptions {
    let mut options = private_file();
    options.read(true).write(true);
    options
}

/// The same for a file that is made for the time it is open: whoever makes it removes it.
pub fn passing_file() -> OpenOptions {
    let mut options = lockable_file();
    options.create_new(true);
    options
}

/// Whether a file could not be opened since another process has it open: that is no reason here.
pub fn is_in_use(_error: &io::Error) -> bool {
    false
}

/// Whether a path names an open file, and is no link to it.
pub fn is_named(path: &Path, file: &File) -> bool {
    let (Ok(named), Ok(open)) = (fs::symlink_metadata(path), file.metadata()) else {
        return false;
    };
    named.dev() == open.dev() && named.ino() == open.ino()
}

/// The number of the user who owns a file.
pub fn owner(metadata: &Metadata) -> Option<u32> {
    Some(metadata.uid())
}

/// Creates a directory, and those above it, which only the owner can enter.
///
/// # Errors
/// If it cannot be created.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether nobody else can read a file.
pub fn is_private(metadata: &Metadata) -> bool {
    has_trusted_owner(metadata) && metadata.mode() & 0o077 == 0
}

/// What is wrong with a file of secrets, and the command that mends it.
pub fn private_file_problem(path: &Path, metadata: &Metadata) -> Option<(String, String)> {
    if let Some(problem) = owner_problem(path, metadata) {
        return Some(problem);
    }
    (metadata.mode() & 0o077 != 0).then(|| {
        (
            format!("others can read `{}`", path.display()),
            format!("chmod 600 {}", quoted(path)),
        )
    })
}

/// What is wrong with a file or directory whose content is trusted, and the command that mends it.
///
/// A directory with the sticky bit (`/tmp`) is as good as its files: nobody else can replace them.
pub fn trusted_problem(path: &Path, metadata: &Metadata) -> Option<(String, String)> {
    if let Some(problem) = owner_problem(path, metadata) {
        return Some(problem);
    }
    let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
    (metadata.mode() & 0o022 != 0 && !sticky).then(|| {
        (
            format!("others can write `{}`", path.display()),
            format!("chmod go-w {}", quoted(path)),
        )
    })
}

fn owner_problem(path: &Path, metadata: &Metadata) -> Option<(String, String)> {
    (!has_trusted_owner(metadata)).then(|| {
        let own = rustix::process::geteuid().as_raw();
        (
            format!(
                "`{}` belongs to another user (uid {})",
                path.display(),
                metadata.uid()
            ),
            format!("sudo chown {own} {}", quoted(path)),
        )
    })
}

/// Whether a socket of this user lies there, and no link to one.
pub fn is_own_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| {
        let is_socket = metadata.file_type().is_socket();
        is_socket && metadata.uid() == rustix::process::getuid().as_raw()
    })
}

fn has_trusted_owner(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// How a person puts a directory on PATH.
pub fn path_advice(directory: &Path, home: &Path) -> String {
    let shown = match directory.strip_prefix(home) {
        Ok(below) => format!("$HOME/{}", below.display()),
        Err(_) => directory.display().to_string(),
    };
    format!("Add it, in `~/.profile` or your shell's own file:\n  export PATH=\"{shown}:$PATH\"")
}

/// Makes a program known under another name: a symbolic link.
///
/// # Errors
/// If it cannot be made.
pub fn link_program(program: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

/// Whether two paths lead to one program.
pub fn is_same_program(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| fs::canonicalize(path).ok();
    canonical(one).is_some_and(|one| canonical(other).is_some_and(|other| one == other))
}

/// Does `work` once: whoever has a file open here hinders nobody.
///
/// # Errors
/// Those of `work`.
pub fn patiently<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    work()
}

/// Whether a file system that answers so to a lock has none: it does not know the call, or the server
/// behind it does not. NFS without a lock daemon lacks room for it.
pub fn tells_of_no_locks(error: &io::Error) -> bool {
    let unknown = [Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::INVAL];
    let is_unknown = Errno::from_io_error(error).is_some_and(|errno| unknown.contains(&errno));
    is_unknown || error.kind() == io::ErrorKind::Unsupported || tells_of_no_room(error)
}

/// Whether that may be over in a moment: the system may lack the memory for one more.
pub fn tells_of_no_room(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOLCK)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// If the disk cannot be written.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use std::time::Duration;

    use super::{Life, is_own_socket, life_of_files, life_of_program, read_elapsed};

    #[test]
    fn a_process_is_told_of_alike_by_files_and_by_ps() {
        let own = std::process::id();
        let age = |life| match life {
            Some(Life::Here {
                age: Some(age),
                user,
            }) => {
                assert_eq!(user, Some(rustix::process::geteuid().as_raw()));
                age
            }
            other => panic!("{other:?}"),
        };
        // Where there are no such files, there is nothing to compare.
        let is_told = std::env::consts::OS == "linux";
        let told = if is_told {
            life_of_files
        } else {
            life_of_program
        };
        let (files, program) = (age(told(own)), age(life_of_program(own)));
        assert!(files.abs_diff(program) <= Duration::from_secs(2));
        assert!(files < Duration::from_secs(3600), "{files:?}");

        for (text, seconds) in [
            ("00:07", Some(7)),
            ("02:03:04", Some(7384)),
            ("1-02:03:04", Some(93_784)),
            ("-", None),
            ("1-", None),
        ] {
            let read = read_elapsed(text);
            assert_eq!(read, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_process_that_nobody_has_waited_for_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !super::has_ended(&mut child) {
            std::thread::yield_now();
        }
        let id = child.id();
        assert!(super::is_running(id));
        assert_eq!(super::life(id), Life::Gone);
        assert_eq!(life_of_program(id), Some(Life::Gone));
        child.wait().unwrap();
        assert_eq!(super::life(id), Life::Gone);
    }

    #[test]
    fn a_socket_is_no_file_and_no_link_to_one() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let [file, link, socket] =
            ["file", "link", "socket"].map(|name| directory.path().join(name));
        std::fs::write(&file, "").expect("it can be written");
        let _listener = UnixListener::bind(&socket).expect("a socket can be made");
        symlink(&socket, &link).expect("a link can be made");
        assert!(is_own_socket(&socket));
        for other in [&file, &link, &directory.path().join("nothing")] {
            assert!(!is_own_socket(other), "{}", other.display());
        }
    }
}
