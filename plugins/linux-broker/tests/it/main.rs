//! The plugin, on a bus of its own, against a broker that follows a script.
#![cfg(target_os = "linux")]

mod broker;
mod call;
mod plugin;
mod program;
mod scene;
