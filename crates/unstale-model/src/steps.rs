//! Which steps are possible.

use crate::rule::Rule;
use crate::set::Set;
use crate::state::{Phase, State};
use crate::step::{Step, Stepper};

impl Stepper {
    /// The steps that may be possible. Some of them change nothing.
    pub(crate) fn steps(&self, steps: &mut Vec<Step>) {
        let alive = self.state.alive();
        for life in alive.iter() {
            self.own_steps(life, steps);
            self.count_steps(life, steps);
            self.end_steps(life, steps);
            for peer in alive.without(life).iter() {
                self.pair_steps(life, peer, steps);
            }
        }
        if usize::from(self.state.spent.restarts) < self.bounds.restarts {
            self.starts(steps);
        }
    }

    /// What a node does by itself.
    fn own_steps(&self, of: usize, steps: &mut Vec<Step>) {
        let (state, spent, bounds) = (&self.state, self.state.spent, self.bounds);
        if usize::from(state.now) < bounds.acts {
            steps.push(Step::P3Act { by: of });
        }
        if usize::from(spent.crashes) < bounds.crashes {
            steps.push(Step::Crash { of });
        }
        if usize::from(spent.byes) < bounds.byes {
            steps.push(Step::P29Bye { by: of });
        }
        if usize::from(spent.resets) < bounds.resets && self.knows_that_it_ended(of) {
            steps.push(Step::P34Reset { of });
        }
        if state.life(of).phase == Phase::Joining {
            steps.push(Step::P25Unjoined { at: of });
        }
    }

    /// Somebody alive ended it, or it voted on somebody alive, who will not be heard (P-34).
    fn knows_that_it_ended(&self, of: usize) -> bool {
        let alive = self.state.alive();
        let ended = alive.without(of).iter().any(|other| self.state.life(other).view.gone().has(of));
        ended || !self.state.life(of).voted.both(alive).is_empty()
    }

    /// Frames, and the last way to close a hole.
    fn count_steps(&self, to: usize, steps: &mut Vec<Step>) {
        let life = self.state.life(to);
        for of in (0..usize::from(self.state.born)).filter(|of| self.state.life(*of).slot != life.slot) {
            let acts = self.state.acts_of(of);
            for first in acts.iter() {
                for last in acts.iter().filter(|last| *last >= first) {
                    let range: Set = acts.iter().filter(|act| (first..=last).contains(act)).collect();
                    let is_news = !life.stale.both(range).is_empty() || !life.got.holds(range);
                    if is_news && range.both(life.lost).is_empty() {
                        steps.push(Step::P2Frame { to, first, last });
                    }
                }
                let may_be_lost = !life.got.has(first) && !life.lost.has(first);
                if may_be_lost && usize::from(self.state.spent.losses) < self.bounds.losses {
                    steps.push(Step::Lose { to, act: first });
                }
            }
            if self.repairs(to, of) {
                steps.push(Step::P20Distrust { by: to, of });
            }
        }
    }

    /// Whether a stream has a hole here that is looked after.
    fn repairs(&self, by: usize, of: usize) -> bool {
        let life = self.state.life(by);
        let is_based = life.phase != Phase::Joining || life.admitted.has(of);
        let counts = life.view.members.has(of) && is_based || self.is_returning(by, of);
        counts && self.rules.has(Rule::RepairOfHoles) && !life.got.holds(self.state.acts_of(of))
    }

    fn end_steps(&self, at: usize, steps: &mut Vec<Step>) {
        let life = self.state.life(at);
        for of in life.view.members.iter() {
            let other = self.state.life(of);
            if matches!(other.phase, Phase::Left | Phase::Reset) && self.may_end_cleanly(at, of) {
                steps.push(Step::P29End { at, of });
            }
            let successors = life.view.members.iter().filter(|next| *next > of);
            let is_succeeded = successors.into_iter().any(|next| self.state.life(next).slot == other.slot);
            if other.phase == Phase::Crashed && is_succeeded {
                steps.push(Step::P30Death { at, of });
            }
            if self.is_voted_out(at, of) {
                steps.push(Step::P30End { at, of });
            }
            let may_vote = usize::from(self.state.spent.votes) < self.bounds.votes && self.bounds.nodes >= 3;
            if may_vote && !life.voted.has(of) {
                steps.push(Step::P30Vote { by: at, on: of });
            }
        }
        for of in life.view.doubted.iter().filter(|of| self.is_returning(at, *of)) {
            if life.got.holds(self.state.acts_of(of)) || !self.rules.has(Rule::ResetNamesTail) {
                steps.push(Step::P34Lift { at, of });
            }
        }
    }

    fn may_end_cleanly(&self, at: usize, of: usize) -> bool {
        let life = self.state.life(at);
        let is_counted = life.got.holds(self.state.acts_of(of));
        let is_unbased = life.phase == Phase::Joining && !life.admitted.has(of);
        is_counted || is_unbased || !self.rules.has(Rule::GoodbyeAwaitsTail)
    }

    fn is_voted_out(&self, at: usize, of: usize) -> bool {
        crate::proof::Judge { state: &self.state, rules: self.rules, nodes: self.bounds.nodes }
            .is_voted_out(at, of)
    }

    /// What one does when it hears another one.
    fn pair_steps(&self, at: usize, peer: usize, steps: &mut Vec<Step>) {
        let (life, other) = (self.state.life(at), self.state.life(peer));
        if life.slot == other.slot {
            return;
        }
        for of in (0..usize::from(self.state.born)).filter(|of| *of != at && self.repairs(at, *of)) {
            steps.push(Step::P17Want { by: at, from: peer, of });
            let whole = other.got.holds(self.state.acts_of(of));
            if peer != of && (whole || !self.rules.has(Rule::DigestOnlyIfWhole)) {
                steps.push(Step::P18Digest { by: at, from: peer, of });
            }
        }
        let know_each_other = life.view.members.has(peer) && !other.view.gone().has(at);
        let is_news = !other.view.known().minus(life.view.known().with(at)).is_empty()
            || !other.view.doubted.both(life.view.members).is_empty();
        if know_each_other && is_news {
            steps.push(Step::P21View { by: at, from: peer });
        }
        let wants = other.is_alive()
            && !life.view.gone().has(peer)
            && !other.view.gone().has(at)
            && (other.phase != Phase::Joined && !other.admitted.has(at)
                || !self.rules.has(Rule::BaseOnlyWhileJoining));
        if wants {
            steps.push(Step::P26Admit { by: at, to: peer });
        }
    }

    fn starts(&self, steps: &mut Vec<Step>) {
        let lives = |slot: u8| {
            (0..usize::from(self.state.born)).filter(move |life| self.state.life(*life).slot == slot)
        };
        for slot in 0..self.bounds.nodes as u8 {
            let newest = lives(slot).max().map(|life| self.state.life(life).phase);
            if matches!(newest, None | Some(Phase::Crashed | Phase::Left)) {
                steps.push(Step::P25Start { slot });
            }
        }
    }
}

/// Admissions on their way may arrive even when whoever built them is dead.
pub(crate) fn arrivals(state: &State, steps: &mut Vec<Step>) {
    for at in state.alive().iter() {
        let life = state.life(at);
        for (from, admit) in life.admits.iter().enumerate() {
            if admit.built && !admit.view.gone().has(at) && !life.view.gone().has(from) {
                steps.push(Step::P25Base { at, from });
            }
        }
    }
}
