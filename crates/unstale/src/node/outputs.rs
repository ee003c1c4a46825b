//! Carrying out what the machine wants done, in its order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use unstale_core::{
    Act, Announce, DistrustCause, Input, Instant, Mechanism, Output, Proof, Range, Seq, State, Stream,
    Subject, Suspects, Via,
};
use unstale_l1::{Fills, Tick};

use super::driver::Driver;
use super::words::Lease;
use crate::event::Event;
use crate::freshness::Proven;

/// How long a suspect may still be served, said as stale, when no revalidation is to be had: an origin that is only silent
/// may come back and lift the doubt, anything else will not.
const SERVE_SILENT: Duration = Duration::from_secs(15);
const SERVE_OTHERS: Duration = Duration::from_secs(2);

/// So many repaired acts in so short a time are many; for so long after them a node recovers.
const REPAIRED_MANY: u64 = 32;
const REPAIRED_WITHIN: Duration = Duration::from_secs(1);
const RECOVERY: Duration = Duration::from_secs(10);

/// Acts that were repaired since an instant.
#[derive(Debug)]
pub(super) struct Repaired {
    pub(super) since: Instant,
    pub(super) acts: u64,
}

impl Driver {
    pub(super) fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Apply { stream, range, acts, batch: _, voided, stamp, via } => {
                self.remember(now, stream, range, &acts);
                self.shared.hear_of(&acts, voided, stamp);
                self.apply(&acts);
                self.merge_stamp(stamp);
                self.note_repaired(now, acts.len() as u64, via);
                self.applied(stream, range, acts.len() as u64, via);
            }
            Output::Counted { stream, have } => self.count(stream, have),
            Output::Proof(proof) => self.shared.words.publish_proof(word_of(proof)),
            Output::Distrust { id, what, cause } => {
                let span =
                    if matches!(cause, DistrustCause::Silent(_)) { SERVE_SILENT } else { SERVE_OTHERS };
                let serve_until = self.shared.tick_of(now).plus(Tick::whole_in(span));
                self.shared.domain.distrust(id, of_engine(&what), serve_until);
                self.distrusted(id, &what, cause);
            }
            Output::Lift { id } => {
                self.shared.domain.lift(id);
                self.lifted(id);
            }
            Output::Announce(announce) => {
                let lease = lease_of(announce);
                if (lease == Lease::None) != (self.shared.words.lease() == Lease::None) {
                    self.status_due = Instant::ZERO;
                }
                self.shared.words.publish_lease(lease);
            }
            Output::State(state) => self.enter(state),
            Output::Ended { stream, cause, have: _ } => {
                // token-of-ended-stream (P-36)
                if self.shared.mechanisms.on(Mechanism::TokenOfEndedStream) {
                    self.shared.sessions.ended(stream, cause);
                }
            }
            Output::NextStream { stream } => self.restart(now, stream),
            Output::Exchanged { id, proof } => {
                self.shared.words.publish_proof(word_of(proof));
                self.shared.exchanges.finish(id);
            }
            Output::Confirmed { seq } => self.confirm(seq),
            Output::Register(request) => self.ask_register(request),
            Output::Stamp(stamp) => self.merge_stamp(stamp),
            Output::Event(event) => self.observe(event),
        }
    }

    /// While a node joins, a count begins at what its member had given out (P-25). Those acts were never applied here, so no read
    /// that comes after may join a load that began before.
    fn count(&self, stream: Stream, have: Seq) {
        if self.fills == Fills::Refused {
            self.shared.domain.overtake_loads();
        }
        self.shared.sessions.counted(stream, have);
    }

    /// Applies acts. Decoding keys and dropping values runs code of the user's: if it panics, whole caches stand for their
    /// keys, which needs neither.
    fn apply(&self, acts: &[Act]) {
        let domain = &self.shared.domain;
        if let Ok(applied) = catch_unwind(AssertUnwindSafe(|| domain.apply(acts))) {
            self.shared.metrics.keys_undecodable.add(applied.undecodable as u64);
            return;
        }
        tracing::error!(acts = acts.len(), "a key or a value panicked while acts were applied");
        self.shared.metrics.note("apply-panicked");
        let whole_caches: Vec<Act> = acts.iter().map(widened).collect();
        let _ = domain.apply(&whole_caches);
    }

    /// Before the acts are applied: what they overtake is told with their numbers, if it is told to anybody.
    fn remember(&self, now: Instant, stream: Stream, range: Range, acts: &[Act]) {
        if self.shared.events.is_heard() || tracing::enabled!(tracing::Level::DEBUG) {
            let at_ms = u64::from(self.shared.tick_of(now).0) * Tick::MILLIS;
            self.shared.origins.applying(stream, range, acts, at_ms);
        }
    }

    /// Many repaired acts at once end many entries at once.
    fn note_repaired(&mut self, now: Instant, acts: u64, via: Via) {
        if via != Via::Repair {
            return;
        }
        if now.since(self.repaired.since) > REPAIRED_WITHIN {
            self.repaired = Repaired { since: now, acts: 0 };
        }
        self.repaired.acts += acts;
        if self.repaired.acts >= REPAIRED_MANY {
            let until = u64::from(self.shared.tick_of(now).plus(Tick::whole_in(RECOVERY)).0) * Tick::MILLIS;
            self.shared.recovers_until_ms.store(until, Ordering::Relaxed);
        }
    }

    fn applied(&self, stream: Stream, range: Range, acts: u64, via: Via) {
        self.shared.metrics.acts_applied.add(via.into(), acts);
        tracing::trace!(%stream, first = range.first.0, last = range.last.0, ?via, "acts applied");
        self.shared.events.report(|| Event::Applied { stream, range, via, at: self.shared.now() });
    }

    fn enter(&mut self, state: State) {
        tracing::info!(?state, "node state");
        let stores = state.stores(self.shared.mechanisms);
        if stores && self.fills == Fills::Refused {
            // Once: it makes everything that is resident stale.
            self.fills = Fills::Stored;
            self.shared.domain.allow_fills();
        }
        // Published at the end of the turn, with the proof and the lease that belong to it.
        self.status_due = Instant::ZERO;
        self.shared.events.report(|| Event::State(state));
    }

    /// This node was ended: its acts go on in the next incarnation, and what it appended to the old one is handed over under
    /// the old one (P-34).
    fn restart(&mut self, now: Instant, stream: Stream) {
        self.shared.words.restart(stream.incarnation);
        let (last, next, frames) = self.shared.domain.with_log(|log| {
            let (last, next) = log.restart();
            (last, next, log.drain())
        });
        self.stream = next;
        assert_eq!(next, stream, "the act log and the machine disagree about the next incarnation");
        self.shared.confirmed.send_replace((stream, Seq::ZERO));
        if !frames.is_empty() {
            self.machine.handle(now, Input::Local { frames });
        }
        self.machine.handle(now, Input::Restarted { last });
    }

    fn confirm(&self, seq: Seq) {
        self.shared.confirmed.send_if_modified(|confirmed| {
            let raised = seq > confirmed.1;
            confirmed.1 = confirmed.1.max(seq);
            raised
        });
    }

    fn merge_stamp(&self, stamp: unstale_core::Stamp) {
        let wall_ms = self.shared.wall_ms();
        // P-37
        if !self.shared.domain.with_log(|log| log.merge_stamp(stamp, wall_ms)) {
            self.shared.metrics.stamps_ahead.increment();
            tracing::debug!(
                ahead_ms = stamp.millis().saturating_sub(wall_ms),
                "stamp ahead of the wall clock"
            );
        }
    }
}

fn widened(act: &Act) -> Act {
    let subject = match &act.subject {
        Subject::Key { cache, .. } => Subject::Cache { cache: cache.clone() },
        other @ (Subject::Tag { .. } | Subject::Cache { .. } | Subject::All) => other.clone(),
    };
    Act { verb: act.verb, subject }
}

fn of_engine(suspects: &Suspects) -> unstale_l1::Suspects<'_> {
    match suspects {
        Suspects::Everything => unstale_l1::Suspects::Everything,
        Suspects::Caches(caches) => unstale_l1::Suspects::Caches(caches),
        Suspects::Hashes(filter) => unstale_l1::Suspects::Hashes(filter),
    }
}

const fn word_of(proof: Proof) -> Proven {
    match proof {
        Proof::None => Proven::NONE,
        Proof::Instant(instant) => Proven::until(instant),
        Proof::Present => Proven::PRESENT,
    }
}

const fn lease_of(announce: Announce) -> Lease {
    match announce {
        Announce::Never => Lease::None,
        Announce::Until(instant) => Lease::Until(instant),
        Announce::Always => Lease::Endless,
    }
}
