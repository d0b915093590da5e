//! A port on loopback that somebody answers, each connection in a thread of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A port that is answered; dropping it ends that.
pub(crate) struct Port {
    address: String,
    is_stopping: Arc<AtomicBool>,
}

impl Port {
    /// Has every connection served.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let is_stopping = Arc::new(AtomicBool::new(false));
        let port = Self {
            address: address.to_string(),
            is_stopping: Arc::clone(&is_stopping),
        };
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        port
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the one who listens; where that fails, it has ended already.
        TcpStream::connect(&self.address).ok();
    }
}
