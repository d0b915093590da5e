//! A cache of MSAL that changes while it is read: MSAL's extensions empty it before they write it, and
//! have no lock while they read.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use cred_helper::context::{Clock, Context};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::store::msal::{Sharing, copy};
use cred_helper::store::seal::Sealing;
use cred_helper::store::session::AccountRow;
use cred_helper::store::{Loaded, SessionStore};
use cred_helper::token::Timestamp;
use serde_json::json;

use crate::fake::World;
use crate::msal_cache::Shared;
use crate::scene::now;
use crate::support::private;

/// A clock of somebody who reads a cache, while another one writes it in these steps.
struct Writing<'a> {
    world: &'a World,
    cache: PathBuf,
    steps: RefCell<Vec<Vec<u8>>>,
}

impl Writing<'_> {
    fn step(&self) {
        let mut steps = self.steps.borrow_mut();
        if !steps.is_empty() {
            fs::write(&self.cache, steps.remove(0)).expect("the cache can be written");
        }
    }
}

impl Clock for Writing<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn monotonic(&self) -> Duration {
        self.world.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        self.step();
        self.world.sleep(duration)
    }
}

/// What is found of a cache that is written in these steps, one before each look.
fn found(steps: &[&[u8]]) -> Loaded {
    found_after(steps).0
}

/// The same, and how long it took.
fn found_after(steps: &[&[u8]]) -> (Loaded, Duration) {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let cache = folder.path().join("cache.json");
    let store = store(folder.path(), &cache);
    let world = World::without_terminal();
    let writing = Writing {
        world: &world,
        cache: cache.clone(),
        steps: RefCell::new(steps.iter().map(|step| step.to_vec()).collect()),
    };
    writing.step();
    private(&cache);
    let context = Context {
        clock: &writing,
        ..world.context()
    };
    let loaded = store.load(&context).expect("it can be read");
    (loaded, world.monotonic())
}

fn store(state: &Path, cache: &Path) -> SessionStore {
    let store = SessionStore::own(state, Vec::new(), Sealing::default(), None);
    store.shared(sharing(cache))
}

fn sharing(cache: &Path) -> Sharing {
    Sharing {
        file: cache.to_owned(),
        client_id: "cli".to_owned(),
        hosts: vec!["host.example".to_owned()],
        is_for_any_tenant: true,
        reads: true,
        writes: true,
        ..Sharing::default()
    }
}

/// A cache with somebody in it, and as much beside.
fn whole(filler: usize) -> Vec<u8> {
    let account =
        json!({ "home_account_id": "u.t", "environment": "host.example", "username": "ada" });
    let token = json!({
        "home_account_id": "u.t", "environment": "host.example", "client_id": "cli", "secret": "r"
    });
    let cache = json!({
        "Account": { "a": account }, "RefreshToken": { "r": token }, "Filler": "x".repeat(filler)
    });
    cache.to_string().into_bytes()
}

#[test]
fn a_cache_that_is_being_written_is_looked_at_until_it_is_whole() {
    let whole_at = whole;
    let (whole, marked) = (whole(1), [b"\xef\xbb\xbf".to_vec(), whole(2)].concat());
    let half = |length: usize| whole_at(10_000)[..length].to_vec();
    let halves: Vec<Vec<u8>> = (1..30).map(|step| half(300 * step)).collect();
    let mut slow: Vec<&[u8]> = halves.iter().map(Vec::as_slice).collect();
    slow.push(&whole);
    for steps in [
        &[&whole[..]][..],
        &[&marked],
        &[b"", &whole],
        &[b"", &halves[0], &whole],
        &[b"", b"\xff\xfe", &whole],
        &[&halves[0], b"", &halves[0], &halves[1], b"", &whole],
        &slow,
    ] {
        match found(steps) {
            Loaded::Session(session, _) => {
                assert_eq!(session.accounts[0].name.as_deref(), Some("ada"));
            }
            other @ (Loaded::Absent | Loaded::Damaged(_)) => {
                panic!("{} steps: {other:?}", steps.len())
            }
        }
    }
    // What stays as it is, is what it is: at once, if it is whole, else a moment later.
    assert_eq!(found_after(&[&whole]).1, Duration::ZERO);
    for (content, is_damaged) in [(&b""[..], false), (&halves[0], true)] {
        let (loaded, waited) = found_after(&[content]);
        assert_eq!(matches!(loaded, Loaded::Damaged(_)), is_damaged);
        assert_eq!(matches!(loaded, Loaded::Absent), !is_damaged);
        assert!(waited < Duration::from_millis(500), "{waited:?}");
    }
    // And what is written without an end is not waited for without one.
    let endless: Vec<Vec<u8>> = (0..1000).map(|step| half(step % 7 + 1)).collect();
    let endless: Vec<&[u8]> = endless.iter().map(Vec::as_slice).collect();
    let (loaded, waited) = found_after(&endless);
    assert!(matches!(loaded, Loaded::Damaged(_)));
    assert!(waited < Duration::from_secs(6), "{waited:?}");
}

/// A clock of somebody whose lock is removed whenever the time is asked for.
struct Robbed<'a> {
    world: &'a World,
    lock: PathBuf,
}

impl Clock for Robbed<'_> {
    fn now(&self) -> Timestamp {
        drop(fs::remove_file(&self.lock));
        self.world.now()
    }

    fn monotonic(&self) -> Duration {
        self.world.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        self.world.sleep(duration)
    }
}

/// Who is in a whole cache.
fn accounts(folder: &Path, world: &World) -> Vec<AccountRow> {
    let full = folder.join("full.json");
    fs::write(&full, whole(1)).expect("it can be written");
    private(&full);
    copy::accounts(sharing(&full), &world.context()).expect("it is a cache")
}

#[test]
fn nothing_is_written_where_the_lock_is_lost_at_the_last_moment() {
    const LIMIT: Duration = Duration::from_secs(5);
    let folder = tempfile::tempdir().expect("a directory can be made");
    let world = World::without_terminal();
    let accounts = accounts(folder.path(), &world);
    assert_eq!(accounts.len(), 1);

    let empty = folder.path().join("empty.json");
    fs::write(&empty, "{}").expect("it can be written");
    private(&empty);
    let clock = Robbed {
        world: &world,
        lock: folder.path().join("empty.json.lockfile"),
    };
    let context = Context {
        clock: &clock,
        ..world.context()
    };
    let error = copy::add(accounts.clone(), sharing(&empty), LIMIT, &context)
        .expect_err("somebody else may have the cache");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert!(
        error.message().contains("removed while it was held"),
        "{error:?}"
    );
    assert_eq!(fs::read(&empty).expect("it is there"), b"{}");

    copy::add(accounts, sharing(&empty), LIMIT, &world.context()).expect("nobody else has it");
    let there = copy::accounts(sharing(&empty), &world.context()).expect("it is a cache");
    assert_eq!(there.len(), 1);
}

/// A clock that goes on when the cache is another one: what takes its place takes as long.
struct Slow<'a> {
    world: &'a World,
    cache: &'a Path,
    before: Timestamp,
    after: Timestamp,
}

impl Clock for Slow<'_> {
    fn now(&self) -> Timestamp {
        match fs::read(self.cache).expect("it is there") == b"{}" {
            true => self.before,
            false => self.after,
        }
    }

    fn monotonic(&self) -> Duration {
        self.world.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        self.world.sleep(duration)
    }
}

/// MSAL's extensions read a cache again that is newer than their last look at it.
#[test]
fn a_cache_is_newer_than_the_moment_it_was_replaced_however_long_that_took_by_whatever_clock() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let world = World::without_terminal();
    let accounts = accounts(folder.path(), &world);
    let cache = folder.path().join("cache.json");
    let began = Timestamp(now());
    for (before, after, least) in [
        (began.plus(100), began.plus(110), began.plus(112)),
        // What the file system says is not taken back by a clock that is behind.
        (Timestamp(0), Timestamp(10), began),
    ] {
        fs::write(&cache, "{}").expect("it can be written");
        private(&cache);
        let clock = Slow {
            world: &world,
            cache: &cache,
            before,
            after,
        };
        let context = Context {
            clock: &clock,
            ..world.context()
        };
        copy::add(
            accounts.clone(),
            sharing(&cache),
            Duration::from_secs(5),
            &context,
        )
        .expect("nobody else has it");
        let told = fs::metadata(&cache).and_then(|metadata| metadata.modified());
        let told = told.expect("it is there").duration_since(UNIX_EPOCH);
        let told = told.expect("it is past 1970").as_secs().cast_signed();
        assert!(told >= least.0, "{told}: {before:?}, {after:?}, {least:?}");
    }
}

#[test]
fn a_large_cache_that_msal_rewrites_all_the_time_is_always_read() {
    /// How large is it?
    const SIZE: usize = 2_000_000;
    let Some(shared) = Shared::new("") else {
        return;
    };
    let signed_in = shared.msal(&["sign-in"]);
    let text = fs::read_to_string(shared.file()).expect("the cache is there");
    let filler = format!("{{\"Filler\": {{\"x\": \"{}\"}},", "x".repeat(SIZE));
    shared.write(text.replacen('{', &filler, 1));
    let mut command = shared.python(&["rewrite"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writer = command.spawn().expect("python3 starts");
    let mut said = BufReader::new(writer.stdout.take().expect("it is a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says text");
    assert_eq!(line, "\"rewriting\"\n");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..8 {
                    let ours = shared.get(&["--interactive", "never"]);
                    assert_eq!(ours["access_token"], signed_in[0]["access_token"]);
                    let status = shared.scene.run(&["status", "-o", "json"]).json();
                    let account = &status["profiles"][0]["accounts"][0];
                    assert_eq!(account["refreshable"], true, "{status}");
                }
            });
        }
    });
    drop(writer.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("it says text");
    assert!(writer.wait().expect("it ends").success());
    let count: u32 = rest.trim().parse().expect("it says how often");
    assert!(count > 2, "{count}");
}
