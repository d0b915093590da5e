//! One session, many processes, and everything that can go wrong at once, at a real authority that
//! replaces refresh tokens.
//!
//! `arena` has the processes work and looks what is left, `ledger` says what became of each token
//! request. What is drawn comes from a seed that is printed.
#![cfg(all(target_os = "linux", not(packaged)))]
#![allow(
    clippy::disallowed_methods,
    reason = "a test is the world around the program: its environment and its clock are real"
)]

mod arena;
mod chance;
mod crowd;
mod disk;
mod ledger;
mod network;
#[path = "../it/oidc_ground.rs"]
#[allow(dead_code, reason = "most of it is for tests/it")]
mod oidc_ground;
#[path = "../authority/oidc_provider.rs"]
#[allow(dead_code, reason = "most of it is for tests/it")]
mod oidc_provider;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "most of it is for tests/it")]
mod support;

use std::time::{Duration, Instant};

use arena::{Arena, Faults};
use chance::{Chance, seed, told};

#[test]
#[expect(clippy::print_stdout, reason = "the seed and the figures")]
fn a_sign_in_outlives_all_faults_at_once_but_for_the_named_windows() {
    /// How long is a round? The sign-in is looked at after each.
    const ROUND: Duration = Duration::from_secs(2);
    /// For how many seconds? Longer than what is left of a round when a token was lost.
    const FORGIVES: u64 = 120;
    if !disk::is_in_own_namespace("a_sign_in_outlives_all_faults_at_once_but_for_the_named_windows")
    {
        return;
    }
    let seed = seed();
    let seconds = told("CHAOS_SECONDS").unwrap_or(20);
    println!("chaos for {seconds} s: CHAOS_SEED={seed}");
    // One that forgives nothing, and one that takes a token that it has replaced.
    for (stream, forgives) in [(1, 0), (2, FORGIVES)] {
        let begun = Instant::now();
        let mut arena = Arena::new(seed, 2, forgives, true);
        let mut chance = Chance::new(seed, stream);
        let mut rounds = 0;
        while begun.elapsed() < Duration::from_secs(seconds) / 2 {
            let mut is_drawn = || chance.is_one_in(2);
            let faults = Faults {
                kills: is_drawn(),
                network: is_drawn(),
                disk: is_drawn(),
                clock: is_drawn(),
                force: is_drawn(),
                seal: is_drawn(),
            };
            let round = Instant::now();
            arena.round(faults, |_| round.elapsed() > ROUND);
            rounds += 1;
        }
        println!(
            "forgiving for {forgives} s, {rounds} rounds: {}",
            arena.end()
        );
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the seed and the figures")]
fn of_many_processes_that_are_killed_one_refreshes_and_the_next_needs_not() {
    /// How long does an access token live, in seconds? It is served for half of that.
    const LIFE: u64 = 2;
    let seed = seed();
    let processes = told("CHAOS_PROCESSES").unwrap_or(1000);
    println!("kills among {processes} processes: CHAOS_SEED={seed}");
    let mut arena = Arena::new(seed, LIFE, 0, false);
    let faults = Faults {
        kills: true,
        ..Faults::default()
    };
    while arena.started() < processes {
        arena.round(faults, |crowd| crowd.started() >= processes);
    }
    let shortest = arena.shortest();
    println!(
        "{}, never sooner than {shortest:?} after the one before",
        arena.end()
    );
    // None was made while the token before was served.
    if let Some(shortest) = shortest {
        assert!(shortest > Duration::from_secs(LIFE) / 2, "{shortest:?}");
    }
}
