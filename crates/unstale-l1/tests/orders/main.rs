//! The engine under loom: every order in which a few threads may go on and see each other's writes (F-8).
//!
//! `RUSTFLAGS="--cfg loom" cargo test --target-dir target/loom -p unstale-l1 --features mutations --test orders`
#![cfg(all(loom, feature = "mutations"))]

mod scenarios;
mod weak;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use unstale_l1::Mechanism;

use scenarios::{SCENARIOS, Scenario};

/// How often a thread may be interrupted in one execution; `LOOM_MAX_PREEMPTIONS` says otherwise.
const PREEMPTIONS: usize = 3;

/// Runs every execution of a scenario. Returns how many there were, and whether it held in all of them.
fn explore(scenario: Scenario, without: Option<Mechanism>) -> (usize, bool) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = 10_000;
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let explored = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            assert!(scenario(without), "a read is too old");
        });
    }));
    (begun.load(Ordering::Relaxed), explored.is_ok())
}

#[test]
fn no_execution_shows_a_read_that_is_too_old() {
    for (name, scenario) in SCENARIOS {
        let (executions, holds) = explore(*scenario, None);
        eprintln!("{name}: {executions} executions");
        assert!(holds, "{name} does not hold in execution {executions}");
        assert!(executions > 1, "{name}: no threads met");
    }
}
