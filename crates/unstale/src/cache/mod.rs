//! Typed caches: reads, loads, writes.
//!
//! # One load per key
//! Callers that miss a key at once share one load (a *flight*). A caller that comes after an invalidation of the key never
//! joins a flight that began before it, and is never given what that flight brought: it starts a flight of its own. So a
//! caller waits for at most two loads, whatever the rate of invalidations, and nothing old is ever stored.
//!
//! # Who runs a load
//! The first caller polls the load itself: nothing is spawned. If that caller goes away (its future is dropped) while others
//! wait, the load moves to a task of the node and goes on; if nobody waits, it is dropped. After a soft or hard timeout it
//! goes on in the background too, as [`Overdue`] says. Wherever it runs, it is fenced: if an invalidation overtook it, its
//! value answers those who asked before and is not stored.
//!
//! # When a load fails
//! A panic or an error of a loader reaches the callers of that flight as an [`crate::Error`], unless fail-safe has a stale
//! value that nothing removed. The process and other flights are not touched.

mod acts;
mod bounded;
mod builder;
mod call;
mod codec;
mod eager;
mod fetch;
mod few;
mod foreign;
mod form;
mod get_or_load;
mod landing;
mod load;
mod loaded;
mod loader;
mod many;
mod many_call;
mod many_product;
mod options;
mod pace;
mod policy;
mod product;
mod read;
mod running;
mod second_level;
mod sweeper;
mod terms;
mod turn;
mod value;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};

use unstale_core::Name;
use unstale_l1::{Flights, Table};

pub use builder::CacheBuilder;
#[cfg(feature = "compression")]
pub use codec::Compressed;
#[cfg(feature = "json")]
pub use codec::Json;
#[cfg(feature = "messagepack")]
pub use codec::MessagePack;
pub use codec::{Codec, Raw};
pub use get_or_load::{FindOrLoad, GetOrLoad, Pending, ReadOrFind, ReadOrLoad};
pub use load::Load;
pub use loaded::Loaded;
pub use many::{Bare, PendingMany, ReadMany, WithProof};
pub use options::{EntryOptions, FailSafe, Overdue, Recovery, Skip, StoreFills};
pub use unstale_l1::{Borrower, Equivalent, Kept, Key, Probe, Text};
pub use value::{Lookup, Read, Served, Value};

use crate::event::{CacheEvent, Event, Origin};
use crate::level::Level;
use crate::metrics::CacheMetrics;
use crate::node::Shared;
use crate::{Error, ErrorKind, Node};
use pace::Pace;
use policy::Policy;
pub(crate) use policy::later;
pub(crate) use running::all;
use second_level::SecondLevel;
use value::Stored;

/// A typed cache of a node. Clones are the same cache; each holds the node, so the node lives as long as any of them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use unstale::{Cache, Node};
///
/// let node = Node::builder("shop").start().await?;
/// let users: Cache<u64, String> = node.cache("users").build()?;
///
/// let user = users.get_or_load(&7, async move |_| Ok::<_, std::io::Error>("Ada".to_owned())).await?;
/// assert_eq!(*user, "Ada");
/// assert!(users.get(&7).is_some());
///
/// let receipt = users.remove(&7).await?;
/// assert!(receipt.announced());
/// assert!(users.get(&7).is_none());
/// # Ok(())
/// # }
/// ```
pub struct Cache<K: Key, V: Send + Sync + 'static> {
    inner: Arc<Inner<K, V>>,
}

pub(crate) struct Inner<K: Key, V: Send + Sync + 'static> {
    table: Table<K, Stored<V>>,
    flights: Flights<K, Stored<V>, Error>,
    policy: Policy,
    level: Option<SecondLevel<V>>,
    /// If programs of others write this cache.
    foreign: Option<foreign::ForeignWriters>,
    pace: Pace,
    /// Whether any load ever failed in a way that pauses: until then no landing looks for a pause to end.
    has_paused: AtomicBool,
    metrics: Arc<CacheMetrics>,
    name: Name,
    /// What the node shares, one step away: bounded hits load its proof.
    shared: Arc<Shared>,
    /// Kept, so that the node lives as long as its caches.
    _node: Node,
}

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    pub(crate) fn open(builder: CacheBuilder<K, V>) -> Result<Self, Error> {
        let config = |fault: String| Error::new(ErrorKind::Config, "build", fault);
        let name = Name::new(builder.name.clone().into_bytes())
            .map_err(|error| config(format!("the name {:?} of the cache: {error}", builder.name)))?;
        let shared = Arc::clone(builder.node.shared());
        let table = shared
            .domain
            .table(name.clone(), builder.table_config())
            .map_err(|error| Error::new(ErrorKind::CacheTypes, "build", error.to_string()))?;
        let itself: Arc<OnceLock<Weak<Inner<K, V>>>> = Arc::default();
        let size = {
            let itself = Arc::clone(&itself);
            move || {
                let inner = itself.get()?.upgrade()?;
                Some((inner.table.len() as u64, inner.table.weight()))
            }
        };
        let metrics = shared.metrics.cache(name.clone(), size).ok_or_else(|| {
            let detail =
                format!("the cache {name} is in use on this node: clone it instead of building it again");
            Error::new(ErrorKind::CacheTypes, "build", detail)
        })?;
        let foreign = builder.foreign;
        let level = match &foreign {
            Some(foreign) => {
                let file = builder.recovery_file.as_deref();
                Some(Level::of_cache(name.clone(), foreign.store(), file, &shared)?)
            }
            None => shared.level.clone(),
        };
        let level = level.zip(builder.codec).map(|(level, codec)| {
            level.open_cache(name.clone(), builder.key_prefix.clone());
            SecondLevel {
                level,
                codec,
                cache: name.clone(),
                prefix: builder.key_prefix.clone(),
                limits: builder.limits,
                filling: Arc::default(),
                shared: Arc::clone(&shared),
                metrics: Arc::clone(&metrics),
            }
        });
        let flights = Flights::new(&table);
        let (policy, node) = (builder.policy, builder.node);
        let inner = Arc::new(Inner {
            table,
            flights,
            policy,
            level,
            foreign: foreign.is_some().then(|| foreign::ForeignWriters::new(builder.key_prefix)),
            pace: Pace::default(),
            has_paused: AtomicBool::new(false),
            metrics,
            name,
            shared,
            _node: node,
        });
        // Nobody else has this cell; a second writer cannot be.
        let _ = itself.set(Arc::downgrade(&inner));
        let cache = Self { inner };
        cache.begin_sweeping();
        if let Some(foreign) = foreign {
            cache.begin_hearing(foreign.as_ref());
        }
        Ok(cache)
    }

    /// The name that nodes know it by.
    pub fn name(&self) -> &str {
        self.inner.name.as_str()
    }

    /// How many entries it holds in memory, usable or not.
    pub fn len(&self) -> usize {
        self.inner.table.len()
    }

    /// Whether it holds no entry at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn table(&self) -> &Table<K, Stored<V>> {
        &self.inner.table
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn report(&self, what: CacheEvent) {
        self.report_of(what, || None);
    }

    /// Tells what happened and which message was behind it, if anybody listens.
    pub(crate) fn report_of(&self, what: CacheEvent, origin: impl Fn() -> Option<Origin>) {
        let cache = &self.inner.name;
        if tracing::enabled!(tracing::Level::DEBUG) {
            let origin = origin();
            let stream = origin.map(|origin| tracing::field::display(origin.stream));
            let first = origin.map(|origin| origin.range.first.0);
            let last = origin.map(|origin| origin.range.last.0);
            tracing::debug!(cache = cache.as_str(), ?what, stream, first, last, "cache event");
        }
        self.shared().events.report(|| Event::Cache { cache: cache.clone(), what, origin: origin() });
    }
}

impl<K: Key, V: Send + Sync + 'static> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Key, V: Send + Sync + 'static> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.inner.name)
            .field("policy", &self.inner.policy)
            .finish_non_exhaustive()
    }
}
