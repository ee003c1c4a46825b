//! Ends of streams: clean, or in doubt (P-29, P-30, P-32, P-34).

use std::time::Duration;

use super::link::Farewell;
use super::member::{Member, Standing};
use super::silence::namesakes;
use super::slots::Leaves;
use super::tombs::{Rest, Tomb};
use super::{DistrustCause, Event, Machine, Output, State, Suspects, WakeReason};
use crate::{Bye, EndCause, Ended, HostProof, LinkId, Mechanism, Name, Ranges, Reset, Seq, Stream};

impl Machine {
    pub(super) fn on_bye(&mut self, link: LinkId, bye: Bye) {
        if self.speaks_for(link, bye.stream) {
            self.end_cleanly(bye.stream, bye.last, EndCause::Bye);
        }
    }

    pub(super) fn on_reset(&mut self, link: LinkId, reset: Reset) {
        if self.speaks_for(link, reset.stream) && reset.next.process == reset.stream.process {
            self.end_cleanly(reset.stream, reset.last, EndCause::Reset);
        }
    }

    fn speaks_for(&self, link: LinkId, stream: Stream) -> bool {
        let peer = self.links.get(&link).and_then(|link| link.peer);
        peer.is_some_and(|peer| peer.process == stream.process)
    }

    /// This node leaves: what waits goes first, then the goodbye, over each link.
    pub(super) fn on_leave(&mut self) {
        self.enter(State::Left);
        for link in self.links.values_mut() {
            link.farewell = Farewell::Due;
        }
        self.retire_if_said();
    }

    /// Ends this node's entry once no goodbye is due any more: each was sent, or its link is gone.
    pub(super) fn retire_if_said(&mut self) {
        if self.links.values().all(|link| link.farewell != Farewell::Due) {
            self.retire();
        }
    }

    /// A stream ended with this last number: it is ended when it is counted up to there (goodbye-awaits-tail, P-29). One that was
    /// ended in doubt came back: the doubts are lifted when its tail is repaired.
    pub(super) fn end_cleanly(&mut self, stream: Stream, last: Seq, cause: EndCause) {
        if let Some(member) = self.members.get_mut(&stream) {
            if !member.is_live() {
                return;
            }
            member.standing = Standing::Leaving { last, cause };
            member.outgoing = None;
            if !member.based {
                // Nothing is stored yet: what it wrote is behind every load that will be.
                member.based = true;
                member.count.raise(last);
            }
        } else {
            let Some(tomb) = self.tombs.get_mut(stream) else { return };
            let Some(rest) = tomb.rest.take() else { return };
            let mut member = Member::new(tomb.name.clone(), self.now, rest.count.have(), true);
            (tomb.last, tomb.cause) = (last, cause);
            member.standing = Standing::Returning { last, doubts: rest.doubts };
            member.scopes = rest.scopes;
            member.count = rest.count;
            self.members.insert(stream, member);
            self.timers.clear(WakeReason::Transaction(stream));
        }
        self.timers.clear(WakeReason::Silence(stream));
        self.expect_at_once(stream, last);
        self.settle_end(stream);
    }

    /// Finishes an end whose tail is counted.
    pub(super) fn settle_end(&mut self, stream: Stream) {
        let Some(member) = self.members.get(&stream) else { return };
        let have = member.have();
        match member.standing.clone() {
            Standing::Leaving { last, cause } if have >= last || !self.awaits_tail(cause) => {
                self.finish(stream, cause, last, None);
            }
            Standing::Returning { last, doubts } if have >= last || !self.awaits_tail(EndCause::Reset) => {
                for id in doubts {
                    self.put(Output::Lift { id });
                }
                self.drop_member(stream);
            }
            Standing::Live | Standing::Leaving { .. } | Standing::Returning { .. } => {}
        }
    }

    /// goodbye-awaits-tail, reset-names-tail: what a stream's own word says it announced has to be here (P-29).
    fn awaits_tail(&self, cause: EndCause) -> bool {
        let mechanism = match cause {
            EndCause::Reset => Mechanism::ResetNamesTail,
            EndCause::Bye
            | EndCause::Majority
            | EndCause::SuccessorHolds
            | EndCause::Operator
            | EndCause::Arbiter => Mechanism::GoodbyeAwaitsTail,
        };
        self.works(mechanism)
    }

    /// Ends a stream whose last numbers nobody may know: what it may have written is distrusted, before the proof goes on
    /// (distrust-on-unclean-end, P-32).
    pub(super) fn end_in_doubt(&mut self, stream: Stream, cause: EndCause) {
        let Some(member) = self.members.get(&stream).filter(|member| member.is_tracked()) else { return };
        let (have, suspects) = (member.have(), member.suspects());
        let mut doubts: Vec<_> = member.doubt.into_iter().collect();
        let doubt = self.doubt(stream, &member.name, cause);
        if !self.joining.takes_bases() && self.works(Mechanism::DistrustOnUncleanEnd) {
            doubts.push(self.distrust(suspects, doubt));
        }
        let rest = self.members.get(&stream).map(|member| Rest {
            count: member.count.clone(),
            scopes: member.scopes.clone(),
            doubts,
            succeeded: false,
        });
        // Its last transaction may still commit.
        self.timers
            .set(WakeReason::Transaction(stream), self.now.plus(self.config.timing.longest_transaction));
        self.finish(stream, cause, have, rest);
    }

    fn finish(&mut self, stream: Stream, cause: EndCause, last: Seq, rest: Option<Rest>) {
        let Some(member) = self.members.get(&stream) else { return };
        let (name, have) = (member.name.clone(), member.have());
        let tomb = Tomb { name: name.clone(), last, cause, at: self.now, rest };
        self.entomb(stream, tomb);
        self.put(Output::Ended { stream, cause, have });
        self.report(Event::MemberEnded { stream, name, cause });
        self.votes.forget(stream);
        self.drop_member(stream);
        self.update_roster();
    }

    fn entomb(&mut self, stream: Stream, tomb: Tomb) {
        let leaves = if tomb.cause == EndCause::Bye { Leaves::Electorate } else { Leaves::Nothing };
        self.slots.end(stream, &tomb.name, leaves);
        // A successor that others told of takes the slot now.
        let heir = namesakes(&self.members, &tomb.name).rfind(|(other, _)| *other != stream);
        if let Some((heir, member)) = heir {
            self.slots.occupy(heir, &member.name, member.address.as_ref());
        }
        let transaction = tomb.at.plus(self.config.timing.longest_transaction);
        if tomb.rest.is_some() && transaction > self.now {
            // Its last one may still commit.
            self.timers.set(WakeReason::Transaction(stream), transaction);
        }
        self.tombs.insert(stream, tomb, self.config.limits.ended);
        self.timers.set_if_none(WakeReason::Forget, self.now.plus(FORGET_EVERY));
    }

    fn drop_member(&mut self, stream: Stream) {
        self.members.remove(&stream);
        self.rounds.forget(stream);
        self.pace.forget(stream);
        self.timers.clear(WakeReason::Silence(stream));
        self.timers.clear(WakeReason::Grace(stream));
        self.timers.clear(WakeReason::Answer(stream));
    }

    /// Remembers the end of a stream that was never tracked here, or that was this node's own, with the distrusts that stand for it.
    pub(super) fn bury(&mut self, end: &Ended, doubts: Vec<u64>) {
        let at = self.now.minus(end.ago());
        // Were it to come back, all of it would be missing, if anything was stored.
        let count = Ranges::new(if doubts.is_empty() { end.last } else { Seq::ZERO });
        let rest = (!end.is_clean()).then_some(Rest { count, scopes: Vec::new(), doubts, succeeded: false });
        self.entomb(end.stream, Tomb { name: end.name.clone(), last: end.last, cause: end.cause, at, rest });
    }

    pub(super) fn ended_told(&self) -> Vec<Ended> {
        self.tombs.told(self.now, self.config.timing.tell_ended())
    }

    /// The longest transaction is over: what the ended stream may have committed since its end is distrusted, unless it came back and
    /// said all it did (P-32).
    pub(super) fn on_transaction_over(&mut self, stream: Stream) {
        self.doubt_again(stream);
    }

    /// A hello under the name of a stream that was voted out and did not come back: it may have written until now, unannounced, and
    /// will not say what (P-33).
    pub(super) fn doubt_predecessors(&mut self, name: &Name, successor: Stream) {
        for stream in self.tombs.succeed(name, successor) {
            self.doubt_again(stream);
        }
    }

    fn doubt_again(&mut self, stream: Stream) {
        let distrusts = !self.joining.takes_bases() && self.works(Mechanism::DistrustOnUncleanEnd);
        let Some(tomb) = self.tombs.get(stream).filter(|_| distrusts) else { return };
        let cause = self.doubt(stream, &tomb.name, tomb.cause);
        let Some(rest) = tomb.rest.as_ref() else { return };
        let what =
            if rest.scopes.is_empty() { Suspects::Everything } else { Suspects::Caches(rest.scopes.clone()) };
        let id = self.distrust(what, cause);
        if let Some(rest) = self.tombs.get_mut(stream).and_then(|tomb| tomb.rest.as_mut()) {
            // Beyond the bound the oldest stays for good: it is not lifted should the stream come back.
            if rest.doubts.len() == DOUBTS_MAX {
                rest.doubts.remove(0);
            }
            rest.doubts.push(id);
        }
    }

    /// Whether a stream that was ended so may come back. Not where another process has its name (P-33).
    pub(super) fn doubt(&self, stream: Stream, name: &Name, cause: EndCause) -> DistrustCause {
        let may_come_back = match cause {
            EndCause::Majority | EndCause::Arbiter | EndCause::Bye | EndCause::Reset => {
                !namesakes(&self.members, name).any(|(other, _)| other.process != stream.process)
            }
            EndCause::SuccessorHolds | EndCause::Operator => false,
        };
        if may_come_back { DistrustCause::Silent(stream) } else { DistrustCause::Dead(stream) }
    }

    pub(super) fn on_forget(&mut self) {
        let forgotten = self.tombs.forget(self.now, self.config.timing.remember_ended);
        for stream in &forgotten {
            self.slots.forget(*stream);
        }
        if !forgotten.is_empty() {
            // A view may list one of them as a member.
            for member in self.members.values_mut() {
                member.compared = None;
            }
        }
        if self.tombs.len() > 0 {
            self.timers.set(WakeReason::Forget, self.now.plus(FORGET_EVERY));
        }
    }

    /// Whoever holds what only one process can hold proves that its predecessor is dead (P-30).
    pub(super) fn prove_death(&mut self, successor: Stream, proof: Option<&HostProof>) {
        let Some(proof) = proof else { return };
        let dead: Vec<_> = self
            .members
            .iter()
            .filter(|(stream, member)| {
                member.is_live()
                    && stream.process != successor.process
                    && member.host_proof.as_ref() == Some(proof)
            })
            .map(|(stream, _)| *stream)
            .collect();
        for stream in dead {
            self.end_in_doubt(stream, EndCause::SuccessorHolds);
        }
    }
}

/// How many distrusts of one ended stream are remembered.
const DOUBTS_MAX: usize = 8;

/// How often ended streams are looked through.
const FORGET_EVERY: Duration = Duration::from_secs(10);

impl Ended {
    pub(super) fn ago(&self) -> Duration {
        Duration::from_millis(u64::from(self.ago_ms))
    }

    /// Whether the last number is the origin's own word.
    pub(super) const fn is_clean(&self) -> bool {
        match self.cause {
            EndCause::Bye | EndCause::Reset => true,
            EndCause::Majority | EndCause::SuccessorHolds | EndCause::Operator | EndCause::Arbiter => false,
        }
    }
}
