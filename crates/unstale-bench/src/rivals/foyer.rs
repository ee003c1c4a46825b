//! foyer's memory cache; a hit shares its record.

use std::sync::Arc;

use foyer_memory::{Cache, CacheBuilder, CacheProperties};

use crate::reader::{BoxSubject, Fill, Hasher, Subject, Work, each, room};
use crate::workload::{self, Ask, BenchKey};

/// foyer's memory cache.
pub(crate) struct Foyer<K: BenchKey> {
    cache: Cache<K, Arc<[u8]>, Hasher, CacheProperties>,
}

impl<K: BenchKey> Foyer<K> {
    /// foyer as a subject.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K> {
        let cache = CacheBuilder::new(room(keys.len())).with_hash_builder(Hasher::default()).build();
        if fill == Fill::Full {
            for (index, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), workload::shared_value(index));
            }
        }
        Box::new(Self { cache })
    }
}

impl<K: BenchKey> Subject<K> for Foyer<K> {
    fn name(&self) -> &'static str {
        "foyer"
    }

    fn read(&self) -> Work<K> {
        let cache = self.cache.clone();
        each(move |ask| {
            cache.get(ask.key()).is_some_and(|entry| workload::is_value(entry.value(), ask.index))
        })
    }

    fn set(&self) -> Option<Work<K>> {
        let cache = self.cache.clone();
        Some(each(move |ask: &Ask<K>| {
            cache.insert(ask.key().to_owned(), workload::shared_value(ask.index as usize));
            true
        }))
    }
}
