//! `set`: what replacing the value of a present key costs. unstale's also gives the act its number, for other nodes.

use std::time::Instant;

use crate::cases::cold::makers;
use crate::measure::{Plan, Problem};
use crate::reader::Fill;
use crate::report::Report;
use crate::workload::{ENTRIES, Workload};

const OPERATIONS: usize = 200_000;

/// The one case, with every subject that can be set.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let workload = Workload::<String>::zipf(ENTRIES, plan.operations(OPERATIONS), 1);
    let subjects: Vec<_> = makers().iter().map(|maker| (maker.make)(&workload.keys, Fill::Full)).collect();
    let mut figures = vec![Vec::new(); subjects.len()];
    let order = &workload.orders[0];
    for round in 0..=plan.rounds {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            let Some(mut set) = subject.set() else { continue };
            let began = Instant::now();
            let right = set(order);
            let ns = began.elapsed().as_nanos() as f64 / order.len() as f64;
            if right != order.len() {
                return Err(Problem::Wrong { subject: subject.name(), right, asked: order.len() });
            }
            if round > 0 {
                figures.push(ns);
            }
        }
    }
    for (subject, values) in subjects.iter().zip(figures) {
        report.add("set", "string-1t", subject.name(), "ns_per_op", &values);
    }
    Ok(())
}
