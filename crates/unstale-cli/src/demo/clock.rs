//! One clock for all processes of a demo: instants of two processes on one machine can be compared.

use std::time::Duration;

/// Nanoseconds since the machine started, suspends included where the system counts them.
pub(crate) fn now() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// An instant of a node's clock on this one.
pub(crate) fn of(instant: unstale::Instant) -> u64 {
    // Elsewhere a node's clock is not that of other processes, and just now is the best guess.
    if cfg!(target_os = "linux") { instant.0 } else { now() }
}

/// A length of time in nanoseconds, as [`now`] counts them.
pub(crate) const fn nanos(length: Duration) -> u64 {
    length.as_nanos() as u64
}
