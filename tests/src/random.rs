//! Chance that can be had again: what happened is said by the seed.

use std::time::Duration;

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // 32 bits fit into every usize.
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0) % limit
    }

    /// Some of a time.
    pub fn part_of(&mut self, time: Duration) -> Duration {
        time * u32::try_from(self.below(1_000)).unwrap_or(0) / 1_000
    }
}
