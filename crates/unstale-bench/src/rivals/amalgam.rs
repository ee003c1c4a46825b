//! amalgam-cache; a hit clones a shared value.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use amalgam::{Cache, EntryOptions};

use crate::reader::{Fill, Subject, Work};
use crate::rivals::runtime;
use crate::workload;

/// amalgam-cache without a second level.
pub(crate) struct Amalgam {
    keys: Arc<Vec<String>>,
    cache: Cache<Arc<[u8]>>,
}

impl Amalgam {
    /// amalgam-cache as a subject.
    pub(crate) fn make(keys: &Arc<Vec<String>>, fill: Fill) -> Box<dyn Subject> {
        let options = EntryOptions::new(Duration::from_secs(3_600));
        let cache = Cache::builder().default_options(options).try_build().expect("its defaults build");
        if fill == Fill::Full {
            runtime().block_on(async {
                for (index, key) in keys.iter().enumerate() {
                    cache
                        .set(key, workload::shared_value(index))
                        .await
                        .expect("a set without a second level");
                }
            });
        }
        Box::new(Self { keys: keys.clone(), cache })
    }
}

impl Subject for Amalgam {
    fn name(&self) -> &'static str {
        "amalgam-cache"
    }

    fn read(&self) -> Work {
        let (keys, cache, runtime) = (self.keys.clone(), self.cache.clone(), runtime());
        Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for &index in order {
                    let value = cache.try_get(&keys[index as usize]).into_future().await;
                    let value = value.ok().and_then(|found| found.as_ref().map(Arc::clone));
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
                let mut right = 0;
                for &index in order {
                    let set = cache.set(&keys[index as usize], workload::shared_value(index as usize)).await;
                    right += usize::from(set.is_ok());
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
                    let load = move |_| async move {
                        Ok::<_, std::convert::Infallible>(workload::shared_value(index as usize))
                    };
                    let value = cache.get_or_set(&keys[index as usize], load).await;
                    right += usize::from(value.is_ok_and(|value| workload::is_value(&value, index)));
                }
                right
            })
        }))
    }
}
