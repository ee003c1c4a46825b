//! A node with its caches, its backplane and its second level.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use unstale::metrics::names;
use unstale::{Cache, Error, Freshness, Json, Load, Node, Served, SessionToken};
use unstale_audit::Read;
use unstale_redis::{Connection, Pulse, RedisBackplane, RedisStore, Settings, State};

use crate::authority::Authority;
use crate::flawed::{Flaw, FlawedStore};
use crate::judge::now;
use crate::offset::Offset;

/// Rows that are written and read all the time.
pub(crate) const HOT: u32 = 48;
/// Rows that nobody writes.
pub(crate) const STILL: u32 = 100;
pub(crate) const ROWS: u32 = HOT + STILL;
pub(crate) const ROWS_OF_A_TAG: u32 = 4;
/// So that rows come and go, and are read from the second level.
const HOT_CAPACITY: u64 = 24;
const STORE_TIMEOUT: Duration = Duration::from_millis(250);
const LIFE: Duration = Duration::from_secs(3_600);
/// A proof older than this is none that anybody could use.
const PROOF_AGE_MAX: Duration = Duration::from_millis(500);

/// What is cached of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) version: u64,
    body: String,
}

impl Row {
    pub(crate) fn new(version: u64) -> Self {
        Self { version, body: String::new() }
    }
}

/// How a member starts.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) name: String,
    pub(crate) process: u32,
    /// Where Redis is, or who knows it.
    pub(crate) url: String,
    pub(crate) authority: Authority,
    /// How far its clocks are ahead.
    pub(crate) ahead: Duration,
    pub(crate) body_bytes: usize,
    /// What is broken about its second level.
    pub(crate) flaw: Option<Flaw>,
}

/// Clones are one.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) process: u32,
    pub(crate) node: Node,
    pub(crate) hot: Cache<u32, Row>,
    pub(crate) still: Cache<u32, Row>,
    connection: Connection,
    pulse: Pulse,
    database: Database,
}

/// What a read demands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Demand {
    Plain,
    Fresh(Freshness),
    /// Not to miss the write that this names, which gave the row this version.
    Session(SessionToken, u64),
}

impl Member {
    pub(crate) async fn start(start: Start) -> Self {
        let Start { name, process, url, authority, ahead, body_bytes, flaw } = start;
        let settings = Settings::parse(&url).unwrap();
        let backplane = RedisBackplane::builder(settings.clone()).group("shop").start().unwrap();
        let (connection, pulse) = (Connection::open(settings), backplane.pulse());
        let store = FlawedStore::new(RedisStore::new(&connection), flaw);
        let builder = Node::builder("shop").name(&*name).backplane(backplane).store(store);
        let node = builder.clock(Offset(ahead)).start().await.unwrap();
        let cache = |name: &str, capacity| {
            let cache = node.cache(name).time_to_live(LIFE).store_timeout(STORE_TIMEOUT).stored_as(Json);
            cache.capacity_entries(capacity).build().unwrap()
        };
        let (hot, still) = (cache("hot", HOT_CAPACITY), cache("still", u64::from(STILL) * 4));
        let database = Database { authority, body_bytes };
        Self { process, node, hot, still, connection, pulse, database }
    }

    /// Reads a row that is written all the time, from a database that answers after `dawdle`.
    pub(crate) async fn read(&self, row: u32, demand: Demand, dawdle: Duration) -> Result<Read, Error> {
        let began = now();
        let database = self.database.clone();
        let loader =
            async move |load: Load<Row>| Ok::<_, Infallible>(database.load(row, dawdle, &load).await);
        let asked = self.hot.get_or_load(&row, loader).at(self.node.now());
        let asked = match demand {
            Demand::Plain => asked,
            Demand::Fresh(freshness) => asked.freshness(freshness),
            Demand::Session(token, _) => asked.session(token),
        };
        let read = asked.await?;
        let (within, due) = match demand {
            Demand::Fresh(freshness) if read.proven() => (Some(freshness.duration().as_nanos() as u64), None),
            Demand::Session(_, version) => (None, Some(version)),
            Demand::Plain | Demand::Fresh(_) => (None, None),
        };
        let served = match read.served() {
            Served::Hit => unstale_audit::Served::Hit,
            Served::Stale => unstale_audit::Served::Stale,
            Served::Bypass => unstale_audit::Served::Bypass,
            Served::Load => unstale_audit::Served::Load,
            other => unreachable!("{other:?} is newer than this test"),
        };
        let answered = Read::new(self.process, row, read.version, served);
        Ok(Read { began, ended: now(), within, due, ..answered })
    }

    /// Reads a row that nobody writes; whether that took no load.
    pub(crate) async fn has_still(&self, row: u32) -> bool {
        let (database, is_loaded) = (self.database.clone(), Arc::new(AtomicBool::new(false)));
        let note = Arc::clone(&is_loaded);
        let loader = async move |load: Load<Row>| {
            note.store(true, Ordering::Relaxed);
            Ok::<_, Infallible>(database.load(row, Duration::ZERO, &load).await)
        };
        self.still.get_or_load(&row, loader).await.unwrap();
        !is_loaded.load(Ordering::Relaxed)
    }

    /// How many rows that nobody writes are fresh in memory.
    pub(crate) fn resident(&self) -> u64 {
        (HOT..ROWS).filter(|row| self.still.get(row).is_some()).count() as u64
    }

    /// Joined, announces what it writes, and has a proof that is young.
    pub(crate) fn proves(&self) -> bool {
        let ready = self.node.ready();
        ready.is_ready() && ready.proof_age().is_some_and(|age| age < PROOF_AGE_MAX)
    }

    /// Whether its backplane and its second level are connected.
    pub(crate) fn is_connected(&self) -> bool {
        let is_up = |state| state == State::Up;
        is_up(self.pulse.read().state) && is_up(self.connection.health().state)
    }

    /// Connected, and proves.
    pub(crate) fn is_well(&self) -> bool {
        self.is_connected() && self.proves()
    }

    /// How often the second level answered with a record or took one.
    pub(crate) fn store_uses(&self) -> u64 {
        let metrics = self.node.metrics();
        let of = |outcome| metrics.count(names::CACHE_STORE_CALLS, &[(names::OUTCOME, outcome)]);
        of("hit") + of("stored")
    }

    /// How often it found that it had not run for long.
    pub(crate) fn lates(&self) -> u64 {
        self.node.metrics().count(names::PROTOCOL_EVENTS, &[(names::REASON, "late")])
    }

    /// What it doubted so far, by cause, and whom it took for dead: lines of its metrics.
    pub(crate) fn doubts(&self) -> String {
        let text = self.node.metrics().to_prometheus();
        let is_doubt = |line: &&str| {
            [names::DISTRUSTS, names::MEMBERS_ENDED, names::GAPS_CLOSED, names::PROTOCOL_EVENTS]
                .iter()
                .any(|metric| line.starts_with(metric.name()) && !line.ends_with(" 0"))
        };
        text.lines().filter(is_doubt).collect::<Vec<_>>().join("; ")
    }

    /// The era of the register that it is in.
    pub(crate) fn era(&self) -> Option<u64> {
        self.node.status().register.as_ref().and_then(|register| register.era)
    }
}

/// The database as a member reads it.
#[derive(Clone)]
struct Database {
    authority: Authority,
    body_bytes: usize,
}

impl Database {
    async fn load(&self, row: u32, dawdle: Duration, load: &Load<Row>) -> Row {
        load.tag(tag_of(row));
        let version = self.authority.version(row);
        // Late, so that a write and its invalidation may overtake it.
        let _ = timeout(dawdle, pending::<()>()).await;
        Row { version, body: "b".repeat(self.body_bytes) }
    }
}

/// Some rows share a tag each.
pub(crate) fn tag_of(row: u32) -> String {
    format!("tag {}", row / ROWS_OF_A_TAG)
}
