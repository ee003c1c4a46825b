//! What is known about writes, faults and sessions, and the judgement of a read by it.
//!
//! Every question is one search in a [`Front`]. So a history takes a time of records times the logarithm of writes.

use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::faults::Faults;
use crate::front::{Front, Step};
use crate::history::{Fault, Floor, Marks, Read, Write};
use crate::judgement::{Asked, Due, Judgement, Outcome, Promise};

/// How long after the last fault healed every plain read answers as the database does.
pub const SETTLING: Duration = Duration::from_secs(5);

/// How much older than the newest announced write a plain read may be while nothing is wrong: a lost frame is repaired
/// within this time.
pub const CALM_AGE_MAX: Duration = Duration::from_secs(1);

/// What is demanded of reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether sessions may go back.
    pub monotone: Monotone,
    /// How long a fault may be felt after it was healed.
    pub settling: Duration,
    /// How old a plain read may be with no fault near.
    pub calm_age_max: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { monotone: Monotone::Unpromised, settling: SETTLING, calm_age_max: CALM_AGE_MAX }
    }
}

/// What is demanded of the reads of a session among each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Monotone {
    /// Nothing; where one went back is still told.
    Unpromised,
    /// None shows an older version than one that had ended before it began.
    Promised,
}

/// What is known, with numbers for keys, processes, streams and sessions. Instants are compared within one clock only.
#[derive(Debug)]
pub struct Ledger {
    terms: Terms,
    clocks: Vec<Timeline>,
    /// By clock and key: announced writes, by their return.
    announced: Fronts,
    /// By clock and key: what every read shows from an instant on.
    floors: Fronts,
    /// By process and key: its own writes.
    own: Fronts,
    /// By stream and key: writes by their numbers, which need no clock.
    acts: Fronts,
    /// By session and key: what was seen, by the end of the read.
    seen: Fronts,
}

type Fronts = HashMap<(u32, u32), Front, RandomState>;

/// Faults by one clock, and whether they are marked.
#[derive(Debug, Default)]
struct Timeline {
    faults: Faults,
    marks: bool,
}

impl Ledger {
    /// An empty one.
    pub fn new(terms: Terms) -> Self {
        let [announced, floors, own, acts, seen] = std::array::from_fn(|_| Fronts::default());
        Self { terms, clocks: Vec::new(), announced, floors, own, acts, seen }
    }

    /// Whether faults are marked by the clock with index `clock`; one history that marks them is enough.
    pub fn marks(&mut self, clock: u32, marks: Marks) {
        self.clock(clock).marks |= marks == Marks::EveryFault;
    }

    /// A write returned; `record` says so.
    pub fn write(&mut self, clock: u32, write: &Write, record: u64) {
        let step = Step { version: write.version, at: write.ended, record };
        if write.announced {
            self.announced.entry((clock, write.key)).or_default().add(step);
        }
        self.own.entry((write.process, write.key)).or_default().add(step);
        if let Some(token) = write.token {
            let step = Step { at: token.number, ..step };
            self.acts.entry((token.stream, write.key)).or_default().add(step);
        }
    }

    /// A session has seen what a read answered; `record` says so.
    pub fn seen(&mut self, session: u32, read: &Read, record: u64) {
        if let Some(version) = read.version {
            let step = Step { version, at: read.ended, record };
            self.seen.entry((session, read.key)).or_default().add(step);
        }
    }

    /// With everything healed, every read from an instant on shows at least a version; `record` says so.
    pub fn floor(&mut self, clock: u32, floor: Floor, record: u64) {
        let step = Step { version: floor.version, at: floor.from, record };
        self.floors.entry((clock, floor.key)).or_default().add(step);
    }

    /// A fault begins.
    pub fn fault_begins(&mut self, clock: u32, at: u64) -> Fault {
        self.clock(clock).faults.begins(at)
    }

    /// It is healed.
    pub fn fault_heals(&mut self, clock: u32, fault: Fault, at: u64) {
        self.clock(clock).faults.heals(fault, at);
    }

    /// Forgets writes that were surpassed before `instant`: of what is judged later nothing changes but how long ago it was.
    /// For ledgers of one clock.
    pub fn forget(&mut self, instant: u64) {
        for front in self.announced.values_mut().chain(self.own.values_mut()) {
            front.forget(instant);
        }
    }

    /// How many announced writes of a key are remembered.
    pub fn remembered(&mut self, clock: u32, key: u32) -> usize {
        self.announced.get_mut(&(clock, key)).map_or(0, Front::len)
    }

    /// Compares a read with what was promised for it. Everything that happened before it ended has to be known.
    pub fn judge(&mut self, clock: u32, session: Option<u32>, read: &Read) -> Judgement {
        let floor = self.floors.get_mut(&(clock, read.key)).and_then(|floors| floors.highest_by(read.began));
        let settled = floor.is_some();
        let Some(version) = read.version else {
            return Judgement { outcome: Outcome::Unversioned, settled, went_back: None };
        };
        let newer = |step: &Step| step.version > version;
        let seen = session.and_then(|session| self.seen.get_mut(&(session, read.key)));
        let went_back = seen.and_then(|seen| seen.highest_before(read.began)).filter(newer).map(due);
        let broken = |promise| move |step: Step| Outcome::Broken(promise, due(step));
        let outcome = self
            .missed_own(read)
            .filter(newer)
            .map(broken(Promise::OwnWrites))
            .or_else(|| self.missed_act(read).filter(newer).map(broken(Promise::Session)))
            .or_else(|| self.aged(clock, read, version, floor.filter(newer)));
        let outcome = match (outcome, went_back) {
            (Some(broken @ Outcome::Broken(..)), _) => broken,
            (_, Some(due)) if self.terms.monotone == Monotone::Promised => {
                Outcome::Broken(Promise::Monotone, due)
            }
            (other, _) => other.unwrap_or(Outcome::Kept),
        };
        Judgement { outcome, settled, went_back }
    }

    /// The newest version that the process had written before.
    fn missed_own(&mut self, read: &Read) -> Option<Step> {
        match read.own {
            Some(version) => Some(Step { version, at: 0, record: 0 }),
            None => self.own.get_mut(&(read.process, read.key))?.highest_before(read.began),
        }
    }

    /// The newest version that the read's token stands for: its write, and every one before it in the same stream.
    fn missed_act(&mut self, read: &Read) -> Option<Step> {
        let told = read.due.map(|version| Step { version, at: 0, record: 0 });
        let by_token = read
            .token
            .and_then(|token| self.acts.get_mut(&(token.stream, read.key))?.highest_by(token.number));
        told.into_iter().chain(by_token.map(|step| Step { at: 0, ..step })).max_by_key(|step| step.version)
    }

    /// What the read's age breaks.
    fn aged(&mut self, clock: u32, read: &Read, version: u64, floor: Option<Step>) -> Option<Outcome> {
        let (settling, calm_age_max) = (nanos(self.terms.settling), nanos(self.terms.calm_age_max));
        // The longest missed write, since versions may have been announced in another order than they were committed.
        let announced = self.announced.get_mut(&(clock, read.key));
        let missed = announced.and_then(|announced| announced.first_beyond(version));
        let missed = missed.map(|step| (step, read.began.saturating_sub(step.at)));
        if let (Some(within), Some((step, age))) = (read.within, missed)
            && age > within
        {
            return Some(Outcome::Broken(Promise::Proven, due(step)));
        }
        if let Some(step) = floor {
            return Some(Outcome::Broken(Promise::Settled, due(step)));
        }
        let (step, age) = missed.filter(|(_, age)| *age > 0)?;
        let timeline = self.clock(clock);
        if !timeline.marks || timeline.faults.cover(read.began, settling) {
            return (read.asked() == Asked::Plain).then_some(Outcome::Stale { due: due(step), age });
        }
        (age > calm_age_max).then_some(Outcome::Broken(Promise::Settled, due(step)))
    }

    fn clock(&mut self, clock: u32) -> &mut Timeline {
        let clock = clock as usize;
        if clock >= self.clocks.len() {
            self.clocks.resize_with(clock + 1, Timeline::default);
        }
        &mut self.clocks[clock]
    }
}

fn due(step: Step) -> Due {
    Due { version: step.version, since: step.at, record: step.record }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
