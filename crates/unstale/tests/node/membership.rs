//! Members that fall silent, are ended, and come back.

use std::time::Duration;

use tokio::time::sleep;
use unstale::metrics::names;
use unstale::{Event, Load, Lookup, ProtocolEvent, State};

use crate::cluster::{Cluster, until};

// P-30 b, P-34
#[tokio::test(start_paused = true)]
async fn a_node_that_was_ended_comes_back_as_the_next_incarnation_with_its_entries() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    for key in 0..100 {
        cluster.database.write(key, key);
        for member in [&a, &b, &c] {
            member.read(key).await;
        }
    }
    let first_life = c.node.status().stream;
    cluster.isolate("c", &["a", "b"]);
    sleep(Duration::from_secs(5)).await;
    until("a and b ended c", || {
        [&a, &b].iter().all(|member| member.node.metrics().count(names::MEMBERS_ENDED, &[]) >= 1)
    })
    .await;
    assert!(a.node.writable().is_ok(), "the majority goes on");
    let lost = c.write(7, 700).await;
    assert!(!lost.announced());
    let _ = a.write(8, 800).await;
    sleep(Duration::from_secs(5)).await;
    cluster.heal("c", &["a", "b"]);
    until("c joined again", || c.state() == State::Joined && c.node.writable().is_ok()).await;
    let second_life = c.node.status().stream;
    assert_eq!(second_life, first_life.next());
    until("c's unannounced write reached the others", || {
        a.rows.get(&7).is_none() && b.rows.get(&7).is_none()
    })
    .await;
    until("a's write reached c", || c.rows.get(&8).is_none()).await;
    assert_eq!(c.read(7).await, 700);
    assert_eq!(c.read(8).await, 800);
    let kept = (0..100).filter(|key| !matches!(c.rows.lookup(key), Lookup::Miss)).count();
    assert!(kept >= 98, "no entry was dropped for it, {kept} are there");
    assert!(c.write(9, 900).await.announced());
}

// P-12, P-30 d
#[tokio::test(start_paused = true)]
async fn two_nodes_hold_until_an_operator_ends_the_dead_one() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    let mut events = a.node.events();
    cluster.hub.cut("a", "b");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(a.count(names::MEMBERS_ENDED), 0, "nobody ends a member alone");
    a.node.end_member("b").await.unwrap();
    until("b was ended", || a.count(names::MEMBERS_ENDED) == 1).await;
    until("a proves again", || {
        a.node.ready().proof_age().is_some_and(|age| age < Duration::from_millis(250))
    })
    .await;
    let mut silent = false;
    let mut ended = false;
    while let Some(event) = events.try_recv() {
        if let Event::Protocol(event) = event {
            silent |= matches!(event, ProtocolEvent::MemberSilent { .. });
            ended |= matches!(event, ProtocolEvent::MemberEnded { .. });
        }
    }
    assert!(silent && ended);
    drop(b);
}

// P-25
#[tokio::test(start_paused = true)]
async fn nothing_is_stored_before_the_node_has_joined() {
    let cluster = Cluster::of(&["a", "b"]);
    let a = cluster.start("a").await;
    assert_eq!(a.state(), State::Joining);
    assert!(!a.node.ready().is_ready());
    let load = async |_: Load<u64>| Ok::<u64, std::io::Error>(7);
    assert_eq!(a.rows.get_or_load(&1, load).await.unwrap(), 7);
    assert!(a.rows.get(&1).is_none());
    let _b = cluster.start("b").await;
    a.node.joined().await.unwrap();
    assert_eq!(a.rows.get_or_load(&1, load).await.unwrap(), 7);
    assert_eq!(a.hit(1), Some(7));
}
