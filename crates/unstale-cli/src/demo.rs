//! `unstale demo`: real processes over one database, with faults on schedule, and a verdict.
//!
//! The supervisor (this process) starts itself once per node, carries the links between the nodes through proxies that it
//! can cut, kills and pauses nodes, and compares every read that they report with what was promised for it.

mod checker;
mod child;
mod clock;
mod database;
mod figures;
mod hub;
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
use std::path::PathBuf;
use std::time::Duration;

use crate::exit::Exit;
use crate::terminal::complain;

use hub::{Hub, NoHub};
pub(crate) use kinds::Kinds;
pub(crate) use line::{Detail, Strategy};
pub(crate) use node::run as run_node;
use random::Random;
use recording::Recording;
use schedule::{Schedule, Way};

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
    /// The URL of the Redis where the nodes meet, instead of a mesh.
    pub(crate) redis: Option<String>,
    /// Which nodes there are.
    pub(crate) company: Company,
    /// Where its history is written.
    pub(crate) record: Option<PathBuf>,
}

/// Which nodes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Those of unstale.
    Alone,
    /// One of .NET as well.
    WithDotnet,
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
    let way = if options.redis.is_some() { Way::ByHub } else { Way::Direct };
    let schedule = Schedule::new(options.length, options.nodes, options.kinds, way, Random::new(seed));
    let Some(schedule) = schedule else {
        let shortest = way.shortest_with_faults().as_secs();
        let says = format!(
            "{} s have no room for faults: use --seconds {shortest} or more, or --faults=none",
            options.length.as_secs()
        );
        return complain("demo", says, Exit::Usage);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return complain("demo", error, Exit::Bug),
    };
    let hub = match runtime.block_on(hub(options)) {
        Ok(hub) => hub,
        Err(NoHub::Usage(why)) => return complain("demo", why, Exit::Usage),
        Err(NoHub::Unavailable(why)) => return complain("demo", why, Exit::Unavailable),
    };
    // Last, since it replaces the history that is there.
    let recording = match Recording::start(options.record.as_deref()) {
        Ok(recording) => recording,
        Err(error) => {
            let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            let says = format!("no history can be recorded there: {error}{reason}");
            return complain("demo", says, Exit::Usage);
        }
    };
    let outcome = runtime.block_on(supervisor::run(options, hub, seed, schedule, recording));
    outcome.unwrap_or_else(|error| complain("demo", error, Exit::Bug))
}

/// The Redis where the nodes meet, if they are to.
async fn hub(options: &Options) -> Result<Option<Hub>, NoHub> {
    let Some(url) = &options.redis else { return Ok(None) };
    if url.is_empty() {
        let says = "--redis needs a URL. To start one that keeps nothing: redis-server --port 6390 --save '' --appendonly no, \
                    and then: unstale demo --redis redis://127.0.0.1:6390";
        return Err(NoHub::Usage(says.to_owned()));
    }
    let dotnet = match options.company {
        Company::Alone => None,
        Company::WithDotnet => Some(dotnet_node()?),
    };
    Hub::find(url, dotnet).await.map(Some)
}

/// The program of a live FusionCache node.
fn dotnet_node() -> Result<PathBuf, NoHub> {
    let beside = || PathBuf::from("../shared/peers/fusioncache-node/fusioncache-node");
    let program = std::env::var_os("FUSIONCACHE_NODE").map_or_else(beside, PathBuf::from);
    if program.is_file() {
        // The nodes are started in the same folder, but who knows.
        return Ok(std::path::absolute(&program).unwrap_or(program));
    }
    let says = format!(
        "--dotnet needs a FusionCache node that is driven by lines of JSON, and {} is none: set FUSIONCACHE_NODE to its path",
        program.display()
    );
    Err(NoHub::Usage(says))
}
