//! The run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;
use unstale_fusion::Format;
use unstale_servers::{FusionNode, Program, Redis, needs};

use crate::authority::Authority;
use crate::ours::{Ours, pause, sum};
use crate::theirs;

/// Clients of each node of ours; a .NET node answers one request at a time.
const CLIENTS: u64 = 6;
const LOSS_EVERY: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) reads: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) said_stale: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) of_theirs: AtomicU64,
    pub(crate) reads_of_theirs: AtomicU64,
    pub(crate) stale_reads_of_theirs: AtomicU64,
    longest_of_theirs_ms: AtomicU64,
    writes_refused: AtomicU64,
    breaches: Mutex<Vec<String>>,
    breaches_count: AtomicU64,
}

/// Random numbers that a seed repeats (splitmix64).
pub(crate) struct Dice(u64);

impl Totals {
    pub(crate) fn breach(&self, what: String) {
        self.breaches_count.fetch_add(1, Ordering::Relaxed);
        let mut breaches = self.breaches.lock().unwrap_or_else(PoisonError::into_inner);
        if breaches.len() < 20 {
            breaches.push(what);
        }
    }

    pub(crate) fn refused(&self, error: &unstale::Error) {
        assert_eq!(error.kind(), unstale::ErrorKind::Store, "{error}");
        self.writes_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stale_of_theirs(&self, by: Duration) {
        self.stale_reads_of_theirs.fetch_add(1, Ordering::Relaxed);
        self.longest_of_theirs_ms.fetch_max(by.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    }
}

/// Two nodes of ours and two of theirs, with clients that work until a time.
pub(crate) struct Estate {
    pub(crate) ours: [Ours; 2],
    pub(crate) authority: Arc<Authority>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) until: Instant,
    clients: JoinSet<()>,
    seconds: u64,
}

impl Estate {
    pub(crate) async fn start(redis: &Redis, format: &Format, seconds: u64) -> Self {
        let ours = [Ours::start(0, redis, format).await, Ours::start(1, redis, format).await];
        let serializer = ["--serializer", theirs::word(format)];
        let mut theirs = Vec::new();
        for _ in 0..2 {
            theirs
                .push(FusionNode::start(&redis.address(), &serializer).await.expect("the live node starts"));
        }
        for node in &ours {
            let ready = timeout(Duration::from_secs(30), node.until_ready()).await;
            assert!(ready.is_ok(), "two nodes join, and hear");
        }
        let (authority, totals) = (Arc::new(Authority::new()), Arc::new(Totals::default()));
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS * 2 {
            let (authority, totals) = (Arc::clone(&authority), Arc::clone(&totals));
            clients.spawn(ours[client as usize % 2].clone().work(authority, totals, Dice(client), until));
        }
        for (who, node) in theirs.into_iter().enumerate() {
            let (authority, totals) = (Arc::clone(&authority), Arc::clone(&totals));
            clients.spawn(theirs::work(node, 2 + who, authority, totals, Dice(100 + who as u64), until));
        }
        Self { ours, authority, totals, until, clients, seconds }
    }

    /// Waits for the clients; no answer of ours broke the promise.
    pub(crate) async fn finish(mut self) {
        while let Some(client) = self.clients.join_next().await {
            client.expect("no client panics");
        }
        let Self { ours, authority, totals, seconds, .. } = self;
        report(seconds, &authority, &totals, &ours);
        let breaches = totals.breaches.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            breaches.is_empty(),
            "{} answers, such as:\n{}",
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_a_mixed_estate_promises() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let seconds =
        std::env::var("UNSTALE_ESTATE_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let redis = Redis::start().await.expect("redis starts");
    let estate = Estate::start(&redis, &Format::SystemTextJson, seconds).await;
    let mut next_loss = Instant::now() + LOSS_EVERY;
    while Instant::now() < estate.until {
        pause(200).await;
        if Instant::now() > next_loss {
            next_loss += LOSS_EVERY;
            estate.authority.lose();
            redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("redis answers");
        }
    }
    estate.finish().await;
}

fn report(seconds: u64, authority: &Authority, totals: &Totals, ours: &[Ours]) {
    let undone: u64 = ours.iter().map(|node| node.fusion.counts().undone).sum();
    let doubted: u64 = ours.iter().map(|node| node.fusion.counts().doubted).sum();
    let settled: u64 = ours.iter().map(|node| node.fusion.counts().settled).sum();
    let lost: u64 = ours.iter().map(|node| node.fusion.counts().lost).sum();
    let text = format!(
        "estate, {seconds} s: {} reads of ours ({} hits, {} said stale), {} writes ({} refused); {} stale beyond the promise, at most {} ms \
         behind an act\n.NET: {} operations, {} reads with a value, {} of them stale by the same measure, at most {} ms; \
         undone {undone}, doubted {doubted}, settled {settled}, subscriptions lost {lost}\n",
        sum(&totals.reads),
        sum(&totals.hits),
        sum(&totals.said_stale),
        sum(&totals.writes),
        sum(&totals.writes_refused),
        sum(&totals.breaches_count),
        sum(&authority.most_behind) / 1_000,
        sum(&totals.of_theirs),
        sum(&totals.reads_of_theirs),
        sum(&totals.stale_reads_of_theirs),
        sum(&totals.longest_of_theirs_ms),
    );
    // Past the test harness, which keeps what a passing test prints.
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).expect("somebody listens");
}
