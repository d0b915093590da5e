//! One decoder, which the variable `DECODER` names: one program is linked, and not one for each.

#![no_main]

#[path = "../decoder.rs"]
mod decoder;
#[path = "../../tests/it/fake.rs"]
#[allow(dead_code, reason = "tests want more of it")]
mod fake;

use std::sync::LazyLock;

static DECODER: LazyLock<decoder::Decoder> = LazyLock::new(|| {
    let name = std::env::var("DECODER").expect("`DECODER` names a decoder");
    let mut decoders = decoder::DECODERS.iter();
    let found = decoders.find(|(own, _)| *own == name);
    *found.unwrap_or_else(|| panic!("`{name}` is no decoder"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (_, decode) = *DECODER;
    decoder::assert_harmless(&decode(bytes));
});
