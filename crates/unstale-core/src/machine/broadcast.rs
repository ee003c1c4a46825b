//! The common link: what is for all goes over it once (P-28b).

use super::{Machine, WakeReason};
use crate::{Beat, LinkId, Message, PeerQueue, Seq, Stream};

/// A link that reaches all peers.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) link: LinkId,
    /// Own frames that wait for it.
    pub(super) queue: PeerQueue,
    /// Up to here own frames were given to it, or were lost before it.
    pub(super) flushed: Seq,
    /// Whether a beat after a burst is due.
    tail: bool,
    tails_sent: usize,
}

impl Machine {
    pub(super) fn on_common_up(&mut self, link: LinkId) {
        let queue =
            PeerQueue::with_bound(self.config.limits.peer_queue).with_mechanisms(self.config.mechanisms);
        let flushed = self.own.handed;
        self.common = Some(Common { link, queue, flushed, tail: false, tails_sent: 0 });
        self.timers.set_if_none(WakeReason::Round, self.now.plus(self.period()));
    }

    /// What waited is missed by the others, and had again from the journal.
    pub(super) fn on_common_down(&mut self) {
        self.common = None;
        self.timers.clear(WakeReason::CommonTail);
        self.timers.clear(WakeReason::Round);
    }

    pub(super) fn is_common(&self, link: LinkId) -> bool {
        self.common.as_ref().is_some_and(|common| common.link == link)
    }

    /// Who sends is said in the message: the link is everybody's.
    pub(super) fn on_common(&mut self, link: LinkId, message: Message) {
        match message {
            Message::Frame(frame) => self.on_frame(link, frame),
            Message::Beat(beat) => self.on_common_beat(&beat),
            Message::Round(round) => self.on_round(&round),
            Message::Hello(_)
            | Message::Admit(_)
            | Message::Want(_)
            | Message::DigestWant(_)
            | Message::Digest(_)
            | Message::Gone(_)
            | Message::ViewWant(_)
            | Message::View(_)
            | Message::Bye(_)
            | Message::Reset(_)
            | Message::Vote(_)
            | Message::Answer(_) => {}
        }
    }

    fn on_common_beat(&mut self, beat: &Beat) {
        if self.is_member(beat.stream) && self.hear(beat.stream, beat) {
            self.expect_soon(beat.stream, beat.flushed);
        }
    }

    /// The next message for the common link, built now.
    pub(super) fn next_common(&mut self) -> Option<Message> {
        if let Some(round) = self.open_round() {
            return Some(Message::Round(round));
        }
        let common = self.common.as_mut()?;
        if std::mem::take(&mut common.tail) {
            return Some(Message::Beat(self.common_beat()));
        }
        let frame = common.queue.take(self.config.limits.message_bytes)?;
        if frame.stream == self.me {
            common.flushed = common.flushed.max(frame.range.last);
        }
        common.tails_sent = 0;
        let [soon, _] = self.config.timing.tail_beats;
        self.timers.set(WakeReason::CommonTail, self.now.plus(soon));
        Some(Message::Frame(frame))
    }

    pub(super) fn wants_common(&self) -> bool {
        self.may_open_round()
            || self.common.as_ref().is_some_and(|common| common.tail || !common.queue.is_empty())
    }

    pub(super) fn on_common_tail_due(&mut self) {
        let [soon, late] = self.config.timing.tail_beats;
        let Some(common) = self.common.as_mut() else { return };
        common.tails_sent += 1;
        common.tail = true;
        if common.tails_sent == 1 {
            self.timers.set(WakeReason::CommonTail, self.now.plus(late.saturating_sub(soon)));
        }
    }

    /// A beat for all: it echoes nobody.
    fn common_beat(&self) -> Beat {
        Beat {
            stream: self.me,
            sent: self.now,
            last: self.own.last,
            flushed: self.flushed_common(self.own.handed),
            joining: !self.joining.is_joined(),
            view: self.roster.hash(),
            answer: false,
            echo: None,
            vector: Vec::new(),
            vouches: Vec::new(),
        }
    }

    /// Up to where own frames were flushed, given that all other ways say `flushed`.
    pub(super) fn flushed_common(&self, flushed: Seq) -> Seq {
        match &self.common {
            Some(common) if !common.queue.is_empty() => flushed.min(common.flushed),
            Some(_) | None => flushed,
        }
    }

    /// Those that a beat is owed to now: one of them after the other where rounds prove, else as many at once as a broker bears.
    pub(super) fn beat_turn(&mut self) -> Vec<LinkId> {
        let links: Vec<(Stream, LinkId)> = self
            .members
            .iter()
            .filter_map(|(stream, member)| Some((*stream, member.outgoing.as_ref()?.link)))
            .collect();
        let at_once = match &self.common {
            None => links.len(),
            Some(_) if self.do_rounds_run() => 1,
            Some(_) => BEATS_AT_ONCE,
        };
        let begin = links.iter().position(|(stream, _)| *stream > self.beaten).unwrap_or(0);
        let turn: Vec<_> = links.iter().cycle().skip(begin).take(at_once.min(links.len())).copied().collect();
        if let Some((last, _)) = turn.last() {
            self.beaten = *last;
        }
        turn.into_iter().map(|(_, link)| link).collect()
    }
}

/// To how many members a node beats each H while no rounds run.
pub(super) const BEATS_AT_ONCE: usize = 16;
