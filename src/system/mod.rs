//! The real effects behind [`crate::context`], one file each and the only one that knows its
//! thing. What differs between operating systems is in `unix.rs` and `windows.rs`.
//!
//! To add one: a trait and a field of [`Context`](crate::context::Context), a file here that does it, and
//! the place in `lib.rs` where the context is made; its fake in `tests/it/fake.rs`. To add an operating
//! system: a file beside these two with the same names in it, and one in `os_keyring`.

pub mod arc;
pub mod attempt;
pub mod background;
pub mod browser;
pub mod certificate;
pub mod clock;
mod container;
pub mod directories;
pub mod documents;
pub mod environment;
pub mod http;
pub mod input;
pub mod key_cache;
pub mod listener;
pub mod notice;
pub mod os_keyring;
pub mod peer;
mod pinned;
pub mod process;
pub mod progress;
pub mod random;
pub mod replacement;
pub mod signal;
pub mod stand_in;
pub mod terminal;
mod zone;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub mod platform;
