//! A hundred whole nodes, each with a connection of its own to the Redis of their second level.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use unstale::{Cache, Json, Load, Node};
use unstale_redis::{Connection, RedisStore, Settings};
use unstale_servers::{Program, Redis, needs};

const NODES: usize = 100;
/// Longer than a hundred nodes take to ask for one key.
const LOAD: Duration = Duration::from_millis(500);

async fn start(url: &str, name: String) -> Cache<u64, u64> {
    let connection = Connection::open(Settings::parse(url).unwrap());
    connection.until_up().await;
    let node = Node::builder("shop").name(name).store(RedisStore::new(&connection)).start().await.unwrap();
    node.cache("rows").time_to_live(Duration::from_secs(3_600)).stored_as(Json).build().unwrap()
}

/// All of them read a key that nobody has, at once: how often it was loaded.
async fn loads(nodes: &[Cache<u64, u64>], key: u64, row: u64) -> u32 {
    let (loads, start) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(nodes.len())));
    let mut readers = JoinSet::new();
    for rows in nodes {
        let (rows, loads, start) = (rows.clone(), Arc::clone(&loads), Arc::clone(&start));
        readers.spawn(async move {
            start.wait().await;
            let load = async move |_: Load<u64>| {
                loads.fetch_add(1, Ordering::Relaxed);
                // As a database does, it takes its time.
                timeout(LOAD, std::future::pending::<()>()).await.unwrap_err();
                Ok::<_, Infallible>(row)
            };
            *rows.get_or_load(&key, load).await.unwrap()
        });
    }
    for read in readers.join_all().await {
        assert_eq!(read, row);
    }
    loads.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_nodes_that_miss_a_key_together_load_it_once() {
    // F3
    needs!(Program::RedisServer);
    let redis = Redis::start().await.unwrap();
    let mut nodes = Vec::new();
    for index in 0..NODES {
        nodes.push(start(&redis.url(), format!("n{index}")).await);
    }
    for key in 0..3 {
        assert_eq!(loads(&nodes, key, 10 + key).await, 1);
    }
    // All still have it in memory.
    assert_eq!(loads(&nodes, 0, 10).await, 0);
}
