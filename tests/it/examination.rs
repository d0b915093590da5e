//! What an examination of the sessions tells, through the library: with a keyring and a memory for keys of
//! the test's own.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use cred_helper::context::{Context, KeyCache, Keyring, KeyringFailure};
use cred_helper::secret::Secret;
use cred_helper::store::examination::{AsItIs, Examination};
use cred_helper::store::seal::Sealing;

use crate::acquire::Waking;
use crate::seal_key::Ground;

/// Examines the sessions, where nothing is configured.
fn examine<T>(
    ground: &Ground,
    context: &Context<'_>,
    sealing: &Sealing,
    look: impl FnOnce(&Examination<'_>) -> T,
) -> T {
    look(&Examination::new(ground.directory.path(), sealing, context))
}

/// A keyring that nobody has unlocked.
struct Locked;

fn locked<T>() -> Result<T, KeyringFailure> {
    Err(KeyringFailure::Locked)
}

impl Keyring for Locked {
    fn check(&self, _limit: Duration) -> Result<(), KeyringFailure> {
        locked()
    }

    fn is_locked(&self, _limit: Duration) -> Result<bool, KeyringFailure> {
        Ok(true)
    }

    fn read(&self, _: &str, _limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        locked()
    }

    fn write(&self, _: &str, _: &Secret, _limit: Duration) -> Result<(), KeyringFailure> {
        locked()
    }

    fn remove(&self, _: &str, _limit: Duration) -> Result<(), KeyringFailure> {
        locked()
    }
}

/// What was chosen where new sessions lie open.
const CHOSEN: &str = "{\"version\": 1, \"seal\": \"none\"}";

/// A memory for keys: whether there is one, whether it keeps what it is given, and what it keeps.
#[derive(Default)]
struct Memory(bool, bool, RefCell<Vec<(String, Secret)>>);

impl KeyCache for Memory {
    fn is_known(&self) -> bool {
        self.0
    }

    fn read(&self, name: &str) -> Option<Secret> {
        let kept = self.2.borrow();
        let found = kept.iter().find(|(other, _)| other == name);
        found.map(|(_, secret)| secret.clone())
    }

    fn keep(&self, name: &str, secret: &Secret, _lifetime: Duration) {
        if self.1 {
            self.2.borrow_mut().push((name.to_owned(), secret.clone()));
        }
    }

    fn forget(&self, name: &str) -> bool {
        let before = self.2.borrow().len();
        self.2.borrow_mut().retain(|(other, _)| other != name);
        self.2.borrow().len() < before
    }
}

#[test]
fn a_directory_that_cannot_be_looked_at_is_told_apart_from_one_that_is_not_there() {
    let ground = Ground::new();
    let (context, sealing) = (ground.context(), Sealing::default());
    let state = ground.directory.path().join("state");
    let told = || {
        let examination = Examination::new(&state, &sealing, &context);
        let problems = examination.directory_problems().into_iter();
        problems.map(|error| error.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(), [""; 0]);
    symlink(&state, &state).expect("a link can be made");
    assert!(told()[0].contains("` cannot be read"), "{:?}", told());
    fs::remove_file(&state).expect("it is ours");
    symlink(ground.directory.path().join("nowhere"), &state).expect("a link can be made");
    assert!(told()[0].contains("leads nowhere"), "{:?}", told());
    fs::remove_file(&state).expect("it is ours");
    let no_directory = |path: &Path| {
        fs::write(path, "").expect("it can be written");
        let told = told();
        assert_eq!(told.len(), 1, "{told:?}");
        let words = format!("`{}` is no directory", path.display());
        assert!(told[0].starts_with(&words), "{told:?}");
        fs::remove_file(path).expect("it is ours");
    };
    no_directory(&state);
    fs::create_dir(&state).expect("it can be made");
    no_directory(&state.join("sessions"));
}

#[test]
fn what_is_damaged_is_told() {
    let ground = Ground::new();
    let (context, sealing) = (ground.context(), Sealing::default());
    let path = ground.keep("a", "none");
    let told = || {
        examine(&ground, &context, &sealing, |all| {
            (all.set_aside(), all.is_choice_damaged())
        })
    };
    assert_eq!(told(), (Vec::new(), false));
    let aside = path.with_extension("json.damaged-1");
    fs::copy(&path, &aside).expect("it can be copied");
    fs::write(path.with_file_name("store.json"), "[").expect("it is ours");
    assert_eq!(told(), (vec![aside], true));
}

#[test]
fn how_a_session_lies_is_told_and_why_it_lies_open_where_nobody_has_said_so() {
    let ground = Ground::new();
    let without = ground.world.context();
    ground.keep("a", "none");
    let seal = |name: &str, configured: &str| {
        let (seal, reason) = ground
            .store(name, configured)
            .seal(&without)
            .expect("it can be told");
        (seal.name, reason.is_some())
    };
    assert_eq!(seal("a", "auto"), ("none", true));
    assert_eq!(seal("a", "none"), ("none", false));
    ground.keep("b", "keyring");
    assert_eq!(seal("a", "auto"), ("none", false));
    assert_eq!(seal("b", "auto"), ("keyring", false));
    let sessions = ground.store("b", "auto").path();
    fs::remove_file(sessions.with_file_name("store.json")).expect("it is ours");
    assert_eq!(seal("b", "auto"), ("keyring", false));
}

#[test]
fn a_lock_counts_as_held_once_it_was_waited_for() {
    let ground = Ground::new();
    let (store, context) = (ground.store("a", "none"), ground.context());
    let sealing = Sealing::default();
    let held = |context: &Context<'_>| {
        let held = examine(&ground, context, &sealing, |all| {
            all.held_locks(Duration::from_secs(5))
        });
        held.expect("it can be told").len()
    };
    let guard = store.lock(&context).expect("it is free");
    let began = context.clock.monotonic();
    assert_eq!(held(&context), 1);
    assert!(context.clock.monotonic() >= began + Duration::from_secs(5));
    let clock = Waking {
        world: &ground.world,
        wake: RefCell::new(Some(Box::new(move || drop(guard)))),
    };
    let waking = Context {
        clock: &clock,
        ..ground.context()
    };
    assert_eq!(held(&waking), 0, "it was released meanwhile");
}

#[test]
fn what_was_left_behind_has_a_lock_that_nobody_holds_or_none() {
    let ground = Ground::new();
    let (store, context) = (ground.store("a", "none"), ground.context());
    let sealing = Sealing::default();
    let path = ground.keep("a", "none");
    let stem = path.file_stem().expect("it has one").to_string_lossy();
    let left = path.with_file_name(format!(".tmp-{stem}-new"));
    let found = || examine(&ground, &context, &sealing, |all| all.abandoned());
    let guard = store.lock(&context).expect("it is free");
    fs::write(&left, "").expect("it can be written");
    assert!(found().is_empty(), "it is somebody's");
    drop(guard);
    assert_eq!(found(), std::slice::from_ref(&left));
    fs::remove_file(path.with_extension("lock")).expect("it is ours");
    assert_eq!(found(), [left]);
}

#[test]
fn why_new_sessions_lie_open_is_told_where_nobody_has_said_so() {
    let ground = Ground::new();
    let without = ground.world.context();
    for (configured, context, expected) in [
        ("auto", &without, ("none", true)),
        ("none", &without, ("none", false)),
        ("auto", &ground.context(), ("keyring", false)),
    ] {
        let sealing = ground.sealing(configured);
        let seal = examine(&ground, context, &sealing, |all| all.seal());
        let (seal, reason) = seal.expect("it can be told");
        assert_eq!((seal.name, reason.is_some()), expected, "{configured}");
    }
    // It was chosen when there was no keyring.
    ground.keep("a", "none");
    fs::write(ground.directory.path().join("sessions/store.json"), CHOSEN).expect("it is ours");
    let sealing = ground.sealing("auto");
    for (context, is_told) in [(&without, true), (&ground.context(), false)] {
        let seal = examine(&ground, context, &sealing, |all| all.seal());
        let (seal, reason) = seal.expect("it can be told");
        assert_eq!((seal.name, reason.is_some()), ("none", is_told));
    }
}

#[test]
fn what_holds_keys_for_a_while_is_read_and_left_as_it_is() {
    let memory = Memory(true, true, RefCell::default());
    let secret = Secret::new("key");
    memory.keep("a", &secret, Duration::ZERO);
    for is_known in [true, false] {
        let memory = Memory(is_known, true, RefCell::new(memory.2.borrow().clone()));
        let as_it_is = AsItIs(&memory);
        assert_eq!(as_it_is.is_known(), is_known);
        assert!(!as_it_is.forget("a"));
        as_it_is.keep("b", &secret, Duration::from_secs(5));
        let read = ["a", "b"].map(|name| as_it_is.read(name));
        assert_eq!(read, [Some(secret.clone()), None]);
    }
}

#[test]
fn a_locked_keyring_is_not_asked_for_what_the_memory_holds() {
    let ground = Ground::new();
    ground.keep("a", "keyring");
    let keys = ground.ring.0.borrow().clone().into_iter().collect();
    let (full, empty) = (Memory(true, true, RefCell::new(keys)), Memory::default());
    for (memory, is_used, expected) in [
        (&full, true, (1, 0)),
        (&full, false, (0, 1)),
        (&empty, true, (0, 1)),
    ] {
        let context = Context {
            keyring: &Locked,
            key_cache: memory,
            ..ground.context()
        };
        let sealing = Sealing {
            key_cache: (!is_used).then_some(Duration::ZERO),
            ..Sealing::default()
        };
        let opened = examine(&ground, &context, &sealing, |all| all.open_all());
        assert!(opened.failed.is_empty(), "{opened:?}");
        assert_eq!((opened.count, opened.locked), expected, "{is_used}");
    }
}

#[test]
fn whether_the_memory_holds_keys_is_tried_where_that_is_wanted() {
    let ground = Ground::new();
    let context = ground.context();
    for (is_known, keeps, is_used, expected) in [
        (true, true, true, Some(true)),
        (true, false, true, Some(false)),
        (true, true, false, None),
        (false, true, true, None),
    ] {
        let memory = Memory(is_known, keeps, RefCell::default());
        let sealing = Sealing {
            key_cache: (!is_used).then_some(Duration::ZERO),
            ..Sealing::default()
        };
        let usable = examine(&ground, &context, &sealing, |all| {
            all.is_key_cache_usable(&memory)
        });
        assert_eq!(usable, expected, "{is_known} {keeps} {is_used}");
        assert!(memory.2.borrow().is_empty(), "what was tried is gone");
    }
}
