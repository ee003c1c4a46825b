//! Redis runs out of memory and evicts what it likes: values, tombstones, leases, marks, the register.

use unstale_servers::{Program, Redis, needs};

use crate::estate::{Estate, Plan};
use crate::figures::Figures;

/// Evicts until `evictions` keys have gone.
async fn evict(estate: &mut Estate, policy: &str, evictions: u64) -> Figures {
    let ongoing = estate.begins(format!("evicted, {policy}")).await;
    estate.redis.evict(evictions).await.unwrap();
    estate.go_on().await;
    estate.redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    estate.healed(ongoing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_evicts_anything_breaks_no_promise() {
    needs!(Program::RedisServer);
    let one = async |policy, evictions| {
        let redis = Redis::options().config("maxmemory-policy", policy);
        let mut estate = Estate::start(Plan { redis, body_bytes: 2_000, ..Plan::new(policy) }).await;
        let eras = estate.eras();
        let figures = evict(&mut estate, policy, evictions).await;
        figures.check(0.9);
        let has_lost_register = estate.eras() != eras;
        estate.finish_kept().await;
        has_lost_register
    };
    let (_, has_lost_register) = tokio::join!(one("allkeys-lru", 300), one("allkeys-random", 2_000));
    assert!(has_lost_register, "what is evicted at random spares nothing");
}
