//! Which numbers of a stream have come: all up to one, and some ranges above it.

use crate::{Range, Seq};

/// What [`Ranges::insert`] made of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// All of it was there.
    Repeat,
    /// It lies above a hole. It is kept, unless there are too many ranges and it is the highest.
    Above,
    /// The count rose.
    Raised,
}

/// The count of a stream, and the ranges that came above its first hole (P-4).
///
/// At most [`Ranges::ABOVE_MAX`] ranges are kept; beyond that the highest is forgotten, which is always safe: it is asked for again.
///
/// ```
/// use unstale_core::{Inserted, Range, Ranges, Seq};
///
/// let range = |first, last| Range::new(Seq(first), Seq(last)).unwrap();
/// let mut ranges = Ranges::new(Seq(10));
/// assert_eq!(ranges.insert(range(13, 14)), Inserted::Above);
/// assert_eq!(ranges.holes(Seq(16)).collect::<Vec<_>>(), [range(11, 12), range(15, 16)]);
/// assert_eq!(ranges.insert(range(11, 12)), Inserted::Raised);
/// assert_eq!(ranges.have(), Seq(14));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    have: Seq,
    /// Sorted; between two of them, and below the first, at least one number is missing.
    above: Vec<Range>,
}

impl Ranges {
    /// The most ranges kept above the count.
    pub const ABOVE_MAX: usize = 32;

    /// A count of everything up to `have`.
    pub const fn new(have: Seq) -> Self {
        Self { have, above: Vec::new() }
    }

    /// The last number below which nothing is missing.
    pub const fn have(&self) -> Seq {
        self.have
    }

    /// The highest number that came.
    pub fn highest(&self) -> Seq {
        self.above.last().map_or(self.have, |range| range.last)
    }

    /// Whether all of `range` came.
    pub fn contains(&self, range: Range) -> bool {
        range.last <= self.have
            || self
                .above
                .iter()
                .any(|held| held.last >= range.last && held.first <= range.first.max(self.have.next()))
    }

    /// Takes in a range, in any order, repeated or overlapping.
    pub fn insert(&mut self, range: Range) -> Inserted {
        if self.contains(range) {
            return Inserted::Repeat;
        }
        let mut merged = Range { first: range.first.max(self.have.next()), last: range.last };
        let from = self.above.partition_point(|held| held.last.next() < merged.first);
        let to = self.above.partition_point(|held| held.first <= merged.last.next());
        for held in self.above.drain(from..to) {
            merged = Range { first: merged.first.min(held.first), last: merged.last.max(held.last) };
        }
        if merged.first == self.have.next() {
            self.have = merged.last;
            return Inserted::Raised;
        }
        self.above.insert(from, merged);
        self.above.truncate(Self::ABOVE_MAX);
        Inserted::Above
    }

    /// Counts everything up to `seq`; nothing if that is counted. For what needs no repair: a base, or what is distrusted.
    pub fn raise(&mut self, seq: Seq) -> Inserted {
        Range::new(self.have.next(), seq).map_or(Inserted::Repeat, |range| self.insert(range))
    }

    /// What is missing up to `last`, in order.
    pub fn holes(&self, last: Seq) -> impl Iterator<Item = Range> {
        let befores = std::iter::once(self.have).chain(self.above.iter().map(|held| held.last));
        let ends = self.above.iter().map(|held| Seq(held.first.0 - 1)).chain(std::iter::once(last));
        befores
            .zip(ends)
            .map(move |(before, end)| (before, end.min(last)))
            .filter(|(before, end)| before < end)
            .filter_map(|(before, end)| Range::new(before.next(), end))
    }
}

#[cfg(test)]
mod tests;
