//! Choices that a seed repeats.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to choose what a test does.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// Plays a game with a number of seeds: fixed ones by default, ones that nobody has seen with `TEST_HEAVY`, a single one with
/// `TEST_SEED`.
pub fn play(few: u64, many: u64, game: impl Fn(u64)) {
    if let Some(seed) = std::env::var_os("TEST_SEED") {
        return game(seed.to_str().and_then(|seed| seed.parse().ok()).expect("TEST_SEED is a number"));
    }
    if !is_heavy() {
        return (0..few).for_each(game);
    }
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    (0..many).for_each(|number| game(start.wrapping_add(number)));
}

/// Whether there is time for more than a look.
pub fn is_heavy() -> bool {
    std::env::var_os("TEST_HEAVY").is_some()
}
