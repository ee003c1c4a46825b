//! `unstale demo`: real processes over one database, with faults on schedule, and a verdict.
//!
//! The supervisor (this process) starts itself once per node, carries the links between the nodes through proxies that it
//! can cut, kills and pauses nodes, and compares every read that they report with what was promised for it.

mod checker;
mod child;
mod clock;
mod database;
mod figures;
mod kinds;
mod line;
mod links;
mod node;
mod propagation;
mod proxy;
mod random;
mod recording;
mod schedule;
mod screen;
mod supervisor;
mod verdict;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::exit::Exit;

pub(crate) use kinds::Kinds;
pub(crate) use line::{Detail, Strategy};
pub(crate) use node::run as run_node;
use random::Random;
use recording::Recording;
use schedule::{SHORTEST_WITH_FAULTS, Schedule};

/// What a run is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How many nodes.
    pub(crate) nodes: usize,
    /// How long the readers and writers work.
    pub(crate) length: Duration,
    /// Which faults happen.
    pub(crate) kinds: Kinds,
    /// Which cache the nodes hold.
    pub(crate) strategy: Strategy,
    /// Of the schedule and the keys; drawn if not given.
    pub(crate) seed: Option<u64>,
    /// Reads per second of each node.
    pub(crate) reads_per_s: u32,
    /// Writes per second of each node.
    pub(crate) writes_per_s: u32,
    /// How much is told while it runs.
    pub(crate) detail: Detail,
    /// In which form it is shown.
    pub(crate) output: Output,
    /// Where its history is written.
    pub(crate) record: Option<PathBuf>,
}

/// In which form a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people: a live table in a terminal, lines elsewhere.
    Words,
    /// For programs.
    Json,
}

/// Runs the demo to its verdict.
pub(crate) fn run(options: &Options) -> Exit {
    // Short seeds are easier to repeat by hand, and a million schedules are enough.
    let seed = options.seed.unwrap_or_else(|| Random::new(clock::now()).below(1_000_000));
    let schedule = Schedule::new(options.length, options.nodes, options.kinds, Random::new(seed));
    let Some(schedule) = schedule else {
        let shortest = SHORTEST_WITH_FAULTS.as_secs();
        complain(&format!(
            "{} s have no room for faults: use --seconds {shortest} or more, or --faults=none",
            options.length.as_secs()
        ));
        return Exit::Usage;
    };
    let recording = match Recording::start(options.record.as_deref()) {
        Ok(recording) => recording,
        Err(error) => {
            let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            complain(&format!("no history can be recorded there: {error}{reason}"));
            return Exit::Usage;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(supervisor::run(options, seed, schedule, recording)));
    outcome.unwrap_or_else(|error| {
        complain(&error);
        Exit::Bug
    })
}

fn complain(error: &str) {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "unstale demo: {error}");
}
