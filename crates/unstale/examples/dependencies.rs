//! What about values that were made from other cached values? They fall with them; reads inside a loader are recorded.

use std::convert::Infallible;
use std::error::Error;

use unstale::{Cache, Node};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let names: Cache<u64, String> = node.cache("names").build()?;
    let roles: Cache<u64, String> = node.cache("roles").build()?;
    let pages: Cache<u64, String> = node.cache("pages").build()?;

    // The page reads a name through its cache: a dependency by itself. The role it takes from somewhere else, and says so.
    let (names_in_load, roles_in_load) = (names.clone(), roles.clone());
    let page = pages
        .get_or_load(&1, async move |load| {
            let name = names_in_load.get_or_load(&1, async |_| Ok::<_, Infallible>("Ada".to_owned())).await?;
            load.depends_on(&roles_in_load, &1);
            Ok::<_, unstale::Error>(format!("{} (admin)", *name))
        })
        .await?;
    assert_eq!(*page, "Ada (admin)");

    // Removing the role, which was never cached, ends the page.
    let _receipt = roles.remove(&1).await?;
    assert!(pages.get(&1).is_none());
    assert!(names.get(&1).is_some(), "the name does not depend on the role");

    // It goes through any number of levels.
    let names_in_load = names.clone();
    pages
        .get_or_load(&1, async move |_| {
            let name = names_in_load.get(&1).map_or_else(String::new, |name| name.to_uppercase());
            Ok::<_, Infallible>(name)
        })
        .await?;
    let site: Cache<String, usize> = node.cache("site").build()?;
    let pages_in_load = pages.clone();
    site.get_or_load("front", async move |_| {
        Ok::<_, Infallible>(pages_in_load.get(&1).map_or(0, |page| page.len()))
    })
    .await?;
    let _receipt = names.remove(&1).await?;
    assert!(pages.get(&1).is_none());
    assert!(site.get("front").is_none());
    Ok(())
}
