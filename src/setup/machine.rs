//! What the setups of all tools work with: places, programs, our own program's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Link;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::system::{directories, platform, process};

/// Our own program's name.
const NAME: &str = "cred-helper";

/// The user's machine.
pub struct Machine<'a> {
    /// The effects.
    pub context: Context<'a>,
    /// The user's home.
    pub home: PathBuf,
    /// What tools start: our name where PATH leads to this very program, else its path.
    pub command: String,
    /// Our program as links name it: a place that survives an update, where there is one.
    program: PathBuf,
    state: PathBuf,
}

impl<'a> Machine<'a> {
    /// The machine that this program runs on.
    ///
    /// # Errors
    /// `store`, if there is no place for our own files, or no home.
    pub fn new(context: Context<'a>) -> Result<Self, Error> {
        let lost = |what: &str| Error::new(ErrorKind::Store, format!("{what} cannot be found"));
        let own = process::own_program().ok_or_else(|| lost("this program's own file"))?;
        let found = process::find(NAME, context.environment)
            .filter(|found| platform::is_same_program(found, &own))
            .and_then(|found| std::path::absolute(found).ok());
        Ok(Self {
            context,
            home: directories::home().ok_or_else(|| lost("the home directory"))?,
            command: match found {
                Some(_) => NAME.to_owned(),
                None => own.display().to_string(),
            },
            program: found.unwrap_or(own),
            state: directories::state(context.environment)?,
        })
    }

    /// An environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.context.environment.variable(name)
    }

    /// The program of that name on PATH.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        process::find(name, self.context.environment)
    }

    /// Whether a program that is named by its name or its whole path is not there.
    pub(super) fn lacks_program(&self, program: &str) -> bool {
        let path = Path::new(program);
        let is_name = path.components().count() == 1 && !program.ends_with(['/', '\\']);
        match path.is_absolute() {
            true => !platform::is_program(path),
            // What is relative, is so to a place that the tool knows.
            false => is_name && self.find(program).is_none(),
        }
    }

    /// Whether the directories of two programs both stand on PATH, that of the first one first.
    pub(super) fn comes_before(&self, first: &Path, second: &Path) -> bool {
        let place = |program: &Path| {
            let folder = program.parent();
            let mut folders = process::folders(self.context.environment);
            folders.position(|own| folder == Some(&own))
        };
        place(first).is_some_and(|first| place(second).is_none_or(|second| first < second))
    }

    /// Whether a directory stands on PATH.
    pub(super) fn is_on_path(&self, folder: &Path) -> bool {
        process::folders(self.context.environment).any(|own| own == folder)
    }

    /// How a person puts a directory on PATH, before the others.
    pub(super) fn path_advice(&self, folder: &Path) -> String {
        platform::path_advice(folder, &self.home)
    }

    /// Where tools of Unix keep their configuration.
    pub(super) fn configuration_home(&self) -> PathBuf {
        let folder = self.variable("XDG_CONFIG_HOME");
        folder.map_or_else(|| self.home.join(".config"), PathBuf::from)
    }

    /// Where what setup keeps lies.
    pub(super) fn folder(&self) -> PathBuf {
        self.state.join("setup")
    }

    /// Where our links lie.
    fn links(&self) -> PathBuf {
        self.state.join("bin")
    }

    /// A tool's version.
    pub(super) fn version(&self, program: &Path, arguments: &[&str]) -> Option<String> {
        /// How long may a tool think about its version?
        const LIMIT: Duration = Duration::from_secs(5);
        if arguments.is_empty() {
            return None;
        }
        // In a project a tool may have another version, and fetch it.
        let said = process::ask(program, arguments, &self.home, LIMIT).ok()?;
        let is_part = |one: char| one.is_ascii_alphanumeric() || ".-+".contains(one);
        let mut words = said.expose().split(|one| !is_part(one));
        words.find_map(|word| {
            let version = word.strip_prefix('v').unwrap_or(word);
            let is_version =
                version.starts_with(|first: char| first.is_ascii_digit()) && version.contains('.');
            is_version.then(|| version.to_owned())
        })
    }

    /// Has a tool work on a copy of its configuration.
    ///
    /// # Errors
    /// `config`, if the tool is not there or fails.
    pub(super) fn run(&self, tool: &str, copy: &Copy, arguments: &[&str]) -> Result<Secret, Error> {
        let path = copy.path.display().to_string();
        let named: Vec<&str> = arguments
            .iter()
            .map(|argument| match *argument {
                FILE => path.as_str(),
                other => other,
            })
            .collect();
        self.ask(tool, &named).map_err(|reason| {
            let of = copy.of.display().to_string();
            Error::new(
                ErrorKind::Config,
                format!("{tool} cannot work with its configuration `{of}`"),
            )
            .because(reason.replace(&path, &of))
            .hint("it was left as it is; mend what the cause names, first of all")
        })
    }

    /// Asks a tool.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) fn ask(&self, tool: &str, arguments: &[&str]) -> Result<Secret, String> {
        /// How long may a tool work on its configuration?
        const LIMIT: Duration = Duration::from_secs(30);
        let program = self
            .find(tool)
            .ok_or_else(|| format!("`{tool}` is not on PATH"))?;
        process::ask(&program, arguments, &self.home, LIMIT)
    }

    /// Refuses to go on without a tool.
    ///
    /// # Errors
    /// `config`, if the tool is not there.
    pub(super) fn require(&self, tool: &str) -> Result<(), Error> {
        if self.find(tool).is_some() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!("`{tool}` is not installed: there is no such program on PATH"),
        )
        .hint(format!(
            "install {tool}, or set PATH; `cred-helper setup --list` shows what is there"
        )))
    }

    /// The place of a link of ours.
    pub(super) fn link_of(&self, name: &str) -> PathBuf {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.links().join(file)
    }

    /// Whether a path is that of a link of ours.
    pub(super) fn is_link(&self, path: &Path) -> bool {
        path.parent() == Some(&self.links())
    }

    /// Where a link lies, whether it is there or not.
    pub(super) fn place(&self, wanted: &Link) -> PathBuf {
        match wanted {
            Link::At(path) => path.clone(),
            Link::Named(name) => self.link_of(name),
        }
    }

    /// Whether a link is still to be made: nothing on PATH does instead of it.
    pub(super) fn lacks(&self, wanted: &Link) -> bool {
        let link = self.place(wanted);
        let found = match wanted {
            Link::At(_) => None,
            Link::Named(name) => self.find(name),
        };
        let is_done = found.is_some_and(|found| found != link && self.is_ours(&found));
        !is_done && !platform::is_same_program(&link, &self.program)
    }

    /// Makes our program known under another name, unless it is on PATH already where that does;
    /// what a person should know then.
    ///
    /// # Errors
    /// `store`, if the link cannot be made.
    pub(super) fn link(&self, wanted: &Link) -> Result<Vec<String>, Error> {
        let link = self.place(wanted);
        let folder = link.parent().unwrap_or(Path::new(""));
        let mut notes = Vec::new();
        if self.lacks(wanted) {
            let make = || {
                platform::create_private_directory(folder)?;
                // It led to another program, or nowhere.
                drop(fs::remove_file(&link));
                platform::link_program(&self.program, &link)
            };
            make().map_err(|error| {
                let path = link.display();
                Error::new(
                    ErrorKind::Store,
                    format!("the link `{path}` cannot be made"),
                )
                .because(error)
            })?;
            notes.push(format!("linked `{}`", link.display()));
        }
        notes.extend(
            self.path_problem(wanted)
                .map(|(problem, advice)| format!("{problem}. {advice}")),
        );
        Ok(notes)
    }

    /// Why a tool does not find our link on PATH though it is there, and what to do.
    fn path_problem(&self, wanted: &Link) -> Option<(String, String)> {
        let Link::Named(name) = wanted else {
            return None;
        };
        let link = self.place(wanted);
        let folder = link.parent().unwrap_or(Path::new(""));
        let problem = match self.find(name) {
            None => format!(
                "`{}` is not on PATH, so that no tool finds our links",
                folder.display()
            ),
            Some(found) if found != link && !self.is_ours(&found) => format!(
                "`{}` comes first on PATH, and is found in place of our link",
                found.display()
            ),
            Some(_) => return None,
        };
        Some((problem, platform::path_advice(folder, &self.home)))
    }

    /// Why a tool does not find our program by this link, and what to do.
    pub(super) fn link_problem(&self, wanted: &Link, tool: &str) -> Option<(String, String)> {
        if self.lacks(wanted) {
            let problem = format!("the link `{}` is not there", self.place(wanted).display());
            return Some((problem, format!("run `{NAME} setup {tool}`")));
        }
        self.path_problem(wanted)
    }

    /// Whether a program is this one. Nobody else has our name in theirs; a name that others have too may
    /// be a link to us.
    fn is_ours(&self, found: &Path) -> bool {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        name.contains(NAME) || platform::is_same_program(found, &self.program)
    }

    /// Whether this program answers under a name that others have too: by our link, or as the first on
    /// PATH.
    pub(super) fn answers_as(&self, name: &str) -> bool {
        let is_found = self.find(name).is_some_and(|found| self.is_ours(&found));
        is_found || self.link_of(name).exists()
    }

    /// The program of somebody else that is found under this name.
    pub(super) fn in_front_of(&self, name: &str) -> Option<PathBuf> {
        self.find(name).filter(|found| !self.is_ours(found))
    }

    /// Removes a link of ours.
    pub(super) fn unlink(&self, wanted: &Link) {
        let link = self.place(wanted);
        // One that is not there was somebody else's doing; one that stays does no harm.
        drop(fs::remove_file(link));
    }

    /// A private copy of a configuration, for a tool to work on, in a directory of ours or beside
    /// the original, for tools that read paths relative to it.
    ///
    /// # Errors
    /// `store`, if it cannot be written.
    pub(super) fn copy(
        &self,
        document: &super::Document<'_>,
        is_beside: bool,
    ) -> Result<Copy, Error> {
        let beside = document
            .path
            .parent()
            .filter(|folder| is_beside && folder.is_dir());
        let folder = beside.map_or_else(|| self.folder(), Path::to_owned);
        let path = folder.join(format!(".tmp-cred-helper-{}", std::process::id()));
        let copy = Copy {
            path,
            of: document.path.to_owned(),
        };
        let write = || {
            platform::create_private_directory(&folder)?;
            // Of somebody who was killed; or a link, where others may write.
            drop(fs::remove_file(&copy.path));
            let mut options = platform::private_file();
            options.write(true).create_new(true);
            let mut file = options.open(&copy.path)?;
            std::io::Write::write_all(&mut file, document.text.as_bytes())
        };
        write().map_err(|error| copy.failed("written", &error))?;
        Ok(copy)
    }
}

/// Stands in a tool's arguments for the copy that it works on.
pub(super) const FILE: &str = "\0FILE";

/// A copy of a tool's configuration. It goes when it is dropped.
pub(super) struct Copy {
    path: PathBuf,
    of: PathBuf,
}

impl Copy {
    /// What the tool made of it.
    pub(super) fn text(&self) -> Result<String, Error> {
        fs::read_to_string(&self.path).map_err(|error| self.failed("read", &error))
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Error {
        let path = self.path.display();
        Error::new(
            ErrorKind::Store,
            format!("the copy `{path}` cannot be {what}"),
        )
        .because(error)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}
