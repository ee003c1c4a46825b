//! What goes over the links: acts, holes, repairs.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use unstale::Load;
use unstale::metrics::names;

use crate::cluster::{Cluster, until};

#[tokio::test(start_paused = true)]
async fn an_act_on_one_node_is_gone_on_the_others() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    cluster.database.write(1, 10);
    for member in [&a, &b, &c] {
        assert_eq!(member.read(1).await, 10);
    }
    let written = Instant::now();
    let receipt = a.write(1, 11).await;
    assert!(receipt.announced());
    assert_eq!(a.read(1).await, 11, "own writes are seen at once");
    until("the act reached b and c", || b.rows.get(&1).is_none() && c.rows.get(&1).is_none()).await;
    assert!(written.elapsed() <= Duration::from_millis(2), "an idle link sends at once");
    assert_eq!(b.read(1).await, 11);
    assert_eq!(c.read(1).await, 11);
}

#[tokio::test(start_paused = true)]
async fn tags_and_clears_of_the_node_reach_every_node() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    b.rows
        .get_or_load(&1, async |load: Load<u64>| {
            load.tag("org:7");
            Ok::<u64, std::io::Error>(10)
        })
        .await
        .unwrap();
    let receipt = a.node.remove_tag("org:7").await.unwrap();
    assert!(receipt.announced() && !receipt.present());
    until("the tag was removed on b", || b.rows.get(&1).is_none()).await;
    b.read(1).await;
    let receipt = a.node.clear().await.unwrap();
    assert!(receipt.announced());
    until("b was cleared", || b.rows.get(&1).is_none()).await;
}

// P-17, P-20, P-21
#[tokio::test(start_paused = true)]
async fn a_cut_of_two_seconds_is_repaired_and_nothing_is_dropped_for_it() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    for key in 0..100 {
        cluster.database.write(key, key);
        for member in [&a, &b, &c] {
            member.read(key).await;
        }
    }
    cluster.isolate("c", &["a", "b"]);
    for key in 0..10 {
        let _ = a.write(key, 1_000 + key).await;
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(*c.read(3).await, 3, "a plain read in a cut answers with what it has");
    cluster.heal("c", &["a", "b"]);
    let healed = Instant::now();
    until("c caught up", || (0..10).all(|key| c.rows.get(&key).is_none())).await;
    assert!(healed.elapsed() < Duration::from_secs(1), "{:?}", healed.elapsed());
    let reads = cluster.database.reads();
    for key in 10..100 {
        assert_eq!(*c.read(key).await, key);
    }
    assert_eq!(cluster.database.reads(), reads, "what nobody touched is still a hit");
    assert!(c.count(names::GAPS_SEEN) >= 1);
    assert_eq!(c.node.metrics().count(names::GAPS_CLOSED, &[(names::VIA, "distrust")]), 0);
    assert_eq!(c.count(names::DISTRUSTS), 0);
}
