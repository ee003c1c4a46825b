//! A subject: what takes part in a bench, and the closures that it gives a measuring thread.

use std::sync::Arc;

use quick_cache::sync::Cache as QuickCache;

use crate::workload::{self, Ask, BenchKey};

/// The hasher that every subject uses that lets one choose.
pub(crate) type Hasher = foldhash::fast::RandomState;

/// Does something to each key of an order and returns how often it went right.
pub(crate) type Work<K> = Box<dyn FnMut(&[Ask<K>]) -> usize + Send>;

/// Something that can be read, written and loaded through.
pub(crate) trait Subject<K: BenchKey> {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Reads each key, all of them present.
    fn read(&self) -> Work<K>;

    /// Sets each key to its value.
    fn set(&self) -> Option<Work<K>> {
        None
    }

    /// Loads each key, none of them present, with a loader that has the value at hand.
    fn load(&self) -> Option<Work<K>> {
        None
    }
}

/// A subject of any kind.
pub(crate) type BoxSubject<K> = Box<dyn Subject<K>>;

/// Makes subjects over the same keys.
pub(crate) struct Maker<K: BenchKey> {
    /// The subject's name, known before it is made.
    pub(crate) name: &'static str,
    /// Makes the subject with room for all `keys`, with them in it or empty.
    pub(crate) make: fn(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K>,
}

/// Whether a subject begins with every key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Every key is in it.
    Full,
    /// Nothing is in it.
    Empty,
}

/// Bare quick_cache with shared values: the engine below unstale.
pub(crate) struct Engine<K> {
    cache: Arc<QuickCache<K, Arc<[u8]>, quick_cache::UnitWeighter, Hasher>>,
}

impl<K: BenchKey> Engine<K> {
    /// The engine as a subject.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K> {
        let cache = bare(keys.len());
        if fill == Fill::Full {
            for (index, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), workload::shared_value(index));
            }
        }
        Box::new(Self { cache: Arc::new(cache) })
    }
}

/// An empty engine with room for `entries` and a margin, so that uneven shards evict nothing.
pub(crate) fn bare<K: BenchKey, V: Clone>(
    entries: usize,
) -> QuickCache<K, V, quick_cache::UnitWeighter, Hasher> {
    let room = room(entries);
    QuickCache::with(
        entries,
        room as u64,
        quick_cache::UnitWeighter,
        Hasher::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    )
}

/// The capacity that subjects get for `entries`.
pub(crate) const fn room(entries: usize) -> usize {
    entries * 2 + 1_000
}

impl<K: BenchKey> Subject<K> for Engine<K> {
    fn name(&self) -> &'static str {
        "quick_cache"
    }

    fn read(&self) -> Work<K> {
        let cache = self.cache.clone();
        each(move |ask| cache.get(ask.key()).is_some_and(|value| workload::is_value(&value, ask.index)))
    }

    fn set(&self) -> Option<Work<K>> {
        let cache = self.cache.clone();
        Some(each(move |ask: &Ask<K>| {
            cache.insert(ask.key().to_owned(), workload::shared_value(ask.index as usize));
            true
        }))
    }

    fn load(&self) -> Option<Work<K>> {
        let cache = self.cache.clone();
        Some(each(move |ask| {
            let load = || Ok::<_, std::convert::Infallible>(workload::shared_value(ask.index as usize));
            let Ok(value) = cache.get_or_insert_with(ask.key(), load);
            workload::is_value(&value, ask.index)
        }))
    }
}

/// Work that calls `one` for each access and counts how often it was right.
pub(crate) fn each<K: BenchKey>(mut one: impl FnMut(&Ask<K>) -> bool + Send + 'static) -> Work<K> {
    Box::new(move |order| {
        let mut right = 0;
        for ask in order {
            right += usize::from(one(ask));
        }
        right
    })
}
