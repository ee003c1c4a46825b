//! The memory references, bare and under every decorator, against the suites.

use std::sync::Arc;
use std::time::Duration;

use unstale_conformance::{BackplaneFixture, RegisterFixture, StoreFixture};
use unstale_port::memory::{Broker, BrokerBackplane, Hub, MemoryBackplane, MemoryStore, StoreLimits};
use unstale_port::{
    Backplane, Entry, Faults, Faulty, FaultyStore, ManualTimer, Metered, RegisterRequest, StoreFaults,
    SystemTimer, Throttled, Timer,
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

/// Backplanes of one broker, each wrapped by a function.
struct Brokered<W> {
    broker: Broker,
    wrap: W,
}

impl<B: Backplane, W: FnMut(BrokerBackplane) -> B> BackplaneFixture for Brokered<W> {
    type Backplane = B;

    async fn start(&mut self, count: usize) -> Vec<B> {
        let start = |node: usize| {
            let mut backplane = (self.wrap)(self.broker.join(node.to_string()));
            let entry = Entry { id: node.to_string().into(), about: "started".into() };
            backplane.register(RegisterRequest::Enter(entry));
            backplane
        };
        (0..count).map(start).collect()
    }
}

impl<B: Backplane, W: FnMut(BrokerBackplane) -> B> RegisterFixture for Brokered<W> {
    async fn lose_register(&mut self) {
        self.broker.lose_register();
    }
}

fn brokered<W>(wrap: W) -> Brokered<W> {
    Brokered { broker: Broker::new(), wrap }
}

mod broker {
    use super::*;

    unstale_conformance::backplane_suite!(brokered(|inner| inner));
    unstale_conformance::register_suite!(brokered(|inner| inner));
}

mod decorated_broker {
    use super::*;

    fn wrapped() -> Brokered<impl FnMut(BrokerBackplane) -> Metered<Throttled<Box<dyn Backplane>>>> {
        brokered(|inner| Metered::new(Throttled::new(Box::new(inner) as Box<dyn Backplane>, 20 << 20)).0)
    }

    unstale_conformance::backplane_suite!(wrapped());
    unstale_conformance::register_suite!(wrapped());
}

mod lossy_broker {
    use super::*;

    const FAULTS: Faults = Faults { lose: 0.2, repeat: 0.2, reorder: 0.2, delay: Duration::from_millis(5) };

    unstale_conformance::register_suite!(brokered(|inner| Faulty::new(inner, FAULTS, 7)));
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
