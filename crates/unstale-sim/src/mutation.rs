//! What is switched off or planted, so that the checks can be seen to fail.

use unstale::NodeBuilder;

use crate::network::Tap;

/// What is wrong with the nodes of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing.
    #[default]
    Nothing,
    /// A mechanism of the first level does not work.
    Engine(unstale_l1::Mechanism),
    /// A mechanism of the protocol does not work.
    Protocol(unstale_core::Mechanism),
    /// The node's clock is one that its own thread ticks (P-39).
    SelfTicked,
    /// The node's clock stands while the machine sleeps (P-38).
    NotBoottime,
}

/// Mechanisms that are the clock's.
const OF_CLOCK: [(&str, Mutation); 2] =
    [("clock-not-self-ticked", Mutation::SelfTicked), ("boottime", Mutation::NotBoottime)];

impl Mutation {
    /// The mechanism of a name, switched off.
    pub fn without(name: &str) -> Option<Self> {
        let engine = unstale_l1::Mechanism::ALL.iter().copied().find(|mechanism| mechanism.name() == name);
        let clock = || OF_CLOCK.into_iter().find(|(known, _)| *known == name);
        let protocol = || unstale_core::Mechanism::from_name(name).map(Self::Protocol);
        engine.map(Self::Engine).or_else(|| clock().map(|(_, mutation)| mutation)).or_else(protocol)
    }

    /// The planted bug of a name.
    pub const fn planted(_name: &str) -> Option<Self> {
        None
    }

    /// The names of all mechanisms that can be switched off and are then caught.
    pub fn mechanisms() -> Vec<&'static str> {
        let engine = unstale_l1::Mechanism::ALL.iter().map(|mechanism| mechanism.name());
        engine.chain(unstale_core::Mechanism::ALL.iter().map(|mechanism| mechanism.name())).collect()
    }

    /// The names of all bugs that can be planted.
    pub const fn all_planted() -> Vec<&'static str> {
        Vec::new()
    }

    /// What scenarios of the protocol are told.
    pub fn in_protocol(self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Engine(_) => None,
            Self::Protocol(mechanism) => Some(mechanism.name()),
            Self::SelfTicked | Self::NotBoottime => {
                OF_CLOCK.iter().find(|(_, mutation)| *mutation == self).map(|(name, _)| *name)
            }
        }
    }

    /// Configures a node with it.
    pub fn of(self, builder: NodeBuilder) -> NodeBuilder {
        match self {
            Self::Nothing | Self::SelfTicked | Self::NotBoottime => builder,
            Self::Engine(mechanism) => builder.engine_without(mechanism),
            Self::Protocol(mechanism) => builder.without(mechanism),
        }
    }

    /// What sees a node's frames before it does.
    pub fn tap(self) -> Option<Box<dyn Tap>> {
        None
    }
}
