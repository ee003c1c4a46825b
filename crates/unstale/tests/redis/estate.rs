//! What the tests stand on: nodes with one cache each over one Redis, and the database that they cache.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::interval;
use unstale::{Cache, Load, Node, Receipt};
use unstale_redis::{Builder, RedisBackplane, Settings};

/// Far beyond anything that passes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rows that are cached. Each write is a later version of its row.
#[derive(Clone, Default)]
pub(crate) struct Database {
    rows: Arc<Mutex<BTreeMap<u64, u64>>>,
    reads: Arc<AtomicU64>,
}

impl Database {
    pub(crate) fn raise(&self, key: u64) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(key).or_default();
        *row += 1;
        *row
    }

    pub(crate) fn row(&self, key: u64) -> u64 {
        self.rows.lock().unwrap().get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(crate) fn load(&self, key: u64) -> u64 {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.row(key)
    }
}

/// A node with its cache.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) node: Node,
    pub(crate) rows: Cache<u64, u64>,
    database: Database,
}

impl Member {
    /// Starts over the Redis at `url`.
    pub(crate) async fn start(url: &str, name: &str, database: &Database) -> Self {
        Self::start_with(url, name, database, |builder| builder).await
    }

    pub(crate) async fn start_with(
        url: &str,
        name: &str,
        database: &Database,
        adapt: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let settings = Settings::parse(url).unwrap();
        let backplane = adapt(RedisBackplane::builder(settings).group("shop")).start().unwrap();
        let node = Node::builder("shop").name(name).backplane(backplane).start().await.unwrap();
        let rows = node.cache("rows").time_to_live(Duration::from_secs(3_600)).build().unwrap();
        Self { name: name.to_owned(), node, rows, database: database.clone() }
    }

    /// Three of them that have joined, and that prove.
    pub(crate) async fn start_three(url: &str, database: &Database) -> [Self; 3] {
        let mut members = Vec::new();
        for name in ["a", "b", "c"] {
            members.push(Self::start(url, name, database).await);
        }
        for member in &members {
            until(&format!("{} proves", member.name), || member.proves()).await;
        }
        members.try_into().unwrap_or_else(|_| unreachable!("three"))
    }

    /// A plain read through the cache.
    pub(crate) async fn read(&self, key: u64) -> u64 {
        let database = self.database.clone();
        *self
            .rows
            .get_or_load(&key, async move |_: Load<u64>| Ok::<_, Infallible>(database.load(key)))
            .await
            .unwrap()
    }

    /// Changes the row, and tells everyone.
    pub(crate) async fn write(&self, key: u64) -> Receipt {
        self.database.raise(key);
        self.rows.remove(&key).await.unwrap()
    }

    /// What a plain hit answers.
    pub(crate) fn hit(&self, key: u64) -> Option<u64> {
        self.rows.get(&key).map(|value| *value)
    }

    /// Whether it has a proof younger than half a second, and may announce what it writes.
    pub(crate) fn proves(&self) -> bool {
        let ready = self.node.ready();
        ready.is_writable() && ready.proof_age().is_some_and(|age| age < Duration::from_millis(500))
    }
}

/// Waits until `holds`, looking every millisecond; how long that took.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(1));
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "after {PATIENCE:?} still not: {what}");
        ticks.tick().await;
    }
    began.elapsed()
}
