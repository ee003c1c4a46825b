//! Roll calls: votes on every slot but those of named members. Where each node dials the others under addresses of its own, a slot
//! that never came up has no name that voters share; but who is there has one, and the configured slots are as many everywhere (P-25a).

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Machine, WakeReason};
use crate::{Instant, Name, Stream, VoteOn};

/// Of whom voters say that nobody else was heard for L.
type Names = BTreeSet<Name>;

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct RollCalls {
    /// By voter, with its name.
    others: BTreeMap<Stream, (Name, Names)>,
    own: Option<Names>,
}

impl RollCalls {
    /// Who is known to go on under a new stream has lost its votes (P-30).
    pub(super) fn forget_predecessors(&mut self, name: &Name, successor: Stream) {
        self.others.retain(|voter, (voted, _)| *voter == successor || voted != name);
    }

    /// Votes belong to a stream, and are lost with it.
    pub(super) fn forget_own(&mut self) {
        self.own = None;
    }

    pub(super) fn forget(&mut self, voter: Stream) {
        self.others.remove(&voter);
    }
}

impl Machine {
    /// Whom this node says to be there, once nobody else was heard for L.
    pub(super) fn roll(&self) -> Option<Names> {
        self.roll_due().filter(|due| *due <= self.now).and_then(|_| self.present())
    }

    /// When nobody was heard for L in any slot without a member; never if a slot has one, or if the configuration names them all.
    pub(super) fn roll_due(&self) -> Option<Instant> {
        let mut due = None;
        let mut is_nameless = false;
        for place in self.slots.iter() {
            let is_empty = match place.stream {
                Some(stream) if self.is_tracked(stream) => continue,
                Some(stream) if !self.tombs.contains(stream) && !place.left => return None,
                Some(_) => false,
                None => !place.left,
            };
            is_nameless |= !place.is_named();
            let silent = if is_empty { self.silent_since(place.heard) } else { Instant::ZERO };
            due = due.max(Some(silent));
        }
        due.filter(|_| is_nameless)
    }

    /// The names of all members and of this node. Not to be had if a member has no slot, since it may be the one in a slot that looks
    /// empty, or if two have one name.
    fn present(&self) -> Option<Names> {
        let tracked = self.members.iter().filter(|(_, member)| member.is_tracked());
        let mut names = BTreeSet::from([self.config.name.clone()]);
        for (stream, member) in tracked {
            self.slots.of(*stream)?;
            if !names.insert(member.name.clone()) {
                return None;
            }
        }
        Some(names)
    }

    /// Votes on every slot without a member.
    pub(super) fn call_roll(&mut self) {
        let Some(names) = self.roll() else { return };
        if self.votes.rolls.own.as_ref() == Some(&names) {
            return;
        }
        self.report(Event::VoteCast { on: VoteOn::AllBut(names.iter().cloned().collect()) });
        self.votes.rolls.own = Some(names);
        self.on_votes_due();
        self.count_roll_calls();
    }

    /// Whether a roll call is still worth a word: somebody joins, or a slot is not known to be vacant.
    pub(super) fn wants_roll_call(&self) -> bool {
        self.members.values().any(|member| member.joining)
            || self.slots.iter().any(|place| place.is_empty() && !place.vacant)
    }

    pub(super) fn on_roll_call(&mut self, voter: Stream, slot: Name, names: Vec<Name>) {
        if names.len() <= self.slots.count() {
            self.votes.rolls.others.insert(voter, (slot, names.into_iter().collect()));
            self.count_roll_calls();
        }
    }

    /// With a majority that names the same members as this node has, the slots of all others are vacant: as many slots are left over
    /// here as there, so they are the same ones.
    fn count_roll_calls(&mut self) {
        let Some(present) = self.present() else { return };
        let agree = self.votes.rolls.others.iter().filter(|(_, (_, names))| *names == present);
        let slots: BTreeSet<_> = agree
            .filter(|(voter, _)| self.is_member(**voter))
            .filter_map(|(voter, _)| self.slots.of(*voter))
            .collect();
        let votes = slots.len() + usize::from(self.roll().is_some());
        if !self.slots.can_vote() || votes < self.slots.majority() {
            return;
        }
        for index in 0..self.slots.count() {
            self.find_vacant(index);
        }
    }

    /// Says it again soon to a member that joins.
    pub(super) fn expect_roll_call(&mut self) {
        if self.roll().is_some() {
            self.timers.set_if_none(WakeReason::Votes, self.now.plus(self.config.timing.vote_repeat));
        }
    }

    fn is_tracked(&self, stream: Stream) -> bool {
        self.members.get(&stream).is_some_and(super::member::Member::is_tracked)
    }
}
