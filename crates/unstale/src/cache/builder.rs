//! Building a cache: its choices, checked together.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use unstale_l1::{ENTRY_OVERHEAD_BYTES, Probe, TableConfig};
use unstale_port::Foreign;

use super::codec::Codec;
use super::options::{FailSafe, Overdue, Recovery, Skip, StoreFills};
use super::policy::{Policy, TIME_TO_LIVE_MAX};
use super::second_level::Limits;
use super::value::Stored;
use super::{Cache, Key};
use crate::{Error, ErrorKind, Node};

/// Weighs an entry in bytes.
pub(crate) type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u64 + Send + Sync>;

/// Entries that a cache holds in memory if no capacity was chosen.
const ENTRIES_DEFAULT: u64 = 100_000;

/// How long a call of the store may take, if nothing else was chosen.
const STORE_TIMEOUT_DEFAULT: Duration = Duration::from_millis(500);

/// For how long one process has the turn to load a key, if nothing else was chosen.
const LOAD_TURN_DEFAULT: Duration = Duration::from_secs(5);

/// Makes a cache; begun by [`Node::cache`], ended by [`CacheBuilder::build`]. Every choice has a default.
///
/// The choices are defaults for the entries too: a call ([`crate::EntryOptions`]) or a loader ([`crate::Load`]) can
/// make others for one value.
#[must_use = "a builder does nothing until `build`"]
pub struct CacheBuilder<K, V> {
    pub(crate) node: Node,
    pub(crate) name: String,
    pub(crate) policy: Policy,
    capacity_entries: Option<u64>,
    capacity_bytes: Option<u64>,
    pub(crate) weigher: Option<Weigher<K, V>>,
    pub(crate) codec: Option<Arc<dyn Codec<V>>>,
    pub(crate) limits: Limits,
    pub(crate) key_prefix: Bytes,
    pub(crate) foreign: Option<Arc<dyn Foreign>>,
    pub(crate) recovery_file: Option<PathBuf>,
    /// Whether anything was chosen that only a store makes use of.
    chooses_store: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("capacity_entries", &self.capacity_entries)
            .field("capacity_bytes", &self.capacity_bytes)
            .finish_non_exhaustive()
    }
}

impl<K: Key, V: Send + Sync + 'static> CacheBuilder<K, V> {
    pub(crate) fn new(node: Node, name: String) -> Self {
        Self {
            node,
            name,
            policy: Policy::default(),
            capacity_entries: None,
            capacity_bytes: None,
            weigher: None,
            codec: None,
            limits: Limits {
                hard: STORE_TIMEOUT_DEFAULT,
                soft: None,
                turn: LOAD_TURN_DEFAULT,
                fills: StoreFills::Awaited,
            },
            key_prefix: Bytes::new(),
            foreign: None,
            recovery_file: None,
            chooses_store: false,
            types: PhantomData,
        }
    }

    /// How long a value is fresh in memory. Default: 30 s. Kept in steps of 16 ms; more than 2.1 years are cut to that.
    pub const fn time_to_live(mut self, duration: Duration) -> Self {
        self.policy.time_to_live = duration;
        self
    }

    /// How long a value is fresh in the store (L2). Default: as in memory.
    ///
    /// A value that is read from the store stays fresh in memory for the memory's time to live, but never longer than it
    /// is fresh in the store.
    pub const fn store_time_to_live(mut self, duration: Duration) -> Self {
        self.policy.store_time_to_live = Some(duration);
        self.chooses_store = true;
        self
    }

    /// How long it is remembered that there is no value ([`crate::Loaded::nothing`]). Default: as values.
    pub const fn negative_time_to_live(mut self, duration: Duration) -> Self {
        self.policy.negative_time_to_live = Some(duration);
        self
    }

    /// At most this much is added at random to each time to live in memory. Default: nothing.
    pub const fn jitter(mut self, most: Duration) -> Self {
        self.policy.jitter = most;
        self
    }

    /// Whether a stale value may stand in for one that cannot be loaded. Default: [`FailSafe::off`].
    pub const fn fail_safe(mut self, fail_safe: FailSafe) -> Self {
        self.policy.fail_safe = fail_safe;
        self
    }

    /// After this time a caller gets the stale value, if fail-safe is on and there is one. Default: never.
    pub const fn soft_timeout(mut self, duration: Duration) -> Self {
        self.policy.soft_timeout = Some(duration);
        self
    }

    /// After this time a caller gets the stale value if there is one, else [`ErrorKind::Timeout`]. Default: never.
    pub const fn hard_timeout(mut self, duration: Duration) -> Self {
        self.policy.hard_timeout = Some(duration);
        self
    }

    /// What becomes of a load that nobody waits for any more. Default: [`Overdue::Completes`].
    pub const fn overdue(mut self, overdue: Overdue) -> Self {
        self.policy.overdue = overdue;
        self
    }

    /// How what was lost all at once is loaded again. Default: [`Recovery::Paced`].
    pub const fn recovery(mut self, recovery: Recovery) -> Self {
        self.policy.recovery = recovery;
        self
    }

    /// The share of its life, above 0 and below 1, after which the first hit through `get_or_load` starts a load in the
    /// background, with the loader of that call. Default: never.
    pub const fn eager_refresh(mut self, share: f64) -> Self {
        self.policy.eager_refresh = Some(share);
        self
    }

    /// A step of a level that every call leaves out. May be said several times.
    pub const fn skip(mut self, skip: Skip) -> Self {
        self.policy.skips = self.policy.skips.with(skip);
        self
    }

    /// At most so many entries in memory. Default: 100,000, or what the capacity in bytes allows if that is chosen.
    pub const fn capacity_entries(mut self, entries: u64) -> Self {
        self.capacity_entries = Some(entries);
        self
    }

    /// At most so many bytes in memory, as the weigher counts them (default: the sizes of key and value without what they
    /// own on the heap), plus about 120 for each entry. With both capacities chosen, both hold.
    pub const fn capacity_bytes(mut self, bytes: u64) -> Self {
        self.capacity_bytes = Some(bytes);
        self
    }

    /// Weighs a key and its value in bytes, what they own on the heap included. Called once per entry; it must not
    /// use the cache.
    pub fn weigher(mut self, weigher: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// Uses the node's store as the second level, with values in the bytes of `codec`. Without this call a cache stays in
    /// memory also on a node that has a store.
    ///
    /// Values that a loader made of other cached values are kept in memory only: nothing could void them in the store when
    /// one of their parts changes. Tags travel with a record; dependencies do not.
    pub fn stored_as(mut self, codec: impl Codec<V>) -> Self {
        self.codec = Some(Arc::new(codec));
        self
    }

    /// How long one call of the store may take before it counts as failed. Default: 500 ms.
    pub const fn store_timeout(mut self, duration: Duration) -> Self {
        self.limits.hard = duration;
        self.chooses_store = true;
        self
    }

    /// How long a read of the store may take while there is a stale value to stand in: after it the loader is asked at once.
    /// Default: as [`CacheBuilder::store_timeout`].
    pub const fn store_soft_timeout(mut self, duration: Duration) -> Self {
        self.limits.soft = Some(duration);
        self.chooses_store = true;
        self
    }

    /// Whether a load waits for the store. Default: [`StoreFills::Awaited`].
    pub const fn store_fills(mut self, fills: StoreFills) -> Self {
        self.limits.fills = fills;
        self.chooses_store = true;
        self
    }

    /// For how long one of all processes that miss a key has the turn to load it; the others wait for it in the store for at most
    /// as long (a batch for at most 100 ms), and for no longer than the hard timeout. Longer than most loads take.
    /// Default: 5 s.
    pub const fn load_turn(mut self, duration: Duration) -> Self {
        self.limits.turn = duration;
        self.chooses_store = true;
        self
    }

    /// How long the store keeps a value after it stopped being fresh there, for fail-safe. Default: as memory.
    pub const fn store_fail_safe(mut self, duration: Duration) -> Self {
        self.policy.store_fail_safe = Some(duration);
        self.chooses_store = true;
        self
    }

    /// Bytes put before each key in the store, to share it with other programs. Default: none.
    pub fn key_prefix(mut self, prefix: impl Into<Bytes>) -> Self {
        self.key_prefix = prefix.into();
        self.chooses_store |= !self.key_prefix.is_empty();
        self
    }

    /// Programs of others, which speak no numbers, write this cache too: their store is the second level instead of the
    /// node's, and what they do is heard and applied here.
    ///
    /// Nothing of such a cache is proven by what nodes tell one another (P-8): a read that demands a freshness is answered by
    /// what was loaded young enough, or by a load. [`Cache::until_heard`] says when hearing begins; while nothing is heard,
    /// what is cached is suspect after 250 ms at the latest. Every node with this cache needs this, with the same writers.
    pub fn foreign(mut self, writers: impl Foreign) -> Self {
        self.foreign = Some(Arc::new(writers));
        self
    }

    /// Where what the store of the foreign writers did not take is written down, so that the cache of a node that is restarted
    /// makes it good: as [`crate::NodeBuilder::recovery_file`] for the node's store, and a file of this cache's own.
    pub fn recovery_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.recovery_file = Some(path.into());
        self
    }

    /// Makes the cache.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] names everything that makes no sense, with the limit; [`ErrorKind::CacheTypes`] if the node
    /// has a cache of this name, be it with these types or with others.
    pub fn build(mut self) -> Result<Cache<K, V>, Error> {
        let mut faults = self.policy.faults();
        if [self.capacity_entries, self.capacity_bytes].contains(&Some(0)) {
            faults.push("capacity of 0: a cache that holds nothing".to_owned());
        }
        if self.weigher.is_some() && self.capacity_bytes.is_none() {
            faults.push("weigher without a capacity in bytes: nothing would be weighed".to_owned());
        }
        if self.foreign.is_some() && self.codec.is_none() {
            faults.push(
                "foreign writers without `stored_as`: what is set here would not reach them".to_owned(),
            );
        }
        if self.recovery_file.is_some() && self.foreign.is_none() {
            faults.push(
                "recovery file without foreign writers: that of the node's store is the node's".to_owned(),
            );
        }
        if self.codec.is_some() && self.foreign.is_none() && self.node.shared().level.is_none() {
            faults.push("codec for a store, but the node has no store".to_owned());
        }
        if self.codec.is_none() && self.chooses_store {
            faults.push("choices for the store without `stored_as`: the cache would not use it".to_owned());
        }
        if self.limits.soft.is_some_and(|soft| soft >= self.limits.hard) {
            let Limits { hard, soft, .. } = self.limits;
            let soft = soft.unwrap_or_default();
            faults
                .push(format!("soft timeout of the store of {soft:?} is not below the hard one of {hard:?}"));
        }
        if self.limits.turn.is_zero() {
            faults.push("turn of 0ns: nobody would have it".to_owned());
        }
        if self.limits.hard.is_zero() {
            faults.push("store timeout of 0ns: the store would never answer in time".to_owned());
        }
        if !faults.is_empty() {
            let detail = format!("cache {:?}: {}", self.name, faults.join("; "));
            return Err(Error::new(ErrorKind::Config, "build", detail));
        }
        if self.policy.time_to_live > TIME_TO_LIVE_MAX {
            tracing::warn!(cache = self.name, limit = ?TIME_TO_LIVE_MAX, "time to live is cut to its limit");
            self.policy.time_to_live = TIME_TO_LIVE_MAX;
        }
        Cache::open(self)
    }

    pub(crate) fn table_config(&self) -> TableConfig<K, Stored<V>> {
        let Some(bytes) = self.capacity_bytes else {
            let entries_max = self.capacity_entries.unwrap_or(ENTRIES_DEFAULT);
            return TableConfig { entries_max, ..TableConfig::default() };
        };
        let weigher = self.weigher.clone();
        let weigh = move |key: &K::Kept, stored: Option<&Stored<V>>| match (&weigher, stored) {
            (Some(weigher), Some(stored)) => key.with_key(|key| weigher(key, stored.value())),
            (None, Some(_)) => (size_of::<K::Kept>() + size_of::<V>()) as u64,
            (_, None) => size_of::<K::Kept>() as u64,
        };
        let entries_max = self.capacity_entries.unwrap_or(bytes / ENTRY_OVERHEAD_BYTES).max(1);
        TableConfig { entries_max, bytes_max: Some((bytes, Arc::new(weigh))), ..TableConfig::default() }
    }
}

impl Node {
    /// Begins a typed cache called `name` (1 to 255 bytes): that name is what nodes agree on, so the same cache has the
    /// same name and the same key type on all of them.
    ///
    /// The cache holds a clone of the node. Nothing happens before [`CacheBuilder::build`].
    pub fn cache<K, V>(&self, name: impl Into<String>) -> CacheBuilder<K, V>
    where
        K: Key,
        V: Send + Sync + 'static,
    {
        CacheBuilder::new(self.clone(), name.into())
    }
}
