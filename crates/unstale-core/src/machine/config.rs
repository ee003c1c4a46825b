//! What a machine is told once, when it is made.

use std::time::Duration;

use bytes::Bytes;

use crate::{HostProof, JournalBound, Mechanisms, Name, Size};

/// What a machine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster: nodes of other clusters are refused.
    pub cluster: Name,
    /// The name of this node: the slot that it takes.
    pub name: Name,
    /// Where others can dial this node, if anywhere.
    pub address: Option<Bytes>,
    /// The caches that this node may write; empty means all. What is distrusted when it ends uncleanly (P-32).
    pub scopes: Vec<Name>,
    /// Who the members are, and so who ends a silent one.
    pub membership: Membership,
    /// What only this process can hold while it lives (P-30).
    pub host_proof: Option<HostProof>,
    /// All durations.
    pub timing: Timing,
    /// All bounds.
    pub limits: Limits,
    /// All mechanisms, unless a test switched one off.
    pub mechanisms: Mechanisms,
}

impl Config {
    /// A node of this name that may write every cache, with the default timing and limits.
    pub fn new(cluster: Name, name: Name, membership: Membership) -> Self {
        Self {
            cluster,
            name,
            address: None,
            scopes: Vec::new(),
            membership,
            host_proof: None,
            timing: Timing::default(),
            limits: Limits::default(),
            mechanisms: Mechanisms::default(),
        }
    }
}

/// Who the members are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// No peers.
    Alone,
    /// The configured peers, this node not among them. The electorate is their number + 1; from three on a majority of it
    /// ends a silent member.
    Fixed(Vec<Slot>),
    /// Whoever is found. A silent member is ended by proof of death or by the operator only.
    Elastic,
    /// Whoever is in the broker's register (P-28). The register's arbiter ends a silent member.
    Registered,
}

/// One configured peer (P-25a).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name, if the configuration says it; else it is learnt from a hello over a link dialled to the address, or from one that
    /// gives the address as its own.
    pub name: Option<Name>,
    /// The address under which it is dialled.
    pub address: Bytes,
}

/// All durations of the protocol. [`Timing::default`] is section 6 of streams; all nodes of a cluster need the same `silence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// H: from beat to beat, from round to round, and from one reading of a register to the next. Above 100 members it is 1 ms
    /// for each of them (P-9).
    pub beat: Duration,
    /// After the last frame of a burst, additional beats (P-9).
    pub tail_beats: [Duration; 2],
    /// How long a missing number of an unordered transport may still be under way (P-17).
    pub reorder_grace: Duration,
    /// How long an answer to a repair may take (P-17).
    pub answer: Duration,
    /// How long a member may be unheard before others are asked to vouch for it and operators may end it.
    pub unheard: Duration,
    /// L: how long a member must be unheard before it is voted out (P-30).
    pub silence: Duration,
    /// One round of joining; after two a node works unjoined (P-25).
    pub join_window: Duration,
    /// How long an exchange may take (P-15).
    pub exchange: Duration,
    /// From vote to vote, and how long a voter waits for the end of a member that it voted on and hears again.
    pub vote_repeat: Duration,
    /// The longest transaction: an unclean end is distrusted once more after it (P-32).
    pub longest_transaction: Duration,
    /// How long an ended stream is remembered. It is told to others for nine tenths of that.
    pub remember_ended: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(100),
            tail_beats: [Duration::from_millis(10), Duration::from_millis(30)],
            reorder_grace: Duration::from_millis(20),
            answer: Duration::from_millis(150),
            unheard: Duration::from_millis(250),
            silence: Duration::from_secs(3),
            join_window: Duration::from_millis(200),
            exchange: Duration::from_millis(300),
            vote_repeat: Duration::from_millis(500),
            longest_transaction: Duration::from_secs(30),
            remember_ended: Duration::from_secs(600),
        }
    }
}

impl Timing {
    /// How long an echoed instant is a lease for (P-31): shorter than L by the drift of two clocks and a margin.
    pub(super) fn lease(&self) -> Duration {
        self.silence.mul_f64(1.0 - 2.0 * 500e-6).saturating_sub(Duration::from_millis(50))
    }

    /// How long an ended stream is told to others: shorter than it is remembered, so that nobody hears of one that it forgot.
    pub(super) fn tell_ended(&self) -> Duration {
        self.remember_ended.mul_f64(0.9)
    }
}

/// All bounds of a machine (section 2 of streams). At a bound precision is lost, never a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members; more are refused.
    pub members: usize,
    /// Links; more are not spoken to.
    pub links: usize,
    /// Ended streams that are remembered.
    pub ended: usize,
    /// What waits for one peer; beyond it acts are widened.
    pub peer_queue: Size,
    /// What the journal keeps.
    pub journal: JournalBound,
    /// The most bytes of one message, as the codec counts them; frames and digests are cut to it.
    pub message_bytes: usize,
    /// Exchanges that wait; more are answered at once with the proof there is.
    pub exchanges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 1024,
            links: 4096,
            ended: 4096,
            peer_queue: Size::QUEUE_MAX,
            journal: JournalBound::default(),
            message_bytes: Size::FRAME_MAX.bytes,
            exchanges: 1024,
        }
    }
}
