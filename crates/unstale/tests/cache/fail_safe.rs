//! Fail-safe: what stands in for a value that cannot be loaded, for how long, and what never does.

use std::convert::Infallible;

use unstale::metrics::names;
use unstale::{Cache, EntryOptions, ErrorKind, FailSafe, Lookup, Node, Served};

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, pass, seconds, total};

async fn cache(node: &Node) -> Cache<u64, String> {
    let fail_safe = FailSafe::for_at_most(seconds(100)).throttle(seconds(30));
    let users = node.cache("users").time_to_live(seconds(10)).fail_safe(fail_safe).build().unwrap();
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    users
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_stands_in_for_a_failed_load_and_says_so() {
    // F4
    let node = alone().await;
    let users = cache(&node).await;
    pass(seconds(11)).await;
    assert!(users.get(&7).is_none(), "it is no hit");
    assert!(matches!(users.lookup(&7), Lookup::Stale(_)));
    let read = users.get_or_load(&7, Database::default().fails()).at(node.now()).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("old", Served::Stale, false));
    assert_eq!(total(&node, names::CACHE_STALE, "load-failed"), 1);
    assert_eq!(total(&node, names::CACHE_LOAD_FAILURES, "error"), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_database_is_left_alone_for_the_throttle() {
    // F4
    let node = alone().await;
    let users = cache(&node).await;
    let database = Database::default();
    pass(seconds(11)).await;
    for _ in 0..10 {
        assert_eq!(*users.get_or_load(&7, database.fails()).await.unwrap(), "old");
    }
    assert_eq!(database.reads(), 1);
    assert_eq!(total(&node, names::CACHE_STALE, "throttled"), 9);
    pass(seconds(31)).await;
    assert_eq!(*users.get_or_load(&7, database.gives("new".to_owned())).await.unwrap(), "new");
    assert_eq!(database.reads(), 2);
    // A success ends the pause: the next failure is met by a new try, not by what is left of the old pause.
    let _receipt = users.expire(&7).await.unwrap();
    assert_eq!(*users.get_or_load(&7, database.gives("newer".to_owned())).await.unwrap(), "newer");
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_pause_of_an_earlier_failure() {
    let node = alone().await;
    let users = cache(&node).await;
    let database = Database::default();
    pass(seconds(11)).await;
    users.get_or_load(&7, database.fails()).await.unwrap();
    // Loaded by a reader that leaves out memory, within the pause.
    let fresh = EntryOptions::new().skip(unstale::Skip::MemoryRead).fail_safe(FailSafe::off());
    users.get_or_load(&7, database.gives("new".to_owned())).options(&fresh).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    assert_eq!(*users.get_or_load(&7, database.gives("newer".to_owned())).await.unwrap(), "newer");
    assert_eq!(database.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_stands_in_no_longer_than_allowed() {
    // F4: 10 s of life and 100 s of fail-safe.
    let node = alone().await;
    let users = cache(&node).await;
    pass(seconds(109)).await;
    assert_eq!(*users.get_or_load(&7, Database::default().fails()).await.unwrap(), "old");
    pass(seconds(2)).await;
    let error = users.get_or_load(&7, Database::default().fails()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    assert!(matches!(users.lookup(&7), Lookup::Miss));
}

#[tokio::test(start_paused = true)]
async fn without_fail_safe_nothing_stands_in() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").time_to_live(seconds(10)).build().unwrap();
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    pass(seconds(11)).await;
    users.get_or_load(&7, Database::default().fails()).await.unwrap_err();
    // Nor for a call that wants none.
    let users = cache_named(&node, "others").await;
    let _receipt = users.expire(&7).await.unwrap();
    let none = EntryOptions::new().fail_safe(FailSafe::off());
    users.get_or_load(&7, Database::default().fails()).options(&none).await.unwrap_err();
    assert_eq!(*users.get_or_load(&7, Database::default().fails()).await.unwrap(), "old");
}

async fn cache_named(node: &Node, name: &str) -> Cache<u64, String> {
    let users = node.cache(name).time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR)).build().unwrap();
    let load = async |load: unstale::Load<String>| {
        load.tag("t");
        Ok::<_, Infallible>("old".to_owned())
    };
    users.get_or_load(&7, load).await.unwrap();
    users
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_never_stands_in() {
    // F-4: not after `gone`
    let node = alone().await;
    for way in 0..6 {
        let users = cache_named(&node, "users").await;
        let _receipt = match way {
            0 => users.remove(&7).await,
            1 => users.remove_tag("t").await,
            2 => users.clear().await,
            3 => node.remove_tag("t").await,
            4 => node.clear().await,
            _ => users.remove_many(&[7]).await,
        }
        .unwrap();
        let error = users.get_or_load(&7, Database::default().fails()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Load, "way {way}");
        assert!(matches!(users.lookup(&7), Lookup::Miss), "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_expired_stands_in() {
    let node = alone().await;
    for way in 0..3 {
        let users = cache_named(&node, "users").await;
        let _receipt = match way {
            0 => users.expire(&7).await,
            1 => users.expire_tag("t").await,
            _ => users.expire_all().await,
        }
        .unwrap();
        assert!(users.get(&7).is_none(), "way {way}");
        assert_eq!(*users.get_or_load(&7, Database::default().fails()).await.unwrap(), "old", "way {way}");
        let _receipt = users.clear().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_removed_while_its_successor_fails_to_load_does_not_stand_in() {
    // F-4: tested after the failure, on what the leader holds.
    let node = alone().await;
    let users = cache(&node).await;
    pass(seconds(11)).await;
    let (mut gate, passage) = Gate::new();
    let caller = {
        let users = users.clone();
        let load = async move |_| Err::<String, _>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&7, load).await })
    };
    gate.reached().await;
    let _receipt = users.remove(&7).await.unwrap();
    gate.open(std::io::Error::other("the database is down"));
    assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Load);
}

#[tokio::test(start_paused = true)]
async fn joined_callers_are_given_the_stale_value_too() {
    let node = alone().await;
    let users = cache(&node).await;
    pass(seconds(11)).await;
    let (mut gate, passage) = Gate::new();
    let load = async move |_| Err::<String, _>(passage.pass().await);
    let leader = {
        let users = users.clone();
        tokio::spawn(async move { users.get_or_load(&7, load).await.unwrap() })
    };
    gate.reached().await;
    let database = Database::default();
    let joined = {
        let (users, load) = (users.clone(), database.fails());
        tokio::spawn(async move { users.get_or_load(&7, load).await.unwrap() })
    };
    crate::world::settle().await;
    gate.open(std::io::Error::other("the database is down"));
    assert_eq!(*leader.await.unwrap(), "old");
    assert_eq!(*joined.await.unwrap(), "old");
    assert_eq!(database.reads(), 0);
}
