//! Holes: how they are seen and how they are closed (P-17 to P-20).

use std::sync::Arc;

use super::link::Control;
use super::member::Standing;
use super::{Closed, DistrustCause, Event, Machine, Order, Output, Suspects, Timing, WakeReason};
use crate::{
    Digest, DigestWant, EndCause, Gone, Instant, LinkId, Mechanism, Message, Range, Ranges, Seq, Stream,
    SuspectFilter, Want,
};

/// A hole that is being closed.
#[derive(Debug)]
pub(super) struct Repair {
    stage: Stage,
    /// What was asked for, and over which link.
    asked: Option<(Range, LinkId)>,
    /// What was missing when it was seen.
    range: Range,
    /// Since when it could have been seen.
    up: Instant,
    seen: Instant,
    progress: Instant,
    how: Closed,
}

/// Who is asked, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The origin, for the acts.
    Origin,
    /// Another member, whose count covers the hole.
    Other,
    /// Whoever of both there is, for a digest.
    Digest,
    /// Nobody for now: the origin is not heard, and the proof waits anyway.
    Unheard,
}

impl Repair {
    pub(super) fn asked_for(&self, range: Range) -> bool {
        self.asked.is_some_and(|(asked, _)| asked.first <= range.last && range.first <= asked.last)
    }
}

impl Machine {
    /// Takes up that everything up to `seq` of a stream was given to this link before.
    pub(super) fn expect(&mut self, link: LinkId, stream: Stream, seq: Seq) {
        if self.delivers_in_order(link, stream) {
            self.expect_at_once(stream, seq);
        } else {
            self.expect_soon(stream, seq);
        }
    }

    /// What is missing up to `seq` is a hole.
    pub(super) fn expect_at_once(&mut self, stream: Stream, seq: Seq) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&stream) else { return };
        member.expected = member.expected.max(seq);
        member.latest = member.latest.max(seq);
        if !member.based {
            return;
        }
        if member.have() >= member.latest {
            member.complete = now;
        }
        if member.have() < member.expected && member.repair.is_none() {
            self.begin_repair(stream);
        }
    }

    /// What is missing up to `seq` is a hole when the grace is over.
    pub(super) fn expect_soon(&mut self, stream: Stream, seq: Seq) {
        let at = self.now.plus(self.config.timing.reorder_grace);
        let Some(member) = self.members.get_mut(&stream) else { return };
        member.latest = member.latest.max(seq);
        if member.latest > member.have() && member.soon.is_none() {
            member.soon = Some(member.latest);
            self.timers.set(WakeReason::Grace(stream), at);
        }
    }

    pub(super) fn on_grace_over(&mut self, stream: Stream) {
        let Some(member) = self.members.get_mut(&stream) else { return };
        let (soon, latest) = (member.soon.take(), member.latest);
        self.expect_at_once(stream, soon.unwrap_or_default());
        self.expect_soon(stream, latest);
    }

    /// Whether what this link carries of a stream comes in the order in which it was given out.
    fn delivers_in_order(&self, link: LinkId, stream: Stream) -> bool {
        let Some((carrier, member)) = self.links.get(&link).zip(self.members.get(&stream)) else {
            return false;
        };
        carrier.order == Order::Fifo
            && carrier.peer == Some(stream)
            && member.incoming.is_some_and(|(incoming, since)| incoming == link && self.now >= since)
    }

    fn begin_repair(&mut self, stream: Stream) {
        let now = self.now;
        let up = self.link_to(stream).and_then(|link| self.links.get(&link)).map_or(now, |link| link.up);
        let Some(member) = self.members.get_mut(&stream) else { return };
        let Some(range) = Range::new(member.have().next(), member.expected) else { return };
        let up = up.max(member.complete);
        member.repair = Some(Repair {
            stage: Stage::Origin,
            asked: None,
            range,
            up,
            seen: now,
            progress: now,
            how: Closed::Replay,
        });
        self.report(Event::GapSeen { stream, range, since_up: now.since(up) });
        self.ask(stream, Stage::Origin);
    }

    /// Asks again from the origin on: there is a new link, or more is missing than was asked for.
    pub(super) fn ask_afresh(&mut self, stream: Stream) {
        if self.members.get(&stream).is_some_and(|member| member.repair.is_some()) {
            self.ask(stream, Stage::Origin);
        }
    }

    fn ask(&mut self, stream: Stream, from: Stage) {
        let mut stage = from;
        loop {
            let whom = match stage {
                Stage::Origin => self.link_to(stream),
                Stage::Other => self.link_to_holder(stream),
                Stage::Digest if self.is_out_of_reach(stream) => None,
                Stage::Digest => self.link_to(stream).or_else(|| self.link_to_holder(stream)),
                Stage::Unheard => return self.wait_for_answer(stream, stage, None),
            };
            if let Some(link) = whom {
                return self.ask_over(stream, stage, link);
            }
            stage = match self.next_stage(stream, stage) {
                Some(next) => next,
                None => return self.give_up(stream),
            };
        }
    }

    fn next_stage(&self, stream: Stream, stage: Stage) -> Option<Stage> {
        match stage {
            Stage::Origin => Some(Stage::Other),
            Stage::Other => Some(Stage::Digest),
            Stage::Digest => self.is_out_of_reach(stream).then_some(Stage::Unheard),
            Stage::Unheard => Some(Stage::Origin),
        }
    }

    fn ask_over(&mut self, stream: Stream, stage: Stage, link: LinkId) {
        let Some(member) = self.members.get(&stream) else { return };
        let ranges: Vec<_> = member.count.holes(member.expected).take(Ranges::ABOVE_MAX).collect();
        let Some((first, last)) = ranges.first().zip(ranges.last()) else { return };
        let asked = Range { first: first.first, last: last.last };
        let Some(carrier) = self.links.get_mut(&link) else { return };
        if stage == Stage::Digest {
            for range in ranges {
                carrier.push(Control::ready(Message::DigestWant(DigestWant { stream, range })));
            }
        } else {
            carrier.push(Control::ready(Message::Want(Want { stream, ranges })));
        }
        self.wait_for_answer(stream, stage, Some((asked, link)));
    }

    fn wait_for_answer(&mut self, stream: Stream, stage: Stage, asked: Option<(Range, LinkId)>) {
        let now = self.now;
        let Some(repair) = self.members.get_mut(&stream).and_then(|member| member.repair.as_mut()) else {
            return;
        };
        repair.stage = stage;
        repair.asked = asked;
        repair.progress = now;
        self.timers.set(WakeReason::Answer(stream), now.plus(self.config.timing.answer));
    }

    pub(super) fn on_answer_late(&mut self, stream: Stream) {
        let answer = self.config.timing.answer;
        let Some(repair) = self.members.get(&stream).and_then(|member| member.repair.as_ref()) else {
            return;
        };
        let (stage, due) = (repair.stage, repair.progress.plus(answer));
        if self.now < due {
            self.timers.set(WakeReason::Answer(stream), due);
        } else {
            self.ask_next(stream, stage);
        }
    }

    fn ask_next(&mut self, stream: Stream, stage: Stage) {
        match self.next_stage(stream, stage) {
            Some(next) => self.ask(stream, next),
            None => self.give_up(stream),
        }
    }

    /// After something was counted: closes the repair, asks for what was not asked for, or grants more time.
    pub(super) fn note_repair_progress(&mut self, stream: Stream) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&stream) else { return };
        let Some(repair) = &mut member.repair else { return };
        repair.progress = now;
        if member.count.have() >= member.expected {
            self.end_repair(stream);
        } else if repair.asked.is_some_and(|(asked, _)| member.count.contains(asked)) {
            self.ask(stream, Stage::Origin);
        }
    }

    fn end_repair(&mut self, stream: Stream) {
        let now = self.now;
        self.timers.clear(WakeReason::Answer(stream));
        let Some(repair) = self.members.get_mut(&stream).and_then(|member| member.repair.take()) else {
            return;
        };
        self.report(Event::GapClosed {
            stream,
            range: repair.range,
            how: repair.how,
            since_up: now.since(repair.up),
            since_seen: now.since(repair.seen),
        });
    }

    /// Nothing more can be had: what the stream may have written is distrusted, then counted (P-20).
    fn give_up(&mut self, stream: Stream) {
        let Some(member) = self.members.get_mut(&stream) else { return };
        let (what, expected) = (member.suspects(), member.expected);
        let Some(range) = Range::new(member.have().next(), expected) else { return };
        if let Some(repair) = &mut member.repair {
            repair.how = Closed::Distrust;
        }
        self.distrust_then_count(Some(what), stream, range);
    }

    pub(super) fn on_digest(&mut self, link: LinkId, digest: &Digest) {
        let stream = digest.stream;
        if self.links.get(&link).is_none_or(|link| link.peer.is_none()) {
            return;
        }
        let Some(member) = self.members.get_mut(&stream) else { return };
        let missing = member.count.holes(digest.range.last).any(|hole| hole.last >= digest.range.first);
        let Some(repair) = member.repair.as_mut().filter(|_| missing) else { return };
        if repair.how == Closed::Replay {
            repair.how = Closed::Digest;
        }
        let suspects = (!digest.rows.is_empty()).then(|| {
            let mut filter = SuspectFilter::default();
            filter.add(&digest.rows);
            Suspects::Hashes(Arc::new(filter))
        });
        self.distrust_then_count(suspects, stream, digest.range);
    }

    /// distrust-before-count: a count says that all of it is covered (P-20).
    fn distrust_then_count(&mut self, suspects: Option<Suspects>, stream: Stream, range: Range) {
        let is_covered_first = self.works(Mechanism::DistrustBeforeCount);
        if !is_covered_first {
            self.count(stream, range);
        }
        if let Some(suspects) = suspects {
            self.distrust(suspects, DistrustCause::Unrepairable(stream));
        }
        if is_covered_first {
            self.count(stream, range);
        }
    }

    pub(super) fn on_gone(&mut self, link: LinkId, gone: Gone) {
        let Some(repair) = self.members.get(&gone.stream).and_then(|member| member.repair.as_ref()) else {
            return;
        };
        if repair.asked_for(gone.range) && repair.asked.is_some_and(|(_, asked)| asked == link) {
            let stage = repair.stage;
            self.ask_next(gone.stream, stage);
        }
    }

    /// Whoever was asked over a link that is down will not answer.
    pub(super) fn ask_elsewhere(&mut self, down: LinkId) {
        let asked = |repair: &Repair| repair.asked.is_some_and(|(_, link)| link == down);
        let streams: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.repair.as_ref().is_some_and(asked))
            .map(|(stream, _)| *stream)
            .collect();
        for stream in streams {
            self.ask(stream, Stage::Origin);
        }
    }

    /// Whether an origin can neither be asked nor be taken for unable to answer: it lives and is not heard, or it has come back and
    /// others heard its last number before its own link is up.
    fn is_out_of_reach(&self, stream: Stream) -> bool {
        let Timing { unheard, silence, .. } = self.config.timing;
        let Some(member) = self.members.get(&stream) else { return false };
        let has_no_link = self.link_to(stream).is_none();
        match member.standing {
            Standing::Live => has_no_link || member.is_unheard(self.now, unheard),
            Standing::Returning { .. } | Standing::Leaving { cause: EndCause::Reset, .. } => {
                let lasts = |repair: &Repair| self.now.since(repair.seen) < silence;
                has_no_link && member.repair.as_ref().is_some_and(lasts)
            }
            Standing::Leaving { .. } => false,
        }
    }

    /// The link to the process of a stream, whatever its incarnation.
    pub(super) fn link_to(&self, stream: Stream) -> Option<LinkId> {
        let chosen = self.members.get(&stream).and_then(|member| member.outgoing.as_ref()).map(|to| to.link);
        chosen.or_else(|| {
            let same = |peer: Stream| peer.process == stream.process;
            self.links.iter().rev().find(|(_, link)| link.peer.is_some_and(same)).map(|(link, _)| *link)
        })
    }

    /// The link to another member that counts all that is missing.
    fn link_to_holder(&self, stream: Stream) -> Option<LinkId> {
        let member = self.members.get(&stream)?;
        let (holder, have) = member.holder?;
        let hole = member.count.holes(member.expected).last()?;
        (have >= hole.last).then(|| self.link_to(holder)).flatten()
    }

    pub(super) fn distrust(&mut self, what: Suspects, cause: DistrustCause) -> u64 {
        self.distrusts += 1;
        let id = self.distrusts;
        self.put(Output::Distrust { id, what, cause });
        id
    }
}
