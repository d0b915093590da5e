//! Warnings and waiting on stderr, and the log file of `CRED_HELPER_LOG`.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::platform;
use crate::context::{Clock, Level, Notice};
use crate::error::{Error, ErrorKind};

/// Where notices of which level go.
pub struct Notices<'a> {
    clock: &'a dyn Clock,
    shown: Option<Level>,
    log: Option<(Level, Option<PathBuf>)>,
    file: OnceCell<Option<File>>,
}

impl<'a> Notices<'a> {
    /// Shows `shown` and above on stderr, nothing if there is none, and logs as `setting` (`LEVEL[,FILE]`) says.
    ///
    /// # Errors
    /// `usage` if the setting cannot be read.
    pub fn new(
        clock: &'a dyn Clock,
        shown: Option<Level>,
        setting: Option<&str>,
    ) -> Result<Self, Error> {
        let log = setting
            .map(|setting| {
                let (level, file) = match setting.split_once(',') {
                    Some((level, file)) => (level, Some(PathBuf::from(file))),
                    None => (setting, None),
                };
                let level = match level {
                    "error" => Level::Error,
                    "warning" | "warn" => Level::Warning,
                    "information" | "info" => Level::Information,
                    "debug" => Level::Debug,
                    "trace" => Level::Trace,
                    _ => {
                        return Err(Error::new(
                            ErrorKind::Usage,
                            format!("CRED_HELPER_LOG `{setting}` does not begin with a level"),
                        )
                        .hint(
                            "use LEVEL[,FILE] with error, warning, information, debug or trace",
                        ));
                    }
                };
                Ok((level, file))
            })
            .transpose()?;
        Ok(Self {
            clock,
            shown,
            log,
            file: OnceCell::new(),
        })
    }

    fn log_file(&self, path: &std::path::Path) -> Option<&File> {
        self.file
            .get_or_init(|| {
                let opened = platform::private_file()
                    .append(true)
                    .create(true)
                    .open(path);
                opened
                    .inspect_err(|error| {
                        // Whoever set it waits for a file that does not come.
                        if self.shown >= Some(Level::Warning) {
                            show(
                                "warning: ",
                                &format!(
                                    "the log `{}` of CRED_HELPER_LOG cannot be written: {error}",
                                    path.display()
                                ),
                            );
                        }
                    })
                    .ok()
            })
            .as_ref()
    }
}

fn show(word: &str, line: &str) {
    // A closed stderr is no reason to fail a call.
    drop(
        io::stderr()
            .lock()
            .write_all(format!("{word}{line}\n").as_bytes()),
    );
}

impl Notice for Notices<'_> {
    fn is_wanted(&self, level: Level) -> bool {
        Some(level) <= self.shown
            || self
                .log
                .as_ref()
                .is_some_and(|(logged, _)| level <= *logged)
    }

    fn write(&self, level: Level, line: &str) {
        let to_standard_error = Some(level) <= self.shown
            || matches!(&self.log, Some((logged, None)) if level <= *logged);
        if to_standard_error {
            let word = match level {
                Level::Error => "error: ",
                Level::Warning => "warning: ",
                Level::Information => "",
                Level::Debug | Level::Trace => "debug: ",
            };
            show(word, line);
        }
        if let Some((logged, Some(path))) = &self.log
            && level <= *logged
            && let Some(mut file) = self.log_file(path)
        {
            let process = std::process::id();
            let time = self.clock.now().rfc3339();
            drop(file.write_all(format!("{time} {process} {level:?} {line}\n").as_bytes()));
        }
    }
}
