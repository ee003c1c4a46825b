//! What frames cost, as sent and in memory, and the bounds that are stated in these units.

use std::ops::{Add, AddAssign, SubAssign};

use crate::{Act, Frame, Subject};

/// A size, or a bound on one: bytes as sent, and acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes as sent, as [`frame_bytes`] counts them.
    pub bytes: usize,
    /// Acts; a frame without acts counts as one.
    pub acts: usize,
}

impl Size {
    /// The bound of a queue of frames (section 2 of streams): 1 MiB or 4,096 acts.
    pub const QUEUE_MAX: Self = Self { bytes: 1 << 20, acts: 4_096 };

    /// The bound of one frame that this crate builds: 256 KiB or 4,096 acts. A commit that is larger is collapsed (P-6).
    pub const FRAME_MAX: Self = Self { bytes: 256 << 10, acts: 4_096 };

    /// What a frame costs in a queue.
    pub fn of_frame(frame: &Frame) -> Self {
        Self { bytes: frame_bytes(frame), acts: frame.acts.len().max(1) }
    }

    /// What a frame adds to one that it is merged into.
    pub(crate) fn of_neighbour(frame: &Frame) -> Self {
        Self { bytes: frame_bytes(frame) - FRAME_HEADER_BYTES, acts: frame.acts.len() }
    }

    pub(crate) fn of_act(subject: &Subject) -> Self {
        Self { bytes: act_bytes(subject), acts: 1 }
    }

    /// Whether this is within `bound`, in both units.
    pub const fn fits(self, bound: Self) -> bool {
        self.bytes <= bound.bytes && self.acts <= bound.acts
    }

    /// Half of it: the aim of coalescing, so that it costs little per act however long the queue stays full.
    #[must_use]
    pub(crate) const fn half(self) -> Self {
        Self { bytes: self.bytes / 2, acts: self.acts / 2 }
    }

    /// Of `bound`, the part that is due to this of `total`.
    #[must_use]
    pub(crate) const fn share(self, bound: Self, total: Self) -> Self {
        Self {
            bytes: part(bound.bytes, self.bytes, total.bytes),
            acts: part(bound.acts, self.acts, total.acts),
        }
    }

    /// The lesser of both, unit by unit.
    #[must_use]
    pub(crate) fn min(self, other: Self) -> Self {
        Self { bytes: self.bytes.min(other.bytes), acts: self.acts.min(other.acts) }
    }
}

const fn part(bound: usize, of: usize, total: usize) -> usize {
    if total == 0 { bound } else { (bound as u128 * of as u128 / total as u128) as usize }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, acts: self.acts + other.acts }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Size {
    fn sub_assign(&mut self, other: Self) {
        self.bytes -= other.bytes;
        self.acts -= other.acts;
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// What a frame costs as sent, without its acts: no codec may need more.
pub(crate) const FRAME_HEADER_BYTES: usize = 96;

/// What an act costs as sent, without its names and keys: no codec may need more.
const ACT_HEADER_BYTES: usize = 12;

/// What an allocation costs beside its bytes, about.
const ALLOCATION_BYTES: usize = 40;

/// What a frame costs as sent, in bytes: an upper bound, whatever the codec. O(acts).
pub fn frame_bytes(frame: &Frame) -> usize {
    let acts: usize = frame.acts.iter().map(|act| act_bytes(&act.subject)).sum();
    FRAME_HEADER_BYTES + frame.unknown.len() + acts
}

/// What a frame keeps allocated, in bytes, about: an act of few bytes needs more memory than room on the wire. O(acts).
pub(crate) fn frame_memory_bytes(frame: &Frame) -> usize {
    let held: usize = frame.acts.iter().map(|act| payload_bytes(&act.subject) + ALLOCATION_BYTES).sum();
    size_of::<Frame>()
        + ALLOCATION_BYTES
        + frame.unknown.len()
        + frame.acts.capacity() * size_of::<Act>()
        + held
}

fn act_bytes(subject: &Subject) -> usize {
    ACT_HEADER_BYTES + payload_bytes(subject)
}

fn payload_bytes(subject: &Subject) -> usize {
    match subject {
        Subject::Key { cache, key } => cache.as_bytes().len() + key.len(),
        Subject::Tag { cache, tag } => cache.as_ref().map_or(0, |name| name.as_bytes().len()) + tag.len(),
        Subject::Cache { cache } => cache.as_bytes().len(),
        Subject::All => 0,
    }
}
