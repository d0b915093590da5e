//! The real program of a name that this one stands in for: a call that is not for us is passed on to
//! it, in our place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{platform, process};
use crate::context::Environment;
use crate::error::{Error, ErrorKind};
use crate::text::printable;

/// The stand-ins that a call was passed on by, one after the other.
const PASSED_ON: &str = "CRED_HELPER_PASSED_ON";

/// How often may a call be passed on, by a program that the real one started and so on?
const MOST: usize = 8;

/// A program that lies on PATH under the name that we were started by, and is not us.
#[derive(Debug)]
pub struct RealProgram {
    path: PathBuf,
    stand_ins: Vec<PathBuf>,
}

impl RealProgram {
    /// The first one on PATH. Neither this program under any of its names is one, nor one that passed
    /// the call on to us.
    ///
    /// # Errors
    /// `config`, if the call is passed on in a circle.
    pub fn find(name: &str, environment: &dyn Environment) -> Result<Option<Self>, Error> {
        let passed_on = environment.variable(PASSED_ON).unwrap_or_default();
        let mut stand_ins: Vec<PathBuf> = std::env::split_paths(&passed_on)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        let times = stand_ins.len();
        stand_ins.extend(process::own_program().map(|own| resolved(&own)));
        let names: Vec<String> = platform::PROGRAM_SUFFIXES
            .iter()
            .map(|suffix| format!("{name}{suffix}"))
            .collect();
        let found = process::folders(environment)
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
            .find(|path| platform::is_program(path) && !stand_ins.contains(&resolved(path)));
        let Some(path) = found else {
            return Ok(None);
        };
        if times >= MOST {
            let shown = printable(&path.display().to_string());
            return Err(Error::new(
                ErrorKind::Config,
                format!("`{name}` is passed on in a circle: `{shown}` starts cred-helper again"),
            )
            .hint(format!(
                "take `{shown}` from PATH, or let it start cred-helper for what cred-helper answers alone"
            )));
        }
        Ok(Some(Self { path, stand_ins }))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has it run in our place, with our streams and our environment, and returns its exit code. On
    /// Unix it is this process from then on, and nothing returns.
    ///
    /// # Errors
    /// `config`, if it cannot be started.
    pub fn run(self, arguments: &[OsString]) -> Result<u8, Error> {
        let failed = |reason: String| {
            let shown = printable(&self.path.display().to_string());
            Error::new(ErrorKind::Config, format!("`{shown}` cannot be started")).because(reason)
        };
        let passed_on =
            std::env::join_paths(&self.stand_ins).map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(&self.path);
        // What is not Unicode would be read as nothing, and the circle have no end.
        let passed_on = passed_on.to_string_lossy();
        command.args(arguments).env(PASSED_ON, passed_on.as_ref());
        platform::run_in_our_place(&mut command).map_err(|error| failed(error.to_string()))
    }
}

/// The file that a path leads to.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
