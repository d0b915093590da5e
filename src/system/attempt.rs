//! Work that may never end, given up after a limit.

use std::sync::mpsc;
use std::time::Duration;

/// Does `work` on a thread of its own, and returns what it gave; `None` where that took longer
/// than `limit`. The thread is then left behind: nothing can end it before the process ends.
pub fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let _thread = std::thread::spawn(move || drop(sender.send(work())));
    receiver.recv_timeout(limit).ok()
}
