//! Second levels that are broken: what the checks have to notice.

use std::sync::Arc;

use bytes::Bytes;
use unstale_port::{Condition, Intent, Lease, Lookup, Record, Store, StoreFuture, Written};
use unstale_redis::RedisStore;

/// What a second level does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It takes every fill, whatever was removed since its lease was given out.
    IgnoresLeases,
    /// It says that it removed what it did not touch.
    ForgetsRemovals,
}

/// The store of Redis, with a flaw or without.
#[derive(Clone)]
pub(crate) struct FlawedStore {
    inner: Arc<RedisStore>,
    flaw: Option<Flaw>,
}

impl FlawedStore {
    pub(crate) fn new(inner: RedisStore, flaw: Option<Flaw>) -> Self {
        Self { inner: Arc::new(inner), flaw }
    }

    fn forgets(&self) -> bool {
        self.flaw == Some(Flaw::ForgetsRemovals)
    }
}

impl Store for FlawedStore {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        self.inner.get(cache, keys, intent)
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        self.inner.release(cache, key, lease)
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        if self.flaw != Some(Flaw::IgnoresLeases) || condition == Condition::Newer {
            return self.inner.put(cache, key, record, condition);
        }
        Box::pin(async move {
            // One that is as good as new.
            let lookups = self.inner.get(cache, std::slice::from_ref(&key), Intent::Read).await?;
            let lease = lookups.first().map_or(condition, |lookup| Condition::Lease(lookup.lease));
            self.inner.put(cache, key, record, lease).await
        })
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        if self.forgets() { Box::pin(async { Ok(()) }) } else { self.inner.remove(cache, keys, stamp) }
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        if self.forgets() { Box::pin(async { Ok(()) }) } else { self.inner.expire(cache, keys, stamp) }
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        if self.forgets() { Box::pin(async { Ok(()) }) } else { self.inner.raise(cache, tag, stamp) }
    }
}
