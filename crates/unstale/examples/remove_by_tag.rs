//! How do I invalidate everything that belongs together? Tags, in one cache or in all caches of the cluster.

use std::convert::Infallible;
use std::error::Error;

use unstale::{Cache, EntryOptions, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let users: Cache<u64, String> = node.cache("users").build()?;
    let orders: Cache<u64, String> = node.cache("orders").build()?;

    // A loader tags what it loads; a value that is set is tagged by its options.
    for id in 1..=3_u64 {
        users
            .get_or_load(&id, async move |load| {
                load.tag(format!("org:{}", id % 2));
                Ok::<_, Infallible>(format!("user {id}"))
            })
            .await?;
    }
    let _receipt =
        orders.set_with(10, "order of user 1".to_owned(), &EntryOptions::new().tag("org:1")).await?;

    // One cache. It costs the same however many values carry the tag.
    let _receipt = users.remove_tag("org:1").await?;
    assert!(users.get(&1).is_none() && users.get(&3).is_none());
    assert_eq!(*users.get(&2).expect("has another tag"), "user 2");
    assert!(orders.get(&10).is_some(), "another cache");

    // All caches of the node, and of every other node.
    let _receipt = node.remove_tag("org:1").await?;
    assert!(orders.get(&10).is_none());

    // Everything.
    let _receipt = users.clear().await?;
    assert!(users.get(&2).is_none());
    Ok(())
}
