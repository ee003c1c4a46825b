//! How many suspects a cache revalidates: not more, by the second, than it loaded anyway before the doubt.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Revalidations per second that are always allowed.
const RATE_MIN: f64 = 64.0;

/// Milliseconds in a slice: the allowance is handed out in slices, so that a second's worth does not go out at once.
const SLICE_MS: u64 = 125;

/// How much of the known rate remains after a slice without loads: half of it after about 20 s, so that a cut or a pause
/// of some seconds does not make a node forget how much its database bears.
const MEMORY_PER_SLICE: f64 = 0.995_7;

/// Limits revalidations of suspects to the recent rate of the cache's other loads, at least 64 per second.
///
/// Revalidations do not count as loads here: otherwise the limit would feed itself and double by the second.
#[derive(Debug, Default)]
pub(crate) struct SuspectLimiter {
    loads: AtomicU64,
    slice: AtomicU64,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    loads_per_slice: f64,
    spent: f64,
}

impl SuspectLimiter {
    /// Counts a load that is no revalidation.
    pub(crate) fn loaded(&self, now_ms: u64) {
        self.roll(now_ms);
        self.loads.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether one more suspect may be revalidated now. A yes is spent.
    pub(crate) fn allows(&self, now_ms: u64) -> bool {
        self.roll(now_ms);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let allowance = window.loads_per_slice.max(RATE_MIN * SLICE_MS as f64 / 1_000.0);
        let allowed = window.spent < allowance;
        if allowed {
            window.spent += 1.0;
        }
        allowed
    }

    fn roll(&self, now_ms: u64) {
        let slice = now_ms / SLICE_MS;
        let before = self.slice.fetch_max(slice, Ordering::Relaxed);
        if before >= slice {
            return;
        }
        let elapsed = (slice - before) as f64;
        let loads = self.loads.swap(0, Ordering::Relaxed) as f64;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = MEMORY_PER_SLICE.powf(elapsed);
        window.loads_per_slice = window.loads_per_slice * remembered + loads / elapsed * (1.0 - remembered);
        window.spent = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_in_a_second(limiter: &SuspectLimiter, from_ms: u64) -> usize {
        (from_ms..from_ms + 1_000).map(|now| (0..10).filter(|_| limiter.allows(now)).count()).sum()
    }

    #[test]
    fn an_idle_cache_revalidates_sixty_four_suspects_per_second() {
        let limiter = SuspectLimiter::default();
        let allowed = allowed_in_a_second(&limiter, 10_000);
        assert_eq!(allowed, 64);
    }

    #[test]
    fn a_busy_cache_revalidates_as_many_as_it_loads_even_after_a_pause() {
        let limiter = SuspectLimiter::default();
        for now in 10_000..200_000 {
            limiter.loaded(now);
        }
        let allowed = allowed_in_a_second(&limiter, 210_000);
        assert!(
            (600..=1_000).contains(&allowed),
            "{allowed} for 1,000 loads per second before a pause of 10 s"
        );
    }

    #[test]
    fn revalidations_do_not_raise_their_own_limit() {
        let limiter = SuspectLimiter::default();
        for second in 10..60 {
            assert!(allowed_in_a_second(&limiter, second * 1_000) <= 64);
        }
    }
}
