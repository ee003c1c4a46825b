//! The second level (L2) of one cache: the node's store, with this cache's name, codec, limit of time and debts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use unstale_core::Name;
use unstale_port::{Condition, Intent, Lease, Record, Store, StoreFuture, Written};

use super::codec::Codec;
use super::owed::{Debt, Owed};
use super::policy::Kind;
use super::value::Validators;
use crate::event::{CacheEvent, Event, StoreOutcome};
use crate::metrics::CacheMetrics;
use crate::node::Shared;

/// The store as one cache uses it. Every call has a time limit, and a failure is counted and reported, never returned:
/// reads go on without the store, and what a write could not make old there is owed until it could.
pub(crate) struct SecondLevel<V> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) cache: Name,
    pub(crate) prefix: Bytes,
    pub(crate) timeout: Duration,
    pub(crate) owed: Owed,
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Arc<CacheMetrics>,
}

/// What the store knows of a key.
pub(crate) struct StoreRead<V> {
    pub(crate) found: Option<Stocked<V>>,
    /// The right to fill the key with what is loaded after this read.
    pub(crate) lease: Lease,
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

/// Whether the store holds nothing any more that an act made old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Voided {
    Yes,
    /// It did not take the act; this node reads nothing of it that the act concerns until it did.
    Owed,
}

impl<V: Send + Sync + 'static> SecondLevel<V> {
    /// Reads keys, one answer for each in their order; `None` for all of them if the store failed or owes something that
    /// concerns them. Cancel-safe.
    pub(crate) async fn read(&self, keys: &[Bytes]) -> Vec<Option<StoreRead<V>>> {
        let keys: Vec<Bytes> = keys.iter().map(|key| self.prefixed(key)).collect();
        let nothing = || keys.iter().map(|_| None).collect();
        if !self.settle(&keys).await {
            return nothing();
        }
        match self.call(self.store.get(self.cache.as_str(), &keys, Intent::Read)).await {
            Some(lookups) if lookups.len() == keys.len() => {
                lookups.into_iter().map(|lookup| Some(self.decoded(lookup.record, lookup.lease))).collect()
            }
            Some(_) => {
                self.failed("the store answered for another number of keys than it was asked for");
                nothing()
            }
            None => nothing(),
        }
    }

    /// Fills a key with what was loaded under `lease`; `value` is `None` for a cached nothing.
    pub(crate) async fn fill(&self, key: &Bytes, value: Option<&V>, stock: Stock, lease: Lease) {
        self.put(key, value, stock, Condition::Lease(lease)).await;
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
        let keys: Vec<Bytes> = keys.iter().map(|key| self.prefixed(key)).collect();
        let call = match how {
            Void::Remove => self.store.remove(self.cache.as_str(), &keys, stamp),
            Void::Expire => self.store.expire(self.cache.as_str(), &keys, stamp),
        };
        if self.call(call).await.is_some() {
            self.metrics.store_calls.increment(StoreOutcome::Removed);
            return Voided::Yes;
        }
        for key in keys {
            self.owed.owe(Debt::Key(key), stamp);
        }
        Voided::Owed
    }

    /// Ends in the store whatever carries `tag`, or everything of the cache, or owes it.
    pub(crate) async fn raise(&self, tag: Option<Bytes>, how: Void, stamp: u64) -> Voided {
        let cache = Some(self.cache.as_str());
        let call = match how {
            Void::Remove => self.store.raise(cache, tag.clone(), stamp),
            Void::Expire => self.store.raise_stale(cache, tag.clone(), stamp),
        };
        if self.call(call).await.is_some() {
            self.metrics.store_calls.increment(StoreOutcome::Removed);
            return Voided::Yes;
        }
        self.owed.owe(tag.map_or(Debt::Cache, Debt::Tag), stamp);
        Voided::Owed
    }

    /// Makes good what is owed and concerns `keys`; false if that did not work.
    async fn settle(&self, keys: &[Bytes]) -> bool {
        for (debt, stamp) in self.owed.before_reading(keys) {
            let cache = self.cache.as_str();
            let done = match &debt {
                Debt::Key(key) => {
                    // Removed even where it was to expire: nobody knows any more what is there.
                    let key = [key.clone()];
                    self.call(self.store.remove(cache, &key, stamp)).await
                }
                Debt::Tag(tag) => self.call(self.store.raise(Some(cache), Some(tag.clone()), stamp)).await,
                Debt::Cache => self.call(self.store.raise(Some(cache), None, stamp)).await,
            };
            if done.is_none() {
                return false;
            }
            self.metrics.store_calls.increment(StoreOutcome::Removed);
            self.owed.settle(&debt, stamp);
        }
        true
    }

    async fn put(
        &self,
        key: &Bytes,
        value: Option<&V>,
        stock: Stock,
        condition: Condition,
    ) -> Option<Written> {
        let value = match value.map(|value| self.codec.encode(value)).transpose() {
            Ok(value) => value,
            Err(error) => {
                self.failed(&error.to_string());
                return None;
            }
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
        let written =
            self.call(self.store.put(self.cache.as_str(), self.prefixed(key), record, condition)).await?;
        self.metrics.store_calls.increment(match written {
            Written::Stored => StoreOutcome::Stored,
            Written::Refused => StoreOutcome::Refused,
        });
        Some(written)
    }

    fn decoded(&self, record: Option<Record>, lease: Lease) -> StoreRead<V> {
        let Some(record) = record else {
            self.metrics.store_calls.increment(StoreOutcome::Miss);
            return StoreRead { found: None, lease };
        };
        let value = match record.value.as_ref().map(|bytes| self.codec.decode(bytes)).transpose() {
            Ok(value) => value,
            Err(error) => {
                self.failed(&error.to_string());
                return StoreRead { found: None, lease };
            }
        };
        self.metrics.store_calls.increment(StoreOutcome::Hit);
        let (etag, last_modified, version) = (record.etag, record.last_modified, record.version);
        let found = Stocked {
            value,
            validators: Validators { etag, last_modified, version },
            fresh_for: record.fresh_for,
            keep_for: record.keep_for,
            tags: record.tags,
        };
        StoreRead { found: Some(found), lease }
    }

    async fn call<T>(&self, call: StoreFuture<'_, T>) -> Option<T> {
        match timeout(self.timeout, call).await {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                self.failed(&error.to_string());
                None
            }
            Err(_) => {
                self.failed(&format!("no answer within {:?}", self.timeout));
                None
            }
        }
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

    fn prefixed(&self, key: &Bytes) -> Bytes {
        if self.prefix.is_empty() {
            return key.clone();
        }
        [&self.prefix[..], key].concat().into()
    }
}
