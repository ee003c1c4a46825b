//! `within`: what a bounded read costs beyond a plain one: 64 resident keys, alternating blocks, paired differences.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::measure::{Plan, Problem};
use crate::report::Report;
use crate::subject::Solo;
use crate::workload::BenchKey as _;

const KEYS: usize = 64;
const BLOCKS: usize = 400;
const PASSES: usize = 16;
const BOUND: Duration = Duration::from_millis(250);

/// Both cases: the request's instant is passed, or the read takes it itself.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let keys: Vec<String> = (0..KEYS).map(String::of).collect();
    let solo = Solo::filled(&keys);
    let cache = &solo.cache;
    for (case, passed) in [("passed", true), ("clock", false)] {
        let mut figures = Vec::new();
        for round in 0..=plan.rounds {
            let mut differences = Vec::new();
            for _ in 0..plan.operations(BLOCKS) {
                let mut right = 0;
                let began = Instant::now();
                for key in keys.iter().cycle().take(KEYS * PASSES) {
                    right += usize::from(black_box(cache.get(key)).is_some());
                }
                let plain = began.elapsed();
                let at = solo.node.now();
                let began = Instant::now();
                for key in keys.iter().cycle().take(KEYS * PASSES) {
                    let read = if passed {
                        cache.get_within(key, at, BOUND)
                    } else {
                        cache.get_within_now(key, BOUND)
                    };
                    right += usize::from(black_box(read).is_some());
                }
                let bounded = began.elapsed();
                if right != 2 * KEYS * PASSES {
                    return Err(Problem::Wrong { subject: "unstale", right, asked: 2 * KEYS * PASSES });
                }
                differences
                    .push((bounded.as_nanos() as f64 - plain.as_nanos() as f64) / (KEYS * PASSES) as f64);
            }
            differences.sort_by(f64::total_cmp);
            if round > 0 {
                figures.push(crate::report::median(&differences));
            }
        }
        report.add("within", case, "unstale", "within_cost_ns", &figures);
    }
    Ok(())
}
