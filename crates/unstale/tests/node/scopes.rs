//! What a node declares that it writes, and what is distrusted when it dies (P-32, P-35).

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;
use unstale::{Cache, ErrorKind, Lookup, Node};

use crate::cluster::{Cluster, until};

async fn filled(node: &Node, name: &str) -> Cache<u64, u64> {
    let cache = node.cache(name).time_to_live(Duration::from_secs(3_600)).build().unwrap();
    cache.get_or_load(&1, async |_| Ok::<_, Infallible>(10)).await.unwrap();
    cache
}

/// Three nodes of which the third declares what it writes.
async fn three(cluster: &Cluster, third: &[&str]) -> [Node; 3] {
    let nodes = [
        cluster.builder("a").start().await.unwrap(),
        cluster.builder("b").start().await.unwrap(),
        cluster.builder("c").writes_only(third.iter().copied()).start().await.unwrap(),
    ];
    for node in &nodes {
        node.joined().await.unwrap();
    }
    nodes
}

fn is_suspect(cache: &Cache<u64, u64>) -> bool {
    matches!(cache.lookup(&1), Lookup::Suspect(_))
}

// P-32
#[tokio::test(start_paused = true)]
async fn a_dead_node_makes_suspects_only_in_the_caches_that_it_declared() {
    let cluster = Cluster::of(&["a", "b", "c"]);
    let [a, _b, c] = three(&cluster, &["orders"]).await;
    let (orders, users) = (filled(&a, "orders").await, filled(&a, "users").await);
    cluster.isolate("c", &["a", "b"]);
    until("the silent node is ended", || is_suspect(&orders)).await;
    assert!(matches!(users.lookup(&1), Lookup::Hit(_)));
    // Also once its longest transaction is over.
    sleep(Duration::from_secs(40)).await;
    assert!(is_suspect(&orders) && matches!(users.lookup(&1), Lookup::Hit(_)));
    drop(c);
}

// P-32
#[tokio::test(start_paused = true)]
async fn a_dead_node_that_only_reads_makes_no_suspects_and_one_without_a_declaration_everywhere() {
    for (declares, suspect) in [(true, false), (false, true)] {
        let cluster = Cluster::of(&["a", "b", "c"]);
        let builder = cluster.builder("c");
        let builder = if declares { builder.writes_only([""; 0]) } else { builder };
        let (a, b) = (cluster.start("a").await, cluster.start("b").await);
        let c = builder.start().await.unwrap();
        for node in [&a.node, &b.node, &c] {
            node.joined().await.unwrap();
        }
        let users = filled(&a.node, "users").await;
        cluster.isolate("c", &["a", "b"]);
        let ended = || a.node.status().members.iter().all(|member| member.name.as_str() != "c");
        until("the silent node is ended", ended).await;
        sleep(Duration::from_millis(100)).await;
        assert_eq!(is_suspect(&users), suspect);
    }
}

// P-35
#[tokio::test(start_paused = true)]
async fn what_was_not_declared_is_not_written() {
    let cluster = Cluster::of(&["a", "b", "c"]);
    let [a, _b, c] = three(&cluster, &["orders"]).await;
    let (here, there) = (filled(&a, "users").await, filled(&c, "users").await);
    for refused in [
        there.remove(&1).await,
        there.set(1, 11).await,
        there.expire(&1).await,
        there.remove_tag("tag").await,
        there.clear().await,
        there.remove_many(&[1]).await,
        c.remove_tag("tag").await,
        c.clear().await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotDeclared);
    }
    sleep(Duration::from_secs(1)).await;
    assert!(here.get(&1).is_some() && there.get(&1).is_some(), "nothing was done");
    let orders = filled(&c, "orders").await;
    let at_a = filled(&a, "orders").await;
    assert!(orders.remove(&1).await.unwrap().announced());
    until("it reached the other node", || at_a.get(&1).is_none()).await;
    assert!(here.remove(&1).await.unwrap().announced(), "others may");
}
