//! How do nodes share what they load? A store: memory first, then the store, then the loader.

use std::error::Error;
use std::io;
use std::time::Duration;

use unstale::{Cache, Json, Node};
use unstale_port::memory::{Hub, MemoryStore};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let store = MemoryStore::new();
    let mut caches: Vec<(Node, Cache<u64, Vec<String>>)> = Vec::new();
    for name in ["a", "b"] {
        let node =
            Node::builder("shop").name(name).backplane(hub.join(name)).store(store.clone()).start().await?;
        let cache = node
            .cache("groups")
            .stored_as(Json)
            .time_to_live(Duration::from_secs(60))
            .store_time_to_live(Duration::from_secs(3_600))
            .build()?;
        caches.push((node, cache));
    }
    for (node, _) in &caches {
        node.joined().await?;
    }
    let [(_, a), (_, b)] = &caches[..] else { unreachable!("two nodes") };

    // One node loads; the other one finds it in the store.
    a.get_or_load(&7, async |_| Ok::<_, io::Error>(vec!["admin".to_owned()])).await?;
    let not_needed = async |_load| Err::<Vec<String>, _>(io::Error::other("must not be called"));
    assert_eq!(**b.get_or_load(&7, not_needed).await?, ["admin"]);

    // A removal ends it on both levels, before any node is told.
    let receipt = b.remove(&7).await?;
    let fresh = a
        .get_or_load(&7, async |_| Ok::<_, io::Error>(vec!["guest".to_owned()]))
        .session(receipt.session())
        .await?;
    assert_eq!(***fresh, ["guest"]);
    Ok(())
}
