//! What is known of one member.

use std::time::Duration;

use bytes::Bytes;

use super::hole::Repair;
use super::waiting::{Heard, Waiting};
use crate::{
    EndCause, HostProof, Instant, LinkId, Mechanism, Mechanisms, MemberInfo, Name, PeerQueue, Ranges, Seq,
    Size, Stream, Suspects,
};

/// How a member stands with this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It lives, or is not known to be dead: it holds the proof.
    Live,
    /// It said goodbye; its tail is awaited, and it holds the proof (P-29).
    Leaving { last: Seq, cause: EndCause },
    /// It was ended in doubt and came back: its tail is repaired, then the doubts are lifted. It holds nothing.
    Returning { last: Seq, doubts: Vec<u64> },
}

/// A tracked stream (P-5, section 2).
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of one thing")]
pub(super) struct Member {
    pub(super) name: Name,
    pub(super) address: Option<Bytes>,
    /// Empty: all caches.
    pub(super) scopes: Vec<Name>,
    pub(super) host_proof: Option<HostProof>,
    pub(super) standing: Standing,

    /// What was counted.
    pub(super) count: Ranges,
    /// Whether the count has its base: while joining it comes with the admission (P-25).
    pub(super) based: bool,
    /// Up to here everything should be here.
    pub(super) expected: Seq,
    /// Up to here everything should be here when the grace is over.
    pub(super) soon: Option<Seq>,
    /// The greatest number known to exist.
    pub(super) latest: Seq,
    /// When nothing was known to be missing for the last time.
    pub(super) complete: Instant,
    pub(super) repair: Option<Repair>,
    /// Who else counts most of it.
    pub(super) holder: Option<(Stream, Seq)>,
    /// In which round of beats the count rose for the last time.
    pub(super) counted_round: u64,

    /// Whether it tracks this node's stream.
    pub(super) admitted: bool,
    /// Whether it still joins.
    pub(super) joining: bool,
    /// All that was announced before this instant of this node is here, as far as this member is concerned.
    pub(super) proof: Instant,
    pub(super) waiting: Waiting,
    /// The newest own instant that it echoed itself: the lease (P-31).
    pub(super) echoed: Instant,
    /// Its newest instant: what it is echoed.
    pub(super) seen: Option<Instant>,
    /// What its newest beat said: last number, own instant echoed, view. Passed on to those who do not hear it (P-16a).
    pub(super) said: Option<(Seq, Instant, u64)>,
    /// Who asked to be vouched for: members that it does not hear.
    pub(super) misses: Vec<Stream>,
    /// Its last view that was compared with this node's.
    pub(super) compared: Option<u64>,
    /// When its view was asked for.
    pub(super) view_asked: Instant,

    /// When a new beat of it was processed.
    pub(super) heard: Instant,
    /// When others said that they had heard it.
    pub(super) reported: Instant,
    /// Whether its silence was reported.
    pub(super) silent: bool,
    /// Whether this node voted on it: from then on it is neither heard nor echoed (P-30).
    pub(super) voted: bool,
    /// Whether it came back after that.
    pub(super) heard_again: bool,
    /// The distrust because of a hello under its name while it was silent (P-33).
    pub(super) doubt: Option<u64>,

    pub(super) outgoing: Option<Outgoing>,
    /// The link that its messages came over, and since when.
    pub(super) incoming: Option<(LinkId, Instant)>,
}

/// What is sent to one member.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The newest link that said hello.
    pub(super) link: LinkId,
    pub(super) queue: PeerQueue,
    /// Up to here own frames were given to the link, or were lost before it.
    pub(super) flushed: Seq,
}

impl Outgoing {
    pub(super) fn new(link: LinkId, bound: Size, flushed: Seq, mechanisms: Mechanisms) -> Self {
        Self { link, queue: PeerQueue::with_bound(bound).with_mechanisms(mechanisms), flushed }
    }
}

impl Member {
    pub(super) fn new(name: Name, now: Instant, have: Seq, based: bool) -> Self {
        Self {
            name,
            address: None,
            scopes: Vec::new(),
            host_proof: None,
            standing: Standing::Live,
            count: Ranges::new(have),
            based,
            expected: have,
            soon: None,
            latest: have,
            complete: now,
            repair: None,
            holder: None,
            counted_round: 0,
            admitted: false,
            joining: false,
            proof: Instant::ZERO,
            waiting: Waiting::default(),
            echoed: Instant::ZERO,
            seen: None,
            said: None,
            misses: Vec::new(),
            compared: None,
            view_asked: Instant::ZERO,
            heard: now,
            reported: now,
            silent: false,
            voted: false,
            heard_again: false,
            doubt: None,
            outgoing: None,
            incoming: None,
        }
    }

    pub(super) fn have(&self) -> Seq {
        self.count.have()
    }

    /// Whether it holds the proof, and is in the view.
    pub(super) const fn is_tracked(&self) -> bool {
        match self.standing {
            Standing::Live | Standing::Leaving { .. } => true,
            Standing::Returning { .. } => false,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.standing == Standing::Live
    }

    pub(super) fn is_unheard(&self, now: Instant, after: Duration) -> bool {
        now.since(self.heard) >= after
    }

    /// Keeps what a beat says until it can be used.
    pub(super) fn hold(&mut self, heard: Heard, mechanisms: Mechanisms) {
        // waiting-beats
        if !mechanisms.on(Mechanism::WaitingBeats) {
            self.waiting.clear();
        }
        self.waiting.push(heard);
    }

    /// What it may have written.
    pub(super) fn suspects(&self) -> Suspects {
        if self.scopes.is_empty() { Suspects::Everything } else { Suspects::Caches(self.scopes.clone()) }
    }

    pub(super) fn info(&self, stream: Stream) -> MemberInfo {
        MemberInfo { stream, name: self.name.clone(), address: self.address.clone(), have: self.have() }
    }

    /// Forgets what belongs to this node's own stream, which ended.
    pub(super) fn forget_own_stream(&mut self) {
        self.admitted = false;
        self.proof = Instant::ZERO;
        self.waiting.clear();
        self.echoed = Instant::ZERO;
        self.said = None;
        self.compared = None;
        self.voted = false;
        self.heard_again = false;
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.flushed = Seq::ZERO;
        }
    }
}
