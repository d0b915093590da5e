//! OpenTofu: Terraform's configuration, in places of its own.

use std::path::PathBuf;

use super::credentials_helper::{
    PROTOCOL, add, is_shown, link_in, look, named_file, place, terraforms_file, terraforms_folder,
};
use super::machine::Machine;
use super::{Entry, Link, Wiring, line, view};

/// The line in the table. Where it has nothing of its own, it reads what is Terraform's.
pub(super) const ENTRY: Entry = Entry {
    name: "tofu",
    protocol: PROTOCOL,
    aliases: &[],
    // It may ask the network first.
    version: &[],
    file: |machine| named_file(machine).unwrap_or_else(|| file(machine)),
    add,
    remove: line::remove,
    view: |text| view::hide_lines(text, is_shown),
    link: |machine, _| Some(Link::At(link_in(folder(machine)))),
    look: |machine, document, profiles| {
        let is_shared = named_file(machine).is_some() || file(machine) == terraforms_file(machine);
        if is_shared && machine.find("tofu").is_none() {
            // Only Terraform is here.
            return Ok(Wiring::default());
        }
        let link = link_in(folder(machine));
        Ok(look(&link, document, profiles))
    },
};

/// Its own file, else Terraform's, else a new one. To make another than it reads would hide what somebody has
/// written there.
fn file(machine: &Machine<'_>) -> PathBuf {
    let own = place(machine, ".tofurc", "tofu.rc");
    let terraforms = terraforms_file(machine);
    if own.exists() {
        return own;
    }
    if terraforms.exists() || machine.variable("APPDATA").is_some() {
        return if terraforms.exists() { terraforms } else { own };
    }
    let of_xdg = machine.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    of_xdg.map_or(own, |folder| folder.join("opentofu/tofurc"))
}

/// One of those in which it looks. Terraform's folder, once it is there, takes the place of its own.
fn folder(machine: &Machine<'_>) -> PathBuf {
    let terraforms = terraforms_folder(machine);
    let is_windows = machine.variable("APPDATA").is_some();
    match machine.variable("XDG_DATA_HOME") {
        Some(folder) if !is_windows && !terraforms.exists() => {
            PathBuf::from(folder).join("opentofu")
        }
        _ => terraforms,
    }
}
