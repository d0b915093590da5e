//! pip: `keyring-provider = subprocess` in the user's own configuration.

use std::path::{Path, PathBuf};

use super::index::{self, Form};
use super::machine::Machine;
use super::{Entry, line, view};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "pip",
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
    section: Some("global"),
    line: "keyring-provider = subprocess",
    note: "pip before 26.2 asks only where the URL of the index holds a user name",
};

/// The file that pip writes for its user; another one that is named and there is read in its place.
/// `APPDATA` is a variable of Windows, and `Library` a folder of macOS.
fn file(machine: &Machine<'_>) -> PathBuf {
    let named = machine.variable("PIP_CONFIG_FILE").map(PathBuf::from);
    if let Some(path) = named.filter(|path| Path::exists(path)) {
        return path;
    }
    if let Some(folder) = machine.variable("APPDATA") {
        return PathBuf::from(folder).join("pip").join("pip.ini");
    }
    let of_macos = machine.home.join("Library/Application Support/pip");
    let folder = match of_macos.is_dir() {
        true => of_macos,
        false => machine.configuration_home().join("pip"),
    };
    folder.join("pip.conf")
}
