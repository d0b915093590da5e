//! Provider presets: the files of `profiles/`, compiled in.
//!
//! To add one: a file, and a line in [`PRESETS`].

/// A preset's name and its text, a table of profile keys.
pub struct Preset {
    /// What a profile's `preset` says.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// Every preset, by name.
pub const PRESETS: &[Preset] = &[Preset {
    name: "entra",
    text: include_str!("../../profiles/entra.toml"),
}];
