//! A store in memory, shared by the nodes of one process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::marks::{Mark, Marks};
use super::turns::Turns;
use crate::{
    Condition, Error, Intent, Kind, Lease, Lookup, Record, Retry, Store, StoreFuture, SystemTimer, Timer,
    Turn, Written,
};

/// What a [`MemoryStore`] holds at most. Reaching a limit forgets what was changed longest ago, and refuses writes that
/// might be older than what was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Keys, tombstones included; and as many turns.
    pub entries_max: usize,
    /// Bytes of keys, values and tags, with 128 for each key.
    pub bytes_max: usize,
    /// Tags that were raised, for each cache.
    pub tags_max: usize,
    /// Caches. One more cache can be read and removed from, but not written.
    pub caches_max: usize,
    /// How long a tombstone is kept: longer than the longest load.
    pub tombstones_for: Duration,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            entries_max: 100_000,
            bytes_max: 64 << 20,
            tags_max: 65_536,
            caches_max: 1_024,
            tombstones_for: Duration::from_secs(600),
        }
    }
}

/// The reference [`Store`]. Clones are one store. A lease is the count of changes at the read that gave it out.
///
/// Every operation takes one lock for a time that grows with its keys only, and is done when its future is first polled.
///
/// ```
/// use std::future::Future;
/// use std::task::{Context, Poll, Waker};
/// use bytes::Bytes;
/// use unstale_port::{Intent, Store, memory::MemoryStore};
///
/// let store = MemoryStore::new();
/// let keys = [Bytes::from_static(b"k")];
/// let mut cx = Context::from_waker(Waker::noop());
/// let Poll::Ready(Ok(found)) = store.get("users", &keys, Intent::Read).as_mut().poll(&mut cx) else { panic!("not ready") };
/// assert!(found[0].record.is_none());
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shelves: Arc<Mutex<Shelves>>,
    timer: Arc<dyn Timer>,
}

struct Shelves {
    limits: StoreLimits,
    /// Counts changes.
    seq: u64,
    bytes: usize,
    caches: HashMap<Arc<str>, Shelf>,
    everywhere: Marks,
    /// Every slot by its last change, oldest first.
    order: BTreeMap<u64, (Arc<str>, Bytes)>,
    /// Stands for the slots that were forgotten.
    forgotten: Mark,
    turns: Turns,
}

#[derive(Default)]
struct Shelf {
    slots: HashMap<Bytes, Slot>,
    marks: Marks,
}

/// What is known of one key: perhaps a record, and always the last change.
struct Slot {
    held: Option<Held>,
    changed: Mark,
    changed_at: Duration,
}

struct Held {
    record: Record,
    /// When it was written, in changes.
    seq: u64,
    fresh_until: Duration,
    keep_until: Duration,
}

impl MemoryStore {
    /// A store with the default limits, by the system's clock.
    pub fn new() -> Self {
        Self::with(StoreLimits::default(), Arc::new(SystemTimer::new()))
    }

    /// A store with these limits, by this clock.
    pub fn with(limits: StoreLimits, timer: Arc<dyn Timer>) -> Self {
        let shelves = Shelves {
            limits,
            seq: 0,
            bytes: 0,
            caches: HashMap::new(),
            everywhere: Marks::default(),
            order: BTreeMap::new(),
            forgotten: Mark::default(),
            turns: Turns::new(limits.entries_max),
        };
        Self { shelves: Arc::new(Mutex::new(shelves)), timer }
    }

    /// How many keys it holds, tombstones and the expired included.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    /// Whether it holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it holds, counted as [`StoreLimits::bytes_max`] counts.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        Box::pin(future::poll_fn(move |_| {
            let (now, mut shelves) = (self.timer.now(), self.lock());
            let mut taken = HashSet::new();
            let mut look_up = |key| {
                // One reader does not stand in its own way.
                let intent = if taken.contains(key) { Intent::Read } else { intent };
                let found = shelves.look_up(cache, key, intent, now);
                if found.turn == Turn::Yours {
                    taken.insert(key);
                }
                found
            };
            Ok(keys.iter().map(&mut look_up).collect()).into()
        }))
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.lock().turns.release(cache, &key, lease);
            Ok(())
        })
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        Box::pin(async move { self.lock().put(cache, &key, record, condition, self.timer.now()) })
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let (now, mut shelves) = (self.timer.now(), self.lock());
            for key in keys {
                shelves.change(cache, key, stamp, now, |_| None);
            }
            Ok(())
        })
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let (now, mut shelves) = (self.timer.now(), self.lock());
            for key in keys {
                let stale = |held: Option<Held>| {
                    held.map(|held| Held { fresh_until: now.min(held.fresh_until), ..held })
                };
                shelves.change(cache, key, stamp, now, stale);
            }
            Ok(())
        })
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.lock().raise(cache, tag, stamp);
            Ok(())
        })
    }
}

impl Shelves {
    fn look_up(&mut self, cache: &str, key: &Bytes, intent: Intent, now: Duration) -> Lookup {
        let lease = Lease(self.seq.into());
        let record = self.record(cache, key, now);
        let is_fresh = record.as_ref().is_some_and(|record| record.fresh_for > Duration::ZERO);
        let turn = match intent {
            Intent::Load { turn } if !is_fresh => {
                let cleared = self.marks_over(cache, &[]).seq;
                self.turns.take(cache, key, lease, cleared, now, turn)
            }
            Intent::Load { .. } | Intent::Read => Turn::Yours,
        };
        Lookup { record, lease, turn }
    }

    fn record(&self, cache: &str, key: &Bytes, now: Duration) -> Option<Record> {
        self.live(cache, key, now).map(|held| Record {
            fresh_for: held.fresh_until.saturating_sub(now),
            keep_for: held.keep_until.saturating_sub(now),
            ..held.record.clone()
        })
    }

    /// The record of a key that is neither ended nor past its time.
    fn live(&self, cache: &str, key: &Bytes, now: Duration) -> Option<&Held> {
        let held = self.caches.get(cache)?.slots.get(key)?.held.as_ref()?;
        let ended = self.marks_over(cache, &held.record.tags).seq > held.seq;
        (held.keep_until > now && !ended).then_some(held)
    }

    fn put(
        &mut self,
        cache: &str,
        key: &Bytes,
        record: Record,
        condition: Condition,
        now: Duration,
    ) -> Result<Written, Error> {
        let max = self.limits.bytes_max;
        let bytes = slot_bytes(key, Some(&record));
        if bytes > max {
            let detail = format!("record of {bytes} bytes exceeds limit of {max}");
            return Err(Error::new(Kind::TooLarge, Retry::Never, "put", detail));
        }
        if !self.caches.contains_key(cache) && self.caches.len() >= self.limits.caches_max {
            let detail = format!("cache {cache} would exceed limit of {}", self.limits.caches_max);
            return Err(Error::new(Kind::TooLarge, Retry::Never, "put", detail));
        }
        let slot = self.caches.get(cache).and_then(|shelf| shelf.slots.get(key));
        let of_key = slot.map_or(self.forgotten, |slot| slot.changed);
        let before = self.marks_over(cache, &record.tags).and(of_key);
        let holds = match condition {
            Condition::Newer => record.stamp > before.stamp,
            Condition::Lease(Lease(seq)) => u128::from(before.seq) <= seq && seq <= u128::from(self.seq),
        };
        let version_held = self.live(cache, key, now).and_then(|held| held.record.version);
        if let Condition::Lease(lease) = condition {
            self.turns.release(cache, key, lease);
        }
        if !holds || record.version.zip(version_held).is_some_and(|(new, held)| new < held) {
            return Ok(Written::Refused);
        }
        let stamp = record.stamp;
        let (fresh_until, keep_until) =
            (now.saturating_add(record.fresh_for), now.saturating_add(record.keep_for));
        let seq = self.seq + 1;
        self.change(cache, key, stamp, now, |_| Some(Held { record, seq, fresh_until, keep_until }));
        Ok(Written::Stored)
    }

    /// Counts a change of one key and makes it.
    fn change(
        &mut self,
        cache: &str,
        key: &Bytes,
        stamp: u64,
        now: Duration,
        make: impl FnOnce(Option<Held>) -> Option<Held>,
    ) {
        self.seq += 1;
        self.turns.end(cache, key);
        let mark = Mark { seq: self.seq, stamp };
        let Some((name, shelf)) = self.shelf(cache) else { return };
        let slot = shelf.slots.remove(key);
        let (held, changed) = slot.map_or((None, Mark::default()), |slot| (slot.held, slot.changed));
        let bytes_before =
            if changed.seq == 0 { 0 } else { slot_bytes(key, held.as_ref().map(|h| &h.record)) };
        let held = make(held);
        let bytes = slot_bytes(key, held.as_ref().map(|h| &h.record));
        shelf.slots.insert(key.clone(), Slot { held, changed: changed.and(mark), changed_at: now });
        self.order.remove(&changed.seq);
        self.order.insert(mark.seq, (name, key.clone()));
        self.bytes = self.bytes - bytes_before + bytes;
        self.forget(now);
    }

    fn raise(&mut self, cache: Option<&str>, tag: Option<Bytes>, stamp: u64) {
        self.seq += 1;
        let (mark, tags_max) = (Mark { seq: self.seq, stamp }, self.limits.tags_max);
        match cache {
            None => self.everywhere.raise(tag, mark, tags_max),
            Some(cache) => {
                if let Some((_, shelf)) = self.shelf(cache) {
                    shelf.marks.raise(tag, mark, tags_max);
                }
            }
        }
    }

    /// The shelf of a cache, made if there is room for one more. A cache without one can never be written, so what would
    /// be removed from it need not be remembered.
    fn shelf(&mut self, cache: &str) -> Option<(Arc<str>, &mut Shelf)> {
        let known = self.caches.get_key_value(cache).map(|(name, _)| Arc::clone(name));
        let room = self.caches.len() < self.limits.caches_max;
        let name = known.or_else(|| room.then(|| Arc::from(cache)))?;
        Some((Arc::clone(&name), self.caches.entry(name).or_default()))
    }

    fn marks_over(&self, cache: &str, tags: &[Bytes]) -> Mark {
        let here = self.caches.get(cache).map(|shelf| shelf.marks.over(tags)).unwrap_or_default();
        self.everywhere.over(tags).and(here)
    }

    /// Forgets the oldest slots beyond the limits, and up to two that are of no more use.
    fn forget(&mut self, now: Duration) {
        let mut idle = 2;
        while let Some((seq, (cache, key))) = self.order.first_key_value() {
            let over = self.order.len() > self.limits.entries_max || self.bytes > self.limits.bytes_max;
            let Some(slot) = self.caches.get(cache).and_then(|shelf| shelf.slots.get(key)) else { return };
            let kept = slot.held.as_ref().is_some_and(|held| held.keep_until > now);
            let useless = !kept && slot.changed_at + self.limits.tombstones_for <= now;
            if !over && (!useless || idle == 0) {
                return;
            }
            idle -= usize::from(!over);
            self.forgotten = self.forgotten.and(slot.changed);
            self.bytes -= slot_bytes(key, slot.held.as_ref().map(|held| &held.record));
            let (seq, cache, key) = (*seq, Arc::clone(cache), key.clone());
            self.order.remove(&seq);
            if let Some(shelf) = self.caches.get_mut(&cache) {
                shelf.slots.remove(&key);
            }
        }
    }
}

fn slot_bytes(key: &Bytes, record: Option<&Record>) -> usize {
    let of_record = record.map_or(0, |record| {
        let tags: usize = record.tags.iter().map(|tag| tag.len() + 32).sum();
        record.value.as_ref().map_or(0, Bytes::len) + tags + record.etag.as_ref().map_or(0, String::len)
    });
    128 + key.len() + of_record
}

#[cfg(test)]
mod tests;
