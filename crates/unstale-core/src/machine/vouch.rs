//! Vouching: a third node's silence bridged (P-16a).

use std::collections::{BTreeMap, VecDeque};

use super::Machine;
use super::waiting::Heard;
use crate::{Instant, Mechanism, Seq, Stream, VectorRow, Vouch};

/// Which instants of others this node had processed before which own instant.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: VecDeque<Row>,
    round: u64,
}

#[derive(Debug)]
struct Row {
    own: Instant,
    heard: BTreeMap<Stream, Instant>,
}

impl Rows {
    const MAX: usize = 16;

    /// Opens a row at an own instant, which no beat may have carried yet.
    pub(super) fn open(&mut self, own: Instant, heard: impl Iterator<Item = (Stream, Instant)>) {
        self.rows.truncate(Self::MAX - 1);
        self.rows.push_front(Row { own, heard: heard.collect() });
        self.round += 1;
    }

    /// How many were opened: the round of beats.
    pub(super) const fn round(&self) -> u64 {
        self.round
    }

    /// The newest instant of `whose` that was processed before the own instant `echoed` was sent. A row of that very instant may
    /// have been opened after it was sent.
    pub(super) fn before(&self, echoed: Instant, whose: Stream) -> Option<Instant> {
        self.rows.iter().find(|row| row.own < echoed)?.heard.get(&whose).copied()
    }
}

impl Machine {
    /// What `peer` is told about the members that it does not hear.
    pub(super) fn vouches_for(&self, peer: Stream) -> Vec<Vouch> {
        let Some(asker) = self.members.get(&peer) else { return Vec::new() };
        let vouch = |stream: &Stream| {
            let member = self.members.get(stream).filter(|member| member.is_live() && !member.voted)?;
            let (last, echoed, view) = member.said?;
            let instant = self.rows.before(echoed, peer)?;
            Some(Vouch { stream: *stream, last, instant, view })
        };
        asker.misses.iter().filter_map(vouch).collect()
    }

    /// Takes a vouch as the silent member's own beat.
    pub(super) fn take_vouch(&mut self, from: Stream, vouch: &Vouch) {
        let (now, stream) = (self.now, vouch.stream);
        let mechanisms = self.config.mechanisms;
        let is_of_one_view = vouch.view == self.roster.hash() || !mechanisms.on(Mechanism::ViewHashInBeat);
        let Some(member) = self.members.get_mut(&stream) else { return };
        if stream == from || !member.is_live() || member.voted || vouch.instant > now {
            return;
        }
        member.hold(Heard { last: vouch.last, echo: vouch.instant, view: vouch.view }, mechanisms);
        if !member.admitted && is_of_one_view {
            // Its view is this node's own, so it tracks this node: admitted through another member (P-25).
            self.be_admitted(stream, vouch.last);
        }
        self.expect_soon(stream, vouch.last);
        self.settle(stream);
    }

    /// Takes the sender's vector: who counts what, who was heard when, and whom the sender misses.
    pub(super) fn take_vector(&mut self, from: Stream, rows: &[VectorRow]) {
        for row in rows {
            let Some(stream) = self.roster.at(row.member) else { continue };
            self.note_missing(from, stream, row);
            if stream != self.me {
                let heard = self.now.minus(std::time::Duration::from_millis(u64::from(row.heard_ms)));
                self.note_holder(stream, from, row.have);
                if let Some(member) = self.members.get_mut(&stream) {
                    member.reported = member.reported.max(heard);
                }
            }
        }
    }

    /// Notes that `holder` counts a stream up to `have`. If its origin is not heard, what is missing here is missed.
    pub(super) fn note_holder(&mut self, stream: Stream, holder: Stream, have: Seq) {
        let (now, unheard) = (self.now, self.config.timing.unheard);
        let Some(member) = self.members.get_mut(&stream).filter(|_| holder != stream) else { return };
        if member.holder.is_none_or(|(who, most)| who == holder || have >= most) {
            member.holder = Some((holder, have));
        }
        if member.based && have > member.have() && member.is_unheard(now, unheard) {
            self.expect_soon(stream, have);
        }
    }

    fn note_missing(&mut self, from: Stream, stream: Stream, row: &VectorRow) {
        let Some(asker) = self.members.get_mut(&from) else { return };
        asker.misses.retain(|missed| *missed != stream);
        if row.silent && asker.misses.len() < MISSES_MAX {
            asker.misses.push(stream);
        }
    }
}

/// For how many members one node is vouched for in a beat.
const MISSES_MAX: usize = 64;
