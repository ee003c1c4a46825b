//! A subject: what takes part in a bench, and the closures that it gives a measuring thread.

use std::sync::Arc;

use quick_cache::sync::Cache as QuickCache;

use crate::workload::{self, BenchKey};

/// The hasher that every subject uses that lets one choose.
pub(crate) type Hasher = foldhash::fast::RandomState;

/// Does something to each key of an order and returns how often it went right.
pub(crate) type Work = Box<dyn FnMut(&[u32]) -> usize + Send>;

/// Something that can be read, written and loaded through.
pub(crate) trait Subject {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Reads each key, all of them present.
    fn read(&self) -> Work;

    /// Sets each key to its value.
    fn set(&self) -> Option<Work> {
        None
    }

    /// Loads each key, none of them present, with a loader that has the value at hand.
    fn load(&self) -> Option<Work> {
        None
    }
}

/// Makes subjects over the same keys.
pub(crate) struct Maker<K> {
    /// The subject's name, known before it is made.
    pub(crate) name: &'static str,
    /// Makes the subject with room for all `keys`, with them in it or empty.
    pub(crate) make: fn(keys: &Arc<Vec<K>>, fill: Fill) -> Box<dyn Subject>,
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
    keys: Arc<Vec<K>>,
    cache: Arc<QuickCache<K, Arc<[u8]>, quick_cache::UnitWeighter, Hasher>>,
}

impl<K: BenchKey> Engine<K> {
    /// The engine as a subject.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> Box<dyn Subject> {
        let cache = bare(keys.len());
        if fill == Fill::Full {
            for (index, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), workload::shared_value(index));
            }
        }
        Box::new(Self { keys: keys.clone(), cache: Arc::new(cache) })
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

impl<K: BenchKey> Subject for Engine<K> {
    fn name(&self) -> &'static str {
        "quick_cache"
    }

    fn read(&self) -> Work {
        let (keys, cache) = (self.keys.clone(), self.cache.clone());
        each(move |index| {
            cache.get(&keys[index as usize]).is_some_and(|value| workload::is_value(&value, index))
        })
    }

    fn set(&self) -> Option<Work> {
        let (keys, cache) = (self.keys.clone(), self.cache.clone());
        Some(each(move |index| {
            cache.insert(keys[index as usize].clone(), workload::shared_value(index as usize));
            true
        }))
    }

    fn load(&self) -> Option<Work> {
        let (keys, cache) = (self.keys.clone(), self.cache.clone());
        Some(each(move |index| {
            let load = || Ok::<_, std::convert::Infallible>(workload::shared_value(index as usize));
            let Ok(value) = cache.get_or_insert_with(&keys[index as usize], load);
            workload::is_value(&value, index)
        }))
    }
}

/// Work that calls `one` for each index and counts how often it was right.
pub(crate) fn each(mut one: impl FnMut(u32) -> bool + Send + 'static) -> Work {
    Box::new(move |order| {
        let mut right = 0;
        for &index in order {
            right += usize::from(one(index));
        }
        right
    })
}
