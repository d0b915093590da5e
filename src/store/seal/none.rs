//! No seal: the content lies in its file as it is, protected by the file's permissions.

use std::borrow::Cow;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Seal;
use crate::error::Error;

/// The absence of a seal.
pub(super) struct None;

impl Seal for None {
    fn name(&self) -> &'static str {
        "none"
    }

    fn seal<'a>(&self, content: &'a str) -> Result<Cow<'a, str>, Error> {
        Ok(Cow::Borrowed(content))
    }

    fn open(&self, _parameters: Option<&RawValue>, held: &str) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(held.to_owned()))
    }
}
