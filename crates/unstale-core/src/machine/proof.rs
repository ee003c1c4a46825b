//! The proof: the least over all tracked members (P-12).

use super::{Machine, Output, Proof, State};
use crate::{Instant, Seq, Stream};

impl Machine {
    /// Uses what the beats of a stream say as far as it is counted, and whatever waited for its count.
    pub(super) fn settle(&mut self, stream: Stream) {
        let view = self.roster.hash();
        let Some(member) = self.members.get_mut(&stream) else { return };
        if member.based && member.is_tracked() {
            let compared = member.compared;
            // view-hash-in-beat: every member that the sender had is known here (P-27).
            let knows = |told: u64| told == view || compared == Some(told);
            if let Some(echo) = member.waiting.settle(member.count.have(), knows) {
                member.proof = member.proof.max(echo);
                if let Some(id) = member.doubt.take() {
                    // It was silent, not dead, and nothing of it is missing.
                    self.put(Output::Lift { id });
                }
            }
        }
        self.settle_end(stream);
        self.update_proof();
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
        // silent-members-count: silent members, fresh ones and those in repair hold it, too.
        let least =
            self.members.values().filter(|member| member.is_tracked()).map(|member| member.proof).min();
        match least {
            None if self.slots.is_any_vacant() => Proof::None,
            None => Proof::Present,
            Some(Instant::ZERO) => Proof::None,
            Some(instant) => Proof::Instant(instant),
        }
    }

    /// Says up to where a stream is counted.
    pub(super) fn say_counted(&mut self, stream: Stream) {
        let Some(member) = self.members.get(&stream).filter(|member| member.based) else { return };
        let have: Seq = member.have();
        self.put(Output::Counted { stream, have });
    }
}
