//! The command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::mutation::Mutation;
use crate::run::{Plan, Seeds};
use crate::schedule::WorldKind;

/// What is asked of the simulator.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line are independent")]
#[command(
    name = "unstale-sim",
    about = "Runs whole clusters of the shipping code in virtual time, under faults, and checks every read",
    after_help = EXAMPLES
)]
pub struct Args {
    /// How many new seeds to run, after the written-out scenarios and the seeds that ever failed
    #[arg(long, default_value_t = 100, conflicts_with = "seed")]
    pub seeds: u64,
    /// Run this seed alone
    #[arg(long)]
    pub seed: Option<u64>,
    /// With --seed: only these events of its schedule, such as 3,7-9
    #[arg(long, requires = "seed", value_parser = places)]
    pub only: Option<Places>,
    /// Begin no further seed after this time, such as 60s
    #[arg(long, value_parser = duration)]
    pub budget: Option<Duration>,
    /// Which world
    #[arg(long, value_enum, default_value_t = World::Small)]
    pub world: World,
    /// Switch a mechanism off, by its name; `coherence` is all of them: a naive cache
    #[arg(long, value_name = "MECHANISM", conflicts_with = "planted")]
    pub without: Option<String>,
    /// Plant a bug of the kind that real systems had, by its name
    #[arg(long, value_name = "NAME")]
    pub planted: Option<String>,
    /// How many seeds to run at a time; the default is one for each core
    #[arg(long)]
    pub jobs: Option<usize>,
    /// One line of JSON at the end
    #[arg(long)]
    pub json: bool,
    /// Tell the whole history of the seed, also if nothing is broken
    #[arg(long, requires = "seed")]
    pub tell: bool,
    /// List the mechanisms that can be switched off, and are then caught
    #[arg(long)]
    pub list_mechanisms: bool,
    /// List the bugs that can be planted
    #[arg(long)]
    pub list_planted: bool,
    /// List the faults that are injected
    #[arg(long)]
    pub list_faults: bool,
}

const EXAMPLES: &str = "Examples:
  unstale-sim --seeds 1000                   scenarios, kept seeds, and a thousand new ones
  unstale-sim --seed 17 --json               one seed; prints the same line each time, history_hash included
  unstale-sim --world cluster --budget 60s   up to fifty nodes, for a minute
  unstale-sim --without check-at-store       exits with 1: a promise is broken, and the shortest history is printed
  unstale-sim --planted naive                the same for a bug that real caches had

Exit status: 0 nothing broken, 1 a promise broken, 64 wrong usage.";

/// Places of events in a schedule.
#[derive(Clone, Debug)]
pub struct Places(pub Vec<usize>);

/// The worlds, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum World {
    /// Two to four nodes of a fixed list, some seconds
    Small,
    /// Up to fifty nodes of a fixed list
    Cluster,
    /// Nodes that come and go
    Mesh,
    /// Nodes that come and go around a broker
    Hub,
}

impl World {
    /// The world that is meant.
    pub const fn kind(self) -> WorldKind {
        match self {
            Self::Small => WorldKind::Small,
            Self::Cluster => WorldKind::Cluster,
            Self::Mesh => WorldKind::Mesh,
            Self::Hub => WorldKind::Hub,
        }
    }
}

impl Args {
    /// The plan, or what is wrong with the names.
    pub fn plan(&self) -> Result<Plan, String> {
        let mutation = match (&self.without, &self.planted) {
            (Some(name), _) => Mutation::without(name)
                .ok_or_else(|| format!("no mechanism is called {name:?}; see --list-mechanisms"))?,
            (None, Some(name)) => Mutation::planted(name)
                .ok_or_else(|| format!("no bug is called {name:?}; see --list-planted"))?,
            (None, None) => Mutation::Nothing,
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let seeds = match self.seed {
            Some(seed) => Seeds::One(seed, self.only.as_ref().map(|places| places.0.clone())),
            None => Seeds::New(self.seeds),
        };
        let jobs = self.jobs.unwrap_or(cores).max(1);
        Ok(Plan { seeds, world: self.world.kind(), mutation, budget: self.budget, jobs })
    }
}

fn places(text: &str) -> Result<Places, String> {
    crate::shrink::read(text).map(Places).ok_or_else(|| format!("{text:?} is no list such as 3,7-9"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 60s, 5m or 500ms");
    let digits = text.len() - text.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3_600)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("5 parsecs").is_err() && duration("s").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
