//! Many processes of MSAL Python and of ours at one cache, all of which refresh: at an authority that
//! lets a replaced refresh token pass, and at one that ends the sign-in for it.
//!
//! `MSAL_SECONDS=60` has them go on for so long.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::authority::{Endpoint, Fault, Recorded, Settings};
use crate::chance::told;
use crate::msal_cache::Shared;
use crate::scene::{DEVICE_CODE, at_once};

/// How many of each kind are there at the same time?
const PROCESSES: usize = 8;

/// What came of a crowd.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// How many refreshes of ours went well.
    ours: usize,
    /// How many of ours said that a sign-in is needed.
    ours_refused: usize,
    /// How many processes of MSAL's ended well.
    theirs: usize,
    /// How many refreshes of MSAL's were refused.
    theirs_refused: usize,
    /// How many processes of MSAL's did not get the lock in time.
    gave_up: usize,
}

/// When something ends that is done again and again.
struct End {
    rounds: usize,
    /// In place of them.
    time: Option<Instant>,
}

impl End {
    /// After `MSAL_SECONDS`, else after so many rounds.
    fn after(rounds: usize) -> Self {
        let time = told("MSAL_SECONDS").map(Duration::from_secs);
        Self {
            rounds,
            time: time.map(|time| Instant::now() + time),
        }
    }

    /// After one round.
    fn of_one() -> Self {
        Self {
            rounds: 1,
            time: None,
        }
    }

    /// The rounds until then.
    fn rounds(&self) -> impl Iterator<Item = usize> {
        (0..).take_while(|round| match self.time {
            Some(time) => Instant::now() < time,
            None => *round < self.rounds,
        })
    }
}

/// Has so many processes of MSAL's and of ours refresh, each kind again and again.
fn crowd(shared: &Shared, theirs: usize, ours: usize, end: &End) -> Tally {
    let tally = Mutex::new(Tally::default());
    let note = |note: &dyn Fn(&mut Tally)| {
        note(&mut tally.lock().unwrap_or_else(PoisonError::into_inner));
    };
    std::thread::scope(|scope| {
        for _ in 0..theirs {
            scope.spawn(|| {
                for _ in end.rounds() {
                    let output = shared.python(&["1"]).output().expect("python3 starts");
                    let said = String::from_utf8_lossy(&output.stderr);
                    let gave_up = said.contains("LockError") || said.contains("AlreadyLocked");
                    assert!(output.status.success() || gave_up, "{said}");
                    let refused = String::from_utf8_lossy(&output.stdout).contains("\"error\"");
                    note(&|tally| {
                        tally.theirs += usize::from(!gave_up);
                        tally.gave_up += usize::from(gave_up);
                        tally.theirs_refused += usize::from(refused);
                    });
                }
            });
        }
        for _ in 0..ours {
            scope.spawn(|| {
                for _ in end.rounds() {
                    let mut command = shared.scene.sandbox.command(&["get", "--force-refresh"]);
                    // It would be searched for the secrets of all, each time.
                    command.env_remove("CRED_HELPER_LOG");
                    let ran = shared.scene.run_command(command);
                    assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
                    note(&|tally| {
                        tally.ours += usize::from(ran.code == Some(0));
                        tally.ours_refused += usize::from(ran.code == Some(4));
                    });
                }
            });
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The refresh token of a request, if it has one, and whether it is ours.
fn sent(request: &Recorded) -> Option<(&str, bool)> {
    let token = request.parameter("refresh_token")?;
    Some((token, request.header("x-client-sku").is_none()))
}

/// An authority that ends a sign-in when a refresh token comes that it has replaced.
fn strict() -> Settings {
    Settings {
        forgives_nothing: true,
        ..at_once()
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures")]
fn many_processes_of_both_refresh_one_sign_in_and_no_row_is_lost_or_doubled() {
    let Some(shared) = Shared::new("") else {
        return;
    };
    shared.msal(&["sign-in"]);
    let tally = crowd(&shared, PROCESSES, PROCESSES, &End::after(2));
    println!("both: {tally:?}");
    assert_eq!((tally.ours_refused, tally.theirs_refused), (0, 0));
    shared.assert_one_of_each();
    let ours = shared.get(&["--force-refresh"]);
    let theirs = shared.msal(&["silent", "refresh"]);
    assert_eq!(theirs[0]["access_token"], ours["access_token"]);
    assert_eq!(theirs[1]["token_source"], "identity_provider");
    let sign_ins = shared.scene.authority.count("/token", Some(DEVICE_CODE));
    assert_eq!(sign_ins, 1);
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures")]
fn with_strict_rotation_processes_of_ours_alone_never_lose_the_sign_in() {
    let Some(shared) = Shared::with(strict(), "") else {
        return;
    };
    shared.msal(&["sign-in"]);
    let tally = crowd(&shared, 0, PROCESSES, &End::after(3));
    println!("ours at a strict authority: {tally:?}");
    assert_eq!(tally.ours_refused, 0);
    let requests = shared.scene.authority.requests();
    let mut tokens: Vec<&str> = requests
        .iter()
        .filter_map(sent)
        .map(|sent| sent.0)
        .collect();
    // Whoever waits for a refresh takes what it brings.
    let count = tokens.len();
    assert!(count >= 3, "{count}");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), count, "none is sent twice");
    println!("{count} refreshes were sent");
    shared.assert_one_of_each();
    let theirs = shared.msal(&["refresh"]);
    assert_eq!(theirs[0]["token_source"], "identity_provider");
}

/// Looks at each refresh of ours when it is received: what is wrong with it is put down, and how many
/// there were.
fn look_at_ours(shared: &Shared) -> Arc<Mutex<(usize, Vec<String>)>> {
    /// More than there are requests in a round.
    const MOST: usize = 500;
    let seen = Arc::new(Mutex::new((0, Vec::new())));
    for _ in 0..MOST {
        let (cache, lock, seen) = (shared.file(), shared.lock(), Arc::clone(&seen));
        let look = move |request: &Recorded| {
            let Some((token, true)) = sent(request) else {
                return;
            };
            let holder = fs::read_to_string(lock).unwrap_or_default();
            let cache = fs::read(cache).expect("the cache is there");
            let cache = serde_json::from_slice::<Value>(&cache);
            let rows = cache.as_ref().map(|cache| &cache["RefreshToken"]);
            let rows = rows.ok().and_then(Value::as_object);
            let lies = rows.is_some_and(|rows| rows.values().any(|row| row["secret"] == token));
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.0 += 1;
            if !holder.ends_with(" cred-helper") || !lies {
                seen.1.push(format!("`{holder}` has the lock; {lies}"));
            }
        };
        let look = Fault::Look(Box::new(look));
        shared.scene.authority.script(Endpoint::Token, look);
    }
    seen
}

/// With strict rotation MSAL's own processes end the sign-in, when two of them send one token. One of
/// ours can come between a refresh of theirs and its being written, and nothing tells it so: that token
/// lies in the cache, and nobody has the lock. What it can know, it heeds.
#[test]
#[expect(clippy::print_stdout, reason = "the figures")]
fn with_strict_rotation_ours_send_what_lies_in_the_cache_under_the_lock_of_msal() {
    let Some(shared) = Shared::with(strict(), "") else {
        return;
    };
    let authority = &shared.scene.authority;
    let (mut losses, mut of_ours) = (0, 0);
    for round in End::after(1).rounds() {
        shared.scene.run(&["login"]).ok();
        let before = authority.requests().len();
        let seen = look_at_ours(&shared);
        let tally = crowd(&shared, PROCESSES / 2, PROCESSES / 2, &End::of_one());
        authority.clear_script();
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(seen.1, [""; 0], "round {round}");
        of_ours += seen.0;
        let requests = authority.requests();
        let mut senders: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for (token, is_ours) in requests[before..].iter().filter_map(sent) {
            senders.entry(token).or_default().push(is_ours);
        }
        for (_, senders) in senders {
            let ours = senders.iter().filter(|is_ours| **is_ours).count();
            assert!(ours <= 1, "none that ours have replaced is sent by ours");
        }
        losses += usize::from(tally.ours_refused + tally.theirs_refused > 0);
        shared.assert_one_of_each();
    }
    println!("both at a strict authority: {of_ours} refreshes of ours, {losses} sign-ins lost");
    assert!(of_ours > 0);
}
