//! What the tests stand on: a hub, nodes with one cache each, and the database that they cache.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use unstale::metrics::Metric;
use unstale::{Cache, Load, Node, NodeBuilder, Receipt, State, TokioClock, Value};
use unstale_port::Backplane;
use unstale_port::memory::Hub;

/// The rows that are cached, and how often they were read.
#[derive(Clone, Default)]
pub(crate) struct Database {
    rows: Arc<Mutex<BTreeMap<u64, u64>>>,
    reads: Arc<AtomicU64>,
}

impl Database {
    pub(crate) fn write(&self, key: u64, value: u64) {
        self.rows.lock().unwrap().insert(key, value);
    }

    pub(crate) fn row(&self, key: u64) -> u64 {
        self.rows.lock().unwrap()[&key]
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    fn load(&self, key: u64) -> Option<u64> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.rows.lock().unwrap().get(&key).copied()
    }
}

/// A node with its cache.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) node: Node,
    pub(crate) rows: Cache<u64, u64>,
    database: Database,
}

impl Member {
    /// A plain read through the cache.
    pub(crate) async fn read(&self, key: u64) -> Value<u64> {
        let database = self.database.clone();
        self.rows
            .get_or_load(&key, async move |_: Load<u64>| Ok::<_, Infallible>(database.load(key)))
            .await
            .unwrap()
    }

    /// Changes the row, and tells everyone.
    pub(crate) async fn write(&self, key: u64, value: u64) -> Receipt {
        self.database.write(key, value);
        self.rows.remove(&key).await.unwrap()
    }

    /// What a plain hit answers.
    pub(crate) fn hit(&self, key: u64) -> Option<u64> {
        self.rows.get(&key).map(|value| *value)
    }

    pub(crate) fn state(&self) -> State {
        self.node.status().state
    }

    pub(crate) fn count(&self, metric: Metric) -> u64 {
        self.node.metrics().count(metric, &[])
    }
}

/// A hub whose nodes list one another.
pub(crate) struct Cluster {
    pub(crate) hub: Hub,
    pub(crate) database: Database,
    seeds: AtomicU64,
}

impl Cluster {
    /// A fixed list of these nodes, none of them started.
    pub(crate) fn of(labels: &[&str]) -> Self {
        Self::on(Hub::fixed(labels.iter().copied()))
    }

    pub(crate) fn on(hub: Hub) -> Self {
        Self { hub, database: Database::default(), seeds: AtomicU64::new(1) }
    }

    /// A configured node that is not started yet; each has a seed, and so an identity, of its own.
    pub(crate) fn builder(&self, label: &str) -> NodeBuilder {
        self.builder_over(self.hub.join(label), label)
    }

    /// The same over a backplane that decorates the hub's.
    pub(crate) fn builder_over(&self, backplane: impl Backplane, label: &str) -> NodeBuilder {
        Node::builder("test")
            .name(label)
            .backplane(backplane)
            .seed(self.seeds.fetch_add(1, Ordering::Relaxed))
            .clock(TokioClock::new())
    }

    pub(crate) async fn start(&self, label: &str) -> Member {
        self.member(self.builder(label).start().await.unwrap())
    }

    pub(crate) fn member(&self, node: Node) -> Member {
        let rows = node.cache("rows").time_to_live(Duration::from_secs(3_600)).build().unwrap();
        Member { node, rows, database: self.database.clone() }
    }

    /// Starts all of them and waits until each has joined.
    pub(crate) async fn start_all<const N: usize>(labels: [&str; N]) -> (Self, [Member; N]) {
        let cluster = Self::of(&labels);
        let mut members = Vec::new();
        for label in labels {
            members.push(cluster.start(label).await);
        }
        for member in &members {
            member.node.joined().await.unwrap();
        }
        (cluster, members.try_into().unwrap_or_else(|_| unreachable!("one for each label")))
    }

    /// Cuts one node off from all the others.
    pub(crate) fn isolate(&self, label: &str, others: &[&str]) {
        for other in others {
            self.hub.cut(label, other);
        }
    }

    pub(crate) fn heal(&self, label: &str, others: &[&str]) {
        for other in others {
            self.hub.heal(label, other);
        }
    }
}

/// Waits until `holds`, looking every virtual millisecond.
///
/// # Panics
/// If it does not hold within 60 virtual seconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("after 60 s still not: {what}");
}
