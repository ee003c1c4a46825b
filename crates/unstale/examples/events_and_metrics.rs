//! How do I see what happens? Events for programs, counters by reason for graphs.

use std::error::Error;
use std::io;

use unstale::metrics::names;
use unstale::{Cache, CacheEvent, Event, LoadFailure, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let users: Cache<u64, String> = node.cache("users").build()?;
    let mut events = node.events();

    users.get_or_load(&7, async |_| Ok::<_, io::Error>("Ada".to_owned())).await?;
    users.get(&7).ok_or("just loaded")?;
    users
        .get_or_load(&8, async |_| Err::<String, _>(io::Error::other("no such table")))
        .await
        .expect_err("the loader fails");

    // Events tell what is worth a program's attention; never keys, never values.
    while let Some(event) = events.try_recv() {
        if let Event::Cache { cache, what: CacheEvent::LoadFailed(LoadFailure::Error), .. } = event {
            assert_eq!(cache.as_str(), "users");
        }
    }

    // Metrics tell how much.
    let metrics = node.metrics();
    let users_only = [(names::CACHE, "users")];
    assert_eq!(metrics.count(names::CACHE_HITS, &users_only), 1);
    assert_eq!(metrics.count(names::CACHE_LOADS, &users_only), 2);
    assert_eq!(metrics.count(names::CACHE_LOAD_FAILURES, &users_only), 1);
    assert!(metrics.to_prometheus().contains("unstale_cache_hits_total{cache=\"users\"} 1"));
    Ok(())
}
