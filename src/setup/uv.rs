//! uv: `keyring-provider = "subprocess"` in the user's own configuration.

use std::path::PathBuf;

use super::index::{self, Form};
use super::machine::Machine;
use super::{Entry, line, view};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "uv",
    protocol: index::KEYRING,
    aliases: &[],
    version: &["--version"],
    file,
    add: |_, document, wish, plan| index::add(&FORM, document, wish, plan),
    remove: line::remove,
    view: |text| view::hide_lines(text, index::is_shown),
    link: index::link,
    look: |machine, document, profiles| Ok(index::look(&FORM, machine, document, profiles)),
};

const FORM: Form = Form {
    section: None,
    line: "keyring-provider = \"subprocess\"",
    note: "uv asks only for an index whose URL holds a user name, or that has `authenticate = \"always\"`",
};

/// `APPDATA` is a variable of Windows.
fn file(machine: &Machine<'_>) -> PathBuf {
    if let Some(path) = machine.variable("UV_CONFIG_FILE") {
        return PathBuf::from(path);
    }
    let folder = match machine.variable("APPDATA") {
        Some(folder) => PathBuf::from(folder),
        None => machine.configuration_home(),
    };
    folder.join("uv").join("uv.toml")
}
