//! What the command prints.

use std::io::{self, Write};

use serde_json::json;

use crate::cli::Args;
use crate::fault::Faults;
use crate::run::{Plan, Seeds, Shower, Summary};
use crate::shrink::{shrink, written};
use crate::world::World;

/// The most lines of a history that are printed.
const LINES_MAX: usize = 120;

/// The last line: a JSON object. Keys that end in `_per_s` or `_seconds` differ from run to run, the others do not.
pub fn json(summary: &Summary) -> String {
    let first = summary.failures.iter().find_map(|failure| match failure.by {
        Shower::Seed(_, seed) => Some(seed),
        Shower::Scenario(_) => None,
    });
    let promises: Vec<String> =
        summary.failures.iter().map(|failure| failure.violation.promise.to_string()).collect();
    json!({
        "seeds": summary.seeds,
        "scenarios": summary.scenarios,
        "operations": summary.operations,
        "reads_checked": summary.reads_checked,
        "faults": summary.faults,
        "violations": summary.failures.len(),
        "promises": promises,
        "first_failing_seed": first,
        "history_hash": format!("{:016x}", summary.history_hash),
        "ops_per_s": rate(summary.operations, summary.elapsed.as_secs_f64()),
        "core_ops_per_s": rate(summary.operations, summary.worked.as_secs_f64()),
        "elapsed_seconds": summary.elapsed.as_secs_f64(),
    })
    .to_string()
}

/// The same for people.
pub fn text(out: &mut impl Write, plan: &Plan, summary: &Summary) -> io::Result<()> {
    let faults: u64 = summary.faults.values().sum();
    writeln!(
        out,
        "{} world: {} scenarios, {} seeds, {} operations, {} reads checked, {faults} faults, {} violations, {} operations/s",
        plan.world.name(),
        summary.scenarios,
        summary.seeds,
        summary.operations,
        summary.reads_checked,
        summary.failures.len(),
        rate(summary.operations, summary.elapsed.as_secs_f64())
    )
}

/// Each failure: the promise, the shortest history found that breaks it, and the command that replays it.
pub fn failures(out: &mut impl Write, args: &Args, plan: &Plan, summary: &Summary) -> io::Result<()> {
    for failure in &summary.failures {
        match &failure.by {
            Shower::Scenario(name) => {
                writeln!(out, "scenario {name}: {}", failure.violation)?;
                writeln!(out, "replay: unstale-sim --seeds 0{}", wrong_with(args))?;
            }
            Shower::Seed(world, seed) => {
                writeln!(out, "seed {seed}: {}", failure.violation)?;
                let only = match &plan.seeds {
                    Seeds::One(_, only) => only.as_deref(),
                    Seeds::New(_) => None,
                };
                let schedule = Plan::schedule(*world, *seed, None);
                if only.is_some() {
                    continue;
                }
                let Some(shrunk) = shrink(&schedule, plan.mutation) else { continue };
                let events = shrunk.kept.len();
                writeln!(out, "with {events} of {} events: {}", schedule.events.len(), shrunk.violation)?;
                print_lines(out, &shrunk.lines)?;
                let world = world.name();
                let only = written(&shrunk.kept);
                writeln!(
                    out,
                    "replay: unstale-sim --world {world} --seed {seed} --only {only} --tell{}",
                    wrong_with(args)
                )?;
            }
        }
    }
    Ok(())
}

/// The history of the one seed of a plan.
pub fn tell(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    let Seeds::One(seed, only) = &plan.seeds else { return Ok(()) };
    let schedule = Plan::schedule(plan.world, *seed, only.as_deref());
    let report = World::new(schedule, plan.mutation, Faults::new(), true).run();
    for line in report.lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn print_lines(out: &mut impl Write, lines: &[String]) -> io::Result<()> {
    let left_out = lines.len().saturating_sub(LINES_MAX);
    if left_out > 0 {
        writeln!(out, "  … {left_out} lines before these: --tell prints them")?;
    }
    for line in &lines[left_out..] {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

fn wrong_with(args: &Args) -> String {
    match (&args.without, &args.planted) {
        (Some(name), _) => format!(" --without {name}"),
        (None, Some(name)) => format!(" --planted {name}"),
        (None, None) => String::new(),
    }
}

fn rate(operations: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (operations as f64 / seconds) as u64 } else { 0 }
}
