//! Events and counters by reason (F16, P10).

use std::convert::Infallible;

use unstale::metrics::names;
use unstale::{
    BypassReason, Cache, CacheEvent, Event, FailSafe, FillRefusal, Freshness, Load, LoadFailure, Node,
    Origin, StaleReason,
};
use unstale_port::memory::Hub;

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, builder, millis, pair, pass, seconds, settle, total};

fn cache(node: &Node) -> Cache<u64, String> {
    node.cache("users").time_to_live(HOUR).fail_safe(FailSafe::for_at_most(HOUR)).build().unwrap()
}

fn told(events: &mut unstale::Events) -> Vec<CacheEvent> {
    let mut told = Vec::new();
    while let Some(event) = events.try_recv() {
        if let Event::Cache { cache, what, .. } = event {
            assert_eq!(cache.as_str(), "users");
            told.push(what);
        }
    }
    told
}

#[tokio::test(start_paused = true)]
async fn hits_and_misses_and_joined_reads_are_counted() {
    // F16
    let node = alone().await;
    let users = cache(&node);
    let database = Database::default();
    for _ in 0..3 {
        users.get_or_load(&7, database.gives("Ada".to_owned())).await.unwrap();
    }
    users.get(&7).unwrap();
    assert!(users.get(&8).is_none());
    users.find_or_load(&9, async |_| Ok::<Option<String>, Infallible>(None)).await.unwrap();
    users.find_or_load(&9, async |_| Ok::<Option<String>, Infallible>(None)).await.unwrap();
    let metrics = node.metrics();
    let of_users = [(names::CACHE, "users")];
    assert_eq!(metrics.total(names::CACHE_HITS, &of_users) as u64, 3);
    assert_eq!(metrics.total(names::CACHE_MISSES, &of_users) as u64, 3);
    assert_eq!(metrics.total(names::CACHE_NEGATIVE_HITS, &of_users) as u64, 1);
    assert_eq!(metrics.total(names::CACHE_ENTRIES, &of_users) as u64, 2);
    assert_eq!(metrics.distribution(names::CACHE_LOAD_SECONDS, &of_users).unwrap().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn loads_are_timed() {
    // F16
    let node = alone().await;
    let users = cache(&node);
    let slow = async |_| {
        tokio::time::sleep(millis(250)).await;
        Ok::<_, Infallible>("Ada".to_owned())
    };
    users.get_or_load(&7, slow).await.unwrap();
    let metrics = node.metrics();
    let seconds = metrics.distribution(names::CACHE_LOAD_SECONDS, &[(names::CACHE, "users")]).unwrap();
    assert!((millis(240)..millis(300)).contains(&seconds.max()), "{:?}", seconds.max());
}

#[tokio::test(start_paused = true)]
async fn stale_answers_and_failures_are_events() {
    // F16, P10
    let node = alone().await;
    let users = cache(&node);
    let mut events = node.events();
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    assert_eq!(told(&mut events), [], "loading and storing is nothing to report");
    let _receipt = users.expire(&7).await.unwrap();
    users.get_or_load(&7, Database::default().fails()).await.unwrap();
    users.get_or_load(&7, Database::default().fails()).await.unwrap();
    assert_eq!(
        told(&mut events),
        [
            CacheEvent::LoadFailed(LoadFailure::Error),
            CacheEvent::Stale(StaleReason::LoadFailed),
            CacheEvent::Stale(StaleReason::Throttled),
        ]
    );
    let never = async |_| std::future::pending::<Result<String, Infallible>>().await;
    let hurried = unstale::EntryOptions::new().hard_timeout(millis(10));
    users.get_or_load(&8, never).options(&hurried).await.unwrap_err();
    assert_eq!(told(&mut events), [CacheEvent::LoadFailed(LoadFailure::Timeout)]);
}

#[tokio::test(start_paused = true)]
async fn an_overtaken_load_is_an_event_and_counted() {
    // F16, P10
    let node = alone().await;
    let users = cache(&node);
    let mut events = node.events();
    let (mut gate, passage) = Gate::new();
    let caller = {
        let users = users.clone();
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&7, load).await.unwrap() })
    };
    gate.reached().await;
    let _receipt = users.remove(&7).await.unwrap();
    gate.open("old".to_owned());
    assert_eq!(*caller.await.unwrap(), "old", "whoever asked before the removal is answered");
    assert_eq!(told(&mut events), [CacheEvent::FillRefused(FillRefusal::Overtaken)]);
    assert_eq!(total(&node, names::CACHE_FILLS_REFUSED, "overtaken"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_starts_a_load_is_counted() {
    // F16
    let node = alone().await;
    let users: Cache<u64, String> =
        node.cache("users").time_to_live(seconds(10)).eager_refresh(0.5).build().unwrap();
    let database = Database::default();
    users.get_or_load(&7, database.gives("a".to_owned())).await.unwrap();
    pass(seconds(6)).await;
    users.get_or_load(&7, database.gives("b".to_owned())).await.unwrap();
    settle().await;
    let many = async |keys: Vec<u64>, _load: Load<String>| {
        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key.to_string())).collect())
    };
    users.get_or_load_many(&[1, 2, 3], many).await.unwrap();
    assert_eq!(total(&node, names::CACHE_LOADS, "miss"), 1);
    assert_eq!(total(&node, names::CACHE_LOADS, "eager"), 1);
    assert_eq!(total(&node, names::CACHE_LOADS, "many"), 1);
}

#[tokio::test(start_paused = true)]
async fn writes_are_counted_by_kind() {
    // F16
    let node = alone().await;
    let users = cache(&node);
    let _receipt = users.set(1, "a".to_owned()).await.unwrap();
    let _receipt = users.remove(&1).await.unwrap();
    let _receipt = users.expire(&1).await.unwrap();
    let _receipt = users.remove_tag("t").await.unwrap();
    let _receipt = users.clear().await.unwrap();
    for kind in ["set", "remove", "expire", "remove-tag", "clear"] {
        let written = node.metrics().total(names::CACHE_WRITES, &[(names::VIA, kind)]) as u64;
        assert_eq!(written, 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn prometheus_text_has_every_family_once() {
    // F16
    let node = alone().await;
    let users = cache(&node);
    let fresh = Freshness::within(seconds(1));
    users.get_or_load(&7, Database::default().gives("a".to_owned())).freshness(fresh).await.unwrap();
    let text = node.metrics().to_prometheus();
    let mut families: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count);
    assert!(text.contains("unstale_cache_load_seconds_count{cache=\"users\"} 1"), "{text}");
}

/// The message behind the latest event of this kind.
fn behind(events: &mut unstale::Events, wanted: CacheEvent) -> Option<Origin> {
    let mut found = None;
    while let Some(event) = events.try_recv() {
        if let Event::Cache { what, origin, .. } = event
            && what == wanted
        {
            found = origin;
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn what_overtook_a_load_is_named_by_its_stream_and_number() {
    // P10
    let (one, other) = pair().await;
    let (users, users_there) = (cache(&one), cache(&other));
    let _receipts = (users_there.remove(&1).await.unwrap(), users_there.remove(&2).await.unwrap());
    pass(seconds(1)).await;
    for by_tag in [false, true] {
        let mut events = one.events();
        let (mut gate, passage) = Gate::new();
        let caller = {
            let users = users.clone();
            let load = async move |load: Load<String>| {
                load.tag("org:1");
                Ok::<_, Infallible>(passage.pass().await)
            };
            tokio::spawn(async move { users.get_or_load(&7, load).await.map(drop) })
        };
        gate.reached().await;
        let others = users_there.remove(&8).await.unwrap();
        let receipt =
            if by_tag { users_there.remove_tag("org:1").await } else { users_there.remove(&7).await };
        let token = receipt.unwrap().session();
        pass(millis(100)).await;
        gate.open("old".to_owned());
        caller.await.unwrap().unwrap();
        let origin = behind(&mut events, CacheEvent::FillRefused(FillRefusal::Overtaken)).unwrap();
        assert_eq!((origin.stream, origin.range.last), (token.stream(), token.seq()), "by tag: {by_tag}");
        assert!(origin.range.first > others.session().seq());
        let _receipt = users.remove(&7).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn doubts_suspects_and_bypasses_name_the_messages_that_they_wait_for() {
    // P10
    let hub = Hub::fixed(["a", "b", "c"]);
    let start = async |name: &str| builder(name).backplane(hub.join(name)).start().await.unwrap();
    let [one, _other, third] = [start("a").await, start("b").await, start("c").await];
    for node in [&one, &third] {
        node.joined().await.unwrap();
    }
    let (users, users_there) = (cache(&one), cache(&third));
    let database = Database::default();
    for key in 0..100 {
        users.get_or_load(&key, database.gives("a".to_owned())).await.unwrap();
    }
    let heard = users_there.remove(&500).await.unwrap().session();
    pass(seconds(1)).await;
    hub.cut("a", "c");
    hub.cut("b", "c");
    let unheard = users_there.remove(&501).await.unwrap().session();

    let mut events = one.events();
    users.get_or_load(&0, database.gives("b".to_owned())).session(unheard).await.unwrap();
    let origin = behind(&mut events, CacheEvent::Bypassed(BypassReason::SessionLate)).unwrap();
    assert_eq!((origin.stream, origin.range.first), (unheard.stream(), unheard.seq()));

    // The status is refreshed meanwhile.
    pass(seconds(1)).await;
    let within = Freshness::within(millis(1)).or_flag();
    users.get_or_load(&1, database.gives("b".to_owned())).freshness(within).await.unwrap();
    let origin = behind(&mut events, CacheEvent::Stale(StaleReason::Unproven)).unwrap();
    assert_eq!(origin.stream, unheard.stream(), "the silent node holds the proof: {:?}", one.status());

    pass(millis(2_500)).await;
    let mut doubted = None;
    while let Some(event) = events.try_recv() {
        if let Event::Distrusted { origin, .. } = event {
            doubted = origin;
        }
    }
    let doubted = doubted.unwrap();
    assert_eq!((doubted.stream, doubted.range.first), (heard.stream(), heard.seq().next()));
    for key in 0..100 {
        users.get_or_load(&key, database.gives("b".to_owned())).await.unwrap();
    }
    assert_eq!(behind(&mut events, CacheEvent::Stale(StaleReason::Suspect)), Some(doubted));
}
