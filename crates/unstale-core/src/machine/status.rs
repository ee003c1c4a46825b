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
    /// What it knows of its register, if its members are in one.
    pub register: Option<RegisterStatus>,
    /// The rounds that prove, if there are any.
    pub rounds: Option<RoundStatus>,
}

/// What a node shows of its register (P-28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterStatus {
    /// The era that it is in; none before the first listing.
    pub era: Option<u64>,
    /// Whether the era is known to have lasted for L: before that nobody joins.
    pub settled: bool,
    /// How long ago the reading began since which nobody can have joined unseen.
    pub read_ago: Option<Duration>,
    /// How long ago the reading began that renewed this node's entry.
    pub renewed_ago: Option<Duration>,
}

/// What a node shows of rounds (P-28a).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundStatus {
    /// Whose they are: this node's stream, if it opens them.
    pub pacemaker: Stream,
    /// Its name.
    pub name: Name,
    /// The number of the newest one.
    pub number: u64,
    /// How long ago it came, or was opened here.
    pub ago: Duration,
    /// Members that have not answered it, as far as this node opens them.
    pub awaited: Vec<Name>,
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
            register: self.is_registered().then(|| self.register_status(now)),
            rounds: self.round_status(now),
        }
    }

    fn register_status(&self, now: Instant) -> RegisterStatus {
        let ago = |instant: Instant| (instant != Instant::ZERO).then(|| now.since(instant));
        RegisterStatus {
            era: self.register.era(),
            settled: self.register.settled_era().is_some(),
            read_ago: ago(self.register.read),
            renewed_ago: ago(self.register.renewed),
        }
    }

    fn round_status(&self, now: Instant) -> Option<RoundStatus> {
        let own = self.own_round().filter(|_| self.is_pacemaker());
        let (pacemaker, number, at) =
            own.map(|(number, at)| (self.me, number, at)).or_else(|| self.rounds.last())?;
        let awaited = if own.is_some() { self.awaited_streams() } else { Vec::new() };
        Some(RoundStatus {
            pacemaker,
            name: self.name_of(pacemaker),
            number,
            ago: now.since(at),
            awaited: awaited.into_iter().map(|stream| self.name_of(stream)).collect(),
        })
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
