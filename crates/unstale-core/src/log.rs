//! The act log: numbers for the acts of one process, and what was not yet handed to the driver.

use std::sync::Arc;

use bytes::Bytes;

use crate::coalesce::{batch_of, coalesce, narrow};
use crate::{
    Act, Batch, Frame, Mechanism, Mechanisms, Range, Scope, Seq, Size, Stamp, StampClock, Stream, Subject,
    Verb, Voided,
};

/// What is said of acts when they get their numbers. Milliseconds alone become one, of acts that the second level was voided
/// for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The wall clock in milliseconds since 1970, for the stamp.
    pub wall_ms: u64,
    /// Whether the second level holds nothing any more that they made old (P-24).
    pub voided: Voided,
}

impl From<u64> for Told {
    fn from(wall_ms: u64) -> Self {
        Self { wall_ms, voided: Voided::Yes }
    }
}

/// What [`ActLog::append`] gave to some acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The stream that they are in.
    pub stream: Stream,
    /// Their numbers: one for each, in the order given.
    pub range: Range,
    /// Their stamp.
    pub stamp: Stamp,
}

/// Numbers the acts of a process and keeps them until the driver drains them.
///
/// It lives under the act mutex of the engine, so that a number is drawn in the same atomic step as the local fence (P-3).
/// What is kept is bounded by [`Size::QUEUE_MAX`]: at the bound acts are widened (keys to their cache, caches to
/// everything), while the ranges of frames stay exact (P-1, P-2). Nothing is ever dropped.
///
/// ```
/// use unstale_core::{Act, ActLog, Batch, Name, ProcessId, Seq, Stream, Subject, Verb};
///
/// let users = Name::new("users").unwrap();
/// let remove = |key: &'static str| Act {
///     verb: Verb::Remove,
///     subject: Subject::Key { cache: users.clone(), key: key.into() },
/// };
/// let mut log = ActLog::new(Stream::first(ProcessId(7)));
/// log.append(&[remove("1")], Batch::Loose, 1_000);
/// let appended = log.append(&[remove("2"), remove("3")], Batch::Whole, 1_001);
/// assert_eq!((appended.range.first, appended.range.last), (Seq(2), Seq(3)));
///
/// let frames = log.drain();
/// assert_eq!(frames.len(), 2); // the commit stays a frame of its own
/// assert_eq!(frames[1].range, appended.range);
/// ```
#[derive(Clone, Debug)]
pub struct ActLog {
    stream: Stream,
    last: Seq,
    clock: StampClock,
    outbox: Outbox,
    mechanisms: Mechanisms,
    keeps: Keeps,
}

/// What a log keeps of its acts until they are drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Acts,
    /// Nobody will ever be told: one act on everything stands for all of them.
    Numbers,
}

impl ActLog {
    /// An empty log, bounded by [`Size::QUEUE_MAX`].
    pub fn new(stream: Stream) -> Self {
        Self::with_bound(stream, Size::QUEUE_MAX)
    }

    /// An empty log with another bound on what waits to be drained.
    pub fn with_bound(stream: Stream, bound: Size) -> Self {
        let (clock, mechanisms) = (StampClock::default(), Mechanisms::all());
        let outbox = Outbox::new(bound, mechanisms);
        Self { stream, last: Seq::ZERO, clock, outbox, mechanisms, keeps: Keeps::Acts }
    }

    /// The same with these mechanisms, for tests.
    #[must_use]
    pub fn with_mechanisms(mut self, mechanisms: Mechanisms) -> Self {
        self.mechanisms = mechanisms;
        self.outbox.mechanisms = mechanisms;
        self.clock = self.clock.with_mechanisms(mechanisms);
        self
    }

    /// A log of a process that has nobody to tell: its acts get their numbers, and one act on everything is kept for all of
    /// them, which would be right to send, too.
    pub fn untold(stream: Stream) -> Self {
        Self { keeps: Keeps::Numbers, ..Self::new(stream) }
    }

    /// Whether acts are kept. If not, [`ActLog::append_untold`] does with their number alone.
    pub fn keeps_acts(&self) -> bool {
        self.keeps == Keeps::Acts
    }

    /// The stream that acts are appended to.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// The last number given out; 0 before the first.
    pub fn last(&self) -> Seq {
        // number-at-call
        match self.outbox.frames.first() {
            Some(frame) if !self.mechanisms.on(Mechanism::NumberAtCall) => Seq(frame.range.first.0 - 1),
            Some(_) | None => self.last,
        }
    }

    /// The newest stamp given out or merged.
    pub const fn stamp(&self) -> Stamp {
        self.clock.last()
    }

    /// Gives numbers and a stamp to `acts`. A batch that is [`Batch::Whole`] will be in one frame (P-6).
    ///
    /// O(acts), without system calls; at the bound of what waits, once in half a bound, O(n log n) in the bound.
    ///
    /// # Panics
    /// Without acts: there would be no number to give.
    pub fn append(&mut self, acts: &[Act], batch: Batch, told: impl Into<Told>) -> Appended {
        self.append_all(acts.to_vec(), batch, told)
    }

    /// [`ActLog::append`] of acts that the caller has no more use for.
    ///
    /// # Panics
    /// Without acts: there would be no number to give.
    pub fn append_all(&mut self, acts: Vec<Act>, batch: Batch, told: impl Into<Told>) -> Appended {
        let Told { wall_ms, voided } = told.into();
        if !self.keeps_acts() {
            return self.append_untold(acts.len() as u64, wall_ms);
        }
        let appended = self.number(acts.len() as u64, wall_ms);
        self.outbox.push(appended, acts, batch, voided);
        appended
    }

    /// [`ActLog::append`] of one act.
    pub fn append_one(&mut self, act: Act, told: impl Into<Told>) -> Appended {
        let Told { wall_ms, voided } = told.into();
        if !self.keeps_acts() {
            return self.append_untold(1, wall_ms);
        }
        let appended = self.number(1, wall_ms);
        self.outbox.push_loose(appended, appended.range.first, act, voided);
        appended
    }

    /// Gives numbers to so many acts and keeps one on everything in their place, which whoever is told takes for any of them.
    ///
    /// # Panics
    /// Without acts: there would be no number to give.
    #[inline]
    pub fn append_untold(&mut self, acts: u64, wall_ms: u64) -> Appended {
        let appended = self.number(acts, wall_ms);
        if !self.outbox.extend_untold(appended) {
            self.outbox.push_untold(appended);
        }
        appended
    }

    #[inline]
    fn number(&mut self, acts: u64, wall_ms: u64) -> Appended {
        assert!(acts > 0, "an append without acts");
        // number-at-call: whoever reads `last` from now on, a beat for instance, sees these acts as announced (P-3).
        let range = Range { first: self.last.next(), last: Seq(self.last.0 + acts) };
        self.last = range.last;
        Appended { stream: self.stream, range, stamp: self.clock.tick(wall_ms) }
    }

    /// Whether nothing waits to be drained.
    pub fn is_drained(&self) -> bool {
        self.outbox.frames.is_empty()
    }

    /// All that was appended since the last drain, in order, under the streams that it was appended to. The frames of one
    /// stream follow one another without a gap.
    pub fn drain(&mut self) -> Vec<Frame> {
        self.outbox.size = Size::default();
        self.outbox.expected = self.outbox.frames.last().map_or(0, |tail| tail.acts.len().min(EXPECTED_MAX));
        std::mem::take(&mut self.outbox.frames)
    }

    /// What waits to be drained. Never above the bound, but for one frame for each of several streams.
    pub const fn waiting(&self) -> Size {
        self.outbox.size
    }

    /// How often the bound was reached, and acts were widened.
    pub const fn coalesced(&self) -> u64 {
        self.outbox.coalesced
    }

    /// A stamp older than that of every later act: for what is written to a store before its act has a number (P-24).
    pub fn draw_stamp(&mut self, wall_ms: u64) -> Stamp {
        self.clock.tick(wall_ms)
    }

    /// Makes later stamps newer than a peer's. False if it is more than 1 s ahead of `wall_ms`: it is not merged (P-37).
    pub fn merge_stamp(&mut self, stamp: Stamp, wall_ms: u64) -> bool {
        self.clock.merge(stamp, wall_ms)
    }

    /// Ends the stream and goes on with the next incarnation (P-34). Returns the last number of the one that ended, and
    /// the new stream. What waits stays to be drained under the old one; stamps go on.
    pub fn restart(&mut self) -> (Seq, Stream) {
        let ended = std::mem::take(&mut self.last);
        self.stream = self.stream.next();
        (ended, self.stream)
    }
}

/// Frames that wait for the driver.
#[derive(Clone, Debug)]
struct Outbox {
    bound: Size,
    frames: Vec<Frame>,
    /// Of all frames.
    size: Size,
    /// Of the last one.
    tail: Size,
    coalesced: u64,
    mechanisms: Mechanisms,
    /// How many acts the last frame had that was drained: the next one gets room for as many at once.
    expected: usize,
}

/// Loose acts are gathered into frames of this size.
const GATHERED: Size = Size { bytes: 64 << 10, acts: 1_024 };
/// The most room that a frame gets before its acts are there.
const EXPECTED_MAX: usize = 256;

impl Outbox {
    const fn new(bound: Size, mechanisms: Mechanisms) -> Self {
        let empty = Size { bytes: 0, acts: 0 };
        let frames = Vec::new();
        Self { bound, frames, size: empty, tail: empty, coalesced: 0, mechanisms, expected: 0 }
    }

    fn push(&mut self, appended: Appended, acts: Vec<Act>, batch: Batch, voided: Voided) {
        match batch_of(batch, &acts) {
            // batch-whole
            Batch::Whole if self.mechanisms.on(Mechanism::BatchWhole) => {
                self.push_frame(appended, appended.range, acts, Batch::Whole, voided);
            }
            Batch::Whole | Batch::Loose => {
                for (act, seq) in acts.into_iter().zip(appended.range.first.0..) {
                    self.push_loose(appended, Seq(seq), act, voided);
                }
            }
        }
    }

    fn push_loose(&mut self, appended: Appended, seq: Seq, act: Act, voided: Voided) {
        let size = Size::of_act(&act.subject);
        match self.frames.last_mut() {
            Some(tail)
                if tail.stream == appended.stream
                    && tail.batch == Batch::Loose
                    && tail.voided == voided
                    && (self.tail + size).fits(GATHERED) =>
            {
                tail.acts.push(act);
                tail.range.last = seq;
                tail.stamp = appended.stamp;
                self.tail += size;
                self.size += size;
                self.keep_bound();
            }
            Some(_) | None => {
                let range = Range { first: seq, last: seq };
                let mut acts = Vec::with_capacity(self.expected.max(1));
                acts.push(act);
                self.push_frame(appended, range, acts, Batch::Loose, voided);
            }
        }
    }

    /// Whether there is a frame that stands for these acts, too.
    #[inline]
    fn extend_untold(&mut self, appended: Appended) -> bool {
        match self.frames.last_mut() {
            Some(tail) if tail.stream == appended.stream => {
                tail.range.last = appended.range.last;
                tail.stamp = appended.stamp;
                true
            }
            Some(_) | None => false,
        }
    }

    #[cold]
    fn push_untold(&mut self, appended: Appended) {
        let everything = Act { verb: Verb::Remove, subject: Subject::All };
        self.push_frame(appended, appended.range, vec![everything], Batch::Loose, Voided::Yes);
    }

    fn push_frame(&mut self, appended: Appended, range: Range, acts: Vec<Act>, batch: Batch, voided: Voided) {
        let mut frame = Frame {
            stream: appended.stream,
            range,
            stamp: appended.stamp,
            scope: Scope(0),
            batch,
            hops: 0,
            voided,
            acts,
            unknown: Bytes::new(),
        };
        if !Size::of_frame(&frame).fits(Size::FRAME_MAX) {
            narrow(&mut frame, Size::FRAME_MAX);
        }
        self.tail = Size::of_frame(&frame);
        self.size += self.tail;
        self.frames.push(frame);
        self.keep_bound();
    }

    fn keep_bound(&mut self) {
        // coalesce-at-bound
        if self.size.fits(self.bound) || !self.mechanisms.on(Mechanism::CoalesceAtBound) {
            return;
        }
        let frames = std::mem::take(&mut self.frames).into_iter().map(Arc::new);
        self.frames = coalesce(frames, self.bound.half()).into_iter().map(Arc::unwrap_or_clone).collect();
        self.size = self.frames.iter().map(Size::of_frame).sum();
        self.tail = self.frames.last().map_or_else(Size::default, Size::of_frame);
        self.coalesced += 1;
    }
}

#[cfg(test)]
mod tests;
