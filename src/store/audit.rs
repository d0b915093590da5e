//! The audit: who was given which profile's token when, a line of JSON each, in a file of limited size.
//!
//! A line is written at once, behind what others write. The token itself is never in it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind as IoErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::if_there;
use super::lock;
use crate::digest::digest;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::system::platform;

/// How large may the newer one of two files become?
const LARGEST: u64 = 1024 * 1024;

/// How much of somebody's name, or of an address, is written down? A line has to be written at once.
const LONGEST: usize = 256;

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Record {
    /// When, in RFC 3339.
    pub time: String,
    /// The tool: the protocol that was spoken.
    pub tool: String,
    /// Whose token.
    pub profile: String,
    /// Who had signed in, where the authority told it.
    pub account: Option<String>,
    /// Where the tool takes it: scheme, host and port, where it says so.
    pub target: Option<String>,
    /// `cache`, `refresh`, or the grant or exchange that gave it.
    pub source: String,
    /// When it ends, in RFC 3339.
    pub expires_at: Option<String>,
    /// What tells the token from others.
    pub fingerprint: String,
    /// Our process.
    pub process: u32,
    /// The process that started ours.
    pub parent: Option<u32>,
    /// Its program.
    pub parent_program: Option<String>,
}

/// The beginning of a token's SHA-256 in hexadecimal: enough to find a token that turns up somewhere.
pub fn fingerprint(token: &Secret) -> String {
    let mut digest = digest(token.expose().as_bytes());
    digest.truncate(16);
    digest
}

/// The newer file, and the older one.
fn files(state: &Path) -> [PathBuf; 2] {
    ["audit.jsonl", "audit.1.jsonl"].map(|name| state.join(name))
}

/// Adds a record.
///
/// # Errors
/// `store`, if it cannot be written.
pub fn append(state: &Path, record: &Record) -> Result<(), Error> {
    let mut line = serde_json::to_string(&record.clone().shortened()).map_err(io::Error::other);
    if let Ok(line) = &mut line {
        line.push('\n');
    }
    line.and_then(|line| append_line(state, line.as_bytes()))
        .map_err(|error| {
            let path = files(state)[0].display().to_string();
            Error::new(ErrorKind::Store, format!("`{path}` cannot be written"))
                .because(error)
                .hint("make its directory writable, or set `[audit] enabled = false`")
        })
}

impl Record {
    fn shortened(mut self) -> Self {
        let texts = [
            &mut self.account,
            &mut self.target,
            &mut self.parent_program,
        ];
        let texts = texts.into_iter().flatten();
        for text in texts.chain([&mut self.profile]) {
            if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(end);
                text.push('…');
            }
        }
        self
    }
}

fn append_line(state: &Path, line: &[u8]) -> io::Result<()> {
    let [newer, older] = files(state);
    let mut file = open(&newer)?;
    if file.metadata()?.len() >= LARGEST {
        // Whoever has the old file open still, writes into it under its other name.
        let guard = lock::try_acquire(&state.join("audit.lock")).map_err(io::Error::other)?;
        let is_large = || fs::metadata(&newer).is_ok_and(|found| found.len() >= LARGEST);
        if guard.is_some() && is_large() {
            platform::patiently(|| fs::rename(&newer, &older))?;
        }
        drop(guard);
        file = open(&newer)?;
    }
    file.write_all(line)
}

fn open(path: &Path) -> io::Result<File> {
    let open = || {
        platform::private_file()
            .append(true)
            .create(true)
            .open(path)
    };
    match (open(), path.parent()) {
        (Err(error), Some(state)) if error.kind() == IoErrorKind::NotFound => {
            platform::create_private_directory(state)?;
            open()
        }
        (opened, _) => opened,
    }
}

/// Every record, the oldest first, and how many lines are none.
///
/// # Errors
/// `store`, if a file cannot be read.
pub fn read(state: &Path) -> Result<(Vec<Record>, usize), Error> {
    let mut records = Vec::new();
    let mut damaged = 0;
    let [newer, older] = files(state);
    for path in [older, newer] {
        let unreadable = |error: io::Error| {
            let path = path.display();
            Error::new(ErrorKind::Store, format!("`{path}` cannot be read")).because(error)
        };
        let Some(file) = if_there(File::open(&path)).map_err(unreadable)? else {
            continue;
        };
        for line in BufReader::new(file).split(b'\n') {
            match serde_json::from_slice(&line.map_err(unreadable)?) {
                Ok(record) => records.push(record),
                Err(_) => damaged += 1,
            }
        }
    }
    Ok((records, damaged))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{LARGEST, Record, append, files, fingerprint, lock, read};
    use crate::secret::Secret;

    fn record(profile: &str) -> Record {
        Record {
            time: "2030-01-01T00:00:00Z".into(),
            tool: "get".into(),
            profile: profile.into(),
            account: Some("ä".repeat(1000)),
            target: None,
            source: "cache".into(),
            expires_at: None,
            fingerprint: fingerprint(&Secret::new("token")),
            process: 1,
            parent: Some(2),
            parent_program: Some("/bin/sh".into()),
        }
    }

    #[test]
    fn the_newest_records_are_kept_in_two_files_of_limited_size() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let state = directory.path().join("state");
        assert_eq!(read(&state).expect("there is nothing yet"), (vec![], 0));
        append(&state, &record("first")).expect("it can be written");
        let [newer, older] = files(&state);
        let line = fs::read_to_string(&newer).expect("it was written");
        assert!(line.len() < 1024, "{line}");
        let times = usize::try_from(LARGEST).expect("it is small") / line.len() + 1;
        for text in [line.repeat(times), "no record\n".to_owned()] {
            let all = fs::read_to_string(&newer).expect("it was written") + &text;
            fs::write(&newer, all).expect("it can be written");
        }
        append(&state, &record("last")).expect("it can be written");
        let (records, damaged) = read(&state).expect("both can be read");
        assert_eq!((records.len(), damaged), (times + 2, 1));
        assert_eq!(records[0].profile, "first");
        assert_eq!(records[times + 1].profile, "last");
        assert!(fs::metadata(&older).expect("it is there").len() >= LARGEST);
        assert!(fs::metadata(&newer).expect("it is there").len() < 1024);
    }

    #[test]
    fn a_line_does_not_wait_for_whoever_sets_a_full_file_aside() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let state = directory.path();
        let [newer, older] = files(state);
        append(state, &record("first")).expect("it can be written");
        let file = fs::OpenOptions::new().write(true).open(&newer);
        let file = file.expect("it was written");
        file.set_len(LARGEST).expect("it can be made longer");
        let other = lock::try_acquire(&state.join("audit.lock")).expect("it can be tried");
        assert!(other.is_some(), "nobody has it yet");
        append(state, &record("second")).expect("it can be written");
        assert!(!older.exists(), "the other one sets it aside");
        drop(other);
        append(state, &record("third")).expect("it can be written");
        assert!(fs::metadata(&older).expect("it is there").len() > LARGEST);
        assert!(fs::metadata(&newer).expect("it is there").len() < 1024);
    }

    #[test]
    fn a_fingerprint_is_the_beginning_of_sha_256() {
        assert_eq!(fingerprint(&Secret::new("abc")), "ba7816bf8f01cfea");
    }
}
