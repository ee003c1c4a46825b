//! What a writable link is given: one message at a time, built at that moment (P-9).

use super::link::{BeatDue, Control, Farewell, Turn};
use super::{Machine, WakeReason};
use crate::{Bye, Instant, LinkId, Mechanism, Message, Seq};

impl Machine {
    /// The next message for a link that takes one, built now. `own_last` is the last number of the act log, read after every
    /// input so far was handled, and every output drained: a beat says it, and it must not be older than the beat's echo.
    pub fn poll_transmit(&mut self, now: Instant, link: LinkId, own_last: Seq) -> Option<Message> {
        self.now = self.now.max(now);
        if self.life.is_between() {
            return None;
        }
        // last-read-after-echo: the caller read it after the last input, and echoes are of inputs (P-9).
        let read_before = self.own.last;
        self.own.last = self.own.last.max(own_last);
        if self.is_common(link) {
            return self.next_common();
        }
        while let Some(control) = self.links.get_mut(&link)?.control.pop_front() {
            if let Some(message) = self.write(control) {
                return Some(message);
            }
        }
        if self.links.get(&link)?.beat != BeatDue::No
            && let Some(mut beat) = self.build_beat(link)
        {
            if !self.works(Mechanism::LastReadAfterEcho) {
                beat.last = read_before;
            }
            return Some(Message::Beat(beat));
        }
        self.next_frame(link).or_else(|| self.say_goodbye(link))
    }

    /// Whether [`Machine::poll_transmit`] would give something.
    pub fn wants_to_transmit(&self, _now: Instant, link: LinkId) -> bool {
        if self.is_common(link) {
            return !self.life.is_between() && self.wants_common();
        }
        let Some(carrier) = self.links.get(&link).filter(|_| !self.life.is_between()) else { return false };
        !carrier.control.is_empty()
            || carrier.beat != BeatDue::No
            || !carrier.asked.is_empty()
            || !carrier.replay.is_empty()
            || carrier.farewell == Farewell::Due
            || carrier
                .peer
                .and_then(|peer| self.members.get(&peer)?.outgoing.as_ref())
                .is_some_and(|outgoing| outgoing.link == link && !outgoing.queue.is_empty())
    }

    /// A message that waited; none if it has become void.
    fn write(&mut self, control: Control) -> Option<Message> {
        match control {
            Control::Hello => Some(Message::Hello(self.hello())),
            Control::Admit { to, known } => Some(Message::Admit(self.admit(to, known))),
            Control::View => Some(Message::View(self.view())),
            Control::Answer { pacemaker, hurry } => self.write_answer(pacemaker, hurry).map(Message::Answer),
            Control::Ready(message) => Some(*message),
        }
    }

    /// A live frame or an answer, in turns, so that neither holds up the other.
    fn next_frame(&mut self, link: LinkId) -> Option<Message> {
        let carrier = self.links.get_mut(&link)?;
        let turn = carrier.turn;
        carrier.turn = match turn {
            Turn::Live => Turn::Replay,
            Turn::Replay => Turn::Live,
        };
        match turn {
            Turn::Live => self.next_live(link).or_else(|| self.next_answer(link)),
            Turn::Replay => self.next_answer(link).or_else(|| self.next_live(link)),
        }
    }

    fn next_live(&mut self, link: LinkId) -> Option<Message> {
        let bytes = self.config.limits.message_bytes;
        let peer = self.links.get(&link)?.peer?;
        let outgoing =
            self.members.get_mut(&peer)?.outgoing.as_mut().filter(|outgoing| outgoing.link == link)?;
        let frame = outgoing.queue.take(bytes)?;
        if frame.stream == self.me {
            outgoing.flushed = outgoing.flushed.max(frame.range.last);
        }
        let [soon, _] = self.config.timing.tail_beats;
        self.timers.set(WakeReason::Tail(link), self.now.plus(soon));
        if let Some(carrier) = self.links.get_mut(&link) {
            carrier.tails_sent = 0;
        }
        Some(Message::Frame(frame))
    }

    fn say_goodbye(&mut self, link: LinkId) -> Option<Message> {
        let carrier = self.links.get_mut(&link).filter(|carrier| carrier.farewell == Farewell::Due)?;
        carrier.farewell = Farewell::Said;
        self.retire_if_said();
        Some(Message::Bye(Bye { stream: self.me, last: self.own.last }))
    }
}
