//! Processes of this program that go on when a call has been answered.

use std::cell::RefCell;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::process::own_program;
use super::{container, platform};
use crate::context::{Background, Environment};

/// Starts them.
pub struct SystemBackground<'a> {
    environment: &'a dyn Environment,
    /// `--config` of this call.
    config: Option<PathBuf>,
    /// Those that were started and may still live.
    children: RefCell<Vec<Child>>,
}

impl<'a> SystemBackground<'a> {
    /// For a call with that `--config`.
    pub fn new(environment: &'a dyn Environment, config: Option<PathBuf>) -> Self {
        Self {
            environment,
            config,
            children: RefCell::default(),
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
        platform::detach(&mut command);
        let child = command.spawn().map_err(|error| error.to_string())?;
        let mut children = self.children.borrow_mut();
        // A process that has ended stays known until it is asked for.
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        children.push(child);
        Ok(())
    }

    fn lives_on(&self) -> Result<(), String> {
        if self.environment.is_ci() {
            return Err("in continuous integration nothing outlives its job".to_owned());
        }
        match container::mark(self.environment, platform::container_mark()) {
            Some(mark) => Err(format!(
                "in a container ({mark}) nothing outlives its command"
            )),
            None => Ok(()),
        }
    }
}
