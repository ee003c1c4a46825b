//! Hybrid logical stamps (P-37): for "which value is newer" only; no proof uses them.

use crate::{Mechanism, Mechanisms};

/// A hybrid logical clock's reading: 48 bits of milliseconds since the Unix epoch, 16 bits of count.
///
/// Source: S. Kulkarni et al., "Logical Physical Clocks", 2014.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

impl Stamp {
    const COUNT_BITS: u32 = 16;
    const MILLIS_MAX: u64 = u64::MAX >> Self::COUNT_BITS;

    /// The first stamp of a millisecond; the last millisecond there is (in the year 10889) for later ones.
    pub const fn at_millis(wall_ms: u64) -> Self {
        let ms = if wall_ms > Self::MILLIS_MAX { Self::MILLIS_MAX } else { wall_ms };
        Self(ms << Self::COUNT_BITS)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0 >> Self::COUNT_BITS
    }
}

/// Gives out stamps that never move back, whatever the wall clock does (P-37).
///
/// ```
/// use unstale_core::StampClock;
///
/// let mut clock = StampClock::default();
/// let before = clock.tick(5_000);
/// let after = clock.tick(4_000); // the wall clock was set back
/// assert!(after > before);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StampClock {
    last: Stamp,
    mechanisms: Mechanisms,
}

impl StampClock {
    /// How far ahead of this node's wall clock a peer's stamp may be and still be merged, in milliseconds.
    pub const AHEAD_MS_MAX: u64 = 1_000;

    /// The same with these mechanisms.
    pub(crate) const fn with_mechanisms(self, mechanisms: Mechanisms) -> Self {
        Self { mechanisms, ..self }
    }

    /// The newest stamp given out or merged.
    pub const fn last(&self) -> Stamp {
        self.last
    }

    /// A stamp newer than every one given out or merged so far, and not before `wall_ms`.
    pub fn tick(&mut self, wall_ms: u64) -> Stamp {
        let next = Stamp(self.last.0.saturating_add(1));
        self.last = next.max(Stamp::at_millis(wall_ms));
        self.last
    }

    /// Makes later stamps newer than `stamp`, a peer's. False, and nothing is merged, if it is more than
    /// [`StampClock::AHEAD_MS_MAX`] ahead of `wall_ms`: one node with a wrong clock must not drag all others with it.
    ///
    /// The limit is counted from the wall clock and not from the last stamp, else peers could push it ahead step by step.
    pub fn merge(&mut self, stamp: Stamp, wall_ms: u64) -> bool {
        // stamp-clamp
        let is_ahead = stamp.millis() > wall_ms.saturating_add(Self::AHEAD_MS_MAX);
        if is_ahead && self.mechanisms.on(Mechanism::StampClamp) {
            return false;
        }
        self.last = self.last.max(stamp);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_one_millisecond_differ() {
        let mut clock = StampClock::default();
        let stamps: Vec<_> = (0..3).map(|_| clock.tick(7)).collect();
        assert_eq!(stamps, [Stamp(7 << 16), Stamp((7 << 16) + 1), Stamp((7 << 16) + 2)]);
    }

    #[test]
    fn a_full_count_runs_into_the_next_millisecond() {
        let mut clock = StampClock { last: Stamp((7 << 16) | 0xffff), ..StampClock::default() };
        assert_eq!(clock.tick(7), Stamp::at_millis(8));
    }

    #[test]
    fn a_clock_set_back_by_an_hour_gives_newer_stamps_still() {
        let mut clock = StampClock::default();
        let before = clock.tick(10_000_000);
        assert!(clock.tick(10_000_000 - 3_600_000) > before);
    }

    #[test]
    fn a_peers_stamp_is_merged_up_to_one_second_ahead_and_refused_beyond() {
        // streams P-37
        let mut clock = StampClock::default();
        assert!(clock.merge(Stamp::at_millis(6_000), 5_000));
        assert!(clock.tick(5_000) > Stamp::at_millis(6_000));
        let held = clock.last();
        assert!(!clock.merge(Stamp::at_millis(6_001), 5_000));
        assert_eq!(clock.last(), held);
    }

    #[test]
    fn merging_an_older_stamp_moves_nothing_back() {
        let mut clock = StampClock::default();
        let held = clock.tick(9_000);
        assert!(clock.merge(Stamp::at_millis(1), 9_000));
        assert_eq!(clock.last(), held);
    }

    #[test]
    fn a_wall_clock_beyond_48_bits_saturates() {
        assert_eq!(Stamp::at_millis(u64::MAX).millis(), (1 << 48) - 1);
    }
}
