//! The state of a cluster, as small as the promises allow.
//!
//! An *instant* is the number of acts that happened before it, anywhere: the promises cannot tell two instants apart between which
//! nothing happened, and no other clock is needed. A *life* is a stream: one incarnation of one process. Each act touches a key of
//! its own, and each stream a scope of its own.

use std::hash::{Hash, Hasher};

use crate::set::Set;

/// The most lives.
pub(crate) const LIVES: usize = 5;
/// The most acts.
pub(crate) const ACTS: usize = 3;

/// The end of an interval that has none yet.
pub(crate) const OPEN: u8 = u8::MAX;

/// What a life is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// Not started.
    #[default]
    Unborn,
    /// Started; stores nothing, proves nothing, announces nothing.
    Joining,
    /// Stores, and has not been admitted by all.
    Unjoined,
    /// Admitted by all.
    Joined,
    /// Said goodbye.
    Left,
    /// Killed.
    Crashed,
    /// Ended by others; its process goes on under another stream.
    Reset,
}

impl Phase {
    pub(crate) const fn is_alive(self) -> bool {
        matches!(self, Self::Joining | Self::Unjoined | Self::Joined)
    }
}

/// An admission on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Admit {
    pub(crate) built: bool,
    /// The admitter's last number.
    pub(crate) last: u8,
    pub(crate) view: View,
}

/// Whom a life tracks, and whose end it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct View {
    /// Members: alive, or not known to be ended.
    pub(crate) members: Set,
    /// Ended, by their own word.
    pub(crate) ended: Set,
    /// Ended in doubt.
    pub(crate) doubted: Set,
}

impl View {
    pub(crate) const fn known(self) -> Set {
        self.members.and(self.gone())
    }

    pub(crate) const fn gone(self) -> Set {
        self.ended.and(self.doubted)
    }
}

/// One stream: what it knows, and what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    /// The slot of its name.
    pub(crate) slot: u8,
    pub(crate) phase: Phase,
    /// Whom it echoed when it had joined: a lease for them.
    pub(crate) leased: Set,
    pub(crate) view: View,
    /// Who admitted it.
    pub(crate) admitted: Set,
    /// Whom it voted on.
    pub(crate) voted: Set,
    /// Acts counted, perhaps above a hole.
    pub(crate) got: Set,
    /// Acts whose key is stored here from before the act.
    pub(crate) stale: Set,
    /// Acts behind a distrust that may be lifted.
    pub(crate) covered: Set,
    /// Acts whose frame does not come by itself.
    pub(crate) lost: Set,
    /// From which instant on it echoed each other one.
    pub(crate) since: [u8; LIVES],
    /// And before which it stopped: 0 if it never began.
    pub(crate) until: [u8; LIVES],
    /// Admissions on their way to it.
    pub(crate) admits: [Admit; LIVES],
}

impl Life {
    pub(crate) const fn is_alive(&self) -> bool {
        self.phase.is_alive()
    }

    pub(crate) const fn stores(&self) -> bool {
        matches!(self.phase, Phase::Unjoined | Phase::Joined)
    }

    /// Acts that a read here would not reflect and would take for trusted.
    pub(crate) const fn unreflected(&self) -> Set {
        self.stale.minus(self.covered)
    }
}

/// All of it at once: the hash of each state is most of the work.
impl Hash for Life {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let sets = [
            self.view.members,
            self.view.ended,
            self.view.doubted,
            self.admitted,
            self.voted,
            self.leased,
            self.got,
            self.stale,
            self.covered,
            self.lost,
        ];
        let mut bytes = [0; 12 + 7 * LIVES];
        bytes[0] = self.slot;
        bytes[1] = self.phase as u8;
        for (place, set) in sets.iter().enumerate() {
            bytes[2 + place] = set.bits();
        }
        for other in 0..LIVES {
            let admit = self.admits[other];
            let row = [self.since[other], self.until[other], u8::from(admit.built), admit.last];
            let view = [admit.view.members.bits(), admit.view.ended.bits(), admit.view.doubted.bits()];
            bytes[12 + 7 * other..][..4].copy_from_slice(&row);
            bytes[16 + 7 * other..][..3].copy_from_slice(&view);
        }
        hasher.write(&bytes);
    }
}

/// An act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Act {
    /// The life whose act it is.
    pub(crate) origin: u8,
    /// Whether its receipt says so.
    pub(crate) announced: bool,
    /// Whether its number was drawn.
    pub(crate) numbered: bool,
}

/// What was spent of the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spent {
    pub(crate) crashes: u8,
    pub(crate) restarts: u8,
    pub(crate) byes: u8,
    pub(crate) votes: u8,
    pub(crate) resets: u8,
    pub(crate) losses: u8,
}

/// A cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    pub(crate) lives: [Life; LIVES],
    pub(crate) acts: [Act; ACTS],
    /// How many acts happened: the present.
    pub(crate) now: u8,
    /// How many lives began.
    pub(crate) born: u8,
    pub(crate) spent: Spent,
}

impl State {
    /// Some nodes that know each other.
    pub(crate) fn joined(nodes: usize) -> Self {
        let mut state = Self { born: nodes as u8, ..Self::default() };
        for (slot, life) in state.lives.iter_mut().take(nodes).enumerate() {
            let others = Set::below(nodes).without(slot);
            life.slot = slot as u8;
            life.phase = Phase::Joined;
            life.view.members = others;
            life.admitted = others;
            life.leased = others;
            for other in others.iter() {
                life.until[other] = OPEN;
            }
        }
        state
    }

    pub(crate) fn life(&self, life: usize) -> &Life {
        &self.lives[life]
    }

    pub(crate) fn alive(&self) -> Set {
        (0..usize::from(self.born)).filter(|life| self.lives[*life].is_alive()).collect()
    }

    /// The acts of a life that have a number.
    pub(crate) fn acts_of(&self, life: usize) -> Set {
        let of = |act: &usize| self.acts[*act].numbered && usize::from(self.acts[*act].origin) == life;
        (0..usize::from(self.now)).filter(of).collect()
    }

    pub(crate) fn announced(&self) -> Set {
        (0..usize::from(self.now)).filter(|act| self.acts[*act].announced).collect()
    }

    /// The last number that a life had given out at an instant.
    pub(crate) fn last_at(&self, life: usize, instant: u8) -> usize {
        self.acts_of(life).iter().filter(|act| *act < usize::from(instant)).count()
    }

    /// What `at` counts of a stream without a hole.
    pub(crate) fn counted(&self, at: usize, of: usize) -> Set {
        let got = self.lives[at].got;
        self.acts_of(of).iter().take_while(|act| got.has(*act)).collect()
    }

    pub(crate) fn have(&self, at: usize, of: usize) -> usize {
        self.counted(at, of).iter().count()
    }

    /// The newest life of a slot that `at` knows of: who takes the slot there.
    pub(crate) fn occupant(&self, at: usize, slot: u8) -> Option<usize> {
        self.lives[at].view.known().iter().filter(|life| self.lives[*life].slot == slot).max()
    }

    /// The slots of the others, as `at` sees them.
    pub(crate) fn other_slots(&self, at: usize, nodes: usize) -> impl Iterator<Item = u8> {
        let own = self.lives[at].slot;
        (0..nodes as u8).filter(move |slot| *slot != own)
    }
}
