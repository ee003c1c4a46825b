//! The rules of the protocol that can be switched off.

use clap::ValueEnum;

/// A mechanism of the protocol. Without it, some promise breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Rule {
    /// P-3: the number is drawn before the call returns
    NumberAtCall,
    /// P-2: a frame holds every act of its range
    RangeHoldsAllKeys,
    /// P-4: an act is visible to readers before it is counted
    ActVisibleBeforeHave,
    /// P-11: what is counted belongs to one life of a process
    IncarnationInKey,
    /// P-20: distrust first, count second
    DistrustBeforeCount,
    /// P-18: only who counts the whole range answers with a digest
    DigestOnlyIfWhole,
    /// P-17: a hole is asked for, else distrusted
    RepairOfHoles,
    /// P-9: a beat reads its echo before its last number
    CountBeforeEcho,
    /// P-12: a silent member holds the proof
    SilentMembersCount,
    /// P-11: a new life ignores echoes for its predecessor
    EchoKeyedByLife,
    /// P-27: a beat counts only for who knows all of the sender's members
    ViewHashInBeat,
    /// P-16a: what is vouched for was heard before what the silent member echoed
    VouchBeforeEcho,
    /// P-25: joined is who was admitted by each slot
    JoinWait,
    /// P-25: nothing is stored before the node has joined
    StoreAfterJoin,
    /// P-25: an admission gives a base only to a node that joins
    BaseOnlyWhileJoining,
    /// P-26: a newcomer is tracked from 0, so what is heard first may be a hole
    FirstHeardIsHole,
    /// P-21: who ended is told to those who never knew
    DeadOriginsInVector,
    /// P-32: an unclean end distrusts what the stream wrote
    DistrustOnUncleanEnd,
    /// P-29: a goodbye ends a stream where it is counted
    GoodbyeAwaitsTail,
    /// P-34: doubts are lifted when the old stream is counted to its last number
    ResetNamesTail,
    /// P-30: a majority ends, not one voice
    MajorityForExclusion,
    /// P-31: no announcement without a lease
    WriterLease,
    /// P-31: the lease counts from the instant echoed
    LeaseFromEchoedInstant,
    /// P-30: a vote comes no sooner than L after the last beat
    VoteAfterSilence,
    /// P-30: who voted neither hears nor echoes the candidate
    NoEchoAfterVote,
}

impl Rule {
    /// Its name, as the command line has it.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The rules that hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    /// The protocol as it is.
    pub const ALL: Self = Self(u32::MAX);

    /// The same without this one.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u32))
    }

    pub(crate) const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }
}
