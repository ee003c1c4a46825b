//! Eager refresh.

use std::convert::Infallible;

use unstale::metrics::names;
use unstale::{Cache, EntryOptions, Load, Node};

use crate::gate::Gate;
use crate::world::{Database, alone, millis, pass, seconds, settle, total};

fn cache(node: &Node) -> Cache<u64, String> {
    node.cache("users").time_to_live(seconds(10)).eager_refresh(0.8).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hit_past_the_threshold_starts_one_load_in_the_background() {
    // F7
    let node = alone().await;
    let users = cache(&node);
    let database = Database::default();
    users.get_or_load(&7, database.gives("old".to_owned())).await.unwrap();
    pass(millis(7_900)).await;
    users.get_or_load(&7, database.gives("too early".to_owned())).await.unwrap();
    assert_eq!(database.reads(), 1);
    pass(millis(200)).await;
    let (mut gate, passage) = Gate::new();
    let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
    assert_eq!(*users.get_or_load(&7, load).await.unwrap(), "old", "answered at once");
    gate.reached().await;
    for _ in 0..5 {
        assert_eq!(*users.get_or_load(&7, database.gives("second".to_owned())).await.unwrap(), "old");
    }
    assert_eq!(database.reads(), 1, "one refresh at a time");
    gate.open("new".to_owned());
    settle().await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("new"));
    assert_eq!(total(&node, names::CACHE_LOADS, "eager"), 1);
    pass(seconds(5)).await;
    assert!(users.get(&7).is_some(), "its life began anew");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_is_not_tried_again_by_the_next_hit() {
    let node = alone().await;
    let users = cache(&node);
    let database = Database::default();
    users.get_or_load(&7, database.gives("old".to_owned())).await.unwrap();
    pass(seconds(9)).await;
    for _ in 0..5 {
        assert_eq!(*users.get_or_load(&7, database.fails()).await.unwrap(), "old");
        settle().await;
    }
    assert_eq!(database.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_keeps_the_tags_of_the_call() {
    let node = alone().await;
    let users = cache(&node);
    let database = Database::default();
    let tagged = EntryOptions::new().tag("vip");
    users.get_or_load(&7, database.gives("old".to_owned())).options(&tagged).await.unwrap();
    pass(seconds(9)).await;
    users.get_or_load(&7, database.gives("new".to_owned())).options(&tagged).await.unwrap();
    settle().await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("new"));
    let _receipt = users.remove_tag("vip").await.unwrap();
    assert!(users.get(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_set_is_refreshed_too_and_the_loader_is_told_of_it() {
    let node = alone().await;
    let users = cache(&node);
    let _receipt = users.set(7, "set".to_owned()).await.unwrap();
    pass(seconds(9)).await;
    let load = async |load: Load<String>| {
        let previous = load.previous().map(|value| (**value).clone());
        Ok::<_, Infallible>(format!("after {}", previous.unwrap()))
    };
    users.get_or_load(&7, load).await.unwrap();
    settle().await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("after set"));
}
