//! The lock of a session: a file of its own that is never removed, held by the operating system
//! and so released when its holder dies.
//!
//! Tried first, then waited for aloud, within a limit. On file systems without locks the work goes
//! on without one; a lock that fails in any other way is an error.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::system::platform;

/// A held lock. Dropping it releases it.
#[derive(Debug)]
pub(super) struct Guard {
    /// What is locked.
    pub(super) file: File,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closed alone, it would be held as long as a child that another thread is starting has the
        // file open too. What was never locked is none the worse.
        drop(self.file.unlock());
    }
}

/// Takes the lock if it is free, for another process: it is held as long as any of them has the file
/// open.
///
/// # Errors
/// `store`, if the lock file cannot be made, or there are no locks.
pub(super) fn try_acquire_for_another(path: &Path) -> Result<Option<File>, Error> {
    let file = open(path)?;
    match attempt(&file, path)? {
        Attempt::Taken => Ok(Some(file)),
        Attempt::Held => Ok(None),
        Attempt::Impossible(reason) => Err(failed(path, &reason)),
    }
}

/// How a lock was found.
pub(super) enum Found {
    /// Nobody holds it.
    Free,
    /// Somebody does: the process, where that can be told.
    Held(Option<u32>),
    /// The file system has no locks, for the reason in words.
    Impossible(String),
}

/// Looks whether a lock is free.
///
/// # Errors
/// `store`, if the lock file cannot be made or locked.
pub(super) fn look(path: &Path) -> Result<Found, Error> {
    let file = open(path)?;
    Ok(match attempt(&file, path)? {
        Attempt::Taken => {
            drop(Guard { file });
            Found::Free
        }
        Attempt::Held => Found::Held(platform::lock_holder(&file)),
        Attempt::Impossible(reason) => Found::Impossible(reason.to_string()),
    })
}

/// How long to wait, and what to say.
pub(super) struct Patience<'a> {
    /// When to give up.
    pub(super) limit: Duration,
    /// What is waited for, in words.
    pub(super) waiting_for: &'a str,
    /// What to do when the limit is reached.
    pub(super) hint: &'a str,
}

/// How long is waited in silence?
const SILENT: Duration = Duration::from_secs(2);

/// A wait that goes on, aloud and within its limit.
pub(super) struct Wait {
    began: Duration,
    /// After which time something is said next.
    next: Duration,
}

impl Wait {
    /// It begins now.
    pub(super) fn begin(context: &Context<'_>) -> Self {
        Self {
            began: context.clock.monotonic(),
            next: SILENT,
        }
    }

    /// How long it has gone on. Says what is waited for, and the process that `holder` finds; then, ever
    /// more seldom, for how long already.
    ///
    /// # Errors
    /// `busy` when the limit is reached.
    pub(super) fn check(
        &mut self,
        patience: &Patience<'_>,
        context: &Context<'_>,
        holder: impl FnOnce() -> Option<u32>,
    ) -> Result<Duration, Error> {
        let waited = context.clock.monotonic().saturating_sub(self.began);
        if waited >= patience.limit {
            // Fractions of a second matter only where there is nothing else.
            let shown = match patience.limit.as_secs() {
                0 => patience.limit,
                seconds => Duration::from_secs(seconds),
            };
            return Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "{} took longer than {}",
                    patience.waiting_for,
                    humantime::format_duration(shown)
                ),
            )
            .hint(patience.hint));
        }
        if waited >= self.next {
            /// How much longer is each silence than the one before? An hour makes six lines.
            const LONGER: u32 = 4;
            let process = holder().map(|process| format!(" (process {process})"));
            let what = format!("{}{}", patience.waiting_for, process.unwrap_or_default());
            let line = if self.next == SILENT {
                format!("waiting for {what}")
            } else {
                let seconds = Duration::from_secs(waited.as_secs());
                let time = humantime::format_duration(seconds);
                format!("still waiting, for {time} already: {what}")
            };
            context.inform(&line);
            // Once for all of them, where the machine has slept meanwhile.
            while self.next <= waited {
                self.next *= LONGER;
            }
        }
        Ok(waited)
    }
}

/// Takes the lock if it is free.
///
/// # Errors
/// `store`, if the lock file cannot be made or locked.
pub(super) fn try_acquire(path: &Path) -> Result<Option<Guard>, Error> {
    let file = open(path)?;
    Ok(match attempt(&file, path)? {
        // A file system without locks is no failure.
        Attempt::Taken | Attempt::Impossible(_) => Some(Guard { file }),
        Attempt::Held => None,
    })
}

fn open(path: &Path) -> Result<File, Error> {
    let mut options = platform::private_file();
    options.read(true).write(true).create(true).truncate(false);
    platform::patiently(|| options.open(path)).map_err(|error| {
        Error::new(
            ErrorKind::Store,
            format!("the lock `{}` cannot be made", path.display()),
        )
        .because(error)
        .hint("make its directory writable, or set CRED_HELPER_STATE to one that is")
    })
}

/// Locks an open file, if nobody else has it locked: whether that was so.
///
/// # Errors
/// Those of the system.
#[expect(clippy::disallowed_methods, reason = "this is where locks are taken")]
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// How an attempt ended.
enum Attempt {
    Taken,
    /// Somebody else has it.
    Held,
    /// There are no locks here.
    Impossible(io::Error),
}

/// Tries it once.
///
/// # Errors
/// `store`, where the failure tells nothing of whether there are locks: two that went on would both
/// spend the refresh token.
fn attempt(file: &File, path: &Path) -> Result<Attempt, Error> {
    match try_lock(file) {
        Ok(true) => Ok(Attempt::Taken),
        Ok(false) => Ok(Attempt::Held),
        Err(error) if platform::tells_of_no_locks(&error) => Ok(Attempt::Impossible(error)),
        Err(error) => Err(failed(path, &error)),
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let message = format!("`{}` cannot be locked", path.display());
    Error::new(ErrorKind::Store, message).because(error).hint(
        "see what is wrong with its disk, or set CRED_HELPER_STATE to a directory on another one",
    )
}

/// Takes the lock, waiting for it if need be. `None` if `is_settled` says meanwhile that it is not
/// needed any more.
///
/// # Errors
/// `busy` when the limit is reached, `interrupted`, or `store`.
pub(super) fn acquire(
    path: &Path,
    patience: &Patience<'_>,
    context: &Context<'_>,
    is_settled: &mut dyn FnMut() -> bool,
) -> Result<Option<Guard>, Error> {
    /// How soon may the lock be free again at the earliest?
    const SHORTEST: Duration = Duration::from_millis(5);
    /// How late may a waiter notice that it is free?
    const LONGEST: Duration = Duration::from_millis(16);
    /// How often is it tried where the system has no memory for a lock, or none at all?
    const MOST_WITHOUT_ROOM: u32 = 20;

    let file = open(path)?;
    let mut wait = Wait::begin(context);
    let mut without_room = 0;
    loop {
        match attempt(&file, path)? {
            Attempt::Taken => return Ok(Some(Guard { file })),
            Attempt::Held if is_settled() => return Ok(None),
            Attempt::Held => {}
            // NFS says the same where it has no locks at all.
            Attempt::Impossible(reason)
                if platform::tells_of_no_room(&reason) && without_room < MOST_WITHOUT_ROOM =>
            {
                without_room += 1;
                context.clock.sleep(SHORTEST)?;
                continue;
            }
            Attempt::Impossible(reason) => {
                context.warn(&format!(
                    "`{}` cannot be locked ({reason}): two calls at once could lose the sign-in; \
                     set CRED_HELPER_STATE to a local directory",
                    path.display()
                ));
                return Ok(Some(Guard { file }));
            }
        }
        let waited = wait.check(patience, context, || platform::lock_holder(&file))?;
        // Late by a sixteenth of the wait, so that many who wait for one refresh do not draw it out.
        context
            .clock
            .sleep((waited / 16).clamp(SHORTEST, LONGEST))?;
    }
}

#[cfg(test)]
mod tests {
    use super::{open, try_acquire};
    use crate::system::platform;

    #[test]
    fn linux_tells_which_process_holds_a_lock() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("lock");
        let file = open(&path).expect("it can be made");
        assert_eq!(platform::lock_holder(&file), None);
        let held = try_acquire(&path).expect("it is there");
        let is_told = std::env::consts::OS == "linux";
        let own = is_told.then(std::process::id);
        assert_eq!(platform::lock_holder(&file), own);
        drop(held);
        assert_eq!(platform::lock_holder(&file), None);
    }

    #[test]
    fn a_lock_is_free_again_although_a_child_still_has_its_file_open() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("lock");
        let held = try_acquire(&path)
            .expect("it can be made")
            .expect("it is free");
        // As a child that another thread is starting.
        let _inherited = held.file.try_clone().expect("it can be open twice");
        assert!(try_acquire(&path).expect("it is there").is_none());
        drop(held);
        assert!(try_acquire(&path).expect("it is there").is_some());
    }
}
