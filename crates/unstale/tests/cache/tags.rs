//! Tags and clears in memory, here and on the other node.

use std::convert::Infallible;

use unstale::{Cache, EntryOptions, FailSafe, Load, Lookup, Node};

use crate::world::{HOUR, alone, applied, pair};

async fn load(load: Load<String>) -> Result<String, Infallible> {
    load.tag("loaded");
    Ok("value".to_owned())
}

fn cache(node: &Node, name: &str) -> Cache<u64, String> {
    node.cache(name).time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tag_reaches_what_carries_it_however_it_came_by_it() {
    // F11
    let node = alone().await;
    let users = cache(&node, "users");
    let tagged = EntryOptions::new().tag("called").tag("other");
    for tag in ["loaded", "called", "set"] {
        users.get_or_load(&1, load).options(&tagged).await.unwrap();
        let set = EntryOptions::new().tag("set");
        let _receipt = users.set_with(2, "value".to_owned(), &set).await.unwrap();
        let _receipt = users.set(3, "untagged".to_owned()).await.unwrap();
        let _receipt = users.remove_tag(tag).await.unwrap();
        assert_eq!(users.get(&1).is_none(), tag != "set", "{tag}");
        assert_eq!(users.get(&2).is_none(), tag == "set", "{tag}");
        assert!(users.get(&3).is_some());
        assert!(!matches!(users.lookup(&1), Lookup::Stale(_)), "gone, not stale");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_tag_leaves_values_for_fail_safe() {
    // F11
    let node = alone().await;
    let users = cache(&node, "users");
    users.get_or_load(&1, load).await.unwrap();
    let _receipt = users.expire_tag("loaded").await.unwrap();
    assert!(matches!(users.lookup(&1), Lookup::Stale(_)));
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_one_cache_leaves_the_others_alone_and_one_of_the_node_does_not() {
    // F11
    let node = alone().await;
    let (users, orders) = (cache(&node, "users"), cache(&node, "orders"));
    users.get_or_load(&1, load).await.unwrap();
    orders.get_or_load(&1, load).await.unwrap();
    let _receipt = users.remove_tag("loaded").await.unwrap();
    assert!(users.get(&1).is_none() && orders.get(&1).is_some());
    let _receipt = node.remove_tag("loaded").await.unwrap();
    assert!(orders.get(&1).is_none());
}

#[tokio::test(start_paused = true)]
async fn clearing_ends_everything_of_a_cache_or_of_the_node() {
    // F11
    let node = alone().await;
    let (users, orders) = (cache(&node, "users"), cache(&node, "orders"));
    for key in 0..50 {
        users.get_or_load(&key, load).await.unwrap();
        orders.get_or_load(&key, load).await.unwrap();
    }
    let _receipt = users.clear().await.unwrap();
    assert!((0..50).all(|key| matches!(users.lookup(&key), Lookup::Miss)));
    assert!((0..50).all(|key| orders.get(&key).is_some()));
    let _receipt = orders.expire_all().await.unwrap();
    assert!((0..50).all(|key| matches!(orders.lookup(&key), Lookup::Stale(_))));
    let _receipt = node.clear().await.unwrap();
    assert!((0..50).all(|key| matches!(orders.lookup(&key), Lookup::Miss)));
}

#[tokio::test(start_paused = true)]
async fn tags_and_clears_reach_the_other_node() {
    // F11
    let (one, other) = pair().await;
    let (users, users_there) = (cache(&one, "users"), cache(&other, "users"));
    for way in 0..5 {
        users_there.get_or_load(&1, load).await.unwrap();
        assert!(users_there.get(&1).is_some());
        let receipt = match way {
            0 => users.remove_tag("loaded").await,
            1 => users.expire_tag("loaded").await,
            2 => users.clear().await,
            3 => one.remove_tag("loaded").await,
            _ => one.clear().await,
        }
        .unwrap();
        applied(&other, receipt.session()).await;
        assert!(users_there.get(&1).is_none(), "way {way}");
    }
}
