//! The processes: started, killed, asked whose connection that is, and reaped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chance::Chance;
use crate::support::detached;

/// The signal that nothing can be done against.
const SIGKILL: i32 = 9;

/// Which process, in the order in which they were started.
pub(crate) type Number = u64;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// We killed it.
    Killed,
    /// By itself, with this exit code.
    Code(i32),
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) end: End,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// All processes of one test.
#[derive(Default)]
pub(crate) struct Crowd {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    started: Number,
    /// With the process' id. A child is behind a lock of its own: whoever kills it does so before it
    /// is reaped, while its id is nobody else's.
    running: BTreeMap<Number, (u32, Arc<Mutex<Child>>)>,
    killed: BTreeSet<Number>,
}

impl Crowd {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many were started.
    pub(crate) fn started(&self) -> u64 {
        self.state().started
    }

    /// Starts a process without a terminal, and returns when it has ended.
    pub(crate) fn run(&self, command: Command) -> (Number, Run) {
        let mut child = detached(command).spawn().expect("setsid starts");
        let mut stdout = child.stdout.take().expect("it is piped");
        let mut stderr = child.stderr.take().expect("it is piped");
        let id = child.id();
        let child = Arc::new(Mutex::new(child));
        let number = {
            let mut state = self.state();
            state.started += 1;
            let number = state.started;
            state.running.insert(number, (id, Arc::clone(&child)));
            number
        };
        // What it says is less than a pipe holds, so that one can be read after the other.
        let mut text = [String::new(), String::new()];
        stdout.read_to_string(&mut text[0]).expect("it is UTF-8");
        stderr.read_to_string(&mut text[1]).expect("it is UTF-8");
        let status = {
            let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
            child.wait().expect("it can be waited for")
        };
        let mut state = self.state();
        state.running.remove(&number);
        let [stdout, stderr] = text;
        let end = match (status.code(), status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, Some(SIGKILL)) if state.killed.contains(&number) => End::Killed,
            (None, _) => panic!("process {number} ended by {status:?}: {stderr}"),
        };
        let run = Run {
            end,
            stdout,
            stderr,
        };
        (number, run)
    }

    /// Kills a process, if it still runs.
    pub(crate) fn kill(&self, number: Number) {
        let child = {
            let mut state = self.state();
            let Some((_, child)) = state.running.get(&number) else {
                return;
            };
            let child = Arc::clone(child);
            state.killed.insert(number);
            child
        };
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended already is left alone.
        child.kill().ok();
    }

    /// Kills any process, but no more than one of three: some are to come to their end, also on a slow
    /// machine.
    pub(crate) fn kill_any(&self, chance: &mut Chance) {
        let (running, may_kill): (Vec<Number>, bool) = {
            let state = self.state();
            let killed = state.killed.len() as u64;
            (
                state.running.keys().copied().collect(),
                killed * 3 < state.started,
            )
        };
        if may_kill && !running.is_empty() {
            self.kill(*chance.one_of(&running));
        }
    }

    /// The process that has this end of a connection; `None` where it is dead already.
    pub(crate) fn owner(&self, client: SocketAddr) -> Option<Number> {
        /// How often is it looked for? What Linux lists may miss a line while others come and go.
        const LOOKS: u32 = 5;
        (0..LOOKS).find_map(|_| {
            let socket = format!("socket:[{}]", inode(client)?);
            let running: Vec<(Number, u32)> = {
                let state = self.state();
                let ids = state.running.iter().map(|(number, (id, _))| (*number, *id));
                ids.collect()
            };
            let holds = |id: u32| {
                let open = fs::read_dir(format!("/proc/{id}/fd"));
                let mut links = open.into_iter().flatten().flatten();
                links.any(|entry| {
                    fs::read_link(entry.path())
                        .is_ok_and(|link| link.as_os_str() == socket.as_str())
                })
            };
            let (number, _) = running.into_iter().find(|(_, id)| holds(*id))?;
            Some(number)
        })
    }
}

/// The inode of the socket that is bound to this address, as Linux lists it.
fn inode(local: SocketAddr) -> Option<String> {
    let IpAddr::V4(address) = local.ip() else {
        return None;
    };
    let number = u32::from_ne_bytes(address.octets());
    let listed = format!("{number:08X}:{:04X}", local.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut lines = table.lines().map(|line| line.split_whitespace());
    // Its number, this end, the other end, and six more columns.
    lines
        .find_map(|mut words| (words.nth(1)? == listed).then(|| words.nth(7).map(String::from))?)
        .filter(|inode| inode != "0")
}
