//! The lock that the extensions of the MSAL libraries take beside a cache: the file `CACHE.lockfile`,
//! which holds a process id and a program's name.
//!
//! They do not take it alike. Some have it whose call made the file, and never open it again
//! (Python); some who lock it with flock(2), whoever made it (Go, .NET; on Windows: who has it
//! open); some want both (Python with portalocker). So both are done here, and nobody of them gets
//! in. Who has it removes the file at last; here while it is still locked, so that nobody has it in
//! between.
//!
//! The file outlives a process that is killed. Those who go by flock do not mind. Those who go by its
//! being there wait for ever, and so would we: a file that nobody has locked is either theirs, and they
//! live, or nobody's. `needed` decides.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::store::lock::{self, Guard, Patience, Wait};
use crate::system::platform;
use crate::system::process::{self, Life};
use crate::text::printable;
use crate::token::Timestamp;

/// What our own files say of the program.
const OWN_NAME: &str = "cred-helper";

/// The lock is held. Dropping it releases it.
///
/// The libraries give up after five seconds (.NET after a minute), and forget what they were about to
/// save: it is not to be held for long.
#[derive(Debug)]
pub struct MsalGuard {
    path: PathBuf,
    guard: Guard,
}

impl MsalGuard {
    /// Whether it is still held: a library that had lost the lock to another one may have removed a
    /// file that was not its own any more.
    pub fn is_intact(&self) -> bool {
        platform::is_named(&self.path, &self.guard.file)
    }

    /// Says who has it.
    fn sign(&mut self) -> io::Result<()> {
        let file = &mut self.guard.file;
        file.rewind()?;
        file.set_len(0)?;
        // At once: whoever is killed has said all of it, or nothing.
        file.write_all(format!("{} {OWN_NAME}", std::process::id()).as_bytes())
    }
}

impl Drop for MsalGuard {
    fn drop(&mut self) {
        if self.is_intact() {
            // Where it stays, the next of ours takes it over.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Takes the lock of a cache, waiting for it within the limit, and what is left of the call. A lock that
/// was left behind is taken over, and said so.
///
/// # Errors
/// `busy` when the limit is reached, `interrupted`, or `store`.
pub fn acquire(cache: &Path, limit: Duration, context: &Context<'_>) -> Result<MsalGuard, Error> {
    let path = path_of(cache);
    let hint = format!(
        "try again later; if no program is at work with that cache, remove `{}`",
        path.display()
    );
    let limit = context
        .time_left()
        .map_or(limit, |time_left| time_left.min(limit));
    let mut wait = Wait::begin(context);
    let mut attempt = Attempt::new(&path, context);
    loop {
        let obstacle = match attempt.make()? {
            Outcome::Taken(guard) => return Ok(guard),
            Outcome::Blocked(obstacle) => obstacle,
        };
        let patience = Patience {
            limit,
            waiting_for: &format!("MSAL's lock `{}` ({})", path.display(), obstacle.reason),
            hint: &hint,
        };
        let waited = wait.check(&patience, context, || None)?;
        let [chance, ..] = context.random.bytes()?;
        context.clock.sleep(obstacle.pause(waited, chance))?;
    }
}

/// Removes the lock of a cache if a process of ours that was killed left it behind. A call that is
/// answered from the cache would leave those waiting who go by the file's being there; where there is
/// none, this is one call that finds nothing.
pub fn mend(cache: &Path, context: &Context<'_>) {
    let path = path_of(cache);
    // A pipe would be waited for.
    if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(file) = platform::lockable_file().open(&path) else {
        return;
    };
    let holder = Look::at(&file).map(|look| Holder::read(&look.content));
    // Others would be kept out for a moment by our looking whether it is locked.
    let Some(holder) = holder.ok().filter(|holder| holder.program == OWN_NAME) else {
        return;
    };
    if !matches!(lock::try_lock(&file), Ok(true)) {
        return;
    }
    let guard = Guard { file };
    if platform::is_named(&path, &guard.file) && fs::remove_file(&path).is_ok() {
        context.warn(&format!(
            "`{}` was left behind by {holder}, and was removed",
            path.display()
        ));
    }
}

/// What lies in the place of a cache's lock.
#[derive(Debug, PartialEq, Eq)]
pub enum Lying {
    /// Somebody has it: who, in words.
    Held(String),
    /// The file, which nobody has any more, and whose it was.
    LeftBehind(PathBuf, String),
}

/// Looks at the lock of a cache as [`acquire`] does, and takes nothing over. A file that is about to be
/// left behind is watched for as long as it takes to know.
///
/// # Errors
/// `interrupted`, or `store`.
pub fn look(cache: &Path, context: &Context<'_>) -> Result<Option<Lying>, Error> {
    /// How soon is it looked at again?
    const PAUSE: Duration = Duration::from_millis(100);
    /// For how long? What changes hands all the time is no file that was left behind.
    const LONGEST: Duration = Duration::from_secs(5);
    let path = path_of(cache);
    let mut attempt = Attempt::new(&path, context);
    let began = context.clock.monotonic();
    while fs::symlink_metadata(&path).is_ok() {
        let obstacle = match attempt.find()? {
            Lock::LeftBehind { holder, .. } => {
                let holder = holder.to_string();
                return Ok(Some(Lying::LeftBehind(path, holder)));
            }
            Lock::Blocked(obstacle) => obstacle,
        };
        let waited = context.clock.monotonic().saturating_sub(began);
        if obstacle.lasts == Lasts::Long || waited > LONGEST {
            return Ok(Some(Lying::Held(obstacle.reason)));
        }
        context.clock.sleep(PAUSE)?;
    }
    Ok(None)
}

/// The lock of a cache.
fn path_of(cache: &Path) -> PathBuf {
    let mut path = cache.as_os_str().to_owned();
    path.push(".lockfile");
    PathBuf::from(path)
}

/// What an attempt led to.
enum Outcome {
    Taken(MsalGuard),
    Blocked(Obstacle),
}

/// Why the lock was not taken.
struct Obstacle {
    /// In words.
    reason: String,
    lasts: Lasts,
}

/// For how long something is in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// Until somebody has done something, or is known to be gone.
    Long,
    /// Until the file has been seen for long enough as it is.
    Watched,
    /// It can be over at once.
    Briefly,
}

impl Obstacle {
    /// How long to wait before the next attempt; `chance` decides where nothing else does.
    fn pause(&self, waited: Duration, chance: u8) -> Duration {
        /// How soon is it looked at again? Python does each 250 ms, and is to have its turn.
        const SHORTEST: Duration = Duration::from_millis(50);
        /// By how much may that differ, so that those who wait do not come at the same time?
        const SPREAD: Duration = Duration::from_millis(200);
        /// How long does it take two processes to pass each other?
        const PASSING: Duration = Duration::from_millis(2);
        if self.lasts == Lasts::Briefly {
            return (waited / 16).clamp(PASSING, SHORTEST);
        }
        SHORTEST + SPREAD * u32::from(chance) / u32::from(u8::MAX)
    }
}

/// Somebody else has it.
fn held(reason: String) -> Obstacle {
    Obstacle {
        reason,
        lasts: Lasts::Long,
    }
}

/// Somebody else is taking, or releasing it at this moment.
fn changing() -> Obstacle {
    Obstacle {
        reason: "it changes hands".to_owned(),
        lasts: Lasts::Briefly,
    }
}

/// The file that is there.
enum Opened {
    File { file: File, is_writable: bool },
    Not(Obstacle),
}

/// Whose the file is.
enum Lock {
    /// Somebody's.
    Blocked(Obstacle),
    /// Nobody's any more, and locked here.
    LeftBehind {
        guard: Guard,
        is_writable: bool,
        holder: Holder,
    },
}

/// One call's attempts, and what it knows of those before.
struct Attempt<'a> {
    path: &'a Path,
    context: &'a Context<'a>,
    /// The file, if this call has made it, and somebody else has it locked.
    made: Option<File>,
    /// What was found last, and since when.
    seen: Option<(Look, Duration)>,
}

impl<'a> Attempt<'a> {
    fn new(path: &'a Path, context: &'a Context<'a>) -> Self {
        Self {
            path,
            context,
            made: None,
            seen: None,
        }
    }

    fn make(&mut self) -> Result<Outcome, Error> {
        let made = match self.made.take() {
            Some(file) => Ok(file),
            None => platform::passing_file().open(self.path),
        };
        match made {
            Ok(file) => self.take_made(file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.take_found(),
            Err(error) if platform::is_in_use(&error) => {
                Ok(Outcome::Blocked(held(error.to_string())))
            }
            Err(error) => Err(self
                .failure("cannot be made", error)
                .hint("see that its directory is there, and can be written")),
        }
    }

    /// Whoever made the file has it, unless one of those was quicker who go by flock alone. Or somebody
    /// is just looking.
    fn take_made(&mut self, file: File) -> Result<Outcome, Error> {
        match lock::try_lock(&file) {
            Ok(true) => {}
            Ok(false) => {
                self.made = platform::is_named(self.path, &file).then_some(file);
                return Ok(Outcome::Blocked(changing()));
            }
            Err(reason) => self.context.warn(&format!(
                "`{}` cannot be locked ({reason}): programs with MSAL for Go or .NET could change \
                 the cache at the same time",
                self.path.display()
            )),
        }
        self.finish(Guard { file })
    }

    /// Somebody has it, or has left it behind.
    fn take_found(&mut self) -> Result<Outcome, Error> {
        let (guard, is_writable, holder) = match self.find()? {
            Lock::Blocked(obstacle) => return Ok(Outcome::Blocked(obstacle)),
            Lock::LeftBehind {
                guard,
                is_writable,
                holder,
            } => (guard, is_writable, holder),
        };
        let outcome = match is_writable {
            true => self.finish(guard)?,
            // Another user's, as of a program that ran with sudo: made anew.
            false => {
                fs::remove_file(self.path)
                    .map_err(|error| self.failure("cannot be removed", error))?;
                Outcome::Blocked(changing())
            }
        };
        if !is_writable || matches!(outcome, Outcome::Taken(_)) {
            self.context.warn(&format!(
                "`{}` was left behind by {holder}, and was taken over",
                self.path.display()
            ));
        }
        Ok(outcome)
    }

    /// Looks at the file that is there.
    fn find(&mut self) -> Result<Lock, Error> {
        let (file, is_writable) = match self.open()? {
            Opened::File { file, is_writable } => (file, is_writable),
            Opened::Not(obstacle) => return Ok(Lock::Blocked(obstacle)),
        };
        let is_locked = lock::try_lock(&file);
        // From here on it is unlocked, whatever comes.
        let guard = Guard { file };
        let look = Look::at(&guard.file).map_err(|error| self.failure("cannot be read", error))?;
        let holder = Holder::read(&look.content);
        match is_locked {
            Ok(true) if platform::is_named(self.path, &guard.file) => {}
            Ok(true) => return Ok(Lock::Blocked(changing())),
            Ok(false) => return Ok(Lock::Blocked(held(format!("held by {holder}")))),
            // Two could take it over at once.
            Err(reason) => {
                let reason = format!("held by {holder}; it cannot be locked: {reason}");
                return Ok(Lock::Blocked(held(reason)));
            }
        }
        let watched = self.watch(&look);
        let age = look.age(self.context.clock.now()).max(watched);
        let life = holder.process.map(process::life);
        let is_contained = platform::is_in_a_namespace_of_its_own();
        let needed = needed(&holder, life, &look, age, is_contained);
        let lasts = match (age < needed.age, watched < needed.watched) {
            (true, _) => Lasts::Long,
            (false, true) => Lasts::Watched,
            (false, false) => {
                return Ok(Lock::LeftBehind {
                    guard,
                    is_writable,
                    holder,
                });
            }
        };
        let reason = format!("held by {holder}");
        Ok(Lock::Blocked(Obstacle { reason, lasts }))
    }

    fn open(&self) -> Result<Opened, Error> {
        let is_file = match fs::symlink_metadata(self.path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Opened::Not(changing()));
            }
            Err(error) => return Err(self.failure("cannot be read", error)),
        };
        if !is_file {
            let message = format!("MSAL's lock `{}` is no file", self.path.display());
            let hint = format!("remove `{}`", self.path.display());
            return Err(Error::new(ErrorKind::Store, message).hint(hint));
        }
        let mut is_writable = true;
        let mut opened = platform::lockable_file().open(self.path);
        if matches!(&opened, Err(error) if error.kind() == io::ErrorKind::PermissionDenied) {
            is_writable = false;
            opened = File::open(self.path);
        }
        match opened {
            Ok(file) => Ok(Opened::File { file, is_writable }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Opened::Not(changing())),
            // Whoever has it may be gone in a moment.
            Err(error) => Ok(Opened::Not(held(format!("it cannot be opened: {error}")))),
        }
    }

    /// For how long it has been as it is.
    fn watch(&mut self, look: &Look) -> Duration {
        let now = self.context.clock.monotonic();
        match &self.seen {
            Some((seen, since)) if seen == look => now.saturating_sub(*since),
            _ => {
                self.seen = Some((look.clone(), now));
                Duration::ZERO
            }
        }
    }

    fn finish(&self, guard: Guard) -> Result<Outcome, Error> {
        let path = self.path.to_owned();
        let mut guard = MsalGuard { path, guard };
        guard
            .sign()
            .map_err(|error| self.failure("cannot be written", error))?;
        Ok(match guard.is_intact() {
            true => Outcome::Taken(guard),
            // A library has removed it, which released its own lock before.
            false => Outcome::Blocked(changing()),
        })
    }

    fn failure(&self, what: &str, error: io::Error) -> Error {
        let message = format!("MSAL's lock `{}` {what}", self.path.display());
        Error::new(ErrorKind::Store, message).because(error)
    }
}

/// A file as it was found.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    content: Vec<u8>,
    modified: Option<SystemTime>,
    owner: Option<u32>,
}

impl Look {
    fn at(file: &File) -> io::Result<Self> {
        /// How long can a line of a process id and a program be? More is not read.
        const LONGEST: u64 = 4096;
        let metadata = file.metadata()?;
        let mut content = Vec::new();
        file.take(LONGEST).read_to_end(&mut content)?;
        Ok(Self {
            content,
            modified: metadata.modified().ok(),
            owner: platform::owner(&metadata),
        })
    }

    /// How long ago it was written, as far as clocks tell it.
    fn age(&self, now: Timestamp) -> Duration {
        let written = self.modified.map_or(now, Timestamp::from);
        Duration::from_secs(now.since(written).try_into().unwrap_or_default())
    }
}

/// Who has the lock, as the file says.
#[derive(Debug, PartialEq, Eq)]
struct Holder {
    /// `None`, if it says nothing: Go writes none, and others do so a moment after it was made.
    process: Option<u32>,
    program: String,
}

impl Holder {
    /// Reads `12 /usr/bin/az`, also behind the byte order mark of .NET.
    fn read(content: &[u8]) -> Self {
        /// How much of a program's name is shown?
        const SHOWN: usize = 200;
        let text = String::from_utf8_lossy(content);
        let text = text.trim_start_matches('\u{feff}').trim();
        let (process, program) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let program: String = program.trim().chars().take(SHOWN).collect();
        Self {
            process: process.parse().ok().filter(|process| *process > 0),
            program: printable(&program),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) if self.program.is_empty() => write!(formatter, "process {process}"),
            Some(process) => write!(formatter, "process {process}, `{}`", self.program),
            None => formatter.write_str("a process that does not say its name"),
        }
    }
}

/// What has to be so before a file that nobody has locked is taken for left behind.
#[derive(Debug, PartialEq, Eq)]
struct Needed {
    /// How long ago it was written. That is of two clocks: one that was set in between makes it wrong.
    age: Duration,
    /// How long this call has seen it as it is.
    watched: Duration,
}

/// What is needed before a file that nobody has locked, and that is so old, counts as left behind.
///
/// The libraries have the lock for milliseconds, while they read and write a file. An id says nothing
/// for sure where another machine or another container made the file, which have ids of their own: all
/// but our own files has to be some seconds old, and after the longest time nobody has it.
fn needed(
    holder: &Holder,
    life: Option<Life>,
    look: &Look,
    age: Duration,
    is_contained: bool,
) -> Needed {
    /// How long could a process have it that is not seen from here, although it lives?
    const UNSEEN: Duration = Duration::from_secs(2);
    /// The same where we are in a container ourselves. And how long could a process take from making
    /// the file to writing into it?
    const SLOW: Duration = Duration::from_secs(10);
    /// How long could one have it of which nothing is known?
    const UNKNOWN: Duration = Duration::from_secs(60);
    /// How long could one have it that waits for a person who unlocks a keyring?
    const LONGEST: Duration = Duration::from_secs(600);
    /// How long does one still need it that goes on after the machine has slept, or its clock was set?
    const AWAKE: Duration = Duration::from_secs(3);
    /// How exactly are the ages of a process and of a file known?
    const PRECISION: Duration = Duration::from_secs(3);

    let (age, watched) = match life {
        // It would be locked.
        _ if holder.program == OWN_NAME => (Duration::ZERO, Duration::ZERO),
        None => (SLOW, Duration::ZERO),
        Some(Life::Gone) if is_contained => (SLOW, Duration::ZERO),
        Some(Life::Gone) => (UNSEEN, Duration::ZERO),
        Some(Life::Unknown) => (UNKNOWN, AWAKE),
        Some(Life::Here { age: lived, user }) => {
            // Its id is that of another process by now.
            let is_younger = lived.is_some_and(|lived| lived + PRECISION < age);
            let is_others = user.is_some() && look.owner.is_some() && user != look.owner;
            match is_younger || is_others {
                true => (SLOW, AWAKE),
                false => (LONGEST, AWAKE),
            }
        }
    };
    Needed { age, watched }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Holder, Life, Look, Needed, changing, held, needed};

    #[test]
    fn the_holder_is_read_as_each_library_writes_it() {
        for (content, process, program) in [
            ("12 /usr/bin/az", Some(12), "/usr/bin/az"),
            ("\u{feff}12 pwsh\r\n", Some(12), "pwsh"),
            ("12 ", Some(12), ""),
            (
                "12 a program\nof two lines",
                Some(12),
                "a program of two lines",
            ),
            ("", None, ""),
            ("0 az", None, "az"),
            ("-1 az", None, "az"),
            ("99999999999 az", None, "az"),
            ("\0\0\0\0", None, ""),
        ] {
            let read = Holder::read(content.as_bytes());
            let program = program.to_owned();
            assert_eq!(read, Holder { process, program }, "{content:?}");
        }
        for (content, told) in [
            (&b"12 az"[..], "process 12, `az`"),
            (b"12", "process 12"),
            (b"", "a process that does not say its name"),
        ] {
            assert_eq!(Holder::read(content).to_string(), told);
        }
        assert_eq!(Holder::read(b"12 \xff").program, "\u{fffd}");
        assert_eq!(Holder::read(&[b'1'; 4096]).process, None);
    }

    #[test]
    fn what_can_be_over_at_once_is_looked_at_soon_and_others_have_their_turn() {
        let (brief, long) = (changing(), held(String::new()));
        for (obstacle, waited, chance, pause) in [
            (&brief, 0, 255, 2),
            (&brief, 320, 255, 20),
            (&brief, 5000, 255, 50),
            (&long, 0, 0, 50),
            (&long, 5000, 51, 90),
            (&long, 0, 255, 250),
        ] {
            let found = obstacle.pause(Duration::from_millis(waited), chance);
            assert_eq!(found, Duration::from_millis(pause), "{waited} {chance}");
        }
    }

    #[test]
    fn the_more_a_process_could_be_alive_the_longer_its_lock_is_left_to_it() {
        let here = |age: Option<u64>, user| {
            let age = age.map(Duration::from_secs);
            Some(Life::Here { age, user })
        };
        // Of a file that is 20 seconds old, and of user 5.
        for (program, life, is_contained, age, watched) in [
            ("cred-helper", Some(Life::Gone), false, 0, 0),
            ("cred-helper", here(Some(100), Some(5)), true, 0, 0),
            ("cred-helper", Some(Life::Unknown), false, 0, 0),
            ("az", Some(Life::Gone), false, 2, 0),
            ("az", Some(Life::Gone), true, 10, 0),
            ("", None, false, 10, 0),
            ("az", Some(Life::Unknown), false, 60, 3),
            ("az", here(Some(100), Some(5)), false, 600, 3),
            ("az", here(Some(18), Some(5)), false, 600, 3),
            ("az", here(None, None), false, 600, 3),
            // Of another process that came by the same id later.
            ("az", here(Some(10), Some(5)), false, 10, 3),
            // Of another user's.
            ("az", here(Some(100), Some(6)), false, 10, 3),
        ] {
            let holder = Holder {
                process: life.map(|_| 12),
                program: program.to_owned(),
            };
            let look = Look {
                content: Vec::new(),
                modified: None,
                owner: Some(5),
            };
            let expected = Needed {
                age: Duration::from_secs(age),
                watched: Duration::from_secs(watched),
            };
            let old = Duration::from_secs(20);
            let needed = needed(&holder, life, &look, old, is_contained);
            assert_eq!(needed, expected, "{holder:?}, {life:?}");
        }
    }
}
