//! Bounded reads: proofs, young entries, exchanges.

use std::time::Duration;

use tokio::time::sleep;
use unstale::{Error, ErrorKind, Freshness, Load, Read, Served, Value};

use crate::cluster::{Cluster, Member, until};

const QUARTER: Duration = Duration::from_millis(250);

async fn bounded(member: &Member, key: u64, freshness: Freshness) -> Result<Read<Value<u64>>, Error> {
    let at = member.node.now();
    let load = async |_: Load<u64>| Ok::<u64, std::io::Error>(99);
    member.rows.get_or_load(&key, load).freshness(freshness).at(at).await
}

// P-10, P-12, P-16
#[tokio::test(start_paused = true)]
async fn proofs_flow_between_idle_nodes_so_reads_are_proven_within_a_quarter_second() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    cluster.database.write(1, 10);
    for member in [&a, &b, &c] {
        member.read(1).await;
    }
    sleep(Duration::from_secs(1)).await;
    for _ in 0..200 {
        sleep(Duration::from_millis(7)).await;
        for member in [&a, &b, &c] {
            let at = member.node.now();
            let read = member.rows.get_within(&1, at, QUARTER).expect("proven");
            assert!(read.proven());
            assert_eq!(read.served(), Served::Hit);
            assert!(read.proof_age().is_some_and(|age| age <= QUARTER));
        }
    }
}

// P-12
#[tokio::test(start_paused = true)]
async fn a_silent_member_stops_the_proof_and_each_read_gets_what_it_chose() {
    let (cluster, [a, _b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    a.read(1).await;
    sleep(Duration::from_secs(1)).await;
    cluster.hub.hold("b", "a");
    sleep(Duration::from_secs(1)).await;
    assert!(a.rows.get_within(&1, a.node.now(), QUARTER).is_none());
    let within = Freshness::within(QUARTER);
    let error = bounded(&a, 1, within.or_error()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotProven);
    let flagged = bounded(&a, 1, within.or_flag()).await.unwrap();
    assert!(!flagged.proven());
    assert_eq!(**flagged, 10);
    let bypassed = bounded(&a, 1, within.or_bypass()).await.unwrap();
    assert_eq!(**bypassed, 99);
    assert_eq!(bypassed.served(), Served::Bypass);
    // P-13: what was just loaded is young, and needs no proof.
    let young = a.rows.get_within(&1, a.node.now(), QUARTER).expect("young");
    assert_eq!(**young, 99);
    cluster.hub.release("b", "a");
    until("the proof came back", || a.node.ready().proof_age().is_some_and(|age| age < QUARTER)).await;
}

// P-15
#[tokio::test(start_paused = true)]
async fn an_exchange_proves_even_the_present() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    a.read(1).await;
    b.read(1).await;
    sleep(Duration::from_secs(1)).await;
    assert!(a.rows.get_within(&1, a.node.now(), Duration::ZERO).is_none());
    let read = bounded(&a, 1, Freshness::within(Duration::ZERO).or_wait().or_error()).await.unwrap();
    assert!(read.proven());
    assert_eq!(**read, 10, "no load was needed");
    cluster.hub.hold("b", "a");
    sleep(Duration::from_millis(1)).await;
    let error = bounded(&a, 1, Freshness::within(Duration::ZERO).or_wait().or_error()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotProven, "nobody answers");
}

// S1: what was announced before the exchange is reflected
#[tokio::test(start_paused = true)]
async fn a_proven_read_never_shows_what_an_announced_act_had_ended() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    for round in 0..20 {
        cluster.database.write(1, round);
        b.read(1).await;
        cluster.hub.hold("a", "b");
        let receipt = a.write(1, 100 + round).await;
        assert!(receipt.announced());
        sleep(Duration::from_millis(1)).await;
        let within = Freshness::within(Duration::ZERO).or_wait().or_error();
        let (read, ()) = tokio::join!(bounded(&b, 1, within), async {
            sleep(Duration::from_millis(20 * round)).await;
            cluster.hub.release("a", "b");
        });
        match read {
            Ok(read) => assert_ne!(**read, round),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotProven),
        }
        sleep(QUARTER).await;
    }
}
