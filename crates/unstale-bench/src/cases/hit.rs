//! `hit`: what a read of a present key costs.

use std::sync::Arc;

use crate::chart::Chart;
use crate::measure::{self, Pictures, Plan, Problem};
use crate::reader::{BoxSubject, Engine, Fill, Maker};
use crate::report::Report;
use crate::subject::{Get, GetOrLoad, With};
use crate::workload::{self, Ask, BenchKey, ENTRIES, Workload};

const OPERATIONS: usize = 400_000;
const BENCH: &str = "hit";

/// Every case with every subject that can take part in it.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    string_1t(plan, report)?;
    let operations = plan.operations(OPERATIONS);
    let long = Workload::zipf_of(workload::long_texts(ENTRIES), operations, 1);
    one("long-1t", &ours(), &long, plan, report)?;
    let workload = Workload::<String>::zipf(ENTRIES, operations, 2);
    one("string-2t", &everybody(), &workload, plan, report)?;
    for (case, threads) in [("int-1t", 1), ("int-2t", 2)] {
        let workload = Workload::<u64>::zipf(ENTRIES, operations, threads);
        let mut makers = ours::<u64>();
        makers.extend(generic_rivals::<u64>());
        one(case, &makers, &workload, plan, report)?;
    }
    hot_2t(plan, report)?;
    tags2_1t(plan, report)?;
    deps3_1t(plan, report)?;
    rivals_absent(report);
    live_node(report);
    Ok(())
}

/// `string-1t` alone, with everybody in this process.
pub(crate) fn string_1t(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let workload = Workload::<String>::zipf(ENTRIES, plan.operations(OPERATIONS), 1);
    one("string-1t", &everybody(), &workload, plan, report)
}

/// `string-1t` with the live node of FusionCache, and without the rivals in this process.
pub(crate) fn fusioncache(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let workload = Workload::<String>::zipf(ENTRIES, plan.operations(OPERATIONS), 1);
    one("string-1t", &ours(), &workload, plan, report)?;
    live_node(report);
    Ok(())
}

/// One key, two threads.
pub(crate) fn hot_2t(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let hot = Workload::<String>::hot(plan.operations(OPERATIONS), 2);
    one("hot-2t", &[engine(), Get::<String>::maker()], &hot, plan, report)
}

/// Entries with two tags.
pub(crate) fn tags2_1t(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let workload = Workload::<String>::zipf(ENTRIES, plan.operations(OPERATIONS), 1);
    one("tags2-1t", &[engine(), With::maker_of_two_tags()], &workload, plan, report)
}

/// Entries with three dependencies.
pub(crate) fn deps3_1t(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let workload = Workload::<String>::zipf(ENTRIES, plan.operations(OPERATIONS), 1);
    one("deps3-1t", &[engine(), With::maker_of_three_dependencies()], &workload, plan, report)
}

fn one<K: BenchKey>(
    case: &str,
    makers: &[Maker<K>],
    workload: &Workload<K>,
    plan: Plan,
    report: &mut Report,
) -> Result<(), Problem> {
    let subjects: Vec<BoxSubject<K>> =
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
    if case == "string-1t" && plan.pictures == Pictures::Drawn {
        report.picture("hit.svg", distribution(&subjects, &workload.orders[0])?);
    }
    Ok(())
}

/// Single reads of those that answer without a future: awaiting one by one would time the executor.
fn distribution<K: BenchKey>(subjects: &[BoxSubject<K>], order: &[Ask<K>]) -> Result<Chart, Problem> {
    let title = "One hit: 100,000 random strings, 256 B, zipf 0.99, one thread";
    let mut chart = Chart::new(title, "Each time includes the clock that took it, 20 to 40 ns.", "ns");
    for name in ["unstale", "quick_cache", "foyer", "moka-sync"] {
        if let Some(subject) = subjects.iter().find(|subject| subject.name() == name) {
            chart.add(name, measure::single_reads(subject.as_ref(), order)?);
        }
    }
    Ok(chart)
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

fn everybody() -> Vec<Maker<String>> {
    let mut all = ours::<String>();
    all.extend(generic_rivals::<String>());
    #[cfg(feature = "rivals")]
    all.extend(crate::rivals::textual());
    all
}

#[cfg(feature = "rivals")]
const fn rivals_absent(_: &Report) {}

#[cfg(not(feature = "rivals"))]
fn rivals_absent(report: &mut Report) {
    super::rivals_absent(BENCH, report);
}

fn live_node(report: &mut Report) {
    match crate::fusioncache::hits() {
        Ok(figures) => {
            report.add(BENCH, "string-1t", "fusioncache", "ns_per_op", &[figures.get]);
            report.add(BENCH, "string-1t", "fusioncache-load", "ns_per_op", &[figures.load]);
        }
        Err(why) => {
            for subject in ["fusioncache", "fusioncache-load"] {
                report.absent(BENCH, subject, &why);
            }
        }
    }
}
