//! The clocks that a node reads (P-38, P-39).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use unstale_core::{Instant, Mechanisms};

/// Where a node gets its time from. The default is [`BootClock`]; tests with paused time use [`TokioClock`].
pub trait Clock: Send + Sync + 'static {
    /// The present, by a clock that counts the time in which the machine was suspended and that this process does not
    /// tick itself: after a stop of the process, however long, the next reading is right. It counts from one epoch and never
    /// goes back.
    fn now(&self) -> Instant;

    /// The same clock standing still while the machine is suspended: what a node reads without the mechanism `boottime`.
    #[cfg(feature = "mutations")]
    fn now_without_suspend(&self) -> Instant {
        self.now()
    }

    /// Milliseconds since the Unix epoch, for stamps only; may jump.
    fn wall_ms(&self) -> u64;
}

/// The system's clock: CLOCK_BOOTTIME on Linux, the standard library's elsewhere.
///
/// The coarse clock of Linux would be cheaper, but no bound on its lag holds: on a virtual machine it was seen two of its
/// steps behind most of the time, and a hypervisor that takes a processor away makes it any number of steps.
///
/// ```
/// use unstale::{BootClock, Clock};
///
/// let earlier = BootClock.now();
/// assert!(BootClock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl Clock for BootClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant(system::boot_nanos())
    }

    fn wall_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn boot_nanos() -> u64 {
        let time = clock_gettime(ClockId::Boottime);
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    //! The standard library's clock counts suspend on Windows (QueryPerformanceCounter) and on Apple's systems
    //! (CLOCK_MONOTONIC there).

    use std::sync::OnceLock;
    use std::time::Instant;

    pub(super) fn boot_nanos() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        // One second of head room, so that no reading is the instant zero.
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1_000_000_000
    }
}

/// The clock that a node reads (P-38).
#[cfg(not(feature = "mutations"))]
pub(super) fn chosen(clock: Option<Arc<dyn Clock>>, _: Mechanisms) -> Arc<dyn Clock> {
    clock.unwrap_or_else(|| Arc::new(BootClock))
}

/// The clock that a node reads (P-38): boottime.
#[cfg(feature = "mutations")]
pub(super) fn chosen(clock: Option<Arc<dyn Clock>>, mechanisms: Mechanisms) -> Arc<dyn Clock> {
    let clock = clock.unwrap_or_else(|| Arc::new(BootClock));
    if mechanisms.on(unstale_core::Mechanism::Boottime) { clock } else { Arc::new(WithoutSuspend(clock)) }
}

#[cfg(feature = "mutations")]
struct WithoutSuspend(Arc<dyn Clock>);

#[cfg(feature = "mutations")]
impl Clock for WithoutSuspend {
    fn now(&self) -> Instant {
        self.0.now_without_suspend()
    }

    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }
}

/// Tokio's clock, which tests can pause and advance. Its wall clock begins in November 2023.
#[derive(Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    const WALL_MS_AT_START: u64 = 1_700_000_000_000;
    /// No reading is the instant zero.
    const HEAD_ROOM: Duration = Duration::from_secs(3_600);

    /// A clock that begins an hour after its epoch. Clocks of two nodes may begin at different moments.
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::ZERO.plus(Self::HEAD_ROOM + self.start.elapsed())
    }

    fn wall_ms(&self) -> u64 {
        Self::WALL_MS_AT_START + self.start.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_never_goes_back() {
        // P-38
        let mut last = Instant::ZERO;
        for _ in 0..10_000 {
            let now = BootClock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_only_when_it_is_told_to() {
        let clock = TokioClock::new();
        let (now, wall) = (clock.now(), clock.wall_ms());
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now().since(now), Duration::from_millis(250));
        assert_eq!(clock.wall_ms() - wall, 250);
    }
}
