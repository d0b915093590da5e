//! The lock of a session: a file of its own that is never removed, held by the operating system
//! and so released when its holder dies.
//!
//! Tried first, then waited for aloud, within a limit. On file systems without locks the work goes
//! on without one.

use std::fs::File;
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
        drop(fs2::FileExt::unlock(&self.file));
    }
}

/// Takes the lock if it is free, for another process: it is held as long as any of them has the file
/// open.
///
/// # Errors
/// `store`, if the lock file cannot be made, or there are no locks.
pub(super) fn try_acquire_for_another(path: &Path) -> Result<Option<File>, Error> {
    let file = open(path)?;
    match try_lock(&file) {
        Ok(is_free) => Ok(is_free.then_some(file)),
        Err(reason) => {
            let message = format!("`{}` cannot be locked", path.display());
            Err(Error::new(ErrorKind::Store, message).because(reason))
        }
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
/// `store`, if the lock file cannot be made.
pub(super) fn look(path: &Path) -> Result<Found, Error> {
    let file = open(path)?;
    Ok(match try_lock(&file) {
        Ok(true) => {
            drop(Guard { file });
            Found::Free
        }
        Ok(false) => Found::Held(platform::lock_holder(&file)),
        Err(reason) => Found::Impossible(reason.to_string()),
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

/// A wait that goes on, aloud and within its limit.
pub(super) struct Wait {
    began: Duration,
    said: bool,
}

impl Wait {
    /// It begins now.
    pub(super) fn begin(context: &Context<'_>) -> Self {
        Self {
            began: context.clock.monotonic(),
            said: false,
        }
    }

    /// How long it has gone on. Says once what is waited for, and the process that `holder` finds.
    ///
    /// # Errors
    /// `busy` when the limit is reached.
    pub(super) fn check(
        &mut self,
        patience: &Patience<'_>,
        context: &Context<'_>,
        holder: impl FnOnce() -> Option<u32>,
    ) -> Result<Duration, Error> {
        /// How long is waited in silence?
        const SILENT: Duration = Duration::from_secs(2);
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
        if !self.said && waited >= SILENT {
            let holder =
                holder().map_or_else(String::new, |process| format!(" (process {process})"));
            context.inform(&format!("waiting for {}{holder}", patience.waiting_for));
            self.said = true;
        }
        Ok(waited)
    }
}

/// Takes the lock if it is free.
///
/// # Errors
/// `store`, if the lock file cannot be made.
pub(super) fn try_acquire(path: &Path) -> Result<Option<Guard>, Error> {
    let file = open(path)?;
    // A file system without locks is no failure.
    let is_free = try_lock(&file).unwrap_or(true);
    Ok(is_free.then_some(Guard { file }))
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
/// If the file system has no locks.
#[expect(clippy::disallowed_methods, reason = "this is where locks are taken")]
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match fs2::FileExt::try_lock_exclusive(file) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
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
    let file = open(path)?;
    let mut wait = Wait::begin(context);
    loop {
        match try_lock(&file) {
            Ok(true) => return Ok(Some(Guard { file })),
            Ok(false) if is_settled() => return Ok(None),
            Ok(false) => {}
            Err(reason) => {
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
