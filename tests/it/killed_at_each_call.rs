//! A refresh that is killed before each of its system calls, from the lock to the end, or one of
//! whose calls fails: what the next call finds.
//!
//! `strace` delivers the signal when a call is entered, before it does anything. So every state
//! that the disk and the network can be left in is looked at, where a kill at a random moment
//! (`oidc_killed.rs`, `tests/chaos`) finds those that last. A call that is made to fail does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use crate::authority::Snapshot;
use crate::chance::{Chance, seed, told};
use crate::scene::Scene;
use crate::support::Ran;
use crate::tls::CertificateAuthority;

/// How many refreshes are killed at the same time?
const WORKERS: usize = 4;

/// Where a refresh is killed: before the `nth` call of this name. Calls are counted for each
/// thread; without `every_thread` those of the first one alone count. (With it, a call that the
/// first thread makes as often before the lock is no point: the kill would come there.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    every_thread: bool,
    call: String,
    nth: usize,
}

impl Point {
    /// Every point of what `strace -f` has seen, from the first lock on.
    pub(crate) fn all(trace: &str) -> BTreeSet<Self> {
        let mut first_thread = None;
        let mut locked = false;
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut before_lock: BTreeMap<&str, usize> = BTreeMap::new();
        let mut points = BTreeSet::new();
        for line in trace.lines() {
            let (thread, rest) = line.split_once(' ').expect("the thread stands first");
            // The rest of a call that was interrupted, or no call.
            let Some((call, _)) = rest.trim_start().split_once('(') else {
                continue;
            };
            if !call
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                continue;
            }
            let is_first = *first_thread.get_or_insert(thread) == thread;
            let nth = counts.entry((thread, call)).or_default();
            *nth += 1;
            locked |= call == "flock";
            if !locked {
                before_lock.insert(call, *nth);
            } else if is_first || before_lock.get(call).is_none_or(|before| before < nth) {
                points.insert(Self {
                    every_thread: !is_first,
                    call: call.to_owned(),
                    nth: *nth,
                });
            }
        }
        assert!(locked, "the lock is seen: {trace}");
        points
    }

    /// The options of `strace` that have that happen there.
    pub(crate) fn options(&self, fault: &str) -> Vec<String> {
        let Self { call, nth, .. } = self;
        let mut options = vec![
            "-e".to_owned(),
            format!("trace={call}"),
            "-e".to_owned(),
            format!("inject={call}:{fault}:when={nth}"),
        ];
        if self.every_thread {
            options.push("-f".to_owned());
        }
        options
    }
}

/// What is done at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process is killed.
    Kill,
    /// The call fails with this error.
    Error(&'static str),
}

impl Fault {
    /// As `strace` calls it.
    fn option(self) -> String {
        match self {
            Self::Kill => "signal=SIGKILL".to_owned(),
            Self::Error(error) => format!("error={error}"),
        }
    }
}

/// With what are calls made to fail?
const ERRORS: [&str; 4] = ["EIO", "ENOSPC", "EACCES", "EINTR"];

/// Which calls never fail on Linux? Who waits in a `futex` for a wake-up that was made to fail waits
/// for ever.
const CANNOT_FAIL: [&str; 5] = ["exit", "exit_group", "futex", "geteuid", "getpid"];

/// What a fault left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The refresh ended before it came to this point; it is not the same each time.
    NotReached,
    /// The authority was not asked, or did not do it: the old token is good.
    Before,
    /// The new token is kept.
    Kept,
    /// The authority has replaced the refresh token, and the new one was lost with the process, or
    /// its answer on the way.
    Lost,
}

/// A scene whose token has run out, and the state to which each kill goes back.
struct Ground {
    scene: Scene,
    session: Vec<u8>,
    issued: Snapshot,
    certificates: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let scene = Scene::signed_in();
        scene.age(-1);
        let session = scene.session();
        let issued = scene.authority.snapshot();
        let certificates = CertificateAuthority::new(scene.sandbox.path(), "ca").pem();
        Self {
            scene,
            session,
            issued,
            certificates,
        }
    }

    fn reset(&self) {
        self.scene.authority.restore(&self.issued);
        fs::write(self.scene.sandbox.session(), &self.session).expect("the session is ours");
        // Without it the metadata are asked for and kept under the lock, too.
        match fs::remove_dir_all(self.documents()) {
            Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }

    fn documents(&self) -> PathBuf {
        self.scene.sandbox.state().join("documents")
    }

    /// The path of a file that `strace` writes.
    fn trace(&self) -> PathBuf {
        self.scene.file("trace")
    }

    /// A refresh, with these options of `strace`, which ends as its program does.
    fn traced(&self, options: &[&str]) -> Ran {
        let trace = self.trace().display().to_string();
        let wrapper = [&["strace", "-qq", "-s", "0", "-o", &trace], options].concat();
        let mut command = self.scene.wrapped(&wrapper, &["get"]);
        // Those of the machine are hundreds of files, and are read before anything is sent.
        command
            .env("SSL_CERT_FILE", &self.certificates)
            .env_remove("SSL_CERT_DIR")
            .env_remove("CRED_HELPER_LOG");
        self.scene.run_command(command)
    }

    /// Every point of a refresh.
    fn points(&self) -> BTreeSet<Point> {
        self.reset();
        self.traced(&["-f"]).ok();
        let trace = fs::read_to_string(self.trace()).expect("strace wrote it");
        Point::all(&trace)
    }

    /// Has a refresh meet the fault there, and looks at what the next call makes of it.
    fn meet(&self, point: &Point, fault: Fault) -> Outcome {
        self.reset();
        let Self { scene, session, .. } = self;
        let at = || format!("{fault:?} at {point:?}");
        let before = scene.refreshes();
        let options = point.options(&fault.option());
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let ran = self.traced(&options);
        let is_reached = match fault {
            Fault::Kill => ran.code.is_none(),
            Fault::Error(_) => {
                let trace = fs::read_to_string(self.trace()).expect("strace wrote it");
                trace.contains("(INJECTED)")
            }
        };
        if !is_reached {
            assert_eq!(ran.code, Some(0), "{}: {ran:?}", at());
            return Outcome::NotReached;
        }
        scene.authority.settle();
        let sent = scene.refreshes() - before;
        let left = scene.session();
        let kept = accounts(&left)[0]["refresh_token"]
            .as_str()
            .map(String::from);
        let is_live = kept.is_some_and(|token| scene.authority.is_redeemable(&token));
        let outcome = match (&left == session, is_live) {
            (true, true) => Outcome::Before,
            (false, true) => Outcome::Kept,
            (_, false) => Outcome::Lost,
        };
        self.judge(&ran, sent, outcome)
            .unwrap_or_else(|why| panic!("{}: {why}: {sent}, {outcome:?}, {ran:?}", at()));

        let mut command = scene.sandbox.command(&["get", "-o", "json"]);
        command.env_remove("CRED_HELPER_LOG");
        let next = scene.run_command(command);
        match outcome {
            Outcome::Lost => {
                let error = next.failed(4);
                assert!(error.contains("needs a sign-in"), "{}: {error}", at());
            }
            Outcome::Before | Outcome::Kept | Outcome::NotReached => {
                assert_eq!(next.stderr, "", "{}: nothing was waited for", at());
                let is_kept = outcome == Outcome::Kept;
                let source = if is_kept { "cache" } else { "refresh" };
                assert_eq!(next.json()["source"], source, "{}: {outcome:?}", at());
            }
        }
        let names = scene.beside_session();
        let is_ours = |name: &String| name.ends_with(".json") || name.ends_with(".lock");
        assert!(names.iter().all(is_ours), "{}: {names:?}", at());
        let documents = fs::read_dir(self.documents()).map_or(0, Iterator::count);
        // Where the killed one had kept the metadata, the next one has no need to; where that failed, the
        // next one has asked for them, or had no need to.
        let is_kept = documents == 1 || documents == 0 && fault != Fault::Kill;
        assert!(is_kept, "{}: the metadata, and nothing else", at());
        outcome
    }

    /// Whether this is how a refresh may end that has met a fault, after so many requests.
    fn judge(&self, ran: &Ran, sent: usize, outcome: Outcome) -> Result<(), &'static str> {
        /// What a program of Rust ends with that gives up.
        const PANICKED: i32 = 101;
        let is_dead = matches!(ran.code, None | Some(PANICKED));
        // An answer that could not be read is asked for once more, and refused there.
        let is_unread = ran.stderr.contains("was lost");
        match outcome {
            Outcome::Before if sent > 0 => Err("the token was sent, and nothing has changed"),
            Outcome::Kept if sent == 0 => Err("the session changed before the refresh"),
            Outcome::Lost if !(is_dead || is_unread) => Err("it was lost without need"),
            Outcome::Lost if sent > 1 && !is_unread => Err("it was sent twice without a word"),
            Outcome::Before if ran.code == Some(0) => Err("there is no answer without a refresh"),
            Outcome::Before | Outcome::Kept | Outcome::Lost | Outcome::NotReached => match ran.code
            {
                // Given, and its token is good; none could be had; the disk.
                Some(0 | 4 | 6 | 9) => Ok(()),
                _ if is_dead => Ok(()),
                _ => Err("such an end is not told of"),
            },
        }
    }
}

/// The accounts of a session, which must be whole.
fn accounts(session: &[u8]) -> Vec<Value> {
    let session: Value = serde_json::from_slice(session).expect("the session is whole");
    let accounts = session["content"]["accounts"].as_array();
    accounts.expect("it has accounts").clone()
}

/// How many faults led to what.
struct Tally(Vec<(Outcome, (Point, Fault))>);

impl Tally {
    /// Has every one of them met, some at the same time.
    fn of(faults: Vec<(Point, Fault)>) -> Self {
        let left = Mutex::new(faults.into_iter());
        let outcomes = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    let ground = Ground::new();
                    loop {
                        let next = left.lock().expect("no worker panicked with it").next();
                        let Some((point, fault)) = next else { break };
                        let outcome = ground.meet(&point, fault);
                        let mut outcomes = outcomes.lock().expect("no worker panicked with it");
                        outcomes.push((outcome, (point, fault)));
                    }
                });
            }
        });
        Self(outcomes.into_inner().expect("no worker panicked with it"))
    }

    fn count(&self, wanted: Outcome) -> usize {
        let outcomes = self.0.iter();
        outcomes.filter(|(outcome, _)| *outcome == wanted).count()
    }

    /// In words. Most were reached.
    fn told(&self) -> String {
        let missed = self.count(Outcome::NotReached);
        assert!(missed * 4 < self.0.len(), "most are reached: {:?}", self.0);
        format!(
            "at {} points ({missed} were not reached again): {} before the token was spent, {} before \
             the new one was kept, {} after that",
            self.0.len(),
            self.count(Outcome::Before),
            self.count(Outcome::Lost),
            self.count(Outcome::Kept)
        )
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "how much can be lost is a figure")]
fn a_kill_before_any_call_damages_nothing_and_costs_the_sign_in_only_where_the_token_was_spent() {
    let points = Ground::new().points().into_iter();
    let tally = Tally::of(points.map(|point| (point, Fault::Kill)).collect());
    for outcome in [Outcome::Before, Outcome::Lost, Outcome::Kept] {
        assert!(tally.count(outcome) > 0, "{outcome:?} is among them");
    }
    println!("killed {}", tally.told());
}

/// All of them with `EVERY_CALL`, else so many, drawn from a seed that is printed.
#[expect(clippy::print_stdout, reason = "the seed")]
pub(crate) fn sample<T>(mut all: Vec<T>, count: usize) -> Vec<T> {
    if told("EVERY_CALL").is_some() {
        return all;
    }
    let seed = seed();
    println!("CHAOS_SEED={seed}");
    let mut chance = Chance::new(seed, 0);
    let mut drawn = Vec::new();
    while drawn.len() < count {
        let index = chance.below(all.len() as u64);
        drawn.push(all.swap_remove(usize::try_from(index).expect("it is below a length")));
    }
    drawn
}

#[test]
#[expect(clippy::print_stdout, reason = "how much can be lost is a figure")]
fn any_call_may_fail_and_costs_the_sign_in_only_where_its_answer_was_lost_with_it() {
    /// How many are tried, where not all are?
    const SAMPLE: usize = 48;
    let points = Ground::new().points().into_iter();
    let may_fail = points.filter(|point| !CANNOT_FAIL.contains(&point.call.as_str()));
    let all = may_fail.flat_map(|point| ERRORS.map(|error| (point.clone(), Fault::Error(error))));
    let faults = sample(all.collect(), SAMPLE);
    println!("failed {}", Tally::of(faults).told());
}
