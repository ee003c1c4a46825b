//! Timestamps: of the server's clock, so that those of unstale nodes agree; never back; later than what .NET nodes said.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use unstale_codec::fusion::Ticks;

use crate::settings::SKEW_MAX;

/// A server whose clock went back by more than this is followed back.
const STEP: u64 = 1_000_000;

/// Added to a lead that was seen: it is measured at the arrival of a message, which is later than its making.
const LEAD_SLACK: Duration = Duration::from_millis(10);

/// A lead that was not seen again is forgotten after twice this.
const LEAD_WINDOW: u64 = 300_000_000;

/// What is known of the server's clock and of the foreign writers'. Microseconds since 1970.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The server's clock at `origin`, from its last answers: never too late, and too early by what an answer takes.
    base: u64,
    is_heard: bool,
    last: Ticks,
    /// How far the fastest foreign clock was ahead of the server's, in this window and in the one before.
    leads: [Duration; 2],
    window_began: u64,
    far_ahead: u64,
}

impl Clock {
    /// By the system's clock until the server says its own.
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let known = Known {
            base: micros(since),
            is_heard: false,
            last: Ticks(0),
            leads: [Duration::ZERO; 2],
            window_began: 0,
            far_ahead: 0,
        };
        Self { origin: Instant::now(), known: Mutex::new(known) }
    }

    /// The server just said what its clock is, or was a moment ago.
    pub(crate) fn heard(&self, server: u64) {
        let base = server.saturating_sub(micros(self.origin.elapsed()));
        let mut known = self.lock();
        if !known.is_heard || base > known.base || base + STEP < known.base {
            known.base = base;
        }
        known.is_heard = true;
    }

    /// The server's clock now, or up to one round trip before.
    pub(crate) fn now(&self) -> u64 {
        self.lock().base.saturating_add(micros(self.origin.elapsed()))
    }

    /// A timestamp for what happens now: later than all that it gave before.
    pub(crate) fn stamp(&self) -> Ticks {
        let now = ticks(self.now());
        let mut known = self.lock();
        known.last = now.max(Ticks(known.last.0 + 1));
        known.last
    }

    /// Lets the timestamps that follow be later than this one, unless it is too far ahead.
    pub(crate) fn fold(&self, seen: Ticks) {
        let limit = ticks(self.now()).plus(SKEW_MAX);
        let mut known = self.lock();
        if seen <= limit {
            known.last = known.last.max(seen);
        }
    }

    /// A foreign writer has said that it is so late now.
    pub(crate) fn foreign(&self, timestamp: Ticks) {
        let now = self.now();
        let lead = timestamp.since(ticks(now));
        let mut known = self.lock();
        known.turn_window(now);
        if lead > SKEW_MAX {
            known.far_ahead += 1;
        } else if !lead.is_zero() {
            known.leads[0] = known.leads[0].max(lead + LEAD_SLACK);
        }
    }

    /// How far foreign clocks are known to be ahead.
    pub(crate) fn lead(&self) -> Duration {
        let now = self.now();
        let mut known = self.lock();
        known.turn_window(now);
        known.leads[0].max(known.leads[1])
    }

    /// How many foreign timestamps were too far ahead to be followed.
    pub(crate) fn far_ahead(&self) -> u64 {
        self.lock().far_ahead
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn turn_window(&mut self, now: u64) {
        let age = now.saturating_sub(self.window_began);
        if age >= LEAD_WINDOW {
            let before = if age < 2 * LEAD_WINDOW { self.leads[0] } else { Duration::ZERO };
            (self.leads, self.window_began) = ([Duration::ZERO, before], now);
        }
    }
}

/// Microseconds since 1970 as a timestamp of .NET.
pub(crate) fn ticks(micros: u64) -> Ticks {
    Ticks::from_unix(Duration::from_micros(micros))
}

/// A timestamp of .NET as microseconds since 1970; 0 for what is before.
pub(crate) fn micros_of(ticks: Ticks) -> u64 {
    ticks.to_unix().map_or(0, micros)
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_follow_the_server_and_never_go_back() {
        let clock = Clock::new();
        let hour = 3_600_000_000;
        let server = clock.now() + hour;
        clock.heard(server);
        let first = clock.stamp();
        assert!(first >= ticks(server));
        clock.heard(server - hour);
        assert!(clock.now() < server, "a step back is followed");
        assert_eq!(clock.stamp(), Ticks(first.0 + 1));
    }

    #[test]
    fn what_was_seen_is_outrun_and_what_is_far_ahead_is_not_followed() {
        let clock = Clock::new();
        let soon = ticks(clock.now()).plus(Duration::from_secs(10));
        clock.fold(soon);
        assert!(clock.stamp() > soon);
        let late = ticks(clock.now()).plus(Duration::from_secs(3_600));
        clock.fold(late);
        assert!(clock.stamp() < late);
    }

    #[test]
    fn the_lead_is_that_of_the_fastest_clock_within_reason() {
        let clock = Clock::new();
        let ahead = |seconds| ticks(clock.now()).plus(Duration::from_secs(seconds));
        clock.foreign(ticks(clock.now() - 5_000_000));
        assert_eq!(clock.lead(), Duration::ZERO);
        clock.foreign(ahead(10));
        clock.foreign(ahead(3));
        let lead = clock.lead();
        assert!(lead > Duration::from_secs(9) && lead < Duration::from_secs(11), "{lead:?}");
        clock.foreign(ahead(3_600));
        assert_eq!((clock.lead(), clock.far_ahead()), (lead, 1));
        clock.heard(clock.now() + LEAD_WINDOW);
        assert_eq!(clock.lead(), lead, "remembered");
        clock.heard(clock.now() + LEAD_WINDOW);
        assert_eq!(clock.lead(), Duration::ZERO, "not seen again");
    }
}
