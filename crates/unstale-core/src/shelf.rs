//! Whole frames, kept in order of arrival up to a bound in bytes of memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::size::{frame_bytes, frame_memory_bytes};
use crate::{Frame, Range, Seq, Stream};

/// Frames by stream and first number; none of them is covered by another one. So a later first means a later last,
/// and the frame that begins nearest below a number reaches furthest beyond it.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    bytes_max: usize,
    bytes: usize,
    frames: BTreeMap<(Stream, Seq), Kept>,
    arrivals: BTreeMap<u64, (Stream, Seq)>,
    next_arrival: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    frame: Arc<Frame>,
    bytes: usize,
    arrival: u64,
}

/// What the two maps of a shelf need for a frame, about.
const PLACE_BYTES: usize = 128;

impl Shelf {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, frames: BTreeMap::new(), arrivals: BTreeMap::new(), next_arrival: 0 }
    }

    /// Keeps a frame, and returns those that had to make room for it, oldest first.
    pub(crate) fn insert(&mut self, frame: Arc<Frame>) -> Vec<Arc<Frame>> {
        // The rule is a frame that continues its stream: it covers nothing and nothing covers it.
        if self.newest(frame.stream).is_some_and(|newest| newest >= frame.range.first) {
            if self.at(frame.stream, frame.range.first).is_some_and(|held| held.range.covers(frame.range)) {
                return Vec::new();
            }
            self.remove_covered(&frame);
        }
        let place = (frame.stream, frame.range.first);
        let bytes = frame_memory_bytes(&frame) + PLACE_BYTES;
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.bytes += bytes;
        self.arrivals.insert(arrival, place);
        self.frames.insert(place, Kept { frame, bytes, arrival });
        self.make_room()
    }

    /// The frames that together hold `range` from its first number on, as far as they are held, in order; not more than
    /// `bytes_max` as sent, but at least one if there is one.
    pub(crate) fn covering(&self, stream: Stream, range: Range, bytes_max: usize) -> Vec<Arc<Frame>> {
        let mut next = range.first;
        let mut bytes = 0;
        let mut found = Vec::new();
        while let Some(frame) = self.at(stream, next) {
            bytes += frame_bytes(frame);
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(Arc::clone(frame));
            if frame.range.last >= range.last {
                break;
            }
            next = frame.range.last.next();
        }
        found
    }

    /// The frame that holds a number and most of what comes after it.
    pub(crate) fn at(&self, stream: Stream, seq: Seq) -> Option<&Arc<Frame>> {
        let (_, kept) = self.frames.range((stream, Seq::ZERO)..=(stream, seq)).next_back()?;
        (kept.frame.range.last >= seq).then_some(&kept.frame)
    }

    /// The first number from `seq` on that is held.
    pub(crate) fn oldest(&self, stream: Stream, seq: Seq) -> Option<Seq> {
        if self.at(stream, seq).is_some() {
            return Some(seq);
        }
        let (place, _) = self.frames.range((stream, seq)..=(stream, Seq(u64::MAX))).next()?;
        Some(place.1)
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last number that is held of a stream.
    fn newest(&self, stream: Stream) -> Option<Seq> {
        let (_, kept) = self.frames.range((stream, Seq::ZERO)..=(stream, Seq(u64::MAX))).next_back()?;
        Some(kept.frame.range.last)
    }

    fn remove_covered(&mut self, frame: &Frame) {
        let covered: Vec<_> = self
            .frames
            .range((frame.stream, frame.range.first)..=(frame.stream, frame.range.last))
            .filter(|(_, kept)| frame.range.covers(kept.frame.range))
            .map(|(place, _)| *place)
            .collect();
        for place in covered {
            self.remove(place);
        }
    }

    fn make_room(&mut self) -> Vec<Arc<Frame>> {
        let mut gone = Vec::new();
        while self.bytes > self.bytes_max {
            let Some((_, place)) = self.arrivals.first_key_value() else { break };
            gone.extend(self.remove(*place));
        }
        gone
    }

    fn remove(&mut self, place: (Stream, Seq)) -> Option<Arc<Frame>> {
        let kept = self.frames.remove(&place)?;
        self.arrivals.remove(&kept.arrival);
        self.bytes -= kept.bytes;
        Some(kept.frame)
    }
}
