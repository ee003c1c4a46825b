//! What nodes do when their second level is slow, down or back, and how they share the work of loading.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use unstale::metrics::{Metric, names};
use unstale::{
    Cache, EntryOptions, ErrorKind, Event, FailSafe, Load, Node, Raw, Skip, StoreBreaker, StoreEvent,
    StoreFills,
};
use unstale_port::memory::Hub;
use unstale_port::{Condition, Intent, Record, Store};

use crate::gate::Gate;
use crate::held::Held;
use crate::world::{Database, HOUR, builder, millis, pass, seconds, settle};

async fn node(name: &str, store: &Held) -> Node {
    builder(name).store(store.clone()).start().await.unwrap()
}

fn users(node: &Node) -> Cache<u64, String> {
    node.cache("users").time_to_live(HOUR).stored_as(Raw).build().unwrap()
}

fn count(node: &Node, metric: Metric) -> u64 {
    node.metrics().count(metric, &[])
}

fn bytes_of(key: u64) -> Bytes {
    Bytes::copy_from_slice(&key.to_be_bytes())
}

/// What stands in the store, whoever asks.
async fn stored(store: &Held, key: u64) -> Option<Bytes> {
    let found = store.inner.get("users", &[bytes_of(key)], Intent::Read).await.unwrap().remove(0);
    found.record.and_then(|record| record.value)
}

async fn put(store: &Held, key: u64, value: &'static str) {
    let record = Record {
        value: Some(Bytes::from_static(value.as_bytes())),
        stamp: 1,
        fresh_for: HOUR,
        keep_for: HOUR,
        tags: Vec::new(),
        version: None,
        etag: None,
        last_modified: None,
    };
    store.inner.put("users", bytes_of(key), record, Condition::Newer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hundred_nodes_that_miss_a_key_together_load_it_once() {
    // F3
    let store = Held::new();
    let loads = Arc::new(AtomicU32::new(0));
    let mut nodes = Vec::new();
    for index in 0..100 {
        nodes.push(node(&format!("n{index}"), &store).await);
    }
    let readers: Vec<_> = nodes
        .iter()
        .map(|node| {
            let (users, loads) = (users(node), Arc::clone(&loads));
            tokio::spawn(async move {
                let load = async move |_: Load<String>| {
                    loads.fetch_add(1, Ordering::Relaxed);
                    pass(millis(300)).await;
                    Ok::<_, Infallible>("loaded".to_owned())
                };
                users.get_or_load(&7, load).await.map(|value| (*value).clone())
            })
        })
        .collect();
    let began = tokio::time::Instant::now();
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap(), "loaded");
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    assert!(began.elapsed() <= millis(400), "{:?}", began.elapsed());
    let waited: u64 = nodes.iter().map(|node| count(node, names::CACHE_TURNS_AWAITED)).sum();
    assert_eq!(waited, 99);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_or_is_given_up_gives_its_turn_to_the_next() {
    // F3
    for is_given_up in [false, true] {
        let store = Held::new();
        let (one, other) = (node("a", &store).await, node("b", &store).await);
        let (here, there) = (users(&one), users(&other));
        let (mut gate, passage) = Gate::<Result<String, std::io::Error>>::new();
        let loader = tokio::spawn(async move {
            let load = async move |_: Load<String>| passage.pass().await;
            here.get_or_load(&7, load).await
        });
        gate.reached().await;
        let reader =
            tokio::spawn(
                async move { there.get_or_load(&7, Database::default().gives("own".to_owned())).await },
            );
        pass(millis(500)).await;
        assert!(!reader.is_finished(), "it waits");
        if is_given_up {
            loader.abort();
        } else {
            gate.open(Err(std::io::Error::other("the database is down")));
        }
        let began = tokio::time::Instant::now();
        assert_eq!(*reader.await.unwrap().unwrap(), "own");
        assert!(began.elapsed() <= millis(100), "given up {is_given_up}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn who_loads_for_too_long_is_not_waited_for_any_longer() {
    // F3
    let store = Held::new();
    let (one, other) = (node("a", &store).await, node("b", &store).await);
    let turn = |node: &Node| -> Cache<u64, String> {
        node.cache("users").stored_as(Raw).load_turn(seconds(2)).build().unwrap()
    };
    let (here, there) = (turn(&one), turn(&other));
    let (mut gate, passage) = Gate::new();
    let loader = tokio::spawn(async move {
        let load = async move |_: Load<String>| Ok::<_, Infallible>(passage.pass().await);
        here.get_or_load(&7, load).await.unwrap()
    });
    gate.reached().await;
    let began = tokio::time::Instant::now();
    let database = Database::default();
    assert_eq!(*there.get_or_load(&7, database.gives("own".to_owned())).await.unwrap(), "own");
    assert!((seconds(2)..=millis(2_100)).contains(&began.elapsed()), "{:?}", began.elapsed());
    // A batch has other keys to load, and waits for a tenth of a second only.
    let began = tokio::time::Instant::now();
    let (mut second, passage) = Gate::new();
    let load = {
        let there = there.clone();
        tokio::spawn(async move {
            let load = async move |_: Load<String>| Ok::<_, Infallible>(passage.pass().await);
            there.get_or_load(&8, load).await.unwrap()
        })
    };
    second.reached().await;
    let third = users(&node("c", &store).await);
    let many = async |keys: Vec<u64>, _: Load<String>| {
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, "many".to_owned())).collect())
    };
    third.get_or_load_many(&[8, 9], many).await.unwrap();
    assert!(began.elapsed() <= millis(200), "{:?}", began.elapsed());
    gate.open("late".to_owned());
    second.open("late".to_owned());
    loader.await.unwrap();
    load.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_one_node_could_not_void_no_other_node_reads() {
    // P-24: the store is down for the writer alone; the other node has nothing in memory.
    for way in 0..6 {
        let (hub, store) = (Hub::new(), Held::new());
        let cut_off = store.beside();
        let one = builder("a").backplane(hub.join("a")).store(cut_off.clone()).start().await.unwrap();
        let other = builder("b").backplane(hub.join("b")).store(store.clone()).start().await.unwrap();
        one.joined().await.unwrap();
        other.joined().await.unwrap();
        let (here, there) = (users(&one), users(&other));
        let tagged = EntryOptions::new().tag("t");
        here.get_or_load(&7, Database::default().gives("old".to_owned())).options(&tagged).await.unwrap();
        cut_off.set_down(true);
        let done = match way {
            0 => here.remove(&7).await,
            1 => here.set(7, "new".to_owned()).await,
            2 => here.remove_tag("t").await,
            3 => here.clear().await,
            4 => one.remove_tag("t").await,
            _ => one.clear().await,
        };
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Store, "way {way}");
        assert!(stored(&store, 7).await.is_some(), "way {way}");
        pass(millis(300)).await;
        let database = Database::default();
        let value = there.get_or_load(&7, database.gives("new".to_owned())).await.unwrap();
        assert_eq!((value.as_str(), database.reads()), ("new", 1), "way {way}");
        assert_eq!(
            stored(&store, 7).await.as_deref(),
            Some(&b"new"[..]),
            "way {way}: the reader voided it itself"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_store_did_not_take_is_made_good_when_it_is_back() {
    // F14
    let store = Held::new();
    let one = node("a", &store).await;
    let here = users(&one);
    for key in 0..600 {
        put(&store, key, "old").await;
    }
    let mut events = one.events();
    store.set_down(true);
    for key in 0..500 {
        here.remove(&key).await.unwrap_err();
    }
    here.remove_tag("t").await.unwrap_err();
    assert_eq!(count(&one, names::STORE_OWED), 501);
    // Twenty times as long as an entry is fresh by default.
    pass(seconds(600)).await;
    assert_eq!(count(&one, names::STORE_OWED), 501);
    store.set_down(false);
    // The breaker rests for 30 s at most, and a debt for 5 s.
    pass(seconds(36)).await;
    assert_eq!((count(&one, names::STORE_OWED), count(&one, names::STORE_RECOVERED)), (0, 501));
    for key in 0..600 {
        assert_eq!(stored(&store, key).await.is_some(), key >= 500, "key {key}");
    }
    let mut seen = Vec::new();
    while let Some(event) = events.try_recv() {
        if let Event::Store(what) = event
            && what != StoreEvent::Owed
        {
            seen.push(what);
        }
    }
    assert_eq!(seen.last(), Some(&StoreEvent::Recovered));
    assert!(seen.contains(&StoreEvent::Opened) && seen.contains(&StoreEvent::Closed), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_debt_outlives_the_process_in_a_file() {
    // F14
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("owed");
    let store = Held::new();
    let start = async || builder("a").store(store.clone()).recovery_file(&file).start().await.unwrap();
    let first = start().await;
    let here = users(&first);
    for key in [7, 8] {
        put(&store, key, "old").await;
    }
    store.set_down(true);
    here.remove(&7).await.unwrap_err();
    here.remove(&8).await.unwrap_err();
    store.set_down(false);
    // One of them is made good at once, as it is read.
    pass(seconds(2)).await;
    store.set_down(true);
    put(&store, 7, "older").await;
    here.remove(&7).await.unwrap_err();
    drop((here, first));
    settle().await;
    store.set_down(false);
    let second = start().await;
    let here = users(&second);
    let database = Database::default();
    assert_eq!(*here.get_or_load(&7, database.gives("new".to_owned())).await.unwrap(), "new");
    pass(seconds(1)).await;
    assert_eq!((count(&second, names::STORE_OWED), stored(&store, 8).await), (0, None));
    drop((here, second));
    settle().await;
    let third = start().await;
    assert_eq!(count(&third, names::STORE_OWED), 0, "what was made good is not owed again");
    std::fs::write(&file, b"something else entirely").unwrap();
    let refused = builder("b").store(store.clone()).recovery_file(&file).start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_not_asked_for_a_while() {
    // F15, P9
    let store = Held::new();
    let breaker = StoreBreaker::after(3).rest(seconds(10));
    let one = builder("a").store(store.clone()).store_breaker(breaker).start().await.unwrap();
    let here = users(&one);
    let asks = async |key: u64| {
        let before = *store.gets.lock().unwrap();
        here.get_or_load(&key, Database::default().gives("loaded".to_owned())).await.unwrap();
        *store.gets.lock().unwrap() - before
    };
    store.set_down(true);
    for key in 0..3 {
        asks(key).await;
    }
    assert_eq!(count(&one, names::STORE_BREAKER_OPEN), 1);
    for key in 10..20 {
        assert_eq!(asks(key).await, 0, "nobody asks it");
    }
    here.remove(&1).await.unwrap_err();
    store.set_down(false);
    asks(20).await;
    assert_eq!(stored(&store, 20).await, None, "it rests still");
    pass(seconds(10)).await;
    asks(21).await;
    assert_eq!(count(&one, names::STORE_BREAKER_OPEN), 0);
    asks(22).await;
    assert_eq!(stored(&store, 22).await.as_deref(), Some(&b"loaded"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_load_may_leave_the_filling_of_the_store_to_the_background() {
    // F18
    for (fills, waits) in [(StoreFills::Awaited, true), (StoreFills::InBackground, false)] {
        let store = Held::new();
        let one = node("a", &store).await;
        let here: Cache<u64, String> =
            one.cache("users").stored_as(Raw).store_timeout(seconds(2)).store_fills(fills).build().unwrap();
        store.set_slow(seconds(1));
        let began = tokio::time::Instant::now();
        here.get_or_load(&7, Database::default().gives("loaded".to_owned())).await.unwrap();
        assert_eq!(began.elapsed() >= seconds(1), waits, "{fills:?}: {:?}", began.elapsed());
        pass(seconds(2)).await;
        assert!(stored(&store, 7).await.is_some(), "{fills:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_something_stale_a_read_waits_for_the_store_only_softly() {
    // F18
    let store = Held::new();
    let one = node("a", &store).await;
    let here: Cache<u64, String> = one
        .cache("users")
        .time_to_live(seconds(1))
        .fail_safe(FailSafe::for_at_most(HOUR))
        .stored_as(Raw)
        .store_timeout(seconds(5))
        .store_soft_timeout(millis(200))
        .build()
        .unwrap();
    let reads = async |key: u64| {
        let _gate = store.hold();
        let began = tokio::time::Instant::now();
        here.get_or_load(&key, Database::default().gives("loaded".to_owned())).await.unwrap();
        began.elapsed()
    };
    assert_eq!(reads(7).await, seconds(5), "with nothing to go on with");
    pass(seconds(2)).await;
    assert_eq!(reads(7).await, millis(200));
}

#[tokio::test(start_paused = true)]
async fn the_store_keeps_stale_values_for_a_time_of_its_own() {
    // F12
    let store = Held::new();
    let one = node("a", &store).await;
    let here: Cache<u64, String> = one
        .cache("users")
        .time_to_live(seconds(10))
        .fail_safe(FailSafe::for_at_most(seconds(20)))
        .store_fail_safe(seconds(300))
        .stored_as(Raw)
        .build()
        .unwrap();
    here.get_or_load(&7, Database::default().gives("loaded".to_owned())).await.unwrap();
    pass(seconds(60)).await;
    assert!(stored(&store, 7).await.is_some());
    pass(seconds(300)).await;
    assert_eq!(stored(&store, 7).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_batch_may_leave_out_a_level() {
    // F17
    let store = Held::new();
    let one = node("a", &store).await;
    let here = users(&one);
    let values = |value: &str| [7, 8].map(|key| (key, value.to_owned()));
    let unwritten = EntryOptions::new().skip(Skip::StoreWrite);
    let _receipt = here.set_many_with(values("memory"), &unwritten).await.unwrap();
    assert_eq!((here.len(), stored(&store, 7).await), (2, None));
    let only_store = EntryOptions::new().skip(Skip::MemoryWrite);
    let _receipt = here.set_many_with(values("store"), &only_store).await.unwrap();
    assert!(here.get(&7).is_none());
    assert_eq!(stored(&store, 8).await.as_deref(), Some(&b"store"[..]));
    let load = async |keys: Vec<u64>, _: Load<String>| {
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, "loaded".to_owned())).collect())
    };
    let unread = EntryOptions::new().skip(Skip::StoreRead).skip(Skip::StoreWrite);
    let read = here.get_or_load_many(&[7, 8], load).options(&unread).await.unwrap();
    assert_eq!(read[0].as_deref().map(String::as_str), Some("loaded"));
    assert_eq!(stored(&store, 7).await.as_deref(), Some(&b"store"[..]));
}

/// Two nodes by ways of their own to one store, and their caches; breakers never open.
async fn apart(store: &Held) -> (Node, Node, Held, Held) {
    let (hub, ways) = (Hub::new(), [store.beside(), store.beside()]);
    let mut nodes = Vec::new();
    for (name, way) in ["a", "b"].into_iter().zip(&ways) {
        let node = builder(name).backplane(hub.join(name)).store(way.clone());
        nodes.push(node.store_breaker(StoreBreaker::off()).start().await.unwrap());
    }
    let [one, other] = <[Node; 2]>::try_from(nodes).unwrap();
    one.joined().await.unwrap();
    other.joined().await.unwrap();
    let [here, there] = ways;
    (one, other, here, there)
}

#[tokio::test(start_paused = true)]
async fn what_other_nodes_owe_is_not_counted_here_and_what_was_owed_is_told_when_it_is_made_good() {
    // F14
    let store = Held::new();
    let (one, other, way_of_one, way_of_other) = apart(&store).await;
    let (here, there) = (users(&one), users(&other));
    let mut events = one.events();
    way_of_one.set_down(true);
    way_of_other.set_down(true);
    here.remove(&7).await.unwrap_err();
    there.remove(&8).await.unwrap_err();
    pass(millis(300)).await;
    assert_eq!((count(&one, names::STORE_OWED), count(&other, names::STORE_OWED)), (1, 1));
    way_of_one.set_down(false);
    pass(seconds(36)).await;
    assert_eq!((count(&one, names::STORE_OWED), count(&other, names::STORE_OWED)), (0, 1));
    let mut seen = Vec::new();
    while let Some(event) = events.try_recv() {
        if let Event::Store(what) = event {
            seen.push(what);
        }
    }
    assert_eq!(seen, [StoreEvent::Owed, StoreEvent::Recovered]);
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_is_made_good_within_the_time_that_a_read_has_and_keys_together() {
    // F18, P-24
    let store = Held::new();
    let (one, other, way_of_one, way_of_other) = apart(&store).await;
    let here = users(&one);
    let there: Cache<u64, String> = other
        .cache("users")
        .time_to_live(HOUR)
        .fail_safe(FailSafe::for_at_most(HOUR))
        .stored_as(Raw)
        .store_timeout(seconds(5))
        .store_soft_timeout(millis(200))
        .build()
        .unwrap();
    there.get_or_load(&0, Database::default().gives("old".to_owned())).await.unwrap();
    way_of_one.set_down(true);
    here.expire(&0).await.unwrap_err();
    for key in 1..10 {
        here.remove(&key).await.unwrap_err();
    }
    pass(millis(300)).await;
    way_of_other.set_slow(seconds(1));
    let began = tokio::time::Instant::now();
    let value = there.get_or_load(&0, Database::default().gives("new".to_owned())).await.unwrap();
    assert_eq!((value.as_str(), began.elapsed()), ("new", millis(200)), "there is something stale");
    let unwritten = EntryOptions::new().skip(Skip::StoreWrite);
    let load = async |keys: Vec<u64>, _: Load<String>| {
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, "loaded".to_owned())).collect())
    };
    let began = tokio::time::Instant::now();
    there.get_or_load_many(&[1, 2, 3, 4, 5, 6, 7, 8, 9], load).options(&unwritten).await.unwrap();
    assert_eq!(began.elapsed(), seconds(1), "one removal for all of them");
    here.remove(&1).await.unwrap_err();
    here.remove_tag("t").await.unwrap_err();
    pass(millis(300)).await;
    way_of_other.set_slow(seconds(3));
    let began = tokio::time::Instant::now();
    let load = Database::default().gives("loaded".to_owned());
    there.get_or_load(&1, load).options(&unwritten).await.unwrap();
    assert_eq!(began.elapsed(), seconds(5), "both of them have the time that one read has");
}
