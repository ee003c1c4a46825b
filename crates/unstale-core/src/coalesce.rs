//! Coalescing of frames (P-1, P-7 of coherence): fewer frames, wider acts, exact ranges.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::cover::cover;
use crate::size::FRAME_HEADER_BYTES;
use crate::{Act, Batch, Frame, Range, Scope, Size, Stream, Subject, Verb};

/// Merges frames of one stream and scope whose ranges touch, and widens their acts, until all of them fit `bound`.
///
/// Frames of one stream and scope keep their order. If there are too many separate ranges even then, those of one
/// stream and scope become the range around them, with an act on everything, which includes whatever lies between:
/// one act for each stream and scope is the least that can be said, and may be above the bound.
pub(crate) fn coalesce(frames: impl IntoIterator<Item = Arc<Frame>>, bound: Size) -> Vec<Arc<Frame>> {
    let runs = runs(frames);
    let total = runs.iter().map(|run| run.size).sum();
    let merged: Vec<_> = runs.into_iter().map(|run| run.merge(bound, total)).collect();
    if merged.iter().map(|frame| Size::of_frame(frame)).sum::<Size>().fits(bound) {
        merged
    } else {
        hulls(merged)
    }
}

/// Replaces the acts of a frame by wider ones so that it fits `bound`; its range stays as it is (P-2).
///
/// Fields that this version does not know were said of the acts that are replaced, and go with them.
pub(crate) fn narrow(frame: &mut Frame, bound: Size) {
    frame.acts = cover(&frame.acts, without_header(bound));
    frame.unknown = Bytes::new();
    frame.batch = batch_of(frame.batch, &frame.acts);
}

/// A single act cannot be seen by half, so it may be merged with its neighbours.
pub(crate) const fn batch_of(batch: Batch, acts: &[Act]) -> Batch {
    if acts.len() <= 1 { Batch::Loose } else { batch }
}

const fn without_header(bound: Size) -> Size {
    Size { bytes: bound.bytes.saturating_sub(FRAME_HEADER_BYTES), acts: bound.acts }
}

/// Frames of one stream and scope whose ranges touch.
struct Run {
    frames: Vec<Arc<Frame>>,
    range: Range,
    size: Size,
}

impl Run {
    fn new(frame: Arc<Frame>) -> Self {
        Self { range: frame.range, size: Size::of_frame(&frame), frames: vec![frame] }
    }

    fn touches(&self, range: Range) -> bool {
        range.first <= self.range.last.next() && self.range.first <= range.last.next()
    }

    fn push(&mut self, frame: Arc<Frame>) {
        self.range = hull(self.range, frame.range);
        self.size += Size::of_frame(&frame);
        self.frames.push(frame);
    }

    /// One frame for all, within this run's share of `bound`, which all runs together have `total` for.
    fn merge(mut self, bound: Size, total: Size) -> Arc<Frame> {
        let share = self.size.share(bound, total).min(Size::FRAME_MAX);
        if self.frames.len() == 1 && self.size.fits(share) {
            return self.frames.remove(0);
        }
        let acts = cover(self.frames.iter().flat_map(|frame| &frame.acts), without_header(share));
        Arc::new(join(&self.frames, self.range, acts))
    }
}

fn runs(frames: impl IntoIterator<Item = Arc<Frame>>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut latest: BTreeMap<(Stream, Scope), usize> = BTreeMap::new();
    for frame in frames {
        // Never across scopes: a skip of one scope closes no hole of another (P-7).
        let of = (frame.stream, frame.scope);
        match latest.get(&of) {
            Some(&at) if runs[at].touches(frame.range) => runs[at].push(frame),
            Some(_) | None => {
                latest.insert(of, runs.len());
                runs.push(Run::new(frame));
            }
        }
    }
    runs
}

/// One frame with one act on everything for each stream and scope.
fn hulls(frames: Vec<Arc<Frame>>) -> Vec<Arc<Frame>> {
    let mut groups: BTreeMap<(Stream, Scope), Vec<Arc<Frame>>> = BTreeMap::new();
    for frame in frames {
        groups.entry((frame.stream, frame.scope)).or_default().push(frame);
    }
    let everything = |frames: &[Arc<Frame>]| match frames {
        [one] => cover(&one.acts, Size::default()),
        // What lies between them may be anything, so only the strongest verb includes it.
        _ => vec![Act { verb: Verb::Remove, subject: Subject::All }],
    };
    groups
        .into_values()
        .map(|frames| {
            let range = frames.iter().map(|frame| frame.range).reduce(hull).unwrap_or(frames[0].range);
            Arc::new(join(&frames, range, everything(&frames)))
        })
        .collect()
}

/// One frame for `frames`, which are of one stream and scope, with these acts.
fn join(frames: &[Arc<Frame>], range: Range, acts: Vec<Act>) -> Frame {
    let mut joined = Frame { range, acts: Vec::new(), unknown: Bytes::new(), ..Frame::clone(&frames[0]) };
    for frame in frames {
        joined.stamp = joined.stamp.max(frame.stamp);
        joined.hops = joined.hops.max(frame.hops);
        // Of the wider acts as well: who bypasses the store for more than was meant is right, too (P-24).
        joined.voided = joined.voided.and(frame.voided);
        // batch-whole: who holds a commit is applied whole, with all that was merged with it (P-6).
        if frame.batch == Batch::Whole {
            joined.batch = Batch::Whole;
        }
    }
    joined.batch = batch_of(joined.batch, &acts);
    joined.acts = acts;
    joined
}

fn hull(a: Range, b: Range) -> Range {
    Range { first: a.first.min(b.first), last: a.last.max(b.last) }
}
