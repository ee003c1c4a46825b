//! Frames: applied at once, counted in order (P-4).

use super::{Machine, Output, Via};
use crate::{Frame, Inserted, LinkId, Mechanism, Range, Scope, Seq, Stream};

impl Machine {
    pub(super) fn on_frame(&mut self, link: LinkId, frame: Frame) {
        let Frame { stream, range, scope, .. } = frame;
        if stream.process == self.me.process {
            return;
        }
        let Some(member) = self.members.get(&stream).filter(|_| scope == Scope(0)) else {
            // Not tracked: applied, counted nowhere, and no tombstone has to live for ever (P-5). Or part of a stream only: what a filter
            // left out is not here, so it must not close a hole of the whole (P-7).
            return self.apply(frame, Via::Live);
        };
        if member.count.contains(range) {
            return;
        }
        self.base_on_first_heard(stream, range);
        let Some(member) = self.members.get(&stream) else { return };
        let via = match &member.repair {
            Some(repair) if repair.asked_for(range) => Via::Repair,
            Some(_) | None => Via::Live,
        };
        self.journal.push_peer(&frame);
        // act-visible-before-have (P-4).
        let is_visible_first = self.works(Mechanism::ActVisibleBeforeHave);
        if is_visible_first {
            self.apply(frame, via);
            self.count(stream, range);
        } else {
            self.count(stream, range);
            self.apply(frame, via);
        }
        self.expect(link, stream, Seq(range.first.0 - 1));
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

    /// first-heard-is-hole: what lies below the first number that is heard of a newcomer is missing (P-26).
    fn base_on_first_heard(&mut self, stream: Stream, range: Range) {
        if self.works(Mechanism::FirstHeardIsHole) {
            return;
        }
        if let Some(member) = self.members.get_mut(&stream).filter(|member| member.latest == Seq::ZERO) {
            member.count.raise(Seq(range.first.0 - 1));
        }
    }

    fn apply(&mut self, frame: Frame, via: Via) {
        let Frame { stream, range, stamp, batch, voided, acts, .. } = frame;
        if !acts.is_empty() {
            self.put(Output::Apply { stream, range, acts, batch, voided, stamp, via });
        }
    }
}
