//! Checks whole histories: once over them to gather the writes, once to judge the reads, and once more, if a promise was
//! broken, to tell what happened around that. So the memory it takes grows with writes, keys and sessions, not with reads.

mod report;
mod story;

use std::io::{self, BufReader};

use crate::catalog::{Catalog, Event, Lens};
use crate::history::{Error, Marks, Read, Reader, Served};
use crate::judgement::{Due, Outcome, Promise};
use crate::ledger::{Ledger, Terms};

pub use report::{Example, File, Line, Report};
use story::Stories;

/// How many broken promises of one kind are told in words.
const EXAMPLES_MAX: usize = 8;
/// Progress is told every so many records.
const PROGRESS: u64 = 1 << 16;
const BUFFER_BYTES: usize = 1 << 18;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Writes, faults and sessions are gathered.
    Gather,
    /// Reads are judged.
    Judge,
    /// What happened around broken promises is looked for.
    Explain,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// With which file, by its index.
    pub file: usize,
    /// Bytes of it that were read in this stage.
    pub bytes: u64,
}

/// A history that cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("history {file}")]
pub struct Problem {
    /// Its index.
    pub file: usize,
    /// Why.
    #[source]
    pub error: Error,
}

/// Checks histories of one run, `files` in number, against each other. `open` opens the one with an index, from its
/// beginning; each is opened two or three times. `watch` is told now and then how far it is.
///
/// Instants are compared within one clock; tokens across all of them.
pub fn check<R: io::Read>(
    files: usize,
    open: impl FnMut(usize) -> io::Result<R>,
    terms: Terms,
    watch: impl FnMut(&Progress),
) -> Result<Report, Problem> {
    let mut check = Check {
        open,
        watch,
        catalog: Catalog::default(),
        ledger: Ledger::new(terms),
        report: Report::new(terms),
        found: Vec::new(),
    };
    for file in 0..files {
        check.gather(file)?;
    }
    for file in 0..files {
        check.judge(file)?;
    }
    let mut stories = Stories::new(std::mem::take(&mut check.found));
    if !stories.is_empty() {
        for file in 0..files {
            check.explain(file, &mut stories)?;
        }
    }
    let Check { mut report, catalog, .. } = check;
    report.examples = stories.tell(&catalog, &report.files);
    report.clocks = catalog.clocks();
    report.processes = catalog.processes();
    report.keys = catalog.keys();
    report.sessions = catalog.sessions();
    Ok(report)
}

struct Check<O, W> {
    open: O,
    watch: W,
    catalog: Catalog,
    ledger: Ledger,
    report: Report,
    found: Vec<Found>,
}

/// A read that broke a promise.
#[derive(Clone, Copy, Debug)]
struct Found {
    promise: Promise,
    due: Due,
    read: Read,
    clock: u32,
    /// Counted over all histories.
    record: u64,
}

impl<R: io::Read, O: FnMut(usize) -> io::Result<R>, W: FnMut(&Progress)> Check<O, W> {
    fn gather(&mut self, file: usize) -> Result<(), Problem> {
        let before = self.report.files.last().map_or(0, |last| last.before + last.records);
        let mut about = File { before, ..File::default() };
        let mut marked = true;
        let ends = self.walk(file, Stage::Gather, u64::MAX, |check, lens, event, record| {
            let record = before + record;
            about.ended = matches!(event, Event::End);
            let ledger = &mut check.ledger;
            match event {
                Event::Marks(marks) => {
                    ledger.marks(lens.clock(), marks);
                    marked &= marks == Marks::EveryFault;
                }
                Event::Read(session, read) => {
                    check.report.lasted(lens.clock(), read.began, read.ended);
                    if let Some(session) = session {
                        ledger.seen(session, &read, record);
                    }
                }
                Event::Write(write) => {
                    check.report.lasted(lens.clock(), write.began, write.ended);
                    check.report.writes += 1;
                    check.report.announced += u64::from(write.announced);
                    ledger.write(lens.clock(), &write, record);
                }
                Event::Floor(floor) => ledger.floor(lens.clock(), floor, record),
                Event::FaultBegins(at) => {
                    check.report.faults += 1;
                    let fault = ledger.fault_begins(lens.clock(), at);
                    lens.fault(fault);
                }
                Event::FaultHeals(fault, at) => ledger.fault_heals(lens.clock(), fault, at),
                Event::Lost(records) => about.lost += records,
                Event::Unknown => about.unknown += 1,
                Event::End | Event::Name => {}
            }
        })?;
        about.marked = marked;
        (about.records, about.bytes, about.torn) = ends;
        self.report.files.push(about);
        Ok(())
    }

    fn judge(&mut self, file: usize) -> Result<(), Problem> {
        let File { before, records, .. } = self.report.files[file];
        self.walk(file, Stage::Judge, records, |check, lens, event, record| {
            let Event::Read(session, read) = event else { return };
            check.report.reads += 1;
            let judgement = check.ledger.judge(lens.clock(), session, &read);
            check.report.count(&read, &judgement);
            if read.served != Served::Stale
                && let Outcome::Broken(promise, due) = judgement.outcome
                && check.report.violations[promise as usize] <= EXAMPLES_MAX as u64
            {
                check.found.push(Found { promise, due, read, clock: lens.clock(), record: before + record });
            }
        })?;
        Ok(())
    }

    fn explain(&mut self, file: usize, stories: &mut Stories) -> Result<(), Problem> {
        let File { before, records, .. } = self.report.files[file];
        self.walk(file, Stage::Explain, records, |_, lens, event, record| {
            stories.note(lens.clock(), &event, before + record);
        })?;
        Ok(())
    }

    /// Hands the events of a file to `each`, with their numbers, and tells how many records and whole bytes there were, and
    /// where a torn record begins.
    fn walk(
        &mut self,
        file: usize,
        stage: Stage,
        records_max: u64,
        mut each: impl FnMut(&mut Self, &mut Lens, Event, u64),
    ) -> Result<(u64, u64, Option<u64>), Problem> {
        let problem = |error| Problem { file, error };
        let source = (self.open)(file).map_err(|source| problem(Error::Io { offset: 0, source }))?;
        let mut reader = Reader::new(BufReader::with_capacity(BUFFER_BYTES, source)).map_err(problem)?;
        let mut lens = Lens::new(file);
        // A file that grows meanwhile is checked as far as it was gathered.
        while reader.records() < records_max {
            let Some(record) = reader.next().map_err(problem)? else { break };
            let event = self.catalog.event(&mut lens, record);
            let number = reader.records();
            each(self, &mut lens, event, number);
            if number % PROGRESS == 0 {
                (self.watch)(&Progress { stage, file, bytes: reader.offset() });
            }
        }
        Ok((reader.records(), reader.torn().unwrap_or(reader.offset()), reader.torn()))
    }
}
