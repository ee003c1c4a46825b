//! The clocks of a simulated process: a boot clock with an offset and a drift, and a wall clock that may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::time::Instant as TokioInstant;
use unstale::{Clock, Instant};

/// Milliseconds since the Unix epoch at which every world begins.
const WALL_MS_AT_START: u64 = 1_700_000_000_000;

/// What a process reads; the world sets it.
#[derive(Clone, Debug)]
pub struct SimClock {
    cell: Arc<Cell>,
}

#[derive(Debug)]
struct Cell {
    /// What the boot clock shows when the world begins.
    offset: u64,
    /// Parts per million by which it runs fast.
    drift: i64,
    /// The world's time, in nanoseconds, at the zero of the runtime's clock.
    born: AtomicU64,
    /// How far the runtime's clock is behind the world's, since it stood while the process did.
    lag: AtomicU64,
    /// By how much the wall clock is wrong.
    skew_ms: AtomicI64,
    /// The runtime's zero.
    zero: TokioInstant,
    /// For how long the clock stood, if it does not count the machine's sleep.
    slept: AtomicU64,
    /// Where the clock stands, for a process whose clock only its own thread ticks; 0 for one that is read.
    ticked: AtomicU64,
}

impl SimClock {
    /// A clock read on the runtime that is entered now, at the world's time `now`.
    pub fn new(now: u64, offset: u64, drift: i64, skew_ms: i64) -> Self {
        let cell = Cell {
            offset,
            drift,
            born: AtomicU64::new(now),
            lag: AtomicU64::new(0),
            skew_ms: AtomicI64::new(skew_ms),
            zero: TokioInstant::now(),
            slept: AtomicU64::new(0),
            ticked: AtomicU64::new(0),
        };
        Self { cell: Arc::new(cell) }
    }

    /// The runtime's instant at the world's time `at`.
    pub fn runtime_instant(&self, at: u64) -> TokioInstant {
        let behind = self.cell.born.load(Ordering::Relaxed) + self.cell.lag.load(Ordering::Relaxed);
        self.cell.zero + std::time::Duration::from_nanos(at.saturating_sub(behind))
    }

    /// The process stood still for so long, and with it the runtime's clock, but not the boot clock.
    pub fn stood_still(&self, nanos: u64) {
        self.cell.lag.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The runtime's clock makes up for it.
    pub fn caught_up(&self, nanos: u64) {
        self.cell.lag.fetch_sub(nanos, Ordering::Relaxed);
    }

    /// The wall clock is set.
    pub fn skew(&self, skew_ms: i64) {
        self.cell.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// Makes this a clock that does not count the machine's sleep, as P-38 forbids.
    pub fn slept(&self, nanos: u64) {
        self.cell.slept.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Makes this a clock that the process ticks itself, as P-39 forbids: it shows what it showed at the last tick.
    pub fn tick(&self) {
        self.cell.ticked.store(self.boot(), Ordering::Relaxed);
    }

    /// What the boot clock shows at the world's time `at`.
    pub fn shows(&self, at: u64) -> u64 {
        let drift = i128::from(at) * i128::from(self.cell.drift) / 1_000_000;
        (i128::from(self.cell.offset) + i128::from(at) + drift) as u64
    }

    /// The world's time.
    fn world(&self) -> u64 {
        let cell = &*self.cell;
        let elapsed = TokioInstant::now().duration_since(cell.zero).as_nanos() as u64;
        cell.born.load(Ordering::Relaxed) + cell.lag.load(Ordering::Relaxed) + elapsed
    }

    fn boot(&self) -> u64 {
        self.shows(self.world()) - self.cell.slept.load(Ordering::Relaxed)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        match self.cell.ticked.load(Ordering::Relaxed) {
            0 => Instant(self.boot()),
            ticked => Instant(ticked),
        }
    }

    fn wall_ms(&self) -> u64 {
        let skew = self.cell.skew_ms.load(Ordering::Relaxed);
        (WALL_MS_AT_START + self.world() / 1_000_000).saturating_add_signed(skew)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_moves_the_boot_clock_though_the_runtime_stood_still() {
        let clock = SimClock::new(5_000_000, 1_000_000_000, 500, -20);
        assert_eq!(clock.now(), Instant(1_000_000_000 + 5_000_000 + 2_500));
        clock.stood_still(7_000_000);
        assert_eq!(clock.now(), Instant(clock.shows(12_000_000)));
        clock.caught_up(7_000_000);
        tokio::time::advance(Duration::from_millis(7)).await;
        assert_eq!(clock.now(), Instant(clock.shows(12_000_000)));
        assert_eq!(clock.wall_ms(), WALL_MS_AT_START + 12 - 20);
    }
}
