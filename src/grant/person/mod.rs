//! What a person sees at a terminal while a grant waits for them.
//!
//! To add something: a file that makes text of what it is told, for a
//! [`Display`](crate::context::Display) or for plain lines, and its place in `invitation`. It shows
//! nothing itself but through the terminal of the context.

pub(super) mod countdown;
pub(super) mod invitation;
mod qr_code;
