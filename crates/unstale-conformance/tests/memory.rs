//! The memory references, bare and under every decorator, against the suites.

use std::sync::Arc;
use std::time::Duration;

use unstale_conformance::{BackplaneFixture, StoreFixture};
use unstale_port::memory::{Hub, MemoryBackplane, MemoryStore, StoreLimits};
use unstale_port::{
    Backplane, Faults, Faulty, FaultyStore, ManualTimer, Metered, StoreFaults, SystemTimer, Throttled, Timer,
};

/// Backplanes of one hub, each wrapped by a function that is told its index.
struct Wrapped<W>(W);

impl<B: Backplane, W: FnMut(u64, MemoryBackplane) -> B> BackplaneFixture for Wrapped<W> {
    type Backplane = B;

    async fn start(&mut self, count: usize) -> Vec<B> {
        let labels: Vec<String> = (0..count).map(|node| node.to_string()).collect();
        let hub = Hub::fixed(labels.clone());
        (0_u64..).zip(labels).map(|(index, label)| (self.0)(index, hub.join(label))).collect()
    }
}

/// Stores by a clock that the suite winds, each wrapped by a function.
struct Shelved<W> {
    timer: ManualTimer,
    wrap: W,
}

impl<S: unstale_port::Store, W: FnMut(MemoryStore) -> S> StoreFixture for Shelved<W> {
    type Store = S;

    async fn start(&mut self) -> S {
        let timer: Arc<dyn Timer> = Arc::new(self.timer.clone());
        (self.wrap)(MemoryStore::with(StoreLimits::default(), timer))
    }

    async fn pass(&mut self, time: Duration) {
        self.timer.advance(time);
    }
}

fn shelved<W>(wrap: W) -> Shelved<W> {
    Shelved { timer: ManualTimer::new(), wrap }
}

mod bare {
    use super::*;

    unstale_conformance::backplane_suite!(Wrapped(|_, inner| inner));
}

mod boxed {
    use super::*;

    unstale_conformance::backplane_suite!(Wrapped(|_, inner| Box::new(inner) as Box<dyn Backplane>));
}

mod metered {
    use super::*;

    unstale_conformance::backplane_suite!(Wrapped(|_, inner| Metered::new(inner).0));
}

mod throttled {
    use super::*;

    unstale_conformance::backplane_suite!(Wrapped(|_, inner| Throttled::new(inner, 20 << 20)));
}

mod faulty {
    use super::*;

    const FAULTS: Faults = Faults { lose: 0.2, repeat: 0.2, reorder: 0.2, delay: Duration::from_millis(5) };

    unstale_conformance::backplane_suite!(Wrapped(|seed, inner| Faulty::new(inner, FAULTS, seed)));
}

mod store {
    use super::*;

    unstale_conformance::store_suite!(shelved(|store| store));
}

mod shared_store {
    use super::*;

    unstale_conformance::store_suite!(shelved(Arc::new));
}

mod slow_store {
    use super::*;

    unstale_conformance::store_suite!(shelved(|store| {
        let (store, faults) = FaultyStore::with_timer(store, 1, Arc::new(SystemTimer::new()));
        faults.set(StoreFaults { delay: Duration::from_millis(1), ..StoreFaults::default() });
        store
    }));
}
