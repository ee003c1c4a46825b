//! Suspects: what a node holds that may have missed an act.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;
use tokio::time::Instant;
use unstale::metrics::names;
use unstale::{Cache, FailSafe, Freshness, Lookup, Node, Recovery, Served};
use unstale_port::memory::Hub;

use crate::gate::Gate;
use crate::world::{Database, HOUR, builder, millis, pass, seconds, total};

/// Three nodes of a fixed list, so that two of them can end the third.
async fn three() -> (Hub, [Node; 3]) {
    let hub = Hub::fixed(["a", "b", "c"]);
    let start = async |name: &str| builder(name).backplane(hub.join(name)).start().await.unwrap();
    let nodes = [start("a").await, start("b").await, start("c").await];
    for node in &nodes {
        node.joined().await.unwrap();
    }
    (hub, nodes)
}

fn cache(node: &Node, fail_safe: FailSafe) -> Cache<u64, String> {
    node.cache("users").time_to_live(HOUR).fail_safe(fail_safe).build().unwrap()
}

async fn fill(users: &Cache<u64, String>, keys: u64) {
    for key in 0..keys {
        users.get_or_load(&key, Database::default().gives("before".to_owned())).await.unwrap();
    }
}

/// Cuts off the third node for so long that the others end it.
fn cut_off(hub: &Hub) {
    hub.cut("a", "c");
    hub.cut("b", "c");
}

#[tokio::test(start_paused = true)]
async fn a_suspect_is_no_plain_hit_and_is_loaded_again_on_use() {
    // P-20, P-32
    let (hub, [node, _b, _c]) = three().await;
    let users = cache(&node, FailSafe::off());
    fill(&users, 1).await;
    cut_off(&hub);
    pass(seconds(4)).await;
    assert!(users.get(&0).is_none());
    assert!(matches!(users.lookup(&0), Lookup::Suspect(_)));
    let database = Database::default();
    let read = users.get_or_load(&0, database.gives("after".to_owned())).at(node.now()).await.unwrap();
    assert_eq!((read.as_str(), read.served()), ("after", Served::Load));
    assert!(users.get(&0).is_some());
    assert_eq!(total(&node, names::CACHE_LOADS, "suspect"), 1);
    assert_eq!(users.len(), 1, "nothing was dropped");
}

#[tokio::test(start_paused = true)]
async fn revalidation_is_limited_and_what_is_beyond_is_served_as_stale() {
    // api: the usual rate, at least 16 per second; 15 s for a silent node's suspects
    let (hub, [node, _b, _c]) = three().await;
    let users = cache(&node, FailSafe::for_at_most(HOUR));
    fill(&users, 2_000).await;
    // The rate at which they were filled fades.
    pass(seconds(600)).await;
    cut_off(&hub);
    pass(millis(3_700)).await;
    assert!(matches!(users.lookup(&0), Lookup::Suspect(_)));
    let database = Database::default();
    let (mut stale, mut loaded) = (0, 0);
    for key in 0..1_000 {
        let read = users.get_or_load(&key, database.gives("after".to_owned())).at(node.now()).await.unwrap();
        if read.served() == Served::Stale {
            stale += 1;
        } else {
            loaded += 1;
        }
        pass(millis(1)).await;
    }
    assert!((14..=20).contains(&loaded), "{loaded} loads in a second");
    assert_eq!(stale + loaded, 1_000);
    assert_eq!(total(&node, names::CACHE_STALE, "suspect"), stale);
    // After 15 s nothing is served without a load.
    pass(seconds(16)).await;
    for key in 1_000..1_200 {
        let read = users.get_or_load(&key, database.gives("after".to_owned())).at(node.now()).await.unwrap();
        assert_eq!(read.served(), Served::Load, "key {key}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_suspect_is_served_to_a_read_that_demands_a_write_or_a_new_value() {
    // P-36: the third node does not know that it was ended, and goes on writing.
    let (hub, [node, _b, third]) = three().await;
    let users = cache(&node, FailSafe::for_at_most(HOUR));
    let users_there: Cache<u64, String> = third.cache("users").build().unwrap();
    fill(&users, 2_000).await;
    pass(seconds(600)).await;
    cut_off(&hub);
    pass(millis(3_700)).await;
    let database = Database::default();
    // Until the limit of revalidations is reached.
    let mut key = 100;
    while users.get_or_load(&key, database.gives("after".to_owned())).at(node.now()).await.unwrap().served()
        != Served::Stale
    {
        key += 1;
    }
    let receipt = users_there.remove(&1).await.unwrap();
    assert!(!receipt.announced());
    let read =
        users.get_or_load(&1, database.gives("written".to_owned())).session(receipt.session()).await.unwrap();
    assert_eq!((read.as_str(), read.served()), ("written", Served::Bypass));
    let known = users_there.remove(&2).await.unwrap();
    let freshness = Freshness::within(millis(1)).or_bypass();
    let read = users
        .get_or_load(&2, database.gives("new".to_owned()))
        .freshness(freshness)
        .at(node.now())
        .await
        .unwrap();
    assert_eq!((read.as_str(), read.served(), known.announced()), ("new", Served::Bypass, false));
}

#[tokio::test(start_paused = true)]
async fn suspects_that_turn_out_to_be_right_are_hits_again_without_a_load() {
    // P-34: the silent node comes back, and its tail is repaired exactly.
    let (hub, [node, _b, third]) = three().await;
    let users = cache(&node, FailSafe::off());
    let users_there: Cache<u64, String> = third.cache("users").build().unwrap();
    fill(&users, 3).await;
    cut_off(&hub);
    let _receipt = users_there.remove(&1).await.unwrap();
    pass(seconds(5)).await;
    assert!(users.get(&0).is_none());
    hub.heal("a", "c");
    hub.heal("b", "c");
    pass(seconds(5)).await;
    assert!(users.get(&0).is_some() && users.get(&2).is_some(), "kept");
    assert!(users.get(&1).is_none(), "what the silent node removed");
}

#[tokio::test(start_paused = true)]
async fn a_failing_revalidation_is_answered_by_fail_safe() {
    let (hub, [node, _b, _c]) = three().await;
    let users = cache(&node, FailSafe::for_at_most(HOUR));
    fill(&users, 1).await;
    cut_off(&hub);
    pass(seconds(4)).await;
    let database = Database::default();
    for _ in 0..5 {
        let read = users.get_or_load(&0, database.fails()).at(node.now()).await.unwrap();
        assert_eq!((read.as_str(), read.served(), read.proven()), ("before", Served::Stale, false));
    }
    assert_eq!(database.reads(), 1, "and the throttle holds");
}

#[tokio::test(start_paused = true)]
async fn a_removal_during_a_revalidation_is_not_undone_by_it() {
    // P1 for the load of a suspect
    for reader_comes in [false, true] {
        let (hub, [node, _b, _c]) = three().await;
        let users = cache(&node, FailSafe::off());
        fill(&users, 1).await;
        cut_off(&hub);
        pass(seconds(4)).await;
        let (mut gate, passage) = Gate::new();
        let revalidation = {
            let users = users.clone();
            let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
            tokio::spawn(async move { users.get_or_load(&0, load).await.unwrap() })
        };
        gate.reached().await;
        assert_eq!(total(&node, names::CACHE_LOADS, "suspect"), 1);
        let _receipt = users.remove(&0).await.unwrap();
        if reader_comes {
            let value = users.get_or_load(&0, Database::default().gives("after".to_owned())).await.unwrap();
            assert_eq!(*value, "after");
        }
        gate.open("before".to_owned());
        revalidation.await.unwrap();
        assert_ne!(users.get(&0).as_deref().map(String::as_str), Some("before"));
        let value = users.get_or_load(&0, Database::default().gives("after".to_owned())).await.unwrap();
        assert_eq!(*value, "after");
    }
}

/// Loads in the worst second of the time after a cut, in which a cache that usually loads 100 times a second lost 1,000
/// entries to acts that were repaired.
async fn loads_after_a_cut(recovery: Recovery) -> usize {
    let (hub, [_node, other, third]) = three().await;
    let users: Cache<u64, String> =
        third.cache("users").time_to_live(HOUR).recovery(recovery).build().unwrap();
    let users_there: Cache<u64, String> = other.cache("users").build().unwrap();
    fill(&users, 1_000).await;
    for turn in 0..500 {
        let _receipt = users.remove(&turn).await.unwrap();
        users.get_or_load(&turn, Database::default().gives("before".to_owned())).await.unwrap();
        pass(millis(10)).await;
    }
    cut_off(&hub);
    for key in 0..1_000 {
        let _receipt = users_there.remove(&key).await.unwrap();
    }
    pass(seconds(1)).await;
    hub.heal("a", "c");
    hub.heal("b", "c");
    pass(millis(500)).await;
    let loads: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let mut readers = JoinSet::new();
    for reader in 0..10 {
        let (users, loads) = (users.clone(), Arc::clone(&loads));
        readers.spawn(async move {
            for key in (reader..1_000).step_by(10) {
                let loads = Arc::clone(&loads);
                let load = async move |_| {
                    loads.lock().unwrap().push(Instant::now());
                    Ok::<_, Infallible>("after".to_owned())
                };
                assert_eq!(*users.get_or_load(&key, load).await.unwrap(), "after");
                pass(millis(1)).await;
            }
        });
    }
    readers.join_all().await;
    let loads = loads.lock().unwrap();
    assert_eq!(loads.len(), 1_000, "all were removed");
    let in_a_second =
        |from: &Instant| loads.iter().filter(|at| **at >= *from && **at - *from < seconds(1)).count();
    loads.iter().map(in_a_second).max().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_many_repaired_acts_ended_is_loaded_again_without_a_storm() {
    // P9: at most twice the usual rate in any second for the first seconds, also of what is really gone
    let most = loads_after_a_cut(Recovery::AtOnce).await;
    assert!(most > 500, "{most} loads in a second");
    let most = loads_after_a_cut(Recovery::Paced).await;
    assert!((120..=210).contains(&most), "{most} loads in a second");
}
