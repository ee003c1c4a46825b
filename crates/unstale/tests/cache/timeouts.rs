//! Soft and hard timeouts, and what becomes of the load.

use std::convert::Infallible;

use unstale::metrics::names;
use unstale::{Cache, EntryOptions, ErrorKind, FailSafe, Lookup, Node, Overdue, Served};

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, millis, pass, settle, total};

fn cache(node: &Node, overdue: Overdue) -> Cache<u64, String> {
    node.cache("users")
        .time_to_live(HOUR)
        .fail_safe(FailSafe::for_at_most(HOUR))
        .soft_timeout(millis(100))
        .hard_timeout(millis(500))
        .overdue(overdue)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn after_the_soft_timeout_the_caller_has_the_stale_value_and_later_ones_the_new() {
    // F5, F6
    let node = alone().await;
    let users = cache(&node, Overdue::Completes);
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let (gate, passage) = Gate::new();
    let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
    let began = tokio::time::Instant::now();
    let read = users.get_or_load(&7, load).at(node.now()).await.unwrap();
    assert_eq!((read.as_str(), read.served()), ("old", Served::Stale));
    assert_eq!(began.elapsed(), millis(100));
    assert_eq!(total(&node, names::CACHE_STALE, "soft-timeout"), 1);
    gate.open("new".to_owned());
    settle().await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("new"));
}

#[tokio::test(start_paused = true)]
async fn without_a_stale_value_only_the_hard_timeout_counts() {
    // F5, F6
    let node = alone().await;
    let users = cache(&node, Overdue::Completes);
    let (gate, passage) = Gate::new();
    let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
    let began = tokio::time::Instant::now();
    let error = users.get_or_load(&7, load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "load: cache users: no value within 500ms");
    assert_eq!(began.elapsed(), millis(500));
    assert_eq!(total(&node, names::CACHE_LOAD_FAILURES, "timeout"), 1);
    gate.open("new".to_owned());
    settle().await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("new"));
}

#[tokio::test(start_paused = true)]
async fn a_hard_timeout_is_answered_with_a_stale_value_that_appeared_in_no_time_for_a_soft_one() {
    let node = alone().await;
    let users: Cache<u64, String> = node
        .cache("users")
        .time_to_live(HOUR)
        .fail_safe(FailSafe::for_at_most(HOUR))
        .hard_timeout(millis(500))
        .build()
        .unwrap();
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let began = tokio::time::Instant::now();
    let value =
        users.get_or_load(&7, async |_| std::future::pending::<Result<String, Infallible>>().await).await;
    assert_eq!(*value.unwrap(), "old");
    assert_eq!(began.elapsed(), millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_joined_caller_has_its_own_timeouts() {
    let node = alone().await;
    let users = cache(&node, Overdue::Completes);
    let (mut gate, passage) = Gate::new();
    let leader = {
        let users = users.clone();
        let patient = EntryOptions::new().hard_timeout(HOUR);
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&7, load).options(&patient).await })
    };
    gate.reached().await;
    let error = users.get_or_load(&7, Database::default().gives("own".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    gate.open("shared".to_owned());
    assert_eq!(*leader.await.unwrap().unwrap(), "shared");
}

#[tokio::test(start_paused = true)]
async fn a_load_may_be_dropped_at_its_hard_timeout() {
    let node = alone().await;
    let users = cache(&node, Overdue::IsDropped);
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let (gate, passage) = Gate::<String>::new();
    let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
    assert_eq!(*users.get_or_load(&7, load).await.unwrap(), "old", "after the soft timeout");
    assert!(!gate.is_abandoned(), "it goes on until the hard one");
    pass(millis(500)).await;
    assert!(gate.is_abandoned());
    assert!(matches!(users.lookup(&7), Lookup::Stale(_)));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_in_the_background_holds_back_the_next_try() {
    let node = alone().await;
    let users = cache(&node, Overdue::Completes);
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let (gate, passage) = Gate::new();
    let load = async move |_| Err::<String, _>(passage.pass().await);
    users.get_or_load(&7, load).await.unwrap();
    gate.open(std::io::Error::other("the database is down"));
    settle().await;
    let database = Database::default();
    assert_eq!(*users.get_or_load(&7, database.gives("new".to_owned())).await.unwrap(), "old");
    assert_eq!(database.reads(), 0);
}
