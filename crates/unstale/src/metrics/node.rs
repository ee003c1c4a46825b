//! What a node and its caches count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use unstale_core::Name;

use super::{
    AppliedVia, BoundedOutcome, Counter, CounterBy, DistrustReason, EndReason, GapClosed, Gauge, Histogram,
    Metrics, ProtocolNote, SessionOutcome, StripedCounter, StripedCounterBy, Value, WriteOutcome, names,
};
use crate::event::{
    BypassReason, FillRefusal, LoadFailure, LoadTrigger, StaleReason, StoreOutcome, WriteKind,
};

/// What one cache counts.
#[derive(Debug, Default)]
pub(crate) struct CacheMetrics {
    /// Plain hits; a bounded hit is counted once as well, with its outcome.
    pub(crate) hits: StripedCounter,
    pub(crate) proven_hits: StripedCounter,
    pub(crate) young_hits: StripedCounter,
    pub(crate) misses: StripedCounter,
    pub(crate) negative_hits: StripedCounter,
    pub(crate) joined: Counter,
    pub(crate) stale: CounterBy<StaleReason>,
    pub(crate) bypasses: CounterBy<BypassReason>,
    pub(crate) loads: StripedCounterBy<LoadTrigger>,
    pub(crate) loads_paced: Counter,
    pub(crate) load_failures: CounterBy<LoadFailure>,
    pub(crate) load_seconds: Histogram,
    pub(crate) fills_refused: CounterBy<FillRefusal>,
    pub(crate) writes: StripedCounterBy<WriteKind>,
    pub(crate) store_calls: CounterBy<StoreOutcome>,
    pub(crate) foreign_acts: Counter,
    pub(crate) foreign_losses: Counter,
    pub(crate) turns_awaited: Counter,
}

impl CacheMetrics {
    fn collect(&self, cache: &Name, metrics: &mut Metrics) {
        let label = || vec![(names::CACHE, cache.as_str().to_owned())];
        let bounded_hits = self.proven_hits.total() + self.young_hits.total();
        metrics.push_count(names::CACHE_HITS, label(), self.hits.total() + bounded_hits);
        metrics.push_count(names::CACHE_MISSES, label(), self.misses.total());
        metrics.push_count(names::CACHE_NEGATIVE_HITS, label(), self.negative_hits.total());
        metrics.push_count(names::CACHE_JOINED, label(), self.joined.total());
        metrics.push_reasons(names::CACHE_STALE, &label(), names::REASON, self.stale.iter());
        metrics.push_reasons(names::CACHE_BYPASSES, &label(), names::REASON, self.bypasses.iter());
        metrics.push_reasons(names::CACHE_LOADS, &label(), names::REASON, self.loads.iter());
        metrics.push_count(names::CACHE_LOADS_PACED, label(), self.loads_paced.total());
        metrics.push_reasons(names::CACHE_LOAD_FAILURES, &label(), names::REASON, self.load_failures.iter());
        metrics.push(names::CACHE_LOAD_SECONDS, label(), Value::Distribution(self.load_seconds.snapshot()));
        metrics.push_reasons(names::CACHE_FILLS_REFUSED, &label(), names::REASON, self.fills_refused.iter());
        metrics.push_reasons(names::CACHE_WRITES, &label(), names::VIA, self.writes.iter());
        metrics.push_reasons(names::CACHE_STORE_CALLS, &label(), names::OUTCOME, self.store_calls.iter());
        metrics.push_count(names::CACHE_FOREIGN_ACTS, label(), self.foreign_acts.total());
        metrics.push_count(names::CACHE_FOREIGN_LOSSES, label(), self.foreign_losses.total());
        metrics.push_count(names::CACHE_TURNS_AWAITED, label(), self.turns_awaited.total());
    }
}

/// What a cache tells when its metrics are collected: entries and weight, or nothing once its last handle is gone.
type Size = Box<dyn Fn() -> Option<(u64, u64)> + Send + Sync>;

struct Registered {
    cache: Name,
    metrics: Arc<CacheMetrics>,
    size: Size,
}

/// What a node counts, its caches included.
#[derive(Default)]
pub(crate) struct NodeMetrics {
    /// Those that were no hit; hits count with their cache.
    pub(crate) bounded_reads: CounterBy<BoundedOutcome>,
    pub(crate) session_reads: CounterBy<SessionOutcome>,
    pub(crate) writes: StripedCounterBy<WriteOutcome>,
    pub(crate) messages_sent: Counter,
    pub(crate) messages_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) frames_bad: Counter,
    pub(crate) links_abused: Counter,
    pub(crate) links: Gauge,
    pub(crate) stamps_ahead: Counter,
    pub(crate) acts_applied: CounterBy<AppliedVia>,
    pub(crate) keys_undecodable: Counter,
    pub(crate) gaps_seen: Counter,
    pub(crate) gap_seen_seconds: Histogram,
    pub(crate) gaps_closed: CounterBy<GapClosed>,
    pub(crate) repair_seconds: Histogram,
    pub(crate) distrusts: CounterBy<DistrustReason>,
    pub(crate) lifts: Counter,
    pub(crate) members_ended: CounterBy<EndReason>,
    pub(crate) protocol_notes: CounterBy<ProtocolNote>,
    notes: Mutex<BTreeMap<&'static str, u64>>,
    caches: Mutex<Vec<Registered>>,
}

impl NodeMetrics {
    /// Counts for a cache; `size` tells its entries and weight and is called when metrics are collected. A cache that is built
    /// again after its last handle went away counts on. Nothing if a cache of this name is in use.
    pub(crate) fn cache(
        &self,
        cache: Name,
        size: impl Fn() -> Option<(u64, u64)> + Send + Sync + 'static,
    ) -> Option<Arc<CacheMetrics>> {
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let size: Size = Box::new(size);
        if let Some(before) = caches.iter_mut().find(|registered| registered.cache == cache) {
            if (before.size)().is_some() {
                return None;
            }
            before.size = size;
            return Some(Arc::clone(&before.metrics));
        }
        let metrics = Arc::new(CacheMetrics::default());
        caches.push(Registered { cache, metrics: Arc::clone(&metrics), size });
        Some(metrics)
    }

    /// Counts what a backplane noted; its words are constants, so the map stays small.
    pub(crate) fn note(&self, what: &'static str) {
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// The bounded reads with this outcome that were hits of some cache.
    fn bounded_hits(&self, outcome: &str) -> u64 {
        let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let hits = |registered: &Registered| match outcome {
            proven if proven == BoundedOutcome::Proven.as_str() => registered.metrics.proven_hits.total(),
            young if young == BoundedOutcome::Young.as_str() => registered.metrics.young_hits.total(),
            _ => 0,
        };
        caches.iter().map(hits).sum()
    }

    pub(crate) fn collect(&self, metrics: &mut Metrics) {
        for registered in &*self.caches.lock().unwrap_or_else(PoisonError::into_inner) {
            registered.metrics.collect(&registered.cache, metrics);
            let (entries, weight) = (registered.size)().unwrap_or_default();
            let label = || vec![(names::CACHE, registered.cache.as_str().to_owned())];
            metrics.push_count(names::CACHE_ENTRIES, label(), entries);
            metrics.push_count(names::CACHE_WEIGHT, label(), weight);
        }
        for (outcome, slow) in self.bounded_reads.iter() {
            let labels = vec![(names::OUTCOME, outcome.to_owned())];
            metrics.push_count(names::BOUNDED_READS, labels, slow + self.bounded_hits(outcome));
        }
        metrics.push_reasons(names::SESSION_READS, &[], names::OUTCOME, self.session_reads.iter());
        metrics.push_reasons(names::WRITES, &[], names::OUTCOME, self.writes.iter());
        let counts = [
            (names::MESSAGES_SENT, &self.messages_sent),
            (names::MESSAGES_RECEIVED, &self.messages_received),
            (names::BYTES_SENT, &self.bytes_sent),
            (names::BYTES_RECEIVED, &self.bytes_received),
            (names::FRAMES_BAD, &self.frames_bad),
            (names::LINKS_ABUSED, &self.links_abused),
            (names::STAMPS_AHEAD, &self.stamps_ahead),
            (names::KEYS_UNDECODABLE, &self.keys_undecodable),
            (names::GAPS_SEEN, &self.gaps_seen),
            (names::LIFTS, &self.lifts),
        ];
        for (metric, counter) in counts {
            metrics.push_count(metric, vec![], counter.total());
        }
        metrics.push_count(names::LINKS, vec![], self.links.value());
        metrics.push_reasons(names::ACTS_APPLIED, &[], names::VIA, self.acts_applied.iter());
        metrics.push_reasons(names::GAPS_CLOSED, &[], names::VIA, self.gaps_closed.iter());
        metrics.push(names::GAP_SEEN_SECONDS, vec![], Value::Distribution(self.gap_seen_seconds.snapshot()));
        metrics.push(names::REPAIR_SECONDS, vec![], Value::Distribution(self.repair_seconds.snapshot()));
        metrics.push_reasons(names::DISTRUSTS, &[], names::REASON, self.distrusts.iter());
        metrics.push_reasons(names::MEMBERS_ENDED, &[], names::REASON, self.members_ended.iter());
        metrics.push_reasons(names::PROTOCOL_EVENTS, &[], names::REASON, self.protocol_notes.iter());
        for (what, count) in &*self.notes.lock().unwrap_or_else(PoisonError::into_inner) {
            metrics.push_count(names::BACKPLANE_NOTES, vec![(names::REASON, (*what).to_owned())], *count);
        }
    }
}
