//! What arrived and was not looked at yet, read on a thread of its own.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::message::Message;
use crate::line::{self, Line};

/// How much may wait? Whoever says more waits too.
const MOST: usize = 100;

/// Messages, in the order in which they came. Nothing more is read once it is dropped.
pub(super) struct Inbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    /// The request that is being answered: its id and method.
    current: Option<(String, String)>,
    /// Whether its answer is not wanted any more.
    told: Arc<AtomicBool>,
    is_cancelled: bool,
    has_ended: bool,
    is_dropped: bool,
}

impl Inbox {
    /// Begins to read.
    pub(super) fn of(mut stdin: Box<dyn BufRead + Send>) -> Self {
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        // Left behind at the end: nothing ends a thread that reads.
        let _thread = thread::spawn(move || {
            loop {
                let line = line::read(&mut *stdin).unwrap_or(Line::End);
                let message = Message::read(&line);
                let is_last = matches!(message, Message::Close | Message::End);
                if !own.put(message) || is_last {
                    return;
                }
            }
        });
        Self(shared)
    }

    /// The next message, once there is one; `None` if none comes within the limit.
    pub(super) fn take(&self, limit: Option<Duration>) -> Option<Message> {
        let mut state = self.0.state();
        state.current = None;
        while state.messages.is_empty() {
            let Some(limit) = limit else {
                let waited = self.0.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = self.0.changed.wait_timeout(state, limit);
            let timeout;
            (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() && state.messages.is_empty() {
                return None;
            }
        }
        let message = state.messages.pop_front()?;
        if let Message::Request { id, method, .. } = &message {
            state.current = Some((id.clone(), method.clone()));
            state.is_cancelled = false;
            state.told = Arc::new(AtomicBool::new(state.has_ended));
        }
        self.0.changed.notify_all();
        Some(message)
    }

    /// What tells whether the answer to the last message is not wanted any more.
    pub(super) fn told(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.state().told)
    }

    /// Whether the last message was taken back.
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.state().is_cancelled
    }

    /// The requests whose answers are waited for: their ids and methods.
    pub(super) fn waiting(&self) -> Vec<(String, String)> {
        let state = self.0.state();
        let current = state.current.iter().filter(|_| !state.is_cancelled);
        let mut waiting: Vec<_> = current.cloned().collect();
        for message in &state.messages {
            if let Message::Request { id, method, .. } = message {
                waiting.push((id.clone(), method.clone()));
            }
        }
        waiting
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.state().is_dropped = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message behind the others; whether more is wanted.
    fn put(&self, message: Message) -> bool {
        let mut state = self.state();
        match message {
            Message::Nothing => return true,
            Message::Cancel { id } => {
                state.cancel(&id);
                return true;
            }
            Message::Close | Message::End => {
                state.has_ended = true;
                state.told.store(true, Ordering::SeqCst);
            }
            Message::Request { .. }
            | Message::Response { .. }
            | Message::Cancelled { .. }
            | Message::Nonsense { .. } => {
                while state.messages.len() >= MOST && !state.is_dropped {
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        state.messages.push_back(message);
        self.changed.notify_all();
        !state.is_dropped
    }
}

impl State {
    /// Takes a request back: the one that is being answered, or one that waits.
    fn cancel(&mut self, cancelled: &str) {
        if matches!(&self.current, Some((id, _)) if id == cancelled) {
            self.is_cancelled = true;
            self.told.store(true, Ordering::SeqCst);
            return;
        }
        for message in &mut self.messages {
            if let Message::Request { id, method, .. } = message
                && id == cancelled
            {
                let (id, method) = (id.clone(), method.clone());
                *message = Message::Cancelled { id, method };
            }
        }
    }
}
