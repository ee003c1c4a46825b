//! A [`FusionStore`] is one cache; the suite of stores has several. Each gets a key prefix of its own here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use unstale_conformance::store::StoreFixture;
use unstale_fusion::{Format, FusionCache, FusionSettings, FusionStore};
use unstale_port::{Condition, Error, Intent, Lease, Lookup, Record, Store, StoreFuture, Written};
use unstale_redis::{Settings, SharedRedis};
use unstale_servers::Redis;

/// Starts a Redis for each store.
pub(crate) struct OnRedis {
    pub(crate) format: Format,
    redis: Option<Arc<Redis>>,
}

/// Caches on one Redis, by name.
#[derive(Clone)]
pub(crate) struct Shelves {
    redis: Arc<Redis>,
    format: Format,
    caches: Arc<Mutex<HashMap<String, FusionStore>>>,
}

impl OnRedis {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, redis: None }
    }
}

impl StoreFixture for OnRedis {
    type Store = Shelves;

    async fn start(&mut self) -> Shelves {
        let redis = Arc::new(Redis::start().await.expect("redis starts"));
        self.redis = Some(Arc::clone(&redis));
        Shelves { redis, format: self.format.clone(), caches: Arc::default() }
    }

    async fn pass(&mut self, time: Duration) {
        // Of the server's clock, which knows no other way.
        let redis = self.redis.as_ref().expect("a store was started");
        let until = now(redis).await + time;
        while now(redis).await < until {
            tokio::task::yield_now().await;
        }
    }
}

/// The clock of a server.
pub(crate) async fn now(redis: &Redis) -> Duration {
    let reply = redis.command(&["TIME"]).await.expect("redis answers");
    let part = |at: usize| reply.list()[at].text().and_then(|text| text.parse().ok()).expect("a number");
    Duration::from_secs(part(0)) + Duration::from_micros(part(1))
}

/// A cache of that prefix on a Redis, once that is connected.
pub(crate) async fn open(redis: &Redis, format: Format, prefix: &str) -> FusionCache {
    let server = SharedRedis::open(Settings::parse(&redis.url()).expect("a URL")).expect("one server");
    server.connection().until_up().await;
    FusionCache::open(server, FusionSettings::new("c", format).key_prefix(prefix)).expect("sound settings")
}

impl Shelves {
    async fn cache(&self, name: &str) -> FusionStore {
        if let Some(found) = self.caches.lock().expect("no test panics with it").get(name) {
            return found.clone();
        }
        let store = open(&self.redis, self.format.clone(), &format!("{name}:")).await.store();
        self.caches.lock().expect("no test panics with it").entry(name.to_owned()).or_insert(store).clone()
    }

    async fn raise_in(&self, cache: Option<&str>, tag: Option<Bytes>, stamp: u64) -> Result<(), Error> {
        let stores = match cache {
            Some(cache) => vec![self.cache(cache).await],
            None => self.caches.lock().expect("no test panics with it").values().cloned().collect(),
        };
        for store in stores {
            store.raise(None, tag.clone(), stamp).await?;
        }
        Ok(())
    }
}

impl Store for Shelves {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        Box::pin(async move {
            let mut found = self.cache(cache).await.get(cache, keys, intent).await?;
            for record in found.iter_mut().filter_map(|lookup| lookup.record.as_mut()) {
                record.value = record.value.as_ref().map(|value| text_of(&self.format, value));
            }
            Ok(found)
        })
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.cache(cache).await.release(cache, key, lease).await })
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        Box::pin(async move {
            let value = record.value.as_ref().map(|text| value_of(&self.format, text));
            self.cache(cache).await.put(cache, key, Record { value, ..record }, condition).await
        })
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.cache(cache).await.remove(cache, keys, stamp).await })
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.cache(cache).await.expire(cache, keys, stamp).await })
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(self.raise_in(cache, tag, stamp))
    }
}

/// The suite's values are any text, those of a serializer its own.
pub(crate) fn value_of(format: &Format, text: &Bytes) -> Bytes {
    if *format == Format::MessagePack {
        return [&[0xd9, text.len() as u8], &text[..]].concat().into();
    }
    serde_json::to_vec(std::str::from_utf8(text).expect("text")).expect("JSON").into()
}

fn text_of(format: &Format, value: &Bytes) -> Bytes {
    if *format == Format::MessagePack {
        return value.slice(2..);
    }
    serde_json::from_slice::<String>(value).expect("JSON").into()
}
