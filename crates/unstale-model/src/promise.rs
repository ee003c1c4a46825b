//! What is promised, as it can be seen in one state.

use crate::proof::{Judge, Proof};
use crate::set::Set;
use crate::state::Phase;

/// A promise of PROTOCOL.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Promise {
    /// What is proven is reflected.
    S1,
    /// What is counted is reflected.
    S2,
    /// What an ended stream announced is reflected.
    S3,
    /// In the end every hole is closed, and everything is proven.
    S4,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::S1, Self::S2, Self::S3, Self::S4];

    /// Its name, as PROTOCOL.md has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
        }
    }

    /// What it says.
    pub const fn says(self) -> &'static str {
        match self {
            Self::S1 => "an act announced before the proof is reflected",
            Self::S2 => "an act that is counted is reflected",
            Self::S3 => "an act announced by a stream that was ended is reflected",
            Self::S4 => "when nothing more can happen, everything is counted and proven",
        }
    }
}

/// Where a promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) at: usize,
    /// An act that is not reflected there.
    pub(crate) act: usize,
}

impl Judge<'_> {
    /// Where one of S1, S2 and S3 is broken, if it is.
    pub(crate) fn breach(&self, promise: Promise) -> Option<Breach> {
        self.state.alive().iter().find_map(|at| {
            let wrong = match promise {
                Promise::S1 => self.unproven(at),
                Promise::S2 => self.miscounted(at),
                Promise::S3 => self.lost_at_an_end(at),
                Promise::S4 => return None,
            };
            wrong.iter().next().map(|act| Breach { at, act })
        })
    }

    fn unproven(&self, at: usize) -> Set {
        let unreflected = self.state.life(at).unreflected().both(self.state.announced());
        if unreflected.is_empty() {
            return Set::EMPTY;
        }
        match self.proof(at) {
            Proof::None => Set::EMPTY,
            Proof::Until(instant) => unreflected.both(Set::below(usize::from(instant))),
        }
    }

    fn miscounted(&self, at: usize) -> Set {
        let life = self.state.life(at);
        let unreflected = life.unreflected();
        if unreflected.both(life.got).is_empty() {
            return Set::EMPTY;
        }
        let counted = (0..usize::from(self.state.born)).map(|of| self.state.counted(at, of));
        counted.fold(Set::EMPTY, Set::and).both(unreflected)
    }

    fn lost_at_an_end(&self, at: usize) -> Set {
        let life = self.state.life(at);
        let ended = life.view.gone().iter().map(|of| self.state.acts_of(of)).fold(Set::EMPTY, Set::and);
        ended.both(self.state.announced()).both(life.unreflected())
    }

    /// Who has not come to rest, though it could: nobody that it waits for is dead, cut off or unknown, and yet it has not joined, or
    /// misses something, or cannot prove what happened.
    pub(crate) fn unsettled(&self) -> Option<usize> {
        self.state.alive().iter().find(|at| self.is_well(*at) && !self.is_settled(*at))
    }

    fn is_well(&self, at: usize) -> bool {
        let life = self.state.life(at);
        let hear_each_other = |member: usize| {
            let other = self.state.life(member);
            other.is_alive()
                && !life.voted.has(member)
                && !other.voted.has(at)
                && other.view.members.has(at)
                && self.is_alive_or_ended_here(at, other.view.members)
        };
        life.view.members.iter().all(hear_each_other)
            && self.state.other_slots(at, self.nodes).all(|slot| self.state.occupant(at, slot).is_some())
    }

    fn is_alive_or_ended_here(&self, at: usize, members: Set) -> bool {
        let known = self.state.life(at).view.known().with(at);
        members.iter().all(|member| known.has(member))
    }

    fn is_settled(&self, at: usize) -> bool {
        let life = self.state.life(at);
        life.phase == Phase::Joined
            && life.view.members.iter().all(|of| life.got.holds(self.state.acts_of(of)))
            && self.proof(at) == Proof::Until(self.state.now)
    }
}
