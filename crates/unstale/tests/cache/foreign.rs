//! Caches that programs of others write too (P-8).

use unstale::metrics::names;
use unstale::{Cache, CacheEvent, Event, FailSafe, Freshness, Json, Lookup, Node, Served};
use unstale_port::memory::{MemoryStore, Strangers};
use unstale_port::{ForeignAct, ForeignHeard};

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, applied, millis, pair, pass, seconds, settle, total};

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
    assert_eq!(refused.await.unwrap_err().kind(), unstale::ErrorKind::NotProven);
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
