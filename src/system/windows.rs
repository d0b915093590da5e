//! What differs on Windows: files inherit the access rights of the user's profile directory.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::context::Environment;

/// The console, whatever stdout is.
pub const TERMINAL: &str = "CONOUT$";

/// Where the file for everybody on this machine lies.
pub fn machine_wide_directory(environment: &dyn Environment) -> PathBuf {
    let root = environment
        .variable("ProgramData")
        .unwrap_or_else(|| r"C:\ProgramData".to_owned());
    PathBuf::from(root).join("cred-helper")
}

/// Options that create files which only their owner can read: the directory's rights decide.
pub fn private_file() -> OpenOptions {
    OpenOptions::new()
}

/// Creates a directory and those above it.
///
/// # Errors
/// If it cannot be created.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// What is wrong with a file of secrets: access rights are inherited, nothing is checked.
pub fn private_file_problem(_path: &Path, _metadata: &Metadata) -> Option<(String, String)> {
    None
}

/// What is wrong with a trusted file: access rights are inherited, nothing is checked.
pub fn trusted_problem(_path: &Path, _metadata: &Metadata) -> Option<(String, String)> {
    None
}

/// Nothing to do: NTFS journals names.
///
/// # Errors
/// None.
pub fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
