//! Nodes that share a backplane and no store.

use unstale::metrics::names;
use unstale::{Cache, FailSafe, Node, Served};
use unstale_port::memory::Hub;

use crate::world::{Database, HOUR, applied, builder, pair, pass, seconds, total};

fn cache(node: &Node) -> Cache<u64, String> {
    node.cache("users").time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn loading_tells_nobody_so_readers_do_not_invalidate_each_other() {
    // F23: no loop in which a load on one node drops the value of the other, whose load drops the first one's.
    let (one, other) = pair().await;
    let (here, there) = (cache(&one), cache(&other));
    let database = Database::default();
    for _ in 0..20 {
        for (node, users) in [(&one, &here), (&other, &there)] {
            let read = users.get_or_load(&7, database.gives("Ada".to_owned())).at(node.now()).await.unwrap();
            assert_eq!(read.as_str(), "Ada");
        }
        pass(seconds(1)).await;
    }
    assert_eq!(database.reads(), 2, "one load on each node");
    assert_eq!(one.metrics().total(names::ACTS_APPLIED, &[]) as u64, 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_reaches_the_other_node_and_only_what_it_names() {
    // F23
    let (one, other) = pair().await;
    let (here, there) = (cache(&one), cache(&other));
    let database = Database::default();
    for write in 0..3 {
        for key in [7, 8] {
            there.get_or_load(&key, database.gives("old".to_owned())).await.unwrap();
        }
        let receipt = match write {
            0 => here.set(7, "set".to_owned()).await,
            1 => here.remove(&7).await,
            _ => here.expire(&7).await,
        };
        applied(&other, receipt.unwrap().session()).await;
        assert!(there.get(&7).is_none(), "write {write}");
        assert!(there.get(&8).is_some(), "write {write}");
    }
    assert_eq!(here.get(&7), None);
}

#[tokio::test(start_paused = true)]
async fn a_set_is_kept_where_it_was_made_and_fetched_anew_elsewhere() {
    // F23: values do not travel without a store.
    let (one, other) = pair().await;
    let (here, there) = (cache(&one), cache(&other));
    let receipt = here.set(7, "set here".to_owned()).await.unwrap();
    assert_eq!(here.get(&7).as_deref().map(String::as_str), Some("set here"));
    let read = there
        .get_or_load(&7, Database::default().gives("from the database".to_owned()))
        .session(receipt.session())
        .await
        .unwrap();
    assert_eq!((read.as_str(), read.served()), ("from the database", Served::Load));
}

#[tokio::test(start_paused = true)]
async fn what_another_node_removed_is_gone_for_fail_safe_and_what_it_set_is_not() {
    // F-6: a remote set acts as an expire.
    let (one, other) = pair().await;
    let (here, there) = (cache(&one), cache(&other));
    let database = Database::default();
    there.get_or_load(&7, database.gives("old".to_owned())).await.unwrap();
    let receipt = here.set(7, "new".to_owned()).await.unwrap();
    applied(&other, receipt.session()).await;
    assert_eq!(*there.get_or_load(&7, database.fails()).await.unwrap(), "old");
    let receipt = here.remove(&7).await.unwrap();
    applied(&other, receipt.session()).await;
    there.get_or_load(&7, database.fails()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn what_is_loaded_before_the_node_has_joined_is_answered_and_not_stored() {
    // P-25
    let hub = Hub::fixed(["a", "b"]);
    let node = builder("a").backplane(hub.join("a")).start().await.unwrap();
    let users = cache(&node);
    let database = Database::default();
    for _ in 0..2 {
        assert_eq!(*users.get_or_load(&7, database.gives("Ada".to_owned())).await.unwrap(), "Ada");
    }
    assert_eq!(database.reads(), 2);
    assert_eq!(total(&node, names::CACHE_FILLS_REFUSED, "not-joined"), 2);
    let peer = builder("b").backplane(hub.join("b")).start().await.unwrap();
    node.joined().await.unwrap();
    users.get_or_load(&7, database.gives("Ada".to_owned())).await.unwrap();
    assert!(users.get(&7).is_some());
    drop(peer);
}
