//! One load per key, what a loader may say, and what becomes of its failures.

use std::convert::Infallible;
use std::error::Error;
use std::io;

use unstale::metrics::names;
use unstale::{Cache, EntryOptions, ErrorKind, Load, Loaded, Lookup, Value};

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, millis, pass, seconds, settle, total};

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_share_one_load() {
    // F2
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let database = Database::default();
    let (mut gate, passage) = Gate::new();
    let leader = {
        let (users, database) = (users.clone(), database.clone());
        tokio::spawn(async move {
            let load = async move |load| {
                passage.pass().await;
                database.gives("Ada".to_owned())(load).await
            };
            users.get_or_load(&7, load).await.unwrap()
        })
    };
    gate.reached().await;
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (users, database) = (users.clone(), database.clone());
            tokio::spawn(
                async move { users.get_or_load(&7, database.gives("Eve".to_owned())).await.unwrap() },
            )
        })
        .collect();
    settle().await;
    gate.open(());
    let first = leader.await.unwrap();
    for caller in callers {
        let value = caller.await.unwrap();
        assert!(Value::ptr_eq(&value, &first), "all share one value");
    }
    assert_eq!(database.reads(), 1);
    assert_eq!(node.metrics().total(names::CACHE_JOINED, &[]) as u64, 100);
}

#[tokio::test(start_paused = true)]
async fn a_hit_calls_no_loader_and_is_ready_at_the_first_poll() {
    // F1
    let node = alone().await;
    let users: Cache<String, u64> = node.cache("users").build().unwrap();
    let database = Database::default();
    users.get_or_load("ada", database.gives(1)).await.unwrap();
    let hit = first_poll(users.get_or_load("ada", database.gives(2)));
    assert_eq!(*hit.expect("ready at once").unwrap(), 1);
    assert_eq!(database.reads(), 1);
    assert_eq!(users.get("ada").as_deref(), Some(&1));
}

/// What one poll gives.
fn first_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(&mut future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_reaches_every_caller_with_its_cause_and_nothing_is_stored() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let (mut gate, passage) = Gate::new();
    let load = async move |_| Err::<String, _>(passage.pass().await);
    let leader = {
        let users = users.clone();
        tokio::spawn(async move { users.get_or_load(&7, load).await.unwrap_err() })
    };
    gate.reached().await;
    let joined = {
        let users = users.clone();
        tokio::spawn(async move { users.get_or_load(&7, Database::default().fails()).await.unwrap_err() })
    };
    settle().await;
    gate.open(io::Error::other("no route to host"));
    for caller in [leader, joined] {
        let error = caller.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Load);
        assert_eq!(error.to_string(), "load: the loader of cache users returned an error");
        assert_eq!(error.source().unwrap().to_string(), "no route to host");
    }
    assert!(matches!(users.lookup(&7), Lookup::Miss));
    assert_eq!(*users.get_or_load(&7, Database::default().gives("Ada".to_owned())).await.unwrap(), "Ada");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_loader_fails_its_callers_and_nothing_else() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let error = users
        .get_or_load(&7, async |_| -> Result<String, Infallible> { panic!("row {} is odd", 7) })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoadPanicked);
    assert_eq!(error.to_string(), "load: cache users: the loader panicked: row 7 is odd");
    // Also before its first await, and in a batch.
    let at_once =
        |_load: Load<String>| -> std::future::Ready<Result<String, Infallible>> { panic!("at once") };
    assert_eq!(users.get_or_load(&8, at_once).await.unwrap_err().kind(), ErrorKind::LoadPanicked);
    let many = async |_, _| -> Result<Vec<(u64, String)>, Infallible> { panic!("in a batch") };
    assert_eq!(users.get_or_load_many(&[9], many).await.unwrap_err().kind(), ErrorKind::LoadPanicked);
    assert_eq!(total(&node, names::CACHE_LOAD_FAILURES, "panic"), 3);
    assert_eq!(*users.get_or_load(&7, Database::default().gives("Ada".to_owned())).await.unwrap(), "Ada");
}

#[tokio::test(start_paused = true)]
async fn a_load_without_its_caller_goes_on_for_those_who_wait_and_is_dropped_without_any() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    for waits in [true, false] {
        let key = u64::from(waits);
        let (mut gate, passage) = Gate::new();
        let leader = {
            let users = users.clone();
            let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
            tokio::spawn(async move { users.get_or_load(&key, load).await })
        };
        gate.reached().await;
        let waiter = waits.then(|| {
            let users = users.clone();
            tokio::spawn(
                async move { users.get_or_load(&key, Database::default().gives("own".to_owned())).await },
            )
        });
        settle().await;
        leader.abort();
        leader.await.unwrap_err();
        match waiter {
            Some(waiter) => {
                gate.open("shared".to_owned());
                assert_eq!(*waiter.await.unwrap().unwrap(), "shared");
            }
            None => assert!(gate.is_abandoned(), "nobody waits: the load is dropped"),
        }
    }
    assert_eq!(total(&node, names::CACHE_LOAD_FAILURES, "cancelled"), 1);
    assert_eq!(*users.get_or_load(&0, Database::default().gives("next".to_owned())).await.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_loader_chooses_tags_and_lives_for_its_value() {
    // F9
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").time_to_live(HOUR).build().unwrap();
    let load = async |load: Load<String>| {
        load.tag("vip");
        load.time_to_live(seconds(2));
        Ok::<_, Infallible>("Ada".to_owned())
    };
    users.get_or_load(&1, load).await.unwrap();
    users.get_or_load(&2, load).await.unwrap();
    pass(seconds(1)).await;
    assert!(users.get(&1).is_some());
    pass(millis(1_100)).await;
    assert!(users.get(&1).is_none());
    users.get_or_load(&1, load).await.unwrap();
    let _receipt = users.remove_tag("vip").await.unwrap();
    assert!(users.get(&1).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_loader_may_have_its_value_kept_nowhere() {
    // F9
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let load = async |load: Load<String>| {
        load.no_store();
        Ok::<_, Infallible>("once".to_owned())
    };
    assert_eq!(*users.get_or_load(&1, load).await.unwrap(), "once");
    assert!(matches!(users.lookup(&1), Lookup::Miss));
    assert_eq!(total(&node, names::CACHE_FILLS_REFUSED, "no-store"), 1);
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_the_ends_of_values_that_were_loaded_together() {
    // F8
    let node = alone().await;
    let users: Cache<u64, u64> =
        node.cache("users").time_to_live(seconds(10)).jitter(seconds(10)).build().unwrap();
    for key in 0..200 {
        users.get_or_load(&key, Database::default().gives(key)).await.unwrap();
    }
    let left = || (0..200).filter(|key| users.get(key).is_some()).count();
    pass(millis(9_900)).await;
    assert_eq!(left(), 200, "never shorter than the time to live");
    pass(seconds(5)).await;
    let half = left();
    assert!((40..160).contains(&half), "{half} of 200 live after half of the jitter");
    pass(millis(5_200)).await;
    assert_eq!(left(), 0, "never longer than both");
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_is_remembered_for_a_time_of_its_own() {
    // F13
    let node = alone().await;
    let users: Cache<u64, String> =
        node.cache("users").time_to_live(HOUR).negative_time_to_live(seconds(5)).build().unwrap();
    let database = Database::default();
    let load = async |_| Ok::<_, Infallible>(Loaded::nothing());
    assert!(users.find_or_load(&4, load).await.unwrap().is_none());
    assert!(matches!(users.lookup(&4), Lookup::Negative));
    assert!(matches!(users.lookup(&5), Lookup::Miss), "which is something else");
    assert!(users.find_or_load(&4, database.gives("Eve".to_owned())).await.unwrap().is_none());
    let error = users.get_or_load(&4, database.gives("Eve".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Nothing);
    assert_eq!(database.reads(), 0);
    pass(seconds(6)).await;
    assert_eq!(
        users.find_or_load(&4, database.gives("Eve".to_owned())).await.unwrap().as_deref().unwrap(),
        "Eve"
    );
}

#[tokio::test(start_paused = true)]
async fn a_value_of_a_lower_version_never_replaces_one_of_a_higher() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let set = async |value: &str, version| {
        let options = EntryOptions::new().version(version);
        let _receipt = users.set_with(7, value.to_owned(), &options).await.unwrap();
    };
    set("second", 2).await;
    set("first", 1).await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("second"));
    set("third", 3).await;
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("third"));
}

#[tokio::test(start_paused = true)]
async fn what_was_made_from_something_stale_is_stale_and_not_stored() {
    // F-4, taint
    let node = alone().await;
    let fail_safe = unstale::FailSafe::for_at_most(HOUR);
    let users: Cache<u64, String> = node.cache("users").fail_safe(fail_safe).build().unwrap();
    let pages: Cache<u64, String> = node.cache("pages").build().unwrap();
    users.get_or_load(&7, Database::default().gives("Ada".to_owned())).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let users_in_load = users.clone();
    let page = async move |_| {
        let user = users_in_load.get_or_load(&7, Database::default().fails()).await?;
        Ok::<_, unstale::Error>(user.to_uppercase())
    };
    let read = pages.get_or_load(&7, page).at(node.now()).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("ADA", unstale::Served::Stale, false));
    assert!(matches!(pages.lookup(&7), Lookup::Miss));
    assert_eq!(total(&node, names::CACHE_FILLS_REFUSED, "tainted"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_does_not_outlive_what_it_was_made_from() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").time_to_live(seconds(2)).build().unwrap();
    let pages: Cache<u64, String> = node.cache("pages").time_to_live(HOUR).build().unwrap();
    let users_in_load = users.clone();
    let page = async move |_| {
        let user = users_in_load.get_or_load(&7, Database::default().gives("Ada".to_owned())).await?;
        Ok::<_, unstale::Error>((*user).clone())
    };
    pages.get_or_load(&7, page).await.unwrap();
    pass(seconds(1)).await;
    assert!(pages.get(&7).is_some());
    pass(millis(1_100)).await;
    assert!(pages.get(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn values_are_shared_and_never_copied() {
    // F24: this type has no Clone, so nothing can copy it.
    struct Unique(&'static str);
    let node = alone().await;
    let users: Cache<u64, Unique> = node.cache("users").build().unwrap();
    let first = users.get_or_load(&7, async |_| Ok::<_, Infallible>(Unique("Ada"))).await.unwrap();
    let second = users.get(&7).unwrap();
    assert!(Value::ptr_eq(&first, &second));
    let _receipt = users.remove(&7).await.unwrap();
    assert_eq!(first.0, "Ada", "who holds it keeps it");
}
