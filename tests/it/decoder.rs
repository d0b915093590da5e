//! Decoders do not panic, and what they have shown is harmless: every seed of the fuzzer, and cheap
//! mutations of it that are the same in each run.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/decoder.rs"]
pub(crate) mod fuzz;

use self::fuzz::{DECODERS, assert_harmless};

/// How many mutations of each kind are tried on a seed?
fn mutations_of(name: &str) -> usize {
    match name {
        // clap builds its whole table for each line.
        "argument" => 20,
        // It signs.
        "key_file" => 10,
        // They start threads, hold whole conversations, or are large.
        "nuget" | "managed_identity" | "secret_service" | "setup" | "profile" | "narrow" => 40,
        _ => 100,
    }
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    paths.sort();
    paths
}

/// Marsaglia's xorshift: enough to choose bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("32 bits fit") % limit.max(1)
    }
}

/// The seed, its beginnings, and the seed with changed bits, with foreign bytes, and with a piece
/// that comes twice or not at all.
fn mutations(seed: &[u8], count: usize) -> Vec<Vec<u8>> {
    const FOREIGN: &[&[u8]] = &[
        b"\x1b[2J",
        b"\\u001b",
        b"\\u202e",
        b"\0",
        b"\xff",
        "\u{202e}".as_bytes(),
        b"\r\n",
        b"\"",
        b"\\",
        b"{",
        b"]",
        b"-1",
        b"1e999",
        b"99999999999999999999",
        b"null",
        b"%2e",
    ];
    let mut mutated = vec![seed.to_vec()];
    let step = (seed.len() / count).max(1);
    mutated.extend(
        (0..seed.len())
            .step_by(step)
            .map(|end| seed[..end].to_vec()),
    );
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..count {
        let mut flipped = seed.to_vec();
        for _ in 0..=random.below(3) {
            let place = random.below(seed.len());
            if let Some(byte) = flipped.get_mut(place) {
                *byte ^= 1 << random.below(8);
            }
        }
        mutated.push(flipped);
        let place = random.below(seed.len() + 1);
        let foreign = FOREIGN[random.below(FOREIGN.len())];
        mutated.push([&seed[..place], foreign, &seed[place..]].concat());
        let (one, other) = (random.below(seed.len() + 1), random.below(seed.len() + 1));
        let (start, end) = (one.min(other), one.max(other));
        mutated.push([&seed[..end], &seed[start..]].concat());
        mutated.push([&seed[..start], &seed[end..]].concat());
    }
    mutated
}

#[test]
fn no_decoder_panics_or_shows_what_moves_the_cursor() {
    for (name, decode) in DECODERS {
        let seeds = files(&seeds().join(name));
        assert!(seeds.len() >= 2, "`{name}` has too few seeds");
        for path in seeds {
            let seed = fs::read(&path).expect("a seed can be read");
            for bytes in mutations(&seed, mutations_of(name)) {
                let checked = std::panic::catch_unwind(|| assert_harmless(&decode(&bytes)));
                assert!(
                    checked.is_ok(),
                    "`{name}`, seed {}: {:?}",
                    path.display(),
                    String::from_utf8_lossy(&bytes)
                );
            }
        }
    }
}
