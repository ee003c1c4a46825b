//! amalgam-cache; a hit clones a shared value.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use amalgam::{Cache, EntryOptions};

use crate::reader::{BoxSubject, Fill, Subject, Work};
use crate::rivals::runtime;
use crate::workload;

/// amalgam-cache without a second level.
pub(crate) struct Amalgam {
    cache: Cache<Arc<[u8]>>,
}

impl Amalgam {
    /// amalgam-cache as a subject.
    pub(crate) fn make(keys: &Arc<Vec<String>>, fill: Fill) -> BoxSubject<String> {
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
        Box::new(Self { cache })
    }
}

impl Subject<String> for Amalgam {
    fn name(&self) -> &'static str {
        "amalgam-cache"
    }

    fn read(&self) -> Work<String> {
        let (cache, runtime) = (self.cache.clone(), runtime());
        Box::new(move |order| {
            runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let value = cache.try_get(ask.key()).into_future().await;
                    let value = value.ok().and_then(|found| found.as_ref().map(Arc::clone));
                    right += usize::from(value.is_some_and(|value| workload::is_value(&value, ask.index)));
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
                    let set = cache.set(ask.key(), workload::shared_value(ask.index as usize)).await;
                    right += usize::from(set.is_ok());
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
                    let load = move |_| async move {
                        Ok::<_, std::convert::Infallible>(workload::shared_value(index))
                    };
                    let value = cache.get_or_set(ask.key(), load).await;
                    right += usize::from(value.is_ok_and(|value| workload::is_value(&value, ask.index)));
                }
                right
            })
        }))
    }
}
