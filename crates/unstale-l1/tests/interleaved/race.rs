//! One race: a writer changes a row and acts on it, readers read it or what was computed from it.
//!
//! The oracle: the newest version whose act had returned before the read began. A read may be newer, never older.

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::{Config, Runner, future, thread};
use unstale_core::{ActLog, DigestRow, Name, ProcessId, Stream, Subject, SuspectFilter, Verb};
use unstale_l1::{
    Domain, DomainConfig, Fills, Flights, Found, Joined, Key, NewEntry, Rows, Scope, Suspects, Table,
    TableConfig, Tick, Waited,
};

use crate::inertia::Inertia;

/// The key whose row changes.
const KEY: u64 = 7;

const TAG: &[u8] = b"tag";

/// Quick enough for every run; set `UNSTALE_SCHEDULES` for more.
const SCHEDULES: usize = 300;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Remove,
    Expire,
    Set,
    RemoveTag,
    ExpireTag,
    Clear,
    ExpireAll,
    /// The act is missed, and a digest says so afterwards.
    Doubt,
    /// What was missed comes after all, and the doubts are lifted.
    Repair,
    /// Acts were missed until now, and nothing was stored.
    AllowFills,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Fills the table with other keys and sweeps it.
    Evictor,
    /// Leads and gives up.
    Quitter,
    /// Acts on another key.
    Writer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Race {
    /// Each after the row was changed once more.
    pub(crate) acts: &'static [Act],
    /// How far what is read is from the row: 0 is the row itself.
    pub(crate) depth: usize,
    /// Whether everything is cached before the race.
    pub(crate) warm: bool,
    /// Whether what is computed depends on more than fits into an entry.
    pub(crate) wide: bool,
    /// Who else is there.
    pub(crate) beside: &'static [Beside],
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
            wide: false,
            beside: &[],
            bits: 10,
            #[cfg(feature = "mutations")]
            without: None,
        }
    }
}

/// Runs the race under many schedules; panics if a read is too old.
pub(crate) fn check(race: Race) {
    let schedules = std::env::var("UNSTALE_SCHEDULES").ok().and_then(|schedules| schedules.parse().ok());
    run(race, schedules.unwrap_or(SCHEDULES));
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
            fills: if matches!(race.acts, [.., Act::AllowFills]) { Fills::Refused } else { Fills::Stored },
            #[cfg(feature = "mutations")]
            without: race.without,
        };
        let domain = Domain::new(config, ActLog::new(Stream::first(ProcessId(1))));
        let tables: Vec<Table<u64, u64>> = (0..=race.depth)
            .map(|step| {
                let name = Name::new(format!("step {step}")).expect("a short name");
                let entries_max = if race.beside.contains(&Beside::Evictor) { 2 } else { 100 };
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
        for beside in self.race.beside {
            let part: fn(&Self) = match beside {
                Beside::Evictor => Self::evict,
                Beside::Quitter => |course| drop(course.flights[course.race.depth].join(&KEY)),
                Beside::Writer => |course| drop_it(course.tables[0].remove(&(KEY + 1), 0)),
            };
            threads.push(self.spawn(part));
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
            match act {
                Act::Remove => drop_it(table.remove(&KEY, 0)),
                Act::Expire => drop_it(table.expire(&KEY, 0)),
                Act::Set => drop_it(table.set(&KEY, self.entry(0, version), 0)),
                Act::RemoveTag => drop_it(table.remove_tag(TAG, 0)),
                Act::ExpireTag => drop_it(table.expire_tag(TAG, 0)),
                Act::Clear => drop_it(table.clear(0)),
                Act::ExpireAll => drop_it(table.expire_all(0)),
                Act::Doubt => {
                    let mut digest = SuspectFilter::default();
                    digest.add(&[DigestRow::of(&self.row_subject())]);
                    self.domain.distrust(version, Suspects::Hashes(&digest), Tick::LAST);
                }
                Act::Repair => {
                    let act = unstale_core::Act { verb: Verb::Remove, subject: self.row_subject() };
                    drop_it(self.domain.apply(&[act]));
                    (0..version).for_each(|id| self.domain.lift(id));
                }
                Act::AllowFills => self.domain.allow_fills(),
            }
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
        self.tables[self.race.depth].sweep().step(10);
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
                    if self.race.wide {
                        (0..5).for_each(|key| self.tables[0].depend_on(&key, &scope));
                    }
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

    fn row_subject(&self) -> Subject {
        Subject::Key { cache: self.tables[0].name().clone(), key: KEY.encode() }
    }

    fn entry(&self, step: usize, version: u64) -> NewEntry<u64> {
        let tags = (step == 0).then(|| self.tables[0].tag_subject(TAG));
        NewEntry::value(version).time_to_live(Tick(1_000)).fail_safe(Tick(2_000)).tags(tags)
    }
}

fn drop_it<T>(_: T) {}
