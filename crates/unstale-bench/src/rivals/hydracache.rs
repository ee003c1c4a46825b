//! hydracache; values are held as bytes, so a hit decodes a copy.

use std::sync::Arc;

use hydracache::{CacheOptions, HydraCache};

use crate::reader::{Fill, Subject, Work, room};
use crate::rivals::runtime;
use crate::workload;

/// hydracache's local cache.
pub(crate) struct Hydracache {
    keys: Arc<Vec<String>>,
    cache: HydraCache,
}

impl Hydracache {
    /// hydracache as a subject.
    pub(crate) fn make(keys: &Arc<Vec<String>>, fill: Fill) -> Box<dyn Subject> {
        // Its capacity counts bytes.
        let cache = HydraCache::local().max_capacity(room(keys.len()) as u64 * 1_024).build();
        if fill == Fill::Full {
            runtime().block_on(async {
                for (index, key) in keys.iter().enumerate() {
                    cache.put(key, text(index), CacheOptions::new()).await.expect("a local put");
                }
            });
        }
        Box::new(Self { keys: keys.clone(), cache })
    }
}

/// A text value of the same size: it decodes by one copy, where bytes would decode one by one.
fn text(index: usize) -> String {
    format!("{index:0width$}", width = workload::VALUE_BYTES)
}

fn is_text(value: &str, index: u32) -> bool {
    value.len() == workload::VALUE_BYTES && value.trim_start_matches('0').parse().unwrap_or(0) == index
}

impl Subject for Hydracache {
    fn name(&self) -> &'static str {
        "hydracache"
    }

    fn read(&self) -> Work {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for &index in order {
                    let value = cache.get::<String>(&keys[index as usize]).await;
                    right += usize::from(
                        value.is_ok_and(|value| value.is_some_and(|value| is_text(&value, index))),
                    );
                }
                right
            })
        })
    }

    fn set(&self) -> Option<Work> {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for &index in order {
                    let put =
                        cache.put(&keys[index as usize], text(index as usize), CacheOptions::new()).await;
                    right += usize::from(put.is_ok());
                }
                right
            })
        }))
    }

    fn load(&self) -> Option<Work> {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for &index in order {
                    let load = move || async move { Ok::<_, std::convert::Infallible>(text(index as usize)) };
                    let value = cache.get_or_load(&keys[index as usize], CacheOptions::new(), load).await;
                    right += usize::from(value.is_ok_and(|value: String| is_text(&value, index)));
                }
                right
            })
        }))
    }
}
