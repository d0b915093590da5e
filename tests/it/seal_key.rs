//! The keys of a keyring and of a command, through the library: which ones are taken, and which forgotten.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cred_helper::context::{Context, Keyring, KeyringFailure};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::secret::Secret;
use cred_helper::store::maintenance::{Done, Maintenance};
use cred_helper::store::seal::{self, Seal, Sealing};
use cred_helper::store::session::Session;
use cred_helper::store::{Loaded, SessionStore};
use cred_helper::system::random::SystemRandomness;
use serde_json::Value;
use tempfile::TempDir;

use crate::fake::World;
use crate::store_property::Ring;
use crate::support::set_mode;

/// Sessions in a directory of their own, and a keyring in memory.
pub(crate) struct Ground {
    pub(crate) world: World,
    pub(crate) ring: Ring,
    pub(crate) directory: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self {
            world: World::default(),
            ring: Ring::default(),
            directory: tempfile::tempdir().expect("a directory can be made"),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            keyring: &self.ring,
            random: &SystemRandomness,
            ..self.world.context()
        }
    }

    /// A store as each process has it: nothing is at hand.
    pub(crate) fn store(&self, name: &str, seal: &str) -> SessionStore {
        let identity = vec![("client_id", name.to_owned())];
        SessionStore::own(self.directory.path(), identity, self.sealing(seal), None)
    }

    /// The command prints what `printed` holds.
    pub(crate) fn sealing(&self, seal: &str) -> Sealing {
        let printed = self.path("printed").display().to_string();
        Sealing {
            command: vec!["cat".to_owned(), printed],
            ..Sealing::named(seal)
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn session(&self, name: &str) -> PathBuf {
        self.store(name, "none").path()
    }

    /// Has the command print this key.
    fn print(&self, key: &str) {
        fs::write(self.path("printed"), key).expect("it can be written");
    }

    /// Keeps a session of that name, sealed so.
    pub(crate) fn keep(&self, name: &str, seal: &str) -> PathBuf {
        let (store, context) = (self.store(name, seal), self.context());
        let guard = store.lock(&context).expect("nobody else has it");
        store
            .save(&mut Session::default(), None, &guard, &context)
            .expect("it can be written");
        store.path()
    }

    /// Works on all sessions, where nothing is configured.
    fn maintain<T>(&self, work: impl FnOnce(&Maintenance<'_>) -> T) -> T {
        let (sealing, context) = (self.sealing("auto"), self.context());
        work(&Maintenance::new(
            self.directory.path(),
            &sealing,
            None,
            &context,
        ))
    }

    fn rekey(&self) -> Done {
        self.maintain(|all| all.rekey()).expect("there is a key")
    }

    fn keys(&self) -> Vec<String> {
        self.ring.0.borrow().keys().cloned().collect()
    }

    /// Whether the session opens.
    fn opens(&self, name: &str) -> bool {
        let loaded = self.store(name, "auto").load(&self.context());
        matches!(loaded, Ok(Loaded::Session(..)))
    }
}

fn seal(name: &str) -> &'static Seal {
    seal::find(name).expect("it is in the table")
}

/// How many files were sealed, lay so before, and could not be.
fn counts(done: &Done) -> (usize, usize, usize) {
    (done.sealed.len(), done.as_before, done.failed.len())
}

/// A keyring that keeps nothing: it says so, or says yes and keeps something else.
struct Forgetful(Ring, Option<KeyringFailure>);

impl Keyring for Forgetful {
    fn check(&self, limit: Duration) -> Result<(), KeyringFailure> {
        self.0.check(limit)
    }

    fn is_locked(&self, limit: Duration) -> Result<bool, KeyringFailure> {
        self.0.is_locked(limit)
    }

    fn read(&self, name: &str, limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        self.0.read(name, limit)
    }

    fn write(&self, name: &str, _: &Secret, limit: Duration) -> Result<(), KeyringFailure> {
        match &self.1 {
            Some(failure) => Err(failure.clone()),
            None => self.0.write(name, &Secret::new("something else"), limit),
        }
    }

    fn remove(&self, name: &str, limit: Duration) -> Result<(), KeyringFailure> {
        self.0.remove(name, limit)
    }
}

#[test]
fn nothing_is_sealed_with_a_key_that_the_keyring_has_not_kept_and_what_may_be_there_is_known() {
    let refused = || KeyringFailure::Refused("no".to_owned());
    for (failure, message, may_be_there) in [
        (None, "the keyring does not keep what it is given", true),
        (
            Some(KeyringFailure::Silent),
            "the keyring does not answer",
            true,
        ),
        (Some(refused()), "the keyring refuses", false),
    ] {
        let (ground, forgetful) = (Ground::new(), Forgetful(Ring::default(), failure));
        let context = Context {
            keyring: &forgetful,
            ..ground.context()
        };
        let store = ground.store("a", "auto");
        let guard = store.lock(&context).expect("nobody else has it");
        let saved = store.save(&mut Session::default(), None, &guard, &context);
        let error = saved.expect_err("what it is sealed with is lost");
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.message().contains(message), "{error}");
        assert!(!store.path().exists());
        // What is retired is forgotten by the next that replaces keys.
        let chosen = fs::read(store.path().with_file_name("store.json")).expect("it is there");
        let chosen: Value = serde_json::from_slice(&chosen).expect("it is JSON");
        let retired = chosen["retired"].as_array().map(Vec::len);
        assert_eq!(retired, Some(usize::from(may_be_there)), "{message}");
    }
}

#[test]
fn a_migration_to_a_keyring_that_keeps_nothing_now_is_refused_before_anything_is_changed() {
    let ground = Ground::new();
    ground.keep("a", "none");
    let sealing = Sealing::default();
    let without = ground.world.context();
    let all = Maintenance::new(ground.directory.path(), &sealing, None, &without);
    let error = all
        .migrate(seal("keyring"), true)
        .expect_err("there is none");
    assert_eq!(error.message(), "`keyring` cannot be used now");
}

#[test]
fn ctrl_c_ends_what_is_done_to_all_sessions_and_fails_none_of_them() {
    let ground = Ground::new();
    ground.keep("a", "none");
    ground.world.is_interrupted.set(true);
    let (sealing, context) = (ground.sealing("auto"), ground.context());
    let all = Maintenance::new(ground.directory.path(), &sealing, None, &context);
    for is_dry in [true, false] {
        let done = all.migrate(seal("keyring"), is_dry);
        let error = done.expect_err("it is over");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(
            error
                .hint_text()
                .is_some_and(|hint| hint.contains("run it again")),
            "{error}"
        );
    }
}

#[test]
fn a_key_in_the_place_of_another_is_no_key_and_costs_no_sign_in() {
    let ground = Ground::new();
    let path = ground.keep("a", "keyring");
    let before = fs::read(&path).expect("it is there");
    let [id] = &ground.keys()[..] else {
        panic!("there is one key");
    };
    let other = Ground::new();
    other.keep("a", "keyring");
    let others = other.ring.0.borrow().values().next().cloned();
    let own = ground
        .ring
        .0
        .borrow_mut()
        .insert(id.clone(), others.expect("there is one"));
    let error = ground
        .store("a", "auto")
        .load(&ground.context())
        .expect_err("it does not open");
    let message = format!("the keyring holds something else in the place of the key `{id}`");
    assert_eq!(error.message(), message);
    assert_eq!(fs::read(&path).expect("it is there"), before);
    let own = own.expect("it was there");
    ground.ring.0.borrow_mut().insert(id.clone(), own);
    assert!(ground.opens("a"));
}

#[test]
fn a_migration_takes_the_key_that_was_chosen_and_another_only_where_keys_are_made_here() {
    let ground = Ground::new();
    let migrate = |to: &str, is_dry: bool| {
        let done = ground.maintain(|all| all.migrate(seal(to), is_dry));
        done.as_ref().map(counts).map_err(ToString::to_string)
    };
    let both = |to: &str, expected: Result<(usize, usize, usize), String>| {
        for is_dry in [true, false] {
            assert_eq!(migrate(to, is_dry), expected, "{to} {is_dry}");
        }
    };
    ground.print("the key of some manager");
    ground.keep("a", "command");
    ground.keep("b", "none");
    both("command", Ok((1, 1, 0)));
    both("command", Ok((0, 2, 0)));
    ground.print("another key of some manager");
    for is_dry in [true, false] {
        let error = migrate("command", is_dry).expect_err("what is sealed does not open");
        assert!(
            error.contains("`command` prints another key than `"),
            "{error}"
        );
    }
    ground.print("the key of some manager");
    both("keyring", Ok((2, 0, 0)));
    both("keyring", Ok((0, 2, 0)));
    assert_eq!(ground.keys().len(), 1);
    // One whose key is gone lies as it did, and what is left is sealed with another key.
    let key = ground.ring.0.take();
    ground.keep("c", "none");
    both("keyring", Ok((1, 0, 2)));
    assert_eq!(ground.keys().len(), 1);
    assert_eq!([ground.opens("a"), ground.opens("c")], [false, true]);
    // Nothing is laid open where some cannot be.
    both("none", Ok((0, 0, 2)));
    ground.ring.0.borrow_mut().extend(key);
    both("none", Ok((3, 0, 0)));
}

#[test]
fn a_key_is_forgotten_once_no_file_is_sealed_with_it_also_none_that_was_set_aside() {
    let ground = Ground::new();
    let path = ground.keep("a", "keyring");
    let sessions = path.parent().map(Path::to_owned).expect("it has one");
    let aside = path.with_extension("json.damaged-1");
    fs::copy(&path, &aside).expect("it can be copied");
    let first = ground.keys();
    assert_eq!(counts(&ground.rekey()), (1, 0, 0));
    assert_eq!(ground.keys().len(), 2, "what was set aside needs it");
    assert!(ground.keys().contains(&first[0]));
    fs::remove_file(&aside).expect("it is ours");
    // A file that cannot be read may need any of them; a directory needs none.
    let loop_of_links = sessions.join("loop");
    symlink(&loop_of_links, &loop_of_links).expect("a link can be made");
    ground.rekey();
    assert_eq!(ground.keys().len(), 3);
    fs::remove_file(&loop_of_links).expect("it is ours");
    fs::create_dir(sessions.join("directory")).expect("it can be made");
    ground.rekey();
    assert_eq!(ground.keys().len(), 1);
    assert!(ground.opens("a"));
    // Where no session is left, a new key is a new key.
    fs::remove_file(ground.session("a")).expect("it is ours");
    let before = ground.keys();
    assert_eq!(counts(&ground.rekey()), (0, 0, 0));
    assert_ne!(ground.keys(), before);
}

#[test]
fn whatever_else_lies_beside_sessions_is_none_of_them() {
    let ground = Ground::new();
    let path = ground.keep("a", "none");
    for stem in ["ab", &"z".repeat(64)] {
        fs::copy(&path, path.with_file_name(format!("{stem}.json"))).expect("it can be copied");
    }
    let listed = ground.maintain(|all| all.list()).expect("it can be read");
    let paths: Vec<_> = listed.into_iter().map(|listed| listed.path).collect();
    assert_eq!(paths, [path]);
}

/// A keyring that counts how often it is read.
#[derive(Default)]
struct Counting(Ring, Cell<usize>);

impl Keyring for Counting {
    fn check(&self, limit: Duration) -> Result<(), KeyringFailure> {
        self.0.check(limit)
    }

    fn is_locked(&self, limit: Duration) -> Result<bool, KeyringFailure> {
        self.0.is_locked(limit)
    }

    fn read(&self, name: &str, limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        self.1.set(self.1.get() + 1);
        self.0.read(name, limit)
    }

    fn write(&self, name: &str, secret: &Secret, limit: Duration) -> Result<(), KeyringFailure> {
        self.0.write(name, secret, limit)
    }

    fn remove(&self, name: &str, limit: Duration) -> Result<(), KeyringFailure> {
        self.0.remove(name, limit)
    }
}

#[test]
fn a_keyring_is_asked_once_for_all_who_have_their_keys_at_hand_together() {
    let ground = Ground::new();
    let names = ["a", "b"];
    for name in names {
        ground.keep(name, "keyring");
    }
    let keyring = Counting(ground.ring, Cell::new(0));
    let ground = Ground {
        ring: Ring::default(),
        ..ground
    };
    let context = Context {
        keyring: &keyring,
        ..ground.context()
    };
    let together = Arc::default();
    for (is_together, expected) in [(true, 1), (false, 2)] {
        for name in names {
            let store = ground.store(name, "auto");
            let store = match is_together {
                true => store.with_keys(&together),
                false => store,
            };
            let loaded = store.load(&context);
            assert!(matches!(loaded, Ok(Loaded::Session(..))), "{loaded:?}");
        }
        assert_eq!(keyring.1.take(), expected, "{is_together}");
    }
}

#[test]
fn why_what_is_written_first_lies_open_is_told_once() {
    let ground = Ground::new();
    let without = ground.world.context();
    for (seal, context, is_told) in [
        ("none", &without, false),
        ("auto", &ground.context(), false),
        ("auto", &without, true),
    ] {
        let ground = Ground::new();
        let store = ground.store("a", seal);
        assert_eq!(store.unsealed(), None);
        let guard = store.lock(context).expect("nobody else has it");
        store
            .save(&mut Session::default(), None, &guard, context)
            .expect("it can be written");
        let told = store.unsealed();
        let reason = told.as_deref().unwrap_or_default();
        assert_eq!(
            reason.contains("there is none"),
            is_told,
            "{seal}: {reason}"
        );
        assert_eq!(store.unsealed(), None);
    }
}

#[test]
fn nothing_is_written_openly_beside_what_is_sealed_although_nothing_says_so_any_more() {
    let ground = Ground::new();
    let path = ground.keep("a", "keyring");
    fs::remove_file(path.with_file_name("store.json")).expect("it is ours");
    let (store, context) = (ground.store("b", "auto"), ground.world.context());
    let guard = store.lock(&context).expect("nobody else has it");
    let saved = store.save(&mut Session::default(), None, &guard, &context);
    assert_eq!(
        saved.map_err(|error| error.kind()),
        Err(ErrorKind::Store),
        "there is no keyring"
    );
}

#[test]
fn what_was_proved_and_is_not_written_leaves_nothing_behind() {
    let ground = Ground::new();
    let (store, context) = (ground.store("a", "none"), ground.context());
    let guard = store.lock(&context).expect("nobody else has it");
    let files = || {
        let sessions = ground.directory.path().join("sessions");
        fs::read_dir(sessions).expect("it is there").count()
    };
    let before = files();
    let proof = store
        .prove_writable(&guard, &context)
        .expect("there is room");
    assert!(files() > before, "the room is there");
    drop(proof);
    assert_eq!(files(), before);
}

#[test]
fn whoever_takes_the_lock_removes_what_somebody_left_who_died() {
    let ground = Ground::new();
    let path = ground.keep("a", "none");
    let stem = path.file_stem().expect("it has one").to_string_lossy();
    let left = path.with_file_name(format!(".tmp-{stem}-new"));
    fs::write(&left, "half of a session").expect("it can be written");
    let (store, context) = (ground.store("a", "none"), ground.context());
    let guard = store.lock(&context).expect("nobody else has it");
    assert!(!left.exists());
    drop(guard);
}

#[test]
fn what_others_can_change_or_read_is_refused_with_the_command_that_mends_it() {
    let ground = Ground::new();
    let path = ground.keep("a", "none");
    let sessions = path.parent().map(Path::to_owned).expect("it has one");
    let (store, context) = (ground.store("a", "none"), ground.context());
    let refused = |error: Option<Error>| {
        let error = error.expect("it is refused");
        assert_eq!(error.kind(), ErrorKind::Store);
        let hint = error.hint_text().unwrap_or_default();
        assert!(hint.starts_with("run `chmod "), "{hint}");
    };
    set_mode(&sessions, 0o777);
    refused(store.lock(&context).err());
    set_mode(&sessions, 0o700);
    set_mode(&path, 0o644);
    refused(store.load(&context).err());
    set_mode(&path, 0o600);
    assert!(ground.opens("a"));
}

#[test]
fn that_the_key_is_the_one_of_before_is_told_where_nothing_was_sealed_anew() {
    let ground = Ground::new();
    ground.print("the first key of some manager");
    let path = ground.keep("a", "command");
    let of_first = fs::read(&path).expect("it is there");
    let previous = ground.path("previous");
    fs::write(&previous, "the first key of some manager").expect("it can be written");
    let rekey = || {
        let sealing = Sealing {
            previous_command: vec!["cat".to_owned(), previous.display().to_string()],
            ..ground.sealing("command")
        };
        let context = ground.context();
        let all = Maintenance::new(ground.directory.path(), &sealing, None, &context);
        let done = all.rekey().expect("there is a key");
        let told = ground.world.waits.take();
        (
            counts(&done),
            told.iter()
                .any(|line| line.contains("the same key as before")),
        )
    };
    assert_eq!(rekey(), ((0, 1, 0), true));
    ground.print("the second key of some manager");
    assert_eq!(rekey(), ((1, 0, 0), false));
    // As one that was interrupted leaves it.
    fs::write(&path, &of_first).expect("it is ours");
    assert_eq!(rekey(), ((1, 0, 0), false));
    fs::write(&path, &of_first).expect("it is ours");
    fs::write(&previous, "another key of some manager").expect("it can be written");
    assert_eq!(rekey(), ((0, 0, 1), false));
}
