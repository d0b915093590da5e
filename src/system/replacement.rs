//! Replaces a file that somebody else reads, at once and whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::platform;
use crate::error::{Error, ErrorKind};
use crate::text::printable;

/// Whether a file can be replaced, or made, at `path`. What is there and is no file stays: a directory, a
/// device, or a link, whose target somebody else may have chosen.
///
/// # Errors
/// If not.
pub fn check(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => Ok(()),
        Ok(there) if there.is_symlink() => Err(io::Error::other("it is a link")),
        Ok(there) if there.is_dir() => Err(io::Error::other("it is a directory")),
        Ok(_) => Err(io::Error::other("it is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            folder.map_or(Ok(()), |folder| fs::metadata(folder).map(drop))
        }
        Err(error) => Err(error),
    }
}

/// The error of a file that somebody named, and that cannot be replaced.
pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    let shown = printable(&path.display().to_string());
    Error::new(ErrorKind::Store, format!("`{shown}` cannot be written"))
        .because(error)
        .hint("name a file, or one that is to be, in a directory that you can write")
}

/// Writes `bytes` into a new file, which only its owner can read, and renames it to `path`.
///
/// # Errors
/// If that fails; then what was there is there still.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(path, |file| file.write_all(bytes))
}

/// The same with what `write` writes.
///
/// # Errors
/// If that fails; then what was there is there still.
pub fn replace_by(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("it is no file's name"))?;
    let mut own = name.to_owned();
    own.push(format!(".cred-helper-{}", std::process::id()));
    replace_through_by(&path.with_file_name(own), path, write)
}

/// The same through a temporary file of that name, which must be the caller's own.
///
/// # Errors
/// If that fails; then what was there is there still.
pub fn replace_through(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_through_by(temporary, path, |file| file.write_all(bytes))
}

fn replace_through_by(
    temporary: &Path,
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let replace = || -> io::Result<()> {
        // Of a process that was killed.
        drop(fs::remove_file(temporary));
        let mut options = platform::private_file();
        let mut file = options.write(true).create_new(true).open(temporary)?;
        write(&mut file)?;
        file.sync_all()?;
        drop(file);
        platform::patiently(|| fs::rename(temporary, path))
    };
    replace().inspect_err(|_| {
        // What was not written is in nobody's way.
        drop(fs::remove_file(temporary));
    })
}
