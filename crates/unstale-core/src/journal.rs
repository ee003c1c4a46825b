//! What a node can answer when somebody misses numbers of a stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::rows::Rows;
use crate::shelf::Shelf;
use crate::size::FRAME_HEADER_BYTES;
use crate::{Act, Digest, DigestRow, Frame, Gone, Mechanism, Mechanisms, Range, Scope, Seq, Stream, Subject};

/// How much a journal keeps, in bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalBound {
    /// Whole frames of this process's own streams; older ones keep their digest rows.
    pub own_frames_bytes: usize,
    /// Digest rows of this process's own streams; of older acts nothing is kept.
    pub own_rows_bytes: usize,
    /// Whole frames of all peers; the oldest to arrive goes first, and of it nothing is kept.
    pub peer_frames_bytes: usize,
}

impl Default for JournalBound {
    /// 4 MiB, 8 MiB and 8 MiB (section 2 of streams).
    fn default() -> Self {
        Self { own_frames_bytes: 4 << 20, own_rows_bytes: 8 << 20, peer_frames_bytes: 8 << 20 }
    }
}

/// What [`Journal::frames`] has about a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Whole frames, in order, that together hold the range from its first number on: all of it or, beyond the limit
    /// asked for and where no more frames are held, the beginning of it.
    Frames(Vec<Arc<Frame>>),
    /// No frames any more for the first number, but what it and those after it touched.
    Digest(Digest),
    /// Nothing about the first number.
    Gone(Gone),
}

/// The journal of a node: frames of its own streams and of its peers', and digest rows of its own older acts.
///
/// It keeps frames that speak for the whole stream; others are left out, since they could not repair it (P-7).
///
/// ```
/// use std::sync::Arc;
/// use unstale_core::{Act, ActLog, Batch, Found, Journal, ProcessId, Stream, Subject, Verb};
///
/// let mut log = ActLog::new(Stream::first(ProcessId(7)));
/// let appended = log.append(&[Act { verb: Verb::Remove, subject: Subject::All }], Batch::Loose, 0);
/// let mut journal = Journal::default();
/// let frames: Vec<_> = log.drain().into_iter().map(Arc::new).collect();
/// for frame in &frames {
///     journal.push_own(Arc::clone(frame));
/// }
/// assert_eq!(journal.frames(appended.stream, appended.range, 64 << 10), Found::Frames(frames));
/// ```
#[derive(Clone, Debug)]
pub struct Journal {
    own: Shelf,
    rows: Rows,
    peers: Shelf,
    mechanisms: Mechanisms,
}

impl Default for Journal {
    fn default() -> Self {
        Self::with_bound(JournalBound::default())
    }
}

impl Journal {
    /// An empty journal that keeps this much.
    pub const fn with_bound(bound: JournalBound) -> Self {
        Self {
            own: Shelf::new(bound.own_frames_bytes),
            rows: Rows::new(bound.own_rows_bytes),
            peers: Shelf::new(bound.peer_frames_bytes),
            mechanisms: Mechanisms::all(),
        }
    }

    /// The same with these mechanisms.
    pub(crate) const fn with_mechanisms(mut self, mechanisms: Mechanisms) -> Self {
        self.mechanisms = mechanisms;
        self
    }

    /// Keeps a frame of this process, in the order of its numbers.
    pub fn push_own(&mut self, frame: Arc<Frame>) {
        if frame.scope == Scope(0) {
            for older in self.own.insert(frame) {
                self.rows.push(&older);
            }
        }
    }

    /// Keeps a frame of a peer, in any order. One that a kept frame covers is left out; those that it covers go.
    ///
    /// It is copied: a decoded frame may keep a receive buffer alive that is many times its size.
    pub fn push_peer(&mut self, frame: &Frame) {
        if frame.scope == Scope(0) {
            self.peers.insert(Arc::new(detached(frame)));
        }
    }

    /// What is held about a range, from its first number on, for an answer of at most `bytes_max` bytes (more only if a
    /// single frame is larger). Who got the beginning asks again for the rest.
    pub fn frames(&self, stream: Stream, range: Range, bytes_max: usize) -> Found {
        for shelf in [&self.own, &self.peers] {
            let frames = shelf.covering(stream, range, bytes_max);
            if !frames.is_empty() {
                return Found::Frames(frames);
            }
        }
        match self.digest(stream, range, bytes_max) {
            Ok(digest) => Found::Digest(digest),
            Err(gone) => Found::Gone(gone),
        }
    }

    /// Hashes of all that a range touched, from its first number on, as far as it is wholly held and as they fit into
    /// `bytes_max` bytes. The answer states the range that it is for (P-18).
    ///
    /// A node answers with it for a peer's stream only if its own count covers the range, too.
    pub fn digest(&self, stream: Stream, range: Range, bytes_max: usize) -> Result<Digest, Gone> {
        let rows_max = (bytes_max.saturating_sub(FRAME_HEADER_BYTES) / ROW_BYTES_SENT).max(1);
        let mut rows = BTreeSet::new();
        let mut answered = None;
        let mut next = range.first;
        if !self.mechanisms.on(Mechanism::DigestOnlyIfWhole) {
            return Ok(self.digest_of_held(stream, range));
        }
        // digest-only-if-whole: the answer ends before the first number that is not held.
        while let Some((last, more)) = self.touched(stream, next) {
            if rows.len() + more.len() <= rows_max {
                rows.extend(more);
            } else if rows.is_empty() {
                rows.insert(DigestRow::of(&Subject::All));
            } else {
                break;
            }
            answered = Range::new(range.first, last.min(range.last));
            if last >= range.last {
                break;
            }
            next = last.next();
        }
        match answered {
            Some(range) => Ok(Digest { stream, range, rows: rows.into_iter().collect() }),
            None => Err(Gone { stream, range, oldest: self.oldest(stream, range) }),
        }
    }

    /// What it keeps, in bytes of memory, about: own frames, own rows, peers' frames.
    pub const fn bytes(&self) -> JournalBound {
        JournalBound {
            own_frames_bytes: self.own.bytes(),
            own_rows_bytes: self.rows.bytes(),
            peer_frames_bytes: self.peers.bytes(),
        }
    }

    /// Hashes of what is held, said of all of the range.
    fn digest_of_held(&self, stream: Stream, range: Range) -> Digest {
        let held = (range.first.0..=range.last.0).filter_map(|seq| self.touched(stream, Seq(seq)));
        let rows: BTreeSet<_> = held.flat_map(|(_, rows)| rows).collect();
        Digest { stream, range, rows: rows.into_iter().collect() }
    }

    /// What some numbers from `seq` on touched, and the last of them.
    fn touched(&self, stream: Stream, seq: Seq) -> Option<(Seq, Vec<DigestRow>)> {
        if let Some((last, rows)) = self.rows.at(stream, seq) {
            return Some((last, rows.collect()));
        }
        let frame = self.own.at(stream, seq).or_else(|| self.peers.at(stream, seq))?;
        Some((frame.range.last, frame.acts.iter().map(|act| DigestRow::of(&act.subject)).collect()))
    }

    /// The first number of the range that is held in any form; one past its last if there is none.
    fn oldest(&self, stream: Stream, range: Range) -> Seq {
        let held = [
            self.rows.oldest(stream, range.first),
            self.own.oldest(stream, range.first),
            self.peers.oldest(stream, range.first),
        ];
        held.into_iter().flatten().min().map_or(range.last.next(), |seq| seq.min(range.last.next()))
    }
}

fn detached(frame: &Frame) -> Frame {
    let mut acts: Vec<Act> = Vec::with_capacity(frame.acts.len());
    for act in &frame.acts {
        acts.push(act.detached(acts.last()));
    }
    Frame { acts, unknown: Bytes::copy_from_slice(&frame.unknown), ..*frame }
}

/// What a row costs as sent: no codec may need more.
const ROW_BYTES_SENT: usize = 10;

#[cfg(test)]
mod tests;
