//! The cache of an MSAL library, which other programs read and write too.

pub mod lock;
