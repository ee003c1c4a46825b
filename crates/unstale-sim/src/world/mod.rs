//! The world: processes, their network, their database, and the one time that all of it happens in.

mod faults;
mod happenings;
mod reads;
mod settle;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use unstale::{NodeBuilder, Seq, SessionToken, Stream};
use unstale_port::memory::{MemoryStore, StoreLimits};
use unstale_port::{Peer, Peers};

use crate::caches::Source;
use crate::clock::SimClock;
use crate::database::Database;
use crate::dice::{Dice, mix};
use crate::fault::{Fault, Faults};
use crate::layout::{Layout, Subject};
use crate::model::{Claim, Model};
use crate::mutation::Mutation;
use crate::network::{Life, Network};
use crate::planted::Seen;
use crate::process::Process;
use crate::schedule::{Action, Schedule, WorldKind};
use crate::store::{SlowStore, WorldTimer};
use crate::story::Story;
use crate::violation::Violation;

/// From one step of the world to the next; no frame is on its way for less (see `Quality::latency`).
const STEP: u64 = 4 * MS;
const MS: u64 = 1_000_000;
/// After the last fault has healed, every read answers as the database does.
const RECOVERY: u64 = 5_000 * MS;
/// Calls that wait at the end have so long to return: a book is made of two pages of two rows, one after the other, and each load of
/// a page or a row that began before may hang for 3 s.
const LAST_CALLS: u64 = 20_000 * MS;

/// Requests that waited in the socket of a process that stood still.
const WOKEN_READS: u32 = 24;

/// What a node is called, and the address it is dialled under.
pub fn name_of(node: usize) -> String {
    format!("n{node}")
}

/// What running a schedule came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Reads and writes.
    pub operations: u64,
    /// Reads whose answer was checked.
    pub reads_checked: u64,
    /// The hash of all that happened.
    pub hash: u64,
    /// What was broken first, if anything was.
    pub violation: Option<Violation>,
    /// What happened, if it was to be told.
    pub lines: Vec<String>,
}

/// One seat in the world, with or without a process.
struct Seat {
    process: Option<Process>,
    /// Until when its process stands still, since when, and whether its timers count that.
    stopped: Option<(u64, u64, bool)>,
    lives: u64,
    clock: (u64, i64, i64),
    /// Since when nothing of its own keeps it from hearing others.
    well_since: u64,
    leaving: bool,
    /// Its process found nobody and took itself for the first of an elastic mesh: others are no members of it, nor it of theirs.
    lonely: bool,
    /// Rows that its process wrote without being announced.
    unannounced: Vec<Subject>,
    /// Rows that its process holds while its writes have not returned.
    locked: Vec<Subject>,
}

/// Runs one schedule.
pub struct World {
    schedule: Schedule,
    mutation: Mutation,
    now: u64,
    seats: Vec<Seat>,
    network: Network,
    database: Database,
    store: Option<SlowStore>,
    model: Model,
    story: Story,
    faults: Faults,
    /// What comes later because of what happened: births and the end of bad weather.
    agenda: BTreeMap<(u64, u64), Later>,
    agenda_count: u64,
    /// Rows that a write that has not returned changes.
    busy_rows: Vec<bool>,
    /// The newest writes with their tokens, for sessions.
    sessions: Vec<(SessionToken, Vec<Subject>)>,
    /// By life: what it announced, and when.
    announced: BTreeMap<Life, Vec<(u64, Stream, Seq)>>,
    /// Of which of those a node must know.
    told: BTreeMap<(usize, Life), usize>,
    /// Rows whose last change died with its writer before anybody was told.
    untold: BTreeSet<Subject>,
    /// Whether any distrust is needless.
    gentle: bool,
    needless: Option<Violation>,
    /// Nodes that go on with this step.
    woken: Vec<usize>,
    operations: u64,
    reads_checked: u64,
}

/// What comes later.
#[derive(Clone, Copy, Debug)]
enum Later {
    Start(usize),
    FairWeather,
    /// An operator says that the dead process of this name is dead: nobody else can.
    EndedByOperator(usize),
    Wake(usize),
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(schedule: Schedule, mutation: Mutation, faults: Faults, told: bool) -> Self {
        let shape = schedule.shape;
        let seed = schedule.seed;
        let database = Database::new(shape.layout.rows, shape.manner, seed, faults.clone());
        let network = Network::new(shape.quality, seed, faults.clone());
        let network = if shape.kind == WorldKind::Hub { network.with_broker() } else { network };
        let mut dice = Dice::of(seed, 0x776f_726c);
        let seats = (0..shape.nodes)
            .map(|_| Seat {
                process: None,
                stopped: None,
                lives: 0,
                clock: draw_clock(&mut dice, shape.skew_ms, shape.drift, &faults),
                well_since: 0,
                leaving: false,
                lonely: false,
                unannounced: Vec::new(),
                locked: Vec::new(),
            })
            .collect();
        let store = shape.terms.store.then(|| SlowStore::new(store_of(&database), seed, faults.clone()));
        let model = Model::new(shape.layout, shape.nodes, shape.to_the_letter, shape.manner.lag_ms == 0);
        if shape.terms.capacity < u64::from(shape.layout.rows) {
            faults.count(Fault::Eviction);
        }
        let mut world = Self {
            mutation,
            now: 0,
            seats,
            network,
            database,
            store,
            model,
            story: Story::new(told),
            faults,
            agenda: BTreeMap::new(),
            agenda_count: 0,
            busy_rows: vec![false; usize::from(shape.layout.rows)],
            sessions: Vec::new(),
            announced: BTreeMap::new(),
            told: BTreeMap::new(),
            untold: BTreeSet::new(),
            gentle: schedule.is_gentle(),
            needless: None,
            woken: Vec::new(),
            operations: 0,
            reads_checked: 0,
            schedule,
        };
        for node in 0..shape.first {
            let at = dice.below(30) * MS;
            world.later(at, Later::Start(node));
        }
        world
    }

    /// Runs it to its end, or to the first breach of a promise.
    pub fn run(mut self) -> Report {
        let violation = self.play().err();
        if let Some(violation) = &violation {
            self.story.note(violation.promise as u64 + 1_000);
            self.story.tell(self.now, None, || format!("broken: {violation}"));
        }
        let layout = self.layout();
        let subjects: Vec<Subject> =
            violation.iter().flat_map(|violation| about(layout, violation)).collect();
        Report {
            operations: self.operations,
            reads_checked: self.reads_checked,
            hash: self.story.hash(),
            lines: self.story.lines(&subjects),
            violation,
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        let mut next = 0;
        let settled = self.schedule.healed * MS + RECOVERY;
        while self.now < settled {
            self.begin_step();
            for node in std::mem::take(&mut self.woken) {
                self.burst(node, WOKEN_READS, self.now)?;
            }
            while let Some(&(at, action)) = self.schedule.events.get(next)
                && at * MS <= self.now
            {
                next += 1;
                self.act(action)?;
            }
            self.end_step()?;
            if self.now.is_multiple_of(100 * MS) {
                self.demand_repairs();
                self.call_operators();
            }
        }
        self.check_settled()?;
        let last = self.now + LAST_CALLS;
        while self.now < last && self.waiting() > 0 {
            self.begin_step();
            self.end_step()?;
        }
        self.check_last_calls()
    }

    /// Whatever comes from outside, at one instant.
    fn begin_step(&mut self) {
        self.network.advance(self.now);
        self.database.set_now(self.now);
        while let Some((&(at, id), &later)) = self.agenda.first_key_value()
            && at <= self.now
        {
            self.agenda.remove(&(at, id));
            match later {
                Later::Start(node) => self.start(node),
                Later::FairWeather => self.database.behave(self.schedule.shape.manner),
                Later::Wake(node) => self.wake(node),
                Later::EndedByOperator(node) => self.end_by_operator(node),
            }
        }
    }

    /// Lets every process run up to the next step, one after the other, and takes what it did.
    fn end_step(&mut self) -> Result<(), Violation> {
        let until = self.now + STEP;
        let step = self.database.step();
        for node in 0..self.seats.len() {
            let seat = &mut self.seats[node];
            if seat.stopped.is_some() {
                continue;
            }
            let Some(process) = &mut seat.process else { continue };
            process.run_until(until);
            if self.mutation == Mutation::SelfTicked {
                process.clock.tick();
            }
            self.take_done(node, until)?;
            self.take_events(node, step, until);
            if let Some(violation) = self.needless.take() {
                return Err(violation);
            }
        }
        self.now = until;
        Ok(())
    }

    /// A process starts.
    fn start(&mut self, node: usize) {
        if self.seats[node].process.is_some() {
            return;
        }
        let seat = &mut self.seats[node];
        seat.lives += 1;
        seat.leaving = false;
        seat.lonely = false;
        seat.stopped = None;
        if seat.lives > 1 {
            self.faults.count(Fault::Restart);
        }
        let life = Life(self.seats.iter().map(|seat| seat.lives).sum::<u64>() * 64 + node as u64);
        let shape = self.schedule.shape;
        let (offset, drift, skew) = self.seats[node].clock;
        let peers = self.peers_of(node);
        let seed = mix(self.schedule.seed ^ mix(life.0));
        let (now, network, store, mutation) = (self.now, &self.network, self.store.clone(), self.mutation);
        let seen = Seen::default();
        let bug = mutation.bug(shape.layout);
        let tap = mutation.tap(bug.memo.clone(), Arc::clone(&seen));
        let source = Source { layout: shape.layout, database: self.database.clone(), bug };
        let build = || {
            let backplane = network.join(life, node, peers, shape.listening, tap);
            let clock = SimClock::new(now, offset, drift, skew);
            let mut builder: NodeBuilder = unstale::Node::builder("sim")
                .name(name_of(node))
                .backplane(backplane)
                .seed(mutation.seed(seed, node))
                .clock(clock.clone());
            if let Some(store) = store {
                builder = builder.store(store);
            }
            (mutation.of(builder), clock)
        };
        let process = Process::start(life, build, shape.terms, source);
        // A tap sees the caches from now on.
        let _ = seen.set((Arc::clone(&process.caches), process.clock.clone()));
        let stream = process.node.status().stream;
        self.seats[node].process = Some(process);
        self.seats[node].well_since = now;
        self.model.born(node);
        self.story.note(life.0);
        self.story.tell(now, None, || format!("n{node} starts as {}", short(stream)));
    }

    fn peers_of(&self, node: usize) -> Peers {
        if self.schedule.shape.kind == WorldKind::Mesh {
            return Peers::Elastic;
        }
        if self.schedule.shape.kind == WorldKind::Hub {
            return Peers::Registered;
        }
        let others = (0..self.seats.len()).filter(|other| *other != node);
        Peers::Fixed(
            others.map(|other| Peer { name: Some(name_of(other)), address: name_of(other) }).collect(),
        )
    }

    fn later(&mut self, at: u64, what: Later) {
        self.agenda_count += 1;
        self.agenda.insert((at, self.agenda_count), what);
    }

    fn act(&mut self, action: Action) -> Result<(), Violation> {
        if let Action::Reads { node, count, salt } = action {
            return self.burst(node, count, salt);
        }
        if let Action::Write { node, write, salt } = action {
            self.write(node, write, salt);
        } else {
            self.suffer(action);
        }
        Ok(())
    }

    fn layout(&self) -> Layout {
        self.schedule.shape.layout
    }

    fn is_running(&self, node: usize) -> bool {
        let seat = &self.seats[node];
        seat.process.is_some() && seat.stopped.is_none() && !seat.leaving
    }

    fn waiting(&self) -> usize {
        self.seats.iter().filter_map(|seat| seat.process.as_ref()).map(Process::waiting).sum()
    }
}

fn draw_clock(dice: &mut Dice, skew_ms: u64, drift: u64, faults: &Faults) -> (u64, i64, i64) {
    let skew = dice.between(0, 2 * skew_ms).cast_signed() - skew_ms.cast_signed();
    let drift = dice.between(0, 2 * drift).cast_signed() - drift.cast_signed();
    if skew != 0 || drift != 0 {
        faults.count(Fault::ClockSkew);
    }
    (dice.between(1, 1_000_000) * 1_000_000_000 + dice.below(1_000_000_000), drift, skew)
}

fn store_of(database: &Database) -> MemoryStore {
    MemoryStore::with(StoreLimits::default(), Arc::new(WorldTimer(database.clone())))
}

/// The rows, pages and books that a violation is about: those that its text names.
fn about(layout: Layout, violation: &Violation) -> Vec<Subject> {
    let named = |subject: &Subject| {
        let name = layout.name(*subject);
        violation
            .text
            .match_indices(&name)
            .any(|(at, _)| !violation.text[at + name.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    (0..layout.subjects()).filter(named).collect()
}

fn short(stream: Stream) -> String {
    format!("{:04x}.{}", stream.process.0 >> 112, stream.incarnation.0)
}

/// An event's debug form with streams as [`short`] has them.
fn told(event: &str) -> String {
    let mut text = String::new();
    let mut rest = event;
    while let Some((before, after)) = rest.split_once("Stream { process: ProcessId(") {
        let stream = after.split_once("), incarnation: Incarnation(").and_then(|(process, after)| {
            let (incarnation, after) = after.split_once(") }")?;
            Some((process.parse::<u128>().ok()?, incarnation, after))
        });
        let Some((process, incarnation, after)) = stream else { break };
        let short = format!("{:04x}.{incarnation}", process >> 112);
        text.extend([before, &short]);
        rest = after;
    }
    text + rest
}

/// What a claim is called in a story.
fn claimed(claim: Claim) -> &'static str {
    match claim {
        Claim::Fresh => "fresh",
        Claim::Proven => "proven",
        Claim::Unsaid => "stale",
    }
}
