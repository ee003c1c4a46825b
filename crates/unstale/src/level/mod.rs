//! The second level (L2) of a node: its store, with a circuit breaker before it and a list of what it is owed.

mod breaker;
mod debts;
mod recovery;
mod spool;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use unstale_core::{Act, Name, Subject, Voided};
use unstale_port::{Kind, Store, StoreFuture};

pub use breaker::StoreBreaker;
use breaker::{Breaker, Turned};
pub(crate) use debts::Debt;
use debts::{Debts, Owed, Settled, Whose, calls};
use spool::Spool;

use crate::event::{Event, EventSink, StoreEvent};
use crate::metrics::{Counter, Label, Metrics, names};
use crate::node::Shared;
use crate::{Error, ErrorKind};

/// One for each store that a node has: its own, and those of single caches. A failure is counted and reported, never returned
/// as an error of the store's: reads go on without it, and what a write could not make old there is owed until it could.
pub(crate) struct Level {
    store: Arc<dyn Store>,
    breaker: Breaker,
    debts: Debts,
    /// A debt came, the store came back, or the node is gone.
    wake: Arc<Notify>,
    /// What the keys of each cache begin with in the store.
    prefixes: RwLock<BTreeMap<Name, Bytes>>,
    events: EventSink,
    /// The one cache that it is of; none if it is of all that have none of their own.
    cache: Option<Name>,
    opened: Counter,
    recovered: Counter,
}

/// Why a call of the store gave nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The breaker is open: nobody asked.
    Open,
    Late(Duration),
    Error(unstale_port::Error),
}

impl Level {
    /// The level of all caches that have no store of their own.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        breaker: StoreBreaker,
        file: Option<&Path>,
        events: EventSink,
    ) -> Result<Self, Error> {
        Ok(Self::of(store, breaker, debts_in(file, "start")?, events, None))
    }

    /// The level of one cache that has a store of its own.
    pub(crate) fn of_cache(
        cache: Name,
        store: Arc<dyn Store>,
        file: Option<&Path>,
        shared: &Shared,
    ) -> Result<Arc<Self>, Error> {
        let (breaker, events) = (shared.store_breaker, shared.events.clone());
        let level = Arc::new(Self::of(store, breaker, debts_in(file, "build")?, events, Some(cache.clone())));
        shared.spawn(Self::recover(Arc::downgrade(&level)));
        shared.cache_levels().insert(cache, Arc::downgrade(&level));
        Ok(level)
    }

    fn of(
        store: Arc<dyn Store>,
        breaker: StoreBreaker,
        debts: Debts,
        events: EventSink,
        cache: Option<Name>,
    ) -> Self {
        Self {
            store,
            breaker: Breaker::new(breaker),
            debts,
            wake: Arc::default(),
            prefixes: RwLock::default(),
            events,
            cache,
            opened: Counter::default(),
            recovered: Counter::default(),
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Makes one call, unless the breaker is open, and waits for it no longer than `limit`. Cancel-safe.
    pub(crate) async fn call<T>(&self, limit: Duration, call: StoreFuture<'_, T>) -> Result<T, Failure> {
        let Some(pass) = self.breaker.pass() else { return Err(Failure::Open) };
        let (answer, turned) = match timeout(limit, call).await {
            Ok(Ok(done)) => (Ok(done), pass.succeeded()),
            Ok(Err(error)) => {
                // A record that is too large says nothing of the store.
                let is_down = !matches!(error.kind(), Kind::TooLarge | Kind::Config);
                let turned = if is_down { pass.failed() } else { pass.succeeded() };
                (Err(Failure::Error(error)), turned)
            }
            Err(_) => (Err(Failure::Late(limit)), pass.failed()),
        };
        match turned {
            Some(Turned::Opened) => {
                self.opened.increment();
                tracing::warn!("the store fails: it is not asked for a while");
                self.report(StoreEvent::Opened);
            }
            Some(Turned::Closed) => {
                tracing::info!("the store answers again");
                self.report(StoreEvent::Closed);
                self.debts.hurry();
                self.wake.notify_one();
            }
            None => {}
        }
        answer
    }

    /// The store did not take a removal of this node.
    pub(crate) fn owe(&self, debt: &Debt, stamp: u64) {
        self.debts.owe(debt, stamp, Whose::Own);
        self.report(StoreEvent::Owed);
        self.wake.notify_one();
    }

    /// Another node did these acts; `voided` says whether it could void the node's store (P-24).
    pub(crate) fn hear(&self, acts: &[Act], voided: Voided, stamp: u64) {
        for act in acts {
            if let Some((debt, whose)) = self.heard_debt(&act.subject, voided) {
                self.debts.owe(&debt, stamp, whose);
            }
        }
        self.wake.notify_one();
    }

    fn heard_debt(&self, subject: &Subject, voided: Voided) -> Option<(Debt, Whose)> {
        if let (Some(own), Some(cache)) = (&self.cache, cache_of(subject))
            && own != cache
        {
            return None;
        }
        let debt = match subject {
            Subject::Key { cache, key } => match self.prefix(cache) {
                Some(prefix) => Debt::Key(cache.clone(), prefixed(&prefix, key)),
                // Nobody here reads it yet, and nobody knows how its keys begin.
                None => Debt::Cache(cache.clone()),
            },
            Subject::Tag { cache, tag } => Debt::Tag(cache.clone(), tag.clone()),
            Subject::Cache { cache } => Debt::Cache(cache.clone()),
            Subject::All => Debt::All,
        };
        // Who acts on every cache need not have this one, and then does not know of its store.
        if self.cache.is_some() && cache_of(subject).is_none() {
            return Some((debt, Whose::Own));
        }
        (voided == Voided::Owed).then_some((debt, Whose::Heard))
    }

    /// Makes good what is owed and concerns these keys; false if that did not work by `deadline`.
    pub(crate) async fn settle(&self, deadline: Instant, cache: &Name, keys: &[Bytes]) -> bool {
        for owed in calls(&self.debts.before_reading(cache, keys)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.make_good(left, owed).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Removes, even where it was to expire: nobody knows any more what is there.
    async fn make_good(&self, limit: Duration, owed: &[Owed]) -> Result<(), Failure> {
        let stamp = owed.iter().map(|owed| owed.stamp).max().unwrap_or_default();
        let keys: Vec<Bytes>;
        let Some(first) = owed.first() else { return Ok(()) };
        let call = match &first.debt {
            Debt::Tag(cache, tag) => {
                self.store.raise(cache.as_ref().map(Name::as_str), Some(tag.clone()), stamp)
            }
            Debt::Cache(cache) => self.store.raise(Some(cache.as_str()), None, stamp),
            Debt::All => self.store.raise(None, None, stamp),
            Debt::Key(cache, _) => {
                keys = owed.iter().filter_map(|owed| owed.debt.key().cloned()).collect();
                self.store.remove(cache.as_str(), &keys, stamp)
            }
        };
        self.call(limit, call).await?;
        let Settled { debts, is_last } = self.debts.settle(owed, stamp);
        self.recovered.add(debts as u64);
        if is_last {
            self.report(StoreEvent::Recovered);
        }
        Ok(())
    }

    /// A cache of this node uses the store, with this before its keys.
    pub(crate) fn open_cache(&self, cache: Name, prefix: Bytes) {
        self.prefixes.write().unwrap_or_else(PoisonError::into_inner).insert(cache, prefix);
    }

    fn prefix(&self, cache: &Name) -> Option<Bytes> {
        self.prefixes.read().unwrap_or_else(PoisonError::into_inner).get(cache).cloned()
    }

    pub(crate) fn collect(&self, metrics: &mut Metrics) {
        let labels = || -> Vec<Label> {
            self.cache.iter().map(|cache| (names::CACHE, cache.as_str().to_owned())).collect()
        };
        metrics.push_count(names::STORE_BREAKER_OPEN, labels(), u64::from(!self.breaker.is_closed()));
        metrics.push_count(names::STORE_BREAKER_OPENED, labels(), self.opened.total());
        metrics.push_count(names::STORE_OWED, labels(), self.debts.own() as u64);
        metrics.push_count(names::STORE_RECOVERED, labels(), self.recovered.total());
    }

    fn report(&self, what: StoreEvent) {
        self.events.report(|| Event::Store(what));
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// What is owed, with what a file says of it.
fn debts_in(file: Option<&Path>, operation: &'static str) -> Result<Debts, Error> {
    match file.map(Spool::open).transpose() {
        Ok(None) => Ok(Debts::default()),
        Ok(Some((spool, entries))) => Ok(Debts::spooled(spool, entries)),
        Err(error) => {
            let detail = "the recovery file cannot be used";
            Err(Error::caused(ErrorKind::Config, operation, detail, error))
        }
    }
}

/// The cache that an act lies in; none if it is on every cache.
pub(crate) const fn cache_of(subject: &Subject) -> Option<&Name> {
    match subject {
        Subject::Key { cache, .. } | Subject::Tag { cache: Some(cache), .. } | Subject::Cache { cache } => {
            Some(cache)
        }
        Subject::Tag { cache: None, .. } | Subject::All => None,
    }
}

/// A key as the store knows it.
pub(crate) fn prefixed(prefix: &Bytes, key: &Bytes) -> Bytes {
    if prefix.is_empty() { key.clone() } else { [&prefix[..], key].concat().into() }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("it failed too often, and is not asked for a while"),
            Self::Late(limit) => write!(f, "no answer within {limit:?}"),
            Self::Error(error) => error.fmt(f),
        }
    }
}
