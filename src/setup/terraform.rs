//! Terraform: its CLI configuration, and a link in its folder.

use super::credentials_helper::{
    PROTOCOL, add, is_shown, link_in, look, named_file, terraforms_file, terraforms_folder,
};
use super::{Entry, Link, line, view};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "terraform",
    protocol: PROTOCOL,
    aliases: &[],
    // It asks the network for newer ones first.
    version: &[],
    file: |machine| named_file(machine).unwrap_or_else(|| terraforms_file(machine)),
    add,
    remove: line::remove,
    view: |text| view::hide_lines(text, is_shown),
    link: |machine, _| Some(Link::At(link_in(terraforms_folder(machine)))),
    look: |machine, document, profiles| {
        let link = link_in(terraforms_folder(machine));
        Ok(look(&link, document, profiles))
    },
};
