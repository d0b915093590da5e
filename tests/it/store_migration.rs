//! `store migrate` and `store rekey` while others work, and killed anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::oidc_ground::eventually;
use crate::scene::failing;
use crate::secret_service::{self, lacks_tools};
use crate::store_ground::Ground;

/// How many calls run at the same time?
const PROCESSES: usize = 64;

/// A copy of the directory of sessions, put back before each kill.
fn restore(ground: &Ground, files: &BTreeMap<String, Vec<u8>>) {
    for name in ground.files().keys() {
        if !files.contains_key(name) {
            fs::remove_file(ground.directory().join(name)).expect("it is there");
        }
    }
    for (name, bytes) in files {
        fs::write(ground.directory().join(name), bytes).expect("it can be written");
    }
}

/// Runs `store` under `strace`; whether it went well, and the calls of its first thread after the first
/// lock: each with how often it was made so far.
fn traced(ground: &Ground, options: &[&str], arguments: &[&str]) -> (bool, Vec<(String, usize)>) {
    let trace = ground.scene.file("trace");
    let output = trace.display().to_string();
    let wrapper = [&["strace", "-qq", "-s", "0", "-o", &output], options].concat();
    let line = [&["store"], arguments].concat();
    let mut command = ground.scene.wrapped(&wrapper, &line);
    command.env_remove("CRED_HELPER_LOG");
    let ran = ground.scene.sandbox.run_command(command);
    assert!(matches!(ran.code, Some(0) | None), "{ran:?}");
    let mut counts = BTreeMap::<String, usize>::new();
    let mut points = Vec::new();
    let text = fs::read_to_string(trace).expect("strace wrote it");
    for line in text.lines() {
        let Some((call, _)) = line.split_once('(') else {
            continue;
        };
        let is_call = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !call.bytes().all(is_call) {
            continue;
        }
        let count = counts.entry(call.to_owned()).or_default();
        *count += 1;
        if counts.contains_key("flock") {
            points.push((call.to_owned(), counts[call]));
        }
    }
    (ran.code == Some(0), points)
}

#[test]
fn a_kill_before_any_call_leaves_each_sign_in_whole_and_the_next_run_does_the_rest() {
    /// How many workers share the points?
    const WORKERS: usize = 4;
    /// Of how many points is one looked at? A whole round showed nothing more.
    const STRIDE: usize = 6;
    let kinds: [(&str, &[&str]); 2] = [
        ("none", &["migrate", "--to", "command"]),
        ("command", &["rekey"]),
    ];
    let begin = |from: &str, arguments: &[&str]| {
        let ground = Ground::new(2);
        ground.store(&["migrate", "--to", from]);
        if arguments == ["rekey"] {
            let with_both = ground.turn_key();
            ground.configure(&with_both);
        }
        let files = ground.files();
        (ground, files)
    };
    for (from, arguments) in kinds {
        let (ground, _) = begin(from, arguments);
        let (is_whole, points) = traced(&ground, &[], arguments);
        assert!(is_whole, "it goes well when nobody ends it");
        assert!(
            points.iter().any(|(call, _)| call.starts_with("rename")),
            "{points:?}"
        );
        let points: Vec<_> = points.iter().step_by(STRIDE).collect();
        let left = Mutex::new(points.iter());
        let [killed, half] = [AtomicUsize::new(0), AtomicUsize::new(0)];
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    let (ground, files) = begin(from, arguments);
                    loop {
                        let next = left.lock().expect("no worker panicked with it").next();
                        let Some((call, nth)) = next else { break };
                        restore(&ground, &files);
                        let trace = format!("trace={call}");
                        let kill = format!("inject={call}:signal=SIGKILL:when={nth}");
                        let options = ["-e", &trace, "-e", &kill];
                        if !traced(&ground, &options, arguments).0 {
                            killed.fetch_add(1, Ordering::Relaxed);
                        }
                        ground.assert_served();
                        let listed: BTreeSet<_> = ground.listed().into_iter().collect();
                        half.fetch_add(usize::from(listed.len() > 1), Ordering::Relaxed);
                        let told = ground.store(arguments);
                        assert_eq!(told["failed"], serde_json::json!([]), "{call} {nth}");
                        ground.assert_all_lie("command");
                        ground.assert_served();
                        ground.assert_nothing_readable();
                        let names = ground.scene.beside_session();
                        let is_ours =
                            |name: &String| name.ends_with(".json") || name.ends_with(".lock");
                        assert!(names.iter().all(is_ours), "{call} {nth}: {names:?}");
                    }
                });
            }
        });
        let [killed, half] = [killed, half].map(AtomicUsize::into_inner);
        assert!(
            killed * 4 > points.len() * 3,
            "{arguments:?}: {killed} of {}",
            points.len()
        );
        assert!(half > 0, "{arguments:?}: some are killed between two files");
    }
}

/// 64 that ask for tokens, one call after the other each.
struct Askers<'g> {
    ground: &'g Ground,
    names: Vec<&'g String>,
    is_over: AtomicBool,
    answers: [AtomicUsize; PROCESSES],
}

impl Askers<'_> {
    /// Asks until it is over; each answer is right. Every eighth one refreshes.
    fn ask(&self, number: usize) {
        let (last, others) = self.names.split_last().expect("there are profiles");
        while !self.is_over.load(Ordering::Relaxed) {
            if number.is_multiple_of(8) {
                let token = self.get(&["-p", last, "--force-refresh"]);
                let issued = self.ground.scene.authority.secrets();
                assert!(issued.contains(&token), "it is a token of the authority");
            } else {
                let name = others[number % others.len()];
                assert_eq!(self.get(&["-p", name]), self.ground.tokens[name]);
            }
            self.answers[number].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn get(&self, arguments: &[&str]) -> String {
        let line = [&["get", "--interactive", "never"], arguments].concat();
        let mut command = self.ground.scene.sandbox.command(&line);
        // What so many write, nobody reads.
        command.env_remove("CRED_HELPER_LOG");
        let output = command.output().expect("the binary starts");
        assert!(output.status.success(), "{output:?}");
        let token = String::from_utf8(output.stdout).expect("it is text");
        token.trim_end().to_owned()
    }

    /// Waits until all calls that run now have ended.
    fn settle(&self) {
        let counts = || {
            self.answers
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed))
        };
        let before = counts();
        eventually("each has asked anew", || {
            before
                .iter()
                .zip(counts())
                .all(|(before, now)| *before < now)
        });
    }
}

struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Has 64 processes ask while `work` goes on.
fn asked_meanwhile(ground: &Ground, work: impl FnOnce(&Askers<'_>)) {
    let askers = Askers {
        ground,
        names: ground.tokens.keys().collect(),
        is_over: AtomicBool::new(false),
        answers: [const { AtomicUsize::new(0) }; PROCESSES],
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..PROCESSES)
            .map(|number| {
                let askers = &askers;
                scope.spawn(move || askers.ask(number))
            })
            .collect();
        // Whatever becomes of it, nobody asks for ever.
        let over = Over(&askers.is_over);
        work(&askers);
        askers.settle();
        drop(over);
        for one in running {
            one.join().expect("each answer was right");
        }
    });
}

#[test]
fn many_who_ask_meanwhile_get_the_right_token_and_no_sign_in_is_lost() {
    let mut ground = Ground::new(4);
    let sign_ins = ground.scene.authority.count("/device_authorization", None);
    asked_meanwhile(&ground, |askers| {
        for to in ["command", "none", "command"] {
            ground.store(&["migrate", "--to", to]);
        }
        // Whoever replaces what a command prints has both known to all before.
        let before = ground.turn_key();
        ground.configure(&before);
        askers.settle();
        ground.store(&["rekey"]);
    });
    ground.assert_all_lie("command");
    ground.assert_nothing_readable();
    // The refresh token of before was replaced each time, and never sent twice: the family lives.
    let refreshes = ground.scene.refreshes();
    assert!(refreshes > 0);
    let requests = ground.scene.authority.requests();
    let fields = requests.iter().flat_map(|request| &request.form);
    let sent = fields.filter(|(name, _)| name == "refresh_token");
    let different: BTreeSet<&String> = sent.map(|(_, value)| value).collect();
    assert_eq!(different.len(), refreshes);
    assert_eq!(
        ground.scene.authority.count("/device_authorization", None),
        sign_ins
    );
    let (last, _) = ground.tokens.pop_last().expect("there are profiles");
    ground.assert_served();
    let answer = ground
        .run(&["get", "-p", &last, "--force-refresh", "-o", "json"])
        .json();
    assert_eq!(answer["source"], "refresh");
}

#[test]
fn of_two_that_contradict_each_other_one_waits_for_the_other() {
    let ground = Ground::new(6);
    for _ in 0..3 {
        let told: Vec<_> = thread::scope(|scope| {
            let running = ["command", "none", "command", "none"].map(|to| {
                let ground = &ground;
                scope.spawn(move || ground.scene.sandbox.run(&["store", "migrate", "--to", to]))
            });
            running
                .map(|process| process.join().expect("it ends").ok())
                .into()
        });
        assert!(
            told.iter().all(|told| told.ends_with(" 0 not possible\n")),
            "{told:?}"
        );
        let (seal, _) = ground.listed().remove(0);
        ground.assert_all_lie(&seal);
        ground.assert_served();
        // What is new lies as the last one said.
        ground.sign_in("new");
        ground.assert_all_lie(&seal);
    }
}

#[test]
fn a_rekey_that_dies_leaves_no_key_in_the_keyring_that_the_next_one_does_not_forget() {
    if lacks_tools() {
        return;
    }
    let ground = secret_service::Ground::sealed();
    let token = ground.run(&["get"]).ok();
    // That a key will be made, which was chosen, the session, and what is forgotten, are written so.
    for nth in 1..=4 {
        let calls = "rename,renameat,renameat2";
        let wrapper = failing(&format!("{calls}:signal=SIGKILL:when={nth}"));
        let command = ground.scene.wrapped(&wrapper, &["store", "rekey"]);
        assert_eq!(
            ground.run_command(command).code,
            None,
            "{nth}: it is killed"
        );
        assert_eq!(ground.run(&["get"]).ok(), token, "{nth}");
        ground.run(&["store", "rekey"]).ok();
        assert_eq!(ground.run(&["get"]).ok(), token, "{nth}");
        let found = ground.bus.found();
        assert_eq!(found.matches("label = ").count(), 1, "{nth}: {found}");
    }
    // The way back forgets the last one.
    ground.run(&["store", "migrate", "--to", "none"]).ok();
    assert_eq!(ground.bus.found().matches("label = ").count(), 0);
    assert_eq!(ground.run(&["get"]).ok(), token);
    ground.run(&["store", "migrate", "--to", "keyring"]).ok();
    assert_eq!(ground.bus.found().matches("label = ").count(), 1);
    ground.assert_nothing_readable();
}

#[test]
fn whoever_is_configured_otherwise_meanwhile_does_not_undo_a_migration() {
    if lacks_tools() {
        return;
    }
    let ground = secret_service::Ground::with_keyring("seal = \"none\"");
    ground.run(&["login"]).ok();
    let token = ground.run(&["get"]).ok();
    ground.configure("key_cache = \"0s\"");
    let path = ground.scene.sandbox.session().with_extension("lock");
    let lock = fs::File::options()
        .write(true)
        .open(path)
        .expect("it was locked before");
    lock.lock().expect("it is free");
    let choice = ground.scene.sandbox.state().join("sessions/store.json");
    let told = thread::scope(|scope| {
        let migration = scope.spawn(|| ground.run(&["store", "migrate", "--to", "keyring"]));
        eventually("it has chosen, and waits", || {
            fs::read_to_string(&choice).is_ok_and(|text| text.contains("\"is_migrated\":true"))
        });
        // Another configuration has another seal, and signs in for another client.
        let key = ground.scene.file("key");
        fs::write(&key, "a key that a command prints").expect("it can be written");
        let other = ground.scene.file("other.toml");
        let profiles = fs::read_to_string(ground.scene.sandbox.config()).expect("it is there");
        let command = format!(
            "seal = \"command\"\ncommand = [\"cat\", \"{}\"]\nkey_cache",
            key.display()
        );
        let profiles = profiles
            .replace("key_cache", &command)
            .replace("\"cli\"", "\"other\"");
        fs::write(&other, profiles).expect("it can be written");
        let mut login = ground.scene.sandbox.command(&["login"]);
        login.env("CRED_HELPER_CONFIG", &other);
        ground.run_command(login).ok();
        drop(lock);
        migration.join().expect("it ends").ok()
    });
    assert!(told.starts_with("1 sealed anew, "), "{told}");
    ground.assert_nothing_readable();
    assert_eq!(ground.run(&["get"]).ok(), token);
    let list = ground.run(&["store", "list", "-o", "json"]).json();
    let seals = list["sessions"].as_array().expect("it is a list").iter();
    let seals: BTreeSet<_> = seals.map(|row| row["seal"].as_str()).collect();
    assert_eq!(seals, [Some("keyring"), Some("command")].into());
    // What is new lies as the migration said.
    ground.run(&["logout"]).ok();
    ground.run(&["login"]).ok();
    let list = ground.run(&["store", "list", "-o", "json"]).json();
    assert_eq!(
        list.to_string().matches("\"seal\":\"keyring\"").count(),
        1,
        "{list}"
    );
}

#[test]
fn a_keyring_that_is_started_anew_under_many_costs_no_sign_in() {
    if lacks_tools() {
        return;
    }
    let mut ground = secret_service::Ground::sealed();
    let token = ground.run(&["get"]).ok();
    let is_over = AtomicBool::new(false);
    let address = ground.bus.address();
    let [answered, refused] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let (scene, bus) = (&ground.scene, &mut ground.bus);
    let ask = || {
        let mut command = scene.sandbox.command(&["get", "--interactive", "never"]);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .env_remove("CRED_HELPER_LOG");
        let output = command.output().expect("the binary starts");
        let said = String::from_utf8(output.stdout).expect("it is text");
        match output.status.code() {
            Some(0) => {
                assert_eq!(said, token);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            code => {
                assert_eq!((code, said.as_str()), (Some(9), ""), "{:?}", output.stderr);
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let over = Over(&is_over);
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    ask();
                }
            });
        }
        for _ in 0..2 {
            bus.end_service();
            let before = refused.load(Ordering::Relaxed);
            eventually("somebody was told that there is none", || {
                refused.load(Ordering::Relaxed) > before
            });
            bus.open_keyring();
            let before = answered.load(Ordering::Relaxed);
            eventually("somebody was answered", || {
                answered.load(Ordering::Relaxed) > before
            });
        }
        // The key is replaced under them as well.
        let mut rekey = scene.sandbox.command(&["store", "rekey"]);
        rekey.env("DBUS_SESSION_BUS_ADDRESS", &address);
        let told = scene.sandbox.run_command(rekey).ok();
        assert_eq!(told, "1 sealed anew, 0 as before, 0 not possible\n");
        let before = refused.load(Ordering::Relaxed);
        let after = answered.load(Ordering::Relaxed) + PROCESSES;
        eventually("many were answered", || {
            answered.load(Ordering::Relaxed) > after
        });
        assert_eq!(
            refused.load(Ordering::Relaxed),
            before,
            "nobody meets a key that is gone"
        );
        drop(over);
    });
    assert_eq!(ground.run(&["get"]).ok(), token);
    let answer = ground.run(&["get", "--force-refresh", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
    assert_eq!(
        ground.scene.authority.count("/device_authorization", None),
        1
    );
    assert_eq!(ground.bus.found().matches("label = ").count(), 1);
}
