//! Runs the nodes, does to them what the schedule says, and listens to what they report.

mod seat;
mod steps;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use unstale_audit::Fault;

use self::seat::{Seat, Standing};
use self::steps::{Step, Steps};
use super::Options;
use super::checker::Checker;
use super::child::{Child, Heard, Life};
use super::clock;
use super::database::Database;
use super::figures::{Figures, Second};
use super::hub::Hub;
use super::line::{Kept, Order, Report, Start, Strategy, Tick};
use super::links::Links;
use super::propagation::Propagation;
use super::random::Random;
use super::recording::Recording;
use super::schedule::Schedule;
use super::screen::Screen;
use super::verdict::{Place, Run, Verdict};
use crate::exit::Exit;

/// Rows of the database.
const ROWS: u32 = 2_000;
/// How long the nodes may take to start.
const STARTING: Duration = Duration::from_secs(60);
/// How long they may take to leave.
const LEAVING: Duration = Duration::from_secs(20);
/// Reports that wait to be heard; nodes wait beyond that.
const REPORTS: usize = 256;
/// What is measured at a receiver counts again this long after it was disturbed.
const RECOVERY: Duration = Duration::from_secs(1);

/// A bug, in words.
type Bug = String;

/// Runs the demo to its verdict.
pub(crate) async fn run(
    options: &Options,
    hub: Option<Hub>,
    seed: u64,
    schedule: Schedule,
    recording: Recording,
) -> Result<Exit, Bug> {
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    let mut supervisor = Supervisor::new(options, hub, seed, schedule, recording).await?;
    let outcome = tokio::select! {
        outcome = supervisor.run() => outcome,
        signal = signals.recv() => Ok(Exit::Stopped(signal)),
    };
    supervisor.stop().await;
    outcome
}

/// The signals that end a run early.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    async fn recv(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        kind.as_raw_value() as u8
    }
}

struct Supervisor<'a> {
    options: &'a Options,
    hub: Option<Hub>,
    /// The index of the .NET node, which comes after the others.
    dotnet: Option<usize>,
    seed: u64,
    schedule: Schedule,
    /// Removed with everything in it when the run is over.
    folder: TempDir,
    database: Database,
    links: Links,
    names: Vec<String>,
    seats: Vec<Seat>,
    ear: mpsc::Sender<(Life, Heard)>,
    reports: mpsc::Receiver<(Life, Heard)>,
    checker: Checker,
    recording: Recording,
    propagation: Propagation,
    figures: Figures,
    screen: Screen,
    /// Of the faults that began, by their index in the schedule.
    troubles: Vec<Option<Fault>>,
    /// Whether the next [`Kept`] is about a long cut.
    recalling_long_cut: bool,
    last_heal: u64,
    random: Random,
    started: Instant,
}

impl<'a> Supervisor<'a> {
    async fn new(
        options: &'a Options,
        hub: Option<Hub>,
        seed: u64,
        schedule: Schedule,
        recording: Recording,
    ) -> Result<Self, Bug> {
        let folder = TempDir::with_prefix("unstale-demo-").map_err(|error| error.to_string())?;
        let file = folder.path().join("rows.sqlite");
        let database = Database::create(&file, ROWS).map_err(|error| error.to_string())?;
        let dotnet = hub.as_ref().and_then(|hub| hub.dotnet.as_ref()).map(|_| options.nodes);
        let names = names(options.nodes, dotnet);
        let links = match &hub {
            None => Links::mesh(names.len()).await,
            Some(hub) => Links::hub(names.len(), hub.address).await,
        };
        let links = links.map_err(|error| error.to_string())?;
        let (ear, reports) = mpsc::channel(REPORTS);
        Ok(Self {
            options,
            hub,
            dotnet,
            seed,
            troubles: vec![None; schedule.faults.len()],
            schedule,
            folder,
            database,
            links,
            seats: names.iter().map(|_| Seat::default()).collect(),
            checker: Checker::new(ROWS, dotnet),
            recording,
            propagation: Propagation::default(),
            figures: Figures::new(&names),
            names,
            ear,
            reports,
            screen: Screen::new(options.output),
            recalling_long_cut: false,
            last_heal: 0,
            random: Random::new(seed).fork(1),
            started: Instant::now(),
        })
    }

    async fn run(&mut self) -> Result<Exit, Bug> {
        self.start_nodes().await?;
        self.started = Instant::now();
        for seat in &mut self.seats {
            seat.standing = Standing::Up;
            seat.order(Order::Go);
        }
        self.follow_schedule().await?;
        self.leave().await?;
        self.checker.judge(u64::MAX);
        self.propagation.join(clock::now(), &mut self.figures.propagation);
        let run = Run {
            nodes: self.names.len(),
            place: if self.hub.is_some() { Place::Redis } else { Place::Mesh },
            dotnet: self.dotnet,
            strategy: self.options.strategy.clone(),
            seed: self.seed,
            schedule: &self.schedule,
        };
        let found = self.checker.findings();
        let verdict = Verdict::new(&run, &self.figures, found);
        self.screen.finish(&verdict, &verdict.words(found, &self.names));
        if let Some(words) = std::mem::take(&mut self.recording).close()? {
            self.screen.announce(&words);
        }
        Ok(if verdict.is_coherent() { Exit::Fine } else { Exit::No })
    }

    async fn start_nodes(&mut self) -> Result<(), Bug> {
        self.screen.announce(&format!(
            "Starting {} nodes in groups a and b over one SQLite file{}, seed {}.",
            self.options.nodes,
            match &self.hub {
                None => "",
                Some(hub) if hub.dotnet.is_some() => " and one Redis, and a node of .NET",
                Some(_) => " and one Redis",
            },
            self.seed
        ));
        for node in 0..self.names.len() {
            self.start(node, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Warmth::Warm)?;
        }
        let ready = async {
            while self.seats.iter().any(|seat| seat.standing != Standing::Ready) {
                let (life, heard) = self.reports.recv().await.ok_or("no node is left")?;
                self.hear(life, heard)?;
            }
            Ok(())
        };
        let slow = || format!("the nodes were not ready after {} s", STARTING.as_secs());
        tokio::time::timeout(STARTING, ready).await.map_err(|_| slow())?
    }

    /// Starts a process for the node with index `node`.
    fn start(&mut self, node: usize, listen: SocketAddr, warmth: Warmth) -> Result<(), Bug> {
        let seat = &mut self.seats[node];
        let life = Life { node, number: seat.next_life() };
        self.recording.process(life, &self.names[node]).map_err(|error| error.to_string())?;
        let child = Child::spawn(life, self.ear.clone()).map_err(|error| error.to_string())?;
        let peers = self.links.addresses(node).into_iter();
        let peers = peers.map(|(peer, address)| (self.names[peer].clone(), address));
        let hub = self.hub.as_ref().zip(self.links.to_hub(node)).map(|(hub, proxy)| hub.spoke(proxy));
        let dotnet = self.hub.as_ref().and_then(|hub| hub.dotnet.clone());
        let strategy = match dotnet.filter(|_| self.dotnet == Some(node)) {
            Some(program) => Strategy::Dotnet(program),
            None => self.options.strategy.clone(),
        };
        child.order(Order::Start(Box::new(Start {
            name: self.names[node].clone(),
            strategy,
            listen,
            peers: peers.collect(),
            hub,
            database: self.folder.path().join("rows.sqlite"),
            rows: ROWS,
            warm: warmth == Warmth::Warm,
            seed: self.random.fork(node as u64).next(),
            reads_per_s: self.options.reads_per_s,
            writes_per_s: self.options.writes_per_s,
            detail: self.options.detail,
        })));
        seat.take(child, life);
        Ok(())
    }

    async fn follow_schedule(&mut self) -> Result<(), Bug> {
        let mut seconds =
            tokio::time::interval_at(self.started + Duration::from_secs(1), Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for (due, step) in Steps::new(&self.schedule) {
            let due = self.started + due;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(due) => break,
                    _ = seconds.tick() => self.second(),
                    heard = self.reports.recv() => {
                        let (life, heard) = heard.ok_or("no node is left")?;
                        self.hear(life, heard)?;
                    }
                }
            }
            self.step(step).await?;
        }
        self.second();
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), Bug> {
        match step {
            Step::Begin(index) => self.begin(index).await?,
            Step::Heal(index) => self.heal(index)?,
            Step::Recall(index) => {
                let planned = self.schedule.faults[index];
                self.recalling_long_cut = planned.is_long_cut();
                self.seats[planned.node].order(Order::Recall);
            }
            Step::Settled(after) => {
                let mut versions = self.database.read_all().map_err(|error| error.to_string())?;
                if self.hub.is_some() {
                    // On a mesh every value of a dead writer is loaded anew, so that even what it never said is seen. A second
                    // level keeps what nobody voided.
                    (versions, self.figures.unsaid) = self.checker.said(&versions);
                }
                let from = (self.last_heal + clock::nanos(super::schedule::SETTLING))
                    .max(clock::now() + clock::nanos(after));
                self.checker.settled(from, &versions);
                self.recording.settled(from, &versions).map_err(|error| error.to_string())?;
            }
            Step::Quiet => self.order_all(&Order::Quiet),
            Step::Sweep => self.order_all(&Order::Sweep),
            Step::End => {}
        }
        Ok(())
    }

    fn order_all(&mut self, order: &Order) {
        for seat in &mut self.seats {
            seat.order(order.clone());
        }
    }

    fn hear(&mut self, life: Life, heard: Heard) -> Result<(), Bug> {
        let name = &self.names[life.node];
        match heard {
            Heard::Report(report) => return self.report(life, *report),
            Heard::Garbled(_) | Heard::End if !self.seats[life.node].is_alive(life) => {}
            Heard::Garbled(line) => return Err(format!("{name} said something strange: {line}")),
            Heard::End if self.seats[life.node].standing == Standing::Leaving => self.seats[life.node].gone(),
            Heard::End => return Err(format!("{name} has ended by itself")),
        }
        Ok(())
    }

    fn report(&mut self, life: Life, report: Report) -> Result<(), Bug> {
        match report {
            Report::Tick(tick) => self.tick(life, tick),
            Report::Trouble(error) => return Err(format!("{}: {error}", self.names[life.node])),
            _ if !self.seats[life.node].is_alive(life) => {}
            Report::Listening(address) => {
                self.seats[life.node].address = Some(address);
                self.links.lead_to(life.node, address);
            }
            Report::Ready => self.ready(life.node)?,
            Report::Kept(kept) => {
                let figures = &mut self.figures;
                let sum = if self.recalling_long_cut {
                    &mut figures.kept_after_long_cut
                } else {
                    &mut figures.kept_after_cut
                };
                *sum = Kept {
                    untouched: sum.untouched + kept.untouched,
                    hits: sum.hits + kept.hits,
                    resident: sum.resident + kept.resident,
                };
            }
        }
        Ok(())
    }

    fn tick(&mut self, life: Life, mut tick: Tick) {
        let node = life.node;
        self.figures.tick(life, &tick);
        for what in tick.noticed.drain(..) {
            self.screen.event(self.started.elapsed(), &format!("{}: {what}", self.names[node]));
        }
        for read in tick.reads.drain(..) {
            // A history holds what promises were made for.
            if self.dotnet != Some(node) {
                self.recording.read(life, &read);
            }
            self.checker.read(node, read);
        }
        for write in tick.writes.drain(..) {
            self.recording.write(life, &write);
            self.checker.write(&write);
            if !write.act.stream.is_empty() && self.seats[node].is_linked(write.began) {
                self.propagation.act(&write.act, write.began);
            }
            let reader = self.random.below(self.options.nodes as u64) as usize;
            if reader != node && !write.token.is_empty() && self.seats[reader].is_at_work() {
                let session = Order::Session { row: write.row, version: write.version, token: write.token };
                self.seats[reader].order(session);
            }
        }
        let seat = &mut self.seats[node];
        for applied in tick.applied.drain(..).filter(|applied| seat.is_linked(applied.at)) {
            self.propagation.applied(node, applied);
        }
        for closed in tick.closed.drain(..).filter(|closed| seat.is_undisturbed(closed.at)) {
            self.figures.closed(closed);
        }
        if seat.is_alive(life) {
            seat.heard_until = Some(tick.until);
        }
    }

    fn second(&mut self) {
        // What every node that still speaks has reported up to.
        if let Some(complete) = self.seats.iter().filter_map(|seat| seat.heard_until).min() {
            self.checker.judge(complete);
        }
        self.propagation.join(clock::now(), &mut self.figures.propagation);
        let states: Vec<_> = self.seats.iter().map(|seat| seat.standing.word().map(str::to_owned)).collect();
        let (nodes, all) = self.figures.second(&states, self.checker.findings());
        let stale_during_faults = self.checker.findings().during_faults.len();
        let elapsed = self.started.elapsed().min(self.schedule.end);
        self.screen.second(&Second { elapsed, length: self.schedule.end, nodes, all, stale_during_faults });
    }

    /// Lets every node say goodbye; what it still had to report comes with that.
    async fn leave(&mut self) -> Result<(), Bug> {
        for seat in &mut self.seats {
            seat.standing = Standing::Leaving;
            seat.order(Order::Leave);
        }
        let deadline = Instant::now() + LEAVING;
        while self.seats.iter().any(Seat::is_taken) {
            let Ok(heard) = tokio::time::timeout_at(deadline, self.reports.recv()).await else {
                return Err(format!("the nodes had not left after {} s", LEAVING.as_secs()));
            };
            let (life, heard) = heard.ok_or("no node is left")?;
            self.hear(life, heard)?;
        }
        Ok(())
    }

    /// Ends every process and removes the folder.
    async fn stop(mut self) {
        for seat in &mut self.seats {
            seat.kill().await;
        }
        if let Some(hub) = &self.hub {
            hub.tidy().await;
        }
        // A folder that cannot be removed is left to the system's own tidying of temporary files.
        let _ = self.folder.close();
    }
}

/// Whether a node fills its cache before it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warmth {
    Warm,
    Cold,
}

/// Half of the nodes are in group a, half in group b: a1, a2, …, b1, b2, …; a node of .NET is the last.
fn names(nodes: usize, dotnet: Option<usize>) -> Vec<String> {
    let half = nodes.div_ceil(2);
    let name = |node| if node < half { format!("a{}", node + 1) } else { format!("b{}", node - half + 1) };
    (0..nodes).map(name).chain(dotnet.map(|_| "dotnet".to_owned())).collect()
}
