//! What reads owe to the protocol: whole nodes over links in memory, on tokio's paused clock.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};
use unstale::{Cache, Clock, Freshness, Load, Node, Raw, Read, SessionToken, Value};
use unstale_core::Mechanism;
use unstale_port::ForeignHeard;
use unstale_port::memory::{Hub, MemoryStore, Strangers};

use crate::violation::{Promise, Violation};

const QUARTER: Duration = Duration::from_millis(250);

/// A process is stopped; the first to run afterwards is a reader, before any task of the node (P-39).
pub(crate) fn reader_runs_first(without: Option<&str>) -> Result<(), Violation> {
    play(without, async |pair| {
        pair.leap(Duration::from_secs(2));
        let announced = pair.write(&pair.b).await?;
        pair.leap(Duration::from_secs(1));
        pair.demand_unproven(announced)
    })
}

/// The machine of a node is suspended, and with it every clock that does not count suspend (P-38).
pub(crate) fn machine_suspended(without: Option<&str>) -> Result<(), Violation> {
    play(without, async |pair| {
        pair.leap(Duration::from_secs(2));
        pair.a.clock.suspended.fetch_add(2_000_000_000, Ordering::Relaxed);
        let announced = pair.write(&pair.b).await?;
        pair.leap(Duration::from_millis(300));
        pair.a.clock.suspended.fetch_add(300_000_000, Ordering::Relaxed);
        pair.demand_unproven(announced)
    })
}

/// A read waits for an exchange; the act that ends its entry comes before the proof (P-14, P-15).
pub(crate) fn act_comes_with_the_proof(without: Option<&str>) -> Result<(), Violation> {
    play(without, async |pair| {
        pair.hub.hold("b", "a");
        pair.write(&pair.b).await?;
        sleep(Duration::from_millis(1)).await;
        let within = Freshness::within(Duration::ZERO).or_wait().or_error();
        let (read, ()) = tokio::join!(pair.a.bounded(within), async {
            sleep(Duration::from_millis(20)).await;
            pair.hub.release("b", "a");
        });
        match read {
            Ok(read) if read.proven() && **read == OLD => {
                Err(Violation::new(Promise::S1, "a read is proven for the present with the entry before"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    })
}

/// A token names a write of a process that has died since, and the operator said so (P-36).
pub(crate) fn token_of_the_dead(without: Option<&str>) -> Result<(), Violation> {
    play(without, async |pair| {
        pair.hub.hold("b", "a");
        let token = pair.write(&pair.b).await?;
        pair.hub.cut("a", "b");
        sleep(Duration::from_secs(1)).await;
        pair.a.node.end_member("b").await.unwrap();
        sleep(QUARTER).await;
        let began = Instant::now();
        pair.a.after(token).await;
        if began.elapsed() < Duration::from_millis(100) {
            return Ok(());
        }
        let text = format!("a token of an ended stream holds a request for {:?}", began.elapsed());
        Err(Violation::new(Promise::P9, text))
    })
}

/// A program that is no node changes a row that nodes cache, and what it says of that is still on its way (P-8).
pub(crate) fn foreign_writer(without: Option<&str>) -> Result<(), Violation> {
    play(without, async |pair| {
        let strangers = Strangers::new(MemoryStore::new());
        let shared = pair.a.node.cache("shared").time_to_live(Duration::from_secs(3_600));
        let shared: Cache<u64, Bytes> = shared.stored_as(Raw).foreign(strangers.clone()).build().unwrap();
        strangers.say(&ForeignHeard::Began);
        shared.until_heard().await;
        let old = async |_: Load<Bytes>| Ok::<_, Infallible>(Bytes::from_static(b"old"));
        shared.get_or_load(&0, old).await.unwrap();
        // Now the row changes, and nothing comes of it.
        sleep(Duration::from_secs(1)).await;
        let new = async |_: Load<Bytes>| Ok::<_, Infallible>(Bytes::from_static(b"new"));
        let within = Freshness::within(QUARTER).or_wait();
        let read = shared.get_or_load(&0, new).freshness(within).await.unwrap();
        if read.proven() && ***read == *b"old" {
            let text = format!("a row that a stranger changed 1 s ago is proven within {QUARTER:?}");
            return Err(Violation::new(Promise::S1, text));
        }
        Ok(())
    })
}

/// The row before the write, and after it.
const OLD: u64 = 1;
const NEW: u64 = 2;

/// Two nodes that have joined, each with the old row in its cache.
struct Pair {
    hub: Hub,
    row: Arc<AtomicU64>,
    a: Member,
    b: Member,
}

struct Member {
    node: Node,
    rows: Cache<u64, u64>,
    row: Arc<AtomicU64>,
    clock: Arc<Leaps>,
}

fn play(
    without: Option<&str>,
    scenario: impl AsyncFnOnce(Pair) -> Result<(), Violation>,
) -> Result<(), Violation> {
    let mechanism = without.and_then(Mechanism::from_name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let pair = timeout(Duration::from_secs(60), Pair::start(mechanism)).await;
        let pair = pair.map_err(|_| Violation::new(Promise::P9, "two nodes do not join"))?;
        scenario(pair).await
    })
}

impl Pair {
    async fn start(without: Option<Mechanism>) -> Self {
        let (hub, row) = (Hub::fixed(["a", "b"]), Arc::new(AtomicU64::new(OLD)));
        let a = Member::start(&hub, "a", 1, &row, without).await;
        let b = Member::start(&hub, "b", 2, &row, without).await;
        for member in [&a, &b] {
            member.node.joined().await.unwrap();
            member.read().await;
        }
        sleep(Duration::from_secs(1)).await;
        Self { hub, row, a, b }
    }

    /// Time passes, and no task runs meanwhile.
    fn leap(&self, by: Duration) {
        for member in [&self.a, &self.b] {
            member.clock.leapt.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Changes the row. The scenarios need it to be announced.
    async fn write(&self, member: &Member) -> Result<SessionToken, Violation> {
        self.row.store(NEW, Ordering::Relaxed);
        let receipt = member.rows.remove(&0).await.unwrap();
        if receipt.announced() {
            Ok(receipt.session())
        } else {
            Err(Violation::new(Promise::P9, "a write with a lease is not announced"))
        }
    }

    /// What was announced longer ago than is demanded may not be missing from what is proven.
    fn demand_unproven(&self, announced: SessionToken) -> Result<(), Violation> {
        match self.a.rows.get_within_now(&0, QUARTER) {
            Some(read) if **read == OLD => {
                let text =
                    format!("a proves the old row within {QUARTER:?}; {announced} was announced before");
                Err(Violation::new(Promise::S1, text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Member {
    async fn start(
        hub: &Hub,
        label: &str,
        seed: u64,
        row: &Arc<AtomicU64>,
        without: Option<Mechanism>,
    ) -> Self {
        let clock = Arc::new(Leaps::new());
        let mut builder = Node::builder("shop").name(label).backplane(hub.join(label)).seed(seed);
        builder = builder.clock(LeapingClock(Arc::clone(&clock)));
        if let Some(mechanism) = without {
            builder = builder.without(mechanism);
        }
        let node = builder.start().await.unwrap();
        let rows = node.cache("rows").time_to_live(Duration::from_secs(3_600)).build().unwrap();
        Self { node, rows, row: Arc::clone(row), clock }
    }

    async fn read(&self) {
        let row = Arc::clone(&self.row);
        let load = async move |_: Load<u64>| Ok::<u64, Infallible>(row.load(Ordering::Relaxed));
        self.rows.get_or_load(&0, load).await.unwrap();
    }

    async fn bounded(&self, freshness: Freshness) -> Result<Read<Value<u64>>, unstale::Error> {
        let row = Arc::clone(&self.row);
        let load = async move |_: Load<u64>| Ok::<u64, Infallible>(row.load(Ordering::Relaxed));
        self.rows.get_or_load(&0, load).freshness(freshness).await
    }

    async fn after(&self, token: SessionToken) {
        let row = Arc::clone(&self.row);
        let load = async move |_: Load<u64>| Ok::<u64, Infallible>(row.load(Ordering::Relaxed));
        self.rows.get_or_load(&0, load).session(token).await.unwrap();
    }
}

/// Time that passed beside tokio's, in nanoseconds.
#[derive(Debug)]
struct Leaps {
    start: Instant,
    leapt: AtomicU64,
    /// While the machine was suspended.
    suspended: AtomicU64,
}

impl Leaps {
    fn new() -> Self {
        Self { start: Instant::now(), leapt: AtomicU64::new(0), suspended: AtomicU64::new(0) }
    }

    fn nanos(&self) -> u64 {
        3_600_000_000_000 + self.start.elapsed().as_nanos() as u64 + self.leapt.load(Ordering::Relaxed)
    }
}

struct LeapingClock(Arc<Leaps>);

impl Clock for LeapingClock {
    fn now(&self) -> unstale::Instant {
        unstale::Instant(self.0.nanos())
    }

    fn now_without_suspend(&self) -> unstale::Instant {
        unstale::Instant(self.0.nanos() - self.0.suspended.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.nanos() / 1_000_000
    }
}
