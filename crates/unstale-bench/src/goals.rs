//! The goals: limits on ratios, each with the reason for its value. A goal is never loosened to be met.

use std::process::ExitCode;

use serde_json::json;

use crate::cases;
use crate::measure::{Plan, Problem};
use crate::report::{self, Output, Report};

/// On which side of its limit a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    AtMost,
    AtLeast,
}

/// What a goal is made of, in terms of reported figures.
#[derive(Clone, Copy, Debug)]
enum Figure {
    /// The figure itself.
    Plain { case: &'static str, subject: &'static str, metric: &'static str },
    /// The first subject's figure over the second's.
    Ratio { case: &'static str, over: &'static str, under: &'static str, metric: &'static str },
}

struct Goal {
    name: &'static str,
    bench: cases::Bench,
    figure: Figure,
    side: Side,
    limit: f64,
    reason: &'static str,
}

const fn hit(
    name: &'static str,
    over: &'static str,
    under: &'static str,
    side: Side,
    limit: f64,
    reason: &'static str,
) -> Goal {
    let figure = Figure::Ratio { case: "string-1t", over, under, metric: "ns_per_op" };
    Goal { name, bench: cases::hit_string_1t, figure, side, limit, reason }
}

const GOALS: &[Goal] = &[
    hit(
        "hit-over-engine",
        "unstale",
        "quick_cache",
        Side::AtMost,
        1.25,
        "expiry, floor and fences on the engine's own cache lines",
    ),
    hit(
        "load-hit-over-engine",
        "unstale-load",
        "quick_cache",
        Side::AtMost,
        1.6,
        "one future built and polled once, nothing boxed",
    ),
    hit("hit-vs-amalgam", "amalgam-cache", "unstale", Side::AtLeast, 2.5, "the rival with the same features"),
    hit("hit-vs-moka", "moka-sync", "unstale", Side::AtLeast, 3.0, "the engine that most services use today"),
    Goal {
        name: "hit-allocs",
        bench: cases::hit_string_1t,
        figure: Figure::Plain { case: "string-1t", subject: "unstale", metric: "allocs_per_op" },
        side: Side::AtMost,
        limit: 0.0,
        reason: "a hit shares its value",
    },
    Goal {
        name: "within-cost",
        bench: cases::within,
        figure: Figure::Plain { case: "passed", subject: "unstale", metric: "within_cost_ns" },
        side: Side::AtMost,
        limit: 5.0,
        reason: "one word read and one compare, if the request's instant is passed",
    },
    Goal {
        name: "stampede-loads",
        bench: cases::stampede,
        figure: Figure::Plain { case: "10000-callers", subject: "unstale", metric: "loads" },
        side: Side::AtMost,
        limit: 1.0,
        reason: "callers of one key share one load",
    },
    Goal {
        name: "memory-over-engine",
        bench: cases::memory_unstale,
        figure: Figure::Plain { case: "slope", subject: "unstale", metric: "bytes_per_entry_over_engine" },
        side: Side::AtMost,
        limit: 40.0,
        reason: "the metadata of an entry lies in front of its value",
    },
    Goal {
        name: "propagate-mesh-p50",
        bench: cases::propagate,
        figure: Figure::Ratio { case: "mesh", over: "unstale", under: "raw", metric: "p50_us" },
        side: Side::AtMost,
        limit: 2.0,
        reason: "one more task is woken than by bare bytes",
    },
];

/// Runs the goals of these names, or all, and prints a line for each.
pub(crate) fn run(names: &[String], plan: Plan, output: Output) -> Result<ExitCode, Problem> {
    for name in names {
        if !GOALS.iter().any(|goal| goal.name == name) {
            return Err(Problem::Unknown(name.clone()));
        }
    }
    let chosen: Vec<&Goal> =
        GOALS.iter().filter(|goal| names.is_empty() || names.iter().any(|name| name == goal.name)).collect();
    let mut reports: Vec<(cases::Bench, Report)> = Vec::new();
    let mut all_met = true;
    for goal in chosen {
        if !reports.iter().any(|(bench, _)| std::ptr::fn_addr_eq(*bench, goal.bench)) {
            let mut report = Report::new(Output::Silent);
            (goal.bench)(plan, &mut report)?;
            reports.push((goal.bench, report));
        }
        for (_, report) in reports.iter().filter(|(bench, _)| std::ptr::fn_addr_eq(*bench, goal.bench)) {
            all_met &= judge(goal, report, output);
        }
    }
    Ok(if all_met { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn judge(goal: &Goal, report: &Report, output: Output) -> bool {
    let measured = match goal.figure {
        Figure::Plain { case, subject, metric } => report.value(case, subject, metric),
        Figure::Ratio { case, over, under, metric } => report
            .value(case, over, metric)
            .zip(report.value(case, under, metric))
            .map(|(over, under)| over / under),
    };
    let met = measured.is_some_and(|measured| match goal.side {
        Side::AtMost => measured <= goal.limit,
        Side::AtLeast => measured >= goal.limit,
    });
    let sign = if goal.side == Side::AtMost { "<=" } else { ">=" };
    match output {
        Output::Json => {
            let line = json!({"goal": goal.name, "limit": goal.limit, "measured": measured, "met": met});
            report::print_line(&line.to_string());
        }
        Output::Text | Output::Silent => {
            let measured = measured.map_or_else(|| "absent".to_owned(), |measured| format!("{measured:.3}"));
            let word = if met { "met".to_owned() } else { format!("MISSED ({})", goal.reason) };
            report::print_line(&format!("{:<22} {measured:>9} {sign} {:<6} {word}", goal.name, goal.limit));
        }
    }
    met
}
