//! What happened at this node since its last report.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::demo::clock;
use crate::demo::line::{ActNumber, Applied, Closed, Read, Served, Tick, Totals, Write};

/// What is to be reported. All of it is taken at once, so that a report is complete up to its instant.
#[derive(Debug, Default)]
pub(super) struct Log {
    tick: Mutex<Tick>,
}

impl Log {
    /// A read was answered.
    pub(super) fn read(&self, read: Read) {
        let mut tick = self.lock();
        tick.totals.reads += 1;
        match read.served {
            Served::Hit => tick.totals.hits += 1,
            Served::Stale => tick.totals.stale_said += 1,
            Served::Load | Served::Bypass => {}
        }
        tick.reads.push(read);
    }

    /// A read failed.
    pub(super) fn failed(&self) {
        self.lock().totals.failed += 1;
    }

    /// A write returned just now; returns what was noted.
    pub(super) fn write(&self, mut write: Write) -> Write {
        let mut tick = self.lock();
        // Under the lock: no report that says it is complete up to now is without it.
        write.returned = clock::now();
        tick.totals.writes += 1;
        tick.totals.unannounced += u64::from(!write.announced);
        tick.writes.push(write.clone());
        write
    }

    /// An act of a peer became visible here.
    pub(super) fn applied(&self, act: ActNumber, last: u64, at: u64) {
        self.lock().applied.push(Applied { stream: act.stream, first: act.number, last, at });
    }

    /// Acts of a peer were found missing.
    pub(super) fn lost(&self, acts: u64) {
        self.lock().totals.lost += acts;
    }

    /// A hole of so many acts was closed: all of them were replayed, or named by a digest.
    pub(super) fn repaired(&self, acts: u64, closed: Closed) {
        let mut tick = self.lock();
        tick.totals.repaired += acts;
        tick.closed.push(closed);
    }

    /// A hole was closed by distrust.
    pub(super) fn distrusted(&self, closed: Closed) {
        self.lock().closed.push(closed);
    }

    /// Something about the peers is worth a line.
    pub(super) fn noticed(&self, what: String) {
        self.lock().noticed.push(what);
    }

    /// Takes everything, with the node's standing.
    pub(super) fn take(&self, state: String, suspects: u64, loads: u64) -> Tick {
        let mut tick = self.lock();
        let totals = Totals { loads, ..tick.totals };
        let rest = Tick { totals, ..Tick::default() };
        let taken = std::mem::replace(&mut *tick, rest);
        Tick { until: clock::now(), state, suspects, totals, ..taken }
    }

    fn lock(&self) -> MutexGuard<'_, Tick> {
        self.tick.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
