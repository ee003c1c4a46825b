//! `cold`: what a miss costs whose loader has the value at hand.

use std::sync::Arc;
use std::time::Instant;

use crate::measure::{self, Plan, Problem};
use crate::reader::{Engine, Fill, Maker};
use crate::report::Report;
use crate::subject::Get;
use crate::workload::{self, BenchKey as _};

const ENTRIES: usize = 100_000;

/// Texts of 24 bytes with every subject that loads, and of 40.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let entries = plan.operations(ENTRIES);
    one("string-1t", &makers(), (0..entries).map(String::of).collect(), plan, report)?;
    one("long-1t", &ours(), workload::long_texts(entries), plan, report)
}

fn one(
    case: &str,
    makers: &[Maker<String>],
    keys: Vec<String>,
    plan: Plan,
    report: &mut Report,
) -> Result<(), Problem> {
    let (entries, keys) = (keys.len(), Arc::new(keys));
    let order = workload::in_order(&keys);
    let mut figures = vec![Vec::new(); makers.len()];
    let mut allocations = vec![None; makers.len()];
    for round in 0..=plan.rounds {
        for (index, maker) in makers.iter().enumerate() {
            let subject = (maker.make)(&keys, Fill::Empty);
            let Some(mut load) = subject.load() else { continue };
            if round == 0 {
                allocations[index] = Some(measure::allocations(&mut load, &order));
                continue;
            }
            let began = Instant::now();
            let right = load(&order);
            figures[index].push(began.elapsed().as_nanos() as f64 / entries as f64);
            if right != entries {
                return Err(Problem::Wrong { subject: maker.name, right, asked: entries });
            }
        }
    }
    for ((maker, values), allocations) in makers.iter().zip(figures).zip(allocations) {
        report.add("cold", case, maker.name, "ns_per_op", &values);
        if let Some(allocations) = allocations {
            report.add("cold", case, maker.name, "allocs_per_op", &[allocations]);
        }
    }
    Ok(())
}

fn ours() -> Vec<Maker<String>> {
    vec![Maker { name: "quick_cache", make: Engine::make }, Get::maker()]
}

/// Every subject with keys of text.
pub(crate) fn makers() -> Vec<Maker<String>> {
    let mut makers = ours();
    #[cfg(feature = "rivals")]
    {
        makers.extend(crate::rivals::generic());
        makers.extend(crate::rivals::textual());
    }
    makers.sort_by_key(|maker| maker.name != "quick_cache" && maker.name != "unstale");
    makers
}
