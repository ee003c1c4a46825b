//! The second level: two nodes that share a store.

use std::convert::Infallible;

use bytes::Bytes;
use unstale::metrics::names;
use unstale::{Cache, EntryOptions, ErrorKind, FailSafe, Json, Load, Node, Raw, Skip, Value};
use unstale_port::memory::Hub;
use unstale_port::{Condition, Intent, Record, Store};

use crate::gate::Gate;
use crate::held::Held;
use crate::world::{Database, HOUR, applied, builder, millis, pass, seconds, settle};

/// Two nodes over one store that tests can hold up and break.
struct World {
    hub: Hub,
    one: Node,
    other: Node,
    here: Cache<u64, String>,
    there: Cache<u64, String>,
    store: Held,
}

impl World {
    async fn new() -> Self {
        let (hub, store) = (Hub::new(), Held::new());
        let start = async |name: &str| {
            builder(name).backplane(hub.join(name)).store(store.clone()).start().await.unwrap()
        };
        let (one, other) = (start("a").await, start("b").await);
        one.joined().await.unwrap();
        other.joined().await.unwrap();
        let cache = |node: &Node| {
            let cache = node.cache("users").time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR));
            cache.stored_as(Raw).store_timeout(seconds(5)).build().unwrap()
        };
        let (here, there) = (cache(&one), cache(&other));
        Self { hub, one, other, here, there, store }
    }

    /// Has the first node load `value`, which puts it in the store.
    async fn loads_here(&self, value: &str) {
        let value = self.here.get_or_load(&7, Database::default().gives(value.to_owned())).await.unwrap();
        assert!(self.here.get(&7).is_some(), "{value:?}");
    }

    /// What the second node has if it asks, and whether it asked its loader.
    async fn asks_there(&self) -> (String, bool) {
        let database = Database::default();
        let value = self.there.get_or_load(&7, database.gives("new".to_owned())).await.unwrap();
        ((*value).clone(), database.reads() == 1)
    }
}

fn calls(node: &Node, outcome: &str) -> u64 {
    node.metrics().total(names::CACHE_STORE_CALLS, &[(names::OUTCOME, outcome)]) as u64
}

#[tokio::test(start_paused = true)]
async fn what_one_node_loaded_the_other_finds_in_the_store() {
    // F1
    let world = World::new().await;
    world.loads_here("loaded").await;
    assert_eq!((calls(&world.one, "miss"), calls(&world.one, "stored")), (1, 1));
    assert_eq!(world.asks_there().await, ("loaded".to_owned(), false));
    assert_eq!(calls(&world.other, "hit"), 1);
    assert!(world.there.get(&7).is_some(), "it is in memory now");
}

#[tokio::test(start_paused = true)]
async fn what_one_node_set_the_other_finds_in_the_store() {
    // F1
    let world = World::new().await;
    world.there.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let receipt = world.here.set(7, "set".to_owned()).await.unwrap();
    applied(&world.other, receipt.session()).await;
    assert_eq!(world.asks_there().await, ("set".to_owned(), false));
    let receipt = world.here.set_many([(7, "again".to_owned()), (8, "too".to_owned())]).await.unwrap();
    applied(&world.other, receipt.session()).await;
    assert_eq!(world.asks_there().await, ("again".to_owned(), false));
}

#[tokio::test(start_paused = true)]
async fn a_set_that_the_store_takes_for_older_ends_what_is_there() {
    // P1: the clock of another node is ahead, so what it put there has a later stamp than what is set now.
    let world = World::new().await;
    let record = Record {
        value: Some(Bytes::from_static(b"old")),
        stamp: u64::MAX,
        fresh_for: HOUR,
        keep_for: HOUR,
        tags: Vec::new(),
        version: None,
        etag: None,
        last_modified: None,
    };
    let key = Bytes::copy_from_slice(&7_u64.to_be_bytes());
    world.store.put("users", key, record, Condition::Newer).await.unwrap();
    let _receipt = world.here.set(7, "set".to_owned()).await.unwrap();
    assert_eq!(world.asks_there().await, ("new".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn an_act_ends_what_the_store_holds_before_any_node_is_told() {
    // P-24, F11: the other node has not heard of the act, and its memory is empty.
    for way in 0..8 {
        let world = World::new().await;
        let tagged = EntryOptions::new().tag("t");
        let load = Database::default().gives("old".to_owned());
        world.here.get_or_load(&7, load).options(&tagged).await.unwrap();
        world.hub.hold("a", "b");
        let _receipt = match way {
            0 => world.here.remove(&7).await,
            1 => world.here.remove_many(&[7]).await,
            2 => world.here.expire(&7).await,
            3 => world.here.remove_tag("t").await,
            4 => world.here.expire_tag("t").await,
            5 => world.here.clear().await,
            6 => world.one.remove_tag("t").await,
            _ => world.one.clear().await,
        }
        .unwrap();
        assert_eq!(world.asks_there().await, ("new".to_owned(), true), "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_from_the_store_before_a_removal_is_not_kept() {
    // P1: a value that the store itself served in time, and that comes late.
    let world = World::new().await;
    world.loads_here("old").await;
    let mut gate = world.store.hold();
    let reader = {
        let there = world.there.clone();
        tokio::spawn(async move { there.get_or_load(&7, Database::default().gives("own".to_owned())).await })
    };
    gate.reached().await;
    let receipt = world.here.remove(&7).await.unwrap();
    applied(&world.other, receipt.session()).await;
    let (value, was_loaded) = world.asks_there().await;
    assert_eq!((value.as_str(), was_loaded), ("new", true), "who comes after it joins no flight from before");
    let _receipt = world.there.clear().await.unwrap();
    gate.open(());
    // Who asked before it has its own loader left, so it loads.
    assert_eq!(*reader.await.unwrap().unwrap(), "own");
    assert_eq!(world.there.get(&7).as_deref().map(String::as_str), Some("own"));
}

#[tokio::test(start_paused = true)]
async fn a_fill_of_the_store_that_a_removal_overtook_is_refused() {
    // Mechanism 7: the lease. The loading node has not even heard of the removal.
    let world = World::new().await;
    let (mut gate, passage) = Gate::new();
    let loader = {
        let here = world.here.clone();
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { here.get_or_load(&7, load).await.unwrap() })
    };
    gate.reached().await;
    world.hub.hold("b", "a");
    let _receipt = world.there.remove(&7).await.unwrap();
    gate.open("old".to_owned());
    loader.await.unwrap();
    assert_eq!(calls(&world.one, "refused"), 1);
    assert_eq!(world.asks_there().await, ("new".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn values_live_apart_on_both_levels() {
    // F12
    let world = World::new().await;
    let apart = EntryOptions::new().time_to_live(seconds(2)).store_time_to_live(seconds(20));
    let database = Database::default();
    world.here.get_or_load(&7, database.gives("loaded".to_owned())).options(&apart).await.unwrap();
    pass(seconds(3)).await;
    assert!(world.here.get(&7).is_none(), "memory");
    world.here.get_or_load(&7, database.gives("again".to_owned())).options(&apart).await.unwrap();
    assert_eq!(database.reads(), 1, "the store");
    pass(seconds(16)).await;
    // 1 s is left in the store: that is how long it lives in memory, whatever memory's own time.
    let long = EntryOptions::new().time_to_live(HOUR);
    world.here.get_or_load(&7, database.gives("again".to_owned())).options(&long).await.unwrap();
    assert!(world.here.get(&7).is_some());
    pass(millis(1_100)).await;
    assert!(world.here.get(&7).is_none());
    assert_eq!(database.reads(), 1);
    world.here.get_or_load(&7, database.gives("again".to_owned())).await.unwrap();
    assert_eq!(database.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_is_shared_too() {
    // F13
    let world = World::new().await;
    let none = async |_| Ok::<Option<String>, Infallible>(None);
    assert!(world.here.find_or_load(&7, none).await.unwrap().is_none());
    let database = Database::default();
    let found = world.there.find_or_load(&7, database.gives("new".to_owned())).await.unwrap();
    assert!(found.is_none());
    assert_eq!(database.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_store_can_be_left_out_for_reading_and_for_writing() {
    // F17
    let world = World::new().await;
    let database = Database::default();
    let unwritten = EntryOptions::new().skip(Skip::StoreWrite);
    world.here.get_or_load(&7, database.gives("a".to_owned())).options(&unwritten).await.unwrap();
    assert_eq!(calls(&world.one, "stored"), 0);
    let _receipt = world.here.set(7, "b".to_owned()).await.unwrap();
    let unread = EntryOptions::new().skip(Skip::StoreRead);
    let load = database.gives("c".to_owned());
    assert_eq!(*world.there.get_or_load(&7, load).options(&unread).await.unwrap(), "c");
    assert_eq!(database.reads(), 2);
    // A set that leaves out the store ends what is there all the same.
    let _receipt = world.here.set_with(7, "d".to_owned(), &unwritten).await.unwrap();
    let _receipt = world.there.clear().await.unwrap();
    assert_eq!(world.asks_there().await, ("new".to_owned(), true));
    // A cache without a codec does not use the store at all.
    let plain: Cache<u64, String> = world.one.cache("plain").build().unwrap();
    let gets = *world.store.gets.lock().unwrap();
    plain.get_or_load(&7, database.gives("x".to_owned())).await.unwrap();
    assert_eq!(*world.store.gets.lock().unwrap(), gets);
}

#[tokio::test(start_paused = true)]
async fn memory_can_be_left_out_and_the_store_used() {
    // F17
    let world = World::new().await;
    let database = Database::default();
    let only_store = EntryOptions::new().skip(Skip::MemoryRead).skip(Skip::MemoryWrite);
    for _ in 0..3 {
        world.here.get_or_load(&7, database.gives("a".to_owned())).options(&only_store).await.unwrap();
    }
    assert_eq!(database.reads(), 1);
    assert!(world.here.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_of_the_store_stands_in_for_a_failed_load() {
    // F4 on the second level: this node never had it in memory.
    let world = World::new().await;
    world.loads_here("old").await;
    let _receipt = world.here.expire(&7).await.unwrap();
    let database = Database::default();
    let read = world.there.get_or_load(&7, database.fails()).at(world.other.now()).await.unwrap();
    assert_eq!((read.as_str(), read.served()), ("old", unstale::Served::Stale));
    // It is in memory now, as stale, and the throttle holds.
    assert_eq!(*world.there.get_or_load(&7, database.fails()).await.unwrap(), "old");
    assert_eq!(database.reads(), 1);
    // What was removed is not there.
    let receipt = world.here.remove(&7).await.unwrap();
    applied(&world.other, receipt.session()).await;
    world.there.get_or_load(&7, database.fails()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn without_its_store_a_cache_goes_on_and_says_so() {
    // P9, P10
    let world = World::new().await;
    world.store.set_down(true);
    world.loads_here("loaded").await;
    assert_eq!(calls(&world.one, "failed"), 1, "the read; without a lease there is no fill");
    let error = world.here.remove(&7).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(
        error.to_string(),
        "remove: cache users: the store did not take the act; memory did, on every node"
    );
    assert!(world.here.get(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_up_a_read_for_its_timeout_only() {
    // P9
    let world = World::new().await;
    let _gate = world.store.hold();
    let began = tokio::time::Instant::now();
    assert_eq!(world.asks_there().await, ("new".to_owned(), true));
    assert_eq!(began.elapsed(), seconds(5));
    assert_eq!(calls(&world.other, "failed"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_could_not_be_told_is_not_read_from_it_until_it_was() {
    // P2 through a failure of the store
    for way in 0..4 {
        let world = World::new().await;
        let tagged = EntryOptions::new().tag("t");
        let load = Database::default().gives("old".to_owned());
        world.here.get_or_load(&7, load).options(&tagged).await.unwrap();
        world.store.set_down(true);
        let receipt = match way {
            0 => world.here.remove(&7).await,
            1 => world.here.set(7, "new".to_owned()).await,
            2 => world.here.remove_tag("t").await,
            _ => world.here.clear().await,
        };
        assert_eq!(receipt.unwrap_err().kind(), ErrorKind::Store, "way {way}");
        // It is back, with the old value in it.
        world.store.set_down(false);
        let database = Database::default();
        let fresh = EntryOptions::new().skip(Skip::MemoryRead);
        let value =
            world.here.get_or_load(&7, database.gives("new".to_owned())).options(&fresh).await.unwrap();
        assert_eq!((value.as_str(), database.reads()), ("new", 1), "way {way}");
        assert_eq!(
            world.asks_there().await,
            ("new".to_owned(), false),
            "way {way}: the store was told, and filled"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_from_other_values_is_not_put_in_the_store() {
    // Nobody could end it there when what it was made from changes.
    let world = World::new().await;
    let names: Cache<u64, String> = world.one.cache("names").build().unwrap();
    let names_in_load = names.clone();
    let page = async move |_| {
        let name = names_in_load.get_or_load(&7, Database::default().gives("Ada".to_owned())).await?;
        Ok::<_, unstale::Error>((*name).clone())
    };
    world.here.get_or_load(&7, page).await.unwrap();
    assert_eq!(calls(&world.one, "stored"), 0);
    assert_eq!(world.asks_there().await, ("new".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn tags_and_validators_travel_through_the_store() {
    // F10, F11
    let world = World::new().await;
    let load = async |load: Load<String>| {
        load.tag("t");
        load.etag("\"v1\"");
        load.version(3);
        Ok::<_, Infallible>("loaded".to_owned())
    };
    world.here.get_or_load(&7, load).await.unwrap();
    let value = world.there.get_or_load(&7, Database::default().gives("own".to_owned())).await.unwrap();
    assert_eq!((value.as_str(), Value::etag(&value)), ("loaded", Some("\"v1\"")));
    let older = EntryOptions::new().version(2);
    let _receipt = world.there.set_with(7, "older".to_owned(), &older).await.unwrap();
    assert_eq!(world.there.get(&7).as_deref().map(String::as_str), Some("loaded"));
    let _receipt = world.there.remove_tag("t").await.unwrap();
    assert!(world.there.get(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_eager_refresh_takes_what_another_node_loaded_already() {
    // F7
    let world = World::new().await;
    let short = EntryOptions::new().time_to_live(seconds(10)).eager_refresh(0.5);
    let database = Database::default();
    world.here.get_or_load(&7, database.gives("old".to_owned())).options(&short).await.unwrap();
    world.there.get_or_load(&7, database.gives("own".to_owned())).options(&short).await.unwrap();
    pass(seconds(6)).await;
    // Both are due. The first one loads, the second one finds that in the store.
    world.here.get_or_load(&7, database.gives("new".to_owned())).options(&short).await.unwrap();
    settle().await;
    world.there.get_or_load(&7, database.gives("newer".to_owned())).options(&short).await.unwrap();
    settle().await;
    assert_eq!(world.there.get(&7).as_deref().map(String::as_str), Some("new"));
    assert_eq!(database.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_read_from_the_store_at_once() {
    // F21
    let world = World::new().await;
    let _receipt = world.here.set_many((0..5).map(|key| (key, format!("set {key}")))).await.unwrap();
    let gets = *world.store.gets.lock().unwrap();
    let rest = async |keys: Vec<u64>, _load: Load<String>| {
        assert_eq!(keys, [5, 6]);
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, format!("loaded {key}"))).collect())
    };
    let found = world.there.get_or_load_many(&[0, 1, 5, 6], rest).await.unwrap();
    assert_eq!(found[1].as_deref().unwrap(), "set 1");
    assert_eq!(found[3].as_deref().unwrap(), "loaded 6");
    assert_eq!(*world.store.gets.lock().unwrap(), gets + 1);
    assert_eq!(calls(&world.other, "stored"), 2);
}

#[tokio::test(start_paused = true)]
async fn bytes_in_the_store_that_are_no_value_are_loaded_over() {
    let world = World::new().await;
    let numbers: Cache<u64, Vec<u32>> = world.one.cache("numbers").stored_as(Json).build().unwrap();
    let record = Record {
        value: Some(Bytes::from_static(b"[1,")),
        stamp: 1,
        fresh_for: HOUR,
        keep_for: HOUR,
        tags: Vec::new(),
        version: None,
        etag: None,
        last_modified: None,
    };
    let key = Bytes::copy_from_slice(&7_u64.to_be_bytes());
    world.store.put("numbers", key, record, Condition::Newer).await.unwrap();
    let value = numbers.get_or_load(&7, Database::default().gives(vec![1, 2])).await.unwrap();
    assert_eq!(*value, [1, 2]);
    assert_eq!(calls(&world.one, "failed"), 1);
    let _receipt = numbers.remove(&8).await.unwrap();
    let elsewhere: Cache<u64, Vec<u32>> = world.other.cache("numbers").stored_as(Json).build().unwrap();
    let value = elsewhere.get_or_load(&7, Database::default().gives(vec![])).await.unwrap();
    assert_eq!(*value, [1, 2], "the good value took its place");
}

#[tokio::test(start_paused = true)]
async fn keys_in_the_store_can_have_a_prefix() {
    // F12
    let world = World::new().await;
    let prefixed: Cache<u64, String> =
        world.one.cache("orders").stored_as(Raw).key_prefix("app:").build().unwrap();
    prefixed.get_or_load(&7, Database::default().gives("a".to_owned())).await.unwrap();
    let key = Bytes::from([&b"app:"[..], &7_u64.to_be_bytes()].concat());
    let found = world.store.inner.get("orders", &[key], Intent::Read).await.unwrap();
    assert_eq!(found[0].record.as_ref().unwrap().value.as_deref(), Some(&b"a"[..]));
    let _receipt = prefixed.remove(&7).await.unwrap();
    prefixed.get_or_load(&7, Database::default().gives("b".to_owned())).await.unwrap();
    assert_eq!(prefixed.get(&7).as_deref().map(String::as_str), Some("b"));
}
