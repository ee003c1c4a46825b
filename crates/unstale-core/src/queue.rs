//! Frames that wait for one peer.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::coalesce::{coalesce, narrow};
use crate::{Batch, Frame, Mechanism, Mechanisms, Size};

/// The frames that wait for one peer, bounded for however long it is slow (P-1).
///
/// At the bound frames are merged and their acts widened (keys to their cache, caches to everything), while ranges stay
/// exact; nothing is ever dropped. Frames of different scopes are never merged (P-7), commits never split (P-6).
///
/// ```
/// use std::sync::Arc;
/// use unstale_core::{Act, ActLog, Batch, PeerQueue, ProcessId, Seq, Stream, Subject, Verb};
///
/// let mut log = ActLog::new(Stream::first(ProcessId(7)));
/// let mut queue = PeerQueue::new();
/// for wall_ms in 0..3 {
///     log.append(&[Act { verb: Verb::Expire, subject: Subject::All }], Batch::Loose, wall_ms);
///     queue.extend(log.drain().into_iter().map(Arc::new));
/// }
/// let frame = queue.take(64 << 10).unwrap();
/// assert_eq!((frame.range.first, frame.range.last), (Seq(1), Seq(3)));
/// assert!(queue.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct PeerQueue {
    bound: Size,
    frames: VecDeque<Arc<Frame>>,
    size: Size,
    coalesced: u64,
    mechanisms: Mechanisms,
}

impl Default for PeerQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl PeerQueue {
    /// An empty queue, bounded by [`Size::QUEUE_MAX`].
    pub const fn new() -> Self {
        Self::with_bound(Size::QUEUE_MAX)
    }

    /// An empty queue with another bound.
    pub const fn with_bound(bound: Size) -> Self {
        let size = Size { bytes: 0, acts: 0 };
        Self { bound, frames: VecDeque::new(), size, coalesced: 0, mechanisms: Mechanisms::all() }
    }

    /// The same with these mechanisms.
    pub(crate) const fn with_mechanisms(mut self, mechanisms: Mechanisms) -> Self {
        self.mechanisms = mechanisms;
        self
    }

    /// Adds a frame. O(acts); at the bound, once in half a bound, O(n log n) in the bound.
    pub fn push(&mut self, frame: Arc<Frame>) {
        self.size += Size::of_frame(&frame);
        self.frames.push_back(frame);
        // coalesce-at-bound
        if !self.size.fits(self.bound) && self.mechanisms.on(Mechanism::CoalesceAtBound) {
            self.frames = coalesce(std::mem::take(&mut self.frames), self.bound.half()).into();
            self.size = self.frames.iter().map(|frame| Size::of_frame(frame)).sum();
            self.coalesced += 1;
        }
    }

    /// The next frame, of at most `bytes_max` bytes as [`frame_bytes`](crate::frame_bytes) counts them: several
    /// neighbours as one where they follow one another, and neither is a commit. A frame that is larger by itself gets
    /// wider acts, at least one.
    pub fn take(&mut self, bytes_max: usize) -> Option<Frame> {
        let bound = Size { bytes: bytes_max.min(Size::FRAME_MAX.bytes), acts: Size::FRAME_MAX.acts };
        let mut frame = Arc::unwrap_or_clone(self.pop()?);
        if !Size::of_frame(&frame).fits(bound) {
            narrow(&mut frame, bound);
        }
        let mut size = Size::of_frame(&frame);
        while let Some(next) = self.frames.front() {
            let grown = size + Size::of_neighbour(next);
            if !follows(&frame, next) || !grown.fits(bound) {
                break;
            }
            size = grown;
            let Some(next) = self.pop() else { break };
            frame.range.last = next.range.last;
            frame.stamp = frame.stamp.max(next.stamp);
            frame.hops = frame.hops.max(next.hops);
            if self.mechanisms.on(Mechanism::RangeHoldsAllKeys) {
                frame.acts.extend_from_slice(&next.acts);
            }
        }
        Some(frame)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What waits. Never above the bound, but for one frame for each of several streams.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// How often the bound was reached, and frames were merged.
    pub const fn coalesced(&self) -> u64 {
        self.coalesced
    }

    fn pop(&mut self) -> Option<Arc<Frame>> {
        let frame = self.frames.pop_front()?;
        self.size -= Size::of_frame(&frame);
        Some(frame)
    }
}

impl Extend<Arc<Frame>> for PeerQueue {
    fn extend<T: IntoIterator<Item = Arc<Frame>>>(&mut self, frames: T) {
        for frame in frames {
            self.push(frame);
        }
    }
}

/// Whether `next` can be sent as part of `frame` without a loss of boundaries: neither is a commit (P-6), both speak for
/// one scope (P-7), the store is as safe after both (P-24), and no number lies between.
fn follows(frame: &Frame, next: &Frame) -> bool {
    frame.stream == next.stream
        && frame.scope == next.scope
        && frame.range.last.next() == next.range.first
        && frame.batch == Batch::Loose
        && next.batch == Batch::Loose
        && frame.voided == next.voided
        && frame.unknown.is_empty()
        && next.unknown.is_empty()
}

#[cfg(test)]
mod tests;
