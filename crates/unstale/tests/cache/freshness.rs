//! Freshness per read, what was served, and sessions.

use std::convert::Infallible;
use std::time::Duration;

use unstale::metrics::names;
use unstale::{Cache, ErrorKind, Freshness, Load, Node, Served, SessionToken};
use unstale_port::memory::Hub;

use crate::gate::Gate;
use crate::world::{Database, HOUR, alone, builder, millis, pair, pass, seconds, settle, total};

const NOW: Freshness = Freshness::within(Duration::ZERO);

fn cache(node: &Node) -> Cache<u64, String> {
    node.cache("users").time_to_live(HOUR).build().unwrap()
}

fn bounded(node: &Node, outcome: &str) -> u64 {
    node.metrics().total(names::BOUNDED_READS, &[(names::OUTCOME, outcome)]) as u64
}

#[tokio::test(start_paused = true)]
async fn alone_everything_is_proven() {
    let node = alone().await;
    let users = cache(&node);
    users.get_or_load(&7, Database::default().gives("a".to_owned())).await.unwrap();
    pass(seconds(60)).await;
    let read = users.get_or_load(&7, Database::default().gives("b".to_owned())).freshness(NOW).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("a", Served::Hit, true));
    assert_eq!(read.proof_age(), Some(Duration::ZERO));
    assert!(users.get_within(&7, node.now(), Duration::ZERO).unwrap().proven());
    assert!(users.get_within_now(&7, Duration::ZERO).is_some());
    assert!(users.get_within(&8, node.now(), HOUR).is_none());
}

#[tokio::test(start_paused = true)]
async fn beats_prove_an_old_value_within_their_round() {
    // P-10 to P-12, P-16
    let (one, _other) = pair().await;
    let users = cache(&one);
    users.get_or_load(&7, Database::default().gives("a".to_owned())).await.unwrap();
    pass(seconds(5)).await;
    let read = users.get_within(&7, one.now(), millis(250)).unwrap();
    assert!(read.proven() && read.proof_age().unwrap() <= millis(250), "{:?}", read.proof_age());
    assert_eq!(bounded(&one, "proven"), 1);
    assert!(users.get_within(&7, one.now(), Duration::ZERO).is_none(), "not of this very instant");
}

#[tokio::test(start_paused = true)]
async fn a_read_with_an_instant_and_no_demand_is_told_how_old_its_answer_may_be() {
    let (hub, one, other) = cut_pair().await;
    let users = cache(&one);
    let read = async || {
        users.get_or_load(&7, Database::default().gives("a".to_owned())).at(one.now()).await.unwrap()
    };
    let first = read().await;
    assert_eq!((first.served(), first.proven()), (Served::Load, true));
    pass(seconds(1)).await;
    let hit = read().await;
    assert_eq!((hit.served(), hit.proven()), (Served::Hit, true));
    assert!(hit.proof_age().unwrap() <= millis(250), "{:?}", hit.proof_age());
    hub.cut("a", "b");
    pass(seconds(10)).await;
    let old = read().await;
    assert_eq!((old.served(), old.proven()), (Served::Hit, true));
    assert!(old.proof_age().unwrap() >= seconds(9), "{:?}", old.proof_age());
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_young_value_needs_no_proof() {
    // P-13
    let (hub, one, other) = cut_pair().await;
    let users = cache(&one);
    hub.cut("a", "b");
    pass(seconds(1)).await;
    users.get_or_load(&7, Database::default().gives("a".to_owned())).await.unwrap();
    pass(millis(200)).await;
    assert!(users.get_within(&7, one.now(), millis(250)).is_some(), "it was loaded 200 ms ago");
    assert_eq!(bounded(&one, "young"), 1);
    pass(millis(200)).await;
    assert!(users.get_within(&7, one.now(), millis(250)).is_none());
    // What a writer set is of unknown age: it had been read before.
    let _receipt = users.set(8, "set".to_owned()).await.unwrap();
    assert!(users.get_within(&8, one.now(), millis(250)).is_none());
    drop(other);
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
async fn what_cannot_be_proven_is_bypassed_refused_or_flagged_as_chosen() {
    // P4
    let (hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    hub.cut("a", "b");
    pass(seconds(2)).await;
    let within = Freshness::within(millis(250));
    let at = one.now();

    let load = Database::default().gives("new".to_owned());
    let read = users.get_or_load(&7, load).freshness(within.or_flag()).at(at).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("old", Served::Hit, false));
    assert!(read.proof_age().is_none_or(|age| age > millis(250)), "{:?}", read.proof_age());
    assert_eq!(bounded(&one, "flagged"), 1);

    let load = Database::default().gives("new".to_owned());
    let error = users.get_or_load(&7, load).freshness(within.or_error()).at(at).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotProven);
    assert!(error.to_string().starts_with("read: cache users: not proven within 250ms: "), "{error}");
    assert_eq!(bounded(&one, "refused"), 1);

    let load = Database::default().gives("new".to_owned());
    let read = users.get_or_load(&7, load).freshness(within.or_bypass()).at(at).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("new", Served::Bypass, true));
    assert_eq!(total(&one, names::CACHE_BYPASSES, "not-proven"), 1);
    assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("new"), "and is kept for the others");
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_wait_for_one_exchange() {
    // P-15: even within(0).
    let (one, other) = pair().await;
    let users = cache(&one);
    users.get_or_load(&7, Database::default().gives("a".to_owned())).await.unwrap();
    pass(seconds(1)).await;
    let database = Database::default();
    let load = database.gives("b".to_owned());
    let read = users.get_or_load(&7, load).freshness(NOW.or_wait().or_error()).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("a", Served::Hit, true));
    assert_eq!((bounded(&one, "exchanged"), database.reads()), (1, 0));
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn without_an_exchange_in_time_a_waiting_reader_bypasses() {
    // P-15
    let (hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    pass(seconds(1)).await;
    hub.cut("a", "b");
    let load = Database::default().gives("new".to_owned());
    let read = users.get_or_load(&7, load).freshness(NOW.or_wait()).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("new", Served::Bypass, true));
}

#[tokio::test(start_paused = true)]
async fn a_bypass_joins_no_load_that_began_before_it_and_shares_its_own() {
    let (hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    hub.cut("a", "b");
    pass(seconds(2)).await;
    let (mut gate, passage) = Gate::new();
    let before = {
        let users = users.clone();
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&7, load).await.unwrap() })
    };
    gate.reached().await;
    pass(seconds(1)).await;
    // Both come after that load began, and share one of their own, which began after both had come.
    let (mut own_gate, passage) = Gate::new();
    let at = one.now();
    let leader = {
        let users = users.clone();
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&7, load).freshness(NOW).at(at).await.unwrap() })
    };
    settle().await;
    gate.open("before".to_owned());
    assert_eq!(*before.await.unwrap(), "before");
    own_gate.reached().await;
    own_gate.open("after".to_owned());
    let read = leader.await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("after", Served::Bypass, true));
}

#[tokio::test(start_paused = true)]
async fn who_joined_an_older_load_was_served_a_load() {
    let node = alone().await;
    let users = cache(&node);
    let (mut gate, passage) = Gate::new();
    let leader = {
        let (users, at) = (users.clone(), node.now());
        let load = async move |_| Ok::<_, Infallible>(passage.pass().await);
        tokio::spawn(async move { users.get_or_load(&7, load).at(at).await.unwrap() })
    };
    gate.reached().await;
    let joined = {
        let (users, at) = (users.clone(), node.now());
        let load = Database::default().gives("own".to_owned());
        tokio::spawn(async move { users.get_or_load(&7, load).at(at).await.unwrap() })
    };
    settle().await;
    gate.open("shared".to_owned());
    for caller in [leader, joined] {
        let read = caller.await.unwrap();
        assert_eq!((read.as_str(), read.served()), ("shared", Served::Load));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_waits_for_the_write_that_it_names() {
    // P-36
    let (one, other) = pair().await;
    let (here, there) = (cache(&one), cache(&other));
    there.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    for write in 0..20 {
        let receipt = here.remove(&7).await.unwrap();
        let token: SessionToken = receipt.session().to_string().parse().unwrap();
        let load = Database::default().gives(format!("after {write}"));
        let read = there.get_or_load(&7, load).session(token).await.unwrap();
        assert_eq!(read.as_str(), format!("after {write}"));
    }
    assert_eq!(other.metrics().total(names::SESSION_READS, &[(names::OUTCOME, "late")]) as u64, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_write_does_not_come_bypasses_what_is_cached() {
    // P-36
    let (hub, one, other) = cut_pair().await;
    let (here, there) = (cache(&one), cache(&other));
    there.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    hub.cut("a", "b");
    let receipt = here.remove(&7).await.unwrap();
    let load = Database::default().gives("new".to_owned());
    let read = there.get_or_load(&7, load).session(receipt.session()).await.unwrap();
    assert_eq!((read.as_str(), read.served()), ("new", Served::Bypass));
    assert_eq!(total(&other, names::CACHE_BYPASSES, "session-late"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invented_session_does_not_hold_a_request() {
    // P-36
    let node = alone().await;
    let users = cache(&node);
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let invented: SessionToken = format!("{:032x}.1.ffffffff", 99).parse().unwrap();
    let began = tokio::time::Instant::now();
    let load = Database::default().gives("new".to_owned());
    let read = users.get_or_load(&7, load).session(invented).await.unwrap();
    assert_eq!(read.served(), Served::Bypass);
    assert!(began.elapsed() < seconds(1));
    assert_eq!(total(&node, names::CACHE_BYPASSES, "session-unknown"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_made_of_older_values_is_not_taken_for_new() {
    // P-13: the age of a value is that of its oldest part, though both were loaded within one tick of the clock.
    let (_hub, one, _other) = cut_pair().await;
    let users = cache(&one);
    let pages: Cache<u64, String> = one.cache("pages").time_to_live(HOUR).build().unwrap();
    users.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    let users_in_load = users.clone();
    let page = async move |_| Ok::<_, Infallible>((*users_in_load.get(&7).unwrap()).clone());
    let read = pages.get_or_load(&7, page).at(one.now()).await.unwrap();
    assert_eq!((read.as_str(), read.served()), ("old", Served::Load));
    assert!(!read.proven() || read.proof_age().is_some(), "nothing but the proof speaks for it");
}

#[tokio::test(start_paused = true)]
async fn a_bypass_reaches_what_a_value_is_made_of() {
    // P-13, P-36: a page made of a cached user is no newer than that user.
    let (hub, one, other) = cut_pair().await;
    let (here, there) = (cache(&one), cache(&other));
    let pages: Cache<u64, String> = other.cache("pages").time_to_live(HOUR).build().unwrap();
    there.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    hub.cut("a", "b");
    let receipt = here.remove(&7).await.unwrap();
    let page = |there: Cache<u64, String>| {
        async move |_: Load<String>| {
            let user = there.get_or_load(&7, Database::default().gives("new".to_owned())).await;
            user.map(|user| (*user).clone())
        }
    };
    let plain = pages.get_or_load(&1, page(there.clone())).await.unwrap();
    assert_eq!(*plain, "old");
    let read = pages.get_or_load(&1, page(there.clone())).session(receipt.session()).await.unwrap();
    assert_eq!((read.as_str(), read.served(), read.proven()), ("new", Served::Bypass, true));
    pass(seconds(2)).await;
    let _unannounced = there.remove(&7).await.unwrap();
    there.get_or_load(&7, Database::default().gives("old".to_owned())).await.unwrap();
    pass(seconds(2)).await;
    let bounded = Freshness::within(millis(250));
    let read = pages.get_or_load(&2, page(there.clone())).freshness(bounded).await.unwrap();
    assert_eq!((read.as_str(), read.proven()), ("new", true));
}
