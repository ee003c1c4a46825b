//! Beats: signs of life with the last number given out and an echo (P-9 to P-11).

use super::link::{BeatDue, Control};
use super::waiting::Heard;
use super::{Event, Machine, Output, State, WakeReason};
use crate::{Beat, Echo, Instant, LinkId, Mechanism, Message, Stream, VectorRow, ViewWant};

impl Machine {
    pub(super) fn on_beat(&mut self, link: LinkId, beat: &Beat) {
        let stream = beat.stream;
        if self.links.get(&link).is_none_or(|carrier| carrier.peer != Some(stream)) || !self.is_member(stream)
        {
            return self.tell_stranger(link, stream);
        }
        self.note_incoming(link, stream);
        if !self.hear(stream, beat) {
            return;
        }
        self.expect(link, stream, beat.flushed);
        self.expect_at_once(stream, crate::Seq::ZERO);
        self.compare_later(link, stream, beat.view);
        self.take_echo(stream, beat);
        if beat.view == self.roster.hash() {
            self.take_vector(stream, &beat.vector);
        }
        for vouch in &beat.vouches {
            self.take_vouch(stream, vouch);
        }
        if beat.answer {
            self.owe_beat(link, BeatDue::Yes);
        }
        self.settle(stream);
    }

    /// Notes a beat's instant. False if this node voted on its sender: from then on it is neither heard nor echoed (P-30).
    pub(super) fn hear(&mut self, stream: Stream, beat: &Beat) -> bool {
        let is_deaf = self.works(Mechanism::NoEchoAfterVote);
        let Some(member) = self.members.get_mut(&stream) else { return false };
        // no-echo-after-vote.
        if member.voted && is_deaf {
            member.heard_again = true;
            self.regret_vote();
            return false;
        }
        if member.seen.is_some_and(|seen| beat.sent <= seen) {
            return true;
        }
        member.seen = Some(beat.sent);
        let joined = member.joining && !beat.joining;
        member.joining = beat.joining;
        self.note_life(stream);
        if joined {
            self.update_announce();
        }
        true
    }

    /// A member gave a sign of life.
    pub(super) fn note_life(&mut self, stream: Stream) {
        let (now, unheard) = (self.now, self.config.timing.unheard);
        let Some(member) = self.members.get_mut(&stream).filter(|member| member.is_live()) else { return };
        member.heard = now;
        if member.silent {
            member.silent = false;
            let name = member.name.clone();
            self.report(Event::MemberHeard { stream, name });
        }
        self.slots.hear(stream, now);
        self.timers.set_if_none(WakeReason::Silence(stream), now.plus(unheard));
    }

    /// What the beat says about this node's own instants: echo-keyed-by-life, count-before-echo (P-10, P-11).
    fn take_echo(&mut self, stream: Stream, beat: &Beat) {
        let (mechanisms, now, own_last) = (self.config.mechanisms, self.now, self.own.last);
        let is_of_this_life =
            |echo: &Echo| echo.stream == self.me || !mechanisms.on(Mechanism::EchoKeyedByLife);
        let Some(echo) = beat.echo.filter(|echo| is_of_this_life(echo) && echo.instant <= now) else {
            return;
        };
        let Some(member) = self.members.get_mut(&stream) else { return };
        member.hold(Heard { last: beat.last, echo: echo.instant, view: beat.view }, mechanisms);
        let newest = member.said.is_none_or(|(_, said, _)| said < echo.instant);
        if newest {
            member.said = Some((beat.last, echo.instant, beat.view));
        }
        if beat.joining {
            return;
        }
        // lease-from-echoed-instant: not from when the echo came.
        let is_from_echo = mechanisms.on(Mechanism::LeaseFromEchoedInstant);
        let leased_from = if is_from_echo { echo.instant } else { now };
        if leased_from > member.echoed {
            member.echoed = leased_from;
            self.update_announce();
        }
        if echo.have > self.own.confirmed && echo.have <= own_last {
            self.own.confirmed = echo.have;
            self.put(Output::Confirmed { seq: echo.have });
        }
    }

    /// Asks for the members behind a hash that is neither this node's nor compared already (P-27).
    pub(super) fn compare_later(&mut self, link: LinkId, stream: Stream, view: u64) {
        let (now, pause) = (self.now, self.config.timing.beat);
        let known = view == self.roster.hash() || !self.works(Mechanism::ViewHashInBeat);
        let Some(member) = self.members.get_mut(&stream) else { return };
        if known {
            // Should it go back to the view before this one, whoever was in between has ended, and nobody has said how.
            member.compared = None;
        }
        if known || member.compared == Some(view) {
            let echoed = self.surely_told(stream);
            self.life.note_compared(echoed);
            return;
        }
        if now.since(member.view_asked) < pause {
            return;
        }
        member.view_asked = now;
        let want = Message::ViewWant(ViewWant { stream: self.me });
        if let Some(link) = self.links.get_mut(&link) {
            link.push(Control::ready(want));
        }
    }

    /// Up to which of this node's instants a member would have told it that it was ended (P-41). Who joins does not know yet;
    /// where all others join, though, there is nobody else to be told by, and they wait for this node's answer.
    fn surely_told(&self, stream: Stream) -> Instant {
        let Some(member) = self.members.get(&stream) else { return Instant::ZERO };
        let mut others = self.members.values().filter(|other| other.is_live());
        match member.said {
            Some((_, echoed, _)) if others.all(|other| other.joining) => echoed,
            Some(_) | None => member.echoed,
        }
    }

    /// Every H: a beat to each member (P-9), or to those whose turn it is (P-28b).
    pub(super) fn on_beat_due(&mut self) {
        self.timers.set(WakeReason::Beat, self.now.plus(self.period()));
        self.rows
            .open(self.now, self.members.iter().filter_map(|(stream, member)| Some((*stream, member.seen?))));
        for link in self.beat_turn() {
            self.owe_beat(link, BeatDue::Yes);
        }
    }

    pub(super) fn owe_beats(&mut self, due: BeatDue) {
        let links: Vec<_> =
            self.members.values().filter_map(|member| member.outgoing.as_ref()).map(|to| to.link).collect();
        for link in links {
            self.owe_beat(link, due);
        }
    }

    pub(super) fn owe_beat(&mut self, link: LinkId, due: BeatDue) {
        if self.joining.state() != State::Left
            && let Some(link) = self.links.get_mut(&link)
        {
            link.beat = link.beat.max(due);
        }
    }

    pub(super) fn on_tail_due(&mut self, link: LinkId) {
        let [soon, late] = self.config.timing.tail_beats;
        let Some(carrier) = self.links.get_mut(&link) else { return };
        carrier.tails_sent += 1;
        if carrier.tails_sent == 1 {
            self.timers.set(WakeReason::Tail(link), self.now.plus(late.saturating_sub(soon)));
        }
        self.owe_beat(link, BeatDue::Yes);
    }

    /// The beat for a link, if its peer is a member that is sent to over it.
    pub(super) fn build_beat(&mut self, link: LinkId) -> Option<Beat> {
        let carrier = self.links.get_mut(&link)?;
        let due = std::mem::replace(&mut carrier.beat, BeatDue::No);
        let peer = carrier.peer?;
        let member = self.members.get(&peer)?;
        let echoes = !member.voted || !self.works(Mechanism::NoEchoAfterVote);
        let outgoing = member.outgoing.as_ref().filter(|outgoing| outgoing.link == link)?;
        let echo = member.seen.filter(|_| echoes && member.is_live()).map(|instant| Echo {
            stream: peer,
            instant,
            have: if member.based { member.have() } else { crate::Seq::ZERO },
        });
        let flushed = if outgoing.queue.is_empty() { self.own.handed } else { outgoing.flushed };
        let flushed = self.flushed_common(flushed);
        Some(Beat {
            stream: self.me,
            sent: self.now,
            last: self.own.last,
            flushed,
            joining: !self.joining.is_joined(),
            view: self.roster.hash(),
            answer: due == BeatDue::Asking,
            echo,
            vector: self.vector_for(peer),
            vouches: self.vouches_for(peer),
        })
    }

    fn vector_for(&self, peer: Stream) -> Vec<VectorRow> {
        let turn = self.rows.round() as usize % self.roster.len().max(1);
        let unheard = self.config.timing.unheard;
        let row = |(index, stream): (usize, &Stream)| {
            let member = self.members.get(stream).filter(|_| *stream != peer)?;
            let unproven = self.now.since(member.proof) > unheard.saturating_mul(2);
            let silent = member.is_live() && (member.is_unheard(self.now, unheard) || unproven);
            let said = silent || index == turn || member.counted_round + ROUNDS_SAID > self.rows.round();
            let heard_ms = u32::try_from(self.now.since(member.heard).as_millis()).unwrap_or(u32::MAX);
            said.then(|| VectorRow { member: index as u16, have: member.have(), heard_ms, silent })
        };
        let mut rows: Vec<_> = self.roster.iter().enumerate().filter_map(row).collect();
        if rows.len() > VECTOR_ROWS_MAX {
            let turn = (self.rows.round() as usize).wrapping_mul(VECTOR_ROWS_MAX) % rows.len();
            rows.rotate_left(turn);
            rows.truncate(VECTOR_ROWS_MAX);
        }
        rows
    }
}

/// In how many rounds of beats a change is said, so that one lost beat does not matter.
const ROUNDS_SAID: u64 = 3;

/// The most rows in one beat; the others' turn comes.
const VECTOR_ROWS_MAX: usize = 64;
