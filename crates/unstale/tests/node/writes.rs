//! Announced, unannounced, refused.

use std::time::Duration;

use tokio::time::sleep;
use unstale::metrics::names;
use unstale::{ErrorKind, Event, Node, State, TokioClock, Writes};

use crate::cluster::{Cluster, until};

#[tokio::test(start_paused = true)]
async fn a_node_that_is_alone_announces_and_proves_everything() {
    let node = Node::builder("test").clock(TokioClock::new()).seed(1).start().await.unwrap();
    node.joined().await.unwrap();
    assert_eq!(node.status().state, State::Alone);
    let rows = node.cache::<u64, u64>("rows").build().unwrap();
    let receipt = rows.set(1, 10).await.unwrap();
    assert!(receipt.announced());
    node.confirmed(&receipt).await.unwrap();
    let read = rows.get_within(&1, node.now(), Duration::ZERO).unwrap();
    assert!(read.proven());
    assert_eq!(read.proof_age(), Some(Duration::ZERO));
}

// P-31
#[tokio::test(start_paused = true)]
async fn without_a_majority_writes_are_applied_and_sent_but_not_announced() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    cluster.database.write(1, 10);
    b.read(1).await;
    let mut events = a.node.events();
    cluster.isolate("a", &["b", "c"]);
    sleep(Duration::from_secs(5)).await;
    let receipt = a.write(1, 11).await;
    assert!(!receipt.announced());
    assert_eq!(a.node.writable().unwrap_err().kind(), ErrorKind::Unannounced);
    assert!(!a.node.ready().is_ready());
    assert_eq!(a.read(1).await, 11, "applied here");
    assert_eq!(a.node.metrics().count(names::WRITES, &[(names::OUTCOME, "unannounced")]), 1);
    let mut seen = false;
    while let Some(event) = events.try_recv() {
        seen |= event == Event::Unannounced { session: receipt.session() };
    }
    assert!(seen);
    cluster.heal("a", &["b", "c"]);
    until("the act reached b", || b.rows.get(&1).is_none()).await;
    a.node.joined().await.unwrap();
    until("a may announce again", || a.node.writable().is_ok()).await;
    assert!(a.write(1, 12).await.announced());
    drop(c);
}

// P-31
#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_says_no_before_anything_is_done() {
    let cluster = Cluster::of(&["a", "b", "c"]);
    let a = cluster.member(cluster.builder("a").writes(Writes::Refuse).start().await.unwrap());
    assert_eq!(a.node.writable().unwrap_err().kind(), ErrorKind::Unannounced, "not joined yet");
    let _b = cluster.start("b").await;
    let _c = cluster.start("c").await;
    a.node.joined().await.unwrap();
    until("a may announce", || a.node.writable().is_ok()).await;
    a.rows.set(1, 10).await.unwrap().announced().then_some(()).unwrap();
    cluster.isolate("a", &["b", "c"]);
    sleep(Duration::from_secs(5)).await;
    let refused = a.rows.remove(&1).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unannounced);
    assert!(a.rows.get(&1).is_some(), "nothing was done");
    assert_eq!(a.node.remove_tag("t").await.unwrap_err().kind(), ErrorKind::Unannounced);
    assert!(a.node.metrics().count(names::WRITES, &[(names::OUTCOME, "refused")]) >= 2);
}
