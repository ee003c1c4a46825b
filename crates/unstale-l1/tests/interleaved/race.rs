//! One race: a writer changes a row and acts on it, readers read it or what was computed from it.
//!
//! The oracle: the newest version whose act had returned before the read began. A read may be newer, never older.

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::{Config, Runner, future, thread};
use unstale_core::{ActLog, Name, ProcessId, Stream};
use unstale_l1::{
    Domain, DomainConfig, Flights, Found, Joined, NewEntry, Rows, Scope, Table, TableConfig, Tick, Waited,
};

use crate::inertia::Inertia;

/// The key whose row changes.
const KEY: u64 = 7;

const TAG: &[u8] = b"tag";

/// Enough for the mutations (F-7: inertia finds all within 2,000), quick enough for every run.
pub(crate) const SCHEDULES: usize = 1_000;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Remove,
    Expire,
    Set,
    RemoveTag,
    ExpireTag,
    Clear,
    ExpireAll,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Race {
    /// Each after the row was changed once more.
    pub(crate) acts: &'static [Act],
    /// How far what is read is from the row: 0 is the row itself.
    pub(crate) depth: usize,
    /// Whether everything is cached before the race.
    pub(crate) warm: bool,
    /// Whether a thread fills the table with other keys.
    pub(crate) evicts: bool,
    /// Whether another thread acts on another key meanwhile.
    pub(crate) other_writer: bool,
    /// How many fences there are: 2^bits in a row.
    pub(crate) bits: u32,
    #[cfg(feature = "mutations")]
    pub(crate) without: Option<unstale_l1::Mechanism>,
}

impl Default for Race {
    fn default() -> Self {
        Self {
            acts: &[],
            depth: 0,
            warm: false,
            evicts: false,
            other_writer: false,
            bits: 10,
            #[cfg(feature = "mutations")]
            without: None,
        }
    }
}

/// Runs the race under many schedules; panics if a read is too old.
pub(crate) fn check(race: Race) {
    run(race, SCHEDULES);
}

pub(crate) fn run(race: Race, schedules: usize) {
    Runner::new(Inertia::new(0x5eed, schedules), Config::new())
        .run(move || Arc::new(Course::new(race)).run());
}

struct Course {
    race: Race,
    domain: Domain,
    /// One for each step away from the row.
    tables: Vec<Table<u64, u64>>,
    flights: Vec<Flights<u64, u64, ()>>,
    /// The row in the database.
    row: AtomicU64,
    /// The newest version whose act has returned.
    acted: AtomicU64,
}

impl Course {
    fn new(race: Race) -> Self {
        let config = DomainConfig {
            rows: Rows::of_bits(race.bits),
            seed: Some(7),
            #[cfg(feature = "mutations")]
            without: race.without,
            ..DomainConfig::default()
        };
        let domain = Domain::new(config, ActLog::new(Stream::first(ProcessId(1))));
        let tables: Vec<Table<u64, u64>> = (0..=race.depth)
            .map(|step| {
                let name = Name::new(format!("step {step}")).expect("a short name");
                let entries_max = if race.evicts { 2 } else { 100 };
                let config = TableConfig { entries_max, shards: Some(1), ..TableConfig::default() };
                domain.table(name, config).expect("a new name")
            })
            .collect();
        let flights = tables.iter().map(Flights::new).collect();
        Self { race, domain, tables, flights, row: AtomicU64::new(1), acted: AtomicU64::new(1) }
    }

    fn run(self: Arc<Self>) {
        if self.race.warm {
            self.get_or_load(self.race.depth);
        }
        let mut threads = vec![self.spawn(Self::write)];
        for _ in 0..2 {
            threads.push(self.spawn(Self::read));
        }
        if self.race.evicts {
            threads.push(self.spawn(Self::evict));
        }
        if self.race.other_writer {
            threads.push(self.spawn(|course| {
                let _ = course.tables[0].remove(&(KEY + 1), 0);
            }));
        }
        for thread in threads {
            thread.join().expect("no thread panics");
        }
        self.read_once();
    }

    fn spawn(self: &Arc<Self>, f: impl FnOnce(&Self) + Send + 'static) -> thread::JoinHandle<()> {
        let course = Arc::clone(self);
        thread::spawn(move || f(&course))
    }

    fn write(&self) {
        for (act, version) in self.race.acts.iter().zip(2..) {
            self.row.store(version, Ordering::SeqCst);
            let table = &self.tables[0];
            let _ = match act {
                Act::Remove => table.remove(&KEY, 0),
                Act::Expire => table.expire(&KEY, 0),
                Act::Set => table.set(&KEY, self.entry(0, version), 0),
                Act::RemoveTag => table.remove_tag(TAG, 0),
                Act::ExpireTag => table.expire_tag(TAG, 0),
                Act::Clear => table.clear(0),
                Act::ExpireAll => table.expire_all(0),
            };
            self.acted.store(version, Ordering::SeqCst);
        }
    }

    fn read(&self) {
        self.read_once();
        self.read_once();
    }

    fn read_once(&self) {
        let acted = self.acted.load(Ordering::SeqCst);
        let version = self.get_or_load(self.race.depth);
        assert!(version >= acted, "read version {version} after the act of {acted} had returned");
    }

    fn evict(&self) {
        for key in 100..104 {
            let _ = self.tables[self.race.depth].set(&key, self.entry(self.race.depth, 0), 0);
        }
    }

    /// What a cache does: hit, or lead, or wait. What it gives depends on the current scope's load.
    fn get_or_load(&self, step: usize) -> u64 {
        if let Some(hit) = self.tables[step].get(&KEY) {
            return *hit;
        }
        loop {
            let found = match self.flights[step].join(&KEY) {
                Joined::Hit(found) => found,
                Joined::Lead(lead) => {
                    let scope = Scope::new(&self.tables[step]);
                    let version = scope.run(|| self.load(step));
                    let found = lead.land(self.entry(step, version).parts(&scope)).into_found();
                    self.tables[step].record(&KEY, &found);
                    found
                }
                Joined::Wait(wait) => match future::block_on(wait) {
                    Waited::Landed(found) => found,
                    Waited::Stale(_) | Waited::Failed(()) => unreachable!("no leader does this"),
                    Waited::Again => continue,
                },
            };
            match found {
                Found::Value(version) => return *version,
                Found::Nothing(_) => unreachable!("the row exists"),
            }
        }
    }

    fn load(&self, step: usize) -> u64 {
        match step {
            0 => self.row.load(Ordering::SeqCst),
            _ => self.get_or_load(step - 1),
        }
    }

    fn entry(&self, step: usize, version: u64) -> NewEntry<u64> {
        let tags = (step == 0).then(|| self.tables[0].tag_subject(TAG));
        NewEntry::value(version).time_to_live(Tick(1_000)).fail_safe(Tick(2_000)).tags(tags)
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        // Every act was counted.
        let acts = self.race.acts.len() as u64;
        if !thread::panicking() {
            assert!(self.domain.with_log(|log| log.last().0) >= acts);
        }
    }
}
