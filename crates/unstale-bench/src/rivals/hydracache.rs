//! hydracache; values are held as bytes, so a hit decodes a copy.

use std::sync::Arc;

use hydracache::{CacheOptions, HydraCache};

use crate::reader::{BoxSubject, Fill, Subject, Work, room};
use crate::rivals::runtime;
use crate::workload;

/// hydracache's local cache.
pub(crate) struct Hydracache {
    cache: HydraCache,
}

impl Hydracache {
    /// hydracache as a subject.
    pub(crate) fn make(keys: &Arc<Vec<String>>, fill: Fill) -> BoxSubject<String> {
        // Its capacity counts bytes.
        let cache = HydraCache::local().max_capacity(room(keys.len()) as u64 * 1_024).build();
        if fill == Fill::Full {
            runtime().block_on(async {
                for (index, key) in keys.iter().enumerate() {
                    cache.put(key, text(index), CacheOptions::new()).await.expect("a local put");
                }
            });
        }
        Box::new(Self { cache })
    }
}

/// A text value of the same size: it decodes by one copy, where bytes would decode one by one.
fn text(index: usize) -> String {
    format!("{index:0width$}", width = workload::VALUE_BYTES)
}

fn is_text(value: &str, index: u32) -> bool {
    value.len() == workload::VALUE_BYTES && value.trim_start_matches('0').parse().unwrap_or(0) == index
}

impl Subject<String> for Hydracache {
    fn name(&self) -> &'static str {
        "hydracache"
    }

    fn read(&self) -> Work<String> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let value = cache.get::<String>(ask.key()).await;
                    right += usize::from(
                        value.is_ok_and(|value| value.is_some_and(|value| is_text(&value, ask.index))),
                    );
                }
                right
            })
        })
    }

    fn set(&self) -> Option<Work<String>> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let put = cache.put(ask.key(), text(ask.index as usize), CacheOptions::new()).await;
                    right += usize::from(put.is_ok());
                }
                right
            })
        }))
    }

    fn load(&self) -> Option<Work<String>> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Some(Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let index = ask.index as usize;
                    let load = move || async move { Ok::<_, std::convert::Infallible>(text(index)) };
                    let value = cache.get_or_load(ask.key(), CacheOptions::new(), load).await;
                    right += usize::from(value.is_ok_and(|value: String| is_text(&value, ask.index)));
                }
                right
            })
        }))
    }
}
