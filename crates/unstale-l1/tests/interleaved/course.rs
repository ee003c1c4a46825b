//! One run of a race, and the oracle.
//!
//! The oracle goes by row, also for rows inside of a computed value: a fresh answer has at least the newest version whose act
//! had returned before the read began, a stale one the newest that an act ended. A read may be newer, never older.

use std::sync::Arc;

use unstale_core::{
    Act as RemoteAct, ActLog, Batch, DigestRow, Name, ProcessId, Stream, Subject, SuspectFilter, Verb,
};
use unstale_l1::{
    Domain, DomainConfig, Fills, Flights, Found, Handle, Joined, Key, Lead, Lines, LocalActs, Lookup,
    NewEntry, Scope, Suspects, Table, TableConfig, Tick, Waited,
};

use crate::race::{Act, Beside, Loads, Race, Values};
use crate::row::{Answer, Row, Versions};
use crate::world::{AtomicUsize, Ordering, block_on, thread};

/// The key whose value is read.
const KEY: u64 = 7;

const TAG: &[u8] = b"tag";

pub(crate) struct Course {
    race: Race,
    domain: Domain,
    /// One for each step away from the first row.
    tables: Vec<Table<u64, Versions>>,
    flights: Vec<Flights<u64, Versions, ()>>,
    rows: [Row; 2],
    /// How many loads of the first row began.
    loads: AtomicUsize,
}

impl Course {
    pub(crate) fn new(race: Race) -> Self {
        let config = DomainConfig {
            lines: Lines::of_bits(race.bits),
            seed: Some(7),
            fills: if matches!(race.acts, [.., Act::AllowFills]) { Fills::Refused } else { Fills::Stored },
            #[cfg(feature = "mutations")]
            without: race.without,
        };
        let domain = Domain::new(config, ActLog::new(Stream::first(ProcessId(1))));
        let tables: Vec<_> = (0..=race.depth).map(|step| table(&domain, race, step)).collect();
        let flights = tables.iter().map(Flights::new).collect();
        let rows = [Row::new(), Row::new()];
        Self { race, domain, tables, flights, rows, loads: AtomicUsize::new(0) }
    }

    pub(crate) fn run(self) {
        let course = Arc::new(self);
        let (race, top) = (course.race, course.race.depth);
        if race.warm {
            course.get_or_load(top);
        }
        let mut threads = vec![course.spawn(|course| course.write(course.race.acts))];
        if !race.rival.is_empty() {
            threads.push(course.spawn(|course| course.write(course.race.rival)));
        }
        threads.push(course.spawn(|course| {
            course.read();
            course.read();
        }));
        threads.push(course.spawn(|course| course.read()));
        for beside in race.beside {
            threads.push(course.spawn(|course| course.be(*beside)));
        }
        for thread in threads {
            thread.join().expect("no thread panics");
        }
        // At rest.
        course.read();
    }

    fn spawn(self: &Arc<Self>, f: impl FnOnce(&Arc<Self>) + Send + 'static) -> thread::JoinHandle<()> {
        let course = Arc::clone(self);
        thread::spawn(move || f(&course))
    }

    /// Each act is followed by a reader on another thread.
    fn write(self: &Arc<Self>, acts: &[Act]) {
        let mut readers = Vec::new();
        for act in acts {
            self.act(*act);
            readers.push(self.spawn(|course| course.read()));
        }
        for reader in readers {
            reader.join().expect("no thread panics");
        }
    }

    fn act(&self, act: Act) {
        let table = &self.tables[0];
        let since = self.domain.token();
        let row = &self.rows[usize::from(matches!(act, Act::OwnRemove | Act::OwnExpire))];
        let version = if matches!(act, Act::Touch | Act::DoubtOther) { row.read() } else { row.change() };
        match act {
            Act::Remove => drop_it(table.remove(&KEY, 0)),
            Act::Expire => drop_it(table.expire(&KEY, 0)),
            Act::Set => {
                drop_it(table.set(&KEY, self.entry(0, [version, 0]), 0));
                assert!(!self.race.keeps_what_is_set() || table.get(&KEY).is_some(), "what was set is lost");
            }
            Act::SetSince => drop_it(table.set_since(&KEY, self.entry(0, [version, 0]), since, 0)),
            Act::RemoveTag => drop_it(table.remove_tag(TAG, 0)),
            Act::ExpireTag => drop_it(table.expire_tag(TAG, 0)),
            Act::Clear => drop_it(table.clear(0)),
            Act::ExpireAll => drop_it(table.expire_all(0)),
            Act::Batch => {
                let mut acts = LocalActs::new();
                (KEY - 1..=KEY + 1).for_each(|key| table.remove_in(&mut acts, &key));
                drop_it(self.domain.commit(acts, Batch::Whole, 0));
            }
            Act::Remote => self.apply_removal(),
            Act::Doubt => self.doubt(KEY, version),
            Act::DoubtOther => self.doubt(KEY + 1, 0),
            Act::Touch => drop_it(self.tables[self.race.depth].expire(&KEY, 0)),
            Act::Repair => {
                self.apply_removal();
                (0..version).for_each(|id| self.domain.lift(id));
            }
            Act::AllowFills => self.domain.allow_fills(),
            Act::OwnRemove => drop_it(self.tables[1].remove(&KEY, 0)),
            Act::OwnExpire => drop_it(self.tables[1].expire(&KEY, 0)),
        }
        if !matches!(act, Act::Touch | Act::DoubtOther) {
            row.has_acted(version, act.ends());
        }
    }

    fn apply_removal(&self) {
        drop_it(self.domain.apply(&[RemoteAct { verb: Verb::Remove, subject: self.subject(KEY) }]));
    }

    fn doubt(&self, key: u64, id: u64) {
        let mut digest = SuspectFilter::default();
        digest.add(&[DigestRow::of(&self.subject(key))]);
        self.domain.distrust(id, Suspects::Hashes(&digest), Tick::LAST);
    }

    fn subject(&self, key: u64) -> Subject {
        Subject::Key { cache: self.tables[0].name().clone(), key: key.encode() }
    }

    fn be(self: &Arc<Self>, beside: Beside) {
        let top = self.race.depth;
        let (table, flights) = (&self.tables[top], &self.flights[top]);
        match beside {
            Beside::Evictor => {
                (100..104).for_each(|key| drop_it(table.set(&key, self.entry(top, [0, 0]), 0)));
                drop_it(table.sweep().step(10));
            }
            Beside::Sweeper => (0..2).for_each(|_| drop_it(table.sweep().step(10))),
            Beside::Quitter => match flights.join(&KEY) {
                Joined::Wait(mut wait) => drop_it(poll_once(&mut wait)),
                Joined::Hit(_) | Joined::Lead(_) => {}
            },
            Beside::Refresher => {
                if let Some(lead) = flights.try_refresh(&KEY) {
                    drop_it(self.load_and_land(top, lead));
                }
            }
            Beside::Deserter => {
                if let Joined::Lead(lead) = flights.refresh(&KEY) {
                    let entry = self.load(top);
                    let goes_on = self.spawn(move |_| drop_it(lead.land(entry)));
                    goes_on.join().expect("no thread panics");
                }
            }
            Beside::Bulk => {
                let leads = [KEY - 1, KEY].map(|key| self.flights[0].try_refresh(&key));
                let read = self.rows[0].read();
                for lead in leads.into_iter().flatten() {
                    drop_it(lead.land(self.entry(0, [read, 0])));
                }
            }
            Beside::Writer => drop_it(self.tables[0].remove(&(KEY + 1), 0)),
        }
    }

    fn read(&self) {
        let newest = self.rows.each_ref().map(Row::newest);
        if let Some(stale) = self.stale(self.race.depth) {
            Answer::Stale(*stale).check(newest);
        }
        let answer = self.get_or_load(self.race.depth);
        answer.check(newest);
    }

    /// What a cache does: hit, or lead, or wait.
    fn get_or_load(&self, step: usize) -> Answer {
        let table = &self.tables[step];
        if let Some(hit) = table.get(&KEY) {
            return Answer::Fresh(*hit);
        }
        loop {
            match self.flights[step].join(&KEY) {
                Joined::Hit(found) => return self.answer(found),
                Joined::Lead(lead) => {
                    if let Some(answer) = self.lead(step, lead) {
                        return answer;
                    }
                }
                Joined::Wait(wait) => match block_on(wait) {
                    Waited::Landed(found) => return self.answer(found),
                    Waited::Stale(found) => {
                        return Answer::Stale(*found.value().expect("the rows exist"));
                    }
                    Waited::Failed(()) | Waited::Again => {}
                },
            }
        }
    }

    /// None if the load failed and nothing stale may be served.
    fn lead(&self, step: usize, lead: Lead<u64, Versions, ()>) -> Option<Answer> {
        match (self.race.loads, self.stale(step)) {
            (Loads::Failing, stale) if step == 0 && self.fails() => self.fail(stale, lead),
            (Loads::Conditional, Some(stale)) if self.is_unmodified(step, &stale) => {
                Some(self.confirm(step, lead, &stale))
            }
            (Loads::Whole | Loads::Failing | Loads::Conditional, _) => Some(self.load_and_land(step, lead)),
        }
    }

    fn stale(&self, step: usize) -> Option<Handle<Versions>> {
        if self.race.loads == Loads::Whole {
            return None;
        }
        match self.tables[step].lookup(&KEY) {
            Lookup::Stale(stale) | Lookup::Suspect(stale, _) => Some(stale),
            Lookup::Hit(_) | Lookup::Negative(_) | Lookup::Miss => None,
        }
    }

    fn fails(&self) -> bool {
        self.loads.fetch_add(1, Ordering::SeqCst).is_multiple_of(2)
    }

    fn fail(&self, stale: Option<Handle<Versions>>, lead: Lead<u64, Versions, ()>) -> Option<Answer> {
        let table = &self.tables[0];
        // What ended before it is asked whether the value may be served counts, too.
        let newest = self.rows.each_ref().map(Row::newest);
        let Some(stale) = stale.filter(|stale| table.may_revive(&KEY, stale)) else {
            lead.fail(());
            return None;
        };
        let found = Found::Value(stale.clone());
        table.record(&KEY, &found);
        if let Some(scope) = Scope::current() {
            scope.taint();
        }
        lead.answer_stale(found);
        let answer = Answer::Stale(*stale);
        answer.check(newest);
        Some(answer)
    }

    /// Whether the row that a value has of its own is as it was.
    fn is_unmodified(&self, step: usize, stale: &Versions) -> bool {
        step < 2 && self.rows[step].read() == stale[step]
    }

    fn confirm(&self, step: usize, lead: Lead<u64, Versions, ()>, stale: &Handle<Versions>) -> Answer {
        if !self.tables[step].may_confirm(&KEY, stale) {
            return self.load_and_land(step, lead);
        }
        self.land(step, lead, self.entry(step, **stale).like(stale))
    }

    fn load_and_land(&self, step: usize, lead: Lead<u64, Versions, ()>) -> Answer {
        let entry = self.load(step);
        self.land(step, lead, entry)
    }

    fn land(&self, step: usize, lead: Lead<u64, Versions, ()>, entry: NewEntry<Versions>) -> Answer {
        let found = lead.land(entry).into_found();
        self.tables[step].record(&KEY, &found);
        self.answer(found)
    }

    fn answer(&self, found: Found<Versions>) -> Answer {
        let is_stale = self.race.loads == Loads::Failing && found.is_marked_stale();
        let versions = *found.value().expect("the rows exist");
        if is_stale { Answer::Stale(versions) } else { Answer::Fresh(versions) }
    }

    fn load(&self, step: usize) -> NewEntry<Versions> {
        if step == 0 {
            return self.entry(0, [self.rows[0].read(), 0]);
        }
        let scope = Scope::new(&self.tables[step]);
        if self.race.wide {
            (0..5).for_each(|key| self.tables[0].depend_on(&key, &scope));
        }
        let part = scope.run(|| self.get_or_load(step - 1));
        let [first, own] = part.versions();
        let own = if step == 1 { self.rows[1].read() } else { own };
        self.entry(step, [first, own]).parts(scope.recorded())
    }

    fn entry(&self, step: usize, versions: Versions) -> NewEntry<Versions> {
        let tags = (step == 0).then(|| self.tables[0].tag_subject(TAG));
        let entry = NewEntry::value(versions).time_to_live(Tick(1_000)).fail_safe(Tick(2_000)).tags(tags);
        if self.race.values == Values::Versioned { entry.version(versions[0]) } else { entry }
    }
}

fn table(domain: &Domain, race: Race, step: usize) -> Table<u64, Versions> {
    let name = Name::new(format!("step {step}")).expect("a short name");
    let entries_max = if race.beside.contains(&Beside::Evictor) { 2 } else { 100 };
    let weigher: unstale_l1::Weigher<u64, Versions> =
        Arc::new(|_, value| value.map_or(0, |versions| versions.iter().sum()));
    let bytes_max = (race.values == Values::Growing).then_some((10_000, weigher));
    let config = TableConfig { entries_max, shards: Some(1), bytes_max };
    domain.table(name, config).expect("a new name")
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut cx).is_ready()
}

fn drop_it<T>(_: T) {}
