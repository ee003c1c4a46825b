//! Starting, leaving, dying.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use unstale::metrics::names;
use unstale::{BootClock, ErrorKind, Event, Membership, Node, State};
use unstale_port::Peer;
use unstale_port::memory::{Hub, HubOptions};

use crate::cluster::{Cluster, until};

// P-29
#[tokio::test(start_paused = true)]
async fn shutdown_says_goodbye_so_nobody_waits_for_the_node() {
    let (_cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    let mut events = c.node.events();
    let began = Instant::now();
    let receipt = c.write(1, 10).await;
    c.node.shutdown().await.unwrap();
    until("a and b ended c by its goodbye", || {
        [&a, &b]
            .iter()
            .all(|member| member.node.metrics().count(names::MEMBERS_ENDED, &[(names::REASON, "bye")]) == 1)
    })
    .await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(c.state(), State::Left);
    let late = c.rows.remove(&1).await.unwrap();
    assert!(!late.announced());
    assert!(c.rows.get(&1).is_none());
    assert_eq!(c.node.joined().await.unwrap_err().kind(), ErrorKind::ShutDown);
    c.node.shutdown().await.unwrap();
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Closed));
    assert!(receipt.announced());
    sleep(Duration::from_secs(1)).await;
    assert!(
        a.node.ready().proof_age().is_some_and(|age| age < Duration::from_millis(250)),
        "the proof goes on"
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_says_goodbye_too() {
    let (_cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    let kept = b.rows.clone();
    drop(b);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(a.count(names::MEMBERS_ENDED), 0, "a cache keeps its node");
    drop(kept);
    until("b said goodbye", || a.node.metrics().count(names::MEMBERS_ENDED, &[(names::REASON, "bye")]) == 1)
        .await;
}

#[test]
fn a_node_whose_runtime_died_is_closed_and_not_open() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (node, rows) = runtime.block_on(async {
        let node = Node::builder("test").clock(BootClock).start().await.unwrap();
        node.joined().await.unwrap();
        let rows = node.cache::<u64, u64>("rows").build().unwrap();
        rows.set(1, 10).await.unwrap().announced().then_some(()).unwrap();
        assert!(rows.get(&1).is_some());
        (node, rows)
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(node.writable().unwrap_err().kind(), ErrorKind::Unannounced);
    assert!(rows.get_within(&1, node.now(), Duration::MAX).is_none());
    assert!(rows.get(&1).is_none(), "nothing cached is served as fresh");
    assert!(!node.ready().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_makes_no_sense_is_refused_with_all_its_faults() {
    let small = HubOptions { frame_bytes_max: 1_024, ..HubOptions::default() };
    let peer = |address: &str| Peer { name: None, address: address.to_owned() };
    let named = |address: &str| Peer { name: Some("n".to_owned()), address: address.to_owned() };
    let error = Node::builder("")
        .name("x".repeat(256))
        .backplane(Hub::with(small).join("a"))
        .membership(Membership::Fixed(vec![peer("a"), peer("b"), peer("b"), named("c"), named("d")]))
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    let faults = [
        "cluster",
        "256 bytes",
        "\"a\" is the node itself",
        "\"b\" is listed twice",
        "the name \"n\" of a peer is given twice",
        "frames of 1024 bytes",
    ];
    for part in faults {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_tells_state_members_and_limits_as_json() {
    let (_cluster, [a, _b]) = Cluster::start_all(["a", "b"]).await;
    sleep(Duration::from_secs(1)).await;
    let ready = a.node.ready();
    assert!(ready.is_ready());
    assert_eq!(ready.state(), State::Joined);
    let json: serde_json::Value = serde_json::from_str(&ready.to_json()).unwrap();
    assert_eq!(json["state"], "joined");
    assert_eq!(json["ready"], true);
    assert_eq!(json["name"], "a");
    assert_eq!(json["members"][0]["name"], "b");
    assert!(json["limits"]["members"].as_u64().unwrap() >= 1_024);
    assert!(json["proof_age_ms"].as_u64().unwrap() <= 250);
}
