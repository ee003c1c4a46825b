//! The simulator's command.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser as _;
use clap::error::ErrorKind;
use unstale_sim::cli::Args;
use unstale_sim::fault::Fault;
use unstale_sim::mutation::Mutation;
use unstale_sim::report;
use unstale_sim::run::{Plan, Summary};

/// sysexits' EX_USAGE.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody is there to be told if this fails.
            let _ = error.print();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    match run(&args, &mut io::stdout().lock()) {
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "unstale-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args, out: &mut impl Write) -> io::Result<ExitCode> {
    if args.list_faults {
        return list(out, Fault::ALL.iter().map(|fault| fault.name()));
    }
    if args.list_mechanisms {
        return list(out, Mutation::mechanisms());
    }
    if args.list_planted {
        return list(out, Mutation::all_planted());
    }
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(wrong) => {
            writeln!(io::stderr(), "unstale-sim: {wrong}")?;
            return Ok(ExitCode::from(USAGE));
        }
    };
    let summary = plan.run(&progress());
    report::failures(out, args, &plan, &summary)?;
    if args.tell {
        report::tell(out, &plan)?;
    }
    conclude(args, &plan, &summary, out)
}

fn conclude(args: &Args, plan: &Plan, summary: &Summary, out: &mut impl Write) -> io::Result<ExitCode> {
    if args.json {
        writeln!(out, "{}", report::json(summary))?;
    } else {
        report::text(out, plan, summary)?;
    }
    Ok(if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(out: &mut impl Write, names: impl IntoIterator<Item = &'static str>) -> io::Result<ExitCode> {
    for name in names {
        writeln!(out, "{name}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells of the seeds on standard error, at most every two seconds.
fn progress() -> impl Fn(usize, usize, u64) + Sync {
    let told = Mutex::new(Instant::now());
    move |done, of, operations| {
        let Ok(mut last) = told.try_lock() else { return };
        if last.elapsed() >= Duration::from_secs(2) {
            *last = Instant::now();
            let _ = writeln!(io::stderr(), "{done} of {of} seeds, {operations} operations");
        }
    }
}
