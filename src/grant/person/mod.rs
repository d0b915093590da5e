//! What a person sees at a terminal while a grant waits for them.

pub(super) mod countdown;
pub(super) mod invitation;
mod qr_code;
