//! How do I begin? A node, a typed cache, a loader, a removal.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use unstale::{Cache, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let users: Cache<u64, String> =
        node.cache("users").time_to_live(Duration::from_secs(300)).capacity_entries(10_000).build()?;

    // Ten callers at once share one load.
    let loads = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (users, loads) = (users.clone(), Arc::clone(&loads));
            tokio::spawn(async move {
                users
                    .get_or_load(&7, async move |_| {
                        loads.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        Ok::<_, std::io::Error>("Ada".to_owned())
                    })
                    .await
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(*caller.await??, "Ada");
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);

    // A plain hit is synchronous: no await, no allocation, no clock.
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("Ada"));

    // Once the call returned, nothing on this node serves the old value, whatever was still loading.
    let receipt = users.remove(&7).await?;
    assert!(receipt.announced() && receipt.present());
    assert!(users.get(&7).is_none());

    node.shutdown().await?;
    Ok(())
}
