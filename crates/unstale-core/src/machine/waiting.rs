//! Beats that wait until their sender's stream is counted up to what they say.

use crate::{Instant, Seq};

/// What a beat says to its receiver, until it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The last number that the sender had given out.
    pub(super) last: Seq,
    /// The receiver's instant that it had seen before.
    pub(super) echo: Instant,
    /// The hash of the members it had.
    pub(super) view: u64,
}

/// Several are kept: under steady writes the newest is never satisfied while an older one is (P-10).
#[derive(Debug, Default)]
pub(super) struct Waiting {
    beats: Vec<Heard>,
}

impl Waiting {
    /// At the bound the middle ones go: the oldest is the first to be satisfied, the newest proves most.
    const MAX: usize = 8;

    pub(super) fn push(&mut self, heard: Heard) {
        if let Some(same) =
            self.beats.iter_mut().find(|beat| (beat.last, beat.view) == (heard.last, heard.view))
        {
            same.echo = same.echo.max(heard.echo);
            return;
        }
        if self.beats.len() == Self::MAX {
            self.beats.remove(Self::MAX / 2);
        }
        self.beats.push(heard);
    }

    /// The latest instant that is proven now, if any: of a beat whose number is counted and whose members are all known. What
    /// proves no more than that is forgotten.
    pub(super) fn settle(&mut self, have: Seq, knows: impl Fn(u64) -> bool) -> Option<Instant> {
        let proven = self
            .beats
            .iter()
            .filter(|beat| beat.last <= have && knows(beat.view))
            .map(|beat| beat.echo)
            .max()?;
        self.beats.retain(|beat| beat.echo > proven);
        Some(proven)
    }

    pub(super) fn clear(&mut self) {
        self.beats.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Waiting};
    use crate::{Instant, Seq};

    fn heard(last: u64, echo: u64) -> Heard {
        Heard { last: Seq(last), echo: Instant(echo), view: 7 }
    }

    #[test]
    fn an_older_beat_proves_while_the_newest_still_waits() {
        // P-10
        let mut waiting = Waiting::default();
        waiting.push(heard(3, 30));
        waiting.push(heard(9, 90));
        assert_eq!(waiting.settle(Seq(2), |_| true), None);
        assert_eq!(waiting.settle(Seq(5), |_| true), Some(Instant(30)));
        assert_eq!(waiting.settle(Seq(9), |_| true), Some(Instant(90)));
        assert_eq!(waiting.settle(Seq(9), |_| true), None);
    }

    #[test]
    fn a_beat_of_a_view_that_is_not_known_proves_nothing() {
        // P-27
        let mut waiting = Waiting::default();
        waiting.push(heard(0, 10));
        assert_eq!(waiting.settle(Seq(0), |view| view == 8), None);
        assert_eq!(waiting.settle(Seq(0), |view| view == 7), Some(Instant(10)));
    }

    #[test]
    fn at_the_bound_the_oldest_and_the_newest_beat_stay() {
        // P-10
        let mut waiting = Waiting::default();
        for n in 1..=100 {
            waiting.push(heard(n, n));
        }
        assert_eq!(waiting.settle(Seq(1), |_| true), Some(Instant(1)));
        assert_eq!(waiting.settle(Seq(100), |_| true), Some(Instant(100)));
        assert!(waiting.beats.is_empty());
    }
}
