//! What writes owe to the second level: whole nodes that share a store, on tokio's paused clock.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use unstale::{Cache, Load, Node, Raw};
use unstale_core::Mechanism;
use unstale_port::memory::{Hub, MemoryStore, StoreLimits};
use unstale_port::{FaultyStore, Sleep, Store, StoreFaults, Timer};

use crate::violation::{Promise, Violation};

/// The way to the store is long for the writer and short for the reader, who has heard of the act already (P-24).
pub(crate) fn store_is_told_late(without: Option<&str>) -> Result<(), Violation> {
    let mechanism = without.and_then(Mechanism::from_name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let timer: Arc<dyn Timer> = Arc::new(PausedTime(Instant::now()));
        let store = MemoryStore::with(StoreLimits::default(), Arc::clone(&timer));
        let (slow, faults) = FaultyStore::with_timer(store.clone(), 1, timer);
        faults.set(StoreFaults { delay: Duration::from_millis(20), ..StoreFaults::default() });
        let hub = Hub::fixed(["a", "b"]);
        let (a, writer) = member(&hub, "a", slow, mechanism).await;
        let (b, reader) = member(&hub, "b", store, mechanism).await;
        a.joined().await.unwrap();
        b.joined().await.unwrap();
        writer.get_or_load(&0, gives("old")).await.unwrap();
        let receipt = writer.remove(&0).await.unwrap();
        let told = reader.get_or_load(&1, gives("any")).session(receipt.session());
        told.await.unwrap();
        let value = reader.get_or_load(&0, gives("new")).await.unwrap();
        if *value == "old" {
            let text = "a node that has heard of the act reads the old value in the store";
            return Err(Violation::new(Promise::P1, text));
        }
        Ok(())
    })
}

async fn member(
    hub: &Hub,
    label: &str,
    store: impl Store,
    without: Option<Mechanism>,
) -> (Node, Cache<u64, String>) {
    let mut builder = Node::builder("shop").name(label).backplane(hub.join(label)).store(store);
    builder = builder.seed(label.as_bytes()[0].into()).clock(unstale::TokioClock::new());
    if let Some(mechanism) = without {
        builder = builder.without(mechanism);
    }
    let node = builder.start().await.unwrap();
    let rows = node.cache("rows").time_to_live(Duration::from_secs(3_600)).stored_as(Raw).build().unwrap();
    (node, rows)
}

fn gives(value: &'static str) -> impl FnOnce(Load<String>) -> Ready<Result<String, Infallible>> {
    move |_| ready(Ok(value.to_owned()))
}

struct PausedTime(Instant);

impl Timer for PausedTime {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep_until(&self, due: Duration) -> Sleep {
        Box::pin(tokio::time::sleep_until(self.0 + due))
    }
}
