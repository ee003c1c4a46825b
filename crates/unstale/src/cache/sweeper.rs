//! The slow sweeper: gives back the memory of what nobody may be served any more.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Cache, Inner, Key};

/// Between two passes over a cache.
const REST: Duration = Duration::from_secs(1);

/// Between two steps of a pass.
const BREATH: Duration = Duration::from_millis(16);

/// Entries looked at in a step: about 25 us, so that a pass costs less than 0.2 % of one core.
const STEP: usize = 128;

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Sweeps until the last clone of the cache is gone.
    pub(crate) fn begin_sweeping(&self) {
        self.shared().spawn(sweep(Arc::downgrade(&self.inner)));
    }
}

async fn sweep<K: Key, V: Send + Sync + 'static>(cache: Weak<Inner<K, V>>) {
    loop {
        tokio::time::sleep(REST).await;
        let Some(table) = cache.upgrade().map(|inner| inner.table.clone()) else { return };
        let mut pass = table.sweep();
        while pass.step(STEP).seen == STEP {
            tokio::time::sleep(BREATH).await;
            if cache.strong_count() == 0 {
                return;
            }
        }
    }
}
