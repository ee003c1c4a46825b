//! Explores the model and says what it found.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Serialize;
use unstale_model::{Bounds, Outcome, Progress, Promise, Protocol, Rule, Rules, explore};

/// Explores a model of the protocol to its end: every order of acts, frames, losses, repairs, crashes, joins, votes and ends within
/// the bounds. Says whether S1 to S4 of PROTOCOL.md hold in each state, or how one of them is broken.
#[derive(Debug, Parser)]
#[command(name = "unstale-model", version, after_help = EXAMPLES)]
struct Arguments {
    /// Nodes of the fixed list
    #[arg(long, value_name = "N", default_value_t = 3)]
    nodes: usize,
    /// Nodes among them that were never started; each start of one is a restart
    #[arg(long, value_name = "N", default_value_t = 0)]
    late: usize,
    /// Acts, over all nodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    acts: usize,
    /// Processes that are killed
    #[arg(long, value_name = "N", default_value_t = 1)]
    crashes: usize,
    /// Processes that start in the place of one that has gone
    #[arg(long, value_name = "N", default_value_t = 1)]
    restarts: usize,
    /// Processes that say goodbye
    #[arg(long, value_name = "N", default_value_t = 0)]
    byes: usize,
    /// Votes
    #[arg(long, value_name = "N", default_value_t = 0)]
    votes: usize,
    /// Nodes that go on under their next incarnation
    #[arg(long, value_name = "N", default_value_t = 0)]
    resets: usize,
    /// Frames that only a repair brings. S1 to S3 are checked with any number of losses in any case
    #[arg(long, value_name = "N", default_value_t = 0)]
    losses: usize,
    /// Switch a rule off; may be repeated
    #[arg(long, value_name = "RULE", value_enum)]
    without: Vec<Rule>,
    /// Check only this promise; may be repeated
    #[arg(long, value_name = "S", value_enum)]
    promise: Vec<Promise>,
    /// Threads
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  unstale-model                                        seconds
  unstale-model --acts 2 --losses 1                    a minute
  unstale-model --votes 2 --resets 1 --crashes 0 --restarts 0
  unstale-model --without count-before-echo            a counterexample

Exit codes: 0 every promise holds, 1 one is broken, 64 bad usage.";

#[derive(Serialize)]
struct Report {
    bounds: Bounds,
    without: Vec<String>,
    states: usize,
    steps: usize,
    depth: usize,
    verdict: &'static str,
    promise: Option<&'static str>,
    counterexample_steps: Option<usize>,
    trace: Vec<String>,
    seconds: f64,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where the terminal is gone there is nobody left to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let bounds = arguments.bounds();
    if let Some(refusal) = bounds.refusal() {
        let _ = writeln!(io::stderr(), "error: {refusal}");
        return ExitCode::from(USAGE);
    }
    let report = arguments.explore(bounds);
    let said = if arguments.json { report.print_json() } else { report.print() };
    ExitCode::from(u8::from(report.promise.is_some() || said.is_err()))
}

const USAGE: u8 = 64;

impl Arguments {
    fn bounds(&self) -> Bounds {
        Bounds {
            nodes: self.nodes,
            late: self.late,
            acts: self.acts,
            crashes: self.crashes,
            restarts: self.restarts,
            byes: self.byes,
            votes: self.votes,
            resets: self.resets,
            losses: self.losses,
        }
    }

    fn explore(&self, bounds: Bounds) -> Report {
        let rules = self.without.iter().fold(Rules::ALL, |rules, rule| rules.without(*rule));
        let mut protocol = Protocol::new(bounds, rules);
        if !self.promise.is_empty() {
            protocol = protocol.only(&self.promise);
        }
        // With one thread a counterexample is a shortest one.
        let threads = if self.without.is_empty() { usize::from(self.threads) } else { 1 };
        let begun = Instant::now();
        let mut said = begun;
        let outcome = explore(protocol, threads, |progress| {
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                say(progress, begun.elapsed());
            }
        });
        Report::new(bounds, &self.without, outcome, begun.elapsed())
    }
}

const SAY_EVERY: Duration = Duration::from_secs(2);

fn say(progress: Progress, after: Duration) {
    let Progress { states, steps, depth } = progress;
    let _ = writeln!(io::stderr(), "{:>4} s: {states} states, {steps} steps, depth {depth}", after.as_secs());
}

impl Report {
    fn new(bounds: Bounds, without: &[Rule], outcome: Outcome, took: Duration) -> Self {
        let counterexample = outcome.counterexample;
        Self {
            bounds,
            without: without.iter().map(|rule| rule.name()).collect(),
            states: outcome.states,
            steps: outcome.steps,
            depth: outcome.depth,
            verdict: if counterexample.is_some() { "broken" } else { "holds" },
            promise: counterexample.as_ref().map(|example| example.promise.name()),
            counterexample_steps: counterexample.as_ref().map(|example| example.steps),
            trace: counterexample.map(|example| example.lines).unwrap_or_default(),
            seconds: took.as_secs_f64(),
        }
    }

    fn print_json(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, self)?;
        writeln!(out)
    }

    fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for line in &self.trace {
            writeln!(out, "{line}")?;
        }
        let Self { states, steps, depth, verdict, seconds, .. } = self;
        let promise = self.promise.map(|promise| format!(" {promise}")).unwrap_or_default();
        writeln!(out, "{states} states, {steps} steps, depth {depth}, {seconds:.1} s: {verdict}{promise}")
    }
}
