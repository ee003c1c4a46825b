//! A histogram of durations in fixed memory: 8 buckets for each power of two of microseconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets per power of two: a reading is off by at most one part in eight.
const STEPS: u64 = 8;
/// Powers of two above [`STEPS`] microseconds that are told apart; the last bucket begins above an hour.
const POWERS: usize = 30;
const BUCKETS: usize = STEPS as usize * (POWERS + 1);

/// A histogram of durations; 2 KiB, lock-free.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
    micros_sum: AtomicU64,
    micros_max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            micros_sum: AtomicU64::new(0),
            micros_max: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)].fetch_add(1, Ordering::Relaxed);
        self.micros_sum.fetch_add(micros, Ordering::Relaxed);
        // It seldom is the longest, and to look costs less than a locked instruction.
        if micros > self.micros_max.load(Ordering::Relaxed) {
            self.micros_max.fetch_max(micros, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> Distribution {
        Distribution {
            buckets: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            micros_sum: self.micros_sum.load(Ordering::Relaxed),
            micros_max: self.micros_max.load(Ordering::Relaxed),
        }
    }
}

/// What a histogram held when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    buckets: Box<[u64]>,
    micros_sum: u64,
    micros_max: u64,
}

impl Distribution {
    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.micros_sum)
    }

    /// The longest one, exactly (to the microsecond).
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.micros_max)
    }

    /// The duration that a share `quantile` (0 to 1) of them does not exceed, at most an eighth too long; zero if there
    /// are none.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let count = self.count();
        let rank = ((quantile.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, &held) in self.buckets.iter().enumerate() {
            seen += held;
            if seen >= rank {
                return Duration::from_micros(micros_last(index).min(self.micros_max));
            }
        }
        Duration::ZERO
    }

    /// How many are not longer than `limit` (at the precision of the buckets: a bucket counts as soon as it begins
    /// at or below it).
    pub(crate) fn count_up_to(&self, limit: Duration) -> u64 {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        self.buckets[..=bucket(micros)].iter().sum()
    }
}

fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let power = micros.ilog2() - STEPS.ilog2();
    let step = (micros >> power) - STEPS;
    let index = (u64::from(power) + 1) * STEPS + step;
    (index as usize).min(BUCKETS - 1)
}

/// The last microsecond of a bucket.
fn micros_last(index: usize) -> u64 {
    let (power, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if power == 0 { step } else { ((STEPS + step + 1) << (power - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_the_bucket_that_ends_at_or_after_it() {
        for micros in (0..100_000).chain([1_000_000, 59_999_999, 3_600_000_000]) {
            let index = bucket(micros);
            assert!(micros <= micros_last(index), "{micros}");
            assert!(index == 0 || micros > micros_last(index - 1), "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_within_an_eighth_and_the_longest_is_exact() {
        let histogram = Histogram::default();
        (1..=1_000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let held = histogram.snapshot();
        assert_eq!(held.count(), 1_000);
        assert_eq!(held.sum(), Duration::from_micros(500_500));
        assert_eq!(held.max(), Duration::from_millis(1));
        let median = held.quantile(0.5).as_micros();
        assert!((500..=563).contains(&median), "{median}");
        assert_eq!(held.quantile(1.0), Duration::from_millis(1));
        assert_eq!(Histogram::default().snapshot().quantile(0.99), Duration::ZERO);
    }
}
