//! What a node shows of itself.

use std::time::Duration;

use bytes::Bytes;

use super::member::{Member, Standing};
use super::{Announce, Limits, Machine, Proof, State, Timing};
use crate::{Instant, JournalBound, Name, Seq, Size, Stream};

/// A snapshot of a machine, for readiness, consoles and tests.
#[derive(Clone, Debug)]
pub struct Status {
    /// The stream it has now.
    pub stream: Stream,
    /// Its name.
    pub name: Name,
    /// What it is in its cluster.
    pub state: State,
    /// Up to when it has heard everything.
    pub proof: Proof,
    /// Whether its acts are announced.
    pub announce: Announce,
    /// The hash of its members, itself included, that its beats carry.
    pub view: u64,
    /// The last of its numbers that it knows of.
    pub last: Seq,
    /// The tracked members, sorted by stream.
    pub members: Vec<MemberStatus>,
    /// The slots of a fixed list, this node's not among them.
    pub slots: Vec<SlotStatus>,
    /// Of how many a majority is taken; 1 without a fixed list.
    pub electorate: usize,
    /// How many ended streams are remembered.
    pub ended: usize,
    /// How many links are up.
    pub links: usize,
    /// What the journal holds.
    pub journal: JournalBound,
    /// The durations in force.
    pub timing: Timing,
    /// The bounds in force.
    pub limits: Limits,
}

/// What a node shows of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, shown one by one")]
pub struct MemberStatus {
    /// Its stream.
    pub stream: Stream,
    /// Its name.
    pub name: Name,
    /// Where it can be dialled, if anywhere.
    pub address: Option<Bytes>,
    /// Up to where it is counted.
    pub have: Seq,
    /// The last of its numbers known to exist.
    pub latest: Seq,
    /// Since when no beat of it was heard.
    pub heard_ago: Duration,
    /// How old the proof is as far as it is concerned; none before the first.
    pub proof_age: Option<Duration>,
    /// Whether it admitted this node.
    pub admitted: bool,
    /// Whether it still joins.
    pub joining: bool,
    /// Whether it said goodbye, and only its tail is awaited.
    pub leaving: bool,
    /// Whether a link to it is up.
    pub linked: bool,
    /// Whether something of it is missing and asked for.
    pub in_repair: bool,
    /// What waits to be sent to it.
    pub queue: Size,
    /// How often its queue was coalesced at the bound.
    pub coalesced: u64,
}

/// What a node shows of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotStatus {
    /// Its name, once known.
    pub name: Option<Name>,
    /// Where it is dialled.
    pub address: Bytes,
    /// The tracked member that took it.
    pub member: Option<Stream>,
    /// Whether its member said goodbye.
    pub left: bool,
    /// Whether a majority found nobody there.
    pub vacant: bool,
}

impl Machine {
    /// A snapshot. O(members).
    pub fn status(&self, now: Instant) -> Status {
        let tracked = self.members.iter().filter(|(_, member)| member.is_tracked());
        let slot = |place: &super::slots::Place| SlotStatus {
            name: place.name.clone(),
            address: place.address.clone(),
            member: place.stream.filter(|stream| self.is_member(*stream)),
            left: place.left,
            vacant: place.vacant,
        };
        Status {
            stream: self.me,
            name: self.config.name.clone(),
            state: self.joining.state(),
            proof: self.said.proof,
            announce: self.said.announce,
            view: self.roster.hash(),
            last: self.own.last,
            members: tracked.map(|(stream, member)| member.status(*stream, now)).collect(),
            slots: self.slots.iter().map(slot).collect(),
            electorate: self.slots.electorate(),
            ended: self.tombs.len(),
            links: self.links.len(),
            journal: self.journal.bytes(),
            timing: self.config.timing,
            limits: self.config.limits,
        }
    }
}

impl Member {
    fn status(&self, stream: Stream, now: Instant) -> MemberStatus {
        let queue = self.outgoing.as_ref().map(|outgoing| &outgoing.queue);
        MemberStatus {
            stream,
            name: self.name.clone(),
            address: self.address.clone(),
            have: self.have(),
            latest: self.latest,
            heard_ago: now.since(self.heard),
            proof_age: (self.proof != Instant::ZERO).then(|| now.since(self.proof)),
            admitted: self.admitted,
            joining: self.joining,
            leaving: matches!(self.standing, Standing::Leaving { .. }),
            linked: self.outgoing.is_some(),
            in_repair: self.repair.is_some(),
            queue: queue.map(crate::PeerQueue::size).unwrap_or_default(),
            coalesced: queue.map_or(0, crate::PeerQueue::coalesced),
        }
    }
}
