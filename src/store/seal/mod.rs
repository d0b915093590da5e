//! How a session's content lies in its file: one file per way.
//!
//! Each session file names its seal and is read whatever the configuration says. To add a way: a
//! file with a type that implements [`Seal`], and a line in [`SEALS`].

mod none;

use std::borrow::Cow;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::Error;

/// A way to seal.
pub trait Seal: Sync {
    /// Its name, in files and in the configuration.
    fn name(&self) -> &'static str;

    /// Turns the content's JSON text into what the file holds: JSON text again.
    ///
    /// # Errors
    /// `store`, if it cannot be sealed.
    fn seal<'a>(&self, content: &'a str) -> Result<Cow<'a, str>, Error>;

    /// Turns what the file holds into the content's JSON text; `parameters` are those that the
    /// file's header gives.
    ///
    /// # Errors
    /// `store`, if it cannot be opened: the file is not damaged for that.
    fn open(&self, parameters: Option<&RawValue>, held: &str) -> Result<Zeroizing<String>, Error>;
}

/// Every seal, by name.
pub const SEALS: &[&dyn Seal] = &[&none::None];

/// The seal of that name.
pub fn find(name: &str) -> Option<&'static dyn Seal> {
    SEALS.iter().find(|seal| seal.name() == name).copied()
}

/// The seal for new files: the one configured; `auto` takes the best that works here.
pub fn for_new_files(configured: &str) -> &'static dyn Seal {
    find(configured).unwrap_or(&none::None)
}
