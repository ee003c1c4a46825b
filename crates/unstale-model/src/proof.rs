//! What a node may believe: its proof (P-9 to P-12, P-16a, P-27), and whether it may announce (P-31).
//!
//! Beats are not steps. Whatever beat a node could have built is taken as built, and as delivered at the worst moment: a proof is
//! the greatest one that some beat allows. So no beat has a bound, and none needs a place in the state.

use crate::rule::{Rule, Rules};
use crate::state::{Phase, State};

/// A beat that moves a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Beat {
    /// The receiver's instant, come back: the proof that it gives.
    pub(crate) echo: u8,
    /// The instant of the receiver that the echo is of.
    pub(crate) built: u8,
    /// The last number that it says.
    pub(crate) last: u8,
    pub(crate) from: u8,
    /// Who passed it on.
    pub(crate) vouched_by: Option<u8>,
}

/// How far a proof goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// Nothing is proven.
    None,
    /// All before this instant.
    Until(u8),
}

/// The cluster as somebody has to judge it.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) state: &'a State,
    pub(crate) rules: Rules,
    pub(crate) nodes: usize,
}

impl Judge<'_> {
    /// The proof of a node.
    pub(crate) fn proof(&self, at: usize) -> Proof {
        let life = self.state.life(at);
        if life.phase != Phase::Joined {
            return Proof::None;
        }
        let proofs = life.view.members.iter().map(|member| match self.best_beat(at, member) {
            Some(beat) => Proof::Until(beat.echo),
            None => Proof::None,
        });
        if self.rules.has(Rule::SilentMembersCount) {
            proofs.min().unwrap_or(Proof::Until(self.state.now))
        } else {
            proofs.max().unwrap_or(Proof::None)
        }
    }

    /// The beat of a member that gives the greatest proof.
    pub(crate) fn best_beat(&self, at: usize, of: usize) -> Option<Beat> {
        let have = self.state.have(at, of);
        let direct = (0..=self.state.now)
            .filter(|instant| self.echoes(of, at, *instant))
            .filter_map(|instant| self.beat(at, of, instant, have));
        let vouched = self.vouchers(at, of).filter_map(|by| self.best_vouch(at, of, by, have));
        let former = self.former_lives(at).filter_map(|former| self.late_echo(former, of, have));
        direct.chain(vouched).chain(former).max()
    }

    /// Whether there may be a beat of `from` with this instant of `to` in it.
    fn echoes(&self, from: usize, to: usize, instant: u8) -> bool {
        let life = self.state.life(from);
        (life.since[to]..life.until[to]).contains(&instant)
    }

    /// The beat of `of` with this echo, if `at` may use it.
    fn beat(&self, at: usize, of: usize, echo: u8, have: usize) -> Option<Beat> {
        let last = if self.rules.has(Rule::CountBeforeEcho) {
            self.state.last_at(of, echo)
        } else {
            // Its last number was read first, and whatever happened before the echo was read it does not say.
            self.state.last_at(of, self.state.life(of).since[at])
        };
        let usable = have >= last && self.knows_view(at, of, echo);
        usable.then_some(Beat { echo, built: echo, last: last as u8, from: of as u8, vouched_by: None })
    }

    /// Whether `at` knows every member that `of` had when it built a beat (view-hash-in-beat).
    fn knows_view(&self, at: usize, of: usize, built: u8) -> bool {
        if !self.rules.has(Rule::ViewHashInBeat) {
            return true;
        }
        let (known, sender) = (self.state.life(at).view.known().with(at), self.state.life(of));
        sender.view.members.minus(known).iter().all(|unknown| built <= sender.since[unknown])
    }

    fn vouchers(&self, at: usize, of: usize) -> impl Iterator<Item = usize> {
        self.state.life(at).view.members.without(of).iter()
    }

    /// What `by` may tell `at` of the silent `of`: an instant of `at` that it had heard before it stamped what `of` echoed.
    fn best_vouch(&self, at: usize, of: usize, by: usize, have: usize) -> Option<Beat> {
        let echoed = (0..=self.state.now).filter(|instant| self.echoes(of, by, *instant));
        let vouch = |built: u8| {
            let beat = self.beat(at, of, built, have)?;
            let instant =
                if self.rules.has(Rule::VouchBeforeEcho) { built } else { self.newest_heard(by, at)? };
            let heard = self.echoes(by, at, instant);
            heard.then_some(Beat { echo: instant, vouched_by: Some(by as u8), ..beat })
        };
        echoed.filter_map(vouch).max()
    }

    fn newest_heard(&self, by: usize, whose: usize) -> Option<u8> {
        (0..=self.state.now).rev().find(|instant| self.echoes(by, whose, *instant))
    }

    fn former_lives(&self, at: usize) -> impl Iterator<Item = usize> {
        let keyed = self.rules.has(Rule::EchoKeyedByLife);
        let (state, slot) = (self.state, self.state.life(at).slot);
        (0..at).filter(move |former| !keyed && state.life(*former).slot == slot)
    }

    /// An echo for a former life, read as an instant of this one's clock, which began anew: it is later than anything.
    fn late_echo(&self, former: usize, of: usize, have: usize) -> Option<Beat> {
        let echoed = (0..=self.state.now).filter(|instant| self.echoes(of, former, *instant));
        let beat = |built: u8| {
            let last = self.state.last_at(of, built);
            (have >= last).then_some(Beat {
                echo: self.state.now,
                built,
                last: last as u8,
                from: of as u8,
                vouched_by: None,
            })
        };
        echoed.filter_map(beat).max()
    }

    /// Whether the receipt of an act may say `announced`.
    pub(crate) fn may_announce(&self, by: usize) -> bool {
        if self.state.life(by).phase != Phase::Joined {
            return false;
        }
        if !self.rules.has(Rule::WriterLease) {
            return true;
        }
        let grants = self.state.other_slots(by, self.nodes).filter(|slot| self.grants(*slot, by)).count();
        let needed = if self.nodes >= 3 { self.majority(by) - 1 } else { self.least(by) };
        grants >= needed
    }

    /// The configured nodes that did not leave.
    fn electorate(&self, at: usize) -> usize {
        1 + self.state.other_slots(at, self.nodes).filter(|slot| !self.has_left(at, *slot)).count()
    }

    pub(crate) fn majority(&self, at: usize) -> usize {
        self.electorate(at) / 2 + 1
    }

    /// Of two, the other one, unless it left.
    fn least(&self, at: usize) -> usize {
        self.electorate(at) - 1
    }

    fn has_left(&self, at: usize, slot: u8) -> bool {
        self.state.occupant(at, slot).is_some_and(|life| {
            self.state.life(at).view.ended.has(life) && self.state.life(life).phase == Phase::Left
        })
    }

    /// Whether a slot's echo may be younger than the lease: its life had joined and echoed, and no life of the slot has been silent
    /// towards the writer for L and voted.
    fn grants(&self, slot: u8, to: usize) -> bool {
        let Some(by) = self.state.occupant(to, slot) else { return false };
        let (life, asker) = (self.state.life(by), self.state.life(to));
        let is_member = asker.view.members.has(by) && !asker.voted.has(by);
        is_member && life.leased.has(to) && !self.is_void(slot, by, to)
    }

    fn is_void(&self, slot: u8, by: usize, to: usize) -> bool {
        let lapses = [Rule::VoteAfterSilence, Rule::NoEchoAfterVote, Rule::LeaseFromEchoedInstant]
            .into_iter()
            .all(|rule| self.rules.has(rule));
        // An older life's vote says nothing of what this one echoed.
        let mut lives = (by..usize::from(self.state.born)).filter(|life| self.state.life(*life).slot == slot);
        lapses && lives.any(|life| self.state.life(life).voted.has(to))
    }

    /// Whether `at` has heard enough votes to end a life: one for each slot, of members that it hears itself.
    pub(crate) fn is_voted_out(&self, at: usize, whom: usize) -> bool {
        let life = self.state.life(at);
        let voices = self
            .state
            .other_slots(at, self.nodes)
            .filter_map(|slot| self.state.occupant(at, slot))
            .filter(|voter| life.view.members.has(*voter) && !life.voted.has(*voter))
            .filter(|voter| self.state.life(*voter).voted.has(whom))
            .count();
        let votes = voices + usize::from(life.voted.has(whom));
        let needed = if self.rules.has(Rule::MajorityForExclusion) { self.majority(at) } else { 1 };
        self.nodes >= 3 && votes >= needed
    }

    /// Whether each slot has admitted a node, or is known to be empty (P-25).
    pub(crate) fn is_admitted_by_all(&self, at: usize) -> bool {
        let life = self.state.life(at);
        life.admitted.holds(life.view.members)
            && self.state.other_slots(at, self.nodes).all(|slot| self.state.occupant(at, slot).is_some())
    }
}
