//! One step: which clause acts, and what it changes.

use crate::bounds::Bounds;
use crate::proof::Judge;
use crate::rule::{Rule, Rules};
use crate::set::Set;
use crate::state::{Act, Admit, Life, OPEN, Phase, State, View};

/// A step, named by the clause of PROTOCOL.md that it follows. Lives are numbers: see [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// An act: applied here, numbered, and announced if that may be said.
    P3Act { by: usize },
    /// A frame with the acts of one stream from one to another arrives.
    P2Frame { to: usize, first: usize, last: usize },
    /// A frame will never come by itself.
    Lose { to: usize, act: usize },
    /// A hole is closed by what another one has.
    P17Want { by: usize, from: usize, of: usize },
    /// A hole is closed by a digest.
    P18Digest { by: usize, from: usize, of: usize },
    /// A hole that nobody can close is distrusted.
    P20Distrust { by: usize, of: usize },
    /// A view is compared.
    P21View { by: usize, from: usize },
    /// A process starts.
    P25Start { slot: u8 },
    /// A hello arrives, is taken in, and is answered.
    P26Admit { by: usize, to: usize },
    /// The answer arrives.
    P25Base { at: usize, from: usize },
    /// The join windows are over.
    P25Unjoined { at: usize },
    /// A node leaves.
    P29Bye { by: usize },
    /// A goodbye, or a reset, ends a stream.
    P29End { at: usize, of: usize },
    /// A stream that was ended in doubt is counted to its last number.
    P34Lift { at: usize, of: usize },
    /// A vote, L after the last beat.
    P30Vote { by: usize, on: usize },
    /// A majority ends a stream.
    P30End { at: usize, of: usize },
    /// A successor on the same host proves that a process is dead.
    P30Death { at: usize, of: usize },
    /// A node that was ended takes its next incarnation.
    P34Reset { of: usize },
    /// A process is killed.
    Crash { of: usize },
}

/// Makes one step.
#[derive(Clone, Copy)]
pub(crate) struct Stepper {
    pub(crate) state: State,
    pub(crate) rules: Rules,
    pub(crate) bounds: Bounds,
}

impl Stepper {
    /// The state after a step, or none if it is not possible. A step that changes nothing is none.
    pub(crate) fn make(mut self, step: Step) -> Option<State> {
        let before = self.state;
        match step {
            Step::P3Act { by } => self.act(by),
            Step::P2Frame { to, first, last } => self.frame(to, first, last),
            Step::Lose { to, act } => self.lose(to, act),
            Step::P17Want { by, from, of } => self.want(by, from, of),
            Step::P18Digest { by, from, of } => self.digest(by, from, of),
            Step::P20Distrust { by, of } => self.distrust(by, of),
            Step::P21View { by, from } => self.compare(by, self.state.lives[from].view, Some(from)),
            Step::P25Start { slot } => self.start(slot),
            Step::P26Admit { by, to } => self.admit(by, to),
            Step::P25Base { at, from } => self.base(at, from),
            Step::P25Unjoined { at } => self.state.lives[at].phase = Phase::Unjoined,
            Step::P29Bye { by } => {
                self.state.spent.byes += 1;
                self.die(by, Phase::Left);
            }
            Step::P29End { at, of } => self.end_cleanly(at, of),
            Step::P34Lift { at, of } => self.lift(at, of),
            Step::P30Vote { by, on } => self.vote(by, on),
            Step::P30End { at, of } | Step::P30Death { at, of } => self.end_in_doubt(at, of),
            Step::P34Reset { of } => self.reset(of),
            Step::Crash { of } => {
                self.state.spent.crashes += 1;
                self.die(of, Phase::Crashed);
            }
        }
        self.join_whoever_may();
        (self.state != before).then_some(self.state)
    }

    fn judge(&self) -> Judge<'_> {
        Judge { state: &self.state, rules: self.rules, nodes: self.bounds.nodes }
    }

    fn life(&mut self, life: usize) -> &mut Life {
        &mut self.state.lives[life]
    }

    fn act(&mut self, by: usize) {
        let act = usize::from(self.state.now);
        let announced = self.judge().may_announce(by);
        let numbered = self.rules.has(Rule::NumberAtCall);
        self.state.acts[act] = Act { origin: by as u8, announced, numbered };
        self.state.now += 1;
        let slot = self.state.lives[by].slot;
        for other in self.state.alive().iter() {
            let stores = self.state.lives[other].stores() || !self.rules.has(Rule::StoreAfterJoin);
            if stores && self.state.lives[other].slot != slot {
                let stale = self.state.lives[other].stale.with(act);
                self.life(other).stale = stale;
            }
        }
        if !self.rules.has(Rule::IncarnationInKey) {
            self.count_by_name(by, act);
        }
    }

    /// Counts an act whose number was counted of another life of its slot.
    fn count_by_name(&mut self, by: usize, act: usize) {
        let number = self.state.acts_of(by).iter().count();
        let slot = self.state.lives[by].slot;
        for other in self.state.alive().without(by).iter() {
            let of_slot = |life: &usize| *life != by && self.state.lives[*life].slot == slot;
            let known = self.state.lives[other].view.known();
            let counted = known.iter().filter(of_slot).any(|life| self.state.have(other, life) >= number);
            if counted && known.has(by) {
                let got = self.state.lives[other].got.with(act);
                self.life(other).got = got;
            }
        }
    }

    fn frame(&mut self, to: usize, first: usize, last: usize) {
        let of = usize::from(self.state.acts[first].origin);
        let range: Set = self.state.acts_of(of).iter().filter(|act| (first..=last).contains(act)).collect();
        let content = if self.rules.has(Rule::RangeHoldsAllKeys) { range } else { Set::one(last) };
        let all = self.state.acts_of(of);
        let has_heard = !self.state.lives[to].got.both(all).is_empty();
        let counts = self.state.lives[to].view.members.has(of) || self.is_returning(to, of);
        let takes_base = !self.rules.has(Rule::FirstHeardIsHole) && !has_heard;
        let applies_late = !self.rules.has(Rule::ActVisibleBeforeHave);
        let life = self.life(to);
        if !(counts && applies_late) {
            life.stale = life.stale.minus(content);
        }
        if counts {
            let before = if takes_base { all.both(Set::below(first)) } else { Set::EMPTY };
            life.got = life.got.and(range).and(before);
        }
    }

    fn lose(&mut self, to: usize, act: usize) {
        self.state.spent.losses += 1;
        let lost = self.state.lives[to].lost.with(act);
        self.life(to).lost = lost;
    }

    fn want(&mut self, by: usize, from: usize, of: usize) {
        let all = self.state.acts_of(of);
        let held = if from == of { all } else { all.both(self.state.lives[from].got) };
        let life = self.life(by);
        life.stale = life.stale.minus(held);
        life.got = life.got.and(held);
    }

    /// A digest of what `from` holds, as an answer for all of a stream.
    fn digest(&mut self, by: usize, from: usize, of: usize) {
        let all = self.state.acts_of(of);
        let held = all.both(self.state.lives[from].got);
        let life = self.life(by);
        life.stale = life.stale.minus(held);
        life.got = life.got.and(all);
    }

    fn distrust(&mut self, by: usize, of: usize) {
        let all = self.state.acts_of(of);
        let first = self.rules.has(Rule::DistrustBeforeCount);
        let life = self.life(by);
        if first {
            life.stale = life.stale.minus(all);
        }
        life.got = life.got.and(all);
    }

    /// Takes in what another one knows of members and ends (P-21).
    fn compare(&mut self, by: usize, told: View, from: Option<usize>) {
        let known = self.state.lives[by].view.known().with(by);
        for of in told.gone().minus(known).iter() {
            self.learn_unknown_end(by, of, told.ended.has(of));
        }
        for of in told.doubted.both(self.state.lives[by].view.members).iter() {
            self.end_in_doubt(by, of);
        }
        let known = self.state.lives[by].view.known().with(by);
        for of in told.members.and(from.map_or(Set::EMPTY, Set::one)).minus(known).iter() {
            self.track(by, of);
        }
    }

    fn learn_unknown_end(&mut self, by: usize, of: usize, cleanly: bool) {
        let stores = self.state.lives[by].stores();
        let all = self.state.acts_of(of);
        if stores && !self.rules.has(Rule::DeadOriginsInVector) {
            return;
        }
        let life = self.life(by);
        if !stores || cleanly && all.is_empty() {
            if cleanly {
                life.view.ended = life.view.ended.with(of);
            } else {
                life.view.doubted = life.view.doubted.with(of);
            }
        } else if cleanly {
            life.view.members = life.view.members.with(of);
        } else {
            life.covered = life.covered.and(all);
            life.view.doubted = life.view.doubted.with(of);
        }
    }

    /// Tracks from 0, and echoes from now on (P-26).
    fn track(&mut self, by: usize, of: usize) {
        let now = self.state.now;
        let life = self.life(by);
        life.view.members = life.view.members.with(of);
        life.since[of] = now;
        life.until[of] = OPEN;
    }

    fn start(&mut self, slot: u8) {
        self.state.spent.restarts += 1;
        let phase = if self.rules.has(Rule::JoinWait) { Phase::Joining } else { Phase::Joined };
        let life = usize::from(self.state.born);
        self.state.born += 1;
        *self.life(life) = Life { slot, phase, ..Life::default() };
    }

    fn admit(&mut self, by: usize, to: usize) {
        if !self.state.lives[by].view.known().has(to) {
            self.track(by, to);
        }
        self.compare(by, self.state.lives[to].view, None);
        let last = self.state.acts_of(by).iter().count() as u8;
        let view = self.state.lives[by].view;
        self.life(to).admits[by] = Admit { built: true, last, view };
    }

    fn base(&mut self, at: usize, from: usize) {
        let admit = std::mem::take(&mut self.life(at).admits[from]);
        self.compare(at, admit.view, Some(from));
        if !self.state.lives[at].view.members.has(from) {
            return;
        }
        let below: Set = self.state.acts_of(from).iter().take(usize::from(admit.last)).collect();
        let is_based =
            self.state.lives[at].phase != Phase::Joining || self.state.lives[at].admitted.has(from);
        let takes = !is_based || !self.rules.has(Rule::BaseOnlyWhileJoining);
        let life = self.life(at);
        life.admitted = life.admitted.with(from);
        if takes {
            life.got = life.got.and(below);
        }
    }

    fn end_cleanly(&mut self, at: usize, of: usize) {
        if self.state.lives[at].phase == Phase::Joining {
            // What it wrote is behind every load that will be.
            let all = self.state.acts_of(of);
            let got = self.state.lives[at].got.and(all);
            self.life(at).got = got;
        }
        self.forget(at, of);
        let ended = self.state.lives[at].view.ended.with(of);
        self.life(at).view.ended = ended;
    }

    fn end_in_doubt(&mut self, at: usize, of: usize) {
        let all = self.state.acts_of(of);
        self.forget(at, of);
        let distrusts = self.rules.has(Rule::DistrustOnUncleanEnd);
        let life = self.life(at);
        life.view.doubted = life.view.doubted.with(of);
        if distrusts && life.stores() {
            life.covered = life.covered.and(all.both(life.stale));
        }
    }

    fn forget(&mut self, at: usize, of: usize) {
        let end = self.state.now + 1;
        let life = self.life(at);
        life.view.members = life.view.members.without(of);
        life.admitted = life.admitted.without(of);
        life.admits[of] = Admit::default();
        life.until[of] = life.until[of].min(end);
    }

    pub(crate) fn is_returning(&self, at: usize, of: usize) -> bool {
        let has_said = matches!(self.state.lives[of].phase, Phase::Left | Phase::Reset);
        has_said && self.state.lives[at].view.doubted.has(of)
    }

    fn lift(&mut self, at: usize, of: usize) {
        let all = self.state.acts_of(of);
        let life = self.life(at);
        life.covered = life.covered.minus(all);
        life.view.doubted = life.view.doubted.without(of);
        life.view.ended = life.view.ended.with(of);
    }

    fn vote(&mut self, by: usize, on: usize) {
        self.state.spent.votes += 1;
        let end = self.state.now + 1;
        let stops = self.rules.has(Rule::NoEchoAfterVote);
        let life = self.life(by);
        life.voted = life.voted.with(on);
        if stops {
            life.until[on] = life.until[on].min(end);
        }
    }

    /// What is stored and counted stays, and the node joins again (P-34).
    fn reset(&mut self, of: usize) {
        self.state.spent.resets += 1;
        let old = self.state.lives[of];
        let next = usize::from(self.state.born);
        self.state.born += 1;
        let mut view = old.view;
        view.ended = view.ended.with(of);
        let phase = if old.phase == Phase::Joining { Phase::Joining } else { Phase::Unjoined };
        let Life { slot, got, stale, covered, lost, .. } = old;
        *self.life(next) = Life { slot, phase, view, got, stale, covered, lost, ..Life::default() };
        let now = self.state.now;
        for member in view.members.iter() {
            self.life(next).since[member] = now;
            self.life(next).until[member] = OPEN;
        }
        self.die(of, Phase::Reset);
    }

    /// What a life did stays; what it knew is gone with it.
    fn die(&mut self, of: usize, how: Phase) {
        let end = self.state.now + 1;
        let old = self.state.lives[of];
        let mut until = old.until;
        for until in &mut until {
            *until = (*until).min(end);
        }
        *self.life(of) = Life {
            slot: old.slot,
            phase: how,
            leased: old.leased,
            view: View { members: old.view.members, ..View::default() },
            voted: old.voted,
            since: old.since,
            until,
            ..Life::default()
        };
    }

    fn join_whoever_may(&mut self) {
        for life in self.state.alive().iter() {
            if self.state.lives[life].phase != Phase::Joined && self.judge().is_admitted_by_all(life) {
                self.life(life).phase = Phase::Joined;
            }
            let life = self.life(life);
            if life.phase == Phase::Joined {
                let echoed = life.view.members.iter().filter(|member| life.until[*member] == OPEN);
                life.leased = life.leased.and(echoed.collect());
            }
        }
    }
}
