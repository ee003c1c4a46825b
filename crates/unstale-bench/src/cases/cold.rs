//! `cold`: what a miss costs whose loader has the value at hand.

use std::sync::Arc;
use std::time::Instant;

use crate::measure::{self, Plan, Problem};
use crate::reader::{Engine, Fill, Maker};
use crate::report::Report;
use crate::subject::Get;
use crate::workload::{self, BenchKey as _};

const ENTRIES: usize = 100_000;

/// The one case, with every subject that loads.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let entries = plan.operations(ENTRIES);
    let keys: Arc<Vec<String>> = Arc::new((0..entries).map(String::of).collect());
    let order = workload::in_order(&keys);
    let makers = makers();
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
        report.add("cold", "string-1t", maker.name, "ns_per_op", &values);
        if let Some(allocations) = allocations {
            report.add("cold", "string-1t", maker.name, "allocs_per_op", &[allocations]);
        }
    }
    Ok(())
}

/// Every subject with keys of text.
pub(crate) fn makers() -> Vec<Maker<String>> {
    let engine = Maker { name: "quick_cache", make: Engine::make };
    let mut makers = vec![engine, Get::maker()];
    #[cfg(feature = "rivals")]
    {
        makers.extend(crate::rivals::generic());
        makers.extend(crate::rivals::textual());
    }
    makers.sort_by_key(|maker| maker.name != "quick_cache" && maker.name != "unstale");
    makers
}
