//! Every published figure of unstale, from one program: rivals take turns with it inside one process, ratios count.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

mod cases;
mod chart;
mod fusioncache;
mod goals;
mod measure;
mod pair;
mod reader;
mod report;
#[cfg(feature = "rivals")]
mod rivals;
mod server;
mod subject;
mod workload;

use crate::measure::{Pictures, Plan};
use crate::report::{Output, Report};

/// Measures unstale beside its rivals and the raw limit, in one process, in turns.
#[derive(Debug, Parser)]
#[command(name = "unstale-bench", after_help = EXAMPLES)]
struct Args {
    /// Which benches to run; `goals` (alone, or before the names of goals) checks the limits.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
    /// Rounds that count; the median of them is the figure.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// A tenth of the operations: to see that everything runs, not for figures.
    #[arg(long)]
    quick: bool,
    /// Draws the distributions of `hit` and `propagate` into files of this folder.
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Benches: hit within acts set cold stampede apply tag cascade memory propagate redis-invalidate redis-l2
Goals:   goals            every goal, exit 1 when one is missed
         goals NAME...    some of them

Examples:
  cargo run --release -p unstale-bench -- hit
  cargo run --release -p unstale-bench -- hit memory --json --rounds 11
  cargo run --release -p unstale-bench -- hit propagate --svg docs/pictures
  cargo run --release -p unstale-bench -- goals

Exit codes: 0 done (goals: all met), 1 a goal was missed, 3 none was missed but some need what is absent here, 64 bad usage, 70 a subject answered wrongly";

fn main() -> ExitCode {
    let args = Args::parse();
    let pictures = if args.svg.is_some() { Pictures::Drawn } else { Pictures::Omitted };
    let plan = Plan { rounds: args.rounds.max(1), quick: args.quick, pictures };
    let output = if args.json { Output::Json } else { Output::Text };
    let run = if args.names[0] == "goals" {
        goals::run(&args.names[1..], plan, output)
    } else {
        benches(&args.names, plan, output, args.svg.as_deref())
    };
    match run {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("unstale-bench: {problem}");
            if problem.is_usage() { ExitCode::from(64) } else { ExitCode::from(70) }
        }
    }
}

fn benches(
    names: &[String],
    plan: Plan,
    output: Output,
    pictures: Option<&Path>,
) -> Result<ExitCode, measure::Problem> {
    for name in names {
        cases::find(name)?;
    }
    for name in names {
        let mut report = Report::new(output);
        cases::find(name)?(plan, &mut report)?;
        if let Some(folder) = pictures {
            let written = report.write_pictures(folder);
            written.map_err(|error| measure::Problem::Broken(format!("{}: {error}", folder.display())))?;
        }
        report.finish();
    }
    Ok(ExitCode::SUCCESS)
}
