//! What holds for everything of a kind is tried on what chance brings, a bounded number of times.
//!
//! A failure names the least case that was found and its seed: `PROPERTY_SEED=N` repeats the run.

use std::env;
use std::hash::{BuildHasher, RandomState};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{Strategy, Union};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

/// Checks a property on so many cases.
pub(crate) fn hold<S: Strategy>(cases: u32, strategy: &S, check: impl Fn(S::Value)) {
    let seed = match env::var("PROPERTY_SEED") {
        Ok(seed) => seed.parse().expect("PROPERTY_SEED is a number"),
        Err(_) => RandomState::new().hash_one(cases),
    };
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    };
    let result = TestRunner::new(config).run(strategy, |case| {
        check(case);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => {
            panic!("{reason}\nthe least such case: {case:#?}\nPROPERTY_SEED={seed} repeats it")
        }
        Err(TestError::Abort(reason)) => panic!("{reason}\nPROPERTY_SEED={seed} repeats it"),
    }
}

/// Texts that somebody else wrote: of any characters, and of those that move a cursor, reorder or hide
/// text, or end a string in some notation.
pub(crate) fn text() -> impl Strategy<Value = String> {
    const SPECIAL: &[char] = &[
        '\0',
        '\u{7}',
        '\u{8}',
        '\t',
        '\n',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '"',
        '\\',
        '`',
        '\u{ad}',
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fffd}',
        '\u{e0041}',
        ' ',
        'a',
        '{',
        '%',
    ];
    let letter = Union::new_weighted(vec![
        (2, select(SPECIAL).boxed()),
        (1, any::<char>().boxed()),
    ]);
    vec(letter, 0..12).prop_map(|letters| letters.into_iter().collect())
}

#[test]
#[should_panic(expected = "PROPERTY_SEED=")]
fn what_does_not_hold_is_found_and_its_seed_told() {
    hold(1000, &(0_u32..100), |number| assert!(number < 90));
}
