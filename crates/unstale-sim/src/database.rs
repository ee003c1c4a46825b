//! The one database behind all nodes, and what a loader does with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::dice::Dice;
use crate::fault::{Fault, Faults};
use crate::layout::{Subject, Version};

/// How loaders behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// So many loads of a thousand take time.
    pub slow: u64,
    /// At most so many milliseconds, before the row is read and again after.
    pub slow_ms: u64,
    /// So many of a thousand fail.
    pub fails: u64,
    /// So many of a thousand hang for seconds.
    pub hangs: u64,
    /// Replicas are at most so many milliseconds behind.
    pub lag_ms: u64,
    /// So many of a thousand answer "not modified" where they can.
    pub conditional: u64,
}

/// What one load will do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The step of the world at which it began.
    pub began: u64,
    /// Time before the row is read.
    pub before: Duration,
    /// Time after that.
    pub after: Duration,
    /// How far behind the replica is.
    pub lag: Duration,
    /// Whether it fails in the end.
    pub fails: bool,
    /// Whether it says "not modified" if that is so.
    pub conditional: bool,
}

/// Rows with all their versions. Clones are one database.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    rows: Mutex<Vec<Vec<(u64, Version)>>>,
    /// Counts what happens in the world.
    step: AtomicU64,
    loads: AtomicU64,
    /// The world's time, as of the present window's start.
    now: AtomicU64,
    manner: Mutex<Manner>,
    seed: u64,
    faults: Faults,
}

impl Database {
    /// Rows of version 0.
    pub fn new(rows: u16, manner: Manner, seed: u64, faults: Faults) -> Self {
        let shared = Shared {
            rows: Mutex::new(vec![vec![(0, 0)]; usize::from(rows)]),
            step: AtomicU64::new(1),
            loads: AtomicU64::new(0),
            now: AtomicU64::new(0),
            manner: Mutex::new(manner),
            seed,
            faults,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The next step of the world.
    pub fn step(&self) -> u64 {
        self.shared.step.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets the time at which what follows happens.
    pub fn set_now(&self, now: u64) {
        self.shared.now.store(now, Ordering::Relaxed);
    }

    /// The world's time.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.shared.now.load(Ordering::Relaxed))
    }

    /// Loaders behave otherwise from now on.
    pub fn behave(&self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
    }

    /// Changes a row, and returns its new version.
    pub fn commit(&self, row: Subject) -> Version {
        let now = self.shared.now.load(Ordering::Relaxed);
        let mut rows = lock(&self.shared.rows);
        let versions = &mut rows[usize::from(row)];
        let version = versions.last().map_or(0, |(_, version)| version + 1);
        versions.push((now, version));
        version
    }

    /// The version of a row, as a replica knows it that is `lag` behind.
    pub fn read(&self, row: Subject, lag: Duration) -> Version {
        let rows = lock(&self.shared.rows);
        let versions = &rows[usize::from(row)];
        let until = self.shared.now.load(Ordering::Relaxed).saturating_sub(lag.as_nanos() as u64);
        if lag.is_zero() {
            return versions.last().map_or(0, |(_, version)| *version);
        }
        versions.iter().rev().find(|(at, _)| *at <= until).map_or(0, |(_, version)| *version)
    }

    /// A loader was called.
    pub fn begin(&self) -> Plan {
        let began = self.step();
        let load = self.shared.loads.fetch_add(1, Ordering::Relaxed);
        let mut dice = Dice::of(self.shared.seed, load);
        let manner = *lock(&self.shared.manner);
        let faults = &self.shared.faults;
        let (mut before, mut after, mut lag) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        if dice.hits(manner.slow) {
            faults.count(Fault::SlowLoader);
            before = dice.millis(0, manner.slow_ms);
            after = dice.millis(0, manner.slow_ms);
        }
        if dice.hits(manner.hangs) {
            faults.count(Fault::HangingLoader);
            after = dice.millis(1_000, 3_000);
        }
        let fails = dice.hits(manner.fails);
        if fails {
            faults.count(Fault::FailingLoader);
        }
        if manner.lag_ms > 0 && dice.hits(300) {
            faults.count(Fault::LaggingReplica);
            lag = dice.millis(1, manner.lag_ms);
        }
        Plan { began, before, after, lag, fails, conditional: dice.hits(manner.conditional) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
