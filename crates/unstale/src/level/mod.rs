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
use tokio::time::timeout;
use unstale_core::{Act, Name, Subject};
use unstale_port::{Kind, Store, StoreFuture};

pub use breaker::StoreBreaker;
use breaker::{Breaker, Turned};
use debts::Debts;
pub(crate) use debts::{Debt, Whose};
use spool::Spool;

use crate::event::{Event, EventSink, StoreEvent};
use crate::metrics::{Counter, Metrics, names};
use crate::node::Shared;
use crate::{Error, ErrorKind};

/// One for each node that has a store. A failure is counted and reported, never returned as an error of the store's: reads go
/// on without it, and what a write could not make old there is owed until it could.
pub(crate) struct Level {
    store: Arc<dyn Store>,
    breaker: Breaker,
    debts: Debts,
    /// A debt came, the store came back, or the node is gone.
    wake: Arc<Notify>,
    /// What the keys of each cache begin with in the store.
    prefixes: RwLock<BTreeMap<Name, Bytes>>,
    events: EventSink,
    reach: Reach,
    opened: Counter,
    recovered: Counter,
}

/// Whose store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Of all caches but those with one of their own.
    Node,
    /// Of one cache.
    Cache,
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
    pub(crate) fn new(
        store: Arc<dyn Store>,
        breaker: StoreBreaker,
        file: Option<&Path>,
        events: EventSink,
    ) -> Result<Self, Error> {
        let debts = match file.map(Spool::open).transpose() {
            Ok(None) => Debts::default(),
            Ok(Some((spool, entries))) => Debts::spooled(spool, entries),
            Err(error) => {
                let detail = "the recovery file cannot be used";
                return Err(Error::caused(ErrorKind::Config, "start", detail, error));
            }
        };
        Ok(Self::of(store, breaker, debts, events, Reach::Node))
    }

    /// The level of one cache that has a store of its own. What it is owed is kept in memory.
    pub(crate) fn of_cache(store: Arc<dyn Store>, shared: &Shared) -> Arc<Self> {
        let level = Arc::new(Self::of(
            store,
            shared.store_breaker,
            Debts::default(),
            shared.events.clone(),
            Reach::Cache,
        ));
        shared.spawn(Self::recover(Arc::downgrade(&level)));
        shared.levels.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&level));
        level
    }

    fn of(
        store: Arc<dyn Store>,
        breaker: StoreBreaker,
        debts: Debts,
        events: EventSink,
        reach: Reach,
    ) -> Self {
        Self {
            store,
            breaker: Breaker::new(breaker),
            debts,
            wake: Arc::default(),
            prefixes: RwLock::default(),
            events,
            reach,
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

    /// Another node did an act and could not void the store (P-24).
    pub(crate) fn hear(&self, acts: &[Act], stamp: u64) {
        for act in acts {
            let debt = match &act.subject {
                Subject::Key { cache, key } => match self.prefix(cache) {
                    Some(prefix) => Debt::Key(cache.clone(), prefixed(&prefix, key)),
                    None if self.reach == Reach::Cache => continue,
                    // Nobody here reads it yet, and nobody knows how its keys begin.
                    None => Debt::Cache(cache.clone()),
                },
                Subject::Tag { cache, tag } => Debt::Tag(cache.clone(), tag.clone()),
                Subject::Cache { cache } if self.reach == Reach::Cache && self.prefix(cache).is_none() => {
                    continue;
                }
                Subject::Cache { cache } => Debt::Cache(cache.clone()),
                Subject::All => Debt::All,
            };
            self.debts.owe(&debt, stamp, Whose::Heard);
        }
    }

    /// Makes good what is owed and concerns these keys; false if that did not work.
    pub(crate) async fn settle(&self, limit: Duration, cache: &Name, keys: &[Bytes]) -> bool {
        for (debt, stamp) in self.debts.before_reading(cache, keys) {
            if self.make_good(limit, std::slice::from_ref(&debt), stamp).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Removes, even where it was to expire: nobody knows any more what is there.
    async fn make_good(&self, limit: Duration, debts: &[Debt], stamp: u64) -> Result<(), Failure> {
        let keys: Vec<Bytes>;
        let call = match debts {
            [Debt::Tag(cache, tag)] => {
                self.store.raise(cache.as_ref().map(Name::as_str), Some(tag.clone()), stamp)
            }
            [Debt::Cache(cache)] => self.store.raise(Some(cache.as_str()), None, stamp),
            [Debt::All] => self.store.raise(None, None, stamp),
            [Debt::Key(cache, _), ..] => {
                let key = |debt: &Debt| if let Debt::Key(_, key) = debt { Some(key.clone()) } else { None };
                keys = debts.iter().filter_map(key).collect();
                self.store.remove(cache.as_str(), &keys, stamp)
            }
            _ => return Ok(()),
        };
        self.call(limit, call).await?;
        for debt in debts {
            self.debts.settle(debt, stamp);
        }
        self.recovered.add(debts.len() as u64);
        if self.debts.len() == 0 {
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
        metrics.push_count(names::STORE_BREAKER_OPEN, vec![], u64::from(!self.breaker.is_closed()));
        metrics.push_count(names::STORE_BREAKER_OPENED, vec![], self.opened.total());
        metrics.push_count(names::STORE_OWED, vec![], self.debts.len() as u64);
        metrics.push_count(names::STORE_RECOVERED, vec![], self.recovered.total());
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
