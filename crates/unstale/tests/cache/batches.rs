//! Many keys at once.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use unstale::metrics::names;
use unstale::{Cache, EntryOptions, ErrorKind, FailSafe, Freshness, Load, Lookup, Node, Served};
use unstale_port::memory::Hub;

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, builder, millis, pass, seconds, settle, total};

fn cache(node: &Node) -> Cache<u64, String> {
    node.cache("users").time_to_live(HOUR).build().unwrap()
}

async fn names_of(keys: Vec<u64>, load: Load<String>) -> Result<Vec<(u64, String)>, Infallible> {
    load.tag("batch");
    Ok(keys.into_iter().map(|key| (key, format!("user {key}"))).collect())
}

#[tokio::test(start_paused = true)]
async fn one_call_loads_all_that_are_missing_in_the_order_of_the_keys() {
    // F21
    let node = alone().await;
    let users = cache(&node);
    let _receipt = users.set(2, "set".to_owned()).await.unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let load = {
        let asked = Arc::clone(&asked);
        async move |keys: Vec<u64>, load| {
            asked.lock().unwrap().push(keys.clone());
            names_of(keys, load).await
        }
    };
    let found = users.get_or_load_many(&[3, 2, 1], load.clone()).await.unwrap();
    let found: Vec<_> = found.iter().map(|value| value.as_deref().map(String::as_str)).collect();
    assert_eq!(found, [Some("user 3"), Some("set"), Some("user 1")]);
    users.get_or_load_many(&[1, 2, 3], load.clone()).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), [vec![3, 1]]);
    assert_eq!(total(&node, names::CACHE_LOADS, "many"), 1);
    let _receipt = users.remove_tag("batch").await.unwrap();
    assert_eq!(users.get_many(&[1, 2, 3]).iter().filter(|value| value.is_some()).count(), 1);
    assert!(users.get_or_load_many(&[], load).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_asked_for_twice_is_loaded_once() {
    let node = alone().await;
    let users = cache(&node);
    let found = users.get_or_load_many(&[1, 1], names_of).await.unwrap();
    assert_eq!(found[0].as_deref().unwrap(), "user 1");
    assert_eq!(found[1].as_deref().unwrap(), "user 1");
}

#[tokio::test(start_paused = true)]
async fn keys_in_flight_are_joined_and_not_loaded_again() {
    // F21, F2
    let node = alone().await;
    let users = cache(&node);
    let (mut gate, passage) = Gate::new();
    let single = {
        let users = users.clone();
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&1, load).await.unwrap() })
    };
    gate.reached().await;
    let batch = {
        let users = users.clone();
        let load = async |keys: Vec<u64>, load| {
            assert_eq!(keys, [2], "1 is in flight");
            names_of(keys, load).await
        };
        tokio::spawn(async move { users.get_or_load_many(&[1, 2], load).await.unwrap() })
    };
    settle().await;
    assert_eq!(users.get(&2).as_deref().map(String::as_str), Some("user 2"), "its own part is there already");
    gate.open("single".to_owned());
    assert_eq!(*single.await.unwrap(), "single");
    assert_eq!(batch.await.unwrap()[0].as_deref().unwrap(), "single");
}

#[tokio::test(start_paused = true)]
async fn two_batches_that_wait_for_each_other_both_end() {
    let node = alone().await;
    let users = cache(&node);
    let batch = |keys: [u64; 2]| {
        let users = users.clone();
        let load = async |keys: Vec<u64>, load| {
            settle().await;
            names_of(keys, load).await
        };
        tokio::spawn(async move { users.get_or_load_many(&keys, load).await.unwrap() })
    };
    let batches = [batch([1, 2]), batch([2, 1]), batch([1, 2])];
    for found in batches {
        assert!(found.await.unwrap().iter().all(Option::is_some));
    }
    assert_eq!(total(&node, names::CACHE_LOADS, "many"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_loads_itself_what_the_caller_that_it_joined_gave_up() {
    let node = alone().await;
    let users = cache(&node);
    let (mut gate, passage) = Gate::<String>::new();
    let single = {
        let users = users.clone();
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        let dropped = EntryOptions::new().hard_timeout(millis(50)).overdue(unstale::Overdue::IsDropped);
        tokio::spawn(async move { users.get_or_load(&1, load).options(&dropped).await })
    };
    gate.reached().await;
    let found = users.get_or_load_many(&[1, 2], names_of).await;
    assert_eq!(single.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    // The flight failed for those aboard, or was given up before it could: both end, and the next call has the value.
    assert!(found.is_err() || found.unwrap().iter().all(Option::is_some));
    assert!(users.get_or_load_many(&[1, 2], names_of).await.unwrap().iter().all(Option::is_some));
}

#[tokio::test(start_paused = true)]
async fn what_the_loader_leaves_out_does_not_exist_and_that_is_remembered() {
    // F13, F21
    let node = alone().await;
    let users = cache(&node);
    let odd = async |keys: Vec<u64>, load| {
        let mut rows = names_of(keys, load).await?;
        rows.retain(|(key, _)| key % 2 == 1);
        rows.push((99, "not asked for".to_owned()));
        Ok::<_, Infallible>(rows)
    };
    let found = users.get_or_load_many(&[1, 2], odd).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none());
    assert!(matches!(users.lookup(&2), Lookup::Negative));
    assert!(matches!(users.lookup(&99), Lookup::Miss), "what was not asked for is ignored");
}

#[tokio::test(start_paused = true)]
async fn a_batch_fails_as_a_whole_unless_stale_values_stand_in_for_all_that_failed() {
    // F4, F21
    let node = alone().await;
    let users: Cache<u64, String> =
        node.cache("users").time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR)).build().unwrap();
    users.get_or_load_many(&[1, 2], names_of).await.unwrap();
    let _receipt = users.expire_all().await.unwrap();
    let down = async |_, _| Err::<Vec<(u64, String)>, _>(io::Error::other("the database is down"));
    let found = users.get_or_load_many(&[1, 2], down).await.unwrap();
    assert_eq!(found[1].as_deref().unwrap(), "user 2");
    assert_eq!(total(&node, names::CACHE_STALE, "load-failed"), 2);
    let error = users.get_or_load_many(&[1, 3], down).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_timeouts_as_a_single_load_has() {
    // F5, F6, F21
    let node = alone().await;
    let users: Cache<u64, String> = node
        .cache("users")
        .time_to_live(HOUR)
        .fail_safe(FailSafe::for_at_most(HOUR))
        .soft_timeout(millis(50))
        .hard_timeout(millis(200))
        .build()
        .unwrap();
    users.get_or_load_many(&[1, 2], names_of).await.unwrap();
    let _receipt = users.expire_all().await.unwrap();
    let (gate, passage) = Gate::new();
    let passage = Arc::new(Mutex::new(Some(passage)));
    let load = async move |keys: Vec<u64>, load| {
        let passage = passage.lock().unwrap().take();
        passage.unwrap().pass().await;
        names_of(keys, load).await
    };
    let began = tokio::time::Instant::now();
    let found = users.get_or_load_many(&[1, 2], load).await.unwrap();
    assert!(found.iter().all(Option::is_some));
    assert_eq!((began.elapsed(), total(&node, names::CACHE_STALE, "soft-timeout")), (millis(50), 2));
    gate.open(());
    settle().await;
    assert!(users.get_many(&[1, 2]).iter().all(Option::is_some), "the load went on");
    // Nothing stands in for a key that never was there.
    let hangs = async |_, _| std::future::pending::<Result<Vec<(u64, String)>, Infallible>>().await;
    let error = users.get_or_load_many(&[1, 3], hangs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn many_are_set_and_removed_as_one_batch() {
    // F21
    let node = alone().await;
    let users = cache(&node);
    let receipt = users.set_many([(1, "a".to_owned()), (2, "b".to_owned())]).await.unwrap();
    assert!(receipt.announced());
    assert!(users.get_many(&[1, 2]).iter().all(Option::is_some));
    let receipt = users.remove_many(&[1, 2, 3]).await.unwrap();
    assert!(receipt.present());
    assert!(users.get_many(&[1, 2]).iter().all(Option::is_none));
    let nothing = users.remove_many::<u64>(&[]).await.unwrap();
    assert_eq!(nothing.session(), receipt.session(), "nothing was done, so the last write is named");
    assert_eq!(*users.get_or_load(&1, Database::default().gives("c".to_owned())).await.unwrap(), "c");
}

/// Two nodes that can be cut off from each other.
async fn cut_pair() -> (Hub, Node, Node) {
    let hub = Hub::fixed(["a", "b"]);
    let one = builder("a").backplane(hub.join("a")).start().await.unwrap();
    let other = builder("b").backplane(hub.join("b")).start().await.unwrap();
    one.joined().await.unwrap();
    other.joined().await.unwrap();
    (hub, one, other)
}

#[tokio::test(start_paused = true)]
async fn a_batch_says_of_each_answer_what_was_served_and_whether_it_is_proven() {
    // P4, F21
    let (_hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    users.get_or_load_many(&[1], names_of).await.unwrap();
    pass(seconds(2)).await;
    let read = users.get_or_load_many(&[1, 2], names_of).at(one.now()).await.unwrap();
    let served: Vec<_> = read.iter().map(|read| (read.served(), read.proven())).collect();
    assert_eq!(served, [(Served::Hit, true), (Served::Load, true)]);
    assert_eq!(read[0].as_ref().map(|name| name.as_str()), Some("user 1"));
    let within = users.get_many_within(&[1, 2, 3], one.now(), millis(250));
    assert_eq!(within.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_cannot_prove_is_bypassed_by_one_call_refused_or_flagged_as_chosen() {
    // P4, F21
    let (hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    let _receipt = users.set_many((1..=3).map(|key| (key, "old".to_owned()))).await.unwrap();
    hub.cut("a", "b");
    pass(seconds(2)).await;
    users.get_or_load_many(&[4], names_of).await.unwrap();
    let within = Freshness::within(millis(250));
    let outcome = |outcome| one.metrics().total(names::BOUNDED_READS, &[(names::OUTCOME, outcome)]) as u64;

    let flagged = users.get_or_load_many(&[1, 4], names_of).freshness(within.or_flag()).await.unwrap();
    assert_eq!((flagged[0].served(), flagged[0].proven()), (Served::Hit, false));
    assert_eq!((flagged[1].served(), flagged[1].proven()), (Served::Hit, true), "young");
    assert_eq!((outcome("flagged"), outcome("young")), (1, 1));

    let refused = users.get_or_load_many(&[4, 1], names_of).freshness(within.or_error()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotProven);

    let loads = total(&one, names::CACHE_LOADS, "bypass");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let load = {
        let asked = Arc::clone(&asked);
        async move |keys: Vec<u64>, load| {
            asked.lock().unwrap().push(keys.clone());
            names_of(keys, load).await
        }
    };
    let read = users.get_or_load_many(&[1, 4, 2], load).freshness(within.or_bypass()).await.unwrap();
    let served: Vec<_> = read.iter().map(|read| (read.served(), read.proven())).collect();
    assert_eq!(served, [(Served::Bypass, true), (Served::Hit, true), (Served::Bypass, true)]);
    assert_eq!(*asked.lock().unwrap(), [vec![1, 2]]);
    assert_eq!(total(&one, names::CACHE_LOADS, "bypass"), loads + 1);
    assert_eq!(total(&one, names::CACHE_BYPASSES, "not-proven"), 2);
    assert_eq!(users.get(&1).as_deref().map(String::as_str), Some("user 1"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_an_exchange_and_for_the_write_that_a_token_names() {
    // P-15, P-36
    let (hub, one, other) = cut_pair().await;
    let (users, users_there) = (cache(&one), cache(&other));
    users.get_or_load_many(&[1, 2], names_of).await.unwrap();
    pass(seconds(2)).await;
    let now = Freshness::within(millis(0)).or_wait().or_error();
    let read = users.get_or_load_many(&[1, 2], names_of).freshness(now).await.unwrap();
    assert!(read.iter().all(|read| read.served() == Served::Hit && read.proven()));

    let token = users_there.remove(&1).await.unwrap().session();
    let read = users.get_or_load_many(&[1, 2], names_of).session(token).await.unwrap();
    assert_eq!((read[0].served(), read[1].served()), (Served::Load, Served::Hit));

    hub.cut("a", "b");
    let token = users_there.remove(&2).await.unwrap().session();
    let began = tokio::time::Instant::now();
    let read = users.get_or_load_many(&[1, 2], names_of).session(token).await.unwrap();
    assert!(read.iter().all(|read| read.served() == Served::Bypass && read.proven()));
    assert!(began.elapsed() <= millis(1_100));
}

#[tokio::test(start_paused = true)]
async fn a_removal_during_the_bypass_of_a_batch_is_not_undone_by_it() {
    // P1
    let (hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    let _receipt = users.set(1, "old".to_owned()).await.unwrap();
    hub.cut("a", "b");
    pass(seconds(2)).await;
    let (mut gate, passage) = Gate::new();
    let passage = Arc::new(Mutex::new(Some(passage)));
    let load = async move |keys: Vec<u64>, _load: Load<String>| {
        let passage = passage.lock().unwrap().take();
        passage.unwrap().pass().await;
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, "loaded before".to_owned())).collect())
    };
    let reading = {
        let users = users.clone();
        let within = Freshness::within(millis(1)).or_bypass();
        tokio::spawn(async move { users.get_or_load_many(&[1], load).freshness(within).await.map(drop) })
    };
    gate.reached().await;
    let _receipt = users.remove(&1).await.unwrap();
    gate.open(());
    reading.await.unwrap().unwrap();
    assert!(users.get(&1).is_none());
}
