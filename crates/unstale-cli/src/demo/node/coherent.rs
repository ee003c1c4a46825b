//! The cache that the demo is about: unstale, on a mesh or over a Redis.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use unstale::{
    Cache, Closed as How, ErrorKind, Event, Events, FailSafe, Freshness, Json, Lookup, Node, NodeBuilder,
    ProtocolEvent, Served, State, Stream, Via,
};
use unstale_fusion::{Format, FusionCache, FusionSettings};
use unstale_mesh::Mesh;
use unstale_redis::{Connection, RedisBackplane, RedisStore, RedisStoreOptions, Settings, SharedRedis};

use super::log::Log;
use super::source::{Row, Source};
use super::subject::{Answer, Ask, Receipt};
use crate::demo::clock;
use crate::demo::hub::{PREFIX, Spoke};
use crate::demo::line::{ActNumber, Closed, Detail, Start};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a node waits to be joined with all its peers before it works with those that there are.
const JOINING: Duration = Duration::from_secs(6);

/// Nothing expires during a run: whatever leaves the cache was invalidated.
const TIME_TO_LIVE: Duration = Duration::from_secs(4 * 3_600);

/// A node and its cache.
#[derive(Debug)]
pub(super) struct Coherent {
    node: Node,
    /// Keys are texts, which a .NET node can share.
    rows: Cache<String, Row>,
    source: Arc<Source>,
    observer: JoinHandle<()>,
}

impl Coherent {
    /// Begins to join the peers; the address is where it listens for them, on a mesh.
    pub(super) async fn start(
        start: &Start,
        source: Arc<Source>,
        log: Arc<Log>,
    ) -> Result<(Self, Option<SocketAddr>), Failure> {
        let builder = Node::builder("unstale-demo").name(&start.name);
        // What a killed node owed to the second level its successor makes good.
        let owed = start.database.with_file_name(format!("{}.owed", start.name));
        let (node, address) = match &start.hub {
            None => {
                let (node, address) = on_mesh(builder, start).await?;
                (node, Some(address))
            }
            Some(spoke) => (over_redis(builder, spoke, &owed).await?, None),
        };
        let name = start.hub.as_ref().map_or_else(|| "rows".to_owned(), Spoke::name);
        let rows =
            node.cache(&name).time_to_live(TIME_TO_LIVE).fail_safe(FailSafe::for_at_most(TIME_TO_LIVE));
        let rows = match &start.hub {
            Some(spoke) if spoke.with_dotnet => {
                rows.stored_as(Json).foreign(shared(spoke)?).recovery_file(owed)
            }
            Some(_) => rows.stored_as(Json),
            None => rows,
        };
        let rows = rows.build()?;
        let observer = tokio::spawn(observe(node.events(), log, start.detail));
        Ok((Self { node, rows, source, observer }, address))
    }

    /// Returns once the node is joined, or a while later.
    pub(super) async fn joined(&self) {
        let joined = async {
            self.rows.until_heard().await;
            self.node.joined().await
        };
        let _ = tokio::time::timeout(JOINING, joined).await;
    }

    /// Reads a row in the way that `ask` says; `None` if that failed.
    pub(super) async fn read(&self, row: u32, ask: Ask) -> Option<Answer> {
        let source = Arc::clone(&self.source);
        let load = async move |_| source.load(row).await;
        let key = row.to_string();
        let get = self.rows.get_or_load(&key, load);
        let (read, within) = match ask {
            Ask::Plain => {
                let value = get.await.ok()?;
                return Some(Answer { row: *value, said_stale: false, proven_within: None });
            }
            Ask::ProvenOrFlag(within) => {
                let freshness = Freshness::within(within).or_flag();
                (get.freshness(freshness).at(self.node.now()).await.ok()?, within)
            }
            Ask::ProvenOrBypass(within) => {
                let freshness = Freshness::within(within).or_bypass();
                (get.freshness(freshness).at(self.node.now()).await.ok()?, within)
            }
            Ask::Session { token, .. } => (get.session(token.parse().ok()?).await.ok()?, Duration::MAX),
        };
        let proven_within = if read.served() == Served::Bypass {
            Some(Duration::ZERO)
        } else {
            read.proven().then_some(within)
        };
        Some(Answer { row: **read, said_stale: read.served() == Served::Stale, proven_within })
    }

    /// Makes every node forget a row.
    pub(super) async fn remove(&self, row: u32) -> Result<Receipt, unstale::Error> {
        let receipt = match self.rows.remove(&row.to_string()).await {
            // Every node has forgotten the row, and the Redis will as soon as it can be told.
            Err(error) if error.kind() == ErrorKind::Store => {
                return Ok(Receipt { announced: false, act: ActNumber::default(), token: String::new() });
            }
            receipt => receipt?,
        };
        let session = receipt.session();
        Ok(Receipt {
            announced: receipt.announced(),
            act: ActNumber { stream: session.stream().to_string(), number: session.seq().0 },
            token: session.to_string(),
        })
    }

    /// The row, if it would be answered without a load.
    pub(super) fn hit(&self, row: u32) -> Option<Row> {
        self.rows.get(&row.to_string()).map(|value| *value)
    }

    /// Whether the row is there at all, trusted or not.
    pub(super) fn resident(&self, row: u32) -> bool {
        matches!(self.rows.lookup(&row.to_string()), Lookup::Hit(_) | Lookup::Suspect(_) | Lookup::Stale(_))
    }

    /// How many rows are distrusted.
    pub(super) fn suspects(&self) -> u64 {
        let suspect = |row: &u32| matches!(self.rows.lookup(&row.to_string()), Lookup::Suspect(_));
        (0..self.source.rows()).filter(suspect).count() as u64
    }

    /// How the node stands with its peers.
    pub(super) fn state(&self) -> &'static str {
        match self.node.status().state {
            State::Joining => "joining",
            State::Joined => "joined",
            State::Alone => "alone",
            State::Unjoined => "unjoined",
            State::Left => "left",
        }
    }

    /// Says goodbye to the peers.
    pub(super) async fn leave(&self) {
        // Whoever does not hear the goodbye finds out by the silence.
        let _ = self.node.shutdown().await;
    }
}

/// A node that its peers dial, and the address where they do.
async fn on_mesh(builder: NodeBuilder, start: &Start) -> Result<(Node, SocketAddr), Failure> {
    let listener = TcpListener::bind(start.listen)?;
    let address = listener.local_addr()?;
    let mut mesh = Mesh::builder().cluster("unstale-demo").listener(listener);
    for (name, address) in &start.peers {
        mesh = mesh.peer(format!("{name}={address}"));
    }
    Ok((builder.backplane(mesh.start().await?).start().await?, address))
}

/// A node that meets the others in a Redis, which is its second level, too, unless it shares that with .NET nodes.
async fn over_redis(builder: NodeBuilder, spoke: &Spoke, owed: &Path) -> Result<Node, Failure> {
    let settings = Settings::parse(&spoke.url)?;
    let backplane = RedisBackplane::builder(settings.clone()).prefix(PREFIX).group(&spoke.run).start()?;
    let builder = builder.backplane(backplane);
    if spoke.with_dotnet {
        return Ok(builder.start().await?);
    }
    let connection = Connection::open(settings);
    let options = RedisStoreOptions { namespace: spoke.name(), ..RedisStoreOptions::default() };
    Ok(builder.store(RedisStore::with(&connection, options)?).recovery_file(owed).start().await?)
}

/// The cache as the .NET node has it.
fn shared(spoke: &Spoke) -> Result<FusionCache, Failure> {
    let redis = SharedRedis::open(Settings::parse(&spoke.url)?)?;
    let settings = FusionSettings::new(&spoke.name(), Format::SystemTextJson);
    Ok(FusionCache::open(redis, settings.key_prefix(format!("{}:", spoke.name())))?)
}

impl Drop for Coherent {
    fn drop(&mut self) {
        self.observer.abort();
    }
}

/// Notes what the node reports.
async fn observe(mut events: Events, log: Arc<Log>, detail: Detail) {
    // Acts that are missing now, by stream.
    let mut missing: HashMap<Stream, u64> = HashMap::new();
    while let Some(event) = events.recv().await {
        let is_of_peers = matches!(
            event,
            Event::State(_) | Event::Distrusted { .. } | Event::Lifted { .. } | Event::Protocol(_)
        );
        if detail == Detail::Peers && is_of_peers {
            log.noticed(format!("{event:?}"));
        }
        if let Event::Applied { stream, range, via: Via::Live, at } = event {
            let act = ActNumber { stream: stream.to_string(), number: range.first.0 };
            log.applied(act, range.last.0, clock::of(at));
        } else if let Event::Protocol(ProtocolEvent::GapSeen { stream, range, .. }) = event {
            let before = missing.entry(stream).or_default();
            log.lost(range.count().saturating_sub(*before));
            *before = (*before).max(range.count());
        } else if let Event::Protocol(ProtocolEvent::GapClosed { stream, range, how, since_up, since_seen }) =
            event
        {
            let before = missing.remove(&stream).unwrap_or_default();
            log.lost(range.count().saturating_sub(before));
            let closed = Closed {
                at: clock::now(),
                up_to_seen_us: micros(since_up.saturating_sub(since_seen)),
                up_to_closed_us: micros(since_up),
            };
            match how {
                How::Replay | How::Digest => log.repaired(range.count(), closed),
                How::Distrust => log.distrusted(closed),
            }
        }
    }
}

fn micros(length: Duration) -> u64 {
    length.as_micros() as u64
}
