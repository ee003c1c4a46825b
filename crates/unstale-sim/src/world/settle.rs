//! What must hold in time: repairs over healthy links, and everything once the last fault has healed.

use unstale::State;
use unstale_port::Delivery;

use super::{MS, World};
use crate::layout::Subject;
use crate::model::Claim;
use crate::process::Ask;
use crate::violation::{Promise, Violation};

/// A hole is closed within 1 s of its link being up (S4); the rest is the way and the steps of the world.
const REPAIRED: u64 = 1_300 * MS;

impl World {
    /// Over a link that was healthy for long enough, what was announced that long ago must be known (P3).
    pub(super) fn demand_repairs(&mut self) {
        let quality = self.schedule.shape.quality;
        let is_steady = quality.delivery == Delivery::Fifo && quality.tail == 0;
        if !is_steady || self.seats.len() > 8 {
            return;
        }
        let well = |world: &Self, node: usize| {
            let seat = &world.seats[node];
            let process = seat.process.as_ref()?;
            let is_well = seat.stopped.is_none()
                && !seat.leaving
                && world.now >= seat.well_since + 2 * REPAIRED
                && process.node.status().state == State::Joined;
            is_well.then_some(process.life)
        };
        let since = self.now.saturating_sub(REPAIRED);
        for node in 0..self.seats.len() {
            for other in 0..self.seats.len() {
                let (Some(to), Some(from)) = (well(self, node), well(self, other)) else { continue };
                let linked = self.network.linked_since(to, from);
                if node == other || linked.is_none_or(|up| up > self.now.saturating_sub(2 * REPAIRED)) {
                    continue;
                }
                let acts = self.announced.get(&from).map(Vec::as_slice).unwrap_or_default();
                let known = self.told.entry((node, from)).or_insert(0);
                while let Some(&(at, stream, seq)) = acts.get(*known)
                    && at <= since
                {
                    *known += 1;
                    self.model.must_know_act(node, stream, seq, Promise::P3);
                }
            }
        }
    }

    /// After the last fault every node answers as the database does (P9), and proves it.
    pub(super) fn check_settled(&mut self) -> Result<(), Violation> {
        self.database.behave(crate::database::Manner::default());
        for node in 0..self.seats.len() {
            if !self.is_running(node) {
                continue;
            }
            self.check_proof(node)?;
            for subject in 0..self.layout().subjects() {
                self.check_subject(node, subject)?;
            }
        }
        self.check_bounds()
    }

    fn check_subject(&mut self, node: usize, subject: Subject) -> Result<(), Violation> {
        let layout = self.layout();
        let (kind, key) = layout.place(subject);
        let Some(process) = &mut self.seats[node].process else { return Ok(()) };
        self.operations += 1;
        if self.schedule.shape.manner.lag_ms == 0
            && let Some(value) = process.within(|process| process.caches.of(kind).get(&key))
        {
            self.reads_checked += 1;
            for part in value
                .parts()
                .iter()
                .filter(|part| part.subject < layout.rows && !self.untold.contains(&part.subject))
            {
                let newest = self.database.read(part.subject, std::time::Duration::ZERO);
                if part.version != newest {
                    let text = format!(
                        "5 s after the last fault n{node} shows version {} of {} in {}; the database has {newest}",
                        part.version,
                        layout.name(part.subject),
                        layout.name(subject)
                    );
                    return Err(Violation::new(Promise::P9, text));
                }
            }
            self.model.check_now(node, subject, &value, Claim::Fresh, None)?;
        }
        let expected = self.model.expect(node, subject, None, None);
        let at = process.within(|process| process.node.now());
        let ask = Ask { subject, freshness: None, session: None, repeat: false };
        process.read(ask, at, self.now, expected);
        Ok(())
    }

    /// Every node that has all its peers, or a majority that can end those that are missing, proves again.
    fn check_proof(&mut self, node: usize) -> Result<(), Violation> {
        let Some(process) = &self.seats[node].process else { return Ok(()) };
        let (ready, age) = process.within(|process| {
            let ready = process.node.ready();
            (ready.is_ready(), ready.proof_age())
        });
        let tail = self.schedule.shape.quality.tail > 0 || self.schedule.shape.quality.loss > 0;
        let limit = if tail { 2_000 } else { 700 };
        if ready && age.is_some_and(|age| age.as_millis() < limit) {
            return Ok(());
        }
        let state = process.node.status().state;
        self.tell_members();
        let text =
            format!("5 s after the last fault n{node} is {state:?}, ready {ready}, its proof {age:?} old");
        Err(Violation::new(Promise::P9, text))
    }

    /// What every node knows of the others, for the story.
    fn tell_members(&mut self) {
        for (node, seat) in self.seats.iter().enumerate() {
            let Some(process) = &seat.process else { continue };
            let status = process.node.status();
            self.story.tell(self.now, None, || {
                let member = |member: &unstale::MemberStatus| {
                    format!(
                        "{} {} have {} of {} heard {:?} ago, proof {:?}, admitted {}, joining {}, leaving {}, linked {}, in repair {}",
                        member.name,
                        super::short(member.stream),
                        member.have.0,
                        member.latest.0,
                        member.heard_ago,
                        member.proof_age,
                        member.admitted,
                        member.joining,
                        member.leaving,
                        member.linked,
                        member.in_repair
                    )
                };
                let members = status.members.iter().map(member).collect::<Vec<_>>().join("; ");
                format!("n{node} is {:?} as {}, {:?}, knows {members}", status.state, super::short(status.stream), status.announce)
            });
        }
    }

    /// Memory and queues are within their bounds (P7).
    fn check_bounds(&self) -> Result<(), Violation> {
        for (node, seat) in self.seats.iter().enumerate() {
            let Some(process) = &seat.process else { continue };
            let status = process.node.status();
            let held = process.caches.of(crate::layout::Kind::Row).len() as u64;
            let (limit, capacity) = (status.limits.peer_queue, self.schedule.shape.terms.capacity);
            let queued = status.members.iter().map(|member| member.queue.bytes).max().unwrap_or_default();
            if queued > limit.bytes || held > capacity || status.ended > status.limits.ended {
                let text = format!(
                    "n{node} queues {queued} bytes of {}, holds {held} entries of {capacity}",
                    limit.bytes
                );
                return Err(Violation::new(Promise::P7, text));
            }
        }
        Ok(())
    }

    /// No call waits for ever.
    pub(super) fn check_last_calls(&self) -> Result<(), Violation> {
        match self.waiting() {
            0 => Ok(()),
            waiting => Err(Violation::new(Promise::P9, format!("{waiting} calls have not returned"))),
        }
    }
}
