//! `hit`: what a read of a present key costs.

use std::sync::Arc;

use crate::measure::{self, Plan, Problem};
use crate::reader::{Engine, Fill, Maker, Subject};
use crate::report::Report;
use crate::subject::{Get, GetOrLoad, With};
use crate::workload::{BenchKey, ENTRIES, Workload};

const OPERATIONS: usize = 400_000;
const BENCH: &str = "hit";

/// Every case with every subject that can take part in it.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let operations = plan.operations(OPERATIONS);
    for (case, threads) in [("string-1t", 1), ("string-2t", 2)] {
        let workload = Workload::<String>::zipf(ENTRIES, operations, threads);
        let mut makers = ours::<String>();
        makers.extend(rivals(report, case));
        one(case, &makers, &workload, plan, report)?;
    }
    for (case, threads) in [("int-1t", 1), ("int-2t", 2)] {
        let workload = Workload::<u64>::zipf(ENTRIES, operations, threads);
        let mut makers = ours::<u64>();
        makers.extend(generic_rivals::<u64>());
        one(case, &makers, &workload, plan, report)?;
    }
    let hot = Workload::<String>::hot(operations, 2);
    one("hot-2t", &[engine(), Get::<String>::maker()], &hot, plan, report)?;
    let workload = Workload::<String>::zipf(ENTRIES, operations, 1);
    one("tags2-1t", &[engine(), With::maker_of_two_tags()], &workload, plan, report)?;
    one("deps3-1t", &[engine(), With::maker_of_three_dependencies()], &workload, plan, report)?;
    live_node(report);
    Ok(())
}

/// `string-1t` alone, with the subjects of which a goal speaks.
pub(crate) fn string_1t(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let workload = Workload::<String>::zipf(ENTRIES, plan.operations(OPERATIONS), 1);
    let mut makers = ours::<String>();
    makers.extend(rivals(report, "string-1t"));
    one("string-1t", &makers, &workload, plan, report)
}

fn one<K: BenchKey>(
    case: &str,
    makers: &[Maker<K>],
    workload: &Workload<K>,
    plan: Plan,
    report: &mut Report,
) -> Result<(), Problem> {
    let subjects: Vec<Box<dyn Subject>> =
        makers.iter().map(|maker| (maker.make)(&workload.keys, Fill::Full)).collect();
    let figures = measure::reads(&subjects, workload, plan)?;
    for (subject, values) in subjects.iter().zip(figures) {
        report.add(BENCH, case, subject.name(), "ns_per_op", &values);
    }
    if workload.orders.len() == 1 {
        for subject in &subjects {
            let mut read = subject.read();
            let allocations = measure::allocations(&mut read, &workload.orders[0]);
            report.add(BENCH, case, subject.name(), "allocs_per_op", &[allocations]);
        }
    }
    Ok(())
}

fn engine() -> Maker<String> {
    Maker { name: "quick_cache", make: Engine::make }
}

fn ours<K: BenchKey>() -> Vec<Maker<K>> {
    let engine = Maker { name: "quick_cache", make: |keys: &Arc<Vec<K>>, fill| Engine::make(keys, fill) };
    vec![engine, Get::maker(), GetOrLoad::maker()]
}

#[cfg(feature = "rivals")]
fn generic_rivals<K: BenchKey>() -> Vec<Maker<K>> {
    crate::rivals::generic()
}

#[cfg(not(feature = "rivals"))]
fn generic_rivals<K: BenchKey>() -> Vec<Maker<K>> {
    Vec::new()
}

#[cfg(feature = "rivals")]
fn rivals(_: &mut Report, _: &str) -> Vec<Maker<String>> {
    let mut all = crate::rivals::generic();
    all.extend(crate::rivals::textual());
    all
}

#[cfg(not(feature = "rivals"))]
fn rivals(report: &mut Report, case: &str) -> Vec<Maker<String>> {
    report.absent(
        BENCH,
        "the rivals",
        &format!("this build has none ({case}): build with the feature rivals"),
    );
    Vec::new()
}

#[cfg(feature = "rivals")]
fn live_node(report: &mut Report) {
    match crate::rivals::fusioncache::measure() {
        Ok(figures) => {
            report.add(BENCH, "string-1t", "fusioncache", "ns_per_op", &[figures.get]);
            report.add(BENCH, "string-1t", "fusioncache-load", "ns_per_op", &[figures.load]);
        }
        Err(why) => report.absent(BENCH, "fusioncache", &why),
    }
}

#[cfg(not(feature = "rivals"))]
fn live_node(_: &mut Report) {}
