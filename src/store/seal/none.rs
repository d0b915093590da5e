//! No seal: the content lies in its file as it is, protected by the file's permissions.

use super::Seal;

/// The line in the table.
pub(super) const SEAL: Seal = Seal {
    name: "none",
    keys: None,
};
