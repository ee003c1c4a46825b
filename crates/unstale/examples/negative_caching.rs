//! How do I remember that something does not exist? `find_or_load`, with a time to live of its own.

use std::error::Error;
use std::io;
use std::time::Duration;

use unstale::{Cache, ErrorKind, Lookup, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let users: Cache<u64, String> = node
        .cache("users")
        .time_to_live(Duration::from_secs(300))
        .negative_time_to_live(Duration::from_secs(5))
        .build()?;

    // An `Option` from the database is all it takes.
    let found = users.find_or_load(&404, async |_| Ok::<Option<String>, io::Error>(None)).await?;
    assert!(found.is_none());

    // The next caller does not ask the database.
    let found = users
        .find_or_load(&404, async |_| Err::<Option<String>, _>(io::Error::other("must not be called")))
        .await?;
    assert!(found.is_none());
    assert!(matches!(users.lookup(&404), Lookup::Negative), "known to be nothing, which is not a miss");

    // For `get_or_load`, nothing is an error of its own kind.
    let error = users
        .get_or_load(&404, async |_| Ok::<_, io::Error>("unused".to_owned()))
        .await
        .expect_err("there is no value");
    assert_eq!(error.kind(), ErrorKind::Nothing);

    // Whoever creates it says so, and it is there.
    let _receipt = users.set(404, "Ada".to_owned()).await?;
    assert_eq!(users.get(&404).as_deref().map(String::as_str), Some("Ada"));
    Ok(())
}
