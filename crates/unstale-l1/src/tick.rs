//! Coarse time: the only clock of the engine, set from outside.

use std::time::Duration;

use crate::shim::{AtomicU32, Ordering, Padded};

/// A count of 16 ms steps. As a point in time it counts from the start of the process and begins at [`Tick::FIRST`].
///
/// It ends after 2.1 years; what would come later is that end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u32);

impl Tick {
    /// Before every tick that a clock shows: the beginning of a value that counts as infinitely old.
    pub const ZERO: Self = Self(0);

    /// The first tick that a clock shows; the lower ones are marks in entries.
    pub const FIRST: Self = Self(2);

    /// The last tick, which never comes.
    pub const LAST: Self = Self(u32::MAX);

    /// Milliseconds in a tick.
    pub const MILLIS: u64 = 16;

    /// The whole ticks in a span of time, at most [`Tick::LAST`].
    pub fn whole_in(span: Duration) -> Self {
        Self(u32::try_from(span.as_millis() / u128::from(Self::MILLIS)).unwrap_or(u32::MAX))
    }

    /// The span of time that as many ticks take.
    pub const fn span(self) -> Duration {
        Duration::from_millis(self.0 as u64 * Self::MILLIS)
    }

    /// This many ticks after another; [`Tick::LAST`] if that is too late.
    #[must_use]
    pub const fn plus(self, ticks: Self) -> Self {
        Self(self.0.saturating_add(ticks.0))
    }

    /// How many ticks after `earlier` this is; none if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// The coarse clock of a node, read on every hit. It stands still until somebody sets it, so what it shows is never
/// ahead of the time and may be behind it by a tick and by whatever its driver is late.
#[derive(Debug)]
pub struct Clock {
    now: Padded<AtomicU32>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { now: Padded(AtomicU32::new(Tick::FIRST.0)) }
    }

    /// The tick that was set last.
    #[inline]
    pub fn now(&self) -> Tick {
        Tick(self.now.0.load(Ordering::Relaxed))
    }

    /// Moves the clock on. A tick that is not later than the present one changes nothing.
    pub fn set(&self, tick: Tick) {
        self.now.0.fetch_max(tick.0, Ordering::Relaxed);
    }
}
