//! A small disk of its own for the sessions, which runs full.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Runs this test in a mount namespace of its own, which ends with it: whether this process is in one.
/// Elsewhere the test has been run there when this returns.
///
/// # Panics
/// If it went wrong there.
pub(crate) fn is_in_own_namespace(test: &str) -> bool {
    /// Says to the second process that it is the second one.
    const INSIDE: &str = "CHAOS_INSIDE";
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let status = Command::new("unshare")
        .arg("-m")
        .arg(env::current_exe().expect("a test is a program"))
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("unshare starts").success(), "see above");
    false
}

/// A disk that is mounted; dropping it ends that.
pub(crate) struct Disk {
    path: PathBuf,
    /// Whether it may be filled.
    is_open: Mutex<bool>,
}

impl Disk {
    /// Mounts one over a directory that is empty.
    pub(crate) fn mount(path: &Path) -> Self {
        mount(path, "size=512k,mode=700");
        // Where libfaketime leaves what killed processes shared.
        mount(Path::new("/dev/shm"), "size=16m");
        Self {
            path: path.to_owned(),
            is_open: Mutex::new(false),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Whether it may be filled from now on. It is empty when it may not.
    pub(crate) fn set_open(&self, is_open: bool) {
        let mut kept = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = is_open;
        self.empty();
    }

    /// Writes until nothing more goes onto it.
    pub(crate) fn fill(&self) {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_open {
            let mut file = fs::File::create(self.ballast()).expect("a file has room for its name");
            while file.write_all(&[0; 4096]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.ballast()).ok();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.path).status();
        status.expect("umount starts");
    }
}

fn mount(path: &Path, options: &str) {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(path);
    let status = mount.status();
    assert!(
        status.expect("mount starts").success(),
        "{}",
        path.display()
    );
}
