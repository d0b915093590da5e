//! Public documents (authorities' metadata) on disk, in `documents/` of the state directory.

use std::fs;
use std::io::{Read, Write};
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

    /// Whether nobody else can have put anything here: a document says where refresh tokens are
    /// sent to.
    fn is_trusted(&self) -> bool {
        let is_ours = |metadata| platform::trusted_problem(&self.0, &metadata).is_none();
        fs::metadata(&self.0).is_ok_and(is_ours)
    }

    /// Removes what processes left that were killed while they wrote this document. One that is
    /// still at it cannot keep its own then, which is no loss: ours is as new.
    fn remove_temporaries(&self, prefix: &str) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}

impl Documents for DocumentDirectory {
    fn load(&self, key: &str) -> Option<(Timestamp, Vec<u8>)> {
        let path = self.path(key);
        let mut file = platform::patiently(|| fs::File::open(&path)).ok()?;
        let metadata = file.metadata().ok()?;
        if !self.is_trusted() || platform::trusted_problem(&path, &metadata).is_some() {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let stored = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
        Some((Timestamp(stored), bytes[end + 1..].to_vec()))
    }

    fn save(&self, key: &str, now: Timestamp, document: &[u8]) {
        let path = self.path(key);
        let prefix = format!(".tmp-{}-", digest(key.as_bytes()));
        let temporary = self.0.join(format!("{prefix}{}", std::process::id()));
        let save = || -> std::io::Result<()> {
            platform::create_private_directory(&self.0)?;
            if !self.is_trusted() {
                return Err(std::io::Error::other("others can write the directory"));
            }
            self.remove_temporaries(&prefix);
            let mut file = platform::private_file()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&temporary)?;
            file.write_all(format!("{}\n", now.0).as_bytes())?;
            file.write_all(document)?;
            drop(file);
            platform::patiently(|| fs::rename(&temporary, &path))
        };
        if save().is_err() {
            // What cannot be kept is asked for again, and what is left of it is in nobody's way.
            drop(fs::remove_file(&temporary));
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::DocumentDirectory;
    use crate::context::Documents;
    use crate::token::Timestamp;

    #[test]
    fn what_a_killed_process_left_is_removed_by_the_next_that_keeps_the_document() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let documents = DocumentDirectory(directory.path().join("documents"));
        documents.save("a", Timestamp(1), b"{}");
        let left = documents
            .0
            .join(format!(".tmp-{}-1", crate::digest::digest(b"a")));
        fs::write(&left, "1\n{").expect("it is ours");
        documents.save("b", Timestamp(1), b"{}");
        assert!(left.exists(), "another document is another's");
        documents.save("a", Timestamp(2), b"{}");
        assert!(!left.exists());
        assert_eq!(documents.load("a"), Some((Timestamp(2), b"{}".to_vec())));
    }

    #[test]
    fn a_document_that_cannot_be_kept_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let documents = DocumentDirectory(directory.path().join("documents"));
        fs::create_dir_all(documents.path("a")).expect("a directory can be made");
        documents.save("a", Timestamp(1), b"{}");
        let entries = fs::read_dir(&documents.0).expect("it is there");
        assert_eq!(entries.count(), 1, "the directory in the document's place");
    }

    #[test]
    fn what_others_could_have_written_is_neither_read_nor_added_to() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let documents = DocumentDirectory(directory.path().join("documents"));
        let permit = |path: &std::path::Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        documents.save("a", Timestamp(1), b"{}");
        assert_eq!(documents.load("a"), Some((Timestamp(1), b"{}".to_vec())));
        permit(&documents.path("a"), 0o666);
        assert_eq!(documents.load("a"), None);
        permit(&documents.path("a"), 0o600);
        permit(&documents.0, 0o777);
        assert_eq!(documents.load("a"), None);
        documents.save("b", Timestamp(1), b"{}");
        permit(&documents.0, 0o700);
        assert_eq!(documents.load("b"), None);
        assert!(documents.load("a").is_some());
    }
}
