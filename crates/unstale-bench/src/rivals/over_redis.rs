//! The rivals that speak over Redis, two nodes of each; first level only, as their figure is that of the message.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use amalgam::provider::{Backplane, RedisBackplane};
use amalgam::{Cache, EntryOptions};
use hydracache::{
    CacheOptions, HydraCache, InMemoryFramedInvalidationBus, InvalidationRelay, TransportConfig,
};
use hydracache_transport_redis::{RedisInvalidationTransport, RedisTransportConfig};

use crate::measure::Problem;
use crate::pair::{Pair, Sides, Task, broken};

/// Two nodes of amalgam-cache.
struct Amalgam {
    a: Cache<u64>,
    b: Cache<u64>,
}

/// Two nodes of hydracache, each with a relay to Redis.
struct Hydracache {
    a: HydraCache,
    b: HydraCache,
}

/// Each of them.
pub(crate) fn pairs(sides: &Sides, url: &str) -> Result<Vec<Box<dyn Pair>>, Problem> {
    let amalgam = |name: &'static str| amalgam(url.to_owned(), name);
    let hydracache = |name: &'static str| hydracache(url.to_owned(), name);
    let (a, b) = (sides.here.block_on(amalgam("a"))?, sides.there.block_on(amalgam("b"))?);
    let amalgam: Box<dyn Pair> = Box::new(Amalgam { a, b });
    let (a, b) = (sides.here.block_on(hydracache("a"))?, sides.there.block_on(hydracache("b"))?);
    Ok(vec![amalgam, Box::new(Hydracache { a, b })])
}

async fn amalgam(url: String, name: &str) -> Result<Cache<u64>, Problem> {
    let backplane = RedisBackplane::connect(url).await.map_err(|e| broken(&e))?;
    Cache::builder()
        .default_options(EntryOptions::new(Duration::from_secs(3_600)))
        .backplane(Arc::new(backplane) as Arc<dyn Backplane>)
        .instance_id(name)
        .try_build()
        .map_err(|e| broken(&e))
}

async fn hydracache(url: String, name: &str) -> Result<HydraCache, Problem> {
    let config = TransportConfig::new("bench", name);
    let transport = RedisTransportConfig::new(url, config.clone());
    let transport = RedisInvalidationTransport::connect(transport).await.map_err(|e| broken(&e))?;
    let bus = Arc::new(InMemoryFramedInvalidationBus::for_cluster("bench", 1_024));
    drop(InvalidationRelay::spawn(bus.clone(), transport, None, config));
    Ok(HydraCache::local().shared_invalidation_bus(bus).invalidation_node_id(name).build())
}

/// The answer of a future that has it at once.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn key_of(key: u64) -> String {
    format!("k{key}")
}

impl Pair for Amalgam {
    fn name(&self) -> &'static str {
        "amalgam-cache"
    }

    fn fill(&self, sides: &Sides, key: u64) -> Result<(), Problem> {
        let load = move |_| async move { Ok::<_, std::convert::Infallible>(key) };
        let key = key_of(key);
        sides.there.block_on(self.b.get_or_set(&key, load).into_future()).map(drop).map_err(|e| broken(&e))
    }

    fn remove(&self, key: u64) -> Task<'_> {
        let key = key_of(key);
        Box::pin(async move { self.a.remove(&key).await.map(drop).map_err(|e| broken(&e)) })
    }

    fn is_gone(&self, key: u64) -> bool {
        let found = at_once(self.b.try_get(&key_of(key)).into_future());
        found.is_some_and(|found| found.is_ok_and(|found| found.as_ref().is_none()))
    }
}

impl Pair for Hydracache {
    fn name(&self) -> &'static str {
        "hydracache"
    }

    fn fill(&self, sides: &Sides, key: u64) -> Result<(), Problem> {
        sides
            .there
            .block_on(self.b.put(&key_of(key), key, CacheOptions::new()))
            .map(drop)
            .map_err(|e| broken(&e))
    }

    fn remove(&self, key: u64) -> Task<'_> {
        Box::pin(async move { self.a.remove(&key_of(key)).await.map(drop).map_err(|e| broken(&e)) })
    }

    fn is_gone(&self, key: u64) -> bool {
        at_once(self.b.get::<u64>(&key_of(key))).is_some_and(|found| matches!(found, Ok(None)))
    }
}
