//! moka, both caches; a hit clones a shared value.

use std::sync::Arc;

use crate::reader::{BoxSubject, Fill, Hasher, Subject, Work, each, room};
use crate::rivals::runtime;
use crate::workload::{self, Ask, BenchKey};

/// moka's synchronous cache.
pub(crate) struct Sync<K> {
    cache: moka::sync::Cache<K, Arc<[u8]>, Hasher>,
}

impl<K: BenchKey> Sync<K> {
    /// moka as a subject, with nothing left in its own queues.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K> {
        let cache = moka::sync::Cache::builder()
            .max_capacity(room(keys.len()) as u64)
            .build_with_hasher(Hasher::default());
        if fill == Fill::Full {
            for (index, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), workload::shared_value(index));
            }
            cache.run_pending_tasks();
        }
        Box::new(Self { cache })
    }
}

impl<K: BenchKey> Subject<K> for Sync<K> {
    fn name(&self) -> &'static str {
        "moka-sync"
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
            let value = cache.get_with_by_ref(ask.key(), || workload::shared_value(ask.index as usize));
            workload::is_value(&value, ask.index)
        }))
    }
}

/// moka's asynchronous cache, awaited on a runtime of one thread.
pub(crate) struct Future<K> {
    cache: moka::future::Cache<K, Arc<[u8]>, Hasher>,
}

impl<K: BenchKey> Future<K> {
    /// moka as a subject, with nothing left in its own queues.
    pub(crate) fn make(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K> {
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
        Box::new(Self { cache })
    }
}

impl<K: BenchKey> Subject<K> for Future<K> {
    fn name(&self) -> &'static str {
        "moka-future"
    }

    fn read(&self) -> Work<K> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let value = cache.get(ask.key()).await;
                    right += usize::from(value.is_some_and(|value| workload::is_value(&value, ask.index)));
                }
                right
            })
        })
    }

    fn set(&self) -> Option<Work<K>> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                for ask in order {
                    cache.insert(ask.key().to_owned(), workload::shared_value(ask.index as usize)).await;
                }
                order.len()
            })
        }))
    }

    fn load(&self) -> Option<Work<K>> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let load = async { workload::shared_value(ask.index as usize) };
                    let value = cache.get_with_by_ref(ask.key(), load).await;
                    right += usize::from(workload::is_value(&value, ask.index));
                }
                right
            })
        }))
    }
}
