//! A clock that is wrong.

use std::time::Duration;

use unstale::{BootClock, Clock, Instant};

/// The system's clocks, both of them so much ahead.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offset(pub(crate) Duration);

impl Clock for Offset {
    fn now(&self) -> Instant {
        BootClock.now().plus(self.0)
    }

    fn wall_ms(&self) -> u64 {
        BootClock.wall_ms() + self.0.as_millis() as u64
    }
}
