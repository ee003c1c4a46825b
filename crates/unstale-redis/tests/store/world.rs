//! A server of a test's own, and stores on it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, interval};
use unstale_port::{Condition, Intent, Lease, Lookup, Record, Store, SystemTimer, Timer, Turn, Written};
use unstale_redis::{Connection, RedisStore, RedisStoreOptions, Settings};
use unstale_servers::Redis;

pub(crate) const USERS: &str = "users";
pub(crate) const LOAD: Intent = Intent::Load { turn: Duration::from_secs(60) };

/// Takes writes at once, also after a loss.
pub(crate) fn at_once() -> RedisStoreOptions {
    RedisStoreOptions { quarantine: Duration::ZERO, ..RedisStoreOptions::default() }
}

/// Lets real time pass: a server has a clock of its own.
pub(crate) async fn pass(span: Duration) {
    let timer = SystemTimer::new();
    timer.sleep_until(timer.now() + span).await;
}

/// Tries every 5 ms until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let due = Instant::now() + Duration::from_secs(30);
    let mut ticks = interval(Duration::from_millis(5));
    while !is_so().await {
        assert!(Instant::now() < due, "{what}");
        ticks.tick().await;
    }
}

pub(crate) async fn connected(server: &Redis, options: RedisStoreOptions) -> RedisStore {
    let connection = Connection::open(Settings::parse(&server.url()).unwrap());
    connection.until_up().await;
    RedisStore::with(&connection, options).unwrap()
}

pub(crate) fn record(value: &str, stamp: u64, tags: &[&str]) -> Record {
    Record {
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        stamp,
        fresh_for: Duration::from_secs(600),
        keep_for: Duration::from_secs(900),
        tags: tags.iter().map(|tag| Bytes::copy_from_slice(tag.as_bytes())).collect(),
        version: None,
        etag: None,
        last_modified: None,
    }
}

/// A store with one server behind it.
pub(crate) struct World {
    pub(crate) server: Redis,
    pub(crate) store: RedisStore,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(at_once()).await
    }

    pub(crate) async fn with(options: RedisStoreOptions) -> Self {
        let server = Redis::options().append_only().start().await.unwrap();
        let store = connected(&server, options).await;
        Self { server, store }
    }

    pub(crate) async fn ask(&self, key: &'static str) -> Lookup {
        ask(&self.store, key).await
    }

    pub(crate) async fn fill(&self, key: &'static str, value: &str, lease: Lease) -> Written {
        self.put(key, record(value, 0, &[]), Condition::Lease(lease)).await
    }

    pub(crate) async fn set(&self, key: &'static str, value: &str, stamp: u64) -> Written {
        self.put(key, record(value, stamp, &[]), Condition::Newer).await
    }

    pub(crate) async fn put(&self, key: &'static str, record: Record, condition: Condition) -> Written {
        self.store.put(USERS, key.into(), record, condition).await.unwrap()
    }

    pub(crate) async fn remove(&self, key: &'static str, stamp: u64) {
        self.store.remove(USERS, &[key.into()], stamp).await.unwrap();
    }

    /// A key with a value that a lease put there.
    pub(crate) async fn filled(&self, key: &'static str, tags: &[&str]) {
        let Lookup { lease, turn, .. } = self.ask(key).await;
        assert_eq!(turn, Turn::Yours);
        assert_eq!(self.put(key, record("old", 1, tags), Condition::Lease(lease)).await, Written::Stored);
        // Twice: once by the library, once by plain commands.
        for _ in 0..2 {
            assert_eq!(value(&self.ask(key).await).as_deref(), Some("old"));
        }
    }

    /// The value that stands there, read by plain commands.
    pub(crate) async fn value(&self, key: &'static str) -> Option<String> {
        value(&self.ask(key).await)
    }

    /// Makes the server forget keys of its own accord, as an eviction does. Says how many there were.
    pub(crate) async fn lose(&self, names: &[&str]) -> i64 {
        self.server.command(&[&["DEL"], names].concat()).await.unwrap().number().unwrap()
    }
}

pub(crate) async fn ask(store: &RedisStore, key: &'static str) -> Lookup {
    store.get(USERS, &[key.into()], LOAD).await.unwrap().remove(0)
}

pub(crate) fn value(found: &Lookup) -> Option<String> {
    let bytes = found.record.as_ref()?.value.as_ref()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}
