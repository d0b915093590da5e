//! NuGet: a link on PATH, where it looks for plugins. It has no configuration for them.

use super::machine::Machine;
use super::{Answering, Document, Entry, Link, Wired, Wiring};
use crate::error::{Error, ErrorKind};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "nuget",
    protocol: "nuget",
    aliases: &["dotnet"],
    version: &[],
    file: |machine| machine.link_of(NAME),
    add: |_, _, _, _| Err(Error::new(ErrorKind::Internal, "BUG: there is no file")),
    remove: |_, _, _| Err(Error::new(ErrorKind::Internal, "BUG: there is no file")),
    view: |_| String::new(),
    link: |_, setting| {
        Some(Link::Named(match setting.profile.as_str() {
            "" => NAME.to_owned(),
            profile => format!("{NAME}-{profile}"),
        }))
    },
    look,
};

/// What NuGet starts.
const NAME: &str = "nuget-plugin-cred-helper";

fn look(
    machine: &Machine<'_>,
    _document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let named = profiles.iter().map(|profile| Some(profile.name.as_str()));
    let wired = std::iter::once(None).chain(named).filter(|profile| {
        let suffix = profile.map_or_else(String::new, |profile| format!("-{profile}"));
        machine.find(&format!("{NAME}{suffix}")).is_some()
    });
    Ok(Wiring {
        wired: wired
            .map(|profile| Wired {
                target: "every feed".to_owned(),
                profile: profile.map(str::to_owned),
                program: None,
            })
            .collect(),
        in_front: Vec::new(),
    })
}
