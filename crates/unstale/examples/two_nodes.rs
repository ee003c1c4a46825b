//! How do nodes keep each other coherent? By a backplane; here in memory, in production the mesh or a broker.

use std::convert::Infallible;
use std::error::Error;

use unstale::{Cache, Node};
use unstale_port::memory::Hub;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let a = Node::builder("shop").name("a").backplane(hub.join("a")).start().await?;
    let b = Node::builder("shop").name("b").backplane(hub.join("b")).start().await?;
    a.joined().await?;
    b.joined().await?;
    let on_a: Cache<u64, String> = a.cache("users").build()?;
    let on_b: Cache<u64, String> = b.cache("users").build()?;

    let load = async |_load| Ok::<_, Infallible>("Ada".to_owned());
    on_a.get_or_load(&7, load).await?;
    on_b.get_or_load(&7, load).await?;

    // Loading tells nobody: no storm of messages, no node that invalidates the others by reading.
    assert!(on_a.get(&7).is_some() && on_b.get(&7).is_some());

    // Removing tells everybody. A node that serves the next request of the same user waits for it by its token.
    let receipt = on_a.remove(&7).await?;
    assert!(receipt.announced());
    let read = on_b
        .get_or_load(&7, async |_| Ok::<_, Infallible>("Grace".to_owned()))
        .session(receipt.session())
        .await?;
    assert_eq!(**read, "Grace");

    a.shutdown().await?;
    b.shutdown().await?;
    Ok(())
}
