//! The command line: what may be asked, and who answers.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use unstale_audit::Monotone;

use crate::audit;
use crate::decode;
use crate::demo::{self, Company, Detail, Kinds, Options, Output, Strategy};
use crate::doctor;
use crate::exit::Exit;
use crate::{send, tail};

/// Keeps caches coherent across processes, and can show that they are.
#[derive(Debug, Parser)]
#[command(name = "unstale", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work on this machine: real processes over one database, with faults and a verdict
    Demo(DemoArgs),
    /// Check a Redis: reachable, fit, rights, round trip, the caches on it
    Doctor(doctor::Arguments),
    /// Follow the invalidations on a Redis, decoded
    Tail(tail::Arguments),
    /// Tell every node that something is out of date, by hand
    Send(send::Arguments),
    /// Check recorded runs
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Say what bytes mean
    Decode(decode::Arguments),
    /// One node of the demo, started by the demo itself
    #[command(hide = true)]
    DemoNode,
    /// Print the completion script of a shell
    #[command(after_help = COMPLETIONS_EXAMPLE)]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Starts processes with typed caches of the rows of one SQLite file, in two groups on one mesh or over one Redis. They read and write, while
/// processes are killed and restarted, paused, and cut off. Every read is compared with what was promised for it.
#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
struct DemoArgs {
    /// How many processes hold caches
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(2..=16))]
    nodes: u8,
    /// How long the readers and writers work, in seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u16).range(3..=3600))]
    seconds: u16,
    /// Which faults happen: a list of kill, pause and cut, or none
    #[arg(long, value_name = "LIST", default_value_t = Kinds::ALL)]
    faults: Kinds,
    /// Use a naive cache instead: a map, and invalidations that are sent once and forgotten
    #[arg(long)]
    naive: bool,
    #[command(flatten)]
    place: PlaceArgs,
    /// Repeat the fault schedule and the keys of an earlier run
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Reads per second of each node
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    reads: u32,
    /// Writes per second of each node
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    writes: u32,
    /// Also say what the nodes notice of each other: silence, ends, distrust, holes
    #[arg(long)]
    verbose: bool,
    /// Also write the history of the run to this file, for `unstale audit check`; a history that is there is replaced
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print JSON: one line per second and a last line with the verdict
    #[arg(long)]
    json: bool,
}

/// Where the nodes of the demo meet.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// The nodes meet in this Redis, which is their second level as well: `redis://HOST[:PORT]`. What they put there is
    /// removed in the end
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", conflicts_with = "naive")]
    redis: Option<String>,
    /// A live FusionCache node of .NET shares the cache; nothing is done to it
    #[arg(long, requires = "redis")]
    dotnet: bool,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Say whether every read in recorded runs kept what was promised for it
    Check(CheckArgs),
}

/// Reads histories (docs/formats/history.md), such as `unstale demo --record` writes, and compares each read with the writes of
/// its own process, the session token that it had, the time within which it was called proven and, where every fault is
/// marked, with the database. Several files are histories of one run.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
struct CheckArgs {
    /// The histories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also demand that no read is older than what its session had seen before
    #[arg(long)]
    monotone: bool,
    /// Print the verdict as one line of JSON
    #[arg(long)]
    json: bool,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 the verdict is no, 64 bad usage, 65 bad data, \
                          66 a file that cannot be read, 69 a server that cannot be reached, \
                          70 a bug in this program, 130 or 143 stopped by a signal.";

const DEMO_EXAMPLES: &str = "Examples:
  unstale demo                                 30 s, 6 nodes, every fault
  unstale demo --seconds 60 --nodes 9          longer, larger
  unstale demo --faults=kill,cut               only these faults
  unstale demo --redis redis://127.0.0.1:6379  over a Redis, with the same faults
  unstale demo --redis redis://127.0.0.1:6379 --dotnet     a FusionCache node among them
  unstale demo --naive                         the stale reads that caches usually have
  unstale demo --record run.history            what happened, for `unstale audit check run.history`
  unstale demo --json | tail -n 1              only the verdict, for a program

Exit codes: 0 coherent, 1 not coherent, 64 bad usage, 69 the Redis cannot be reached, 70 a bug in the demo itself, 130 or 143 stopped by a signal.";

const CHECK_EXAMPLES: &str = "Examples:
  unstale demo --record run.history && unstale audit check run.history
  unstale audit check one.history two.history three.history
  unstale audit check --json run.history | jq .examples

A history that is not complete (records lost, half a record at its end, no end mark) is checked as far as it goes, and
that is said.

Exit codes: 0 coherent, 1 not coherent, 64 bad usage, 65 not a history, or one with bad bytes, 66 a file that cannot be read.";

const COMPLETIONS_EXAMPLE: &str = "Example:
  unstale completions bash > ~/.local/share/bash-completion/completions/unstale";

/// Does what the arguments ask for.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Where the terminal is gone there is nobody left to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Fine };
        }
    };
    match cli.command {
        Command::Demo(arguments) => demo::run(&arguments.into()),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Tail(arguments) => tail::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Audit(AuditCommand::Check(arguments)) => audit::run(&arguments.into()),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::DemoNode => demo::run_node(),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "unstale", &mut script);
    match io::stdout().write_all(&script) {
        Ok(()) => Exit::Fine,
        Err(_) => Exit::Bug,
    }
}

impl From<DemoArgs> for Options {
    fn from(arguments: DemoArgs) -> Self {
        Self {
            nodes: usize::from(arguments.nodes),
            length: Duration::from_secs(u64::from(arguments.seconds)),
            kinds: arguments.faults,
            strategy: if arguments.naive { Strategy::Naive } else { Strategy::Coherent },
            seed: arguments.seed,
            reads_per_s: arguments.reads,
            writes_per_s: arguments.writes,
            detail: if arguments.verbose { Detail::Peers } else { Detail::Faults },
            output: if arguments.json { Output::Json } else { Output::Words },
            redis: arguments.place.redis,
            company: if arguments.place.dotnet { Company::WithDotnet } else { Company::Alone },
            record: arguments.record,
        }
    }
}

impl From<CheckArgs> for audit::Options {
    fn from(arguments: CheckArgs) -> Self {
        Self {
            files: arguments.files,
            monotone: if arguments.monotone { Monotone::Promised } else { Monotone::Unpromised },
            output: if arguments.json { audit::Output::Json } else { audit::Output::Words },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn demo_defaults_to_thirty_seconds_six_nodes_and_every_fault() {
        let Ok(Cli { command: Command::Demo(arguments) }) = parse("unstale demo") else {
            panic!("demo takes no argument to run");
        };
        let options = Options::from(arguments);
        assert_eq!(options.nodes, 6);
        assert_eq!(options.length, Duration::from_secs(30));
        assert_eq!(options.kinds, Kinds::ALL);
        assert_eq!(options.strategy, Strategy::Coherent);
    }

    #[test]
    fn numbers_and_faults_that_make_no_sense_are_refused() {
        for line in [
            "demo --nodes 0",
            "demo --seconds 0",
            "demo --faults=flood",
            "demo --faults=",
            "demo --reads 0",
            "send",
        ] {
            let error = parse(&format!("unstale {line}")).err();
            assert!(error.is_some_and(|error| error.use_stderr()), "{line}");
        }
    }
}
