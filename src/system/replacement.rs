//! Replaces a file that somebody else reads, at once and whole.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::platform;

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

/// Writes `bytes` into a new file, which only its owner can read, and renames it to `path`.
///
/// # Errors
/// If that fails; then what was there is there still.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("it is no file's name"))?;
    let mut own = name.to_owned();
    own.push(format!(".cred-helper-{}", std::process::id()));
    replace_through(&path.with_file_name(own), path, bytes)
}

/// The same through a temporary file of that name, which must be the caller's own.
///
/// # Errors
/// If that fails; then what was there is there still.
pub fn replace_through(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = || -> io::Result<()> {
        // Of a process that was killed.
        drop(fs::remove_file(temporary));
        let mut options = platform::private_file();
        let mut file = options.write(true).create_new(true).open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        platform::patiently(|| fs::rename(temporary, path))
    };
    write().inspect_err(|_| {
        // What was not written is in nobody's way.
        drop(fs::remove_file(temporary));
    })
}
