//! The proof: the least over all tracked members (P-12).

use super::member::Member;
use super::{Machine, Output, Proof, State};
use crate::{Instant, Mechanism, Seq, Stream};

impl Machine {
    /// Uses what the beats of a stream say as far as it is counted, and whatever waited for its count.
    pub(super) fn settle(&mut self, stream: Stream) {
        self.use_what_waits(stream);
        self.settle_end(stream);
        self.update_proof();
    }

    /// Raises the proof of one member as far as its stream is counted.
    pub(super) fn use_what_waits(&mut self, stream: Stream) {
        let view = self.roster.hash();
        let mechanisms = self.config.mechanisms;
        let Some(member) = self.members.get_mut(&stream) else { return };
        if member.based && member.is_tracked() {
            let compared = member.compared;
            // view-hash-in-beat: every member that the sender had is known here (P-27).
            let knows = |told: u64| {
                told == view || compared == Some(told) || !mechanisms.on(Mechanism::ViewHashInBeat)
            };
            // count-before-echo: what the sender had announced is here (P-10).
            let is_counted = mechanisms.on(Mechanism::CountBeforeEcho);
            let have = if is_counted { member.have() } else { Seq(u64::MAX) };
            if let Some(echo) = member.waiting.settle(have, knows) {
                member.proof = member.proof.max(echo);
                if let Some(id) = member.doubt.take() {
                    // It was silent, not dead, and nothing of it is missing.
                    self.put(Output::Lift { id });
                }
            }
        }
    }

    pub(super) fn update_proof(&mut self) {
        let proof = self.proof();
        if proof != self.said.proof {
            self.said.proof = proof;
            self.put(Output::Proof(proof));
        }
        self.answer_exchanges();
    }

    pub(super) fn proof(&self) -> Proof {
        match self.joining.state() {
            State::Alone => return Proof::Present,
            State::Joined => {}
            State::Joining | State::Unjoined | State::Left => return Proof::None,
        }
        let least =
            self.members.values().filter(|member| self.holds_proof(member)).map(|member| member.proof).min();
        self.cap(match least {
            None if self.slots.is_any_vacant() => Proof::None,
            None => Proof::Present,
            Some(Instant::ZERO) => Proof::None,
            Some(instant) => Proof::Instant(instant),
        })
    }

    /// register-instant-caps: who came since the register was last read is not known (P-28).
    fn cap(&self, proof: Proof) -> Proof {
        if !self.is_registered() || !self.works(Mechanism::RegisterInstantCaps) {
            return proof;
        }
        match (proof, self.register.read) {
            (Proof::None, _) | (_, Instant::ZERO) => Proof::None,
            (Proof::Present, read) => Proof::Instant(read),
            (Proof::Instant(instant), read) => Proof::Instant(instant.min(read)),
        }
    }

    /// Silent members, fresh ones and those in repair hold it, too: silent-members-count, first-heard-is-hole.
    fn holds_proof(&self, member: &Member) -> bool {
        member.is_tracked()
            && (!member.silent || self.works(Mechanism::SilentMembersCount))
            && (member.seen.is_some() || self.works(Mechanism::FirstHeardIsHole))
    }

    /// Says up to where a stream is counted.
    pub(super) fn say_counted(&mut self, stream: Stream) {
        let Some(member) = self.members.get(&stream).filter(|member| member.based) else { return };
        let have: Seq = member.have();
        self.put(Output::Counted { stream, have });
    }
}
