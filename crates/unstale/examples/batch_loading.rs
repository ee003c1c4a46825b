//! How do I read many keys with one query? One loader call for all that are missing.

use std::error::Error;
use std::io;

use unstale::{Cache, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let users: Cache<u64, String> = node.cache("users").build()?;
    let _receipt = users.set_many([(1, "Ada".to_owned()), (2, "Grace".to_owned())]).await?;

    // Two are cached, two are loaded, by one call. The answers come in the order of the keys.
    let found = users
        .get_or_load_many(&[1, 2, 3, 4], async |missing, load| {
            assert_eq!(missing, [3, 4]);
            load.tag("org:7");
            let rows = missing.iter().filter(|id| **id != 4).map(|id| (*id, format!("user {id}")));
            Ok::<_, io::Error>(rows.collect())
        })
        .await?;
    let found: Vec<_> = found.iter().map(|user| user.as_deref().map(String::as_str)).collect();
    assert_eq!(found, [Some("Ada"), Some("Grace"), Some("user 3"), None]);

    // What the loader did not return is remembered as nothing.
    let again = users
        .get_or_load_many(&[3, 4], async |_, _| {
            Err::<Vec<(u64, String)>, _>(io::Error::other("must not be called"))
        })
        .await?;
    assert!(again[0].is_some() && again[1].is_none());

    assert_eq!(users.get_many(&[1, 9]).iter().filter(|user| user.is_some()).count(), 1);
    let _receipt = users.remove_many(&[1, 2]).await?;
    assert!(users.get_many(&[1, 2]).iter().all(Option::is_none));
    Ok(())
}
