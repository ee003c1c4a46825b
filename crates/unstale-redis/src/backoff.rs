//! How long to wait before the next try: full jitter, at most 1 s.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

/// Draws waits that grow with each failure.
#[derive(Debug)]
pub(crate) struct Backoff {
    dice: u64,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { dice: seed, failures: 0 }
    }

    /// Forgets the failures so far.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure: anything up to twice the limit of the failure before.
    pub(crate) fn next(&mut self) -> Duration {
        let limit = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures += 1;
        limit.mul_f64((self.roll() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// A random number that need not be secret (splitmix64).
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_second_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(7);
        assert!(backoff.next() <= FIRST);
        let later: Vec<_> = (0..1_000).map(|_| backoff.next()).collect();
        assert!(later.iter().all(|wait| *wait <= LONGEST));
        assert!(
            later.iter().any(|wait| *wait > LONGEST / 2) && later.iter().any(|wait| *wait < LONGEST / 10)
        );
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
