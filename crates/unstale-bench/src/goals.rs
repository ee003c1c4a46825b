//! The goals: limits on ratios, each with the reason for its value. A goal is never loosened to be met.

use std::process::ExitCode;

use serde_json::json;

use crate::cases;
use crate::measure::{Plan, Problem};
use crate::report::{self, Output, Report};

mod table;

use table::GOALS;

/// On which side of its limit a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    AtMost,
    AtLeast,
}

/// A reported figure.
#[derive(Clone, Copy, Debug)]
struct Of {
    case: &'static str,
    subject: &'static str,
    metric: &'static str,
}

/// What a goal is made of, in terms of reported figures.
#[derive(Clone, Copy, Debug)]
enum Figure {
    /// The figure itself.
    Plain(Of),
    /// One figure over another of the same run.
    Ratio { over: Of, under: Of },
}

struct Goal {
    name: &'static str,
    bench: cases::Bench,
    figure: Figure,
    side: Side,
    limit: f64,
    reason: &'static str,
}

/// How a goal stands.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    Met(f64),
    Missed(f64),
    /// Something that it needs cannot run here: neither met nor missed, and why.
    Absent(String),
}

/// Runs the goals of these names, or all, and prints a line for each. Exit 1 if one was missed; 3 if none was, but some could
/// not be measured.
pub(crate) fn run(names: &[String], plan: Plan, output: Output) -> Result<ExitCode, Problem> {
    for name in names {
        if !GOALS.iter().any(|goal| goal.name == name) {
            return Err(Problem::Unknown(name.clone()));
        }
    }
    let chosen: Vec<&Goal> =
        GOALS.iter().filter(|goal| names.is_empty() || names.iter().any(|name| name == goal.name)).collect();
    let mut reports: Vec<(cases::Bench, Report)> = Vec::new();
    let (mut missed, mut absent) = (false, false);
    for goal in chosen {
        if !reports.iter().any(|(bench, _)| std::ptr::fn_addr_eq(*bench, goal.bench)) {
            let mut report = Report::new(Output::Silent);
            (goal.bench)(plan, &mut report)?;
            reports.push((goal.bench, report));
        }
        for (_, report) in reports.iter().filter(|(bench, _)| std::ptr::fn_addr_eq(*bench, goal.bench)) {
            let standing = goal.standing(report)?;
            print(goal, &standing, report, output);
            missed |= matches!(standing, Standing::Missed(_));
            absent |= matches!(standing, Standing::Absent(_));
        }
    }
    Ok(ExitCode::from(if missed { 1 } else { u8::from(absent) * 3 }))
}

impl Goal {
    fn standing(&self, report: &Report) -> Result<Standing, Problem> {
        let parts = self.figure.parts();
        if let Some(why) = parts.iter().find_map(|of| report.why_absent(of.subject)) {
            return Ok(Standing::Absent(why.to_owned()));
        }
        let value = |of: &Of| {
            let missing = || Problem::Broken(format!("no {} of {} in {}", of.metric, of.subject, of.case));
            report.value(of.case, of.subject, of.metric).ok_or_else(missing)
        };
        let measured = match self.figure {
            Figure::Plain(of) => value(&of)?,
            Figure::Ratio { over, under } => value(&over)? / value(&under)?,
        };
        let met = match self.side {
            Side::AtMost => measured <= self.limit,
            Side::AtLeast => measured >= self.limit,
        };
        Ok(if met { Standing::Met(measured) } else { Standing::Missed(measured) })
    }
}

impl Figure {
    fn parts(self) -> Vec<Of> {
        match self {
            Self::Plain(of) => vec![of],
            Self::Ratio { over, under } => vec![over, under],
        }
    }
}

fn print(goal: &Goal, standing: &Standing, report: &Report, output: Output) {
    let (measured, met) = match standing {
        Standing::Met(measured) => (Some(*measured), Some(true)),
        Standing::Missed(measured) => (Some(*measured), Some(false)),
        Standing::Absent(_) => (None, None),
    };
    if output == Output::Json {
        let mut line = json!({"goal": goal.name, "limit": goal.limit, "measured": measured, "met": met});
        if let Standing::Absent(why) = standing {
            line["absent"] = json!(why);
        }
        report::print_line(&line.to_string());
        return;
    }
    let sign = if goal.side == Side::AtMost { "<=" } else { ">=" };
    let word = match standing {
        Standing::Met(_) => "met".to_owned(),
        Standing::Missed(_) => format!("MISSED ({})", goal.reason),
        Standing::Absent(why) => format!("neither met nor missed: {why}"),
    };
    let measured = measured.map_or_else(|| "absent".to_owned(), |measured| format!("{measured:.3}"));
    let rates = goal.figure.parts().into_iter().filter(|of| of.metric == "keys_per_s").map(|of| {
        let rate = report.value(of.case, of.subject, of.metric).unwrap_or(f64::NAN);
        format!(", {} {:.2} M keys/s", of.subject, rate / 1e6)
    });
    let rates: String = rates.collect();
    report::print_line(&format!("{:<27} {measured:>10} {sign} {:<6} {word}{rates}", goal.name, goal.limit));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(side: Side) -> Goal {
        let of = |subject| Of { case: "string-1t", subject, metric: "ns_per_op" };
        let figure = Figure::Ratio { over: of("a"), under: of("b") };
        Goal { name: "a-over-b", bench: cases::within, figure, side, limit: 2.0, reason: "for a test" }
    }

    fn report(a: f64) -> Report {
        let mut report = Report::new(Output::Silent);
        report.add("hit", "string-1t", "a", "ns_per_op", &[a]);
        report.add("hit", "string-1t", "b", "ns_per_op", &[10.0]);
        report
    }

    #[test]
    fn a_goal_is_met_at_its_limit_and_missed_beyond_it_on_its_own_side() {
        let standing = |side, a| goal(side).standing(&report(a)).unwrap();
        assert_eq!(standing(Side::AtMost, 20.0), Standing::Met(2.0));
        assert_eq!(standing(Side::AtMost, 21.0), Standing::Missed(2.1));
        assert_eq!(standing(Side::AtLeast, 20.0), Standing::Met(2.0));
        assert_eq!(standing(Side::AtLeast, 19.0), Standing::Missed(1.9));
    }

    #[test]
    fn a_goal_without_its_rival_is_neither_met_nor_missed() {
        let mut report = Report::new(Output::Silent);
        report.add("hit", "string-1t", "b", "ns_per_op", &[10.0]);
        report.absent("hit", "a", "no node");
        assert_eq!(goal(Side::AtMost).standing(&report).unwrap(), Standing::Absent("no node".to_owned()));
    }

    #[test]
    fn a_figure_that_is_missing_without_a_reason_is_a_bug_and_no_result() {
        assert!(goal(Side::AtMost).standing(&Report::new(Output::Silent)).is_err());
    }

    #[test]
    fn goals_have_names_of_their_own_and_reasons() {
        for (index, goal) in GOALS.iter().enumerate() {
            assert!(!goal.reason.is_empty());
            assert!(GOALS[..index].iter().all(|other| other.name != goal.name), "{} twice", goal.name);
        }
    }
}
