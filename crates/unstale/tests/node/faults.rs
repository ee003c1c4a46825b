//! Links that lose, repeat, reorder and delay; peers that do not read; nodes that die.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant as TokioInstant, sleep};
use unstale::metrics::names;
use unstale::{Cache, Instant, Key, Lookup};
use unstale_port::{Faults, Faulty, Sleep, Timer};

use crate::cluster::{Cluster, Member, until};

/// Tokio's clock for the decorators, so that they follow the paused time.
struct TokioTimer(TokioInstant);

impl Timer for TokioTimer {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep_until(&self, due: Duration) -> Sleep {
        Box::pin(tokio::time::sleep_until(self.0 + due))
    }
}

/// Splitmix64: the test is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Values that rise with every write, and when each was announced. All nodes of a test share one clock.
#[derive(Default)]
struct History(BTreeMap<u64, Vec<(Instant, u64)>>);

impl History {
    fn wrote(&mut self, key: u64, value: u64, announced: Instant) {
        self.0.entry(key).or_default().push((announced, value));
    }

    /// The newest value announced before `instant`.
    fn announced_before(&self, key: u64, instant: Instant) -> u64 {
        let written = self.0.get(&key).into_iter().flatten();
        written.filter(|(announced, _)| *announced < instant).map(|(_, value)| *value).max().unwrap_or(0)
    }
}

// S1, S2, P-17: over an unordered transport
#[tokio::test(start_paused = true)]
async fn proven_reads_hold_and_holes_are_repaired_over_links_that_lose_repeat_and_reorder() {
    let cluster = Cluster::of(&["a", "b", "c"]);
    let faults = Faults { lose: 0.05, repeat: 0.1, reorder: 0.1, delay: Duration::from_millis(5) };
    let timer: Arc<dyn Timer> = Arc::new(TokioTimer(TokioInstant::now()));
    let mut members = Vec::new();
    for (seed, label) in ["a", "b", "c"].into_iter().enumerate() {
        let lossy = Faulty::with_timer(cluster.hub.join(label), faults, seed as u64, Arc::clone(&timer));
        members.push(cluster.member(cluster.builder_over(lossy, label).start().await.unwrap()));
    }
    for key in 0..8 {
        cluster.database.write(key, 0);
    }
    for member in &members {
        member.node.joined().await.unwrap();
    }
    let mut history = History::default();
    let mut dice = Dice(7);
    let mut proven = 0;
    for step in 1..4_000 {
        sleep(Duration::from_micros(dice.below(4_000))).await;
        let member = &members[dice.below(3) as usize];
        let key = dice.below(8);
        if dice.below(8) == 0 {
            let receipt = member.write(key, step).await;
            if receipt.announced() {
                history.wrote(key, step, member.node.now());
            }
            assert!(*member.read(key).await >= step, "own writes are seen");
        } else {
            member.read(key).await;
            let within = Duration::from_millis(dice.below(400));
            let at = member.node.now();
            if let Some(read) = member.rows.get_within(&key, at, within) {
                proven += 1;
                let owed = history.announced_before(key, at.minus(within));
                assert!(
                    **read >= owed,
                    "step {step}: {} was served within {within:?}, {owed} was owed",
                    **read
                );
            }
        }
    }
    assert!(proven > 1_000, "{proven} reads could be proven");
    let seen: u64 = members.iter().map(|member| member.count(names::GAPS_SEEN)).sum();
    assert!(seen > 10, "{seen} holes were seen");
    sleep(Duration::from_secs(2)).await;
    for member in &members {
        for key in 0..8 {
            assert_eq!(*member.read(key).await, cluster.database.row(key), "key {key}");
        }
        let metrics = member.node.metrics();
        let repairs = metrics.distribution(names::REPAIR_SECONDS, &[]).unwrap();
        assert!(repairs.max() <= Duration::from_secs(1), "{repairs:?}");
    }
}

// P-1, P-2: coalesced at the bound, exact in its range
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_frames_is_coalesced_for_and_holds_up_nobody() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    let keys: Vec<u64> = (0..20_000).collect();
    for member in [&b, &c] {
        let entries: Vec<(u64, u64)> = keys.iter().map(|key| (*key, 1)).collect();
        let _ = member.rows.set_many(entries).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    cluster.hub.hold("a", "b");
    for chunk in keys.chunks(100) {
        let receipt = a.rows.remove_many(chunk).await.unwrap();
        assert!(receipt.announced());
        sleep(Duration::from_millis(1)).await;
    }
    until("c has it all", || keys.iter().all(|key| c.hit(*key).is_none())).await;
    // The status is refreshed four times a second.
    sleep(Duration::from_millis(300)).await;
    let status = a.node.status();
    let queue =
        |name: &str| status.members.iter().find(|member| member.name.as_str() == name).unwrap().clone();
    assert!(queue("b").coalesced > 0);
    assert!(queue("b").queue.bytes <= status.limits.peer_queue.bytes);
    assert_eq!(queue("c").coalesced, 0);
    cluster.hub.release("a", "b");
    until("b has it all", || keys.iter().all(|key| b.hit(*key).is_none())).await;
    assert_eq!(b.count(names::DISTRUSTS), 0);
}

// S3, P-30 b, P-32, P-33
#[tokio::test(start_paused = true)]
async fn what_a_dead_node_may_have_written_is_revalidated_and_its_successor_is_admitted() {
    let (cluster, [a, b, c]) = Cluster::start_all(["a", "b", "c"]).await;
    cluster.database.write(1, 10);
    for member in [&a, &b, &c] {
        member.read(1).await;
    }
    cluster.isolate("c", &["a", "b"]);
    // Its last act reaches nobody: c dies right after its commit.
    let _ = c.write(1, 11).await;
    drop(c);
    assert_eq!(a.hit(1), Some(10), "nobody can know yet");
    until("c was ended", || {
        [&a, &b].iter().all(|member: &&Member| member.node.metrics().count(names::MEMBERS_ENDED, &[]) == 1)
    })
    .await;
    assert!(matches!(a.rows.lookup(&1), Lookup::Suspect(_)), "nothing is dropped, but nothing is trusted");
    assert_eq!(*a.read(1).await, 11);
    assert_eq!(*b.read(1).await, 11);
    cluster.heal("c", &["a", "b"]);
    let successor = cluster.start("c").await;
    successor.node.joined().await.unwrap();
    assert_eq!(*successor.read(1).await, 11);
    let receipt = successor.write(1, 12).await;
    assert!(receipt.announced());
    until("the successor is heard", || a.hit(1).is_none() && b.hit(1).is_none()).await;
}

/// A key whose bytes 13 this process cannot bear.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Unlucky(u8);

impl Key for Unlucky {
    type Kept = Self;

    fn encode(&self) -> Bytes {
        self.0.encode()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        assert_ne!(bytes, [13], "the unlucky number");
        u8::decode(bytes).map(Self)
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_panics_when_it_is_decoded_costs_its_cache_and_not_the_node() {
    let (_cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    let on_a: Cache<Unlucky, u64> = a.node.cache("unlucky").build().unwrap();
    let on_b: Cache<Unlucky, u64> = b.node.cache("unlucky").build().unwrap();
    let _ = b.rows.set(1, 10).await.unwrap();
    let _ = on_b.set(Unlucky(7), 70).await.unwrap();
    let _ = on_b.set(Unlucky(13), 130).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let _ = on_a.remove(&Unlucky(13)).await.unwrap();
    until("b applied it", || on_b.get(&Unlucky(13)).is_none()).await;
    assert!(on_b.get(&Unlucky(7)).is_none(), "the whole cache stands for the key");
    assert_eq!(b.hit(1), Some(10), "other caches keep what they have");
    let _ = a.rows.remove(&1).await.unwrap();
    until("the node goes on", || b.hit(1).is_none()).await;
}
