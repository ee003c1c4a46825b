//! What is switched off or planted, so that the checks can be seen to fail.

use std::sync::Arc;

use unstale::NodeBuilder;

use crate::caches::Bug;
use crate::dice::mix;
use crate::layout::Layout;
use crate::network::Tap;
use crate::planted::{Memo, Planted, Seen};

/// What is wrong with the nodes of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing.
    #[default]
    Nothing,
    /// A mechanism of the first level does not work.
    Engine(unstale_l1::Mechanism),
    /// A mechanism of the protocol, or of what drives it, does not work.
    Protocol(unstale_core::Mechanism),
    /// The node's clock is one that its own thread ticks (P-39).
    SelfTicked,
    /// The node's clock stands while the machine sleeps (P-38).
    NotBoottime,
    /// A bug is planted.
    Planted(Planted),
}

/// Mechanisms that are the clock's, which is the world's.
const OF_CLOCK: [(&str, Mutation); 2] =
    [("clock-not-self-ticked", Mutation::SelfTicked), ("boottime", Mutation::NotBoottime)];

/// Mechanisms of the first level whose lack shows where acts, loads and reads take turns. The others need threads that run side by
/// side, or one exact order: the tests of the engine switch those off.
const OF_ENGINE: &[&str] = &[
    "token-before-read",
    "check-at-store",
    "reader-recheck",
    "floor-recheck",
    "no-old-flight",
    "join-checks-subjects",
    "flatten",
    "token-at-start",
    "set-fences",
    "taint",
];

/// All mechanisms at once: what is left is a naive cache.
const COHERENCE: &str = "coherence";

impl Mutation {
    /// The mechanism of a name, switched off.
    pub fn without(name: &str) -> Option<Self> {
        if name == COHERENCE {
            return Some(Self::Planted(Planted::Naive));
        }
        let clock = OF_CLOCK.into_iter().find(|(known, _)| *known == name).map(|(_, mutation)| mutation);
        let engine = || unstale_l1::Mechanism::ALL.iter().copied().find(|mechanism| mechanism.name() == name);
        let protocol = || unstale_core::Mechanism::from_name(name).map(Self::Protocol);
        clock.or_else(|| engine().map(Self::Engine)).or_else(protocol)
    }

    /// The planted bug of a name.
    pub fn planted(name: &str) -> Option<Self> {
        Planted::from_name(name).map(Self::Planted)
    }

    /// The names of all mechanisms that can be switched off and are then caught here.
    pub fn mechanisms() -> Vec<&'static str> {
        let protocol = unstale_core::Mechanism::ALL.iter().map(|mechanism| mechanism.name());
        OF_ENGINE.iter().copied().chain(protocol).collect()
    }

    /// The names of all bugs that can be planted.
    pub fn all_planted() -> Vec<&'static str> {
        Planted::ALL.iter().map(|planted| planted.name()).collect()
    }

    /// What scenarios of the protocol are told.
    pub fn in_protocol(self) -> Option<&'static str> {
        match self {
            Self::Protocol(mechanism) => Some(mechanism.name()),
            Self::SelfTicked | Self::NotBoottime => {
                OF_CLOCK.iter().find(|(_, mutation)| *mutation == self).map(|(name, _)| *name)
            }
            Self::Nothing | Self::Engine(_) | Self::Planted(_) => None,
        }
    }

    /// Configures a node with it.
    pub fn of(self, builder: NodeBuilder) -> NodeBuilder {
        match self {
            Self::Nothing | Self::SelfTicked | Self::NotBoottime | Self::Planted(_) => builder,
            Self::Engine(mechanism) => builder.engine_without(mechanism),
            Self::Protocol(mechanism) => builder.without(mechanism),
        }
    }

    /// The seed of a process: of its own, unless the bug is that it is its predecessor's.
    pub fn seed(self, seed: u64, node: usize) -> u64 {
        if self == Self::Planted(Planted::SameIdentity) { mix(node as u64 + 1) } else { seed }
    }

    /// What is wrong with the caches of a process.
    pub fn bug(self, layout: Layout) -> Bug {
        match self {
            Self::Planted(planted) => Bug { planted: Some(planted), memo: planted.memo(layout) },
            Self::Nothing | Self::Engine(_) | Self::Protocol(_) | Self::SelfTicked | Self::NotBoottime => {
                Bug::default()
            }
        }
    }

    /// What sees a node's frames before it does.
    pub fn tap(self, memo: Option<Arc<Memo>>, seen: Seen) -> Option<Box<dyn Tap>> {
        match self {
            Self::Planted(planted) => planted.tap(memo, seen),
            Self::Nothing | Self::Engine(_) | Self::Protocol(_) | Self::SelfTicked | Self::NotBoottime => {
                None
            }
        }
    }
}
