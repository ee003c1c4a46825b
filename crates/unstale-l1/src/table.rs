//! Tables: typed entries over quick_cache, read without a lock of ours.

use std::fmt;
use std::sync::{Arc, Weak};

use foldhash::fast::SeedableRandomState;
use unstale_core::{KeyHasher, Name};

use crate::domain::Shared;
use crate::entry::{Found, Handle, Head, Slot};
use crate::fence::SubjectRef;
use crate::floor::Floors;
use crate::key::{Key, Probe};
use crate::mechanism::Mechanism;
use crate::registry::{AnyTable, Chunk};
use crate::scope::{self, Recorder, Scope, ScopeOf};
use crate::shim::Ordering;
use crate::shim::map::Cache;
use crate::tick::{Clock, Tick};

mod acts;
mod chunk;
mod config;
mod displaced;
mod remote;
mod store;
mod sweep;

pub(crate) use chunk::KeyChunk;
pub use config::{ENTRY_OVERHEAD_BYTES, TableConfig, Weigher};
use displaced::{Displaced, Displacement, SlotWeight};
use remote::BytesChunk;
pub use store::{Landed, Refusal};
pub use sweep::{Sweep, Swept};

/// The entries of one cache. Clones are the same table.
///
/// Reads are plain methods; loads go through [`Flights`](crate::Flights). What changes something takes the wall clock's
/// milliseconds for the stamp of its act, and returns the act's number.
///
/// ```
/// # use unstale_core::{ActLog, Name, ProcessId, Stream};
/// # use unstale_l1::{Domain, DomainConfig, Table, TableConfig};
/// use unstale_l1::{Lookup, NewEntry, Tick};
///
/// # let domain = Domain::new(DomainConfig::default(), ActLog::new(Stream::first(ProcessId(1))));
/// let users: Table<String, u32> = domain.table(Name::new("users").unwrap(), TableConfig::default()).unwrap();
/// let entry = NewEntry::value(36)
///     .time_to_live(Tick(100))
///     .fail_safe(Tick(1_000))
///     .tags([users.tag_subject(b"org:7")]);
/// users.set(&"Ada".to_owned(), entry, 0);
/// assert_eq!(users.get("Ada").as_deref(), Some(&36));
///
/// users.expire_tag(b"org:7", 0);
/// assert!(users.get("Ada").is_none());
/// assert!(matches!(users.lookup("Ada"), Lookup::Stale(_)));
/// users.remove_tag(b"org:7", 0);
/// assert!(matches!(users.lookup("Ada"), Lookup::Miss));
/// ```
pub struct Table<K: Key, V> {
    pub(crate) inner: Arc<Inner<K, V>>,
}

pub(crate) struct Inner<K: Key, V> {
    floors: Floors,
    map: Map<K, V>,
    pub(crate) shared: Arc<Shared>,
    name: Name,
    keys: KeyHasher,
    whole: SubjectRef,
    config: TableConfig<K, V>,
}

type Map<K, V> = Cache<<K as Key>::Kept, Slot<V>, SlotWeight, SeedableRandomState, Displacement>;

/// Why a key has no value that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is no entry: [`Table::lookup`] would have found nothing either.
    Vacant,
    /// There may be an entry.
    Unusable,
}

/// What a table has for a key.
#[derive(Debug)]
pub enum Lookup<V> {
    /// A value that may be used.
    Hit(Handle<V>),
    /// The authority had no value, and that may be used.
    Negative(Handle<()>),
    /// A value that is stale and not gone: for fail-safe.
    Stale(Handle<V>),
    /// A value that may have missed an act, and until when it may be served nevertheless.
    Suspect(Handle<V>, Tick),
    /// Nothing that may be served.
    Miss,
}

/// What a read compares an entry with: the coarse clock, and the floor of the cache.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    now: Tick,
    floor: u64,
}

/// What an entry is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fresh,
    Stale,
    Suspect(Tick),
    Dead,
}

impl<K: Key, V: Send + Sync + 'static> Table<K, V> {
    pub(crate) fn new(shared: Arc<Shared>, name: Name, config: TableConfig<K, V>) -> Self {
        let options = config.options();
        let whole = shared.fences.whole(&name);
        let inner = Inner {
            floors: Floors::default(),
            map: Cache::with_options(options, SlotWeight, shared.hasher.clone(), Displacement),
            keys: KeyHasher::new(&name),
            name,
            whole,
            config,
            shared,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The name of the cache.
    pub fn name(&self) -> &Name {
        &self.inner.name
    }

    /// The value of a key, if it may be used. A plain hit takes the read lock of one shard, allocates nothing and reads no
    /// clock but the coarse one.
    // Not by way of `try_get`: telling the two kinds of nothing apart costs a hit a twentieth.
    #[inline]
    pub fn get<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Option<Handle<V>> {
        if scope::is_active() {
            return self.get_in_load(key);
        }
        let bounds = self.inner.bounds();
        let handle = self.inner.map.get(key)?.into_value()?;
        self.inner.is_fresh(handle.head(), key, bounds).then_some(handle)
    }

    /// [`Table::get`], or why there is nothing.
    ///
    /// # Errors
    /// [`Absence`].
    #[inline]
    pub fn try_get<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Result<Handle<V>, Absence> {
        if scope::is_active() {
            return self.get_in_load(key).ok_or(Absence::Unusable);
        }
        let bounds = self.inner.bounds();
        let slot = self.inner.map.get(key).ok_or(Absence::Vacant)?;
        let handle = slot.into_value().ok_or(Absence::Unusable)?;
        if self.inner.is_fresh(handle.head(), key, bounds) { Ok(handle) } else { Err(Absence::Unusable) }
    }

    /// What there is for a key, also if it may not be used as it is. Inside a load, hits and misses are recorded; who serves
    /// something stale or suspect has to taint the scope.
    pub fn lookup<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Lookup<V> {
        let bounds = self.inner.bounds();
        let slot = self.inner.map.get(key);
        let verdict = slot.as_ref().map_or(Verdict::Dead, |slot| self.inner.judge(slot.head(), key, bounds));
        if let Some(scope) = Scope::current() {
            // What a bypassing load is not served it does not depend on either, but for the key.
            let is_read = verdict == Verdict::Fresh && !scope.bypasses();
            self.inner.record(key, slot.as_ref().filter(|_| is_read).map(Slot::head));
        }
        match (slot.map(Slot::into_found), verdict) {
            (Some(Found::Value(handle)), Verdict::Fresh) => Lookup::Hit(handle),
            (Some(Found::Nothing(handle)), Verdict::Fresh) => Lookup::Negative(handle),
            (Some(Found::Value(handle)), Verdict::Stale) => Lookup::Stale(handle),
            (Some(Found::Value(handle)), Verdict::Suspect(until)) => Lookup::Suspect(handle, until),
            _ => Lookup::Miss,
        }
    }

    /// Records the read of an entry in the scope of the load that is being polled on this thread, if there is one.
    pub fn record<Q: Probe<K> + ?Sized>(&self, key: &Q, found: &Found<V>) {
        if scope::is_active() {
            self.inner.record(key, Some(found.head()));
        }
    }

    /// Records the read of a key without an entry: absent, failed or bypassed.
    pub fn record_absent<Q: Probe<K> + ?Sized>(&self, key: &Q) {
        if scope::is_active() {
            self.inner.record(key, None);
        }
    }

    /// Makes what a load computes depend on a key, as if the load had read it.
    pub fn depend_on<Q: Probe<K> + ?Sized>(&self, key: &Q, scope: &Scope) {
        scope.record(self.key_subject(key), self.inner.whole, None, self.inner.shared.mechanisms);
    }

    /// Whether fail-safe may serve a value that was good once: its time is not over, and nothing ended its key, its tags, its
    /// dependencies or the whole cache since its load began. Ask after the load failed, also for a value held for long.
    pub fn may_revive<Q: Probe<K> + ?Sized>(&self, key: &Q, value: &Handle<V>) -> bool {
        let head = value.head();
        let ended = self.inner.ended_detached(head, key)
            && self.inner.shared.mechanisms.on(Mechanism::GoneBeforeRevive);
        head.ends > self.clock().now() && !ended
    }

    /// Whether a value that the authority calls not modified may be stored anew: nothing ended it, and nothing that it
    /// depends on moved since its load began. If not, it has to be loaded again, unconditionally and in a fresh scope.
    pub fn may_confirm<Q: Probe<K> + ?Sized>(&self, key: &Q, value: &Handle<V>) -> bool {
        let head = value.head();
        if !self.inner.shared.mechanisms.on(Mechanism::NotModifiedKeepsFences) {
            return true;
        }
        let dependencies = head.subjects.dependencies();
        let moved =
            dependencies.iter().any(|subject| self.inner.shared.fences.moved_since(*subject, head.token));
        let sunk = !dependencies.is_empty() && head.token < self.inner.floors.any();
        !moved && !sunk && !self.inner.ended_detached(head, key)
    }

    /// The place of a key among the fences.
    pub fn key_subject<Q: Probe<K> + ?Sized>(&self, key: &Q) -> SubjectRef {
        self.inner.key_subject(key)
    }

    /// The place of one of the table's tags among the fences.
    pub fn tag_subject(&self, tag: &[u8]) -> SubjectRef {
        self.inner.tag(tag)
    }

    /// The coarse clock of the node.
    pub fn clock(&self) -> &Clock {
        &self.inner.shared.clock
    }

    /// How many entries there are, usable or not.
    pub fn len(&self) -> usize {
        self.inner.map.len()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the entries weigh: their number, or bytes if the table is bounded by those.
    pub fn weight(&self) -> u64 {
        self.inner.map.weight()
    }

    pub(crate) fn from_any(table: Arc<dyn AnyTable>) -> Option<Self> {
        let any: Arc<dyn std::any::Any + Send + Sync> = table;
        any.downcast().ok().map(|inner| Self { inner })
    }

    pub(crate) fn downgrade(&self) -> Weak<dyn AnyTable> {
        let any: Arc<dyn AnyTable> = Arc::clone(&self.inner) as Arc<dyn AnyTable>;
        Arc::downgrade(&any)
    }

    /// What is resident and may be used, without a record in any scope.
    pub(crate) fn resident<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Option<Found<V>> {
        let bounds = self.inner.bounds();
        let slot = self.inner.map.get(key)?;
        self.inner.is_fresh(slot.head(), key, bounds).then(|| slot.found())
    }

    #[cold]
    fn get_in_load<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Option<Handle<V>> {
        if Scope::current().is_some_and(|scope| scope.bypasses()) {
            self.record_absent(key);
            return None;
        }
        match self.lookup(key) {
            Lookup::Hit(handle) => Some(handle),
            Lookup::Negative(_) | Lookup::Stale(_) | Lookup::Suspect(..) | Lookup::Miss => None,
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Inner<K, V> {
    /// What the entry is going to be compared with. Read before the entry is looked for: the reference count that a hit
    /// raises is a barrier, behind which each of these loads would be waited for. An act that ends in between is one that the
    /// read did not begin after.
    #[inline]
    fn bounds(&self) -> Bounds {
        Bounds { now: self.shared.clock.now(), floor: self.floors.any() }
    }

    /// Whether an entry that was found under its key may be used. The key's own fence is not read: keys are dropped exactly,
    /// so a fence shared by chance never costs a resident entry.
    #[inline]
    fn is_fresh<Q: Probe<K> + ?Sized>(&self, head: &Head, key: &Q, bounds: Bounds) -> bool {
        head.is_current(bounds.now)
            && (head.token >= bounds.floor || self.is_vetted(head, key))
            && !self.subjects_moved(head)
    }

    #[inline]
    fn subjects_moved(&self, head: &Head) -> bool {
        head.subjects_moved(&self.shared.fences, &self.shared.applied.0)
            && self.shared.mechanisms.on(Mechanism::ReaderRecheck)
    }

    /// Whether an entry below the floor is there only because of doubts that are not about it, or that were lifted.
    #[cold]
    fn is_vetted<Q: Probe<K> + ?Sized>(&self, head: &Head, key: &Q) -> bool {
        if !self.shared.mechanisms.on(Mechanism::FloorRecheck) {
            return true;
        }
        if head.token < self.floors.stale() {
            return false;
        }
        // Read before the rows: what is found innocent here is innocent under this generation at least.
        let generation = self.shared.generation.load(Ordering::Acquire);
        if head.vetted.load(Ordering::Relaxed) == generation {
            return true;
        }
        // A reader may have found it before the act that was missed dropped it, and come here after the doubt was lifted.
        let subject = self.key_subject(key);
        let mechanisms = self.shared.mechanisms;
        let innocent = self.suspect_until(head, subject).is_none()
            && !(self.shared.fences.moved_since(subject, head.token)
                && mechanisms.on(Mechanism::VettingReadsKey));
        if innocent {
            let is_early = mechanisms.on(Mechanism::GenerationBeforeDoubts);
            let generation =
                if is_early { generation } else { self.shared.generation.load(Ordering::Acquire) };
            head.vetted.store(generation, Ordering::Relaxed);
        }
        innocent
    }

    fn suspect_until(&self, head: &Head, key: SubjectRef) -> Option<Tick> {
        let own = [self.whole, key];
        self.shared.distrust.read().suspect_until(head.token, own, head.subjects.all())
    }

    fn judge<Q: Probe<K> + ?Sized>(&self, head: &Head, key: &Q, bounds: Bounds) -> Verdict {
        if self.is_fresh(head, key, bounds) {
            return Verdict::Fresh;
        }
        let now = bounds.now;
        if !head.is_published() || head.ends <= now || self.ended(head) {
            return Verdict::Dead;
        }
        if head.token < self.floors.stale() || !head.is_current(now) || self.subjects_moved(head) {
            return Verdict::Stale;
        }
        self.suspect_until(head, self.key_subject(key)).map_or(Verdict::Stale, Verdict::Suspect)
    }

    /// Whether something ended a tag, a dependency or the whole cache after the token. A key that was ended has no resident
    /// entry, so its fence is for those who hold one that may have been dropped.
    fn ended(&self, head: &Head) -> bool {
        let fences = &self.shared.fences;
        head.token < self.floors.gone()
            || head.subjects.all().iter().any(|subject| fences.ended_since(*subject, head.token))
    }

    fn ended_detached<Q: Probe<K> + ?Sized>(&self, head: &Head, key: &Q) -> bool {
        self.ended(head) || self.shared.fences.ended_since(self.key_subject(key), head.token)
    }

    fn record<Q: Probe<K> + ?Sized>(&self, key: &Q, head: Option<&Head>) {
        if let Some(scope) = Scope::current() {
            scope.record(self.key_subject(key), self.whole, head, self.shared.mechanisms);
        }
    }

    pub(crate) fn key_subject<Q: Probe<K> + ?Sized>(&self, key: &Q) -> SubjectRef {
        key.with_key_bytes(|bytes| self.subject_of(bytes))
    }

    /// A subject whose fence is needed soon, with it on its way.
    #[inline]
    pub(crate) fn prefetched(&self, subject: SubjectRef) -> SubjectRef {
        self.shared.fences.prefetch(subject);
        subject
    }

    /// The place of the key of these bytes.
    pub(crate) fn subject_of(&self, bytes: &[u8]) -> SubjectRef {
        self.shared.fences.of_key_hash(self.keys.hash(bytes))
    }
}

impl<K: Key, V: Send + Sync + 'static> AnyTable for Inner<K, V> {
    fn floors(&self) -> &Floors {
        &self.floors
    }

    fn whole(&self) -> SubjectRef {
        self.whole
    }

    fn tag(&self, tag: &[u8]) -> SubjectRef {
        self.shared.fences.tag(&self.name, tag)
    }

    fn chunk(self: Arc<Self>, acts: usize) -> Box<dyn Chunk> {
        if K::BORROWS {
            Box::new(BytesChunk::with_room(self, acts))
        } else {
            Box::new(KeyChunk::with_room(self, acts))
        }
    }
}

impl Scope {
    /// A scope for a load of a table.
    pub fn new<K: Key, V: Send + Sync + 'static>(table: &Table<K, V>) -> Self {
        ScopeOf::table(table).scope(Arc::<Recorder>::default())
    }
}

impl ScopeOf {
    /// Loads of a table.
    pub fn table<K: Key, V: Send + Sync + 'static>(table: &Table<K, V>) -> Self {
        Self::cache(table.inner.whole)
    }
}

impl<K: Key, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Key, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
