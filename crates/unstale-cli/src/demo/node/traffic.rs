//! The readers and writers of a node, and what they note.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::log::Log;
use super::pace::Pace;
use super::source::{Row, Source};
use super::subject::{Ask, Subject};
use super::work::{Noted, Work};
use crate::demo::clock;
use crate::demo::database::Version;
use crate::demo::line::{Kept, Start, Tick};
use crate::demo::random::Random;

/// Readers of a node: one that waits for a load holds up only its share of the reads.
const READERS: u32 = 8;

/// The traffic of one node.
#[derive(Debug)]
pub(super) struct Traffic {
    work: Arc<Work>,
    reads_per_s: u32,
    writes_per_s: u32,
    random: Random,
    readers: Mutex<JoinSet<()>>,
    writers: Mutex<JoinSet<()>>,
    others: Mutex<JoinSet<()>>,
    remembered: Mutex<Remembered>,
}

/// What was resident when a cut began.
#[derive(Debug, Default)]
struct Remembered {
    at: u64,
    versions: HashMap<u32, Version>,
}

impl Traffic {
    /// The traffic of the node that `start` describes; it begins with [`Traffic::go`].
    pub(super) fn new(start: &Start, source: Arc<Source>, subject: Arc<Subject>, log: Arc<Log>) -> Self {
        Self {
            work: Arc::new(Work::new(source, subject, log)),
            reads_per_s: start.reads_per_s,
            writes_per_s: start.writes_per_s,
            random: Random::new(start.seed),
            readers: Mutex::default(),
            writers: Mutex::default(),
            others: Mutex::default(),
            remembered: Mutex::default(),
        }
    }

    /// Returns when the cache works together with its peers, or had time enough to.
    pub(super) async fn joined(&self) {
        self.work.subject.joined().await;
    }

    /// Begins to read and write.
    pub(super) fn go(&self) {
        self.work.source.count_from_now();
        let per_reader = Duration::from_secs(1) * READERS / self.reads_per_s;
        for reader in 0..READERS {
            let random = self.random.fork(u64::from(reader) + 1);
            spawn(&self.readers, Arc::clone(&self.work).read_on(reader + 1, random, Pace::new(per_reader)));
        }
        let pace = Pace::new(Duration::from_secs(1) / self.writes_per_s);
        spawn(&self.writers, Arc::clone(&self.work).write_on(self.random.fork(0), pace));
    }

    /// Reads `row` with the token of a write of another node.
    pub(super) fn session(&self, row: u32, version: Version, token: String) {
        let work = Arc::clone(&self.work);
        spawn(&self.others, async move { work.read(row, Ask::Session { version, token }, 0).await });
    }

    /// Notes what is resident.
    pub(super) fn remember(&self) {
        let at = clock::now();
        let Work { subject, source, .. } = &*self.work;
        let hit = |row| subject.hit(row).map(|held| (row, held.version));
        let versions = (0..source.rows()).filter_map(hit).collect();
        *lock(&self.remembered) = Remembered { at, versions };
    }

    /// What is left of what was noted.
    pub(super) fn recall(&self) -> rusqlite::Result<Kept> {
        let remembered = lock(&self.remembered);
        let now = self.work.source.database().read_all()?;
        let untouched = remembered.versions.iter().filter(|(row, version)| {
            now[**row as usize] == **version && !self.work.was_demanded(**row, remembered.at)
        });
        let mut kept = Kept::default();
        for (row, _) in untouched {
            let older = |held: Option<Row>| held.is_some_and(|held| held.loaded <= remembered.at);
            kept.untouched += 1;
            kept.hits += u64::from(older(self.work.subject.hit(*row)));
            kept.resident += u64::from(self.work.subject.resident(*row));
        }
        Ok(kept)
    }

    /// Fills the cache with every row.
    pub(super) async fn warm(&self) {
        Arc::clone(&self.work).sweep(Noted::No).await;
    }

    /// Begins to read every row once.
    pub(super) fn sweep(&self) {
        spawn(&self.others, Arc::clone(&self.work).sweep(Noted::Yes));
    }

    /// Writes no more. A write that is under way goes on.
    pub(super) fn quiet(&self) {
        self.work.stop_writing();
    }

    /// Ends all traffic; what takes longer than `patience` is broken off.
    pub(super) async fn end(&self, patience: Duration) {
        self.quiet();
        lock(&self.readers).abort_all();
        let mut others = std::mem::take(&mut *lock(&self.others));
        let mut writers = std::mem::take(&mut *lock(&self.writers));
        let done = async {
            while others.join_next().await.is_some() {}
            while writers.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(patience, done).await;
    }

    /// Says goodbye to the peers.
    pub(super) async fn leave(&self) {
        self.work.subject.leave().await;
    }

    /// What happened since the last tick.
    pub(super) fn tick(&self) -> Tick {
        let Work { subject, log, source, .. } = &*self.work;
        while lock(&self.others).try_join_next().is_some() {}
        log.take(subject.state().to_owned(), subject.suspects(), source.loads())
    }
}

fn spawn(tasks: &Mutex<JoinSet<()>>, task: impl Future<Output = ()> + Send + 'static) {
    lock(tasks).spawn(task);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
