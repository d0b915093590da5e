//! What a run is told from outside, and what it draws: the same from the same seed. When what was
//! drawn comes to pass is the machine's.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number in this variable of the environment.
///
/// # Panics
/// If it is none.
pub(crate) fn told(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is `{text}`, and no number")))
}

/// `CHAOS_SEED`, else another one at each run.
pub(crate) fn seed() -> u64 {
    let of_now = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("it is past 1970").as_secs()
    };
    told("CHAOS_SEED").unwrap_or_else(of_now)
}

/// Numbers drawn from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// One of many streams of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut chance = Self(seed);
        let own = chance.next() ^ stream;
        Self(own)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Whether what happens once in so many times happens now.
    pub(crate) fn is_one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = self.below(all.len() as u64);
        &all[usize::try_from(index).expect("it is below a length")]
    }
}
