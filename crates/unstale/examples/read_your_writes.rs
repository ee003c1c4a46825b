//! How does a user who writes on one node see it on the next? A session token, in a header or a cookie.

use std::convert::Infallible;
use std::error::Error;

use unstale::{Cache, Node, SessionToken};
use unstale_port::memory::Hub;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let one = Node::builder("shop").name("one").backplane(hub.join("one")).start().await?;
    let other = Node::builder("shop").name("other").backplane(hub.join("other")).start().await?;
    one.joined().await?;
    other.joined().await?;
    let names_one: Cache<u64, String> = one.cache("names").build()?;
    let names_other: Cache<u64, String> = other.cache("names").build()?;
    names_other.get_or_load(&7, async |_| Ok::<_, Infallible>("Ada".to_owned())).await?;

    // The first request is served by one node. It changes the row, removes the key, and answers with a token.
    let receipt = names_one.remove(&7).await?;
    let header = receipt.session().to_string();
    assert!(header.len() < 64);

    // The next request lands on another node, which may not have heard yet: it waits for exactly that write.
    let session: SessionToken = header.parse()?;
    let read = names_other
        .get_or_load(&7, async |_| Ok::<_, Infallible>("Grace".to_owned()))
        .session(session)
        .await?;
    assert_eq!(**read, "Grace");
    Ok(())
}
