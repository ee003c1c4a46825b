//! moka, both caches; a hit clones a shared value.

use std::sync::Arc;

use crate::reader::{Fill, Hasher, Subject, Work, each, room};
use crate::rivals::runtime;
use crate::workload::{self, BenchKey};

/// moka's synchronous cache.
pub(crate) struct Sync<K> {
    keys: Arc<Vec<K>>,
    cache: moka::sync::Cache<K, Arc<[u8]>, Hasher>,
}

impl<K: BenchKey> Sync<K> {
    /// moka as a subject, with nothing left in its own queues.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> Box<dyn Subject> {
        let cache = moka::sync::Cache::builder()
            .max_capacity(room(keys.len()) as u64)
            .build_with_hasher(Hasher::default());
        if fill == Fill::Full {
            for (index, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), workload::shared_value(index));
            }
            cache.run_pending_tasks();
        }
        Box::new(Self { keys: keys.clone(), cache })
    }
}

impl<K: BenchKey> Subject for Sync<K> {
    fn name(&self) -> &'static str {
        "moka-sync"
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
            let value =
                cache.get_with_by_ref(&keys[index as usize], || workload::shared_value(index as usize));
            workload::is_value(&value, index)
        }))
    }
}

/// moka's asynchronous cache, awaited on a runtime of one thread.
pub(crate) struct Future<K> {
    keys: Arc<Vec<K>>,
    cache: moka::future::Cache<K, Arc<[u8]>, Hasher>,
}

impl<K: BenchKey> Future<K> {
    /// moka as a subject, with nothing left in its own queues.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> Box<dyn Subject> {
        let cache = moka::future::Cache::builder()
            .max_capacity(room(keys.len()) as u64)
            .build_with_hasher(Hasher::default());
        if fill == Fill::Full {
            runtime().block_on(async {
                for (index, key) in keys.iter().enumerate() {
                    cache.insert(key.clone(), workload::shared_value(index)).await;
                }
                cache.run_pending_tasks().await;
            });
        }
        Box::new(Self { keys: keys.clone(), cache })
    }
}

impl<K: BenchKey> Subject for Future<K> {
    fn name(&self) -> &'static str {
        "moka-future"
    }

    fn read(&self) -> Work {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for &index in order {
                    let value = cache.get(&keys[index as usize]).await;
                    right += usize::from(value.is_some_and(|value| workload::is_value(&value, index)));
                }
                right
            })
        })
    }

    fn set(&self) -> Option<Work> {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                for &index in order {
                    cache.insert(keys[index as usize].clone(), workload::shared_value(index as usize)).await;
                }
                order.len()
            })
        }))
    }

    fn load(&self) -> Option<Work> {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for &index in order {
                    let load = async { workload::shared_value(index as usize) };
                    let value = cache.get_with_by_ref(&keys[index as usize], load).await;
                    right += usize::from(workload::is_value(&value, index));
                }
                right
            })
        }))
    }
}
