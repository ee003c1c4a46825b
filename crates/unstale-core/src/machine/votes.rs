//! Votes: how a majority of a fixed list ends a silent stream, or finds a slot vacant (P-25a, P-30).

use std::collections::{BTreeMap, BTreeSet};

use super::link::Control;
use super::output::SelfEnd;
use super::rollcall::RollCalls;
use super::{Announce, Event, Machine, State, WakeReason};
use crate::{EndCause, Instant, LinkId, Mechanism, Message, Name, Seq, Stream, Vote, VoteOn};

/// What a vote is about, as it is counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Stream(Stream),
    Slot(usize),
}

/// Votes by subject and voter. Only streams that are tracked and slots that are configured have any, and only members vote.
#[derive(Debug, Default)]
pub(super) struct Votes {
    others: BTreeMap<Subject, BTreeMap<Stream, Name>>,
    own: BTreeSet<Subject>,
    /// On all slots without a member at once.
    pub(super) rolls: RollCalls,
}

impl Votes {
    /// Who is known to go on under a new stream has lost its votes (P-30).
    pub(super) fn forget_predecessors(&mut self, name: &Name, successor: Stream) {
        for voters in self.others.values_mut() {
            voters.retain(|voter, voted| *voter == successor || voted != name);
        }
        self.rolls.forget_predecessors(name, successor);
    }

    /// Votes belong to a stream, and are lost with it.
    pub(super) fn forget_own(&mut self) {
        self.own.clear();
        self.rolls.forget_own();
    }

    /// A stream ended: neither its voice nor voices about it count any more.
    pub(super) fn forget(&mut self, stream: Stream) {
        self.others.remove(&Subject::Stream(stream));
        self.own.remove(&Subject::Stream(stream));
        for voters in self.others.values_mut() {
            voters.remove(&stream);
        }
        self.rolls.forget(stream);
    }
}

impl Machine {
    /// Votes for ending a stream that was not heard for L.
    pub(super) fn vote_on(&mut self, stream: Stream) {
        if let Some(member) = self.members.get_mut(&stream) {
            member.voted = true;
        }
        self.cast(Subject::Stream(stream));
        self.update_announce();
    }

    /// Votes for every slot whose stream never came up, or is long forgotten, and that was not heard for L.
    pub(super) fn on_vacancy(&mut self) {
        let (now, timing) = (self.now, self.config.timing);
        if self.joining.state() == State::Left {
            return;
        }
        let mut next = now.plus(timing.silence);
        let mut empty = Vec::new();
        for (index, place) in self.slots.iter().enumerate().filter(|(_, place)| place.is_empty()) {
            let due = self.silent_since(place.heard);
            if due <= now {
                empty.push(Subject::Slot(index));
            } else {
                next = next.min(due);
            }
        }
        for subject in empty {
            self.cast(subject);
        }
        match self.roll_due() {
            Some(due) if due > now => next = next.min(due),
            Some(_) => self.call_roll(),
            None => {}
        }
        self.timers.set(WakeReason::Vacancy, next);
    }

    /// When a slot that was heard last at `heard` was silent for L, as far as this node was awake.
    pub(super) fn silent_since(&self, heard: Instant) -> Instant {
        heard.max(self.life.awake()).plus(self.config.timing.silence)
    }

    fn cast(&mut self, subject: Subject) {
        let Some(on) = self.named(subject) else { return };
        if self.votes.own.insert(subject) {
            self.report(Event::VoteCast { on });
            self.on_votes_due();
            self.count_votes(subject);
        }
    }

    /// Says all votes again, as long as somebody may need them.
    pub(super) fn on_votes_due(&mut self) {
        self.timers.clear(WakeReason::Votes);
        let calls_roll = self.roll().is_some() && self.wants_roll_call();
        if (self.votes.own.is_empty() && !calls_roll) || self.joining.state() == State::Left {
            return;
        }
        let links: Vec<_> =
            self.members.values().filter_map(|member| member.outgoing.as_ref()).map(|to| to.link).collect();
        for link in links {
            self.tell_votes(link);
        }
        self.timers.set(WakeReason::Votes, self.now.plus(self.config.timing.vote_repeat));
    }

    pub(super) fn tell_votes(&mut self, link: LinkId) {
        let somebody_joins = self.members.values().any(|member| member.joining);
        for subject in self.votes.own.clone() {
            let is_settled = match subject {
                Subject::Stream(_) => false,
                Subject::Slot(index) => {
                    self.slots.get(index).is_none_or(|place| place.vacant) && !somebody_joins
                }
            };
            let Some(on) = self.named(subject).filter(|_| !is_settled) else { continue };
            let have = match subject {
                Subject::Stream(stream) => {
                    self.members.get(&stream).map_or(Seq::ZERO, super::member::Member::have)
                }
                Subject::Slot(_) => Seq::ZERO,
            };
            self.tell_vote(link, on, have);
        }
        if self.wants_roll_call()
            && let Some(names) = self.roll()
        {
            self.tell_vote(link, VoteOn::AllBut(names.into_iter().collect()), Seq::ZERO);
        }
    }

    fn tell_vote(&mut self, link: LinkId, on: VoteOn, have: Seq) {
        let vote = Vote { voter: self.me, slot: self.config.name.clone(), on, have };
        if let Some(link) = self.links.get_mut(&link) {
            link.push(Control::ready(Message::Vote(vote)));
        }
    }

    pub(super) fn on_vote(&mut self, vote: Vote) {
        // majority-for-exclusion: a voice counts once for each slot of the fixed list.
        let voter = self.members.get(&vote.voter).filter(|member| member.is_live() && !member.voted);
        if voter.is_none_or(|member| member.name != vote.slot) || self.slots.of(vote.voter).is_none() {
            return;
        }
        let subject = match vote.on {
            VoteOn::Stream(stream) => {
                if stream != self.me && !self.members.get(&stream).is_some_and(super::member::Member::is_live)
                {
                    return;
                }
                self.note_holder(stream, vote.voter, vote.have);
                Subject::Stream(stream)
            }
            VoteOn::Slot(name) => match self.slots.named(&name) {
                Some(index) => Subject::Slot(index),
                None => return,
            },
            VoteOn::AllBut(names) => return self.on_roll_call(vote.voter, vote.slot, names),
        };
        self.votes.others.entry(subject).or_default().insert(vote.voter, vote.slot);
        self.count_votes(subject);
    }

    fn count_votes(&mut self, subject: Subject) {
        let slots: BTreeSet<_> = self
            .votes
            .others
            .get(&subject)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter(|voter| self.is_member(**voter))
            .filter_map(|voter| self.slots.of(*voter))
            .collect();
        let votes = slots.len() + usize::from(self.votes.own.contains(&subject));
        let needed = if self.works(Mechanism::MajorityForExclusion) { self.slots.majority() } else { 1 };
        if !self.slots.can_vote() || votes < needed {
            return;
        }
        match subject {
            Subject::Stream(stream) if stream == self.me => self.take_next_incarnation(SelfEnd::Ended),
            Subject::Stream(stream) => self.end_in_doubt(stream, EndCause::Majority),
            Subject::Slot(index) => self.find_vacant(index),
        }
    }

    /// A slot is vacant until its first hello: nobody waits for it.
    pub(super) fn find_vacant(&mut self, index: usize) {
        let Some(place) = self.slots.get(index).filter(|place| place.is_empty() && !place.vacant) else {
            return;
        };
        let label = place.label();
        self.slots.declare_vacant(index);
        if let Some(slot) = label {
            self.report(Event::SlotVacant { slot });
        }
        self.check_joined();
        self.update_proof();
    }

    /// A member that this node voted on is heard again. It will not hear it, so one of both must go on under a new stream: at once
    /// the one that announces nothing; else this one, if the other does not in time.
    pub(super) fn regret_vote(&mut self) {
        let now = self.now;
        let announces = match self.announce() {
            Announce::Never => false,
            Announce::Until(until) => until > now,
            Announce::Always => true,
        };
        if announces {
            self.timers.set_if_none(WakeReason::Regret, now.plus(self.config.timing.vote_repeat));
        } else {
            self.take_next_incarnation(SelfEnd::VotedInVain);
        }
    }

    pub(super) fn on_regret(&mut self) {
        if self.members.values().any(|member| member.is_live() && member.heard_again) {
            self.take_next_incarnation(SelfEnd::VotedInVain);
        }
    }

    fn named(&self, subject: Subject) -> Option<VoteOn> {
        match subject {
            Subject::Stream(stream) => Some(VoteOn::Stream(stream)),
            Subject::Slot(index) => self.slots.get(index)?.label().map(VoteOn::Slot),
        }
    }
}
