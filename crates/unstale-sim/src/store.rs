//! The second level that the nodes of a world share: the reference store, taking its time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use unstale_port::memory::MemoryStore;
use unstale_port::{Condition, Intent, Lease, Lookup, Record, Store, StoreFuture, Timer, Written};

use crate::database::Database;
use crate::dice::Dice;
use crate::fault::{Fault, Faults};

/// Clones are one store.
#[derive(Clone)]
pub struct SlowStore {
    store: MemoryStore,
    calls: Arc<AtomicU64>,
    seed: u64,
    faults: Faults,
}

impl SlowStore {
    /// The same store behind a network.
    pub fn new(store: MemoryStore, seed: u64, faults: Faults) -> Self {
        Self { store, calls: Arc::default(), seed, faults }
    }

    /// Some milliseconds, mostly.
    async fn way(&self) {
        let mut dice = Dice::of(self.seed ^ 0x7374_6f72, self.calls.fetch_add(1, Ordering::Relaxed));
        if dice.hits(700) {
            self.faults.count(Fault::SlowStore);
            tokio::time::sleep(dice.millis(1, 25)).await;
        }
    }

    fn slowly<'a, T: Send + 'a>(&'a self, call: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            self.way().await;
            let answer = call.await;
            self.way().await;
            answer
        })
    }
}

impl Store for SlowStore {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        self.slowly(self.store.get(cache, keys, intent))
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        self.slowly(self.store.release(cache, key, lease))
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        self.slowly(self.store.put(cache, key, record, condition))
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.slowly(self.store.remove(cache, keys, stamp))
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.slowly(self.store.expire(cache, keys, stamp))
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        self.slowly(self.store.raise(cache, tag, stamp))
    }
}

/// The store's clock: the world's.
pub struct WorldTimer(pub Database);

impl Timer for WorldTimer {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep_until(&self, due: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let left = due.saturating_sub(self.now());
        Box::pin(tokio::time::sleep(left))
    }
}
