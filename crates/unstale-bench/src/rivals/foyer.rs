//! foyer's memory cache; a hit shares its record.

use std::sync::Arc;

use foyer_memory::{Cache, CacheBuilder, CacheProperties};

use crate::reader::{Fill, Hasher, Subject, Work, each, room};
use crate::workload::{self, BenchKey};

/// foyer's memory cache.
pub(crate) struct Foyer<K: BenchKey> {
    keys: Arc<Vec<K>>,
    cache: Cache<K, Arc<[u8]>, Hasher, CacheProperties>,
}

impl<K: BenchKey> Foyer<K> {
    /// foyer as a subject.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> Box<dyn Subject> {
        let cache = CacheBuilder::new(room(keys.len())).with_hash_builder(Hasher::default()).build();
        if fill == Fill::Full {
            for (index, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), workload::shared_value(index));
            }
        }
        Box::new(Self { keys: keys.clone(), cache })
    }
}

impl<K: BenchKey> Subject for Foyer<K> {
    fn name(&self) -> &'static str {
        "foyer"
    }

    fn read(&self) -> Work {
        let (keys, cache) = (self.keys.clone(), self.cache.clone());
        each(move |index| {
            cache.get(&keys[index as usize]).is_some_and(|entry| workload::is_value(entry.value(), index))
        })
    }

    fn set(&self) -> Option<Work> {
        let (keys, cache) = (self.keys.clone(), self.cache.clone());
        Some(each(move |index| {
            cache.insert(keys[index as usize].clone(), workload::shared_value(index as usize));
            true
        }))
    }
}
