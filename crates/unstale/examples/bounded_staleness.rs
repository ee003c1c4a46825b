//! How fresh is this answer? Say how fresh it has to be, and read what it turned out to be.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use unstale::{Cache, Freshness, Node, Served};
use unstale_port::memory::Hub;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let node = Node::builder("shop").name("a").backplane(hub.join("a")).start().await?;
    let peer = Node::builder("shop").name("b").backplane(hub.join("b")).start().await?;
    node.joined().await?;
    peer.joined().await?;
    let stock: Cache<u64, u32> = node.cache("stock").build()?;
    let load = async |_load| Ok::<_, Infallible>(12);

    // Once per request: the instant at which it arrived. All its reads refer to it.
    let at = node.now();
    let within = Freshness::within(Duration::from_millis(250));

    // The first read loads, which is as fresh as can be.
    let read = stock.get_or_load(&1, load).freshness(within.or_bypass()).at(at).await?;
    assert_eq!((**read, read.served(), read.proven()), (12, Served::Load, true));

    // Until beats from every node have come round, an older value cannot be proven by them; `or_wait` asks for one round.
    let at = node.now();
    let read =
        stock.get_or_load(&1, load).freshness(Freshness::within(Duration::ZERO).or_wait()).at(at).await?;
    assert_eq!((read.served(), read.proven()), (Served::Hit, true));
    assert!(read.proof_age().is_some());

    // Other choices for what cannot be proven: an error, or the value with a flag. A synchronous read gives it or nothing.
    let read = stock.get_or_load(&1, load).freshness(Freshness::within(Duration::ZERO).or_flag()).await?;
    assert!(read.proven() || read.served() == Served::Stale || read.proof_age() > Some(Duration::ZERO));
    if let Some(read) = stock.get_within(&1, node.now(), Duration::from_millis(250)) {
        assert!(read.proven());
    }
    Ok(())
}
