//! Many schedules: written-out scenarios first, then the seeds that ever failed, then new ones.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::dice::mix;
use crate::fault::{Fault, Faults};
use crate::mutation::Mutation;
use crate::protocol;
use crate::schedule::{Schedule, WorldKind, draw};
use crate::violation::Violation;
use crate::world::{Report, World};

/// Seeds that ever failed, with their worlds: they run first.
const REGRESSIONS: &str = include_str!("../seeds/regressions.txt");

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which seeds.
    pub seeds: Seeds,
    /// In which world.
    pub world: WorldKind,
    /// What is wrong with the nodes.
    pub mutation: Mutation,
    /// No further seed is begun after this time.
    pub budget: Option<Duration>,
    /// How many at a time.
    pub jobs: usize,
}

/// Which seeds are run.
#[derive(Clone, Debug)]
pub enum Seeds {
    /// So many new ones, after scenarios and kept seeds.
    New(u64),
    /// One, alone; with some of its events only, if they are listed.
    One(u64, Option<Vec<usize>>),
}

/// What it came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Written-out scenarios that were run.
    pub scenarios: u64,
    /// Reads and writes.
    pub operations: u64,
    /// Reads whose answers were checked.
    pub reads_checked: u64,
    /// How often each fault was injected.
    pub faults: BTreeMap<&'static str, u64>,
    /// The hash of all histories, in their order.
    pub history_hash: u64,
    /// What failed, in the order in which it was run.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub elapsed: Duration,
    /// The processor's time that all jobs together took.
    pub worked: Duration,
}

/// A breach of a promise, and what showed it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The scenario or the seed.
    pub by: Shower,
    /// What was broken.
    pub violation: Violation,
}

/// What showed a breach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shower {
    /// A scenario, by its name.
    Scenario(&'static str),
    /// A seed of a world.
    Seed(WorldKind, u64),
}

/// One schedule to run.
struct Task {
    world: WorldKind,
    seed: u64,
    only: Option<Vec<usize>>,
}

/// What became of it.
struct Outcome {
    report: Report,
    faults: Faults,
    worked: Duration,
}

impl Plan {
    /// Runs it; `progress` is told now and then of seeds, of how many, and operations so far. Ends with the first failure in
    /// the order of the plan, whatever the number of jobs.
    pub fn run(&self, progress: &(dyn Fn(usize, usize, u64) + Sync)) -> Summary {
        let began = Instant::now();
        let mut summary = Summary::default();
        if matches!(self.seeds, Seeds::New(_)) {
            self.run_scenarios(&mut summary);
        }
        if summary.failures.is_empty() {
            let tasks = self.tasks();
            let outcomes = self.run_tasks(&tasks, began, progress);
            summary.take(&tasks, outcomes);
        }
        summary.elapsed = began.elapsed();
        summary
    }

    /// The schedule of a seed, as this plan runs it.
    pub fn schedule(world: WorldKind, seed: u64, only: Option<&[usize]>) -> Schedule {
        let schedule = draw(seed, world);
        match only {
            Some(only) => schedule.with(|index| only.binary_search(&index).is_ok()),
            None => schedule,
        }
    }

    fn run_scenarios(&self, summary: &mut Summary) {
        for scenario in protocol::scenarios() {
            summary.scenarios += 1;
            if let Err(violation) = (scenario.run)(self.mutation.in_protocol()) {
                summary.failures.push(Failure { by: Shower::Scenario(scenario.name), violation });
                return;
            }
        }
    }

    fn tasks(&self) -> Vec<Task> {
        match &self.seeds {
            Seeds::One(seed, only) => vec![Task { world: self.world, seed: *seed, only: only.clone() }],
            Seeds::New(count) => {
                let kept = regressions().into_iter().filter(|(world, _)| *world == self.world);
                let new = (1..=*count).map(|seed| (self.world, seed));
                kept.chain(new).map(|(world, seed)| Task { world, seed, only: None }).collect()
            }
        }
    }

    fn run_tasks(
        &self,
        tasks: &[Task],
        began: Instant,
        progress: &(dyn Fn(usize, usize, u64) + Sync),
    ) -> Vec<Outcome> {
        let next = AtomicUsize::new(0);
        let stop = AtomicUsize::new(usize::MAX);
        let outcomes: Mutex<BTreeMap<usize, Outcome>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, tasks.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let late = index > 0 && self.budget.is_some_and(|budget| began.elapsed() > budget);
                        let Some(task) =
                            tasks.get(index).filter(|_| index < stop.load(Ordering::Relaxed) && !late)
                        else {
                            return;
                        };
                        let outcome = task.run(self.mutation);
                        if outcome.report.violation.is_some() {
                            stop.fetch_min(index, Ordering::Relaxed);
                        }
                        let mut outcomes = outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        outcomes.insert(index, outcome);
                        let operations = outcomes.values().map(|outcome| outcome.report.operations).sum();
                        progress(outcomes.len(), tasks.len(), operations);
                    }
                });
            }
        });
        // Whatever ran beside and after the first failure is left out: how much that is depends on chance.
        let outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let stop = stop.into_inner();
        outcomes.into_iter().filter(|(index, _)| *index <= stop).map(|(_, outcome)| outcome).collect()
    }
}

impl Task {
    fn run(&self, mutation: Mutation) -> Outcome {
        let began = processor_time();
        let faults = Faults::new();
        let schedule = Plan::schedule(self.world, self.seed, self.only.as_deref());
        let report = World::new(schedule, mutation, faults.clone(), false).run();
        Outcome { report, faults, worked: processor_time().saturating_sub(began) }
    }
}

/// What this thread has had of a processor: other programs do not slow that down.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Summary {
    fn take(&mut self, tasks: &[Task], outcomes: Vec<Outcome>) {
        for fault in Fault::ALL {
            self.faults.insert(fault.name(), 0);
        }
        for (task, Outcome { report, faults, worked }) in tasks.iter().zip(outcomes) {
            self.seeds += 1;
            self.operations += report.operations;
            self.reads_checked += report.reads_checked;
            self.history_hash = mix(self.history_hash ^ report.hash);
            self.worked += worked;
            for fault in Fault::ALL {
                *self.faults.entry(fault.name()).or_default() += faults.of(*fault);
            }
            if let Some(violation) = report.violation {
                self.failures.push(Failure { by: Shower::Seed(task.world, task.seed), violation });
            }
        }
    }
}

/// The kept seeds.
pub fn regressions() -> Vec<(WorldKind, u64)> {
    let lines = REGRESSIONS.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let kept = lines.filter(|line| !line.is_empty()).map(|line| {
        let (world, seed) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?} is no world and seed"));
        let known = WorldKind::ALL.into_iter().find(|kind| kind.name() == world);
        let world = known.unwrap_or_else(|| panic!("{line:?} names no world"));
        (world, seed.trim().parse().unwrap_or_else(|_| panic!("{line:?} names no seed")))
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_seeds_can_be_read() {
        assert!(!regressions().is_empty());
    }
}
