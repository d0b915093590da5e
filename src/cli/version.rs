//! What `--version` says: which commit, how it was built, and what is in it. `-V` says the first line
//! alone.

use crate::exchange::EXCHANGES;
use crate::grant::GRANTS;
use crate::protocol::PROTOCOLS;
use crate::store::seal::SEALS;
use crate::system::{http, os_keyring};

/// All of it. A line has a name and a colon, and names in it are divided by spaces.
pub(super) fn long() -> String {
    let lines = [
        ("Build", env!("CRED_HELPER_BUILD").to_owned()),
        ("TLS", http::TLS.to_owned()),
        ("Keyring", os_keyring::NAME.to_owned()),
        ("Seals", listed(SEALS.iter().map(|seal| seal.name))),
        ("Grants", listed(GRANTS.iter().map(|entry| entry.name))),
        (
            "Exchanges",
            listed(EXCHANGES.iter().map(|entry| entry.name)),
        ),
        (
            "Protocols",
            listed(PROTOCOLS.iter().map(|entry| entry.name)),
        ),
    ];
    lines.iter().fold(
        env!("CRED_HELPER_VERSION").to_owned(),
        |text, (name, value)| text + "\n" + name + ": " + value,
    )
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}
