//! Replaces a file that somebody else reads, at once and whole.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::platform;

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
    let temporary = path.with_file_name(own);
    let write = || -> io::Result<()> {
        // Of a process that was killed, and had the same number.
        drop(fs::remove_file(&temporary));
        let mut options = platform::private_file();
        let mut file = options.write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        platform::patiently(|| fs::rename(&temporary, path))
    };
    write().inspect_err(|_| {
        // What was not written is in nobody's way.
        drop(fs::remove_file(&temporary));
    })
}
