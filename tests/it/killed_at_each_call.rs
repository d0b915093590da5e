//! A refresh that is killed before each of its system calls, from the lock to the end: what the
//! next call finds.
//!
//! `strace` delivers the signal when a call is entered, before it does anything. So every state
//! that the disk and the network can be left in is looked at, where a kill at a random moment
//! (`oidc_killed.rs`) finds those that last.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use crate::authority::Snapshot;
use crate::scene::{Scene, refresh_token};
use crate::tls::CertificateAuthority;

/// How many refreshes are killed at the same time?
const WORKERS: usize = 4;

/// Where a refresh is killed: before the `nth` call of this name. Calls are counted for each
/// thread; without `every_thread` those of the first one alone count. (With it, a call that the
/// first thread makes as often before the lock is no point: the kill would come there.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    every_thread: bool,
    call: String,
    nth: usize,
}

/// What a kill left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The refresh ended before it came to this point; it is not the same each time.
    NotReached,
    /// The authority was not asked, or did not do it: the old token is good.
    Before,
    /// The new token is kept.
    Kept,
    /// The authority has replaced the refresh token, and the new one was not written yet.
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
        fs::remove_dir_all(self.documents()).expect("the metadata are ours");
    }

    fn documents(&self) -> PathBuf {
        self.scene.sandbox.state().join("documents")
    }

    /// The path of a file that `strace` writes.
    fn trace(&self) -> PathBuf {
        self.scene.file("trace")
    }

    /// A refresh, with these options of `strace`; whether it went well.
    fn traced(&self, options: &[&str]) -> bool {
        let trace = self.trace().display().to_string();
        let wrapper = [&["strace", "-qq", "-s", "0", "-o", &trace], options].concat();
        let mut command = self.scene.wrapped(&wrapper, &["get"]);
        // Those of the machine are hundreds of files, and are read before anything is sent.
        command
            .env("SSL_CERT_FILE", &self.certificates)
            .env_remove("SSL_CERT_DIR")
            .env_remove("CRED_HELPER_LOG");
        let ran = self.scene.sandbox.run_command(command);
        // `strace` ends as its program did: well, or by the signal.
        assert!(matches!(ran.code, Some(0) | None), "{ran:?}");
        ran.code == Some(0)
    }

    /// Every point of a refresh.
    fn points(&self) -> BTreeSet<Point> {
        self.reset();
        assert!(self.traced(&["-f"]), "the refresh goes well");
        let text = fs::read_to_string(self.trace()).expect("strace wrote it");
        let mut first_thread = None;
        let mut locked = false;
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut before_lock: BTreeMap<&str, usize> = BTreeMap::new();
        let mut points = BTreeSet::new();
        for line in text.lines() {
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
                points.insert(Point {
                    every_thread: !is_first,
                    call: call.to_owned(),
                    nth: *nth,
                });
            }
        }
        assert!(locked, "the lock is seen: {text}");
        points
    }

    /// Kills a refresh there, and looks at what the next call makes of it.
    fn kill(&self, point: &Point) -> Outcome {
        self.reset();
        let Self { scene, session, .. } = self;
        let before = scene.refreshes();
        let trace = format!("trace={}", point.call);
        let kill = format!("inject={}:signal=SIGKILL:when={}", point.call, point.nth);
        let follow: &[&str] = if point.every_thread { &["-f"] } else { &[] };
        if self.traced(&[&["-e", &trace, "-e", &kill], follow].concat()) {
            return Outcome::NotReached;
        }
        scene.authority.settle();
        let is_spent = match scene.refreshes() - before {
            0 => false,
            1 => true,
            more => panic!("{point:?}: {more} refresh tokens were sent"),
        };
        let left = scene.session();
        let outcome = match (&left == session, is_spent) {
            (true, false) => Outcome::Before,
            (true, true) => Outcome::Lost,
            (false, true) => Outcome::Kept,
            (false, false) => panic!("{point:?}: the session changed before the refresh"),
        };
        let refresh_token = refresh_token(&left);
        assert_eq!(
            scene.authority.is_redeemable(&refresh_token),
            outcome != Outcome::Lost,
            "{point:?}: {outcome:?}"
        );

        let mut command = scene.sandbox.command(&["get", "-o", "json"]);
        command.env_remove("CRED_HELPER_LOG");
        let ran = scene.sandbox.run_command(command);
        if outcome == Outcome::Lost {
            let error = ran.failed(4);
            assert!(error.contains("invalid_grant"), "{point:?}: {error}");
        } else {
            assert_eq!(ran.stderr, "", "{point:?}: nothing was waited for");
            let source = if outcome == Outcome::Kept {
                "cache"
            } else {
                "refresh"
            };
            assert_eq!(ran.json()["source"], source, "{point:?}: {outcome:?}");
        }
        let names = scene.beside_session();
        let is_ours = |name: &String| name.ends_with(".json") || name.ends_with(".lock");
        assert!(names.iter().all(is_ours), "{point:?}: {names:?}");
        let documents = fs::read_dir(self.documents()).map_or(0, Iterator::count);
        // Where the killed one had kept the metadata, the next one has no need to.
        assert_eq!(documents, 1, "{point:?}: the metadata, and nothing else");
        outcome
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "how much can be lost is a figure")]
fn a_kill_before_any_call_damages_nothing_and_costs_the_sign_in_only_where_the_token_was_spent() {
    let points = Ground::new().points();
    let left = Mutex::new(points.iter());
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let ground = Ground::new();
                loop {
                    let next = left.lock().expect("no worker panicked with it").next();
                    let Some(point) = next else { break };
                    let outcome = ground.kill(point);
                    let mut outcomes = outcomes.lock().expect("no worker panicked with it");
                    outcomes.push((outcome, point));
                }
                // All that was said is searched for all that was issued.
                ground.scene.run(&["status"]).ok();
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no worker panicked with it");
    assert_eq!(outcomes.len(), points.len());
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == wanted)
            .count()
    };
    for outcome in [Outcome::Before, Outcome::Lost, Outcome::Kept] {
        assert!(count(outcome) > 0, "{outcome:?} is among them");
    }
    let missed = count(Outcome::NotReached);
    assert!(missed * 4 < points.len(), "most are reached: {outcomes:?}");
    println!(
        "killed at {} points ({missed} were not reached again): {} before the token was spent, {} \
         before the new one was kept, {} after that",
        points.len(),
        count(Outcome::Before),
        count(Outcome::Lost),
        count(Outcome::Kept)
    );
}
