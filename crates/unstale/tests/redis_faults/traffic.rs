//! Who reads and writes, at a steady pace, at each member.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::interval;
use unstale::{ErrorKind, Freshness, SessionToken};

use crate::authority::Authority;
use crate::judge::{Judge, now};
use crate::member::{Demand, HOT, Member, ROWS_OF_A_TAG, Row};

const READERS: u64 = 2;
const READ_EVERY: Duration = Duration::from_millis(10);
const WRITE_EVERY: Duration = Duration::from_millis(40);
/// Rows from here on have one writer each, who also sets values that it knows.
const OWNED: u32 = 36;

/// Runs until it is stopped.
pub(crate) struct Traffic {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

struct Shared {
    authority: Authority,
    judge: Judge,
    is_over: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    /// By row: the token of its last write, and the version that it gave.
    tokens: Mutex<Vec<Option<(SessionToken, u64)>>>,
}

impl Traffic {
    pub(crate) fn start(members: &[Member], authority: &Authority, judge: &Judge) -> Self {
        let shared = Arc::new(Shared {
            authority: authority.clone(),
            judge: judge.clone(),
            is_over: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            tokens: Mutex::new(vec![None; HOT as usize]),
        });
        let mut tasks = JoinSet::new();
        for member in members {
            for reader in 0..READERS {
                let seed = u64::from(member.process) * READERS + reader;
                tasks.spawn(read_on(member.clone(), Arc::clone(&shared), Dice(seed)));
            }
            let (member, writers) = (member.clone(), members.len() as u32);
            tasks.spawn(write_on(member, writers, Arc::clone(&shared)));
        }
        Self { tasks, shared }
    }

    /// How many reads were answered so far.
    pub(crate) fn reads(&self) -> u64 {
        self.shared.reads.load(Ordering::Relaxed)
    }

    /// How many writes returned so far.
    pub(crate) fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::Relaxed)
    }

    /// Fails if a task has failed.
    pub(crate) fn check(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.unwrap();
        }
    }

    pub(crate) async fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

async fn read_on(member: Member, shared: Arc<Shared>, mut dice: Dice) {
    let mut ticks = interval(READ_EVERY);
    while !shared.is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let row = dice.below(u64::from(HOT)) as u32;
        let token = shared.tokens.lock().unwrap()[row as usize];
        let demand = match (dice.below(8), token) {
            (0 | 1, _) => Demand::Fresh(Freshness::within(Duration::from_millis(500)).or_flag()),
            (2, _) => Demand::Fresh(Freshness::within(Duration::from_millis(250))),
            (3, _) => Demand::Fresh(Freshness::within(Duration::ZERO).or_wait().or_flag()),
            (4, Some((token, version))) => Demand::Session(token, version),
            _ => Demand::Plain,
        };
        let dawdle = match dice.below(10) {
            0 => Duration::from_millis(50),
            1..4 => Duration::from_millis(5),
            _ => Duration::ZERO,
        };
        let read = member.read(row, demand, dawdle).await.unwrap();
        shared.judge.read(read);
        shared.reads.fetch_add(1, Ordering::Relaxed);
    }
}

async fn write_on(member: Member, writers: u32, shared: Arc<Shared>) {
    let mut ticks = interval(WRITE_EVERY);
    let mut dice = Dice(1_000 + u64::from(member.process));
    while !shared.is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let began = now();
        let row = dice.below(u64::from(OWNED)) as u32;
        let (versions, receipt) = match dice.below(10) {
            0 => {
                let first = row / ROWS_OF_A_TAG * ROWS_OF_A_TAG;
                let rows: Vec<_> = (first..first + ROWS_OF_A_TAG).collect();
                let versions = shared.authority.raise(&rows);
                (versions, member.hot.remove_tag(crate::member::tag_of(row)).await)
            }
            1..4 => {
                let owned = OWNED + row % ((HOT - OWNED) / writers) * writers + member.process % writers;
                let versions = shared.authority.raise(&[owned]);
                let value = Row::new(versions[0].1);
                (versions, member.hot.set(owned, value).await)
            }
            4 => {
                let versions = shared.authority.raise(&[row]);
                (versions, member.hot.expire(&row).await)
            }
            _ => {
                let versions = shared.authority.raise(&[row]);
                (versions, member.hot.remove(&row).await)
            }
        };
        let receipt = match receipt {
            // It counts all the same, and nobody repeats it (P-24).
            Err(error) if error.kind() == ErrorKind::Store => None,
            other => Some(other.unwrap()),
        };
        shared.judge.wrote(member.process, began, &versions, receipt.as_ref());
        let mut tokens = shared.tokens.lock().unwrap();
        for (row, version) in versions {
            tokens[row as usize] = receipt.map(|receipt| (receipt.session(), version));
        }
        shared.writes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
