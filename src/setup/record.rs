//! What setup wrote into a configuration, for undoing it; and copies of what was there before.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Machine, Setting};
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::system::platform;

/// The version of the file format.
const VERSION: u32 = 1;

/// What was written into one configuration file.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    tool: String,
    /// The file.
    pub(super) file: PathBuf,
    /// Everything of ours that stands there, as far as nobody else took it out.
    pub(super) settings: Vec<Setting>,
    /// How to bring the file back byte for byte, while nobody else has written it.
    exact: Option<Exact>,
}

#[derive(Serialize, Deserialize)]
struct Exact {
    /// The digest of what we wrote.
    after: String,
    /// Where a copy lies of what was there before us; `None` if there was no file.
    before: Option<PathBuf>,
}

impl Exact {
    /// Whether this is what we wrote.
    fn is_written(&self, text: Option<&str>) -> bool {
        text.is_some_and(|text| self.after == digest(text.as_bytes()))
    }

    /// What was there before us.
    fn original(&self) -> Option<String> {
        fs::read_to_string(self.before.as_ref()?).ok()
    }
}

impl Record {
    /// The record of a file; an empty one if nothing was written there.
    pub(super) fn load(machine: &Machine<'_>, tool: &str, file: &Path) -> Result<Self, Error> {
        let path = place(machine, tool, file);
        match fs::read(&path) {
            Ok(bytes) => read(&path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                version: VERSION,
                tool: tool.to_owned(),
                file: file.to_owned(),
                settings: Vec::new(),
                exact: None,
            }),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    /// The records of a tool, in the order of their files.
    pub(super) fn all(machine: &Machine<'_>, tool: &str) -> Result<Vec<Self>, Error> {
        let Ok(entries) = fs::read_dir(machine.folder()) else {
            return Ok(Vec::new());
        };
        let mut records = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&format!("{tool}-")) && name.ends_with(".json") {
                match fs::read(&path) {
                    Ok(bytes) => records.push(read(&path, &bytes)?),
                    // Another process undid it just now.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(failed("read", &path, &error)),
                }
            }
        }
        records.sort_by(|one, other| one.file.cmp(&other.file));
        Ok(records)
    }

    /// Notes that `after` was written over `before`, of which a backup may lie somewhere.
    pub(super) fn note(
        &mut self,
        settings: Vec<Setting>,
        before: &Option<String>,
        after: &str,
        backup: Option<PathBuf>,
    ) {
        let after = digest(after.as_bytes());
        let before_us = match &self.exact {
            _ if self.settings.is_empty() => Some(backup),
            Some(exact) if exact.is_written(before.as_deref()) || exact.original() == *before => {
                Some(exact.before.clone())
            }
            // Somebody else wrote between two of our writings: there is no copy without ours.
            Some(_) | None => None,
        };
        self.exact = before_us.map(|before| Exact { after, before });
        self.settings = settings;
    }

    /// What was there before us, if nobody else has written since: `Some(None)` is no file.
    pub(super) fn original(&self, text: &str) -> Option<Option<String>> {
        let exact = self.exact.as_ref()?;
        let original = exact.original();
        // A copy that somebody removed is not to be had.
        let is_known = original.is_some() || exact.before.is_none();
        (is_known && exact.is_written(Some(text))).then_some(original)
    }

    /// Keeps the record; one of nothing is removed.
    pub(super) fn save(&self, machine: &Machine<'_>) -> Result<(), Error> {
        let path = place(machine, &self.tool, &self.file);
        let text = serde_json::to_string(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "BUG: a record cannot be written").because(error)
        })?;
        let write = || -> io::Result<()> {
            if self.settings.is_empty() {
                return match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            platform::create_private_directory(&machine.folder())?;
            let temporary = path.with_extension("tmp");
            let mut options = platform::private_file();
            options.write(true).create(true).truncate(true);
            let mut file = options.open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            drop(file);
            platform::patiently(|| fs::rename(&temporary, &path))
        };
        write().map_err(|error| failed("written", &path, &error))
    }
}

/// Keeps a copy of what a file says; where it lies. Nothing is nothing to keep.
pub(super) fn back_up(
    machine: &Machine<'_>,
    tool: &str,
    text: Option<&str>,
) -> Result<Option<PathBuf>, Error> {
    let Some(text) = text else {
        return Ok(None);
    };
    let folder = machine.folder().join("backup");
    let now = machine.context.clock.now().rfc3339().replace(':', "-");
    let write = || -> io::Result<PathBuf> {
        platform::create_private_directory(&folder)?;
        for number in 1.. {
            let path = match number {
                1 => folder.join(format!("{now}-{tool}")),
                _ => folder.join(format!("{now}-{tool}-{number}")),
            };
            let mut options = platform::private_file();
            match options.write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no name is free"))
    };
    write()
        .map(Some)
        .map_err(|error| failed("written", &folder, &error))
}

/// Where the record of a file lies.
fn place(machine: &Machine<'_>, tool: &str, file: &Path) -> PathBuf {
    let digest = digest(file.as_os_str().as_encoded_bytes());
    machine
        .folder()
        .join(format!("{tool}-{}.json", &digest[..16]))
}

fn read(path: &Path, bytes: &[u8]) -> Result<Record, Error> {
    match serde_json::from_slice::<Record>(bytes) {
        Ok(record) if record.version == VERSION => Ok(record),
        other => {
            let path = path.display();
            let error = Error::new(
                ErrorKind::Store,
                format!("`{path}`, which tells what setup wrote, cannot be understood"),
            )
            .hint("remove it, and then what setup wrote by hand");
            Err(match other {
                Ok(record) => error.because(format!("it is of version {}", record.version)),
                Err(reason) => error.because(reason),
            })
        }
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    Error::new(ErrorKind::Store, format!("`{path}` cannot be {what}")).because(error)
}
