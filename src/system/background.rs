//! Processes of this program that go on when a call has been answered.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::own_program;
use super::{container, platform};
use crate::context::{Background, Environment};

/// Starts them.
pub struct SystemBackground<'a> {
    environment: &'a dyn Environment,
    /// `--config` of this call.
    config: Option<PathBuf>,
}

impl<'a> SystemBackground<'a> {
    /// For a call with that `--config`.
    pub fn new(environment: &'a dyn Environment, config: Option<PathBuf>) -> Self {
        Self {
            environment,
            config,
        }
    }
}

impl Background for SystemBackground<'_> {
    fn start(&self, arguments: &[String], lock: File) -> Result<(), String> {
        let program = own_program().ok_or("this program cannot be found")?;
        let mut command = Command::new(program);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command
            .args(arguments)
            // On Unix a lock belongs to the open file, which is the child's now.
            .stdin(Stdio::from(lock))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        platform::detach(&mut command)?;
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        // Whoever goes on for long, as `serve` does, leaves no process unburied.
        let _thread = std::thread::spawn(move || drop(child.wait()));
        Ok(())
    }

    fn lives_on(&self) -> Result<(), String> {
        if self.environment.is_ci() {
            return Err("in continuous integration nothing outlives its job".to_owned());
        }
        if platform::is_in_a_namespace_of_its_own() {
            return Err("in a container nothing outlives its command".to_owned());
        }
        match container::mark(self.environment, platform::container_mark()) {
            Some(mark) => Err(format!(
                "in a container ({mark}) nothing outlives its command"
            )),
            None => Ok(()),
        }
    }
}
