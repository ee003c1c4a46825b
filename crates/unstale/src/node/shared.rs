//! What the caches, the calls and the driver of one node share.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use unstale_core::{
    Act, Appended, Instant, Mechanism, Mechanisms, Name, Seq, Stamp, State, Status, Stream, Told, Voided,
};
use unstale_l1::{Domain, Tick};

use super::builder::{Writes, mix};
use super::clock::Clock;
use super::exchange::Exchanges;
use super::origins::Origins;
use super::scopes::Scopes;
use super::sessions::Sessions;
use super::words::{Lease, Words};
use crate::event::{Event, EventSink, Origin};
use crate::freshness::Proven;
use crate::level::{Level, cache_of};
use crate::metrics::{NodeMetrics, SessionOutcome, WriteOutcome};
use crate::{Error, ErrorKind, Receipt, SessionToken, StoreBreaker};

/// One per node, behind an `Arc`; the caches reach the node through it.
pub(crate) struct Shared {
    pub(crate) domain: Domain,
    pub(crate) metrics: NodeMetrics,
    pub(crate) events: EventSink,
    /// Which messages of others were behind what is told.
    pub(crate) origins: Origins,
    pub(super) words: Words,
    pub(super) sessions: Sessions,
    pub(super) exchanges: Exchanges,
    /// Wakes the driver: an act was appended, or an exchange is wanted.
    pub(super) wake: Arc<Notify>,
    /// The stream that this node writes, and the greatest number of it that another member counts (P-23).
    pub(super) confirmed: watch::Sender<(Stream, Seq)>,
    pub(super) status: watch::Sender<Arc<Status>>,
    pub(super) clock: Arc<dyn Clock>,
    /// All of them, unless a test switched one off.
    pub(crate) mechanisms: Mechanisms,
    /// The instant of [`Tick::FIRST`].
    pub(super) epoch: Instant,
    /// The second level, if the node has one.
    pub(crate) level: Option<Arc<Level>>,
    /// Those of caches that have a store of their own.
    pub(super) cache_levels: Mutex<BTreeMap<Name, Weak<Level>>>,
    pub(crate) store_breaker: StoreBreaker,
    pub(super) writes: Writes,
    /// What this node may write at all.
    pub(crate) scopes: Scopes,
    pub(super) runtime: Handle,
    pub(super) choices: AtomicU64,
    /// Until when what many repaired acts ended is loaded again: milliseconds of the coarse clock.
    pub(super) recovers_until_ms: AtomicU64,
}

impl Shared {
    /// How long a read waits for the write that its session token names.
    pub(crate) const SESSION_PATIENCE: Duration = Duration::from_secs(1);
    /// How many acts that are kept for others may wait for the next tick while there is no link.
    const UNHEARD_MAX: u64 = 1_024;
    /// How long a read waits for an exchange before it does without.
    const EXCHANGE_PATIENCE: Duration = Duration::from_millis(500);

    /// The present (P-38, P-39): about 30 ns.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The present, for a bounded read: of a clock that this process does not tick itself (P-39).
    #[inline]
    pub(crate) fn now_of_read(&self) -> Instant {
        // clock-not-self-ticked
        if self.mechanisms.on(Mechanism::ClockNotSelfTicked) {
            self.now()
        } else {
            self.instant_of(self.domain.clock().now())
        }
    }

    /// The instant at which `tick` began; never later than the moment at which that tick was read from the coarse clock, and
    /// [`Instant::ZERO`] for what is no time: the marks below the first tick, and the last tick, at which a closed node's
    /// clock stands.
    #[inline]
    pub(crate) const fn instant_of(&self, tick: Tick) -> Instant {
        instant_since(self.epoch, tick)
    }

    /// The tick that `now` lies in.
    pub(super) fn tick_of(&self, now: Instant) -> Tick {
        Tick::FIRST.plus(Tick::whole_in(now.since(self.epoch)))
    }

    /// Whether the node recovers: many acts that it had missed were repaired a short while ago. `now_ms` is of the coarse clock.
    pub(crate) fn recovers_at(&self, now_ms: u64) -> bool {
        now_ms < self.recovers_until_ms.load(Ordering::Relaxed)
    }

    /// What is proven. A bounded read takes its instant, then this, then the entry (P-14).
    #[inline]
    pub(crate) fn proof(&self) -> Proven {
        self.words.proof()
    }

    /// What the proof waits for: what comes next from the member that it is oldest for, as of the last status.
    pub(crate) fn unproven(&self) -> Option<Origin> {
        let status = self.status.borrow();
        let oldest = status.members.iter().max_by_key(|member| member.proof_age.unwrap_or(Duration::MAX))?;
        Some(Origin::missing(oldest.stream, oldest.have, oldest.latest))
    }

    /// Asks all members for one exchange, shared with every read that waits, and returns the proof after it (P-15).
    /// The entry has to be read after this. Cancel-safe.
    pub(crate) async fn exchange(&self) -> Proven {
        if self.is_closed() {
            return Proven::NONE;
        }
        let ticket = self.exchanges.want();
        self.wake.notify_one();
        // Late or not, what is proven by now is in the word.
        let _ = timeout(Self::EXCHANGE_PATIENCE, ticket.wait()).await;
        self.proof()
    }

    /// Waits until the write that `token` names is applied here (P-36), and counts how that went. Cancel-safe.
    pub(crate) async fn session(&self, token: &SessionToken) -> SessionOutcome {
        // A closed node will not hear of it any more.
        let patience = if self.is_closed() { Duration::ZERO } else { Self::SESSION_PATIENCE };
        let outcome = self.sessions.reach(token, patience).await;
        self.metrics.session_reads.increment(outcome);
        outcome
    }

    /// With [`Writes::Refuse`], whether a write can be announced now; to be asked before anything is done.
    pub(crate) fn admit_write(&self, operation: &'static str) -> Result<(), Error> {
        match self.writes {
            Writes::Apply => Ok(()),
            Writes::Refuse => {
                self.writable(operation).inspect_err(|_| self.metrics.writes.increment(WriteOutcome::Refused))
            }
        }
    }

    /// Whether a write can be announced now (P-31).
    pub(super) fn writable(&self, operation: &'static str) -> Result<(), Error> {
        if self.words.announces_at(self.now()) {
            return Ok(());
        }
        let state = state_word(self.status.borrow().state);
        Err(Error::new(
            ErrorKind::Unannounced,
            operation,
            format!(
                "the write could not be announced: the node is {state} and holds no lease of its members"
            ),
        ))
    }

    /// To be called after acts were applied here and got their numbers: wakes the driver, and tells whether they are
    /// announced (P-31). `present` says whether something was there for them to end.
    #[inline]
    pub(crate) fn receipt(&self, appended: &Appended, present: bool) -> Receipt {
        // Without a link the next tick is soon enough, unless the log fills up: waking another thread takes longer than the act.
        // That of a node that tells nobody is one frame, and cannot fill up.
        let fills = self.domain.tells()
            && (appended.range.first.0 - 1) / Self::UNHEARD_MAX != appended.range.last.0 / Self::UNHEARD_MAX;
        if fills || self.words.is_heard() {
            self.wake.notify_one();
        }
        let session = SessionToken::new(appended.stream, appended.range.last);
        // The clock is read after the number was drawn, so a lease that holds now held then.
        let announced = self.words.announces(appended.stream.incarnation, || self.now());
        if announced {
            self.metrics.writes.increment(WriteOutcome::Announced);
        } else {
            self.metrics.writes.increment(WriteOutcome::Unannounced);
            self.events.report(|| Event::Unannounced { session });
        }
        Receipt::new(session, announced, present)
    }

    /// The receipt of a batch without acts: it names the last write before it.
    pub(crate) fn receipt_of_nothing(&self) -> Receipt {
        let (stream, last) = self.domain.with_log(|log| (log.stream(), log.last()));
        let announced = self.words.announces(stream.incarnation, || self.now());
        Receipt::new(SessionToken::new(stream, last), announced, false)
    }

    /// A fresh stamp, newer than all that this node has seen, for what has to happen before an act's number is drawn.
    pub(crate) fn stamp(&self) -> Stamp {
        let wall_ms = self.clock.wall_ms();
        self.domain.with_log(|log| log.draw_stamp(wall_ms))
    }

    /// Milliseconds since the Unix epoch, for stamps.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// This process, as its streams name it.
    pub(crate) fn process(&self) -> [u8; 16] {
        self.domain.with_log(|log| log.stream().process.0.to_be_bytes())
    }

    /// Whether a process is a member that this node tracks, as of the last status.
    pub(crate) fn members_have(&self, process: [u8; 16]) -> bool {
        let process = u128::from_be_bytes(process);
        self.status.borrow().members.iter().any(|member| member.stream.process.0 == process)
    }

    /// What is said of an act; no time if nobody will see its stamp, which then only counts on.
    pub(crate) fn told(&self, voided: Voided) -> Told {
        Told { wall_ms: if self.domain.tells() { self.wall_ms() } else { 0 }, voided }
    }

    /// The stores of this node: its own, and those of single caches.
    pub(crate) fn levels(&self) -> Vec<Arc<Level>> {
        let of_caches = self.cache_levels();
        self.level.iter().cloned().chain(of_caches.values().filter_map(Weak::upgrade)).collect()
    }

    /// Those of single caches, without those that went away with their cache.
    pub(crate) fn cache_levels(&self) -> MutexGuard<'_, BTreeMap<Name, Weak<Level>>> {
        let mut levels = self.cache_levels.lock().unwrap_or_else(PoisonError::into_inner);
        levels.retain(|_, level| level.strong_count() > 0);
        levels
    }

    /// Another node did these acts, and they are about to be applied: who misses an entry then must not find the old value in
    /// a store that nobody voided (P-24).
    pub(super) fn hear_of(&self, acts: &[Act], voided: Voided, stamp: Stamp) {
        if voided == Voided::Owed || acts.iter().any(|act| cache_of(&act.subject).is_none()) {
            for level in self.levels() {
                level.hear(acts, voided, stamp.0);
            }
        }
    }

    /// 64 bits that a seeded node repeats and nobody else guesses; not for secrets.
    pub(crate) fn random(&self) -> u64 {
        mix(self.choices.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    fn is_closed(&self) -> bool {
        self.status.borrow().state == State::Left
    }

    /// Closes the node for good: nothing is proven or announced any more, and nothing cached is fresh.
    pub(super) fn close(&self) {
        self.words.publish_proof(Proven::NONE);
        self.words.publish_lease(Lease::None);
        self.domain.forbid_fills();
        self.domain.clock().set(Tick::LAST);
        let mut newly = false;
        self.status.send_if_modified(|status| {
            newly = status.state != State::Left;
            Arc::make_mut(status).state = State::Left;
            newly
        });
        self.events.report(|| Event::Closed);
    }

    /// Calls `begin`, which may spawn tasks, as if on the runtime that the node was started on.
    pub(crate) fn on_runtime<T>(&self, begin: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.enter();
        begin()
    }

    /// Runs `future` to its end on the runtime that the node was started on.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }
}

const fn instant_since(epoch: Instant, tick: Tick) -> Instant {
    match tick.0.checked_sub(Tick::FIRST.0) {
        Some(steps) if tick.0 != Tick::LAST.0 => Instant(epoch.0 + steps as u64 * Tick::MILLIS * 1_000_000),
        Some(_) | None => Instant::ZERO,
    }
}

/// The state in one word, for people and for the label of a metric.
pub(super) const fn state_word(state: State) -> &'static str {
    match state {
        State::Joining => "joining",
        State::Joined => "joined",
        State::Alone => "alone",
        State::Unjoined => "unjoined",
        State::Left => "left",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_never_taken_for_younger_than_it_is() {
        // P-13
        let epoch = Instant(5_000_000_000);
        assert_eq!(instant_since(epoch, Tick::FIRST), epoch);
        assert_eq!(instant_since(epoch, Tick(Tick::FIRST.0 + 3)), epoch.plus(Duration::from_millis(48)));
        for no_time in [Tick::ZERO, Tick(1), Tick::LAST] {
            assert_eq!(instant_since(epoch, no_time), Instant::ZERO);
        }
    }
}
