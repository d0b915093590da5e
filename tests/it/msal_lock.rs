//! The lock beside an MSAL cache: with msal-extensions of Python, with and without portalocker, with
//! processes that lock as those of Go and .NET do, and with what each leaves behind when it is killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use cred_helper::context::{Clock, Context};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::store::msal::copy::clients;
use cred_helper::store::msal::lock::{Lying, MsalGuard, acquire, look};
use cred_helper::system::clock::SystemClock;
use cred_helper::token::Timestamp;
use serde_json::json;

use crate::authority::{Endpoint, Fault};
use crate::fake::{START, World};
use crate::msal_cache::Shared;
use crate::oidc_ground::{eventually, for_each};
use crate::scene::failing;
use crate::tool::{MSAL_EXTENSIONS, PORTALOCKER, Tool, note_missing};

/// How long is waited for what happens by itself?
const LONG: Duration = Duration::from_secs(30);

/// Somebody who takes the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// msal-extensions as pip installs it: whoever makes the file has the lock.
    Python,
    /// The same beside portalocker, which locks the file, too.
    Portalocker,
    /// It locks a file that is empty.
    Go,
    /// It locks a file that names it.
    Dotnet,
    /// This program.
    Ours,
}

impl Kind {
    /// All but ours.
    const LIBRARIES: [Self; 4] = [Self::Python, Self::Portalocker, Self::Go, Self::Dotnet];

    /// How it is spoken of, by what it has written.
    fn as_told(self, process: u32) -> String {
        if self == Self::Go {
            return "a process that does not say its name".to_owned();
        }
        format!("process {process}, `")
    }

    /// Starts one; `None`, if something is missing here.
    fn start(self, cache: &Path, count: u32) -> Option<Process> {
        let folders: &[(&Tool, &str)] = match self {
            Self::Python => &[(&MSAL_EXTENSIONS, "msal-extensions")],
            Self::Portalocker => &[
                (&MSAL_EXTENSIONS, "msal-extensions"),
                (&PORTALOCKER, "portalocker"),
            ],
            Self::Go | Self::Dotnet | Self::Ours => &[],
        };
        let mut paths = Vec::new();
        for (tool, name) in folders {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            if !path.is_dir() {
                note_missing(tool);
                return None;
            }
            paths.push(path);
        }
        let name = match self {
            Self::Python | Self::Portalocker => "extensions",
            Self::Go => "go",
            Self::Dotnet => "dotnet",
            Self::Ours => return Some(Process::new(ours(cache, count))),
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/msal/lock.py");
        let mut command = Command::new("python3");
        command
            .args(["-B", script, name])
            .arg(cache)
            .arg(count.to_string())
            .env(
                "PYTHONPATH",
                std::env::join_paths(paths).expect("no path has a colon"),
            );
        Some(Process::new(command))
    }
}

/// What tells [`one_of_ours`] the cache, and how often it is to count.
const JOB: [&str; 2] = ["MSAL_LOCK_CACHE", "MSAL_LOCK_COUNT"];

/// What tells it that it is not to wait.
const AT_ONCE: &str = "MSAL_LOCK_AT_ONCE";

/// This test binary, which does [`one_of_ours`] alone.
fn ours(cache: &Path, count: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own path"));
    let path = concat!(module_path!(), "::one_of_ours");
    let (_, name) = path.split_once("::").expect("the first is the binary");
    command
        .args(["--exact", name, "--nocapture"])
        .env(JOB[0], cache)
        .env(JOB[1], count.to_string());
    command
}

/// Counts under the lock, as the other tests have further processes of this binary do. By itself it
/// counts once.
#[test]
fn one_of_ours() {
    let job = JOB.map(std::env::var_os);
    let folder = tempfile::tempdir().unwrap();
    let is_alone = job.iter().all(Option::is_none);
    let (cache, count): (PathBuf, u32) = match job {
        [Some(cache), Some(count)] => (cache.into(), count.to_str().unwrap().parse().unwrap()),
        _ => {
            let cache = folder.path().join("cache");
            fs::write(&cache, "0").unwrap();
            (cache, 1)
        }
    };
    if count == 0 {
        let limit = match std::env::var_os(AT_ONCE) {
            Some(_) => Duration::ZERO,
            None => LONG,
        };
        let (result, warnings) = really_acquire(&cache, limit);
        let said = match &result {
            Ok(_) => "held".to_owned(),
            Err(error) => error.to_string(),
        };
        let said = format!("\n{}\n{said}\n", warnings.join("\n"));
        std::io::stdout().write_all(said.as_bytes()).unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
    for _ in 0..count {
        let guard = really_acquire(&cache, LONG).0.unwrap();
        let number: u32 = fs::read_to_string(&cache).unwrap().parse().unwrap();
        fs::write(&cache, (number + 1).to_string()).unwrap();
        assert!(guard.is_intact());
    }
    if is_alone {
        assert_eq!(fs::read_to_string(&cache).unwrap(), "1");
    }
}

/// A process that takes the lock.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Box<dyn BufRead>,
}

impl Process {
    fn new(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 can be started");
        Self {
            stdin: child.stdin.take(),
            said: Box::new(BufReader::new(child.stdout.take().expect("it is a pipe"))),
            child,
        }
    }

    /// Waits until it says that.
    #[track_caller]
    fn says(&mut self, word: &str) {
        loop {
            let line = self.line();
            let line = line.unwrap_or_else(|| panic!("it ended without saying `{word}`"));
            if line.trim() == word {
                return;
            }
        }
    }

    /// The next line.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.said.read_line(&mut line).expect("it says text");
        (count > 0).then_some(line)
    }

    /// Lets it go on to its end.
    #[track_caller]
    fn end(mut self) {
        drop(self.stdin.take());
        // Until it has ended: a full pipe would stop it.
        std::io::copy(&mut self.said, &mut std::io::sink()).expect("it can be read");
        assert!(self.child.wait().expect("it ends").success());
    }

    /// Kills it. It is gone then.
    fn kill(mut self) -> u32 {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        self.child.id()
    }
}

/// Nothing is left behind of a test that fails.
impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A directory, and the paths of a cache in it and of its lock.
fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let cache = directory.path().join("cache.json");
    let lock = directory.path().join("cache.json.lockfile");
    (directory, cache, lock)
}

/// Takes the lock, in the time of a clock on the wall; the warnings of it.
fn really_acquire(cache: &Path, limit: Duration) -> (Result<MsalGuard, Error>, Vec<String>) {
    let world = World::without_terminal();
    let clock = SystemClock::new();
    let context = Context {
        clock: &clock,
        ..world.context()
    };
    let result = acquire(cache, limit, &context);
    let warnings = world.warnings.borrow().clone();
    (result, warnings)
}

/// Says of a file that it was written so long before [`START`].
fn set_age(lock: &Path, age: u64) {
    let start = UNIX_EPOCH + Duration::from_secs(START.0.try_into().expect("it is after 1970"));
    let file = fs::File::options()
        .write(true)
        .open(lock)
        .expect("it is there");
    file.set_modified(start - Duration::from_secs(age))
        .expect("its time can be set");
}

#[test]
fn who_has_the_lock_makes_the_others_wait() {
    for_each(Kind::LIBRARIES, |kind| {
        let (_directory, cache, lock) = place();
        let Some(mut theirs) = kind.start(&cache, 0) else {
            return;
        };
        theirs.says("held");
        let before = fs::read(&lock).unwrap();
        let (result, _) = really_acquire(&cache, Duration::from_millis(300));
        let error = result.expect_err("it is held");
        assert_eq!(error.kind(), ErrorKind::Busy);
        let holder = kind.as_told(theirs.child.id());
        assert!(error.message().contains(&holder), "{kind:?}: {error:?}");
        assert!(error.message().contains(lock.to_str().unwrap()));
        assert!(
            error
                .hint_text()
                .is_some_and(|hint| hint.contains("remove"))
        );
        assert_eq!(fs::read(&lock).unwrap(), before, "{kind:?}");

        let waiting = {
            let cache = cache.clone();
            thread::spawn(move || really_acquire(&cache, LONG))
        };
        theirs.end();
        let (result, warnings) = waiting.join().unwrap();
        let guard = result.unwrap();
        assert_eq!(warnings, [""; 0], "{kind:?}");
        assert_eq!(
            fs::read_to_string(&lock).unwrap(),
            format!("{} cred-helper", std::process::id())
        );
        let mode = fs::metadata(&lock).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let mut theirs = kind.start(&cache, 0).unwrap();
        theirs.says("waiting");
        assert!(guard.is_intact(), "{kind:?}");
        drop(guard);
        theirs.says("held");
        theirs.end();
        assert!(!lock.exists(), "{kind:?}");
    });
}

#[test]
fn what_a_killed_process_leaves_behind_is_taken_over_and_said_so() {
    for_each([Kind::Ours].into_iter().chain(Kind::LIBRARIES), |kind| {
        let (_directory, cache, lock) = place();
        let Some(mut victim) = kind.start(&cache, 0) else {
            return;
        };
        victim.says("held");
        let process = victim.kill();
        assert!(lock.exists());
        // Nobody waits for one of ours, however young its file is.
        let (result, warnings) = if kind == Kind::Ours {
            really_acquire(&cache, Duration::ZERO)
        } else {
            set_age(&lock, 3600);
            let world = World::without_terminal();
            let result = acquire(&cache, Duration::ZERO, &world.context());
            (result, world.warnings.take())
        };
        let guard = result.unwrap();
        let holder = kind.as_told(process);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        for part in [lock.to_str().unwrap(), &holder] {
            assert!(warnings[0].contains(part), "{kind:?}: {warnings:?}");
        }
        drop(guard);
        // Those who would have waited for ever do not.
        let Some(mut theirs) = Kind::Python.start(&cache, 0) else {
            return;
        };
        theirs.says("held");
        theirs.end();
    });
}

#[test]
fn a_file_that_is_left_behind_is_waited_for_as_long_as_somebody_could_need_it() {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let (gone, own) = (gone.id(), std::process::id());
    // What the file says, how old it is, and after how many seconds it is taken over.
    let rows: &[(String, u64, Option<std::ops::RangeInclusive<u64>>)] = &[
        (format!("{gone} cred-helper"), 0, Some(0..=0)),
        (format!("{gone} /usr/bin/az"), 3600, Some(0..=0)),
        (format!("\u{feff}{gone} pwsh\n"), 3600, Some(0..=0)),
        // In a container it may be a process outside.
        (format!("{gone} /usr/bin/az"), 0, Some(2..=10)),
        (String::new(), 3600, Some(0..=0)),
        (String::new(), 0, Some(10..=10)),
        ("\0\u{1b}[31m".repeat(5000), 0, Some(10..=10)),
        // Written before this process was started: it had another's id.
        (format!("{own} -c"), 86_400, Some(3..=3)),
        // As far as can be told in the time that this process has lived, it is its own.
        (format!("{own} -c"), 0, None),
    ];
    for (content, age, expected) in rows {
        let (_directory, cache, lock) = place();
        fs::write(&lock, content).unwrap();
        set_age(&lock, *age);
        let is_nobody_s = matches!(expected, Some(expected) if *expected.end() < 10);
        let lies = look(&cache, &World::without_terminal().context()).unwrap();
        assert_eq!(
            matches!(lies, Some(Lying::LeftBehind(..))),
            is_nobody_s,
            "{content}, {age}: {lies:?}"
        );
        assert_eq!(
            matches!(lies, Some(Lying::Held(_))),
            !is_nobody_s,
            "{content}, {age}: {lies:?}"
        );
        assert_eq!(fs::read(&lock).unwrap(), content.as_bytes());
        let world = World::without_terminal();
        let limit = Duration::from_secs(if expected.is_some() { 20 } else { 2 });
        let result = acquire(&cache, limit, &world.context());
        let waited = world.monotonic().as_secs();
        let warnings = world.warnings.take();
        match expected {
            Some(expected) => {
                let guard = result.unwrap();
                assert!(expected.contains(&waited), "{content}, {age}: {waited} s");
                assert_eq!(warnings.len(), 1, "{warnings:?}");
                assert!(!warnings[0].contains('\u{1b}'));
                let signed = format!("{own} cred-helper");
                assert_eq!(fs::read_to_string(&lock).unwrap(), signed);
                drop(guard);
                assert!(!lock.exists());
            }
            None => {
                let error = result.expect_err("it is held");
                assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
                let holder = format!("process {own}, `-c`");
                assert!(error.message().contains(&holder), "{error:?}");
                assert!(error.message().contains("longer than 2s"), "{error:?}");
                assert_eq!(fs::read_to_string(&lock).unwrap(), *content);
            }
        }
    }
}

/// A clock on which each pause ends a moment late, and before which somebody writes the lock anew.
struct Busy<'a> {
    world: &'a World,
    write: &'a dyn Fn(Duration),
}

impl Clock for Busy<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn monotonic(&self) -> Duration {
        self.world.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        self.world.sleep(duration + Duration::from_millis(7))?;
        (self.write)(self.world.monotonic());
        Ok(())
    }
}

/// What is found while somebody writes at each pause, and how long that took.
fn while_written<T>(
    write: &dyn Fn(Duration),
    find: impl FnOnce(&Context<'_>) -> T,
) -> (T, Duration) {
    let world = World::without_terminal();
    let clock = Busy {
        world: &world,
        write,
    };
    let context = Context {
        clock: &clock,
        ..world.context()
    };
    write(Duration::ZERO);
    let found = find(&context);
    (found, world.monotonic())
}

#[test]
fn a_lock_that_changes_all_the_time_is_somebody_s() {
    let (_directory, cache, lock) = place();
    let write = |now: Duration| {
        assert!(now < Duration::from_secs(6), "it is looked at for ever");
        let content = format!("{} -c {}", std::process::id(), now.as_millis());
        fs::write(&lock, content).unwrap();
        set_age(&lock, 86_400);
    };
    let (lies, _) = while_written(&write, |context| look(&cache, context).unwrap());
    assert!(matches!(lies, Some(Lying::Held(_))), "{lies:?}");
}

#[test]
fn a_cache_that_is_never_whole_is_given_up() {
    let (_directory, cache, _) = place();
    let write = |now: Duration| {
        assert!(now < Duration::from_secs(6), "it is looked at for ever");
        let length = usize::try_from(now.as_millis()).unwrap();
        fs::write(&cache, "[".repeat(length + 1)).unwrap();
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let (read, took) = while_written(&write, |context| clients(&cache, context));
    let error = read.expect_err("it is none");
    assert!(error.message().contains("cannot be used"), "{error}");
    assert!(took > Duration::from_secs(5));
}

#[test]
fn a_lock_that_cannot_be_written_is_made_anew_and_one_that_goes_meanwhile_is_looked_for_again() {
    const IS_OTHERS: [&str; 3] = [
        "setpriv",
        "--inh-caps=-dac_override,-dac_read_search",
        "--bounding-set=-dac_override,-dac_read_search",
    ];
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let traced = |injection: &str, lock: &Path| {
        let mut words = failing(injection);
        words.extend(["-P".to_owned(), lock.display().to_string()]);
        words
    };
    let is_others = |_: &str, _: &Path| IS_OTHERS.map(String::from).to_vec();
    type Wrapper<'a> = &'a dyn Fn(&str, &Path) -> Vec<String>;
    let rows: [(Wrapper<'_>, &str, u32, bool, &[&str]); 6] = [
        (&is_others, "", 0o400, false, &["was taken over", "held"]),
        (
            &is_others,
            "",
            0o000,
            true,
            &["it cannot be opened: Permission"],
        ),
        (
            &traced,
            "statx:error=ENOENT:when=1",
            0o600,
            false,
            &["held"],
        ),
        (
            &traced,
            "statx:error=EIO:when=1",
            0o600,
            false,
            &["cannot be read"],
        ),
        (
            &traced,
            "openat:error=ENOENT:when=2",
            0o600,
            true,
            &["it changes hands"],
        ),
        (
            &traced,
            "openat:error=EIO:when=2",
            0o600,
            true,
            &["it cannot be opened"],
        ),
    ];
    for (wrapper, injection, mode, is_at_once, expected) in rows {
        let (_directory, cache, lock) = place();
        fs::write(&lock, format!("{} cred-helper", gone.id())).unwrap();
        fs::set_permissions(&lock, fs::Permissions::from_mode(mode)).unwrap();
        let own = ours(&cache, 0);
        let words = wrapper(injection, &lock);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .arg(own.get_program())
            .args(own.get_args());
        let variables = own
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables);
        if is_at_once {
            command.env(AT_ONCE, "1");
        }
        let mut process = Process::new(command);
        // It need not go on for long.
        drop(process.stdin.take());
        let mut said = String::new();
        while let Some(line) = process.line() {
            said.push_str(&line);
        }
        for part in expected {
            assert!(said.contains(part), "{injection} {mode:o}: {said}");
        }
        process.end();
    }
}

#[test]
fn a_lock_that_cannot_be_had_is_a_clear_error() {
    let (directory, cache, lock) = place();
    let there = directory.path().join("there");
    fs::write(&there, "").unwrap();
    let in_file = there.join("cache.json");
    let nowhere = directory.path().join("nowhere").join("cache.json");
    let check = |cache: &Path, part: &str| {
        let world = World::without_terminal();
        let result = acquire(cache, LONG, &world.context());
        let error = result.expect_err(part);
        assert_eq!(error.kind(), ErrorKind::Store, "{error:?}");
        assert!(error.message().contains(part), "{error:?}");
        assert!(error.message().contains(".lockfile"), "{error:?}");
        assert!(error.hint_text().is_some(), "{error:?}");
        assert_eq!(world.monotonic(), Duration::ZERO, "nothing is waited for");
    };
    check(&in_file, "cannot be made");
    check(&nowhere, "cannot be made");
    // Nobody, not even root, makes a file there.
    check(Path::new("/sys/cache.json"), "cannot be made");
    fs::create_dir(&lock).unwrap();
    check(&cache, "is no file");
    fs::remove_dir(&lock).unwrap();
    for target in [&there, &nowhere] {
        symlink(target, &lock).unwrap();
        check(&cache, "is no file");
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(fs::read(&there).unwrap(), b"", "nothing is written there");
}

#[test]
fn nobody_counts_beside_another_although_some_are_killed() {
    /// How often does each count?
    const COUNT: u32 = 10;
    let (_directory, cache, lock) = place();
    fs::write(&cache, "0").unwrap();
    let mut counting = Vec::new();
    for _ in 0..8 {
        for kind in [Kind::Ours, Kind::Python] {
            let Some(process) = kind.start(&cache, COUNT) else {
                return;
            };
            counting.push(process);
        }
    }
    for kind in [Kind::Ours, Kind::Python, Kind::Ours] {
        let mut victim = kind.start(&cache, 0).unwrap();
        victim.says("held");
        if kind == Kind::Python {
            // As if it had been there for long.
            set_age(&lock, 1_000_000_000);
        }
        victim.kill();
    }
    // The others are no help to each other if ours have counted to the end by now.
    Kind::Ours.start(&cache, COUNT).unwrap().end();
    let expected = u32::try_from(counting.len() + 1).unwrap() * COUNT;
    for process in counting {
        process.end();
    }
    assert_eq!(fs::read_to_string(&cache).unwrap(), expected.to_string());
    assert!(!lock.exists());
}

/// What a shared cache's profile says so that nothing waits for long.
const IMPATIENT: &str = "\n[lock]\ntimeout = \"1s\"\n";

#[test]
fn the_program_reads_beside_a_holder_and_refreshes_after_it() {
    for_each(Kind::LIBRARIES, |kind| {
        let Some(shared) = Shared::new(IMPATIENT) else {
            return;
        };
        shared.scene.run(&["login"]).ok();
        let before = shared.scene.run(&["get"]).ok();
        let Some(mut theirs) = kind.start(&shared.file(), 0) else {
            return;
        };
        theirs.says("held");
        assert_eq!(shared.scene.run(&["get"]).ok(), before);
        let said = shared.scene.run(&["get", "--force-refresh"]).failed(7);
        assert!(said.contains("cache.json.lockfile"), "{kind:?}: {said}");
        assert_eq!(shared.scene.refreshes(), 0, "{kind:?}");
        theirs.end();
        let after = shared.scene.run(&["get", "--force-refresh"]).ok();
        assert_ne!(after, before, "{kind:?}");
        assert!(!shared.lock().exists(), "{kind:?}");
    });
}

#[test]
fn what_a_killed_refresh_leaves_behind_is_mended_by_the_next() {
    let Some(shared) = Shared::new(IMPATIENT) else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let lock = shared.lock();
    let authority = &shared.scene.authority;
    authority.script(Endpoint::Token, Fault::Hang);
    let command = shared.scene.sandbox.command(&["get", "--force-refresh"]);
    let refresh = Process::new(command);
    eventually("the refresh is sent", || shared.scene.refreshes() == 1);
    let signed = format!("{} cred-helper", refresh.child.id());
    assert_eq!(fs::read_to_string(&lock).unwrap(), signed);
    refresh.kill();
    assert!(lock.exists());
    let left = fs::read(&lock).unwrap();
    // Also by one that is answered from the cache, and has no need of the lock.
    for arguments in [&["get", "--force-refresh"][..], &["get"]] {
        fs::write(&lock, &left).unwrap();
        let said = shared.scene.run(arguments);
        assert!(said.stderr.contains("was left behind"), "{said:?}");
        said.ok();
        assert!(!lock.exists());
    }
    let theirs = shared.msal(&["refresh"]);
    assert_eq!(theirs[0]["token_source"], "identity_provider");
}

#[test]
fn a_call_that_has_no_need_of_the_lock_leaves_it_to_others_and_to_those_who_live() {
    let Some(shared) = Shared::new(IMPATIENT) else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let lock = shared.lock();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let of_another = format!("{} /usr/bin/az", gone.id());
    for content in [of_another.as_str(), ""] {
        fs::write(&lock, content).unwrap();
        assert_eq!(shared.get(&[])["source"], "cache");
        assert_eq!(fs::read_to_string(&lock).unwrap(), content);
    }
    fs::remove_file(&lock).unwrap();
    let mut living = Kind::Ours.start(&shared.file(), 0).unwrap();
    living.says("held");
    let held = fs::read_to_string(&lock).unwrap();
    assert!(held.ends_with(" cred-helper"), "{held}");
    assert_eq!(shared.get(&[])["source"], "cache");
    assert_eq!(fs::read_to_string(&lock).unwrap(), held);
    living.end();
    assert!(!lock.exists());
}

/// A refresh whose lock somebody removes before it is answered, and another holder, who takes it.
fn robbed(shared: &Shared) -> Option<(Process, Process)> {
    shared.scene.run(&["login"]).ok();
    let authority = &shared.scene.authority;
    authority.hold();
    let mut command = shared.scene.sandbox.command(&["get", "--force-refresh"]);
    command.stderr(Stdio::piped());
    let refresh = Process::new(command);
    authority.wait_until(|state| state.held == 1);
    fs::remove_file(shared.lock()).expect("the lock is there");
    let mut theirs = Kind::Python.start(&shared.file(), 0)?;
    theirs.says("held");
    Some((refresh, theirs))
}

#[test]
fn a_lock_that_was_lost_is_taken_again_before_anything_is_written() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    let Some((refresh, theirs)) = robbed(&shared) else {
        return;
    };
    let mut cache = shared.cache();
    let before = cache["AccessToken"].clone();
    cache["Theirs"] = json!({ "written": "meanwhile" });
    shared.write(cache.to_string());
    // As another of ours does that comes to the lock.
    let room = shared.file().with_file_name(".cache.json.cred-helper-room");
    fs::remove_file(room).expect("it was made before the refresh");
    theirs.end();
    shared.scene.authority.release();
    refresh.end();
    let after = shared.cache();
    assert_eq!(after["Theirs"], cache["Theirs"]);
    assert_ne!(after["AccessToken"], before);
    shared.scene.run(&["get"]).ok();
    assert!(!shared.lock().exists());
}

#[test]
fn nothing_is_written_while_another_has_the_lock_that_was_lost() {
    let Some(shared) = Shared::new(IMPATIENT) else {
        return;
    };
    let Some((mut refresh, theirs)) = robbed(&shared) else {
        return;
    };
    let held = fs::read(shared.lock()).unwrap();
    let cache = fs::read(shared.file()).unwrap();
    shared.scene.authority.release();
    let mut said = String::new();
    let stderr = refresh.child.stderr.take().expect("it is a pipe");
    BufReader::new(stderr).read_to_string(&mut said).unwrap();
    // The token is good all the same.
    refresh.end();
    assert!(said.contains("could not be kept"), "{said}");
    assert_eq!(fs::read(shared.file()).unwrap(), cache);
    assert_eq!(fs::read(shared.lock()).unwrap(), held);
    theirs.end();
    assert!(!shared.lock().exists());
}

#[test]
fn the_lock_of_a_link_is_beside_the_link() {
    let Some(shared) = Shared::new(IMPATIENT) else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    let elsewhere = shared.scene.file("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let target = elsewhere.join("other.json");
    fs::rename(shared.file(), &target).unwrap();
    symlink(&target, shared.file()).unwrap();
    let Some(mut theirs) = Kind::Python.start(&shared.file(), 0) else {
        return;
    };
    theirs.says("held");
    shared.scene.run(&["get", "--force-refresh"]).failed(7);
    theirs.end();
    shared.scene.run(&["get", "--force-refresh"]).ok();
    assert!(shared.file().is_symlink());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
}
