//! Items that programs with libsecret share in the Secret Service: each is found by its attributes, one
//! of which names its schema (<https://gnome.pages.gitlab.gnome.org/libsecret/>).

use zeroize::Zeroizing;

use super::Limits;
use super::place::{Place, Service};
use crate::context::{KeyringFailure, KeyringItem};

/// The attribute that libsecret adds, and some programs search by.
const SCHEMA: &str = "xdg:schema";

pub(super) fn read(
    place: &Place,
    item: &KeyringItem,
    limits: Limits,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringFailure> {
    Service::connect(place, limits)?.read(&attributes(item))
}

/// Replaces the content of the item that others find, which keeps its attributes and its label.
pub(super) fn write(
    place: &Place,
    item: &KeyringItem,
    content: &[u8],
    limits: Limits,
) -> Result<(), KeyringFailure> {
    let mut service = Service::connect(place, limits)?;
    let attributes = attributes(item);
    match service.find(&attributes)? {
        Some(found) => service.set(&found, content),
        None => service.write(&item.label, &attributes, content),
    }
}

fn attributes(item: &KeyringItem) -> Vec<(&str, &str)> {
    let attributes = item.attributes.iter();
    let schema = [(SCHEMA, item.schema.as_str())];
    let attributes = attributes.map(|(name, value)| (name.as_str(), value.as_str()));
    attributes.chain(schema).collect()
}
