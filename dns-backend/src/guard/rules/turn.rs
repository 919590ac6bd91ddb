//! What changes from answer to answer: one per worker, so that no two workers write the same memory.

use std::net::IpAddr;

use super::expressions::ExpressionState;

/// One worker's state for [`RuleSet::find`](super::RuleSet::find) and [`RuleSet::transform`](super::RuleSet::transform).
///
/// Serves any number of rule sets, one after the other. Its buffers grow with the largest answer so far, at most to what
/// a message can hold; regular expressions keep up to 4 MiB of what they have learned of names.
pub struct Turn {
    rotation: usize,
    random: u64,
    pub(super) addresses: Vec<Ranked>,
    pub(super) expressions: ExpressionState,
}

/// An address of an answer on its way to another place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    /// Smaller ones come first.
    pub key: u64,
    /// Where it stood; decides between equal keys.
    pub place: usize,
    pub address: IpAddr,
}

impl Turn {
    /// Begins with a seed that should differ from worker to worker: what is random follows from it, and where rotation begins.
    pub fn new(seed: u64) -> Self {
        Self {
            rotation: (seed >> 32) as usize,
            random: seed,
            addresses: Vec::new(),
            expressions: ExpressionState::default(),
        }
    }

    /// Counts the answers that were rotated.
    pub(super) fn next_rotation(&mut self) -> usize {
        self.rotation = self.rotation.wrapping_add(1);
        self.rotation
    }

    /// The next number of the SplitMix64 generator: for orders of addresses, not for secrets.
    pub(super) fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
