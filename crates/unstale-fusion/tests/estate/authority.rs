//! The database, and the judge of what was read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

/// The bound of a mixed estate, and over the loss of a subscription (docs/fusion.md).
pub(crate) const BOUND: Duration = Duration::from_secs(1);
pub(crate) const BOUND_OVER_LOSS: Duration = Duration::from_millis(3_500);

/// How long after its act a message of a .NET node is published, at most.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(2);

pub(crate) const KEYS: usize = 48;
pub(crate) const TAGS: usize = 4;

/// One row for each key: how often it was written.
pub(crate) struct Authority {
    rows: Vec<Mutex<Vec<Version>>>,
    /// Writers of one key take turns, from the row to the act, as whoever sets values has to.
    turns: Vec<std::sync::Arc<Turns<()>>>,
    last_loss: Mutex<Option<Instant>>,
    /// How often Redis went away or came back: odd while it is away.
    changes: AtomicU64,
    /// The longest that an answer of ours was behind an act that had returned, in microseconds.
    pub(crate) most_behind: AtomicU64,
}

#[derive(Clone, Copy)]
struct Version {
    committed: Instant,
    /// When its act returned, and who did it.
    acted: Option<(Instant, usize)>,
}

/// An answer that breaks the promise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) key: usize,
    pub(crate) version: usize,
    pub(crate) newer: usize,
    pub(crate) by: Duration,
}

/// A turn to write some keys.
pub(crate) struct Turn {
    pub(crate) keys: Vec<usize>,
    _guards: Vec<OwnedMutexGuard<()>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let first = Version { committed: Instant::now(), acted: None };
        Self {
            rows: (0..KEYS).map(|_| Mutex::new(vec![first])).collect(),
            turns: (0..KEYS).map(|_| std::sync::Arc::default()).collect(),
            last_loss: Mutex::new(None),
            changes: AtomicU64::new(0),
            most_behind: AtomicU64::new(0),
        }
    }

    /// The row as it is.
    pub(crate) fn read(&self, key: usize) -> usize {
        self.row(key).len() - 1
    }

    /// Waits for the turn to write these keys, in their order.
    pub(crate) async fn turn(&self, keys: Vec<usize>) -> Turn {
        let mut guards = Vec::new();
        for key in &keys {
            guards.push(std::sync::Arc::clone(&self.turns[*key]).lock_owned().await);
        }
        Turn { keys, _guards: guards }
    }

    /// Commits one more version of each key.
    pub(crate) fn commit(&self, turn: &Turn) {
        for key in &turn.keys {
            self.row(*key).push(Version { committed: Instant::now(), acted: None });
        }
    }

    /// The act about what was committed last has returned.
    pub(crate) fn acted(&self, turn: &Turn, who: usize) {
        let now = Instant::now();
        for key in &turn.keys {
            if let Some(last) = self.row(*key).last_mut() {
                last.acted = Some((now, who));
            }
        }
    }

    /// Redis goes away: what .NET nodes did just now, and what they do until it is back, may never be published.
    pub(crate) fn goes(&self) {
        self.lose();
        self.changes.fetch_add(1, Ordering::SeqCst);
        let now = Instant::now();
        for row in &self.rows {
            let is_recent =
                |version: &&mut Version| now.duration_since(version.committed) < IN_FLIGHT_MAX * 2;
            for version in lock(row).iter_mut().rev().take_while(is_recent) {
                let is_lost = |(at, by): (Instant, usize)| by >= 2 && now.duration_since(at) < IN_FLIGHT_MAX;
                version.acted = version.acted.filter(|acted| !is_lost(*acted));
            }
        }
    }

    /// It is back, and all are connected.
    pub(crate) fn comes(&self) {
        self.lose();
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Before and after an act of a .NET node the same even number: its message was published.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// A subscription was cut.
    pub(crate) fn lose(&self) {
        *lock(&self.last_loss) = Some(Instant::now());
    }

    /// Whether an answer of `who`, to a read that began at `began`, breaks the promise. `within` is what it had demanded: then
    /// what was committed before that counts, whoever wrote it.
    pub(crate) fn judge(
        &self,
        who: usize,
        key: usize,
        version: usize,
        began: Instant,
        within: Option<Duration>,
    ) -> Option<Stale> {
        let loss =
            lock(&self.last_loss).filter(|at| began.saturating_duration_since(*at) < BOUND_OVER_LOSS * 2);
        let bound = if loss.is_some() { BOUND_OVER_LOSS } else { BOUND };
        let row = self.row(key);
        let mut worst = None;
        for (newer, known) in row.iter().enumerate().skip(version + 1) {
            let behind = known.acted.map(|(at, _)| began.saturating_duration_since(at)).unwrap_or_default();
            self.most_behind.fetch_max(behind.as_micros() as u64, Ordering::Relaxed);
            let late = known.acted.and_then(|(at, by)| {
                let due = if by == who { at } else { at + bound };
                began.checked_duration_since(due).filter(|late| !late.is_zero())
            });
            let demanded = within.and_then(|within| {
                began.checked_duration_since(known.committed + within).filter(|late| !late.is_zero())
            });
            if let Some(by) = late.max(demanded)
                && worst.as_ref().is_none_or(|worst: &Stale| worst.by < by)
            {
                worst = Some(Stale { key, version, newer, by });
            }
        }
        worst
    }

    fn row(&self, key: usize) -> MutexGuard<'_, Vec<Version>> {
        lock(&self.rows[key])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn name(key: usize) -> String {
    format!("k{key}")
}

pub(crate) fn tag(key: usize) -> String {
    format!("t{}", key % TAGS)
}

pub(crate) fn keys_of(tag: usize) -> Vec<usize> {
    (0..KEYS).filter(|key| key % TAGS == tag).collect()
}

#[tokio::test]
async fn the_judge_finds_what_is_too_old_and_nothing_else() {
    let authority = Authority::new();
    let (began, hour) = (Instant::now(), Duration::from_secs(3_600));
    let turn = authority.turn(vec![3]).await;
    authority.commit(&turn);
    let later = Instant::now() + hour;
    assert_eq!(authority.judge(0, 3, 0, later, None), None, "no act has returned");
    assert!(authority.judge(0, 3, 0, later, Some(Duration::ZERO)).is_some(), "it was committed before");
    authority.acted(&turn, 1);
    assert_eq!(authority.judge(0, 3, 0, began, None), None, "the read began before");
    assert_eq!(authority.judge(0, 3, 0, Instant::now() + BOUND / 2, None), None, "within the bound");
    assert!(authority.judge(1, 3, 0, Instant::now() + BOUND / 2, None).is_some(), "its own write");
    assert!(
        authority.judge(0, 3, 0, later, None).is_some_and(|stale| stale.by > hour / 2 && stale.newer == 1)
    );
    assert_eq!(authority.judge(0, 3, 1, later, Some(Duration::ZERO)), None);
    assert_eq!(authority.judge(0, 4, 0, later, Some(Duration::ZERO)), None);
}
