//! The plugin behind cred-helper.
