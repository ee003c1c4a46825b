//! The label values of what a node counts.

use unstale_core::{Closed, DistrustCause, EndCause, Event, Via};

use super::reasons;

reasons! {
    /// How a read that demanded a freshness was answered.
    pub(crate) enum BoundedOutcome {
        /// The proof was young enough.
        Proven = "proven",
        /// The value's load began within the demand.
        Young = "young",
        /// An exchange brought a young enough proof.
        Exchanged = "exchanged",
        /// It was loaded for this read.
        Loaded = "loaded",
        /// An error was returned.
        Refused = "refused",
        /// The answer was flagged as not proven.
        Flagged = "flagged",
    }
}

reasons! {
    /// How a read with a session token was answered.
    pub(crate) enum SessionOutcome {
        /// The write was applied here already.
        Met = "met",
        /// The read waited for the write.
        Waited = "waited",
        /// The write was not seen in time.
        Late = "late",
        /// The token's origin is not known (any more).
        Unknown = "unknown",
    }
}

reasons! {
    /// Whether a write was announced.
    pub(crate) enum WriteOutcome {
        /// Other nodes' proofs cover it.
        Announced = "announced",
        /// Applied and sent, but the node had no lease.
        Unannounced = "unannounced",
        /// Refused before anything was done.
        Refused = "refused",
    }
}

reasons! {
    /// How acts of other nodes came.
    pub(crate) enum AppliedVia {
        /// From their origin, for the first time.
        Live = "live",
        /// In answer to a repair.
        Repair = "repair",
    }
}

impl From<Via> for AppliedVia {
    fn from(via: Via) -> Self {
        match via {
            Via::Live => Self::Live,
            Via::Repair => Self::Repair,
        }
    }
}

reasons! {
    /// How a gap was closed.
    pub(crate) enum GapClosed {
        /// The acts themselves came.
        Replay = "replay",
        /// Some only as a digest.
        Digest = "digest",
        /// Some not at all.
        Distrust = "distrust",
    }
}

impl From<Closed> for GapClosed {
    fn from(how: Closed) -> Self {
        match how {
            Closed::Replay => Self::Replay,
            Closed::Digest => Self::Digest,
            Closed::Distrust => Self::Distrust,
        }
    }
}

reasons! {
    /// Why something became suspect.
    pub(crate) enum DistrustReason {
        /// A stream is silent.
        Silent = "silent",
        /// A stream is dead.
        Dead = "dead",
        /// Acts could not be had again.
        Unrepairable = "unrepairable",
        /// The node itself was away for too long.
        Joined = "joined",
    }
}

impl From<DistrustCause> for DistrustReason {
    fn from(cause: DistrustCause) -> Self {
        match cause {
            DistrustCause::Silent(_) => Self::Silent,
            DistrustCause::Dead(_) => Self::Dead,
            DistrustCause::Unrepairable(_) => Self::Unrepairable,
            DistrustCause::Joined => Self::Joined,
        }
    }
}

reasons! {
    /// How a member was ended.
    pub(crate) enum EndReason {
        /// It said goodbye.
        Bye = "bye",
        /// It goes on under the next incarnation.
        Reset = "reset",
        /// A majority voted.
        Majority = "majority",
        /// Its successor proved its death.
        Successor = "successor",
        /// An operator said so.
        Operator = "operator",
        /// The arbiter of a register said so.
        Arbiter = "arbiter",
    }
}

impl From<EndCause> for EndReason {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Bye => Self::Bye,
            EndCause::Reset => Self::Reset,
            EndCause::Majority => Self::Majority,
            EndCause::SuccessorHolds => Self::Successor,
            EndCause::Operator => Self::Operator,
            EndCause::Arbiter => Self::Arbiter,
        }
    }
}

reasons! {
    /// What else the protocol machine reports.
    pub(crate) enum ProtocolNote {
        /// A member is tracked.
        MemberUp = "member-up",
        /// A member is not heard any more.
        MemberSilent = "member-silent",
        /// A silent member is heard again.
        MemberHeard = "member-heard",
        /// Two live streams have one name.
        NameTaken = "name-taken",
        /// A peer was refused.
        PeerRefused = "peer-refused",
        /// The operator's word was not taken.
        EndRefused = "end-refused",
        /// The node voted.
        VoteCast = "vote-cast",
        /// A slot is vacant.
        SlotVacant = "slot-vacant",
        /// The node took the next incarnation.
        SelfEnded = "self-ended",
        /// The driver was late.
        Late = "late",
        /// The register is in another era.
        RegisterLost = "register-lost",
        /// The arbiter was asked to end a member.
        ExpelAsked = "expel-asked",
        /// Rounds are opened by another node.
        Pacemaker = "pacemaker",
        /// Something newer than this table.
        Other = "other",
    }
}

impl ProtocolNote {
    /// The note for an event; nothing for those that are counted on their own.
    pub(crate) const fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::GapSeen { .. } | Event::GapClosed { .. } | Event::MemberEnded { .. } => return None,
            Event::MemberUp { .. } => Self::MemberUp,
            Event::MemberSilent { .. } => Self::MemberSilent,
            Event::MemberHeard { .. } => Self::MemberHeard,
            Event::NameTaken { .. } => Self::NameTaken,
            Event::Refused { .. } => Self::PeerRefused,
            Event::EndRefused { .. } => Self::EndRefused,
            Event::VoteCast { .. } => Self::VoteCast,
            Event::SlotVacant { .. } => Self::SlotVacant,
            Event::SelfEnded { .. } => Self::SelfEnded,
            Event::Late { .. } => Self::Late,
            Event::RegisterLost { .. } => Self::RegisterLost,
            Event::ExpelAsked { .. } => Self::ExpelAsked,
            Event::Pacemaker { .. } => Self::Pacemaker,
            _ => Self::Other,
        })
    }
}
