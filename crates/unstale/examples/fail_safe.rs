//! What happens while the database is down? A stale value stands in, for as long as you allow, and never a removed one.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use unstale::{Cache, ErrorKind, FailSafe, Freshness, Node, Served};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let fail_safe = FailSafe::for_at_most(Duration::from_secs(7_200)).throttle(Duration::from_secs(30));
    let prices: Cache<u64, u32> = node.cache("prices").fail_safe(fail_safe).build()?;

    assert_eq!(*prices.get_or_load(&1, async |_| Ok::<_, io::Error>(100)).await?, 100);

    // The price is known to be old, and then the database goes away.
    let _receipt = prices.expire(&1).await?;
    let tries = Arc::new(AtomicU32::new(0));
    let database_down = |tries: &Arc<AtomicU32>| {
        let tries = Arc::clone(tries);
        async move |_load| {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<u32, _>(io::Error::other("connection refused"))
        }
    };
    for _ in 0..5 {
        let anything = Freshness::within(Duration::MAX).or_flag();
        let read = prices.get_or_load(&1, database_down(&tries)).freshness(anything).await?;
        assert_eq!((**read, read.served()), (100, Served::Stale));
    }
    assert_eq!(tries.load(Ordering::Relaxed), 1, "after a failure the database is left alone for 30 s");

    // What was removed is gone: fail-safe never brings it back.
    let _receipt = prices.remove(&1).await?;
    let error = prices.get_or_load(&1, database_down(&tries)).await.expect_err("the loader fails");
    assert_eq!(error.kind(), ErrorKind::Load);
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("connection refused"));
    Ok(())
}
