//! Caches that programs of others write too (P-8).

use std::sync::Arc;

use unstale::metrics::names;
use unstale::{
    Cache, CacheBuilder, CacheEvent, Error, ErrorKind, Event, FailSafe, Freshness, Json, Lookup, Node,
    Receipt, Served,
};
use unstale_port::memory::{MemoryStore, Strangers};
use unstale_port::{Foreign, ForeignAct, ForeignFeed, ForeignHeard, Intent, ProcessBytes, Store};

use crate::gate::Gate;
use crate::held::Held;
use crate::world::{Database, HOUR, alone, applied, builder, millis, pair, pass, seconds, settle, total};

async fn shared_with(strangers: &Strangers, node: &Node) -> Cache<String, String> {
    let cache = node.cache("things").time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR));
    let cache = cache.stored_as(Json).key_prefix("p:").foreign(strangers.clone()).build().unwrap();
    settle().await;
    cache
}

fn act(act: ForeignAct) -> ForeignHeard {
    ForeignHeard::Act { act, process: None }
}

async fn read(cache: &Cache<String, String>, key: &str, database: &Database, row: &str) -> String {
    cache.get_or_load(key, database.gives(row.to_owned())).await.unwrap().to_string()
}

#[tokio::test(start_paused = true)]
async fn what_strangers_do_ends_what_is_cached_as_any_act_does() {
    let (strangers, node, database) =
        (Strangers::new(MemoryStore::new()), alone().await, Database::default());
    let cache = shared_with(&strangers, &node).await;
    strangers.say(&ForeignHeard::Began);
    cache.until_heard().await;
    let tagged = unstale::EntryOptions::new().tag("t").skip(unstale::Skip::StoreRead);
    for said in [
        ForeignAct::Remove("p:a".into()),
        ForeignAct::Expire("p:a".into()),
        ForeignAct::ExpireTag("t".into()),
        ForeignAct::Clear,
        ForeignAct::ExpireAll,
    ] {
        cache.get_or_load("a", database.gives("old".to_owned())).options(&tagged).await.unwrap();
        strangers.say(&act(ForeignAct::Remove("of another prefix".into())));
        settle().await;
        assert!(cache.get("a").is_some(), "{said:?} of something else");
        let leaves_it_for_fail_safe = !matches!(said, ForeignAct::Remove(_) | ForeignAct::Clear);
        strangers.say(&act(said.clone()));
        settle().await;
        assert_eq!(matches!(cache.lookup("a"), Lookup::Stale(_)), leaves_it_for_fail_safe, "{said:?}");
        assert!(cache.get("a").is_none(), "{said:?}");
    }
    assert_eq!(node.metrics().count(names::CACHE_FOREIGN_ACTS, &[]), 5);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_a_stranger_overtook_is_not_kept() {
    let (strangers, node) = (Strangers::new(MemoryStore::new()), alone().await);
    let cache = shared_with(&strangers, &node).await;
    strangers.say(&ForeignHeard::Began);
    cache.until_heard().await;
    let (mut gate, passage) = Gate::new();
    let load =
        async move |_: unstale::Load<String>| Ok::<String, std::convert::Infallible>(passage.pass().await);
    let reader = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get_or_load("a", load).await.unwrap().to_string() })
    };
    gate.reached().await;
    strangers.say(&act(ForeignAct::Expire("p:a".into())));
    settle().await;
    gate.open("old".to_owned());
    assert_eq!(reader.await.unwrap(), "old", "it asked before");
    assert!(cache.get("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_but_what_is_young_is_proven_and_the_answer_says_why() {
    let (strangers, (node, _other)) = (Strangers::new(MemoryStore::new()), pair().await);
    let (cache, database) = (shared_with(&strangers, &node).await, Database::default());
    strangers.say(&ForeignHeard::Began);
    cache.until_heard().await;
    read(&cache, "a", &database, "row").await;
    let within = Freshness::within(millis(250)).or_wait();
    pass(millis(100)).await;
    let young = cache.get_within("a", node.now(), millis(250)).expect("young");
    assert!(young.proven() && !young.has_foreign_writer());
    pass(seconds(1)).await;
    assert!(cache.get_within("a", node.now(), millis(250)).is_none(), "old, and beyond proof");
    let flagged = cache.get_or_load("a", database.gives("new".to_owned())).freshness(within.or_flag());
    let flagged = flagged.await.unwrap();
    assert!(!flagged.proven() && flagged.has_foreign_writer() && flagged.proof_age().is_none());
    let plain = cache.get_or_load("a", database.gives("new".to_owned())).at(node.now()).await.unwrap();
    assert!(!plain.proven() && plain.has_foreign_writer());
    let refused = cache.get_or_load("a", database.gives("new".to_owned())).freshness(within.or_error());
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::NotProven);
    let loaded = cache.get_or_load("a", database.gives("new".to_owned())).freshness(within).await.unwrap();
    assert_eq!((loaded.as_str(), loaded.served(), loaded.proven()), ("new", Served::Bypass, true));
    assert_eq!(total(&node, names::CACHE_BYPASSES, "foreign-writer"), 1);
    let keys = ["a".to_owned()];
    let many = cache.get_or_load_many(&keys, async |_: Vec<String>, _: unstale::Load<String>| {
        Ok::<_, std::convert::Infallible>(vec![("a".to_owned(), "newer".to_owned())])
    });
    pass(seconds(1)).await;
    let many = many.freshness(within.or_flag()).await.unwrap();
    assert!(many.iter().all(unstale::Read::has_foreign_writer));
}

#[tokio::test(start_paused = true)]
async fn while_strangers_are_not_heard_everything_is_revalidated() {
    let (strangers, node, database) =
        (Strangers::new(MemoryStore::new()), alone().await, Database::default());
    let mut events = node.events();
    let cache = shared_with(&strangers, &node).await;
    read(&cache, "a", &database, "before").await;
    strangers.say(&ForeignHeard::Began);
    cache.until_heard().await;
    assert!(matches!(cache.lookup("a"), Lookup::Suspect(_)), "loaded before they were heard");
    let load = database.gives("heard".to_owned());
    cache.get_or_load("b", load).await.unwrap();
    pass(seconds(60)).await;
    assert!(cache.get("b").is_some(), "as long as they are heard it is trusted");
    strangers.say(&ForeignHeard::Lost("cut".to_owned()));
    settle().await;
    assert!(matches!(cache.lookup("b"), Lookup::Suspect(_)), "at once");
    cache.get_or_load("c", database.gives("meanwhile".to_owned())).await.unwrap();
    assert!(cache.get("c").is_some());
    pass(millis(300)).await;
    assert!(cache.get("c").is_none(), "what is loaded meanwhile is trusted for 250 ms");
    cache.get_or_load("d", database.gives("at last".to_owned())).await.unwrap();
    strangers.say(&ForeignHeard::Began);
    cache.until_heard().await;
    settle().await;
    assert!(cache.get("d").is_none(), "it was loaded while acts were missed");
    assert_eq!(node.metrics().count(names::CACHE_FOREIGN_LOSSES, &[]), 1);
    let mut said = Vec::new();
    while let Some(event) = events.try_recv() {
        if let Event::Cache { what: what @ (CacheEvent::ForeignHeard | CacheEvent::ForeignLost), .. } = event
        {
            said.push(what);
        }
    }
    assert_eq!(said, [CacheEvent::ForeignHeard, CacheEvent::ForeignLost, CacheEvent::ForeignHeard]);
}

#[tokio::test(start_paused = true)]
async fn what_a_member_says_through_the_strangers_is_left_to_its_stream() {
    let (strangers, (node, other)) = (Strangers::new(MemoryStore::new()), pair().await);
    let (cache, database) = (shared_with(&strangers, &node).await, Database::default());
    strangers.say(&ForeignHeard::Began);
    cache.until_heard().await;
    pass(seconds(1)).await;
    let process = |stream: unstale::Stream| Some(stream.process.0.to_be_bytes());
    let of = |process| ForeignHeard::Act { act: ForeignAct::Remove("p:a".into()), process };
    read(&cache, "a", &database, "row").await;
    for tracked in [process(node.status().stream), process(other.status().stream)] {
        strangers.say(&of(tracked));
        settle().await;
        assert!(cache.get("a").is_some(), "it comes with its number");
    }
    strangers.say(&of(Some([9; 16])));
    settle().await;
    assert!(cache.get("a").is_none(), "of a node that is no member here");
    let there: Cache<String, String> = other.cache("things").build().unwrap();
    read(&cache, "a", &database, "row").await;
    let receipt = there.remove("a").await.unwrap();
    applied(&node, receipt.session()).await;
    assert!(cache.get("a").is_none(), "its own stream says so");
}

/// Strangers by a way of a node's own to their store, which tests break; and what a cache is built with there.
#[derive(Clone)]
struct Reached {
    strangers: Strangers,
    store: Held,
}

impl Reached {
    fn new() -> Self {
        Self { strangers: Strangers::new(MemoryStore::new()), store: Held::new() }
    }

    async fn cache(&self, node: &Node) -> Cache<String, String> {
        self.cache_with(node, |builder| builder).await
    }

    async fn cache_with(
        &self,
        node: &Node,
        adapt: impl FnOnce(CacheBuilder<String, String>) -> CacheBuilder<String, String>,
    ) -> Cache<String, String> {
        let cache = node.cache("things").time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR));
        let cache = adapt(cache.stored_as(Json).foreign(self.clone())).build().unwrap();
        settle().await;
        self.strangers.say(&ForeignHeard::Began);
        cache.until_heard().await;
        cache
    }

    /// What the strangers find under a key.
    async fn has(&self, key: &'static str) -> bool {
        let found = self.store.inner.get("things", &[key.into()], Intent::Read).await.unwrap();
        found[0].record.is_some()
    }
}

impl Foreign for Reached {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn feed(&self, process: ProcessBytes) -> Box<dyn ForeignFeed> {
        self.strangers.feed(process)
    }
}

/// Acts on every cache of every node.
async fn act_on_all(node: &Node, way: u32) -> Result<Receipt, Error> {
    match way {
        0 => node.remove_tag("t").await,
        1 => node.expire_tag("t").await,
        _ => node.clear().await,
    }
}

#[tokio::test(start_paused = true)]
async fn an_act_on_every_cache_ends_what_the_store_of_strangers_holds() {
    // P-24
    let tagged = unstale::EntryOptions::new().tag("t");
    for way in 0..3 {
        let (reached, node) = (Reached::new(), builder("a").store(MemoryStore::new()).start().await.unwrap());
        let (cache, database) = (reached.cache(&node).await, Database::default());
        cache.get_or_load("a", database.gives("old".to_owned())).options(&tagged).await.unwrap();
        assert!(reached.has("a").await, "way {way}");
        let _receipt = act_on_all(&node, way).await.unwrap();
        assert!(!reached.has("a").await, "way {way}: when it returns");
        assert_eq!(read(&cache, "a", &database, "new").await, "new", "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_store_of_strangers_did_not_take_of_such_an_act_is_owed_to_it() {
    // P-24, F14
    let tagged = unstale::EntryOptions::new().tag("t");
    for way in 0..3 {
        let (reached, node) = (Reached::new(), builder("a").store(MemoryStore::new()).start().await.unwrap());
        let (cache, database) = (reached.cache(&node).await, Database::default());
        cache.get_or_load("a", database.gives("old".to_owned())).options(&tagged).await.unwrap();
        reached.store.set_down(true);
        assert_eq!(act_on_all(&node, way).await.unwrap_err().kind(), ErrorKind::Store, "way {way}");
        let owed = |labels: &[(&str, &str)]| node.metrics().count(names::STORE_OWED, labels);
        assert_eq!((owed(&[]), owed(&[(names::CACHE, "things")])), (1, 1), "way {way}: to that store alone");
        reached.store.set_down(false);
        assert_eq!(read(&cache, "a", &database, "new").await, "new", "way {way}");
        assert_eq!(owed(&[]), 0, "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_act_of_a_node_without_the_cache_reaches_the_strangers_through_one_that_has_it() {
    // P-24: whoever acts on every cache does not know of this one.
    let tagged = unstale::EntryOptions::new().tag("t");
    for way in 0..3 {
        let (reached, (node, other)) = (Reached::new(), pair().await);
        let (cache, database) = (reached.cache(&node).await, Database::default());
        cache.get_or_load("a", database.gives("old".to_owned())).options(&tagged).await.unwrap();
        assert!(reached.has("a").await, "way {way}");
        let receipt = act_on_all(&other, way).await.unwrap();
        applied(&node, receipt.session()).await;
        assert_eq!(read(&cache, "a", &database, "new").await, "new", "way {way}");
        // Also if nobody reads: the strangers serve what is there.
        let tagged = unstale::EntryOptions::new().tag("t");
        cache.get_or_load("b", database.gives("old".to_owned())).options(&tagged).await.unwrap();
        let _receipt = act_on_all(&other, way).await.unwrap();
        pass(seconds(1)).await;
        assert!(!reached.has("b").await, "way {way}");
        let events = node.metrics().count(names::STORE_RECOVERED, &[(names::CACHE, "things")]);
        assert_eq!(events, 2, "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_away_with_its_cache_is_not_told_any_more() {
    let (reached, node) = (Reached::new(), alone().await);
    drop(reached.cache(&node).await);
    settle().await;
    reached.store.set_down(true);
    let _receipt = node.clear().await.unwrap();
}

/// Strangers that are heard by a task of their own.
struct InATask;

impl Foreign for InATask {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }

    fn feed(&self, process: ProcessBytes) -> Box<dyn ForeignFeed> {
        drop(tokio::spawn(std::future::ready(())));
        Strangers::new(MemoryStore::new()).feed(process)
    }
}

#[tokio::test]
async fn a_cache_with_strangers_can_be_built_on_any_thread() {
    let node = alone().await;
    let builder = node.cache::<String, String>("things").stored_as(Json).foreign(InATask);
    let built = std::thread::spawn(move || builder.build().map(drop));
    built.join().expect("no panic").unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_store_of_strangers_is_owed_outlives_the_process_in_a_file() {
    // F14, P-24
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("owed");
    let (reached, database) = (Reached::new(), Database::default());
    let first = alone().await;
    let cache = reached.cache_with(&first, |builder| builder.recovery_file(&file)).await;
    for key in ["a", "b"] {
        read(&cache, key, &database, "old").await;
    }
    reached.store.set_down(true);
    assert_eq!(cache.remove("a").await.unwrap_err().kind(), ErrorKind::Store);
    assert_eq!(cache.remove("b").await.unwrap_err().kind(), ErrorKind::Store);
    drop((cache, first));
    settle().await;
    reached.store.set_down(false);
    assert!(reached.has("a").await, "nobody removed it");
    let second = alone().await;
    let cache = reached.cache_with(&second, |builder| builder.recovery_file(&file)).await;
    assert_eq!(read(&cache, "a", &database, "new").await, "new");
    pass(seconds(1)).await;
    assert!(!reached.has("b").await, "also if nobody reads");
    assert_eq!(second.metrics().count(names::STORE_OWED, &[(names::CACHE, "things")]), 0);
    std::fs::write(&file, b"something else entirely").unwrap();
    let third = alone().await;
    let builder = third.cache::<String, String>("things").stored_as(Json).foreign(reached.clone());
    assert_eq!(builder.recovery_file(&file).build().unwrap_err().kind(), ErrorKind::Config);
    let unused = third.cache::<String, String>("others").recovery_file(&file).build().unwrap_err();
    assert!(unused.to_string().contains("recovery file without foreign writers"), "{unused}");
}
