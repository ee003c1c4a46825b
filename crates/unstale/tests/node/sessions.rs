//! Session tokens: at least as new as a write elsewhere.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use unstale::metrics::names;
use unstale::{Load, Read, Served, SessionToken, Value};

use crate::cluster::{Cluster, Member};

async fn read_after(member: &Member, key: u64, token: &SessionToken) -> Read<Value<u64>> {
    let load = async |_: Load<u64>| Ok::<u64, std::io::Error>(99);
    member.rows.get_or_load(&key, load).session(*token).await.unwrap()
}

// P-36
#[tokio::test(start_paused = true)]
async fn a_read_with_a_token_waits_for_the_write_that_it_names() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    b.read(1).await;
    cluster.hub.hold("a", "b");
    let receipt = a.write(1, 11).await;
    let token: SessionToken = receipt.session().to_string().parse().unwrap();
    let (read, ()) = tokio::join!(read_after(&b, 1, &token), async {
        sleep(Duration::from_millis(50)).await;
        assert_eq!(b.hit(1), Some(10), "not there yet");
        cluster.hub.release("a", "b");
    });
    assert_eq!(**read, 99, "loaded anew, since the act came");
    assert_eq!(read.served(), Served::Load);
    assert_eq!(b.node.metrics().count(names::SESSION_READS, &[(names::OUTCOME, "waited")]), 1);
    assert_eq!(read_after(&b, 1, &token).await.served(), Served::Hit);
    assert_eq!(read_after(&a, 1, &token).await.served(), Served::Load, "own writes need no wait");
}

// P-36
#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_met_ends_in_a_bypass_in_bounded_time() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    b.read(1).await;
    cluster.hub.hold("a", "b");
    let receipt = a.write(1, 11).await;
    let began = Instant::now();
    let read = read_after(&b, 1, &receipt.session()).await;
    assert_eq!(read.served(), Served::Bypass);
    assert!(began.elapsed() <= Duration::from_secs(1));
    let invented: SessionToken = "000102030405060708090a0b0c0d0e0f.1.7".parse().unwrap();
    let began = Instant::now();
    assert_eq!(read_after(&b, 1, &invented).await.served(), Served::Bypass);
    assert_eq!(began.elapsed(), Duration::ZERO, "an unknown stream is not waited for");
}

// P-23
#[tokio::test(start_paused = true)]
async fn a_write_is_confirmed_once_another_member_counts_it() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    b.read(1).await;
    cluster.hub.hold("a", "b");
    let receipt = a.write(1, 11).await;
    let waiting = tokio::time::timeout(Duration::from_millis(500), a.node.confirmed(&receipt)).await;
    assert!(waiting.is_err(), "nobody can count it yet");
    cluster.hub.release("a", "b");
    a.node.confirmed(&receipt).await.unwrap();
    assert!(b.rows.get(&1).is_none());
}
