//! What Azure Arc's agent keeps on a machine: the keys with which a caller shows it that it may read
//! what administrators may.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path};

use super::platform;
use crate::context::Environment;
use crate::secret::Secret;
use crate::text::printable;

/// How large may a key be?
const LONGEST_KEY: u64 = 4096;

/// Whether the agent is installed on this machine.
pub fn is_installed(environment: &dyn Environment) -> bool {
    let (program, _) = platform::arc_agent(environment);
    program.exists()
}

/// The key in the file that the agent names, which lies in the agent's own directory.
///
/// # Errors
/// Why it is not read.
pub fn key(named: &str, environment: &dyn Environment) -> Result<Secret, String> {
    let (_, directory) = platform::arc_agent(environment);
    read_key(&directory, named)
}

/// The key in the file `named`, which has to lie in `directory` itself. Whoever answers in place of the
/// agent must not have another file sent to it.
///
/// # Errors
/// Why it is not read.
pub fn read_key(directory: &Path, named: &str) -> Result<Secret, String> {
    let path = Path::new(named);
    let shown = printable(named);
    let is_straight = path.is_absolute()
        && !path
            .components()
            .any(|component| component == Component::ParentDir);
    let is_key = path.extension().is_some_and(|extension| extension == "key");
    let same = |parent: &Path| {
        // As the system writes both: on Windows there are many ways to.
        let whole = |path: &Path| fs::canonicalize(path).ok();
        parent == directory || whole(parent).is_some_and(|parent| whole(directory) == Some(parent))
    };
    if !is_straight || !is_key || !path.parent().is_some_and(same) {
        return Err(format!(
            "`{shown}` is no key in `{}`, and was not read",
            directory.display()
        ));
    }
    let failed = |error: io::Error| format!("`{shown}` cannot be read: {error}");
    // A link could lead anywhere, and a pipe could keep this waiting.
    if !fs::symlink_metadata(path).map_err(failed)?.is_file() {
        return Err(format!("`{shown}` is no file, and was not read"));
    }
    let mut text = String::new();
    let read = File::open(path)
        .map_err(failed)?
        .take(LONGEST_KEY + 1)
        .read_to_string(&mut text);
    let text = Secret::new(text);
    if read.map_err(failed)? as u64 > LONGEST_KEY {
        return Err(format!("`{shown}` is longer than {LONGEST_KEY} bytes"));
    }
    Ok(Secret::new(text.expose().trim()))
}
