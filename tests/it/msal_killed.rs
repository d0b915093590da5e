//! A refresh in a cache of MSAL that is killed before any of its system calls, from the first lock to
//! the end: MSAL Python loads what it leaves, and the next call goes well.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use crate::killed_at_each_call::{Point, sample};
use crate::msal_cache::Shared;
use crate::support::Ran;

/// How many refreshes are killed at the same time?
const WORKERS: usize = 2;

/// MSAL Python, which loads caches.
struct Loader {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Loader {
    fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 starts");
        Self {
            stdin: child.stdin.take().expect("it is a pipe"),
            stdout: BufReader::new(child.stdout.take().expect("it is a pipe")),
            child,
        }
    }

    /// Who is signed in, as it sees it.
    fn load(&mut self, shared: &Shared) -> Value {
        let path = shared.file();
        writeln!(self.stdin, "{}", path.display()).expect("it reads");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it says text");
        serde_json::from_str(&line).expect("it loads the cache")
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A refresh, run by `strace` with these options.
fn traced(shared: &Shared, options: &[String]) -> Ran {
    let trace = shared.scene.file("trace").display().to_string();
    let words = ["strace", "-qq", "-s", "0", "-o", &trace].map(String::from);
    let words = [&words[..], options].concat();
    let mut command = shared.scene.wrapped(&words, &["get", "--force-refresh"]);
    command.env_remove("CRED_HELPER_LOG");
    shared.scene.run_command(command)
}

/// The same without them. A log of all would be searched for the secrets of all, each time.
fn run(shared: &Shared, arguments: &[&str]) -> Ran {
    let mut command = shared.scene.sandbox.command(arguments);
    command.env_remove("CRED_HELPER_LOG");
    shared.scene.run_command(command)
}

/// The names beside the cache that have its name in them.
fn beside(shared: &Shared) -> Vec<String> {
    let entries = fs::read_dir(shared.scene.sandbox.path()).expect("it can be read");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.contains("cache.json")).collect()
}

/// Kills a refresh there, if it comes there again: whether it did.
fn kill(shared: &Shared, loader: &mut Loader, point: &Point) -> bool {
    let ran = traced(shared, &point.options("signal=SIGKILL"));
    let names = loader.load(shared);
    assert_eq!(names, json!(["ada@example.test"]), "{point:?}");
    // A read mends the lock as well, if it says whose it is, and the next refresh all the rest.
    let next = run(shared, &["get"]).ok();
    if let Ok(lock) = fs::File::options().write(true).open(shared.lock()) {
        let metadata = lock.metadata().expect("it is open");
        assert_eq!(metadata.len(), 0, "{point:?}");
        // Nobody has it for so long.
        lock.set_modified(UNIX_EPOCH).expect("it is ours");
    }
    let after = run(shared, &["get", "--force-refresh"]).ok();
    assert_ne!(after, next, "{point:?}");
    shared.assert_one_of_each();
    assert_eq!(beside(shared), ["cache.json"], "{point:?}");
    match ran.code {
        None => true,
        Some(0) => false,
        Some(_) => panic!("{point:?}: {ran:?}"),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "at how many points is a figure")]
fn killed_before_any_call_the_cache_is_loaded_by_msal_and_the_next_call_goes_well() {
    /// How many are tried, where not all are?
    const SAMPLE: usize = 16;
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.scene.run(&["login"]).ok();
    traced(&shared, &["-f".to_owned()]).ok();
    let trace = fs::read_to_string(shared.scene.file("trace")).expect("strace wrote it");
    let points = sample(Point::all(&trace).into_iter().collect(), SAMPLE);
    let (count, left) = (points.len(), Mutex::new(points.into_iter()));
    let kills = thread::scope(|scope| {
        let workers = [(); WORKERS].map(|()| {
            scope.spawn(|| {
                let shared = Shared::new("").expect("it was there before");
                shared.scene.run(&["login"]).ok();
                let mut loader = Loader::start(shared.loader());
                let mut kills = 0;
                loop {
                    let next = left.lock().expect("no worker panicked with it").next();
                    let Some(point) = next else { break kills };
                    kills += usize::from(kill(&shared, &mut loader, &point));
                }
            })
        });
        let kills = workers.map(|worker| worker.join().expect("all is well"));
        kills.iter().sum::<usize>()
    });
    println!("killed at {kills} of {count} points of a refresh in a cache of MSAL");
    assert!(
        kills * 4 > count * 3,
        "most are reached: {kills} of {count}"
    );
}
