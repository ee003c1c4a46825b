//! What the machine wants done.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    Act, Batch, EndCause, Entry, Instant, LinkId, Mechanism, Mechanisms, Name, Range, Seq, Stamp, Stream,
    SuspectFilter, Voided, VoteOn,
};

/// What the machine wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Apply the acts: raise fences, drop entries.
    Apply {
        /// Whose acts.
        stream: Stream,
        /// Their numbers.
        range: Range,
        /// The acts.
        acts: Vec<Act>,
        /// Whether readers must see them whole.
        batch: Batch,
        /// Whether the second level holds nothing any more that they made old (P-24).
        voided: Voided,
        /// The newest stamp among them: merge it.
        stamp: Stamp,
        /// How they came.
        via: Via,
    },
    /// A tracked stream is counted up to `have`; said after what raised it (P-4), and when tracking begins.
    Counted {
        /// Which.
        stream: Stream,
        /// All up to here was applied or is distrusted (S2).
        have: Seq,
    },
    /// Everything announced before this instant is reflected (S1). Replaces what was said before.
    Proof(Proof),
    /// What is resident now is suspect: to be revalidated on use. Comes before the count or the end that it allows (P-20).
    Distrust {
        /// Names it, for [`Output::Lift`].
        id: u64,
        /// What.
        what: Suspects,
        /// Why.
        cause: DistrustCause,
    },
    /// The doubt was resolved exactly: the stream came back, and all it had announced was applied.
    Lift {
        /// The distrust that is over.
        id: u64,
    },
    /// Whether acts of this node are announced when their call returns (P-25, P-31). Replaces what was said before.
    Announce(Announce),
    /// The state changed.
    State(State),
    /// A stream is settled: counted to its last number, or distrusted. Sessions on what was heard of it are met (P-36).
    Ended {
        /// Which.
        stream: Stream,
        /// How.
        cause: EndCause,
        /// The last number that was counted.
        have: Seq,
    },
    /// This node was ended (P-34): restart the act log, hand over what it still held, then [`Input::Restarted`](super::Input::Restarted).
    NextStream {
        /// The stream it goes on with.
        stream: Stream,
    },
    /// An exchange is over.
    Exchanged {
        /// Which.
        id: u64,
        /// The proof now: late enough, or all that could be had in time.
        proof: Proof,
    },
    /// The greatest own number that another member counts (P-23).
    Confirmed {
        /// The number, of the stream that this node has now.
        seq: Seq,
    },
    /// Ask this of the register, in this order; what finds the broker out of reach may be lost (P-28).
    Register(RegisterRequest),
    /// A peer's stamp: merge it, unless it is too far ahead (P-37).
    Stamp(Stamp),
    /// For logs, metrics and events.
    Event(Event),
}

/// What is asked of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterRequest {
    /// Write this node's entry, unless it is there or has ended.
    Enter(Entry),
    /// Renew this node's entry and read all: [`Input::Listed`](super::Input::Listed) answers. The reading MUST begin after this was said.
    Read {
        /// Comes back in the answer.
        reading: u64,
    },
    /// End an entry of this node.
    Retire(Entry),
    /// Let the arbiter end another node's entry, if nothing has changed.
    Expel {
        /// The era in which this was found.
        era: u64,
        /// Which.
        entry: Entry,
        /// How often it was renewed; none if it is not listed.
        renewals: Option<u64>,
    },
}

/// How acts came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// From their origin, for the first time.
    Live,
    /// In answer to a repair.
    Repair,
}

/// Up to when this node has heard everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing is proven.
    None,
    /// Up to this instant of this node.
    Instant(Instant),
    /// Alone: always up to the present.
    Present,
}

/// Whether acts are announced when their call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// They are not.
    Never,
    /// Those that got their number before this instant of this node are.
    Until(Instant),
    /// They are: there is nobody else.
    Always,
}

/// What a node is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet admitted by all: nothing may be stored.
    Joining,
    /// Admitted by all.
    Joined,
    /// Joined, and there is nobody else.
    Alone,
    /// Not admitted by all: fills are stored, but nothing is proven and no act announced.
    Unjoined,
    /// It said goodbye.
    Left,
}

impl State {
    /// Whether what is loaded may be stored: not while a node joins, since it would miss the acts that end it (P-25).
    pub fn stores(self, mechanisms: Mechanisms) -> bool {
        // store-after-join
        match self {
            Self::Joining => !mechanisms.on(Mechanism::StoreAfterJoin),
            Self::Joined | Self::Alone | Self::Unjoined => true,
            Self::Left => false,
        }
    }
}

/// What is suspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspects {
    /// All caches.
    Everything,
    /// These caches.
    Caches(Vec<Name>),
    /// What a digest lists.
    Hashes(Arc<SuspectFilter>),
}

/// Why something is suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistrustCause {
    /// This stream is silent; it may come back, and the doubt be lifted.
    Silent(Stream),
    /// This stream is dead, or silent with another process under its name; its last acts may be unknown.
    Dead(Stream),
    /// Acts of this stream could not be had again.
    Unrepairable(Stream),
    /// This node was out of the cluster for too long to know what it missed.
    Joined,
}

/// How a gap was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The acts themselves came.
    Replay,
    /// Some only as a digest.
    Digest,
    /// Some not at all: their stream's scopes are distrusted.
    Distrust,
}

/// Why a peer was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It belongs to another cluster.
    Cluster(Name),
    /// It speaks these versions of the protocol, first and last.
    Protocol(u16, u16),
    /// There are as many members as the limit allows.
    TooManyMembers(usize),
    /// There are as many links as the limit allows.
    TooManyLinks(usize),
    /// It is this node itself.
    Oneself,
}

/// For logs, metrics and events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Numbers of a live stream are missing.
    GapSeen {
        /// Of which stream.
        stream: Stream,
        /// The first to the last missing number.
        range: Range,
        /// Since its link came up or, if that was earlier, since the number was first known to exist.
        since_up: Duration,
    },
    /// A gap is closed.
    GapClosed {
        /// Of which stream.
        stream: Stream,
        /// What was missing.
        range: Range,
        /// The worst of how.
        how: Closed,
        /// Since the link came up or the number was known to exist.
        since_up: Duration,
        /// Since it was seen.
        since_seen: Duration,
    },
    /// A member is tracked from now on.
    MemberUp {
        /// Its stream.
        stream: Stream,
        /// Its name.
        name: Name,
    },
    /// A member is not heard any more.
    MemberSilent {
        /// Its stream.
        stream: Stream,
        /// Its name.
        name: Name,
    },
    /// A silent member is heard again.
    MemberHeard {
        /// Its stream.
        stream: Stream,
        /// Its name.
        name: Name,
    },
    /// A member's stream was ended.
    MemberEnded {
        /// Its stream.
        stream: Stream,
        /// Its name.
        name: Name,
        /// How.
        cause: EndCause,
    },
    /// Two streams that are both heard have one name (P-33).
    NameTaken {
        /// The name.
        name: Name,
        /// The one that came later.
        stream: Stream,
    },
    /// A peer was refused.
    Refused {
        /// Over which link.
        link: LinkId,
        /// Why.
        reason: Refused,
    },
    /// The operator's word was not taken: no such member or slot, or it is heard.
    EndRefused {
        /// The name.
        name: Name,
    },
    /// This node voted.
    VoteCast {
        /// On what.
        on: VoteOn,
    },
    /// The register is in another era: entries may have been lost, and are written again.
    RegisterLost {
        /// The era that it is in.
        era: u64,
    },
    /// The arbiter was asked to end a member, or one that has ended here and is still in the register: it was neither heard nor
    /// renewed for L.
    ExpelAsked {
        /// Its stream.
        stream: Stream,
        /// Its name.
        name: Name,
    },
    /// Rounds are opened by another node than before.
    Pacemaker {
        /// Its stream; this node's, if it is this one.
        stream: Stream,
        /// Its name.
        name: Name,
    },
    /// A slot is vacant until its first hello.
    SlotVacant {
        /// Its name or, if that is unknown, its address.
        slot: Name,
    },
    /// This node takes the next incarnation.
    SelfEnded {
        /// The stream that ended.
        stream: Stream,
        /// Why.
        why: SelfEnd,
    },
    /// The driver was late: instants before this are not taken as heard or unheard.
    Late {
        /// By how much.
        by: Duration,
    },
}

/// Why a node takes the next incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfEnd {
    /// Others ended its stream.
    Ended,
    /// It was away for longer than L.
    Paused,
    /// It hears a member again that it had voted on: votes are lost with their stream.
    VotedInVain,
    /// A node that had joined did not know it any more.
    Forgotten,
    /// Its lease had run out, and the register has lost, or no longer tells, whether it was ended meanwhile.
    Lapsed,
}
