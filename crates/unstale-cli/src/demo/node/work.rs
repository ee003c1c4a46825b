//! One read, one write, and how they follow each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::log::Log;
use super::pace::Pace;
use super::source::Source;
use super::subject::{Ask, Subject};
use crate::demo::clock;
use crate::demo::line::{How, Read, Served, Write};
use crate::demo::random::{Random, Zipf};

/// How skewed the choice of rows is.
const SKEW: f64 = 0.99;

/// Of 100 reads so many ask for a proof and take an answer without one, and so many go to the database then.
const PROVEN_OR_FLAG: u64 = 10;
const PROVEN_OR_BYPASS: u64 = 2;

/// The age that those ask for.
const WITHIN: Duration = Duration::from_millis(250);

/// Rows read at once by a sweep.
const SWEEP_WIDTH: usize = 64;

/// What every reader and writer of a node needs.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) source: Arc<Source>,
    pub(super) subject: Arc<Subject>,
    pub(super) log: Arc<Log>,
    /// Per row the newest version that this process wrote, once the write returned.
    own: Vec<AtomicU64>,
    /// Per row when a read was last answered by a load that it had asked for, whatever the cache held.
    demanded: Vec<AtomicU64>,
    zipf: Zipf,
    quiet: AtomicBool,
}

/// Whether reads are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// They are part of the run.
    Yes,
    /// They only fill the cache.
    No,
}

impl Work {
    /// For the rows of `source`, held by `subject`.
    pub(super) fn new(source: Arc<Source>, subject: Arc<Subject>, log: Arc<Log>) -> Self {
        let zeros = || (0..source.rows()).map(|_| AtomicU64::new(0)).collect();
        let (own, demanded) = (zeros(), zeros());
        let zipf = Zipf::new(source.rows(), SKEW);
        Self { source, subject, log, own, demanded, zipf, quiet: AtomicBool::new(false) }
    }

    /// Writes no more. A write that is under way goes on.
    pub(super) fn stop_writing(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// Whether a read demanded a load of `row` after `instant`.
    pub(super) fn was_demanded(&self, row: u32, instant: u64) -> bool {
        self.demanded[row as usize].load(Ordering::Relaxed) >= instant
    }

    /// Reads for ever, as the reader with this number.
    pub(super) async fn read_on(self: Arc<Self>, reader: u32, mut random: Random, mut pace: Pace) {
        loop {
            pace.next().await;
            let row = self.zipf.draw(&mut random);
            let ask = match random.below(100) {
                0..PROVEN_OR_BYPASS => Ask::ProvenOrBypass(WITHIN),
                PROVEN_OR_BYPASS..PROVEN_OR_FLAG => Ask::ProvenOrFlag(WITHIN),
                _ => Ask::Plain,
            };
            self.read(row, ask, reader).await;
        }
    }

    /// Writes until it is told to stop.
    pub(super) async fn write_on(self: Arc<Self>, mut random: Random, mut pace: Pace) {
        while !self.quiet.load(Ordering::Relaxed) {
            pace.next().await;
            let row = self.zipf.draw(&mut random);
            self.write(row, random.below(1_000) as u32).await;
            self.read(row, Ask::Plain, 0).await;
        }
    }

    /// Reads every row once, noted or not.
    pub(super) async fn sweep(self: Arc<Self>, noted: Noted) {
        let mut reads = JoinSet::new();
        for row in 0..self.source.rows() {
            let work = Arc::clone(&self);
            reads.spawn(async move {
                match noted {
                    Noted::Yes => work.read(row, Ask::Plain, 0).await,
                    Noted::No => drop(work.subject.read(row, Ask::Plain).await),
                }
            });
            if reads.len() >= SWEEP_WIDTH {
                reads.join_next().await;
            }
        }
        while reads.join_next().await.is_some() {}
    }

    /// One read, by `reader` or (0) by none of them, noted with what it was promised.
    pub(super) async fn read(&self, row: u32, ask: Ask, reader: u32) {
        let own = self.own[row as usize].load(Ordering::Acquire);
        let (session, may_bypass) = match &ask {
            Ask::Session { version, .. } => (Some(*version), true),
            Ask::ProvenOrBypass(_) => (None, true),
            Ask::Plain | Ask::ProvenOrFlag(_) => (None, false),
        };
        let began = clock::now();
        let Some(answer) = self.subject.read(row, ask).await else {
            self.log.failed();
            return;
        };
        let how = match (session, answer.proven_within) {
            (Some(version), _) => How::Session(version),
            (None, Some(length)) => How::Within(clock::nanos(length)),
            (None, None) => How::Plain,
        };
        let served = match (answer.said_stale, answer.proven_within) {
            (true, _) => Served::Stale,
            (false, _) if answer.row.loaded < began => Served::Hit,
            (false, Some(Duration::ZERO)) => Served::Bypass,
            (false, _) => Served::Load,
        };
        if may_bypass && matches!(served, Served::Load | Served::Bypass) {
            self.demanded[row as usize].store(began, Ordering::Relaxed);
        }
        let read =
            Read { row, version: answer.row.version, began, ended: clock::now(), own, how, served, reader };
        self.log.read(read);
    }

    /// One write: the database first, then the cache.
    async fn write(&self, row: u32, price: u32) {
        let database = self.source.database().clone();
        let written = tokio::task::spawn_blocking(move || database.write(row, price)).await;
        let Ok(Ok(version)) = written else {
            self.log.failed();
            return;
        };
        let began = clock::now();
        let Some(receipt) = self.subject.remove(row).await else {
            self.log.failed();
            return;
        };
        let write = Write {
            row,
            version,
            began,
            returned: 0,
            announced: receipt.announced,
            act: receipt.act,
            token: receipt.token,
        };
        self.own[row as usize].fetch_max(version, Ordering::Release);
        self.log.write(write);
    }
}
