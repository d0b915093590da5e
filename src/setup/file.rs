//! A tool's configuration file: found behind its links, read whole, replaced whole.
//!
//! Whoever writes holds `FILE.lock`, which nobody else can make meanwhile: git's own way, and
//! kubectl's, so that neither writes at the same time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::system::platform;

/// How large may a configuration be?
const LONGEST: u64 = 16 * 1024 * 1024;

/// A configuration file, whether it is there or not.
pub(crate) struct ConfigurationFile {
    tool: &'static str,
    path: PathBuf,
}

/// The right to write the file, which nobody else has meanwhile.
pub(crate) struct Held<'a> {
    file: &'a ConfigurationFile,
    lock: PathBuf,
}

impl ConfigurationFile {
    /// The file behind the links of `path`: a link stays one when its file is replaced.
    pub(crate) fn find(tool: &'static str, path: &Path) -> Result<Self, Error> {
        /// How many links may follow each other?
        const LONGEST_CHAIN: usize = 40;
        let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        for _ in 0..LONGEST_CHAIN {
            match fs::read_link(&path) {
                Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
                Err(_) => return Ok(Self { tool, path }),
            }
        }
        let error = io::Error::other("its links go round in a circle");
        Err(Self { tool, path }.failed("found", &error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// What it says; `None` if there is no file.
    pub(crate) fn read(&self) -> Result<Option<String>, Error> {
        let read = || -> io::Result<Option<Vec<u8>>> {
            match fs::metadata(&self.path) {
                Ok(metadata) if metadata.is_file() => {}
                // A pipe would be waited for.
                Ok(_) => return Err(io::Error::other("it is no file")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
            let file = platform::patiently(|| File::open(&self.path))?;
            let mut bytes = Vec::new();
            file.take(LONGEST + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > LONGEST {
                return Err(io::Error::other("it is too large"));
            }
            Ok(Some(bytes))
        };
        let bytes = read().map_err(|error| self.failed("read", &error))?;
        let text = bytes.map(String::from_utf8).transpose();
        text.map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
            damaged(self.tool, &self.path, &before, "this is not UTF-8")
        })
    }

    /// Refuses a file that somebody protected: renaming another one over it would not ask.
    pub(super) fn check_writable(&self) -> Result<(), Error> {
        match fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => {
                Err(self.failed("written", &io::Error::other("it is no file")))
            }
            Ok(metadata) if metadata.permissions().readonly() => {
                Err(self.unwritable(&io::Error::other("it is read-only")))
            }
            _ => Ok(()),
        }
    }

    /// Waits until nobody else writes the file.
    pub(crate) fn hold(&self, context: &Context<'_>) -> Result<Held<'_>, Error> {
        /// How long is waited? Whoever holds it has a file to write and nothing else.
        const LIMIT: Duration = Duration::from_secs(10);
        /// How long is waited between two looks?
        const PAUSE: Duration = Duration::from_millis(20);
        self.check_writable()?;
        if let Some(folder) = self.path.parent() {
            platform::create_private_directory(folder).map_err(|error| self.unwritable(&error))?;
        }
        let lock = self.beside(".lock");
        let mut options = platform::private_file();
        options.write(true).create_new(true);
        let started = context.clock.monotonic();
        let mut is_said = false;
        loop {
            match options.open(&lock) {
                Ok(_) => return Ok(Held { file: self, lock }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.unwritable(&error)),
            }
            if !is_said {
                let path = self.path.display();
                context.inform(&format!("waiting for another program that writes `{path}`"));
                is_said = true;
            }
            if context.clock.monotonic().saturating_sub(started) >= LIMIT {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!("another program is writing `{}`", self.path.display()),
                )
                .hint(format!(
                    "if none is, one was killed at it: remove `{}`",
                    lock.display()
                )));
            }
            context.clock.sleep(PAUSE)?;
        }
    }

    /// The file's name with more behind it.
    fn beside(&self, more: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(more);
        PathBuf::from(name)
    }

    fn unwritable(&self, error: &io::Error) -> Error {
        self.failed("written", error)
            .hint("make it and its directory writable, or change it where it comes from")
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        let tool = self.tool;
        let path = self.path.display();
        Error::new(
            ErrorKind::Config,
            format!("{tool}'s configuration `{path}` cannot be {what}"),
        )
        .because(error)
    }
}

/// The error that a file is no configuration of its tool, at the end of the text `before`.
pub(super) fn damaged(tool: &str, path: &Path, before: &str, reason: &str) -> Error {
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    Error::new(
        ErrorKind::Config,
        format!(
            "{}:{line}:{column}: {tool}'s configuration is damaged: {reason}",
            path.display()
        ),
    )
    .hint("mend it first; it was left as it is")
}

impl Held<'_> {
    /// Replaces the file at once and whole. It keeps its permissions; a new one is private.
    pub(crate) fn replace(&self, text: &str) -> Result<(), Error> {
        let path = &self.file.path;
        // A name that nobody else gives a file of theirs.
        let temporary = self.file.beside(".cred-helper-new");
        let write = || -> io::Result<()> {
            // Of somebody who was killed.
            drop(fs::remove_file(&temporary));
            let mut options = platform::private_file();
            options.write(true).create_new(true);
            let mut file = options.open(&temporary)?;
            if let Ok(metadata) = fs::metadata(path) {
                fs::set_permissions(&temporary, metadata.permissions())?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            drop(file);
            platform::patiently(|| fs::rename(&temporary, path))?;
            path.parent().map_or(Ok(()), platform::sync_directory)
        };
        write().map_err(|error| {
            // What was not written is in nobody's way.
            drop(fs::remove_file(&temporary));
            self.file.failed("written", &error)
        })
    }

    /// Removes the file.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        platform::patiently(|| fs::remove_file(&self.file.path))
            .map_err(|error| self.file.failed("removed", &error))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Where this fails, the next one is told what to do.
        drop(fs::remove_file(&self.lock));
    }
}
