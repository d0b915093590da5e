//! A file that is replaced whole and durably: written beside it, synchronized, renamed.
//!
//! Whoever does it holds the file's lock: its temporary neighbours have one owner.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use crate::system::platform;

/// A file, and how its temporary neighbours are called.
pub(super) struct Replaceable {
    path: PathBuf,
    prefix: PathBuf,
}

/// Room for the next content, proved to be writable.
pub(super) struct Reservation {
    temporary: Temporary,
    file: File,
}

/// The next content, beside the file that it is to replace.
pub(super) struct Prepared(Temporary);

/// A temporary file's name. What does not become the file is removed.
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn rename(mut self, path: &Path) -> io::Result<()> {
        if let Some(own) = &self.0 {
            platform::patiently(|| fs::rename(own, path))?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Where this fails, the next holder of the lock does it.
            drop(fs::remove_file(path));
        }
    }
}

impl Replaceable {
    /// The file at `path`; `prefix` is a path beside it that nobody else has.
    pub(super) fn new(path: PathBuf, prefix: PathBuf) -> Self {
        Self { path, prefix }
    }

    pub(super) fn temporary(&self, purpose: &str) -> PathBuf {
        let mut name = self.prefix.clone().into_os_string();
        name.push("-");
        name.push(purpose);
        name.into()
    }

    /// Writes room for the next content to the disk and renames it once, so that a full disk, a
    /// read-only directory or a failing one is noticed while there is nothing to lose.
    pub(super) fn prove_writable(&self) -> io::Result<Reservation> {
        /// How much can an answer and a seal add to a session? Tokens of 16 KB are the largest seen.
        const ROOM: u64 = 64 * 1024;
        let length = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let length = length + ROOM;
        let prove = || -> io::Result<Reservation> {
            let (temporary, mut file) = self.create_temporary("proof")?;
            let blank = vec![b' '; usize::try_from(length).map_err(io::Error::other)?];
            file.write_all(&blank)?;
            file.sync_all()?;
            let path = self.temporary("room");
            platform::patiently(|| fs::rename(&temporary, &path))?;
            Ok(Reservation {
                temporary: Temporary(Some(path)),
                file,
            })
        };
        prove().inspect_err(|_| self.remove_temporaries())
    }

    /// Replaces the content, durably, in the reserved room if there is some.
    pub(super) fn replace(&self, bytes: &[u8], reservation: Option<Reservation>) -> io::Result<()> {
        self.commit(self.prepare(bytes, reservation)?)
    }

    /// Writes the next content to the disk, in the reserved room if there is some. Nobody sees it yet.
    pub(super) fn prepare(
        &self,
        bytes: &[u8],
        reservation: Option<Reservation>,
    ) -> io::Result<Prepared> {
        let write = || -> io::Result<Prepared> {
            let (temporary, mut file) = match reservation {
                Some(Reservation {
                    temporary,
                    mut file,
                }) => {
                    file.rewind()?;
                    (temporary, file)
                }
                None => {
                    let (path, file) = self.create_temporary("new")?;
                    (Temporary(Some(path)), file)
                }
            };
            file.write_all(bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_all()?;
            Ok(Prepared(temporary))
        };
        write().inspect_err(|_| self.remove_temporaries())
    }

    /// Puts it in the file's place.
    pub(super) fn commit(&self, Prepared(temporary): Prepared) -> io::Result<()> {
        let commit = || -> io::Result<()> {
            temporary.rename(&self.path)?;
            platform::sync_directory(self.path.parent().unwrap_or(Path::new(".")))
        };
        commit().inspect_err(|_| self.remove_temporaries())
    }

    /// Whoever holds the lock owns these names: what lies there is of somebody who died.
    pub(super) fn remove_temporaries(&self) {
        for purpose in ["proof", "room", "new"] {
            // What is not there need not be removed; what cannot be is replaced later.
            drop(fs::remove_file(self.temporary(purpose)));
        }
    }

    fn create_temporary(&self, purpose: &str) -> io::Result<(PathBuf, File)> {
        let path = self.temporary(purpose);
        match platform::patiently(|| fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = platform::private_file();
        options.write(true).create_new(true);
        // A file that somebody still has open keeps its name for a moment after its removal.
        let file = platform::patiently(|| options.open(&path))?;
        Ok((path, file))
    }
}
