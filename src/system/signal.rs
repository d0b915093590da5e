//! Ctrl-C, SIGTERM and a closed terminal: at once in general, after the work that must not be torn
//! otherwise.
//!
//! No handler is installed before something is waited for or shielded, so that a silent answer
//! never pays for it; until then the system's default ends the process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::platform;
use crate::context::{Shield, Signals};
use crate::error::{Error, ErrorKind};

/// Whether a signal ends the process at once: nobody remembers it.
static AT_ONCE: AtomicBool = AtomicBool::new(true);
/// Whether a signal came while it was remembered. The second one does not wait.
static PENDING: AtomicBool = AtomicBool::new(false);
/// How many remember one: shields, and whoever attends. It is held while [`AT_ONCE`] is set by it.
static LISTENERS: Mutex<usize> = Mutex::new(0);
/// How many shields there are.
static SHIELDS: AtomicUsize = AtomicUsize::new(0);

/// How many wait for somebody who reads stdout.
static READERS: AtomicUsize = AtomicUsize::new(0);
/// Who else may tell the process to end: another thread of it.
static TOLD: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);

/// The process' signals.
pub struct ProcessSignals;

impl Signals for ProcessSignals {
    fn shield(&self) -> Box<dyn Shield + '_> {
        Box::new(Shielded::new())
    }

    fn attend(&self) -> Box<dyn Shield + '_> {
        Box::new(Attentive::new())
    }

    fn heed_reader(&self) -> Box<dyn Shield + '_> {
        READERS.fetch_add(1, Ordering::SeqCst);
        Box::new(Heeded)
    }

    fn heed(&self, told: Arc<AtomicBool>) -> Box<dyn Shield + '_> {
        *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        Box::new(Told)
    }

    fn check(&self) -> Result<(), Error> {
        check()
    }
}

/// While it lives, a first signal is only remembered; each wait looks for it.
struct Attentive(());

impl Attentive {
    fn new() -> Self {
        install();
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        *listeners += 1;
        AT_ONCE.store(false, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Attentive {
    fn drop(&mut self) {
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        *listeners -= 1;
        AT_ONCE.store(*listeners == 0, Ordering::SeqCst);
    }
}

impl Shield for Attentive {}

/// The same, and the waits within it are part of what must not be torn.
pub(super) struct Shielded(Attentive);

impl Shielded {
    pub(super) fn new() -> Self {
        let attentive = Attentive::new();
        SHIELDS.fetch_add(1, Ordering::SeqCst);
        Self(attentive)
    }
}

impl Drop for Shielded {
    fn drop(&mut self) {
        SHIELDS.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shield for Shielded {}

/// While it lives, nothing is done for a reader who has gone.
struct Heeded;

impl Drop for Heeded {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shield for Heeded {}

/// While it lives, another thread may tell the process to end.
struct Told;

impl Drop for Told {
    fn drop(&mut self) {
        *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Shield for Told {}

/// Whether the process was told to end.
///
/// # Errors
/// `interrupted`, if it was.
pub(super) fn check() -> Result<(), Error> {
    // Within another's shield the wait is part of what must not be torn.
    if SHIELDS.load(Ordering::SeqCst) > 1 {
        return Ok(());
    }
    if PENDING.load(Ordering::SeqCst) {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    if READERS.load(Ordering::SeqCst) > 0 && platform::is_reader_gone() {
        let gone = "nobody reads the answer any more";
        return Err(Error::new(ErrorKind::Interrupted, gone));
    }
    let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told
        .as_ref()
        .is_some_and(|told| told.load(Ordering::SeqCst))
    {
        let cancelled = "whoever asked does not want the answer any more";
        return Err(Error::new(ErrorKind::Interrupted, cancelled));
    }
    Ok(())
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
            // The order matters: the flag is set last, so that only the second signal finds it
            // set. Where a handler cannot be installed, the system's default stays.
            let installed = flag::register_conditional_shutdown(signal, status, &AT_ONCE)
                .and_then(|_| flag::register_conditional_shutdown(signal, status, &PENDING))
                .and_then(|_| flag::register(signal, &PENDING));
            drop(installed);
        }
        if let Some(signal) = platform::HANG_UP {
            install_hang_up(signal);
        }
    });
}

/// A terminal that is closed says so twice, once through the shell and once when that ends: the
/// second time is no wish to end at once.
fn install_hang_up(signal: i32) {
    if platform::is_ignored(signal) {
        return;
    }
    let installed = flag::register_conditional_shutdown(signal, 129, &AT_ONCE)
        .and_then(|_| flag::register(signal, &PENDING));
    drop(installed);
}
