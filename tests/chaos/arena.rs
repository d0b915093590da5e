//! One session at a real authority, and many processes that want its token while all goes wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::crowd::{Crowd, End, Number, Run};
use crate::disk::Disk;
use crate::ledger::Ledger;
use crate::network::{Network, Weather};
use crate::oidc_ground::{Ground, eventually};

/// How many processes are there at the same time?
pub(crate) const PROCESSES: u64 = 64;

/// Said with an error that was met by another process, a moment ago.
const REMEMBERED: &str = "the authority is asked again from";

/// What goes wrong in a round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Processes are killed, each few milliseconds one.
    pub(crate) kills: bool,
    /// The network resets, delays, cuts and loses.
    pub(crate) network: bool,
    /// The disk runs full, and some processes may write no files of that size.
    pub(crate) disk: bool,
    /// Some processes have a clock that is wrong.
    pub(crate) clock: bool,
    /// Some processes want a new token whatever is kept.
    pub(crate) force: bool,
    /// The session is sealed, and now and then with another key.
    pub(crate) seal: bool,
}

/// What a process is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Get,
    Rekey,
}

/// A session and all that has become of it.
pub(crate) struct Arena {
    /// Before the sandbox, whose directory cannot be removed while it is mounted there.
    disk: Option<Disk>,
    ground: Ground,
    network: Network,
    crowd: Arc<Crowd>,
    seed: u64,
    rounds: u64,
    runs: BTreeMap<Number, Run>,
    ledger: Ledger,
    /// Whether a key was replaced and not all is sealed with the new one.
    is_rekeying: Mutex<bool>,
    /// The library that tells a wrong time.
    faketime: String,
    /// How many `get` have brought a token.
    answered: u64,
    /// How often all was sealed with another key.
    rekeyed: u64,
    /// How many refreshes were made between rounds, to see that the sign-in lives.
    looks: u64,
}

impl Arena {
    /// Somebody is signed in; access tokens live so many seconds, and refresh tokens that were replaced
    /// are forgiven for as many as `forgives`. With a disk of its own, if it is to run full.
    pub(crate) fn new(seed: u64, seconds: u64, forgives: u64, has_disk: bool) -> Self {
        let options = json!({ "accessTokenTtl": seconds, "forgives": forgives });
        let ground = Ground::new(options);
        let disk = has_disk.then(|| Disk::mount(&ground.sandbox.state()));
        let crowd = Arc::new(Crowd::default());
        let endpoint = format!("{}/token", ground.authority.issuer());
        let network = Network::start(endpoint, Arc::clone(&crowd));
        let preload = ["-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""];
        let faketime = Command::new("faketime").args(preload).output();
        let faketime = faketime.expect("faketime starts").stdout;
        let arena = Self {
            disk,
            ground,
            network,
            crowd,
            seed,
            rounds: 0,
            runs: BTreeMap::new(),
            ledger: Ledger::new(forgives > 0),
            is_rekeying: Mutex::new(false),
            faketime: String::from_utf8(faketime).expect("a path of ours"),
            answered: 0,
            rekeyed: 0,
            looks: 0,
        };
        let mut chance = Chance::new(seed, 0);
        arena.write_key(&mut chance);
        arena.write_key(&mut chance);
        arena.write_profile(false);
        arena.sign_in();
        arena
    }

    /// How many processes were started.
    pub(crate) fn started(&self) -> u64 {
        self.crowd.started()
    }

    /// The shortest time between a token that was kept and the next refresh.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.ledger.shortest
    }

    /// Has processes run until `is_over`, or until the sign-in seems to be lost, and sees what is left.
    pub(crate) fn round(&mut self, faults: Faults, is_over: impl Fn(&Crowd) -> bool + Sync) {
        self.rounds += 1;
        let chance = |stream| Chance::new(self.seed, self.rounds * 1000 + stream);
        self.write_profile(faults.seal);
        self.network.set_weather(Some(Weather {
            is_rough: faults.network,
            kills: faults.kills,
            once_in: 4,
            chance: chance(0),
        }));
        self.set_disk_open(faults.disk);
        let ended = Mutex::new(Vec::new());
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let is_done = &is_done;
            let is_going_on = move || !is_done.load(Ordering::SeqCst);
            if faults.kills {
                let mut chance = chance(1);
                let crowd = &self.crowd;
                scope.spawn(move || {
                    while is_going_on() {
                        thread::sleep(chance.milliseconds(2, 20));
                        crowd.kill_any(&mut chance);
                    }
                });
            }
            if let Some(disk) = self.disk.as_ref().filter(|_| faults.disk) {
                let mut chance = chance(2);
                scope.spawn(move || {
                    while is_going_on() {
                        thread::sleep(chance.milliseconds(1, 60));
                        disk.fill();
                        thread::sleep(chance.milliseconds(1, 30));
                        disk.empty();
                    }
                });
            }
            let _stop = Stop(is_done);
            let is_lost = &AtomicBool::new(false);
            thread::scope(|workers| {
                for worker in 0..PROCESSES {
                    let mut chance = chance(10 + worker);
                    let (arena, ended, is_over) = (&*self, &ended, &is_over);
                    workers.spawn(move || {
                        while !is_lost.load(Ordering::SeqCst) && !is_over(&arena.crowd) {
                            let (job, number, run) = arena.work(&mut chance, faults);
                            if run.end == End::Code(4) {
                                is_lost.store(true, Ordering::SeqCst);
                            }
                            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
                            ended.push((job, number, run));
                        }
                    });
                }
            });
        });
        self.network.set_weather(None);
        self.set_disk_open(false);
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.look(faults, ended);
    }

    /// When all is quiet: whether the sign-in lives where it should, and what each process has said.
    fn look(&mut self, faults: Faults, ended: Vec<(Job, Number, Run)>) {
        let runs = ended.iter().map(|(_, number, run)| (*number, run.clone()));
        self.runs.extend(runs);
        if *self.is_rekeying() {
            let (_, run) = self.crowd.run(self.command(&["store", "rekey"]));
            assert_eq!(run.end, End::Code(0), "{run:?}");
            *self.is_rekeying() = false;
        }
        let command = self.command(&["get", "--force-refresh", "-o", "json"]);
        let (_, last) = self.crowd.run(command);
        self.ledger.note(self.network.take_exchanges(), &self.runs);
        if self.ledger.is_live() {
            self.looks += 1;
            assert_eq!(last.end, End::Code(0), "the sign-in lives: {last:?}");
            let answer: Value = serde_json::from_str(&last.stdout).expect("it is JSON");
            assert_eq!(answer["source"], "refresh", "{answer}");
        } else {
            assert_eq!(last.end, End::Code(4), "the sign-in was lost: {last:?}");
            assert!(last.stderr.contains("needs a sign-in"), "{last:?}");
        }
        for (job, number, run) in &ended {
            let is_well = run.end == End::Code(0);
            self.answered += u64::from(is_well && *job == Job::Get);
            self.rekeyed += u64::from(is_well && *job == Job::Rekey);
            self.judge(*job, run, faults).unwrap_or_else(|why| {
                panic!("process {number}, {job:?}, {faults:?}: {why}: {run:?}")
            });
        }
        self.check_files();
        if !self.ledger.is_live() {
            self.sign_in();
        }
    }

    /// Whether a process has ended in a way that the faults of its round explain.
    fn judge(&self, job: Job, run: &Run, faults: Faults) -> Result<(), &'static str> {
        if !self.ledger.is_unsaid(&run.stderr) {
            return Err("a secret was said");
        }
        if run.stderr.contains("could not be kept") {
            return Err("the store was proved to be writable");
        }
        let is_explained = match (job, run.end) {
            (_, End::Killed) => faults.kills,
            (Job::Get, End::Code(0)) => self.ledger.has_given(run.stdout.trim_end()),
            (Job::Rekey, End::Code(0)) => true,
            (Job::Get, End::Code(4)) => !self.ledger.is_live(),
            (Job::Get, End::Code(6)) => faults.network || run.stderr.contains(REMEMBERED),
            (_, End::Code(9)) => faults.disk,
            (_, End::Code(_)) => false,
        };
        is_explained.then_some(()).ok_or("that is not to happen")
    }

    /// Starts one process.
    fn work(&self, chance: &mut Chance, faults: Faults) -> (Job, Number, Run) {
        if faults.seal && chance.is_one_in(30) {
            // One at a time: no second key is chosen before all is sealed with the first.
            if let Ok(mut is_rekeying) = self.is_rekeying.try_lock() {
                if !*is_rekeying {
                    self.write_key(chance);
                    *is_rekeying = true;
                }
                let (number, run) = self.crowd.run(self.command(&["store", "rekey"]));
                *is_rekeying = run.end != End::Code(0);
                return (Job::Rekey, number, run);
            }
        }
        let is_forced = faults.force && chance.is_one_in(6);
        let arguments: &[&str] = if is_forced {
            &["get", "--force-refresh"]
        } else {
            &["get"]
        };
        let mut command = self.command(arguments);
        if faults.disk && chance.is_one_in(8) {
            command = self.limited(&command);
        }
        if faults.clock && chance.is_one_in(4) {
            let jump = chance.one_of(&["-7200", "-90", "+90", "+7200", "+172800"]);
            command
                .env("LD_PRELOAD", &self.faketime)
                .env("FAKETIME", jump)
                // The span of a call is measured by a clock that nobody sets.
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let (number, run) = self.crowd.run(command);
        (Job::Get, number, run)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.ground.sandbox.command(arguments);
        command.env_remove("CRED_HELPER_LOG");
        command
    }

    /// The same, which may write no file as large as it has to.
    fn limited(&self, own: &Command) -> Command {
        let mut command = Command::new("sh");
        self.ground.sandbox.prepare(&mut command);
        command
            .env_remove("CRED_HELPER_LOG")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"])
            .arg(own.get_program())
            .args(own.get_args());
        command
    }

    fn set_disk_open(&self, is_open: bool) {
        if let Some(disk) = &self.disk {
            disk.set_open(is_open);
        }
    }

    fn is_rekeying(&self) -> std::sync::MutexGuard<'_, bool> {
        self.is_rekeying
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, name: &str) -> PathBuf {
        self.ground.sandbox.path().join(name)
    }

    /// Has another key at hand; the one before is the previous one.
    fn write_key(&self, chance: &mut Chance) {
        if let Ok(key) = fs::read(self.key("key")) {
            self.replace("previous", &key);
        }
        let key: String = (0..32)
            .map(|_| char::from(b'a' + chance.below(26) as u8))
            .collect();
        self.replace("key", key.as_bytes());
    }

    fn replace(&self, name: &str, content: &[u8]) {
        let new = self.key("new");
        fs::write(&new, content).expect("it is ours");
        fs::rename(&new, self.key(name)).expect("it is ours");
    }

    fn write_profile(&self, is_sealed: bool) {
        let seal = if is_sealed { "command" } else { "none" };
        let [key, previous] = ["key", "previous"].map(|name| self.key(name).display().to_string());
        let issuer = self.ground.authority.issuer();
        let token = self.network.token_endpoint();
        self.ground.sandbox.write_profiles(&format!(
            "[store]\nseal = \"{seal}\"\ncommand = [\"cat\", \"{key}\"]\n\
             previous_command = [\"cat\", \"{previous}\"]\n\n[refresh]\nbackground = false\n\n\
             [profiles.api]\nauthority = \"{issuer}\"\nclient_id = \"cli\"\n\
             scopes = [\"api:read\"]\nendpoints = {{ token = \"{token}\" }}\n"
        ));
    }

    fn sign_in(&self) {
        let sandbox = &self.ground.sandbox;
        let terminal = sandbox.in_terminal("cred-helper login >/dev/null");
        self.ground.authority.approve(None, "ada");
        terminal.wait();
    }

    /// What lies beside the session is ours, whole, and of use.
    fn check_files(&self) {
        let folder = self.ground.sandbox.state().join("sessions");
        for entry in fs::read_dir(folder).expect("there are sessions") {
            let name = entry.expect("it can be read").file_name();
            let name = name.to_string_lossy();
            let is_ours = name.ends_with(".json") || name.ends_with(".lock");
            assert!(is_ours, "{name} was left");
        }
    }

    /// Ends it: every process has, and every request that reached the authority is accounted for. What
    /// became of them, in words.
    pub(crate) fn end(mut self) -> String {
        self.ledger.note(self.network.take_exchanges(), &self.runs);
        let counts = self.ledger.close();
        let requests = self.ground.authority.requests();
        assert_eq!(
            requests.token("refresh_token"),
            counts.refreshes(),
            "{counts:?}"
        );
        assert_eq!(
            requests.device_authorization, counts.sign_ins,
            "nobody else was asked"
        );
        let own = self.ground.sandbox.state().display().to_string();
        eventually("no process is left", || !is_told_to_any(&own));
        assert!(self.answered > 0, "some were answered");
        if self.ledger.forgives() {
            assert_eq!(
                (counts.refused, counts.sign_ins),
                (0, 1),
                "nothing was lost for good"
            );
        }
        format!(
            "{} processes, {} of them answered with a token, {} with all sealed anew; {} token requests: {} refreshes that were \
             kept, {} of them to see that the sign-in lives; {} whose process was killed before it had \
             kept the new token; {} whose answer the network lost; {} that were refused since one of \
             those was lost before; {} sign-ins",
            self.started(),
            self.answered,
            self.rekeyed,
            counts.refreshes(),
            counts.kept,
            self.looks,
            counts.killed,
            counts.unanswered,
            counts.refused,
            counts.sign_ins
        )
    }
}

/// Whether a process has this text in its environment.
fn is_told_to_any(text: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("Linux lists its processes");
    processes.flatten().any(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

/// Ends those that go on until it is set, whatever happens.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
