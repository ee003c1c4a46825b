//! A store that tests hold up and break.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use unstale_port::memory::{MemoryStore, StoreLimits};
use unstale_port::{
    Condition, Error, Intent, Kind, Lease, Record, Retry, Sleep, Store, StoreFuture, Timer, Written,
};

use crate::gate::{Gate, Passage};

/// A memory store by paused time, whose next read can be held up after it was done, and which can be down.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) inner: MemoryStore,
    gate: Arc<Mutex<Option<Passage<()>>>>,
    is_down: Arc<Mutex<bool>>,
    /// How long each write and each removal takes.
    slow: Arc<Mutex<Duration>>,
    pub(crate) gets: Arc<Mutex<u32>>,
}

struct PausedTime(tokio::time::Instant);

impl Timer for PausedTime {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep_until(&self, due: Duration) -> Sleep {
        Box::pin(tokio::time::sleep_until(self.0 + due))
    }
}

impl Held {
    pub(crate) fn new() -> Self {
        let timer = Arc::new(PausedTime(tokio::time::Instant::now()));
        let inner = MemoryStore::with(StoreLimits::default(), timer);
        Self {
            inner,
            gate: Arc::default(),
            is_down: Arc::default(),
            slow: Arc::default(),
            gets: Arc::default(),
        }
    }

    /// The same store by a way of its own, which can be down by itself.
    pub(crate) fn beside(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::default(),
            is_down: Arc::default(),
            slow: Arc::default(),
            gets: Arc::default(),
        }
    }

    /// Holds up the next read when it is done.
    pub(crate) fn hold(&self) -> Gate<()> {
        let (gate, passage) = Gate::new();
        *self.gate.lock().unwrap() = Some(passage);
        gate
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }

    /// Has writes and removals take their time.
    pub(crate) fn set_slow(&self, span: Duration) {
        *self.slow.lock().unwrap() = span;
    }

    /// A removal, after its time.
    fn after_its_time<'a>(&'a self, call: StoreFuture<'a, ()>) -> StoreFuture<'a, ()> {
        let slow = *self.slow.lock().unwrap();
        let call = self.when_up(call);
        Box::pin(async move {
            tokio::time::sleep(slow).await;
            call.await
        })
    }

    fn when_up<'a, T: Send + 'a>(&self, call: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        if *self.is_down.lock().unwrap() {
            let error = Error::new(Kind::Unavailable, Retry::Reconnected, "store", "it is down");
            return Box::pin(std::future::ready(Err(error)));
        }
        call
    }
}

impl Store for Held {
    fn get<'a>(
        &'a self,
        cache: &'a str,
        keys: &'a [Bytes],
        intent: Intent,
    ) -> StoreFuture<'a, Vec<unstale_port::Lookup>> {
        let call = self.when_up(self.inner.get(cache, keys, intent));
        Box::pin(async move {
            *self.gets.lock().unwrap() += 1;
            let found = call.await;
            let passage = self.gate.lock().unwrap().take();
            if let Some(passage) = passage {
                passage.pass().await;
            }
            found
        })
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        self.when_up(self.inner.release(cache, key, lease))
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        let slow = *self.slow.lock().unwrap();
        let call = self.when_up(self.inner.put(cache, key, record, condition));
        Box::pin(async move {
            tokio::time::sleep(slow).await;
            call.await
        })
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.after_its_time(self.inner.remove(cache, keys, stamp))
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.after_its_time(self.inner.expire(cache, keys, stamp))
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        self.after_its_time(self.inner.raise(cache, tag, stamp))
    }
}
