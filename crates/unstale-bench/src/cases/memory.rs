//! `memory`: bytes per entry beyond the engine's own with shared values, as the slope from 100 k to 1 M entries.

use std::sync::Arc;

use crate::measure::{Plan, Problem};
use crate::reader::{Engine, Fill, Maker};
use crate::report::Report;
use crate::subject::Get;
use crate::workload::{self, BenchKey as _};

/// The one case; what a rival allocates on threads of its own is not counted, which favours it.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    over_engine(super::cold::makers(), plan, report)
}

/// What the goal of `memory` needs: unstale alone.
pub(crate) fn unstale(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    over_engine(vec![Get::maker()], plan, report)
}

fn over_engine(makers: Vec<Maker<String>>, plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let (few, many) = (plan.operations(100_000), plan.operations(1_000_000));
    let engine = slope(&Maker { name: "quick_cache", make: Engine::make }, few, many)?;
    for maker in makers.into_iter().filter(|maker| maker.name != "quick_cache") {
        let over = slope(&maker, few, many)? - engine;
        report.add("memory", "slope", maker.name, "bytes_per_entry_over_engine", &[over]);
    }
    Ok(())
}

fn slope(maker: &Maker<String>, few: usize, many: usize) -> Result<f64, Problem> {
    Ok((bytes(maker, many)? - bytes(maker, few)?) / (many - few) as f64)
}

fn bytes(maker: &Maker<String>, entries: usize) -> Result<f64, Problem> {
    let keys: Arc<Vec<String>> = Arc::new((0..entries).map(String::of).collect());
    let mut subject = None;
    let info = allocation_counter::measure(|| subject = Some((maker.make)(&keys, Fill::Full)));
    let right = subject.map_or(0, |subject| subject.read()(&workload::in_order(&keys)));
    if right != entries {
        return Err(Problem::Wrong { subject: maker.name, right, asked: entries });
    }
    Ok(info.bytes_current as f64)
}
