//! The second level (L2) of one cache: the node's store, with this cache's name, codec and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use unstale_core::{Name, Voided};
use unstale_port::{Condition, Intent, Lease, Lookup, Record, StoreFuture, Turn, Written};

use super::codec::Codec;
use super::options::StoreFills;
use super::policy::{Kind, later};
use super::turn::{Grant, HeldTurn};
use super::value::Validators;
use crate::event::{CacheEvent, Event, StoreOutcome};
use crate::level::{Debt, Level, prefixed};
use crate::metrics::CacheMetrics;
use crate::node::Shared;

/// How many fills of one cache may be under way in the background. Beyond that they are waited for.
const FILLS_MAX: usize = 1_024;

/// The store as one cache uses it. Every call has a time limit, and a failure is counted and reported, never returned:
/// reads go on without the store, and what a write could not make old there is owed until it could.
pub(crate) struct SecondLevel<V> {
    pub(crate) level: Arc<Level>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) cache: Name,
    pub(crate) prefix: Bytes,
    pub(crate) limits: Limits,
    pub(crate) filling: Arc<AtomicUsize>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Arc<CacheMetrics>,
}

/// What was chosen for the calls of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long a call may take.
    pub(crate) hard: Duration,
    /// How long a read may take while there is something stale to go on with.
    pub(crate) soft: Option<Duration>,
    /// For how long one process has the turn to load a key.
    pub(crate) turn: Duration,
    pub(crate) fills: StoreFills,
}

/// What the store knows of a key.
pub(crate) struct StoreRead<V> {
    /// In a box: a load holds it while it waits for its loader.
    pub(crate) found: Option<Box<Stocked<V>>>,
    /// The right to fill the key with what is loaded after this read; none if the store was not read.
    pub(crate) grant: Option<Grant>,
    /// Whether another process is loading it.
    pub(crate) is_taken: bool,
}

/// A record with its value decoded.
pub(crate) struct Stocked<V> {
    pub(crate) value: Option<V>,
    pub(crate) validators: Validators,
    pub(crate) fresh_for: Duration,
    pub(crate) keep_for: Duration,
    pub(crate) tags: Vec<Bytes>,
}

impl<V> Stocked<V> {
    pub(crate) const fn kind(&self) -> Kind {
        if self.value.is_some() { Kind::Value } else { Kind::Nothing }
    }
}

impl<V> StoreRead<V> {
    /// Of a store that was not read.
    pub(crate) const NONE: Self = Self { found: None, grant: None, is_taken: false };
}

/// What is written for a key.
pub(crate) struct Stock {
    pub(crate) validators: Validators,
    pub(crate) fresh_for: Duration,
    pub(crate) keep_for: Duration,
    pub(crate) tags: Vec<Bytes>,
    pub(crate) stamp: u64,
}

/// How a write makes a key old in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Void {
    Remove,
    Expire,
}

impl<V: Send + Sync + 'static> SecondLevel<V> {
    /// Reads keys in order to load what is missing, one answer for each in their order; nothing for all of them if the store
    /// failed or is owed something that concerns them, both within `limit`. Cancel-safe; turns that were taken are given back.
    pub(crate) async fn read(&self, keys: &[Bytes], limit: Duration) -> Vec<StoreRead<V>> {
        let keys: Vec<Bytes> = keys.iter().map(|key| prefixed(&self.prefix, key)).collect();
        let nothing = || keys.iter().map(|_| StoreRead::NONE).collect();
        let deadline = later(Instant::now(), limit);
        if !self.level.settle(deadline, &self.cache, &keys).await {
            self.failed("it does not take what it is owed");
            return nothing();
        }
        let intent = Intent::Load { turn: self.limits.turn };
        let limit = deadline.saturating_duration_since(Instant::now());
        match self.call(limit, self.level.store().get(self.cache.as_str(), &keys, intent)).await {
            Some(lookups) if lookups.len() == keys.len() => {
                let reads = lookups.into_iter().zip(&keys);
                reads.map(|(lookup, key)| self.read_of(key, lookup)).collect()
            }
            Some(_) => {
                self.failed("the store answered for another number of keys than it was asked for");
                nothing()
            }
            None => nothing(),
        }
    }

    /// Fills a key with what was loaded under `grant`; `value` is `None` for a cached nothing.
    pub(crate) async fn fill(&self, key: &Bytes, value: Option<&V>, stock: Stock, grant: Grant) {
        if self.put(key, value, stock, Condition::Lease(grant.lease())).await.is_some() {
            grant.use_up();
        }
    }

    /// Writes a value that is newer than what is there; if the store does not take it, what is there is voided. That it takes
    /// it for older proves nothing: stamps are of the clocks of several nodes.
    pub(crate) async fn set(&self, key: &Bytes, value: &V, stock: Stock) -> Voided {
        let stamp = stock.stamp;
        if self.put(key, Some(value), stock, Condition::Newer).await == Some(Written::Stored) {
            return Voided::Yes;
        }
        self.void(std::slice::from_ref(key), Void::Expire, stamp).await
    }

    /// Makes keys old in the store, or owes it.
    pub(crate) async fn void(&self, keys: &[Bytes], how: Void, stamp: u64) -> Voided {
        let keys: Vec<Bytes> = keys.iter().map(|key| prefixed(&self.prefix, key)).collect();
        let (store, cache) = (self.level.store(), self.cache.as_str());
        let call = match how {
            Void::Remove => store.remove(cache, &keys, stamp),
            Void::Expire => store.expire(cache, &keys, stamp),
        };
        if self.call(self.limits.hard, call).await.is_some() {
            self.metrics.store_calls.increment(StoreOutcome::Removed);
            return Voided::Yes;
        }
        for key in keys {
            self.level.owe(&Debt::Key(self.cache.clone(), key), stamp);
        }
        Voided::Owed
    }

    /// Ends in the store whatever carries `tag`, or everything of the cache, or owes it.
    pub(crate) async fn raise(&self, tag: Option<Bytes>, how: Void, stamp: u64) -> Voided {
        let (store, cache) = (self.level.store(), Some(self.cache.as_str()));
        let call = match how {
            Void::Remove => store.raise(cache, tag.clone(), stamp),
            Void::Expire => store.raise_stale(cache, tag.clone(), stamp),
        };
        if self.call(self.limits.hard, call).await.is_some() {
            self.metrics.store_calls.increment(StoreOutcome::Removed);
            return Voided::Yes;
        }
        let cache = self.cache.clone();
        let debt = match tag {
            Some(tag) => Debt::Tag(Some(cache), tag),
            None => Debt::Cache(cache),
        };
        self.level.owe(&debt, stamp);
        Voided::Owed
    }

    /// Whether so many fills may go on in the background; if so they count until the answer is dropped.
    pub(crate) fn in_background(&self, fills: usize) -> Option<Filling> {
        if self.limits.fills == StoreFills::Awaited {
            return None;
        }
        let filling = Filling { all: Arc::clone(&self.filling), fills };
        let before = self.filling.fetch_add(fills, Ordering::AcqRel);
        (before + fills <= FILLS_MAX).then_some(filling)
    }

    async fn put(
        &self,
        key: &Bytes,
        value: Option<&V>,
        stock: Stock,
        condition: Condition,
    ) -> Option<Written> {
        // The codec's reason may quote the value, which is never logged.
        let Ok(value) = value.map(|value| self.codec.encode(value)).transpose() else {
            self.failed("the codec cannot write the value");
            return None;
        };
        let record = Record {
            value,
            stamp: stock.stamp,
            fresh_for: stock.fresh_for,
            keep_for: stock.keep_for,
            tags: stock.tags,
            etag: stock.validators.etag,
            last_modified: stock.validators.last_modified,
            version: stock.validators.version,
        };
        let (store, key) = (self.level.store(), prefixed(&self.prefix, key));
        let call = store.put(self.cache.as_str(), key, record, condition);
        let written = self.call(self.limits.hard, call).await?;
        self.metrics.store_calls.increment(match written {
            Written::Stored => StoreOutcome::Stored,
            Written::Refused => StoreOutcome::Refused,
        });
        Some(written)
    }

    fn read_of(&self, key: &Bytes, lookup: Lookup) -> StoreRead<V> {
        let Lookup { record, lease, turn } = lookup;
        let is_fresh = record.as_ref().is_some_and(|record| !record.fresh_for.is_zero());
        let grant = if turn == Turn::Yours && !is_fresh {
            Grant::with_turn(lease, self.held(key.clone(), lease))
        } else {
            Grant::of(lease)
        };
        StoreRead {
            found: self.decoded(record).map(Box::new),
            grant: Some(grant),
            is_taken: turn == Turn::Taken,
        }
    }

    fn held(&self, key: Bytes, lease: Lease) -> HeldTurn {
        let (level, shared) = (Arc::clone(&self.level), Arc::clone(&self.shared));
        HeldTurn {
            level,
            shared,
            cache: self.cache.clone(),
            key,
            lease,
            limit: self.limits.hard,
            is_over: false,
        }
    }

    fn decoded(&self, record: Option<Record>) -> Option<Stocked<V>> {
        let Some(record) = record else {
            self.metrics.store_calls.increment(StoreOutcome::Miss);
            return None;
        };
        let Ok(value) = record.value.as_ref().map(|bytes| self.codec.decode(bytes)).transpose() else {
            self.failed("the codec cannot read the record");
            return None;
        };
        self.metrics.store_calls.increment(StoreOutcome::Hit);
        let (etag, last_modified, version) = (record.etag, record.last_modified, record.version);
        Some(Stocked {
            value,
            validators: Validators { etag, last_modified, version },
            fresh_for: record.fresh_for,
            keep_for: record.keep_for,
            tags: record.tags,
        })
    }

    async fn call<T>(&self, limit: Duration, call: StoreFuture<'_, T>) -> Option<T> {
        self.level.call(limit, call).await.map_err(|failure| self.failed(&failure.to_string())).ok()
    }

    fn failed(&self, why: &str) {
        self.metrics.store_calls.increment(StoreOutcome::Failed);
        tracing::debug!(cache = self.cache.as_str(), why, "store failed");
        self.shared.events.report(|| Event::Cache {
            cache: self.cache.clone(),
            what: CacheEvent::StoreFailed,
            origin: None,
        });
    }
}

/// Fills that go on in the background.
pub(crate) struct Filling {
    all: Arc<AtomicUsize>,
    fills: usize,
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.all.fetch_sub(self.fills, Ordering::AcqRel);
    }
}
