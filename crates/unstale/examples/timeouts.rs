//! What if the database is slow? A soft timeout answers with the old value while the load goes on; a hard one gives up.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio::sync::oneshot;
use unstale::{Cache, ErrorKind, FailSafe, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let reports: Cache<u64, u32> = node
        .cache("reports")
        .fail_safe(FailSafe::for_at_most(Duration::from_secs(600)))
        .soft_timeout(Duration::from_millis(20))
        .hard_timeout(Duration::from_millis(100))
        .build()?;
    reports.get_or_load(&1, async |_| Ok::<_, io::Error>(1)).await?;
    let _receipt = reports.expire(&1).await?;

    // The load hangs: after 20 ms the caller gets the old value.
    let (answer, answered) = oneshot::channel();
    let old = reports.get_or_load(&1, async move |_| answered.await.map_err(io::Error::other)).await?;
    assert_eq!(*old, 1);

    // The load went on. When it ends, its value is there, unless an invalidation overtook it.
    answer.send(2).expect("the load still waits");
    while reports.get(&1).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(reports.get(&1).as_deref(), Some(&2));

    // Without an older value there is only the hard timeout.
    let error = reports
        .get_or_load(&2, async |_| std::future::pending::<io::Result<u32>>().await)
        .await
        .expect_err("the load never ends");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    Ok(())
}
