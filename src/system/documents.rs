//! Public documents (authorities' metadata) on disk, in `documents/` of the state directory.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::platform;
use crate::context::Documents;
use crate::digest::digest;
use crate::token::Timestamp;

/// A directory of documents, one file each: the time it was stored, a line feed, the document.
pub struct DocumentDirectory(pub PathBuf);

impl DocumentDirectory {
    fn path(&self, key: &str) -> PathBuf {
        self.0.join(format!("{}.json", digest(key.as_bytes())))
    }
}

impl Documents for DocumentDirectory {
    fn load(&self, key: &str) -> Option<(Timestamp, Vec<u8>)> {
        let path = self.path(key);
        // What others can write could send tokens to an endpoint of theirs.
        for trusted in [&self.0, &path] {
            let metadata = fs::metadata(trusted).ok()?;
            if platform::trusted_problem(trusted, &metadata).is_some() {
                return None;
            }
        }
        let bytes = fs::read(path).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let stored = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
        Some((Timestamp(stored), bytes[end + 1..].to_vec()))
    }

    fn save(&self, key: &str, now: Timestamp, document: &[u8]) {
        let save = || -> std::io::Result<()> {
            platform::create_private_directory(&self.0)?;
            let path = self.path(key);
            let temporary = self.0.join(format!(
                ".tmp-{}-{}",
                digest(key.as_bytes()),
                std::process::id()
            ));
            let mut file = platform::private_file()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&temporary)?;
            file.write_all(format!("{}\n", now.0).as_bytes())?;
            file.write_all(document)?;
            drop(file);
            fs::rename(&temporary, path)
        };
        // What cannot be kept is asked for again.
        drop(save());
    }
}
