//! The run without faults but a subscription that is cut now and then; and what runs count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use unstale_fusion::Format;
use unstale_servers::{Program, Redis, needs};

use crate::authority::Authority;
use crate::estate::{Estate, Plan};
use crate::ours::{Ours, pause, sum};

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
    pub(crate) breaches: Mutex<Vec<String>>,
    pub(crate) breaches_count: AtomicU64,
    is_over: AtomicBool,
}

/// Random numbers that a seed repeats (splitmix64).
pub(crate) struct Dice(u64);

impl Totals {
    /// The clients are to stop.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

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

    /// What happened, for people.
    pub(crate) fn report(&self, name: &str, seconds: u64, authority: &Authority, ours: &[Ours]) -> String {
        let undone: u64 = ours.iter().map(|node| node.fusion.counts().undone).sum();
        let doubted: u64 = ours.iter().map(|node| node.fusion.counts().doubted).sum();
        let settled: u64 = ours.iter().map(|node| node.fusion.counts().settled).sum();
        let lost: u64 = ours.iter().map(|node| node.fusion.counts().lost).sum();
        format!(
            "{name}, {seconds} s: {} reads of ours ({} hits, {} said stale), {} writes ({} refused); {} stale beyond the promise, at most {} ms \
             behind an act\n.NET: {} operations, {} reads with a value, {} of them stale by the same measure, at most {} ms; \
             undone {undone}, doubted {doubted}, settled {settled}, subscriptions lost {lost}\n",
            sum(&self.reads),
            sum(&self.hits),
            sum(&self.said_stale),
            sum(&self.writes),
            sum(&self.writes_refused),
            sum(&self.breaches_count),
            sum(&authority.most_behind) / 1_000,
            sum(&self.of_theirs),
            sum(&self.reads_of_theirs),
            sum(&self.stale_reads_of_theirs),
            sum(&self.longest_of_theirs_ms),
        )
    }
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_a_mixed_estate_promises() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let seconds =
        std::env::var("UNSTALE_ESTATE_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let redis = Redis::start().await.expect("redis starts");
    let estate = Estate::start(Plan::on(&redis, "estate", Format::SystemTextJson)).await;
    let mut next_loss = LOSS_EVERY;
    while estate.age() < Duration::from_secs(seconds) {
        pause(200).await;
        if estate.age() > next_loss {
            next_loss += LOSS_EVERY;
            estate.authority.lose();
            redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("redis answers");
        }
    }
    estate.finish().await;
}
