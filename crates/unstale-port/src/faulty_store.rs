//! A store whose operations fail and dawdle, for tests of what stands on a store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::dice::Dice;
use crate::{
    Condition, Error, Intent, Kind, Lease, Lookup, Record, Retry, Store, StoreFuture, SystemTimer, Timer,
    Written,
};

/// How often what goes wrong with a store: shares of operations from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StoreFaults {
    /// Operations that fail and did not take place.
    pub refuse: f64,
    /// Operations that take place, after which the answer is lost: the caller gets a timeout.
    pub lose_answer: f64,
    /// How long each operation waits before it takes place.
    pub delay: Duration,
}

/// Changes the faults of a [`FaultyStore`] while it is in use.
#[derive(Clone)]
pub struct StoreFaultsHandle {
    state: Arc<Mutex<State>>,
}

struct State {
    faults: StoreFaults,
    dice: Dice,
}

impl StoreFaultsHandle {
    /// Other faults, for operations that begin from now on.
    pub fn set(&self, faults: StoreFaults) {
        self.lock().faults = faults;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A decorator that makes [`StoreFaults`] happen.
///
/// ```
/// use unstale_port::memory::MemoryStore;
/// use unstale_port::{FaultyStore, StoreFaults};
///
/// let (store, faults) = FaultyStore::new(MemoryStore::new(), 42);
/// faults.set(StoreFaults { refuse: 1.0, ..StoreFaults::default() });
/// # drop(store);
/// ```
pub struct FaultyStore<S> {
    inner: S,
    handle: StoreFaultsHandle,
    timer: Arc<dyn Timer>,
}

/// What one operation meets.
#[derive(Clone, Copy)]
enum Fate {
    Refused,
    AnswerLost,
    Fine,
}

impl<S: Store> FaultyStore<S> {
    /// A store like `inner`, without faults yet; they are drawn from `seed` and timed by the system's clock.
    pub fn new(inner: S, seed: u64) -> (Self, StoreFaultsHandle) {
        Self::with_timer(inner, seed, Arc::new(SystemTimer::new()))
    }

    /// The same, timed by `timer`.
    pub fn with_timer(inner: S, seed: u64, timer: Arc<dyn Timer>) -> (Self, StoreFaultsHandle) {
        let state = State { faults: StoreFaults::default(), dice: Dice::new(seed) };
        let handle = StoreFaultsHandle { state: Arc::new(Mutex::new(state)) };
        (Self { inner, handle: handle.clone(), timer }, handle)
    }

    fn meet<'a, T: 'a>(&'a self, operation: &'static str, inner: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let (fate, delay) = {
                let mut state = self.handle.lock();
                let StoreFaults { refuse, lose_answer, delay } = state.faults;
                let fate = match (state.dice.hits(refuse), state.dice.hits(lose_answer)) {
                    (true, _) => Fate::Refused,
                    (false, true) => Fate::AnswerLost,
                    (false, false) => Fate::Fine,
                };
                (fate, delay)
            };
            if delay > Duration::ZERO {
                self.timer.sleep_until(self.timer.now().saturating_add(delay)).await;
            }
            let again = Retry::After(Duration::ZERO);
            match fate {
                Fate::Refused => {
                    Err(Error::new(Kind::Unavailable, again, operation, "a fault was asked for"))
                }
                Fate::AnswerLost => {
                    inner.await?;
                    Err(Error::new(Kind::Timeout, again, operation, "the answer was lost, as was asked for"))
                }
                Fate::Fine => inner.await,
            }
        })
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        self.meet("get", self.inner.get(cache, keys, intent))
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        self.meet("release", self.inner.release(cache, key, lease))
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        self.meet("put", self.inner.put(cache, key, record, condition))
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.meet("remove", self.inner.remove(cache, keys, stamp))
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.meet("expire", self.inner.expire(cache, keys, stamp))
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        self.meet("raise", self.inner.raise(cache, tag, stamp))
    }

    fn raise_stale<'a>(
        &'a self,
        cache: Option<&'a str>,
        tag: Option<Bytes>,
        stamp: u64,
    ) -> StoreFuture<'a, ()> {
        self.meet("raise_stale", self.inner.raise_stale(cache, tag, stamp))
    }
}
