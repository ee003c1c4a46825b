//! Frames: applied at once, counted in order (P-4).

use std::sync::Arc;

use super::{Machine, Output, Via};
use crate::{Frame, Inserted, LinkId, Range, Scope, Seq, Stream};

impl Machine {
    pub(super) fn on_frame(&mut self, link: LinkId, frame: &Arc<Frame>) {
        let stream = frame.stream;
        if stream.process == self.me.process {
            return;
        }
        let Some(member) = self.members.get(&stream) else {
            // Not tracked: applied, counted nowhere, and no tombstone has to live for ever (P-5).
            self.apply(frame, Via::Live);
            return;
        };
        if frame.scope != Scope(0) {
            // What a filter left out is not here: it must not close a hole of the whole stream (P-7).
            self.apply(frame, Via::Live);
            return;
        }
        if member.count.contains(frame.range) {
            return;
        }
        let via = match &member.repair {
            Some(repair) if repair.asked_for(frame.range) => Via::Repair,
            Some(_) | None => Via::Live,
        };
        self.apply(frame, via);
        self.journal.push_peer(frame);
        self.count(stream, frame.range);
        if let Some(before) = Seq(frame.range.first.0 - 1).some() {
            self.expect(link, stream, before);
        }
        self.expect_at_once(stream, Seq::ZERO);
    }

    /// Counts what was applied or is distrusted: after that was said (P-4, P-20).
    pub(super) fn count(&mut self, stream: Stream, range: Range) {
        let round = self.rows.round();
        let Some(member) = self.members.get_mut(&stream) else { return };
        member.latest = member.latest.max(range.last);
        let raised = member.count.insert(range) == Inserted::Raised;
        if raised {
            member.counted_round = round;
            self.say_counted(stream);
        }
        self.note_repair_progress(stream);
        if raised {
            self.settle(stream);
        }
    }

    fn apply(&mut self, frame: &Arc<Frame>, via: Via) {
        if frame.acts.is_empty() {
            return;
        }
        self.put(Output::Apply {
            stream: frame.stream,
            range: frame.range,
            acts: frame.acts.clone(),
            batch: frame.batch,
            stamp: frame.stamp,
            via,
        });
    }
}

impl Seq {
    const fn some(self) -> Option<Self> {
        if self.0 == 0 { None } else { Some(self) }
    }
}
