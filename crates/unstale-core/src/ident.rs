//! Identities, numbers and instants: wrapped, so that none can be taken for another.

use std::fmt;
use std::time::Duration;

/// 128 random bits drawn at each process start; never stored, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u128);

/// Counts the lives of one process as the protocol sees it: from 1, raised only inside the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

/// The origin of numbered acts: one incarnation of one process (24 bytes in memory, 20 on the wire).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// The process.
    pub process: ProcessId,
    /// Its incarnation.
    pub incarnation: Incarnation,
}

impl Stream {
    /// The first stream of a process.
    pub const fn first(process: ProcessId) -> Self {
        Self { process, incarnation: Incarnation(1) }
    }

    /// The stream with which the same process goes on after this one.
    ///
    /// # Panics
    /// After 2^32 - 1 incarnations, which at one in 3 s takes 400 years.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { process: self.process, incarnation: Incarnation(self.incarnation.0 + 1) }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}.{}", self.process.0, self.incarnation.0)
    }
}

/// The number of an act in its stream, from 1; 0 means none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first act.
    pub const ZERO: Self = Self(0);

    /// The number after this one; the last number there is, after itself (no stream gets there, but a peer may say so).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A closed range of numbers, `first <= last`, `first >= 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first number in it.
    pub first: Seq,
    /// The last number in it.
    pub last: Seq,
}

impl Range {
    /// The range, or nothing if it would be empty or begin at 0.
    pub const fn new(first: Seq, last: Seq) -> Option<Self> {
        if first.0 >= 1 && first.0 <= last.0 { Some(Self { first, last }) } else { None }
    }

    /// How many numbers it holds.
    pub const fn count(self) -> u64 {
        self.last.0 - self.first.0 + 1
    }

    /// Whether every number of `other` is in it.
    pub const fn covers(self, other: Self) -> bool {
        self.first.0 <= other.first.0 && other.last.0 <= self.last.0
    }
}

/// An instant of one node's own clock, in nanoseconds, of a clock that counts suspend (P-38).
///
/// Instants of two nodes are never compared; an instant that comes back in an echo is the receiver's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// Before every instant that a running node reads.
    pub const ZERO: Self = Self(0);

    /// The instant `d` later; the last one there is, if that overflows.
    #[must_use]
    pub const fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(nanos(d)))
    }

    /// The instant `d` earlier; [`Instant::ZERO`] if that underflows.
    #[must_use]
    pub const fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(d)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

const fn nanos(d: Duration) -> u64 {
    let n = d.as_nanos();
    if n > u64::MAX as u128 { u64::MAX } else { n as u64 }
}

/// One link of one transport, as its driver numbers it; never used again within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);
