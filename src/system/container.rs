//! Whether this is a container.

use crate::context::Environment;

/// What tells that this is a container: the file that was found, else a variable.
pub(super) fn mark(environment: &dyn Environment, file: Option<&str>) -> Option<String> {
    // Set by systemd and podman, as <https://systemd.io/CONTAINER_INTERFACE> has it.
    let name = || Some(format!("`{}`", environment.variable("container")?));
    file.map(|file| format!("`{file}`")).or_else(name)
}
