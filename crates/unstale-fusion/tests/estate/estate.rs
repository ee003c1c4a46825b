//! Two nodes of ours and two of theirs on one Redis, with clients, while something may go wrong.

use std::sync::Arc;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;
use unstale_fusion::Format;
use unstale_servers::{FusionNode, Redis};

use crate::authority::Authority;
use crate::ours::{Ours, pause, sum};
use crate::run::{Dice, Totals};
use crate::theirs;

/// Clients of each node of ours; a .NET node answers one request at a time.
const CLIENTS: u64 = 6;
/// Until all nodes are connected again, .NET nodes among them.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// Nodes, each of which subscribes.
const NODES: i64 = 4;

/// How an estate is built.
pub(crate) struct Plan {
    /// For people.
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    /// The URL by which each node of ours finds Redis.
    pub(crate) ours: [String; 2],
    /// The address by which each of theirs does.
    pub(crate) theirs: [String; 2],
    /// How far the clocks of our second node are ahead.
    pub(crate) apart: Duration,
}

impl Plan {
    /// All nodes connect to Redis itself.
    pub(crate) fn on(redis: &Redis, name: &'static str, format: Format) -> Self {
        let (ours, theirs) = ([redis.url(), redis.url()], [redis.address(), redis.address()]);
        Self { name, format, ours, theirs, apart: Duration::ZERO }
    }
}

/// A running estate. Its clients work until [`Estate::finish`].
pub(crate) struct Estate {
    pub(crate) authority: Arc<Authority>,
    name: &'static str,
    ours: [Ours; 2],
    totals: Arc<Totals>,
    clients: JoinSet<()>,
    began: Instant,
}

impl Estate {
    pub(crate) async fn start(plan: Plan) -> Self {
        let Plan { name, format, ours: [a, b], theirs: addresses, apart } = plan;
        let ours =
            [Ours::start(0, &a, &format, Duration::ZERO).await, Ours::start(1, &b, &format, apart).await];
        let serializer = ["--serializer", theirs::word(&format)];
        let mut theirs = Vec::new();
        for address in addresses {
            theirs.push(FusionNode::start(&address, &serializer).await.expect("the live node starts"));
        }
        for node in &ours {
            let ready = timeout(BACK_WITHIN, node.until_ready()).await;
            assert!(ready.is_ok(), "two nodes join, and hear");
        }
        let (authority, totals) = (Arc::new(Authority::new()), Arc::new(Totals::default()));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS * 2 {
            let (authority, totals) = (Arc::clone(&authority), Arc::clone(&totals));
            clients.spawn(ours[client as usize % 2].clone().work(authority, totals, Dice::new(client)));
        }
        for (who, node) in theirs.into_iter().enumerate() {
            let (authority, totals) = (Arc::clone(&authority), Arc::clone(&totals));
            clients.spawn(theirs::work(node, 2 + who, authority, totals, Dice::new(100 + who as u64)));
        }
        Self { authority, name, ours, totals, clients, began: Instant::now() }
    }

    /// All of them read and write for a while.
    pub(crate) async fn go_on(&self) {
        let (reads, of_theirs) = (sum(&self.totals.reads), sum(&self.totals.of_theirs));
        let busy = async {
            while sum(&self.totals.reads) < reads + 1_000 || sum(&self.totals.of_theirs) < of_theirs + 100 {
                pause(5).await;
            }
        };
        assert!(timeout(BACK_WITHIN, busy).await.is_ok(), "{}: hardly anybody reads", self.name);
    }

    /// Redis was away, or nodes from it: waits until each is back, and says how long that took.
    pub(crate) async fn comes_back(&self, redis: &Redis, fault: &str) {
        let healed = Instant::now();
        let back = async {
            while subscribers(redis).await < NODES
                || !self.ours[0].is_well().await
                || !self.ours[1].is_well().await
            {
                pause(20).await;
                self.authority.lose();
            }
        };
        assert!(timeout(BACK_WITHIN, back).await.is_ok(), "{}, {fault}: somebody is not back", self.name);
        self.authority.comes();
        say(&format!("{}, {fault}: all are back after {} ms\n", self.name, healed.elapsed().as_millis()));
        self.go_on().await;
    }

    /// How long it has run.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Stops the clients; no answer of ours broke the promise.
    pub(crate) async fn finish(mut self) {
        self.totals.end();
        while let Some(client) = self.clients.join_next().await {
            client.expect("no client panics");
        }
        let seconds = self.age().as_secs();
        let Self { name, ours, authority, totals, .. } = self;
        say(&totals.report(name, seconds, &authority, &ours));
        let breaches = totals.breaches.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            breaches.is_empty(),
            "{name}: {} answers, such as:\n{}",
            sum(&totals.breaches_count),
            breaches.join("\n")
        );
        assert!(
            sum(&totals.reads) > 20 * seconds && sum(&totals.of_theirs) > 5 * seconds,
            "hardly anything happened"
        );
        assert!(sum(&totals.hits) > sum(&totals.reads) / 10, "hardly anything was cached");
    }
}

/// Of the channel that most listen to, which is the one of the .NET nodes.
async fn subscribers(redis: &Redis) -> i64 {
    let channels = redis.command(&["PUBSUB", "CHANNELS"]).await.expect("redis answers");
    let mut most = 0;
    for channel in channels.list() {
        let channel = channel.text().expect("a name");
        let counts = redis.command(&["PUBSUB", "NUMSUB", channel]).await.expect("redis answers");
        most = most.max(counts.list()[1].number().expect("a count"));
    }
    most
}

/// Past the test harness, which keeps what a passing test prints.
fn say(text: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).expect("somebody listens");
}
