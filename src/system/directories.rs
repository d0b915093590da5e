//! Where configuration and sessions lie on this system.

use std::path::PathBuf;

use super::platform;
use crate::context::Environment;
use crate::error::{Error, ErrorKind};

fn project() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", "cred-helper")
}

/// The user's configuration directory; `None` where the user has no home.
pub fn configuration() -> Option<PathBuf> {
    project().map(|directories| directories.config_dir().to_owned())
}

/// The profile file for everybody on this machine.
pub fn machine_wide_profiles(environment: &dyn Environment) -> PathBuf {
    platform::machine_wide_directory(environment).join("profiles.toml")
}

/// The user's home, for `~` in paths.
pub fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|directories| directories.home_dir().to_owned())
}

/// Where sessions are kept.
///
/// # Errors
/// `store` where there is no such place.
pub fn state(environment: &dyn Environment) -> Result<PathBuf, Error> {
    if let Some(path) = environment.variable("CRED_HELPER_STATE") {
        return std::path::absolute(&path).map_err(|error| {
            Error::new(
                ErrorKind::Store,
                format!("CRED_HELPER_STATE `{path}` is no path"),
            )
            .because(error)
        });
    }
    project()
        .map(|directories| directories.data_dir().to_owned())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "this user has no home directory to keep sessions in",
            )
            .hint("set HOME, or CRED_HELPER_STATE to a directory of your own")
        })
}
